/* SPDX-License-Identifier: MIT */
/*
 * cgfs/device.h - device access rules.
 *
 * A policy is an ordered list of rules that starts from "deny everything".  Each of the three
 * access bits of a request is decided on its own by the last rule that matches it; the request
 * is granted when all of its bits are.  This is what OCI runtime-spec means by a list, and what
 * cgroup v1's devices controller does for lists that it can express (Documentation/
 * admin-guide/cgroup-v1/devices.rst).  A container is bound by its pod's list as well as by its
 * own.
 */
#ifndef CGFS_DEVICE_H
#define CGFS_DEVICE_H

#include <cgfs/base.h>

#ifdef __cplusplus
extern "C" {
#endif

enum cgfs_device_type {
	CGFS_DEVICE_ALL = 'a', /* block and character; major and minor must be wildcards */
	CGFS_DEVICE_BLOCK = 'b',
	CGFS_DEVICE_CHAR = 'c',
};

/* Access bits, as the kernel numbers them (BPF_DEVCG_ACC_*). */
#define CGFS_ACCESS_MKNOD 1u
#define CGFS_ACCESS_READ  2u
#define CGFS_ACCESS_WRITE 4u
#define CGFS_ACCESS_ALL	  7u

/* Any major or minor number. */
#define CGFS_DEVICE_ANY (-1)

/* Largest number of rules in one policy. */
#define CGFS_DEVICE_RULES_MAX 4096

struct cgfs_device_rule {
	enum cgfs_device_type type;
	int32_t major;	 /* 0..4095, or CGFS_DEVICE_ANY */
	int32_t minor;	 /* 0..1048575, or CGFS_DEVICE_ANY */
	uint32_t access; /* CGFS_ACCESS_*, never 0 */
	bool allow;
};

/**
 * cgfs_device_parse() - read one rule from text
 * @text:     borrowed; `[allow|deny] TYPE MAJOR:MINOR ACCESS`, for instance "c 1:3 rwm",
 *            "deny b *:* w" or "a" (= "a *:* rwm"); without a verb it allows
 * @ret_rule: out
 * @reterr:   may be NULL
 *
 * Errors:  -EINVAL  the text is not a rule; the error names the wrong part
 * Context: any thread; makes no system call
 *
 * Return: 0, or a negative errno.
 */
CGFS_API CGFS_CHECK int cgfs_device_parse(const char *text, struct cgfs_device_rule *ret_rule,
					  struct cgfs_err *reterr);

/**
 * cgfs_device_format() - write one rule as text
 * @rule: borrowed
 * @buf:  out; at least 48 bytes; NUL-terminated afterwards
 * @len:  size of @buf
 */
CGFS_API void cgfs_device_format(const struct cgfs_device_rule *rule, char *buf, size_t len);

/**
 * cgfs_device_check() - the result of a list of rules for one request
 * @rules:  borrowed; in order
 * @n:      number of rules
 * @type:   CGFS_DEVICE_BLOCK or CGFS_DEVICE_CHAR
 * @major:  device number
 * @minor:  device number
 * @access: CGFS_ACCESS_* bits that are requested
 *
 * The reference evaluator: slow, obvious, and what every other implementation (v1 files, eBPF
 * maps, the fake) is tested against.
 *
 * Return: the bits of @access that are granted.
 */
CGFS_API uint32_t cgfs_device_check(const struct cgfs_device_rule *rules, size_t n,
				    enum cgfs_device_type type, int32_t major, int32_t minor,
				    uint32_t access);

/**
 * cgfs_device_defaults() - the devices that every container may use by OCI's rules
 * @ret_n: out; number of rules
 *
 * null, zero, full, random, urandom, tty, console, ptmx, pts/N, and mknod of any device.
 *
 * Return: a static list.
 */
CGFS_API const struct cgfs_device_rule *cgfs_device_defaults(size_t *ret_n);

#ifdef __cplusplus
}
#endif
#endif
