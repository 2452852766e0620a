/* SPDX-License-Identifier: MIT */
/*
 * spec_apply.c - annotations, hostname and network namespace of a specification: applied as the
 * reference's guest applies them, or refused by name.  Pure but for the calls into spec_devices.c.
 *
 * An annotation whose effect the agent cannot give is refused, since a container that runs without
 * what its owner asked for is worse than one that does not run.  Annotations that only the host
 * reads (virtual hardware, Windows containers) are not the guest's business and pass.
 */
#include "agent/runtime/spec_apply.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent/base/json.h"
#include "agent/runtime/spec.h"
#include "agent/wire/protocol.h"
#include "cgfs/base/json.h"
#include "cgfs/base/util.h"

#define SHM_ANNOTATION	    "io.microsoft.lcow.shm.size-kb"
#define CORE_ANNOTATION	    "io.microsoft.lcow.rlimitcore"
#define PRIVILEGED	    "io.microsoft.virtualmachine.lcow.privileged"
#define SKIP_NETWORKING	    "io.microsoft.cri.skip-pod-networking"
#define HOST_NETWORK_SUFFIX "lcow.hostnetwork"
#define OUR_ANNOTATIONS	    "io.cgfs."

/* By the end of their names, which is the same in all releases of the host. */
static const char *const unsupported[] = { "tee-log-path", "tee-log-dir-mount",
					   "container.gpu.capabilities" };

static bool ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), k = strlen(end);

	return n >= k && streq(s + n - k, end);
}

/* --- hostname and network -------------------------------------------------------------------- */

/* Labels of letters, digits and inner hyphens (RFC 1123), at most 63 bytes each, which is also
 * what sethostname(2) takes at most. */
bool spec_hostname_ok(const char *s)
{
	if (strlen(s) > 63)
		return false;
	for (;;) {
		size_t n = strcspn(s, ".");

		if (n == 0 || s[0] == '-' || s[n - 1] == '-')
			return false;
		for (size_t i = 0; i < n; i++) {
			if (!isalnum((unsigned char)s[i]) && s[i] != '-')
				return false;
		}
		if (!s[n])
			return true;
		s += n + 1;
	}
}

static uint32_t check_hostname(const struct spec *s, enum spec_kind kind, char why[SPEC_WHY_MAX])
{
	const char *name = json_string_value(s->hostname);

	if (s->hostname && !name)
		return spec_refuse(HR_INVALID_ARG, why, "hostname is not a string");
	if (!name || !*name)
		return HR_OK;
	if (kind == SPEC_WORKLOAD)
		return spec_refuse(HR_FAIL, why,
				   "workload container must not change hostname: %.100s", name);
	if (!spec_hostname_ok(name))
		return spec_refuse(HR_FAIL, why, "hostname \"%.100s\" is not valid", name);
	return HR_OK;
}

/*
 * The host adds a sandbox's network namespace by a message that this agent refuses, so that
 * none is ever there: what the reference answers then.  A virtual pod's sandbox, and one that says
 * that it needs none, get on without.
 */
static uint32_t check_network(const struct spec *s, const struct spec_place *place,
			      char why[SPEC_WHY_MAX])
{
	const json_t *network = json_member(s->windows, "network");
	const char *id = json_string_value(json_member(network, "networkNamespace"));
	const char *skip = spec_annotation(s, SKIP_NETWORKING);

	if (place->kind != SPEC_SANDBOX || place->virtual_pod || (skip && streq(skip, "true")))
		return HR_OK;
	return spec_refuse(HR_NOT_FOUND, why,
			   "HRESULT %#x: network namespace \"%.80s\" does not exist; %s \"true\" "
			   "starts a sandbox without one",
			   HR_NOT_FOUND, id ? id : "", SKIP_NETWORKING);
}

void spec_drop_namespace(struct spec *s, const char *type)
{
	for (size_t i = json_array_size(s->namespaces); i-- > 0;) {
		const char *have =
			json_string_value(json_member(json_array_get(s->namespaces, i), "type"));

		if (have && streq(have, type))
			json_array_remove(s->namespaces, i);
	}
}

