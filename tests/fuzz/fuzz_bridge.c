/* SPDX-License-Identifier: MIT */
/*
 * fuzz_bridge.c - a client that sends anything: each message is answered at most once and, when
 * nothing is left to wait for, at least once; afterwards all that was made can be removed.
 *
 * The first byte chooses the layout and the form of the rest: bytes as they come, or lines "cJSON"
 * in which c is the place of the message in the protocol's table, 'a' for the first.
 */
#include "agent/base/hash.h"
#include "agent/model/container.h"
#include "agent/model/process.h"
#include "agent/wire/frame.h"
#include "agent/wire/protocol.h"
#include "cgfs/base/util.h"
#include "host.h"

#include <sys/socket.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define TYPE(name, type, text) type,
static const uint32_t types[] = { PROTOCOL_REQUESTS(TYPE) };

#define INPUT_MAX 32768 /* fits into a socket's buffer */

struct traffic {
	uint8_t in[2 * INPUT_MAX];
	size_t n_in, n_asked;
	size_t n_answers;
	uint64_t ids[INPUT_MAX / 8]; /* of answers */
};

static void add_frame(struct traffic *t, uint32_t type, const void *body, size_t len)
{
	struct frame_header h = { type, (uint32_t)(FRAME_HEADER_SIZE + len), t->n_asked + 1 };

	if (t->n_in + h.size > sizeof(t->in))
		return;
	frame_encode(&h, t->in + t->n_in);
	memcpy(t->in + t->n_in + FRAME_HEADER_SIZE, body, len);
	t->n_in += h.size;
	t->n_asked++;
}

static void add_lines(struct traffic *t, const char *text, size_t len)
{
	static const char hello[] = "{\"MinimumVersion\":4,\"MaximumVersion\":4}";

	add_frame(t, MSG_NEGOTIATE, hello, strlen(hello));
	while (len) {
		const char *end = memchr(text, '\n', len);
		size_t n = end ? (size_t)(end - text) : len;
		unsigned int type = (unsigned int)(unsigned char)*text - 'a';

		if (n)
			add_frame(t, type < ARRAY_SIZE(types) ? types[type] : type, text + 1,
				  n - 1);
		n += end != NULL;
		text += n;
		len -= n;
	}
}

static void add_bytes(struct traffic *t, const uint8_t *data, size_t len)
{
	struct frame_header h;
	size_t at = 0;

	memcpy(t->in, data, len);
	t->n_in = len;
	while (len - at >= FRAME_HEADER_SIZE && frame_decode(data + at, &h) == 0 &&
	       h.size <= len - at) {
		t->n_asked++;
		at += h.size;
	}
}

static void judge_message(struct traffic *t, const struct frame_header *h, const char *body)
{
	json_t *j = json_loadb(body, h->size - FRAME_HEADER_SIZE, 0, NULL);

	if (!json_is_object(j))
		abort();
	if (PROTOCOL_KIND(h->type) == 2) {
		if (!json_is_integer(json_object_get(j, "Result")) ||
		    t->n_answers == ARRAY_SIZE(t->ids))
			abort();
		t->ids[t->n_answers++] = h->id;
	} else if (PROTOCOL_KIND(h->type) != 3 || h->id) {
		abort();
	}
	json_decref(j);
}

/* Takes what has come; true when there was something. */
static bool read_answers(struct traffic *t, int fd)
{
	static uint8_t buf[1 << 22];
	static size_t have;
	size_t at = 0;
	struct frame_header h;
	ssize_t n = recv(fd, buf + have, sizeof(buf) - have, MSG_DONTWAIT);

	if (n <= 0) {
		have = 0;
		return false;
	}
	have += (size_t)n;
	while (have - at >= FRAME_HEADER_SIZE) {
		if (frame_decode(buf + at, &h) < 0)
			abort();
		if (have - at < h.size)
			break;
		judge_message(t, &h, (const char *)buf + at + FRAME_HEADER_SIZE);
		at += h.size;
	}
	have -= at;
	memmove(buf, buf + at, have);
	return true;
}

static bool waits(const struct agent *a)
{
	bool some = a->externals != NULL;

	for (struct hash_node *n = hash_next(&a->containers, NULL); n;
	     n = hash_next(&a->containers, n)) {
		const struct container *c = container_of(n, struct container, node);

		some |= c->init && !c->init->exited;
		some |= c->execs != NULL;
	}
	return some;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void judge(struct traffic *t, const struct agent *a, bool lines)
{
	if (t->n_answers > t->n_asked || (!waits(a) && t->n_answers != t->n_asked))
		abort();
	qsort(t->ids, t->n_answers, sizeof(*t->ids), compare);
	for (size_t i = 1; lines && i < t->n_answers; i++)
		if (t->ids[i] == t->ids[i - 1])
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum cgfs_layout layouts[] = { CGFS_LAYOUT_V1, CGFS_LAYOUT_HYBRID,
						    CGFS_LAYOUT_MIXED, CGFS_LAYOUT_V2 };
	static struct traffic t;
	struct host h;
	bool lines;
	int fd;

	if (size < 2 || size > INPUT_MAX)
		return 0;
	lines = data[0] & 4;
	t.n_in = t.n_asked = t.n_answers = 0;
	if (lines)
		add_lines(&t, (const char *)data + 1, size - 1);
	else
		add_bytes(&t, data + 1, size - 1);

	host_open(&h, layouts[data[0] % 4]);
	fd = host_connect(&h);
	if (send(fd, t.in, t.n_in, 0) != (ssize_t)t.n_in)
		abort();
	do
		host_settle(&h);
	while (read_answers(&t, fd));
	judge(&t, &h.a, lines);
	close(fd);
	host_settle(&h);
	host_close(&h);
	if (host_strayed(0) || host_outside())
		abort();
	return 0;
}
