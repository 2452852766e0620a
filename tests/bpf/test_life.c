/* SPDX-License-Identifier: MIT */
/*
 * test_life.c - what outlives the process: pins that enforce on their own, that a later process
 * takes over, that an incompatible one leaves alone, and that go when no process needs them; and
 * how all of it looks in bpftool.
 */
#include "world.h"

#include <bpf/bpf.h>
#include <cgfs/abi/device.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Sets a pod up and dies, as an agent does by kill -9. */
static int set_up_and_die(void *arg)
{
	struct cgfs_bpf_opts opts = CGFS_BPF_OPTS_INIT;
	struct world *w = arg;
	struct cgfs_device_rule rules[64];
	struct cgfs_bpf *bpf;
	const struct cgfs_policy *p;
	size_t n = world_rules("c 1:3 rw", rules, 64);

	opts.pin_dir = w->pin;
	opts.events = true;
	if (cgfs_bpf_open(&opts, &bpf, NULL) < 0)
		return 1;
	p = cgfs_bpf_policy(bpf);
	if (p->ops->add(p->ctx, &w->group[0].g, rules, n, NULL) < 0 ||
	    p->ops->add(p->ctx, &w->group[1].g, NULL, 0, NULL) < 0)
		return 2;
	kill(getpid(), SIGKILL);
	return 3;
}

BPF_TEST(policy_outlives_its_process_and_is_taken_over)
{
	struct group *pod, *ctr;
	struct cgfs_event e = CGFS_EVENT_INIT;
	int status;

	pod = world_pod(w, "web.server");
	ctr = world_container(w, pod, "c1");
	waitpid(kit_spawn(w->root, set_up_and_die, w), &status, 0);
	CHECK(WIFSIGNALED(status));

	/* No process holds it open, and the policy holds. */
	CHECK(world_can_open(w, ctr->path, 'c', 1, 3, O_RDWR));
	CHECK(!world_can_open(w, ctr->path, 'c', 1, 5, O_RDONLY));
	CHECK(!world_can_open(w, pod->path, 'c', 1, 5, O_RDONLY));

	world_open(w, true);
	/* The same again, without rules: nothing changes. */
	world_add(w, pod, NULL);
	world_add(w, ctr, NULL);
	CHECK(world_can_open(w, ctr->path, 'c', 1, 3, O_RDWR));
	CHECK_INT(world_counters(w, ctr).device_allowed, 2);
	CHECK_INT(world_counters(w, ctr).device_denied, 1);
	CHECK_INT(world_counters(w, pod).device_denied, 2);
	/* The denials of the time between are not lost either. */
	CHECK_INT(world_event(w, &e, 60000), 1);
	CHECK_INT(e.type, CGFS_EVENT_DEVICE_DENIED);
	CHECK_STR(e.pod, "web.server");
	CHECK_STR(e.container, "c1");
	CHECK_INT(world_event(w, &e, 60000), 1);
	CHECK_STR(e.container, "");
	CHECK_INT(e.cgroup_id, pod->g.cgroup_id);
	/* And it can be changed. */
	world_set(w, pod, "c 1:5 r");
	CHECK(world_can_open(w, ctr->path, 'c', 1, 5, O_RDONLY));
	CHECK(!world_can_open(w, ctr->path, 'c', 1, 3, O_RDONLY));
	world_add(w, pod, "c 1:7 r");
	CHECK(!world_can_open(w, ctr->path, 'c', 1, 5, O_RDONLY));
}

/* Kill attribution comes with the first process that wants it, and stays for all. */
BPF_TEST(kills_may_come_later)
{
	struct cgfs_bpf_opts opts = CGFS_BPF_OPTS_INIT;
	char link[200];
	bool here;

	snprintf(link, sizeof(link), "%s/oom", w->pin);
	opts.pin_dir = w->pin;
	opts.no_kills = true;
	CHECK_INT(cgfs_bpf_open(&opts, &w->bpf, &w->err), 0);
	w->policy = cgfs_bpf_policy(w->bpf);
	world_add(w, world_pod(w, "web"), "c 1:3 rw");
	CHECK(!world_can_open(w, w->group[0].path, 'c', 1, 5, O_RDONLY));
	CHECK(access(link, F_OK) != 0);
	world_close(w);

	world_open(w, true);
	here = w->policy->ops->reports_oom(w->policy->ctx);
	CHECK_INT(access(link, F_OK) == 0, here);
	world_close(w);
	opts.events = true;
	CHECK_INT(cgfs_bpf_open(&opts, &w->bpf, &w->err), -EINVAL);
	opts.events = false;
	CHECK_INT(cgfs_bpf_open(&opts, &w->bpf, &w->err), 0);
	w->policy = cgfs_bpf_policy(w->bpf);
	CHECK_INT(access(link, F_OK) == 0, here);
}

