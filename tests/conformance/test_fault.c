// SPDX-License-Identifier: MIT
/*
 * test_fault.c - the fault sweep of a group's life: made, opened, listed, removed; and the table
 * of all sweeps, which must have every function of the library.
 *
 * On the fake hosts only (main.c): no kernel can be made to fail.
 */
#include "fault.h"

#include <stdlib.h>

/* -- make and open ----------------------------------------------------------------------------- */

static int made(struct scene *s, int r, struct cgfs_group **g)
{
	if (r < 0)
		CHECK(*g == NULL);
	else
		world_track(s->w, *g);
	return r;
}

static int run_create(struct scene *s, struct cgfs_err *err)
{
	struct cgfs_resources res = scene_limits(s, 1);

	return made(s, cgfs_pod_create(s->c, "web", &res, &s->pod, err), &s->pod);
}

static const struct cgfs_device_rule two_rules[] = {
	{ CGFS_DEVICE_CHAR, 1, 3, CGFS_ACCESS_ALL, true },
	{ CGFS_DEVICE_CHAR, 1, 5, CGFS_ACCESS_READ, true },
};

static int run_container(struct scene *s, struct cgfs_err *err)
{
	struct cgfs_resources res = scene_limits(s, 1);

	if (has(s, CGFS_DEVICES) || s->policy) {
		res.set |= CGFS_SET_DEVICES;
		res.devices = two_rules;
		res.n_devices = 2;
	}
	return made(s, cgfs_container_create(s->c, s->pod, "c1", &res, &s->ctr, err), &s->ctr);
}

static int run_standalone(struct scene *s, struct cgfs_err *err)
{
	return made(s, cgfs_container_create(s->c, NULL, "alone", NULL, &s->ctr, err), &s->ctr);
}

static void with_closed_pod(struct scene *s)
{
	with_container(s);
	world_close_group(s->w, s->ctr);
	world_close_group(s->w, s->pod);
	s->pod = s->ctr = NULL;
}

static int run_pod_open(struct scene *s, struct cgfs_err *err)
{
	return made(s, cgfs_pod_open(s->c, "web", &s->pod, err), &s->pod);
}

static void with_closed_container(struct scene *s)
{
	with_container(s);
	world_close_group(s->w, s->ctr);
	s->ctr = NULL;
}

static int run_container_open(struct scene *s, struct cgfs_err *err)
{
	return made(s, cgfs_container_open(s->c, s->pod, "c1", &s->ctr, err), &s->ctr);
}

/* Another context on the same host, as after a restart. */
static int run_context(struct scene *s, struct cgfs_err *err)
{
	struct cgfs_open_opts opts = CGFS_OPEN_OPTS_INIT;
	struct cgfs *c = NULL;
	int r;

	opts.root = s->w->root;
	opts.fs = fake_fs(world_fake(s->w));
	opts.mounts = fake_mounts(world_fake(s->w));
	opts.policy = fake_policy(world_fake(s->w), true);
	r = cgfs_open(&opts, &c, err);
	CHECK((c != NULL) == (r == 0));
	cgfs_close(c);
	return r;
}

static int run_delegate(struct scene *s, struct cgfs_err *err)
{
	return cgfs_group_delegate(s->ctr, 1000, 1000, err);
}

/* -- lists ------------------------------------------------------------------------------------- */

static int note_id(void *arg, const char *id)
{
	fault_out(arg, "%s\n", id);
	return 0;
}

static void with_some(struct scene *s)
{
	with_container(s);
	s->other = world_pod(s->w, s->c, "db", NULL);
	world_container(s->w, s->pod, s->c, "c2", NULL);
}

/* A context from before there was a root. */
static void with_late(struct scene *s)
{
	struct cgfs *early = s->c;

	s->c = world_context(s->w, WORLD_POLICY);
	s->other = world_pod(s->w, s->c, "db", NULL);
	s->pod = world_pod(s->w, s->c, "web", NULL);
	s->c = early;
}

static int run_pod_list(struct scene *s, struct cgfs_err *err)
{
	return cgfs_pod_list(s->c, note_id, s, err);
}

static int run_container_list(struct scene *s, struct cgfs_err *err)
{
	return cgfs_container_list(s->pod, note_id, s, err);
}

