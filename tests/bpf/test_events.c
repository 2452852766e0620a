/* SPDX-License-Identifier: MIT */
/*
 * test_events.c - denials, kills and losses as events, with names, pids and rules.
 */
#include "world.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define FLOOD 4000 /* refusals: more than a ring buffer holds */

struct opens {
	char node[128];
	int n;
};

static int open_many(void *arg)
{
	struct opens *o = arg;

	prctl(PR_SET_NAME, "hostile one");
	for (int i = 0; i < o->n; i++)
		if (open(o->node, O_RDWR | O_CLOEXEC) >= 0 || errno != EPERM)
			return 1;
	return 0;
}

static void open_in(struct world *w, const char *path, int n)
{
	struct opens o = { .n = n };

	world_node(w, 'c', 1, 11, o.node, sizeof(o.node));
	CHECK_INT(kit_run(path, open_many, &o), 0);
}

static uint64_t boot_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

BPF_TEST(denial_names_everything)
{
	char long_id[CGFS_ID_MAX + 1];
	struct opens o = { .n = 1 };
	struct group *pod, *ctr;
	struct cgfs_event e = CGFS_EVENT_INIT;
	uint64_t before = boot_ns();
	int status;
	pid_t pid;

	memset(long_id, 'x', CGFS_ID_MAX);
	long_id[CGFS_ID_MAX] = '\0';
	world_open(w, true);
	pod = world_pod(w, long_id);
	ctr = world_container(w, pod, "c.1");
	world_add(w, pod, "c 1:3 rw; c 1:11 w; deny c 1:* r; c 10:1 r");
	world_add(w, ctr, NULL);
	CHECK_INT(world_event(w, &e, 0), 0);

	world_node(w, 'c', 1, 11, o.node, sizeof(o.node));
	pid = kit_spawn(ctr->path, open_many, &o);
	CHECK_INT(waitpid(pid, &status, 0), pid);
	CHECK_INT(status, 0);
	CHECK_INT(world_event(w, &e, 60000), 1);
	CHECK_INT(e.type, CGFS_EVENT_DEVICE_DENIED);
	CHECK_STR(e.pod, long_id);
	CHECK_STR(e.container, "c.1");
	CHECK_INT(e.cgroup_id, ctr->g.cgroup_id);
	CHECK_INT(e.pid, pid);
	CHECK_STR(e.comm, "hostile one");
	CHECK_INT(e.device_type, CGFS_DEVICE_CHAR);
	CHECK_INT(e.major, 1);
	CHECK_INT(e.minor, 11);
	CHECK_INT(e.access, CGFS_ACCESS_READ | CGFS_ACCESS_WRITE);
	CHECK_INT(e.rule, 3);
	CHECK(e.time_ns >= before && e.time_ns <= boot_ns());
	CHECK_INT(world_event(w, &e, 0), 0);

	/* No rule matches: rule 0.  A container's own list counts from 1 again. */
	world_set(w, pod, "c 1:3 rw");
	open_in(w, pod->path, 1);
	CHECK_INT(world_event(w, &e, 60000), 1);
	CHECK_STR(e.container, "");
	CHECK_INT(e.rule, 0);
	world_set(w, pod, "a; b *:* rwm");
	world_set(w, ctr, "deny c 1:11 w");
	open_in(w, ctr->path, 1);
	CHECK_INT(world_event(w, &e, 60000), 1);
	CHECK_STR(e.container, "c.1");
	CHECK_INT(e.rule, 1);
}

