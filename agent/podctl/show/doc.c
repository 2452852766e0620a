/* SPDX-License-Identifier: MIT */
/*
 * doc.c - the JSON documents between "where it comes from" (an agent, libcgfs) and "how it is
 * shown" (JSON, a table): figures by their dotted names, events as sentences.
 */
#include "agent/podctl/show/show.h"
#include "cgfs/base/json.h"
#include "cgfs/base/text.h"

#include <inttypes.h>
#include <stdio.h>

bool doc_figure(const json_t *stats, enum cgfs_stat stat, uint64_t *ret)
{
	const char *path = cgfs_stat_name(stat);
	const json_t *at = stats;

	while (at && *path) {
		size_t len = strcspn(path, ".");
		char key[64];

		if (len >= sizeof(key))
			return false;
		memcpy(key, path, len);
		key[len] = '\0';
		at = json_object_get(at, key);
		path += len + (path[len] == '.');
	}
	if (cgfs_json_u64(at, ret))
		return true;
	if (json_is_string(at) && streq(json_string_value(at), "max")) {
		*ret = CGFS_MAX;
		return true;
	}
	return false;
}

bool doc_differs(const json_t *stats, const char *what, char *buf, size_t len)
{
	const json_t *cpuset = json_object_get(stats, "cpuset");
	json_t *entry;
	size_t i;

	buf[0] = '\0';
	json_array_foreach(json_object_get(cpuset, "differs"), i, entry)
	{
		if (!streq(json_string_value(entry), what))
			continue;
		snprintf(buf, len, "not %s, as set", doc_string(cpuset, what));
		return true;
	}
	return false;
}

const char *doc_string(const json_t *object, const char *key)
{
	const char *s = json_string_value(json_object_get(object, key));

	return s ? s : "";
}

uint64_t doc_number(const json_t *object, const char *key)
{
	uint64_t n = 0;

	(void)cgfs_json_u64(json_object_get(object, key), &n);
	return n;
}

/* The library speaks JSON text; podctl passes it on as a tree. */
static int parse(char *text, json_t **ret)
{
	*ret = cgfs_json_load(text, strlen(text), 0, NULL);
	free(text);
	return *ret ? 0 : -ENOMEM;
}

int doc_group(struct cgfs_group *g, unsigned int what, json_t **ret, struct cgfs_err *reterr)
{
	char *text;
	int r = cgfs_group_json(g, what, &text, reterr);

	return r < 0 ? r : parse(text, ret) < 0 ? no_memory(reterr) : 0;
}

int doc_event(const struct cgfs_event *event, json_t **ret)
{
	char *text;
	int r = cgfs_event_json(event, &text);

	return r < 0 ? r : parse(text, ret);
}

static void device_text(const json_t *event, char *buf, size_t len)
{
	static const struct {
		char letter;
		const char *word;
	} words[] = { { 'r', "read" }, { 'w', "write" }, { 'm', "mknod" } };
	const json_t *device = json_object_get(event, "device");
	const char *access = doc_string(device, "access");
	int at = snprintf(buf, len, "%s %" PRIu64 ":%" PRIu64,
			  streq(doc_string(device, "type"), "b") ? "block" : "char",
			  doc_number(device, "major"), doc_number(device, "minor"));

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (strchr(access, words[i].letter))
			at += snprintf(buf + at, len - (size_t)at, " %s", words[i].word);
	}
}

void doc_event_text(const json_t *event, char *buf, size_t len)
{
	const char *type = doc_string(event, "type"), *comm = doc_string(event, "comm");
	uint64_t pid = doc_number(event, "pid"), count = doc_number(event, "count");
	char who[64] = "", device[96] = "", name[24];

	cgfs_text_show(name, sizeof(name), comm);
	if (pid)
		snprintf(who, sizeof(who), "pid %" PRIu64 "%s%s%s", pid, *name ? " (" : "", name,
			 *name ? ")" : "");

	if (streq(type, cgfs_event_name(CGFS_EVENT_DEVICE_DENIED))) {
		device_text(event, device, sizeof(device));
		snprintf(buf, len, "%s%s%s", device, *who ? ", " : "", who);
	} else if (streq(type, cgfs_event_name(CGFS_EVENT_OOM_KILL)) && !pid) {
		snprintf(buf, len, "%" PRIu64 " process%s", count, count == 1 ? "" : "es");
	} else if (streq(type, cgfs_event_name(CGFS_EVENT_LOST))) {
		snprintf(buf, len, "%" PRIu64 " events could not be recorded", count);
	} else if (*doc_string(event, "message")) {
		cgfs_text_show(buf, len < 200 ? len : 200, doc_string(event, "message"));
	} else {
		snprintf(buf, len, "%s", who);
	}
	/* The last of several. */
	if (pid && count > 1 && strlen(buf) < len - 1)
		snprintf(buf + strlen(buf), len - strlen(buf), ", %" PRIu64 " times", count);
}
