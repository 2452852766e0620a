/* SPDX-License-Identifier: MIT */
/*
 * base.h - what every object of the eBPF side is made of: the pin directory, and struct object,
 * which is loaded or adopted, pinned and closed in the same way for every object.
 *
 * Knows no map's meaning.  Not for users of the library; they see cgfs/bpf.h.
 */
#ifndef BPF_BASE_BASE_H
#define BPF_BASE_BASE_H

#include "cgfs/base/util.h"

#include <cgfs/abi/group.h>
#include <cgfs/policy.h>
#include <linux/bpf.h>

struct cgfs_bpf_opts;

/* -- pins.c: bpffs, the pin directory, names in it, its locks -------------------------------- */

struct pins {
	char *dir;
	int fd;	       /* the directory; locked around changes */
	int used_fd;   /* "links", locked as long as the handle lives: do not remove */
	int events_fd; /* "events", locked: one receiver */
	pid_t holder;  /* the process that took these locks, not a child that it forked since */
	bool read_only;
	bool lost;	   /* removed or renamed, and not yet recovered */
	bool detach_later; /* what is unpinned now need not be detached before the call is over */
	/* The directory was removed while it was open: makes it anew and locks it, or fails with
	 * -ESTALE. */
	int (*recover)(struct pins *p, struct cgfs_err *reterr);
};

int cgfs_bpf_pins_open(struct pins *p, struct cgfs_err *reterr);
/* Is it what its path leads to? */
bool cgfs_bpf_pins_there(const struct pins *p);
/* Makes those of its directories again that were removed; the caller holds the lock. */
int cgfs_bpf_pins_complete(struct pins *p, struct cgfs_err *reterr);
/* Removes the directory and all that is in it, and closes it. */
int cgfs_bpf_pins_remove(struct pins *p, struct cgfs_err *reterr);
void cgfs_bpf_pins_close(struct pins *p);
int cgfs_bpf_lock(struct pins *p, struct cgfs_err *reterr);
void cgfs_bpf_unlock(struct pins *p);
/* Shared: this process uses the directory.  The kernel releases it with the process and with what
 * that has forked. */
int cgfs_bpf_use(struct pins *p, struct cgfs_err *reterr);
/* -EBUSY when another process uses it; the caller holds the lock. */
int cgfs_bpf_use_alone(struct pins *p, struct cgfs_err *reterr);
/* Does no other process use it?  The caller holds the lock. */
bool cgfs_bpf_alone(struct pins *p);
/* This process receives the events; -EBUSY when another one does. */
int cgfs_bpf_receive(struct pins *p, struct cgfs_err *reterr);
/* -EROFS when opened for reading. */
int cgfs_bpf_writable(const struct pins *p, struct cgfs_err *reterr);
/* "PIN_DIR/NAME" in a static-size buffer. */
#define CGFS_BPF_PATH 768
const char *cgfs_bpf_path(const struct pins *p, const char *name, char buf[CGFS_BPF_PATH]);
bool cgfs_bpf_pinned(const struct pins *p, const char *name);
int cgfs_bpf_pin(struct pins *p, int fd, const char *name, struct cgfs_err *reterr);
int cgfs_bpf_unpin_name(struct pins *p, const char *name, struct cgfs_err *reterr);
/* The ABI number of what is pinned of an object; -EPROTO when it is not @abi. */
int cgfs_bpf_abi_check(struct pins *p, const char *object, uint32_t abi, struct cgfs_err *reterr);
int cgfs_bpf_abi_write(struct pins *p, const char *object, uint32_t abi, struct cgfs_err *reterr);
/* Calls @fn for each pinned link; @name is below the pin directory. */
int cgfs_bpf_links(struct pins *p, int (*fn)(void *arg, const char *name, uint64_t cgroup_id),
		   void *arg, struct cgfs_err *reterr);

/* -- object.c: one compiled file of eBPF programs and what is pinned of it -------------------- */

#define OBJECT_PINS 12

/* A map, program or link of an object.  One without a pin is open until the object is closed. */
struct object_pin {
	const char *pin;    /* name below the pin directory */
	const char *symbol; /* name in the compiled file; NULL for a link, which attach() makes */
	enum bpf_map_type map; /* 0: not a map */
	uint32_t key_size, value_size;
	bool optional; /* there is none where the kernel does not allow it */
};

struct object {
	const struct object_ops *ops;
	struct pins *pins;
	struct object *shared; /* the object of the groups, whose maps all others use */
	struct object *read;   /* one whose maps it uses as well where that is on; NULL: none */
	bool on;	       /* loaded or adopted; what follows is open */
	bool made;	       /* by this process, not adopted */
	bool asked;	       /* by the caller of cgfs_bpf_open() */
	char why[160];	       /* how it was loaded, or why not */
	int fd[OBJECT_PINS];   /* in the order of ops->pins */
};

/* A group that is added or changed. */
struct object_group {
	const struct cgfs_policy_group *group;
	const struct cgfs_device_rule *rules; /* NULL: none are given */
	size_t n_rules;
	bool made;		 /* the groups' object did not know it before */
	struct cgfs_group there; /* its element in cgfs_groups */
};

/*
 * What one object is and does; bpf/policy has the table of all.  A function that is NULL has
 * nothing to do for this object.  All but record(), pending(), probe() and close() are called with
 * the lock of the pins held, and in the order of the table; group_removed() and close() in the
 * reverse one.
 */
