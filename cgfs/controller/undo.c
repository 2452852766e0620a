/* SPDX-License-Identifier: MIT */
/*
 * undo.c - what to write so that a control file holds again what it held.  For most files that
 * is the old text.  Not so where one write changes one line of several (devices, resources), or
 * where the kernel shows more than it takes.  Decides the text; must not write it.
 *
 * Kernel: blk-throttle.c, blk-iolatency.c, blk-iocost.c, bfq-cgroup.c for how a line is taken away
 */
#include "table.h"

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

bool ctl_write_only(const char *file)
{
	return streq(file, "memory.reclaim");
}

int ctl_undo(const char *file, const char *value, const char *old, char *buf, size_t len)
{
	size_t key = strcspn(value, " ");

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
		/* A number alone is the default's, whose line comes first. */
		line = value[key] ? line_of(old, value, key) : old;
		if (line)
			return text_of(buf, len, line, strcspn(line, "\n"));
		return (size_t)snprintf(buf, len, "%.*s %s", (int)key, value, lines[i].none) < len
			       ? 0
			       : -EFBIG;
	}
	/* Nothing is a word, too: a write of no bytes may not even arrive. */
	return text_of(buf, len, *old ? old : "\n", *old ? strlen(old) : 1);
}
