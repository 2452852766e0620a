/* SPDX-License-Identifier: MIT */
/*
 * args.c - which agent and which pod or container the command line means.
 */
#include "agent/podctl/args/args.h"
#include "agent/wire/owner.h"
#include "cgfs/base/clock.h"

#include <stdio.h>

int no_memory(struct cgfs_err *reterr)
{
	return cgfs_err_set(reterr, -ENOMEM, NULL, NULL, NULL, "out of memory");
}

/* The agent that owns the pods root, if it serves a local socket. */
static bool find_owner(const char *root, char *uri, size_t len)
{
	struct cgfs_mounts mounts = CGFS_MOUNTS_INIT;
	char socket[OWNER_PATH_MAX];
	pid_t pid;

	if (cgfs_discover(&mounts, NULL) < 0 || !owner_find(&mounts, root, &pid, socket) ||
	    !*socket)
		return false;
	snprintf(uri, len, "unix:%s", socket);
	return true;
}

int args_left_ms(const struct args *a, uint64_t start_ms)
{
	uint64_t passed = now_ms() - start_ms;
	uint64_t left = a->timeout_ms > passed ? a->timeout_ms - passed : 0;

	return left < 3600000 ? (int)left : 3600000;
}

const char *args_agent(const struct args *a)
{
	/* Pins of one's own are another root's, or the owner is asked all the same. */
	const char *env = a->root || a->pin_dir ? NULL : getenv("CGFS_AGENT");
	static char uri[OWNER_PATH_MAX + 8];
	static int found;

	if (a->no_agent)
		return NULL;
	if (a->agent)
		return a->agent;
	if (env && *env)
		return env;
	if (!found)
		found = find_owner(a->root, uri, sizeof(uri)) ? 1 : -1;
	return found > 0 ? uri : NULL;
}

bool args_elsewhere(const struct args *a)
{
	const char *agent = args_agent(a);

	return agent && strncmp(agent, "vsock:", 6) == 0;
}

int target_parse(const char *op, const char *text, struct target *ret, struct cgfs_err *reterr)
{
	const char *slash = strchr(text, '/');
	size_t len = slash ? (size_t)(slash - text) : strlen(text);
	struct cgfs_err why = { 0 };
	int r;

	if (len > CGFS_ID_MAX || (slash && strlen(slash + 1) > CGFS_ID_MAX))
		return cgfs_err_set(reterr, -ENAMETOOLONG, NULL, NULL, NULL,
				    "%s \"%.64s...\": an id has at most %d bytes", op, text,
				    CGFS_ID_MAX);
	memcpy(ret->pod, text, len);
	ret->pod[len] = '\0';
	strcpy(ret->ctr, slash ? slash + 1 : "");

	r = cgfs_id_check(ret->pod, &why);
	if (r == 0 && slash)
		r = cgfs_id_check(ret->ctr, &why);
	if (r < 0) {
		if (reterr)
			*reterr = why;
		return cgfs_err_context(reterr, r, "%s \"%s\"", op, text);
	}
	return 0;
}

int target_set(struct target *ret, const char *pod, const char *ctr, struct cgfs_err *reterr)
{
	int r = cgfs_id_check(pod, reterr);

	if (r == 0 && *ctr)
		r = cgfs_id_check(ctr, reterr);
	if (r < 0)
		return r;
	strcpy(ret->pod, pod);
	strcpy(ret->ctr, ctr);
	return 0;
}
