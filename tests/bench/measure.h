/* SPDX-License-Identifier: MIT */
/*
 * measure.h - medians of interleaved runs, and the table they are printed in.
 *
 * The variants of one row take turns within one loop, so that whatever else the machine does
 * hits all of them alike; the median of each is kept, and the ratio to the first (the bare
 * system calls) is what a reader compares.
 */
#ifndef MEASURE_H
#define MEASURE_H

#include <stddef.h>

struct variant {
	const char *name;
	/* One round of the work; 0, or a negative errno that ends the row. */
	int (*run)(void *arg);
	void *arg;
	/* Filled by measure(): microseconds a round. */
	double median_us;
};

/* Runs each variant @rounds times, in turns.  0, or what a round returned. */
int measure(struct variant *v, size_t n, unsigned int rounds);

/* "title", then a line for each variant: microseconds and ratio to the first. */
void measure_print(const char *title, const struct variant *v, size_t n);

double measure_now_us(void);
double measure_median(double *values, size_t n);

#endif
