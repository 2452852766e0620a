/* SPDX-License-Identifier: MIT */
/*
 * id.c - which names a pod or container may have.  Owns the rule that nothing which passes here
 * can leave its directory or meet a control file; must not know where pods live.
 */
#include "cgfs/base/util.h"

#include <cgfs/cgfs.h>
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
	return err_value(reterr, code, "id", text, "%s", why);
}

/* Does the kernel have, or may it have, a file of that name in a cgroup? */
static const char *why_control_file(const char *name)
{
	size_t dot = strcspn(name, ".");

	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		if (streq(name, files[i]))
			return "the kernel has a file of that name";
	for (size_t i = 0; name[dot] && i < ARRAY_SIZE(prefixes); i++)
		if (strlen(prefixes[i]) == dot && memcmp(name, prefixes[i], dot) == 0)
			return "an id must not begin like a control file of the kernel";
	return NULL;
}

bool cgfs_directory_ok(const char *name)
{
	for (const char *c = name; *c; c++)
		if (*c <= ' ' || *c >= 0x7f || *c == '/')
			return false;
	return *name && strlen(name) <= CGFS_ID_MAX && !streq(name, ".") && !streq(name, "..") &&
	       !why_control_file(name);
}

int cgfs_id_check(const char *id, struct cgfs_err *reterr)
{
	const char *why_file;
	size_t len;

	if (!id)
		return err_why(reterr, -EINVAL, "id", NULL, "an id is required");
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

	why_file = why_control_file(id);
	if (why_file)
		return refuse(reterr, -EINVAL, id, why_file);
	return 0;
}
