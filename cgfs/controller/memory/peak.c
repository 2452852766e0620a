/* SPDX-License-Identifier: MIT */
/*
 * peak.c - the highest memory usage, counted anew from now on.
 *
 * v1: a write to the file restarts it for all readers.  cgroup2, since 6.12: for the descriptor
 * that wrote, so it takes the place of the one that statistics are read from.
 *
 * Kernel: cgroup-v1/memory.rst 5.2 max_usage_in_bytes; cgroup-v2.rst memory.peak, memory.swap.peak
 */
#include "cgfs/base/util.h"
#include "cgfs/tree/descriptors.h"
#include "cgfs/tree/dir.h"
#include "cgfs/tree/kept.h"

static const struct {
	enum kept slot;
	const char *v1, *v2;
} peaks[] = {
	{ KEPT_MEMORY_PEAK, "memory.max_usage_in_bytes", "memory.peak" },
	{ KEPT_MEMORY_SWAP_PEAK, "memory.memsw.max_usage_in_bytes", "memory.swap.peak" },
};

/* A descriptor of its own that begins at what is in use now, in the place of the kept one. */
static int reset_kept(const struct cgfs_dir *d, enum kept slot, const char *file)
{
	struct cgfs *c = d->g->c;
	char text[32];
	ssize_t n;
	int dir, fd, r;

	/* So that there is a place. */
	n = dir_read_kept(d, (int)slot, file, text, sizeof(text));
	if (n < 0)
		return (int)n;
	r = group_dir(d->g, d->hierarchy, &dir, NULL);
	if (r < 0)
		return r;
	fd = group_open_fd(d->g, dir, file, O_RDWR);
	if (fd < 0)
		return fd;
	do
		n = c->fs->ops->write(c->fs->ctx, fd, "reset", strlen("reset"));
	while (n == -EINTR);
	if (n < 0) {
		group_close_fd(d->g, &fd);
		return (int)n;
	}
	group_close_fd(d->g, &d->g->kept[slot]);
	d->g->kept[slot] = fd;
	d->g->pinned |= 1ull << slot; /* what it counts goes with it */
	return 0;
}

int cgfs_group_reset_peak(struct cgfs_group *g, struct cgfs_err *reterr)
{
	const struct place *p = &g->c->place[CGFS_MEMORY];
	struct cgfs_dir d = dir_in(g, p->hierarchy);
	int r = 0;

	if (p->version == CGFS_NONE)
		r = err_why(reterr, -ENODEV, NULL, NULL,
			    "the memory controller is not on this host");
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(peaks); i++) {
		const char *file = p->version == CGFS_V1 ? peaks[i].v1 : peaks[i].v2;

		if (p->version == CGFS_V1) {
			r = dir_write(&d, file, "0", reterr);
		} else {
			r = reset_kept(&d, peaks[i].slot, file);
			if (r < 0)
				dir_error(&d, r, "write", file, "reset", reterr);
		}
		/* Without swap accounting there is no second one. */
		if (i && (r == -ENOENT || r == -EOPNOTSUPP))
			r = 0;
		if (r == -ENOENT && !dir_alive(&d))
			r = -ENODEV;
		/* A file that is only for reading. */
		if (r == -ENOENT || r == -EINVAL || r == -EACCES)
			r = err_why(reterr, -EOPNOTSUPP, NULL, NULL,
				    "cgroup2 can do this since Linux 6.12");
	}
	return r < 0 ? cgfs_err_context(reterr, r, "reset peak of \"%.80s\"", g->rel) : 0;
}
