// SPDX-License-Identifier: MIT
/*
 * test_fault_plain.c - functions that touch no control file: they need memory at the most, or
 * nothing that could fail.
 */
#include "fault.h"

#include <stdlib.h>

#include <jansson.h>

/* -- memory at the most ------------------------------------------------------------------------ */

static const char oci[] =
	"{\"memory\":{\"limit\":67108864,\"swap\":134217728,\"colour\":\"red\"},"
	"\"cpu\":{\"shares\":512,\"quota\":50000,\"period\":100000,\"cpus\":\"0-1\",\"mems\":\"0\"}"
	","
	"\"pids\":{\"limit\":100},"
	"\"blockIO\":{\"weight\":200,\"throttleReadBpsDevice\":[{\"major\":8,\"minor\":0,"
	"\"rate\":1048576}],\"weightDevice\":[{\"major\":8,\"minor\":16,\"weight\":300}]},"
	"\"hugepageLimits\":[{\"pageSize\":\"2MB\",\"limit\":4194304}],"
	"\"rdma\":{\"mlx5_0\":{\"hcaHandles\":3}},"
	"\"network\":{\"classID\":7,\"priorities\":[{\"name\":\"eth0\",\"priority\":5}]},"
	"\"devices\":[{\"allow\":false,\"access\":\"rwm\"},{\"allow\":true,\"type\":\"c\","
	"\"major\":10,\"minor\":200,\"access\":\"rw\"}],"
	"\"unified\":{\"pids.max\":\"77\",\"memory.high\":\"1000000\"}}";

static int run_oci(struct scene *s, struct cgfs_err *err)
{
	struct cgfs_resources *res = NULL;
	int r = cgfs_resources_from_oci(oci, strlen(oci), NULL, &res, err);

	CHECK((res != NULL) == (r == 0));
	if (r == 0) {
		fault_out(s, "%llx %zu %zu %s\n", (unsigned long long)res->set, res->n_devices,
			  res->n_unified, cgfs_resources_ignored(res));
		fault_out(s, "%s %s %u\n", res->cpuset_cpus, res->hugetlb[0].page_size,
			  res->io_devices[0].major);
	}
	cgfs_resources_free(res);
	return r;
}

static int note_json(struct scene *s, int r, char *json, const char *what, struct cgfs_err *err)
{
	CHECK((json != NULL) == (r == 0));
	if (r < 0) { /* it has no error to fill */
		err->code = r;
		snprintf(err->op, sizeof(err->op), "%s", what);
		snprintf(err->text, sizeof(err->text), "%s", what);
	} else {
		fault_out(s, "%s\n", json);
	}
	free(json);
	return r;
}

static int run_json(struct scene *s, struct cgfs_err *err)
{
	struct cgfs_event ev = { .sz = sizeof(struct cgfs_event),
				 .type = CGFS_EVENT_OOM_KILL,
				 .count = 1,
				 .pod = "web" };
	struct cgfs_stats stats = { .sz = sizeof(struct cgfs_stats),
				    .figure = { { .value = 7, .available = true } } };
	char *json = NULL;
	int r = cgfs_event_json(&ev, &json);

	r = note_json(s, r, json, "event", err);
	if (r < 0)
		return r;
	json = NULL;
	r = cgfs_stats_json(&stats, &json);
	return note_json(s, r, json, "stats", err);
}

/* libcgroup keeps what it found for the whole process; what it needs memory for is its own. */
static int run_discover(struct scene *s, struct cgfs_err *err)
{
	static struct cgfs_mounts m = CGFS_MOUNTS_INIT;
	int r = cgfs_discover(&m, err);

	return r == -ENOENT || r == -EIO ? 0 : r; /* a machine without cgroups */
}

/* -- nothing that could fail ------------------------------------------------------------------- */

