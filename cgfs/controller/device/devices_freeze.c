/* SPDX-License-Identifier: MIT */
/*
 * devices_freeze.c - stops the processes of a cgroup for the moment in which v1's devices
 * controller has no choice but to grant too much.  Owns how they are stopped, and that what was
 * frozen before stays so.
 */
#include "cgfs/controller/device/devices_freeze.h"

#include "cgfs/base/clock.h"
#include "cgfs/base/util.h"
#include "cgfs/tree/fs.h"

#include <time.h>

/* Far longer than it takes, unless a process waits for a disk. */
#define FREEZE_MS 200

static bool is_empty(struct cgfs *c, int fd)
{
	char text[16];

	return fs_read_at(c, fd, "cgroup.procs", text, sizeof(text)) == 0;
}

static bool is_frozen(struct cgfs *c, const struct stopped *s)
{
	char text[128];

	return fs_read_at(c, s->fd, s->by->shown, text, sizeof(text)) >= 0 &&
	       s->by->state(text) == FROZEN;
}

static int refuse(const char *rel, int code, struct cgfs_err *reterr)
{
	return cgfs_err_set(reterr, code, "set", "devices", rel,
			    "cgroup v1 would grant too much while its default changes, and the "
			    "processes could not be frozen for that moment");
}

int devices_stop(struct cgfs *c, int devices_fd, const char *rel, struct stopped *ret,
		 struct cgfs_err *reterr)
{
	const struct freezer *v1 = freezer_v1(c);
	int hierarchy = v1 ? c->place[CGFS_FREEZER].hierarchy : c->unified, r;
	uint64_t end = now_ns(CLOCK_MONOTONIC) + FREEZE_MS * UINT64_C(1000000);

	/* With a policy, which changes later, nothing is granted that it denies. */
	if (c->policy || is_empty(c, devices_fd))
		return 0;
	if (hierarchy < 0)
		return refuse(rel, -EBUSY, reterr);
	ret->fd = fs_open(c, c->hierarchy[hierarchy].root_fd, rel, O_RDONLY | O_DIRECTORY);
	if (ret->fd < 0)
		return refuse(rel, ret->fd, reterr);
	ret->by = v1 ? v1 : freezer_of(c);
	if (is_frozen(c, ret)) {
		fs_close(c, &ret->fd);
		return 0;
	}
	r = fs_write_at(c, ret->fd, ret->by->file, ret->by->freeze);
	for (int i = 0; r == 0 && !is_frozen(c, ret); i++) {
		const struct timespec pause = { 0, 200000 };

		if (now_ns(CLOCK_MONOTONIC) > end)
			r = -EBUSY;
		/* v1's freezer may miss a process that was being forked. */
		else if (i % 8 == 7)
			r = fs_write_at(c, ret->fd, ret->by->file, ret->by->freeze);
		nanosleep(&pause, NULL);
	}
	if (r == 0)
		return 0;
	devices_go_on(c, ret);
	return refuse(rel, r, reterr);
}

void devices_go_on(struct cgfs *c, struct stopped *s)
{
	if (s->fd < 0)
		return;
	ignore(fs_write_at(c, s->fd, s->by->file, s->by->thaw));
	fs_close(c, &s->fd);
}
