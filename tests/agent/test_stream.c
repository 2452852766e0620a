/* SPDX-License-Identifier: MIT */
/*
 * test_stream.c - standard streams over ports of the host, and terminals.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#include "cgfs/base/util.h"
#include "host.h"
#include "lives.h"
#include "load.h"

#define SOCKETS(a, b)                                                                              \
	{                                                                                          \
		a, b, -EBADF                                                                       \
	}

enum { IN = 1, OUT = 2, ERR = 4, TTY = 8 };

static void nap(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = 5000000 }, NULL);
}

static void write_all(int fd, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = send(fd, data, len, MSG_NOSIGNAL);

		CHECK(n > 0);
		data += n;
		len -= (size_t)n;
	}
}

/* The parameters of ExecuteProcess: @script NULL: init's start. */
static json_t *execute(const char *id, const char *script, unsigned int how, uint32_t port)
{
	bool external = streq(id, PROTOCOL_UVM_ID);
	json_t *p = json_pack("{s:b, s:b, s:b, s:b}", "CreateStdInPipe", (how & IN) != 0,
			      "CreateStdOutPipe", (how & OUT) != 0, "CreateStdErrPipe",
			      (how & ERR) != 0, "EmulateConsole", (how & TTY) != 0);
	auto_free char *text = NULL;

	if (script && external) {
		json_object_set_new(p, "CommandArgs",
				    json_pack("[s, s, s]", "/bin/sh", "-c", script));
		json_object_set_new(p, "Environment",
				    json_pack("{s:s, s:s}", "PATH", "/usr/sbin:/usr/bin:/sbin:/bin",
					      "TERM", "dumb"));
	} else if (script) {
		json_object_set_new(p, "OciProcess",
				    json_pack("{s:[s, s, s], s:s, s:[s], s:b}", "args", "/bin/sh",
					      "-c", script, "cwd", "/", "env", "PATH=/bin",
					      "terminal", (how & TTY) != 0));
	}
	text = json_dumps(p, 0);
	json_decref(p);
	return json_pack("{s:s, s:{s:s, s:{s:i, s:i, s:i}}}", "ContainerId", id, "Settings",
			 "ProcessParameters", text, "VsockStdioRelaySettings", "StdIn", (int)port,
			 "StdOut", (int)port + 1, "StdErr", (int)port + 2);
}

/* Runs it with the streams @how asks for, on ports from @port up; the host's ends are in @fds. */
static pid_t run(struct world *w, const char *id, const char *script, unsigned int how,
		 uint32_t port, int fds[3])
{
	json_t *answer;
	pid_t pid;

	for (unsigned int i = 0; i < 3; i++)
		fds[i] = how & 1u << i ? host_port(port + i) : -EBADF;
	answer = world_call(w, MSG_EXECUTE_PROCESS, execute(id, script, how, port));
	pid = (pid_t)json_integer_value(json_object_get(answer, "ProcessId"));
	json_decref(answer);
	for (int i = 0; i < 3; i++) {
		if (fds[i] >= 0 && !(i == 2 && how & TTY))
			fds[i] = host_take(fds[i]);
	}
	return pid;
}

static void close_all(int fds[3])
{
	for (int i = 0; i < 3; i++) {
		if (fds[i] >= 0)
			close(fds[i]);
	}
}

static void expect_output(int fd, const char *text)
{
	char got[8192] = "";

	host_read(fd, got, sizeof(got));
	if (!streq(got, text))
		FAIL("expected \"%s\", got \"%s\"", text, got);
}

/* Reads until @text has come. */
static void read_until(int fd, const char *text)
{
	char got[65536];
	size_t have = 0;

	for (got[0] = '\0'; !strstr(got, text);) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		ssize_t n;

		CHECK_INT(poll(&p, 1, WORLD_MS), 1);
		CHECK(have + 1 < sizeof(got));
		n = read(fd, got + have, sizeof(got) - have - 1);
		if (n <= 0)
			FAIL("\"%s\" is not in \"%s\"", text, got);
		have += (size_t)n;
		got[have] = '\0';
	}
}

/* --- pipes ---------------------------------------------------------------------------------- */

