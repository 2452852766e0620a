// SPDX-License-Identifier: MIT
/*
 * init.c - process 1 of a test guest.
 *
 * Owns: the mounts, the cgroup layout that the kernel command line asks for, and the report on the
 * second serial port.  It runs the programs of /tests/list one after the other, each in a private
 * mount namespace and with a time limit, and powers the guest off.  It must not know what the
 * programs test, nor what TAP is: it carries their output and their exit status, and says what
 * they left behind.
 *
 * Words on the kernel command line:
 *   cgfs.layout=v1|hybrid|mixed|v2  cgroup mounts
 *   cgfs.favordynmods               mount every hierarchy with favordynmods
 *   cgfs.jitharden=N                net.core.bpf_jit_harden
 *   cgfs.swap                       swap on zram
 *   cgfs.variant=WORD               passed on as CGFS_TEST_VARIANT
 *   cgfs.test=GLOB[,GLOB...]        arguments for every program
 *   cgfs.nonce=WORD                 first word of every report line
 *   cgfs.shell                      no tests, no report: a shell on the console
 *
 * The report, one record per line; nothing a program prints can look like one, because its output
 * is base64 and a space is not:
 *   NONCE begin KERNEL LAYOUT
 *   NONCE run NAME
 *   NONCE out|err BASE64
 *   NONCE left PATH                 a cgroup or a BPF pin that NAME did not remove
 *   NONCE ran NAME exit=N signal=N timeout=0|1 ms=N out=BYTES err=BYTES
 *   NONCE end PROGRAMS
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define STREAM_MAX (1024 * 1024)	/* bytes of one program's output that are carried */
#define CGROOTS_MAX 32

static char cmdline[4096];
static int report_fd = -1;
static const char *nonce = "-";
static char *cgroots[CGROOTS_MAX];
static int n_cgroots;

struct stream {
	const char *tag;
	int fd;
	uint8_t held[3];	/* base64 goes out in whole groups of three bytes */
	size_t n_held;
	size_t bytes;
};

static void say(const char *what, const char *name)
{
	dprintf(1, "cgfs-init: %s %s: %s\n", what, name, strerror(errno));
}

/* The value of word "cgfs.KEY[=VALUE]", or NULL; "" where it has none. */
static char *word(const char *key)
{
	static char copy[sizeof(cmdline)];
	size_t len = strlen(key);
	char *save = NULL;

	strcpy(copy, cmdline);
	for (char *w = strtok_r(copy, " \n", &save); w; w = strtok_r(NULL, " \n", &save)) {
		if (strncmp(w, "cgfs.", 5) != 0 || strncmp(w + 5, key, len) != 0)
			continue;
		if (w[5 + len] == '=')
			return strdup(w + 5 + len + 1);
		if (w[5 + len] == '\0')
			return strdup("");
	}
	return NULL;
}

static void write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		say("write", path);
	if (fd >= 0)
		close(fd);
}

static bool mnt(const char *type, const char *path, const char *options)
{
	mkdir(path, 0755);
	if (mount(type, path, type, 0, options) == 0)
		return true;
	say(type, path);
	return false;
}

/* pivot_root, which container runtimes call, refuses to leave the initial rootfs.  So stand on a
 * bind mount of it. */
static void leave_rootfs(void)
{
	mkdir("/newroot", 0755);
	if (mount("/", "/newroot", NULL, MS_BIND, NULL) || chdir("/newroot") ||
	    mount(".", "/", NULL, MS_MOVE, NULL) || chroot(".") || chdir("/"))
		say("leave", "rootfs");
}

static void mount_cgroup(const char *type, const char *path, const char *controller)
{
	char options[128];
	char *dyn = word("favordynmods");

	snprintf(options, sizeof(options), "%s%s%s", controller ? controller : "",
		 controller && dyn ? "," : "", dyn ? "favordynmods" : "");
	free(dyn);
	if (!mnt(type, path, options)) {
		rmdir(path);
		return;
	}
	if (n_cgroots < CGROOTS_MAX)
		cgroots[n_cgroots++] = strdup(path);
}

/* One v1 mount for each enabled line of /proc/cgroups, as the guests of a pod host do it.  A kernel
 * may list a controller that it no longer has on v1: the mount is refused and that is that. */
static void mount_v1(bool without_memory)
{
	char line[256], name[64], path[128];
	int hierarchy, count, enabled;
	FILE *f = fopen("/proc/cgroups", "re");

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%63s %d %d %d", name, &hierarchy, &count, &enabled) != 4 ||
		    !enabled)
			continue;
		if (without_memory && (!strcmp(name, "memory") || !strcmp(name, "cpuset")))
			continue;
		snprintf(path, sizeof(path), "/sys/fs/cgroup/%s", name);
		mount_cgroup("cgroup", path, name);
	}
	if (f)
		fclose(f);
}

