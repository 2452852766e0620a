/* SPDX-License-Identifier: MIT */
/*
 * test_spec.c - what a specification asks of the guest: applied, or refused by name.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#include "cgfs/base/json.h"
#include "cgfs/base/util.h"
#include "world.h"

#define CORE	   "io.microsoft.lcow.rlimitcore"
#define SHM	   "io.microsoft.lcow.shm.size-kb"
#define PRIVILEGED "io.microsoft.virtualmachine.lcow.privileged"
#define SKIP	   "io.microsoft.cri.skip-pod-networking"

/* --- helpers ---------------------------------------------------------------------------------- */

static void annotate(json_t *spec, const char *key, const char *value)
{
	json_t *annotations = json_object_get(spec, "annotations");

	CHECK(annotations);
	json_object_set_new(annotations, key, json_string(value));
}

static void remove_annotation(json_t *spec, const char *key)
{
	json_object_del(json_object_get(spec, "annotations"), key);
}

static json_t *linux_of(json_t *spec)
{
	return json_object_get(spec, "linux");
}

static void refuse_create(struct world *w, const char *id, json_t *spec, uint32_t hr)
{
	world_refuse(w, MSG_CREATE, world_create_body(w, id, spec), hr);
	CHECK(!kit_exists(&w->kit, id));
}

static json_t *workload(struct world *w, const char *script)
{
	return world_spec(w, "c", "sb", script, NULL);
}

static void sandbox(struct world *w)
{
	world_create(w, "sb", "sb", NULL);
}

/* --- the pod
 * -------------------------------------------------------------------------------------- */

KERNEL_TEST(workload_of_a_pod_whose_sandbox_has_exited_is_refused)
{
	world_create(w, "sb", "sb", "exit 0");
	CHECK_INT(world_wait(w, "sb", world_start(w, "sb")), 0);
	refuse_create(w, "c", workload(w, "true"), HR_INVALID_STATE);
}

/* --- hostname and network --------------------------------------------------------------------- */

KERNEL_TEST(hostname_is_valid_or_refused)
{
	static const char *const bad[] = {
		"bad host\nname",
		"-a",
		"a-",
		"a..b",
		".",
		"a_b",
		"\xc3\xa4",
		"0123456789012345678901234567890123456789012345678901234567890123456789",
	};
	json_t *spec;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		for (int k = 0; k < 2; k++) {
			spec = world_spec(w, "sb", k ? "sb" : NULL, NULL, NULL);
			json_object_set_new(spec, "hostname", json_string(bad[i]));
			refuse_create(w, "sb", spec, HR_FAIL);
		}
	}
	spec = world_spec(w, "sb", NULL, "[ $(cat /proc/sys/kernel/hostname) = a-1.b ]", NULL);
	json_object_set_new(spec, "hostname", json_string("a-1.b"));
	json_array_append_new(json_object_get(linux_of(spec), "namespaces"),
			      json_pack("{s:s}", "type", "uts"));
	CHECK_INT(world_run(w, "sb", spec), 0);

	sandbox(w);
	spec = workload(w, "true");
	json_object_set_new(spec, "hostname", json_string("fine"));
	refuse_create(w, "c", spec, HR_FAIL);
	spec = workload(w, "true");
	json_object_set_new(spec, "hostname", json_string(""));
	CHECK_INT(world_run(w, "c", spec), 0);
}

KERNEL_TEST(sandbox_needs_a_network_or_an_annotation)
{
	json_t *spec = world_spec(w, "sb", "sb", "true", NULL);

	remove_annotation(spec, SKIP);
	refuse_create(w, "sb", spec, HR_NOT_FOUND);
	spec = world_spec(w, "sb", "sb", "true", NULL);
	annotate(spec, SKIP, "false");
	json_object_set_new(spec, "windows",
			    json_pack("{s:{s:s}}", "network", "networkNamespace", "some-guid"));
	refuse_create(w, "sb", spec, HR_NOT_FOUND);

	/* A virtual pod's sandbox and a standalone container get on without. */
	spec = world_spec(w, "sb", "sb", "true", NULL);
	remove_annotation(spec, SKIP);
	annotate(spec, "io.microsoft.cri.virtual-pod-id", "sb");
	CHECK_INT(world_run(w, "sb", spec), 0);
	CHECK_INT(world_run(w, "c", world_spec(w, "c", NULL, "true", NULL)), 0);
}

