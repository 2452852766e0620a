// SPDX-License-Identifier: MIT
/*
 * test_lists.c - figures that are lists (huge pages by size, RDMA devices, misc resources), the
 * kernel's own counters, and the JSON of all of it.
 */
#include "extra.h"

#include <jansson.h>
#include <stdlib.h>
#include <sys/stat.h>

#define PAGE (2 * MIB)

/* -- huge pages ------------------------------------------------------------------------------- */

static struct cgfs_hugetlb_stat huge_of(struct cgfs_group *g, const char *size)
{
	struct cgfs_hugetlb_stat *list = NULL, found = { .available = 0 };
	size_t n = 0;

	OK(cgfs_group_hugetlb(g, &list, &n, &err));
	for (size_t i = 0; i < n; i++) {
		if (strcmp(list[i].page_size, size) == 0)
			found = list[i];
	}
	free(list);
	CHECK_MSG(found.page_size[0], "no huge pages of %s", size);
	return found;
}

static void need_huge(struct world *w, struct cgfs_group *g)
{
	world_need(w, CGFS_HUGETLB);
	world_need_file(w, CGFS_HUGETLB, g,
			world_v2(w, CGFS_HUGETLB) ? "hugetlb.2MB.max"
						  : "hugetlb.2MB.limit_in_bytes");
}

static struct cgfs_resources huge_limit(struct cgfs_hugetlb *h, uint64_t max)
{
	struct cgfs_resources res = CGFS_RESOURCES_INIT;

	*h = (struct cgfs_hugetlb){ "2MB", max };
	res.set = CGFS_SET_HUGETLB;
	res.hugetlb = h;
	res.n_hugetlb = 1;
	return res;
}

WORLD_TEST(lists_huge_pages_unused)
{
	struct cgfs *c = world_context(w, WORLD_FILES);
	struct cgfs_group *ctr = world_container(w, world_pod(w, c, "web", NULL), c, "c1", NULL);
	struct cgfs_hugetlb_stat *list = NULL, s;
	struct cgfs_hugetlb limit;
	struct cgfs_resources res = huge_limit(&limit, 3 * PAGE);
	bool v1 = world_version(w, CGFS_HUGETLB) == CGFS_V1;
	size_t n = 0;

	if (world_version(w, CGFS_HUGETLB) == CGFS_NONE) {
		REFUSED(cgfs_group_hugetlb(ctr, &list, &n, &err), -ENODEV);
		return;
	}
	need_huge(w, ctr);
	/* Every size of this kernel, and no other. */
	OK(cgfs_group_hugetlb(ctr, &list, &n, &err));
	for (size_t i = 0; i < n; i++) {
		char file[64];

		snprintf(file, sizeof(file), "hugetlb.%s.%s", list[i].page_size,
			 v1 ? "limit_in_bytes" : "max");
		CHECK(world_has_file(w, CGFS_HUGETLB, ctr, file));
		CHECK(list[i].max_bytes == CGFS_MAX);
		CHECK(list[i].rsvd_max_bytes == CGFS_MAX);
	}
	free(list);
	OK(cgfs_group_set(ctr, &res, NULL, &err));
	s = huge_of(ctr, "2MB");
	CHECK_INT(s.max_bytes, 3 * PAGE);
	CHECK_INT(s.rsvd_max_bytes, 3 * PAGE);
	CHECK_INT(s.current_bytes, 0);
	/* 0 is known on either version; what a version does not have is not. */
	CHECK_INT(s.available & CGFS_HUGETLB_CURRENT, CGFS_HUGETLB_CURRENT);
	CHECK_INT(s.available & CGFS_HUGETLB_PEAK, v1 ? CGFS_HUGETLB_PEAK : 0);
	CHECK_INT(s.available & CGFS_HUGETLB_RSVD_FAILED, v1 ? CGFS_HUGETLB_RSVD_FAILED : 0);
	CHECK_INT(s.available & CGFS_HUGETLB_FAILED, CGFS_HUGETLB_FAILED);
	s = huge_of(cgfs_group_pod(ctr), "2MB");
	CHECK_INT(s.available & CGFS_HUGETLB_FAILED, v1 ? 0 : CGFS_HUGETLB_FAILED);
	CHECK_INT(s.available & CGFS_HUGETLB_LOCAL_FAILED, CGFS_HUGETLB_LOCAL_FAILED);
}

