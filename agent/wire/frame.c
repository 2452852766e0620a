/* SPDX-License-Identifier: MIT */
/*
 * frame.c - encode and decode the message header, and judge its size.  Pure; reads nothing.
 */
#include "agent/wire/frame.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

void frame_encode(const struct frame_header *h, uint8_t out[FRAME_HEADER_SIZE])
{
	uint32_t type = htole32(h->type);
	uint32_t size = htole32(h->size);
	uint64_t id = htole64(h->id);

	memcpy(out, &type, sizeof(type));
	memcpy(out + 4, &size, sizeof(size));
	memcpy(out + 8, &id, sizeof(id));
}

int frame_decode(const uint8_t in[FRAME_HEADER_SIZE], struct frame_header *ret)
{
	memcpy(&ret->type, in, sizeof(ret->type));
	memcpy(&ret->size, in + 4, sizeof(ret->size));
	memcpy(&ret->id, in + 8, sizeof(ret->id));
	ret->type = le32toh(ret->type);
	ret->size = le32toh(ret->size);
	ret->id = le64toh(ret->id);

	if (ret->size < FRAME_HEADER_SIZE)
		return -EBADMSG;
	if (ret->size > FRAME_SIZE_MAX)
		return -EMSGSIZE;
	return 0;
}
