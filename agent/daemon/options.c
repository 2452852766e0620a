/* SPDX-License-Identifier: MIT */
/*
 * options.c - the options of the agent: one table for the parser and for --help.
 *
 * The first part are the reference's flags, so that an image can swap the binary.
 */
#include "agent/daemon/options.h"

#include <stdlib.h>

#include "agent/base/log.h"
#include "agent/daemon/init.h"
#include "agent/wire/address.h"
#include "cgfs/base/util.h"

enum kind {
	FLAG,
	TEXT,
	NUMBER,
	LIST, /* may be given several times */
};

struct row {
	const char *name;
	enum kind kind;
	size_t offset;
	bool ignored;
	const char *help;
};

/* What holds where a host is called: of kernel messages warnings, and the bytes that the
 * reference allows itself. */
#define OWN_MEMORY (50u << 20)
#define KMSG_LEVEL 4

/* The kernel cuts a longer one without an error. */
#define CORE_PATTERN_MAX 127

#define AT(member) offsetof(struct options, member)
/* The next line of a help text: below the first, which begins at column 31. */
#define MORE	   "\n                               "

static const struct row rows[] = {
	{ "v4", FLAG, AT(v4), false,
	  "serve protocol version 4; without this option every request is" MORE
	  "answered \"not supported\"" },
	{ "use-inouterr", FLAG, AT(use_inouterr), false, "serve the bridge on stdin and stdout" },
	{ "loglevel", TEXT, AT(log_level), false,
	  "log at this level: debug, info, warning, error, fatal or panic" MORE "(default: info)" },
	{ "log-format", TEXT, AT(log_format), false,
	  "write the log as text or json (default: text)" },
	{ "logfile", TEXT, AT(log_file), false, "append the log here (default: stderr)" },
	{ "kmsgLogLevel", NUMBER, AT(kmsg_log_level), false,
	  "log kernel messages of level N (0 to 7) and below (default: 4" MORE
	  "where a host is called, else none)" },
	{ "root-mem-reserve-bytes", NUMBER, AT(root_mem_reserve_bytes), false,
	  "reserve this much memory for the machine; limit all pods" MORE
	  "together to the rest (default: 75 MiB)" },
	{ "gcs-mem-limit-bytes", NUMBER, AT(gcs_mem_limit_bytes), false,
	  "run in a cgroup gcs beside the pods root, and log when that" MORE
	  "uses more memory (default: 50 MiB where a host is called, else" MORE
	  "0: no such cgroup)" },
	{ "core-dump-location", TEXT, AT(core_dump_location), false,
	  "make this the kernel's core pattern" MORE "(/proc/sys/kernel/core_pattern)" },
	{ "disable-time-sync", FLAG, AT(disable_time_sync), false,
	  "do not run chronyd on the clock of Hyper-V (without this option" MORE
	  "it runs where a host is called)" },
	{ "scrub-logs", FLAG, AT(scrub_logs), true, "the agent never logs messages" },
	{ "initial-policy-stance", TEXT, AT(initial_policy_stance), false,
	  "must be \"allow\": the agent has no security policy" },
	{ "dial", TEXT, AT(dial), false,
	  "connect to the host at vsock:CID:PORT or unix:PATH, and again" MORE
	  "after each disconnection (default, without -use-inouterr and" MORE
	  "--listen: " ADDRESS_BRIDGE ")" },
	{ "listen", LIST, AT(listen), false,
	  "serve the bridge at unix:PATH (mode 0600) or vsock:[CID:]PORT" MORE
	  "(only peers with this CID, default 2); may be repeated" },
	{ "local-socket", TEXT, AT(local_socket), false,
	  "serve podctl at this path (default: the socket of --listen," MORE
	  "else /run/cgfs/agent.sock; with another root" MORE "/run/cgfs/roots/NAME.sock)" },
	{ "no-local-socket", FLAG, AT(no_local_socket), false,
	  "do not serve podctl on a socket of its own" },
	{ "root", TEXT, AT(root), false,
	  "create pods below this path in each hierarchy (default: /pods)" },
	{ "state-dir", TEXT, AT(state_dir), false,
	  "keep containers' files and the runtime's state here" MORE "(default: /run/cgfs)" },
	{ "runtime", TEXT, AT(runtime), false, "use this OCI runtime (default: crun, else runc)" },
	{ "pin-dir", TEXT, AT(pin_dir), false,
	  "pin eBPF maps and links here (default: /sys/fs/bpf/cgfs)" },
	{ "no-bpf", FLAG, AT(no_bpf), false,
	  "load no eBPF: device rules hold on v1 only, and denials are" MORE "not reported" },
	{ "memory-accounting", FLAG, AT(memory_accounting), false,
	  "count memory by eBPF at each charge (see docs/memory.md)" },
	{ "cgroups", TEXT, AT(cgroups), false,
	  "as process 1: mount cgroups as v1, hybrid, mixed or v2" MORE
	  "(default: what is mounted, else v2)" },
	{ "delete-on-exit", FLAG, AT(delete_on_exit), false,
	  "delete all pods of this agent on SIGTERM (default: they keep" MORE "running)" },
	{ "power-off", FLAG, AT(power_off), false,
	  "power off the machine when a client shuts the utility VM down," MORE
	  "also when the agent is not process 1" },
	{ "help", FLAG, AT(help), false, "print this help" },
	{ "version", FLAG, AT(version), false, "print the version" },
};

