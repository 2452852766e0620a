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

/* Where a hierarchy is mounted; @option: of a v1 hierarchy, or NULL. */
static bool find_mount(const char *type, const char *option, char *path, size_t len)
{
	struct mntent *m;
	bool found = false;
	FILE *f;

	f = setmntent("/proc/self/mounts", "re");
	if (!f)
		return false;
	while (!found && (m = getmntent(f)))
		if (strcmp(m->mnt_type, type) == 0 && (!option || hasmntopt(m, option)))
			found = (size_t)snprintf(path, len, "%s", m->mnt_dir) < len;
	endmntent(f);
	return found;
}

static void clean(struct world *w);

/* Cleans up when the test's process dies instead of coming to its teardown. */
static void start_janitor(struct world *w)
{
	int p[2], null;
	char done;

	if (pipe2(p, O_CLOEXEC) < 0)
		return;
	w->janitor_pid = fork();
	if (w->janitor_pid == 0) {
		setsid();
		close(p[1]);
		null = open("/dev/null", O_RDWR);
		for (int fd = 0; fd < 3; fd++)
			dup2(null, fd);
		if (read(p[0], &done, 1) == 0)
			clean(w);
		_exit(0);
	}
	close(p[0]);
	w->janitor = p[1];
}

int world_setup(void **state)
{
	struct world *w;
	char mount_point[128];
	static int number;

	if (geteuid() != 0)
		tap_skip("needs root");
	w = calloc(1, sizeof(*w));
	if (!w)
		return -1;
	number++;
	if (!find_mount("cgroup2", NULL, mount_point, sizeof(mount_point))) {
		snprintf(w->mounted, sizeof(w->mounted), "/tmp/cgfs-bpf-test-cgroup2-%d", getpid());
		snprintf(mount_point, sizeof(mount_point), "%s", w->mounted);
		if (mkdir(w->mounted, 0700) < 0 ||
		    mount("cgroup2", w->mounted, "cgroup2", 0, NULL) < 0)
			tap_skip("no cgroup2: %s", strerror(errno));
	}
	snprintf(w->root, sizeof(w->root), "%s/cgfs-bpf-test-%d-%d", mount_point, getpid(), number);
	snprintf(w->pin, sizeof(w->pin), "/sys/fs/bpf/cgfs-bpf-test-%d-%d", getpid(), number);
	snprintf(w->dev, sizeof(w->dev), "/tmp/cgfs-bpf-test-dev-%d-%d", getpid(), number);
	if (find_mount("cgroup", "memory", mount_point, sizeof(mount_point)))
		snprintf(w->memory, sizeof(w->memory), "%s/cgfs-bpf-test-%d-%d", mount_point,
			 getpid(), number);
	start_janitor(w);
	*state = w;
	return mkdir(w->root, 0755) < 0 || mkdir(w->dev, 0700) < 0 ? -1 : 0;
}

/* Kills what is in the cgroup, and waits until it is gone. */
static void empty(const char *path)
{
	char file[600];

	snprintf(file, sizeof(file), "%s/cgroup.procs", path);
	for (int i = 0; i < 1000; i++) {
		bool any = false;
		int pid;
		FILE *f = fopen(file, "re");

		if (!f)
			return;
		while (fscanf(f, "%d", &pid) == 1) {
			any = true;
			kill(pid, SIGKILL);
		}
		fclose(f);
		if (!any)
			return;
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		usleep(1000);
	}
}

static void remove_cgroup(const char *path)
{
	struct dirent *d;
	char sub[1024];
	DIR *dir = opendir(path);

	if (!dir)
		return;
	while ((d = readdir(dir))) {
		if (d->d_type != DT_DIR || d->d_name[0] == '.')
			continue;
		snprintf(sub, sizeof(sub), "%s/%s", path, d->d_name);
		remove_cgroup(sub);
	}
	closedir(dir);
	empty(path);
	for (int i = 0; i < 1000 && rmdir(path) < 0 && errno == EBUSY; i++)
		usleep(1000);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)ftw;
	if (type == FTW_DP)
		rmdir(path);
	else
		unlink(path);
	return 0;
}

