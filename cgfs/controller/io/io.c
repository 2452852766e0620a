/* SPDX-License-Identifier: MIT */
/*
 * io.c - the io controller, blkio on v1: weights, throttles, latency targets.
 *
 * The API speaks OCI's weight, 10..1000 with 100 as the default, which is BFQ's own scale on
 * both versions.  cgroup2's iocost (io.weight) has 1..10000: cgfs_io_weight() converts.
 *
 * Kernel: Documentation/admin-guide/cgroup-v1/blkio-controller.rst; cgroup-v2.rst "IO"
 */
#include "cgfs/base/convert.h"
#include "cgfs/base/util.h"
#include "cgfs/controller/base/ops.h"
#include "cgfs/controller/base/report.h"
#include "cgfs/controller/io/io_stat.h"

#include <inttypes.h>
#include <stdio.h>

/* Writes a value to that of two files which this kernel's I/O schedulers made; of a device, to the
 * one that its own scheduler takes (EOPNOTSUPP: it is the other's). */
static int write_either(const struct cgfs_dir *d, const char *bfq, const char *bfq_value,
			const char *other, const char *other_value, struct cgfs_err *reterr)
{
	int first = dir_write(d, bfq, bfq_value, reterr), r;

	if (first != -ENOENT && first != -EOPNOTSUPP)
		return first;
	r = dir_write(d, other, other_value, reterr);
	if (r != -ENOENT && r != -EOPNOTSUPP)
		return r;
	if (first == -ENOENT && r == -ENOENT)
		return err_value(reterr, -EOPNOTSUPP, "set io weight", other_value,
				 "no I/O scheduler with weights is active: neither %s nor %s "
				 "exists",
				 bfq, other);
	return err_value(reterr, -EOPNOTSUPP, "set io weight", other_value,
			 "neither %s nor %s is of the device's I/O scheduler", bfq, other);
}

/* -- v1 ------------------------------------------------------------------------------------ */

static int v1_throttle(const struct cgfs_dir *d, const struct cgfs_io_device *dev, unsigned int bit,
		       const char *file, uint64_t value, uint64_t largest, struct cgfs_err *reterr)
{
	char text[64];

	if (!(dev->set & bit))
		return 0;
	/* 0 removes the limit.  The kernel cuts iops to 32 bits without a word: clamp. */
	if (value == CGFS_MAX)
		value = 0;
	else if (value > largest)
		value = largest;
	snprintf(text, sizeof(text), "%u:%u %" PRIu64, dev->major, dev->minor, value);
	return dir_write(d, file, text, reterr);
}

static int v1_device(const struct cgfs_dir *d, const struct cgfs_io_device *dev,
		     struct cgfs_err *reterr)
{
	char text[64];
	int r = 0;

	if (dev->set & CGFS_IO_LATENCY)
		return err_why(reterr, -EOPNOTSUPP, "set io latency", NULL,
			       "cgroup v1's blkio controller has no latency target");
	if (dev->set & CGFS_IO_WEIGHT) {
		snprintf(text, sizeof(text), "%u:%u %" PRIu64, dev->major, dev->minor, dev->weight);
		r = write_either(d, "blkio.bfq.weight_device", text, "blkio.weight_device", text,
				 reterr);
	}
	if (r == 0)
		r = v1_throttle(d, dev, CGFS_IO_READ_BPS, "blkio.throttle.read_bps_device",
				dev->read_bps, UINT64_MAX, reterr);
	if (r == 0)
		r = v1_throttle(d, dev, CGFS_IO_WRITE_BPS, "blkio.throttle.write_bps_device",
				dev->write_bps, UINT64_MAX, reterr);
	if (r == 0)
		r = v1_throttle(d, dev, CGFS_IO_READ_IOPS, "blkio.throttle.read_iops_device",
				dev->read_iops, UINT32_MAX, reterr);
	if (r == 0)
		r = v1_throttle(d, dev, CGFS_IO_WRITE_IOPS, "blkio.throttle.write_iops_device",
				dev->write_iops, UINT32_MAX, reterr);
	return r;
}

static int v1_apply(const struct cgfs_dir *d, const struct cgfs_resources *res,
		    struct cgfs_err *reterr)
{
	char text[24];
	int r = 0;

