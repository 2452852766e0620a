/* SPDX-License-Identifier: MIT */
/*
 * fuzz_figures.c - everything that reads figures of a group, with control files of any content:
 * what comes out is one truth in each form, JSON is JSON, and nothing stays open.
 *
 * The first byte chooses the layout; the rest is the text of each control file.
 */
#include "cgfs/base/util.h"
#include "tests/fake/fake.h"

#include <inttypes.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const enum cgfs_layout layouts[] = { CGFS_LAYOUT_V1, CGFS_LAYOUT_HYBRID, CGFS_LAYOUT_MIXED,
					    CGFS_LAYOUT_V2 };

static struct host {
	struct fake *f;
	struct cgfs *c;
	struct cgfs_group *pod, *ctr;
	struct cgfs_fs_ops ops;
	struct cgfs_fs door;
} hosts[ARRAY_SIZE(layouts)];

static const uint8_t *lies; /* NULL: the truth */
static size_t n_lies;

static ssize_t lying_pread(void *ctx, int fd, void *buf, size_t len, off_t offset)
{
	const struct cgfs_fs *real = fake_fs(ctx);
	size_t at = (size_t)offset < n_lies ? (size_t)offset : n_lies;

	if (!lies)
		return real->ops->pread(real->ctx, fd, buf, len, offset);
	if (len > n_lies - at)
		len = n_lies - at;
	memcpy(buf, lies + at, len);
	return (ssize_t)len;
}

/* Only a process that a file names is signalled. */
static int lying_kill(void *ctx, pid_t pid, int sig)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", pid);
	if (pid <= 0 || sig != SIGKILL || !lies || !memmem(lies, n_lies, text, strlen(text)))
		abort();
	return 0;
}

static void open_host(struct host *h, enum cgfs_layout layout)
{
	struct cgfs_open_opts opts = CGFS_OPEN_OPTS_INIT;

	h->f = fake_new(layout, FAKE_KERNEL_7_2);
	fake_add_hardware(h->f);
	h->ops = *fake_fs(h->f)->ops;
	h->ops.pread = lying_pread;
	h->ops.kill = lying_kill;
	h->door = (struct cgfs_fs){ sizeof(h->door), &h->ops, fake_fs(h->f)->ctx };
	opts.fs = &h->door;
	opts.mounts = fake_mounts(h->f);
	if (cgfs_open(&opts, &h->c, NULL) < 0 ||
	    cgfs_pod_create(h->c, "p", NULL, &h->pod, NULL) < 0 ||
	    cgfs_container_create(h->c, h->pod, "c", NULL, &h->ctr, NULL) < 0)
		abort();
}

static void check_json(const char *text)
{
	/* Counters have 64 bits, the parser's integers 63. */
	json_t *j = json_loads(text, JSON_DECODE_INT_AS_REAL, NULL);

	if (!json_is_object(j))
		abort();
	json_decref(j);
}

static void figures(struct cgfs_group *g)
{
	struct cgfs_io_stat *io = NULL;
	struct cgfs_stats s = CGFS_STATS_INIT, again = CGFS_STATS_INIT;
	auto_free char *text = NULL, *all = NULL;
	uint64_t read_bytes = 0, write_ops = 0;
	size_t n = 0;

	if (cgfs_group_stats(g, CGFS_READ_ALL, &s, NULL) == 0) {
		if (cgfs_stats_json(&s, &text) < 0 ||
		    cgfs_group_stats(g, CGFS_READ_ALL, &again, NULL) < 0)
			abort();
		check_json(text);
	}
	if (cgfs_group_io(g, &io, &n, NULL) == 0 &&
	    cgfs_group_stats(g, CGFS_READ_IO, &s, NULL) == 0) {
		for (size_t i = 0; i < n; i++) {
			read_bytes += io[i].read_bytes;
			write_ops += io[i].write_ops;
			for (size_t k = 0; k < i; k++)
				if (io[k].major == io[i].major && io[k].minor == io[i].minor)
					abort();
		}
		if (s.figure[CGFS_STAT_IO_READ].value != read_bytes ||
		    s.figure[CGFS_STAT_IO_WRITE_OPS].value != write_ops)
			abort();
	}
	free(io);
	if (cgfs_group_json(g, CGFS_READ_ALL, &all, NULL) == 0)
		check_json(all);
}

