// SPDX-License-Identifier: MIT
/*
 * test_history.c - what was refused to a pod, and killed in it, stays in the pinned map until the
 * pod is removed: with no process that received the events, and after the container is gone.
 */
#include "puppet.h"

#include "cgfs/base/util.h"

#if CGFS_WITH_BPF
#include <bpf/bpf.h>
#include <cgfs/bpf.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

/* The history of a pod, read by a handle of its own that may change nothing. */
struct history {
	struct cgfs_bpf_record *record;
	size_t n;
	uint64_t lost;
	int error;
};

static struct history history_of(struct world *w, uint64_t pod_id)
{
	struct cgfs_bpf_opts opts = CGFS_BPF_OPTS_INIT;
	struct history h = { 0 };
	struct cgfs_bpf *bpf;

	opts.pin_dir = w->pin_dir;
	opts.read_only = true;
	OK(cgfs_bpf_open(&opts, &bpf, &err));
	h.error = cgfs_bpf_history(bpf, pod_id, &h.record, &h.n, &h.lost, NULL);
	cgfs_bpf_close(bpf);
	return h;
}

/* How many elements of the map are a pod's, known or not. */
static size_t elements(struct world *w, uint64_t pod_id)
{
	struct cgfs_history_key key, next, *at = NULL;
	size_t n = 0;
	char path[512];
	int fd;

	snprintf(path, sizeof(path), "%s/history", w->pin_dir);
	fd = bpf_obj_get(path);
	CHECK(fd >= 0);
	for (; bpf_map_get_next_key(fd, at, &next) == 0; at = &key) {
		key = next;
		n += key.pod_cgroup_id == pod_id;
	}
	close(fd);
	return n;
}

static void history_free(struct history *h)
{
	free(h->record);
	*h = (struct history){ 0 };
}

static struct cgfs *begin(struct world *w, enum world_policy policy)
{
	struct cgfs *c = world_context(w, policy);

	if (!w->kind->live)
		world_skip(w, "the fake has no map");
	if (w->policy_missing[0])
		world_skip(w, "no policy: %s", w->policy_missing);
	return c;
}

/* The latest record of the pod. */
static struct cgfs_bpf_record latest(struct world *w, const struct cgfs_group *pod)
{
	struct history h = history_of(w, cgfs_group_cgroup_id(pod));
	struct cgfs_bpf_record first;

	CHECK(h.n > 0);
	first = h.record[0];
	history_free(&h);
	CHECK_STR(first.value.pod, cgfs_group_id(pod));
	CHECK(first.value.first_ns && first.value.first_ns <= first.value.last_ns);
	return first;
}

static void deny(struct world *w, pid_t pid, int minor)
{
	CHECK_INT(w->ops->device(w, pid, CGFS_DEVICE_BLOCK, 8, minor, CGFS_ACCESS_READ), -EPERM);
}

static struct cgfs_resources only_null(void)
{
	static const struct cgfs_device_rule null = {
		.allow = true,
		.type = CGFS_DEVICE_CHAR,
		.major = 1,
		.minor = 3,
		.access = CGFS_ACCESS_READ | CGFS_ACCESS_WRITE | CGFS_ACCESS_MKNOD,
	};
	struct cgfs_resources res = CGFS_RESOURCES_INIT;

	res.set = CGFS_SET_DEVICES;
	res.devices = &null;
	res.n_devices = 1;
	return res;
}

