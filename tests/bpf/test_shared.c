// SPDX-License-Identifier: MIT
/*
 * test_shared.c - pins that several handles have open, for reading and for changes, and groups
 * that belong to the pins of another process.
 */
#include "world.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* What another process has open is not removed under it, although no group uses it; and a
 * process that opens it for reading adds, binds and removes nothing. */
BPF_TEST(what_another_uses_stays_pinned)
{
	struct cgfs_bpf_opts opts = CGFS_BPF_OPTS_INIT;
	struct cgfs_bpf *other, *reader;
	const struct cgfs_policy *policy;
	struct group *pod;

	opts.pin_dir = w->pin;
	opts.read_only = true;
	CHECK_INT(cgfs_bpf_open(&opts, &reader, &w->err), -ENOENT);
	CHECK_INT(access(w->pin, F_OK), -1);

	world_open(w, false);
	CHECK_INT(cgfs_bpf_open(&opts, &reader, &w->err), 0);
	CHECK_INT(cgfs_bpf_unpin(reader, &w->err), -EROFS);
	pod = world_pod(w, "web");
	policy = cgfs_bpf_policy(reader);
	CHECK_INT(policy->ops->add(policy->ctx, &pod->g, NULL, 0, &w->err), -EROFS);
	CHECK_INT(policy->ops->remove(policy->ctx, &pod->g, &w->err), -EROFS);
	CHECK_INT(world_map_count(w, "groups"), 0);

	opts.read_only = false;
	CHECK_INT(cgfs_bpf_open(&opts, &other, &w->err), 0);
	CHECK_INT(cgfs_bpf_unpin(other, &w->err), -EBUSY);
	cgfs_bpf_close(other);
	world_add(w, pod, "c 1:3 r");
	CHECK_INT(policy->ops->remove(w->policy->ctx, &pod->g, &w->err), 0);
	/* A process that only reads does not hold it. */
	CHECK_INT(cgfs_bpf_unpin(w->bpf, &w->err), 0);
	cgfs_bpf_close(reader);
}

/* Between fork(2) and exec a child has all that is open: it keeps the locks of a handle that was
 * closed from no other, and takes none of them away by closing the handle itself. */
BPF_TEST(child_neither_holds_nor_drops_the_locks)
{
	struct cgfs_bpf_opts opts = CGFS_BPF_OPTS_INIT;
	struct cgfs_bpf *other;
	int status;
	pid_t pid;

	opts.pin_dir = w->pin;
	opts.events = true;
	world_open(w, true);
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		cgfs_bpf_close(w->bpf);
		_exit(0);
	}
	CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
	CHECK_INT(cgfs_bpf_open(&opts, &other, &w->err), -EBUSY);
	CHECK_MSG(strstr(w->err.text, "receives the events"), "%s", w->err.text);

	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		pause();
		_exit(0);
	}
	world_close(w);
	CHECK_INT(cgfs_bpf_open(&opts, &other, &w->err), 0);
	CHECK_INT(cgfs_bpf_unpin(other, &w->err), 0);
	cgfs_bpf_close(other);
	kill(pid, SIGKILL);
	CHECK_INT(waitpid(pid, NULL, 0), pid);
}

/* A pod that is bound by the programs of other pins is not taken over by opening it. */
BPF_TEST(pods_of_other_pins_are_not_taken_over)
{
	struct cgfs_bpf_opts opts = CGFS_BPF_OPTS_INIT;
	const struct cgfs_policy *policy;
	struct cgfs_bpf *other;
	struct group *pod;
	char pin[300];

	world_open(w, false);
	pod = world_pod(w, "web");
	world_add(w, pod, "c 1:3 r");
	snprintf(pin, sizeof(pin), "%s-other", w->pin);
	opts.pin_dir = pin;
	CHECK_INT(cgfs_bpf_open(&opts, &other, &w->err), 0);
	policy = cgfs_bpf_policy(other);
	CHECK_INT(policy->ops->add(policy->ctx, &pod->g, NULL, 0, &w->err), -EBUSY);
	CHECK(strstr(w->err.text, "another pin directory"));
	CHECK(world_can_open(w, pod->path, 'c', 1, 3, O_RDONLY));
	CHECK_INT(cgfs_bpf_unpin(other, &w->err), 0);
	cgfs_bpf_close(other);
	CHECK_INT(access(pin, F_OK), -1);
}

/* The list in force, as @policy reads it back: how many rules. */
static size_t rules_read(const struct cgfs_policy *policy, const struct group *pod)
{
	struct cgfs_device_rule *rules = NULL;
	struct cgfs_err err;
	size_t n = 0;

	CHECK_INT(policy->ops->get_rules(policy->ctx, &pod->g, &rules, &n, &err), 1);
	free(rules);
	return n;
}

