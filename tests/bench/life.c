/* SPDX-License-Identifier: MIT */
/*
 * life.c - where a container's life takes its time: create, start, exec, delete, by crun alone and
 * by the agent.
 *
 * Four sides take turns: crun that leaves cgroups alone, crun with its cgroups, the agent with a
 * runtime that does nothing (this program), the agent with crun.  So the third is what is the
 * agent's own, cgroups and policy included, and a little for starting the runtime that does
 * nothing.  Each side has one container at a time, which is killed, and reaped, before it is
 * deleted; that is not counted.  The agent's containers are in a pod that has a sandbox.
 */
#include "bench.h"
#include "bundle.h"

#include "agent/wire/client.h"
#include "agent/wire/protocol.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROUNDS	   40
#define TIMEOUT_MS 60000

enum step { CREATE, START, EXEC, DELETE, STEPS };

struct life;

struct side {
	const char *name;
	int (*step)(struct life *l, struct side *s, enum step step);
	const char *manager;   /* crun's own: what makes the cgroups */
	struct client *client; /* the agent's */
	pid_t agent, init;
	double us[STEPS][ROUNDS];
};

struct life {
	struct bench *b;
	char dir[64], idle[96], id[48];
	int hidden_fd;
	struct side side[4];
	size_t n;
};

static const char process[] =
	"{\"user\":{\"uid\":0,\"gid\":0},\"cwd\":\"/\",\"args\":[\"" BUNDLE_BUSYBOX
	"\",\"true\"],\"env\":[\"PATH=/bin\"]}";

/* -- the runtime that does nothing ------------------------------------------------------------- */

/* It leaves behind what the agent asks for: a process, its pid in a file, a directory of state. */
static int idle(int argc, char **argv)
{
	const char *pid_file = NULL, *root = NULL;
	bool create = false;
	char path[512];
	FILE *f;
	pid_t pid;

	for (int i = 1; i < argc; i++) {
		create = create || strcmp(argv[i], "create") == 0;
		if (strcmp(argv[i], "--pid-file") == 0 && i + 1 < argc)
			pid_file = argv[++i];
		else if (strcmp(argv[i], "--root") == 0 && i + 1 < argc)
			root = argv[++i];
	}
	if (create && root) {
		(void)mkdir(root, 0700);
		snprintf(path, sizeof(path), "%s/%s", root, argv[argc - 1]);
		(void)mkdir(path, 0700);
	}
	if (!pid_file)
		return 0;
	pid = fork();
	if (pid == 0)
		return create ? pause() : 0;
	f = fopen(pid_file, "we");
	if (f)
		fprintf(f, "%d", pid);
	return pid < 0 || !f || fclose(f) != 0;
}

/* -- crun -------------------------------------------------------------------------------------- */

static int wait_for(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return -errno;
	}
	return status == 0 ? 0 : -EIO;
}

static int read_pid(const char *path, pid_t *ret)
{
	FILE *f = fopen(path, "re");
	int n = f ? fscanf(f, "%d", ret) : 0;

	if (f)
		fclose(f);
	return n == 1 ? 0 : -EIO;
}

static int crun_step(struct life *l, struct side *s, enum step step)
{
	static const char *const verbs[] = { "create", "start", "exec", "delete" };
	char root[96], pid_file[96], process_file[96];
	const char *argv[16] = { "crun", s->manager, "--root", root, verbs[step] };
	size_t n = 5;
	pid_t pid;
	int r;

	snprintf(root, sizeof(root), "%s/runtime", l->dir);
	snprintf(pid_file, sizeof(pid_file), "%s/pid", l->dir);
	snprintf(process_file, sizeof(process_file), "%s/process.json", l->dir);
	if (step == CREATE) {
		argv[n++] = "--bundle";
		argv[n++] = l->dir;
		argv[n++] = "--pid-file";
		argv[n++] = pid_file;
		if (bundle_no_pivot())
			argv[n++] = "--no-pivot";
	} else if (step == EXEC) {
		argv[n++] = "--detach";
		argv[n++] = "--process";
		argv[n++] = process_file;
	}
	argv[n] = l->id;
	pid = fork();
	if (pid == 0) {
		int null = open("/dev/null", O_RDWR | O_CLOEXEC);

		if ((l->hidden_fd >= 0 && setns(l->hidden_fd, CLONE_NEWNS) < 0) ||
		    dup2(null, 0) < 0 || dup2(null, 1) < 0)
			_exit(126);
		execvp(argv[0], (char **)argv);
		_exit(127);
	}
	r = pid < 0 ? -errno : wait_for(pid);
	return r == 0 && step == CREATE ? read_pid(pid_file, &s->init) : r;
}

