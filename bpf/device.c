/* SPDX-License-Identifier: MIT */
/*
 * device.c - the one owner of the object cgfs_dev: loads and pins it, or takes over what an
 * earlier process pinned.  The program is pinned last, so its pin says that all others are there.
 */
#include "loader.h"

#include "cgfs_dev.skel.h"
#include <bpf/bpf.h>
#include <fcntl.h>
#include <stdio.h>

#define PIN_PROGRAM "device"

/* The maps: pin, where its descriptor goes, and the shape that this version expects. */
struct pin {
	const char *name;
	size_t fd_offset;
	enum bpf_map_type type;
	uint32_t key_size, value_size;
};

#define FD(member) offsetof(struct cgfs_bpf, member)
static const struct pin maps[] = {
	{ "state", FD(state_fd), BPF_MAP_TYPE_ARRAY, 4, sizeof(struct cgfs_state) },
	{ "groups", FD(groups_fd), BPF_MAP_TYPE_HASH, sizeof(struct cgfs_group_key),
	  sizeof(struct cgfs_group) },
	{ "policy", FD(policy_fd), BPF_MAP_TYPE_CGROUP_STORAGE,
	  sizeof(struct bpf_cgroup_storage_key), sizeof(struct cgfs_policy_val) },
	{ "counts", FD(counts_fd), BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE,
	  sizeof(struct bpf_cgroup_storage_key), sizeof(struct cgfs_counts) },
	{ "rules", FD(rules_fd), BPF_MAP_TYPE_HASH, sizeof(struct cgfs_rule_key),
	  sizeof(struct cgfs_rule) },
	{ "events/denials", FD(denials_fd), BPF_MAP_TYPE_RINGBUF, 0, 0 },
	{ "events/kills", FD(kills_fd), BPF_MAP_TYPE_RINGBUF, 0, 0 },
};

static int *fd_of(struct cgfs_bpf *b, const struct pin *pin)
{
	return (int *)((char *)b + pin->fd_offset);
}

static int get(struct cgfs_bpf *b, const char *name, int *fd, struct cgfs_err *reterr)
{
	char path[CGFS_BPF_PATH];

	*fd = bpf_obj_get(cgfs_bpf_path(b, name, path));
	if (*fd >= 0)
		return 0;
	*fd = -EBADF;
	if (errno == EPERM || errno == EACCES)
		return cgfs_err_set(reterr, -EPERM, "open pinned", path, NULL,
				    "not permitted; needs CAP_BPF or CAP_SYS_ADMIN");
	if (errno == ENOSYS)
		return cgfs_err_set(reterr, -EOPNOTSUPP, "open pinned", path, NULL,
				    "this kernel has no bpf(2); needs CONFIG_BPF_SYSCALL and "
				    "CONFIG_CGROUP_BPF");
	return cgfs_err_set(reterr, -errno, "open pinned", path, NULL, NULL);
}

static int check_shape(struct cgfs_bpf *b, const struct pin *pin, struct cgfs_err *reterr)
{
	struct bpf_map_info info = { 0 };
	char path[CGFS_BPF_PATH];
	uint32_t len = sizeof(info);

	if (bpf_obj_get_info_by_fd(*fd_of(b, pin), &info, &len) < 0)
		return cgfs_err_set(reterr, -errno, "look at", cgfs_bpf_path(b, pin->name, path),
				    NULL, NULL);
	if (info.type != pin->type || info.key_size != pin->key_size ||
	    info.value_size != pin->value_size)
		return cgfs_err_set(reterr, -EPROTO, "take over", cgfs_bpf_path(b, pin->name, path),
				    NULL,
				    "elements of %u and %u bytes are pinned, this is version %d "
				    "with %u and %u",
				    info.key_size, info.value_size, CGFS_POLICY_ABI, pin->key_size,
				    pin->value_size);
	return 0;
}

static int check_abi(struct cgfs_bpf *b, struct cgfs_err *reterr)
{
	/* Room for a version with more members; the number stands first in all of them. */
	union {
		struct cgfs_state state;
		char room[4096];
	} u = { 0 };
	struct bpf_map_info info = { 0 };
	uint32_t zero = 0, len = sizeof(info);

	if (bpf_obj_get_info_by_fd(b->state_fd, &info, &len) < 0 || info.value_size > sizeof(u) ||
	    bpf_map_lookup_elem(b->state_fd, &zero, &u) < 0)
		return cgfs_err_set(reterr, -EPROTO, "take over", b->pin_dir, NULL,
				    "what is pinned there has no version number");
	if (u.state.abi != CGFS_POLICY_ABI)
		return cgfs_err_set(reterr, -EPROTO, "take over", b->pin_dir, NULL,
				    "version %u is pinned, this is version %d", u.state.abi,
				    CGFS_POLICY_ABI);
	return 0;
}

