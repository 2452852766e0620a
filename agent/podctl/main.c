/* SPDX-License-Identifier: MIT */
/*
 * main.c - finds the verb and gives it its arguments.  Knows no verb but by its table row.
 */
#include "podctl.h"

#include <stdio.h>

#define DEFAULT_AGENT "/run/cgfs/agent.sock"

static const struct verb *const verbs[] = {
	&verb_run,  &verb_create, &verb_apply, &verb_ls,
	&verb_stat, &verb_events, &verb_rm,    &verb_doctor,
};

static const struct opt *const globals[] = { opt_global, NULL };

static const struct verb *find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
		if (streq(verbs[i]->name, name))
			return verbs[i];
	}
	return NULL;
}

static void usage(void)
{
	printf("usage: podctl [OPTIONS] VERB [OPTIONS] [OPERANDS]\n\n"
	       "Pods and containers on cgroups v1 and v2, by an agent or directly.\n\nVerbs:\n");
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		printf("  %-10s %s\n", verbs[i]->name, verbs[i]->summary);
	printf("\nOptions of every verb:\n");
	opt_help(globals);
	printf("\nExit status: 0 success; 1 failure; 2 wrong usage, nothing was done.  `run` "
	       "exits\n"
	       "as its command does, with 128+N when signal N ended it, 125 when podctl failed,\n"
	       "126 when the command could not be executed, 127 when it was not found.\n");
}

static void usage_verb(const struct verb *v)
{
	printf("usage: podctl %s [OPTIONS]%s%s\n\n%s.\n\n%s\n\nOptions:\n", v->name,
	       v->operands[0] ? " " : "", v->operands, v->summary, v->text);
	opt_help(v->tables);
}

const char *args_agent(const struct args *a)
{
	const char *env = getenv("CGFS_AGENT");

	if (a->no_agent || (!a->agent && (a->root || a->pin_dir)))
		return NULL;
	if (a->agent)
		return a->agent;
	if (env && *env)
		return env;
	return access(DEFAULT_AGENT, F_OK) == 0 ? "unix:" DEFAULT_AGENT : NULL;
}

/* What no table row can say. */
static int check(const struct args *a, struct cgfs_err *reterr)
{
	const char *agent = args_agent(a);

	if (a->agent && (a->no_agent || a->root || a->pin_dir))
		return cgfs_err_set(reterr, -EINVAL, "--agent", NULL, a->agent,
				    "does not go with --no-agent, --root or --pin-dir");
	if (agent && (strncmp(agent, "unix:", 5) != 0 || !agent[5]))
		return cgfs_err_set(reterr, -EINVAL, a->agent ? "--agent" : "CGFS_AGENT", NULL,
				    agent, "is not unix:PATH");
	if (agent && a->limits.no_defaults && a->rootfs)
		return cgfs_err_set(reterr, -EINVAL, NULL, NULL, NULL,
				    "--no-default-devices does not go with --rootfs: an agent adds "
				    "them to a container as every OCI runtime does");
	return 0;
}

static int dispatch(struct args *a, int argc, char **argv)
{
	struct cgfs_err err = { 0 };
	const struct verb *v = NULL;
	int used = 0, r = 0;

	do {
		argc -= used;
		argv += used;
		used = opt_take(globals, a, argc, argv, &err);
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
			r = cgfs_err_set(&err, -EINVAL, NULL, NULL, argv[0], "unknown verb");
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
		r = check(a, &err);
	if (r == 0)
		r = limits_finish(&a->limits, &err);
	if (r < 0) {
		out_usage(a, &err);
		return EXIT_USAGE;
	}
	return v->run(a);
}

int main(int argc, char **argv)
{
	struct args a = {
		.limits.res = CGFS_RESOURCES_INIT,
		.count = CGFS_MAX,
		.timeout_ms = CGFS_MAX,
	};
	const char *base = argc > 0 ? strrchr(argv[0], '/') : NULL;
	int status;

	if (base && streq(base, "/cgfs-pause"))
		return pause_main();

	status = dispatch(&a, argc > 0 ? argc - 1 : 0, argc > 0 ? argv + 1 : argv);
	limits_free(&a.limits);
	return out_finish(&a, status);
}
