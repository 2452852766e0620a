/* SPDX-License-Identifier: MIT */
/*
 * wait.c - the verb `wait`: until a container has ended, and its exit code.
 */
#include "agent/podctl/source/process.h"
#include "agent/podctl/verb/verb.h"
#include "cgfs/base/clock.h"

#include <poll.h>
#include <stdio.h>

static const struct opt options[] = {
	{ "timeout", 't', "SECONDS", opt_seconds, offsetof(struct args, timeout_ms),
	  "fail after this time, with exit status 1" },
	{ 0 },
};

static const struct opt *const tables[] = { options, NULL };

static int check(struct args *a, struct cgfs_err *reterr)
{
	return target_parse("wait for", a->argv[0], &a->target, reterr);
}

/* The first process where it is known, else any: 1 when it is gone, 0 when @ms are over. */
static int await_one(const struct group_info *info, int ms)
{
	pid_t pid = info->pid ? info->pid
			      : (pid_t)json_integer_value(json_array_get(info->processes, 0));
	int r = process_await(pid, info->path, ms);

	/* The code of a process that is gone comes a moment later. */
	if (r == 1 && info->pid)
		poll(NULL, 0, PROCESS_NOTICED_MS);
	return r;
}

static bool is_over(const struct group_info *info)
{
	return info->pid ? info->exit_code >= 0 : !json_array_size(info->processes);
}

static int await_end(const struct args *a, struct source *s, struct group_info *ret,
		     struct cgfs_err *reterr)
{
	const uint64_t start = now_ms();
	int left, r;

	for (;;) {
		r = s->ops->stat(s, &a->target, 0, ret, reterr);
		if (r < 0 || is_over(ret))
			return r;
		left = args_left_ms(a, start);
		r = await_one(ret, left);
		if (r < 0)
			err_file(reterr, r, "wait for a process of", ret->path);
		info_free(ret);
		if (r < 0)
			return r;
		if (r == 0 && !left)
			return cgfs_err_set(reterr, -ETIMEDOUT, NULL, NULL, NULL,
					    "it has not ended");
	}
}

static int wait_verb(struct args *a, struct source *s, struct cgfs_err *reterr)
{
	struct group_info info;
	int r = await_end(a, s, &info, reterr);

	if (r < 0)
		return cgfs_err_context(reterr, r, "wait for \"%s\"", a->argv[0]);
	if (a->json)
		r = out_json(
			json_pack("{s:s, s:o}", "target", a->argv[0], "exit_code",
				  info.exit_code < 0 ? json_null() : json_integer(info.exit_code)),
			reterr);
	else if (info.exit_code < 0)
		puts("-");
	else
		printf("%lld\n", (long long)info.exit_code);
	info_free(&info);
	return r;
}

const struct verb verb_wait = {
	.name = "wait",
	.operands = "POD[/CONTAINER]",
	.summary = "Wait for the end of a container, and print its exit code",
	.text = "An agent knows the exit code of a container's first process.  For a pod, and\n"
		"without an agent, podctl waits until all processes have exited and prints \"-\",\n"
		"because the kernel gives an exit code to the parent of a process only.",
	.tables = tables,
	.here = true,
	.min = 1,
	.max = 1,
	.check = check,
	.with = wait_verb,
};