KERNEL_TEST(host_network_is_the_guests_own)
{
	char own[64] = "", script[160];
	json_t *spec;

	CHECK(readlink("/proc/self/ns/net", own, sizeof(own) - 1) > 0);
	snprintf(script, sizeof(script), "[ $(/bin/busybox readlink /proc/self/ns/net) = '%s' ]",
		 own);
	sandbox(w);
	for (int on = 0; on < 2; on++) {
		spec = workload(w, script);
		json_array_append_new(json_object_get(linux_of(spec), "namespaces"),
				      json_pack("{s:s}", "type", "network"));
		annotate(spec, "io.microsoft.virtualmachine.lcow.hostnetwork",
			 on ? "true" : "false");
		CHECK_INT(world_run(w, "c", spec), on ? 0 : 1);
	}
	spec = workload(w, "true");
	annotate(spec, "io.microsoft.virtualmachine.lcow.hostnetwork", "perhaps");
	refuse_create(w, "c", spec, HR_FAIL);
}

/* --- annotations ------------------------------------------------------------------------------ */

KERNEL_TEST(shm_has_the_size_of_the_annotation)
{
	static const char *const bad[] = { "", "0", "-1", "many", "1k", "99999999999999999999" };
	json_t *spec;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		spec = world_spec(w, "c", NULL, "true", NULL);
		annotate(spec, SHM, bad[i]);
		refuse_create(w, "c", spec, HR_FAIL);
	}
	spec = world_spec(w, "c", NULL,
			  "[ $(/bin/busybox grep -c ' /dev/shm tmpfs .*size=1024k' /proc/mounts) = "
			  "1 ] && [ $(/bin/busybox grep -c ' /dev/shm ' /proc/mounts) = 1 ]",
			  NULL);
	json_array_append_new(json_object_get(spec, "mounts"),
			      json_pack("{s:s, s:s, s:s, s:[s]}", "destination", "/dev/shm", "type",
					"tmpfs", "source", "shm", "options", "size=64k"));
	annotate(spec, SHM, "1024");
	CHECK_INT(world_run(w, "c", spec), 0);
}

KERNEL_TEST(core_limit_is_that_of_the_annotation)
{
	static const char *const bad[] = { "1", "1;", ";1", "1;2;3", "a;b", "-1;2", "2;1" };
	json_t *spec;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		spec = world_spec(w, "c", NULL, "true", NULL);
		annotate(spec, CORE, bad[i]);
		refuse_create(w, "c", spec, HR_FAIL);
	}
	spec = world_spec(w, "c", NULL,
			  "/bin/busybox grep -q 'core file size *5120 *10240 ' /proc/self/limits",
			  NULL);
	annotate(spec, CORE, "5120;10240");
	CHECK_INT(world_run(w, "c", spec), 0);
	spec = world_spec(w, "c", NULL,
			  "/bin/busybox grep -q 'core file size *0 *unlimited ' /proc/self/limits",
			  NULL);
	annotate(spec, CORE, "0;18446744073709551615");
	CHECK_INT(world_run(w, "c", spec), 0);
}

/* RLIM_INFINITY is a number of OCI, and beyond the integers of a JSON library. */
KERNEL_TEST(limits_of_64_bits_reach_the_runtime)
{
	static const char rlimits[] = "[{\"type\":\"RLIMIT_FSIZE\",\"soft\":4096,"
				      "\"hard\":18446744073709551615}]";
	json_t *spec = world_spec(w, "c", NULL,
				  "/bin/busybox grep -q 'file size *4096 *unlimited ' "
				  "/proc/self/limits",
				  NULL);

	json_object_set_new(json_object_get(spec, "process"), "rlimits",
			    cgfs_json_load(rlimits, strlen(rlimits), 0, NULL));
	CHECK_INT(world_run(w, "c", spec), 0);
}

