/* SPDX-License-Identifier: MIT */
/*
 * test_namespaces.c - the namespaces that the containers of a pod share, as /proc says it.
 */
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "cgfs/base/util.h"
#include "world.h"

#define BB	 "/bin/busybox "
#define HOST_NET "io.microsoft.virtualmachine.lcow.hostnetwork"

static const char *const files[] = { "net", "ipc", "uts" };

static ino_t namespace_of(pid_t pid, int type)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)pid, files[type]);
	CHECK_INT(stat(path, &st), 0);
	return st.st_ino;
}

static void check_same(pid_t a, pid_t b, bool same)
{
	for (int i = 0; i < 3; i++)
		CHECK((namespace_of(a, i) == namespace_of(b, i)) == same);
}

/* A specification whose container has all three of its own, but for what the agent says. */
static json_t *full(const struct world *w, const char *id, const char *pod, const char *script)
{
	json_t *spec = world_spec(w, id, pod, script, NULL);
	json_t *list = json_object_get(json_object_get(spec, "linux"), "namespaces");

	json_array_append_new(list, json_pack("{s:s}", "type", "network"));
	json_array_append_new(list, json_pack("{s:s}", "type", "uts"));
	return spec;
}

static pid_t begin(struct world *w, const char *id, json_t *spec)
{
	world_do(w, MSG_CREATE, world_create_body(w, id, spec));
	return world_start(w, id);
}

static uint32_t run(struct world *w, const char *id, json_t *spec)
{
	uint32_t code = world_wait(w, id, begin(w, id, spec));

	world_delete(w, id);
	return code;
}

/* What PodStats says that the container shares: "network,ipc,uts". */
static void check_said(struct world *w, const char *id, const char *want)
{
	json_t *answer = world_call(w, MSG_EXT_POD_STATS, json_pack("{s:s}", "ContainerId", id));
	json_t *list = json_object_get(answer, "SharedNamespaces"), *v;
	char said[64] = "";
	size_t i;

	CHECK(json_is_array(list));
	json_array_foreach(list, i, v)
	{
		strcat(said, i ? "," : "");
		strcat(said, json_string_value(v));
	}
	CHECK_STR(said, want);
	json_decref(answer);
}

KERNEL_TEST(workloads_join_the_namespaces_of_their_sandbox)
{
	json_t *spec = full(w, "sb", "sb", NULL);
	pid_t sandbox, first, second;

	json_object_set_new(spec, "hostname", json_string("shared"));
	sandbox = begin(w, "sb", spec);
	check_same(sandbox, getpid(), false);
	/* Whether the specification has them or not. */
	first = begin(w, "c1", full(w, "c1", "sb", NULL));
	second = begin(w, "c2", world_spec(w, "c2", "sb", NULL, NULL));
	check_same(first, sandbox, true);
	check_same(second, sandbox, true);
	check_said(w, "sb", "network,ipc,uts");
	check_said(w, "c1", "network,ipc,uts");
	CHECK_INT(
		run(w, "c3", full(w, "c3", "sb", "[ $(cat /proc/sys/kernel/hostname) = shared ]")),
		0);

	world_kill_agent(w);
	check_said(w, "c2", "network,ipc,uts");
	first = begin(w, "c4", full(w, "c4", "sb", NULL));
	check_same(first, sandbox, true);
	CHECK_INT(world_mounts(w, "/state/namespaces/"), 0);
}

KERNEL_TEST(namespaces_of_the_guest_are_not_a_pods)
{
	pid_t sandbox, first;
	json_t *spec;

	/* A sandbox in the guest's own: a workload has those that it asks for. */
	sandbox = begin(w, "sb", world_spec(w, "sb", "sb", NULL, NULL));
	CHECK(namespace_of(sandbox, 0) == namespace_of(getpid(), 0));
	first = begin(w, "c1", full(w, "c1", "sb", NULL));
	CHECK(namespace_of(first, 0) != namespace_of(getpid(), 0));
	CHECK(namespace_of(first, 1) == namespace_of(sandbox, 1));
	check_said(w, "c1", "ipc");
	/* A path that the host gives counts. */
	spec = world_spec(w, "c2", "sb", NULL, NULL);
	json_array_append_new(json_object_get(json_object_get(spec, "linux"), "namespaces"),
			      json_pack("{s:s, s:o}", "type", "network", "path",
					json_sprintf("/proc/%d/ns/net", (int)first)));
	CHECK(namespace_of(begin(w, "c2", spec), 0) == namespace_of(first, 0));
}

KERNEL_TEST(host_network_of_a_sandbox_is_its_workloads)
{
	json_t *spec = full(w, "sb", "sb", NULL);
	pid_t sandbox, first;

	json_object_set_new(json_object_get(spec, "annotations"), HOST_NET, json_string("true"));
	sandbox = begin(w, "sb", spec);
	CHECK(namespace_of(sandbox, 0) == namespace_of(getpid(), 0));
	for (int i = 0; i < 2; i++) {
		first = begin(w, i ? "c2" : "c1", full(w, i ? "c2" : "c1", "sb", NULL));
		CHECK(namespace_of(first, 0) == namespace_of(getpid(), 0));
		CHECK(namespace_of(first, 2) == namespace_of(sandbox, 2));
		world_kill_agent(w);
	}
}

