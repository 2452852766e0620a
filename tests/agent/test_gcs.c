/* SPDX-License-Identifier: MIT */
/*
 * test_gcs.c - where a host of the reference would see a difference: results of odd requests, what
 * is left out, errors at the start.  docs/gcs-compat.md names these tests row by row.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#include "agent/daemon/daemon.h"
#include "cgfs/base/util.h"
#include "world.h"

/* --- results of odd requests ------------------------------------------------------------------ */

PLAIN_TEST(start_is_answered_for_every_id)
{
	static const char *const ids[] = { "", "unknown", PROTOCOL_UVM_ID };

	for (size_t i = 0; i < ARRAY_SIZE(ids); i++)
		world_do(w, MSG_START, json_pack("{s:s}", "ContainerId", ids[i]));
	world_do(w, MSG_START, json_object());
}

/* The HRESULT of the answer to @body, sent as it is; 0 for success. */
static uint32_t result_of(struct client *c, uint32_t type, const char *body)
{
	struct client_message m;
	struct cgfs_err err = { 0 };
	json_t *answer;
	uint32_t hr;

	CHECK_INT(client_send(c, type, 7, body, strlen(body), NULL, 0, &err), 0);
	CHECK_INT(client_receive(c, WORLD_MS, &m, &err), 0);
	answer = json_loads(m.body, 0, NULL);
	CHECK(answer);
	hr = (uint32_t)json_integer_value(json_object_get(answer, "Result"));
	json_decref(answer);
	free(m.body);
	return hr;
}

PLAIN_TEST(negotiate_distinguishes_bad_json_and_bad_versions)
{
	static const struct {
		const char *body;
		uint32_t hr;
	} rows[] = {
		{ "{", HR_INVALID_JSON },
		{ "", HR_INVALID_JSON },
		{ "[4]", HR_INVALID_JSON },
		{ "{\"MinimumVersion\":\"4\",\"MaximumVersion\":4}", HR_INVALID_JSON },
		{ "{}", HR_UNSUPPORTED_VERSION },
		{ "{\"MinimumVersion\":5,\"MaximumVersion\":6}", HR_UNSUPPORTED_VERSION },
		{ "{\"MinimumVersion\":4,\"MaximumVersion\":4}", HR_OK },
		{ "{", HR_NOT_IMPL }, /* a second one, with any content */
	};
	struct client *c = world_connect(w, false);

	CHECK_INT(result_of(c, MSG_EXT_LIST_PODS, "{"), HR_NOT_IMPL);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		CHECK_INT(result_of(c, MSG_NEGOTIATE, rows[i].body), rows[i].hr);
	client_close(c);
}

