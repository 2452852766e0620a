/* SPDX-License-Identifier: MIT */
/*
 * tap.c - runs a table of tests, each as a cmocka group of its own, and prints TAP.
 *
 * A group each, because cmocka's own TAP has neither skip reasons nor lines that differ
 * from a test's output: here stdout and stderr are a memory file while a test runs, which goes
 * to the real stdout as comments when the test fails.  The tests run in a child, so that a crash
 * costs one test.  Knows nothing of cgroups.
 */
#include "tap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* What a child of a test ends with when a check fails in it, or when it crashes. */
#define TAP_CHILD_FAILED 99

enum phase { SETUP, BODY, TEARDOWN };

/* What the supervisor must know when the process that runs the tests is gone. */
struct progress {
	size_t running; /* index of the test that runs, or n: all done */
	size_t number;	/* its number in the plan */
	size_t failed;
};

/* cmocka has one test per process at a time, and so have we. */
static struct {
	const struct tap_test *test;
	enum phase phase;
	enum phase skipped_in;
	bool teardown_failed;
	char reason[256];
	FILE *out;
	int capture;
	pid_t runner; /* the process that runs the tests */
} now;

#ifdef __SANITIZE_ADDRESS__
#define ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ASAN 1
#endif
#endif

#ifdef ASAN
/* cmocka installs handlers of its own, which would hide the sanitizer's report. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "handle_segv=2:handle_sigbus=2:handle_sigfpe=2:handle_sigill=2:handle_abort=2:"
	       "detect_stack_use_after_return=1";
}
#endif

/*
 * cmocka catches a crash, and a failed assertion, by a jump into the frame of the test.  In a child
 * that the test has forked that frame belongs to the runner: without this the child would tear the
 * test down and run all that follow a second time.
 */
static void end_forked_child(void)
{
	if (getpid() != now.runner)
		_exit(TAP_CHILD_FAILED);
}

static int run_setup(void **state)
{
	now.phase = SETUP;
	return now.test->setup ? now.test->setup(state) : 0;
}

static void run_body(void **state)
{
	now.phase = BODY;
	now.test->fn(state);
}

static int run_teardown(void **state)
{
	int r;

	end_forked_child();
	now.phase = TEARDOWN;
	if (!now.test->teardown)
		return 0;

	now.teardown_failed = true; /* an assertion in it does not return */
	r = now.test->teardown(state);
	now.teardown_failed = r != 0;
	return r;
}

static struct {
	struct tap_test *test;
	size_t n;
} added;

void tap_add(const struct tap_test *test)
{
	added.test = realloc(added.test, (added.n + 1) * sizeof(*test));
	if (!added.test)
		abort();
	added.test[added.n++] = *test;
}

int tap_main_added(int argc, char **argv)
{
	return tap_main(argc, argv, added.test, added.n);
}

const char *check_where;

void check_failed(const char *file, int line, const char *fmt, ...)
{
	const char *slash = strrchr(file, '/');
	va_list ap;

	printf("%s:%d: ", slash ? slash + 1 : file, line);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("%s%s\n", check_where ? " -- " : "", check_where ? check_where : "");
	fflush(stdout);
	end_forked_child();
	_fail(file, line);
	abort(); /* _fail() has jumped */
}

void tap_skip(const char *why, ...)
{
	va_list ap;

	va_start(ap, why);
	vsnprintf(now.reason, sizeof(now.reason), why, ap);
	va_end(ap);
	now.skipped_in = now.phase;
	_skip(__FILE__, __LINE__);
	abort(); /* _skip() has jumped */
}

/* cmocka's frame around a group of one has no information. */
static bool is_frame(const char *line, size_t len)
{
	static const char *const frame[] = { "[======",		  "[ RUN ",    "[       OK",
					     "[  PASSED",	  "[  FAILED", " 1 FAILED",
					     "[  ERROR   ] --- [" };

	for (size_t i = 0; i < sizeof(frame) / sizeof(frame[0]); i++) {
		if (strncmp(line, frame[i], strlen(frame[i])) == 0)
			return true;
	}
	return len == 0;
}

static void put_comment(const char *text)
{
	while (*text) {
		size_t len = strcspn(text, "\n");

		if (!is_frame(text, len))
			fprintf(now.out, "# %.*s\n", (int)len, text);
		text += len;
		text += *text == '\n';
	}
}

void tap_note(const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	put_comment(text);
	fflush(now.out);
}

static void put_part(off_t from, size_t len)
{
	char text[32769];
	ssize_t n;

	n = pread(now.capture, text, len < sizeof(text) ? len : sizeof(text) - 1, from);
	if (n <= 0)
		return;

	text[n] = '\0';
	put_comment(text);
}

/* What was printed since the test began; why it failed is at the end. */
static void put_captured(void)
{
	enum { HEAD = 8192, TAIL = 24576 };
	off_t len = lseek(now.capture, 0, SEEK_END);

	if (len <= HEAD + TAIL) {
		put_part(0, HEAD + TAIL);
		return;
	}
	put_part(0, HEAD);
	tap_note("[%lld bytes are left out]", (long long)(len - HEAD - TAIL));
	put_part(len - TAIL, TAIL);
}

