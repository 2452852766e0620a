// SPDX-License-Identifier: MIT
/*
 * fault.c - the fault sweep's engine: see fault.h.  For each variety of host, each kind of call and
 * each errno: the first such call fails, then on a fresh host the second, and so on until the
 * operation gets by without meeting the fault.
 */
#include "fault.h"
#include "mishap.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

/* The host, and what of it the library is allowed to use. */
enum variety {
	WITH_POLICY, /* device policy and kill attribution, where there is a cgroup2 tree */
	FILES_ONLY,
	PARTIAL, /* no memory, io, cpuset and freezer controllers at all */
	VARIETIES,
};

static const char *const variety_names[] = { "policy", "files", "partial" };

#define PARTIAL_CONTROLLERS                                                                        \
	(~(1u << CGFS_MEMORY | 1u << CGFS_IO | 1u << CGFS_CPUSET | 1u << CGFS_FREEZER))

/* Kinds of call that have a file to name. */
#define FILE_CALLS  (FAKE_OPEN | FAKE_PREAD | FAKE_WRITE | FAKE_MKDIR | FAKE_RMDIR | FAKE_LIST)
#define MISHAP_BASE 24 /* kinds from here on are of mishap.h */

#define SOME EINTR, EBUSY, ENOENT, ENODEV, EINVAL, ERANGE, EACCES, ENOSPC, ENOMEM, EOPNOTSUPP, EIO

/* What can fail, and how; the first two errnos are for the kernels that are swept in brief. */
static const struct kind {
	const char *name;
	unsigned int bit;
	int errnos[14];
} kinds[] = {
	{ "open", FAKE_OPEN, { EIO, ENOENT, SOME, EMFILE } },
	{ "read",
	  FAKE_PREAD,
	  { EIO, ENODEV, EINTR, EBUSY, EINVAL, ERANGE, EACCES, ENOSPC, ENOMEM, EOPNOTSUPP } },
	{ "write", FAKE_WRITE, { EIO, EBUSY, SOME } },
	{ "mkdir", FAKE_MKDIR, { ENOMEM, ENOENT, SOME, EAGAIN } },
	{ "rmdir", FAKE_RMDIR, { EIO, EBUSY, SOME, ENOTEMPTY } },
	{ "list", FAKE_LIST, { EIO, ENOENT, SOME, EMFILE } },
	{ "stat", FAKE_INODE, { EIO, ENOMEM, EACCES } },
	{ "inotify", FAKE_NOTIFY, { ENOSPC, ENOMEM, EMFILE, EACCES, ENOENT, EINVAL } },
	{ "kill", FAKE_KILL, { EPERM, EINVAL, EACCES, ENOMEM } },
	{ "owner", FAKE_OWNER, { EIO, ENOMEM, EACCES } },
	{ "chown", FAKE_CHOWN, { EIO, EPERM, EACCES, ENOMEM, EINVAL } },
	{ "note", FAKE_NOTE, { EOPNOTSUPP, ENOSPC, EPERM, EIO, ENOMEM, EACCES, ERANGE } },
	{ "policy sweep", FAKE_POLICY_SWEEP, { EIO, ENOMEM, EPERM } },
	{ "policy add", FAKE_POLICY_ADD, { ENOSPC, ENOMEM, EPERM, EINVAL, EIO, E2BIG, EBUSY } },
	{ "policy rules", FAKE_POLICY_SET_RULES, { ENOSPC, ENOMEM, EPERM, EINVAL, EIO, E2BIG } },
	{ "policy remove", FAKE_POLICY_REMOVE, { EIO, ENOMEM, EPERM, EACCES } },
	{ "policy counters", FAKE_POLICY_COUNTERS, { EIO, ENOMEM, EPERM } },
	{ "policy event fd", FAKE_POLICY_EVENT_FD, { EMFILE, ENOMEM, EIO } },
	{ "policy event", FAKE_POLICY_EVENT_READ, { EIO, ENOMEM, EINVAL } },
	{ "policy probe", FAKE_POLICY_PROBE, { EIO, ENOMEM, EPERM } },
	{ "policy get rules", FAKE_POLICY_GET_RULES, { EIO, ENOMEM, EPERM, EBUSY } },
	{ "allocation", MISHAP_ALLOC << MISHAP_BASE, { ENOMEM } },
	{ "descriptor", MISHAP_FD << MISHAP_BASE, { EMFILE, ENOMEM, ENFILE, ENOSPC } },
	{ "wait", MISHAP_WAIT << MISHAP_BASE, { EINTR } },
};
#define N_KINDS (sizeof(kinds) / sizeof(kinds[0]))

