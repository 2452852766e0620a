/* SPDX-License-Identifier: MIT */
/*
 * pod.c - pods: one cgroup each, and the containers in it.  A pod goes with its last container
 * once its sandbox has been deleted, so that nothing is left in the kernel in any order.
 */
#include "agent/model/pod.h"

#include <cgfs/cgfs.h>

#include "agent/base/hash.h"
#include "agent/base/log.h"
#include "agent/base/loop.h"
#include "agent/bridge/bridge.h"
#include "agent/bridge/reply.h"
#include "agent/model/agent.h"
#include "agent/model/container.h"
#include "agent/model/home.h"
#include "agent/model/state.h"
#include "agent/wire/protocol.h"
#include "cgfs/base/util.h"

struct pod *pod_find(struct agent *a, const char *id)
{
	struct hash_node *node = hash_find(&a->pods, id);

	return node ? container_of(node, struct pod, node) : NULL;
}

/* In the table, without a cgroup. */
static struct pod *pod_new(struct agent *a, const char *id, const struct pod_known *known)
{
	struct pod *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->a = a;
	p->by_sandbox = known->by_sandbox;
	p->shared = known->shared;
	p->host_network = known->host_network;
	p->dir = *known->dir ? strdup(known->dir) : NULL;
	p->id = strdup(id);
	if (!p->id || (*known->dir && !p->dir) || hash_add(&a->pods, &p->node, p->id) < 0) {
		p->node.key = NULL;
		pod_free(p);
		return NULL;
	}
	return p;
}

int pod_create(struct agent *a, const char *id, const struct cgfs_resources *res, json_t *labels,
	       const char *dir, const char *hostname, struct pod **ret, struct cgfs_err *err)
{
	struct pod_known known = { .by_sandbox = dir != NULL, .dir = dir ? dir : "" };
	struct pod *p;
	int r;

	if (a->stopping)
		return err_why(err, -ECANCELED, "create pod", id,
			       "the agent is stopping, and deletes all pods");
	memory_first_pod(a);
	p = pod_new(a, id, &known);
	if (!p)
		return err_file(err, -ENOMEM, "create pod", id);
	p->labels = json_incref(labels);
	p->hostname = *hostname ? strdup(hostname) : NULL;
	if (*hostname && !p->hostname) {
		pod_free(p);
		return err_file(err, -ENOMEM, "create pod", id);
	}
	/* The state file is written first, so that the next agent knows what a killed one has half
	 * done. */
	r = state_save_pod(p, false, err);
	if (r == 0)
		r = cgfs_pod_create(a->cgfs, id, res, &p->group, err);
	if (r == 0)
		r = state_save_pod(p, true, err);
	if (r < 0) {
		/* Empty, it is gone at once; else the library completes it, and no request waits.
		 */
		if (p->group)
			ignore(cgfs_group_remove(p->group, NULL, NULL));
		state_forget_pod(a, id);
		pod_free(p);
		return r;
	}
	log_write(&a->log, LOG_INFO, "pod created", "pod", id, "cgroup", cgfs_group_path(p->group),
		  NULL);
	*ret = p;
	return 0;
}

int pod_adopt(struct agent *a, const char *id, const struct pod_known *known, struct pod **ret,
	      struct cgfs_err *err)
{
	struct pod *p = pod_new(a, id, known);
	int r;

	if (!p)
		return err_file(err, -ENOMEM, "adopt pod", id);
	r = cgfs_pod_open(a->cgfs, id, &p->group, err);
	if (r < 0) {
		pod_free(p);
		return r;
	}
	/* Half made: no answer reported it as created, so it is removed if it is empty. */
	p->doomed = !known->made;
	if (p->dir)
		home_keep(a, p->dir);
	home_keep_namespaces(p);
	*ret = p;
	return 0;
}

bool pod_adopt_rest(struct agent *a, const char *id, const struct pod_known *known)
{
	struct pod *p = pod_new(a, id, known);

	if (!p)
		return false;
	p->doomed = p->removal.begun = true;
	if (p->dir)
		home_keep(a, p->dir);
	home_keep_namespaces(p);
	p->emptying_begun = home_empty(p);
	pod_removed(p, 0, NULL);
	return true;
}

void pod_free(struct pod *p)
{
	if (p->node.key)
		hash_remove(&p->a->pods, &p->node);
	loop_timer_clear(p->a->loop, &p->end_timer);
	loop_timer_clear(p->a->loop, &p->again);
	removal_drop(&p->removal);
	limits_drop_pod(p);
	reply_all(&p->replies, -ECANCELED, "the agent is stopping");
	aside_drop(&p->emptying);
	cgfs_group_close(p->group);
	free(p->message);
	free(p->dir);
	free(p->namespaces);
	json_decref(p->labels);
	free(p->hostname);
	free(p->id);
	free(p);
}

void pod_join(struct pod *p, struct container *c)
{
	c->pod = p;
	c->pod_next = p->containers;
	p->containers = c;
	p->n++;
}

static void not_removed(void *ctx, int error, const char *message)
{
	pod_removed(ctx, error, message);
}

static void begin_removal(struct pod *p)
{
	if (p->removal.begun)
		return;
	/* Beside the cgroups: both wait for the kernel. */
	p->emptying_begun = home_empty(p);
	removal_begin(&p->removal, p->a->loop, p->group, not_removed, p);
}