static size_t entries(const char *dir)
{
	struct dirent *d;
	size_t n = 0;
	DIR *f = opendir(dir);

	CHECK(f);
	while ((d = readdir(f)))
		n += d->d_name[0] != '.';
	closedir(f);
	return n;
}

BPF_TEST(removed_groups_leave_nothing)
{
	char links[200];
	struct group *pod, *ctr;

	world_open(w, false);
	snprintf(links, sizeof(links), "%s/links", w->pin);
	pod = world_pod(w, "web");
	ctr = world_container(w, pod, "c1");
	world_add(w, pod, "c 1:3 rw; c 1:5 rw");
	world_add(w, ctr, "c 1:3 rw");
	CHECK_INT(entries(links), 2);
	CHECK_INT(cgfs_bpf_unpin(w->bpf, &w->err), -EBUSY);
	CHECK_MSG(strstr(w->err.text, "2, such as \"web") && strstr(w->err.text, "/web"), "%s",
		  w->err.text);
	CHECK_INT(w->policy->ops->remove(w->policy->ctx, &ctr->g, &w->err), 0);
	CHECK_INT(w->policy->ops->remove(w->policy->ctx, &ctr->g, &w->err), 0);
	CHECK_INT(entries(links), 1);
	CHECK_INT(world_map_count(w, "groups"), 1);
	CHECK_INT(world_map_count(w, "rules"), 2);
	CHECK_INT(w->policy->ops->remove(w->policy->ctx, &pod->g, &w->err), 0);
	CHECK_INT(world_map_count(w, "groups"), 0);
	CHECK_INT(world_map_count(w, "rules"), 0);
	CHECK_INT(entries(links), 0);
	CHECK_INT(cgfs_bpf_unpin(w->bpf, &w->err), 0);
	CHECK_INT(access(w->pin, F_OK), -1);
	/* Afterwards the handle reports it, and a new one works. */
	CHECK_INT(w->policy->ops->remove(w->policy->ctx, &pod->g, &w->err), -ESTALE);
	world_close(w);
	world_open(w, false);
	world_add(w, pod, "c 1:3 r");
	CHECK(world_can_open(w, pod->path, 'c', 1, 3, O_RDONLY));
}

/* A pod with a container, and another pod, each with a list. */
static void two_pods(struct world *w, struct group **pod, struct group **ctr, struct group **other)
{
	*pod = world_pod(w, "web");
	*ctr = world_container(w, *pod, "c1");
	*other = world_pod(w, "other");
	world_add(w, *pod, "c 1:3 rw");
	world_add(w, *ctr, "c 1:5 rw");
	world_add(w, *other, "c 1:3 rw");
}

BPF_TEST(pods_whose_cgroup_is_gone_are_cleared_away)
{
	struct group *pod, *ctr, *other;
	char links[200];

	world_open(w, false);
	snprintf(links, sizeof(links), "%s/links", w->pin);
	two_pods(w, &pod, &ctr, &other);
	world_close(w);
	CHECK_INT(rmdir(ctr->path), 0);
	CHECK_INT(rmdir(pod->path), 0);

	world_open(w, false);
	/* The kernel takes a moment to take a dead cgroup's links off. */
	for (int i = 0; i < 200; i++) {
		world_set(w, other, "c 1:3 r");
		if (entries(links) == 1)
			break;
		world_close(w);
		usleep(10000);
		world_open(w, false);
	}
	CHECK_INT(entries(links), 1);
	CHECK_INT(world_map_count(w, "groups"), 1);
	CHECK(world_can_open(w, other->path, 'c', 1, 3, O_RDONLY));
}

