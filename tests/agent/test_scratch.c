/* SPDX-License-Identifier: MIT */
/*
 * test_scratch.c - the removal of a container's scratch directory (ScratchDirPath), which a child
 * process does, and what an agent does while it waits for one.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/fanotify.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "cgfs/base/util.h"
#include "world.h"

/* Processes that open @dir wait for an answer. */
static int hold_up(const char *dir)
{
	int fd = fanotify_init(FAN_CLASS_CONTENT | FAN_CLOEXEC, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fanotify_mark(fd, FAN_MARK_ADD, FAN_OPEN_PERM | FAN_ONDIR, AT_FDCWD, dir) < 0)
		tap_skip("fanotify: %s", strerror(errno));
	return fd;
}

static void create_with_scratch(struct world *w, const char *id, const char *dir)
{
	json_t *body = world_create_body(w, id, world_spec(w, id, NULL, "true", NULL)), *config;
	auto_free char *text = NULL;

	config = json_loads(json_string_value(json_object_get(body, "ContainerConfig")), 0, NULL);
	json_object_set_new(config, "ScratchDirPath", json_string(dir));
	text = json_dumps(config, 0);
	json_decref(config);
	json_object_set_new(body, "ContainerConfig", json_string(text));
	world_do(w, MSG_CREATE, body);
}

/* The process that waits may go on. */
static void allow(int fd, const struct fanotify_event_metadata *event)
{
	struct fanotify_response response = { .fd = event->fd, .response = FAN_ALLOW };

	CHECK_INT(write(fd, &response, sizeof(response)), sizeof(response));
	close(event->fd);
}

/* A child of the agent that opens the directory which is held up by @fd; false: the request is
 * answered before. */
static bool next_child(struct world *w, struct client *c, int fd,
		       struct fanotify_event_metadata *event)
{
	struct pollfd p[] = { { .fd = fd, .events = POLLIN },
			      { .fd = client_fd(c), .events = POLLIN } };

	CHECK(poll(p, 2, WORLD_MS) > 0);
	if (!(p[0].revents & POLLIN)) {
		/* The clean-up after a test that fails opens it, too. */
		CHECK_INT(fanotify_mark(fd, FAN_MARK_FLUSH, 0, AT_FDCWD, NULL), 0);
		return false;
	}
	CHECK_INT(read(fd, event, sizeof(*event)), sizeof(*event));
	CHECK(event->pid != w->agent);
	return true;
}

/* By a client that gets no notifications. */
static struct client *delete_later(struct world *w, const char *id)
{
	struct client *c = world_connect(w, true);
	char request[64];
	struct cgfs_err err;

	snprintf(request, sizeof(request), "{\"ContainerId\":\"%s\"}", id);
	CHECK_INT(client_send(c, MSG_DELETE_STATE, 1000, request, strlen(request), NULL, 0, &err),
		  0);
	return c;
}

/* A container that has ended, with a directory that is held up when it is deleted. */
static int begin(struct world *w, char scratch[96])
{
	snprintf(scratch, 96, "%s/scratch", w->dir);
	CHECK_INT(mkdir(scratch, 0755), 0);
	create_with_scratch(w, "c", scratch);
	CHECK_INT(world_wait(w, "c", world_start(w, "c")), 0);
	return hold_up(scratch);
}

/* The child that removes a scratch directory outlives an agent that is killed, with nothing open
 * that the next one needs. */
KERNEL_TEST(scratch_directory_does_not_hold_up_the_next_agent)
{
	struct fanotify_event_metadata event;
	char scratch[96];
	int held = begin(w, scratch);
	struct client *c;

	c = delete_later(w, "c");
	CHECK(next_child(w, c, held, &event));
	client_close(c);
	world_kill_agent(w);
	/* It has all that it needs. */
	world_create(w, "next", NULL, "true");
	world_delete(w, "next");
	CHECK_INT(access(scratch, F_OK), 0);

	CHECK_INT(fanotify_mark(held, FAN_MARK_FLUSH, 0, AT_FDCWD, NULL), 0);
	allow(held, &event);
	close(held);
	for (int i = 0; i < WORLD_MS / 5 && access(scratch, F_OK) == 0; i++)
		nanosleep(&(struct timespec){ .tv_nsec = 5000000 }, NULL);
	CHECK_INT(access(scratch, F_OK), -1);
}

/* Something is mounted in it, and goes after the first attempt. */
KERNEL_TEST(scratch_directory_is_tried_again)
{
	struct fanotify_event_metadata event;
	struct client_message m;
	char scratch[96], mounted[110];
	struct cgfs_err err;
	int held = begin(w, scratch);
	struct client *c;

	snprintf(mounted, sizeof(mounted), "%s/m", scratch);
	CHECK_INT(mkdir(mounted, 0755), 0);
	CHECK_INT(mount("none", mounted, "tmpfs", 0, NULL), 0);
	c = delete_later(w, "c");
	for (pid_t first = 0; first >= 0;) {
		bool tried = next_child(w, c, held, &event);
		bool again = tried && first && event.pid != first;

		if (again || !tried)
			CHECK_INT(umount(mounted), 0);
		CHECK_MSG(tried, "it was tried once");
		if (again)
			CHECK_INT(fanotify_mark(held, FAN_MARK_FLUSH, 0, AT_FDCWD, NULL), 0);
		allow(held, &event);
		first = again ? -1 : event.pid;
	}
	close(held);
	CHECK_INT(client_receive(c, WORLD_MS, &m, &err), 0);
	free(m.body);
	client_close(c);
	CHECK_INT(access(scratch, F_OK), -1);
}

/* With --delete-on-exit an agent that is stopping makes nothing: it would go on for ever. */
KERNEL_TEST(nothing_is_made_while_all_is_deleted)
{
	json_t *ctr = world_create_body(w, "new", world_spec(w, "new", NULL, "true", NULL));
	json_t *pod = json_pack("{s:s}", "PodId", "new");
	struct client *other = world_connect(w, true);
	struct fanotify_event_metadata event;
	struct cgfs_err err[2] = { 0 };
	char scratch[96];
	int held = begin(w, scratch), refused[2], status;

	kill(w->agent, SIGTERM);
	CHECK(next_child(w, other, held, &event));
	refused[0] = client_call(other, MSG_EXT_CREATE_POD, pod, NULL, 0, WORLD_MS, NULL, &err[0]);
	refused[1] = client_call(other, MSG_CREATE, ctr, NULL, 0, WORLD_MS, NULL, &err[1]);
	json_decref(pod);
	json_decref(ctr);
	CHECK_INT(fanotify_mark(held, FAN_MARK_FLUSH, 0, AT_FDCWD, NULL), 0);
	allow(held, &event);
	close(held);
	for (int i = 0; i < 2; i++) {
		CHECK(refused[i] < 0);
		CHECK_HAS(err[i].text, "the agent is stopping");
	}
	client_close(other);
	client_close(w->c);
	CHECK_INT(waitpid(w->agent, &status, 0), w->agent);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	CHECK_INT(access(scratch, F_OK), -1);
	world_start_agent(w, NULL);
	w->c = world_connect(w, true);
}
