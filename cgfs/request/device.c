/* SPDX-License-Identifier: MIT */
/*
 * device.c - device rules as text and the reference evaluator.  Owns what a list of rules
 * means; must not know control files, eBPF or OCI's JSON.
 */
#include "cgfs/request/device.h"

#include "cgfs/base/util.h"

#include <stdio.h>

static const struct cgfs_device_rule defaults[] = {
	{ CGFS_DEVICE_CHAR, 1, 3, CGFS_ACCESS_ALL, true },		   /* null */
	{ CGFS_DEVICE_CHAR, 1, 5, CGFS_ACCESS_ALL, true },		   /* zero */
	{ CGFS_DEVICE_CHAR, 1, 7, CGFS_ACCESS_ALL, true },		   /* full */
	{ CGFS_DEVICE_CHAR, 1, 8, CGFS_ACCESS_ALL, true },		   /* random */
	{ CGFS_DEVICE_CHAR, 1, 9, CGFS_ACCESS_ALL, true },		   /* urandom */
	{ CGFS_DEVICE_CHAR, 5, 0, CGFS_ACCESS_ALL, true },		   /* tty */
	{ CGFS_DEVICE_CHAR, 5, 1, CGFS_ACCESS_ALL, true },		   /* console */
	{ CGFS_DEVICE_CHAR, 5, 2, CGFS_ACCESS_ALL, true },		   /* ptmx */
	{ CGFS_DEVICE_CHAR, 136, CGFS_DEVICE_ANY, CGFS_ACCESS_ALL, true }, /* pts/N */
	/* A node without the right to open it is harmless, and image layers contain some. */
	{ CGFS_DEVICE_CHAR, CGFS_DEVICE_ANY, CGFS_DEVICE_ANY, CGFS_ACCESS_MKNOD, true },
	{ CGFS_DEVICE_BLOCK, CGFS_DEVICE_ANY, CGFS_DEVICE_ANY, CGFS_ACCESS_MKNOD, true },
};

const struct cgfs_device_rule *cgfs_device_defaults(size_t *ret_n)
{
	*ret_n = ARRAY_SIZE(defaults);
	return defaults;
}

static bool rule_matches(const struct cgfs_device_rule *rule, enum cgfs_device_type type,
			 int32_t major, int32_t minor)
{
	if (rule->type != CGFS_DEVICE_ALL && rule->type != type)
		return false;
	if (rule->major != CGFS_DEVICE_ANY && rule->major != major)
		return false;
	return rule->minor == CGFS_DEVICE_ANY || rule->minor == minor;
}

uint32_t cgfs_device_check(const struct cgfs_device_rule *rules, size_t n,
			   enum cgfs_device_type type, int32_t major, int32_t minor,
			   uint32_t access)
{
	uint32_t granted = 0;

	for (size_t i = 0; i < n; i++) {
		if (!rule_matches(&rules[i], type, major, minor))
			continue;
		if (rules[i].allow)
			granted |= rules[i].access;
		else
			granted &= ~rules[i].access;
	}
	return granted & access;
}

uint32_t cgfs_device_access_parse(const char *text, size_t len)
{
	uint32_t access = 0;

	for (size_t i = 0; i < len; i++) {
		switch (text[i]) {
		case 'r':
			access |= CGFS_ACCESS_READ;
			break;
		case 'w':
			access |= CGFS_ACCESS_WRITE;
			break;
		case 'm':
			access |= CGFS_ACCESS_MKNOD;
			break;
		default:
			return 0;
		}
	}
	return access;
}

static int rule_error(const struct cgfs_device_rule *rule, struct cgfs_err *reterr, const char *why)
{
	char text[48];

	cgfs_device_format(rule, text, sizeof(text));
	return err_value(reterr, -EINVAL, "device rule", text, "%s", why);
}

static int number_error(const struct cgfs_device_rule *rule, struct cgfs_err *reterr,
			const char *which, int max)
{
	char why[64];

	snprintf(why, sizeof(why), "the %s number must be 0 to %d, or any", which, max);
	return rule_error(rule, reterr, why);
}