/* Its pid namespace ends when we have reaped what crun's exec has left to us, too. */
static void end_init(pid_t init)
{
	pid_t pid;

	kill(init, SIGKILL);
	do
		pid = waitpid(-1, NULL, 0);
	while (pid != init && (pid > 0 || errno == EINTR));
}

/* -- the agent --------------------------------------------------------------------------------- */

static int call(struct side *s, uint32_t type, json_t *body, json_t **ret)
{
	struct cgfs_err err = { 0 };
	int r = client_call(s->client, type, body, NULL, 0, TIMEOUT_MS, ret, &err);

	json_decref(body);
	if (r < 0)
		fprintf(stderr, "life: %s\n", err.text);
	return r;
}

/* The specification that crun gets, as a member of the pod. */
static json_t *create_body(const struct life *l, const char *id, const char *pod)
{
	char path[160];
	json_t *spec, *config;
	char *text;

	snprintf(path, sizeof(path), "%s/config.json", l->dir);
	spec = json_load_file(path, 0, NULL);
	snprintf(path, sizeof(path), "%s/rootfs", l->dir);
	json_object_set_new(json_object_get(spec, "root"), "path", json_string(path));
	json_object_set_new(spec, "annotations",
			    json_pack("{s:s, s:s, s:s}", "io.kubernetes.cri.container-type",
				      strcmp(id, pod) == 0 ? "sandbox" : "container",
				      "io.kubernetes.cri.sandbox-id", pod,
				      "io.microsoft.cri.skip-pod-networking", "true"));
	/* What the agent keeps of a sandbox is in its bundle: each agent has its own. */
	snprintf(path, sizeof(path), "%s/bundles-%zu/%.40s", l->dir, l->n, id);
	config = json_pack("{s:{s:i, s:i}, s:s, s:o}", "SchemaVersion", "Major", 2, "Minor", 1,
			   "OciBundlePath", path, "OciSpecification", spec);
	text = json_dumps(config, JSON_COMPACT);
	json_decref(config);
	config = json_pack("{s:s, s:s}", "ContainerId", id, "ContainerConfig", text);
	free(text);
	return config;
}

static json_t *exec_body(const struct life *l, bool start)
{
	json_t *parameters = start ? json_object()
				   : json_pack("{s:o}", "OciProcess", json_loads(process, 0, NULL));
	char *text = json_dumps(parameters, JSON_COMPACT);
	json_t *body = json_pack("{s:s, s:{s:s}}", "ContainerId", l->id, "Settings",
				 "ProcessParameters", text);

	free(text);
	json_decref(parameters);
	return body;
}

static int agent_step(struct life *l, struct side *s, enum step step)
{
	json_t *answer = NULL;
	int r;

	if (step == CREATE)
		return call(s, MSG_CREATE, create_body(l, l->id, "pod"), NULL);
	if (step == DELETE)
		return call(s, MSG_DELETE_STATE, json_pack("{s:s}", "ContainerId", l->id), NULL);
	r = call(s, MSG_EXECUTE_PROCESS, exec_body(l, step == START), &answer);
	if (r == 0 && step == START)
		s->init = (pid_t)json_integer_value(json_object_get(answer, "ProcessId"));
	json_decref(answer);
	return r;
}

static int agent_kill(struct life *l, struct side *s)
{
	int r = call(s, MSG_SIGNAL_PROCESS,
		     json_pack("{s:s, s:i, s:{s:i}}", "ContainerId", l->id, "ProcessId",
			       (int)s->init, "Options", "Signal", SIGKILL),
		     NULL);

	return r < 0 ? r
		     : call(s, MSG_WAIT_FOR_PROCESS,
			    json_pack("{s:s, s:i, s:I}", "ContainerId", l->id, "ProcessId",
				      (int)s->init, "TimeoutInMs", (json_int_t)TIMEOUT_MS),
			    NULL);
}

static int agent_begin(struct life *l, const char *name, const char *short_name,
		       const char *runtime)
{
	struct side *s = &l->side[l->n++];
	char socket[BUNDLE_SOCKET_MAX];
	struct cgfs_err err = { 0 };
	int r;

	s->name = name;
	s->step = agent_step;
	s->agent = bundle_agent(l->b, l->dir, short_name, runtime, socket);
	if (s->agent < 0)
		return (int)s->agent;
	r = client_open(socket, &s->client, &err);
	if (r == 0)
		r = client_observe(s->client, TIMEOUT_MS, &err);
	if (r < 0)
		return bench_fail(r, &err);
	return call(s, MSG_CREATE, create_body(l, "pod", "pod"), NULL);
}

