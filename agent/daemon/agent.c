/* SPDX-License-Identifier: MIT */
/*
 * agent.c - puts the parts together, runs the loop, takes the parts apart.
 */
#include <cgfs/bpf.h>
#include <cgfs/cgfs.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "agent/base/files.h"
#include "agent/base/log.h"
#include "agent/base/loop.h"
#include "agent/bridge/bridge.h"
#include "agent/daemon/daemon.h"
#include "agent/daemon/init.h"
#include "agent/daemon/machine.h"
#include "agent/daemon/options.h"
#include "agent/daemon/output.h"
#include "agent/daemon/serve.h"
#include "agent/model/agent.h"
#include "agent/model/pod.h"
#include "agent/model/state.h"
#include "agent/runtime/runtime.h"
#include "agent/service/message.h"
#include "agent/wire/owner.h"
#include "cgfs/base/clock.h"
#include "cgfs/base/util.h"

/* How long --delete-on-exit waits for the next pod or container to go. */
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
	struct cgfs_bpf *bpf;
	struct owner owner; /* of the pods root */
	struct machine machine;
	bool hung_up; /* stdin has ended */
	struct loop_fd scout;
	struct discovery found;
	struct loop_timer again;
	uint64_t began_ms;
	struct loop_timer give_up;
	int stop_signal; /* came before all was open */
	bool had_pins;	 /* before it began */
	bool first;	 /* process 1 of the machine, which ends with the agent */
	bool power_off;	 /* a client asked for it */
	enum init_ending ending;
	int failed; /* a negative errno, with err */
	struct cgfs_err err;
	bool incomplete;
};

static void on_scout(void *ctx, uint32_t events);

static const char *pin_dir(const struct options *o)
{
	return o->pin_dir ? o->pin_dir : "/sys/fs/bpf/cgfs";
}

static int open_bpf(struct whole *m, struct cgfs_err *err)
{
#if CGFS_WITH_BPF
	struct cgfs_bpf_opts opts = CGFS_BPF_OPTS_INIT;
	int r;

	if (m->opt.no_bpf)
		return 0;
	opts.pin_dir = m->opt.pin_dir;
	opts.events = true;
	opts.memory = m->opt.memory_accounting;
	r = cgfs_bpf_open(&opts, &m->bpf, err);
	/* Where v1 keeps devices, nothing is lost but events; elsewhere no container is made. */
	if (r == -EOPNOTSUPP || r == -EPERM) {
		log_write(&m->a.log, LOG_WARNING, "no eBPF device policy", "error", err->text,
			  NULL);
		*err = (struct cgfs_err){ 0 };
		return 0;
	}
	return r;
#else
	if (!m->opt.no_bpf)
		log_write(&m->a.log, LOG_WARNING, "built without eBPF: no device policy on cgroup2",
			  NULL);
	return 0;
#endif
}

/* Where a cgroup2 tree is mounted when the host has none; NULL: no memory. */
static char *cgroup2_path(const struct agent *a)
{
	char *path;

	return asprintf(&path, "%s/cgroup2", a->state_dir) < 0 ? NULL : path;
}

static int open_cgfs(struct whole *m, const struct cgfs_mounts *mounts, struct cgfs_err *err)
{
	struct cgfs_open_opts opts = CGFS_OPEN_OPTS_INIT;
	struct agent *a = &m->a;
#if CGFS_WITH_BPF
	auto_free char *cgroup2 = NULL;
#endif
	int r = open_bpf(m, err);

	if (r < 0)
		return r;
	opts.mounts = mounts;
	opts.root = m->opt.root;
#if CGFS_WITH_BPF
	if (m->bpf) {
		opts.policy = cgfs_bpf_policy(m->bpf);
		/* eBPF hangs on cgroup2 directories: where no tree is mounted, one of our own. */
		cgroup2 = cgroup2_path(a);
		if (!cgroup2)
			return -ENOMEM;
		opts.cgroup2_mount = cgroup2;
		a->device_policy = true;
	}
#endif
	r = cgfs_open(&opts, &a->cgfs, err);
	return r < 0 ? r : event_watch(a);
}

