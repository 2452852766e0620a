/* SPDX-License-Identifier: MIT */
/*
 * users.c - the static programs look up no users.  libcgroup's reader of configurations does, which
 * nothing here calls.  With glibc's look-ups a static program gets the whole name service (DNS,
 * nscd, a loader of modules: 120 KB) and needs at run time the very glibc it was linked with.
 */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stddef.h>

static void *none(void)
{
	errno = ENOSYS;
	return NULL;
}

struct passwd *getpwnam(const char *name)
{
	return none();
}

struct passwd *getpwuid(uid_t uid)
{
	return none();
}

struct group *getgrnam(const char *name)
{
	return none();
}

struct group *getgrgid(gid_t gid)
{
	return none();
}

int getpwnam_r(const char *name, struct passwd *user, char *buf, size_t len, struct passwd **ret)
{
	*ret = none();
	return ENOSYS;
}

int getgrnam_r(const char *name, struct group *group, char *buf, size_t len, struct group **ret)
{
	*ret = none();
	return ENOSYS;
}
