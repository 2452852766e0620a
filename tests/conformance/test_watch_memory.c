// SPDX-License-Identifier: MIT
/*
 * test_watch_memory.c - thresholds of memory usage: one event each time that usage goes over,
 * on v1 by the kernel's own notification, on cgroup2 by way of memory.high.
 */
#include "extra.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#define LINE  (24 * MIB)
#define SLACK (4 * MIB)

struct scene {
	struct cgfs *c;
	struct cgfs_group *pod, *ctr;
	pid_t pid;
	unsigned int held; /* MiB */
};

static struct scene begin(struct world *w)
{
	struct scene s = { .c = world_context(w, WORLD_FILES) };

	world_need(w, CGFS_MEMORY);
	s.pod = world_pod(w, s.c, "web", NULL);
	s.ctr = world_container(w, s.pod, s.c, "c1", NULL);
	s.pid = world_spawn_in(w, s.ctr);
	return s;
}

static void hold(struct world *w, struct scene *s, unsigned int mib)
{
	for (; s->held < mib; s->held++)
		CHECK_INT(w->ops->alloc(w, s->pid, MIB), 0);
	for (; s->held > mib; s->held--)
		w->ops->release(w, s->pid, MIB);
}

/* Reads what there is; fails on anything but thresholds. */
static size_t drain(struct world *w, struct scene *s, struct cgfs_event *ret)
{
	struct cgfs_event ev = CGFS_EVENT_INIT;
	size_t n = 0;
	int r;

	w->ops->tick(w);
	while ((r = cgfs_event_read(s->c, &ev, NULL)) == 1) {
		CHECK_STR(cgfs_event_name(ev.type), cgfs_event_name(CGFS_EVENT_MEMORY_THRESHOLD));
		if (ret)
			*ret = ev;
		n++;
	}
	CHECK_INT(r, 0);
	return n;
}

/* Takes a MiB at a time until an event comes; so no process is throttled for long. */
static void climb(struct world *w, struct scene *s, unsigned int from, unsigned int to,
		  struct cgfs_event *ret)
{
	size_t n = 0;

	hold(w, s, from);
	CHECK_INT(drain(w, s, NULL), 0);
	while (n == 0 && s->held < to) {
		hold(w, s, s->held + 1);
		n = drain(w, s, ret);
	}
	if (n == 0) {
		world_event(w, s->c, CGFS_EVENT_MEMORY_THRESHOLD, NULL, ret);
		n = 1;
	}
	CHECK_INT(n, 1);
}

static void check_event(const struct scene *s, const struct cgfs_event *ev, const char *container)
{
	CHECK_STR(ev->pod, "web");
	CHECK_STR(ev->container, container);
	CHECK_INT(ev->threshold, LINE);
	/* It may have fallen a little until the library looked. */
	CHECK_MSG(ev->value >= LINE / 2 && ev->value <= LINE + 2 * SLACK, "at %llu bytes",
		  (unsigned long long)ev->value);
	CHECK(ev->time_ns != 0);
}

/* While usage is above it is looked at four times a second: waits until it is armed again. */
static void await_armed(struct world *w, struct scene *s, const struct cgfs_group *g)
{
	if (!world_v2(w, CGFS_MEMORY)) {
		/* v1 shows nothing of it; too short a wait only makes the next event late. */
		for (int i = 0; i < 40; i++) {
			CHECK_INT(drain(w, s, NULL), 0);
			world_sleep_ms(10);
		}
		return;
	}
	for (int i = 0; strcmp(world_cat(w, CGFS_MEMORY, g, "memory.high"), "max") == 0; i++) {
		CHECK_MSG(i < PATIENCE_MS / 10, "the watch does not begin anew");
		CHECK_INT(drain(w, s, NULL), 0);
		world_sleep_ms(10);
	}
	CHECK_INT(world_cat_number(w, CGFS_MEMORY, g, "memory.high"), LINE);
}