WORLD_TEST(history_keeps_denials)
{
	struct cgfs *c = begin(w, WORLD_POLICY);
	struct cgfs_resources res = only_null();
	struct cgfs_group *pod = world_pod(w, c, "web", NULL), *own, *bound;
	uint64_t pod_id = cgfs_group_cgroup_id(pod), own_id;
	struct cgfs_bpf_record r;
	struct history h;
	pid_t pid;

	own = world_container(w, pod, c, "own", &res);
	bound = world_container(w, pod, c, "bound", NULL);
	own_id = cgfs_group_cgroup_id(own);
	pid = world_spawn_in(w, own);
	for (int i = 0; i < 3; i++)
		deny(w, pid, 0);
	r = latest(w, pod);
	CHECK_INT(r.key.kind, CGFS_DENIED);
	CHECK_INT(r.value.count, 3);
	CHECK_INT(r.value.cgroup_id, own_id);
	CHECK_STR(r.value.container, "own");
	CHECK_INT(r.value.level, CGFS_OF_CONTAINER);
	CHECK_INT(r.value.pid, pid);
	CHECK_STR(r.value.comm, w->ops->comm(w, pid));
	CHECK_INT(r.value.device, CGFS_BLOCK);
	CHECK_INT(r.value.major, 8);
	CHECK_INT(r.value.minor, 0);
	CHECK_INT(r.value.read, 1);
	CHECK_INT(r.value.write + r.value.mknod, 0);
	CHECK_INT(r.value.rule, 0);

	/* By the list of the pod. */
	deny(w, world_spawn_in(w, bound), 1);
	r = latest(w, pod);
	CHECK_STR(r.value.container, "bound");
	CHECK_INT(r.value.level, CGFS_OF_POD);
	CHECK_INT(r.value.minor, 1);
	CHECK_INT(r.value.count, 1);

	/* Of a container that is gone. */
	world_destroy(w, own);
	h = history_of(w, pod_id);
	CHECK_INT(h.n, 2);
	CHECK_INT(CGFS_AT(h.record, 1)->value.cgroup_id, own_id);
	history_free(&h);

	/* A restart changes nothing; the pod's removal ends it. */
	world_restart(w);
	h = history_of(w, pod_id);
	CHECK_INT(h.n, 2);
	history_free(&h);
	c = world_context(w, WORLD_POLICY);
	OK(cgfs_pod_open(c, "web", &pod, &err));
	world_destroy(w, world_track(w, pod));
	h = history_of(w, pod_id);
	CHECK_INT(h.error, -ENOENT);
	CHECK_INT(elements(w, pod_id), 0);
}

WORLD_TEST(history_is_bounded)
{
	struct cgfs *c = begin(w, WORLD_POLICY);
	struct cgfs_group *pod = world_pod(w, c, "web", NULL);
	pid_t pid = world_spawn_in(w, world_container(w, pod, c, "c1", NULL));
	const int more = CGFS_HISTORY_SLOTS + 5;
	struct history h;

	for (int i = 0; i < more; i++)
		deny(w, pid, i);
	h = history_of(w, cgfs_group_cgroup_id(pod));
	CHECK_INT(h.n, CGFS_HISTORY_SLOTS);
	for (int i = 0; i < CGFS_HISTORY_SLOTS; i++)
		CHECK_INT(CGFS_AT(h.record, i)->value.minor, more - 1 - i);
	history_free(&h);
}

/* The map has an end: a pod that has records still gets new ones, over its own; one that has none
 * gets none, and that is counted. */
WORLD_TEST(history_full)
{
	struct cgfs *c = begin(w, WORLD_POLICY);
	struct cgfs_group *pod = world_pod(w, c, "web", NULL), *late;
	pid_t pid = world_spawn_in(w, world_container(w, pod, c, "c1", NULL));
	struct cgfs_history_key key = { .pod_cgroup_id = 1ull << 62, .kind = CGFS_DENIED };
	struct cgfs_history value = { .count = 1 };
	struct history h;
	char path[512];
	int fd;

	snprintf(path, sizeof(path), "%s/history", w->pin_dir);
	fd = bpf_obj_get(path);
	CHECK(fd >= 0);
	late = world_pod(w, c, "late", NULL);
	deny(w, pid, 0);
	while (bpf_map_update_elem(fd, &key, &value, BPF_NOEXIST) == 0)
		key.pod_cgroup_id++;
	CHECK_INT(errno, E2BIG);
	deny(w, pid, 1);
	CHECK_INT(latest(w, pod).value.minor, 1);
	deny(w, world_spawn_in(w, world_container(w, late, c, "c1", NULL)), 2);
	h = history_of(w, cgfs_group_cgroup_id(late));
	CHECK_INT(h.n, 0);
	CHECK_INT(h.lost, 1);
	history_free(&h);
	while (key.pod_cgroup_id-- > 1ull << 62)
		CHECK_INT(bpf_map_delete_elem(fd, &key), 0);
	close(fd);
	deny(w, pid, 3);
	h = history_of(w, cgfs_group_cgroup_id(pod));
	CHECK_INT(h.n, 2);
	CHECK_INT(h.lost, 1);
	history_free(&h);
}

/* Does the program that attributes kills know whose limit it was? */
static bool knows_level(struct world *w, struct cgfs *c)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/oom", w->pin_dir);
	if (access(path, F_OK) < 0)
		world_skip(w, "kills are not attributed");
	snprintf(path, sizeof(path), "%s/oom_begin", w->pin_dir);
	return access(path, F_OK) == 0 || world_version(w, CGFS_MEMORY) == CGFS_V1;
}

static void check_kill(struct world *w, const struct cgfs_group *ctr, pid_t pid,
		       enum cgfs_history_level level, uint64_t limit)
{
	struct cgfs_bpf_record r = latest(w, cgfs_group_pod(ctr));

