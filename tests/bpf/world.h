/* SPDX-License-Identifier: MIT */
/*
 * world.h - what the tests of the eBPF side share: cgroups, device nodes and a pin directory of
 * their own on the running kernel, processes that join a cgroup, and the removal of it all.
 */
#ifndef WORLD_H
#define WORLD_H

#include "tests/kit/kit.h"
#include "tests/tap.h"

#include <cgfs/bpf.h>
#include <stdbool.h>
#include <sys/types.h>

#define WORLD_GROUPS 8

/* A cgroup in the cgroup2 tree, and how the policy sees it. */
struct group {
	char path[512];
	char pod_id[CGFS_ID_MAX + 1], container_id[CGFS_ID_MAX + 1];
	struct cgfs_policy_group g;
};

struct world {
	struct kit kit;
	const char *pin, *dev; /* the kit's pin directory, and its directory for device nodes */
	char root[400];	       /* of the pods, in the cgroup2 tree */
	char memory[400];      /* the same in a v1 memory hierarchy, not made; or "" */
	struct group group[WORLD_GROUPS];
	size_t n_groups;
	struct cgfs_bpf *bpf;
	const struct cgfs_policy *policy;
	struct cgfs_err err;
};

/* Setup and teardown of a test: *state becomes the world.  No policy is open yet. */
int world_setup(void **state);
int world_teardown(void **state);

/* A test of `struct world *w`. */
#define BPF_TEST(name)                                                                             \
	TAP_TEST_OF(struct world *w, name, .setup = world_setup, .teardown = world_teardown)

/* Opens the policy of the world's pin directory; fails the test when that fails. */
void world_open(struct world *w, bool events);
void world_close(struct world *w);

/* Makes cgroups.  A pod below the world's root; a container in a pod; a plain cgroup in either. */
struct group *world_pod(struct world *w, const char *id);
struct group *world_container(struct world *w, struct group *pod, const char *id);
void world_nested(const struct group *g, const char *name, char *path, size_t len);

/* Rules from text, separated by ';': "c 1:3 rwm; deny c 1:5 w". */
size_t world_rules(const char *text, struct cgfs_device_rule *rules, size_t max);
void world_add(struct world *w, struct group *g, const char *rules);
void world_set(struct world *w, struct group *g, const char *rules);
struct cgfs_policy_counters world_counters(struct world *w, const struct group *g);

/* Path of a node, "DEV/c-240-1", made when missing. */
const char *world_node(struct world *w, char kind, int major, int minor, char *buf, size_t len);
/* May a process in @path open the node for @mode (O_RDONLY...)?  True unless EPERM. */
bool world_can_open(struct world *w, const char *path, char kind, int major, int minor, int mode);

/* Next event, waiting up to @ms; 0 when none came. */
int world_event(struct world *w, struct cgfs_event *e, int ms);

/* The ABI number of what is pinned of an object; @abi is put in its place. */
unsigned long world_abi(struct world *w, const char *object, unsigned long abi);

/* The kernel's number of a pinned link. */
unsigned int world_link_id(struct world *w, const char *pin);

/* Elements of a pinned map. */
size_t world_map_count(struct world *w, const char *pin);

#endif
