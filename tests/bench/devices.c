/* SPDX-License-Identifier: MIT */
/*
 * devices.c - what a device check costs: open and close of /dev/null by a process that no program
 * binds, that a program of comparisons binds (which is what crun and runc generate, and load for
 * each container), and that a list of 1 to 512 rules binds.
 *
 * Each variant has a process, in a cgroup2 cgroup alone, so v1's devices controller is not
 * involved. The kernel reports what a check took (bpf_stats, on for as long as a descriptor is
 * open), for a device that was asked for before and for two that push each other out of the
 * policy's memory.
 */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#if CGFS_WITH_BPF
#include <bpf/bpf.h>
#include <linux/bpf.h>

#define BATCH	  500
#define ROUNDS	  100
#define RULES_MAX 512
#define INSNS_MAX 256
#define WORKERS	  8
#define MAJOR	  200 /* of no driver */
#define OTHER	  16  /* its minor number has the same place in the memory as 0 */

enum task { OPEN_NULL = 'o', ASK_TWO = 'a' };

struct answer {
	double us, cpu_us; /* each */
};

struct worker {
	char name[64];
	pid_t pid;
	int ask, reply; /* pipes */
	int program;	/* -1: none */
	struct cgfs_group *pod, *ctr;
	char dir[512]; /* made without the library; else empty */
	double us[ROUNDS], cpu_us[ROUNDS], median_us, median_cpu_us, null_ns, two_ns, runs;
};

struct devices {
	struct bench *b;
	char nodes[64], node[2][96];
	int program, comparisons;
	struct worker worker[WORKERS];
	size_t n;
};

/* -- the processes --------------------------------------------------------------------------- */

static int work(const struct devices *d, char task)
{
	for (int i = 0; i < BATCH; i++) {
		int fd;

		if (task == ASK_TWO) {
			(void)!access(d->node[i & 1], R_OK);
			continue;
		}
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
		if (fd < 0)
			return -errno;
		close(fd);
	}
	return 0;
}

__attribute__((noreturn)) static void child(const struct devices *d, const char *procs, int ask,
					    int reply)
{
	int fd = open(procs, O_WRONLY | O_CLOEXEC);
	struct answer a = { 0, 0 };
	char task;

	if (fd < 0 || write(fd, "0", 1) != 1)
		_exit(1);
	close(fd);
	do {
		if (write(reply, &a, sizeof(a)) != sizeof(a) || read(ask, &task, 1) != 1)
			_exit(0);
		a.cpu_us = -measure_cpu_us();
		a.us = -measure_now_us();
		if (work(d, task) < 0)
			_exit(1);
		a.us = (a.us + measure_now_us()) / BATCH;
		a.cpu_us = (a.cpu_us + measure_cpu_us()) / BATCH;
	} while (true);
}

static int answer(const struct worker *w, struct answer *ret)
{
	return read(w->reply, ret, sizeof(*ret)) == sizeof(*ret) ? 0 : -EIO;
}

static int ask_for(const struct worker *w, char task, struct answer *ret)
{
	return write(w->ask, &task, 1) == 1 ? answer(w, ret) : -EPIPE;
}

/* @below: the cgroup's path below the pods root. */
static int start(struct devices *d, struct worker *w, const char *below)
{
	const char *mount = cgfs_mounts(d->b->c)->mount[bench_unified(d->b)].path;
	struct answer ready;
	char procs[640];
	int p[2], q[2];

	snprintf(procs, sizeof(procs), "%s%s/%s/cgroup.procs", mount, d->b->root, below);
	if (pipe2(p, O_CLOEXEC) < 0)
		return -errno;
	if (pipe2(q, O_CLOEXEC) < 0) {
		close(p[0]);
		close(p[1]);
		return -errno;
	}
	w->pid = fork();
	if (w->pid == 0) {
		/* Those of the workers before hold their pipes open no longer than we do. */
		for (struct worker *other = d->worker; other < w; other++)
			close(other->ask);
		close(p[1]);
		close(q[0]);
		child(d, procs, p[0], q[1]);
	}
	close(p[0]);
	close(q[1]);
	w->ask = p[1];
	w->reply = q[0];
	return w->pid < 0 ? -EAGAIN : answer(w, &ready);
}

static struct worker *add(struct devices *d, const char *name, int program)
{
	struct worker *w = &d->worker[d->n++];

