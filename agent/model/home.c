/* SPDX-License-Identifier: MIT */
/*
 * home.c - the files and directories of a pod in the guest.
 *
 * Names and meaning are the reference's: DIR/hostname, hosts and resolv.conf are mounted into
 * workloads, and into containers without a pod; DIR/sandboxMounts, sandboxTmpfsMounts and hugepages
 * hold what mounts with a source like "sandbox://data" share.  No container sees DIR itself.
 */
#include "agent/model/home.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>

#include "agent/base/files.h"
#include "agent/base/log.h"
#include "agent/base/tree.h"
#include "agent/model/agent.h"
#include "agent/model/container.h"
#include "agent/model/pod.h"
#include "agent/model/state.h"
#include "agent/runtime/namespaces.h"
#include "agent/runtime/runtime.h"
#include "agent/runtime/spec_apply.h"
#include "agent/wire/protocol.h"
#include "cgfs/base/util.h"

#define RESOLV_MAX     16384
/* What is shared is tried to be removed so often, over six seconds. */
#define EMPTY_TRIES    6
#define EMPTY_AGAIN_MS 100u

static const char *const file_names[] = { "hostname", "hosts", "resolv.conf" };
static const char *const dir_names[] = { "sandboxMounts", "sandboxTmpfsMounts", "hugepages" };

enum { HOSTNAME, HOSTS, RESOLV };

static char *below(const char *dir, const char *name)
{
	char *path;

	return asprintf(&path, "%s/%s", dir, name) < 0 ? NULL : path;
}

char *home_path(const char *bundle, const struct spec_place *place)
{
	const char *slash = strrchr(bundle, '/');
	char *path;

	if (!place->virtual_pod)
		return strdup(bundle);
	return asprintf(&path, "%.*s/virtual-pods/%s", (int)(slash - bundle), bundle, place->pod) <
			       0
		       ? NULL
		       : path;
}

bool home_taken(const struct agent *a, const char *bundle, const struct spec_place *place)
{
	auto_free char *dir = home_path(bundle, place);
	auto_free char *path = dir ? below(dir, file_names[HOSTNAME]) : NULL;

	return place->kind != SPEC_WORKLOAD && path && dirs_ours(&a->dirs, path);
}

/* --- hostname, hosts, resolv.conf ------------------------------------------------------------ */

static char *hosts_text(const char *name)
{
	static const char rest[] = "\n# The following lines are desirable for IPv6 capable hosts\n"
				   "::1     ip6-localhost ip6-loopback\n"
				   "fe00::0 ip6-localnet\n"
				   "ff00::0 ip6-mcastprefix\n"
				   "ff02::1 ip6-allnodes\n"
				   "ff02::2 ip6-allrouters\n";
	size_t label = strcspn(name, ".");
	char *text;
	int n;

	if (name[label])
		n = asprintf(&text, "127.0.0.1 localhost\n127.0.0.1 %s %.*s\n%s", name, (int)label,
			     name, rest);
	else
		n = asprintf(&text, "127.0.0.1 localhost\n127.0.0.1 %s\n%s", name, rest);
	return n < 0 ? NULL : text;
}

/* Name servers are the adapters', and a network namespace of its own has none yet; a pod in the
 * guest's network resolves as the guest does. */
static char *resolv_text(const struct spec *s)
{
	/* Often a link. */
	auto_free char *path = realpath("/etc/resolv.conf", NULL);
	char *text = NULL;
	size_t len;

	if (spec_namespace(s, "network") || !path || files_load(path, &text, &len) < 0)
		return strdup("");
	if (len <= RESOLV_MAX && strlen(text) == len)
		return text;
	free(text);
	return strdup("");
}

static int write_file(struct agent *a, const char *dir, int which, const char *text)
{
	auto_free char *path = text ? below(dir, file_names[which]) : NULL;

	return path ? dirs_write(&a->dirs, path, text) : -ENOMEM;
}

