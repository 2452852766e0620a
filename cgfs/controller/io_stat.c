/* SPDX-License-Identifier: MIT */
/*
 * io_stat.c - what block devices have done for a group, on either version; see io.c for limits.
 *
 * v2: one line a device, `8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6`.
 * v1: one line a device and operation, `8:0 Read 1`, bytes in one file, operations in another.
 */
#include "io_stat.h"

#include <stdio.h>

/* Devices one by one, or all of them in one sum, which needs no memory. */
struct io_list {
	struct cgfs_io_stat *sum;
	struct cgfs_io_stat *io;
	size_t n, size;
};

static struct cgfs_io_stat *device(struct io_list *l, uint32_t major, uint32_t minor)
{
	if (l->sum)
		return l->sum;
	for (size_t i = l->n; i-- > 0;) {
		if (l->io[i].major == major && l->io[i].minor == minor)
			return &l->io[i];
	}
	if (l->n == l->size) {
		size_t size = l->size ? l->size * 2 : 8;
		struct cgfs_io_stat *bigger = realloc(l->io, size * sizeof(*bigger));

		if (!bigger)
			return NULL;
		l->io = bigger;
		l->size = size;
	}
	l->io[l->n] = (struct cgfs_io_stat){ .major = major, .minor = minor };
	return &l->io[l->n++];
}

/* Calls @fn with each line that begins with a device, and what is behind the number. */
static int lines(const struct cgfs_dir *d, enum kept slot, const char *file, struct io_list *l,
		 void (*fn)(struct cgfs_io_stat *io, char *rest), struct cgfs_err *reterr)
{
	auto_free char *big = NULL;
	char small[4096], *buf = small, *save = NULL;
	ssize_t n = dir_read_kept(d, slot, file, buf, sizeof(small));

	for (size_t size = 1u << 16; n == -EFBIG && size <= 1u << 22; size *= 4) {
		free(big);
		buf = big = malloc(size);
		n = buf ? dir_read_kept(d, slot, file, buf, size) : -ENOMEM;
	}
	if (n == -ENOENT)
		return 0;
	if (n < 0)
		return dir_error(d, (int)n, "read", file, NULL, reterr);
	for (char *line = strtok_r(buf, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		struct cgfs_io_stat *io;
		unsigned int major, minor;
		int used = 0;

		if (sscanf(line, "%u:%u %n", &major, &minor, &used) != 2 || !used)
			continue; /* "Total N", or a device without figures */
		io = device(l, major, minor);
		if (!io)
			return dir_error(d, -ENOMEM, "read", file, NULL, reterr);
		fn(io, line + used);
	}
	return 0;
}

static void v2_line(struct cgfs_io_stat *io, char *rest)
{
	const struct {
		const char *key;
		uint64_t *to;
	} keys[] = {
		{ "rbytes=", &io->read_bytes },	   { "wbytes=", &io->write_bytes },
		{ "dbytes=", &io->discard_bytes }, { "rios=", &io->read_ops },
		{ "wios=", &io->write_ops },	   { "dios=", &io->discard_ops },
	};
	char *save = NULL;

	for (char *word = strtok_r(rest, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
		for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
			if (strncmp(word, keys[i].key, strlen(keys[i].key)) == 0)
				*keys[i].to += strtoull(word + strlen(keys[i].key), NULL, 10);
		}
	}
}

static void v1_bytes(struct cgfs_io_stat *io, char *rest)
{
	if (strncmp(rest, "Read ", 5) == 0)
		io->read_bytes += strtoull(rest + 5, NULL, 10);
	else if (strncmp(rest, "Write ", 6) == 0)
		io->write_bytes += strtoull(rest + 6, NULL, 10);
	else if (strncmp(rest, "Discard ", 8) == 0)
		io->discard_bytes += strtoull(rest + 8, NULL, 10);
}

static void v1_ops(struct cgfs_io_stat *io, char *rest)
{
	if (strncmp(rest, "Read ", 5) == 0)
		io->read_ops += strtoull(rest + 5, NULL, 10);
	else if (strncmp(rest, "Write ", 6) == 0)
		io->write_ops += strtoull(rest + 6, NULL, 10);
	else if (strncmp(rest, "Discard ", 8) == 0)
		io->discard_ops += strtoull(rest + 8, NULL, 10);
}

static int v1_read(const struct cgfs_dir *d, struct io_list *l, struct cgfs_err *reterr)
{
	int r = lines(d, KEPT_IO_STAT, "blkio.throttle.io_service_bytes_recursive", l, v1_bytes,
		      reterr);

	return r < 0 ? r
		     : lines(d, KEPT_IO_SERVICED, "blkio.throttle.io_serviced_recursive", l, v1_ops,
			     reterr);
}

static int v2_read(const struct cgfs_dir *d, struct io_list *l, struct cgfs_err *reterr)
{
	return lines(d, KEPT_IO_STAT, "io.stat", l, v2_line, reterr);
}

static int totals(const struct cgfs_dir *d, struct cgfs_stats *s,
		  int (*read)(const struct cgfs_dir *, struct io_list *, struct cgfs_err *),
		  struct cgfs_err *reterr)
{
	struct cgfs_io_stat sum = { 0 };
	struct io_list l = { .sum = &sum };
	int r = read(d, &l, reterr);

	/* kept: is the file there at all?  It may have been given up already, and was there. */
	if (r < 0 || d->g->kept[KEPT_IO_STAT] == -ENOENT)
		return r;
	ctl_stat_set(s, CGFS_STAT_IO_READ, sum.read_bytes);
	ctl_stat_set(s, CGFS_STAT_IO_WRITE, sum.write_bytes);
	ctl_stat_set(s, CGFS_STAT_IO_READ_OPS, sum.read_ops);
	ctl_stat_set(s, CGFS_STAT_IO_WRITE_OPS, sum.write_ops);
	ctl_stat_set(s, CGFS_STAT_IO_DISCARD, sum.discard_bytes);
	ctl_stat_set(s, CGFS_STAT_IO_DISCARD_OPS, sum.discard_ops);
	return 0;
}

int io_stats_v1(const struct cgfs_dir *d, unsigned int what, struct cgfs_stats *s,
		struct cgfs_err *reterr)
{
	(void)what;
	return totals(d, s, v1_read, reterr);
}

int io_stats_v2(const struct cgfs_dir *d, unsigned int what, struct cgfs_stats *s,
		struct cgfs_err *reterr)
{
	(void)what;
	return totals(d, s, v2_read, reterr);
}

int cgfs_group_io(struct cgfs_group *g, struct cgfs_io_stat **ret_io, size_t *ret_n,
		  struct cgfs_err *reterr)
{
	const struct place *p = &g->c->place[CGFS_IO];
	struct cgfs_dir d = { g, p->hierarchy, NULL };
	struct io_list l = { 0 };
	int r = -ENODEV;

	if (p->version == CGFS_NONE)
		cgfs_err_set(reterr, r, NULL, NULL, NULL, "the io controller is not on this host");
	else
		r = p->version == CGFS_V1 ? v1_read(&d, &l, reterr) : v2_read(&d, &l, reterr);
	if (r < 0) {
		free(l.io);
		return cgfs_err_context(reterr, r, "read block devices of \"%.80s\"", g->rel);
	}
	*ret_io = l.io;
	*ret_n = l.n;
	return 0;
}
