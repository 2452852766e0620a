// SPDX-License-Identifier: MIT
/*
 * test_admit.c - a group that has used its budget is refused new memory, goes on with what it has,
 * and is admitted again when it has given enough back.
 */
#include "puppet.h"

#include "cgfs/base/util.h"

#include <cgfs/bpf.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#define BUDGET 16

struct scene {
	struct cgfs *c;
	struct cgfs_group *pod, *ctr;
};

static struct cgfs_resources budget(uint64_t bytes)
{
	struct cgfs_resources res = CGFS_RESOURCES_INIT;

	res.set = CGFS_SET_MEMORY_ADMIT;
	res.memory_admit_bytes = bytes;
	return res;
}

/* Why is there no admission?  Something has to say so. */
static void explain(struct world *w, struct cgfs *c, const struct cgfs_err *why)
{
	const struct cgfs_capability *cap;

	CHECK_MSG(why->code == -EPERM || why->code == -EOPNOTSUPP || why->code == -ENODEV, "%s",
		  why->text);
	CHECK(why->text[0]);
	if (w->policy_missing[0])
		world_skip(w, "no policy: %s", w->policy_missing);
	cap = extra_capability(c, "bpf.admit");
	CHECK_MSG(cap != NULL, "no capability bpf.admit: %s", why->text);
	CHECK_MSG(!cap->ok, "admission is on, but: %s", why->text);
	CHECK(cap->detail[0] && cap->remedy[0]);
	world_skip(w, "no admission: %s", cap->detail);
}

static struct scene begin(struct world *w)
{
	struct cgfs_resources res = budget(1024 * MIB), none = budget(CGFS_MAX);
	struct scene s = { .c = extra_context(w, WORLD_POLICY) };
	struct cgfs_stats stats = CGFS_STATS_INIT;
	struct cgfs_err why = { 0 };

	world_need(w, CGFS_MEMORY);
	s.pod = world_pod(w, s.c, "web", NULL);
	s.ctr = world_container(w, s.pod, s.c, "c1", NULL);
	if (cgfs_group_set(s.ctr, &res, NULL, &why) < 0) {
		OK(cgfs_group_stats(s.ctr, CGFS_READ_POLICY, &stats, &err));
		CHECK(!stats.figure[CGFS_STAT_ADMIT_BUDGET].available);
		explain(w, s.c, &why);
	}
	OK(cgfs_group_set(s.ctr, &none, NULL, &err));
	return s;
}

static void set_budget(struct cgfs_group *g, uint64_t bytes)
{
	struct cgfs_resources res = budget(bytes);
	struct cgfs_applied now = CGFS_APPLIED_INIT;

	OK(cgfs_group_set(g, &res, CGFS_SET_OPTS_APPLIED(&now), &err));
	CHECK(now.set & CGFS_SET_MEMORY_ADMIT);
	CHECK_INT(now.memory_admit_bytes, bytes);
	CHECK_INT(world_stat(g, CGFS_STAT_ADMIT_BUDGET), bytes);
}

static void set_exempt(struct cgfs_group *g, bool exempt)
{
	struct cgfs_resources res = CGFS_RESOURCES_INIT;

	res.set = CGFS_SET_ADMIT_EXEMPT;
	res.admit_exempt = exempt;
	OK(cgfs_group_set(g, &res, NULL, &err));
}

static void refused(const struct puppet *p)
{
	CHECK_INT(puppet(p, PUPPET_MAP), ENOMEM);
	CHECK_INT(puppet(p, PUPPET_BRK), ENOMEM);
	CHECK_INT(puppet(p, PUPPET_GROW), ENOMEM);
	CHECK_INT(puppet(p, PUPPET_EXEC), ENOMEM);
	CHECK_INT(puppet(p, PUPPET_FORK), EAGAIN);
	CHECK_INT(puppet(p, PUPPET_THREAD), EAGAIN);
}

static void admitted(const struct puppet *p)
{
	CHECK_INT(puppet(p, PUPPET_MAP), 0);
	CHECK_INT(puppet(p, PUPPET_BRK), 0);
	CHECK_INT(puppet(p, PUPPET_GROW), 0);
	CHECK_INT(puppet(p, PUPPET_EXEC), ENOEXEC);
	CHECK_INT(puppet(p, PUPPET_FORK), 0);
	CHECK_INT(puppet(p, PUPPET_THREAD), 0);
}

