/* SPDX-License-Identifier: MIT */
/*
 * screen.h - a terminal as a screen: frames of lines, colours, keys.  Escape sequences that every
 * terminal of today knows, and no library.
 */
#ifndef PODCTL_SCREEN_H
#define PODCTL_SCREEN_H

#include <stdbool.h>
#include <stdio.h>
#include <termios.h>

struct cgfs_err;

enum style {
	STYLE_PLAIN,
	STYLE_BOLD,
	STYLE_DIM,
	STYLE_WARN,
	STYLE_BAD,
	STYLE_SELECTED,
};

/* Keys that are no character. */
enum key {
	KEY_NONE = 0,
	KEY_UP = 256,
	KEY_DOWN,
	KEY_PAGE_UP,
	KEY_PAGE_DOWN,
	KEY_HOME,
	KEY_END,
};

struct screen {
	bool live;	    /* the frames replace each other; else they follow each other */
	bool colour;	    /* not with NO_COLOR */
	int columns, lines; /* lines 0: any number */
	struct termios saved;
	/* the frame that is being made */
	FILE *f;
	char *text;
	size_t len;
	int line;
};

/* @live: take the terminal over. */
int screen_open(struct screen *s, bool live, struct cgfs_err *reterr);
void screen_close(struct screen *s);
/* Gives the terminal back for a while, and takes it again. */
void screen_leave(struct screen *s);
int screen_enter(struct screen *s, struct cgfs_err *reterr);
/* The terminal's size is another one. */
void screen_measure(struct screen *s);

/* A frame: lines between the two. */
int screen_begin(struct screen *s);
void screen_style(struct screen *s, enum style style);
void screen_newline(struct screen *s);
int screen_end(struct screen *s);

/* A key that was typed, KEY_NONE: there is none. */
int screen_key(struct screen *s);

#endif
