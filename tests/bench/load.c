/* SPDX-License-Identifier: MIT */
/*
 * load.c - the eBPF programs, once a boot and at each start of a program afterwards: loaded and
 * pinned where nothing was, taken over, taken away again.
 */
#include "bench.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#if CGFS_WITH_BPF
#define ROUNDS 30

static int open_pins(const char *pin_dir, bool all, struct cgfs_bpf **ret, double *ret_us)
{
	struct cgfs_bpf_opts opts = CGFS_BPF_OPTS_INIT;
	struct cgfs_err err = { 0 };
	double start = measure_now_us();
	int r;

	opts.pin_dir = pin_dir;
	opts.memory = all;
	r = cgfs_bpf_open(&opts, ret, &err);
	*ret_us = measure_now_us() - start;
	return r < 0 ? bench_fail(r, &err) : 0;
}

static int life(const char *pin_dir, bool all, double *cold_us, double *warm_us, double *unpin_us)
{
	struct cgfs_bpf *first = NULL, *second = NULL;
	struct cgfs_err err = { 0 };
	int r = open_pins(pin_dir, all, &first, cold_us), u = 0;
	double start;

	if (r == 0)
		r = open_pins(pin_dir, all, &second, warm_us);
	cgfs_bpf_close(second);
	start = measure_now_us();
	if (first)
		u = cgfs_bpf_unpin(first, &err);
	*unpin_us = measure_now_us() - start;
	cgfs_bpf_close(first);
	return u < 0 ? bench_fail(u, &err) : r;
}

static int row(const char *title, const char *pin_dir, bool all)
{
	double cold[ROUNDS], warm[ROUNDS], unpin[ROUNDS];
	int r = 0;

	for (int i = 0; i < ROUNDS && r == 0; i++)
		r = measure_interrupted() ? -EINTR
					  : life(pin_dir, all, &cold[i], &warm[i], &unpin[i]);
	if (r == 0)
		printf("\n%s\n  %-52s %10.1f us\n  %-52s %10.1f us\n  %-52s %10.1f us\n", title,
		       "nothing pinned: load and pin", measure_median(cold, ROUNDS),
		       "pinned: take over", measure_median(warm, ROUNDS), "cgfs_bpf_unpin",
		       measure_median(unpin, ROUNDS));
	return r;
}

static int rows(struct bench *b)
{
	char pin_dir[96];
	int r;

	if (!b->bpf)
		return 0; /* reported already */
	snprintf(pin_dir, sizeof(pin_dir), "%s-load", b->pin_dir);
	r = row("eBPF: cgfs_bpf_open", pin_dir, false);
	return r < 0 ? r
		     : row("the same with memory accounting, as far as the kernel allows it",
			   pin_dir, true);
}
#else
#define rows NULL /* nothing without eBPF */
#endif

int main(void)
{
	return bench_main("load", rows);
}
