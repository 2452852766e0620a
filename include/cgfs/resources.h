/* SPDX-License-Identifier: MIT */
/*
 * cgfs/resources.h - what a pod or container may use: one meaning on every layout.
 */
#ifndef CGFS_RESOURCES_H
#define CGFS_RESOURCES_H

#include <cgfs/base.h>
#include <cgfs/device.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Which members of struct cgfs_resources are meant.  Unset is a bit, never a value. */
#define CGFS_SET_MEMORY_MAX  (1ull << 0)
#define CGFS_SET_MEMORY_SWAP (1ull << 1)
#define CGFS_SET_MEMORY_LOW  (1ull << 2)
#define CGFS_SET_CPU_WEIGHT  (1ull << 3)
#define CGFS_SET_CPU_SHARES  (1ull << 4)
#define CGFS_SET_CPU_QUOTA   (1ull << 5)
#define CGFS_SET_CPU_PERIOD  (1ull << 6)
#define CGFS_SET_CPUSET_CPUS (1ull << 7)
#define CGFS_SET_CPUSET_MEMS (1ull << 8)
#define CGFS_SET_PIDS_MAX    (1ull << 9)
#define CGFS_SET_DEVICES     (1ull << 10)
#define CGFS_SET_UNIFIED     (1ull << 11)
#define CGFS_SET_MEMORY_HIGH (1ull << 12)
#define CGFS_SET_MEMORY_MIN  (1ull << 13)

/* One entry of OCI's `unified`: a cgroup2 control file and what to write into it. */
struct cgfs_unified {
	const char *file;
	const char *value;
};

/* Only the members whose CGFS_SET_ bit is in @set are read.  CGFS_MAX is "no limit". */
struct cgfs_resources {
	size_t sz;
	uint64_t set;
	uint64_t memory_max_bytes;  /* v2 memory.max; v1 memory.limit_in_bytes */
	uint64_t memory_swap_bytes; /* memory *and* swap together, OCI's meaning; needs
				       MEMORY_MAX.  v2 memory.swap.max is the difference */
	uint64_t memory_low_bytes;  /* v2 memory.low; v1 memory.soft_limit_in_bytes */
	uint64_t memory_high_bytes; /* v2 memory.high only */
	uint64_t memory_min_bytes;  /* v2 memory.min only */
	uint64_t cpu_weight;	/* 1..10000, 100 is the default; v1 gets the shares it stands for */
	uint64_t cpu_shares;	/* 2..262144, 1024 is the default; v2 gets the weight; clamped */
	uint64_t cpu_quota_us;	/* per period, 1000 at the least; CGFS_MAX: none */
	uint64_t cpu_period_us; /* 1000..1000000; 100000 when only the quota is set */
	uint64_t pids_max;
	const char *cpuset_cpus; /* "0-3,7" */
	const char *cpuset_mems;
	const struct cgfs_device_rule *devices; /* in order, from "deny everything" */
	size_t n_devices;
	const struct cgfs_unified *unified; /* written last, in order */
	size_t n_unified;
};

#define CGFS_RESOURCES_INIT                                                                        \
	{                                                                                          \
		.sz = sizeof(struct cgfs_resources)                                                \
	}

/**
 * cgfs_resources_check() - validate the values, without a kernel
 * @res:    borrowed
 * @reterr: may be NULL; names the member and the value
 *
 * Errors:  -EINVAL  a value is out of range, or two contradict each other
 *          -E2BIG   @res is from a newer version and uses members unknown here
 *
 * Return: 0, or a negative errno.
 */
CGFS_API CGFS_CHECK int cgfs_resources_check(const struct cgfs_resources *res,
					     struct cgfs_err *reterr);

/**
 * cgfs_resources_from_oci() - read an OCI runtime-spec `linux.resources` object
 * @json:   borrowed; the object's text
 * @len:    its length in bytes; at most 1 MiB
 * @ret:    out; release with cgfs_resources_free()
 * @reterr: may be NULL; names the field, for instance `memory.limit`
 *
 * Everything in it is either taken or refused.  Without `devices`, or with them, the OCI
 * default devices are appended, so that the result always carries a device policy.
 *
 * Errors:  -EINVAL      not JSON, a wrong type, or a value out of range
 *          -EOPNOTSUPP  a field that this version of the library cannot apply
 *          -E2BIG       too long, too deep, or too many entries
 *
 * Return: 0, or a negative errno.
 */
CGFS_API CGFS_CHECK int cgfs_resources_from_oci(const char *json, size_t len,
						struct cgfs_resources **ret,
						struct cgfs_err *reterr);

/**
 * cgfs_resources_free() - release what cgfs_resources_from_oci() made
 * @res: may be NULL
 */
CGFS_API void cgfs_resources_free(struct cgfs_resources *res);

/**
 * cgfs_weight_from_shares() - cpu.shares as cpu.weight
 * @shares: clamped to 2..262144
 *
 * ceil(10^((l^2 + 125 l) / 612 - 7/34)), l = log2(shares): the curve through (2, 1),
 * (1024, 100) and (262144, 10000) that runc and crun use since 2025.
 *
 * Return: 1..10000.
 */
CGFS_API uint64_t cgfs_weight_from_shares(uint64_t shares);

/**
 * cgfs_shares_from_weight() - the largest cpu.shares that stand for @weight
 * @weight: clamped to 1..10000
 *
 * The way back: cgfs_weight_from_shares() of the result is @weight, 100 gives 1024.
 *
 * Return: 2..262144.
 */
CGFS_API uint64_t cgfs_shares_from_weight(uint64_t weight);

#ifdef __cplusplus
}
#endif
#endif
