// SPDX-License-Identifier: MIT
/*
 * test_fake.c - the fake as a host: its door, processes, notifications and faults.  What kernels
 * answer to a write is in test_fake_recorded.c.
 */
#include <signal.h>
#include <sys/inotify.h>
#include <sys/wait.h>

#include "tests/unit/fake_host.h"

/* -- the door --------------------------------------------------------------------------------- */

FAKE_TEST(layouts_carry_their_controllers)
{
	static const struct {
		enum cgfs_layout layout;
		enum cgfs_controller ctl;
		enum cgfs_version_id version;
	} cases[] = {
		{ CGFS_LAYOUT_V1, CGFS_MEMORY, CGFS_V1 },
		{ CGFS_LAYOUT_V1, CGFS_HUGETLB, CGFS_V1 },
		{ CGFS_LAYOUT_HYBRID, CGFS_MEMORY, CGFS_V1 },
		{ CGFS_LAYOUT_HYBRID, CGFS_HUGETLB, CGFS_V2 },
		{ CGFS_LAYOUT_MIXED, CGFS_MEMORY, CGFS_V2 },
		{ CGFS_LAYOUT_MIXED, CGFS_CPUSET, CGFS_V2 },
		{ CGFS_LAYOUT_MIXED, CGFS_CPU, CGFS_V1 },
		{ CGFS_LAYOUT_V2, CGFS_CPU, CGFS_V2 },
		{ CGFS_LAYOUT_V2, CGFS_DEVICES, CGFS_NONE },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		enum cgfs_version_id version = CGFS_NONE;
		const struct cgfs_mounts *m;
		int fd = -1;

		instead(cases[i].layout, FAKE_KERNEL_6_12);
		m = fake_mounts(f);
		for (size_t k = 0; k < m->n; k++) {
			if (!(m->mount[k].controllers & (1u << cases[i].ctl)))
				continue;
			version = m->mount[k].version;
			fd = open_at(AT_FDCWD, m->mount[k].path, O_RDONLY | O_DIRECTORY);
			CHECK(fd >= 1 << 24);
			shut(fd);
		}
		CHECK_INT(version, cases[i].version);
	}
	instead(CGFS_LAYOUT_V1, FAKE_KERNEL_6_12);
	CHECK(!fake_policy(f, true));
}

FAKE_TEST(descriptors_are_checked)
{
	int dir = open_at(AT_FDCWD, ROOT, O_RDONLY | O_DIRECTORY), fd, again;
	uint64_t id, other;
	char c;

	CHECK_INT(make(ROOT "a"), 0);
	fd = open_at(dir, "a/cgroup.freeze", O_RDONLY);
	CHECK(fd >= 1 << 24);
	CHECK_INT(fs->ops->write(fs->ctx, fd, "1", 1), -EBADF);
	CHECK_INT(fs->ops->pread(fs->ctx, dir, &c, 1, 0), -EISDIR);
	CHECK_INT(open_at(fd, "x", O_RDONLY), -ENOTDIR);
	CHECK_INT(fs->ops->inode(fs->ctx, dir, &id), 0);
	CHECK_INT(id, 1);
	CHECK_INT(fs->ops->inode(fs->ctx, fd, &other), 0);
	CHECK(other != id);
	shut(fd);
	/* Neither the old number nor a real one is anything here. */
	CHECK_INT(fs->ops->pread(fs->ctx, fd, &c, 1, 0), -EBADF);
	CHECK_INT(fs->ops->pread(fs->ctx, 0, &c, 1, 0), -EBADF);
	again = open_at(dir, "a/cgroup.freeze", O_RDONLY);
	CHECK(again != fd);
	shut(again);
	CHECK_INT(open_at(fd, "cgroup.procs", O_RDONLY), -EBADF);
	CHECK_INT(open_at(dir, "a/cgroup.freeze", O_RDONLY | O_DIRECTORY), -ENOTDIR);
	CHECK_INT(open_at(dir, "a/../a/./cgroup.nothing", O_RDONLY), -ENOENT);
	CHECK_INT(open_at(dir, "", O_RDONLY), -ENOENT);
	CHECK_INT(open_at(AT_FDCWD, "/etc/passwd", O_RDONLY), -ENOENT);
	shut(dir);
	CHECK_INT(fake_bad_closes(f), 0);
}

