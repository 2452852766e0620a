/* SPDX-License-Identifier: MIT */
/*
 * object.c - the object cgfs_adm, as bpf/policy sees it: programs on each cgroup that was given a
 * budget.  They are attached to the cgroup itself and go with it; there is no link to pin.
 */
#include "bpf/admit/admit.h"

#include "bpf/admit/cgfs_adm.skel.h"
#include "bpf/group/group.h"
#include <bpf/bpf.h>
#include <cgfs/abi/admit.h>
#include <cgfs/bpf.h>
#include <stdio.h>
#include <time.h>

enum {
	ADMIT_GROUPS,
	ADMIT_COUNTS,
	ADMIT_EXEMPT,
	ADMIT_REFUSED,
	ADMIT_MAP,
	ADMIT_OPEN,
	ADMIT_EXEC,
	ADMIT_FORK,
};

static const int programs[] = { ADMIT_MAP, ADMIT_OPEN, ADMIT_EXEC, ADMIT_FORK };

#define SECURITY_MODULES "/sys/kernel/security/lsm"

/* Is "bpf" among the active security modules?  Without it programs load and attach, and do not
 * run.  Where securityfs is not mounted, it is taken to be. */
static bool security_module(void)
{
	auto_fd int fd = open(SECURITY_MODULES, O_RDONLY | O_CLOEXEC);
	char list[512] = ",";
	ssize_t n = fd < 0 ? -1 : read(fd, list + 1, sizeof(list) - 3);

	list[strcspn(list, "\n")] = '\0';
	return n < 0 || strstr(strcat(list, ","), ",bpf,");
}

static int load(struct object *o, struct cgfs_err *reterr)
{
	int r;

	if (!security_module())
		return err_why(reterr, -EOPNOTSUPP, "load", o->ops->name,
			       "bpf is not in " SECURITY_MODULES
			       "; add it to lsm= on the kernel's command line");
	r = cgfs_bpf_load(o, NULL, reterr);
	if (r == 0)
		snprintf(o->why, sizeof(o->why),
			 "lsm_cgroup/mmap_addr, file_mprotect, "
			 "task_alloc, bprm_creds_for_exec");
	return r;
}

/* @which: a bit for each program, as all below. */
static int detach(const struct object *o, int cgroup_fd, unsigned int which)
{
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(programs); i++)
		if (which & 1u << i &&
		    bpf_prog_detach2(o->fd[programs[i]], cgroup_fd, BPF_LSM_CGROUP) < 0 &&
		    errno != ENOENT)
			r = -errno;
	return r;
}

/* 1: it is attached already.  The kernel says EINVAL then, and where it has no room for another
 * hook; only what is attached can be replaced. */
static int attach_one(int program, int cgroup_fd)
{
	LIBBPF_OPTS(bpf_prog_attach_opts, again, .flags = BPF_F_ALLOW_MULTI | BPF_F_REPLACE,
		    .replace_prog_fd = program);
	int r;

	if (bpf_prog_attach(program, cgroup_fd, BPF_LSM_CGROUP, BPF_F_ALLOW_MULTI) == 0)
		return 0;
	r = -errno;
	if (r == -EINVAL && bpf_prog_attach_opts(program, cgroup_fd, BPF_LSM_CGROUP, &again) == 0)
		return 1;
	return r;
}

/* All of them, or none that was not there before. */
static int attach(const struct object *o, const struct cgfs_policy_group *group,
		  unsigned int *ret_new, struct cgfs_err *reterr)
{
	*ret_new = 0;
	for (size_t i = 0; i < ARRAY_SIZE(programs); i++) {
		int r = attach_one(o->fd[programs[i]], group->cgroup_fd);

		if (r < 0) {
			ignore(detach(o, group->cgroup_fd, *ret_new));
			return cgfs_err_set(
				reterr, r, "attach", o->ops->pins[programs[i]].symbol, label(group),
				r == -E2BIG || r == -EINVAL ? "the programs of others take all "
							      "that the kernel has room for"
							    : NULL);
		}
		*ret_new |= r == 0 ? 1u << i : 0;
	}
	return 0;
}

