/* SPDX-License-Identifier: MIT */
/*
 * client.c - the calling side of the bridge, see client.h.  Knows frames and the members that
 * every message has; nothing of what the messages mean.
 */
#include "agent/wire/client.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>

#include "agent/wire/address.h"
#include "cgfs/base/clock.h"
#include "cgfs/base/json.h"
#include "cgfs/base/util.h"

struct kept {
	struct kept *next;
	uint32_t type;
	json_t *body;
};

struct client {
	int in, out;
	bool vsock;	/* which passes no descriptors, and does not say so */
	int timeout_ms; /* -1: none */
	uint64_t next_id;
	uint32_t hresult;
	struct kept *kept, **kept_end;
	size_t have;
	uint8_t buf[FRAME_SIZE_MAX];
};

int client_open_fds(int in, int out, struct client **ret)
{
	struct client *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->in = in;
	c->out = out;
	c->timeout_ms = -1;
	c->next_id = 1;
	c->kept_end = &c->kept;
	*ret = c;
	return 0;
}

/* Connecting waits while the agent's queue of connections is full, and sending while its socket
 * is; a send timeout limits both. */
static int limit_sends(int fd, int timeout_ms)
{
	struct timeval tv = { .tv_sec = timeout_ms / 1000,
			      .tv_usec = (suseconds_t)(timeout_ms % 1000) * 1000 };

	return setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)) < 0 ? -errno : 0;
}

/* The kernel's errno when a send timeout has passed. */
static int sent_error(int code)
{
	return code == EAGAIN ? -ETIMEDOUT : -code;
}

int client_open(const char *address, struct client **ret, struct cgfs_err *reterr)
{
	return client_open_timeout(address, -1, ret, reterr);
}

static int connect_vsock(const char *text, int timeout_ms, int *ret)
{
	auto_fd int fd = -EBADF;
	struct address at;
	bool pending;
	int r = address_parse(text, &at);

	if (r < 0)
		return r;
	fd = address_connect(&at, &pending);
	if (fd < 0)
		return fd;
	if (pending) {
		struct pollfd p = { .fd = fd, .events = POLLOUT };

		do {
			r = poll(&p, 1, timeout_ms);
		} while (r < 0 && errno == EINTR);
		r = r < 0 ? -errno : r == 0 ? -ETIMEDOUT : address_connected(fd);
	}
	if (r == 0 && fcntl(fd, F_SETFL, 0) < 0)
		r = -errno;
	if (r == 0 && timeout_ms > 0)
		r = limit_sends(fd, timeout_ms);
	if (r < 0)
		return r;
	*ret = take_fd(&fd);
	return 0;
}

static int open_vsock(const char *address, int timeout_ms, struct client **ret,
		      struct cgfs_err *reterr)
{
	auto_fd int fd = -EBADF;
	int r = connect_vsock(address, timeout_ms, &fd);

	if (r == 0)
		r = client_open_fds(fd, fd, ret);
	if (r < 0)
		return err_file(reterr, r, "connect to agent", address);
	take_fd(&fd);
	(*ret)->timeout_ms = timeout_ms;
	(*ret)->vsock = true;
	return 0;
}

int client_open_timeout(const char *address, int timeout_ms, struct client **ret,
			struct cgfs_err *reterr)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	const char *path = strncmp(address, "unix:", 5) == 0 ? address + 5 : address;
	auto_fd int fd = -EBADF;
	int r;

	if (strncmp(address, "vsock:", 6) == 0)
		return open_vsock(address, timeout_ms, ret, reterr);
	if (strlen(path) >= sizeof(sa.sun_path))
		return err_file(reterr, -ENAMETOOLONG, "connect to agent", path);
	strcpy(sa.sun_path, path);

	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return cgfs_err_set(reterr, -errno, "make socket", NULL, NULL, NULL);
	r = timeout_ms > 0 ? limit_sends(fd, timeout_ms) : 0;
	if (r < 0)
		return err_file(reterr, r, "limit waits for agent", path);
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		return err_file(reterr, sent_error(errno), "connect to agent", path);

	r = client_open_fds(fd, fd, ret);
	if (r < 0)
		return err_file(reterr, r, "connect to agent", path);
	take_fd(&fd);
	(*ret)->timeout_ms = timeout_ms;
	return 0;
}

