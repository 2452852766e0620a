/* SPDX-License-Identifier: MIT */
/*
 * room.c - why the kernel has no room for a cgroup, or none for controllers in it: the cgroup2 file
 * that is the reason, for an error that has only the kernel's word.  Changes nothing.
 *
 * Kernel: cgroup-v2.rst "cgroup.max.descendants", "Threads"; cgroup_check_hierarchy_limits()
 */
#include "cgfs/controller/process/room.h"

#include "cgfs/base/parse.h"
#include "cgfs/base/util.h"
#include "cgfs/tree/dir.h"
#include "cgfs/tree/fs.h"

#include <inttypes.h>

/* A number or "max" of a file at @fd; after "KEY " where a key is given. */
static bool number(struct cgfs *c, int fd, const char *file, const char *key, uint64_t *ret)
{
	char text[512];
	ssize_t n = fs_read_at(c, fd, file, text, sizeof(text));
	const char *at = text;

	if (n < 0)
		return false;
	at = *key ? strstr(text, key) : text;
	return at && cgfs_parse_u64(at + strlen(key), strcspn(at + strlen(key), "\n"), ret) == 0;
}

/* Does the cgroup at @fd, @levels above a new one, forbid it? */
static bool full(struct cgfs *c, int fd, unsigned int levels, const char **ret_file,
		 uint64_t *ret_max)
{
	uint64_t max, now;

	*ret_file = "cgroup.max.depth";
	if (number(c, fd, *ret_file, "", &max) && max < levels) {
		*ret_max = max;
		return true;
	}
	*ret_file = "cgroup.max.descendants";
	*ret_max = max = CGFS_MAX;
	if (!number(c, fd, *ret_file, "", &max) || max == CGFS_MAX)
		return false;
	*ret_max = max;
	return number(c, fd, "cgroup.stat", "nr_descendants ", &now) && now >= max;
}

int room_mkdir(struct cgfs *c, int hierarchy, const char *path, int code, struct cgfs_err *reterr)
{
	auto_free char *above = strdup(path);
	unsigned int levels = 0;
	char *slash;

	if (code != -EAGAIN || hierarchy != c->unified || !reterr || !above)
		return code;
	while ((slash = strrchr(above, '/'))) {
		auto_door_fd struct door_fd dir = { c, -EBADF };
		const char *file;
		uint64_t max;

		*slash = '\0';
		dir.fd = fs_open(c, c->hierarchy[hierarchy].mount_fd, *above ? above + 1 : ".",
				 O_RDONLY | O_DIRECTORY);
		if (dir.fd >= 0 && full(c, dir.fd, ++levels, &file, &max))
			return cgfs_err_reason(reterr, code, "%s%s/%s is %" PRIu64,
					       c->hierarchy[hierarchy].mount->path, above, file,
					       max);
	}
	return cgfs_err_context(reterr, code,
				"cgroup.max.descendants or cgroup.max.depth of a cgroup above");
}

int room_threads(struct cgfs *c, int dirfd, const char *dir, int code, struct cgfs_err *reterr)
{
	char type[64];
	ssize_t n;

	if ((code != -EOPNOTSUPP && code != -ENOENT) || !reterr)
		return code;
	n = fs_read_at(c, dirfd, "cgroup.type", type, sizeof(type));
	if (n < 0)
		return code;
	type[strcspn(type, "\n")] = '\0';
	/* The file first: where the text is too long, its middle is left out. */
	if (streq(type, "threaded") || streq(type, "domain invalid"))
		return cgfs_err_reason(reterr, code,
				       "%s/cgroup.type is \"%s\": below it are neither processes "
				       "nor all controllers",
				       dir, type);
	if (streq(type, "domain threaded"))
		return cgfs_err_reason(reterr, code,
				       "%s/cgroup.type is \"%s\": beside threaded cgroups are not "
				       "all controllers",
				       dir, type);
	return code == -ENOENT && strchr(reterr->value, '+')
		       ? cgfs_err_reason(reterr, code,
					 "%s/cgroup.controllers does not have all of them", dir)
		       : code;
}

int room_process(struct cgfs_group *g, int code, struct cgfs_err *reterr)
{
	char path[512];
	int fd;

	if (code != -EOPNOTSUPP || g->c->unified < 0 || group_dir(g, g->c->unified, &fd, NULL) < 0)
		return code;
	group_file_path(g, g->c->unified, NULL, path, sizeof(path));
	return room_threads(g->c, fd, path, code, reterr);
}
