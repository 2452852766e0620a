/* SPDX-License-Identifier: MIT */
/*
 * kit.c - see kit.h: mounts as /proc/self/mountinfo lists them, and the sweep that removes what a
 * test left.
 */
#include "kit.h"

#include "tests/check.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define SWEEP_TRIES 2000 /* 5 ms apart, for one cgroup that does not want to go */

static const char *const v1_names[CGFS_CONTROLLER_COUNT] = {
	"cpu",	   "cpuacct", "cpuset", "memory", "pids",    "blkio",	 "devices",
	"freezer", "hugetlb", "rdma",	"misc",	  "net_cls", "net_prio", "perf_event",
};

static uint32_t controllers_in(char *text, const char *separators)
{
	uint32_t bits = 0;
	char *save = NULL;

	for (char *word = strtok_r(text, separators, &save); word;
	     word = strtok_r(NULL, separators, &save)) {
		for (int i = 0; i < CGFS_CONTROLLER_COUNT; i++) {
			if (strcmp(word, v1_names[i]) == 0 ||
			    (i == CGFS_IO && strcmp(word, "io") == 0))
				bits |= 1u << i;
		}
	}
	return bits;
}

int kit_read(const char *path, char *buf, size_t len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t at = 0;
	ssize_t n;

	if (fd < 0)
		return -errno;
	while ((n = read(fd, buf + at, len - 1 - at)) > 0)
		at += (size_t)n;
	n = n < 0 ? -errno : (ssize_t)at;
	buf[at] = '\0';
	close(fd);
	return (int)n;
}

int kit_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), r;

	if (fd < 0)
		return -errno;
	r = write(fd, text, strlen(text)) < 0 ? -errno : 0;
	close(fd);
	return r;
}

static bool fill(struct kit_mount *m, const char *type, char *options)
{
	char path[300], text[1024];

	if (strcmp(type, "cgroup") == 0) {
		m->version = CGFS_V1;
		m->controllers = controllers_in(options, ",");
		return m->controllers != 0;
	}
	if (strcmp(type, "cgroup2") != 0)
		return false;
	m->version = CGFS_V2;
	m->controllers = 0;
	snprintf(path, sizeof(path), "%s/cgroup.controllers", m->path);
	if (kit_read(path, text, sizeof(text)) >= 0)
		m->controllers = controllers_in(text, " \n");
	return true;
}

size_t kit_mounts(struct kit_mount *mounts)
{
	FILE *f = fopen("/proc/self/mountinfo", "re");
	char line[4096];
	size_t n = 0;

	CHECK(f != NULL);
	while (fgets(line, sizeof(line), f) && n < KIT_MOUNTS_MAX) {
		struct kit_mount *m = &mounts[n];
		char type[64], options[1024];
		char *dash = strstr(line, " - ");
		bool known = false;

		if (!dash || sscanf(line, "%*s %*s %*s %*s %255s", m->path) != 1 ||
		    sscanf(dash, " - %63s %*s %1023s", type, options) != 2 ||
		    !fill(m, type, options))
			continue;
		/* Mounted twice: it is the same hierarchy. */
		for (size_t i = 0; i < n; i++) {
			known |= mounts[i].version == m->version &&
				 (m->version == CGFS_V2 || mounts[i].controllers == m->controllers);
		}
		n += !known;
	}
	fclose(f);
	return n;
}

bool kit_mount_of(int ctl, struct kit_mount *ret)
{
	struct kit_mount mounts[KIT_MOUNTS_MAX];
	size_t n = kit_mounts(mounts);

	for (size_t i = 0; i < n; i++) {
		*ret = mounts[i];
		if (ctl == UNIFIED ? ret->version == CGFS_V2 : (ret->controllers >> ctl & 1) != 0)
			return true;
	}
	return false;
}

enum cgfs_version_id kit_version(int ctl)
{
	struct kit_mount m;

	return kit_mount_of(ctl, &m) ? m.version : CGFS_NONE;
}

bool kit_find(const struct kit *k, const char *path, const char *file, char *buf, size_t len)
{
	struct kit_mount mounts[KIT_MOUNTS_MAX];
	size_t n = kit_mounts(mounts);

	for (size_t i = 0; i < n; i++) {
		snprintf(buf, len, "%s%s%s%s%s%s", mounts[i].path, k->root, *path ? "/" : "", path,
			 *file ? "/" : "", file);
		if (access(buf, F_OK) == 0)
			return true;
	}
	return false;
}

bool kit_exists(const struct kit *k, const char *path)
{
	char buf[1024];

	return kit_find(k, path, "", buf, sizeof(buf));
}

/* The next entry of @d, which is @dir, and its path. */
static struct dirent *next_in(DIR *d, const char *dir, char path[4096])
{
	struct dirent *e;

	do
		e = readdir(d);
	while (e && (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0));
	if (e)
		snprintf(path, 4096, "%s/%s", dir, e->d_name);
	return e;
}

