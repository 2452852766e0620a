/* SPDX-License-Identifier: MIT */
/*
 * opt.c - option tables: one row parses an option and documents it, so that the two cannot
 * drift.  Knows no option by name but those that every verb has.
 */
#include "agent/podctl/args/args.h"

#include <stdio.h>

#define AT(member) offsetof(struct args, member)

const struct opt opt_global[] = {
	{ "agent", 0, "ADDRESS", opt_string, AT(agent),
	  "use the agent at unix:PATH or vsock:CID:PORT (default:\n"
	  "$CGFS_AGENT, else the agent that owns the pods root, else none)" },
	{ "no-agent", 0, NULL, opt_flag, AT(no_agent),
	  "change the cgroups of this machine without an agent" },
	{ "root", 0, "PATH", opt_string, AT(root),
	  "look for pods below PATH in each hierarchy (default: /pods)" },
	{ "pin-dir", 0, "PATH", opt_string, AT(pin_dir),
	  "pin eBPF maps and links in PATH, without an agent\n"
	  "(default: /sys/fs/bpf/cgfs)" },
	{ "json", 0, NULL, opt_flag, AT(json), "print JSON" },
	{ "help", 'h', NULL, opt_flag, AT(help), "print this help" },
	{ "version", 0, NULL, opt_flag, AT(version), "print the version" },
	{ 0 },
};

const struct opt opt_answer[] = {
	{ "timeout", 't', "SECONDS", opt_seconds, AT(answer_ms),
	  "fail when an agent takes longer for one answer (default: 30)" },
	{ 0 },
};

const struct opt opt_answer_long[] = {
	{ "timeout", 0, "SECONDS", opt_seconds, AT(answer_ms),
	  "fail when an agent takes longer for one answer (default: 30)" },
	{ 0 },
};

int opt_flag(const char *what, const char *value, void *to, struct cgfs_err *reterr)
{
	*(bool *)to = true;
	return 0;
}

int opt_string(const char *what, const char *value, void *to, struct cgfs_err *reterr)
{
	if (!*value)
		return cgfs_err_set(reterr, -EINVAL, what, NULL, value, "is empty");
	*(const char **)to = value;
	return 0;
}

int opt_count(const char *what, const char *value, void *to, struct cgfs_err *reterr)
{
	return value_count(what, value, to, reterr);
}

int opt_time(const char *what, const char *value, void *to, struct cgfs_err *reterr)
{
	return value_time(what, value, to, reterr);
}

int opt_signal(const char *what, const char *value, void *to, struct cgfs_err *reterr)
{
	return value_signal(what, value, to, reterr);
}

int opt_seconds(const char *what, const char *value, void *to, struct cgfs_err *reterr)
{
	return value_seconds(what, value, to, reterr);
}

/* The option of @letter, else of @len bytes at @word. */
static const struct opt *find_in(const struct opt *table, const char *word, size_t len, char letter)
{
	for (const struct opt *o = table; o->name; o++) {
		if (letter ? o->letter == letter
			   : strncmp(o->name, word, len) == 0 && !o->name[len])
			return o;
	}
	return NULL;
}

static const struct opt *find(const struct opt *const *tables, const char *word, size_t len,
			      char letter)
{
	const struct opt *o = find_in(opt_global, word, len, letter);

	for (; !o && tables && *tables; tables++)
		o = find_in(*tables, word, len, letter);
	return o;
}

/* "-it": flags that are written as one word.  The number of words used. */
static int take_letters(const struct opt *const *tables, struct args *a, const char *word,
			struct cgfs_err *reterr)
{
	const struct opt *o;
	int r;

	for (const char *c = word + 1; *c; c++) {
		o = find(tables, NULL, 0, *c);
		if (!o)
			return cgfs_err_set(reterr, -EINVAL, NULL, NULL, word, "unknown option");
		if (o->arg)
			return cgfs_err_set(reterr, -EINVAL, NULL, NULL, word,
					    "-%c needs a value: write it as a word of its own", *c);
		r = o->set(word, NULL, (char *)a + o->offset, reterr);
		if (r < 0)
			return r;
	}
	return 1;
}

int opt_take(const struct opt *const *tables, struct args *a, int argc, char **argv,
	     struct cgfs_err *reterr)
{
	const char *word = argc > 0 ? argv[0] : "", *value = NULL;
	const struct opt *o = NULL;
	char what[64];
	int used = 1, r;

	if (word[0] != '-' || !word[1] || streq(word, "--"))
		return 0;

	if (word[1] == '-') {
		size_t len = strcspn(word + 2, "=");

		o = find(tables, word + 2, len, 0);
		if (word[2 + len] == '=')
			value = word + 2 + len + 1;
	} else if (!word[2]) {
		o = find(tables, NULL, 0, word[1]);
	} else {
		return take_letters(tables, a, word, reterr);
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

	snprintf(what, sizeof(what), "--%s", o->name);
	r = o->set(what, value, (char *)a + o->offset, reterr);
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
		return cgfs_err_set(reterr, -EINVAL, NULL, NULL, argv[v->max],
				    "unexpected operand");
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

void opt_help(const struct opt *table)
{
	char left[64];

	for (const struct opt *o = table; o->name; o++) {
		snprintf(left, sizeof(left), "%c%c%s--%s%s%s", o->letter ? '-' : ' ',
			 o->letter ? o->letter : ' ', o->letter ? ", " : "  ", o->name,
			 o->arg ? " " : "", o->arg ? o->arg : "");
		/* A name too long for its column gets a line of its own. */
		if (strlen(left) > 26)
			printf("  %s\n%29s", left, "");
		else
			printf("  %-26s ", left);
		put_lines(o->help, 29);
	}
}