/* A process that has made no change yet reads what another one put in, replaced and emptied. */
BPF_TEST(list_of_another_is_read_back)
{
	struct cgfs_bpf_opts opts = CGFS_BPF_OPTS_INIT;
	const struct cgfs_policy *policy;
	struct cgfs_bpf *reader;
	struct group *pod;

	world_open(w, false);
	pod = world_pod(w, "web");
	world_add(w, pod, "c 1:3 rw; c 1:5 r");
	opts.pin_dir = w->pin;
	opts.read_only = true;
	CHECK_INT(cgfs_bpf_open(&opts, &reader, &w->err), 0);
	policy = cgfs_bpf_policy(reader);
	CHECK_INT(rules_read(policy, pod), 2);
	CHECK_INT(rules_read(policy, pod), 2);
	world_set(w, pod, "c 1:7 rw; c 1:8 r; c 1:9 r");
	CHECK_INT(rules_read(policy, pod), 3);
	world_set(w, pod, "");
	CHECK_INT(rules_read(policy, pod), 0);
	CHECK_INT(rules_read(w->policy, pod), 0);
	cgfs_bpf_close(reader);
}

/* Another program has pinned a map of its own beside ours. */
BPF_TEST(pins_of_others_stay)
{
	static const char *const names[] = { "other", "events/other" };
	char path[2][200];
	int map = bpf_map_create(BPF_MAP_TYPE_ARRAY, "other", 4, 4, 1, NULL);

	CHECK(map >= 0);
	world_open(w, false);
	for (size_t i = 0; i < 2; i++) {
		snprintf(path[i], sizeof(path[i]), "%s/%s", w->pin, names[i]);
		CHECK_INT(bpf_obj_pin(map, path[i]), 0);
	}
	CHECK_INT(cgfs_bpf_unpin(w->bpf, &w->err), 0);
	world_close(w);
	for (size_t i = 0; i < 2; i++)
		CHECK_INT(unlink(path[i]), 0);
	snprintf(path[0], sizeof(path[0]), "%s/events", w->pin);
	CHECK_INT(rmdir(path[0]), 0);
	CHECK_INT(rmdir(w->pin), 0);
	close(map);
}

static void removed_by_hand(struct world *w, const char *what)
{
	struct cgfs_event e = CGFS_EVENT_INIT;
	char command[200];
	int events = 0;

	snprintf(command, sizeof(command), "rm -rf %s%s", w->pin, what);
	(void)!system(command); /* may find that what it removes is there again */
	while (world_event(w, &e, events ? 200 : 60000) == 1) {
		CHECK_INT(e.type, CGFS_EVENT_PINS_RESTORED);
		CHECK_INT(e.count, 2);
		events++;
	}
	CHECK(events > 0);
}

/* Pins that are removed by hand are put back at once, without any change of a group; what is not
 * a pin of ours, or a removal of ours, is nothing to act on. */
BPF_TEST(removed_pins_are_put_back_at_once)
{
	static const char *const removed[] = { "",	  "/links",  "/links/web:*", "/rules",
					       "/device", "/events", "/abi",	     "/*" };
	struct cgfs_event e = CGFS_EVENT_INIT;
	struct group *pod, *other, *gone;

	world_open(w, true);
	pod = world_pod(w, "web");
	other = world_pod(w, "db");
	gone = world_pod(w, "gone");
	world_add(w, pod, "c 1:3 rw");
	world_add(w, other, "c 1:5 r");
	world_add(w, gone, "c 1:5 r");
	CHECK_INT(w->policy->ops->remove(w->policy->ctx, &gone->g, &w->err), 0);
	CHECK_INT(world_event(w, &e, 1500), 0);
	for (size_t i = 0; i < sizeof(removed) / sizeof(removed[0]); i++) {
		removed_by_hand(w, removed[i]);
		CHECK(world_can_open(w, pod->path, 'c', 1, 3, O_RDWR));
		CHECK(!world_can_open(w, pod->path, 'c', 1, 5, O_RDONLY));
		CHECK_INT(world_event(w, &e, 1000), 1);
		CHECK_INT(e.type, CGFS_EVENT_DEVICE_DENIED);
		CHECK_INT(world_map_count(w, "groups"), 2);
	}
	CHECK_INT(w->policy->ops->remove(w->policy->ctx, &pod->g, &w->err), 0);
	CHECK_INT(w->policy->ops->remove(w->policy->ctx, &other->g, &w->err), 0);
	CHECK_INT(cgfs_bpf_unpin(w->bpf, &w->err), 0);
}

