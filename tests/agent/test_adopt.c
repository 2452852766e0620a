/* SPDX-License-Identifier: MIT */
/*
 * test_adopt.c - kill -9 of the agent, and the next one: what goes on meanwhile, what is taken
 * over, what is cleaned up.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>

#include "agent/base/files.h"
#include "agent/model/process.h"
#include "cgfs/base/util.h"
#include "load.h"

static json_t *of(const char *id)
{
	return json_pack("{s:s}", "ContainerId", id);
}

static void nap(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = 5000000 }, NULL);
}

static void kill_agent(struct world *w)
{
	client_close(w->c);
	w->c = NULL;
	kill(w->agent, SIGKILL);
	CHECK_INT(waitpid(w->agent, NULL, 0), w->agent);
}

static void next_agent(struct world *w)
{
	world_start_agent(w, NULL);
	w->c = world_connect(w, true);
}

static void restart(struct world *w)
{
	kill_agent(w);
	next_agent(w);
}

/* --- files in the root file system, by which test and container talk ------------------------ */

static void rootfs_path(const struct world *w, const char *name, char *path, size_t len)
{
	snprintf(path, len, "%s/rootfs/tmp/%s", w->dir, name);
}

static void touch(const struct world *w, const char *name)
{
	char path[160];

	rootfs_path(w, name, path, sizeof(path));
	close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
}

static bool there(const struct world *w, const char *name)
{
	char path[160];

	rootfs_path(w, name, path, sizeof(path));
	return access(path, F_OK) == 0;
}

static void await(const struct world *w, const char *name)
{
	for (int i = 0; i < WORLD_MS / 5 && !there(w, name); i++)
		nap();
	CHECK(there(w, name));
}

/* 1:11 in the root file system: no policy allows it. */
static void make_node(const struct world *w)
{
	char path[160];

	rootfs_path(w, "kmsg", path, sizeof(path));
	CHECK_INT(mknod(path, S_IFCHR | 0666, makedev(1, 11)), 0);
}

/* The state of a container in ListPods. */
static void check_listed(struct world *w, const char *pod, const char *id, const char *state)
{
	json_t *answer = world_call(w, MSG_EXT_LIST_PODS, NULL);
	json_t *pods = json_object_get(answer, "Pods"), *p, *c;
	size_t i, k;
	bool found = false;

	json_array_foreach(pods, i, p)
	{
		if (!streq(json_string_value(json_object_get(p, "Id")), pod))
			continue;
		json_array_foreach(json_object_get(p, "Containers"), k, c)
		{
			if (!streq(json_string_value(json_object_get(c, "Id")), id))
				continue;
			found = true;
			CHECK_STR(json_string_value(json_object_get(c, "State")), state);
		}
	}
	json_decref(answer);
	CHECK(found);
}

/* Linux 6.15 keeps the exit code of a process that is not one's child; before that it can be
 * read as long as init has not reaped it. */
static bool exit_codes_are_kept(void)
{
	struct utsname u;
	int major = 0, minor = 0;

	CHECK_INT(uname(&u), 0);
	CHECK_INT(sscanf(u.release, "%d.%d", &major, &minor), 2);
	return major > 6 || (major == 6 && minor >= 15);
}

static void check_code(uint32_t code, uint32_t want)
{
	if (code == PROCESS_CODE_UNKNOWN && !exit_codes_are_kept())
		return;
	CHECK_INT(code, want);
}

/* --- tests ---------------------------------------------------------------------------------- */

KERNEL_TEST(running_container_is_the_next_agents)
{
	json_t *answer;
	pid_t sandbox, pid;

	world_create(w, "sb", "sb", NULL);
	sandbox = world_start(w, "sb");
	world_create(w, "c", "sb", "while :; do sleep 1; done");
	pid = world_start(w, "c");
	restart(w);

	check_listed(w, "sb", "sb", "running");
	check_listed(w, "sb", "c", "running");
	CHECK(world_figure(w, "c", "pids/current") >= 1);
	/* It can be waited for, timed out on, signalled, and its end is reported. */
	world_refuse(w, MSG_WAIT_FOR_PROCESS,
		     json_pack("{s:s, s:i, s:i}", "ContainerId", "c", "ProcessId", (int)pid,
			       "TimeoutInMs", 1),
		     HR_TIMEOUT);
	world_do(w, MSG_SHUTDOWN_FORCED, of("c"));
	check_code(world_wait(w, "c", pid), 137);
	world_exit_type(w, "c", "ForcedExit");
	world_delete(w, "c");
	world_do(w, MSG_SIGNAL_PROCESS,
		 json_pack("{s:s, s:i, s:{s:i}}", "ContainerId", "sb", "ProcessId", (int)sandbox,
			   "Options", "Signal", SIGKILL));
	world_exit_type(w, "sb", "ForcedExit");
	world_delete(w, "sb");
	CHECK(!kit_exists(&w->kit, "sb"));
	answer = world_call(w, MSG_EXT_LIST_PODS, NULL);
	CHECK_INT(json_array_size(json_object_get(answer, "Pods")), 0);
	json_decref(answer);
}

