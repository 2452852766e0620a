/* SPDX-License-Identifier: MIT */
/*
 * namespaces.h - those that the containers of a pod share.
 */
#ifndef AGENT_NAMESPACES_H
#define AGENT_NAMESPACES_H

#include "agent/runtime/runtime.h"

#include <stdint.h>
#include <sys/types.h>

enum { NAMESPACE_NETWORK, NAMESPACE_IPC, NAMESPACE_UTS, NAMESPACE_TYPES };

/* As OCI and as the kernel has it: "network", "net". */
extern const char *const namespace_types[NAMESPACE_TYPES];
extern const char *const namespace_files[NAMESPACE_TYPES];

/* Which namespace the process is in; 0: not to be known. */
uint64_t namespace_of(pid_t pid, int type);
/* Which one is kept at @dir; 0: none. */
uint64_t namespace_at(const char *dir, int type);
/* In a child process, which gets into those of @types (1 << type) that are not at @dir yet: they
 * are made and kept there.  @hostname "": the caller's.  0, or a negative errno and @why. */
int namespaces_make(const char *dir, unsigned int types, const char *hostname,
		    char why[RUNTIME_WHY_MAX]);
/* May take a moment: for a child process. */
void namespaces_remove(const char *dir);

#endif
