/* SPDX-License-Identifier: MIT */
/*
 * test_lifecycle.c - containers and pods by an OCI runtime, on this machine's kernel.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>

#include "../../cgfs/internal.h"
#include "world.h"

static json_t *of(const char *id)
{
	return json_pack("{s:s}", "ContainerId", id);
}

/* SIGTERM until it works: init cannot be told before its program has set its trap. */
static uint32_t terminate(struct world *w, const char *id, pid_t pid)
{
	json_t *wait = json_pack("{s:s, s:i, s:i}", "ContainerId", id, "ProcessId", (int)pid,
				 "TimeoutInMs", 50);
	json_t *name = of(id), *answer = NULL;
	struct cgfs_err err = { 0 };
	int r = -ETIMEDOUT;

	for (int i = 0; i < WORLD_MS / 50 && r == -ETIMEDOUT; i++) {
		r = client_call(w->c, MSG_SHUTDOWN_GRACEFUL, name, NULL, 0, WORLD_MS, NULL, &err);
		assert_true(r == 0 || client_hresult(w->c) == HR_SYSTEM_STOPPED);
		r = client_call(w->c, MSG_WAIT_FOR_PROCESS, wait, NULL, 0, WORLD_MS, &answer, &err);
	}
	json_decref(wait);
	json_decref(name);
	assert_int_equal(r, 0);
	r = (int)json_integer_value(json_object_get(answer, "ExitCode"));
	json_decref(answer);
	return (uint32_t)r;
}

static void sandbox_lives_and_leaves_nothing(void **state)
{
	struct world *w = *state;
	pid_t pid;

	world_create(w, "sb", "sb", NULL);
	assert_true(world_group_exists(w, "sb/sb"));
	pid = world_start(w, "sb");
	world_refuse(w, MSG_DELETE_STATE, of("sb"), HR_INVALID_STATE);
	assert_int_equal(terminate(w, "sb", pid), 0);
	world_exit_type(w, "sb", "GracefulExit");
	world_refuse(w, MSG_SHUTDOWN_FORCED, of("sb"), HR_SYSTEM_STOPPED);
	world_delete(w, "sb");
	assert_false(world_group_exists(w, "sb"));
	world_refuse(w, MSG_DELETE_STATE, of("sb"), HR_SYSTEM_NOT_FOUND);
}

/* Every process of a container is in its cgroup, in every hierarchy that has one. */
static void assert_in_group(const struct world *w, pid_t pid, const char *path)
{
	char name[64], line[512], want[160];
	size_t in = 0;
	FILE *f;

	snprintf(name, sizeof(name), "/proc/%d/cgroup", (int)pid);
	snprintf(want, sizeof(want), ":%s/%s\n", w->root, path);
	f = fopen(name, "re");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		if (strstr(line, want))
			in++;
		else if (strstr(line, w->root))
			fail_msg("%s is not %s", line, want);
	}
	fclose(f);
	assert_true(in > 0);
}

static void init_and_exec_are_in_the_container_cgroup(void **state)
{
	struct world *w = *state;
	json_t *answer;
	pid_t pid, added;

	world_create(w, "sb", "sb", NULL);
	world_create(w, "w1", "sb", NULL);
	pid = world_start(w, "w1");
	assert_in_group(w, pid, "sb/w1");
	answer = world_call(w, MSG_EXECUTE_PROCESS,
			    json_pack("{s:s, s:{s:s}}", "ContainerId", "w1", "Settings",
				      "ProcessParameters",
				      "{\"OciProcess\":{\"args\":[\"/bin/sleep\",\"1000\"],"
				      "\"cwd\":\"/\",\"env\":[\"PATH=/bin\"]}}"));
	added = (pid_t)json_integer_value(json_object_get(answer, "ProcessId"));
	json_decref(answer);
	assert_in_group(w, added, "sb/w1");

	world_do(w, MSG_SIGNAL_PROCESS,
		 json_pack("{s:s, s:i, s:{s:i}}", "ContainerId", "w1", "ProcessId", (int)added,
			   "Options", "Signal", 9));
	assert_int_equal(world_wait(w, "w1", added), 137);
	world_refuse(w, MSG_WAIT_FOR_PROCESS,
		     json_pack("{s:s, s:i}", "ContainerId", "w1", "ProcessId", (int)added),
		     HR_NOT_FOUND);
}

