/* SPDX-License-Identifier: MIT */
/*
 * charge.c - what memory accounting costs those who take memory: pages of its own that a process
 * touches for the first time, and pages of a file in memory, in a container, before the programs
 * are attached, while they are, and after.
 *
 * The programs run for the whole system, so the variants cannot take turns; the last one shows what
 * the machine has done meanwhile.  Only a kernel that allows fexit can say (`make bench-guest`).
 */
#include "bench.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#if CGFS_WITH_BPF

#define PAGES  2048
#define ROUNDS 41

struct figures {
	double fault, fault_cpu, file, file_cpu; /* us for PAGES pages */
	double charges;				 /* as counted; 0: they were not */
};

static int touch(void *arg)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), size = PAGES * page;
	char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return -errno;
	madvise(p, size, MADV_NOHUGEPAGE);
	for (size_t at = 0; at < size; at += page)
		p[at] = 1;
	munmap(p, size);
	return 0;
}

static int fill(void *arg)
{
	static char block[4096];
	int fd = memfd_create("bench", MFD_CLOEXEC), r = 0;

	if (fd < 0)
		return -errno;
	for (int i = 0; i < PAGES && r == 0; i++)
		r = write(fd, block, sizeof(block)) == (ssize_t)sizeof(block) ? 0 : -EIO;
	close(fd);
	return r;
}

static int in_container(struct cgfs_group *ctr, struct figures *ret)
{
	struct variant v[] = { { "touch", touch, NULL, 0, 0 }, { "fill", fill, NULL, 0, 0 } };
	int r = bench_inside(ctr, v, 2, ROUNDS);

	*ret = (struct figures){ v[0].median_us, v[0].cpu_us, v[1].median_us, v[1].cpu_us, 0 };
	return r;
}

/* A pod of a context with such a policy, or without any. */
static int one(struct bench *b, const struct cgfs_policy *policy, const char *id,
	       struct figures *ret)
{
	struct cgfs_open_opts opts = CGFS_OPEN_OPTS_INIT;
	struct cgfs_group *pod = NULL, *ctr = NULL;
	struct cgfs_stats stats = CGFS_STATS_INIT;
	struct cgfs_err err = { 0 };
	struct cgfs *c = NULL;
	int r;

	opts.root = b->root;
	opts.policy = policy;
	r = cgfs_open(&opts, &c, &err);
	if (r == 0)
		r = cgfs_pod_create(c, id, NULL, &pod, &err);
	if (r == 0)
		r = cgfs_container_create(c, pod, "c", NULL, &ctr, &err);
	r = r < 0 ? bench_fail(r, &err) : in_container(ctr, ret);
	if (r == 0 && cgfs_group_stats(ctr, CGFS_READ_POLICY, &stats, &err) == 0)
		ret->charges = (double)stats.figure[CGFS_STAT_CHARGE_COUNT].value;
	bench_destroy(ctr);
	bench_destroy(pod);
	cgfs_close(c);
	return r;
}

static void row(const char *title, const struct figures f[4], size_t at)
{
	static const char *const names[] = {
		"before the programs are attached",
		"attached, and the container is not counted",
		"attached, and the container is counted",
		"when they are gone again",
	};
	struct variant v[4];

	for (size_t i = 0; i < 4; i++)
		v[i] = (struct variant){ names[i], NULL, NULL, ((const double *)&f[i])[at],
					 ((const double *)&f[i])[at + 1] };
	measure_print(title, v, 4);
}

static int rows(struct bench *b)
{
	struct cgfs_bpf_opts opts = CGFS_BPF_OPTS_INIT;
	struct cgfs_err err = { 0 };
	struct cgfs_bpf *bpf = NULL;
	struct figures f[4];
	char pin_dir[80];
	int r = one(b, NULL, "before", &f[0]);

	snprintf(pin_dir, sizeof(pin_dir), "%s-memory", b->pin_dir);
	opts.pin_dir = pin_dir;
	opts.memory = true;
	if (r == 0 && cgfs_bpf_open(&opts, &bpf, &err) < 0)
		r = bench_fail(err.code, &err);
	if (r < 0)
		return r;
	r = one(b, NULL, "uncounted", &f[1]);
	if (r == 0)
		r = one(b, cgfs_bpf_policy(bpf), "counted", &f[2]);
	if (cgfs_bpf_unpin(bpf, &err) < 0)
		r = bench_fail(err.code, &err);
	cgfs_bpf_close(bpf);
	if (r == 0)
		r = one(b, NULL, "after", &f[3]);
	if (r == 0 && f[2].charges == 0) {
		printf("\nthis kernel does not let memory be counted\n");
	} else if (r == 0) {
		row("2048 pages touched for the first time", f, 0);
		row("2048 pages of a file in memory", f, 2);
	}
	return r;
}

#else
#define rows NULL
#endif

int main(void)
{
	return bench_main("charge", rows);
}