/* So many rounds of refused(), and one more.  Some kernels try twice to grow a mapping. */
static void maps_refused(struct cgfs_group *g, unsigned int rounds)
{
	uint64_t n = world_stat(g, CGFS_STAT_ADMIT_MAPS);

	CHECK_MSG(n >= 3 * rounds + 1 && n <= 4 * rounds + 1, "%llu maps were refused",
		  (unsigned long long)n);
}

static void give(const struct puppet *p, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		CHECK_INT(puppet(p, PUPPET_GIVE), 0);
}

WORLD_TEST(admit_refuses_and_lifts)
{
	struct scene s = begin(w);
	struct puppet p = puppet_in(s.ctr);
	unsigned int had;

	set_budget(s.ctr, BUDGET * MIB);
	admitted(&p);
	CHECK_INT(world_stat(s.ctr, CGFS_STAT_ADMIT_REFUSING), 0);
	had = puppet_fill(&p, 64);
	/* The process itself takes a little, and each processor has a stock of pages. */
	CHECK_MSG(had > BUDGET - 4 && had <= BUDGET, "%u MiB until it was refused", had);
	CHECK_INT(world_stat(s.ctr, CGFS_STAT_ADMIT_MAPS), 1);
	refused(&p);
	CHECK_INT(world_stat(s.ctr, CGFS_STAT_ADMIT_REFUSING), 1);
	maps_refused(s.ctr, 1);
	CHECK_INT(world_stat(s.ctr, CGFS_STAT_ADMIT_EXECS), 1);
	CHECK_INT(world_stat(s.ctr, CGFS_STAT_ADMIT_FORKS), 2);
	/* Giving back is never refused; half is enough. */
	CHECK_INT(puppet(&p, PUPPET_SHRINK), 0);
	give(&p, had / 2);
	CHECK_INT(puppet(&p, PUPPET_MAP), 0);
	CHECK_INT(world_stat(s.ctr, CGFS_STAT_ADMIT_REFUSING), 0);
	CHECK_INT(puppet(&p, PUPPET_FORK), 0);
	CHECK_INT(puppet(&p, PUPPET_EXEC), ENOEXEC);
	CHECK(puppet_fill(&p, 64) > 0);
	refused(&p);
	puppet_end(&p);
	/* It ends, and is gone; the next one finds room. */
	p = puppet_in(s.ctr);
	CHECK(puppet_fill(&p, 4) == 4);
	puppet_end(&p);
}

WORLD_TEST(admit_pods_budget_binds_all_but_the_exempt)
{
	struct scene s = begin(w);
	struct cgfs_group *other = world_container(w, s.pod, s.c, "c2", NULL);
	struct puppet one = puppet_in(s.ctr), two = puppet_in(other);
	unsigned int had;

	set_budget(s.pod, BUDGET * MIB);
	had = puppet_fill(&one, 64);
	CHECK_MSG(had > BUDGET - 4 && had <= BUDGET, "%u MiB until it was refused", had);
	refused(&two);
	set_exempt(other, true);
	CHECK_INT(world_stat(other, CGFS_STAT_ADMIT_EXEMPT), 1);
	CHECK(puppet_fill(&two, 4) == 4);
	CHECK_INT(puppet(&two, PUPPET_FORK), 0);
	CHECK_INT(puppet(&two, PUPPET_EXEC), ENOEXEC);
	CHECK_INT(puppet(&one, PUPPET_FORK), EAGAIN);
	set_exempt(other, false);
	refused(&two);
	/* The refusals are those of the pod's budget. */
	CHECK(world_stat(s.pod, CGFS_STAT_ADMIT_MAPS) >= 7);
	CHECK_INT(world_stat(s.pod, CGFS_STAT_ADMIT_FORKS), 5);
	puppet_end(&two);
	puppet_end(&one);
}

/* One refusal counts once, for the budget that is nearest. */
WORLD_TEST(admit_pod_and_container_have_budgets)
{
	struct scene s = begin(w);
	struct puppet p = puppet_in(s.ctr);

	set_budget(s.pod, BUDGET * MIB);
	set_budget(s.ctr, BUDGET / 2 * MIB);
	CHECK(puppet_fill(&p, 64) <= BUDGET / 2);
	refused(&p);
	maps_refused(s.ctr, 1);
	CHECK_INT(world_stat(s.pod, CGFS_STAT_ADMIT_MAPS), 0);
	set_budget(s.ctr, 2 * BUDGET * MIB);
	CHECK(puppet_fill(&p, 64) > 2);
	CHECK_INT(world_stat(s.pod, CGFS_STAT_ADMIT_MAPS), 1);
	set_budget(s.ctr, 4 * MIB);
	refused(&p);
	CHECK_INT(world_stat(s.pod, CGFS_STAT_ADMIT_MAPS), 1);
	maps_refused(s.ctr, 2);
	puppet_end(&p);
}

