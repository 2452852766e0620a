// SPDX-License-Identifier: MIT
/*
 * test_fault.c - the fault sweep.  For each operation, each kind of call at the door, each
 * errno of a list: the first such call fails, then on a fresh host the second, and so on until
 * the operation gets by without meeting the fault.  After each: the error says what and where,
 * nothing is left half-done, and the host can be cleaned up.
 *
 * On the fake hosts only (main.c): nobody can tell a kernel to fail.
 */
#include "world.h"

#include <stdlib.h>

static const int errnos[] = { -EIO, -ENOMEM, -EACCES, -ENOENT, -EBUSY, -EMFILE, -EINTR };

struct scene {
	struct world *w; /* one fresh host */
	struct cgfs *c;
	struct cgfs_group *pod, *ctr;
	pid_t pid;
};

struct operation {
	const char *name;
	void (*prepare)(struct scene *s);
	int (*run)(struct scene *s, struct cgfs_err *err);
	/* What must hold after run() returned @r. */
	void (*judge)(struct scene *s, int r);
	/* Kinds of call for which ENOENT is an answer and no fault: no such file on this kernel,
	 * no such directory any more. */
	unsigned int absence;
};

static struct cgfs_resources limits(struct world *w, uint64_t scale)
{
	struct cgfs_resources res = CGFS_RESOURCES_INIT;

	if (world_version(w, CGFS_MEMORY) != CGFS_NONE) {
		res.set |= CGFS_SET_MEMORY_MAX;
		res.memory_max_bytes = scale * 64 * MIB;
	}
	res.set |= CGFS_SET_PIDS_MAX | CGFS_SET_CPU_WEIGHT | CGFS_SET_CPU_QUOTA;
	res.pids_max = 100 * scale;
	res.cpu_weight = 100 * scale;
	res.cpu_quota_us = 50000 * scale;
	return res;
}

/* -- the operations -------------------------------------------------------------------------------
 */

static void with_container(struct scene *s)
{
	struct cgfs_resources of_pod = limits(s->w, 4), of_ctr = limits(s->w, 1);

	s->pod = world_pod(s->w, s->c, "web", &of_pod);
	s->ctr = world_container(s->w, s->pod, s->c, "c1", &of_ctr);
	s->pid = world_spawn_in(s->w, s->ctr);
}

static int run_create(struct scene *s, struct cgfs_err *err)
{
	struct cgfs_resources res = limits(s->w, 1);
	int r = cgfs_pod_create(s->c, "web", &res, &s->pod, err);

	if (r == 0)
		world_track(s->w, s->pod);
	else
		CHECK(s->pod == NULL);
	return r;
}

static void check_limits(struct scene *s, struct cgfs_group *g, uint64_t scale)
{
	char text[32];

	snprintf(text, sizeof(text), "%u", (unsigned int)(100 * scale));
	CHECK_STR(world_cat(s->w, CGFS_PIDS, g, "pids.max"), text);
	if (world_version(s->w, CGFS_MEMORY) != CGFS_NONE)
		CHECK_INT(world_cat_number(s->w, CGFS_MEMORY, g,
					   world_v2(s->w, CGFS_MEMORY) ? "memory.max"
								       : "memory.limit_in_bytes"),
			  64 * MIB * scale);
	if (world_v2(s->w, CGFS_CPU)) {
		CHECK_INT(world_cat_number(s->w, CGFS_CPU, g, "cpu.weight"), 100 * scale);
	} else {
		CHECK_INT(world_cat_number(s->w, CGFS_CPU, g, "cpu.shares"),
			  cgfs_shares_from_weight(100 * scale));
		CHECK_INT(world_cat_number(s->w, CGFS_CPU, g, "cpu.cfs_quota_us"), 50000 * scale);
	}
}

static void judge_create(struct scene *s, int r)
{
	if (r == 0) {
		world_check_groups(s->w, 1);
		check_limits(s, s->pod, 1);
		return;
	}
	CHECK_INT(fake_directories(world_fake(s->w)), 0);
}

static void with_pod(struct scene *s)
{
	s->pod = world_pod(s->w, s->c, "web", NULL);
}

static int run_container(struct scene *s, struct cgfs_err *err)
{
	struct cgfs_resources res = limits(s->w, 1);
	int r = cgfs_container_create(s->c, s->pod, "c1", &res, &s->ctr, err);

	if (r == 0)
		world_track(s->w, s->ctr);
	else
		CHECK(s->ctr == NULL);
	return r;
}

static void judge_container(struct scene *s, int r)
{
	world_check_groups(s->w, r == 0 ? 2 : 1);
	if (r < 0) /* and the pod is as good as before */
		s->ctr = world_container(s->w, s->pod, s->c, "c1", NULL);
	else
		check_limits(s, s->ctr, 1);
	world_check_member(s->w, world_spawn_in(s->w, s->ctr), s->ctr);
}

