/* SPDX-License-Identifier: MIT */
/*
 * agent.c - puts the parts together, runs the loop, takes the parts apart.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "../cgfs/internal.h"
#include "agent.h"

/* How long --delete-on-exit may take. */
#define DELETE_MAX_MS 30000

/* A child that a killed agent had just forked may hold what the agent held, a moment longer. */
#define HELD_MAX_MS 3000
#define HELD_TRY_MS 20

/* What the scout has found. */
struct discovery {
	int r;
	struct cgfs_err err;
	struct cgfs_mounts mounts;
};

struct whole {
	struct agent a;
	struct options opt;
	struct loop_fd scout;
	struct discovery found;
	struct loop_timer again;
	uint64_t began_ms;
	struct loop_timer give_up;
	int stop_signal; /* came before all was open */
	int failed;	 /* a negative errno, with err */
	struct cgfs_err err;
	bool incomplete;
};

static void on_scout(void *ctx, uint32_t events);

static int open_log(struct log *log, const struct options *o, struct cgfs_err *err)
{
	log->json = streq(o->log_format, "json");
	if (log_level_parse(o->log_level, &log->level) < 0)
		return -EINVAL; /* checked with the options */
	/* A copy: the original may be closed by whoever started us in a strange way. */
	log->fd = o->log_file ? open(o->log_file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640)
			      : fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	if (log->fd < 0 && o->log_file)
		return cgfs_err_set(err, -errno, "open log", o->log_file, NULL, NULL);
	return 0;
}

static int open_bpf(struct agent *a, struct cgfs_err *err)
{
#if CGFS_WITH_BPF
	struct cgfs_bpf_opts opts = CGFS_BPF_OPTS_INIT;
	int r;

	if (a->opt->no_bpf)
		return 0;
	opts.pin_dir = a->opt->pin_dir;
	opts.events = true;
	r = cgfs_bpf_open(&opts, &a->bpf, err);
	/* Where v1 keeps devices, nothing is lost but events; elsewhere no container is made. */
	if (r == -EOPNOTSUPP || r == -EPERM) {
		log_write(&a->log, LOG_WARNING, "no eBPF device policy", "error", err->text, NULL);
		*err = (struct cgfs_err){ 0 };
		return 0;
	}
	return r;
#else
	(void)err;
	if (!a->opt->no_bpf)
		log_write(&a->log, LOG_WARNING, "built without eBPF: no device policy on cgroup2",
			  NULL);
	return 0;
#endif
}

/* Where a cgroup2 tree is mounted when the host has none; NULL: no memory. */
static char *cgroup2_path(const struct agent *a)
{
	char *path;

	return asprintf(&path, "%s/cgroup2", a->opt->state_dir) < 0 ? NULL : path;
}

static int open_cgfs(struct agent *a, const struct cgfs_mounts *mounts, struct cgfs_err *err)
{
	struct cgfs_open_opts opts = CGFS_OPEN_OPTS_INIT;
#if CGFS_WITH_BPF
	auto_free char *cgroup2 = NULL;
#endif
	int r = open_bpf(a, err);

	if (r < 0)
		return r;
	opts.mounts = mounts;
	opts.root = a->opt->root;
#if CGFS_WITH_BPF
	if (a->bpf) {
		opts.policy = cgfs_bpf_policy(a->bpf);
		/* eBPF hangs on cgroup2 directories: where no tree is mounted, one of our own. */
		cgroup2 = cgroup2_path(a);
		if (!cgroup2)
			return -ENOMEM;
		opts.cgroup2_mount = cgroup2;
	}
#endif
	r = cgfs_open(&opts, &a->cgfs, err);
	return r < 0 ? r : event_watch(a);
}

static int make_state_dir(struct agent *a, struct cgfs_err *err)
{
	static const char *const names[] = { "", "/pods", "/containers", "/runtime" };
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(names) && r == 0; i++) {
		auto_free char *path = NULL;

		if (asprintf(&path, "%s%s", a->opt->state_dir, names[i]) < 0) {
			path = NULL;
			return -ENOMEM;
		}
		r = files_make_dirs(a, path);
		if (r < 0)
			cgfs_err_set(err, r, "make state directory", path, NULL, NULL);
		else if (*names[i])
			files_note_dir(a, path); /* ours, whoever made it */
	}
	return r < 0 ? r : state_lock(a, err);
}

static void hangup(void *ctx)
{
	struct agent *a = ctx;

	if (a->opt->listen || a->stopping)
		return;
	log_write(&a->log, LOG_INFO, "stdin has ended", NULL);
	a->hung_up = true;
	if (a->ready)
		loop_stop(a->loop);
}

static int open_bridge(struct agent *a, struct cgfs_err *err)
{
	static const struct bridge_ops ops = { message_dispatch, message_closed, hangup };
	int in, out, r;

	r = bridge_new(a->loop, &a->log, &ops, a, &a->bridge);
	if (r == 0 && a->opt->listen)
		r = bridge_listen(a->bridge, a->opt->listen + strlen("unix:"), err);
	if (r < 0 || !a->opt->use_inouterr)
		return r;

	in = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
	out = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	if (in < 0 || out < 0)
		return cgfs_err_set(err, -errno, "serve stdin and stdout", NULL, NULL, NULL);
	return bridge_add(a->bridge, in, out, true, err);
}