static bool run_one(const struct tap_test *test, size_t number)
{
	const struct CMUnitTest unit = { test->name, run_body, run_setup, run_teardown, test->arg };
	bool skipped;
	int failed;

	now.test = test;
	now.phase = SETUP;
	now.reason[0] = '\0';
	now.teardown_failed = false;
	if (ftruncate(now.capture, 0) < 0 || lseek(now.capture, 0, SEEK_SET) < 0)
		abort();

	failed = _cmocka_run_group_tests(test->name, &unit, 1, NULL, NULL);
	end_forked_child();
	fflush(stdout);

	/* cmocka calls a skip in setup a failure of setup. */
	skipped = now.reason[0] && (failed == 0 || now.skipped_in == SETUP);
	if (now.teardown_failed || (skipped && now.skipped_in == TEARDOWN))
		failed = 1;
	else if (skipped)
		failed = 0;

	fprintf(now.out, "%s %zu - %s", failed ? "not ok" : "ok", number, test->name);
	fprintf(now.out, skipped && !failed ? " # SKIP %s\n" : "\n", now.reason);
	if (failed)
		put_captured();
	fflush(now.out);
	return failed == 0;
}

/* Is @name wanted?  No glob wants everything; the last `!GLOB` that matches refuses. */
static bool wanted(const char *name, char **globs, int n)
{
	bool positive = false, want = false;

	for (int i = 0; i < n; i++) {
		if (globs[i][0] == '!') {
			if (fnmatch(globs[i] + 1, name, 0) == 0)
				return false;
			continue;
		}
		positive = true;
		if (fnmatch(globs[i], name, 0) == 0)
			want = true;
	}
	return want || !positive;
}

static size_t list(const struct tap_test *tests, size_t n, char **globs, int n_globs, FILE *out)
{
	size_t count = 0;

	for (size_t i = 0; i < n; i++) {
		if (!wanted(tests[i].name, globs, n_globs))
			continue;
		count++;
		if (out)
			fprintf(out, "%s\n", tests[i].name);
	}
	return count;
}

/* Points stdout and stderr at a memory file and keeps the real stdout. */
static int begin_capture(void)
{
	int fd;

	fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	if (fd < 0)
		return -errno;
	now.out = fdopen(fd, "w");
	if (!now.out)
		return -errno;
	now.capture = memfd_create("output", MFD_CLOEXEC);
	if (now.capture < 0 || dup2(now.capture, STDOUT_FILENO) < 0 ||
	    dup2(now.capture, STDERR_FILENO) < 0)
		return -errno;
	setvbuf(stdout, NULL, _IOLBF, 0); /* in order with stderr, and not lost in a crash */
	return 0;
}

/* The child: runs what is wanted from @first on. */
static void run_from(const struct tap_test *tests, size_t n, size_t first, char **globs,
		     int n_globs, struct progress *p)
{
	for (size_t i = first; i < n; i++) {
		if (!wanted(tests[i].name, globs, n_globs))
			continue;
		p->running = i;
		p->number++;
		if (!run_one(&tests[i], p->number))
			p->failed++;
	}
	p->running = n;
}

/* Runs the child once; prints what it died of when it did not come to the end. */
static int supervise(const struct tap_test *tests, size_t n, size_t first, char **globs,
		     int n_globs, struct progress *p)
{
	pid_t parent = getpid(), pid;
	int status;

	p->running = first;
	fflush(now.out);
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		prctl(PR_SET_CHILD_SUBREAPER, 1);
		if (getppid() != parent)
			_exit(2);
		now.runner = getpid();
		run_from(tests, n, first, globs, n_globs, p);
		fclose(now.out);
		now.out = NULL;
		exit(0); /* not _exit(): the leak checker works at exit */
	}

	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return -errno;
	}
	if (p->running == n && WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;

	p->failed++;
	if (p->running < n)
		fprintf(now.out, "not ok %zu - %s\n", p->number, tests[p->running].name);
	if (WIFSIGNALED(status))
		fprintf(now.out, "# died of signal %d (%s)\n", WTERMSIG(status),
			strsignal(WTERMSIG(status)));
	else
		fprintf(now.out, "# exited with status %d %s\n", WEXITSTATUS(status),
			p->running < n ? "in the test" : "after the last test");
	put_captured();
	return 0;
}

static int run(const struct tap_test *tests, size_t n, char **globs, int n_globs, size_t total)
{
	struct progress *p;
	size_t first = 0;
	int r;

	p = mmap(NULL, sizeof(*p), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return -errno;

	fprintf(now.out, "TAP version 13\n1..%zu\n", total);
	do {
		r = supervise(tests, n, first, globs, n_globs, p);
		first = p->running + 1;
	} while (r == 0 && p->number < total && first < n);

	if (r == 0)
		r = p->failed > 0;
	munmap(p, sizeof(*p));
	return r;
}

int tap_main(int argc, char **argv, const struct tap_test *tests, size_t n)
{
	char **globs = argv + 1;
	int n_globs = argc - 1, r;
	size_t total;

	if (n_globs > 0 && strcmp(globs[0], "--list") == 0) {
		list(tests, n, globs + 1, n_globs - 1, stdout);
		return 0;
	}
	if (n_globs > 0 && strncmp(globs[0], "--", 2) == 0) {
		fprintf(stderr, "usage: %s [--list] [GLOB | !GLOB]...\n", argv[0]);
		return 2;
	}

	total = list(tests, n, globs, n_globs, NULL);
	if (total == 0) {
		printf("TAP version 13\n1..0 # SKIP no test of that name\n");
		return 0;
	}

	cmocka_set_message_output(CM_OUTPUT_STDOUT);
	r = begin_capture();
	if (r == 0)
		r = run(tests, n, globs, n_globs, total);
	if (r < 0 && now.out)
		fprintf(now.out, "Bail out! %s\n", strerror(-r));
	if (now.out)
		fclose(now.out);
	return r < 0 ? 2 : r;
}
