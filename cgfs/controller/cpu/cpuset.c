/* SPDX-License-Identifier: MIT */
/*
 * cpuset.c - the cpuset controller.
 *
 * A new v1 cpuset has no cpus and no memory nodes, and refuses every process (ENOSPC) until it
 * has both.  cgroup.clone_children on the pods root makes each child start with its parent's,
 * in the kernel, at mkdir: no system call per pod.  Beside one that is exclusive the kernel gives
 * it nothing all the same; such a cpuset gets what is left when the first process, or a container's
 * list, is refused.
 *
 * Kernel: Documentation/admin-guide/cgroup-v1/cpusets.rst 1.3 and 1.8; cgroup-v2.rst "Cpuset"
 */
#include "cgfs/controller/cpu/cpuset.h"
#include "cgfs/base/util.h"
#include "cgfs/tree/fs.h"

#include <stdio.h>
#include <stdlib.h>

static int failed(int code, const char *op, const char *dir, size_t len, const char *file,
		  const char *value, struct cgfs_err *reterr)
{
	char path[512];

	snprintf(path, sizeof(path), "%.*s/%s", (int)len, dir, file);
	return cgfs_err_set(reterr, code, op, path, value, NULL);
}

/* -- what can be had of what the parent has --------------------------------------------------- */

/* The two lists of a cpuset, and the flag by which a sibling has its part for itself. */
struct list_file {
	const char *file, *exclusive;
};
static const struct list_file cpus_file = { "cpuset.cpus", "cpuset.cpu_exclusive" };
static const struct list_file mems_file = { "cpuset.mems", "cpuset.mem_exclusive" };

void cpuset_mark(const char *list, bool *set, bool value)
{
	unsigned long first, last;
	char *end;

	for (;; list = end + (*end == ',')) {
		first = last = strtoul(list, &end, 10);
		if (end == list)
			return;
		if (*end == '-')
			last = strtoul(end + 1, &end, 10);
		for (; first <= last && first < CPUSET_NUMBERS; first++)
			set[first] = value;
	}
}

/* The numbers of @set as "0-3,7"; false: no room. */
static bool print_list(const bool *set, char *buf, size_t len)
{
	size_t used = 0;

	*buf = '\0';
	for (unsigned int first = 0, last; first < CPUSET_NUMBERS; first = last + 1) {
		last = first;
		if (!set[first])
			continue;
		while (last + 1 < CPUSET_NUMBERS && set[last + 1])
			last++;
		used += (size_t)snprintf(buf + used, len - used, first < last ? "%s%u-%u" : "%s%u",
					 used ? "," : "", first, last);
		if (used >= len)
			return false;
	}
	return true;
}

struct siblings {
	struct cgfs *c;
	const struct list_file *list;
	int parent_fd;
	const char *self;
	bool *set;
	char *text;
	size_t size;
};

/* Takes off what a sibling has for itself. */
static int take_off(void *arg, const char *name)
{
	struct siblings *s = arg;
	auto_door_fd struct door_fd dir = { s->c, -EBADF };
	char flag[8];

	if (streq(name, s->self))
		return 0;
	dir.fd = fs_open(s->c, s->parent_fd, name, O_RDONLY | O_DIRECTORY);
	/* One that is gone meanwhile has nothing. */
	if (dir.fd < 0)
		return dir.fd == -ENOENT ? 0 : dir.fd;
	if (fs_read_at(s->c, dir.fd, s->list->exclusive, flag, sizeof(flag)) > 0 &&
	    flag[0] == '1' && fs_read_at(s->c, dir.fd, s->list->file, s->text, s->size) > 0)
		cpuset_mark(s->text, s->set, false);
	return 0;
}

/* @text, the parent's list, becomes the part that no sibling has for itself. */
static int available(struct cgfs *c, int parent_fd, const char *self, const struct list_file *list,
		     char *text, size_t size)
{
	auto_free bool *set = calloc(CPUSET_NUMBERS, sizeof(*set));
	auto_free char *other = malloc(size);
	struct siblings s = { c, list, parent_fd, self, set, other, size };
	int r;

	if (!set || !other)
		return -ENOMEM;
	cpuset_mark(text, set, true);
	r = c->fs->ops->list(c->fs->ctx, parent_fd, take_off, &s);
	return r < 0 ? r : print_list(set, text, size) ? 0 : -ERANGE;
}

static int inherit(struct cgfs *c, int parent_fd, int dir_fd, const char *dir,
		   const struct list_file *list, struct cgfs_err *reterr)
{
	const char *file = list->file, *slash = strrchr(dir, '/');
	size_t len = strlen(dir), above = slash ? (size_t)(slash - dir) : 0;
	char text[4096];
	int r;
	ssize_t n = fs_read_at(c, dir_fd, file, text, sizeof(text));

	if (n < 0)
		return failed((int)n, "read", dir, len, file, NULL, reterr);
	if (n > 1)
		return 0; /* it has some, ours or an earlier process's */
	n = fs_read_at(c, parent_fd, file, text, sizeof(text));
	if (n < 0)
		return failed((int)n, "read", dir, above, file, NULL, reterr);
	text[strcspn(text, "\n")] = '\0';
	r = fs_write_at(c, dir_fd, file, text);
	if (r == -EINVAL) {
		/* The kernel's word for a sibling that has a part of it exclusively. */
		r = available(c, parent_fd, slash ? slash + 1 : dir, list, text, sizeof(text));
		if (r < 0)
			return failed(r, "list", dir, above, "", NULL, reterr);
		if (!*text) {
			failed(-EBUSY, "write", dir, len, file, NULL, reterr);
			return cgfs_err_context(reterr, -EBUSY,
						"all that the cpuset above has is exclusive to "
						"others (%s)",
						list->exclusive);
		}
		r = fs_write_at(c, dir_fd, file, text);
	}
	return r < 0 ? failed(r, "write", dir, len, file, text, reterr) : 0;
}

