// SPDX-License-Identifier: MIT
/*
 * on_live.c - a case on the kernel at hand, by `podctl apply`: its exit status and words, the
 * control files it leaves, devices that a process in the cgroup really makes and opens, and that
 * --remove (or a refusal) leaves nothing.  Looks with its own eyes, not with the library's.
 */
#include "oci.h"

#include "cgfs/base/json.h"
#include "cgfs/base/util.h"
#include "tests/kit/kit.h"
#include "tests/tap.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#define TIMEOUT_S "600"
#define NODES_MAX 32
#define FILES_MAX 32

struct oci_live {
	struct oci_host host;
	struct kit kit;
	char podctl[256];
	struct {
		char file[64];
		bool has;
	} seen[FILES_MAX];
	size_t n_seen;
};

struct probe {
	struct oci_node node;
	char path[128];
	uint32_t granted;
};

struct run {
	struct oci_live *l;
	const struct oci_case *c;
	json_t *doc;
	struct probe probe[NODES_MAX];
	size_t n_probes;
};

/* -- the host ------------------------------------------------------------------------------------
 */

/* A new cgroup shows it; on cgroup2 the controller is enabled meanwhile. */
static bool look(const struct oci_live *l, enum cgfs_controller ctl, const char *file)
{
	struct kit_mount m;
	char dir[512], path[640], control[320], word[40], on[256] = "";
	bool has;

	if (!kit_mount_of(ctl, &m))
		return false;
	snprintf(control, sizeof(control), "%s/cgroup.subtree_control", m.path);
	kit_read(control, on, sizeof(on));
	snprintf(word, sizeof(word), "+%s", cgfs_controller_name(ctl));
	kit_write(control, word);
	snprintf(dir, sizeof(dir), "%s%s", m.path, l->kit.root);
	CHECK_MSG(mkdir(dir, 0755) >= 0, "mkdir %s: %m", dir);
	snprintf(path, sizeof(path), "%s/%s", dir, file);
	has = access(path, F_OK) == 0;
	rmdir(dir);
	word[0] = '-';
	if (m.version == CGFS_V2 && !strstr(on, word + 1))
		kit_write(control, word);
	return has;
}

static bool live_has_file(void *arg, enum cgfs_controller ctl, const char *file)
{
	struct oci_live *l = arg;

	for (size_t i = 0; i < l->n_seen; i++) {
		if (streq(l->seen[i].file, file))
			return l->seen[i].has;
	}
	CHECK(l->n_seen < FILES_MAX);
	snprintf(l->seen[l->n_seen].file, sizeof(l->seen[0].file), "%s", file);
	l->seen[l->n_seen].has = look(l, ctl, file);
	return l->seen[l->n_seen++].has;
}

static bool find_disk(struct oci_host *host)
{
	static const char *const disks[] = { "nullb0", "loop0", "vda", "sda", "zram0" };

	for (size_t i = 0; i < ARRAY_SIZE(disks); i++) {
		char path[64], text[32];

		snprintf(path, sizeof(path), "/sys/block/%s/dev", disks[i]);
		if (kit_read(path, text, sizeof(text)) > 0 &&
		    sscanf(text, "%u:%u", &host->major, &host->minor) == 2)
			return true;
	}
	return false;
}

struct oci_live *oci_live_new(char *why, size_t len)
{
	struct oci_live *l = calloc(1, sizeof(*l));
	const char *o = getenv("O"), *own = getenv("CGFS_PODCTL");
	const char *variant = getenv("CGFS_TEST_VARIANT");
	const char *kernel = getenv("CGFS_TEST_KERNEL"), *layout = getenv("CGFS_TEST_LAYOUT");
	struct kit_mount mounts[KIT_MOUNTS_MAX];

	if (!l)
		abort();
	snprintf(l->podctl, sizeof(l->podctl), "%s%s",
		 own ? own
		 : o ? o
		     : "build",
		 own ? "" : "/podctl");
	if (getenv("CGFS_TEST_GUEST") && !own)
		strcpy(l->podctl, "/bin/podctl");
	kit_name(&l->kit, "/tmp");
	if (geteuid() != 0)
		snprintf(why, len, "needs root");
	else if (variant && *variant && strstr(" dynmods jitharden nobpflsm ", variant))
		snprintf(why, len, "control files are the same without %s", variant);
	else if (kernel && layout &&
		 ((strncmp(kernel, "6.12.", 5) == 0 && strcmp(layout, "mixed") != 0) ||
		  (strncmp(kernel, "7.2", 3) == 0 && strcmp(layout, "v2") != 0)))
		snprintf(why, len, "its files are those of 6.1 v2, 6.12 mixed or 7.2 v2");
	else if (access(l->podctl, X_OK) < 0)
		snprintf(why, len, "%s: %m", l->podctl);
	else if (kit_mounts(mounts) == 0)
		snprintf(why, len, "no cgroup hierarchy");
	else if (!find_disk(&l->host))
		snprintf(why, len, "no block device");
	else
		goto good;
	free(l);
	return NULL;
good:
	l->host.has_file = live_has_file;
	l->host.arg = l;
	l->host.unified = kit_version(UNIFIED) == CGFS_V2;
	for (int ctl = 0; ctl < CGFS_CONTROLLER_COUNT; ctl++)
		l->host.version[ctl] = kit_version(ctl);
	return l;
}

