// SPDX-License-Identifier: MIT
/*
 * puppet.c - see puppet.h.  Of its own memory it uses static pages only: what libc would allocate
 * is refused as well.
 */
#include "puppet.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define BLOCKS 128

static void *block[BLOCKS], *movable, *spare;
static size_t n_blocks;
static int file;

static void *map(size_t size)
{
	return mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static int take(void)
{
	void *p = map(MIB);

	if (p == MAP_FAILED || n_blocks == BLOCKS)
		return p == MAP_FAILED ? errno : ENOSPC;
	memset(p, 1, MIB);
	block[n_blocks++] = p;
	return 0;
}

static int take_page(void)
{
	void *p = map(4096);

	return p == MAP_FAILED || munmap(p, 4096) < 0 ? errno : 0;
}

static int heap(void)
{
	return sbrk(4096) == (void *)-1 || sbrk(-4096) == (void *)-1 ? errno : 0;
}

static int resize(size_t from, size_t to)
{
	void *p = mremap(movable, from, to, MREMAP_MAYMOVE);

	if (p == MAP_FAILED)
		return errno;
	movable = p;
	return 0;
}

static int try_fork(void)
{
	int status = 0;
	pid_t pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);

	if (pid == 0)
		_exit(7);
	if (pid < 0)
		return errno;
	return waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 7 ? 0 : ECHILD;
}

static int try_exec(void)
{
	char *argv[] = { (char *)"nothing", NULL }, *envp[] = { NULL };

	return (int)syscall(SYS_execveat, file, "", argv, envp, AT_EMPTY_PATH) < 0 ? errno : 0;
}

static int at_once(void *arg)
{
	return 0;
}

/* On a stack that is there already, so that only the thread can be refused. */
static int try_thread(void)
{
	static char stack[16384] __attribute__((aligned(16)));
	int status;
	pid_t pid = clone(at_once, stack + sizeof(stack), CLONE_VM | SIGCHLD, NULL);

	return pid < 0 || waitpid(pid, &status, 0) != pid ? errno : 0;
}

static int obey(enum puppet_op op)
{
	switch (op) {
	case PUPPET_TAKE:
		return take();
	case PUPPET_GIVE:
		return n_blocks && munmap(block[--n_blocks], MIB) == 0 ? 0 : EINVAL;
	case PUPPET_MAP:
		return take_page();
	case PUPPET_BRK:
		return heap();
	case PUPPET_GROW:
		return resize(4096, 65536) ?: resize(65536, 4096);
	case PUPPET_SHRINK:
		/* The first page of two that the process began with. */
		return mremap(spare, 8192, 4096, 0) == MAP_FAILED ? errno : 0;
	case PUPPET_FORK:
		return try_fork();
	case PUPPET_EXEC:
		return try_exec();
	case PUPPET_THREAD:
		return try_thread();
	case PUPPET_END:
		break;
	}
	return EINVAL;
}

static int live(void *arg)
{
	int fd = *(int *)arg, answer;
	enum puppet_op op;

	/* The locks of the policy are its parent's. */
	for (int i = 3; i < 1024; i++)
		if (i != fd)
			close(i);
	/* The kernel makes huge pages of small ones when it has the time, and charges them. */
	if (prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) < 0)
		return 1;
	movable = map(4096);
	spare = map(8192);
	file = memfd_create("puppet", MFD_CLOEXEC);
	if (movable == MAP_FAILED || spare == MAP_FAILED || file < 0 || fchmod(file, 0755) < 0 ||
	    write(file, "nothing that runs\n", 18) != 18)
		return 1;
	while (read(fd, &op, sizeof(op)) == sizeof(op) && op != PUPPET_END) {
		answer = obey(op);
		if (write(fd, &answer, sizeof(answer)) != sizeof(answer))
			return 1;
	}
	return 0;
}

struct puppet puppet_in(struct cgfs_group *g)
{
	struct puppet p;
	int pair[2];

	CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
	p.pid = extra_spawn(g, live, &pair[1]);
	p.fd = pair[0];
	close(pair[1]);
	return p;
}

int puppet(const struct puppet *p, enum puppet_op op)
{
	int answer = -1;

	CHECK(write(p->fd, &op, sizeof(op)) == sizeof(op));
	CHECK_MSG(read(p->fd, &answer, sizeof(answer)) == sizeof(answer), "process %d died",
		  (int)p->pid);
	return answer;
}

unsigned int puppet_fill(const struct puppet *p, unsigned int max)
{
	unsigned int n = 0;

	while (n < max && puppet(p, PUPPET_TAKE) == 0)
		n++;
	return n;
}

void puppet_end(struct puppet *p)
{
	enum puppet_op op = PUPPET_END;

	CHECK(write(p->fd, &op, sizeof(op)) == sizeof(op));
	CHECK_INT(extra_wait(p->pid), 0);
	close(p->fd);
}