/* All pins, or one link alone, are removed by hand under a running agent. */
BPF_TEST(pins_that_were_removed_come_back)
{
	struct group *pod, *other, *new;
	char command[200];

	world_open(w, true);
	pod = world_pod(w, "web");
	other = world_pod(w, "db");
	world_add(w, pod, "c 1:3 rw");
	world_add(w, other, "c 1:5 r");
	CHECK(!world_can_open(w, other->path, 'c', 1, 3, O_RDWR));
	snprintf(command, sizeof(command), "rm -r %s", w->pin);
	CHECK_INT(system(command), 0);

	new = world_pod(w, "new");
	world_add(w, new, "c 1:3 r");
	CHECK(world_can_open(w, new->path, 'c', 1, 3, O_RDONLY));
	CHECK(!world_can_open(w, new->path, 'c', 1, 5, O_RDONLY));
	CHECK(world_can_open(w, pod->path, 'c', 1, 3, O_RDWR));
	CHECK(!world_can_open(w, pod->path, 'c', 1, 5, O_RDONLY));
	CHECK(world_can_open(w, other->path, 'c', 1, 5, O_RDONLY));
	CHECK(!world_can_open(w, other->path, 'c', 1, 3, O_RDWR));

	snprintf(command, sizeof(command), "rm %s/links/web:*", w->pin);
	CHECK_INT(system(command), 0);
	world_set(w, pod, "c 1:5 r");
	CHECK(world_can_open(w, pod->path, 'c', 1, 5, O_RDONLY));
	CHECK(!world_can_open(w, pod->path, 'c', 1, 3, O_RDONLY));

	/* A successor takes over what was pinned again. */
	world_close(w);
	world_open(w, true);
	CHECK(!world_can_open(w, other->path, 'c', 1, 3, O_RDWR));
	CHECK(world_can_open(w, other->path, 'c', 1, 5, O_RDONLY));
	CHECK(world_counters(w, other).device_denied >= 3);
}

/* The same list is in force, and another process finds it. */
static void check_back(struct world *w, struct group *pod)
{
	struct cgfs_bpf_opts opts = CGFS_BPF_OPTS_INIT;
	struct cgfs_bpf *reader;
	struct cgfs_policy_counters n = { .sz = sizeof(n) };

	CHECK(world_can_open(w, pod->path, 'c', 1, 3, O_RDWR));
	CHECK(!world_can_open(w, pod->path, 'c', 1, 5, O_RDONLY));
	opts.pin_dir = w->pin;
	opts.read_only = true;
	CHECK_MSG(cgfs_bpf_open(&opts, &reader, &w->err) == 0, "%s", w->err.text);
	CHECK_INT(cgfs_bpf_policy(reader)->ops->counters(cgfs_bpf_policy(reader)->ctx,
							 pod->g.cgroup_id, &n),
		  0);
	cgfs_bpf_close(reader);
}

/* $P is the pin directory. */
static void run(const struct world *w, const char *script)
{
	char command[600];

	snprintf(command, sizeof(command), "P=%s; %s", w->pin, script);
	CHECK_INT(system(command), 0);
}

/* The pin directory was removed, or is somewhere else, and there is another one of its name. */
BPF_TEST(directory_made_anew_is_filled_again)
{
	static const char *const ways[] = {
		"rm -r $P && mkdir $P",
		"rm -r $P && mkdir -p $P/links",
		"mv $P $P-was",
		"mv $P $P-was && mkdir $P",
	};

	for (size_t events = 0; events < 2; events++) {
		struct cgfs_event e = CGFS_EVENT_INIT;
		struct group *pod;
		char name[8];

		world_open(w, events);
		snprintf(name, sizeof(name), "web%zu", events);
		pod = world_pod(w, name);
		world_add(w, pod, events ? "c 1:3 rw" : "c 1:5 r");
		/* One that was renamed and is not watched goes on being used. */
		for (size_t i = 0; i < (events ? 4 : 2); i++) {
			run(w, ways[i]);
			if (events) {
				CHECK_INT(world_event(w, &e, 60000), 1);
				CHECK_INT(e.type, CGFS_EVENT_PINS_RESTORED);
			} else {
				world_set(w, pod, "c 1:3 rw");
			}
			check_back(w, pod);
			run(w, "rm -rf $P-was");
			CHECK(world_can_open(w, pod->path, 'c', 1, 3, O_RDWR));
			while (events && world_event(w, &e, 200) == 1)
				;
		}
		CHECK_INT(w->policy->ops->remove(w->policy->ctx, &pod->g, &w->err), 0);
		CHECK_INT(cgfs_bpf_unpin(w->bpf, &w->err), 0);
		world_close(w);
	}
}

