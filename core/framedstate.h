/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_FRAMEDSTATE_H
#define CORE_FRAMEDSTATE_H

#include "core/layer.h"

/* Shared by framed.c (life and writing) and framedread.c (reading). */
enum {
	CORE_FRAMED_LENGTH = 4,
	CORE_FRAMED_HEAD = 16, /* In front of what is read or copied: for a relay. */
};

struct muses_framed {
	struct muses_layer *layer;
	struct muses_channel *channel;
	int fd;
	bool connecting, blocked, busy, closed;
	struct muses_watch watch;
	struct muses_task flush;
	struct muses_timer slow;  /* A frame has begun. */
	struct muses_timer retry; /* There were no buffers. */
	struct muses_buf *cur;
	uint64_t frames;      /* Taken in so far ... */
	uint64_t slow_frames; /* ... and when slow was armed, */
	size_t slow_size;     /* with that much of the next. */
	size_t expect;        /* Bytes of the next frame, length included. */
	size_t deep;          /* Buffers for the next readv(). */
	struct muses_queue out;
	size_t skip;
	size_t peak; /* Most bytes waiting since the last writable(). */
};

static inline uint32_t core_framed_mtu(const struct muses_framed *f)
{
	return ((const struct muses_transport_ops *)f->layer->ops)->mtu;
}

/* The channel is over: forget it, then tell.  f is gone or, while busy, closed. */
void core_framed_down(struct muses_framed *f, const char *reason);
/* Want to read, and to write where that is blocked. */
void core_framed_want(struct muses_framed *f);
/* f is busy. */
void core_framed_read(struct muses_framed *f);
void core_framed_slow(struct muses_timer *t);
void core_framed_retry(struct muses_timer *t);

#endif
