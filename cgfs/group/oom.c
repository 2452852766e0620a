/* SPDX-License-Identifier: MIT */
/*
 * oom.c - OOM kills seen through control files: for contexts whose policy does not report
 * them.  A container is watched, not a pod: processes live in containers, and a kill is
 * counted where the victim was, independent of whose limit was hit.  How a version reports and
 * counts it is controller/oom.c's.
 */
#include "cgfs/controller/memory/oom.h"
#include "cgfs/base/util.h"
#include "cgfs/event/events.h"
#include "cgfs/group/group.h"
#include "cgfs/tree/context.h"

/* Until the next try after a read that failed. */
#define AGAIN_US 10000

struct oom_watch {
	const struct oom_ops *ops;
	struct oom_wire wire;
	uint64_t kills;	     /* reported so far */
	unsigned int rounds; /* still to be read again */
	uint64_t look_at;    /* then it is read again; 0: when the kernel notifies */
};

/* Reports what is new; a negative errno when it is not known. */
static int report(struct cgfs_group *g)
{
	struct cgfs_event ev = CGFS_EVENT_INIT;
	uint64_t kills;
	int r = oom_kills(g, &kills, NULL);

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
	/* The kernel does not notify of this change again: look once more, unless the group is
	 * gone. */
	if (r < 0 && r != -ENOENT && r != -ENODEV && r != -ENODATA) {
		o->look_at = events_timer(g->c, AGAIN_US);
	} else if (o->rounds) {
		/* Also when there was something: one notification may have been for several kills.
		 */
		o->look_at = events_timer(g->c, 1000u << (o->ops->rounds - o->rounds));
		o->rounds--;
	}
}

void oom_step(struct cgfs_group *g, bool missed)
{
	if (events_due(g->c, g->oom->look_at) || missed)
		oom_look(g);
}

static void fired(struct cgfs_group *g)
{
	struct oom_watch *o = g->oom;

	if (o->wire.counter >= 0)
		(void)events_read_counter(o->wire.counter);
	o->rounds = o->ops->rounds;
	oom_look(g);
}

int oom_watch(struct cgfs_group *g, struct cgfs_err *reterr)
{
	const struct oom_ops *ops = oom_ops(g->c);
	const struct cgfs_policy *policy = g->c->policy;
	int r;

	if (g->is_pod || !ops || (policy && policy->ops->reports_oom(policy->ctx)))
		return 0;
	g->oom = calloc(1, sizeof(*g->oom));
	if (!g->oom)
		return err_file(reterr, -ENOMEM, "watch for OOM kills", NULL);
	g->oom->ops = ops;
	g->oom->wire = (struct oom_wire){ -EBADF, -EBADF };
	r = ops->arm(g, &g->oom->wire, fired, reterr);
	if (r == 0)
		r = oom_kills(g, &g->oom->kills, reterr); /* kills before our time are not news */
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
	events_unwatch(g, fired, &g->oom->wire.wd);
	events_drop_counter(g->c, &g->oom->wire.counter);
	free(g->oom);
	g->oom = NULL;
}