FAKE_TEST(a_second_close_is_counted)
{
	int fd = open_at(AT_FDCWD, ROOT, O_RDONLY);

	shut(fd);
	shut(fd);
	CHECK_INT(fake_bad_closes(f), 1);
	instead(CGFS_LAYOUT_V2, FAKE_KERNEL_6_12);
}

FAKE_TEST(reads_honour_offset_and_length)
{
	int fd = open_at(AT_FDCWD, ROOT "cgroup.controllers", O_RDONLY);
	char a[8], all[128];
	ssize_t n = fs->ops->pread(fs->ctx, fd, all, sizeof(all), 0);

	CHECK(n > 8);
	CHECK_INT(fs->ops->pread(fs->ctx, fd, a, 8, 4), 8);
	CHECK(memcmp(a, all + 4, 8) == 0);
	CHECK_INT(fs->ops->pread(fs->ctx, fd, a, 8, n - 3), 3);
	CHECK_INT(fs->ops->pread(fs->ctx, fd, a, 8, n), 0);
	CHECK_INT(fs->ops->pread(fs->ctx, fd, a, 8, n + 100), 0);
	shut(fd);
}

FAKE_TEST(writes_over_a_page_are_refused)
{
	static char text[4097];
	int fd;

	memset(text, ' ', sizeof(text));
	text[0] = '1';
	CHECK_INT(make(ROOT "a"), 0);
	fd = open_at(AT_FDCWD, ROOT "a/cgroup.max.depth", O_WRONLY);
	CHECK_INT(fs->ops->write(fs->ctx, fd, text, 4097), -E2BIG);
	CHECK_INT(fs->ops->write(fs->ctx, fd, text, 4096), 4096);
	CHECK_INT(fs->ops->write(fs->ctx, fd, "", 0), 0);
	shut(fd);
	CHECK_STR(get(ROOT "a/cgroup.max.depth"), "1\n");
}

struct names {
	char text[256];
	int stop_at;
};

static int note_name(void *arg, const char *name)
{
	struct names *n = arg;

	strcat(n->text, name);
	strcat(n->text, " ");
	return --n->stop_at == 0 ? 42 : 0;
}

static int remove_name(void *arg, const char *name)
{
	int *dir = arg;

	return fs->ops->rmdir(fs->ctx, *dir, name);
}

FAKE_TEST(lists_are_of_directories_and_stop)
{
	int dir = open_at(AT_FDCWD, ROOT, O_RDONLY | O_DIRECTORY);
	struct names n = { .stop_at = -1 };

	make(ROOT "a");
	make(ROOT "b");
	make(ROOT "c");
	CHECK_INT(fs->ops->list(fs->ctx, dir, note_name, &n), 0);
	CHECK_STR(n.text, "a b c ");
	n = (struct names){ .stop_at = 2 };
	CHECK_INT(fs->ops->list(fs->ctx, dir, note_name, &n), 42);
	CHECK_STR(n.text, "a b ");
	CHECK_INT(fake_directories(f), 3);
	CHECK_INT(fs->ops->list(fs->ctx, dir, remove_name, &dir), 0);
	CHECK_INT(fake_directories(f), 0);
	shut(dir);
}

/* -- processes -------------------------------------------------------------------------------- */

