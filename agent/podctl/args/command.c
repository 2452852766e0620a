/* SPDX-License-Identifier: MIT */
/*
 * command.c - the options about the command of `run` and `exec`: its environment, its user, its
 * directory, its terminal.
 */
#include "agent/podctl/args/args.h"

#include <stdio.h>

#define AT(member) offsetof(struct args, member)

/* NAME=VALUE, or NAME with the value that podctl itself has. */
static int add_env(const char *what, const char *value, void *to, struct cgfs_err *reterr)
{
	const char *own = strchr(value, '=') ? NULL : getenv(value);
	struct process_args *p = to;
	char **grown, *text = NULL;
	json_t *word;

	if (!*value || *value == '=')
		return cgfs_err_set(reterr, -EINVAL, what, NULL, value, "has no name");
	if (!own && !strchr(value, '='))
		return cgfs_err_set(reterr, -EINVAL, what, NULL, value,
				    "podctl's own environment has no such variable");
	word = json_string(own ? own : value);
	if (!word)
		return cgfs_err_set(reterr, -EILSEQ, what, NULL, value, "is not UTF-8");
	json_decref(word);
	grown = reallocarray(p->env, p->n_env + 1, sizeof(*grown));
	if (!grown)
		return no_memory(reterr);
	p->env = grown;
	if ((own ? asprintf(&text, "%s=%s", value, own) : asprintf(&text, "%s", value)) < 0)
		return no_memory(reterr);
	p->env[p->n_env++] = text;
	return 0;
}

static int set_user(const char *what, const char *value, void *to, struct cgfs_err *reterr)
{
	const char *colon = strchr(value, ':');
	struct process_args *p = to;
	uint64_t uid = 0, gid = 0;
	char first[32];
	int r;

	if (!*value)
		return cgfs_err_set(reterr, -EINVAL, what, NULL, value, "is empty");
	p->user = value;
	p->named = value[strspn(value, "0123456789:")];
	p->has_gid = !p->named && colon;
	if (p->named)
		return 0;
	snprintf(first, sizeof(first), "%.*s", (int)strcspn(value, ":"), value);
	r = value_count(what, first, &uid, reterr);
	if (r == 0 && colon)
		r = value_count(what, colon + 1, &gid, reterr);
	if (r == 0 && (uid >= UINT32_MAX || gid >= UINT32_MAX))
		r = cgfs_err_set(reterr, -EINVAL, what, NULL, value, "must be below 2^32 - 1");
	p->uid = (uint32_t)uid;
	p->gid = (uint32_t)gid;
	return r;
}

static int set_workdir(const char *what, const char *value, void *to, struct cgfs_err *reterr)
{
	if (*value != '/')
		return cgfs_err_set(reterr, -EINVAL, what, NULL, value, "is not an absolute path");
	*(const char **)to = value;
	return 0;
}

const struct opt process_options[] = {
	{ "env", 'e', "NAME[=VALUE]", add_env, AT(process),
	  "set a variable of the command's environment; without VALUE to the\n"
	  "value that podctl itself has.  May be repeated" },
	{ "user", 'u', "UID[:GID]", set_user, AT(process),
	  "run the command as this user; an agent knows the container's own\n"
	  "names as well" },
	{ "workdir", 'w', "DIR", set_workdir, AT(process.workdir),
	  "run the command in this directory" },
	{ 0 },
};

static int add_mount(const char *what, const char *value, void *to, struct cgfs_err *reterr)
{
	const char *first = strchr(value, ':'), *second = first ? strchr(first + 1, ':') : NULL;
	size_t len = first ? second ? (size_t)(second - first - 1) : strlen(first + 1) : 0;
	struct mounts *m = to;
	struct mount *grown, one = { 0 };
	json_t *word = json_string(value);

	if (!word)
		return cgfs_err_set(reterr, -EILSEQ, what, NULL, value, "is not UTF-8");
	json_decref(word);
	if (*value != '/' || !len || first[1] != '/' ||
	    (second && !streq(second, ":ro") && !streq(second, ":rw")))
		return cgfs_err_set(reterr, -EINVAL, what, NULL, value,
				    "is not SOURCE:TARGET, SOURCE:TARGET:ro or "
				    "SOURCE:TARGET:rw with absolute paths");
	grown = reallocarray(m->mount, m->n + 1, sizeof(*grown));
	if (!grown)
		return no_memory(reterr);
	m->mount = grown;
	one.source = strndup(value, (size_t)(first - value));
	one.target = strndup(first + 1, len);
	one.read_only = second && streq(second, ":ro");
	m->mount[m->n++] = one;
	return one.source && one.target ? 0 : no_memory(reterr);
}

const struct opt container_options[] = {
	{ "bundle", 0, "DIR", opt_string, AT(oci_bundle),
	  "run the OCI bundle in DIR (with an agent); other options and\n"
	  "COMMAND replace what its config.json says, and the host name is\n"
	  "the pod's" },
	{ "mount", 'v', "SOURCE:TARGET[:ro]", add_mount, AT(mounts),
	  "show a directory or file of this machine in the container; may be\n"
	  "repeated (with an agent)" },
	{ 0 },
};

/* Letters, digits, inner hyphens and dots: what the kernel takes, and no more than names have. */
static int set_hostname(const char *what, const char *value, void *to, struct cgfs_err *reterr)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789-.";
	size_t len = strlen(value);

	if (!len || len > 63 || value[strspn(value, letters)] || strchr("-.", value[0]) ||
	    strchr("-.", value[len - 1]))
		return cgfs_err_set(reterr, -EINVAL, what, NULL, value,
				    "is not 1 to 63 letters, digits, and hyphens or dots between "
				    "them");
	*(const char **)to = value;
	return 0;
}

const struct opt hostname_options[] = {
	{ "hostname", 0, "NAME", set_hostname, AT(hostname),
	  "set the host name of the pod that is made (default: the pod's\n"
	  "name; with an agent)" },
	{ 0 },
};

const struct opt terminal_options[] = {
	{ "interactive", 'i', NULL, opt_flag, AT(interactive),
	  "pass standard input on to the command" },
	{ "tty", 't', NULL, opt_flag, AT(tty),
	  "give the command a terminal of its own, which receives ^C and ^Z\n"
	  "and whose window has the size of podctl's" },
	{ "detach-keys", 0, "KEYS", opt_string, AT(detach_keys),
	  "with -t: leave the command running when these keys are typed\n"
	  "(default: ctrl-p,ctrl-q)" },
	{ 0 },
};

void mounts_free(struct mounts *m)
{
	for (size_t i = 0; i < m->n; i++) {
		free(m->mount[i].source);
		free(m->mount[i].target);
	}
	free(m->mount);
	*m = (struct mounts){ 0 };
}

void process_args_free(struct process_args *p)
{
	for (size_t i = 0; i < p->n_env; i++)
		free(p->env[i]);
	free(p->env);
	*p = (struct process_args){ 0 };
}
