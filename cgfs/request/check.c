/* SPDX-License-Identifier: MIT */
/*
 * check.c - which values make sense, alone and together.  Everything that can be
 * refused without a kernel is refused here, before the first write; must not know versions,
 * paths or JSON.
 */
#include "cgfs/request/check.h"

#include "cgfs/base/sized.h"
#include "cgfs/base/util.h"
#include "cgfs/request/device.h"
#include "cgfs/request/unified.h"

#include <inttypes.h>
#include <stdio.h>
#include <strings.h>

#define KNOWN_BITS ((uint64_t)((CGFS_SET_ADMIT_EXEMPT << 1) - 1) | CGFS_PERMISSIONS)

/* Members that are a number of bytes. */
#define BYTES                                                                                      \
	(CGFS_SET_MEMORY_MAX | CGFS_SET_MEMORY_SWAP | CGFS_SET_MEMORY_LOW | CGFS_SET_MEMORY_HIGH | \
	 CGFS_SET_MEMORY_MIN | CGFS_SET_MEMORY_KERNEL | CGFS_SET_MEMORY_KERNEL_TCP |               \
	 CGFS_SET_MEMORY_ZSWAP_MAX | CGFS_SET_MEMORY_ADMIT)

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

int cgfs_value_refuse(struct cgfs_err *reterr, const char *name, uint64_t value, const char *why,
		      ...)
{
	char number[24], words[256];
	va_list ap;

	snprintf(number, sizeof(number), "%" PRIu64, value);
	va_start(ap, why);
	vsnprintf(words, sizeof(words), why, ap);
	va_end(ap);
	return err_value(reterr, -EINVAL, name, value == CGFS_MAX ? "max" : number, "%s", words);
}

/* What is checked, and the names that an error uses. */
struct check {
	const struct cgfs_resources *res;
	enum words words;
	struct cgfs_err *reterr;
};

static const char *word(const struct check *c, uint64_t bit)
{
	return member_word(bit, c->words);
}

/* -EINVAL about a number, in these words. */
#define refuse(c, bit, ...)                                                                        \
	cgfs_value_refuse((c)->reterr, word(c, bit), member_asked((c)->res, bit), __VA_ARGS__)

/* A number of bytes that the kernel can hold, or CGFS_MAX. */
static int check_bytes(const struct check *c)
{
	uint64_t bits = c->res->set & BYTES;

	for (; bits; bits &= bits - 1) {
		uint64_t bit = bits & -bits, value = member_asked(c->res, bit);

		if (bit == CGFS_SET_MEMORY_ADMIT && value == CGFS_ADMIT_AUTO)
			continue;
		if (value > INT64_MAX && value != CGFS_MAX)
			return refuse(c, bit, "the largest number of bytes is %" PRId64, INT64_MAX);
	}
	return 0;
}

static int check_memory(const struct check *c)
{
	const struct cgfs_resources *res = c->res;
	long page = sysconf(_SC_PAGESIZE);
	int r = check_bytes(c);

	if (r < 0)
		return r;
	/* The kernel counts pages and rounds down; a limit of 0 kills every process that is
	 * started. */
	if ((res->set & CGFS_SET_MEMORY_MAX) && page > 0 && res->memory_max_bytes < (uint64_t)page)
		return refuse(c, CGFS_SET_MEMORY_MAX, "a limit is at least one page (%ld bytes)",
			      page);
	if ((res->set & CGFS_SET_MEMORY_ADMIT) && page > 0 &&
	    res->memory_admit_bytes < 16 * (uint64_t)page)
		return refuse(c, CGFS_SET_MEMORY_ADMIT, "a budget is at least %ld bytes",
			      16 * page);
	if ((res->set & CGFS_SET_MEMORY_SWAPPINESS) && res->memory_swappiness > 100)
		return refuse(c, CGFS_SET_MEMORY_SWAPPINESS, "it must be 0 to 100");
	return 0;
}

static int check_swap(const struct check *c)
{
	uint64_t swap = c->res->memory_swap_bytes, memory = c->res->memory_max_bytes;
	const char *max = word(c, CGFS_SET_MEMORY_MAX);

	if (!(c->res->set & CGFS_SET_MEMORY_SWAP) || swap == CGFS_MAX)
		return 0;
	if (!(c->res->set & CGFS_SET_MEMORY_MAX))
		return refuse(c, CGFS_SET_MEMORY_SWAP,
			      "it is memory and swap together and needs %s", max);
	if (memory == CGFS_MAX)
		return refuse(c, CGFS_SET_MEMORY_SWAP,
			      "it is memory and swap together, but %s is unlimited", max);
	if (swap < memory)
		return refuse(c, CGFS_SET_MEMORY_SWAP,
			      "it is memory and swap together, but %s is %" PRIu64, max, memory);
	return 0;
}

