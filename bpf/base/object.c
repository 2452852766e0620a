/* SPDX-License-Identifier: MIT */
/*
 * object.c - the life of an object, the same for all of them: made and pinned, or adopted from what
 * an earlier process pinned.
 */
#include "bpf/base/base.h"

#include <bpf/bpf.h>
#include <stdio.h>
#include <time.h>

/* Milliseconds that an element waits for the kernel's stock of them. */
#define STOCK_WAITS 10

struct object *cgfs_bpf_object_new(const struct object_ops *ops, struct pins *pins,
				   struct object *shared)
{
	struct object *o = calloc(1, ops->size);

	if (!o)
		return NULL;
	o->ops = ops;
	o->pins = pins;
	o->shared = shared;
	for (size_t i = 0; i < OBJECT_PINS; i++)
		o->fd[i] = -EBADF;
	if (ops->open)
		ops->open(o);
	return o;
}

void cgfs_bpf_object_close(struct object *o)
{
	o->on = o->made = false;
	for (size_t i = 0; i < OBJECT_PINS; i++)
		if (o->fd[i] >= 0)
			close(take_fd(&o->fd[i]));
}

void cgfs_bpf_object_free(struct object *o)
{
	if (o)
		cgfs_bpf_object_close(o);
	free(o);
}

bool cgfs_bpf_object_pinned(const struct object *o)
{
	for (size_t i = OBJECT_PINS; i-- > 0;)
		if (o->ops->pins[i].pin)
			return cgfs_bpf_pinned(o->pins, o->ops->pins[i].pin);
	return false;
}

static int get(struct object *o, size_t i, struct cgfs_err *reterr)
{
	char path[CGFS_BPF_PATH];

	o->fd[i] = bpf_obj_get(cgfs_bpf_path(o->pins, o->ops->pins[i].pin, path));
	if (o->fd[i] >= 0)
		return 0;
	o->fd[i] = -EBADF;
	if (errno == EPERM || errno == EACCES)
		return cgfs_err_set(reterr, -EPERM, "open pinned", path, NULL,
				    "not permitted; needs CAP_BPF or CAP_SYS_ADMIN");
	if (errno == ENOSYS)
		return cgfs_err_set(reterr, -EOPNOTSUPP, "open pinned", path, NULL,
				    "this kernel has no bpf(2); needs CONFIG_BPF_SYSCALL and "
				    "CONFIG_CGROUP_BPF");
	return cgfs_err_set(reterr, -errno, "open pinned", path, NULL, NULL);
}

static int check_shape(struct object *o, size_t i, struct cgfs_err *reterr)
{
	const struct object_pin *pin = &o->ops->pins[i];
	struct bpf_map_info info = { 0 };
	char path[CGFS_BPF_PATH];
	uint32_t len = sizeof(info);

	cgfs_bpf_path(o->pins, pin->pin, path);
	if (bpf_obj_get_info_by_fd(o->fd[i], &info, &len) < 0)
		return cgfs_err_set(reterr, -errno, "look at", path, NULL, NULL);
	if (info.type != pin->map || info.key_size != pin->key_size ||
	    info.value_size != pin->value_size)
		return cgfs_err_set(reterr, -EPROTO, "take over", path, NULL,
				    "elements of %u and %u bytes are pinned, this is version %u "
				    "with %u and %u",
				    info.key_size, info.value_size, o->ops->abi, pin->key_size,
				    pin->value_size);
	return 0;
}

int cgfs_bpf_object_adopt(struct object *o, struct cgfs_err *reterr)
{
	int r = cgfs_bpf_abi_check(o->pins, o->ops->name, o->ops->abi, reterr);

	for (size_t i = 0; i < OBJECT_PINS && r == 0; i++)
		if (o->ops->pins[i].pin &&
		    !(o->ops->pins[i].optional && !cgfs_bpf_pinned(o->pins, o->ops->pins[i].pin)))
			r = get(o, i, reterr);
	for (size_t i = 0; i < OBJECT_PINS && r == 0; i++)
		if (o->ops->pins[i].map)
			r = check_shape(o, i, reterr);
	o->on = r == 0;
	if (r < 0)
		cgfs_bpf_object_close(o);
	else
		snprintf(o->why, sizeof(o->why), "pinned below %.120s", o->pins->dir);
	return r;
}

int cgfs_bpf_object_pin(struct object *o, struct cgfs_err *reterr)
{
	int r = cgfs_bpf_abi_write(o->pins, o->ops->name, o->ops->abi, reterr);

	for (size_t i = 0; i < OBJECT_PINS && r == 0; i++)
		if (o->ops->pins[i].pin && (o->fd[i] >= 0 || !o->ops->pins[i].optional) &&
		    !cgfs_bpf_pinned(o->pins, o->ops->pins[i].pin))
			r = cgfs_bpf_pin(o->pins, o->fd[i], o->ops->pins[i].pin, reterr);
	return r;
}

int cgfs_bpf_object_unpin(struct object *o, struct cgfs_err *reterr)
{
	int r = 0;

	for (size_t i = OBJECT_PINS; i-- > 0 && r == 0;)
		if (o->ops->pins[i].pin)
			r = cgfs_bpf_unpin_name(o->pins, o->ops->pins[i].pin, reterr);
	return r;
}

int cgfs_bpf_object_make(struct object *o, struct cgfs_err *reterr)
{
	/* Left by a process that was killed half way, and attached to maps that no process has. */
	int r = cgfs_bpf_object_unpin(o, reterr);

	if (r < 0)
		return r;
	r = o->ops->load ? o->ops->load(o, reterr) : cgfs_bpf_load(o, NULL, reterr);
	if (r == 0 && o->ops->attach)
		r = o->ops->attach(o, reterr);
	if (r == 0)
		r = cgfs_bpf_object_pin(o, reterr);
	o->on = o->made = r == 0;
	if (r < 0)
		cgfs_bpf_object_close(o);
	return r;
}

/* The kernel takes elements from a stock for each processor, which it fills up in the background:
 * when many groups are made in a row, it is empty for a moment. */
int cgfs_bpf_object_put(const struct object *o, int map, const void *key, const void *value,
			uint64_t flags)
{
	const struct timespec moment = { .tv_nsec = 1000000 };

	for (int i = 0;; i++) {
		if (bpf_map_update_elem(o->fd[map], key, value, flags) == 0)
			return 0;
		if (errno != ENOMEM || i == STOCK_WAITS)
			return -errno;
		nanosleep(&moment, NULL);
	}
}

int cgfs_bpf_object_delete(const struct object *o, int map, const void *key)
{
	return bpf_map_delete_elem(o->fd[map], key) < 0 && errno != ENOENT ? -errno : 0;
}

int cgfs_bpf_object_refuse(const struct object *o, int r, const char *what, struct cgfs_err *reterr)
{
	return err_why(reterr, r, what, o->ops->name,
		       r == -E2BIG ? "all its elements are in use" : NULL);
}

void cgfs_bpf_found(struct cgfs_capabilities *caps, const char *name, int r, const char *detail,
		    const char *remedy)
{
	cgfs_capability_add(caps, name, r >= 0, r >= 0 ? detail : strerror(-r),
			    r >= 0 ? "" : remedy);
}
