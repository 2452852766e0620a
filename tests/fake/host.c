// SPDX-License-Identifier: MIT
/*
 * host.c - a fake host as a whole: layouts, mounts, and what tests ask of it from outside.
 */
#include "host.h"

#include <fcntl.h>

#define BIT(c) (1u << CGFS_##c)

/* Which hierarchies a layout has. */
struct layout {
	uint32_t v1; /* controllers with a hierarchy of their own */
	bool unified;
	uint32_t v2; /* those of the cgroup2 tree */
	const char *unified_path;
};

#define V1_ALL                                                                                     \
	(BIT(CPU) | BIT(CPUACCT) | BIT(CPUSET) | BIT(MEMORY) | BIT(PIDS) | BIT(IO) |               \
	 BIT(DEVICES) | BIT(FREEZER))

static const struct layout layouts[] = {
	[CGFS_LAYOUT_V1] = { .v1 = V1_ALL | BIT(HUGETLB) | BIT(NET_CLS) | BIT(NET_PRIO) },
	[CGFS_LAYOUT_HYBRID] = { .v1 = V1_ALL,
				 .unified = true,
				 .v2 = BIT(HUGETLB),
				 .unified_path = "/fake/cgroup/unified" },
	[CGFS_LAYOUT_MIXED] = { .v1 = V1_ALL & ~(BIT(CPUSET) | BIT(MEMORY)),
				.unified = true,
				.v2 = BIT(CPUSET) | BIT(MEMORY) | BIT(HUGETLB),
				.unified_path = "/fake/cgroup/unified" },
	[CGFS_LAYOUT_V2] = { .unified = true,
			     .v2 = BIT(CPUSET) | BIT(CPU) | BIT(IO) | BIT(MEMORY) | BIT(HUGETLB) |
				   BIT(PIDS) | BIT(RDMA) | BIT(MISC),
			     .unified_path = "/fake/cgroup" },
};

void *fake_alloc(size_t size)
{
	void *p = calloc(1, size);

	if (!p)
		abort();
	return p;
}

void *fake_grow(void *old, size_t n, size_t size)
{
	void *p = reallocarray(old, n, size);

	if (!p)
		abort();
	return p;
}

bool fake_since(const struct fake *f, struct fake_kernel k)
{
	return f->kernel.major > k.major ||
	       (f->kernel.major == k.major && f->kernel.minor >= k.minor);
}

static void add_hierarchy(struct fake *f, enum cgfs_version_id version, uint32_t controllers,
			  const char *path)
{
	struct cgfs_mount *m = &f->mounts.mount[f->mounts.n++];
	struct hierarchy *h = &f->h[f->n_h++];

	m->version = version;
	m->controllers = controllers;
	snprintf(m->path, sizeof(m->path), "%s", path);
	h->version = version;
	h->controllers = controllers;
	h->path = m->path;
	h->root = fake_alloc(sizeof(*h->root));
	h->root->host = f;
	h->root->h = h;
	h->root->name = fake_alloc(1);
	h->root->id = version == CGFS_V2 ? 1 : ++f->next_id;
	for (int c = 0; c <= FAKE_CORE; c++) {
		if (c == FAKE_CORE || (controllers & (1u << c)))
			fake_node_enable(h->root, c);
	}
}

struct fake *fake_new(enum cgfs_layout layout, struct fake_kernel kernel)
{
	const struct layout *l = &layouts[layout];
	struct fake *f = fake_alloc(sizeof(*f));

	f->kernel = kernel;
	f->next_pid = FAKE_PID_FIRST;
	f->next_id = 1;
	f->fs.sz = sizeof(f->fs);
	f->fs.ops = &fake_fs_ops;
	f->mounts.sz = sizeof(f->mounts);
	f->fs.ctx = f;
	f->fault.ops = FAKE_ANY;
	for (int c = 0; c < CGFS_CONTROLLER_COUNT; c++) {
		char path[64];

		if (!(l->v1 & (1u << c)))
			continue;
		snprintf(path, sizeof(path), "/fake/cgroup/%s", fake_controllers[c]->v1_name);
		add_hierarchy(f, CGFS_V1, 1u << c, path);
	}
	if (l->unified)
		add_hierarchy(f, CGFS_V2, l->v2, l->unified_path);
	return f;
}

void fake_free(struct fake *f)
{
	if (!f)
		return;
	for (size_t i = 0; i < f->n_files; i++) {
		if (f->files[i].used)
			fake_fs_ops.close(f, FAKE_FD_FIRST + (int)i +
						     ((int)f->files[i].generation << 20));
	}
	fake_processes_free(f);
	for (size_t i = 0; i < f->n_h; i++)
		fake_node_free(f->h[i].root);
	fake_notify_free(f);
	fake_policy_free(f);
	free(f->files);
	free(f);
}

