/* SPDX-License-Identifier: MIT */
/*
 * spec_user.c - user.username, "USER[:GROUP]": names and numbers are looked up in /etc/passwd and
 * /etc/group of the container's root file system.
 *
 * The files are the image's: they are opened without leaving that root, read only when they are
 * regular, and of each as much as a file of users may have.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "agent/base/json.h"
#include "agent/runtime/spec.h"
#include "agent/runtime/spec_apply.h"
#include "agent/wire/protocol.h"
#include "cgfs/base/util.h"

#define FILE_MAX (1 << 20)

/* The text of @path in @root; NULL with *@ret_error. */
static char *read_file(const char *root, const char *path, int *ret_error)
{
	struct open_how how = { .flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
				.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS };
	auto_fd int dir = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	auto_fd int fd = -EBADF;
	auto_free char *text = NULL;
	size_t have = 0;
	struct stat st;
	ssize_t n = 1;

	fd = dir < 0 ? -1 : (int)syscall(SYS_openat2, dir, path, &how, sizeof(how));
	if (fd < 0 || fstat(fd, &st) < 0) {
		*ret_error = errno;
		return NULL;
	}
	*ret_error = !S_ISREG(st.st_mode) ? EINVAL : st.st_size > FILE_MAX ? EFBIG : ENOMEM;
	if (!S_ISREG(st.st_mode) || st.st_size > FILE_MAX)
		return NULL;
	text = malloc((size_t)st.st_size + 1);
	while (text && n > 0 && have < (size_t)st.st_size) {
		n = read(fd, text + have, (size_t)st.st_size - have);
		have += n > 0 ? (size_t)n : 0;
	}
	if (!text)
		return NULL;
	text[have] = '\0';
	*ret_error = 0;
	return take_ptr(text);
}

/* Part @i of a line of parts between colons; its length in *@ret_len.  NULL: there is none. */
static const char *part(const char *line, unsigned int i, size_t *ret_len)
{
	for (;; i--) {
		size_t len = strcspn(line, ":\n");

		if (i == 0) {
			*ret_len = len;
			return line;
		}
		if (line[len] != ':')
			return NULL;
		line += len + 1;
	}
}

static bool to_id(const char *s, size_t len, uint32_t *ret)
{
	uint64_t n = 0;

	if (len == 0 || len > 10)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (s[i] < '0' || s[i] > '9')
			return false;
		n = n * 10 + (uint64_t)(s[i] - '0');
	}
	*ret = (uint32_t)n;
	return n < UINT32_MAX;
}

/* The line whose part @i is @want, of @len bytes; NULL: none. */
static const char *find_line(const char *text, unsigned int i, const char *want, size_t len)
{
	for (const char *line = text; line && *line;) {
		size_t have;
		const char *at = part(line, i, &have);

		if (at && have == len && memcmp(at, want, len) == 0)
			return line;
		line = strchr(line, '\n');
		line += line != NULL;
	}
	return NULL;
}

static bool id_of(const char *line, unsigned int i, uint32_t *ret)
{
	size_t len;
	const char *at = line ? part(line, i, &len) : NULL;

	return at && to_id(at, len, ret);
}

uint32_t spec_resolve_user(json_t *process, const char *root, char why[SPEC_WHY_MAX])
{
	json_t *user = json_member(process, "user");
	const char *name = json_string_value(json_member(user, "username"));
	auto_free char *passwd = NULL, *group = NULL;
	size_t len = name ? strcspn(name, ":") : 0;
	const char *of_group = name && name[len] ? name + len + 1 : "";
	uint32_t uid = 0, gid = 0;
	const char *line;
	int error;

	if (!name || !*name)
		return HR_OK;
	passwd = read_file(root, "etc/passwd", &error);
	line = passwd ? find_line(passwd, to_id(name, len, &uid) ? 2 : 0, name, len) : NULL;
	if (!to_id(name, len, &uid) && !id_of(line, 2, &uid))
		return spec_refuse(
			HR_FAIL, why,
			"process.user.username \"%.64s\": no such user in /etc/passwd of "
			"the root file system%s%s",
			name, error ? ": " : "", error ? strerror(error) : "");
	if (name[len] && !*of_group)
		return spec_refuse(HR_FAIL, why,
				   "process.user.username \"%.64s\": no group behind the colon",
				   name);
	/* A number that no user has belongs to the group 0. */
	(void)id_of(line, 3, &gid);
	if (*of_group && !to_id(of_group, strlen(of_group), &gid)) {
		group = read_file(root, "etc/group", &error);
		line = group ? find_line(group, 0, of_group, strlen(of_group)) : NULL;
		if (!id_of(line, 2, &gid))
			return spec_refuse(HR_FAIL, why,
					   "process.user.username \"%.64s\": no such group in "
					   "/etc/group of the root file system%s%s",
					   name, error ? ": " : "", error ? strerror(error) : "");
	}
	spec_drop(user, "uid");
	spec_drop(user, "gid");
	if (json_object_set_new(user, "uid", json_integer(uid)) < 0 ||
	    json_object_set_new(user, "gid", json_integer(gid)) < 0)
		return spec_refuse(HR_FAIL, why, "out of memory");
	return HR_OK;
}

json_t *spec_named_user(const json_t *process)
{
	json_t *user = json_member(process, "user");
	const char *name = json_string_value(json_member(user, "username"));

	return name && *name ? json_deep_copy(user) : NULL;
}

int spec_set_user(json_t *process, const json_t *user)
{
	spec_drop(process, "user");
	return json_object_set_new(process, "user", json_deep_copy(user)) < 0 ? -ENOMEM : 0;
}

const char *spec_root_path(const struct spec *s)
{
	return json_string_value(json_member(s->root, "path"));
}