WORLD_TEST(admit_changes_on_a_live_group)
{
	struct scene s = begin(w);
	struct puppet p = puppet_in(s.ctr);
	struct cgfs_resources both = budget(8 * MIB);
	static const struct cgfs_device_rule bad = { .type = 'x' };
	unsigned int had, more;

	set_budget(s.ctr, BUDGET * MIB);
	had = puppet_fill(&p, 64);
	refused(&p);
	set_budget(s.ctr, 2 * BUDGET * MIB);
	admitted(&p);
	more = puppet_fill(&p, 64);
	CHECK(more > 8);
	set_budget(s.ctr, CGFS_MAX);
	admitted(&p);
	CHECK(puppet_fill(&p, 24) == 24);
	set_budget(s.ctr, BUDGET * MIB);
	refused(&p);
	give(&p, 24 + more + had);
	admitted(&p);
	/* What is refused as a whole changes no budget. */
	both.set |= CGFS_SET_DEVICES;
	both.devices = &bad;
	both.n_devices = 1;
	REFUSED(cgfs_group_set(s.ctr, &both, NULL, &err), -EINVAL);
	CHECK_INT(world_stat(s.ctr, CGFS_STAT_ADMIT_BUDGET), BUDGET * MIB);
	CHECK_HAS(REFUSED(cgfs_root_set(s.c,
					&(struct cgfs_resources){
						.sz = sizeof(struct cgfs_resources),
						.set = CGFS_SET_MEMORY_ADMIT,
						.memory_admit_bytes = MIB,
					},
					&err),
			  -EINVAL),
		  "a pod has one");
	puppet_end(&p);
}

static struct cgfs_resources limit(uint64_t bytes)
{
	struct cgfs_resources res = budget(CGFS_ADMIT_AUTO);

	res.set = CGFS_SET_MEMORY_MAX;
	res.memory_max_bytes = bytes;
	return res;
}

static void set_limit(struct cgfs_group *g, uint64_t bytes)
{
	struct cgfs_resources res = limit(bytes);

	OK(cgfs_group_set(g, &res, NULL, &err));
}

/* The library's figure and the kernel's own view, which is where it begins to refuse. */
static void budget_is(const struct scene *s, const struct puppet *p, unsigned int mib,
		      unsigned int *had)
{
	CHECK_INT(world_stat(s->ctr, CGFS_STAT_ADMIT_BUDGET), mib * MIB);
	*had += puppet_fill(p, 64);
	CHECK_MSG(*had > mib - 4 && *had <= mib, "%u MiB until it was refused, not %u", *had, mib);
	CHECK_INT(puppet(p, PUPPET_FORK), EAGAIN);
}

WORLD_TEST(admit_auto_follows_the_limit)
{
	struct cgfs_resources automatic = budget(CGFS_ADMIT_AUTO), both = limit(16 * MIB);
	struct scene s = begin(w);
	struct cgfs_applied now = CGFS_APPLIED_INIT;
	struct puppet p = puppet_in(s.ctr);
	unsigned int had = 0;

	CHECK_HAS(REFUSED(cgfs_group_set(s.ctr, &automatic, NULL, &err), -EINVAL), "has no limit");
	both.set |= CGFS_SET_MEMORY_ADMIT;
	OK(cgfs_group_set(s.ctr, &both, CGFS_SET_OPTS_APPLIED(&now), &err));
	CHECK_INT(now.memory_admit_bytes, 15 * MIB);
	budget_is(&s, &p, 15, &had);
	set_limit(s.ctr, 32 * MIB);
	budget_is(&s, &p, 30, &had);
	give(&p, had);
	admitted(&p);
	set_limit(s.ctr, 16 * MIB);
	had = 0;
	budget_is(&s, &p, 15, &had);
	/* Without a limit there is nothing that it could follow. */
	set_limit(s.ctr, CGFS_MAX);
	CHECK_INT(world_stat(s.ctr, CGFS_STAT_ADMIT_BUDGET), CGFS_MAX);
	admitted(&p);
	CHECK_INT(puppet_fill(&p, 24), 24);
	set_limit(s.ctr, 128 * MIB);
	CHECK_INT(world_stat(s.ctr, CGFS_STAT_ADMIT_BUDGET), 120 * MIB);
	/* A number does not follow. */
	set_budget(s.ctr, BUDGET * MIB);
	refused(&p);
	set_limit(s.ctr, 64 * MIB);
	CHECK_INT(world_stat(s.ctr, CGFS_STAT_ADMIT_BUDGET), BUDGET * MIB);
	refused(&p);
	puppet_end(&p);
}

