/* SPDX-License-Identifier: MIT */
/*
 * create.c - a pod's whole life, empty: the library against the bare system calls that the work
 * needs, and against libcgroup.
 *
 * "Bare" is what a program would do that knew every path beforehand: mkdirat, openat, write,
 * close, unlinkat on descriptors of the parents.  "With a policy" adds the bpf(2) calls without
 * which there is none: attach, pin, the rules, what binds the cgroup; and taking them back.  "With
 * all objects" counts memory as well, and has a budget of it, as far as the kernel allows.
 */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <libcgroup.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#if CGFS_WITH_BPF
#include <bpf/bpf.h>
#include <cgfs/abi/device.h>
#endif

#define MEMORY_MAX (64u << 20)
#define WRITES_MAX 64
#define RULES_MAX  32
#define ROUNDS	   300

struct write_op {
	int hierarchy;
	char file[64], value[64];
};

struct create {
	struct bench *b;
	struct write_op write[WRITES_MAX]; /* what one pod's limits need */
	size_t n_writes;
#if CGFS_WITH_BPF
	int program, rules, policy; /* descriptors of what is pinned */
	struct cgfs_rule_key key[RULES_MAX];
	struct cgfs_rule rule[RULES_MAX];
	uint32_t n_rules;
	char pin[128];
#endif
};

static const struct cgfs_resources limits = {
	.sz = sizeof(limits),
	.set = CGFS_SET_MEMORY_MAX | CGFS_SET_CPU_SHARES | CGFS_SET_CPU_QUOTA |
	       CGFS_SET_CPU_PERIOD | CGFS_SET_PIDS_MAX | CGFS_SET_CPUSET_CPUS |
	       CGFS_SET_CPUSET_MEMS,
	.memory_max_bytes = MEMORY_MAX,
	.cpu_shares = 512,
	.cpu_quota_us = 50000,
	.cpu_period_us = 100000,
	.pids_max = 64,
	.cpuset_cpus = "0",
	.cpuset_mems = "0",
};

/* -- the bare calls -- */

__attribute__((format(printf, 4, 5))) static void add_write(struct create *b,
							    enum cgfs_controller ctl,
							    const char *file, const char *fmt, ...)
{
	struct write_op *w = &b->write[b->n_writes];
	va_list ap;

	w->hierarchy = bench_hierarchy(b->b, ctl);
	if (w->hierarchy < 0 || !file || b->n_writes == WRITES_MAX)
		return;
	snprintf(w->file, sizeof(w->file), "pod/%s", file);
	va_start(ap, fmt);
	vsnprintf(w->value, sizeof(w->value), fmt, ap);
	va_end(ap);
	b->n_writes++;
}

static void plan_writes(struct create *b)
{
	bool cpu2 = bench_v2(b->b, CGFS_CPU);
	bool memory2 = bench_v2(b->b, CGFS_MEMORY);
	const struct cgfs_device_rule *rule;
	size_t n;

	if (cgfs_place(b->b->c, CGFS_DEVICES).version == CGFS_V1) {
		rule = cgfs_device_defaults(&n);
		add_write(b, CGFS_DEVICES, "devices.deny", "a");
		for (size_t i = 0; i < n; i++) {
			char text[48];

			cgfs_device_format(&rule[i], text, sizeof(text));
			add_write(b, CGFS_DEVICES, "devices.allow", "%s",
				  strncmp(text, "allow ", 6) ? text : text + 6);
		}
	}
	add_write(b, CGFS_MEMORY, memory2 ? "memory.max" : "memory.limit_in_bytes", "%u",
		  MEMORY_MAX);
	if (cpu2) {
		add_write(b, CGFS_CPU, "cpu.weight", "59");
		add_write(b, CGFS_CPU, "cpu.max", "50000 100000");
	} else {
		add_write(b, CGFS_CPU, "cpu.shares", "512");
		add_write(b, CGFS_CPU, "cpu.cfs_period_us", "100000");
		add_write(b, CGFS_CPU, "cpu.cfs_quota_us", "50000");
	}
	add_write(b, CGFS_CPUSET, "cpuset.cpus", "0");
	add_write(b, CGFS_CPUSET, "cpuset.mems", "0");
	add_write(b, CGFS_PIDS, "pids.max", "64");
}

