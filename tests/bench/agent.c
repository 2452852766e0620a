/* SPDX-License-Identifier: MIT */
/*
 * agent.c - the agent from outside: start to first negotiate answer, round trips, memory, size.
 *
 * Each start is a new process with a state directory and pins of its own.  Natively, so the
 * figures compare with the reference's in the same setting, not with a guest's.
 */
#include "measure.h"

#include "agent/wire/client.h"
#include "agent/wire/protocol.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define STARTS	  30
#define ROUNDS	  2000
#define SOME_PODS 200
#define MANY_PODS 1000

struct agent {
	char dir[64], program[512], pin_dir[96], root[64];
	bool bpf, memory, stays; /* pins stay when it ends */
	pid_t pid;
	struct client *client;
};

/* Over stdin and stdout, as a host's first connection: no socket to wait for. */
static int start(struct agent *a, struct cgfs_err *err)
{
	int in[2], out[2], r;

	if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0)
		return -errno;
	a->pid = fork();
	if (a->pid == 0) {
		dup2(in[0], 0);
		dup2(out[1], 1);
		const char *argv[] = { "cgfs-agent", "-v4",	 "-use-inouterr",
				       "-loglevel",  "error",	 "-state-dir",
				       a->dir,	     "-root",	 a->root,
				       "-pin-dir",   a->pin_dir, NULL,
				       NULL,	     NULL,	 NULL };
		size_t n = 11;

		if (!a->bpf)
			argv[n++] = "-no-bpf";
		if (a->memory)
			argv[n++] = "-memory-accounting";
		if (!a->stays)
			argv[n++] = "-delete-on-exit";
		execv(a->program, (char **)argv);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	r = client_open_fds(out[0], in[1], &a->client);
	return r < 0 ? r : client_negotiate(a->client, 10000, err);
}

static void stop(struct agent *a)
{
	if (a->pid > 0) {
		kill(a->pid, SIGTERM);
		waitpid(a->pid, NULL, 0);
	}
	a->pid = 0;
	client_close(a->client);
	a->client = NULL;
}

static int start_round(void *arg)
{
	struct agent *a = arg;
	struct cgfs_err err = { 0 };
	int r = start(a, &err);

	if (r < 0)
		fprintf(stderr, "agent: %s\n", err.text);
	return r;
}

/* KiB of a line of /proc/PID/smaps_rollup. */
static long memory_kib(pid_t pid, const char *key)
{
	char path[64], line[256];
	long kib = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		if (strncmp(line, key, strlen(key)) == 0)
			kib = strtol(line + strlen(key), NULL, 10);
	}
	if (f)
		fclose(f);
	return kib;
}

static int start_row(struct agent *a, const char *what)
{
	double us[STARTS];

	for (int i = 0; i < STARTS && !measure_interrupted(); i++) {
		double begin = measure_now_us();
		int r = start_round(a);

		us[i] = measure_now_us() - begin;
		stop(a);
		if (r < 0)
			return r;
	}
	if (measure_interrupted())
		return -EINTR;
	printf("  %-52s %10.2f ms\n", what, measure_median(us, STARTS) / 1000);
	return 0;
}

static int list_round(void *arg)
{
	struct agent *a = arg;

	return client_call(a->client, MSG_EXT_LIST_PODS, NULL, NULL, 0, 10000, NULL, NULL);
}

static int pods(struct agent *a, int from, int to)
{
	for (int i = from; i < to && !measure_interrupted(); i++) {
		struct cgfs_err err = { 0 };
		char id[32];
		json_t *body;
		int r;

		snprintf(id, sizeof(id), "bench-%d", i);
		body = json_pack("{s:s}", "PodId", id);
		r = client_call(a->client, MSG_EXT_CREATE_POD, body, NULL, 0, 10000, NULL, &err);
		json_decref(body);
		if (r < 0) {
			fprintf(stderr, "agent: %s\n", err.text);
			return r;
		}
	}
	return 0;
}

static int running(struct agent *a)
{
	struct variant v[] = { { "ListPods without pods, a round trip", list_round, a, 0, 0 } };
	long before, some, many;
	struct stat st;
	int r;

	r = start_round(a);
	if (r < 0)
		return r;
	before = memory_kib(a->pid, "Pss:");
	printf("  %-52s %10ld KiB\n", "memory after start (PSS)", before);
	r = measure(v, 1, ROUNDS);
	if (r == 0)
		printf("  %-52s %10.1f us\n", v[0].name, v[0].median_us);
	if (r == 0)
		r = pods(a, 0, SOME_PODS);
	some = memory_kib(a->pid, "Pss:");
	if (r == 0)
		r = pods(a, SOME_PODS, MANY_PODS);
	many = memory_kib(a->pid, "Pss:");
	if (r == 0)
		printf("  %-52s %10ld KiB, %ld KiB, %.2f KiB a further pod\n",
		       "memory with 200 and 1,000 pods (PSS)", some, many,
		       (double)(many - some) / (MANY_PODS - SOME_PODS));
	if (stat(a->program, &st) == 0)
		printf("  %-52s %10.0f KiB\n", "binary, as built (make install strips it)",
		       (double)st.st_size / 1024);
	stop(a);
	return r;
}

int main(void)
{
	const char *o = getenv("O");
	struct agent a = { .bpf = false };
	int r;

	if (geteuid() != 0) {
		printf("agent: skipped, needs root\n");
		return 0;
	}
	measure_catch_signals();
	snprintf(a.program, sizeof(a.program), "%s/cgfs-agent", o ? o : "build");
	snprintf(a.dir, sizeof(a.dir), "/tmp/cgfs-bench.XXXXXX");
	snprintf(a.root, sizeof(a.root), "/cgfs-bench-agent-%d", getpid());
	snprintf(a.pin_dir, sizeof(a.pin_dir), "/sys/fs/bpf/cgfs-bench-agent-%d", getpid());
	if (!mkdtemp(a.dir)) {
		perror("agent: mkdtemp");
		return 1;
	}
	printf("\nagent\n");
	r = start_row(&a, "start to first negotiate answer, -no-bpf");
	a.bpf = true;
	if (r == 0)
		r = start_row(&a, "start to first negotiate answer, eBPF loaded anew");
	a.memory = true;
	if (r == 0)
		r = start_row(&a, "the same with -memory-accounting");
	a.memory = false;
	a.stays = true;
	if (r == 0 && start_round(&a) == 0)
		stop(&a);
	if (r == 0)
		r = start_row(&a, "start to first negotiate answer, eBPF pinned");
	a.stays = false;
	if (r == 0)
		r = running(&a);
	stop(&a);
	if (rmdir(a.dir) < 0)
		fprintf(stderr, "agent: left %s: %s\n", a.dir, strerror(errno));
	return r < 0;
}
