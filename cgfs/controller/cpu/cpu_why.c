/* SPDX-License-Identifier: MIT */
/*
 * cpu_why.c - what the kernel means by EINVAL for a weight or a quota: another file of the group
 * says why, or one of a group around it.  Changes nothing.
 *
 * Kernel: sched_group_set_shares(), tg_set_cfs_bandwidth(), tg_cfs_schedulable_down()
 */
#include "cgfs/base/parse.h"
#include "cgfs/base/util.h"
#include "cgfs/controller/cpu/cpu.h"
#include "cgfs/tree/fs.h"

#include <inttypes.h>
#include <stdio.h>

/* The files of one version; v2 has quota and period in one. */
struct names {
	const char *quota, *period, *burst;
};
static const struct names v1 = { "cpu.cfs_quota_us", "cpu.cfs_period_us", "cpu.cfs_burst_us" };
static const struct names v2 = { "cpu.max", NULL, "cpu.max.burst" };

struct bandwidth {
	uint64_t quota, period, burst;
};

/* "50000 100000", "max 100000", "-1"; what is not there stays as it was. */
static void parse(const char *text, uint64_t *first, uint64_t *second)
{
	size_t n = strcspn(text, " \n");
	uint64_t v;

	if (cgfs_parse_v1_limit(text, n, &v) == 0)
		*first = v;
	text += n + strspn(text + n, " ");
	if (second && cgfs_parse_u64(text, strcspn(text, "\n"), &v) == 0)
		*second = v;
}

static void read_number(struct cgfs *c, int fd, const char *file, uint64_t *first, uint64_t *second)
{
	char text[64];

	if (fs_read_at(c, fd, file, text, sizeof(text)) > 0)
		parse(text, first, second);
}

static struct bandwidth in_force(struct cgfs *c, int fd, const struct names *names)
{
	struct bandwidth b = { CGFS_MAX, 100000, 0 };

	read_number(c, fd, names->quota, &b.quota, &b.period);
	if (names->period)
		read_number(c, fd, names->period, &b.period, NULL);
	read_number(c, fd, names->burst, &b.burst, NULL);
	return b;
}

static uint64_t share(const struct bandwidth *b)
{
	return b->quota == CGFS_MAX || !b->period ? CGFS_MAX : (b->quota << 20) / b->period;
}

static void against_burst(const struct ctl_refused *w, const struct names *names,
			  const struct bandwidth *b, char *buf, size_t len)
{
	bool burst = streq(w->file, names->burst);
	char path[512];

	if (b->quota >= b->burst)
		return;
	group_file_path(w->d->g, w->d->hierarchy, burst ? names->quota : names->burst, path,
			sizeof(path));
	snprintf(buf, len,
		 burst ? "%s is %" PRIu64 ", and a burst is not above the quota"
		       : "%s is %" PRIu64 ", and a quota is not below the burst",
		 path, burst ? b->quota : b->burst);
}

/* v1 wants a share to be within that of the group above which has one. */
static void against_above(const struct ctl_refused *w, const struct bandwidth *b, char *buf,
			  size_t len)
{
	const struct hierarchy *h = &w->d->g->c->hierarchy[w->d->hierarchy];
	auto_free char *above = strdup(w->d->g->path);
	struct cgfs *c = w->d->g->c;
	char *slash;

	while (above && (slash = strrchr(above, '/')) && slash != above) {
		auto_door_fd struct door_fd dir = { c, -EBADF };
		struct bandwidth has = { CGFS_MAX, 0, 0 };

		*slash = '\0';
		dir.fd = fs_open(c, h->mount_fd, above + 1, O_RDONLY | O_DIRECTORY);
		if (dir.fd >= 0)
			has = in_force(c, dir.fd, &v1);
		if (has.quota == CGFS_MAX)
			continue;
		if (share(b) > share(&has))
			snprintf(buf, len,
				 "%s%s/%s is %" PRIu64 " in %" PRIu64
				 " us, and the share of a group in it is not above that",
				 h->mount->path, above, v1.quota, has.quota, has.period);
		return;
	}
}

struct below {
	const struct ctl_refused *w;
	const struct bandwidth *b;
	int fd;
	char *buf;
	size_t len;
};

static int look_below(void *arg, const char *name)
{
	struct below *o = arg;
	struct cgfs *c = o->w->d->g->c;
	auto_door_fd struct door_fd dir = { c, fs_open(c, o->fd, name, O_RDONLY | O_DIRECTORY) };
	struct bandwidth has;
	char path[400];

	if (dir.fd < 0)
		return 0;
	has = in_force(c, dir.fd, &v1);
	if (has.quota == CGFS_MAX || share(&has) <= share(o->b))
		return 0;
	group_file_path(o->w->d->g, o->w->d->hierarchy, name, path, sizeof(path));
	snprintf(o->buf, o->len,
		 "%s/%s is %" PRIu64 " in %" PRIu64 " us, and the share of the group above it is "
		 "not below that",
		 path, v1.quota, has.quota, has.period);
	return 1;
}

static void quota_why(const struct ctl_refused *w, const struct names *names, int fd, char *buf,
		      size_t len)
{
	struct cgfs *c = w->d->g->c;
	struct bandwidth b = in_force(c, fd, names);
	struct below o = { w, &b, fd, buf, len };

	if (streq(w->file, names->quota))
		parse(w->value, &b.quota, &b.period);
	else
		parse(w->value, streq(w->file, names->burst) ? &b.burst : &b.period, NULL);
	against_burst(w, names, &b, buf, len);
	if (*buf || names != &v1)
		return;
	against_above(w, &b, buf, len);
	if (!*buf)
		ignore(c->fs->ops->list(c->fs->ctx, fd, look_below, &o));
}

static bool is_idle(struct cgfs *c, int fd)
{
	uint64_t idle = 0;

	read_number(c, fd, "cpu.idle", &idle, NULL);
	return idle == 1;
}

void ctl_cpu_why(const struct ctl_refused *w, char *buf, size_t len)
{
	const struct cgfs *c = w->d->g->c;
	const struct names *names = c->place[CGFS_CPU].version == CGFS_V1 ? &v1 : &v2;
	int fd;

	if (w->code != -EINVAL || group_dir(w->d->g, w->d->hierarchy, &fd, NULL) < 0)
		return;
	if (streq(w->file, "cpu.shares") || strncmp(w->file, "cpu.weight", 10) == 0) {
		if (is_idle(w->d->g->c, fd))
			snprintf(buf, len,
				 "the group is idle (cpu.idle is 1), and as long as it is it has "
				 "no weight of its own");
	} else if (streq(w->file, names->quota) || streq(w->file, names->burst) ||
		   (names->period && streq(w->file, names->period))) {
		quota_why(w, names, fd, buf, len);
	}
}