	snprintf(w->name, sizeof(w->name), "%s", name);
	w->program = program;
	w->ask = w->reply = -1;
	return w;
}

/* -- what binds them ------------------------------------------------------------------------- */

/* A cgroup of cgroup2 alone. */
static int add_bare(struct devices *d, const char *name, const char *id, int program)
{
	struct worker *w = add(d, name, program);
	int dir, r = 0;

	snprintf(w->dir, sizeof(w->dir), "%s%s/%s",
		 cgfs_mounts(d->b->c)->mount[bench_unified(d->b)].path, d->b->root, id);
	if (mkdir(w->dir, 0755) < 0)
		return -errno;
	dir = open(w->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0 || (program >= 0 && bpf_prog_attach(program, dir, BPF_CGROUP_DEVICE, 0) < 0))
		r = -errno;
	if (dir >= 0)
		close(dir);
	return r < 0 ? r : start(d, w, id);
}

static void list(struct cgfs_device_rule *rule, size_t n)
{
	struct cgfs_device_rule any = { CGFS_DEVICE_CHAR, CGFS_DEVICE_ANY, CGFS_DEVICE_ANY,
					CGFS_ACCESS_ALL, true };

	rule[0] = any;
	if (n == 1)
		return;
	for (size_t i = 0; i < n; i++) {
		rule[i] = any;
		rule[i].major = MAJOR + 1;
		rule[i].minor = (int32_t)i;
	}
	rule[0].major = 1;
	rule[0].minor = 3;
	rule[n / 2].major = rule[n - 1].major = MAJOR;
	rule[n / 2].minor = 0;
	rule[n - 1].minor = OTHER;
}

/* Standalone, or in a pod that has the same list, and then two checks. */
static int add_list(struct devices *d, size_t n, bool in_pod)
{
	static struct cgfs_device_rule rule[RULES_MAX];
	struct cgfs_resources res = CGFS_RESOURCES_INIT;
	struct cgfs_err err = { 0 };
	char name[64], id[32], below[80];
	struct worker *w;
	int r = 0;

	list(rule, n);
	res.set = CGFS_SET_DEVICES;
	res.devices = rule;
	res.n_devices = n;
	snprintf(name, sizeof(name), "cgfs, %zu rule%s%s", n, n == 1 ? "" : "s",
		 in_pod ? ", and those of the pod" : "");
	snprintf(id, sizeof(id), "devices-%zu", n);
	snprintf(below, sizeof(below), "%s%s", in_pod ? "devices-pod/" : "", id);
	w = add(d, name, d->program);
	if (in_pod)
		r = cgfs_pod_create(d->b->c_bpf, "devices-pod", &res, &w->pod, &err);
	if (r == 0)
		r = cgfs_container_create(d->b->c_bpf, w->pod, id, &res, &w->ctr, &err);
	return r < 0 ? bench_fail(r, &err) : start(d, w, below);
}

/* One rule: "goto the next one unless ..." for each part of it, then the answer. */
static size_t compare_rule(struct bpf_insn *insn, const struct cgfs_device_rule *rule)
{
	struct {
		int reg, value;
		bool asked;
	} part[] = {
		{ BPF_REG_2,
		  rule->type == CGFS_DEVICE_BLOCK ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR,
		  rule->type != CGFS_DEVICE_ALL },
		{ BPF_REG_4, rule->major, rule->major != CGFS_DEVICE_ANY },
		{ BPF_REG_5, rule->minor, rule->minor != CGFS_DEVICE_ANY },
	};
	struct bpf_insn *first = insn, *end;

	if (rule->access != CGFS_ACCESS_ALL) {
		*insn++ =
			(struct bpf_insn){ BPF_ALU | BPF_MOV | BPF_X, BPF_REG_1, BPF_REG_3, 0, 0 };
		*insn++ = (struct bpf_insn){ BPF_ALU | BPF_AND | BPF_K, BPF_REG_1, 0, 0,
					     (int)rule->access };
		*insn++ =
			(struct bpf_insn){ BPF_JMP | BPF_JNE | BPF_X, BPF_REG_1, BPF_REG_3, 0, 0 };
	}
	for (size_t i = 0; i < sizeof(part) / sizeof(part[0]); i++) {
		if (part[i].asked)
			*insn++ = (struct bpf_insn){ BPF_JMP | BPF_JNE | BPF_K,
						     (unsigned int)part[i].reg & 15, 0, 0,
						     part[i].value };
	}
	*insn++ = (struct bpf_insn){ BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, rule->allow };
	*insn++ = (struct bpf_insn){ BPF_JMP | BPF_EXIT, 0, 0, 0, 0 };
	end = insn;
	for (insn = first; insn < end; insn++) {
		if (BPF_CLASS(insn->code) == BPF_JMP && BPF_OP(insn->code) == BPF_JNE)
			insn->off = (short)(end - insn - 1);
	}
	return (size_t)(end - first);
}

