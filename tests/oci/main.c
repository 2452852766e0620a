// SPDX-License-Identifier: MIT
/*
 * main.c - the table of hosts x cases.
 *
 *	oci [--list] [GLOB | !GLOB]...
 *
 * A test is called HOST/CASE, HOST being fake-v1, fake-v2-7.2 and so on, or live.  Inside a guest
 * (CGFS_TEST_GUEST is set) the running kernel alone, because the fakes are the same everywhere; and
 * every tenth case without CGFS_TEST_THOROUGH, because all of them take minutes there.
 * The cases are in $CGFS_OCI_CASES, else in tests/oci/cases, in a guest in /oci.
 */
#include "oci.h"

#include "cgfs/base/util.h"
#include "tests/tap.h"

#include <stdio.h>

static const struct {
	const char *name;
	enum cgfs_layout layout;
	struct fake_kernel kernel;
} hosts[] = {
	{ "fake-v1", CGFS_LAYOUT_V1, FAKE_KERNEL_6_1 },
	{ "fake-hybrid", CGFS_LAYOUT_HYBRID, FAKE_KERNEL_6_1 },
	{ "fake-mixed", CGFS_LAYOUT_MIXED, FAKE_KERNEL_6_12 },
	{ "fake-v2-6.1", CGFS_LAYOUT_V2, FAKE_KERNEL_6_1 },
	{ "fake-v2-7.2", CGFS_LAYOUT_V2, FAKE_KERNEL_7_2 },
};

static void run(void **state)
{
	const struct oci_test *t = *state;

	if (t->live)
		oci_run_live(t);
	else
		oci_run_fake(t);
}

static int sweep(void **state)
{
	const struct oci_test *t = *state;

	if (t->live)
		oci_live_sweep(t->live);
	return 0;
}

static char why_not_live[256];

static void no_live(void **state)
{
	tap_skip("%s", why_not_live);
}

int main(int argc, char **argv)
{
	const char *dir = getenv("CGFS_OCI_CASES");
	bool guest = getenv("CGFS_TEST_GUEST") != NULL;
	size_t n_hosts = guest ? 0 : ARRAY_SIZE(hosts), n_cases, n = 0;
	size_t step = guest && !getenv("CGFS_TEST_THOROUGH") ? 10 : 1;
	struct oci_live *live;
	struct tap_test *tests;
	struct oci_test *args;
	json_t *list;
	int r;

	n_cases = oci_load(dir ? dir : guest ? "/oci" : "tests/oci/cases", &list);
	args = calloc(n_cases * (n_hosts + 1), sizeof(*args));
	tests = calloc(n_cases * (n_hosts + 1), sizeof(*tests));
	if (!args || !tests)
		return 2;
	live = oci_live_new(why_not_live, sizeof(why_not_live));
	for (size_t h = 0; h <= n_hosts; h++) {
		for (size_t i = 0; i < n_cases; i += step) {
			struct oci_test *t = &args[n];

			if (h == n_hosts && !live && i)
				break;
			*t = (struct oci_test){ .list = list, .index = i };
			if (h < n_hosts) {
				t->layout = hosts[h].layout;
				t->kernel = hosts[h].kernel;
			} else {
				t->live = live;
			}
			snprintf(t->name, sizeof(t->name), "%s/%s",
				 h < n_hosts ? hosts[h].name : "live",
				 h < n_hosts || live ? oci_case_name(list, i) : "all");
			tests[n] = (struct tap_test){ .name = t->name,
						      .fn = h < n_hosts || live ? run : no_live,
						      .teardown = sweep,
						      .arg = t };
			n++;
		}
	}
	r = tap_main(argc, argv, tests, n);
	json_decref(list);
	free(tests);
	free(args);
	free(live);
	return r;
}