/* In a guest, which is ours alone, a few pages are made. */
static void offer_pages(struct world *w, const char *pages)
{
	FILE *f;

	if (!w->kind->live || !getenv("CGFS_TEST_GUEST"))
		return;
	f = fopen("/proc/sys/vm/nr_hugepages", "we");
	CHECK(f != NULL);
	fputs(pages, f);
	CHECK(fclose(f) == 0);
}

WORLD_TEST(lists_huge_pages_used)
{
	struct cgfs *c = world_context(w, WORLD_FILES);
	struct cgfs_group *ctr = world_container(w, world_pod(w, c, "web", NULL), c, "c1", NULL);
	struct cgfs_hugetlb limit;
	struct cgfs_resources res = huge_limit(&limit, 2 * PAGE);
	struct cgfs_hugetlb_stat s;
	pid_t pid, greedy;
	int r;

	need_huge(w, ctr);
	OK(cgfs_group_set(ctr, &res, NULL, &err));
	pid = world_spawn_in(w, ctr);
	greedy = world_spawn_in(w, ctr);
	offer_pages(w, "8");
	r = w->ops->huge(w, pid, 2 * PAGE);
	if (r == -ENOTSUP)
		world_skip(w, "this machine has no free huge pages");
	CHECK_INT(r, 0);
	for (int i = 0; i < 2; i++) {
		s = huge_of(i ? cgfs_group_pod(ctr) : ctr, "2MB");
		CHECK_INT(s.current_bytes, 2 * PAGE);
		CHECK_INT(s.rsvd_current_bytes, 2 * PAGE);
		if (s.available & CGFS_HUGETLB_PEAK)
			CHECK_INT(s.peak_bytes, 2 * PAGE);
	}
	CHECK_INT(w->ops->huge(w, greedy, PAGE), -ENOMEM);
	s = huge_of(ctr, "2MB");
	CHECK_INT(s.current_bytes, 2 * PAGE);
	if (s.available & CGFS_HUGETLB_RSVD_FAILED)
		CHECK(s.rsvd_failed >= 1);
	else
		CHECK(s.failed >= 1 && s.local_failed >= 1);
	w->ops->exit(w, pid);
	s = huge_of(ctr, "2MB");
	CHECK_INT(s.current_bytes, 0);
	CHECK_INT(s.rsvd_current_bytes, 0);
	offer_pages(w, "0");
}

/* -- rdma and misc: hardware that the fakes have, and most machines do not
 * ------------------------- */

