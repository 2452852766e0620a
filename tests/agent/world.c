/* SPDX-License-Identifier: MIT */
/*
 * world.c - starts and stops an agent for each test, and cleans up after it, also after a failure.
 */
#include "world.h"

#include <cgfs/bpf.h>
#include <cgfs/cgfs.h>
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "agent/daemon/daemon.h"
#include "cgfs/base/json.h"
#include "cgfs/base/util.h"

static void nap(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = 5000000 }, NULL);
}

/* --- files ---------------------------------------------------------------------------------- */

static bool copy_file(const char *from, const char *to)
{
	auto_fd int in = open(from, O_RDONLY | O_CLOEXEC);
	auto_fd int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
	char buf[65536];
	ssize_t n;

	if (in < 0 || out < 0)
		return false;
	while ((n = read(in, buf, sizeof(buf))) > 0) {
		if (write(out, buf, (size_t)n) != n)
			return false;
	}
	return n == 0;
}

static void write_script(const char *path, const char *text)
{
	auto_fd int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);

	CHECK(fd >= 0);
	CHECK_INT(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

/* Busybox, and /pause, which ends well at SIGTERM. */
static void make_rootfs(const struct world *w)
{
	static const char *const dirs[] = { "", "/bin", "/proc", "/dev", "/sys", "/tmp" };
	static const char *const names[] = { "sh", "sleep", "true", "cat", "kill", "dd", "echo" };
	char path[256];

	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
		snprintf(path, sizeof(path), "%s/rootfs%s", w->dir, dirs[i]);
		CHECK_INT(mkdir(path, 0755), 0);
	}
	snprintf(path, sizeof(path), "%s/rootfs/bin/busybox", w->dir);
	if (!copy_file("/bin/busybox", path) && !copy_file("/usr/bin/busybox", path))
		tap_skip("no busybox to make a root file system of");
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(path, sizeof(path), "%s/rootfs/bin/%s", w->dir, names[i]);
		CHECK_INT(symlink("busybox", path), 0);
	}
	snprintf(path, sizeof(path), "%s/rootfs/pause", w->dir);
	write_script(path,
		     "#!/bin/sh\ntrap 'exit 0' TERM INT\nwhile :; do sleep 1000 & wait; done\n");
}

size_t world_leftovers(const struct world *w)
{
	static const char *const dirs[] = { "state", "bundles" };
	char path[512];
	size_t n = kit_left(&w->kit);

	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
		snprintf(path, sizeof(path), "%s/%s", w->dir, dirs[i]);
		if (access(path, F_OK) == 0) {
			printf("left: %s\n", path);
			n++;
		}
	}
	return n;
}

size_t world_mounts(const struct world *w, const char *part)
{
	FILE *f = fopen("/proc/self/mounts", "re");
	char line[1024];
	size_t n = 0;

	CHECK(f);
	while (fgets(line, sizeof(line), f))
		n += strstr(line, w->dir) && strstr(line, part);
	fclose(f);
	return n;
}

/* --- the agent ------------------------------------------------------------------------------ */

void (*world_child_hook)(void);

static void exec_agent(struct world *w, const char *const *args)
{
	const char *argv[32] = { "cgfs-agent", "-v4", "--listen", w->socket, "--root", w->root };
	char state[96];
	int n = 6;

	snprintf(state, sizeof(state), "%s/state", w->dir);
	argv[n++] = "--state-dir";
	argv[n++] = state;
	argv[n++] = "--pin-dir";
	argv[n++] = w->pins;
	argv[n++] = "-loglevel=debug";
	argv[n++] = "--delete-on-exit";
	argv[n++] = "-kmsgLogLevel=0"; /* those of others are not for the output of a test */
	if (!w->kernel) {
		argv[n++] = "--no-bpf";
		argv[n++] = "--runtime=/bin/false";
	}
	for (; args && *args; args++)
		argv[n++] = *args;
	if (world_child_hook)
		world_child_hook();
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	exit(agent_main(n, (char **)argv));
}

