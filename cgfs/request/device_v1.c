/* SPDX-License-Identifier: MIT */
/*
 * device_v1.c - turns an ordered list of device rules into what cgroup v1's devices controller
 * can hold.  Owns the question "can v1 express this?"; must not know control files or paths.
 *
 * A pattern is one of *:*, M:*, *:m and M:m of one type, so a list divides the devices into few
 * cells: each pattern that it names, read as "and no other number that is named", and the
 * crossings of an M:* with a *:m.  The verdict is constant within a cell.  A set of cells can be
 * written as exceptions if, for each wide cell in it, all narrower cells are in it too.
 */
#include "cgfs/base/util.h"
#include "cgfs/request/device.h"

#define BITS 3 /* of CGFS_ACCESS_* */

/* One named pattern, and the cell that it stands for. */
struct cell {
	enum cgfs_device_type type;
	int32_t major, minor;
	/* Per access bit the 1-based number of the rule that decides; 0: none does. */
	uint32_t last[BITS];
	/* Access bits whose verdict is not the default. */
	uint32_t differ;
};

/* The cells of one type, sorted: *:*, then each *:m, then each M:* with its M:m. */
struct plane {
	struct cell *cell;
	size_t n;
	size_t n_columns; /* cell[1] ... cell[n_columns] are the *:m */
};

struct compiler {
	const struct cgfs_device_rule *rules;
	bool ours;  /* the list is not the caller's, so its numbers would mean nothing to him */
	bool allow; /* the default */
	struct cell *cells;
	size_t n_cells;
	struct plane block, character;
	struct cgfs_device_rule *out;
	size_t n_out, out_size;
	struct cgfs_err *reterr;
};

static int cmp_pattern(enum cgfs_device_type type, int32_t major, int32_t minor,
		       enum cgfs_device_type type2, int32_t major2, int32_t minor2)
{
	if (type != type2)
		return type < type2 ? -1 : 1;
	if (major != major2)
		return major < major2 ? -1 : 1;
	return minor < minor2 ? -1 : minor > minor2;
}

static int cmp_cell(const void *va, const void *vb)
{
	const struct cell *a = va, *b = vb;

	return cmp_pattern(a->type, a->major, a->minor, b->type, b->major, b->minor);
}

static int cmp_rule(const void *va, const void *vb)
{
	const struct cgfs_device_rule *a = va, *b = vb;

	return cmp_pattern(a->type, a->major, a->minor, b->type, b->major, b->minor);
}

static struct cell *find(const struct cell *cells, size_t n, enum cgfs_device_type type,
			 int32_t major, int32_t minor)
{
	struct cell key = { .type = type, .major = major, .minor = minor };

	return n ? bsearch(&key, cells, n, sizeof(*cells), cmp_cell) : NULL;
}

/* The later rule decides. */
static void override(uint32_t *last, const uint32_t *by)
{
	for (size_t b = 0; b < BITS; b++)
		if (by[b] > last[b])
			last[b] = by[b];
}

static uint32_t granted(const struct compiler *c, const uint32_t *last)
{
	uint32_t bits = 0;

	for (size_t b = 0; b < BITS; b++)
		if (last[b] && c->rules[last[b] - 1].allow)
			bits |= 1u << b;
	return bits;
}

static uint32_t differing(const struct compiler *c, const uint32_t *last)
{
	return granted(c, last) ^ (c->allow ? CGFS_ACCESS_ALL : 0);
}

static void add_cell(struct compiler *c, enum cgfs_device_type type,
		     const struct cgfs_device_rule *rule, uint32_t number)
{
	struct cell *cell = &c->cells[c->n_cells++];

	*cell = (struct cell){ .type = type, .major = rule->major, .minor = rule->minor };
	for (size_t b = 0; b < BITS; b++)
		if (rule->access & (1u << b))
			cell->last[b] = number;
}

/* Every pattern once, sorted, *:* of both types included. */
static int collect(struct compiler *c, size_t n)
{
	static const struct cgfs_device_rule any = { CGFS_DEVICE_ALL, CGFS_DEVICE_ANY,
						     CGFS_DEVICE_ANY, 0, false };
	size_t kept = 0;

	c->cells = calloc(2 * n + 2, sizeof(*c->cells));
	if (!c->cells)
		return err_file(c->reterr, -ENOMEM, "compile device rules", NULL);

	add_cell(c, CGFS_DEVICE_BLOCK, &any, 0);
	add_cell(c, CGFS_DEVICE_CHAR, &any, 0);
	for (size_t i = 0; i < n; i++) {
		if (c->rules[i].type != CGFS_DEVICE_CHAR)
			add_cell(c, CGFS_DEVICE_BLOCK, &c->rules[i], (uint32_t)i + 1);
		if (c->rules[i].type != CGFS_DEVICE_BLOCK)
			add_cell(c, CGFS_DEVICE_CHAR, &c->rules[i], (uint32_t)i + 1);
	}
	qsort(c->cells, c->n_cells, sizeof(*c->cells), cmp_cell);
	for (size_t i = 1; i < c->n_cells; i++) {
		if (cmp_cell(&c->cells[kept], &c->cells[i]) == 0)
			override(c->cells[kept].last, c->cells[i].last);
		else
			c->cells[++kept] = c->cells[i];
	}
	c->n_cells = kept + 1;
	return 0;
}