FAKE_TEST(processes_begin_in_the_roots_and_inherit)
{
	pid_t p, child;

	instead(CGFS_LAYOUT_HYBRID, FAKE_KERNEL_6_12);
	p = fake_spawn(f);
	CHECK_STR(fake_cgroup_of(f, p, CGFS_PIDS), "/");
	make(ROOT "pids/a");
	make(ROOT "pids/a/b");
	CHECK_INT(put_pid(ROOT "pids/a/b/cgroup.procs", p), 0);
	child = fake_fork(f, p);
	CHECK(child > p);
	CHECK_STR(fake_cgroup_of(f, child, CGFS_PIDS), "/a/b");
	CHECK_STR(fake_cgroup_of(f, child, CGFS_CPU), "/");
	CHECK_STR(fake_cgroup_of(f, child, CGFS_CONTROLLER_COUNT), "/");
	CHECK_STR(get(ROOT "pids/a/pids.current"), "2\n");
	fake_exit(f, p);
	CHECK(!fake_alive(f, p));
	CHECK_STR(get(ROOT "pids/a/pids.current"), "1\n");
	CHECK_STR(get(ROOT "pids/a/b/pids.peak"), "2\n");
	CHECK_INT(put_pid(ROOT "pids/a/cgroup.procs", p), -ESRCH);
	CHECK_INT(unmake(ROOT "pids/a/b"), -EBUSY);
	fake_exit(f, child);
	CHECK_INT(unmake(ROOT "pids/a/b"), 0);
	CHECK_INT(fake_fork(f, child), -ESRCH);
}

FAKE_TEST(proc_shows_where_a_process_is)
{
	char path[64];
	pid_t p;
	int fd;

	instead(CGFS_LAYOUT_MIXED, FAKE_KERNEL_6_12);
	p = fake_spawn(f);
	make(ROOT "cpu/x");
	make(ROOT "unified/y");
	CHECK_INT(put_pid(ROOT "cpu/x/cgroup.procs", p), 0);
	CHECK_INT(put_pid(ROOT "unified/y/cgroup.procs", p), 0);
	snprintf(path, sizeof(path), "/proc/%d/cgroup", p);
	CHECK_STR(get(path), "0::/y\n6:freezer:/\n5:devices:/\n4:blkio:/\n3:pids:/\n"
			     "2:cpuacct:/\n1:cpu:/x\n");
	fd = open_at(AT_FDCWD, path, O_RDONLY);
	fake_exit(f, p);
	CHECK_INT(fs->ops->pread(fs->ctx, fd, path, 1, 0), -ESRCH);
	shut(fd);
	CHECK_STR(get("/proc/10000077/cgroup"), "ENOENT");
	CHECK_STR(get("/proc/self/status"), "ENOENT");
	CHECK(strstr(get("/proc/self/cgroup"), "0::/\n"));
}

FAKE_TEST(a_killed_process_takes_its_time)
{
	pid_t p = fake_spawn(f);

	make(ROOT "a");
	put_pid(ROOT "a/cgroup.procs", p);
	fake_set_exit_delay(f, 2);
	CHECK_INT(put(ROOT "a/cgroup.kill", "1"), 0);
	CHECK_INT(fake_fork(f, p), -ESRCH);
	CHECK_INT(unmake(ROOT "a"), -EBUSY);
	fake_tick(f);
	CHECK(fake_alive(f, p));
	CHECK_STR(get(ROOT "a/cgroup.events"), "populated 1\nfrozen 0\n");
	fake_tick(f);
	CHECK(!fake_alive(f, p));
	CHECK_STR(get(ROOT "a/cgroup.events"), "populated 0\nfrozen 0\n");
	CHECK_INT(unmake(ROOT "a"), 0);
}

