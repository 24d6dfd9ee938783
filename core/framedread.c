/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading frames from a stream.
 *
 * It guesses that the next frames are as large as the last one and gives readv()
 * one buffer for each: if that holds, as it does while data flows, every frame
 * lands alone in a buffer of its size and is handed up as it is.  What does not fit
 * the guess is put right by copying, never by trusting a length: room is made for
 * bytes that have come, or for one frame of at most the MTU.
 */
#include "core/framedstate.h"

#include <muses/wire.h>

#include <errno.h>
#include <sys/uio.h>

enum {
	LENGTH = CORE_FRAMED_LENGTH,
	HEAD = CORE_FRAMED_HEAD,
	SMALL = 2048,            /* Up to here a frame is copied out. */
	READ_ROOM = 16384 - 256, /* When small frames are expected. */
	MOST_READ = 8,           /* Buffers a readv(). */
	TURN_BYTES = 512 * 1024, /* Then others get their turn. */
	FRAME_S = 10,            /* In that time a frame that has begun ... */
	FRAME_LEAST = 1024,      /* ... grows by that much, or is complete. */
	RETRY_MS = 10,           /* No buffers: look again. */
};

/* ---- reading: bytes to frames ---------------------------------------------------- */

/* The length that begins at data, or 0 if that is none. */
static size_t frame_size(const struct muses_framed *f, const uint8_t *data)
{
	struct muses_reader r = muses_reader(data, LENGTH);
	uint32_t length = muses_read_u32(&r);

	return length == 0 || length > core_framed_mtu(f) ? 0 : LENGTH + (size_t)length;
}

/* One whole frame, length included, alone in b, which was made with that much
 * room; takes b over. */
static void deliver(struct muses_framed *f, struct muses_buf *b)
{
	size_t room = b->size + (size_t)b->tail;

	f->frames++;
	f->expect = b->size;
	/* A small frame must not hold a large block. */
	if (b->size <= SMALL ? room > 2 * SMALL : b->size < room / 8) {
		struct muses_buf *small = muses_buf_copy(f->layer, b, HEAD);

		muses_buf_free(b);
		b = small;
	}
	if (b == NULL) {
		muses_count(f->layer, "dropped: no buffer");
		return;
	}
	muses_buf_pull(b, LENGTH);
	muses_channel_packet(f->layer, f->channel, b);
}

/* The first size bytes of b are a frame. */
static void deliver_front(struct muses_framed *f, struct muses_buf *b, size_t size)
{
	struct muses_buf *front;

	if (size > SMALL) {
		front = muses_buf_split(b, size);
	} else {
		front = muses_buf_new(f->layer, HEAD, size);
		if (front != NULL) {
			memcpy(muses_buf_append(front, size), b->data, size);
			muses_buf_pull(b, size);
		}
	}
	if (front != NULL) {
		deliver(f, front);
	} else {
		f->frames++;
		muses_buf_pull(b, size);
		muses_count(f->layer, "dropped: no buffer");
	}
}

/* Make b the beginning of a frame: with room for all of it once its length is
 * known, or for a length.  NULL, b freed: no buffer. */
static struct muses_buf *begin(struct muses_framed *f, struct muses_buf *b)
{
	size_t need = b->size >= LENGTH ? frame_size(f, b->data) : LENGTH;
	struct muses_buf *roomy;

	if (b->size + (size_t)b->tail >= need)
		return b;
	roomy = muses_buf_new(f->layer, HEAD, need);
	if (roomy != NULL)
		memcpy(muses_buf_append(roomy, b->size), b->data, b->size);
	muses_buf_free(b);
	return roomy;
}

/* Move what the frame begun in cur still lacks from the front of b.  false: down. */
static bool complete(struct muses_framed *f, struct muses_buf *b)
{
	struct muses_buf *cur = f->cur;
	bool has_length = cur->size >= LENGTH;
	size_t whole = has_length ? frame_size(f, cur->data) : LENGTH;
	size_t size = whole - cur->size;

	if (size > b->size)
		size = b->size;
	memcpy(muses_buf_append(cur, size), b->data, size);
	muses_buf_pull(b, size);
	if (cur->size < whole)
		return true;
	if (!has_length) {
		if (frame_size(f, cur->data) == 0) {
			core_framed_down(f, "not a frame");
			return false;
		}
		f->cur = begin(f, cur);
		if (f->cur == NULL)
			core_framed_down(f, "no buffer for a frame");
		return f->cur != NULL;
	}
	f->cur = NULL;
	deliver(f, cur);
	return !f->closed;
}

/* Everything in b has come after what is in cur; takes b over.  false: it is
 * over. */