struct object_ops {
	const char *name;  /* "oom": in errors, and as bpf.oom in the capabilities */
	const char *needs; /* "use a kernel with ..." when it does not load */
	uint32_t abi;	   /* number of the types in its abi header */
	/* Without it nothing can be opened.  Any other object is used where the kernel allows it,
	 * and is replaced when what is pinned has another ABI number. */
	bool required;
	/* Did the caller ask for it?  Not looked at for one that is required; one without a request
	 * is used all the same when it is pinned. */
	bool (*wanted)(const struct cgfs_bpf_opts *opts);
	/* Name of an object before it whose maps it reads where that is on; made anew with it. */
	const char *reads;
	enum cgfs_event_type reports; /* by its ring buffer; 0: it has none */
	size_t size;		      /* of its own structure, which begins with struct object */
	const void *(*elf)(size_t *size);
	/* The last one with a name is pinned last: it says that all others are there. */
	struct object_pin pins[OBJECT_PINS];

	void (*open)(struct object *o); /* its structure is zero, and nothing is open */
	int (*load)(struct object *o, struct cgfs_err *reterr);	  /* NULL: cgfs_bpf_load() of all */
	int (*attach)(struct object *o, struct cgfs_err *reterr); /* what all groups share */
	/* Before the first change: learns what is pinned, and finds what killed processes left.
	 * 1: it had to, so what else they left is looked for, too. */
	int (*scan)(struct object *o, struct cgfs_err *reterr);
	/* A group was made, or is attached again after its pins or its process were lost: what is
	 * there stays.  Undone by group_removed() when another object refuses the group. */
	int (*group_added)(struct object *o, struct object_group *g, struct cgfs_err *reterr);
	int (*group_changed)(struct object *o, const struct object_group *g,
			     struct cgfs_err *reterr);
	int (*group_removed)(struct object *o, uint64_t cgroup_id, const struct cgfs_group *there,
			     struct cgfs_err *reterr);
	/* False when the group was never added completely, or its cgroup is gone. */
	bool (*group_alive)(struct object *o, uint64_t cgroup_id);
	int (*counters)(struct object *o, uint64_t cgroup_id, const struct cgfs_group *there,
			struct cgfs_policy_counters *counters);
	/* A record of its ring as an event; false when it is not one of the object's. */
	bool (*record)(struct object *o, const void *data, size_t len, struct cgfs_event *ret);
	/* An event that stands in no ring; NULL: is there one? */
	bool (*pending)(struct object *o, struct cgfs_event *ret);
	/* @scratch is a cgroup of ours, or a negative errno. */
	void (*probe)(struct object *o, int scratch, struct cgfs_capabilities *caps);
	void (*close)(struct object *o);
};

struct object *cgfs_bpf_object_new(const struct object_ops *ops, struct pins *pins,
				   struct object *shared);
/* Are the object's pins complete? */
bool cgfs_bpf_object_pinned(const struct object *o);
/* Opens what is pinned; -EPROTO when it is of another version. */
int cgfs_bpf_object_adopt(struct object *o, struct cgfs_err *reterr);
/* Loads, attaches and pins it; what is pinned under its names is replaced. */
int cgfs_bpf_object_make(struct object *o, struct cgfs_err *reterr);
/* The last pin goes first, so that a process that is killed leaves no complete object. */
int cgfs_bpf_object_unpin(struct object *o, struct cgfs_err *reterr);
/* Pins what is open and not pinned. */
int cgfs_bpf_object_pin(struct object *o, struct cgfs_err *reterr);
/* As before it was adopted or made; its pins stay. */
void cgfs_bpf_object_close(struct object *o);
void cgfs_bpf_object_free(struct object *o);
/* Elements of its map @map, an index of pins; 0, also when there is none to delete, or a negative
 * errno. */
int cgfs_bpf_object_put(const struct object *o, int map, const void *key, const void *value,
			uint64_t flags);
int cgfs_bpf_object_delete(const struct object *o, int map, const void *key);
/* The error of such a call: "WHAT NAME: ..."; @r. */
int cgfs_bpf_object_refuse(const struct object *o, int r, const char *what,
			   struct cgfs_err *reterr);
/* A finding of probe(): @r is 0 or a negative errno. */
void cgfs_bpf_found(struct cgfs_capabilities *caps, const char *name, int r, const char *detail,
		    const char *remedy);

/* -- load.c: libbpf --------------------------------------------------------------------------- */

/* Fills o->fd from ops->elf, on the maps of o->shared; @without: programs that are left out, ended
 * by NULL, or NULL. */
int cgfs_bpf_load(struct object *o, const char *const *without, struct cgfs_err *reterr);
/* Does this kernel permit fentry and fexit? */
bool cgfs_bpf_fexit_permitted(void);
/* libbpf would print to stderr; between these two it does not. */
void *cgfs_bpf_quiet(void);
void cgfs_bpf_loud(void *print);

/* -- tree.c: structures that begin with the number of a cgroup, found by it ------------------- */

void *cgfs_bpf_find(void *const *tree, uint64_t cgroup_id);
/* Made, all zeros but the number, when missing; NULL without memory. */
void *cgfs_bpf_get(void **tree, uint64_t cgroup_id, size_t size);
/* Takes it out of the tree. */
void *cgfs_bpf_take(void **tree, uint64_t cgroup_id);

#endif
