/* SPDX-License-Identifier: MIT */
/*
 * lines.c - see lines.h.
 */
#include "cgfs/controller/base/lines.h"

#include "cgfs/base/util.h"
#include "cgfs/tree/fs.h"

#include <stdio.h>

void *entries_find(struct entries *e, const char *name)
{
	char *new;

	for (size_t i = 0; i < e->n; i++) {
		char *at = (char *)e->at + i * e->entry;

		if (strncmp(at + e->name, name, ENTRY_NAME - 1) == 0)
			return at;
	}
	new = realloc(e->at, (e->n + 1) * e->entry);
	if (!new)
		return NULL;
	e->at = new;
	new += e->n++ * e->entry;
	memset(new, 0, e->entry);
	if (e->name)
		memcpy(new, &e->entry, sizeof(e->entry));
	snprintf(new + e->name, ENTRY_NAME, "%s", name);
	return new;
}

uint64_t entries_number(const char *text)
{
	return strncmp(text, "max", 3) == 0 ? CGFS_MAX : strtoull(text, NULL, 10);
}

int entries_read(const struct cgfs_dir *d, const char *file, struct entries *e,
		 void (*fn)(void *entry, char *rest, const void *arg), const void *arg,
		 struct cgfs_err *reterr)
{
	auto_free char *big = NULL;
	char small[4096], *text, *save = NULL;
	ssize_t n;
	int fd, r;

	r = group_dir(d->g, d->hierarchy, &fd, reterr);
	if (r < 0)
		return r == -ENOENT ? -ENODEV : r; /* the group, not the file */
	n = fs_read_long(d->g->c, fd, file, small, sizeof(small), &big, &text);
	if (n == -ENOENT && dir_alive(d))
		return 0;
	if (n < 0)
		return dir_error(d, n == -ENOENT ? -ENODEV : (int)n, "read", file, NULL, reterr);
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char *rest = strchr(line, ' ');
		void *entry;

		if (!rest)
			continue;
		*rest++ = '\0';
		entry = entries_find(e, line);
		if (!entry)
			return dir_error(d, -ENOMEM, "read", file, NULL, reterr);
		fn(entry, rest, arg);
	}
	return 0;
}