struct point {
	const struct fault_op *op;
	enum variety variety;
	const struct kind *kind; /* NULL: nothing fails */
	int err;		 /* negative */
	unsigned int nth;
};

void fault_out(struct scene *s, const char *fmt, ...)
{
	size_t at = strlen(s->out);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(s->out + at, sizeof(s->out) - at, fmt, ap);
	va_end(ap);
}

static void arm(struct scene *s, const struct point *p)
{
	if (!p->kind)
		return;
	if (p->kind->bit >> MISHAP_BASE)
		mishap_arm(p->kind->bit >> MISHAP_BASE, p->nth, p->err);
	else
		fake_fail(world_fake(s->w), p->kind->bit, p->nth, p->err);
}

static bool disarm(struct scene *s)
{
	bool struck = fake_struck(world_fake(s->w)) || mishap_struck();

	fake_fail(world_fake(s->w), 0, 0, 0);
	mishap_arm(0, 0, 0);
	return struck;
}

/* Where the sweep is, for a check that fails. */
static const char *where(const struct point *p)
{
	static char texts[2][256], *text;
	static unsigned int turn;

	text = texts[turn++ % 2];
	if (!p->kind)
		snprintf(text, sizeof(texts[0]), "%s (%s)", p->op->name, variety_names[p->variety]);
	else
		snprintf(text, sizeof(texts[0]), "%s (%s), %s %u fails with %s", p->op->name,
			 variety_names[p->variety], p->kind->name, p->nth, strerror(-p->err));
	return text;
}

/* The kernel's error for a file that it does not have, or no longer has, is an answer. */
static bool absent(const struct point *p)
{
	if (!p->kind || !(p->kind->bit & p->op->absence))
		return false;
	if ((p->op->flags & BUSY_ANSWERS) && p->err == -EBUSY)
		return true;
	if ((p->op->flags & FINDS) && (p->err == -ENODEV || p->err == -EOPNOTSUPP))
		return true;
	return p->err == (p->kind->bit == FAKE_PREAD ? -ENODEV : -ENOENT);
}

/* -- the judges -------------------------------------------------------------------------------- */

static void same(const struct point *p, const char *what, const char *is, const char *was)
{
	size_t at = 0, line = 0;

	while (is[at] && is[at] == was[at]) {
		if (is[at++] == '\n')
			line = at;
	}
	if (is[at] || was[at])
		FAIL("%s: %s: \"%.*s\", not \"%.*s\"", where(p), what,
		     (int)strcspn(is + line, "\n"), is + line, (int)strcspn(was + line, "\n"),
		     was + line);
}

static void check_error(const struct point *p, int r, const struct cgfs_err *err, const char *path,
			const char *value)
{
	size_t n;

	CHECK_MSG(err->code == r, "%s: returned %d, but the error says %d", where(p), r, err->code);
	CHECK_MSG(err->text[0] && err->op[0], "%s: no words for %d", where(p), r);
	if (!(p->kind->bit & FILE_CALLS))
		return;
	/* There is none of this name, and nothing else to report. */
	if (absent(p) || strncmp(err->path, "/sys/kernel/", 12) == 0)
		return;
	/* A directory that cannot be opened may stand for the file in it that was wanted, and one
	 * below a group for the group's. */
	n = (size_t)(strrchr(err->path, '/') ? strrchr(err->path, '/') - err->path : 0);
	n = strlen(path) < n ? strlen(path) : n;
	CHECK_MSG(err->path[0] == '/' && strstr(err->text, err->path) &&
			  (strncmp(path, err->path, n) == 0 || (p->op->flags & GOES_ON)),
		  "%s: \"%s\" (%s) does not name %s", where(p), err->text, err->path, path);
	if ((p->kind->bit & FAKE_WRITE) && !(p->op->flags & GOES_ON))
		CHECK_MSG(strcmp(path, err->path) == 0 &&
				  (strcmp(value, err->value) == 0 ||
				   (err->value[0] && strstr(path, err->value))),
			  "%s: \"%s\" does not name %s and \"%s\"", where(p), err->text, path,
			  value);
}

/* -- one point --------------------------------------------------------------------------------- */

static struct cgfs *context(struct world *w, enum variety variety)
{
	return world_context_with(w, variety == FILES_ONLY ? WORLD_FILES : WORLD_POLICY,
				  variety == PARTIAL ? PARTIAL_CONTROLLERS : 0);
}