bool spec_joins_namespace(const struct spec *s, const char *type)
{
	const char *path = json_string_value(json_member(spec_namespace(s, type), "path"));

	return path && *path;
}

bool spec_makes_namespace(const struct spec *s, const char *type)
{
	return spec_namespace(s, type) && !spec_joins_namespace(s, type);
}

int spec_join_namespace(struct spec *s, const char *type, const char *path)
{
	spec_drop_namespace(s, type);
	s->namespaces = spec_part(s->lin, "namespaces", JSON_ARRAY);
	return !s->namespaces || json_array_append_new(
					 s->namespaces,
					 json_pack("{s:s, s:s}", "type", type, "path", path)) < 0
		       ? -ENOMEM
		       : 0;
}

/* --- annotations ------------------------------------------------------------------------------ */

static bool parse_u64(const char *s, size_t len, uint64_t *ret)
{
	char digits[24];

	if (len == 0 || len >= sizeof(digits) || strspn(s, "0123456789") < len)
		return false;
	memcpy(digits, s, len);
	digits[len] = '\0';
	errno = 0;
	*ret = strtoull(digits, NULL, 10);
	return errno == 0;
}

int spec_number(const char *text, uint64_t *ret)
{
	return parse_u64(text, strlen(text), ret) ? 0 : -EINVAL;
}

/* Takes out the entries of a list of objects whose member @name is @value. */
static void remove_where(json_t *list, const char *name, const char *value)
{
	for (size_t i = json_array_size(list); i-- > 0;) {
		const char *s = json_string_value(json_member(json_array_get(list, i), name));

		if (s && streq(s, value))
			json_array_remove(list, i);
	}
}

static uint32_t apply_shm(struct spec *s, char why[SPEC_WHY_MAX])
{
	const char *text = spec_annotation(s, SHM_ANNOTATION);
	char size[40];
	uint64_t kib;

	if (!text)
		return HR_OK;
	if (!parse_u64(text, strlen(text), &kib) || kib == 0 || kib > INT64_MAX)
		return spec_refuse(HR_FAIL, why,
				   "annotation " SHM_ANNOTATION
				   ": \"%.40s\" is not a positive number of KiB",
				   text);
	snprintf(size, sizeof(size), "size=%lluk", (unsigned long long)kib);
	s->mounts = spec_part(s->json, "mounts", JSON_ARRAY);
	remove_where(s->mounts, "destination", "/dev/shm");
	if (!s->mounts ||
	    json_array_append_new(s->mounts,
				  json_pack("{s:s, s:s, s:s, s:[s, s, s, s, s]}", "destination",
					    "/dev/shm", "type", "tmpfs", "source", "shm", "options",
					    "nosuid", "noexec", "nodev", "mode=1777", size)) < 0)
		return spec_refuse(HR_FAIL, why, "out of memory");
	return HR_OK;
}

/* "SOFT;HARD" of RLIMIT_CORE, in bytes; 2^64 - 1 is RLIM_INFINITY. */
static uint32_t apply_core(struct spec *s, char why[SPEC_WHY_MAX])
{
	const char *text = spec_annotation(s, CORE_ANNOTATION);
	const char *semicolon = text ? strchr(text, ';') : NULL;
	uint64_t soft, hard;
	json_t *limits, *limit;
	char entry[96];

	if (!text || !*text)
		return HR_OK;
	if (!semicolon || !parse_u64(text, (size_t)(semicolon - text), &soft) ||
	    !parse_u64(semicolon + 1, strlen(semicolon + 1), &hard) || soft > hard)
		return spec_refuse(HR_FAIL, why,
				   "annotation " CORE_ANNOTATION
				   ": \"%.60s\" is not \"SOFT;HARD\" in bytes",
				   text);
	limits = spec_part(s->process, "rlimits", JSON_ARRAY);
	remove_where(limits, "type", "RLIMIT_CORE");
	snprintf(entry, sizeof(entry), "{\"type\":\"RLIMIT_CORE\",\"soft\":%llu,\"hard\":%llu}",
		 (unsigned long long)soft, (unsigned long long)hard);
	limit = cgfs_json_load(entry, strlen(entry), 0, NULL);
	if (!limits || json_array_append_new(limits, limit) < 0)
		return spec_refuse(HR_FAIL, why, "out of memory");
	return HR_OK;
}

