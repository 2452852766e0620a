/* SPDX-License-Identifier: MIT */
/*
 * shrink.c - less memory: taking back what the kernel can take back, and limits below what is in
 * use.
 *
 * v1 reclaims by itself when a limit is written, and answers EBUSY.  v2 has its OOM killer at work
 * at once.  So usage is brought down first there, with memory.high holding newcomers back until the
 * limit is written, and the answer is EBUSY, too, when it does not come down.
 *
 * Kernel: cgroup-v2.rst "memory.high", "memory.reclaim"; cgroup-v1/memory.rst 5.1 "force_empty"
 */
#include "cgfs/base/util.h"
#include "cgfs/controller/base/ops.h"
#include "cgfs/controller/memory/memory.h"

#include <inttypes.h>
#include <stdio.h>

/* What a limit that follows usage leaves free above it, so that the next page is no OOM kill. */
#define SLACK (1ull << 20)

/* v1: tries to write a limit just above a usage that moves. */
#define V1_TRIES 8

/* As long as it helps; memory.reclaim fails with EAGAIN when it reclaimed less than requested. */
static int reclaim_to(const struct cgfs_dir *d, uint64_t goal, uint64_t *current,
		      struct cgfs_err *reterr)
{
	uint64_t before = UINT64_MAX;
	char amount[24];
	int r = 0;

	while (r == 0 && *current > goal && *current < before) {
		before = *current;
		snprintf(amount, sizeof(amount), "%" PRIu64, *current - goal);
		r = dir_write(d, "memory.reclaim", amount, reterr);
		if (r == -EAGAIN || r == -ENOENT) /* no such file before 5.19: memory.high alone */
			r = 0;
		if (r == 0)
			r = dir_read_number(d, "memory.current", current, reterr);
	}
	return r;
}

static int busy(const struct cgfs_dir *d, uint64_t max, uint64_t current, struct cgfs_err *reterr)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, max);
	return cgfs_err_context(reterr, dir_error(d, -EBUSY, "write", "memory.max", text, reterr),
				"%" PRIu64 " bytes are in use and cannot be reclaimed", current);
}

/* With memory.high in place: the limit that can be had. */
static int settle(const struct cgfs_dir *d, const struct cgfs_dir *quiet,
		  const struct cgfs_resources *res, uint64_t current, struct cgfs_err *reterr)
{
	uint64_t max = res->memory_max_bytes, now;
	int r = reclaim_to(quiet, max, &current, reterr);

	if (r < 0)
		return r;
	if (current > max && !(res->set & CGFS_SET_NEAREST))
		return busy(d, max, current, reterr);
	if (current > max) {
		max = current + SLACK;
		r = dir_read_number(d, "memory.max", &now, reterr);
		if (r < 0)
			return r;
		if (max >= now) /* never up */
			return 0;
	}
	return dir_write_limit(d, "memory.max", max, "max", reterr);
}

int memory_v2_max(const struct cgfs_dir *d, const struct cgfs_resources *res,
		  struct cgfs_err *reterr)
{
	/* memory.high is restored in any case, so the journal does not record it. */
	struct cgfs_dir quiet = *d;
	uint64_t max = res->memory_max_bytes, current = 0, was;
	char high[32];
	int r = 0, back;

	/* A new group has no journal, and nothing in use. */
	if (d->journal && max != CGFS_MAX && !(res->set & CGFS_SET_ALLOW_OOM_KILL))
		r = dir_read_number(d, "memory.current", &current, reterr);
	if (r < 0)
		return r;
	if (current <= max)
		return dir_write_limit(d, "memory.max", max, "max", reterr);
	r = dir_read_number(d, "memory.high", &was, reterr);
	if (r < 0)
		return r;
	snprintf(high, sizeof(high), "%" PRIu64, was);
	r = dir_write_limit(&quiet, "memory.high", max < was ? max : was, "max", reterr);
	if (r == 0)
		r = settle(d, &quiet, res, current, reterr);
	/* Twice: nothing is worse than a limit that no caller set. */
	back = dir_write(&quiet, "memory.high", was == CGFS_MAX ? "max" : high, NULL);
	if (back < 0)
		back = dir_write(&quiet, "memory.high", was == CGFS_MAX ? "max" : high,
				 r < 0 ? NULL : reterr);
	return r < 0 ? r : back;
}