static int native(void *arg, const char *file, const char *key, uint64_t value)
{
	const char *at = (const char *)lies;
	char number[24] = "max";
	size_t left = n_lies, len = strlen(key);

	if (!*file || !*key)
		abort();
	if (value != CGFS_MAX)
		snprintf(number, sizeof(number), "%" PRIu64, value);
	/* The line is there. */
	while (left && (at = memmem(at, left, key, len))) {
		const char *v = at + len + 1;

		left = n_lies - (size_t)(at - (const char *)lies);
		if (left > len + 1 && at[len] == ' ') {
			while (v + 1 < (const char *)lies + n_lies && *v == '0' && v[1] >= '0' &&
			       v[1] <= '9')
				v++;
			if ((size_t)((const char *)lies + n_lies - v) >= strlen(number) &&
			    memcmp(v, number, strlen(number)) == 0)
				return 0;
			if (value == CGFS_MAX)
				return 0; /* or 2^64 - 1, as a number */
		}
		at++;
		left--;
	}
	abort();
}

static void lists(struct cgfs_group *g)
{
	struct cgfs_hugetlb_stat *huge = NULL;
	struct cgfs_rdma_stat *rdma = NULL;
	struct cgfs_misc_stat *misc = NULL;
	struct cgfs_net_prio *prio = NULL;
	struct cgfs_io_device *dev = NULL;
	struct cgfs_cpuset *set = NULL;
	pid_t *pids = NULL;
	size_t n = 0;

	if (cgfs_group_rdma(g, &rdma, &n, NULL) == 0)
		for (size_t i = 0; i < n; i++)
			for (size_t k = 0; k < i; k++)
				if (streq(rdma[i].device, rdma[k].device))
					abort();
	if (cgfs_group_misc(g, &misc, &n, NULL) == 0)
		for (size_t i = 0; i < n; i++)
			for (size_t k = 0; k < i; k++)
				if (streq(misc[i].name, misc[k].name))
					abort();
	if (cgfs_group_io_limits(g, &dev, &n, NULL) == 0)
		for (size_t i = 0; i < n; i++)
			if (!dev[i].set)
				abort();
	if (cgfs_group_net_prio(g, &prio, &n, NULL) == 0)
		for (size_t i = 0; i < n; i++)
			for (size_t k = 0; k < i; k++)
				if (streq(prio[i].interface, prio[k].interface))
					abort();
	if (cgfs_group_hugetlb(g, &huge, &n, NULL) == 0 && n && !huge)
		abort();
	if (cgfs_group_cpuset(g, &set, NULL) == 0 &&
	    strlen(set->cpus) + strlen(set->effective_mems) > 2 * n_lies)
		abort();
	n = 0;
	if (cgfs_group_pids(g, &pids, &n, NULL) == 0)
		for (size_t i = 0; i < n; i++)
			if (pids[i] < 0)
				abort();
	if (!memchr(lies, '\0', n_lies))
		(void)!cgfs_group_native(g, CGFS_READ_ALL, native, NULL, NULL);
	free(prio);
	free(dev);
	free(huge);
	free(rdma);
	free(misc);
	free(set);
	free(pids);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cgfs_applied limits = CGFS_APPLIED_INIT;
	struct host *h;
	size_t open;
	int r;

	if (!size)
		return 0;
	h = &hosts[data[0] % ARRAY_SIZE(layouts)];
	if (!h->f) {
		open_host(h, layouts[data[0] % ARRAY_SIZE(layouts)]);
		/* What stays open is opened now. */
		figures(h->ctr);
		lies = (const uint8_t *)"";
		n_lies = 0;
		lists(h->ctr);
		(void)!cgfs_group_kill(h->ctr, NULL);
	}
	lies = data + 1;
	n_lies = size - 1;
	open = fake_open_files(h->f);
	figures(h->ctr);
	lists(h->ctr);
	(void)!cgfs_group_kill(h->ctr, NULL);
	r = cgfs_group_limits(h->ctr, &limits, NULL);
	if (r != cgfs_group_limits(h->ctr, &limits, NULL))
		abort();
	lies = NULL;
	if (fake_open_files(h->f) != open || fake_bad_closes(h->f))
		abort();
	return 0;
}