/* The state without any fault, which is also that after the fault has been got over. */
struct reference {
	char *before, *state, out[8192];
};

static bool possible(const struct scene *s, const struct fault_op *op)
{
	return (!(op->flags & NEEDS_MEMORY) || has(s, CGFS_MEMORY)) &&
	       (!(op->flags & NEEDS_HUGETLB) || has(s, CGFS_HUGETLB)) &&
	       (!(op->flags & NEEDS_CPUSET) || has(s, CGFS_CPUSET)) &&
	       (!(op->flags & NEEDS_RDMA) || has(s, CGFS_RDMA)) &&
	       (!(op->flags & NEEDS_MISC) || has(s, CGFS_MISC)) &&
	       (!(op->flags & V1_ONLY) || world_version(s->w, UNIFIED) == CGFS_NONE) &&
	       (!(op->flags & NEEDS_CGROUP2) || world_version(s->w, UNIFIED) != CGFS_NONE) &&
	       (!(op->flags & NEEDS_DEVICES) || has(s, CGFS_DEVICES) || s->policy) &&
	       (!(op->flags & NEEDS_IO) || has(s, CGFS_IO)) &&
	       (!(op->flags & NEEDS_FREEZER) || has(s, CGFS_FREEZER) ||
		world_version(s->w, UNIFIED) != CGFS_NONE);
}

/* 1 when the call failed, 0 when not; *ret_struck: it met the fault. */
static int attempt(struct scene *s, const struct point *p, const char *before, bool *ret_struck)
{
	struct cgfs_err err = { 0 };
	char path[4096], value[64];
	char *after;
	int r;

	arm(s, p);
	r = p->op->run(s, &err);
	snprintf(path, sizeof(path), "%s", fake_struck_path(world_fake(s->w)));
	snprintf(value, sizeof(value), "%s", fake_struck_value(world_fake(s->w)));
	*ret_struck = disarm(s);
	CHECK_MSG(r <= 0, "%s: %d", where(p), r);
	CHECK_MSG(*ret_struck || r == 0, "%s: without a fault: %d: %s", where(p), r, err.text);
	if (r < 0)
		check_error(p, r, &err, path, value);
	if (r < 0 && !(p->op->flags & GOES_ON)) {
		after = fake_dump(world_fake(s->w));
		same(p, "it failed, but left", after, before);
		free(after);
	}
	return r < 0;
}

/* One fresh host, one fault.  False when the operation never met it, or cannot be here. */
static bool strike(struct world *outer, const struct point *p, struct reference *ref)
{
	struct world w = { .kind = outer->kind,
			   .ops = outer->ops,
			   .root = outer->root,
			   .report_fd = outer->report_fd };
	struct scene s = { .w = &w };
	bool struck = false;
	char *state;

	check_where = where(p);
	world_open(&w);
	s.c = context(&w, p->variety);
	s.policy = p->variety != FILES_ONLY && world_version(&w, UNIFIED) != CGFS_NONE;
	if (!possible(&s, p->op)) {
		world_close(&w);
		check_where = NULL;
		return false;
	}
	if (p->op->prepare)
		p->op->prepare(&s);
	s.out[0] = '\0';
	/* It is the same on every fresh host. */
	if (!ref->before)
		ref->before = fake_dump(world_fake(&w));
	if (attempt(&s, p, ref->before, &struck)) {
		const struct point again = { p->op, p->variety, NULL, 0, 0 };
		bool none;

		s.out[0] = '\0';
		s.again = true;
		CHECK_MSG(!attempt(&s, &again, ref->before, &none), "%s: and fails again",
			  where(p));
	} else if (absent(p)) {
		goto judged;
	}
	state = fake_dump(world_fake(&w));
	if (!ref->state) {
		ref->state = state;
		memcpy(ref->out, s.out, sizeof(ref->out));
	} else {
		same(p, "it succeeded, but left", state, ref->state);
		same(p, "it succeeded, but returned", s.out, ref->out);
		free(state);
	}
judged:
	check_where = where(p);
	world_close(&w);
	check_where = NULL;
	return struck;
}

/* -- the sweep --------------------------------------------------------------------------------- */

