// SPDX-License-Identifier: MIT
/*
 * setup.c - what a guest has before the first program runs.
 *
 * Owns the words of the kernel command line, the mounts, the cgroup layout, the modules and the
 * settings.  A step that fails is reported on the console and the rest goes on: probe.sh judges.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "init.h"

char *cgroots[CGROOTS_MAX];
int n_cgroots;
static char cmdline[4096];

void say(const char *what, const char *name)
{
	dprintf(1, "cgfs-init: %s %s: %s\n", what, name, strerror(errno));
}

/* The value of word "cgfs.KEY[=VALUE]", or NULL; "" where it has none. */
char *word(const char *key)
{
	static char copy[sizeof(cmdline)];
	size_t len = strlen(key);
	char *save = NULL;

	strcpy(copy, cmdline);
	for (char *w = strtok_r(copy, " \n", &save); w; w = strtok_r(NULL, " \n", &save)) {
		if (strncmp(w, "cgfs.", 5) != 0 || strncmp(w + 5, key, len) != 0)
			continue;
		if (w[5 + len] == '=')
			return strdup(w + 5 + len + 1);
		if (w[5 + len] == '\0')
			return strdup("");
	}
	return NULL;
}

void write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		say("write", path);
	if (fd >= 0)
		close(fd);
}

bool mnt(const char *type, const char *path, const char *options)
{
	mkdir(path, 0755);
	if (mount(type, path, type, 0, options) == 0)
		return true;
	say(type, path);
	return false;
}

/* pivot_root, which container runtimes call, refuses to leave the initial rootfs.  So stand on a
 * bind mount of it. */
static void leave_rootfs(void)
{
	mkdir("/newroot", 0755);
	if (mount("/", "/newroot", NULL, MS_BIND, NULL) || chdir("/newroot") ||
	    mount(".", "/", NULL, MS_MOVE, NULL) || chroot(".") || chdir("/"))
		say("leave", "rootfs");
}

static void mount_cgroup(const char *type, const char *path, const char *controller)
{
	char options[128];
	char *dyn = word("favordynmods");

	snprintf(options, sizeof(options), "%s%s%s", controller ? controller : "",
		 controller && dyn ? "," : "", dyn ? "favordynmods" : "");
	free(dyn);
	if (!mnt(type, path, options)) {
		rmdir(path);
		return;
	}
	if (n_cgroots < CGROOTS_MAX)
		cgroots[n_cgroots++] = strdup(path);
}

/* One v1 mount for each enabled line of /proc/cgroups, as the guests of a pod host do it.  A kernel
 * may list a controller that it no longer has on v1: the mount is refused and that is that. */
static void mount_v1(bool without_memory)
{
	char line[256], name[64], path[128];
	int hierarchy, count, enabled;
	FILE *f = fopen("/proc/cgroups", "re");

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%63s %d %d %d", name, &hierarchy, &count, &enabled) != 4 ||
		    !enabled)
			continue;
		if (without_memory && (!strcmp(name, "memory") || !strcmp(name, "cpuset")))
			continue;
		snprintf(path, sizeof(path), "/sys/fs/cgroup/%s", name);
		mount_cgroup("cgroup", path, name);
	}
	if (f)
		fclose(f);
}

static void mount_layout(const char *layout)
{
	if (!strcmp(layout, "v2")) {
		mount_cgroup("cgroup2", "/sys/fs/cgroup", NULL);
		return;
	}
	mnt("tmpfs", "/sys/fs/cgroup", "mode=755");
	if (strcmp(layout, "v1") != 0)
		mount_cgroup("cgroup2", "/sys/fs/cgroup/unified", NULL);
	mount_v1(!strcmp(layout, "mixed"));
}

static void load_modules(void)
{
	char line[256], path[300];
	FILE *f = fopen("/modules/order", "re");

	while (f && fgets(line, sizeof(line), f)) {
		char *args = strchr(line, ' ');
		int fd;

		line[strcspn(line, "\n")] = '\0';
		if (args)
			*args++ = '\0';
		snprintf(path, sizeof(path), "/modules/%s", line);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0 || syscall(SYS_finit_module, fd, args ? args : "", 0))
			say("module", line);
		if (fd >= 0)
			close(fd);
	}
	if (f)
		fclose(f);
}

static void net_up(void)
{
	struct ifreq r = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (ioctl(fd, SIOCSIFFLAGS, &r))
		say("up", "lo");
	close(fd);
}

void set_up(void)
{
	int fd;
	char *w;

	leave_rootfs();
	mnt("devtmpfs", "/dev", "mode=755");
	mnt("proc", "/proc", NULL);
	mnt("sysfs", "/sys", NULL);
	mnt("devpts", "/dev/pts", "ptmxmode=666");
	mnt("tmpfs", "/dev/shm", "mode=1777");
	mnt("tmpfs", "/run", "mode=755");
	mnt("tmpfs", "/tmp", "mode=1777");
	mnt("bpf", "/sys/fs/bpf", "mode=700");
	mnt("securityfs", "/sys/kernel/security", NULL);
	mnt("tracefs", "/sys/kernel/tracing", NULL);
	symlink("/proc/self/fd", "/dev/fd");
	symlink("/proc/self/fd/0", "/dev/stdin");
	symlink("/proc/self/fd/1", "/dev/stdout");
	symlink("/proc/self/fd/2", "/dev/stderr");
	sethostname("guest", 5);
	net_up();

	fd = open("/proc/cmdline", O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, cmdline, sizeof(cmdline) - 1) <= 0)
		say("read", "/proc/cmdline");
	close(fd);

	load_modules();
	if ((w = word("jitharden")))
		write_text("/proc/sys/net/core/bpf_jit_harden", w);
	if (word("swap")) {
		write_text("/sys/block/zram0/disksize", "256M");
		if (system("mkswap /dev/zram0 >/dev/null && swapon /dev/zram0"))
			say("swap on", "/dev/zram0");
	}
	w = word("layout");
	mount_layout(w ? w : "v2");
}
