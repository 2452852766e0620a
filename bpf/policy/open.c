/* SPDX-License-Identifier: MIT */
/*
 * open.c - the public face of libcgfs-bpf: one handle for the programs, maps and pins of a
 * pin directory.  Owns the table of objects, and the order in which they are opened and closed.
 */
#include "bpf/admit/admit.h"
#include "bpf/device/device.h"
#include "bpf/memory/memory.h"
#include "bpf/oom/oom.h"
#include "bpf/policy/policy.h"
#include "bpf/report/report.h"
#include "cgfs/base/sized.h"

#include <stdio.h>

#define PIN_DIR_DEFAULT "/sys/fs/bpf/cgfs"
#define PIN_DIR_MAX	400

/* Adding an object is a folder, its abi header, and a row here. */
static const struct object_ops *const objects[] = {
	&cgfs_bpf_group_object,	 &cgfs_bpf_device_object, &cgfs_bpf_oom_object,
	&cgfs_bpf_memory_object, &cgfs_bpf_report_object, &cgfs_bpf_admit_object,
};
_Static_assert(ARRAY_SIZE(objects) <= OBJECTS_MAX, "the handle has room for all objects");

/* The object that reports such events, when it is loaded. */
static struct object *reporter(const struct cgfs_bpf *b, enum cgfs_event_type type)
{
	for (size_t i = 0; i < b->n; i++)
		if (b->object[i]->on && b->object[i]->ops->reports == type)
			return b->object[i];
	return NULL;
}

bool cgfs_bpf_all_pinned(const struct cgfs_bpf *b)
{
	for (size_t i = 0; i < b->n; i++)
		if (b->object[i]->ops->required && !cgfs_bpf_object_pinned(b->object[i]))
			return false;
	return true;
}

static bool reports_oom(void *ctx)
{
	struct cgfs_bpf *b = ctx;

	return b->events.epoll_fd >= 0 && reporter(b, CGFS_EVENT_OOM_KILL);
}

static struct device *device_of(const struct cgfs_bpf *b)
{
	return (struct device *)reporter(b, CGFS_EVENT_DEVICE_DENIED);
}

static int get_rules(void *ctx, const struct cgfs_policy_group *group,
		     struct cgfs_device_rule **ret, size_t *ret_n, struct cgfs_err *reterr)
{
	return cgfs_bpf_device_list(device_of(ctx), group, ret, ret_n, reterr);
}

static int foreign_programs(void *ctx, const struct cgfs_policy_group *group,
			    int (*fn)(void *arg, uint32_t id, const char *name), void *arg)
{
	return cgfs_bpf_device_foreign(device_of(ctx), group, fn, arg);
}

static struct object *find_object(const struct cgfs_bpf *b, const char *name)
{
	for (size_t i = 0; i < b->n; i++)
		if (streq(b->object[i]->ops->name, name))
			return b->object[i];
	return NULL;
}

static struct memory *memory_of(void *ctx)
{
	return (struct memory *)reporter(ctx, CGFS_EVENT_MEMORY_THRESHOLD);
}

/* By its table, not by its name: this is looked for once for each group. */
static struct object *report_of(const struct cgfs_bpf *b)
{
	for (size_t i = 0; i < b->n; i++)
		if (b->object[i]->ops == &cgfs_bpf_report_object && b->object[i]->on)
			return b->object[i];
	return NULL;
}

/* Does any object need to know where a group's memory is charged? */
static bool counts_memory(void *ctx)
{
	struct cgfs_bpf *b = ctx;

	return memory_of(b) || report_of(b) || reporter(b, CGFS_EVENT_OOM_KILL);
}

static int watch_memory(void *ctx, uint64_t cgroup_id, const struct cgfs_memory_line *lines,
			size_t n, struct cgfs_err *reterr)
{
	struct cgfs_bpf *b = ctx;
	int r;

	if (!memory_of(b) || b->events.epoll_fd < 0)
		return cgfs_err_set(reterr, -EOPNOTSUPP, "watch memory", NULL, NULL,
				    "memory is not counted by eBPF, or its events go elsewhere");
	r = cgfs_bpf_writable(&b->pins, reterr);
	if (r == 0)
		r = cgfs_bpf_lock(&b->pins, reterr);
	if (r < 0)
		return r;
	r = cgfs_bpf_memory_watch(memory_of(b), cgroup_id, lines, n, reterr);
	cgfs_bpf_unlock(&b->pins);
	return r;
}

