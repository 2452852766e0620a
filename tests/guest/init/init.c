// SPDX-License-Identifier: MIT
/*
 * init.c - process 1 of a test guest.
 *
 * Owns: running the programs of /tests/list one after the other, each in a private mount namespace
 * and with a limit of the time without output, and powering off.  It must not know what the
 * programs test, nor what TAP is: it carries their output and their exit status, and says what
 * they left behind.
 *
 * Words on the kernel command line:
 *   cgfs.layout=v1|hybrid|mixed|v2  cgroup mounts
 *   cgfs.favordynmods               mount every hierarchy with favordynmods
 *   cgfs.jitharden=N                net.core.bpf_jit_harden
 *   cgfs.swap                       swap on zram
 *   cgfs.variant=WORD               passed on as CGFS_TEST_VARIANT
 *   cgfs.thorough                   passed on as CGFS_TEST_THOROUGH=1
 *   cgfs.only=NAME[,NAME...]        these programs of the list, no other
 *   cgfs.test=GLOB[,GLOB...]        arguments for every program
 *   cgfs.nonce=WORD                 first word of every report line
 *   cgfs.shell                      no tests, no report: a shell on the console
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "init.h"

static void exec_test(const char *name, int out, int err)
{
	char path[256], *argv[64] = { path }, *save = NULL, *globs = word("test");
	int n = 1;

	snprintf(path, sizeof(path), "/tests/%s", name);
	for (char *g = globs ? strtok_r(globs, ",", &save) : NULL; g && n < 63;
	     g = strtok_r(NULL, ",", &save))
		argv[n++] = g;
	setsid();
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		_exit(126);
	dup2(open("/dev/null", O_RDWR | O_CLOEXEC), 0);
	dup2(out, 1);
	dup2(err, 2);
	if (chdir("/tmp") == 0)
		execv(path, argv);
	fprintf(stderr, "cgfs-init: %s: %s\n", path, strerror(errno));
	_exit(127);
}

static void run(const char *name, int limit_s)
{
	struct stream out = { .tag = "out" }, err = { .tag = "err" };
	int o[2], e[2], status = 0, pidfd;
	int64_t start = now_ms(), end = start + limit_s * 1000L;
	bool timeout = false, reaped = false;
	pid_t pid;

	dprintf(1, "cgfs-init: run %s\n", name);
	report("run %s", name);
	if (pipe2(o, O_CLOEXEC) || pipe2(e, O_CLOEXEC))
		say("pipe for", name);
	pid = fork();
	if (pid == 0)
		exec_test(name, o[1], e[1]);
	close(o[1]);
	close(e[1]);
	out.fd = o[0];
	err.fd = e[0];
	pidfd = (int)syscall(SYS_pidfd_open, pid, 0);

	/* The program ends it, not end-of-file: a child may hold the pipes. */
	while (!reaped) {
		struct pollfd p[3] = { { .fd = out.fd, .events = POLLIN },
				       { .fd = err.fd, .events = POLLIN },
				       { .fd = pidfd, .events = POLLIN } };
		int64_t left = end - now_ms();

		if (left <= 0) {
			timeout = true;
			write_text("/proc/sysrq-trigger", "w");
			kill(pid, SIGKILL);
			thaw_all();
			/* One that cannot die ends the program's time, not the guest's. */
			for (end = now_ms() + 5000; now_ms() < end && !reaped; usleep(10000))
				reaped = waitpid(pid, &status, WNOHANG) == pid;
			break;
		}
		poll(p, 3, (int)left);
		/* A guest on a loaded machine is slow: what still prints is not ended. */
		if (p[0].revents || p[1].revents)
			end = now_ms() + limit_s * 1000L;
		if (p[0].revents)
			stream_read(&out);
		if (p[1].revents)
			stream_read(&err);
		if (p[2].revents)
			reaped = waitpid(pid, &status, WNOHANG) == pid;
	}
	end = now_ms();
	close(pidfd);
	kill_rest();
	stream_end(&out);
	stream_end(&err);
	sweep_all();
	report("ran %s exit=%d signal=%d timeout=%d ms=%lld out=%zu err=%zu", name,
	       WIFEXITED(status) ? WEXITSTATUS(status) : -1,
	       WIFSIGNALED(status) ? WTERMSIG(status) : 0, timeout, (long long)(end - start),
	       out.bytes, err.bytes);
}

static bool is_wanted(const char *name)
{
	char *only = word("only"), *save = NULL;
	bool found = !only;

	for (char *n = only ? strtok_r(only, ",", &save) : NULL; n; n = strtok_r(NULL, ",", &save))
		found |= !strcmp(n, name);
	free(only);
	return found;
}

static void run_list(void)
{
	FILE *f = fopen("/tests/list", "re");
	char line[256], name[128];
	int limit_s, n = 0;

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%127s %d", name, &limit_s) != 2 || !is_wanted(name))
			continue;
		run(name, limit_s);
		n++;
	}
	report("end %d", n);
}

static void run_shell(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		int fd;

		setsid();
		fd = open("/dev/ttyS0", O_RDWR);
		ioctl(fd, TIOCSCTTY, 1);
		dup2(fd, 0);
		dup2(fd, 1);
		dup2(fd, 2);
		execl("/bin/sh", "-sh", (char *)NULL);
		_exit(127);
	}
	while (waitpid(-1, NULL, 0) != pid)
		;
}

int main(void)
{
	struct utsname u;
	char *w, *layout;

	set_up();
	uname(&u);
	layout = word("layout");
	setenv("PATH", "/bin:/sbin:/usr/bin:/usr/sbin", 1);
	setenv("HOME", "/root", 1);
	setenv("TERM", "linux", 1);
	setenv("CGFS_TEST_GUEST", "1", 1);
	setenv("CGFS_TEST_LAYOUT", layout ? layout : "v2", 1);
	setenv("CGFS_TEST_KERNEL", u.release, 1);
	setenv("CGFS_TEST_VARIANT", (w = word("variant")) ? w : "", 1);
	if (word("thorough"))
		setenv("CGFS_TEST_THOROUGH", "1", 1);

	if (word("shell")) {
		run_shell();
	} else {
		report_open((w = word("nonce")) ? w : "-");
		report("begin %s %s", u.release, layout ? layout : "v2");
		run_list();
		report_close();
	}
	sync();
	reboot(RB_POWER_OFF);
	for (;;)
		pause();
}
