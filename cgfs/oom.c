/* SPDX-License-Identifier: MIT */
/*
 * oom.c - OOM kills seen through control files: for contexts whose policy does not report
 * them.  A container is watched, not a pod: processes live in containers, and a kill is
 * counted where the victim was, whosever limit was hit.
 *
 * v2: memory.events changes (inotify), its oom_kill line counts.  v1: an eventfd registered
 * for memory.oom_control fires when the cgroup or one above it is out of memory, which is
 * *before* the victim is chosen and counted; so the counter is read again a little later.
 *
 * Kernel: cgroup-v2.rst "memory.events"; cgroup-v1/memory.rst 10 "OOM Control"
 */
#include "core.h"

#include <stdio.h>

/* How long v1's counter is looked at after a notification: 1 ms, doubling, 2 s in all. */
#define V1_ROUNDS 11

struct oom_watch {
	int hierarchy;
	const char *file;
	int wd;		     /* v2 */
	int counter;	     /* v1: an eventfd */
	uint64_t kills;	     /* reported so far */
	unsigned int rounds; /* v1: still to be read again */
};

static int read_kills(struct cgfs_group *g, uint64_t *ret)
{
	struct cgfs_dir d = { g, g->oom->hierarchy, NULL };
	char text[512];
	const char *p;
	ssize_t n = dir_read(&d, g->oom->file, text, sizeof(text), NULL);

	if (n < 0)
		return (int)n;
	p = strstr(text, "oom_kill ");
	while (p && p != text && p[-1] != '\n')
		p = strstr(p + 1, "oom_kill ");
	if (!p)
		return -ENODATA; /* v1 before 4.13 does not count */
	*ret = strtoull(p + strlen("oom_kill "), NULL, 10);
	return 0;
}

/* Reports what is new. */
static void report(struct cgfs_group *g)
{
	struct cgfs_event ev;
	uint64_t kills;

	if (read_kills(g, &kills) < 0 || kills <= g->oom->kills)
		return;
	events_init(&ev, CGFS_EVENT_OOM_KILL, g);
	ev.count = kills - g->oom->kills;
	g->oom->kills = kills;
	events_push(g->c, &ev);
}

void oom_step(struct cgfs_group *g)
{
	struct oom_watch *o = g->oom;

	report(g);
	/* Also when there was something: one notification may have been for several kills. */
	if (!o->rounds)
		return;
	events_timer(g->c, 1000u << (V1_ROUNDS - o->rounds));
	o->rounds--;
}

static void v1_fired(struct cgfs_group *g)
{
	(void)events_read_counter(g->oom->counter);
	g->oom->rounds = V1_ROUNDS;
	oom_step(g);
}

static int v1_register(struct cgfs_group *g)
{
	auto_door_fd struct door_fd control = { g->c, -EBADF };
	struct oom_watch *o = g->oom;
	char text[32];
	int r, fd;

	r = group_dir(g, o->hierarchy, &fd, NULL);
	if (r < 0)
		return r;
	/* Needed for the registration only. */
	control.fd = fs_open(g->c, fd, o->file, O_RDONLY);
	if (control.fd < 0)
		return control.fd;
	r = events_add_counter(g, v1_fired, &o->counter);
	if (r < 0)
		return r;
	snprintf(text, sizeof(text), "%d %d", o->counter, control.fd);
	return fs_write_at(g->c, fd, "cgroup.event_control", text);
}

int oom_watch(struct cgfs_group *g, struct cgfs_err *reterr)
{
	struct cgfs *c = g->c;
	const struct place *p = &c->place[CGFS_MEMORY];
	int r;

	if (g->is_pod || p->version == CGFS_NONE ||
	    (c->policy && c->policy->ops->reports_oom(c->policy->ctx)))
		return 0;
	g->oom = calloc(1, sizeof(*g->oom));
	if (!g->oom)
		return cgfs_err_set(reterr, -ENOMEM, "watch for OOM kills", NULL, NULL, NULL);
	g->oom->hierarchy = p->hierarchy;
	g->oom->wd = g->oom->counter = -EBADF;
	if (p->version == CGFS_V1) {
		g->oom->file = "memory.oom_control";
		r = v1_register(g);
	} else {
		g->oom->file = "memory.events";
		r = events_watch(g, g->oom->file, oom_step, &g->oom->wd);
	}
	if (r == 0)
		r = read_kills(g, &g->oom->kills); /* kills before our time are not news */
	if (r == -ENODATA)
		r = 0;
	if (r == 0)
		return 0;
	dir_error(&(struct cgfs_dir){ g, p->hierarchy, NULL }, r, "watch", g->oom->file, NULL,
		  reterr);
	oom_unwatch(g);
	return r;
}

void oom_unwatch(struct cgfs_group *g)
{
	if (!g->oom)
		return;
	events_unwatch(g->c, oom_step, &g->oom->wd);
	events_drop_counter(g->c, &g->oom->counter);
	free(g->oom);
	g->oom = NULL;
}
