/* SPDX-License-Identifier: MIT */
/*
 * native.c - the kernel's own counters under the kernel's own names.  Names no control file of a
 * controller.
 */
#include "cgfs/base/parse.h"
#include "cgfs/base/util.h"
#include "cgfs/controller/base/ops.h"
#include "cgfs/controller/process/pressure.h"

struct walk {
	int (*fn)(void *arg, const char *file, const char *key, uint64_t value);
	void *arg;
};

static int walk_file(const struct cgfs_dir *d, const struct stat_file *f, const struct walk *w,
		     struct cgfs_err *reterr)
{
	char buf[8192], key[128];
	struct cgfs_line line;
	const char *text = buf;
	ssize_t n = dir_read_kept(d, (int)f->slot, f->name, buf, sizeof(buf));
	size_t len;
	int r;

	if (n == -ENOENT || n == -EOPNOTSUPP)
		return 0;
	if (n < 0)
		return dir_error(d, (int)n, "read", f->name, NULL, reterr);
	len = (size_t)n;
	while ((r = cgfs_parse_line(&text, &len, &line)) != 0) {
		if (r < 0 || line.key_len >= sizeof(key))
			continue;
		memcpy(key, line.key, line.key_len);
		key[line.key_len] = '\0';
		r = w->fn(w->arg, f->name, key, line.value);
		if (r)
			return r;
	}
	return 0;
}

static int walk_files(const struct cgfs_dir *d, const struct stat_file *f, unsigned int what,
		      const struct walk *w, struct cgfs_err *reterr)
{
	int r = 0;

	for (; f && f->name && r == 0; f++) {
		if (f->keys && (f->what & what))
			r = walk_file(d, f, w, reterr);
	}
	return r;
}

int cgfs_group_native(struct cgfs_group *g, unsigned int what,
		      int (*fn)(void *arg, const char *file, const char *key, uint64_t value),
		      void *arg, struct cgfs_err *reterr)
{
	struct walk w = { fn, arg };
	struct cgfs_dir tree = dir_in(g, g->c->unified);
	int r = 0;

	for (int ctl = 0; ctl < CGFS_CONTROLLER_COUNT && r == 0; ctl++) {
		const struct place *p = &g->c->place[ctl];
		struct cgfs_dir d = dir_in(g, p->hierarchy);

		if (p->ops)
			r = group_part_lost(&d, walk_files(&d, p->ops->figures, what, &w, reterr));
	}
	if (r == 0 && tree.hierarchy >= 0)
		r = group_part_lost(&tree, walk_files(&tree, tree_figures, what, &w, reterr));
	return r < 0 ? cgfs_err_context(reterr, r, "read counters of \"%.80s\"", g->rel) : r;
}
