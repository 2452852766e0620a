/* SPDX-License-Identifier: MIT */
/*
 * test_limits.c - limits of containers: when they are in force, and that what the kernel takes its
 * time for keeps no other connection waiting.  Latencies are printed.
 */
#include <cgfs/cgfs.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>

#include "agent/wire/protocol.h"
#include "cgfs/base/util.h"
#include "load.h"

KERNEL_TEST(small_limits_do_not_hold_the_runtime_up)
{
	json_t *res = json_pack("{s:{s:i, s:i}, s:{s:i}}", "cpu", "quota", 1000, "period", 100000,
				"pids", "limit", 1);
	double from = load_now(), plain;
	pid_t pid;

	world_create(w, "p", NULL, NULL);
	plain = load_now() - from;
	from = load_now();
	world_do(w, MSG_CREATE, load_create_body(w, "c", NULL, "exit 3", res));
	tap_note("create: %.1f ms without limits, %.1f ms with 1 %% of a processor and 1 process",
		 plain, load_now() - from);
	CHECK(world_figure(w, "c", "cpu/throttling/throttled_periods") <= 0);
	CHECK(world_figure(w, "c", "pids/limit") == 1);
	pid = world_start(w, "c");
	CHECK_INT(world_wait(w, "c", pid), 3);
	world_delete(w, "c");

	/* In force when the container runs, and by `unified` as well. */
	world_do(w, MSG_CREATE,
		 load_create_body(w, "c", NULL, "while :; do :; done",
				  json_pack("{s:{s:s}}", "unified", "cpu.max", "2000 100000")));
	world_start(w, "c");
	for (int i = 0; i < WORLD_MS / 10; i++) {
		if (world_figure(w, "c", "cpu/throttling/throttled_periods") > 0)
			break;
		load_nap();
	}
	CHECK(world_figure(w, "c", "cpu/throttling/throttled_periods") > 0);
}

static json_t *memory_update(int mib)
{
	return json_pack("{s:s, s:{s:s, s:{s:{s:{s:i}}}}}", "ContainerId", "c", "Request",
			 "ResourceType", "ContainerConstraints", "Settings", "Linux", "memory",
			 "limit", mib << 20);
}

KERNEL_TEST(updates_that_reclaim_are_made_in_order)
{
	struct client *other = world_connect(w, true);
	int last = 128;
	uint32_t hr;
	double worst;

	world_need_memory(w);
	world_do(w, MSG_CREATE,
		 load_create_body(
			 w, "c", "c",
			 "/bin/busybox dd if=/dev/zero of=/tmp/big bs=1M count=96; exec sleep 1000",
			 json_pack("{s:{s:i}}", "memory", "limit", 128 << 20)));
	world_start(w, "c");
	for (int i = 0; i < 30; i++)
		load_nap();
	for (int i = 0; i < 10; i++)
		load_send(w->c, MSG_MODIFY_SETTINGS, 10 + (uint64_t)i, memory_update(100 - 5 * i));
	worst = load_ask(w, other, 20);
	tap_note("worst answer to another connection meanwhile: %.1f ms", worst);
	/* A root file system in memory gives nothing back: there v1 refuses to go below it. */
	for (int i = 0; i < 10; i++) {
		CHECK_INT(load_receive(w->c, &hr), 10 + (uint64_t)i);
		last = hr == HR_OK ? 100 - 5 * i : last;
	}
	tap_note("limit of %d MiB at the end", last);
	CHECK(world_figure(w, "c", "memory/usage/limit") == last << 20);
	client_close(other);
}

static json_t *devices_update(bool allow)
{
	json_t *rules = json_pack("[{s:b, s:s}]", "allow", allow, "access", "rwm");

	json_array_append_new(rules, json_pack("{s:b, s:s, s:i, s:i, s:s}", "allow", !allow, "type",
					       "c", "major", 1, "minor", 5, "access", "rwm"));
	return json_pack("{s:s, s:{s:s, s:{s:{s:o}}}}", "ContainerId", "c", "Request",
			 "ResourceType", "ContainerConstraints", "Settings", "Linux", "devices",
			 rules);
}

/* What is sent meanwhile the agent finds all at once. */
static void stop_agent(const struct world *w)
{
	int status;

	CHECK_INT(kill(w->agent, SIGSTOP), 0);
	CHECK_INT(waitpid(w->agent, &status, WUNTRACED), w->agent);
	CHECK(WIFSTOPPED(status));
}

static json_t *freeze(const char *pod, const char *ctr, bool yes)
{
	return json_pack("{s:s, s:s, s:b}", "PodId", pod, "ContainerId", ctr, "Frozen", yes);
}