void client_close(struct client *c)
{
	if (!c)
		return;
	while (c->kept) {
		struct kept *k = c->kept;

		c->kept = k->next;
		json_decref(k->body);
		free(k);
	}
	if (c->in != c->out)
		close(c->out);
	close(c->in);
	free(c);
}

int client_fd(const struct client *c)
{
	return c->in;
}

uint32_t client_hresult(const struct client *c)
{
	return c->hresult;
}

/* Sends one piece; @fds travel with its first byte. */
static ssize_t send_piece(struct client *c, const uint8_t *data, size_t len, const int *fds,
			  size_t n_fds)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(FRAME_FDS_MAX * sizeof(int))];
	} control = { 0 };
	struct iovec iov = { .iov_base = (void *)data, .iov_len = len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	if (n_fds > 0) {
		struct cmsghdr *cmsg;

		msg.msg_control = control.space;
		msg.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
		cmsg = CMSG_FIRSTHDR(&msg);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
		memcpy(CMSG_DATA(cmsg), fds, n_fds * sizeof(int));
	}
	n = sendmsg(c->out, &msg, MSG_NOSIGNAL);
	if (n < 0 && errno == ENOTSOCK && n_fds == 0)
		n = write(c->out, data, len);
	return n < 0 ? sent_error(errno) : n;
}

static int send_all(struct client *c, const uint8_t *data, size_t len, const int *fds, size_t n_fds,
		    struct cgfs_err *reterr)
{
	while (len > 0) {
		ssize_t n = send_piece(c, data, len, fds, n_fds);

		if (n == -EINTR)
			continue;
		if (n < 0)
			return cgfs_err_set(reterr, (int)n, "send to agent", NULL, NULL, NULL);
		data += n;
		len -= (size_t)n;
		n_fds = 0;
	}
	return 0;
}

int client_send_raw(struct client *c, const void *data, size_t len, struct cgfs_err *reterr)
{
	return send_all(c, data, len, NULL, 0, reterr);
}

int client_send(struct client *c, uint32_t type, uint64_t id, const void *body, size_t len,
		const int *fds, size_t n_fds, struct cgfs_err *reterr)
{
	auto_free uint8_t *buf = NULL;
	struct frame_header h = { .type = type, .id = id };

	if (len > FRAME_SIZE_MAX - FRAME_HEADER_SIZE)
		return cgfs_err_set(reterr, -EMSGSIZE, "send to agent", NULL, NULL,
				    "the message has %zu bytes; the protocol allows %u", len,
				    FRAME_SIZE_MAX - FRAME_HEADER_SIZE);
	if (n_fds > FRAME_FDS_MAX)
		return cgfs_err_set(reterr, -EINVAL, "send to agent", NULL, NULL,
				    "%zu descriptors; at most %d", n_fds, FRAME_FDS_MAX);
	if (n_fds > 0 && c->vsock)
		return cgfs_err_set(reterr, -EOPNOTSUPP, "send to agent", NULL, NULL,
				    "vsock passes no descriptors, and so no standard streams "
				    "(--detach needs none)");
	buf = malloc(FRAME_HEADER_SIZE + len);
	if (!buf)
		return cgfs_err_set(reterr, -ENOMEM, "send to agent", NULL, NULL, NULL);

	h.size = (uint32_t)(FRAME_HEADER_SIZE + len);
	frame_encode(&h, buf);
	if (len > 0)
		memcpy(buf + FRAME_HEADER_SIZE, body, len);
	return send_all(c, buf, h.size, fds, n_fds, reterr);
}

/* Reads until @want bytes are in the buffer. */
static int fill(struct client *c, size_t want, int64_t deadline, struct cgfs_err *reterr)
{
	while (c->have < want) {
		struct pollfd p = { .fd = c->in, .events = POLLIN };
		int64_t left = deadline < 0 ? -1 : deadline - (int64_t)now_ms();
		ssize_t n;
		int r;

		if (deadline >= 0 && left < 0)
			left = 0;
		r = poll(&p, 1, (int)left);
		if (r < 0 && errno != EINTR)
			return cgfs_err_set(reterr, -errno, "wait for agent", NULL, NULL, NULL);
		if (r == 0)
			return -ETIMEDOUT;
		if (r < 0)
			continue;
		n = read(c->in, c->buf + c->have, sizeof(c->buf) - c->have);
		if (n == 0)
			return cgfs_err_set(reterr, -EPIPE, "read from agent", NULL, NULL,
					    "the agent closed the connection");
		if (n < 0 && errno != EINTR)
			return cgfs_err_set(reterr, -errno, "read from agent", NULL, NULL, NULL);
		if (n > 0)
			c->have += (size_t)n;
	}
	return 0;
}

