// SPDX-License-Identifier: MIT
/*
 * dump.c - the whole state of a host as text, to be compared with what it was: what is still there
 * after a call that failed is what the call left behind.
 */
#include "host.h"

/* What can be read and can be changed.  The rest counts, and goes on counting. */
static void dump_files(struct node *n, const char *path, FILE *out)
{
	const struct ctl_file *files[256];
	size_t count = fake_node_files(n, files, ARRAY_SIZE(files));

	for (size_t i = 0; i < count; i++) {
		struct open_file o = { .node = n };
		char *text = NULL;
		size_t size = 0;
		uid_t uid = 0;
		gid_t gid = 0;
		FILE *mem;
		int r;

		if (!files[i]->read || !files[i]->write || strcmp(files[i]->name, "tasks") == 0)
			continue;
		o.type = fake_node_file(n, files[i]->name, &o.ctl);
		mem = open_memstream(&text, &size);
		if (!mem)
			abort();
		r = o.type->read(&o, mem);
		if (fclose(mem) != 0)
			abort();
		for (char *p = text; *p; p++) {
			if (*p == '\n')
				*p = ';';
		}
		fake_node_owner(n, files[i]->name, &uid, &gid);
		fprintf(out, "%s%s/%s = %s", n->h->path, path, files[i]->name, r < 0 ? "?" : text);
		if (uid)
			fprintf(out, " of %u", (unsigned int)uid);
		fprintf(out, "\n");
		free(text);
	}
}

static void dump_node(struct node *n, FILE *out)
{
	char path[2048];

	fake_node_path(n, path, sizeof(path));
	fprintf(out, "%s%s\n", n->h->path, path);
	dump_files(n, path, out);
	for (struct node *c = n->children; c; c = c->next)
		dump_node(c, out);
}

char *fake_dump(struct fake *f)
{
	char *text = NULL, path[2048];
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		abort();
	fake_reap(f);
	for (size_t i = 0; i < f->n_h; i++)
		dump_node(f->h[i].root, out);
	for (const struct notifier *nt = f->notifiers; nt; nt = nt->next) {
		for (size_t i = 0; i < nt->n_watches; i++) {
			const struct watch *w = &nt->watches[i];

			if (!w->node)
				continue;
			fake_node_path(w->node, path, sizeof(path));
			fprintf(out, "watch %s%s/%s\n", w->node->h->path, path, w->type->name);
		}
	}
	fake_policy_dump(f, out);
	if (fclose(out) != 0)
		abort();
	return text;
}
