/* SPDX-License-Identifier: MIT */
/*
 * test_devices_v1.c - the compiler to what cgroup v1 can hold, which must grant exactly what the
 * reference evaluator grants or refuse; and what a container's set leaves of its pod's.
 */
#include "cgfs/base/util.h"
#include "cgfs/request/device.h"
#include "tests/tap.h"
#include "tests/unit/device_rules.h"
#include "tests/unit/device_v1_kernel.h"

#include <stdio.h>

/* Compiles @list, which must work, and compares what would be written to v1 with @want. */
static void compiles_to(const struct cgfs_device_rule *list, size_t n, const char *want)
{
	struct cgfs_devices_v1 set = CGFS_DEVICES_V1_INIT;
	struct cgfs_err err = { 0 };
	char got[1024], text[48];
	size_t at;

	CHECK_MSG(cgfs_devices_v1_compile(list, n, CGFS_DEVICES_V1_EITHER, &set, &err) >= 0, "%s",
		  err.text);
	at = (size_t)snprintf(got, sizeof(got), "%s", set.allow ? "allow" : "deny");
	for (size_t i = 0; i < set.n && at < sizeof(got); i++) {
		cgfs_devices_v1_format(&set.exceptions[i], text, sizeof(text));
		at += (size_t)snprintf(got + at, sizeof(got) - at, ", %s", text);
	}
	cgfs_devices_v1_free(&set);
	CHECK_STR(got, want);
}

#define COMPILES_TO(want, ...)                                                                     \
	do {                                                                                       \
		const struct cgfs_device_rule list_[] = { __VA_ARGS__ };                           \
		compiles_to(list_, ARRAY_SIZE(list_), want);                                       \
	} while (0)

TAP_TEST(devices_v1_lists_compile_to_exceptions)
{
	compiles_to(NULL, 0, "deny");
	COMPILES_TO("deny, c 1:3 rwm", rule("deny a"), rule("c 1:3 rwm"));
	COMPILES_TO("deny, c 1:3 rw", rule("c 1:3 r"), rule("c 1:3 w"));
	COMPILES_TO("deny, c 1:3 r", rule("c 1:3 rw"), rule("deny c 1:3 w"));
	COMPILES_TO("allow", rule("a"));
	COMPILES_TO("deny, b *:* rwm, c *:* rwm", rule("b *:* rwm"), rule("c *:* rw"),
		    rule("c *:* m"));
	COMPILES_TO("allow, c 10:229 rwm", rule("a"), rule("deny c 10:229 rwm"));
	/* A narrow exception repeats the wide one's bits: v1 wants all bits in one exception. */
	COMPILES_TO("deny, c *:* m, c 1:3 rwm", rule("c 1:3 rw"), rule("c *:* m"));
	COMPILES_TO("deny, c *:5 w, c 10:* r, c 10:5 rw", rule("c 10:* r"), rule("c *:5 w"));
	/* Nothing is written twice. */
	COMPILES_TO("deny, c 1:* rw", rule("c 1:3 r"), rule("c 1:* rw"), rule("c 1:4 w"));
	COMPILES_TO("allow, b *:* m, b 8:0 r", rule("a"), rule("deny b *:* m"),
		    rule("deny b 8:0 rm"));
	/* A hole that a later rule fills is none. */
	COMPILES_TO("deny, c *:* rw", rule("c *:* rw"), rule("deny c 10:229 w"),
		    rule("c 10:229 w"));
	COMPILES_TO("deny, b *:* rw, c *:* rw", rule("a *:* rw"));
}

TAP_TEST(devices_v1_one_allow_wild_deny_is_denied)
{
	/* dev_one_allow_wild_deny: in listed order, so the exception has to go. */
	COMPILES_TO("deny", rule("c 10:229 rwm"), rule("deny c *:* rwm"));
	COMPILES_TO("deny, c 10:229 r", rule("c 10:229 rw"), rule("deny c 10:* w"));
	COMPILES_TO("deny", rule("c 10:229 rwm"), rule("b 8:0 rwm"), rule("deny a"));
	COMPILES_TO("deny, b 8:0 wm", rule("b 8:0 rwm"), rule("deny a *:* r"));
}