WORLD_TEST(watch_memory_fires_once)
{
	struct scene s = begin(w);
	struct cgfs_event ev = CGFS_EVENT_INIT;

	OK(cgfs_group_watch_memory(s.ctr, LINE, 8 * MIB, &err));
	hold(w, &s, 12);
	CHECK_INT(world_count_events(w, s.c, CGFS_EVENT_MEMORY_THRESHOLD), 0);
	climb(w, &s, 12, 40, &ev);
	check_event(&s, &ev, "c1");
	/* Higher still: that was reported. */
	hold(w, &s, 44);
	CHECK_INT(world_count_events(w, s.c, CGFS_EVENT_MEMORY_THRESHOLD), 0);
	/* Not far enough down, and up again: reported, too. */
	hold(w, &s, 20);
	world_sleep_ms(300);
	CHECK_INT(world_count_events(w, s.c, CGFS_EVENT_MEMORY_THRESHOLD), 0);
	hold(w, &s, 36);
	CHECK_INT(world_count_events(w, s.c, CGFS_EVENT_MEMORY_THRESHOLD), 0);
	/* Far enough: from now on it is news again, each time. */
	for (int i = 0; i < 2; i++) {
		hold(w, &s, 8);
		await_armed(w, &s, s.ctr);
		climb(w, &s, 12, 40, &ev);
		check_event(&s, &ev, "c1");
		CHECK_INT(world_count_events(w, s.c, CGFS_EVENT_MEMORY_THRESHOLD), 0);
	}
	/* No process was killed over it, and none is throttled. */
	CHECK_INT(world_stat(s.ctr, CGFS_STAT_MEMORY_EVENTS_OOM_KILL), 0);
	if (world_v2(w, CGFS_MEMORY))
		CHECK_STR(world_cat(w, CGFS_MEMORY, s.ctr, "memory.high"), "max");
	world_runs(w, s.pid);
}

WORLD_TEST(watch_memory_zero_ends_it)
{
	struct scene s = begin(w);
	struct cgfs_event ev = CGFS_EVENT_INIT;

	OK(cgfs_group_watch_memory(s.ctr, 0, 0, &err)); /* there is none: no harm */
	OK(cgfs_group_watch_memory(s.ctr, LINE, 8 * MIB, &err));
	OK(cgfs_group_watch_memory(s.ctr, 0, 0, &err));
	if (world_v2(w, CGFS_MEMORY))
		CHECK_STR(world_cat(w, CGFS_MEMORY, s.ctr, "memory.high"), "max");
	hold(w, &s, 40);
	CHECK_INT(world_count_events(w, s.c, CGFS_EVENT_MEMORY_THRESHOLD), 0);
	/* After one has fired, likewise; and a new one may follow. */
	hold(w, &s, 8);
	OK(cgfs_group_watch_memory(s.ctr, LINE, 8 * MIB, &err));
	climb(w, &s, 12, 40, &ev);
	OK(cgfs_group_watch_memory(s.ctr, 0, 0, &err));
	hold(w, &s, 8);
	hold(w, &s, 40);
	CHECK_INT(world_count_events(w, s.c, CGFS_EVENT_MEMORY_THRESHOLD), 0);
	hold(w, &s, 8);
	OK(cgfs_group_watch_memory(s.ctr, LINE, 0, &err));
	climb(w, &s, 12, 40, &ev);
	check_event(&s, &ev, "c1");
}

WORLD_TEST(watch_memory_above_already)
{
	struct scene s = begin(w);
	struct cgfs_event ev = CGFS_EVENT_INIT;

	hold(w, &s, 40);
	OK(cgfs_group_watch_memory(s.ctr, LINE, 8 * MIB, &err));
	world_event(w, s.c, CGFS_EVENT_MEMORY_THRESHOLD, "c1", &ev);
	CHECK(ev.value >= 36 * MIB);
	CHECK_INT(world_count_events(w, s.c, CGFS_EVENT_MEMORY_THRESHOLD), 0);
}

