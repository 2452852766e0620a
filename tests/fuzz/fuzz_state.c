/* SPDX-License-Identifier: MIT */
/*
 * fuzz_state.c - an agent that begins with state files of any content: it starts, serves, and
 * can delete everything; of directories outside it removes none but a container's
 * bundle and those above it.
 *
 * Texts with 0xff between them: the lock's, the pod's, the sandbox's, the container's.  The first
 * byte chooses the layout and which cgroups and processes there are.
 */
#include "agent/model/pod.h"
#include "agent/model/state.h"
#include "agent/runtime/spec.h"
#include "agent/wire/frame.h"
#include "agent/wire/protocol.h"
#include "cgfs/base/util.h"
#include "host.h"

#include <stdio.h>
#include <sys/socket.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct text {
	const char *at;
	size_t len;
};

enum { LOCK, POD, SANDBOX, CONTAINER, TEXTS };

static const char *const names[TEXTS] = { "lock", "pods/p", "containers/p/state.json",
					  "containers/c/state.json" };

static void split(const uint8_t *data, size_t size, struct text text[TEXTS])
{
	for (int i = 0; i < TEXTS; i++) {
		const uint8_t *end = size ? memchr(data, 0xff, size) : NULL;
		size_t len = end && i < TEXTS - 1 ? (size_t)(end - data) : size;

		text[i] = (struct text){ (const char *)data, len };
		len += len < size;
		data += len;
		size -= len;
	}
}

/* What the last agent has left in the kernel. */
static void make_groups(struct host *h, unsigned int what)
{
	struct cgfs_group *pod = NULL, *ctr = NULL;
	pid_t pid = fake_spawn(h->f); /* 10000000 */

	if (what & 1 && cgfs_pod_create(h->a.cgfs, "p", NULL, &pod, NULL) < 0)
		abort();
	if (what & 2 && cgfs_container_create(h->a.cgfs, pod, "c", NULL, &ctr, NULL) < 0)
		abort();
	if (what & 4 && ctr && cgfs_group_add_pid(ctr, pid, NULL) < 0)
		abort();
	cgfs_group_close(ctr);
	cgfs_group_close(pod);
}

/* Is @path the bundle that a state file names, or above it? */
static bool is_bundles(const char *path, const struct text *t)
{
	json_t *j = json_loadb(t->at, t->len, 0, NULL);
	const char *bundle = json_string_value(json_object_get(j, "Bundle"));
	size_t len = strlen(path);
	bool yes = bundle && spec_path_ok(bundle, 2) && strncmp(bundle, path, len) == 0 &&
		   (!bundle[len] || bundle[len] == '/');

	json_decref(j);
	return yes;
}

static void ask(int fd, uint32_t type, const char *body)
{
	size_t len = strlen(body);
	struct frame_header h = { type, (uint32_t)(FRAME_HEADER_SIZE + len), 1 };
	uint8_t frame[256];

	frame_encode(&h, frame);
	for (size_t i = 0; i < len; i++)
		frame[FRAME_HEADER_SIZE + i] = (uint8_t)body[i];
	if (send(fd, frame, h.size, 0) != (ssize_t)h.size)
		abort();
}

/* Everything that a client can have shown of what was adopted. */
static void look(struct host *h)
{
	int fd = host_connect(h);

	ask(fd, MSG_NEGOTIATE, "{\"MinimumVersion\":4,\"MaximumVersion\":4}");
	ask(fd, MSG_DUMP_STACKS, "{}");
	ask(fd, MSG_EXT_LIST_PODS, "{}");
	ask(fd, MSG_GET_PROPERTIES, "{\"ContainerId\":\"p\"}");
	ask(fd, MSG_GET_PROPERTIES, "{\"ContainerId\":\"c\"}");
	host_settle(h);
	close(fd);
	host_settle(h);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum cgfs_layout layouts[] = { CGFS_LAYOUT_V1, CGFS_LAYOUT_HYBRID,
						    CGFS_LAYOUT_MIXED, CGFS_LAYOUT_V2 };
	struct text text[TEXTS];
	struct cgfs_err err = { 0 };
	struct host h;

	if (!size)
		return 0;
	split(data + 1, size - 1, text);
	host_open(&h, layouts[data[0] % 4]);
	make_groups(&h, data[0] / 4u);
	for (int i = 0; i < TEXTS; i++)
		if (text[i].len)
			host_file(names[i], text[i].at, text[i].len);
	if (state_lock(&h.a, &err) < 0)
		abort();
	adopt_all(&h.a);
	foreign_report(&h.a);
	host_settle(&h);
	look(&h);
	host_close(&h);
	for (size_t i = 0; host_strayed(i); i++)
		if (!is_bundles(host_strayed(i), &text[SANDBOX]) &&
		    !is_bundles(host_strayed(i), &text[CONTAINER]))
			abort();
	/* What it could not read is left for a later agent. */
	for (int i = 0; i < TEXTS; i++)
		(void)!host_gone(names[i]);
	return 0;
}