KERNEL_TEST(annotations_without_effect_here_are_refused)
{
	static const char *const names[] = { "io.microsoft.virtualmachine.lcow.tee-log-path",
					     "io.microsoft.virtualmachine.lcow.tee-log-dir-mount",
					     "io.microsoft.container.gpu.capabilities" };
	struct cgfs_err err = { 0 };
	json_t *spec, *body;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		spec = world_spec(w, "c", "c", "true", NULL);
		annotate(spec, names[i], "/x");
		body = world_create_body(w, "c", spec);
		CHECK(client_call(w->c, MSG_CREATE, body, NULL, 0, WORLD_MS, NULL, &err) < 0);
		CHECK_INT(client_hresult(w->c), HR_FAIL);
		CHECK(strstr(err.text, names[i]));
		json_decref(body);
	}
	spec = world_spec(w, "c", "c", "true", NULL);
	json_object_set_new(spec, "windows",
			    json_pack("{s:[{s:s, s:s}]}", "devices", "id", "PCI\\1", "idType",
				      "vpci-instance-id"));
	refuse_create(w, "c", spec, HR_FAIL);
	/* A mistake in the name of one of the agent's own. */
	spec = world_spec(w, "c", "c", "true", NULL);
	annotate(spec, "io.cgfs.memory_admit", "max");
	refuse_create(w, "c", spec, HR_INVALID_ARG);
	/* What only the host reads passes. */
	spec = world_spec(w, "c", "c", "true", NULL);
	annotate(spec, "io.microsoft.virtualmachine.computetopology.memory.sizeinmb", "512");
	annotate(spec, "example.com/owner", "somebody@example.com");
	CHECK_INT(world_run(w, "c", spec), 0);
}

/* --- devices ---------------------------------------------------------------------------------- */

KERNEL_TEST(privileged_container_has_all_devices)
{
	static const char script[] = "[ -c /dev/kmsg ] && exec 3>/dev/kmsg";
	json_t *spec;

	if (access("/dev/kmsg", W_OK) < 0)
		tap_skip("this machine has no writable /dev/kmsg");
	sandbox(w);
	CHECK((world_run(w, "c", workload(w, script))) != 0);
	spec = workload(w, script);
	annotate(spec, PRIVILEGED, "true");
	CHECK_INT(world_run(w, "c", spec), 0);
	spec = workload(w, script);
	annotate(spec, PRIVILEGED, "false");
	CHECK(world_run(w, "c", spec) != 0);
	spec = workload(w, script);
	annotate(spec, PRIVILEGED, "yes");
	refuse_create(w, "c", spec, HR_FAIL);
}

/* A node in the test's own directory; 1:11 is in no default list. */
static void make_node(const struct world *w, const char *name, mode_t type, unsigned int maj,
		      unsigned int min, char *path, size_t len)
{
	snprintf(path, len, "%s/%s", w->dir, name);
	CHECK_INT(mknod(path, type | 0666, makedev(maj, min)), 0);
}

KERNEL_TEST(device_with_a_path_alone_is_looked_up)
{
	char path[96], script[256];
	json_t *spec;

	make_node(w, "node", S_IFCHR, 1, 11, path, sizeof(path));
	snprintf(script, sizeof(script), "[ -c %s ] && exec 3>%s", path, path);
	sandbox(w);
	spec = workload(w, script);
	json_object_set_new(linux_of(spec), "devices", json_pack("[{s:s}]", "path", path));
	CHECK_INT(world_run(w, "c", spec), 0);

	spec = workload(w, script);
	json_object_set_new(linux_of(spec), "devices", json_pack("[{s:s}]", "path", "/dev/absent"));
	refuse_create(w, "c", spec, HR_FAIL);
	spec = workload(w, script);
	json_object_set_new(linux_of(spec), "devices", json_pack("[{s:s}]", "path", w->dir));
	refuse_create(w, "c", spec, HR_FAIL);
}