/* -- podctl ---------------------------------------------------------------------------------------
 */

static void redirect(const char *path, int to)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (fd < 0 || dup2(fd, to) < 0)
		_exit(126);
}

/* Its exit status; what it printed is in out and err of l->kit.dir. */
static int podctl(struct oci_live *l, const char *a, const char *b, const char *c)
{
	char out[128], err[128];
	int status;
	pid_t pid;

	snprintf(out, sizeof(out), "%s/out", l->kit.dir);
	snprintf(err, sizeof(err), "%s/err", l->kit.dir);
	pid = fork();
	if (pid == 0) {
		redirect(out, 1);
		redirect(err, 2);
		unsetenv("CGFS_AGENT");
		execlp("timeout", "timeout", TIMEOUT_S, l->podctl, "apply", "--pin-dir",
		       l->kit.pins, a, b, c, (char *)NULL);
		_exit(127);
	}
	CHECK(pid > 0);
	CHECK_INT(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static const char *printed(const struct oci_live *l, const char *what)
{
	static char text[65536];
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", l->kit.dir, what);
	if (kit_read(path, text, sizeof(text)) < 0)
		text[0] = '\0';
	return text;
}

static void cgroup_name(const struct run *r, char *buf, size_t len)
{
	snprintf(buf, len, "%s/%s", r->l->kit.root, r->c->name);
}

/* -- checks
 * ----------------------------------------------------------------------------------------- */

static void check_file(void *arg, enum cgfs_controller ctl, const char *file, const char *want)
{
	struct run *r = arg;
	char cgroup[256], path[640], text[4096];
	struct kit_mount m;
	ssize_t n;

	CHECK(kit_mount_of(ctl, &m));
	cgroup_name(r, cgroup, sizeof(cgroup));
	snprintf(path, sizeof(path), "%s%s/%s", m.path, cgroup, file);
	n = kit_read(path, text, sizeof(text));
	CHECK_MSG(n >= 0, "%s: %s", path, strerror((int)-n));
	CHECK_MSG(oci_matches(want, text), "%s is \"%s\", not \"%s\"", path, text, want);
}

static void add_probe(void *arg, const struct oci_node *node)
{
	struct run *r = arg;
	struct probe *p = &r->probe[r->n_probes++];

	CHECK(r->n_probes < NODES_MAX);
	p->node = *node;
	snprintf(p->path, sizeof(p->path), "%s/%c-%d-%d", r->l->kit.dir, node->type, node->major,
		 node->minor);
}

static mode_t kind(const struct probe *p)
{
	return 0600 | (p->node.type == CGFS_DEVICE_BLOCK ? S_IFBLK : S_IFCHR);
}

/* Only EPERM is the policy's answer: what has no driver may be opened in vain. */
static bool may_open(const struct probe *p, int flags)
{
	int fd = open(p->path, flags | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

	if (fd >= 0)
		close(fd);
	return fd >= 0 || errno != EPERM;
}

static uint32_t ask(const struct probe *p)
{
	dev_t dev = makedev((unsigned int)p->node.major, (unsigned int)p->node.minor);
	uint32_t granted = 0;
	char made[160];

	snprintf(made, sizeof(made), "%s-made", p->path);
	if (mknod(made, kind(p), dev) == 0 || errno != EPERM)
		granted |= CGFS_ACCESS_MKNOD;
	unlink(made);
	if (may_open(p, O_RDONLY))
		granted |= CGFS_ACCESS_READ;
	if (may_open(p, O_WRONLY))
		granted |= CGFS_ACCESS_WRITE;
	return granted;
}

/* A process of the cgroup in each hierarchy that podctl named and that is still mounted. */
__attribute__((noreturn)) static void ask_inside(struct run *r, int pipe_fd)
{
	json_t *h;
	size_t i, joined = 0;

	json_array_foreach(json_object_get(r->doc, "hierarchies"), i, h)
	{
		char path[640];

		snprintf(path, sizeof(path), "%s/cgroup.procs",
			 json_string_value(json_object_get(h, "path")));
		if (access(path, F_OK) < 0)
			continue;
		if (kit_write(path, "0") < 0)
			_exit(1);
		joined++;
	}
	for (i = 0; i < r->n_probes; i++)
		r->probe[i].granted = ask(&r->probe[i]);
	if (!joined || write(pipe_fd, r->probe, sizeof(r->probe)) != sizeof(r->probe))
		_exit(2);
	_exit(0);
}

static void check_devices(struct run *r)
{
	int fds[2], status;
	pid_t pid;

	oci_nodes(r->c, add_probe, r);
	if (!r->n_probes)
		return;
	for (size_t i = 0; i < r->n_probes; i++) {
		struct probe *p = &r->probe[i];

		unlink(p->path);
		if (mknod(p->path, kind(p),
			  makedev((unsigned int)p->node.major, (unsigned int)p->node.minor)) < 0)
			FAIL("mknod %s: %m", p->path);
		/* From here everything must be open, or the answers below mean nothing. */
		if (ask(p) != CGFS_ACCESS_ALL)
			tap_skip("%s cannot be opened even outside", p->path);
	}
	CHECK_INT(pipe(fds), 0);
	pid = fork();
	if (pid == 0)
		ask_inside(r, fds[1]);
	close(fds[1]);
	CHECK_INT(read(fds[0], r->probe, sizeof(r->probe)), sizeof(r->probe));
	close(fds[0]);
	CHECK_INT(waitpid(pid, &status, 0), pid);
	CHECK_INT(status, 0);
	for (size_t i = 0; i < r->n_probes; i++) {
		const struct probe *p = &r->probe[i];

		CHECK_MSG(p->granted == p->node.granted, "%c %d:%d: granted 0x%x, not 0x%x",
			  p->node.type, p->node.major, p->node.minor, p->granted, p->node.granted);
	}
}

static void check_ignored(const struct run *r)
{
	const char *want = json_string_value(json_object_get(r->c->wanted, "ignored"));
	const json_t *list = json_object_get(r->doc, "ignored");

	CHECK_INT(json_array_size(list), want != NULL);
	if (want)
		CHECK_STR(json_string_value(json_array_get(list, 0)), want);
}

/* Each file that it reports as written names a field of the input. */
static void check_document(const struct run *r)
{
	json_t *entry;
	size_t i;

	json_array_foreach(json_object_get(r->doc, "applied"), i, entry)
	{
		const json_t *asked = json_object_get(entry, "asked");

		if (!json_object_size(asked) || !json_object_get(entry, "written"))
			FAIL("nothing is behind %s",
			     json_string_value(json_object_get(entry, "path")));
		CHECK(!strstr(json_dumps(asked, 0), "null"));
	}
}

static void check_applied(struct run *r, const char *cgroup, int status)
{
	const char *text;

	CHECK_MSG(!status, "status %d: %s", status, printed(r->l, "err"));
	text = printed(r->l, "out");
	r->doc = cgfs_json_load(text, strlen(text), 0, NULL);
	CHECK_MSG(r->doc, "no JSON: %s", printed(r->l, "out"));
	CHECK(kit_exists(&r->l->kit, r->c->name));
	check_ignored(r);
	check_document(r);
	oci_files(r->c, &r->l->host, check_file, r);
	check_devices(r);
	json_decref(r->doc);
	status = podctl(r->l, "--remove", cgroup, NULL);
	CHECK_MSG(!status, "--remove: status %d: %s", status, printed(r->l, "err"));
}

static void check_refusal(const struct run *r, const struct oci_outcome *want, int status)
{
	const char *err, *field = json_string_value(json_object_get(r->c->wanted, "field"));

	CHECK_MSG(status != 0, "it was applied, not refused for %s", want->word);
	CHECK_INT(status, 1);
	CHECK_STR(printed(r->l, "out"), "");
	err = printed(r->l, "err");
	CHECK_MSG(oci_says(want->word, err), "\"%s\" does not say \"%s\"", err, want->word);
	if (field && strcmp(want->word, "not on this host") != 0 && !oci_says(field, err))
		FAIL("\"%s\" does not name \"%s\"", err, field);
	CHECK_MSG(strchr(err, '\n') == err + strlen(err) - 1, "\"%s\" is not one line", err);
}

void oci_run_live(const struct oci_test *t)
{
	struct oci_live *l = t->live;
	struct oci_case *c = oci_case(t->list, t->index, &l->host);
	struct oci_outcome want = oci_expect(c, &l->host);
	struct run r = { .l = l, .c = c };
	char cgroup[256], file[128];
	int fd, status;

	mkdir(l->kit.dir, 0700);
	cgroup_name(&r, cgroup, sizeof(cgroup));
	snprintf(file, sizeof(file), "%s/resources.json", l->kit.dir);
	fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	CHECK(fd >= 0);
	CHECK_INT(write(fd, c->text, strlen(c->text)), strlen(c->text));
	close(fd);
	/* Loading programs takes most of the time, and only devices need them. */
	if (oci_needs_policy(c))
		status = podctl(l, file, cgroup, NULL);
	else
		status = podctl(l, "--no-bpf", file, cgroup);
	if (want.refused)
		check_refusal(&r, &want, status);
	else
		check_applied(&r, cgroup, status);
	CHECK_INT(kit_left(&l->kit), 0);
	oci_case_free(c);
}

void oci_live_sweep(struct oci_live *l)
{
	char text[2048];

	kit_sweep(&l->kit, text, sizeof(text));
}
