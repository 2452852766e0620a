/* SPDX-License-Identifier: MIT */
/*
 * host.c - see host.h.  Stands in for the runtime (runtime.c is not linked) and, by the linker's
 * --wrap, for the calls with which the agent reaches processes and directories of the machine.
 */
#include "host.h"

#include "agent/base/aside.h"
#include "agent/base/files.h"
#include "agent/base/hash.h"
#include "agent/base/log.h"
#include "agent/base/loop.h"
#include "agent/bridge/bridge.h"
#include "agent/model/container.h"
#include "agent/model/pod.h"
#include "agent/model/process.h"
#include "agent/model/state.h"
#include "agent/runtime/runtime.h"
#include "agent/service/message.h"
#include "cgfs/base/util.h"

#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BOOK_MAX 512

static struct host *host; /* NULL: the calls go where they always went */
static char state_dir[] = "/tmp/cgfs-fuzz-XXXXXX";
static struct {
	char *path[BOOK_MAX];
	size_t n;
} made, removed;
static pid_t pid_of_fd[1024];
static struct call {
	struct aside *aside;
	int (*fn)(void *ctx, struct cgfs_err *err); /* NULL: it was killed */
} calls[1024];
static size_t n_calls;

/* --- the machine ------------------------------------------------------------------------------ */

pid_t __wrap_fork(void);
int __wrap_kill(pid_t pid, int sig);
long __wrap_syscall(long n, ...);
int __wrap_mkdir(const char *path, mode_t mode);
int __wrap_rmdir(const char *path);
int __wrap_unlink(const char *path);
long __real_syscall(long n, ...);
int __real_mkdir(const char *path, mode_t mode);
int __real_rmdir(const char *path);
int __real_unlink(const char *path);

static int fail(int error)
{
	errno = error;
	return -1;
}

/* An external process; what reports its exec finds the pipe closed, as after one. */
pid_t __wrap_fork(void)
{
	return fake_spawn(host->f);
}

int __wrap_kill(pid_t pid, int sig)
{
	if (!fake_alive(host->f, pid))
		return fail(ESRCH);
	if (sig < 0 || sig > 64)
		return fail(EINVAL);
	if (sig)
		fake_exit(host->f, pid);
	return 0;
}

/* Reads six arguments, as syscall(2) does, also where the caller gave fewer. */
__attribute__((no_sanitize("address"))) long __wrap_syscall(long n, ...)
{
	long arg[6];
	va_list ap;
	int fd;

	va_start(ap, n);
	for (size_t i = 0; i < ARRAY_SIZE(arg); i++)
		arg[i] = va_arg(ap, long);
	va_end(ap);
	if (n == SYS_pidfd_send_signal)
		return __wrap_kill(pid_of_fd[arg[0]], (int)arg[1]);
	if (n != SYS_pidfd_open)
		return __real_syscall(n, arg[0], arg[1], arg[2], arg[3], arg[4], arg[5]);
	if (!fake_alive(host->f, (pid_t)arg[0]))
		return fail(ESRCH);
	fd = eventfd(0, EFD_CLOEXEC);
	if (fd < 0 || (size_t)fd >= ARRAY_SIZE(pid_of_fd))
		abort();
	pid_of_fd[fd] = (pid_t)arg[0];
	return fd;
}

static bool inside(const char *path)
{
	size_t len = strlen(state_dir);

	return strncmp(path, state_dir, len) == 0 && (!path[len] || path[len] == '/') &&
	       !strstr(path, "/..");
}

static char **in_book(const char *path)
{
	for (size_t i = 0; i < made.n; i++)
		if (streq(made.path[i], path))
			return &made.path[i];
	return NULL;
}

int __wrap_mkdir(const char *path, mode_t mode)
{
	if (!host || inside(path))
		return __real_mkdir(path, mode);
	if (in_book(path))
		return fail(EEXIST);
	if (made.n == BOOK_MAX || strlen(path) > 4095)
		return fail(ENOSPC);
	made.path[made.n++] = strdup(path);
	return 0;
}