static bool is_own(const struct object *o, uint32_t id)
{
	for (size_t i = 0; i < ARRAY_SIZE(programs); i++) {
		struct bpf_prog_info info = { 0 };
		uint32_t len = sizeof(info);

		if (o->fd[programs[i]] >= 0 &&
		    bpf_obj_get_info_by_fd(o->fd[programs[i]], &info, &len) == 0 && info.id == id)
			return true;
	}
	return false;
}

/* One of ours by its name: the kernel has it, cut or not, as the symbol is. */
static bool is_admission(const struct object *o, int program)
{
	struct bpf_prog_info info = { 0 };
	uint32_t len = sizeof(info);

	if (program < 0 || bpf_obj_get_info_by_fd(program, &info, &len) < 0)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(programs); i++)
		if (strncmp(info.name, o->ops->pins[programs[i]].symbol, sizeof(info.name) - 1) ==
		    0)
			return true;
	return false;
}

int cgfs_bpf_admit_clear(const struct object *o, const struct cgfs_policy_group *group,
			 struct cgfs_err *reterr)
{
	uint32_t ids[64], flags[64];
	LIBBPF_OPTS(bpf_prog_query_opts, query, .prog_ids = ids, .prog_cnt = ARRAY_SIZE(ids),
		    .prog_attach_flags = flags);

	/* Kernels without lsm_cgroup refuse the question. */
	if (bpf_prog_query_opts(group->cgroup_fd, BPF_LSM_CGROUP, &query) < 0)
		return 0;
	for (uint32_t i = 0; i < query.prog_cnt && i < ARRAY_SIZE(ids); i++) {
		auto_fd int fd = is_own(o, ids[i]) ? -EBADF : bpf_prog_get_fd_by_id(ids[i]);

		if (is_admission(o, fd) &&
		    bpf_prog_detach2(fd, group->cgroup_fd, BPF_LSM_CGROUP) < 0 && errno != ENOENT)
			return err_why(reterr, -errno, "detach a memory budget from", label(group),
				       "its pins were removed while no process used them");
	}
	return 0;
}

static bool read_group(const struct object *o, uint64_t cgroup_id, struct cgfs_admit *ret)
{
	return bpf_map_lookup_elem(o->fd[ADMIT_GROUPS], &cgroup_id, ret) == 0 && ret->cgroup_id;
}

/* What is known of the group beside its budget; it stays as it is. */
static int know(const struct object *o, const struct cgfs_policy_group *group)
{
	struct cgfs_group_key key = { .cgroup_id = group->cgroup_id };
	struct cgfs_refusals none = { .memory_id = group->memory_id };
	int r = cgfs_bpf_object_put(o, ADMIT_COUNTS, &key, &none, BPF_NOEXIST);

	return r == -EEXIST ? 0 : r;
}

/* A new element does not refuse; what comes next judges by it.  Until the element is there the
 * programs admit everything, for no memory cgroup has the number 0. */
static int set_budget(struct object *o, const struct cgfs_policy_group *group,
		      const struct cgfs_policy_admit *admit, struct cgfs_err *reterr)
{
	struct cgfs_admit a = {
		.cgroup_id = group->cgroup_id,
		.pod_cgroup_id = group->pod_cgroup_id,
		.memory_id = group->memory_id,
		.page_bytes = (uint64_t)sysconf(_SC_PAGESIZE),
		.budget_bytes = admit->budget_bytes,
		.lift_bytes = admit->lift_bytes,
		.follows = admit->follows,
	};
	bool limited = admit->follows || admit->budget_bytes != CGFS_MAX;
	struct cgfs_admit was;
	unsigned int new = 0;
	int r = 0;

	if (!limited && !read_group(o, group->cgroup_id, &was))
		return 0;
	if (limited)
		r = attach(o, group, &new, reterr);
	if (r < 0)
		return r;
	r = cgfs_bpf_object_put(o, ADMIT_GROUPS, &a.cgroup_id, &a, BPF_ANY);
	if (r == 0 && !limited)
		r = detach(o, group->cgroup_fd, ~0u);
	if (r < 0)
		ignore(detach(o, group->cgroup_fd, new));
	return r < 0 ? cgfs_bpf_object_refuse(o, r, "give a budget by", reterr) : 0;
}

