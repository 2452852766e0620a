/* SPDX-License-Identifier: MIT */
/*
 * tap.h - the frame of every test program: cmocka's assertions, TAP on stdout.
 *
 * A program has one table (static, or built at run time) and one call:
 *
 *	static const struct tap_test tests[] = {
 *		TAP_TEST(cpu_max_lifts_quota, .setup = setup, .teardown = teardown),
 *		{ .name = "v2/pod_create", .fn = pod_create, .arg = &layouts[3] },
 *	};
 *	TAP_MAIN(tests)
 *
 * Command line: `--list` prints the names; other arguments are globs of names to run, `!GLOB`
 * leaves out.  Output: the plan, then one line for each test.  What a test (or cmocka, or a
 * sanitizer) prints comes out as `# ` lines, and only when the test fails.  A test that crashes
 * or exits is a failed test; the ones after it run.  Orphans of a test come to the process that
 * runs the tests, which may wait for them.
 *
 * Knows nothing of cgroups.
 */
#ifndef TAP_H
#define TAP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* A skip says why: tap_skip(). */
#undef skip

struct tap_test {
	const char *name;
	void (*fn)(void **state);
	int (*setup)(void **state);    /* may be NULL; non-zero: failed, and no teardown */
	int (*teardown)(void **state); /* may be NULL; runs after a failed test, too */
	void *arg;		       /* what *state is before setup */
};

#define TAP_TEST(function, ...)                                                                    \
	{                                                                                          \
		.name = #function, .fn = (function), ##__VA_ARGS__                                 \
	}

/* Ends the running test (or setup) as skipped; the reason is printed. */
void tap_skip(const char *why, ...) __attribute__((format(printf, 1, 2), noreturn));

/* A `# ` line in the output, at once; for what a reader of a passing run should see. */
void tap_note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Runs what the command line asks for.  0 when nothing failed, 1 otherwise, 2 for bad usage. */
int tap_main(int argc, char **argv, const struct tap_test *tests, size_t n);

#define TAP_MAIN(tests)                                                                            \
	int main(int argc, char **argv)                                                            \
	{                                                                                          \
		return tap_main(argc, argv, tests, sizeof(tests) / sizeof(*(tests)));              \
	}

#endif
