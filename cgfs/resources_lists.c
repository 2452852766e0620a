/* SPDX-License-Identifier: MIT */
/*
 * resources_lists.c - validates what comes in lists: block devices, huge pages, rdma, misc and
 * network priorities.  Their names become parts of file names and of lines that the kernel
 * parses, so they are bounded here; whether the device exists is the kernel's to say.
 */
#include "devices.h"
#include "internal.h"
#include "resources_check.h"

#include <stdio.h>

#define IO_BITS                                                                                    \
	(CGFS_IO_WEIGHT | CGFS_IO_READ_BPS | CGFS_IO_WRITE_BPS | CGFS_IO_READ_IOPS |               \
	 CGFS_IO_WRITE_IOPS | CGFS_IO_LATENCY)

/* OCI's scale, which is BFQ's minus its lowest part. */
#define IO_WEIGHT_MIN 10
#define IO_WEIGHT_MAX 1000

/* A word of a control file's line: no blank, no newline, no path. */
static int check_word(const char *word, size_t max, const char *what, struct cgfs_err *reterr)
{
	size_t len = word ? strlen(word) : 0;

	if (!len || len > max)
		return cgfs_err_set(reterr, -EINVAL, what, NULL, word,
				    "a name has 1 to %zu characters", max);
	for (const char *c = word; *c; c++) {
		bool ok = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
			  (*c >= '0' && *c <= '9') || strchr("_.-:@", *c);

		if (!ok)
			return cgfs_err_set(reterr, -EINVAL, what, NULL, word,
					    "a name is made of letters, digits and _ . - : @");
	}
	return 0;
}

static int check_io_weight(uint64_t weight, const char *what, struct cgfs_err *reterr)
{
	if (weight >= IO_WEIGHT_MIN && weight <= IO_WEIGHT_MAX)
		return 0;
	return cgfs_value_refuse(reterr, what, weight, "a weight is %d to %d", IO_WEIGHT_MIN,
				 IO_WEIGHT_MAX);
}

int cgfs_io_device_check(const struct cgfs_io_device *dev, const char *what,
			 struct cgfs_err *reterr)
{
	const struct {
		unsigned int bit;
		uint64_t rate;
	} rates[] = {
		{ CGFS_IO_READ_BPS, dev->read_bps },
		{ CGFS_IO_WRITE_BPS, dev->write_bps },
		{ CGFS_IO_READ_IOPS, dev->read_iops },
		{ CGFS_IO_WRITE_IOPS, dev->write_iops },
	};

	if (!dev->set || (dev->set & ~IO_BITS))
		return cgfs_value_refuse(reterr, what, dev->set,
					 "set must name some of the limits of CGFS_IO_*");
	if (dev->major > CGFS_DEVICE_MAJOR_MAX)
		return cgfs_value_refuse(reterr, what, dev->major, "a major number is 0 to %d",
					 CGFS_DEVICE_MAJOR_MAX);
	if (dev->minor > CGFS_DEVICE_MINOR_MAX)
		return cgfs_value_refuse(reterr, what, dev->minor, "a minor number is 0 to %d",
					 CGFS_DEVICE_MINOR_MAX);
	for (size_t i = 0; i < ARRAY_SIZE(rates); i++)
		if ((dev->set & rates[i].bit) && !rates[i].rate)
			return cgfs_value_refuse(reterr, what, 0,
						 "a rate of 0 would stop the device");
	return dev->set & CGFS_IO_WEIGHT ? check_io_weight(dev->weight, what, reterr) : 0;
}

int cgfs_hugetlb_check(const struct cgfs_hugetlb *h, const char *what, struct cgfs_err *reterr)
{
	size_t digits = h->page_size ? strspn(h->page_size, "0123456789") : 0;
	const char *unit = h->page_size ? h->page_size + digits : "";

	if (!digits || digits > 6 || h->page_size[0] == '0' ||
	    (!streq(unit, "KB") && !streq(unit, "MB") && !streq(unit, "GB")))
		return cgfs_err_set(reterr, -EINVAL, what, NULL, h->page_size,
				    "a page size is a number with KB, MB or GB, such as 2MB");
	if (h->max_bytes > INT64_MAX && h->max_bytes != CGFS_MAX)
		return cgfs_value_refuse(reterr, what, h->max_bytes,
					 "the largest number of bytes is %lld",
					 (long long)INT64_MAX);
	return 0;
}

