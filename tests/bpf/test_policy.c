/* SPDX-License-Identifier: MIT */
/*
 * test_policy.c - what the device policy allows and denies: on paper (the compiled list against
 * the reference evaluator) and to real processes on the running kernel.
 */
#include "bpf/device/device.h"
#include "world.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* Numbers that no driver owns: what is allowed fails with ENXIO, what is denied with EPERM. */
#define MAJOR0 240
#define MAJORS 3
#define MINORS 4

static uint32_t random_below(uint32_t *seed, uint32_t n)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 17;
	*seed ^= *seed << 5;
	return *seed % n;
}

static struct cgfs_device_rule random_rule(uint32_t *seed)
{
	static const enum cgfs_device_type types[] = { CGFS_DEVICE_CHAR, CGFS_DEVICE_BLOCK,
						       CGFS_DEVICE_CHAR, CGFS_DEVICE_ALL };
	struct cgfs_device_rule r = {
		.type = types[random_below(seed, 4)],
		.major = random_below(seed, 3) ? MAJOR0 + (int32_t)random_below(seed, MAJORS)
					       : CGFS_DEVICE_ANY,
		.minor = random_below(seed, 3) ? (int32_t)random_below(seed, MINORS)
					       : CGFS_DEVICE_ANY,
		.access = 1 + random_below(seed, 7),
		.allow = random_below(seed, 2),
	};

	if (r.type == CGFS_DEVICE_ALL)
		r.major = r.minor = CGFS_DEVICE_ANY;
	return r;
}

static const struct cgfs_rule *look_up(const struct cgfs_bpf_list *list, enum cgfs_policy_kind kind,
				       int32_t major, int32_t minor)
{
	const struct cgfs_rule *found = NULL;

	for (size_t i = 0; i < list->n; i++)
		if (list->keys[i].kind == kind && list->keys[i].major == major &&
		    list->keys[i].minor == minor) {
			CHECK(!found); /* each pattern once */
			found = &list->rules[i];
		}
	return found;
}

/* The program's look-ups, repeated in user space. */
static uint32_t check_compiled(const struct cgfs_bpf_list *list, enum cgfs_policy_kind kind,
			       int32_t major, int32_t minor)
{
	const struct cgfs_rule *a = look_up(list, kind, major, minor), *b = a;

	if (!a) {
		a = look_up(list, kind, major, CGFS_POLICY_ANY);
		b = look_up(list, kind, CGFS_POLICY_ANY, minor);
		if (!a)
			a = b;
		if (!a)
			a = look_up(list, kind, CGFS_POLICY_ANY, CGFS_POLICY_ANY);
		if (!a)
			return 0;
		if (!b)
			b = a;
	}
	return ((a->read_rule > b->read_rule ? a : b)->read ? CGFS_ACCESS_READ : 0) |
	       ((a->write_rule > b->write_rule ? a : b)->write ? CGFS_ACCESS_WRITE : 0) |
	       ((a->mknod_rule > b->mknod_rule ? a : b)->mknod ? CGFS_ACCESS_MKNOD : 0);
}

TAP_TEST(compiled_list_means_what_the_list_means)
{
	struct cgfs_device_rule rules[24];
	struct cgfs_bpf_list list;
	uint32_t seed = 2463534242u;

	for (int round = 0; round < 4000; round++) {
		size_t n = random_below(&seed, 24);

		for (size_t i = 0; i < n; i++)
			rules[i] = random_rule(&seed);
		CHECK_INT(cgfs_bpf_compile(rules, n, &list, NULL), 0);
		CHECK(list.n <= 2 * n);
		/* One number more than the rules use: what no rule names. */
		for (int32_t major = MAJOR0; major <= MAJOR0 + MAJORS; major++)
			for (int32_t minor = 0; minor <= MINORS; minor++) {
				CHECK_INT(check_compiled(&list, CGFS_CHAR, major, minor),
					  cgfs_device_check(rules, n, CGFS_DEVICE_CHAR, major,
							    minor, CGFS_ACCESS_ALL));
				CHECK_INT(check_compiled(&list, CGFS_BLOCK, major, minor),
					  cgfs_device_check(rules, n, CGFS_DEVICE_BLOCK, major,
							    minor, CGFS_ACCESS_ALL));
			}
		cgfs_bpf_list_free(&list);
	}
}

