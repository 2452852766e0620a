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

	if (cgfs_device_parse(text, &r, &err) < 0)
		fail_msg("%s", err.text);
	return r;
}

/* Member by member: the struct has padding. */
static inline void assert_same(const struct cgfs_device_rule *a, const struct cgfs_device_rule *b)
{
	assert_int_equal(a->type, b->type);
	assert_int_equal(a->major, b->major);
	assert_int_equal(a->minor, b->minor);
	assert_int_equal(a->access, b->access);
	assert_int_equal(a->allow, b->allow);
}

#endif
