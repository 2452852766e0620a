/* SPDX-License-Identifier: MIT */
/*
 * probe.c - what this kernel lets eBPF do, found by doing it with programs of two instructions,
 * on a scratch cgroup where one is needed.  A refusal is a finding with a remedy, not a failure.
 */
#include "bpf/policy/policy.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <mntent.h>
#include <stdio.h>
#include <sys/stat.h>

#define LSM_FILE "/sys/kernel/security/lsm"

#define REMEDY_BTF "use a kernel with CONFIG_DEBUG_INFO_BTF"

/* Loads `return @value;`: a descriptor, or -errno. */
static int load_tiny(enum bpf_prog_type type, int value, struct bpf_prog_load_opts *opts)
{
	const struct bpf_insn insns[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = value },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	int fd = bpf_prog_load(type, "cgfs_probe", "GPL", insns, ARRAY_SIZE(insns), opts);

	return fd < 0 ? -errno : fd;
}

/* Attaches for a moment; @target is a cgroup, or 0. */
static int link_tiny(int fd, int target, enum bpf_attach_type attach,
		     const struct bpf_link_create_opts *opts)
{
	int link;

	if (fd < 0)
		return fd;
	link = bpf_link_create(fd, target, attach, opts);
	if (link < 0)
		return -errno;
	close(link);
	return 0;
}

/* A cgroup of our own in the first cgroup2 mount there is. */
struct scratch {
	char path[512];
	int fd;
	int error;
};

static void scratch_open(struct scratch *s)
{
	struct mntent *m;
	FILE *f;

	*s = (struct scratch){ .fd = -EBADF, .error = -ENODEV };
	f = setmntent("/proc/self/mounts", "re");
	if (!f) {
		s->error = -errno;
		return;
	}
	while ((m = getmntent(f)))
		if (streq(m->mnt_type, "cgroup2"))
			break;
	if (m && (size_t)snprintf(s->path, sizeof(s->path), "%s/cgfs-probe-%d", m->mnt_dir,
				  (int)getpid()) < sizeof(s->path)) {
		s->error = mkdir(s->path, 0755) < 0 ? -errno : 0;
		if (s->error == 0)
			s->fd = open(s->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (s->error == 0 && s->fd < 0)
			s->error = -errno;
	}
	endmntent(f);
}

static void scratch_close(struct scratch *s)
{
	if (s->fd >= 0)
		close(s->fd);
	if (s->error == 0)
		rmdir(s->path);
}

static void probe_ring(struct cgfs_capabilities *caps)
{
	int fd = bpf_map_create(BPF_MAP_TYPE_RINGBUF, "cgfs_probe", 0, 0, 4096, NULL);

	cgfs_bpf_found(caps, "bpf.ringbuf", fd < 0 ? -errno : 0, "made", "use Linux 5.8 or newer");
	cgfs_cleanup_fd(&fd);
}

/* Is "bpf" among the active security modules?  1, 0, or -errno when that cannot be read. */
static int lsm_active(void)
{
	char list[512] = ",";
	ssize_t n;
	int fd = open(LSM_FILE, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	n = read(fd, list + 1, sizeof(list) - 3);
	close(fd);
	if (n < 0)
		return -EIO;
	list[strcspn(list, "\n")] = '\0';
	strcat(list, ",");
	return strstr(list, ",bpf,") != NULL;
}

static void probe_lsm(struct cgfs_capabilities *caps, const struct btf *btf, struct scratch *s)
{
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = BPF_LSM_CGROUP);
	int id = btf__find_by_name_kind(btf, "bpf_lsm_mmap_file", BTF_KIND_FUNC);
	int active = lsm_active();
	int r, fd;

	if (id < 0) {
		cgfs_bpf_found(caps, "bpf.lsm_cgroup", -EOPNOTSUPP, "",
			       "use a kernel with CONFIG_BPF_LSM");
		return;
	}
	if (active == 0) {
		cgfs_capability_add(caps, "bpf.lsm_cgroup", false, "bpf is not in " LSM_FILE,
				    "add bpf to lsm= on the kernel's command line");
		return;
	}
	opts.attach_btf_id = id;
	fd = load_tiny(BPF_PROG_TYPE_LSM, 1, &opts);
	r = fd < 0 || s->error < 0 ? fd : link_tiny(fd, s->fd, BPF_LSM_CGROUP, NULL);
	cgfs_cleanup_fd(&fd);
	cgfs_bpf_found(
		caps, "bpf.lsm_cgroup", r,
		active < 0 ? "loads; without securityfs it is unknown whether it runs"
			   : "loads and attaches",
		"use Linux 6.0 or newer, not locked down, with CONFIG_BPF_LSM and trampolines");
}

static void probe_tracing(struct cgfs_capabilities *caps, const struct btf *btf, const char *name,
			  enum bpf_attach_type attach, const char *function, const char *remedy)
{
	union bpf_iter_link_info info = { .cgroup.order = BPF_CGROUP_ITER_SELF_ONLY };
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = attach);
	LIBBPF_OPTS(bpf_link_create_opts, link);
	int id = btf__find_by_name_kind(btf, function, BTF_KIND_FUNC);
	int fd, r;

	if (id < 0) {
		cgfs_capability_add(caps, name, false, "the kernel's BTF has no such function",
				    remedy);
		return;
	}
	if (attach == BPF_TRACE_ITER) {
		link.iter_info = &info;
		link.iter_info_len = sizeof(info);
	}
	opts.attach_btf_id = id;
	fd = load_tiny(BPF_PROG_TYPE_TRACING, 0, &opts);
	r = link_tiny(fd, 0, attach, &link);
	cgfs_cleanup_fd(&fd);
	cgfs_bpf_found(caps, name, r, function, remedy);
}