bool client_pending(const struct client *c)
{
	struct frame_header h;

	/* client_receive() reports an invalid header. */
	return c->have >= FRAME_HEADER_SIZE && (frame_decode(c->buf, &h) < 0 || c->have >= h.size);
}

static int receive_until(struct client *c, int64_t deadline, struct client_message *ret,
			 struct cgfs_err *reterr)
{
	struct frame_header h;
	char *body;
	size_t len;
	int r = fill(c, FRAME_HEADER_SIZE, deadline, reterr);

	if (r < 0)
		return r;
	if (frame_decode(c->buf, &h) < 0)
		return cgfs_err_set(reterr, -EPROTO, "read from agent", NULL, NULL,
				    "a message of type %#x has size %u", h.type, h.size);
	r = fill(c, h.size, deadline, reterr);
	if (r < 0)
		return r;

	len = h.size - FRAME_HEADER_SIZE;
	body = malloc(len + 1);
	if (!body)
		return cgfs_err_set(reterr, -ENOMEM, "read from agent", NULL, NULL, NULL);
	memcpy(body, c->buf + FRAME_HEADER_SIZE, len);
	body[len] = '\0';
	c->have -= h.size;
	memmove(c->buf, c->buf + h.size, c->have);
	*ret = (struct client_message){ .header = h, .body = body, .len = len };
	return 0;
}

int client_receive(struct client *c, int timeout_ms, struct client_message *ret,
		   struct cgfs_err *reterr)
{
	int r = receive_until(c, timeout_ms < 0 ? -1 : (int64_t)now_ms() + timeout_ms, ret, reterr);

	if (r == -ETIMEDOUT)
		return cgfs_err_set(reterr, r, "wait for agent", NULL, NULL,
				    "no message within %d ms", timeout_ms);
	return r;
}

/* Receives one message and parses its body. */
static int receive_json(struct client *c, int64_t deadline, struct frame_header *ret_header,
			json_t **ret_body, struct cgfs_err *reterr)
{
	struct client_message m;
	json_error_t je;
	json_t *body;
	int r = receive_until(c, deadline, &m, reterr);

	if (r < 0)
		return r;
	body = cgfs_json_load(m.body, m.len, 0, &je);
	free(m.body);
	if (!json_is_object(body)) {
		json_decref(body);
		return cgfs_err_set(reterr, -EPROTO, "read from agent", NULL, NULL,
				    "a message of type %#x is not a JSON object: %s", m.header.type,
				    je.text);
	}
	*ret_header = m.header;
	*ret_body = body;
	return 0;
}

static int keep(struct client *c, uint32_t type, json_t *body)
{
	struct kept *k = calloc(1, sizeof(*k));

	if (!k)
		return -ENOMEM;
	k->type = type;
	k->body = body;
	*c->kept_end = k;
	c->kept_end = &k->next;
	return 0;
}

/* Judges the Result of an answer. */
static int judge(struct client *c, uint32_t type, json_t *body, struct cgfs_err *reterr)
{
	json_t *result = json_object_get(body, "Result");
	const char *text = json_string_value(json_object_get(body, "ErrorMessage"));
	const char *name = protocol_name(type);
	char why[1024];

	if (!json_is_integer(result))
		return cgfs_err_set(reterr, -EPROTO, "read from agent", NULL, NULL,
				    "an answer has no Result");
	c->hresult = (uint32_t)json_integer_value(result);
	if (c->hresult == HR_OK)
		return 0;
	snprintf(why, sizeof(why), "%s", text ? text : protocol_hresult_text(c->hresult));
	return cgfs_err_set(reterr, protocol_errno_from_hresult(c->hresult),
			    name ? name : "request", NULL, NULL, "%s", why);
}

