/* SPDX-License-Identifier: MIT */
/*
 * test_bridge.c - what a connection can do to the agent: nothing.  Needs no privilege.
 */
#include <cgfs/base.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>

#include "agent/base/log.h"
#include "agent/base/loop.h"
#include "agent/bridge/bridge.h"
#include "agent/daemon/daemon.h"
#include "cgfs/base/util.h"
#include "world.h"

#define UVM "\"ContainerId\":\"" PROTOCOL_UVM_ID "\""

static void send_header(struct client *c, uint32_t type, uint32_t size)
{
	struct frame_header h = { type, size, 1 };
	struct cgfs_err err = { 0 };
	uint8_t raw[FRAME_HEADER_SIZE];

	frame_encode(&h, raw);
	CHECK_INT(client_send_raw(c, raw, sizeof(raw), &err), 0);
}

static void check_closed(struct client *c)
{
	struct client_message m;
	struct cgfs_err err = { 0 };
	int r;

	while ((r = client_receive(c, WORLD_MS, &m, &err)) == 0)
		free(m.body);
	CHECK(r == -EPIPE || r == -ECONNRESET);
}

/* The agent is there and answers on the connection that did nothing wrong. */
static void check_alive(struct world *w)
{
	world_do(w, MSG_EXT_LIST_PODS, NULL);
}

PLAIN_TEST(header_size_that_lies_ends_the_connection_alone)
{
	static const uint32_t sizes[] = { 0,	    1,		15,	    0x10001,
					  0x100000, 0x7fffffff, 0x80000000, 0xffffffff };

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct client *c = world_connect(w, i % 2);

		send_header(c, MSG_DUMP_STACKS, sizes[i]);
		check_closed(c);
		client_close(c);
		check_alive(w);
	}
}

PLAIN_TEST(largest_frame_is_taken)
{
	size_t len = FRAME_SIZE_MAX - FRAME_HEADER_SIZE;
	auto_free char *body = malloc(len);
	struct client_message m;
	struct cgfs_err err = { 0 };

	CHECK(body);
	memset(body, ' ', len);
	memcpy(body, "{}", 2); /* NOLINT: no string */
	CHECK_INT(client_send(w->c, MSG_EXT_LIST_PODS, 7, body, len, NULL, 0, &err), 0);
	CHECK_INT(client_receive(w->c, WORLD_MS, &m, &err), 0);
	CHECK_INT(m.header.id, 7);
	CHECK(strstr(m.body, "\"Result\":0"));
	free(m.body);
}

PLAIN_TEST(frame_cut_short_is_dropped)
{
	for (uint32_t cut = 1; cut < 40; cut += 3) {
		struct client *c = world_connect(w, true);
		uint8_t raw[40] = { 0 };
		struct frame_header h = { MSG_DUMP_STACKS, 64, 1 };
		struct cgfs_err err = { 0 };

		frame_encode(&h, raw);
		CHECK_INT(client_send_raw(c, raw, cut, &err), 0);
		client_close(c);
	}
	check_alive(w);
}

static uint32_t ask(struct world *w, uint32_t type, const char *body, size_t len)
{
	struct client_message m;
	struct cgfs_err err = { 0 };
	json_t *answer;
	uint32_t hr;

	CHECK_INT(client_send(w->c, type, 9, body, len, NULL, 0, &err), 0);
	CHECK_INT(client_receive(w->c, WORLD_MS, &m, &err), 0);
	CHECK_INT(m.header.type, PROTOCOL_RESPONSE(type));
	CHECK_INT(m.header.id, 9);
	answer = json_loadb(m.body, m.len, 0, NULL);
	free(m.body);
	CHECK(json_is_integer(json_object_get(answer, "Result")));
	hr = (uint32_t)json_integer_value(json_object_get(answer, "Result"));
	json_decref(answer);
	return hr;
}

PLAIN_TEST(deep_json_is_refused)
{
	char body[60000];

	memset(body, '[', sizeof(body));
	CHECK_INT(ask(w, MSG_DUMP_STACKS, body, sizeof(body)), HR_INVALID_JSON);
	for (size_t i = 0; i + 5 < sizeof(body); i += 5)
		memcpy(body + i, "{\"a\":", 5); /* NOLINT: no string */
	CHECK_INT(ask(w, MSG_CREATE, body, sizeof(body)), HR_INVALID_JSON);
}

static const uint32_t types[] = {
#define TYPE(name, type, text) type,
	PROTOCOL_REQUESTS(TYPE)
#undef TYPE
};

