/* SPDX-License-Identifier: MIT */
/*
 * check.h - the assertions of all tests.  One that fails prints where, and ends the test: by tap.c
 * in the process that runs the tests, by the end of the process in a child of a test.
 */
#ifndef TESTS_CHECK_H
#define TESTS_CHECK_H

#include <cgfs/base.h>
#include <string.h>

/* What a failure is about, where one test does many things; may be NULL. */
extern const char *check_where;

void check_failed(const char *file, int line, const char *fmt, ...)
	__attribute__((format(printf, 3, 4), noreturn));

#define FAIL(...) check_failed(__FILE__, __LINE__, __VA_ARGS__)

#define CHECK(cond)                                                                                \
	do {                                                                                       \
		if (!(cond))                                                                       \
			FAIL("%s", #cond);                                                         \
	} while (0)

/* CHECK with words of its own. */
#define CHECK_MSG(cond, ...)                                                                       \
	do {                                                                                       \
		if (!(cond))                                                                       \
			FAIL(__VA_ARGS__);                                                         \
	} while (0)

#define CHECK_INT(have, want)                                                                      \
	do {                                                                                       \
		long long have_ = (long long)(have), want_ = (long long)(want);                    \
		if (have_ != want_)                                                                \
			FAIL("%s is %lld, not %s (%lld)", #have, have_, #want, want_);             \
	} while (0)

#define CHECK_STR(have, want)                                                                      \
	do {                                                                                       \
		const char *have_ = (have), *want_ = (want);                                       \
		if (!have_ || strcmp(have_, want_) != 0)                                           \
			FAIL("%s is \"%s\", not \"%s\"", #have, have_ ? have_ : "(null)", want_);  \
	} while (0)

#define CHECK_HAS(text, part)                                                                      \
	do {                                                                                       \
		const char *text_ = (text), *part_ = (part);                                       \
		if (!strstr(text_, part_))                                                         \
			FAIL("%s is \"%s\", without \"%s\"", #text, text_, part_);                 \
	} while (0)

/* @call is an expression that uses &err. */
#define OK(call)                                                                                   \
	do {                                                                                       \
		struct cgfs_err err = { 0 };                                                       \
		int r_ = (call);                                                                   \
		if (r_ != 0)                                                                       \
			FAIL("%s: %d (%s): %s", #call, r_, strerror(r_ < 0 ? -r_ : 0), err.text);  \
	} while (0)

/* It fails with @want, and the error has the same code and a text. */
#define REFUSED(call, want)                                                                        \
	({                                                                                         \
		static struct cgfs_err err;                                                        \
		memset(&err, 0, sizeof(err));                                                      \
		int r_ = (call), want_ = (want);                                                   \
		if (r_ != want_)                                                                   \
			FAIL("%s: %d (%s), not %s: %s", #call, r_, strerror(r_ < 0 ? -r_ : 0),     \
			     #want, err.text);                                                     \
		if (err.code != want_ || !err.text[0])                                             \
			FAIL("%s: code %d, text \"%s\"", #call, err.code, err.text);               \
		err.text;                                                                          \
	})

#endif