static void exit_code_reaches_every_waiter(void **state)
{
	static const char body[] = "{\"ContainerId\":\"c\",\"ProcessId\":%d,\"TimeoutInMs\":%u}";
	struct world *w = *state;
	struct client_message m;
	struct cgfs_err err = { 0 };
	char text[128];
	pid_t pid;
	int answers = 0;

	world_create(w, "c", NULL, "sleep 0.2; exit 7");
	pid = world_start(w, "c");
	snprintf(text, sizeof(text), body, (int)pid, PROTOCOL_WAIT_FOREVER);
	for (uint64_t id = 100; id < 103; id++)
		assert_int_equal(client_send(w->c, MSG_WAIT_FOR_PROCESS, id, text, strlen(text),
					     NULL, 0, &err),
				 0);
	while (answers < 3) {
		assert_int_equal(client_receive(w->c, WORLD_MS, &m, &err), 0);
		/* The waiters first, then the notification. */
		assert_int_equal(m.header.type, PROTOCOL_RESPONSE(MSG_WAIT_FOR_PROCESS));
		assert_non_null(strstr(m.body, "\"ExitCode\":7"));
		free(m.body);
		answers++;
	}
	world_exit_type(w, "c", "UnexpectedExit");
	assert_int_equal(world_wait(w, "c", pid), 7);
	world_delete(w, "c");
}

static void exit_is_notified_though_nobody_waits(void **state)
{
	struct world *w = *state;

	world_create(w, "c", NULL, "exit 0");
	world_start(w, "c");
	world_exit_type(w, "c", "UnexpectedExit");
	world_delete(w, "c");
}

static void kill_is_always_a_forced_exit(void **state)
{
	struct world *w = *state;

	for (int i = 0; i < 5; i++) {
		world_create(w, "c", NULL, NULL);
		world_start(w, "c");
		world_do(w, MSG_SHUTDOWN_FORCED, of("c"));
		world_exit_type(w, "c", "ForcedExit");
		world_delete(w, "c");
	}
}

static void wait_times_out(void **state)
{
	struct world *w = *state;
	pid_t pid;

	world_create(w, "c", NULL, NULL);
	pid = world_start(w, "c");
	world_refuse(w, MSG_WAIT_FOR_PROCESS,
		     json_pack("{s:s, s:i, s:i}", "ContainerId", "c", "ProcessId", (int)pid,
			       "TimeoutInMs", 20),
		     HR_TIMEOUT);
	world_refuse(w, MSG_WAIT_FOR_PROCESS,
		     json_pack("{s:s, s:i, s:i}", "ContainerId", "c", "ProcessId", (int)pid,
			       "TimeoutInMs", 0),
		     HR_TIMEOUT);
}

static void duplicate_id_changes_nothing(void **state)
{
	struct world *w = *state;
	pid_t pid;

	world_create(w, "c", NULL, NULL);
	pid = world_start(w, "c");
	world_refuse(w, MSG_CREATE, world_create_body(w, "c", world_spec(w, "c", NULL, NULL, NULL)),
		     HR_SYSTEM_EXISTS);
	assert_int_equal(kill(pid, 0), 0);
	assert_true(world_group_exists(w, "c"));
}

static void failed_create_leaves_nothing(void **state)
{
	struct world *w = *state;
	json_t *spec;

	/* The runtime refuses: no such program. */
	spec = world_spec(w, "c", "c", NULL, NULL);
	json_object_set_new(json_object_get(spec, "process"), "args", json_pack("[s]", "/nope"));
	world_refuse(w, MSG_CREATE, world_create_body(w, "c", spec), HR_FAIL);
	assert_false(world_group_exists(w, "c"));

	/* libcgfs refuses: a limit that is no limit. */
	world_refuse(w, MSG_CREATE,
		     world_create_body(w, "c",
				       world_spec(w, "c", "c", NULL,
						  json_pack("{s:{s:i}}", "memory", "limit", -5))),
		     HR_INVALID_JSON);
	assert_false(world_group_exists(w, "c"));

	/* The pod is not there, then it is: the id was not spent. */
	world_refuse(w, MSG_CREATE, world_create_body(w, "c", world_spec(w, "c", "p", NULL, NULL)),
		     HR_FAIL);
	world_create(w, "p", "p", NULL);
	world_create(w, "c", "p", NULL);
}

