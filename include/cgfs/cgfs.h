/* SPDX-License-Identifier: MIT */
/*
 * cgfs/cgfs.h - the whole public API: pods and containers over cgroup v1 and v2.
 *
 * Begin with cgfs_open() (host.h), make a pod and a container (group.h), read their figures
 * (stats.h), wait for what happens to them (event.h).  docs/example.c is a whole program.
 */
#ifndef CGFS_CGFS_H
#define CGFS_CGFS_H

#include <cgfs/base.h>
#include <cgfs/capability.h>
#include <cgfs/cpuset.h>
#include <cgfs/delegate.h>
#include <cgfs/device.h>
#include <cgfs/event.h>
#include <cgfs/fs.h>
#include <cgfs/group.h>
#include <cgfs/host.h>
#include <cgfs/lists.h>
#include <cgfs/policy.h>
#include <cgfs/resources.h>
#include <cgfs/stats.h>
#include <cgfs/update.h>

#endif