static int bare_make(const struct create *b)
{
	for (size_t i = 0; i < b->b->n; i++) {
		if (mkdirat(b->b->root_fd[i], "pod", 0755) < 0)
			return -errno;
	}
	return 0;
}

static int bare_limits(const struct create *b)
{
	for (size_t i = 0; i < b->n_writes; i++) {
		const struct write_op *w = &b->write[i];
		int fd = openat(b->b->root_fd[w->hierarchy], w->file, O_WRONLY | O_CLOEXEC);

		if (fd < 0)
			return -errno;
		if (write(fd, w->value, strlen(w->value)) < 0) {
			fprintf(stderr, "%s: %s: %s\n", w->file, w->value, strerror(errno));
			return -errno;
		}
		close(fd);
	}
	return 0;
}

static int bare_remove(const struct create *b)
{
	for (size_t i = 0; i < b->b->n; i++) {
		if (unlinkat(b->b->root_fd[i], "pod", AT_REMOVEDIR) < 0)
			return -errno;
	}
	return 0;
}

static int bare_cycle(void *arg)
{
	const struct create *b = arg;
	int r = bare_make(b);

	if (r == 0)
		r = bare_limits(b);
	return r < 0 ? r : bare_remove(b);
}

/* -- with a policy ------------------------------------------------------------------------- */

#if CGFS_WITH_BPF
/* As many elements as the default list has, under a cgroup's number that no cgroup has. */
static int plan_policy(struct create *b)
{
	char path[128];
	size_t n;

	(void)cgfs_device_defaults(&n);
	b->n_rules = n < RULES_MAX ? (uint32_t)n : RULES_MAX;
	for (uint32_t i = 0; i < b->n_rules; i++)
		b->key[i] = (struct cgfs_rule_key){
			.cgroup_id = UINT64_MAX,
			.generation = 1,
			.kind = CGFS_CHAR,
			.major = 1,
			.minor = (int)i,
		};
	snprintf(path, sizeof(path), "%s/device", b->b->pin_dir);
	b->program = bpf_obj_get(path);
	snprintf(path, sizeof(path), "%s/rules", b->b->pin_dir);
	b->rules = bpf_obj_get(path);
	snprintf(path, sizeof(path), "%s/policy", b->b->pin_dir);
	b->policy = bpf_obj_get(path);
	snprintf(b->pin, sizeof(b->pin), "%s/links/bare", b->b->pin_dir);
	return b->program < 0 || b->rules < 0 || b->policy < 0 ? -ENOENT : 0;
}

static int bare_bind(struct create *b)
{
	int dir = openat(b->b->root_fd[bench_unified(b->b)], "pod",
			 O_RDONLY | O_DIRECTORY | O_CLOEXEC),
	    link = -1, r = -EIO;
	struct bpf_cgroup_storage_key key = { .attach_type = BPF_CGROUP_DEVICE };
	struct cgfs_policy_val value = { .mode = CGFS_LIST, .generation = 1, .is_pod = 1 };
	uint32_t n = b->n_rules;
	struct stat st;

	if (dir >= 0 && fstat(dir, &st) == 0)
		link = bpf_link_create(b->program, dir, BPF_CGROUP_DEVICE, NULL);
	if (link >= 0) {
		key.cgroup_inode_id = value.cgroup_id = st.st_ino;
		if (bpf_map_update_batch(b->rules, b->key, b->rule, &n, NULL) == 0 &&
		    bpf_map_update_elem(b->policy, &key, &value, BPF_ANY) == 0 &&
		    bpf_obj_pin(link, b->pin) == 0)
			r = 0;
		close(link);
	}
	if (dir >= 0)
		close(dir);
	return r;
}

