/* SPDX-License-Identifier: MIT */
/*
 * internal.h - what the library's own files share: cleanup attributes and error filling.
 * Usable by every part of the tree (agent, bpf, tests); knows nothing of cgroups.
 */
#ifndef CGFS_INTERNAL_H
#define CGFS_INTERNAL_H

#include <cgfs/base.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

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
 * Fills *e (when e is not NULL) and returns code.  @op is what was being done ("write",
 * "create pod"), @path the file, @value the value refused; any of them may be NULL.  The text
 * becomes "op PATH: value \"VALUE\": strerror", or with @why "...: WHY".
 */
int cgfs_err_set(struct cgfs_err *e, int code, const char *op, const char *path, const char *value,
		 const char *why, ...) __attribute__((format(printf, 6, 7)));

/* Puts "WHAT: " in front of the operation and the text: the caller's context. */
int cgfs_err_context(struct cgfs_err *e, int code, const char *what, ...)
	__attribute__((format(printf, 3, 4)));

#endif
