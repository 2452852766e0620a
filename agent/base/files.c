/* SPDX-License-Identifier: MIT */
/*
 * files.c - the few files that the agent keeps on disk (rather: on a tmpfs).
 */
#include "agent/base/files.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/stat.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "cgfs/base/util.h"

#define FILES_LOAD_MAX (8 * 1024 * 1024)

int files_write(const char *path, const char *text)
{
	auto_fd int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	size_t len = strlen(text);

	if (fd < 0)
		return -errno;
	while (len > 0) {
		ssize_t n = write(fd, text, len);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			text += n;
			len -= (size_t)n;
		}
	}
	return 0;
}

int files_read(const char *path, char *buf, size_t len)
{
	auto_fd int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, buf, len - 1);
	if (n < 0)
		return -errno;
	buf[n] = '\0';
	return (int)n;
}

int files_load(const char *path, char **ret_text, size_t *ret_len)
{
	auto_fd int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	auto_free char *text = NULL;
	size_t len = 0, size;
	struct stat st;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_size > FILES_LOAD_MAX)
		return S_ISREG(st.st_mode) ? -EFBIG : -EINVAL;
	size = (size_t)st.st_size;
	text = malloc(size + 1);
	if (!text)
		return -ENOMEM;
	while (len < size && (n = read(fd, text + len, size - len)) != 0) {
		if (n < 0 && errno != EINTR)
			return -errno;
		len += n > 0 ? (size_t)n : 0;
	}
	text[len] = '\0';
	*ret_text = take_ptr(text);
	*ret_len = len;
	return 0;
}

bool files_leads_to(const char *dir, const char *path)
{
	size_t len = strlen(dir);

	return len > 0 && strncmp(dir, path, len) == 0 && (!path[len] || path[len] == '/');
}

/* @each: of every entry; 0, or a negative errno, which ends it. */
static int for_entries(const char *dir, int (*each)(int fd, const struct dirent *e))
{
	auto_fd int fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct dirent *e;
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	int r = 0;

	if (!d)
		return -errno;
	take_fd(&fd);
	while (r == 0 && (e = readdir(d))) {
		if (!streq(e->d_name, ".") && !streq(e->d_name, ".."))
			r = each(dirfd(d), e);
	}
	closedir(d);
	return r;
}

static int refuse_directory(int fd, const struct dirent *e)
{
	return e->d_type == DT_DIR || e->d_type == DT_UNKNOWN ? -EISDIR : 0;
}

bool files_is_flat(const char *dir)
{
	return for_entries(dir, refuse_directory) == 0;
}

static int remove_entry(int fd, const struct dirent *e)
{
	if (unlinkat(fd, e->d_name, 0) < 0 && errno == EISDIR)
		ignore(unlinkat(fd, e->d_name, AT_REMOVEDIR));
	return 0;
}

int files_remove_flat(const char *dir)
{
	int r = for_entries(dir, remove_entry);

	return r == 0 && rmdir(dir) < 0 ? -errno : r;
}

#define OOM_SCORE "/proc/self/oom_score_adj"

void files_oom_score(char buf[OOM_SCORE_MAX])
{
	if (files_read(OOM_SCORE, buf, OOM_SCORE_MAX) < 0)
		buf[0] = '\0';
}

void files_set_oom_score(const char *text)
{
	auto_fd int fd = open(OOM_SCORE, O_WRONLY | O_CLOEXEC);

	if (fd >= 0)
		ignore(write(fd, text, strlen(text)));
}

static struct rlimit limit_before; /* of this process; rlim_max 0: not raised */

void files_raise_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == limit.rlim_max)
		return;
	limit_before = limit;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		limit_before.rlim_max = 0;
}

void files_restore_limit(void)
{
	if (limit_before.rlim_max)
		ignore(setrlimit(RLIMIT_NOFILE, &limit_before));
}

bool files_is_mount(const char *path)
{
	struct statx st;

	return syscall(SYS_statx, AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_TYPE, &st) == 0 &&
	       st.stx_attributes & STATX_ATTR_MOUNT_ROOT;
}
