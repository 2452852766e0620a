/* SPDX-License-Identifier: MIT */
/*
 * test_load.c - hostile containers and plain heavy use: no request waits for another pod's
 * container, and every deletion comes to its end.  No limit here is a measurement; what is asserted
 * is the order in which things happen.  Latencies are printed.
 */
#include <cgfs/cgfs.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "agent/base/files.h"
#include "cgfs/base/util.h"
#include "load.h"

static bool answered(struct client *c)
{
	struct pollfd p = { .fd = client_fd(c), .events = POLLIN };

	return client_pending(c) || poll(&p, 1, 0) > 0;
}

/* Is there an answer yet?  Notifications are none. */
static bool pending_answer(struct client *c, uint32_t *ret_hr)
{
	struct client_message m;
	struct cgfs_err err = { 0 };
	bool is_answer = false;
	json_t *body;

	while (!is_answer && answered(c)) {
		CHECK_INT(client_receive(c, WORLD_MS, &m, &err), 0);
		is_answer = m.header.id != 0;
		body = json_loads(m.body, 0, NULL);
		CHECK(body);
		*ret_hr = (uint32_t)json_integer_value(json_object_get(body, "Result"));
		json_decref(body);
		free(m.body);
	}
	return is_answer;
}

/* What another connection wants is done. */
static void do_other(struct client *other, uint32_t type, json_t *body)
{
	struct cgfs_err err = { 0 };
	int r = client_call(other, type, body, NULL, 0, WORLD_MS, NULL, &err);

	json_decref(body);
	CHECK_MSG(r >= 0, "%s", err.text);
}

static void delete_pod(struct client *other, const char *id)
{
	do_other(other, MSG_EXT_DELETE_POD, json_pack("{s:s}", "PodId", id));
}

static json_t *exec_body(const char *id, const char *command)
{
	char params[256];

	snprintf(params, sizeof(params),
		 "{\"OciProcess\":{\"args\":[\"/bin/sh\",\"-c\",\"%s\"],\"cwd\":\"/\","
		 "\"env\":[\"PATH=/bin\"]}}",
		 command);
	return world_execute_body(id, params);
}

/* Asks over @other until @c, which waits for an answer, has it: how long the longest took, and
 * how many there were. */
static double ask_until(struct world *w, struct client *other, struct client *c, uint32_t *ret_hr,
			unsigned int *ret_asked)
{
	double worst = 0, one;

	*ret_asked = 0;
	do {
		one = load_ask(w, other, 1);
		worst = one > worst ? one : worst;
		++*ret_asked;
	} while (!pending_answer(c, ret_hr));
	return worst;
}

/* The pod goes, and another connection is served meanwhile.  On a slow machine the answer may be
 * that the deletion goes on. */
static unsigned int delete_and_ask(struct world *w, struct client *other, const char *id)
{
	struct client *c = world_connect(w, true);
	double from = load_now(), worst;
	unsigned int asked;
	uint32_t hr;

	load_send(c, MSG_EXT_DELETE_POD, 10, json_pack("{s:s}", "PodId", id));
	worst = ask_until(w, other, c, &hr, &asked);
	tap_note("deleted in %.1f ms; worst of %u answers to another connection: %.1f ms",
		 load_now() - from, asked, worst);
	for (int i = 0; hr != HR_OK && i < WORLD_MS / 10 && kit_exists(&w->kit, id); i++)
		load_nap();
	CHECK(!kit_exists(&w->kit, id));
	client_close(c);
	return asked;
}

/* --- deletion -----------------------------------------------------------------------------------
 */

