/* SPDX-License-Identifier: MIT */
/*
 * stale.c - what is at the path where a socket is to be made: a socket that a killed agent left is
 * removed, and nothing else is.
 */
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/bridge/bridge.h"
#include "cgfs/base/util.h"

/* Does the process still run that made the listening socket?  A child that it had just forked may
 * hold the socket a moment longer than it lived itself. */
static bool listener_lives(int fd)
{
	struct ucred who = { 0 };
	socklen_t len = sizeof(who);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) < 0 || who.pid <= 0 ||
	       kill(who.pid, 0) == 0 || errno != ESRCH;
}

static const char *kind(mode_t mode)
{
	return S_ISREG(mode)	? "a regular file"
	       : S_ISFIFO(mode) ? "a FIFO"
	       : S_ISLNK(mode)	? "a symbolic link"
	       : S_ISDIR(mode)	? "a directory"
				: "a device";
}

static int refuse(const char *path, const char *what, struct cgfs_err *reterr)
{
	return err_why(reterr, -EADDRINUSE, "listen", path, "%s is there, and is kept", what);
}

int socket_remove_stale(struct dirs *dirs, const char *path, struct cgfs_err *reterr)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	auto_fd int fd = -EBADF;
	struct stat st;
	int r;

	if (strlen(path) >= sizeof(sa.sun_path))
		return err_file(reterr, -ENAMETOOLONG, "listen", path);
	strcpy(sa.sun_path, path);
	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : err_file(reterr, -errno, "listen", path);
	if (!S_ISSOCK(st.st_mode))
		return refuse(path, kind(st.st_mode), reterr);
	if (st.st_uid != geteuid())
		return refuse(path, "a socket of another user", reterr);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_file(reterr, -errno, "listen", path);
	r = connect(fd, (const struct sockaddr *)&sa, sizeof(sa)) < 0 ? -errno : 0;
	if (r == -ENOENT)
		return 0;
	if (r == -EAGAIN || (r == 0 && listener_lives(fd)))
		return refuse(path, "a socket on which a process listens", reterr);
	if (r == -EPROTOTYPE)
		return refuse(path, "a socket of another type", reterr);
	if (r < 0 && r != -ECONNREFUSED)
		return err_file(reterr, r, "listen", path);
	if (!dirs_ours(dirs, path))
		return refuse(path, "a socket that no process serves and no agent made", reterr);
	if (unlink(path) < 0)
		return err_file(reterr, -errno, "listen", path);
	(void)dirs_remove(dirs, path);
	return 0;
}