static int take_over(struct cgfs_bpf *b, struct cgfs_err *reterr)
{
	int r;

	r = get(b, maps[0].name, fd_of(b, &maps[0]), reterr);
	if (r == 0)
		r = check_abi(b, reterr);
	for (size_t i = 1; r == 0 && i < ARRAY_SIZE(maps); i++)
		r = get(b, maps[i].name, fd_of(b, &maps[i]), reterr);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(maps); i++)
		r = check_shape(b, &maps[i], reterr);
	if (r == 0)
		r = get(b, "control", &b->control_fd, reterr);
	return r;
}

static int pin(struct cgfs_bpf *b, int fd, const char *name, struct cgfs_err *reterr)
{
	char path[CGFS_BPF_PATH];
	int r;

	/* Left by a process that was killed half way: without a program, nothing uses it. */
	r = cgfs_bpf_unpin_name(b, name, reterr);
	if (r < 0)
		return r;
	if (bpf_obj_pin(fd, cgfs_bpf_path(b, name, path)) < 0)
		return cgfs_err_set(reterr, -errno, "pin", path, NULL, NULL);
	return 0;
}

static int keep(int fd, int *ret)
{
	*ret = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	return *ret < 0 ? -errno : 0;
}

static int pin_all(struct cgfs_bpf *b, struct cgfs_dev *obj, struct cgfs_err *reterr)
{
	struct bpf_map *const from[ARRAY_SIZE(maps)] = {
		obj->maps.cgfs_state,  obj->maps.cgfs_groups, obj->maps.cgfs_policy,
		obj->maps.cgfs_counts, obj->maps.cgfs_rules,  obj->maps.cgfs_denials,
		obj->maps.cgfs_kills,
	};
	struct cgfs_state state = { .abi = CGFS_POLICY_ABI };
	uint32_t zero = 0;
	int r;

	if (bpf_map_update_elem(bpf_map__fd(obj->maps.cgfs_state), &zero, &state, BPF_ANY) < 0)
		return cgfs_err_set(reterr, -errno, "write", "cgfs_state", NULL, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(maps); i++) {
		r = keep(bpf_map__fd(from[i]), fd_of(b, &maps[i]));
		if (r == 0)
			r = pin(b, *fd_of(b, &maps[i]), maps[i].name, reterr);
		if (r < 0)
			return r;
	}
	r = keep(bpf_program__fd(obj->progs.cgfs_control), &b->control_fd);
	if (r == 0)
		r = pin(b, b->control_fd, "control", reterr);
	if (r == 0)
		r = keep(bpf_program__fd(obj->progs.cgfs_dev), &b->device_fd);
	if (r == 0)
		r = pin(b, b->device_fd, PIN_PROGRAM, reterr);
	return r;
}

static int load(struct cgfs_bpf *b, struct cgfs_err *reterr)
{
	auto_free struct cgfs_bpf_load *l = NULL;
	LIBBPF_OPTS(bpf_object_open_opts, opts);
	struct cgfs_dev *obj;
	int r;

	l = calloc(1, sizeof(*l));
	if (!l)
		return cgfs_err_set(reterr, -ENOMEM, "load", "cgfs_dev", NULL, NULL);
	opts.kernel_log_buf = l->log;
	opts.kernel_log_size = sizeof(l->log);

	cgfs_bpf_quiet(l);
	obj = cgfs_dev__open_opts(&opts);
	r = obj ? cgfs_dev__load(obj) : -errno;
	cgfs_bpf_loud(l);
	if (r < 0)
		r = cgfs_bpf_load_error(l, r, "cgfs_dev", reterr);
	else
		r = pin_all(b, obj, reterr);
	cgfs_dev__destroy(obj);
	return r;
}

bool cgfs_bpf_device_pinned(struct cgfs_bpf *b)
{
	return faccessat(b->pin_fd, PIN_PROGRAM, F_OK, 0) == 0;
}

int cgfs_bpf_device_open(struct cgfs_bpf *b, struct cgfs_err *reterr)
{
	int r;

	r = get(b, PIN_PROGRAM, &b->device_fd, reterr);
	if (r == -ENOENT)
		return load(b, reterr);
	if (r < 0)
		return r;
	return take_over(b, reterr);
}

int cgfs_bpf_control(struct cgfs_bpf *b, struct cgfs_control_args *args)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = args, .ctx_size_in = sizeof(*args));
	int r;

	r = bpf_prog_test_run_opts(b->control_fd, &opts);
	return r < 0 ? r : (int)opts.retval;
}
