/* SPDX-License-Identifier: MIT */
/*
 * test_parse.c - the parsers of control files.  Texts are copied to the heap without a NUL, so
 * that the sanitizer sees a read past their end.
 */
#include "cgfs/base/parse.h"
#include "cgfs/base/util.h"
#include "tests/tap.h"

#include <stdio.h>

static char *bare(const char *text, size_t len)
{
	char *p = malloc(len ? len : 1);

	CHECK(p);
	memcpy(p, text, len);
	return p;
}

static int u64(const char *text, uint64_t *ret)
{
	auto_free char *p = bare(text, strlen(text));

	return cgfs_parse_u64(p, strlen(text), ret);
}

static int v1_limit(const char *text, uint64_t *ret)
{
	auto_free char *p = bare(text, strlen(text));

	return cgfs_parse_v1_limit(p, strlen(text), ret);
}

TAP_TEST(parse_u64_numbers_and_max_are_read)
{
	static const struct {
		const char *text;
		uint64_t value;
	} cases[] = {
		{ "0", 0 },
		{ "7\n", 7 },
		{ "max\n", CGFS_MAX },
		{ "max", CGFS_MAX },
		{ "9999999999999999999", UINT64_C(9999999999999999999) },
		{ "18446744073709551615\n", UINT64_MAX },
		{ "18446744073709551614", UINT64_MAX - 1 },
		{ "000000000000000000000000012", 12 },
	};
	uint64_t v;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		v = 1;
		CHECK_INT(u64(cases[i].text, &v), 0);
		CHECK_INT(v, cases[i].value);
	}
}

TAP_TEST(parse_u64_everything_else_is_refused)
{
	static const char *const bad[] = { "",	   "\n",    "-1",   "+1",   " 1",
					   "1 ",   "1\n\n", "0x10", "1a",   "ma",
					   "maxx", "max 1", "1.5",  "1\n2", "max\n\n" };
	uint64_t v = 42;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		CHECK_INT(u64(bad[i], &v), -EINVAL);
	CHECK_INT(u64("18446744073709551616", &v), -ERANGE);
	CHECK_INT(u64("99999999999999999999", &v), -ERANGE);
	CHECK_INT(u64("184467440737095516150", &v), -ERANGE);
	CHECK_INT(v, 42);
}

TAP_TEST(parse_v1_limit_unlimited_is_max_on_every_page_size)
{
	char text[32];
	uint64_t v;

	for (unsigned int shift = 12; shift <= 16; shift++) {
		snprintf(text, sizeof(text), "%lld\n", INT64_MAX & ~((1ll << shift) - 1));
		v = 0;
		CHECK_INT(v1_limit(text, &v), 0);
		CHECK_INT(v, CGFS_MAX);
	}
	CHECK_INT(v1_limit("-1\n", &v), 0);
	CHECK_INT(v, CGFS_MAX);
	CHECK_INT(v1_limit("9223372036854771712\n", &v), 0);
	CHECK_INT(v, CGFS_MAX);
	CHECK_INT(v1_limit("67108864\n", &v), 0);
	CHECK_INT(v, 67108864);
	CHECK_INT(v1_limit("4611686018427387904", &v), 0);
	CHECK_INT(v, UINT64_C(4611686018427387904));
	CHECK_INT(v1_limit("-2\n", &v), -EINVAL);
	CHECK_INT(v1_limit("-1 \n", &v), -EINVAL);
	CHECK_INT(v1_limit("", &v), -EINVAL);
}

static void expect_line(const char **text, size_t *len, const char *key, uint64_t value)
{
	struct cgfs_line line = { 0 };

	CHECK_INT(cgfs_parse_line(text, len, &line), 1);
	CHECK_INT(line.key_len, strlen(key));
	CHECK(memcmp(line.key, key, line.key_len) == 0);
	CHECK_INT(line.value, value);
}

TAP_TEST(parse_line_walks_a_keyed_file)
{
	const char file[] = "anon 4096\nfile 0\nlimit max\nlast 18446744073709551615";
	auto_free char *p = bare(file, strlen(file));
	const char *text = p;
	size_t len = strlen(file);
	struct cgfs_line line;

	expect_line(&text, &len, "anon", 4096);
	expect_line(&text, &len, "file", 0);
	expect_line(&text, &len, "limit", CGFS_MAX);
	expect_line(&text, &len, "last", UINT64_MAX);
	CHECK_INT(cgfs_parse_line(&text, &len, &line), 0);
	CHECK_INT(len, 0);
}

