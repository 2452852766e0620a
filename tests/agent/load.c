/* SPDX-License-Identifier: MIT */
/*
 * load.c - see load.h.
 */
#include "load.h"

#include <cgfs/cgfs.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cgfs/base/util.h"

json_t *load_of(const char *id)
{
	return json_pack("{s:s}", "ContainerId", id);
}

void load_nap(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
}

/* Sends a request and does not wait for its answer. */
void load_send(struct client *c, uint32_t type, uint64_t id, json_t *body)
{
	auto_free char *text = json_dumps(body, JSON_COMPACT);
	struct cgfs_err err = { 0 };

	json_decref(body);
	CHECK(text);
	CHECK_INT(client_send(c, type, id, text, strlen(text), NULL, 0, &err), 0);
}

/* The next answer: its id, and its result. */
uint64_t load_receive(struct client *c, uint32_t *ret_hr)
{
	struct client_message m;
	struct cgfs_err err = { 0 };
	json_t *answer;
	uint64_t id;

	do {
		CHECK_INT(client_receive(c, WORLD_MS, &m, &err), 0);
		id = m.header.id;
		answer = json_loads(m.body, 0, NULL);
		CHECK(answer);
		*ret_hr = (uint32_t)json_integer_value(json_object_get(answer, "Result"));
		json_decref(answer);
		free(m.body);
	} while (id == 0); /* notifications */
	return id;
}

double load_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* What another connection asks is answered; the longest that it took. */
double load_ask(struct world *w, struct client *other, int n)
{
	struct cgfs_err err = { 0 };
	double worst = 0;

	for (int i = 0; i < n; i++) {
		double from = load_now();

		CHECK_INT(
			client_call(other, MSG_EXT_LIST_PODS, NULL, NULL, 0, WORLD_MS, NULL, &err),
			0);
		worst = load_now() - from > worst ? load_now() - from : worst;
		load_nap();
	}
	return worst;
}

json_t *load_create_body(struct world *w, const char *id, const char *pod, const char *script,
			 json_t *resources)
{
	return world_create_body(w, id, world_spec(w, id, pod, script, resources));
}

size_t load_make_deep(const struct world *w, const char *path, int n, int hierarchies)
{
	struct cgfs_mounts m = CGFS_MOUNTS_INIT;
	char full[512];
	size_t made = 0;

	CHECK_INT(cgfs_discover(&m, NULL), 0);
	for (size_t i = 0; i < m.n && hierarchies > 0; i++) {
		int dir, below;

		snprintf(full, sizeof(full), "%s%s/%s", m.mount[i].path, w->root, path);
		dir = open(full, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		hierarchies -= dir >= 0;
		for (int k = 0; dir >= 0 && k < n && mkdirat(dir, "d", 0755) == 0; k++) {
			below = openat(dir, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
			close(dir);
			dir = below;
			made++;
		}
		if (dir >= 0)
			close(dir);
	}
	return made;
}
