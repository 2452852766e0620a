/* SPDX-License-Identifier: MIT */
/*
 * direct.c - podctl without an agent: one context of libcgfs with the eBPF device policy, and
 * the lock that keeps two podctl's from making and removing the same root or pins at once.
 */
#include "agent/podctl/source/direct.h"

#if CGFS_WITH_BPF
#include <cgfs/bpf.h>
#endif
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>

#define LOCK_DIR	  "/run/cgfs"
#define CGROUP2_MOUNT	  "/run/cgfs/cgroup2"
#define FREEZE_TIMEOUT_MS 10000
#define PIN_DIR		  "/sys/fs/bpf/cgfs"

/* The lock is on the directory itself, which only its owner can open. */
static int lock_directory(struct direct *d, const char *path, struct cgfs_err *reterr)
{
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return cgfs_err_set(reterr, -errno, "mkdir", path, NULL, NULL);
	d->lock = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (d->lock < 0)
		return cgfs_err_set(reterr, -errno, "lock", path, NULL, NULL);
	while (flock(d->lock, LOCK_EX) < 0) {
		if (errno != EINTR)
			return cgfs_err_set(reterr, -errno, "lock", path, NULL, NULL);
	}
	return 0;
}

/* Where /run cannot be written there is nothing to lock: pins have a lock of their own, and a root
 * that goes meanwhile is made again by the library. */
int direct_lock(struct direct *d, struct cgfs_err *reterr)
{
	int r = lock_directory(d, LOCK_DIR, reterr);

	d->unlocked = false;
	return r == -EROFS ? 0 : r;
}

/* Without pins to care for: root's, or that of a user's session.  Who has neither goes without; a
 * root that goes meanwhile is made again by the library. */
static int lock_files(struct direct *d, struct cgfs_err *reterr)
{
	const char *session = getenv("XDG_RUNTIME_DIR");
	char own[4096];
	int r = direct_lock(d, reterr);

	if (r != -EACCES)
		return r;
	if (!session || *session != '/' ||
	    (size_t)snprintf(own, sizeof(own), "%s/cgfs", session) >= sizeof(own))
		return 0;
	r = lock_directory(d, own, reterr);
	/* A variable of another user's session, or of one that is over. */
	return r == -EACCES || r == -ENOENT ? 0 : r;
}

void direct_unlock(struct direct *d)
{
	int fd = take_fd(&d->lock);

	d->unlocked = true;
	if (fd >= 0)
		close(fd);
}

#if CGFS_WITH_BPF
static const char *pin_dir(const struct args *a)
{
	return a->pin_dir ? a->pin_dir : PIN_DIR;
}

int direct_tidy_pins(struct direct *d, struct cgfs_err *reterr)
{
	int r;

	if (!d->bpf || (d->probing && d->had_pins))
		return 0;
	r = cgfs_bpf_unpin(d->bpf, reterr);
	return r == -EBUSY ? 0 : r;
}

static int policy_open(const struct args *a, unsigned int use, struct direct *d,
		       struct cgfs_err *reterr)
{
	struct cgfs_bpf_opts opts = CGFS_BPF_OPTS_INIT;
	int r;

	opts.pin_dir = a->pin_dir;
	d->had_pins = access(pin_dir(a), F_OK) == 0;
	opts.events = use & SOURCE_EVENTS;
	opts.no_kills = use & DIRECT_NO_KILLS;
	opts.read_only = !(use & SOURCE_WRITE);

	/* Looking must not load and pin programs that are not there. */
	if (!(use & SOURCE_POLICY) && !d->had_pins)
		return 0;

	r = cgfs_bpf_open(&opts, &d->bpf, reterr);
	/* Another process takes the events of these pins. */
	if (r < 0 && opts.events && use & SOURCE_WRITE) {
		opts.events = false;
		r = cgfs_bpf_open(&opts, &d->bpf, reterr);
	}
	return r;
}
#else
int direct_tidy_pins(struct direct *d, struct cgfs_err *reterr)
{
	return 0;
}

