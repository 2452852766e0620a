/* SPDX-License-Identifier: MIT */
/*
 * main.c - finds the verb and gives it its arguments.  Knows no verb but by its table row.
 */
#include "agent/podctl/main/pause.h"
#include "agent/podctl/verb/verb.h"

#include <stdio.h>

static const struct verb *const verbs[] = {
	&verb_run,    &verb_exec,    &verb_attach, &verb_create, &verb_set,	&verb_ls,
	&verb_ps,     &verb_logs,    &verb_top,	   &verb_stat,	 &verb_inspect, &verb_metrics,
	&verb_events, &verb_explain, &verb_wait,   &verb_kill,	 &verb_freeze,	&verb_thaw,
	&verb_rm,     &verb_add,     &verb_resize, &verb_apply,	 &verb_doctor,	&verb_poweroff,
};

#define EXITS "0 success; 1 failure; 2 wrong usage, nothing was done"

static const struct verb *find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
		if (streq(verbs[i]->name, name))
			return verbs[i];
	}
	return NULL;
}

/* What other tools call a verb: the one that podctl has; NULL: none. */
static const char *known_as(const char *name)
{
	static const char *const words[][2] = {
		{ "pause", "freeze" }, { "unpause", "thaw" }, { "resume", "thaw" },
		{ "update", "set" },   { "stats", "top" },    { "stop", "kill" },
		{ "delete", "rm" },    { "list", "ls" },      { "info", "doctor" },
		{ "start", "run" },    { "help", "--help" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (streq(words[i][0], name))
			return words[i][1];
	}
	return NULL;
}

static int unknown(const char *name, struct cgfs_err *reterr)
{
	const char *own = known_as(name);

	return cgfs_err_set(reterr, -EINVAL, NULL, NULL, name, "unknown verb%s%s%s",
			    own ? "; podctl has `" : "", own ? own : "", own ? "` for it" : "");
}

static void usage(void)
{
	printf("usage: podctl [OPTIONS] VERB [OPTIONS] [OPERANDS]\n\n"
	       "Manages pods and containers on cgroup v1 and v2, with or without an "
	       "agent.\n\nVerbs:\n");
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		printf("  %-10s %s\n", verbs[i]->name, verbs[i]->summary);
	printf("\nGlobal options:\n");
	opt_help(opt_global);
	printf("\n`podctl VERB --help` prints the options of a verb.\n\nExit status: " EXITS ".\n");
}

static void usage_verb(const struct verb *v)
{
	printf("usage: podctl %s%s%s%s\n\n%s.\n\n%s\n\n", v->name, v->tables ? " [OPTIONS]" : "",
	       v->operands[0] ? " " : "", v->operands, v->summary, v->text);
	if (v->tables)
		printf("Options (`podctl --help` lists the global options):\n");
	for (const struct opt *const *table = v->tables; table && *table; table++)
		opt_help(*table);
	printf("%sExit status: %s.\n", v->tables ? "\n" : "", v->exits ? v->exits : EXITS);
}

static int check(const struct verb *v, struct args *a, struct cgfs_err *reterr)
{
	if (a->agent && (a->no_agent || a->root || a->pin_dir))
		return cgfs_err_set(reterr, -EINVAL, "--agent", NULL, a->agent,
				    "cannot be combined with --no-agent, --root or --pin-dir");
	if (a->root && a->root[0] != '/')
		return cgfs_err_set(reterr, -EINVAL, "--root", NULL, a->root,
				    "must be an absolute path such as /pods");
	if (v->here && args_elsewhere(a))
		return cgfs_err_set(reterr, -EINVAL, v->name, NULL, args_agent(a),
				    "is an agent of another machine, whose processes and files "
				    "podctl cannot reach");
	return v->check ? v->check(a, reterr) : 0;
}

static int with_source(const struct verb *v, struct args *a)
{
	struct cgfs_err err = { 0 };
	struct source *s = NULL;
	int r = source_begin(a, v->use, &s);

	if (r != EXIT_OK)
		return v->own_125 ? EXIT_RUN_FAILED : r;
	r = v->with(a, s, &err);
	if (r < 0 && err.code) {
		source_explain(&err);
		out_error(&err);
	}
	if (source_close(s, &err) < 0 && r == 0) {
		out_error(&err);
		r = -EIO;
	}
	return r >= 0 ? r : v->own_125 ? EXIT_RUN_FAILED : EXIT_FAILED;
}

static int dispatch(struct args *a, int argc, char **argv)
{
	struct cgfs_err err = { 0 };
	const struct verb *v = NULL;
	int used = 0, r = 0;

	do {
		argc -= used;
		argv += used;
		used = opt_take(NULL, a, argc, argv, &err);
	} while (used > 0);
	r = used;

	if (r == 0 && a->version) {
		printf("podctl %s\n", cgfs_version());
		return EXIT_OK;
	}
	if (r == 0 && argc == 0 && a->help) {
		usage();
		return EXIT_OK;
	}
	if (r == 0 && argc == 0)
		r = cgfs_err_set(&err, -EINVAL, NULL, NULL, NULL, "a verb is missing");
	if (r == 0) {
		v = find(argv[0]);
		if (!v)
			r = unknown(argv[0], &err);
	}
	if (r == 0) {
		a->verb = v->name;
		r = opt_parse(v, a, argc - 1, argv + 1, &err);
	}
	if (r == 0 && a->help) {
		usage_verb(v);
		return EXIT_OK;
	}
	if (r == 0 && a->version) {
		printf("podctl %s\n", cgfs_version());
		return EXIT_OK;
	}
	if (r == 0)
		r = check(v, a, &err);
	if (r == 0)
		r = limits_finish(&a->limits, &err);
	if (r < 0) {
		out_usage(a, &err);
		return v && v->own_125 ? EXIT_RUN_FAILED : EXIT_USAGE;
	}
	return v->with ? with_source(v, a) : v->run(a);
}

int main(int argc, char **argv)
{
	struct args a = {
		.limits.res = CGFS_RESOURCES_INIT,
		.count = CGFS_MAX,
		.timeout_ms = CGFS_MAX,
		.tail = CGFS_MAX,
		.frames = CGFS_MAX,
		.delay_ms = 1000,
		.since_ns = INT64_MIN,
		.answer_ms = 30000,
	};
	const char *base = argc > 0 ? strrchr(argv[0], '/') : NULL;
	int status;

	if (base && streq(base, "/cgfs-pause"))
		return pause_main();

	status = dispatch(&a, argc > 0 ? argc - 1 : 0, argc > 0 ? argv + 1 : argv);
	limits_free(&a.limits);
	process_args_free(&a.process);
	mounts_free(&a.mounts);
	labels_free(&a.labels);
	return out_finish(status);
}