KERNEL_TEST(block_device_is_mounted_at_the_destination)
{
	static const char script[] =
		"[ -b /dev/xd ] && [ ! -e /blockdev: ] && "
		"! /bin/busybox dd if=/dev/xd count=0 2>&1 | /bin/busybox grep -q permitted";
	char path[96], link[96];
	json_t *spec, *mount;

	make_node(w, "disk", S_IFBLK, 7, 200, path, sizeof(path));
	snprintf(link, sizeof(link), "%s/link", w->dir);
	CHECK_INT(symlink(path, link), 0);
	mount = json_pack("{s:s, s:s, s:s, s:[s, s]}", "destination", "blockdev:///dev/xd",
			  "source", link, "type", "bind", "options", "rbind", "rw");
	sandbox(w);
	spec = workload(w, script);
	json_array_append(json_object_get(spec, "mounts"), mount);
	CHECK_INT(world_run(w, "c", spec), 0);

	json_object_set_new(mount, "source", json_string("/dev/absent"));
	spec = workload(w, script);
	json_array_append(json_object_get(spec, "mounts"), mount);
	refuse_create(w, "c", spec, HR_FAIL);
	json_object_set_new(mount, "source", json_string("/dev/null"));
	spec = workload(w, script);
	json_array_append_new(json_object_get(spec, "mounts"), mount);
	refuse_create(w, "c", spec, HR_FAIL);
}

/* --- processes, figures, files ------------------------------------------------------------------
 */

static uint32_t exec_in(struct world *w, const char *id, const char *process)
{
	auto_free char *params = NULL;

	CHECK(asprintf(&params, "{\"OciProcess\":%s}", process) > 0);
	return world_wait(w, id, world_execute(w, id, params));
}

KERNEL_TEST(added_process_has_the_limits_of_init)
{
	static const char process[] =
		"{\"args\":[\"/bin/sh\",\"-c\",\"[ $(ulimit -n) = 77 ]\"],\"cwd\":\"/\","
		"\"env\":[\"PATH=/bin\"],\"rlimits\":[{\"type\":\"RLIMIT_NOFILE\",\"soft\":55,"
		"\"hard\":55}]}";
	json_t *spec = world_spec(w, "c", NULL, NULL, NULL);

	json_object_set_new(
		json_object_get(spec, "process"), "rlimits",
		json_pack("[{s:s, s:i, s:i}]", "type", "RLIMIT_NOFILE", "soft", 77, "hard", 77));
	world_do(w, MSG_CREATE, world_create_body(w, "c", spec));
	world_start(w, "c");
	CHECK_INT(exec_in(w, "c", process), 0);

	/* The next agent knows them, too. */
	client_close(w->c);
	kill(w->agent, SIGKILL);
	CHECK_INT(waitpid(w->agent, NULL, 0), w->agent);
	world_start_agent(w, NULL);
	w->c = world_connect(w, true);
	CHECK_INT(exec_in(w, "c", process), 0);
}

KERNEL_TEST(hierarchical_limit_is_the_least_of_all_levels)
{
	const char *name = "memory/hierarchical_memory_limit";
	json_t *spec;
	double all;

	world_need_memory(w);
	world_create(w, "c", NULL, NULL);
	all = world_figure(w, "c", name);
	/* Less than the machine has, since there is a reserve. */
	CHECK(all > 0 && all < 1e18);
	spec = world_spec(w, "sb", "sb", NULL, json_pack("{s:{s:i}}", "memory", "limit", 64 << 20));
	world_do(w, MSG_CREATE, world_create_body(w, "sb", spec));
	world_create(w, "w1", "sb", NULL);
	CHECK(world_figure(w, "w1", name) == 64 << 20);
	spec = world_spec(w, "w2", "sb", NULL, json_pack("{s:{s:i}}", "memory", "limit", 32 << 20));
	world_do(w, MSG_CREATE, world_create_body(w, "w2", spec));
	CHECK(world_figure(w, "w2", name) == 32 << 20);
}

static void fill(const char *dir, const char *outside)
{
	char path[200], deep[200];

	CHECK_INT(mkdir(dir, 0755), 0);
	snprintf(path, sizeof(path), "%s/outside", dir);
	CHECK_INT(symlink(outside, path), 0);
	snprintf(deep, sizeof(deep), "%s", dir);
	for (int i = 0; i < 20; i++) {
		snprintf(deep + strlen(deep), sizeof(deep) - strlen(deep), "/d");
		CHECK_INT(mkdir(deep, 0755), 0);
		snprintf(path, sizeof(path), "%s/file", deep);
		close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0));
	}
}

