// SPDX-License-Identifier: MIT
/*
 * devices.c - the devices controller of v1, with the semantics it has in the kernel: a default
 * and exceptions to it, each for one (type, major, minor) taken literally.  Allowing does not
 * reach into a denied range, nor denying into an allowed one; a child has no more than its
 * parent; devices.list shows the exceptions only when the default is to deny.
 */
#include "host.h"

#include <ctype.h>

#define WILD (-1)

static bool matches(const struct dev_exception *e, const struct dev_exception *x, bool partly)
{
	if (e->type != x->type)
		return false;
	if (e->major != WILD && e->major != x->major && !(partly && x->major == WILD))
		return false;
	if (e->minor != WILD && e->minor != x->minor && !(partly && x->minor == WILD))
		return false;
	return partly ? (x->access & e->access) != 0 : (x->access & ~e->access) == 0;
}

/* Is all of @x (or some of it, @partly) in an exception of @n? */
static bool excepted(const struct node *n, const struct dev_exception *x, bool partly)
{
	for (size_t i = 0; i < n->n_exceptions; i++) {
		if (matches(&n->exceptions[i], x, partly))
			return true;
	}
	return false;
}

bool fake_dev_allowed(const struct node *n, enum cgfs_device_type type, int32_t major,
		      int32_t minor, uint32_t access)
{
	const struct dev_exception x = { type, major, minor, access };

	return n->dev_allow ? !excepted(n, &x, true) : excepted(n, &x, false);
}

static struct dev_exception *find(struct node *n, const struct dev_exception *x)
{
	for (size_t i = 0; i < n->n_exceptions; i++) {
		struct dev_exception *e = &n->exceptions[i];

		if (e->type == x->type && e->major == x->major && e->minor == x->minor)
			return e;
	}
	return NULL;
}

static void add(struct node *n, const struct dev_exception *x)
{
	struct dev_exception *e = find(n, x);

	if (e) {
		e->access |= x->access;
		return;
	}
	n->exceptions = fake_grow(n->exceptions, n->n_exceptions + 1, sizeof(*x));
	n->exceptions[n->n_exceptions++] = *x;
}

static void subtract(struct node *n, const struct dev_exception *x)
{
	struct dev_exception *e = find(n, x);

	if (!e)
		return;
	e->access &= ~x->access;
	if (e->access)
		return;
	n->n_exceptions--;
	memmove(e, e + 1, (size_t)(n->exceptions + n->n_exceptions - e) * sizeof(*e));
}

static void clear(struct node *n, bool allow)
{
	free(n->exceptions);
	n->exceptions = NULL;
	n->n_exceptions = 0;
	n->dev_allow = allow;
}

static void copy(struct node *n, const struct node *from)
{
	clear(n, from->dev_allow);
	for (size_t i = 0; i < from->n_exceptions; i++)
		add(n, &from->exceptions[i]);
}

/* May @child, whose default is to deny, have @x? */
static bool parent_has(const struct node *child, const struct dev_exception *x)
{
	const struct node *parent = child->parent;

	if (!parent)
		return true;
	if (parent->dev_allow)
		return child->dev_allow || !excepted(parent, x, true);
	return excepted(parent, x, false);
}

/* What was taken from @top is taken from all below, and what then is too much. */
static void propagate(const struct node *top, struct node *n, const struct dev_exception *x)
{
	for (struct node *c = n->children; c; c = c->next) {
		if (top->dev_allow && c->dev_allow)
			add(c, x);
		else
			subtract(c, x);
		for (size_t i = c->n_exceptions; i-- > 0;) {
			struct dev_exception e = c->exceptions[i];

			if (!parent_has(c, &e))
				subtract(c, &e);
		}
		propagate(top, c, x);
	}
}

/* -- the files -------------------------------------------------------------------------------- */