static uint32_t check_annotations(const struct spec *s, bool *ret_host_network,
				  char why[SPEC_WHY_MAX])
{
	const char *key;
	json_t *v;

	*ret_host_network = false;
	json_object_foreach(s->annotations, key, v)
	{
		const char *value = json_string_value(v);

		if (strncmp(key, OUR_ANNOTATIONS, strlen(OUR_ANNOTATIONS)) == 0 &&
		    !streq(key, ADMIT_ANNOTATION))
			return spec_refuse(HR_INVALID_ARG, why,
					   "annotation %.120s: there is none of "
					   "that name",
					   key);
		if (strncmp(key, "io.microsoft.", 13) != 0 || !value || !*value)
			continue;
		if (ends_with(key, HOST_NETWORK_SUFFIX)) {
			*ret_host_network = streq(value, "true");
			if (!*ret_host_network && !streq(value, "false"))
				return spec_refuse(
					HR_FAIL, why,
					"annotation %.80s: \"%.40s\" is neither true nor "
					"false",
					key, value);
		}
		for (size_t i = 0; i < ARRAY_SIZE(unsupported); i++) {
			if (ends_with(key, unsupported[i]))
				return spec_refuse(HR_FAIL, why,
						   "annotation %.120s is not supported", key);
		}
	}
	return HR_OK;
}

/* Devices that the host has assigned to the virtual machine: they cannot be handed on. */
static uint32_t check_assigned(const struct spec *s, char why[SPEC_WHY_MAX])
{
	const json_t *devices = json_member(s->windows, "devices");
	const json_t *first = json_array_get(devices, 0);
	const char *id = json_string_value(json_member(first, "id"));

	if (json_array_size(devices) == 0)
		return HR_OK;
	return spec_refuse(HR_FAIL, why,
			   "windows.devices[0] \"%.80s\": assigned devices are not "
			   "supported",
			   id ? id : "");
}

bool spec_host_network(const struct spec *s)
{
	const char *key;
	json_t *v;

	json_object_foreach(s->annotations, key, v)
	{
		const char *value = json_string_value(v);

		if (strncmp(key, "io.microsoft.", 13) == 0 && ends_with(key, HOST_NETWORK_SUFFIX) &&
		    value && streq(value, "true"))
			return true;
	}
	return false;
}

uint32_t spec_apply(struct spec *s, const struct spec_place *place, char why[SPEC_WHY_MAX])
{
	const char *privileged = spec_annotation(s, PRIVILEGED);
	bool host_network;
	uint32_t hr;

	if (privileged && *privileged && !streq(privileged, "true") && !streq(privileged, "false"))
		return spec_refuse(HR_FAIL, why,
				   "annotation " PRIVILEGED ": \"%.40s\" is neither true nor false",
				   privileged);
	hr = check_hostname(s, place->kind, why);
	if (hr == HR_OK)
		hr = check_annotations(s, &host_network, why);
	if (hr == HR_OK && !host_network)
		hr = check_network(s, place, why);
	if (hr == HR_OK)
		hr = check_assigned(s, why);
	if (hr == HR_OK)
		hr = apply_shm(s, why);
	if (hr == HR_OK)
		hr = apply_core(s, why);
	if (hr == HR_OK)
		hr = spec_apply_uvm_mounts(s, why);
	if (hr == HR_OK)
		hr = spec_apply_block_mounts(s, why);
	if (hr == HR_OK)
		hr = privileged && streq(privileged, "true") ? spec_apply_privileged(s, why)
							     : spec_apply_devices(s, why);
	if (hr == HR_OK && host_network)
		spec_drop_namespace(s, "network");
	return hr;
}