int cgfs_rdma_check(const struct cgfs_rdma *rdma, const char *what, struct cgfs_err *reterr)
{
	const uint64_t limits[] = { rdma->hca_handles, rdma->hca_objects };

	/* rdmacg_resource_set_max(): an int, and INT_MAX is "max". */
	for (size_t i = 0; i < ARRAY_SIZE(limits); i++)
		if (limits[i] > INT32_MAX && limits[i] != CGFS_MAX)
			return cgfs_value_refuse(reterr, what, limits[i], "the largest limit is %d",
						 INT32_MAX);
	return check_word(rdma->device, 63, what, reterr);
}

int cgfs_net_prio_check(const struct cgfs_net_prio *prio, const char *what, struct cgfs_err *reterr)
{
	return check_word(prio->interface, 15, what, reterr); /* IFNAMSIZ */
}

/* The frame of a list: a bound, a pointer, and a name for each entry. */
static int check_count(uint64_t set, const void *list, size_t n, const char *name,
		       struct cgfs_err *reterr)
{
	if (!set)
		return 0;
	if (n > CGFS_ENTRIES_MAX)
		return cgfs_err_set(reterr, -E2BIG, name, NULL, NULL,
				    "%zu entries are more than %d", n, CGFS_ENTRIES_MAX);
	if (n && !list)
		return cgfs_err_set(reterr, -EINVAL, name, NULL, NULL,
				    "there is no list of %zu entries", n);
	return 0;
}

static const char *entry_name(char *buf, size_t len, const char *name, size_t i)
{
	snprintf(buf, len, "%s[%zu]", name, i);
	return buf;
}

static int check_io(const struct cgfs_resources *res, enum words words, struct cgfs_err *reterr)
{
	bool set = res->set & CGFS_SET_IO_DEVICES;
	char what[64];
	int r = 0;

	if (res->set & CGFS_SET_IO_WEIGHT)
		r = check_io_weight(res->io_weight, member_word(CGFS_SET_IO_WEIGHT, words), reterr);
	if (r == 0)
		r = check_count(set, res->io_devices, res->n_io_devices,
				member_word(CGFS_SET_IO_DEVICES, words), reterr);
	for (size_t i = 0; set && r == 0 && i < res->n_io_devices; i++)
		r = cgfs_io_device_check(
			&res->io_devices[i],
			entry_name(what, sizeof(what), member_word(CGFS_SET_IO_DEVICES, words), i),
			reterr);
	return r;
}

static int check_rdma_and_misc(const struct cgfs_resources *res, enum words words,
			       struct cgfs_err *reterr)
{
	bool rdma = res->set & CGFS_SET_RDMA, misc = res->set & CGFS_SET_MISC;
	char what[64];
	int r;

	r = check_count(rdma, res->rdma, res->n_rdma, member_word(CGFS_SET_RDMA, words), reterr);
	for (size_t i = 0; rdma && r == 0 && i < res->n_rdma; i++)
		r = cgfs_rdma_check(
			&res->rdma[i],
			entry_name(what, sizeof(what), member_word(CGFS_SET_RDMA, words), i),
			reterr);
	if (r == 0)
		r = check_count(misc, res->misc, res->n_misc, member_word(CGFS_SET_MISC, words),
				reterr);
	for (size_t i = 0; misc && r == 0 && i < res->n_misc; i++)
		r = check_word(res->misc[i].name, 63,
			       entry_name(what, sizeof(what), member_word(CGFS_SET_MISC, words), i),
			       reterr);
	return r;
}

int cgfs_resource_lists_check(const struct cgfs_resources *res, enum words words,
			      struct cgfs_err *reterr)
{
	bool huge = res->set & CGFS_SET_HUGETLB, prio = res->set & CGFS_SET_NET_PRIO;
	char what[64];
	int r;

	r = check_io(res, words, reterr);
	if (r == 0)
		r = check_count(huge, res->hugetlb, res->n_hugetlb,
				member_word(CGFS_SET_HUGETLB, words), reterr);
	for (size_t i = 0; huge && r == 0 && i < res->n_hugetlb; i++)
		r = cgfs_hugetlb_check(
			&res->hugetlb[i],
			entry_name(what, sizeof(what), member_word(CGFS_SET_HUGETLB, words), i),
			reterr);
	if (r == 0)
		r = check_rdma_and_misc(res, words, reterr);
	if (r == 0)
		r = check_count(prio, res->net_prio, res->n_net_prio,
				member_word(CGFS_SET_NET_PRIO, words), reterr);
	for (size_t i = 0; prio && r == 0 && i < res->n_net_prio; i++)
		r = cgfs_net_prio_check(
			&res->net_prio[i],
			entry_name(what, sizeof(what), member_word(CGFS_SET_NET_PRIO, words), i),
			reterr);
	return r;
}
