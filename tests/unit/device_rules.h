/* SPDX-License-Identifier: MIT */
/*
 * device_rules.h - rules out of text, and their comparison, for the tests of devices.
 */
#ifndef DEVICE_RULES_H
#define DEVICE_RULES_H

#include "tests/tap.h"
#include <cgfs/device.h>

static inline struct cgfs_device_rule rule(const char *text)
{
	struct cgfs_device_rule r = { 0 };
	struct cgfs_err err = { 0 };

	CHECK_MSG(cgfs_device_parse(text, &r, &err) >= 0, "%s", err.text);
	return r;
}

/* Member by member: the struct has padding. */
static inline void check_same(const struct cgfs_device_rule *a, const struct cgfs_device_rule *b)
{
	CHECK_INT(a->type, b->type);
	CHECK_INT(a->major, b->major);
	CHECK_INT(a->minor, b->minor);
	CHECK_INT(a->access, b->access);
	CHECK_INT(a->allow, b->allow);
}

#endif