/* A program that refuses everything, as a runtime in a container would put on what it nests. */
static int refuse_all(const char *path)
{
	const struct bpf_insn insns[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	int program, link, cgroup = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	program = bpf_prog_load(BPF_PROG_TYPE_CGROUP_DEVICE, "foreign", "GPL", insns, 2, NULL);
	CHECK(cgroup >= 0 && program >= 0);
	link = bpf_link_create(program, cgroup, BPF_CGROUP_DEVICE, NULL);
	CHECK(link >= 0);
	close(program);
	close(cgroup);
	return link;
}

/* What it refuses, and the list as well, is refused by the list; no other program of ours was
 * asked. */
BPF_TEST(refusal_by_another_program_hides_none)
{
	struct cgfs_policy_counters c;
	char nested[600];
	struct group *alone;
	struct cgfs_event e = CGFS_EVENT_INIT;
	int link;

	world_open(w, true);
	alone = world_pod(w, "alone");
	world_add(w, alone, "c 1:3 rw");
	world_nested(alone, "inner", nested, sizeof(nested));
	link = refuse_all(nested);
	CHECK(!world_can_open(w, nested, 'c', 1, 3, O_RDWR));
	open_in(w, nested, 3);
	c = world_counters(w, alone);
	CHECK_INT(c.device_denied, 3);
	CHECK_INT(c.device_allowed, 1);
	for (int i = 0; i < 3; i++) {
		CHECK_INT(world_event(w, &e, 60000), 1);
		CHECK_INT(e.type, CGFS_EVENT_DEVICE_DENIED);
		CHECK_STR(e.pod, "alone");
		CHECK_INT(e.minor, 11);
	}
	CHECK_INT(world_event(w, &e, 0), 0);
	close(link);
}

static void is_foreign(struct world *w, const char *pod)
{
	struct cgfs_event e = CGFS_EVENT_INIT;

	CHECK_INT(world_event(w, &e, 60000), 1);
	CHECK_INT(e.type, CGFS_EVENT_FOREIGN_PROGRAM);
	CHECK_STR(e.pod, pod);
	CHECK(e.value && e.time_ns);
	CHECK(strstr(e.message, "\"foreign\""));
	CHECK_INT(world_event(w, &e, 0), 0);
}

/* Once per program: when a group is added, changed, or found again. */
BPF_TEST(program_of_another_is_reported_once)
{
	struct cgfs_event e = CGFS_EVENT_INIT;
	struct group *web, *db;
	int first, second;

	world_open(w, true);
	web = world_pod(w, "web");
	db = world_pod(w, "db");
	first = refuse_all(web->path);
	world_add(w, web, "c 1:3 rw");
	is_foreign(w, "web");
	world_add(w, db, "c 1:3 rw");
	world_set(w, web, "c 1:5 rw");
	CHECK_INT(world_event(w, &e, 0), 0);
	second = refuse_all(db->path);
	world_set(w, db, "c 1:5 rw");
	is_foreign(w, "db");
	world_close(w);
	world_open(w, true);
	world_add(w, db, NULL);
	is_foreign(w, "db");
	close(first);
	close(second);
}

/* The kernel takes 64 programs of a kind on one cgroup. */
BPF_TEST(programs_of_others_leave_room_for_one_or_none)
{
	struct cgfs_event e = CGFS_EVENT_INIT;
	struct group *web;
	int link[64];

	world_open(w, true);
	web = world_pod(w, "web");
	for (int i = 0; i < 64; i++)
		link[i] = refuse_all(web->path);
	CHECK_INT(w->policy->ops->add(w->policy->ctx, &web->g, NULL, 0, &w->err), -E2BIG);
	CHECK_MSG(strstr(w->err.text, "web"), "%s", w->err.text);
	close(link[63]);
	world_add(w, web, "c 1:3 rw");
	for (int i = 0; i < 64; i++) {
		CHECK_INT(world_event(w, &e, 60000), 1);
		CHECK_INT(e.type, CGFS_EVENT_FOREIGN_PROGRAM);
	}
	CHECK_INT(world_event(w, &e, 0), 0);
	for (int i = 0; i < 63; i++)
		close(link[i]);
	CHECK(world_can_open(w, web->path, 'c', 1, 3, O_RDWR));
	CHECK(!world_can_open(w, web->path, 'c', 1, 5, O_RDWR));
}

/* More than are kept until they are read: the first are counted. */
BPF_TEST(programs_of_others_that_find_no_room_are_counted)
{
	struct cgfs_event e = CGFS_EVENT_INIT;
	struct group *group[2];
	int link[2][40];

	world_open(w, true);
	group[0] = world_pod(w, "web");
	group[1] = world_pod(w, "db");
	for (int g = 0; g < 2; g++) {
		for (int i = 0; i < 40; i++)
			link[g][i] = refuse_all(group[g]->path);
		world_add(w, group[g], "c 1:3 rw");
	}
	CHECK_INT(world_event(w, &e, 60000), 1);
	CHECK_INT(e.type, CGFS_EVENT_LOST);
	CHECK_INT(e.count, 80 - 64);
	for (int i = 0; i < 64; i++) {
		CHECK_INT(world_event(w, &e, 0), 1);
		CHECK_INT(e.type, CGFS_EVENT_FOREIGN_PROGRAM);
		CHECK_STR(e.pod, i < 40 - 16 ? "web" : "db");
	}
	CHECK_INT(world_event(w, &e, 0), 0);
	for (int g = 0; g < 2; g++)
		for (int i = 0; i < 40; i++)
			close(link[g][i]);
}

BPF_TEST(event_of_a_removed_group_has_its_names)
{
	struct group *pod;
	struct cgfs_event e = CGFS_EVENT_INIT;

	world_open(w, true);
	pod = world_pod(w, "short");
	world_add(w, pod, NULL);
	open_in(w, pod->path, 200);
	CHECK_INT(w->policy->ops->remove(w->policy->ctx, &pod->g, &w->err), 0);
	for (int i = 0; i < 64; i++) {
		CHECK_INT(world_event(w, &e, 0), 1);
		CHECK_STR(e.pod, "short");
		CHECK_INT(e.type, CGFS_EVENT_DEVICE_DENIED);
	}
	/* What was not recorded is reported, too, although the group is gone. */
	CHECK_INT(world_event(w, &e, 60000), 1);
	CHECK_INT(e.type, CGFS_EVENT_LOST);
	CHECK_STR(e.pod, "short");
	CHECK_INT(e.count, 200 - 64);
	CHECK_INT(world_event(w, &e, 0), 0);
}

/* A container that is still there when its pod is not. */
BPF_TEST(records_are_not_made_for_a_pod_that_was_removed)
{
	struct group *pod, *ctr;

	world_open(w, false);
	pod = world_pod(w, "web");
	ctr = world_container(w, pod, "c1");
	world_add(w, pod, NULL);
	world_add(w, ctr, "c 1:3 rw");
	open_in(w, ctr->path, 1);
	CHECK_INT(world_map_count(w, "history"), 1);
	CHECK_INT(w->policy->ops->remove(w->policy->ctx, &pod->g, &w->err), 0);
	CHECK_INT(world_map_count(w, "history"), 0);
	open_in(w, ctr->path, 1);
	CHECK_INT(world_map_count(w, "history"), 0);
}

BPF_TEST(flood_is_counted_and_does_not_drown_others)
{
	struct cgfs_policy_counters c;
	struct group *pod, *loud, *quiet;
	uint64_t denials = 0, lost = 0, from_quiet = 0;
	struct cgfs_event e = CGFS_EVENT_INIT;

	world_open(w, true);
	pod = world_pod(w, "web");
	loud = world_container(w, pod, "loud");
	quiet = world_container(w, pod, "quiet");
	world_add(w, pod, NULL);
	world_add(w, loud, NULL);
	world_add(w, quiet, NULL);
	open_in(w, loud->path, FLOOD);
	open_in(w, quiet->path, 3);
	while (world_event(w, &e, 1500) == 1) {
		if (strcmp(e.container, "quiet") == 0)
			from_quiet++;
		else if (e.type == CGFS_EVENT_DEVICE_DENIED)
			denials++;
		else if (e.type == CGFS_EVENT_LOST)
			lost += e.count;
	}
	c = world_counters(w, loud);
	CHECK_INT(from_quiet, 3);
	CHECK_INT(c.device_denied, FLOOD);
	CHECK_INT(c.events_lost, lost);
	CHECK_INT(denials + lost, FLOOD);
	CHECK(denials >= 64 && denials <= 2000);
	CHECK_INT(world_counters(w, pod).device_denied, FLOOD + 3);
	CHECK_INT(world_counters(w, pod).events_lost, 0);
}

BPF_TEST(losses_are_reported_once_even_after_a_restart)
{
	struct group *pod;
	struct cgfs_event e = CGFS_EVENT_INIT;
	uint64_t denials = 0, lost = 0;

	world_open(w, false);
	pod = world_pod(w, "web");
	world_add(w, pod, NULL);
	open_in(w, pod->path, 300);
	world_close(w);
	world_open(w, true);
	for (int i = 0; i < 2; i++) {
		while (world_event(w, &e, 1500) == 1) {
			CHECK_STR(e.pod, "web");
			if (e.type == CGFS_EVENT_LOST)
				lost += e.count;
			else
				denials++;
		}
		CHECK_INT(denials + lost, 300);
		world_close(w);
		world_open(w, true);
	}
}

BPF_TEST(quiet_descriptor_is_not_readable)
{
	struct group *pod;
	struct cgfs_event e = CGFS_EVENT_INIT;
	struct pollfd p = { .events = POLLIN };

	world_open(w, true);
	pod = world_pod(w, "web");
	world_add(w, pod, NULL);
	p.fd = w->policy->ops->event_fd(w->policy->ctx);
	CHECK_INT(poll(&p, 1, 0), 0);
	open_in(w, pod->path, 1);
	CHECK_INT(poll(&p, 1, 60000), 1);
	while (world_event(w, &e, 1500) == 1)
		;
	CHECK_INT(poll(&p, 1, 0), 0);
}

static void write_file(const char *dir, const char *file, const char *value)
{
	char path[700];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, value, strlen(value)) < 0)
		FAIL("%s: %s", path, strerror(errno));
	close(fd);
}

