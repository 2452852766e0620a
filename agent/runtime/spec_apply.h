/* SPDX-License-Identifier: MIT */
/*
 * spec_apply.h - what the guest itself adds to a container's specification before the runtime
 * sees it: annotations, device nodes, the checks of the hostname and of the network namespace.
 */
#ifndef AGENT_SPEC_APPLY_H
#define AGENT_SPEC_APPLY_H

#include "agent/runtime/spec.h"

/* Applies all of it, or refuses by name; changes @s.  0, or an HR_... and @why. */
uint32_t spec_apply(struct spec *s, const struct spec_place *place, char why[SPEC_WHY_MAX]);

/* Does its annotation say that it uses the guest's own network? */
bool spec_host_network(const struct spec *s);
/* The entry of linux.namespaces of this type, one that there is or a new one, gets @path.  -ENOMEM.
 */
int spec_join_namespace(struct spec *s, const char *type, const char *path);
void spec_drop_namespace(struct spec *s, const char *type);
/* Is there an entry without a path?  Then the runtime would make one. */
bool spec_makes_namespace(const struct spec *s, const char *type);
bool spec_joins_namespace(const struct spec *s, const char *type);
bool spec_hostname_ok(const char *name);

/* The parts that look at device nodes (spec_devices.c). */

/* Every entry of linux.devices without a type gets the numbers of the guest's node at its path,
 * and every entry a rule that allows it. */
uint32_t spec_apply_devices(struct spec *s, char why[SPEC_WHY_MAX]);
/* A privileged container: all device nodes of the guest, and a rule that allows everything. */
uint32_t spec_apply_privileged(struct spec *s, char why[SPEC_WHY_MAX]);
/* mounts[] with the destination "blockdev://PATH": PATH becomes the block device that the source
 * leads to, and a rule allows it. */
uint32_t spec_apply_block_mounts(struct spec *s, char why[SPEC_WHY_MAX]);

/* Sources of mounts that are no paths (spec_mounts.c). */

enum spec_shared {
	SPEC_NOT_SHARED,
	SPEC_SHARED_DISK,      /* sandbox:// */
	SPEC_SHARED_MEMORY,    /* sandbox-tmp:// */
	SPEC_SHARED_HUGEPAGES, /* hugepages://; its path begins with the size of a page */
};

/* "uvm://PATH" becomes PATH, which must be there. */
uint32_t spec_apply_uvm_mounts(struct spec *s, char why[SPEC_WHY_MAX]);
/* Is the source of mounts[@i] one that the containers of a pod share?  Then with its plain path
 * below the pod's directory, for the caller to free. */
uint32_t spec_shared_source(const struct spec *s, size_t i, enum spec_shared *ret, char **ret_path,
			    char why[SPEC_WHY_MAX]);
/* That of mounts[@i]; NULL: it has none. */
const char *spec_source(const struct spec *s, size_t i);
/* -ENOMEM. */
int spec_set_source(struct spec *s, size_t i, const char *source);
bool spec_mounts_at(const struct spec *s, const char *destination);
/* Read-only where the root file system is.  -ENOMEM. */
int spec_add_bind(struct spec *s, const char *source, const char *destination);

/* spec_user.c: process.user.username becomes uid and gid, as the files of the root file system
 * @root have them. */
uint32_t spec_resolve_user(json_t *process, const char *root, char why[SPEC_WHY_MAX]);

/* A copy of the process's user when it has a name; NULL: it has none. */
json_t *spec_named_user(const json_t *process);
/* The process's user is a copy of @user.  -ENOMEM. */
int spec_set_user(json_t *process, const json_t *user);
/* root.path; NULL: there is none. */
const char *spec_root_path(const struct spec *s);

/* The object or list that is the member @name of @object, made when it is absent or null.
 * NULL: no memory. */
json_t *spec_part(json_t *object, const char *name, json_type type);
/* Takes out the member @name, in any case of its letters. */
void spec_drop(json_t *object, const char *name);
/* vsnprintf() into @why; returns @hr. */
uint32_t spec_refuse(uint32_t hr, char why[SPEC_WHY_MAX], const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif
