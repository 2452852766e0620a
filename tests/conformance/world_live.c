// SPDX-License-Identifier: MIT
/*
 * world_live.c - a test's world on the running kernel: mounts and files by the kit,
 * processes by live_proc.c, the device policy by eBPF where the kernel has it.
 */
#include "live.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#if CGFS_WITH_BPF
#include <cgfs/bpf.h>
#endif

struct live_world {
	struct live_procs *procs;
	struct cgfs_bpf *bpf;
	bool had; /* a policy before; not to get it again is no lack of the kernel */
};

static struct live_world *live_of(struct world *w)
{
	return w->priv;
}

static void live_open_world(struct world *w)
{
	struct live_world *lw = calloc(1, sizeof(*lw));

	CHECK(lw != NULL);
	w->priv = lw;
	CHECK_MSG(mkdir(w->scratch, 0755) == 0, "mkdir %s: %s", w->scratch, strerror(errno));
	lw->procs = live_procs_new();
}

static void live_restart(struct world *w)
{
#if CGFS_WITH_BPF
	struct live_world *lw = live_of(w);

	cgfs_bpf_close(lw->bpf);
	lw->bpf = NULL;
#else
#endif
}

static void live_close_world(struct world *w)
{
	struct live_world *lw = live_of(w);

#if CGFS_WITH_BPF
	if (access(w->pin_dir, F_OK) == 0) {
		struct cgfs_bpf_opts opts = CGFS_BPF_OPTS_INIT;

		opts.pin_dir = w->pin_dir;
		OK(cgfs_bpf_open(&opts, &lw->bpf, &err));
		OK(cgfs_bpf_unpin(lw->bpf, &err));
		cgfs_bpf_close(lw->bpf);
		CHECK_MSG(access(w->pin_dir, F_OK) < 0, "%s is still there", w->pin_dir);
	}
#endif
	live_procs_free(lw->procs);
	rmdir(w->kit->hidden);
	CHECK_MSG(rmdir(w->scratch) == 0, "rmdir %s: %s", w->scratch, strerror(errno));
	free(lw);
	w->priv = NULL;
}

static const struct cgfs_policy *open_policy(struct world *w, bool memory)
{
#if CGFS_WITH_BPF
	struct live_world *lw = live_of(w);
	struct cgfs_bpf_opts opts = CGFS_BPF_OPTS_INIT;
	struct cgfs_err err = { 0 };

	if (!lw->bpf && !w->policy_missing[0]) {
		opts.pin_dir = w->pin_dir;
		opts.events = true;
		opts.memory = memory;
		if (cgfs_bpf_open(&opts, &lw->bpf, &err) == 0)
			lw->had = true;
		else if (lw->had)
			FAIL("no policy again: %s", err.text);
		else
			snprintf(w->policy_missing, sizeof(w->policy_missing), "%.250s", err.text);
	}
	return lw->bpf ? cgfs_bpf_policy(lw->bpf) : NULL;
#else
	snprintf(w->policy_missing, sizeof(w->policy_missing), "built without eBPF");
	return NULL;
#endif
}

static void live_options(struct world *w, enum world_policy policy, struct cgfs_open_opts *opts)
{
	opts->fs = cgfs_fs_kernel();
	if (strcmp(w->kind->name, "live-files") == 0)
		snprintf(w->policy_missing, sizeof(w->policy_missing), "none is wanted");
	if (policy == WORLD_FILES)
		return;
	opts->policy = open_policy(w, policy == WORLD_MEMORY);
	if (opts->policy)
		opts->cgroup2_mount = w->kit->hidden;
}

static void live_tick(struct world *w)
{
}

/* -- processes ----------------------------------------------------------------------------------
 */

static pid_t live_spawn_one(struct world *w)
{
	return live_spawn(live_of(w)->procs);
}

static pid_t live_fork_one(struct world *w, pid_t pid)
{
	return live_fork(live_of(w)->procs, pid);
}

static bool live_is_alive(struct world *w, pid_t pid)
{
	return live_alive(live_of(w)->procs, pid);
}

static bool live_runs(struct world *w, pid_t pid)
{
	return live_ping(live_of(w)->procs, pid);
}

static int command(struct world *w, pid_t pid, enum live_op op, uint64_t arg)
{
	struct live_command cmd = { .op = op, .arg = { arg } };

	return live_call(live_of(w)->procs, pid, &cmd);
}

