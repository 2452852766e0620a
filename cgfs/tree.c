/* SPDX-License-Identifier: MIT */
/*
 * tree.c - a walk through all directories below one.  What is in a container decides how deep they
 * are: the walk takes two descriptors and no stack, whatever the depth, and goes up by "..", which
 * leads out of a directory that was removed meanwhile, too.
 */
#include "core.h"

/* Still to be entered, or entered and still to be left; the top is the current one. */
struct step {
	struct step *below;
	bool entered;
	char name[];
};

static int push(void *arg, const char *name)
{
	struct step **top = arg;
	size_t size = strlen(name) + 1;
	struct step *s = malloc(sizeof(*s) + size);

	if (!s)
		return -ENOMEM;
	s->below = *top;
	s->entered = false;
	memcpy(s->name, name, size);
	*top = s;
	return 0;
}

static void pop(struct step **top)
{
	struct step *s = *top;

	*top = s->below;
	free(s);
}

/* Down into the top; 0 also when it is gone. */
static int down(struct cgfs *c, const struct tree_ops *ops, void *arg, struct step **top, int *cur)
{
	int fd = fs_open(c, *cur, (*top)->name, O_RDONLY | O_DIRECTORY), r;

	if (fd == -ENOENT) {
		pop(top);
		return 0;
	}
	if (fd < 0)
		return fd;
	fs_close(c, cur);
	*cur = fd;
	(*top)->entered = true;
	r = ops->enter ? ops->enter(arg, fd) : 0;
	return r < 0 ? r : c->fs->ops->list(c->fs->ctx, fd, push, top);
}

static int up(struct cgfs *c, const struct tree_ops *ops, void *arg, struct step **top, int *cur)
{
	auto_door_fd struct door_fd left = { c, *cur };
	int r;

	*cur = fs_open(c, left.fd, "..", O_RDONLY | O_DIRECTORY);
	if (*cur < 0)
		return *cur;
	r = ops->leave ? ops->leave(arg, *cur, (*top)->name, left.fd) : 0;
	pop(top);
	return r;
}

int tree_walk(struct cgfs *c, int dirfd, const struct tree_ops *ops, void *arg)
{
	auto_door_fd struct door_fd cur = { c, fs_open(c, dirfd, ".", O_RDONLY | O_DIRECTORY) };
	struct step *top = NULL;
	int r = cur.fd < 0 ? cur.fd : c->fs->ops->list(c->fs->ctx, cur.fd, push, &top);

	while (r == 0 && top)
		r = top->entered ? up(c, ops, arg, &top, &cur.fd)
				 : down(c, ops, arg, &top, &cur.fd);
	while (top)
		pop(&top);
	return r;
}
