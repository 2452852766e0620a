/* SPDX-License-Identifier: MIT */
/*
 * test_bounds.c - what a peer, a container or the agent's own starter can make the agent hold or
 * pass on: memory, places, descriptors, text.
 */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "agent/base/files.h"
#include "cgfs/base/util.h"
#include "world.h"

#define UVM "\"ContainerId\":\"" PROTOCOL_UVM_ID "\""

static void nap(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
}

/* Resident memory of the agent, in KiB; without pages of files, such as its program. */
static long resident(const struct world *w)
{
	char path[64], line[256];
	long kib = -1;
	FILE *f;

#if defined(__SANITIZE_ADDRESS__)
	tap_skip("a sanitizer keeps freed memory for a while");
#endif
	snprintf(path, sizeof(path), "/proc/%d/status", (int)w->agent);
	f = fopen(path, "re");
	CHECK(f);
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "RssAnon: %ld", &kib) == 1)
			break;
	}
	fclose(f);
	CHECK(kib > 0);
	return kib;
}

static size_t descriptors(const struct world *w)
{
	char path[64];
	size_t n = 0;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)w->agent);
	d = opendir(path);
	CHECK(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static void check_alive(struct world *w)
{
	world_do(w, MSG_EXT_LIST_PODS, NULL);
}

/* --- memory ----------------------------------------------------------------------------------- */

static pid_t external(struct world *w, const char *seconds)
{
	char params[96];

	snprintf(params, sizeof(params), "{\"CommandArgs\":[\"/bin/sleep\",\"%s\"]}", seconds);
	return world_execute(w, PROTOCOL_UVM_ID, params);
}

/* 1,024 requests of 64 KiB, each of more than 21,000 JSON values, that all wait. */
PLAIN_TEST(waiting_requests_hold_little)
{
	size_t len = FRAME_SIZE_MAX - FRAME_HEADER_SIZE, at;
	auto_free char *body = malloc(len + 1);
	struct cgfs_err err = { 0 };
	pid_t pid = external(w, "1000");
	struct client_message m;
	long before = resident(w);

	CHECK(body);
	at = (size_t)snprintf(body, len, "{" UVM ",\"ProcessId\":%d,\"TimeoutInMs\":%u,\"x\":[[]",
			      (int)pid, PROTOCOL_WAIT_FOREVER);
	while (at + 5 < len)
		at += (size_t)snprintf(body + at, 4, ",[]");
	memcpy(body + at, "]}", 3);
	for (uint64_t id = 10; id < 10 + 1024; id++)
		CHECK_INT(client_send(w->c, MSG_WAIT_FOR_PROCESS, id, body, strlen(body), NULL, 0,
				      &err),
			  0);
	/* Behind them all: answered when the last of them has been read. */
	CHECK_INT(client_send(w->c, MSG_DUMP_STACKS, 9, "{}", 2, NULL, 0, &err), 0);
	CHECK_INT(client_receive(w->c, WORLD_MS, &m, &err), 0);
	CHECK_INT(m.header.id, 9);
	free(m.body);
	if (resident(w) > before + 16 * 1024)
		FAIL("%ld KiB before, %ld KiB with 1,024 waiting requests", before, resident(w));
	kill(pid, SIGKILL);
}

/* What is echoed in the answer has to be kept, and is counted. */
PLAIN_TEST(long_activity_ids_are_counted)
{
	size_t len = 60000, at;
	auto_free char *body = malloc(len + 200);
	struct cgfs_err err = { 0 };
	pid_t pid = external(w, "1000");
	struct client *c = world_connect(w, true);
	struct client_message m;

	CHECK(body);
	at = (size_t)snprintf(body, 200,
			      "{" UVM ",\"ProcessId\":%d,\"TimeoutInMs\":%u,"
			      "\"ActivityId\":\"",
			      (int)pid, PROTOCOL_WAIT_FOREVER);
	memset(body + at, 'x', len);
	strcpy(body + at + len, "\"}");
	for (uint64_t id = 10; id < 10 + 20; id++)
		CHECK_INT(
			client_send(c, MSG_WAIT_FOR_PROCESS, id, body, strlen(body), NULL, 0, &err),
			0);
	CHECK_INT(client_receive(c, WORLD_MS, &m, &err), 0);
	CHECK(strstr(m.body, "too much memory"));
	free(m.body);
	client_close(c);
	check_alive(w);
	kill(pid, SIGKILL);
}

KERNEL_TEST(pods_that_come_and_go_leave_no_memory)
{
	long before = 0;

	for (int i = 0; i < 1600; i++) {
		char id[65];

		snprintf(id, sizeof(id), "%064d", i);
		world_do(w, MSG_EXT_CREATE_POD, json_pack("{s:s}", "PodId", id));
		world_do(w, MSG_EXT_DELETE_POD, json_pack("{s:s}", "PodId", id));
		if (i == 599) {
			for (int k = 0; k < 75; k++)
				nap();
			before = resident(w);
		}
	}
	for (int k = 0; k < 75; k++)
		nap();
	/* 145 bytes a pod would be 145 KiB. */
	if (resident(w) > before + 64)
		FAIL("%ld KiB after 600 pods, %ld KiB after 1,000 more", before, resident(w));
}

PLAIN_TEST(connections_leave_nothing)
{
	long before = 0;
	size_t fds;

	check_alive(w); /* all that the agent opens at its start is open */
	fds = descriptors(w) + 1;
	for (int i = 0; i < 2000; i++) {
		struct client *c = world_connect(w, true);

		client_close(c);
		if (i == 500)
			before = resident(w);
	}
	check_alive(w);
	/* The last of them may still be closed; on a slow machine many were open at once. */
	for (int i = 0; i < WORLD_MS / 20 && descriptors(w) > fds; i++)
		nap();
	CHECK(descriptors(w) <= fds);
	CHECK(resident(w) <= before + 1024);
}

/* --- peers --------------------------------------------------------------------------------------
 */

PLAIN_TEST(half_closed_peer_is_answered)
{
	struct client *c = world_connect(w, true);
	struct client_message m;
	struct cgfs_err err = { 0 };
	char text[160];
	pid_t pid = external(w, "0.3");

	snprintf(text, sizeof(text), "{" UVM ",\"ProcessId\":%d,\"TimeoutInMs\":%u}", (int)pid,
		 PROTOCOL_WAIT_FOREVER);
	CHECK_INT(client_send(c, MSG_WAIT_FOR_PROCESS, 7, text, strlen(text), NULL, 0, &err), 0);
	CHECK_INT(shutdown(client_fd(c), SHUT_WR), 0);
	CHECK_INT(client_receive(c, WORLD_MS, &m, &err), 0);
	CHECK_INT(m.header.id, 7);
	CHECK(strstr(m.body, "\"ExitCode\":0"));
	free(m.body);
	/* Nothing more can come: the agent closes its half, too. */
	CHECK_INT(client_receive(c, WORLD_MS, &m, &err), -EPIPE);
	client_close(c);

	/* One that goes altogether while it waits gives its place back. */
	pid = external(w, "1000");
	snprintf(text, sizeof(text), "{" UVM ",\"ProcessId\":%d,\"TimeoutInMs\":%u}", (int)pid,
		 PROTOCOL_WAIT_FOREVER);
	for (int i = 0; i < 200; i++) {
		c = world_connect(w, true);
		CHECK_INT(
			client_send(c, MSG_WAIT_FOR_PROCESS, 7, text, strlen(text), NULL, 0, &err),
			0);
		CHECK_INT(shutdown(client_fd(c), SHUT_WR), 0);
		client_close(c);
	}
	check_alive(w);
	kill(pid, SIGKILL);
}

PLAIN_TEST(peers_that_never_read_make_room)
{
	char frame[FRAME_HEADER_SIZE + 2];
	struct frame_header h = { MSG_DUMP_STACKS, sizeof(frame), 1 };
	struct client *deaf[63], *c;
	struct cgfs_err err = { 0 };
	long before = resident(w);

	frame_encode(&h, (uint8_t *)frame);
	memcpy(frame + FRAME_HEADER_SIZE, "{}", 2); /* NOLINT: no string */
	for (size_t i = 0; i < ARRAY_SIZE(deaf); i++) {
		ssize_t n = 1;

		deaf[i] = world_connect(w, true);
		for (int k = 0; k < 100000 && n > 0; k++)
			n = send(client_fd(deaf[i]), frame, sizeof(frame),
				 MSG_DONTWAIT | MSG_NOSIGNAL);
	}
	check_alive(w);
	CHECK(resident(w) < before + 24 * 1024);
	/* All places are taken; those that have not read for a second are given away. */
	for (int i = 0; i < 70; i++)
		nap();
	for (int i = 0; i < 8; i++) {
		c = world_connect(w, true);
		CHECK_INT(client_call(c, MSG_EXT_LIST_PODS, NULL, NULL, 0, WORLD_MS, NULL, &err),
			  0);
	}
	for (size_t i = 0; i < ARRAY_SIZE(deaf); i++)
		client_close(deaf[i]);
	check_alive(w);
}

/* --- what the starter left ----------------------------------------------------------------------
 */

static void open_etc(void)
{
	int fd = open("/etc", O_RDONLY | O_DIRECTORY);

	dup2(fd, 9);
	dup2(fd, 30);
}

static int world_with_etc(void **state)
{
	int r;

	world_child_hook = open_etc;
	r = world_kernel(state);
	world_child_hook = NULL;
	return r;
}

/* Is there a descriptor of the agent's starter anywhere in the container? */
WORLD_TEST(inherited_descriptors_reach_no_container, world_with_etc)
{
	static const int numbers[] = { 3, 9, 30 };
	struct cgfs_err err = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		json_t *spec =
			world_spec(w, "c", NULL, "[ ! -e passwd ] && [ ! -e hostname ]", NULL);
		json_t *body;
		char cwd[32];

		snprintf(cwd, sizeof(cwd), "/proc/self/fd/%d", numbers[i]);
		json_object_set_new(json_object_get(spec, "process"), "cwd", json_string(cwd));
		body = world_create_body(w, "c", spec);
		/* The runtime refuses it, or the directory is not the host's. */
		if (client_call(w->c, MSG_CREATE, body, NULL, 0, WORLD_MS, NULL, &err) == 0) {
			CHECK_INT(world_wait(w, "c", world_start(w, "c")), 0);
			world_delete(w, "c");
		}
		json_decref(body);
	}
	world_create(w, "c", NULL,
		     "for f in /proc/self/fd/*; do case $f in */[012]) ;; "
		     "*) [ -d $f ] && exit 1 ;; esac; done; exit 0");
	CHECK_INT(world_wait(w, "c", world_start(w, "c")), 0);
}

