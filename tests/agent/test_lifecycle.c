/* SPDX-License-Identifier: MIT */
/*
 * test_lifecycle.c - containers and pods by an OCI runtime, on this machine's kernel.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>

#include "cgfs/base/util.h"
#include "world.h"

static json_t *of(const char *id)
{
	return json_pack("{s:s}", "ContainerId", id);
}

/* SIGTERM until it works: init ignores it until its program has set its trap. */
static uint32_t terminate(struct world *w, const char *id, pid_t pid)
{
	json_t *wait = json_pack("{s:s, s:i, s:i}", "ContainerId", id, "ProcessId", (int)pid,
				 "TimeoutInMs", 50);
	json_t *name = of(id), *answer = NULL;
	struct cgfs_err err = { 0 };
	int r = -ETIMEDOUT;

	for (int i = 0; i < WORLD_MS / 50 && r == -ETIMEDOUT; i++) {
		r = client_call(w->c, MSG_SHUTDOWN_GRACEFUL, name, NULL, 0, WORLD_MS, NULL, &err);
		CHECK(r == 0 || client_hresult(w->c) == HR_SYSTEM_STOPPED);
		r = client_call(w->c, MSG_WAIT_FOR_PROCESS, wait, NULL, 0, WORLD_MS, &answer, &err);
	}
	json_decref(wait);
	json_decref(name);
	CHECK_INT(r, 0);
	r = (int)json_integer_value(json_object_get(answer, "ExitCode"));
	json_decref(answer);
	return (uint32_t)r;
}

KERNEL_TEST(sandbox_lives_and_leaves_nothing)
{
	pid_t pid;

	world_create(w, "sb", "sb", NULL);
	CHECK(kit_exists(&w->kit, "sb/sb"));
	pid = world_start(w, "sb");
	world_refuse(w, MSG_DELETE_STATE, of("sb"), HR_INVALID_STATE);
	CHECK_INT(terminate(w, "sb", pid), 0);
	world_exit_type(w, "sb", "GracefulExit");
	world_refuse(w, MSG_SHUTDOWN_FORCED, of("sb"), HR_SYSTEM_STOPPED);
	world_delete(w, "sb");
	CHECK(!kit_exists(&w->kit, "sb"));
	world_refuse(w, MSG_DELETE_STATE, of("sb"), HR_SYSTEM_NOT_FOUND);
}

KERNEL_TEST(init_and_exec_are_in_the_container_cgroup)
{
	pid_t pid, added;

	world_create(w, "sb", "sb", NULL);
	world_create(w, "w1", "sb", NULL);
	pid = world_start(w, "w1");
	kit_check_member(&w->kit, pid, "sb/w1");
	added = world_execute(w, "w1",
			      "{\"OciProcess\":{\"args\":[\"/bin/sleep\",\"1000\"],"
			      "\"cwd\":\"/\",\"env\":[\"PATH=/bin\"]}}");
	kit_check_member(&w->kit, added, "sb/w1");

	world_do(w, MSG_SIGNAL_PROCESS,
		 json_pack("{s:s, s:i, s:{s:i}}", "ContainerId", "w1", "ProcessId", (int)added,
			   "Options", "Signal", 9));
	CHECK_INT(world_wait(w, "w1", added), 137);
	world_refuse(w, MSG_WAIT_FOR_PROCESS,
		     json_pack("{s:s, s:i}", "ContainerId", "w1", "ProcessId", (int)added),
		     HR_NOT_FOUND);
}

KERNEL_TEST(exit_code_reaches_every_waiter)
{
	static const char body[] = "{\"ContainerId\":\"c\",\"ProcessId\":%d,\"TimeoutInMs\":%u}";
	struct client_message m;
	struct cgfs_err err = { 0 };
	char text[128];
	pid_t pid;
	int answers = 0;

	world_create(w, "c", NULL, "sleep 0.2; exit 7");
	pid = world_start(w, "c");
	snprintf(text, sizeof(text), body, (int)pid, PROTOCOL_WAIT_FOREVER);
	for (uint64_t id = 100; id < 103; id++)
		CHECK_INT(client_send(w->c, MSG_WAIT_FOR_PROCESS, id, text, strlen(text), NULL, 0,
				      &err),
			  0);
	while (answers < 3) {
		CHECK_INT(client_receive(w->c, WORLD_MS, &m, &err), 0);
		/* The waiters first, then the notification. */
		CHECK_INT(m.header.type, PROTOCOL_RESPONSE(MSG_WAIT_FOR_PROCESS));
		CHECK(strstr(m.body, "\"ExitCode\":7"));
		free(m.body);
		answers++;
	}
	world_exit_type(w, "c", "UnexpectedExit");
	CHECK_INT(world_wait(w, "c", pid), 7);
	world_delete(w, "c");
}