static int run_set(struct scene *s, struct cgfs_err *err)
{
	struct cgfs_resources res = limits(s->w, 2);

	return cgfs_group_set(s->ctr, &res, err);
}

static void judge_set(struct scene *s, int r)
{
	check_limits(s, s->ctr, r == 0 ? 2 : 1);
	check_limits(s, s->pod, 4);
}

static void with_two_containers(struct scene *s)
{
	with_container(s);
	world_container(s->w, s->pod, s->c, "from", NULL);
	s->pid = world_spawn_in(s->w, s->w->groups[s->w->n_groups - 1]);
}

static int run_add_pid(struct scene *s, struct cgfs_err *err)
{
	return cgfs_group_add_pid(s->ctr, s->pid, err);
}

/* In one of the two, and in the same one everywhere. */
static void judge_add_pid(struct scene *s, int r)
{
	world_check_member(s->w, s->pid, r == 0 ? s->ctr : s->w->groups[s->w->n_groups - 1]);
}

static int run_stats(struct scene *s, struct cgfs_err *err)
{
	struct cgfs_stats stats;

	return cgfs_group_stats(s->ctr, CGFS_READ_ALL, &stats, err);
}

static void judge_stats(struct scene *s, int r)
{
	(void)r;
	/* A fault is no lasting blindness. */
	CHECK_INT(world_stat(s->ctr, CGFS_STAT_PIDS_CURRENT), 1);
	CHECK_INT(world_stat(s->ctr, CGFS_STAT_PIDS_MAX), 100);
	CHECK_INT(world_stat(s->ctr, CGFS_STAT_CPU_WEIGHT), 100);
	if (world_version(s->w, CGFS_MEMORY) != CGFS_NONE)
		CHECK_INT(world_stat(s->ctr, CGFS_STAT_MEMORY_MAX), 64 * MIB);
}

static int run_freeze(struct scene *s, struct cgfs_err *err)
{
	return cgfs_group_freeze(s->ctr, 1000, err);
}

static void judge_freeze(struct scene *s, int r)
{
	CHECK_MSG(s->w->ops->runs(s->w, s->pid) == (r < 0), "freeze said %d, the process %s", r,
		  r < 0 ? "is frozen" : "runs");
	OK(cgfs_group_thaw(s->ctr, &err));
	CHECK(s->w->ops->runs(s->w, s->pid));
}

static void with_frozen_container(struct scene *s)
{
	with_container(s);
	OK(cgfs_group_freeze(s->ctr, PATIENCE_MS, &err));
}

static int run_thaw(struct scene *s, struct cgfs_err *err)
{
	return cgfs_group_thaw(s->ctr, err);
}

static void judge_thaw(struct scene *s, int r)
{
	if (r < 0)
		OK(cgfs_group_thaw(s->ctr, &err));
	CHECK(s->w->ops->runs(s->w, s->pid));
}

static int run_kill(struct scene *s, struct cgfs_err *err)
{
	return cgfs_group_kill(s->ctr, err);
}

static void judge_kill(struct scene *s, int r)
{
	if (r < 0) {
		/* Not half-frozen, and not immune. */
		CHECK(!world_alive(s->w, s->pid) || s->w->ops->runs(s->w, s->pid));
		OK(cgfs_group_kill(s->ctr, &err));
	}
	CHECK(!world_alive(s->w, s->pid));
}

static int run_destroy(struct scene *s, struct cgfs_err *err)
{
	return cgfs_group_destroy(s->pod, PATIENCE_MS, err);
}

static void judge_destroy(struct scene *s, int r)
{
	if (r < 0)
		OK(cgfs_group_destroy(s->pod, PATIENCE_MS, &err));
	world_check_groups(s->w, 0);
	CHECK(!world_alive(s->w, s->pid));
}

static void with_closed_pod(struct scene *s)
{
	with_container(s);
	world_close_group(s->w, s->ctr);
	world_close_group(s->w, s->pod);
	s->pod = s->ctr = NULL;
}

static int run_open(struct scene *s, struct cgfs_err *err)
{
	int r = cgfs_pod_open(s->c, "web", &s->pod, err);

	if (r == 0)
		world_track(s->w, s->pod);
	return r;
}

static void judge_open(struct scene *s, int r)
{
	if (r < 0) {
		CHECK(s->pod == NULL);
		OK(run_open(s, &err));
	}
	check_limits(s, s->pod, 4);
	CHECK(world_alive(s->w, s->pid));
}

/* -- the sweep ------------------------------------------------------------------------------------
 */

/* Kinds of call that have a file to name. */
#define FILE_CALLS (FAKE_OPEN | FAKE_PREAD | FAKE_WRITE | FAKE_MKDIR | FAKE_RMDIR | FAKE_LIST)