FAKE_TEST(freezing_takes_its_time)
{
	pid_t p = fake_spawn(f);

	make(ROOT "a");
	put_pid(ROOT "a/cgroup.procs", p);
	fake_set_freeze_delay(f, 1);
	put(ROOT "a/cgroup.freeze", "1");
	CHECK_STR(get(ROOT "a/cgroup.events"), "populated 1\nfrozen 0\n");
	CHECK(!fake_frozen(f, p));
	fake_tick(f);
	CHECK_STR(get(ROOT "a/cgroup.events"), "populated 1\nfrozen 1\n");
	CHECK(fake_frozen(f, p));
	CHECK_INT(fake_fork(f, p), -ESRCH);
	put(ROOT "a/cgroup.freeze", "0");
	CHECK(!fake_frozen(f, p));

	instead(CGFS_LAYOUT_V1, FAKE_KERNEL_6_12);
	make(ROOT "freezer/a");
	fake_set_freeze_delay(f, 1);
	put(ROOT "freezer/a/freezer.state", "FROZEN");
	CHECK_STR(get(ROOT "freezer/a/freezer.state"), "FREEZING\n");
	fake_tick(f);
	CHECK_STR(get(ROOT "freezer/a/freezer.state"), "FROZEN\n");
}

/* v1's freezer holds what SIGKILL has hit until it thaws; cgroup2's does not. */
FAKE_TEST(signals_reach_the_frozen_on_v2_only)
{
	pid_t p = fake_spawn(f);

	make(ROOT "a");
	put_pid(ROOT "a/cgroup.procs", p);
	put(ROOT "a/cgroup.freeze", "1");
	CHECK_INT(fs->ops->kill(fs->ctx, p, 0), 0);
	CHECK_INT(fs->ops->kill(fs->ctx, p, SIGKILL), 0);
	CHECK(!fake_alive(f, p));
	CHECK_INT(fs->ops->kill(fs->ctx, p, SIGKILL), -ESRCH);
	CHECK_INT(fs->ops->kill(fs->ctx, -1, SIGKILL), -ESRCH);
	CHECK_INT(fs->ops->kill(fs->ctx, 0, SIGKILL), -ESRCH);

	instead(CGFS_LAYOUT_V1, FAKE_KERNEL_6_12);
	p = fake_spawn(f);
	make(ROOT "freezer/a");
	put_pid(ROOT "freezer/a/cgroup.procs", p);
	put(ROOT "freezer/a/freezer.state", "FROZEN");
	CHECK_INT(fs->ops->kill(fs->ctx, p, SIGKILL), 0);
	CHECK(fake_alive(f, p));
	put(ROOT "freezer/a/freezer.state", "THAWED");
	CHECK(!fake_alive(f, p));
}

FAKE_TEST(real_processes_join_and_die)
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		for (;;)
			pause();
	}
	CHECK(child > 0);
	make(ROOT "a");
	CHECK_INT(put_pid(ROOT "a/cgroup.procs", child), 0);
	CHECK_STR(fake_cgroup_of(f, child, CGFS_MEMORY), "/a");
	CHECK_INT(put(ROOT "a/cgroup.procs", "0"), 0);
	CHECK_STR(fake_cgroup_of(f, getpid(), CGFS_MEMORY), "/a");
	/* The child gets a real SIGKILL.  We leave, but are spared. */
	CHECK_INT(put(ROOT "a/cgroup.kill", "1"), 0);
	CHECK_INT(waitpid(child, &status, 0), child);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	CHECK_STR(get(ROOT "a/cgroup.procs"), "");
	CHECK_INT(put_pid(ROOT "a/cgroup.procs", child), -ESRCH);
}

FAKE_TEST(a_real_zombie_is_no_member)
{
	pid_t child = fork();
	siginfo_t info;

	if (child == 0) {
		for (;;)
			pause();
	}
	make(ROOT "a");
	CHECK_INT(put_pid(ROOT "a/cgroup.procs", child), 0);
	CHECK_INT(unmake(ROOT "a"), -EBUSY);
	kill(child, SIGKILL);
	CHECK_INT(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT), 0);
	CHECK_INT(unmake(ROOT "a"), 0);
	CHECK(!fake_alive(f, child));
	CHECK_INT(waitpid(child, NULL, 0), child);
}

