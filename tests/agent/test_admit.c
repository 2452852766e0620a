/* SPDX-License-Identifier: MIT */
/*
 * test_admit.c - a sandbox whose annotation gives its pod a budget: what runs in the pod is refused
 * when that is used, what the agent starts there is not.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/wire/protocol.h"
#include "cgfs/base/util.h"
#include "world.h"

#define KEY    "io.cgfs.memory-admit"
#define BUDGET "50331648"

/* Holds more than the budget, and forks for each line of the FIFO; a shell that cannot fork ends
 * with 2. */
static const char script[] =
	"busybox mkfifo /tmp/go; dd if=/dev/zero of=/dev/held bs=1M count=56 2>/dev/null;\n"
	"while :; do read x < /tmp/go || continue; (exit 0); [ \"$x\" != end ] || exit 3; done";

static json_t *annotated(const struct world *w, const char *id, const char *pod, const char *text,
			 const char *value)
{
	json_t *spec = world_spec(w, id, pod, text, NULL);

	json_object_set_new(json_object_get(spec, "annotations"), KEY, json_string(value));
	return world_create_body(w, id, spec);
}

static void sandbox(struct world *w)
{
	json_t *body = annotated(w, "sb", "sb", NULL, BUDGET);
	struct cgfs_err err = { 0 };
	int r = client_call(w->c, MSG_CREATE, body, NULL, 0, WORLD_MS, NULL, &err);

	json_decref(body);
	if (r == 0)
		return;
	/* The reason is the kernel's, and nothing is left. */
	CHECK_MSG(strstr(err.text, "cgfs_adm") || strstr(err.text, "memory.admit"), "%s", err.text);
	CHECK(!kit_exists(&w->kit, "sb"));
	tap_skip("%s", err.text);
}

/* @flags O_NONBLOCK: not while no process reads. */
static void tell(const struct world *w, const char *line, int flags)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/rootfs/tmp/go", w->dir);
	fd = open(path, O_WRONLY | O_CLOEXEC | flags);
	CHECK(fd >= 0 || (errno == ENXIO && flags));
	if (fd < 0)
		return;
	ignore((int)write(fd, line, strlen(line)));
	close(fd);
}

static uint32_t exec_exit(struct world *w, const char *id)
{
	return world_wait(
		w, id,
		world_execute(
			w, id,
			"{\"OciProcess\":{\"args\":[\"/bin/sh\",\"-c\",\"/bin/true; exit 5\"],"
			"\"cwd\":\"/\",\"env\":[\"PATH=/bin\"]}}"));
}

KERNEL_TEST(admit_annotation_is_the_pods_budget)
{
	static const char *const bad[] = {
		"", "0", "-1", "many", "64M", "4096", "18446744073709551614", "18446744073709551615"
	};
	pid_t pid;

	world_need_memory(w);
	(void)signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		world_refuse(w, MSG_CREATE, annotated(w, "sb", "sb", NULL, bad[i]), HR_INVALID_ARG);
	sandbox(w);
	world_start(w, "sb");
	world_create(w, "c", "sb", script);
	pid = world_start(w, "c");
	while (world_figure(w, "c", "memory/usage/usage") < 56 << 20)
		usleep(10000);
	CHECK_INT(exec_exit(w, "c"), 5);
	world_create(w, "d", "sb", "exit 7");
	CHECK_INT(world_wait(w, "d", world_start(w, "d")), 7);
	/* What was just started is let in for a while. */
	while (kill(pid, 0) == 0) {
		tell(w, "fork\n", O_NONBLOCK);
		usleep(100000);
	}
	CHECK_INT(world_wait(w, "c", pid), 2);
}

/* Of 59 MiB the budget is 55.3, which the script exceeds. */
KERNEL_TEST(admit_auto_annotation_is_below_the_limit)
{
	json_t *spec;
	pid_t pid;

	world_need_memory(w);
	(void)signal(SIGPIPE, SIG_IGN);
	sandbox(w);
	world_refuse(w, MSG_CREATE, annotated(w, "c", "sb", script, "auto"), HR_INVALID_ARG);
	spec = world_spec(w, "c", NULL, script,
			  json_pack("{s:{s:i}}", "memory", "limit", 59 << 20));
	json_object_set_new(json_object_get(spec, "annotations"), KEY, json_string("auto"));
	world_do(w, MSG_CREATE, world_create_body(w, "c", spec));
	pid = world_start(w, "c");
	while (world_figure(w, "c", "memory/usage/usage") < 56 << 20)
		usleep(10000);
	while (kill(pid, 0) == 0) {
		tell(w, "fork\n", O_NONBLOCK);
		usleep(100000);
	}
	CHECK_INT(world_wait(w, "c", pid), 2);
}

/* The limit is a child's to set, the budget the agent's, and it needs the limit. */
KERNEL_TEST(admit_auto_comes_with_the_first_limit)
{
	world_need_memory(w);
	sandbox(w);
	world_refuse(w, MSG_EXT_UPDATE_POD,
		     json_pack("{s:s, s:{s:{s:s}}}", "PodId", "sb", "Resources", "memory", "admit",
			       "auto"),
		     HR_INVALID_ARG);
	world_do(w, MSG_EXT_UPDATE_POD,
		 json_pack("{s:s, s:{s:{s:i, s:s}}}", "PodId", "sb", "Resources", "memory", "limit",
			   64 << 20, "admit", "auto"));
}

KERNEL_TEST(admit_exempt_container_exceeds_its_pods)
{
	pid_t pid;

	world_need_memory(w);
	sandbox(w);
	world_do(w, MSG_CREATE, annotated(w, "c", "sb", script, "exempt"));
	pid = world_start(w, "c");
	while (world_figure(w, "c", "memory/usage/usage") < 56 << 20)
		usleep(10000);
	tell(w, "end\n", 0);
	CHECK_INT(world_wait(w, "c", pid), 3);
}