int memory_v1_nearest(const struct cgfs_dir *d, const struct cgfs_resources *res,
		      struct cgfs_err *reterr)
{
	uint64_t now, current;
	int r = -EBUSY;

	for (int i = 0; i < V1_TRIES && r == -EBUSY; i++) {
		r = dir_read_number(d, "memory.limit_in_bytes", &now, reterr);
		if (r == 0)
			r = dir_read_number(d, "memory.usage_in_bytes", &current, reterr);
		if (r < 0)
			return r;
		current =
			(current > res->memory_max_bytes ? current : res->memory_max_bytes) + SLACK;
		if (current >= now) /* never up */
			return 0;
		r = dir_write_limit(d, "memory.limit_in_bytes", current, "-1", reterr);
	}
	return r;
}

uint64_t memory_v1_memsw(const struct cgfs_dir *d, const struct cgfs_resources *res)
{
	uint64_t swap = res->memory_swap_bytes, limit;

	if (!(res->set & CGFS_SET_NEAREST) || !(res->set & CGFS_SET_MEMORY_MAX) ||
	    swap == CGFS_MAX || res->memory_max_bytes == CGFS_MAX)
		return swap;
	/* As much swap as was asked for, on top of the limit that there is. */
	if (dir_read_number(d, "memory.limit_in_bytes", &limit, NULL) < 0 || limit == CGFS_MAX ||
	    limit <= res->memory_max_bytes)
		return swap;
	return limit + (swap - res->memory_max_bytes);
}

/* -- on demand ------------------------------------------------------------------------------------
 */

static const char *current_file(const struct cgfs_group *g)
{
	return g->c->place[CGFS_MEMORY].version == CGFS_V2 ? "memory.current"
							   : "memory.usage_in_bytes";
}

static int reclaim(const struct cgfs_dir *d, uint64_t bytes, uint64_t *current,
		   struct cgfs_err *reterr)
{
	uint64_t goal = bytes >= *current ? 0 : *current - bytes;
	int r;

	if (d->g->c->place[CGFS_MEMORY].version == CGFS_V2) {
		r = dir_has(d, "memory.reclaim");
		if (r <= 0)
			return dir_error(d, r ? r : -EOPNOTSUPP, "write", "memory.reclaim", NULL,
					 reterr);
		return reclaim_to(d, goal, current, reterr);
	}
	if (bytes != CGFS_MAX)
		return dir_error(d, -EOPNOTSUPP, "reclaim a part by", "memory.force_empty", NULL,
				 reterr);
	r = dir_write(d, "memory.force_empty", "0", reterr);
	if (r == -ENOENT && dir_alive(d))
		return dir_error(d, -EOPNOTSUPP, "write", "memory.force_empty", NULL, reterr);
	return r < 0 ? r : dir_read_number(d, current_file(d->g), current, reterr);
}

int cgfs_group_reclaim(struct cgfs_group *g, uint64_t bytes, uint64_t *ret_bytes,
		       struct cgfs_err *reterr)
{
	const struct place *p = &g->c->place[CGFS_MEMORY];
	struct cgfs_dir d = dir_in(g, p->hierarchy);
	uint64_t before = 0, current;
	int r;

	if (p->version == CGFS_NONE)
		return err_value(reterr, -ENODEV, "reclaim memory of", g->rel,
				 "the memory controller is not on this host");
	r = dir_read_number(&d, current_file(g), &before, reterr);
	current = before;
	if (r == 0 && bytes)
		r = reclaim(&d, bytes, &current, reterr);
	if (r < 0)
		return cgfs_err_context(reterr, r, "reclaim memory of \"%.80s\"", g->rel);
	if (ret_bytes)
		*ret_bytes = current < before ? before - current : 0;
	return 0;
}

int ctl_can_reclaim(struct cgfs_group *g, struct cgfs_err *reterr)
{
	const struct place *p = &g->c->place[CGFS_MEMORY];
	struct cgfs_dir d = dir_in(g, p->hierarchy);
	const char *file = p->version == CGFS_V2 ? "memory.reclaim" : "memory.force_empty";
	int r = p->version == CGFS_NONE ? 1 : dir_has(&d, file);

	/* A group that is gone has nothing to be reclaimed. */
	if (r > 0 || (r == 0 && !dir_alive(&d)))
		return 0;
	return r < 0 ? dir_error(&d, r, "open", file, NULL, reterr)
		     : err_why(reterr, -EOPNOTSUPP, NULL, g->path,
			       "this kernel cannot reclaim memory on request");
}