KERNEL_TEST(policy_holds_while_no_agent_runs)
{
	pid_t pid;

	make_node(w);
	world_create(w, "sb", "sb", NULL);
	/* The process is there before the agent dies, and opens afterwards. */
	world_create(w, "c", "sb",
		     "echo up > /tmp/up; while [ ! -e /tmp/go ]; do sleep 0.02; done; "
		     "if echo x > /dev/null && cat /bin/sh > /dev/null; then echo > /tmp/null; fi; "
		     "if cat /tmp/kmsg > /tmp/out; then echo > /tmp/opened; fi; echo > /tmp/done; "
		     "while [ ! -e /tmp/end ]; do sleep 0.02; done; exit 7");
	pid = world_start(w, "c");
	await(w, "up");
	kill_agent(w);
	touch(w, "go");
	await(w, "done");
	CHECK(!there(w, "opened"));
	CHECK_INT(kill(pid, 0), 0);

	/* The next agent reports its exit code, too. */
	next_agent(w);
	check_listed(w, "sb", "c", "running");
	touch(w, "end");
	check_code(world_wait(w, "c", pid), 7);
	world_exit_type(w, "c", "UnexpectedExit");
}

static void await_end(pid_t pid)
{
	while (kill(pid, 0) == 0) {
		char path[40], text[512] = "";

		/* A zombie that no process reaps has ended, too. */
		snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
		if (kit_read(path, text, sizeof(text)) > 0 && strstr(text, ") Z"))
			break;
		nap();
	}
}

KERNEL_TEST(container_that_ended_meanwhile_has_ended)
{
	pid_t pid;

	world_create(w, "c", NULL, "while [ ! -e /tmp/go ]; do sleep 0.02; done; echo > /tmp/done");
	pid = world_start(w, "c");
	kill_agent(w);
	touch(w, "go");
	await(w, "done");
	await_end(pid);
	next_agent(w);
	/* No process saw how it ended, unless it is still a zombie. */
	CHECK(world_wait(w, "c", pid) + 1 <= 1);
	world_exit_type(w, "c", "UnexpectedExit");
	world_refuse(w, MSG_SHUTDOWN_FORCED, of("c"), HR_SYSTEM_STOPPED);
	world_delete(w, "c");
	CHECK(!kit_exists(&w->kit, "c"));

	/* What has been reported is not reported again. */
	restart(w);
	world_refuse(w, MSG_DELETE_STATE, of("c"), HR_SYSTEM_NOT_FOUND);
}

KERNEL_TEST(exit_is_reported_once_only)
{
	struct cgfs_err err = { 0 };
	json_t *body = NULL;
	uint32_t type;
	pid_t pid;

	world_create(w, "c", NULL, "exit 3");
	pid = world_start(w, "c");
	CHECK_INT(world_wait(w, "c", pid), 3);
	world_exit_type(w, "c", "UnexpectedExit");
	check_listed(w, "c", "c", "terminated"); /* by now it has noted that it reported it */
	restart(w);
	check_listed(w, "c", "c", "terminated");
	CHECK_INT(world_wait(w, "c", pid), 3);
	/* The deletion's answer would come after it. */
	world_delete(w, "c");
	CHECK_INT(client_notification(w->c, 0, &type, &body, &err), -ETIMEDOUT);
}

KERNEL_TEST(created_container_is_started_by_the_next_agent)
{
	pid_t pid;

	world_create(w, "c", NULL, "echo > /tmp/ran; exit 4");
	restart(w);
	check_listed(w, "c", "c", "created");
	pid = world_start(w, "c");
	check_code(world_wait(w, "c", pid), 4);
	CHECK(there(w, "ran"));
}

