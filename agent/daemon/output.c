/* SPDX-License-Identifier: MIT */
/*
 * output.c - where the agent writes its log, and its last words.
 */
#include "agent/daemon/output.h"

#include <fcntl.h>
#include <stdio.h>

#include "agent/base/log.h"
#include "agent/daemon/options.h"
#include "cgfs/base/util.h"

int output_open(struct log *log, const struct options *o, struct cgfs_err *err)
{
	log->json = streq(o->log_format, "json");
	if (log_level_parse(o->log_level, &log->level) < 0)
		return -EINVAL; /* checked with the options */
	/* A copy, because the parent process can have closed the original. */
	log->fd = o->log_file ? open(o->log_file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640)
			      : fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	if (log->fd < 0 && o->log_file)
		return cgfs_err_set(err, -errno, "open log", o->log_file, NULL, NULL);
	return 0;
}

void output_reopen(struct log *log, const char *path)
{
	int fd;

	if (!path) {
		log_write(log, LOG_INFO, "SIGHUP: there is no log file to open again", NULL);
		return;
	}
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
	if (fd < 0) {
		log_write(log, LOG_ERROR, "cannot open the log file again, the old one is kept",
			  "file", path, "error", strerror(errno), NULL);
		return;
	}
	log_write(log, LOG_INFO, "SIGHUP: the log continues in a new file", "file", path, NULL);
	close(log->fd);
	log->fd = fd;
	log_write(log, LOG_INFO, "SIGHUP: the log file was opened again", "file", path, NULL);
}

struct log output_early(const struct options *o)
{
	return (struct log){ .fd = STDERR_FILENO,
			     .level = LOG_INFO,
			     .json = streq(o->log_format, "json") };
}

/*
 * What ends the agent before, or instead of, its work.  A host that asked for JSON reads stderr
 * with a JSON decoder, which stops for good at a line that is something else; so the format is
 * looked for even where the options could not be understood.
 */
void output_fatal(int argc, char **argv, const char *text)
{
	struct log log = { .fd = STDERR_FILENO, .level = LOG_ERROR };

	for (int i = 1; i < argc; i++) {
		const char *word = argv[i] + strspn(argv[i], "-");

		if (word != argv[i] &&
		    (streq(word, "log-format=json") ||
		     (streq(word, "log-format") && i + 1 < argc && streq(argv[i + 1], "json"))))
			log.json = true;
	}
	if (log.json)
		log_write(&log, LOG_ERROR, "the agent cannot go on", "error", text, NULL);
	else
		fprintf(stderr, "cgfs-agent: %s\n", text);
}
