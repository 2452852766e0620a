// SPDX-License-Identifier: MIT
/*
 * test_fake_recorded.c - the fake against transcripts of real kernels.
 *
 * Each file of tests/fake/recorded is what one kernel answered to a list of commands; the same
 * commands go to a fake that plays this kernel, and the answers are compared.  Left out of the
 * transcripts were figures that depend on the machine (bytes in use, pids, CPU time).
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "tests/fake/host.h"
#include "tests/tap.h"

#define FOLDER "tests/fake/recorded"
#define NAMES  64

/* A process, an open file, an eventfd or an inotify descriptor, by its name in the transcript. */
struct thing {
	char name[16];
	int value;
	int watches[NAMES]; /* as the fake numbers them, by the transcript's numbers */
};

struct replay {
	struct fake *f;
	const struct cgfs_fs *fs;
	char cwd[2048];
	struct thing pids[NAMES], fds[NAMES];
	size_t n_pids, n_fds;
};

/* Files of real kernels that the fake does not have: they depend on the configuration, on the
 * machine, or on what host.h lists as left out. */
static const char *const left_out[] = {
	"cpu.uclamp.max",
	"cpu.uclamp.min",
	"cpuacct.usage_all",
	"cpuacct.usage_percpu",
	"cpuacct.usage_percpu_sys",
	"cpuacct.usage_percpu_user",
	"io.cost.model",
	"io.cost.qos",
	"rdma.events.local",
};

/* -- answers, in the words of the transcript -------------------------------------------------- */

static void say(char *out, size_t len, long r)
{
	snprintf(out, len, "%s", r < 0 ? strerrorname_np((int)-r) : "ok");
}

static void say_text(char *out, size_t len, const char *text)
{
	size_t n = 0;

	out[n++] = '[';
	for (; *text && n + 4 < len; text++) {
		if (*text == '\n') {
			out[n++] = '\\';
			out[n++] = 'n';
		} else {
			out[n++] = *text;
		}
	}
	out[n++] = ']';
	out[n] = '\0';
}

/* The latest of that name. */
static struct thing *find(struct thing *things, size_t n, const char *name)
{
	while (n-- > 0) {
		if (strcmp(things[n].name, name) == 0)
			return &things[n];
	}
	return NULL;
}

static int value_of(const struct thing *things, size_t n, const char *name)
{
	const struct thing *found = find((struct thing *)things, n, name);

	return found ? found->value : -1;
}

static void name_it(struct thing *things, size_t *n, const char *name, int value)
{
	CHECK(*n < NAMES);
	snprintf(things[*n].name, sizeof(things->name), "%s", name);
	things[(*n)++].value = value;
}

/* "$p1" and "\n" in what is written. */
static void expand(const struct replay *t, const char *in, char *out)
{
	while (*in) {
		if (in[0] == '\\' && in[1] == 'n') {
			*out++ = '\n';
			in += 2;
		} else if (*in == '$') {
			char name[16];
			int used = 0, v;

			CHECK_INT(sscanf(in + 1, "%15[a-z0-9]%n", name, &used), 1);
			v = value_of(t->fds, t->n_fds, name);
			out += sprintf(out, "%d", v >= 0 ? v : value_of(t->pids, t->n_pids, name));
			in += 1 + used;
		} else {
			*out++ = *in++;
		}
	}
	*out = '\0';
}

static void path_of(const struct replay *t, const char *name, char *out, size_t len)
{
	int n = *name == '@' ? snprintf(out, len, "/fake/cgroup%s", name + 1)
			     : snprintf(out, len, "%s/%s", t->cwd, name);

	CHECK(n >= 1 && (size_t)n < len);
}

/* -- commands --------------------------------------------------------------------------------- */

static void cmd_file(struct replay *t, const char *cmd, char *arg, char *out, size_t len)
{
	char path[2048], *text = strchr(arg, ' ');
	static char buf[65536];
	int fd, r;

	if (text)
		*text++ = '\0';
	path_of(t, arg, path, sizeof(path));
	fd = t->fs->ops->open(t->fs->ctx, AT_FDCWD, path, *cmd == 'r' ? O_RDONLY : O_WRONLY);
	r = fd;
	if (fd >= 0 && *cmd == 'r') {
		r = (int)t->fs->ops->pread(t->fs->ctx, fd, buf, sizeof(buf) - 1, 0);
	} else if (fd >= 0) {
		expand(t, text ? text : "", buf);
		r = (int)t->fs->ops->write(t->fs->ctx, fd, buf, strlen(buf));
	}
	if (fd >= 0)
		t->fs->ops->close(t->fs->ctx, fd);
	say(out, len, r);
	if (*cmd == 'r' && r >= 0) {
		buf[r] = '\0';
		say_text(out, len, buf);
	}
}

