/* SPDX-License-Identifier: MIT */
/*
 * screen.c - frames of text on a terminal, in one write each; or one after another where there is
 * no terminal.  Knows nothing of what is shown.
 */
#include "agent/podctl/show/screen.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cgfs/base/util.h"

#define ESC "\033"

/* How long the rest of a key's escape sequence may take. */
#define SEQUENCE_MS 30

void screen_measure(struct screen *s)
{
	const char *columns = getenv("COLUMNS");
	struct winsize size;

	if (ioctl(1, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
		s->columns = size.ws_col;
		s->lines = s->live ? size.ws_row : 0;
		return;
	}
	s->columns = columns ? atoi(columns) : 0;
	if (s->columns < 20 || s->columns > 1000)
		s->columns = 120;
	s->lines = s->live ? 24 : 0;
}

static void put(const char *text)
{
	ignore(write(1, text, strlen(text)));
}

int screen_enter(struct screen *s, struct cgfs_err *reterr)
{
	struct termios raw;

	screen_measure(s);
	if (!s->live)
		return 0;
	if (tcgetattr(0, &s->saved) < 0)
		return cgfs_err_set(reterr, -errno, "set terminal", NULL, NULL, NULL);
	raw = s->saved;
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	raw.c_cc[VMIN] = 0;
	raw.c_cc[VTIME] = 0;
	if (tcsetattr(0, TCSANOW, &raw) < 0)
		return cgfs_err_set(reterr, -errno, "set terminal", NULL, NULL, NULL);
	/* Another screen, without a cursor and without wrapping. */
	put(ESC "[?1049h" ESC "[?25l" ESC "[?7l" ESC "[2J");
	return 0;
}

void screen_leave(struct screen *s)
{
	if (!s->live)
		return;
	put(ESC "[?7h" ESC "[?25h" ESC "[?1049l");
	(void)tcsetattr(0, TCSANOW, &s->saved);
}

int screen_open(struct screen *s, bool live, struct cgfs_err *reterr)
{
	const char *term = getenv("TERM"), *no_colour = getenv("NO_COLOR");

	*s = (struct screen){ .live = live };
	s->colour = !(no_colour && *no_colour) && isatty(1) && term && !streq(term, "dumb");
	return screen_enter(s, reterr);
}

void screen_close(struct screen *s)
{
	screen_leave(s);
	s->live = false;
}

int screen_begin(struct screen *s)
{
	s->text = NULL;
	s->line = 0;
	s->f = open_memstream(&s->text, &s->len);
	if (!s->f)
		return -ENOMEM;
	if (s->live)
		fputs(ESC "[H", s->f);
	return 0;
}

void screen_style(struct screen *s, enum style style)
{
	static const char *const codes[] = { ESC "[0m",	 ESC "[1m",  ESC "[2m",
					     ESC "[33m", ESC "[31m", ESC "[7m" };

	/* What is selected is seen without colours as well: reversed is none. */
	if (s->colour || (s->live && (style == STYLE_SELECTED || style == STYLE_PLAIN)))
		fputs(codes[style], s->f);
}

void screen_newline(struct screen *s)
{
	if (s->live) {
		fputs(ESC "[K", s->f);
		/* One at the end of the last line would scroll. */
		if (++s->line < s->lines)
			fputs("\r\n", s->f);
	} else {
		fputc('\n', s->f);
	}
}

int screen_end(struct screen *s)
{
	int r;

	if (s->live)
		fputs(ESC "[J", s->f);
	r = fclose(s->f) == 0 ? 0 : -ENOMEM;
	if (r == 0) {
		fwrite(s->text, 1, s->len, stdout);
		if (fflush(stdout))
			r = -EIO;
	}
	free(s->text);
	s->text = NULL;
	return r;
}

static int next_byte(int timeout_ms)
{
	struct pollfd p = { .fd = 0, .events = POLLIN };
	unsigned char c;

	return poll(&p, 1, timeout_ms) == 1 && read(0, &c, 1) == 1 ? c : -1;
}

int screen_key(struct screen *s)
{
	int c = s->live ? next_byte(0) : -1, number = 0;

	if (c != 033)
		return c < 0 ? KEY_NONE : c;
	c = next_byte(SEQUENCE_MS);
	if (c != '[' && c != 'O')
		return 033;
	for (c = next_byte(SEQUENCE_MS); c >= '0' && c <= '9'; c = next_byte(SEQUENCE_MS))
		number = number * 10 % 1000 + c - '0';
	switch (c) {
	case 'A':
		return KEY_UP;
	case 'B':
		return KEY_DOWN;
	case 'H':
		return KEY_HOME;
	case 'F':
		return KEY_END;
	case '~':
		return number == 5   ? KEY_PAGE_UP
		       : number == 6 ? KEY_PAGE_DOWN
		       : number == 1 ? KEY_HOME
		       : number == 4 ? KEY_END
				     : KEY_NONE;
	default:
		return KEY_NONE;
	}
}
