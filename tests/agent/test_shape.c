/* SPDX-License-Identifier: MIT */
/*
 * test_shape.c - members of a wrong type or out of their range: refused by name, never taken for
 * absent ones.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "agent/base/shape.h"
#include "agent/runtime/spec_shape.h"
#include "cgfs/base/json.h"
#include "cgfs/base/util.h"
#include "world.h"

static json_t *parse(const char *text)
{
	json_t *j = cgfs_json_load(text, strlen(text), JSON_DECODE_ANY, NULL);

	CHECK(j);
	return j;
}

TAP_TEST(shapes_name_what_does_not_fit)
{
	static const struct {
		const char *json, *shape, *says; /* NULL: it fits */
	} rows[] = {
		{ "{\"a\":null,\"x\":5}", "{a:s,b:[{c:w}]}", NULL },
		{ "{\"a\":\"\",\"b\":[{},{\"c\":4294967295}]}", "{a:s,b:[{c:w}]}", NULL },
		{ "{\"b\":[{\"c\":4294967296}]}", "{a:s,b:[{c:w}]}", "b[0].c is not a whole" },
		{ "{\"b\":[{},5]}", "{a:s,b:[{c:w}]}", "b[1] is not an object" },
		{ "{\"b\":{}}", "{b:[s]}", "b is not a list" },
		{ "[]", "{}", " is not an object" },
		{ "{\"m\":{\"k\":5}}", "{m:<s>}", "m[\"k\"] is not a string" },
		{ "{\"m\":[]}", "{m:<s>}", "m is not an object" },
		{ "{\"n\":1.0}", "{n:i}", "n is not a whole number" },
		{ "{\"n\":18446744073709551615}", "{n:u}", NULL },
		{ "{\"n\":18446744073709551616}", "{n:u}", "n is not a whole number" },
		{ "{\"n\":18446744073709551615}", "{n:i}", "n is not a whole number" },
		{ "{\"n\":18446744073709551615}", "{n:s}", "n is not a string" },
		{ "{\"n\":-1}", "{n:u}", "n is not a whole number" },
		{ "{\"n\":-2147483649}", "{n:j}", "n is not a whole number" },
		{ "{\"n\":65536}", "{n:h}", "n is not a whole number" },
		{ "{\"t\":1}", "{t:b}", "t is not true or false" },
		{ "{\"n\":[1,{}]}", "{n:?}", NULL },
		{ "{\"before\":{\"a\":{\"b\":[5]}},\"z\":1}", "{before:{a:{b:[w]}},z:s}",
		  "z is not a string" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char why[JSON_WHY_MAX] = "";
		json_t *j = parse(rows[i].json);

		CHECK_INT(shape_fits(j, rows[i].shape, why), rows[i].says == NULL);
		if (rows[i].says)
			CHECK_HAS(why, rows[i].says);
		json_decref(j);
	}
}

/* The runtime knows one spelling only. */
TAP_TEST(shapes_give_members_their_spelling)
{
	json_t *j = parse("{\"Process\":{\"NONEWPRIVILEGES\":true,\"user\":{\"uid\":1,\"UID\":2,"
			  "\"Uid\":null}},\"ANNOTATIONS\":{\"A\":\"1\",\"a\":\"2\"},\"Else\":1}");
	json_t *want = parse("{\"process\":{\"noNewPrivileges\":true,\"user\":{\"uid\":2}},"
			     "\"annotations\":{\"A\":\"1\",\"a\":\"2\"},\"Else\":1}");
	char why[JSON_WHY_MAX];

	CHECK(shape_fits(j, SPEC_SHAPE, why));
	CHECK(json_equal(j, want));
	json_decref(j);
	json_decref(want);
}

/* --- as messages ------------------------------------------------------------------------------ */

static void refused(struct world *w, uint32_t type, json_t *body, uint32_t hr, const char *says)
{
	struct cgfs_err err = { 0 };

	CHECK(client_call(w->c, type, body, NULL, 0, WORLD_MS, NULL, &err) < 0);
	CHECK_INT(client_hresult(w->c), hr);
	CHECK_HAS(err.text, says);
	json_decref(body);
}