TAP_TEST(compile_refuses_what_is_no_rule)
{
	struct cgfs_device_rule bad = { CGFS_DEVICE_ALL, 1, 3, CGFS_ACCESS_ALL, true };
	struct cgfs_bpf_list list = { 0 };
	struct cgfs_err err;

	CHECK_INT(cgfs_bpf_compile(&bad, 1, &list, &err), -EINVAL);
	CHECK_INT(cgfs_bpf_compile(&bad, CGFS_DEVICE_RULES_MAX + 1, &list, &err), -E2BIG);
	CHECK(!list.keys);
}

/* Asked in the child: for each node and access, is it EPERM?  One byte per answer. */
struct asked {
	struct world *w;
	char answers[2 * (MAJORS + 1) * (MINORS + 1) * 4];
	int fd;
};

static const uint32_t accesses[4] = { CGFS_ACCESS_READ, CGFS_ACCESS_WRITE,
				      CGFS_ACCESS_READ | CGFS_ACCESS_WRITE, CGFS_ACCESS_MKNOD };

static char ask(struct world *w, char kind, int major, int minor, uint32_t access_bits)
{
	char node[128];
	int r;

	if (access_bits == CGFS_ACCESS_MKNOD) {
		snprintf(node, sizeof(node), "%s/new", w->dev);
		r = mknod(node, (kind == 'b' ? S_IFBLK : S_IFCHR) | 0600, makedev(major, minor));
		if (r == 0)
			unlink(node);
	} else {
		snprintf(node, sizeof(node), "%s/%c-%d-%d", w->dev, kind, major, minor);
		r = access(node, (access_bits & CGFS_ACCESS_READ ? R_OK : 0) |
					 (access_bits & CGFS_ACCESS_WRITE ? W_OK : 0));
	}
	if (r == 0)
		return 'y';
	return errno == EPERM ? 'n' : '?';
}

static int ask_all(void *arg)
{
	struct asked *a = arg;
	size_t n = 0;

	for (int kind = 0; kind < 2; kind++)
		for (int major = MAJOR0; major <= MAJOR0 + MAJORS; major++)
			for (int minor = 0; minor <= MINORS; minor++)
				for (int i = 0; i < 4; i++)
					a->answers[n++] =
						ask(a->w, "bc"[kind], major, minor, accesses[i]);
	return write(a->fd, a->answers, sizeof(a->answers)) == (ssize_t)sizeof(a->answers) ? 0 : 1;
}

static void compare(struct world *w, const char *path, const struct cgfs_device_rule *pod,
		    size_t n_pod, const struct cgfs_device_rule *own, size_t n_own)
{
	struct asked a = { .w = w };
	int p[2];
	size_t n = 0;

	CHECK_INT(pipe(p), 0);
	a.fd = p[1];
	CHECK_INT(kit_run(path, ask_all, &a), 0);
	CHECK_INT(read(p[0], a.answers, sizeof(a.answers)), sizeof(a.answers));
	close(p[0]);
	close(p[1]);
	for (int kind = 0; kind < 2; kind++)
		for (int major = MAJOR0; major <= MAJOR0 + MAJORS; major++)
			for (int minor = 0; minor <= MINORS; minor++)
				for (int i = 0; i < 4; i++) {
					uint32_t want = accesses[i];
					enum cgfs_device_type type =
						kind ? CGFS_DEVICE_CHAR : CGFS_DEVICE_BLOCK;
					bool ok = cgfs_device_check(pod, n_pod, type, major, minor,
								    want) == want;

					if (own)
						ok = ok &&
						     cgfs_device_check(own, n_own, type, major,
								       minor, want) == want;
					if (a.answers[n] != (ok ? 'y' : 'n'))
						FAIL("%c %d:%d access %u: %c, should be %c", type,
						     major, minor, want, a.answers[n],
						     ok ? 'y' : 'n');
					n++;
				}
}

static void make_nodes(struct world *w)
{
	char node[128];

	for (int kind = 0; kind < 2; kind++)
		for (int major = MAJOR0; major <= MAJOR0 + MAJORS; major++)
			for (int minor = 0; minor <= MINORS; minor++)
				world_node(w, "bc"[kind], major, minor, node, sizeof(node));
}

