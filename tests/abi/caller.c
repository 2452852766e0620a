// SPDX-License-Identifier: MIT
/*
 * caller.c - a program that uses every structure of the API which begins with its size, each with a
 * fence behind it.  check-abi compiles it against older or newer headers than the library that it
 * then runs with, on a fake host; GROWN says that its headers are those of tests/tools/grow.awk.
 */
#include <cgfs/cgfs.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fake/fake.h"

#define FENCE 8192

static struct cgfs_err err;
static int failures;

static void expect(int r, int want, const char *what, int line)
{
	if (r == want)
		return;
	printf("line %d: %s is %d, not %d: %s\n", line, what, r, want, r < 0 ? err.text : "");
	failures++;
}
#define IS(expr, want) expect((int)(expr), (int)(want), #expr, __LINE__)
#define OK(expr)       IS(expr, 0)

static void *fenced_new(size_t size)
{
	unsigned char *p = malloc(size + FENCE);

	if (!p)
		abort();
	memset(p, 0, size);
	memset(p + size, 0xa5, FENCE);
	memcpy(p, &size, sizeof(size));
	return p;
}

static void fence_is_whole(const void *of, size_t size, const char *what, int line)
{
	const unsigned char *p = of;
	size_t i;

	for (i = 0; i < FENCE && p[size + i] == 0xa5; i++)
		;
	if (i == FENCE && memcmp(p, &size, sizeof(size)) == 0)
		return;
	printf("line %d: %s: memory behind the structure, or its size, was overwritten\n", line,
	       what);
	failures++;
}
#define NEW(type) fenced_new(sizeof(type))
#define WHOLE(p)  fence_is_whole(p, sizeof(*(p)), #p, __LINE__)

#ifdef GROWN
/* The library does not know the last members: 0 is taken, everything else is refused. */
#define UNKNOWN(p, call)                                                                           \
	do {                                                                                       \
		unsigned char *last_ = (unsigned char *)(p) + sizeof(*(p)) - 1;                    \
		*last_ = 1;                                                                        \
		IS(call, -E2BIG);                                                                  \
		*last_ = 0;                                                                        \
	} while (0)
#else
#define UNKNOWN(p, call) ((void)0)
#endif

static int seen(void *arg, struct cgfs_group *g, const struct cgfs_stats *stats)
{
	uint64_t value;

	if (cgfs_stats_get(stats, CGFS_STAT_PIDS_MAX, &value) && value == 7)
		(*(int *)arg)++;
	/* What the other side does not have is not available. */
	IS(cgfs_stats_get(stats, (enum cgfs_stat)(CGFS_STAT_COUNT + 1000), &value), false);
#ifdef GROWN
	IS(cgfs_stats_get(stats, CGFS_STAT_GROWN_4, &value), false);
#endif
	return 0;
}

static void limits(struct cgfs_group *ctr)
{
	struct cgfs_resources *res = NEW(*res);
	struct cgfs_applied *applied = NEW(*applied);
	struct cgfs_set_opts *opts = NEW(*opts);

	res->set = CGFS_SET_PIDS_MAX | CGFS_SET_MEMORY_MAX;
	res->pids_max = 7;
	res->memory_max_bytes = 64 << 20;
	opts->applied = applied;
	UNKNOWN(res, cgfs_group_set(ctr, res, opts, &err));
	UNKNOWN(opts, cgfs_group_set(ctr, res, opts, &err));
	UNKNOWN(applied, cgfs_group_set(ctr, res, opts, &err));
	OK(cgfs_group_set(ctr, res, opts, &err));
	WHOLE(applied);
	IS(applied->pids_max, 7);
	IS(applied->memory_max_bytes, 64 << 20);
	memset((char *)applied + sizeof(size_t), 0, sizeof(*applied) - sizeof(size_t));
	UNKNOWN(applied, cgfs_group_limits(ctr, applied, &err));
	OK(cgfs_group_limits(ctr, applied, &err));
	WHOLE(applied);
	IS(applied->pids_max, 7);
	UNKNOWN(res, cgfs_resources_check(res, &err));
	res->sz = 0;
	IS(cgfs_group_set(ctr, res, NULL, &err), -EINVAL);
	res->sz = sizeof(*res);
	applied->sz = 0;
	IS(cgfs_group_limits(ctr, applied, &err), -EINVAL);
	free(res);
	free(applied);
	free(opts);
}

