/* SPDX-License-Identifier: MIT */
/*
 * mark.c - which directories on the way to the pods root this library made, so that it removes no
 * other.  The mark is an extended attribute of the directory and goes with it: a process that is
 * started later, or another program that uses the same root, finds it.
 */
#include "cgfs/base/util.h"
#include "cgfs/tree/dir.h"

/* Without the privilege for the first, the second may do: its users delegated the directory. */
static const char *const names[] = { "trusted.cgfs.made", "cgfs.made" };

/* Of this kind of attribute there is none, here or for this process. */
static bool not_here(int r)
{
	return r == -EOPNOTSUPP || r == -EPERM || r == -EACCES;
}

int dir_mark(struct cgfs *c, int dirfd)
{
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		r = c->fs->ops->note(c->fs->ctx, dirfd, names[i], "1");
		if (!not_here(r))
			return r;
	}
	/* Then the context that made it knows, as long as it lives. */
	return 0;
}

int dir_marked(struct cgfs *c, int dirfd)
{
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		char buf[16];
		ssize_t n = c->fs->ops->noted(c->fs->ctx, dirfd, names[i], buf, sizeof(buf));

		if (n > 0)
			return 1;
		if (n < 0 && n != -ENODATA && n != -ERANGE && !not_here((int)n))
			return (int)n;
		if (n == -ERANGE)
			return 1; /* of a version that says more */
	}
	return 0;
}
