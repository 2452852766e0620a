/* SPDX-License-Identifier: MIT */
/*
 * direct.c - podctl without an agent: one context of libcgfs with the eBPF device policy, and
 * the lock that keeps two podctl's from making and removing the same root or pins at once.
 */
#include "podctl.h"

#if CGFS_WITH_BPF
#include <cgfs/bpf.h>
#endif
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>

#define LOCK_DIR      "/run/cgfs"
#define CGROUP2_MOUNT "/run/cgfs/cgroup2"
#define PIN_DIR	      "/sys/fs/bpf/cgfs"

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

int direct_lock(struct direct *d, struct cgfs_err *reterr)
{
	return lock_directory(d, LOCK_DIR, reterr);
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

	if (fd >= 0)
		close(fd);
}

#if CGFS_WITH_BPF
static const char *pin_dir(const struct args *a)
{
	return a->pin_dir ? a->pin_dir : PIN_DIR;
}

static int policy_tidy(struct direct *d, struct cgfs_err *reterr)
{
	int r;

	if (!d->bpf || (d->probing && d->had_pins))
		return 0;
	r = cgfs_bpf_unpin(d->bpf, reterr);
	return r == -EBUSY ? 0 : r;
}

static int policy_open(const struct args *a, enum direct_mode mode, struct direct *d,
		       struct cgfs_err *reterr)
{
	struct cgfs_bpf_opts opts = CGFS_BPF_OPTS_INIT;
	int r;

	opts.pin_dir = a->pin_dir;
	d->had_pins = access(pin_dir(a), F_OK) == 0;
	opts.events = mode == DIRECT_RUN || mode == DIRECT_EVENTS;
	opts.no_kills = mode == DIRECT_APPLY;

	/* Looking must not load and pin programs that are not there. */
	if ((mode == DIRECT_READ || mode == DIRECT_EVENTS || mode == DIRECT_REMOVE) && !d->had_pins)
		return 0;

	r = cgfs_bpf_open(&opts, &d->bpf, reterr);
	if (r < 0 && mode == DIRECT_RUN) {
		opts.events = false;
		r = cgfs_bpf_open(&opts, &d->bpf, reterr);
	}
	d->events = r == 0 && opts.events;
	return r;
}
#else
static int policy_tidy(struct direct *d, struct cgfs_err *reterr)
{
	(void)d;
	(void)reterr;
	return 0;
}

static int policy_open(const struct args *a, enum direct_mode mode, struct direct *d,
		       struct cgfs_err *reterr)
{
	(void)d;
	if (mode == DIRECT_READ || mode == DIRECT_REMOVE || (mode == DIRECT_EVENTS && !a->pin_dir))
		return 0;
	return cgfs_err_set(reterr, -EOPNOTSUPP, "device policy", NULL, NULL,
			    "this podctl was built without eBPF");
}
#endif

static bool v1_devices(void)
{
	struct cgfs_mounts mounts;

	if (cgfs_discover(&mounts, NULL) < 0)
		return false;
	for (size_t i = 0; i < mounts.n; i++) {
		if (mounts.mount[i].version == CGFS_V1 &&
		    mounts.mount[i].controllers & 1u << CGFS_DEVICES)
			return true;
	}
	return false;
}

int direct_open_opts(const struct args *a, enum direct_mode mode, struct cgfs_open_opts *opts,
		     struct direct *ret, struct cgfs_err *reterr)
{
	struct direct d = { .lock = -EBADF, .probing = mode == DIRECT_PROBE };
	bool writes = mode != DIRECT_READ && mode != DIRECT_EVENTS;
	int r;

	if (writes) {
		r = mode == DIRECT_FILES ? lock_files(&d, reterr) : direct_lock(&d, reterr);
		if (r < 0)
			goto fail;
	}

	r = mode == DIRECT_FILES ? 0 : policy_open(a, mode, &d, &d.policy_error);
	if (r < 0 && mode != DIRECT_READ && mode != DIRECT_PROBE) {
		if (!writes || !v1_devices()) {
			if (reterr)
				*reterr = d.policy_error;
			goto fail;
		}
		out_note("warning: devices are kept by the v1 controller alone, and denials are "
			 "not reported: %s",
			 d.policy_error.text);
	}

#if CGFS_WITH_BPF
	if (d.bpf) {
		opts->policy = cgfs_bpf_policy(d.bpf);
		opts->cgroup2_mount = writes ? CGROUP2_MOUNT : NULL;
	}
#endif
	r = cgfs_open(opts, &d.c, reterr);
	if (r < 0)
		goto fail;
	*ret = d;
	return 0;
fail:
	/* Pins that are there for nothing; an error tells more than what became of them. */
	if (writes && d.bpf && !d.had_pins)
		(void)!direct_tidy_pins(a, &d, NULL);
	direct_close(&d);
	return r;
}

int direct_open(const struct args *a, enum direct_mode mode, struct direct *ret,
		struct cgfs_err *reterr)
{
	struct cgfs_open_opts opts = CGFS_OPEN_OPTS_INIT;

	opts.root = a->root;
	return direct_open_opts(a, mode, &opts, ret, reterr);
}

void direct_close(struct direct *d)
{
	cgfs_close(d->c);
#if CGFS_WITH_BPF
	cgfs_bpf_close(d->bpf);
#endif
	d->c = NULL;
	d->bpf = NULL;
	direct_unlock(d);
}