static void holed(const struct cgfs_device_rule *list, size_t n, const char *narrow,
		  const char *wide)
{
	struct cgfs_devices_v1 set = CGFS_DEVICES_V1_INIT;
	struct cgfs_err err = { 0 };

	CHECK_INT(cgfs_devices_v1_compile(list, n, CGFS_DEVICES_V1_EITHER, &set, &err),
		  -EOPNOTSUPP);
	CHECK(!set.exceptions);
	CHECK_STR(err.value, narrow);
	CHECK_MSG(strstr(err.text, wide), "\"%s\" does not name \"%s\"", err.text, wide);
}

#define HOLED(narrow, wide, ...)                                                                   \
	do {                                                                                       \
		const struct cgfs_device_rule list_[] = { __VA_ARGS__ };                           \
		holed(list_, ARRAY_SIZE(list_), narrow, wide);                                     \
	} while (0)

TAP_TEST(devices_v1_wild_allow_deny_one_is_refused_by_name)
{
	HOLED("deny c 10:229 rwm", "devices[2] cuts a hole into devices[1] (\"c *:* rwm\")",
	      rule("b 8:0 r"), rule("c *:* rwm"), rule("deny c 10:229 rwm"));
	HOLED("deny c 10:* w", "devices[0]", rule("c *:* rw"), rule("deny c 10:* w"),
	      rule("b 8:0 r"));
	/* "Allow by default" can hold these. */
	COMPILES_TO("allow, b *:* rwm, c 10:229 rwm", rule("c *:* rwm"), rule("deny c 10:229 rwm"));
	COMPILES_TO("allow, b *:* rwm, c *:* m, c 10:* w", rule("c *:* rw"), rule("deny c 10:* w"));
	HOLED("deny c *:5 w", "devices[0]", rule("c 10:* rw"), rule("deny c *:5 w"));
	HOLED("deny c 10:* r", "devices[0] (\"c *:5 rw\")", rule("c *:5 rw"),
	      rule("deny c 10:* r"));
	HOLED("deny c 10:5 r", "devices[0]", rule("c *:5 rw"), rule("deny c 10:5 r"));
	COMPILES_TO("allow, c 10:229 rwm", rule("b *:* rwm"), rule("c *:* rwm"),
		    rule("deny c 10:229 rwm"));
	HOLED("c 10:229 r", "devices[1]", rule("a"), rule("deny c 10:* r"), rule("c 10:229 r"));
	HOLED("c *:5 r", "devices[1]", rule("a"), rule("deny c 10:* r"), rule("c *:5 r"));
}

TAP_TEST(devices_v1_bad_rules_are_refused_by_number)
{
	struct cgfs_device_rule list[] = { rule("c 1:3 rwm"), rule("c 1:5 rwm") };
	struct cgfs_devices_v1 set = CGFS_DEVICES_V1_INIT;
	struct cgfs_err err = { 0 };

	list[1].major = -5;
	CHECK_INT(cgfs_devices_v1_compile(list, 2, CGFS_DEVICES_V1_EITHER, &set, &err), -EINVAL);
	CHECK(strstr(err.text, "devices[1]"));
	CHECK(strstr(err.text, "c -5:5 rwm"));
	list[1].major = 4096;
	CHECK_INT(cgfs_devices_v1_compile(list, 2, CGFS_DEVICES_V1_EITHER, &set, NULL), -EINVAL);
	list[1] = rule("c 1:5 rwm");
	list[1].access = 8;
	CHECK_INT(cgfs_devices_v1_compile(list, 2, CGFS_DEVICES_V1_EITHER, &set, NULL), -EINVAL);
	list[1].access = 0;
	CHECK_INT(cgfs_devices_v1_compile(list, 2, CGFS_DEVICES_V1_EITHER, &set, NULL), -EINVAL);
	list[1] = rule("a");
	list[1].minor = 3;
	CHECK_INT(cgfs_devices_v1_compile(list, 2, CGFS_DEVICES_V1_EITHER, &set, NULL), -EINVAL);
	list[1] = rule("a");
	list[1].type = (enum cgfs_device_type)'u';
	CHECK_INT(cgfs_devices_v1_compile(list, 2, CGFS_DEVICES_V1_EITHER, &set, NULL), -EINVAL);
}

/* --- properties, over random lists in a small world ---------------------------------------- */

#define WORLD 4 /* numbers 0..2 are named by rules; 3 stands for all others */

static uint32_t random_state;

static uint32_t random_below(uint32_t n)
{
	random_state = random_state * 1664525u + 1013904223u;
	return (uint32_t)(((uint64_t)(random_state >> 4) * n) >> 28);
}

