/* SPDX-License-Identifier: MIT */
/*
 * unified_plan.c - cgroup2 control files, as OCI's `unified` names them, on cgroup v1: the table of
 * exact counterparts.  What has none is refused; nothing is approximated.
 *
 * Some files have a counterpart of the same or another name and the same text; others become
 * members of struct cgfs_resources, because v1 spreads them over files whose order matters.  As
 * on cgroup2 an entry overrides the member that says the same.  Three become members on cgroup2
 * as well: memory.max, which there would kill, and cpu.max and its burst, whose order matters.
 *
 * No counterpart, though the name sounds like one: memory.low and .min protect, where v1's soft
 * limit is a target of reclaim; io.weight is iocost's scale, v1 has BFQ's alone; memory.high,
 * memory.oom.group, memory.zswap.*, io.latency and io.cost.* are cgroup2's.
 *
 * Kernel: cgroup-v2.rst against cgroup-v1/{memory,blkio-controller,hugetlb,pids,rdma,misc}.rst;
 * cpu.weight: sched_weight_from_cgroup() of kernel/sched/sched.h.
 */
#include "cgfs/controller/unified_plan.h"

#include "cgfs/base/convert.h"
#include "cgfs/base/util.h"
#include "cgfs/tree/names.h"

#include <stdio.h>
#include <stdlib.h>

struct entry {
	const struct cgfs_unified *u;
	size_t index;
	enum cgfs_controller ctl;
	enum cgfs_version_id version; /* of ctl here */
};

typedef int convert_fn(struct unified_plan *p, const struct entry *e, struct cgfs_err *reterr);

static int refuse(const struct entry *e, const char *why, struct cgfs_err *reterr)
{
	return cgfs_err_set(reterr, -EINVAL, "set unified", e->u->file, e->u->value, "%s", why);
}

static int no_memory(struct cgfs_err *reterr)
{
	return err_file(reterr, -ENOMEM, "set unified", NULL);
}

static int add_write(struct unified_plan *p, const struct entry *e, const char *file,
		     const char *value, struct cgfs_err *reterr)
{
	struct unified_write *w, *grown = reallocarray(p->write, p->n_write + 1, sizeof(*grown));

	if (!grown)
		return no_memory(reterr);
	p->write = grown;
	w = &grown[p->n_write];
	*w = (struct unified_write){ .ctl = e->ctl, .entry = e->index, .value = strdup(value) };
	if (!w->value)
		return no_memory(reterr);
	snprintf(w->file, sizeof(w->file), "%.63s", file);
	p->n_write++;
	return 0;
}

static int same(struct unified_plan *p, const struct entry *e, struct cgfs_err *reterr)
{
	return add_write(p, e, e->u->file, e->u->value, reterr);
}

static void put(struct unified_plan *p, const struct entry *e, uint64_t bit, uint64_t *member,
		uint64_t value)
{
	*member = value;
	p->res.set |= bit;
	p->from[__builtin_ctzll(bit)] = (unsigned int)e->index + 1;
}

/* -- values, as cgroup2 reads them ------------------------------------------------------------ */

static const char *skip_blanks(const char *text)
{
	return text + strspn(text, " \t");
}

/* Digits at *@text, which then stands after them. */
static bool take_number(const char **text, uint64_t *ret)
{
	const char *c = *text;
	uint64_t v = 0;

	for (; *c >= '0' && *c <= '9'; c++) {
		if (__builtin_mul_overflow(v, UINT64_C(10), &v) ||
		    __builtin_add_overflow(v, (uint64_t)(*c - '0'), &v))
			return false;
	}
	if (c == *text)
		return false;
	*text = c;
	*ret = v;
	return true;
}

static bool take_max(const char **text)
{
	if (strncmp(*text, "max", 3) != 0 || (*text)[3] > ' ')
		return false;
	*text += 3;
	return true;
}

static bool at_end(const char *text)
{
	return !*skip_blanks(text);
}

/* The same in the kernel's base 0: "0x" is hexadecimal, a leading 0 octal. */
static bool take_any_base(const char **text, uint64_t *ret)
{
	bool hex = (*text)[0] == '0' && ((*text)[1] | 0x20) == 'x';
	char *end;

	if ((*text)[0] != '0' || !((*text)[1]))
		return take_number(text, ret);
	errno = 0;
	*ret = strtoull(*text, &end, hex ? 16 : 8);
	*text = end;
	return !errno;
}

