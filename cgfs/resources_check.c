/* SPDX-License-Identifier: MIT */
/*
 * resources_check.c - which values make sense, alone and together.  Everything that can be
 * refused without a kernel is refused here, before the first write; must not know versions,
 * paths or JSON.
 */
#include "resources_check.h"
#include "devices.h"
#include "internal.h"
#include "unified.h"

#include <inttypes.h>
#include <stdio.h>

#define PERMISSIONS (CGFS_SET_ALLOW_OOM_KILL | CGFS_SET_NEAREST)
#define KNOWN_BITS  ((uint64_t)((CGFS_SET_ZSWAP_WRITEBACK << 1) - 1) | PERMISSIONS)

/* No caller's struct is larger, whatever its version: a larger size is an uninitialized one. */
#define SZ_MAX 4096

#define CPU_PERIOD_MIN	  1000
#define CPU_PERIOD_MAX	  1000000
#define CPU_QUOTA_MIN	  1000
/* max_cfs_runtime of kernel/sched/core.c: 44 bits of microseconds. */
#define CPU_QUOTA_MAX	  ((UINT64_C(1) << 44) - 1)
/* PID_MAX_LIMIT of include/linux/threads.h. */
#define PIDS_LIMIT_MAX	  UINT64_C(4194304)
/* Processors and nodes: above what any kernel is built for. */
#define CPUSET_NUMBER_MAX 65535
#define CPUSET_LEN_MAX	  4095

static const struct cgfs_resource_names own_names = {
	.memory_max = "memory_max_bytes",
	.memory_swap = "memory_swap_bytes",
	.memory_low = "memory_low_bytes",
	.memory_high = "memory_high_bytes",
	.memory_min = "memory_min_bytes",
	.cpu_weight = "cpu_weight",
	.cpu_shares = "cpu_shares",
	.cpu_quota = "cpu_quota_us",
	.cpu_period = "cpu_period_us",
	.cpuset_cpus = "cpuset_cpus",
	.cpuset_mems = "cpuset_mems",
	.pids_max = "pids_max",
	.devices = "devices",
	.unified = "unified",
	.cpu_burst = "cpu_burst_us",
	.cpu_idle = "cpu_idle",
	.cpu_rt_runtime = "cpu_rt_runtime_us",
	.cpu_rt_period = "cpu_rt_period_us",
	.cpuset_partition = "cpuset_partition",
	.memory_swappiness = "memory_swappiness",
	.memory_kernel = "memory_kernel_bytes",
	.memory_kernel_tcp = "memory_kernel_tcp_bytes",
	.memory_zswap_max = "memory_zswap_max_bytes",
	.io_weight = "io_weight",
	.io_devices = "io_devices",
	.hugetlb = "hugetlb",
	.rdma = "rdma",
	.misc = "misc",
	.net_prio = "net_prio",
};

int cgfs_value_refuse(struct cgfs_err *reterr, const char *name, uint64_t value, const char *why,
		      ...)
{
	char number[24], words[256];
	va_list ap;

	snprintf(number, sizeof(number), "%" PRIu64, value);
	va_start(ap, why);
	vsnprintf(words, sizeof(words), why, ap);
	va_end(ap);
	return cgfs_err_set(reterr, -EINVAL, name, NULL, value == CGFS_MAX ? "max" : number, "%s",
			    words);
}

/* A number of bytes that the kernel can hold, or CGFS_MAX. */
static int check_bytes(uint64_t value, const char *name, struct cgfs_err *reterr)
{
	if (value > INT64_MAX && value != CGFS_MAX)
		return cgfs_value_refuse(reterr, name, value,
					 "the largest number of bytes is %" PRId64, INT64_MAX);
	return 0;
}

static int check_memory(const struct cgfs_resources *res, const struct cgfs_resource_names *names,
			struct cgfs_err *reterr)
{
	const struct {
		uint64_t bit, value;
		const char *name;
	} bytes[] = {
		{ CGFS_SET_MEMORY_MAX, res->memory_max_bytes, names->memory_max },
		{ CGFS_SET_MEMORY_SWAP, res->memory_swap_bytes, names->memory_swap },
		{ CGFS_SET_MEMORY_LOW, res->memory_low_bytes, names->memory_low },
		{ CGFS_SET_MEMORY_HIGH, res->memory_high_bytes, names->memory_high },
		{ CGFS_SET_MEMORY_MIN, res->memory_min_bytes, names->memory_min },
		{ CGFS_SET_MEMORY_KERNEL, res->memory_kernel_bytes, names->memory_kernel },
		{ CGFS_SET_MEMORY_KERNEL_TCP, res->memory_kernel_tcp_bytes,
		  names->memory_kernel_tcp },
		{ CGFS_SET_MEMORY_ZSWAP_MAX, res->memory_zswap_max_bytes, names->memory_zswap_max },
	};
	long page = sysconf(_SC_PAGESIZE);

