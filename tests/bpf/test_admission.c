// SPDX-License-Identifier: MIT
/*
 * test_admission.c - a budget that cannot be given: what of it was done is undone, and the next
 * attempt gets by.  And a pod that goes while programs write of it.  The link (tests/tests.mk) has
 * the calls that are made to fail here, or are waited for.
 */
#include "world.h"

#include <bpf/bpf.h>
#include <cgfs/abi/history.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define PROGRAMS 4 /* that are attached with a budget */

static int attach_fails_at, attach_errno, attach_calls; /* at the n-th call, when n is not 0 */
static int epoll_errno;

int __wrap_bpf_prog_attach(int prog, int target, enum bpf_attach_type type, unsigned int flags);
int __real_bpf_prog_attach(int prog, int target, enum bpf_attach_type type, unsigned int flags);
int __wrap_epoll_ctl(int epfd, int op, int fd, struct epoll_event *event);
int __real_epoll_ctl(int epfd, int op, int fd, struct epoll_event *event);

int __wrap_bpf_prog_attach(int prog, int target, enum bpf_attach_type type, unsigned int flags)
{
	if (++attach_calls == attach_fails_at) {
		errno = attach_errno;
		return -errno;
	}
	return __real_bpf_prog_attach(prog, target, type, flags);
}

int __wrap_epoll_ctl(int epfd, int op, int fd, struct epoll_event *event)
{
	if (epoll_errno && op == EPOLL_CTL_ADD) {
		errno = epoll_errno;
		return -1;
	}
	return __real_epoll_ctl(epfd, op, fd, event);
}

/* Called once, before an element of 8 bytes' key goes for which it has been set. */
static void (*before_delete)(const struct world *w, uint64_t cgroup_id);
static const struct world *deleting;
static uint64_t delete_of;
static unsigned int delete_map; /* its id */

int __wrap_bpf_map_delete_elem(int fd, const void *key);
int __real_bpf_map_delete_elem(int fd, const void *key);

static unsigned int map_id(int fd)
{
	struct bpf_map_info info = { 0 };
	__u32 len = sizeof(info);

	CHECK_INT(bpf_obj_get_info_by_fd(fd, &info, &len), 0);
	return info.id;
}

int __wrap_bpf_map_delete_elem(int fd, const void *key)
{
	void (*fn)(const struct world *w, uint64_t cgroup_id) = before_delete;

	if (fn && map_id(fd) == delete_map && memcmp(key, &delete_of, sizeof(delete_of)) == 0) {
		before_delete = NULL;
		fn(deleting, delete_of);
	}
	return __real_bpf_map_delete_elem(fd, key);
}

static int give(struct world *w, const struct group *g, uint64_t budget)
{
	struct cgfs_policy_admit admit = {
		.sz = sizeof(admit),
		.budget_bytes = budget,
		.lift_bytes = budget == CGFS_MAX ? CGFS_MAX : budget / 2,
	};

	attach_calls = 0;
	return w->policy->ops->admit_memory(w->policy->ctx, &g->g, &admit, &w->err);
}

static unsigned int attached(const struct group *g)
{
	unsigned int ids[64], n = 64, flags = 0;

	CHECK_INT(bpf_prog_query(g->g.cgroup_fd, BPF_LSM_CGROUP, BPF_F_QUERY_EFFECTIVE, &flags, ids,
				 &n),
		  0);
	return n;
}

/* A group that can have a budget; without one as yet. */
static struct group *begin(struct world *w)
{
	struct group *pod;

	attach_fails_at = epoll_errno = 0;
	world_open(w, true);
	pod = world_pod(w, "web");
	world_add(w, pod, NULL);
	if (give(w, pod, 1 << 20) < 0)
		tap_skip("no budgets here: %s", w->err.text);
	CHECK_INT(attached(pod), PROGRAMS);
	CHECK_INT(give(w, pod, CGFS_MAX), 0);
	CHECK_INT(attached(pod), 0);
	return pod;
}

/* EINVAL is the kernel's word for what is attached already, and for a hook it has no room for. */
BPF_TEST(all_programs_or_none)
{
	static const int errnos[] = { E2BIG, EINVAL, ENOMEM };
	struct group *pod = begin(w);

	for (size_t i = 0; i < 3; i++) {
		for (attach_fails_at = 1; attach_fails_at <= PROGRAMS; attach_fails_at++) {
			attach_errno = errnos[i];
			CHECK_INT(give(w, pod, 1 << 20), -errnos[i]);
			CHECK_MSG(strstr(w->err.text, "cgfs_admit_"), "%s", w->err.text);
			CHECK_INT(attached(pod), 0);
			CHECK(!world_counters(w, pod).counts_admit ||
			      world_counters(w, pod).admit_budget == CGFS_MAX);
		}
	}
	attach_fails_at = 0;
	CHECK_INT(give(w, pod, 1 << 20), 0);
	CHECK_INT(attached(pod), PROGRAMS);
}

