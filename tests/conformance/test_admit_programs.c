// SPDX-License-Identifier: MIT
/*
 * test_admit_programs.c - programs that take memory until there is none, side by side: without
 * admission the OOM killer ends them, with it they get an errno, give something back, and go on.
 * What it notes is the table of docs/memory.md.
 */
#include "extra.h"

#include "cgfs/base/util.h"

#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define LIMIT	   (32 * MIB)
#define BUDGET	   (24 * MIB)
#define MOST	   64 /* MiB that a program asks for */
#define ALLOCATION 16384

/* What a program reports before it ends, in memory that it shares with the test. */
struct told {
	int error;	  /* with which it was refused */
	unsigned int mib; /* that it had then */
	int again;	  /* the same asked after everything was given back */
};

static void *map(size_t size)
{
	return mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void maps(struct told *t)
{
	void *block[MOST];

	for (; t->mib < MOST; t->mib++) {
		block[t->mib] = map(MIB);
		if (block[t->mib] == MAP_FAILED) {
			t->error = errno;
			break;
		}
		memset(block[t->mib], 1, MIB);
	}
	for (unsigned int i = 0; i < t->mib; i++)
		munmap(block[i], MIB);
	t->again = map(MIB) == MAP_FAILED ? errno : 0;
}

static void grows_its_heap(struct told *t)
{
	for (; t->mib < MOST; t->mib++) {
		char *p = sbrk((intptr_t)MIB);

		if (p == (void *)-1) {
			t->error = errno;
			break;
		}
		memset(p, 1, MIB);
	}
	t->again = sbrk(-(intptr_t)(t->mib * MIB)) == (void *)-1 || sbrk(4096) == (void *)-1 ? errno
											     : 0;
}

static void grows_a_mapping(struct told *t)
{
	char *p = map(MIB), *next;

	if (p == MAP_FAILED)
		return;
	memset(p, 1, MIB);
	for (t->mib = 1; t->mib < MOST; t->mib++) {
		next = mremap(p, t->mib * MIB, (t->mib + 1) * MIB, MREMAP_MAYMOVE);
		if (next == MAP_FAILED) {
			t->error = errno;
			break;
		}
		p = next;
		memset(p + t->mib * MIB, 1, MIB);
	}
	p = mremap(p, t->mib * MIB, MIB, 0);
	t->again = p == MAP_FAILED || mremap(p, MIB, 2 * MIB, MREMAP_MAYMOVE) == MAP_FAILED ? errno
											    : 0;
}

struct allocator {
	pthread_t thread;
	void *block[MOST * MIB / ALLOCATION];
	unsigned int n;
	int error;
};

/* Small enough that each thread's come from a heap of its own, which it has reserved. */
static void *allocate(void *arg)
{
	struct allocator *a = arg;

	while (a->n < ARRAY_SIZE(a->block)) {
		char *p = malloc(ALLOCATION);

		if (!p) {
			a->error = errno;
			break;
		}
		memset(p, 1, ALLOCATION);
		a->block[a->n++] = p;
	}
	return NULL;
}

static void *ends(void *arg)
{
	return arg;
}

static void threads(struct told *t)
{
	static struct allocator a[4];
	size_t bytes = 0;

	/* What is freed goes back to the kernel: the library keeps as much as it had to free in one
	 * piece before, which is inherited from the test. */
	mallopt(M_TRIM_THRESHOLD, 128 << 10);
	for (size_t i = 0; i < ARRAY_SIZE(a); i++) {
		if (pthread_create(&a[i].thread, NULL, allocate, &a[i]) != 0)
			return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(a); i++) {
		pthread_join(a[i].thread, NULL);
		bytes += a[i].n * ALLOCATION;
		t->error = a[i].error;
	}
	t->mib = (unsigned int)(bytes / MIB);
	for (size_t i = 0; i < ARRAY_SIZE(a); i++) {
		while (a[i].n)
			free(a[i].block[--a[i].n]);
	}
	t->again = pthread_create(&a[0].thread, NULL, ends, NULL);
	if (!t->again)
		pthread_join(a[0].thread, NULL);
}

/* Has a mapping that is larger than the budget, and fills it between attempts to exec. */
static void execs(struct told *t)
{
	char *p = map(MOST * MIB), *argv[] = { (char *)"nothing", NULL }, *envp[] = { NULL };
	int fd = memfd_create("nothing", MFD_CLOEXEC);

	if (p == MAP_FAILED || fd < 0 || write(fd, "nothing\n", 8) != 8 || fchmod(fd, 0755) < 0)
		return;
	for (; t->mib < MOST; t->mib++) {
		syscall(SYS_execveat, fd, "", argv, envp, AT_EMPTY_PATH);
		if (errno != ENOEXEC) {
			t->error = errno;
			break;
		}
		memset(p + t->mib * MIB, 1, MIB);
	}
	madvise(p, MOST * MIB, MADV_DONTNEED);
	syscall(SYS_execveat, fd, "", argv, envp, AT_EMPTY_PATH);
	t->again = errno == ENOEXEC ? 0 : errno;
}

/* Each child has a MiB and waits.  The parent goes on when it has it, or was killed. */
static pid_t child(void)
{
	int pair[2];
	char c;
	pid_t pid;

	if (pipe(pair) < 0)
		return -1;
	pid = fork();
	if (pid == 0) {
		static char own[MIB];

		memset(own, 1, sizeof(own));
		if (write(pair[1], "", 1) == 1)
			close(pair[1]);
		for (;;)
			pause();
	}
	close(pair[1]);
	if (pid > 0)
		ignore((int)read(pair[0], &c, 1));
	close(pair[0]);
	return pid;
}

static void forks(struct told *t)
{
	pid_t pid[MOST];

	for (; t->mib < MOST; t->mib++) {
		pid[t->mib] = child();
		if (pid[t->mib] < 0) {
			t->error = errno;
			break;
		}
	}
	for (unsigned int i = 0; i < t->mib; i++)
		kill(pid[i], SIGKILL);
	for (unsigned int i = 0; i < t->mib; i++)
		waitpid(pid[i], NULL, 0);
	pid[0] = child();
	t->again = pid[0] < 0 ? errno : 0;
	if (pid[0] > 0) {
		kill(pid[0], SIGKILL);
		waitpid(pid[0], NULL, 0);
	}
}

/*
 * A real shell, whose jobs are real programs.  A shell that cannot fork ends the script, so that is
 * one in a shell that goes on: it ends the jobs, waits until they are gone, and forks.
 */
static const char script[] =
	"trap : TERM\n"
	"(n=0; while [ $n -lt 600 ]; do sleep 3600 & n=$((n+1)); done; exit 3) 2>/dev/null\n"
	"[ $? -ne 3 ] || exit 4\n"
	"kill 0\n"
	"while :; do n=0; while read p; do n=$((n+1)); done <\"$0\"; [ $n -le 1 ] && break; done\n"
	"(exit 7); [ $? -eq 7 ]\n";

static const struct program {
	const char *does;
	void (*run)(struct told *t);
	int error;
} programs[] = {
	{ "maps in a loop", maps, ENOMEM },
	{ "grows its heap (brk)", grows_its_heap, ENOMEM },
	{ "grows a mapping (mremap)", grows_a_mapping, ENOMEM },
	{ "four threads that allocate (malloc)", threads, ENOMEM },
	{ "fills what it has mapped, and execs", execs, ENOMEM },
	{ "forks in a loop", forks, EAGAIN },
};

struct run {
	const struct program *program;
	struct told *told;
};

static void need_no_swap(struct world *w)
{
	struct sysinfo si;

	if (sysinfo(&si) == 0 && si.totalswap)
		world_skip(w, "swap takes what would be killed for");
}

static int live(void *arg)
{
	const struct run *r = arg;

	for (int i = 3; i < 1024; i++)
		close(i);
	/* The kernel makes huge pages of small ones when it has the time, and charges them. */
	if (prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) < 0)
		return 1;
	r->program->run(r->told);
	return 0;
}