void world_start_agent(struct world *w, const char *const *args)
{
	fflush(stdout);
	w->agent = fork();
	CHECK(w->agent >= 0);
	if (w->agent == 0)
		exec_agent(w, args);
}

struct client *world_connect(struct world *w, bool negotiate)
{
	struct cgfs_err err = { 0 };
	struct client *c = NULL;
	int r = -ENOENT;

	/* The first socket of that name may still be that of an agent that was killed. */
	for (int i = 0; i < WORLD_MS / 5; i++) {
		r = client_open(w->socket, &c, &err);
		if (r == 0 && negotiate)
			r = client_negotiate(c, WORLD_MS, &err);
		if (r == 0)
			return c;
		client_close(c);
		c = NULL;
		if (waitpid(w->agent, NULL, WNOHANG) == w->agent) {
			w->agent = -1;
			break;
		}
		nap();
	}
	FAIL("connect: %s", err.text);
}

void world_kill_agent(struct world *w)
{
	client_close(w->c);
	kill(w->agent, SIGKILL);
	CHECK_INT(waitpid(w->agent, NULL, 0), w->agent);
	world_start_agent(w, NULL);
	w->c = world_connect(w, true);
}

static bool runs_containers(void)
{
	return access("/usr/bin/crun", X_OK) == 0 || access("/usr/sbin/runc", X_OK) == 0 ||
	       access("/usr/bin/runc", X_OK) == 0;
}

static struct world *world_new(void)
{
	struct world *w = calloc(1, sizeof(*w));

	CHECK(w);
	w->agent = -1;
	kit_open(&w->kit, "/tmp");
	w->dir = w->kit.dir;
	w->root = w->kit.root;
	w->pins = w->kit.pins;
	snprintf(w->socket, sizeof(w->socket), "unix:%s/socket", w->dir);
	return w;
}

int world_alone(void **state)
{
	struct world *w;

	if (geteuid() != 0)
		tap_skip("cgroups need root");
	w = world_new();
	w->kernel = w->alone = true;
	*state = w;
	return 0;
}

static int prepare(void **state, bool kernel)
{
	struct world *w;
	struct cgfs_mounts m = CGFS_MOUNTS_INIT;

	if (cgfs_discover(&m, NULL) < 0)
		tap_skip("no cgroup hierarchy is mounted");
	if (kernel && geteuid() != 0)
		tap_skip("containers need root");
	if (kernel && !runs_containers())
		tap_skip("neither crun nor runc is installed");
	w = world_new();
	*state = w;
	w->kernel = kernel;
	if (kernel)
		make_rootfs(w);
	return 0;
}

int world_files(void **state)
{
	return prepare(state, false);
}

int world_files_kernel(void **state)
{
	return prepare(state, true);
}

static int start(void **state, bool kernel)
{
	int r = prepare(state, kernel);
	struct world *w = *state;

	if (r != 0)
		return r;
	world_start_agent(w, NULL);
	w->c = world_connect(w, true);
	return 0;
}

int world_plain(void **state)
{
	return start(state, false);
}

int world_kernel(void **state)
{
	return start(state, true);
}

/* The exit status, as the shell has it; -1 when it had to be killed. */
static int stop_agent(struct world *w)
{
	int status;

	if (w->agent <= 0 || waitpid(w->agent, NULL, WNOHANG) != 0)
		return -1; /* or it has ended by itself */
	kill(w->agent, SIGTERM);
	for (int i = 0; i < 2 * WORLD_MS / 5; i++) {
		pid_t pid = waitpid(w->agent, &status, WNOHANG);

		if (pid == w->agent)
			return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
		if (pid < 0)
			return -1; /* a failed test has reaped it */
		nap();
	}
	kill(w->agent, SIGKILL);
	waitpid(w->agent, NULL, 0);
	return -1;
}

int world_stop(void **state)
{
	struct world *w = *state;
	int code;
	size_t left;

	client_close(w->c);
	code = w->alone ? 0 : stop_agent(w);
	left = world_leftovers(w);
	kit_close(&w->kit);
	if (code != 0)
		printf("the agent exited with %d\n", code);
	free(w);
	return code != 0 || left > 0;
}

/* --- requests ------------------------------------------------------------------------------- */