static struct cgfs_device_rule random_rule(void)
{
	static const enum cgfs_device_type types[] = { CGFS_DEVICE_CHAR, CGFS_DEVICE_CHAR,
						       CGFS_DEVICE_CHAR, CGFS_DEVICE_BLOCK,
						       CGFS_DEVICE_ALL };
	struct cgfs_device_rule r = { .type = types[random_below(5)],
				      .major = (int32_t)random_below(WORLD) - 1,
				      .minor = (int32_t)random_below(WORLD) - 1,
				      .access = 1 + random_below(7),
				      .allow = random_below(3) != 0 };

	if (r.type == CGFS_DEVICE_ALL)
		r.major = r.minor = CGFS_DEVICE_ANY;
	return r;
}

struct world {
	uint8_t bits[2][WORLD][WORLD];
};

static struct world look(const struct cgfs_device_rule *list, size_t n)
{
	struct world w;

	for (int t = 0; t < 2; t++)
		for (int major = 0; major < WORLD; major++)
			for (int minor = 0; minor < WORLD; minor++)
				w.bits[t][major][minor] = (uint8_t)cgfs_device_check(
					list, n, t ? CGFS_DEVICE_CHAR : CGFS_DEVICE_BLOCK, major,
					minor, CGFS_ACCESS_ALL);
	return w;
}

/* Are all devices that share the named numbers of a box within the set of one bit? */
static bool box_is_in(const struct world *set, int t, int major, int minor, uint32_t bit)
{
	for (int i = 0; i < WORLD; i++)
		for (int k = 0; k < WORLD; k++) {
			if ((major >= 0 && i != major) || (minor >= 0 && k != minor))
				continue;
			if (!(set->bits[t][i][k] & bit))
				return false;
		}
	return true;
}

/* The definition, without any cleverness: each device lies in a pattern that lies in the set. */
static bool can_be_exceptions(const struct world *set)
{
	for (int t = 0; t < 2; t++)
		for (int major = 0; major < WORLD; major++)
			for (int minor = 0; minor < WORLD; minor++)
				for (uint32_t bit = 1; bit < 8; bit <<= 1) {
					bool named = major < WORLD - 1 && minor < WORLD - 1;

					if (!(set->bits[t][major][minor] & bit))
						continue;
					if (!named && !box_is_in(set, t, -1, -1, bit) &&
					    !(major < WORLD - 1 &&
					      box_is_in(set, t, major, -1, bit)) &&
					    !(minor < WORLD - 1 &&
					      box_is_in(set, t, -1, minor, bit)))
						return false;
				}
	return true;
}

static struct world complement(struct world w)
{
	for (int t = 0; t < 2; t++)
		for (int major = 0; major < WORLD; major++)
			for (int minor = 0; minor < WORLD; minor++)
				w.bits[t][major][minor] ^= 7;
	return w;
}

static bool all_else_allowed(const struct world *w)
{
	return w->bits[0][WORLD - 1][WORLD - 1] == 7 && w->bits[1][WORLD - 1][WORLD - 1] == 7;
}

static bool says_everything(const struct cgfs_device_rule *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (list[i].type == CGFS_DEVICE_ALL && list[i].allow && list[i].access == 7)
			return true;
	return false;
}

static void check_set_is(const struct cgfs_devices_v1 *set, const struct world *w)
{
	for (int t = 0; t < 2; t++)
		for (int major = 0; major < WORLD; major++)
			for (int minor = 0; minor < WORLD; minor++)
				for (uint32_t access = 1; access < 8; access++) {
					uint32_t want = w->bits[t][major][minor] & access;

					want = want == access ? access : 0;
					CHECK_INT(
						v1_granted(set,
							   t ? CGFS_DEVICE_CHAR : CGFS_DEVICE_BLOCK,
							   major, minor, access),
						want);
				}
}

static size_t random_list(struct cgfs_device_rule *list, size_t max)
{
	size_t n = random_below((uint32_t)max + 1);

	for (size_t i = 0; i < n; i++)
		list[i] = random_rule();
	return n;
}

