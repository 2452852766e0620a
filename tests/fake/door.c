// SPDX-License-Identifier: MIT
/*
 * door.c - struct cgfs_fs_ops on top of the tree: paths, descriptors, reading and writing of
 * control files, and faults on demand.
 */
#include "host.h"

#include <fcntl.h>
#include <limits.h>

/* -- faults ----------------------------------------------------------------------------------- */

int fake_enter(struct fake *f, enum fake_op op)
{
	struct fault *t = &f->fault;

	fake_reap(f);
	if (!(t->ops & op))
		return 0;
	t->calls++;
	if (t->struck || !t->nth || t->calls != t->nth)
		return 0;
	t->struck = true;
	t->path[0] = t->value[0] = '\0';
	return t->err;
}

static struct open_file *slot(const struct fake *f, int fd);

/* The same, and notes for which file: @name (may be NULL) from @fd on. */
static int enter(struct fake *f, enum fake_op op, int fd, const char *name)
{
	const struct open_file *o;
	char dir[2048] = "";
	int r = fake_enter(f, op);

	if (r == 0)
		return 0;
	o = slot(f, fd);
	if (o)
		fake_node_path(o->node, dir, sizeof(dir));
	if (name && *name == '/')
		snprintf(f->fault.path, sizeof(f->fault.path), "%s", name);
	else if (o)
		snprintf(f->fault.path, sizeof(f->fault.path), "%s%s%s%s%s%s", o->node->h->path,
			 dir[1] ? dir : "", o->type ? "/" : "", o->type ? o->type->name : "",
			 name && strcmp(name, ".") != 0 ? "/" : "",
			 name && strcmp(name, ".") != 0 ? name : "");
	return r;
}

/* -- descriptors: slot in bits 0-19, generation above, so that numbers do not come again soon - */

#define SLOT_BITS   20
#define GENERATIONS 2000

static struct open_file *slot(const struct fake *f, int fd)
{
	unsigned int n = (unsigned int)(fd - FAKE_FD_FIRST);
	struct open_file *o;

	if (fd < FAKE_FD_FIRST || (n & ((1u << SLOT_BITS) - 1)) >= f->n_files)
		return NULL;
	o = &f->files[n & ((1u << SLOT_BITS) - 1)];
	return o->used && o->generation == n >> SLOT_BITS ? o : NULL;
}

const struct open_file *fake_open_file(const struct fake *f, int fd)
{
	return slot(f, fd);
}

static int new_fd(struct fake *f, struct node *n, const struct ctl_file *type, int ctl, int flags)
{
	unsigned int generation;
	size_t i = 0;

	while (i < f->n_files && f->files[i].used)
		i++;
	if (i == f->n_files) {
		f->files = fake_grow(f->files, i + 1, sizeof(*f->files));
		f->files[f->n_files++] = (struct open_file){ 0 };
	}
	generation = (f->files[i].generation + 1) % GENERATIONS;
	f->files[i] = (struct open_file){ .used = true,
					  .generation = generation,
					  .flags = flags,
					  .node = n,
					  .type = type,
					  .ctl = ctl,
					  .serial = ctl == FAKE_CORE ? 0 : n->serial[ctl] };
	n->opens++;
	f->n_open++;
	return FAKE_FD_FIRST + (int)i + (int)(generation << SLOT_BITS);
}

static void door_close(void *ctx, int fd)
{
	struct fake *f = ctx;
	struct open_file *o = slot(f, fd);
	struct node *n;

	if (!o) {
		if (!fake_notify_close(f, fd))
			f->bad_closes++;
		return;
	}
	if (o->peak)
		f->n_peaks--;
	free(o->peak);
	n = o->node;
	o->used = false;
	o->node = NULL;
	f->n_open--;
	fake_node_put(n);
}

/* -- paths ------------------------------------------------------------------------------------ */

/* The node where @name begins, and the rest of the name. */
static int start(const struct fake *f, int dirfd, const char **name, struct node **ret)
{
	const struct hierarchy *best = NULL;
	size_t most = 0;

	if (**name == '\0')
		return -ENOENT;
	if (**name != '/') {
		const struct open_file *o = slot(f, dirfd);

		if (!o)
			return -EBADF;
		if (o->type)
			return -ENOTDIR;
		*ret = o->node;
		return 0;
	}
	for (size_t i = 0; i < f->n_h; i++) {
		size_t len = strlen(f->h[i].path);

		if (strncmp(*name, f->h[i].path, len) == 0 &&
		    ((*name)[len] == '/' || (*name)[len] == '\0') && len > most) {
			best = &f->h[i];
			most = len;
		}
	}
	if (!best)
		return -ENOENT;
	*ret = best->root;
	*name += most;
	return 0;
}