static int crossed_memory(void *ctx, uint64_t cgroup_id, uint64_t bytes)
{
	struct memory *m = memory_of(ctx);

	return m ? cgfs_bpf_memory_crossed(m, cgroup_id, bytes) : -EOPNOTSUPP;
}

/* With its events, or not at all: it would stay without them. */
static int with_events(struct cgfs_bpf *b, struct object *o, struct cgfs_err *reterr)
{
	bool made = o->made;
	int r = cgfs_bpf_events_add(b, o, reterr);

	if (r == 0)
		return 0;
	cgfs_bpf_object_close(o);
	if (made)
		ignore(cgfs_bpf_object_unpin(o, NULL));
	return r;
}

/* Takes over what enforces budgets when another process has pinned it since. */
static int find_admission(struct cgfs_bpf *b, struct object **ret, struct cgfs_err *reterr)
{
	struct object *o = find_object(b, cgfs_bpf_admit_object.name);
	int r;

	*ret = o;
	if (o->on || !cgfs_bpf_object_pinned(o))
		return 0;
	r = cgfs_bpf_object_adopt(o, reterr);
	return r < 0 ? r : with_events(b, o, reterr);
}

void cgfs_bpf_find_late(struct cgfs_bpf *b)
{
	struct object *o;

	ignore(find_admission(b, &o, NULL));
}

/* A process that lives has them loaded, and pins them again. */
int cgfs_bpf_clear_budget(struct cgfs_bpf *b, const struct cgfs_policy_group *group,
			  struct cgfs_err *reterr)
{
	struct object *o;
	int r = find_admission(b, &o, reterr);

	if (r < 0 || (!o->on && !cgfs_bpf_alone(&b->pins)))
		return 0;
	return cgfs_bpf_admit_clear(o, group, reterr);
}

/* The first budget loads what enforces it. */
static int admission(struct cgfs_bpf *b, struct object **ret, struct cgfs_err *reterr)
{
	struct cgfs_err err = { 0 };
	struct object *o;
	int r = find_admission(b, ret, &err);

	o = *ret;
	o->asked = true;
	if (r == 0 && !o->on) {
		r = cgfs_bpf_object_make(o, &err);
		if (r == 0)
			r = with_events(b, o, &err);
	}
	if (r < 0) {
		snprintf(o->why, sizeof(o->why), "%.159s", err.text);
		if (reterr)
			*reterr = err;
	}
	return r;
}

static int change_admission(struct cgfs_bpf *b, const struct cgfs_policy_group *group,
			    const struct cgfs_policy_admit *admit, struct cgfs_err *reterr)
{
	struct object *o;
	struct cgfs_group there;
	int r = cgfs_bpf_group_read(b->groups, group->cgroup_id, &there);
	bool none = admit->budget_bytes == CGFS_MAX && !admit->follows && !admit->exempt;

	/* All pins may have gone, and not those of its budget alone. */
	if (r == -ENOENT && none) {
		if (cgfs_bpf_device_elsewhere(device_of(b), group))
			return err_why(reterr, -EBUSY, "lift the budget of", label(group),
				       "it is bound by the policy of another pin directory");
		return cgfs_bpf_clear_budget(b, group, reterr);
	}
	if (r < 0)
		return err_why(reterr, r, "give a budget to", label(group),
			       "the policy does not know it");
	r = admission(b, &o, reterr);
	return r < 0 ? r : cgfs_bpf_admit_set(o, group, admit, reterr);
}

static int admit_memory(void *ctx, const struct cgfs_policy_group *group,
			const struct cgfs_policy_admit *admit, struct cgfs_err *reterr)
{
	struct cgfs_bpf *b = ctx;
	int r = cgfs_bpf_writable(&b->pins, reterr);

	for (size_t i = 0; i < ARRAY_SIZE(admit->reserved) && r == 0; i++)
		if (admit->reserved[i])
			r = cgfs_err_set(reterr, -E2BIG, "give a budget to", NULL, NULL,
					 "a member that this version does not know is set");
	if (r == 0)
		r = cgfs_bpf_lock(&b->pins, reterr);
	if (r < 0)
		return r;
	r = change_admission(b, group, admit, reterr);
	cgfs_bpf_unlock(&b->pins);
	return r;
}

static int hold_memory(void *ctx, const struct cgfs_policy_group *group, uint64_t ms, bool all,
		       struct cgfs_err *reterr)
{
	struct cgfs_bpf *b = ctx;
	struct object *o;
	int r = find_admission(b, &o, reterr);