/* Cuts out one type's cells; lets wider patterns take part in the verdict of narrower ones. */
static void make_plane(struct compiler *c, struct plane *p, size_t from, size_t to)
{
	const struct cell *row = NULL;

	*p = (struct plane){ .cell = c->cells + from, .n = to - from };
	for (size_t i = 1; i < p->n; i++) {
		struct cell *cell = &p->cell[i];

		override(cell->last, p->cell[0].last);
		if (cell->major == CGFS_DEVICE_ANY) {
			p->n_columns++;
			continue;
		}
		if (cell->minor == CGFS_DEVICE_ANY) {
			row = cell;
			continue;
		}
		const struct cell *column =
			find(p->cell + 1, p->n_columns, cell->type, CGFS_DEVICE_ANY, cell->minor);

		if (row && row->major == cell->major)
			override(cell->last, row->last);
		if (column)
			override(cell->last, column->last);
	}
}

/* -EOPNOTSUPP if @narrow, the verdicts within a part of @wide, misses a bit of @wide. */
static int check_hole(const struct compiler *c, const struct cell *wide, const uint32_t *narrow)
{
	uint32_t missing = wide->differ & ~differing(c, narrow);
	static const struct cgfs_device_rule nothing = { CGFS_DEVICE_ALL, CGFS_DEVICE_ANY,
							 CGFS_DEVICE_ANY, CGFS_ACCESS_ALL, false };
	const struct cgfs_device_rule *rule, *wide_rule;
	char text[48], wide_text[48];
	size_t b = 0;

	if (!missing)
		return 0;
	while (!(missing & (1u << b)))
		b++;

	/* A later rule than the wide one's made the hole; without one everything is denied. */
	rule = &c->rules[narrow[b] - 1];
	wide_rule = wide->last[b] ? &c->rules[wide->last[b] - 1] : &nothing;
	cgfs_device_format(rule, text, sizeof(text));
	cgfs_device_format(wide_rule, wide_text, sizeof(wide_text));
	if (c->ours || !wide->last[b])
		return err_value(c->reterr, -EOPNOTSUPP, "device rule", text,
				 "it cuts a hole into \"%s\"; cgroup v1's devices controller "
				 "cannot express that",
				 wide_text);
	return err_value(c->reterr, -EOPNOTSUPP, "device rule", text,
			 "devices[%u] cuts a hole into devices[%u] (\"%s\"); cgroup v1's "
			 "devices controller cannot express that",
			 narrow[b] - 1, wide->last[b] - 1, wide_text);
}

static int emit(struct compiler *c, enum cgfs_device_type type, int32_t major, int32_t minor,
		uint32_t access)
{
	if (c->n_out == CGFS_DEVICES_V1_MAX)
		return err_why(c->reterr, -E2BIG, "compile device rules", NULL,
			       "cgroup v1 would need more than %d exceptions", CGFS_DEVICES_V1_MAX);
	if (c->n_out == c->out_size) {
		size_t size = c->out_size ? 2 * c->out_size : 16;
		void *bigger = reallocarray(c->out, size, sizeof(*c->out));

		if (!bigger)
			return err_file(c->reterr, -ENOMEM, "compile device rules", NULL);
		c->out = bigger;
		c->out_size = size;
	}
	c->out[c->n_out++] = (struct cgfs_device_rule){ type, major, minor, access, !c->allow };
	return 0;
}

/* Is an exception with the bits of @cell needed where @wider ones hold already? */
static uint32_t needed(const struct compiler *c, uint32_t differ, uint32_t wider_a,
		       uint32_t wider_b, uint32_t wider_c)
{
	/* Under "allow" each bit counts for itself; under "deny" one exception must have all. */
	if (c->allow)
		return differ & ~(wider_a | wider_b | wider_c);
	return differ == wider_a || differ == wider_b || differ == wider_c ? 0 : differ;
}

