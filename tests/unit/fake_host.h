/* SPDX-License-Identifier: MIT */
/*
 * fake_host.h - one fake host for each test, and short names for what its door does.
 */
#ifndef FAKE_HOST_TEST_H
#define FAKE_HOST_TEST_H

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/fake/fake.h"
#include "tests/tap.h"

static struct fake *f;
static const struct cgfs_fs *fs;

static inline void host(enum cgfs_layout layout, struct fake_kernel kernel)
{
	f = fake_new(layout, kernel);
	fs = fake_fs(f);
}

static inline int setup(void **state)
{
	host(CGFS_LAYOUT_V2, FAKE_KERNEL_6_12);
	return 0;
}

static inline int teardown(void **state)
{
	size_t files = fake_open_files(f), closes = fake_bad_closes(f);

	fake_free(f);
	CHECK_INT(files, 0);
	CHECK_INT(closes, 0);
	return 0;
}

/* Another host than the one that setup() made. */
static inline void instead(enum cgfs_layout layout, struct fake_kernel kernel)
{
	fake_free(f);
	host(layout, kernel);
}

#define ROOT "/fake/cgroup/"

static inline int open_at(int dir, const char *name, int flags)
{
	return fs->ops->open(fs->ctx, dir, name, flags);
}

static inline void shut(int fd)
{
	fs->ops->close(fs->ctx, fd);
}

static inline int put(const char *name, const char *text)
{
	int fd = open_at(AT_FDCWD, name, O_WRONLY), r;

	if (fd < 0)
		return fd;
	r = (int)fs->ops->write(fs->ctx, fd, text, strlen(text));
	shut(fd);
	return r < 0 ? r : 0;
}

static inline int put_pid(const char *name, pid_t pid)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", pid);
	return put(name, text);
}

static inline const char *get(const char *name)
{
	static char text[16384];
	int fd = open_at(AT_FDCWD, name, O_RDONLY);
	ssize_t n = fd < 0 ? fd : fs->ops->pread(fs->ctx, fd, text, sizeof(text) - 1, 0);

	if (fd >= 0)
		shut(fd);
	if (n < 0)
		snprintf(text, sizeof(text), "%s", strerrorname_np((int)-n));
	else
		text[n] = '\0';
	return text;
}

static inline int make(const char *name)
{
	return fs->ops->mkdir(fs->ctx, AT_FDCWD, name, 0755);
}

static inline int unmake(const char *name)
{
	return fs->ops->rmdir(fs->ctx, AT_FDCWD, name);
}

#define FAKE_TEST(name) TAP_TEST(name, .setup = setup, .teardown = teardown)

#endif
