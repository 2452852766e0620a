/* SPDX-License-Identifier: MIT */
/*
 * opt.c - option tables: one row parses an option and documents it, so that the two cannot
 * drift.  Knows no option by name but those that every verb has.
 */
#include "podctl.h"

#include <stdio.h>

#define AT(member) offsetof(struct args, member)

const struct opt opt_global[] = {
	{ "agent", 0, "unix:PATH", opt_string, AT(agent),
	  "talk to the agent on this socket (default: $CGFS_AGENT, else\n"
	  "unix:/run/cgfs/agent.sock if there is one, else no agent)" },
	{ "no-agent", 0, NULL, opt_flag, AT(no_agent),
	  "work on cgroups directly, without an agent" },
	{ "root", 0, "PATH", opt_string, AT(root),
	  "where pods live in each hierarchy, without an agent\n(default: /pods)" },
	{ "pin-dir", 0, "PATH", opt_string, AT(pin_dir),
	  "where eBPF maps and links are pinned, without an agent\n"
	  "(default: /sys/fs/bpf/cgfs)" },
	{ "json", 0, NULL, opt_flag, AT(json), "print JSON" },
	{ "help", 'h', NULL, opt_flag, AT(help), "print this" },
	{ "version", 0, NULL, opt_flag, AT(version), "print the version" },
	{ 0 },
};

int opt_flag(const struct opt *opt, const char *value, void *to, struct cgfs_err *reterr)
{
	(void)opt;
	(void)value;
	(void)reterr;
	*(bool *)to = true;
	return 0;
}

int opt_string(const struct opt *opt, const char *value, void *to, struct cgfs_err *reterr)
{
	char what[64];

	if (!*value) {
		snprintf(what, sizeof(what), "--%s", opt->name);
		return cgfs_err_set(reterr, -EINVAL, what, NULL, value, "is empty");
	}
	*(const char **)to = value;
	return 0;
}

int opt_count(const struct opt *opt, const char *value, void *to, struct cgfs_err *reterr)
{
	char what[64];

	snprintf(what, sizeof(what), "--%s", opt->name);
	return value_count(what, value, to, reterr);
}

int opt_seconds(const struct opt *opt, const char *value, void *to, struct cgfs_err *reterr)
{
	char what[64];

	snprintf(what, sizeof(what), "--%s", opt->name);
	return value_seconds(what, value, to, reterr);
}

/* @len bytes of @word name an option of one of the tables? */
static const struct opt *find(const struct opt *const *tables, const char *word, size_t len)
{
	for (; *tables; tables++) {
		for (const struct opt *o = *tables; o->name; o++) {
			if (strncmp(o->name, word, len) == 0 && !o->name[len])
				return o;
		}
	}
	return NULL;
}

static const struct opt *find_letter(const struct opt *const *tables, char letter)
{
	for (; *tables; tables++) {
		for (const struct opt *o = *tables; o->name; o++) {
			if (o->letter == letter)
				return o;
		}
	}
	return NULL;
}

int opt_take(const struct opt *const *tables, struct args *a, int argc, char **argv,
	     struct cgfs_err *reterr)
{
	const char *word = argc > 0 ? argv[0] : "", *value = NULL;
	const struct opt *o = NULL;
	int used = 1, r;

	if (word[0] != '-' || !word[1] || streq(word, "--"))
		return 0;

	if (word[1] == '-') {
		size_t len = strcspn(word + 2, "=");

		o = find(tables, word + 2, len);
		if (word[2 + len] == '=')
			value = word + 2 + len + 1;
	} else if (!word[2]) {
		o = find_letter(tables, word[1]);
	}
	if (!o)
		return cgfs_err_set(reterr, -EINVAL, NULL, NULL, word, "unknown option");
	if (!o->arg && value)
		return cgfs_err_set(reterr, -EINVAL, NULL, NULL, word, "takes no value");
	if (o->arg && !value) {
		if (argc < 2)
			return cgfs_err_set(reterr, -EINVAL, NULL, NULL, word, "needs a value: %s",
					    o->arg);
		value = argv[used++];
	}

	r = o->set(o, value, (char *)a + o->offset, reterr);
	return r < 0 ? r : used;
}

int opt_parse(const struct verb *v, struct args *a, int argc, char **argv, struct cgfs_err *reterr)
{
	int i = 0, n = 0, r;

	/* Operands move to the front of @argv, which has room for them by construction. */
	a->argv = argv;
	while (i < argc) {
		r = opt_take(v->tables, a, argc - i, argv + i, reterr);
		if (r < 0)
			return r;
		i += r;
		if (r > 0)
			continue;
		if (streq(argv[i], "--")) {
			i++;
			break;
		}
		if (v->command)
			break;
		argv[n++] = argv[i++];
	}
	while (i < argc)
		argv[n++] = argv[i++];
	argv[n] = NULL;
	a->argc = n;

	if (a->help || a->version)
		return 0;
	if (n < v->min)
		return cgfs_err_set(reterr, -EINVAL, NULL, NULL, NULL, "%s is missing",
				    v->operands);
	if (v->max >= 0 && n > v->max)
		return cgfs_err_set(reterr, -EINVAL, NULL, NULL, argv[v->max], "one word too many");
	return 0;
}

/* Prints @text with its lines indented to @column; the first is there already. */
static void put_lines(const char *text, int column)
{
	for (; *text; text++) {
		putchar(*text);
		if (*text == '\n')
			printf("%*s", column, "");
	}
	putchar('\n');
}

void opt_help(const struct opt *const *tables)
{
	char left[64];

	for (; *tables; tables++) {
		for (const struct opt *o = *tables; o->name; o++) {
			snprintf(left, sizeof(left), "%c%c%s--%s%s%s", o->letter ? '-' : ' ',
				 o->letter ? o->letter : ' ', o->letter ? ", " : "  ", o->name,
				 o->arg ? " " : "", o->arg ? o->arg : "");
			printf("  %-26s ", left);
			/* A name too long for its column gets a line of its own. */
			if (strlen(left) > 26)
				printf("\n%29s", "");
			put_lines(o->help, 29);
		}
	}
}