/* Each message with each of these in place of each of its members: refused or done, answered. */
PLAIN_TEST(wrong_types_anywhere_are_answered)
{
	static const char *const names[] = { "ContainerId", "ActivityId",    "ContainerConfig",
					     "Settings",    "ProcessId",     "TimeoutInMs",
					     "Options",	    "Query",	     "Request",
					     "PodId",	    "Resources",     "StdioFds",
					     "Height",	    "MinimumVersion" };
	static const char *const values[] = { "null",
					      "true",
					      "5",
					      "-1",
					      "1e400",
					      "1.5",
					      "\"\"",
					      "\"x\"",
					      "\"{\"",
					      "\"{}\"",
					      "\"[]\"",
					      "[]",
					      "{}",
					      "[[]]",
					      "{\"Linux\":5}",
					      "[0,0]",
					      "99999999999999999999" };

	for (size_t t = 0; t < ARRAY_SIZE(types); t++) {
		for (size_t n = 0; n < ARRAY_SIZE(names); n++) {
			for (size_t v = 0; v < ARRAY_SIZE(values); v++) {
				char body[256];
				int len = snprintf(body, sizeof(body), "{\"%s\":%s}", names[n],
						   values[v]);

				(void)ask(w, types[t], body, (size_t)len);
			}
		}
	}
}

PLAIN_TEST(every_prefix_of_a_request_is_answered)
{
	json_t *body = world_create_body(w, "c", world_spec(w, "c", "c", "true", NULL));
	auto_free char *text = json_dumps(body, 0);

	json_decref(body);
	for (size_t len = 0; len < strlen(text); len += 7)
		CHECK_INT(ask(w, MSG_CREATE, text, len), HR_INVALID_JSON);
}

/* What ends the reference: specifications without their parts. */
PLAIN_TEST(spec_without_its_parts_is_refused)
{
	static const char *const paths[][2] = {
		{ "linux", NULL },  { "process", NULL },   { "root", NULL },
		{ "root", "path" }, { "process", "args" }, { "process", "cwd" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		json_t *spec = world_spec(w, "c", "c", "true", NULL);

		if (paths[i][1])
			json_object_del(json_object_get(spec, paths[i][0]), paths[i][1]);
		else
			json_object_del(spec, paths[i][0]);
		world_refuse(w, MSG_CREATE, world_create_body(w, "c", spec), HR_INVALID_ARG);
	}
	world_refuse(w, MSG_CREATE,
		     json_pack("{s:s, s:s}", "ContainerId", "c", "ContainerConfig",
			       "{\"SchemaVersion\":{\"Major\":2,\"Minor\":1}}"),
		     HR_INVALID_ARG);
	world_refuse(w, MSG_EXECUTE_PROCESS, world_execute_body(PROTOCOL_UVM_ID, "{}"),
		     HR_INVALID_ARG);
}

PLAIN_TEST(bad_ids_are_refused)
{
	char longest[301];
	const char *ids[] = { "", ".", "..", "a/b", "../x", "a b", "cgroup.procs", longest };

	memset(longest, 'a', 300);
	longest[300] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(ids); i++)
		world_refuse(
			w, MSG_CREATE,
			world_create_body(w, ids[i], world_spec(w, ids[i], NULL, "true", NULL)),
			HR_INVALID_ARG);
	CHECK_INT(ask(w, MSG_CREATE, "{\"ContainerId\":\"a\\u0000b\"}", 25), HR_INVALID_JSON);
}

PLAIN_TEST(bad_bundle_paths_are_refused)
{
	static const char *const paths[] = { "",	"/",	  "/x",	   "relative/path",
					     "/a/../b", "/a/./b", "/a//b", "/a/b/" };

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		json_t *config =
			json_pack("{s:{s:i, s:i}, s:s, s:o}", "SchemaVersion", "Major", 2, "Minor",
				  1, "OciBundlePath", paths[i], "OciSpecification",
				  world_spec(w, "c", NULL, "true", NULL));
		auto_free char *text = json_dumps(config, 0);

		json_decref(config);
		world_refuse(w, MSG_CREATE,
			     json_pack("{s:s, s:s}", "ContainerId", "c", "ContainerConfig", text),
			     HR_INVALID_ARG);
	}
}

PLAIN_TEST(member_names_in_any_case)
{
	static const char body[] = "{\"containerid\":\"" PROTOCOL_UVM_ID
				   "\",\"MINIMUMVERSION\":4,\"maximumVersion\":4,\"x\":[1]}";
	struct client *spare = w->c;

	w->c = world_connect(w, false);
	CHECK_INT(ask(w, MSG_NEGOTIATE, body, strlen(body)), HR_OK);
	client_close(w->c);
	w->c = spare;
}

PLAIN_TEST(peer_that_does_not_read_is_not_waited_for)
{
	struct client *c = world_connect(w, true);
	char frame[FRAME_HEADER_SIZE + 2];
	struct frame_header h = { MSG_DUMP_STACKS, sizeof(frame), 1 };
	ssize_t n = 1;

	frame_encode(&h, (uint8_t *)frame);
	memcpy(frame + FRAME_HEADER_SIZE, "{}", 2); /* NOLINT: no string */
	/* Until its buffers and ours are full: from then on the requests are not read. */
	for (int i = 0; i < 1000000 && n > 0; i++)
		n = send(client_fd(c), frame, sizeof(frame), MSG_DONTWAIT | MSG_NOSIGNAL);
	CHECK(n < 0);
	check_alive(w);
	client_close(c);
	check_alive(w);
}

