// SPDX-License-Identifier: MIT
/*
 * clean.c - nothing of one program is there when the next one starts.
 *
 * Owns: killing what still runs, and finding and removing the cgroups and BPF pins that were left.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "init.h"

int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* On v1 a frozen task does not die of SIGKILL. */
static void thaw(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	char path[4096];

	while (d && (e = readdir(d))) {
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		if (e->d_type == DT_DIR && e->d_name[0] != '.')
			thaw(path);
		else if (!strcmp(e->d_name, "freezer.state"))
			write_text(path, "THAWED");
	}
	if (d)
		closedir(d);
}

void thaw_all(void)
{
	if (access("/sys/fs/cgroup/freezer/cgroup.procs", F_OK) == 0)
		thaw("/sys/fs/cgroup/freezer");
}

/* Everything but us dies; what can be reaped within two seconds is. */
void kill_rest(void)
{
	int64_t end = now_ms() + 2000;

	thaw_all();
	kill(-1, SIGKILL);
	while (now_ms() < end) {
		pid_t pid = waitpid(-1, NULL, WNOHANG);

		if (pid < 0 && errno == ECHILD)
			return;
		if (pid == 0)
			usleep(1000);
	}
}

/* Reports and removes, deepest first, what is below dir: cgroups, or pins in a bpf file system. */
static void sweep(const char *dir, bool files)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	char path[4096];

	while (d && (e = readdir(d))) {
		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		if (!files && e->d_type != DT_DIR)
			continue;
		/* the kernel's own */
		if (files &&
		    (!strcmp(e->d_name, "maps.debug") || !strcmp(e->d_name, "progs.debug")))
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		report("left %s", path);
		if (e->d_type == DT_DIR)
			sweep(path, files);
		for (int i = 0; i < 100 && remove(path) && errno == EBUSY; i++)
			usleep(5000);
	}
	if (d)
		closedir(d);
}

static bool is_cgroup2(const char *dir)
{
	struct statfs s;

	return statfs(dir, &s) == 0 && s.f_type == CGROUP2_SUPER_MAGIC;
}

/* What a program did in a cgroup2 tree that only it had mounted.  Mounted here only if a program
 * did before, because the first mount ever shows in /proc/self/cgroup; and never beside a mount of
 * ours, because each mount of cgroup2 replaces the options of all (favordynmods would go). */
static void sweep_cgroup2(void)
{
	static const char dir[] = "/run/cgroup2";
	FILE *f = fopen("/proc/self/cgroup", "re");
	char line[4096];
	bool visible = false;

	for (int i = 0; i < n_cgroots; i++)
		if (is_cgroup2(cgroots[i]))
			return;

	while (f && fgets(line, sizeof(line), f))
		visible |= !strncmp(line, "0:", 2);
	if (f)
		fclose(f);
	if (!visible || !mnt("cgroup2", dir, NULL))
		return;
	sweep(dir, false);
	if (umount(dir))
		say("unmount", dir);
	rmdir(dir);
}

void sweep_all(void)
{
	for (int i = 0; i < n_cgroots; i++)
		sweep(cgroots[i], false);
	sweep_cgroup2();
	sweep("/sys/fs/bpf", true);
}
