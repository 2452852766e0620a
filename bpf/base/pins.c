/* SPDX-License-Identifier: MIT */
/*
 * pins.c - the pin directory: bpffs, names in it, the lock around changes.
 *
 * Owns where things are pinned (bpf/README.md has the list); must not know what they are.
 */
#include "bpf/base/base.h"

#include <bpf/bpf.h>
#include <dirent.h>
#include <fcntl.h>
#include <mntent.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#define BPFFS	     "/sys/fs/bpf"
#define BPFFS_PARENT "/sys/fs"
#define BPFFS_MAGIC  0xcafe4a11
/* The source of a bpffs that this library mounted: a process that finds it may unmount it. */
#define MOUNT_SOURCE "cgfs"

static const char *const directories[] = { "", "abi", "links", "events" };

const char *cgfs_bpf_path(const struct pins *p, const char *name, char buf[CGFS_BPF_PATH])
{
	snprintf(buf, CGFS_BPF_PATH, "%s/%s", p->dir, name);
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
	if (mount(MOUNT_SOURCE, BPFFS, "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700") < 0) {
		int r = -errno;

		if (r == -EPERM)
			return err_why(reterr, r, "mount bpffs on", BPFFS,
				       "not permitted; needs CAP_SYS_ADMIN");
		return err_file(reterr, r, "mount bpffs on", BPFFS);
	}
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
			err_file(reterr, r, "mkdir", path);
		*p = c;
		if (r < 0)
			return r;
		if (!c)
			return 0;
	}
}

static int open_dir(struct pins *p, struct cgfs_err *reterr)
{
	p->fd = open(p->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (p->fd < 0)
		return err_file(reterr, -errno, "open", p->dir);
	return 0;
}

static int make_all(const struct pins *p, struct cgfs_err *reterr)
{
	char path[CGFS_BPF_PATH];
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(directories) && r == 0; i++) {
		cgfs_bpf_path(p, directories[i], path);
		path[strlen(path) - !directories[i][0]] = '\0';
		r = make_directories(path, reterr);
	}
	return r;
}

int cgfs_bpf_pins_open(struct pins *p, struct cgfs_err *reterr)
{
	auto_fd int mount_lock = p->read_only ? -EBADF : lock_mount();
	int r;

	(void)mount_lock;
	if (p->read_only)
		return open_dir(p, reterr);
	if (below_bpffs(p->dir) && !is_bpffs(BPFFS)) {
		r = mount_bpffs(reterr);
		if (r < 0)
			return r;
	}
	if (!leads_into_bpffs(p->dir))
		return err_why(reterr, -EOPNOTSUPP, "pin to", p->dir,
			       "it is not in a bpffs; use a directory below " BPFFS);
	r = make_all(p, reterr);
	return r < 0 ? r : open_dir(p, reterr);
}

int cgfs_bpf_writable(const struct pins *p, struct cgfs_err *reterr)
{
	if (!p->read_only)
		return 0;
	return err_why(reterr, -EROFS, "change", p->dir,
		       "the device policy was opened for reading");
}