/* Each container is below the line, together they are over it. */
WORLD_TEST(watch_memory_pod_counts_its_containers)
{
	struct scene s = begin(w);
	struct cgfs_group *other = world_container(w, s.pod, s.c, "c2", NULL);
	pid_t pid = world_spawn_in(w, other);
	struct cgfs_event ev = CGFS_EVENT_INIT;

	OK(cgfs_group_watch_memory(s.pod, LINE, 8 * MIB, &err));
	CHECK_INT(w->ops->alloc(w, pid, 12 * MIB), 0);
	climb(w, &s, 4, 24, &ev);
	check_event(&s, &ev, "");
	CHECK(world_stat(s.ctr, CGFS_STAT_MEMORY_CURRENT) < LINE);
	hold(w, &s, 0);
	await_armed(w, &s, s.pod);
	climb(w, &s, 4, 24, &ev);
}

/* Pod and container at once, on different lines. */
WORLD_TEST(watch_memory_pod_and_container)
{
	struct scene s = begin(w);
	struct cgfs_event ev = CGFS_EVENT_INIT;

	OK(cgfs_group_watch_memory(s.pod, LINE, 0, &err));
	OK(cgfs_group_watch_memory(s.ctr, 12 * MIB, 0, &err));
	hold(w, &s, 4);
	CHECK_INT(drain(w, &s, NULL), 0);
	while (s.held < 20 && drain(w, &s, &ev) == 0)
		hold(w, &s, s.held + 1);
	CHECK_STR(ev.container, "c1");
	CHECK_INT(ev.threshold, 12 * MIB);
	for (size_t n = 0; n == 0; n = drain(w, &s, &ev)) {
		CHECK(s.held < 40);
		hold(w, &s, s.held + 1);
	}
	check_event(&s, &ev, "");
}

WORLD_TEST(watch_memory_high_is_put_back)
{
	struct scene s = begin(w);
	struct cgfs_resources res = CGFS_RESOURCES_INIT;
	struct cgfs_event ev = CGFS_EVENT_INIT;

	if (!world_v2(w, CGFS_MEMORY))
		world_skip(w, "memory is on v1 in this layout: thresholds are the kernel's own");
	res.set = CGFS_SET_MEMORY_HIGH;
	res.memory_high_bytes = 256 * MIB;
	OK(cgfs_group_set(s.ctr, &res, NULL, &err));
	OK(cgfs_group_watch_memory(s.ctr, LINE, 8 * MIB, &err));
	CHECK_INT(world_cat_number(w, CGFS_MEMORY, s.ctr, "memory.high"), LINE);
	climb(w, &s, 12, 40, &ev);
	CHECK_INT(world_cat_number(w, CGFS_MEMORY, s.ctr, "memory.high"), 256 * MIB);
	OK(cgfs_group_watch_memory(s.ctr, 0, 0, &err));
	CHECK_INT(world_cat_number(w, CGFS_MEMORY, s.ctr, "memory.high"), 256 * MIB);
	/* With the handle goes the watch, the group stays. */
	hold(w, &s, 8);
	OK(cgfs_group_watch_memory(s.ctr, LINE, 8 * MIB, &err));
	world_close_group(w, s.ctr);
	OK(cgfs_container_open(s.c, s.pod, "c1", &s.ctr, &err));
	world_track(w, s.ctr);
	CHECK_INT(world_cat_number(w, CGFS_MEMORY, s.ctr, "memory.high"), 256 * MIB);
	/* A change by another process meanwhile is kept. */
	OK(cgfs_group_watch_memory(s.ctr, LINE, 8 * MIB, &err));
	res.memory_high_bytes = 128 * MIB;
	OK(cgfs_group_set(s.ctr, &res, NULL, &err));
	OK(cgfs_group_watch_memory(s.ctr, 0, 0, &err));
	CHECK_INT(world_cat_number(w, CGFS_MEMORY, s.ctr, "memory.high"), 128 * MIB);
	/* A line that the group never reaches, because it has one of its own. */
	CHECK_HAS(REFUSED(cgfs_group_watch_memory(s.ctr, 160 * MIB, 0, &err), -EBUSY), "c1");
	CHECK_INT(world_cat_number(w, CGFS_MEMORY, s.ctr, "memory.high"), 128 * MIB);
}