	for (size_t i = 0; i < ARRAY_SIZE(bytes); i++) {
		int r = res->set & bytes[i].bit ? check_bytes(bytes[i].value, bytes[i].name, reterr)
						: 0;

		if (r < 0)
			return r;
	}
	/* The kernel counts pages and rounds down; a limit of 0 kills whatever is started. */
	if ((res->set & CGFS_SET_MEMORY_MAX) && page > 0 && res->memory_max_bytes < (uint64_t)page)
		return cgfs_value_refuse(reterr, names->memory_max, res->memory_max_bytes,
					 "a limit is at least one page (%ld bytes)", page);
	if ((res->set & CGFS_SET_MEMORY_SWAPPINESS) && res->memory_swappiness > 100)
		return cgfs_value_refuse(reterr, names->memory_swappiness, res->memory_swappiness,
					 "it must be 0 to 100");
	return 0;
}

static int check_swap(const struct cgfs_resources *res, const struct cgfs_resource_names *names,
		      struct cgfs_err *reterr)
{
	uint64_t swap = res->memory_swap_bytes, memory = res->memory_max_bytes;

	if (!(res->set & CGFS_SET_MEMORY_SWAP) || swap == CGFS_MAX)
		return 0;
	if (!(res->set & CGFS_SET_MEMORY_MAX))
		return cgfs_value_refuse(reterr, names->memory_swap, swap,
					 "it is memory and swap together and needs %s",
					 names->memory_max);
	if (memory == CGFS_MAX)
		return cgfs_value_refuse(reterr, names->memory_swap, swap,
					 "it is memory and swap together, but %s is unlimited",
					 names->memory_max);
	if (swap < memory)
		return cgfs_value_refuse(reterr, names->memory_swap, swap,
					 "it is memory and swap together, but %s is %" PRIu64,
					 names->memory_max, memory);
	return 0;
}

static int check_cpu(const struct cgfs_resources *res, const struct cgfs_resource_names *names,
		     struct cgfs_err *reterr)
{
	uint64_t set = res->set;

	if ((set & CGFS_SET_CPU_WEIGHT) && (set & CGFS_SET_CPU_SHARES))
		return cgfs_value_refuse(reterr, names->cpu_shares, res->cpu_shares,
					 "%s is set as well, and both say the same thing",
					 names->cpu_weight);
	if ((set & CGFS_SET_CPU_WEIGHT) && (res->cpu_weight < 1 || res->cpu_weight > 10000))
		return cgfs_value_refuse(reterr, names->cpu_weight, res->cpu_weight,
					 "it must be 1 to 10000");
	if ((set & CGFS_SET_CPU_SHARES) && res->cpu_shares == CGFS_MAX)
		return cgfs_value_refuse(reterr, names->cpu_shares, res->cpu_shares,
					 "shares are relative; there is no unlimited");
	if ((set & CGFS_SET_CPU_QUOTA) && res->cpu_quota_us < CPU_QUOTA_MIN)
		return cgfs_value_refuse(reterr, names->cpu_quota, res->cpu_quota_us,
					 "the smallest quota is %d microseconds", CPU_QUOTA_MIN);
	if ((set & CGFS_SET_CPU_QUOTA) && res->cpu_quota_us > CPU_QUOTA_MAX &&
	    res->cpu_quota_us != CGFS_MAX)
		return cgfs_value_refuse(reterr, names->cpu_quota, res->cpu_quota_us,
					 "the largest quota is %" PRIu64 " microseconds",
					 CPU_QUOTA_MAX);
	if ((set & CGFS_SET_CPU_PERIOD) &&
	    (res->cpu_period_us < CPU_PERIOD_MIN || res->cpu_period_us > CPU_PERIOD_MAX))
		return cgfs_value_refuse(reterr, names->cpu_period, res->cpu_period_us,
					 "it must be %d to %d microseconds", CPU_PERIOD_MIN,
					 CPU_PERIOD_MAX);
	return 0;
}

/* What goes beyond weight, quota and period. */
static int check_cpu_more(const struct cgfs_resources *res, const struct cgfs_resource_names *names,
			  struct cgfs_err *reterr)
{
	uint64_t set = res->set, runtime = res->cpu_rt_runtime_us, period = res->cpu_rt_period_us;

