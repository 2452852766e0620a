/* SPDX-License-Identifier: MIT */
/*
 * test_runs.c - runs of the runtime: beside each other, with a program that waits in its place; and
 * how many there are in a container's life.
 */
#include "world.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>

#include "agent/runtime/runtime.h"
#include "cgfs/base/util.h"

#define MORE  8 /* of the first pod */
#define SHARE 6

struct runs {
	struct loop *loop;
	struct log log;
	struct cgfs *cgfs;
	struct runtime *rt;
	struct loop_fd begun; /* each run writes a byte when it has begun */
	int gate, wait_fd, begun_fd;
	size_t expect, n_begun, first_ended, n_ended, n;
};

/* All that may run do, and none has ended: now they may. */
static void on_begun(void *ctx, uint32_t events)
{
	struct runs *s = ctx;
	char buf[256];
	ssize_t n = read(s->begun.fd, buf, sizeof(buf));

	s->n_begun += n > 0 ? (size_t)n : 0;
	if (s->n_begun >= s->expect && s->gate >= 0)
		close(take_fd(&s->gate));
}

static void on_done(void *ctx, int code, const char *why)
{
	struct runs *s = ctx;

	CHECK_INT(code, 0);
	if (s->n_ended++ == 0)
		s->first_ended = s->n_begun;
	if (s->n_ended == s->n)
		loop_stop(s->loop);
}

static void write_script(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);

	CHECK(dprintf(fd, "%s", text) > 0);
	close(fd);
}

static void begin(struct world *w, struct runs *s)
{
	struct cgfs_open_opts opts = CGFS_OPEN_OPTS_INIT;
	struct cgfs_err err = { 0 };
	char path[128];
	int gate[2], begun[2];

	/* runc's name: crun would get a mount namespace. */
	snprintf(path, sizeof(path), "%s/runc-waits", w->dir);
	write_script(path, "#!/bin/sh\nprintf x\nread x\nexit 0\n");
	CHECK_INT(pipe2(gate, O_CLOEXEC), 0);
	CHECK_INT(pipe2(begun, O_CLOEXEC), 0);
	s->log = (struct log){ .fd = STDERR_FILENO, .level = LOG_ERROR };
	s->wait_fd = gate[0];
	s->gate = gate[1];
	s->begun_fd = begun[1];
	opts.root = w->root;
	CHECK_INT(loop_new(&s->loop), 0);
	CHECK_INT(cgfs_open(&opts, &s->cgfs, &err), 0);
	CHECK_INT(runtime_new(s->loop, &s->log, s->cgfs, path, w->dir, "0", &s->rt, &err), 0);
	s->begun = (struct loop_fd){ .fn = on_begun, .ctx = s, .fd = begun[0] };
	CHECK_INT(loop_set(s->loop, &s->begun, EPOLLIN), 0);
}

static void add(struct world *w, struct runs *s, const char *pod)
{
	char id[32], log[128];
	struct runtime_job job = { .verb = RUNTIME_EXEC,
				   .id = id,
				   .pod = pod,
				   .log = log,
				   .fds = { fcntl(s->wait_fd, F_DUPFD_CLOEXEC, 3),
					    fcntl(s->begun_fd, F_DUPFD_CLOEXEC, 3), -EBADF },
				   .done = on_done,
				   .ctx = s };

	snprintf(id, sizeof(id), "c%zu", s->n++);
	snprintf(log, sizeof(log), "%s/%s.log", w->dir, id);
	CHECK_INT(runtime_run(s->rt, &job), 0);
}

static void end(struct runs *s)
{
	char buf[64];
	ssize_t n;

	CHECK_INT(loop_run(s->loop), 0);
	CHECK_INT(s->first_ended, s->expect);
	loop_set(s->loop, &s->begun, 0);
	close(s->begun_fd);
	while (s->n_begun < s->n && (n = read(s->begun.fd, buf, sizeof(buf))) > 0)
		s->n_begun += (size_t)n;
	CHECK_INT(s->n_begun, s->n);
	close(s->begun.fd);
	close(s->wait_fd);
	runtime_free(s->rt);
	cgfs_close(s->cgfs);
	loop_free(s->loop);
}

/* An emulated processor takes its time, and each run has a limit of that. */
ALONE_TEST(first_runs_of_all_pods_do_not_wait_for_each_other)
{
	struct runs s = { .expect = getenv("CGFS_TEST_GUEST") ? 40 : 64 };
	char pod[24];

	begin(w, &s);
	for (size_t i = 0; i < s.expect; i++) {
		snprintf(pod, sizeof(pod), "p%zu", i);
		add(w, &s, pod);
	}
	end(&s);
}

