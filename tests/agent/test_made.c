/* SPDX-License-Identifier: MIT */
/*
 * test_made.c - what the agent makes outside of cgroupfs is removed, at any moment at which
 * it is killed, and what others made is not.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>

#include "agent/base/dirs.h"
#include "agent/model/agent.h"
#include "cgfs/base/util.h"
#include "tests/agent/world.h"

static bool changes_names(uint64_t nr)
{
	switch (nr) {
#ifdef SYS_mkdir
	case SYS_mkdir:
	case SYS_rmdir:
	case SYS_rename:
	case SYS_unlink:
	case SYS_symlink:
#endif
	case SYS_mkdirat:
	case SYS_renameat:
	case SYS_renameat2:
	case SYS_unlinkat:
	case SYS_symlinkat:
	case SYS_bind:
		return true;
	}
	return false;
}

/* Lets @pid, which is traced and stopped, run until it has changed names @n times, and kills it.
 * false: it has ended, or @fd has something to be read, before that; then it runs on. */
static bool kill_after(pid_t pid, unsigned int n, int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int status, sig = 0;

	CHECK_INT(ptrace(PTRACE_SYSCALL, pid, 0, 0), 0);
	for (;;) {
		struct __ptrace_syscall_info info;
		pid_t got = waitpid(pid, &status, WNOHANG);

		CHECK(got >= 0);
		if (got == 0 && fd >= 0 && poll(&p, 1, 0) == 1) {
			CHECK_INT(ptrace(PTRACE_INTERRUPT, pid, 0, 0), 0);
			CHECK_INT(waitpid(pid, &status, 0), pid);
			CHECK_INT(ptrace(PTRACE_DETACH, pid, 0, 0), 0);
			return false;
		}
		if (got == 0) {
			nanosleep(&(struct timespec){ .tv_nsec = 50000 }, NULL);
			continue;
		}
		if (!WIFSTOPPED(status))
			return false;
		sig = WSTOPSIG(status);
		if (sig == (SIGTRAP | 0x80) &&
		    ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info) > 0) {
			static uint64_t nr;

			if (info.op == PTRACE_SYSCALL_INFO_ENTRY)
				nr = info.entry.nr;
			else if (changes_names(nr) && --n == 0)
				break;
		}
		if (sig == (SIGTRAP | 0x80) || status >> 16)
			sig = 0;
		CHECK_INT(ptrace(PTRACE_SYSCALL, pid, 0, sig), 0);
	}
	kill(pid, SIGKILL);
	CHECK_INT(waitpid(pid, &status, 0), pid);
	return true;
}

static void seize(pid_t pid)
{
	int status;

	if (ptrace(PTRACE_SEIZE, pid, 0, PTRACE_O_TRACESYSGOOD) < 0)
		tap_skip("ptrace: %s", strerror(errno));
	CHECK_INT(ptrace(PTRACE_INTERRUPT, pid, 0, 0), 0);
	CHECK_INT(waitpid(pid, &status, 0), pid);
}

/* --- the journal ---------------------------------------------------------------------------- */

struct paths {
	char state[100], journal[110], bundle[140], socket[110];
};

static struct paths paths_in(const char *dir)
{
	struct paths p;

	snprintf(p.state, sizeof(p.state), "%s/made", dir);
	snprintf(p.journal, sizeof(p.journal), "%s/dirs", p.state);
	snprintf(p.bundle, sizeof(p.bundle), "%s/a/b/c", dir);
	snprintf(p.socket, sizeof(p.socket), "%s/s", dir);
	return p;
}

/* All that an agent does with it. */
static void __attribute__((noreturn)) use_journal(const struct paths *p)
{
	struct dirs d = DIRS_INIT;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	raise(SIGSTOP);
	if (dirs_open(&d, p->journal) < 0 || dirs_bind(&d, fd, p->socket) < 0 ||
	    dirs_make(&d, p->bundle) < 0)
		_exit(1);
	dirs_remove_up(&d, p->bundle);
	if (access(p->bundle, F_OK) == 0 || dirs_make(&d, p->bundle) < 0)
		_exit(1);
	_exit(0);
}

static bool there(const char *dir, const char *name)
{
	char path[160];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return access(path, F_OK) == 0;
}

/* Another agent with the same journal removes what the killed one has made. */
static void check_swept(const struct paths *p, const char *dir)
{
	struct dirs d = DIRS_INIT;

	CHECK_INT(dirs_open(&d, p->journal), 0);
	dirs_sweep(&d);
	CHECK(!there(dir, "a"));
	CHECK(!there(dir, "s"));
	dirs_close(&d, true);
}