TAP_TEST(parse_line_bad_lines_are_refused_and_passed_over)
{
	const char file[] = "\n"
			    "novalue\n"
			    "empty \n"
			    " 5\n"
			    "two 1 2\n"
			    "neg -1\n"
			    "huge 18446744073709551616\n"
			    "twice  5\n"
			    "hex 1f\n"
			    "good 9\n"
			    "cut ";
	auto_free char *p = bare(file, strlen(file));
	const char *text = p;
	size_t len = strlen(file);
	struct cgfs_line line = { .value = 77 };

	for (int i = 0; i < 9; i++)
		CHECK_INT(cgfs_parse_line(&text, &len, &line), i == 6 ? -ERANGE : -EINVAL);
	CHECK_INT(line.value, 77);
	expect_line(&text, &len, "good", 9);
	CHECK_INT(cgfs_parse_line(&text, &len, &line), -EINVAL);
	CHECK_INT(cgfs_parse_line(&text, &len, &line), 0);
}

TAP_TEST(keys_find_finds_each_and_nothing_else)
{
	static const struct cgfs_key table[] = {
		{ "anon", 10 },
		{ "file", 20 },
		{ "kernel", 30 },
		{ "shmem", 40 },
		{ "file_mapped", 50 },
		{ "file_dirty", 60 },
		{ "inactive_anon", 70 },
		{ "active_anon", 80 },
		{ "inactive_file", 90 },
		{ "active_file", 100 },
		{ "unevictable", 110 },
		{ "pgfault", 120 },
		{ "pgmajfault", 130 },
		{ "pgpgin", 140 },
		{ "pgpgout", 150 },
		{ "anon_thp", 160 },
		{ "file_writeback", 170 },
	};
	static const char *const others[] = { "ano", "anonx", "filed",	       "noan",
					      "x",   "f_le",  "inactive_fone", "ANON" };
	struct cgfs_keys keys;

	cgfs_keys_init(&keys, table, ARRAY_SIZE(table));
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		size_t len = strlen(table[i].name);
		auto_free char *p = bare(table[i].name, len);

		CHECK_INT(cgfs_keys_find(&keys, p, len), table[i].index);
		CHECK_INT(cgfs_keys_find(&keys, p, len - 1), -ENOENT);
	}
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		CHECK_INT(cgfs_keys_find(&keys, others[i], strlen(others[i])), -ENOENT);
	CHECK_INT(cgfs_keys_find(&keys, "anon", 0), -ENOENT);
}

TAP_TEST(keys_of_one_bucket_are_all_found)
{
	struct cgfs_key table[CGFS_KEYS_MAX + 1];
	char names[CGFS_KEYS_MAX + 1][8];
	struct cgfs_keys keys;

	/* Same length, same first and last character. */
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		snprintf(names[i], sizeof(names[i]), "k%03zux", i);
		table[i] = (struct cgfs_key){ names[i], (int)i };
	}
	cgfs_keys_init(&keys, table, ARRAY_SIZE(table));
	for (size_t i = 0; i < CGFS_KEYS_MAX; i++)
		CHECK_INT(cgfs_keys_find(&keys, names[i], 5), i);
	CHECK_INT(cgfs_keys_find(&keys, names[CGFS_KEYS_MAX], 5), -ENOENT);
}

TAP_TEST(keys_find_does_not_take_a_beginning_for_the_key)
{
	/* All fall into one bucket: 7 for the length is 3 times 19 for the last letter. */
	static const char stored[8] = "xat";
	static const struct cgfs_key table[] = { { stored, 1 } };
	struct cgfs_keys keys;

	cgfs_keys_init(&keys, table, 1);
	CHECK_INT(cgfs_keys_find(&keys, "xa", 2), -ENOENT);
	CHECK_INT(cgfs_keys_find(&keys, "xat\0-m", 6), -ENOENT);
	CHECK_INT(cgfs_keys_find(&keys, "xat", 3), 1);
}

TAP_TEST(parse_pid_walks_a_list)
{
	const char file[] = "1\n4194304\n0\nx\n-3\n12a\n\n99999999999999999999\n2147483648\n77";
	static const int want[] = {
		1, 1, 1, -EINVAL, -EINVAL, -EINVAL, -EINVAL, -ERANGE, -ERANGE, 1
	};
	static const pid_t pids[] = { 1, 4194304, 0, 0, 0, 0, 0, 0, 0, 77 };
	auto_free char *p = bare(file, strlen(file));
	const char *text = p;
	size_t len = strlen(file);
	pid_t pid = -1;

	for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
		CHECK_INT(cgfs_parse_pid(&text, &len, &pid), want[i]);
		if (want[i] == 1)
			CHECK_INT(pid, pids[i]);
	}
	CHECK_INT(cgfs_parse_pid(&text, &len, &pid), 0);
}
