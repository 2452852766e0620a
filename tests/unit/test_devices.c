/* SPDX-License-Identifier: MIT */
/*
 * test_devices.c - device rules: their text, the reference evaluator, the defaults.
 */
#include "cgfs/base/util.h"
#include "cgfs/request/device.h"
#include "tests/tap.h"
#include "tests/unit/device_rules.h"

#include <stdio.h>

#define RW (CGFS_ACCESS_READ | CGFS_ACCESS_WRITE)

static void refuse(const char *text, const char *why)
{
	struct cgfs_device_rule r = rule("b 7:9 w"), before = r;
	struct cgfs_err err = { 0 };

	CHECK_INT(cgfs_device_parse(text, &r, &err), -EINVAL);
	CHECK_INT(err.code, -EINVAL);
	CHECK_MSG(strstr(err.text, why), "\"%s\" does not say \"%s\"", err.text, why);
	check_same(&r, &before);
	CHECK_INT(cgfs_device_parse(text, &r, NULL), -EINVAL);
}

TAP_TEST(device_text_parses_and_formats_back)
{
	static const struct {
		const char *text, *formatted;
	} cases[] = {
		{ "c 1:3 rwm", "c 1:3 rwm" },
		{ "allow c 1:3 rwm", "c 1:3 rwm" },
		{ "deny b *:* w", "deny b *:* w" },
		{ "a", "a *:* rwm" },
		{ "deny a", "deny a *:* rwm" },
		{ "a *:* r", "a *:* r" },
		{ "c 136:* mwr", "c 136:* rwm" },
		{ " \tc  *:5\trr ", "c *:5 r" },
		{ "b 4095:1048575 m", "b 4095:1048575 m" },
		{ "b 0:0 m", "b 0:0 m" },
	};
	char buf[48];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct cgfs_device_rule r = rule(cases[i].text), again;

		cgfs_device_format(&r, buf, sizeof(buf));
		CHECK_STR(buf, cases[i].formatted);
		again = rule(buf);
		check_same(&r, &again);
	}
}

TAP_TEST(device_bad_text_is_refused_with_the_part)
{
	refuse(NULL, "is required");
	refuse("", "empty");
	refuse("  ", "empty");
	refuse("allow", "empty");
	refuse("u 1:3 rwm", "type \"u\"");
	refuse("p 1:3 rwm", "type \"p\"");
	refuse("x", "type \"x\"");
	refuse("C 1:3 rwm", "type \"C\"");
	refuse("char 1:3 rwm", "type \"char\"");
	refuse("c", "missing");
	refuse("c 1:3", "access is missing");
	refuse("a *:*", "access is missing");
	refuse("c 13 rwm", "\"13\" is not MAJOR:MINOR");
	refuse("c -5:3 rwm", "major \"-5\"");
	refuse("c -1:3 rwm", "major \"-1\"");
	refuse("c :3 rwm", "major \"\"");
	refuse("c 1: rwm", "minor \"\"");
	refuse("c 1:x rwm", "minor \"x\"");
	refuse("c 1:3:4 rwm", "minor \"3:4\"");
	refuse("c 0x1:3 rwm", "major \"0x1\"");
	refuse("c 4096:0 rwm", "major \"4096\"");
	refuse("c 99999999999999999999:0 rwm", "major \"99999999999999999999\"");
	refuse("c 1:1048576 rwm", "minor \"1048576\"");
	refuse("c **:1 rwm", "major \"**\"");
	refuse("c 1:3 xyz", "access \"xyz\"");
	refuse("c 1:3 rwmx", "access \"rwmx\"");
	refuse("c 1:3 rw m", "follow");
	refuse("allow c 1:3 rw m n o", "follow");
	refuse("a 1:3 rwm", "type a");
	refuse("a *:3 rwm", "type a");
	refuse("allow deny c 1:3 rwm", "type \"deny\"");
	refuse("c 1:3 rwm\n", "access");
}

TAP_TEST(device_format_survives_wild_values_and_short_buffers)
{
	struct cgfs_device_rule r = { (enum cgfs_device_type)200, INT32_MIN, INT32_MIN, ~0u,
				      false };
	char buf[48];

	cgfs_device_format(&r, buf, sizeof(buf));
	CHECK_STR(buf, "deny ? -2147483648:-2147483648 rwm");
	cgfs_device_format(&r, buf, 6);
	CHECK_STR(buf, "deny ");
	buf[0] = 'x';
	cgfs_device_format(&r, buf, 0);
	CHECK_INT(buf[0], 'x');
}

TAP_TEST(device_check_decides_each_bit_by_the_last_match)
{
	const struct cgfs_device_rule list[] = {
		rule("c 10:* rw"),    rule("deny c 10:229 w"), rule("c *:* m"),
		rule("deny a *:* m"), rule("b 8:0 m"),
	};
	size_t n = ARRAY_SIZE(list);

	CHECK_INT(cgfs_device_check(list, n, CGFS_DEVICE_CHAR, 10, 1, 7), RW);
	CHECK_INT(cgfs_device_check(list, n, CGFS_DEVICE_CHAR, 10, 229, 7), CGFS_ACCESS_READ);
	CHECK_INT(cgfs_device_check(list, n, CGFS_DEVICE_CHAR, 10, 229, CGFS_ACCESS_WRITE), 0);
	CHECK_INT(cgfs_device_check(list, n, CGFS_DEVICE_BLOCK, 10, 1, 7), 0);
	CHECK_INT(cgfs_device_check(list, n, CGFS_DEVICE_BLOCK, 8, 0, 7), CGFS_ACCESS_MKNOD);
	CHECK_INT(cgfs_device_check(NULL, 0, CGFS_DEVICE_CHAR, 1, 3, 7), 0);
}

TAP_TEST(device_deny_all_of_one_bit_takes_only_that_bit)
{
	const struct cgfs_device_rule list[] = { rule("a"), rule("deny a *:* r") };

	CHECK_INT(cgfs_device_check(list, 2, CGFS_DEVICE_CHAR, 1, 3, 7),
		  CGFS_ACCESS_WRITE | CGFS_ACCESS_MKNOD);
}

TAP_TEST(device_defaults_are_those_of_the_runtime_spec)
{
	const struct cgfs_device_rule *list;
	size_t n = 0;

	list = cgfs_device_defaults(&n);
	for (int minor = 3; minor <= 9; minor++)
		CHECK_INT(cgfs_device_check(list, n, CGFS_DEVICE_CHAR, 1, minor, RW),
			  minor == 4 || minor == 6 ? 0 : RW);
	for (int minor = 0; minor <= 3; minor++)
		CHECK_INT(cgfs_device_check(list, n, CGFS_DEVICE_CHAR, 5, minor, RW),
			  minor == 3 ? 0 : RW);
	CHECK_INT(cgfs_device_check(list, n, CGFS_DEVICE_CHAR, 136, 77, RW), RW);
	/* tun is in the lists of runc and crun, not in the specification. */
	CHECK_INT(cgfs_device_check(list, n, CGFS_DEVICE_CHAR, 10, 200, 7), CGFS_ACCESS_MKNOD);
	CHECK_INT(cgfs_device_check(list, n, CGFS_DEVICE_CHAR, 1, 11, 7), CGFS_ACCESS_MKNOD);
	CHECK_INT(cgfs_device_check(list, n, CGFS_DEVICE_BLOCK, 8, 0, 7), CGFS_ACCESS_MKNOD);
	for (size_t i = 0; i < n; i++)
		CHECK_INT(cgfs_device_rule_check(&list[i], NULL), 0);
}