/* The next part of a path, in @part; its length, or -ENAMETOOLONG. */
static int next_part(const char **name, char part[NAME_MAX + 1])
{
	size_t len;

	*name += strspn(*name, "/");
	len = strcspn(*name, "/");
	if (len > NAME_MAX)
		return -ENAMETOOLONG;
	memcpy(part, *name, len);
	part[len] = '\0';
	*name += len;
	*name += strspn(*name, "/");
	return (int)len;
}

/* All of a path but the last part: that goes to @last, and is "" for the directory itself. */
static int walk(const struct fake *f, int dirfd, const char *name, struct node **ret,
		char last[NAME_MAX + 1])
{
	struct node *n;
	int r = start(f, dirfd, &name, &n);

	if (r < 0)
		return r;
	r = next_part(&name, last);
	while (r >= 0 && *name) {
		int ctl;

		if (strcmp(last, "..") == 0) {
			n = n->parent ? n->parent : n;
		} else if (strcmp(last, ".") != 0 && *last) {
			if (!fake_node_child(n, last))
				return fake_node_file(n, last, &ctl) ? -ENOTDIR : -ENOENT;
			n = fake_node_child(n, last);
		}
		r = next_part(&name, last);
	}
	*ret = n;
	return r < 0 ? r : 0;
}

static int door_open(void *ctx, int dirfd, const char *name, int flags)
{
	struct fake *f = ctx;
	const struct ctl_file *type;
	char last[NAME_MAX + 1];
	struct node *n, *dir;
	int ctl, pid, r = enter(f, FAKE_OPEN, dirfd, name);

	if (r < 0)
		return r;
	if (strncmp(name, "/proc/", 6) == 0) {
		pid = fake_proc_path(f, name);
		if (pid < 0)
			return pid;
		r = new_fd(f, f->h[0].root, &fake_proc_cgroup, FAKE_CORE, flags);
		slot(f, r)->pid = pid;
		return r;
	}
	if (strcmp(name, "/sys/kernel/cgroup/delegate") == 0)
		return new_fd(f, f->h[0].root, &fake_sys_delegate, FAKE_CORE, flags);
	r = walk(f, dirfd, name, &n, last);
	if (r < 0)
		return r;
	dir = !*last || strcmp(last, ".") == 0 ? n
	      : strcmp(last, "..") == 0	       ? (n->parent ? n->parent : n)
					       : fake_node_child(n, last);
	if (dir)
		return (flags & O_ACCMODE) != O_RDONLY ? -EISDIR
						       : new_fd(f, dir, NULL, FAKE_CORE, flags);
	type = fake_node_file(n, last, &ctl);
	if (!type)
		return -ENOENT;
	if (flags & O_DIRECTORY)
		return -ENOTDIR;
	if ((flags & O_ACCMODE) != O_RDONLY && fake_node_may_write(n, last) < 0)
		return -EACCES;
	return new_fd(f, n, type, ctl, flags);
}

static int door_mkdir(void *ctx, int dirfd, const char *name, mode_t mode)
{
	struct fake *f = ctx;
	char last[NAME_MAX + 1];
	struct node *n;
	int r = enter(f, FAKE_MKDIR, dirfd, name);

	if (r == 0)
		r = walk(f, dirfd, name, &n, last);
	if (r < 0)
		return r;
	if (!*last || strcmp(last, ".") == 0 || strcmp(last, "..") == 0)
		return -EEXIST;
	r = fake_node_mkdir(n, last);
	if (r == 0)
		fake_node_child(n, last)->mode = mode;
	return r;
}

static int door_rmdir(void *ctx, int dirfd, const char *name)
{
	struct fake *f = ctx;
	char last[NAME_MAX + 1];
	struct node *n, *dir;
	int ctl, r = enter(f, FAKE_RMDIR, dirfd, name);

	if (r == 0)
		r = walk(f, dirfd, name, &n, last);
	if (r < 0)
		return r;
	if (strcmp(last, ".") == 0)
		return -EINVAL;
	if (strcmp(last, "..") == 0)
		return -ENOTEMPTY;
	dir = *last ? fake_node_child(n, last) : n;
	if (!dir)
		return fake_node_file(n, last, &ctl) ? -ENOTDIR : -ENOENT;
	return fake_node_rmdir(dir);
}

/* -- reading and writing ---------------------------------------------------------------------- */

/* Is the file still there?  kernfs returns ENODEV when it went while it was open. */
static int check(const struct open_file *o)
{
	if (o->node->removed)
		return -ENODEV;
	if (o->ctl != FAKE_CORE && o->serial != o->node->serial[o->ctl])
		return -ENODEV;
	return 0;
}

