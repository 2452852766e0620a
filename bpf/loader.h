/* SPDX-License-Identifier: MIT */
/*
 * loader.h - what the files of the eBPF side share in user space: the handle, its parts, and
 * which file owns which.  Not for users of the library; they see cgfs/bpf.h.
 */
#ifndef CGFS_BPF_LOADER_H
#define CGFS_BPF_LOADER_H

#include "../cgfs/internal.h"

#include <cgfs/abi/policy.h>
#include <cgfs/bpf.h>

#include <sys/types.h>

struct ring_buffer;

/* A compiled list: parallel arrays, because the kernel takes them so in one call. */
struct cgfs_bpf_list {
	struct cgfs_rule_key *keys;
	struct cgfs_rule *rules;
	size_t n;
};

/* The part of a rule's key that is the same in all generations. */
struct cgfs_bpf_pattern {
	enum cgfs_policy_kind kind;
	int32_t major;
	int32_t minor;
};

/* A group that this process knows more about than the maps hold. */
struct cgfs_bpf_known {
	uint64_t cgroup_id; /* first: the tree's key */
	char *pod;	    /* full ids; NULL: as in the map */
	char *container;
	uint32_t generation; /* whose patterns these are; 0: none */
	size_t n_patterns;
	struct cgfs_bpf_pattern *patterns;
	struct cgfs_bpf_known *next_gone; /* removed, kept for events that are on their way */
	uint64_t lost;
};

/* Rules that are not in force any more, until no processor can be reading them. */
struct cgfs_bpf_garbage {
	struct cgfs_bpf_garbage *next;
	uint64_t since_ns;
	uint64_t cgroup_id;
	uint32_t generation;
	size_t n;
	struct cgfs_bpf_pattern patterns[];
};

struct cgfs_bpf {
	struct cgfs_policy policy;

	char *pin_dir;
	int pin_fd;		   /* locked around changes */
	int device_fd, control_fd; /* programs */
	int policy_fd, counts_fd, groups_fd, rules_fd, state_fd, denials_fd, kills_fd; /* maps */
	bool oom;	      /* kill attribution is attached */
	char oom_why[160];    /* how, or why not */
	unsigned int foreign; /* device programs of others that were met on pods' cgroups */
	char foreign_pod[CGFS_ID_MAX + 1];

	void *known;			  /* tsearch(3) tree of struct cgfs_bpf_known */
	bool scanned;			  /* the rules that were pinned are in it */
	struct cgfs_bpf_garbage *garbage; /* oldest first */
	struct cgfs_bpf_garbage **garbage_end;
	size_t garbage_rules;

	/* Receiving events; only with opts.events. */
	int events_fd; /* locked: one receiver */
	int epoll_fd, timer_fd;
	struct ring_buffer *ring;
	struct cgfs_event *slot; /* where the ring's callback puts what it read */
	bool slot_full;
	bool timer_set;
	uint64_t lost_seen; /* of state.events_lost */
	struct cgfs_bpf_known *gone;
	struct cgfs_bpf_lost {
		uint64_t cgroup_id;
		uint64_t count;
	} * lost;
	size_t n_lost;
	bool foreign_pids; /* our process ids are not those of the initial namespace */
};

/* pins.c: bpffs, the pin directory, names in it, its lock. */
int cgfs_bpf_pins_open(struct cgfs_bpf *b, struct cgfs_err *reterr);
int cgfs_bpf_pins_remove(struct cgfs_bpf *b, struct cgfs_err *reterr);
int cgfs_bpf_lock(struct cgfs_bpf *b, struct cgfs_err *reterr);
void cgfs_bpf_unlock(struct cgfs_bpf *b);
/* "PIN_DIR/NAME" in a static-size buffer. */
#define CGFS_BPF_PATH 768
const char *cgfs_bpf_path(const struct cgfs_bpf *b, const char *name, char buf[CGFS_BPF_PATH]);
/* Name of a group's link, "links/POD:CGROUP_ID" or "links/POD,CONTAINER:CGROUP_ID". */
#define CGFS_BPF_LINK 220
void cgfs_bpf_link_name(const struct cgfs_group *g, uint64_t cgroup_id, char buf[CGFS_BPF_LINK]);
int cgfs_bpf_unpin_name(struct cgfs_bpf *b, const char *name, struct cgfs_err *reterr);
/* Calls @fn for each pinned link. */
int cgfs_bpf_links(struct cgfs_bpf *b,
		   int (*fn)(struct cgfs_bpf *b, const char *name, uint64_t cgroup_id, void *arg),
		   void *arg, struct cgfs_err *reterr);

/* device.c: loads cgfs_dev or takes over what is pinned. */
/* Is the program, which is pinned last, there? */
bool cgfs_bpf_device_pinned(struct cgfs_bpf *b);
int cgfs_bpf_device_open(struct cgfs_bpf *b, struct cgfs_err *reterr);
/* Runs the program cgfs_control; the caller holds the lock for NEXT. */
int cgfs_bpf_control(struct cgfs_bpf *b, struct cgfs_control_args *args);

/* oom.c: loads and attaches cgfs_oom where the kernel allows it, or says why not. */
/* @fresh: the maps have just been made. */
void cgfs_bpf_oom_open(struct cgfs_bpf *b, bool load_it, bool fresh);