KERNEL_TEST(few_changes_of_a_pod_wait)
{
	unsigned int done = 0, refused = 0;
	uint32_t hr;

	world_do(w, MSG_EXT_CREATE_POD, json_pack("{s:s}", "PodId", "p"));
	stop_agent(w);
	for (uint64_t i = 0; i < 100; i++)
		load_send(w->c, MSG_EXT_UPDATE_POD, 10 + i, freeze("p", "", i % 2 == 0));
	CHECK_INT(kill(w->agent, SIGCONT), 0);
	for (int i = 0; i < 100; i++) {
		load_receive(w->c, &hr);
		done += hr == HR_OK;
		refused += hr == HR_FAIL;
	}
	/* Each change that is made meanwhile lets another one wait. */
	CHECK_INT(done + refused, 100);
	CHECK(done >= 17);
	CHECK(refused > 0);
	world_do(w, MSG_EXT_UPDATE_POD, freeze("p", "", false));
}

/* The runtime is at work in their cgroups. */
KERNEL_TEST(what_is_being_created_is_not_changed)
{
	uint32_t hr;

	stop_agent(w);
	load_send(w->c, MSG_CREATE, 10, load_create_body(w, "p", "p", "exit 3", NULL));
	load_send(w->c, MSG_EXT_UPDATE_POD, 11, freeze("p", "", true));
	load_send(w->c, MSG_EXT_UPDATE_POD, 12, freeze("p", "p", true));
	CHECK_INT(kill(w->agent, SIGCONT), 0);
	for (uint64_t id = 11; id <= 12; id++) {
		CHECK_INT(load_receive(w->c, &hr), id);
		CHECK_INT(hr, HR_INVALID_STATE);
	}
	CHECK_INT(load_receive(w->c, &hr), 10);
	CHECK_INT(hr, HR_OK);
	CHECK_INT(world_wait(w, "p", world_start(w, "p")), 3);
}

/* A deletion ends the change under way, and the ones that wait do not hold it up. */
KERNEL_TEST(deletion_ends_changes_that_wait)
{
	uint64_t last = 0;
	uint32_t hr;

	/* With an end of its first process to come, that would continue the deletion. */
	world_create(w, "c", NULL, "exit 3");
	CHECK_INT(world_wait(w, "c", world_start(w, "c")), 3);
	stop_agent(w);
	for (uint64_t i = 0; i < 4; i++)
		load_send(w->c, MSG_EXT_UPDATE_POD, 10 + i, freeze("", "c", i % 2 == 0));
	load_send(w->c, MSG_DELETE_STATE, 20, load_of("c"));
	CHECK_INT(kill(w->agent, SIGCONT), 0);
	for (int i = 0; i < 5; i++)
		last = load_receive(w->c, &hr);
	CHECK_INT(last, 20);
	CHECK_INT(hr, HR_OK);
}

/* The agent's end deletes the first, its sandbox's the second. */
KERNEL_TEST(frozen_pods_are_deleted)
{
	static const char *const pods[] = { "p", "q" };

	for (size_t i = 0; i < ARRAY_SIZE(pods); i++) {
		world_create(w, pods[i], pods[i], NULL);
		world_do(w, MSG_EXT_UPDATE_POD, freeze(pods[i], "", true));
	}
	world_delete(w, "q");
}

/* Without eBPF v1 has to stop the container while the default of its list changes. */
KERNEL_TEST(device_lists_change_beside_the_loop)
{
	static const char *const without_bpf[] = { "--no-bpf", NULL };
	struct client *other;
	double worst;
	uint32_t hr;

	if (kit_version(CGFS_DEVICES) != CGFS_V1)
		tap_skip("cgroup v1 does not keep the devices here");
	client_close(w->c);
	CHECK_INT(kill(w->agent, SIGTERM), 0);
	CHECK_INT(waitpid(w->agent, NULL, 0), w->agent);
	world_start_agent(w, without_bpf);
	w->c = world_connect(w, true);
	other = world_connect(w, true);
	world_create(w, "c", NULL, "while :; do :; done");
	world_start(w, "c");
	for (int i = 0; i < 10; i++)
		load_send(w->c, MSG_MODIFY_SETTINGS, 10 + (uint64_t)i, devices_update(i % 2 == 0));
	worst = load_ask(w, other, 20);
	tap_note("worst answer to another connection meanwhile: %.1f ms", worst);
	for (int i = 0; i < 10; i++) {
		CHECK_INT(load_receive(w->c, &hr), 10 + (uint64_t)i);
		CHECK_INT(hr, HR_OK);
	}
	client_close(other);
}
