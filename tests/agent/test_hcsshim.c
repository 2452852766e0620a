/* SPDX-License-Identifier: MIT */
/*
 * test_hcsshim.c - the seven behaviours that hcsshim tests in its own guest, as scenarios by way
 * of our agent.  What is expected comes from the kernel's files, read here without libcgfs, and
 * from the name that the guest's builder gave the layout.
 */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>

#include "cgfs/base/util.h"
#include "world.h"

#define MIB (1 << 20)

static json_t *of(const char *id)
{
	return json_pack("{s:s}", "ContainerId", id);
}

static void nap(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = 50000000 }, NULL);
}

/* --- the kernel's own words ------------------------------------------------------------------ */

#define MAIN_CONTROLLERS "cpu,cpuset,memory,pids,io,blkio,"

/* Is @word in the list @text, whose words end with one of " ,\n"? */
static bool has_word(const char *text, const char *word, size_t len)
{
	for (const char *p = text; *p; p += strcspn(p, " ,\n"), p += *p != '\0') {
		if (strcspn(p, " ,\n") == len && strncmp(p, word, len) == 0)
			return true;
	}
	return false;
}

/* Does one of @text's words name a controller by which a layout gets its name? */
static bool names_main(const char *text)
{
	for (const char *p = text; *p; p += strcspn(p, " ,\n"), p += *p != '\0') {
		size_t len = strcspn(p, " ,\n");

		if (len > 0 && has_word(MAIN_CONTROLLERS, p, len))
			return true;
	}
	return false;
}

struct seen {
	bool v1;	 /* a main controller on v1 */
	bool v2;	 /* a main controller on cgroup2 */
	bool v2_foreign; /* a cgroup2 mount that is not the agent's own */
};

static void look_at_cgroup2(struct seen *s, const struct world *w, const char *mount)
{
	char path[300], text[512] = "";
	FILE *f;

	s->v2_foreign |= strncmp(mount, w->dir, strlen(w->dir)) != 0;
	snprintf(path, sizeof(path), "%s/cgroup.controllers", mount);
	f = fopen(path, "re");
	CHECK(f);
	if (fgets(text, sizeof(text), f))
		s->v2 |= names_main(text);
	fclose(f);
}

static struct seen look(const struct world *w)
{
	FILE *f = fopen("/proc/self/mounts", "re");
	char mount[256], type[32], options[512];
	struct seen s = { 0 };

	CHECK(f);
	while (fscanf(f, "%*s %255s %31s %511s %*d %*d", mount, type, options) == 3) {
		if (streq(type, "cgroup2"))
			look_at_cgroup2(&s, w, mount);
		if (streq(type, "cgroup"))
			s.v1 |= names_main(options);
	}
	fclose(f);
	return s;
}

/* --- 1: version and layout -------------------------------------------------------------------- */

/* The member of the agent's first log line that has the layout it found. */
static void logged_layout(const char *path, char *ret, size_t len)
{
	char line[1024];
	FILE *f = fopen(path, "re");

	CHECK(f);
	*ret = '\0';
	while (fgets(line, sizeof(line), f)) {
		json_t *doc = json_loads(line, 0, NULL);
		const char *layout = json_string_value(json_object_get(doc, "layout"));

		if (layout)
			snprintf(ret, len, "%s", layout);
		json_decref(doc);
	}
	fclose(f);
}

/* What the guest's builder promised, as the agent must see it. */
static const char *promised(bool memory_on_v1)
{
	const char *layout = getenv("CGFS_TEST_LAYOUT");

	if (layout && streq(layout, "v1"))
		return memory_on_v1 ? "v1" : "mixed";
	return layout;
}

KERNEL_TEST(layout_is_that_of_the_file_system)
{
	char log[96], option[112], layout[32], controllers[8192] = "";
	const char *const args[] = { "-log-format=json", option, NULL };
	const char *want;
	struct seen s;
	int status;
	FILE *f;

	/* Another agent on the same root, one that writes its log to a file. */
	client_close(w->c);
	kill(w->agent, SIGTERM);
	CHECK_INT(waitpid(w->agent, &status, 0), w->agent);
	snprintf(log, sizeof(log), "%s/log", w->dir);
	snprintf(option, sizeof(option), "-logfile=%s", log);
	world_start_agent(w, args);
	w->c = world_connect(w, true);
	json_decref(world_call(w, MSG_EXT_LIST_PODS, NULL));

	logged_layout(log, layout, sizeof(layout));
	s = look(w);
	want = !s.v1 ? "v2" : s.v2 ? "mixed" : s.v2_foreign ? "hybrid" : "v1";
	CHECK_STR(layout, want);

	/* v1's memory is recognized by its files: 6.12 lists the name without having it. */
	f = fopen("/proc/self/mounts", "re");
	CHECK(f);
	CHECK(fread(controllers, 1, sizeof(controllers) - 1, f) > 0);
	fclose(f);
	if (promised(false))
		CHECK_STR(layout, promised(strstr(controllers, "/memory cgroup ") != NULL));
}

