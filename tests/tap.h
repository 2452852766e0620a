/* SPDX-License-Identifier: MIT */
/*
 * tap.h - the frame of every test program: a table of tests, TAP on stdout.
 *
 * A test is written once, and is then in the program's table:
 *
 *	TAP_TEST(cpu_max_lifts_quota, .setup = setup, .teardown = teardown)
 *	{
 *		...
 *	}
 *
 * main() is in tap_main.c, which the linker takes for a program that has none.  A program whose
 * table is made at run time has its own, and calls tap_main().
 *
 * Command line: `--list` prints the names; other arguments are globs of names to run, `!GLOB`
 * leaves out.  Output: the plan, then one line for each test.  What a test (or a sanitizer)
 * prints comes out as `# ` lines, and only when the test fails.  A test that crashes
 * or exits is a failed test; the ones after it run.  Orphans of a test come to the process that
 * runs the tests, which may wait for them.
 *
 * Knows nothing of cgroups.
 */
#ifndef TAP_H
#define TAP_H

#include <stddef.h>

#include "tests/check.h"

struct tap_test {
	const char *name;
	void (*fn)(void **state);
	int (*setup)(void **state);    /* may be NULL; non-zero: failed, and no teardown */
	int (*teardown)(void **state); /* may be NULL; runs after a failed test, too */
	void *arg;		       /* what *state is before setup */
};

/* Appends @test to the program's table. */
void tap_add(const struct tap_test *test);

#define TAP_ADD(function, ...)                                                                     \
	__attribute__((constructor)) static void add_##function(void)                              \
	{                                                                                          \
		tap_add(&(struct tap_test){ __VA_ARGS__ });                                        \
	}

/* A test; what follows it in braces is a function of `void **state`. */
#define TAP_TEST(function, ...)                                                                    \
	static void function(void **state);                                                        \
	TAP_ADD(function, .name = #function, .fn = (function), ##__VA_ARGS__)                      \
	static void function(__attribute__((unused)) void **state)

/* The same, of @param: what *state points to after setup. */
#define TAP_TEST_OF(param, function, ...)                                                          \
	static void function(param);                                                               \
	static void run_##function(void **state)                                                   \
	{                                                                                          \
		function(*state);                                                                  \
	}                                                                                          \
	TAP_ADD(function, .name = #function, .fn = run_##function, ##__VA_ARGS__)                  \
	static void function(__attribute__((unused)) param)

/* Ends the running test (or setup) as skipped; the reason is printed. */
void tap_skip(const char *why, ...) __attribute__((format(printf, 1, 2), noreturn));

/* A `# ` line in the output, at once; for what a reader of a passing run should see. */
void tap_note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Runs what the command line asks for.  0 when nothing failed, 1 otherwise, 2 for bad usage. */
int tap_main(int argc, char **argv, const struct tap_test *tests, size_t n);
/* The same for the program's table. */
int tap_main_added(int argc, char **argv);

#endif
