/* SPDX-License-Identifier: MIT */
/*
 * many.c - podctl and the agent beside 10 and beside 10,000 pods: what a table of all and the
 * figures of one take, and the longest that another connection waits meanwhile.  PODS=1000 is
 * quicker.
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
#include <sys/wait.h>
#include <unistd.h>

#define ROUNDS 5

struct many {
	char dir[64], address[96], root[64], agent[512], podctl[512];
	pid_t pid;
	struct client *client;
};

static size_t pods_max(void)
{
	const char *text = getenv("PODS");

	return text ? strtoul(text, NULL, 10) : 10000;
}

static int start(struct many *m)
{
	const char *const argv[] = {
		"cgfs-agent", "-v4",	 "--listen", m->address, "-loglevel",
		"error",      "-no-bpf", "-root",    m->root,	 "-delete-on-exit",
		"-state-dir", m->dir,	 NULL
	};
	struct cgfs_err err = { 0 };
	int r = -ENOENT;

	m->pid = fork();
	if (m->pid == 0) {
		setpgid(0, 0); /* what interrupts this program ends it in its own time */
		execv(m->agent, (char **)argv);
		_exit(127);
	}
	for (int i = 0; i < 2000 && r < 0; i++) {
		r = client_open(m->address, &m->client, &err);
		if (r < 0)
			usleep(5000);
	}
	r = r < 0 ? r : client_negotiate(m->client, 10000, &err);
	if (r < 0)
		fprintf(stderr, "many: %s\n", err.text);
	return r;
}

static int ask(struct many *m, uint32_t type, const char *pod)
{
	struct cgfs_err err = { 0 };
	json_t *body = json_pack("{s:s}", "PodId", pod);
	int r = client_call(m->client, type, body, NULL, 0, 60000, NULL, &err);

	json_decref(body);
	if (r < 0)
		fprintf(stderr, "many: %s: %s\n", pod, err.text);
	return r;
}

/* One run of podctl; its time, and the longest answer to another connection meanwhile. */
static int run(struct many *m, const char *verb, const char *pod, double *ret_us, double *worst_us)
{
	const char *const argv[] = { "podctl", "--agent", m->address, verb, pod, NULL };
	double from = measure_now_us();
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

		dup2(null, 1);
		execv(m->podctl, (char **)argv);
		_exit(127);
	}
	while (waitpid(pid, &status, WNOHANG) == 0) {
		double one = measure_now_us();
		int r = ask(m, MSG_EXT_POD_STATS, "bench-0");

		if (r < 0)
			return r;
		one = measure_now_us() - one;
		*worst_us = one > *worst_us ? one : *worst_us;
		usleep(500);
	}
	*ret_us = measure_now_us() - from;
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		fprintf(stderr, "many: podctl %s failed\n", verb);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EIO;
}

static int row(struct many *m, size_t n, const char *verb, const char *pod)
{
	double us[ROUNDS], worst = 0;
	int r = 0;

	for (int i = 0; i < ROUNDS && r == 0; i++)
		r = measure_interrupted() ? -EINTR : run(m, verb, pod, &us[i], &worst);
	if (r == 0)
		printf("  %6zu podctl %-6s %10.1f ms, longest answer to another connection %6.1f "
		       "ms\n",
		       n, verb, measure_median(us, ROUNDS) / 1000, worst / 1000);
	fflush(stdout);
	return r;
}

static int rows(struct many *m)
{
	size_t made = 0;
	char id[32];
	int r = 0;

	for (size_t n = 10; n <= pods_max() && r == 0;
	     n *= pods_max() > 10 ? pods_max() / 10 : 10) {
		for (; made < n && r == 0; made++) {
			snprintf(id, sizeof(id), "bench-%zu", made);
			r = measure_interrupted() ? -EINTR : ask(m, MSG_EXT_CREATE_POD, id);
		}
		if (r == 0)
			r = row(m, n, "ls", NULL);
		if (r == 0)
			r = row(m, n, "stat", "bench-5");
	}
	return r; /* the agent deletes them when it ends */
}

int main(void)
{
	const char *o = getenv("O");
	struct many m = { .pid = 0 };
	char text[128];
	int r;

	if (geteuid() != 0 || getenv("CGFS_TEST_GUEST")) {
		printf("many: skipped, needs root and a machine that is not emulated\n");
		return 0;
	}
	measure_catch_signals();
	snprintf(m.agent, sizeof(m.agent), "%s/cgfs-agent", o ? o : "build");
	snprintf(m.podctl, sizeof(m.podctl), "%s/podctl", o ? o : "build");
	snprintf(m.dir, sizeof(m.dir), "/tmp/cgfs-bench.XXXXXX");
	snprintf(m.root, sizeof(m.root), "/cgfs-bench-many-%d", getpid());
	if (!mkdtemp(m.dir)) {
		perror("many: mkdtemp");
		return 1;
	}
	snprintf(m.address, sizeof(m.address), "unix:%s/socket", m.dir);
	printf("\npods at once, through the agent without eBPF\n");
	r = start(&m);
	if (r == 0)
		r = rows(&m);
	if (m.pid > 0) {
		kill(m.pid, SIGTERM);
		waitpid(m.pid, NULL, 0);
	}
	client_close(m.client);
	snprintf(text, sizeof(text), "rm -r '%s'", m.dir);
	if (system(text) != 0)
		fprintf(stderr, "many: left %s\n", m.dir);
	return r < 0;
}