json_t *world_call(struct world *w, uint32_t type, json_t *body)
{
	struct cgfs_err err = { 0 };
	json_t *answer = NULL;
	int r = client_call(w->c, type, body, NULL, 0, WORLD_MS, &answer, &err);

	json_decref(body);
	CHECK_MSG(r >= 0, "%s", err.text);
	return answer;
}

void world_do(struct world *w, uint32_t type, json_t *body)
{
	json_decref(world_call(w, type, body));
}

void world_refuse(struct world *w, uint32_t type, json_t *body, uint32_t hr)
{
	struct cgfs_err err = { 0 };
	int r = client_call(w->c, type, body, NULL, 0, WORLD_MS, NULL, &err);

	json_decref(body);
	CHECK_MSG(r < 0 && client_hresult(w->c) == hr, "expected %#x, got %#x: %s", hr,
		  client_hresult(w->c), err.text);
}

json_t *world_spec(const struct world *w, const char *id, const char *pod, const char *script,
		   json_t *resources)
{
	char rootfs[96];
	json_t *args = script ? json_pack("[s, s, s]", "/bin/sh", "-c", script)
			      : json_pack("[s]", "/pause");
	json_t *annotations = json_object();

	snprintf(rootfs, sizeof(rootfs), "%s/rootfs", w->dir);
	if (pod) {
		json_object_set_new(annotations, "io.kubernetes.cri.container-type",
				    json_string(streq(id, pod) ? "sandbox" : "container"));
		json_object_set_new(annotations, "io.kubernetes.cri.sandbox-id", json_string(pod));
		json_object_set_new(annotations, "io.microsoft.cri.skip-pod-networking",
				    json_string("true"));
	}
	return json_pack("{s:s, s:{s:s}, s:{s:o, s:s, s:[s], s:{s:[s], s:[s], s:[s]}}, s:o, "
			 "s:[{s:s, s:s, s:s}, "
			 "{s:s, s:s, s:s}], s:{s:[{s:s}, {s:s}, {s:s}], s:o}}",
			 "ociVersion", "1.0.2", "root", "path", rootfs, "process", "args", args,
			 "cwd", "/", "env", "PATH=/bin", "capabilities", "bounding", "CAP_MKNOD",
			 "effective", "CAP_MKNOD", "permitted", "CAP_MKNOD", "annotations",
			 annotations, "mounts", "destination", "/proc", "source", "proc", "type",
			 "proc", "destination", "/dev", "source", "tmpfs", "type", "tmpfs", "linux",
			 "namespaces", "type", "pid", "type", "mount", "type", "ipc", "resources",
			 resources ? resources : json_object());
}

json_t *world_create_body(const struct world *w, const char *id, json_t *spec)
{
	char bundle[160];
	auto_free char *text = NULL;
	json_t *config;

	snprintf(bundle, sizeof(bundle), "%s/bundles/%.40s", w->dir, id);
	config = json_pack("{s:{s:i, s:i}, s:s, s:o}", "SchemaVersion", "Major", 2, "Minor", 1,
			   "OciBundlePath", bundle, "OciSpecification", spec);
	CHECK(config);
	text = cgfs_json_dump(config, 0);
	json_decref(config);
	return json_pack("{s:s, s:s, s:s}", "ContainerId", id, "ActivityId", "activity",
			 "ContainerConfig", text);
}

void world_create(struct world *w, const char *id, const char *pod, const char *script)
{
	world_do(w, MSG_CREATE, world_create_body(w, id, world_spec(w, id, pod, script, NULL)));
}

json_t *world_execute_body(const char *id, const char *params)
{
	return json_pack("{s:s, s:{s:s}}", "ContainerId", id, "Settings", "ProcessParameters",
			 params);
}

pid_t world_execute(struct world *w, const char *id, const char *params)
{
	json_t *answer = world_call(w, MSG_EXECUTE_PROCESS, world_execute_body(id, params));
	pid_t pid = (pid_t)json_integer_value(json_object_get(answer, "ProcessId"));

	json_decref(answer);
	CHECK(pid > 0);
	return pid;
}

