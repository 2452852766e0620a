/* SPDX-License-Identifier: MIT */
/*
 * world.c - the running kernel as the tests of the eBPF side need it.
 */
#include "world.h"

#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <mntent.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

int world_setup(void **state)
{
	struct world *w;
	struct kit_mount m;

	if (geteuid() != 0)
		tap_skip("needs root");
	w = calloc(1, sizeof(*w));
	CHECK(w);
	kit_open(&w->kit, "/tmp");
	*state = w;
	w->pin = w->kit.pins;
	w->dev = w->kit.dir;
	if (kit_mount_of(CGFS_MEMORY, &m) && m.version == CGFS_V1)
		snprintf(w->memory, sizeof(w->memory), "%s%s", m.path, w->kit.root);
	if (!kit_mount_of(UNIFIED, &m)) {
		snprintf(m.path, sizeof(m.path), "%s", w->kit.hidden);
		if (mkdir(m.path, 0700) < 0 || mount("cgroup2", m.path, "cgroup2", 0, NULL) < 0)
			tap_skip("no cgroup2: %s", strerror(errno));
	}
	snprintf(w->root, sizeof(w->root), "%s%s", m.path, w->kit.root);
	return mkdir(w->root, 0755);
}

int world_teardown(void **state)
{
	struct world *w = *state;
	struct cgfs_bpf_opts opts = CGFS_BPF_OPTS_INIT;
	struct cgfs_bpf *bpf;
	char text[2048];
	int left = 0;

	for (size_t i = w->n_groups; i-- > 0;) {
		if (w->policy)
			w->policy->ops->remove(w->policy->ctx, &w->group[i].g, NULL);
		close(w->group[i].g.cgroup_fd);
	}
	kit_sweep_groups(&w->kit, text, sizeof(text));
	world_close(w);

	/* The library's own way of leaving nothing. */
	opts.pin_dir = w->pin;
	if (access(w->pin, F_OK) == 0 && cgfs_bpf_open(&opts, &bpf, NULL) == 0) {
		left = cgfs_bpf_unpin(bpf, NULL);
		cgfs_bpf_close(bpf);
	}
	if (access(w->pin, F_OK) == 0)
		left = -EBUSY;
	kit_close(&w->kit);
	if (access(w->root, F_OK) == 0)
		left = -EBUSY;
	free(w);
	return left;
}

void world_open(struct world *w, bool events)
{
	struct cgfs_bpf_opts opts = CGFS_BPF_OPTS_INIT;

	opts.pin_dir = w->pin;
	opts.events = events;
	CHECK_MSG(cgfs_bpf_open(&opts, &w->bpf, &w->err) >= 0, "%s", w->err.text);
	w->policy = cgfs_bpf_policy(w->bpf);
}

void world_close(struct world *w)
{
	cgfs_bpf_close(w->bpf);
	w->bpf = NULL;
	w->policy = NULL;
}

static struct group *add_group(struct world *w, const char *parent, const char *name)
{
	struct group *g = &w->group[w->n_groups];
	struct stat st;

	CHECK(w->n_groups < WORLD_GROUPS);
	snprintf(g->path, sizeof(g->path), "%s/%s", parent, name);
	CHECK_INT(mkdir(g->path, 0755), 0);
	CHECK_INT(stat(g->path, &st), 0);
	g->g.cgroup_fd = open(g->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CHECK(g->g.cgroup_fd >= 0);
	g->g.cgroup_id = g->g.pod_cgroup_id = st.st_ino;
	g->g.pod = g->pod_id;
	g->g.container = g->container_id;
	w->n_groups++;
	return g;
}

struct group *world_pod(struct world *w, const char *id)
{
	struct group *g = add_group(w, w->root, id);

	snprintf(g->pod_id, sizeof(g->pod_id), "%s", id);
	return g;
}

struct group *world_container(struct world *w, struct group *pod, const char *id)
{
	struct group *g = add_group(w, pod->path, id);