/* -- the end ----------------------------------------------------------------------------------- */

/* What the container's own processes made below it. */
static void with_nested(struct scene *s)
{
	with_container(s);
	for (int ctl = 0; ctl <= CGFS_CONTROLLER_COUNT; ctl++) {
		const char *parent = cgfs_group_path(s->ctr);
		char path[600];

		snprintf(path, sizeof(path), "%s/deep", parent);
		if (s->w->ops->exists(s->w, ctl, parent) && !s->w->ops->exists(s->w, ctl, path))
			CHECK_INT(s->w->ops->mkdir(s->w, ctl, path), 0);
	}
}

static int run_destroy(struct scene *s, struct cgfs_err *err)
{
	int r = cgfs_group_remove(s->pod, CGFS_REMOVE_OPTS_WAIT(PATIENCE_MS), err);

	if (r == 0)
		CHECK(!world_alive(s->w, s->pid));
	return r;
}

static int run_clear(struct scene *s, struct cgfs_err *err)
{
	int r = cgfs_group_clear(s->ctr, err);

	CHECK(world_alive(s->w, s->pid));
	return r;
}

static struct cgfs_remove_opts reclaiming(void)
{
	struct cgfs_remove_opts opts = CGFS_REMOVE_OPTS_INIT;

	opts.reclaim = true;
	return opts;
}

static int run_destroy_reclaiming(struct scene *s, struct cgfs_err *err)
{
	struct cgfs_remove_opts opts = reclaiming();
	int r;

	opts.wait = true;
	opts.timeout_ms = PATIENCE_MS;
	r = cgfs_group_remove(s->pod, &opts, err);

	if (r == 0)
		CHECK(!world_alive(s->w, s->pid));
	return r;
}

static int await_removal(struct scene *s, int r, struct cgfs_err *err)
{
	struct cgfs_event ev = CGFS_EVENT_INIT;

	if (r < 0 && !(s->again && r == -EALREADY))
		return r;
	for (unsigned int i = 0; i < PATIENCE_MS; i++) {
		r = cgfs_event_read(s->c, &ev, err);
		if (r < 0)
			return r;
		if (r == 1 && ev.type == CGFS_EVENT_REMOVED) {
			CHECK_INT(ev.error, 0);
			return 0;
		}
		/* For want of memory, its place in the queue reports it. */
		if (r == 1 && ev.type == CGFS_EVENT_LOST)
			return 0;
		if (r == 0)
			world_sleep_ms(1);
	}
	FAIL("no event said that it was removed");
}

static int run_remove(struct scene *s, struct cgfs_err *err)
{
	return await_removal(s, cgfs_group_remove(s->pod, NULL, err), err);
}

static int run_remove_reclaiming(struct scene *s, struct cgfs_err *err)
{
	struct cgfs_remove_opts opts = reclaiming();

	return await_removal(s, cgfs_group_remove(s->pod, &opts, err), err);
}

static void with_left(struct scene *s)
{
	with_some(s);
	while (s->w->n_groups > 0)
		world_close_group(s->w, s->w->groups[s->w->n_groups - 1]);
	s->pod = s->ctr = s->other = NULL;
}

static bool keep_db(void *arg, const char *id)
{
	return strcmp(id, "db") == 0;
}

/* "db" stays, and is in the state that is compared. */
static int run_sweep(struct scene *s, struct cgfs_err *err)
{
	size_t n = 99;
	int r = cgfs_sweep(s->c, keep_db, NULL, PATIENCE_MS, &n, err);

	CHECK(n <= 1);
	/* For the end of the test; it may meet the fault. */
	while (r == 0 && !s->other)
		made(s, cgfs_pod_open(s->c, "db", &s->other, NULL), &s->other);
	return r;
}

static void with_root(struct scene *s)
{
	with_pod(s);
	world_destroy(s->w, s->pod);
	s->pod = NULL;
}

static int run_root_remove(struct scene *s, struct cgfs_err *err)
{
	return cgfs_root_remove(s->c, err);
}

static int run_probe(struct scene *s, struct cgfs_err *err)
{
	static struct cgfs_capabilities caps = CGFS_CAPABILITIES_INIT;
	int r = cgfs_probe(s->c, &caps, err);

	if (r == 0)
		CHECK(caps.n > 10);
	return r;
}

