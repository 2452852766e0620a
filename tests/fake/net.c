// SPDX-License-Identifier: MIT
/*
 * net.c - v1's net_cls and net_prio, on a machine with the interfaces lo and eth0.  Nothing is
 * sent.
 */
#include "host.h"

static const char *const interfaces[] = { "lo", "eth0" };

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
	for (size_t i = 0; i < ARRAY_SIZE(interfaces); i++)
		n->prio[i] = n->parent ? n->parent->prio[i] : 0;
}

static int show_map(const struct open_file *file, FILE *out)
{
	for (size_t i = 0; i < ARRAY_SIZE(interfaces); i++)
		fprintf(out, "%s %llu\n", interfaces[i], (unsigned long long)file->node->prio[i]);
	return 0;
}

/* "eth0 5" */
static int store_map(const struct open_file *file, char *text)
{
	char name[17];
	unsigned int prio;

	if (sscanf(text, "%16s %u", name, &prio) != 2)
		return -EINVAL;
	for (size_t i = 0; i < ARRAY_SIZE(interfaces); i++) {
		if (strcmp(interfaces[i], name) != 0)
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
