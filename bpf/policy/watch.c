/* SPDX-License-Identifier: MIT */
/*
 * watch.c - notices that another process removes pins, and puts them back at once: a group whose
 * link has gone is bound by no list any more.  Owns the inotify descriptor; a removal of ours is
 * one of a group that cgfs_groups does not have any more.
 */
#include "bpf/policy/policy.h"
#include "cgfs/base/clock.h"

#include <stdlib.h>
#include <sys/inotify.h>

#define REMOVED (IN_DELETE | IN_MOVED_FROM)
#define LOST	(IN_IGNORED | IN_UNMOUNT | IN_Q_OVERFLOW | IN_MOVE_SELF | IN_DELETE_SELF)

static int add(struct cgfs_bpf *b, const char *name)
{
	char path[CGFS_BPF_PATH];

	return inotify_add_watch(b->events.watch.fd, cgfs_bpf_path(&b->pins, name, path),
				 REMOVED | IN_MOVE_SELF | IN_DELETE_SELF | IN_ONLYDIR);
}

static void add_all(struct cgfs_bpf *b)
{
	add(b, ".");
	add(b, "events");
	b->events.watch.links = add(b, "links");
}

/* Without inotify (fs.inotify.max_user_instances) pins come back with the next change only. */
void cgfs_bpf_watch_open(struct cgfs_bpf *b)
{
	struct pin_watch *w = &b->events.watch;

	if (b->pins.read_only)
		return;
	w->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (w->fd < 0)
		return;
	add_all(b);
}

void cgfs_bpf_watch_close(struct cgfs_bpf *b)
{
	cgfs_cleanup_fd(&b->events.watch.fd);
	b->events.watch.fd = -EBADF;
}

/* Is it something that should be there?  Of the other directories we remove nothing. */
static bool concerns(const struct cgfs_bpf *b, const struct inotify_event *e)
{
	const char *colon = e->len ? strrchr(e->name, ':') : NULL;
	struct cgfs_group there;

	if (e->mask & LOST || e->wd != b->events.watch.links)
		return true;
	return colon && cgfs_bpf_group_read(b->groups, strtoull(colon + 1, NULL, 10), &there) == 0;
}

static bool removed(struct cgfs_bpf *b)
{
	char buf[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
	bool found = false;
	ssize_t n;

	while ((n = read(b->events.watch.fd, buf, sizeof(buf))) > 0) {
		const struct inotify_event *e;

		for (char *p = buf; p < buf + n; p += sizeof(*e) + e->len) {
			e = (const void *)p;
			found |= concerns(b, e);
		}
	}
	return found;
}

int cgfs_bpf_watch_read(struct cgfs_bpf *b, struct cgfs_event *ret, struct cgfs_err *reterr)
{
	uint64_t groups;
	int r;

	if (b->events.watch.fd < 0 || !removed(b))
		return 0;
	r = cgfs_bpf_restore(b, &groups, reterr);
	add_all(b);
	if (r < 0)
		return r;
	*ret = (struct cgfs_event){
		.sz = sizeof(*ret),
		.type = CGFS_EVENT_PINS_RESTORED,
		.time_ns = now_ns(CLOCK_BOOTTIME),
		.count = groups,
	};
	return 1;
}