static ssize_t door_pread(void *ctx, int fd, void *buf, size_t len, off_t offset)
{
	struct fake *f = ctx;
	char *text = NULL;
	size_t size = 0;
	ssize_t r = enter(f, FAKE_PREAD, fd, NULL);
	struct open_file *o = slot(f, fd);
	FILE *out;

	if (r < 0)
		return r;
	if (!o || (o->flags & O_ACCMODE) == O_WRONLY)
		return -EBADF;
	if (!o->type)
		return -EISDIR;
	r = check(o);
	if (r < 0)
		return r;
	if (!o->type->read || offset < 0)
		return -EINVAL;
	out = open_memstream(&text, &size);
	if (!out)
		abort();
	r = o->type->read(o, out);
	if (fclose(out) != 0)
		abort();
	/* Lists of many records come by the page. */
	if (o->type->read == fake_list_pids && len > FAKE_PAGE - 1)
		len = FAKE_PAGE - 1;
	if (r >= 0) {
		size = (size_t)offset < size ? size - (size_t)offset : 0;
		r = (ssize_t)(size < len ? size : len);
		if (r > 0)
			memcpy(buf, text + offset, (size_t)r);
	}
	free(text);
	return r;
}

static ssize_t door_write(void *ctx, int fd, const void *buf, size_t len)
{
	struct fake *f = ctx;
	ssize_t r = enter(f, FAKE_WRITE, fd, NULL);
	struct open_file *o = slot(f, fd);
	const struct ctl_file *type;
	struct node *n;
	char *text;

	if (r < 0) {
		snprintf(f->fault.value, sizeof(f->fault.value), "%.*s", (int)len,
			 (const char *)buf);
		return r;
	}
	if (!o || (o->flags & O_ACCMODE) == O_RDONLY)
		return -EBADF;
	r = check(o);
	if (r < 0)
		return r;
	if (len > FAKE_PAGE)
		return -E2BIG;
	if (len == 0)
		return 0; /* the controller does not get it */
	if (!o->type->write)
		return -EINVAL;
	text = fake_alloc(len + 1);
	memcpy(text, buf, len);
	n = o->node;
	type = o->type;
	r = type->write(o, text);
	free(text);
	if (r < 0)
		return r;
	fake_notify(n, type);
	return (ssize_t)len;
}

static int door_list(void *ctx, int dirfd, int (*fn)(void *arg, const char *name), void *arg)
{
	struct fake *f = ctx;
	int r = enter(f, FAKE_LIST, dirfd, NULL);
	struct open_file *o = slot(f, dirfd);
	size_t n = 0, i = 0;
	char **names;

	if (r < 0)
		return r;
	if (!o)
		return -EBADF;
	if (o->type)
		return -ENOTDIR;
	/* A copy: @fn may make and remove directories. */
	for (struct node *c = o->node->children; c; c = c->next)
		n++;
	names = fake_alloc((n + 1) * sizeof(*names));
	for (struct node *c = o->node->children; c; c = c->next) {
		names[i] = strdup(c->name);
		if (!names[i++])
			abort();
	}
	for (i = 0; i < n && r == 0; i++)
		r = fn(arg, names[i]);
	for (i = 0; i < n; i++)
		free(names[i]);
	free(names);
	return r;
}

static int door_inode(void *ctx, int fd, uint64_t *ret_inode)
{
	struct fake *f = ctx;
	int r = enter(f, FAKE_INODE, fd, NULL);
	const struct open_file *o = slot(f, fd);

	if (r < 0)
		return r;
	if (!o)
		return -EBADF;
	*ret_inode = o->node->id;
	/* Files are numbered far above directories. */
	for (const char *c = o->type ? o->type->name : ""; *c; c++)
		*ret_inode = *ret_inode * 31 + (unsigned char)*c + (1ull << 40);
	return 0;
}

static int door_mode(void *ctx, int fd, mode_t *ret_mode)
{
	struct fake *f = ctx;
	int r = enter(f, FAKE_INODE, fd, NULL);
	const struct open_file *o = slot(f, fd);

	if (r < 0)
		return r;
	if (!o)
		return -EBADF;
	*ret_mode = o->node->mode;
	return 0;
}

/* -- inotify and kill ------------------------------------------------------------------------- */

static int door_notify_open(void *ctx)
{
	int r = fake_enter(ctx, FAKE_NOTIFY);

	return r < 0 ? r : fake_notify_open(ctx);
}

static int door_notify_add(void *ctx, int nfd, int dirfd, const char *name)
{
	struct fake *f = ctx;
	const struct ctl_file *type;
	char last[NAME_MAX + 1];
	struct node *n;
	int ctl, r = enter(f, FAKE_NOTIFY, dirfd, name);

	if (r == 0)
		r = walk(f, dirfd, name, &n, last);
	if (r < 0)
		return r;
	type = fake_node_file(n, last, &ctl);
	return type ? fake_notify_add(f, nfd, n, type) : -ENOENT;
}

