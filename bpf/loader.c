/* SPDX-License-Identifier: MIT */
/*
 * loader.c - the public face of libcgfs-bpf: one handle for the programs, maps and pins of a
 * pin directory.  Owns the order in which the parts are opened and closed; knows none of them.
 */
#include "loader.h"

#include <stdio.h>

#define PIN_DIR_DEFAULT "/sys/fs/bpf/cgfs"
#define PIN_DIR_MAX	400

static bool reports_oom(void *ctx)
{
	struct cgfs_bpf *b = ctx;

	return b->oom && b->epoll_fd >= 0;
}

static const struct cgfs_policy_ops ops = {
	.add = cgfs_bpf_add,
	.set_rules = cgfs_bpf_set_rules,
	.remove = cgfs_bpf_remove,
	.sweep = cgfs_bpf_sweep,
	.counters = cgfs_bpf_counters,
	.event_fd = cgfs_bpf_event_fd,
	.event_read = cgfs_bpf_event_read,
	.reports_oom = reports_oom,
	.probe = cgfs_bpf_probe,
	.get_rules = cgfs_bpf_get_rules,
};

static int check_opts(const struct cgfs_bpf_opts *opts, struct cgfs_err *reterr)
{
	const unsigned char *tail = (const unsigned char *)opts;

	if (!opts)
		return 0;
	for (size_t i = sizeof(*opts); i < opts->sz; i++)
		if (tail[i])
			return cgfs_err_set(reterr, -E2BIG, "open device policy", NULL, NULL,
					    "the options are of a newer version");
	if (opts->sz < sizeof(*opts))
		return cgfs_err_set(reterr, -EINVAL, "open device policy", NULL, NULL,
				    "sz is not set");
	if (opts->events && opts->no_kills)
		return cgfs_err_set(reterr, -EINVAL, "open device policy", NULL, NULL,
				    "events without kills");
	if (opts->pin_dir && (opts->pin_dir[0] != '/' || strlen(opts->pin_dir) > PIN_DIR_MAX))
		return cgfs_err_set(
			reterr, -EINVAL, "open device policy", NULL, opts->pin_dir,
			"the pin directory must be an absolute path of at most %d bytes",
			PIN_DIR_MAX);
	return 0;
}

static struct cgfs_bpf *handle_new(const char *pin_dir)
{
	struct cgfs_bpf *b = calloc(1, sizeof(*b));
	size_t len;

	if (!b)
		return NULL;
	b->policy = (struct cgfs_policy){ .ops = &ops, .ctx = b };
	b->garbage_end = &b->garbage;
	b->pin_fd = b->device_fd = b->control_fd = -EBADF;
	b->policy_fd = b->counts_fd = b->groups_fd = b->rules_fd = b->state_fd = -EBADF;
	b->denials_fd = b->kills_fd = -EBADF;
	b->events_fd = b->epoll_fd = b->timer_fd = -EBADF;
	b->pin_dir = strdup(pin_dir);
	if (!b->pin_dir) {
		free(b);
		return NULL;
	}
	len = strlen(b->pin_dir);
	while (len > 1 && b->pin_dir[len - 1] == '/')
		b->pin_dir[--len] = '\0';
	return b;
}

static int open_pins(struct cgfs_bpf *b, bool kills, struct cgfs_err *reterr)
{
	bool fresh;
	int r;

	r = cgfs_bpf_pins_open(b, reterr);
	if (r < 0)
		return r;
	r = cgfs_bpf_lock(b, reterr);
	if (r < 0)
		return r;
	fresh = !cgfs_bpf_device_pinned(b);
	r = cgfs_bpf_device_open(b, reterr);
	if (r == 0)
		cgfs_bpf_oom_open(b, kills, fresh);
	else if (!cgfs_bpf_device_pinned(b))
		(void)!cgfs_bpf_pins_remove(b, NULL); /* directories for nothing */
	cgfs_bpf_unlock(b);
	return r;
}

int cgfs_bpf_open(const struct cgfs_bpf_opts *opts, struct cgfs_bpf **ret, struct cgfs_err *reterr)
{
	const char *pin_dir = opts && opts->pin_dir ? opts->pin_dir : PIN_DIR_DEFAULT;
	struct cgfs_bpf *b;
	int r;

	r = check_opts(opts, reterr);
	if (r < 0)
		return r;
	for (int tries = 0;; tries++) {
		b = handle_new(pin_dir);
		if (!b)
			return cgfs_err_set(reterr, -ENOMEM, "open device policy", pin_dir, NULL,
					    NULL);
		r = open_pins(b, !opts || !opts->no_kills, reterr);
		/* Somebody may be removing the directory while we open it. */
		if ((r != -ESTALE && r != -ENOENT) || tries == 3)
			break;
		cgfs_bpf_close(b);
	}
	if (r == 0 && opts && opts->events)
		r = cgfs_bpf_events_open(b, reterr);
	if (r < 0) {
		cgfs_bpf_close(b);
		return cgfs_err_context(reterr, r, "open device policy");
	}
	*ret = b;
	return 0;
}

const struct cgfs_policy *cgfs_bpf_policy(struct cgfs_bpf *bpf)
{
	return &bpf->policy;
}

/* What is left of old lists goes, unless the pins are gone already. */
static void sweep(struct cgfs_bpf *b)
{
	if (!b->garbage || b->pin_fd < 0 || cgfs_bpf_lock(b, NULL) < 0)
		return;
	cgfs_bpf_rules_sweep(b, true);
	cgfs_bpf_unlock(b);
}

static void garbage_free(struct cgfs_bpf *b)
{
	struct cgfs_bpf_garbage *g;

	while ((g = b->garbage)) {
		b->garbage = g->next;
		free(g);
	}
}

void cgfs_bpf_close(struct cgfs_bpf *bpf)
{
	if (!bpf)
		return;

	int *const fds[] = {
		&bpf->pin_fd,	  &bpf->device_fd, &bpf->control_fd, &bpf->policy_fd,
		&bpf->counts_fd,  &bpf->groups_fd, &bpf->rules_fd,   &bpf->state_fd,
		&bpf->denials_fd, &bpf->kills_fd,
	};

	sweep(bpf);
	garbage_free(bpf);
	cgfs_bpf_events_close(bpf);
	cgfs_bpf_known_free_all(bpf);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		cgfs_cleanup_fd(fds[i]);
	free(bpf->pin_dir);
	free(bpf);
}

int cgfs_bpf_unpin(struct cgfs_bpf *bpf, struct cgfs_err *reterr)
{
	int r;

	r = cgfs_bpf_lock(bpf, reterr);
	if (r < 0)
		return r;
	r = cgfs_bpf_groups_left(bpf, reterr);
	if (r == 1)
		r = cgfs_err_set(reterr, -EBUSY, "unpin", bpf->pin_dir, NULL, "groups are left");
	if (r == 0)
		r = cgfs_bpf_pins_remove(bpf, reterr);
	cgfs_bpf_unlock(bpf);
	return r;
}
