/* SPDX-License-Identifier: MIT */
/*
 * cgroup.c - the library against the bare system calls that its work needs, and against
 * libcgroup, on the kernel that this runs on.
 *
 * "Bare" is what a program would do that knew every path beforehand: mkdirat, openat, write,
 * close, unlinkat on descriptors of the parents.
 */
#include "measure.h"

#include <cgfs/bpf.h>
#include <cgfs/cgfs.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libcgroup.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define MEMORY_MAX (64u << 20)
#define WRITES_MAX 64

struct write_op {
	int hierarchy;
	char file[64], value[64];
};

struct bench {
	struct cgfs *c;	    /* control files alone */
	struct cgfs *c_bpf; /* with the eBPF policy; NULL where there is none */
	struct cgfs_bpf *bpf;
	char root[64];
	size_t n;
	int root_fd[CGFS_MOUNTS_MAX]; /* the pods root in each hierarchy */
	int unified;
	struct write_op write[WRITES_MAX]; /* what one pod's limits need */
	size_t n_writes;
	struct cgfs_group *pod, *ctr; /* for the read and spawn rows */
	int stat_fd[64];
	size_t n_stat_fds;
};

static const struct cgfs_resources limits = {
	.sz = sizeof(limits),
	.set = CGFS_SET_MEMORY_MAX | CGFS_SET_CPU_SHARES | CGFS_SET_CPU_QUOTA |
	       CGFS_SET_CPU_PERIOD | CGFS_SET_PIDS_MAX | CGFS_SET_CPUSET_CPUS |
	       CGFS_SET_CPUSET_MEMS,
	.memory_max_bytes = MEMORY_MAX,
	.cpu_shares = 512,
	.cpu_quota_us = 50000,
	.cpu_period_us = 100000,
	.pids_max = 64,
	.cpuset_cpus = "0",
	.cpuset_mems = "0",
};

/* -- the bare calls ------------------------------------------------------------------------ */

static int hierarchy_of(const struct bench *b, enum cgfs_controller ctl)
{
	struct cgfs_place p = cgfs_place(b->c, ctl);
	const struct cgfs_mounts *m = cgfs_mounts(b->c);

	for (size_t i = 0; i < m->n; i++) {
		if (p.version != CGFS_NONE && strcmp(m->mount[i].path, p.mount) == 0)
			return (int)i;
	}
	return -1;
}

__attribute__((format(printf, 4, 5))) static void add_write(struct bench *b,
							    enum cgfs_controller ctl,
							    const char *file, const char *fmt, ...)
{
	struct write_op *w = &b->write[b->n_writes];
	va_list ap;

	w->hierarchy = hierarchy_of(b, ctl);
	if (w->hierarchy < 0 || !file || b->n_writes == WRITES_MAX)
		return;
	snprintf(w->file, sizeof(w->file), "pod/%s", file);
	va_start(ap, fmt);
	vsnprintf(w->value, sizeof(w->value), fmt, ap);
	va_end(ap);
	b->n_writes++;
}

static void plan_writes(struct bench *b)
{
	bool cpu2 = cgfs_place(b->c, CGFS_CPU).version == CGFS_V2;
	bool memory2 = cgfs_place(b->c, CGFS_MEMORY).version == CGFS_V2;
	const struct cgfs_device_rule *rule;
	size_t n;

	if (cgfs_place(b->c, CGFS_DEVICES).version == CGFS_V1) {
		rule = cgfs_device_defaults(&n);
		add_write(b, CGFS_DEVICES, "devices.deny", "a");
		for (size_t i = 0; i < n; i++) {
			char text[48];

			cgfs_device_format(&rule[i], text, sizeof(text));
			add_write(b, CGFS_DEVICES, "devices.allow", "%s",
				  strncmp(text, "allow ", 6) ? text : text + 6);
		}
	}
	add_write(b, CGFS_MEMORY, memory2 ? "memory.max" : "memory.limit_in_bytes", "%u",
		  MEMORY_MAX);
	if (cpu2) {
		add_write(b, CGFS_CPU, "cpu.weight", "59");
		add_write(b, CGFS_CPU, "cpu.max", "50000 100000");
	} else {
		add_write(b, CGFS_CPU, "cpu.shares", "512");
		add_write(b, CGFS_CPU, "cpu.cfs_period_us", "100000");
		add_write(b, CGFS_CPU, "cpu.cfs_quota_us", "50000");
	}
	add_write(b, CGFS_CPUSET, "cpuset.cpus", "0");
	add_write(b, CGFS_CPUSET, "cpuset.mems", "0");
	add_write(b, CGFS_PIDS, "pids.max", "64");
}

