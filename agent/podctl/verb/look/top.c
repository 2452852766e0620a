/* SPDX-License-Identifier: MIT */
/*
 * top.c - the verb `top`: pods and containers as they are now, again and again.
 */
#include "agent/podctl/show/top.h"
#include "agent/podctl/verb/verb.h"

#include <poll.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <time.h>

static int set_delay(const char *what, const char *value, void *to, struct cgfs_err *reterr)
{
	int r = value_seconds(what, value, to, reterr);

	if (r == 0 && (*(uint64_t *)to < 100 || *(uint64_t *)to > 86400000))
		r = cgfs_err_set(reterr, -EINVAL, what, NULL, value, "not in 0.1..86400");
	return r;
}

static const struct opt options[] = {
	{ "batch", 'b', NULL, opt_flag, offsetof(struct args, batch),
	  "print one frame after another, without keys and colours\n"
	  "(the default when standard output is not a terminal)" },
	{ "frames", 'n', "N", opt_count, offsetof(struct args, frames), "end after N frames" },
	{ "delay", 'd', "SECONDS", set_delay, offsetof(struct args, delay_ms),
	  "take a new frame after this time (default: 1)" },
	{ "sort", 's', "COLUMN", opt_string, offsetof(struct args, sort),
	  "sort by this column, the highest first; with - before it the\n"
	  "lowest first (default: cpu)" },
	{ 0 },
};

static const struct opt *const tables[] = { options, label_filter_options, opt_answer_long, NULL };

struct view {
	const struct args *a;
	struct source *s;
	struct top top;
	struct screen screen;
	struct group_list list;
	int sigfd;
	uint64_t next_us, frames;
	bool over, typing; /* typing: a filter */
	int question;	   /* a signal that may be sent; 0: none */
	char note[1024];   /* below the rows, until the next key */
};

static uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static int check(struct args *a, struct cgfs_err *reterr)
{
	const char *name = a->sort ? a->sort + (*a->sort == '-') : "cpu";
	char names[256];

	top_column_names(names, sizeof(names));
	if (!top_find_column(name))
		return cgfs_err_set(reterr, -EINVAL, "--sort", NULL, name, "must be one of %s",
				    names);
	if (a->json)
		return cgfs_err_set(reterr, -EINVAL, "--json", NULL, NULL,
				    "top prints no JSON; `podctl ls --json` has the figures");
	return operands_check(a, reterr);
}

/* --- a frame -------------------------------------------------------------------------------------
 */

static int take(struct view *v, struct cgfs_err *reterr)
{
	unsigned int what = top_figures(&v->top, v->screen.columns);
	int r;

	list_free(&v->list);
	v->list = (struct group_list){ 0 };
	r = operands_list(v->s, what, &v->list, reterr);
	list_keep_labels(&v->list, &v->a->labels);
	if (r == 0 && top_update(&v->top, &v->list, now_us()) < 0)
		r = no_memory(reterr);
	/* The question was about one that is gone. */
	if (!v->top.selected)
		v->question = 0;
	return r;
}

static void head(struct view *v)
{
	char memory[OUT_LEN], clock[16], line[512];
	time_t now = time(NULL);

	snprintf(clock, sizeof(clock), "%02u:%02u:%02uZ", (unsigned int)(now / 3600 % 24),
		 (unsigned int)(now / 60 % 60), (unsigned int)(now % 60));
	snprintf(line, sizeof(line),
		 "%s  pods %zu, containers %zu  CPU %llu.%llu%%  memory %s  %s%s", clock,
		 v->top.pods, v->top.containers, (unsigned long long)(v->top.cpu / 10),
		 (unsigned long long)(v->top.cpu % 10), out_value(memory, "bytes", v->top.memory),
		 *v->top.filter ? "only: " : "", v->top.filter);
	fprintf(v->screen.f, "%.*s", v->screen.columns, line);
	screen_newline(&v->screen);
}

