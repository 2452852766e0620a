/* SPDX-License-Identifier: MIT */
/*
 * cpuset_read.c - what a cpuset has, and v1's flags; its limits are cpuset.c's.
 *
 * Kernel: Documentation/admin-guide/cgroup-v1/cpusets.rst; cgroup-v2.rst "Cpuset"
 */
#include "cgfs/base/util.h"
#include "cgfs/controller/cpu/cpuset.h"

#include <cgfs/cpuset.h>
#include <stdlib.h>

/* In the order of the strings of struct cgfs_cpuset. */
static const struct {
	const char *v1, *v2;
	size_t member;
} texts[] = {
	{ "cpuset.cpus", "cpuset.cpus", offsetof(struct cgfs_cpuset, cpus) },
	{ "cpuset.mems", "cpuset.mems", offsetof(struct cgfs_cpuset, mems) },
	{ "cpuset.effective_cpus", "cpuset.cpus.effective",
	  offsetof(struct cgfs_cpuset, effective_cpus) },
	{ "cpuset.effective_mems", "cpuset.mems.effective",
	  offsetof(struct cgfs_cpuset, effective_mems) },
	{ NULL, "cpuset.cpus.partition", offsetof(struct cgfs_cpuset, partition) },
};

static const struct {
	unsigned int bit;
	const char *file;
} flags_v1[] = {
	{ CGFS_CPUSET_CPU_EXCLUSIVE, "cpuset.cpu_exclusive" },
	{ CGFS_CPUSET_MEM_EXCLUSIVE, "cpuset.mem_exclusive" },
	{ CGFS_CPUSET_MEM_HARDWALL, "cpuset.mem_hardwall" },
	{ CGFS_CPUSET_MEMORY_MIGRATE, "cpuset.memory_migrate" },
	{ CGFS_CPUSET_MEMORY_SPREAD_PAGE, "cpuset.memory_spread_page" },
	{ CGFS_CPUSET_MEMORY_SPREAD_SLAB, "cpuset.memory_spread_slab" },
	{ CGFS_CPUSET_SCHED_LOAD_BALANCE, "cpuset.sched_load_balance" },
};

/* The group is there, so -ENOENT is a file that this kernel does not have. */
static ssize_t read_text(const struct cgfs_dir *d, const char *file, char *buf, size_t len,
			 struct cgfs_err *reterr)
{
	ssize_t n = dir_read(d, file, buf, len, reterr);

	if (n == -ENOENT && !dir_alive(d))
		return -ENODEV;
	while (n > 0 && buf[n - 1] == '\n')
		buf[--n] = '\0';
	return n;
}

static int read_flags(const struct cgfs_dir *d, struct cgfs_cpuset *set, struct cgfs_err *reterr)
{
	for (size_t i = 0; i < ARRAY_SIZE(flags_v1); i++) {
		char text[8];
		ssize_t n = read_text(d, flags_v1[i].file, text, sizeof(text), reterr);

		if (n < 0 && n != -ENOENT)
			return (int)n;
		if (n > 0 && text[0] == '1')
			set->flags |= flags_v1[i].bit;
	}
	return 0;
}

static bool differ(const char *asked, const char *effective)
{
	return asked && *asked && effective && !streq(asked, effective);
}

static int read_set(const struct cgfs_dir *d, enum cgfs_version_id version,
		    struct cgfs_cpuset **ret, struct cgfs_err *reterr)
{
	struct cgfs_cpuset *set = calloc(1, sizeof(*set));
	size_t size = sizeof(*set);
	size_t at[ARRAY_SIZE(texts)] = { 0 };
	int r = set ? 0 : dir_error(d, -ENOMEM, "read", NULL, NULL, reterr);

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(texts); i++) {
		const char *file = version == CGFS_V1 ? texts[i].v1 : texts[i].v2;
		struct cgfs_cpuset *grown;
		char text[4096];
		ssize_t n = file ? read_text(d, file, text, sizeof(text), reterr) : -ENOENT;

		if (n == -ENOENT)
			continue;
		grown = n < 0 ? NULL : realloc(set, size + (size_t)n + 1);
		if (!grown) {
			r = n < 0 ? (int)n : dir_error(d, -ENOMEM, "read", file, NULL, reterr);
			break;
		}
		set = grown;
		memcpy((char *)set + size, text, (size_t)n + 1);
		at[i] = size;
		size += (size_t)n + 1;
	}
	if (r == 0)
		set->sz = sizeof(*set);
	if (r == 0 && version == CGFS_V1)
		r = read_flags(d, set, reterr);
	if (r < 0) {
		free(set);
		return r;
	}
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		if (at[i])
			*(const char **)((char *)set + texts[i].member) = (char *)set + at[i];
	}
	/* The kernel prints both in the same way. */
	set->cpus_differ = differ(set->cpus, set->effective_cpus);
	set->mems_differ = differ(set->mems, set->effective_mems);
	*ret = set;
	return 0;
}

bool ctl_cpuset_flags(const struct cgfs *c)
{
	return c->place[CGFS_CPUSET].version == CGFS_V1;
}

static int not_here(const struct cgfs_group *g, struct cgfs_err *reterr)
{
	return g->c->place[CGFS_CPUSET].version == CGFS_NONE
		       ? err_why(reterr, -ENODEV, NULL, NULL,
				 "the cpuset controller is not on this host")
		       : 0;
}

int cgfs_group_cpuset(struct cgfs_group *g, struct cgfs_cpuset **ret_set, struct cgfs_err *reterr)
{
	const struct place *p = &g->c->place[CGFS_CPUSET];
	struct cgfs_dir d = dir_in(g, p->hierarchy);
	int r = not_here(g, reterr);

	if (r == 0)
		r = read_set(&d, p->version, ret_set, reterr);
	return r < 0 ? cgfs_err_context(reterr, r, "read cpuset of \"%.80s\"", g->rel) : 0;
}

static int write_flags(const struct cgfs_dir *d, unsigned int which, unsigned int flags,
		       struct cgfs_err *reterr)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(flags_v1); i++) {
		if (which & flags_v1[i].bit)
			r = dir_write(d, flags_v1[i].file, flags & flags_v1[i].bit ? "1" : "0",
				      reterr);
	}
	return r == -ENOENT ? -ENODEV : r;
}

int cgfs_group_set_cpuset_flags(struct cgfs_group *g, unsigned int which, unsigned int flags,
				struct cgfs_err *reterr)
{
	const struct place *p = &g->c->place[CGFS_CPUSET];
	struct cgfs_dir d = dir_in(g, p->hierarchy);
	int r = not_here(g, reterr);

	if (r == 0 && !ctl_cpuset_flags(g->c))
		r = err_why(reterr, -EOPNOTSUPP, NULL, NULL,
			    "cgroup v2's cpuset controller has no such flags");
	if (r == 0 && ((which >> ARRAY_SIZE(flags_v1)) || (flags & ~which)))
		r = err_why(reterr, -EINVAL, NULL, NULL, "there is no such flag");
	if (r == 0) {
		d.journal = journal_new(&ctl_undo);
		r = d.journal ? write_flags(&d, which, flags, reterr)
			      : err_file(reterr, -ENOMEM, NULL, NULL);
		journal_end(d.journal, r);
	}
	return r < 0 ? cgfs_err_context(reterr, r, "set cpuset flags of \"%.80s\"", g->rel) : 0;
}
