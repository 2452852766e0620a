// SPDX-License-Identifier: MIT
/*
 * world_fake.c - a test's world on the fake host.  Processes are the fake's own.
 */
#include "world.h"

#include <fcntl.h>
#include <stdlib.h>

#define BOMBERS_MAX 1024

struct fake_world {
	struct fake *f;
	pid_t bombers[BOMBERS_MAX];
	size_t n_bombers;
};

static struct fake *fake_of(struct world *w)
{
	struct fake_world *fw = w->priv;

	return fw->f;
}

struct fake *world_fake(struct world *w)
{
	return w->kind->live ? NULL : fake_of(w);
}

static void fake_open_world(struct world *w)
{
	struct fake_world *fw = calloc(1, sizeof(*fw));

	CHECK(fw != NULL);
	fw->f = fake_new(w->kind->layout, w->kind->kernel);
	w->priv = fw;
	if (w->ops->version(w, UNIFIED) == CGFS_NONE)
		snprintf(w->policy_missing, sizeof(w->policy_missing), "no cgroup2 tree");
}

static void fake_close_world(struct world *w)
{
	struct fake *f = fake_of(w);

	CHECK_INT(fake_directories(f), 0);
	CHECK_INT(fake_open_files(f), 0);
	fake_free(f);
	free(w->priv);
	w->priv = NULL;
}

static void fake_restart(struct world *w)
{
	CHECK_INT(fake_open_files(fake_of(w)), 0);
}

static void fake_options(struct world *w, enum world_policy policy, struct cgfs_open_opts *opts)
{
	struct fake *f = fake_of(w);

	opts->fs = fake_fs(f);
	opts->mounts = fake_mounts(f);
	if (policy != WORLD_FILES && !w->policy_missing[0])
		opts->policy = fake_policy(f, true);
}

static void fake_tick_world(struct world *w)
{
	fake_tick(fake_of(w));
}

/* -- processes ----------------------------------------------------------------------------------
 */

static pid_t fake_spawn_one(struct world *w)
{
	return fake_spawn(fake_of(w));
}

static pid_t fake_fork_one(struct world *w, pid_t pid)
{
	return fake_fork(fake_of(w), pid);
}

static bool fake_is_alive(struct world *w, pid_t pid)
{
	return fake_alive(fake_of(w), pid);
}

static bool fake_runs(struct world *w, pid_t pid)
{
	return fake_alive(fake_of(w), pid) && !fake_frozen(fake_of(w), pid);
}

static void fake_exit_one(struct world *w, pid_t pid)
{
	fake_exit(fake_of(w), pid);
}

static int take_memory(struct world *w, pid_t pid, uint64_t bytes,
		       int (*charge)(struct fake *f, pid_t pid, uint64_t bytes))
{
	/* As a real process would touch it: in pieces. */
	while (bytes > 0) {
		uint64_t piece = bytes < MIB ? bytes : MIB;
		int r = charge(fake_of(w), pid, piece);

		if (r < 0 && !fake_alive(fake_of(w), pid))
			return -ENOMEM;
		/* Another process was killed to make room: go on. */
		if (r == 0)
			bytes -= piece;
	}
	return 0;
}

static int fake_alloc(struct world *w, pid_t pid, uint64_t bytes)
{
	return take_memory(w, pid, bytes, fake_charge);
}

static int fake_cache(struct world *w, pid_t pid, uint64_t bytes)
{
	return take_memory(w, pid, bytes, fake_charge_cache);
}

static void fake_release(struct world *w, pid_t pid, uint64_t bytes)
{
	fake_uncharge(fake_of(w), pid, bytes);
}

static void fake_burn(struct world *w, pid_t pid, uint64_t us)
{
	fake_run(fake_of(w), pid, us, 0);
}

static int fake_open_device(struct world *w, pid_t pid, enum cgfs_device_type type, int major,
			    int minor, uint32_t access)
{
	return fake_device(fake_of(w), pid, type, major, minor, access);
}

/* Before each call of the library every bomber that can forks once. */
static void explode(struct world *w)
{
	struct fake_world *fw = w->priv;
	size_t n = fw->n_bombers;

	for (size_t i = 0; i < n; i++) {
		pid_t child;

		if (!fake_runs(w, fw->bombers[i]) || fw->n_bombers == BOMBERS_MAX)
			continue;
		child = fake_fork(fw->f, fw->bombers[i]);
		if (child > 0)
			fw->bombers[fw->n_bombers++] = child;
	}
}

static void fake_bomb(struct world *w, pid_t pid)
{
	struct fake_world *fw = w->priv;

	fw->bombers[fw->n_bombers++] = pid;
	shim_before(w->shim, explode);
}

static int fake_threads(struct world *w, pid_t pid, unsigned int n)
{
	return -ENOTSUP;
}

static int fake_slow_death(struct world *w, unsigned int ticks)
{
	fake_set_exit_delay(fake_of(w), ticks);
	return 0;
}

static const char *fake_comm(struct world *w, pid_t pid)
{
	return NULL;
}

/* -- the truth ----------------------------------------------------------------------------------
 */

static const struct cgfs_mount *mount_of(struct world *w, enum cgfs_controller ctl)
{
	const struct cgfs_mounts *m = fake_mounts(fake_of(w));

	for (size_t i = 0; i < m->n; i++) {
		if (ctl == UNIFIED ? m->mount[i].version == CGFS_V2
				   : (m->mount[i].controllers & (1u << ctl)) != 0)
			return &m->mount[i];
	}
	return NULL;
}