KERNEL_TEST(modify_settings_needs_its_members)
{
	static const struct {
		const char *body;
		uint32_t hr;
	} rows[] = {
		{ "{\"ContainerId\":\"c\"}", HR_INVALID_JSON },
		{ "{\"ContainerId\":\"c\",\"Request\":null}", HR_INVALID_JSON },
		{ "{\"ContainerId\":\"c\",\"Request\":{\"ResourceType\":\"ContainerConstraints\"}}",
		  HR_INVALID_JSON },
		{ "{\"ContainerId\":\"c\",\"Request\":{\"ResourceType\":\"ContainerConstraints\","
		  "\"Settings\":null}}",
		  HR_INVALID_JSON },
		{ "{\"ContainerId\":\"c\",\"Request\":{\"ResourceType\":\"ContainerConstraints\","
		  "\"Settings\":{}}}",
		  HR_OK },
		{ "{\"ContainerId\":\"c\",\"Request\":{\"ResourceType\":\"ContainerConstraints\","
		  "\"Settings\":{\"Linux\":null}}}",
		  HR_OK },
		{ "{\"ContainerId\":\"c\",\"Request\":{\"ResourceType\":\"ContainerConstraints\","
		  "\"Settings\":{\"Windows\":{\"Maximum\":1}}}}",
		  HR_OK },
		{ "{\"ContainerId\":\"c\",\"Request\":{\"ResourceType\":\"ContainerConstraints\","
		  "\"Settings\":{\"Linux\":{\"pids\":{\"limit\":77}}}}}",
		  HR_OK },
		{ "{\"ContainerId\":\"c\",\"Request\":{\"ResourceType\":\"SCSIDevice\"}}",
		  HR_FAIL },
	};

	world_create(w, "c", NULL, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		CHECK_INT(result_of(w->c, MSG_MODIFY_SETTINGS, rows[i].body), rows[i].hr);
	CHECK(world_figure(w, "c", "pids/limit") == 77);
	world_delete(w, "c");
}

/* The whole answer, where its text counts. */
static void refuse_naming(struct world *w, uint32_t type, json_t *body, uint32_t hr,
			  const char *name)
{
	struct cgfs_err err = { 0 };

	CHECK(client_call(w->c, type, body, NULL, 0, WORLD_MS, NULL, &err) < 0);
	json_decref(body);
	CHECK_INT(client_hresult(w->c), hr);
	CHECK_MSG(strstr(err.text, name), "\"%s\" does not name %s", err.text, name);
}

KERNEL_TEST(what_is_left_out_is_refused)
{
	static const char *const pipes[] = { "CreateStdInPipe", "CreateStdOutPipe",
					     "CreateStdErrPipe" };
	static const char *const resources[] = {
		"Network",	   "CombinedLayers", "MappedVirtualDisk",
		"MappedDirectory", "VPMemDevice",    "SCSIDevice",
		"VPCIDevice",	   "SecurityPolicy", "SecurityPolicyFragment",
	};
	char params[64];

	world_create(w, "c", NULL, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(pipes); i++) {
		snprintf(params, sizeof(params), "{\"%s\":true}", pipes[i]);
		refuse_naming(w, MSG_EXECUTE_PROCESS, world_execute_body("c", params),
			      HR_INVALID_ARG, pipes[i]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(resources); i++)
		refuse_naming(w, MSG_MODIFY_SETTINGS,
			      json_pack("{s:s, s:{s:s, s:s, s:{}}}", "ContainerId", PROTOCOL_UVM_ID,
					"Request", "ResourceType", resources[i], "RequestType",
					"Add", "Settings"),
			      HR_FAIL, resources[i]);
	world_refuse(w, MSG_SHUTDOWN_GRACEFUL, json_pack("{s:s}", "ContainerId", PROTOCOL_UVM_ID),
		     HR_NOT_IMPL);
	world_refuse(w, MSG_SHUTDOWN_FORCED, json_pack("{s:s}", "ContainerId", PROTOCOL_UVM_ID),
		     HR_NOT_IMPL);
	refuse_naming(
		w, MSG_RESIZE_CONSOLE,
		json_pack("{s:s, s:i}", "ContainerId", "c", "ProcessId", (int)world_start(w, "c")),
		HR_FAIL, "not a tty");
}

PLAIN_TEST(external_process_is_signalled)
{
	json_t *answer = world_call(
		w, MSG_EXECUTE_PROCESS,
		world_execute_body(PROTOCOL_UVM_ID, "{\"CommandArgs\":[\"/bin/sleep\",\"1000\"]}"));
	pid_t pid = (pid_t)json_integer_value(json_object_get(answer, "ProcessId"));

	json_decref(answer);
	world_do(w, MSG_SIGNAL_PROCESS,
		 json_pack("{s:s, s:i, s:{s:i}}", "ContainerId", PROTOCOL_UVM_ID, "ProcessId",
			   (int)pid, "Options", "Signal", 9));
	CHECK_INT(world_wait(w, PROTOCOL_UVM_ID, pid), 137);
}

/* --- the log -----------------------------------------------------------------------------------
 */

/* What the agent writes to stderr when it is started like this; its exit status. */
static int stderr_of(const char *const *args, char *text, size_t len)
{
	char *argv[16] = { "cgfs-agent" };
	int n = 1, status, ends[2];
	ssize_t got;
	pid_t pid;

	while (*args)
		argv[n++] = (char *)*args++;
	CHECK_INT(pipe(ends), 0);
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		dup2(ends[1], STDERR_FILENO);
		close(ends[0]);
		close(ends[1]);
		exit(agent_main(n, argv));
	}
	close(ends[1]);
	for (size_t at = 0; (got = read(ends[0], text + at, len - at - 1)) > 0;) {
		at += (size_t)got;
		text[at] = '\0';
	}
	close(ends[0]);
	CHECK_INT(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TAP_TEST(errors_at_the_start_are_json_lines)
{
	static const char *const rows[][8] = {
		{ "-log-format", "json", "-bogus" },
		{ "-bogus", "--log-format=json" },
		{ "-v4", "-log-format", "json", "-loglevel", "loud" },
		{ "-v4", "-log-format", "json", "--listen", "unix:/absent/dir/socket", "--no-bpf",
		  "--state-dir=/absent/../dev/null/x" },
	};

	/* Of a test that was killed. */
	CHECK_MSG(rmdir("/absent") == 0 || errno == ENOENT, "/absent: %m");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char text[8192] = "";
		size_t lines = 0;

		CHECK((stderr_of(rows[i], text, sizeof(text))) != 0);
		for (char *line = text, *end; (end = strchr(line, '\n')); line = end + 1) {
			json_t *j;

			*end = '\0';
			j = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
			CHECK_MSG(j, "not JSON: %s", line);
			json_decref(j);
			lines++;
		}
		CHECK(lines > 0);
		/* What it made for the state directory before that failed. */
		CHECK_INT(access("/absent", F_OK), -1);
	}
}

static void core_pattern(char text[160])
{
	CHECK(kit_read("/proc/sys/kernel/core_pattern", text, 160) > 0);
	text[strcspn(text, "\n")] = '\0';
}

KERNEL_TEST(core_pattern_is_that_of_the_option)
{
	static const char *const args[] = { "-core-dump-location", "/cores/%e.%p", NULL };
	char before[160], now[160];
	int status;

	if (!getenv("CGFS_TEST_LAYOUT"))
		tap_skip("the core pattern is the whole machine's, which is a guest alone");
	core_pattern(before);
	client_close(w->c);
	kill(w->agent, SIGTERM);
	CHECK_INT(waitpid(w->agent, &status, 0), w->agent);
	world_start_agent(w, args);
	w->c = world_connect(w, true);
	/* It answers when it has done all of its start. */
	json_decref(world_call(w, MSG_EXT_LIST_PODS, NULL));
	core_pattern(now);
	CHECK_INT(kit_write("/proc/sys/kernel/core_pattern", before), 0);
	CHECK_STR(now, "/cores/%e.%p");
}
