/* SPDX-License-Identifier: MIT */
/*
 * fuzz_parse.c - the parsers of control files: any bytes, without a NUL after them.
 */
#include "cgfs/base/parse.h"
#include "cgfs/base/util.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct cgfs_key table[] = {
	{ "anon", 0 }, { "file", 1 }, { "kernel", 2 }, { "inactive_anon", 3 }, { "pgmajfault", 4 },
};

static void walk_lines(const char *text, size_t size)
{
	struct cgfs_line line = { 0 };
	struct cgfs_keys keys;
	const char *at = text;
	size_t len = size;
	int r;

	cgfs_keys_init(&keys, table, ARRAY_SIZE(table));
	while ((r = cgfs_parse_line(&at, &len, &line)) != 0) {
		int index;

		/* It always moves on, and never past the end. */
		if (at + len != text + size || at == text)
			abort();
		if (r < 0)
			continue;
		index = cgfs_keys_find(&keys, line.key, line.key_len);
		if (!line.key_len || (index >= 0 && strlen(table[index].name) != line.key_len))
			abort();
	}
	if (len)
		abort();
}

static void walk_pids(const char *text, size_t size)
{
	const char *at = text;
	size_t len = size;
	pid_t pid = 0;
	int r;

	while ((r = cgfs_parse_pid(&at, &len, &pid)) != 0) {
		if (at + len != text + size || at == text || (r == 1 && pid < 0))
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_free char *text = malloc(size ? size : 1);
	uint64_t plain = 0, v1 = 0;

	if (!text)
		return 0;
	if (size)
		memcpy(text, data, size);
	/* What is a number is the same limit on v1, or none. */
	if (cgfs_parse_u64(text, size, &plain) == 0 &&
	    (cgfs_parse_v1_limit(text, size, &v1) != 0 || (v1 != plain && v1 != CGFS_MAX)))
		abort();
	if (size && cgfs_parse_v1_limit(text, size, &v1) > 0)
		abort();
	walk_lines(text, size);
	walk_pids(text, size);
	return 0;
}
