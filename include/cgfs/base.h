/* SPDX-License-Identifier: MIT */
/*
 * cgfs/base.h - what every other header needs: visibility, limits, errors.
 *
 * Conventions that hold for the whole API and are not repeated in each header:
 *
 *  - A function that can fail returns int: 0 (or a documented count) on success,
 *    a negative errno on failure.  `errno` itself is not part of the contract.
 *  - An output argument (`ret_...`) is written on success only.
 *  - `reterr` may be NULL.  It belongs to the caller, is filled on failure only, and
 *    filling it never allocates.
 *  - Handles are not thread-safe; two `struct cgfs` contexts are independent of each other.
 *  - Every descriptor that the library opens is close-on-exec.
 */
#ifndef CGFS_BASE_H
#define CGFS_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CGFS_API   __attribute__((visibility("default")))
#define CGFS_CHECK __attribute__((warn_unused_result))

#define CGFS_VERSION "0.1.0"

/* Longest pod or container id in bytes, without the terminating NUL (the kernel's NAME_MAX). */
#define CGFS_ID_MAX 255

/* "No limit" wherever a limit is set or read; the kernel spells it "max" or -1. */
#define CGFS_MAX UINT64_MAX

/**
 * struct cgfs_err - why a call failed, in words
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
 * cgfs_id_check() - is this a valid pod or container id?
 * @id:     borrowed; NUL-terminated
 * @reterr: may be NULL
 *
 * An id names a directory, so it is 1 to CGFS_ID_MAX bytes of [A-Za-z0-9_.+-], begins with
 * a letter or a digit, and is never "." or "..".  Names that begin like a control file of the
 * kernel ("cgroup.", "memory." ...) are refused, because mkdir would collide with the file.
 *
 * Errors:  -EINVAL  the id is not valid; -ENAMETOOLONG  it is longer than CGFS_ID_MAX
 * Context: any; touches nothing
 *
 * Return: 0, or a negative errno.
 */
CGFS_API CGFS_CHECK int cgfs_id_check(const char *id, struct cgfs_err *reterr);

#ifdef __cplusplus
}
#endif
#endif
