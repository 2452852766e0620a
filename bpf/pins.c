/* SPDX-License-Identifier: MIT */
/*
 * pins.c - the pin directory: bpffs, names in it, the lock around changes.
 *
 * Owns where things are pinned (bpf/README.md has the list); must not know what they are.
 */
#include "loader.h"

#include <bpf/bpf.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#define BPFFS	     "/sys/fs/bpf"
#define BPFFS_PARENT "/sys/fs"
#define BPFFS_MAGIC  0xcafe4a11
/* Made in a bpffs that this library mounted: whoever finds it may unmount it, too. */
#define MOUNT_MARK   BPFFS "/cgfs-mounted"

static const char *const directories[] = { "", "links", "events" };

const char *cgfs_bpf_path(const struct cgfs_bpf *b, const char *name, char buf[CGFS_BPF_PATH])
{
	snprintf(buf, CGFS_BPF_PATH, "%s/%s", b->pin_dir, name);
	return buf;
}

static bool is_bpffs(const char *path)
{
	struct statfs st;

	return statfs(path, &st) == 0 && (uint32_t)st.f_type == BPFFS_MAGIC;
}

/* Would it be in one when it is made?  Asked before, so that nothing is left where it would not. */
static bool leads_into_bpffs(const char *path)
{
	char there[CGFS_BPF_PATH];
	char *slash;

	snprintf(there, sizeof(there), "%s", path);
	while (access(there, F_OK) < 0 && (slash = strrchr(there, '/')) && slash != there)
		*slash = '\0';
	return is_bpffs(there);
}

static bool below_bpffs(const char *path)
{
	return strncmp(path, BPFFS "/", strlen(BPFFS "/")) == 0;
}

static int mount_bpffs(struct cgfs_err *reterr)
{
	if (mount("bpf", BPFFS, "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700") < 0) {
		int r = -errno;

		if (r == -EPERM)
			return cgfs_err_set(reterr, r, "mount bpffs on", BPFFS, NULL,
					    "not permitted; needs CAP_SYS_ADMIN");
		return cgfs_err_set(reterr, r, "mount bpffs on", BPFFS, NULL, NULL);
	}
	if (mkdir(MOUNT_MARK, 0700) < 0 && errno != EEXIST)
		return cgfs_err_set(reterr, -errno, "mkdir", MOUNT_MARK, NULL, NULL);
	return 0;
}

/*
 * Held while bpffs is mounted and something opened in it, and while it is unmounted: so that no
 * process unmounts what another one has just mounted.
 */
static int lock_mount(void)
{
	int fd = open(BPFFS_PARENT, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0)
		flock(fd, LOCK_EX);
	return fd;
}

/* mkdir -p; the bpffs itself must be there. */
static int make_directories(char *path, struct cgfs_err *reterr)
{
	for (char *p = path + 1;; p++) {
		char c = *p;
		int r;

		if (c && c != '/')
			continue;
		*p = '\0';
		r = mkdir(path, 0700) < 0 && errno != EEXIST ? -errno : 0;
		if (r < 0)
			cgfs_err_set(reterr, r, "mkdir", path, NULL, NULL);
		*p = c;
		if (r < 0)
			return r;
		if (!c)
			return 0;
	}
}