PLAIN_TEST(message_members_of_a_wrong_type_are_refused)
{
	static const uint32_t types[] = {
		MSG_CREATE,	      MSG_START,	  MSG_SHUTDOWN_FORCED, MSG_EXECUTE_PROCESS,
		MSG_WAIT_FOR_PROCESS, MSG_SIGNAL_PROCESS, MSG_RESIZE_CONSOLE,  MSG_GET_PROPERTIES,
		MSG_MODIFY_SETTINGS,  MSG_DUMP_STACKS,	  MSG_DELETE_STATE
	};
	static const char *const common[][2] = {
		{ "{\"ContainerId\":5}", "ContainerId" },
		{ "{\"ActivityId\":5}", "ActivityId" },
		{ "{\"otsc\":\"x\"}", "otsc" },
		{ "{\"otsc\":{\"traceparent\":5}}", "otsc[\"traceparent\"]" },
	};
	static const struct {
		uint32_t type;
		const char *body, *says;
	} rows[] = {
		{ MSG_CREATE, "{\"SupportedVersions\":5}", "SupportedVersions" },
		{ MSG_EXECUTE_PROCESS,
		  "{\"Settings\":{\"ProcessParameters\":\"{\\\"CommandLine"
		  "\\\":5}\"}}",
		  "CommandLine" },
		{ MSG_EXECUTE_PROCESS,
		  "{\"Settings\":{\"ProcessParameters\":\"{\\\"OciProcess"
		  "\\\":{\\\"user\\\":{\\\"uid\\\":\\\"1000\\\"}}}\"}}",
		  "OciProcess.user.uid" },
		{ MSG_RESIZE_CONSOLE, "{\"Height\":65536}", "Height" },
		{ MSG_SIGNAL_PROCESS, "{\"Options\":{\"Signal\":2147483648}}", "Options.Signal" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		for (size_t k = 0; k < ARRAY_SIZE(common); k++)
			refused(w, types[i], parse(common[k][0]), HR_INVALID_JSON, common[k][1]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		refused(w, rows[i].type, parse(rows[i].body), HR_INVALID_JSON, rows[i].says);
}

/* One that is to receive no exits would receive them. */
PLAIN_TEST(observer_of_a_wrong_type_is_refused)
{
	struct client *spare = w->c;

	w->c = world_connect(w, false);
	refused(w, MSG_NEGOTIATE,
		parse("{\"MinimumVersion\":4,\"MaximumVersion\":4,\"Observer\":1}"),
		HR_INVALID_JSON, "Observer");
	client_close(w->c);
	w->c = spare;
}

/* A runtime takes them for absent: a user "1000" in quotes would be root. */
PLAIN_TEST(specification_members_of_a_wrong_type_are_refused)
{
	static const char *const rows[][3] = {
		{ "process", "user", "{\"uid\":\"1000\"}" },
		{ "process", "user", "{\"uid\":4294967296}" },
		{ "process", "user", "{\"additionalGids\":5}" },
		{ "process", "capabilities", "{\"effective\":\"CAP_KILL\"}" },
		{ "process", "noNewPrivileges", "\"true\"" },
		{ "process", "oomScoreAdj", "\"5\"" },
		{ "process", "rlimits", "[{\"soft\":\"5\"}]" },
		{ "process", "args", "[\"a\",5]" },
		{ "root", "readonly", "\"true\"" },
		{ "linux", "maskedPaths", "\"/x\"" },
		{ "linux", "readonlyPaths", "[5]" },
		{ "linux", "seccomp", "\"x\"" },
		{ "linux", "sysctl", "{\"net.ipv4.ip_forward\":1}" },
		{ "linux", "devices", "[{\"path\":\"/dev/zero\",\"type\":\"c\",\"major\":\"1\"}]" },
		{ "linux", "rootfsPropagation", "5" },
		{ NULL, "hooks", "{\"prestart\":\"x\"}" },
		{ NULL, "mounts", "[{\"options\":\"ro\"}]" },
		{ NULL, "annotations", "{\"a\":5}" },
		{ NULL, "windows", "{\"devices\":\"x\"}" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		json_t *spec = world_spec(w, "c", NULL, "true", NULL);
		json_t *in = rows[i][0] ? json_object_get(spec, rows[i][0]) : spec;

		json_object_set_new(in, rows[i][1], parse(rows[i][2]));
		refused(w, MSG_CREATE, world_create_body(w, "c", spec), HR_INVALID_JSON,
			rows[i][1]);
	}
}

PLAIN_TEST(values_that_mean_nothing_are_refused)
{
	static const struct {
		const char *name, *value;
		uint32_t hr;
	} rows[] = {
		{ "devices", "[{\"path\":\"/dev/a\",\"type\":\"x\",\"major\":1,\"minor\":5}]",
		  HR_INVALID_ARG },
		{ "devices",
		  "[{\"path\":\"/dev/a\",\"type\":\"c\",\"major\":4294967297,\"minor\":5}]",
		  HR_INVALID_ARG },
		{ "devices",
		  "[{\"path\":\"/dev/a\",\"type\":\"c\",\"major\":1,\"minor\":4294967301}]",
		  HR_INVALID_ARG },
		{ "namespaces", "[{\"type\":\"pid\"},{\"type\":\"pid\",\"path\":\"/x\"}]",
		  HR_FAIL },
		{ "rootfsPropagation", "\"sideways\"", HR_FAIL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		json_t *spec = world_spec(w, "c", NULL, "true", NULL);

		json_object_set_new(json_object_get(spec, "linux"), rows[i].name,
				    parse(rows[i].value));
		refused(w, MSG_CREATE, world_create_body(w, "c", spec), rows[i].hr, rows[i].name);
	}
}

/* As the reference's host may write it. */
KERNEL_TEST(specification_in_another_case_reaches_the_runtime)
{
	json_t *spec = world_spec(w, "c", NULL,
				  "/bin/busybox grep -q '^NoNewPrivs:.*1' /proc/self/status", NULL);
	json_t *process = json_incref(json_object_get(spec, "process"));

	json_object_set_new(process, "NoNewPrivileges", json_true());
	json_object_del(spec, "process");
	json_object_set_new(spec, "PROCESS", process);
	json_object_del(spec, "ociVersion");
	CHECK_INT(world_run(w, "c", spec), 0);
}

/* The limit of processes is everywhere. */
KERNEL_TEST(resources_in_another_case_are_applied)
{
	json_t *spec = world_spec(w, "c", NULL, NULL, parse("{\"Pids\":{\"LIMIT\":77}}"));

	world_do(w, MSG_CREATE, world_create_body(w, "c", spec));
	CHECK_INT(world_start(w, "c") > 0, 1);
	CHECK_INT(world_figure(w, "c", "pids/limit"), 77);
	world_do(w, MSG_MODIFY_SETTINGS,
		 parse("{\"ContainerId\":\"c\",\"Request\":{\"ResourceType\":"
		       "\"ContainerConstraints\",\"Settings\":{\"Linux\":{\"PIDS\":{\"Limit\":66}}}"
		       "}}"));
	CHECK_INT(world_figure(w, "c", "pids/limit"), 66);
	world_do(w, MSG_EXT_UPDATE_POD,
		 parse("{\"PodId\":\"c\",\"Resources\":{\"PIDS\":{\"limit\":55}}}"));
	CHECK_INT(world_figure(w, "c", "pids/limit"), 55);
}

KERNEL_TEST(scratch_that_is_no_directory_goes_too)
{
	char path[96], kept[96];
	json_t *body, *config;

	snprintf(path, sizeof(path), "%s/scratch", w->dir);
	snprintf(kept, sizeof(kept), "%s/kept", w->dir);
	CHECK_INT(mkdir(kept, 0755), 0);
	for (int link = 0; link < 2; link++) {
		auto_free char *text = NULL;

		if (link)
			CHECK_INT(symlink(kept, path), 0);
		else
			close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
		body = world_create_body(w, "c", world_spec(w, "c", NULL, "true", NULL));
		config = parse(json_string_value(json_object_get(body, "ContainerConfig")));
		json_object_set_new(config, "ScratchDirPath", json_string(path));
		text = json_dumps(config, 0);
		json_decref(config);
		json_object_set_new(body, "ContainerConfig", json_string(text));
		world_do(w, MSG_CREATE, body);
		CHECK_INT(world_wait(w, "c", world_start(w, "c")), 0);
		world_delete(w, "c");
		CHECK_INT(faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW), -1);
	}
	CHECK_INT(access(kept, F_OK), 0);
}
