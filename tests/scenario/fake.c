/* SPDX-License-Identifier: MIT */
/*
 * fake.c - the main job without privilege: the steps of tests/scenario/run on the embedded fake
 * cgroupfs, with simulated processes.  Prints a transcript, checks each claim, and exits 1
 * when one does not hold.  The library is the real one; the kernel below it is not.
 */
#include <cgfs/cgfs.h>

#include "cgfs/base/util.h"
#include "tests/fake/fake.h"

#include <inttypes.h>
#include <stdio.h>

#define MIB ((uint64_t)1024 * 1024)

struct scene {
	struct fake *fake;
	struct cgfs *c;
	struct cgfs_group *pod, *c1, *c2;
	pid_t p1, p2;
	int step, wrong;
	size_t dirs_before, files_before;
};

static void step(struct scene *s, const char *what)
{
	printf("\n%d. %s\n", ++s->step, what);
}

/* A claim of the transcript: printed, counted, never fatal, so that the end is always reached. */
__attribute__((format(printf, 3, 4))) static void claim(struct scene *s, bool holds,
							const char *fmt, ...)
{
	va_list ap;

	printf("   %-5s ", holds ? "yes:" : "NO:");
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	s->wrong += !holds;
}

/* A call that must succeed: without it the rest makes no sense. */
static bool done(struct scene *s, int r, const char *what, const struct cgfs_err *err)
{
	if (r >= 0)
		return true;
	claim(s, false, "%s: %s", what, err->text);
	return false;
}

static bool open_host(struct scene *s, enum cgfs_layout layout)
{
	struct cgfs_open_opts opts = CGFS_OPEN_OPTS_INIT;
	struct cgfs_err err = { 0 };
	struct cgfs_place place;

	step(s, "The host");
	s->fake = fake_new(layout, FAKE_KERNEL_6_12);
	s->dirs_before = fake_directories(s->fake);
	s->files_before = fake_open_files(s->fake);
	opts.fs = fake_fs(s->fake);
	opts.mounts = fake_mounts(s->fake);
	opts.policy = fake_policy(s->fake, true);
	if (!done(s, cgfs_open(&opts, &s->c, &err), "open", &err))
		return false;

	printf("   layout %s, pods below %s\n", cgfs_layout_name(cgfs_layout(s->c)),
	       cgfs_root(s->c));
	for (enum cgfs_controller i = 0; i < CGFS_CONTROLLER_COUNT; i++) {
		place = cgfs_place(s->c, i);
		if (place.version != CGFS_NONE)
			printf("   %-10s v%d  %s\n", cgfs_controller_name(i), (int)place.version,
			       place.mount);
	}
	claim(s, cgfs_layout(s->c) == layout, "the library found the layout %s",
	      cgfs_layout_name(layout));
	return true;
}

static bool make_pod(struct scene *s)
{
	static const char *const allowed[] = {
		"c 1:3 rwm", "c 1:5 rwm", "c 1:7 rwm", "c 1:8 rwm",
		"c 1:9 rwm", "c 5:0 rwm", "c 5:2 rwm", "c 136:* rwm"
	};
	struct cgfs_resources res = CGFS_RESOURCES_INIT;
	struct cgfs_device_rule rules[ARRAY_SIZE(allowed)];
	struct cgfs_err err = { 0 };
	struct cgfs_group *again = NULL;

	step(s, "A pod with 64 MiB, 64 processes and eight devices");
	for (size_t i = 0; i < ARRAY_SIZE(allowed); i++) {
		if (!done(s, cgfs_device_parse(allowed[i], &rules[i], &err), "rule", &err))
			return false;
		printf("   allow %s\n", allowed[i]);
	}
	res.set = CGFS_SET_MEMORY_MAX | CGFS_SET_PIDS_MAX | CGFS_SET_DEVICES;
	res.memory_max_bytes = 64 * MIB;
	res.pids_max = 64;
	res.devices = rules;
	res.n_devices = ARRAY_SIZE(rules);
	if (!done(s, cgfs_pod_create(s->c, "web", &res, &s->pod, &err), "create pod", &err))
		return false;
	claim(s, cgfs_pod_create(s->c, "web", &res, &again, &err) == -EEXIST,
	      "a second pod of that name is refused: %s", err.text);
	return true;
}

static bool make_container(struct scene *s, const char *id, struct cgfs_group **ret, pid_t *ret_pid)
{
	struct cgfs_err err = { 0 };

	if (!done(s, cgfs_container_create(s->c, s->pod, id, NULL, ret, &err), "create container",
		  &err))
		return false;
	*ret_pid = fake_spawn(s->fake);
	if (!done(s, cgfs_group_add_pid(*ret, *ret_pid, &err), "join", &err))
		return false;
	printf("   %s: process %d\n", cgfs_group_path(*ret), (int)*ret_pid);
	return true;
}

