// SPDX-License-Identifier: MIT
/*
 * process.c - simulated processes: where they are, how they begin and how they end.
 *
 * A process of the machine can be joined too.  It is a member like any other; it leaves when it
 * is gone or a zombie (noticed at the next call), and what kills it here sends it SIGKILL, if
 * it is a descendant of this process.  Anything else is never signalled.
 */
#include "host.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

/* -- processes of the machine ----------------------------------------------------------------- */

static bool real_exists(pid_t pid)
{
	siginfo_t info = { 0 };

	if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == pid)
		return false; /* our child, and a zombie */
	return kill(pid, 0) == 0 || errno == EPERM;
}

static pid_t parent_of(pid_t pid)
{
	char path[64], text[512], *p;
	int ppid = 0;
	size_t n;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	f = fopen(path, "re");
	if (!f)
		return 0;
	n = fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	text[n] = '\0';
	p = strrchr(text, ')');
	if (!p || sscanf(p + 1, " %*c %d", &ppid) != 1)
		return 0;
	return ppid;
}

static bool is_descendant(pid_t pid)
{
	for (pid = parent_of(pid); pid > 1; pid = parent_of(pid)) {
		if (pid == getpid())
			return true;
	}
	return false;
}

/* -- the list --------------------------------------------------------------------------------- */

struct process *fake_process(const struct fake *f, pid_t pid)
{
	for (struct process *p = f->procs; p && p->pid <= pid; p = p->next) {
		if (p->pid == pid)
			return p;
	}
	return NULL;
}

/* @by more (or fewer) processes in @n; cgroup.events changes with the first and the last. */
static void population(struct node *n, int by)
{
	n->procs += (size_t)by;
	for (; n; n = n->parent) {
		bool before = n->procs_below != 0;

		n->procs_below += (size_t)by;
		if (before != (n->procs_below != 0))
			fake_notify_name(n, "cgroup.events");
	}
}

static struct process *add(struct fake *f, pid_t pid)
{
	struct process *p = fake_alloc(sizeof(*p)), **link = &f->procs;

	p->pid = pid;
	while (*link && (*link)->pid < pid)
		link = &(*link)->next;
	p->next = *link;
	*link = p;
	return p;
}

static void enter(struct process *p, struct node *n)
{
	p->in[n->h - n->host->h] = n;
	population(n, 1);
	fake_pids_joined(n);
}

static struct process *add_to_roots(struct fake *f, pid_t pid)
{
	struct process *p = add(f, pid);

	for (size_t i = 0; i < f->n_h; i++)
		enter(p, f->h[i].root);
	return p;
}

static void remove_process(struct fake *f, struct process *p)
{
	struct process **link = &f->procs;

	fake_mem_release(f, p);
	fake_huge_release(p);
	for (size_t i = 0; i < f->n_h; i++)
		population(p->in[i], -1);
	while (*link != p)
		link = &(*link)->next;
	*link = p->next;
	free(p->charges);
	free(p);
}

void fake_processes_free(struct fake *f)
{
	while (f->procs)
		remove_process(f, f->procs);
}

/* -- ends ------------------------------------------------------------------------------------- */

static bool frozen_v1(const struct fake *f, const struct process *p)
{
	struct node *n = fake_node_of(p, fake_hierarchy(f, CGFS_FREEZER));

	return n && fake_node_frozen(n);
}

void fake_kill_process(struct fake *f, struct process *p)
{
	if (p->dying)
		return;
	if (p->real) {
		if (is_descendant(p->pid))
			kill(p->pid, SIGKILL);
		remove_process(f, p);
		return;
	}
	/* v1's freezer keeps even the killed; cgroup2's lets them go. */
	p->killed = true;
	if (frozen_v1(f, p))
		return;
	p->dying = true;
	p->gone_at = f->now + f->exit_delay;
	if (f->exit_delay == 0)
		remove_process(f, p);
}

static bool below(const struct node *n, const struct node *top)
{
	while (n && n != top)
		n = n->parent;
	return n != NULL;
}

void fake_kill_subtree(struct node *n)
{
	struct process *next;

	for (struct process *p = n->host->procs; p; p = next) {
		next = p->next;
		if (below(fake_node_of(p, n->h), n))
			fake_kill_process(n->host, p);
	}
}

void fake_reap(struct fake *f)
{
	struct process *next;

	for (struct process *p = f->procs; p; p = next) {
		next = p->next;
		if (p->real ? !real_exists(p->pid) : p->dying && p->gone_at <= f->now)
			remove_process(f, p);
		else if (p->killed && !p->dying)
			fake_kill_process(f, p);
	}
}

int fake_signal(struct fake *f, pid_t pid, int sig)
{
	struct process *p = fake_process(f, pid);

	if (sig < 0 || sig > SIGRTMAX)
		return -EINVAL;
	if (!p && pid > 0 && pid < FAKE_PID_FIRST && real_exists(pid)) {
		if (sig != 0 && !is_descendant(pid))
			return -EPERM;
		return kill(pid, sig) < 0 ? -errno : 0;
	}
	if (!p)
		return -ESRCH;
	if (p->real && sig != 0 && sig != SIGKILL)
		return is_descendant(pid) && kill(pid, sig) == 0 ? 0 : -EPERM;
	switch (sig) {
	case 0:
	case SIGSTOP:
	case SIGCONT:
	case SIGCHLD:
	case SIGWINCH:
	case SIGURG:
		return 0;
	default: /* simulated processes have no handlers */
		fake_kill_process(f, p);
		return 0;
	}
}

/* -- cgroup.procs ----------------------------------------------------------------------------- */

