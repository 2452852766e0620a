/* SPDX-License-Identifier: MIT */
/*
 * init.c - the agent as process 1 of a machine: it prepares the machine before the agent begins,
 * and powers it off when the agent has ended, for any reason.  The loop reaps orphans, here as
 * elsewhere. Knows no pod and no message, and needs no other program.
 */
#include "agent/daemon/init.h"

#include <cgfs/host.h>
#include <linux/magic.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/wait.h>
#include <time.h>

#include "agent/base/files.h"
#include "agent/base/log.h"
#include "cgfs/base/clock.h"
#include "cgfs/base/util.h"

#define CGROUPS	      "/sys/fs/cgroup"
#define MODULES	      "/modules"
#define FILES_MAX     524288 /* the hard limit of descriptors, which the kernel sets to 4,096 */
#define TERM_MAX_MS   5000   /* for processes to end after SIGTERM */
#define KILL_MAX_MS   2000
#define LOOK_MS	      20
#define DRAIN_TRIES   1000 /* of 1 ms, for the console to take the last line */
#define PLAIN_TEXT    (MS_NOSUID | MS_NODEV | MS_NOEXEC)
/* The inode of the first namespace of processes; <linux/nsfs.h> has it since Linux 6.18. */
#define FIRST_PID_INO 0xEFFFFFFCu

static const struct place {
	const char *path, *type, *options;
	unsigned long flags;
	bool needed;
} places[] = {
	{ "/proc", "proc", NULL, PLAIN_TEXT, true },
	{ "/sys", "sysfs", NULL, PLAIN_TEXT, true },
	{ "/dev", "devtmpfs", "mode=755", MS_NOSUID, true },
	{ "/dev/pts", "devpts", "mode=620,ptmxmode=666", MS_NOSUID | MS_NOEXEC, false },
	{ "/dev/shm", "tmpfs", "mode=1777", MS_NOSUID | MS_NODEV, false },
	{ "/run", "tmpfs", "mode=755", MS_NOSUID | MS_NODEV, true },
	{ "/tmp", "tmpfs", "mode=1777", MS_NOSUID | MS_NODEV, false },
	{ "/sys/fs/bpf", "bpf", "mode=700", PLAIN_TEXT, false },
};

static int mount_at(const char *type, const char *path, const char *options, unsigned long flags)
{
	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		return -errno;
	return mount(type, path, type, flags, options) < 0 ? -errno : 0;
}

bool init_is_first(void)
{
	struct stat st;

	if (getpid() != 1)
		return false;
	if (!files_is_mount("/proc"))
		ignore(mount_at("proc", "/proc", NULL, PLAIN_TEXT));
	/* Without /proc nothing can be said, and a container's first process has one. */
	return stat("/proc/self/ns/pid", &st) < 0 || st.st_ino == FIRST_PID_INO;
}

bool init_knows_layout(const char *layout)
{
	for (int l = CGFS_LAYOUT_V1; l <= CGFS_LAYOUT_V2; l++) {
		if (streq(layout, cgfs_layout_name((enum cgfs_layout)l)))
			return true;
	}
	return false;
}

/* An OCI runtime calls pivot_root(2), which refuses to leave the file system that the kernel has
 * unpacked the initramfs into.  A second mount of the same files can be left. */
static int leave_rootfs(struct cgfs_err *reterr)
{
	struct statfs s;

	if (statfs("/", &s) < 0 ||
	    ((unsigned int)s.f_type != RAMFS_MAGIC && (unsigned int)s.f_type != TMPFS_MAGIC))
		return 0;
	if (mount("/", "/proc", NULL, MS_BIND | MS_REC, NULL) < 0 || chdir("/proc") < 0 ||
	    mount(".", "/", NULL, MS_MOVE, NULL) < 0 || chroot(".") < 0 || chdir("/") < 0)
		return cgfs_err_set(reterr, -errno, "mount the initramfs a second time", NULL, NULL,
				    NULL);
	return 0;
}

static int mount_places(struct log *log, struct cgfs_err *reterr)
{
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		const struct place *p = &places[i];
		int r = files_is_mount(p->path) ? 0
						: mount_at(p->type, p->path, p->options, p->flags);

		if (r < 0 && p->needed)
			return cgfs_err_set(reterr, r, "mount", p->path, NULL, NULL);
		if (r < 0)
			log_write(log, LOG_WARNING, "cannot mount; the agent continues without it",
				  "path", p->path, "error", strerror(-r), NULL);
	}
	return 0;
}