FAKE_TEST(strangers_are_never_signalled)
{
	CHECK_INT(fs->ops->kill(fs->ctx, getppid(), SIGCONT), -EPERM);
	make(ROOT "a");
	CHECK_INT(put_pid(ROOT "a/cgroup.procs", getppid()), 0);
	CHECK_INT(put(ROOT "a/cgroup.kill", "1"), 0);
	CHECK_STR(get(ROOT "a/cgroup.procs"), "");
	CHECK_INT(kill(getppid(), 0), 0);
}

/* -- notifications ---------------------------------------------------------------------------- */

static int watch(int nfd, const char *name)
{
	return fs->ops->notify_add(fs->ctx, nfd, AT_FDCWD, name);
}

/* "wd:mask " of each event that there is. */
static const char *events(int nfd)
{
	struct inotify_event e[64];
	static char text[1024];
	ssize_t n = read(nfd, e, sizeof(e));
	size_t used = 0;

	text[0] = '\0';
	if (n < 0)
		snprintf(text, sizeof(text), "%s", strerrorname_np(errno));
	for (ssize_t i = 0; i < n / (ssize_t)sizeof(*e); i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%d:%x ", e[i].wd,
					 e[i].mask);
	return text;
}

FAKE_TEST(events_are_merged_only_with_the_last)
{
	int nfd = fs->ops->notify_open(fs->ctx);
	pid_t p = fake_spawn(f);

	CHECK(nfd >= 0 && nfd < 1 << 24);
	CHECK(fcntl(nfd, F_GETFL) & O_NONBLOCK);
	CHECK(fcntl(nfd, F_GETFD) & FD_CLOEXEC);
	make(ROOT "a");
	CHECK_INT(watch(nfd, ROOT "a/cgroup.events"), 1);
	CHECK_INT(watch(nfd, ROOT "a/cgroup.freeze"), 2);
	CHECK_INT(watch(nfd, ROOT "a/nothing"), -ENOENT);
	CHECK_INT(fs->ops->notify_add(fs->ctx, 0, AT_FDCWD, ROOT "a/cgroup.procs"), -EINVAL);
	CHECK_STR(events(nfd), "EAGAIN");
	put_pid(ROOT "a/cgroup.procs", p);
	fake_exit(f, p);
	CHECK_STR(events(nfd), "1:2 ");
	put(ROOT "a/cgroup.freeze", "1");
	put(ROOT "a/cgroup.freeze", "1");
	put(ROOT "a/cgroup.freeze", "0");
	/* The file that was written is announced after what came of it. */
	CHECK_STR(events(nfd), "1:2 2:2 1:2 2:2 ");
	CHECK_INT(fs->ops->notify_remove(fs->ctx, nfd, 2), 0);
	CHECK_STR(events(nfd), "2:8000 ");
	CHECK_INT(fs->ops->notify_remove(fs->ctx, nfd, 2), -EINVAL);
	put(ROOT "a/cgroup.freeze", "0");
	CHECK_STR(events(nfd), "EAGAIN");
	shut(nfd);
	CHECK_INT(fcntl(nfd, F_GETFD), -1);
}

FAKE_TEST(closing_by_hand_is_survived)
{
	int nfd = fs->ops->notify_open(fs->ctx), again;

	make(ROOT "a");
	watch(nfd, ROOT "a/cgroup.freeze");
	CHECK_INT(close(nfd), 0);
	CHECK_INT(put(ROOT "a/cgroup.freeze", "1"), 0);
	nfd = fs->ops->notify_open(fs->ctx);
	watch(nfd, ROOT "a/cgroup.freeze");
	close(nfd);
	/* The same number, before anything was written. */
	again = fs->ops->notify_open(fs->ctx);
	CHECK_INT(watch(again, ROOT "a/cgroup.freeze"), 1);
	put(ROOT "a/cgroup.freeze", "0");
	CHECK_STR(events(again), "1:2 ");
	shut(again);
}