static bool has_admission(struct cgfs_group *pod)
{
	struct cgfs_resources res = CGFS_RESOURCES_INIT;
	bool has;

	res.set = CGFS_SET_MEMORY_ADMIT;
	res.memory_admit_bytes = 1024 * MIB;
	has = cgfs_group_set(pod, &res, NULL, NULL) == 0;
	res.memory_admit_bytes = CGFS_MAX;
	if (has)
		OK(cgfs_group_set(pod, &res, NULL, &err));
	return has;
}

static void describe(char *buf, size_t len, int status, uint64_t kills, const struct told *t)
{
	int n = snprintf(buf, len, "%s", kills ? "killed by the OOM killer" : "");

	if (WIFSIGNALED(status) || kills)
		return;
	snprintf(buf + n, len - (size_t)n, "%s at %u MiB, gives it back, goes on",
		 strerrorname_np(t->error), t->mib);
}

WORLD_TEST(admit_programs_side_by_side)
{
	struct cgfs *c = extra_context(w, WORLD_POLICY);
	struct cgfs_group *pod;
	struct told *told =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	world_need(w, CGFS_MEMORY);
	need_no_swap(w);
	CHECK(told != MAP_FAILED);
	pod = world_pod(w, c, "web", NULL);
	if (!has_admission(pod))
		world_skip(w, "no admission");
	world_note(w, "| program | without admission | with admission |");
	world_note(w, "|---|---|---|");
	for (size_t i = 0; i < ARRAY_SIZE(programs); i++) {
		struct run run = { &programs[i], told };
		char text[2][100];

		for (int with = 0; with < 2; with++) {
			struct cgfs_resources res = extra_memory(LIMIT);
			struct cgfs_group *ctr;
			uint64_t kills;
			int status;

			if (with) {
				res.set |= CGFS_SET_MEMORY_ADMIT;
				res.memory_admit_bytes = BUDGET;
			}
			memset(told, 0, sizeof(*told));
			ctr = world_container(w, pod, c, with ? "with" : "without", &res);
			status = extra_wait(extra_spawn(ctr, live, &run));
			kills = world_stat(ctr, CGFS_STAT_OOM_KILLS);
			CHECK_MSG(
				(kills == 0) == (with != 0),
				"%s, %s admission: %llu OOM kills, status %#x, errno %d at %u MiB",
				programs[i].does, with ? "with" : "without",
				(unsigned long long)kills, (unsigned int)status, told->error,
				told->mib);
			if (with) {
				CHECK_INT(status, 0);
				CHECK_INT(told->error, programs[i].error);
				CHECK_INT(told->again, 0);
				CHECK_MSG(told->mib > 8 && told->mib <= 24, "%s: %u MiB",
					  programs[i].does, told->mib);
			}
			describe(text[with], sizeof(text[with]), status, kills, told);
			world_destroy(w, ctr);
		}
		world_note(w, "| %s | %s | %s |", programs[i].does, text[0], text[1]);
	}
}