/* The kernel takes its time with a dead cgroup's links; a sweep does not wait for it. */
BPF_TEST(sweep_knows_at_once_whose_cgroup_is_gone)
{
	struct group *pod, *ctr, *other;
	char links[200];

	world_open(w, false);
	snprintf(links, sizeof(links), "%s/links", w->pin);
	two_pods(w, &pod, &ctr, &other);
	CHECK_INT(rmdir(ctr->path), 0);
	CHECK_INT(w->policy->ops->sweep(w->policy->ctx, other->g.cgroup_fd, &w->err), 0);
	CHECK_INT(entries(links), 2);
	CHECK_INT(world_map_count(w, "groups"), 2);
	CHECK_INT(rmdir(pod->path), 0);
	CHECK_INT(w->policy->ops->sweep(w->policy->ctx, other->g.cgroup_fd, &w->err), 0);
	CHECK_INT(entries(links), 1);
	CHECK_INT(world_map_count(w, "groups"), 1);
	CHECK_INT(world_map_count(w, "rules"), 1);
	CHECK(world_can_open(w, other->path, 'c', 1, 3, O_RDONLY));
	CHECK(!world_can_open(w, other->path, 'c', 1, 5, O_RDONLY));
}

static int open_pin(struct world *w, const char *name)
{
	char path[512];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", w->pin, name);
	fd = bpf_obj_get(path);
	CHECK(fd >= 0);
	return fd;
}

/* A process was killed before it had attached the program, and the cgroup has gone since. */
BPF_TEST(group_without_a_pin_is_cleared_away)
{
	struct cgfs_group_key key = { .cgroup_id = UINT64_C(1) << 62 };
	struct cgfs_group value = { .pod_cgroup_id = key.cgroup_id, .pod = "half" };
	int fd;

	world_open(w, false);
	fd = open_pin(w, "groups");
	CHECK_INT(bpf_map_update_elem(fd, &key, &value, BPF_NOEXIST), 0);
	close(fd);
	CHECK_INT(world_map_count(w, "groups"), 1);
	CHECK_INT(cgfs_bpf_unpin(w->bpf, &w->err), 0);
	CHECK_INT(access(w->pin, F_OK), -1);
}

/* A process was killed while it removed the pins: kills would be written to maps that no process
 * has. */
BPF_TEST(attribution_of_other_maps_is_replaced)
{
	unsigned int before;
	char path[200];

	world_open(w, true);
	if (!w->policy->ops->reports_oom(w->policy->ctx))
		tap_skip("this kernel does not attribute kills");
	world_close(w);
	before = world_link_id(w, "oom");
	snprintf(path, sizeof(path), "%s/device", w->pin);
	CHECK_INT(unlink(path), 0);
	world_open(w, true);
	CHECK(w->policy->ops->reports_oom(w->policy->ctx));
	CHECK(world_link_id(w, "oom") != before);
}

BPF_TEST(other_version_is_left_alone)
{
	static const char *const required[] = { "cgfs_grp", "cgfs_dev" };
	static const int abi[] = { CGFS_GROUP_ABI, CGFS_DEVICE_ABI };
	struct cgfs_bpf_opts opts = CGFS_BPF_OPTS_INIT;
	struct cgfs_bpf *bpf = NULL;
	char path[200], text[80];
	int fd;

	world_open(w, false);
	world_close(w);
	opts.pin_dir = w->pin;
	for (size_t i = 0; i < 2; i++) {
		CHECK_INT(world_abi(w, required[i], 77), abi[i]);
		CHECK_INT(cgfs_bpf_open(&opts, &bpf, &w->err), -EPROTO);
		CHECK(!bpf);
		snprintf(text, sizeof(text), "version 77 of %s is pinned, this is version %d",
			 required[i], abi[i]);
		CHECK(strstr(w->err.text, text));
		CHECK_INT(world_abi(w, required[i], (unsigned int)abi[i]), 77);
	}

	/* The number agrees and the shape does not. */
	snprintf(path, sizeof(path), "%s/groups", w->pin);
	CHECK_INT(unlink(path), 0);
	fd = bpf_map_create(BPF_MAP_TYPE_HASH, "other", 8, 100, 16, NULL);
	CHECK(fd >= 0);
	CHECK_INT(bpf_obj_pin(fd, path), 0);
	close(fd);
	CHECK_INT(cgfs_bpf_open(&opts, &bpf, &w->err), -EPROTO);
	CHECK(strstr(w->err.text, "100"));
	CHECK(strstr(w->err.text, "216"));
	CHECK_INT(unlink(path), 0);
	snprintf(path, sizeof(path), "%s/device", w->pin);
	CHECK_INT(unlink(path), 0);
	/* Without the program, the rest is what a killed process left: made anew. */
	world_open(w, false);
}

