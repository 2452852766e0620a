/* SPDX-License-Identifier: MIT */
/*
 * proc.c - see proc.h.  Reads no file.
 */
#include "cgfs/tree/proc.h"

#include "cgfs/base/util.h"
#include "cgfs/tree/names.h"

#include <stdio.h>
#include <stdlib.h>

/* --- mountinfo -------------------------------------------------------------------------------- */

/* The word at *@at, which moves to the next; NULL at the end of the line. */
static const char *word(const char **at, size_t *ret_len)
{
	const char *begin = *at;

	*ret_len = strcspn(begin, " \n");
	*at = begin + *ret_len;
	*at += strspn(*at, " ");
	return *ret_len ? begin : NULL;
}

/* Is "\\ooo", which a backslash begins, a character in octal? */
static bool octal(const char *s, size_t len)
{
	return len >= 4 && s[1] >= '0' && s[1] <= '3' && s[2] >= '0' && s[2] <= '7' &&
	       s[3] >= '0' && s[3] <= '7';
}

/* Kernel: fs/seq_file.c mangle_path() */
static int unmangle(const char *from, size_t len, char *to, size_t size)
{
	size_t n = 0;

	while (len) {
		size_t used = *from == '\\' && octal(from, len) ? 4 : 1;
		char c = *from;

		if (used == 4)
			c = (char)((from[1] - '0') << 6 | (from[2] - '0') << 3 | (from[3] - '0'));
		if (!c)
			return -EINVAL;
		if (n + 1 >= size)
			return -ERANGE;
		to[n++] = c;
		from += used;
		len -= used;
	}
	to[n] = '\0';
	return 0;
}

int cgfs_proc_mount(const char *line, char *path, size_t path_size, char *type, size_t type_size)
{
	const char *at = line, *field, *mount = NULL;
	size_t len, mount_len = 0;
	int n = 0, r;

	/* 36 35 98:0 /root /mount/point options shared:1 - type source options */
	while ((field = word(&at, &len)) && !(n >= 6 && len == 1 && *field == '-')) {
		if (n++ == 4) {
			mount = field;
			mount_len = len;
		}
	}
	if (!field || *mount != '/' || !(field = word(&at, &len)))
		return -EINVAL;
	r = unmangle(field, len, type, type_size);
	return r < 0 ? r : unmangle(mount, mount_len, path, path_size);
}

int cgfs_proc_mount_more(const char *line, struct proc_mount *ret)
{
	const char *at = line, *field;
	size_t len;
	int n = 0, r = 0;

	*ret = (struct proc_mount){ .id = strtoull(line, NULL, 10), .options = "" };
	while (r == 0 && (field = word(&at, &len)) && !(n >= 6 && len == 1 && *field == '-')) {
		if (n == 2 && sscanf(field, "%u:%u", &ret->major, &ret->minor) != 2)
			r = -EINVAL;
		if (n == 3)
			r = unmangle(field, len, ret->root, sizeof(ret->root));
		if (n++ == 5)
			ret->read_only = len >= 2 && strncmp(field, "ro", 2) == 0 &&
					 (len == 2 || field[2] == ',');
	}
	if (r < 0)
		return r;
	if (n < 6 || !field || !word(&at, &len) || !word(&at, &len))
		return -EINVAL;
	ret->options = at;
	return 0;
}

/* --- /proc/PID/cgroup ------------------------------------------------------------------------- */

static bool leads_out(const char *path, size_t len)
{
	for (const char *p = path; p < path + len; p++) {
		size_t part = strcspn(p, "/\n");

		if (part == 2 && p[0] == '.' && p[1] == '.')
			return true;
		p += part;
	}
	return false;
}

int cgfs_proc_cgroup(const char *text, uint32_t controllers, char *path, size_t size)
{
	/* 4:memory:/a/b, or 0::/a/b */
	for (const char *line = text, *end; *line; line = end + (*end == '\n')) {
		const char *names, *at;

		end = line + strcspn(line, "\n");
		names = memchr(line, ':', (size_t)(end - line));
		at = names ? memchr(names + 1, ':', (size_t)(end - names - 1)) : NULL;
		if (!at || at[1] != '/')
			continue;
		if (controllers ? !ctl_in_list(controllers, names + 1, at)
				: strncmp(line, "0::", 3) != 0)
			continue;
		at++;
		if (leads_out(at, (size_t)(end - at)))
			return -ENOENT;
		if ((size_t)(end - at) >= size)
			return -ERANGE;
		memcpy(path, at, (size_t)(end - at));
		path[end - at] = '\0';
		return 0;
	}
	return -ENOENT;
}
