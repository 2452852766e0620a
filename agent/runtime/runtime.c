/* SPDX-License-Identifier: MIT */
/*
 * runtime.c - drives the OCI runtime, and keeps it away from cgroups.
 *
 * One layer owns the cgroups: libcgfs.  So the runtime gets no resources, an option to manage no
 * cgroups, and is started inside the container's: what it makes stays there.  crun refuses
 * hosts that have v1 hierarchies and a cgroup2 tree with controllers, even then; it is shown a
 * private mount namespace without the cgroup2 tree.  runc has no switch to keep its hands off:
 * it makes one cgroup below the one it was started in.
 *
 * Knows command lines and exit statuses; nothing of requests, pods or states.
 */
#include "agent/runtime/runtime.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/vfs.h>
#include <sys/wait.h>

#include "agent/base/files.h"
#include "agent/base/log.h"
#include "agent/base/loop.h"
#include "agent/runtime/runtime_child.h"
#include "cgfs/base/util.h"

/*
 * Runs at one time.  What a container does can hold a run up (a FIFO in place of a file that the
 * runtime reads, a limit that starves it), so no pod gets more than its share, every run has a time
 * limit, and deletions are counted apart.  Nor does one pod wait for others: the first run of each
 * has a place while there are any at all, and only what is more shares the smaller number.
 */
#define PLACES_MAX   256
#define PARALLEL_MAX 32
#define POD_SHARE    6

#define HURRY_MS      1000
#define KILL_RETRY_MS 50

static const struct {
	const char *name;
	unsigned int limit_ms;
} verbs[] = {
	[RUNTIME_CREATE] = { "create", 60000 },
	[RUNTIME_START] = { "start", 20000 },
	[RUNTIME_EXEC] = { "exec", 60000 },
	[RUNTIME_DELETE] = { "delete", 6000 },
};

struct run {
	struct run *next, **prev; /* in the queue, or of those that run */
	struct runtime *rt;
	struct loop_child child;
	struct loop_timer limit;
	struct runtime_job job; /* with its own copies of the strings */
	char *strings[9];
	pid_t pid;
	bool cancelled; /* its container is being deleted */
	bool overdue;
};

struct runtime {
	struct loop *loop;
	struct log *log;
	struct runtime_how how;
	unsigned int running, deleting;
	struct run *active;
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
	uint32_t type; /* as many bits as a magic number has; f_type is of another sign elsewhere */

	if (statfs("/", &fs) < 0)
		return false;
	type = (uint32_t)fs.f_type;
	return type == RAMFS_MAGIC || type == TMPFS_MAGIC;
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
		const char *state_dir, const char *oom_score, struct runtime **ret,
		struct cgfs_err *reterr)
{
	struct runtime *rt = calloc(1, sizeof(*rt));
	const char *base;

	if (!rt)
		return cgfs_err_set(reterr, -ENOMEM, "find OCI runtime", NULL, NULL, NULL);
	rt->loop = loop;
	rt->log = log;
	rt->how.cgfs = cgfs;
	rt->how.copy = -EBADF;
	rt->queue_end = &rt->queue;
	rt->how.oom_score = oom_score;
	rt->how.null = open("/dev/null", O_RDWR | O_CLOEXEC);
	rt->kick = (struct loop_timer){ .fn = kick, .ctx = rt };
	if (rt->how.null < 0) {
		runtime_free(rt);
		return err_file(reterr, -errno, "open", "/dev/null");
	}
	rt->how.path = path ? strdup(path) : find_in_path("crun");
	if (!rt->how.path)
		rt->how.path = find_in_path("runc");
	if (!rt->how.path || access(rt->how.path, X_OK) < 0 ||
	    asprintf(&rt->how.root, "%s/runtime", state_dir) < 0) {
		rt->how.root = NULL;
		runtime_free(rt);
		return err_why(reterr, -ENOENT, "find OCI runtime", path, "%s",
			       path ? "it is not an executable file"
				    : "neither crun nor runc is in PATH");
	}
	base = strrchr(rt->how.path, '/');
	rt->how.crun = strncmp(base ? base + 1 : rt->how.path, "runc", 4) != 0;
	rt->how.hide_cgroup2 = rt->how.crun && is_hybrid(cgfs);
	rt->how.no_pivot = root_is_ram();
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
	for (struct run *r = rt->active, *next; r; r = next) {
		next = r->next;
		loop_child_unwatch(rt->loop, &r->child);
		loop_timer_clear(rt->loop, &r->limit);
		run_free(r);
	}
	if (rt->how.null >= 0)
		close(rt->how.null);
	runtime_copy_drop(&rt->how);
	free(rt->how.path);
	free(rt->how.root);
	free(rt);
}