static const char *call_name(unsigned int call)
{
	static const char *const names[] = { "open", "pread", "write",	"mkdir", "rmdir",
					     "list", "inode", "notify", "kill" };

	return names[__builtin_ctz(call)];
}

static void check_error(const struct operation *op, unsigned int call, unsigned int nth, int r,
			const struct cgfs_err *err)
{
	CHECK_MSG(err->code == r, "%s, %s %u: returned %d, but the error says %d", op->name,
		  call_name(call), nth, r, err->code);
	CHECK_MSG(err->text[0] && err->op[0], "%s, %s %u: no words for %d", op->name,
		  call_name(call), nth, r);
	if (call & FILE_CALLS)
		CHECK_MSG(strchr(err->text, '/') && err->path[0], "%s, %s %u: \"%s\" names no file",
			  op->name, call_name(call), nth, err->text);
}

/* One fresh host, one fault.  False when the operation never met it. */
static bool strike(struct world *outer, const struct operation *op, unsigned int call, int err,
		   unsigned int nth)
{
	struct world w = { .kind = outer->kind,
			   .ops = outer->ops,
			   .root = outer->root,
			   .report_fd = outer->report_fd };
	struct scene s = { .w = &w };
	struct cgfs_err e = { 0 };
	bool struck;
	int r;

	/* When a check fails, this line says where the sweep was. */
	printf("%s: call %u of %s fails with %s\n", op->name, nth, call_name(call), strerror(-err));
	world_open(&w);
	s.c = world_context(&w, WORLD_POLICY);
	if (op->prepare)
		op->prepare(&s);
	fake_fail(world_fake(&w), call, nth, err);
	r = op->run(&s, &e);
	struck = fake_struck(world_fake(&w));
	fake_fail(world_fake(&w), 0, 0, 0);
	CHECK_MSG(r <= 0, "%s: %d", op->name, r);
	CHECK_MSG(struck || r == 0, "%s without a fault: %d: %s", op->name, r, e.text);
	if (r < 0)
		check_error(op, call, nth, r, &e);
	op->judge(&s, r);
	world_close(&w);
	return struck;
}

static void sweep(struct world *w, const struct operation *op)
{
	unsigned int points = 0, faults = 0;

	for (unsigned int call = FAKE_OPEN; call <= FAKE_KILL; call <<= 1) {
		for (size_t i = 0; i < sizeof(errnos) / sizeof(errnos[0]); i++) {
			unsigned int nth = 1;

			if (errnos[i] == -ENOENT && (call & op->absence))
				continue;
			/* What is said on the way is of interest for the last one only. */
			while (strike(w, op, call, errnos[i], nth)) {
				nth++;
				fflush(stdout);
				CHECK(nth < 1000);
			}
			faults += nth - 1;
			if (i == 0)
				points += nth - 1;
		}
	}
	CHECK_MSG(points > 0, "%s met no fault at all", op->name);
	world_note(w, "%s: %s: %u fault points, %u faults", w->kind->name, op->name, points,
		   faults);
}

#define SWEEP(fn, words, before, call, after, ignore)                                              \
	static void fn(struct world *w)                                                            \
	{                                                                                          \
		static const struct operation op = { words, before, call, after, ignore };         \
                                                                                                   \
		sweep(w, &op);                                                                     \
	}

#define GONE (FAKE_OPEN | FAKE_PREAD | FAKE_RMDIR | FAKE_LIST)

SWEEP(sweep_create, "create a pod", NULL, run_create, judge_create, 0)
SWEEP(sweep_container, "create a container", with_pod, run_container, judge_container, 0)
SWEEP(sweep_set, "set limits", with_container, run_set, judge_set, 0)
SWEEP(sweep_add_pid, "add a process", with_two_containers, run_add_pid, judge_add_pid, 0)
SWEEP(sweep_stats, "read stats", with_container, run_stats, judge_stats, FAKE_OPEN)
SWEEP(sweep_freeze, "freeze", with_container, run_freeze, judge_freeze, 0)
SWEEP(sweep_thaw, "thaw", with_frozen_container, run_thaw, judge_thaw, 0)
SWEEP(sweep_kill, "kill", with_container, run_kill, judge_kill, GONE)
SWEEP(sweep_destroy, "destroy", with_container, run_destroy, judge_destroy, GONE)
SWEEP(sweep_open, "open a pod", with_closed_pod, run_open, judge_open, GONE)

const struct world_test fault_tests[] = {
	{ "fault_create_pod", sweep_create },
	{ "fault_create_container", sweep_container },
	{ "fault_set", sweep_set },
	{ "fault_add_pid", sweep_add_pid },
	{ "fault_stats", sweep_stats },
	{ "fault_freeze", sweep_freeze },
	{ "fault_thaw", sweep_thaw },
	{ "fault_kill", sweep_kill },
	{ "fault_destroy", sweep_destroy },
	{ "fault_open_pod", sweep_open },
	{ NULL, NULL },
};
