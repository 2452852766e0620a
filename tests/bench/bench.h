/* SPDX-License-Identifier: MIT */
/*
 * bench.h - what the benchmarks of the library share: a pods root of their own, one context
 * with the eBPF policy and one without, and taking it all away again.
 */
#ifndef BENCH_H
#define BENCH_H

#include "measure.h"

#include <cgfs/bpf.h>
#include <cgfs/cgfs.h>

struct bench {
	struct cgfs *c;	    /* control files alone */
	struct cgfs *c_bpf; /* with the eBPF policy; NULL where there is none */
	struct cgfs_bpf *bpf;
	/* Stands for the whole run: the first device program of a machine and the last one that
	 * goes cost a patch of the kernel's code each, which is not what a further pod costs. */
	struct cgfs_group *standing;
	char root[64], pin_dir[64];
	size_t n;
	int root_fd[CGFS_MOUNTS_MAX]; /* the pods root in each hierarchy */
};

/* main() of a benchmark: skips without root, sets up, runs, takes down.  @rows NULL: there are none
 * in this build. */
int bench_main(const char *name, int (*rows)(struct bench *b));

/* Index in root_fd of the hierarchy of a controller; -1 without it. */
int bench_hierarchy(const struct bench *b, enum cgfs_controller ctl);
int bench_unified(const struct bench *b);
bool bench_v2(const struct bench *b, enum cgfs_controller ctl);

/* measure() by a process in the group: its results are in @v. */
int bench_inside(struct cgfs_group *g, struct variant *v, size_t n, unsigned int rounds);
/* Removes and closes; complains to stderr.  NULL is nothing to do. */
void bench_destroy(struct cgfs_group *g);
/* Prints what went wrong; returns @r. */
int bench_fail(int r, const struct cgfs_err *err);
/* A file with a name of its own in a temporary directory; what is in it goes at the end. */
const char *bench_program(const char *name, char *buf, size_t len);

#endif
