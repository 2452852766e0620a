/* SPDX-License-Identifier: MIT */
/*
 * device.h - the object cgfs_dev: the device policy of each group.
 */
#ifndef BPF_DEVICE_DEVICE_H
#define BPF_DEVICE_DEVICE_H

#include "bpf/group/group.h"

#include <cgfs/abi/device.h>

/* A compiled list: parallel arrays, because the kernel takes them so in one call. */
struct cgfs_bpf_list {
	struct cgfs_rule_key *keys;
	struct cgfs_rule *rules;
	size_t n;
};

/* The keys of a group's list, so that it can be deleted without a walk through all rules. */
struct in_force {
	uint64_t cgroup_id;
	uint32_t generation; /* 0: none */
	size_t n;
	struct cgfs_rule_key *keys;
};

/* Rules that are not in force any more, until no processor can be reading them. */
struct garbage {
	struct garbage *next;
	uint64_t since_ns;
	size_t n;
	struct cgfs_rule_key *keys;
};

#define FOREIGN_KEPT 64

enum { DEVICE_POLICY, DEVICE_COUNTS, DEVICE_RULES, DEVICE_DENIALS, DEVICE_PROGRAM };

struct device {
	struct object o;
	/* Device programs of others that were met on groups' cgroups, the last ones; how many these
	 * were, and how many of them were reported. */
	struct foreign {
		uint32_t id;
		uint64_t cgroup_id;
		char name[BPF_OBJ_NAME_LEN];
	} met[FOREIGN_KEPT];
	size_t foreign, reported;
	char foreign_pod[CGFS_ID_MAX + 1];

	void *in_force;		 /* tree of struct in_force: a cache, all works without it */
	bool scanned;		 /* the rules that were pinned are in it */
	struct garbage *garbage; /* oldest first */
	struct garbage **garbage_end;
	size_t garbage_rules;
};

extern const struct object_ops cgfs_bpf_device_object;

/* compile.c: an ordered list as map elements; pure. */
int cgfs_bpf_compile(const struct cgfs_device_rule *rules, size_t n, struct cgfs_bpf_list *ret,
		     struct cgfs_err *reterr);
void cgfs_bpf_list_free(struct cgfs_bpf_list *list);

/* rules.c: elements of cgfs_rules: put in, replace, clear away. */
/* 1 when it had to learn what is there, 0 when that is known. */
int cgfs_bpf_rules_scan(struct device *d, struct cgfs_err *reterr);
int cgfs_bpf_rules_put(struct device *d, uint64_t cgroup_id, struct cgfs_bpf_list *list,
		       uint32_t *ret_generation, struct cgfs_err *reterr);
/* Remembers what is in force; takes the keys out of @list. */
int cgfs_bpf_rules_remember(struct device *d, uint64_t cgroup_id, uint32_t generation,
			    struct cgfs_bpf_list *list);
/* The group's @generation is not in force any more: it is cleared away when no processor reads it.
 */
void cgfs_bpf_rules_retire(struct device *d, uint64_t cgroup_id, uint32_t generation);
/* The group is gone: its rules are cleared away at once.  @generation 0: it cannot be read. */
void cgfs_bpf_rules_drop(struct device *d, uint64_t cgroup_id, uint32_t generation);
/* Clears away what is old enough; with @all everything, after waiting for readers. */
void cgfs_bpf_rules_sweep(struct device *d, bool all);
void cgfs_bpf_rules_free(struct device *d);

/* enforce.c: what binds a group. */
/* -ENOENT when the cgroup is gone, or has no link. */
int cgfs_bpf_policy_read(const struct device *d, uint64_t cgroup_id, struct cgfs_policy_val *ret);
int cgfs_bpf_device_added(struct object *o, struct object_group *g, struct cgfs_err *reterr);
int cgfs_bpf_device_changed(struct object *o, const struct object_group *g,
			    struct cgfs_err *reterr);
int cgfs_bpf_device_removed(struct object *o, uint64_t cgroup_id, const struct cgfs_group *there,
			    struct cgfs_err *reterr);
int cgfs_bpf_device_counters(struct object *o, uint64_t cgroup_id, const struct cgfs_group *there,
			     struct cgfs_policy_counters *c);

/* enforce.c: is the group bound by the program of other pins? */
bool cgfs_bpf_device_elsewhere(const struct device *d, const struct cgfs_policy_group *group);
/* foreign_programs() of struct cgfs_policy_ops. */
int cgfs_bpf_device_foreign(const struct device *d, const struct cgfs_policy_group *group,
			    int (*fn)(void *arg, uint32_t id, const char *name), void *arg);

/* list.c: the list in force, read back; get_rules() of struct cgfs_policy_ops. */
int cgfs_bpf_device_list(struct device *d, const struct cgfs_policy_group *group,
			 struct cgfs_device_rule **ret, size_t *ret_n, struct cgfs_err *reterr);

#endif
