/* SPDX-License-Identifier: MIT */
/*
 * files.h - files on disk.
 */
#ifndef AGENT_FILES_H
#define AGENT_FILES_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <unistd.h>

int files_write(const char *path, const char *text);
/* At most @len - 1 bytes; NUL-terminated.  The number of bytes, or a negative errno. */
int files_read(const char *path, char *buf, size_t len);
/* A whole regular file, NUL-terminated; release with free().  0, or a negative errno. */
int files_load(const char *path, char **ret_text, size_t *ret_len);
/* Is @dir the same as @path, or above it? */
bool files_leads_to(const char *dir, const char *path);
/* Is a file system mounted there?  A link is not followed. */
bool files_is_mount(const char *path);
/* Has it files, and no directory?  false as well when that cannot be said. */
bool files_is_flat(const char *dir);
/* Removes the files and empty directories in a directory of ours, and the directory.
 * 0, or a negative errno. */
int files_remove_flat(const char *dir);

/* The caller's oom_score_adj, and, in a child, another one.  Without the privilege for a value
 * below the present one, that one stays. */
#define OOM_SCORE_MAX 8
void files_oom_score(char buf[OOM_SCORE_MAX]);
void files_set_oom_score(const char *text);

/* The caller may have as many open as its hard limit says.  In a child: as many as the caller might
 * before. */
void files_raise_limit(void);
void files_restore_limit(void);

static inline void close_fds(int fds[3])
{
	for (int i = 0; i < 3; i++) {
		if (fds[i] >= 0)
			close(fds[i]);
		fds[i] = -EBADF;
	}
}

#endif
