/* SPDX-License-Identifier: MIT */
/*
 * names.c - the only list of the names of controllers, on either version, and the words of the
 * public interface.  Must not know what a controller does.
 */
#include "cgfs/tree/names.h"

#include "cgfs/base/util.h"

static const struct {
	const char *v1, *v2;
} table[CGFS_CONTROLLER_COUNT] = {
	[CGFS_CPU] = { "cpu", "cpu" },
	[CGFS_CPUACCT] = { "cpuacct", NULL },
	[CGFS_CPUSET] = { "cpuset", "cpuset" },
	[CGFS_MEMORY] = { "memory", "memory" },
	[CGFS_PIDS] = { "pids", "pids" },
	[CGFS_IO] = { "blkio", "io" },
	[CGFS_DEVICES] = { "devices", NULL },
	[CGFS_FREEZER] = { "freezer", NULL },
	[CGFS_HUGETLB] = { "hugetlb", "hugetlb" },
	[CGFS_RDMA] = { "rdma", "rdma" },
	[CGFS_MISC] = { "misc", "misc" },
	[CGFS_NET_CLS] = { "net_cls", NULL },
	[CGFS_NET_PRIO] = { "net_prio", NULL },
	[CGFS_PERF_EVENT] = { "perf_event", NULL },
};

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

const char *cgfs_controller_name(enum cgfs_controller ctl)
{
	if ((unsigned int)ctl >= CGFS_CONTROLLER_COUNT)
		return "unknown";
	return table[ctl].v2 ? table[ctl].v2 : table[ctl].v1;
}

int cgfs_controller_from_name(const char *name)
{
	for (int ctl = 0; ctl < CGFS_CONTROLLER_COUNT; ctl++) {
		if (streq(name, table[ctl].v1) || streq(name, cgfs_controller_name(ctl)))
			return ctl;
	}
	return -ENOENT;
}

const char *cgfs_layout_name(enum cgfs_layout layout)
{
	static const char *const names[] = { "none", "v1", "hybrid", "mixed", "v2" };

	return (unsigned int)layout < ARRAY_SIZE(names) ? names[layout] : "unknown";
}
