/* SPDX-License-Identifier: MIT */
/*
 * clock.h - clocks as one number.
 */
#ifndef CGFS_BASE_CLOCK_H
#define CGFS_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

/* Nanoseconds of a CLOCK_*. */
static inline uint64_t now_ns(int clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* Milliseconds of CLOCK_MONOTONIC. */
static inline uint64_t now_ms(void)
{
	return now_ns(CLOCK_MONOTONIC) / 1000000;
}

#endif