static void show_directories(struct scene *s)
{
	const struct cgfs_mounts *mounts = cgfs_mounts(s->c);
	struct cgfs_place place;

	step(s, "Directories in each hierarchy");
	for (enum cgfs_controller i = 0; i < CGFS_CONTROLLER_COUNT; i++) {
		place = cgfs_place(s->c, i);
		/* One line for a controller that the library drives. */
		if (place.version == CGFS_NONE ||
		    (i != CGFS_MEMORY && i != CGFS_PIDS && i != CGFS_CPU && i != CGFS_FREEZER))
			continue;
		claim(s,
		      fake_exists(s->fake, i, "/pods/web/c1") &&
			      fake_exists(s->fake, i, "/pods/web/c2"),
		      "%s/pods/web/c1 and c2 (%s)", place.mount, cgfs_controller_name(i));
		claim(s, streq(fake_cgroup_of(s->fake, s->p1, i), "/pods/web/c1"),
		      "process %d is in %s", (int)s->p1, fake_cgroup_of(s->fake, s->p1, i));
	}
	printf("   %zu hierarchies, %zu directories made\n", mounts->n,
	       fake_directories(s->fake) - s->dirs_before);
}

static void show_file(struct scene *s, enum cgfs_controller ctl, const char *v1, const char *v2,
		      const char *want)
{
	struct cgfs_place place = cgfs_place(s->c, ctl);
	const char *file = place.version == CGFS_V1 ? v1 : v2;
	char text[256] = "";
	int r = fake_cat(s->fake, ctl, "/pods/web", file, text, sizeof(text));

	text[strcspn(text, "\n")] = '\0';
	claim(s, r >= 0 && streq(text, want), "%s/pods/web/%s holds %s", place.mount, file, text);
}

static void show_stats(struct scene *s, struct cgfs_group *g)
{
	static const enum cgfs_stat shown[] = { CGFS_STAT_MEMORY_CURRENT, CGFS_STAT_MEMORY_MAX,
						CGFS_STAT_CPU_USAGE,	  CGFS_STAT_PIDS_CURRENT,
						CGFS_STAT_DEVICE_DENIED,  CGFS_STAT_OOM_KILLS };
	struct cgfs_stats stats = CGFS_STATS_INIT;
	struct cgfs_err err = { 0 };

	if (!done(s, cgfs_group_stats(g, CGFS_READ_ALL, &stats, &err), "stats", &err))
		return;
	printf("   %s:", cgfs_group_path(g));
	for (size_t i = 0; i < ARRAY_SIZE(shown); i++) {
		if (!stats.figure[shown[i]].available)
			continue;
		if (stats.figure[shown[i]].value == CGFS_MAX)
			printf("  %s max", cgfs_stat_name(shown[i]));
		else
			printf("  %s %" PRIu64, cgfs_stat_name(shown[i]),
			       stats.figure[shown[i]].value);
	}
	putchar('\n');
}

static void limits_and_stats(struct scene *s)
{
	struct cgfs_stats stats = CGFS_STATS_INIT;
	struct cgfs_err err = { 0 };

	step(s, "Limits in the control files, and the figures of both containers");
	show_file(s, CGFS_MEMORY, "memory.limit_in_bytes", "memory.max", "67108864");
	show_file(s, CGFS_PIDS, "pids.max", "pids.max", "64");

	fake_run(s->fake, s->p1, 1500, 500);
	claim(s, fake_charge(s->fake, s->p1, 4 * MIB) == 0, "c1 takes 4 MiB");
	show_stats(s, s->c1);
	show_stats(s, s->c2);
	if (!done(s, cgfs_group_stats(s->c1, CGFS_READ_ALL, &stats, &err), "stats", &err))
		return;
	claim(s, stats.figure[CGFS_STAT_MEMORY_CURRENT].value == 4 * MIB, "c1 is charged 4 MiB");
	claim(s, stats.figure[CGFS_STAT_PIDS_CURRENT].value == 1, "c1 has one process");
}

/* Takes events until one of @type comes. */
static bool next_event(struct scene *s, enum cgfs_event_type type, struct cgfs_event *ret)
{
	struct cgfs_err err = { 0 };
	auto_free char *text = NULL;

	while (cgfs_event_read(s->c, ret, &err) == 1) {
		if (cgfs_event_json(ret, &text) == 0)
			printf("   event %s\n", text);
		if (ret->type == type)
			return true;
		free(take_ptr(text));
	}
	claim(s, false, "an event %s", cgfs_event_name(type));
	return false;
}