/* The budget is the kernel's: the process that gave it may end. */
WORLD_TEST(admit_outlives_its_process)
{
	struct cgfs_resources res = budget(BUDGET * MIB);
	struct scene s = begin(w);
	struct cgfs_group *again;
	struct puppet p;

	world_destroy(w, s.ctr);
	s.ctr = world_container(w, s.pod, s.c, "c1", &res);
	p = puppet_in(s.ctr);
	CHECK(puppet_fill(&p, 64) <= BUDGET);
	world_restart(w);
	refused(&p);
	s.c = extra_context(w, WORLD_POLICY);
	OK(cgfs_pod_open(s.c, "web", &s.pod, &err));
	world_track(w, s.pod);
	OK(cgfs_container_open(s.c, s.pod, "c1", &again, &err));
	world_track(w, again);
	CHECK_INT(world_stat(again, CGFS_STAT_ADMIT_BUDGET), BUDGET * MIB);
	maps_refused(again, 1);
	set_budget(again, CGFS_MAX);
	admitted(&p);
	set_budget(again, BUDGET * MIB);
	refused(&p);
	puppet_end(&p);
	world_destroy(w, again);
	/* Nothing of it is left for the next one of that name. */
	again = world_container(w, s.pod, s.c, "c1", NULL);
	p = puppet_in(again);
	CHECK(puppet_fill(&p, 32) == 32);
	admitted(&p);
	puppet_end(&p);
}

WORLD_TEST(admit_events)
{
	static const struct {
		enum puppet_op op;
		enum cgfs_refused what;
	} calls[] = {
		{ PUPPET_BRK, CGFS_MAP_REFUSED },
		{ PUPPET_EXEC, CGFS_EXEC_REFUSED },
		{ PUPPET_FORK, CGFS_FORK_REFUSED },
	};
	struct scene s = begin(w);
	struct puppet p = puppet_in(s.ctr);
	struct cgfs_event ev = CGFS_EVENT_INIT;
	uint64_t told = 0, lost = 0;

	set_budget(s.ctr, BUDGET * MIB);
	puppet_fill(&p, 64);
	world_event(w, s.c, CGFS_EVENT_MEMORY_REFUSED, "c1", &ev);
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		puppet(&p, calls[i].op);
		world_event(w, s.c, CGFS_EVENT_MEMORY_REFUSED, "c1", &ev);
		CHECK_STR(cgfs_event_name(ev.type), "memory_refused");
		CHECK_STR(ev.pod, "web");
		CHECK_INT(ev.cgroup_id, cgfs_group_cgroup_id(s.ctr));
		CHECK_INT(ev.refused, calls[i].what);
		CHECK_INT(ev.threshold, BUDGET * MIB);
		CHECK(ev.value >= BUDGET * MIB - BUDGET * MIB / 16 && ev.value < 2 * BUDGET * MIB);
		CHECK_INT(ev.pid, p.pid);
		CHECK(ev.comm[0] && ev.time_ns);
	}
	/* A flood: each is reported, or counted as lost. */
	for (int i = 0; i < 1000; i++)
		puppet(&p, PUPPET_MAP);
	while (told + lost < 1000) {
		int r = cgfs_event_read(s.c, &ev, NULL);

		CHECK(r >= 0);
		if (r == 0)
			world_sleep_ms(10);
		else if (ev.type == CGFS_EVENT_MEMORY_REFUSED)
			told++;
		else if (ev.type == CGFS_EVENT_LOST)
			lost += ev.count;
	}
	CHECK_INT(told + lost, 1000);
	CHECK(lost > 0);
	puppet_end(&p);
}

/* Who starts a process from outside holds admission: it is let in, others are not. */
WORLD_TEST(admit_is_held_for_what_is_started)
{
	struct scene s = begin(w);
	struct puppet old = puppet_in(s.ctr), new;

	CHECK_HAS(REFUSED(cgfs_group_hold_admission(s.ctr, 3600001, false, &err), -EINVAL),
		  "3600000");
	set_budget(s.ctr, BUDGET * MIB);
	puppet_fill(&old, 64);
	OK(cgfs_group_hold_admission(s.ctr, 3600000, false, &err));
	new = puppet_in(s.ctr);
	CHECK_INT(puppet(&new, PUPPET_EXEC), ENOEXEC);
	CHECK_INT(puppet(&new, PUPPET_FORK), 0);
	CHECK(puppet_fill(&new, 2) == 2);
	refused(&old);
	OK(cgfs_group_hold_admission(s.ctr, 0, false, &err));
	refused(&new);
	OK(cgfs_group_hold_admission(s.ctr, 3600000, true, &err));
	CHECK_INT(puppet(&old, PUPPET_FORK), 0);
	OK(cgfs_group_hold_admission(s.ctr, 0, true, &err));
	refused(&old);
	puppet_end(&new);
	puppet_end(&old);
}

