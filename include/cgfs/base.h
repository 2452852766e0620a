/* SPDX-License-Identifier: MIT */
/*
 * cgfs/base.h - what every other header needs: visibility, limits, errors.
 *
 * Conventions that hold for the whole API and are not repeated in each header:
 *
 *  - A function that can fail returns int: 0 (or a documented count) on success,
 *    a negative errno on failure.  `errno` itself is not part of the contract.
 *  - An output argument (`ret_...`) is written on success only, unless its comment says more.
 *  - `reterr` may be NULL.  It belongs to the caller, is filled on failure only, and
 *    filling it never allocates.
 *  - A structure that grows begins with its size, `sz`, which CGFS_..._INIT sets; everything else
 *    is zero in it.  The library reads and fills it as far as it reaches, so that a program runs
 *    with newer and older libraries than the one it was compiled with; members that a library
 *    does not know must be zero (-E2BIG), and an `sz` that was not set is -EINVAL.
 *  - Any function can return, besides the errors in its comment: -ENOMEM; -EINVAL or -E2BIG for a
 *    structure whose `sz` is not set or that has unknown members set; -EROFS from a context for
 *    reading, when the call would change the kernel; -ENOENT or -ENODEV when another process has
 *    removed the cgroup; and the kernel's errno for the file in @reterr->path.
 *  - A context, its groups and its device policy belong to one thread at a time.  Two contexts are
 *    independent of each other.  A function that takes none of them may be called by any thread at
 *    any time, unless its comment has another `Context:`.
 *  - A function without `Context:` reads or writes control files, and does not wait for another
 *    process.
 *  - "Borrowed" memory belongs to the caller and is not used after the call, "copied" memory
 *    neither; a string or pointer that a function returns belongs to the object it was asked of,
 *    and is valid until that object is closed, unless the comment names the function that
 *    releases it.
 *  - Quantities carry their unit in the name: _bytes, _us, _ms, _ns, _bps (bytes per second).
 *  - Every descriptor that the library opens is close-on-exec.
 */
#ifndef CGFS_BASE_H
#define CGFS_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
/* What CGFS_..._INIT stands for: C++ before C++20 has no designated initializers. */
template <typename T> inline T cgfs_sized()
{
	T t = T();

	t.sz = sizeof(t);
	return t;
}
#define CGFS_SIZED(type) cgfs_sized<type>()

extern "C" {
#else
#define CGFS_SIZED(type)                                                                           \
	{                                                                                          \
		.sz = sizeof(type)                                                                 \
	}
#endif

#define CGFS_API   __attribute__((visibility("default")))
#define CGFS_CHECK __attribute__((warn_unused_result))

#define CGFS_VERSION "0.1.0"

/* Longest pod or container id in bytes, without the terminating NUL (the kernel's NAME_MAX). */
#define CGFS_ID_MAX 255

/* "No limit" wherever a limit is set or read; the kernel spells it "max" or -1. */
#define CGFS_MAX UINT64_MAX

/**
 * struct cgfs_err - why a call failed, as text
 * @code: the negative errno that the call returned
 * @op:   the operation, for instance `create pod "web"`
 * @path: the file or directory that refused; empty when no file was involved
 * @value: the value that was refused, shortened; empty when there was none
 * @text: one sentence made of the above, ready to be printed
 */
struct cgfs_err {
	int code;
	char op[320];
	char path[512];
	char value[96];
	char text[1024];
};

/**
 * cgfs_version() - version of the library that was loaded
 *
 * Return: a static string such as "0.1.0"; never NULL.
 */
CGFS_API const char *cgfs_version(void);

/**
 * cgfs_id_check() - check a pod or container id
 * @id:     borrowed; NUL-terminated
 * @reterr: may be NULL
 *
 * An id names a directory, so it is 1 to CGFS_ID_MAX bytes of [A-Za-z0-9_.+-], begins with
 * a letter or a digit, and is never "." or "..".  Names that begin like a control file of the
 * kernel ("cgroup.", "memory." ...) are refused, because mkdir would collide with the file.
 *
 * Errors:  -EINVAL        the id has no such form
 *          -ENAMETOOLONG  it is longer than CGFS_ID_MAX
 * Context: any thread; makes no system call
 *
 * Return: 0, or a negative errno.
 */
CGFS_API CGFS_CHECK int cgfs_id_check(const char *id, struct cgfs_err *reterr);

#ifdef __cplusplus
}
#endif
#endif
