/* SPDX-License-Identifier: MIT */
/*
 * client.h - the calling side of the bridge: what podctl and the tests speak to the agent with.
 *
 * Blocking, with time limits; one thread.  Every call fills @reterr (may be NULL) on failure
 * and returns a negative errno:
 *
 *   -ECONNREFUSED, -ENOENT ...  client_open(): no process listens there
 *   -ETIMEDOUT                  no answer in time
 *   -EPIPE                      the agent closed the connection
 *   -EPROTO                     what came is not the protocol
 *   other                       client_call(): the agent refused; see client_hresult()
 *
 * timeout_ms is -1 for "no limit".
 */
#ifndef AGENT_COMMON_CLIENT_H
#define AGENT_COMMON_CLIENT_H

#include "agent/wire/frame.h"

#include <cgfs/base.h>
#include <jansson.h>

struct client;

/* One message as it came. */
struct client_message {
	struct frame_header header;
	char *body; /* NUL-terminated; release with free() */
	size_t len; /* without the NUL */
};

/* @address: "unix:PATH", a path or "vsock:CID:PORT".  Does not negotiate. */
CGFS_CHECK int client_open(const char *address, struct client **ret, struct cgfs_err *reterr);
/* The same; connecting, and sending at any time, ends with -ETIMEDOUT after @timeout_ms (-1: no
 * limit), which is also what CLIENT_TIMEOUT stands for as the limit of a call. */
CGFS_CHECK int client_open_timeout(const char *address, int timeout_ms, struct client **ret,
				   struct cgfs_err *reterr);
#define CLIENT_TIMEOUT (-2)
/* Takes over a pair of descriptors (they may be the same); closes them at the end. */
CGFS_CHECK int client_open_fds(int in, int out, struct client **ret);
void client_close(struct client *c);
/* For poll(2), once client_pending() is false: one read may have brought several messages. */
int client_fd(const struct client *c);
/* Is a message here already, so that client_receive() does not have to wait? */
bool client_pending(const struct client *c);

/* Must be the first message on a connection. */
CGFS_CHECK int client_negotiate(struct client *c, int timeout_ms, struct cgfs_err *reterr);
/* The same for a client that is not the host: exits of containers of others are not for it. */
CGFS_CHECK int client_observe(struct client *c, int timeout_ms, struct cgfs_err *reterr);

/* One request and its answer.
 * @type:     MSG_...
 * @body:     borrowed; the request's members; NULL: none
 * @fds:      borrowed; sent along (SCM_RIGHTS); NULL when @n_fds is 0
 * @ret_body: the answer's members, release with json_decref(); may be NULL; set on success only
 * Notifications that arrive meanwhile are kept for client_notification().  An answer with a
 * Result other than 0 is a failure: the error's text is the agent's ErrorMessage. */
CGFS_CHECK int client_call(struct client *c, uint32_t type, json_t *body, const int *fds,
			   size_t n_fds, int timeout_ms, json_t **ret_body,
			   struct cgfs_err *reterr);
/* The Result of the last client_call(): an HR_..., 0 after success. */
uint32_t client_hresult(const struct client *c);

/* The next notification: its type and members.  Kept ones first, then waits for one.
 * -ETIMEDOUT when none came in time (reterr is not filled then: it is not an error). */
CGFS_CHECK int client_notification(struct client *c, int timeout_ms, uint32_t *ret_type,
				   json_t **ret_body, struct cgfs_err *reterr);

/* The parts of client_call(), for tests that send what it would not. */
CGFS_CHECK int client_send(struct client *c, uint32_t type, uint64_t id, const void *body,
			   size_t len, const int *fds, size_t n_fds, struct cgfs_err *reterr);
CGFS_CHECK int client_send_raw(struct client *c, const void *data, size_t len,
			       struct cgfs_err *reterr);
CGFS_CHECK int client_receive(struct client *c, int timeout_ms, struct client_message *ret,
			      struct cgfs_err *reterr);

#endif