static void mount_layout(const char *layout)
{
	if (!strcmp(layout, "v2")) {
		mount_cgroup("cgroup2", "/sys/fs/cgroup", NULL);
		return;
	}
	mnt("tmpfs", "/sys/fs/cgroup", "mode=755");
	if (strcmp(layout, "v1") != 0)
		mount_cgroup("cgroup2", "/sys/fs/cgroup/unified", NULL);
	mount_v1(!strcmp(layout, "mixed"));
}

static void load_modules(void)
{
	char line[256], path[300];
	FILE *f = fopen("/modules/order", "re");

	while (f && fgets(line, sizeof(line), f)) {
		char *args = strchr(line, ' ');
		int fd;

		line[strcspn(line, "\n")] = '\0';
		if (args)
			*args++ = '\0';
		snprintf(path, sizeof(path), "/modules/%s", line);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0 || syscall(SYS_finit_module, fd, args ? args : "", 0))
			say("module", line);
		if (fd >= 0)
			close(fd);
	}
	if (f)
		fclose(f);
}

static void net_up(void)
{
	struct ifreq r = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (ioctl(fd, SIOCSIFFLAGS, &r))
		say("up", "lo");
	close(fd);
}

static void set_up(void)
{
	int fd;
	char *w;

	leave_rootfs();
	mnt("devtmpfs", "/dev", "mode=755");
	mnt("proc", "/proc", NULL);
	mnt("sysfs", "/sys", NULL);
	mnt("devpts", "/dev/pts", "ptmxmode=666");
	mnt("tmpfs", "/dev/shm", "mode=1777");
	mnt("tmpfs", "/run", "mode=755");
	mnt("tmpfs", "/tmp", "mode=1777");
	mnt("bpf", "/sys/fs/bpf", "mode=700");
	mnt("securityfs", "/sys/kernel/security", NULL);
	mnt("tracefs", "/sys/kernel/tracing", NULL);
	symlink("/proc/self/fd", "/dev/fd");
	symlink("/proc/self/fd/0", "/dev/stdin");
	symlink("/proc/self/fd/1", "/dev/stdout");
	symlink("/proc/self/fd/2", "/dev/stderr");
	sethostname("guest", 5);
	net_up();

	fd = open("/proc/cmdline", O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, cmdline, sizeof(cmdline) - 1) <= 0)
		say("read", "/proc/cmdline");
	close(fd);

	load_modules();
	if ((w = word("jitharden")))
		write_text("/proc/sys/net/core/bpf_jit_harden", w);
	if (word("swap")) {
		write_text("/sys/block/zram0/disksize", "256M");
		if (system("mkswap /dev/zram0 >/dev/null && swapon /dev/zram0"))
			say("swap on", "/dev/zram0");
	}
	w = word("layout");
	mount_layout(w ? w : "v2");
}

/* The report -------------------------------------------------------------------------------- */

static void report_open(void)
{
	struct termios t;

	report_fd = open("/dev/ttyS1", O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (report_fd < 0 || tcgetattr(report_fd, &t)) {
		say("open", "/dev/ttyS1");
		return;
	}
	cfmakeraw(&t);
	tcsetattr(report_fd, TCSANOW, &t);
	unlink("/dev/ttyS1");		/* nobody else is to write there */
}

static void put(const char *text, size_t len)
{
	while (len) {
		ssize_t n = write(report_fd, text, len);

		if (n < 0 && errno != EINTR)
			return;
		if (n > 0) {
			text += n;
			len -= (size_t)n;
		}
	}
}

__attribute__((format(printf, 1, 2))) static void report(const char *fmt, ...)
{
	char line[1024];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line) - 1, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	if ((size_t)n > sizeof(line) - 2)
		n = sizeof(line) - 2;
	line[n] = '\n';
	put(nonce, strlen(nonce));
	put(" ", 1);
	put(line, (size_t)n + 1);
}

/* Bytes of a stream as one record.  Up to two are held back until the stream ends. */
static void report_bytes(struct stream *s, const uint8_t *data, size_t len, bool last)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	char text[4096 / 3 * 4 + 16], *p = text;
	size_t i = 0;

	while (s->n_held + (len - i) >= 3 || (last && s->n_held + (len - i) > 0)) {
		uint8_t b[3] = { 0 };
		size_t n = 0;
		uint32_t v;

		for (; n < 3 && (s->n_held || i < len); n++) {
			if (s->n_held) {
				b[n] = s->held[0];
				memmove(s->held, s->held + 1, --s->n_held);
			} else {
				b[n] = data[i++];
			}
		}
		v = (uint32_t)b[0] << 16 | (uint32_t)b[1] << 8 | b[2];
		*p++ = digits[v >> 18];
		*p++ = digits[v >> 12 & 63];
		*p++ = n > 1 ? digits[v >> 6 & 63] : '=';
		*p++ = n > 2 ? digits[v & 63] : '=';
	}
	while (i < len)
		s->held[s->n_held++] = data[i++];
	if (p == text)
		return;
	*p++ = '\n';
	put(nonce, strlen(nonce));
	put(" ", 1);
	put(s->tag, strlen(s->tag));
	put(" ", 1);
	put(text, (size_t)(p - text));
}

