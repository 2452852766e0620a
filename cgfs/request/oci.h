/* SPDX-License-Identifier: MIT */
/*
 * oci.h - the state of reading one `linux.resources`, shared by the files that do it.
 */
#ifndef CGFS_OCI_H
#define CGFS_OCI_H

#include <cgfs/resources.h>
#include <jansson.h>

/* What cgfs_resources_from_oci() hands out; strings point into the JSON, which is kept. */
struct oci_result {
	struct cgfs_resources res; /* first: the caller's pointer is this struct's */
	json_t *root;
	struct cgfs_device_rule *devices;
	struct cgfs_unified *unified;
	struct cgfs_io_device *io_devices;
	struct cgfs_hugetlb *hugetlb;
	struct cgfs_rdma *rdma;
	struct cgfs_net_prio *net_prio;
	char ignored[512];
};

struct oci {
	struct oci_result *out;
	struct cgfs_oci_opts opts;
	struct cgfs_err *reterr;
	char path[160]; /* of what is being read, "memory.limit" */
};

/* Appends ".NAME" to the path; returns the length before, for oci_leave(). */
size_t cgfs_oci_enter(struct oci *o, const char *name);
void cgfs_oci_leave(struct oci *o, size_t length);

/* Fills the error with the path and the value that stands there; returns @code. */
int cgfs_oci_refuse(struct oci *o, int code, const json_t *value, const char *why, ...)
	__attribute__((format(printf, 4, 5)));

/* Notes a member that is not part of the specification as this library knows it. */
void cgfs_oci_ignore(struct oci *o, const char *name);

/* Integer (a real without a fraction is one), string or boolean at the path; -EINVAL with the
 * path if it is something else. */
CGFS_CHECK int cgfs_oci_integer(struct oci *o, const json_t *value, int64_t *ret);
/* An integer that is not negative; CGFS_MAX comes out as CGFS_MAX - 1. */
CGFS_CHECK int cgfs_oci_unsigned(struct oci *o, const json_t *value, uint64_t *ret);
CGFS_CHECK int cgfs_oci_string(struct oci *o, const json_t *value, const char **ret);
CGFS_CHECK int cgfs_oci_boolean(struct oci *o, const json_t *value, bool *ret);

/* All fields of the object; the functions below that take a field are rows of its tables, and what
 * they do depends on no member of the field. */
struct field;
CGFS_CHECK int cgfs_oci_fields(struct oci *o, const json_t *root);

/* `devices` (NULL: absent), with the default devices after them. */
CGFS_CHECK int cgfs_oci_devices(struct oci *o, const struct field *f, const json_t *list);

/* `blockIO.weightDevice` (CGFS_IO_WEIGHT) and the throttle lists (one bit of a rate each). */
CGFS_CHECK int cgfs_oci_io_devices(struct oci *o, const json_t *list, unsigned int bit);
/* `hugepageLimits`, `rdma`, `network.priorities`. */
CGFS_CHECK int cgfs_oci_hugepages(struct oci *o, const struct field *f, const json_t *list);
CGFS_CHECK int cgfs_oci_rdma(struct oci *o, const struct field *f, const json_t *object);
CGFS_CHECK int cgfs_oci_priorities(struct oci *o, const struct field *f, const json_t *list);

#endif