/* A container whose processes need not be reaped by this machine's init before it can go. */
static void start_without_pidns(struct world *w, const char *id)
{
	json_t *spec = world_spec(w, id, NULL, NULL, NULL);

	json_object_set_new(json_object_get(spec, "linux"), "namespaces",
			    json_pack("[{s:s}, {s:s}]", "type", "mount", "type", "ipc"));
	world_do(w, MSG_CREATE, world_create_body(w, id, spec));
	(void)world_start(w, id);
}

static pid_t add_process(struct world *w, const char *id, const char *script)
{
	json_t *j = json_pack("{s:{s:[s, s, s], s:s, s:[s], s:{s:i, s:i}}}", "OciProcess", "args",
			      "/bin/sh", "-c", script, "cwd", "/", "env", "PATH=/bin", "user",
			      "uid", 0, "gid", 0);
	auto_free char *params = json_dumps(j, 0);

	json_decref(j);
	return world_execute(w, id, params);
}

KERNEL_TEST(added_process_is_adopted_too)
{
	pid_t pid;

	start_without_pidns(w, "c");
	pid = add_process(w, "c", "while [ ! -e /tmp/end ]; do sleep 0.02; done; exit 9");
	restart(w);
	touch(w, "end");
	check_code(world_wait(w, "c", pid), 9);
}

/* Its exit is the next agent's to report: whoever had asked the last one asks again. */
KERNEL_TEST(exit_of_an_added_process_is_reported_by_the_next_agent)
{
	pid_t ended, late;
	uint32_t code;

	start_without_pidns(w, "c");
	ended = add_process(w, "c", "exit 8");
	late = add_process(w, "c", "while [ ! -e /tmp/end ]; do sleep 0.02; done; exit 9");
	while (kill(ended, 0) == 0) /* until the agent has reaped it */
		nap();
	world_do(w, MSG_EXT_LIST_PODS, NULL);
	kill_agent(w);
	touch(w, "end");
	await_end(late);
	next_agent(w);
	CHECK_INT(world_wait(w, "c", ended), 8);
	/* Nobody saw how it ended, unless it is still a zombie. */
	code = world_wait(w, "c", late);
	CHECK(code == 9 || code == PROCESS_CODE_UNKNOWN);
	world_refuse(w, MSG_WAIT_FOR_PROCESS,
		     json_pack("{s:s, s:i, s:i}", "ContainerId", "c", "ProcessId", (int)late,
			       "TimeoutInMs", 0),
		     HR_NOT_FOUND);
}

KERNEL_TEST(doomed_pod_goes_with_its_last_container)
{
	pid_t pid;

	world_create(w, "sb", "sb", "exit 0");
	world_create(w, "c", "sb", NULL);
	(void)world_start(w, "c");
	pid = world_start(w, "sb");
	(void)world_wait(w, "sb", pid);
	world_exit_type(w, "sb", "UnexpectedExit");
	world_delete(w, "sb");
	restart(w);
	world_refuse(w, MSG_CREATE, world_create_body(w, "d", world_spec(w, "d", "sb", NULL, NULL)),
		     HR_INVALID_STATE);
	CHECK(kit_exists(&w->kit, "sb/c"));
	world_do(w, MSG_SHUTDOWN_FORCED, of("c"));
	world_exit_type(w, "c", "ForcedExit");
	world_delete(w, "c");
	CHECK(!kit_exists(&w->kit, "sb"));
}

KERNEL_TEST(bare_pod_stays_a_pod)
{
	world_do(w, MSG_EXT_CREATE_POD, json_pack("{s:s}", "PodId", "bare"));
	restart(w);
	world_refuse(w, MSG_EXT_CREATE_POD, json_pack("{s:s}", "PodId", "bare"), HR_SYSTEM_EXISTS);
	world_create(w, "c", "bare", NULL);
	restart(w);
	restart(w);
	check_listed(w, "bare", "c", "created");
	world_do(w, MSG_EXT_DELETE_POD, json_pack("{s:s}", "PodId", "bare"));
	CHECK(!kit_exists(&w->kit, "bare"));
}

/* An agent is killed at any step of its work: the next one knows all that there is, and
 * leaves nothing when its options demand that (which the teardown looks at). */
