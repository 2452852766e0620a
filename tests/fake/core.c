// SPDX-License-Identifier: MIT
/*
 * core.c - the control files that every cgroup has, on v1 and on cgroup2, independent of its
 * controllers.
 */
#include "host.h"

#include <unistd.h>

/* -- v2: types and controllers ---------------------------------------------------------------- */

static uint64_t threaded_mask(void)
{
	uint64_t mask = 0;

	for (int c = 0; c < CGFS_CONTROLLER_COUNT; c++) {
		if (fake_controllers[c] && fake_controllers[c]->threaded)
			mask |= 1u << c;
	}
	return mask;
}

/* With processes and threaded controllers enabled, a cgroup becomes "domain threaded". */
static bool thread_root(const struct node *n)
{
	return n->parent && n->procs && (n->subtree_control & threaded_mask());
}

static bool valid_domain(const struct node *n)
{
	for (n = n->parent; n; n = n->parent) {
		if (thread_root(n))
			return false;
	}
	return true;
}

static bool can_be_thread_root(const struct node *n)
{
	if (!n->parent)
		return true;
	return n->procs_below == n->procs && !(n->subtree_control & ~threaded_mask());
}

static int may_join(const struct node *n)
{
	if (n->h->version == CGFS_V2) {
		if (!valid_domain(n))
			return -EOPNOTSUPP;
		if (!can_be_thread_root(n) && n->subtree_control)
			return -EBUSY;
	}
	for (int c = 0; c < CGFS_CONTROLLER_COUNT; c++) {
		int r;

		if (!(n->enabled & (1u << c)) || !fake_controllers[c]->can_attach)
			continue;
		r = fake_controllers[c]->can_attach(n);
		if (r < 0)
			return r;
	}
	return 0;
}

static int store_procs(const struct open_file *file, char *text)
{
	int pid, r = fake_parse_int(fake_strip(text), &pid);

	if (r < 0 || pid < 0)
		return -EINVAL;
	return fake_join(file->node, pid, may_join);
}

/* A thread goes nowhere without its process: there are no threaded cgroups here. */
static int store_threads(const struct open_file *file, char *text)
{
	const struct node *n = file->node;
	const struct process *p;
	int tid, r = fake_parse_int(fake_strip(text), &tid);

	if (r < 0 || tid < 0)
		return -EINVAL;
	p = fake_process(n->host, tid ? tid : getpid());
	r = p || tid < FAKE_PID_FIRST ? may_join(n) : -ESRCH;
	if (r == 0 && (p ? fake_node_of(p, n->h) : n->h->root) != n)
		r = -EOPNOTSUPP;
	return r;
}

static int show_type(const struct open_file *file, FILE *out)
{
	const struct node *n = file->node;

	fputs(!valid_domain(n) ? "domain invalid\n"
	      : thread_root(n) ? "domain threaded\n"
			       : "domain\n",
	      out);
	return 0;
}

/* Threaded cgroups are left out. */
static int store_type(const struct open_file *file, char *text)
{
	return strcmp(fake_strip(text), "threaded") == 0 ? -EOPNOTSUPP : -EINVAL;
}

static void show_controllers(uint64_t mask, FILE *out)
{
	/* In the order in which the kernel has them. */
	static const enum cgfs_controller order[] = { CGFS_CPUSET, CGFS_CPU,	 CGFS_IO,
						      CGFS_MEMORY, CGFS_HUGETLB, CGFS_PIDS,
						      CGFS_RDMA,   CGFS_MISC };
	const char *blank = "";

	for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
		if (!(mask & (1u << order[i])))
			continue;
		fprintf(out, "%s%s", blank, fake_controllers[order[i]]->v2_name);
		blank = " ";
	}
	if (*blank)
		fputc('\n', out);
}

static int show_available(const struct open_file *file, FILE *out)
{
	show_controllers(file->node->enabled, out);
	return 0;
}

static int show_subtree_control(const struct open_file *file, FILE *out)
{
	show_controllers(file->node->subtree_control, out);
	return 0;
}

