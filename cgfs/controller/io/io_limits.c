/* SPDX-License-Identifier: MIT */
/*
 * io_limits.c - the limits of block devices, read back; io.c writes them.
 *
 * v2: `8:0 rbps=1048576 wbps=max riops=max wiops=max`, `8:0 target=5000`, and weights as below.
 * v1: `8:0 1048576`, one file for each limit.  A file of weights begins with the default's line.
 *
 * Kernel: blk-throttle.c, blk-iolatency.c, blk-iocost.c, bfq-cgroup.c
 */
#include "cgfs/base/convert.h"
#include "cgfs/base/util.h"
#include "cgfs/controller/base/lines.h"

#include <stdio.h>

/* By its number as text, until all files are read. */
struct device_entry {
	char number[ENTRY_NAME];
	struct cgfs_io_device dev;
};

static void put(void *entry, unsigned int bit, size_t member, uint64_t value)
{
	struct device_entry *e = entry;

	memcpy((char *)&e->dev + member, &value, sizeof(value));
	e->dev.set |= bit;
}

struct limit_file {
	const char *file;
	void (*line)(void *entry, char *rest, const void *arg);
	unsigned int bit; /* of a file of one limit */
	size_t member;
};
#define LIMIT(file, fn, bit, member)                                                               \
	{                                                                                          \
		file, fn, CGFS_IO_##bit, offsetof(struct cgfs_io_device, member)                   \
	}

static void number(void *entry, char *rest, const void *arg)
{
	const struct limit_file *f = arg;

	put(entry, f->bit, f->member, entries_number(rest));
}

/* BFQ's weights first: where both exist they are the ones that were written. */
static const struct limit_file v1_files[] = {
	LIMIT("blkio.weight_device", number, WEIGHT, weight),
	LIMIT("blkio.bfq.weight_device", number, WEIGHT, weight),
	LIMIT("blkio.throttle.read_bps_device", number, READ_BPS, read_bps),
	LIMIT("blkio.throttle.write_bps_device", number, WRITE_BPS, write_bps),
	LIMIT("blkio.throttle.read_iops_device", number, READ_IOPS, read_iops),
	LIMIT("blkio.throttle.write_iops_device", number, WRITE_IOPS, write_iops),
	{ .file = NULL },
};

/* -- v2 ------------------------------------------------------------------------------------ */

static void v2_cost(void *entry, char *rest, const void *arg)
{
	const struct limit_file *f = arg;

	put(entry, f->bit, f->member, cgfs_weight_of_io(entries_number(rest)));
}

static void v2_keys(void *entry, char *rest, const void *arg)
{
	static const struct {
		const char *key;
		unsigned int bit;
		size_t member;
	} keys[] = {
		{ "rbps=", CGFS_IO_READ_BPS, offsetof(struct cgfs_io_device, read_bps) },
		{ "wbps=", CGFS_IO_WRITE_BPS, offsetof(struct cgfs_io_device, write_bps) },
		{ "riops=", CGFS_IO_READ_IOPS, offsetof(struct cgfs_io_device, read_iops) },
		{ "wiops=", CGFS_IO_WRITE_IOPS, offsetof(struct cgfs_io_device, write_iops) },
		{ "target=", CGFS_IO_LATENCY, offsetof(struct cgfs_io_device, latency_us) },
	};
	char *save = NULL;

	for (char *word = strtok_r(rest, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
		for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
			size_t len = strlen(keys[i].key);
			uint64_t value;

			if (strncmp(word, keys[i].key, len) != 0)
				continue;
			value = entries_number(word + len);
			if (value != CGFS_MAX) /* no limit is none to list */
				put(entry, keys[i].bit, keys[i].member, value);
		}
	}
}

static const struct limit_file v2_files[] = {
	LIMIT("io.weight", v2_cost, WEIGHT, weight),
	LIMIT("io.bfq.weight", number, WEIGHT, weight),
	{ "io.max", v2_keys, 0, 0 },
	{ "io.latency", v2_keys, 0, 0 },
	{ .file = NULL },
};

/* -- both ---------------------------------------------------------------------------------- */

/* What is no device ("default"), or has no limit, is left out. */
static int to_list(const struct entries *e, struct cgfs_io_device **ret_dev, size_t *ret_n)
{
	struct cgfs_io_device *dev = e->n ? calloc(e->n, sizeof(*dev)) : NULL;
	const struct device_entry *at = e->at;
	size_t n = 0;

	if (e->n && !dev)
		return -ENOMEM;
	for (size_t i = 0; i < e->n; i++) {
		struct cgfs_io_device *to = &dev[n];
		unsigned int major, minor;

		if (!at[i].dev.set || sscanf(at[i].number, "%u:%u", &major, &minor) != 2)
			continue;
		*to = at[i].dev;
		to->major = major;
		to->minor = minor;
		n++;
	}
	if (!n) {
		free(dev);
		dev = NULL;
	}
	*ret_dev = dev;
	*ret_n = n;
	return 0;
}

int cgfs_group_io_limits(struct cgfs_group *g, struct cgfs_io_device **ret_dev, size_t *ret_n,
			 struct cgfs_err *reterr)
{
	const struct place *p = &g->c->place[CGFS_IO];
	const struct limit_file *f = p->version == CGFS_V1 ? v1_files : v2_files;
	struct cgfs_dir d = dir_in(g, p->hierarchy);
	struct entries e = { .entry = sizeof(struct device_entry) };
	int r = 0;

	if (p->version == CGFS_NONE)
		return err_value(reterr, -ENODEV, "read limits of block devices", g->rel,
				 "the io controller is not on this host");
	for (; r == 0 && f->file; f++)
		r = entries_read(&d, f->file, &e, f->line, f, reterr);
	if (r == 0) {
		r = to_list(&e, ret_dev, ret_n);
		if (r < 0)
			dir_error(&d, r, "read", NULL, NULL, reterr);
	}
	free(e.at);
	return r < 0 ? cgfs_err_context(reterr, r, "read limits of block devices of \"%.80s\"",
					g->rel)
		     : 0;
}