int __wrap_rmdir(const char *path)
{
	size_t len = strlen(path);
	char **at = in_book(path);

	if (!host || inside(path))
		return __real_rmdir(path);
	if (!at) {
		/* Above the state directory all are its. */
		if (removed.n < BOOK_MAX && !files_leads_to(path, state_dir))
			removed.path[removed.n++] = strdup(path);
		return fail(ENOENT);
	}
	for (size_t i = 0; i < made.n; i++)
		if (strncmp(made.path[i], path, len) == 0 && made.path[i][len] == '/')
			return fail(ENOTEMPTY);
	free(*at);
	*at = made.path[--made.n];
	return 0;
}

int __wrap_unlink(const char *path)
{
	if (host && !inside(path))
		abort();
	return __real_unlink(path);
}

size_t host_outside(void)
{
	return made.n;
}

const char *host_strayed(size_t i)
{
	return i < removed.n ? removed.path[i] : NULL;
}

/* --- the runtime ------------------------------------------------------------------------------ */

struct run {
	struct run *next;
	struct runtime_job job;
	char *pid_file, *id;
	bool cancelled;
};

static struct run *runs;

const char *runtime_path(const struct runtime *rt)
{
	(void)rt;
	return "runtime";
}

int runtime_new(struct loop *loop, struct log *log, struct cgfs *cgfs, const char *path,
		const char *dir, const char *oom_score, struct runtime **ret,
		struct cgfs_err *reterr)
{
	(void)loop;
	(void)log;
	(void)cgfs;
	(void)path;
	(void)dir;
	(void)oom_score;
	*ret = NULL;
	return cgfs_err_set(reterr, -ENOENT, "find a runtime", NULL, NULL, NULL);
}

void runtime_free(struct runtime *rt)
{
	(void)rt;
}

int runtime_run(struct runtime *rt, const struct runtime_job *job)
{
	struct run *r = calloc(1, sizeof(*r)), **end = &runs;

	(void)rt;
	if (!r)
		return -ENOMEM;
	r->job = *job;
	r->pid_file = job->pid_file ? strdup(job->pid_file) : NULL;
	r->id = strdup(job->id);
	if (!r->id)
		abort();
	while (*end)
		end = &(*end)->next;
	*end = r;
	return 0;
}

void runtime_hurry(struct runtime *rt, const char *id)
{
	(void)rt;
	(void)id;
}

/* Of some containers the runtime keeps more than the agent may remove. */
bool runtime_forget(const struct runtime *rt, const char *id)
{
	(void)rt;
	return strlen(id) % 2;
}

/* Those of the container end in their turn, without having run. */
void runtime_cancel(struct runtime *rt, const char *id)
{
	(void)rt;
	for (struct run *r = runs; r; r = r->next)
		r->cancelled |= r->job.verb != RUNTIME_DELETE && streq(r->id, id);
}

static bool run_one(void)
{
	struct run *r = runs;
	char text[16];
	int code = 0;

	if (!r)
		return false;
	runs = r->next;
	if (r->cancelled) {
		code = -ECANCELED;
	} else if (r->job.join) {
		pid_t pid = fake_spawn(host->f);

		snprintf(text, sizeof(text), "%d", pid);
		if (cgfs_group_add_pid(r->job.join, pid, NULL) < 0 ||
		    files_write(r->pid_file, text) < 0) {
			fake_exit(host->f, pid);
			code = 1;
		}
	}
	close_fds(r->job.fds);
	r->job.done(r->job.ctx, code, code ? "no" : "");
	free(r->pid_file);
	free(r->id);
	free(r);
	return true;
}

/* --- calls aside ------------------------------------------------------------------------------ */

