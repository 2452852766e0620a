/* SPDX-License-Identifier: MIT */
/*
 * test_home.c - what the containers of a pod share: hostname, hosts and resolv.conf, and sources
 * like "sandbox://data".  Seen from inside the containers, and in the guest's file system.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "cgfs/base/util.h"
#include "world.h"

#define BB "/bin/busybox "

static void refuse_naming(struct world *w, const char *id, json_t *spec, const char *name)
{
	struct cgfs_err err = { 0 };
	json_t *body = world_create_body(w, id, spec);

	CHECK(client_call(w->c, MSG_CREATE, body, NULL, 0, WORLD_MS, NULL, &err) < 0);
	json_decref(body);
	CHECK_INT(client_hresult(w->c), HR_FAIL);
	CHECK_MSG(strstr(err.text, name), "\"%s\" does not name %s", err.text, name);
}

static void add_mount(json_t *spec, const char *source, const char *to, const char *option)
{
	json_array_append_new(json_object_get(spec, "mounts"),
			      json_pack("{s:s, s:s, s:s, s:[s, s]}", "destination", to, "source",
					source, "type", "bind", "options", "rbind", option));
}

static json_t *workload(const struct world *w, const char *id, const char *source,
			const char *option, const char *script)
{
	json_t *spec = world_spec(w, id, "sb", script, NULL);

	if (source)
		add_mount(spec, source, "/data", option);
	return spec;
}

static void annotate(json_t *spec, const char *key, const char *value)
{
	json_object_set_new(json_object_get(spec, "annotations"), key, json_string(value));
}

static void sandbox(struct world *w)
{
	json_t *spec = world_spec(w, "sb", "sb", NULL, NULL);

	json_object_set_new(spec, "hostname", json_string("pod-1.example"));
	json_array_append_new(json_object_get(json_object_get(spec, "linux"), "namespaces"),
			      json_pack("{s:s}", "type", "uts"));
	json_array_append_new(json_object_get(json_object_get(spec, "linux"), "namespaces"),
			      json_pack("{s:s}", "type", "network"));
	world_do(w, MSG_CREATE, world_create_body(w, "sb", spec));
}

/* Is @name there below the sandbox's bundle? */
static bool in_bundle(const struct world *w, const char *name)
{
	char path[200];

	snprintf(path, sizeof(path), "%s/bundles/%s", w->dir, name);
	return access(path, F_OK) == 0;
}

static void await_file(const char *path)
{
	for (int i = 0; i < WORLD_MS / 5 && access(path, F_OK) < 0; i++)
		nanosleep(&(struct timespec){ .tv_nsec = 5000000 }, NULL);
	CHECK_INT(access(path, F_OK), 0);
}

/* --- hostname, hosts, resolv.conf --------------------------------------------------------------
 */

KERNEL_TEST(workloads_have_the_names_of_their_sandbox)
{
	static const char script[] =
		"[ $(cat /etc/hostname) = pod-1.example ] && "
		"grep -q '^127.0.0.1 pod-1.example pod-1$' /etc/hosts && "
		"grep -q '^127.0.0.1 localhost$' /etc/hosts && [ ! -s /etc/resolv.conf ] && "
		"[ -f /etc/resolv.conf ] && [ $(" BB "stat -c %%a /etc/hosts) = 644 ] && %s";
	static const char *const last[] = { "echo '10.0.0.7 other' >> /etc/hosts",
					    "grep -q other /etc/hosts",
					    "! echo more >> /etc/hosts" };
	char path[96], text[512];

	snprintf(path, sizeof(path), "%s/rootfs/bin/grep", w->dir);
	CHECK_INT(symlink("busybox", path), 0);
	sandbox(w);
	for (size_t i = 0; i < ARRAY_SIZE(last); i++) {
		json_t *spec;

		snprintf(text, sizeof(text), script, last[i]);
		spec = workload(w, "c", NULL, NULL, text);
		/* The image's root read-only: the files, too. */
		if (i == 2)
			json_object_set_new(json_object_get(spec, "root"), "readonly", json_true());
		CHECK_INT(world_run(w, "c", spec), 0);
	}
	CHECK(in_bundle(w, "sb/hostname") && in_bundle(w, "sb/hosts"));

	/* The next agent finds them, and removes them with the pod. */
	world_kill_agent(w);
	CHECK_INT(world_run(w, "c", workload(w, "c", NULL, NULL, "grep -q other /etc/hosts")), 0);
	world_delete(w, "sb");
	CHECK(!in_bundle(w, "sb"));
}

