/* SPDX-License-Identifier: MIT */
/*
 * test_replace.c - replacing a list while processes use it: no request sees a part of a list,
 * and nothing piles up.
 */
#include "world.h"

#include <bpf/bpf.h>
#include <cgfs/abi/kill.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* What a process that opens all the time has seen. */
struct seen {
	volatile int stop;
	volatile unsigned long opens;
	volatile unsigned long wrong_denied;  /* EPERM where every list allows */
	volatile unsigned long wrong_allowed; /* success where every list denies */
};

struct hammer {
	struct seen *seen;
	char always[128]; /* allowed by every list */
	char never[128];  /* denied by every list */
};

static int hammer(void *arg)
{
	struct hammer *h = arg;
	int fd;

	while (!h->seen->stop) {
		fd = open(h->always, O_RDWR | O_CLOEXEC);
		if (fd < 0)
			h->seen->wrong_denied++;
		else
			close(fd);
		fd = open(h->never, O_RDWR | O_CLOEXEC);
		if (fd >= 0) {
			h->seen->wrong_allowed++;
			close(fd);
		}
		h->seen->opens++;
	}
	return 0;
}

/* Programs of the whole system that use the pinned map. */
static unsigned int programs_using(struct world *w, const char *pin)
{
	struct bpf_map_info map = { 0 };
	unsigned int id = 0, n = 0;
	__u32 len = sizeof(map);
	char path[200];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", w->pin, pin);
	fd = bpf_obj_get(path);
	CHECK_INT(bpf_obj_get_info_by_fd(fd, &map, &len), 0);
	close(fd);
	while (bpf_prog_get_next_id(id, &id) == 0) {
		__u32 maps[64] = { 0 };
		struct bpf_prog_info info = {
			.nr_map_ids = 64,
			.map_ids = (__u64)(uintptr_t)maps,
		};

		fd = bpf_prog_get_fd_by_id(id);
		len = sizeof(info);
		if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &len) < 0)
			info.nr_map_ids = 0;
		for (size_t i = 0; i < info.nr_map_ids && i < 64; i++)
			n += maps[i] == map.id;
		close(fd);
	}
	return n;
}

/* systemd#17489: a device policy that is replaced by way of nothing. */
BPF_TEST(replacing_is_never_seen_half_done)
{
	/* Each allows 1:3 and denies 1:5, in different ways: exact, by pattern, by exception. */
	static const char *const lists[] = {
		"c 1:3 rw",
		"a; deny c 1:5 rw",
		"c 1:* rwm; deny c *:5 rwm; c 10:200 rw",
		"deny c 1:5 rw; c *:3 rw; b *:* rwm",
	};
	struct hammer h = { 0 };
	struct group *pod, *ctr;
	pid_t pid[2];

	world_open(w, false);
	pod = world_pod(w, "web");
	ctr = world_container(w, pod, "c1");
	world_add(w, pod, lists[0]);
	world_add(w, ctr, lists[1]);
	world_node(w, 'c', 1, 3, h.always, sizeof(h.always));
	world_node(w, 'c', 1, 5, h.never, sizeof(h.never));
	h.seen = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(h.seen != MAP_FAILED);
	pid[0] = kit_spawn(ctr->path, hammer, &h);
	pid[1] = kit_spawn(pod->path, hammer, &h);

	/* Until both, the lists and the opens, were many. */
	for (unsigned int i = 0; i < 4000 || h.seen->opens < 20000; i++) {
		world_set(w, pod, lists[i % 4]);
		world_set(w, ctr, lists[(i / 4) % 4]);
	}
	h.seen->stop = 1;
	for (int i = 0; i < 2; i++) {
		int status;

		CHECK_INT(waitpid(pid[i], &status, 0), pid[i]);
		CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	}
	CHECK_INT(h.seen->wrong_allowed, 0);
	CHECK_INT(h.seen->wrong_denied, 0);
	munmap(h.seen, 4096);
}

BPF_TEST(ten_thousand_updates_leave_nothing)
{
	struct group *pod;
	unsigned int most = 0;
	size_t n;

	world_open(w, false);
	CHECK_INT(programs_using(w, "rules"), 1);
	pod = world_pod(w, "web");
	world_add(w, pod, "c 1:3 rw");
	for (int i = 0; i < 10000; i++) {
		world_set(w, pod,
			  i % 2 ? "c 1:3 rw; c 1:5 rw; c 1:7 r; c 1:8 r; c 1:9 r"
				: "c 1:3 rw; c 1:5 rw; c 5:* rw; c 136:* rw; b *:* m");
		if (i % 500 == 0) {
			n = world_map_count(w, "rules");
			if (n > most)
				most = n;
		}
	}
	/* Old lists wait a moment for their readers; they do not pile up. */
	CHECK(most < 12000);
	CHECK_INT(programs_using(w, "rules"), 1);
	world_close(w);
	world_open(w, false);
	CHECK_INT(world_map_count(w, "rules"), 5);
	CHECK_INT(world_map_count(w, "groups"), 1);
	CHECK(world_can_open(w, pod->path, 'c', 1, 7, O_RDONLY));
	CHECK(!world_can_open(w, pod->path, 'c', 136, 7, O_RDONLY));
}

