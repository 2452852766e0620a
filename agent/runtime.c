/* SPDX-License-Identifier: MIT */
/*
 * runtime.c - drives the OCI runtime, and keeps it away from cgroups.
 *
 * One layer owns the cgroups: libcgfs.  So the runtime gets no resources, is told to manage no
 * cgroups, and is started inside the container's: what it makes stays there.  crun refuses
 * hosts that have v1 hierarchies and a cgroup2 tree with controllers, even then; it is shown a
 * private mount namespace without the cgroup2 tree.  runc has no switch to keep its hands off:
 * it makes one cgroup below the one it was started in.
 *
 * Knows command lines and exit statuses; nothing of requests, pods or states.
 */
#include "runtime.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>

#include "../cgfs/internal.h"

#define PARALLEL_MAX 16

struct run {
	struct run *next;
	struct runtime *rt;
	struct loop_child child;
	struct runtime_job job; /* with its own copies of the strings */
	char *strings[5];
};

struct runtime {
	struct loop *loop;
	struct log *log;
	struct cgfs *cgfs;
	char *path;
	char *root; /* the runtime's own state */
	bool crun;
	bool hide_cgroup2;
	bool no_pivot;
	unsigned int running;
	struct run *queue, **queue_end;
	struct loop_timer kick; /* starts what is in the queue, never from within runtime_run() */
};

/* --- life ----------------------------------------------------------------------------------- */

static char *find_in_path(const char *name)
{
	const char *path = getenv("PATH");
	char *found = NULL;

	if (!path || !*path)
		path = "/usr/sbin:/usr/bin:/sbin:/bin";
	while (*path) {
		size_t len = strcspn(path, ":");

		if (len > 0 && asprintf(&found, "%.*s/%s", (int)len, path, name) >= 0) {
			if (access(found, X_OK) == 0)
				return found;
			free(found);
		}
		path += len + (path[len] == ':');
	}
	return NULL;
}

/* pivot_root(2) cannot leave an initramfs. */
static bool root_is_ram(void)
{
	struct statfs fs;

	return statfs("/", &fs) == 0 && (fs.f_type == RAMFS_MAGIC || fs.f_type == TMPFS_MAGIC);
}

static bool is_hybrid(struct cgfs *cgfs)
{
	const struct cgfs_mounts *m = cgfs_mounts(cgfs);
	bool v1 = false, v2 = false;

	for (size_t i = 0; i < m->n; i++) {
		v1 = v1 || m->mount[i].version == CGFS_V1;
		v2 = v2 || m->mount[i].version == CGFS_V2;
	}
	return v1 && v2;
}

static void kick(void *ctx);

int runtime_new(struct loop *loop, struct log *log, struct cgfs *cgfs, const char *path,
		const char *state_dir, struct runtime **ret, struct cgfs_err *reterr)
{
	struct runtime *rt = calloc(1, sizeof(*rt));
	const char *base;

	if (!rt)
		return cgfs_err_set(reterr, -ENOMEM, "find OCI runtime", NULL, NULL, NULL);
	rt->loop = loop;
	rt->log = log;
	rt->cgfs = cgfs;
	rt->queue_end = &rt->queue;
	rt->kick = (struct loop_timer){ .fn = kick, .ctx = rt };
	rt->path = path ? strdup(path) : find_in_path("crun");
	if (!rt->path)
		rt->path = find_in_path("runc");
	if (!rt->path || access(rt->path, X_OK) < 0 ||
	    asprintf(&rt->root, "%s/runtime", state_dir) < 0) {
		rt->root = NULL;
		runtime_free(rt);
		return cgfs_err_set(reterr, -ENOENT, "find OCI runtime", path, NULL, "%s",
				    path ? "it is not an executable file"
					 : "neither crun nor runc is in PATH");
	}
	base = strrchr(rt->path, '/');
	rt->crun = strncmp(base ? base + 1 : rt->path, "runc", 4) != 0;
	rt->hide_cgroup2 = rt->crun && is_hybrid(cgfs);
	rt->no_pivot = root_is_ram();
	*ret = rt;
	return 0;
}

static void run_free(struct run *r);