/* "67108864", "64M", "max" */
static bool take_bytes(const char *text, uint64_t *ret)
{
	static const char units[] = "KMGTPE";
	const char *unit;
	uint64_t v;

	text = skip_blanks(text);
	if (take_max(&text)) {
		*ret = CGFS_MAX;
		return at_end(text);
	}
	if (!take_any_base(&text, &v))
		return false;
	/* A letter: what is left of a blank without that bit is found in any string. */
	unit = (*text & ~0x20) ? strchr(units, *text & ~0x20) : NULL;
	if (unit) {
		if (__builtin_mul_overflow(v, UINT64_C(1) << (10 * (unit - units + 1)), &v))
			return false;
		text++;
	}
	*ret = v > INT64_MAX ? CGFS_MAX : v;
	return at_end(text);
}

static bool take_only(const char *text, uint64_t *ret)
{
	text = skip_blanks(text);
	return take_any_base(&text, ret) && at_end(text);
}

/* -- memory ------------------------------------------------------------------------------------ */

/*
 * The swap that a caller's own members leave stays what it is, as it would on cgroup2.  There it
 * is a member, too, because a limit below what is in use would kill.
 */
static int memory_max(struct unified_plan *p, const struct entry *e, struct cgfs_err *reterr)
{
	struct cgfs_resources *res = &p->res;
	uint64_t v, swap = 0;
	bool limited = (res->set & CGFS_SET_MEMORY_SWAP) && res->memory_swap_bytes != CGFS_MAX;

	if (!take_bytes(e->u->value, &v))
		return refuse(e, "it is neither a number of bytes nor max", reterr);
	if (limited && v == CGFS_MAX && e->version == CGFS_V2)
		return same(p, e, reterr);
	if (limited && v == CGFS_MAX)
		return cgfs_err_set(reterr, -EOPNOTSUPP, "set unified", e->u->file, e->u->value,
				    "cgroup v1 limits memory and swap together, and cannot limit "
				    "swap beside unlimited memory");
	if (limited)
		swap = cgfs_swap_alone(res->memory_swap_bytes, res->memory_max_bytes);
	if (limited && !cgfs_swap_and_memory(swap, v, &res->memory_swap_bytes))
		return refuse(e, "memory and swap together are too many bytes", reterr);
	put(p, e, CGFS_SET_MEMORY_MAX, &res->memory_max_bytes, v);
	return 0;
}

/* Called after every memory.max. */
static int memory_swap_max(struct unified_plan *p, const struct entry *e, struct cgfs_err *reterr)
{
	struct cgfs_resources *res = &p->res;
	uint64_t v;

	if (!take_bytes(e->u->value, &v))
		return refuse(e, "it is neither a number of bytes nor max", reterr);
	if (v != CGFS_MAX &&
	    (!(res->set & CGFS_SET_MEMORY_MAX) || res->memory_max_bytes == CGFS_MAX))
		return cgfs_err_set(reterr, -EOPNOTSUPP, "set unified", e->u->file, e->u->value,
				    "cgroup v1 limits memory and swap together, which needs a "
				    "memory.max");
	if (v != CGFS_MAX && !cgfs_swap_and_memory(v, res->memory_max_bytes, &v))
		return refuse(e, "memory and swap together are too many bytes", reterr);
	put(p, e, CGFS_SET_MEMORY_SWAP, &res->memory_swap_bytes, v);
	return 0;
}

/* -- cpu --------------------------------------------------------------------------------------- */

/* "QUOTA", "QUOTA PERIOD", "max", "max PERIOD" */
static int cpu_max(struct unified_plan *p, const struct entry *e, struct cgfs_err *reterr)
{
	const char *text = skip_blanks(e->u->value);
	uint64_t quota = CGFS_MAX, period;

	if (!take_max(&text) && !take_number(&text, &quota))
		return refuse(e, "it is not of the form QUOTA PERIOD", reterr);
	if (*text && *text != ' ' && *text != '\t')
		return refuse(e, "it is not of the form QUOTA PERIOD", reterr);
	text = skip_blanks(text);
	if (*text) {
		if (!take_number(&text, &period) || !at_end(text))
			return refuse(e, "it is not of the form QUOTA PERIOD", reterr);
		put(p, e, CGFS_SET_CPU_PERIOD, &p->res.cpu_period_us, period);
	}
	put(p, e, CGFS_SET_CPU_QUOTA, &p->res.cpu_quota_us, quota);
	return 0;
}

static int cpu_max_burst(struct unified_plan *p, const struct entry *e, struct cgfs_err *reterr)
{
	uint64_t v;

	if (!take_only(e->u->value, &v))
		return refuse(e, "it is not a number of microseconds", reterr);
	put(p, e, CGFS_SET_CPU_BURST, &p->res.cpu_burst_us, v);
	return 0;
}

