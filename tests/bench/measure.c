/* SPDX-License-Identifier: MIT */
/*
 * measure.c - see measure.h.
 */
#include "measure.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

static double clock_us(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

double measure_now_us(void)
{
	return clock_us(CLOCK_MONOTONIC);
}

double measure_cpu_us(void)
{
	struct rusage of;

	getrusage(RUSAGE_CHILDREN, &of);
	return clock_us(CLOCK_PROCESS_CPUTIME_ID) +
	       (double)(of.ru_utime.tv_sec + of.ru_stime.tv_sec) * 1e6 +
	       (double)(of.ru_utime.tv_usec + of.ru_stime.tv_usec);
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

static volatile sig_atomic_t interrupted;

static void on_signal(int sig)
{
	interrupted = 1;
}

void measure_catch_signals(void)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction sa = { .sa_handler = on_signal }; /* no SA_RESTART: waits end */

	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaction(signals[i], &sa, NULL);
	signal(SIGPIPE, SIG_IGN);
}

bool measure_interrupted(void)
{
	return interrupted;
}

int measure(struct variant *v, size_t n, unsigned int rounds)
{
	double *us = calloc(n * rounds, 2 * sizeof(*us)), *cpu = us + n * rounds;
	int r = us ? 0 : -ENOMEM;

	for (unsigned int round = 0; r == 0 && round < rounds; round++) {
		for (size_t turn = 0; r == 0 && turn < n; turn++) {
			/* There and back: the kernel does for the first who asks what it then need
			 * not do for the next. */
			size_t i = round % 2 ? n - 1 - turn : turn;
			double cpu_start = measure_cpu_us();
			double start = measure_now_us();

			r = v[i].run(v[i].arg);
			us[i * rounds + round] = measure_now_us() - start;
			cpu[i * rounds + round] = measure_cpu_us() - cpu_start;
			if (interrupted)
				r = -EINTR;
			else if (r < 0)
				fprintf(stderr, "%s: failed: %d\n", v[i].name, r);
		}
	}
	for (size_t i = 0; r == 0 && i < n; i++) {
		v[i].median_us = measure_median(us + i * rounds, rounds);
		v[i].cpu_us = measure_median(cpu + i * rounds, rounds);
	}
	free(us);
	return r;
}

void measure_print(const char *title, const struct variant *v, size_t n)
{
	printf("\n%s\n", title);
	for (size_t i = 0; i < n; i++) {
		printf("  %-52s %10.1f us  %6.2f x", v[i].name, v[i].median_us,
		       v[i].median_us / v[0].median_us);
		if (v[0].cpu_us > 0 && v[i].cpu_us > 0)
			printf("   cpu %8.1f us  %6.2f x", v[i].cpu_us, v[i].cpu_us / v[0].cpu_us);
		putchar('\n');
	}
	fflush(stdout);
}
