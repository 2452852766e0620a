/* SPDX-License-Identifier: MIT */
/* A pod with 64 MiB, a container in it, a command in that; then its figures.  Needs root. */
#include <cgfs/cgfs.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct cgfs_resources limits = CGFS_RESOURCES_INIT;
	struct cgfs_group *pod = NULL, *ctr = NULL;
	struct cgfs_err err = { 0 };
	struct cgfs_stats stats;
	struct cgfs *c = NULL;
	char *json = NULL;
	int pidfd = -1;
	pid_t pid = 0;

	limits.set = CGFS_SET_MEMORY_MAX | CGFS_SET_PIDS_MAX;
	limits.memory_max_bytes = 64 << 20;
	limits.pids_max = 32;
	if (argc < 2 || cgfs_open(NULL, &c, &err) || cgfs_pod_create(c, "demo", &limits, &pod, &err) ||
	    cgfs_container_create(c, pod, "c1", NULL, &ctr, &err) ||
	    cgfs_group_spawn(ctr, &pid, &pidfd, &err)) {
		fprintf(stderr, "%s\n", argc < 2 ? "usage: example COMMAND [ARGUMENT...]" : err.text);
	} else if (pid == 0) {
		execvp(argv[1], argv + 1);
		_exit(127);
	} else {
		waitpid(pid, NULL, 0);
		if (cgfs_group_stats(pod, CGFS_READ_ALL, &stats, &err) == 0 &&
		    cgfs_stats_json(&stats, &json) == 0)
			puts(json);
		free(json);
	}
	if (pod && cgfs_group_destroy(pod, 5000, &err))
		fprintf(stderr, "%s\n", err.text);
	cgfs_group_close(ctr);
	cgfs_group_close(pod);
	cgfs_close(c);
	return pid == 0;
}
