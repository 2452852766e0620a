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
#define CGFS_SET_MEMORY_MAX	    (1ull << 0)
#define CGFS_SET_MEMORY_SWAP	    (1ull << 1)
#define CGFS_SET_MEMORY_LOW	    (1ull << 2)
#define CGFS_SET_CPU_WEIGHT	    (1ull << 3)
#define CGFS_SET_CPU_SHARES	    (1ull << 4)
#define CGFS_SET_CPU_QUOTA	    (1ull << 5)
#define CGFS_SET_CPU_PERIOD	    (1ull << 6)
#define CGFS_SET_CPUSET_CPUS	    (1ull << 7)
#define CGFS_SET_CPUSET_MEMS	    (1ull << 8)
#define CGFS_SET_PIDS_MAX	    (1ull << 9)
#define CGFS_SET_DEVICES	    (1ull << 10)
#define CGFS_SET_UNIFIED	    (1ull << 11)
#define CGFS_SET_MEMORY_HIGH	    (1ull << 12)
#define CGFS_SET_MEMORY_MIN	    (1ull << 13)
#define CGFS_SET_CPU_BURST	    (1ull << 14)
#define CGFS_SET_CPU_IDLE	    (1ull << 15)
#define CGFS_SET_CPU_RT_RUNTIME	    (1ull << 16)
#define CGFS_SET_CPU_RT_PERIOD	    (1ull << 17)
#define CGFS_SET_CPUSET_PARTITION   (1ull << 18)
#define CGFS_SET_MEMORY_SWAPPINESS  (1ull << 19)
#define CGFS_SET_MEMORY_KERNEL_TCP  (1ull << 20)
#define CGFS_SET_MEMORY_OOM_GROUP   (1ull << 21)
#define CGFS_SET_MEMORY_OOM_DISABLE (1ull << 22)
#define CGFS_SET_MEMORY_ZSWAP_MAX   (1ull << 23)
#define CGFS_SET_IO_WEIGHT	    (1ull << 24)
#define CGFS_SET_IO_DEVICES	    (1ull << 25)
#define CGFS_SET_HUGETLB	    (1ull << 26)
#define CGFS_SET_RDMA		    (1ull << 27)
#define CGFS_SET_MISC		    (1ull << 28)
#define CGFS_SET_NET_CLASSID	    (1ull << 29)
#define CGFS_SET_NET_PRIO	    (1ull << 30)
#define CGFS_SET_MEMORY_KERNEL	    (1ull << 31)
#define CGFS_SET_ZSWAP_WRITEBACK    (1ull << 32)
#define CGFS_SET_MEMORY_ADMIT	    (1ull << 33)
#define CGFS_SET_ADMIT_EXEMPT	    (1ull << 34)

/* memory_admit_bytes: a budget that follows the memory limit of the group. */
#define CGFS_ADMIT_AUTO (CGFS_MAX - 1)

/* Not a member but a permission, for updates: memory_max_bytes may go below what is in use even
 * if the kernel has to kill for it.  Without it such an update is -EBUSY and changes nothing.
 * cgroup v1's kernel kills no process when a limit is written: there the permission has no effect,
 * and a limit below what can be reclaimed is -EBUSY in any case.  Stop the processes first, or use
 * CGFS_SET_NEAREST. */
#define CGFS_SET_ALLOW_OOM_KILL (1ull << 63)

/* Another one: where memory_max_bytes is below what is in use and cannot be reclaimed, the
 * lowest limit that causes no OOM kill is set instead, a little above what is in use; struct
 * cgfs_applied has the value.  Excludes CGFS_SET_ALLOW_OOM_KILL. */
#define CGFS_SET_NEAREST (1ull << 62)

/* One entry of OCI's `unified`: a cgroup2 control file and what to write into it. */
struct cgfs_unified {
	const char *file;
	const char *value;
};

/* Limits of one block device.  Only the members whose CGFS_IO_ bit is in @set are read. */
#define CGFS_IO_WEIGHT	   (1u << 0)
#define CGFS_IO_READ_BPS   (1u << 1)
#define CGFS_IO_WRITE_BPS  (1u << 2)
#define CGFS_IO_READ_IOPS  (1u << 3)
#define CGFS_IO_WRITE_IOPS (1u << 4)
#define CGFS_IO_LATENCY	   (1u << 5)

