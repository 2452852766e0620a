/* SPDX-License-Identifier: MIT */
/*
 * device.h - device rules inside the library: their bounds, and what v1's controller can hold.
 */
#ifndef CGFS_DEVICES_H
#define CGFS_DEVICES_H

#include <cgfs/device.h>

/* What a dev_t of the kernel holds: 12 bits of major, 20 bits of minor. */
#define CGFS_DEVICE_MAJOR_MAX 4095
#define CGFS_DEVICE_MINOR_MAX 1048575

/* Refuses a rule that no text could have made: a type, number or access out of range. */
CGFS_CHECK int cgfs_device_rule_check(const struct cgfs_device_rule *rule, struct cgfs_err *reterr);

/* The same devices, with any verdict. */
static inline bool cgfs_device_same(const struct cgfs_device_rule *a,
				    const struct cgfs_device_rule *b)
{
	return a->type == b->type && a->major == b->major && a->minor == b->minor;
}

/*
 * Reads "rwm" in any order into CGFS_ACCESS_* bits; 0 when it is empty or has another letter.
 */
uint32_t cgfs_device_access_parse(const char *text, size_t len);

/*
 * What cgroup v1's devices controller can hold: a default, and exceptions from it.
 *
 * The kernel grants a request under "deny" when ONE exception contains all of its access bits,
 * and refuses it under "allow" when any exception has one of its bits.  A set made here is
 * closed under that: it grants exactly what cgfs_device_check() grants for its list, for every
 * combination of bits.  Exceptions are sorted by type, major, minor (ANY first), each pattern
 * occurs once, and none is implied by another.
 */
struct cgfs_devices_v1 {
	bool allow; /* the default; exceptions have the opposite verdict */
	struct cgfs_device_rule *exceptions;
	size_t n;
};

#define CGFS_DEVICES_V1_INIT                                                                       \
	{                                                                                          \
		.allow = false, .exceptions = NULL, .n = 0                                         \
	}

/* Most exceptions that one set may have: a set can always be written down as a list of rules. */
#define CGFS_DEVICES_V1_MAX CGFS_DEVICE_RULES_MAX

/* Which default a set may have: a cgroup that has children cannot change its own. */
enum cgfs_devices_v1_default {
	CGFS_DEVICES_V1_EITHER,
	CGFS_DEVICES_V1_DENY,
	CGFS_DEVICES_V1_ALLOW,
};

/*
 * Compiles a list.  Of either default that one is preferred which the list suggests:
 * "allow" when it allows "a" and devices without a rule of their own are granted everything; else
 * "deny".  When this one cannot express the list, the other one is tried.
 * -EOPNOTSUPP: the list cuts a hole into a wildcard that v1 cannot express; the error names both
 * rules.  -EINVAL: a rule is not valid.  -E2BIG: too many rules or exceptions.
 */
CGFS_CHECK int cgfs_devices_v1_compile(const struct cgfs_device_rule *rules, size_t n,
				       enum cgfs_devices_v1_default want,
				       struct cgfs_devices_v1 *ret, struct cgfs_err *reterr);

/* The same for a valid list of any length that the library made; errors give no rule numbers. */
CGFS_CHECK int cgfs_devices_v1_compile_ours(const struct cgfs_device_rule *rules, size_t n,
					    enum cgfs_devices_v1_default want,
					    struct cgfs_devices_v1 *ret, struct cgfs_err *reterr);

/*
 * What a container's set leaves of its pod's: v1 judges a process by its own cgroup alone, and
 * refuses (EPERM) an exception that goes beyond the parent's, so this is what is written.
 * Errors as above.
 */
CGFS_CHECK int cgfs_devices_v1_intersect(const struct cgfs_devices_v1 *pod,
					 const struct cgfs_devices_v1 *container,
					 enum cgfs_devices_v1_default want,
					 struct cgfs_devices_v1 *ret, struct cgfs_err *reterr);

/* The bits of all exceptions that hold for the whole of a pattern. */
uint32_t cgfs_devices_v1_covered(const struct cgfs_devices_v1 *set,
				 const struct cgfs_device_rule *pattern);

/* For qsort() and bsearch(): the order of exceptions, by type, major and minor. */
int cgfs_device_order(const void *va, const void *vb);
/* The same default and the same exceptions in the same order. */
bool cgfs_devices_v1_same(const struct cgfs_devices_v1 *a, const struct cgfs_devices_v1 *b);
/* Is there a device that both rules are about? */
bool cgfs_device_overlap(const struct cgfs_device_rule *a, const struct cgfs_device_rule *b);

/* The exceptions of both, with the default of @a; their meaning is not looked at. */
CGFS_CHECK int cgfs_devices_v1_union(const struct cgfs_devices_v1 *a,
				     const struct cgfs_devices_v1 *b, struct cgfs_devices_v1 *ret,
				     struct cgfs_err *reterr);

int cgfs_devices_v1_copy(const struct cgfs_devices_v1 *from, struct cgfs_devices_v1 *ret,
			 struct cgfs_err *reterr);

/* Releases the exceptions; @set becomes an empty "deny". */
void cgfs_devices_v1_free(struct cgfs_devices_v1 *set);

/* "c 1:3 rwm", as devices.allow and devices.deny take it; @len of 48 is always enough. */
void cgfs_devices_v1_format(const struct cgfs_device_rule *exception, char *buf, size_t len);

#endif