/* The hard way; what the library should have done is gone already. */
static void clean(struct world *w)
{
	remove_cgroup(w->root);
	if (w->memory[0])
		remove_cgroup(w->memory);
	if (access(w->pin, F_OK) == 0)
		nftw(w->pin, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	nftw(w->dev, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	if (w->mounted[0]) {
		umount(w->mounted);
		rmdir(w->mounted);
	}
}

int world_teardown(void **state)
{
	struct world *w = *state;
	struct cgfs_bpf *bpf;
	int left = 0;

	for (size_t i = w->n_groups; i-- > 0;) {
		empty(w->group[i].path);
		if (w->policy)
			w->policy->ops->remove(w->policy->ctx, &w->group[i].g, NULL);
		close(w->group[i].g.cgroup_fd);
	}
	remove_cgroup(w->root);
	world_close(w);

	/* The library's own way of leaving nothing. */
	struct cgfs_bpf_opts opts = CGFS_BPF_OPTS_INIT;

	opts.pin_dir = w->pin;
	if (access(w->pin, F_OK) == 0 && cgfs_bpf_open(&opts, &bpf, NULL) == 0) {
		left = cgfs_bpf_unpin(bpf, NULL);
		cgfs_bpf_close(bpf);
	}
	if (access(w->pin, F_OK) == 0)
		left = -EBUSY;
	clean(w);
	if (access(w->root, F_OK) == 0)
		left = -EBUSY;
	if (write(w->janitor, "", 1) < 0)
		left = -errno;
	close(w->janitor);
	waitpid(w->janitor_pid, NULL, 0);
	free(w);
	return left;
}

void world_open(struct world *w, bool events)
{
	struct cgfs_bpf_opts opts = CGFS_BPF_OPTS_INIT;

	opts.pin_dir = w->pin;
	opts.events = events;
	if (cgfs_bpf_open(&opts, &w->bpf, &w->err) < 0)
		fail_msg("%s", w->err.text);
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

	assert_true(w->n_groups < WORLD_GROUPS);
	snprintf(g->path, sizeof(g->path), "%s/%s", parent, name);
	assert_int_equal(mkdir(g->path, 0755), 0);
	assert_int_equal(stat(g->path, &st), 0);
	g->g.cgroup_fd = open(g->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(g->g.cgroup_fd >= 0);
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
	assert_int_equal(mkdir(path, 0755), 0);
}

size_t world_rules(const char *text, struct cgfs_device_rule *rules, size_t max)
{
	char copy[4096], *save = NULL;
	struct cgfs_err err;
	size_t n = 0;

	snprintf(copy, sizeof(copy), "%s", text);
	for (char *t = strtok_r(copy, ";", &save); t; t = strtok_r(NULL, ";", &save)) {
		assert_true(n < max);
		if (cgfs_device_parse(t, &rules[n++], &err) < 0)
			fail_msg("%s", err.text);
	}
	return n;
}

void world_add(struct world *w, struct group *g, const char *text)
{
	struct cgfs_device_rule rules[64];
	size_t n = text ? world_rules(text, rules, 64) : 0;

	if (w->policy->ops->add(w->policy->ctx, &g->g, text ? rules : NULL, n, &w->err) < 0)
		fail_msg("%s", w->err.text);
}

void world_set(struct world *w, struct group *g, const char *text)
{
	struct cgfs_device_rule rules[64];
	size_t n = text ? world_rules(text, rules, 64) : 0;

	if (w->policy->ops->set_rules(w->policy->ctx, &g->g, text ? rules : NULL, n, &w->err) < 0)
		fail_msg("%s", w->err.text);
}

struct cgfs_policy_counters world_counters(struct world *w, const struct group *g)
{
	struct cgfs_policy_counters c = { 0 };

	assert_int_equal(w->policy->ops->counters(w->policy->ctx, g->g.cgroup_id, &c), 0);
	return c;
}

pid_t world_spawn(const char *path, int (*fn)(void *arg), void *arg)
{
	char file[600];
	pid_t pid;
	int fd;

	snprintf(file, sizeof(file), "%s/cgroup.procs", path);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		fd = open(file, O_WRONLY | O_CLOEXEC);
		if (fd < 0 || write(fd, "0", 1) != 1)
			_exit(126);
		close(fd);
		_exit(fn(arg));
	}
	return pid;
}

int world_run(const char *path, int (*fn)(void *arg), void *arg)
{
	pid_t pid = world_spawn(path, fn, arg);
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_not_equal(WEXITSTATUS(status), 126);
	return WEXITSTATUS(status);
}

const char *world_node(struct world *w, char kind, int major, int minor, char *buf, size_t len)
{
	snprintf(buf, len, "%s/%c-%d-%d", w->dev, kind, major, minor);
	if (mknod(buf, (kind == 'b' ? S_IFBLK : S_IFCHR) | 0666, makedev(major, minor)) < 0)
		assert_int_equal(errno, EEXIST);
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

	return world_run(path, try_open, &a) == 0;
}

int world_event(struct world *w, struct cgfs_event *e, int ms)
{
	struct pollfd p = { .events = POLLIN };
	struct timespec t;
	int64_t end, now;
	int r;

	p.fd = w->policy->ops->event_fd(w->policy->ctx);
	assert_true(p.fd >= 0);
	clock_gettime(CLOCK_MONOTONIC, &t);
	end = t.tv_sec * 1000 + t.tv_nsec / 1000000 + ms;
	for (;;) {
		r = w->policy->ops->event_read(w->policy->ctx, e, &w->err);
		if (r < 0)
			fail_msg("%s", w->err.text);
		clock_gettime(CLOCK_MONOTONIC, &t);
		now = t.tv_sec * 1000 + t.tv_nsec / 1000000;
		if (r == 1 || now >= end)
			return r;
		poll(&p, 1, (int)(end - now));
	}
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
	assert_true(fd >= 0);
	while (bpf_map_get_next_key(fd, first ? NULL : key, next) == 0) {
		memcpy(key, next, sizeof(key));
		first = false;
		n++;
	}
	close(fd);
	return n;
}
