/* SPDX-License-Identifier: MIT */
/*
 * memory.c - the limit of all pods together: the machine's memory less a reserve.  Looks again
 * once a minute, and when the host asks, because memory can be plugged and unplugged.
 */
#include <stdio.h>
#include <sys/sysinfo.h>

#include "../cgfs/internal.h"
#include "agent.h"

#define REFRESH_MS 60000

int memory_limit(const struct agent *a, uint64_t *ret, struct cgfs_err *err)
{
	uint64_t reserve = a->opt->root_mem_reserve_bytes, total;
	struct sysinfo si;
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)reserve);
	if (sysinfo(&si) < 0)
		return cgfs_err_set(err, -errno, "read the size of memory", NULL, NULL, NULL);
	if (__builtin_mul_overflow((uint64_t)si.totalram, (uint64_t)si.mem_unit, &total) ||
	    total > INT64_MAX)
		return cgfs_err_set(err, -EOVERFLOW, "read the size of memory", NULL, NULL, NULL);
	if (total <= reserve)
		return cgfs_err_set(err, -EINVAL, "option -root-mem-reserve-bytes", NULL, text,
				    "this machine has %llu bytes: nothing is left for pods",
				    (unsigned long long)total);
	*ret = total - reserve;
	return 0;
}

/* Also when nothing has changed here: who removed the empty root took the limit along. */
int memory_refresh(struct agent *a, struct cgfs_err *err)
{
	struct cgfs_resources res = CGFS_RESOURCES_INIT;
	uint64_t before = a->root_limit_bytes;
	int r;

	res.set = CGFS_SET_MEMORY_MAX;
	r = memory_limit(a, &res.memory_max_bytes, err);
	if (r == 0)
		r = cgfs_root_set(a->cgfs, &res, err);
	if (r < 0)
		return r;
	a->root_limit_bytes = res.memory_max_bytes;
	if (before != res.memory_max_bytes)
		log_write(&a->log, LOG_INFO, "pods together are limited", "root",
			  cgfs_root(a->cgfs), "memoryLimitBytes", LOG_NUM(res.memory_max_bytes),
			  NULL);
	return 0;
}

static void try_refresh(struct agent *a)
{
	struct cgfs_err err = { 0 };

	if (memory_refresh(a, &err) < 0)
		log_write(&a->log, LOG_ERROR, "failed to refresh cgroup memory limits", "error",
			  err.text, NULL);
}

/* What cannot be limited now may be later; meanwhile pods are served all the same. */
static void refresh(void *ctx)
{
	struct agent *a = ctx;

	try_refresh(a);
	a->refresh = (struct loop_timer){ .fn = refresh, .ctx = a };
	(void)loop_timer_set(a->loop, &a->refresh, REFRESH_MS);
}

void memory_begin(struct agent *a)
{
	if (cgfs_place(a->cgfs, CGFS_MEMORY).version == CGFS_NONE)
		log_write(&a->log, LOG_WARNING, "pods together have no memory limit", "why",
			  "there is no memory controller on this host", NULL);
	else
		refresh(a);
}

void memory_first_pod(struct agent *a)
{
	if (a->root_limit_bytes && a->pods.n == 0 && a->containers.n <= 1)
		try_refresh(a);
}