static int compile_cells(struct compiler *c, const struct plane *p)
{
	const struct cell *all = &p->cell[0], *row = NULL;
	int r;

	for (size_t i = 0; i < p->n; i++) {
		const struct cell *cell = &p->cell[i], *column = NULL;
		uint32_t bits;

		if (cell->major != CGFS_DEVICE_ANY && cell->minor == CGFS_DEVICE_ANY)
			row = cell;
		if (row && row->major != cell->major)
			row = NULL;
		if (cell->major != CGFS_DEVICE_ANY && cell->minor != CGFS_DEVICE_ANY)
			column = find(p->cell + 1, p->n_columns, cell->type, CGFS_DEVICE_ANY,
				      cell->minor);
		r = check_hole(c, all, cell->last);
		if (r == 0 && row)
			r = check_hole(c, row, cell->last);
		if (r == 0 && column)
			r = check_hole(c, column, cell->last);
		if (r < 0)
			return r;
		bits = needed(c, cell->differ, cell == all ? 0 : all->differ,
			      row && row != cell ? row->differ : 0, column ? column->differ : 0);
		if (!bits)
			continue;
		r = emit(c, cell->type, cell->major, cell->minor, bits);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Where an M:* crosses a *:m without an M:m in the list. */
static int compile_crossing(struct compiler *c, const struct plane *p, const struct cell *row,
			    const struct cell *column)
{
	uint32_t last[BITS], bits;
	int r;

	/* Most crossings end here: one of the two has all that the other has. */
	if (row->differ == column->differ)
		return 0;
	memcpy(last, row->last, sizeof(last));
	override(last, column->last);
	bits = differing(c, last);
	if (!((row->differ | column->differ) & ~bits) &&
	    !needed(c, bits, row->differ, column->differ, 0))
		return 0;
	if (find(p->cell, p->n, row->type, row->major, column->minor))
		return 0;
	r = check_hole(c, row, last);
	if (r == 0)
		r = check_hole(c, column, last);
	if (r < 0)
		return r;
	return emit(c, row->type, row->major, column->minor, bits);
}

static int compile_plane(struct compiler *c, struct plane *p)
{
	int r;

	for (size_t i = 0; i < p->n; i++)
		p->cell[i].differ = differing(c, p->cell[i].last);
	r = compile_cells(c, p);
	for (size_t i = p->n_columns + 1; i < p->n && r == 0; i++) {
		if (p->cell[i].minor != CGFS_DEVICE_ANY)
			continue;
		for (size_t k = 1; k <= p->n_columns && r == 0; k++)
			r = compile_crossing(c, p, &p->cell[i], &p->cell[k]);
	}
	return r;
}

static int compile_as(struct compiler *c, bool allow)
{
	int r;

	c->allow = allow;
	c->n_out = 0;
	r = compile_plane(c, &c->block);
	if (r == 0)
		r = compile_plane(c, &c->character);
	return r;
}

/* Does the list itself allow everything?  Then the default is rather "allow". */
static bool says_everything(const struct cgfs_device_rule *rules, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (rules[i].type == CGFS_DEVICE_ALL && rules[i].allow &&
		    rules[i].access == CGFS_ACCESS_ALL)
			return true;
	return false;
}

/* The default that the list suggests, then the other one; or the one that is wanted. */
static int compile_either(struct compiler *c, bool everything, enum cgfs_devices_v1_default want)
{
	bool open = granted(c, c->block.cell[0].last) == CGFS_ACCESS_ALL &&
		    granted(c, c->character.cell[0].last) == CGFS_ACCESS_ALL;
	bool first =
		want == CGFS_DEVICES_V1_EITHER ? everything && open : want == CGFS_DEVICES_V1_ALLOW;
	int r = compile_as(c, first);

	if (r != -EOPNOTSUPP || want != CGFS_DEVICES_V1_EITHER)
		return r;
	c->reterr = NULL; /* the error of the first attempt is the one about the user's list */
	return compile_as(c, !first);
}

static int compile(const struct cgfs_device_rule *rules, size_t n, bool ours,
		   enum cgfs_devices_v1_default want, struct cgfs_devices_v1 *ret,
		   struct cgfs_err *reterr)
{
	struct compiler c = { .rules = rules, .ours = ours, .reterr = reterr };
	size_t split = 0;
	int r = collect(&c, n);

	if (r < 0)
		return r;
	while (c.cells[split].type == CGFS_DEVICE_BLOCK)
		split++;
	make_plane(&c, &c.block, 0, split);
	make_plane(&c, &c.character, split, c.n_cells);
	r = compile_either(&c, says_everything(rules, n), want);
	free(c.cells);
	if (r < 0) {
		free(c.out);
		return r;
	}
	if (c.n_out)
		qsort(c.out, c.n_out, sizeof(*c.out), cmp_rule);
	*ret = (struct cgfs_devices_v1){ .allow = c.allow, .exceptions = c.out, .n = c.n_out };
	return 0;
}

int cgfs_devices_v1_compile(const struct cgfs_device_rule *rules, size_t n,
			    enum cgfs_devices_v1_default want, struct cgfs_devices_v1 *ret,
			    struct cgfs_err *reterr)
{
	if (n > CGFS_DEVICE_RULES_MAX)
		return err_why(reterr, -E2BIG, "compile device rules", NULL,
			       "%zu rules are more than %d", n, CGFS_DEVICE_RULES_MAX);
	for (size_t i = 0; i < n; i++) {
		int r = cgfs_device_rule_check(&rules[i], reterr);

		if (r < 0)
			return cgfs_err_context(reterr, r, "devices[%zu]", i);
	}
	return compile(rules, n, false, want, ret, reterr);
}

int cgfs_devices_v1_compile_ours(const struct cgfs_device_rule *rules, size_t n,
				 enum cgfs_devices_v1_default want, struct cgfs_devices_v1 *ret,
				 struct cgfs_err *reterr)
{
	return compile(rules, n, true, want, ret, reterr);
}