void runtime_free(struct runtime *rt)
{
	if (!rt)
		return;
	loop_timer_clear(rt->loop, &rt->kick);
	for (struct run *r = rt->queue, *next; r; r = next) {
		next = r->next;
		run_free(r);
	}
	free(rt->path);
	free(rt->root);
	free(rt);
}

const char *runtime_path(const struct runtime *rt)
{
	return rt->path;
}

/* --- in the child --------------------------------------------------------------------------- */

/* The runtime's errors and ours come back in the same file. */
static void __attribute__((noreturn, format(printf, 2, 3)))
child_fail(const char *log, const char *fmt, ...)
{
	int saved = errno;
	int fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	va_list ap;

	if (fd >= 0) {
		va_start(ap, fmt);
		vdprintf(fd, fmt, ap);
		va_end(ap);
		dprintf(fd, ": %s\n", strerror(saved));
	}
	_exit(125);
}

static void child_streams(const struct runtime_job *job)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int fds[3];

	/* First out of the way of 0, 1 and 2, then into place. */
	for (int i = 0; i < 3; i++) {
		fds[i] = fcntl(job->fds[i] >= 0 ? job->fds[i] : null, F_DUPFD_CLOEXEC, 3);
		if (fds[i] < 0)
			child_fail(job->log, "stream %d", i);
	}
	for (int i = 0; i < 3; i++) {
		if (dup2(fds[i], i) < 0)
			child_fail(job->log, "stream %d", i);
	}
}