static int update_for_ever(void *arg)
{
	struct world *w = arg;
	struct cgfs_bpf_opts opts = CGFS_BPF_OPTS_INIT;
	struct cgfs_device_rule rules[64];
	struct cgfs_bpf *bpf;
	const struct cgfs_policy *p;
	size_t n = world_rules("c 1:3 rw; c 1:5 rw; c 5:* rw; c 136:* rw; b *:* m", rules, 64);

	opts.pin_dir = w->pin;
	if (cgfs_bpf_open(&opts, &bpf, NULL) < 0)
		return 1;
	p = cgfs_bpf_policy(bpf);
	for (;;)
		if (p->ops->set_rules(p->ctx, &w->group[0].g, rules, n, NULL) < 0)
			return 2;
}

/* Killed between putting a list in and switching to it, for instance. */
BPF_TEST(what_a_killed_updater_leaves_is_cleared_away)
{
	struct group *pod;
	int status;
	pid_t pid;

	world_open(w, false);
	pod = world_pod(w, "web");
	world_add(w, pod, "c 1:3 rw");
	for (int i = 0; i < 30; i++) {
		pid = kit_spawn(w->root, update_for_ever, w);
		usleep(2000 + 137 * (useconds_t)i);
		kill(pid, SIGKILL);
		CHECK_INT(waitpid(pid, &status, 0), pid);
		CHECK(WIFSIGNALED(status));
		/* At any step of its work: one list or the other, not both, not none. */
		CHECK(world_can_open(w, pod->path, 'c', 1, 3, O_RDWR));
		CHECK(!world_can_open(w, pod->path, 'c', 1, 8, O_RDWR));
		/* This process does not know what the other one put in. */
		world_set(w, pod, "c 1:3 rw; c 1:7 rw");
		CHECK(!world_can_open(w, pod->path, 'c', 1, 5, O_RDWR));
	}
	world_close(w);
	/* The first change looks around, and its list replaces the last one. */
	world_open(w, false);
	world_set(w, pod, "c 1:3 rw; c 1:7 rw; c 1:8 rw");
	world_close(w);
	world_open(w, false);
	CHECK_INT(world_map_count(w, "rules"), 3);
}

#define MANY 80 /* groups with the longest list: more than the table takes */

/* Containers with a list each, until the table is full; how many, the refused one included. */
static int fill_table(struct world *w, const struct cgfs_policy *policy, struct group *pod,
		      struct cgfs_device_rule rules[CGFS_DEVICE_RULES_MAX], struct group many[MANY])
{
	int r = 0, n = 0;

	for (size_t i = 0; i < CGFS_DEVICE_RULES_MAX; i++)
		rules[i] = (struct cgfs_device_rule){ CGFS_DEVICE_CHAR, 241, (int32_t)i,
						      CGFS_ACCESS_ALL, true };
	while (r == 0 && n < MANY) {
		char id[24];

		/* Its place in the world is for the next one; the directory stays. */
		snprintf(id, sizeof(id), "many-%d", n);
		many[n] = *world_container(w, pod, id);
		w->n_groups--;
		r = policy->ops->add(policy->ctx, &many[n++].g, rules, CGFS_DEVICE_RULES_MAX,
				     &w->err);
	}
	CHECK_INT(r, -E2BIG);
	return n;
}

BPF_TEST(table_that_is_full_refuses_and_keeps_the_old_list)
{
	static struct cgfs_device_rule rules[CGFS_DEVICE_RULES_MAX];
	struct group *pod, *last;
	struct group many[MANY];
	int r, n;

	world_open(w, false);
	pod = world_pod(w, "web");
	last = world_pod(w, "last");
	world_add(w, pod, "c 1:3 rw");
	world_add(w, last, "c 1:3 rw");
	n = fill_table(w, w->policy, pod, rules, many);
	CHECK(strstr(w->err.text, "full"));
	r = w->policy->ops->set_rules(w->policy->ctx, &last->g, rules, CGFS_DEVICE_RULES_MAX,
				      &w->err);
	CHECK_INT(r, -E2BIG);
	CHECK(world_can_open(w, last->path, 'c', 1, 3, O_RDWR));
	CHECK(!world_can_open(w, last->path, 'c', 241, 1, O_RDWR));
	while (n-- > 0) {
		CHECK_INT(w->policy->ops->remove(w->policy->ctx, &many[n].g, &w->err), 0);
		close(many[n].g.cgroup_fd);
	}
	CHECK_INT(world_map_count(w, "rules"), 2);
	CHECK_INT(world_map_count(w, "groups"), 2);
}

/* The groups of another process are removed by us after their cgroups: which rules they had is
 * not known any more.  They make room when it is needed. */