static int policy_open(const struct args *a, unsigned int use, struct direct *d,
		       struct cgfs_err *reterr)
{
	if (!(use & SOURCE_POLICY) && !(use & SOURCE_EVENTS && a->pin_dir))
		return 0;
	return cgfs_err_set(reterr, -EOPNOTSUPP, "device policy", NULL, NULL,
			    "this podctl was built without eBPF");
}
#endif

static bool v1_devices(void)
{
	struct cgfs_mounts mounts = CGFS_MOUNTS_INIT;

	if (cgfs_discover(&mounts, NULL) < 0)
		return false;
	for (size_t i = 0; i < mounts.n; i++) {
		if (mounts.mount[i].version == CGFS_V1 &&
		    mounts.mount[i].controllers & 1u << CGFS_DEVICES)
			return true;
	}
	return false;
}

/* No agent owns the root, nor begins to, while this process changes it. */
static int take_root(struct direct *d, const char *root, struct cgfs_err *reterr)
{
	struct cgfs_mounts mounts = CGFS_MOUNTS_INIT;
	int r = cgfs_discover(&mounts, reterr);

	return r < 0 ? r : owner_take(&d->owner, &mounts, root, false, reterr);
}

/* The eBPF policy could not be had for the reason @why: v1's controller keeps the devices, or @why
 * is returned. */
static int without_policy(struct direct *d, const struct cgfs_err *why, struct cgfs_err *reterr)
{
	if (!v1_devices()) {
		if (reterr)
			*reterr = *why;
		return why->code;
	}
	out_note("warning: devices are kept by the v1 controller alone, and denials are not "
		 "reported: %s",
		 why->text);
#if CGFS_WITH_BPF
	if (d->bpf && !d->had_pins)
		ignore(direct_tidy_pins(d, NULL));
	cgfs_bpf_close(take_ptr(d->bpf));
#endif
	return 0;
}

/* The mount of a cgroup2 tree for the policy, where the host has none, is what may fail though the
 * rest can be used: a probe shows the rest, and others do without the policy. */
static int open_context(struct cgfs_open_opts *opts, struct direct *d, struct cgfs_err *reterr)
{
	struct cgfs_err err = { 0 };
	int r = cgfs_open(opts, &d->c, &err);

	/* What is missing above the mount point may be what cannot be made. */
	if (r == -ENOENT && opts->cgroup2_mount && mkdir(LOCK_DIR, 0700) < 0 && errno == EROFS)
		r = cgfs_err_set(&err, -EROFS, "mkdir", LOCK_DIR, NULL, NULL);
	if (r < 0 && opts->cgroup2_mount && (d->probing || r == -EROFS)) {
		opts->cgroup2_mount = NULL;
		if (!d->probing) {
			opts->policy = NULL;
			r = without_policy(d, &err, reterr);
			if (r < 0)
				return r;
		}
		return cgfs_open(opts, &d->c, reterr);
	}
	if (r < 0 && reterr)
		*reterr = err;
	return r;
}

int direct_open(const struct args *a, unsigned int use, struct cgfs_open_opts *opts,
		struct direct *ret, struct cgfs_err *reterr)
{
	struct direct d = DIRECT_INIT;
	struct cgfs_open_opts own = CGFS_OPEN_OPTS_INIT;
	bool writes = use & SOURCE_WRITE;
	struct cgfs_err err = { 0 };
	int r;

	d.probing = use & DIRECT_PROBE;
	own.root = a->root;
	opts = opts ? opts : &own;
	if (writes && !d.probing && !opts->top && !(use & DIRECT_BESIDE)) {
		r = take_root(&d, opts->root, reterr);
		if (r < 0)
			goto fail;
	}
	if (writes && !(use & DIRECT_BESIDE)) {
		r = use & (DIRECT_NO_POLICY | DIRECT_PROBE) ? lock_files(&d, &err)
							    : direct_lock(&d, &err);
		/* A probe says so, and goes on: its groups have a name of their own. */
		if (r < 0 && d.probing) {
			d.lock_error = err;
		} else if (r < 0) {
			if (reterr)
				*reterr = err;
			goto fail;
		}
	}

