/* SPDX-License-Identifier: MIT */
/*
 * pause.c - the process that holds a pod's sandbox container open: podctl itself, mounted into
 * the container as cgfs-pause, so that a root file system needs to bring nothing for it.
 */
#include "agent/podctl/main/pause.h"
#include "agent/podctl/args/args.h"

#include <signal.h>
#include <sys/wait.h>

int pause_main(void)
{
	sigset_t set;
	int sig;

	/* The first process of a pid namespace gets only those signals that it asks for. */
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);

	while (sigwait(&set, &sig) == 0 && sig == SIGCHLD) {
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
	}
	return EXIT_OK;
}
