/* SPDX-License-Identifier: MIT */
/*
 * spawn.c - a process begins in a container: cgfs_group_spawn() against fork and cgroup.procs.
 */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAUSE_US 50000
#define ROUNDS	 20

struct spawn {
	struct cgfs_group *pod, *ctr;
};

static int spawn_round(void *arg)
{
	struct spawn *b = arg;
	int pidfd = -1, r;
	pid_t pid;

	usleep(PAUSE_US); /* an idle guest: the kernel's lock is back in its fast mode for readers
			   */
	r = cgfs_group_spawn(b->ctr, &pid, &pidfd, NULL);
	if (r < 0)
		return r;
	if (pid == 0)
		_exit(0);
	close(pidfd);
	return waitpid(pid, NULL, 0) == pid ? 0 : -errno;
}

static int fork_join_round(void *arg)
{
	struct spawn *b = arg;
	int pipefd[2], r;
	pid_t pid;

	usleep(PAUSE_US);
	if (pipe2(pipefd, O_CLOEXEC) < 0)
		return -errno;
	pid = fork();
	if (pid == 0) {
		char go;

		close(pipefd[1]);
		_exit(read(pipefd[0], &go, 1) == 1 ? 0 : 1);
	}
	r = pid < 0 ? -errno : cgfs_group_add_pid(b->ctr, pid, NULL);
	(void)!write(pipefd[1], "", 1);
	close(pipefd[0]);
	close(pipefd[1]);
	return waitpid(pid, NULL, 0) == pid ? r : -errno;
}

static int fork_only_round(void *arg)
{
	pid_t pid;

	usleep(PAUSE_US);
	pid = fork();
	if (pid == 0)
		_exit(0);
	return waitpid(pid, NULL, 0) == pid ? 0 : -errno;
}

static int rows(struct bench *bench)
{
	struct spawn s = { NULL, NULL };
	struct variant v[] = {
		{ "pause, fork, exit, wait: no cgroup", fork_only_round, &s, 0, 0 },
		{ "the same through cgfs_group_spawn", spawn_round, &s, 0, 0 },
		{ "the same through fork and cgroup.procs", fork_join_round, &s, 0, 0 },
	};
	struct cgfs_err err;
	int r;

	r = cgfs_pod_create(bench->c, "spawn", NULL, &s.pod, &err);
	if (r == 0)
		r = cgfs_container_create(bench->c, s.pod, "c", NULL, &s.ctr, &err);
	if (r < 0)
		bench_fail(r, &err);
	if (r == 0)
		r = measure(v, 3, ROUNDS);
	for (size_t i = 0; r == 0 && i < 3; i++)
		v[i].median_us -= PAUSE_US, v[i].cpu_us = 0; /* of the child, mostly */
	if (r == 0)
		measure_print("container: a process of it, after a pause of 50 ms (taken off)", v,
			      3);
	cgfs_group_close(s.ctr);
	bench_destroy(s.pod);
	return r;
}

int main(void)
{
	return bench_main("spawn", rows);
}
