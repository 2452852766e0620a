/* SPDX-License-Identifier: MIT */
/*
 * agent.h - the source that asks an agent, by the bridge protocol and its extensions
 * (docs/protocol-extensions.md).
 */
#ifndef PODCTL_AGENT_H
#define PODCTL_AGENT_H

#include "agent/podctl/source/source.h"
#include "agent/wire/client.h"

/* agent_list.c has list(), ids() and stat(), run_agent.c the last three functions. */
struct agent_source {
	struct source source;
	struct client *c;      /* requests, and events once it has subscribed */
	struct client *waiter; /* of a run: waits for the process */
	bool made_ctr;
};

static inline struct agent_source *agent_of(struct source *s)
{
	return (struct agent_source *)s;
}

/* How long the agent may take for one answer, in milliseconds. */
int remote_timeout(const struct args *a);
/* Connects to args_agent() and negotiates. */
int remote_open(const struct args *a, struct client **ret, struct cgfs_err *reterr);
/* One request about the container @id (NULL: about none); @members is taken over, may be
 * NULL.  The error's text is the agent's. */
int remote_call(struct client *c, uint32_t type, const char *id, json_t *members, const int *fds,
		size_t n_fds, json_t **ret, struct cgfs_err *reterr);
/* @labels: borrowed; NULL: none.  @hostname NULL: the pod's name. */
int remote_create_pod(struct client *c, const char *pod, const struct limits *limits,
		      json_t *labels, const char *hostname, struct cgfs_err *reterr);
/* The streams of podctl that a process gets: @n from @first on, or a terminal. */
struct remote_streams {
	int first;
	size_t n;
	const char *console; /* NULL: no terminal */
};
/* Members of a message, and descriptors. */
json_t *remote_stdio(const struct remote_streams *streams, int fds[3]);
/* Create and start; @streams NULL: none; @argv as for oci_spec().  *ret_pid may be NULL. */
int remote_create_container(struct client *c, const struct args *a, const char *ctr,
			    char *const *argv, const struct remote_streams *streams, pid_t *ret_pid,
			    struct cgfs_err *reterr);
int remote_remove(struct client *c, const char *pod, const char *ctr, struct cgfs_err *reterr);

/* One pod, or container of it, with all figures or those of a line of `ls`. */
int remote_describe(struct client *c, const char *pod, const char *ctr, bool all,
		    struct group_info *ret, struct cgfs_err *reterr);

int agent_list(struct source *s, const struct target *only, unsigned int what,
	       struct group_list *list, struct cgfs_err *reterr);
int agent_ids(struct source *s, struct ids *ret, struct cgfs_err *reterr);
int agent_stat(struct source *s, const struct target *t, unsigned int what, struct group_info *ret,
	       struct cgfs_err *reterr);
int agent_start(struct source *s, struct command *cmd, struct cgfs_err *reterr);
int agent_exec(struct source *s, struct command *cmd, struct cgfs_err *reterr);
int agent_await(struct source *s, struct command *cmd, struct cgfs_err *reterr);
int agent_attach(struct source *s, struct command *cmd, struct cgfs_err *reterr);
int agent_follow(struct source *s, struct command *cmd, struct cgfs_err *reterr);
int agent_resize(struct source *s, const struct target *t, struct cgfs_err *reterr);
/* What an attached command has printed since the last time. */
int attach_print(struct command *cmd, struct cgfs_err *reterr);
int agent_unmake(struct source *s, struct command *cmd, struct cgfs_err *reterr);

#endif