WORLD_TEST(lists_rdma_and_misc)
{
	struct cgfs *c = world_context(w, WORLD_FILES);
	struct cgfs_group *pod, *ctr;
	struct cgfs_rdma rdma = { "mlx5_0", 10, CGFS_MAX };
	struct cgfs_misc misc = { "res_a", 20 };
	struct cgfs_resources res = CGFS_RESOURCES_INIT;
	struct fake *f = world_fake(w);
	struct cgfs_rdma_stat *r = NULL;
	struct cgfs_misc_stat *m = NULL;
	size_t n = 7;

	pod = world_pod(w, c, "web", NULL);
	ctr = world_container(w, pod, c, "c1", NULL);
	if (world_version(w, CGFS_RDMA) == CGFS_NONE)
		REFUSED(cgfs_group_rdma(ctr, &r, &n, &err), -ENODEV);
	if (world_version(w, CGFS_MISC) == CGFS_NONE)
		REFUSED(cgfs_group_misc(ctr, &m, &n, &err), -ENODEV);
	world_need(w, CGFS_RDMA);
	world_need(w, CGFS_MISC);
	if (!f)
		world_skip(w, "what this machine has of it cannot be used here");
	OK(cgfs_group_rdma(ctr, &r, &n, &err));
	CHECK(n == 0 && r == NULL);
	n = 7;
	OK(cgfs_group_misc(ctr, &m, &n, &err));
	CHECK(n == 0 && m == NULL);
	fake_add_hardware(f);
	res.set = CGFS_SET_RDMA | CGFS_SET_MISC;
	res.rdma = &rdma;
	res.n_rdma = 1;
	res.misc = &misc;
	res.n_misc = 1;
	OK(cgfs_group_set(ctr, &res, NULL, &err));
	CHECK_INT(fake_use_hardware(f, CGFS_RDMA, cgfs_group_path(ctr), 9, 50), 0);
	CHECK_INT(fake_use_hardware(f, CGFS_RDMA, cgfs_group_path(ctr), 11, 50), -EBUSY);
	CHECK_INT(fake_use_hardware(f, CGFS_RDMA, cgfs_group_path(ctr), 3, 44), 0);
	CHECK_INT(fake_use_hardware(f, CGFS_MISC, cgfs_group_path(ctr), 15, 0), 0);
	CHECK_INT(fake_use_hardware(f, CGFS_MISC, cgfs_group_path(ctr), 21, 0), -EBUSY);
	CHECK_INT(fake_use_hardware(f, CGFS_MISC, cgfs_group_path(ctr), 5, 0), 0);
	OK(cgfs_group_rdma(ctr, &r, &n, &err));
	CHECK_INT(n, 1);
	CHECK_STR(r->device, "mlx5_0");
	CHECK_INT(r->hca_handles, 3);
	CHECK_INT(r->hca_objects, 44);
	CHECK_INT(r->hca_handles_max, 10);
	CHECK(r->hca_objects_max == CGFS_MAX);
	CHECK_INT(r->available, world_has_file(w, CGFS_RDMA, ctr, "rdma.peak")
					? CGFS_RDMA_PEAK | CGFS_RDMA_FAILED
					: 0);
	if (r->available) {
		CHECK_INT(r->hca_handles_peak, 9);
		CHECK_INT(r->hca_objects_peak, 50);
		CHECK_INT(r->hca_handles_failed, 1);
		CHECK_INT(r->hca_objects_failed, 0);
	}
	free(r);
	for (int i = 0; i < 2; i++) {
		bool peak = world_has_file(w, CGFS_MISC, ctr, "misc.peak");

		OK(cgfs_group_misc(i ? pod : ctr, &m, &n, &err));
		CHECK_INT(n, 1);
		CHECK_STR(m->name, "res_a");
		CHECK_INT(m->current, 5);
		CHECK(m->max == (i ? CGFS_MAX : 20));
		CHECK_INT(m->failed, 1);
		CHECK_INT(!!(m->available & CGFS_MISC_PEAK), peak);
		if (peak)
			CHECK_INT(m->peak, 15);
		free(m);
	}
}

/* -- the kernel's own counters, and JSON
 * -------------------------------------------------------------- */

struct seen {
	struct world *w;
	struct cgfs_group *g;
	size_t n, compared;
};

static enum cgfs_controller owner_of(const char *file)
{
	return strncmp(file, "cpuacct.", 8) == 0  ? CGFS_CPUACCT
	       : strncmp(file, "cpu.", 4) == 0	  ? CGFS_CPU
	       : strncmp(file, "memory.", 7) == 0 ? CGFS_MEMORY
	       : strncmp(file, "pids.", 5) == 0	  ? CGFS_PIDS
						  : UNIFIED;
}

static int compare(void *arg, const char *file, const char *key, uint64_t value)
{
	struct seen *s = arg;

	s->n++;
	/* What no process uses stands still. */
	if (strcmp(file, "memory.stat") == 0 || strcmp(file, "cpuacct.stat") == 0)
		return 0;
	if (value != CGFS_MAX) {
		CHECK_INT(extra_keyed(s->w, owner_of(file), s->g, file, key), value);
		s->compared++;
	}
	return 0;
}

static int stop(void *arg, const char *file, const char *key, uint64_t value)
{
	++*(int *)arg;
	return 42;
}

static size_t lines_of(struct world *w, struct cgfs_group *g, enum cgfs_controller ctl,
		       const char *file)
{
	size_t n = 1;

	for (const char *p = world_cat(w, ctl, g, file); (p = strchr(p, '\n')); p++)
		n++;
	return n;
}