static const struct row *find(const char *name, size_t len)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (strlen(rows[i].name) == len && strncmp(rows[i].name, name, len) == 0)
			return &rows[i];
	}
	return NULL;
}

static int set_flag(bool *to, const char *value)
{
	/* As Go's strconv.ParseBool. */
	static const char *const yes[] = { "1", "t", "T", "true", "TRUE", "True" };
	static const char *const no[] = { "0", "f", "F", "false", "FALSE", "False" };

	if (!value) {
		*to = true;
		return 0;
	}
	for (size_t i = 0; i < ARRAY_SIZE(yes); i++) {
		if (streq(value, yes[i]) || streq(value, no[i])) {
			*to = streq(value, yes[i]);
			return 0;
		}
	}
	return -EINVAL;
}

static int set_number(uint64_t *to, const char *value)
{
	char *end;

	errno = 0;
	*to = strtoull(value, &end, 0);
	return *value < '0' || *value > '9' || *end || errno ? -EINVAL : 0;
}

static int set(struct options *o, const struct row *row, const char *value)
{
	void *to = (char *)o + row->offset;

	if (row->kind == FLAG)
		return set_flag(to, value);
	if (row->kind == NUMBER)
		return set_number(to, value);
	if (row->kind == LIST) {
		if (o->n_listen == OPTIONS_LISTEN_MAX)
			return -E2BIG;
		o->listen[o->n_listen++] = value;
		return 0;
	}
	*(const char **)to = value;
	return 0;
}

static int check(const struct options *o, char why[OPTIONS_WHY_MAX])
{
	struct address at;
	enum log_level level;

	for (size_t i = 0; i < o->n_listen; i++) {
		if (address_parse(o->listen[i], &at) == 0)
			continue;
		snprintf(why, OPTIONS_WHY_MAX,
			 "--listen \"%.70s\" is neither unix:PATH nor vsock:[CID:]PORT",
			 o->listen[i]);
		return -EINVAL;
	}
	if (o->dial && address_parse(o->dial, &at) < 0)
		snprintf(why, OPTIONS_WHY_MAX,
			 "--dial \"%.70s\" is neither unix:PATH nor vsock:CID:PORT", o->dial);
	else if (o->local_socket && o->no_local_socket)
		snprintf(why, OPTIONS_WHY_MAX,
			 "-local-socket \"%.80s\" and -no-local-socket exclude each other",
			 o->local_socket);
	else if (o->local_socket && o->local_socket[0] != '/')
		snprintf(why, OPTIONS_WHY_MAX, "-local-socket \"%.80s\" is not an absolute path",
			 o->local_socket);
	else if (o->root[0] != '/')
		snprintf(why, OPTIONS_WHY_MAX,
			 "-root \"%.80s\" is not an absolute path such as /pods", o->root);
	else if (o->cgroups && !init_knows_layout(o->cgroups))
		snprintf(why, OPTIONS_WHY_MAX, "-cgroups \"%.80s\" is not v1, hybrid, mixed or v2",
			 o->cgroups);
	else if (log_level_parse(o->log_level, &level) < 0)
		snprintf(why, OPTIONS_WHY_MAX,
			 "-loglevel \"%.80s\" is not debug, info, warning, error, fatal or panic",
			 o->log_level);
	else if (!streq(o->log_format, "text") && !streq(o->log_format, "json"))
		snprintf(why, OPTIONS_WHY_MAX, "-log-format \"%.80s\" is not text or json",
			 o->log_format);
	else if (!streq(o->initial_policy_stance, "allow"))
		snprintf(why, OPTIONS_WHY_MAX,
			 "-initial-policy-stance \"%.80s\": only \"allow\" is supported",
			 o->initial_policy_stance);
	else if (o->core_dump_location && strlen(o->core_dump_location) > CORE_PATTERN_MAX)
		snprintf(why, OPTIONS_WHY_MAX,
			 "-core-dump-location \"%.60s...\" is longer than the %d bytes that the "
			 "kernel takes",
			 o->core_dump_location, CORE_PATTERN_MAX);
	else
		return 0;
	return -EINVAL;
}

