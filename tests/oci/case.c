// SPDX-License-Identifier: MIT
/*
 * case.c - reads the cases and returns what is expected of one on a given host.  Knows neither the
 * fake nor podctl.
 */
#include "case.h"

#include "cgfs/base/util.h"
#include "tests/tap.h"

#include <dirent.h>
#include <stdio.h>

__attribute__((format(printf, 1, 2), noreturn)) static void wrong(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(2);
}

/* -- loading ---------------------------------------------------------------------------------- */

static void check_keys(const char *file, const json_t *c)
{
	static const char *const known[] = { "name",  "resources", "text",  "refused", "code",
					     "v1",    "v2",	   "all",   "why",     "needs",
					     "probe", "ignored",   "unset", "field" };
	const char *key;
	json_t *value;

	if (!json_string_value(json_object_get(c, "name")))
		wrong("%s: a case has no name", file);
	json_object_foreach((json_t *)c, key, value)
	{
		size_t i = 0;

		while (i < ARRAY_SIZE(known) && !streq(known[i], key))
			i++;
		if (i == ARRAY_SIZE(known))
			wrong("%s: %s: what is \"%s\"?", file,
			      json_string_value(json_object_get(c, "name")), key);
	}
}

static void load_file(const char *dir, const char *name, json_t *list)
{
	json_error_t why;
	char path[1024];
	json_t *root, *c;
	size_t i;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	root = json_load_file(path, JSON_REJECT_DUPLICATES, &why);
	if (!root || !json_is_array(json_object_get(root, "cases")))
		wrong("%s: %s (line %d)", path, root ? "no cases" : why.text, root ? 0 : why.line);
	json_array_foreach(json_object_get(root, "cases"), i, c)
	{
		check_keys(path, c);
		if (!json_object_get(c, "needs"))
			json_object_set(c, "needs", json_object_get(root, "needs"));
		json_array_append(list, c);
	}
	json_decref(root);
}

static int is_json(const struct dirent *e)
{
	size_t len = strlen(e->d_name);

	return len > 5 && streq(e->d_name + len - 5, ".json");
}

size_t oci_load(const char *dir, json_t **ret_list)
{
	struct dirent **names;
	int n = scandir(dir, &names, is_json, alphasort);

	if (n <= 0)
		wrong("%s: no cases", dir);
	*ret_list = json_array();
	for (int i = 0; i < n; i++) {
		load_file(dir, names[i]->d_name, *ret_list);
		free(names[i]);
	}
	free(names);
	return json_array_size(*ret_list);
}

const char *oci_case_name(const json_t *list, size_t i)
{
	return json_string_value(json_object_get(json_array_get(list, i), "name"));
}

/* -- placeholders --------------------------------------------------------------------------------
 */

static json_t *fill_text(const char *text, const struct oci_host *host)
{
	char buf[4096], *at = buf, *end = buf + sizeof(buf);

	if (streq(text, "@MAJOR@"))
		return json_integer(host->major);
	if (streq(text, "@MINOR@"))
		return json_integer(host->minor);
	while (*text && end - at > 32) {
		if (strncmp(text, "@DISK@", 6) == 0) {
			at += sprintf(at, "%u:%u", host->major, host->minor);
			text += 6;
		} else if (strncmp(text, "@MAJOR@", 7) == 0 || strncmp(text, "@MINOR@", 7) == 0) {
			at += sprintf(at, "%u", text[2] == 'A' ? host->major : host->minor);
			text += 7;
		} else {
			*at++ = *text++;
		}
	}
	return json_stringn(buf, (size_t)(at - buf));
}

static json_t *fill(const json_t *from, const struct oci_host *host)
{
	json_t *to, *value;
	const char *key;
	size_t i;

	switch (json_typeof(from)) {
	case JSON_STRING:
		return fill_text(json_string_value(from), host);
	case JSON_ARRAY:
		to = json_array();
		json_array_foreach((json_t *)from, i, value)
			json_array_append_new(to, fill(value, host));
		return to;
	case JSON_OBJECT:
		to = json_object();
		json_object_foreach((json_t *)from, key, value)
			json_object_set_new(to, key, fill(value, host));
		return to;
	default:
		return json_deep_copy(from);
	}
}

struct oci_case *oci_case(const json_t *list, size_t i, const struct oci_host *host)
{
	struct oci_case *c = calloc(1, sizeof(*c));
	const json_t *needs;
	const char *text;

	if (!c)
		abort();
	c->wanted = fill(json_array_get(list, i), host);
	c->name = json_string_value(json_object_get(c->wanted, "name"));
	needs = json_object_get(c->wanted, "needs");
	c->needs = json_is_string(needs) ? json_pack("[O]", needs) : json_deep_copy(needs);
	text = json_string_value(json_object_get(c->wanted, "text"));
	c->is_text = text != NULL;
	c->text = text ? strdup(text)
		       : json_dumps(json_object_get(c->wanted, "resources"),
				    JSON_ENCODE_ANY | JSON_REAL_PRECISION(17));
	if (!c->text)
		wrong("%s: neither resources nor text", c->name);
	return c;
}

void oci_case_free(struct oci_case *c)
{
	free(c->text);
	json_decref(c->needs);
	json_decref(c->wanted);
	free(c);
}

/* -- expectations ---------------------------------------------------------------------------------
 */

/* Where the kernel keeps devices matters as the versions of controllers do. */
static enum cgfs_version_id version_of(const struct oci_host *host, const char *needed)
{
	int ctl = cgfs_controller_from_name(needed);

	if (ctl < 0)
		wrong("no such controller: %s", needed);
	if (ctl == CGFS_DEVICES && host->version[ctl] == CGFS_NONE && host->unified)
		return CGFS_V2;
	return host->version[ctl];
}