KERNEL_TEST(own_mounts_win_over_those_of_the_sandbox)
{
	char path[96];
	json_t *spec;

	snprintf(path, sizeof(path), "%s/rootfs/bin/true", w->dir);
	sandbox(w);
	spec = workload(w, "c", NULL, NULL, "[ -x /etc/hosts ] && [ ! -x /etc/hostname ]");
	add_mount(spec, path, "/etc/hosts", "ro");
	CHECK_INT(world_run(w, "c", spec), 0);
}

KERNEL_TEST(container_without_a_pod_has_files_of_its_own)
{
	char own[256] = "", script[512];
	json_t *spec;

	CHECK_INT(gethostname(own, sizeof(own) - 1), 0);
	snprintf(script, sizeof(script), "[ $(cat /etc/hostname) = '%s' ] && echo x > /etc/hosts",
		 own);
	CHECK_INT(world_run(w, "c", world_spec(w, "c", NULL, script, NULL)), 0);
	CHECK(!in_bundle(w, "c"));
	spec = world_spec(w, "c", NULL, "[ $(cat /etc/hostname) = mine ]", NULL);
	json_object_set_new(spec, "hostname", json_string("mine"));
	json_array_append_new(json_object_get(json_object_get(spec, "linux"), "namespaces"),
			      json_pack("{s:s}", "type", "uts"));
	CHECK_INT(world_run(w, "c", spec), 0);
}

KERNEL_TEST(virtual_pods_have_a_directory_beside_their_sandbox)
{
	json_t *spec = world_spec(w, "v", "v", NULL, NULL);

	annotate(spec, "io.microsoft.cri.virtual-pod-id", "v");
	json_object_set_new(spec, "hostname", json_string("virtual"));
	json_array_append_new(json_object_get(json_object_get(spec, "linux"), "namespaces"),
			      json_pack("{s:s}", "type", "uts"));
	world_do(w, MSG_CREATE, world_create_body(w, "v", spec));
	CHECK(in_bundle(w, "virtual-pods/v/hostname"));
	spec = world_spec(w, "c", "sb", "[ $(cat /etc/hostname) = virtual ] && echo x > /data/x",
			  NULL);
	annotate(spec, "io.microsoft.cri.virtual-pod-id", "v");
	add_mount(spec, "sandbox:///data", "/data", "rw");
	CHECK_INT(world_run(w, "c", spec), 0);
	CHECK(in_bundle(w, "virtual-pods/v/sandboxMounts/data/x"));
	world_delete(w, "v");
	CHECK(!in_bundle(w, "virtual-pods"));
}