static void foot(struct view *v)
{
	const struct group_info *g = top_selected(&v->top);
	char line[1100];

	if (v->question && g)
		snprintf(line, sizeof(line), "%s every process of %s%s%s? (y/n)",
			 v->question == SIGKILL ? "kill" : "end", g->pod, *g->ctr ? "/" : "",
			 g->ctr);
	else if (v->typing)
		snprintf(line, sizeof(line), "only names with: %s_", v->top.filter);
	else if (*v->note)
		snprintf(line, sizeof(line), "%s", v->note);
	else
		snprintf(line, sizeof(line),
			 "q quit  <> sort  r reverse  / only  space fold  f all  t end  k kill");
	screen_style(&v->screen, v->question ? STYLE_BOLD : STYLE_DIM);
	fprintf(v->screen.f, "%.*s", v->screen.columns - 1, line);
	screen_style(&v->screen, STYLE_PLAIN);
}

static int draw(struct view *v, struct cgfs_err *reterr)
{
	struct screen *s = &v->screen;
	int r = screen_begin(s), lines = s->live ? s->lines - 2 : 0;

	if (r < 0)
		return no_memory(reterr);
	head(v);
	top_draw(&v->top, s, lines > 0 ? lines : s->live);
	if (s->live) {
		while (s->line < s->lines - 1)
			screen_newline(s);
		foot(v);
	} else {
		screen_newline(s);
	}
	r = screen_end(s);
	/* A reader that has enough is no failure. */
	if (r == -EIO)
		v->over = true;
	return r == -ENOMEM ? no_memory(reterr) : 0;
}

/* --- keys
 * ------------------------------------------------------------------------------------------ */

static void answer(struct view *v, int key)
{
	const struct group_info *g = top_selected(&v->top);
	struct cgfs_err err = { 0 };
	int sig = v->question;
	struct target t;

	v->question = 0;
	if ((key != 'y' && key != 'Y') || !g || target_set(&t, g->pod, g->ctr, &err) < 0)
		return;
	if (kill_group(v->s, &t, sig, &err) < 0)
		snprintf(v->note, sizeof(v->note), "%s", err.text);
	else
		snprintf(v->note, sizeof(v->note), "SIG%s was sent",
			 sig == SIGKILL ? "KILL" : "TERM");
}

static void type(struct view *v, int key)
{
	size_t len = strlen(v->top.filter);

	if (key == '\n' || key == '\r') {
		v->typing = false;
	} else if (key == 033) {
		v->typing = false;
		v->top.filter[0] = '\0';
	} else if ((key == 0177 || key == '\b') && len) {
		v->top.filter[len - 1] = '\0';
	} else if (key > ' ' && key < 0177 && len + 1 < sizeof(v->top.filter)) {
		v->top.filter[len] = (char)key;
		v->top.filter[len + 1] = '\0';
	}
}

static int press(struct view *v, int key)
{
	struct top *t = &v->top;
	long page = v->screen.lines - 3;
	int r = 0;

	v->note[0] = '\0';
	if (v->question) {
		answer(v, key);
		return 0;
	}
	if (v->typing) {
		type(v, key);
		return 0;
	}
	switch (key) {
	case 'q':
	case 'Q':
		v->over = true;
		break;
	case KEY_UP:
		top_move(t, -1, 1);
		break;
	case KEY_DOWN:
	case 'j':
		top_move(t, 1, 1);
		break;
	case KEY_PAGE_UP:
		top_move(t, -1, page);
		break;
	case KEY_PAGE_DOWN:
		top_move(t, 1, page);
		break;
	case KEY_HOME:
		top_move(t, -1, (long)t->n_rows);
		break;
	case KEY_END:
		top_move(t, 1, (long)t->n_rows);
		break;
	case '<':
		top_next_column(t, -1);
		break;
	case '>':
	case 's':
		top_next_column(t, 1);
		break;
	case 'r':
		t->reverse = !t->reverse;
		break;
	case '/':
		v->typing = true;
		break;
	case ' ':
	case '\n':
	case '\r':
		r = top_fold(t);
		break;
	case 'f':
		t->fold_all = !t->fold_all;
		break;
	case 't':
	case 'k':
		top_move(t, 0, 1);
		v->question = top_selected(t) ? key == 'k' ? SIGKILL : SIGTERM : 0;
		break;
	default:
		break;
	}
	return r;
}

static int keys(struct view *v, struct cgfs_err *reterr)
{
	int key, r = 0;

	while (r == 0 && !v->over && (key = screen_key(&v->screen)) != KEY_NONE)
		r = press(v, key);
	if (r == 0)
		r = top_arrange(&v->top, &v->list);
	return r < 0 ? no_memory(reterr) : 0;
}

