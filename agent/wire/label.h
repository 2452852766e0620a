/* SPDX-License-Identifier: MIT */
/*
 * label.h - labels of pods and containers: names and values that mean something to their users
 * only.  What is one is the same for the agent and for podctl.
 */
#ifndef AGENT_WIRE_LABEL_H
#define AGENT_WIRE_LABEL_H

#include <cgfs/base.h>
#include <jansson.h>

#define LABEL_NAME_MAX	63
#define LABEL_VALUE_MAX 255
/* All labels of one pod or container, as compact JSON. */
#define LABELS_MAX	2048

/* A name is of letters, digits and ._-/, a value is text without control characters. */
int label_check(const char *name, const char *value, struct cgfs_err *reterr);
/* An object whose members are such, and not too long. */
int labels_check(const json_t *labels, struct cgfs_err *reterr);

#endif
