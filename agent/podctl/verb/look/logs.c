/* SPDX-License-Identifier: MIT */
/*
 * logs.c - the verb `logs`: what a container has printed.
 */
#include "agent/podctl/source/log.h"
#include "agent/podctl/source/process.h"
#include "agent/podctl/verb/verb.h"
#include "cgfs/base/text.h"

#include <poll.h>
#include <stdio.h>

static const struct opt options[] = {
	{ "follow", 'f', NULL, opt_flag, offsetof(struct args, follow),
	  "continue to print until the container has ended" },
	{ "tail", 'n', "N", opt_count, offsetof(struct args, tail),
	  "print the last N lines (default: all)" },
	{ "since", 0, "TIME", opt_time, offsetof(struct args, since_ns),
	  "print what was written since then: 90s, 10m or 1h30m ago, or a\n"
	  "time in UTC such as 2026-11-30T13:21:47Z" },
	{ "timestamps", 't', NULL, opt_flag, offsetof(struct args, timestamps),
	  "print the time in front of each line" },
	{ 0 },
};

static const struct opt *const tables[] = { options, opt_answer_long, NULL };

static int check(struct args *a, struct cgfs_err *reterr)
{
	return target_parse("logs of", a->argv[0], &a->target, reterr);
}

static void print_json(const struct log_record *l)
{
	json_t *text = json_stringn(l->text, l->len), *doc;

	if (!text) {
		/* Not UTF-8: what is not is shown as escapes. */
		auto_free char *copy = strndup(l->text, l->len), *shown = malloc(4 * l->len + 1);

		if (copy && shown)
			cgfs_text_show(shown, 4 * l->len + 1, copy);
		text = json_string(copy && shown ? shown : "");
	}
	doc = json_pack("{s:s%, s:s, s:b, s:o}", "time", l->time, l->time_len, "stream",
			l->error ? "stderr" : "stdout", "partial", l->partial, "text", text);
	if (doc)
		(void)out_json_line(stdout, doc);
	json_decref(doc);
}

/* @open: per stream, is the line that is being printed not over? */
static void print(const struct args *a, const struct log_record *l, bool open[2])
{
	FILE *f = l->error ? stderr : stdout;

	if (a->json) {
		print_json(l);
		return;
	}
	/* Both may be one file: in the order in which they were printed. */
	if (l->error)
		fflush(stdout);
	if (a->timestamps && !open[l->error])
		fprintf(f, "%.*s ", (int)l->time_len, l->time);
	fwrite(l->text, 1, l->len, f);
	if (!l->partial)
		fputc('\n', f);
	open[l->error] = l->partial;
}

/* The lines of @text that are new enough. */
static uint64_t count(const struct args *a, const char *text, size_t len)
{
	struct log_record l;
	uint64_t n = 0;

	while (log_next(&text, &len, &l))
		n += l.ns >= a->since_ns && !l.partial;
	return n;
}

static void print_all(const struct args *a, const char *text, size_t len, uint64_t skip,
		      bool open[2])
{
	struct log_record l;

	while (log_next(&text, &len, &l)) {
		if (l.ns < a->since_ns)
			continue;
		if (!skip)
			print(a, &l, open);
		else
			skip -= !l.partial;
	}
	fflush(stdout);
}

/* 1 when the container has ended or is gone. */
static int is_over(const struct args *a, struct source *s, struct cgfs_err *reterr)
{
	struct group_info info;
	int r = s->ops->stat(s, &a->target, 0, &info, reterr);

	if (r < 0)
		return r == -ENOENT || r == -ENODEV ? 1 : r; /* or goes while it is read */
	r = info.exit_code >= 0;
	info_free(&info);
	return r;
}

static int follow(const struct args *a, struct source *s, const struct group_info *info,
		  struct log_file *log, bool open[2], struct cgfs_err *reterr)
{
	auto_fd int pidfd = info->pid ? process_open(info->pid, info->path) : -EBADF;
	int over = 0;
	bool first = true;
	const char *text;
	ssize_t n;

	for (;;) {
		struct pollfd fds[] = { { .fd = log_fd(log), .events = POLLIN },
					{ .fd = pidfd, .events = POLLIN } };

		if (!first && poll(fds, 2, pidfd < 0 ? PROCESS_NOTICED_MS : -1) < 0 &&
		    errno != EINTR)
			return cgfs_err_set(reterr, -errno, "poll", NULL, NULL, NULL);
		if (!first && fds[1].revents)
			close(take_fd(&pidfd));
		first = false;
		log_seen(log);
		/* Asked before the rest is read: what it printed before its end is there then. */
		if (pidfd < 0)
			over = is_over(a, s, reterr);
		if (over < 0)
			return over;
		n = log_more(log, &text, reterr);
		if (n < 0)
			return (int)n;
		print_all(a, text, (size_t)n, 0, open);
		if (over || ferror(stdout))
			return 0;
	}
}

static int show(const struct args *a, struct source *s, const struct group_info *info,
		struct cgfs_err *reterr)
{
	struct log_file *log;
	bool open[2] = { false, false };
	const char *text;
	uint64_t lines;
	ssize_t n;
	int r = log_open(info->log, &log, reterr);

	if (r < 0)
		return r;
	n = log_more(log, &text, reterr);
	if (n >= 0) {
		lines = a->tail == CGFS_MAX ? 0 : count(a, text, (size_t)n);
		print_all(a, text, (size_t)n, lines > a->tail ? lines - a->tail : 0, open);
	}
	r = n < 0 ? (int)n : 0;
	if (r == 0 && a->follow)
		r = follow(a, s, info, log, open, reterr);
	log_close(log);
	return r;
}

static int logs(struct args *a, struct source *s, struct cgfs_err *reterr)
{
	struct group_info info = { 0 };
	int r = source_container(s, &a->target, false, reterr);

	if (r == 0)
		r = s->ops->stat(s, &a->target, 0, &info, reterr);
	if (r == 0 && !info.log)
		r = cgfs_err_set(reterr, -ENOENT, NULL, NULL, NULL,
				 "its output is not kept; an agent keeps that of `run --detach` "
				 "and `create`");
	if (r == 0)
		r = show(a, s, &info, reterr);
	info_free(&info);
	return r < 0 ? cgfs_err_context(reterr, r, "logs of \"%s\"", a->argv[0]) : r;
}

const struct verb verb_logs = {
	.name = "logs",
	.operands = "POD[/CONTAINER]",
	.summary = "Print what a container has printed",
	.text = "An agent keeps what a container prints that was started with `run --detach` or "
		"by\n"
		"`create`: the last 1 to 2 MiB, until the container is removed.  Lines of its\n"
		"standard error are printed to standard error.",
	.tables = tables,
	.here = true,
	.min = 1,
	.max = 1,
	.check = check,
	.with = logs,
};
