/* SPDX-License-Identifier: MIT */
/*
 * threshold.h - a line that memory usage may cross, on either version; see threshold.c.
 */
#ifndef CGFS_CONTROLLER_THRESHOLD_H
#define CGFS_CONTROLLER_THRESHOLD_H

#include <cgfs/cgfs.h>

struct threshold_wire {
	int counter;			  /* v1: eventfd */
	int wd;				  /* v2: of memory.events */
	void (*fn)(struct cgfs_group *g); /* v2: whom it calls */
	bool armed;			  /* v2: memory.high is ours */
	uint64_t count;	 /* v2: how often the group itself had been over a memory.high before */
	uint64_t set;	 /* v2: what it reads since; 0: not known */
	char before[32]; /* v2: what it was */
};

struct threshold_ops {
	int (*usage)(struct cgfs_group *g, uint64_t *ret, struct cgfs_err *reterr);
	/* From now on @fn is called when usage may have gone over @high. */
	int (*arm)(struct cgfs_group *g, struct threshold_wire *w, uint64_t high,
		   void (*fn)(struct cgfs_group *g), struct cgfs_err *reterr);
	/* In @fn: has it, since it was armed?  Usage may be lower again by now.  1, 0, or a
	 * negative errno. */
	int (*crossed)(struct cgfs_group *g, const struct threshold_wire *w);
	/* It has fired; the kernel's state goes back to what it was. */
	void (*fired)(struct cgfs_group *g, struct threshold_wire *w);
	void (*disarm)(struct cgfs_group *g, struct threshold_wire *w);
};

/* NULL without a memory controller. */
const struct threshold_ops *threshold_ops(const struct cgfs *c);

#endif