static uint32_t write_files(struct agent *a, const char *dir, const struct spec *s,
			    char why[SPEC_WHY_MAX])
{
	const char *own = json_string_value(s->hostname);
	auto_free char *hosts = NULL, *resolv = resolv_text(s);
	char name[HOST_NAME_MAX + 2] = "";
	int r = dirs_make(&a->dirs, dir), which = HOSTNAME;

	if (own && *own)
		snprintf(name, HOST_NAME_MAX + 1, "%s", own);
	else if (gethostname(name, HOST_NAME_MAX) < 0 || !*name)
		strcpy(name, "localhost");
	hosts = hosts_text(name);
	strcat(name, "\n");
	if (r == 0)
		r = write_file(a, dir, which = HOSTNAME, name);
	if (r == 0)
		r = write_file(a, dir, which = HOSTS, hosts);
	if (r == 0)
		r = write_file(a, dir, which = RESOLV, resolv);
	return r < 0 ? spec_refuse(HR_FAIL, why, "make %.200s/%s: %s", dir, file_names[which],
				   strerror(-r))
		     : HR_OK;
}

/* A mount needs a place: a file of the image, or a file system where the runtime can make it. */
static bool has_place(const char *root, const char *path)
{
	struct open_how how = { .flags = O_PATH | O_CLOEXEC,
				.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS };
	auto_fd int dir = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	auto_fd int fd = -EBADF;
	struct statvfs fs;

	if (dir < 0)
		return true; /* the runtime will say so */
	fd = (int)syscall(SYS_openat2, dir, path, &how, sizeof(how));
	return fd >= 0 || fstatvfs(dir, &fs) < 0 || !(fs.f_flag & ST_RDONLY);
}

static uint32_t mount_files(const struct container *c, struct spec *s, const char *dir,
			    char why[SPEC_WHY_MAX])
{
	for (size_t i = 0; i < ARRAY_SIZE(file_names); i++) {
		auto_free char *path = below(dir, file_names[i]);
		char to[32];

		snprintf(to, sizeof(to), "/etc/%s", file_names[i]);
		if (spec_mounts_at(s, to) || (c->rootfs && !has_place(c->rootfs, to)))
			continue;
		if (!path || spec_add_bind(s, path, to) < 0)
			return spec_refuse(HR_FAIL, why, "out of memory");
	}
	return HR_OK;
}

void home_keep(struct agent *a, const char *dir)
{
	const char *const *const lists[] = { file_names, dir_names };

	for (size_t k = 0; k < ARRAY_SIZE(lists); k++) {
		for (size_t i = 0; i < ARRAY_SIZE(file_names); i++) {
			auto_free char *path = below(dir, lists[k][i]);

			if (path)
				dirs_keep(&a->dirs, path);
		}
	}
}

char *home_namespaces(const struct pod *p)
{
	char *path;

	return asprintf(&path, "%s/namespaces/%s", p->a->state_dir, p->id) < 0 ? NULL : path;
}

void home_keep_namespaces(struct pod *p)
{
	if (!(p->shared & SHARED_NAMESPACES))
		return;
	p->namespaces = home_namespaces(p);
	if (p->namespaces)
		dirs_keep(&p->a->dirs, p->namespaces);
	for (int i = 0; p->namespaces && i < NAMESPACE_TYPES; i++)
		p->namespace[i] = namespace_at(p->namespaces, i);
}

void home_remove_files(struct agent *a, const char *dir)
{
	for (size_t i = 0; i < ARRAY_SIZE(file_names); i++) {
		auto_free char *path = below(dir, file_names[i]);

		if (path)
			(void)dirs_remove(&a->dirs, path);
	}
	dirs_remove_up(&a->dirs, dir);
}

/* --- what containers share ------------------------------------------------------------------- */

/* A mount of @type at @path, of itself when NULL; what containers mount below it propagates. */
static int mount_shared(const char *path, const char *type, const char *data)
{
	if (!files_is_mount(path) &&
	    mount(type ? type : path, path, type, type ? MS_NOSUID | MS_NODEV : MS_BIND, data) < 0)
		return -errno;
	/* Also of one that an agent was killed after. */
	return mount(NULL, path, NULL, MS_SHARED, NULL) < 0 ? -errno : 0;
}

/* The directory for mounts of @kind, there and mounted.  Other file systems are mounted below the
 * one in the journal, which could not be recognized under them. */
