/* SPDX-License-Identifier: MIT */
/*
 * test_machine.c - what the agent does for the machine beside its pods: messages of the kernel in
 * its log, a watch on its own memory, the clock, the power-off.
 */
#include <cgfs/cgfs.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "agent/base/log.h"
#include "agent/base/loop.h"
#include "agent/daemon/kmsg.h"
#include "agent/daemon/options.h"
#include "cgfs/base/util.h"
#include "world.h"

/* --- messages of the kernel, from a socket that gives one record at a time ------------------- */

struct ends {
	struct loop *l;
	struct log log;
	struct kmsg k;
	int kernel; /* what the kernel would write to */
	int out;    /* the log's reader */
};

static void stop(void *ctx)
{
	loop_stop(ctx);
}

/* Lets the agent's side do what is due by now. */
static void turn(struct ends *e, uint64_t ms)
{
	struct loop_timer end = { .fn = stop, .ctx = e->l };

	CHECK_INT(loop_timer_set(e->l, &end, ms), 0);
	CHECK_INT(loop_run(e->l), 0);
}

static void begin(struct ends *e, uint64_t level)
{
	int pair[2], out[2];

	*e = (struct ends){ .log = { .level = LOG_DEBUG } };
	CHECK_INT(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
	CHECK_INT(pipe2(out, O_NONBLOCK | O_CLOEXEC), 0);
	CHECK_INT(loop_new(&e->l), 0);
	e->kernel = pair[1];
	e->log.fd = out[1];
	e->out = out[0];
	kmsg_follow(&e->k, e->l, &e->log, level, pair[0]);
}

static void end(struct ends *e)
{
	kmsg_end(&e->k);
	loop_free(e->l);
	close(e->kernel);
	close(e->out);
	close(e->log.fd);
}

static void record(struct ends *e, const char *text)
{
	CHECK_INT(write(e->kernel, text, strlen(text)), (ssize_t)strlen(text));
}

static size_t logged(struct ends *e, char *text, size_t len)
{
	ssize_t n = read(e->out, text, len - 1);

	n = n < 0 ? 0 : n;
	text[n] = '\0';
	return (size_t)n;
}

TAP_TEST(kernel_messages_have_the_fields_that_the_host_expects)
{
	char text[4096];
	struct ends e;

	begin(&e, 6);
	record(&e, "12,339,5140900,-,caller=T1;a \"word\"\n SUBSYSTEM=pci\n");
	record(&e, "7,340,5140901,-;of no interest\n");
	record(&e, "2,342,5140902,c;critical\n");
	record(&e, "no record");
	turn(&e, 1);
	CHECK(logged(&e, text, sizeof(text)) > 0);
	CHECK_MSG(strstr(text,
			 "level=warning msg=\"kmsg read\" priority=Warning facility=1 seq=339 "
			 "timesincebootmicro=5140900 flags=- message=\"a \\\"word\\\"\"\n"),
		  "%s", text);
	CHECK(!strstr(text, "interest"));
	CHECK_MSG(strstr(text, "msg=\"kmsg entry overwritten; skipping entry\" count=1\n"), "%s",
		  text);
	CHECK_MSG(strstr(text, "level=error msg=\"kmsg read\" priority=Crit facility=0 seq=342 "),
		  "%s", text);
	CHECK_MSG(strstr(text, "msg=\"failed to parse kmsg entry\" line=\"no record\"\n"), "%s",
		  text);
	end(&e);
}

TAP_TEST(kernel_messages_of_a_flood_wait_their_turn)
{
	char text[65536];
	size_t lines = 0;
	struct ends e;

	begin(&e, 7);
	for (int i = 0; i < 100; i++) {
		char one[64];

		snprintf(one, sizeof(one), "4,%d,1,-;one of many\n", i);
		record(&e, one);
	}
	/* The time for one round; a second begins later. */
	turn(&e, 1);
	logged(&e, text, sizeof(text));
	for (const char *p = text; (p = strchr(p, '\n')); p++)
		lines++;
	CHECK_MSG(lines > 0 && lines < 100, "%zu", lines);
	while (!strstr(text, "seq=99 ")) {
		turn(&e, 5);
		logged(&e, text, sizeof(text));
	}
	end(&e);
}

TAP_TEST(kernel_messages_wait_for_the_reader_of_the_log)
{
	static char zeros[65536], text[131072];
	struct ends e;

	begin(&e, 7);
	while (write(e.log.fd, zeros, sizeof(zeros)) > 0)
		;
	record(&e, "4,1,1,-;not to be lost\n");
	turn(&e, 1);
	CHECK_INT(e.log.dropped, 0);
	do {
		logged(&e, text, sizeof(text));
		turn(&e, 5);
	} while (!strstr(text, "not to be lost"));
	CHECK_INT(e.log.dropped, 0);
	end(&e);
}

/* The options of -v4 and these. */
static struct options parsed(const char *last, const char *value)
{
	const char *argv[] = { "cgfs-agent", "-v4", last, value, NULL };
	char why[OPTIONS_WHY_MAX];
	struct options o;

	CHECK_INT(options_parse(&o, value ? 4 : 3, (char **)argv, why), 0);
	return o;
}

TAP_TEST(kernel_messages_are_for_a_host_that_is_called)
{
	CHECK_INT(parsed("-log-format=json", NULL).kmsg_log_level, 4);
	CHECK_INT(parsed("-kmsgLogLevel", "7").kmsg_log_level, 7);
	CHECK(parsed("-use-inouterr", NULL).kmsg_log_level == OPTIONS_UNSAID);
	CHECK_INT(parsed("-use-inouterr", "-kmsgLogLevel=0").kmsg_log_level, 0);
}

/* --- the whole agent ------------------------------------------------------------------------ */

static void stop_agent(struct world *w)
{
	int status;

	client_close(w->c);
	w->c = NULL;
	kill(w->agent, SIGTERM);
	CHECK_INT(waitpid(w->agent, &status, 0), w->agent);
	w->agent = -1;
	w->alone = true;
}

/* The next agent, with @args and its log in a file. */
static void start_again(struct world *w, const char *const *args, char log[128])
{
	const char *all[16] = { "-logfile", log };
	size_t n = 2;

	snprintf(log, 128, "%s/log", w->dir);
	for (; *args; args++)
		all[n++] = *args;
	stop_agent(w);
	w->alone = false;
	world_start_agent(w, all);
	w->c = world_connect(w, true);
	/* It answers when it has done all of its start. */
	json_decref(world_call(w, MSG_EXT_LIST_PODS, NULL));
}

/* Until the log says so; where. */
static const char *await(const char *log, const char *says)
{
	static char text[8 << 20];

	for (int i = 0; i < WORLD_MS / 50; i++) {
		int fd = open(log, O_RDONLY | O_CLOEXEC);
		ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
		const char *at;

		close(fd);
		text[n < 0 ? 0 : n] = '\0';
		at = strstr(text, says);
		if (at && strchr(at, '\n'))
			return at;
		usleep(5000);
	}
	FAIL("\"%s\" is not in the log: %.3000s", says, text);
}

/* --- the agent's own cgroup ------------------------------------------------------------------ */

/* Until it is killed: where control files report the crossing, what is gone by then is none. */
static int use_memory(void *arg)
{
	size_t len = 16 << 20;
	volatile char *p = malloc(len);

	for (size_t i = 0; p && i < len; i += 4096)
		p[i] = 1;
	pause();
	return 0;
}

static void remove_own(const struct world *w)
{
	struct cgfs_open_opts opts = CGFS_OPEN_OPTS_INIT;
	struct cgfs_group *g = NULL;
	struct cgfs *c = NULL;

	opts.root = w->root;
	opts.controllers = 1u << CGFS_MEMORY;
	CHECK_INT(cgfs_open(&opts, &c, NULL), 0);
	CHECK_INT(cgfs_container_open(c, NULL, "gcs", &g, NULL), 0);
	CHECK_INT(cgfs_group_clear(g, NULL), 0);
	cgfs_group_close(g);
	CHECK_INT(cgfs_root_remove(c, NULL), 0);
	cgfs_close(c);
}

PLAIN_TEST(agent_has_a_cgroup_whose_memory_is_watched)
{
	char log[128], root[80], dir[256], line[2048], want[128];
	const char *args[] = { "-root", root, "-gcs-mem-limit-bytes", "4194304", "-log-format=json",
			       NULL };
	static const char *const fields[] = {
		"gcsStartTime",	  "fields.time",    "cgroup",
		"thresholdBytes", "count",	    "cgroup_version",
		"memoryUsage",	  "memoryUsageMax", "memoryUsageLimit",
		"swapUsage",	  "swapUsageMax",   "swapUsageLimit",
		"kernelUsage",	  "kernelUsageMax", "kernelUsageLimit"
	};
	const char *own;
	json_t *j;
	pid_t user;

	world_need_memory(w);
	snprintf(root, sizeof(root), "%s/pods", w->root);
	start_again(w, args, log);
	snprintf(want, sizeof(want), "%s/gcs", w->root);
	CHECK_STR(kit_cgroup_of(w->agent, CGFS_MEMORY), want);
	/* Where memory is: cgroup2's tree has the cgroup, too. */
	CHECK(kit_find(&w->kit, "gcs", "memory.limit_in_bytes", dir, sizeof(dir)) ||
	      kit_find(&w->kit, "gcs", "memory.max", dir, sizeof(dir)));
	*strrchr(dir, '/') = '\0';
	user = kit_spawn(dir, use_memory, NULL);
	own = await(log, "memory usage for cgroup exceeded threshold");
	kill(user, SIGKILL);
	CHECK_INT(waitpid(user, NULL, 0), user);
	while (own[-1] != '\n')
		own--;
	snprintf(line, sizeof(line), "%.*s", (int)strcspn(own, "\n"), own);
	j = json_loads(line, 0, NULL);
	CHECK_MSG(j, "%s", line);
	CHECK_STR(json_string_value(json_object_get(j, "level")), "warning");
	CHECK_STR(json_string_value(json_object_get(j, "cgroup")), want);
	CHECK_STR(json_string_value(json_object_get(j, "thresholdBytes")), "4194304");
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		CHECK_MSG(json_object_get(j, fields[i]), "%s: %s", fields[i], line);
	json_decref(j);
	/* The next one takes it over. */
	start_again(w, args, log);
	CHECK_STR(kit_cgroup_of(w->agent, CGFS_MEMORY), want);
	stop_agent(w);
	remove_own(w);
}

TAP_TEST(own_cgroup_is_for_a_host_that_is_called)
{
	CHECK_INT(parsed("-log-format=json", NULL).gcs_mem_limit_bytes, 50 << 20);
	CHECK_INT(parsed("-gcs-mem-limit-bytes", "0").gcs_mem_limit_bytes, 0);
	CHECK_INT(parsed("-use-inouterr", NULL).gcs_mem_limit_bytes, 0);
	CHECK_INT(parsed("-use-inouterr", "-gcs-mem-limit-bytes=7").gcs_mem_limit_bytes, 7);
}

/* --- the clock ------------------------------------------------------------------------------- */

static const struct world *clock_world;

static void make_file(const char *path, const char *text, mode_t mode)
{
	auto_fd int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

	CHECK_MSG(fd >= 0, "%s: %m", path);
	CHECK_INT(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

/* The agent's own /sys/class has two clocks, and its path a program that ends at once, twice. */
static void have_clocks(void)
{
	char path[4096];

	CHECK_INT(unshare(CLONE_NEWNS), 0);
	CHECK_INT(mount("", "/", "", MS_PRIVATE | MS_REC, NULL), 0);
	CHECK_INT(mount("none", "/sys/class", "tmpfs", 0, NULL), 0);
	CHECK_INT(mkdir("/sys/class/ptp", 0755) | mkdir("/sys/class/ptp/ptp0", 0755) |
			  mkdir("/sys/class/ptp/ptp1", 0755),
		  0);
	make_file("/sys/class/ptp/ptp0/clock_name", "KVM virtual PTP\n", 0444);
	make_file("/sys/class/ptp/ptp1/clock_name", "hyperv\n", 0444);
	snprintf(path, sizeof(path), "%s/bin:%s", clock_world->dir, getenv("PATH"));
	CHECK_INT(setenv("PATH", path, 1), 0);
}

static void make_chronyd(const struct world *w)
{
	char path[160], text[600];

	snprintf(path, sizeof(path), "%s/bin", w->dir);
	CHECK(mkdir(path, 0755) == 0 || errno == EEXIST);
	snprintf(path, sizeof(path), "%s/bin/chronyd", w->dir);
	snprintf(text, sizeof(text),
		 "#!/bin/sh\n"
		 "echo \"run $1 $2\" >> %s/runs\n"
		 "[ $(grep -c run %s/runs) -ge 3 ] || exit 3\n"
		 "cat \"$3\" >> %s/runs\n"
		 "echo \"last $$\" >> %s/runs\n"
		 "exec sleep 1000\n",
		 w->dir, w->dir, w->dir, w->dir);
	make_file(path, text, 0755);
}

PLAIN_TEST(time_follows_the_hypervisors_clock)
{
	char log[128], runs[128], dial[160], text[1024], want[1024];
	const char *args[] = { "-dial", dial, NULL, NULL };
	pid_t pid;

	if (geteuid() != 0)
		tap_skip("a mount needs root");
	clock_world = w;
	snprintf(dial, sizeof(dial), "unix:%s/nobody", w->dir);
	snprintf(runs, sizeof(runs), "%s/runs", w->dir);
	make_chronyd(w);
	world_child_hook = have_clocks;
	start_again(w, args, log);
	await(runs, "last ");
	CHECK(kit_read(runs, text, sizeof(text)) > 0);
	pid = atoi(strstr(text, "last ") + 5);
	snprintf(want, sizeof(want),
		 "run -n -f\nrun -n -f\nrun -n -f\n"
		 "refclock PHC /dev/ptp1 poll 3 dpoll -2 offset 0 stratum 2\nmakestep 0.1 -1\n"
		 "last %d\n",
		 (int)pid);
	CHECK_STR(text, want);
	await(log, "msg=\"restart monitor: run command returns error\" error=\"exit status 3\"");
	/* It ends with the agent. */
	CHECK_INT(kill(pid, 0), 0);
	CHECK_INT(unlink(runs), 0);
	args[2] = "-disable-time-sync";
	start_again(w, args, log);
	world_child_hook = NULL;
	while (kill(pid, 0) == 0)
		usleep(5000);
	CHECK_INT(access(runs, F_OK), -1);
}

static void have_no_clock(void)
{
	CHECK_INT(unshare(CLONE_NEWNS), 0);
	CHECK_INT(mount("", "/", "", MS_PRIVATE | MS_REC, NULL), 0);
	CHECK_INT(mount("none", "/sys/class", "tmpfs", 0, NULL), 0);
}

PLAIN_TEST(time_without_a_clock_is_left_alone)
{
	char log[128], dial[160];
	const char *args[] = { "-dial", dial, NULL };

	if (geteuid() != 0)
		tap_skip("a mount needs root");
	snprintf(dial, sizeof(dial), "unix:%s/nobody", w->dir);
	world_child_hook = have_no_clock;
	start_again(w, args, log);
	world_child_hook = NULL;
	await(log, "msg=\"time is not synchronized\" why=\"no clock in /sys/class/ptp");
}

/* --- the end of a machine: of a pid namespace, whose process 1 is killed ---------------------- */

static void status_of(pid_t pid)
{
	int status;

	while (waitpid(-1, &status, 0) != pid)
		;
	_exit(WIFSIGNALED(status) ? WTERMSIG(status) : 100 + WEXITSTATUS(status));
}

static char farewell[128];

/* With @term, which is SIGTERM, blocked.  It needs a while for its end. */
static void serve(const sigset_t *term)
{
	int sig;

	if (sigwait(term, &sig) == 0 && usleep(200000) == 0)
		close(open(farewell, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	_exit(0);
}

/* Returns in a process of a namespace that is not its first; beside it is a service, which is no
 * child of it. */
static void become_second(void)
{
	sigset_t term, was;
	pid_t pid;

	CHECK_INT(unshare(CLONE_NEWPID | CLONE_NEWNS), 0);
	pid = fork();
	CHECK(pid >= 0);
	if (pid > 0)
		status_of(pid);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	CHECK_INT(mount("", "/", "", MS_PRIVATE | MS_REC, NULL), 0);
	CHECK_INT(mount("proc", "/proc", "proc", 0, NULL), 0);
	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigprocmask(SIG_BLOCK, &term, &was);
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0)
		serve(&term);
	sigprocmask(SIG_SETMASK, &was, NULL);
	pid = fork();
	CHECK(pid >= 0);
	if (pid > 0)
		status_of(pid);
}

PLAIN_TEST(machine_is_powered_off_when_the_agent_was_told_so)
{
	static const uint32_t how[] = { MSG_SHUTDOWN_GRACEFUL, MSG_SHUTDOWN_FORCED };
	const char *args[] = { "-power-off", NULL };
	char log[128];
	int status;

	if (geteuid() != 0)
		tap_skip("a namespace needs root");
	for (size_t i = 0; i < ARRAY_SIZE(how); i++) {
		snprintf(farewell, sizeof(farewell), "%s/farewell", w->dir);
		world_child_hook = become_second;
		start_again(w, args, log);
		world_child_hook = NULL;
		world_do(w, how[i], json_pack("{s:s}", "ContainerId", PROTOCOL_UVM_ID));
		CHECK_INT(waitpid(w->agent, &status, 0), w->agent);
		CHECK(WIFEXITED(status));
		CHECK_INT(WEXITSTATUS(status), SIGINT);
		/* SIGKILL comes when it has had its time, or at once. */
		CHECK_INT(unlink(farewell), how[i] == MSG_SHUTDOWN_GRACEFUL ? 0 : -1);
		/* For the next one, and for the last look at what is left. */
		world_start_agent(w, NULL);
		client_close(w->c);
		w->c = world_connect(w, true);
	}
}

/* --- messages of the running kernel ----------------------------------------------------------- */

static void need_guest(void)
{
	if (!getenv("CGFS_TEST_LAYOUT"))
		tap_skip("that is the whole machine's, which is a guest alone");
}

PLAIN_TEST(messages_of_the_running_kernel_are_forwarded)
{
	static const char *const args[] = { "-kmsgLogLevel", "4", "-log-format=json", NULL };
	char log[128], line[500] = "<15>";
	int fd, cut = 0;

	need_guest();
	/* All that a process writes, and not some of it. */
	CHECK_INT(kit_write("/proc/sys/kernel/printk_devkmsg", "on\n"), 0);
	start_again(w, args, log);
	fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
	CHECK(fd >= 0);
	/* Without the end of a line it would wait for more of the line. */
	CHECK(write(fd, "<12>first of the test\n", 22) == 22);
	await(log, "\"message\":\"first of the test\"}");
	/* More than the kernel's buffer holds, while the agent does not read. */
	kill(w->agent, SIGSTOP);
	memset(line + 4, 'x', sizeof(line) - 4);
	line[sizeof(line) - 1] = '\n';
	for (int i = 0; i < 20000; i++)
		cut += write(fd, line, sizeof(line)) != sizeof(line);
	kill(w->agent, SIGCONT);
	CHECK_INT(cut, 0);
	json_decref(world_call(w, MSG_EXT_LIST_PODS, NULL));
	CHECK(write(fd, "<12>last of the test\n", 21) == 21);
	await(log, "kmsg entry overwritten");
	await(log, "\"message\":\"last of the test\"}");
	close(fd);
	CHECK_INT(kit_write("/proc/sys/kernel/printk_devkmsg", "ratelimit\n"), 0);
}