static void sandbox_deleted_first_takes_the_pod_with_the_last(void **state)
{
	struct world *w = *state;

	world_create(w, "sb", "sb", NULL);
	world_create(w, "w1", "sb", NULL);
	world_delete(w, "sb");
	assert_true(world_group_exists(w, "sb/w1"));
	assert_false(world_group_exists(w, "sb/sb"));
	world_refuse(w, MSG_CREATE,
		     world_create_body(w, "w2", world_spec(w, "w2", "sb", NULL, NULL)),
		     HR_INVALID_STATE);
	world_delete(w, "w1");
	assert_false(world_group_exists(w, "sb"));
	world_create(w, "sb", "sb", NULL);
}

static void pod_is_deleted_as_a_whole(void **state)
{
	struct world *w = *state;
	pid_t pid;

	world_create(w, "sb", "sb", NULL);
	world_create(w, "w1", "sb", NULL);
	world_create(w, "w2", "sb", "exit 3");
	pid = world_start(w, "w1");
	world_start(w, "w2");
	world_do(w, MSG_EXT_DELETE_POD, json_pack("{s:s}", "PodId", "sb"));
	assert_false(world_group_exists(w, "sb"));
	assert_int_equal(kill(pid, 0), -1);
	world_refuse(w, MSG_EXT_DELETE_POD, json_pack("{s:s}", "PodId", "sb"), HR_SYSTEM_NOT_FOUND);
}

static void bare_pod_lists_its_containers(void **state)
{
	struct world *w = *state;
	json_t *answer, *pod, *c;

	world_do(w, MSG_EXT_CREATE_POD,
		 json_pack("{s:s, s:{s:{s:i}}}", "PodId", "p", "Resources", "pids", "limit", 50));
	world_refuse(w, MSG_EXT_CREATE_POD, json_pack("{s:s}", "PodId", "p"), HR_SYSTEM_EXISTS);
	world_create(w, "c", "p", "exit 9");
	world_start(w, "c");
	world_exit_type(w, "c", "UnexpectedExit");
	answer = world_call(w, MSG_EXT_LIST_PODS, NULL);
	pod = json_array_get(json_object_get(answer, "Pods"), 0);
	c = json_array_get(json_object_get(pod, "Containers"), 0);
	assert_string_equal(json_string_value(json_object_get(pod, "Id")), "p");
	assert_string_equal(json_string_value(json_object_get(c, "State")), "terminated");
	assert_int_equal(json_integer_value(json_object_get(c, "ExitCode")), 9);
	json_decref(answer);
	answer = world_call(w, MSG_EXT_POD_STATS, json_pack("{s:s}", "PodId", "p"));
	c = json_object_get(json_object_get(answer, "Stats"), "pids");
	assert_int_equal(json_integer_value(json_object_get(c, "max")), 50);
	json_decref(answer);
}

static void limit_is_reported_exactly_and_can_be_changed(void **state)
{
	struct world *w = *state;
	json_t *limit;

	world_need_memory(w);
	limit = json_pack("{s:{s:i}}", "memory", "limit", 134217728);
	world_create(w, "sb", "sb", NULL);
	world_do(w, MSG_CREATE, world_create_body(w, "c", world_spec(w, "c", "sb", NULL, limit)));
	world_start(w, "c");
	assert_true(world_figure(w, "c", "memory/usage/limit") == 134217728);
	assert_true(world_figure(w, "c", "memory/usage/usage") > 0);
	assert_true(world_figure(w, "c", "pids/current") >= 1);
	assert_true(world_figure(w, "c", "cpu/usage/total") > 0);

	world_do(w, MSG_MODIFY_SETTINGS,
		 json_pack("{s:s, s:{s:s, s:s, s:{s:{s:{s:i}}}}}", "ContainerId", "c", "Request",
			   "RequestType", "Update", "ResourceType", "ContainerConstraints",
			   "Settings", "Linux", "memory", "limit", 67108864));
	assert_true(world_figure(w, "c", "memory/usage/limit") == 67108864);
	assert_true(world_figure(w, "sb", "memory/usage/limit") > 67108864);
}