KERNEL_TEST(pod_without_a_sandbox_keeps_its_namespaces)
{
	static const char up[] = BB "ifconfig lo | " BB "grep -q UP && "
				    "[ $(cat /proc/sys/kernel/hostname) = p-1 ]";
	struct client *other;
	json_t *bodies[2], *answer;
	struct cgfs_err err = { 0 };
	pid_t pids[2];
	ino_t net;

	world_do(w, MSG_EXT_CREATE_POD, json_pack("{s:s}", "PodId", "p-1"));
	CHECK_INT(world_mounts(w, "/state/namespaces/"), 0);
	/* Both at once: neither finds those of the other. */
	other = world_connect(w, true);
	bodies[0] = world_create_body(w, "c1", full(w, "c1", "p-1", NULL));
	bodies[1] = world_create_body(w, "c2", full(w, "c2", "p-1", NULL));
	for (int i = 0; i < 2; i++) {
		auto_free char *text = json_dumps(bodies[i], 0);

		CHECK_INT(client_send(i ? other : w->c, MSG_CREATE, 7, text, strlen(text), NULL, 0,
				      &err),
			  0);
		json_decref(bodies[i]);
	}
	for (int i = 0; i < 2; i++) {
		struct client_message m;

		CHECK_INT(client_receive(i ? other : w->c, WORLD_MS, &m, &err), 0);
		answer = json_loads(m.body, 0, NULL);
		CHECK_MSG(json_integer_value(json_object_get(answer, "Result")) == 0, "%s", m.body);
		json_decref(answer);
		free(m.body);
	}
	client_close(other);
	for (int i = 0; i < 2; i++)
		pids[i] = world_start(w, i ? "c2" : "c1");
	check_same(pids[0], pids[1], true);
	check_same(pids[0], getpid(), false);
	check_said(w, "c1", "network,ipc,uts");
	CHECK_INT(world_mounts(w, "/state/namespaces/"), 3);
	net = namespace_of(pids[0], 0);
	CHECK_INT(run(w, "c3", full(w, "c3", "p-1", up)), 0);

	/* They stay when no container is left, and for the next agent. */
	for (int i = 0; i < 2; i++) {
		world_do(w, MSG_SHUTDOWN_FORCED,
			 json_pack("{s:s}", "ContainerId", i ? "c2" : "c1"));
		CHECK_INT(world_wait(w, i ? "c2" : "c1", pids[i]), 137);
		world_delete(w, i ? "c2" : "c1");
	}
	world_kill_agent(w);
	CHECK(namespace_of(begin(w, "c4", full(w, "c4", "p-1", NULL)), 0) == net);
	check_said(w, "c4", "network,ipc,uts");
	/* One that has the guest's own is left there, and says so. */
	world_do(w, MSG_CREATE, world_create_body(w, "c5", world_spec(w, "c5", "p-1", NULL, NULL)));
	check_said(w, "c5", "ipc");
	world_do(w, MSG_EXT_DELETE_POD, json_pack("{s:s}", "PodId", "p-1"));
	CHECK_INT(world_mounts(w, "/state/namespaces/"), 0);
}

/* The state of the pod cannot be saved once: the next run saves it. */
KERNEL_TEST(namespaces_are_known_to_the_next_agent)
{
	char path[160], aside[160], text[512] = "";
	FILE *f;

	world_do(w, MSG_EXT_CREATE_POD, json_pack("{s:s}", "PodId", "p-1"));
	snprintf(path, sizeof(path), "%s/state/pods/p-1", w->dir);
	snprintf(aside, sizeof(aside), "%s/aside", w->dir);
	CHECK_INT(rename(path, aside), 0);
	CHECK_INT(mkdir(path, 0700), 0);
	world_refuse(w, MSG_CREATE, world_create_body(w, "c1", full(w, "c1", "p-1", NULL)),
		     HR_FAIL);
	CHECK_INT(rmdir(path), 0);
	CHECK_INT(rename(aside, path), 0);
	begin(w, "c1", full(w, "c1", "p-1", NULL));
	f = fopen(path, "re");
	CHECK(f && fgets(text, sizeof(text), f));
	fclose(f);
	CHECK_MSG(strstr(text, "\"Shared\":8"), "%s", text);
}

static void freeze(struct world *w, const char *pod, bool frozen)
{
	char path[512];

	if (kit_find(&w->kit, pod, "freezer.state", path, sizeof(path)))
		CHECK_INT(kit_write(path, frozen ? "FROZEN" : "THAWED"), 0);
	else if (kit_find(&w->kit, pod, "cgroup.freeze", path, sizeof(path)))
		CHECK_INT(kit_write(path, frozen ? "1" : "0"), 0);
	else
		tap_skip("no freezer here");
}

/* A run that a freezer stops holds nothing that another run of the pod waits for. */
KERNEL_TEST(frozen_run_has_made_the_namespaces)
{
	auto_free char *text = NULL;
	struct cgfs_err err = { 0 };
	struct client_message m;
	json_t *body, *answer;

	world_do(w, MSG_EXT_CREATE_POD, json_pack("{s:s}", "PodId", "p-1"));
	freeze(w, "p-1", true);
	body = world_create_body(w, "c1", full(w, "c1", "p-1", NULL));
	text = json_dumps(body, 0);
	json_decref(body);
	CHECK_INT(client_send(w->c, MSG_CREATE, 7, text, strlen(text), NULL, 0, &err), 0);
	for (int i = 0; i < WORLD_MS / 5 && world_mounts(w, "/state/namespaces/") < 3; i++)
		nanosleep(&(struct timespec){ .tv_nsec = 5000000 }, NULL);
	CHECK_INT(world_mounts(w, "/state/namespaces/"), 3);
	freeze(w, "p-1", false);
	CHECK_INT(client_receive(w->c, WORLD_MS, &m, &err), 0);
	answer = json_loads(m.body, 0, NULL);
	CHECK_MSG(json_integer_value(json_object_get(answer, "Result")) == 0, "%s", m.body);
	json_decref(answer);
	free(m.body);
	world_start(w, "c1");
	check_said(w, "c1", "network,ipc,uts");
}
