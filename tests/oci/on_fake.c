// SPDX-License-Identifier: MIT
/*
 * on_fake.c - a case on a fake host: create a container with the resources, look at the control
 * files and ask for devices as its process, destroy; nothing may be left, also after a failure.
 */
#include "oci.h"

#include "cgfs/base/util.h"
#include "tests/tap.h"

#include <fcntl.h>

#define ROOT "/oci-test"

struct run {
	struct fake *f;
	const struct oci_case *c;
	struct cgfs_group *g;
	pid_t pid;
	size_t written, nameless;
};

static bool fake_has_file(void *arg, enum cgfs_controller ctl, const char *file)
{
	struct fake *f = arg;
	const struct cgfs_fs *fs = fake_fs(f);
	const struct cgfs_mounts *m = fake_mounts(f);
	bool has = false;

	for (size_t i = 0; i < m->n; i++) {
		char path[512];
		int dir, fd;

		if (!(m->mount[i].controllers & 1u << ctl))
			continue;
		/* A cgroup of its own for the question; on cgroup2 its parent hands out all. */
		snprintf(path, sizeof(path), "%s/cgroup.subtree_control", m->mount[i].path);
		fd = fs->ops->open(fs->ctx, AT_FDCWD, path, O_WRONLY);
		if (fd >= 0) {
			snprintf(path, sizeof(path), "+%s", cgfs_controller_name(ctl));
			(void)!fs->ops->write(fs->ctx, fd, path, strlen(path));
			fs->ops->close(fs->ctx, fd);
		}
		dir = fs->ops->open(fs->ctx, AT_FDCWD, m->mount[i].path, O_RDONLY | O_DIRECTORY);
		CHECK_INT(fs->ops->mkdir(fs->ctx, dir, "probe", 0755), 0);
		snprintf(path, sizeof(path), "probe/%s", file);
		fd = fs->ops->open(fs->ctx, dir, path, O_RDONLY);
		has = fd >= 0;
		if (fd >= 0)
			fs->ops->close(fs->ctx, fd);
		CHECK_INT(fs->ops->rmdir(fs->ctx, dir, "probe"), 0);
		fs->ops->close(fs->ctx, dir);
	}
	return has;
}

static struct oci_host host_of(struct fake *f)
{
	struct oci_host host = { .major = 8, .has_file = fake_has_file, .arg = f };
	const struct cgfs_mounts *m = fake_mounts(f);

	for (size_t i = 0; i < m->n; i++) {
		host.unified |= m->mount[i].version == CGFS_V2;
		for (int ctl = 0; ctl < CGFS_CONTROLLER_COUNT; ctl++) {
			if (m->mount[i].controllers & 1u << ctl)
				host.version[ctl] = m->mount[i].version;
		}
	}
	return host;
}

/* Each write that is reported has a member behind it. */
static void on_written(void *user, const struct cgfs_written *w)
{
	struct run *r = user;

	r->written++;
	r->nameless += !w->members;
}

static void check_file(void *arg, enum cgfs_controller ctl, const char *file, const char *want)
{
	struct run *r = arg;
	char text[4096] = "";
	int e = fake_cat(r->f, ctl, cgfs_group_path(r->g), file, text, sizeof(text));

	CHECK_MSG(e >= 0, "%s: %s", file, strerror(-e));
	CHECK_MSG(oci_matches(want, text), "%s is \"%s\", not \"%s\"", file, text, want);
}

static void check_node(void *arg, const struct oci_node *node)
{
	struct run *r = arg;
	uint32_t granted = 0;

	for (uint32_t bit = CGFS_ACCESS_MKNOD; bit <= CGFS_ACCESS_WRITE; bit <<= 1) {
		if (fake_device(r->f, r->pid, node->type, node->major, node->minor, bit) == 0)
			granted |= bit;
	}
	CHECK_MSG(granted == node->granted, "%c %d:%d: granted 0x%x, not 0x%x", node->type,
		  node->major, node->minor, granted, node->granted);
}

static int create(struct run *r, struct cgfs *c, struct cgfs_resources **ret_res,
		  struct cgfs_err *err)
{
	int e = cgfs_resources_from_oci(r->c->text, strlen(r->c->text), NULL, ret_res, err);

	return e < 0 ? e : cgfs_container_create(c, NULL, "c1", *ret_res, &r->g, err);
}

static void check_refusal(const struct oci_outcome *want, int e, const struct cgfs_err *err)
{
	CHECK_MSG(e != 0, "it was applied, not refused for %s", want->word);
	if (want->code && e != want->code)
		FAIL("%s: %d, not %d", err->text, e, want->code);
	CHECK_INT(err->code, e);
	CHECK_MSG(oci_says(want->word, err->text), "\"%s\" does not say \"%s\"", err->text,
		  want->word);
}

