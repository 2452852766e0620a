/* SPDX-License-Identifier: MIT */
/*
 * cpuset_why.c - what the kernel means by its refusals of cpus and memory nodes: the machine has
 * fewer, the group above has, one below has more, or a sibling has some for itself.  Changes
 * nothing.
 *
 * Kernel: validate_change() and update_cpumask() of kernel/cgroup/cpuset.c
 */
#include "cgfs/base/util.h"
#include "cgfs/controller/cpu/cpuset.h"
#include "cgfs/tree/fs.h"

#include <stdio.h>

struct search {
	const struct ctl_refused *w;
	const bool *asked;
	bool *set; /* scratch */
	const char *flag;
	int fd;
	char *buf;
	size_t len;
};

static bool read_list(struct cgfs *c, int fd, const char *file, bool *set, char *text, size_t size)
{
	if (fs_read_at(c, fd, file, text, size) <= 0)
		return false;
	text[strcspn(text, "\n")] = '\0';
	memset(set, 0, CPUSET_NUMBERS * sizeof(*set));
	cpuset_mark(text, set, true);
	return true;
}

/* Is a number of @inner not in @outer? */
static bool more(const bool *inner, const bool *outer)
{
	for (size_t i = 0; i < CPUSET_NUMBERS; i++) {
		if (inner[i] && !outer[i])
			return true;
	}
	return false;
}

static bool common(const bool *a, const bool *b)
{
	for (size_t i = 0; i < CPUSET_NUMBERS; i++) {
		if (a[i] && b[i])
			return true;
	}
	return false;
}

static int look_below(void *arg, const char *name)
{
	struct search *s = arg;
	const struct cgfs_dir *d = s->w->d;
	auto_door_fd struct door_fd dir = { d->g->c,
					    fs_open(d->g->c, s->fd, name, O_RDONLY | O_DIRECTORY) };
	char text[4096], path[400];

	if (dir.fd < 0 || !read_list(d->g->c, dir.fd, s->w->file, s->set, text, sizeof(text)) ||
	    !more(s->set, s->asked))
		return 0;
	group_file_path(d->g, d->hierarchy, name, path, sizeof(path));
	snprintf(s->buf, s->len, "%s/%s is %.64s, and must stay within it", path, s->w->file, text);
	return 1;
}

/* v1's flag is 1, v2's word is not "member". */
static int look_beside(void *arg, const char *name)
{
	struct search *s = arg;
	const struct cgfs_dir *d = s->w->d;
	auto_door_fd struct door_fd dir = { d->g->c,
					    fs_open(d->g->c, s->fd, name, O_RDONLY | O_DIRECTORY) };
	char text[4096], flag[64] = "";

	if (streq(name, d->g->id) || dir.fd < 0 ||
	    fs_read_at(d->g->c, dir.fd, s->flag, flag, sizeof(flag)) <= 0 || flag[0] == '0' ||
	    strncmp(flag, "member", 6) == 0 ||
	    !read_list(d->g->c, dir.fd, s->w->file, s->set, text, sizeof(text)) ||
	    !common(s->set, s->asked))
		return 0;
	snprintf(s->buf, s->len, "its sibling %.64s has %.64s for itself (%s)", name, text,
		 s->flag);
	return 1;
}

/* Of the machine, or of the group above. */
static void against(struct search *s, int fd, const char *file, const char *whose)
{
	char text[4096];

	if (fd >= 0 && read_list(s->w->d->g->c, fd, file, s->set, text, sizeof(text)) &&
	    more(s->asked, s->set))
		snprintf(s->buf, s->len, "%s %.64s (%s)", whose, text, file);
}

static void search(struct search *s)
{
	const struct cgfs_dir *d = s->w->d;
	struct cgfs *c = d->g->c;
	const struct hierarchy *h = &c->hierarchy[d->hierarchy];
	bool on_v1 = h->mount->version == CGFS_V1, cpus = streq(s->w->file, "cpuset.cpus");
	int above = h->root_fd;

	if (d->g->pod && group_dir(d->g->pod, d->hierarchy, &above, NULL) < 0)
		return;
	if (s->w->code == -EACCES)
		against(s, above, s->w->file, "the group above has only");
	if (s->w->code == -EBUSY && group_dir(d->g, d->hierarchy, &s->fd, NULL) == 0)
		ignore(c->fs->ops->list(c->fs->ctx, s->fd, look_below, s));
	if (s->w->code != -EINVAL && s->w->code != -ERANGE)
		return;
	against(s, h->mount_fd,
		on_v1  ? s->w->file
		: cpus ? "cpuset.cpus.effective"
		       : "cpuset.mems.effective",
		"there are only");
	s->fd = above;
	s->flag = !on_v1 ? "cpuset.cpus.partition"
		  : cpus ? "cpuset.cpu_exclusive"
			 : "cpuset.mem_exclusive";
	if (!*s->buf)
		ignore(c->fs->ops->list(c->fs->ctx, above, look_beside, s));
}

void ctl_cpuset_why(const struct ctl_refused *w, char *buf, size_t len)
{
	auto_free bool *sets = calloc(2, CPUSET_NUMBERS * sizeof(*sets));
	struct search s = { .w = w, .asked = sets, .buf = buf, .len = len };

	/* "all" and strides are not looked into. */
	if (!sets || (!streq(w->file, "cpuset.cpus") && !streq(w->file, "cpuset.mems")) ||
	    w->value[strspn(w->value, "0123456789,- \t")])
		return;
	s.set = sets + CPUSET_NUMBERS;
	cpuset_mark(w->value, sets, true);
	search(&s);
}
