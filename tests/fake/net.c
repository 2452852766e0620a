// SPDX-License-Identifier: MIT
/*
 * net.c - v1's net_cls and net_prio, on a machine with lo, eth0, and so many containers' that the
 * map of priorities is longer than a page.  Nothing is sent.
 */
#include "host.h"

static const char *interface(size_t i, char buf[16])
{
	static const char *const own[] = { "lo", "eth0" };

	if (i < ARRAY_SIZE(own))
		return own[i];
	snprintf(buf, 16, "veth%011zu", i);
	return buf;
}

/* A new cgroup has what its parent has. */
static void cls_online(struct node *n)
{
	n->classid = n->parent ? n->parent->classid : 0;
}

static int store_classid(const struct open_file *file, char *text)
{
	uint64_t v;
	int r = fake_parse_u64(text, &v);

	if (r < 0)
		return r;
	file->node->classid = (uint32_t)v;
	return 0;
}

static const struct ctl_file cls[] = {
	CTL("net_cls.classid", BOTH, fake_show_u64, store_classid, FIELD(classid)),
	{ .name = NULL },
};

const struct controller fake_net_cls = { .v1_name = "net_cls", .v1 = cls, .online = cls_online };

static void prio_online(struct node *n)
{
	for (size_t i = 0; i < FAKE_INTERFACES; i++)
		n->prio[i] = n->parent ? n->parent->prio[i] : 0;
}

static int show_map(const struct open_file *file, FILE *out)
{
	char buf[16];

	for (size_t i = 0; i < FAKE_INTERFACES; i++)
		fprintf(out, "%s %u\n", interface(i, buf), file->node->prio[i]);
	return 0;
}

/* "eth0 5" */
static int store_map(const struct open_file *file, char *text)
{
	char name[17], buf[16];
	unsigned int prio;

	if (sscanf(text, "%16s %u", name, &prio) != 2)
		return -EINVAL;
	for (size_t i = 0; i < FAKE_INTERFACES; i++) {
		if (strcmp(interface(i, buf), name) != 0)
			continue;
		file->node->prio[i] = prio;
		return 0;
	}
	return -ENODEV;
}

static const struct ctl_file prio[] = {
	CTL("net_prio.ifpriomap", BOTH, show_map, store_map),
	{ .name = NULL },
};

const struct controller fake_net_prio = { .v1_name = "net_prio",
					  .v1 = prio,
					  .online = prio_online };
