/* SPDX-License-Identifier: MIT */
/*
 * home.h - what a pod has of its own in the guest's file system, in the directory of its sandbox's
 * bundle: hostname, hosts and resolv.conf, and the directories that its containers share.
 */
#ifndef AGENT_HOME_H
#define AGENT_HOME_H

#include "agent/base/aside.h"
#include "agent/runtime/spec.h"

struct agent;
struct container;
struct pod;

/* The directory for a pod, or a container without one, whose first container has @bundle; NULL: no
 * memory.  As in the reference: pods that share a utility VM's sandbox have one beside it. */
char *home_path(const char *bundle, const struct spec_place *place);
/* Is that directory another container's, with whose end its files go? */
bool home_taken(const struct agent *a, const char *bundle, const struct spec_place *place);
/* Makes and mounts what the container @c, in the table and in its pod, gets of it; changes @s.
 * HR_OK, or an HR_... and @why. */
uint32_t home_apply(struct container *c, struct spec *s, const struct spec_place *place,
		    char why[SPEC_WHY_MAX]);
/* Where the pod's namespaces are kept.  NULL: no memory. */
char *home_namespaces(const struct pod *p);
/* An earlier agent has made it, and it is used on. */
void home_keep(struct agent *a, const char *dir);
void home_keep_namespaces(struct pod *p);
/* The files go. */
void home_remove_files(struct agent *a, const char *dir);

/* --- directories that are shared; kept in the state of a pod -------------------------------------
 */

#define SHARED_DISK	  1u
#define SHARED_MEMORY	  2u
#define SHARED_HUGEPAGES  4u
#define SHARED_NAMESPACES 8u

/* Unmounts and empties them in a child process, then calls pod_emptied().  false: there is nothing
 * to be waited for. */
bool home_empty(struct pod *p);

#endif
