// SPDX-License-Identifier: MIT
/*
 * test_layout.c - what the library reports about the host, against what is mounted.
 */
#include "world.h"

#define MAIN_CONTROLLERS                                                                           \
	(1u << CGFS_CPU | 1u << CGFS_CPUSET | 1u << CGFS_MEMORY | 1u << CGFS_PIDS | 1u << CGFS_IO)

/* A cgroup2 tree that the library mounted for itself does not count. */
static bool foreign_unified(struct world *w)
{
	const char *at = w->ops->mount(w, UNIFIED);

	return *at && !(w->scratch && strncmp(at, w->scratch, strlen(w->scratch)) == 0);
}

static enum cgfs_layout expected(struct world *w)
{
	uint32_t v1 = 0, v2 = 0;

	for (int ctl = 0; ctl < CGFS_CONTROLLER_COUNT; ctl++) {
		if (world_version(w, ctl) == CGFS_V1)
			v1 |= 1u << ctl;
		else if (world_version(w, ctl) == CGFS_V2)
			v2 |= 1u << ctl;
	}
	if (!v1)
		return foreign_unified(w) ? CGFS_LAYOUT_V2 : CGFS_LAYOUT_NONE;
	if (v2 & MAIN_CONTROLLERS)
		return CGFS_LAYOUT_MIXED;
	return foreign_unified(w) ? CGFS_LAYOUT_HYBRID : CGFS_LAYOUT_V1;
}

WORLD_TEST(layout_table_agrees_with_the_mounts)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	char line[400] = "";

	for (int ctl = 0; ctl < CGFS_CONTROLLER_COUNT; ctl++) {
		struct cgfs_place p = cgfs_place(c, ctl);
		size_t at = strlen(line);

		CHECK_MSG(p.version == world_version(w, ctl), "%s: v%d, but mounted as v%d",
			  cgfs_controller_name(ctl), p.version, world_version(w, ctl));
		CHECK_STR(p.mount, w->ops->mount(w, ctl));
		if (p.version)
			snprintf(line + at, sizeof(line) - at, " %s:v%d", cgfs_controller_name(ctl),
				 p.version);
	}
	CHECK_STR(cgfs_layout_name(cgfs_layout(c)), cgfs_layout_name(expected(w)));
	if (!w->kind->live)
		CHECK_STR(cgfs_layout_name(cgfs_layout(c)), cgfs_layout_name(w->kind->layout));
	else
		world_note(w, "live: %s:%s; policy: %s", cgfs_layout_name(cgfs_layout(c)), line,
			   w->policy_missing[0] ? w->policy_missing : "yes");
	CHECK_STR(cgfs_root(c), w->root);
}

WORLD_TEST(layout_open_changes_nothing)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);

	CHECK(c != NULL);
	world_check_groups(w, 0);
	for (int ctl = 0; ctl <= CGFS_CONTROLLER_COUNT; ctl++)
		CHECK(!w->ops->exists(w, ctl, w->root));
}

WORLD_TEST(layout_controller_left_out_is_absent)
{
	const uint32_t all = (1u << CGFS_CONTROLLER_COUNT) - 1;
	struct cgfs *c = world_context_with(w, WORLD_POLICY, all & ~(1u << CGFS_PIDS));
	struct cgfs_resources res = CGFS_RESOURCES_INIT;
	struct cgfs_group *g = NULL;
	const char *text;

	res.set = CGFS_SET_PIDS_MAX;
	res.pids_max = 10;
	CHECK_INT(cgfs_place(c, CGFS_PIDS).version, CGFS_NONE);
	text = REFUSED(cgfs_pod_create(c, "web", &res, &g, &err), -ENODEV);
	CHECK_HAS(text, "pids");
	CHECK_HAS(text, "web");
	CHECK(g == NULL);
	CHECK_INT(w->ops->directories(w), 0);
	world_pod(w, c, "web", NULL);
}

WORLD_TEST(layout_absent_controller_is_named)
{
	/* No policy, no cgroup2 tree of the library's own, which may carry what v1 lacks. */
	struct cgfs *c = world_context(w, WORLD_FILES);
	struct cgfs_resources res = CGFS_RESOURCES_INIT;
	struct cgfs_group *g = NULL;

	if (world_version(w, CGFS_MEMORY) != CGFS_NONE)
		world_skip(w, "memory is not absent in this layout");
	res.set = CGFS_SET_MEMORY_MAX;
	res.memory_max_bytes = 64 * MIB;
	CHECK_HAS(REFUSED(cgfs_pod_create(c, "web", &res, &g, &err), -ENODEV), "memory");
	world_check_groups(w, 0);
	/* Nothing else is affected. */
	world_container(w, world_pod(w, c, "web", NULL), c, "c1", NULL);
	world_check_groups(w, 2);
}

WORLD_TEST(layout_open_refuses_bad_options)
{
	static const char *const roots[] = { "",      "pods",	"/a//b", "/a/",		"/../a",
					     "/a/..", "/a/./b", "/a b",	 "/memory.max", "/tasks" };
	struct {
		struct cgfs_open_opts opts;
		uint64_t newer;
	} big = { CGFS_OPEN_OPTS_INIT, 1 };
	struct cgfs *c = NULL;

	w->ops->options(w, WORLD_FILES, &big.opts);
	for (size_t i = 0; i < sizeof(roots) / sizeof(roots[0]); i++) {
		const char *text;

		big.opts.root = roots[i];
		text = REFUSED(cgfs_open(&big.opts, &c, &err), -EINVAL);
		CHECK_HAS(text, roots[i]);
	}
	big.opts.root = w->root;
	big.opts.sz = sizeof(big);
	REFUSED(cgfs_open(&big.opts, &c, &err), -E2BIG);
	big.opts.sz = 0;
	REFUSED(cgfs_open(&big.opts, &c, &err), -EINVAL);
	CHECK(c == NULL);
}