/* True while the stream is open. */
static bool stream_read(struct stream *s)
{
	uint8_t data[3072];
	ssize_t n = read(s->fd, data, sizeof(data));

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	if (n <= 0) {
		report_bytes(s, NULL, 0, true);
		close(s->fd);
		s->fd = -1;
		return false;
	}
	if (s->bytes < STREAM_MAX)
		report_bytes(s, data, (size_t)n, false);
	s->bytes += (size_t)n;
	return true;
}

/* Running ----------------------------------------------------------------------------------- */

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

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

/* Everything but us dies; what can be reaped within two seconds is. */
static void kill_rest(void)
{
	int64_t end = now_ms() + 2000;

	kill(-1, SIGKILL);
	while (now_ms() < end) {
		pid_t pid = waitpid(-1, NULL, WNOHANG);

		if (pid < 0 && errno == ECHILD)
			return;
		if (pid == 0)
			usleep(1000);
	}
}

/* On v1 a frozen task does not die of SIGKILL. */
static void thaw(const char *dir)
{
	char path[4096 + 16];

	snprintf(path, sizeof(path), "%s/freezer.state", dir);
	if (access(path, W_OK) == 0)
		write_text(path, "THAWED");
}

/* Reports and removes, deepest first, what is below dir: cgroups, or pins in a bpf file system. */
static void sweep(const char *dir, bool files)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	char path[4096];

	while (d && (e = readdir(d))) {
		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		if (!files && e->d_type != DT_DIR)
			continue;
		/* the kernel's own */
		if (files && (!strcmp(e->d_name, "maps.debug") || !strcmp(e->d_name, "progs.debug")))
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		report("left %s", path);
		if (e->d_type == DT_DIR)
			sweep(path, files);
		for (int i = 0; i < 100 && remove(path) && errno == EBUSY; i++) {
			thaw(path);
			usleep(5000);
		}
	}
	if (d)
		closedir(d);
}

static bool is_cgroup2(const char *dir)
{
	struct statfs s;

	return statfs(dir, &s) == 0 && s.f_type == CGROUP2_SUPER_MAGIC;
}

/* What a program did in a cgroup2 tree that only it had mounted.  Mounted here only if somebody did
 * before, because the first mount ever shows in /proc/self/cgroup; and never beside a mount of ours,
 * because each mount of cgroup2 replaces the options of all (favordynmods would go). */
static void sweep_cgroup2(void)
{
	static const char dir[] = "/run/cgroup2";
	FILE *f = fopen("/proc/self/cgroup", "re");
	char line[4096];
	bool visible = false;

	for (int i = 0; i < n_cgroots; i++)
		if (is_cgroup2(cgroots[i]))
			return;

	while (f && fgets(line, sizeof(line), f))
		visible |= !strncmp(line, "0:", 2);
	if (f)
		fclose(f);
	if (!visible || !mnt("cgroup2", dir, NULL))
		return;
	sweep(dir, false);
	if (umount(dir))
		say("unmount", dir);
	rmdir(dir);
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
			waitpid(pid, &status, 0);
			break;
		}
		poll(p, 3, (int)left);
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
	while (out.fd >= 0 && stream_read(&out))
		;
	while (err.fd >= 0 && stream_read(&err))
		;
	for (int i = 0; i < n_cgroots; i++)
		sweep(cgroots[i], false);
	sweep_cgroup2();
	sweep("/sys/fs/bpf", true);
	report("ran %s exit=%d signal=%d timeout=%d ms=%lld out=%zu err=%zu", name,
	       WIFEXITED(status) ? WEXITSTATUS(status) : -1,
	       WIFSIGNALED(status) ? WTERMSIG(status) : 0, timeout, (long long)(end - start),
	       out.bytes, err.bytes);
}

static void run_list(void)
{
	FILE *f = fopen("/tests/list", "re");
	char line[256], name[128];
	int limit_s, n = 0;

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%127s %d", name, &limit_s) != 2)
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

	if (word("shell")) {
		run_shell();
	} else {
		if ((w = word("nonce")))
			nonce = w;
		report_open();
		report("begin %s %s", u.release, layout ? layout : "v2");
		run_list();
		tcdrain(report_fd);
	}
	sync();
	reboot(RB_POWER_OFF);
	for (;;)
		pause();
}
