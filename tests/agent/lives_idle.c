/* SPDX-License-Identifier: MIT */
/*
 * lives_idle.c - everything is read from the kernel's files, not asked of the agent.
 */
#include "lives.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "cgfs/base/util.h"

/* Entries of a directory, and of those below it. */
static size_t entries(const char *path)
{
	DIR *d = opendir(path);
	char below[512];
	struct dirent *e;
	size_t n = 0;

	while (d && (e = readdir(d))) {
		if (streq(e->d_name, ".") || streq(e->d_name, ".."))
			continue;
		n++;
		if (e->d_type == DT_DIR) {
			snprintf(below, sizeof(below), "%.240s/%.240s", path, e->d_name);
			n += entries(below);
		}
	}
	if (d)
		closedir(d);
	return n;
}

/* Zombies as well: a child is one until the agent has waited for it. */
static size_t children_of(pid_t agent, bool show)
{
	DIR *d = opendir("/proc");
	size_t n = 0;
	struct dirent *e;

	CHECK(d);
	while ((e = readdir(d))) {
		char path[300], text[512], *after;
		char state;
		int parent;

		if (e->d_name[0] < '0' || e->d_name[0] > '9')
			continue;
		snprintf(path, sizeof(path), "/proc/%s/stat", e->d_name);
		if (kit_read(path, text, sizeof(text)) <= 0 || !(after = strrchr(text, ')')) ||
		    sscanf(after + 1, " %c %d", &state, &parent) != 2 || parent != agent)
			continue;
		n++;
		if (show)
			printf("child: %s\n", text);
	}
	closedir(d);
	return n;
}

static size_t own_kib(pid_t agent)
{
	char path[64], text[4096], *line;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)agent);
	if (kit_read(path, text, sizeof(text)) <= 0)
		return 0;
	line = strstr(text, "RssAnon:");
	return line ? strtoul(line + strlen("RssAnon:"), NULL, 10) : 0;
}

static size_t cgroups(const struct world *w)
{
	struct kit_mount mounts[KIT_MOUNTS_MAX];
	size_t n = kit_mounts(mounts), all = 0;
	char path[512];

	for (size_t i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "%s%s", mounts[i].path, w->root);
		all += kit_count(path);
	}
	return all;
}

/* But for what is opened when it is needed for the first time, and stays: the copy of the runtime;
 * the descriptors that tell of changes of files, one for pins and one for cgroups. */
static size_t descriptors(pid_t agent, bool show)
{
	char path[64], to[256], name[320];
	size_t n = 0, copies = 0, watches = 0;
	struct dirent *e;
	ssize_t len;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)agent);
	d = opendir(path);
	while (d && (e = readdir(d))) {
		snprintf(name, sizeof(name), "%.40s/%.255s", path, e->d_name);
		len = readlink(name, to, sizeof(to) - 1);
		if (len <= 0)
			continue;
		to[len] = '\0';
		if (strncmp(to, "/memfd:crun", 11) == 0 && copies++ == 0)
			continue;
		if (streq(to, "anon_inode:inotify") && watches++ < 2)
			continue;
		n++;
		if (show)
			printf("descriptor %s: %s\n", e->d_name, to);
	}
	if (d)
		closedir(d);
	return n;
}

struct idle idle_of(const struct world *w)
{
	struct idle i = { .cgroups = cgroups(w), .mounts = world_mounts(w, "") };
	char path[160];

	i.descriptors = descriptors(w->agent, false);
	i.children = children_of(w->agent, false);
	i.pins = entries(w->pins);
	snprintf(path, sizeof(path), "%s/state", w->dir);
	i.files = entries(path);
	snprintf(path, sizeof(path), "%s/bundles", w->dir);
	i.files += entries(path);
	i.kib = own_kib(w->agent);
	return i;
}

