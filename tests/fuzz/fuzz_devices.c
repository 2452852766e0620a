/* SPDX-License-Identifier: MIT */
/*
 * fuzz_devices.c - device rules, one a line: what parses formats back to itself, and what v1
 * can hold grants what the reference grants.
 */
#include "cgfs/base/util.h"
#include "cgfs/request/device.h"
#include "tests/unit/device_v1_kernel.h"

#define RULES_MAX 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void round_trip(const struct cgfs_device_rule *rule)
{
	struct cgfs_device_rule again = { 0 };
	char text[48];

	cgfs_device_format(rule, text, sizeof(text));
	if (cgfs_device_rule_check(rule, NULL) != 0 || cgfs_device_parse(text, &again, NULL) != 0 ||
	    again.type != rule->type || again.major != rule->major || again.minor != rule->minor ||
	    again.access != rule->access || again.allow != rule->allow)
		abort();
}

/* Asks for the numbers that rules name, and for one that none does. */
static void compare(const struct cgfs_devices_v1 *set, const struct cgfs_device_rule *rules,
		    size_t n)
{
	static const enum cgfs_device_type types[] = { CGFS_DEVICE_BLOCK, CGFS_DEVICE_CHAR };

	for (size_t i = 0; i <= n; i++)
		for (size_t k = 0; k <= n; k++)
			for (uint32_t q = 0; q < 2 * 7; q++) {
				int32_t major = i < n ? rules[i].major : 77;
				int32_t minor = k < n ? rules[k].minor : 7777;
				uint32_t access = q / 2 + 1, want;

				if (major < 0 || minor < 0)
					continue;
				want = cgfs_device_check(rules, n, types[q % 2], major, minor,
							 access);
				want = want == access ? access : 0;
				if (v1_granted(set, types[q % 2], major, minor, access) != want)
					abort();
			}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_free char *text = malloc(size + 1);
	struct cgfs_device_rule rules[RULES_MAX];
	struct cgfs_devices_v1 set = CGFS_DEVICES_V1_INIT, both = CGFS_DEVICES_V1_INIT;
	char *save = NULL;
	size_t n = 0;

	if (!text)
		return 0;
	if (size)
		memcpy(text, data, size);
	text[size] = '\0';
	for (char *line = strtok_r(text, "\n", &save); line && n < RULES_MAX;
	     line = strtok_r(NULL, "\n", &save)) {
		struct cgfs_err err = { 0 };

		if (cgfs_device_parse(line, &rules[n], &err) == 0)
			round_trip(&rules[n++]);
		else if (!err.text[0])
			abort();
	}
	if (cgfs_devices_v1_compile(rules, n, CGFS_DEVICES_V1_EITHER, &set, NULL) < 0)
		return 0;
	compare(&set, rules, n);
	/* What is within itself can be expressed. */
	if (cgfs_devices_v1_intersect(&set, &set, CGFS_DEVICES_V1_EITHER, &both, NULL) < 0)
		abort();
	compare(&both, rules, n);
	cgfs_devices_v1_free(&both);
	cgfs_devices_v1_free(&set);
	return 0;
}
