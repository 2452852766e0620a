/* SPDX-License-Identifier: MIT */
/*
 * walk.c - a walk through all directories below one, at once or in bounded steps.  What is in a
 * container decides how deep and how wide they are: the walk takes two descriptors and no stack,
 * at any depth, and goes up by "..", which leads out of a directory that was removed
 * meanwhile, too.
 */
#include "cgfs/tree/walk.h"

#include "cgfs/base/clock.h"
#include "cgfs/base/util.h"
#include "cgfs/tree/context.h"
#include "cgfs/tree/fs.h"

/* Still to be entered, or entered and still to be left; the top is the current one. */
struct tree_step {
	struct tree_step *below;
	bool entered;
	char name[];
};

static int push(void *arg, const char *name)
{
	struct tree_walk *w = arg;
	size_t size = strlen(name) + 1;
	struct tree_step *s;

	if (w->left == 0)
		return -E2BIG;
	w->left -= w->left != SIZE_MAX;
	s = malloc(sizeof(*s) + size);
	if (!s)
		return -ENOMEM;
	s->below = w->top;
	s->entered = false;
	memcpy(s->name, name, size);
	w->top = s;
	return 0;
}

static void pop(struct tree_walk *w)
{
	struct tree_step *s = w->top;

	w->top = s->below;
	free(s);
}

/* Down into the top; 0 also when it is gone. */
static int down(struct tree_walk *w, const struct tree_ops *ops, void *arg)
{
	struct cgfs *c = w->c;
	int fd = fs_open(c, w->fd, w->top->name, O_RDONLY | O_DIRECTORY), r;

	if (fd == -ENOENT) {
		pop(w);
		return 0;
	}
	if (fd < 0)
		return fd;
	fs_close(c, &w->fd);
	w->fd = fd;
	w->top->entered = true;
	r = ops->enter ? ops->enter(arg, fd) : 0;
	return r < 0 ? r : c->fs->ops->list(c->fs->ctx, fd, push, w);
}

static int up(struct tree_walk *w, const struct tree_ops *ops, void *arg)
{
	auto_door_fd struct door_fd left = { w->c, w->fd };
	int r;

	w->fd = fs_open(w->c, left.fd, "..", O_RDONLY | O_DIRECTORY);
	if (w->fd < 0)
		return w->fd;
	r = ops->leave ? ops->leave(arg, w->fd, w->top->name, left.fd) : 0;
	pop(w);
	return r;
}

int tree_begin(struct tree_walk *w, struct cgfs *c, int dirfd, size_t max)
{
	int r;

	*w = (struct tree_walk){ c, fs_open(c, dirfd, ".", O_RDONLY | O_DIRECTORY), NULL, max };
	r = w->fd < 0 ? w->fd : c->fs->ops->list(c->fs->ctx, w->fd, push, w);
	if (r < 0)
		tree_end(w);
	return r;
}

struct tree_budget tree_step(const struct cgfs *c)
{
	uint64_t until = c->step_until;

	return (struct tree_budget){ TREE_STEP,
				     until ? until : now_ns(CLOCK_MONOTONIC) + TREE_STEP_NS };
}

bool tree_late(const struct cgfs *c)
{
	return c->step_until && now_ns(CLOCK_MONOTONIC) >= c->step_until;
}

bool tree_may_go_on(struct tree_budget *b)
{
	if (b->dirs == 0 || (b->dirs < TREE_STEP && now_ns(CLOCK_MONOTONIC) >= b->until_ns))
		return false;
	b->dirs--;
	return true;
}

int tree_go(struct tree_walk *w, const struct tree_ops *ops, void *arg, struct tree_budget *budget)
{
	int r = 0;

	while (r == 0 && w->top) {
		if (budget && !tree_may_go_on(budget))
			return -EAGAIN;
		r = w->top->entered ? up(w, ops, arg) : down(w, ops, arg);
	}
	tree_end(w);
	return r;
}

void tree_end(struct tree_walk *w)
{
	while (w->top)
		pop(w);
	fs_close(w->c, &w->fd);
}

int tree_walk(struct cgfs *c, int dirfd, const struct tree_ops *ops, void *arg)
{
	struct tree_walk w;
	int r = tree_begin(&w, c, dirfd, SIZE_MAX);

	return r < 0 ? r : tree_go(&w, ops, arg, NULL);
}