int cgfs_device_rule_check(const struct cgfs_device_rule *rule, struct cgfs_err *reterr)
{
	if (rule->type != CGFS_DEVICE_ALL && rule->type != CGFS_DEVICE_BLOCK &&
	    rule->type != CGFS_DEVICE_CHAR)
		return rule_error(rule, reterr, "the type must be a, b or c");
	if (rule->type == CGFS_DEVICE_ALL &&
	    (rule->major != CGFS_DEVICE_ANY || rule->minor != CGFS_DEVICE_ANY))
		return rule_error(rule, reterr,
				  "type a stands for all devices and takes no numbers");
	if (rule->major != CGFS_DEVICE_ANY &&
	    (rule->major < 0 || rule->major > CGFS_DEVICE_MAJOR_MAX))
		return number_error(rule, reterr, "major", CGFS_DEVICE_MAJOR_MAX);
	if (rule->minor != CGFS_DEVICE_ANY &&
	    (rule->minor < 0 || rule->minor > CGFS_DEVICE_MINOR_MAX))
		return number_error(rule, reterr, "minor", CGFS_DEVICE_MINOR_MAX);
	if (!rule->access || (rule->access & ~CGFS_ACCESS_ALL))
		return rule_error(rule, reterr, "the access must be some of r, w and m");
	return 0;
}

/* One word of a rule's text; words are separated by blanks. */
struct word {
	const char *at;
	size_t len;
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool word_is(struct word w, const char *s)
{
	return w.len == strlen(s) && memcmp(w.at, s, w.len) == 0;
}

/* Returns how many words there are; more than @max are counted, not stored. */
static size_t split(const char *text, struct word *words, size_t max)
{
	size_t n = 0;

	for (;;) {
		const char *start;

		while (is_blank(*text))
			text++;
		if (!*text)
			return n;
		start = text;
		while (*text && !is_blank(*text))
			text++;
		if (n < max)
			words[n] = (struct word){ start, (size_t)(text - start) };
		n++;
	}
}

/* Decimal digits or "*"; -EINVAL for anything else. */
static int parse_number(struct word w, int32_t max, int32_t *ret)
{
	int32_t v = 0;

	if (word_is(w, "*")) {
		*ret = CGFS_DEVICE_ANY;
		return 0;
	}
	if (!w.len)
		return -EINVAL;
	for (size_t i = 0; i < w.len; i++) {
		if (w.at[i] < '0' || w.at[i] > '9')
			return -EINVAL;
		v = v * 10 + (w.at[i] - '0');
		if (v > max)
			return -EINVAL;
	}
	*ret = v;
	return 0;
}

static int parse_numbers(const char *text, struct word w, struct cgfs_device_rule *rule,
			 struct cgfs_err *reterr)
{
	const char *colon = memchr(w.at, ':', w.len);
	struct word major, minor;

	if (!colon)
		return err_value(reterr, -EINVAL, "device rule", text,
				 "\"%.*s\" is not MAJOR:MINOR", (int)w.len, w.at);

	major = (struct word){ w.at, (size_t)(colon - w.at) };
	minor = (struct word){ colon + 1, w.len - major.len - 1 };
	if (parse_number(major, CGFS_DEVICE_MAJOR_MAX, &rule->major) < 0)
		return err_value(reterr, -EINVAL, "device rule", text,
				 "major \"%.*s\" is neither 0 to %d nor *", (int)major.len,
				 major.at, CGFS_DEVICE_MAJOR_MAX);
	if (parse_number(minor, CGFS_DEVICE_MINOR_MAX, &rule->minor) < 0)
		return err_value(reterr, -EINVAL, "device rule", text,
				 "minor \"%.*s\" is neither 0 to %d nor *", (int)minor.len,
				 minor.at, CGFS_DEVICE_MINOR_MAX);
	return 0;
}

/* @w: TYPE MAJOR:MINOR ACCESS, or the single word "a". */
static int parse_words(const char *text, const struct word *w, size_t n,
		       struct cgfs_device_rule *rule, struct cgfs_err *reterr)
{
	int r;