static void put_shares(struct unified_plan *p, const struct entry *e, uint64_t shares)
{
	p->res.set &= ~CGFS_SET_CPU_WEIGHT;
	put(p, e, CGFS_SET_CPU_SHARES, &p->res.cpu_shares, shares);
}

/* The scheduler's own number of either file: cgroup2 keeps weight * 1024 / 100, rounded to the
 * nearest, v1 what is written.  Not the curve of convert.c, which is between people's scales. */
static int cpu_weight(struct unified_plan *p, const struct entry *e, struct cgfs_err *reterr)
{
	uint64_t v;

	if (!take_only(e->u->value, &v) || v < 1 || v > 10000)
		return refuse(e, "it must be 1 to 10000", reterr);
	put_shares(p, e, cgfs_shares_of_scheduler(v));
	return 0;
}

/* The kernel's own way from one to the other; see cgfs_shares_of_nice(). */
static int cpu_weight_nice(struct unified_plan *p, const struct entry *e, struct cgfs_err *reterr)
{
	const char *text = skip_blanks(e->u->value);
	bool minus = *text == '-';
	uint64_t v;

	text += minus;
	if (!take_any_base(&text, &v) || !at_end(text) || v > (minus ? 20 : 19))
		return refuse(e, "it must be -20 to 19", reterr);
	put_shares(p, e, cgfs_shares_of_nice(minus ? -(int)v : (int)v));
	return 0;
}

/* -- io ---------------------------------------------------------------------------------------- */

/* One "KEY=RATE" of a line of io.max. */
static bool take_rate(const char **text, struct cgfs_io_device *dev)
{
	const struct {
		const char *key;
		unsigned int bit;
		uint64_t *rate;
	} keys[] = {
		{ "rbps=", CGFS_IO_READ_BPS, &dev->read_bps },
		{ "wbps=", CGFS_IO_WRITE_BPS, &dev->write_bps },
		{ "riops=", CGFS_IO_READ_IOPS, &dev->read_iops },
		{ "wiops=", CGFS_IO_WRITE_IOPS, &dev->write_iops },
	};

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		size_t len = strlen(keys[i].key);

		if (strncmp(*text, keys[i].key, len) != 0)
			continue;
		*text += len;
		dev->set |= keys[i].bit;
		*keys[i].rate = CGFS_MAX;
		return take_max(text) || (take_number(text, keys[i].rate) && *keys[i].rate);
	}
	return false;
}

static bool take_device(const char **text, uint32_t *major, uint32_t *minor)
{
	uint64_t a, b;

	*text = skip_blanks(*text);
	if (!take_number(text, &a) || **text != ':')
		return false;
	(*text)++;
	if (!take_number(text, &b) || a > UINT32_MAX || b > UINT32_MAX)
		return false;
	*major = (uint32_t)a;
	*minor = (uint32_t)b;
	return **text == ' ' || **text == '\t';
}

static int add_device(struct unified_plan *p, const struct entry *e,
		      const struct cgfs_io_device *dev, struct cgfs_err *reterr)
{
	size_t n = p->res.n_io_devices;
	struct cgfs_io_device *io = reallocarray(p->io, n + 1, sizeof(*io));
	unsigned int *from;

	if (!io)
		return no_memory(reterr);
	if (!p->io && n)
		memcpy(io, p->res.io_devices, n * sizeof(*io));
	p->io = io;
	p->res.io_devices = io;
	from = reallocarray(p->io_from, n - p->n_given + 1, sizeof(*from));
	if (!from)
		return no_memory(reterr);
	p->io_from = from;
	from[n - p->n_given] = (unsigned int)e->index + 1;
	io[n] = *dev;
	p->res.n_io_devices = n + 1;
	p->res.set |= CGFS_SET_IO_DEVICES;
	return 0;
}

static int io_max_line(struct unified_plan *p, const struct entry *e, const char *line,
		       struct cgfs_err *reterr)
{
	struct cgfs_io_device dev = { 0 };

	if (!take_device(&line, &dev.major, &dev.minor))
		return refuse(e, "a line begins with MAJOR:MINOR", reterr);
	for (line = skip_blanks(line); *line; line = skip_blanks(line)) {
		if (!take_rate(&line, &dev))
			return refuse(e,
				      "a limit is rbps=, wbps=, riops= or wiops= and a number "
				      "above 0, or max",
				      reterr);
	}
	return dev.set ? add_device(p, e, &dev, reterr) : 0;
}

