/* SPDX-License-Identifier: MIT */
/*
 * freeze.c - freezes and thaws the processes of a group.  Joining is in join.c, killing in kill.c.
 *
 * Where there is a cgroup2 directory, freeze goes through it on every layout: a process that
 * cgroup2 froze can be killed.  v1's freezer is for hosts without a cgroup2 tree.
 */
#include "cgfs/base/clock.h"
#include "cgfs/base/util.h"
#include "cgfs/controller/process/freezer.h"
#include "cgfs/tree/dir.h"
#include "cgfs/tree/fs.h"

#include <poll.h>
#include <sys/inotify.h>
#include <time.h>

/* v1 has to be asked again, at longer and longer intervals, for those that it missed. */
static int ask_again(struct cgfs_group *g, const struct freezer *f, uint64_t *at, uint64_t *delay,
		     struct cgfs_err *reterr)
{
	uint64_t now = now_ns(CLOCK_MONOTONIC);

	if (now < *at)
		return 0;
	*delay = *delay < 50000000 ? *delay * 2 : *delay;
	*at = now + *delay;
	return f->again ? freezer_write(g, f, true, reterr) : 0;
}

/* A descriptor of its own: the caller may be a child process whose parent goes on to read the
 * events of the context, which both have open.  -EBADF: the state is not announced. */
static int open_notice(struct cgfs_group *g, const struct freezer *f, int *ret_wd)
{
	const struct cgfs_fs *fs = g->c->fs;
	auto_fd int fd = f->again ? -EBADF : fs->ops->notify_open(fs->ctx);
	int dir;

	if (fd < 0 || group_dir(g, g->c->unified, &dir, NULL) < 0)
		return -EBADF;
	*ret_wd = fs->ops->notify_add(fs->ctx, fd, dir, f->shown);
	return *ret_wd < 0 ? -EBADF : take_fd(&fd);
}

static void drain(int *fd)
{
	char buf[1024] __attribute__((aligned(__alignof__(struct inotify_event))));
	ssize_t n;

	if (*fd < 0)
		return;
	while ((n = read(*fd, buf, sizeof(buf))) > 0)
		;
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		close(take_fd(fd));
}

static int wait_until(int fd, uint64_t at)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	uint64_t now = now_ns(CLOCK_MONOTONIC), left = at > now ? at - now : 0;
	struct timespec ts = { (time_t)(left / 1000000000u), (long)(left % 1000000000u) };

	return ppoll(&pfd, 1, &ts, NULL) < 0 && errno != EINTR ? -errno : 0;
}

/* Waits until the state is FROZEN.  cgroup2 announces when; without that it is looked at. */
static int await_frozen(struct cgfs_group *g, const struct freezer *f, uint64_t deadline,
			struct cgfs_err *reterr)
{
	uint64_t delay = 1000000, again_at = now_ns(CLOCK_MONOTONIC) + delay;
	const struct cgfs_fs *fs = g->c->fs;
	int r, wd = -EBADF;
	auto_fd int notice = open_notice(g, f, &wd);
	enum frozen state;

	for (;;) {
		/* Before the state is read: what is announced from here on ends the wait. */
		drain(&notice);
		r = freezer_state(g, f, &state, reterr);
		if (r < 0 || state == FROZEN)
			break;
		r = notice < 0 ? ask_again(g, f, &again_at, &delay, reterr) : 0;
		if (r < 0)
			break;
		if (now_ns(CLOCK_MONOTONIC) >= deadline) {
			r = err_why(reterr, -ETIMEDOUT, NULL, g->path, "not all processes stopped");
			break;
		}
		r = wait_until(notice, notice < 0 && again_at < deadline ? again_at : deadline);
		if (r < 0) {
			err_file(reterr, r, "poll", NULL);
			break;
		}
	}
	if (notice >= 0)
		ignore(fs->ops->notify_remove(fs->ctx, notice, wd));
	return r;
}

int cgfs_group_freeze(struct cgfs_group *g, unsigned int timeout_ms, struct cgfs_err *reterr)
{
	uint64_t deadline = now_ns(CLOCK_MONOTONIC) + (uint64_t)timeout_ms * 1000000u;
	const struct freezer *f = freezer_of(g->c), *v1 = freezer_v1(g->c);
	int r = check_writable(g->c, "freeze", reterr);

	if (r < 0)
		return r;
	if (!f)
		return err_value(reterr, -ENODEV, "freeze", g->rel, "no freezer on this host");
	r = freezer_write(g, f, true, reterr);
	if (r < 0 && v1 && f != v1 && freezer_lost(g, f, r) == 0) {
		f = v1;
		r = freezer_write(g, f, true, reterr);
	}
	if (r == 0) {
		r = await_frozen(g, f, deadline, reterr);
		if (r < 0)
			ignore(freezer_write(g, f, false, NULL));
	}
	return r < 0 ? cgfs_err_context(reterr, r, "freeze \"%.80s\"", g->rel) : 0;
}

int cgfs_group_thaw(struct cgfs_group *g, struct cgfs_err *reterr)
{
	const struct freezer *f = freezer_of(g->c), *v1 = freezer_v1(g->c);
	int r = check_writable(g->c, "thaw", reterr);

	if (r < 0)
		return r;
	if (!f)
		return err_value(reterr, -ENODEV, "thaw", g->rel, "no freezer on this host");
	/* Beside a cgroup2 tree v1's freezer is not ours, but another process may have used it. */
	if (v1 && f != v1)
		r = freezer_lost(g, v1, freezer_write(g, v1, false, reterr));
	if (r == 0)
		r = freezer_lost(g, f, freezer_write(g, f, false, reterr));
	return r < 0 ? cgfs_err_context(reterr, r, "thaw \"%.80s\"", g->rel) : 0;
}
