/* SPDX-License-Identifier: MIT */
/*
 * discover.c - which hierarchies are mounted, as libcgroup finds them.  The only file that
 * knows libcgroup.  What libcgroup cannot say, a cgroup2 tree without controllers and the
 * version of a mount point, comes from mountinfo.
 */
#include "controller/table.h"
#include "core.h"
#include "proc.h"

#include <libcgroup.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/vfs.h>

static struct cgfs_mount *add(struct cgfs_mounts *m, const char *path)
{
	struct cgfs_mount *mount;
	struct statfs fs;

	for (size_t i = 0; i < m->n; i++) {
		if (streq(m->mount[i].path, path))
			return &m->mount[i];
	}
	if (m->n == CGFS_MOUNTS_MAX || strlen(path) >= sizeof(mount->path) || statfs(path, &fs) < 0)
		return NULL;
	mount = &m->mount[m->n];
	if (fs.f_type == CGROUP2_SUPER_MAGIC)
		mount->version = CGFS_V2;
	else if (fs.f_type == CGROUP_SUPER_MAGIC)
		mount->version = CGFS_V1;
	else
		return NULL; /* hidden under something else */
	strcpy(mount->path, path);
	m->n++;
	return mount;
}

/* The first cgroup2 mount of mountinfo: libcgroup lists a tree only if it has controllers. */
static int find_unified(struct cgfs_mounts *m)
{
	char path[sizeof(m->mount[0].path)], type[32];
	FILE *f = fopen("/proc/self/mountinfo", "re");
	auto_free char *line = NULL;
	size_t size = 0;

	if (!f)
		return -errno;
	/* Lines have no bound: an overlay names all its layers. */
	while (getline(&line, &size, f) > 0) {
		if (cgfs_proc_mount(line, path, sizeof(path), type, sizeof(type)) == 0 &&
		    streq(type, "cgroup2") && add(m, path))
			break;
	}
	fclose(f);
	return 0;
}

uint32_t unified_controllers(const char *mount_point)
{
	char path[300], text[512];
	uint32_t controllers = 0;
	FILE *f;

	snprintf(path, sizeof(path), "%s/cgroup.controllers", mount_point);
	f = fopen(path, "re");
	if (f && fgets(text, sizeof(text), f))
		controllers = ctl_listed(text);
	if (f)
		fclose(f);
	return controllers;
}

int cgfs_discover(struct cgfs_mounts *ret_mounts, struct cgfs_err *reterr)
{
	struct cgfs_mounts m = { 0 };
	int r;

	r = cgroup_init();
	/* Its words are errno's, which may be of something else: "Success" when a mount is hidden.
	 */
	if (r && r != ECGROUPNOTMOUNTED)
		return cgfs_err_set(reterr, -EIO, "discover cgroup hierarchies", NULL, NULL,
				    "libcgroup cannot read one that /proc/self/mountinfo lists; is "
				    "something mounted over it? (%d: %s)",
				    r, cgroup_strerror(r));

	for (int ctl = 0; ctl < CGFS_CONTROLLER_COUNT; ctl++) {
		const char *names[] = { ctl_name(ctl, CGFS_V1), ctl_name(ctl, CGFS_V2) };

		for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
			auto_free char *path = NULL;
			struct cgfs_mount *mount;

			if (!names[i] || cgroup_get_subsys_mount_point(names[i], &path) || !path)
				continue;
			mount = add(&m, path);
			/* Only the name that belongs to the version: cpuacct is no v2 name. */
			if (mount && ctl_name(ctl, mount->version) &&
			    streq(names[i], ctl_name(ctl, mount->version)))
				mount->controllers |= 1u << ctl;
		}
	}

	r = find_unified(&m);
	if (r < 0)
		return cgfs_err_set(reterr, r, "read", "/proc/self/mountinfo", NULL, NULL);
	if (m.n == 0)
		return cgfs_err_set(reterr, -ENOENT, "discover cgroup hierarchies", NULL, NULL,
				    "none is mounted");
	*ret_mounts = m;
	return 0;
}