BPF_TEST(kernel_decides_as_the_reference_does)
{
	struct cgfs_device_rule pod_rules[16], own_rules[16];
	struct group *pod, *ctr, *plain;
	uint32_t seed = 88172645u;

	world_open(w, false);
	make_nodes(w);
	pod = world_pod(w, "web");
	ctr = world_container(w, pod, "c1");
	plain = world_container(w, pod, "c2");
	world_add(w, pod, NULL);
	world_add(w, ctr, NULL);
	world_add(w, plain, NULL);
	for (int round = 0; round < 60; round++) {
		size_t n_pod = random_below(&seed, 16), n_own = random_below(&seed, 16);

		for (size_t i = 0; i < n_pod; i++)
			pod_rules[i] = random_rule(&seed);
		for (size_t i = 0; i < n_own; i++)
			own_rules[i] = random_rule(&seed);
		if (round % 2)
			pod_rules[n_pod++] =
				(struct cgfs_device_rule){ CGFS_DEVICE_ALL, CGFS_DEVICE_ANY,
							   CGFS_DEVICE_ANY, CGFS_ACCESS_ALL, true };
		CHECK_INT(w->policy->ops->set_rules(w->policy->ctx, &pod->g, pod_rules, n_pod,
						    &w->err),
			  0);
		CHECK_INT(w->policy->ops->set_rules(w->policy->ctx, &ctr->g, own_rules, n_own,
						    &w->err),
			  0);
		compare(w, ctr->path, pod_rules, n_pod, own_rules, n_own);
		compare(w, plain->path, pod_rules, n_pod, NULL, 0);
	}
}

BPF_TEST(long_list_is_decided_like_a_short_one)
{
	static struct cgfs_device_rule rules[CGFS_DEVICE_RULES_MAX];
	struct group *pod;

	world_open(w, false);
	pod = world_pod(w, "long");
	for (size_t i = 0; i < CGFS_DEVICE_RULES_MAX; i++)
		rules[i] = (struct cgfs_device_rule){ CGFS_DEVICE_CHAR, 241, (int32_t)i,
						      CGFS_ACCESS_ALL, true };
	rules[CGFS_DEVICE_RULES_MAX - 1].minor = 0;
	rules[CGFS_DEVICE_RULES_MAX - 1].allow = false;
	CHECK_INT(
		w->policy->ops->add(w->policy->ctx, &pod->g, rules, CGFS_DEVICE_RULES_MAX, &w->err),
		0);
	CHECK(!world_can_open(w, pod->path, 'c', 241, 0, O_RDWR));
	CHECK(world_can_open(w, pod->path, 'c', 241, 1, O_RDWR));
	CHECK(world_can_open(w, pod->path, 'c', 241, 4094, O_RDWR));
	CHECK(!world_can_open(w, pod->path, 'c', 241, 4095, O_RDWR));
	CHECK_INT(world_map_count(w, "rules"), CGFS_DEVICE_RULES_MAX - 1);
}

BPF_TEST(pod_without_rules_denies_everything)
{
	struct group *pod, *ctr;

	world_open(w, false);
	pod = world_pod(w, "web");
	ctr = world_container(w, pod, "c1");
	world_add(w, pod, NULL);
	world_add(w, ctr, "a");
	CHECK(!world_can_open(w, pod->path, 'c', 1, 3, O_RDONLY));
	CHECK(!world_can_open(w, ctr->path, 'c', 1, 3, O_RDONLY));
	world_set(w, pod, "");
	CHECK(!world_can_open(w, pod->path, 'c', 1, 3, O_RDONLY));
	world_set(w, pod, "c 1:3 r");
	CHECK(world_can_open(w, ctr->path, 'c', 1, 3, O_RDONLY));
	CHECK(!world_can_open(w, ctr->path, 'c', 1, 3, O_RDWR));
	world_set(w, pod, NULL);
	CHECK(!world_can_open(w, ctr->path, 'c', 1, 3, O_RDONLY));
}

BPF_TEST(cgroup_that_was_not_added_is_bound_by_its_pod)
{
	struct group *pod, *stranger;

	world_open(w, false);
	pod = world_pod(w, "web");
	world_add(w, pod, "c 1:3 rw");
	stranger = world_container(w, pod, "stranger");
	CHECK(world_can_open(w, stranger->path, 'c', 1, 3, O_RDWR));
	CHECK(!world_can_open(w, stranger->path, 'c', 1, 5, O_RDONLY));
}