	if ((set & CGFS_SET_CPU_BURST) && res->cpu_burst_us > CPU_QUOTA_MAX)
		return cgfs_value_refuse(reterr, names->cpu_burst, res->cpu_burst_us,
					 "the largest burst is %" PRIu64 " microseconds",
					 CPU_QUOTA_MAX);
	if ((set & CGFS_SET_CPU_BURST) && (set & CGFS_SET_CPU_QUOTA) &&
	    res->cpu_burst_us > res->cpu_quota_us)
		return cgfs_value_refuse(reterr, names->cpu_burst, res->cpu_burst_us,
					 "it must not be above %s, which is %" PRIu64,
					 names->cpu_quota, res->cpu_quota_us);
	if ((set & CGFS_SET_CPU_IDLE) && res->cpu_idle &&
	    (set & (CGFS_SET_CPU_WEIGHT | CGFS_SET_CPU_SHARES)))
		return cgfs_err_set(reterr, -EINVAL, names->cpu_idle, NULL, NULL,
				    "an idle group has no weight, but %s is set",
				    set & CGFS_SET_CPU_WEIGHT ? names->cpu_weight
							      : names->cpu_shares);
	if ((set & CGFS_SET_CPU_RT_PERIOD) && (!period || period > CPU_QUOTA_MAX))
		return cgfs_value_refuse(reterr, names->cpu_rt_period, period,
					 "it must be 1 to %" PRIu64 " microseconds", CPU_QUOTA_MAX);
	if ((set & CGFS_SET_CPU_RT_RUNTIME) && runtime > CPU_QUOTA_MAX && runtime != CGFS_MAX)
		return cgfs_value_refuse(reterr, names->cpu_rt_runtime, runtime,
					 "the largest is %" PRIu64 " microseconds", CPU_QUOTA_MAX);
	if ((set & CGFS_SET_CPU_RT_RUNTIME) && (set & CGFS_SET_CPU_RT_PERIOD) &&
	    runtime != CGFS_MAX && runtime > period)
		return cgfs_value_refuse(reterr, names->cpu_rt_runtime, runtime,
					 "it must not be above %s, which is %" PRIu64,
					 names->cpu_rt_period, period);
	return 0;
}

/* Digits at *@text; -1 when there are none or too many. */
static int32_t list_number(const char **text)
{
	int32_t v = 0;
	const char *c = *text;

	if (*c < '0' || *c > '9')
		return -1;
	for (; *c >= '0' && *c <= '9'; c++) {
		v = v * 10 + (*c - '0');
		if (v > CPUSET_NUMBER_MAX)
			return -1;
	}
	*text = c;
	return v;
}

/* "0-3,7": numbers and ranges, with as many commas and blanks between and around them as the
 * kernel's parser skips. */
static int check_list(const char *list, const char *name, struct cgfs_err *reterr)
{
	const char *separators = ", \t", *c = list ? list + strspn(list, separators) : "";

	if (!*c)
		return cgfs_err_set(reterr, -EINVAL, name, NULL, list, "it names nothing");
	if (strlen(list) > CPUSET_LEN_MAX)
		return cgfs_err_set(reterr, -EINVAL, name, NULL, list, "it is longer than %d bytes",
				    CPUSET_LEN_MAX);
	while (*c) {
		int32_t first = list_number(&c), last = first;

		if (first >= 0 && *c == '-') {
			c++;
			last = list_number(&c);
		}
		if (first < 0 || last < first || (*c && !strchr(separators, *c)))
			return cgfs_err_set(reterr, -EINVAL, name, NULL, list,
					    "it is not a list such as \"0-3,7\"");
		c += strspn(c, separators);
	}
	return 0;
}

static int check_lists(const struct cgfs_resources *res, const struct cgfs_resource_names *names,
		       struct cgfs_err *reterr)
{
	const char *partition = res->cpuset_partition;
	int r = 0;

	if (res->set & CGFS_SET_CPUSET_CPUS)
		r = check_list(res->cpuset_cpus, names->cpuset_cpus, reterr);
	if (r == 0 && (res->set & CGFS_SET_CPUSET_MEMS))
		r = check_list(res->cpuset_mems, names->cpuset_mems, reterr);
	if (r < 0 || !(res->set & CGFS_SET_CPUSET_PARTITION))
		return r;
	if (!partition || (!streq(partition, "member") && !streq(partition, "root") &&
			   !streq(partition, "isolated")))
		return cgfs_err_set(reterr, -EINVAL, names->cpuset_partition, NULL, partition,
				    "it must be member, root or isolated");
	return 0;
}