HOST_TEST(external_process_has_its_streams)
{
	int fds[3];
	pid_t pid =
		run(w, PROTOCOL_UVM_ID, "cat; echo error >&2; exit 3", IN | OUT | ERR, 100, fds);

	write_all(fds[0], "hello\n", 6);
	close(take_fd(&fds[0]));
	expect_output(fds[1], "hello\n");
	expect_output(fds[2], "error\n");
	close_all(fds);
	CHECK_INT(world_wait(w, PROTOCOL_UVM_ID, pid), 3);
}

/* Memory of the agent in KiB, as its status has it: now, or the most since the last reset. */
static size_t memory_kib(pid_t agent, const char *key)
{
	char path[40], text[4096], *line;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)agent);
	CHECK(kit_read(path, text, sizeof(text)) > 0);
	line = strstr(text, key);
	CHECK(line);
	return strtoul(line + strlen(key), NULL, 10);
}

static void reset_most(pid_t agent)
{
	char path[40];

	snprintf(path, sizeof(path), "/proc/%d/clear_refs", (int)agent);
	CHECK_INT(kit_write(path, "5"), 0);
}

enum { BLOCK = 65536 };

/* Blocks differ in their number alone, so one that is lost, repeated or moved is found, and so is
 * every byte. */
static void make_block(char block[BLOCK])
{
	uint32_t x = 1;

	for (size_t i = 0; i < BLOCK; i++)
		block[i] = (char)((x = x * 1664525 + 1013904223) >> 24);
}

/* Writes in pieces that fit nothing, and closes its half. */
static void write_blocks(int fd, uint64_t n)
{
	char block[BLOCK];

	make_block(block);
	for (uint64_t i = 0; i < n; i++) {
		memcpy(block, &i, sizeof(i));
		write_all(fd, block, 30011);
		write_all(fd, block + 30011, BLOCK - 30011);
	}
	CHECK_INT(shutdown(fd, SHUT_WR), 0);
}

/* Until the end; how many there were. */
static uint64_t read_blocks(int fd)
{
	char block[BLOCK], got[BLOCK];
	size_t have = 0;
	uint64_t i = 0;

	make_block(block);
	for (ssize_t n; (n = read(fd, got + have, BLOCK - have)) > 0;) {
		have += (size_t)n;
		if (have < BLOCK)
			continue;
		memcpy(block, &i, sizeof(i));
		if (memcmp(block, got, BLOCK) != 0)
			FAIL("block %llu is not what was written", (unsigned long long)i);
		have = 0;
		i++;
	}
	CHECK_INT(have, 0);
	return i;
}

/* What goes into `cat` comes out of it, also when both sides are full for a while; its exit comes
 * after that.  CGFS_STREAM_MIB says how much that is. */
static void pump(struct world *w, const char *id, pid_t pid, int fds[3])
{
	const char *text = getenv("CGFS_STREAM_MIB");
	uint64_t blocks = (text && *text ? strtoull(text, NULL, 10) : 32) * (1048576 / BLOCK);
	size_t before, most;
	double from = load_now();
	int status;
	pid_t child;

	reset_most(w->agent);
	before = memory_kib(w->agent, "VmRSS:");
	fflush(stdout);
	child = fork();
	if (child == 0) {
		write_blocks(fds[0], blocks);
		_exit(0);
	}
	close(take_fd(&fds[0]));
	CHECK_INT(read_blocks(fds[1]), blocks);
	CHECK_INT(waitpid(child, &status, 0), child);
	CHECK_INT(status, 0);
	close_all(fds);
	CHECK_INT(world_wait(w, id, pid), 0);
	most = memory_kib(w->agent, "VmHWM:");
	tap_note("%llu MiB each way in %.1f s; the agent's memory grew by %zu KiB",
		 (unsigned long long)blocks * BLOCK / 1048576, (load_now() - from) / 1e3,
		 most > before ? most - before : 0);
#if !defined(__SANITIZE_ADDRESS__) /* which keeps freed memory for a while */
	CHECK(most < before + 1024);
#endif
}

HOST_TEST(streams_are_byte_exact)
{
	int fds[3];
	pid_t pid = run(w, PROTOCOL_UVM_ID, "exec cat", IN | OUT, 200, fds);

	pump(w, PROTOCOL_UVM_ID, pid, fds);
}

HOSTKERNEL_TEST(streams_of_containers_are_byte_exact)
{
	int fds[3], more[3];
	pid_t init, added;

	world_create(w, "c", NULL, "exec cat");
	init = run(w, "c", NULL, IN | OUT | ERR, 100, fds);
	added = run(w, "c", "exec cat", IN | OUT, 200, more);
	pump(w, "c", added, more);
	pump(w, "c", init, fds);
	world_delete(w, "c");
}