static int check_cpu(const struct check *c)
{
	const struct cgfs_resources *res = c->res;
	uint64_t set = res->set, quota = res->cpu_quota_us;

	if ((set & CGFS_SET_CPU_WEIGHT) && (set & CGFS_SET_CPU_SHARES))
		return refuse(c, CGFS_SET_CPU_SHARES,
			      "%s is set as well, and both say the same thing",
			      word(c, CGFS_SET_CPU_WEIGHT));
	if ((set & CGFS_SET_CPU_WEIGHT) && (res->cpu_weight < 1 || res->cpu_weight > 10000))
		return refuse(c, CGFS_SET_CPU_WEIGHT, "it must be 1 to 10000");
	if ((set & CGFS_SET_CPU_SHARES) && res->cpu_shares == CGFS_MAX)
		return refuse(c, CGFS_SET_CPU_SHARES, "shares are relative; there is no unlimited");
	if ((set & CGFS_SET_CPU_QUOTA) && quota < CPU_QUOTA_MIN)
		return refuse(c, CGFS_SET_CPU_QUOTA, "the smallest quota is %d microseconds",
			      CPU_QUOTA_MIN);
	if ((set & CGFS_SET_CPU_QUOTA) && quota > CPU_QUOTA_MAX && quota != CGFS_MAX)
		return refuse(c, CGFS_SET_CPU_QUOTA,
			      "the largest quota is %" PRIu64 " microseconds", CPU_QUOTA_MAX);
	if ((set & CGFS_SET_CPU_PERIOD) &&
	    (res->cpu_period_us < CPU_PERIOD_MIN || res->cpu_period_us > CPU_PERIOD_MAX))
		return refuse(c, CGFS_SET_CPU_PERIOD, "it must be %d to %d microseconds",
			      CPU_PERIOD_MIN, CPU_PERIOD_MAX);
	return 0;
}

/* What goes beyond weight, quota and period. */
static int check_cpu_more(const struct check *c)
{
	const struct cgfs_resources *res = c->res;
	uint64_t set = res->set, runtime = res->cpu_rt_runtime_us, period = res->cpu_rt_period_us;

	if ((set & CGFS_SET_CPU_BURST) && res->cpu_burst_us > CPU_QUOTA_MAX)
		return refuse(c, CGFS_SET_CPU_BURST,
			      "the largest burst is %" PRIu64 " microseconds", CPU_QUOTA_MAX);
	if ((set & CGFS_SET_CPU_BURST) && (set & CGFS_SET_CPU_QUOTA) &&
	    res->cpu_burst_us > res->cpu_quota_us)
		return refuse(c, CGFS_SET_CPU_BURST, "it must not be above %s, which is %" PRIu64,
			      word(c, CGFS_SET_CPU_QUOTA), res->cpu_quota_us);
	if ((set & CGFS_SET_CPU_IDLE) && res->cpu_idle &&
	    (set & (CGFS_SET_CPU_WEIGHT | CGFS_SET_CPU_SHARES)))
		return err_why(c->reterr, -EINVAL, word(c, CGFS_SET_CPU_IDLE), NULL,
			       "an idle group has no weight, but %s is set",
			       word(c, set & (CGFS_SET_CPU_WEIGHT | CGFS_SET_CPU_SHARES)));
	if ((set & CGFS_SET_CPU_RT_PERIOD) && (!period || period > CPU_QUOTA_MAX))
		return refuse(c, CGFS_SET_CPU_RT_PERIOD, "it must be 1 to %" PRIu64 " microseconds",
			      CPU_QUOTA_MAX);
	if ((set & CGFS_SET_CPU_RT_RUNTIME) && runtime > CPU_QUOTA_MAX && runtime != CGFS_MAX)
		return refuse(c, CGFS_SET_CPU_RT_RUNTIME, "the largest is %" PRIu64 " microseconds",
			      CPU_QUOTA_MAX);
	if ((set & CGFS_SET_CPU_RT_RUNTIME) && (set & CGFS_SET_CPU_RT_PERIOD) &&
	    runtime != CGFS_MAX && runtime > period)
		return refuse(c, CGFS_SET_CPU_RT_RUNTIME,
			      "it must not be above %s, which is %" PRIu64,
			      word(c, CGFS_SET_CPU_RT_PERIOD), period);
	return 0;
}

static int check_pids(const struct check *c)
{
	uint64_t max = c->res->pids_max;

	if ((c->res->set & CGFS_SET_PIDS_MAX) && max > PIDS_LIMIT_MAX && max != CGFS_MAX)
		return refuse(c, CGFS_SET_PIDS_MAX, "the largest limit is %" PRIu64,
			      PIDS_LIMIT_MAX);
	return 0;
}

/* Digits at *@text, or "N" for the last number that there is; -1 when there are none or too many.
 */