const char *runtime_path(const struct runtime *rt)
{
	return rt->how.path;
}

static bool known(const char *path)
{
	const char *base = strrchr(path, '/');

	base = base ? base + 1 : path;
	return strncmp(base, "crun", 4) == 0 || strncmp(base, "runc", 4) == 0;
}

bool runtime_forget(const struct runtime *rt, const char *id)
{
	auto_free char *path = NULL;

	if (!known(rt->how.path) || asprintf(&path, "%s/%s", rt->how.root, id) < 0) {
		path = NULL;
		return false;
	}
	return files_is_flat(path) && files_remove_flat(path) == 0;
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

/* The text of the log, as one line. */
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
	struct runtime *rt = r->rt;
	const char *base = strrchr(rt->how.path, '/');
	char why[RUNTIME_WHY_MAX] = "";

	if (r->cancelled && code != 0)
		snprintf(why, sizeof(why), "container %s is being deleted", r->job.id);
	else if (r->overdue && code != 0)
		snprintf(why, sizeof(why),
			 "%s %s of container %s did not end in %u s, and was killed",
			 base ? base + 1 : rt->how.path, verbs[r->job.verb].name, r->job.id,
			 verbs[r->job.verb].limit_ms / 1000);
	else if (code != 0)
		snprintf(why, sizeof(why), "%s %s of container %s failed: %s%d%s%s",
			 base ? base + 1 : rt->how.path, verbs[r->job.verb].name, r->job.id,
			 code > 0 ? "exit status " : "error ", code > 0 ? code : -code,
			 *text ? ": " : "", text);
	(void)unlink(r->job.log);
	r->job.done(r->job.ctx, code, why);
	/* After `done`, which looks for the process that the run has left behind. */
	loop_orphans_keep(rt->loop, -1);
	run_free(r);
}

static unsigned int *counter(struct run *r)
{
	return r->job.verb == RUNTIME_DELETE ? &r->rt->deleting : &r->rt->running;
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
	loop_timer_clear(rt->loop, &r->limit);
	--*counter(r);
	*r->prev = r->next;
	if (r->next)
		r->next->prev = r->prev;
	finish(r, code, text);
	start_queued(rt);
}

/* --- ending a run by force -------------------------------------------------------------------- */

#define TREE_MAX 64

/* The children of a process, then theirs: appended to @pids. */
static size_t add_children(pid_t pid, pid_t *pids, size_t n)
{
	char path[64], text[1024];
	auto_fd int fd = -EBADF;
	char *at = text, *end;
	ssize_t len;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid, (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	len = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);
	text[len > 0 ? len : 0] = '\0';
	for (long child; n < TREE_MAX && (child = strtol(at, &end, 10)) > 0; at = end)
		pids[n++] = (pid_t)child;
	return n;
}

/* The run's process, and what it has started and not left behind.  Killed together, since a
 * process whose parent is gone could not be found any more. */
static void kill_tree(const struct run *r)
{
	pid_t pids[TREE_MAX] = { r->pid };
	size_t n = 1;

	for (size_t i = 0; i < n; i++)
		n = add_children(pids[i], pids, n);
	for (size_t i = 0; i < n; i++)
		(void)kill(pids[i], SIGKILL);
}

static void on_limit(void *ctx)
{
	struct run *r = ctx;

	r->overdue = true;
	kill_tree(r);
	/* Until its end has been seen: it may have been about to start one more. */
	(void)loop_timer_set(r->rt->loop, &r->limit, KILL_RETRY_MS);
}