/* load.c: what both loaders need of libbpf. */
struct bpf_object;
struct cgfs_bpf_load {
	char log[16384]; /* what the verifier says */
	void *print;
};
/* libbpf would print to stderr; between these two it does not. */
void cgfs_bpf_quiet(struct cgfs_bpf_load *load);
void cgfs_bpf_loud(struct cgfs_bpf_load *load);
/* The end of the verifier's log: its last words, in one line. */
const char *cgfs_bpf_log_end(struct cgfs_bpf_load *load);
int cgfs_bpf_load_error(struct cgfs_bpf_load *load, int r, const char *what,
			struct cgfs_err *reterr);

/* compile.c: an ordered list as map elements; pure. */
int cgfs_bpf_compile(const struct cgfs_device_rule *rules, size_t n, struct cgfs_bpf_list *ret,
		     struct cgfs_err *reterr);
void cgfs_bpf_list_free(struct cgfs_bpf_list *list);

/* known.c: what this process remembers of groups. */
struct cgfs_bpf_known *cgfs_bpf_known_find(struct cgfs_bpf *b, uint64_t cgroup_id);
struct cgfs_bpf_known *cgfs_bpf_known_get(struct cgfs_bpf *b, uint64_t cgroup_id);
int cgfs_bpf_known_names(struct cgfs_bpf_known *k, const char *pod, const char *container);
void cgfs_bpf_known_drop(struct cgfs_bpf *b, uint64_t cgroup_id, uint64_t lost);
void cgfs_bpf_known_free_gone(struct cgfs_bpf *b);
void cgfs_bpf_known_free_all(struct cgfs_bpf *b);
/* Fills the ids of an event from memory, else from the map. */
void cgfs_bpf_names(struct cgfs_bpf *b, uint64_t cgroup_id, struct cgfs_event *event);

/* rules.c: elements of cgfs_rules: put in, replace, clear away. */
int cgfs_bpf_rules_scan(struct cgfs_bpf *b, struct cgfs_err *reterr);
int cgfs_bpf_rules_put(struct cgfs_bpf *b, uint64_t cgroup_id, struct cgfs_bpf_list *list,
		       uint32_t *ret_generation, struct cgfs_err *reterr);
/* Remembers which patterns are in force; takes them out of @list. */
int cgfs_bpf_rules_remember(struct cgfs_bpf *b, uint64_t cgroup_id, uint32_t generation,
			    const struct cgfs_bpf_list *list);
/* The group's @generation is not in force any more: clear it away when nobody reads it. */
void cgfs_bpf_rules_retire(struct cgfs_bpf *b, uint64_t cgroup_id, uint32_t generation);
/* The group is gone: clear its rules away at once.  @generation 0: the kernel cannot tell. */
void cgfs_bpf_rules_drop(struct cgfs_bpf *b, uint64_t cgroup_id, uint32_t generation);
/* Clears away what is old enough; with @all everything, after waiting for readers. */
void cgfs_bpf_rules_sweep(struct cgfs_bpf *b, bool all);

/* groups.c: the operations on groups. */
int cgfs_bpf_add(void *ctx, const struct cgfs_policy_group *group,
		 const struct cgfs_device_rule *rules, size_t n, struct cgfs_err *reterr);
int cgfs_bpf_set_rules(void *ctx, const struct cgfs_policy_group *group,
		       const struct cgfs_device_rule *rules, size_t n, struct cgfs_err *reterr);
int cgfs_bpf_remove(void *ctx, const struct cgfs_policy_group *group, struct cgfs_err *reterr);
int cgfs_bpf_sweep(void *ctx, int cgroup2_fd, struct cgfs_err *reterr);
int cgfs_bpf_counters(void *ctx, uint64_t cgroup_id, struct cgfs_policy_counters *ret);
int cgfs_bpf_group_read(struct cgfs_bpf *b, uint64_t cgroup_id, struct cgfs_group *ret);
/* -ENOENT when the cgroup is gone, or has no link. */
int cgfs_bpf_policy_read(struct cgfs_bpf *b, uint64_t cgroup_id, struct cgfs_policy_val *ret);
/* 1 when there is a group whose cgroup lives, 0 when there is none; the caller holds the lock. */
int cgfs_bpf_groups_left(struct cgfs_bpf *b, struct cgfs_err *reterr);

/* list.c: the list in force, read back. */
int cgfs_bpf_get_rules(void *ctx, const struct cgfs_policy_group *group,
		       struct cgfs_device_rule **ret, size_t *ret_n, struct cgfs_err *reterr);

/* events.c: the rings, and what was lost, as struct cgfs_event. */
int cgfs_bpf_events_open(struct cgfs_bpf *b, struct cgfs_err *reterr);
void cgfs_bpf_events_close(struct cgfs_bpf *b);
int cgfs_bpf_event_fd(void *ctx);
int cgfs_bpf_event_read(void *ctx, struct cgfs_event *ret_event, struct cgfs_err *reterr);

/* probe.c: what this kernel can do, tried. */
int cgfs_bpf_probe(void *ctx, struct cgfs_capabilities *caps, struct cgfs_err *reterr);

#endif