/* The lock comes before the journal, which no other agent may be reading then. */
static int make_state_dir(struct agent *a, struct cgfs_err *err)
{
	static const char *const names[] = { "", "/dirs", "/pods", "/containers", "/runtime" };
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(names) && r == 0; i++) {
		auto_free char *path = NULL;

		if (asprintf(&path, "%s%s", a->state_dir, names[i]) < 0) {
			path = NULL;
			return -ENOMEM;
		}
		r = i == 1 ? dirs_open(&a->dirs, path) : dirs_make(&a->dirs, path);
		if (r < 0)
			return cgfs_err_set(err, r, "make state directory", path, NULL, NULL);
		if (i == 0)
			r = state_lock(a, err);
	}
	return r;
}

static void hangup(void *ctx)
{
	struct agent *a = ctx;
	struct whole *m = container_of(a, struct whole, a);

	if (m->opt.n_listen > 0 || m->opt.dial || a->stopping)
		return;
	log_write(&a->log, LOG_INFO, "stdin has ended", NULL);
	m->hung_up = true;
	if (a->ready)
		loop_stop(a->loop);
}

static int open_bridge(struct whole *m, struct cgfs_err *err)
{
	static const struct bridge_ops ops = { message_dispatch, message_closed, hangup,
					       message_outlives };

	return serve_open(&m->a, &m->opt, &ops, err);
}

static void log_ignored(void *ctx, const char *name)
{
	struct agent *a = ctx;

	log_write(&a->log, LOG_INFO, "option has no effect here", "option", name, NULL);
}