static int bare_cycle(void *arg)
{
	struct bench *b = arg;

	for (size_t i = 0; i < b->n; i++) {
		if (mkdirat(b->root_fd[i], "pod", 0755) < 0)
			return -errno;
	}
	for (size_t i = 0; i < b->n_writes; i++) {
		const struct write_op *w = &b->write[i];
		int fd = openat(b->root_fd[w->hierarchy], w->file, O_WRONLY | O_CLOEXEC);

		if (fd < 0)
			return -errno;
		if (write(fd, w->value, strlen(w->value)) < 0) {
			fprintf(stderr, "%s: %s: %s\n", w->file, w->value, strerror(errno));
			return -errno;
		}
		close(fd);
	}
	for (size_t i = 0; i < b->n; i++) {
		if (unlinkat(b->root_fd[i], "pod", AT_REMOVEDIR) < 0)
			return -errno;
	}
	return 0;
}

/* -- the library ------------------------------------------------------------------------------ */

static int cycle(struct cgfs *c)
{
	struct cgfs_group *pod;
	struct cgfs_err err;
	int r;

	r = cgfs_pod_create(c, "pod", &limits, &pod, &err);
	if (r == 0) {
		r = cgfs_group_destroy(pod, 1000, &err);
		cgfs_group_close(pod);
	}
	if (r < 0)
		fprintf(stderr, "%s\n", err.text);
	return r;
}

static int cgfs_cycle(void *arg)
{
	return cycle(((struct bench *)arg)->c);
}

static int cgfs_bpf_cycle(void *arg)
{
	return cycle(((struct bench *)arg)->c_bpf);
}

/* -- libcgroup ----------------------------------------------------------------------------------
 */

static int libcgroup_cycle(void *arg)
{
	static const char *const names[] = { "cpu",	"cpuacct", "cpuset", "memory",
					     "devices", "freezer", "pids",   "hugetlb" };
	struct bench *b = arg;
	char path[80];
	struct cgroup *g;
	int r = 0;

	snprintf(path, sizeof(path), "%s/pod", b->root + 1);
	g = cgroup_new_cgroup(path);
	for (size_t i = 0; g && i < sizeof(names) / sizeof(names[0]); i++) {
		struct cgroup_controller *ctl;

		if (hierarchy_of(b, (enum cgfs_controller)cgfs_controller_from_name(names[i])) <
			    0 ||
		    !(ctl = cgroup_add_controller(g, names[i])))
			continue;
		for (size_t w = 0; w < b->n_writes; w++) {
			const char *file = b->write[w].file + strlen("pod/");
			size_t len = strlen(names[i]);

			/* One value per name: it cannot hold the list of devices. */
			if (strncmp(file, names[i], len) == 0 && file[len] == '.' &&
			    strncmp(file, "devices", 7) != 0)
				cgroup_add_value_string(ctl, file, b->write[w].value);
		}
	}
	r = g ? cgroup_create_cgroup(g, 0) : ECGOTHER;
	if (r == 0)
		r = cgroup_delete_cgroup(g, 0);
	cgroup_free(&g);
	if (r)
		fprintf(stderr, "libcgroup: %s (%s)\n", cgroup_strerror(r),
			strerror(cgroup_get_last_errno()));
	return r ? -EIO : 0;
}

/* -- statistics ---------------------------------------------------------------------------------
 */