PLAIN_TEST(descriptors_must_come_with_their_message)
{
	struct cgfs_err err = { 0 };
	int fds[3] = { 0, 1, 2 };
	json_t *body = json_pack("{s:s, s:[i]}", "ContainerId", "c", "StdioFds", 1);

	world_refuse(w, MSG_CREATE, json_incref(body), HR_INVALID_ARG);
	json_array_append_new(json_object_get(body, "StdioFds"), json_integer(1));
	CHECK(client_call(w->c, MSG_CREATE, body, fds, 2, WORLD_MS, NULL, &err) < 0);
	CHECK_INT(client_hresult(w->c), HR_INVALID_ARG);
	json_decref(body);

	/* More than is accepted: the connection ends, the agent keeps none of them. */
	struct client *c = world_connect(w, true);
	for (int i = 0; i < 5; i++)
		(void)!client_send(c, MSG_EXT_LIST_PODS, 1, "{}", 2, fds, 3, NULL);
	check_closed(c);
	client_close(c);
	check_alive(w);
}

PLAIN_TEST(answer_is_never_longer_than_a_frame)
{
	size_t len = FRAME_SIZE_MAX - FRAME_HEADER_SIZE;
	auto_free char *body = malloc(len + 1);
	struct client_message m;
	struct cgfs_err err = { 0 };

	/* An ActivityId that leaves no room for the answer that must repeat it. */
	CHECK(body);
	memset(body, 'x', len);
	memcpy(body, "{\"ActivityId\":\"", 15); /* NOLINT: no string */
	memcpy(body + len - 2, "\"}", 2);	/* NOLINT: no string */
	CHECK_INT(client_send(w->c, MSG_DUMP_STACKS, 3, body, len, NULL, 0, &err), 0);
	CHECK_INT(client_receive(w->c, WORLD_MS, &m, &err), 0);
	CHECK_INT(m.header.id, 3);
	CHECK(strstr(m.body, "\"ErrorMessage\""));
	free(m.body);
}

PLAIN_TEST(too_many_requests_are_refused)
{
	static const char exec[] = "{" UVM ",\"Settings\":{\"ProcessParameters\":"
				   "\"{\\\"CommandArgs\\\":[\\\"/bin/sleep\\\",\\\"1000\\\"]}\"}}";
	struct client_message m;
	struct cgfs_err err = { 0 };
	char text[160];
	json_t *answer;
	pid_t pid;

	CHECK_INT(client_send(w->c, MSG_EXECUTE_PROCESS, 1, exec, strlen(exec), NULL, 0, &err), 0);
	CHECK_INT(client_receive(w->c, WORLD_MS, &m, &err), 0);
	answer = json_loadb(m.body, m.len, 0, NULL);
	free(m.body);
	pid = (pid_t)json_integer_value(json_object_get(answer, "ProcessId"));
	json_decref(answer);
	CHECK(pid > 0);
	snprintf(text, sizeof(text), "{" UVM ",\"ProcessId\":%d,\"TimeoutInMs\":%u}", (int)pid,
		 PROTOCOL_WAIT_FOREVER);
	for (uint64_t id = 10; id < 10 + 1025; id++)
		CHECK_INT(client_send(w->c, MSG_WAIT_FOR_PROCESS, id, text, strlen(text), NULL, 0,
				      &err),
			  0);
	CHECK_INT(client_receive(w->c, WORLD_MS, &m, &err), 0);
	CHECK_INT(m.header.id, 10 + 1024);
	CHECK(strstr(m.body, "more than"));
	free(m.body);
	kill(pid, SIGKILL);
	CHECK_INT(client_receive(w->c, WORLD_MS, &m, &err), 0);
	CHECK(strstr(m.body, "\"ExitCode\":137"));
	free(m.body);
}

PLAIN_TEST(socket_in_use_is_left_alone)
{
	pid_t first = w->agent;
	int status;

	world_start_agent(w, NULL);
	CHECK_INT(waitpid(w->agent, &status, 0), w->agent);
	CHECK_INT(WEXITSTATUS(status), 1);
	w->agent = first;
	check_alive(w);
}