static int open_dir(struct world *w, const struct cgfs_group *g, const struct cgfs_fs **ret_fs)
{
	char path[1024];
	int dir;

	*ret_fs = world_fake(w) ? fake_fs(world_fake(w)) : cgfs_fs_kernel();
	snprintf(path, sizeof(path), "%s%s", w->ops->mount(w, CGFS_MEMORY), cgfs_group_path(g));
	dir = (*ret_fs)->ops->open((*ret_fs)->ctx, AT_FDCWD, path, O_RDONLY | O_DIRECTORY);
	CHECK(dir >= 0);
	return dir;
}

/* What a process leaves that is killed while it watches: memory.high at its line, and a note. */
static void leave(struct world *w, const struct cgfs_group *g, const char *note)
{
	const struct cgfs_fs *fs;
	int dir = open_dir(w, g, &fs);
	char line[32];

	snprintf(line, sizeof(line), "%llu", (unsigned long long)LINE);
	CHECK_INT(extra_put(w, CGFS_MEMORY, cgfs_group_path(g), "memory.high", line), 0);
	CHECK_INT(fs->ops->note(fs->ctx, dir, "cgfs.memory_high", note), 0);
	fs->ops->close(fs->ctx, dir);
}

static void check_note(struct world *w, const struct cgfs_group *g, const char *begin)
{
	const struct cgfs_fs *fs;
	int dir = open_dir(w, g, &fs);
	char text[96] = "";
	ssize_t n = fs->ops->noted(fs->ctx, dir, "cgfs.memory_high", text, sizeof(text) - 1);

	if (begin)
		CHECK_MSG(n > 0 && strncmp(text, begin, strlen(begin)) == 0, "\"%s\"", text);
	else
		CHECK_INT(n, -ENODATA);
	fs->ops->close(fs->ctx, dir);
}

/* A directory that this process makes is its own; a fake's is root's. */
static void make_own(struct world *w, const struct cgfs_group *g)
{
	const struct cgfs_fs *fs;
	int dir = open_dir(w, g, &fs);

	CHECK_INT(fs->ops->chown(fs->ctx, dir, ".", geteuid(), getegid()), 0);
	fs->ops->close(fs->ctx, dir);
}

WORLD_TEST(watch_memory_left_behind)
{
	static const uint64_t lines[] = { LINE, LINE - 8 * MIB, LINE + 8 * MIB };
	struct scene s = begin(w);
	struct cgfs_event ev = CGFS_EVENT_INIT;
	char note[96];
	pid_t dead;

	if (!world_v2(w, CGFS_MEMORY))
		world_skip(w, "memory is on v1 in this layout: thresholds are the kernel's own");
	make_own(w, s.ctr);
	dead = fork();
	if (dead == 0)
		_exit(0);
	CHECK_INT(waitpid(dead, NULL, 0), dead);
	snprintf(note, sizeof(note), "268435456 %llu %d 1", (unsigned long long)LINE, dead);
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		leave(w, s.ctr, note);
		OK(cgfs_group_watch_memory(s.ctr, lines[i], 8 * MIB, &err));
		CHECK_INT(world_cat_number(w, CGFS_MEMORY, s.ctr, "memory.high"), lines[i]);
		OK(cgfs_group_watch_memory(s.ctr, 0, 0, &err));
		CHECK_INT(world_cat_number(w, CGFS_MEMORY, s.ctr, "memory.high"), 256 * MIB);
	}
	/* And when it fires. */
	leave(w, s.ctr, note);
	OK(cgfs_group_watch_memory(s.ctr, LINE, 8 * MIB, &err));
	climb(w, &s, 12, 40, &ev);
	CHECK_INT(world_cat_number(w, CGFS_MEMORY, s.ctr, "memory.high"), 256 * MIB);
	OK(cgfs_group_watch_memory(s.ctr, 0, 0, &err));
	/* It went with the watch: the same value is now another process's. */
	CHECK_INT(extra_put(w, CGFS_MEMORY, cgfs_group_path(s.ctr), "memory.high", "67108864"), 0);
	CHECK_HAS(REFUSED(cgfs_group_watch_memory(s.ctr, 64 * MIB, 0, &err), -EBUSY), "c1");
	CHECK_INT(world_cat_number(w, CGFS_MEMORY, s.ctr, "memory.high"), 64 * MIB);
}