static int make_shared(struct pod *p, enum spec_shared kind, const char *path, char **ret_base,
		       struct cgfs_err *err)
{
	static const unsigned int bits[] = { SHARED_DISK, SHARED_MEMORY, SHARED_HUGEPAGES };
	size_t i = (size_t)(kind - SPEC_SHARED_DISK);
	auto_free char *dir = below(p->dir, dir_names[i]), *inner = NULL;
	char data[32] = "mode=0755";
	int size = (int)strcspn(path, "/"), r = dir ? 0 : -ENOMEM;

	if (r == 0)
		r = state_share(p, bits[i], err);
	if (r == 0)
		r = dirs_make(&p->a->dirs, dir);
	/* What is mounted on one of another program would stay there. */
	if (r == 0 && !dirs_ours(&p->a->dirs, dir))
		r = -EEXIST;
	if (r == 0 && kind == SPEC_SHARED_DISK)
		r = mount_shared(dir, NULL, NULL);
	if (r < 0 || kind == SPEC_SHARED_DISK) {
		if (r == 0)
			*ret_base = take_ptr(dir);
		return r;
	}
	if (kind == SPEC_SHARED_HUGEPAGES)
		snprintf(data, sizeof(data), "pagesize=%.*s", (int)strcspn(path, "B/"), path);
	if (asprintf(&inner, "%s/%.*s", dir, kind == SPEC_SHARED_MEMORY ? 5 : size,
		     kind == SPEC_SHARED_MEMORY ? "tmpfs" : path) < 0)
		inner = NULL;
	if (!inner)
		return -ENOMEM;
	if (mkdir(inner, 0755) < 0 && errno != EEXIST)
		return -errno;
	r = mount_shared(inner, kind == SPEC_SHARED_MEMORY ? "tmpfs" : "hugetlbfs", data);
	if (r == 0)
		*ret_base = take_ptr(inner);
	return r;
}

/* mounts[@i] has a source of @kind at @path, which is taken over. */
static uint32_t share(struct container *c, struct spec *s, size_t i, enum spec_shared kind,
		      char *path, char why[SPEC_WHY_MAX])
{
	struct runtime_bind *binds, *b;
	char source[PATH_MAX];
	struct cgfs_err err = { 0 };
	int r;

	if (c->n_binds == RUNTIME_BINDS_MAX) {
		free(path);
		return spec_refuse(HR_FAIL, why, "mounts[%zu]: more than %d shared sources", i,
				   RUNTIME_BINDS_MAX);
	}
	binds = reallocarray(c->binds, c->n_binds + 1, sizeof(*binds));
	if (!binds) {
		free(path);
		return spec_refuse(HR_FAIL, why, "out of memory");
	}
	c->binds = binds;
	b = &binds[c->n_binds];
	*b = (struct runtime_bind){ .path = path };
	snprintf(source, sizeof(source), "%s/stage/%zu", c->dir, c->n_binds++);
	r = make_shared(c->pod, kind, path, &b->base, &err);
	if (r < 0)
		return spec_refuse(HR_FAIL, why, "mounts[%zu]: source below %.100s/%s: %s", i,
				   c->pod->dir, dir_names[kind - SPEC_SHARED_DISK], strerror(-r));
	/* The rest is below the directory of this size. */
	if (kind == SPEC_SHARED_HUGEPAGES) {
		b->path = strdup(path + strcspn(path, "/") + 1);
		free(path);
	}
	if (!b->path)
		return spec_refuse(HR_FAIL, why, "out of memory");
	return spec_set_source(s, i, source) < 0 ? spec_refuse(HR_FAIL, why, "out of memory")
						 : HR_OK;
}

static uint32_t share_all(struct container *c, struct spec *s, enum spec_kind kind,
			  char why[SPEC_WHY_MAX])
{
	auto_free char *stage = below(c->dir, "stage");
	uint32_t hr = HR_OK;

	for (size_t i = 0; hr == HR_OK && i < json_array_size(s->mounts); i++) {
		enum spec_shared what;
		char *path;

		hr = spec_shared_source(s, i, &what, &path, why);
		if (hr != HR_OK || what == SPEC_NOT_SHARED)
			continue;
		if (kind == SPEC_WORKLOAD && c->pod->dir) {
			hr = share(c, s, i, what, path, why);
			continue;
		}
		free(path);
		hr = spec_refuse(HR_FAIL, why,
				 "mounts[%zu]: source \"%.100s\" is for workloads of a pod with a "
				 "sandbox",
				 i, spec_source(s, i));
	}
	if (hr == HR_OK && c->n_binds > 0 && (!stage || mkdir(stage, 0700) < 0))
		hr = spec_refuse(HR_FAIL, why, "make %.200s: %s", stage, strerror(errno));
	return hr;
}