KERNEL_TEST(pod_is_deleted_while_creates_are_queued)
{
	struct client *other = world_connect(w, true);
	struct cgfs_err err = { 0 };
	unsigned int good = 0;
	char id[16];
	json_t *body;
	uint32_t hr;
	int r;

	for (int round = 0; round < 3; round++) {
		world_create(w, "sb", "sb", NULL);
		for (int i = 0; i < 24; i++) {
			snprintf(id, sizeof(id), "c%d", i);
			load_send(w->c, MSG_CREATE, 100 + (uint64_t)i,
				  load_create_body(w, id, "sb", NULL, NULL));
		}
		for (int i = 0; i < round * 3; i++)
			load_nap();
		/* On a slow machine the answer may be that the deletion goes on. */
		body = json_pack("{s:s}", "PodId", "sb");
		r = client_call(other, MSG_EXT_DELETE_POD, body, NULL, 0, WORLD_MS, NULL, &err);
		json_decref(body);
		if (r < 0) {
			CHECK(strstr(err.text, "being"));
			for (int i = 0; i < WORLD_MS / 10 && kit_exists(&w->kit, "sb"); i++)
				load_nap();
		}
		for (int i = 0; i < 24; i++) {
			(void)load_receive(w->c, &hr);
			good += hr == HR_OK;
		}
		CHECK(!kit_exists(&w->kit, "sb"));
	}
	tap_note("%u of 72 creates were answered before the deletion", good);
	client_close(other);
}

KERNEL_TEST(start_and_forced_shutdown_at_once)
{
	uint32_t hr;

	for (int i = 0; i < 60; i++) {
		world_create(w, "c", NULL, NULL);
		load_send(w->c, MSG_EXECUTE_PROCESS, 10, world_execute_body("c", "{}"));
		for (int k = 0; k < i % 4; k++)
			nanosleep(&(struct timespec){ .tv_nsec = 700000 }, NULL);
		load_send(w->c, MSG_SHUTDOWN_FORCED, 11, load_of("c"));
		for (int k = 0; k < 2; k++)
			(void)load_receive(w->c, &hr);
		world_do(w, MSG_EXT_DELETE_POD, json_pack("{s:s}", "PodId", "c"));
	}
}

/* v1's freezer, written to by hand, as an operator may. */
static bool freeze_by_hand(const struct world *w, const char *path, const char *word)
{
	char full[512];

	return kit_find(&w->kit, path, "freezer.state", full, sizeof(full)) &&
	       kit_write(full, word) == 0;
}

KERNEL_TEST(what_is_frozen_is_deleted)
{
	struct cgfs_open_opts opts = CGFS_OPEN_OPTS_INIT;
	struct cgfs_group *p, *g;
	struct cgfs *c;

	/* By the library, container and pod; and by hand where v1 has a freezer. */
	for (int i = 0; i < 4; i++) {
		world_create(w, "sb", "sb", NULL);
		world_create(w, "c", "sb", "while :; do :; done");
		world_start(w, "c");
		opts.root = w->root;
		CHECK_INT(cgfs_open(&opts, &c, NULL), 0);
		if (i < 2) {
			CHECK_INT(cgfs_pod_open(c, "sb", &p, NULL), 0);
			CHECK_INT(cgfs_container_open(c, p, "c", &g, NULL), 0);
			(void)!cgfs_group_freeze(i ? p : g, 1000, NULL);
			cgfs_group_close(g);
			cgfs_group_close(p);
		} else {
			(void)freeze_by_hand(w, i == 2 ? "sb/c" : "sb", "FROZEN");
		}
		cgfs_close(c);
		world_do(w, MSG_EXT_DELETE_POD, json_pack("{s:s}", "PodId", "sb"));
		CHECK(!kit_exists(&w->kit, "sb"));
	}
}

/* The tests' own sweep, where no agent deletes it.  In one hierarchy of v1 it is frozen, and in the
 * way of all others. */
KERNEL_TEST(what_is_frozen_is_swept)
{
	char text[4096];

	world_create(w, "sb", "sb", NULL);
	world_create(w, "c", "sb", "while :; do :; done");
	world_start(w, "c");
	client_close(w->c);
	kill(w->agent, SIGKILL);
	CHECK_INT(waitpid(w->agent, NULL, 0), w->agent);
	(void)freeze_by_hand(w, "sb", "FROZEN");
	kit_sweep_groups(&w->kit, text, sizeof(text));
	CHECK(!kit_exists(&w->kit, ""));
	world_start_agent(w, NULL);
	w->c = world_connect(w, true);
}

/* --- runs of the runtime that do not end
 * ----------------------------------------------------------- */

/* The runtime looks for HOME in the container's /etc/passwd: a FIFO without a writer. */
static void make_trap(const struct world *w)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/rootfs/etc", w->dir);
	(void)mkdir(path, 0755);
	strcat(path, "/passwd");
	CHECK_INT(mkfifo(path, 0644), 0);
}

