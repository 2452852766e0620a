/* SPDX-License-Identifier: MIT */
/*
 * measure.h - medians of interleaved runs, and the table they are printed in.
 *
 * The variants of one row take turns within one loop, so that other work of the machine
 * hits all of them alike; the median of each is kept, and the ratio to the first (the bare
 * system calls) is what a reader compares, by the clock and in processor time.  SIGINT, SIGTERM and
 * SIGHUP end the row, so that a benchmark that is interrupted still takes away what it made.
 */
#ifndef MEASURE_H
#define MEASURE_H

#include <stdbool.h>
#include <stddef.h>

struct variant {
	const char *name;
	/* One round of the work; 0, or a negative errno that ends the row. */
	int (*run)(void *arg);
	void *arg;
	/* Filled by measure(): microseconds a round, by the clock and of this process's time on a
	 * processor, with that of children it waited for.  The latter says what the work costs
	 * where others want the processor too. */
	double median_us, cpu_us;
};

/* Runs each variant @rounds times, in turns.  0, what a round returned, or -EINTR. */
int measure(struct variant *v, size_t n, unsigned int rounds);

/* Was there a signal that asks to stop?  measure_catch_signals() begins to notice. */
void measure_catch_signals(void);
bool measure_interrupted(void);

/* "title", then a line for each variant: microseconds and ratio to the first, and the same for
 * processor time unless cpu_us of the first or of that line is 0. */
void measure_print(const char *title, const struct variant *v, size_t n);

double measure_now_us(void);
/* Of this process and of its children that were waited for. */
double measure_cpu_us(void);
double measure_median(double *values, size_t n);

#endif
