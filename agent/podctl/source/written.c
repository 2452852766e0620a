/* SPDX-License-Identifier: MIT */
/*
 * written.c - keeps what the library reports as written and finds the JSON field behind each.  Owns
 * the way back from members of struct cgfs_resources to OCI's names; names no control file.
 */
#include "agent/podctl/source/written.h"

#include <fcntl.h>
#include <stdio.h>

struct written {
	const json_t *json;
	json_t *applied, *devices;
	char refused[256];
	bool failed;
};

/* Members that are lists: of them one entry is behind a file. */
#define LISTS                                                                                      \
	(CGFS_SET_UNIFIED | CGFS_SET_RDMA | CGFS_SET_HUGETLB | CGFS_SET_NET_PRIO |                 \
	 CGFS_SET_IO_DEVICES)

struct written *written_new(const json_t *json)
{
	struct written *a = calloc(1, sizeof(*a));

	if (!a)
		return NULL;
	a->json = json;
	a->applied = json_array();
	a->devices = json_array();
	a->failed = !a->applied || !a->devices;
	return a;
}

void written_free(struct written *a)
{
	if (!a)
		return;
	json_decref(a->applied);
	json_decref(a->devices);
	free(a);
}

static void add(json_t *to, const json_t *value, const char *name)
{
	json_object_set_new(to, name, value ? json_deep_copy(value) : json_null());
}

static void add_entry(json_t *to, const json_t *list, const char *name, size_t i)
{
	char path[128];

	snprintf(path, sizeof(path), "%s[%zu]", name, i);
	add(to, json_array_get(list, i), path);
}

/* The @n-th member of an object. */
static void add_member(json_t *to, const json_t *object, const char *name, size_t n)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)object, key, value)
	{
		char path[512];

		if (n-- > 0)
			continue;
		snprintf(path, sizeof(path), "%s.%s", name, key);
		add(to, value, path);
		return;
	}
}

/* Limits of block devices are counted over all their lists, in the order of the text. */
static void add_device(json_t *to, const json_t *block_io, size_t n)
{
	static const char *const lists[] = { "weightDevice", "throttleReadBpsDevice",
					     "throttleWriteBpsDevice", "throttleReadIOPSDevice",
					     "throttleWriteIOPSDevice" };
	const char *key;
	json_t *list, *entry;
	size_t i;

	json_object_foreach((json_t *)block_io, key, list)
	{
		char name[64];
		size_t k = 0;

		while (k < ARRAY_SIZE(lists) && !streq(lists[k], key))
			k++;
		if (k == ARRAY_SIZE(lists))
			continue;
		snprintf(name, sizeof(name), "blockIO.%s", key);
		json_array_foreach(list, i, entry)
		{
			/* Without a weight an entry limits nothing. */
			if (k == 0 && json_number_value(json_object_get(entry, "weight")) == 0)
				continue;
			if (n-- == 0) {
				add_entry(to, list, name, i);
				return;
			}
		}
	}
}

static json_t *behind(const json_t *json, const struct cgfs_written *w)
{
	json_t *to = json_object();

	for (uint64_t left = w->members & ~LISTS; left; left &= left - 1) {
		const char *path = cgfs_resources_field(left & -left), *dot = strchr(path, '.');
		char section[64];

		if (!dot)
			continue;
		snprintf(section, sizeof(section), "%.*s", (int)(dot - path), path);
		add(to, json_object_get(json_object_get(json, section), dot + 1), path);
	}
	if (w->members & CGFS_SET_UNIFIED)
		add_member(to, json_object_get(json, "unified"), "unified", w->entry);
	if (w->members & CGFS_SET_RDMA)
		add_member(to, json_object_get(json, "rdma"), "rdma", w->entry);
	if (w->members & CGFS_SET_HUGETLB)
		add_entry(to, json_object_get(json, "hugepageLimits"), "hugepageLimits", w->entry);
	if (w->members & CGFS_SET_NET_PRIO)
		add_entry(to, json_object_get(json_object_get(json, "network"), "priorities"),
			  "network.priorities", w->entry);
	if (w->members & CGFS_SET_IO_DEVICES)
		add_device(to, json_object_get(json, "blockIO"), w->entry);
	return to;
}

static void add_refused(struct written *a, const struct cgfs_written *w)
{
	json_t *fields_behind = behind(a->json, w), *value;
	const char *path;

	a->refused[0] = '\0';
	json_object_foreach(fields_behind, path, value)
	{
		size_t at = strlen(a->refused);

		snprintf(a->refused + at, sizeof(a->refused) - at, "%s%s", at ? ", " : "", path);
	}
	json_decref(fields_behind);
}

const char *written_refused(const struct written *a)
{
	return a->refused[0] ? a->refused : NULL;
}

void written_add(void *user, const struct cgfs_written *w)
{
	struct written *a = user;
	bool device = w->members == CGFS_SET_DEVICES;
	json_t *doc;

	if (w->error) {
		add_refused(a, w);
		return;
	}
	a->refused[0] = '\0';
	doc = json_pack(
		"{s:s, s:i, s:s, s:s, s:s}", "controller",
		w->controller == CGFS_CONTROLLER_COUNT ? "cgroup"
						       : cgfs_controller_name(w->controller),
		"version", (int)w->version, "file", w->file, "path", w->path, "written", w->value);

	if (doc && !device && json_object_set_new(doc, "asked", behind(a->json, w)) < 0)
		a->failed = true;
	if (json_array_append_new(device ? a->devices : a->applied, doc) < 0)
		a->failed = true;
}

/* The text that the file reads in the end: the kernel rounds and clamps. */
static void add_reading(json_t *doc)
{
	auto_fd int fd = open(doc_string(doc, "path"), O_RDONLY | O_CLOEXEC);
	char text[4096];
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text));

	while (n > 0 && text[n - 1] == '\n')
		n--;
	if (n >= 0)
		json_object_set_new(doc, "reads", json_stringn(text, (size_t)n));
}

int written_documents(struct written *a, json_t **ret_applied, json_t **ret_devices)
{
	json_t *doc;
	size_t i;

	if (a->failed)
		return -ENOMEM;
	json_array_foreach(a->applied, i, doc) add_reading(doc);
	*ret_applied = json_incref(a->applied);
	*ret_devices = json_incref(a->devices);
	return 0;
}