	if (r == 0 && o->on)
		r = cgfs_bpf_writable(&b->pins, reterr);
	if (r == 0 && o->on)
		r = cgfs_bpf_lock(&b->pins, reterr);
	if (r < 0 || !o->on)
		return r;
	r = cgfs_bpf_admit_hold(o, group, ms, all, reterr);
	cgfs_bpf_unlock(&b->pins);
	return r;
}

static int report_memory(void *ctx, uint64_t *ret_session)
{
	struct object *o = report_of(ctx);

	return o ? cgfs_bpf_report_read(o, ret_session) : -EOPNOTSUPP;
}

static int reported_memory(void *ctx, uint64_t cgroup_id, uint64_t session,
			   struct cgfs_policy_memory *ret)
{
	struct cgfs_policy_memory own = { .sz = sizeof(own) };
	struct object *o = report_of(ctx);
	int r = o ? cgfs_bpf_report_get(o, cgroup_id, session, &own.figures) : -EOPNOTSUPP;

	if (r == 0)
		SIZED_OUT(ret, &own);
	return r;
}

static const struct cgfs_policy_ops ops = {
	.sz = sizeof(ops),
	.add = cgfs_bpf_add,
	.set_rules = cgfs_bpf_set_rules,
	.remove = cgfs_bpf_remove,
	.sweep = cgfs_bpf_sweep,
	.counters = cgfs_bpf_counters,
	.event_fd = cgfs_bpf_event_fd,
	.event_read = cgfs_bpf_event_read,
	.reports_oom = reports_oom,
	.probe = cgfs_bpf_probe,
	.get_rules = get_rules,
	.counts_memory = counts_memory,
	.watch_memory = watch_memory,
	.crossed_memory = crossed_memory,
	.admit_memory = admit_memory,
	.hold_memory = hold_memory,
	.report_memory = report_memory,
	.reported_memory = reported_memory,
	.foreign_programs = foreign_programs,
};

static int check_opts(const struct cgfs_bpf_opts *opts, struct cgfs_err *reterr)
{
	if (opts->events && opts->no_kills)
		return cgfs_err_set(reterr, -EINVAL, "open device policy", NULL, NULL,
				    "events without kills");
	if (opts->pin_dir && (opts->pin_dir[0] != '/' || strlen(opts->pin_dir) > PIN_DIR_MAX))
		return cgfs_err_set(
			reterr, -EINVAL, "open device policy", NULL, opts->pin_dir,
			"the pin directory must be an absolute path of at most %d bytes",
			PIN_DIR_MAX);
	return 0;
}

static struct cgfs_bpf *handle_new(const char *pin_dir, bool read_only)
{
	struct cgfs_bpf *b = calloc(1, sizeof(*b));
	size_t len;

	if (!b)
		return NULL;
	b->policy = (struct cgfs_policy){ .sz = sizeof(b->policy), .ops = &ops, .ctx = b };
	b->pins.read_only = read_only;
	b->pins.recover = cgfs_bpf_recover;
	b->pins.fd = b->pins.used_fd = b->pins.events_fd = -EBADF;
	b->events.epoll_fd = b->events.timer_fd = b->events.watch.fd = -EBADF;
	b->pins.dir = strdup(pin_dir);
	for (; b->n < ARRAY_SIZE(objects); b->n++) {
		b->object[b->n] = cgfs_bpf_object_new(objects[b->n], &b->pins, b->object[0]);
		if (!b->object[b->n])
			break;
	}
	b->groups = (struct groups *)b->object[0];
	if (!b->pins.dir || b->n < ARRAY_SIZE(objects)) {
		cgfs_bpf_close(b);
		return NULL;
	}
	len = strlen(b->pins.dir);
	while (len > 1 && b->pins.dir[len - 1] == '/')
		b->pins.dir[--len] = '\0';
	return b;
}

/* @fresh: the maps that all share are new, so what is pinned of the object is what a crash left. */
static int open_object(struct object *o, bool fresh, bool make, struct cgfs_err *reterr)
{
	struct cgfs_err err;
	int r;

	if (!reterr)
		reterr = &err;
	r = cgfs_err_set(reterr, -ENOENT, "open", o->ops->name, NULL, "it is not pinned");
	if (!fresh && cgfs_bpf_object_pinned(o))
		r = cgfs_bpf_object_adopt(o, reterr);
	/* A policy of another version stays in force.  What only counts is made anew. */
	if (make && (r == -ENOENT || !o->ops->required) && r < 0)
		r = cgfs_bpf_object_make(o, reterr);
	if (r == 0 || o->ops->required)
		return r;
	snprintf(o->why, sizeof(o->why), "%.159s", reterr->text);
	return 0;
}