	if (!n)
		return err_value(reterr, -EINVAL, "device rule", text, "it is empty");
	if (w[0].len != 1 || !strchr("abc", w[0].at[0]))
		return err_value(reterr, -EINVAL, "device rule", text,
				 "type \"%.*s\" is not a, b or c", (int)w[0].len, w[0].at);
	rule->type = (enum cgfs_device_type)w[0].at[0];
	if (n == 1 && rule->type == CGFS_DEVICE_ALL) {
		rule->major = rule->minor = CGFS_DEVICE_ANY;
		rule->access = CGFS_ACCESS_ALL;
		return 0;
	}
	if (n < 2)
		return err_value(reterr, -EINVAL, "device rule", text,
				 "MAJOR:MINOR and the access are missing");
	r = parse_numbers(text, w[1], rule, reterr);
	if (r < 0)
		return r;
	if (n < 3)
		return err_value(reterr, -EINVAL, "device rule", text, "the access is missing");
	rule->access = cgfs_device_access_parse(w[2].at, w[2].len);
	if (!rule->access)
		return err_value(reterr, -EINVAL, "device rule", text,
				 "access \"%.*s\" is not some of r, w and m", (int)w[2].len,
				 w[2].at);
	if (n > 3)
		return err_value(reterr, -EINVAL, "device rule", text,
				 "nothing may follow the access");
	return cgfs_device_rule_check(rule, reterr);
}

int cgfs_device_parse(const char *text, struct cgfs_device_rule *ret_rule, struct cgfs_err *reterr)
{
	struct cgfs_device_rule rule = { .allow = true };
	struct word words[5] = { 0 };
	struct word *w = words;
	size_t n;
	int r;

	if (!text)
		return err_why(reterr, -EINVAL, "device rule", NULL, "a rule is required");

	n = split(text, words, ARRAY_SIZE(words));
	if (n > ARRAY_SIZE(words))
		n = ARRAY_SIZE(words);
	if (n && (word_is(w[0], "allow") || word_is(w[0], "deny"))) {
		rule.allow = w[0].at[0] == 'a';
		w++;
		n--;
	}
	r = parse_words(text, w, n, &rule, reterr);
	if (r < 0)
		return r;

	*ret_rule = rule;
	return 0;
}

static char *put_number(char *at, int32_t number)
{
	char digits[12];
	size_t n = sizeof(digits);
	uint32_t rest = number < 0 ? -(uint32_t)number : (uint32_t)number;

	if (number == CGFS_DEVICE_ANY) {
		*at++ = '*';
		return at;
	}
	do {
		digits[--n] = (char)('0' + rest % 10);
		rest /= 10;
	} while (rest);
	if (number < 0)
		digits[--n] = '-';
	memcpy(at, digits + n, sizeof(digits) - n);
	return at + sizeof(digits) - n;
}

/* By hand: a pod on v1 has a dozen of them, and formatted output is a twentieth of making the pod.
 */
void cgfs_device_format(const struct cgfs_device_rule *rule, char *buf, size_t len)
{
	bool type_ok = rule->type == CGFS_DEVICE_ALL || rule->type == CGFS_DEVICE_BLOCK ||
		       rule->type == CGFS_DEVICE_CHAR;
	char text[48], *at = text;
	size_t n;

	if (!rule->allow) {
		memcpy(at, "deny ", 5);
		at += 5;
	}
	*at++ = type_ok ? (char)rule->type : '?';
	*at++ = ' ';
	at = put_number(at, rule->major);
	*at++ = ':';
	at = put_number(at, rule->minor);
	*at++ = ' ';
	if (rule->access & CGFS_ACCESS_READ)
		*at++ = 'r';
	if (rule->access & CGFS_ACCESS_WRITE)
		*at++ = 'w';
	if (rule->access & CGFS_ACCESS_MKNOD)
		*at++ = 'm';
	n = (size_t)(at - text);
	if (!len)
		return;
	if (n > len - 1)
		n = len - 1;
	memcpy(buf, text, n);
	buf[n] = '\0';
}
