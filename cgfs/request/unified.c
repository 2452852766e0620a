/* SPDX-License-Identifier: MIT */
/*
 * unified.c - may this control file be written on a user's word?  Owns the answer by name and
 * by the shape of the value; whether the file exists is the kernel's to say.
 */
#include "cgfs/request/unified.h"

#include "cgfs/base/util.h"
#include "cgfs/request/check.h"

static const char *const controllers[] = { "cpu",  "cpuset", "memory",	"io",  "pids",
					   "rdma", "misc",   "hugetlb", "dmem" };

static size_t prefix_len(const char *file)
{
	return strcspn(file, ".");
}

static bool has_prefix(const char *file, const char *prefix)
{
	size_t len = strlen(prefix);

	return strncmp(file, prefix, len) == 0 && file[len] == '.';
}

static bool is_controller(const char *file)
{
	for (size_t i = 0; i < ARRAY_SIZE(controllers); i++)
		if (has_prefix(file, controllers[i]))
			return true;
	return false;
}

static bool is_file_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '.' || c == '-';
}

static bool is_by_line(const char *file)
{
	/* io.max, io.weight, io.latency, io.cost.*: one device per write.  rdma.max and misc.max
	 * likewise: one device or resource per write. */
	return has_prefix(file, "io") || streq(file, "rdma.max") || streq(file, "misc.max") ||
	       has_prefix(file, "dmem");
}

/* Of the files that every cgroup has, those that bound a tree; the others move, kill, freeze or
 * change its shape, which is no resource and would come before there is a process. */
static bool is_tree_limit(const char *file)
{
	return streq(file, "cgroup.max.depth") || streq(file, "cgroup.max.descendants") ||
	       streq(file, "cgroup.pressure");
}

static int check_file(const char *file, const char *what, struct cgfs_err *reterr)
{
	if (!*file)
		return err_value(reterr, -EINVAL, what, file, "the file has no name");
	if (strchr(file, '/') || strstr(file, ".."))
		return err_value(reterr, -EINVAL, what, file,
				 "it must be a file of the cgroup itself, without / or ..");
	for (const char *c = file; *c; c++)
		if (!is_file_char(*c))
			return err_value(reterr, -EINVAL, what, file,
					 "no control file has such a name");
	if (!strchr(file, '.') || file[strlen(file) - 1] == '.' || strlen(file) > CGFS_ID_MAX)
		return err_value(reterr, -EINVAL, what, file,
				 "it is not of the form CONTROLLER.NAME");
	if (is_tree_limit(file))
		return 0;
	if (has_prefix(file, "cgroup"))
		return err_value(reterr, -EINVAL, what, file,
				 "it is about the tree and its processes, and is no resource");
	if (!is_controller(file))
		return err_value(reterr, -EINVAL, what, file,
				 "\"%.*s\" is not a controller of cgroup2",
				 (int)(prefix_len(file) < 64 ? prefix_len(file) : 64), file);
	return 0;
}

int cgfs_unified_check(const struct cgfs_unified *entry, const char *what, struct cgfs_err *reterr)
{
	const char *line;
	int r;

	if (!entry->file || !entry->value)
		return err_value(reterr, -EINVAL, what, entry->file,
				 "an entry needs a file and a value");
	r = check_file(entry->file, what, reterr);
	if (r < 0)
		return r;

	/* Blanks alone: the kernel's memparse() takes them for 0, of memory.max, too.  An empty
	 * list of a cpuset is one that is the parent's. */
	if (!*entry->value ||
	    (!entry->value[strspn(entry->value, " \t")] && !has_prefix(entry->file, "cpuset")))
		return cgfs_err_set(reterr, -EINVAL, what, entry->file, entry->value,
				    "nothing would be written");
	if (strlen(entry->value) > CGFS_UNIFIED_VALUE_MAX)
		return cgfs_err_set(reterr, -EINVAL, what, entry->file, entry->value,
				    "it is longer than %d bytes", CGFS_UNIFIED_VALUE_MAX);
	line = entry->value;
	for (const char *c = entry->value; *c; c++) {
		if (*c == '\n' && !is_by_line(entry->file))
			return cgfs_err_set(reterr, -EINVAL, what, entry->file, entry->value,
					    "this file takes one line, without a newline");
		if (*c == '\n' && c == line)
			return cgfs_err_set(reterr, -EINVAL, what, entry->file, entry->value,
					    "there is an empty line");
		if (*c == '\n')
			line = c + 1;
		else if ((unsigned char)*c < ' ' || *c == 0x7f)
			return cgfs_err_set(reterr, -EINVAL, what, entry->file, entry->value,
					    "there is a control character");
	}
	return 0;
}
