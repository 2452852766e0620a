/* SPDX-License-Identifier: MIT */
/*
 * delegate.c - gives the directories of a group, and those files that are safe, to a user.
 *
 * Kernel: cgroup-v2.rst "Delegation"; /sys/kernel/cgroup/delegate lists what is delegatable on
 * cgroup2.  v1 never had a list; cgroup.procs and tasks are what it takes to move processes, and
 * no limit is among them.
 */
#include "core.h"

#include <stdio.h>

#define LIST	  "/sys/kernel/cgroup/delegate"
#define GIVEN_MAX (HIERARCHY_MAX * 16)

struct given {
	int hierarchy;
	const char *name;
	uid_t uid;
	gid_t gid;
};

struct delegation {
	struct cgfs_group *g;
	uid_t uid;
	gid_t gid;
	struct given given[GIVEN_MAX]; /* whose it was before */
	size_t n;
};

static int give(struct delegation *dg, int i, const char *name, struct cgfs_err *reterr)
{
	const struct cgfs_fs *fs = dg->g->c->fs;
	struct cgfs_dir d = { dg->g, i, NULL };
	struct given *old = &dg->given[dg->n];
	const char *op = "stat";
	int fd, r;

	if (dg->n == GIVEN_MAX)
		return dir_error(&d, -E2BIG, "chown", name, NULL, reterr);
	r = group_dir(dg->g, i, &fd, reterr);
	if (r < 0)
		return r;
	*old = (struct given){ .hierarchy = i, .name = name };
	r = fs->ops->owner(fs->ctx, fd, name, &old->uid, &old->gid);
	if (r == 0) {
		op = "chown";
		r = fs->ops->chown(fs->ctx, fd, name, dg->uid, dg->gid);
	}
	/* The kernel lists memory.reclaim also for a group without the memory controller.  Only a
	 * group that is gone has no cgroup.procs. */
	if (r == -ENOENT && !streq(name, ".") && !streq(name, "cgroup.procs"))
		return 0;
	if (r < 0)
		return dir_error(&d, r, op, streq(name, ".") ? NULL : name, NULL, reterr);
	dg->n++;
	return 0;
}

static void take_back(struct delegation *dg)
{
	const struct cgfs_fs *fs = dg->g->c->fs;

	while (dg->n) {
		const struct given *old = &dg->given[--dg->n];
		int fd;

		/* Best effort by nature: the caller already has an error to report. */
		if (group_dir(dg->g, old->hierarchy, &fd, NULL) == 0)
			(void)!fs->ops->chown(fs->ctx, fd, old->name, old->uid, old->gid);
	}
}

/* The names of one hierarchy, in @buf or static. */
static int names_of(struct cgfs *c, int i, char *buf, size_t len, struct cgfs_err *reterr)
{
	ssize_t n = -ENOENT;

	if (i != c->unified) {
		snprintf(buf, len, "cgroup.procs\ntasks\n");
		return 0;
	}
	n = fs_read_at(c, AT_FDCWD, LIST, buf, len);
	if (n == -ENOENT) { /* before 4.15, or no sysfs here */
		snprintf(buf, len, "cgroup.procs\ncgroup.threads\ncgroup.subtree_control\n");
		n = 0;
	}
	return n < 0 ? cgfs_err_set(reterr, (int)n, "read", LIST, NULL, NULL) : 0;
}

static int delegate(struct delegation *dg, char (*names)[1024], struct cgfs_err *reterr)
{
	struct cgfs *c = dg->g->c;

	for (int i = 0; i < c->n; i++) {
		char *save = NULL;
		int r = names_of(c, i, names[i], sizeof(names[i]), reterr);

		/* The directory last: until then nobody else can do anything here. */
		for (char *name = strtok_r(names[i], "\n", &save); r == 0 && name;
		     name = strtok_r(NULL, "\n", &save)) {
			if (!strchr(name, '/'))
				r = give(dg, i, name, reterr);
		}
		if (r == 0)
			r = give(dg, i, ".", reterr);
		if (r < 0)
			return r;
	}
	return 0;
}

int cgfs_group_delegate(struct cgfs_group *g, uid_t uid, gid_t gid, struct cgfs_err *reterr)
{
	struct delegation dg = { .g = g, .uid = uid, .gid = gid };
	char(*names)[1024];
	int r;

	if (uid == (uid_t)-1 || gid == (gid_t)-1)
		return cgfs_err_set(reterr, -EINVAL, "delegate", NULL, g->rel, "-1 is nobody");
	if (g->state != GROUP_LIVE)
		return cgfs_err_set(reterr, -ENOENT, "delegate", NULL, g->rel,
				    "it is being removed");
	names = calloc(HIERARCHY_MAX, sizeof(*names));
	if (!names)
		return cgfs_err_set(reterr, -ENOMEM, "delegate", NULL, g->rel, NULL);
	r = delegate(&dg, names, reterr);
	if (r < 0)
		take_back(&dg);
	free(names);
	return r < 0 ? cgfs_err_context(reterr, r, "delegate \"%.80s\"", g->rel) : 0;
}