static void child_mounts(struct runtime *rt, const char *log)
{
	const struct cgfs_mounts *m = cgfs_mounts(rt->cgfs);

	if (unshare(CLONE_NEWNS) < 0)
		child_fail(log, "mount namespace");
	/* What is mounted outside later still comes in; nothing goes out. */
	if (mount("", "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
		child_fail(log, "mount propagation");
	for (size_t i = 0; i < m->n; i++) {
		if (m->mount[i].version != CGFS_V2)
			continue;
		if (umount2(m->mount[i].path, MNT_DETACH | UMOUNT_NOFOLLOW) < 0 && errno != EINVAL)
			child_fail(log, "hide %s", m->mount[i].path);
	}
}

static void child_arguments(struct runtime *rt, const struct runtime_job *job, const char **argv)
{
	static const char *const verbs[] = { "create", "start", "exec", "delete" };

	*argv++ = rt->path;
	/* runc: go on when cgroups refuse something, as the pod's device policy refuses what runc
	 * allows each container beyond OCI's list. */
	*argv++ = rt->crun ? "--cgroup-manager=disabled" : "--rootless=true";
	*argv++ = "--root";
	*argv++ = rt->root;
	*argv++ = "--log";
	*argv++ = job->log;
	*argv++ = verbs[job->verb];
	if (job->verb == RUNTIME_CREATE) {
		*argv++ = "--bundle";
		*argv++ = job->bundle;
		if (rt->no_pivot)
			*argv++ = "--no-pivot";
	}
	if (job->verb == RUNTIME_EXEC) {
		*argv++ = "--detach";
		*argv++ = "--process";
		*argv++ = job->process;
	}
	if (job->pid_file) {
		*argv++ = "--pid-file";
		*argv++ = job->pid_file;
	}
	if (job->verb == RUNTIME_DELETE)
		*argv++ = "--force";
	*argv++ = job->id;
	*argv = NULL;
}

static void __attribute__((noreturn)) child_main(struct runtime *rt, const struct runtime_job *job)
{
	const char *argv[24];
	sigset_t none;

	child_streams(job);
	if (rt->hide_cgroup2)
		child_mounts(rt, job->log);
	child_arguments(rt, job, argv);

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	setsid();
	execv(rt->path, (char **)argv);
	child_fail(job->log, "run %s", rt->path);
}

/* --- in the parent -------------------------------------------------------------------------- */

static void run_free(struct run *r)
{
	for (int i = 0; i < 3; i++) {
		if (r->job.fds[i] >= 0)
			close(r->job.fds[i]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(r->strings); i++)
		free(r->strings[i]);
	free(r);
}

/* What the log says, as one line. */
static void read_log(const char *path, char *buf, size_t len)
{
	auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	ssize_t n = fd < 0 ? 0 : read(fd, buf, len - 1);

	buf[n > 0 ? n : 0] = '\0';
	for (n = (ssize_t)strlen(buf); n > 0 && buf[n - 1] == '\n'; n--)
		buf[n - 1] = '\0';
	for (char *p = buf; *p; p++) {
		if (*p == '\n')
			*p = ';';
	}
}

static void finish(struct run *r, int code, const char *text)
{
	static const char *const verbs[] = { "create", "start", "exec", "delete" };
	struct runtime *rt = r->rt;
	const char *base = strrchr(rt->path, '/');
	char why[RUNTIME_WHY_MAX] = "";

	if (code != 0)
		snprintf(why, sizeof(why), "%s %s of container %s failed: %s%d%s%s",
			 base ? base + 1 : rt->path, verbs[r->job.verb], r->job.id,
			 code > 0 ? "exit status " : "error ", code > 0 ? code : -code,
			 *text ? ": " : "", text);
	(void)unlink(r->job.log);
	r->job.done(r->job.ctx, code, why);
	/* After `done`, which looks for the process that the run has left behind. */
	loop_orphans_keep(rt->loop, -1);
	run_free(r);
}

static void start_queued(struct runtime *rt);

static void ended(void *ctx, int status)
{
	struct run *r = ctx;
	struct runtime *rt = r->rt;
	int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	char text[RUNTIME_WHY_MAX / 2] = "";

	if (code != 0)
		read_log(r->job.log, text, sizeof(text));
	rt->running--;
	finish(r, code, text);
	start_queued(rt);
}

static int begin(struct run *r, struct cgfs_err *err)
{
	struct runtime *rt = r->rt;
	int pidfd = -EBADF, status, res;
	pid_t pid;

	(void)unlink(r->job.log);
	if (r->job.join) {
		res = cgfs_group_spawn(r->job.join, &pid, &pidfd, err);
		if (res < 0)
			return res;
	} else {
		pid = fork();
		if (pid < 0)
			return cgfs_err_set(err, -errno, "fork", NULL, NULL, NULL);
	}
	if (pid == 0)
		child_main(rt, &r->job);
	if (pidfd >= 0)
		close(pidfd);

	/* The streams belong to the child now. */
	for (int i = 0; i < 3; i++) {
		if (r->job.fds[i] >= 0)
			close(take_fd(&r->job.fds[i]));
	}
	rt->running++;
	loop_orphans_keep(rt->loop, 1);
	r->child = (struct loop_child){ .fn = ended, .ctx = r };
	if (loop_child_watch(rt->loop, &r->child, pid, &status))
		ended(r, status);
	return 0;
}

static void start_queued(struct runtime *rt)
{
	while (rt->queue && rt->running < PARALLEL_MAX) {
		struct run *r = rt->queue;
		struct cgfs_err err = { 0 };
		int res;

		rt->queue = r->next;
		if (!rt->queue)
			rt->queue_end = &rt->queue;
		res = begin(r, &err);
		if (res < 0) {
			loop_orphans_keep(rt->loop, 1);
			finish(r, res, err.text);
		}
	}
}

static void kick(void *ctx)
{
	start_queued(ctx);
}

static const char *copy(struct run *r, size_t i, const char *s, bool *ok)
{
	if (!s)
		return NULL;
	r->strings[i] = strdup(s);
	*ok = *ok && r->strings[i];
	return r->strings[i];
}

int runtime_run(struct runtime *rt, const struct runtime_job *job)
{
	struct run *r = calloc(1, sizeof(*r));
	bool ok = r != NULL;

	if (r) {
		r->rt = rt;
		r->job = *job;
		r->job.id = copy(r, 0, job->id, &ok);
		r->job.bundle = copy(r, 1, job->bundle, &ok);
		r->job.process = copy(r, 2, job->process, &ok);
		r->job.pid_file = copy(r, 3, job->pid_file, &ok);
		r->job.log = copy(r, 4, job->log, &ok);
	}
	/* From the loop, so that `done` is never called before this returns. */
	if (ok && rt->kick.index == 0)
		ok = loop_timer_set(rt->loop, &rt->kick, 0) == 0;
	if (!ok) {
		if (r)
			r->job.fds[0] = r->job.fds[1] = r->job.fds[2] = -EBADF;
		if (r)
			run_free(r);
		return -ENOMEM;
	}
	*rt->queue_end = r;
	rt->queue_end = &r->next;
	return 0;
}