KERNEL_TEST(hanging_execs_hold_up_their_own_pod_alone)
{
	struct client *hostile = world_connect(w, true), *other = world_connect(w, true);
	char path[128];
	double worst;
	uint32_t hr;

	world_create(w, "bad", "bad", NULL);
	world_start(w, "bad");
	make_trap(w);
	for (int i = 0; i < 20; i++)
		load_send(hostile, MSG_EXECUTE_PROCESS, 100 + (uint64_t)i,
			  exec_body("bad", "true"));
	worst = load_ask(w, other, 30);
	tap_note("worst answer to another connection meanwhile: %.1f ms", worst);
	snprintf(path, sizeof(path), "%s/rootfs/etc/passwd", w->dir);
	if (answered(hostile))
		tap_note("this runtime does not read /etc/passwd");

	/* A pod of another's: its creation, a command in it, its end. */
	CHECK_INT(unlink(path), 0);
	do_other(other, MSG_CREATE, load_create_body(w, "good", "good", "exit 5", NULL));
	delete_pod(other, "good");
	/* And the hostile one goes, with all that hangs in it. */
	delete_and_ask(w, other, "bad");
	for (int i = 0; i < 20; i++)
		(void)load_receive(hostile, &hr);
	client_close(hostile);
	client_close(other);
}

/* Sixteen commands in a container that ends none of them; then another pod comes and goes, and the
 * hostile one goes. */
static void hold_up_execs(struct world *w, const char *id)
{
	struct client *hostile = world_connect(w, true), *other = world_connect(w, true);
	double worst;
	uint32_t hr;

	for (int i = 0; i < 16; i++)
		load_send(hostile, MSG_EXECUTE_PROCESS, 100 + (uint64_t)i, exec_body(id, "true"));
	worst = load_ask(w, other, 50);
	tap_note("worst answer to another connection meanwhile: %.1f ms", worst);
	do_other(other, MSG_CREATE, load_create_body(w, "good", "good", "exit 5", NULL));
	delete_pod(other, "good");
	tap_note("%s",
		 answered(hostile) ? "some of the commands have ended" : "no command has ended");
	delete_and_ask(w, other, id);
	for (int i = 0; i < 16; i++)
		(void)load_receive(hostile, &hr);
	client_close(hostile);
	client_close(other);
}

/* Its first process stops every process that enters its pid namespace. */
KERNEL_TEST(what_enters_is_stopped)
{
	world_create(w, "bad", "bad",
		     "while :; do for p in /proc/[0-9]*; do p=${p#/proc/}; "
		     "[ $p = 1 ] || kill -STOP $p; done 2>/dev/null; done");
	world_start(w, "bad");
	hold_up_execs(w, "bad");
}

static void need_v1_memory(void)
{
	if (kit_version(CGFS_MEMORY) != CGFS_V1)
		tap_skip("only cgroup v1 runs a full group without the OOM killer");
}

/* cgroup v1 without the OOM killer: a process that enters sleeps at its first page. */
KERNEL_TEST(full_group_without_oom_killer)
{
	world_need_memory(w);
	need_v1_memory();
	world_do(w, MSG_CREATE,
		 load_create_body(w, "full", "full",
				  "/bin/busybox dd if=/dev/zero of=/dev/null bs=64M & wait",
				  json_pack("{s:{s:i, s:b}}", "memory", "limit", 32 << 20,
					    "disableOOMKiller", 1)));
	world_start(w, "full");
	for (int i = 0; i < 50; i++)
		load_nap();
	hold_up_execs(w, "full");
}

/* Cgroups that the container made below its own, in as many hierarchies as it may be in. */
static size_t make_wide(const struct world *w, const char *path, int n, int hierarchies)
{
	struct cgfs_mounts m = CGFS_MOUNTS_INIT;
	char full[512];
	size_t made = 0;

	CHECK_INT(cgfs_discover(&m, NULL), 0);
	for (size_t i = 0; i < m.n && hierarchies > 0; i++) {
		snprintf(full, sizeof(full), "%s%s/%s", m.mount[i].path, w->root, path);
		hierarchies -= access(full, F_OK) == 0;
		for (int k = 0; k < n; k++) {
			snprintf(full, sizeof(full), "%s%s/%s/w%d", m.mount[i].path, w->root, path,
				 k);
			if (mkdir(full, 0755) < 0)
				break;
			made++;
		}
	}
	return made;
}