static int load_comparisons(void)
{
	/* Type, access, major and minor as the context has them, in registers. */
	struct bpf_insn insn[INSNS_MAX] = {
		{ BPF_LDX | BPF_MEM | BPF_W, BPF_REG_2, BPF_REG_1, 0, 0 },
		{ BPF_ALU | BPF_MOV | BPF_X, BPF_REG_3, BPF_REG_2, 0, 0 },
		{ BPF_ALU | BPF_RSH | BPF_K, BPF_REG_3, 0, 0, 16 },
		{ BPF_ALU | BPF_AND | BPF_K, BPF_REG_2, 0, 0, 0xffff },
		{ BPF_LDX | BPF_MEM | BPF_W, BPF_REG_4, BPF_REG_1, 4, 0 },
		{ BPF_LDX | BPF_MEM | BPF_W, BPF_REG_5, BPF_REG_1, 8, 0 },
	};
	const struct cgfs_device_rule nothing = { CGFS_DEVICE_ALL, CGFS_DEVICE_ANY, CGFS_DEVICE_ANY,
						  CGFS_ACCESS_ALL, false };
	const struct cgfs_device_rule *rule;
	size_t n, at = 6;

	rule = cgfs_device_defaults(&n);
	for (size_t i = 0; i < n && at + 20 < INSNS_MAX; i++)
		at += compare_rule(insn + at, &rule[i]);
	at += compare_rule(insn + at, &nothing);
	return bpf_prog_load(BPF_PROG_TYPE_CGROUP_DEVICE, "comparisons", "MIT", insn, at, NULL);
}

static int set_up(struct devices *d)
{
	static const size_t rules[] = { 1, 16, 64, 512 };
	char path[128];
	int r;

	snprintf(d->nodes, sizeof(d->nodes), "/tmp/cgfs-bench-devices.XXXXXX");
	if (!mkdtemp(d->nodes))
		return -errno;
	for (int i = 0; i < 2; i++) {
		snprintf(d->node[i], sizeof(d->node[i]), "%s/%d", d->nodes, i);
		if (mknod(d->node[i], S_IFCHR | 0600, makedev(MAJOR, i ? (unsigned int)OTHER : 0)) <
		    0)
			return -errno;
	}
	snprintf(path, sizeof(path), "%s/device", d->b->pin_dir);
	d->program = bpf_obj_get(path);
	d->comparisons = load_comparisons();
	if (d->program < 0 || d->comparisons < 0)
		return -errno;
	r = add_bare(d, "no program", "devices-none", -1);
	if (r == 0)
		r = add_bare(d, "default list as a program of comparisons", "devices-compare",
			     d->comparisons);
	for (size_t i = 0; r == 0 && i < sizeof(rules) / sizeof(rules[0]); i++)
		r = add_list(d, rules[i], false);
	return r < 0 ? r : add_list(d, 16, true);
}

static void tear_down(struct devices *d)
{
	for (size_t i = d->n; i-- > 0;) {
		struct worker *w = &d->worker[i];

		if (w->ask >= 0)
			close(w->ask);
		if (w->reply >= 0)
			close(w->reply);
		if (w->pid > 0) {
			kill(w->pid, SIGKILL);
			waitpid(w->pid, NULL, 0);
		}
		bench_destroy(w->ctr);
		bench_destroy(w->pod);
		if (w->dir[0] && rmdir(w->dir) < 0)
			fprintf(stderr, "devices: %s: %s\n", w->dir, strerror(errno));
	}
	if (d->program >= 0)
		close(d->program);
	if (d->comparisons >= 0)
		close(d->comparisons);
	for (size_t i = 0; i < sizeof(d->node) / sizeof(d->node[0]); i++) {
		if (unlink(d->node[i]) < 0 && errno != ENOENT)
			fprintf(stderr, "devices: %s: %s\n", d->node[i], strerror(errno));
	}
	if (d->nodes[0] && rmdir(d->nodes) < 0)
		fprintf(stderr, "devices: %s: %s\n", d->nodes, strerror(errno));
}

