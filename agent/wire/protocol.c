/* SPDX-License-Identifier: MIT */
/*
 * protocol.c - look-ups in the tables of protocol.h.  Knows nothing of connections.
 */
#include "agent/wire/protocol.h"

#include <cgfs/cgfs.h>
#include <errno.h>
#include <stdio.h>

#include "cgfs/base/util.h"

const char *protocol_name(uint32_t type)
{
	switch (type) {
#define NAME_CASE(name, value, text)                                                               \
	case value:                                                                                \
		return text;
		PROTOCOL_REQUESTS(NAME_CASE)
#undef NAME_CASE
	default:
		return NULL;
	}
}

const char *protocol_hresult_text(uint32_t hr)
{
	switch (hr) {
#define TEXT_CASE(name, value, text)                                                               \
	case value:                                                                                \
		return text;
		PROTOCOL_HRESULTS(TEXT_CASE)
#undef TEXT_CASE
	default:
		return "unknown HRESULT";
	}
}

uint32_t protocol_hresult_from_errno(int code)
{
	switch (-code) {
	case 0:
		return HR_OK;
	case EINVAL:
	case ENAMETOOLONG:
	case E2BIG:
		return HR_INVALID_ARG;
	case ESRCH:
		return HR_NOT_FOUND;
	case EEXIST:
		return HR_SYSTEM_EXISTS;
	case ETIMEDOUT:
		return HR_TIMEOUT;
	default:
		return HR_FAIL;
	}
}

int protocol_errno_from_hresult(uint32_t hr)
{
	switch (hr) {
	case HR_OK:
		return 0;
	case HR_NOT_IMPL:
	case HR_UNKNOWN_MESSAGE:
		return -ENOSYS;
	case HR_NOT_FOUND:
		return -ESRCH;
	case HR_SYSTEM_NOT_FOUND:
		return -ENOENT;
	case HR_INVALID_ARG:
	case HR_INVALID_JSON:
		return -EINVAL;
	case HR_TIMEOUT:
		return -ETIMEDOUT;
	case HR_UNSUPPORTED_VERSION:
		return -EPROTONOSUPPORT;
	case HR_SYSTEM_EXISTS:
		return -EEXIST;
	case HR_SYSTEM_STOPPED:
		return -EALREADY;
	case HR_INVALID_STATE:
		return -EBUSY;
	default:
		return -EIO;
	}
}

#define FIGURE(name, bit) { name, bit },
static const struct {
	const char *name;
	unsigned int bit;
} figures[] = { PROTOCOL_FIGURES(FIGURE) };

unsigned int protocol_figures(const char *names)
{
	unsigned int what = 0;

	if (streq(names, "brief"))
		return PROTOCOL_READ_BRIEF;
	if (streq(names, "all"))
		return PROTOCOL_READ_FIGURES;
	while (*names) {
		size_t len = strcspn(names, ","), i = 0;

		while (i < ARRAY_SIZE(figures) && (strlen(figures[i].name) != len ||
						   strncmp(figures[i].name, names, len) != 0))
			i++;
		if (i == ARRAY_SIZE(figures))
			return 0;
		what |= figures[i].bit;
		names += len + (names[len] == ',');
	}
	return what;
}

char *protocol_figures_text(unsigned int what, char buf[PROTOCOL_FIGURES_MAX])
{
	size_t n = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(figures); i++) {
		if (what & figures[i].bit)
			n += (size_t)snprintf(buf + n, PROTOCOL_FIGURES_MAX - n, "%s%s",
					      n ? "," : "", figures[i].name);
	}
	return buf;
}