BPF_TEST(options_are_checked)
{
	struct {
		struct cgfs_bpf_opts o;
		uint64_t tail;
	} newer = { .o = { .sz = sizeof(newer), .pin_dir = w->pin }, .tail = 1 };
	struct cgfs_bpf_opts opts = CGFS_BPF_OPTS_INIT;
	struct cgfs_bpf *bpf;

	CHECK_INT(cgfs_bpf_open(&newer.o, &bpf, &w->err), -E2BIG);
	opts.pin_dir = "relative";
	CHECK_INT(cgfs_bpf_open(&opts, &bpf, &w->err), -EINVAL);
	opts.pin_dir = w->dev;
	CHECK_INT(cgfs_bpf_open(&opts, &bpf, &w->err), -EOPNOTSUPP);
	CHECK(strstr(w->err.text, "not in a bpffs"));
	opts.sz = 0;
	CHECK_INT(cgfs_bpf_open(&opts, &bpf, &w->err), -EINVAL);
}

BPF_TEST(events_have_one_receiver)
{
	struct cgfs_bpf_opts opts = CGFS_BPF_OPTS_INIT;
	struct cgfs_bpf *second = NULL;

	world_open(w, true);
	opts.pin_dir = w->pin;
	opts.events = true;
	CHECK_INT(cgfs_bpf_open(&opts, &second, &w->err), -EBUSY);
	opts.events = false;
	CHECK_INT(cgfs_bpf_open(&opts, &second, &w->err), 0);
	CHECK_INT(cgfs_bpf_policy(second)->ops->event_fd(cgfs_bpf_policy(second)->ctx), -ENOTSUP);
	CHECK(!cgfs_bpf_policy(second)->ops->reports_oom(cgfs_bpf_policy(second)->ctx));
	cgfs_bpf_close(second);
}

static int in_other_process(void *arg)
{
	struct cgfs_bpf_opts opts = CGFS_BPF_OPTS_INIT;
	struct world *w = arg;
	struct cgfs_device_rule rules[64];
	const struct cgfs_policy *p;
	struct cgfs_bpf *bpf;
	int r;

	opts.pin_dir = w->pin;
	if (cgfs_bpf_open(&opts, &bpf, NULL) < 0)
		return 1;
	p = cgfs_bpf_policy(bpf);
	r = p->ops->set_rules(p->ctx, &w->group[0].g, rules,
			      world_rules("c 1:5 r; c 1:7 r; c 1:8 r", rules, 64), NULL);
	cgfs_bpf_close(bpf);
	return r < 0;
}

BPF_TEST(two_processes_share_the_pins)
{
	struct group *pod;

	world_open(w, true);
	pod = world_pod(w, "web");
	world_add(w, pod, "c 1:3 r");
	CHECK_INT(kit_run(w->root, in_other_process, w), 0);
	CHECK(!world_can_open(w, pod->path, 'c', 1, 3, O_RDONLY));
	CHECK(world_can_open(w, pod->path, 'c', 1, 5, O_RDONLY));
	world_set(w, pod, "c 1:3 r");
	CHECK(world_can_open(w, pod->path, 'c', 1, 3, O_RDONLY));
	CHECK(!world_can_open(w, pod->path, 'c', 1, 5, O_RDONLY));
	world_close(w);
	world_open(w, false);
	CHECK_INT(world_map_count(w, "rules"), 1);
}

