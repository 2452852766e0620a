// SPDX-License-Identifier: MIT
/*
 * notify.c - what looks like inotify(7): records of struct inotify_event in a real pipe.
 *
 * As seen on real kernels: a write through the door and what the kernel itself announces
 * (cgroup.events, memory.events ...) give IN_MODIFY; an event that repeats the last unread one is
 * merged; removing the cgroup gives IN_IGNORED since 7.2, for files that no process has open, and
 * nothing before; files that go because their controller was disabled give nothing.
 */
#include "host.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define QUEUE_MOST 16384 /* events, as fs.inotify.max_queued_events */

static void drop(struct fake *f, struct notifier *gone)
{
	struct notifier **link = &f->notifiers;

	while (*link != gone)
		link = &(*link)->next;
	*link = gone->next;
	close(gone->wfd);
	free(gone->watches);
	free(gone);
}

static struct notifier *find(struct fake *f, int nfd)
{
	struct notifier *nt = f->notifiers;

	while (nt && nt->rfd != nfd)
		nt = nt->next;
	return nt;
}

int fake_notify_open(struct fake *f)
{
	struct notifier *nt;
	int fds[2];

	if (pipe2(fds, O_NONBLOCK | O_CLOEXEC) < 0)
		return -errno;
	/* The library closed the old one with close(2), and the number came again. */
	nt = find(f, fds[0]);
	if (nt)
		drop(f, nt);
	/* Room for the whole queue; a smaller pipe only overflows earlier. */
	fcntl(fds[1], F_SETPIPE_SZ, 2 * QUEUE_MOST * (int)sizeof(struct inotify_event));
	nt = fake_alloc(sizeof(*nt));
	nt->rfd = fds[0];
	nt->wfd = fds[1];
	nt->next = f->notifiers;
	f->notifiers = nt;
	return nt->rfd;
}

bool fake_notify_close(struct fake *f, int nfd)
{
	struct notifier *nt = find(f, nfd);

	if (!nt)
		return false;
	close(nt->rfd);
	drop(f, nt);
	return true;
}

void fake_notify_free(struct fake *f)
{
	while (f->notifiers)
		drop(f, f->notifiers);
}

/* The read end, or none? */
static bool is_open(const struct notifier *nt)
{
	struct pollfd p = { .fd = nt->wfd, .events = POLLOUT };

	return poll(&p, 1, 0) >= 0 && !(p.revents & (POLLERR | POLLNVAL));
}

static void emit(struct notifier *nt, int wd, uint32_t mask)
{
	struct inotify_event e = { .wd = wd, .mask = mask };
	int unread = 0, room = fcntl(nt->wfd, F_GETPIPE_SZ) / (int)sizeof(e) - 1;

	if (ioctl(nt->wfd, FIONREAD, &unread) < 0)
		return;
	if (unread && nt->last_wd == wd && nt->last_mask == mask)
		return;
	if (unread / (int)sizeof(e) >= (room < QUEUE_MOST ? room : QUEUE_MOST)) {
		if (nt->last_mask == IN_Q_OVERFLOW)
			return;
		e = (struct inotify_event){ .wd = -1, .mask = IN_Q_OVERFLOW };
	}
	if (write(nt->wfd, &e, sizeof(e)) != sizeof(e))
		abort();
	nt->last_wd = e.wd;
	nt->last_mask = e.mask;
}

static struct watch *watch_of(struct notifier *nt, const struct node *n,
			      const struct ctl_file *type)
{
	for (size_t i = 0; i < nt->n_watches; i++) {
		if (nt->watches[i].node == n && nt->watches[i].type == type)
			return &nt->watches[i];
	}
	return NULL;
}

int fake_notify_add(struct fake *f, int nfd, struct node *n, const struct ctl_file *type)
{
	struct notifier *nt = find(f, nfd);
	struct watch *w;

	if (!nt)
		return fcntl(nfd, F_GETFD) < 0 ? -EBADF : -EINVAL;
	w = watch_of(nt, n, type);
	if (w)
		return w->wd;
	nt->watches = fake_grow(nt->watches, nt->n_watches + 1, sizeof(*w));
	w = &nt->watches[nt->n_watches++];
	*w = (struct watch){ ++nt->next_wd, n, type };
	return w->wd;
}

static void forget(struct notifier *nt, struct watch *w)
{
	emit(nt, w->wd, IN_IGNORED);
	*w = nt->watches[--nt->n_watches];
}

int fake_notify_remove(struct fake *f, int nfd, int wd)
{
	struct notifier *nt = find(f, nfd);

	if (!nt)
		return fcntl(nfd, F_GETFD) < 0 ? -EBADF : -EINVAL;
	for (size_t i = 0; i < nt->n_watches; i++) {
		if (nt->watches[i].wd == wd) {
			forget(nt, &nt->watches[i]);
			return 0;
		}
	}
	return -EINVAL;
}

void fake_notify(struct node *n, const struct ctl_file *type)
{
	struct notifier *next;

	for (struct notifier *nt = n->host->notifiers; nt; nt = next) {
		struct watch *w = watch_of(nt, n, type);

		next = nt->next;
		if (!w)
			continue;
		if (is_open(nt))
			emit(nt, w->wd, IN_MODIFY);
		else
			drop(n->host, nt);
	}
}

void fake_notify_name(struct node *n, const char *name)
{
	const struct ctl_file *type;
	int ctl;

	if (!n->host->notifiers)
		return;
	type = fake_node_file(n, name, &ctl);
	if (type)
		fake_notify(n, type);
}

static bool is_open_elsewhere(const struct node *n, const struct ctl_file *type)
{
	for (size_t i = 0; i < n->host->n_files; i++) {
		const struct open_file *o = &n->host->files[i];

		if (o->used && o->node == n && o->type == type)
			return true;
	}
	return false;
}

void fake_notify_gone(struct node *n)
{
	bool deleted = fake_since(n->host, FAKE_KERNEL_7_2);

	for (struct notifier *nt = n->host->notifiers; nt; nt = nt->next) {
		for (size_t i = nt->n_watches; i-- > 0;) {
			struct watch *w = &nt->watches[i];

			if (w->node != n)
				continue;
			if (deleted && is_open(nt) && !is_open_elsewhere(n, w->type))
				forget(nt, w);
			else
				w->node = NULL;
		}
	}
}

void fake_notify_hidden(struct node *n, int ctl)
{
	for (struct notifier *nt = n->host->notifiers; nt; nt = nt->next) {
		for (size_t i = 0; i < nt->n_watches; i++) {
			struct watch *w = &nt->watches[i];
			int of;

			if (w->node == n && fake_node_file(n, w->type->name, &of) && of == ctl)
				w->node = NULL;
		}
	}
}