static void check_applied(struct run *r, const struct oci_host *host,
			  const struct cgfs_resources *res, int e, const struct cgfs_err *err)
{
	const char *ignored = json_string_value(json_object_get(r->c->wanted, "ignored"));

	CHECK_MSG(e >= 0, "%s", err->text);
	CHECK_INT(r->nameless, 0);
	CHECK_STR(cgfs_resources_ignored(res), ignored ? ignored : "");
	oci_files(r->c, host, check_file, r);
	r->pid = fake_spawn(r->f);
	CHECK_INT(cgfs_group_add_pid(r->g, r->pid, NULL), 0);
	oci_nodes(r->c, check_node, r);
	CHECK_INT(cgfs_group_remove(r->g, CGFS_REMOVE_OPTS_WAIT(1000), NULL), 0);
}

/* Of what a failed create may leave there is nothing: neither directories, nor controllers that
 * were switched on above. */
static void check_nothing(struct fake *f, unsigned int nth)
{
	char on[256] = "";

	CHECK_MSG(!fake_directories(f), "call %u fails: %zu directories are left", nth,
		  fake_directories(f));
	CHECK_MSG(!fake_open_files(f), "call %u fails: %zu files are open", nth,
		  fake_open_files(f));
	fake_cat(f, CGFS_CONTROLLER_COUNT, "/", "cgroup.subtree_control", on, sizeof(on));
	if (on[0] && on[0] != '\n')
		FAIL("call %u fails: enabled are %s", nth, on);
}

/* The create with its @nth call failing; false when it has not so many. */
static bool fails_at(const struct oci_test *t, const struct cgfs_resources *res, unsigned int nth)
{
	struct fake *f = fake_new(t->layout, t->kernel);
	struct cgfs_open_opts opts = CGFS_OPEN_OPTS_INIT;
	struct cgfs_group *g = NULL;
	struct cgfs_err err = { 0 };
	struct cgfs *ctx;
	bool struck;
	int e;

	opts.root = ROOT;
	opts.fs = fake_fs(f);
	opts.mounts = fake_mounts(f);
	opts.policy = fake_policy(f, false);
	CHECK_INT(cgfs_open(&opts, &ctx, NULL), 0);
	fake_fail(f, FAKE_ANY, nth, -EIO);
	e = cgfs_container_create(ctx, NULL, "c1", res, &g, &err);
	struck = fake_struck(f);
	fake_fail(f, FAKE_ANY, 0, 0);
	/* What can be done without is done without. */
	if (e == 0) {
		CHECK_INT(cgfs_group_remove(g, CGFS_REMOVE_OPTS_WAIT(1000), NULL), 0);
		cgfs_group_close(g);
		CHECK_INT(cgfs_root_remove(ctx, NULL), 0);
	} else {
		CHECK(strstr(err.text, "Input/output error"));
	}
	cgfs_close(ctx);
	check_nothing(f, nth);
	fake_free(f);
	return struck;
}

void oci_run_fake(const struct oci_test *t)
{
	struct run r = { .f = fake_new(t->layout, t->kernel) };
	struct oci_host host = host_of(r.f);
	struct oci_case *c = oci_case(t->list, t->index, &host);
	struct oci_outcome want = oci_expect(c, &host);
	struct cgfs_open_opts opts = CGFS_OPEN_OPTS_INIT;
	struct cgfs_resources *res = NULL;
	struct cgfs_err err = { 0 };
	struct cgfs *ctx;
	int e;

	r.c = c;
	opts.root = ROOT;
	opts.fs = fake_fs(r.f);
	opts.mounts = fake_mounts(r.f);
	opts.policy = fake_policy(r.f, false);
	opts.written = on_written;
	opts.written_user = &r;
	CHECK_MSG(cgfs_open(&opts, &ctx, &err) >= 0, "%s", err.text);
	e = create(&r, ctx, &res, &err);
	if (want.refused)
		check_refusal(&want, e, &err);
	else
		check_applied(&r, &host, res, e, &err);
	cgfs_group_close(r.g);
	if (!want.refused)
		CHECK_INT(cgfs_root_remove(ctx, NULL), 0);
	cgfs_close(ctx);
	CHECK_INT(fake_directories(r.f), 0);
	CHECK_INT(fake_open_files(r.f), 0);
	for (unsigned int nth = 1; !want.refused && fails_at(t, res, nth); nth++)
		;
	cgfs_resources_free(res);
	oci_case_free(c);
	fake_free(r.f);
}