/* -- figures --------------------------------------------------------------------------------- */

static int by_clock(struct devices *d)
{
	for (size_t round = 0; round < ROUNDS; round++) {
		for (size_t i = 0; i < d->n; i++) {
			struct answer a;
			int r = ask_for(&d->worker[i], OPEN_NULL, &a);

			if (measure_interrupted())
				return -EINTR;
			if (r < 0)
				return r;
			d->worker[i].us[round] = a.us;
			d->worker[i].cpu_us[round] = a.cpu_us;
		}
	}
	for (size_t i = 0; i < d->n; i++) {
		struct worker *w = &d->worker[i];

		w->median_us = measure_median(w->us, ROUNDS);
		w->median_cpu_us = measure_median(w->cpu_us, ROUNDS);
	}
	return 0;
}

/* Median of a batch's nanoseconds a run. */
static int by_kernel(const struct worker *w, char task, double *ret_ns, double *ret_runs)
{
	double ns[ROUNDS] = { 0 };

	for (size_t round = 0; round < ROUNDS && !measure_interrupted(); round++) {
		struct bpf_prog_info before = { 0 }, after = { 0 };
		uint32_t len = sizeof(before);
		struct answer a;
		int r = bpf_obj_get_info_by_fd(w->program, &before, &len);

		if (r == 0)
			r = ask_for(w, task, &a);
		len = sizeof(after);
		if (r == 0)
			r = bpf_obj_get_info_by_fd(w->program, &after, &len);
		if (r < 0 || after.run_cnt == before.run_cnt)
			return -EIO;
		ns[round] = (double)(after.run_time_ns - before.run_time_ns) /
			    (double)(after.run_cnt - before.run_cnt);
		*ret_runs = (double)(after.run_cnt - before.run_cnt) / BATCH;
	}
	*ret_ns = measure_median(ns, ROUNDS);
	return measure_interrupted() ? -EINTR : 0;
}

static int kernel_figures(struct devices *d)
{
	int stats = bpf_enable_stats(BPF_STATS_RUN_TIME), r = stats < 0 ? -errno : 0;
	double runs;

	for (size_t i = 0; i < d->n && r == 0; i++) {
		struct worker *w = &d->worker[i];

		if (w->program < 0)
			continue;
		r = by_kernel(w, OPEN_NULL, &w->null_ns, &w->runs);
		if (r == 0)
			r = by_kernel(w, ASK_TWO, &w->two_ns, &runs);
	}
	if (stats >= 0)
		close(stats);
	return r;
}

static void print(const struct devices *d)
{
	const struct worker *first = &d->worker[0];

	printf("\ndevices: open and close of /dev/null; a run of the program by the kernel's "
	       "clock\n");
	for (size_t i = 0; i < d->n; i++) {
		const struct worker *w = &d->worker[i];

		printf("  %-42s %8.2f us %5.2f x   cpu %6.2f us %5.2f x", w->name, w->median_us,
		       w->median_us / first->median_us, w->median_cpu_us,
		       w->median_cpu_us / first->median_cpu_us);
		if (w->program >= 0)
			printf("   %.0f x %4.0f ns, not remembered %4.0f ns", w->runs, w->null_ns,
			       w->two_ns);
		putchar('\n');
	}
	fflush(stdout);
}

static int rows(struct bench *b)
{
	static struct devices d;
	int r;

	d.b = b;
	d.program = d.comparisons = -1;
	if (!b->c_bpf)
		return 0; /* reported already */
	if (bench_unified(b) < 0) {
		printf("\ndevices: no cgroup2 tree\n");
		return 0;
	}
	r = set_up(&d);
	if (r == 0)
		r = by_clock(&d);
	if (r == 0)
		r = kernel_figures(&d);
	if (r == 0)
		print(&d);
	else
		fprintf(stderr, "devices: %s\n", strerror(-r));
	tear_down(&d);
	return r;
}
#else
#define rows NULL /* nothing without eBPF */
#endif

int main(void)
{
	return bench_main("devices", rows);
}