size_t kit_count(const char *path)
{
	DIR *d = opendir(path);
	char below[4096];
	struct dirent *e;
	size_t n = 0;

	while (d && (e = next_in(d, path, below)))
		n += e->d_type == DT_DIR ? 1 + kit_count(below) : 0;
	if (d)
		closedir(d);
	return n;
}

/* -- the sweep ----------------------------------------------------------------------------------
 */

/* A sweep tries everything; that the directory goes is what counts. */
static void put(const char *dir, const char *file, const char *text)
{
	char path[4200];

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	(void)kit_write(path, text);
}

static void kill_in(const char *dir)
{
	char path[4200];
	FILE *f;
	int pid;

	put(dir, "cgroup.kill", "1");
	snprintf(path, sizeof(path), "%s/cgroup.procs", dir);
	f = fopen(path, "re");
	while (f && fscanf(f, "%d", &pid) == 1) {
		if (pid > 0) /* 0: of another pid namespace */
			kill(pid, SIGKILL);
	}
	if (f)
		fclose(f);
	put(dir, "freezer.state", "THAWED");
	put(dir, "cgroup.freeze", "0");
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}

/* From the top: below what is frozen nothing thaws. */
static void thaw(const char *dir)
{
	DIR *d = opendir(dir);
	char below[4096];
	struct dirent *e;

	if (!d)
		return;
	put(dir, "freezer.state", "THAWED");
	put(dir, "cgroup.freeze", "0");
	while ((e = next_in(d, dir, below))) {
		if (e->d_type == DT_DIR)
			thaw(below);
	}
	closedir(d);
}

static void found(char *text, size_t len, const char *path)
{
	size_t at = strlen(text);

	if (at < len)
		snprintf(text + at, len - at, " %s", path);
}

static void remove_cgroup(const char *dir, char *text, size_t len)
{
	DIR *d = opendir(dir);
	char below[4096];
	struct dirent *e;

	if (!d)
		return;
	found(text, len, dir);
	while ((e = next_in(d, dir, below))) {
		if (e->d_type == DT_DIR)
			remove_cgroup(below, text, len);
	}
	closedir(d);
	for (int i = 0; rmdir(dir) < 0 && errno != ENOENT && i < SWEEP_TRIES; i++) {
		kill_in(dir);
		usleep(5000);
	}
}

/* Files, too. */
static void remove_tree(const char *dir, char *text, size_t len)
{
	DIR *d = opendir(dir);
	char below[4096];

	if (!d)
		return;
	found(text, len, dir);
	while (next_in(d, dir, below)) {
		/* What is mounted there is not to be removed with it. */
		umount2(below, MNT_DETACH | UMOUNT_NOFOLLOW);
		if (unlink(below) < 0)
			remove_tree(below, text, len);
	}
	closedir(d);
	rmdir(dir);
}

/* A cgroup2 tree that only the library had mounted is looked at, too. */
static bool mount_hidden(const char *dir)
{
	char text[4096];

	if (kit_read("/proc/self/cgroup", text, sizeof(text)) < 0 ||
	    (strncmp(text, "0:", 2) != 0 && !strstr(text, "\n0:")))
		return false;
	if (mkdir(dir, 0755) < 0 && errno != EEXIST)
		return false;
	return mount("cgroup2", dir, "cgroup2", 0, NULL) == 0;
}

void kit_sweep_groups(const struct kit *k, char *text, size_t len)
{
	struct kit_mount mounts[KIT_MOUNTS_MAX];
	char path[512];
	bool unified = false;
	size_t n;

	text[0] = '\0';
	while (umount2(k->hidden, MNT_DETACH) == 0)
		;
	n = kit_mounts(mounts);
	for (size_t i = 0; i < n; i++) {
		unified |= mounts[i].version == CGFS_V2;
		/* Nothing below forks any more: signals catch up with a fork bomb. */
		snprintf(path, sizeof(path), "%s%s", mounts[i].path, k->root);
		put(path, "pids.max", "0");
		/* In all hierarchies before any is removed: what one of them has frozen does not
		 * die, and stays in the way of the others. */
		thaw(path);
	}
	if (!unified && mount_hidden(k->hidden)) {
		snprintf(path, sizeof(path), "%s%s", k->hidden, k->root);
		remove_cgroup(path, text, len);
		umount2(k->hidden, MNT_DETACH);
	}
	for (size_t i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "%s%s", mounts[i].path, k->root);
		remove_cgroup(path, text, len);
	}
}

bool kit_sweep(const struct kit *k, char *text, size_t len)
{
	char nothing = '\0';

	kit_sweep_groups(k, text, len);
	remove_tree(k->pins, text, len);
	remove_tree(k->dir, &nothing, 0);
	return text[0] != '\0';
}

size_t kit_left(const struct kit *k)
{
	struct kit_mount mounts[KIT_MOUNTS_MAX];
	size_t n = kit_mounts(mounts), left = access(k->pins, F_OK) == 0;

	if (left)
		printf("left: %s\n", k->pins);
	for (size_t i = 0; i < n; i++) {
		char path[512];

		snprintf(path, sizeof(path), "%s%s", mounts[i].path, k->root);
		if (access(path, F_OK) == 0) {
			printf("left: %s\n", path);
			left++;
		}
	}
	return left;
}

