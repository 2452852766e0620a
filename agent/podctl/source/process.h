/* SPDX-License-Identifier: MIT */
/*
 * process.h - processes by their ids, on this machine.
 */
#ifndef PODCTL_PROCESS_H
#define PODCTL_PROCESS_H

#include "agent/podctl/args/args.h"

/* How long an agent may take to notice the end of a process that is gone. */
#define PROCESS_NOTICED_MS 20

struct process_info {
	pid_t pid, ppid;
	char state; /* as in proc_pid_stat(5): R, S, D, T, Z ... */
	uint64_t cpu_us, memory_bytes;
	char command[256]; /* its words, else its name */
};

/* -ESRCH: it is gone. */
int process_read(pid_t pid, struct process_info *ret);
/* A pidfd of the process, when it is in the cgroup @path or below it; else -ESRCH. */
int process_open(pid_t pid, const char *path);
int process_signal(pid_t pid, const char *path, int sig);
/* 1 when it is gone or dead, 0 when @timeout_ms are over. */
int process_await(pid_t pid, const char *path, int timeout_ms);

#endif