/* "+cpu -memory": the last word about a controller counts. */
static int parse_subtree_control(char *text, uint64_t *enable, uint64_t *disable)
{
	char *save = NULL;

	for (char *word = strtok_r(text, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
		uint64_t bit = 0;

		for (int c = 0; c < CGFS_CONTROLLER_COUNT; c++) {
			const struct controller *ctl = fake_controllers[c];

			if (ctl && ctl->v2_name && strcmp(word + 1, ctl->v2_name) == 0)
				bit = 1u << c;
		}
		if (strcmp(word + 1, "perf_event") == 0)
			bit = 1u << CGFS_PERF_EVENT;
		if (!bit || (*word != '+' && *word != '-'))
			return -EINVAL;
		*(*word == '+' ? enable : disable) |= bit;
		*(*word == '+' ? disable : enable) &= ~bit;
	}
	return 0;
}

static int vet_enable(const struct node *n, uint64_t enable)
{
	bool domain = enable & ~threaded_mask();

	if (!enable)
		return 0;
	if (!valid_domain(n))
		return -EOPNOTSUPP;
	if (!n->parent)
		return 0;
	if (domain && thread_root(n))
		return -EOPNOTSUPP;
	if (!domain && can_be_thread_root(n))
		return 0;
	return n->procs ? -EBUSY : 0;
}

static int store_subtree_control(const struct open_file *file, char *text)
{
	struct node *n = file->node;
	uint64_t enable = 0, disable = 0;
	int r = parse_subtree_control(fake_strip(text), &enable, &disable);

	if (r < 0)
		return r;
	enable &= ~n->subtree_control;
	disable &= n->subtree_control;
	if (enable & ~(uint64_t)n->enabled)
		return -ENOENT;
	for (struct node *c = n->children; c; c = c->next) {
		if (c->subtree_control & disable)
			return -EBUSY;
	}
	r = vet_enable(n, enable);
	if (r < 0)
		return r;
	n->subtree_control = (n->subtree_control | enable) & ~disable;
	for (struct node *c = n->children; c; c = c->next) {
		for (int ctl = 0; ctl < CGFS_CONTROLLER_COUNT; ctl++) {
			if (enable & (1u << ctl))
				fake_node_enable(c, ctl);
			if (disable & (1u << ctl))
				fake_node_disable(c, ctl);
		}
	}
	return 0;
}

/* -- v2: the rest ----------------------------------------------------------------------------- */

static int show_events(const struct open_file *file, FILE *out)
{
	fprintf(out, "populated %d\nfrozen %d\n", file->node->procs_below != 0,
		fake_node_frozen(file->node));
	return 0;
}

static int store_kill(const struct open_file *file, char *text)
{
	int v, r = fake_parse_int(fake_strip(text), &v);

	if (r < 0)
		return r;
	if (v != 1)
		return -ERANGE;
	fake_kill_subtree(file->node);
	return 0;
}

static int store_max_int(const struct open_file *file, char *text)
{
	int v, r;

	text = fake_strip(text);
	if (strcmp(text, "max") == 0) {
		*fake_field(file->node, file->type) = FAKE_NONE;
		return 0;
	}
	r = fake_parse_int(text, &v);
	if (r < 0)
		return r;
	if (v < 0)
		return -ERANGE;
	*fake_field(file->node, file->type) = (uint64_t)v;
	return 0;
}

static size_t dying_below(const struct node *n)
{
	size_t count = n->dying;

	for (const struct node *c = n->children; c; c = c->next)
		count += dying_below(c);
	return count;
}

static int show_stat(const struct open_file *file, FILE *out)
{
	fprintf(out, "nr_descendants %zu\nnr_dying_descendants %zu\n", fake_node_count(file->node),
		dying_below(file->node));
	return 0;
}

static int store_pressure(const struct open_file *file, char *text)
{
	int v, r = fake_parse_int(fake_strip(text), &v);

	if (r < 0)
		return r;
	if (v < 0 || v > 1)
		return -ERANGE;
	file->node->pressure = (uint64_t)v;
	return 0;
}

static int show_pressure(const struct open_file *file, FILE *out)
{
	fputs("some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n"
	      "full avg10=0.00 avg60=0.00 avg300=0.00 total=0\n",
	      out);
	return 0;
}

static int show_newline(const struct open_file *file, FILE *out)
{
	fputc('\n', out);
	return 0;
}

static int show_frozen_usec(const struct open_file *file, FILE *out)
{
	fputs("frozen_usec 0\n", out);
	return 0;
}

const struct ctl_file fake_core_v2[] = {
	CTL("cgroup.controllers", BOTH, show_available, NULL),
	CTL("cgroup.events", CHILD, show_events, NULL),
	CTL("cgroup.freeze", CHILD, fake_show_u64, fake_store_freeze, FIELD(freeze)),
	CTL("cgroup.kill", CHILD, NULL, store_kill),
	CTL("cgroup.max.depth", BOTH, fake_show_max, store_max_int, FIELD(max_depth),
	    .init = FAKE_NONE),
	CTL("cgroup.max.descendants", BOTH, fake_show_max, store_max_int, FIELD(max_descendants),
	    .init = FAKE_NONE),
	CTL("cgroup.pressure", BOTH, fake_show_u64, store_pressure, FIELD(pressure), .init = 1),
	CTL("cgroup.procs", BOTH, fake_list_pids, store_procs),
	CTL("cgroup.stat", BOTH, show_stat, NULL),
	CTL("cgroup.stat.local", CHILD, show_frozen_usec, NULL, SINCE(6, 18)),
	CTL("cgroup.subtree_control", BOTH, show_subtree_control, store_subtree_control),
	CTL("cgroup.threads", BOTH, fake_list_pids, store_threads),
	CTL("cgroup.type", CHILD, show_type, store_type),
	CTL("cpu.pressure", BOTH, show_pressure, NULL),
	CTL("cpu.stat", BOTH, fake_show_cpu_stat, NULL),
	CTL("cpu.stat.local", BOTH, fake_show_cpu_stat_local, NULL, SINCE(6, 12)),
	CTL("io.pressure", BOTH, show_pressure, NULL),
	CTL("memory.pressure", BOTH, show_pressure, NULL),
	{ .name = NULL },
};

const struct ctl_file fake_core_v1[] = {
	CTL("cgroup.clone_children", BOTH, fake_show_u64, fake_store_bool, FIELD(clone_children)),
	CTL("cgroup.procs", BOTH, fake_list_pids, store_procs),
	CTL("cgroup.sane_behavior", ROOT, fake_show_zero, NULL),
	CTL("notify_on_release", BOTH, fake_show_u64, fake_store_bool, FIELD(notify_on_release)),
	CTL("release_agent", ROOT, show_newline, NULL),
	CTL("tasks", BOTH, fake_list_pids, store_procs),
	{ .name = NULL },
};