/* The controller of a file of either version. */
static enum cgfs_controller controller_of(const char *file)
{
	char name[32];
	int ctl;

	snprintf(name, sizeof(name), "%.*s", (int)strcspn(file, "."), file);
	ctl = cgfs_controller_from_name(name);
	if (ctl < 0)
		wrong("%s: no controller has such a file", file);
	return (enum cgfs_controller)ctl;
}

/* The alternative that counts here; NULL: nothing is expected of this version. */
static const json_t *choose(const json_t *side, const struct oci_host *host)
{
	const json_t *one;
	size_t i;

	if (!json_is_array(side))
		return side;
	json_array_foreach((json_t *)side, i, one)
	{
		const char *file = json_string_value(json_object_get(one, "when"));

		if (!file || host->has_file(host->arg, controller_of(file), file))
			return one;
	}
	wrong("no alternative without \"when\"");
}

/* "v1" or "v2", or "all" for both; NULL when no needed controller has that version. */
static const json_t *side_of(const struct oci_case *c, const struct oci_host *host,
			     enum cgfs_version_id version)
{
	const json_t *all = json_object_get(c->wanted, "all"), *needed;
	bool here = !json_array_size(c->needs) && version == CGFS_V2;
	size_t i;

	json_array_foreach(c->needs, i, needed) here |=
		version_of(host, json_string_value(needed)) == version;
	if (!here)
		return NULL;
	return choose(all ? all : json_object_get(c->wanted, version == CGFS_V1 ? "v1" : "v2"),
		      host);
}

static struct oci_outcome refusal(const json_t *from)
{
	const char *code = json_string_value(json_object_get(from, "code"));
	struct oci_outcome out = { true, json_string_value(json_object_get(from, "refused")),
				   -EINVAL };

	if (!code)
		return out;
	if (streq(code, "any"))
		out.code = 0;
	else if (streq(code, "EOPNOTSUPP"))
		out.code = -EOPNOTSUPP;
	else if (streq(code, "ENODEV"))
		out.code = -ENODEV;
	else if (streq(code, "ERANGE"))
		out.code = -ERANGE;
	else if (!streq(code, "EINVAL"))
		wrong("what is the code %s?", code);
	return out;
}

struct oci_outcome oci_expect(const struct oci_case *c, const struct oci_host *host)
{
	const json_t *needed, *side;
	size_t i;

	if (json_object_get(c->wanted, "refused"))
		return refusal(c->wanted);
	json_array_foreach(c->needs, i, needed)
	{
		const char *name = json_string_value(needed);

		if (version_of(host, name) == CGFS_NONE &&
		    !json_is_true(json_object_get(c->wanted, "unset")))
			return (struct oci_outcome){ true, "not on this host", -ENODEV };
	}
	for (int version = CGFS_V1; version <= CGFS_V2; version++) {
		side = side_of(c, host, (enum cgfs_version_id)version);
		if (json_object_get(side, "refused"))
			return refusal(side);
	}
	return (struct oci_outcome){ 0 };
}

void oci_files(const struct oci_case *c, const struct oci_host *host, oci_file_fn *fn, void *arg)
{
	for (int version = CGFS_V1; version <= CGFS_V2; version++) {
		const json_t *side = side_of(c, host, (enum cgfs_version_id)version);
		const char *file;
		json_t *want;

		json_object_foreach((json_t *)side, file, want)
		{
			enum cgfs_controller ctl;

			if (streq(file, "when"))
				continue;
			ctl = controller_of(file);
			if (host->version[ctl] == (enum cgfs_version_id)version)
				fn(arg, ctl, file, json_string_value(want));
		}
		if (side && json_object_get(c->wanted, "all") && !json_array_size(c->needs))
			return;
	}
}

bool oci_needs_policy(const struct oci_case *c)
{
	return json_object_get(c->wanted, "probe") ||
	       json_array_size(json_object_get(json_object_get(c->wanted, "resources"), "devices"));
}

bool oci_matches(const char *want, const char *have)
{
	size_t len = strlen(have);

	while (len && (have[len - 1] == '\n' || have[len - 1] == ' '))
		len--;
	if (streq(want, "*"))
		return true;
	if (*want == '~')
		return strstr(have, want + 1) != NULL;
	if (streq(want, "max") && len > 18 && strncmp(have, "92233720368547", 14) == 0)
		return true;
	return strlen(want) == len && strncmp(want, have, len) == 0;
}

bool oci_says(const char *words, const char *text)
{
	while (*words) {
		size_t len = strcspn(words, "|");
		char word[128];

		snprintf(word, sizeof(word), "%.*s", (int)len, words);
		if (len && strstr(text, word))
			return true;
		words += len + (words[len] == '|');
	}
	return false;
}

void oci_nodes(const struct oci_case *c, oci_node_fn *fn, void *arg)
{
	const char *name;
	json_t *granted;

	json_object_foreach(json_object_get(c->wanted, "probe"), name, granted)
	{
		const char *bits = json_string_value(granted);
		struct oci_node node = { 0 };
		int major, minor;
		char type;

		if (!bits || sscanf(name, "%c %d:%d", &type, &major, &minor) != 3)
			wrong("%s: what is the device \"%s\"?", c->name, name);
		node.type = (enum cgfs_device_type)type;
		node.major = major;
		node.minor = minor;
		node.granted = (strchr(bits, 'r') ? CGFS_ACCESS_READ : 0) |
			       (strchr(bits, 'w') ? CGFS_ACCESS_WRITE : 0) |
			       (strchr(bits, 'm') ? CGFS_ACCESS_MKNOD : 0);
		fn(arg, &node);
	}
}
