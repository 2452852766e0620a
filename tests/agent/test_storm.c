/* SPDX-License-Identifier: MIT */
/*
 * test_storm.c - hundreds of processes that are added at once, with the exit of each waited for:
 * all are answered, others are served meanwhile, and nothing is left.  Latencies are printed, not
 * judged.  CGFS_STORM_EXECS says how many there are.
 */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cgfs/base/util.h"
#include "lives.h"
#include "load.h"

enum { MOST = 500, FIRST = 1000, FIRST_WAIT = 5000, PODS = 16 };

static int how_many(void)
{
	const char *text = getenv("CGFS_STORM_EXECS");
	int n = text && *text ? atoi(text) : getenv("CGFS_TEST_GUEST") ? 20 : 200;

	CHECK(n > 0 && n <= MOST);
	return n;
}

/* @port 0: without streams. */
static json_t *exec_body(const char *id, const char *script, uint32_t port)
{
	json_t *p = json_pack("{s:{s:[s, s, s], s:s, s:[s]}, s:b}", "OciProcess", "args", "/bin/sh",
			      "-c", script, "cwd", "/", "env", "PATH=/bin", "CreateStdOutPipe",
			      port != 0);
	auto_free char *text = json_dumps(p, 0);

	json_decref(p);
	return json_pack("{s:s, s:{s:s, s:{s:i}}}", "ContainerId", id, "Settings",
			 "ProcessParameters", text, "VsockStdioRelaySettings", "StdOut", (int)port);
}

struct storm {
	struct client *c;
	int n, started, ended;
	char id[MOST][16]; /* of the container */
	pid_t pid[MOST];
};

static uint32_t code_of(int i)
{
	return (uint32_t)i % 100 + 1;
}

static void answered(struct storm *s, uint64_t id, const json_t *body)
{
	const char *why = json_string_value(json_object_get(body, "ErrorMessage"));
	int i = (int)(id - (id < FIRST_WAIT ? FIRST : FIRST_WAIT));

	CHECK(i >= 0 && i < s->n);
	CHECK_MSG(json_integer_value(json_object_get(body, "Result")) == 0, "process %d: %s", i,
		  why);
	if (id >= FIRST_WAIT) {
		CHECK_INT(json_integer_value(json_object_get(body, "ExitCode")), code_of(i));
		s->ended++;
		return;
	}
	s->pid[i] = (pid_t)json_integer_value(json_object_get(body, "ProcessId"));
	s->started++;
	load_send(s->c, MSG_WAIT_FOR_PROCESS, FIRST_WAIT + (uint64_t)i,
		  json_pack("{s:s, s:i, s:i}", "ContainerId", s->id[i], "ProcessId", (int)s->pid[i],
			    "TimeoutInMs", WORLD_MS));
}

/* Takes what has come. */
static void take(struct storm *s)
{
	struct pollfd p = { .fd = client_fd(s->c), .events = POLLIN };

	while (client_pending(s->c) || poll(&p, 1, 0) > 0) {
		struct cgfs_err err = { 0 };
		struct client_message m;
		json_t *body;

		CHECK_MSG(client_receive(s->c, WORLD_MS, &m, &err) == 0, "%s", err.text);
		body = json_loads(m.body, 0, NULL);
		CHECK(body);
		if (m.header.id != 0)
			answered(s, m.header.id, body);
		json_decref(body);
		free(m.body);
	}
}

/* The @i-th process is added to the container of pod @i modulo @pods. */
static void storm(struct world *w, int pods)
{
	struct storm s = { .c = world_connect(w, true), .n = how_many() };
	struct client *other = world_connect(w, true);
	double from = load_now(), worst = 0, one, started = 0;
	unsigned int asked = 0;

	for (int i = 0; i < s.n; i++) {
		char script[32];

		snprintf(s.id[i], sizeof(s.id[i]), "c%d", i % pods);
		snprintf(script, sizeof(script), "exit %u", code_of(i));
		load_send(s.c, MSG_EXECUTE_PROCESS, FIRST + (uint64_t)i,
			  exec_body(s.id[i], script, 0));
	}
	for (; s.ended < s.n; asked++) {
		take(&s);
		if (s.started == s.n && started == 0)
			started = load_now() - from;
		one = load_ask(w, other, 1);
		worst = one > worst ? one : worst;
	}
	tap_note("%d processes in %d pods: started in %.0f ms, ended in %.0f ms; "
		 "worst of %u answers to another connection: %.1f ms",
		 s.n, pods, started, load_now() - from, asked, worst);
	client_close(other);
	client_close(s.c);
}

static void make_pods(struct world *w, int n)
{
	char id[16];

	for (int i = 0; i < n; i++) {
		snprintf(id, sizeof(id), "c%d", i);
		world_create(w, id, id, NULL);
		world_start(w, id);
	}
}

static void delete_pods(struct world *w, int n)
{
	char id[16];

	for (int i = 0; i < n; i++) {
		snprintf(id, sizeof(id), "c%d", i);
		world_do(w, MSG_EXT_DELETE_POD, json_pack("{s:s}", "PodId", id));
	}
}

