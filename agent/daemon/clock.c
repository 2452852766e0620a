/* SPDX-License-Identifier: MIT */
/*
 * clock.c - chronyd as a child that is started again, with the hypervisor's clock as its source.
 */
#include "agent/daemon/clock.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

#include "agent/base/files.h"
#include "agent/base/log.h"
#include "agent/model/agent.h"
#include "cgfs/base/clock.h"
#include "cgfs/base/util.h"

#define CLASS	     "/sys/class/ptp"
#define PROGRAM	     "chronyd"
/* Between an end and the next start; a run of a minute counts as a good one. */
#define DELAY_MS     500
#define DELAY_MAX_MS 600000
#define GOOD_MS	     60000
#define END_MS	     1000 /* at the agent's own end */

static void start(void *ctx);

/* "ptp0", the clock of Hyper-V; false: there is none. */
static bool find_clock(char name[32])
{
	DIR *d = opendir(CLASS);
	struct dirent *e;
	bool found = false;

	while (d && !found && (e = readdir(d))) {
		char path[64 + sizeof(e->d_name)], text[16];

		if (e->d_name[0] == '.' || strlen(e->d_name) >= 32)
			continue;
		snprintf(path, sizeof(path), CLASS "/%s/clock_name", e->d_name);
		found = files_read(path, text, sizeof(text)) > 0 && streq(text, "hyperv\n");
		if (found)
			strcpy(name, e->d_name);
	}
	if (d)
		closedir(d);
	return found;
}

static int write_file(const char *path, const char *name)
{
	auto_fd int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);

	if (fd < 0)
		return -errno;
	return dprintf(fd,
		       "refclock PHC /dev/%s poll 3 dpoll -2 offset 0 stratum 2\n"
		       "makestep 0.1 -1\n",
		       name) < 0
		       ? -errno
		       : 0;
}

static void __attribute__((noreturn)) run(const struct clock *c, pid_t parent)
{
	const char *argv[] = { PROGRAM, "-n", "-f", c->file, NULL };
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	sigset_t none;

	/* Two of them would both set the clock. */
	(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(0);
	/* Its words on stderr would be no lines of the log. */
	for (int i = 0; i < 3; i++)
		ignore(dup2(null, i));
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	setsid();
	files_set_oom_score(c->a->oom_score);
	files_restore_limit();
	close_on_exec_from(3);
	execvp(argv[0], (char **)argv);
	_exit(127);
}

static void again(struct clock *c, const char *error)
{
	log_write(&c->a->log, LOG_WARNING, "restart monitor: run command returns error", "error",
		  error, "command", PROGRAM, "delayMs", LOG_NUM(c->delay_ms), NULL);
	if (loop_timer_set(c->a->loop, &c->again, c->delay_ms) < 0)
		clock_end(c);
	c->delay_ms = c->delay_ms * 2 < DELAY_MAX_MS ? c->delay_ms * 2 : DELAY_MAX_MS;
}

static void ended(void *ctx, int status)
{
	struct clock *c = ctx;
	char text[64];

	if (now_ms() - c->began_ms >= GOOD_MS)
		c->delay_ms = DELAY_MS;
	if (WIFSIGNALED(status))
		snprintf(text, sizeof(text), "signal %d", WTERMSIG(status));
	else
		snprintf(text, sizeof(text), "exit status %d%s", WEXITSTATUS(status),
			 WEXITSTATUS(status) == 127 ? ": it cannot be executed" : "");
	again(c, text);
}

static void start(void *ctx)
{
	pid_t parent = getpid(), pid;
	struct clock *c = ctx;
	int status;

	c->began_ms = now_ms();
	pid = fork();
	if (pid == 0)
		run(c, parent);
	if (pid < 0)
		again(c, strerror(errno));
	else if (loop_child_watch(c->a->loop, &c->child, pid, &status))
		ended(c, status);
}

void clock_begin(struct clock *c, struct agent *a)
{
	const char *msg = "time is not synchronized";
	char name[32];
	int r;

	if (!find_clock(name)) {
		log_write(&a->log, LOG_WARNING, msg, "why",
			  "no clock in " CLASS " has the name hyperv", NULL);
		return;
	}
	*c = (struct clock){ .a = a, .delay_ms = DELAY_MS };
	c->child = (struct loop_child){ .fn = ended, .ctx = c };
	c->again = (struct loop_timer){ .fn = start, .ctx = c };
	if (asprintf(&c->file, "%s/chronyd.conf", a->state_dir) < 0)
		c->file = NULL;
	r = c->file ? write_file(c->file, name) : -ENOMEM;
	if (r < 0) {
		log_write(&a->log, LOG_WARNING, msg, "file", c->file, "error", strerror(-r), NULL);
		clock_end(c);
		return;
	}
	log_write(&a->log, LOG_INFO, "time is synchronized", "program", PROGRAM, "clock", name,
		  NULL);
	start(c);
}

static void end(pid_t pid)
{
	ignore(kill(pid, SIGTERM));
	for (int i = 0; i < END_MS && waitpid(pid, NULL, WNOHANG) == 0; i++)
		(void)nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	/* Gone, or it has no time left. */
	if (waitpid(pid, NULL, WNOHANG) == 0)
		ignore(kill(pid, SIGKILL));
}

void clock_end(struct clock *c)
{
	pid_t pid = c->child.pid;

	if (!c->a)
		return;
	loop_timer_clear(c->a->loop, &c->again);
	loop_child_unwatch(c->a->loop, &c->child);
	if (pid > 0)
		end(pid);
	if (c->file)
		(void)unlink(c->file);
	free(c->file);
	*c = (struct clock){ 0 };
}
