/* SPDX-License-Identifier: MIT */
/*
 * test_events.c - events that find no memory.  Linked with --wrap=malloc, so that the queue's
 * allocations, recognized by their size, can fail.
 */
#include "cgfs/event/queue.h"
#include "fake_host.h"

#include <poll.h>

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);

static bool no_memory;

void *__wrap_malloc(size_t size)
{
	return no_memory && size == sizeof(struct queued) ? NULL : __real_malloc(size);
}

static struct cgfs *c;

static int open_setup(void **state)
{
	struct cgfs_open_opts opts = CGFS_OPEN_OPTS_INIT;

	setup(state);
	no_memory = false;
	opts.fs = fs;
	opts.mounts = fake_mounts(f);
	return cgfs_open(&opts, &c, NULL);
}

static int close_teardown(void **state)
{
	cgfs_close(c);
	return teardown(state);
}

/* An empty pod is removed at once, and an event reports it. */
static void remove_pod(const char *id)
{
	struct cgfs_group *g;

	CHECK_INT(cgfs_pod_create(c, id, NULL, &g, NULL), 0);
	CHECK_INT(cgfs_group_remove(g, NULL, NULL), 0);
	cgfs_group_close(g);
}

static bool readable(void)
{
	struct pollfd p = { .fd = cgfs_event_fd(c), .events = POLLIN };

	return poll(&p, 1, 0) == 1;
}

static void expect_removed(const char *id)
{
	struct cgfs_event ev = CGFS_EVENT_INIT;

	CHECK(readable());
	CHECK_INT(cgfs_event_read(c, &ev, NULL), 1);
	CHECK_INT(ev.type, CGFS_EVENT_REMOVED);
	CHECK_STR(ev.pod, id);
}

static void expect_lost(uint64_t count)
{
	struct cgfs_event ev = CGFS_EVENT_INIT;

	CHECK(readable());
	CHECK_INT(cgfs_event_read(c, &ev, NULL), 1);
	CHECK_INT(ev.type, CGFS_EVENT_LOST);
	CHECK_INT(ev.count, count);
	CHECK(ev.time_ns != 0);
	CHECK_STR(ev.pod, "");
}

static void expect_nothing(void)
{
	struct cgfs_event ev = CGFS_EVENT_INIT;

	CHECK_INT(cgfs_event_read(c, &ev, NULL), 0);
	CHECK(!readable());
}

TAP_TEST(event_without_memory_is_reported_as_lost, .setup = open_setup, .teardown = close_teardown)
{
	no_memory = true;
	remove_pod("a");
	expect_lost(1);
	expect_nothing();
	/* That was no reserve for one time only. */
	remove_pod("b");
	expect_lost(1);
	expect_nothing();
}

TAP_TEST(event_losses_stand_where_the_events_would, .setup = open_setup, .teardown = close_teardown)
{
	remove_pod("a");
	no_memory = true;
	remove_pod("b");
	remove_pod("c");
	no_memory = false;
	remove_pod("d");
	no_memory = true;
	remove_pod("e");
	expect_removed("a");
	expect_lost(3);
	expect_removed("d");
	expect_nothing();
}

TAP_TEST(event_losses_that_are_not_read_are_freed, .setup = open_setup, .teardown = close_teardown)
{
	remove_pod("a");
	no_memory = true;
	remove_pod("b");
	CHECK(readable());
}