static void open_stats(struct bench *b)
{
	/* The files behind CGFS_READ_ALL, on either version; those that are there count. */
	static const struct {
		enum cgfs_controller ctl;
		const char *file;
	} files[] = {
		{ CGFS_MEMORY, "memory.usage_in_bytes" },
		{ CGFS_MEMORY, "memory.limit_in_bytes" },
		{ CGFS_MEMORY, "memory.soft_limit_in_bytes" },
		{ CGFS_MEMORY, "memory.max_usage_in_bytes" },
		{ CGFS_MEMORY, "memory.memsw.usage_in_bytes" },
		{ CGFS_MEMORY, "memory.memsw.limit_in_bytes" },
		{ CGFS_MEMORY, "memory.kmem.usage_in_bytes" },
		{ CGFS_MEMORY, "memory.failcnt" },
		{ CGFS_MEMORY, "memory.oom_control" },
		{ CGFS_MEMORY, "memory.stat" },
		{ CGFS_MEMORY, "memory.current" },
		{ CGFS_MEMORY, "memory.max" },
		{ CGFS_MEMORY, "memory.high" },
		{ CGFS_MEMORY, "memory.low" },
		{ CGFS_MEMORY, "memory.peak" },
		{ CGFS_MEMORY, "memory.swap.current" },
		{ CGFS_MEMORY, "memory.swap.max" },
		{ CGFS_MEMORY, "memory.events" },
		{ CGFS_CPU, "cpu.stat" },
		{ CGFS_CPU, "cpu.shares" },
		{ CGFS_CPU, "cpu.cfs_quota_us" },
		{ CGFS_CPU, "cpu.cfs_period_us" },
		{ CGFS_CPU, "cpu.weight" },
		{ CGFS_CPU, "cpu.max" },
		{ CGFS_CPUACCT, "cpuacct.usage" },
		{ CGFS_CPUACCT, "cpuacct.usage_user" },
		{ CGFS_CPUACCT, "cpuacct.usage_sys" },
		{ CGFS_PIDS, "pids.current" },
		{ CGFS_PIDS, "pids.max" },
		{ CGFS_PIDS, "pids.peak" },
		{ CGFS_PIDS, "pids.events" },
	};

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		int h = hierarchy_of(b, files[i].ctl), fd;
		char path[128];

		snprintf(path, sizeof(path), "stats/c/%s", files[i].file);
		fd = h < 0 ? -1 : openat(b->root_fd[h], path, O_RDONLY | O_CLOEXEC);
		if (fd >= 0)
			b->stat_fd[b->n_stat_fds++] = fd;
	}
}

static int bare_stats(void *arg)
{
	struct bench *b = arg;
	char buf[8192];

	for (size_t i = 0; i < b->n_stat_fds; i++) {
		if (pread(b->stat_fd[i], buf, sizeof(buf), 0) < 0)
			return -errno;
	}
	return 0;
}

static int cgfs_stats_round(void *arg)
{
	struct bench *b = arg;
	struct cgfs_stats s;

	return cgfs_group_stats(b->ctr, CGFS_READ_ALL, &s, NULL);
}

/* -- a process into a container ------------------------------------------------------------------
 */

static int spawn_round(void *arg)
{
	struct bench *b = arg;
	int pidfd = -1, r;
	pid_t pid;

	usleep(50000); /* an idle guest: the kernel's lock is back in its fast mode for readers */
	r = cgfs_group_spawn(b->ctr, &pid, &pidfd, NULL);
	if (r < 0)
		return r;
	if (pid == 0)
		_exit(0);
	close(pidfd);
	return waitpid(pid, NULL, 0) == pid ? 0 : -errno;
}

static int fork_join_round(void *arg)
{
	struct bench *b = arg;
	int pipefd[2], r;
	pid_t pid;

	usleep(50000);
	if (pipe2(pipefd, O_CLOEXEC) < 0)
		return -errno;
	pid = fork();
	if (pid == 0) {
		char go;

		close(pipefd[1]);
		_exit(read(pipefd[0], &go, 1) == 1 ? 0 : 1);
	}
	r = pid < 0 ? -errno : cgfs_group_add_pid(b->ctr, pid, NULL);
	(void)!write(pipefd[1], "", 1);
	close(pipefd[0]);
	close(pipefd[1]);
	return waitpid(pid, NULL, 0) == pid ? r : -errno;
}

static int fork_only_round(void *arg)
{
	pid_t pid;

	(void)arg;
	usleep(50000);
	pid = fork();
	if (pid == 0)
		_exit(0);
	return waitpid(pid, NULL, 0) == pid ? 0 : -errno;
}

/* -- set-up
 * ---------------------------------------------------------------------------------------- */