/* An emulated guest takes ten times as long for each. */
static int tree_size(void)
{
	return getenv("CGFS_TEST_GUEST") ? 300 : 2000;
}

KERNEL_TEST(wide_tree_keeps_nobody_waiting)
{
	static const int hierarchies[] = { 1, 3, 9 };
	struct client *other = world_connect(w, true);
	unsigned int asked = 0;

	for (size_t i = 0; i < ARRAY_SIZE(hierarchies); i++) {
		world_create(w, "c", "c", NULL);
		world_start(w, "c");
		tap_note("%zu cgroups below the container's",
			 make_wide(w, "c/c", tree_size(), hierarchies[i]));
		asked += delete_and_ask(w, other, "c");
	}
	/* A client that waits for the whole of a deletion has one answer in it, or two. */
	CHECK(asked > 2 * ARRAY_SIZE(hierarchies));
	client_close(other);
}

/* What looks at them does not wait for all of them either. */
KERNEL_TEST(processes_of_a_wide_tree_keep_nobody_waiting)
{
	static const uint32_t types[] = { MSG_EXT_POD_STATS, MSG_EXT_LIST_PODS,
					  MSG_GET_PROPERTIES };
	struct client *hostile = world_connect(w, true), *other = world_connect(w, true);
	unsigned int asked;
	uint32_t hr;

	world_create(w, "c", "c", NULL);
	world_start(w, "c");
	tap_note("%zu cgroups below the container's", make_wide(w, "c/c", tree_size(), 9));
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		double from = load_now(), worst;

		load_send(hostile, types[i], 10 + i,
			  json_pack("{s:s, s:s, s:s, s:s}", "PodId", "c", "ContainerId", "c",
				    "Figures", "brief", "Query",
				    "{\"PropertyTypes\":[\"ProcessList\",\"Statistics\"]}"));
		worst = ask_until(w, other, hostile, &hr, &asked);
		CHECK_INT(hr, HR_OK);
		tap_note("%s took %.1f ms; worst of %u answers to another connection: %.1f ms",
			 protocol_name(types[i]), load_now() - from, asked, worst);
	}
	delete_and_ask(w, other, "c");
	client_close(hostile);
	client_close(other);
}

KERNEL_TEST(deep_tree_keeps_nobody_waiting)
{
	struct client *other = world_connect(w, true);

	world_create(w, "c", "c", NULL);
	world_start(w, "c");
	tap_note("%zu cgroups, each in the one before", load_make_deep(w, "c/c", tree_size(), 9));
	delete_and_ask(w, other, "c");
	client_close(other);
}

KERNEL_TEST(thousands_of_processes_keep_nobody_waiting)
{
	struct client *other = world_connect(w, true);
	int n = getenv("CGFS_TEST_GUEST") ? 150 : 2000;
	char script[128];
	double worst;

	snprintf(script, sizeof(script),
		 "i=0; while [ $i -lt %d ]; do sleep 1000 & i=$((i+1)); done; wait", n);
	world_create(w, "c", "c", script);
	world_start(w, "c");
	for (int i = 0; i < WORLD_MS / 10 && world_figure(w, "c", "pids/current") < n; i++)
		load_nap();
	worst = load_ask(w, other, 10);
	tap_note("worst answer to another connection beside %d processes: %.1f ms", n, worst);
	delete_and_ask(w, other, "c");
	client_close(other);
}

/* Each denial is an event, a line of the log, and a message to a subscriber that does not read. */
KERNEL_TEST(denials_without_end_delay_no_client)
{
	struct client *deaf = world_connect(w, true), *other = world_connect(w, true);
	double worst;

	world_create(w, "c", "c",
		     "/bin/busybox mknod /tmp/kmsg c 1 11; for i in 1 2 3; do "
		     "while :; do echo > /tmp/kmsg; done 2>/dev/null & done; wait");
	do_other(deaf, MSG_EXT_SUBSCRIBE_EVENTS, NULL);
	world_start(w, "c");
	worst = load_ask(w, other, 100);
	tap_note("worst answer to another connection meanwhile: %.1f ms", worst);
	delete_and_ask(w, other, "c");
	client_close(deaf);
	client_close(other);
}