static void live_exit(struct world *w, pid_t pid)
{
	command(w, pid, LIVE_EXIT, 0);
	world_gone(w, pid);
}

static int live_alloc(struct world *w, pid_t pid, uint64_t bytes)
{
	int r = command(w, pid, LIVE_ALLOC, bytes);

	CHECK_MSG(r == 0 || r == -ECHILD, "process %d cannot allocate: %s", pid, strerror(-r));
	return r == -ECHILD ? -ENOMEM : 0;
}

static void live_release(struct world *w, pid_t pid, uint64_t bytes)
{
	CHECK_INT(command(w, pid, LIVE_FREE, bytes), 0);
}

static int live_cache(struct world *w, pid_t pid, uint64_t bytes)
{
	int r = command(w, pid, LIVE_CACHE, bytes);

	CHECK_MSG(r == 0 || r == -ECHILD, "process %d cannot allocate: %s", pid, strerror(-r));
	return r == -ECHILD ? -ENOMEM : 0;
}

static int live_file(struct world *w, pid_t pid, uint64_t bytes)
{
	int r = command(w, pid, LIVE_FILE, bytes);

	CHECK_MSG(r == 0 || r == -ENOTSUP, "process %d and its file: %s", pid, strerror(-r));
	return r;
}

static int live_huge(struct world *w, pid_t pid, uint64_t bytes)
{
	uint64_t pages = 0;
	FILE *f = fopen("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "re");
	int r = -ENOTSUP;

	if (f && fscanf(f, "%" SCNu64, &pages) == 1 && pages * 2 * MIB >= bytes)
		r = command(w, pid, LIVE_HUGE, bytes);
	if (f)
		fclose(f);
	return r == -ECHILD ? -ENOMEM : r;
}

static void live_burn(struct world *w, pid_t pid, uint64_t us)
{
	CHECK_INT(command(w, pid, LIVE_BURN, us), 0);
}

/* EPERM is the policy's; the driver's error (no tty, no disk) comes after it. */
static int permission(int r)
{
	CHECK_MSG(r != -ECHILD, "the process that opens devices has died");
	return r == -EPERM ? -EPERM : 0;
}

static int live_mknod(struct world *w, pid_t pid, mode_t mode, int major, int minor)
{
	struct live_command cmd = { .op = LIVE_MKNOD };
	int r;

	cmd.arg[0] = mode;
	cmd.arg[1] = (uint64_t)major;
	cmd.arg[2] = (uint64_t)minor;
	snprintf(cmd.path, sizeof(cmd.path), "%s/made", w->scratch);
	r = permission(live_call(live_of(w)->procs, pid, &cmd));
	unlink(cmd.path);
	return r;
}

static int live_device(struct world *w, pid_t pid, enum cgfs_device_type type, int major, int minor,
		       uint32_t access)
{
	mode_t mode = (type == CGFS_DEVICE_BLOCK ? S_IFBLK : S_IFCHR) | 0600;
	uint32_t rw = access & (CGFS_ACCESS_READ | CGFS_ACCESS_WRITE);
	struct live_command cmd = { .op = LIVE_OPEN };
	int r;

	if (access & CGFS_ACCESS_MKNOD) {
		r = live_mknod(w, pid, mode, major, minor);
		if (r < 0 || !rw)
			return r;
	}
	snprintf(cmd.path, sizeof(cmd.path), "%s/node", w->scratch);
	CHECK_MSG(mknod(cmd.path, mode, makedev((unsigned int)major, (unsigned int)minor)) == 0,
		  "mknod %s: %s", cmd.path, strerror(errno));
	cmd.arg[0] = rw == CGFS_ACCESS_READ    ? O_RDONLY
		     : rw == CGFS_ACCESS_WRITE ? O_WRONLY
					       : O_RDWR;
	r = permission(live_call(live_of(w)->procs, pid, &cmd));
	unlink(cmd.path);
	return r;
}

static void live_bomb(struct world *w, pid_t pid)
{
	CHECK_INT(command(w, pid, LIVE_BOMB, 0), 0);
}

static int live_threads(struct world *w, pid_t pid, unsigned int n)
{
	return command(w, pid, LIVE_THREADS, n);
}

static int live_slow_death(struct world *w, unsigned int ticks)
{
	return -ENOTSUP;
}

static const char *live_comm(struct world *w, pid_t pid)
{
	return "cgfs-helper";
}

/* -- the truth ----------------------------------------------------------------------------------
 */

static enum cgfs_version_id live_version(struct world *w, enum cgfs_controller ctl)
{
	return kit_version(ctl);
}

static const char *live_mount_point(struct world *w, enum cgfs_controller ctl)
{
	static struct kit_mount m[UNIFIED + 1];

	return kit_mount_of(ctl, &m[ctl]) ? m[ctl].path : "";
}

static const char *live_cgroup_of(struct world *w, pid_t pid, enum cgfs_controller ctl)
{
	return kit_cgroup_of(pid, ctl);
}

static bool path_of(enum cgfs_controller ctl, const char *path, const char *file, char *buf,
		    size_t len)
{
	struct kit_mount m;

	if (!kit_mount_of(ctl, &m))
		return false;
	snprintf(buf, len, "%s%s%s%s", m.path, path, *file ? "/" : "", file);
	return true;
}

static int live_cat(struct world *w, enum cgfs_controller ctl, const char *path, const char *file,
		    char *buf, size_t len)
{
	char name[1024];
	int n;

	if (!path_of(ctl, path, file, name, sizeof(name)))
		return -ENOENT;
	n = kit_read(name, buf, len);
	return n < 0 ? n : 0;
}

static bool live_exists(struct world *w, enum cgfs_controller ctl, const char *path)
{
	char name[1024];

	return path_of(ctl, path, "", name, sizeof(name)) && access(name, F_OK) == 0;
}

static int live_owner(struct world *w, enum cgfs_controller ctl, const char *path, const char *file,
		      uid_t *ret_uid, gid_t *ret_gid)
{
	char name[1024];
	struct stat st;

	if (!path_of(ctl, path, file, name, sizeof(name)))
		return -ENOENT;
	if (stat(name, &st) < 0)
		return -errno;
	*ret_uid = st.st_uid;
	*ret_gid = st.st_gid;
	return 0;
}

static int live_mkdir(struct world *w, enum cgfs_controller ctl, const char *path)
{
	char name[1024];

	CHECK(path_of(ctl, path, "", name, sizeof(name)));
	return mkdir(name, 0755) < 0 ? -errno : 0;
}

static int live_rmdir(struct world *w, enum cgfs_controller ctl, const char *path)
{
	char name[1024];

	CHECK(path_of(ctl, path, "", name, sizeof(name)));
	return rmdir(name) < 0 ? -errno : 0;
}

static int live_move(struct world *w, enum cgfs_controller ctl, const char *path, pid_t pid)
{
	char name[1024], text[16];

	CHECK(path_of(ctl, path, "cgroup.procs", name, sizeof(name)));
	snprintf(text, sizeof(text), "%d", pid);
	return kit_write(name, text);
}

static size_t live_hierarchies(struct world *w)
{
	struct kit_mount mounts[KIT_MOUNTS_MAX];

	return kit_mounts(mounts);
}

static size_t live_directories(struct world *w)
{
	struct kit_mount mounts[KIT_MOUNTS_MAX];
	size_t n_mounts = kit_mounts(mounts), n = 0;
	char path[512];

	for (size_t i = 0; i < n_mounts; i++) {
		snprintf(path, sizeof(path), "%s%s", mounts[i].path, w->root);
		n += kit_count(path);
	}
	return n;
}

const struct world_ops world_live_ops = {
	.open = live_open_world,
	.close = live_close_world,
	.restart = live_restart,
	.options = live_options,
	.tick = live_tick,
	.spawn = live_spawn_one,
	.fork = live_fork_one,
	.alive = live_is_alive,
	.runs = live_runs,
	.exit = live_exit,
	.alloc = live_alloc,
	.release = live_release,
	.cache = live_cache,
	.file = live_file,
	.huge = live_huge,
	.burn = live_burn,
	.device = live_device,
	.bomb = live_bomb,
	.threads = live_threads,
	.slow_death = live_slow_death,
	.comm = live_comm,
	.version = live_version,
	.mount = live_mount_point,
	.cgroup_of = live_cgroup_of,
	.cat = live_cat,
	.exists = live_exists,
	.owner = live_owner,
	.mkdir = live_mkdir,
	.rmdir = live_rmdir,
	.move = live_move,
	.hierarchies = live_hierarchies,
	.directories = live_directories,
};