static bool take(struct muses_framed *f, struct muses_buf *b)
{
	while (b->size > 0 && f->cur != NULL)
		if (!complete(f, b))
			goto over;
	while (b->size >= LENGTH) {
		size_t whole = frame_size(f, b->data);

		if (whole == 0) {
			core_framed_down(f, "not a frame");
			goto over;
		}
		if (b->size < whole)
			break;
		if (b->size == whole && whole > SMALL) {
			deliver(f, b);
			return !f->closed;
		}
		deliver_front(f, b, whole);
		if (f->closed)
			goto over;
	}
	if (b->size == 0) {
		muses_buf_free(b);
		return true;
	}
	f->cur = begin(f, b);
	if (f->cur != NULL)
		return true;
	core_framed_down(f, "no buffer for a frame");
	return false;
over:
	muses_buf_free(b);
	return false;
}

/* ---- reading: from the descriptor ------------------------------------------------- */

struct reading {
	struct muses_buf *buf[MOST_READ];
	struct iovec iov[MOST_READ + 1];
	size_t count, iov_count, total;
};

static void add_room(struct reading *r, uint8_t *at, size_t size)
{
	r->iov[r->iov_count].iov_base = at;
	r->iov[r->iov_count++].iov_len = size;
	r->total += size;
}

/* Room for what may come: the rest of the frame that has begun, then frames as the
 * last one was. */
static void make_room(struct muses_framed *f, struct reading *r)
{
	size_t room = f->expect > SMALL ? f->expect : READ_ROOM;

	r->count = r->iov_count = r->total = 0;
	if (f->cur != NULL) {
		size_t whole =
			f->cur->size >= LENGTH ? frame_size(f, f->cur->data) : LENGTH;

		add_room(r, f->cur->data + f->cur->size, whole - f->cur->size);
	}
	while (r->count < f->deep) {
		struct muses_buf *b = muses_buf_new(f->layer, HEAD, room);

		if (b == NULL)
			break;
		r->buf[r->count++] = b;
		add_room(r, b->data, room);
	}
}

/* size bytes have come into the room of r.  false: it is over. */
static bool sort_out(struct muses_framed *f, struct reading *r, size_t size)
{
	size_t i = 0, part;

	if (r->iov_count > r->count) { /* The first entry was cur's. */
		struct muses_buf *cur = f->cur;

		part = size < r->iov[0].iov_len ? size : r->iov[0].iov_len;
		muses_buf_append(cur, part);
		size -= part;
		f->cur = NULL;
		if (!take(f, cur))
			size = 0;
	}
	for (; i < r->count && size > 0 && !f->closed; i++) {
		size_t room = r->iov[r->iov_count - r->count + i].iov_len;

		part = size < room ? size : room;
		size -= part;
		muses_buf_append(r->buf[i], part);
		take(f, r->buf[i]);
	}
	for (; i < r->count; i++)
		muses_buf_free(r->buf[i]);
	return !f->closed;
}

/* A frame that has begun must go on. */
static void watch_frame(struct muses_framed *f)
{
	if (f->cur == NULL || muses_timer_armed(&f->slow))
		return;
	f->slow_frames = f->frames;
	f->slow_size = f->cur->size;
	muses_timer_after(&f->slow, FRAME_S * MUSES_S);
}

void core_framed_slow(struct muses_timer *t)
{
	struct muses_framed *f = muses_container(t, struct muses_framed, slow);

	if (f->cur != NULL && f->frames == f->slow_frames &&
	    f->cur->size < f->slow_size + FRAME_LEAST)
		core_framed_down(f, "a frame took too long");
	else
		watch_frame(f);
}

void core_framed_retry(struct muses_timer *t)
{
	struct muses_framed *f = muses_container(t, struct muses_framed, retry);

	core_framed_want(f);
}

void core_framed_read(struct muses_framed *f)
{
	size_t budget = TURN_BYTES;

	while (budget > 0) {
		struct reading r;
		ssize_t size;
		int err;

		make_room(f, &r);
		if (r.count == 0) {
			/* TCP slows the peer down until sessions have let some go. */
			muses_count(f->layer, "reading waits for buffers");
			muses_timer_after(&f->retry, RETRY_MS * MUSES_MS);
			core_framed_want(f);
			return;
		}
		size = readv(f->fd, r.iov, (int)r.iov_count);
		err = errno;
		if (!sort_out(f, &r, size > 0 ? (size_t)size : 0))
			return;
		if (size < 0 && err == EINTR)
			continue;
		if (size == 0) {
			core_framed_down(f, f->cur != NULL ? "closed inside a frame"
			                                   : "closed by the peer");
			return;
		}
		if (size < 0 && err != EAGAIN && err != EWOULDBLOCK) {
			core_framed_down(f, "broken while reading");
			return;
		}
		if (size < 0 || (size_t)size < r.total) {
			f->deep = f->deep > 1 ? f->deep / 2 : 1;
			muses_watch_drained(&f->watch, MUSES_READABLE);
			break;
		}
		f->deep = f->deep < MOST_READ / 2 ? f->deep * 2 : MOST_READ;
		budget -= (size_t)size < budget ? (size_t)size : budget;
	}
	watch_frame(f);
}
