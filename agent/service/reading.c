/* SPDX-License-Identifier: MIT */
/*
 * reading.c - a container makes as many cgroups below its own as it likes, and the list of its
 * processes is read from each.  A child process does that for one request after the other; then the
 * request is carried out once more, with the list.  Knows no message.
 */
#include "agent/service/reading.h"

#include <cgfs/cgfs.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "agent/base/aside.h"
#include "agent/bridge/bridge.h"
#include "agent/model/agent.h"
#include "agent/wire/protocol.h"
#include "cgfs/base/util.h"

#define LIMIT_MS 8000

/* With the request when it comes again. */
struct found {
	int r;
	struct cgfs_err err;
	size_t n;
	pid_t pid[];
};

struct reading {
	struct agent *a;
	struct aside aside;
	struct loop_timer limit;
	int fd;			      /* a memfd: what the child has found */
	struct cgfs_group *g;	      /* of use to the child only: it may be gone before its end */
	struct request *rq;	      /* NULL: none is under way */
	struct request *first, **end; /* that wait for their turn */
};

static int child_list(void *ctx, struct cgfs_err *err)
{
	const struct reading *rd = ctx;
	struct pids pids = { 0 };
	int r = describe_pids(rd->g, SIZE_MAX, &pids, err);

	for (size_t done = 0, size = pids.n * sizeof(*pids.pid); r == 0 && done < size;) {
		ssize_t n = write(rd->fd, (const char *)pids.pid + done, size - done);

		if (n < 0 && errno != EINTR)
			r = cgfs_err_set(err, -errno, "list processes of", NULL,
					 cgfs_group_path(rd->g), NULL);
		done += n < 0 ? 0 : (size_t)n;
	}
	return r;
}

/* NULL: out of memory. */
static struct found *take_found(struct reading *rd, int r, const struct cgfs_err *err)
{
	struct stat st = { 0 };
	struct found *f;
	size_t size;

	if (r == 0 && fstat(rd->fd, &st) < 0)
		r = -errno;
	size = r == 0 ? (size_t)st.st_size : 0;
	f = malloc(sizeof(*f) + size);
	if (!f)
		return NULL;
	f->r = r;
	f->err = *err;
	f->n = size / sizeof(*f->pid);
	if (size && pread(rd->fd, f->pid, size, 0) != (ssize_t)size)
		f->r = -EIO;
	return f;
}

/* Carries out what waits, until one of them needs the child again. */
static void next(struct reading *rd)
{
	while (!rd->rq && rd->first) {
		struct request *rq = rd->first;

		rd->first = rq->later;
		if (!rd->first)
			rd->end = &rd->first;
		rq->later = NULL;
		request_resume(rq);
	}
}

static void over(void *ctx, int r, const struct cgfs_err *result)
{
	struct reading *rd = ctx;
	struct request *rq = rd->rq;
	struct cgfs_err err = *result;

	loop_timer_clear(rd->a->loop, &rd->limit);
	if (r == -ECANCELED && !err.code)
		r = cgfs_err_set(&err, -ETIMEDOUT, "list processes", NULL, NULL,
				 "the tree of cgroups takes longer than %d s", LIMIT_MS / 1000);
	rq->found = take_found(rd, r, &err);
	close(take_fd(&rd->fd));
	rd->rq = NULL;
	if (rq->found)
		request_resume(rq);
	else
		request_fail_err(rq, -ENOMEM, NULL);
	next(rd);
}

static void too_long(void *ctx)
{
	struct reading *rd = ctx;

	aside_kill(&rd->aside);
}

static struct reading *reading_of(struct agent *a)
{
	struct reading *rd = a->reading;

	if (rd)
		return rd;
	rd = calloc(1, sizeof(*rd));
	if (!rd)
		return NULL;
	rd->a = a;
	rd->fd = -EBADF;
	rd->end = &rd->first;
	rd->limit = (struct loop_timer){ .fn = too_long, .ctx = rd };
	a->reading = rd;
	return rd;
}

static int start(struct reading *rd, struct cgfs_group *g, struct cgfs_err *err)
{
	int r;

	rd->g = g;
	rd->fd = memfd_create("processes", MFD_CLOEXEC);
	r = rd->fd < 0 ? -errno : aside_start(&rd->aside, rd->a->loop, child_list, over, rd);
	if (r == 0) {
		ignore(loop_timer_set(rd->a->loop, &rd->limit, LIMIT_MS));
		return 0;
	}
	if (rd->fd >= 0)
		close(take_fd(&rd->fd));
	return cgfs_err_set(err, r, "list processes of", NULL, cgfs_group_path(g), NULL);
}

/* What the child has found; @rq does not come a third time. */
static int give(struct request *rq, struct pids *ret, struct cgfs_err *err)
{
	auto_free struct found *f = take_ptr(rq->found);

	if (f->r < 0) {
		*err = f->err;
		return f->r;
	}
	ret->pid = malloc(f->n * sizeof(*f->pid) + 1);
	if (!ret->pid)
		return -ENOMEM;
	memcpy(ret->pid, f->pid, f->n * sizeof(*f->pid));
	ret->n = f->n;
	return 0;
}

int reading_pids(struct agent *a, struct request *rq, struct cgfs_group *g, struct pids *ret,
		 struct cgfs_err *err)
{
	struct reading *rd;
	int r;

	if (rq->found)
		return give(rq, ret, err);
	r = describe_pids(g, READING_CGROUPS_MAX, ret, err);
	if (r != -E2BIG)
		return r;
	rd = reading_of(a);
	if (!rd)
		return cgfs_err_set(err, -ENOMEM, "list processes of", NULL, cgfs_group_path(g),
				    NULL);
	if (!request_keep(rq))
		return -EINPROGRESS;
	if (rd->rq) {
		*rd->end = rq;
		rd->end = &rq->later;
		return -EINPROGRESS;
	}
	r = start(rd, g, err);
	if (r < 0)
		return r;
	rd->rq = rq;
	return -EINPROGRESS;
}

void reading_free(struct agent *a)
{
	struct reading *rd = a->reading;

	if (!rd)
		return;
	aside_kill(&rd->aside);
	aside_drop(&rd->aside);
	loop_timer_clear(a->loop, &rd->limit);
	if (rd->fd >= 0)
		close(rd->fd);
	if (rd->rq)
		request_fail(rd->rq, HR_FAIL, "the agent is stopping");
	while (rd->first) {
		struct request *rq = rd->first;

		rd->first = rq->later;
		request_fail(rq, HR_FAIL, "the agent is stopping");
	}
	free(rd);
	a->reading = NULL;
}
