/* SPDX-License-Identifier: MIT */
/*
 * oci_lists.c - the parts of an OCI `linux.resources` that are lists of limits: block devices,
 * huge pages, rdma devices, network priorities.  Owns their members; ranges are
 * resources_lists.c's.
 */
#include "cgfs/base/util.h"
#include "cgfs/request/check.h"
#include "cgfs/request/oci.h"

#include <stdio.h>

typedef int entry_fn(struct oci *o, const json_t *entry, size_t i, unsigned int arg);

/* Calls @fn for each object of an array of @bound entries at the most. */
static int each(struct oci *o, const json_t *list, size_t bound, entry_fn *fn, unsigned int arg)
{
	size_t length = strlen(o->path);

	if (json_array_size(list) > bound)
		return cgfs_oci_refuse(o, -E2BIG, NULL, "%zu entries are more than %zu",
				       json_array_size(list), bound);
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *entry = json_array_get(list, i);
		int r;

		snprintf(o->path + length, sizeof(o->path) - length, "[%zu]", i);
		if (json_is_object(entry))
			r = fn(o, entry, i, arg);
		else
			r = cgfs_oci_refuse(o, -EINVAL, entry, "it must be an object");
		cgfs_oci_leave(o, length);
		if (r < 0)
			return r;
	}
	return 0;
}

static int require_array(struct oci *o, const json_t *list)
{
	return json_is_array(list) ? 0 : cgfs_oci_refuse(o, -EINVAL, list, "it must be an array");
}

/* Notes the members of an entry that are none of @known, a list that ends with NULL. */
static void ignore_others(struct oci *o, const json_t *entry, const char *const *known)
{
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)entry, name, value)
	{
		const char *const *k = known;

		while (*k && !streq(*k, name))
			k++;
		if (!*k)
			cgfs_oci_ignore(o, name);
	}
}

/* 0 to @max; with CGFS_MAX what no int64_t can hold is that.  An absent member leaves *ret as it
 * is, or is refused if it is required. */
static int number(struct oci *o, const json_t *entry, const char *name, bool required, uint64_t max,
		  uint64_t *ret)
{
	const json_t *value = json_object_get(entry, name);
	size_t length;
	uint64_t v = 0;
	int r;

	if (!value || json_is_null(value))
		return required ? cgfs_oci_refuse(o, -EINVAL, NULL, "\"%s\" is missing", name) : 0;
	length = cgfs_oci_enter(o, name);
	if (json_is_integer(value) && json_integer_value(value) < 0)
		r = -ERANGE;
	else
		r = cgfs_oci_unsigned(o, value, &v);
	if (r == 0 && max == CGFS_MAX && v > INT64_MAX)
		v = CGFS_MAX;
	if (r == -ERANGE || (r == 0 && v > max))
		r = cgfs_oci_refuse(o, -EINVAL, value, "it must be 0 to %llu",
				    (unsigned long long)max);
	cgfs_oci_leave(o, length);
	if (r == 0)
		*ret = v;
	return r;
}

static int text(struct oci *o, const json_t *entry, const char *name, const char **ret)
{
	const json_t *value = json_object_get(entry, name);
	size_t length;
	int r;

	if (!value)
		return cgfs_oci_refuse(o, -EINVAL, NULL, "\"%s\" is missing", name);
	length = cgfs_oci_enter(o, name);
	r = cgfs_oci_string(o, value, ret);
	cgfs_oci_leave(o, length);
	return r;
}

static int no_memory(struct oci *o)
{
	return cgfs_oci_refuse(o, -ENOMEM, NULL, "out of memory");
}

/* -- block devices --------------------------------------------------------------------------- */

static int device_number(struct oci *o, const json_t *entry, struct cgfs_io_device *dev)
{
	uint64_t major = 0, minor = 0;
	int r = number(o, entry, "major", true, UINT32_MAX, &major);

	if (r == 0)
		r = number(o, entry, "minor", true, UINT32_MAX, &minor);
	dev->major = (uint32_t)major;
	dev->minor = (uint32_t)minor;
	return r;
}

/* Each entry of each list is a device of its own: they are written in order, the last wins. */
static int append_device(struct oci *o, const struct cgfs_io_device *dev)
{
	struct cgfs_resources *res = &o->out->res;
	int r = cgfs_io_device_check(dev, o->path, o->reterr);

	if (r < 0)
		return r;
	if (res->n_io_devices == CGFS_ENTRIES_MAX)
		return cgfs_oci_refuse(o, -E2BIG, NULL, "there are more than %d limits of devices",
				       CGFS_ENTRIES_MAX);
	if (!o->out->io_devices)
		o->out->io_devices = calloc(CGFS_ENTRIES_MAX, sizeof(*dev));
	if (!o->out->io_devices)
		return no_memory(o);
	o->out->io_devices[res->n_io_devices++] = *dev;
	res->io_devices = o->out->io_devices;
	res->set |= CGFS_SET_IO_DEVICES;
	return 0;
}

static int rate_entry(struct oci *o, const json_t *entry, size_t i, unsigned int bit)
{
	static const char *const known[] = { "major", "minor", "rate", NULL };
	struct cgfs_io_device dev = { .set = bit };
	uint64_t rate = 0;
	int r;

	ignore_others(o, entry, known);
	r = device_number(o, entry, &dev);
	if (r == 0)
		r = number(o, entry, "rate", true, CGFS_MAX, &rate);
	if (r < 0)
		return r;
	if (!rate)
		rate = CGFS_MAX; /* v1's meaning: no limit */
	dev.read_bps = dev.write_bps = dev.read_iops = dev.write_iops = rate;
	return append_device(o, &dev);
}