struct cgfs_io_device {
	uint32_t major, minor;
	unsigned int set;
	uint64_t weight;		/* 10..1000 */
	uint64_t read_bps, write_bps;	/* bytes per second; CGFS_MAX: none */
	uint64_t read_iops, write_iops; /* operations per second; CGFS_MAX: none */
	uint64_t latency_us;		/* io.latency, cgroup2 only; 0: none */
};

struct cgfs_hugetlb {
	const char *page_size; /* "2MB", "1GB", as in the names of the control files */
	uint64_t max_bytes;    /* usage and reservations alike, where the kernel has both */
};

struct cgfs_rdma {
	const char *device;		   /* "mlx5_0" */
	uint64_t hca_handles, hca_objects; /* CGFS_MAX: no limit */
};

struct cgfs_misc {
	const char *name; /* "sev", as in misc.capacity */
	uint64_t max;
};

struct cgfs_net_prio {
	const char *interface;
	uint32_t priority;
};

/* Only the members whose CGFS_SET_ bit is in @set are read.  CGFS_MAX is "no limit". */
struct cgfs_resources {
	size_t sz;
	uint64_t set;
	uint64_t memory_max_bytes;  /* v2 memory.max; v1 memory.limit_in_bytes.  Without
				       MEMORY_SWAP the swap that may be used stays as it is */
	uint64_t memory_swap_bytes; /* memory *and* swap together, OCI's meaning; needs MEMORY_MAX
				       unless CGFS_MAX.  v2 memory.swap.max is the difference */
	uint64_t memory_low_bytes;  /* v2 memory.low; v1 memory.soft_limit_in_bytes */
	uint64_t memory_high_bytes; /* v2 memory.high only */
	uint64_t memory_min_bytes;  /* v2 memory.min only */
	uint64_t cpu_weight;	/* 1..10000, 100 is the default; v1 gets the shares it stands for */
	uint64_t cpu_shares;	/* 2..262144, 1024 is the default; v2 gets the weight; clamped */
	uint64_t cpu_quota_us;	/* per period, 1000 at the least; CGFS_MAX: none */
	uint64_t cpu_period_us; /* 1000..1000000; 100000 when only the quota is set */
	uint64_t pids_max;
	const char *cpuset_cpus; /* "0-3,7": the list format of the kernel (cpuset.cpus) */
	const char *cpuset_mems;
	const struct cgfs_device_rule *devices; /* in order, from "deny everything" */
	size_t n_devices;
	/* Written last, in order; but memory.max, cpu.max and cpu.max.burst as their members. */
	const struct cgfs_unified *unified;
	size_t n_unified;
	uint64_t cpu_burst_us;	    /* at most the quota; v2 cpu.max.burst, v1 cpu.cfs_burst_us */
	bool cpu_idle;		    /* SCHED_IDLE for the group; excludes weight and shares */
	uint64_t cpu_rt_runtime_us; /* v1 with RT_GROUP_SCHED only */
	uint64_t cpu_rt_period_us;  /* v1 with RT_GROUP_SCHED only */
	const char
		*cpuset_partition;  /* "root", "member", "isolated"; v1: cpu_exclusive for "root" */
	uint64_t memory_swappiness; /* 0..100; v1 only */
	uint64_t memory_kernel_tcp_bytes; /* v1 only */
	bool memory_oom_group;		  /* one OOM kill ends all of the group; v2 only */
	bool memory_oom_disable;	  /* stop instead of killing; v1 only */
	bool memory_zswap_writeback;	  /* from zswap to the swap device; v2 only, since 6.8 */
	uint64_t memory_zswap_max_bytes;  /* v2 only */
	uint64_t io_weight;		  /* 10..1000, OCI's scale, 100 is the default */
	const struct cgfs_io_device *io_devices;
	size_t n_io_devices;
	const struct cgfs_hugetlb *hugetlb;
	size_t n_hugetlb;
	const struct cgfs_rdma *rdma;
	size_t n_rdma;
	const struct cgfs_misc *misc;
	size_t n_misc;
	uint32_t net_classid;		      /* v1 only */
	const struct cgfs_net_prio *net_prio; /* v1 only */
	size_t n_net_prio;
	uint64_t memory_kernel_bytes; /* v1 only, and before Linux 5.16 */
	/* Admission: while the group uses this much or more, mmap, brk, mremap, exec, and mprotect
	 * of memory that had no access give its processes ENOMEM, and fork gives EAGAIN, until
	 * usage has fallen a sixteenth below.
	 * Needs a policy that can refuse (cgfs/bpf.h, lsm_cgroup).  CGFS_MAX: no budget;
	 * CGFS_ADMIT_AUTO: the group's memory limit less a sixteenth, at least 1 MiB and at most
	 * half of it.  It follows when the limit is changed, by any process; -EINVAL without. */
	uint64_t memory_admit_bytes;
	bool admit_exempt; /* no budget, its own or its pod's, refuses its processes */
	bool reserved[7];  /* false */
};