pid_t world_start(struct world *w, const char *id)
{
	return world_execute(w, id, "{}");
}

uint32_t world_wait(struct world *w, const char *id, pid_t pid)
{
	json_t *answer = world_call(w, MSG_WAIT_FOR_PROCESS,
				    json_pack("{s:s, s:i, s:i}", "ContainerId", id, "ProcessId",
					      (int)pid, "TimeoutInMs", WORLD_MS));
	uint32_t code = (uint32_t)json_integer_value(json_object_get(answer, "ExitCode"));

	json_decref(answer);
	return code;
}

void world_delete(struct world *w, const char *id)
{
	world_do(w, MSG_DELETE_STATE, json_pack("{s:s}", "ContainerId", id));
}

uint32_t world_run(struct world *w, const char *id, json_t *spec)
{
	uint32_t code;

	world_do(w, MSG_CREATE, world_create_body(w, id, spec));
	code = world_wait(w, id, world_start(w, id));
	world_delete(w, id);
	return code;
}

struct client *world_subscribe(struct world *w)
{
	struct client *sub = world_connect(w, true);
	struct cgfs_err err = { 0 };

	CHECK_INT(client_call(sub, MSG_EXT_SUBSCRIBE_EVENTS, NULL, NULL, 0, WORLD_MS, NULL, &err),
		  0);
	return sub;
}

void world_event(struct client *sub, const char *type, const char *pod, const char *container)
{
	struct cgfs_err err = { 0 };
	json_t *body, *event;
	uint32_t message;

	CHECK_INT(client_notification(sub, WORLD_MS, &message, &body, &err), 0);
	CHECK_INT(message, MSG_EXT_EVENT_NOTIFICATION);
	event = json_object_get(body, "Event");
	CHECK_STR(json_string_value(json_object_get(event, "type")), type);
	CHECK_STR(json_string_value(json_object_get(event, "pod")), pod);
	CHECK_STR(json_string_value(json_object_get(event, "container")), container);
	json_decref(body);
}

void world_exit_type(struct world *w, const char *id, const char *type)
{
	struct cgfs_err err = { 0 };
	json_t *body = NULL;
	uint32_t got;

	CHECK_INT(client_notification(w->c, WORLD_MS, &got, &body, &err), 0);
	CHECK_INT(got, MSG_NOTIFICATION);
	CHECK_STR(json_string_value(json_object_get(body, "ContainerId")), id);
	CHECK_STR(json_string_value(json_object_get(body, "Type")), type);
	CHECK_STR(json_string_value(json_object_get(body, "Operation")), "None");
	CHECK_STR(json_string_value(json_object_get(body, "ActivityId")), "activity");
	CHECK_INT(json_integer_value(json_object_get(body, "Result")), 0);
	json_decref(body);
}

bool world_has_memory(struct world *w)
{
	/* It answers when it is ready: when it has mounted what it wants to. */
	json_decref(world_call(w, MSG_EXT_LIST_PODS, NULL));
	return kit_version(CGFS_MEMORY) != CGFS_NONE;
}

void world_need_memory(struct world *w)
{
	if (!world_has_memory(w))
		tap_skip("this kernel was booted without the memory controller");
}

double world_figure(struct world *w, const char *id, const char *path)
{
	json_t *answer = world_call(w, MSG_GET_PROPERTIES,
				    json_pack("{s:s, s:s}", "ContainerId", id, "Query",
					      "{\"PropertyTypes\":[\"Statistics\"]}"));
	json_t *properties = json_loads(json_string_value(json_object_get(answer, "Properties")),
					JSON_DECODE_INT_AS_REAL, NULL);
	json_t *at = json_object_get(properties, "LCOWMetrics");
	double value = -1;

	CHECK(at);
	while (at && *path) {
		size_t len = strcspn(path, "/");
		char name[64];

		snprintf(name, sizeof(name), "%.*s", (int)len, path);
		at = json_object_get(at, name);
		path += len + (path[len] == '/');
	}
	if (json_is_real(at))
		value = json_real_value(at);
	json_decref(answer);
	json_decref(properties);
	return value;
}
