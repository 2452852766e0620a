/* SPDX-License-Identifier: MIT */
/*
 * test_memory.c - the limit of all pods together, read from the kernel's files.
 */
#include <cgfs/cgfs.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>

#include "cgfs/base/util.h"
#include "world.h"

/* The file with the limit of the pods root. */
static void limit_file(const struct world *w, char *path, size_t len)
{
	if (!kit_find(&w->kit, "", "memory.limit_in_bytes", path, len) &&
	    !kit_find(&w->kit, "", "memory.max", path, len))
		FAIL("no hierarchy has a limit of %s", w->root);
}

static uint64_t limit_of(const struct world *w)
{
	char path[512], text[32];

	limit_file(w, path, sizeof(path));
	CHECK(kit_read(path, text, sizeof(text)) > 0);
	return strtoull(text, NULL, 10);
}

static void set_limit(const struct world *w, const char *text)
{
	char path[512];

	limit_file(w, path, sizeof(path));
	CHECK_INT(kit_write(path, text), 0);
}

/* The kernel counts in pages. */
static uint64_t expected(uint64_t reserve)
{
	struct sysinfo si;

	CHECK_INT(sysinfo(&si), 0);
	return ((uint64_t)si.totalram * si.mem_unit - reserve) & ~UINT64_C(4095);
}

static json_t *refresh(const char *type)
{
	json_t *request = json_pack("{s:s}", "ResourceType", "PodCgroupMemoryLimit");

	if (type)
		json_object_set_new(request, "RequestType", json_string(type));
	return json_pack("{s:s, s:o}", "ContainerId", PROTOCOL_UVM_ID, "Request", request);
}

KERNEL_TEST(pods_together_leave_the_reserve)
{
	world_need_memory(w);
	CHECK(limit_of(w) == expected(75 << 20));
	/* It is put right when the host asks, and only in the way it may ask. */
	set_limit(w, "1073741824");
	world_refuse(w, MSG_MODIFY_SETTINGS, refresh("Add"), HR_FAIL);
	world_refuse(w, MSG_MODIFY_SETTINGS, refresh(NULL), HR_FAIL);
	CHECK(limit_of(w) == 1 << 30);
	world_do(w, MSG_MODIFY_SETTINGS, refresh("Update"));
	CHECK(limit_of(w) == expected(75 << 20));
	/* With a pod, whose memory the kernel may have to take back first, a child does it. */
	world_create(w, "c", "c", NULL);
	set_limit(w, "1073741824");
	world_do(w, MSG_MODIFY_SETTINGS, refresh("Update"));
	CHECK(limit_of(w) == expected(75 << 20));
}

KERNEL_TEST(root_that_was_removed_gets_its_limit_again)
{
	struct cgfs_open_opts opts = CGFS_OPEN_OPTS_INIT;
	struct cgfs *c;

	world_need_memory(w);
	opts.root = w->root;
	CHECK_INT(cgfs_open(&opts, &c, NULL), 0);
	CHECK_INT(cgfs_root_remove(c, NULL), 0);
	cgfs_close(c);
	CHECK_INT(world_leftovers(w), 2); /* pins and state, no cgroup */
	world_create(w, "c", NULL, NULL);
	CHECK(limit_of(w) == expected(75 << 20));
}

KERNEL_TEST(reserve_is_an_option)
{
	static const char *const args[] = { "-root-mem-reserve-bytes=104857600", NULL };
	static const char *const all[] = { "-root-mem-reserve-bytes", "0x7fffffffffffffff", NULL };
	int status;

	world_need_memory(w);
	client_close(w->c);
	w->c = NULL;
	kill(w->agent, SIGTERM);
	CHECK_INT(waitpid(w->agent, &status, 0), w->agent);

	/* Nothing would be left. */
	world_start_agent(w, all);
	CHECK_INT(waitpid(w->agent, &status, 0), w->agent);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 1);

	world_start_agent(w, args);
	w->c = world_connect(w, true);
	json_decref(world_call(w, MSG_EXT_LIST_PODS, NULL)); /* when it is ready */
	CHECK(limit_of(w) == expected(100 << 20));
}

KERNEL_TEST(empty_root_goes_with_the_agent)
{
	static const char *const keep[] = { "--delete-on-exit=false", NULL };
	int status;

	client_close(w->c);
	kill(w->agent, SIGTERM);
	CHECK_INT(waitpid(w->agent, &status, 0), w->agent);
	world_start_agent(w, keep);
	w->c = world_connect(w, true);
	json_decref(world_call(w, MSG_EXT_LIST_PODS, NULL));
	client_close(w->c);
	kill(w->agent, SIGTERM);
	CHECK_INT(waitpid(w->agent, &status, 0), w->agent);
	CHECK_INT(world_leftovers(w), 2); /* pins and state, no cgroup */
	world_start_agent(w, NULL);
	w->c = world_connect(w, true);
}

/* The line of the table that has @id as one of its two names; false: there is none. */
static bool table_has(const struct world *w, const char *id, uint64_t *ret_usage)
{
	char path[512], line[512], pod[128], container[128];
	unsigned long long usage;
	bool found = false;
	FILE *f;

	snprintf(path, sizeof(path), "%s/mem", w->pins);
	f = fopen(path, "re");
	if (!f)
		tap_skip("%s: %s; see bpf.report of podctl doctor", path, strerror(errno));
	while (!found && fgets(line, sizeof(line), f)) {
		found = sscanf(line, "%127s %127s %llu", pod, container, &usage) == 3 &&
			(streq(pod, id) || streq(container, id));
		if (found)
			*ret_usage = usage;
	}
	fclose(f);
	return found;
}

/* The table is the kernel's: it is there while no agent is, and goes on with the next one. */
KERNEL_TEST(accounting_outlives_the_agent)
{
	static const char *const args[] = { "-memory-accounting", NULL };
	uint64_t usage = 0;

	world_need_memory(w);
	client_close(w->c);
	CHECK_INT(kill(w->agent, SIGTERM), 0);
	CHECK_INT(waitpid(w->agent, NULL, 0), w->agent);
	world_start_agent(w, args);
	w->c = world_connect(w, true);
	world_create(w, "counted", NULL, "while :; do sleep 1; done");
	world_start(w, "counted");
	CHECK(table_has(w, "counted", &usage));
	CHECK(usage > 0);
	client_close(w->c);
	CHECK_INT(kill(w->agent, SIGKILL), 0);
	CHECK_INT(waitpid(w->agent, NULL, 0), w->agent);
	CHECK(table_has(w, "counted", &usage));
	world_start_agent(w, NULL);
	w->c = world_connect(w, true);
	CHECK(table_has(w, "counted", &usage));
	CHECK(!table_has(w, "other", &usage));
}
