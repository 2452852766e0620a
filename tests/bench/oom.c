/* SPDX-License-Identifier: MIT */
/*
 * oom.c - from an OOM kill to its event, by the eBPF program and by control files, and whether the
 * event is there before the victim can be reaped.
 *
 * Both ways watch the same container, so each kill is timed by both: from the moment that the
 * kernel recorded, or, without eBPF, from the last page that the victim touched.
 */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define KILLS	   200
#define LIMIT	   (1u << 20)
#define MEAL	   (3u << 20)
#define PAGE	   4096
#define PATIENCE_S 120

enum { BY_BPF, BY_FILES, WAYS };

struct way {
	const char *name;
	struct cgfs *c; /* NULL: not here */
	struct cgfs_group *ctr;
	double us[KILLS];	       /* from the kill to the event; negative: not yet */
	size_t first, together, later; /* than the victim was dead */
};

struct oom {
	struct bench *b;
	struct cgfs_bpf *bpf;
	struct cgfs_group *pod;
	struct way way[WAYS];
	double dead_us[KILLS];
	volatile double *touched_us; /* the victim's last page, shared with it */
};

static double boot_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

__attribute__((noreturn)) static void eat(const struct oom *o)
{
	char *p = mmap(NULL, MEAL, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	alarm(PATIENCE_S);
	/* Locked as it is touched: swap would only put it off. */
	if (p == MAP_FAILED || mlock2(p, MEAL, MLOCK_ONFAULT) < 0)
		_exit(3);
	for (size_t at = 0; at < MEAL; at += PAGE) {
		*o->touched_us = boot_us();
		p[at] = 1;
	}
	_exit(4);
}

/* 1 when it was the kill's event. */
static int take(struct way *w, double *ret_us, double *kill_us)
{
	double now = boot_us();
	struct cgfs_event ev = CGFS_EVENT_INIT;
	struct cgfs_err err = { 0 };
	int r;

	while ((r = cgfs_event_read(w->c, &ev, &err)) == 1) {
		if (ev.type != CGFS_EVENT_OOM_KILL)
			continue;
		*ret_us = now;
		if (ev.pid)
			*kill_us = (double)ev.time_ns / 1e3;
		return 1;
	}
	return r < 0 ? bench_fail(r, &err) : 0;
}

/* Until the victim is dead and every source has reported it. */
static int watch(struct oom *o, int pidfd, double *at, double *ret_dead, double *kill_us)
{
	struct pollfd p[WAYS + 1] = { [WAYS] = { .fd = pidfd, .events = POLLIN } };
	size_t waiting = 1;

	for (size_t i = 0; i < WAYS; i++) {
		p[i].fd = o->way[i].c ? cgfs_event_fd(o->way[i].c) : -1;
		p[i].events = POLLIN;
		waiting += o->way[i].c != NULL;
	}
	while (waiting > 0) {
		int r = poll(p, WAYS + 1, PATIENCE_S * 1000);
		bool died = r > 0 && p[WAYS].revents;

		if (r <= 0)
			return r == 0 ? -ETIMEDOUT : -errno;
		if (died) {
			*ret_dead = boot_us();
			p[WAYS].fd = -1;
			waiting--;
		}
		for (size_t i = 0; i < WAYS; i++) {
			if (p[i].fd < 0 || !p[i].revents)
				continue;
			r = take(&o->way[i], &at[i], kill_us);
			if (r < 0)
				return r;
			if (r == 0)
				continue;
			if (died)
				o->way[i].together++;
			else if (p[WAYS].fd < 0)
				o->way[i].later++;
			else
				o->way[i].first++;
			p[i].fd = -1;
			waiting--;
		}
	}
	return 0;
}

static int kill_one(struct oom *o, size_t n)
{
	struct cgfs_group *ctr = o->way[o->way[BY_BPF].c ? BY_BPF : BY_FILES].ctr;
	double at[WAYS] = { 0 }, dead = 0, kill_us = 0;
	struct cgfs_err err = { 0 };
	int pidfd = -1, status, r;
	pid_t pid;

	r = cgfs_group_spawn(ctr, &pid, &pidfd, &err);
	if (r < 0)
		return bench_fail(r, &err);
	if (pid == 0)
		eat(o);
	r = watch(o, pidfd, at, &dead, &kill_us);
	close(pidfd);
	waitpid(pid, &status, 0);
	if (kill_us == 0)
		kill_us = *o->touched_us;
	for (size_t i = 0; i < WAYS; i++)
		o->way[i].us[n] = at[i] - kill_us;
	o->dead_us[n] = dead - kill_us;
	return r;
}

static int set_up(struct oom *o)
{
	struct cgfs_resources res = CGFS_RESOURCES_INIT;
	struct cgfs_err err = { 0 };
	struct cgfs_group *other;
	int r = 0;

	o->touched_us = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (o->touched_us == MAP_FAILED)
		return -errno;
	res.set = CGFS_SET_MEMORY_MAX;
	res.memory_max_bytes = LIMIT;
#if CGFS_WITH_BPF
	struct cgfs_bpf_opts bpf_opts = CGFS_BPF_OPTS_INIT;
	struct cgfs_open_opts opts = CGFS_OPEN_OPTS_INIT;

	if (o->b->c_bpf) {
		bpf_opts.pin_dir = o->b->pin_dir;
		bpf_opts.events = true;
		opts.root = o->b->root;
		r = cgfs_bpf_open(&bpf_opts, &o->bpf, &err);
		if (r == 0) {
			opts.policy = cgfs_bpf_policy(o->bpf);
			r = cgfs_open(&opts, &o->way[BY_BPF].c, &err);
		}
	}
#endif
	o->way[BY_BPF].name = "by the eBPF program";
	o->way[BY_FILES].name = "by control files";
	o->way[BY_FILES].c = o->b->c;
	for (int i = 0; i < WAYS && r == 0; i++) {
		struct way *w = &o->way[i];

		if (!w->c)
			continue;
		if (!o->pod) {
			r = cgfs_pod_create(w->c, "oom", NULL, &o->pod, &err);
			if (r == 0)
				r = cgfs_container_create(w->c, o->pod, "c", &res, &w->ctr, &err);
			continue;
		}
		r = cgfs_pod_open(w->c, "oom", &other, &err);
		if (r == 0) {
			r = cgfs_container_open(w->c, other, "c", &w->ctr, &err);
			cgfs_group_close(other);
		}
	}
	return r < 0 ? bench_fail(r, &err) : 0;
}

static void tear_down(struct oom *o)
{
	for (size_t i = 0; i < WAYS; i++)
		cgfs_group_close(o->way[i].ctr);
	bench_destroy(o->pod);
	cgfs_close(o->way[BY_BPF].c);
#if CGFS_WITH_BPF
	cgfs_bpf_close(o->bpf);
#endif
	if (o->touched_us != MAP_FAILED)
		munmap((void *)o->touched_us, PAGE);
}

static void print(struct oom *o, size_t n)
{
	double median = measure_median(o->dead_us, n);

	printf("\nOOM kills, %zu: from the kill to the event; the victim can be reaped "
	       "after %.0f us (medians)\n",
	       n, median);
	for (size_t i = 0; i < WAYS; i++) {
		struct way *w = &o->way[i];

		if (!w->c)
			continue;
		median = measure_median(w->us, n); /* in order now */
		printf("  %-20s %8.0f us, 99 of 100 within %8.0f us; before that %zu, in the same "
		       "look %zu, after it %zu\n",
		       w->name, median, w->us[(n * 99 + 99) / 100 - 1], w->first, w->together,
		       w->later);
	}
	fflush(stdout);
}

static int rows(struct bench *b)
{
	static struct oom o;
	size_t n = getenv("CGFS_TEST_GUEST") ? 40 : KILLS;
	int r;

	o.b = b;
	if (cgfs_place(b->c, CGFS_MEMORY).version == CGFS_NONE) {
		printf("\nOOM kills: no memory controller\n");
		return 0;
	}
	r = set_up(&o);
	for (size_t i = 0; i < n && r == 0; i++)
		r = measure_interrupted() ? -EINTR : kill_one(&o, i);
	if (r == 0)
		print(&o, n);
	else
		fprintf(stderr, "oom: %s\n", strerror(-r));
	tear_down(&o);
	return r;
}

int main(void)
{
	return bench_main("oom", rows);
}