/* A directory that another program made keeps its flag; new cpusets in it are then filled one by
 * one. */
static int prepare_root(struct cgfs *c, int parent_fd, int dir_fd, bool ours, const char *dir,
			struct cgfs_err *reterr)
{
	const char *file = "cgroup.clone_children";
	char flag[8];
	ssize_t n;
	int r = inherit(c, parent_fd, dir_fd, dir, &cpus_file, reterr);

	if (r == 0)
		r = inherit(c, parent_fd, dir_fd, dir, &mems_file, reterr);
	if (r < 0)
		return r;
	if (!ours) {
		n = fs_read_at(c, dir_fd, file, flag, sizeof(flag));
		return n < 0 ? failed((int)n, "read", dir, strlen(dir), file, NULL, reterr)
			     : flag[0] != '1';
	}
	r = fs_write_at(c, dir_fd, file, "1");
	return r < 0 ? failed(r, "write", dir, strlen(dir), file, "1", reterr) : 0;
}

int ctl_cpuset_fill(struct cgfs_group *g, struct cgfs_err *reterr)
{
	const struct place *p = &g->c->place[CGFS_CPUSET];
	int fd, above, r = 0;
	char path[512];

	if (p->version != CGFS_V1)
		return 0;
	above = g->c->hierarchy[p->hierarchy].root_fd;
	if (g->pod)
		r = ctl_cpuset_fill(g->pod, reterr);
	if (r == 0 && g->pod)
		r = group_dir(g->pod, p->hierarchy, &above, reterr);
	if (r == 0)
		r = group_dir(g, p->hierarchy, &fd, reterr);
	if (r < 0)
		return r;
	group_file_path(g, p->hierarchy, NULL, path, sizeof(path));
	r = inherit(g->c, above, fd, path, &cpus_file, reterr);
	return r < 0 ? r : inherit(g->c, above, fd, path, &mems_file, reterr);
}

static int apply(const struct cgfs_dir *d, const struct cgfs_resources *res,
		 struct cgfs_err *reterr)
{
	int r = 0;

	if (res->set & CGFS_SET_CPUSET_CPUS)
		r = dir_write(d, "cpuset.cpus", res->cpuset_cpus, reterr);
	if (r == 0 && (res->set & CGFS_SET_CPUSET_MEMS))
		r = dir_write(d, "cpuset.mems", res->cpuset_mems, reterr);
	return r;
}

static int v1_apply(const struct cgfs_dir *d, const struct cgfs_resources *res,
		    struct cgfs_err *reterr)
{
	int r = apply(d, res, reterr);

	/* The pod may have been given none by the kernel, see the top of this file. */
	if (r == -EACCES && d->g->pod && ctl_cpuset_fill(d->g->pod, NULL) == 0)
		r = apply(d, res, reterr);
	if (r < 0 || !(res->set & CGFS_SET_CPUSET_PARTITION))
		return r;
	if (streq(res->cpuset_partition, "isolated"))
		return cgfs_err_set(reterr, -EOPNOTSUPP, "set", "cpuset.partition",
				    res->cpuset_partition,
				    "cgroup v1 has exclusive cpus, but no isolated ones");
	return dir_write(d, "cpuset.cpu_exclusive",
			 streq(res->cpuset_partition, "root") ? "1" : "0", reterr);
}

#define PARTITION "cpuset.cpus.partition"

int ctl_confirm(const struct cgfs_dir *d, const char *file, const char *value,
		struct cgfs_err *reterr)
{
	char now[256];
	ssize_t n;

	if (!streq(file, PARTITION))
		return 0;
	n = dir_read(d, file, now, sizeof(now), reterr);
	if (n < 0)
		return (int)n;
	now[strcspn(now, "\n")] = '\0';
	if (strstr(now, "invalid"))
		return cgfs_err_set(reterr, -EINVAL, "set", PARTITION, value, "%s", now);
	return 0;
}

static int v2_partition(const struct cgfs_dir *d, const char *value, struct cgfs_err *reterr)
{
	int r = dir_write(d, PARTITION, value, reterr);

	return r < 0 ? r : ctl_confirm(d, PARTITION, value, reterr);
}

static int v2_apply(const struct cgfs_dir *d, const struct cgfs_resources *res,
		    struct cgfs_err *reterr)
{
	int r = apply(d, res, reterr);

	if (r == 0 && (res->set & CGFS_SET_CPUSET_PARTITION))
		r = v2_partition(d, res->cpuset_partition, reterr);
	return r;
}

#define CPUSET_BITS (CGFS_SET_CPUSET_CPUS | CGFS_SET_CPUSET_MEMS | CGFS_SET_CPUSET_PARTITION)

const struct ctl_ops ctl_cpuset_v1 = {
	.handles = CPUSET_BITS,
	.prepare_root = prepare_root,
	.apply = v1_apply,
	.within_parent = true,
	.why = ctl_cpuset_why,
};

const struct ctl_ops ctl_cpuset_v2 = {
	.handles = CPUSET_BITS,
	.apply = v2_apply,
	.why = ctl_cpuset_why,
};
