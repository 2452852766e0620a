/* SPDX-License-Identifier: MIT */
/*
 * fuzz_proc.c - /proc's mountinfo and PID/cgroup: any text, and any path as the kernel writes it.
 */
#include "cgfs/base/util.h"
#include "cgfs/tree/proc.h"

#include <cgfs/host.h>
#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool has_parent_part(const char *path)
{
	const char *at = path;

	while ((at = strstr(at, "/.."))) {
		if (!at[3] || at[3] == '/')
			return true;
		at += 3;
	}
	return false;
}

static void any_text(const char *text)
{
	char path[64] = "-", type[16] = "-";
	struct proc_mount more;
	int r = cgfs_proc_mount(text, path, sizeof(path), type, sizeof(type));

	if (r < 0 ? r != -EINVAL && r != -ERANGE : path[0] != '/' || !type[0])
		abort();
	r = cgfs_proc_mount_more(text, &more);
	if (r < 0 ? r != -EINVAL && r != -ERANGE : strlen(more.options) > strlen(text))
		abort();
	for (uint32_t ctl = 0; ctl <= CGFS_CONTROLLER_COUNT; ctl++) {
		strcpy(path, "-");
		r = cgfs_proc_cgroup(text, ctl ? 1u << (ctl - 1) : 0, path, sizeof(path));
		if (r < 0 && (!streq(path, "-") || (r != -ENOENT && r != -ERANGE)))
			abort();
		if (r == 0 && (path[0] != '/' || strchr(path, '\n') || has_parent_part(path) ||
			       !strstr(text, path)))
			abort();
	}
}

/* As fs/seq_file.c mangle_path() does with " \t\n\\". */
static void mangle(const char *from, char *to)
{
	for (; *from; from++)
		if (strchr(" \t\n\\", *from))
			to += sprintf(to, "\\%03o", (unsigned char)*from);
		else
			*to++ = *from;
	*to = '\0';
}

static void any_path(const char *text)
{
	char path[256], mangled[4 * sizeof(path)], line[4096], got[sizeof(path)], type[16];

	snprintf(path, sizeof(path), "/%.250s", text);
	mangle(path, mangled);
	snprintf(line, sizeof(line), "36 35 0:27 /x%s %s rw,nosuid shared:1 - cgroup2 none rw\n",
		 mangled, mangled);
	if (cgfs_proc_mount(line, got, sizeof(got), type, sizeof(type)) != 0 || !streq(got, path) ||
	    !streq(type, "cgroup2") ||
	    cgfs_proc_mount(line, got, strlen(path), type, sizeof(type)) != -ERANGE)
		abort();

	/* cgroup names have no newline. */
	path[strcspn(path, "\n")] = '\0';
	snprintf(line, sizeof(line), "7:cpu,cpuacct:/%s\n5:memory:%s\n1:name=x:/\n0::/%s\n", path,
		 path, path);
	if (cgfs_proc_cgroup(line, 1u << CGFS_MEMORY, got, sizeof(got)) !=
		    (has_parent_part(path) ? -ENOENT : 0) ||
	    (!has_parent_part(path) && !streq(got, path)) ||
	    cgfs_proc_cgroup(line, 1u << CGFS_PIDS, got, sizeof(got)) != -ENOENT)
		abort();
	if (!has_parent_part(path) &&
	    (cgfs_proc_cgroup(line, 0, got, sizeof(got)) != 0 || !streq(got + 1, path)))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_free char *text = malloc(size + 1);

	if (!text)
		return 0;
	if (size)
		memcpy(text, data, size);
	text[size] = '\0';
	any_text(text);
	any_path(text);
	return 0;
}
