/* SPDX-License-Identifier: MIT */
/*
 * options.c - one table says what is parsed, what it is for and what --help prints.
 *
 * The first part are the reference's flags, so that an image can swap the binary.
 */
#include "options.h"

#include <stddef.h>
#include <stdlib.h>

#include "../cgfs/internal.h"

enum kind {
	FLAG,
	TEXT,
	NUMBER,
};

struct row {
	const char *name;
	enum kind kind;
	size_t offset;
	bool ignored;
	const char *help;
};

#define AT(member) offsetof(struct options, member)

static const struct row rows[] = {
	{ "v4", FLAG, AT(v4), false,
	  "serve protocol version 4; without it every request is answered \"not supported\"" },
	{ "use-inouterr", FLAG, AT(use_inouterr), false, "serve the bridge on stdin and stdout" },
	{ "loglevel", TEXT, AT(log_level), false,
	  "debug, info, warning, error, fatal or panic (default: info)" },
	{ "log-format", TEXT, AT(log_format), false, "text or json (default: text)" },
	{ "logfile", TEXT, AT(log_file), false, "append the log here (default: stderr)" },
	{ "kmsgLogLevel", NUMBER, AT(kmsg_log_level), true, "kernel messages are not forwarded" },
	{ "root-mem-reserve-bytes", NUMBER, AT(root_mem_reserve_bytes), false,
	  "memory that all pods together leave to the machine (default: 75 MiB)" },
	{ "gcs-mem-limit-bytes", NUMBER, AT(gcs_mem_limit_bytes), true,
	  "the agent's own memory is not watched yet" },
	{ "core-dump-location", TEXT, AT(core_dump_location), true,
	  "the kernel's core pattern is left alone" },
	{ "disable-time-sync", FLAG, AT(disable_time_sync), true, "there is no time sync" },
	{ "scrub-logs", FLAG, AT(scrub_logs), true, "messages are never logged" },
	{ "initial-policy-stance", TEXT, AT(initial_policy_stance), false,
	  "\"allow\" alone: there is no security policy" },
	{ "listen", TEXT, AT(listen), false, "unix:PATH; serve the bridge on this socket (0600)" },
	{ "root", TEXT, AT(root), false, "where pods live in each hierarchy (default: /pods)" },
	{ "state-dir", TEXT, AT(state_dir), false,
	  "containers' files and the runtime's state (default: /run/cgfs)" },
	{ "runtime", TEXT, AT(runtime), false, "OCI runtime (default: crun, else runc)" },
	{ "pin-dir", TEXT, AT(pin_dir), false,
	  "where eBPF maps and links are pinned (default: /sys/fs/bpf/cgfs)" },
	{ "no-bpf", FLAG, AT(no_bpf), false,
	  "no eBPF: device rules on v1 only, no events of denials" },
	{ "delete-on-exit", FLAG, AT(delete_on_exit), false,
	  "SIGTERM deletes all pods of this agent; by default they keep running" },
	{ "help", FLAG, AT(help), false, "this text" },
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
	*(const char **)to = value;
	return 0;
}

static int check(const struct options *o, char why[OPTIONS_WHY_MAX])
{
	enum log_level level;

	if (o->listen && (strncmp(o->listen, "unix:", 5) != 0 || !o->listen[5]))
		snprintf(why, OPTIONS_WHY_MAX, "--listen \"%.80s\" is not unix:PATH", o->listen);
	else if (log_level_parse(o->log_level, &level) < 0)
		snprintf(why, OPTIONS_WHY_MAX, "-loglevel \"%.80s\" is not a level", o->log_level);
	else if (!streq(o->log_format, "text") && !streq(o->log_format, "json"))
		snprintf(why, OPTIONS_WHY_MAX, "-log-format \"%.80s\" is not text or json",
			 o->log_format);
	else if (!streq(o->initial_policy_stance, "allow"))
		snprintf(why, OPTIONS_WHY_MAX,
			 "-initial-policy-stance \"%.80s\": there is no policy that could deny",
			 o->initial_policy_stance);
	else if (!o->use_inouterr && !o->listen && !o->help && !o->version)
		snprintf(why, OPTIONS_WHY_MAX,
			 "nothing to serve: give -use-inouterr or --listen unix:PATH");
	else
		return 0;
	return -EINVAL;
}

int options_parse(struct options *o, int argc, char **argv, char why[OPTIONS_WHY_MAX])
{
	*o = (struct options){ .log_level = "info",
			       .log_format = "text",
			       .kmsg_log_level = 4,
			       .root_mem_reserve_bytes = 75u << 20,
			       .gcs_mem_limit_bytes = 50u << 20,
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
			snprintf(why, OPTIONS_WHY_MAX, "unknown option \"%.100s\"", argv[i]);
			return -EINVAL;
		}
		if (row->kind != FLAG && !value)
			value = i + 1 < argc ? argv[++i] : NULL;
		if ((row->kind != FLAG && (!value || !*value)) || set(o, row, value) < 0) {
			snprintf(why, OPTIONS_WHY_MAX, "option -%s: \"%.80s\" is not a value of it",
				 row->name, value ? value : "");
			return -EINVAL;
		}
		if (row->ignored)
			o->ignored |= 1u << (row - rows);
	}
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
	static const char *const args[] = { "", " VALUE", " N" };

	fputs("usage: cgfs-agent -v4 {-use-inouterr | --listen unix:PATH} [OPTIONS]\n\n"
	      "Serves the guest compute service bridge: pods and containers by an OCI runtime,\n"
	      "with all cgroups by libcgfs.  One or two dashes, -x=v or -x v.\n\n",
	      out);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char left[48];

		snprintf(left, sizeof(left), "-%s%s", rows[i].name, args[rows[i].kind]);
		fprintf(out, "  %-29s %s%s\n", left, rows[i].ignored ? "accepted, no effect: " : "",
			rows[i].help);
	}
	fputs("\nExit status: 0 after SIGTERM, SIGINT or the end of stdin; 1 failure; 2 wrong "
	      "usage.\n",
	      out);
}