/* What another program has put there stays, and is not taken for ours. */
KERNEL_TEST(files_of_others_in_a_bundle_are_left)
{
	char path[200];

	snprintf(path, sizeof(path), "%s/bundles", w->dir);
	CHECK_INT(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/bundles/sb", w->dir);
	CHECK_INT(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/bundles/sb/hosts", w->dir);
	close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
	refuse_naming(w, "sb", world_spec(w, "sb", "sb", NULL, NULL), "sb/hosts");
	CHECK(in_bundle(w, "sb/hosts") && !in_bundle(w, "sb/hostname"));
	CHECK_INT(unlink(path), 0);
	sandbox(w);
	world_delete(w, "sb");
	CHECK(in_bundle(w, "sb") && !in_bundle(w, "sb/hosts"));
	snprintf(path, sizeof(path), "%s/bundles/sb", w->dir);
	CHECK_INT(rmdir(path), 0);
	snprintf(path, sizeof(path), "%s/bundles", w->dir);
	CHECK_INT(rmdir(path), 0);
}

/* Another container that comes with the bundle of a sandbox takes nothing of it along. */
KERNEL_TEST(bundle_is_of_one_sandbox)
{
	sandbox(w);
	for (int i = 0; i < 2; i++) {
		json_t *body = world_create_body(w, "sb",
						 world_spec(w, "x", i ? "x" : NULL, "true", NULL));

		json_object_set_new(body, "ContainerId", json_string("x"));
		world_refuse(w, MSG_CREATE, body, HR_FAIL);
		CHECK(in_bundle(w, "sb/hostname") && in_bundle(w, "sb/hosts"));
	}
	CHECK_INT(world_run(w, "c", workload(w, "c", NULL, NULL, "[ -s /etc/hosts ]")), 0);
}

/* A directory of another program gets no mount: no process would remove it. */
KERNEL_TEST(directories_of_others_are_not_shared)
{
	char path[200];

	sandbox(w);
	snprintf(path, sizeof(path), "%s/bundles/sb/sandboxMounts", w->dir);
	CHECK_INT(mkdir(path, 0700), 0);
	refuse_naming(w, "c", workload(w, "c", "sandbox://a", "rw", "true"), "sb/sandboxMounts");
	world_delete(w, "sb");
	CHECK(world_mounts(w, "/bundles/") == 0);
	CHECK_INT(rmdir(path), 0);
	*strrchr(path, '/') = '\0';
	CHECK_INT(rmdir(path), 0);
	*strrchr(path, '/') = '\0';
	CHECK_INT(rmdir(path), 0);
}

/* --- shared sources ----------------------------------------------------------------------------
 */

KERNEL_TEST(containers_of_a_pod_share_directories)
{
	static const char *const sources[] = { "sandbox:///a/b", "sandbox-tmp://a/./b/" };

	sandbox(w);
	for (size_t i = 0; i < ARRAY_SIZE(sources); i++) {
		CHECK_INT(world_run(w, "c1",
				    workload(w, "c1", sources[i], "rw",
					     "[ $(" BB
					     "stat -c %a /data) = 777 ] && echo x > /data/x")),
			  0);
		CHECK_INT(world_run(w, "c2",
				    workload(w, "c2", sources[i], "ro",
					     "[ $(cat /data/x) = x ] && ! echo y > /data/y")),
			  0);
	}
	CHECK(in_bundle(w, "sb/sandboxMounts/a/b/x"));
	CHECK_INT(world_run(w, "c1",
			    workload(w, "c1", "sandbox-tmp://a/b", "rw",
				     BB "grep -q ' /data tmpfs ' /proc/mounts")),
		  0);
	CHECK(world_mounts(w, "/bundles/") == 2);
	world_kill_agent(w);
	CHECK_INT(world_run(w, "c2", workload(w, "c2", "sandbox://a/b", "ro", "[ -f /data/x ]")),
		  0);
	CHECK_INT(
		world_run(w, "c2", workload(w, "c2", "sandbox-tmp://a/b", "ro", "[ -f /data/x ]")),
		0);
	CHECK(world_mounts(w, "/bundles/") == 2);
	world_delete(w, "sb");
	CHECK(!in_bundle(w, "sb"));
	CHECK(world_mounts(w, "/bundles/") == 0);
}

/* A link that one container leaves for the next: what it leads to in the guest stays out of reach.
 */
KERNEL_TEST(links_of_a_container_lead_nowhere_outside)
{
	static const char *const sources[] = { "sandbox://v/abs", "sandbox://v/up/x",
					       "sandbox://v/abs/etc", "sandbox-tmp://v/up" };
	static const char links[] = BB "ln -s / /data/abs; " BB "ln -s ../../../.. /data/up; " BB
				       "ln -s sub /data/inside; " BB "mkdir /data/sub; "
				       "echo x > /data/sub/x";
	json_t *spec;

	sandbox(w);
	CHECK_INT(world_run(w, "c", workload(w, "c", "sandbox://v", "rw", links)), 0);
	CHECK_INT(world_run(w, "c", workload(w, "c", "sandbox-tmp://v", "rw", links)), 0);
	for (size_t i = 0; i < ARRAY_SIZE(sources); i++)
		refuse_naming(w, "c", workload(w, "c", sources[i], "rw", "true"), "leads out of");
	refuse_naming(w, "c", workload(w, "c", "sandbox://v/../../x", "rw", "true"),
		      "sandbox://v/../../x");
	CHECK_INT(world_run(w, "c", workload(w, "c", "sandbox://v/inside", "ro", "[ -f /data/x ]")),
		  0);
	/* A file is mounted as a file. */
	spec = workload(w, "c", NULL, NULL, "[ $(cat /one) = x ]");
	add_mount(spec, "sandbox://v/sub/x", "/one", "ro");
	CHECK_INT(world_run(w, "c", spec), 0);
	/* Links in what is removed are not followed either. */
	world_delete(w, "sb");
	CHECK(!in_bundle(w, "sb"));
	CHECK_INT(access("/etc/passwd", F_OK), 0);
}

KERNEL_TEST(shared_sources_are_for_workloads)
{
	static const char *const sources[] = {
		"sandbox://a",	     "sandbox-tmp://a",		 "hugepages://2M/a",
		"blockdev:///dev/x", "uvm:///no-such-directory", "uvm://rel"
	};
	json_t *spec;

	for (size_t i = 0; i < ARRAY_SIZE(sources); i++) {
		for (int k = 0; k < 2; k++) {
			spec = world_spec(w, "c", k ? "c" : NULL, "true", NULL);
			add_mount(spec, sources[i], "/data", "rw");
			refuse_naming(w, "c", spec, sources[i]);
		}
	}
	sandbox(w);
	refuse_naming(w, "c", workload(w, "c", "hugepages://2M", "rw", "true"), "hugepages://2M");
	refuse_naming(w, "c", workload(w, "c", "hugepages://2X/a", "rw", "true"),
		      "hugepages://2X/a");
	refuse_naming(w, "c", workload(w, "c", "hugepages://3M/a", "rw", "true"), "hugepages");
	CHECK(!kit_exists(&w->kit, "sb/c"));
}

KERNEL_TEST(paths_of_the_guest_are_mounted)
{
	char path[96], source[128];

	snprintf(path, sizeof(path), "%s/there", w->dir);
	CHECK_INT(mkdir(path, 0755), 0);
	snprintf(source, sizeof(source), "uvm://%s", path);
	sandbox(w);
	CHECK_INT(world_run(w, "c", workload(w, "c", source, "rw", "echo x > /data/x")), 0);
	snprintf(path, sizeof(path), "%s/there/x", w->dir);
	CHECK_INT(access(path, F_OK), 0);
}

KERNEL_TEST(huge_pages_are_shared)
{
	if (access("/sys/kernel/mm/hugepages/hugepages-2048kB", F_OK) < 0)
		tap_skip("this kernel has no huge pages of 2 MiB");
	sandbox(w);
	CHECK_INT(world_run(w, "c1",
			    workload(w, "c1", "hugepages://2M/a", "rw",
				     BB "grep -q ' /data hugetlbfs .*pagesize=2M' /proc/mounts && "
					"> /data/x")),
		  0);
	CHECK_INT(world_run(w, "c2",
			    workload(w, "c2", "hugepages://2MB/a", "rw", "[ ! -f /data/x ]")),
		  0);
	CHECK_INT(world_run(w, "c2", workload(w, "c2", "hugepages://2M/a", "rw", "[ -f /data/x ]")),
		  0);
	world_delete(w, "sb");
	CHECK(world_mounts(w, "/bundles/") == 0);
}

/* "rshared": what one container mounts there, the others see. */
KERNEL_TEST(mounts_propagate_between_containers)
{
	static const char maker[] = BB "mkdir /data/m && " BB "mount -t tmpfs none /data/m && "
				       "echo x > /data/m/x && " BB "touch /data/ready; sleep 1000";
	json_t *spec, *caps, *process;
	char path[200];

	sandbox(w);
	spec = workload(w, "c1", "sandbox://p", "rshared", maker);
	json_object_set_new(json_object_get(spec, "linux"), "rootfsPropagation",
			    json_string("rshared"));
	process = json_object_get(spec, "process");
	caps = json_pack("{s:[s], s:[s], s:[s]}", "bounding", "CAP_SYS_ADMIN", "effective",
			 "CAP_SYS_ADMIN", "permitted", "CAP_SYS_ADMIN");
	json_object_set_new(process, "capabilities", caps);
	world_do(w, MSG_CREATE, world_create_body(w, "c1", spec));
	world_start(w, "c1");
	snprintf(path, sizeof(path), "%s/bundles/sb/sandboxMounts/p/ready", w->dir);
	await_file(path);
	CHECK(in_bundle(w, "sb/sandboxMounts/p/m/x"));
	CHECK_INT(world_run(w, "c2", workload(w, "c2", "sandbox://p", "ro", "[ -f /data/m/x ]")),
		  0);
}

/* The next agent finds the cgroups gone, and removes what the one before had made and mounted. */
static void next_agent_removes_bundles(struct world *w)
{
	char text[256];

	kit_sweep_groups(&w->kit, text, sizeof(text));
	world_start_agent(w, NULL);
	w->c = world_connect(w, true);
	for (int i = 0; i < WORLD_MS / 5 && in_bundle(w, ""); i++)
		nanosleep(&(struct timespec){ .tv_nsec = 5000000 }, NULL);
	CHECK(!in_bundle(w, ""));
	CHECK(world_mounts(w, "/bundles/") == 0);
}

/* The agent was killed when the cgroups were gone and the rest was not. */
KERNEL_TEST(what_a_lost_pod_has_shared_is_removed)
{
	sandbox(w);
	CHECK_INT(world_run(w, "c", workload(w, "c", "sandbox://a", "rw", "echo x > /data/x")), 0);
	CHECK_INT(world_run(w, "c", workload(w, "c", "sandbox-tmp://a", "rw", "echo x > /data/x")),
		  0);
	client_close(w->c);
	kill(w->agent, SIGKILL);
	CHECK_INT(waitpid(w->agent, NULL, 0), w->agent);
	CHECK(in_bundle(w, "sb/sandboxMounts/a/x"));
	next_agent_removes_bundles(w);
}

/* A directory in the place of the pod's state: it cannot be replaced. */
static void spoil_state(const struct world *w, bool spoil)
{
	char path[160], aside[160];

	snprintf(path, sizeof(path), "%s/state/pods/sb", w->dir);
	snprintf(aside, sizeof(aside), "%s/aside", w->dir);
	CHECK_INT(spoil ? rename(path, aside) : rmdir(path), 0);
	CHECK_INT(spoil ? mkdir(path, 0700) : rename(aside, path), 0);
}

/* What the state could not say once, it says when that is possible again: nothing is left when the
 * next agent finds the pod without its cgroups. */
KERNEL_TEST(state_that_was_not_saved_is_saved_later)
{
	char text[4096];
	FILE *f;

	sandbox(w);
	spoil_state(w, true);
	refuse_naming(w, "c", workload(w, "c", "sandbox://a", "rw", "true"), "sb/sandboxMounts");
	spoil_state(w, false);
	CHECK_INT(world_run(w, "c", workload(w, "c", "sandbox://a", "rw", "echo x > /data/x")), 0);
	CHECK(world_mounts(w, "/bundles/") == 1);
	snprintf(text, sizeof(text), "%s/state/pods/sb", w->dir);
	f = fopen(text, "re");
	CHECK(f && fgets(text, sizeof(text), f));
	fclose(f);
	CHECK_MSG(strstr(text, "\"Shared\":1"), "%s", text);
	client_close(w->c);
	kill(w->agent, SIGKILL);
	CHECK_INT(waitpid(w->agent, NULL, 0), w->agent);
	next_agent_removes_bundles(w);
}

/* In a child: takes the mount away once the agent has met it. */
static void __attribute__((noreturn)) unmount_when_met(const char *in_the_way, const char *beside)
{
	for (int i = 0; i < WORLD_MS / 5 && access(beside, F_OK) == 0; i++)
		nanosleep(&(struct timespec){ .tv_nsec = 5000000 }, NULL);
	nanosleep(&(struct timespec){ .tv_nsec = 50000000 }, NULL);
	_exit(umount2(in_the_way, MNT_DETACH) < 0);
}

KERNEL_TEST(what_is_in_the_way_of_removal_is_tried_again)
{
	char top[200], inner[220], beside[220];
	int status;
	pid_t pid;

	sandbox(w);
	CHECK_INT(world_run(w, "c", workload(w, "c", "sandbox://a", "rw", "echo x > /data/x")), 0);
	snprintf(top, sizeof(top), "%s/bundles/sb/sandboxMounts", w->dir);
	snprintf(inner, sizeof(inner), "%s/a/m", top);
	snprintf(beside, sizeof(beside), "%s/a/x", top);
	/* Below the directory itself, not below the mount that goes with it. */
	CHECK_INT(umount2(top, MNT_DETACH), 0);
	CHECK_INT(mkdir(inner, 0700), 0);
	CHECK_INT(mount("tmpfs", inner, "tmpfs", 0, NULL), 0);
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0)
		unmount_when_met(inner, beside);
	world_delete(w, "sb");
	CHECK_INT(waitpid(pid, &status, 0), pid);
	CHECK_INT(status, 0);
	CHECK(!in_bundle(w, ""));
	CHECK(world_mounts(w, "/bundles/") == 0);
}