static void cmd_dir(struct replay *t, const char *cmd, char *arg, char *out, size_t len)
{
	char path[2048], name[512];
	int r = 0;

	expand(t, arg, name);
	if (strcmp(cmd, "mklong") == 0) {
		memset(name, 'x', sizeof(name));
		name[atoi(arg)] = '\0';
	}
	path_of(t, name, path, sizeof(path));
	if (strcmp(cmd, "cd") == 0) {
		/* Of the paths here, only ".." needs more than joining. */
		if (strcmp(name, "..") == 0)
			*strrchr(t->cwd, '/') = '\0';
		else
			snprintf(t->cwd, sizeof(t->cwd), "%s", path);
	} else if (strcmp(cmd, "rmdir") == 0) {
		r = t->fs->ops->rmdir(t->fs->ctx, AT_FDCWD, path);
	} else {
		r = t->fs->ops->mkdir(t->fs->ctx, AT_FDCWD, path, 0755);
		if (r == 0 && strcmp(cmd, "mklong") == 0)
			r = t->fs->ops->rmdir(t->fs->ctx, AT_FDCWD, path);
	}
	say(out, len, r);
}

/* fr, fw, fmkdir, frmdir, fopenat, fclose: by descriptor */
static void cmd_fd(struct replay *t, const char *cmd, char *arg, char *out, size_t len)
{
	char *rest = strchr(arg, ' '), buf[4096];
	void *ctx = t->fs->ctx;
	int fd, r;

	if (rest)
		*rest++ = '\0';
	fd = value_of(t->fds, t->n_fds, arg);
	if (strcmp(cmd, "fr") == 0) {
		r = (int)t->fs->ops->pread(ctx, fd, buf, sizeof(buf) - 1, 0);
		if (r >= 0) {
			buf[r] = '\0';
			say_text(out, len, buf);
			return;
		}
	} else if (strcmp(cmd, "fw") == 0) {
		r = (int)t->fs->ops->write(ctx, fd, rest, strlen(rest));
	} else if (strcmp(cmd, "fmkdir") == 0) {
		r = t->fs->ops->mkdir(ctx, fd, rest, 0755);
	} else if (strcmp(cmd, "frmdir") == 0) {
		r = t->fs->ops->rmdir(ctx, fd, rest);
	} else if (strcmp(cmd, "fopenat") == 0) {
		r = t->fs->ops->open(ctx, fd, rest, O_RDONLY);
		if (r >= 0)
			t->fs->ops->close(ctx, r);
	} else {
		t->fs->ops->close(ctx, fd);
		r = 0;
	}
	say(out, len, r);
}

static void cmd_open(struct replay *t, char *arg, char *out, size_t len)
{
	char name[16], file[256], mode[4] = "r", path[2048];
	int fd;

	CHECK(sscanf(arg, "%15s %255s %3s", name, file, mode) >= 2);
	path_of(t, file, path, sizeof(path));
	fd = t->fs->ops->open(t->fs->ctx, AT_FDCWD, path,
			      *mode == 'w'   ? O_WRONLY
			      : *mode == 'b' ? O_RDWR
			      : *mode == 'd' ? O_RDONLY | O_DIRECTORY
					     : O_RDONLY);
	name_it(t->fds, &t->n_fds, name, fd);
	say(out, len, fd);
}

static void cmd_watch(struct replay *t, const char *cmd, char *arg, const char *want, char *out,
		      size_t len)
{
	char name[16], file[256] = "", path[2048];
	struct thing *inotify;
	int fd, r, wd;

	CHECK_INT(sscanf(arg, "%15s %255s", name, file), 2);
	inotify = find(t->fds, t->n_fds, name);
	CHECK(inotify);
	fd = inotify->value;
	if (strcmp(cmd, "unwatch") == 0) {
		wd = atoi(file);
		wd = wd < NAMES && inotify->watches[wd] ? inotify->watches[wd] : wd;
		say(out, len, t->fs->ops->notify_remove(t->fs->ctx, fd, wd));
		return;
	}
	path_of(t, file, path, sizeof(path));
	r = t->fs->ops->notify_add(t->fs->ctx, fd, AT_FDCWD, path);
	say(out, len, r);
	if (r > 0 && sscanf(want, "wd=%d", &wd) == 1) {
		CHECK(wd > 0 && wd < NAMES);
		/* The same file, the same number. */
		if (inotify->watches[wd] != 0 && inotify->watches[wd] != r)
			FAIL("watch %d was %d, is %d", wd, inotify->watches[wd], r);
		inotify->watches[wd] = r;
		snprintf(out, len, "%s", want);
	}
}

/* Which events there are.  Kernels announce with some delay, so neither order nor repetition is
 * compared. */
