/* SPDX-License-Identifier: MIT */
/*
 * bundle.h - what the runtimes need to be measured: a bundle with busybox in its root file system,
 * and, where crun would refuse the host, a mount namespace that hides the reason.
 */
#ifndef BUNDLE_H
#define BUNDLE_H

#include "bench.h"

#include <sys/types.h>

#define BUNDLE_BUSYBOX	  "/bin/busybox"
#define BUNDLE_SOCKET_MAX 128

/* A directory of its own in memory, as /run is, in which runtimes and the agent have their state;
 * @dir ends with XXXXXX. */
int bundle_dir(char *dir);
void bundle_dir_remove(const char *dir);
/* In @dir: config.json, rootfs.  @args: a JSON array, what the container runs; @id names its
 * cgroup. */
int bundle_make(const char *dir, const char *id, const char *args);
/* A mount namespace without the cgroup2 tree: crun refuses a host with v1 hierarchies and a cgroup2
 * tree that has controllers.  Made once: that is not what a run costs.  @ret_fd: -1: not needed. */
int bundle_hide_cgroup2(const struct bench *b, int *ret_fd);
/* pivot_root(2) cannot leave an initramfs. */
bool bundle_no_pivot(void);
bool bundle_in_path(const char *name);
/* An agent with its own root, pins and state, which deletes its pods on SIGTERM.
 * @runtime NULL: its own choice.  @ret_socket: for podctl.  Returns its pid, or a negative errno.
 */
pid_t bundle_agent(const struct bench *b, const char *dir, const char *name, const char *runtime,
		   char ret_socket[BUNDLE_SOCKET_MAX]);

#endif