BPF_TEST(rules_of_others_make_room)
{
	static struct cgfs_device_rule rules[CGFS_DEVICE_RULES_MAX];
	struct cgfs_bpf_opts opts = CGFS_BPF_OPTS_INIT;
	const struct cgfs_policy *policy;
	struct cgfs_bpf *other;
	struct group *pod;
	struct group many[MANY];
	int n;

	opts.pin_dir = w->pin;
	opts.no_kills = true;
	world_open(w, false);
	pod = world_pod(w, "web");
	world_add(w, pod, "c 1:3 rw");
	CHECK_INT(cgfs_bpf_open(&opts, &other, &w->err), 0);
	policy = cgfs_bpf_policy(other);
	n = fill_table(w, policy, pod, rules, many);
	cgfs_bpf_close(other);
	for (int i = 0; i < n; i++) {
		close(many[i].g.cgroup_fd);
		CHECK_INT(rmdir(many[i].path), 0);
	}
	/* The kernel lets go of them a moment later. */
	for (int i = 0; world_map_count(w, "policy") > 1; i++) {
		CHECK(i < 3000);
		usleep(10000);
	}
	while (n-- > 0)
		CHECK_INT(w->policy->ops->remove(w->policy->ctx, &many[n].g, &w->err), 0);
	CHECK_INT(world_map_count(w, "groups"), 1);
	CHECK_INT(w->policy->ops->set_rules(w->policy->ctx, &pod->g, rules, CGFS_DEVICE_RULES_MAX,
					    &w->err),
		  0);
	CHECK(world_can_open(w, pod->path, 'c', 241, 1, O_RDWR));
	CHECK(!world_can_open(w, pod->path, 'c', 1, 3, O_RDWR));
}

/* A new version of kill attribution takes the place of the old one; what binds the pods stays. */
BPF_TEST(other_version_of_kills_is_replaced_alone)
{
	struct cgfs_bpf_opts opts = CGFS_BPF_OPTS_INIT;
	unsigned int kills, device;
	char pin[200];
	struct group *pod;

	world_open(w, true);
	if (!w->policy->ops->reports_oom(w->policy->ctx))
		tap_skip("this kernel does not attribute kills");
	pod = world_pod(w, "web");
	world_add(w, pod, "c 1:3 rw");
	CHECK(!world_can_open(w, pod->path, 'c', 1, 5, O_RDONLY));
	snprintf(pin, sizeof(pin), "links/web:%llu", (unsigned long long)pod->g.cgroup_id);
	device = world_link_id(w, pin);
	kills = world_link_id(w, "oom");
	world_close(w);
	CHECK_INT(world_abi(w, "cgfs_oom", 77), CGFS_KILL_ABI);

	/* Not by a caller that does not ask for it. */
	opts.pin_dir = w->pin;
	opts.no_kills = true;
	CHECK_INT(cgfs_bpf_open(&opts, &w->bpf, &w->err), 0);
	w->policy = cgfs_bpf_policy(w->bpf);
	CHECK_INT(world_counters(w, pod).counts_oom, 0);
	world_close(w);
	CHECK_INT(world_link_id(w, "oom"), kills);

	world_open(w, true);
	CHECK(w->policy->ops->reports_oom(w->policy->ctx));
	CHECK_INT(world_counters(w, pod).counts_oom, 1);
	CHECK_INT(world_abi(w, "cgfs_oom", CGFS_KILL_ABI), CGFS_KILL_ABI);
	CHECK(world_link_id(w, "oom") != kills);
	CHECK_INT(world_link_id(w, pin), device);
	CHECK_INT(world_counters(w, pod).device_denied, 1);
	CHECK(world_can_open(w, pod->path, 'c', 1, 3, O_RDWR));
	CHECK(!world_can_open(w, pod->path, 'c', 1, 5, O_RDONLY));
}

/* A policy of another version stays in force, and so does kill attribution. */
BPF_TEST(other_version_of_devices_leaves_kills_alone)
{
	struct cgfs_bpf_opts opts = CGFS_BPF_OPTS_INIT;
	struct group *pod;
	unsigned int kills;
	struct cgfs_bpf *bpf;

	world_open(w, true);
	if (!w->policy->ops->reports_oom(w->policy->ctx))
		tap_skip("this kernel does not attribute kills");
	pod = world_pod(w, "web");
	world_add(w, pod, "c 1:3 rw");
	world_close(w);
	kills = world_link_id(w, "oom");
	CHECK_INT(world_abi(w, "cgfs_dev", 77), 1);
	opts.pin_dir = w->pin;
	CHECK_INT(cgfs_bpf_open(&opts, &bpf, &w->err), -EPROTO);
	CHECK_INT(world_link_id(w, "oom"), kills);
	CHECK(world_can_open(w, pod->path, 'c', 1, 3, O_RDWR));
	CHECK(!world_can_open(w, pod->path, 'c', 1, 5, O_RDONLY));
	CHECK_INT(world_abi(w, "cgfs_dev", 1), 77);
	world_open(w, true);
	CHECK_INT(world_link_id(w, "oom"), kills);
}