static int run_shell(void *arg)
{
	setsid();
	execl("/bin/sh", "sh", "-c", script, (char *)arg, (char *)NULL);
	return 5;
}

WORLD_TEST(admit_shell_side_by_side)
{
	struct cgfs *c = extra_context(w, WORLD_POLICY);
	struct cgfs_group *pod, *ctr;
	char procs[512];

	world_need(w, CGFS_MEMORY);
	need_no_swap(w);
	pod = world_pod(w, c, "web", NULL);
	if (!has_admission(pod))
		world_skip(w, "no admission");
	for (int with = 0; with < 2; with++) {
		struct cgfs_resources res = extra_memory(12 * MIB);
		int status;

		if (with) {
			res.set |= CGFS_SET_MEMORY_ADMIT;
			res.memory_admit_bytes = 6 * MIB;
		}
		ctr = world_container(w, pod, c, with ? "with" : "without", &res);
		snprintf(procs, sizeof(procs), "%s%s/cgroup.procs", w->ops->mount(w, CGFS_MEMORY),
			 cgfs_group_path(ctr));
		status = extra_wait(extra_spawn(ctr, run_shell, procs));
		CHECK((world_stat(ctr, CGFS_STAT_OOM_KILLS) == 0) == (with != 0));
		if (with) {
			CHECK_INT(status, 0);
			CHECK(world_stat(ctr, CGFS_STAT_ADMIT_FORKS) +
				      world_stat(ctr, CGFS_STAT_ADMIT_MAPS) >
			      0);
		}
		world_destroy(w, ctr);
	}
	world_note(w, "| a shell that starts jobs | killed by the OOM killer | "
		      "cannot fork, ends its jobs, goes on |");
}

/* A server of Debian's; `make admit-table` puts it into the guest. */
#define SERVER "/usr/bin/memcached"
#define ITEM   65536

static int serve(void *path)
{
	for (int i = 3; i < 1024; i++)
		close(i);
	if (prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) < 0)
		return 1;
	/* More memory than there is; an item that finds none is refused, and no other is dropped.
	 */
	execl(SERVER, "memcached", "-u", "root", "-m", "1024", "-M", "-s", (char *)path,
	      (char *)NULL);
	return 5;
}

/* A client; it comes as soon as the server listens. */
static int client(pid_t server, const char *path)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	siginfo_t si = { 0 };

	CHECK(fd >= 0);
	snprintf(at.sun_path, sizeof(at.sun_path), "%s", path);
	while (connect(fd, (struct sockaddr *)&at, sizeof(at)) < 0) {
		CHECK_MSG(errno == ENOENT || errno == ECONNREFUSED, "%s: %m", path);
		CHECK_INT(waitid(P_PID, (id_t)server, &si, WEXITED | WNOHANG | WNOWAIT), 0);
		CHECK_MSG(!si.si_pid, "%s has ended: %d", SERVER, si.si_status);
		usleep(10000);
	}
	return fd;
}