/* @there: the journal's parent is there before the agent, so it stays. */
static void kill_at_each_step(struct world *w, bool there)
{
	struct paths p = paths_in(w->dir);
	unsigned int n = 0;
	bool killed = true;

	while (killed) {
		pid_t pid;
		int status;

		if (there)
			CHECK_INT(mkdir(p.state, 0700), 0);
		fflush(stdout);
		pid = fork();
		if (pid == 0)
			use_journal(&p);
		CHECK_INT(waitpid(pid, &status, WUNTRACED), pid);
		seize(pid);
		kill(pid, SIGCONT);
		killed = kill_after(pid, ++n, -1);
		check_swept(&p, w->dir);
		if (there)
			CHECK_INT(rmdir(p.state), 0);
		CHECK_INT(rmdir(w->dir), 0);
		CHECK_INT(mkdir(w->dir, 0700), 0);
	}
	CHECK(n > 20);
}

ALONE_TEST(kill_at_each_step_leaves_nothing)
{
	kill_at_each_step(w, false);
	kill_at_each_step(w, true);
}

/* The same path is not the same directory. */
ALONE_TEST(what_came_instead_is_kept)
{
	struct paths p = paths_in(w->dir);
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	struct dirs d = DIRS_INIT;
	char empty[120];
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(empty, sizeof(empty), "%s/empty", w->dir);
	CHECK_INT(mkdir(empty, 0700), 0);
	CHECK_INT(dirs_open(&d, p.journal), 0);
	CHECK_INT(dirs_make(&d, p.bundle), 0);
	CHECK_INT(dirs_make(&d, empty), 0); /* was there */
	CHECK_INT(dirs_bind(&d, fd, p.socket), 0);
	close(fd);
	dirs_close(&d, false);

	CHECK_INT(rmdir(p.bundle), 0);
	CHECK_INT(mkdir(p.bundle, 0700), 0);
	CHECK_INT(unlink(p.socket), 0);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	strcpy(sa.sun_path, p.socket);
	CHECK_INT(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	close(fd);

	d = (struct dirs)DIRS_INIT;
	CHECK_INT(dirs_open(&d, p.journal), 0);
	CHECK(!dirs_ours(&d, p.bundle));
	CHECK(!dirs_ours(&d, p.socket));
	dirs_sweep(&d);
	dirs_close(&d, true);
	CHECK(!there(w->dir, "made"));
	CHECK_INT(rmdir(p.bundle), 0);
	CHECK_INT(unlink(p.socket), 0);
	CHECK_INT(rmdir(empty), 0);
}

/* --- the agent ------------------------------------------------------------------------------ */

/* A process that asks the agent for something until that has been answered; *ret_fd can be read
 * then: the agent's start is over. */
static pid_t visit(struct world *w, int *ret_fd)
{
	int fd[2];
	pid_t pid;

	CHECK_INT(pipe2(fd, O_CLOEXEC), 0);
	fflush(stdout);
	pid = fork();
	while (pid == 0) {
		struct client *c = NULL;

		if (client_open(w->socket, &c, NULL) == 0 &&
		    client_negotiate(c, WORLD_MS, NULL) == 0 &&
		    client_call(c, MSG_EXT_LIST_PODS, NULL, NULL, 0, WORLD_MS, NULL, NULL) == 0)
			_exit(write(fd[1], "", 1) != 1);
		client_close(c);
		nanosleep(&(struct timespec){ .tv_nsec = 5000000 }, NULL);
	}
	CHECK(pid > 0);
	close(fd[1]);
	*ret_fd = fd[0];
	return pid;
}

static void stop_here(void)
{
	raise(SIGSTOP);
}

/* Starts an agent and kills it when it has changed names @n times; false: it serves before that. */
static bool kill_at_start(struct world *w, unsigned int n)
{
	pid_t visitor;
	int fd, status;
	bool killed;

	world_child_hook = stop_here;
	world_start_agent(w, NULL);
	world_child_hook = NULL;
	CHECK_INT(waitpid(w->agent, &status, WUNTRACED), w->agent);
	seize(w->agent);
	kill(w->agent, SIGCONT);
	visitor = visit(w, &fd);
	killed = kill_after(w->agent, n, fd);
	kill(visitor, SIGKILL);
	CHECK_INT(waitpid(visitor, &status, 0), visitor);
	close(fd);
	return killed;
}

/* The next agent removes what it makes, and what was left to it. */
static void check_next_leaves_nothing(struct world *w)
{
	int status;

	world_start_agent(w, NULL);
	w->c = world_connect(w, true);
	world_do(w, MSG_EXT_LIST_PODS, NULL);
	client_close(w->c);
	w->c = NULL;
	kill(w->agent, SIGTERM);
	CHECK_INT(waitpid(w->agent, &status, 0), w->agent);
	w->agent = -1;
	CHECK_INT(status, 0);
	CHECK_INT(world_leftovers(w), 0);
}

WORLD_TEST(kill_at_each_step_of_a_start_leaves_nothing, world_files)
{
	unsigned int n = 1;

	for (; kill_at_start(w, n); n++)
		check_next_leaves_nothing(w);
	CHECK(n >= 10);
}

static void create_a_container(struct world *w)
{
	json_t *body = world_create_body(w, "c", world_spec(w, "c", NULL, NULL, NULL));
	auto_free char *text = json_dumps(body, 0);
	struct cgfs_err err = { 0 };

	json_decref(body);
	CHECK_INT(client_send(w->c, MSG_CREATE, 1, text, strlen(text), NULL, 0, &err), 0);
}

/* Without a runtime a Create makes everything and takes it back. */
PLAIN_TEST(kill_at_each_step_of_a_life_leaves_nothing)
{
	/* An emulated processor takes its time: fewer steps. */
	unsigned int n = 1, step = getenv("CGFS_TEST_GUEST") ? 3 : 1;
	bool killed = true;

	/* Its start, which makes the pods root, is over when it answers this. */
	world_do(w, MSG_EXT_LIST_PODS, NULL);
	for (; killed; n += step) {
		seize(w->agent);
		create_a_container(w);
		killed = kill_after(w->agent, n, client_fd(w->c));
		if (!killed)
			break;
		client_close(w->c);
		world_start_agent(w, NULL);
		w->c = world_connect(w, true);
		/* It answers when it has adopted what there was; then deletions may be under way.
		 */
		world_do(w, MSG_EXT_LIST_PODS, NULL);
		for (int i = 0; i < WORLD_MS / 5 &&
				(there(w->dir, "bundles") || there(w->dir, "state/containers/c"));
		     i++)
			nanosleep(&(struct timespec){ .tv_nsec = 5000000 }, NULL);
		CHECK(!there(w->dir, "bundles"));
		CHECK(!there(w->dir, "state/containers/c"));
	}
	CHECK(n >= 10);
}

PLAIN_TEST(left_by_others_is_kept)
{
	char path[100], inside[120];

	snprintf(path, sizeof(path), "%s/state/containers/c", w->dir);
	snprintf(inside, sizeof(inside), "%s/file", path);
	CHECK_INT(mkdir(path, 0700), 0);
	close(open(inside, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	/* A container of that name would take it along. */
	world_refuse(w, MSG_CREATE, world_create_body(w, "c", world_spec(w, "c", NULL, NULL, NULL)),
		     HR_FAIL);
	CHECK_INT(access(inside, F_OK), 0);
	kill(w->agent, SIGKILL);
	CHECK_INT(waitpid(w->agent, NULL, 0), w->agent);
	client_close(w->c);
	world_start_agent(w, NULL);
	w->c = world_connect(w, true);
	world_do(w, MSG_EXT_LIST_PODS, NULL);
	CHECK_INT(unlink(inside), 0);
	CHECK_INT(rmdir(path), 0);
}

/* --- sockets -------------------------------------------------------------------------------- */

/* The agent's own dead socket gives way also where the state is another; that of another program
 * does not. */
PLAIN_TEST(dead_socket_of_another_program_is_kept)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int status, fd;

	client_close(w->c);
	w->c = NULL;
	kill(w->agent, SIGTERM);
	CHECK_INT(waitpid(w->agent, &status, 0), w->agent);
	strcpy(sa.sun_path, w->socket + strlen("unix:"));
	CHECK_INT(access(sa.sun_path, F_OK), -1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CHECK_INT(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	close(fd);
	world_start_agent(w, NULL);
	CHECK_INT(waitpid(w->agent, &status, 0), w->agent);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 1);
	CHECK_INT(unlink(sa.sun_path), 0); /* it is still there */

	world_start_agent(w, NULL);
	w->c = world_connect(w, true);
	kill(w->agent, SIGKILL);
	CHECK_INT(waitpid(w->agent, &status, 0), w->agent);
	client_close(w->c);
	world_start_agent(w, NULL);
	w->c = world_connect(w, true);
}