static void deny_device(struct scene *s)
{
	struct cgfs_event e = CGFS_EVENT_INIT;

	step(s, "c1 opens /dev/null, which is allowed, and /dev/kmsg, which is not");
	claim(s, fake_device(s->fake, s->p1, CGFS_DEVICE_CHAR, 1, 3, CGFS_ACCESS_READ) == 0,
	      "/dev/null opens");
	claim(s, fake_device(s->fake, s->p1, CGFS_DEVICE_CHAR, 1, 11, CGFS_ACCESS_READ) == -EPERM,
	      "/dev/kmsg: %s", strerror(EPERM));
	if (!next_event(s, CGFS_EVENT_DEVICE_DENIED, &e))
		return;
	claim(s, streq(e.pod, "web") && streq(e.container, "c1"), "it names pod and container");
	claim(s, e.pid == s->p1, "it names process %d", (int)s->p1);
	claim(s,
	      e.device_type == CGFS_DEVICE_CHAR && e.major == 1 && e.minor == 11 &&
		      e.access == CGFS_ACCESS_READ,
	      "it names the device and the access");
}

static void run_out_of_memory(struct scene *s)
{
	struct cgfs_event e = CGFS_EVENT_INIT;
	uint64_t taken = 0;

	step(s, "c2 allocates 200 MiB, page by page");
	while (taken < 200 * MIB && fake_charge(s->fake, s->p2, MIB) == 0)
		taken += MIB;
	claim(s, taken < 200 * MIB, "after %" PRIu64 " MiB the allocation fails", taken / MIB);
	claim(s, !fake_alive(s->fake, s->p2), "process %d was killed", (int)s->p2);
	claim(s, fake_alive(s->fake, s->p1), "process %d lives", (int)s->p1);
	if (!next_event(s, CGFS_EVENT_OOM_KILL, &e))
		return;
	claim(s, streq(e.pod, "web") && streq(e.container, "c2"), "it names pod and container");
	claim(s, e.pid == s->p2, "it names process %d", (int)s->p2);
	show_stats(s, s->pod);
}

static void delete_pod(struct scene *s)
{
	struct cgfs_err err = { 0 };

	step(s, "The pod is deleted");
	(void)done(s, cgfs_group_remove(s->pod, CGFS_REMOVE_OPTS_WAIT(1000), &err), "delete pod",
		   &err);
	claim(s, !fake_alive(s->fake, s->p1), "process %d is gone", (int)s->p1);
	cgfs_group_close(s->c1);
	cgfs_group_close(s->c2);
	cgfs_group_close(s->pod);
	s->c1 = s->c2 = s->pod = NULL;
	(void)done(s, cgfs_root_remove(s->c, &err), "remove root", &err);
	claim(s, fake_directories(s->fake) == s->dirs_before, "no directory is left");
	cgfs_close(s->c);
	s->c = NULL;
	claim(s, fake_open_files(s->fake) == s->files_before, "no descriptor is left");
}

static void scene_end(struct scene *s)
{
	cgfs_group_close(s->c1);
	cgfs_group_close(s->c2);
	cgfs_group_close(s->pod);
	cgfs_close(s->c);
	if (s->fake)
		fake_free(s->fake);
}

int main(int argc, char **argv)
{
	static const enum cgfs_layout layouts[] = { CGFS_LAYOUT_HYBRID, CGFS_LAYOUT_MIXED,
						    CGFS_LAYOUT_V2 };
	const char *name = argc > 1 ? argv[1] : "hybrid";
	enum cgfs_layout layout = CGFS_LAYOUT_NONE;
	struct scene s = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(layouts); i++) {
		if (streq(cgfs_layout_name(layouts[i]), name))
			layout = layouts[i];
	}
	if (layout == CGFS_LAYOUT_NONE || argc > 2) {
		fprintf(stderr, "usage: scenario-fake [hybrid|mixed|v2]\n");
		return 2;
	}

	printf("This is the embedded fake: simulated cgroups, processes and device policy, no\n"
	       "kernel.  As root, the same steps run for real.\n");
	if (open_host(&s, layout) && make_pod(&s)) {
		step(&s, "Two containers, one process each");
		if (make_container(&s, "c1", &s.c1, &s.p1) &&
		    make_container(&s, "c2", &s.c2, &s.p2)) {
			show_directories(&s);
			limits_and_stats(&s);
			deny_device(&s);
			run_out_of_memory(&s);
			delete_pod(&s);
		}
	}
	scene_end(&s);
	printf("\n%s: %d steps on the fake (%s), %d claims did not hold\n",
	       s.wrong ? "FAILED" : "done", s.step, name, s.wrong);
	return s.wrong ? 1 : 0;
}
