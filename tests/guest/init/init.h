/* SPDX-License-Identifier: MIT */
/* init.h - what the parts of a guest's process 1 know of each other. */
#ifndef GUEST_INIT_H
#define GUEST_INIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* setup.c */
void set_up(void);
char *word(const char *key);
void say(const char *what, const char *name);
void write_text(const char *path, const char *text);
bool mnt(const char *type, const char *path, const char *options);
#define CGROOTS_MAX 32
extern char *cgroots[CGROOTS_MAX]; /* where cgroup hierarchies are mounted */
extern int n_cgroots;

/* report.c */
struct stream {
	const char *tag;
	int fd;
	uint8_t held[3]; /* base64 goes out in whole groups of three bytes */
	size_t n_held;
	size_t bytes;
};
void report_open(const char *nonce_word);
void report_close(void);
void report(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
bool stream_read(struct stream *s);
void stream_end(struct stream *s);

/* clean.c */
int64_t now_ms(void);
void thaw_all(void);
void kill_rest(void);
void sweep_all(void);

#endif