/* The kernel opens no console for process 1 when the initramfs has no /dev/console. */
static void open_console(void)
{
	int fd;

	do {
		fd = open("/dev/console", O_RDWR | O_NOCTTY);
		if (fd < 0)
			fd = open("/dev/null", O_RDWR);
	} while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

/* One mount for each controller that the kernel lists.  It may list one that it no longer has on
 * v1: the mount is refused then, and the others do their work. */
static int mount_v1(bool without_memory, struct log *log)
{
	char line[256], name[64], path[128];
	FILE *f = fopen("/proc/cgroups", "re");
	int enabled, mounted = 0, r;

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%63s %*d %*d %d", name, &enabled) != 2 || !enabled ||
		    (without_memory && (streq(name, "memory") || streq(name, "cpuset"))))
			continue;
		snprintf(path, sizeof(path), CGROUPS "/%s", name);
		r = mkdir(path, 0755) < 0 ? -errno : 0;
		if (r == 0 && mount("cgroup", path, "cgroup", PLAIN_TEXT, name) < 0)
			r = -errno;
		if (r < 0) {
			log_write(log, LOG_WARNING, "a controller is not on v1 here", "controller",
				  name, "error", strerror(-r), NULL);
			ignore(rmdir(path));
		}
		mounted += r == 0;
	}
	if (f)
		fclose(f);
	return mounted > 0 ? 0 : -ENODEV;
}

static int mount_cgroups(const char *layout, struct log *log, struct cgfs_err *reterr)
{
	int r;

	if (files_is_mount(CGROUPS))
		return !layout ? 0
			       : cgfs_err_set(reterr, -EBUSY, "mount cgroups as", NULL, layout,
					      "others are mounted on " CGROUPS " already");
	if (!layout || streq(layout, "v2")) {
		r = mount_at("cgroup2", CGROUPS, NULL, PLAIN_TEXT);
	} else {
		r = mount_at("tmpfs", CGROUPS, "mode=755", PLAIN_TEXT);
		if (r == 0 && !streq(layout, "v1"))
			r = mount_at("cgroup2", CGROUPS "/unified", NULL, PLAIN_TEXT);
		if (r == 0)
			r = mount_v1(streq(layout, "mixed"), log);
	}
	return r < 0 ? cgfs_err_set(reterr, r, "mount cgroups on", CGROUPS, NULL, NULL) : 0;
}

static void load_module(char *line, struct log *log)
{
	char path[sizeof(MODULES) + 256], *args = strchr(line, ' ');
	auto_fd int fd = -EBADF;

	if (args)
		*args++ = '\0';
	snprintf(path, sizeof(path), MODULES "/%s", line);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || (syscall(SYS_finit_module, fd, args ? args : "", 0) < 0 && errno != EEXIST))
		log_write(log, LOG_WARNING, "cannot load a module", "path", path, "error",
			  strerror(errno), NULL);
}

/* Those of an image, uncompressed: a line "FILE [ARGUMENTS]" each, in the order to load them in. */
static void load_modules(struct log *log)
{
	FILE *f = fopen(MODULES "/order", "re");
	char line[256];

	while (f && fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		if (line[0] && line[0] != '#')
			load_module(line, log);
	}
	if (f)
		fclose(f);
}

static void raise_loopback(struct log *log)
{
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	auto_fd int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &lo) < 0)
		log_write(log, LOG_WARNING, "the loopback interface is down", "error",
			  strerror(errno), NULL);
}

int init_begin(const char *layout, struct log *log, struct cgfs_err *reterr)
{
	struct rlimit files = { 1024, FILES_MAX };
	int r = leave_rootfs(reterr);

	if (r == 0)
		r = mount_places(log, reterr);
	open_console();
	if (r < 0)
		return r;
	load_modules(log);
	r = mount_cgroups(layout, log, reterr);
	if (r < 0)
		return r;
	raise_loopback(log);
	/* Neither the limits nor the variables of a login are set for process 1. */
	ignore(setrlimit(RLIMIT_NOFILE, &files));
	if (setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 0) < 0)
		return cgfs_err_set(reterr, -errno, "set", "PATH", NULL, NULL);
	/* Ctrl-alt-del is SIGINT then, rather than the end of the machine. */
	ignore(reboot(RB_DISABLE_CAD));
	return 0;
}

/* All but process 1 and this one.  Every orphan comes to process 1: when that has no child, none is
 * left.  Another one looks for those that are not its children. */
static void end_processes(int sig, uint64_t max_ms)
{
	uint64_t end = now_ms() + max_ms, now;
	sigset_t child;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, NULL);
	ignore(kill(-1, sig));
	for (now = now_ms(); now < end; now = now_ms()) {
		struct timespec left = { .tv_sec = (time_t)((end - now) / 1000),
					 .tv_nsec = (long)((end - now) % 1000) * 1000000 };
		pid_t pid = waitpid(-1, NULL, WNOHANG);
		bool childless = pid < 0 && errno == ECHILD;

		if (childless && (getpid() == 1 || kill(-1, 0) < 0))
			return;
		if (childless && end - now > LOOK_MS)
			left = (struct timespec){ .tv_nsec = LOOK_MS * 1000000 };
		if (pid <= 0)
			(void)sigtimedwait(&child, NULL, &left);
	}
}

int init_end(enum init_ending how)
{
	int left;

	if (how != INIT_POWER_OFF_NOW)
		end_processes(SIGTERM, TERM_MAX_MS);
	end_processes(SIGKILL, KILL_MAX_MS);
	sync();
	for (int i = 0; i < DRAIN_TRIES && ioctl(STDERR_FILENO, TIOCOUTQ, &left) == 0 && left > 0;
	     i++)
		(void)nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	return reboot(how == INIT_RESTART ? RB_AUTOBOOT : RB_POWER_OFF) < 0 ? -errno : 0;
}