#define GONE (FAKE_OPEN | FAKE_PREAD | FAKE_RMDIR | FAKE_LIST)

FAULT_OP(create_pod, "cgfs_pod_create cgfs_group_close", "create a pod", NULL, run_create, 0,
	 FAKE_OPEN | FAKE_WRITE)
FAULT_OP(create_container, "cgfs_container_create", "create a container", with_pod, run_container,
	 0, FAKE_OPEN | FAKE_WRITE)
FAULT_OP(create_standalone, "", "create a standalone container", NULL, run_standalone, 0, 0)
FAULT_OP(delegate, "cgfs_group_delegate", "delegate", with_container, run_delegate, 0,
	 FAKE_CHOWN | FAKE_OPEN)
FAULT_OP(open_pod, "cgfs_pod_open", "open a pod", with_closed_pod, run_pod_open, 0, GONE)
FAULT_OP(open_container, "cgfs_container_open", "open a container", with_closed_container,
	 run_container_open, 0, GONE)
FAULT_OP(open_context, "cgfs_open cgfs_close", "open a context", with_container, run_context, 0, 0)
FAULT_OP(list_pods, "cgfs_pod_list", "list pods", with_some, run_pod_list, 0, GONE)
FAULT_OP(list_late, "", "list another's pods", with_late, run_pod_list, 0, GONE)
FAULT_OP(list_containers, "cgfs_container_list", "list containers", with_some, run_container_list,
	 0, GONE)
FAULT_OP(clear, "cgfs_group_clear", "clear", with_nested, run_clear, GOES_ON | TRUSTS_ABSENCE, GONE)
FAULT_OP(destroy, "", "destroy", with_nested, run_destroy, GOES_ON, GONE)
FAULT_OP(destroy_reclaiming, "", "reclaim and destroy", with_nested, run_destroy_reclaiming,
	 GOES_ON | NEEDS_MEMORY | TRUSTS_ABSENCE, GONE)
FAULT_OP(remove, "cgfs_group_remove", "remove", with_nested, run_remove, GOES_ON, GONE)
FAULT_OP(remove_reclaiming, "", "reclaim and remove", with_nested, run_remove_reclaiming,
	 GOES_ON | NEEDS_MEMORY | TRUSTS_ABSENCE, GONE)
FAULT_OP(sweep, "cgfs_sweep", "sweep", with_left, run_sweep, GOES_ON | TRUSTS_ABSENCE, GONE)
FAULT_OP(root_remove, "cgfs_root_remove", "remove the root", with_root, run_root_remove,
	 GOES_ON | BUSY_ANSWERS, GONE | FAKE_WRITE)
FAULT_OP(probe, "cgfs_probe", "probe", with_pod, run_probe, GOES_ON | FINDS, GONE)

/* -- the table --------------------------------------------------------------------------------- */

static const struct fault_op *ops[256];
static size_t n_ops;

void fault_add(const struct fault_op *op)
{
	CHECK(n_ops < sizeof(ops) / sizeof(ops[0]));
	ops[n_ops++] = op;
}

static bool names(const char *symbols, const char *name)
{
	size_t n = strlen(name);

	for (const char *p = symbols; (p = strstr(p, name)); p += n) {
		if ((p == symbols || p[-1] == ' ') && (p[n] == ' ' || !p[n]))
			return true;
	}
	return false;
}

static bool swept(const char *symbol)
{
	for (size_t i = 0; i < n_ops; i++) {
		if (names(ops[i]->symbol, symbol))
			return true;
	}
	return false;
}

/* Every function of the library has a sweep. */
WORLD_TEST(fault_every_function)
{
	char line[256], name[128] = "cgfs_";
	unsigned int n = 0;
	FILE *f = fopen("cgfs/libcgfs.map", "re");

	if (!f)
		world_skip(w, "not run in the tree: no cgfs/libcgfs.map");
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, " cgfs_%120[a-z0-9_];", name + 5) != 1)
			continue;
		CHECK_MSG(swept(name), "%s of cgfs/libcgfs.map has no fault sweep", name);
		n++;
	}
	fclose(f);
	CHECK_MSG(n > 50, "%u functions in cgfs/libcgfs.map", n);
	world_note(w, "%u functions are swept", n);
}
