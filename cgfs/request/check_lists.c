/* SPDX-License-Identifier: MIT */
/*
 * check_lists.c - validates what comes in lists: block devices, huge pages, rdma, misc and
 * network priorities.  Their names become parts of file names and of lines that the kernel
 * parses, so they are bounded here; whether the device exists is the kernel's to say.
 */
#include "cgfs/base/util.h"
#include "cgfs/request/check.h"
#include "cgfs/request/device.h"
#include "cgfs/request/members.h"

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
		return err_value(reterr, -EINVAL, what, word, "a name has 1 to %zu characters",
				 max);
	for (const char *c = word; *c; c++) {
		bool ok = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
			  (*c >= '0' && *c <= '9') || strchr("_.-:@", *c);

		if (!ok)
			return err_value(reterr, -EINVAL, what, word,
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

int cgfs_io_device_check(const void *entry, const char *what, struct cgfs_err *reterr)
{
	const struct cgfs_io_device *dev = entry;
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

int cgfs_hugetlb_check(const void *entry, const char *what, struct cgfs_err *reterr)
{
	const struct cgfs_hugetlb *h = entry;
	size_t digits = h->page_size ? strspn(h->page_size, "0123456789") : 0;
	const char *unit = h->page_size ? h->page_size + digits : "";

	if (!digits || digits > 6 || h->page_size[0] == '0' ||
	    (!streq(unit, "KB") && !streq(unit, "MB") && !streq(unit, "GB")))
		return err_value(reterr, -EINVAL, what, h->page_size,
				 "a page size is a number with KB, MB or GB, such as 2MB");
	if (h->max_bytes > INT64_MAX && h->max_bytes != CGFS_MAX)
		return cgfs_value_refuse(reterr, what, h->max_bytes,
					 "the largest number of bytes is %lld",
					 (long long)INT64_MAX);
	return 0;
}

int cgfs_rdma_check(const void *entry, const char *what, struct cgfs_err *reterr)
{
	const struct cgfs_rdma *rdma = entry;
	const uint64_t limits[] = { rdma->hca_handles, rdma->hca_objects };

	/* rdmacg_resource_set_max(): an int, and INT_MAX is "max". */
	for (size_t i = 0; i < ARRAY_SIZE(limits); i++)
		if (limits[i] > INT32_MAX && limits[i] != CGFS_MAX)
			return cgfs_value_refuse(reterr, what, limits[i], "the largest limit is %d",
						 INT32_MAX);
	return check_word(rdma->device, 63, what, reterr);
}

int cgfs_net_prio_check(const void *entry, const char *what, struct cgfs_err *reterr)
{
	const struct cgfs_net_prio *prio = entry;

	return check_word(prio->interface, 15, what, reterr); /* IFNAMSIZ */
}

static int check_misc(const void *entry, const char *what, struct cgfs_err *reterr)
{
	return check_word(((const struct cgfs_misc *)entry)->name, 63, what, reterr);
}

/* A list of struct cgfs_resources. */
struct list {
	uint64_t bit;
	size_t at, n, size; /* its pointer, its count, and the size of an entry */
	int (*check)(const void *entry, const char *what, struct cgfs_err *reterr);
};
#define LIST(bit, list, check)                                                                     \
	{                                                                                          \
		CGFS_SET_##bit, offsetof(struct cgfs_resources, list),                             \
			offsetof(struct cgfs_resources, n_##list),                                 \
			sizeof(*((struct cgfs_resources *)0)->list), check                         \
	}

static const struct list lists[] = {
	LIST(IO_DEVICES, io_devices, cgfs_io_device_check),
	LIST(HUGETLB, hugetlb, cgfs_hugetlb_check),
	LIST(RDMA, rdma, cgfs_rdma_check),
	LIST(MISC, misc, check_misc),
	LIST(NET_PRIO, net_prio, cgfs_net_prio_check),
};

int cgfs_count_check(const void *list, size_t n, size_t max, const char *what, const char *name,
		     struct cgfs_err *reterr)
{
	if (n > max)
		return err_why(reterr, -E2BIG, name, NULL, "%zu %s are more than %zu", n, what,
			       max);
	if (n && !list)
		return err_why(reterr, -EINVAL, name, NULL, "there is no list of %zu %s", n, what);
	return 0;
}

static int check_list(const struct cgfs_resources *res, const struct list *l, const char *name,
		      struct cgfs_err *reterr)
{
	const char *entry;
	char what[64];
	size_t n;
	int r;

	memcpy(&entry, (const char *)res + l->at, sizeof(entry));
	memcpy(&n, (const char *)res + l->n, sizeof(n));
	r = cgfs_count_check(entry, n, CGFS_ENTRIES_MAX, "entries", name, reterr);
	for (size_t i = 0; r == 0 && i < n; i++, entry += l->size) {
		snprintf(what, sizeof(what), "%s[%zu]", name, i);
		r = l->check(entry, what, reterr);
	}
	return r;
}

int cgfs_resource_lists_check(const struct cgfs_resources *res, enum words words,
			      struct cgfs_err *reterr)
{
	int r = 0;

	if (res->set & CGFS_SET_IO_WEIGHT)
		r = check_io_weight(res->io_weight, member_word(CGFS_SET_IO_WEIGHT, words), reterr);
	for (const struct list *l = lists; r == 0 && l < lists + ARRAY_SIZE(lists); l++) {
		if (res->set & l->bit)
			r = check_list(res, l, member_word(l->bit, words), reterr);
	}
	return r;
}
