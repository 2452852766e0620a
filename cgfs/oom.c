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

/* Until the next try after a read that failed. */
#define AGAIN_US 10000

struct oom_watch {
	int hierarchy;
	const char *file;
	int wd;		     /* v2 */
	int counter;	     /* v1: an eventfd */
	uint64_t kills;	     /* reported so far */
	unsigned int rounds; /* v1: still to be read again */
	uint64_t look_at;    /* then it is read again; 0: when the kernel tells */
};

static int read_kills(struct cgfs_group *g, uint64_t *ret, struct cgfs_err *reterr)
{
	struct cgfs_dir d = { g, g->oom->hierarchy, NULL };
	char text[512];
	const char *p;
	ssize_t n = dir_read(&d, g->oom->file, text, sizeof(text), reterr);

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

/* Reports what is new; a negative errno when it cannot be told. */
static int report(struct cgfs_group *g)
{
	struct cgfs_event ev;
	uint64_t kills;
	int r = read_kills(g, &kills, NULL);

	if (r < 0 || kills <= g->oom->kills)
		return r;
	events_init(&ev, CGFS_EVENT_OOM_KILL, g);
	ev.count = kills - g->oom->kills;
	g->oom->kills = kills;
	events_push(g->c, &ev);
	return 0;
}

void oom_look(struct cgfs_group *g)
{
	struct oom_watch *o = g->oom;
	int r = report(g);

	o->look_at = 0;
	/* Nobody tells of this change again: look once more, unless the group is gone. */
	if (r < 0 && r != -ENOENT && r != -ENODEV && r != -ENODATA) {
		o->look_at = events_timer(g->c, AGAIN_US);
	} else if (o->rounds) {
		/* Also when there was something: one notification may have been for several kills.
		 */
		o->look_at = events_timer(g->c, 1000u << (V1_ROUNDS - o->rounds));
		o->rounds--;
	}
}

void oom_step(struct cgfs_group *g, bool missed)
{
	if (events_due(g->c, g->oom->look_at) || missed)
		oom_look(g);
}

static void v1_fired(struct cgfs_group *g)
{
	(void)events_read_counter(g->oom->counter);
	g->oom->rounds = V1_ROUNDS;
	oom_look(g);
}

static int v1_register(struct cgfs_group *g, struct cgfs_err *reterr)
{
	auto_door_fd struct door_fd control = { g->c, -EBADF };
	struct oom_watch *o = g->oom;
	struct cgfs_dir d = { g, o->hierarchy, NULL };
	char text[32];
	int r, fd;

	r = group_dir(g, o->hierarchy, &fd, reterr);
	if (r < 0)
		return r;
	/* Needed for the registration only. */
	control.fd = fs_open(g->c, fd, o->file, O_RDONLY);
	if (control.fd < 0)
		return dir_error(&d, control.fd, "open", o->file, NULL, reterr);
	r = events_add_counter(g, v1_fired, &o->counter);
	if (r < 0)
		return dir_error(&d, r, "watch", o->file, NULL, reterr);
	snprintf(text, sizeof(text), "%d %d", o->counter, control.fd);
	return dir_write(&d, "cgroup.event_control", text, reterr);
}

static int v2_register(struct cgfs_group *g, struct cgfs_err *reterr)
{
	struct oom_watch *o = g->oom;
	int r = events_watch(g, o->file, oom_look, &o->wd);

	return r < 0 ? dir_error(&(struct cgfs_dir){ g, o->hierarchy, NULL }, r, "watch", o->file,
				 NULL, reterr)
		     : 0;
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
		r = v1_register(g, reterr);
	} else {
		g->oom->file = "memory.events";
		r = v2_register(g, reterr);
	}
	if (r == 0)
		r = read_kills(g, &g->oom->kills, reterr); /* kills before our time are not news */
	if (r == -ENODATA)
		r = 0;
	if (r < 0)
		oom_unwatch(g);
	return r;
}

void oom_unwatch(struct cgfs_group *g)
{
	if (!g->oom)
		return;
	events_unwatch(g, oom_look, &g->oom->wd);
	events_drop_counter(g->c, &g->oom->counter);
	free(g->oom);
	g->oom = NULL;
}
