// SPDX-License-Identifier: MIT
/*
 * owner.c - whose a cgroup's directory and its control files are.  A new cgroup is the caller's;
 * mkdir needs the directory above, and a write the file, to be the caller's own, unless the
 * caller is root.  Modes are the kernel's own: 0755 and 0644, so groups give nothing, except
 * cgroup.event_control.
 */
#include "host.h"

static struct owned *find(const struct node *n, const char *file)
{
	for (struct owned *o = n->owned; o; o = o->next) {
		if (strcmp(o->name, file) == 0)
			return o;
	}
	return NULL;
}

/* The name as the tables have it, which outlives the caller's; NULL: no such file. */
static const char *lasting(const struct node *n, const char *file)
{
	const struct ctl_file *type;
	int ctl;

	if (!*file)
		return "";
	type = fake_node_file(n, file, &ctl);
	return type ? type->name : NULL;
}

int fake_node_owner(const struct node *n, const char *file, uid_t *ret_uid, gid_t *ret_gid)
{
	const struct owned *o = find(n, file);

	if (!lasting(n, file))
		return -ENOENT;
	*ret_uid = o ? o->uid : n->maker;
	*ret_gid = o ? o->gid : n->maker;
	return 0;
}

int fake_node_chown(struct node *n, const char *file, uid_t uid, gid_t gid)
{
	const char *name = lasting(n, file);
	struct owned *o = find(n, file);

	if (!name)
		return -ENOENT;
	if (n->host->user)
		return -EPERM;
	if (!o) {
		o = fake_alloc(sizeof(*o));
		o->next = n->owned;
		o->name = name;
		n->owned = o;
	}
	o->uid = uid;
	o->gid = gid;
	return 0;
}

int fake_node_may_write(const struct node *n, const char *file)
{
	uid_t uid;
	gid_t gid;
	int r = fake_node_owner(n, file, &uid, &gid);

	if (r < 0)
		return r;
	if (!n->host->user || n->host->user == uid || strcmp(file, "cgroup.event_control") == 0)
		return 0;
	return -EACCES;
}

void fake_node_disown(struct node *n)
{
	while (n->owned) {
		struct owned *o = n->owned;

		n->owned = o->next;
		free(o);
	}
}
