// SPDX-License-Identifier: MIT
/*
 * test_tap.c - the frame of the test programs itself: what a child of a test does when it fails.
 */
#include "tests/tap.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static struct {
	pid_t runner;
	int torn_down_elsewhere;
} * shared;

static int setup(void **state)
{
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	if (shared == MAP_FAILED)
		return -1;
	shared->runner = getpid();
	return 0;
}

static int teardown(void **state)
{
	if (getpid() != shared->runner)
		shared->torn_down_elsewhere++;
	return 0;
}

/* The child must end where it failed, and must not come back as a second runner. */
static void child_ends(void (*break_down)(void))
{
	int status;
	pid_t pid = fork();

	CHECK(pid != -1);
	if (pid == 0) {
		break_down();
		_exit(0);
	}
	CHECK_INT(waitpid(pid, &status, 0), pid);
	CHECK(WIFSIGNALED(status) || WEXITSTATUS(status) != 0);
	CHECK_INT(shared->torn_down_elsewhere, 0);
}

static void crash(void)
{
	raise(SIGSEGV);
}

static void claim(void)
{
	CHECK_INT(1, 2);
}

TAP_TEST(child_that_crashes_ends, .setup = setup, .teardown = teardown)
{
	child_ends(crash);
}

TAP_TEST(child_whose_check_fails_ends, .setup = setup, .teardown = teardown)
{
	child_ends(claim);
}