/* A call that a child process would make is made in its turn, by this process. */
int aside_start(struct aside *s, struct loop *loop, int (*fn)(void *ctx, struct cgfs_err *err),
		void (*done)(void *ctx, int r, const struct cgfs_err *err), void *ctx)
{
	*s = (struct aside){ .loop = loop, .done = done, .ctx = ctx, .pid = 1 };
	if (n_calls == ARRAY_SIZE(calls))
		abort();
	calls[n_calls++] = (struct call){ s, fn };
	return 0;
}

void aside_kill(struct aside *s)
{
	for (size_t i = 0; i < n_calls; i++)
		if (calls[i].aside == s)
			calls[i].fn = NULL;
}

void aside_drop(struct aside *s)
{
	size_t n = 0;

	for (size_t i = 0; i < n_calls; i++)
		if (calls[i].aside != s)
			calls[n++] = calls[i];
	n_calls = n;
	s->pid = 0;
}

void aside_stop(struct aside *s)
{
	aside_drop(s);
}

static bool call_one(void)
{
	struct cgfs_err err = { 0 };
	struct call c = calls[0];
	int r;

	if (!n_calls)
		return false;
	r = c.fn ? c.fn(c.aside->ctx, &err) : -ECANCELED;
	aside_drop(c.aside);
	c.aside->done(c.aside->ctx, r, &err);
	return true;
}

/* --- the agent -------------------------------------------------------------------------------- */

static void make_dirs(void)
{
	static const char *const names[] = { "pods", "containers", "runtime" };
	char path[sizeof(state_dir) + 16];

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", state_dir, names[i]);
		if (__real_mkdir(path, 0700) < 0 && errno != EEXIST)
			abort();
	}
}

static void remove_all(void)
{
	static const char *const names[] = { "/pods", "/containers", "/runtime", "" };
	char path[sizeof(state_dir) + 16];

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(path, sizeof(path), "%s%s", state_dir, names[i]);
		(void)!__real_rmdir(path);
	}
}

static void do_nothing(void *ctx)
{
	(void)ctx;
}

static void emptied(struct agent *a)
{
	loop_stop(a->loop);
}

void host_open(struct host *h, enum cgfs_layout layout)
{
	static const struct bridge_ops ops = { message_dispatch, message_closed, do_nothing,
					       message_outlives };
	static bool first = true;
	struct cgfs_open_opts opts = CGFS_OPEN_OPTS_INIT;

	if (first && (!mkdtemp(state_dir) || atexit(remove_all) != 0))
		abort();
	first = false;
	while (removed.n)
		free(removed.path[--removed.n]);
	while (made.n)
		free(made.path[--made.n]);
	make_dirs();
	*h = (struct host){ .a = { .words = &message_words,
				   .v4 = true,
				   .state_dir = state_dir,
				   .state_lock = -EBADF,
				   .dirs = DIRS_INIT,
				   .ready = true,
				   .emptied = emptied } };
	host = h;
	h->f = fake_new(layout, FAKE_KERNEL_7_2);
	h->a.log.fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	h->a.log.level = LOG_DEBUG;
	opts.fs = fake_fs(h->f);
	opts.mounts = fake_mounts(h->f);
	opts.policy = fake_policy(h->f, true);
	/* Where no process listens. */
	h->a.streams.log = &h->a.log;
	h->a.streams.host = (struct address){ .path = "/nowhere/host" };
	if (cgfs_open(&opts, &h->a.cgfs, NULL) < 0 || loop_new(&h->a.loop) < 0 ||
	    event_watch(&h->a) < 0 ||
	    bridge_new(h->a.loop, &h->a.log, &ops, &h->a, &h->a.dirs, &h->a.bridge) < 0)
		abort();
	h->a.streams.loop = h->a.loop;
}

static void stop(void *ctx)
{
	loop_stop(ctx);
}

