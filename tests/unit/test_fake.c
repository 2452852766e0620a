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

static void layouts_carry_their_controllers(void **state)
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

	(void)state;
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
			assert_true(fd >= 1 << 24);
			shut(fd);
		}
		assert_int_equal(version, cases[i].version);
	}
	instead(CGFS_LAYOUT_V1, FAKE_KERNEL_6_12);
	assert_null(fake_policy(f, true));
}

static void descriptors_are_checked(void **state)
{
	int dir = open_at(AT_FDCWD, ROOT, O_RDONLY | O_DIRECTORY), fd, again;
	uint64_t id, other;
	char c;

	(void)state;
	assert_int_equal(make(ROOT "a"), 0);
	fd = open_at(dir, "a/cgroup.freeze", O_RDONLY);
	assert_true(fd >= 1 << 24);
	assert_int_equal(fs->ops->write(fs->ctx, fd, "1", 1), -EBADF);
	assert_int_equal(fs->ops->pread(fs->ctx, dir, &c, 1, 0), -EISDIR);
	assert_int_equal(open_at(fd, "x", O_RDONLY), -ENOTDIR);
	assert_int_equal(fs->ops->inode(fs->ctx, dir, &id), 0);
	assert_int_equal(id, 1);
	assert_int_equal(fs->ops->inode(fs->ctx, fd, &other), 0);
	assert_true(other != id);
	shut(fd);
	/* Neither the old number nor a real one is anything here. */
	assert_int_equal(fs->ops->pread(fs->ctx, fd, &c, 1, 0), -EBADF);
	assert_int_equal(fs->ops->pread(fs->ctx, 0, &c, 1, 0), -EBADF);
	again = open_at(dir, "a/cgroup.freeze", O_RDONLY);
	assert_int_not_equal(again, fd);
	shut(again);
	assert_int_equal(open_at(fd, "cgroup.procs", O_RDONLY), -EBADF);
	assert_int_equal(open_at(dir, "a/cgroup.freeze", O_RDONLY | O_DIRECTORY), -ENOTDIR);
	assert_int_equal(open_at(dir, "a/../a/./cgroup.nothing", O_RDONLY), -ENOENT);
	assert_int_equal(open_at(dir, "", O_RDONLY), -ENOENT);
	assert_int_equal(open_at(AT_FDCWD, "/etc/passwd", O_RDONLY), -ENOENT);
	shut(dir);
	assert_int_equal(fake_bad_closes(f), 0);
}

static void a_second_close_is_counted(void **state)
{
	int fd = open_at(AT_FDCWD, ROOT, O_RDONLY);

	(void)state;
	shut(fd);
	shut(fd);
	assert_int_equal(fake_bad_closes(f), 1);
	instead(CGFS_LAYOUT_V2, FAKE_KERNEL_6_12);
}

static void reads_honour_offset_and_length(void **state)
{
	int fd = open_at(AT_FDCWD, ROOT "cgroup.controllers", O_RDONLY);
	char a[8], all[128];
	ssize_t n = fs->ops->pread(fs->ctx, fd, all, sizeof(all), 0);

	(void)state;
	assert_true(n > 8);
	assert_int_equal(fs->ops->pread(fs->ctx, fd, a, 8, 4), 8);
	assert_memory_equal(a, all + 4, 8);
	assert_int_equal(fs->ops->pread(fs->ctx, fd, a, 8, n - 3), 3);
	assert_int_equal(fs->ops->pread(fs->ctx, fd, a, 8, n), 0);
	assert_int_equal(fs->ops->pread(fs->ctx, fd, a, 8, n + 100), 0);
	shut(fd);
}