/* Limits memory to 16 MiB, in the hierarchy that has the controller. */
static void limit_memory(struct world *w, struct group *pod, struct group *ctr)
{
	char path[700];

	if (w->memory[0]) {
		CHECK_INT(mkdir(w->memory, 0755), 0);
		write_file(w->memory, "memory.limit_in_bytes", "16777216");
		return;
	}
	snprintf(path, sizeof(path), "%s/..", w->root);
	if (access(path, F_OK) == 0) {
		char file[800];

		snprintf(file, sizeof(file), "%s/cgroup.subtree_control", path);
		int fd = open(file, O_WRONLY | O_CLOEXEC);

		if (fd < 0 || write(fd, "+memory", 7) < 0)
			tap_skip("no memory controller");
		close(fd);
	}
	write_file(w->root, "cgroup.subtree_control", "+memory");
	write_file(pod->path, "cgroup.subtree_control", "+memory");
	write_file(ctr->path, "memory.max", "16777216");
	snprintf(path, sizeof(path), "%s/memory.swap.max", ctr->path);
	if (access(path, F_OK) == 0)
		write_file(ctr->path, "memory.swap.max", "0");
}

static int allocate(void *arg)
{
	const char *memory = arg;
	size_t size = 64 << 20;
	char *p;

	prctl(PR_SET_NAME, "glutton");
	if (memory[0]) {
		char path[400];
		int fd;

		snprintf(path, sizeof(path), "%s/cgroup.procs", memory);
		fd = open(path, O_WRONLY | O_CLOEXEC);
		if (fd < 0 || write(fd, "0", 1) != 1)
			return 1;
		close(fd);
	}
	p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return 2;
	for (size_t i = 0; i < size; i += 4096)
		p[i] = 1;
	return 3;
}

