/* SPDX-License-Identifier: MIT */
/*
 * test_refusal.c - kernels that refuse eBPF, or have no BTF: what library, agent and podctl do
 * and say.
 *
 * No such kernel is packaged, so bpf(2) is made to fail by a seccomp filter in the process that
 * calls it, with the error that such a kernel gives; and /sys/kernel/btf is hidden.  Devices are
 * then kept by v1's controller where it is mounted, and where it is not, nothing is made whose
 * devices nothing would enforce.
 */

#include <stdio.h>

#if CGFS_WITH_BPF

#include <cgfs/bpf.h>
#include <cgfs/cgfs.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "cgfs/base/util.h"
#include "world.h"

struct fault {
	const char *name;
	int error;	  /* of bpf(2); 0: it works */
	bool load_only;	  /* only programs are refused, as without CONFIG_CGROUP_BPF */
	bool no_btf;	  /* the kernel does not describe its types */
	int open_code;	  /* of cgfs_bpf_open() */
	const char *says; /* what every message about it contains */
};

static const struct fault no_bpf = { "no CONFIG_BPF_SYSCALL", ENOSYS, false, false, -EOPNOTSUPP,
				     "CONFIG_CGROUP_BPF" };
static const struct fault no_cgroup_bpf = {
	"no CONFIG_CGROUP_BPF", EINVAL, true, false, -EOPNOTSUPP, "CONFIG_CGROUP_BPF"
};
static const struct fault forbidden = { "not permitted", EPERM, false, false, -EPERM, "CAP_BPF" };
static const struct fault no_btf = { "no BTF", 0, false, true, 0, "CONFIG_DEBUG_INFO_BTF" };

/* --- the faults ------------------------------------------------------------------------------- */

static int refuse_bpf(int error, bool load_only)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_bpf, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, BPF_PROG_LOAD, 0, load_only ? 1 : 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned int)error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { ARRAY_SIZE(filter), filter };

	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) < 0 ? -errno : 0;
}

static int hide_btf(void)
{
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("none", "/sys/kernel/btf", "tmpfs", 0, NULL) < 0)
		return -errno;
	return 0;
}

static const struct fault *wanted; /* of the test that runs */

/* In a child; for good. */
static void inject(void)
{
	int r = 0;

	if (wanted->no_btf)
		r = hide_btf();
	if (r == 0 && wanted->error)
		r = refuse_bpf(wanted->error, wanted->load_only);
	if (r < 0) {
		printf("cannot play \"%s\": %s\n", wanted->name, strerror(-r));
		fflush(stdout);
		_exit(99);
	}
}

static bool enforced(void)
{
	return wanted->open_code == 0 || kit_version(CGFS_DEVICES) == CGFS_V1;
}

/* --- the library ------------------------------------------------------------------------------ */

/* In the child: 0 when everything is as it must be. */
static int look_at_library(const struct world *w)
{
	struct cgfs_bpf_opts opts = CGFS_BPF_OPTS_INIT;
	struct cgfs_capabilities *caps = calloc(1, sizeof(*caps));
	struct cgfs_open_opts open_opts = CGFS_OPEN_OPTS_INIT;
	struct cgfs_err err = { 0 };
	struct cgfs_bpf *b = NULL;
	struct cgfs *c = NULL;
	char cgroup2[96];
	int r;

	opts.pin_dir = w->pins;
	opts.events = true;
	r = cgfs_bpf_open(&opts, &b, &err);
	printf("%s: %d, %s\n", wanted->name, r, r < 0 ? err.text : "works");
	if (r != wanted->open_code || (r < 0 && !strstr(err.text, wanted->says)))
		return 1;
	if (r < 0)
		return access(w->pins, F_OK) == 0;

	/* Without BTF devices are kept; what needs types is missing, with a reason. */
	open_opts.root = w->root;
	open_opts.policy = cgfs_bpf_policy(b);
	snprintf(cgroup2, sizeof(cgroup2), "%s/cgroup2", w->dir);
	open_opts.cgroup2_mount = cgroup2;
	if (caps)
		caps->sz = sizeof(*caps);
	if (!caps || cgfs_open(&open_opts, &c, &err) < 0 || cgfs_probe(c, caps, &err) < 0) {
		printf("%s\n", err.text);
		return 1;
	}
	r = 2;
	for (size_t i = 0; i < caps->n; i++) {
		const struct cgfs_capability *cap = &caps->cap[i];

		printf("%s: %s; %s; %s\n", cap->name, cap->ok ? "ok" : "missing", cap->detail,
		       cap->remedy);
		if (streq(cap->name, "bpf.device") && cap->ok)
			r--;
		if (streq(cap->name, "bpf.btf") && !cap->ok && strstr(cap->remedy, wanted->says))
			r--;
	}
	cgfs_close(c);
	if (cgfs_bpf_unpin(b, &err) < 0)
		r = 3;
	cgfs_bpf_close(b);
	free(caps);
	return r;
}

