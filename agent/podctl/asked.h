/* SPDX-License-Identifier: MIT */
/*
 * asked.h - which field of OCI's linux.resources led to which write.
 */
#ifndef PODCTL_ASKED_H
#define PODCTL_ASKED_H

#include "podctl.h"

struct asked;

/* @json: the resources object; borrowed until asked_free().  NULL: out of memory. */
struct asked *asked_new(const json_t *json);
void asked_free(struct asked *a);
/* For struct cgfs_open_opts; its user is a struct asked. */
void asked_written(void *user, const struct cgfs_written *w);
/* What was written for limits, and what for devices, as two arrays; -ENOMEM, also when that came
 * up earlier. */
int asked_documents(struct asked *a, json_t **ret_applied, json_t **ret_devices);
/* The fields behind the write that failed, "cpu.quota, cpu.period"; NULL: none did. */
const char *asked_refused(const struct asked *a);

#endif