BPF_TEST(kill_names_container_and_process)
{
	struct group *pod, *ctr;
	struct cgfs_event e = CGFS_EVENT_INIT;
	char nested[600];
	uint64_t before = boot_ns();
	pid_t pid;
	int status;

	world_open(w, true);
	if (!w->policy->ops->reports_oom(w->policy->ctx))
		tap_skip("this kernel does not allow kill attribution");
	pod = world_pod(w, "web");
	ctr = world_container(w, pod, "c1");
	world_add(w, pod, "a");
	world_add(w, ctr, NULL);
	limit_memory(w, pod, ctr);
	pid = kit_spawn(ctr->path, allocate, w->memory);
	CHECK_INT(waitpid(pid, &status, 0), pid);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	CHECK_INT(world_event(w, &e, 60000), 1);
	CHECK_INT(e.type, CGFS_EVENT_OOM_KILL);
	CHECK_STR(e.pod, "web");
	CHECK_STR(e.container, "c1");
	CHECK_INT(e.cgroup_id, ctr->g.cgroup_id);
	CHECK_INT(e.pid, pid);
	CHECK_STR(e.comm, "glutton");
	CHECK_INT(e.count, 1);
	CHECK(e.time_ns >= before && e.time_ns <= boot_ns());

	/* A flood of unread denials cannot push a kill out; and a nested cgroup. */
	world_set(w, pod, "");
	open_in(w, ctr->path, FLOOD);
	world_close(w);
	world_nested(ctr, "inner", nested, sizeof(nested));
	for (int i = 0; i < 5; i++) {
		pid = kit_spawn(w->memory[0] ? nested : ctr->path, allocate, w->memory);
		CHECK_INT(waitpid(pid, &status, 0), pid);
		CHECK(WIFSIGNALED(status));
	}
	world_open(w, true);
	for (int i = 0; i < 5; i++) {
		CHECK_INT(world_event(w, &e, 0), 1);
		CHECK_INT(e.type, CGFS_EVENT_OOM_KILL);
		CHECK_STR(e.container, "c1");
	}
	CHECK_INT(e.pid, pid);
	CHECK_INT(world_counters(w, ctr).oom_kills, 6);
	CHECK_INT(world_counters(w, pod).oom_kills, 6);
}