static void probe_btf(struct cgfs_capabilities *caps, struct scratch *s)
{
	void *print = cgfs_bpf_quiet();
	int r;
	struct btf *btf = btf__load_vmlinux_btf();

	r = btf ? 0 : -errno;
	cgfs_bpf_loud(print);
	cgfs_bpf_found(caps, "bpf.btf", r, "/sys/kernel/btf/vmlinux", REMEDY_BTF);
	if (!btf) {
		cgfs_bpf_found(caps, "bpf.lsm_cgroup", r, "", REMEDY_BTF);
		cgfs_bpf_found(caps, "bpf.fexit", r, "", REMEDY_BTF);
		cgfs_bpf_found(caps, "bpf.iter_cgroup", r, "", REMEDY_BTF);
		return;
	}
	probe_lsm(caps, btf, s);
	probe_tracing(caps, btf, "bpf.fexit", BPF_TRACE_FEXIT, "try_charge_memcg",
		      "use a kernel with CONFIG_FUNCTION_TRACER and direct calls, not locked down");
	probe_tracing(caps, btf, "bpf.iter_cgroup", BPF_TRACE_ITER, "bpf_iter_cgroup",
		      "use Linux 6.1 or newer");
	btf__free(btf);
}

/* What can be known of the rest without a program that is loaded, or a cgroup that is made. */
static void read_only(struct cgfs_capabilities *caps)
{
	static const char *const tried[] = { "bpf.ringbuf", "bpf.lsm_cgroup", "bpf.fexit",
					     "bpf.iter_cgroup" };

	cgfs_bpf_found(caps, "bpf.btf", access("/sys/kernel/btf/vmlinux", R_OK) < 0 ? -errno : 0,
		       "/sys/kernel/btf/vmlinux", REMEDY_BTF);
	for (size_t i = 0; i < ARRAY_SIZE(tried); i++)
		cgfs_capability_add(caps, tried[i], false, CGFS_NOT_TRIED, "");
}

int cgfs_bpf_probe(void *ctx, struct cgfs_capabilities *caps, struct cgfs_err *reterr)
{
	struct cgfs_bpf *b = ctx;
	struct scratch s;

	cgfs_bpf_found(caps, "bpf.fs", 0, b->pins.dir, "");
	if (b->pins.read_only)
		s = (struct scratch){ .fd = -EBADF, .error = -EROFS };
	else
		scratch_open(&s);
	for (size_t i = 0; i < b->n; i++)
		if (b->object[i]->ops->probe)
			b->object[i]->ops->probe(b->object[i], s.error < 0 ? s.error : s.fd, caps);
	if (b->pins.read_only) {
		read_only(caps);
		return 0;
	}
	probe_ring(caps);
	probe_btf(caps, &s);
	scratch_close(&s);
	return 0;
}