/* Writers whose reader does not read wait, cost little, and delay no other process. */
HOST_TEST(host_that_never_reads_delays_no_other)
{
	enum { N = 24 };
	int fds[N][3];
	pid_t pid[N];
	size_t before;

	world_do(w, MSG_EXT_LIST_PODS, NULL);
	before = memory_kib(w->agent, "VmRSS:");
	for (int i = 0; i < N; i++)
		pid[i] = run(w, PROTOCOL_UVM_ID, "exec yes", OUT | ERR, 300 + 3 * (uint32_t)i,
			     fds[i]);
	for (int i = 0; i < 50; i++) {
		world_do(w, MSG_EXT_LIST_PODS, NULL);
		nap();
	}
	/* At most 128 KiB each for a host that comes back, and a chunk that is blocked. */
	(void)before;
#if !defined(__SANITIZE_ADDRESS__) /* which keeps freed memory for a while */
	CHECK(memory_kib(w->agent, "VmRSS:") < before + N * 256 + 1024);
#endif
	for (int i = 0; i < N; i++) {
		kill(pid[i], SIGKILL);
		close_all(fds[i]);
	}
}

HOST_TEST(exit_is_reported_after_the_drain)
{
	struct cgfs_err err = { 0 };
	char text[16];
	int fds[3];
	pid_t pid = run(w, PROTOCOL_UVM_ID, "head -c 2000000 /dev/zero; exit 4", OUT, 400, fds);
	json_t *body = json_pack("{s:s, s:i, s:i}", "ContainerId", PROTOCOL_UVM_ID, "ProcessId",
				 (int)pid, "TimeoutInMs", 300);

	CHECK(client_call(w->c, MSG_WAIT_FOR_PROCESS, body, NULL, 0, WORLD_MS, NULL, &err) < 0);
	json_decref(body);
	CHECK_INT(client_hresult(w->c), HR_TIMEOUT);
	CHECK_INT(host_read(fds[1], text, sizeof(text)), 2000000);
	close_all(fds);
	CHECK_INT(world_wait(w, PROTOCOL_UVM_ID, pid), 4);
}

/* The process reads the end of its input while its output goes on, and the other way round. */
HOST_TEST(each_half_closes_by_itself)
{
	int fds[3];
	pid_t pid =
		run(w, PROTOCOL_UVM_ID, "exec 2>&-; cat; echo between; exec >&-; exec sleep 1000",
		    IN | OUT | ERR, 500, fds);

	expect_output(fds[2], "");
	close(take_fd(&fds[2]));
	write_all(fds[0], "in ", 3);
	CHECK_INT(shutdown(fds[0], SHUT_WR), 0);
	expect_output(fds[1], "in between\n");
	close_all(fds);
	CHECK_INT(kill(pid, SIGKILL), 0);
	CHECK_INT(world_wait(w, PROTOCOL_UVM_ID, pid), 137);
}

HOST_TEST(port_where_nobody_listens_is_named)
{
	struct cgfs_err err = { 0 };
	json_t *body = execute(PROTOCOL_UVM_ID, "echo", OUT, 600);
	char port[HOST_TEXT_MAX];

	CHECK(client_call(w->c, MSG_EXECUTE_PROCESS, body, NULL, 0, WORLD_MS, NULL, &err) < 0);
	json_decref(body);
	CHECK_INT(client_hresult(w->c), HR_FAIL);
	host_name(601, port);
	if (!strstr(err.text, "connect stdout to ") || !strstr(err.text, port))
		FAIL("%s", err.text);
	body = execute(PROTOCOL_UVM_ID, "echo", OUT, 0);
	json_object_del(json_object_get(body, "Settings"), "VsockStdioRelaySettings");
	CHECK(client_call(w->c, MSG_EXECUTE_PROCESS, body, NULL, 0, WORLD_MS, NULL, &err) < 0);
	json_decref(body);
	CHECK_INT(client_hresult(w->c), HR_INVALID_ARG);
}