KERNEL_TEST(scratch_directory_goes_with_the_container)
{
	char scratch[96], outside[96], kept[128];
	json_t *body, *config;
	auto_free char *text = NULL;

	snprintf(outside, sizeof(outside), "%s/outside", w->dir);
	CHECK_INT(mkdir(outside, 0755), 0);
	snprintf(kept, sizeof(kept), "%s/kept", outside);
	close(open(kept, O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
	snprintf(scratch, sizeof(scratch), "%s/scratch", w->dir);
	fill(scratch, outside);

	for (int good = 0; good < 2; good++) {
		body = world_create_body(w, "c", world_spec(w, "c", NULL, "true", NULL));
		config = json_loads(json_string_value(json_object_get(body, "ContainerConfig")), 0,
				    NULL);
		json_object_set_new(config, "ScratchDirPath",
				    json_string(good ? scratch : "/tmp/../etc/x"));
		free(text);
		text = json_dumps(config, 0);
		json_decref(config);
		json_object_set_new(body, "ContainerConfig", json_string(text));
		if (good)
			world_do(w, MSG_CREATE, body);
		else
			world_refuse(w, MSG_CREATE, body, HR_INVALID_ARG);
	}
	CHECK_INT(world_wait(w, "c", world_start(w, "c")), 0);
	CHECK_INT(access(scratch, F_OK), 0);
	world_delete(w, "c");
	CHECK_INT(access(scratch, F_OK), -1);
	CHECK_INT(access(kept, F_OK), 0);
}

/* The agent's own protection is never passed on to a container. */
KERNEL_TEST(oom_score_is_the_one_that_the_agent_began_with)
{
	char path[96], mine[16] = "";
	json_t *spec;
	int fd;

	fd = open("/proc/self/oom_score_adj", O_RDONLY | O_CLOEXEC);
	CHECK(read(fd, mine, sizeof(mine) - 1) > 0);
	close(fd);
	mine[strcspn(mine, "\n")] = '\0';
	snprintf(path, sizeof(path), "/proc/%d/oom_score_adj", w->agent);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	CHECK_INT(write(fd, "777", 3), 3);
	close(fd);
	snprintf(path, sizeof(path), "read v < /proc/self/oom_score_adj; test $v = %s", mine);
	CHECK_INT(world_run(w, "c", world_spec(w, "c", NULL, path, NULL)), 0);
	/* A container gets what the specification has. */
	spec = world_spec(w, "d", NULL, "read v < /proc/self/oom_score_adj; test $v = 333", NULL);
	json_object_set_new(json_object_get(spec, "process"), "oomScoreAdj", json_integer(333));
	CHECK_INT(world_run(w, "d", spec), 0);
}

/* So it is with descriptors: the agent may have as many as it can, for many containers at once. */
KERNEL_TEST(descriptor_limit_is_the_one_that_the_agent_began_with)
{
	struct rlimit mine, agents;
	char script[96];

	CHECK_INT(getrlimit(RLIMIT_NOFILE, &mine), 0);
	CHECK_INT(prlimit(w->agent, RLIMIT_NOFILE, NULL, &agents), 0);
	CHECK_INT(agents.rlim_cur, mine.rlim_max);
	CHECK_INT(agents.rlim_max, mine.rlim_max);
	snprintf(script, sizeof(script), "test $(ulimit -Sn) = %llu && test $(ulimit -Hn) = %llu",
		 (unsigned long long)mine.rlim_cur, (unsigned long long)mine.rlim_max);
	CHECK_INT(world_run(w, "c", world_spec(w, "c", NULL, script, NULL)), 0);
}

/* --- users by name ---------------------------------------------------------------------------- */

static void write_root_file(const struct world *w, const char *name, const char *text)
{
	char path[160];
	FILE *f;

	snprintf(path, sizeof(path), "%s/rootfs/etc", w->dir);
	CHECK(mkdir(path, 0755) == 0 || errno == EEXIST);
	snprintf(path, sizeof(path), "%s/rootfs/etc/%s", w->dir, name);
	f = fopen(path, "we");
	CHECK(f);
	fputs(text, f);
	CHECK_INT(fclose(f), 0);
}

static void write_users(const struct world *w)
{
	write_root_file(w, "passwd",
			"root:x:0:0::/:/bin/sh\nweb:x:71:72:a,b:/:/bin/sh\n"
			"broken\nwebx:x:73:74::/:\n");
	write_root_file(w, "group", "root:x:0:\nstaff:x:75:web\n");
}

static json_t *user_spec(const struct world *w, const char *id, const char *name, const char *ids)
{
	char script[200];
	json_t *spec;

	snprintf(script, sizeof(script),
		 "while read k a b c d; do case $k in Uid:) u=$b;; Gid:) g=$b;; esac; done "
		 "< /proc/self/status; test $u:$g = %s && exec sleep 1000",
		 ids);
	spec = world_spec(w, id, NULL, script, NULL);
	json_object_set_new(json_object_get(spec, "process"), "user",
			    json_pack("{s:s}", "username", name));
	return spec;
}

KERNEL_TEST(users_are_found_by_name_in_the_image)
{
	static const char *const rows[][2] = {
		{ "web", "71:72" },	  { "71", "71:72" },	{ "99", "99:0" },
		{ "web:staff", "71:75" }, { "webx:9", "73:9" }, { "5:staff", "5:75" },
	};

	write_users(w);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		pid_t pid;
		char id[8];

		snprintf(id, sizeof(id), "c%zu", i);
		world_do(w, MSG_CREATE,
			 world_create_body(w, id, user_spec(w, id, rows[i][0], rows[i][1])));
		pid = world_start(w, id);
		world_refuse(w, MSG_WAIT_FOR_PROCESS,
			     json_pack("{s:s, s:i, s:i}", "ContainerId", id, "ProcessId", (int)pid,
				       "TimeoutInMs", 200),
			     HR_TIMEOUT);
		world_do(w, MSG_SHUTDOWN_FORCED, json_pack("{s:s}", "ContainerId", id));
		world_wait(w, id, pid);
		world_exit_type(w, id, "ForcedExit");
		world_delete(w, id);
	}
}

static uint32_t exec_as(struct world *w, const char *user, const char *want)
{
	char script[200];
	auto_free char *text = NULL;
	json_t *p;

	snprintf(script, sizeof(script),
		 "while read k a b c d; do case $k in Uid:) u=$b;; Gid:) g=$b;; esac; done "
		 "< /proc/self/status; test $u:$g = %s",
		 want);
	p = json_pack("{s:{s:[s, s, s], s:s, s:[s], s:{s:s}}}", "OciProcess", "args", "/bin/sh",
		      "-c", script, "cwd", "/", "env", "PATH=/bin", "user", "username", user);
	text = json_dumps(p, 0);
	json_decref(p);
	return world_wait(w, "c", world_execute(w, "c", text));
}

KERNEL_TEST(added_process_has_a_user_by_name_or_inits)
{
	pid_t pid;

	write_users(w);
	world_do(w, MSG_CREATE, world_create_body(w, "c", user_spec(w, "c", "web", "71:72")));
	pid = world_start(w, "c");
	CHECK_INT(exec_as(w, "webx:staff", "73:75"), 0);
	CHECK_INT(exec_as(w, "", "71:72"), 0);
	world_do(w, MSG_SHUTDOWN_FORCED, json_pack("{s:s}", "ContainerId", "c"));
	world_wait(w, "c", pid);
	world_exit_type(w, "c", "ForcedExit");
	world_delete(w, "c");
}

/* The files are the image's: links lead nowhere else, and what is no file is not read. */
KERNEL_TEST(users_that_the_image_does_not_have_are_refused)
{
	char path[160];

	write_users(w);
	world_refuse(w, MSG_CREATE, world_create_body(w, "c", user_spec(w, "c", "nobody", "0:0")),
		     HR_FAIL);
	world_refuse(w, MSG_CREATE, world_create_body(w, "c", user_spec(w, "c", "web:none", "0:0")),
		     HR_FAIL);
	world_refuse(w, MSG_CREATE, world_create_body(w, "c", user_spec(w, "c", "web:", "0:0")),
		     HR_FAIL);
	snprintf(path, sizeof(path), "%s/rootfs/etc/passwd", w->dir);
	CHECK_INT(unlink(path), 0);
	CHECK_INT(symlink("../../../../../../etc/passwd", path), 0);
	world_refuse(w, MSG_CREATE, world_create_body(w, "c", user_spec(w, "c", "daemon", "0:0")),
		     HR_FAIL);
	CHECK_INT(unlink(path), 0);
	CHECK_INT(mkfifo(path, 0600), 0);
	world_refuse(w, MSG_CREATE, world_create_body(w, "c", user_spec(w, "c", "web", "0:0")),
		     HR_FAIL);
}