void runtime_cancel(struct runtime *rt, const char *id)
{
	for (struct run *r = rt->queue; r; r = r->next) {
		if (r->job.verb != RUNTIME_DELETE && streq(r->job.id, id))
			r->cancelled = true;
	}
	for (struct run *r = rt->active; r; r = r->next) {
		if (r->job.verb == RUNTIME_DELETE || !streq(r->job.id, id))
			continue;
		r->cancelled = true;
		kill_tree(r);
		(void)loop_timer_set(rt->loop, &r->limit, KILL_RETRY_MS);
	}
	/* Those in the queue end from the loop. */
	if (rt->queue && rt->kick.index == 0)
		(void)loop_timer_set(rt->loop, &rt->kick, 0);
}

void runtime_hurry(struct runtime *rt, const char *id)
{
	for (struct run *r = rt->active; r; r = r->next) {
		if (r->job.verb == RUNTIME_START && streq(r->job.id, id))
			(void)loop_timer_set(rt->loop, &r->limit, HURRY_MS);
	}
}

/* --- beginning a run -------------------------------------------------------------------------- */

static int run_begin(struct run *r, struct cgfs_err *err)
{
	struct runtime *rt = r->rt;
	int status;

	(void)unlink(r->job.log);
	runtime_copy_refresh(&rt->how);
	r->pid = fork();
	if (r->pid < 0)
		return cgfs_err_set(err, -errno, "fork", NULL, NULL, NULL);
	if (r->pid == 0 && r->job.join)
		runtime_child_join(&rt->how, &r->job);
	if (r->pid == 0)
		runtime_child(&rt->how, &r->job);

	/* The streams belong to the child now. */
	for (int i = 0; i < 3; i++) {
		if (r->job.fds[i] >= 0)
			close(take_fd(&r->job.fds[i]));
	}
	++*counter(r);
	r->next = rt->active;
	r->prev = &rt->active;
	if (r->next)
		r->next->prev = &r->next;
	rt->active = r;
	loop_orphans_keep(rt->loop, 1);
	r->limit = (struct loop_timer){ .fn = on_limit, .ctx = r };
	if (loop_timer_set(rt->loop, &r->limit, verbs[r->job.verb].limit_ms) < 0)
		log_write(rt->log, LOG_WARNING, "a run of the runtime has no time limit",
			  "container", r->job.id, "error", "out of memory", NULL);
	r->child = (struct loop_child){ .fn = ended, .ctx = r };
	if (loop_child_watch(rt->loop, &r->child, r->pid, &status))
		ended(r, status);
	return 0;
}

/* --- the queue -------------------------------------------------------------------------------- */

static bool has_place(const struct run *r)
{
	bool deletes = r->job.verb == RUNTIME_DELETE;
	unsigned int now = deletes ? r->rt->deleting : r->rt->running, share = 0;

	if (r->cancelled)
		return true;
	if (now >= PLACES_MAX)
		return false;
	for (const struct run *o = r->rt->active; o; o = o->next)
		share +=
			(o->job.verb == RUNTIME_DELETE) == deletes && streq(o->job.pod, r->job.pod);
	return share == 0 || (share < POD_SHARE && now < PARALLEL_MAX);
}

/* The first that may begin now, taken out of the queue; NULL: none. */
static struct run *take_next(struct runtime *rt)
{
	struct run **at = &rt->queue, *r;

	while (*at && !has_place(*at))
		at = &(*at)->next;
	r = *at;
	if (!r)
		return NULL;
	*at = r->next;
	if (rt->queue_end == &r->next)
		rt->queue_end = at;
	return r;
}

static void start_queued(struct runtime *rt)
{
	struct run *r;

	while ((r = take_next(rt))) {
		struct cgfs_err err = { 0 };
		int res = r->cancelled ? -ECANCELED : run_begin(r, &err);

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
		r->job.pod = copy(r, 5, job->pod ? job->pod : job->id, &ok);
		r->job.console = copy(r, 6, job->console, &ok);
		r->job.namespaces = copy(r, 7, job->namespaces, &ok);
		r->job.hostname = copy(r, 8, job->hostname, &ok);
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
