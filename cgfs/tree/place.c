/* SPDX-License-Identifier: MIT */
/*
 * place.c - the context's table of controllers, as a caller may look at it.
 */
#include "cgfs/tree/context.h"

#define BIT(ctl) (1u << (ctl))

/* The controllers by which a layout gets its name; the others follow what there is. */
#define MAIN_CONTROLLERS                                                                           \
	(BIT(CGFS_CPU) | BIT(CGFS_CPUSET) | BIT(CGFS_MEMORY) | BIT(CGFS_PIDS) | BIT(CGFS_IO))

enum cgfs_layout cgfs_layout(const struct cgfs *c)
{
	uint32_t v1 = 0, v2 = 0;
	bool foreign_v2 = false;

	for (int i = 0; i < c->n; i++) {
		const struct cgfs_mount *m = c->hierarchy[i].mount;

		if (m->version == CGFS_V1)
			v1 |= m->controllers;
		else
			v2 |= m->controllers;
		foreign_v2 |= m->version == CGFS_V2 && !m->ours;
	}
	if (!v1)
		return foreign_v2 ? CGFS_LAYOUT_V2 : CGFS_LAYOUT_NONE;
	if (v2 & MAIN_CONTROLLERS)
		return CGFS_LAYOUT_MIXED;
	return foreign_v2 ? CGFS_LAYOUT_HYBRID : CGFS_LAYOUT_V1;
}

struct cgfs_place cgfs_place(const struct cgfs *c, enum cgfs_controller ctl)
{
	struct cgfs_place place = { CGFS_NONE, "" };

	if ((unsigned int)ctl < CGFS_CONTROLLER_COUNT && c->place[ctl].hierarchy >= 0) {
		place.version = c->place[ctl].version;
		place.mount = c->hierarchy[c->place[ctl].hierarchy].mount->path;
	}
	return place;
}

const struct cgfs_mounts *cgfs_mounts(const struct cgfs *c)
{
	return &c->mounts;
}

const char *cgfs_root(const struct cgfs *c)
{
	return *c->root ? c->root : "/";
}