/* As it was before; what a first storm has made the agent allocate may be there still. */
static void check_idle(struct world *w, const struct idle *before)
{
	size_t kib;

	idle_await(w, before);
	kib = idle_of(w).kib;
	(void)kib;
#if !defined(__SANITIZE_ADDRESS__) /* which keeps freed memory for a while */
	CHECK_MSG(kib <= before->kib + 1024, "it has %zu KiB of memory, and had %zu", kib,
		  before->kib);
#endif
}

static void storm_twice(struct world *w, int pods)
{
	struct idle before;

	make_pods(w, pods);
	world_do(w, MSG_EXECUTE_PROCESS, exec_body("c0", "exit 0", 0));
	storm(w, pods);
	before = idle_of(w);
	storm(w, pods);
	check_idle(w, &before);
	delete_pods(w, pods);
}

KERNEL_TEST(processes_added_at_once_to_one_container)
{
	storm_twice(w, 1);
}

KERNEL_TEST(processes_added_at_once_to_many_pods)
{
	storm_twice(w, PODS);
}

/* One request for each of @n pods, all sent at once. */
static void for_all(struct world *w, int n, uint32_t type, json_t *(*body)(struct world *w, int i))
{
	struct client *other = world_connect(w, true);
	double from, first = 0, worst = 0, one;
	uint32_t hr = HR_OK;
	json_t *bodies[MOST];

	load_ask(w, other, 1); /* answered in the order they came until the agent is ready */
	for (int i = 0; i < n; i++)
		bodies[i] = body(w, i);
	from = load_now();
	for (int i = 0; i < n; i++)
		load_send(w->c, type, FIRST + (uint64_t)i, bodies[i]);
	for (int i = 0; i < n; i++) {
		(void)load_receive(w->c, &hr);
		CHECK_INT(hr, HR_OK);
		if (i == 0)
			first = load_now() - from;
		if (i % 10 == 5) {
			one = load_ask(w, other, 1);
			worst = one > worst ? one : worst;
		}
	}
	tap_note("%s of %d pods: first %.1f ms, all %.1f ms; worst answer to another connection: "
		 "%.1f ms",
		 protocol_name(type), n, first, load_now() - from, worst);
	client_close(other);
}

static const char *pod_name(int i)
{
	static char id[16];

	snprintf(id, sizeof(id), "p%d", i);
	return id;
}

static json_t *create_of(struct world *w, int i)
{
	return load_create_body(w, pod_name(i), pod_name(i), NULL, NULL);
}

static json_t *start_of(struct world *w, int i)
{
	return world_execute_body(pod_name(i), "{}");
}

static json_t *exec_of(struct world *w, int i)
{
	return exec_body(pod_name(i), "exit 3", 0);
}

static json_t *delete_of(struct world *w, int i)
{
	return json_pack("{s:s}", "PodId", pod_name(i));
}

/* Each step of all pods at once; no pod's requests are refused, and all leave nothing. */
KERNEL_TEST(pods_live_at_once)
{
	int n = getenv("CGFS_TEST_GUEST") ? 8 : 100;
	struct idle before;

	for (int round = 0; round < 2; round++) {
		for_all(w, n, MSG_CREATE, create_of);
		for_all(w, n, MSG_EXECUTE_PROCESS, start_of);
		for_all(w, n, MSG_EXECUTE_PROCESS, exec_of);
		for_all(w, n, MSG_EXT_DELETE_POD, delete_of);
		if (round == 0)
			before = idle_of(w);
	}
	check_idle(w, &before);
}

/* Writers whose hosts take the connection and never read. */
HOSTKERNEL_TEST(hosts_that_do_not_read_delay_no_other)
{
	enum { DEAF = 64, PORT = 1000 };
	int n = getenv("CGFS_TEST_GUEST") ? 8 : DEAF;
	pid_t pid[DEAF];
	int fd[DEAF];
	struct idle before, deaf;

	make_pods(w, 2);
	storm(w, 1);
	before = idle_of(w);
	for (int i = 0; i < n; i++) {
		json_t *answer;
		int listener = host_port(PORT + (uint32_t)i);

		answer = world_call(w, MSG_EXECUTE_PROCESS,
				    exec_body("c1", "exec yes", PORT + (uint32_t)i));
		pid[i] = (pid_t)json_integer_value(json_object_get(answer, "ProcessId"));
		json_decref(answer);
		fd[i] = host_take(listener);
	}
	storm(w, 1);
	deaf = idle_of(w);
	tap_note("%d hosts that do not read: %zu KiB, %zu before", n, deaf.kib, before.kib);
#if !defined(__SANITIZE_ADDRESS__)
	/* At most 128 KiB each for a host that comes back, and a chunk that is blocked. */
	CHECK(deaf.kib <= before.kib + (size_t)n * 256 + 1024);
#endif
	for (int i = 0; i < n; i++) {
		CHECK_INT(kill(pid[i], SIGKILL), 0);
		close(fd[i]);
	}
	for (int i = 0; i < n; i++)
		CHECK_INT(world_wait(w, "c1", pid[i]), 137);
	check_idle(w, &before);
	delete_pods(w, 2);
}
