/* SPDX-License-Identifier: MIT */
/*
 * bundle.c - see bundle.h.
 */
#include "bundle.h"

#include "agent/wire/client.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE 6000 /* times 10 ms */

static const char config[] =
	"{\"ociVersion\":\"1.0.2\",\"process\":{\"user\":{\"uid\":0,\"gid\":0},\"cwd\":\"/\","
	"\"args\":%s,\"env\":[\"PATH=/bin\"]},"
	"\"root\":{\"path\":\"rootfs\",\"readonly\":true},\"mounts\":["
	"{\"destination\":\"/proc\",\"type\":\"proc\",\"source\":\"proc\"},"
	"{\"destination\":\"/dev\",\"type\":\"tmpfs\",\"source\":\"tmpfs\"}],"
	"\"linux\":{\"cgroupsPath\":\"/%s\",\"namespaces\":[{\"type\":\"pid\"},"
	"{\"type\":\"ipc\"},{\"type\":\"uts\"},{\"type\":\"mount\"}],"
	"\"resources\":{\"memory\":{\"limit\":67108864},"
	"\"cpu\":{\"shares\":512,\"quota\":50000,\"period\":100000},\"pids\":{\"limit\":64},"
	"\"devices\":[{\"allow\":false,\"access\":\"rwm\"}]}}}\n";

int bundle_dir(char *dir)
{
	if (!mkdtemp(dir))
		return -errno;
	if (mount("tmpfs", dir, "tmpfs", 0, "mode=0755") == 0)
		return 0;
	(void)rmdir(dir);
	return -errno;
}

void bundle_dir_remove(const char *dir)
{
	if (umount2(dir, MNT_DETACH) < 0 || rmdir(dir) < 0)
		fprintf(stderr, "bench: %s is left\n", dir);
}

static int copy_file(const char *from, const char *to)
{
	int in = open(from, O_RDONLY | O_CLOEXEC);
	int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
	char buf[65536];
	ssize_t n = -1;

	while (in >= 0 && out >= 0 && (n = read(in, buf, sizeof(buf))) > 0) {
		if (write(out, buf, (size_t)n) != n) {
			n = -1;
			break;
		}
	}
	if (in >= 0)
		close(in);
	if (out >= 0)
		close(out);
	return n == 0 ? 0 : -EIO;
}

int bundle_make(const char *dir, const char *id, const char *args)
{
	static const char *const directories[] = { "", "/bin", "/proc", "/dev" };
	char path[160];
	FILE *f;

	for (size_t i = 0; i < sizeof(directories) / sizeof(directories[0]); i++) {
		snprintf(path, sizeof(path), "%s/rootfs%s", dir, directories[i]);
		if (mkdir(path, 0755) < 0)
			return -errno;
	}
	snprintf(path, sizeof(path), "%s/config.json", dir);
	f = fopen(path, "we");
	if (!f)
		return -errno;
	fprintf(f, config, args, id);
	fclose(f);
	snprintf(path, sizeof(path), "%s/rootfs%s", dir, BUNDLE_BUSYBOX);
	return copy_file(BUNDLE_BUSYBOX, path);
}

static bool hybrid(const struct bench *b)
{
	const struct cgfs_mounts *m = cgfs_mounts(b->c);

	return bench_unified(b) >= 0 && m->n > 1;
}

int bundle_hide_cgroup2(const struct bench *b, int *ret_fd)
{
	const char *unified;
	char ready = 0, path[64];
	int p[2];
	pid_t pid;

	*ret_fd = -1;
	if (!hybrid(b))
		return 0;
	unified = cgfs_mounts(b->c)->mount[bench_unified(b)].path;
	if (pipe2(p, O_CLOEXEC) < 0)
		return -errno;
	pid = fork();
	if (pid == 0) {
		if (unshare(CLONE_NEWNS) < 0 || mount("", "/", NULL, MS_REC | MS_SLAVE, NULL) < 0 ||
		    umount2(unified, MNT_DETACH | UMOUNT_NOFOLLOW) < 0 || write(p[1], "", 1) != 1)
			_exit(1);
		pause();
		_exit(0);
	}
	close(p[1]);
	if (pid > 0 && read(p[0], &ready, 1) == 1) {
		snprintf(path, sizeof(path), "/proc/%d/ns/mnt", pid);
		*ret_fd = open(path, O_RDONLY | O_CLOEXEC);
	}
	close(p[0]);
	if (pid > 0) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	return *ret_fd < 0 ? -EIO : 0;
}

bool bundle_no_pivot(void)
{
	struct statfs fs;

	return statfs("/", &fs) == 0 && (fs.f_type == RAMFS_MAGIC || fs.f_type == TMPFS_MAGIC);
}

bool bundle_in_path(const char *name)
{
	char command[64];

	snprintf(command, sizeof(command), "command -v %s > /dev/null", name);
	return system(command) == 0;
}

pid_t bundle_agent(const struct bench *b, const char *dir, const char *name, const char *runtime,
		   char ret_socket[BUNDLE_SOCKET_MAX])
{
	char program[512], state[128], root[96], pins[128];
	pid_t pid;

	bench_program("cgfs-agent", program, sizeof(program));
	snprintf(ret_socket, BUNDLE_SOCKET_MAX, "unix:%s/%s.sock", dir, name);
	snprintf(state, sizeof(state), "%s/%s", dir, name);
	snprintf(root, sizeof(root), "%s-%s", b->root, name);
	snprintf(pins, sizeof(pins), "/sys/fs/bpf%s", root);
	pid = fork();
	if (pid == 0) {
		execl(program, "cgfs-agent", "-v4", "-loglevel", "error", "-listen", ret_socket,
		      "-state-dir", state, "-root", root, "-pin-dir", pins, "-delete-on-exit",
		      runtime ? "-runtime" : NULL, runtime, NULL);
		_exit(127);
	}
	for (int i = 0; pid > 0 && i < PATIENCE; i++) {
		struct client *c;

		if (client_open(ret_socket, &c, NULL) == 0) {
			client_close(c);
			return pid;
		}
		usleep(10000);
	}
	return pid < 0 ? -errno : -ETIMEDOUT;
}