	CHECK_INT(r.key.kind, CGFS_KILLED);
	CHECK_INT(r.value.pid, pid);
	CHECK_STR(r.value.comm, w->ops->comm(w, pid));
	CHECK_STR(r.value.container, cgfs_group_id(ctr));
	CHECK_INT(r.value.cgroup_id, cgfs_group_cgroup_id(ctr));
	CHECK_INT(r.value.count, 1);
	CHECK_INT(r.value.level, level);
	if (level == CGFS_UNKNOWN || level == CGFS_OF_MACHINE)
		limit = 0;
	CHECK_INT(r.value.limit_bytes, limit);
	if (limit)
		CHECK(r.value.usage_bytes <= limit && r.value.usage_bytes > limit / 2);
}

static pid_t killed(struct world *w, struct cgfs_group *ctr, const char *inner)
{
	pid_t pid = world_spawn_in(w, ctr);

	if (inner)
		extra_enter(w, ctr, inner, pid);
	CHECK_INT(w->ops->alloc(w, pid, 64 * MIB), -ENOMEM);
	world_gone(w, pid);
	return pid;
}

WORLD_TEST(history_kill_has_the_level)
{
	struct cgfs *c = begin(w, WORLD_POLICY);
	struct cgfs_resources res = extra_memory(16 * MIB);
	struct cgfs_group *pod, *ctr, *limited;
	enum cgfs_history_level unknown = CGFS_UNKNOWN;
	char text[32], path[512];
	bool known;
	pid_t pid;

	world_need(w, CGFS_MEMORY);
	pod = world_pod(w, c, "web", NULL);
	known = knows_level(w, c);
	ctr = world_container(w, pod, c, "c1", &res);
	pid = killed(w, ctr, NULL);
	check_kill(w, ctr, pid, known ? CGFS_OF_CONTAINER : unknown, 16 * MIB);

	limited = world_pod(w, c, "small", &res);
	ctr = world_container(w, limited, c, "c1", NULL);
	pid = killed(w, ctr, NULL);
	check_kill(w, ctr, pid, known ? CGFS_OF_POD : unknown, 16 * MIB);

	/* A cgroup that the container makes for itself. */
	ctr = world_container(w, pod, c, "nests", NULL);
	extra_nest(w, ctr, "a");
	snprintf(path, sizeof(path), "%s/a", cgfs_group_path(ctr));
	snprintf(text, sizeof(text), "%" PRIu64, 24 * MIB);
	if (extra_put(w, CGFS_MEMORY, path, extra_max_file(w), text) == 0) {
		pid = killed(w, ctr, "a");
		check_kill(w, ctr, pid, known ? CGFS_OF_INNER : unknown, 24 * MIB);
	}

	/* The pods root. */
	ctr = world_container(w, pod, c, "free", NULL);
	snprintf(text, sizeof(text), "%" PRIu64, 32 * MIB);
	CHECK_INT(extra_put(w, CGFS_MEMORY, w->root, extra_max_file(w), text), 0);
	pid = killed(w, ctr, NULL);
	check_kill(w, ctr, pid, known ? CGFS_ABOVE_POD : unknown, 32 * MIB);
}

/* Guests only: the OOM killer of the whole machine is called, and one process is marked as its
 * victim. */
WORLD_TEST(history_kill_of_the_machine)
{
	struct cgfs *c = begin(w, WORLD_POLICY);
	struct cgfs_group *ctr;
	char path[64];
	bool known;
	pid_t pid;
	FILE *f;

	if (!getenv("CGFS_TEST_GUEST"))
		world_skip(w, "only in a guest: it calls the machine's OOM killer");
	world_need(w, CGFS_MEMORY);
	ctr = world_container(w, world_pod(w, c, "web", NULL), c, "c1", NULL);
	known = knows_level(w, c) && access("/proc/sysrq-trigger", W_OK) == 0;
	if (!known)
		world_skip(w, "not known here");
	pid = world_spawn_in(w, ctr);
	snprintf(path, sizeof(path), "/proc/%d/oom_score_adj", (int)pid);
	f = fopen(path, "we");
	CHECK(f && fputs("1000", f) >= 0 && fclose(f) == 0);
	f = fopen("/proc/sysrq-trigger", "we");
	CHECK(f && fputs("f", f) >= 0 && fclose(f) == 0);
	world_gone(w, pid);
	check_kill(w, ctr, pid, CGFS_OF_MACHINE, 0);
}