KERNEL_TEST(killed_at_any_moment_leaks_nothing)
{
	struct cgfs_err err = { 0 };
	/* An emulated processor takes its time: fewer, and longer, steps. */
	int step = getenv("CGFS_TEST_GUEST") ? 3 : 1;

	for (int i = 0; i < 24; i += step) {
		json_t *sb = world_create_body(w, "sb", world_spec(w, "sb", "sb", NULL, NULL));
		json_t *c = world_create_body(w, "c", world_spec(w, "c", "sb", NULL, NULL));
		auto_free char *sb_text = json_dumps(sb, 0), *c_text = json_dumps(c, 0);
		json_t *answer;

		json_decref(sb);
		json_decref(c);
		CHECK_INT(client_send(w->c, MSG_CREATE, 1, sb_text, strlen(sb_text), NULL, 0, &err),
			  0);
		CHECK_INT(client_send(w->c, MSG_CREATE, 2, c_text, strlen(c_text), NULL, 0, &err),
			  0);
		/* From "has not read it yet" to "both are made", in steps. */
		nanosleep(&(struct timespec){ .tv_nsec = i * i * step * 100000 }, NULL);
		restart(w);
		answer = world_call(w, MSG_EXT_LIST_PODS, NULL);
		if (json_array_size(json_object_get(answer, "Pods")) > 0) {
			/* One that was half made may go by itself meanwhile. */
			json_t *pod = json_pack("{s:s}", "PodId", "sb");
			int r = client_call(w->c, MSG_EXT_DELETE_POD, pod, NULL, 0, WORLD_MS, NULL,
					    &err);

			json_decref(pod);
			CHECK(r == 0 || client_hresult(w->c) == HR_SYSTEM_NOT_FOUND);
		}
		json_decref(answer);
		CHECK(!kit_exists(&w->kit, "sb"));
	}
}

KERNEL_TEST(second_agent_on_the_same_state_is_refused)
{
	static const char *const other[] = { "--listen", "unix:/dev/null/none", NULL };
	pid_t first = w->agent;
	int status;

	world_create(w, "c", NULL, NULL);
	world_start_agent(w, other);
	CHECK_INT(waitpid(w->agent, &status, 0), w->agent);
	w->agent = first;
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 1);
	check_listed(w, "c", "c", "created");
}

/* --- what the last agent wrote -------------------------------------------------------------- */

/* A bundle of 180 directories, which are the agent's to remove: 260 KB of names. */
KERNEL_TEST(state_of_any_size_is_read)
{
	json_t *body = world_create_body(w, "deep", world_spec(w, "deep", NULL, NULL, NULL));
	json_t *config =
		json_loads(json_string_value(json_object_get(body, "ContainerConfig")), 0, NULL);
	auto_free char *text = NULL;
	char bundle[3000], first[160];
	size_t n;

	n = (size_t)snprintf(bundle, sizeof(bundle), "%s/bundles/deep", w->dir);
	snprintf(first, sizeof(first), "%s/bundles/deep", w->dir);
	for (int i = 0; i < 180; i++)
		n += (size_t)snprintf(bundle + n, sizeof(bundle) - n, "/0123456789abcd");
	json_object_set_new(config, "OciBundlePath", json_string(bundle));
	text = json_dumps(config, 0);
	json_decref(config);
	json_object_set_new(body, "ContainerConfig", json_string(text));
	world_do(w, MSG_CREATE, body);
	CHECK_INT(access(bundle, F_OK), 0);
	restart(w);

	check_listed(w, "deep", "deep", "created");
	world_delete(w, "deep");
	CHECK_INT(access(first, F_OK), -1);
}