static int check_devices(const struct cgfs_resources *res, const struct cgfs_resource_names *names,
			 struct cgfs_err *reterr)
{
	if (!(res->set & CGFS_SET_DEVICES))
		return 0;
	if (res->n_devices > CGFS_DEVICE_RULES_MAX)
		return cgfs_err_set(reterr, -E2BIG, names->devices, NULL, NULL,
				    "%zu rules are more than %d", res->n_devices,
				    CGFS_DEVICE_RULES_MAX);
	if (!res->devices && res->n_devices)
		return cgfs_err_set(reterr, -EINVAL, names->devices, NULL, NULL,
				    "there is no list of %zu rules", res->n_devices);
	for (size_t i = 0; i < res->n_devices; i++) {
		int r = cgfs_device_rule_check(&res->devices[i], reterr);

		if (r < 0)
			return cgfs_err_context(reterr, r, "%s[%zu]", names->devices, i);
	}
	return 0;
}

static int check_unified(const struct cgfs_resources *res, const struct cgfs_resource_names *names,
			 struct cgfs_err *reterr)
{
	if (!(res->set & CGFS_SET_UNIFIED))
		return 0;
	if (res->n_unified > CGFS_UNIFIED_MAX)
		return cgfs_err_set(reterr, -E2BIG, names->unified, NULL, NULL,
				    "%zu entries are more than %d", res->n_unified,
				    CGFS_UNIFIED_MAX);
	if (!res->unified && res->n_unified)
		return cgfs_err_set(reterr, -EINVAL, names->unified, NULL, NULL,
				    "there is no list of %zu entries", res->n_unified);
	for (size_t i = 0; i < res->n_unified; i++) {
		int r = cgfs_unified_check(&res->unified[i], names->unified, reterr);

		if (r < 0)
			return r;
	}
	return 0;
}

/* A struct of a newer version is taken as long as it says nothing that is unknown here. */
static int check_version(const struct cgfs_resources *res, struct cgfs_err *reterr)
{
	const unsigned char *tail = (const unsigned char *)res;

	if (res->sz < sizeof(*res) || res->sz > SZ_MAX)
		return cgfs_err_set(reterr, -EINVAL, "resources", NULL, NULL,
				    "sz is %zu; begin with CGFS_RESOURCES_INIT", res->sz);
	for (size_t i = sizeof(*res); i < res->sz; i++)
		if (tail[i])
			return cgfs_err_set(reterr, -E2BIG, "resources", NULL, NULL,
					    "byte %zu is set, but this library (%s) knows %zu", i,
					    CGFS_VERSION, sizeof(*res));
	if (res->set & ~KNOWN_BITS)
		return cgfs_err_set(reterr, -E2BIG, "resources", NULL, NULL,
				    "set has bits that this library (%s) does not know: 0x%" PRIx64,
				    CGFS_VERSION, (uint64_t)(res->set & ~KNOWN_BITS));
	if ((res->set & PERMISSIONS) == PERMISSIONS)
		return cgfs_err_set(reterr, -EINVAL, "resources", NULL, NULL,
				    "CGFS_SET_ALLOW_OOM_KILL and CGFS_SET_NEAREST do not go "
				    "together");
	return 0;
}

int cgfs_resources_check_named(const struct cgfs_resources *res,
			       const struct cgfs_resource_names *names, struct cgfs_err *reterr)
{
	int r;

	r = check_version(res, reterr);
	if (r == 0)
		r = check_memory(res, names, reterr);
	if (r == 0)
		r = check_swap(res, names, reterr);
	if (r == 0)
		r = check_cpu(res, names, reterr);
	if (r == 0)
		r = check_cpu_more(res, names, reterr);
	if (r == 0 && (res->set & CGFS_SET_PIDS_MAX) && res->pids_max > PIDS_LIMIT_MAX &&
	    res->pids_max != CGFS_MAX)
		r = cgfs_value_refuse(reterr, names->pids_max, res->pids_max,
				      "the largest limit is %" PRIu64, PIDS_LIMIT_MAX);
	if (r == 0)
		r = check_lists(res, names, reterr);
	if (r == 0)
		r = check_devices(res, names, reterr);
	if (r == 0)
		r = cgfs_resource_lists_check(res, names, reterr);
	if (r == 0)
		r = check_unified(res, names, reterr);
	return r;
}

int cgfs_resources_check(const struct cgfs_resources *res, struct cgfs_err *reterr)
{
	return cgfs_resources_check_named(res, &own_names, reterr);
}