/* A host that has moved listens again on the same port, and gets the last bytes once more. */
HOST_TEST(output_goes_on_to_a_host_that_comes_back)
{
	int fds[3];
	pid_t pid = run(w, PROTOCOL_UVM_ID, "echo one; read x; echo two", IN | OUT, 700, fds);

	read_until(fds[1], "one\n");
	close(take_fd(&fds[1]));
	nap();
	write_all(fds[0], "\n", 1);
	fds[1] = host_take(host_port(701));
	expect_output(fds[1], "one\ntwo\n");
	close_all(fds);
	CHECK_INT(world_wait(w, PROTOCOL_UVM_ID, pid), 0);
}

HOSTKERNEL_TEST(init_and_exec_have_their_streams)
{
	int fds[3], more[3];
	pid_t init, added;

	world_create(w, "c", NULL, "cat; echo error >&2; exit 5");
	init = run(w, "c", NULL, IN | OUT | ERR, 100, fds);
	added = run(w, "c", "cat; exit 6", IN | OUT, 200, more);
	write_all(more[0], "added", 5);
	close(take_fd(&more[0]));
	expect_output(more[1], "added");
	close_all(more);
	CHECK_INT(world_wait(w, "c", added), 6);
	write_all(fds[0], "init\n", 5);
	close(take_fd(&fds[0]));
	expect_output(fds[1], "init\n");
	expect_output(fds[2], "error\n");
	close_all(fds);
	CHECK_INT(world_wait(w, "c", init), 5);
	world_exit_type(w, "c", "UnexpectedExit");
	world_delete(w, "c");
}

/* Output that no client asked for is dropped, and the container does not notice. */
HOSTKERNEL_TEST(output_that_no_client_asked_for_is_dropped)
{
	pid_t init;

	world_create(w, "c", NULL, "cat; dd if=/dev/zero bs=65536 count=64; echo done; exit 7");
	init = world_start(w, "c");
	CHECK_INT(world_wait(w, "c", init), 7);
	world_delete(w, "c");
}

/* Init's output outlives the agent; its input does not. */
HOSTKERNEL_TEST(output_goes_on_after_a_kill_of_the_agent)
{
	int fds[3];

	world_create(w, "c", NULL,
		     "trap 'echo two; exit 4' TERM; echo one; while :; do sleep 1; done");
	run(w, "c", NULL, IN | OUT, 400, fds);
	read_until(fds[1], "one\n");
	CHECK_INT(kill(w->agent, SIGKILL), 0);
	CHECK_INT(waitpid(w->agent, NULL, 0), w->agent);
	client_close(w->c);
	w->c = NULL;
	close_all(fds);
	fds[1] = host_port(401);
	host_start_agent(w);
	fds[1] = host_take(fds[1]);
	world_do(w, MSG_SHUTDOWN_GRACEFUL, json_pack("{s:s}", "ContainerId", "c"));
	expect_output(fds[1], "two\n");
	close(fds[1]);
	world_exit_type(w, "c", "GracefulExit");
	world_delete(w, "c");
}

/* A deletion does not wait for a host that does not read. */
HOSTKERNEL_TEST(deletion_does_not_wait_for_a_reader)
{
	int fds[3];
	pid_t init;

	world_create(w, "c", NULL, "dd if=/dev/zero bs=65536 count=64; exit 8");
	init = run(w, "c", NULL, OUT, 300, fds);
	world_do(w, MSG_SIGNAL_PROCESS,
		 json_pack("{s:s, s:i, s:{s:i}}", "ContainerId", "c", "ProcessId", (int)init,
			   "Options", "Signal", 9));
	while (kill(init, 0) == 0)
		nap();
	world_delete(w, "c");
	close_all(fds);
}

/* --- terminals ------------------------------------------------------------------------------ */

static void resize(struct world *w, const char *id, pid_t pid, int width, int height)
{
	world_do(w, MSG_RESIZE_CONSOLE,
		 json_pack("{s:s, s:i, s:i, s:i}", "ContainerId", id, "ProcessId", (int)pid,
			   "Width", width, "Height", height));
}

HOST_TEST(external_process_has_a_terminal)
{
	int fds[3];
	pid_t pid = run(w, PROTOCOL_UVM_ID,
			/* A signal may end a read. */
			"trap 'stty size' WINCH; test -t 0 && echo yes; "
			"until read x && test \"$x\" = end; do :; done; echo last",
			IN | OUT | TTY, 100, fds);

	read_until(fds[1], "yes");
	resize(w, PROTOCOL_UVM_ID, pid, 91, 37);
	write_all(fds[0], "\n", 1);
	read_until(fds[1], "37 91");
	write_all(fds[0], "end\n", 4);
	read_until(fds[1], "last\r\n");
	while (read(fds[1], (char[64]){ 0 }, 64) > 0)
		;
	close_all(fds);
	CHECK_INT(world_wait(w, PROTOCOL_UVM_ID, pid), 0);
}

