/* SPDX-License-Identifier: MIT */
/*
 * io_stat.c - what block devices have done for a group, on either version; see io.c for limits.
 *
 * v2: one line a device, `8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6`.
 * v1: one line a device and operation, `8:0 Read 1`, bytes in one file, operations in another.
 */
#include "cgfs/controller/io/io_stat.h"

#include "cgfs/base/util.h"

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
	l->io[l->n] = (struct cgfs_io_stat){ .sz = sizeof(struct cgfs_io_stat),
					     .major = major,
					     .minor = minor };
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

/* Adds the number behind @key, if @word begins with that. */
static void add(uint64_t *to, const char *word, const char *key)
{
	if (strncmp(word, key, strlen(key)) == 0)
		*to += strtoull(word + strlen(key), NULL, 10);
}

static void v2_line(struct cgfs_io_stat *io, char *rest)
{
	char *save = NULL;

	for (char *word = strtok_r(rest, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
		add(&io->read_bytes, word, "rbytes=");
		add(&io->write_bytes, word, "wbytes=");
		add(&io->discard_bytes, word, "dbytes=");
		add(&io->read_ops, word, "rios=");
		add(&io->write_ops, word, "wios=");
		add(&io->discard_ops, word, "dios=");
	}
}

static void v1_bytes(struct cgfs_io_stat *io, char *rest)
{
	add(&io->read_bytes, rest, "Read ");
	add(&io->write_bytes, rest, "Write ");
	add(&io->discard_bytes, rest, "Discard ");
}

static void v1_ops(struct cgfs_io_stat *io, char *rest)
{
	add(&io->read_ops, rest, "Read ");
	add(&io->write_ops, rest, "Write ");
	add(&io->discard_ops, rest, "Discard ");
}

static int read_all(const struct cgfs_dir *d, struct io_list *l, struct cgfs_err *reterr)
{
	int r;

	if (d->g->c->place[CGFS_IO].version == CGFS_V2)
		return lines(d, KEPT_IO_STAT, "io.stat", l, v2_line, reterr);
	r = lines(d, KEPT_IO_STAT, "blkio.throttle.io_service_bytes_recursive", l, v1_bytes,
		  reterr);
	return r < 0 ? r
		     : lines(d, KEPT_IO_SERVICED, "blkio.throttle.io_serviced_recursive", l, v1_ops,
			     reterr);
}

int io_stats(const struct cgfs_dir *d, unsigned int what, struct cgfs_stats *s,
	     struct cgfs_err *reterr)
{
	struct cgfs_io_stat sum = { 0 };
	struct io_list l = { .sum = &sum };
	int r = read_all(d, &l, reterr);

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

int cgfs_group_io(struct cgfs_group *g, struct cgfs_io_stat **ret_io, size_t *ret_n,
		  struct cgfs_err *reterr)
{
	const struct place *p = &g->c->place[CGFS_IO];
	struct cgfs_dir d = dir_in(g, p->hierarchy);
	struct io_list l = { 0 };
	int r = -ENODEV;

	if (p->version == CGFS_NONE)
		err_why(reterr, r, NULL, NULL, "the io controller is not on this host");
	else
		r = read_all(&d, &l, reterr);
	if (r < 0) {
		free(l.io);
		return cgfs_err_context(reterr, r, "read block devices of \"%.80s\"", g->rel);
	}
	*ret_io = l.io;
	*ret_n = l.n;
	return 0;
}