static void writes_over_a_page_are_refused(void **state)
{
	static char text[4097];
	int fd;

	(void)state;
	memset(text, ' ', sizeof(text));
	text[0] = '1';
	assert_int_equal(make(ROOT "a"), 0);
	fd = open_at(AT_FDCWD, ROOT "a/cgroup.max.depth", O_WRONLY);
	assert_int_equal(fs->ops->write(fs->ctx, fd, text, 4097), -E2BIG);
	assert_int_equal(fs->ops->write(fs->ctx, fd, text, 4096), 4096);
	assert_int_equal(fs->ops->write(fs->ctx, fd, "", 0), 0);
	shut(fd);
	assert_string_equal(get(ROOT "a/cgroup.max.depth"), "1\n");
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

static void lists_are_of_directories_and_stop(void **state)
{
	int dir = open_at(AT_FDCWD, ROOT, O_RDONLY | O_DIRECTORY);
	struct names n = { .stop_at = -1 };

	(void)state;
	make(ROOT "a");
	make(ROOT "b");
	make(ROOT "c");
	assert_int_equal(fs->ops->list(fs->ctx, dir, note_name, &n), 0);
	assert_string_equal(n.text, "a b c ");
	n = (struct names){ .stop_at = 2 };
	assert_int_equal(fs->ops->list(fs->ctx, dir, note_name, &n), 42);
	assert_string_equal(n.text, "a b ");
	assert_int_equal(fake_directories(f), 3);
	assert_int_equal(fs->ops->list(fs->ctx, dir, remove_name, &dir), 0);
	assert_int_equal(fake_directories(f), 0);
	shut(dir);
}

/* -- processes -------------------------------------------------------------------------------- */

static void processes_begin_in_the_roots_and_inherit(void **state)
{
	pid_t p, child;

	(void)state;
	instead(CGFS_LAYOUT_HYBRID, FAKE_KERNEL_6_12);
	p = fake_spawn(f);
	assert_string_equal(fake_cgroup_of(f, p, CGFS_PIDS), "/");
	make(ROOT "pids/a");
	make(ROOT "pids/a/b");
	assert_int_equal(put_pid(ROOT "pids/a/b/cgroup.procs", p), 0);
	child = fake_fork(f, p);
	assert_true(child > p);
	assert_string_equal(fake_cgroup_of(f, child, CGFS_PIDS), "/a/b");
	assert_string_equal(fake_cgroup_of(f, child, CGFS_CPU), "/");
	assert_string_equal(fake_cgroup_of(f, child, CGFS_CONTROLLER_COUNT), "/");
	assert_string_equal(get(ROOT "pids/a/pids.current"), "2\n");
	fake_exit(f, p);
	assert_false(fake_alive(f, p));
	assert_string_equal(get(ROOT "pids/a/pids.current"), "1\n");
	assert_string_equal(get(ROOT "pids/a/b/pids.peak"), "2\n");
	assert_int_equal(put_pid(ROOT "pids/a/cgroup.procs", p), -ESRCH);
	assert_int_equal(unmake(ROOT "pids/a/b"), -EBUSY);
	fake_exit(f, child);
	assert_int_equal(unmake(ROOT "pids/a/b"), 0);
	assert_int_equal(fake_fork(f, child), -ESRCH);
}

static void proc_tells_where_a_process_is(void **state)
{
	char path[64];
	pid_t p;
	int fd;

	(void)state;
	instead(CGFS_LAYOUT_MIXED, FAKE_KERNEL_6_12);
	p = fake_spawn(f);
	make(ROOT "cpu/x");
	make(ROOT "unified/y");
	assert_int_equal(put_pid(ROOT "cpu/x/cgroup.procs", p), 0);
	assert_int_equal(put_pid(ROOT "unified/y/cgroup.procs", p), 0);
	snprintf(path, sizeof(path), "/proc/%d/cgroup", p);
	assert_string_equal(get(path), "0::/y\n6:freezer:/\n5:devices:/\n4:blkio:/\n3:pids:/\n"
				       "2:cpuacct:/\n1:cpu:/x\n");
	fd = open_at(AT_FDCWD, path, O_RDONLY);
	fake_exit(f, p);
	assert_int_equal(fs->ops->pread(fs->ctx, fd, path, 1, 0), -ESRCH);
	shut(fd);
	assert_string_equal(get("/proc/10000077/cgroup"), "ENOENT");
	assert_string_equal(get("/proc/self/status"), "ENOENT");
	assert_non_null(strstr(get("/proc/self/cgroup"), "0::/\n"));
}

static void a_killed_process_takes_its_time(void **state)
{
	pid_t p = fake_spawn(f);

	(void)state;
	make(ROOT "a");
	put_pid(ROOT "a/cgroup.procs", p);
	fake_set_exit_delay(f, 2);
	assert_int_equal(put(ROOT "a/cgroup.kill", "1"), 0);
	assert_int_equal(fake_fork(f, p), -ESRCH);
	assert_int_equal(unmake(ROOT "a"), -EBUSY);
	fake_tick(f);
	assert_true(fake_alive(f, p));
	assert_string_equal(get(ROOT "a/cgroup.events"), "populated 1\nfrozen 0\n");
	fake_tick(f);
	assert_false(fake_alive(f, p));
	assert_string_equal(get(ROOT "a/cgroup.events"), "populated 0\nfrozen 0\n");
	assert_int_equal(unmake(ROOT "a"), 0);
}

static void freezing_takes_its_time(void **state)
{
	pid_t p = fake_spawn(f);

	(void)state;
	make(ROOT "a");
	put_pid(ROOT "a/cgroup.procs", p);
	fake_set_freeze_delay(f, 1);
	put(ROOT "a/cgroup.freeze", "1");
	assert_string_equal(get(ROOT "a/cgroup.events"), "populated 1\nfrozen 0\n");
	assert_false(fake_frozen(f, p));
	fake_tick(f);
	assert_string_equal(get(ROOT "a/cgroup.events"), "populated 1\nfrozen 1\n");
	assert_true(fake_frozen(f, p));
	assert_int_equal(fake_fork(f, p), -ESRCH);
	put(ROOT "a/cgroup.freeze", "0");
	assert_false(fake_frozen(f, p));

	instead(CGFS_LAYOUT_V1, FAKE_KERNEL_6_12);
	make(ROOT "freezer/a");
	fake_set_freeze_delay(f, 1);
	put(ROOT "freezer/a/freezer.state", "FROZEN");
	assert_string_equal(get(ROOT "freezer/a/freezer.state"), "FREEZING\n");
	fake_tick(f);
	assert_string_equal(get(ROOT "freezer/a/freezer.state"), "FROZEN\n");
}

/* v1's freezer holds what SIGKILL has hit until it thaws; cgroup2's does not. */
static void signals_reach_the_frozen_on_v2_only(void **state)
{
	pid_t p = fake_spawn(f);

	(void)state;
	make(ROOT "a");
	put_pid(ROOT "a/cgroup.procs", p);
	put(ROOT "a/cgroup.freeze", "1");
	assert_int_equal(fs->ops->kill(fs->ctx, p, 0), 0);
	assert_int_equal(fs->ops->kill(fs->ctx, p, SIGKILL), 0);
	assert_false(fake_alive(f, p));
	assert_int_equal(fs->ops->kill(fs->ctx, p, SIGKILL), -ESRCH);
	assert_int_equal(fs->ops->kill(fs->ctx, -1, SIGKILL), -ESRCH);
	assert_int_equal(fs->ops->kill(fs->ctx, 0, SIGKILL), -ESRCH);

	instead(CGFS_LAYOUT_V1, FAKE_KERNEL_6_12);
	p = fake_spawn(f);
	make(ROOT "freezer/a");
	put_pid(ROOT "freezer/a/cgroup.procs", p);
	put(ROOT "freezer/a/freezer.state", "FROZEN");
	assert_int_equal(fs->ops->kill(fs->ctx, p, SIGKILL), 0);
	assert_true(fake_alive(f, p));
	put(ROOT "freezer/a/freezer.state", "THAWED");
	assert_false(fake_alive(f, p));
}

static void real_processes_join_and_die(void **state)
{
	pid_t child = fork();
	int status;

	(void)state;
	if (child == 0) {
		for (;;)
			pause();
	}
	assert_true(child > 0);
	make(ROOT "a");
	assert_int_equal(put_pid(ROOT "a/cgroup.procs", child), 0);
	assert_string_equal(fake_cgroup_of(f, child, CGFS_MEMORY), "/a");
	assert_int_equal(put(ROOT "a/cgroup.procs", "0"), 0);
	assert_string_equal(fake_cgroup_of(f, getpid(), CGFS_MEMORY), "/a");
	/* The child gets a real SIGKILL.  We leave, but are spared. */
	assert_int_equal(put(ROOT "a/cgroup.kill", "1"), 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	assert_string_equal(get(ROOT "a/cgroup.procs"), "");
	assert_int_equal(put_pid(ROOT "a/cgroup.procs", child), -ESRCH);
}

static void a_real_zombie_is_no_member(void **state)
{
	pid_t child = fork();
	siginfo_t info;

	(void)state;
	if (child == 0) {
		for (;;)
			pause();
	}
	make(ROOT "a");
	assert_int_equal(put_pid(ROOT "a/cgroup.procs", child), 0);
	assert_int_equal(unmake(ROOT "a"), -EBUSY);
	kill(child, SIGKILL);
	assert_int_equal(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT), 0);
	assert_int_equal(unmake(ROOT "a"), 0);
	assert_false(fake_alive(f, child));
	assert_int_equal(waitpid(child, NULL, 0), child);
}

static void strangers_are_never_signalled(void **state)
{
	(void)state;
	assert_int_equal(fs->ops->kill(fs->ctx, getppid(), SIGCONT), -EPERM);
	make(ROOT "a");
	assert_int_equal(put_pid(ROOT "a/cgroup.procs", getppid()), 0);
	assert_int_equal(put(ROOT "a/cgroup.kill", "1"), 0);
	assert_string_equal(get(ROOT "a/cgroup.procs"), "");
	assert_int_equal(kill(getppid(), 0), 0);
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

static void events_are_merged_only_with_the_last(void **state)
{
	int nfd = fs->ops->notify_open(fs->ctx);
	pid_t p = fake_spawn(f);

	(void)state;
	assert_true(nfd >= 0 && nfd < 1 << 24);
	assert_true(fcntl(nfd, F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(nfd, F_GETFD) & FD_CLOEXEC);
	make(ROOT "a");
	assert_int_equal(watch(nfd, ROOT "a/cgroup.events"), 1);
	assert_int_equal(watch(nfd, ROOT "a/cgroup.freeze"), 2);
	assert_int_equal(watch(nfd, ROOT "a/nothing"), -ENOENT);
	assert_int_equal(fs->ops->notify_add(fs->ctx, 0, AT_FDCWD, ROOT "a/cgroup.procs"), -EINVAL);
	assert_string_equal(events(nfd), "EAGAIN");
	put_pid(ROOT "a/cgroup.procs", p);
	fake_exit(f, p);
	assert_string_equal(events(nfd), "1:2 ");
	put(ROOT "a/cgroup.freeze", "1");
	put(ROOT "a/cgroup.freeze", "1");
	put(ROOT "a/cgroup.freeze", "0");
	/* The file that was written is announced after what came of it. */
	assert_string_equal(events(nfd), "1:2 2:2 1:2 2:2 ");
	assert_int_equal(fs->ops->notify_remove(fs->ctx, nfd, 2), 0);
	assert_string_equal(events(nfd), "2:8000 ");
	assert_int_equal(fs->ops->notify_remove(fs->ctx, nfd, 2), -EINVAL);
	put(ROOT "a/cgroup.freeze", "0");
	assert_string_equal(events(nfd), "EAGAIN");
	shut(nfd);
	assert_int_equal(fcntl(nfd, F_GETFD), -1);
}

static void closing_by_hand_is_survived(void **state)
{
	int nfd = fs->ops->notify_open(fs->ctx), again;

	(void)state;
	make(ROOT "a");
	watch(nfd, ROOT "a/cgroup.freeze");
	assert_int_equal(close(nfd), 0);
	assert_int_equal(put(ROOT "a/cgroup.freeze", "1"), 0);
	nfd = fs->ops->notify_open(fs->ctx);
	watch(nfd, ROOT "a/cgroup.freeze");
	close(nfd);
	/* The same number, before anything was written. */
	again = fs->ops->notify_open(fs->ctx);
	assert_int_equal(watch(again, ROOT "a/cgroup.freeze"), 1);
	put(ROOT "a/cgroup.freeze", "0");
	assert_string_equal(events(again), "1:2 ");
	shut(again);
}

static void a_full_queue_overflows_once(void **state)
{
	static struct inotify_event e[20000];
	int nfd = fs->ops->notify_open(fs->ctx);
	size_t n;

	(void)state;
	make(ROOT "a");
	watch(nfd, ROOT "a/cgroup.freeze");
	watch(nfd, ROOT "a/cgroup.max.depth");
	for (int i = 0; i < 20000; i++) {
		assert_int_equal(put(ROOT "a/cgroup.freeze", "0"), 0);
		assert_int_equal(put(ROOT "a/cgroup.max.depth", "5"), 0);
	}
	n = (size_t)read(nfd, e, sizeof(e)) / sizeof(*e);
	assert_in_range(n, 2, 16385);
	assert_int_equal(e[n - 1].mask, IN_Q_OVERFLOW);
	assert_int_equal(e[n - 1].wd, -1);
	assert_int_equal(e[n - 2].mask, IN_MODIFY);
	put(ROOT "a/cgroup.freeze", "0");
	assert_string_equal(events(nfd), "1:2 ");
	shut(nfd);
}

/* -- faults ----------------------------------------------------------------------------------- */

static void faults_strike_once_at_their_turn(void **state)
{
	(void)state;
	fake_fail(f, FAKE_MKDIR | FAKE_RMDIR, 2, -ENOSPC);
	assert_int_equal(put(ROOT "cgroup.max.depth", "9"), 0);
	assert_int_equal(make(ROOT "a"), 0);
	assert_false(fake_struck(f));
	assert_int_equal(make(ROOT "b"), -ENOSPC);
	assert_true(fake_struck(f));
	assert_int_equal(make(ROOT "b"), 0);
	assert_int_equal(fake_calls(f), 3);
	fake_fail(f, 0, 0, 0);
	assert_int_equal(put(ROOT "a/cgroup.freeze", "1"), 0);
	assert_int_equal(fake_calls(f), 2);
	assert_false(fake_struck(f));
}

static void every_operation_can_fail(void **state)
{
	int dir = open_at(AT_FDCWD, ROOT, O_RDONLY | O_DIRECTORY);
	int fd = open_at(AT_FDCWD, ROOT "cgroup.max.depth", O_RDWR);
	int nfd = fs->ops->notify_open(fs->ctx);
	uint64_t id;
	char c;

	(void)state;
#define FAILS(op, call)                                                                            \
	fake_fail(f, op, 1, -EIO);                                                                 \
	assert_int_equal(call, -EIO);                                                              \
	assert_true(fake_struck(f))
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
	assert_int_equal(fake_directories(f), 0);
	assert_string_equal(get(ROOT "cgroup.max.depth"), "max\n");
	shut(nfd);
	shut(fd);
	shut(dir);
}

static const struct tap_test tests[] = {
	FAKE_TEST(layouts_carry_their_controllers),
	FAKE_TEST(descriptors_are_checked),
	FAKE_TEST(a_second_close_is_counted),
	FAKE_TEST(reads_honour_offset_and_length),
	FAKE_TEST(writes_over_a_page_are_refused),
	FAKE_TEST(lists_are_of_directories_and_stop),
	FAKE_TEST(processes_begin_in_the_roots_and_inherit),
	FAKE_TEST(proc_tells_where_a_process_is),
	FAKE_TEST(a_killed_process_takes_its_time),
	FAKE_TEST(freezing_takes_its_time),
	FAKE_TEST(signals_reach_the_frozen_on_v2_only),
	FAKE_TEST(real_processes_join_and_die),
	FAKE_TEST(a_real_zombie_is_no_member),
	FAKE_TEST(strangers_are_never_signalled),
	FAKE_TEST(events_are_merged_only_with_the_last),
	FAKE_TEST(closing_by_hand_is_survived),
	FAKE_TEST(a_full_queue_overflows_once),
	FAKE_TEST(faults_strike_once_at_their_turn),
	FAKE_TEST(every_operation_can_fail),
};

TAP_MAIN(tests)
