/* SPDX-License-Identifier: MIT */
/*
 * load.c - what both loaders need of libbpf: silence, and the verifier's words for an error.
 * Knows neither of the two objects.
 */
#include "loader.h"

#include <bpf/libbpf.h>
#include <stdio.h>

static int print_nothing(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	(void)level;
	(void)fmt;
	(void)ap;
	return 0;
}

void cgfs_bpf_quiet(struct cgfs_bpf_load *load)
{
	load->log[0] = '\0';
	load->print = (void *)libbpf_set_print(print_nothing);
}

void cgfs_bpf_loud(struct cgfs_bpf_load *load)
{
	libbpf_set_print((libbpf_print_fn_t)load->print);
}

/* The reason stands at the end, above lines of statistics. */
const char *cgfs_bpf_log_end(struct cgfs_bpf_load *load)
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

int cgfs_bpf_load_error(struct cgfs_bpf_load *load, int r, const char *what,
			struct cgfs_err *reterr)
{
	const char *log = cgfs_bpf_log_end(load);

	if (r == -EPERM && !log[0])
		return cgfs_err_set(reterr, -EPERM, "load", what, NULL,
				    "not permitted; needs CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN and "
				    "CAP_SYS_ADMIN, and a kernel that is not locked down");
	if (log[0])
		return cgfs_err_set(reterr, -EOPNOTSUPP, "load", what, NULL,
				    "this kernel refuses the program: %s (%s)", log, strerror(-r));
	if (r == -ENOMEM)
		return cgfs_err_set(reterr, r, "load", what, NULL, NULL);
	return cgfs_err_set(reterr, -EOPNOTSUPP, "load", what, NULL,
			    "this kernel refuses it (%s); needs CONFIG_CGROUP_BPF and Linux 5.14",
			    strerror(-r));
}