/* What is in force stays in force when the change of it fails. */
BPF_TEST(budget_stays_when_its_change_fails)
{
	struct group *pod = begin(w);

	CHECK_INT(give(w, pod, 1 << 20), 0);
	attach_errno = ENOMEM;
	attach_fails_at = 2;
	CHECK_INT(give(w, pod, 2 << 20), -ENOMEM);
	CHECK_INT(attached(pod), PROGRAMS);
	CHECK_INT(world_counters(w, pod).admit_budget, 1 << 20);
	attach_fails_at = 0;
	CHECK_INT(give(w, pod, 2 << 20), 0);
	CHECK_INT(attached(pod), PROGRAMS);
	CHECK_INT(world_counters(w, pod).admit_budget, 2 << 20);
}

/* Without those of its ancestors. */
static unsigned int attached_here(const struct group *g)
{
	unsigned int ids[64], flags[64];
	LIBBPF_OPTS(bpf_prog_query_opts, query, .prog_ids = ids, .prog_cnt = 64,
		    .prog_attach_flags = flags);

	CHECK_INT(bpf_prog_query_opts(g->g.cgroup_fd, BPF_LSM_CGROUP, &query), 0);
	return query.prog_cnt;
}

static const char *const pins[] = { "budgets",	      "refusals",   "exempt",
				    "events/refused", "admit_map",  "admit_open",
				    "admit_exec",     "admit_fork", "abi/cgfs_adm" };

