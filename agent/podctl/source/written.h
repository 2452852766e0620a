/* SPDX-License-Identifier: MIT */
/*
 * written.h - which field of OCI's linux.resources led to which write.
 */
#ifndef PODCTL_WRITTEN_H
#define PODCTL_WRITTEN_H

#include "agent/podctl/source/source.h"

struct written;

/* @json: the resources object; borrowed until written_free().  NULL: out of memory. */
struct written *written_new(const json_t *json);
void written_free(struct written *a);
/* For struct cgfs_open_opts; its user is a struct written. */
void written_add(void *user, const struct cgfs_written *w);
/* What was written for limits, and what for devices, as two arrays; -ENOMEM, also when that came
 * up earlier. */
int written_documents(struct written *a, json_t **ret_applied, json_t **ret_devices);
/* The fields behind the write that failed, "cpu.quota, cpu.period"; NULL: none did. */
const char *written_refused(const struct written *a);

#endif
