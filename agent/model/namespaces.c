/* SPDX-License-Identifier: MIT */
/*
 * namespaces.c - the network, IPC and UTS namespaces that the containers of a pod share: those of
 * its sandbox; of a pod without one, those that its first container makes, which stay with the pod.
 *
 * A host that is a container runtime names the sandbox's by paths of /proc itself; what it does not
 * name is named here.
 */
#include "agent/runtime/namespaces.h"

#include <stdio.h>

#include "agent/model/agent.h"
#include "agent/model/container.h"
#include "agent/model/home.h"
#include "agent/model/pod.h"
#include "agent/model/process.h"
#include "agent/model/state.h"
#include "agent/runtime/spec_apply.h"
#include "agent/wire/protocol.h"
#include "cgfs/base/util.h"

static uint32_t join(struct spec *s, const char *type, const char *path, char why[SPEC_WHY_MAX])
{
	return spec_join_namespace(s, type, path) < 0 ? spec_refuse(HR_FAIL, why, "out of memory")
						      : HR_OK;
}

/* Those that the sandbox has of its own. */
static uint32_t join_sandbox(struct container *c, struct spec *s, char why[SPEC_WHY_MAX])
{
	const struct pod *p = c->pod;
	const struct container *sandbox = p->containers;
	uint32_t hr = HR_OK;

	while (sandbox && !sandbox->sandbox)
		sandbox = sandbox->pod_next;
	if (!sandbox || !sandbox->init)
		return spec_refuse(HR_INVALID_STATE, why, "the sandbox of pod %s is %s", p->id,
				   sandbox ? "still being created" : "gone");
	for (int i = 0; hr == HR_OK && i < NAMESPACE_TYPES; i++) {
		const char *type = namespace_types[i];
		char path[64];

		if (spec_joins_namespace(s, type) ||
		    (i == NAMESPACE_NETWORK && spec_host_network(s)))
			continue;
		snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)sandbox->init->pid,
			 namespace_files[i]);
		if (p->namespace[i]) {
			c->joins |= 1u << i;
			hr = join(s, type, path, why);
		} else if (i == NAMESPACE_NETWORK && p->host_network) {
			spec_drop_namespace(s, type);
		}
	}
	return hr;
}

/* Known to the next agent before there is any. */
static uint32_t keep(struct pod *p, char why[SPEC_WHY_MAX])
{
	struct cgfs_err err = { 0 };
	int r;

	if (!p->namespaces && !(p->namespaces = home_namespaces(p)))
		return spec_refuse(HR_FAIL, why, "out of memory");
	r = state_share(p, SHARED_NAMESPACES, &err);
	if (r == 0)
		r = dirs_make(&p->a->dirs, p->namespaces);
	return r < 0 ? spec_refuse(HR_FAIL, why, "make %.200s: %s", p->namespaces, strerror(-r))
		     : HR_OK;
}

static uint32_t join_kept(struct container *c, struct spec *s, char why[SPEC_WHY_MAX])
{
	struct pod *p = c->pod;
	uint32_t hr = HR_OK;

	for (int i = 0; i < NAMESPACE_TYPES; i++) {
		if (spec_makes_namespace(s, namespace_types[i]))
			c->namespace_types |= 1u << i;
	}
	if (c->namespace_types)
		hr = keep(p, why);
	for (int i = 0; hr == HR_OK && i < NAMESPACE_TYPES; i++) {
		auto_free char *path = NULL;

		if (!(c->namespace_types & 1u << i))
			continue;
		if (asprintf(&path, "%s/%s", p->namespaces, namespace_files[i]) < 0)
			path = NULL;
		hr = path ? join(s, namespace_types[i], path, why)
			  : spec_refuse(HR_FAIL, why, "out of memory");
	}
	return hr;
}

uint32_t namespaces_apply(struct container *c, struct spec *s, const struct spec_place *place,
			  char why[SPEC_WHY_MAX])
{
	if (place->kind == SPEC_SANDBOX && spec_host_network(s)) {
		c->pod->host_network = true;
		if (state_save_pod(c->pod, true, NULL) == 0)
			return HR_OK;
		c->pod->host_network = false;
		return spec_refuse(HR_FAIL, why, "the state of the pod is not saved");
	}
	if (place->kind != SPEC_WORKLOAD)
		return HR_OK;
	return c->pod->by_sandbox ? join_sandbox(c, s, why) : join_kept(c, s, why);
}

/* A namespace that is the guest's own is not shared. */
static void note(uint64_t to[NAMESPACE_TYPES], const uint64_t from[NAMESPACE_TYPES])
{
	for (int i = 0; i < NAMESPACE_TYPES; i++)
		to[i] = from[i] == namespace_of(getpid(), i) ? 0 : from[i];
}

static void look(struct container *c)
{
	for (int i = 0; i < NAMESPACE_TYPES; i++)
		c->namespaces[i] = namespace_of(c->init->pid, i);
}

bool namespaces_created(struct container *c)
{
	struct pod *p = c->pod;

	look(c);
	if (p && c->sandbox)
		note(p->namespace, c->namespaces);
	/* The sandbox may have ended meanwhile, and its number been given to another process. */
	for (int i = 0; p && p->by_sandbox && i < NAMESPACE_TYPES; i++) {
		if (c->joins & 1u << i && c->namespaces[i] != p->namespace[i])
			return false;
	}
	for (int i = 0; p && !p->by_sandbox && p->namespaces && i < NAMESPACE_TYPES; i++)
		p->namespace[i] = namespace_at(p->namespaces, i);
	return true;
}

void namespaces_adopt(struct container *c)
{
	look(c);
	if (c->pod && c->sandbox)
		note(c->pod->namespace, c->namespaces);
}

bool namespaces_shared(const struct container *c, int type)
{
	return c->pod && c->namespaces[type] && c->namespaces[type] == c->pod->namespace[type];
}