static int await_answer(struct client *c, uint32_t type, uint64_t id, int timeout_ms,
			json_t **ret_body, struct cgfs_err *reterr)
{
	int64_t deadline = timeout_ms < 0 ? -1 : (int64_t)now_ms() + timeout_ms;
	struct frame_header h;
	json_t *body;
	int r;

	for (;;) {
		r = receive_json(c, deadline, &h, &body, reterr);
		if (r == -ETIMEDOUT)
			return cgfs_err_set(reterr, r, "wait for agent", NULL, NULL,
					    "no answer within %d ms", timeout_ms);
		if (r < 0)
			return r;
		if (PROTOCOL_KIND(h.type) == 3) {
			r = keep(c, h.type, body);
			if (r < 0) {
				json_decref(body);
				return cgfs_err_set(reterr, r, "read from agent", NULL, NULL, NULL);
			}
			continue;
		}
		if (h.type == PROTOCOL_RESPONSE(type) && h.id == id)
			break;
		/* The answer to a call that was given up. */
		json_decref(body);
		if (h.id >= id)
			return cgfs_err_set(reterr, -EPROTO, "read from agent", NULL, NULL,
					    "an answer of type %#x, id %llu was not asked for",
					    h.type, (unsigned long long)h.id);
	}

	r = judge(c, type, body, reterr);
	if (r == 0 && ret_body)
		*ret_body = body;
	else
		json_decref(body);
	return r;
}

int client_call(struct client *c, uint32_t type, json_t *body, const int *fds, size_t n_fds,
		int timeout_ms, json_t **ret_body, struct cgfs_err *reterr)
{
	auto_free char *text = NULL;
	uint64_t id = c->next_id++;
	int r;

	if (timeout_ms == CLIENT_TIMEOUT)
		timeout_ms = c->timeout_ms;

	c->hresult = HR_OK;
	text = body ? cgfs_json_dump(body, JSON_COMPACT) : strdup("{}");
	if (!text)
		return cgfs_err_set(reterr, -ENOMEM, "send to agent", NULL, NULL, NULL);
	r = client_send(c, type, id, text, strlen(text), fds, n_fds, reterr);
	if (r < 0)
		return r;
	return await_answer(c, type, id, timeout_ms, ret_body, reterr);
}

static int negotiate(struct client *c, bool observer, int timeout_ms, struct cgfs_err *reterr)
{
	json_t *body =
		json_pack("{s:s, s:i, s:i}", "ContainerId", PROTOCOL_UVM_ID, "MinimumVersion",
			  (int)PROTOCOL_VERSION, "MaximumVersion", (int)PROTOCOL_VERSION);
	int r;

	if (!body || (observer && json_object_set_new(body, "Observer", json_true()) < 0)) {
		json_decref(body);
		return cgfs_err_set(reterr, -ENOMEM, "negotiate", NULL, NULL, NULL);
	}
	r = client_call(c, MSG_NEGOTIATE, body, NULL, 0, timeout_ms, NULL, reterr);
	json_decref(body);
	return r;
}

int client_negotiate(struct client *c, int timeout_ms, struct cgfs_err *reterr)
{
	return negotiate(c, false, timeout_ms, reterr);
}

int client_observe(struct client *c, int timeout_ms, struct cgfs_err *reterr)
{
	return negotiate(c, true, timeout_ms, reterr);
}

int client_notification(struct client *c, int timeout_ms, uint32_t *ret_type, json_t **ret_body,
			struct cgfs_err *reterr)
{
	int64_t deadline = timeout_ms < 0 ? -1 : (int64_t)now_ms() + timeout_ms;
	struct kept *k = c->kept;
	struct frame_header h;
	int r;

	if (k) {
		c->kept = k->next;
		if (!c->kept)
			c->kept_end = &c->kept;
		*ret_type = k->type;
		*ret_body = k->body;
		free(k);
		return 0;
	}
	for (;;) {
		r = receive_json(c, deadline, &h, ret_body, reterr);
		if (r < 0)
			return r;
		if (PROTOCOL_KIND(h.type) == 3)
			break;
		json_decref(*ret_body);
	}
	*ret_type = h.type;
	return 0;
}