static int bare_release(struct create *b)
{
	uint32_t n = b->n_rules;

	if (unlink(b->pin) < 0)
		return -errno;
	return bpf_map_delete_batch(b->rules, b->key, &n, NULL) < 0 ? -errno : 0;
}

static int bare_policy_cycle(void *arg)
{
	struct create *b = arg;
	int r = bare_make(b);

	if (r == 0)
		r = bare_bind(b);
	if (r == 0)
		r = bare_limits(b);
	if (r == 0)
		r = bare_remove(b);
	return r < 0 ? r : bare_release(b);
}
#endif

/* -- the library --------------------------------------------------------------------------- */

static int cycle(struct cgfs *c, const struct cgfs_resources *res)
{
	struct cgfs_group *pod;
	struct cgfs_err err;
	int r;

	r = cgfs_pod_create(c, "pod", res, &pod, &err);
	if (r == 0) {
		r = cgfs_group_remove(pod, CGFS_REMOVE_OPTS_WAIT(1000), &err);
		cgfs_group_close(pod);
	}
	if (r < 0)
		fprintf(stderr, "%s\n", err.text);
	return r;
}

static int cgfs_cycle(void *arg)
{
	return cycle(((struct create *)arg)->b->c, &limits);
}

static int cgfs_bpf_cycle(void *arg)
{
	return cycle(((struct create *)arg)->b->c_bpf, &limits);
}

#if CGFS_WITH_BPF
struct all {
	struct cgfs *c;
	struct cgfs_resources res; /* with a budget */
};

static int cgfs_counted_cycle(void *arg)
{
	return cycle(((const struct all *)arg)->c, &limits);
}

static int cgfs_all_cycle(void *arg)
{
	const struct all *all = arg;

	return cycle(all->c, &all->res);
}
#endif

/* -- libcgroup ----------------------------------------------------------------------------- */

static int libcgroup_cycle(void *arg)
{
	static const char *const names[] = { "cpu",	"cpuacct", "cpuset", "memory",
					     "devices", "freezer", "pids",   "hugetlb" };
	struct create *b = arg;
	char path[80];
	struct cgroup *g;
	int r = 0;

	snprintf(path, sizeof(path), "%s/pod", b->b->root + 1);
	g = cgroup_new_cgroup(path);
	for (size_t i = 0; g && i < sizeof(names) / sizeof(names[0]); i++) {
		struct cgroup_controller *ctl;

		if (bench_hierarchy(
			    b->b, (enum cgfs_controller)cgfs_controller_from_name(names[i])) < 0 ||
		    !(ctl = cgroup_add_controller(g, names[i])))
			continue;
		for (size_t w = 0; w < b->n_writes; w++) {
			const char *file = b->write[w].file + strlen("pod/");
			size_t len = strlen(names[i]);

			/* One value per name: it cannot hold the list of devices. */
			if (strncmp(file, names[i], len) == 0 && file[len] == '.' &&
			    strncmp(file, "devices", 7) != 0)
				cgroup_add_value_string(ctl, file, b->write[w].value);
		}
	}
	r = g ? cgroup_create_cgroup(g, 0) : ECGOTHER;
	if (r == 0)
		r = cgroup_delete_cgroup(g, 0);
	cgroup_free(&g);
	if (r)
		printf("libcgroup cannot do it: %s (%s)\n", cgroup_strerror(r),
		       strerror(cgroup_get_last_errno()));
	return r ? -EIO : 0;
}

/* -- rows ---------------------------------------------------------------------------------- */

static void clean(struct create *b)
{
	(void)!bare_remove(b); /* an interrupted round may have left it */
#if CGFS_WITH_BPF
	unlink(b->pin);
	close(b->program);
	close(b->rules);
	close(b->policy);
#endif
}

