/* SPDX-License-Identifier: MIT */
/*
 * undo.c - what to write so that a control file holds again what it held.  For most files that
 * is the old text.  Not so where one write changes one line of several (devices, resources), or
 * where the kernel shows more than it takes.  Decides the text; must not write it.
 *
 * Kernel: blk-throttle.c, blk-iolatency.c, blk-iocost.c, bfq-cgroup.c for how a line is taken away
 */
#include "cgfs/base/util.h"
#include "cgfs/controller/base/ops.h"

#include <stdio.h>

static const struct {
	const char *file;
	const char *none; /* what takes a line away, behind its key */
} lines[] = {
	{ "blkio.throttle.read_bps_device", "0" },
	{ "blkio.throttle.write_bps_device", "0" },
	{ "blkio.throttle.read_iops_device", "0" },
	{ "blkio.throttle.write_iops_device", "0" },
	{ "blkio.bfq.weight_device", "default" },
	{ "blkio.weight_device", "default" },
	{ "io.max", "rbps=max wbps=max riops=max wiops=max" },
	{ "io.latency", "target=0" },
	{ "io.weight", "default" },
	{ "io.bfq.weight", "default" },
	/* These list every key that there is. */
	{ "misc.max", "max" },
	{ "rdma.max", "hca_handle=max hca_object=max" },
	{ "net_prio.ifpriomap", "0" },
};

/* The line of @text that begins with the @n characters of @key and a blank; NULL: none. */
static const char *line_of(const char *text, const char *key, size_t n)
{
	for (const char *p = text; *p; p += strcspn(p, "\n"), p += *p == '\n') {
		if (strncmp(p, key, n) == 0 && p[n] == ' ')
			return p;
	}
	return NULL;
}

static int text_of(char *buf, size_t len, const char *text, size_t n)
{
	return (size_t)snprintf(buf, len, "%.*s", (int)n, text) < len ? 0 : -EFBIG;
}

static const char *lost_with(const char *file, enum cgfs_version_id version)
{
	/* For both of its values. */
	if (streq(file, "cpu.idle"))
		return version == CGFS_V1 ? "cpu.shares" : "cpu.weight";
	/* Shows the nearest of 40 levels. */
	return streq(file, "cpu.weight.nice") ? "cpu.weight" : NULL;
}

static bool write_only(const char *file)
{
	return streq(file, "memory.reclaim");
}

/* What line @value is about.  The kernel skips blanks before it, and reads 08:00 as 8:0, which is
 * how it lists it. */
struct key {
	const char *at;
	size_t n;
	bool alone;
	char device[24];
};

static void key_of(const char *value, struct key *ret)
{
	unsigned int major, minor;

	value += strspn(value, " ");
	ret->at = value;
	ret->n = strcspn(value, " ");
	ret->alone = !value[ret->n + strspn(value + ret->n, " ")];
	if (sscanf(value, "%u:%u", &major, &minor) == 2) {
		ret->at = ret->device;
		ret->n = (size_t)snprintf(ret->device, sizeof(ret->device), "%u:%u", major, minor);
	}
}

static int undo_text(const char *file, const char *value, const char *old, char *buf, size_t len)
{
	struct key key;

	/* "oom_kill_disable 0", and more lines below that. */
	if (streq(file, "memory.oom_control") && strncmp(old, "oom_kill_disable ", 17) == 0)
		return text_of(buf, len, old + 17, 1);
	/* "root invalid (why)" */
	if (streq(file, "cpuset.cpus.partition"))
		return text_of(buf, len, old, strcspn(old, " \n"));
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		const char *line;

		if (!streq(lines[i].file, file))
			continue;
		key_of(value, &key);
		/* A number alone is the default's, whose line comes first. */
		line = key.alone ? old : line_of(old, key.at, key.n);
		if (line)
			return text_of(buf, len, line, strcspn(line, "\n"));
		return (size_t)snprintf(buf, len, "%.*s %s", (int)key.n, key.at, lines[i].none) <
				       len
			       ? 0
			       : -EFBIG;
	}
	/* Nothing is a word, too: a write of no bytes may not even arrive. */
	return text_of(buf, len, *old ? old : "\n", *old ? strlen(old) : 1);
}

const struct undo_ops ctl_undo = { write_only, lost_with, undo_text };
