/* SPDX-License-Identifier: MIT */
/*
 * runtime_copy.c - the runtime's program in memory, sealed.
 *
 * A container must not be able to write to the program that enters it, through /proc/PID/exe
 * (CVE-2019-5736).  So crun makes such a copy, or a read-only mount, of itself at each start, and
 * executes itself once more, which is half of what a run of it takes.  It does without when it
 * finds that it is a sealed copy.
 *
 * Kernel: memfd_create(2), fcntl(2) F_ADD_SEALS
 */
#include "agent/runtime/runtime_child.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include "cgfs/base/util.h"

/* runc's 10 MiB are more than all else that the agent holds, and runc would find a copy in a create
 * and an exec only. */
#define SIZE_MAX_COPY (4 << 20)

#ifndef MFD_EXEC
#define MFD_EXEC 0x10u
#endif

static bool same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
	       a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/* A script needs its path. */
static bool is_program(int fd)
{
	char magic[4];

	return pread(fd, magic, sizeof(magic), 0) == sizeof(magic) &&
	       memcmp(magic, "\177ELF", sizeof(magic)) == 0;
}

static int copy_sealed(int in, off_t size)
{
	const int seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
	auto_fd int fd = memfd_create("crun", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);
	char path[32];
	off_t at = 0;
	ssize_t n = 1;

	if (fd < 0 && errno == EINVAL) /* before Linux 6.3 */
		fd = memfd_create("crun", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	while (fd >= 0 && at < size && (n > 0 || errno == EINTR))
		n = sendfile(fd, in, &at, (size_t)(size - at));
	if (fd < 0 || at != size || fcntl(fd, F_ADD_SEALS, seals) < 0)
		return -EIO;
	/* A file that is open for writing is not executed. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, O_RDONLY | O_CLOEXEC);
}

void runtime_copy_refresh(struct runtime_how *how)
{
	auto_fd int in = -EBADF;
	struct stat st;

	if (!how->crun || stat(how->path, &st) < 0 || same(&st, &how->copied))
		return;
	runtime_copy_drop(how);
	in = open(how->path, O_RDONLY | O_CLOEXEC);
	if (in < 0 || fstat(in, &how->copied) < 0 || how->copied.st_size > SIZE_MAX_COPY ||
	    !is_program(in))
		return;
	how->copy = copy_sealed(in, how->copied.st_size);
}

void runtime_copy_drop(struct runtime_how *how)
{
	if (how->copy >= 0)
		close(take_fd(&how->copy));
}
