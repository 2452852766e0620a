/* SPDX-License-Identifier: MIT */
/* A pod with 64 MiB, a container in it, a command in that; then the pod's figures.  Needs root. */
#include <cgfs/cgfs.h>
#include <err.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct cgfs_resources limits = { .sz = sizeof(limits),
					 .set = CGFS_SET_MEMORY_MAX,
					 .memory_max_bytes = 64 << 20 };
	struct cgfs_group *pod, *ctr;
	struct cgfs_stats stats = CGFS_STATS_INIT;
	struct cgfs_err why;
	struct cgfs *c;
	char *json;
	int pidfd;
	pid_t pid;

	if (argc < 2 || cgfs_open(NULL, &c, &why) ||
	    cgfs_pod_create(c, "demo", &limits, &pod, &why))
		errx(1, "%s", argc < 2 ? "usage: example COMMAND [ARGUMENT...]" : why.text);
	if (cgfs_container_create(c, pod, "c1", NULL, &ctr, &why) ||
	    cgfs_group_spawn(ctr, &pid, &pidfd, &why))
		warnx("%s", why.text);
	else if (pid == 0)
		return execvp(argv[1], argv + 1);
	else if (waitpid(pid, NULL, 0) == pid &&
		 !cgfs_group_stats(pod, CGFS_READ_ALL, &stats, &why) &&
		 !cgfs_stats_json(&stats, &json))
		puts(json);
	return cgfs_group_remove(pod, CGFS_REMOVE_OPTS_WAIT(5000), &why) ||
	       cgfs_root_remove(c, &why);
}
