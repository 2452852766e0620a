/* SPDX-License-Identifier: MIT */
/*
 * procs.c - see procs.h.  Of several hierarchies the cgroup2 tree is asked first: it knows of each
 * process, says when the last has gone, and kills without missing a fork.
 *
 * Kernel: cgroup-v2.rst "Core Interface Files" and "Delegation".  /sys/kernel/cgroup/delegate lists
 * what is delegatable on cgroup2.  v1 never had a list; cgroup.procs and tasks are what it takes to
 * move processes, and no limit is among them.
 */
#include "cgfs/controller/process/procs.h"

#include "cgfs/base/parse.h"
#include "cgfs/base/util.h"
#include "cgfs/event/events.h"
#include "cgfs/tree/dir.h"
#include "cgfs/tree/fs.h"
#include "cgfs/tree/walk.h"

#include <stdio.h>

#define EVENTS	  "cgroup.events"
#define DELEGATED "/sys/kernel/cgroup/delegate"

const char *procs_file(const struct cgfs *c, int hierarchy, bool threads)
{
	return !threads ? "cgroup.procs" : hierarchy == c->unified ? "cgroup.threads" : "tasks";
}

const char *procs_own_file(const struct cgfs *c, int hierarchy)
{
	return procs_file(c, hierarchy, hierarchy != c->unified);
}

bool procs_keep_threads(const struct cgfs *c, int hierarchy)
{
	return hierarchy == c->unified && c->n > 1;
}

uint32_t procs_key(const struct cgfs *c, int hierarchy)
{
	return hierarchy == c->unified ? 0 : c->hierarchy[hierarchy].controllers;
}

static int pids_append(struct pid_list *l, const char *text)
{
	size_t len = strlen(text);
	pid_t pid = 0;
	int r;

	while ((r = cgfs_parse_pid(&text, &len, &pid)) == 1) {
		if (l->n == l->size) {
			size_t size = l->size ? l->size * 2 : 64;
			pid_t *bigger = realloc(l->pid, size * sizeof(*bigger));

			if (!bigger)
				return -ENOMEM;
			l->pid = bigger;
			l->size = size;
		}
		l->pid[l->n++] = pid;
	}
	return r < 0 ? -EIO : 0;
}

/* The list can be long, and the kernel gives a page of it at a time: read it to its end. */
static int pids_text(struct cgfs *c, int fd, char **ret)
{
	auto_free char *buf = NULL;
	size_t size = 0, used = 0;
	ssize_t n;

	do {
		if (size - used < 4096) {
			char *bigger = realloc(buf, size + 16384);

			if (!bigger)
				return -ENOMEM;
			buf = bigger;
			size += 16384;
		}
		do
			n = c->fs->ops->pread(c->fs->ctx, fd, buf + used, size - used - 1,
					      (off_t)used);
		while (n == -EINTR);
		if (n < 0)
			return (int)n;
		used += (size_t)n;
	} while (n > 0);
	buf[used] = '\0';
	*ret = take_ptr(buf);
	return 0;
}

int procs_read_dir(struct pid_list *l)
{
	auto_door_fd struct door_fd d = { l->c, fs_open(l->c, l->dirfd, l->file, O_RDONLY) };
	auto_free char *text = NULL;
	int r;

	if (d.fd < 0)
		return d.fd;
	r = pids_text(l->c, d.fd, &text);
	/* A threaded cgroup lists its processes at the domain above it. */
	if (r == -EOPNOTSUPP)
		return 0;
	return r < 0 ? r : pids_append(l, text);
}

/* One below the group's own may go while the list is read. */
static int pids_enter(void *arg, int dirfd)
{
	struct pid_list *l = arg;
	int r;

	l->dirfd = dirfd;
	r = procs_read_dir(l);
	return is_gone(r) ? 0 : r;
}

static int pids_in(struct cgfs_group *g, int i, struct pid_list *l, struct cgfs_err *reterr)
{
	static const struct tree_ops ops = { .enter = pids_enter };
	struct cgfs_dir d = dir_in(g, i);
	struct tree_walk w;
	int r, fd;

	r = group_dir(g, i, &fd, reterr);
	if (r < 0)
		return r;
	l->dirfd = fd;
	r = procs_read_dir(l);
	if (r == 0)
		r = tree_begin(&w, g->c, fd, l->max);
	if (r == 0)
		r = tree_go(&w, &ops, l, NULL);
	return r < 0 && r != -E2BIG ? dir_error(&d, r, "read", l->file, NULL, reterr) : r;
}

/* The processes, or threads, of the group and all below it in one hierarchy; *ret_pids is NULL when
 * there are none, and to be freed. */
static int read_list(struct cgfs_group *g, int hierarchy, struct pid_list l, pid_t **ret_pids,
		     size_t *ret_n, struct cgfs_err *reterr)
{
	int r = pids_in(g, hierarchy, &l, reterr);

	if (r < 0 || !l.n) {
		free(l.pid);
		l.pid = NULL;
	}
	if (r < 0)
		return r;
	*ret_pids = l.pid;
	*ret_n = l.n;
	return 0;
}

