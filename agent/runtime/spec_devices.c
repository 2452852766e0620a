/* SPDX-License-Identifier: MIT */
/*
 * spec_devices.c - the device nodes of the guest that a specification asks for by path: looked up,
 * written into linux.devices, and allowed in linux.resources.devices.
 *
 * A path comes from the host; only the node's type and numbers are taken from it, and nothing is
 * opened, so that a FIFO or a slow device cannot hold the agent up.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "agent/base/json.h"
#include "agent/runtime/spec.h"
#include "agent/runtime/spec_apply.h"
#include "agent/wire/protocol.h"
#include "cgfs/base/util.h"

#define BLOCKDEV      "blockdev://"
/* A machine with more nodes than this has something in /dev that is not device nodes. */
#define DEVICES_MAX   4096
#define DEVICES_DEPTH 8

json_t *spec_part(json_t *object, const char *name, json_type type)
{
	json_t *part = json_member(object, name);

	if (part && json_typeof(part) == type)
		return part;
	if (!json_is_object(object))
		return NULL;
	spec_drop(object, name);
	if (json_object_set_new(object, name, type == JSON_ARRAY ? json_array() : json_object()) <
	    0)
		return NULL;
	return json_object_get(object, name);
}

static uint32_t no_memory(char why[SPEC_WHY_MAX])
{
	return spec_refuse(HR_FAIL, why, "out of memory");
}

/* Appends a rule that allows one device to linux.resources.devices. */
static bool allow(struct spec *s, char type, dev_t dev, const char *access)
{
	const char text[2] = { type, '\0' };

	if (!s->resources)
		s->resources = spec_part(s->lin, "resources", JSON_OBJECT);
	if (!json_is_array(s->rules))
		s->rules = spec_part(s->resources, "devices", JSON_ARRAY);
	return s->rules &&
	       json_array_append_new(s->rules,
				     json_pack("{s:b, s:s, s:I, s:I, s:s}", "allow", 1, "type",
					       text, "major", (json_int_t)major(dev), "minor",
					       (json_int_t)minor(dev), "access", access)) == 0;
}

/* 'b', 'c', or 0 for what is no device node. */
static char node_type(const struct stat *st)
{
	return S_ISBLK(st->st_mode) ? 'b' : S_ISCHR(st->st_mode) ? 'c' : 0;
}

static json_t *node_json(const char *path, const struct stat *st)
{
	const char type[2] = { node_type(st), '\0' };

	return json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:I}", "path", path, "type", type, "major",
			 (json_int_t)major(st->st_rdev), "minor", (json_int_t)minor(st->st_rdev),
			 "fileMode", (json_int_t)(st->st_mode & 07777), "uid",
			 (json_int_t)st->st_uid, "gid", (json_int_t)st->st_gid);
}

/* --- linux.devices ---------------------------------------------------------------------------- */

/* An entry that gives type and numbers itself is complete; OCI lets "p" go without numbers. */
static bool complete(const json_t *device, const char *type)
{
	return *type && (json_member(device, "major") || *type == 'p');
}

/* The type as the kernel has it ('u' is 'c'), and the numbers.  NULL, or the member that is none.
 */
static const char *numbers(const json_t *device, const char *type, char *ret_type, dev_t *ret_dev)
{
	json_int_t maj = json_integer_value(json_member(device, "major"));
	json_int_t min = json_integer_value(json_member(device, "minor"));

	if (!strchr("bcup", *type) || type[1])
		return "type is not b, c, u or p";
	if (maj < 0 || maj > 0xfff)
		return "major is not 0 to 4095";
	if (min < 0 || min > 0xfffff)
		return "minor is not 0 to 1048575";
	*ret_type = *type == 'u' ? 'c' : *type;
	*ret_dev = makedev((unsigned int)maj, (unsigned int)min);
	return NULL;
}

uint32_t spec_apply_devices(struct spec *s, char why[SPEC_WHY_MAX])
{
	size_t i;

	if (s->devices && !json_is_array(s->devices))
		return spec_refuse(HR_INVALID_ARG, why, "linux.devices is not a list");
	for (i = 0; i < json_array_size(s->devices); i++) {
		json_t *device = json_array_get(s->devices, i);
		const char *path = json_string_value(json_member(device, "path"));
		const char *given = json_string_value(json_member(device, "type"));
		const char *bad = NULL;
		struct stat st;
		char type;
		dev_t dev;

		if (!path || path[0] != '/')
			return spec_refuse(HR_INVALID_ARG, why,
					   "linux.devices[%zu].path is not an absolute path", i);
		if (given && complete(device, given)) {
			bad = numbers(device, given, &type, &dev);
		} else {
			if (stat(path, &st) < 0)
				return spec_refuse(HR_FAIL, why,
						   "linux.devices[%zu].path \"%.100s\": %s", i,
						   path, strerror(errno));
			type = node_type(&st);
			if (!type)
				return spec_refuse(HR_FAIL, why,
						   "linux.devices[%zu].path \"%.100s\" is not a "
						   "device node",
						   i, path);
			dev = st.st_rdev;
			device = node_json(path, &st);
			if (!device || json_array_set_new(s->devices, i, device) < 0)
				return no_memory(why);
		}
		if (bad)
			return spec_refuse(HR_INVALID_ARG, why, "linux.devices[%zu].%s", i, bad);
		if (type != 'p' && !allow(s, type, dev, "rwm"))
			return no_memory(why);
	}
	return HR_OK;
}