/* The runtime must make /dev/null in every container, which this list does not allow: that is what
 * the error says, and not that a stream could not be opened. */
KERNEL_TEST(pod_that_denies_all_devices_reports_it)
{
	json_t *rules = json_pack("{s:[{s:b, s:s}]}", "devices", "allow", 0, "access", "rwm");
	json_t *body = world_create_body(w, "c", world_spec(w, "c", "p", "exit 3", NULL));
	struct cgfs_err err = { 0 };

	world_do(w, MSG_EXT_CREATE_POD,
		 json_pack("{s:s, s:o, s:b}", "PodId", "p", "Resources", rules, "ExactDevices", 1));
	if (client_call(w->c, MSG_CREATE, body, NULL, 0, WORLD_MS, NULL, &err) < 0) {
		CHECK(!strstr(err.text, "stream"));
		CHECK(strstr(err.text, "/dev/"));
	}
	json_decref(body);
}

/* --- the log ------------------------------------------------------------------------------------
 */

static int world_logging(void **state)
{
	return world_alone(state);
}

static bool contains(const char *path, const char *text)
{
	char buf[16384];
	int n = files_read(path, buf, sizeof(buf));

	return n > 0 && strstr(buf, text);
}

WORLD_TEST(hangup_opens_the_log_again, world_logging)
{
	char log[96], old[96];
	const char *args[] = { "--logfile", log, "--no-bpf", NULL };

	snprintf(log, sizeof(log), "%s/log", w->dir);
	snprintf(old, sizeof(old), "%s/log.1", w->dir);
	w->kernel = false;
	world_start_agent(w, args);
	w->c = world_connect(w, true);
	check_alive(w);
	CHECK_INT(rename(log, old), 0);
	kill(w->agent, SIGHUP);
	for (int i = 0; i < WORLD_MS / 20 && !contains(log, "opened again"); i++)
		nap();
	CHECK(contains(log, "opened again"));
	CHECK(contains(old, "continues in a new file"));
	check_alive(w);

	/* A file that cannot be opened: the old one goes on. */
	CHECK_INT(unlink(log), 0);
	CHECK_INT(mkdir(log, 0755), 0);
	kill(w->agent, SIGHUP);
	check_alive(w);
	kill(w->agent, SIGTERM);
	CHECK_INT(waitpid(w->agent, NULL, 0), w->agent);
}