BPF_TEST(nested_cgroup_is_bound_by_its_container)
{
	char path[3][600], deep[4096];
	struct group *pod, *ctr;
	size_t len;

	world_open(w, false);
	pod = world_pod(w, "web");
	ctr = world_container(w, pod, "c1");
	world_add(w, pod, "c 1:3 rw; c 1:5 rw");
	world_add(w, ctr, "c 1:3 rw; c 1:8 rw");
	world_nested(ctr, "a", path[0], sizeof(path[0]));
	CHECK(world_can_open(w, path[0], 'c', 1, 3, O_RDWR));
	CHECK(!world_can_open(w, path[0], 'c', 1, 5, O_RDWR));
	CHECK(!world_can_open(w, path[0], 'c', 1, 8, O_RDWR));
	/* Deeper than the program looks for names. */
	len = (size_t)snprintf(deep, sizeof(deep), "%s", path[0]);
	for (int i = 0; i < 40; i++) {
		len += (size_t)snprintf(deep + len, sizeof(deep) - len, "/n");
		CHECK_INT(mkdir(deep, 0755), 0);
	}
	CHECK(len < 600);
	CHECK(world_can_open(w, deep, 'c', 1, 3, O_RDWR));
	CHECK(!world_can_open(w, deep, 'c', 1, 5, O_RDWR));
	CHECK_INT(world_counters(w, ctr).device_denied, 3);
	CHECK_INT(world_counters(w, pod).device_denied, 3);
}

BPF_TEST(standalone_container_has_its_own_list)
{
	struct group *c;

	world_open(w, false);
	c = world_pod(w, "alone");
	strcpy(c->container_id, c->pod_id);
	c->pod_id[0] = '\0';
	world_add(w, c, "c 1:3 r");
	CHECK(world_can_open(w, c->path, 'c', 1, 3, O_RDONLY));
	CHECK(!world_can_open(w, c->path, 'c', 1, 3, O_WRONLY));
}

static int access_exists(void *arg)
{
	return access(arg, F_OK) < 0 || access(arg, X_OK) == 0 || errno != EACCES;
}

/* runc#2796: a request that asks for no access is not one to deny. */
BPF_TEST(asking_whether_a_node_exists_is_allowed)
{
	struct group *pod;
	char node[128];

	world_open(w, false);
	pod = world_pod(w, "web");
	world_add(w, pod, "");
	world_node(w, 'c', 1, 11, node, sizeof(node));
	CHECK_INT(kit_run(pod->path, access_exists, node), 0);
	CHECK_INT(world_counters(w, pod).device_denied, 0);
	CHECK_INT(world_counters(w, pod).device_allowed, 0);
}

BPF_TEST(counters_count_container_and_pod)
{
	struct group *pod, *c1, *c2;
	struct cgfs_policy_counters c = { .sz = sizeof(c) };

	world_open(w, false);
	pod = world_pod(w, "web");
	c1 = world_container(w, pod, "c1");
	c2 = world_container(w, pod, "c2");
	world_add(w, pod, "c 1:3 rw");
	world_add(w, c1, NULL);
	world_add(w, c2, "c 1:3 r");
	for (int i = 0; i < 3; i++)
		CHECK(world_can_open(w, c1->path, 'c', 1, 3, O_RDWR));
	CHECK(!world_can_open(w, c1->path, 'c', 1, 5, O_RDONLY));
	CHECK(world_can_open(w, c2->path, 'c', 1, 3, O_RDONLY));
	CHECK(!world_can_open(w, c2->path, 'c', 1, 3, O_RDWR));
	c = world_counters(w, c1);
	CHECK_INT(c.device_allowed, 3);
	CHECK_INT(c.device_denied, 1);
	c = world_counters(w, c2);
	CHECK_INT(c.device_allowed, 1);
	CHECK_INT(c.device_denied, 1);
	/* Refused by both lists: one denial. */
	world_set(w, c2, "c 1:3 r");
	CHECK(!world_can_open(w, c2->path, 'c', 1, 5, O_RDONLY));
	c = world_counters(w, c2);
	CHECK_INT(c.device_allowed, 1);
	CHECK_INT(c.device_denied, 2);
	c = world_counters(w, pod);
	CHECK_INT(c.device_allowed, 4);
	CHECK_INT(c.device_denied, 3);
	/* The counters live on when the rules change. */
	world_set(w, pod, "c 1:3 r");
	c = world_counters(w, pod);
	CHECK_INT(c.device_allowed, 4);
	CHECK_INT(c.device_denied, 3);
	CHECK_INT(w->policy->ops->counters(w->policy->ctx, 1, &c), -ENOENT);
}
