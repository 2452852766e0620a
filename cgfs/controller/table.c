/* SPDX-License-Identifier: MIT */
/*
 * table.c - the only list of controllers: their names on either version, and their tables.
 * Also the helpers that several controllers share.
 */
#include "table.h"

static const struct {
	const char *v1, *v2;
	const struct ctl_ops *ops_v1, *ops_v2;
} table[CGFS_CONTROLLER_COUNT] = {
	[CGFS_CPU] = { "cpu", "cpu", &ctl_cpu_v1, &ctl_cpu_v2 },
	[CGFS_CPUACCT] = { "cpuacct", NULL, &ctl_cpuacct_v1, NULL },
	[CGFS_CPUSET] = { "cpuset", "cpuset", &ctl_cpuset_v1, &ctl_cpuset_v2 },
	[CGFS_MEMORY] = { "memory", "memory", &ctl_memory_v1, &ctl_memory_v2 },
	[CGFS_PIDS] = { "pids", "pids", &ctl_pids_v1, &ctl_pids_v2 },
	[CGFS_IO] = { "blkio", "io", &ctl_io_v1, &ctl_io_v2 },
	/* Its v1 files are written by devices_apply(), together with the device policy. */
	[CGFS_DEVICES] = { "devices", NULL, NULL, NULL },
	[CGFS_FREEZER] = { "freezer", NULL, &ctl_freezer_v1, NULL },
	[CGFS_HUGETLB] = { "hugetlb", "hugetlb", &ctl_hugetlb_v1, &ctl_hugetlb_v2 },
	[CGFS_RDMA] = { "rdma", "rdma", &ctl_rdma_v1, &ctl_rdma_v2 },
	[CGFS_MISC] = { "misc", "misc", &ctl_misc_v1, &ctl_misc_v2 },
	[CGFS_NET_CLS] = { "net_cls", NULL, &ctl_net_cls_v1, NULL },
	[CGFS_NET_PRIO] = { "net_prio", NULL, &ctl_net_prio_v1, NULL },
	[CGFS_PERF_EVENT] = { "perf_event", NULL, NULL, NULL },
};

const struct ctl_ops *ctl_ops(enum cgfs_controller ctl, enum cgfs_version_id version)
{
	switch (version) {
	case CGFS_V1:
		return table[ctl].ops_v1;
	case CGFS_V2:
		return table[ctl].ops_v2;
	case CGFS_NONE:
		break;
	}
	return NULL;
}

const char *ctl_name(enum cgfs_controller ctl, enum cgfs_version_id version)
{
	return version == CGFS_V1 ? table[ctl].v1 : table[ctl].v2;
}

uint32_t ctl_listed(char *text)
{
	uint32_t controllers = 0;
	char *save = NULL;

	for (char *word = strtok_r(text, " \n", &save); word; word = strtok_r(NULL, " \n", &save)) {
		for (int ctl = 0; ctl < CGFS_CONTROLLER_COUNT; ctl++) {
			if (table[ctl].v2 && streq(word, table[ctl].v2))
				controllers |= 1u << ctl;
		}
	}
	return controllers;
}

int ctl_of_file(const char *file)
{
	size_t n = strcspn(file, ".");

	for (int ctl = 0; ctl < CGFS_CONTROLLER_COUNT; ctl++) {
		const char *v2 = table[ctl].v2;

		if (v2 && strlen(v2) == n && strncmp(v2, file, n) == 0)
			return ctl;
	}
	return -ENOENT;
}

bool ctl_in_list(uint32_t controllers, const char *names, const char *end)
{
	while (names < end) {
		size_t len = strcspn(names, ",:");

		for (int ctl = 0; ctl < CGFS_CONTROLLER_COUNT; ctl++) {
			const char *v1 = table[ctl].v1;

			if ((controllers & (1u << ctl)) && strlen(v1) == len &&
			    strncmp(names, v1, len) == 0)
				return true;
		}
		names += len + 1;
	}
	return false;
}

int ctl_no_prepare_root(struct cgfs *c, int parent_fd, int dir_fd, bool ours, const char *dir,
			struct cgfs_err *reterr)
{
	(void)c;
	(void)parent_fd;
	(void)dir_fd;
	(void)ours;
	(void)dir;
	(void)reterr;
	return 0;
}

int ctl_no_apply(const struct cgfs_dir *d, const struct cgfs_resources *res,
		 struct cgfs_err *reterr)
{
	(void)d;
	(void)res;
	(void)reterr;
	return 0;
}

int ctl_no_stats(const struct cgfs_dir *d, unsigned int what, struct cgfs_stats *s,
		 struct cgfs_err *reterr)
{
	(void)d;
	(void)what;
	(void)s;
	(void)reterr;
	return 0;
}

/* What a kept read that failed means: no such file (0), or the group is gone. */
static int read_failed(const struct cgfs_dir *d, ssize_t n, const char *file,
		       struct cgfs_err *reterr)
{
	/* EOPNOTSUPP: the file is there, the kernel was told not to account (swap). */
	if (n == -ENOENT || n == -EOPNOTSUPP)
		return 0;
	return dir_error(d, (int)n, "read", file, NULL, reterr);
}

int ctl_stat_file(const struct cgfs_dir *d, enum kept slot, const char *file, enum cgfs_stat stat,
		  struct cgfs_stats *s, struct cgfs_err *reterr)
{
	char buf[64];
	uint64_t value;
	ssize_t n;
	int r;

	n = dir_read_kept(d, slot, file, buf, sizeof(buf));
	if (n < 0)
		return read_failed(d, n, file, reterr);
	r = cgfs_parse_u64(buf, (size_t)n, &value);
	if (r < 0)
		return dir_error(d, r, "parse", file, buf, reterr);
	ctl_stat_set(s, stat, value);
	return 0;
}

int ctl_stat_keyed(const struct cgfs_dir *d, enum kept slot, const char *file,
		   const struct cgfs_key *keys, size_t n_keys, struct cgfs_stats *s,
		   struct cgfs_err *reterr)
{
	struct cgfs_keys known;
	struct cgfs_line line;
	char buf[8192];
	const char *text = buf;
	size_t len;
	ssize_t n;
	int r;

	n = dir_read_kept(d, slot, file, buf, sizeof(buf));
	if (n < 0)
		return read_failed(d, n, file, reterr);
	len = (size_t)n;
	cgfs_keys_init(&known, keys, n_keys);
	/* A line of another form is a kernel's news, not an error. */
	while ((r = cgfs_parse_line(&text, &len, &line)) != 0) {
		int stat = r < 0 ? r : cgfs_keys_find(&known, line.key, line.key_len);

		if (stat >= 0)
			ctl_stat_set(s, (enum cgfs_stat)stat, line.value);
	}
	return 0;
}