uint32_t home_apply(struct container *c, struct spec *s, const struct spec_place *place,
		    char why[SPEC_WHY_MAX])
{
	const char *dir = c->pod ? c->pod->dir : c->bundle;
	uint32_t hr = HR_OK;

	if (place->kind != SPEC_WORKLOAD)
		hr = write_files(c->a, dir, s, why);
	if (hr == HR_OK && place->kind != SPEC_SANDBOX && dir)
		hr = mount_files(c, s, dir, why);
	if (hr == HR_OK)
		hr = share_all(c, s, place->kind, why);
	return hr;
}

/* --- removal --------------------------------------------------------------------------------- */

static void unmount(const char *path)
{
	while (umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) == 0)
		;
}

/* The directory itself, where it is a mount, and what is mounted on its entries; then its content.
 * One that another program has put there stays as it is. */
static bool empty_directory(const struct pod *p, const char *path)
{
	DIR *d = dirs_ours(&p->a->dirs, path) ? opendir(path) : NULL;
	struct dirent *e;

	if (!d)
		return true;
	while ((e = readdir(d))) {
		auto_free char *entry = below(path, e->d_name);

		if (entry && !streq(e->d_name, ".") && !streq(e->d_name, ".."))
			unmount(entry);
	}
	closedir(d);
	unmount(path);
	return tree_empty(path);
}

/* In a child process. */
static int empty(void *ctx, struct cgfs_err *err)
{
	const struct pod *p = ctx;
	int r = 0;

	if (p->namespaces)
		namespaces_remove(p->namespaces);
	for (size_t i = 0; p->dir && i < ARRAY_SIZE(dir_names); i++) {
		auto_free char *path = below(p->dir, dir_names[i]);

		if (!path || !empty_directory(p, path))
			r = cgfs_err_set(err, -ENOTEMPTY, "empty", path, NULL, NULL);
	}
	return r;
}

static void try_again(void *ctx);

/* What is in the way may go: the mount of another program, or a lack of memory or processes. */
static bool put_off(struct pod *p)
{
	p->again = (struct loop_timer){ .fn = try_again, .ctx = p };
	return ++p->tries < EMPTY_TRIES &&
	       loop_timer_set(p->a->loop, &p->again, EMPTY_AGAIN_MS << p->tries) == 0;
}

/* The next agent finds it in the pod's state, and tries again. */
static void leave(struct pod *p, const char *why)
{
	log_write(&p->a->log, LOG_WARNING, "what a pod's containers shared is not removed", "pod",
		  p->id, "error", why, NULL);
	p->left = true;
}

static void emptied(void *ctx, int r, const struct cgfs_err *err)
{
	struct pod *p = ctx;

	if (r < 0 && put_off(p))
		return;
	if (r < 0)
		leave(p, *err->text ? err->text : strerror(-r));
	for (size_t i = 0; p->dir && i < ARRAY_SIZE(dir_names); i++) {
		auto_free char *path = below(p->dir, dir_names[i]);

		if (path)
			(void)dirs_remove(&p->a->dirs, path);
	}
	if (p->namespaces)
		dirs_remove_up(&p->a->dirs, p->namespaces);
	pod_emptied(p);
}

static void try_again(void *ctx)
{
	struct pod *p = ctx;
	int r = aside_start(&p->emptying, p->a->loop, empty, emptied, p);

	if (r < 0)
		emptied(p, r, &(struct cgfs_err){ 0 });
}

bool home_empty(struct pod *p)
{
	int r;

	if (!p->shared)
		return false;
	p->tries = 0;
	r = aside_start(&p->emptying, p->a->loop, empty, emptied, p);
	if (r == 0 || put_off(p))
		return true;
	leave(p, strerror(-r));
	return false;
}