WORLD_TEST(lists_native_counters)
{
	struct cgfs *c = world_context(w, WORLD_FILES);
	struct cgfs_group *ctr = world_container(w, world_pod(w, c, "web", NULL), c, "c1", NULL);
	struct seen s = { .w = w, .g = ctr };
	int calls = 0;

	world_need(w, CGFS_MEMORY);
	OK(cgfs_group_native(ctr, CGFS_READ_MEMORY_STAT, compare, &s, &err));
	CHECK_INT(s.n, lines_of(w, ctr, CGFS_MEMORY, "memory.stat"));
	s.n = 0;
	OK(cgfs_group_native(ctr, CGFS_READ_ALL, compare, &s, &err));
	CHECK(s.n > lines_of(w, ctr, CGFS_MEMORY, "memory.stat"));
	CHECK(s.compared > 5);
	CHECK_INT(cgfs_group_native(ctr, CGFS_READ_ALL, stop, &calls, NULL), 42);
	CHECK_INT(calls, 1);
	s.n = 0;
	OK(cgfs_group_native(ctr, 0, compare, &s, &err));
	CHECK_INT(s.n, 0);
}

static json_t *parse(struct cgfs_group *g, unsigned int what)
{
	char *text = NULL;
	json_error_t why;
	json_t *json;

	OK(cgfs_group_json(g, what, &text, &err));
	json = json_loads(text, JSON_REJECT_DUPLICATES, &why);
	CHECK_MSG(json != NULL, "%s in %s", why.text, text);
	free(text);
	return json;
}

/* By the names with which they are set. */
static void check_limits(struct world *w, struct cgfs_group *g, const json_t *json)
{
	const json_t *limits = json_object_get(json, "limits");
	const json_t *set = json_object_get(json, "cpuset");
	const json_t *max = json_object_get(limits, "pids_max");

	CHECK(json_is_object(limits));
	if (world_version(w, CGFS_PIDS) != CGFS_NONE)
		CHECK(json_is_string(max) && strcmp(json_string_value(max), "max") == 0);
	CHECK_INT(json_is_boolean(json_object_get(limits, "cpu_idle")),
		  world_has_file(w, CGFS_CPU, g, "cpu.idle"));
	CHECK_INT(json_is_boolean(json_object_get(limits, "memory_oom_group")),
		  world_v2(w, CGFS_MEMORY));
	CHECK_INT(json_is_object(set), world_version(w, CGFS_CPUSET) != CGFS_NONE);
	if (set)
		CHECK_STR(json_string_value(json_object_get(set, "effective_cpus")),
			  world_cat(w, CGFS_CPUSET, g,
				    world_v2(w, CGFS_CPUSET) ? "cpuset.cpus.effective"
							     : "cpuset.effective_cpus"));
	if (world_version(w, CGFS_CPUSET) == CGFS_V1)
		CHECK(json_is_array(json_object_get(set, "flags")));
}

WORLD_TEST(lists_json)
{
	struct cgfs *c = world_context(w, WORLD_FILES);
	struct cgfs_group *ctr = world_container(w, world_pod(w, c, "web", NULL), c, "c1", NULL);
	json_t *json = parse(ctr, CGFS_READ_ALL), *list, *stat;
	bool v2 = world_v2(w, CGFS_MEMORY);

	list = json_object_get(json, "hugetlb");
	CHECK_INT(json_is_array(list), world_version(w, CGFS_HUGETLB) != CGFS_NONE);
	if (json_array_size(list) > 0)
		CHECK(json_is_string(json_object_get(json_array_get(list, 0), "max")));
	CHECK_INT(json_is_array(json_object_get(json, "rdma")),
		  world_version(w, CGFS_RDMA) != CGFS_NONE);
	CHECK_INT(json_is_array(json_object_get(json, "io_devices")),
		  world_version(w, CGFS_IO) != CGFS_NONE);
	stat = json_object_get(json_object_get(json, "native"), "memory.stat");
	if (world_version(w, CGFS_MEMORY) != CGFS_NONE)
		CHECK(json_is_integer(json_object_get(stat, v2 ? "pgrefill" : "total_rss")));
	CHECK(json_is_object(json_object_get(json, "memory")) ==
	      (world_version(w, CGFS_MEMORY) != CGFS_NONE));
	check_limits(w, ctr, json);
	json_decref(json);
	/* The lists alone, and nothing. */
	json = parse(ctr, CGFS_READ_HUGETLB);
	CHECK_INT(json_object_size(json), world_version(w, CGFS_HUGETLB) != CGFS_NONE);
	json_decref(json);
	json = parse(ctr, 0);
	CHECK_INT(json_object_size(json), 0);
	json_decref(json);
}
