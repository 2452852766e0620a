// SPDX-License-Identifier: MIT
/*
 * main.c - the table of worlds x tests, and the runner: one process for each test.
 *
 *	conformance [--world NAME]... [--list] [GLOB | !GLOB]...
 *
 * NAME is fake-v1, fake-hybrid, fake-mixed, fake-v2 (each with three kernels), fake-v2-6.12 and
 * so on, or live.  A test is called WORLD/NAME; a glob without a slash is for NAME alone, and
 * fake-v2/NAME stands for its three kernels.  Without --world: all fakes, then, as root, the
 * running kernel; inside a test guest (CGFS_TEST_GUEST is set) the running kernel alone, because
 * the fakes are the same everywhere.
 */
#include "world.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/tap.h"

/* A test that hangs is ended, and fails, after so long; CGFS_TEST_HANG overrides it. */
#define HANG_S 1200 /* waits for ever: no loaded machine takes as long */

#define FAKE(layout, l, kernel, k)                                                                 \
	{                                                                                          \
		"fake-" layout "-" kernel, "fake-" layout, CGFS_LAYOUT_##l, FAKE_KERNEL_##k, false \
	}
#define FAKES(layout, l)                                                                           \
	FAKE(layout, l, "6.1", 6_1), FAKE(layout, l, "6.12", 6_12), FAKE(layout, l, "7.2", 7_2)

static const struct world_kind kinds[] = {
	FAKES("v1", V1),
	FAKES("hybrid", HYBRID),
	FAKES("mixed", MIXED),
	FAKES("v2", V2),
	{ "live", "live", CGFS_LAYOUT_NONE, { 0, 0 }, true },
	/* The same without a policy, and without the cgroup2 tree that carries it. */
	{ "live-files", "live-files", CGFS_LAYOUT_NONE, { 0, 0 }, true },
};
#define N_KINDS (sizeof(kinds) / sizeof(kinds[0]))

static struct {
	struct world_test *test;
	size_t n;
} all;

void world_add(const struct world_test *test)
{
	all.test = realloc(all.test, (all.n + 1) * sizeof(*test));
	if (!all.test)
		abort();
	all.test[all.n++] = *test;
}

struct entry {
	const struct world_kind *kind;
	const struct world_test *test;
};

/* A signal ends the run; the test under way is swept away first. */
static volatile sig_atomic_t ending;

static void on_signal(int sig)
{
	ending = sig;
}

/* Also when the frame of the program, our parent, is killed: something may have to be swept. */
static void watch_signals(void)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP };

	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		signal(signals[i], on_signal);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
}

