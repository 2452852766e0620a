/* SPDX-License-Identifier: MIT */
/*
 * recover.c - pins were removed while this process used them: everything is pinned again
 * from the descriptors that the handle holds, and each group that lives is attached again.  The
 * maps are the same ones, so lists, counters and names are as they were.
 */
#include "bpf/policy/policy.h"

#include <bpf/bpf.h>
#include <fcntl.h>
#include <mntent.h>
#include <sys/file.h>

static uint32_t map_id(int fd)
{
	struct bpf_map_info info = { 0 };
	uint32_t len = sizeof(info);

	return fd >= 0 && bpf_obj_get_info_by_fd(fd, &info, &len) == 0 ? info.id : 0;
}

/* Another process that uses the pins was quicker, and its maps are this one's; or it came between,
 * found none and made its own: those go, unless it uses them, or a group does. */
static int replace(struct cgfs_bpf *b, struct cgfs_err *reterr)
{
	const struct object *groups = &b->groups->o;
	const char *pin = groups->ops->pins[GROUPS_MAP].pin;
	char path[CGFS_BPF_PATH], key[64];
	auto_fd int there = bpf_obj_get(cgfs_bpf_path(&b->pins, pin, path));
	int r = 0;

	if (map_id(there) == map_id(groups->fd[GROUPS_MAP]))
		return 0;
	if (!cgfs_bpf_alone(&b->pins) || bpf_map_get_next_key(there, NULL, key) == 0)
		return err_why(reterr, -ESTALE, "pin to", b->pins.dir,
			       "it was removed, and another process has made it anew and uses it, "
			       "or has a group there; end that, or use another directory");
	for (size_t i = b->n; i-- > 0 && r == 0;)
		r = cgfs_bpf_object_unpin(b->object[i], reterr);
	return r;
}

static int pin_all(struct cgfs_bpf *b, struct cgfs_err *reterr)
{
	int r = cgfs_bpf_use(&b->pins, reterr);

	if (r == 0 && cgfs_bpf_all_pinned(b))
		r = replace(b, reterr);
	for (size_t i = 0; i < b->n && r == 0; i++)
		r = b->object[i]->on ? cgfs_bpf_object_pin(b->object[i], reterr) : 0;
	return r;
}

int cgfs_bpf_recover(struct pins *p, struct cgfs_err *reterr)
{
	struct cgfs_bpf *b = (void *)((char *)p - offsetof(struct cgfs_bpf, pins));
	int r;

	if ((p->fd < 0 && !p->lost) || !b->groups->o.on)
		return err_why(reterr, -ESTALE, "lock", p->dir, "another process removed the pins");
	p->lost = true;
	if (p->fd >= 0)
		close(take_fd(&p->fd));
	r = cgfs_bpf_pins_open(p, reterr);
	if (r < 0)
		return r;
	while (flock(p->fd, LOCK_EX) < 0)
		if (errno != EINTR)
			return err_file(reterr, -errno, "lock", p->dir);
	r = pin_all(b, reterr);
	if (r < 0) {
		/* They are another one's, which this process must not seem to use. */
		if (p->used_fd >= 0) {
			flock(p->used_fd, LOCK_UN);
			close(take_fd(&p->used_fd));
		}
		cgfs_bpf_unlock(p);
		return r;
	}
	/* Events still come from the rings when another process was quicker. */
	if (p->events_fd >= 0)
		ignore(cgfs_bpf_receive(p, NULL));
	p->lost = false;
	b->detached = true;
	return 0;
}

static int attach_again(struct cgfs_bpf *b, uint64_t cgroup_id, int tree_fd,
			struct cgfs_err *reterr)
{
	struct cgfs_event names = CGFS_EVENT_INIT;
	struct cgfs_policy_group group = {
		.sz = sizeof(group),
		.cgroup_id = cgroup_id,
		.pod = names.pod,
		.container = names.container,
	};
	struct object_group g = { .group = &group };
	auto_fd int fd = cgfs_bpf_group_open(tree_fd, cgroup_id, O_RDONLY | O_DIRECTORY);

	if (fd == -ESTALE)
		return 0; /* the cgroup is gone, and a sweep will find that */
	if (fd < 0)
		return cgfs_err_set(reterr, fd, "open cgroup of a pod again", NULL, NULL, NULL);
	if (cgfs_bpf_group_read(b->groups, cgroup_id, &g.there) < 0)
		return 0;
	cgfs_bpf_names(b->groups, cgroup_id, &names);
	group.cgroup_fd = fd;
	group.pod_cgroup_id = g.there.pod_cgroup_id;
	return cgfs_bpf_add_to_all(b, &g, reterr);
}

int cgfs_bpf_attach_all(struct cgfs_bpf *b, int tree_fd, struct cgfs_err *reterr)
{
	uint64_t id;
	int more, r = 0;

	if (!b->detached || tree_fd < 0)
		return 0;
	for (more = cgfs_bpf_group_first(b->groups, &id); more == 1 && r == 0;
	     more = cgfs_bpf_group_next(b->groups, &id))
		r = attach_again(b, id, tree_fd, reterr);
	b->detached = r < 0;
	return r;
}

int cgfs_bpf_open_tree(void)
{
	FILE *f = setmntent("/proc/self/mounts", "re");
	struct mntent *m = NULL;
	int fd = -ENOENT;

	while (f && (m = getmntent(f)))
		if (streq(m->mnt_type, "cgroup2"))
			break;
	if (m) {
		fd = open(m->mnt_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		fd = fd < 0 ? -errno : fd;
	}
	if (f)
		endmntent(f);
	return fd;
}

int cgfs_bpf_restore(struct cgfs_bpf *b, uint64_t *ret_groups, struct cgfs_err *reterr)
{
	auto_fd int tree = cgfs_bpf_open_tree();
	uint64_t id;
	int more, r;

	/* Renamed, say: what is locked around changes is not what others find. */
	b->pins.lost = b->pins.lost || !cgfs_bpf_pins_there(&b->pins);
	r = tree < 0 ? err_file(reterr, tree, "open", "cgroup2")
		     : cgfs_bpf_lock(&b->pins, reterr); /* with the directory gone it recovers */
	if (r < 0)
		return r;
	r = cgfs_bpf_pins_complete(&b->pins, reterr);
	for (size_t i = 0; i < b->n && r == 0; i++)
		r = b->object[i]->on ? cgfs_bpf_object_pin(b->object[i], reterr) : 0;
	b->detached = true;
	if (r == 0)
		r = cgfs_bpf_attach_all(b, tree, reterr);
	*ret_groups = 0;
	for (more = cgfs_bpf_group_first(b->groups, &id); more == 1;
	     more = cgfs_bpf_group_next(b->groups, &id))
		++*ret_groups;
	cgfs_bpf_unlock(&b->pins);
	return r;
}