static unsigned int sweep_kind(struct world *w, struct point *p, struct reference *ref, bool brief,
			       unsigned int *faults)
{
	unsigned int points = 0;

	for (size_t i = 0; p->kind->errnos[i] && !(brief && i == 2); i++) {
		p->err = -p->kind->errnos[i];
		/* Those in front of the list come once. */
		for (size_t k = 0; k < i; k++) {
			if (p->kind->errnos[k] == p->kind->errnos[i])
				p->err = 0;
		}
		/* Then it is gone, and no fault. */
		if (absent(p) &&
		    ((p->op->flags & TRUSTS_ABSENCE) || (p->kind->bit & (FAKE_RMDIR | FAKE_LIST))))
			p->err = 0;
		if (!p->err)
			continue;
		for (p->nth = 1; strike(w, p, ref); p->nth++)
			CHECK_MSG(p->nth < 1000, "%s: no end", where(p));
		*faults += p->nth - 1;
		if (i == 0)
			points += p->nth - 1;
	}
	return points;
}

void sweep_calls(struct world *w, const struct fault_op *op)
{
	/* One kernel of each layout with everything, the others briefly. */
	bool brief = w->kind->kernel.minor != 12;
	unsigned int points = 0, faults = 0;

	for (enum variety v = 0; v < (brief ? FILES_ONLY : VARIETIES); v++) {
		struct reference ref = { NULL, NULL, "" };
		struct point p = { .op = op, .variety = v };

		strike(w, &p, &ref);
		for (size_t i = 0; ref.state && i < N_KINDS; i++) {
			p.kind = &kinds[i];
			points += sweep_kind(w, &p, &ref, brief, &faults);
		}
		free(ref.before);
		free(ref.state);
	}
	if (op->flags & CANNOT_FAIL)
		CHECK_MSG(points == 0, "%s can fail at %u points", op->name, points);
	world_note(w, "%s: %s: %u fault points, %u faults", w->kind->name, op->name, points,
		   faults);
}

/* -- what operations share ----------------------------------------------------------------------*/

struct cgfs_resources scene_limits(const struct scene *s, uint64_t scale)
{
	static const struct cgfs_hugetlb huge[] = { { "2MB", 64 * MIB }, { "2MB", 128 * MIB } };
	static const struct cgfs_io_device disk[] = {
		{ .major = 8,
		  .set = CGFS_IO_READ_BPS | CGFS_IO_WRITE_IOPS,
		  .read_bps = MIB,
		  .write_iops = 100 },
		{ .major = 8,
		  .set = CGFS_IO_READ_BPS | CGFS_IO_WRITE_IOPS,
		  .read_bps = 2 * MIB,
		  .write_iops = 200 },
	};
	struct cgfs_resources res = CGFS_RESOURCES_INIT;
	size_t big = scale > 1;

	res.set = CGFS_SET_PIDS_MAX | CGFS_SET_CPU_WEIGHT | CGFS_SET_CPU_QUOTA;
	res.pids_max = 100 * scale;
	res.cpu_weight = 100 * scale;
	res.cpu_quota_us = 50000 * scale;
	if (has(s, CGFS_MEMORY)) {
		res.set |= CGFS_SET_MEMORY_MAX | CGFS_SET_MEMORY_LOW;
		res.memory_max_bytes = scale * 64 * MIB;
		res.memory_low_bytes = scale * MIB;
	}
	if (cgfs_place(s->c, CGFS_MEMORY).version == CGFS_V2) {
		res.set |= CGFS_SET_MEMORY_HIGH;
		res.memory_high_bytes = scale * 60 * MIB;
	}
	if (has(s, CGFS_CPUSET)) {
		res.set |= CGFS_SET_CPUSET_CPUS | CGFS_SET_CPUSET_MEMS;
		res.cpuset_cpus = big ? "0-2" : "0-1";
		res.cpuset_mems = "0";
	}
	if (has(s, CGFS_HUGETLB)) {
		res.set |= CGFS_SET_HUGETLB;
		res.hugetlb = &huge[big];
		res.n_hugetlb = 1;
	}
	if (has(s, CGFS_IO)) {
		res.set |= CGFS_SET_IO_DEVICES;
		res.io_devices = &disk[big];
		res.n_io_devices = 1;
	}
	return res;
}

void with_nothing(struct scene *s)
{
}

void with_pod(struct scene *s)
{
	struct cgfs_resources res = scene_limits(s, 4);

	s->pod = world_pod(s->w, s->c, "web", &res);
}

void with_container(struct scene *s)
{
	struct cgfs_resources res = scene_limits(s, 1);

	with_pod(s);
	s->ctr = world_container(s->w, s->pod, s->c, "c1", &res);
	s->pid = world_spawn_in(s->w, s->ctr);
}