int cgfs_bpf_pins_open(struct cgfs_bpf *b, struct cgfs_err *reterr)
{
	auto_fd int mount_lock = lock_mount();
	char path[CGFS_BPF_PATH];
	int r;

	(void)mount_lock;
	if (below_bpffs(b->pin_dir) && !is_bpffs(BPFFS)) {
		r = mount_bpffs(reterr);
		if (r < 0)
			return r;
	}
	if (!leads_into_bpffs(b->pin_dir))
		return cgfs_err_set(reterr, -EOPNOTSUPP, "pin to", b->pin_dir, NULL,
				    "it is not in a bpffs; use a directory below " BPFFS);
	for (size_t i = 0; i < ARRAY_SIZE(directories); i++) {
		cgfs_bpf_path(b, directories[i], path);
		path[strlen(path) - !directories[i][0]] = '\0';
		r = make_directories(path, reterr);
		if (r < 0)
			return r;
	}
	b->pin_fd = open(b->pin_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (b->pin_fd < 0)
		return cgfs_err_set(reterr, -errno, "open", b->pin_dir, NULL, NULL);
	return 0;
}

/* The directories may have been removed, and made anew, since they were opened. */
static bool pin_dir_gone(struct cgfs_bpf *b)
{
	struct stat st;

	return fstat(b->pin_fd, &st) < 0 || st.st_nlink == 0;
}

int cgfs_bpf_lock(struct cgfs_bpf *b, struct cgfs_err *reterr)
{
	while (b->pin_fd >= 0 && flock(b->pin_fd, LOCK_EX) < 0)
		if (errno != EINTR)
			return cgfs_err_set(reterr, -errno, "lock", b->pin_dir, NULL, NULL);
	if (b->pin_fd < 0 || pin_dir_gone(b)) {
		cgfs_bpf_unlock(b);
		return cgfs_err_set(reterr, -ESTALE, "lock", b->pin_dir, NULL,
				    "somebody removed what was pinned here");
	}
	return 0;
}

void cgfs_bpf_unlock(struct cgfs_bpf *b)
{
	if (b->pin_fd >= 0)
		flock(b->pin_fd, LOCK_UN);
}

/*
 * bpffs refuses names with a dot; ids contain none of "=,:".  The cgroup's number makes the name
 * unique: two pods roots may share a pin directory, and long ids are cut in the map.
 */
void cgfs_bpf_link_name(const struct cgfs_group *g, uint64_t cgroup_id, char buf[CGFS_BPF_LINK])
{
	snprintf(buf, CGFS_BPF_LINK, "links/%.*s%s%.*s:%llu", CGFS_POLICY_NAME, g->pod,
		 g->pod[0] && g->container[0] ? "," : "", CGFS_POLICY_NAME, g->container,
		 (unsigned long long)cgroup_id);
	for (char *dot = buf; (dot = strchr(dot, '.'));)
		*dot = '=';
}

int cgfs_bpf_unpin_name(struct cgfs_bpf *b, const char *name, struct cgfs_err *reterr)
{
	char path[CGFS_BPF_PATH];

	if (unlinkat(b->pin_fd, name, 0) < 0 && errno != ENOENT)
		return cgfs_err_set(reterr, -errno, "unlink", cgfs_bpf_path(b, name, path), NULL,
				    NULL);
	return 0;
}

int cgfs_bpf_links(struct cgfs_bpf *b,
		   int (*fn)(struct cgfs_bpf *b, const char *name, uint64_t cgroup_id, void *arg),
		   void *arg, struct cgfs_err *reterr)
{
	char path[CGFS_BPF_PATH], name[300];
	struct dirent *d;
	DIR *dir;
	int r = 0;

	dir = opendir(cgfs_bpf_path(b, "links", path));
	if (!dir)
		return cgfs_err_set(reterr, -errno, "open", path, NULL, NULL);
	while (r == 0 && (d = readdir(dir))) {
		const char *colon = strrchr(d->d_name, ':');

		if (!colon)
			continue;
		snprintf(name, sizeof(name), "links/%s", d->d_name);
		r = fn(b, name, strtoull(colon + 1, NULL, 10), arg);
	}
	closedir(dir);
	return r;
}

/* Unmounts bpffs when this library mounted it and nobody has anything in it. */
static void unmount_bpffs(void)
{
	if (!is_bpffs(BPFFS) || rmdir(MOUNT_MARK) < 0)
		return;
	if (umount2(BPFFS, UMOUNT_NOFOLLOW) < 0)
		mkdir(MOUNT_MARK, 0700); /* somebody uses it */
}

/* Is anything but the mark in the root of bpffs?  The kernel's own maps.debug and progs.debug
 * (CONFIG_BPF_PRELOAD) are in every one. */
static bool bpffs_in_use(void)
{
	bool used = false;
	struct dirent *d;
	DIR *dir;

	dir = opendir(BPFFS);
	if (!dir)
		return true;
	while ((d = readdir(dir)))
		if (d->d_name[0] != '.' && !streq(d->d_name, "maps.debug") &&
		    !streq(d->d_name, "progs.debug") &&
		    !streq(d->d_name, strrchr(MOUNT_MARK, '/') + 1))
			used = true;
	closedir(dir);
	return used;
}

static int remove_files(struct cgfs_bpf *b, const char *sub, struct cgfs_err *reterr)
{
	char path[CGFS_BPF_PATH];
	struct dirent *d;
	int r = 0;
	DIR *dir;

	cgfs_bpf_path(b, sub, path);
	dir = opendir(path);
	if (!dir)
		return errno == ENOENT ? 0 : cgfs_err_set(reterr, -errno, "open", path, NULL, NULL);
	while (r == 0 && (d = readdir(dir))) {
		if (d->d_name[0] == '.' || d->d_type == DT_DIR)
			continue;
		if (unlinkat(dirfd(dir), d->d_name, 0) < 0)
			r = cgfs_err_set(reterr, -errno, "unlink", path, d->d_name, NULL);
	}
	closedir(dir);
	return r;
}

int cgfs_bpf_pins_remove(struct cgfs_bpf *b, struct cgfs_err *reterr)
{
	auto_fd int mount_lock = lock_mount();
	char path[CGFS_BPF_PATH];
	int r;

	(void)mount_lock;
	for (size_t i = ARRAY_SIZE(directories); i-- > 0;) {
		r = remove_files(b, directories[i], reterr);
		if (r < 0)
			return r;
		if (rmdir(cgfs_bpf_path(b, directories[i], path)) < 0 && errno != ENOENT)
			return cgfs_err_set(reterr, -errno, "rmdir", path, NULL, NULL);
	}

	/* An open directory would keep the file system busy. */
	close(take_fd(&b->pin_fd));
	if (b->events_fd >= 0)
		close(take_fd(&b->events_fd));
	if (below_bpffs(b->pin_dir) && !bpffs_in_use())
		unmount_bpffs();
	return 0;
}