/* Sends, and reads an answer that ends with one of these lines: "" when there is none. */
static const char *answer(int fd, const char *request, size_t len)
{
	static const char *const last[] = { "STORED", "END", "SERVER_ERROR", "DELETED" };
	static char text[2 * ITEM];
	size_t n = 0;

	while (len) {
		ssize_t sent = send(fd, request, len, MSG_NOSIGNAL);

		if (sent <= 0)
			return "";
		request += sent;
		len -= (size_t)sent;
	}
	while (n < sizeof(text) - 1) {
		ssize_t got = recv(fd, text + n, sizeof(text) - 1 - n, 0);
		char *line;

		if (got <= 0)
			return "";
		n += (size_t)got;
		text[n] = '\0';
		if (n < 2 || strcmp(text + n - 2, "\r\n") != 0)
			continue;
		text[n - 2] = '\0';
		line = strrchr(text, '\n');
		for (size_t i = 0; i < ARRAY_SIZE(last); i++) {
			if (strncmp(line ? line + 1 : text, last[i], strlen(last[i])) == 0)
				return text;
		}
		text[n - 2] = '\r';
	}
	return "";
}

static const char *store(int fd, unsigned int key)
{
	static char request[ITEM + 64];
	int n = snprintf(request, sizeof(request), "set k%u 0 0 %d\r\n", key, ITEM);

	memset(request + n, 'a' + (int)(key % 26), ITEM);
	request[n + ITEM] = '\r';
	request[n + ITEM + 1] = '\n';
	return answer(fd, request, (size_t)n + ITEM + 2);
}

static bool finds(int fd, unsigned int key)
{
	char request[32], head[48];
	int n = snprintf(request, sizeof(request), "get k%u\r\n", key);
	const char *got = answer(fd, request, (size_t)n);
	int len = snprintf(head, sizeof(head), "VALUE k%u 0 %d\r\n%c", key, ITEM,
			   'a' + (int)(key % 26));

	return strncmp(got, head, (size_t)len) == 0;
}

/* It answers both clients, and a place that becomes free is used again. */
static void goes_on(const int fd[2], unsigned int items)
{
	static const char delete[] = "delete k1\r\n";

	for (unsigned int i = 0; i < items; i++)
		CHECK_MSG(finds(fd[i & 1], i), "item %u of %u", i, items);
	CHECK(strncmp(store(fd[1], items + 1), "SERVER_ERROR", 12) == 0);
	CHECK_STR(answer(fd[0], delete, sizeof(delete) - 1), "DELETED");
	CHECK_STR(store(fd[1], items + 2), "STORED");
	CHECK(finds(fd[0], items + 2));
}

WORLD_TEST(admit_server_side_by_side)
{
	struct cgfs *c = extra_context(w, WORLD_POLICY);
	struct cgfs_group *pod, *ctr;
	char path[64], what[80] = "";

	world_need(w, CGFS_MEMORY);
	need_no_swap(w);
	if (access(SERVER, X_OK) < 0)
		world_skip(w, "%s is not here", SERVER);
	pod = world_pod(w, c, "web", NULL);
	if (!has_admission(pod))
		world_skip(w, "no admission");
	snprintf(path, sizeof(path), "/tmp/memcached.%d", (int)getpid());
	for (int with = 0; with < 2; with++) {
		struct cgfs_resources res = extra_memory(LIMIT);
		unsigned int n = 0;
		const char *got;
		pid_t server;
		int fd[2];

		if (with) {
			res.set |= CGFS_SET_MEMORY_ADMIT;
			res.memory_admit_bytes = BUDGET;
		}
		ctr = world_container(w, pod, c, with ? "with" : "without", &res);
		server = extra_spawn(ctr, serve, path);
		fd[0] = client(server, path);
		fd[1] = client(server, path);
		while (strcmp(got = store(fd[n & 1], n), "STORED") == 0 && n < MOST * MIB / ITEM)
			n++;
		CHECK((world_stat(ctr, CGFS_STAT_OOM_KILLS) == 0) == (with != 0));
		CHECK_MSG(n > 8 * MIB / ITEM, "only %u items: %s", n, got);
		if (with) {
			snprintf(what, sizeof(what), "%s", got);
			CHECK_MSG(strncmp(what, "SERVER_ERROR", 12) == 0, "%s", what);
			goes_on(fd, n);
			CHECK_INT(world_stat(ctr, CGFS_STAT_OOM_KILLS), 0);
			CHECK_INT(kill(server, SIGKILL), 0);
			world_note(w,
				   "| memcached, whose clients store more and more | killed by the "
				   "OOM killer, and all that it had is lost | \"%s\" at %zu MiB; "
				   "serves what it has to all clients |",
				   what, n * ITEM / (size_t)MIB);
		}
		CHECK(WIFSIGNALED(extra_wait(server)));
		close(fd[0]);
		close(fd[1]);
		CHECK_INT(unlink(path), 0);
		world_destroy(w, ctr);
	}
}