#define CGFS_RESOURCES_INIT CGFS_SIZED(struct cgfs_resources)

/**
 * cgfs_resources_check() - validate the values, without a kernel
 * @res:    borrowed
 * @reterr: may be NULL; names the member and the value
 *
 * Errors:  -EINVAL  a value is out of range, or two contradict each other
 *          -E2BIG   @res is from a newer version and uses members unknown here, or has more
 *                   than CGFS_DEVICE_RULES_MAX rules or 256 unified entries
 * Context: any thread; makes no system call
 *
 * Return: 0, or a negative errno.
 */
CGFS_API CGFS_CHECK int cgfs_resources_check(const struct cgfs_resources *res,
					     struct cgfs_err *reterr);

struct json_t; /* jansson's json_t */

/* Options of cgfs_resources_from_oci(); CGFS_OCI_OPTS_INIT, then set what differs. */
struct cgfs_oci_opts {
	size_t sz;
	/* The OCI default devices are not appended: the list is `devices` and nothing else. */
	bool exact_devices;
	/* The object is an update: without rules in `devices`, the result has no CGFS_SET_DEVICES,
	 * and the list in force stays. */
	bool update;
	/* The object as jansson has parsed it, in place of text; @json must be NULL.  A reference
	 * is kept, and it must not be changed until cgfs_resources_free(). */
	struct json_t *parsed;
};

#define CGFS_OCI_OPTS_INIT CGFS_SIZED(struct cgfs_oci_opts)

/**
 * cgfs_resources_from_oci() - read an OCI runtime-spec `linux.resources` object
 * @json:   borrowed; the object's text; NULL with @opts->parsed
 * @len:    its length in bytes; at most 1 MiB
 * @opts:   borrowed; NULL for the defaults
 * @ret:    out; release with cgfs_resources_free()
 * @reterr: may be NULL; names the field, for instance `memory.limit`
 *
 * Everything in it is either taken or refused.  The OCI default devices are appended to `devices`,
 * which may be absent, so that the result always has a device policy, unless @opts requests
 * otherwise.
 *
 * Errors:  -EINVAL      not JSON, a wrong type, or a value out of range; text and parsed JSON, or
 *                       neither
 *          -EOPNOTSUPP  a field that this version of the library cannot apply
 *          -E2BIG       too long, too deep, or too many entries
 * Context: any thread; makes no system call
 *
 * Return: 0, or a negative errno.
 */
CGFS_API CGFS_CHECK int cgfs_resources_from_oci(const char *json, size_t len,
						const struct cgfs_oci_opts *opts,
						struct cgfs_resources **ret,
						struct cgfs_err *reterr);

/**
 * cgfs_resources_ignored() - the members of the JSON that this library does not know
 * @res: borrowed; must be a result of cgfs_resources_from_oci()
 *
 * The specification requires that unknown properties are ignored; a program can report them.
 *
 * Return: for instance "memory.color, devices[0].path", as many as fit into 511 bytes; "" when
 * there is no such member.  The string belongs to @res.
 */
CGFS_API const char *cgfs_resources_ignored(const struct cgfs_resources *res);

/**
 * cgfs_resources_field() - where OCI's JSON has a member of struct cgfs_resources
 * @member: one CGFS_SET_ bit, as struct cgfs_written has them
 *
 * Since:   0.1
 *
 * Return: a static string: "memory.limit" for CGFS_SET_MEMORY_MAX; the cgroup2 name, such as
 * "memory.high", of a member that OCI has in `unified` only; "?" for an unknown bit.
 */
CGFS_API const char *cgfs_resources_field(uint64_t member);

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