int procs_first(const struct cgfs *c)
{
	return c->unified >= 0 ? c->unified : 0;
}

int procs_next(const struct cgfs *c, int hierarchy)
{
	int next = hierarchy == c->unified ? 0 : hierarchy + 1;

	next += next == c->unified;
	return next < c->n ? next : -1;
}

static int list_pids(struct cgfs_group *g, size_t max, pid_t **ret_pids, size_t *ret_n,
		     struct cgfs_err *reterr)
{
	int i = procs_first(g->c), r;

	do {
		struct pid_list l = { .c = g->c, .file = procs_file(g->c, i, false), .max = max };

		r = read_list(g, i, l, ret_pids, ret_n, reterr);
	} while (is_gone(r) && (i = procs_next(g->c, i)) >= 0);
	return r;
}

int cgfs_group_pids(struct cgfs_group *g, pid_t **ret_pids, size_t *ret_n, struct cgfs_err *reterr)
{
	int r = list_pids(g, SIZE_MAX, ret_pids, ret_n, reterr);

	return r < 0 ? cgfs_err_context(reterr, r, "list processes of \"%.80s\"", g->rel) : 0;
}

int cgfs_group_pids_bounded(struct cgfs_group *g, size_t max_cgroups, pid_t **ret_pids,
			    size_t *ret_n, struct cgfs_err *reterr)
{
	int r = list_pids(g, max_cgroups, ret_pids, ret_n, reterr);

	if (r == -E2BIG)
		return err_value(reterr, r, "list processes of", g->rel,
				 "there are more than %zu cgroups below it", max_cgroups);
	return r < 0 ? cgfs_err_context(reterr, r, "list processes of \"%.80s\"", g->rel) : 0;
}

int cgfs_group_threads(struct cgfs_group *g, pid_t **ret_tids, size_t *ret_n,
		       struct cgfs_err *reterr)
{
	const struct cgfs *c = g->c;
	struct pid_list l = { .c = g->c, .max = SIZE_MAX };
	int hierarchy = 0, r;

	/* On v1 threads may be elsewhere than their process; in the cgroup2 tree they are not. */
	while (hierarchy < c->n - 1 && hierarchy == c->unified)
		hierarchy++;
	l.file = procs_file(c, hierarchy, true);
	r = read_list(g, hierarchy, l, ret_tids, ret_n, reterr);
	return r < 0 ? cgfs_err_context(reterr, r, "list threads of \"%.80s\"", g->rel) : 0;
}

int procs_announced(struct cgfs_group *g)
{
	struct cgfs_dir d = dir_in(g, g->c->unified);
	char text[128];
	int r;

	if (d.hierarchy < 0)
		return -ENOENT;
	r = (int)dir_read(&d, EVENTS, text, sizeof(text), NULL);
	return r < 0 ? r : strstr(text, "populated 1") != NULL;
}

int procs_populated(struct cgfs_group *g)
{
	size_t n = 0;
	pid_t *pids = NULL;
	int r = procs_announced(g);

	/* Without its directory in the cgroup2 tree, its lists of processes have the answer. */
	if (r >= 0 || !is_gone(r) || (g->c->unified >= 0 && g->c->n == 1))
		return r;
	r = cgfs_group_pids(g, &pids, &n, NULL);
	free(pids);
	return r < 0 ? r : n > 0;
}

int procs_watch(struct cgfs_group *g, void (*fn)(struct cgfs_group *g), int *ret_wd,
		struct cgfs_err *reterr)
{
	struct cgfs_dir d = dir_in(g, g->c->unified);
	int r;

	if (g->c->unified < 0)
		return err_value(reterr, -EOPNOTSUPP, "watch for emptiness", g->rel,
				 "there is no cgroup2 tree");
	r = events_watch(g, EVENTS, fn, ret_wd);
	return r < 0 ? dir_error(&d, r, "watch", EVENTS, NULL, reterr) : 0;
}

int procs_kill(struct cgfs_group *g, struct cgfs_err *reterr)
{
	struct cgfs_dir d = dir_in(g, g->c->unified);

	return g->c->unified < 0 ? -ENOENT : dir_write(&d, "cgroup.kill", "1", reterr);
}

int procs_delegated(struct cgfs *c, int hierarchy, char *buf, size_t len, struct cgfs_err *reterr)
{
	ssize_t n = -ENOENT;

	if (hierarchy != c->unified) {
		snprintf(buf, len, "cgroup.procs\ntasks\n");
		return 0;
	}
	n = fs_read_at(c, AT_FDCWD, DELEGATED, buf, len);
	if (n == -ENOENT) { /* before 4.15, or no sysfs here */
		snprintf(buf, len, "cgroup.procs\ncgroup.threads\ncgroup.subtree_control\n");
		n = 0;
	}
	return n < 0 ? err_file(reterr, (int)n, "read", DELEGATED) : 0;
}
