/* SPDX-License-Identifier: MIT */
/*
 * case.h - one case of what OCI's linux.resources must come to, and what is expected of it on a
 * host with given controllers.  cases/README.md has the format.
 */
#ifndef OCI_CASE_H
#define OCI_CASE_H

#include <cgfs/cgfs.h>
#include <jansson.h>

/* The host that a case runs on, as far as its expectations ask. */
struct oci_host {
	enum cgfs_version_id version[CGFS_CONTROLLER_COUNT];
	bool unified;		   /* there is a cgroup2 tree, so a policy can keep device rules */
	unsigned int major, minor; /* of a block device that takes limits */
	/* Does a new cgroup of this host have the file? */
	bool (*has_file)(void *arg, enum cgfs_controller ctl, const char *file);
	void *arg;
};

struct oci_case {
	const char *name;
	char *text;	/* what to apply */
	json_t *wanted; /* an object: the whole case, with placeholders filled in */
	json_t *needs;	/* array of controllers */
	bool is_text;	/* text was given as such and may be no JSON */
};

/* What must come out. */
struct oci_outcome {
	bool refused;
	const char *word; /* that the error must contain; alternatives separated by '|' */
	int code;	  /* negative errno; 0: any */
};

/* One file of one hierarchy and what it must read. */
typedef void oci_file_fn(void *arg, enum cgfs_controller ctl, const char *file, const char *want);

/* All cases of all files in @dir, in order.  Ends the program when one is not well-formed. */
size_t oci_load(const char *dir, json_t **ret_list);
/* The @i-th, for this host; release with oci_case_free(). */
struct oci_case *oci_case(const json_t *list, size_t i, const struct oci_host *host);
void oci_case_free(struct oci_case *c);
const char *oci_case_name(const json_t *list, size_t i);

struct oci_outcome oci_expect(const struct oci_case *c, const struct oci_host *host);
/* Calls @fn for each file that must be looked at when it was applied. */
void oci_files(const struct oci_case *c, const struct oci_host *host, oci_file_fn *fn, void *arg);
/* Device rules matter: a policy has to be there. */
bool oci_needs_policy(const struct oci_case *c);
/* "max" of v1 is a large number; "~words" are contained; "*" is anything. */
bool oci_matches(const char *want, const char *have);
/* Is one of the words of @words ("a|b") in @text? */
bool oci_says(const char *words, const char *text);

/* "c 10:229" */
struct oci_node {
	enum cgfs_device_type type;
	int32_t major, minor;
	uint32_t granted; /* CGFS_ACCESS_* that must be */
};
typedef void oci_node_fn(void *arg, const struct oci_node *node);
void oci_nodes(const struct oci_case *c, oci_node_fn *fn, void *arg);

#endif