TAP_TEST(devices_v1_compiled_grants_what_the_reference_grants)
{
	struct cgfs_device_rule list[10];
	size_t compiled = 0, refused = 0, open = 0;

	random_state = 1;
	for (int round = 0; round < 30000; round++) {
		size_t n = random_list(list, ARRAY_SIZE(list));
		struct world w = look(list, n), other = complement(w);
		struct cgfs_devices_v1 set = CGFS_DEVICES_V1_INIT;
		bool everything = says_everything(list, n);
		bool allow = everything && all_else_allowed(&w);
		int r;

		r = cgfs_devices_v1_compile(list, n, CGFS_DEVICES_V1_EITHER, &set, NULL);
		if (!can_be_exceptions(allow ? &other : &w))
			allow = !allow;
		CHECK_INT(r, can_be_exceptions(allow ? &other : &w) ? 0 : -EOPNOTSUPP);
		if (r < 0) {
			refused++;
			continue;
		}
		CHECK_INT(set.allow, allow);
		check_set_is(&set, &w);
		for (size_t i = 1; i < set.n; i++)
			CHECK(memcmp(&set.exceptions[i], &set.exceptions[i - 1],
				     offsetof(struct cgfs_device_rule, access)) != 0);
		compiled++;
		open += set.allow;
		cgfs_devices_v1_free(&set);
	}
	/* The generator reaches every outcome. */
	CHECK(compiled > 5000 && refused > 1000 && open > 100);
}

/* security/device_cgroup.c: parent_has_perm() for one exception of the child. */
static bool parent_has_perm(const struct cgfs_devices_v1 *parent, bool child_allows,
			    const struct cgfs_device_rule *ex)
{
	if (parent->allow && child_allows)
		return true;
	for (size_t i = 0; i < parent->n; i++) {
		const struct cgfs_device_rule *p = &parent->exceptions[i];
		bool contains, overlaps;

		if (p->type != ex->type)
			continue;
		contains = (p->major == -1 || p->major == ex->major) &&
			   (p->minor == -1 || p->minor == ex->minor);
		overlaps = (p->major == -1 || ex->major == -1 || p->major == ex->major) &&
			   (p->minor == -1 || ex->minor == -1 || p->minor == ex->minor);
		if (parent->allow && overlaps && (p->access & ex->access))
			return false;
		if (!parent->allow && contains && !(ex->access & ~p->access))
			return true;
	}
	return parent->allow;
}

TAP_TEST(devices_v1_intersection_is_exact_and_taken_by_the_kernel)
{
	size_t done = 0, refused = 0, of[2][2] = { { 0 } };

	random_state = 2;
	while (done < 20000) {
		struct cgfs_devices_v1 pod = CGFS_DEVICES_V1_INIT, ctr = CGFS_DEVICES_V1_INIT;
		struct cgfs_devices_v1 both = CGFS_DEVICES_V1_INIT;
		struct cgfs_device_rule a[8], b[8];
		size_t na = random_list(a, 8), nb = random_list(b, 8);
		struct world wa = look(a, na), wb = look(b, nb);
		struct cgfs_err err = { 0 };
		int r;

		if (cgfs_devices_v1_compile(a, na, CGFS_DEVICES_V1_EITHER, &pod, NULL) < 0)
			continue;
		if (cgfs_devices_v1_compile(b, nb, CGFS_DEVICES_V1_EITHER, &ctr, NULL) < 0) {
			cgfs_devices_v1_free(&pod);
			continue;
		}
		for (int t = 0; t < 2; t++)
			for (int i = 0; i < WORLD; i++)
				for (int k = 0; k < WORLD; k++)
					wa.bits[t][i][k] &= wb.bits[t][i][k];
		r = cgfs_devices_v1_intersect(
			&pod, &ctr, pod.allow ? CGFS_DEVICES_V1_EITHER : CGFS_DEVICES_V1_DENY,
			&both, &err);
		if (r < 0) {
			CHECK_INT(r, -EOPNOTSUPP);
			CHECK(!can_be_exceptions(&wa));
			CHECK(strstr(err.text, "within its pod's"));
			refused++;
		} else {
			CHECK(!both.allow || pod.allow);
			check_set_is(&both, &wa);
			for (size_t i = 0; i < both.n; i++)
				CHECK(parent_has_perm(&pod, both.allow, &both.exceptions[i]));
			of[pod.allow][ctr.allow]++;
		}
		cgfs_devices_v1_free(&pod);
		cgfs_devices_v1_free(&ctr);
		cgfs_devices_v1_free(&both);
		done++;
	}
	CHECK(refused > 10 && of[0][0] && of[0][1] && of[1][0] && of[1][1]);
}

/* --- size ---------------------------------------------------------------------------------- */