static int run_plain(struct scene *s, struct cgfs_err *err)
{
	struct cgfs_device_rule rule;
	struct cgfs_resources res = scene_limits(s, 1);
	static struct cgfs_capabilities caps = CGFS_CAPABILITIES_INIT;
	char text[48];
	size_t n;

	caps.n = 0;
	cgfs_capability_add(&caps, "x", true, "", "");
	CHECK_INT(caps.n, 1);
	CHECK_INT(cgfs_controller_from_name(cgfs_controller_name(CGFS_CPU)), CGFS_CPU);
	CHECK_INT(cgfs_device_parse("c 1:3 rwm", &rule, err), 0);
	cgfs_device_format(&rule, text, sizeof(text));
	CHECK_HAS(text, "c 1:3 rwm");
	CHECK_INT(cgfs_device_check(&rule, 1, CGFS_DEVICE_CHAR, 1, 3, CGFS_ACCESS_READ),
		  CGFS_ACCESS_READ);
	CHECK(cgfs_device_defaults(&n) && n > 5);
	CHECK(cgfs_event_fd(s->c) >= 0);
	CHECK_STR(cgfs_event_name(CGFS_EVENT_OOM_KILL), "oom_kill");
	CHECK(cgfs_fs_kernel() != NULL);
	CHECK(cgfs_group_pod(s->ctr) == s->pod && cgfs_group_is_pod(s->pod));
	CHECK_STR(cgfs_group_id(s->ctr), "c1");
	CHECK_HAS(cgfs_group_path(s->ctr), "/web/c1");
	CHECK((cgfs_group_cgroup_id(s->ctr) != 0) == (world_version(s->w, UNIFIED) != CGFS_NONE));
	CHECK_INT(cgfs_id_check("web", err), 0);
	CHECK(cgfs_layout_name(cgfs_layout(s->c)) && cgfs_mounts(s->c)->n > 0);
	CHECK(cgfs_place(s->c, CGFS_CPU).version != CGFS_NONE);
	CHECK_STR(cgfs_root(s->c), s->w->root);
	CHECK_INT(cgfs_resources_check(&res, err), 0);
	CHECK_STR(cgfs_resources_field(CGFS_SET_MEMORY_MAX), "memory.limit");
	CHECK_STR(cgfs_resources_field(1ull << 61), "?");
	CHECK_INT(cgfs_weight_from_shares(cgfs_shares_from_weight(100)), 100);
	CHECK(cgfs_stat_name(CGFS_STAT_PIDS_MAX) && cgfs_stat_unit(CGFS_STAT_PIDS_MAX));
	CHECK_STR(cgfs_version(), CGFS_VERSION);
	cgfs_resources_free(NULL);
	return 0;
}

FAULT_OP(from_oci, "cgfs_resources_from_oci cgfs_resources_free cgfs_resources_ignored",
	 "read OCI resources", NULL, run_oci, 0, 0)
FAULT_OP(json, "cgfs_event_json cgfs_stats_json", "write JSON", NULL, run_json, 0, 0)
FAULT_OP(discover, "cgfs_discover", "discover", NULL, run_discover, 0, 0)
FAULT_OP(plain,
	 "cgfs_capability_add cgfs_controller_from_name cgfs_controller_name cgfs_device_check "
	 "cgfs_device_defaults cgfs_device_format cgfs_device_parse cgfs_event_fd cgfs_event_name "
	 "cgfs_fs_kernel cgfs_group_cgroup_id cgfs_group_id cgfs_group_is_pod cgfs_group_path "
	 "cgfs_group_pod cgfs_id_check cgfs_layout cgfs_layout_name cgfs_mounts cgfs_place "
	 "cgfs_resources_check cgfs_resources_field cgfs_root cgfs_shares_from_weight "
	 "cgfs_stat_name cgfs_stat_unit cgfs_version cgfs_weight_from_shares",
	 "plain reads", with_container, run_plain, CANNOT_FAIL, 0)

/* Made, changed, adopted and removed a thousand times: descriptors are as many as before. */
WORLD_TEST(fault_thousand_pods)
{
	struct scene s = { .w = w, .c = world_context(w, WORLD_POLICY) };
	size_t files = 0, fds = 0;

	for (unsigned int i = 0; i < 1000; i++) {
		struct cgfs_resources res = scene_limits(&s, 2);

		with_container(&s);
		OK(cgfs_group_set(s.ctr, &res, NULL, &err));
		w->n_pids = 0;
		world_close_group(w, s.ctr);
		world_close_group(w, s.pod);
		OK(cgfs_pod_open(s.c, "web", &s.pod, &err));
		OK(cgfs_container_open(s.c, s.pod, "c1", &s.ctr, &err));
		OK(cgfs_group_remove(s.pod, CGFS_REMOVE_OPTS_WAIT(PATIENCE_MS), &err));
		cgfs_group_close(s.ctr);
		cgfs_group_close(s.pod);
		if (i == 0) {
			files = fake_open_files(world_fake(w));
			fds = world_fds();
		}
		CHECK_INT(fake_open_files(world_fake(w)), files);
		CHECK_INT(world_fds(), fds);
	}
}
