/* SPDX-License-Identifier: MIT */
/*
 * input.c - a file that the command line names, as a whole.
 */
#include "agent/podctl/args/args.h"

#include <fcntl.h>

#define MAX_BYTES ((1u << 20) + 1) /* one byte more than the library takes of resources */

int input_read(const char *file, char **ret, size_t *ret_len, struct cgfs_err *reterr)
{
	auto_fd int opened = streq(file, "-") ? -EBADF : open(file, O_RDONLY | O_CLOEXEC);
	int fd = streq(file, "-") ? STDIN_FILENO : opened;
	auto_free char *text = NULL;
	size_t len = 0;
	ssize_t n = 1;

	if (fd < 0)
		return cgfs_err_set(reterr, -errno, "read", file, NULL, NULL);
	text = malloc(MAX_BYTES);
	if (!text)
		return no_memory(reterr);
	while (n > 0 && len < MAX_BYTES) {
		n = read(fd, text + len, MAX_BYTES - len);
		if (n < 0 && errno == EINTR)
			n = 1;
		else if (n > 0)
			len += (size_t)n;
	}
	if (n < 0)
		return cgfs_err_set(reterr, -errno, "read", file, NULL, NULL);
	*ret = take_ptr(text);
	*ret_len = len;
	return 0;
}
