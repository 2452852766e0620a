/* SPDX-License-Identifier: MIT */
/*
 * mark.c - a mark is an extended attribute and no file: it goes with the cgroup, and cgroups can
 * have no other files.  Without the privilege for the first name the second one may do, which
 * cgroup2 alone has.
 */
#include "agent/podctl/source/mark.h"
#include "agent/wire/label.h"
#include "cgfs/base/json.h"

#include <stdio.h>
#include <sys/xattr.h>

#define LABELS "labels"

/* Calls @fn with the first directory and name that will do; the result of the last one. */
static ssize_t each(struct cgfs *c, struct cgfs_group *g, const char *name,
		    ssize_t (*fn)(const char *path, const char *name, void *arg), void *arg)
{
	static const char *const spaces[] = { "trusted", "user" };
	/* Root's are in the first hierarchy, and are looked for there only. */
	size_t n = geteuid() == 0 ? 1 : cgfs_mounts(c)->n, tried = geteuid() == 0 ? 1 : 2;
	char path[4096], attribute[32];
	ssize_t r = -ENOENT;

	for (size_t i = 0; i < n && r < 0; i++) {
		snprintf(path, sizeof(path), "%s%s", cgfs_mounts(c)->mount[i].path,
			 cgfs_group_path(g));
		for (size_t k = 0; k < tried && r < 0; k++) {
			snprintf(attribute, sizeof(attribute), "%s.cgfs.%s", spaces[k], name);
			r = fn(path, attribute, arg);
		}
		/* Not in this hierarchy. */
		n += r == -ENOENT && n < cgfs_mounts(c)->n;
	}
	return r;
}

static ssize_t set(const char *path, const char *name, void *arg)
{
	return setxattr(path, name, arg, strlen(arg), 0) < 0 ? -errno : 0;
}

int mark_set(struct cgfs *c, struct cgfs_group *g, const char *name, const char *value)
{
	return (int)each(c, g, name, set, (void *)value);
}

struct room {
	char *buf;
	size_t len;
};

static ssize_t get(const char *path, const char *name, void *arg)
{
	struct room *room = arg;
	ssize_t n = getxattr(path, name, room->buf, room->len);

	return n < 0 ? -errno : n;
}

ssize_t mark_get(struct cgfs *c, struct cgfs_group *g, const char *name, char *buf, size_t len)
{
	return each(c, g, name, get, &(struct room){ buf, len });
}

int mark_labels(struct cgfs *c, struct cgfs_group *g, const json_t *labels, struct cgfs_err *reterr)
{
	auto_free char *text = labels ? cgfs_json_dump(labels, JSON_COMPACT) : NULL;
	int r;

	if (!labels)
		return 0;
	r = text ? mark_set(c, g, LABELS, text) : -ENOMEM;
	return r < 0 ? cgfs_err_set(reterr, r, "keep labels", cgfs_group_path(g), NULL, NULL) : 0;
}

json_t *mark_read_labels(struct cgfs *c, struct cgfs_group *g)
{
	char text[LABELS_MAX];
	ssize_t n = mark_get(c, g, LABELS, text, sizeof(text));
	json_t *labels = n > 0 ? cgfs_json_load(text, (size_t)n, 0, NULL) : NULL;

	/* Another program may have written it. */
	if (!json_is_object(labels) || labels_check(labels, NULL) < 0) {
		json_decref(labels);
		return NULL;
	}
	return labels;
}