static void forget_signals(void)
{
	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	signal(SIGHUP, SIG_DFL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
}

/* What the test's process reported. */
struct outcome {
	char skip[600];
	int status;
	bool hung;
};

static void run_child(const struct entry *e, const struct kit *kit, int report_fd)
{
	struct world w = {
		.kind = e->kind,
		.ops = e->kind->live ? &world_live_ops : &world_fake_ops,
		.root = kit->root,
		.scratch = kit->dir,
		.pin_dir = kit->pins,
		.kit = kit,
		.report_fd = report_fd,
	};

	world_open(&w);
	e->test->fn(&w);
	world_close(&w);
}

static void read_report(FILE *f, struct outcome *o)
{
	char line[600];

	while (fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		if (line[0] == 'S')
			snprintf(o->skip, sizeof(o->skip), "%s", line + 1);
		else if (line[0] == 'N')
			tap_note("%s", line + 1);
	}
}

static unsigned int hang_s(void)
{
	const char *text = getenv("CGFS_TEST_HANG");

	return text ? (unsigned int)strtoul(text, NULL, 10) : HANG_S;
}

/* The report ends when the test's process does: no other process holds the pipe's other end for
 * long, and one that does is swept away afterwards. */
static void wait_for(pid_t pid, struct outcome *o)
{
	struct pollfd p = { .fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN };
	uint64_t end = world_now_ms() + hang_s() * 1000u;

	CHECK(p.fd >= 0);
	/* In pieces, because a signal may come just before the call. */
	while (poll(&p, 1, 200) <= 0 && !ending && world_now_ms() < end)
		;
	if (waitpid(pid, &o->status, WNOHANG) == 0) {
		o->hung = !ending;
		kill(pid, SIGKILL);
		waitpid(pid, &o->status, 0);
	}
	close(p.fd);
}

static void run(void **state)
{
	const struct entry *e = *state;
	char left[2048] = "";
	struct outcome o = { 0 };
	bool dirty = false;
	struct kit kit;
	int fds[2];
	pid_t pid;
	FILE *f;

	kit_name(&kit, "/dev");
	watch_signals();
	CHECK_INT(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
	fflush(stdout);
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		forget_signals();
		close(fds[0]);
		run_child(e, &kit, fds[1]);
		exit(0); /* with a leak check, under a sanitizer */
	}
	close(fds[1]);
	wait_for(pid, &o);
	if (e->kind->live)
		dirty = kit_sweep(&kit, left, sizeof(left));
	if (ending) {
		signal(ending, SIG_DFL);
		raise(ending);
	}
	f = fdopen(fds[0], "r");
	CHECK(f);
	read_report(f, &o);
	fclose(f);

	CHECK_MSG(!o.hung, "no end after %u s", hang_s());
	CHECK_MSG(!WIFSIGNALED(o.status), "ended by signal %d", WTERMSIG(o.status));
	CHECK_MSG(WEXITSTATUS(o.status) == 0, "ended with status %d", WEXITSTATUS(o.status));
	CHECK_MSG(!dirty, "left behind:%s", left);
	if (o.skip[0])
		tap_skip("%s", o.skip);
}

/* -- the command line ------------------------------------------------------------------------- */

static bool want_world(const struct world_kind *k, char **names, size_t n)
{
	const char *layout = getenv("CGFS_TEST_LAYOUT"), *kernel = getenv("CGFS_TEST_KERNEL");

	for (size_t i = 0; i < n; i++) {
		if (strcmp(names[i], k->name) == 0 || strcmp(names[i], k->group) == 0)
			return true;
	}
	if (n > 0)
		return false;
	/* Elsewhere the tree is there anyway, or needed for memory. */
	if (strcmp(k->name, "live-files") == 0)
		return layout && strcmp(layout, "v1") == 0 && kernel &&
		       strncmp(kernel, "6.1.", 4) == 0;
	if (getenv("CGFS_TEST_GUEST"))
		return k->live;
	return !k->live || geteuid() == 0;
}

static bool known_world(const char *name)
{
	for (size_t i = 0; i < N_KINDS; i++) {
		if (strcmp(name, kinds[i].name) == 0 || strcmp(name, kinds[i].group) == 0)
			return true;
	}
	return false;
}

/* "pod_*" is every world's; "fake-v2/pod_*" is each of its kernels'. */
static char *expand(const char *glob)
{
	const char *not = *glob == '!' ? "!" : "", *name = glob + strlen(not );
	const char *slash = strchr(name, '/'), *kernels = "";
	char *out = NULL;
	int r;

	for (size_t i = 0; slash && i < N_KINDS; i++) {
		size_t n = strlen(kinds[i].group);

		if (!kinds[i].live && (size_t)(slash - name) == n &&
		    strncmp(name, kinds[i].group, n) == 0)
			kernels = "-*";
	}
	if (!slash)
		r = asprintf(&out, "%s*/%s", not, name);
	else
		r = asprintf(&out, "%s%.*s%s%s", not, (int)(slash - name), name, kernels, slash);
	if (r < 0)
		abort();
	return out;
}

static size_t fill(struct tap_test *tests, struct entry *entries, char **worlds, size_t n_worlds)
{
	size_t n = 0;

	for (size_t k = 0; k < N_KINDS; k++) {
		if (!want_world(&kinds[k], worlds, n_worlds))
			continue;
		for (const struct world_test *t = all.test; t < all.test + all.n; t++) {
			char *name;

			/* No kernel can be made to fail. */
			if (kinds[k].live && strncmp(t->name, "fault_", 6) == 0)
				continue;
			/* No simulated kernel runs programs. */
			if (strncmp(t->name, "charge_", 7) == 0 &&
			    strcmp(kinds[k].name, "live") != 0)
				continue;
			if (asprintf(&name, "%s/%s", kinds[k].name, t->name) < 0)
				abort();
			entries[n] = (struct entry){ &kinds[k], t };
			tests[n] = (struct tap_test){ .name = name, .fn = run, .arg = &entries[n] };
			n++;
		}
	}
	return n;
}

int main(int argc, char **argv)
{
	struct tap_test *tests = calloc(all.n * N_KINDS, sizeof(*tests));
	struct entry *entries = calloc(all.n * N_KINDS, sizeof(*entries));
	char **args = calloc((size_t)argc + 2, sizeof(*args));
	char **worlds = calloc((size_t)argc + 1, sizeof(*worlds));
	size_t n_worlds = 0, n;
	int n_args = 0, r;

	if (!tests || !entries || !args || !worlds)
		abort();
	args[n_args++] = argv[0];
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--world") == 0 && i + 1 < argc) {
			if (!known_world(argv[++i])) {
				fprintf(stderr, "%s: no world \"%s\"\n", argv[0], argv[i]);
				return 2;
			}
			worlds[n_worlds++] = argv[i];
		} else if (strncmp(argv[i], "--", 2) == 0) {
			args[n_args++] = argv[i];
		} else {
			args[n_args++] = expand(argv[i]);
		}
	}
	if (n_worlds == 0 && geteuid() != 0 && !(argc > 1 && strcmp(argv[1], "--list") == 0))
		printf("# not root: the running kernel is left out, the fake hosts remain\n");
	fflush(stdout);
	/* Orphans of a test that failed come to us, and are reaped by the sweep. */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	n = fill(tests, entries, worlds, n_worlds);
	r = tap_main(n_args, args, tests, n);
	for (size_t i = 0; i < n; i++)
		free((char *)tests[i].name);
	for (int i = 1; i < n_args; i++) {
		if (args[i][0] != '-' || args[i][1] != '-')
			free(args[i]);
	}
	free(worlds);
	free(args);
	free(entries);
	free(tests);
	return r;
}