static void refuse_value(const struct row *row, const char *value, char why[OPTIONS_WHY_MAX])
{
	static const char *const valid[] = { "true or false", "text", "a whole number",
					     "one of at most 8 addresses" };

	if (!value || !*value)
		snprintf(why, OPTIONS_WHY_MAX, "option -%s needs a value", row->name);
	else
		snprintf(why, OPTIONS_WHY_MAX, "option -%s: \"%.80s\" is not %s", row->name, value,
			 valid[row->kind]);
}

int options_parse(struct options *o, int argc, char **argv, char why[OPTIONS_WHY_MAX])
{
	*o = (struct options){ .log_level = "info",
			       .log_format = "text",
			       .kmsg_log_level = OPTIONS_UNSAID,
			       .root_mem_reserve_bytes = 75u << 20,
			       .gcs_mem_limit_bytes = OPTIONS_UNSAID,
			       .scrub_logs = true,
			       .initial_policy_stance = "allow",
			       .root = "/pods",
			       .state_dir = "/run/cgfs" };

	for (int i = 1; i < argc; i++) {
		const char *name =
			argv[i] + (argv[i][0] == '-') + (argv[i][0] == '-' && argv[i][1] == '-');
		size_t len = strcspn(name, "=");
		const char *value = name[len] ? name + len + 1 : NULL;
		const struct row *row = argv[i][0] == '-' ? find(name, len) : NULL;

		if (!row) {
			snprintf(why, OPTIONS_WHY_MAX,
				 argv[i][0] == '-' ? "unknown option \"%.100s\""
						   : "unexpected operand \"%.100s\"",
				 argv[i]);
			return -EINVAL;
		}
		if (row->kind != FLAG && !value)
			value = i + 1 < argc ? argv[++i] : NULL;
		if ((row->kind != FLAG && (!value || !*value)) || set(o, row, value) < 0) {
			refuse_value(row, value, why);
			return -EINVAL;
		}
		if (row->ignored)
			o->ignored |= 1u << (row - rows);
	}
	if (!o->use_inouterr && o->n_listen == 0 && !o->dial)
		o->dial = ADDRESS_BRIDGE;
	if (o->dial && o->kmsg_log_level == OPTIONS_UNSAID)
		o->kmsg_log_level = KMSG_LEVEL;
	if (o->gcs_mem_limit_bytes == OPTIONS_UNSAID)
		o->gcs_mem_limit_bytes = o->dial ? OWN_MEMORY : 0;
	return check(o, why);
}

void options_ignored(const struct options *o, void (*fn)(void *ctx, const char *name), void *ctx)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (o->ignored & 1u << i)
			fn(ctx, rows[i].name);
	}
}

void options_help(FILE *out)
{
	static const char *const args[] = { "", " VALUE", " N", " ADDRESS" };

	fputs("usage: cgfs-agent -v4 [-use-inouterr] [--listen ADDRESS]... [--dial ADDRESS] "
	      "[OPTIONS]\n\n"
	      "Serves the bridge protocol of the guest compute service (GCS).  An OCI runtime "
	      "runs\n"
	      "the containers; the agent manages all cgroups through libcgfs.  An option has one "
	      "or\n"
	      "two dashes, and its value follows after = or as the next argument.\n\n",
	      out);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char left[48];

		snprintf(left, sizeof(left), "-%s%s", rows[i].name, args[rows[i].kind]);
		fprintf(out, "  %-28s %s%s\n", left, rows[i].ignored ? "no effect: " : "",
			rows[i].help);
	}
	fputs("\nExit status: 0 after SIGTERM, SIGINT or the end of stdin; 1 failure; 2 wrong "
	      "usage.\n",
	      out);
}