static int weight_entry(struct oci *o, const json_t *entry, size_t i, unsigned int bit)
{
	static const char *const known[] = { "major", "minor", "weight", "leafWeight", NULL };
	struct cgfs_io_device dev = { .set = bit };
	uint64_t leaf = 0;
	int r;

	ignore_others(o, entry, known);
	r = device_number(o, entry, &dev);
	if (r == 0)
		r = number(o, entry, "weight", false, UINT16_MAX, &dev.weight);
	if (r == 0)
		r = number(o, entry, "leafWeight", false, UINT16_MAX, &leaf);
	if (r == 0 && leaf)
		r = cgfs_oci_refuse(o, -EOPNOTSUPP, NULL, "kernels have no leafWeight since 5.0");
	return r < 0 || !dev.weight ? r : append_device(o, &dev);
}

int cgfs_oci_io_devices(struct oci *o, const json_t *list, unsigned int bit)
{
	int r = require_array(o, list);

	return r < 0 ? r
		     : each(o, list, CGFS_ENTRIES_MAX,
			    bit == CGFS_IO_WEIGHT ? weight_entry : rate_entry, bit);
}

/* -- the other lists ------------------------------------------------------------------------- */

static int hugepage_entry(struct oci *o, const json_t *entry, size_t i, unsigned int arg)
{
	static const char *const known[] = { "pageSize", "limit", NULL };
	struct cgfs_hugetlb *h = &o->out->hugetlb[i];
	int r;

	ignore_others(o, entry, known);
	r = text(o, entry, "pageSize", &h->page_size);
	if (r == 0)
		r = number(o, entry, "limit", true, CGFS_MAX, &h->max_bytes);
	return r < 0 ? r : cgfs_hugetlb_check(h, o->path, o->reterr);
}

int cgfs_oci_hugepages(struct oci *o, const struct field *f, const json_t *list)
{
	int r = require_array(o, list);

	if (r < 0 || !json_array_size(list))
		return r;
	o->out->hugetlb = calloc(json_array_size(list), sizeof(*o->out->hugetlb));
	if (!o->out->hugetlb)
		return no_memory(o);
	o->out->res.hugetlb = o->out->hugetlb;
	o->out->res.n_hugetlb = json_array_size(list);
	o->out->res.set |= CGFS_SET_HUGETLB;
	return each(o, list, CGFS_ENTRIES_MAX, hugepage_entry, 0);
}

static int priority_entry(struct oci *o, const json_t *entry, size_t i, unsigned int arg)
{
	static const char *const known[] = { "name", "priority", NULL };
	struct cgfs_net_prio *prio = &o->out->net_prio[i];
	uint64_t priority = 0;
	int r;

	ignore_others(o, entry, known);
	r = text(o, entry, "name", &prio->interface);
	if (r == 0)
		r = number(o, entry, "priority", true, UINT32_MAX, &priority);
	prio->priority = (uint32_t)priority;
	return r < 0 ? r : cgfs_net_prio_check(prio, o->path, o->reterr);
}

int cgfs_oci_priorities(struct oci *o, const struct field *f, const json_t *list)
{
	int r = require_array(o, list);

	if (r < 0 || !json_array_size(list))
		return r;
	o->out->net_prio = calloc(json_array_size(list), sizeof(*o->out->net_prio));
	if (!o->out->net_prio)
		return no_memory(o);
	o->out->res.net_prio = o->out->net_prio;
	o->out->res.n_net_prio = json_array_size(list);
	o->out->res.set |= CGFS_SET_NET_PRIO;
	return each(o, list, CGFS_ENTRIES_MAX, priority_entry, 0);
}

static int rdma_entry(struct oci *o, const char *device, const json_t *entry,
		      struct cgfs_rdma *rdma)
{
	static const char *const known[] = { "hcaHandles", "hcaObjects", NULL };
	int r;

	*rdma = (struct cgfs_rdma){ device, CGFS_MAX, CGFS_MAX };
	if (!json_is_object(entry))
		return cgfs_oci_refuse(o, -EINVAL, entry, "it must be an object");
	ignore_others(o, entry, known);
	r = number(o, entry, "hcaHandles", false, UINT32_MAX, &rdma->hca_handles);
	if (r == 0)
		r = number(o, entry, "hcaObjects", false, UINT32_MAX, &rdma->hca_objects);
	return r < 0 ? r : cgfs_rdma_check(rdma, o->path, o->reterr);
}

int cgfs_oci_rdma(struct oci *o, const struct field *f, const json_t *object)
{
	size_t n = json_object_size(object), i = 0;
	const char *device;
	json_t *entry;

	if (!json_is_object(object))
		return cgfs_oci_refuse(o, -EINVAL, object, "it must be an object");
	if (n > CGFS_ENTRIES_MAX)
		return cgfs_oci_refuse(o, -E2BIG, NULL, "%zu entries are more than %d", n,
				       CGFS_ENTRIES_MAX);
	if (!n)
		return 0;
	o->out->rdma = calloc(n, sizeof(*o->out->rdma));
	if (!o->out->rdma)
		return no_memory(o);
	json_object_foreach((json_t *)object, device, entry)
	{
		size_t length = cgfs_oci_enter(o, device);
		int r = rdma_entry(o, device, entry, &o->out->rdma[i++]);

		cgfs_oci_leave(o, length);
		if (r < 0)
			return r;
	}
	o->out->res.rdma = o->out->rdma;
	o->out->res.n_rdma = n;
	o->out->res.set |= CGFS_SET_RDMA;
	return 0;
}
