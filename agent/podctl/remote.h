/* SPDX-License-Identifier: MIT */
/*
 * remote.h - the verbs by way of an agent: what each needs of the bridge protocol and its
 * extensions (docs/protocol-extensions.md), with the same documents as when podctl looks for
 * itself.
 */
#ifndef PODCTL_REMOTE_H
#define PODCTL_REMOTE_H

#include "../common/client.h"
#include "podctl.h"

/* How long an agent may take for one answer. */
#define REMOTE_TIMEOUT_MS 60000

/* Connects and negotiates.  @agent is "unix:PATH". */
int remote_open(const char *agent, struct client **ret, struct cgfs_err *reterr);
/* One request about the container @id (NULL: about none); @members is taken over, may be
 * NULL.  The error's text is the agent's. */
int remote_call(struct client *c, uint32_t type, const char *id, json_t *members, const int *fds,
		size_t n_fds, json_t **ret, struct cgfs_err *reterr);

/* The pod with its limits; with a root file system also its sandbox container, started. */
int remote_create_pod(struct client *c, const struct args *a, json_t **ret,
		      struct cgfs_err *reterr);
/* Create and start; @fds: its streams; @argv as for oci_spec().  *ret_pid may be NULL. */
int remote_create_container(struct client *c, const struct args *a, const char *ctr,
			    char *const *argv, const int *fds, size_t n_fds, pid_t *ret_pid,
			    struct cgfs_err *reterr);
int remote_list(struct client *c, json_t **ret, struct cgfs_err *reterr);
/* @ctr "": of the pod.  *ret is the document of one group, with all figures. */
int remote_stat(struct client *c, const char *pod, const char *ctr, json_t **ret,
		struct cgfs_err *reterr);
int remote_remove(struct client *c, const char *pod, const char *ctr, struct cgfs_err *reterr);

int remote_subscribe(struct client *c, struct cgfs_err *reterr);
/* 1 with an event, 0 when none came within @timeout_ms (-1: no limit), or a negative errno. */
int remote_event(struct client *c, int timeout_ms, json_t **ret, struct cgfs_err *reterr);

#endif