/* BFQ has the same weights on both versions, and one file for each kind on v1. */
static int bfq_weight_line(struct unified_plan *p, const struct entry *e, const char *line,
			   struct cgfs_err *reterr)
{
	line = skip_blanks(line);
	if (strchr(line, ':'))
		return add_write(p, e, "blkio.bfq.weight_device", line, reterr);
	if (strncmp(line, "default ", 8) == 0)
		line = skip_blanks(line + 8);
	return add_write(p, e, "blkio.bfq.weight", line, reterr);
}

static int each_line(struct unified_plan *p, const struct entry *e,
		     int (*fn)(struct unified_plan *p, const struct entry *e, const char *line,
			       struct cgfs_err *reterr),
		     struct cgfs_err *reterr)
{
	auto_free char *copy = strdup(e->u->value);
	char *save = NULL;
	int r = copy ? 0 : no_memory(reterr);

	for (char *line = copy ? strtok_r(copy, "\n", &save) : NULL; r == 0 && line;
	     line = strtok_r(NULL, "\n", &save))
		r = fn(p, e, line, reterr);
	return r;
}

static int io_max(struct unified_plan *p, const struct entry *e, struct cgfs_err *reterr)
{
	return each_line(p, e, io_max_line, reterr);
}

static int bfq_weight(struct unified_plan *p, const struct entry *e, struct cgfs_err *reterr)
{
	return each_line(p, e, bfq_weight_line, reterr);
}

/* -- the table -----------------------------------------------------------------------------------
 */

/* A member, because an empty v1 cpuset takes no process, where cgroup2's has its parent's. */
static int cpuset_list(struct unified_plan *p, const struct entry *e, struct cgfs_err *reterr)
{
	bool mems = streq(e->u->file, "cpuset.mems");
	uint64_t bit = mems ? CGFS_SET_CPUSET_MEMS : CGFS_SET_CPUSET_CPUS;

	*(mems ? &p->res.cpuset_mems : &p->res.cpuset_cpus) = e->u->value;
	p->res.set |= bit;
	p->from[__builtin_ctzll(bit)] = (unsigned int)e->index + 1;
	return 0;
}

static int prio_class(struct unified_plan *p, const struct entry *e, struct cgfs_err *reterr)
{
	return add_write(p, e, "blkio.prio.class", e->u->value, reterr);
}

/* hugetlb.2MB.max, hugetlb.2MB.rsvd.max */
static int huge_max(struct unified_plan *p, const struct entry *e, struct cgfs_err *reterr)
{
	size_t len = strlen(e->u->file) - strlen("max");
	const char *value = skip_blanks(e->u->value);
	char file[64];

	snprintf(file, sizeof(file), "%.*slimit_in_bytes", len < 40 ? (int)len : 40, e->u->file);
	return add_write(p, e, file, take_max(&value) && at_end(value) ? "-1" : e->u->value,
			 reterr);
}

static const struct {
	const char *file; /* a * in it stands for anything */
	convert_fn *convert;
	bool v2; /* there, too: as the member it is safe in any order */
} counterparts[] = {
	{ "memory.max", memory_max, true },
	{ "memory.swap.max", memory_swap_max, false },
	{ "cpu.max", cpu_max, true },
	{ "cpu.max.burst", cpu_max_burst, true },
	{ "cpu.weight", cpu_weight, false },
	{ "cpu.weight.nice", cpu_weight_nice, false },
	{ "cpu.idle", same, false },
	{ "cpu.uclamp.min", same, false },
	{ "cpu.uclamp.max", same, false },
	{ "cpuset.cpus", cpuset_list, false },
	{ "cpuset.mems", cpuset_list, false },
	{ "pids.max", same, false },
	{ "io.max", io_max, false },
	{ "io.bfq.weight", bfq_weight, false },
	{ "io.prio.class", prio_class, false },
	{ "hugetlb.*.max", huge_max, false },
	{ "rdma.max", same, false },
	{ "misc.max", same, false },
};

static bool matches(const char *pattern, const char *file)
{
	const char *star = strchr(pattern, '*');
	size_t head, tail, len = strlen(file);

	if (!star)
		return streq(pattern, file);
	head = (size_t)(star - pattern);
	tail = strlen(star + 1);
	return len > head + tail && strncmp(pattern, file, head) == 0 &&
	       streq(file + len - tail, star + 1);
}

