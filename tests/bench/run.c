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

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROUNDS	 40
#define ARGS	 28
#define PROGRAMS 8
#define PATIENCE 6000 /* times 10 ms */
#define BUSYBOX	 "/bin/busybox"
#define POD_ARGS "-m", "64M", "--cpus", "0.5", "--cpu-weight", "59", "-p", "64"

struct program {
	const char *argv[ARGS];
	int namespace_fd; /* of mounts, to run it in; -1: ours */
};

struct run {
	struct bench *b;
	char dir[64], podctl[512], agent[512], socket[128], cold_root[80], cold_pins[96], id[32];
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

/* -- what the runtimes need ------------------------------------------------------------------ */

static const char config[] =
	"{\"ociVersion\":\"1.0.2\",\"process\":{\"user\":{\"uid\":0,\"gid\":0},\"cwd\":\"/\","
	"\"args\":[\"/bin/busybox\",\"true\"],\"env\":[\"PATH=/bin\"]},"
	"\"root\":{\"path\":\"rootfs\",\"readonly\":true},\"mounts\":["
	"{\"destination\":\"/proc\",\"type\":\"proc\",\"source\":\"proc\"},"
	"{\"destination\":\"/dev\",\"type\":\"tmpfs\",\"source\":\"tmpfs\"}],"
	"\"linux\":{\"cgroupsPath\":\"/%s\",\"namespaces\":[{\"type\":\"pid\"},"
	"{\"type\":\"ipc\"},{\"type\":\"uts\"},{\"type\":\"mount\"}],"
	"\"resources\":{\"memory\":{\"limit\":67108864},"
	"\"cpu\":{\"shares\":512,\"quota\":50000,\"period\":100000},\"pids\":{\"limit\":64},"
	"\"devices\":[{\"allow\":false,\"access\":\"rwm\"}]}}}\n";

static int copy_file(const char *from, const char *to)
{
	int in = open(from, O_RDONLY | O_CLOEXEC);
	int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
	char buf[65536];
	ssize_t n = -1;

	while (in >= 0 && out >= 0 && (n = read(in, buf, sizeof(buf))) > 0) {
		if (write(out, buf, (size_t)n) != n) {
			n = -1;
			break;
		}
	}
	if (in >= 0)
		close(in);
	if (out >= 0)
		close(out);
	return n == 0 ? 0 : -EIO;
}

static int make_bundle(struct run *r)
{
	static const char *const directories[] = { "", "/bin", "/proc", "/dev" };
	char path[128];
	FILE *f;

	for (size_t i = 0; i < sizeof(directories) / sizeof(directories[0]); i++) {
		snprintf(path, sizeof(path), "%s/rootfs%s", r->dir, directories[i]);
		if (mkdir(path, 0755) < 0)
			return -errno;
	}
	snprintf(path, sizeof(path), "%s/config.json", r->dir);
	f = fopen(path, "we");
	if (!f)
		return -errno;
	fprintf(f, config, r->id);
	fclose(f);
	snprintf(path, sizeof(path), "%s/rootfs%s", r->dir, BUSYBOX);
	return copy_file(BUSYBOX, path);
}

static bool hybrid(const struct bench *b)
{
	const struct cgfs_mounts *m = cgfs_mounts(b->c);

	return bench_unified(b) >= 0 && m->n > 1;
}

/* crun refuses a host with v1 hierarchies and a cgroup2 tree that has controllers.  The namespace
 * is made once: that is not what a run costs. */
static int hide_cgroup2(struct run *r)
{
	const char *unified;
	char ready = 0, path[64];
	int p[2];
	pid_t pid;

	r->hidden_fd = -1;
	if (!hybrid(r->b))
		return 0;
	unified = cgfs_mounts(r->b->c)->mount[bench_unified(r->b)].path;
	if (pipe2(p, O_CLOEXEC) < 0)
		return -errno;
	pid = fork();
	if (pid == 0) {
		if (unshare(CLONE_NEWNS) < 0 || mount("", "/", NULL, MS_REC | MS_SLAVE, NULL) < 0 ||
		    umount2(unified, MNT_DETACH | UMOUNT_NOFOLLOW) < 0 || write(p[1], "", 1) != 1)
			_exit(1);
		pause();
		_exit(0);
	}
	close(p[1]);
	if (pid > 0 && read(p[0], &ready, 1) == 1) {
		snprintf(path, sizeof(path), "/proc/%d/ns/mnt", pid);
		r->hidden_fd = open(path, O_RDONLY | O_CLOEXEC);
	}
	close(p[0]);
	if (pid > 0) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	return r->hidden_fd < 0 ? -EIO : 0;
}

static int start_agent(struct run *r)
{
	char state[96], root[96], pins[96];

	snprintf(r->socket, sizeof(r->socket), "unix:%s/sock", r->dir);
	snprintf(state, sizeof(state), "%s/state", r->dir);
	snprintf(root, sizeof(root), "%s-agent", r->b->root);
	snprintf(pins, sizeof(pins), "/sys/fs/bpf%s-agent", r->b->root);
	r->agent_pid = fork();
	if (r->agent_pid == 0) {
		execl(r->agent, "cgfs-agent", "-v4", "-loglevel", "error", "-listen", r->socket,
		      "-state-dir", state, "-root", root, "-pin-dir", pins, "-delete-on-exit",
		      NULL);
		_exit(127);
	}
	for (int i = 0; r->agent_pid > 0 && i < PATIENCE; i++) {
		if (access(r->socket + strlen("unix:"), F_OK) == 0)
			return 0;
		usleep(10000);
	}
	return -ETIMEDOUT;
}

static bool in_path(const char *name)
{
	char command[64];

	snprintf(command, sizeof(command), "command -v %s > /dev/null", name);
	return system(command) == 0;
}

/* -- rows ------------------------------------------------------------------------------------ */

static void add_runtimes(struct run *r, char *root, size_t len)
{
	const char *no_pivot = r->no_pivot ? "--no-pivot" : "--bundle";
	const char *bundle = r->no_pivot ? "--bundle" : r->dir, *dir = r->no_pivot ? r->dir : r->id;
	const char *id = r->no_pivot ? r->id : NULL;

	snprintf(root, len, "%s/runtime", r->dir);
	if (in_path("crun")) {
		ADD(r, "crun run, its cgroups left out", r->hidden_fd, "crun",
		    "--cgroup-manager=disabled", "--root", root, "run", no_pivot, bundle, dir, id);
		ADD(r, "crun run", r->hidden_fd, "crun", "--cgroup-manager=cgroupfs", "--root",
		    root, "run", no_pivot, bundle, dir, id);
	}
	if (in_path("runc"))
		ADD(r, "runc run", -1, "runc", "--root", root, "run", no_pivot, bundle, dir, id);
}

static int add_agent(struct run *r, char *rootfs, char *bundles, size_t len)
{
	int res;

	snprintf(rootfs, len, "%s/rootfs", r->dir);
	snprintf(bundles, len, "%s/bundles", r->dir);
	if (!in_path("crun") || access(r->agent, X_OK) < 0)
		return 0;
	res = start_agent(r);
	if (res == 0)
		ADD(r, "podctl run with an agent, which runs crun", -1, r->podctl, "run", "--agent",
		    r->socket, "--pod", "run", "--rootfs", rootfs, "--bundle-dir", bundles,
		    POD_ARGS, "--", BUSYBOX, "true");
	return res;
}

static int set_up(struct run *r)
{
	struct statfs fs;
	int res;

	bench_program("podctl", r->podctl, sizeof(r->podctl));
	bench_program("cgfs-agent", r->agent, sizeof(r->agent));
	snprintf(r->id, sizeof(r->id), "cgfs-bench-run-%d", getpid());
	snprintf(r->dir, sizeof(r->dir), "/tmp/cgfs-bench-run.XXXXXX");
	snprintf(r->cold_root, sizeof(r->cold_root), "%s-cold", r->b->root);
	snprintf(r->cold_pins, sizeof(r->cold_pins), "/sys/fs/bpf%s", r->cold_root);
	r->no_pivot =
		statfs("/", &fs) == 0 && (fs.f_type == RAMFS_MAGIC || fs.f_type == TMPFS_MAGIC);
	if (!mkdtemp(r->dir))
		return -errno;
	res = make_bundle(r);
	return res < 0 ? res : hide_cgroup2(r);
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
	snprintf(command, sizeof(command), "rm -rf '%s'", r->dir);
	if (system(command) != 0)
		fprintf(stderr, "run: %s is left\n", r->dir);
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