static int32_t list_number(const char **text)
{
	int32_t v = 0;
	const char *c = *text;

	if (*c == 'N') {
		(*text)++;
		return CPUSET_NUMBER_MAX;
	}
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

/* One region, as bitmap_parse_region() of the kernel takes it: "3", "0-3", "4-N", "all", and of
 * a range the first 1 of each 2, "0-7:1/2". */
static bool list_region(const char **text)
{
	bool all = strncasecmp(*text, "all", 3) == 0, range = all;
	int32_t first = 0, last = 0, used, of;

	if (all)
		*text += 3;
	else
		first = last = list_number(text);
	if (first >= 0 && !all && **text == '-') {
		(*text)++;
		last = list_number(text);
		range = true;
	}
	if (first < 0 || last < first)
		return false;
	if (!range || **text != ':')
		return true;
	(*text)++;
	used = list_number(text);
	if (used < 1 || **text != '/')
		return false;
	(*text)++;
	of = list_number(text);
	return of >= used;
}

/* "0-3,7": regions, with as many commas and blanks between and around them as the kernel's parser
 * skips. */
static int check_list(const char *list, const char *name, struct cgfs_err *reterr)
{
	const char *separators = ", \t", *c = list ? list + strspn(list, separators) : "";

	if (!*c)
		return err_value(reterr, -EINVAL, name, list, "it names nothing");
	if (strlen(list) > CPUSET_LEN_MAX)
		return err_value(reterr, -EINVAL, name, list, "it is longer than %d bytes",
				 CPUSET_LEN_MAX);
	while (*c) {
		if (!list_region(&c) || (*c && !strchr(separators, *c)))
			return err_value(reterr, -EINVAL, name, list,
					 "it is not a list such as \"0-3,7\"");
		c += strspn(c, separators);
	}
	return 0;
}

static int check_lists(const struct check *c)
{
	const struct cgfs_resources *res = c->res;
	struct cgfs_err *reterr = c->reterr;
	const char *partition = res->cpuset_partition;
	int r = 0;

	if (res->set & CGFS_SET_CPUSET_CPUS)
		r = check_list(res->cpuset_cpus, word(c, CGFS_SET_CPUSET_CPUS), reterr);
	if (r == 0 && (res->set & CGFS_SET_CPUSET_MEMS))
		r = check_list(res->cpuset_mems, word(c, CGFS_SET_CPUSET_MEMS), reterr);
	if (r < 0 || !(res->set & CGFS_SET_CPUSET_PARTITION))
		return r;
	if (!partition || (!streq(partition, "member") && !streq(partition, "root") &&
			   !streq(partition, "isolated")))
		return err_value(reterr, -EINVAL, word(c, CGFS_SET_CPUSET_PARTITION), partition,
				 "it must be member, root or isolated");
	return 0;
}

static int check_devices(const struct check *c)
{
	const struct cgfs_resources *res = c->res;
	const char *name = word(c, CGFS_SET_DEVICES);
	int r;

	if (!(res->set & CGFS_SET_DEVICES))
		return 0;
	r = cgfs_count_check(res->devices, res->n_devices, CGFS_DEVICE_RULES_MAX, "rules", name,
			     c->reterr);
	for (size_t i = 0; r == 0 && i < res->n_devices; i++) {
		r = cgfs_device_rule_check(&res->devices[i], c->reterr);
		if (r < 0)
			cgfs_err_context(c->reterr, r, "%s[%zu]", name, i);
	}
	return r;
}

static int check_unified(const struct check *c)
{
	const struct cgfs_resources *res = c->res;
	const char *name = word(c, CGFS_SET_UNIFIED);
	int r;

	if (!(res->set & CGFS_SET_UNIFIED))
		return 0;
	r = cgfs_count_check(res->unified, res->n_unified, CGFS_UNIFIED_MAX, "entries", name,
			     c->reterr);
	for (size_t i = 0; r == 0 && i < res->n_unified; i++)
		r = cgfs_unified_check(&res->unified[i], name, c->reterr);
	return r;
}

static int check_bits(const struct cgfs_resources *res, struct cgfs_err *reterr)
{
	if (res->set & ~KNOWN_BITS)
		return err_why(reterr, -E2BIG, "resources", NULL,
			       "set has bits that this library (%s) does not know: 0x%" PRIx64,
			       CGFS_VERSION, (uint64_t)(res->set & ~KNOWN_BITS));
	if ((res->set & CGFS_PERMISSIONS) == CGFS_PERMISSIONS)
		return err_why(reterr, -EINVAL, "resources", NULL,
			       "CGFS_SET_ALLOW_OOM_KILL and CGFS_SET_NEAREST do not go together");
	return 0;
}

int cgfs_resources_check_in(const struct cgfs_resources *res, enum words words,
			    struct cgfs_err *reterr)
{
	static int (*const checks[])(const struct check *c) = {
		check_memory, check_swap,  check_cpu,	  check_cpu_more,
		check_pids,   check_lists, check_devices,
	};
	const struct check c = { res, words, reterr };
	int r = check_bits(res, reterr);

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(checks); i++)
		r = checks[i](&c);
	if (r == 0)
		r = cgfs_resource_lists_check(res, words, reterr);
	return r == 0 ? check_unified(&c) : r;
}

int resources_in(struct cgfs_resources *copy, const struct cgfs_resources *user,
		 struct cgfs_err *reterr)
{
	return sized_in(copy, sizeof(*copy), user, "resources", reterr);
}

int cgfs_resources_check(const struct cgfs_resources *user, struct cgfs_err *reterr)
{
	struct cgfs_resources res;
	int r = resources_in(&res, user, reterr);

	return r < 0 ? r : cgfs_resources_check_in(&res, WORDS_OWN, reterr);
}