static int convert(struct unified_plan *p, const struct entry *e, struct cgfs_err *reterr)
{
	for (size_t i = 0; i < ARRAY_SIZE(counterparts); i++) {
		if (matches(counterparts[i].file, e->u->file) &&
		    (e->version == CGFS_V1 || counterparts[i].v2))
			return counterparts[i].convert(p, e, reterr);
	}
	if (e->version == CGFS_V2)
		return same(p, e, reterr);
	return err_value(reterr, -EOPNOTSUPP, "set unified", e->u->file,
			 "the %s controller is on cgroup v1 here, which has nothing that is "
			 "exactly this",
			 cgfs_controller_name(e->ctl));
}

static int take(const struct cgfs *c, struct unified_plan *p, struct entry *e,
		struct cgfs_err *reterr)
{
	const struct place *place = &c->place[e->ctl];

	if (place->version == CGFS_NONE)
		return err_value(reterr, -ENODEV, "set unified", e->u->file,
				 "the %s controller is not on this host",
				 cgfs_controller_name(e->ctl));
	if (!place->ops)
		return err_value(reterr, -EOPNOTSUPP, "set unified", e->u->file,
				 "the %s controller is not driven by this version of cgfs",
				 cgfs_controller_name(e->ctl));
	e->version = place->version;
	return convert(p, e, reterr);
}

/* cgroup.max.depth and its like belong to no controller: to the tree, where it holds the host's
 * controllers.  Beside v1's it would bind nothing that they see. */
static int take_tree(const struct cgfs *c, struct unified_plan *p, struct entry *e,
		     struct cgfs_err *reterr)
{
	enum cgfs_layout layout = cgfs_layout(c);

	if (layout != CGFS_LAYOUT_V2 && layout != CGFS_LAYOUT_MIXED)
		return err_value(reterr, -EOPNOTSUPP, "set unified", e->u->file,
				 "cgroup v1 has nothing like it");
	e->ctl = CGFS_CONTROLLER_COUNT;
	return add_write(p, e, e->u->file, e->u->value, reterr);
}

/* Never half of it: an idle group loses its weight without a word, on either version. */
static int check_idle(const struct cgfs_resources *res, struct cgfs_err *reterr)
{
	bool idle = (res->set & CGFS_SET_CPU_IDLE) && res->cpu_idle;
	bool weight = res->set & (CGFS_SET_CPU_WEIGHT | CGFS_SET_CPU_SHARES);

	for (size_t i = 0; i < res->n_unified; i++) {
		const char *value = skip_blanks(res->unified[i].value);
		uint64_t v = 0;

		if (streq(res->unified[i].file, "cpu.idle"))
			idle = !take_any_base(&value, &v) || v;
		weight |= streq(res->unified[i].file, "cpu.weight") ||
			  streq(res->unified[i].file, "cpu.weight.nice");
	}
	return idle && weight
		       ? err_value(reterr, -EINVAL, "set unified", "cpu.idle",
				   "an idle group has no weight, but a weight or shares are set")
		       : 0;
}

int unified_plan(const struct cgfs *c, const struct cgfs_resources *res, struct unified_plan *ret,
		 struct cgfs_err *reterr)
{
	size_t n = res->set & CGFS_SET_UNIFIED ? res->n_unified : 0;
	int r = 0;

	*ret = (struct unified_plan){ .res = *res };
	ret->res.n_unified = n;
	if (!(res->set & CGFS_SET_IO_DEVICES))
		ret->res.n_io_devices = 0;
	ret->n_given = ret->res.n_io_devices;
	/* Swap needs to know of memory, wherever that stands in the list. */
	for (int swap = 0; swap < 2; swap++) {
		for (size_t i = 0; r == 0 && i < n; i++) {
			struct entry e = { &res->unified[i], i, 0, CGFS_NONE };
			int ctl = ctl_of_file(e.u->file);

			if ((swap == 1) != (streq(e.u->file, "memory.swap.max") &&
					    c->place[CGFS_MEMORY].version == CGFS_V1))
				continue;
			if (strncmp(e.u->file, "cgroup.", strlen("cgroup.")) == 0) {
				r = take_tree(c, ret, &e, reterr);
				continue;
			}
			if (ctl < 0)
				return err_value(reterr, -ENODEV, "set unified", e.u->file,
						 "no such controller");
			e.ctl = (enum cgfs_controller)ctl;
			r = take(c, ret, &e, reterr);
		}
	}
	return r == 0 ? check_idle(&ret->res, reterr) : r;
}

void unified_plan_free(struct unified_plan *p)
{
	for (size_t i = 0; i < p->n_write; i++)
		free(p->write[i].value);
	free(p->write);
	free(p->io);
	free(p->io_from);
}