/* An agent's root and pins stay, also while it has no pod. */
static bool agents_place(const struct args *a)
{
	struct args ask = { .agent = a->agent };

	return !a->root && !a->pin_dir && args_agent(&ask);
}

int direct_tidy_pins(const struct args *a, struct direct *d, struct cgfs_err *reterr)
{
	return agents_place(a) ? 0 : policy_tidy(d, reterr);
}

static bool keep(void *arg, const char *id)
{
	(void)arg;
	(void)id;
	return true;
}

int direct_forget_gone(const struct args *a, struct direct *d, struct cgfs_err *reterr)
{
	int r = cgfs_sweep(d->c, keep, NULL, 0, NULL, reterr);

	return r < 0 ? r : direct_tidy_pins(a, d, reterr);
}

int direct_tidy(const struct args *a, struct direct *d, struct cgfs_err *reterr)
{
	int r;

	if (agents_place(a))
		return 0;

	/* cgfs_probe() has removed what it made; an empty root that was there may stay. */
	r = d->probing ? 0 : cgfs_root_remove(d->c, reterr);
	/* EACCES: the root is what was delegated, and its parent is not. */
	if (r == -ENOTEMPTY || r == -EBUSY || r == -EACCES)
		return 0;
	return r < 0 ? r : policy_tidy(d, reterr);
}

int direct_group(struct direct *d, const char *pod, const char *ctr, struct cgfs_group **ret_pod,
		 struct cgfs_group **ret_ctr, struct cgfs_err *reterr)
{
	struct cgfs_group *p = NULL, *c = NULL;
	int r;

	r = cgfs_pod_open(d->c, pod, &p, reterr);
	if (r == -ENOENT)
		return cgfs_err_set(reterr, r, NULL, NULL, NULL, "there is no pod \"%s\"", pod);
	if (r < 0)
		return r;
	if (*ctr) {
		r = cgfs_container_open(d->c, p, ctr, &c, reterr);
		if (r == -ENOENT)
			cgfs_err_set(reterr, r, NULL, NULL, NULL,
				     "there is no container \"%s\" in pod \"%s\"", ctr, pod);
		if (r < 0) {
			cgfs_group_close(p);
			return r;
		}
	}
	*ret_pod = p;
	*ret_ctr = c;
	return 0;
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int add_id(void *arg, const char *id)
{
	struct ids *ids = arg;
	char **grown = reallocarray(ids->id, ids->n + 1, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	ids->id = grown;
	ids->id[ids->n] = strdup(id);
	if (!ids->id[ids->n])
		return -ENOMEM;
	ids->n++;
	return 0;
}

void ids_free(struct ids *ids)
{
	for (size_t i = 0; i < ids->n; i++)
		free(ids->id[i]);
	free(ids->id);
	*ids = (struct ids){ 0 };
}

int direct_list(struct direct *d, struct cgfs_group *pod, struct ids *ret, struct cgfs_err *reterr)
{
	struct ids ids = { 0 };
	int r;

	r = pod ? cgfs_container_list(pod, add_id, &ids, reterr)
		: cgfs_pod_list(d->c, add_id, &ids, reterr);
	if (r < 0) {
		ids_free(&ids);
		return r == -ENOMEM ? doc_no_memory(reterr) : r;
	}
	if (ids.n)
		qsort(ids.id, ids.n, sizeof(*ids.id), compare);
	*ret = ids;
	return 0;
}

int direct_describe(struct cgfs_group *g, unsigned int what, json_t **ret, struct cgfs_err *reterr)
{
	auto_free pid_t *pids = NULL;
	json_t *list, *stats = NULL, *doc;
	size_t n;
	int r;

	r = cgfs_group_pids(g, &pids, &n, reterr);
	if (r == 0)
		r = doc_group(g, what, &stats, reterr);
	if (r < 0)
		return r;

	list = json_array();
	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, json_integer(pids[i]));
	doc = json_pack("{s:s, s:s, s:I, s:s, s:o, s:o}", "id", cgfs_group_id(g), "path",
			cgfs_group_path(g), "cgroup_id", (json_int_t)cgfs_group_cgroup_id(g),
			"state", doc_state(stats, n ? "running" : "empty"), "processes", list,
			"stats", stats);
	if (!doc)
		return doc_no_memory(reterr);
	*ret = doc;
	return 0;
}

int target_parse(const char *op, const char *text, char *ret_pod, char *ret_ctr,
		 struct cgfs_err *reterr)
{
	const char *slash = strchr(text, '/');
	size_t len = slash ? (size_t)(slash - text) : strlen(text);
	struct cgfs_err why = { 0 };
	int r;

	if (len > CGFS_ID_MAX || (slash && strlen(slash + 1) > CGFS_ID_MAX))
		return cgfs_err_set(reterr, -ENAMETOOLONG, NULL, NULL, NULL,
				    "%s \"%.64s...\": an id has at most %d bytes", op, text,
				    CGFS_ID_MAX);
	memcpy(ret_pod, text, len);
	ret_pod[len] = '\0';
	strcpy(ret_ctr, slash ? slash + 1 : "");

	r = cgfs_id_check(ret_pod, &why);
	if (r == 0 && slash)
		r = cgfs_id_check(ret_ctr, &why);
	if (r < 0) {
		if (reterr)
			*reterr = why;
		return cgfs_err_context(reterr, r, "%s \"%s\"", op, text);
	}
	return 0;
}