static void streams_come_with_the_message(void **state)
{
	struct world *w = *state;
	struct cgfs_err err = { 0 };
	json_t *body =
		world_create_body(w, "c", world_spec(w, "c", NULL, "read x; echo got $x", NULL));
	int in[2], out[2], fds[2];
	char text[64] = "";
	ssize_t n;

	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	assert_int_equal(write(in[1], "hello\n", 6), 6);
	fds[0] = out[1];
	fds[1] = in[0];
	json_object_set_new(body, "StdioFds", json_pack("[i, i]", 1, 0));
	assert_int_equal(client_call(w->c, MSG_CREATE, body, fds, 2, WORLD_MS, NULL, &err), 0);
	json_decref(body);
	close(in[0]);
	close(out[1]);
	assert_int_equal(world_wait(w, "c", world_start(w, "c")), 0);
	n = read(out[0], text, sizeof(text) - 1);
	assert_int_equal(n, 10);
	assert_string_equal(text, "got hello\n");
	/* Nobody else holds the other end: not the agent, not the runtime. */
	assert_int_equal(read(out[0], text, sizeof(text)), 0);
	close(in[1]);
	close(out[0]);
}

static void denied_device_is_an_event(void **state)
{
	struct world *w = *state;
	struct client *sub = world_connect(w, true);
	struct cgfs_err err = { 0 };
	json_t *body, *event;
	uint32_t type;
	pid_t pid;

	assert_int_equal(
		client_call(sub, MSG_EXT_SUBSCRIBE_EVENTS, NULL, NULL, 0, WORLD_MS, NULL, &err), 0);
	world_create(w, "sb", "sb", NULL);
	world_create(w, "c", "sb",
		     "/bin/busybox mknod /tmp/k c 1 11 && cat /tmp/k; rm -f /tmp/k; "
		     "exit 5");
	pid = world_start(w, "c");
	assert_int_equal(world_wait(w, "c", pid), 5);
	assert_int_equal(client_notification(sub, WORLD_MS, &type, &body, &err), 0);
	assert_int_equal(type, MSG_EXT_EVENT_NOTIFICATION);
	event = json_object_get(body, "Event");
	assert_string_equal(json_string_value(json_object_get(event, "type")), "device_denied");
	assert_string_equal(json_string_value(json_object_get(event, "pod")), "sb");
	assert_string_equal(json_string_value(json_object_get(event, "container")), "c");
	json_decref(body);
	client_close(sub);
}

static void oom_kill_is_an_event(void **state)
{
	struct world *w = *state;
	struct client *sub;
	json_t *limit;
	struct cgfs_err err = { 0 };
	json_t *body, *event;
	uint32_t type;
	pid_t pid;

	world_need_memory(w);
	sub = world_connect(w, true);
	/* No swap to flee to. */
	limit = json_pack("{s:{s:i, s:i}}", "memory", "limit", 16 << 20, "swap", 16 << 20);
	assert_int_equal(
		client_call(sub, MSG_EXT_SUBSCRIBE_EVENTS, NULL, NULL, 0, WORLD_MS, NULL, &err), 0);
	world_create(w, "sb", "sb", NULL);
	world_do(w, MSG_CREATE,
		 world_create_body(w, "c",
				   world_spec(w, "c", "sb",
					      "exec dd if=/dev/zero of=/dev/null bs=64M count=1",
					      limit)));
	pid = world_start(w, "c");
	assert_int_equal(world_wait(w, "c", pid), 137);
	world_exit_type(w, "c", "UnexpectedExit");
	assert_int_equal(client_notification(sub, WORLD_MS, &type, &body, &err), 0);
	event = json_object_get(body, "Event");
	assert_string_equal(json_string_value(json_object_get(event, "type")), "oom_kill");
	assert_string_equal(json_string_value(json_object_get(event, "pod")), "sb");
	assert_string_equal(json_string_value(json_object_get(event, "container")), "c");
	json_decref(body);
	assert_true(world_figure(w, "c", "memory_oom_control/oom_kill") >= 1);
	client_close(sub);
}