static int set_up(struct bench *b, struct cgfs_err *err)
{
	struct cgfs_open_opts opts = CGFS_OPEN_OPTS_INIT;
#if CGFS_WITH_BPF
	struct cgfs_bpf_opts bpf_opts = CGFS_BPF_OPTS_INIT;
	char pin_dir[64];
#endif
	int r;

	snprintf(b->root, sizeof(b->root), "/cgfs-bench-%d", getpid());
#if CGFS_WITH_BPF
	snprintf(pin_dir, sizeof(pin_dir), "/sys/fs/bpf/cgfs-bench-%d", getpid());
#endif
	opts.root = b->root;
	r = cgfs_open(&opts, &b->c, err);
	if (r < 0)
		return r;
#if CGFS_WITH_BPF
	bpf_opts.pin_dir = pin_dir;
	if (cgfs_bpf_open(&bpf_opts, &b->bpf, err) == 0) {
		opts.policy = cgfs_bpf_policy(b->bpf);
		r = cgfs_open(&opts, &b->c_bpf, err);
		if (r < 0)
			return r;
	} else {
		printf("without eBPF: %s\n", err->text);
	}
#endif
	r = cgfs_pod_create(b->c, "stats", NULL, &b->pod, err);
	if (r == 0)
		r = cgfs_container_create(b->c, b->pod, "c", NULL, &b->ctr, err);
	if (r < 0)
		return r;
	b->n = cgfs_mounts(b->c)->n;
	for (size_t i = 0; i < b->n; i++) {
		char path[400];

		snprintf(path, sizeof(path), "%s%s", cgfs_mounts(b->c)->mount[i].path, b->root);
		b->root_fd[i] = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (b->root_fd[i] < 0)
			return cgfs_group_close(b->ctr), -errno;
	}
	plan_writes(b);
	open_stats(b);
	return 0;
}

static void tear_down(struct bench *b)
{
	struct cgfs_err err = { 0 };

	if (b->pod && cgfs_group_destroy(b->pod, 5000, &err) < 0)
		fprintf(stderr, "%s\n", err.text);
	cgfs_group_close(b->ctr);
	cgfs_group_close(b->pod);
	if (b->c && cgfs_root_remove(b->c, &err) < 0)
		fprintf(stderr, "%s\n", err.text);
	cgfs_close(b->c_bpf);
	cgfs_close(b->c);
#if CGFS_WITH_BPF
	if (b->bpf && cgfs_bpf_unpin(b->bpf, &err) < 0)
		fprintf(stderr, "%s\n", err.text);
	cgfs_bpf_close(b->bpf);
#endif
}

int main(void)
{
	struct bench b = { 0 };
	struct cgfs_err err = { 0 };
	char title[160];
	int r;

	if (geteuid() != 0) {
		printf("cgroup: skipped, needs root\n");
		return 0;
	}
	r = set_up(&b, &err);
	if (r < 0)
		fprintf(stderr, "bench: %s\n", err.text);
	if (r == 0) {
		struct variant v[] = {
			{ "bare system calls", bare_cycle, &b, 0 },
			{ "cgfs", cgfs_cycle, &b, 0 },
			{ "libcgroup (without the device list)", libcgroup_cycle, &b, 0 },
			{ "cgfs with the eBPF device policy", cgfs_bpf_cycle, &b, 0 },
		};
		size_t n = b.c_bpf ? 4 : 3;

		snprintf(title, sizeof(title),
			 "pod: create, %zu limits and device rules, delete; %zu hierarchies (%s)",
			 b.n_writes, b.n, cgfs_layout_name(cgfs_layout(b.c)));
		r = measure(v, n, 300);
		if (r == 0)
			measure_print(title, v, n);
	}
	if (r == 0) {
		struct variant v[] = {
			{ "pread of kept descriptors", bare_stats, &b, 0 },
			{ "cgfs_group_stats, parsed", cgfs_stats_round, &b, 0 },
		};

		snprintf(title, sizeof(title), "container: all statistics, %zu files",
			 b.n_stat_fds);
		r = measure(v, 2, 5000);
		if (r == 0)
			measure_print(title, v, 2);
	}
	if (r == 0) {
		struct variant v[] = {
			{ "50 ms pause, fork, exit, wait: no cgroup", fork_only_round, &b, 0 },
			{ "the same through cgfs_group_spawn", spawn_round, &b, 0 },
			{ "the same through fork and cgroup.procs", fork_join_round, &b, 0 },
		};

		r = measure(v, 3, 20);
		for (size_t i = 0; r == 0 && i < 3; i++)
			v[i].median_us -= 50000;
		if (r == 0)
			measure_print(
				"container: a process of it, on an idle machine (pause taken off)",
				v, 3);
	}
	tear_down(&b);
	return r < 0;
}