static void log_ignored(void *ctx, const char *name)
{
	struct agent *a = ctx;

	log_write(&a->log, LOG_INFO, "option has no effect here", "option", name, NULL);
}

static void say_hello(struct agent *a)
{
	log_write(&a->log, LOG_INFO, "cgfs-agent", "version", cgfs_version(), "layout",
		  cgfs_layout_name(cgfs_layout(a->cgfs)), "root", cgfs_root(a->cgfs), "runtime",
		  runtime_path(a->runtime), "bpf", a->bpf ? "yes" : "no", NULL);
	options_ignored(a->opt, log_ignored, a);
	if (!a->opt->v4)
		log_write(&a->log, LOG_WARNING, "without -v4 every request is refused", NULL);
	memory_begin(a);
	adopt_all(a);
	foreign_report(a);
}

static void give_up(void *ctx)
{
	struct whole *m = ctx;

	log_write(&m->a.log, LOG_ERROR, "not everything could be deleted in time", NULL);
	m->incomplete = true;
	loop_stop(m->a.loop);
}

void agent_emptied(struct agent *a)
{
	if (a->stopping && a->containers.n == 0 && a->pods.n == 0)
		loop_stop(a->loop);
}

static void on_signal(void *ctx, int sig)
{
	struct whole *m = ctx;
	struct agent *a = &m->a;

	if (!a->ready) {
		m->stop_signal = sig;
		return;
	}
	log_write(&a->log, LOG_INFO, "stopping", "signal", LOG_NUM(sig), "pods", LOG_NUM(a->pods.n),
		  "then", a->opt->delete_on_exit ? "deleted" : "left running", NULL);
	if (!a->opt->delete_on_exit || a->stopping) {
		loop_stop(a->loop);
		return;
	}
	a->stopping = true;
	if (loop_timer_set(a->loop, &m->give_up, DELETE_MAX_MS) < 0)
		loop_stop(a->loop);
	pod_delete_all(a);
	agent_emptied(a);
}

static void __attribute__((noreturn)) scout(const struct agent *a, int fd)
{
	struct discovery d = { 0 };

	d.r = cgfs_discover(&d.mounts, &d.err);
#if CGFS_WITH_BPF
	struct cgfs_bpf_opts opts = CGFS_BPF_OPTS_INIT;
	struct cgfs_bpf *bpf;

	opts.pin_dir = a->opt->pin_dir;
	opts.events = true;
	/* A failure is found again, and told, by the agent itself. */
	if (d.r == 0 && !a->opt->no_bpf && cgfs_bpf_open(&opts, &bpf, NULL) == 0)
		cgfs_bpf_close(bpf);
#else
	(void)a;
#endif
	_exit(write(fd, &d, sizeof(d)) != (ssize_t)sizeof(d));
}

/* Finding hierarchies and loading eBPF programs takes 20 ms and megabytes that an idle agent has
 * no use for (libcgroup's static tables alone are 800 KiB).  A child does it and takes the
 * memory along; the programs stay, pinned, to be taken over.  Meanwhile the bridge is served:
 * a host has its answer to NegotiateProtocol at once. */
static int send_scout(struct whole *m, struct cgfs_err *err)
{
	int pipefd[2];
	pid_t pid;

	if (pipe2(pipefd, O_CLOEXEC) < 0)
		return cgfs_err_set(err, -errno, "pipe", NULL, NULL, NULL);
	pid = fork();
	if (pid == 0)
		scout(&m->a, pipefd[1]);
	close(pipefd[1]);
	m->scout = (struct loop_fd){ .fn = on_scout, .ctx = m, .fd = pipefd[0] };
	if (pid < 0)
		return cgfs_err_set(err, -errno, "fork", NULL, NULL, NULL);
	return loop_set(m->a.loop, &m->scout, EPOLLIN);
}

static int read_scout(struct whole *m, struct cgfs_err *err)
{
	struct discovery *ret = &m->found;
	size_t have = 0;
	ssize_t n;

	/* It writes all of it at once, and ends. */
	while (have < sizeof(*ret)) {
		n = read(m->scout.fd, (char *)ret + have, sizeof(*ret) - have);
		if (n == 0 || (n < 0 && errno != EINTR))
			break;
		have += n > 0 ? (size_t)n : 0;
	}
	loop_set(m->a.loop, &m->scout, 0);
	close(take_fd(&m->scout.fd));
	if (have < sizeof(*ret))
		return cgfs_err_set(err, -EIO, "find cgroup hierarchies", NULL, NULL,
				    "the child that looks for them failed");
	*err = ret->err;
	return ret->r;
}

/* The second half of the start. */
static int open_rest(struct whole *m, struct cgfs_err *err)
{
	struct agent *a = &m->a;
	int r = m->scout.fd >= 0 ? read_scout(m, err) : 0;

	if (r == 0)
		r = open_cgfs(a, &m->found.mounts, err);
	if (r == 0)
		r = runtime_new(a->loop, &a->log, a->cgfs, m->opt.runtime, m->opt.state_dir,
				&a->runtime, err);
	if (r < 0)
		return r;
	a->ready = true;
	say_hello(a);
	return 0;
}

