/* SPDX-License-Identifier: MIT */
/*
 * namespaces.c - the namespaces of a pod that no sandbox holds: a bind mount keeps each of them,
 * as long as the pod exists, also while no agent runs.  The first run that needs them
 * makes them.
 */
#include "agent/runtime/namespaces.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "cgfs/base/util.h"

const char *const namespace_types[NAMESPACE_TYPES] = { "network", "ipc", "uts" };
const char *const namespace_files[NAMESPACE_TYPES] = { "net", "ipc", "uts" };
static const int flags[NAMESPACE_TYPES] = { CLONE_NEWNET, CLONE_NEWIPC, CLONE_NEWUTS };

uint64_t namespace_of(pid_t pid, int type)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)pid, namespace_files[type]);
	return stat(path, &st) < 0 ? 0 : st.st_ino;
}

static bool file_of(const char *dir, int type, char path[PATH_MAX])
{
	return snprintf(path, PATH_MAX, "%s/%s", dir, namespace_files[type]) < PATH_MAX;
}

uint64_t namespace_at(const char *dir, int type)
{
	char path[PATH_MAX];
	struct statfs fs;
	struct stat st;

	if (!file_of(dir, type, path) || statfs(path, &fs) < 0 ||
	    (uint32_t)fs.f_type != (uint32_t)NSFS_MAGIC || stat(path, &st) < 0)
		return 0;
	return st.st_ino;
}

/* Containers of a pod talk to each other by it. */
static int loopback_up(void)
{
	auto_fd int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP };

	return s < 0 || ioctl(s, SIOCSIFFLAGS, &lo) < 0 ? -errno : 0;
}

static int keep(const char *dir, int type)
{
	char from[64], path[PATH_MAX];
	int fd;

	snprintf(from, sizeof(from), "/proc/self/ns/%s", namespace_files[type]);
	if (!file_of(dir, type, path))
		return -ENAMETOOLONG;
	fd = open(path, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	close(fd);
	return mount(from, path, NULL, MS_BIND, NULL) < 0 ? -errno : 0;
}

/* One run at a time: @dir is locked by the caller. */
static int make(const char *dir, unsigned int types, const char *hostname)
{
	int r = 0, wanted = 0;

	for (int i = 0; i < NAMESPACE_TYPES; i++) {
		if (types & 1u << i && namespace_at(dir, i))
			types &= ~(1u << i);
		wanted |= types & 1u << i ? flags[i] : 0;
	}
	if (wanted && unshare(wanted) < 0)
		return -errno;
	/* A guest's kernel may have no IPv4. */
	if (types & 1u << NAMESPACE_NETWORK && (r = loopback_up()) == -EAFNOSUPPORT)
		r = 0;
	if (r == 0 && types & 1u << NAMESPACE_UTS && *hostname &&
	    sethostname(hostname, strlen(hostname)) < 0)
		r = -errno;
	for (int i = 0; r == 0 && i < NAMESPACE_TYPES; i++) {
		if (types & 1u << i)
			r = keep(dir, i);
	}
	return r;
}

int namespaces_make(const char *dir, unsigned int types, const char *hostname,
		    char why[RUNTIME_WHY_MAX])
{
	auto_fd int lock = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int r = lock < 0 ? -errno : 0;

	while (r == 0 && flock(lock, LOCK_EX) < 0)
		r = errno == EINTR ? 0 : -errno;
	if (r == 0)
		r = make(dir, types, hostname);
	if (r < 0)
		snprintf(why, RUNTIME_WHY_MAX, "namespaces of the pod at %.200s", dir);
	return r;
}

void namespaces_remove(const char *dir)
{
	char path[PATH_MAX];

	for (int i = 0; i < NAMESPACE_TYPES; i++) {
		if (!file_of(dir, i, path))
			continue;
		while (umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) == 0)
			;
		ignore(unlink(path));
	}
}