static enum cgfs_version_id fake_version(struct world *w, enum cgfs_controller ctl)
{
	const struct cgfs_mount *m = mount_of(w, ctl);

	return m ? m->version : CGFS_NONE;
}

static const char *fake_mount_point(struct world *w, enum cgfs_controller ctl)
{
	const struct cgfs_mount *m = mount_of(w, ctl);

	return m ? m->path : "";
}

static const char *fake_cgroup(struct world *w, pid_t pid, enum cgfs_controller ctl)
{
	return fake_cgroup_of(fake_of(w), pid, ctl);
}

static int fake_cat_file(struct world *w, enum cgfs_controller ctl, const char *path,
			 const char *file, char *buf, size_t len)
{
	if (!mount_of(w, ctl))
		return -ENOENT;
	return fake_cat(fake_of(w), ctl, path, file, buf, len);
}

static bool fake_dir_exists(struct world *w, enum cgfs_controller ctl, const char *path)
{
	return mount_of(w, ctl) && fake_exists(fake_of(w), ctl, path);
}

static int fake_owner_of(struct world *w, enum cgfs_controller ctl, const char *path,
			 const char *file, uid_t *ret_uid, gid_t *ret_gid)
{
	return fake_owner(fake_of(w), ctl, path, file, ret_uid, ret_gid);
}

/* Opens the hierarchy's mount point by the fake's own door. */
static int door(struct world *w, enum cgfs_controller ctl)
{
	const struct cgfs_fs *fs = fake_fs(fake_of(w));
	int fd = fs->ops->open(fs->ctx, AT_FDCWD, fake_mount_point(w, ctl), O_RDONLY | O_DIRECTORY);

	CHECK(fd >= 0);
	return fd;
}

static int fake_make(struct world *w, enum cgfs_controller ctl, const char *path)
{
	const struct cgfs_fs *fs = fake_fs(fake_of(w));
	int fd = door(w, ctl), r;

	r = fs->ops->mkdir(fs->ctx, fd, path + 1, 0755);
	fs->ops->close(fs->ctx, fd);
	return r;
}

static int fake_unmake(struct world *w, enum cgfs_controller ctl, const char *path)
{
	const struct cgfs_fs *fs = fake_fs(fake_of(w));
	int fd = door(w, ctl), r;

	r = fs->ops->rmdir(fs->ctx, fd, path + 1);
	fs->ops->close(fs->ctx, fd);
	return r;
}

static int fake_move(struct world *w, enum cgfs_controller ctl, const char *path, pid_t pid)
{
	const struct cgfs_fs *fs = fake_fs(fake_of(w));
	char name[1024], text[16];
	int dir = door(w, ctl), fd, r;

	snprintf(name, sizeof(name), "%s/cgroup.procs", path + 1);
	snprintf(text, sizeof(text), "%d", pid);
	fd = fs->ops->open(fs->ctx, dir, name, O_WRONLY);
	r = fd < 0 ? fd : (int)fs->ops->write(fs->ctx, fd, text, strlen(text));
	if (fd >= 0)
		fs->ops->close(fs->ctx, fd);
	fs->ops->close(fs->ctx, dir);
	return r < 0 ? r : 0;
}

static size_t fake_hierarchies(struct world *w)
{
	return fake_mounts(fake_of(w))->n;
}

static size_t fake_dirs(struct world *w)
{
	const struct cgfs_mounts *m = fake_mounts(fake_of(w));
	size_t n = fake_directories(fake_of(w));

	/* The pods root itself, in each hierarchy, is not below itself. */
	for (size_t i = 0; i < m->n; i++) {
		int ctl =
			m->mount[i].controllers ? __builtin_ctz(m->mount[i].controllers) : UNIFIED;

		if (fake_exists(fake_of(w), ctl, w->root))
			n--;
	}
	return n;
}

static int fake_file(struct world *w, pid_t pid, uint64_t bytes)
{
	return bytes ? fake_charge_cache(fake_of(w), pid, bytes) : 0;
}

static int fake_huge_pages(struct world *w, pid_t pid, uint64_t bytes)
{
	return fake_huge(fake_of(w), pid, bytes);
}

const struct world_ops world_fake_ops = {
	.open = fake_open_world,
	.close = fake_close_world,
	.restart = fake_restart,
	.options = fake_options,
	.tick = fake_tick_world,
	.spawn = fake_spawn_one,
	.fork = fake_fork_one,
	.alive = fake_is_alive,
	.runs = fake_runs,
	.exit = fake_exit_one,
	.alloc = fake_alloc,
	.release = fake_release,
	.cache = fake_cache,
	.burn = fake_burn,
	.device = fake_open_device,
	.bomb = fake_bomb,
	.threads = fake_threads,
	.slow_death = fake_slow_death,
	.comm = fake_comm,
	.version = fake_version,
	.mount = fake_mount_point,
	.file = fake_file,
	.huge = fake_huge_pages,
	.cgroup_of = fake_cgroup,
	.cat = fake_cat_file,
	.exists = fake_dir_exists,
	.owner = fake_owner_of,
	.mkdir = fake_make,
	.rmdir = fake_unmake,
	.move = fake_move,
	.hierarchies = fake_hierarchies,
	.directories = fake_dirs,
};