/* --- 2 and 3: statistics ---------------------------------------------------------------------- */

static void wait_for(struct world *w, const char *id, const char *what, double at_least)
{
	double now = -1;

	for (int i = 0; i < 3 * WORLD_MS / 50; i++) {
		now = world_figure(w, id, what);
		if (now >= at_least)
			return;
		nap();
	}
	FAIL("%s of %s is %.0f, not %.0f", what, id, now, at_least);
}

static void create_limited(struct world *w, const char *id, const char *script, json_t *resources)
{
	world_do(w, MSG_CREATE,
		 world_create_body(w, id, world_spec(w, id, "sb", script, resources)));
}

KERNEL_TEST(stats_are_not_empty_after_work)
{
	static const char work[] = "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; "
				   "dd if=/dev/zero of=/dev/held bs=1M count=8 2>/dev/null; "
				   "echo > /dev/done; sleep 1000";
	static const char *const figures[] = { "cpu/usage/total", "pids/current" };
	static const char *const memory[] = { "memory/usage/usage", "memory/rss", "memory/cache",
					      "memory/pg_fault", "memory/total_rss" };
	const bool has_memory = world_has_memory(w);

	world_create(w, "sb", "sb", NULL);
	world_create(w, "c", "sb", work);
	world_start(w, "c");
	if (has_memory)
		wait_for(w, "c", "memory/cache", 8 * MIB);
	wait_for(w, "c", "cpu/usage/total", 1);
	for (size_t i = 0; i < ARRAY_SIZE(figures); i++)
		wait_for(w, "c", figures[i], 1);
	for (size_t i = 0; has_memory && i < ARRAY_SIZE(memory); i++)
		wait_for(w, "c", memory[i], 1);
	if (!has_memory)
		CHECK(world_figure(w, "c", "memory/usage/usage") == -1);
}

KERNEL_TEST(limit_of_128_mib_is_read_back)
{
	world_create(w, "sb", "sb", NULL);
	if (!world_has_memory(w)) {
		/* As clear as an error can be. */
		world_refuse(w, MSG_CREATE,
			     world_create_body(w, "c",
					       world_spec(w, "c", "sb", NULL,
							  json_pack("{s:{s:i}}", "memory", "limit",
								    128 * MIB))),
			     HR_FAIL);
		return;
	}
	create_limited(w, "c", NULL, json_pack("{s:{s:i}}", "memory", "limit", 128 * MIB));
	world_start(w, "c");
	CHECK(world_figure(w, "c", "memory/usage/limit") == 128 * MIB);
	CHECK(world_figure(w, "c", "memory/hierarchical_memory_limit") == 128 * MIB);
	/* A sandbox's limit is its pod's, and is read back from its container. */
	world_do(
		w, MSG_CREATE,
		world_create_body(w, "sb2",
				  world_spec(w, "sb2", "sb2", NULL,
					     json_pack("{s:{s:i}}", "memory", "limit", 96 * MIB))));
	CHECK(world_figure(w, "sb2", "memory/usage/limit") == 96 * MIB);
}

/* --- 4: where processes are ------------------------------------------------------------------- */

/* All processes of the container, by the agent's list; returns how many. */
static size_t check_all_in(struct world *w, const char *id, const char *path)
{
	json_t *answer = world_call(w, MSG_GET_PROPERTIES,
				    json_pack("{s:s, s:s}", "ContainerId", id, "Query",
					      "{\"PropertyTypes\":[\"ProcessList\"]}"));
	json_t *properties =
		json_loads(json_string_value(json_object_get(answer, "Properties")), 0, NULL);
	json_t *list = json_object_get(properties, "ProcessList"), *item;
	size_t i, n = json_array_size(list);

	json_array_foreach(list, i, item)
	{
		kit_check_member(&w->kit,
				 (pid_t)json_integer_value(json_object_get(item, "ProcessId")),
				 path);
	}
	json_decref(answer);
	json_decref(properties);
	return n;
}

