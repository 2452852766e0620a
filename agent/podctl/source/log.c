/* SPDX-License-Identifier: MIT */
/*
 * log.c - reads the file in which an agent keeps what a container prints.  The agent moves it to
 * "PATH.1" when it has become large, in the place of the one before.
 */
#include "agent/podctl/source/log.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/stat.h>

struct log_file {
	char *path;
	int fd;	    /* -EBADF: not there yet */
	int notify; /* of its directory */
	char *text;
	size_t n, room, given; /* given: of them, by the last log_more() */
};

void log_close(struct log_file *l)
{
	if (!l)
		return;
	if (l->fd >= 0)
		close(l->fd);
	if (l->notify >= 0)
		close(l->notify);
	free(l->path);
	free(l->text);
	free(l);
}

static int watch(struct log_file *l, struct cgfs_err *reterr)
{
	auto_free char *dir = strdup(l->path);
	char *slash = dir ? strrchr(dir, '/') : NULL;

	if (!slash)
		return no_memory(reterr);
	*slash = '\0';
	l->notify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (l->notify < 0 || inotify_add_watch(l->notify, dir,
					       IN_CREATE | IN_MODIFY | IN_MOVED_FROM |
						       IN_CLOSE_WRITE | IN_DELETE_SELF) < 0)
		return cgfs_err_set(reterr, -errno, "watch", dir, NULL, NULL);
	return 0;
}

static int open_file(const char *path)
{
	return open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
}

static bool same_file(int a, int b)
{
	struct stat x, y;

	return fstat(a, &x) == 0 && fstat(b, &y) == 0 && x.st_ino == y.st_ino &&
	       x.st_dev == y.st_dev;
}

/* Everything up to the end of @fd, behind what is there. */
static int read_on(struct log_file *l, int fd)
{
	ssize_t n;

	do {
		if (l->room - l->n < 65536) {
			char *grown = realloc(l->text, l->room + (1 << 20));

			if (!grown)
				return -ENOMEM;
			l->text = grown;
			l->room += 1 << 20;
		}
		n = read(fd, l->text + l->n, l->room - l->n);
		if (n < 0 && errno != EINTR)
			return -errno;
		l->n += n > 0 ? (size_t)n : 0;
	} while (n != 0);
	return 0;
}

int log_open(const char *path, struct log_file **ret, struct cgfs_err *reterr)
{
	struct log_file *l = calloc(1, sizeof(*l));
	auto_free char *old = NULL;
	auto_fd int before = -EBADF;
	int r;

	if (!l)
		return no_memory(reterr);
	l->fd = l->notify = -EBADF;
	l->path = strdup(path);
	if (asprintf(&old, "%s.1", path) < 0)
		old = NULL;
	r = l->path && old ? watch(l, reterr) : no_memory(reterr);
	if (r == 0) {
		/* The newer one first: if it is moved meanwhile, it is found twice, not never. */
		l->fd = open_file(path);
		before = open_file(old);
		if (before >= 0 && (l->fd < 0 || !same_file(before, l->fd)))
			r = read_on(l, before);
		if (r < 0)
			cgfs_err_set(reterr, r, "read", old, NULL, NULL);
	}
	if (r < 0) {
		log_close(l);
		return r;
	}
	*ret = l;
	return 0;
}

/* Only whole records are given out. */
static size_t whole(const struct log_file *l)
{
	const char *end = l->n ? memrchr(l->text, '\n', l->n) : NULL;

	return end ? (size_t)(end + 1 - l->text) : 0;
}

ssize_t log_more(struct log_file *l, const char **ret_text, struct cgfs_err *reterr)
{
	int r = 0, fd;

	if (l->given > 0)
		memmove(l->text, l->text + l->given, l->n - l->given);
	l->n -= l->given;
	l->given = 0;
	if (l->fd >= 0)
		r = read_on(l, l->fd);
	fd = open_file(l->path);
	if (r == 0 && fd >= 0 && l->fd >= 0 && !same_file(fd, l->fd))
		r = read_on(l, l->fd); /* what came before it was moved */
	if (r == 0 && fd >= 0 && (l->fd < 0 || !same_file(fd, l->fd))) {
		if (l->fd >= 0)
			close(l->fd);
		l->fd = fd;
		fd = -EBADF;
		r = read_on(l, l->fd);
	}
	if (fd >= 0)
		close(fd);
	if (r < 0)
		return cgfs_err_set(reterr, r, "read", l->path, NULL, NULL);
	l->given = whole(l);
	*ret_text = l->text;
	return (ssize_t)l->given;
}

/* "TIME stdout F TEXT" */
static bool parse(const char *line, size_t len, struct log_record *r)
{
	char head[64];
	size_t n = len < sizeof(head) - 1 ? len : sizeof(head) - 1;

	memcpy(head, line, n);
	head[n] = '\0';
	r->time_len = value_stamp(head, &r->ns);
	if (!r->time_len || (strncmp(head + r->time_len, " stdout ", 8) != 0 &&
			     strncmp(head + r->time_len, " stderr ", 8) != 0))
		return false;
	n = r->time_len + 8;
	if ((head[n] != 'F' && head[n] != 'P') || head[n + 1] != ' ')
		return false;
	r->time = line;
	r->error = head[n - 4] == 'e';
	r->partial = head[n] == 'P';
	r->text = line + n + 2;
	r->len = len - n - 2;
	return true;
}

bool log_next(const char **text, size_t *len, struct log_record *ret)
{
	while (*len > 0) {
		const char *line = *text, *end = memchr(line, '\n', *len);
		size_t n = end ? (size_t)(end - line) : *len;

		*text += n + (end != NULL);
		*len -= n + (end != NULL);
		if (parse(line, n, ret))
			return true;
	}
	return false;
}

int log_fd(const struct log_file *l)
{
	return l->notify;
}

void log_seen(const struct log_file *l)
{
	char events[4096];

	while (read(l->notify, events, sizeof(events)) > 0)
		;
}
