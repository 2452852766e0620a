/* SPDX-License-Identifier: MIT */
/*
 * sweep.c - removes groups without a handle: what a crashed process left.
 */
#include "cgfs/base/util.h"
#include "cgfs/tree/context.h"
#include "cgfs/tree/fs.h"

struct sweep {
	struct cgfs *c;
	bool (*keep)(void *arg, const char *id);
	void *arg;
	char **id;
	size_t n, size;
};

/* The ids are collected first: removing while a directory is being read skips entries. */
static int collect(void *arg, const char *id)
{
	struct sweep *s = arg;

	for (const struct cgfs_group *g = s->c->groups; g; g = g->next) {
		if (!g->pod && g->state != GROUP_REMOVED && streq(g->id, id))
			return 0;
	}
	if (s->keep && s->keep(s->arg, id))
		return 0;
	if (s->n == s->size) {
		size_t size = s->size ? s->size * 2 : 16;
		char **bigger = realloc(s->id, size * sizeof(*bigger));

		if (!bigger)
			return -ENOMEM;
		s->id = bigger;
		s->size = size;
	}
	s->id[s->n] = strdup(id);
	if (!s->id[s->n])
		return -ENOMEM;
	s->n++;
	return 0;
}

static int remove_one(struct cgfs *c, const char *id, unsigned int timeout_ms,
		      struct cgfs_err *reterr)
{
	struct cgfs_group *g;
	int r = cgfs_pod_open(c, id, &g, reterr);

	if (r == -ENOENT)
		return 0; /* gone by itself */
	if (r < 0)
		return r;
	r = cgfs_group_remove(g, CGFS_REMOVE_OPTS_WAIT(timeout_ms), reterr);
	cgfs_group_close(g);
	return r;
}

int cgfs_sweep(struct cgfs *c, bool (*keep)(void *arg, const char *id), void *arg,
	       unsigned int timeout_ms, size_t *ret_removed, struct cgfs_err *reterr)
{
	struct sweep s = { .c = c, .keep = keep, .arg = arg };
	size_t removed = 0;
	int r, result;

	r = check_writable(c, "sweep", reterr);
	if (r < 0)
		return r;
	if (!*c->root && !keep)
		return err_value(reterr, -EINVAL, "sweep", "/",
				 "the top of a hierarchy is the whole machine");
	r = result = cgfs_pod_list(c, collect, &s, reterr);
	for (size_t i = 0; i < s.n; i++) {
		if (result != -ENOMEM) {
			r = remove_one(c, s.id[i], timeout_ms, result == 0 ? reterr : NULL);
			removed += r == 0;
			if (result == 0)
				result = r;
		}
		free(s.id[i]);
	}
	free(s.id);
	if (c->policy) {
		r = c->policy->ops->sweep(c->policy->ctx, c->hierarchy[c->unified].mount_fd,
					  result == 0 ? reterr : NULL);
		if (result == 0)
			result = r;
	}
	if (ret_removed)
		*ret_removed = removed;
	return result < 0 ? cgfs_err_context(reterr, result, "sweep %s", c->root) : 0;
}