KERNEL_TEST(added_process_is_in_the_container_cgroup_never_in_root)
{
	size_t n = 0;
	pid_t init, added;

	world_create(w, "sb", "sb", NULL);
	world_create(w, "c", "sb", "sleep 1000 & sleep 1000; true");
	init = world_start(w, "c");
	added = world_execute(w, "c",
			      "{\"OciProcess\":{\"args\":[\"/bin/sh\",\"-c\","
			      "\"sleep 1000 & sleep 1000; true\"],"
			      "\"cwd\":\"/\",\"env\":[\"PATH=/bin\"]}}");
	kit_check_member(&w->kit, init, "sb/c");
	kit_check_member(&w->kit, added, "sb/c");
	/* init, its two children, the added shell and its two. */
	for (int i = 0; i < WORLD_MS / 50 && n < 6; i++) {
		nap();
		n = check_all_in(w, "c", "sb/c");
	}
	CHECK(n >= 6);
}

/* --- 5: two containers ------------------------------------------------------------------------ */

KERNEL_TEST(two_containers_keep_their_own_figures)
{
	static const char hold[] = "dd if=/dev/zero of=/dev/held bs=1M count=%d 2>/dev/null; "
				   "sleep 1000";
	static const struct {
		const char *id;
		int limit, held;
	} of_two[] = { { "small", 64 * MIB, 4 * MIB }, { "large", 128 * MIB, 40 * MIB } };
	char script[128];

	world_need_memory(w);
	world_create(w, "sb", "sb", NULL);
	for (int i = 0; i < 2; i++) {
		snprintf(script, sizeof(script), hold, of_two[i].held / MIB);
		create_limited(w, of_two[i].id, script,
			       json_pack("{s:{s:i}}", "memory", "limit", of_two[i].limit));
		world_start(w, of_two[i].id);
	}
	for (int i = 0; i < 2; i++)
		wait_for(w, of_two[i].id, "memory/cache", of_two[i].held);
	for (int i = 0; i < 2; i++) {
		double usage = world_figure(w, of_two[i].id, "memory/usage/usage");

		CHECK(world_figure(w, of_two[i].id, "memory/usage/limit") == of_two[i].limit);
		CHECK(usage >= of_two[i].held);
		CHECK(usage <= of_two[i].limit);
	}
	CHECK(world_figure(w, "small", "memory/usage/usage") < 40 * MIB);

	/* One ends, the other's figures stay. */
	world_do(w, MSG_SHUTDOWN_FORCED, of("small"));
	world_exit_type(w, "small", "ForcedExit");
	world_delete(w, "small");
	CHECK(world_figure(w, "large", "memory/usage/limit") == 128 * MIB);
	CHECK(world_figure(w, "large", "memory/usage/usage") >= 40 * MIB);
}

/* --- 6: throttling ---------------------------------------------------------------------------- */

KERNEL_TEST(quota_of_10_ms_throttles_a_busy_loop)
{
	double periods, throttled;

	world_create(w, "sb", "sb", NULL);
	create_limited(w, "c", "while :; do :; done",
		       json_pack("{s:{s:i, s:i}}", "cpu", "quota", 10000, "period", 100000));
	world_start(w, "c");
	wait_for(w, "c", "cpu/throttling/throttled_periods", 3);
	wait_for(w, "c", "cpu/throttling/throttled_time", 1);
	throttled = world_figure(w, "c", "cpu/throttling/throttled_periods");
	periods = world_figure(w, "c", "cpu/throttling/periods");
	CHECK(throttled <= periods);
	CHECK(world_figure(w, "c", "cpu/usage/total") > 0);
	/* The pod has no quota. */
	CHECK(world_figure(w, "sb", "cpu/throttling/throttled_periods") <= 0);
}

/* --- 7: OOM ------------------------------------------------------------------------------------
 */

KERNEL_TEST(oom_kill_is_counted_and_reported)
{
	struct client *sub;
	pid_t pid;

	world_need_memory(w);
	sub = world_subscribe(w);
	world_create(w, "sb", "sb", NULL);
	create_limited(w, "c", "dd if=/dev/zero of=/dev/null bs=256M count=1; exit $?",
		       json_pack("{s:{s:i, s:i}}", "memory", "limit", 64 * MIB, "swap", 64 * MIB));
	pid = world_start(w, "c");
	CHECK_INT(world_wait(w, "c", pid), 137);
	world_event(sub, "oom_kill", "sb", "c");
	CHECK(world_figure(w, "c", "memory_oom_control/oom_kill") >= 1);
	CHECK(world_figure(w, "sb", "memory/usage/limit") > 64 * MIB);
	client_close(sub);
}
