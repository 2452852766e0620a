/* SPDX-License-Identifier: MIT */
/*
 * address.c - the two kinds of sockets on which a host is reached.  Never waits.
 */
#include "agent/wire/address.h"

#include <linux/vm_sockets.h>
#include <stdio.h>
#include <stdlib.h>

#include "cgfs/base/util.h"

static bool number(const char *text, const char **ret_end, uint32_t *ret)
{
	char *end;
	unsigned long long n;

	errno = 0;
	n = strtoull(text, &end, 0);
	if (*text < '0' || *text > '9' || errno || n > UINT32_MAX)
		return false;
	*ret = (uint32_t)n;
	*ret_end = end;
	return true;
}

int address_parse(const char *text, struct address *ret)
{
	struct address a = { .cid = ADDRESS_HOST_CID };
	const char *end;

	if (strncmp(text, "unix:", 5) == 0 && text[5]) {
		if (strlen(text + 5) >= sizeof(a.path))
			return -ENAMETOOLONG;
		strcpy(a.path, text + 5);
		*ret = a;
		return 0;
	}
	if (strncmp(text, "vsock:", 6) != 0 || !number(text + 6, &end, &a.port))
		return -EINVAL;
	if (*end == ':') {
		a.cid = a.port;
		if (!number(end + 1, &end, &a.port))
			return -EINVAL;
	}
	if (*end)
		return -EINVAL;
	a.vsock = true;
	*ret = a;
	return 0;
}

const char *address_text(const struct address *a, char buf[ADDRESS_TEXT_MAX])
{
	if (a->vsock)
		snprintf(buf, ADDRESS_TEXT_MAX, "vsock:%u:%u", a->cid, a->port);
	else
		snprintf(buf, ADDRESS_TEXT_MAX, "unix:%s", a->path);
	return buf;
}

int address_beside(const struct address *base, uint32_t port, struct address *ret)
{
	struct address a = *base;

	a.port = port;
	if (!a.vsock &&
	    snprintf(a.path, sizeof(a.path), "%s_%u", base->path, port) >= (int)sizeof(a.path))
		return -ENAMETOOLONG;
	*ret = a;
	return 0;
}

union any {
	struct sockaddr sa;
	struct sockaddr_un un;
	struct sockaddr_vm vm;
};

static socklen_t fill(const struct address *a, union any *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (a->vsock) {
		ret->vm.svm_family = AF_VSOCK;
		ret->vm.svm_cid = a->cid;
		ret->vm.svm_port = a->port;
		return sizeof(ret->vm);
	}
	ret->un.sun_family = AF_UNIX;
	strcpy(ret->un.sun_path, a->path);
	return sizeof(ret->un);
}

int address_connect(const struct address *a, bool *ret_pending)
{
	auto_fd int fd = -EBADF;
	union any to;
	socklen_t len = fill(a, &to);

	fd = socket(a->vsock ? AF_VSOCK : AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	*ret_pending = false;
	if (connect(fd, &to.sa, len) < 0) {
		if (errno != EINPROGRESS)
			return -errno;
		*ret_pending = true;
	}
	return take_fd(&fd);
}

int address_connected(int fd)
{
	int code = 0;
	socklen_t len = sizeof(code);

	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &len) < 0 ? -errno : -code;
}

int address_listen_vsock(const struct address *a, int queue)
{
	struct address any = *a;
	auto_fd int fd = -EBADF;
	union any at;
	socklen_t len;

	any.cid = VMADDR_CID_ANY;
	len = fill(&any, &at);
	fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || bind(fd, &at.sa, len) < 0 || listen(fd, queue) < 0)
		return -errno;
	return take_fd(&fd);
}