void idle_await(const struct world *w, const struct idle *before)
{
	struct idle now = { 0 };

	for (int i = 0; i < WORLD_MS / 20; i++) {
		now = idle_of(w);
		if (now.descriptors <= before->descriptors && now.children <= before->children &&
		    now.cgroups <= before->cgroups && now.pins <= before->pins &&
		    now.files <= before->files && now.mounts <= before->mounts)
			return;
		nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
	}
	descriptors(w->agent, true);
	children_of(w->agent, true);
	FAIL("what is left: descriptors %zu (%zu before), children %zu (%zu), cgroups %zu (%zu), "
	     "pins %zu (%zu), files %zu (%zu), mounts %zu (%zu)",
	     now.descriptors, before->descriptors, now.children, before->children, now.cgroups,
	     before->cgroups, now.pins, before->pins, now.files, before->files, now.mounts,
	     before->mounts);
}

/* --- directories and handles ------------------------------------------------------------------ */

/* "/a/b" of everything on one page of the list, as members of @all: whether it may have directories
 * of its own.  What the next page begins after; NULL: this was the last. */
static json_t *list_page(struct world *w, struct client *c, json_t *after, json_t *all)
{
	struct cgfs_err err = { 0 };
	json_t *body = after ? json_pack("{s:o}", "After", after) : json_object();
	json_t *answer = NULL, *pod, *one;
	size_t i, k, root = strlen(w->root);
	int r = client_call(c, MSG_EXT_LIST_PODS, body, NULL, 0, WORLD_MS, &answer, &err);

	json_decref(body);
	CHECK_MSG(r >= 0, "%s", err.text);
	json_array_foreach(json_object_get(answer, "Pods"), i, pod)
	{
		const char *path = json_string_value(json_object_get(pod, "CgroupPath"));

		CHECK(path && strlen(path) > root);
		if (!json_object_get(all, path + root))
			json_object_set_new(all, path + root, json_false());
		json_array_foreach(json_object_get(pod, "Containers"), k, one)
		{
			path = json_string_value(json_object_get(one, "CgroupPath"));
			CHECK(path && strlen(path) > root);
			json_object_set_new(all, path + root, json_true());
		}
	}
	after = json_incref(json_object_get(answer, "Next"));
	json_decref(answer);
	return after;
}

/* What does not fit; "": all does. */
static char misfit[800];

static void look_below(const char *mount, const char *root, const char *path, const json_t *all)
{
	char full[512];
	struct dirent *e;
	DIR *d;

	snprintf(full, sizeof(full), "%.200s%s%.240s", mount, root, path);
	d = opendir(full);
	while (d && (e = readdir(d))) {
		char below[256];
		json_t *leaf;

		if (e->d_type != DT_DIR || e->d_name[0] == '.')
			continue;
		snprintf(below, sizeof(below), "%.120s/%.120s", path, e->d_name);
		leaf = json_object_get(all, below);
		if (!leaf)
			snprintf(misfit, sizeof(misfit), "%s/%.60s is there, and is not listed",
				 full, e->d_name);
		else if (!json_is_true(leaf))
			look_below(mount, root, below, all);
	}
	if (d)
		closedir(d);
}

static void look(struct world *w, struct client *c)
{
	struct kit_mount mounts[KIT_MOUNTS_MAX];
	size_t n = kit_mounts(mounts);
	json_t *all = json_object(), *after = NULL, *leaf;
	const char *path;

	misfit[0] = '\0';
	do
		after = list_page(w, c, after, all);
	while (after);
	for (size_t i = 0; i < n; i++)
		look_below(mounts[i].path, w->root, "", all);
	json_object_foreach(all, path, leaf)
	{
		if (!kit_exists(&w->kit, path + 1))
			snprintf(misfit, sizeof(misfit), "%s is listed, and has no directory",
				 path);
	}
	json_decref(all);
}

/* What a connection had asked for that has ended may still be under way. */
void lives_check_tree(struct world *w, struct client *c)
{
	for (int i = 0; i < WORLD_MS / 20; i++) {
		look(w, c);
		if (!misfit[0])
			return;
		nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
	}
	FAIL("%s", misfit);
}