	r = use & DIRECT_NO_POLICY ? 0 : policy_open(a, use, &d, &d.policy_error);
	if (r < 0 && !writes && !(use & SOURCE_EVENTS)) {
		d.had_pins = false; /* what only they know is marked as not available */
	} else if (r < 0 && !d.probing) {
		if (writes)
			r = without_policy(&d, &d.policy_error, reterr);
		else if (reterr)
			*reterr = d.policy_error;
		if (r < 0)
			goto fail;
	}

#if CGFS_WITH_BPF
	if (d.bpf) {
		opts->policy = cgfs_bpf_policy(d.bpf);
		opts->cgroup2_mount = writes ? CGROUP2_MOUNT : NULL;
	}
#endif
	opts->read_only = !writes;
	r = open_context(opts, &d, reterr);
	if (r < 0)
		goto fail;
	*ret = d;
	return 0;
fail:
	/* Unused pins; the first error matters more than whether they could be removed. */
	if (writes && d.bpf && !d.had_pins)
		ignore(direct_tidy_pins(&d, NULL));
	direct_close(&d);
	return r;
}

void direct_close(struct direct *d)
{
	cgfs_close(d->c);
#if CGFS_WITH_BPF
	cgfs_bpf_close(d->bpf);
#endif
	d->c = NULL;
	d->bpf = NULL;
	owner_release(&d->owner);
	direct_unlock(d);
}

static bool keep(void *arg, const char *id)
{
	return true;
}

int direct_forget_gone(struct direct *d, struct cgfs_err *reterr)
{
	int r = cgfs_sweep(d->c, keep, NULL, 0, NULL, reterr);

	return r < 0 ? r : direct_tidy_pins(d, reterr);
}

int direct_tidy(struct direct *d, struct cgfs_err *reterr)
{
	int r;

	/* cgfs_probe() has removed what it made; an empty root that was there may stay. */
	r = d->probing ? 0 : cgfs_root_remove(d->c, reterr);
	/* EACCES: the root is what was delegated, and its parent is not.  EROFS: what was to be
	 * done before has failed for it. */
	if (r == -ENOTEMPTY || r == -EBUSY || r == -EACCES || r == -EROFS)
		return 0;
	return r < 0 ? r : direct_tidy_pins(d, reterr);
}

int direct_group(struct direct *d, const struct target *t, struct cgfs_group **ret_pod,
		 struct cgfs_group **ret_ctr, struct cgfs_err *reterr)
{
	struct cgfs_group *p = NULL, *c = NULL;
	int r;

	r = cgfs_pod_open(d->c, t->pod, &p, reterr);
	if (r == -ENOENT)
		return cgfs_err_set(reterr, r, NULL, NULL, NULL, "there is no pod \"%s\"", t->pod);
	if (r < 0)
		return r;
	if (*t->ctr) {
		r = cgfs_container_open(d->c, p, t->ctr, &c, reterr);
		if (r == -ENOENT)
			cgfs_err_set(reterr, r, NULL, NULL, NULL,
				     "there is no container \"%s\" in pod \"%s\"", t->ctr, t->pod);
		if (r < 0) {
			cgfs_group_close(p);
			return r;
		}
	}
	*ret_pod = p;
	*ret_ctr = c;
	return 0;
}

int direct_do(struct direct *d, const struct target *t, direct_fn fn, const void *arg,
	      struct cgfs_err *reterr)
{
	struct cgfs_group *pod, *ctr;
	int r = direct_group(d, t, &pod, &ctr, reterr);

	if (r < 0)
		return r;
	r = fn(ctr ? ctr : pod, arg, reterr);
	cgfs_group_close(ctr);
	cgfs_group_close(pod);
	return r;
}

int direct_do_set(struct cgfs_group *g, const void *res, struct cgfs_err *reterr)
{
	return cgfs_group_set(g, res, NULL, reterr);
}

int direct_do_freeze(struct cgfs_group *g, const void *on, struct cgfs_err *reterr)
{
	return *(const bool *)on ? cgfs_group_freeze(g, FREEZE_TIMEOUT_MS, reterr)
				 : cgfs_group_thaw(g, reterr);
}

int direct_do_add(struct cgfs_group *g, const void *pid, struct cgfs_err *reterr)
{
	return cgfs_group_add_pid(g, *(const pid_t *)pid, reterr);
}