/* -- a test's own --------------------------------------------------------------------------- */

void kit_name(struct kit *k, const char *where)
{
	static unsigned int number;

	*k = (struct kit){ .janitor = -EBADF };
	snprintf(k->root, sizeof(k->root), "/cgfs-test-%d-%u", getpid(), ++number);
	snprintf(k->dir, sizeof(k->dir), "%s%s", where, k->root);
	snprintf(k->pins, sizeof(k->pins), "/sys/fs/bpf%s", k->root);
	snprintf(k->hidden, sizeof(k->hidden), "%s/cgroup2", k->dir);
}

/* Waits until this process has swept, or is gone. */
static void start_janitor(struct kit *k)
{
	char done, text[2048];
	int p[2], null;

	CHECK(pipe2(p, O_CLOEXEC) == 0);
	fflush(stdout);
	k->janitor_pid = fork();
	CHECK(k->janitor_pid >= 0);
	if (k->janitor_pid == 0) {
		setsid();
		close(p[1]);
		null = open("/dev/null", O_RDWR | O_CLOEXEC);
		for (int fd = 0; fd < 3; fd++)
			dup2(null, fd);
		if (read(p[0], &done, 1) == 0)
			kit_sweep(k, text, sizeof(text));
		_exit(0);
	}
	close(p[0]);
	k->janitor = p[1];
}

void kit_open(struct kit *k, const char *where)
{
	kit_name(k, where);
	CHECK_MSG(mkdir(k->dir, 0700) == 0, "mkdir %s: %s", k->dir, strerror(errno));
	start_janitor(k);
}

void kit_close(struct kit *k)
{
	char text[2048];

	kit_sweep(k, text, sizeof(text));
	if (write(k->janitor, "", 1) < 0)
		kill(k->janitor_pid, SIGKILL);
	close(k->janitor);
	waitpid(k->janitor_pid, NULL, 0);
}

pid_t kit_spawn(const char *path, int (*fn)(void *arg), void *arg)
{
	char file[600];
	pid_t pid;

	snprintf(file, sizeof(file), "%s/cgroup.procs", path);
	fflush(stdout);
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		_exit(kit_write(file, "0") < 0 ? 126 : fn(arg));
	}
	return pid;
}

int kit_run(const char *path, int (*fn)(void *arg), void *arg)
{
	pid_t pid = kit_spawn(path, fn, arg);
	int status;

	CHECK_INT(waitpid(pid, &status, 0), pid);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) != 126);
	return WEXITSTATUS(status);
}

/* One line is "4:memory:/pods/web"; the cgroup2 tree's is "0::/pods/web".  Calls @fn for those of
 * hierarchies that are known here. */
static void each_cgroup(pid_t pid, void (*fn)(void *arg, uint32_t controllers, const char *path),
			void *arg)
{
	char name[64], line[4096];
	FILE *f;

	snprintf(name, sizeof(name), "/proc/%d/cgroup", (int)pid);
	f = fopen(name, "re");
	CHECK_MSG(f, "%s: %s", name, strerror(errno));
	while (fgets(line, sizeof(line), f)) {
		char *list = strchr(line, ':'), *at = list ? strchr(list + 1, ':') : NULL;
		uint32_t controllers;

		if (!at)
			continue;
		*at++ = '\0';
		at[strcspn(at, "\n")] = '\0';
		controllers = controllers_in(list + 1, ",");
		if (controllers || line[0] == '0')
			fn(arg, controllers, at);
	}
	fclose(f);
}

struct member {
	pid_t pid;
	char want[256];
	size_t n;
};

static void check_one(void *arg, uint32_t controllers, const char *path)
{
	struct member *m = arg;

	CHECK_MSG(strcmp(path, m->want) == 0, "process %d is in %s, not %s (controllers %#x)",
		  (int)m->pid, path, m->want, controllers);
	m->n++;
}

void kit_check_member(const struct kit *k, pid_t pid, const char *path)
{
	struct member m = { .pid = pid };

	snprintf(m.want, sizeof(m.want), "%s/%s", k->root, path);
	each_cgroup(pid, check_one, &m);
	CHECK(m.n > 0);
}

struct wanted {
	uint32_t controllers; /* 0: cgroup2 */
	char path[4096];
};

static void keep_wanted(void *arg, uint32_t controllers, const char *path)
{
	struct wanted *w = arg;

	if (w->controllers ? w->controllers & controllers : !controllers)
		snprintf(w->path, sizeof(w->path), "%s", path);
}

const char *kit_cgroup_of(pid_t pid, int ctl)
{
	static struct wanted w;

	w.controllers = kit_version(ctl) == CGFS_V1 ? 1u << ctl : 0;
	w.path[0] = '\0';
	each_cgroup(pid, keep_wanted, &w);
	return w.path;
}