KERNEL_TEST(exit_is_notified_without_a_waiter)
{
	world_create(w, "c", NULL, "exit 0");
	world_start(w, "c");
	world_exit_type(w, "c", "UnexpectedExit");
	world_delete(w, "c");
}

KERNEL_TEST(kill_is_always_a_forced_exit)
{
	for (int i = 0; i < 5; i++) {
		world_create(w, "c", NULL, NULL);
		world_start(w, "c");
		world_do(w, MSG_SHUTDOWN_FORCED, of("c"));
		world_exit_type(w, "c", "ForcedExit");
		world_delete(w, "c");
	}
}

KERNEL_TEST(wait_times_out)
{
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

KERNEL_TEST(duplicate_id_changes_nothing)
{
	pid_t pid;

	world_create(w, "c", NULL, NULL);
	pid = world_start(w, "c");
	world_refuse(w, MSG_CREATE, world_create_body(w, "c", world_spec(w, "c", NULL, NULL, NULL)),
		     HR_SYSTEM_EXISTS);
	CHECK_INT(kill(pid, 0), 0);
	CHECK(kit_exists(&w->kit, "c"));
}

KERNEL_TEST(failed_create_leaves_nothing)
{
	json_t *spec;

	/* The runtime refuses: no such program. */
	spec = world_spec(w, "c", "c", NULL, NULL);
	json_object_set_new(json_object_get(spec, "process"), "args", json_pack("[s]", "/nope"));
	world_refuse(w, MSG_CREATE, world_create_body(w, "c", spec), HR_FAIL);
	CHECK(!kit_exists(&w->kit, "c"));

	/* libcgfs refuses: a limit that is no limit. */
	world_refuse(w, MSG_CREATE,
		     world_create_body(w, "c",
				       world_spec(w, "c", "c", NULL,
						  json_pack("{s:{s:i}}", "memory", "limit", -5))),
		     HR_INVALID_JSON);
	CHECK(!kit_exists(&w->kit, "c"));

	/* The pod is not there, then it is: the id was not spent. */
	world_refuse(w, MSG_CREATE, world_create_body(w, "c", world_spec(w, "c", "p", NULL, NULL)),
		     HR_FAIL);
	world_create(w, "p", "p", NULL);
	world_create(w, "c", "p", NULL);
}

KERNEL_TEST(sandbox_deleted_first_takes_the_pod_with_the_last)
{
	world_create(w, "sb", "sb", NULL);
	world_create(w, "w1", "sb", NULL);
	world_delete(w, "sb");
	CHECK(kit_exists(&w->kit, "sb/w1"));
	CHECK(!kit_exists(&w->kit, "sb/sb"));
	world_refuse(w, MSG_CREATE,
		     world_create_body(w, "w2", world_spec(w, "w2", "sb", NULL, NULL)),
		     HR_INVALID_STATE);
	world_delete(w, "w1");
	CHECK(!kit_exists(&w->kit, "sb"));
	world_create(w, "sb", "sb", NULL);
}

KERNEL_TEST(pod_is_deleted_as_a_whole)
{
	pid_t pid;

	world_create(w, "sb", "sb", NULL);
	world_create(w, "w1", "sb", NULL);
	world_create(w, "w2", "sb", "exit 3");
	pid = world_start(w, "w1");
	world_start(w, "w2");
	world_do(w, MSG_EXT_DELETE_POD, json_pack("{s:s}", "PodId", "sb"));
	CHECK(!kit_exists(&w->kit, "sb"));
	CHECK_INT(kill(pid, 0), -1);
	world_refuse(w, MSG_EXT_DELETE_POD, json_pack("{s:s}", "PodId", "sb"), HR_SYSTEM_NOT_FOUND);
}

KERNEL_TEST(bare_pod_lists_its_containers)
{
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
	CHECK_STR(json_string_value(json_object_get(pod, "Id")), "p");
	CHECK_STR(json_string_value(json_object_get(c, "State")), "terminated");
	CHECK_INT(json_integer_value(json_object_get(c, "ExitCode")), 9);
	json_decref(answer);
	answer = world_call(w, MSG_EXT_POD_STATS, json_pack("{s:s}", "PodId", "p"));
	c = json_object_get(json_object_get(answer, "Stats"), "pids");
	CHECK_INT(json_integer_value(json_object_get(c, "max")), 50);
	json_decref(answer);
}

static bool is_frozen(struct world *w, const char *pod)
{
	json_t *answer = world_call(w, MSG_EXT_POD_STATS, json_pack("{s:s}", "PodId", pod));
	json_t *group = json_object_get(json_object_get(answer, "Stats"), "cgroup");
	bool frozen = json_integer_value(json_object_get(group, "frozen")) == 1;

	json_decref(answer);
	return frozen;
}

KERNEL_TEST(update_changes_a_pod)
{
	json_t *answer, *pids;

	world_do(w, MSG_EXT_CREATE_POD, json_pack("{s:s}", "PodId", "p"));
	world_do(w, MSG_EXT_UPDATE_POD,
		 json_pack("{s:s, s:{s:{s:i}}}", "PodId", "p", "Resources", "pids", "limit", 50));
	answer = world_call(w, MSG_EXT_POD_STATS, json_pack("{s:s}", "PodId", "p"));
	pids = json_object_get(json_object_get(answer, "Stats"), "pids");
	CHECK_INT(json_integer_value(json_object_get(pids, "max")), 50);
	json_decref(answer);
	world_do(w, MSG_EXT_UPDATE_POD, json_pack("{s:s, s:b}", "PodId", "p", "Frozen", 1));
	CHECK(is_frozen(w, "p"));
	world_do(w, MSG_EXT_UPDATE_POD, json_pack("{s:s, s:b}", "PodId", "p", "Frozen", 0));
	CHECK(!is_frozen(w, "p"));
	world_refuse(w, MSG_EXT_UPDATE_POD, json_pack("{s:s}", "PodId", "p"), HR_INVALID_ARG);
	world_refuse(w, MSG_EXT_UPDATE_POD,
		     json_pack("{s:s, s:{}, s:b}", "PodId", "p", "Resources", "Frozen", 1),
		     HR_INVALID_ARG);
	world_refuse(w, MSG_EXT_UPDATE_POD, json_pack("{s:s, s:b}", "PodId", "q", "Frozen", 1),
		     HR_SYSTEM_NOT_FOUND);
	/* One that is frozen goes as well. */
	world_do(w, MSG_EXT_UPDATE_POD, json_pack("{s:s, s:b}", "PodId", "p", "Frozen", 1));
	world_do(w, MSG_EXT_DELETE_POD, json_pack("{s:s}", "PodId", "p"));
}

KERNEL_TEST(later_subscriber_gets_what_was_before)
{
	struct cgfs_err err = { 0 };
	json_t *body, *event;
	uint32_t type;

	world_do(w, MSG_EXT_CREATE_POD, json_pack("{s:s}", "PodId", "p"));
	world_do(w, MSG_EXT_DELETE_POD, json_pack("{s:s}", "PodId", "p"));
	world_refuse(w, MSG_EXT_SUBSCRIBE_EVENTS, json_pack("{s:s}", "AgeMs", "all"),
		     HR_INVALID_JSON);
	world_do(w, MSG_EXT_SUBSCRIBE_EVENTS, json_pack("{s:i}", "AgeMs", 3600000));
	/* It is there before the answer is. */
	CHECK_INT(client_notification(w->c, 0, &type, &body, &err), 0);
	CHECK_INT(type, MSG_EXT_EVENT_NOTIFICATION);
	event = json_object_get(body, "Event");
	CHECK_STR(json_string_value(json_object_get(event, "type")), "removed");
	CHECK_STR(json_string_value(json_object_get(event, "pod")), "p");
	json_decref(body);
}

/* What a list says of one is what PodStats says of it: its processes, and its figures that stand
 * still. */
static void same_figures(struct world *w, json_t *entry, const char *pod, const char *ctr)
{
	static const char *const still[] = { "pids", "cgroup", "oom_kills" };
	json_t *one = world_call(w, MSG_EXT_POD_STATS,
				 json_pack("{s:s, s:s}", "PodId", pod, "ContainerId", ctr));
	json_t *stats = json_object_get(entry, "Stats"), *other = json_object_get(one, "Stats");

	CHECK(json_is_object(stats));
	CHECK_INT(json_object_size(stats), json_object_size(other));
	for (size_t i = 0; i < ARRAY_SIZE(still); i++) {
		json_t *a = json_object_get(stats, still[i]), *b = json_object_get(other, still[i]);

		CHECK(a == b || json_equal(a, b));
	}
	CHECK(json_equal(json_object_get(entry, "CgroupId"), json_object_get(one, "CgroupId")));
	CHECK(json_equal(json_object_get(entry, "Processes"), json_object_get(one, "Processes")));
	json_decref(one);
}

KERNEL_TEST(list_has_the_figures_of_all)
{
	json_t *answer, *pods, *pod, *ctrs, *memory;

	world_do(w, MSG_EXT_CREATE_POD, json_pack("{s:s}", "PodId", "p"));
	world_create(w, "c1", "p", NULL);
	world_start(w, "c1");
	world_create(w, "c2", "p", NULL);
	world_create(w, "s", NULL, NULL);
	world_start(w, "s");
	answer = world_call(w, MSG_EXT_LIST_PODS, json_pack("{s:s}", "Figures", "brief"));
	pods = json_object_get(answer, "Pods");
	pod = json_array_get(pods, 0);
	ctrs = json_object_get(pod, "Containers");
	CHECK_INT(json_array_size(pods), 2);
	CHECK_INT(json_array_size(ctrs), 2);
	same_figures(w, pod, "p", "");
	same_figures(w, json_array_get(ctrs, 0), "p", "c1");
	same_figures(w, json_array_get(ctrs, 1), "p", "c2");
	ctrs = json_object_get(json_array_get(pods, 1), "Containers");
	same_figures(w, json_array_get(ctrs, 0), "s", "");
	json_decref(answer);

	/* All of them, of one pod; a container that the page before ended with is not repeated. */
	answer = world_call(
		w, MSG_EXT_LIST_PODS,
		json_pack("{s:s, s:s, s:s}", "Figures", "all", "PodId", "p", "After", "p/c1"));
	pods = json_object_get(answer, "Pods");
	CHECK_INT(json_array_size(pods), 1);
	CHECK(!json_object_get(json_array_get(pods, 0), "Stats"));
	ctrs = json_object_get(json_array_get(pods, 0), "Containers");
	CHECK_INT(json_array_size(ctrs), 1);
	memory = json_object_get(json_object_get(json_array_get(ctrs, 0), "Stats"), "memory");
	CHECK(!world_has_memory(w) || json_object_size(memory) > 10);
	json_decref(answer);
	world_refuse(w, MSG_EXT_LIST_PODS, json_pack("{s:s}", "Figures", "many"), HR_INVALID_ARG);
}

KERNEL_TEST(limit_is_reported_exactly_and_can_be_changed)
{
	json_t *limit;

	world_need_memory(w);
	limit = json_pack("{s:{s:i}}", "memory", "limit", 134217728);
	world_create(w, "sb", "sb", NULL);
	world_do(w, MSG_CREATE, world_create_body(w, "c", world_spec(w, "c", "sb", NULL, limit)));
	world_start(w, "c");
	CHECK(world_figure(w, "c", "memory/usage/limit") == 134217728);
	CHECK(world_figure(w, "c", "memory/usage/usage") > 0);
	CHECK(world_figure(w, "c", "pids/current") >= 1);
	CHECK(world_figure(w, "c", "cpu/usage/total") > 0);

	world_do(w, MSG_MODIFY_SETTINGS,
		 json_pack("{s:s, s:{s:s, s:s, s:{s:{s:{s:i}}}}}", "ContainerId", "c", "Request",
			   "RequestType", "Update", "ResourceType", "ContainerConstraints",
			   "Settings", "Linux", "memory", "limit", 67108864));
	CHECK(world_figure(w, "c", "memory/usage/limit") == 67108864);
	CHECK(world_figure(w, "sb", "memory/usage/limit") > 67108864);
}

KERNEL_TEST(streams_come_with_the_message)
{
	struct cgfs_err err = { 0 };
	json_t *body =
		world_create_body(w, "c", world_spec(w, "c", NULL, "read x; echo got $x", NULL));
	int in[2], out[2], fds[2];
	char text[64] = "";
	ssize_t n;

	CHECK_INT(pipe2(in, O_CLOEXEC), 0);
	CHECK_INT(pipe2(out, O_CLOEXEC), 0);
	CHECK_INT(write(in[1], "hello\n", 6), 6);
	fds[0] = out[1];
	fds[1] = in[0];
	json_object_set_new(body, "StdioFds", json_pack("[i, i]", 1, 0));
	CHECK_INT(client_call(w->c, MSG_CREATE, body, fds, 2, WORLD_MS, NULL, &err), 0);
	json_decref(body);
	close(in[0]);
	close(out[1]);
	CHECK_INT(world_wait(w, "c", world_start(w, "c")), 0);
	n = read(out[0], text, sizeof(text) - 1);
	CHECK_INT(n, 10);
	CHECK_STR(text, "got hello\n");
	/* No other process holds the other end: neither the agent nor the runtime. */
	CHECK_INT(read(out[0], text, sizeof(text)), 0);
	close(in[1]);
	close(out[0]);
}

KERNEL_TEST(denied_device_is_an_event)
{
	struct client *sub = world_subscribe(w);
	pid_t pid;

	world_create(w, "sb", "sb", NULL);
	world_create(w, "c", "sb",
		     "/bin/busybox mknod /tmp/k c 1 11 && cat /tmp/k; rm -f /tmp/k; "
		     "exit 5");
	pid = world_start(w, "c");
	CHECK_INT(world_wait(w, "c", pid), 5);
	world_event(sub, "device_denied", "sb", "c");
	client_close(sub);
}

KERNEL_TEST(oom_kill_is_an_event)
{
	struct client *sub;
	json_t *limit;
	pid_t pid;

	world_need_memory(w);
	sub = world_subscribe(w);
	/* No swap to flee to. */
	limit = json_pack("{s:{s:i, s:i}}", "memory", "limit", 16 << 20, "swap", 16 << 20);
	world_create(w, "sb", "sb", NULL);
	world_do(w, MSG_CREATE,
		 world_create_body(w, "c",
				   world_spec(w, "c", "sb",
					      "exec dd if=/dev/zero of=/dev/null bs=64M count=1",
					      limit)));
	pid = world_start(w, "c");
	CHECK_INT(world_wait(w, "c", pid), 137);
	world_exit_type(w, "c", "UnexpectedExit");
	world_event(sub, "oom_kill", "sb", "c");
	CHECK(world_figure(w, "c", "memory_oom_control/oom_kill") >= 1);
	client_close(sub);
}

KERNEL_TEST(owner_gone_next_one_is_notified)
{
	pid_t pid;

	world_create(w, "c", NULL, "sleep 0.1; exit 4");
	pid = world_start(w, "c");
	client_close(w->c);
	w->c = world_connect(w, true);
	CHECK_INT(world_wait(w, "c", pid), 4);
	world_exit_type(w, "c", "UnexpectedExit");
	world_delete(w, "c");
}

KERNEL_TEST(pods_outlive_the_agent_and_are_deleted_by_the_next)
{
	static const char *const keep[] = { "--delete-on-exit=false", NULL };
	int status;
	pid_t pid;

	client_close(w->c);
	kill(w->agent, SIGTERM);
	CHECK_INT(waitpid(w->agent, &status, 0), w->agent);
	world_start_agent(w, keep);
	w->c = world_connect(w, true);
	world_create(w, "sb", "sb", NULL);
	pid = world_start(w, "sb");
	client_close(w->c);
	kill(w->agent, SIGKILL);
	CHECK_INT(waitpid(w->agent, &status, 0), w->agent);

	world_start_agent(w, NULL);
	w->c = world_connect(w, true);
	CHECK_INT(kill(pid, 0), 0);
	/* Known to the kernel, not to this agent: neither its container nor its id can be had. */
	world_refuse(w, MSG_CREATE,
		     world_create_body(w, "sb", world_spec(w, "sb", "sb", NULL, NULL)),
		     HR_SYSTEM_EXISTS);
	CHECK_INT(kill(pid, 0), 0);
	world_do(w, MSG_EXT_DELETE_POD, json_pack("{s:s}", "PodId", "sb"));
	CHECK(!kit_exists(&w->kit, "sb"));
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
WORLD_TEST(children_are_reaped_though_ignored_before, world_ignoring)
{
	world_create(w, "c", NULL, "exit 3");
	CHECK_INT(world_wait(w, "c", world_start(w, "c")), 3);
	world_delete(w, "c");
}