/* Of two that use the pins one was quicker. */
BPF_TEST(pins_that_another_user_put_back_are_the_same)
{
	struct cgfs_bpf_opts opts = CGFS_BPF_OPTS_INIT;
	const struct cgfs_policy *policy;
	struct cgfs_bpf *other;
	struct group *pod;

	world_open(w, false);
	pod = world_pod(w, "web");
	world_add(w, pod, "c 1:5 r");
	opts.pin_dir = w->pin;
	CHECK_INT(cgfs_bpf_open(&opts, &other, &w->err), 0);
	policy = cgfs_bpf_policy(other);
	run(w, "rm -r $P");
	world_set(w, pod, "c 1:3 rw");
	CHECK_MSG(policy->ops->set_rules(policy->ctx, &pod->g, NULL, 0, &w->err) == 0, "%s",
		  w->err.text);
	CHECK(!world_can_open(w, pod->path, 'c', 1, 3, O_RDWR));
	world_set(w, pod, "c 1:3 rw");
	check_back(w, pod);
	CHECK_INT(cgfs_bpf_unpin(other, &w->err), -EBUSY);
	cgfs_bpf_close(other);
}

/* A process that came between made the pins anew, and has gone without a group. */
BPF_TEST(unused_pins_of_a_newcomer_are_replaced)
{
	struct cgfs_bpf_opts opts = CGFS_BPF_OPTS_INIT;
	struct cgfs_bpf *other;
	struct group *pod;

	world_open(w, false);
	pod = world_pod(w, "web");
	world_add(w, pod, "c 1:5 r");
	opts.pin_dir = w->pin;
	run(w, "rm -r $P");
	CHECK_INT(cgfs_bpf_open(&opts, &other, &w->err), 0);
	cgfs_bpf_close(other);
	world_set(w, pod, "c 1:3 rw");
	check_back(w, pod);
}

static int open_pins(void *arg)
{
	struct world *w = arg;
	struct cgfs_bpf_opts opts = CGFS_BPF_OPTS_INIT;

	opts.pin_dir = w->pin;
	opts.no_kills = true;
	return cgfs_bpf_open(&opts, &w->bpf, &w->err);
}

static int open_stopped(void *arg)
{
	raise(SIGSTOP);
	return open_pins(arg) < 0;
}

static int unpin_stopped(void *arg)
{
	struct world *w = arg;

	if (open_pins(w) < 0)
		return 1;
	raise(SIGSTOP);
	return cgfs_bpf_unpin(w->bpf, &w->err) < 0;
}

/* The call that changes a directory, if the stopped process is about to make one. */
static bool changes_a_name(pid_t pid)
{
	struct __ptrace_syscall_info info = { 0 };

	ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info);
	if (info.op != PTRACE_SYSCALL_INFO_ENTRY)
		return false;
	return info.entry.nr == SYS_unlinkat || info.entry.nr == SYS_symlinkat ||
	       (info.entry.nr == SYS_bpf && info.entry.args[0] == BPF_OBJ_PIN)
#ifdef SYS_rmdir
	       || info.entry.nr == SYS_rmdir || info.entry.nr == SYS_mkdir
#endif
		;
}

/* Runs @fn and kills it before its change number @n to a directory; false when it made fewer. */
static bool killed_before(struct world *w, int (*fn)(void *arg), int n)
{
	pid_t pid = kit_spawn(w->root, fn, w);
	bool killed = false;
	int status;

	CHECK_INT(ptrace(PTRACE_SEIZE, pid, 0, PTRACE_O_TRACESYSGOOD), 0);
	while (waitpid(pid, &status, 0) == pid && WIFSTOPPED(status)) {
		if (WSTOPSIG(status) == (SIGTRAP | 0x80) && changes_a_name(pid) && n-- == 0) {
			killed = true;
			kill(pid, SIGKILL);
		}
		ptrace(PTRACE_SYSCALL, pid, 0, 0);
	}
	CHECK(killed ? WIFSIGNALED(status) : WIFEXITED(status) && WEXITSTATUS(status) == 0);
	return killed;
}

/* A process that is killed at any moment leaves what the next one takes over or makes anew. */
BPF_TEST(killed_process_leaves_no_half_of_the_pins)
{
	static int (*const fns[])(void *arg) = { open_stopped, unpin_stopped };
	int n;

	for (size_t i = 0; i < 2; i++) {
		for (n = 0; killed_before(w, fns[i], n); n++) {
			CHECK_MSG(open_pins(w) >= 0, "%s, change %d: %s", i ? "unpin" : "open", n,
				  w->err.text);
			CHECK_INT(cgfs_bpf_unpin(w->bpf, &w->err), 0);
			CHECK_INT(access(w->pin, F_OK), -1);
			world_close(w);
		}
		CHECK(n > 15);
	}
}