static int parse_number(const char **text, int64_t *ret)
{
	uint64_t v = 0;
	int digits;

	if (**text == '*') {
		*ret = WILD;
		++*text;
		return 0;
	}
	for (digits = 0; isdigit((unsigned char)**text) && digits < 11; digits++)
		v = v * 10 + (uint64_t)(*(*text)++ - '0');
	if (digits == 0 || v > UINT32_MAX)
		return -EINVAL;
	*ret = (int64_t)v;
	return 0;
}

/* "c 1:3 rwm"; what follows three access letters is not looked at. */
static int parse(const char *text, struct dev_exception *x)
{
	if (*text != CGFS_DEVICE_BLOCK && *text != CGFS_DEVICE_CHAR)
		return -EINVAL;
	x->type = (enum cgfs_device_type) * text++;
	x->access = 0;
	if (!isspace((unsigned char)*text++) || parse_number(&text, &x->major) < 0 ||
	    *text++ != ':' || parse_number(&text, &x->minor) < 0 ||
	    !isspace((unsigned char)*text++))
		return -EINVAL;
	for (int i = 0; i < 3 && *text && *text != '\n'; i++, text++) {
		if (*text == 'r')
			x->access |= CGFS_ACCESS_READ;
		else if (*text == 'w')
			x->access |= CGFS_ACCESS_WRITE;
		else if (*text == 'm')
			x->access |= CGFS_ACCESS_MKNOD;
		else
			return -EINVAL;
	}
	return 0;
}

static int store_allow(const struct open_file *file, char *text)
{
	struct node *n = file->node;
	struct dev_exception x;

	if (n->host->user)
		return -EPERM; /* CAP_SYS_ADMIN */
	text = fake_strip(text);
	if (*text == 'a') {
		if (n->children)
			return -EINVAL;
		if (n->parent && !n->parent->dev_allow)
			return -EPERM;
		if (n->parent)
			copy(n, n->parent);
		else
			clear(n, true);
		return 0;
	}
	if (parse(text, &x) < 0)
		return -EINVAL;
	if (n->dev_allow) {
		if (n->parent && excepted(n->parent, &x, true))
			return -EPERM;
		subtract(n, &x);
		return 0;
	}
	if (!parent_has(n, &x))
		return -EPERM;
	add(n, &x);
	return 0;
}

static int store_deny(const struct open_file *file, char *text)
{
	struct node *n = file->node;
	struct dev_exception x;

	if (n->host->user)
		return -EPERM; /* CAP_SYS_ADMIN */
	text = fake_strip(text);
	if (*text == 'a') {
		if (n->children)
			return -EINVAL;
		clear(n, false);
		return 0;
	}
	if (parse(text, &x) < 0)
		return -EINVAL;
	if (n->dev_allow)
		add(n, &x);
	else
		subtract(n, &x);
	propagate(n, n, &x);
	return 0;
}

static void format_number(int64_t v, FILE *out)
{
	if (v == WILD)
		fputc('*', out);
	else
		fprintf(out, "%lld", (long long)v);
}

static int show_list(const struct open_file *file, FILE *out)
{
	const struct node *n = file->node;

	if (n->dev_allow) {
		fputs("a *:* rwm\n", out);
		return 0;
	}
	for (size_t i = 0; i < n->n_exceptions; i++) {
		const struct dev_exception *e = &n->exceptions[i];

		fprintf(out, "%c ", e->type);
		format_number(e->major, out);
		fputc(':', out);
		format_number(e->minor, out);
		fprintf(out, " %s%s%s\n", e->access & CGFS_ACCESS_READ ? "r" : "",
			e->access & CGFS_ACCESS_WRITE ? "w" : "",
			e->access & CGFS_ACCESS_MKNOD ? "m" : "");
	}
	return 0;
}

static void online(struct node *n)
{
	if (n->parent)
		copy(n, n->parent);
	else
		clear(n, true);
}

static const struct ctl_file v1[] = {
	CTL("devices.allow", BOTH, NULL, store_allow),
	CTL("devices.deny", BOTH, NULL, store_deny),
	CTL("devices.list", BOTH, show_list, NULL),
	{ .name = NULL },
};

const struct controller fake_devices = { .v1_name = "devices", .v1 = v1, .online = online };