/* Damaged, it costs what it is about and nothing else: no directory, no other container. */
KERNEL_TEST(state_that_makes_no_sense_is_left_alone)
{
	static const char *const texts[] = {
		"",
		"{",
		"[]",
		"{\"State\":1}",
		"{\"State\":77,\"Bundle\":\"/a/b\"}",
		"{\"State\":1,\"ExitType\":-1,\"Bundle\":\"/a/b\"}",
		"{\"State\":1,\"Bundle\":\"/a/../b\",\"MadeDirs\":[\"/a\"]}",
	};
	char path[160], kept[160], bystander[160];
	struct stat st;

	snprintf(path, sizeof(path), "%s/state/containers/c/state.json", w->dir);
	snprintf(kept, sizeof(kept), "%s/kept", w->dir);
	snprintf(bystander, sizeof(bystander), "%s/empty", w->dir);
	CHECK_INT(mkdir(bystander, 0700), 0);
	world_create(w, "c", NULL, NULL);
	world_create(w, "d", NULL, NULL);
	kill_agent(w);
	CHECK_INT(rename(path, kept), 0);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		CHECK_INT(files_write(path, texts[i]), 0);
		next_agent(w);
		world_refuse(w, MSG_GET_PROPERTIES, of("c"), HR_SYSTEM_NOT_FOUND);
		check_listed(w, "d", "d", "created");
		kill_agent(w);
		CHECK_INT(stat(path, &st), 0);
	}
	/* A pipe without a writer does not keep it from beginning. */
	CHECK_INT(unlink(path), 0);
	CHECK_INT(mkfifo(path, 0600), 0);
	next_agent(w);
	kill_agent(w);

	CHECK_INT(rename(kept, path), 0);
	next_agent(w);
	check_listed(w, "c", "c", "created");
	CHECK_INT(rmdir(bystander), 0);
}

/* The pod's own file, likewise: what runs in the pod goes on, and is the next agent's again. */
KERNEL_TEST(pod_that_cannot_be_adopted_runs_on)
{
	char path[160], kept[160];
	pid_t pid;

	snprintf(path, sizeof(path), "%s/state/pods/sb", w->dir);
	snprintf(kept, sizeof(kept), "%s/kept", w->dir);
	world_create(w, "sb", "sb", NULL);
	(void)world_start(w, "sb");
	world_create(w, "c", "sb", NULL);
	pid = world_start(w, "c");
	kill_agent(w);
	CHECK_INT(rename(path, kept), 0);
	CHECK_INT(files_write(path, "{"), 0);
	next_agent(w);
	world_refuse(w, MSG_GET_PROPERTIES, of("c"), HR_SYSTEM_NOT_FOUND);
	world_refuse(w, MSG_GET_PROPERTIES, of("sb"), HR_SYSTEM_NOT_FOUND);
	kill_agent(w);

	CHECK_INT(rename(kept, path), 0);
	next_agent(w);
	check_listed(w, "sb", "sb", "running");
	check_listed(w, "sb", "c", "running");
	world_do(w, MSG_SHUTDOWN_FORCED, of("c"));
	check_code(world_wait(w, "c", pid), 137);
}

/* Only what is above the state directory is the agent's to remove. */
KERNEL_TEST(lock_file_names_no_other_directory)
{
	char path[160], bystander[160], text[256];

	snprintf(path, sizeof(path), "%s/state/lock", w->dir);
	snprintf(bystander, sizeof(bystander), "%s/empty", w->dir);
	snprintf(text, sizeof(text), "%s\n%s/state\n", bystander, w->dir);
	CHECK_INT(mkdir(bystander, 0700), 0);
	kill_agent(w);
	CHECK_INT(files_write(path, text), 0);
	next_agent(w);
	/* It deletes all on its way out. */
	client_close(w->c);
	w->c = NULL;
	kill(w->agent, SIGTERM);
	CHECK_INT(waitpid(w->agent, NULL, 0), w->agent);
	CHECK_INT(rmdir(bystander), 0);
	next_agent(w);
}

/* Killed while the cgroups of a container are being removed, a child process at work on them. */
KERNEL_TEST(deletion_of_a_deep_tree_is_ended_by_the_next_agent)
{
	int n = getenv("CGFS_TEST_GUEST") ? 60 : 400;
	struct cgfs_err err = { 0 };

	for (int round = 0; round < 4; round++) {
		json_t *body = json_pack("{s:s}", "PodId", "c");
		int r;

		world_create(w, "c", "c", NULL);
		world_start(w, "c");
		(void)load_make_deep(w, "c/c", n, 9);
		load_send(w->c, MSG_EXT_DELETE_POD, 10, json_incref(body));
		for (int i = 0; i < round * 8; i++)
			nap();
		restart(w);
		/* All of it was gone, or it goes now; on a slow machine after the answer. */
		r = client_call(w->c, MSG_EXT_DELETE_POD, body, NULL, 0, WORLD_MS, NULL, &err);
		json_decref(body);
		CHECK_MSG(r == 0 || r == -ENOENT || strstr(err.text, "being"), "%s", err.text);
		for (int i = 0; i < WORLD_MS / 5 && kit_exists(&w->kit, "c"); i++)
			nap();
		CHECK(!kit_exists(&w->kit, "c"));
	}
}