static void say_hello(struct whole *m)
{
	struct agent *a = &m->a;

	log_write(&a->log, LOG_INFO, "cgfs-agent", "version", cgfs_version(), "layout",
		  cgfs_layout_name(cgfs_layout(a->cgfs)), "root", cgfs_root(a->cgfs), "runtime",
		  runtime_path(a->runtime), "bpf", m->bpf ? "yes" : "no", NULL);
	options_ignored(&m->opt, log_ignored, a);
	if (!a->v4)
		log_write(&a->log, LOG_WARNING, "without -v4 every request is refused", NULL);
	machine_begin(&m->machine, a, &m->opt);
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

/* Matters to --delete-on-exit.  As long as there is progress it takes as long as it takes. */
static void on_emptied(struct agent *a)
{
	struct whole *m = container_of(a, struct whole, a);

	if (!a->stopping)
		return;
	if ((a->containers.n == 0 && a->pods.n == 0) ||
	    loop_timer_set(a->loop, &m->give_up, DELETE_MAX_MS) < 0)
		loop_stop(a->loop);
}

static void on_signal(void *ctx, int sig)
{
	struct whole *m = ctx;
	struct agent *a = &m->a;

	if (sig == SIGHUP) {
		output_reopen(&a->log, m->opt.log_file);
		return;
	}
	if (sig == SIGINT)
		m->ending = INIT_RESTART; /* ctrl-alt-del */
	if (!a->ready) {
		m->stop_signal = sig;
		return;
	}
	log_write(&a->log, LOG_INFO, "stopping", "signal", LOG_NUM(sig), "pods", LOG_NUM(a->pods.n),
		  "then",
		  m->opt.delete_on_exit	     ? "deleted"
		  : m->first || m->power_off ? "ended with the machine"
					     : "left running",
		  NULL);
	if (!m->opt.delete_on_exit || a->stopping) {
		loop_stop(a->loop);
		return;
	}
	a->stopping = true;
	pod_delete_all(a);
	on_emptied(a);
}

static void on_power_off(struct agent *a, bool now)
{
	struct whole *m = container_of(a, struct whole, a);

	m->power_off = true;
	m->ending = now ? INIT_POWER_OFF_NOW : INIT_POWER_OFF;
	if (now)
		loop_stop(a->loop);
	else
		on_signal(m, SIGTERM);
}

static void __attribute__((noreturn)) scout(const struct whole *m, int fd)
{
	struct discovery d = { .mounts = CGFS_MOUNTS_INIT };

	d.r = cgfs_discover(&d.mounts, &d.err);
#if CGFS_WITH_BPF
	struct cgfs_bpf_opts opts = CGFS_BPF_OPTS_INIT;
	struct cgfs_bpf *bpf;
	char socket[OWNER_PATH_MAX];
	pid_t pid;

	opts.pin_dir = m->opt.pin_dir;
	opts.events = true;
	/* The agent itself meets a failure again, and reports it. */
	if (d.r == 0 && owner_find(&d.mounts, m->opt.root, &pid, socket))
		d.r = 0; /* nothing is pinned for an agent that will be refused */
	else if (d.r == 0 && !m->opt.no_bpf && cgfs_bpf_open(&opts, &bpf, NULL) == 0)
		cgfs_bpf_close(bpf);
#else
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
		scout(m, pipefd[1]);
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

/* Where podctl finds the agent, also when a host has its stdin: --local-socket, the socket of
 * --listen, or one that goes with the pods root.  Without it the agent does its work all the
 * same. */
static int serve_local(struct whole *m, struct cgfs_err *err)
{
	struct agent *a = &m->a;
	const char *path = m->opt.local_socket ? m->opt.local_socket : m->owner.socket;
	struct cgfs_err why = { 0 };

	for (size_t i = 0; i < m->opt.n_listen; i++) {
		const char *own = m->opt.listen[i];

		if (strncmp(own, "unix:", 5) == 0 &&
		    (!m->opt.local_socket || streq(own + 5, m->opt.local_socket)))
			return owner_serves(&m->owner, own + 5, err);
	}
	if (m->opt.no_local_socket || !*path)
		return 0;
	if (bridge_listen(a->bridge, path, true, &why) < 0) {
		log_write(&a->log, LOG_WARNING, "podctl cannot reach this agent", "error", why.text,
			  NULL);
		return 0;
	}
	return owner_serves(&m->owner, path, err);
}

static int own_root(struct whole *m, struct cgfs_err *err)
{
	int r = owner_take(&m->owner, &m->found.mounts, m->opt.root, true, err);

	if (r == 0 && m->owner.fd < 0)
		log_write(&m->a.log, LOG_WARNING,
			  "the pods root has no owner: a second agent on it is not refused", "root",
			  m->opt.root, "record", m->owner.record, "why", "it cannot be written",
			  NULL);
	return r;
}

/* The second half of the start. */
static int open_rest(struct whole *m, struct cgfs_err *err)
{
	struct agent *a = &m->a;
	int r = m->scout.fd >= 0 ? read_scout(m, err) : 0;

	if (r == 0 && m->owner.fd < 0)
		r = own_root(m, err);
	if (r == 0)
		r = open_cgfs(m, &m->found.mounts, err);
	if (r == 0)
		r = serve_local(m, err);
	if (r == 0)
		r = runtime_new(a->loop, &a->log, a->cgfs, m->opt.runtime, m->opt.state_dir,
				a->oom_score, &a->runtime, err);
	if (r == 0)
		r = machine_core_pattern(m->opt.core_dump_location, err);
	if (r < 0)
		return r;
	a->ready = true;
	say_hello(m);
	return 0;
}

static void go_on(void *ctx)
{
	struct whole *m = ctx;

	m->err = (struct cgfs_err){ 0 };
	m->failed = open_rest(m, &m->err);
	if (m->failed == -EBUSY && !m->bpf && now_ms() - m->began_ms < HELD_MAX_MS &&
	    loop_timer_set(m->a.loop, &m->again, HELD_TRY_MS) == 0)
		return;
	if (m->failed < 0 || m->hung_up)
		loop_stop(m->a.loop);
	else if (m->stop_signal)
		on_signal(m, m->stop_signal);
	else
		message_ready(&m->a);
}

static void on_scout(void *ctx, uint32_t events)
{
	go_on(ctx);
}

static int open_first(struct whole *m, struct cgfs_err *err)
{
	struct agent *a = &m->a;
	uint64_t limit;
	int r;

	m->give_up = (struct loop_timer){ .fn = give_up, .ctx = m };
	m->again = (struct loop_timer){ .fn = go_on, .ctx = m };
	m->began_ms = now_ms();
	r = output_open(&a->log, &m->opt, err);
	if (r == 0)
		r = loop_new(&a->loop);
	if (r == 0)
		r = memory_limit(a, &limit, err);
	if (r == 0)
		r = make_state_dir(a, err);
	if (r == 0)
		r = open_bridge(m, err);
	if (r == 0)
		m->had_pins = access(pin_dir(&m->opt), F_OK) == 0;
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

	streams_end(&a->streams);
	if (a->bridge)
		bridge_flush(a->bridge, 200);
	message_end(a);
	machine_end(&m->machine);
	if (m->scout.fd >= 0)
		close(m->scout.fd);
	runtime_free(a->runtime);
	if (all && a->cgfs) {
		struct cgfs_err err = { 0 };

		if (cgfs_root_remove(a->cgfs, &err) < 0)
			log_write(&a->log, LOG_INFO, "the pods root stays", "why", err.text, NULL);
	} else if (a->root_limit_bytes) {
		/* Made for its limit alone, it may be empty.  -ENOTEMPTY: then it stays. */
		ignore(cgfs_root_remove(a->cgfs, NULL));
	}
	cgfs_close(a->cgfs);
#if CGFS_WITH_BPF
	/* -EBUSY when other groups use the pins: then they stay.  An agent that has never begun to
	 * serve takes away what its start had pinned. */
	if ((all || (!a->ready && !m->had_pins)) && m->bpf)
		ignore(cgfs_bpf_unpin(m->bpf, NULL));
	cgfs_bpf_close(m->bpf);
#endif
	if (m->opt.delete_on_exit && a->state_lock >= 0 && cgroup2) {
		/* Mounted by an earlier agent that was killed, it was not ours to cgfs_close(). */
		(void)umount2(cgroup2, MNT_DETACH | UMOUNT_NOFOLLOW);
		(void)rmdir(cgroup2);
	}
	owner_release(&m->owner);
	state_unlock(a, all);
	/* Without a journal the state directory is not complete: what was made of it is empty. */
	dirs_close(&a->dirs, all || a->dirs.fd < 0);
	loop_free(a->loop);
	if (a->log.fd >= 0)
		close(a->log.fd);
}

/* What process 1 needs before all else. */
static int begin_machine(struct whole *m, struct cgfs_err *err)
{
	struct log console = output_early(&m->opt);

	return m->first ? init_begin(m->opt.cgroups, &console, err) : 0;
}

static int serve(struct whole *m, int argc, char **argv)
{
	char why[OPTIONS_WHY_MAX];
	int r;

	if (options_parse(&m->opt, argc, argv, why) < 0) {
		char text[OPTIONS_WHY_MAX + 32];

		snprintf(text, sizeof(text), "%s (--help lists the options)", why);
		output_fatal(argc, argv, text);
		return 2;
	}
	if (m->opt.help) {
		options_help(stdout);
		return 0;
	}
	if (m->opt.version) {
		printf("cgfs-agent %s\n", cgfs_version());
		return 0;
	}
	if (m->opt.cgroups && !m->first) {
		output_fatal(argc, argv, "option -cgroups is for process 1 of a machine");
		return 2;
	}

	files_oom_score(m->a.oom_score);
	m->a.state_dir = m->opt.state_dir;
	m->a.reserve_bytes = m->opt.root_mem_reserve_bytes;
	m->a.v4 = m->opt.v4;
	if (m->first || m->opt.power_off)
		m->a.power_off = on_power_off;
	signal(SIGPIPE, SIG_IGN);
	/* What the starter had open is not for the runtime, nor for a container: a path like
	 * /proc/self/fd/9 in a specification would lead to it. */
	close_on_exec_from(3);
	r = begin_machine(m, &m->err);
	/* A container takes up to ten descriptors, and the usual limit is 1,024. */
	files_raise_limit();
	if (r == 0)
		r = open_first(m, &m->err);
	if (r == 0)
		r = loop_run(m->a.loop);
	if (r == 0)
		r = m->failed;
	if (r < 0)
		output_fatal(argc, argv, m->err.code ? m->err.text : strerror(-r));
	close_all(m);
	return r < 0 || m->incomplete ? 1 : 0;
}

int agent_main(int argc, char **argv)
{
	struct whole m = { .a = { .log.fd = -EBADF,
				  .words = &message_words,
				  .state_lock = -EBADF,
				  .dirs = DIRS_INIT,
				  .emptied = on_emptied },
			   .owner = OWNER_INIT,
			   .scout.fd = -EBADF,
			   .first = init_is_first() };
	int status, r;

	status = serve(&m, argc, argv);
	if (!m.first && !m.power_off)
		return status;
	r = init_end(m.ending);
	if (r < 0) {
		char text[64];

		snprintf(text, sizeof(text), "power off the machine: %s", strerror(-r));
		output_fatal(argc, argv, text);
	}
	/* The kernel panics when process 1 returns. */
	while (m.first)
		pause();
	return r < 0 ? 1 : status;
}
