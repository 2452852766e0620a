/* SPDX-License-Identifier: MIT */
/*
 * id.c - which names a pod or container may have.  Owns the rule that nothing which passes here
 * can leave its directory or meet a control file; must not know where pods live.
 */
#include "internal.h"

#include <stdio.h>

/* Files of the kernel in a cgroup directory begin with one of these and a dot. */
static const char *const prefixes[] = {
	"cgroup",   "cpu",  "cpuacct", "cpuset",  "memory",	"io",	   "blkio",
	"pids",	    "misc", "devices", "freezer", "perf_event", "hugetlb", "net_cls",
	"net_prio", "rdma", "dmem",    "irq",	  "debug",
};

/* Files of v1 without a dot. */
static const char *const files[] = { "tasks", "notify_on_release", "release_agent" };

static bool is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* An id of any length, short enough for a message: "abc...(300 bytes)". */
static void shorten(const char *id, char *buf, size_t len)
{
	size_t n = strlen(id);

	if (n <= 64)
		snprintf(buf, len, "%s", id);
	else
		snprintf(buf, len, "%.48s...(%zu bytes)", id, n);
}

static int refuse(struct cgfs_err *reterr, int code, const char *id, const char *why)
{
	char text[96];

	shorten(id, text, sizeof(text));
	return cgfs_err_set(reterr, code, "id", NULL, text, "%s", why);
}

int cgfs_id_check(const char *id, struct cgfs_err *reterr)
{
	size_t len, dot;

	if (!id)
		return cgfs_err_set(reterr, -EINVAL, "id", NULL, NULL, "there is none");
	if (!*id)
		return refuse(reterr, -EINVAL, id, "an id has at least one character");
	for (const char *c = id; *c; c++) {
		char why[64];

		if (is_alnum(*c) || (*c && strchr("_.+-", *c)))
			continue;
		if (*c > ' ' && *c < 0x7f)
			snprintf(why, sizeof(why), "'%c' must not be in an id", *c);
		else
			snprintf(why, sizeof(why), "the byte 0x%02x must not be in an id",
				 (unsigned char)*c);
		return refuse(reterr, -EINVAL, id, why);
	}
	if (!is_alnum(*id))
		return refuse(reterr, -EINVAL, id, "an id begins with a letter or a digit");
	len = strlen(id);
	if (len > CGFS_ID_MAX)
		return refuse(reterr, -ENAMETOOLONG, id, "an id has at most 255 characters");

	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		if (streq(id, files[i]))
			return refuse(reterr, -EINVAL, id, "the kernel has a file of that name");
	dot = strcspn(id, ".");
	for (size_t i = 0; id[dot] && i < ARRAY_SIZE(prefixes); i++)
		if (strlen(prefixes[i]) == dot && memcmp(id, prefixes[i], dot) == 0)
			return refuse(reterr, -EINVAL, id,
				      "an id must not begin like a control file of the kernel");
	return 0;
}
