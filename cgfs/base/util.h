/* SPDX-License-Identifier: MIT */
/*
 * util.h - what the library's own files share: cleanup attributes and error filling.
 * Usable by every part of the tree (agent, bpf, tests); knows nothing of cgroups.
 */
#ifndef CGFS_BASE_UTIL_H
#define CGFS_BASE_UTIL_H

#include <cgfs/base.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ARRAY_SIZE(a)			(sizeof(a) / sizeof((a)[0]))
/* The structure of which *@ptr is the member. */
#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

static inline bool streq(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

/* Frees on scope exit. */
static inline void cgfs_cleanup_free(void *p)
{
	free(*(void **)p);
}
#define auto_free __attribute__((cleanup(cgfs_cleanup_free)))

/* Closes a real descriptor on scope exit; the null descriptor is -EBADF. */
static inline void cgfs_cleanup_fd(int *fd)
{
	if (*fd >= 0) {
		int saved = errno;

		close(*fd);
		errno = saved;
	}
}
#define auto_fd __attribute__((cleanup(cgfs_cleanup_fd)))

/* For a call whose failure changes nothing: on the way out, or where a later step finds it. */
#define ignore(r) ((void)!(r))

/* Moves ownership out of a variable with a cleanup attribute. */
#define take_ptr(p)                                                                                \
	({                                                                                         \
		__typeof__(p) *take_p_ = &(p);                                                     \
		__typeof__(p) take_v_ = *take_p_;                                                  \
		*take_p_ = NULL;                                                                   \
		take_v_;                                                                           \
	})
static inline int take_fd(int *fd)
{
	int v = *fd;

	*fd = -EBADF;
	return v;
}

/*
 * Everything from @first on is closed by the next execve(2).  Through syscall(2), because musl has
 * no close_range(3); one by one where the kernel is older than 5.11 or a filter hides the call.
 */
static inline void close_on_exec_from(int first)
{
	struct rlimit max;

	if (syscall(SYS_close_range, (unsigned int)first, ~0u, CLOSE_RANGE_CLOEXEC) == 0)
		return;
	if (getrlimit(RLIMIT_NOFILE, &max) < 0)
		max.rlim_cur = 65536;
	for (int fd = first; (rlim_t)fd < max.rlim_cur; fd++) {
		int flags = fcntl(fd, F_GETFD);

		if (flags >= 0)
			fcntl(fd, F_SETFD, flags | FD_CLOEXEC);
	}
}

/* May a directory that the library did not make be called so?  Wider than what cgfs_id_check()
 * takes (id.c). */
bool cgfs_directory_ok(const char *name);

/*
 * Fills *e (when e is not NULL) and returns code.  @op is what was being done ("write",
 * "create pod"), @path the file, @value the value refused; any of them may be NULL.  The text
 * becomes "op PATH: value \"VALUE\": strerror", or with @why "...: WHY".
 */
int cgfs_err_set(struct cgfs_err *e, int code, const char *op, const char *path, const char *value,
		 const char *why, ...) __attribute__((format(printf, 6, 7)));

/* The same for what most errors have: a file, whose reason is strerror(); a file, or a member, and
 * why; a value and why. */
#define err_file(e, code, op, path)	   cgfs_err_set(e, code, op, path, NULL, NULL)
#define err_why(e, code, op, path, ...)	   cgfs_err_set(e, code, op, path, NULL, __VA_ARGS__)
#define err_value(e, code, op, value, ...) cgfs_err_set(e, code, op, NULL, value, __VA_ARGS__)

/* The same operation, path and value, with another reason. */
int cgfs_err_reason(struct cgfs_err *e, int code, const char *why, ...)
	__attribute__((format(printf, 3, 4)));

/* Puts "WHAT: " in front of the operation and the text: the caller's context. */
int cgfs_err_context(struct cgfs_err *e, int code, const char *what, ...)
	__attribute__((format(printf, 3, 4)));

#endif
