// SPDX-License-Identifier: MIT
/*
 * test_fault_live.c - the faults of what only a kernel does: a child that begins in a container, a
 * pressure trigger.  Each call of the library, in the parent or in the child, fails in turn.
 */
#include "extra.h"
#include "mishap.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct {
	const char *name;
	enum mishap kind;
	int errnos[6];
} kinds[] = {
	{ "open", MISHAP_OPEN, { EIO, ENOENT, EMFILE, EACCES } },
	{ "write", MISHAP_WRITE, { EIO, EBUSY, ENOMEM, ENODEV, ENOSPC } },
	{ "read", MISHAP_READ, { EIO, ENODEV, EINTR } },
	{ "fork", MISHAP_FORK, { EAGAIN, ENOMEM, EPERM, ENOSYS, EMFILE } },
	{ "inotify", MISHAP_NOTIFY, { ENOSPC, EMFILE, ENOMEM } },
	{ "allocation", MISHAP_ALLOC, { ENOMEM } },
	{ "descriptor", MISHAP_FD, { EMFILE, ENOMEM } },
};

struct attempt {
	struct world *w;
	struct cgfs *c;
	struct cgfs_group *ctr;
	const char *what; /* fails, and how: for a check that fails */
	bool struck;
};

/* From here on nothing fails: what follows is the test's. */
static void over(struct attempt *a)
{
	a->struck = mishap_struck();
	mishap_arm(0, 0, 0);
}

/* A child that is reported, or none. */
static int spawn(struct attempt *a, struct cgfs_err *reterr)
{
	pid_t pid = -77;
	int pidfd = -77;
	int r = cgfs_group_spawn(a->ctr, &pid, &pidfd, reterr);

	if (r == 0 && pid == 0)
		_exit(extra_pause(NULL));
	over(a);
	if (r < 0) {
		CHECK_MSG(pid == -77 && pidfd == -77, "%s: failed, but set its results", a->what);
	} else {
		world_check_member(a->w, pid, a->ctr);
		CHECK(kill(pid, SIGKILL) == 0);
		CHECK_INT(WTERMSIG(extra_wait(pid)), SIGKILL);
		close(pidfd);
	}
	CHECK_MSG(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD, "%s: a child is left",
		  a->what);
	extra_until_pids(a->w, a->ctr, 0, 0);
	return r;
}

static int watch_pressure(struct attempt *a, struct cgfs_err *reterr)
{
	int r = cgfs_group_watch_pressure(a->ctr, CGFS_PRESSURE_MEMORY, false, 100000, 2000000,
					  reterr);

	over(a);
	if (r == 0)
		OK(cgfs_group_watch_pressure(a->ctr, CGFS_PRESSURE_MEMORY, false, 0, 0, &err));
	return r;
}

/* The @nth call fails; false: there are fewer. */
static bool strike(struct attempt *a, struct cgfs_group *pod,
		   int (*fn)(struct attempt *a, struct cgfs_err *reterr), enum mishap kind,
		   unsigned int nth, int error)
{
	struct cgfs_err why = { 0 };
	size_t fds;
	bool struck;
	int r;

	a->ctr = world_container(a->w, pod, a->c, "c1", NULL);
	/* What is opened once and kept is open now. */
	OK(fn(a, &err));
	fds = world_fds();
	mishap_arm(kind, nth, -error);
	r = fn(a, &why);
	struck = a->struck;
	CHECK_MSG(r == 0 || struck, "%s: without a fault: %s", a->what, why.text);
	CHECK_MSG(r == 0 || (why.code == r && strstr(why.text, "c1")), "%s: %d: \"%s\"", a->what, r,
		  why.text);
	/* The way around the fault may keep some, too: once. */
	if (world_fds() > fds) {
		fds = world_fds();
		mishap_arm(kind, nth, -error);
		(void)!fn(a, NULL);
	}
	/* Fewer: when there are no more, the library gives up some that it kept. */
	CHECK_MSG(world_fds() <= fds, "%s: %zu descriptors, not %zu", a->what, world_fds(), fds);
	/* And it can still be done. */
	OK(fn(a, &err));
	world_destroy(a->w, a->ctr);
	return struck;
}

static void sweep(struct world *w, int (*fn)(struct attempt *a, struct cgfs_err *reterr))
{
	struct attempt a = { .w = w, .c = extra_context(w, WORLD_FILES) };
	struct cgfs_group *pod = world_pod(w, a.c, "web", NULL);
	unsigned int faults = 0;
	char what[64];

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		for (size_t k = 0; kinds[i].errnos[k]; k++) {
			bool more = true;

			for (unsigned int nth = 1; more; nth++) {
				snprintf(what, sizeof(what), "%s %u fails with %s", kinds[i].name,
					 nth, strerror(kinds[i].errnos[k]));
				a.what = what;
				more = strike(&a, pod, fn, kinds[i].kind, nth, kinds[i].errnos[k]);
				faults += more;
			}
		}
	}
	CHECK(faults > 10);
	world_note(w, "%u faults", faults);
}

WORLD_TEST(spawn_each_call_fails)
{
	if (!w->kind->live)
		world_skip(w, "a fake has no children");
	if (!world_thorough())
		world_skip(w, "the library's calls are the same in 6.1 v1, 6.1 v2 or 7.2 v2");
	sweep(w, spawn);
}

WORLD_TEST(watch_pressure_each_call_fails)
{
	if (!w->kind->live)
		world_skip(w, "fault_watch_pressure is the fakes'");
	if (world_version(w, UNIFIED) == CGFS_NONE || access("/proc/pressure/cpu", R_OK) < 0)
		world_skip(w, "no pressure here");
	sweep(w, watch_pressure);
}
