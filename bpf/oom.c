/* SPDX-License-Identifier: MIT */
/*
 * oom.c - the one owner of the object cgfs_oom: loads it onto the maps of the device policy and
 * attaches it, where the kernel allows it.  Kill attribution is optional, so nothing here fails;
 * b->oom_why says how it went.
 */
#include "loader.h"

#include "cgfs_oom.skel.h"
#include <bpf/bpf.h>
#include <stdio.h>
#include <sys/utsname.h>

#define PIN_LINK "oom"

static int share_maps(struct cgfs_bpf *b, struct cgfs_oom *obj)
{
	int r;

	r = bpf_map__reuse_fd(obj->maps.cgfs_groups, b->groups_fd);
	if (r == 0)
		r = bpf_map__reuse_fd(obj->maps.cgfs_state, b->state_fd);
	if (r == 0)
		r = bpf_map__reuse_fd(obj->maps.cgfs_kills, b->kills_fd);
	return r;
}

/* @tracepoint: where it hands over the victim's task; else a function of the OOM killer. */
static int try_load(struct cgfs_bpf *b, struct cgfs_bpf_load *l, bool tracepoint)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts);
	struct bpf_program *prog;
	struct cgfs_oom *obj;
	char path[CGFS_BPF_PATH];
	int link, r;

	opts.kernel_log_buf = l->log;
	opts.kernel_log_size = sizeof(l->log);
	obj = cgfs_oom__open_opts(&opts);
	if (!obj)
		return -errno;
	prog = tracepoint ? obj->progs.cgfs_oom_tp : obj->progs.cgfs_oom_fn;
	bpf_program__set_autoload(tracepoint ? obj->progs.cgfs_oom_fn : obj->progs.cgfs_oom_tp,
				  false);
	r = share_maps(b, obj);
	if (r == 0)
		r = cgfs_oom__load(obj);
	if (r == 0) {
		link = bpf_link_create(bpf_program__fd(prog), 0,
				       tracepoint ? BPF_TRACE_RAW_TP : BPF_TRACE_FENTRY, NULL);
		r = link < 0 ? -errno : 0;
		if (r == 0 && bpf_obj_pin(link, cgfs_bpf_path(b, PIN_LINK, path)) < 0)
			r = -errno;
		cgfs_cleanup_fd(&link);
	}
	cgfs_oom__destroy(obj);
	return r;
}

/* The way that will do is tried first, for each reads all of the kernel's BTF: since 6.10 the
 * tracepoint has the task.  A kernel that was patched otherwise costs a second try. */
static bool tracepoint_first(void)
{
	unsigned int major, minor;
	struct utsname u;

	return uname(&u) < 0 || sscanf(u.release, "%u.%u", &major, &minor) != 2 || major > 6 ||
	       (major == 6 && minor >= 10);
}

static void load(struct cgfs_bpf *b)
{
	auto_free struct cgfs_bpf_load *l = calloc(1, sizeof(*l));
	bool tracepoint = tracepoint_first();
	int r;

	if (!l) {
		snprintf(b->oom_why, sizeof(b->oom_why), "out of memory");
		return;
	}
	cgfs_bpf_quiet(l);
	r = try_load(b, l, tracepoint);
	if (r < 0) {
		l->log[0] = '\0';
		tracepoint = !tracepoint;
		r = try_load(b, l, tracepoint);
	}
	if (r == 0)
		snprintf(b->oom_why, sizeof(b->oom_why), "%s",
			 tracepoint ? "tp_btf/mark_victim" : "fentry/mark_oom_victim");
	else
		snprintf(b->oom_why, sizeof(b->oom_why), "%s%s%.100s", strerror(-r),
			 l->log[0] ? ": " : "", cgfs_bpf_log_end(l));
	cgfs_bpf_loud(l);
	b->oom = r == 0;
}

void cgfs_bpf_oom_open(struct cgfs_bpf *b, bool load_it, bool fresh)
{
	/* Left by a process that was killed half way: it tells maps that nobody has. */
	if (fresh)
		(void)!cgfs_bpf_unpin_name(b, PIN_LINK, NULL);
	if (faccessat(b->pin_fd, PIN_LINK, F_OK, 0) == 0) {
		b->oom = true;
		snprintf(b->oom_why, sizeof(b->oom_why), "pinned as %.100s/%s", b->pin_dir,
			 PIN_LINK);
		return;
	}
	if (load_it)
		load(b);
	else
		snprintf(b->oom_why, sizeof(b->oom_why), "not asked for");
}
