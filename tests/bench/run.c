/* SPDX-License-Identifier: MIT */
/*
 * run.c - one command in a container, as whole processes: podctl against crun and runc.
 *
 * The command is busybox's true; memory, cpu shares and quota, pids and the default devices are
 * limited.  crun and runc make namespaces and a root file system as well, which is most of what
 * they cost, and podctl without an agent does not: so crun stands there once more without its
 * cgroups, and podctl once more through an agent, which has crun do the rest.  What is left of crun
 * without cgroups, and of podctl without the command, is what each takes for the cgroups.
 */
#include "bench.h"
#include "bundle.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROUNDS	 40
#define ARGS	 28
#define PROGRAMS 8
#define BUSYBOX	 BUNDLE_BUSYBOX
#define POD_ARGS "-m", "64M", "--cpus", "0.5", "--cpu-weight", "59", "-p", "64"

struct program {
	const char *argv[ARGS];
	int namespace_fd; /* of mounts, to run it in; -1: ours */
};

struct run {
	struct bench *b;
	char dir[64], podctl[512], agent[512], socket[BUNDLE_SOCKET_MAX], cold_root[80],
		cold_pins[96], id[32];
	pid_t agent_pid;
	int hidden_fd; /* a mount namespace without the cgroup2 tree */
	bool no_pivot;
	struct program program[PROGRAMS];
	struct variant v[PROGRAMS];
	size_t n;
};

__attribute__((noreturn)) static void child(const struct program *p)
{
	if (p->namespace_fd >= 0 && setns(p->namespace_fd, CLONE_NEWNS) < 0)
		_exit(126);
	execvp(p->argv[0], (char **)p->argv);
	_exit(127);
}

static int run_round(void *arg)
{
	const struct program *p = arg;
	pid_t pid = fork();
	int status;

	if (pid < 0)
		return -errno;
	if (pid == 0)
		child(p);
	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return -errno;
	}
	return status == 0 ? 0 : -EIO;
}

static void add(struct run *r, const char *name, int namespace_fd, const char *const *argv)
{
	struct program *p = &r->program[r->n];

	p->namespace_fd = namespace_fd;
	for (size_t i = 0; argv[i]; i++)
		p->argv[i] = argv[i];
	r->v[r->n++] = (struct variant){ name, run_round, p, 0, 0 };
}

#define ADD(r, name, fd, ...) add(r, name, fd, (const char *const[]){ __VA_ARGS__, NULL })

/* -- rows ------------------------------------------------------------------------------------ */

static void add_runtimes(struct run *r, char *root, size_t len)
{
	const char *no_pivot = r->no_pivot ? "--no-pivot" : "--bundle";
	const char *bundle = r->no_pivot ? "--bundle" : r->dir, *dir = r->no_pivot ? r->dir : r->id;
	const char *id = r->no_pivot ? r->id : NULL;

	snprintf(root, len, "%s/runtime", r->dir);
	if (bundle_in_path("crun")) {
		ADD(r, "crun run, its cgroups left out", r->hidden_fd, "crun",
		    "--cgroup-manager=disabled", "--root", root, "run", no_pivot, bundle, dir, id);
		ADD(r, "crun run", r->hidden_fd, "crun", "--cgroup-manager=cgroupfs", "--root",
		    root, "run", no_pivot, bundle, dir, id);
	}
	if (bundle_in_path("runc"))
		ADD(r, "runc run", -1, "runc", "--root", root, "run", no_pivot, bundle, dir, id);
}

static int add_agent(struct run *r, char *rootfs, char *bundles, size_t len)
{
	int res;

	snprintf(rootfs, len, "%s/rootfs", r->dir);
	snprintf(bundles, len, "%s/bundles", r->dir);
	if (!bundle_in_path("crun") || access(r->agent, X_OK) < 0)
		return 0;
	r->agent_pid = bundle_agent(r->b, r->dir, "agent", NULL, r->socket);
	res = r->agent_pid < 0 ? (int)r->agent_pid : 0;
	if (res == 0)
		ADD(r, "podctl run with an agent, which runs crun", -1, r->podctl, "run", "--agent",
		    r->socket, "--pod", "run", "--rootfs", rootfs, "--bundle-dir", bundles,
		    POD_ARGS, "--", BUSYBOX, "true");
	return res;
}

static int set_up(struct run *r)
{
	int res;

	bench_program("podctl", r->podctl, sizeof(r->podctl));
	bench_program("cgfs-agent", r->agent, sizeof(r->agent));
	snprintf(r->id, sizeof(r->id), "cgfs-bench-run-%d", getpid());
	snprintf(r->dir, sizeof(r->dir), "/tmp/cgfs-bench-run.XXXXXX");
	snprintf(r->cold_root, sizeof(r->cold_root), "%s-cold", r->b->root);
	snprintf(r->cold_pins, sizeof(r->cold_pins), "/sys/fs/bpf%s", r->cold_root);
	r->no_pivot = bundle_no_pivot();
	r->hidden_fd = -1;
	res = bundle_dir(r->dir);
	if (res == 0)
		res = bundle_make(r->dir, r->id, "[\"" BUSYBOX "\",\"true\"]");
	return res < 0 ? res : bundle_hide_cgroup2(r->b, &r->hidden_fd);
}

static void tear_down(struct run *r)
{
	char command[256];

	if (r->agent_pid > 0) {
		kill(r->agent_pid, SIGTERM);
		waitpid(r->agent_pid, NULL, 0);
	}
	if (r->hidden_fd >= 0)
		close(r->hidden_fd);
	/* What a runtime that was interrupted has left: an empty cgroup. */
	snprintf(command, sizeof(command),
		 "find /sys/fs/cgroup -depth -type d -name '%s' -exec rmdir {} +", r->id);
	if (system(command) != 0)
		fprintf(stderr, "run: cgroups %s are left\n", r->id);
	bundle_dir_remove(r->dir);
}

static int rows(struct bench *b)
{
	struct run r = { .b = b, .hidden_fd = -1 };
	char root[96], rootfs[96], bundles[96];
	int res;

	if (cgfs_place(b->c, CGFS_MEMORY).version == CGFS_NONE) {
		printf("\nwhole processes: no memory controller\n");
		return 0;
	}
	res = set_up(&r);
	if (res == 0) {
		ADD(&r, "fork, exec, wait: no container", -1, BUSYBOX, "true");
		if (b->c_bpf) {
			ADD(&r, "podctl run --no-agent, eBPF pinned", -1, r.podctl, "run",
			    "--no-agent", "--root", b->root, "--pin-dir", b->pin_dir, "--pod",
			    "run", POD_ARGS, "--", BUSYBOX, "true");
			ADD(&r, "podctl run --no-agent, nothing pinned before", -1, r.podctl, "run",
			    "--no-agent", "--root", r.cold_root, "--pin-dir", r.cold_pins, "--pod",
			    "run", POD_ARGS, "--", BUSYBOX, "true");
		}
		add_runtimes(&r, root, sizeof(root));
		res = add_agent(&r, rootfs, bundles, sizeof(rootfs));
	}
	if (res == 0)
		res = measure(r.v, r.n, getenv("CGFS_TEST_GUEST") ? ROUNDS / 4 : ROUNDS);
	/* What the agent and its crun's took is not in it. */
	if (res == 0 && r.agent_pid > 0)
		r.v[r.n - 1].cpu_us = 0;
	if (res == 0)
		measure_print("whole processes: busybox true with limits of memory, cpu, pids, "
			      "devices",
			      r.v, r.n);
	tear_down(&r);
	return res;
}

int main(void)
{
	return bench_main("run", rows);
}