FAKE_TEST(a_full_queue_overflows_once)
{
	static struct inotify_event e[20000];
	int nfd = fs->ops->notify_open(fs->ctx);
	size_t n;

	make(ROOT "a");
	watch(nfd, ROOT "a/cgroup.freeze");
	watch(nfd, ROOT "a/cgroup.max.depth");
	for (int i = 0; i < 20000; i++) {
		CHECK_INT(put(ROOT "a/cgroup.freeze", "0"), 0);
		CHECK_INT(put(ROOT "a/cgroup.max.depth", "5"), 0);
	}
	n = (size_t)read(nfd, e, sizeof(e)) / sizeof(*e);
	CHECK(n >= 2 && n <= 16385);
	CHECK_INT(e[n - 1].mask, IN_Q_OVERFLOW);
	CHECK_INT(e[n - 1].wd, -1);
	CHECK_INT(e[n - 2].mask, IN_MODIFY);
	put(ROOT "a/cgroup.freeze", "0");
	CHECK_STR(events(nfd), "1:2 ");
	shut(nfd);
}

/* -- faults ----------------------------------------------------------------------------------- */

FAKE_TEST(faults_strike_once_at_their_turn)
{
	fake_fail(f, FAKE_MKDIR | FAKE_RMDIR, 2, -ENOSPC);
	CHECK_INT(put(ROOT "cgroup.max.depth", "9"), 0);
	CHECK_INT(make(ROOT "a"), 0);
	CHECK(!fake_struck(f));
	CHECK_INT(make(ROOT "b"), -ENOSPC);
	CHECK(fake_struck(f));
	CHECK_INT(make(ROOT "b"), 0);
	CHECK_INT(fake_calls(f), 3);
	fake_fail(f, 0, 0, 0);
	CHECK_INT(put(ROOT "a/cgroup.freeze", "1"), 0);
	CHECK_INT(fake_calls(f), 2);
	CHECK(!fake_struck(f));
}

FAKE_TEST(every_operation_can_fail)
{
	int dir = open_at(AT_FDCWD, ROOT, O_RDONLY | O_DIRECTORY);
	int fd = open_at(AT_FDCWD, ROOT "cgroup.max.depth", O_RDWR);
	int nfd = fs->ops->notify_open(fs->ctx);
	uint64_t id;
	char c;

#define FAILS(op, call)                                                                            \
	fake_fail(f, op, 1, -EIO);                                                                 \
	CHECK_INT(call, -EIO);                                                                     \
	CHECK(fake_struck(f))
	FAILS(FAKE_OPEN, open_at(dir, "cgroup.procs", O_RDONLY));
	FAILS(FAKE_PREAD, fs->ops->pread(fs->ctx, fd, &c, 1, 0));
	FAILS(FAKE_WRITE, fs->ops->write(fs->ctx, fd, "5", 1));
	FAILS(FAKE_MKDIR, make(ROOT "a"));
	FAILS(FAKE_RMDIR, unmake(ROOT "a"));
	FAILS(FAKE_LIST, fs->ops->list(fs->ctx, dir, note_name, NULL));
	FAILS(FAKE_INODE, fs->ops->inode(fs->ctx, dir, &id));
	FAILS(FAKE_NOTIFY, fs->ops->notify_open(fs->ctx));
	FAILS(FAKE_NOTIFY, watch(nfd, ROOT "cgroup.procs"));
	FAILS(FAKE_KILL, fs->ops->kill(fs->ctx, fake_spawn(f), SIGKILL));
	/* And leaves everything as it was. */
	CHECK_INT(fake_directories(f), 0);
	CHECK_STR(get(ROOT "cgroup.max.depth"), "max\n");
	shut(nfd);
	shut(fd);
	shut(dir);
}