const struct cgfs_fs *fake_fs(struct fake *f)
{
	return &f->fs;
}

const struct cgfs_mounts *fake_mounts(const struct fake *f)
{
	return &f->mounts;
}

struct hierarchy *fake_hierarchy(const struct fake *f, int ctl)
{
	for (size_t i = 0; i < f->n_h; i++) {
		if (ctl == FAKE_CORE ? f->h[i].version == CGFS_V2
				     : (f->h[i].controllers & (1u << ctl)) != 0)
			return (struct hierarchy *)&f->h[i];
	}
	return NULL;
}

/* -- the view from outside -------------------------------------------------------------------- */

struct node *fake_find(const struct fake *f, enum cgfs_controller ctl, const char *path)
{
	struct hierarchy *h = fake_hierarchy(f, (int)ctl);
	struct node *n = h ? h->root : NULL;
	char copy[4096], *save = NULL;

	snprintf(copy, sizeof(copy), "%s", path);
	for (char *p = strtok_r(copy, "/", &save); n && p; p = strtok_r(NULL, "/", &save))
		n = fake_node_child(n, p);
	return n;
}

bool fake_exists(const struct fake *f, enum cgfs_controller ctl, const char *path)
{
	return fake_find(f, ctl, path) != NULL;
}

int fake_cat(struct fake *f, enum cgfs_controller ctl, const char *path, const char *file,
	     char *buf, size_t len)
{
	struct open_file o = { .flags = O_RDONLY, .node = fake_find(f, ctl, path) };
	size_t size = 0;
	char *text = NULL;
	FILE *out;
	int r;

	fake_reap(f);
	if (!o.node)
		return -ENOENT;
	o.type = fake_node_file(o.node, file, &o.ctl);
	if (!o.type)
		return -ENOENT;
	if (!o.type->read)
		return -EINVAL;
	out = open_memstream(&text, &size);
	if (!out)
		abort();
	r = o.type->read(&o, out);
	if (fclose(out) != 0)
		abort();
	if (r >= 0)
		snprintf(buf, len, "%s", text);
	free(text);
	return r;
}

const char *fake_cgroup_of(const struct fake *f, pid_t pid, enum cgfs_controller ctl)
{
	struct process *p = fake_process(f, pid);
	struct hierarchy *h = fake_hierarchy(f, (int)ctl);

	if (!p || !h)
		return "";
	fake_node_path(fake_node_of(p, h), ((struct fake *)f)->path, sizeof(f->path));
	return f->path;
}

int fake_owner(struct fake *f, enum cgfs_controller ctl, const char *path, const char *file,
	       uid_t *ret_uid, gid_t *ret_gid)
{
	struct node *n = fake_find(f, ctl, path);

	return n ? fake_node_owner(n, file, ret_uid, ret_gid) : -ENOENT;
}

void fake_set_user(struct fake *f, uid_t uid)
{
	f->user = uid;
}

size_t fake_directories(const struct fake *f)
{
	size_t n = 0;

	for (size_t i = 0; i < f->n_h; i++)
		n += fake_node_count(f->h[i].root);
	return n;
}

size_t fake_open_files(const struct fake *f)
{
	return f->n_open;
}

size_t fake_bad_closes(const struct fake *f)
{
	return f->bad_closes;
}

void fake_set_exit_delay(struct fake *f, unsigned int ticks)
{
	f->exit_delay = ticks;
}

void fake_set_freeze_delay(struct fake *f, unsigned int ticks)
{
	f->freeze_delay = ticks;
}

void fake_tick(struct fake *f)
{
	f->now++;
	fake_reap(f);
	for (size_t i = 0; i < f->n_h; i++) {
		if (f->h[i].version == CGFS_V2)
			fake_refresh_frozen(f->h[i].root);
	}
}

void fake_fail(struct fake *f, unsigned int ops, unsigned int nth, int err)
{
	f->fault = (struct fault){ .ops = ops ? ops : FAKE_ANY, .nth = nth, .err = err };
}

unsigned int fake_calls(const struct fake *f)
{
	return f->fault.calls;
}

bool fake_struck(const struct fake *f)
{
	return f->fault.struck;
}

const char *fake_struck_path(const struct fake *f)
{
	return f->fault.path;
}

const char *fake_struck_value(const struct fake *f)
{
	return f->fault.value;
}