/* --- privileged ------------------------------------------------------------------------------- */

/* What is in /dev without being the guest's own devices: file systems of their own, and links. */
static bool skipped(const char *name)
{
	static const char *const names[] = { "pts",	"shm",	"fd",	       "mqueue",
					     "console", ".lxc", ".lxd-mounts", ".udev" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (streq(name, names[i]))
			return true;
	}
	return name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2]));
}

/* The specification's own entries win. */
static int add_nodes(json_t *list, int dirfd, const char *dir, int depth)
{
	DIR *d = fdopendir(dirfd);
	struct dirent *e;
	int r = 0;

	if (!d) {
		close(dirfd);
		return -errno;
	}
	while (r == 0 && (e = readdir(d))) {
		char path[PATH_MAX];
		struct stat st;

		if (skipped(e->d_name) || fstatat(dirfd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		    (size_t)snprintf(path, sizeof(path), "%s/%s", dir, e->d_name) >= sizeof(path))
			continue;
		if (S_ISDIR(st.st_mode) && depth < DEVICES_DEPTH) {
			int fd = openat(dirfd, e->d_name,
					O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

			r = fd < 0 ? 0 : add_nodes(list, fd, path, depth + 1);
		} else if (node_type(&st) && st.st_rdev != 0 && !json_find(list, "path", path)) {
			if (json_array_size(list) >= DEVICES_MAX)
				r = -E2BIG;
			else if (json_array_append_new(list, node_json(path, &st)) < 0)
				r = -ENOMEM;
		}
	}
	closedir(d);
	return r;
}

uint32_t spec_apply_privileged(struct spec *s, char why[SPEC_WHY_MAX])
{
	json_t *list = s->devices = spec_part(s->lin, "devices", JSON_ARRAY);
	json_t *resources = s->resources = spec_part(s->lin, "resources", JSON_OBJECT);
	int fd = open("/dev", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = fd < 0 ? -errno : 0;

	if (!list || !resources) {
		if (fd >= 0)
			close(fd);
		return no_memory(why);
	}
	if (r == 0)
		r = add_nodes(list, fd, "/dev", 0);
	if (r < 0)
		return spec_refuse(HR_FAIL, why, "list the device nodes of /dev: %s", strerror(-r));
	spec_drop(resources, "devices");
	s->rules = json_pack("[{s:b, s:s}]", "allow", 1, "access", "rwm");
	if (json_object_set_new(resources, "devices", s->rules) < 0)
		return no_memory(why);
	return HR_OK;
}

/* --- blockdev:// ------------------------------------------------------------------------------ */

static bool read_only(const json_t *mount)
{
	json_t *v;
	size_t i;

	json_array_foreach(json_member(mount, "options"), i, v)
	{
		if (json_is_string(v) && streq(json_string_value(v), "ro"))
			return true;
	}
	return false;
}

uint32_t spec_apply_block_mounts(struct spec *s, char why[SPEC_WHY_MAX])
{
	json_t *m;
	size_t i;

	json_array_foreach(s->mounts, i, m)
	{
		const char *to = json_string_value(json_member(m, "destination"));
		const char *from = json_string_value(json_member(m, "source"));
		auto_free char *path = NULL;
		struct stat st;

		if (!to || strncmp(to, BLOCKDEV, strlen(BLOCKDEV)) != 0)
			continue;
		if (to[strlen(BLOCKDEV)] != '/')
			return spec_refuse(
				HR_FAIL, why,
				"mounts[%zu]: destination \"%.100s\" has no absolute path", i, to);
		if (!from || from[0] != '/' || stat(from, &st) < 0)
			return spec_refuse(HR_FAIL, why, "mounts[%zu]: source \"%.100s\": %s", i,
					   from ? from : "",
					   from && from[0] == '/' ? strerror(errno)
								  : "not an absolute path");
		if (!S_ISBLK(st.st_mode))
			return spec_refuse(HR_FAIL, why,
					   "mounts[%zu]: source \"%.100s\" is not a block device",
					   i, from);
		path = strdup(to + strlen(BLOCKDEV));
		spec_drop(m, "destination");
		if (!path || json_object_set_new(m, "destination", json_string(path)) < 0 ||
		    !allow(s, 'b', st.st_rdev, read_only(m) ? "r" : "rwm"))
			return no_memory(why);
	}
	return HR_OK;
}