static json_t *terminal_spec(struct world *w, const char *id, const char *script)
{
	json_t *spec = world_spec(w, id, NULL, script, NULL);

	if (script)
		json_object_set_new(json_object_get(spec, "process"), "terminal", json_true());
	json_array_append_new(json_object_get(spec, "mounts"),
			      json_pack("{s:s, s:s, s:s, s:[s, s, s]}", "destination", "/dev/pts",
					"source", "devpts", "type", "devpts", "options",
					"newinstance", "ptmxmode=0666", "mode=0620"));
	return spec;
}

HOSTKERNEL_TEST(init_and_exec_have_terminals)
{
	int fds[3], more[3];
	pid_t init, added;

	world_do(w, MSG_CREATE,
		 world_create_body(w, "c",
				   terminal_spec(w, "c",
						 "test -t 1 && echo init; read x; "
						 "echo $x last")));
	init = run(w, "c", NULL, IN | OUT | TTY, 100, fds);
	read_until(fds[1], "init\r\n");
	for (uint32_t i = 0; i < 8; i++) {
		added = run(w, "c", "test -t 0 && echo added; exit 9", IN | OUT | TTY, 200 + i * 3,
			    more);
		expect_output(more[1], "added\r\n");
		close_all(more);
		CHECK_INT(world_wait(w, "c", added), 9);
	}
	added = run(w, "c", "trap 'echo int; exit 3' INT; echo ready; while :; do sleep 1; done",
		    IN | OUT | TTY, 300, more);
	resize(w, "c", added, 10, 10);
	read_until(more[1], "ready");
	write_all(more[0], "\003", 1);
	expect_output(more[1], "^Cint\r\n");
	close_all(more);
	CHECK_INT(world_wait(w, "c", added), 3);
	write_all(fds[0], "the\n", 4);
	expect_output(fds[1], "the\r\nthe last\r\n");
	close_all(fds);
	CHECK_INT(world_wait(w, "c", init), 0);
	world_delete(w, "c");
}

/* A client of the local socket passes sockets, and hangs up by closing its own. */
HOSTKERNEL_TEST(terminal_over_passed_sockets)
{
	struct cgfs_err err = { 0 };
	int ends[2];
	json_t *body, *answer = NULL;
	struct client *host_conn = w->c;
	uint32_t code;
	pid_t pid;

	w->c = world_connect(w, true);
	world_do(w, MSG_CREATE, world_create_body(w, "c", terminal_spec(w, "c", NULL)));
	world_start(w, "c");
	CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	body = execute("c", "trap 'exit 12' HUP; echo ready; while :; do read x || exit 13; done",
		       TTY, 0);
	json_object_set_new(body, "StdioFds", json_pack("[i, i]", 0, 1));
	if (client_call(w->c, MSG_EXECUTE_PROCESS, body, (const int[]){ ends[1], ends[1] }, 2,
			WORLD_MS, &answer, &err) < 0)
		FAIL("%s", err.text);
	json_decref(body);
	close(ends[1]);
	pid = (pid_t)json_integer_value(json_object_get(answer, "ProcessId"));
	json_decref(answer);
	read_until(ends[0], "ready");
	resize(w, "c", pid, 80, 25);
	close(ends[0]);
	code = world_wait(w, "c", pid);
	CHECK(code == 12 || code == 13);
	world_do(w, MSG_SHUTDOWN_FORCED, json_pack("{s:s}", "ContainerId", "c"));
	world_exit_type(w, "c", "ForcedExit");
	world_delete(w, "c");
	client_close(w->c);
	w->c = host_conn;
}

/* An exit that no client asks for is kept, but not what reads the output and calls the host. */
HOST_TEST(output_of_an_end_that_is_not_asked_for_is_given_up)
{
	struct idle before;
	int fds[3];

	world_do(w, MSG_EXT_LIST_PODS, NULL); /* the agent has opened all that it opens */
	before = idle_of(w);
	run(w, PROTOCOL_UVM_ID, "sleep 0.2; echo late", OUT, 0x40000801, fds);
	close_all(fds);
	idle_await(w, &before);
}
