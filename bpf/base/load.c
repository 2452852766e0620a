/* SPDX-License-Identifier: MIT */
/*
 * load.c - an object's programs and maps into the kernel by libbpf, with nothing on stderr and the
 * verifier's reason in the error.
 */
#include "bpf/base/base.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdio.h>

struct load {
	char log[16384]; /* the verifier's text */
};

static int print_nothing(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	return 0;
}

void *cgfs_bpf_quiet(void)
{
	return (void *)libbpf_set_print(print_nothing);
}

void cgfs_bpf_loud(void *print)
{
	libbpf_set_print((libbpf_print_fn_t)print);
}

/* The reason stands at the end, above lines of statistics. */
static const char *log_end(struct load *load)
{
	char *end;

	load->log[sizeof(load->log) - 1] = '\0';
	for (;;) {
		char *line;

		end = load->log + strlen(load->log);
		while (end > load->log && (end[-1] == '\n' || end[-1] == ' '))
			*--end = '\0';
		line = memrchr(load->log, '\n', (size_t)(end - load->log));
		line = line ? line + 1 : load->log;
		if (strncmp(line, "processed ", 10) != 0 &&
		    strncmp(line, "verification time ", 18) != 0 &&
		    strncmp(line, "stack depth ", 12) != 0)
			return line;
		if (line == load->log)
			return "";
		*line = '\0';
	}
}

static int load_error(struct load *load, int r, const struct object *o, struct cgfs_err *reterr)
{
	const char *log = log_end(load);

	if (r == -EPERM && !log[0])
		return cgfs_err_set(reterr, -EPERM, "load", o->ops->name, NULL,
				    "not permitted; needs CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN and "
				    "CAP_SYS_ADMIN, and a kernel that is not locked down");
	if (log[0])
		return cgfs_err_set(reterr, -EOPNOTSUPP, "load", o->ops->name, NULL,
				    "this kernel refuses the program: %s (%s)", log, strerror(-r));
	if (r == -ENOMEM)
		return cgfs_err_set(reterr, r, "load", o->ops->name, NULL, NULL);
	return cgfs_err_set(reterr, -EOPNOTSUPP, "load", o->ops->name, NULL,
			    "this kernel refuses it (%s); needs %s", strerror(-r), o->ops->needs);
}

/* The maps that it has in common with @from are that object's. */
static int share_maps(const struct object *from, struct bpf_object *obj)
{
	int r = 0;

	for (size_t i = 0; i < OBJECT_PINS && from && from->on && r == 0; i++) {
		const struct object_pin *pin = &from->ops->pins[i];
		struct bpf_map *map =
			pin->map ? bpf_object__find_map_by_name(obj, pin->symbol) : NULL;

		if (map)
			r = bpf_map__reuse_fd(map, from->fd[i]);
	}
	return r;
}

/* Of a program that was left out there is no descriptor. */
static int keep(struct object *o, const struct bpf_object *obj)
{
	for (size_t i = 0; i < OBJECT_PINS; i++) {
		const struct object_pin *pin = &o->ops->pins[i];
		int fd;

		if (!pin->symbol)
			continue;
		fd = pin->map ? bpf_object__find_map_fd_by_name(obj, pin->symbol)
			      : bpf_program__fd(bpf_object__find_program_by_name(obj, pin->symbol));
		if (fd < 0 && !pin->pin)
			continue;
		o->fd[i] = fcntl(fd, F_DUPFD_CLOEXEC, 3);
		if (o->fd[i] < 0)
			return -errno;
	}
	return 0;
}

int cgfs_bpf_load(struct object *o, const char *const *without, struct cgfs_err *reterr)
{
	auto_free struct load *l = calloc(1, sizeof(*l));
	LIBBPF_OPTS(bpf_object_open_opts, opts);
	struct bpf_object *obj;
	const void *elf;
	void *print;
	size_t size;
	int r;

	if (!l)
		return cgfs_err_set(reterr, -ENOMEM, "load", o->ops->name, NULL, NULL);
	opts.object_name = o->ops->name;
	opts.kernel_log_buf = l->log;
	opts.kernel_log_size = sizeof(l->log);
	elf = o->ops->elf(&size);
	print = cgfs_bpf_quiet();
	obj = bpf_object__open_mem(elf, size, &opts);
	r = obj ? share_maps(o->shared, obj) : -errno;
	if (r == 0)
		r = share_maps(o->read, obj);
	for (; r == 0 && without && *without; without++)
		r = bpf_program__set_autoload(bpf_object__find_program_by_name(obj, *without),
					      false);
	if (r == 0)
		r = bpf_object__load(obj);
	if (r == 0)
		r = keep(o, obj);
	cgfs_bpf_loud(print);
	bpf_object__close(obj);
	return r < 0 ? load_error(l, r, o, reterr) : 0;
}

/* Where fexit is not permitted, the kernel refuses before libbpf reads all of its BTF: there is no
 * other reason for EPERM when the function is not even one. */
bool cgfs_bpf_fexit_permitted(void)
{
	const struct bpf_insn insns[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = BPF_TRACE_FEXIT,
		    .attach_btf_id = 1);
	int fd = bpf_prog_load(BPF_PROG_TYPE_TRACING, "cgfs_probe", "GPL", insns, ARRAY_SIZE(insns),
			       &opts);

	if (fd < 0)
		return errno != EPERM;
	close(fd);
	return true;
}
