/* SPDX-License-Identifier: MIT */
/*
 * files.c - the few files and directories that the agent keeps on disk (rather: on a tmpfs).
 * Removes only what it made itself.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "../cgfs/internal.h"
#include "agent.h"

#define FILES_LOAD_MAX (8 * 1024 * 1024)

struct made_dir {
	struct table_node node;
	char path[];
};

int files_write(const char *path, const char *text)
{
	auto_fd int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	size_t len = strlen(text);

	if (fd < 0)
		return -errno;
	while (len > 0) {
		ssize_t n = write(fd, text, len);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			text += n;
			len -= (size_t)n;
		}
	}
	return 0;
}

int files_read(const char *path, char *buf, size_t len)
{
	auto_fd int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, buf, len - 1);
	if (n < 0)
		return -errno;
	buf[n] = '\0';
	return (int)n;
}

int files_load(const char *path, char **ret_text, size_t *ret_len)
{
	auto_fd int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	auto_free char *text = NULL;
	size_t len = 0, size;
	struct stat st;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_size > FILES_LOAD_MAX)
		return S_ISREG(st.st_mode) ? -EFBIG : -EINVAL;
	size = (size_t)st.st_size;
	text = malloc(size + 1);
	if (!text)
		return -ENOMEM;
	while (len < size && (n = read(fd, text + len, size - len)) != 0) {
		if (n < 0 && errno != EINTR)
			return -errno;
		len += n > 0 ? (size_t)n : 0;
	}
	text[len] = '\0';
	*ret_text = take_ptr(text);
	*ret_len = len;
	return 0;
}

bool files_leads_to(const char *dir, const char *path)
{
	size_t len = strlen(dir);

	return len > 0 && strncmp(dir, path, len) == 0 && (!path[len] || path[len] == '/');
}

void files_note_dir(struct agent *a, const char *path)
{
	size_t size = strlen(path) + 1;
	struct made_dir *d = malloc(sizeof(*d) + size);

	if (!d)
		return; /* it is left behind, which harms nobody */
	memcpy(d->path, path, size);
	if (table_add(&a->dirs, &d->node, d->path) < 0)
		free(d);
}

int files_make_dirs(struct agent *a, const char *path)
{
	auto_free char *copy = strdup(path);

	if (!copy)
		return -ENOMEM;
	for (char *p = copy + 1;; p++) {
		char c = *p;

		if (c != '/' && c != '\0')
			continue;
		*p = '\0';
		if (mkdir(copy, 0700) == 0)
			files_note_dir(a, copy);
		else if (errno != EEXIST)
			return -errno;
		*p = c;
		if (c == '\0')
			return 0;
	}
}

void files_made(const struct agent *a, const char *path, void (*fn)(void *ctx, const char *path),
		void *ctx)
{
	auto_free char *copy = strdup(path);
	char *slash;

	while (copy && (slash = strrchr(copy, '/'))) {
		if (*copy && (table_find(&a->dirs, copy) || access(copy, F_OK) < 0))
			fn(ctx, copy);
		*slash = '\0';
	}
}

void files_remove_dirs(struct agent *a, const char *path)
{
	auto_free char *copy = strdup(path);
	char *slash;

	while (copy) {
		struct table_node *node = table_find(&a->dirs, copy);

		if (!node || (rmdir(copy) < 0 && errno != ENOENT))
			return;
		table_remove(&a->dirs, node);
		free(container_of(node, struct made_dir, node));
		slash = strrchr(copy, '/');
		if (!slash || slash == copy)
			return;
		*slash = '\0';
	}
}

void files_remove_flat(const char *dir)
{
	auto_fd int fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct dirent *e;
	DIR *d;

	if (fd < 0)
		return;
	d = fdopendir(fd);
	if (!d)
		return;
	take_fd(&fd);
	while ((e = readdir(d))) {
		if (!streq(e->d_name, ".") && !streq(e->d_name, ".."))
			(void)unlinkat(dirfd(d), e->d_name, 0);
	}
	closedir(d);
	(void)rmdir(dir);
}

/* Children before their parents: as long as a round removes something, another may. */
static bool remove_round(struct agent *a)
{
	struct table_node *n = table_next(&a->dirs, NULL);
	bool some = false;

	while (n) {
		struct made_dir *d = container_of(n, struct made_dir, node);

		if (rmdir(d->path) == 0 || errno == ENOENT) {
			table_remove(&a->dirs, n);
			free(d);
			some = true;
			n = table_next(&a->dirs, NULL);
		} else {
			n = table_next(&a->dirs, n);
		}
	}
	return some;
}

void files_forget(struct agent *a, bool remove)
{
	struct table_node *n;

	while (remove && remove_round(a))
		;
	while ((n = table_next(&a->dirs, NULL))) {
		table_remove(&a->dirs, n);
		free(container_of(n, struct made_dir, node));
	}
	table_free(&a->dirs);
}