TAP_TEST(devices_v1_largest_list_compiles)
{
	struct cgfs_device_rule *list = calloc(CGFS_DEVICE_RULES_MAX + 1, sizeof(*list));
	struct cgfs_devices_v1 set = CGFS_DEVICES_V1_INIT, both = CGFS_DEVICES_V1_INIT;
	size_t n = CGFS_DEVICE_RULES_MAX;

	CHECK(list);
	/* The worst for crossings: as many majors as minors, with bits that differ. */
	for (size_t i = 0; i < n; i++)
		list[i] = i % 2 ? (struct cgfs_device_rule){ CGFS_DEVICE_CHAR, (int32_t)i / 2, -1,
							     CGFS_ACCESS_ALL, true }
				: (struct cgfs_device_rule){ CGFS_DEVICE_CHAR, -1, (int32_t)i / 2,
							     CGFS_ACCESS_READ, true };
	CHECK_INT(cgfs_devices_v1_compile(list, n, CGFS_DEVICES_V1_EITHER, &set, NULL), 0);
	CHECK_INT(set.n, n);
	CHECK_INT(cgfs_devices_v1_intersect(&set, &set, CGFS_DEVICES_V1_EITHER, &both, NULL), 0);
	CHECK_INT(both.n, set.n);
	for (size_t i = 0; i < set.n; i++)
		check_same(&both.exceptions[i], &set.exceptions[i]);
	cgfs_devices_v1_free(&set);
	cgfs_devices_v1_free(&both);

	/* An "a" that stands for two exceptions, and nothing to merge. */
	list[0] = (struct cgfs_device_rule){ CGFS_DEVICE_ALL, -1, -1, CGFS_ACCESS_MKNOD, true };
	for (size_t i = 1; i < n; i++)
		list[i] = (struct cgfs_device_rule){ CGFS_DEVICE_BLOCK, 8, (int32_t)i,
						     CGFS_ACCESS_READ, true };
	CHECK_INT(cgfs_devices_v1_compile(list, n, CGFS_DEVICES_V1_EITHER, &set, NULL), -E2BIG);
	CHECK_INT(cgfs_devices_v1_compile(list, n - 1, CGFS_DEVICES_V1_EITHER, &set, NULL), 0);
	CHECK_INT(set.n, n);
	cgfs_devices_v1_free(&set);
	CHECK_INT(cgfs_devices_v1_compile(list, n + 1, CGFS_DEVICES_V1_EITHER, &set, NULL), -E2BIG);
	free(list);
}

TAP_TEST(devices_v1_too_many_crossings_are_refused)
{
	struct cgfs_device_rule *list = calloc(2048, sizeof(*list));
	struct cgfs_devices_v1 set = CGFS_DEVICES_V1_INIT, other = CGFS_DEVICES_V1_INIT, both;
	struct cgfs_err err = { 0 };

	CHECK(list);
	for (size_t i = 0; i < 2048; i++)
		list[i] = i % 2 ? (struct cgfs_device_rule){ CGFS_DEVICE_CHAR, (int32_t)i, -1,
							     CGFS_ACCESS_WRITE, true }
				: (struct cgfs_device_rule){ CGFS_DEVICE_CHAR, -1, (int32_t)i,
							     CGFS_ACCESS_READ, true };
	CHECK_INT(cgfs_devices_v1_compile(list, 2048, CGFS_DEVICES_V1_EITHER, &set, &err), -E2BIG);
	CHECK(strstr(err.text, "exceptions"));

	/* A pod that names majors, a container that names minors. */
	for (size_t i = 0; i < 2048; i++)
		list[i] = (struct cgfs_device_rule){ CGFS_DEVICE_CHAR, (int32_t)i, -1,
						     CGFS_ACCESS_ALL, true };
	CHECK_INT(cgfs_devices_v1_compile(list, 2048, CGFS_DEVICES_V1_EITHER, &set, NULL), 0);
	for (size_t i = 0; i < 2048; i++)
		list[i] = (struct cgfs_device_rule){ CGFS_DEVICE_CHAR, -1, (int32_t)i,
						     CGFS_ACCESS_ALL, true };
	CHECK_INT(cgfs_devices_v1_compile(list, 2048, CGFS_DEVICES_V1_EITHER, &other, NULL), 0);
	CHECK_INT(cgfs_devices_v1_intersect(&set, &other, CGFS_DEVICES_V1_EITHER, &both, &err),
		  -E2BIG);
	cgfs_devices_v1_free(&set);
	cgfs_devices_v1_free(&other);
	free(list);
}