static void cmd_drain(struct replay *t, char *arg, const char *want, char *out, size_t len)
{
	struct inotify_event events[512];
	bool seen[NAMES][2] = { 0 }, wanted[NAMES][2] = { 0 };
	const struct thing *inotify = find(t->fds, t->n_fds, arg);
	uint64_t count;
	ssize_t n;

	CHECK(inotify);
	n = read(inotify->value, events, sizeof(events));
	if (n < 0) {
		say(out, len, -errno);
		return;
	}
	if (n == sizeof(count)) {
		memcpy(&count, events, sizeof(count));
		snprintf(out, len, "count=%llu", (unsigned long long)count);
		return;
	}
	for (size_t i = 0; i < (size_t)n / sizeof(*events); i++) {
		CHECK(events[i].wd > 0 && events[i].wd < NAMES);
		seen[events[i].wd][events[i].mask == IN_IGNORED] = true;
	}
	for (const char *p = strchr(want, '{'); p; p = strchr(p + 1, '{')) {
		unsigned int wd, mask;

		CHECK_INT(sscanf(p, "{wd=%u mask=%x", &wd, &mask), 2);
		wanted[inotify->watches[wd]][mask == IN_IGNORED] = true;
	}
	snprintf(out, len, "%s", memcmp(seen, wanted, sizeof(seen)) == 0 ? want : "other events");
}

static void cmd_process(struct replay *t, const char *cmd, char *arg, char *out, size_t len)
{
	char name[16], what[32] = "";
	pid_t pid;

	CHECK(sscanf(arg, "%15s %31s", name, what) >= 1);
	if (strcmp(cmd, "spawn") == 0) {
		name_it(t->pids, &t->n_pids, name, fake_spawn(t->f));
		say(out, len, 0);
		return;
	}
	pid = value_of(t->pids, t->n_pids, name);
	if (strcmp(cmd, "alive") == 0) {
		snprintf(out, len, "%s", fake_alive(t->f, pid) ? "alive" : "died sig=9");
		return;
	}
	if (strcmp(cmd, "tell") == 0) {
		if (*what == 'f')
			(void)fake_fork(t->f, pid);
		/* In pieces of a page, as it touches them. */
		for (long n = *what == 'm' ? atol(what + 1) : 0; n > 0; n -= 4096) {
			if (fake_charge(t->f, pid, 4096) < 0)
				break;
		}
		say(out, len, 0);
		return;
	}
	say(out, len, t->fs->ops->kill(t->fs->ctx, pid, SIGKILL));
}

static void cmd_descriptor(struct replay *t, const char *cmd, const char *arg, char *out,
			   size_t len)
{
	int fd = strcmp(cmd, "eventfd") == 0 ? eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)
					     : t->fs->ops->notify_open(t->fs->ctx);

	CHECK(fd >= 0);
	name_it(t->fds, &t->n_fds, arg, fd);
	say(out, len, 0);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool is_left_out(const char *name)
{
	for (size_t i = 0; i < sizeof(left_out) / sizeof(*left_out); i++) {
		if (strcmp(name, left_out[i]) == 0)
			return true;
	}
	return false;
}