	if (res->set & CGFS_SET_IO_WEIGHT) {
		snprintf(text, sizeof(text), "%" PRIu64, res->io_weight);
		r = write_either(d, "blkio.bfq.weight", text, "blkio.weight", text, reterr);
	}
	for (size_t i = 0; r == 0 && (res->set & CGFS_SET_IO_DEVICES) && i < res->n_io_devices;
	     i++) {
		report_entry(d, i);
		r = v1_device(d, &res->io_devices[i], reterr);
	}
	return r;
}

static const struct ctl_limit v1_weight[] = {
	CTL_LIMIT(IO_WEIGHT, "blkio.bfq.weight", NULL),
	CTL_LIMIT(IO_WEIGHT, "blkio.weight", NULL),
	{ .bit = 0 },
};

const struct ctl_ops ctl_io_v1 = {
	.handles = CGFS_SET_IO_WEIGHT | CGFS_SET_IO_DEVICES,
	.reads = CGFS_READ_IO,
	.apply = v1_apply,
	.stats = io_stats,
	.limits = v1_weight,
};

/* -- v2 ------------------------------------------------------------------------------------ */

static int v2_max(const struct cgfs_dir *d, const struct cgfs_io_device *dev, unsigned int bit,
		  const char *key, uint64_t value, struct cgfs_err *reterr)
{
	char text[64];

	if (!(dev->set & bit))
		return 0;
	if (value == CGFS_MAX)
		snprintf(text, sizeof(text), "%u:%u %s=max", dev->major, dev->minor, key);
	else
		snprintf(text, sizeof(text), "%u:%u %s=%" PRIu64, dev->major, dev->minor, key,
			 value);
	return dir_write(d, "io.max", text, reterr);
}

static int v2_device(const struct cgfs_dir *d, const struct cgfs_io_device *dev,
		     struct cgfs_err *reterr)
{
	char text[64], cost[64];
	int r = 0;

	if (dev->set & CGFS_IO_WEIGHT) {
		snprintf(text, sizeof(text), "%u:%u %" PRIu64, dev->major, dev->minor, dev->weight);
		snprintf(cost, sizeof(cost), "%u:%u %" PRIu64, dev->major, dev->minor,
			 cgfs_io_weight(dev->weight));
		r = write_either(d, "io.bfq.weight", text, "io.weight", cost, reterr);
	}
	if (r == 0)
		r = v2_max(d, dev, CGFS_IO_READ_BPS, "rbps", dev->read_bps, reterr);
	if (r == 0)
		r = v2_max(d, dev, CGFS_IO_WRITE_BPS, "wbps", dev->write_bps, reterr);
	if (r == 0)
		r = v2_max(d, dev, CGFS_IO_READ_IOPS, "riops", dev->read_iops, reterr);
	if (r == 0)
		r = v2_max(d, dev, CGFS_IO_WRITE_IOPS, "wiops", dev->write_iops, reterr);
	if (r == 0 && (dev->set & CGFS_IO_LATENCY)) {
		snprintf(text, sizeof(text), "%u:%u target=%" PRIu64, dev->major, dev->minor,
			 dev->latency_us);
		r = dir_write(d, "io.latency", text, reterr);
	}
	return r;
}

static int v2_apply(const struct cgfs_dir *d, const struct cgfs_resources *res,
		    struct cgfs_err *reterr)
{
	char text[24], cost[32];
	int r = 0;

	if (res->set & CGFS_SET_IO_WEIGHT) {
		snprintf(text, sizeof(text), "%" PRIu64, res->io_weight);
		snprintf(cost, sizeof(cost), "default %" PRIu64, cgfs_io_weight(res->io_weight));
		r = write_either(d, "io.bfq.weight", text, "io.weight", cost, reterr);
	}
	for (size_t i = 0; r == 0 && (res->set & CGFS_SET_IO_DEVICES) && i < res->n_io_devices;
	     i++) {
		report_entry(d, i);
		r = v2_device(d, &res->io_devices[i], reterr);
	}
	return r;
}

static const struct ctl_limit v2_weight[] = {
	CTL_LIMIT(IO_WEIGHT, "io.bfq.weight", "default"),
	{ CGFS_SET_IO_WEIGHT, "io.weight", "default", true },
	{ .bit = 0 },
};

const struct ctl_ops ctl_io_v2 = {
	.handles = CGFS_SET_IO_WEIGHT | CGFS_SET_IO_DEVICES,
	.reads = CGFS_READ_IO,
	.apply = v2_apply,
	.stats = io_stats,
	.limits = v2_weight,
};
