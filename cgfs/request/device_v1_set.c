/* SPDX-License-Identifier: MIT */
/*
 * device_v1_set.c - compiled v1 device sets: print one, intersect two.  Must not know control files
 * or how a list becomes a set.
 */
#include "cgfs/base/util.h"
#include "cgfs/request/device.h"

int cgfs_device_order(const void *va, const void *vb)
{
	const struct cgfs_device_rule *a = va, *b = vb;

	if (a->type != b->type)
		return a->type < b->type ? -1 : 1;
	if (a->major != b->major)
		return a->major < b->major ? -1 : 1;
	return a->minor < b->minor ? -1 : a->minor > b->minor;
}

static uint32_t exact(const struct cgfs_devices_v1 *set, enum cgfs_device_type type, int32_t major,
		      int32_t minor)
{
	struct cgfs_device_rule key = { .type = type, .major = major, .minor = minor };
	const struct cgfs_device_rule *e;

	e = set->n ? bsearch(&key, set->exceptions, set->n, sizeof(key), cgfs_device_order) : NULL;
	return e ? e->access : 0;
}

uint32_t cgfs_devices_v1_covered(const struct cgfs_devices_v1 *set,
				 const struct cgfs_device_rule *pattern)
{
	const struct cgfs_device_rule *p = pattern;
	uint32_t bits = exact(set, p->type, CGFS_DEVICE_ANY, CGFS_DEVICE_ANY);

	if (p->major != CGFS_DEVICE_ANY)
		bits |= exact(set, p->type, p->major, CGFS_DEVICE_ANY);
	if (p->minor != CGFS_DEVICE_ANY)
		bits |= exact(set, p->type, CGFS_DEVICE_ANY, p->minor);
	if (p->major != CGFS_DEVICE_ANY && p->minor != CGFS_DEVICE_ANY)
		bits |= exact(set, p->type, p->major, p->minor);
	return bits;
}

int cgfs_devices_v1_union(const struct cgfs_devices_v1 *a, const struct cgfs_devices_v1 *b,
			  struct cgfs_devices_v1 *ret, struct cgfs_err *reterr)
{
	struct cgfs_device_rule *all = calloc(a->n + b->n + 1, sizeof(*all));
	size_t n = 0;

	if (!all)
		return err_file(reterr, -ENOMEM, "unite device rules", NULL);
	for (size_t i = 0; i < a->n + b->n; i++)
		all[i] = i < a->n ? a->exceptions[i] : b->exceptions[i - a->n];
	qsort(all, a->n + b->n, sizeof(*all), cgfs_device_order);
	for (size_t i = 0; i < a->n + b->n; i++) {
		if (n && cgfs_device_order(&all[n - 1], &all[i]) == 0)
			all[n - 1].access |= all[i].access;
		else
			all[n++] = all[i];
	}
	*ret = (struct cgfs_devices_v1){ .allow = a->allow, .exceptions = all, .n = n };
	return 0;
}

void cgfs_devices_v1_free(struct cgfs_devices_v1 *set)
{
	free(set->exceptions);
	*set = (struct cgfs_devices_v1)CGFS_DEVICES_V1_INIT;
}

int cgfs_devices_v1_copy(const struct cgfs_devices_v1 *from, struct cgfs_devices_v1 *ret,
			 struct cgfs_err *reterr)
{
	const struct cgfs_devices_v1 none = CGFS_DEVICES_V1_INIT;

	return cgfs_devices_v1_union(from, &none, ret, reterr);
}

void cgfs_devices_v1_format(const struct cgfs_device_rule *exception, char *buf, size_t len)
{
	struct cgfs_device_rule rule = *exception;

	rule.allow = true; /* the verb is the file's name */
	cgfs_device_format(&rule, buf, len);
}

/* A list of rules that grows, with room for what two full sets can make. */
struct list {
	struct cgfs_device_rule *rule;
	size_t n, size;
};

static int append(struct list *l, enum cgfs_device_type type, int32_t major, int32_t minor,
		  uint32_t access, bool allow, struct cgfs_err *reterr)
{
	if (!access)
		return 0;
	if (l->n == l->size)
		return err_why(reterr, -E2BIG, "intersect device rules", NULL,
			       "cgroup v1 would need more than %d exceptions", CGFS_DEVICES_V1_MAX);
	l->rule[l->n++] = (struct cgfs_device_rule){ type, major, minor, access, allow };
	return 0;
}

static int append_set(struct list *l, const struct cgfs_devices_v1 *set, struct cgfs_err *reterr)
{
	int r = 0;

	for (size_t i = 0; i < set->n && r == 0; i++) {
		const struct cgfs_device_rule *e = &set->exceptions[i];

		r = append(l, e->type, e->major, e->minor, e->access, !set->allow, reterr);
	}
	return r;
}

/* An M:* or *:m of either set, with what each set grants to all of it. */
struct line {
	int32_t number;
	uint32_t pod, container;
};