static int open_objects(struct cgfs_bpf *b, const struct cgfs_bpf_opts *opts,
			struct cgfs_err *reterr)
{
	bool fresh = !cgfs_bpf_all_pinned(b);
	int r = 0;

	for (size_t i = 0; i < b->n && r == 0; i++) {
		struct object *o = b->object[i];
		bool anew;

		o->read = o->ops->reads ? find_object(b, o->ops->reads) : NULL;
		anew = fresh || (o->read && o->read->made);
		o->asked = o->ops->required || o->ops->wanted(opts);
		r = open_object(o, anew, !opts->read_only && o->asked, reterr);
	}
	return r;
}

static int open_pins(struct cgfs_bpf *b, const struct cgfs_bpf_opts *opts, struct cgfs_err *reterr)
{
	int r = cgfs_bpf_pins_open(&b->pins, reterr);

	if (r < 0)
		return r;
	r = cgfs_bpf_lock(&b->pins, reterr);
	if (r < 0)
		return r;
	r = open_objects(b, opts, reterr);
	if (r == 0 && !b->pins.read_only)
		r = cgfs_bpf_use(&b->pins, reterr);
	if (r < 0 && !b->pins.read_only && !cgfs_bpf_all_pinned(b))
		ignore(cgfs_bpf_pins_remove(&b->pins, NULL)); /* directories for nothing */
	cgfs_bpf_unlock(&b->pins);
	return r;
}

int cgfs_bpf_open(const struct cgfs_bpf_opts *user, struct cgfs_bpf **ret, struct cgfs_err *reterr)
{
	struct cgfs_bpf_opts opts;
	const char *pin_dir;
	struct cgfs_bpf *b;
	int r = sized_in(&opts, sizeof(opts), user, "opts", reterr);

	if (r < 0)
		return cgfs_err_context(reterr, r, "open device policy");
	r = check_opts(&opts, reterr);
	if (r < 0)
		return r;
	pin_dir = opts.pin_dir ? opts.pin_dir : PIN_DIR_DEFAULT;
	for (int tries = 0;; tries++) {
		b = handle_new(pin_dir, opts.read_only);
		if (!b)
			return cgfs_err_set(reterr, -ENOMEM, "open device policy", pin_dir, NULL,
					    NULL);
		r = open_pins(b, &opts, reterr);
		/* Another process may be removing the directory meanwhile. */
		if ((r != -ESTALE && r != -ENOENT) || tries == 3 || opts.read_only)
			break;
		cgfs_bpf_close(b);
	}
	if (r == 0 && opts.events)
		r = cgfs_bpf_events_open(b, reterr);
	if (r < 0) {
		cgfs_bpf_close(b);
		return cgfs_err_context(reterr, r, "open device policy");
	}
	*ret = b;
	return 0;
}

const struct cgfs_policy *cgfs_bpf_policy(struct cgfs_bpf *bpf)
{
	return &bpf->policy;
}

void cgfs_bpf_close(struct cgfs_bpf *bpf)
{
	if (!bpf)
		return;
	/* One that takes the lock may have to pin all others again. */
	for (size_t i = bpf->n; i-- > 0;)
		if (bpf->object[i]->ops->close)
			bpf->object[i]->ops->close(bpf->object[i]);
	cgfs_bpf_events_close(bpf);
	for (size_t i = bpf->n; i-- > 0;)
		cgfs_bpf_object_free(bpf->object[i]);
	cgfs_bpf_pins_close(&bpf->pins);
	free(bpf->pins.dir);
	free(bpf);
}

int cgfs_bpf_unpin(struct cgfs_bpf *bpf, struct cgfs_err *reterr)
{
	int r = cgfs_bpf_writable(&bpf->pins, reterr);

	if (r == 0)
		r = cgfs_bpf_lock(&bpf->pins, reterr);
	if (r < 0)
		return r;
	r = cgfs_bpf_no_groups(bpf, reterr);
	if (r == 0)
		r = cgfs_bpf_use_alone(&bpf->pins, reterr);
	if (r == 0)
		cgfs_bpf_watch_close(bpf);
	for (size_t i = bpf->n; i-- > 0 && r == 0;)
		r = cgfs_bpf_object_unpin(bpf->object[i], reterr);
	if (r == 0)
		r = cgfs_bpf_pins_remove(&bpf->pins, reterr);
	cgfs_bpf_unlock(&bpf->pins);
	return r;
}
