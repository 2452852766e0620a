/* SPDX-License-Identifier: MIT */
/*
 * message.h - the handlers of messages, and what they share.
 */
#ifndef AGENT_MESSAGE_H
#define AGENT_MESSAGE_H

#include "agent/wire/frame.h"
#include "cgfs/base/json_out.h"

#include <jansson.h>

#include <cgfs/cgfs.h>

struct agent;
struct conn;
struct container_streams;
struct request;

void message_dispatch(void *ctx, struct request *rq, const char *why);
void message_closed(void *ctx, struct conn *c);
bool message_outlives(uint32_t type);
/* Carries out what came before the agent was ready. */
void message_ready(struct agent *a);
/* Frees whatever is held for pods, processes, requests and connections, and the bridge. */
void message_end(struct agent *a);
/* members.c, for the handlers.  false or NULL: @rq has been answered. */
void message_bad_json(struct request *rq, const char *why);
bool message_id(struct request *rq, const char **ret);
/* The member Labels, checked; NULL: there are none. */
bool message_labels(struct request *rq, json_t **ret);
/* A member that is a string with JSON of this shape in it. */
json_t *message_embedded(struct request *rq, const json_t *in, const char *name, const char *shape);
/* StdioFds: takes what the message names from the connection; the others are -EBADF.
 * ConsoleSocket.  The caller closes @fds. */
bool message_streams(struct request *rq, struct container_streams *ret, int fds[3]);

/* container.c */
void message_create(struct agent *a, struct request *rq);
void message_start(struct agent *a, struct request *rq);
void message_delete_state(struct agent *a, struct request *rq);
extern const struct words message_words;
/* settings.c */
void message_modify_settings(struct agent *a, struct request *rq);
/* process.c */
void message_execute(struct agent *a, struct request *rq);
void message_wait(struct agent *a, struct request *rq);
void message_signal(struct agent *a, struct request *rq);
void message_resize(struct agent *a, struct request *rq);
void message_shutdown_graceful(struct agent *a, struct request *rq);
void message_shutdown_forced(struct agent *a, struct request *rq);

/* Room for lists and figures in an answer, beside its other members. */
#define EXTENSION_MAX (FRAME_SIZE_MAX - 4096)
/* false: @rq has been answered. */
bool extension_string(struct request *rq, const char *name, const char **ret);
/* What ListPods was asked for. */
struct list_query {
	const char *after;    /* "": from the beginning; else "POD" or "POD/CONTAINER" */
	const char *pod;      /* this one alone; "": all */
	unsigned int figures; /* CGFS_READ_* bits; 0: none */
};
/* extension_list.c: one page of the list, as members of the object that is open; false: out of
 * memory. */
bool extension_page(struct agent *a, const struct list_query *q, struct json_out *o);
void extension_list_pods(struct agent *a, struct request *rq);
void extension_pod_stats(struct agent *a, struct request *rq);
void extension_subscribe(struct agent *a, struct request *rq);
void extension_delete_pod(struct agent *a, struct request *rq);
void extension_create_pod(struct agent *a, struct request *rq);
void extension_update_pod(struct agent *a, struct request *rq);

/* --- event.c: events of libcgfs ------------------------------------------------------------- */

/* Adds libcgfs's descriptor to the loop. */
int event_watch(struct agent *a);
/* Sends the kept events that are not older, the oldest first. */
void event_replay(struct agent *a, struct conn *c, uint32_t age_ms);
/* Frees the kept events. */
void event_forget(struct agent *a);

/* --- properties.c --------------------------------------------------------------------------- */

/* The members of LCOWMetrics.  @above: the least memory limit of the cgroups above the container's,
 * in bytes; CGFS_MAX: none. */
void properties_metrics(struct json_out *o, const struct cgfs_stats *s,
			const struct cgfs_hugetlb_stat *huge, size_t n_huge, uint64_t above);
/* GetProperties. */
void properties_get(struct agent *a, struct request *rq);

#endif
