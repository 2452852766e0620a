/* SPDX-License-Identifier: MIT */
/*
 * lists_json.c - lists of a group as JSON arrays, an object an entry.  Owns the keys of entries;
 * must not know files.
 */
#include "cgfs/base/json_out.h"
#include "cgfs/base/util.h"
#include "cgfs/figure/json.h"
#include "cgfs/tree/dir.h"

struct key {
	const char *key;
	size_t at;	    /* a uint64_t of the entry */
	unsigned int known; /* bit of the entry's @known_at; 0: it is always known */
};

/* What an entry is made of: its name or its device's number first, then its figures. */
struct list {
	const char *array; /* its key in the group's object */
	const char *name;  /* the key of a name, a char[] at @name_at; NULL: major, minor at 0 */
	size_t size, name_at, known_at;
	const struct key *keys; /* ended by one without a key */
};

static void put_entry(struct json_out *o, const struct list *l, const char *entry)
{
	unsigned int known;
	uint32_t device[2];
	char text[32];

	memcpy(&known, entry + l->known_at, sizeof(known));
	memcpy(device, entry, sizeof(device));
	snprintf(text, sizeof(text), "%u:%u", device[0], device[1]);
	json_out_object(o, NULL);
	json_out_string(o, l->name ? l->name : "device", l->name ? entry + l->name_at : text);
	for (const struct key *k = l->keys; k->key; k++) {
		uint64_t value;

		if (k->known && !(known & k->known))
			continue;
		memcpy(&value, entry + k->at, sizeof(value));
		json_out_limit(o, k->key, value);
	}
	json_out_end(o);
}

/* -- entries ------------------------------------------------------------------------------- */

#define IO(member)                                                                                 \
	{                                                                                          \
#member, offsetof(struct cgfs_io_stat, member), 0                                  \
	}
static const struct list io_stat = {
	.array = "io_devices",
	.size = sizeof(struct cgfs_io_stat),
	.keys = (const struct key[]){ IO(read_bytes),
				      IO(write_bytes),
				      IO(discard_bytes),
				      IO(read_ops),
				      IO(write_ops),
				      IO(discard_ops),
				      { 0 } },
};

#define IO_LIMIT(member, bit)                                                                      \
	{                                                                                          \
#member, offsetof(struct cgfs_io_device, member), CGFS_IO_##bit                    \
	}
static const struct list io_limit = {
	.array = "io_devices",
	.size = sizeof(struct cgfs_io_device),
	.known_at = offsetof(struct cgfs_io_device, set),
	.keys = (const struct key[]){ IO_LIMIT(weight, WEIGHT),
				      IO_LIMIT(read_bps, READ_BPS),
				      IO_LIMIT(write_bps, WRITE_BPS),
				      IO_LIMIT(read_iops, READ_IOPS),
				      IO_LIMIT(write_iops, WRITE_IOPS),
				      IO_LIMIT(latency_us, LATENCY),
				      { 0 } },
};

#define HUGE(key, member, bit)                                                                     \
	{                                                                                          \
		key, offsetof(struct cgfs_hugetlb_stat, member), CGFS_HUGETLB_##bit                \
	}
static const struct list hugetlb = {
	.array = "hugetlb",
	.name = "page_size",
	.size = sizeof(struct cgfs_hugetlb_stat),
	.name_at = offsetof(struct cgfs_hugetlb_stat, page_size),
	.known_at = offsetof(struct cgfs_hugetlb_stat, available),
	.keys = (const struct key[]){ HUGE("current", current_bytes, CURRENT),
				      HUGE("max", max_bytes, MAX),
				      HUGE("peak", peak_bytes, PEAK),
				      HUGE("failed", failed, FAILED),
				      HUGE("local_failed", local_failed, LOCAL_FAILED),
				      HUGE("rsvd_current", rsvd_current_bytes, RSVD_CURRENT),
				      HUGE("rsvd_max", rsvd_max_bytes, RSVD_MAX),
				      HUGE("rsvd_peak", rsvd_peak_bytes, RSVD_PEAK),
				      HUGE("rsvd_failed", rsvd_failed, RSVD_FAILED),
				      { 0 } },
};

#define RDMA(member, known)                                                                        \
	{                                                                                          \
#member, offsetof(struct cgfs_rdma_stat, member), known                            \
	}
static const struct list rdma = {
	.array = "rdma",
	.name = "device",
	.size = sizeof(struct cgfs_rdma_stat),
	.name_at = offsetof(struct cgfs_rdma_stat, device),
	.known_at = offsetof(struct cgfs_rdma_stat, available),
	.keys = (const struct key[]){ RDMA(hca_handles, 0),
				      RDMA(hca_handles_max, 0),
				      RDMA(hca_objects, 0),
				      RDMA(hca_objects_max, 0),
				      RDMA(hca_handles_peak, CGFS_RDMA_PEAK),
				      RDMA(hca_objects_peak, CGFS_RDMA_PEAK),
				      RDMA(hca_handles_failed, CGFS_RDMA_FAILED),
				      RDMA(hca_objects_failed, CGFS_RDMA_FAILED),
				      { 0 } },
};

#define MISC(member, bit)                                                                          \
	{                                                                                          \
#member, offsetof(struct cgfs_misc_stat, member), CGFS_MISC_##bit                  \
	}
static const struct list misc = {
	.array = "misc",
	.name = "name",
	.size = sizeof(struct cgfs_misc_stat),
	.name_at = offsetof(struct cgfs_misc_stat, name),
	.known_at = offsetof(struct cgfs_misc_stat, available),
	.keys = (const struct key[]){ MISC(current, CURRENT),
				      MISC(max, MAX),
				      MISC(peak, PEAK),
				      MISC(failed, FAILED),
				      { 0 } },
};

/* -- lists --------------------------------------------------------------------------------- */

/* A group's list, got from the library, written and released.  Nothing is written where the host
 * has no such controller, or its hierarchy has lost the group. */
#define WRITE(write, ctl, entry, get, list)                                                        \
	int write(struct json_out *o, struct cgfs_group *g, struct cgfs_err *reterr)               \
	{                                                                                          \
		struct cgfs_dir d = dir_of(g, ctl);                                                \
		auto_free entry *all = NULL;                                                       \
		size_t n = 0;                                                                      \
		int r = d.hierarchy < 0 ? -ENODEV : get(g, &all, &n, reterr);                      \
                                                                                                   \
		if (r < 0)                                                                         \
			return d.hierarchy < 0 ? 0 : group_part_lost(&d, r);                       \
		json_out_array(o, (list).array);                                                   \
		for (size_t i = 0; i < n; i++)                                                     \
			put_entry(o, &(list), (const char *)all + i * (list).size);                \
		json_out_end(o);                                                                   \
		return 0;                                                                          \
	}

WRITE(figure_put_io, CGFS_IO, struct cgfs_io_stat, cgfs_group_io, io_stat)
WRITE(figure_put_io_limits, CGFS_IO, struct cgfs_io_device, cgfs_group_io_limits, io_limit)
WRITE(figure_put_hugetlb, CGFS_HUGETLB, struct cgfs_hugetlb_stat, cgfs_group_hugetlb, hugetlb)
WRITE(figure_put_rdma, CGFS_RDMA, struct cgfs_rdma_stat, cgfs_group_rdma, rdma)
WRITE(figure_put_misc, CGFS_MISC, struct cgfs_misc_stat, cgfs_group_misc, misc)