/* One process that has ended and whose watcher does not know; false: there is none. */
static bool end_one(struct process *p)
{
	for (; p; p = p->next) {
		if (p->exited || fake_alive(host->f, p->pid))
			continue;
		if (p->pidfd.fd >= 0) {
			p->pidfd.fn(p->pidfd.ctx, EPOLLIN);
			return true;
		}
		if (!p->child.pid)
			continue;
		loop_child_unwatch(host->a.loop, &p->child);
		p->child.fn(p->child.ctx, SIGKILL);
		return true;
	}
	return false;
}

/* What waits for an init to end by itself waits no longer: half a second for each is too much. */
static bool kill_now(struct agent *a, struct container *c)
{
	if (c->kill_timer.index == 0)
		return false;
	loop_timer_clear(a->loop, &c->kill_timer);
	c->kill_timer.fn(c->kill_timer.ctx);
	return true;
}

static bool end_some(struct agent *a)
{
	for (struct hash_node *n = hash_next(&a->containers, NULL); n;
	     n = hash_next(&a->containers, n)) {
		struct container *c = container_of(n, struct container, node);

		if (end_one(c->init) || end_one(c->execs) || kill_now(a, c))
			return true;
	}
	return end_one(a->externals);
}

/* How long host_settle() waits for a removal; where one cannot end, each call takes as long. */
#define SETTLE_MAX_MS 200

/* Is there a group that the library removes?  Its next step may wait for a timer of the kernel. */
static bool removing(struct agent *a)
{
	struct hash_node *n = NULL;

	while ((n = hash_next(&a->containers, n)))
		if (container_of(n, struct container, node)->removal.begun)
			return true;
	while ((n = hash_next(&a->pods, n)))
		if (container_of(n, struct pod, node)->removal.begun)
			return true;
	return a->foreign.n > 0;
}

void host_settle(struct host *h)
{
	struct loop_timer t = { .fn = stop, .ctx = h->a.loop };
	unsigned int patience = SETTLE_MAX_MS;

	for (int idle = 0; idle < 2;) {
		bool wait = idle == 1 && patience > 0 && removing(&h->a);

		if (wait)
			patience--;
		else
			idle++;
		if (loop_timer_set(h->a.loop, &t, wait) < 0 || loop_run(h->a.loop) < 0)
			abort();
		/* The agent stops the loop, too, when it is empty. */
		loop_timer_clear(h->a.loop, &t);
		while (run_one() || call_one() || end_some(&h->a))
			idle = 0;
	}
}

int host_connect(struct host *h)
{
	int fd[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd) < 0 ||
	    bridge_add(h->a.bridge, fd[0], fd[0], false, NULL) < 0)
		abort();
	return fd[1];
}

void host_close(struct host *h)
{
	struct agent *a = &h->a;

	streams_end(&a->streams);
	pod_delete_all(a);
	host_settle(h);
	if (a->containers.n || a->pods.n || a->foreign.n || runs)
		abort();
	message_end(a);
	(void)!cgfs_root_remove(a->cgfs, NULL);
	cgfs_close(a->cgfs);
	state_unlock(a, true);
	dirs_close(&a->dirs, true);
	loop_free(a->loop);
	close(a->log.fd);
	if (fake_open_files(h->f) || fake_bad_closes(h->f))
		abort();
	fake_free(h->f);
	host = NULL; /* libFuzzer has files of its own */
}

void host_file(const char *name, const void *data, size_t len)
{
	char path[sizeof(state_dir) + 300];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", state_dir, name);
	for (char *p = path + sizeof(state_dir); (p = strchr(p, '/')); p++) {
		*p = '\0';
		(void)!__real_mkdir(path, 0700);
		*p = '/';
	}
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, data, len) != (ssize_t)len)
		abort();
	close(fd);
}

bool host_gone(const char *name)
{
	char path[sizeof(state_dir) + 300];
	bool gone;

	snprintf(path, sizeof(path), "%s/%s", state_dir, name);
	gone = __real_unlink(path) < 0 && errno == ENOENT;
	*strrchr(path, '/') = '\0';
	(void)!__real_rmdir(path);
	return gone;
}
