/* SPDX-License-Identifier: MIT */
/*
 * test_owner.c - one process owns a pods root, by whatever path it sees it: one of the two is in a
 * cgroup namespace and has mounted the hierarchies there.
 */
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "agent/wire/owner.h"
#include "cgfs/base/util.h"
#include "tests/agent/world.h"

#define SOCKET "/run/not-there.sock"

struct answer {
	pid_t pid, owner; /* the process itself; the agent that it finds */
	int r;		  /* of owner_take() */
	char text[1024];
	char socket[OWNER_PATH_MAX];
};

/* The hierarchies begin at w->root for this process. */
static void enter_namespace(const struct world *w)
{
	struct kit_mount mounts[KIT_MOUNTS_MAX];
	size_t n = kit_mounts(mounts);
	char path[400], text[256];

	for (size_t i = 0; i < n; i++) {
		static const char *const inherited[] = { "cpuset.cpus", "cpuset.mems" };

		for (size_t k = 0; k < 2 && mounts[i].controllers & 1u << CGFS_CPUSET; k++) {
			snprintf(path, sizeof(path), "%s/%s", mounts[i].path, inherited[k]);
			if (kit_read(path, text, sizeof(text)) < 0)
				continue;
			snprintf(path, sizeof(path), "%s%s/%s", mounts[i].path, w->root,
				 inherited[k]);
			CHECK_INT(kit_write(path, text), 0);
		}
		snprintf(path, sizeof(path), "%s%s/cgroup.procs", mounts[i].path, w->root);
		CHECK_INT(kit_write(path, "0"), 0);
	}
	CHECK_INT(unshare(CLONE_NEWCGROUP | CLONE_NEWNS), 0);
	CHECK_INT(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	for (size_t i = 0; i < n; i++) {
		/* No process in it, or a cgroup2 tree could have no controllers below. */
		snprintf(path, sizeof(path), "%s/cgroup.procs", mounts[i].path);
		CHECK_INT(kit_write(path, "0"), 0);
		snprintf(path, sizeof(path), "%s%s", mounts[i].path, w->root);
		CHECK_INT(mount(path, mounts[i].path, NULL, MS_BIND, NULL), 0);
	}
}

static struct answer try_it(struct owner *o, const char *root, bool alone)
{
	struct cgfs_mounts mounts = CGFS_MOUNTS_INIT;
	struct answer a = { .pid = getpid() };
	struct cgfs_err err = { 0 };

	CHECK_INT(cgfs_discover(&mounts, NULL), 0);
	if (!owner_find(&mounts, root, &a.owner, a.socket))
		a.owner = 0;
	a.r = owner_take(o, &mounts, root, alone, &err);
	if (a.r == 0 && alone)
		CHECK_INT(owner_serves(o, SOCKET, &err), 0);
	snprintf(a.text, sizeof(a.text), "%s", err.text);
	return a;
}

struct inside {
	struct answer answer;
	int end; /* closed: it releases what it has, and ends */
};

/* A process in the namespace tries @root. */
static struct inside begin_inside(const struct world *w, const char *root, bool alone)
{
	int answer[2], end[2];
	struct inside in;

	CHECK_INT(pipe2(answer, 0), 0);
	CHECK_INT(pipe2(end, 0), 0);
	fflush(stdout);
	if (fork() == 0) {
		struct owner o = OWNER_INIT;

		close(end[1]);
		enter_namespace(w);
		in.answer = try_it(&o, root, alone);
		CHECK_INT(write(answer[1], &in.answer, sizeof(in.answer)), sizeof(in.answer));
		ignore((int)read(end[0], &in, 1));
		owner_release(&o);
		_exit(0);
	}
	close(answer[1]);
	close(end[0]);
	CHECK_INT(read(answer[0], &in.answer, sizeof(in.answer)), sizeof(in.answer));
	close(answer[0]);
	in.end = end[1];
	return in;
}

static void end_inside(const struct inside *in)
{
	close(in->end);
	CHECK_INT(waitpid(in->answer.pid, NULL, 0), in->answer.pid);
}

static void make(const struct world *w, const char *below)
{
	struct kit_mount mounts[KIT_MOUNTS_MAX];
	size_t n = kit_mounts(mounts);
	char path[400];

	for (size_t i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "%s%s%s", mounts[i].path, w->root, below);
		CHECK_INT(mkdir(path, 0755), 0);
	}
}

/* No agent did any work, so none removes the groups. */
static void sweep(const struct world *w)
{
	char text[4096];

	kit_sweep_groups(&w->kit, text, sizeof(text));
}

static void check_refused(const struct answer *a, pid_t owner)
{
	char process[40];

	snprintf(process, sizeof(process), "process %d", owner);
	CHECK_INT(a->r, -EADDRINUSE);
	CHECK_HAS(a->text, process);
	CHECK_INT(a->owner, owner);
	CHECK_STR(a->socket, SOCKET);
}

/* The agents see each other, whichever was first, also when the root is made meanwhile. */
ALONE_TEST(owner_in_a_cgroup_namespace_is_the_owner_outside)
{
	struct owner o = OWNER_INIT;
	struct answer outside;
	struct inside in;
	char root[100];

	snprintf(root, sizeof(root), "%s/pods", w->root);
	make(w, "");
	for (int made = 0; made < 2; made++) {
		in = begin_inside(w, "/pods", true);
		CHECK_STR(in.answer.text, "");
		if (made)
			make(w, "/pods");
		outside = try_it(&o, root, true);
		check_refused(&outside, in.answer.pid);
		outside = try_it(&o, root, false);
		check_refused(&outside, in.answer.pid);
		end_inside(&in);

		outside = try_it(&o, root, true);
		CHECK_STR(outside.text, "");
		CHECK_INT(outside.owner, 0);
		in = begin_inside(w, "/pods", true);
		check_refused(&in.answer, getpid());
		end_inside(&in);
		owner_release(&o);
	}
	sweep(w);
}

/* What has the same path in and outside of the namespace is not the same. */
ALONE_TEST(another_root_of_the_same_path_is_free)
{
	struct owner o = OWNER_INIT;
	struct answer outside;
	struct inside in;

	make(w, "");
	in = begin_inside(w, w->root, true);
	CHECK_STR(in.answer.text, "");
	outside = try_it(&o, w->root, true);
	CHECK_STR(outside.text, "");
	CHECK_INT(outside.owner, 0);
	owner_release(&o);
	end_inside(&in);
	sweep(w);
}

/* Any number of podctls share a root, and no agent begins meanwhile. */
ALONE_TEST(podctls_in_and_outside_of_a_namespace_share_a_root)
{
	struct owner o = OWNER_INIT;
	struct answer outside;
	struct inside in;
	char root[100], process[40];

	snprintf(root, sizeof(root), "%s/pods", w->root);
	make(w, "");
	in = begin_inside(w, "/pods", false);
	CHECK_STR(in.answer.text, "");
	outside = try_it(&o, root, false);
	CHECK_STR(outside.text, "");
	owner_release(&o);
	outside = try_it(&o, root, true);
	snprintf(process, sizeof(process), "podctl (process %d)", in.answer.pid);
	CHECK_INT(outside.r, -EADDRINUSE);
	CHECK_HAS(outside.text, process);
	CHECK_INT(outside.owner, 0);
	end_inside(&in);
	outside = try_it(&o, root, true);
	CHECK_STR(outside.text, "");
	owner_release(&o);
	sweep(w);
}