/* --- the loop
 * -------------------------------------------------------------------------------------- */

static int signals(struct view *v, struct cgfs_err *reterr)
{
	struct signalfd_siginfo si;
	int r = 0;

	while (r == 0 && read(v->sigfd, &si, sizeof(si)) == sizeof(si)) {
		switch (si.ssi_signo) {
		case SIGWINCH:
			screen_measure(&v->screen);
			break;
		case SIGTSTP:
			screen_leave(&v->screen);
			raise(SIGSTOP);
			r = screen_enter(&v->screen, reterr);
			break;
		default:
			v->over = true;
			break;
		}
	}
	return r;
}

static int step(struct view *v, struct cgfs_err *reterr)
{
	struct pollfd fds[] = { { .fd = v->sigfd, .events = POLLIN },
				{ .fd = v->screen.live ? 0 : -1, .events = POLLIN } };
	uint64_t now = now_us();
	int r = 0;

	if (now < v->next_us) {
		if (poll(fds, 2, (int)((v->next_us - now + 999) / 1000)) < 0 && errno != EINTR)
			return cgfs_err_set(reterr, -errno, "poll", NULL, NULL, NULL);
		if (fds[0].revents)
			r = signals(v, reterr);
		if (r == 0 && fds[1].revents)
			r = keys(v, reterr);
		/* The terminal is gone. */
		v->over |= fds[1].revents & (POLLHUP | POLLERR);
		if (r < 0 || v->over)
			return r;
		if (!fds[0].revents && !fds[1].revents)
			return 0;
		return v->screen.live ? draw(v, reterr) : 0;
	}
	v->next_us = now + v->a->delay_ms * 1000;
	r = take(v, reterr);
	if (r == 0)
		r = draw(v, reterr);
	v->over |= ++v->frames >= v->a->frames;
	return r;
}

static int signals_take(struct view *v, struct cgfs_err *reterr)
{
	static const int taken[] = { SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGWINCH, SIGTSTP };
	sigset_t mask;

	sigemptyset(&mask);
	/* Without a terminal they do what they always do. */
	for (size_t i = 0; v->screen.live && i < ARRAY_SIZE(taken); i++)
		sigaddset(&mask, taken[i]);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	v->sigfd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	return v->sigfd < 0 ? cgfs_err_set(reterr, -errno, "signalfd", NULL, NULL, NULL) : 0;
}

static int top(struct args *a, struct source *s, struct cgfs_err *reterr)
{
	struct view v = { .a = a, .s = s, .sigfd = -EBADF };
	const char *sort = a->sort ? a->sort : "cpu";
	const char *term = getenv("TERM");
	bool live = !a->batch && isatty(0) && isatty(1) && term && !streq(term, "dumb");
	int r;

	v.top.reverse = *sort == '-';
	v.top.sort = top_find_column(sort + v.top.reverse);
	/* The first frame's rates are those since a moment ago. */
	screen_measure(&v.screen);
	r = take(&v, reterr);
	v.next_us = now_us() + (a->delay_ms < 250 ? a->delay_ms : 250) * 1000;
	if (r == 0)
		r = screen_open(&v.screen, live, reterr);
	if (r == 0) {
		if (a->batch)
			v.screen.colour = false;
		r = signals_take(&v, reterr);
		while (r == 0 && !v.over)
			r = step(&v, reterr);
		screen_close(&v.screen);
	}
	if (v.sigfd >= 0)
		close(v.sigfd);
	top_free(&v.top);
	list_free(&v.list);
	return r;
}

const struct verb verb_top = {
	.name = "top",
	.operands = "[POD[/CONTAINER]...]",
	.summary = "Watch pods and containers live",
	.text = "Shows CPU time (of one processor), memory against its limit, pressure (PSI, of\n"
		"the last 10 s), processes, io, devices denied, forks refused and OOM kills; as\n"
		"many columns as the terminal has room for.  Keys: arrows select, <> sort,\n"
		"r reverse, / only names with these letters, space fold a pod, f fold all, t end\n"
		"(SIGTERM) or k kill what is selected, after a question; q quit.",
	.tables = tables,
	.max = -1,
	.check = check,
	.with = top,
};
