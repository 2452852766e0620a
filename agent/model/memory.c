/* SPDX-License-Identifier: MIT */
/*
 * memory.c - the limit of all pods together: the machine's memory less a reserve.  Looks again
 * once a minute, and when the host asks, because memory can be plugged and unplugged.
 */
#include <cgfs/cgfs.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "agent/base/log.h"
#include "agent/base/loop.h"
#include "agent/bridge/reply.h"
#include "agent/model/agent.h"
#include "agent/wire/protocol.h"
#include "cgfs/base/util.h"

#define REFRESH_MS 60000

int memory_limit(const struct agent *a, uint64_t *ret, struct cgfs_err *err)
{
	uint64_t reserve = a->reserve_bytes, total;
	struct sysinfo si;
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)reserve);
	if (sysinfo(&si) < 0)
		return cgfs_err_set(err, -errno, "read the size of memory", NULL, NULL, NULL);
	if (__builtin_mul_overflow((uint64_t)si.totalram, (uint64_t)si.mem_unit, &total) ||
	    total > INT64_MAX)
		return cgfs_err_set(err, -EOVERFLOW, "read the size of memory", NULL, NULL, NULL);
	if (total <= reserve)
		return err_value(err, -EINVAL, "option -root-mem-reserve-bytes", text,
				 "this machine has %llu bytes: nothing is left for pods",
				 (unsigned long long)total);
	*ret = total - reserve;
	return 0;
}

static int set_limit(struct agent *a, uint64_t bytes, struct cgfs_err *err)
{
	struct cgfs_resources res = CGFS_RESOURCES_INIT;

	res.set = CGFS_SET_MEMORY_MAX;
	res.memory_max_bytes = bytes;
	return cgfs_root_set(a->cgfs, &res, err);
}

/* A root that an agent has removed is not to come back by the child that it left: the child ends
 * with the agent. */
static int child_set(void *ctx, struct cgfs_err *err)
{
	struct agent *a = ctx;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != a->root_limit_parent)
		return -ECANCELED;
	return set_limit(a, a->root_limit_next, err);
}

static void is_set(void *ctx, int r, const struct cgfs_err *err)
{
	struct agent *a = ctx;
	uint64_t before = a->root_limit_bytes;

	if (r < 0) {
		log_write(&a->log, LOG_ERROR, "failed to refresh cgroup memory limits", "error",
			  err->text, NULL);
	} else {
		a->root_limit_bytes = a->root_limit_next;
		if (before != a->root_limit_bytes)
			log_write(&a->log, LOG_INFO, "pods together are limited", "root",
				  cgfs_root(a->cgfs), "memoryLimitBytes",
				  LOG_NUM(a->root_limit_bytes), NULL);
	}
	reply_all(&a->root_limit_replies, r, err->text);
}

static bool has_pods(const struct agent *a)
{
	return a->pods.n + a->containers.n + a->foreign.n > 0;
}

/*
 * Also when nothing has changed here: another process that removed the empty root removed the
 * limit.  Where there are pods a limit may make the kernel take back memory for as long as it
 * likes (@used): a child sets it.  Without pods the root may have to be made first, which this
 * process does.
 */
static void set(struct agent *a, bool used)
{
	struct cgfs_err err = { 0 };
	int r;

	if (a->root_limit_child.pid)
		return; /* its end is the answer to this one, too */
	r = memory_limit(a, &a->root_limit_next, &err);
	a->root_limit_parent = getpid();
	if (r == 0 && used && aside_start(&a->root_limit_child, a->loop, child_set, is_set, a) == 0)
		return;
	if (r == 0)
		r = set_limit(a, a->root_limit_next, &err);
	is_set(a, r, &err);
}

void memory_refresh(struct agent *a, struct request *rq)
{
	reply_add(&a->root_limit_replies, rq, HR_OK, NULL);
	set(a, has_pods(a));
}

void memory_end(struct agent *a)
{
	aside_stop(&a->root_limit_child);
	reply_all(&a->root_limit_replies, -ECANCELED, "the agent is stopping");
}

/* What cannot be limited now may be later; meanwhile pods are served all the same. */
static void refresh(void *ctx)
{
	struct agent *a = ctx;

	set(a, has_pods(a));
	a->refresh = (struct loop_timer){ .fn = refresh, .ctx = a };
	(void)loop_timer_set(a->loop, &a->refresh, REFRESH_MS);
}

void memory_begin(struct agent *a)
{
	if (cgfs_place(a->cgfs, CGFS_MEMORY).version == CGFS_NONE)
		log_write(&a->log, LOG_WARNING, "pods together have no memory limit", "why",
			  "there is no memory controller on this host", NULL);
	else
		refresh(a);
}

void memory_first_pod(struct agent *a)
{
	if (a->root_limit_bytes && a->pods.n == 0 && a->containers.n <= 1)
		set(a, a->foreign.n > 0);
}
