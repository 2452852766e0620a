/* SPDX-License-Identifier: MIT */
/*
 * bench.c - see bench.h.
 */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

int bench_fail(int r, const struct cgfs_err *err)
{
	fprintf(stderr, "bench: %s\n", err->text);
	return r;
}

void bench_destroy(struct cgfs_group *g)
{
	struct cgfs_err err = { 0 };

	if (g && cgfs_group_remove(g, CGFS_REMOVE_OPTS_WAIT(5000), &err) < 0)
		fprintf(stderr, "bench: %s\n", err.text);
	cgfs_group_close(g);
}

int bench_hierarchy(const struct bench *b, enum cgfs_controller ctl)
{
	struct cgfs_place p = cgfs_place(b->c, ctl);
	const struct cgfs_mounts *m = cgfs_mounts(b->c);

	for (size_t i = 0; i < m->n; i++) {
		if (p.version != CGFS_NONE && strcmp(m->mount[i].path, p.mount) == 0)
			return (int)i;
	}
	return -1;
}

int bench_unified(const struct bench *b)
{
	const struct cgfs_mounts *m = cgfs_mounts(b->c);

	for (size_t i = 0; i < m->n; i++) {
		if (m->mount[i].version == CGFS_V2)
			return (int)i;
	}
	return -1;
}

bool bench_v2(const struct bench *b, enum cgfs_controller ctl)
{
	return cgfs_place(b->c, ctl).version == CGFS_V2;
}

const char *bench_program(const char *name, char *buf, size_t len)
{
	const char *o = getenv("O");

	snprintf(buf, len, "%s/%s", o ? o : "build", name);
	if (access(buf, X_OK) < 0)
		snprintf(buf, len, "/bin/%s", name); /* in a guest */
	return buf;
}

static void measure_and_send(int fd, struct variant *v, size_t n, unsigned int rounds)
{
	ssize_t size = (ssize_t)(n * sizeof(*v));

	_exit(measure(v, n, rounds) < 0 || write(fd, v, (size_t)size) != size);
}

int bench_inside(struct cgfs_group *g, struct variant *v, size_t n, unsigned int rounds)
{
	ssize_t size = (ssize_t)(n * sizeof(*v));
	struct cgfs_err err = { 0 };
	int go[2], result[2], r = 0;
	char c = 0;
	pid_t pid;

	if (pipe(go) < 0 || pipe(result) < 0)
		return -errno;
	pid = fork();
	if (pid == 0) {
		if (read(go[0], &c, 1) == 1)
			measure_and_send(result[1], v, n, rounds);
		_exit(1);
	}
	close(go[0]);
	close(result[1]);
	if (pid < 0)
		r = -errno;
	if (r == 0 && cgfs_group_add_pid(g, pid, &err) < 0)
		r = bench_fail(err.code, &err);
	if (r == 0)
		r = write(go[1], &c, 1) == 1 && read(result[0], v, (size_t)size) == size ? 0
											 : -EPIPE;
	close(go[1]);
	close(result[0]);
	if (pid > 0)
		waitpid(pid, NULL, 0);
	return r;
}

static int open_policy(struct bench *b, struct cgfs_open_opts *opts, struct cgfs_err *err)
{
#if CGFS_WITH_BPF
	struct cgfs_bpf_opts bpf_opts = CGFS_BPF_OPTS_INIT;
	int r;

	snprintf(b->pin_dir, sizeof(b->pin_dir), "/sys/fs/bpf/cgfs-bench-%d", getpid());
	bpf_opts.pin_dir = b->pin_dir;
	if (cgfs_bpf_open(&bpf_opts, &b->bpf, err) < 0) {
		printf("without eBPF: %s\n", err->text);
		return 0;
	}
	opts->policy = cgfs_bpf_policy(b->bpf);
	r = cgfs_open(opts, &b->c_bpf, err);
	return r < 0 ? r : cgfs_pod_create(b->c_bpf, "standing", NULL, &b->standing, err);
#else
	printf("built without eBPF\n");
	return 0;
#endif
}

static int set_up(struct bench *b, struct cgfs_err *err)
{
	struct cgfs_open_opts opts = CGFS_OPEN_OPTS_INIT;
	int r;

	for (size_t i = 0; i < CGFS_MOUNTS_MAX; i++)
		b->root_fd[i] = -1;
	snprintf(b->root, sizeof(b->root), "/cgfs-bench-%d", getpid());
	opts.root = b->root;
	r = cgfs_open(&opts, &b->c, err);
	if (r == 0)
		r = open_policy(b, &opts, err);
	if (r == 0 && !b->standing)
		r = cgfs_pod_create(b->c, "standing", NULL, &b->standing, err);
	if (r < 0)
		return r;
	b->n = cgfs_mounts(b->c)->n;
	for (size_t i = 0; i < b->n; i++) {
		char path[400];

		snprintf(path, sizeof(path), "%s%s", cgfs_mounts(b->c)->mount[i].path, b->root);
		b->root_fd[i] = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (b->root_fd[i] < 0) {
			r = -errno;
			snprintf(err->text, sizeof(err->text), "open %s: %s", path, strerror(-r));
			return r;
		}
	}
	return 0;
}

static void tear_down(struct bench *b)
{
	struct cgfs *maker = b->c_bpf ? b->c_bpf : b->c; /* it switched controllers on */
	struct cgfs_err err = { 0 };

	bench_destroy(b->standing);
	for (size_t i = 0; i < CGFS_MOUNTS_MAX; i++) {
		if (b->root_fd[i] >= 0)
			close(b->root_fd[i]);
	}
	if (maker && cgfs_root_remove(maker, &err) < 0)
		fprintf(stderr, "bench: %s\n", err.text);
	cgfs_close(b->c_bpf);
	cgfs_close(b->c);
#if CGFS_WITH_BPF
	if (b->bpf && cgfs_bpf_unpin(b->bpf, &err) < 0)
		fprintf(stderr, "bench: %s\n", err.text);
	cgfs_bpf_close(b->bpf);
#endif
}

int bench_main(const char *name, int (*rows)(struct bench *b))
{
	/* In a guest the benchmark is one test among others: tests/guest/README.md. */
	bool tap = getenv("CGFS_TEST_GUEST") != NULL;
	struct cgfs_err err = { 0 };
	struct bench b = { 0 };
	int r;

	if (geteuid() != 0) {
		printf("%s: skipped, needs root\n", name);
		return 0;
	}
	measure_catch_signals();
	r = set_up(&b, &err);
	if (r < 0)
		bench_fail(r, &err);
	else if (rows)
		r = rows(&b);
	tear_down(&b);
	if (tap)
		printf("\n%s 1 - %s\n1..1\n", r < 0 ? "not ok" : "ok", name);
	return r < 0;
}
