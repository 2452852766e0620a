/* SPDX-License-Identifier: MIT */
/*
 * delegate.c - gives the directories of a group, and those files that are safe, to a user.
 */
#include "cgfs/base/util.h"
#include "cgfs/controller/process/procs.h"
#include "cgfs/tree/dir.h"
#include "cgfs/tree/fs.h"

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
	struct cgfs_dir d = dir_in(dg->g, i);
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
	 * group that is gone has no list of processes. */
	if (r == -ENOENT && !streq(name, ".") && !streq(name, procs_file(dg->g->c, i, false)))
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
			ignore(fs->ops->chown(fs->ctx, fd, old->name, old->uid, old->gid));
	}
}

static int delegate(struct delegation *dg, char (*names)[1024], struct cgfs_err *reterr)
{
	struct cgfs *c = dg->g->c;

	for (int i = 0; i < c->n; i++) {
		char *save = NULL;
		int r = procs_delegated(c, i, names[i], sizeof(names[i]), reterr);

		/* The directory last: until then the new owner can do nothing here. */
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
	int r = check_writable(g->c, "delegate", reterr);

	if (r < 0)
		return r;
	if (uid == (uid_t)-1 || gid == (gid_t)-1)
		return err_value(reterr, -EINVAL, "delegate", g->rel, "uid and gid must not be -1");
	if (g->state != GROUP_LIVE)
		return err_value(reterr, -ENOENT, "delegate", g->rel, "it is being removed");
	names = calloc(HIERARCHY_MAX, sizeof(*names));
	if (!names)
		return err_value(reterr, -ENOMEM, "delegate", g->rel, NULL);
	r = delegate(&dg, names, reterr);
	if (r < 0)
		take_back(&dg);
	free(names);
	return r < 0 ? cgfs_err_context(reterr, r, "delegate \"%.80s\"", g->rel) : 0;
}