/* Elements of an array are as long as the caller's headers say. */
static void resize(struct cgfs_group *pod, struct cgfs_group *const *ctr)
{
	struct cgfs_resources res[2] = { CGFS_RESOURCES_INIT, CGFS_RESOURCES_INIT };
	struct cgfs_applied *applied = NEW(*applied);

	res[0].set = res[1].set = CGFS_SET_PIDS_MAX;
	res[0].pids_max = 7;
	res[1].pids_max = 9;
	OK(cgfs_pod_resize(pod, NULL, ctr, res, 2, &err));
	for (int i = 0; i < 2; i++) {
		OK(cgfs_group_limits(ctr[i], applied, &err));
		IS(applied->pids_max, 7 + 2 * i);
	}
	free(applied);
}

static void figures(struct cgfs *c, struct cgfs_group *ctr)
{
	struct cgfs_stats *stats = NEW(*stats);
	char *json = NULL;
	uint64_t value = 0;
	int n = 0;

	UNKNOWN(stats, cgfs_group_stats(ctr, CGFS_READ_ALL, stats, &err));
	OK(cgfs_group_stats(ctr, CGFS_READ_ALL, stats, &err));
	WHOLE(stats);
	IS(cgfs_stats_get(stats, CGFS_STAT_PIDS_MAX, &value), true);
	IS(value, 7);
	IS(stats->figure[CGFS_STAT_MEMORY_MAX].value, 64 << 20);
	IS(stats->figure[CGFS_STAT_DEVICE_DENIED].available, true); /* one of the last */
	UNKNOWN(stats, cgfs_stats_json(stats, &json));
	OK(cgfs_stats_json(stats, &json));
	IS(json && strstr(json, "\"pids\":{\"current\":1,\"max\":7") != NULL, true);
	free(json);
	OK(cgfs_root_stats(c, CGFS_READ_ALL, stats, &err));
	WHOLE(stats);
	OK(cgfs_stats_all(c, CGFS_READ_PIDS, seen, &n, &err));
	IS(n, 1);
	free(stats);
}

/* Elements of a list that the library returned are as long as they say. */
static void lists(struct cgfs_group *ctr)
{
	struct cgfs_hugetlb_stat *huge = NULL;
	struct cgfs_misc_stat *misc = NULL;
	struct cgfs_rdma_stat *rdma = NULL;
	size_t n = 0;

	OK(cgfs_group_hugetlb(ctr, &huge, &n, &err));
	IS(n, 2);
	IS(n == 2 && strcmp(CGFS_AT(huge, 0)->page_size, "2MB") == 0, true);
	IS(n == 2 && strcmp(CGFS_AT(huge, 1)->page_size, "1GB") == 0, true);
	OK(cgfs_group_rdma(ctr, &rdma, &n, &err));
	IS(n == 1 && strcmp(CGFS_AT(rdma, 0)->device, "mlx5_0") == 0, true);
	OK(cgfs_group_misc(ctr, &misc, &n, &err));
	IS(n == 1 && strcmp(CGFS_AT(misc, 0)->name, "res_a") == 0, true);
	free(huge);
	free(rdma);
	free(misc);
}

static void capabilities(struct cgfs *c)
{
	struct cgfs_capabilities *caps = NEW(*caps);

	UNKNOWN(caps, cgfs_probe(c, caps, &err));
	OK(cgfs_probe(c, caps, &err));
	WHOLE(caps);
	IS(caps->n > 10 && caps->cap[0].ok, true);
	for (size_t i = 0; i < 200; i++)
		cgfs_capability_add(caps, "one more", true, "", "");
	WHOLE(caps);
	free(caps);
}