static void unpin_all(const struct world *w)
{
	char path[200];

	for (size_t i = 0; i < sizeof(pins) / sizeof(pins[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", w->pin, pins[i]);
		CHECK_MSG(unlink(path) == 0, "%s: %s", path, strerror(errno));
	}
}

/* Pins that are removed while no process uses them leave programs that no process can change: they
 * go when the group is opened.  Those of a process that lives stay. */
BPF_TEST(programs_without_pins_are_detached)
{
	struct cgfs_bpf_opts opts = CGFS_BPF_OPTS_INIT;
	const struct cgfs_policy *policy;
	struct group *pod = begin(w), *ctr = world_container(w, pod, "c1");
	struct cgfs_bpf *other;

	world_add(w, ctr, NULL);
	CHECK_INT(give(w, pod, 1 << 20), 0);
	CHECK_INT(give(w, ctr, 1 << 20), 0);
	opts.pin_dir = w->pin;
	unpin_all(w);
	CHECK_INT(cgfs_bpf_open(&opts, &other, &w->err), 0);
	policy = cgfs_bpf_policy(other);
	CHECK_INT(policy->ops->add(policy->ctx, &pod->g, NULL, 0, &w->err), 0);
	CHECK_INT(attached_here(pod), PROGRAMS);
	cgfs_bpf_close(other);

	world_close(w);
	world_open(w, true);
	world_add(w, pod, NULL);
	CHECK_INT(attached_here(pod), 0);
	CHECK_INT(attached_here(ctr), PROGRAMS);
	/* Loaded anew, which are those that stay. */
	CHECK_INT(give(w, pod, 1 << 20), 0);
	world_add(w, ctr, NULL);
	world_add(w, pod, NULL);
	CHECK_INT(attached_here(pod), PROGRAMS);
	CHECK_INT(attached_here(ctr), 0);
	CHECK_INT(world_counters(w, ctr).counts_admit, 0);
}

/* All pins were removed while no process used them: the policy does not know the group. */
BPF_TEST(budget_of_a_group_that_is_not_known_is_lifted)
{
	struct group *pod = begin(w), *ctr = world_container(w, pod, "c1");
	const struct cgfs_policy *policy;
	struct cgfs_bpf *other;
	struct cgfs_bpf_opts opts = CGFS_BPF_OPTS_INIT;
	struct cgfs_policy_admit none = { .sz = sizeof(none), .budget_bytes = CGFS_MAX };
	char text[300];

	world_add(w, ctr, NULL);
	CHECK_INT(give(w, pod, 1 << 20), 0);
	CHECK_INT(give(w, ctr, 1 << 20), 0);
	/* Not what another process can change, who has it at pins of its own. */
	snprintf(text, sizeof(text), "%s-other", w->pin);
	opts.pin_dir = text;
	CHECK_INT(cgfs_bpf_open(&opts, &other, &w->err), 0);
	policy = cgfs_bpf_policy(other);
	CHECK_INT(policy->ops->admit_memory(policy->ctx, &pod->g, &none, &w->err), -EBUSY);
	CHECK_INT(attached_here(pod), PROGRAMS);
	CHECK_INT(cgfs_bpf_unpin(other, &w->err), 0);
	cgfs_bpf_close(other);

	world_close(w);
	snprintf(text, sizeof(text), "rm -r %s", w->pin);
	CHECK_INT(system(text), 0);
	world_open(w, true);
	CHECK_INT(give(w, pod, 1 << 20), -ENOENT);
	CHECK_INT(attached_here(pod), PROGRAMS);
	CHECK_INT(give(w, pod, CGFS_MAX), 0);
	CHECK_INT(attached_here(pod), 0);
	CHECK_INT(attached_here(ctr), PROGRAMS);
	CHECK_INT(give(w, ctr, CGFS_MAX), 0);
	CHECK_INT(attached_here(ctr), 0);
}

static bool pinned(const struct world *w)
{
	char path[200];

	snprintf(path, sizeof(path), "%s/admit_fork", w->pin);
	return access(path, F_OK) == 0;
}

/* Programs whose events no process gets are not kept: neither where this process has loaded them,
 * nor where it takes over those of another. */
BPF_TEST(no_programs_without_their_events)
{
	struct cgfs_bpf_opts opts = CGFS_BPF_OPTS_INIT;
	struct group *pod = begin(w);
	struct cgfs_bpf *other;
	struct world second = *w;

	/* Anew, with nothing loaded. */
	CHECK_INT(w->policy->ops->remove(w->policy->ctx, &pod->g, &w->err), 0);
	CHECK_INT(cgfs_bpf_unpin(w->bpf, &w->err), 0);
	world_close(w);
	world_open(w, true);
	world_add(w, pod, NULL);
	epoll_errno = ENOSPC;
	CHECK_INT(give(w, pod, 1 << 20), -ENOSPC);
	CHECK_MSG(strstr(w->err.text, "events of cgfs_adm"), "%s", w->err.text);
	CHECK(!pinned(w));
	/* The second attempt finds no half of the first. */
	CHECK_INT(give(w, pod, 1 << 20), -ENOSPC);
	CHECK_INT(attached(pod), 0);

	opts.pin_dir = w->pin;
	CHECK_INT(cgfs_bpf_open(&opts, &other, &w->err), 0);
	second.policy = cgfs_bpf_policy(other);
	CHECK_INT(give(&second, pod, 1 << 20), 0);
	CHECK_INT(give(w, pod, 2 << 20), -ENOSPC);
	CHECK(pinned(w));
	CHECK_INT(give(w, pod, 2 << 20), -ENOSPC);
	epoll_errno = 0;
	CHECK_INT(give(w, pod, 2 << 20), 0);
	CHECK_INT(world_counters(w, pod).admit_budget, 2 << 20);
	cgfs_bpf_close(other);
}

static int pinned_map(const struct world *w, const char *name)
{
	char path[200];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", w->pin, name);
	fd = bpf_obj_get(path);
	CHECK(fd >= 0);
	return fd;
}

/* As a program does that has found the pod just before. */
static void write_record(const struct world *w, uint64_t cgroup_id)
{
	struct cgfs_history_key key = { .pod_cgroup_id = cgroup_id, .kind = CGFS_DENIED };
	struct cgfs_history value = { .count = 1 };
	int fd = pinned_map(w, "history");

	CHECK_INT(bpf_map_update_elem(fd, &key, &value, BPF_ANY), 0);
	close(fd);
}

BPF_TEST(record_of_the_last_moment_goes_with_its_pod)
{
	struct group *pod;
	int fd;

	world_open(w, false);
	pod = world_pod(w, "web");
	world_add(w, pod, "c 1:3 r");
	fd = pinned_map(w, "groups");
	delete_map = map_id(fd);
	close(fd);
	delete_of = pod->g.cgroup_id;
	deleting = w;
	before_delete = write_record;
	CHECK_INT(w->policy->ops->remove(w->policy->ctx, &pod->g, &w->err), 0);
	CHECK(!before_delete);
	CHECK_INT(world_map_count(w, "history"), 0);
}
