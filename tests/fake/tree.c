// SPDX-License-Identifier: MIT
/*
 * tree.c - cgroups as directories: making, removing, and which control files they have.
 *
 * Knows no control file by name.
 */
#include "host.h"

#include <limits.h>

/* -- control files ---------------------------------------------------------------------------- */

static const struct ctl_file *table(const struct node *n, int ctl)
{
	bool v2 = n->h->version == CGFS_V2;
	const struct controller *c;

	if (ctl == FAKE_CORE)
		return v2 ? fake_core_v2 : fake_core_v1;
	c = fake_controllers[ctl];
	if (!c || !(n->enabled & (1u << ctl)))
		return NULL;
	return v2 ? c->v2 : c->v1;
}

static bool has(const struct node *n, const struct ctl_file *type)
{
	return (type->where & (n->parent ? CHILD : ROOT)) && fake_since(n->host, type->since) &&
	       (type->needs & ~n->host->disk) == 0;
}

const struct ctl_file *fake_node_file(const struct node *n, const char *name, int *ret_ctl)
{
	if (n->removed)
		return NULL;
	for (int c = 0; c <= FAKE_CORE; c++) {
		const struct ctl_file *t = table(n, c);

		for (; t && t->name; t++) {
			if (strcmp(t->name, name) == 0 && has(n, t)) {
				*ret_ctl = c;
				return t;
			}
		}
	}
	return NULL;
}

size_t fake_node_files(const struct node *n, const struct ctl_file **files, size_t most)
{
	size_t count = 0;

	for (int c = 0; c <= FAKE_CORE; c++) {
		for (const struct ctl_file *t = table(n, c); t && t->name; t++) {
			if (has(n, t) && count < most)
				files[count++] = t;
		}
	}
	return count;
}

uint64_t *fake_field(struct node *n, const struct ctl_file *type)
{
	return (uint64_t *)(void *)((char *)n + type->field);
}

void fake_node_enable(struct node *n, int ctl)
{
	const struct ctl_file *t;

	if (ctl != FAKE_CORE)
		n->enabled |= 1u << ctl;
	for (t = table(n, ctl); t && t->name; t++) {
		if (t->field)
			*fake_field(n, t) = t->init;
	}
	if (ctl != FAKE_CORE && fake_controllers[ctl]->online)
		fake_controllers[ctl]->online(n);
}

void fake_node_disable(struct node *n, int ctl)
{
	if (fake_controllers[ctl]->offline)
		fake_controllers[ctl]->offline(n);
	fake_notify_hidden(n, ctl);
	n->enabled &= ~(1u << ctl);
	n->serial[ctl]++;
}

/* -- the tree --------------------------------------------------------------------------------- */

struct node *fake_node_child(const struct node *dir, const char *name)
{
	for (struct node *c = dir->children; c; c = c->next) {
		if (strcmp(c->name, name) == 0)
			return c;
	}
	return NULL;
}

size_t fake_node_count(const struct node *n)
{
	size_t count = 0;

	for (struct node *c = n->children; c; c = c->next)
		count += 1 + fake_node_count(c);
	return count;
}

void fake_node_path(const struct node *n, char *buf, size_t len)
{
	size_t used;

	if (!n->parent) {
		snprintf(buf, len, "/");
		return;
	}
	fake_node_path(n->parent, buf, len);
	used = n->parent->parent ? strlen(buf) : 0;
	snprintf(buf + used, len - used, "/%s", n->name);
}

/* v2: cgroup.max.depth and cgroup.max.descendants of all ancestors. */
static bool limits_allow(const struct node *dir)
{
	uint64_t depth = 1;

	for (const struct node *n = dir; n; n = n->parent, depth++) {
		if (depth > n->max_depth || fake_node_count(n) >= n->max_descendants)
			return false;
	}
	return true;
}

static struct node *add(struct node *dir, const char *name)
{
	struct node *n = fake_alloc(sizeof(*n)), **last = &dir->children;

	n->host = dir->host;
	n->h = dir->h;
	n->parent = dir;
	n->name = strdup(name);
	if (!n->name)
		abort();
	n->id = ++n->host->next_id;
	n->maker = n->host->user;
	while (*last)
		last = &(*last)->next;
	*last = n;
	fake_node_enable(n, FAKE_CORE);
	n->was_frozen = fake_node_frozen(n);
	return n;
}

int fake_node_mkdir(struct node *dir, const char *name)
{
	uint32_t controllers;
	struct node *n;
	int ctl;

	if (strlen(name) > NAME_MAX)
		return -ENAMETOOLONG;
	if (dir->removed)
		return -ENOENT;
	if (fake_node_child(dir, name) || fake_node_file(dir, name, &ctl))
		return -EEXIST;
	if (fake_node_may_write(dir, "") < 0)
		return -EACCES;
	if (strchr(name, '\n'))
		return -EINVAL;
	if (dir->h->version == CGFS_V2 && !limits_allow(dir))
		return -EAGAIN;
	n = add(dir, name);
	n->clone_children = dir->clone_children;
	n->notify_on_release = dir->notify_on_release;
	controllers =
		dir->h->version == CGFS_V2 ? (uint32_t)dir->subtree_control : dir->h->controllers;
	for (ctl = 0; ctl < CGFS_CONTROLLER_COUNT; ctl++) {
		if (controllers & (1u << ctl))
			fake_node_enable(n, ctl);
	}
	return 0;
}

int fake_node_rmdir(struct node *n)
{
	struct node **link;

	if (n->parent && fake_node_may_write(n->parent, "") < 0)
		return -EACCES;
	if (!n->parent || n->procs_below || n->children)
		return -EBUSY;
	fake_notify_gone(n);
	for (int c = 0; c < CGFS_CONTROLLER_COUNT; c++) {
		if ((n->enabled & (1u << c)) && fake_controllers[c]->offline)
			fake_controllers[c]->offline(n);
	}
	for (link = &n->parent->children; *link != n; link = &(*link)->next)
		;
	*link = n->next;
	n->next = NULL;
	n->parent = NULL;
	n->removed = true;
	if (!n->opens)
		fake_node_free(n);
	return 0;
}

void fake_node_put(struct node *n)
{
	if (--n->opens == 0 && n->removed)
		fake_node_free(n);
}

void fake_node_free(struct node *n)
{
	while (n->children) {
		struct node *c = n->children;

		n->children = c->next;
		fake_node_free(c);
	}
	fake_mem_unlisten(n);
	fake_node_disown(n);
	free(n->exceptions);
	free(n->trusted);
	free(n->name);
	free(n);
}
