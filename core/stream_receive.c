/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The receiving half of a stream: packets' own buffers, put in order.  Bytes that
 * came twice are compared where both copies are at hand and dropped; the windows
 * bound what a peer can make us hold.
 */
#include "core/session_int.h"

/* Out-of-order buffers a session may hold, whatever their size. */
#define APART_MOST 4096u

/* The position of a buffer, from the low half it carries and a position near by. */
static uint64_t position_of(const struct muses_buf *b, uint64_t near)
{
	return near + (uint64_t)(int64_t)(int32_t)(b->mark - (uint32_t)near);
}

uint64_t core_stream_window(const struct core_stream *st)
{
	return st->receive.consumed + st->session->table->config.stream_window;
}

/* Bytes are done with, by the user or because nobody wants them. */
static void count_consumed(struct core_stream *st, uint64_t size)
{
	struct core_session *s = st->session;
	uint32_t window = s->table->config.session_window;

	if (core_stream_gone(st))
		return; /* The session counts anew, without it. */
	s->receive_consumed += size;
	if (s->receive_limit - s->receive_consumed <= window / 2) {
		s->due |= CORE_DUE_WINDOWS;
		core_session_wake(s);
	}
}

bool core_stream_reaches(struct core_stream *st, uint64_t position)
{
	struct core_stream_receive *in = &st->receive;
	struct core_session *s = st->session;

	if (position <= in->highest)
		return true;
	if (position > in->limit || position > in->final ||
	    s->receive_total + (position - in->highest) > s->receive_limit)
		return false;
	s->receive_total += position - in->highest;
	in->highest = position;
	return true;
}

/* Do the bytes at position agree with those held in the chain b, which is sorted? */
static bool agrees(const struct muses_buf *b, uint64_t near, uint64_t position,
                   const uint8_t *data, size_t size)
{
	for (; b != NULL; b = b->next) {
		uint64_t begin = position_of(b, near);
		uint64_t end = begin + b->size;
		uint64_t from = begin > position ? begin : position;
		uint64_t to = end < position + size ? end : position + size;

		if (begin >= position + size)
			break;
		if (from < to &&
		    memcmp(b->data + (from - begin), data + (from - position),
		           (size_t)(to - from)) != 0)
			return false;
	}
	return true;
}

static void append(struct core_stream_receive *in, struct muses_buf *b)
{
	b->next = NULL;
	b->mark = (uint32_t)in->contiguous;
	in->contiguous += b->size;
	if (in->last != NULL)
		in->last->next = b;
	else
		in->first = b;
	in->last = b;
}

/* What stood apart and is in order now. */
static void join_apart(struct core_stream *st)
{
	struct core_stream_receive *in = &st->receive;

	while (in->apart != NULL) {
		struct muses_buf *b = in->apart;
		uint64_t position = position_of(b, in->contiguous);

		if (position > in->contiguous)
			break;
		in->apart = b->next;
		in->apart_count--;
		st->session->apart_count--;
		if (position + b->size <= in->contiguous) {
			muses_buf_free(b);
			continue;
		}
		muses_buf_pull(b, (size_t)(in->contiguous - position));
		append(in, b);
	}
}

static void put_apart(struct core_stream *st, uint64_t position, struct muses_buf *b)
{
	struct core_stream_receive *in = &st->receive;
	struct muses_buf **link = &in->apart;

	for (; *link != NULL; link = &(*link)->next) {
		uint64_t at = position_of(*link, in->contiguous);

		if (at <= position && at + (*link)->size >= position + b->size) {
			muses_buf_free(b); /* Sent again, and here already. */
			return;
		}
		if (at >= position)
			break;
	}
	b->mark = (uint32_t)position;
	b->next = *link;
	*link = b;
	in->apart_count++;
	st->session->apart_count++;
}

void core_stream_arrived(struct core_stream *st, uint64_t position,
                         struct muses_buf *slice, size_t size, bool end)
{
	struct core_stream_receive *in = &st->receive;
	struct core_session *s = st->session;
	uint64_t before = in->contiguous;

	if ((end && in->final != UINT64_MAX && in->final != position + size) ||
	    (end && in->highest > position + size)) {
		muses_buf_free(slice);
		core_session_violated(s, "end of stream moved");
		return;
	}
	if (end)
		in->final = position + size;
	if (in->reset || st->resetting || st->abandoned) {
		/* Nobody will read it: done with as far as it reaches. */
		muses_buf_free(slice);
		core_stream_receive_release(st);
		core_stream_settle(st);
		return;
	}
	if (slice != NULL) {
		if ((position < in->contiguous &&
		     !agrees(in->first, in->contiguous, position, slice->data, size)) ||
		    !agrees(in->apart, in->contiguous, position, slice->data, size)) {
			muses_buf_free(slice);
			core_session_violated(s, "stream bytes differ");
			return;
		}
		if (position + size <= in->contiguous) {
			muses_buf_free(slice);
		} else if (position <= in->contiguous) {
			muses_buf_pull(slice, (size_t)(in->contiguous - position));
			append(in, slice);
			join_apart(st);
		} else if (s->apart_count >= APART_MOST) {
			/* The one that closes the gap is never refused. */
			muses_buf_free(slice);
			core_session_count(s, "too many pieces out of order");
			s->deaf = true;
			return;
		} else {
			put_apart(st, position, slice);
		}
	}
	if (in->contiguous > before || (end && in->contiguous == in->final))
		core_stream_tell(st, CORE_NEWS_READABLE);
}

size_t core_stream_peek(const struct core_stream *st, struct iovec *iov, size_t most)
{
	size_t count = 0;

	for (struct muses_buf *b = st->receive.first; b != NULL && count < most;
	     b = b->next)
		iov[count++] = (struct iovec){ b->data, b->size };
	return count;
}

void core_stream_consume(struct core_stream *st, size_t size)
{
	struct core_stream_receive *in = &st->receive;
	size_t left = size;

	while (left > 0 && in->first != NULL) {
		struct muses_buf *b = in->first;
		uint32_t part = b->size < left ? b->size : (uint32_t)left;

		left -= part;
		in->consumed += part;
		if (part < b->size) {
			muses_buf_pull(b, part);
			b->mark += part;
			break;
		}
		in->first = b->next;
		if (in->first == NULL)
			in->last = NULL;
		muses_buf_free(b);
	}
	count_consumed(st, size - left);
	if (in->final == UINT64_MAX &&
	    in->limit - in->consumed <= st->session->table->config.stream_window / 2)
		core_stream_due(st, CORE_DUE_WINDOW);
}

bool core_stream_ended(const struct core_stream *st)
{
	const struct core_stream_receive *in = &st->receive;

	return !in->reset && in->final != UINT64_MAX && in->consumed == in->final;
}

bool core_stream_receive_done(const struct core_stream *st)
{
	const struct core_stream_receive *in = &st->receive;

	return in->reset || (in->final != UINT64_MAX &&
	                     (in->contiguous == in->final || in->consumed == in->final));
}

void core_stream_receive_release(struct core_stream *st)
{
	struct core_stream_receive *in = &st->receive;
	struct muses_buf *b;

	while ((b = in->first) != NULL) {
		in->first = b->next;
		muses_buf_free(b);
	}
	in->last = NULL;
	while ((b = in->apart) != NULL) {
		in->apart = b->next;
		in->apart_count--;
		st->session->apart_count--;
		muses_buf_free(b);
	}
	if (in->highest > in->consumed) {
		count_consumed(st, in->highest - in->consumed);
		in->consumed = in->contiguous = in->highest;
	}
}
