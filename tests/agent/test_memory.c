/* SPDX-License-Identifier: MIT */
/*
 * test_memory.c - the limit of all pods together, read from the kernel's files.
 */
#include <cgfs/cgfs.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>

#include "../../cgfs/internal.h"
#include "world.h"

/* The file with the limit of the pods root. */
static void limit_file(const struct world *w, char *path, size_t len)
{
	static const char *const names[] = { "memory.limit_in_bytes", "memory.max" };
	struct cgfs_mounts m;

	assert_int_equal(cgfs_discover(&m, NULL), 0);
	for (size_t i = 0; i < 2 * m.n; i++) {
		snprintf(path, len, "%s%s/%s", m.mount[i / 2].path, w->root, names[i % 2]);
		if (access(path, F_OK) == 0)
			return;
	}
	fail_msg("no hierarchy has a limit of %s", w->root);
}

static uint64_t limit_of(const struct world *w)
{
	char path[512], text[32] = "";
	int fd;

	limit_file(w, path, sizeof(path));
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0 && read(fd, text, sizeof(text) - 1) > 0);
	close(fd);
	return strtoull(text, NULL, 10);
}

static void set_limit(const struct world *w, const char *text)
{
	char path[512];
	int fd;

	limit_file(w, path, sizeof(path));
	fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_true(fd >= 0 && write(fd, text, strlen(text)) > 0);
	close(fd);
}

/* The kernel counts in pages. */
static uint64_t expected(uint64_t reserve)
{
	struct sysinfo si;

	assert_int_equal(sysinfo(&si), 0);
	return ((uint64_t)si.totalram * si.mem_unit - reserve) & ~UINT64_C(4095);
}

static json_t *refresh(const char *type)
{
	json_t *request = json_pack("{s:s}", "ResourceType", "PodCgroupMemoryLimit");

	if (type)
		json_object_set_new(request, "RequestType", json_string(type));
	return json_pack("{s:s, s:o}", "ContainerId", PROTOCOL_UVM_ID, "Request", request);
}

static void pods_together_leave_the_reserve(void **state)
{
	struct world *w = *state;

	world_need_memory(w);
	assert_true(limit_of(w) == expected(75 << 20));
	/* It is put right when the host asks, and only in the way it may ask. */
	set_limit(w, "1073741824");
	world_refuse(w, MSG_MODIFY_SETTINGS, refresh("Add"), HR_FAIL);
	world_refuse(w, MSG_MODIFY_SETTINGS, refresh(NULL), HR_FAIL);
	assert_true(limit_of(w) == 1 << 30);
	world_do(w, MSG_MODIFY_SETTINGS, refresh("Update"));
	assert_true(limit_of(w) == expected(75 << 20));
}

static void root_that_was_removed_gets_its_limit_again(void **state)
{
	struct world *w = *state;
	struct cgfs_open_opts opts = CGFS_OPEN_OPTS_INIT;
	struct cgfs *c;

	world_need_memory(w);
	opts.root = w->root;
	assert_int_equal(cgfs_open(&opts, &c, NULL), 0);
	assert_int_equal(cgfs_root_remove(c, NULL), 0);
	cgfs_close(c);
	assert_int_equal(world_leftovers(w), 2); /* pins and state, no cgroup */
	world_create(w, "c", NULL, NULL);
	assert_true(limit_of(w) == expected(75 << 20));
}

static void reserve_is_an_option(void **state)
{
	static const char *const args[] = { "-root-mem-reserve-bytes=104857600", NULL };
	static const char *const all[] = { "-root-mem-reserve-bytes", "0x7fffffffffffffff", NULL };
	struct world *w = *state;
	int status;

	world_need_memory(w);
	client_close(w->c);
	w->c = NULL;
	kill(w->agent, SIGTERM);
	assert_int_equal(waitpid(w->agent, &status, 0), w->agent);

	/* Nothing would be left. */
	world_start_agent(w, all);
	assert_int_equal(waitpid(w->agent, &status, 0), w->agent);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);

	world_start_agent(w, args);
	w->c = world_connect(w, true);
	json_decref(world_call(w, MSG_EXT_LIST_PODS, NULL)); /* when it is ready */
	assert_true(limit_of(w) == expected(100 << 20));
}

static void empty_root_goes_with_the_agent(void **state)
{
	static const char *const keep[] = { "--delete-on-exit=false", NULL };
	struct world *w = *state;
	int status;

	client_close(w->c);
	kill(w->agent, SIGTERM);
	assert_int_equal(waitpid(w->agent, &status, 0), w->agent);
	world_start_agent(w, keep);
	w->c = world_connect(w, true);
	json_decref(world_call(w, MSG_EXT_LIST_PODS, NULL));
	client_close(w->c);
	kill(w->agent, SIGTERM);
	assert_int_equal(waitpid(w->agent, &status, 0), w->agent);
	assert_int_equal(world_leftovers(w), 2); /* pins and state, no cgroup */
	world_start_agent(w, NULL);
	w->c = world_connect(w, true);
}

#define TEST(fn) TAP_TEST(fn, .setup = world_kernel, .teardown = world_stop)

static const struct tap_test tests[] = {
	TEST(pods_together_leave_the_reserve),
	TEST(root_that_was_removed_gets_its_limit_again),
	TEST(reserve_is_an_option),
	TEST(empty_root_goes_with_the_agent),
};

TAP_MAIN(tests)