/* The directory can be opened by its owner only, so no other user can hold the lock. */
static int lock_dir(struct pins *p, const char *name, int how, int *ret, struct cgfs_err *reterr)
{
	auto_fd int fd = openat(p->fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char path[CGFS_BPF_PATH];
	int r = fd < 0 || flock(fd, how) < 0 ? -errno : 0;

	if (r < 0)
		return err_why(reterr, r == -EWOULDBLOCK ? -EBUSY : r, "lock",
			       cgfs_bpf_path(p, name, path),
			       r == -EWOULDBLOCK ? "another process receives the events of "
						   "this directory"
						 : NULL);
	cgfs_cleanup_fd(ret);
	*ret = take_fd(&fd);
	p->holder = getpid();
	return 0;
}

int cgfs_bpf_use(struct pins *p, struct cgfs_err *reterr)
{
	return lock_dir(p, "links", LOCK_SH, &p->used_fd, reterr);
}

int cgfs_bpf_receive(struct pins *p, struct cgfs_err *reterr)
{
	return lock_dir(p, "events", LOCK_EX | LOCK_NB, &p->events_fd, reterr);
}

int cgfs_bpf_use_alone(struct pins *p, struct cgfs_err *reterr)
{
	int r;

	if (p->used_fd < 0 || flock(p->used_fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	r = errno == EWOULDBLOCK ? -EBUSY : -errno;
	/* A conversion that fails has given up the lock that was there. */
	flock(p->used_fd, LOCK_SH);
	return err_why(reterr, r, "unpin", p->dir, r == -EBUSY ? "another process uses it" : NULL);
}

bool cgfs_bpf_alone(struct pins *p)
{
	return p->used_fd >= 0 && cgfs_bpf_use_alone(p, NULL) == 0 &&
	       flock(p->used_fd, LOCK_SH) == 0;
}

/* A directory may have been removed, and made anew, since it was opened. */
static bool is_gone(int fd)
{
	struct stat st;

	return fstat(fd, &st) < 0 || st.st_nlink == 0;
}

bool cgfs_bpf_pins_there(const struct pins *p)
{
	struct stat own, there;

	return p->fd >= 0 && fstat(p->fd, &own) == 0 && stat(p->dir, &there) == 0 &&
	       own.st_dev == there.st_dev && own.st_ino == there.st_ino;
}

int cgfs_bpf_pins_complete(struct pins *p, struct cgfs_err *reterr)
{
	int r = make_all(p, reterr);

	if (r == 0 && p->used_fd >= 0 && is_gone(p->used_fd))
		r = cgfs_bpf_use(p, reterr);
	/* Events still come from the rings when another process was quicker. */
	if (r == 0 && p->events_fd >= 0 && is_gone(p->events_fd))
		ignore(cgfs_bpf_receive(p, NULL));
	return r;
}

int cgfs_bpf_lock(struct pins *p, struct cgfs_err *reterr)
{
	if (p->read_only)
		return 0;
	while (p->fd >= 0 && flock(p->fd, LOCK_EX) < 0)
		if (errno != EINTR)
			return err_file(reterr, -errno, "lock", p->dir);
	if (p->fd < 0 || p->lost || is_gone(p->fd)) {
		cgfs_bpf_unlock(p);
		return p->recover(p, reterr);
	}
	return 0;
}

void cgfs_bpf_unlock(struct pins *p)
{
	if (p->fd >= 0 && !p->read_only)
		flock(p->fd, LOCK_UN);
}

bool cgfs_bpf_pinned(const struct pins *p, const char *name)
{
	return faccessat(p->fd, name, F_OK, 0) == 0;
}

int cgfs_bpf_pin(struct pins *p, int fd, const char *name, struct cgfs_err *reterr)
{
	char path[CGFS_BPF_PATH];

	if (bpf_obj_pin(fd, cgfs_bpf_path(p, name, path)) < 0)
		return err_file(reterr, -errno, "pin", path);
	return 0;
}

/* bpffs holds no files, but symbolic links: "abi/OBJECT" leads to the number. */
int cgfs_bpf_abi_write(struct pins *p, const char *object, uint32_t abi, struct cgfs_err *reterr)
{
	char name[64], path[CGFS_BPF_PATH], number[16];
	int r;

	snprintf(name, sizeof(name), "abi/%s", object);
	snprintf(number, sizeof(number), "%u", abi);
	r = cgfs_bpf_unpin_name(p, name, reterr);
	if (r == 0 && symlinkat(number, p->fd, name) < 0)
		r = err_file(reterr, -errno, "write", cgfs_bpf_path(p, name, path));
	return r;
}

int cgfs_bpf_abi_check(struct pins *p, const char *object, uint32_t abi, struct cgfs_err *reterr)
{
	char name[64], number[16] = "";

	snprintf(name, sizeof(name), "abi/%s", object);
	if (readlinkat(p->fd, name, number, sizeof(number) - 1) < 0)
		return err_why(reterr, -EPROTO, "take over", p->dir,
			       "%s is pinned there without a version number", object);
	if (strtoul(number, NULL, 10) != abi)
		return err_why(reterr, -EPROTO, "take over", p->dir,
			       "version %s of %s is pinned, this is version %u", number, object,
			       abi);
	return 0;
}

int cgfs_bpf_unpin_name(struct pins *p, const char *name, struct cgfs_err *reterr)
{
	char path[CGFS_BPF_PATH];

	if (unlinkat(p->fd, name, 0) < 0 && errno != ENOENT)
		return err_file(reterr, -errno, "unlink", cgfs_bpf_path(p, name, path));
	return 0;
}

int cgfs_bpf_links(struct pins *p, int (*fn)(void *arg, const char *name, uint64_t cgroup_id),
		   void *arg, struct cgfs_err *reterr)
{
	char path[CGFS_BPF_PATH], name[300];
	struct dirent *d;
	int r = 0;
	DIR *dir = opendir(cgfs_bpf_path(p, "links", path));

	if (!dir)
		return err_file(reterr, -errno, "open", path);
	while (r == 0 && (d = readdir(dir))) {
		const char *colon = strrchr(d->d_name, ':');

		if (!colon)
			continue;
		snprintf(name, sizeof(name), "links/%s", d->d_name);
		r = fn(arg, name, strtoull(colon + 1, NULL, 10));
	}
	closedir(dir);
	return r;
}

static bool mounted_by_us(void)
{
	FILE *f = setmntent("/proc/self/mounts", "re");
	struct mntent m;
	char buf[4096];
	bool ours = false;

	/* The last one is on top. */
	while (f && getmntent_r(f, &m, buf, sizeof(buf)))
		if (streq(m.mnt_dir, BPFFS))
			ours = streq(m.mnt_fsname, MOUNT_SOURCE);
	if (f)
		endmntent(f);
	return ours;
}

/* Is anything in the root of bpffs?  The kernel's own maps.debug and progs.debug
 * (CONFIG_BPF_PRELOAD) are in every one. */
static bool bpffs_in_use(void)
{
	bool used = false;
	struct dirent *d;
	DIR *dir = opendir(BPFFS);

	if (!dir)
		return true;
	while ((d = readdir(dir)))
		if (d->d_name[0] != '.' && !streq(d->d_name, "maps.debug") &&
		    !streq(d->d_name, "progs.debug"))
			used = true;
	closedir(dir);
	return used;
}

static bool program_is_ours(uint32_t id)
{
	struct bpf_prog_info info = { 0 };
	uint32_t len = sizeof(info);
	auto_fd int fd = bpf_prog_get_fd_by_id(id);

	return fd >= 0 && bpf_obj_get_info_by_fd(fd, &info, &len) == 0 &&
	       strncmp(info.name, "cgfs_", 5) == 0;
}

/* Is it one of this project's objects?  Another process may have pinned its own beside them. */
static bool is_ours(const char *path)
{
	union {
		struct bpf_map_info map;
		struct bpf_prog_info prog;
		struct bpf_link_info link;
	} info = { 0 };
	char proc[40], kind[40] = "";
	auto_fd int fd = bpf_obj_get(path);
	uint32_t len;

	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
	if (fd < 0 || readlink(proc, kind, sizeof(kind) - 1) < 0)
		return false;
	len = strstr(kind, "bpf-map")	 ? sizeof(info.map)
	      : strstr(kind, "bpf-prog") ? sizeof(info.prog)
					 : sizeof(info.link);
	if (bpf_obj_get_info_by_fd(fd, &info, &len) < 0)
		return false;
	return strstr(kind, "bpf-map")	  ? strncmp(info.map.name, "cgfs_", 5) == 0
	       : strstr(kind, "bpf-prog") ? strncmp(info.prog.name, "cgfs_", 5) == 0
					  : program_is_ours(info.link.prog_id);
}

static int remove_files(struct pins *p, const char *sub, struct cgfs_err *reterr)
{
	char path[CGFS_BPF_PATH], file[CGFS_BPF_PATH + 256];
	struct dirent *d;
	int r = 0;
	DIR *dir;

	cgfs_bpf_path(p, sub, path);
	dir = opendir(path);
	if (!dir)
		return errno == ENOENT ? 0 : err_file(reterr, -errno, "open", path);
	while (r == 0 && (d = readdir(dir))) {
		snprintf(file, sizeof(file), "%s/%s", path, d->d_name);
		if (d->d_name[0] == '.' || d->d_type == DT_DIR ||
		    !(d->d_type == DT_LNK ? streq(sub, "abi") : is_ours(file)))
			continue;
		if (unlinkat(dirfd(dir), d->d_name, 0) < 0)
			r = cgfs_err_set(reterr, -errno, "unlink", path, d->d_name, NULL);
	}
	closedir(dir);
	return r;
}

/*
 * A child that was forked and has not called exec yet shares the locks: to close them here leaves
 * them held until it does, or ends.  So they are released; but not by such a child.
 */
void cgfs_bpf_pins_close(struct pins *p)
{
	int *const fds[] = { &p->fd, &p->used_fd, &p->events_fd };

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		if (*fds[i] < 0)
			continue;
		if (p->holder == getpid())
			flock(*fds[i], LOCK_UN);
		close(take_fd(fds[i]));
	}
}

int cgfs_bpf_pins_remove(struct pins *p, struct cgfs_err *reterr)
{
	auto_fd int mount_lock = lock_mount();
	char path[CGFS_BPF_PATH];
	int r;

	(void)mount_lock;
	for (size_t i = ARRAY_SIZE(directories); i-- > 0;) {
		r = remove_files(p, directories[i], reterr);
		if (r < 0)
			return r;
		if (rmdir(cgfs_bpf_path(p, directories[i], path)) < 0 && errno != ENOENT &&
		    errno != ENOTEMPTY)
			return err_file(reterr, -errno, "rmdir", path);
	}

	cgfs_bpf_pins_close(p); /* an open directory would keep the file system busy */
	/* Another process may use it: -EBUSY. */
	if (below_bpffs(p->dir) && !bpffs_in_use() && is_bpffs(BPFFS) && mounted_by_us())
		(void)umount2(BPFFS, UMOUNT_NOFOLLOW);
	return 0;
}