static void go_on(void *ctx)
{
	struct whole *m = ctx;

	m->err = (struct cgfs_err){ 0 };
	m->failed = open_rest(m, &m->err);
	if (m->failed == -EBUSY && !m->a.bpf && loop_now_ms() - m->began_ms < HELD_MAX_MS &&
	    loop_timer_set(m->a.loop, &m->again, HELD_TRY_MS) == 0)
		return;
	if (m->failed < 0 || m->a.hung_up)
		loop_stop(m->a.loop);
	else if (m->stop_signal)
		on_signal(m, m->stop_signal);
	else
		message_ready(&m->a);
}

static void on_scout(void *ctx, uint32_t events)
{
	(void)events;
	go_on(ctx);
}

static int open_first(struct whole *m, struct cgfs_err *err)
{
	struct agent *a = &m->a;
	uint64_t limit;
	int r;

	m->give_up = (struct loop_timer){ .fn = give_up, .ctx = m };
	m->again = (struct loop_timer){ .fn = go_on, .ctx = m };
	m->began_ms = loop_now_ms();
	r = open_log(&a->log, &m->opt, err);
	if (r == 0)
		r = loop_new(&a->loop);
	if (r == 0)
		r = memory_limit(a, &limit, err);
	if (r == 0)
		r = make_state_dir(a, err);
	if (r == 0)
		r = open_bridge(a, err);
	if (r == 0)
		r = send_scout(m, err);
	if (r == 0)
		loop_on_signal(a->loop, on_signal, m);
	return r;
}

/* Pods are left as they are; what --delete-on-exit wanted gone is gone. */
static void close_all(struct whole *m)
{
	struct agent *a = &m->a;
	auto_free char *cgroup2 = cgroup2_path(a);
	/* Without the state directory nothing in it, and nothing that goes with it, is ours. */
	bool all = m->opt.delete_on_exit && !m->incomplete && a->state_lock >= 0;
	struct table_node *n;

	if (a->bridge)
		bridge_flush(a->bridge, 200);
	while ((n = table_next(&a->containers, NULL)))
		container_free(container_of(n, struct container, node));
	while ((n = table_next(&a->pods, NULL)))
		pod_free(container_of(n, struct pod, node));
	while (a->externals)
		process_free(a->externals);
	bridge_free(a->bridge);
	message_ready(a); /* answers that go nowhere now */
	if (m->scout.fd >= 0)
		close(m->scout.fd);
	runtime_free(a->runtime);
	if (all && a->cgfs) {
		struct cgfs_err err = { 0 };

		if (cgfs_root_remove(a->cgfs, &err) < 0)
			log_write(&a->log, LOG_INFO, "the pods root stays", "why", err.text, NULL);
	} else if (a->root_limit_bytes) {
		/* Made for its limit alone, it may be empty.  -ENOTEMPTY: then it stays. */
		(void)!cgfs_root_remove(a->cgfs, NULL);
	}
	cgfs_close(a->cgfs);
#if CGFS_WITH_BPF
	/* -EBUSY when other groups use the pins: then they stay. */
	if (all && a->bpf)
		(void)!cgfs_bpf_unpin(a->bpf, NULL);
	cgfs_bpf_close(a->bpf);
#endif
	if (m->opt.delete_on_exit && a->state_lock >= 0 && cgroup2) {
		/* Mounted by an earlier agent that was killed, it was not ours to cgfs_close(). */
		(void)umount2(cgroup2, MNT_DETACH | UMOUNT_NOFOLLOW);
		(void)rmdir(cgroup2);
	}
	state_unlock(a, all);
	files_forget(a, all);
	table_free(&a->containers);
	table_free(&a->pods);
	table_free(&a->foreign);
	loop_free(a->loop);
	if (a->log.fd >= 0)
		close(a->log.fd);
}

int agent_main(int argc, char **argv)
{
	struct whole m = { .a = { .log.fd = -EBADF, .state_lock = -EBADF }, .scout.fd = -EBADF };
	char why[OPTIONS_WHY_MAX];
	int r;

	if (options_parse(&m.opt, argc, argv, why) < 0) {
		fprintf(stderr, "cgfs-agent: %s (--help lists the options)\n", why);
		return 2;
	}
	if (m.opt.help) {
		options_help(stdout);
		return 0;
	}
	if (m.opt.version) {
		printf("cgfs-agent %s\n", cgfs_version());
		return 0;
	}

	m.a.opt = &m.opt;
	signal(SIGPIPE, SIG_IGN);
	r = open_first(&m, &m.err);
	if (r == 0)
		r = loop_run(m.a.loop);
	if (r == 0)
		r = m.failed;
	if (r < 0)
		fprintf(stderr, "cgfs-agent: %s\n", m.err.code ? m.err.text : strerror(-r));
	close_all(&m);
	return r < 0 || m.incomplete ? 1 : 0;
}