	g->g.pod_cgroup_id = pod->g.cgroup_id;
	memcpy(g->pod_id, pod->pod_id, sizeof(g->pod_id));
	snprintf(g->container_id, sizeof(g->container_id), "%s", id);
	return g;
}

void world_nested(const struct group *g, const char *name, char *path, size_t len)
{
	snprintf(path, len, "%s/%s", g->path, name);
	CHECK_INT(mkdir(path, 0755), 0);
}

size_t world_rules(const char *text, struct cgfs_device_rule *rules, size_t max)
{
	char copy[4096], *save = NULL;
	struct cgfs_err err;
	size_t n = 0;

	snprintf(copy, sizeof(copy), "%s", text);
	for (char *t = strtok_r(copy, ";", &save); t; t = strtok_r(NULL, ";", &save)) {
		CHECK(n < max);
		CHECK_MSG(cgfs_device_parse(t, &rules[n++], &err) >= 0, "%s", err.text);
	}
	return n;
}

void world_add(struct world *w, struct group *g, const char *text)
{
	struct cgfs_device_rule rules[64];
	size_t n = text ? world_rules(text, rules, 64) : 0;

	if (w->policy->ops->add(w->policy->ctx, &g->g, text ? rules : NULL, n, &w->err) < 0)
		FAIL("%s", w->err.text);
}

void world_set(struct world *w, struct group *g, const char *text)
{
	struct cgfs_device_rule rules[64];
	size_t n = text ? world_rules(text, rules, 64) : 0;

	if (w->policy->ops->set_rules(w->policy->ctx, &g->g, text ? rules : NULL, n, &w->err) < 0)
		FAIL("%s", w->err.text);
}

struct cgfs_policy_counters world_counters(struct world *w, const struct group *g)
{
	struct cgfs_policy_counters c = { .sz = sizeof(c) };

	CHECK_INT(w->policy->ops->counters(w->policy->ctx, g->g.cgroup_id, &c), 0);
	return c;
}

const char *world_node(struct world *w, char kind, int major, int minor, char *buf, size_t len)
{
	snprintf(buf, len, "%s/%c-%d-%d", w->dev, kind, major, minor);
	if (mknod(buf, (kind == 'b' ? S_IFBLK : S_IFCHR) | 0666, makedev(major, minor)) < 0)
		CHECK_INT(errno, EEXIST);
	return buf;
}

struct open_arg {
	const char *node;
	int mode;
};

static int try_open(void *arg)
{
	struct open_arg *a = arg;
	int fd = open(a->node, a->mode | O_NONBLOCK | O_CLOEXEC);

	return fd < 0 && errno == EPERM;
}

bool world_can_open(struct world *w, const char *path, char kind, int major, int minor, int mode)
{
	char node[128];
	struct open_arg a = { world_node(w, kind, major, minor, node, sizeof(node)), mode };

	return kit_run(path, try_open, &a) == 0;
}

int world_event(struct world *w, struct cgfs_event *e, int ms)
{
	struct pollfd p = { .events = POLLIN };
	struct timespec t;
	int64_t end, now;
	int r;

	p.fd = w->policy->ops->event_fd(w->policy->ctx);
	CHECK(p.fd >= 0);
	clock_gettime(CLOCK_MONOTONIC, &t);
	end = t.tv_sec * 1000 + t.tv_nsec / 1000000 + ms;
	for (;;) {
		r = w->policy->ops->event_read(w->policy->ctx, e, &w->err);
		CHECK_MSG(r >= 0, "%s", w->err.text);
		clock_gettime(CLOCK_MONOTONIC, &t);
		now = t.tv_sec * 1000 + t.tv_nsec / 1000000;
		if (r == 1 || now >= end)
			return r;
		poll(&p, 1, (int)(end - now));
	}
}

unsigned long world_abi(struct world *w, const char *object, unsigned long abi)
{
	char path[200], number[24] = "";
	unsigned long before;

	snprintf(path, sizeof(path), "%s/abi/%s", w->pin, object);
	CHECK(readlink(path, number, sizeof(number) - 1) > 0);
	before = strtoul(number, NULL, 10);
	CHECK_INT(unlink(path), 0);
	snprintf(number, sizeof(number), "%lu", abi);
	CHECK_INT(symlink(number, path), 0);
	return before;
}

unsigned int world_link_id(struct world *w, const char *pin)
{
	struct bpf_link_info info = { 0 };
	__u32 len = sizeof(info);
	char path[200];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", w->pin, pin);
	fd = bpf_obj_get(path);
	CHECK(fd >= 0);
	CHECK_INT(bpf_obj_get_info_by_fd(fd, &info, &len), 0);
	close(fd);
	return info.id;
}

size_t world_map_count(struct world *w, const char *pin)
{
	unsigned char key[64], next[64];
	char path[200];
	bool first = true;
	size_t n = 0;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", w->pin, pin);
	fd = bpf_obj_get(path);
	CHECK(fd >= 0);
	while (bpf_map_get_next_key(fd, first ? NULL : key, next) == 0) {
		memcpy(key, next, sizeof(key));
		first = false;
		n++;
	}
	close(fd);
	return n;
}