/* The lines of one direction, each number once. */
static size_t collect_lines(struct line *lines, const struct cgfs_devices_v1 *pod,
			    const struct cgfs_devices_v1 *container, enum cgfs_device_type type,
			    bool rows)
{
	const struct cgfs_devices_v1 *sets[] = { pod, container };
	size_t n = 0;

	for (size_t s = 0; s < ARRAY_SIZE(sets); s++)
		for (size_t i = 0; i < sets[s]->n; i++) {
			const struct cgfs_device_rule *e = &sets[s]->exceptions[i];
			int32_t named = rows ? e->major : e->minor;
			int32_t open = rows ? e->minor : e->major;

			if (e->type != type || named == CGFS_DEVICE_ANY || open != CGFS_DEVICE_ANY)
				continue;
			if (s && exact(pod, e->type, e->major, e->minor))
				continue;
			lines[n++] = (struct line){ named, cgfs_devices_v1_covered(pod, e),
						    cgfs_devices_v1_covered(container, e) };
		}
	return n;
}

/*
 * The pod may grant a device by its major and the container by its minor.  Only crossings that
 * hold more than both of their lines are named; the compiler closes the others.
 */
static int append_crossings(struct list *l, const struct cgfs_devices_v1 *pod,
			    const struct cgfs_devices_v1 *container, enum cgfs_device_type type,
			    struct cgfs_err *reterr)
{
	auto_free struct line *rows = calloc(pod->n + container->n + 1, sizeof(*rows));
	auto_free struct line *columns = calloc(pod->n + container->n + 1, sizeof(*columns));
	size_t n_rows, n_columns;

	if (!rows || !columns)
		return err_file(reterr, -ENOMEM, "intersect device rules", NULL);

	n_rows = collect_lines(rows, pod, container, type, true);
	n_columns = collect_lines(columns, pod, container, type, false);
	for (size_t i = 0; i < n_rows; i++)
		for (size_t k = 0; k < n_columns; k++) {
			const struct line *a = &rows[i], *b = &columns[k];
			uint32_t bits = (a->pod | b->pod) & (a->container | b->container);
			int r;

			if (bits == ((a->pod & a->container) | (b->pod & b->container)))
				continue;
			r = append(l, type, a->number, b->number, bits, true, reterr);
			if (r < 0)
				return r;
		}
	return 0;
}

static int append_common(struct list *l, const struct cgfs_devices_v1 *pod,
			 const struct cgfs_devices_v1 *container, struct cgfs_err *reterr)
{
	const struct cgfs_devices_v1 *sets[] = { pod, container };
	int r;

	for (size_t s = 0; s < ARRAY_SIZE(sets); s++)
		for (size_t i = 0; i < sets[s]->n; i++) {
			const struct cgfs_device_rule *e = &sets[s]->exceptions[i];

			r = append(l, e->type, e->major, e->minor,
				   cgfs_devices_v1_covered(pod, e) &
					   cgfs_devices_v1_covered(container, e),
				   true, reterr);
			if (r < 0)
				return r;
		}
	r = append_crossings(l, pod, container, CGFS_DEVICE_BLOCK, reterr);
	if (r == 0)
		r = append_crossings(l, pod, container, CGFS_DEVICE_CHAR, reterr);
	return r;
}

int cgfs_devices_v1_intersect(const struct cgfs_devices_v1 *pod,
			      const struct cgfs_devices_v1 *container,
			      enum cgfs_devices_v1_default want, struct cgfs_devices_v1 *ret,
			      struct cgfs_err *reterr)
{
	struct list l = { .size = pod->n + container->n + CGFS_DEVICES_V1_MAX + 1 };
	auto_free struct cgfs_device_rule *rules = calloc(l.size, sizeof(*rules));
	int r = 0;

	if (!rules)
		return err_file(reterr, -ENOMEM, "intersect device rules", NULL);

	l.rule = rules;
	if (!pod->allow && !container->allow) {
		r = append_common(&l, pod, container, reterr);
	} else {
		/* One of them names what is allowed, if only "everything"; then holes follow. */
		const struct cgfs_devices_v1 *first = pod->allow ? container : pod;
		const struct cgfs_devices_v1 *second = pod->allow ? pod : container;

		if (first->allow)
			r = append(&l, CGFS_DEVICE_ALL, CGFS_DEVICE_ANY, CGFS_DEVICE_ANY,
				   CGFS_ACCESS_ALL, true, reterr);
		if (r == 0)
			r = append_set(&l, first, reterr);
		if (r == 0)
			r = append_set(&l, second, reterr);
	}
	if (r == 0)
		r = cgfs_devices_v1_compile_ours(l.rule, l.n, want, ret, reterr);
	if (r < 0)
		return cgfs_err_context(reterr, r, "container's devices within its pod's");
	return 0;
}

bool cgfs_devices_v1_same(const struct cgfs_devices_v1 *a, const struct cgfs_devices_v1 *b)
{
	if (a->allow != b->allow || a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++) {
		const struct cgfs_device_rule *x = &a->exceptions[i], *y = &b->exceptions[i];

		if (!cgfs_device_same(x, y) || x->access != y->access)
			return false;
	}
	return true;
}

bool cgfs_device_overlap(const struct cgfs_device_rule *a, const struct cgfs_device_rule *b)
{
	return a->type == b->type &&
	       (a->major == CGFS_DEVICE_ANY || b->major == CGFS_DEVICE_ANY ||
		a->major == b->major) &&
	       (a->minor == CGFS_DEVICE_ANY || b->minor == CGFS_DEVICE_ANY || a->minor == b->minor);
}
