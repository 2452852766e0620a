/* SPDX-License-Identifier: MIT */
/*
 * config.c - what a container's configuration has about its first process, for processes that are
 * added.  It is read when it is needed; the runtime has it in the container's directory.
 */
#include <stdio.h>

#include "agent/base/files.h"
#include "agent/base/json.h"
#include "agent/model/container.h"
#include "agent/runtime/spec.h"
#include "agent/runtime/spec_apply.h"
#include "agent/wire/protocol.h"
#include "cgfs/base/util.h"

void config_keep(struct container *c, const struct spec *spec, const char *root)
{
	c->rlimits = spec_rlimits(spec);
	c->user = spec_named_user(spec->process);
	c->rootfs = strdup(root);
	c->config_known = c->rootfs != NULL;
}

static json_t *load(const struct container *c)
{
	auto_free char *path = NULL, *text = NULL;
	char why[JSON_WHY_MAX];
	size_t len;

	if (asprintf(&path, "%s/config.json", c->dir) < 0) {
		path = NULL;
		return NULL;
	}
	return files_load(path, &text, &len) == 0 ? json_parse_object(text, len, why) : NULL;
}

/* What was known to an earlier agent. */
static void recall(struct container *c)
{
	const char *root;
	struct spec spec;
	json_t *json;

	if (c->config_known)
		return;
	json = load(c);
	spec = spec_read(json);
	root = spec_root_path(&spec);
	if (json)
		config_keep(c, &spec, root ? root : "");
	json_decref(json);
}

const json_t *config_rlimits(struct container *c)
{
	recall(c);
	return c->rlimits;
}

uint32_t config_user(struct container *c, json_t *process, char why[SPEC_WHY_MAX])
{
	json_t *named = spec_named_user(process);
	uint32_t hr = HR_OK;

	recall(c);
	if (named && c->rootfs)
		hr = spec_resolve_user(process, c->rootfs, why);
	else if (c->user && spec_set_user(process, c->user) < 0)
		hr = spec_refuse(HR_FAIL, why, "out of memory");
	json_decref(named);
	return hr;
}

int config_inherit(const struct container *c, json_t *process)
{
	json_t *json = load(c);
	int r;

	if (!json)
		return -ENOENT;
	r = spec_inherit(process, spec_read(json).process);
	json_decref(json);
	return r;
}