static int count(void *arg, const char *id)
{
	++*(size_t *)arg;
	return 0;
}

void pod_settle(struct pod *p)
{
	struct container *c = p->containers;
	size_t groups = 0;

	while (c && !c->sandbox)
		c = c->pod_next;
	if (p->by_sandbox && !c)
		p->doomed = true;
	if (!p->doomed || p->n > 0)
		return;
	/* Containers that the agent did not make are killed on request only. */
	if (cgfs_container_list(p->group, count, &groups, NULL) == 0 && groups == 0)
		begin_removal(p);
	else
		p->doomed = false;
}

static void on_end_time(void *ctx);

static void set_end_time(struct pod *p)
{
	if (p->end_timer.index != 0)
		return;
	p->end_timer = (struct loop_timer){ .fn = on_end_time, .ctx = p };
	ignore(loop_timer_set(p->a->loop, &p->end_timer, END_ANSWER_MS));
}

/* Its cgroups and what it had elsewhere are removed. */
static void gone(struct pod *p)
{
	struct agent *a = p->a;

	if (p->dir)
		home_remove_files(a, p->dir);
	log_write(&a->log, p->error ? LOG_ERROR : LOG_INFO, "pod deleted", "pod", p->id, "error",
		  p->error ? p->message : NULL, NULL);
	if (!p->left)
		state_forget_pod(a, p->id);
	hash_remove(&a->pods, &p->node);
	p->node.key = NULL;
	reply_all(&p->replies, p->error, p->message);
	pod_free(p);
	a->emptied(a);
}

void pod_emptied(struct pod *p)
{
	p->emptying_begun = false;
	if (p->removed)
		gone(p);
}

void pod_removed(struct pod *p, int error, const char *message)
{
	p->removed = true;
	p->error = error;
	p->message = message ? strdup(message) : NULL;
	if (p->emptying_begun)
		set_end_time(p);
	else
		gone(p);
}

static void move_replies(struct reply **to, struct reply **from)
{
	while (*to)
		to = &(*to)->next;
	*to = *from;
	*from = NULL;
}

void pod_leave(struct pod *p, struct container *c)
{
	struct container **at = &p->containers;

	while (*at != c)
		at = &(*at)->pod_next;
	*at = c->pod_next;
	p->n--;
	c->pod = NULL;
	p->removal.many |= c->removal.many;
	if (p->doomed && p->n == 0) {
		move_replies(&p->replies, &c->replies);
		begin_removal(p);
	}
}

static void on_end_time(void *ctx)
{
	struct pod *p = ctx;

	log_write(&p->a->log, LOG_WARNING, "deletion takes long and continues", "pod", p->id, NULL);
	reply_all(&p->replies, -ETIMEDOUT,
		  p->n > 0 ? "its containers are still being deleted"
			   : "its cgroups are being removed");
}

void pod_doom(struct pod *p)
{
	struct cgfs_err err = { 0 };

	p->doomed = true;
	limits_cancel_pod(p);
	/* A frozen pod stays frozen, even if a container in it is thawed. */
	if (p->group && cgfs_group_thaw(p->group, &err) < 0)
		log_write(&p->a->log, LOG_DEBUG, "while a pod is deleted", "pod", p->id, "error",
			  err.text, NULL);
}

static void delete_pod(struct pod *p)
{
	struct container *next;

	pod_doom(p);
	set_end_time(p);
	if (p->n == 0) {
		begin_removal(p);
		return;
	}
	/* The last one takes the pod with it: p must not be looked at after that. */
	for (struct container *c = p->containers; c; c = next) {
		next = c->pod_next;
		container_end(c, NULL, HR_OK, NULL);
	}
}

void pod_delete(struct agent *a, struct request *rq, const char *id)
{
	struct hash_node *node = hash_find(&a->containers, id);
	struct pod *p = pod_find(a, id);

	if (p) {
		reply_add(&p->replies, rq, HR_OK, NULL);
		delete_pod(p);
	} else if (node && !container_of(node, struct container, node)->pod) {
		container_end(container_of(node, struct container, node), rq, HR_OK, NULL);
	} else {
		foreign_delete(a, rq, id);
	}
}

void pod_delete_all(struct agent *a)
{
	struct hash_node *node, *next;

	for (node = hash_next(&a->pods, NULL); node; node = hash_next(&a->pods, node))
		pod_doom(container_of(node, struct pod, node));
	/* What ends at once changes the tables: begin anew after each that did. */
	for (node = hash_next(&a->containers, NULL); node; node = next) {
		struct container *c = container_of(node, struct container, node);
		size_t before = a->containers.n;

		next = hash_next(&a->containers, node);
		if (c->end == END_NONE)
			container_end(c, NULL, HR_OK, NULL);
		if (a->containers.n != before)
			next = hash_next(&a->containers, NULL);
	}
	for (node = hash_next(&a->pods, NULL); node; node = next) {
		struct pod *p = container_of(node, struct pod, node);
		size_t before = a->pods.n;

		next = hash_next(&a->pods, node);
		if (p->n == 0)
			begin_removal(p);
		if (a->pods.n != before)
			next = hash_next(&a->pods, NULL);
	}
}