/* A user who was given the group cannot have its limit lifted by a note. */
WORLD_TEST(watch_memory_users_note_is_not_believed)
{
	struct scene s = begin(w);
	char note[96];

	if (!world_v2(w, CGFS_MEMORY))
		world_skip(w, "memory is on v1 in this layout: thresholds are the kernel's own");
	snprintf(note, sizeof(note), "max %llu 1 1", (unsigned long long)LINE);
	OK(cgfs_group_delegate(s.ctr, geteuid() + 1, getegid() + 1, &err));
	leave(w, s.ctr, note);
	REFUSED(cgfs_group_watch_memory(s.ctr, LINE, 8 * MIB, &err), -EBUSY);
	CHECK_INT(world_cat_number(w, CGFS_MEMORY, s.ctr, "memory.high"), LINE);
}

/* A living process's value is kept, and so is one that no note has. */
WORLD_TEST(watch_memory_living_watch_stays)
{
	struct scene s = begin(w);
	struct cgfs_group *ctr;
	char note[96];

	if (!world_v2(w, CGFS_MEMORY))
		world_skip(w, "memory is on v1 in this layout: thresholds are the kernel's own");
	OK(cgfs_group_watch_memory(s.ctr, LINE, 8 * MIB, &err));
	snprintf(note, sizeof(note), "max %llu %d ", (unsigned long long)LINE, (int)getpid());
	check_note(w, s.ctr, note);
	OK(cgfs_container_open(s.c, s.pod, "c1", &ctr, &err));
	world_track(w, ctr);
	REFUSED(cgfs_group_watch_memory(ctr, LINE, 8 * MIB, &err), -EBUSY);
	CHECK_INT(world_cat_number(w, CGFS_MEMORY, ctr, "memory.high"), LINE);
	OK(cgfs_group_watch_memory(s.ctr, 0, 0, &err));
	CHECK_STR(world_cat(w, CGFS_MEMORY, ctr, "memory.high"), "max");
	check_note(w, ctr, NULL);
}

WORLD_TEST(watch_memory_refused)
{
	struct cgfs *c = world_context(w, WORLD_FILES);
	struct cgfs_group *ctr = world_container(w, world_pod(w, c, "web", NULL), c, "c1", NULL);
	const struct cgfs_memory_line two[] = { { LINE, 0 }, { 2 * LINE, 0 } };

	if (world_version(w, CGFS_MEMORY) == CGFS_NONE) {
		REFUSED(cgfs_group_watch_memory(ctr, LINE, 0, &err), -ENODEV);
		return;
	}
	CHECK_HAS(REFUSED(cgfs_group_watch_memory(ctr, LINE, LINE, &err), -EINVAL), "c1");
	REFUSED(cgfs_group_watch_memory(ctr, LINE, LINE + 1, &err), -EINVAL);
	CHECK_HAS(REFUSED(cgfs_group_watch_memory_lines(ctr, two, 2, &err), -EOPNOTSUPP), "eBPF");
	if (world_v2(w, CGFS_MEMORY))
		CHECK_STR(world_cat(w, CGFS_MEMORY, ctr, "memory.high"), "max");
}

