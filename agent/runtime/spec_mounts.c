/* SPDX-License-Identifier: MIT */
/*
 * spec_mounts.c - sources of mounts that are no paths: "uvm://PATH" is a path of the guest; what a
 * pod's containers share is "sandbox://PATH", "sandbox-tmp://PATH" and "hugepages://SIZE/PATH".
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "agent/base/json.h"
#include "agent/runtime/spec.h"
#include "agent/runtime/spec_apply.h"
#include "agent/wire/protocol.h"
#include "cgfs/base/util.h"

#define UVM	 "uvm://"
#define BLOCKDEV "blockdev://"
#define PATH_LEN 2048

static bool begins_with(const char *s, const char *with)
{
	return strncmp(s, with, strlen(with)) == 0;
}

uint32_t spec_apply_uvm_mounts(struct spec *s, char why[SPEC_WHY_MAX])
{
	json_t *m;
	size_t i;

	json_array_foreach(s->mounts, i, m)
	{
		const char *from = json_string_value(json_member(m, "source"));
		auto_free char *path = NULL;
		struct stat st;

		if (from && begins_with(from, BLOCKDEV))
			return spec_refuse(HR_FAIL, why,
					   "mounts[%zu]: source \"%.100s\" is not supported; "
					   "a destination may begin so",
					   i, from);
		if (!from || !begins_with(from, UVM))
			continue;
		if (from[strlen(UVM)] != '/')
			return spec_refuse(HR_FAIL, why,
					   "mounts[%zu]: source \"%.100s\" has no absolute path", i,
					   from);
		path = strdup(from + strlen(UVM));
		if (path && stat(path, &st) < 0)
			return spec_refuse(HR_FAIL, why, "mounts[%zu]: source \"%.100s\": %s", i,
					   from, strerror(errno));
		spec_drop(m, "source");
		if (!path || json_object_set_new(m, "source", json_string(path)) < 0)
			return spec_refuse(HR_FAIL, why, "out of memory");
	}
	return HR_OK;
}

/* Without empty parts and "."; NULL: it is too long, or has a part "..". */
static char *plain(const char *from)
{
	char *path = malloc(PATH_LEN + 2);
	size_t n = 0;

	while (path) {
		size_t len;

		from += strspn(from, "/");
		len = strcspn(from, "/");
		if (len == 0)
			break;
		if (len > 255 || n + len + 1 > PATH_LEN || (len == 2 && begins_with(from, ".."))) {
			free(path);
			return NULL;
		}
		if (len != 1 || from[0] != '.') {
			if (n > 0)
				path[n++] = '/';
			memcpy(path + n, from, len);
			n += len;
		}
		from += len;
	}
	if (path)
		path[n] = '\0';
	return path;
}

/* A number and a unit, as the kernel and OCI write page sizes. */
static bool is_page_size(const char *s, size_t len)
{
	size_t digits = strspn(s, "0123456789");

	return digits > 0 && digits < 8 && len - digits <= 2 && len > digits &&
	       strchr("KMG", s[digits]) && (len == digits + 1 || s[digits + 1] == 'B');
}

uint32_t spec_shared_source(const struct spec *s, size_t i, enum spec_shared *ret, char **ret_path,
			    char why[SPEC_WHY_MAX])
{
	static const struct {
		const char *scheme;
		enum spec_shared kind;
	} kinds[] = {
		{ "sandbox://", SPEC_SHARED_DISK },
		{ "sandbox-tmp://", SPEC_SHARED_MEMORY },
		{ "hugepages://", SPEC_SHARED_HUGEPAGES },
	};
	const char *from = spec_source(s, i);
	size_t k = 0, len;

	*ret = SPEC_NOT_SHARED;
	while (from && k < ARRAY_SIZE(kinds) && !begins_with(from, kinds[k].scheme))
		k++;
	if (!from || k == ARRAY_SIZE(kinds))
		return HR_OK;
	*ret_path = plain(from + strlen(kinds[k].scheme));
	if (!*ret_path)
		return spec_refuse(HR_FAIL, why,
				   "mounts[%zu]: source \"%.100s\" leads out of the pod's "
				   "directory, or is too long",
				   i, from);
	len = strcspn(*ret_path, "/");
	if (kinds[k].kind == SPEC_SHARED_HUGEPAGES &&
	    (!(*ret_path)[len] || !is_page_size(*ret_path, len))) {
		free(*ret_path);
		return spec_refuse(HR_FAIL, why,
				   "mounts[%zu]: source \"%.100s\" is not hugepages://SIZE/DIR", i,
				   from);
	}
	*ret = kinds[k].kind;
	return HR_OK;
}

const char *spec_source(const struct spec *s, size_t i)
{
	return json_string_value(json_member(json_array_get(s->mounts, i), "source"));
}

int spec_set_source(struct spec *s, size_t i, const char *source)
{
	json_t *m = json_array_get(s->mounts, i);

	spec_drop(m, "source");
	return json_object_set_new(m, "source", json_string(source)) < 0 ? -ENOMEM : 0;
}

/* --- mounts that the guest adds --------------------------------------------------------------- */

bool spec_mounts_at(const struct spec *s, const char *destination)
{
	return json_find(s->mounts, "destination", destination);
}

int spec_add_bind(struct spec *s, const char *source, const char *destination)
{
	bool read_only = json_is_true(json_member(s->root, "readonly"));
	json_t *m = json_pack("{s:s, s:s, s:s, s:[s, s]}", "destination", destination, "type",
			      "bind", "source", source, "options", "bind", read_only ? "ro" : "rw");

	s->mounts = spec_part(s->json, "mounts", JSON_ARRAY);
	if (s->mounts && m)
		return json_array_append_new(s->mounts, m) < 0 ? -ENOMEM : 0;
	json_decref(m);
	return -ENOMEM;
}