KERNEL_TEST(starved_container_keeps_nobody_waiting)
{
	struct client *hostile = world_connect(w, true), *other = world_connect(w, true);
	double worst;
	uint32_t hr;

	world_do(w, MSG_CREATE,
		 load_create_body(
			 w, "slow", "slow", "while :; do :; done",
			 json_pack("{s:{s:i, s:i}}", "cpu", "quota", 5000, "period", 100000)));
	world_start(w, "slow");
	for (int i = 0; i < 16; i++)
		load_send(hostile, MSG_EXECUTE_PROCESS, 100 + (uint64_t)i,
			  exec_body("slow", "true"));
	worst = load_ask(w, other, 50);
	tap_note("worst answer to another connection meanwhile: %.1f ms", worst);
	delete_and_ask(w, other, "slow");
	for (int i = 0; i < 16; i++)
		(void)load_receive(hostile, &hr);
	client_close(hostile);
	client_close(other);
}

KERNEL_TEST(fork_bomb_at_its_limit_keeps_nobody_waiting)
{
	struct client *hostile = world_connect(w, true), *other = world_connect(w, true);
	double worst;
	uint32_t hr;

	world_do(w, MSG_CREATE,
		 load_create_body(w, "bomb", "bomb", "f() { while :; do f & done; }; f",
				  json_pack("{s:{s:i}, s:{s:i, s:i}}", "pids", "limit", 200, "cpu",
					    "quota", 50000, "period", 100000)));
	world_start(w, "bomb");
	for (int i = 0; i < 20; i++)
		load_nap();
	for (int i = 0; i < 8; i++)
		load_send(hostile, MSG_EXECUTE_PROCESS, 100 + (uint64_t)i,
			  exec_body("bomb", "true"));
	worst = load_ask(w, other, 50);
	tap_note("worst answer to another connection meanwhile: %.1f ms", worst);
	delete_and_ask(w, other, "bomb");
	for (int i = 0; i < 8; i++)
		(void)load_receive(hostile, &hr);
	client_close(hostile);
	client_close(other);
}

/* Requests that one peer has sent at once: its answers may wait, those of others not. */
KERNEL_TEST(many_requests_at_once_keep_nobody_waiting)
{
	static const struct {
		uint32_t type;
		const char *what;
	} steps[] = { { MSG_EXT_CREATE_POD, "created" }, { MSG_EXT_DELETE_POD, "deleted" } };
	struct client *hostile = world_connect(w, true), *other = world_connect(w, true);
	int n = getenv("CGFS_TEST_GUEST") ? 100 : 400;
	struct cgfs_err err = { 0 };
	char id[16];

	load_ask(w, other, 1); /* answered in the order they came until the agent is ready */
	for (size_t k = 0; k < ARRAY_SIZE(steps); k++) {
		double from = load_now(), worst = 0;
		int left = n, asked = 0;
		uint32_t hr;

		for (int i = 0; i < n; i++) {
			snprintf(id, sizeof(id), "p%d", i);
			load_send(hostile, steps[k].type, 100 + (uint64_t)i,
				  json_pack("{s:s}", "PodId", id));
		}
		for (; left; asked++) {
			json_t *body = json_pack("{s:s}", "PodId", "none");
			double one = load_now();

			CHECK_INT(client_call(other, MSG_EXT_POD_STATS, body, NULL, 0, WORLD_MS,
					      NULL, &err),
				  -ENOENT);
			json_decref(body);
			one = load_now() - one;
			worst = one > worst ? one : worst;
			while (left && pending_answer(hostile, &hr)) {
				CHECK_INT(hr, HR_OK);
				left--;
			}
		}
		tap_note("%d pods %s in %.1f ms; worst of %d answers to another connection: "
			 "%.1f ms",
			 n, steps[k].what, load_now() - from, asked, worst);
		CHECK(asked > 2);
	}
	client_close(hostile);
	client_close(other);
}