/* The OOM watch and the threshold wait for the same file. */
WORLD_TEST(watch_memory_threshold_and_oom)
{
	struct scene s = begin(w);
	struct cgfs_resources res = extra_memory(40 * MIB);
	struct cgfs_event ev = CGFS_EVENT_INIT;

	OK(cgfs_group_set(s.ctr, &res, NULL, &err));
	OK(cgfs_group_watch_memory(s.ctr, LINE, 8 * MIB, &err));
	climb(w, &s, 12, 36, &ev);
	check_event(&s, &ev, "c1");
	CHECK_INT(w->ops->alloc(w, s.pid, 64 * MIB), -ENOMEM);
	world_event(w, s.c, CGFS_EVENT_OOM_KILL, "c1", &ev);
	CHECK_INT(world_count_events(w, s.c, CGFS_EVENT_OOM_KILL), 0);
	/* One of them ends; the other goes on. */
	OK(cgfs_group_watch_memory(s.ctr, 0, 0, &err));
	s.pid = world_spawn_in(w, s.ctr);
	CHECK_INT(w->ops->alloc(w, s.pid, 64 * MIB), -ENOMEM);
	world_event(w, s.c, CGFS_EVENT_OOM_KILL, "c1", &ev);
}

WORLD_TEST(watch_memory_destroyed)
{
	struct scene s = begin(w);
	struct cgfs_event ev = CGFS_EVENT_INIT;

	OK(cgfs_group_watch_memory(s.pod, LINE, 8 * MIB, &err));
	OK(cgfs_group_watch_memory(s.ctr, LINE, 8 * MIB, &err));
	hold(w, &s, 12);
	OK(cgfs_group_remove(s.pod, NULL, &err));
	world_event(w, s.c, CGFS_EVENT_REMOVED, "", &ev);
	CHECK_INT(ev.error, 0);
	world_check_groups(w, 0);
	CHECK_INT(world_count_events(w, s.c, CGFS_EVENT_MEMORY_THRESHOLD), 0);
}

/* By another process, unknown to the library. */
WORLD_TEST(watch_memory_removed_by_others)
{
	struct scene s = begin(w);

	OK(cgfs_group_watch_memory(s.ctr, LINE, 8 * MIB, &err));
	w->ops->exit(w, s.pid);
	world_gone(w, s.pid);
	for (int ctl = 0; ctl <= CGFS_CONTROLLER_COUNT; ctl++) {
		int r = 0;

		for (int i = 0; i < 1000 && world_version(w, ctl) != CGFS_NONE &&
				w->ops->exists(w, ctl, cgfs_group_path(s.ctr));
		     i++) {
			r = w->ops->rmdir(w, ctl, cgfs_group_path(s.ctr));
			if (r == 0)
				break;
			world_sleep_ms(5); /* its process is still on the way out */
		}
		CHECK_INT(r, 0);
	}
	CHECK_INT(world_count_events(w, s.c, CGFS_EVENT_MEMORY_THRESHOLD), 0);
	/* And it does not keep the caller's poll busy for ever. */
	CHECK_INT(world_count_events(w, s.c, CGFS_EVENT_MEMORY_THRESHOLD), 0);
}

/* Calls of the door until memory is taken. */
static struct {
	struct scene *s;
	unsigned int calls, at;
} rush;

static void rush_in(struct world *w)
{
	if (++rush.calls == rush.at)
		hold(w, rush.s, 36);
}

/* Usage was seen to have fallen, and is over the line again before the line is drawn anew: the
 * kernel has nothing to report. */
WORLD_TEST(watch_memory_crossed_while_armed_again)
{
	struct scene s = begin(w);
	struct cgfs_event ev = CGFS_EVENT_INIT;

	OK(cgfs_group_watch_memory(s.ctr, LINE, 8 * MIB, &err));
	climb(w, &s, 12, 40, &ev);
	/* From the third call on usage has been read. */
	for (rush.at = 3; rush.at < 10; rush.at += 3) {
		size_t n = 0;

		hold(w, &s, 8);
		rush.s = &s;
		rush.calls = 0;
		shim_before(w->shim, rush_in);
		while (rush.calls < rush.at) {
			n += drain(w, &s, &ev);
			world_sleep_ms(10);
		}
		shim_before(w->shim, NULL);
		if (n == 0)
			world_event(w, s.c, CGFS_EVENT_MEMORY_THRESHOLD, NULL, &ev);
		CHECK_MSG(n <= 1, "reported %zu times", n);
		CHECK_INT(world_count_events(w, s.c, CGFS_EVENT_MEMORY_THRESHOLD), 0);
	}
}
