/* SPDX-License-Identifier: MIT */
/*
 * frame.h - the 16-byte header in front of every message.
 */
#ifndef AGENT_COMMON_FRAME_H
#define AGENT_COMMON_FRAME_H

#include "agent/wire/protocol.h"

#include <stddef.h>
#include <stdint.h>

/* Descriptors that one message may carry: stdin, stdout, stderr. */
#define FRAME_FDS_MAX 3

struct frame_header {
	uint32_t type;
	uint32_t size; /* of the whole message, these 16 bytes included */
	uint64_t id;
};

void frame_encode(const struct frame_header *h, uint8_t out[FRAME_HEADER_SIZE]);
/* 0, or -EBADMSG when the size is below 16, -EMSGSIZE when it is above FRAME_SIZE_MAX; @ret is
 * filled either way, for the log. */
int frame_decode(const uint8_t in[FRAME_HEADER_SIZE], struct frame_header *ret);

#endif