/* -- rows -------------------------------------------------------------------------------------- */

static int round_of(struct life *l, struct side *s, unsigned int round)
{
	int r = 0;

	for (int step = 0; r == 0 && step < STEPS; step++) {
		double start;

		if (step == DELETE && s->client) {
			r = agent_kill(l, s);
		} else if (step == DELETE) {
			end_init(s->init);
		}
		start = measure_now_us();
		if (r == 0)
			r = s->step(l, s, (enum step)step);
		if (step == DELETE)
			s->init = 0;
		s->us[step][round] = measure_now_us() - start;
	}
	return measure_interrupted() ? -EINTR : r;
}

static void print(struct life *l)
{
	static const char *const names[] = { "create", "start", "exec", "delete" };

	printf("\na container's life, us, and the ratio to crun with its cgroups\n");
	for (int step = 0; step < STEPS; step++) {
		double base = 0;

		for (size_t i = 0; i < l->n; i++) {
			double us = measure_median(l->side[i].us[step], ROUNDS);

			base = i == 1 ? us : base;
			printf("  %-8s%-44s %10.1f us", names[step], l->side[i].name, us);
			if (i >= 1)
				printf("  %6.2f x", us / base);
			putchar('\n');
		}
	}
	fflush(stdout);
}

static int set_up(struct life *l)
{
	char path[96];
	ssize_t len;
	FILE *f;
	int r;

	snprintf(l->id, sizeof(l->id), "cgfs-bench-life-%d", getpid());
	snprintf(l->dir, sizeof(l->dir), "/tmp/cgfs-bench-life.XXXXXX");
	r = bundle_dir(l->dir);
	if (r == 0)
		r = bundle_make(l->dir, l->id, "[\"" BUNDLE_BUSYBOX "\",\"sleep\",\"1000\"]");
	if (r == 0)
		r = bundle_hide_cgroup2(l->b, &l->hidden_fd);
	snprintf(path, sizeof(path), "%s/process.json", l->dir);
	f = r == 0 ? fopen(path, "we") : NULL;
	if (!f || fputs(process, f) < 0 || fclose(f) != 0)
		return r < 0 ? r : -EIO;
	/* By the name of crun, which the agent goes by. */
	snprintf(l->idle, sizeof(l->idle), "%s/crun", l->dir);
	len = readlink("/proc/self/exe", path, sizeof(path) - 1);
	path[len > 0 ? len : 0] = '\0';
	return len > 0 && symlink(path, l->idle) == 0 ? 0 : -errno;
}

static void tear_down(struct life *l)
{
	for (size_t i = 0; i < l->n; i++) {
		client_close(l->side[i].client);
		if (l->side[i].agent > 0) {
			kill(l->side[i].agent, SIGTERM);
			waitpid(l->side[i].agent, NULL, 0);
		} else if (l->side[i].init > 0) {
			/* Interrupted: its state and its cgroups are still there. */
			end_init(l->side[i].init);
			(void)l->side[i].step(l, &l->side[i], DELETE);
		}
	}
	if (l->hidden_fd >= 0)
		close(l->hidden_fd);
	bundle_dir_remove(l->dir);
}

static int rows(struct bench *b)
{
	static struct life l = { .hidden_fd = -1 };
	int r;

	l.b = b;
	if (!bundle_in_path("crun")) {
		printf("\na container's life: no crun\n");
		return 0;
	}
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1);
	r = set_up(&l);
	l.side[l.n++] = (struct side){ .name = "crun, its cgroups left out",
				       .step = crun_step,
				       .manager = "--cgroup-manager=disabled" };
	l.side[l.n++] = (struct side){ .name = "crun",
				       .step = crun_step,
				       .manager = "--cgroup-manager=cgroupfs" };
	if (r == 0)
		r = agent_begin(&l, "the agent, its runtime does nothing", "idle", l.idle);
	if (r == 0)
		r = agent_begin(&l, "the agent with crun", "agent", NULL);
	for (unsigned int round = 0; r == 0 && round < ROUNDS; round++) {
		for (size_t i = 0; r == 0 && i < l.n; i++)
			r = round_of(&l, &l.side[i], round);
	}
	if (r == 0)
		print(&l);
	tear_down(&l);
	return r;
}

int main(int argc, char **argv)
{
	return argc > 1 ? idle(argc, argv) : bench_main("life", rows);
}