/* The names of all control files, both ways. */
static void cmd_ls(struct replay *t, char *arg, const char *want, char *out, size_t len)
{
	const struct ctl_file *files[256];
	const char *names[256];
	char path[2048], copy[8192], *save = NULL;
	size_t n, n_want = 0;
	int fd;

	path_of(t, arg, path, sizeof(path));
	fd = t->fs->ops->open(t->fs->ctx, AT_FDCWD, path, O_RDONLY | O_DIRECTORY);
	CHECK(fd >= 0);
	n = fake_node_files(fake_open_file(t->f, fd)->node, files, 256);
	t->fs->ops->close(t->fs->ctx, fd);
	for (size_t i = 0; i < n; i++)
		names[i] = files[i]->name;
	qsort(names, n, sizeof(*names), by_name);
	snprintf(out, len, "%s", want);
	snprintf(copy, sizeof(copy), "%s", want);
	for (char *w = strtok_r(copy, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
		const char *key = w;

		if (is_left_out(w))
			continue;
		n_want++;
		if (!bsearch(&key, names, n, sizeof(*names), by_name)) {
			snprintf(out, len, "the fake has no %s", w);
			return;
		}
	}
	if (n_want != n)
		snprintf(out, len, "the fake has %zu files, not %zu", n, n_want);
}

static void obey(struct replay *t, char *cmd, char *arg, const char *want, char *out, size_t len)
{
	static const char *const dirs[] = { "cd", "mkdir", "rmdir", "mklong" };
	static const char *const pids[] = { "spawn", "kill", "sig", "alive", "tell" };

	for (size_t i = 0; i < 4; i++) {
		if (strcmp(cmd, dirs[i]) == 0) {
			cmd_dir(t, cmd, arg, out, len);
			return;
		}
	}
	for (size_t i = 0; i < 5; i++) {
		if (strcmp(cmd, pids[i]) == 0) {
			cmd_process(t, cmd, arg, out, len);
			return;
		}
	}
	if (strcmp(cmd, "r") == 0 || strcmp(cmd, "w") == 0)
		cmd_file(t, cmd, arg, out, len);
	else if (strcmp(cmd, "open") == 0)
		cmd_open(t, arg, out, len);
	else if (*cmd == 'f')
		cmd_fd(t, cmd, arg, out, len);
	else if (strcmp(cmd, "watch") == 0 || strcmp(cmd, "unwatch") == 0)
		cmd_watch(t, cmd, arg, want, out, len);
	else if (strcmp(cmd, "drain") == 0)
		cmd_drain(t, arg, want, out, len);
	else if (strcmp(cmd, "ls") == 0)
		cmd_ls(t, arg, want, out, len);
	else if (strcmp(cmd, "eventfd") == 0 || strcmp(cmd, "inotify") == 0)
		cmd_descriptor(t, cmd, arg, out, len);
	else
		FAIL("unknown command %s", cmd);
}

/* -- a transcript ----------------------------------------------------------------------------- */

static enum cgfs_layout layout_named(const char *name)
{
	for (int l = CGFS_LAYOUT_V1; l <= CGFS_LAYOUT_V2; l++) {
		if (strcmp(cgfs_layout_name((enum cgfs_layout)l), name) == 0)
			return (enum cgfs_layout)l;
	}
	FAIL("unknown layout %s", name);
	return CGFS_LAYOUT_NONE;
}

static void close_all(struct replay *t)
{
	for (size_t i = 0; i < t->n_fds; i++) {
		int fd = t->fds[i].value;

		if (fd >= FAKE_FD_FIRST && fake_open_file(t->f, fd))
			t->fs->ops->close(t->fs->ctx, fd);
		else if (fd >= 0 && fd < FAKE_FD_FIRST)
			close(fd);
	}
}

static void kernel_answers_the_same(void **state)
{
	char path[512], line[16384], out[16384], word[32];
	struct fake_kernel k = { 0, 0 };
	struct replay t = { 0 };
	unsigned int number = 0, wrong = 0, done = 0;
	FILE *in;

	snprintf(path, sizeof(path), FOLDER "/%s", (const char *)*state);
	in = fopen(path, "re");
	CHECK(in);
	while (fgets(line, sizeof(line), in)) {
		char *want = strstr(line, " => "), *arg;

		number++;
		line[strcspn(line, "\n")] = '\0';
		if (sscanf(line, "kernel %d.%d", &k.major, &k.minor) == 2)
			continue;
		if (sscanf(line, "layout %31s", word) == 1) {
			t.f = fake_new(layout_named(word), k);
			t.fs = fake_fs(t.f);
			snprintf(t.cwd, sizeof(t.cwd), "/fake/cgroup");
			continue;
		}
		if (*line == '#' || !want)
			continue;
		*want = '\0';
		want += 4;
		arg = strchr(line, ' ');
		CHECK(arg);
		snprintf(word, sizeof(word), "%.*s", (int)(arg - line), line);
		snprintf(out, sizeof(out), "%s", arg + 1);
		arg = strdup(out);
		CHECK(arg);
		obey(&t, word, arg, want, out, sizeof(out));
		free(arg);
		done++;
		if (strcmp(out, want) != 0) {
			printf("%s:%u: %s\n  kernel: %s\n  fake:   %s\n", path, number, line, want,
			       out);
			wrong++;
		}
	}
	fclose(in);
	close_all(&t);
	CHECK_INT(fake_open_files(t.f), 0);
	CHECK_INT(fake_bad_closes(t.f), 0);
	fake_free(t.f);
	CHECK(done > 50);
	CHECK_INT(wrong, 0);
}

int main(int argc, char **argv)
{
	struct tap_test tests[64];
	struct dirent **entries;
	size_t used = 0;
	int n = scandir(FOLDER, &entries, NULL, alphasort), r;

	if (n < 0) {
		fprintf(stderr, "%s: %s (run from the top of the tree)\n", FOLDER, strerror(errno));
		return 2;
	}
	for (int i = 0; i < n && used < 64; i++) {
		if (*entries[i]->d_name != '.')
			tests[used++] = (struct tap_test){ .name = entries[i]->d_name,
							   .fn = kernel_answers_the_same,
							   .arg = entries[i]->d_name };
	}
	r = tap_main(argc, argv, tests, used);
	for (int i = 0; i < n; i++)
		free(entries[i]);
	free(entries);
	return r;
}
