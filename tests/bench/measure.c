/* SPDX-License-Identifier: MIT */
/*
 * measure.c - see measure.h.
 */
#include "measure.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

double measure_now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double measure_median(double *values, size_t n)
{
	qsort(values, n, sizeof(*values), compare);
	return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

int measure(struct variant *v, size_t n, unsigned int rounds)
{
	double *us = calloc(n * rounds, sizeof(*us));
	int r = us ? 0 : -ENOMEM;

	for (unsigned int round = 0; r == 0 && round < rounds; round++) {
		for (size_t i = 0; r == 0 && i < n; i++) {
			double start = measure_now_us();

			r = v[i].run(v[i].arg);
			us[i * rounds + round] = measure_now_us() - start;
			if (r < 0)
				fprintf(stderr, "%s: failed: %d\n", v[i].name, r);
		}
	}
	for (size_t i = 0; r == 0 && i < n; i++)
		v[i].median_us = measure_median(us + i * rounds, rounds);
	free(us);
	return r;
}

void measure_print(const char *title, const struct variant *v, size_t n)
{
	printf("\n%s\n", title);
	for (size_t i = 0; i < n; i++)
		printf("  %-52s %10.1f us  %6.2f x\n", v[i].name, v[i].median_us,
		       v[i].median_us / v[0].median_us);
	fflush(stdout);
}
