/* SPDX-License-Identifier: MIT */
/*
 * fs.h - calls to the file system, through the context's door.
 */
#ifndef CGFS_TREE_FS_H
#define CGFS_TREE_FS_H

#include <cgfs/cgfs.h>

int fs_open(struct cgfs *c, int dirfd, const char *name, int flags);
void fs_close(struct cgfs *c, int *fd);
/* Whole file from offset 0, NUL-terminated; the length, or -EFBIG when @len is too small. */
ssize_t fs_pread(struct cgfs *c, int fd, char *buf, size_t len);
ssize_t fs_read_at(struct cgfs *c, int dirfd, const char *name, char *buf, size_t len);
/* The same for files that may be long: *ret is @small, or *ret_big where that does not do, which is
 * to be freed. */
ssize_t fs_read_long(struct cgfs *c, int dirfd, const char *name, char *small, size_t len,
		     char **ret_big, char **ret);
int fs_write_at(struct cgfs *c, int dirfd, const char *name, const char *value);

/* When a process was started, in clock ticks since boot, which with its pid is a name that no other
 * process has; 0: there is none.  Not through the door. */
uint64_t process_start(pid_t pid);

/* Why this process may not write to it: -EACCES, or -EROFS, which keeps only those away who want to
 * write; 0 also where that cannot be found out. */
int fs_refused(struct cgfs *c, int dirfd, const char *name);
/* Is it mounted for reading?  false also where that cannot be found out. */
bool fs_read_only(struct cgfs *c, int dirfd);
/* Takes every call that changes something out of the context's table. */
void fs_refuse_changes(struct cgfs *c);
/* For calls that change something: -EROFS with a sentence where the context is for reading. */
int check_writable(const struct cgfs *c, const char *op, struct cgfs_err *reterr);

/* Closes a descriptor of the door on scope exit. */
struct door_fd {
	struct cgfs *c;
	int fd;
};
static inline void cgfs_cleanup_door_fd(struct door_fd *d)
{
	fs_close(d->c, &d->fd);
}
#define auto_door_fd __attribute__((cleanup(cgfs_cleanup_door_fd)))

#endif