static int door_notify_remove(void *ctx, int nfd, int wd)
{
	/* Fails for a wrong number only. */
	return fake_notify_remove(ctx, nfd, wd);
}

static int door_kill(void *ctx, pid_t pid, int sig)
{
	int r = fake_enter(ctx, FAKE_KILL);

	return r < 0 ? r : fake_signal(ctx, pid, sig);
}

/* -- owners ----------------------------------------------------------------------------------- */

/* The node of @name and, in @last, the file of it: "" for the directory itself. */
static int locate(struct fake *f, enum fake_op op, int dirfd, const char *name, struct node **ret,
		  char last[NAME_MAX + 1])
{
	struct node *child;
	int r = enter(f, op, dirfd, name);

	if (r == 0)
		r = walk(f, dirfd, name, ret, last);
	if (r < 0)
		return r;
	if (strcmp(last, ".") == 0)
		*last = '\0';
	child = fake_node_child(*ret, last);
	if (child) {
		*ret = child;
		*last = '\0';
	}
	return (*ret)->removed ? -ENOENT : 0;
}

static int door_owner(void *ctx, int dirfd, const char *name, uid_t *ret_uid, gid_t *ret_gid)
{
	char last[NAME_MAX + 1];
	struct node *n;
	int r = locate(ctx, FAKE_OWNER, dirfd, name, &n, last);

	return r < 0 ? r : fake_node_owner(n, last, ret_uid, ret_gid);
}

static int door_chown(void *ctx, int dirfd, const char *name, uid_t uid, gid_t gid)
{
	char last[NAME_MAX + 1];
	struct node *n;
	int r = locate(ctx, FAKE_CHOWN, dirfd, name, &n, last);

	return r < 0 ? r : fake_node_chown(n, last, uid, gid);
}

static int door_may_write(void *ctx, int dirfd, const char *name)
{
	char last[NAME_MAX + 1];
	struct node *n;
	int r = locate(ctx, FAKE_MAY_WRITE, dirfd, name, &n, last);

	return r < 0 ? r : fake_node_may_write(n, last);
}

/* -- notes ------------------------------------------------------------------------------------- */

static int door_note(void *ctx, int dirfd, const char *name, const char *value)
{
	char last[NAME_MAX + 1];
	struct node *n;
	int r = locate(ctx, FAKE_NOTE, dirfd, ".", &n, last);

	if (r < 0)
		return r;
	if (strncmp(name, "trusted.", 8) == 0) {
		if (n->host->user)
			return -EPERM;
		if (value && strlen(value) > 65536)
			return -E2BIG;
		if (!value && !n->trusted)
			return -ENODATA;
		free(n->trusted);
		n->trusted = value ? strdup(value) : NULL;
		return value && !n->trusted ? -ENOMEM : 0;
	}
	/* There is one. */
	if (n->h->version != CGFS_V2)
		return -EOPNOTSUPP;
	if (!value && !*n->note)
		return -ENODATA;
	snprintf(n->note, sizeof(n->note), "%s", value ? value : "");
	return 0;
}

static ssize_t door_noted(void *ctx, int dirfd, const char *name, char *buf, size_t len)
{
	char last[NAME_MAX + 1];
	const char *text;
	struct node *n;
	int r = locate(ctx, FAKE_NOTE, dirfd, ".", &n, last);

	if (r < 0)
		return r;
	text = n->note;
	if (strncmp(name, "trusted.", 8) == 0)
		text = n->trusted ? n->trusted : "";
	else if (n->h->version != CGFS_V2)
		return -EOPNOTSUPP;
	if (!*text)
		return -ENODATA;
	if (strlen(text) > len)
		return -ERANGE;
	memcpy(buf, text, strlen(text)); /* NOLINT: as fgetxattr(2) */
	return (ssize_t)strlen(text);
}

const struct cgfs_fs_ops fake_fs_ops = {
	.sz = sizeof(fake_fs_ops),
	.open = door_open,
	.close = door_close,
	.pread = door_pread,
	.write = door_write,
	.mkdir = door_mkdir,
	.rmdir = door_rmdir,
	.list = door_list,
	.inode = door_inode,
	.notify_open = door_notify_open,
	.notify_add = door_notify_add,
	.notify_remove = door_notify_remove,
	.kill = door_kill,
	.owner = door_owner,
	.chown = door_chown,
	.may_write = door_may_write,
	.note = door_note,
	.noted = door_noted,
	.mode = door_mode,
};