/* What begins begins in one go, so that no other run of the pod comes before the first has ended.
 */
ALONE_TEST(one_pod_gets_its_share_and_no_more)
{
	struct runs s = { .expect = SHARE + 1 };

	begin(w, &s);
	for (int i = 0; i < MORE; i++)
		add(w, &s, "p");
	add(w, &s, "q");
	end(&s);
}

/* --- how many --------------------------------------------------------------------------------- */

static void copy(const char *from, const char *to)
{
	int in = open(from, O_RDONLY | O_CLOEXEC), out = creat(to, 0755);
	char buf[65536];
	ssize_t n;

	CHECK(in >= 0 && out >= 0);
	while ((n = read(in, buf, sizeof(buf))) > 0)
		CHECK_INT(write(out, buf, (size_t)n), n);
	CHECK_INT(n, 0);
	close(in);
	close(out);
}

/* How many descriptors of the process lead to a file of this name. */
static int holds(pid_t pid, const char *name)
{
	char path[64], target[256];
	struct dirent *e;
	ssize_t len;
	int n = 0;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	d = opendir(path);
	CHECK(d);
	while ((e = readdir(d))) {
		len = readlinkat(dirfd(d), e->d_name, target, sizeof(target) - 1);
		target[len > 0 ? len : 0] = '\0';
		n += strstr(target, name) != NULL;
	}
	closedir(d);
	return n;
}

static void live(struct world *w, json_t *hooks)
{
	json_t *spec = world_spec(w, "c", NULL, NULL, NULL);
	json_t *process = json_pack("{s:{s:[s, s], s:s, s:[s]}}", "OciProcess", "args",
				    "/bin/busybox", "true", "cwd", "/", "env", "PATH=/bin");
	auto_free char *text = json_dumps(process, 0);
	pid_t pid;

	json_decref(process);
	if (hooks)
		json_object_set_new(spec, "hooks", hooks);
	world_do(w, MSG_CREATE, world_create_body(w, "c", spec));
	pid = world_start(w, "c");
	world_wait(w, "c", world_execute(w, "c", text));
	world_do(w, MSG_SIGNAL_PROCESS,
		 json_pack("{s:s, s:i, s:{s:i}}", "ContainerId", "c", "ProcessId", (int)pid,
			   "Options", "Signal", SIGKILL));
	world_wait(w, "c", pid);
	world_delete(w, "c");
}

static void check_log(const char *path, const char *expect)
{
	char text[256];

	CHECK(kit_read(path, text, sizeof(text)) >= 0);
	CHECK_STR(text, expect);
	CHECK_INT(unlink(path), 0);
}

/* The program that is there at first is one in memory; the one in its place later is seen. */
WORLD_TEST(one_run_for_each_step_and_none_for_a_plain_end, world_files_kernel)
{
	static const char real[] = "/usr/bin/crun";
	char path[128], next[128], log[128], option[160], script[512];
	const char *args[] = { option, NULL };

	if (access(real, X_OK) < 0)
		tap_skip("there is no crun");
	snprintf(path, sizeof(path), "%s/crun", w->dir);
	snprintf(next, sizeof(next), "%s/next", w->dir);
	snprintf(log, sizeof(log), "%s/calls", w->dir);
	snprintf(option, sizeof(option), "--runtime=%s", path);
	copy(real, path);
	world_start_agent(w, args);
	w->c = world_connect(w, true);
	/* By the name of the program that runs the hook. */
	snprintf(script, sizeof(script), "PATH=/bin:/usr/bin readlink /proc/$PPID/exe > %s", log);
	live(w, json_pack("{s:[{s:s, s:[s, s, s]}]}", "createRuntime", "path", "/bin/sh", "args",
			  "sh", "-c", script));
	CHECK_INT(holds(w->agent, "memfd:crun"), 1);
	check_log(log, "/memfd:crun (deleted)\n");

	snprintf(script, sizeof(script),
		 "#!/bin/sh\nfor word; do case $word in create|start|exec|delete) "
		 "echo $word >> %s;; esac; done\nexec %s \"$@\"\n",
		 log, real);
	write_script(next, script);
	CHECK_INT(rename(next, path), 0);
	live(w, NULL);
	CHECK_INT(holds(w->agent, "memfd:crun"), 0);
	check_log(log, "create\nstart\nexec\n");
	live(w, json_pack("{s:[{s:s}]}", "poststop", "path", "/bin/true"));
	check_log(log, "create\nstart\nexec\ndelete\n");
}
