// SPDX-License-Identifier: MIT
/*
 * live_host.c - the running kernel's cgroup mounts as /proc/self/mountinfo lists them, and the
 * sweep that removes what a test left.  Must not use the library: it is what judges it.
 */
#include "live.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SWEEP_MS 10000 /* for one cgroup that does not want to go */

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

static int read_text(const char *path, char *buf, size_t len)
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

static bool fill(struct live_mount *m, const char *type, char *options)
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
	if (read_text(path, text, sizeof(text)) >= 0)
		m->controllers = controllers_in(text, " \n");
	return true;
}

size_t live_mounts(struct live_mount *mounts)
{
	FILE *f = fopen("/proc/self/mountinfo", "re");
	char line[4096];
	size_t n = 0;

	CHECK(f != NULL);
	while (fgets(line, sizeof(line), f) && n < LIVE_MOUNTS_MAX) {
		struct live_mount *m = &mounts[n];
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

size_t live_count(const char *path)
{
	DIR *d = opendir(path);
	struct dirent *e;
	size_t n = 0;

	while (d && (e = readdir(d))) {
		char below[4096];

		if (e->d_type != DT_DIR || e->d_name[0] == '.')
			continue;
		snprintf(below, sizeof(below), "%s/%s", path, e->d_name);
		n += 1 + live_count(below);
	}
	if (d)
		closedir(d);
	return n;
}

/* -- the sweep ----------------------------------------------------------------------------------
 */

static void put_text(const char *dir, const char *file, const char *text)
{
	char path[4200];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	/* A sweep tries everything; that the directory goes is what counts. */
	if (write(fd, text, strlen(text)) < 0)
		errno = 0;
	close(fd);
}

static void kill_in(const char *dir)
{
	char path[4200];
	FILE *f;
	int pid;

	put_text(dir, "cgroup.kill", "1");
	snprintf(path, sizeof(path), "%s/cgroup.procs", dir);
	f = fopen(path, "re");
	while (f && fscanf(f, "%d", &pid) == 1)
		kill(pid, SIGKILL);
	if (f)
		fclose(f);
	put_text(dir, "freezer.state", "THAWED");
	put_text(dir, "cgroup.freeze", "0");
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
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
	struct dirent *e;

	if (!d)
		return;
	found(text, len, dir);
	while ((e = readdir(d))) {
		char below[4096];

		if (e->d_type != DT_DIR || e->d_name[0] == '.')
			continue;
		snprintf(below, sizeof(below), "%s/%s", dir, e->d_name);
		remove_cgroup(below, text, len);
	}
	closedir(d);
	for (uint64_t end = world_now_ms() + SWEEP_MS;
	     rmdir(dir) < 0 && errno != ENOENT && world_now_ms() < end;) {
		kill_in(dir);
		world_sleep_ms(5);
	}
}

static void remove_tree(const char *dir, char *text, size_t len)
{
	DIR *d = opendir(dir);
	struct dirent *e;

	if (!d)
		return;
	found(text, len, dir);
	while ((e = readdir(d))) {
		char below[4096];

		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		snprintf(below, sizeof(below), "%s/%s", dir, e->d_name);
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

	if (read_text("/proc/self/cgroup", text, sizeof(text)) < 0 ||
	    (strncmp(text, "0:", 2) != 0 && !strstr(text, "\n0:")))
		return false;
	if (mkdir(dir, 0755) < 0 && errno != EEXIST)
		return false;
	return mount("cgroup2", dir, "cgroup2", 0, NULL) == 0;
}

bool live_sweep(const char *root, const char *scratch, const char *pin_dir, char *text, size_t len)
{
	struct live_mount mounts[LIVE_MOUNTS_MAX];
	char path[512], hidden[256];
	bool unified = false;
	size_t n;

	text[0] = '\0';
	snprintf(hidden, sizeof(hidden), "%s/cgroup2", scratch);
	while (umount2(hidden, MNT_DETACH) == 0)
		;
	n = live_mounts(mounts);
	for (size_t i = 0; i < n; i++) {
		unified |= mounts[i].version == CGFS_V2;
		/* Nothing below forks any more: signals catch up with a fork bomb. */
		snprintf(path, sizeof(path), "%s%s", mounts[i].path, root);
		put_text(path, "pids.max", "0");
	}
	if (!unified && mount_hidden(hidden)) {
		snprintf(path, sizeof(path), "%s%s", hidden, root);
		remove_cgroup(path, text, len);
		umount2(hidden, MNT_DETACH);
	}
	for (size_t i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "%s%s", mounts[i].path, root);
		remove_cgroup(path, text, len);
	}
	remove_tree(pin_dir, text, len);
	rmdir(hidden);
	remove_tree(scratch, path, 0);
	return text[0] != '\0';
}