#if CGFS_WITH_BPF
static bool can_refuse(struct cgfs *c)
{
	const struct cgfs_capability *cap;
	auto_fd int fd = open("/sys/kernel/security/lsm", O_RDONLY | O_CLOEXEC);
	char modules[512] = "";

	if (fd >= 0 && read(fd, modules, sizeof(modules) - 1) > 0 && !strstr(modules, "bpf"))
		return false;
	cap = extra_capability(c, "bpf.lsm_cgroup");
	return cap && cap->ok;
}

/* Somebody removed all pins while no process used them: the budget, which no process could change,
 * goes when the group is opened. */
WORLD_TEST(admit_of_lost_pins_is_lifted)
{
	struct cgfs_resources none = budget(CGFS_MAX);
	struct scene s = begin(w);
	char command[200];
	struct puppet p;

	if (!w->kind->live)
		world_skip(w, "needs a kernel: its pins are removed");
	p = puppet_in(s.ctr);
	set_budget(s.ctr, BUDGET * MIB);
	puppet_fill(&p, 64);
	world_restart(w);
	snprintf(command, sizeof(command), "rm -r %s", w->pin_dir);
	CHECK_INT(system(command), 0);
	refused(&p);
	s.c = extra_context(w, WORLD_POLICY);
	OK(cgfs_pod_open(s.c, "web", &s.pod, &err));
	world_track(w, s.pod);
	OK(cgfs_container_open(s.c, s.pod, "c1", &s.ctr, &err));
	world_track(w, s.ctr);
	admitted(&p);
	OK(cgfs_group_set(s.ctr, &none, NULL, &err));
	puppet_end(&p);
}

/* The first budget was given by a process that came later than this one. */
WORLD_TEST(admit_of_another_process)
{
	struct cgfs_open_opts opts = CGFS_OPEN_OPTS_INIT;
	struct cgfs_bpf_opts own = CGFS_BPF_OPTS_INIT;
	struct cgfs_group *pod, *ctr;
	struct cgfs_bpf *bpf = NULL;
	struct cgfs *early;
	struct scene s;
	struct puppet p;

	if (!w->kind->live)
		world_skip(w, "needs a kernel: its own policy");
	world_need(w, CGFS_MEMORY);
	w->ops->options(w, WORLD_POLICY, &opts);
	own.pin_dir = w->pin_dir;
	if (opts.policy) {
		OK(cgfs_bpf_open(&own, &bpf, &err));
		opts.policy = cgfs_bpf_policy(bpf);
	}
	opts.root = w->root;
	OK(cgfs_open(&opts, &early, &err));
	if (!can_refuse(early)) {
		cgfs_close(early);
		cgfs_bpf_close(bpf);
		world_skip(w, "no admission");
	}
	s = begin(w);
	p = puppet_in(s.ctr);
	OK(cgfs_pod_open(early, "web", &pod, &err));
	OK(cgfs_container_open(early, pod, "c1", &ctr, &err));
	set_budget(s.ctr, BUDGET * MIB);
	puppet_fill(&p, 64);
	refused(&p);
	OK(cgfs_group_hold_admission(ctr, 3600000, true, &err));
	CHECK_INT(puppet(&p, PUPPET_FORK), 0);
	OK(cgfs_group_hold_admission(ctr, 0, true, &err));
	refused(&p);
	/* Changing the one keeps the other. */
	set_exempt(ctr, true);
	CHECK_INT(world_stat(ctr, CGFS_STAT_ADMIT_BUDGET), BUDGET * MIB);
	CHECK_INT(puppet(&p, PUPPET_FORK), 0);
	set_exempt(ctr, false);
	refused(&p);
	set_budget(ctr, CGFS_MAX);
	admitted(&p);
	puppet_end(&p);
	cgfs_group_close(ctr);
	cgfs_group_close(pod);
	cgfs_close(early);
	cgfs_bpf_close(bpf);
}
#endif