static void owner_gone_next_one_is_told(void **state)
{
	struct world *w = *state;
	pid_t pid;

	world_create(w, "c", NULL, "sleep 0.1; exit 4");
	pid = world_start(w, "c");
	client_close(w->c);
	w->c = world_connect(w, true);
	assert_int_equal(world_wait(w, "c", pid), 4);
	world_exit_type(w, "c", "UnexpectedExit");
	world_delete(w, "c");
}

static void pods_outlive_the_agent_and_are_deleted_by_the_next(void **state)
{
	static const char *const keep[] = { "--delete-on-exit=false", NULL };
	struct world *w = *state;
	int status;
	pid_t pid;

	client_close(w->c);
	kill(w->agent, SIGTERM);
	assert_int_equal(waitpid(w->agent, &status, 0), w->agent);
	world_start_agent(w, keep);
	w->c = world_connect(w, true);
	world_create(w, "sb", "sb", NULL);
	pid = world_start(w, "sb");
	client_close(w->c);
	kill(w->agent, SIGKILL);
	assert_int_equal(waitpid(w->agent, &status, 0), w->agent);

	world_start_agent(w, NULL);
	w->c = world_connect(w, true);
	assert_int_equal(kill(pid, 0), 0);
	/* Known to the kernel, not to this agent: neither its container nor its id can be had. */
	world_refuse(w, MSG_CREATE,
		     world_create_body(w, "sb", world_spec(w, "sb", "sb", NULL, NULL)),
		     HR_SYSTEM_EXISTS);
	assert_int_equal(kill(pid, 0), 0);
	world_do(w, MSG_EXT_DELETE_POD, json_pack("{s:s}", "PodId", "sb"));
	assert_false(world_group_exists(w, "sb"));
}

static void ignore_children(void)
{
	signal(SIGCHLD, SIG_IGN);
}

static int world_ignoring(void **state)
{
	int r;

	world_child_hook = ignore_children;
	r = world_kernel(state);
	world_child_hook = NULL;
	return r;
}

/* As its own starter may have left it: the kernel would reap the agent's children then. */
static void children_are_heard_of_though_ignored_before(void **state)
{
	struct world *w = *state;

	world_create(w, "c", NULL, "exit 3");
	assert_int_equal(world_wait(w, "c", world_start(w, "c")), 3);
	world_delete(w, "c");
}

#define TEST(fn) TAP_TEST(fn, .setup = world_kernel, .teardown = world_stop)

static const struct tap_test tests[] = {
	TEST(sandbox_lives_and_leaves_nothing),
	TEST(init_and_exec_are_in_the_container_cgroup),
	TEST(exit_code_reaches_every_waiter),
	TEST(exit_is_notified_though_nobody_waits),
	TEST(kill_is_always_a_forced_exit),
	TEST(wait_times_out),
	TEST(duplicate_id_changes_nothing),
	TEST(failed_create_leaves_nothing),
	TEST(sandbox_deleted_first_takes_the_pod_with_the_last),
	TEST(pod_is_deleted_as_a_whole),
	TEST(bare_pod_lists_its_containers),
	TEST(limit_is_reported_exactly_and_can_be_changed),
	TEST(streams_come_with_the_message),
	TEST(denied_device_is_an_event),
	TEST(oom_kill_is_an_event),
	TEST(owner_gone_next_one_is_told),
	TEST(pods_outlive_the_agent_and_are_deleted_by_the_next),
	TAP_TEST(children_are_heard_of_though_ignored_before, .setup = world_ignoring,
		 .teardown = world_stop),
};

TAP_MAIN(tests)