static int start_alone(void **state, const struct fault *fault)
{
	wanted = fault;
	return world_alone(state);
}

static void library_says_why(struct world *w)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		inject();
		status = look_at_library(w);
		fflush(stdout);
		_exit(status);
	}
	CHECK_INT(waitpid(pid, &status, 0), pid);
	CHECK_INT(status, 0);
}

/* --- the agent -------------------------------------------------------------------------------- */

static int start_agent(void **state, const struct fault *fault)
{
	int r;

	wanted = fault;
	world_child_hook = inject;
	r = world_kernel(state);
	world_child_hook = NULL;
	return r;
}

static void agent_keeps_devices_or_makes_nothing(struct world *w)
{
	/* 4: what is allowed was refused.  5: right.  6: what is not allowed worked. */
	static const char script[] = "busybox mknod /dev/n c 1 3 && (: > /dev/n) || exit 4; "
				     "busybox mknod /dev/k c 1 11; (: < /dev/k) && exit 6; exit 5";
	struct cgfs_err err = { 0 };
	json_t *body;

	if (!enforced()) {
		body = world_create_body(w, "sb", world_spec(w, "sb", "sb", NULL, NULL));
		CHECK(client_call(w->c, MSG_CREATE, body, NULL, 0, WORLD_MS, NULL, &err) < 0);
		json_decref(body);
		CHECK_HAS(err.text, "devices");
		CHECK(!kit_exists(&w->kit, "sb"));
		world_refuse(w, MSG_EXT_CREATE_POD, json_pack("{s:s}", "PodId", "p"), HR_FAIL);
		/* And goes on. */
		json_decref(world_call(w, MSG_EXT_LIST_PODS, NULL));
		return;
	}
	world_create(w, "sb", "sb", NULL);
	world_create(w, "c", "sb", script);
	CHECK_INT(world_wait(w, "c", world_start(w, "c")), 5);
}

/* --- podctl ----------------------------------------------------------------------------------- */

/* Its exit status; both streams into @text. */
static int podctl(const struct world *w, const char *verb, const char *operand, char *text,
		  size_t len)
{
	const char *dir = getenv("CGFS_TEST_GUEST") ? "/bin" : getenv("O") ? getenv("O") : "build";
	char path[256];
	int out[2], status;
	size_t at = 0;
	ssize_t n;
	pid_t pid;

	snprintf(path, sizeof(path), "%s/podctl", dir);
	if (access(path, X_OK) < 0)
		tap_skip("%s is not there", path);
	CHECK_INT(pipe2(out, O_CLOEXEC), 0);
	fflush(stdout);
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		inject();
		dup2(out[1], 1);
		dup2(out[1], 2);
		execl(path, "podctl", verb, "--root", w->root, "--pin-dir", w->pins, operand, NULL);
		_exit(127);
	}
	close(out[1]);
	while ((n = read(out[0], text + at, len - 1 - at)) > 0)
		at += (size_t)n;
	text[at] = '\0';
	close(out[0]);
	CHECK_INT(waitpid(pid, &status, 0), pid);
	printf("podctl %s: %s", verb, text);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void podctl_says_why(struct world *w)
{
	char text[16384];

	CHECK_INT(podctl(w, "doctor", "--probe", text, sizeof(text)), 0);
	CHECK_HAS(text, wanted->says);

	if (!enforced()) {
		CHECK_INT(podctl(w, "create", "t", text, sizeof(text)), 1);
		CHECK_HAS(text, wanted->says);
		CHECK_INT(world_leftovers(w), 0);
		return;
	}
	CHECK_INT(podctl(w, "create", "t", text, sizeof(text)), 0);
	if (wanted->open_code < 0) {
		CHECK_HAS(text, "warning: devices are kept by the v1 controller alone");
		CHECK_HAS(text, wanted->says);
	}
	CHECK_INT(podctl(w, "rm", "t", text, sizeof(text)), 0);
}

#define TESTS(fault)                                                                               \
	static int alone_##fault(void **state)                                                     \
	{                                                                                          \
		return start_alone(state, &(fault));                                               \
	}                                                                                          \
	static int agent_##fault(void **state)                                                     \
	{                                                                                          \
		return start_agent(state, &(fault));                                               \
	}                                                                                          \
	WORLD_TEST(fault##_library_says_why, alone_##fault)                                        \
	{                                                                                          \
		library_says_why(w);                                                               \
	}                                                                                          \
	WORLD_TEST(fault##_agent_keeps_devices_or_makes_nothing, agent_##fault)                    \
	{                                                                                          \
		agent_keeps_devices_or_makes_nothing(w);                                           \
	}                                                                                          \
	WORLD_TEST(fault##_podctl_says_why, alone_##fault)                                         \
	{                                                                                          \
		podctl_says_why(w);                                                                \
	}

TESTS(no_bpf)
TESTS(no_cgroup_bpf)
TESTS(forbidden)
TESTS(no_btf)

#else

#include "tests/tap.h"

TAP_TEST(refusal)
{
	tap_skip("built without eBPF");
}

#endif