static int listen_at(struct dirs *dirs, const char *path, bool replace, struct cgfs_err *err)
{
	static const struct bridge_ops ops = { 0 };
	struct log log = { .fd = STDERR_FILENO, .level = LOG_ERROR };
	struct bridge *b;
	struct loop *loop;
	int r;

	CHECK_INT(loop_new(&loop), 0);
	CHECK_INT(bridge_new(loop, &log, &ops, NULL, dirs, &b), 0);
	r = bridge_listen(b, path, false, err);
	if (r == 0 && replace) {
		CHECK_INT(unlink(path), 0);
		CHECK_INT(mkdir(path, 0700), 0);
	}
	bridge_free(b);
	loop_free(loop);
	return r;
}

static void bind_at(const char *path, int type, bool alive)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path);
	CHECK_INT(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	if (!alive)
		close(fd);
}

/* Only a dead socket of ours gives way, and only our own is removed in the end. */
PLAIN_TEST(what_is_at_the_path_is_kept)
{
	static const char *const names[] = {
		"file", "fifo", "link", "directory", "datagram", "dead"
	};
	static const char *const words[] = { "regular file",	       "FIFO",
					     "symbolic link",	       "directory",
					     "socket of another type", "no agent made" };
	struct dirs dirs = DIRS_INIT;
	char path[100], target[100];
	struct stat before, after;
	int fd;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct cgfs_err err = { 0 };

		snprintf(path, sizeof(path), "%s/%s", w->dir, names[i]);
		if (i == 0)
			CHECK_INT(mknod(path, S_IFREG | 0600, 0), 0);
		else if (i == 1)
			CHECK_INT(mkfifo(path, 0600), 0);
		else if (i == 3)
			CHECK_INT(mkdir(path, 0700), 0);
		else if (i == 4)
			bind_at(path, SOCK_DGRAM, true);
		else if (i == 5)
			bind_at(path, SOCK_STREAM, false);
		if (i == 2) { /* to a dead socket: neither goes */
			snprintf(target, sizeof(target), "%s/target", w->dir);
			bind_at(target, SOCK_STREAM, false);
			CHECK_INT(symlink(target, path), 0);
		}
		CHECK_INT(lstat(path, &before), 0);
		CHECK_INT(listen_at(&dirs, path, false, &err), -EADDRINUSE);
		CHECK(strstr(err.text, words[i]));
		CHECK(strstr(err.text, path));
		CHECK_INT(lstat(path, &after), 0);
		CHECK_INT(before.st_ino, after.st_ino);
		CHECK_INT(i == 3 ? rmdir(path) : unlink(path), 0);
	}
	CHECK_INT(unlink(target), 0);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CHECK_INT(dirs_bind(&dirs, fd, target), 0);
	close(fd);
	CHECK_INT(listen_at(&dirs, target, false, NULL), 0); /* our own is replaced */
	CHECK_INT(lstat(target, &after), -1);
	/* What came instead is another's. */
	CHECK_INT(listen_at(&dirs, target, true, NULL), 0);
	dirs_close(&dirs, true);
	CHECK_INT(rmdir(target), 0);
}

PLAIN_TEST(stdin_and_stdout_serve_until_the_end)
{
	static const char *const argv[] = {
		"cgfs-agent",  "-v4", "-use-inouterr", "--no-bpf", "--runtime=/bin/false",
		"--state-dir", NULL,  "--root",	       NULL
	};
	struct cgfs_err err = { 0 };
	char state_dir[96], root[64];
	struct client *c;
	int in[2], out[2], status;
	pid_t pid;

	snprintf(state_dir, sizeof(state_dir), "%s/second", w->dir);
	snprintf(root, sizeof(root), "/cgfs-test-stdin-%d", getpid());
	CHECK_INT(pipe(in), 0);
	CHECK_INT(pipe(out), 0);
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		const char *args[10] = { 0 };

		memcpy(args, argv, sizeof(argv));
		args[6] = state_dir;
		args[8] = root;
		dup2(in[0], 0);
		dup2(out[1], 1);
		close(in[0]);
		close(in[1]);
		close(out[0]);
		close(out[1]);
		exit(agent_main(9, (char **)args));
	}
	close(in[0]);
	close(out[1]);
	CHECK_INT(client_open_fds(out[0], in[1], &c), 0);
	CHECK_INT(client_negotiate(c, WORLD_MS, &err), 0);
	client_close(c);
	CHECK_INT(waitpid(pid, &status, 0), pid);
	CHECK(WIFEXITED(status));
	CHECK_INT(WEXITSTATUS(status), 0);
}

PLAIN_TEST(without_v4_everything_is_refused)
{
	static const char *const args[] = { "-v4=false", NULL };
	struct cgfs_err err = { 0 };
	int status;

	client_close(w->c);
	kill(w->agent, SIGTERM);
	CHECK_INT(waitpid(w->agent, &status, 0), w->agent);
	world_start_agent(w, args);
	w->c = world_connect(w, false);
	CHECK(client_negotiate(w->c, WORLD_MS, &err) < 0);
	CHECK_INT(client_hresult(w->c), HR_NOT_IMPL);
}