static void removal(struct cgfs *c, struct cgfs_group *pod)
{
	struct cgfs_remove_opts *opts = NEW(*opts);
	struct cgfs_event *ev = NEW(*ev);
	char *json = NULL;
	int r = 0;

	UNKNOWN(opts, cgfs_group_remove(pod, opts, &err));
	OK(cgfs_group_remove(pod, opts, &err));
	UNKNOWN(ev, cgfs_event_read(c, ev, &err));
	for (int i = 0; i < 100000 && r == 0; i++)
		r = cgfs_event_read(c, ev, &err);
	IS(r, 1);
	WHOLE(ev);
	IS(ev->type, CGFS_EVENT_REMOVED);
	IS(strcmp(ev->pod, "web"), 0);
	UNKNOWN(ev, cgfs_event_json(ev, &json));
	OK(cgfs_event_json(ev, &json));
	IS(json && strstr(json, "removed") != NULL, true);
	ev->sz = 3;
	IS(cgfs_event_read(c, ev, &err), -EINVAL);
	free(json);
	free(ev);
	free(opts);
}

static void written(void *user, const struct cgfs_written *w)
{
	if (w->sz > sizeof(w->sz) && strcmp(w->file, "pids.max") == 0 && strcmp(w->value, "7") == 0)
		++*(int *)user;
}

static struct cgfs *open_context(struct fake *f, int *n_written)
{
	struct cgfs_open_opts *opts = NEW(*opts);
	struct cgfs_policy_ops *policy_ops = NEW(*policy_ops);
	struct cgfs_fs_ops *fs_ops = NEW(*fs_ops);
	struct cgfs_mounts *mounts = NEW(*mounts);
	struct cgfs_policy *policy = NEW(*policy);
	struct cgfs_fs *fs = NEW(*fs);
	struct cgfs *c = NULL;

	*fs_ops = *fake_fs(f)->ops;
	*policy_ops = *fake_policy(f, true)->ops;
	*fs = *fake_fs(f);
	*policy = *fake_policy(f, true);
	*mounts = *fake_mounts(f);
	fs->ops = fs_ops;
	policy->ops = policy_ops;
	opts->fs = fs;
	opts->policy = policy;
	opts->mounts = mounts;
	opts->written = written;
	opts->written_user = n_written;
	UNKNOWN(opts, cgfs_open(opts, &c, &err));
	UNKNOWN(fs, cgfs_open(opts, &c, &err));
	UNKNOWN(fs_ops, cgfs_open(opts, &c, &err));
	UNKNOWN(policy, cgfs_open(opts, &c, &err));
	UNKNOWN(policy_ops, cgfs_open(opts, &c, &err));
	UNKNOWN(mounts, cgfs_open(opts, &c, &err));
	policy_ops->get_rules = NULL;
	IS(cgfs_open(opts, &c, &err), -EINVAL);
	policy_ops->get_rules = fake_policy(f, true)->ops->get_rules;
	OK(cgfs_open(opts, &c, &err));
	/* The tables are copied, what they point to is the caller's. */
	free(opts);
	free(mounts);
	free(policy);
	free(policy_ops);
	free(fs);
	free(fs_ops);
	return c;
}

int main(void)
{
	struct fake *f = fake_new(CGFS_LAYOUT_V2, FAKE_KERNEL_6_12);
	struct cgfs_group *pod = NULL, *ctr[2] = { NULL, NULL };
	struct cgfs_cpuset *set = NULL;
	int n_written = 0;
	struct cgfs *c = open_context(f, &n_written);

	fake_add_hardware(f);
	OK(cgfs_pod_create(c, "web", NULL, &pod, &err));
	OK(cgfs_container_create(c, pod, "c1", NULL, &ctr[0], &err));
	OK(cgfs_container_create(c, pod, "c2", NULL, &ctr[1], &err));
	if (failures)
		return 1;
	OK(cgfs_group_add_pid(ctr[0], fake_spawn(f), &err));
	limits(ctr[0]);
	IS(n_written, 1);
	resize(pod, ctr);
	figures(c, ctr[0]);
	lists(ctr[0]);
	OK(cgfs_group_cpuset(ctr[0], &set, &err));
	IS(set && set->sz > sizeof(set->sz) && set->effective_cpus != NULL, true);
	free(set);
	capabilities(c);
	removal(c, pod);
	cgfs_group_close(ctr[0]);
	cgfs_group_close(ctr[1]);
	cgfs_group_close(pod);
	cgfs_close(c);
	fake_free(f);
	return failures != 0;
}
