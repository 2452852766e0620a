// SPDX-License-Identifier: MIT
/*
 * test_bpftool.c - the commands of docs/bpftool.md, run as they stand there, say what is so.
 */
#include "extra.h"

#include "cgfs/base/util.h"

#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#define DOC "docs/bpftool.md"

enum { ALWAYS, MEMORY };

/* What each command must show. */
static const struct question {
	const char *command;
	int needs; /* MEMORY: only where it is counted */
	const char *shows[4];
} questions[] = {
	{ "bpftool cgroup show /sys/fs/cgroup/pods/web", ALWAYS, { "cgfs_dev", "device" } },
	{ "bpftool map dump pinned /sys/fs/bpf/cgfs/groups",
	  ALWAYS,
	  { "\"pod\": \"web\"", "\"container\": \"c1\"", "\"oom_kills\": 0" } },
	{ "bpftool map dump pinned /sys/fs/bpf/cgfs/rules",
	  ALWAYS,
	  { "\"kind\": \"CGFS_CHAR\"", "\"major\": 1", "\"read\": \"CGFS_ALLOW\"" } },
	{ "bpftool map dump pinned /sys/fs/bpf/cgfs/counts", ALWAYS, { "\"device_denied\": 1" } },
	{ "bpftool map dump pinned /sys/fs/bpf/cgfs/history",
	  ALWAYS,
	  { "\"kind\": \"CGFS_DENIED\"", "\"pod\": \"web\"", "\"container\": \"c1\"",
	    "\"level\": \"CGFS_OF_POD\"" } },
	{ "bpftool map show pinned /sys/fs/bpf/cgfs/groups", ALWAYS, { "cgfs_groups", "hash" } },
	{ "bpftool prog show pinned /sys/fs/bpf/cgfs/device", ALWAYS, { "cgfs_dev" } },
	{ "cat /sys/fs/bpf/cgfs/mem", ALWAYS, { "pod", "web", "c1", "kills" } },
	{ "bpftool map dump pinned /sys/fs/bpf/cgfs/memory",
	  MEMORY,
	  { "\"peak_bytes\"", "\"failed_here\"", "\"reclaim_ns\"" } },
	{ "bpftool map dump pinned /sys/fs/bpf/cgfs/memcg",
	  MEMORY,
	  { "\"bytes\": 8388608", "\"fall_bytes\": 7340032" } },
	{ "bpftool map dump pinned /sys/fs/bpf/cgfs/crossed", MEMORY, { "\"bytes\": 8388608" } },
	{ "bpftool link show pinned /sys/fs/bpf/cgfs/charge", MEMORY, { "tracing", "prog" } },
};

/* Each command of the document is one of these, and the other way round; not in a guest, which does
 * not have the document. */
static void compare_with_document(struct world *w)
{
	bool there[ARRAY_SIZE(questions)] = { false };
	FILE *f = fopen(DOC, "re");
	char text[256];

	if (!f) {
		world_note(w, "%s is not here", DOC);
		return;
	}
	while (fgets(text, sizeof(text), f)) {
		size_t i = 0;

		text[strcspn(text, "\n")] = '\0';
		if (strncmp(text, "# bpftool ", 10) != 0 && strncmp(text, "# cat ", 6) != 0)
			continue;
		while (i < ARRAY_SIZE(questions) && strcmp(questions[i].command, text + 2) != 0)
			i++;
		CHECK_MSG(i < ARRAY_SIZE(questions), "\"%s\" of %s is not tested", text + 2, DOC);
		there[i] = true;
	}
	fclose(f);
	for (size_t i = 0; i < ARRAY_SIZE(questions); i++)
		CHECK_MSG(there[i], "%s has no \"%s\"", DOC, questions[i].command);
}

/* Puts @with in place of @what in @text. */
static void replace(char *text, size_t len, const char *what, const char *with)
{
	char *at = strstr(text, what), rest[256];

	if (!at)
		return;
	snprintf(rest, sizeof(rest), "%s", at + strlen(what));
	snprintf(at, len - (size_t)(at - text), "%s%s", with, rest);
}

static void ask(struct world *w, const struct question *q, const char *cgroup)
{
	static char command[1024], answer[1 << 20];
	size_t n;
	FILE *f;

	snprintf(command, sizeof(command), "%s", q->command);
	replace(command, sizeof(command), "/sys/fs/bpf/cgfs", w->pin_dir);
	replace(command, sizeof(command), "/sys/fs/cgroup/pods/web", cgroup);
	replace(command, sizeof(command), "bpftool", "PATH=$PATH:/usr/sbin:/sbin bpftool");
	strncat(command, " 2>&1", sizeof(command) - strlen(command) - 1);
	f = popen(command, "re");
	CHECK_MSG(f != NULL, "%s: %s", command, strerror(errno));
	n = fread(answer, 1, sizeof(answer) - 1, f);
	answer[n] = '\0';
	CHECK_MSG(pclose(f) == 0, "%s: %.800s", command, answer);
	for (size_t i = 0; i < ARRAY_SIZE(q->shows) && q->shows[i]; i++)
		CHECK_MSG(strstr(answer, q->shows[i]), "%s: no %s in: %.2000s", command,
			  q->shows[i], answer);
	if (getenv("CGFS_TEST_SHOW"))
		for (char *line = strtok(answer, "\n"); line; line = strtok(NULL, "\n"))
			world_note(w, "%s", line);
}

WORLD_TEST(charge_bpftool_answers)
{
	struct cgfs_resources res = extra_memory(64 * MIB);
	struct cgfs_stats stats = CGFS_STATS_INIT;
	struct cgfs *c = world_context(w, WORLD_MEMORY);
	struct cgfs_group *pod, *ctr;
	char cgroup[512];
	bool counted;
	pid_t pid;

	if (w->policy_missing[0])
		world_skip(w, "no policy: %s", w->policy_missing);
	if (system("PATH=$PATH:/usr/sbin:/sbin bpftool version > /dev/null 2>&1") != 0)
		world_skip(w, "no bpftool");
	compare_with_document(w);
	if (world_version(w, CGFS_MEMORY) == CGFS_NONE)
		res.set = 0;
	pod = world_pod(w, c, "web", &res);
	ctr = world_container(w, pod, c, "c1", NULL);
	OK(cgfs_group_stats(ctr, CGFS_READ_POLICY, &stats, &err));
	counted = stats.figure[CGFS_STAT_CHARGE_COUNT].available;
	pid = world_spawn_in(w, ctr);
	CHECK_INT(w->ops->device(w, pid, CGFS_DEVICE_BLOCK, 8, 0, CGFS_ACCESS_READ), -EPERM);
	if (counted) {
		OK(cgfs_group_watch_memory(ctr, 8 * MIB, MIB, &err));
		CHECK_INT(w->ops->alloc(w, pid, 10 * MIB), 0);
	}
	snprintf(cgroup, sizeof(cgroup), "%s%s", w->ops->mount(w, UNIFIED), cgfs_group_path(pod));
	for (size_t i = 0; i < ARRAY_SIZE(questions); i++) {
		const struct question *q = &questions[i];
		char mem[512];

		snprintf(mem, sizeof(mem), "%s/mem", w->pin_dir);
		if ((q->needs == MEMORY && !counted) ||
		    (strncmp(q->command, "cat ", 4) == 0 &&
		     (access(mem, F_OK) < 0 || world_version(w, CGFS_MEMORY) == CGFS_NONE)))
			world_note(w, "left out: %s", q->command);
		else
			ask(w, q, cgroup);
	}
}