WORLD_TEST(history_keeps_thresholds)
{
	struct cgfs *c = begin(w, WORLD_MEMORY);
	struct cgfs_stats stats = CGFS_STATS_INIT;
	struct cgfs_bpf_record r;
	struct cgfs_group *pod, *ctr;
	pid_t pid;

	world_need(w, CGFS_MEMORY);
	pod = world_pod(w, c, "web", NULL);
	ctr = world_container(w, pod, c, "c1", NULL);
	OK(cgfs_group_stats(ctr, CGFS_READ_POLICY, &stats, &err));
	if (!stats.figure[CGFS_STAT_CHARGE_COUNT].available)
		world_skip(w, "memory is not counted in the kernel here");
	OK(cgfs_group_watch_memory(ctr, 8 * MIB, MIB, &err));
	pid = world_spawn_in(w, ctr);
	CHECK_INT(w->ops->alloc(w, pid, 10 * MIB), 0);
	r = latest(w, pod);
	CHECK_INT(r.key.kind, CGFS_CROSSED);
	CHECK_STR(r.value.container, "c1");
	CHECK_INT(r.value.level, CGFS_OF_CONTAINER);
	CHECK_INT(r.value.limit_bytes, 8 * MIB);
	CHECK(r.value.usage_bytes >= 8 * MIB);
	CHECK_INT(r.value.count, 1);
	CHECK_INT(r.value.pid, pid);
}

/* The group with the budget is full; its process is in the container "web/c1". */
static void check_refusals(struct world *w, struct cgfs_group *ctr, struct cgfs_group *full,
			   enum cgfs_history_level level, uint64_t limit)
{
	static const enum puppet_op ops[] = { PUPPET_FORK, PUPPET_EXEC, PUPPET_BRK };
	static const enum cgfs_history_call calls[] = { CGFS_CALL_FORK, CGFS_CALL_EXEC,
							CGFS_CALL_MAP };
	struct cgfs_resources res = CGFS_RESOURCES_INIT;
	struct cgfs_bpf_record was = { 0 }, r;
	struct cgfs_err why = { 0 };
	char name[16], command[1024], says[200], text[8192] = "";
	struct puppet p;
	FILE *f;

	res.set = CGFS_SET_MEMORY_ADMIT;
	res.memory_admit_bytes = limit;
	if (cgfs_group_set(full, &res, NULL, &why) < 0)
		world_skip(w, "no admission: %s", why.text);
	CHECK_INT(prctl(PR_GET_NAME, name), 0); /* a puppet's, too */
	p = puppet_in(ctr);
	puppet_fill(&p, 64);
	for (size_t i = 0; i < 2 * ARRAY_SIZE(ops); i++) {
		CHECK(puppet(&p, ops[i / 2]) != 0);
		r = latest(w, cgfs_group_pod(ctr));
		CHECK_INT(r.key.kind, CGFS_REFUSED);
		CHECK_INT(r.value.call, calls[i / 2]);
		CHECK_INT(r.value.level, level);
		CHECK_INT(r.value.limit_bytes, limit);
		CHECK(r.value.usage_bytes > limit / 2 && r.value.usage_bytes < 2 * limit);
		CHECK_STR(r.value.container, "c1");
		CHECK_INT(r.value.cgroup_id, cgfs_group_cgroup_id(ctr));
		CHECK_INT(r.value.pid, p.pid);
		CHECK_STR(r.value.comm, name);
		/* The same again is a count. */
		CHECK(i % 2 == 0 || r.value.count == was.value.count + 1);
		was = r;
	}
	if (getenv("CGFS_TEST_GUEST") && access("/bin/podctl", X_OK) == 0) {
		snprintf(command, sizeof(command), "/bin/podctl explain --root %s --pin-dir %s web",
			 w->root, w->pin_dir);
		f = popen(command, "re");
		CHECK(f && fread(text, 1, sizeof(text) - 1, f) > 0 && pclose(f) == 0);
		snprintf(says, sizeof(says),
			 "web/c1: %s (pid %d) was refused a new program: the %s was at its budget",
			 name, (int)p.pid, full == ctr ? "container" : "pod");
		CHECK_HAS(text, says);
	}
	puppet_end(&p);
	res.memory_admit_bytes = CGFS_MAX;
	OK(cgfs_group_set(full, &res, NULL, &err));
}

WORLD_TEST(history_keeps_refusals)
{
	struct cgfs *c = extra_context(w, WORLD_POLICY);
	struct cgfs_group *pod, *ctr;

	world_need(w, CGFS_MEMORY);
	pod = world_pod(w, c, "web", NULL);
	ctr = world_container(w, pod, c, "c1", NULL);
	check_refusals(w, ctr, ctr, CGFS_OF_CONTAINER, 16 * MIB);
	check_refusals(w, ctr, pod, CGFS_OF_POD, 24 * MIB);
}
#endif