static json_t *bpftool(const char *arguments)
{
	char command[600];
	json_t *json;
	FILE *f;

	snprintf(command, sizeof(command), "PATH=$PATH:/usr/sbin:/sbin bpftool -j %s 2>/dev/null",
		 arguments);
	f = popen(command, "re");
	CHECK(f);
	json = json_loadf(f, 0, NULL);
	pclose(f);
	return json;
}

static json_t *dump(struct world *w, const char *map)
{
	char arguments[300];
	json_t *json;

	snprintf(arguments, sizeof(arguments), "map dump pinned %s/%s", w->pin, map);
	json = bpftool(arguments);
	CHECK(json_is_array(json));
	return json;
}

static const char *text(json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

static json_int_t number(json_t *o, const char *key)
{
	CHECK(json_is_integer(json_object_get(o, key)));
	return json_integer_value(json_object_get(o, key));
}

/* The sum over processors of a field of the cgroup's element of "counts". */
static json_int_t counted(json_t *json, const struct group *g, const char *field)
{
	json_t *element, *cpu, *f;
	json_int_t sum = -1;
	size_t i, j;

	json_array_foreach(json, i, element)
	{
		f = json_object_get(element, "formatted");
		if (number(json_object_get(f, "key"), "cgroup_inode_id") !=
		    (json_int_t)g->g.cgroup_id)
			continue;
		sum = 0;
		json_array_foreach(json_object_get(f, "values"), j, cpu) sum +=
			number(json_object_get(cpu, "value"), field);
	}
	return sum;
}

/* One element of "groups": names and figures by field name. */
static void check_group(json_t *json, const struct group *g)
{
	json_t *element, *value, *key;
	size_t i;

	json_array_foreach(json, i, element)
	{
		value = json_object_get(json_object_get(element, "formatted"), "value");
		key = json_object_get(json_object_get(element, "formatted"), "key");
		if (number(key, "cgroup_id") != (json_int_t)g->g.cgroup_id)
			continue;
		CHECK_STR(text(value, "pod"), g->pod_id);
		CHECK_STR(text(value, "container"), g->container_id);
		CHECK_INT(number(value, "pod_cgroup_id"), g->g.pod_cgroup_id);
		CHECK_INT(number(value, "denied_elsewhere"), g->container_id[0] ? 1 : 0);
		CHECK_INT(number(value, "oom_kills"), 0);
		return;
	}
	FAIL("no group %s/%s", g->pod_id, g->container_id);
}

BPF_TEST(bpftool_shows_names)
{
	struct group *pod, *ctr;
	json_t *json, *f;
	char arguments[700];

	json = bpftool("version");
	if (!json)
		tap_skip("no bpftool");
	json_decref(json);
	world_open(w, false);
	pod = world_pod(w, "web");
	ctr = world_container(w, pod, "c1.x");
	world_add(w, pod, "b 8:* r; deny b 8:* w");
	world_add(w, ctr, NULL);
	CHECK(!world_can_open(w, ctr->path, 'c', 1, 3, O_RDONLY));

	json = dump(w, "groups");
	CHECK_INT(json_array_size(json), 2);
	check_group(json, pod);
	check_group(json, ctr);
	json_decref(json);

	json = dump(w, "counts");
	CHECK_INT(json_array_size(json), 2);
	CHECK_INT(counted(json, pod, "device_denied"), 1);
	CHECK_INT(counted(json, pod, "device_allowed"), 0);
	CHECK_INT(counted(json, ctr, "device_allowed"), 1);
	json_decref(json);

	json = dump(w, "policy");
	CHECK_INT(json_array_size(json), 2);
	json_decref(json);

	json = dump(w, "rules");
	CHECK_INT(json_array_size(json), 1);
	f = json_object_get(json_array_get(json, 0), "formatted");
	CHECK_STR(text(json_object_get(f, "key"), "kind"), "CGFS_BLOCK");
	CHECK_INT(number(json_object_get(f, "key"), "cgroup_id"), pod->g.cgroup_id);
	CHECK_INT(number(json_object_get(f, "key"), "major"), 8);
	CHECK_INT(number(json_object_get(f, "key"), "minor"), -1);
	CHECK_STR(text(json_object_get(f, "value"), "read"), "CGFS_ALLOW");
	CHECK_STR(text(json_object_get(f, "value"), "write"), "CGFS_DENY");
	CHECK_STR(text(json_object_get(f, "value"), "mknod"), "CGFS_DENY");
	CHECK_INT(number(json_object_get(f, "value"), "write_rule"), 2);
	CHECK_INT(number(json_object_get(f, "value"), "mknod_rule"), 0);
	json_decref(json);

	json = dump(w, "state");
	f = json_object_get(json_array_get(json, 0), "formatted");
	CHECK_INT(number(json_object_get(f, "value"), "generation"), 1);
	json_decref(json);

	snprintf(arguments, sizeof(arguments), "cgroup show %s", pod->path);
	json = bpftool(arguments);
	CHECK_INT(json_array_size(json), 1);
	CHECK_STR(text(json_array_get(json, 0), "name"), "cgfs_dev");
	json_decref(json);
}

/* Without BTF bpftool dumps hex, and the kernel does not know which function is global.  And no
 * program comes near the million of instructions that the kernel is ready to verify. */
BPF_TEST(everything_pinned_has_btf_and_is_verified_soon)
{
	struct cgfs_bpf_opts opts = CGFS_BPF_OPTS_INIT;
	size_t maps = 0, programs = 0;
	struct dirent *d;
	DIR *dir;

	opts.pin_dir = w->pin;
	opts.memory = true;
	CHECK_INT(cgfs_bpf_open(&opts, &w->bpf, &w->err), 0);
	dir = opendir(w->pin);
	CHECK(dir);
	while ((d = readdir(dir))) {
		struct bpf_prog_info program = { 0 };
		struct bpf_map_info map = { 0 };
		__u32 map_size = sizeof(map), program_size = sizeof(program);
		char what[64], self[64];
		ssize_t n;
		int fd;

		if (d->d_type == DT_DIR || d->d_type == DT_LNK)
			continue;
		fd = open_pin(w, d->d_name);
		snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
		n = readlink(self, what, sizeof(what) - 1);
		CHECK(n > 0);
		what[n] = '\0';
		if (strstr(what, "bpf-map")) {
			maps++;
			CHECK_INT(bpf_obj_get_info_by_fd(fd, &map, &map_size), 0);
			CHECK_MSG(map.btf_id || map.type == BPF_MAP_TYPE_RINGBUF, "%s has no BTF",
				  d->d_name);
		} else if (strstr(what, "bpf-prog")) {
			programs++;
			CHECK_INT(bpf_obj_get_info_by_fd(fd, &program, &program_size), 0);
			CHECK_MSG(program.btf_id, "%s has no BTF", d->d_name);
			CHECK_MSG(program.verified_insns < 100000, "%s: %u instructions verified",
				  d->d_name, program.verified_insns);
		}
		close(fd);
	}
	closedir(dir);
	CHECK(maps > 5 && programs > 1);
}

BPF_TEST(probe_reports_what_works_and_why_not)
{
	static const char *const names[] = { "bpf.fs",	       "bpf.device", "bpf.link",
					     "bpf.ringbuf",    "bpf.oom",    "bpf.btf",
					     "bpf.lsm_cgroup", "bpf.fexit",  "bpf.iter_cgroup" };
	static struct cgfs_capabilities caps = CGFS_CAPABILITIES_INIT;

	world_open(w, true);
	CHECK_INT(w->policy->ops->probe(w->policy->ctx, &caps, &w->err), 0);
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		const struct cgfs_capability *c = NULL;

		for (size_t j = 0; j < caps.n; j++)
			if (strcmp(caps.cap[j].name, names[i]) == 0)
				c = &caps.cap[j];
		CHECK_MSG(c, "no finding %s", names[i]);
		tap_note("%-16s %-3s %s%s%s", c->name, c->ok ? "yes" : "no", c->detail,
			 c->remedy[0] ? "; " : "", c->remedy);
		CHECK(c->detail[0]);
		CHECK(c->ok || c->remedy[0]);
		if (i < 4)
			CHECK(c->ok);
		if (i == 4)
			CHECK_INT(w->policy->ops->reports_oom(w->policy->ctx), c->ok);
	}
}
