/* SPDX-License-Identifier: MIT */
/*
 * admit.c - what admission costs those who ask for memory and are admitted: mmap, brk, mprotect,
 * fork and exec in loops, in a container before the programs are loaded, while it has no budget,
 * while it has one, and while its pod has one as well.  And what the first budget on a host costs.
 *
 * Only a kernel that allows lsm_cgroup can say (`make bench-guest`).
 */
#include "bench.h"

#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#if CGFS_WITH_BPF

#define LOOPS  200
#define FORKS  10
#define ROUNDS 21
#define CASES  4
#define BUDGET (1ull << 30)

static int maps(void *arg)
{
	for (int i = 0; i < LOOPS; i++) {
		void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			       0);

		if (p == MAP_FAILED || munmap(p, 4096) < 0)
			return -errno;
	}
	return 0;
}

static int grows(void *arg)
{
	for (int i = 0; i < LOOPS; i++) {
		if (sbrk(4096) == (void *)-1 || sbrk(-4096) == (void *)-1)
			return -errno;
	}
	return 0;
}

/* As an allocator does with the heap of a thread. */
static int opens(void *arg)
{
	char *p = mmap(NULL, LOOPS * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int r = p == MAP_FAILED ? -errno : 0;

	for (size_t i = 0; i < LOOPS && r == 0; i++)
		r = mprotect(p, (i + 1) * 4096, PROT_READ | PROT_WRITE) < 0 ? -errno : 0;
	if (p != MAP_FAILED)
		munmap(p, LOOPS * 4096);
	return r;
}

static int ends(pid_t pid)
{
	int status;

	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -errno;
	return status == 0 ? 0 : -ECHILD;
}

static int forks(void *arg)
{
	int r = 0;

	for (int i = 0; i < FORKS && r == 0; i++) {
		pid_t pid = fork();

		if (pid == 0)
			_exit(0);
		r = ends(pid);
	}
	return r;
}

static int execs(void *arg)
{
	int r = 0;

	for (int i = 0; i < FORKS && r == 0; i++) {
		pid_t pid = fork();

		if (pid == 0) {
			execl("/bin/true", "true", (char *)NULL);
			_exit(1);
		}
		r = ends(pid);
	}
	return r;
}

static const struct {
	const char *title;
	int (*run)(void *arg);
} loops[] = {
	{ "200 x mmap and munmap of a page", maps },
	{ "200 x brk, a page more and a page less", grows },
	{ "200 x mprotect, a further page of a reservation", opens },
	{ "10 x fork, exit and wait", forks },
	{ "10 x fork, exec of /bin/true and wait", execs },
};

#define N (sizeof(loops) / sizeof(loops[0]))

static int give(struct cgfs_group *g, double *ret_us)
{
	struct cgfs_resources res = CGFS_RESOURCES_INIT;
	struct cgfs_err err = { 0 };
	double start = measure_now_us();
	int r;

	res.set = CGFS_SET_MEMORY_ADMIT;
	res.memory_admit_bytes = BUDGET;
	r = cgfs_group_set(g, &res, NULL, &err);
	*ret_us = measure_now_us() - start;
	if (r < 0)
		printf("\nthis kernel does not let requests be refused: %s\n", err.text);
	return r;
}

static int measured(struct cgfs_group *ctr, struct variant v[N])
{
	for (size_t i = 0; i < N; i++)
		v[i] = (struct variant){ loops[i].title, loops[i].run, NULL, 0, 0 };
	return bench_inside(ctr, v, N, ROUNDS);
}

static void print(struct variant v[CASES][N], double first_us, double next_us)
{
	static const char *const names[CASES] = {
		"before the programs are loaded",
		"loaded, and the container has no budget",
		"the container has a budget",
		"its pod has one as well",
	};

	for (size_t i = 0; i < N; i++) {
		struct variant row[CASES];

		for (size_t j = 0; j < CASES; j++) {
			row[j] = v[j][i];
			row[j].name = names[j];
		}
		measure_print(loops[i].title, row, CASES);
	}
	printf("\na budget\n  %-52s %10.1f us\n  %-52s %10.1f us\n",
	       "the first on a host: load and pin", first_us, "another", next_us);
}

static int rows(struct bench *b)
{
	struct cgfs_group *pod = NULL, *ctr = NULL, *other = NULL;
	struct variant v[CASES][N];
	struct cgfs_err err = { 0 };
	double first_us = 0, next_us = 0;
	int r;

	if (!b->c_bpf)
		return 0; /* reported already */
	r = cgfs_pod_create(b->c_bpf, "admit", NULL, &pod, &err);
	if (r == 0)
		r = cgfs_container_create(b->c_bpf, pod, "c", NULL, &ctr, &err);
	if (r == 0)
		r = cgfs_container_create(b->c_bpf, pod, "o", NULL, &other, &err);
	if (r < 0)
		r = bench_fail(r, &err);
	if (r == 0)
		r = measured(ctr, v[0]);
	if (r == 0 && give(other, &first_us) == 0) {
		r = measured(ctr, v[1]);
		if (r == 0)
			r = give(ctr, &next_us);
		if (r == 0)
			r = measured(ctr, v[2]);
		if (r == 0)
			r = give(pod, &next_us);
		if (r == 0)
			r = measured(ctr, v[3]);
		if (r == 0)
			print(v, first_us, next_us);
	}
	bench_destroy(other);
	bench_destroy(ctr);
	bench_destroy(pod);
	return r;
}

#else
#define rows NULL
#endif

int main(void)
{
	return bench_main("admit", rows);
}