#if CGFS_WITH_BPF
/* One pod stands, and keeps the programs loaded that the first budget loads. */
static int measure_all(struct create *b, struct all *all)
{
	struct variant v[] = {
		{ "bare system calls", bare_cycle, b, 0, 0 },
		{ "cgfs with all eBPF objects", cgfs_counted_cycle, all, 0, 0 },
		{ "the same, and a budget of the pod", cgfs_all_cycle, all, 0, 0 },
	};
	struct cgfs_group *standing = NULL;
	struct cgfs_err err = { 0 };
	size_t n = 3;
	int r;

	all->res = limits;
	all->res.set |= CGFS_SET_MEMORY_ADMIT;
	all->res.memory_admit_bytes = MEMORY_MAX / 2;
	r = cgfs_pod_create(all->c, "standing-all", &all->res, &standing, &err);
	if (r < 0) {
		printf("\nthis kernel does not let requests be refused: %s\n", err.text);
		n = 2;
		r = cgfs_pod_create(all->c, "standing-all", &limits, &standing, &err);
	}
	if (r < 0)
		return bench_fail(r, &err);
	r = measure(v, n, ROUNDS);
	if (r == 0)
		measure_print("the same while memory is counted, as far as the kernel allows it", v,
			      n);
	bench_destroy(standing);
	return r;
}

static int all_rows(struct create *b)
{
	struct cgfs_open_opts opts = CGFS_OPEN_OPTS_INIT;
	struct cgfs_bpf_opts bpf_opts = CGFS_BPF_OPTS_INIT;
	struct all all = { .c = NULL };
	struct cgfs_err err = { 0 };
	struct cgfs_bpf *bpf = NULL;
	char pin_dir[96];
	int r;

	snprintf(pin_dir, sizeof(pin_dir), "%s-all", b->b->pin_dir);
	bpf_opts.pin_dir = pin_dir;
	bpf_opts.memory = true;
	r = cgfs_bpf_open(&bpf_opts, &bpf, &err);
	if (r < 0)
		return bench_fail(r, &err);
	opts.root = b->b->root;
	opts.policy = cgfs_bpf_policy(bpf);
	r = cgfs_open(&opts, &all.c, &err);
	r = r < 0 ? bench_fail(r, &err) : measure_all(b, &all);
	cgfs_close(all.c);
	if (cgfs_bpf_unpin(bpf, &err) < 0)
		bench_fail(err.code, &err);
	cgfs_bpf_close(bpf);
	return r;
}
#endif

static int rows(struct bench *bench)
{
	struct create b = { .b = bench };
	struct variant v[] = {
		{ "bare system calls", bare_cycle, &b, 0, 0 },
		{ "cgfs", cgfs_cycle, &b, 0, 0 },
		{ "cgfs with the eBPF device policy", cgfs_bpf_cycle, &b, 0, 0 },
		{ NULL, NULL, &b, 0, 0 },
		{ NULL, NULL, &b, 0, 0 },
	};
	size_t n = bench->c_bpf ? 3 : 2;
	char title[160];
	int r = 0;

	plan_writes(&b);
	/* It knows devices as a controller only; on cgroup2 it does the work without them. */
	if (cgroup_init() == 0 && libcgroup_cycle(&b) == 0)
		v[n++] = (struct variant){ "libcgroup (without the device list)", libcgroup_cycle,
					   &b, 0, 0 };
#if CGFS_WITH_BPF
	if (bench->c_bpf && bench_unified(bench) >= 0) {
		r = plan_policy(&b);
		v[n++] = (struct variant){ "bare system calls, with bare bpf(2) for a policy",
					   bare_policy_cycle, &b, 0, 0 };
	}
#endif
	if (r == 0)
		r = measure(v, n, ROUNDS);
	if (r == 0) {
		snprintf(title, sizeof(title),
			 "pod: create, %zu limits and device rules, delete; %zu hierarchies (%s)",
			 b.n_writes, bench->n, cgfs_layout_name(cgfs_layout(bench->c)));
		measure_print(title, v, n);
	}
#if CGFS_WITH_BPF
	if (r == 0 && bench->c_bpf)
		r = all_rows(&b);
#endif
	clean(&b);
	return r;
}

int main(void)
{
	return bench_main("create", rows);
}
