/* SPDX-License-Identifier: MIT */
/*
 * spec.h - the container's OCI specification: checked, understood, rewritten for the runtime.
 */
#ifndef AGENT_SPEC_H
#define AGENT_SPEC_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#define SPEC_WHY_MAX 320

enum spec_kind {
	SPEC_STANDALONE,
	SPEC_SANDBOX,
	SPEC_WORKLOAD,
};

/* A container's place, from the annotations. */
struct spec_place {
	enum spec_kind kind;
	const char *pod;  /* of a sandbox: its own pod; "" for a standalone one.  In the spec */
	bool virtual_pod; /* the annotation of a virtual pod decided */
	bool has_rules;	  /* linux.resources.devices has entries */
};

/* A specification and those of its members that the agent looks at, found once; NULL: absent. */
struct spec {
	json_t *json;
	json_t *root, *hostname, *process, *mounts, *annotations, *windows;
	json_t *lin, *namespaces, *devices, *resources, *rules; /* rules: resources.devices */
};

/* Finds them; checks nothing. */
struct spec spec_read(json_t *json);
/* 0, or an HR_... and @why.  The rules are those of the reference; see docs/gcs-compat.md. */
uint32_t spec_place(const struct spec *s, const char *id, struct spec_place *ret,
		    char why[SPEC_WHY_MAX]);
/* Who is at the other end of a terminal. */
enum spec_far_end {
	SPEC_NO_FAR_END,
	SPEC_HOST,    /* ports of the host, or sockets that were passed */
	SPEC_CONSOLE, /* the listener of a ConsoleSocket; a terminal is required */
};
/* Is it something that can be run here?  0, or an HR_... and @why. */
uint32_t spec_check(const struct spec *s, enum spec_far_end far_end, char why[SPEC_WHY_MAX]);
/* The same for an OCI process that is added to a container. */
uint32_t spec_check_process(const json_t *process, enum spec_far_end far_end,
			    char why[SPEC_WHY_MAX]);
/* Does the process get a terminal? */
bool spec_has_terminal(const json_t *process);
/* What @process lacks it gets from the process @from: all members but those about a terminal, and
 * variables in front of its own.  -ENOMEM */
int spec_inherit(json_t *process, const json_t *from);
/* An annotation; NULL: absent. */
const char *spec_annotation(const struct spec *s, const char *key);
/* The entry of linux.namespaces of this type; NULL: the guest's own is used. */
json_t *spec_namespace(const struct spec *s, const char *type);
/* The budget of a container's memory, of a sandbox that of its pod: bytes, "auto", "max" or
 * "exempt". */
#define ADMIT_ANNOTATION "io.cgfs.memory-admit"
/* Digits only; -EINVAL. */
int spec_number(const char *text, uint64_t *ret);
/* No path:"" pid namespace: killing init does not kill the rest. */
bool spec_own_pidns(const struct spec *s);
/* Has the runtime more to do at the container's end than to forget it? */
bool spec_has_end(const struct spec *s);
/* A copy of the limits that init has; NULL: it has none. */
json_t *spec_rlimits(const struct spec *s);
/* The text for the runtime, for a bundle elsewhere: without what is not the runtime's business, and
 * with paths made absolute.  Changes the specification.  NULL: no memory. */
char *spec_text(struct spec *s, const char *bundle);
/* The same of a process that is added to a container; the limits of init replace its own. */
char *spec_process_text(json_t *process, const json_t *rlimits);
/* True if @path is absolute, without "..", "." and empty parts, and has @least parts or more. */
bool spec_path_ok(const char *path, size_t least);

#endif