/* v2: the mover needs permission in the cgroup above both. */
static int may_move(const struct node *from, const struct node *to)
{
	const struct node *above = to;

	if (to->h->version != CGFS_V2)
		return 0;
	while (!below(from, above))
		above = above->parent;
	return fake_node_may_write(above, "cgroup.procs");
}

int fake_join(struct node *n, pid_t pid, int (*vet)(const struct node *n))
{
	struct fake *f = n->host;
	struct process *p;
	struct node *old;
	int r;

	if (pid == 0)
		pid = getpid();
	p = fake_process(f, pid);
	if (!p && (pid >= FAKE_PID_FIRST || !real_exists(pid)))
		return -ESRCH;
	if (p && p->dying)
		return -ESRCH;
	if (p && fake_node_of(p, n->h) == n)
		return 0;
	r = vet(n);
	if (r == 0)
		r = may_move(p ? fake_node_of(p, n->h) : n->h->root, n);
	if (r < 0)
		return r;
	if (!p) {
		p = add_to_roots(f, pid);
		p->real = true;
	}
	old = fake_node_of(p, n->h);
	if (old == n)
		return 0;
	enter(p, n);
	population(old, -1);
	fake_reap(f); /* a killed process that left a frozen cgroup */
	return 0;
}

int fake_list_pids(const struct open_file *file, FILE *out)
{
	const struct node *n = file->node;

	for (struct process *p = n->host->procs; p; p = p->next) {
		if (fake_node_of(p, n->h) == n)
			fprintf(out, "%d\n", (int)p->pid);
	}
	return 0;
}

/* -- /proc/PID/cgroup ------------------------------------------------------------------------- */

int fake_proc_path(const struct fake *f, const char *path)
{
	int pid = 0, used = 0;

	if (strcmp(path, "/proc/self/cgroup") == 0 || strcmp(path, "/proc/thread-self/cgroup") == 0)
		return getpid();
	if (sscanf(path, "/proc/%d/cgroup%n", &pid, &used) != 1 || !used || path[used] || pid <= 0)
		return -ENOENT;
	if (!fake_process(f, pid) && (pid >= FAKE_PID_FIRST || !real_exists(pid)))
		return -ENOENT;
	return pid;
}

/* A process of the machine that never joined is in the roots. */
static int show_cgroups(const struct open_file *file, FILE *out)
{
	const struct fake *f = file->node->host;
	const struct process *p = fake_process(f, file->pid);
	char path[4096];

	if (!p && (file->pid >= FAKE_PID_FIRST || !real_exists(file->pid)))
		return -ESRCH;
	for (size_t i = f->n_h; i-- > 0;) {
		const struct hierarchy *h = &f->h[i];

		fake_node_path(p ? p->in[i] : h->root, path, sizeof(path));
		if (h->version == CGFS_V2)
			fprintf(out, "0::%s\n", path);
		else
			fprintf(out, "%zu:%s:%s\n", i + 1,
				fake_controllers[__builtin_ctz(h->controllers)]->v1_name, path);
	}
	return 0;
}

const struct ctl_file fake_proc_cgroup = { .name = "cgroup", .read = show_cgroups };

/* Not in the tree either: the files that a delegation of a cgroup2 directory includes. */
static int show_delegate(const struct open_file *file, FILE *out)
{
	fputs("cgroup.procs\ncgroup.threads\ncgroup.subtree_control\n"
	      "memory.oom.group\nmemory.reclaim\n",
	      out);
	return 0;
}

const struct ctl_file fake_sys_delegate = { .name = "delegate", .read = show_delegate };

/* -- what tests make happen ------------------------------------------------------------------- */

pid_t fake_spawn(struct fake *f)
{
	return add_to_roots(f, f->next_pid++)->pid;
}

pid_t fake_fork(struct fake *f, pid_t parent)
{
	struct node *pids_of_parent;
	struct process *p, *child;
	struct hierarchy *h = fake_hierarchy(f, CGFS_PIDS);
	int r;

	fake_reap(f);
	p = fake_process(f, parent);
	if (!p || p->dying || fake_frozen(f, parent))
		return -ESRCH;
	pids_of_parent = fake_node_of(p, h);
	r = pids_of_parent ? fake_pids_may_fork(pids_of_parent) : 0;
	if (r < 0)
		return r;
	child = add(f, f->next_pid++);
	for (size_t i = 0; i < f->n_h; i++)
		enter(child, p->in[i]);
	return child->pid;
}

void fake_exit(struct fake *f, pid_t pid)
{
	struct process *p = fake_process(f, pid);

	if (p)
		remove_process(f, p);
}

bool fake_alive(const struct fake *f, pid_t pid)
{
	const struct process *p = fake_process(f, pid);

	return p && (!p->real || real_exists(pid));
}

bool fake_frozen(const struct fake *f, pid_t pid)
{
	const struct process *p = fake_process(f, pid);

	for (size_t i = 0; p && i < f->n_h; i++) {
		if (fake_node_frozen(p->in[i]))
			return true;
	}
	return false;
}

int fake_device(struct fake *f, pid_t pid, enum cgfs_device_type type, int32_t major, int32_t minor,
		uint32_t access)
{
	struct process *p = fake_process(f, pid);
	struct node *v1;

	if (!p)
		return -ESRCH;
	/* As devcgroup_check_permission(): the program first, so that it sees every denial. */
	if (!fake_policy_allows(f, p, type, major, minor, access))
		return -EPERM;
	v1 = fake_node_of(p, fake_hierarchy(f, CGFS_DEVICES));
	return !v1 || fake_dev_allowed(v1, type, major, minor, access) ? 0 : -EPERM;
}