int cgfs_bpf_admit_set(struct object *o, const struct cgfs_policy_group *group,
		       const struct cgfs_policy_admit *admit, struct cgfs_err *reterr)
{
	struct cgfs_exempt_key key = { .memory_id = group->memory_id };
	struct cgfs_exempt value = { .cgroup_id = group->cgroup_id };
	int r = know(o, group);

	if (r == 0)
		r = admit->exempt ? cgfs_bpf_object_put(o, ADMIT_EXEMPT, &key, &value, BPF_ANY)
				  : cgfs_bpf_object_delete(o, ADMIT_EXEMPT, &key);
	return r < 0 ? cgfs_bpf_object_refuse(o, r, "give a budget by", reterr)
		     : set_budget(o, group, admit, reterr);
}

/* How far back one reaches to those before it: longer than any start of a process takes. */
#define HOLD_REACH_NS (120ull * 1000000000)

/* Two that overlap are one, from the first on.  But where one follows the other without end, as
 * probes of a container's health do, a process is not let in for as long as it lives. */
int cgfs_bpf_admit_hold(struct object *o, const struct cgfs_policy_group *group, uint64_t ms,
			bool all, struct cgfs_err *reterr)
{
	struct cgfs_exempt_key key = { .memory_id = group->memory_id };
	struct cgfs_exempt value = { .cgroup_id = group->cgroup_id }, was;
	struct timespec t;
	uint64_t now;
	int r;

	clock_gettime(CLOCK_BOOTTIME, &t);
	now = (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
	value.since_ns = all ? 0 : now;
	value.until_ns = now + ms * 1000000;
	if (bpf_map_lookup_elem(o->fd[ADMIT_EXEMPT], &key, &was) == 0) {
		if (!was.until_ns)
			return 0;
		if (was.until_ns > now && was.since_ns < value.since_ns)
			value.since_ns = was.since_ns + HOLD_REACH_NS > now ? was.since_ns
									    : now - HOLD_REACH_NS;
	}
	r = know(o, group);
	if (r == 0)
		r = cgfs_bpf_object_put(o, ADMIT_EXEMPT, &key, &value, BPF_ANY);
	return r < 0 ? cgfs_bpf_object_refuse(o, r, "hold admission by", reterr) : 0;
}

/* The programs go with the cgroup.  Where that stays, they find a budget that nothing exceeds. */
static int group_removed(struct object *o, uint64_t cgroup_id, const struct cgfs_group *there,
			 struct cgfs_err *reterr)
{
	struct cgfs_group_key key = { .cgroup_id = cgroup_id };
	struct cgfs_refusals known;
	struct cgfs_admit a;
	int r = 0;

	if (read_group(o, cgroup_id, &a)) {
		a.budget_bytes = CGFS_MAX;
		a.refusing = a.follows = 0;
		ignore(cgfs_bpf_object_put(o, ADMIT_GROUPS, &cgroup_id, &a, BPF_ANY));
	}
	if (bpf_map_lookup_elem(o->fd[ADMIT_COUNTS], &key, &known) < 0)
		return 0;
	/* It is found by the element that goes last. */
	r = cgfs_bpf_object_delete(o, ADMIT_EXEMPT, &(struct cgfs_exempt_key){ known.memory_id });
	if (r == 0)
		r = cgfs_bpf_object_delete(o, ADMIT_COUNTS, &key);
	return r < 0 ? cgfs_bpf_object_refuse(o, r, "remove a group from", reterr) : 0;
}

static int counters(struct object *o, uint64_t cgroup_id, const struct cgfs_group *there,
		    struct cgfs_policy_counters *c)
{
	struct cgfs_group_key key = { .cgroup_id = cgroup_id };
	struct cgfs_exempt_key id;
	struct cgfs_exempt exempt;
	struct cgfs_refusals n;
	struct cgfs_admit a;

	c->admit_budget = CGFS_MAX;
	if (bpf_map_lookup_elem(o->fd[ADMIT_COUNTS], &key, &n) < 0)
		return errno == ENOENT ? 0 : -errno;
	id.memory_id = n.memory_id;
	c->admit_exempt =
		bpf_map_lookup_elem(o->fd[ADMIT_EXEMPT], &id, &exempt) == 0 && !exempt.until_ns;
	c->counts_admit = read_group(o, cgroup_id, &a);
	if (!c->counts_admit)
		return 0;
	c->admit_budget = a.budget_bytes;
	c->admit_refusing = a.refusing;
	c->admit_follows = a.follows;
	c->admit_maps = n.maps;
	c->admit_execs = n.execs;
	c->admit_forks = n.forks;
	return 0;
}

static bool record(struct object *o, const void *data, size_t len, struct cgfs_event *e)
{
	const struct cgfs_refusal *n = data;

	if (len < sizeof(*n) || n->type != CGFS_RECORD_REFUSAL)
		return false;
	e->type = CGFS_EVENT_MEMORY_REFUSED;
	e->time_ns = n->time_ns;
	e->cgroup_id = n->cgroup_id;
	e->pid = (pid_t)n->pid;
	e->threshold = n->budget_bytes;
	e->value = n->usage_bytes;
	e->refused = n->call == CGFS_REFUSED_EXEC   ? CGFS_EXEC_REFUSED
		     : n->call == CGFS_REFUSED_FORK ? CGFS_FORK_REFUSED
						    : CGFS_MAP_REFUSED;
	memcpy(e->comm, n->comm, sizeof(e->comm));
	return true;
}

/* Not pinned, and not tried: no caller has asked for it. */
static void probe(struct object *o, int scratch, struct cgfs_capabilities *caps)
{
	if (!o->on && !o->asked && !cgfs_bpf_object_pinned(o))
		return;
	cgfs_capability_add(caps, "bpf.admit", o->on, o->why,
			    o->on ? ""
				  : "use Linux 6.0 or newer with bpf in lsm= (see "
				    "bpf.lsm_cgroup); without it no group has a budget");
}

/* The first budget loads it. */
static bool wanted(const struct cgfs_bpf_opts *opts)
{
	return false;
}

const struct object_ops cgfs_bpf_admit_object = {
	.name = "cgfs_adm",
	.needs = "BTF, CONFIG_BPF_LSM and lsm_cgroup",
	.abi = CGFS_ADMIT_ABI,
	.wanted = wanted,
	.reports = CGFS_EVENT_MEMORY_REFUSED,
	.size = sizeof(struct object),
	.elf = cgfs_adm__elf_bytes,
	.pins = {
		[ADMIT_GROUPS] = { .pin = "budgets",
				   .symbol = "cgfs_admit",
				   .map = BPF_MAP_TYPE_CGROUP_STORAGE,
				   .key_size = sizeof(uint64_t),
				   .value_size = sizeof(struct cgfs_admit) },
		[ADMIT_COUNTS] = { .pin = "refusals",
				   .symbol = "cgfs_refusals",
				   .map = BPF_MAP_TYPE_HASH,
				   .key_size = sizeof(struct cgfs_group_key),
				   .value_size = sizeof(struct cgfs_refusals) },
		[ADMIT_EXEMPT] = { .pin = "exempt",
				   .symbol = "cgfs_exempt",
				   .map = BPF_MAP_TYPE_HASH,
				   .key_size = sizeof(struct cgfs_exempt_key),
				   .value_size = sizeof(struct cgfs_exempt) },
		[ADMIT_REFUSED] = { .pin = "events/refused", .symbol = "cgfs_refused",
				    .map = BPF_MAP_TYPE_RINGBUF },
		[ADMIT_MAP] = { .pin = "admit_map", .symbol = "cgfs_admit_map" },
		[ADMIT_OPEN] = { .pin = "admit_open", .symbol = "cgfs_admit_open" },
		[ADMIT_EXEC] = { .pin = "admit_exec", .symbol = "cgfs_admit_exec" },
		[ADMIT_FORK] = { .pin = "admit_fork", .symbol = "cgfs_admit_fork" },
	},
	.load = load,
	.group_removed = group_removed,
	.counters = counters,
	.record = record,
	.probe = probe,
};
