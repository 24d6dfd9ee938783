/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sending half of a stream: plain text is kept in the buffers the user filled
 * until the peer has acknowledged it; packets are sealed straight from there.
 */
#include "core/session_int.h"

/* Written but never sent, a stream: enough to fill packets, not the memory. */
#define UNSENT_MOST (512u << 10)
/* Held by one session over all its streams. */
#define HELD_MOST  (64u << 20)
#define BLOCK_ROOM (64u << 10)
/* A read as small as this moves to a block of its own size. */
#define SMALL_BYTES 1536u

static size_t least(uint64_t a, uint64_t b)
{
	return (size_t)(a < b ? a : b);
}

static size_t space_of(const struct core_stream *st)
{
	const struct core_stream_send *o = &st->send;
	const struct core_session *s = st->session;
	uint64_t unsent = o->written - o->next;

	if (o->finish || st->resetting || s->state == CORE_SESSION_SUSPENDED ||
	    s->state == CORE_SESSION_CLOSED || s->closing || o->limit <= o->written ||
	    unsent >= UNSENT_MOST || s->send_held >= HELD_MOST)
		return 0;
	return least(least(o->limit - o->written, UNSENT_MOST - unsent),
	             HELD_MOST - s->send_held);
}

size_t core_stream_space(struct core_stream *st)
{
	size_t space = space_of(st);

	if (space == 0)
		st->wants_space = true;
	return space;
}

/* Wake the user only for room that is worth a system call. */
static void offer_space(struct core_stream *st)
{
	size_t space;

	if (!st->wants_space)
		return;
	space = space_of(st);
	if (space >= BLOCK_ROOM || (space > 0 && st->send.written == st->send.next)) {
		st->wants_space = false;
		core_stream_tell(st, CORE_NEWS_WRITABLE);
	}
}

size_t core_stream_reserve(struct core_stream *st, struct iovec *iov, size_t most,
                           size_t want)
{
	struct core_stream_send *o = &st->send;
	size_t room = least(core_stream_space(st), want);
	size_t count = 0;

	core_stream_commit(st, 0);
	if (room > 0 && o->last != NULL && o->last->tail > 0 && most > 0) {
		size_t size = least(o->last->tail, room);

		iov[count++] = (struct iovec){ o->last->data + o->last->size, size };
		room -= size;
	}
	while (room > 0 && count < most && o->reserved_count < 4) {
		size_t size = least(room, BLOCK_ROOM);
		struct muses_buf *b =
			core_buf_new(st->session->table->env->pool, 0, size);

		if (b == NULL)
			break;
		o->reserved[o->reserved_count++] = b;
		iov[count++] = (struct iovec){ b->data, size };
		room -= size;
	}
	if (count == 0) {
		st->wants_space = true;
		if (room > 0 && most > 0) {
			/* Memory does not tell when there is some again. */
			st->session->starving = true;
			core_session_wake(st->session);
		}
	}
	return count;
}

static void chain(struct core_stream_send *o, struct muses_buf *b)
{
	b->next = NULL;
	if (o->last != NULL)
		o->last->next = b;
	else
		o->first = b;
	o->last = b;
}

void core_stream_commit(struct core_stream *st, size_t size)
{
	struct core_stream_send *o = &st->send;
	size_t left = size;

	if (left > 0 && o->last != NULL && o->last->tail > 0) {
		size_t part = least(left, o->last->tail);

		muses_buf_append(o->last, part);
		left -= part;
	}
	for (size_t i = 0; i < o->reserved_count; i++) {
		struct muses_buf *b = o->reserved[i];
		/* Its block may be larger than what reserve() showed. */
		size_t part = least(least(left, b->tail), BLOCK_ROOM);

		if (part == 0) {
			muses_buf_free(b);
			continue;
		}
		muses_buf_append(b, part);
		left -= part;
		if (part <= SMALL_BYTES) {
			struct muses_buf *small =
				core_buf_copy(st->session->table->env->pool, b, 0);

			if (small != NULL) {
				muses_buf_free(b);
				b = small;
			}
		}
		if (o->first == NULL)
			o->start = o->written + (size - left) - part;
		chain(o, b);
	}
	o->reserved_count = 0;
	if (size == 0)
		return;
	o->written += size;
	st->session->send_held += size;
	core_stream_due(st, CORE_DUE_DATA);
}

void core_stream_finish(struct core_stream *st)
{
	if (st->send.finish || st->resetting)
		return;
	st->send.finish = true;
	core_stream_due(st, CORE_DUE_DATA);
}

bool core_stream_flushed(struct core_stream *st)
{
	const struct core_stream_send *o = &st->send;
	bool flushed = o->base == o->written && (!o->finish || o->end_acked);

	st->wants_flush = !flushed;
	return flushed;
}

/* ---- into packets ---------------------------------------------------------- */

static uint64_t new_bytes_allowed(const struct core_stream *st)
{
	const struct core_stream_send *o = &st->send;
	const struct core_session *s = st->session;
	uint64_t limit = o->limit < o->written ? o->limit : o->written;
	uint64_t stream = limit > o->next ? limit - o->next : 0;
	/* What was sent once is within the session's window already. */
	uint64_t again = o->high > o->next ? o->high - o->next : 0;
	uint64_t session =
		s->send_limit > s->send_total ? s->send_limit - s->send_total : 0;

	return stream < again + session ? stream : again + session;
}

static bool end_sendable(const struct core_stream *st)
{
	const struct core_stream_send *o = &st->send;

	return o->finish && !o->end_sent && o->next == o->written;
}

bool core_stream_sendable(const struct core_stream *st)
{
	return !st->resetting && !st->waiting && !st->session->tentative &&
	       (!core_spans_empty(&st->send.lost) || new_bytes_allowed(st) > 0 ||
	        end_sendable(st));
}

/* Gather [position, position + size) beginning in b, which starts at start. */
static size_t gather_from(struct muses_buf *b, uint64_t start, uint64_t position,
                          size_t size, struct iovec *iov, size_t *iov_count)
{
	size_t most = *iov_count, count = 0, gathered = 0;

	for (; b != NULL && gathered < size && count < most; b = b->next) {
		uint64_t at = position + gathered;

		if (start + b->size > at) {
			size_t skip = (size_t)(at - start);
			size_t part = least(b->size - skip, size - gathered);

			iov[count++] = (struct iovec){ b->data + skip, part };
			gathered += part;
		}
		start += b->size;
	}
	*iov_count = count;
	return gathered;
}

static void find_cursor(struct core_stream_send *o)
{
	if (o->cursor == NULL) {
		o->cursor = o->first;
		o->cursor_start = o->start;
	}
	while (o->cursor != NULL && o->cursor_start + o->cursor->size <= o->next &&
	       o->cursor->next != NULL) {
		o->cursor_start += o->cursor->size;
		o->cursor = o->cursor->next;
	}
}

size_t core_stream_gather(struct core_stream *st, size_t room, struct iovec *iov,
                          size_t *iov_count, uint64_t *position, bool *end)
{
	struct core_stream_send *o = &st->send;
	size_t size;

	*end = false;
	if (!core_spans_empty(&o->lost)) {
		struct core_span span = o->lost.item[0];

		*position = span.begin;
		return gather_from(o->first, o->start, span.begin,
		                   least(span.end - span.begin, room), iov, iov_count);
	}
	*position = o->next;
	size = least(new_bytes_allowed(st), room);
	if (size > 0) {
		find_cursor(o);
		size = gather_from(o->cursor, o->cursor_start, o->next, size, iov,
		                   iov_count);
	} else {
		*iov_count = 0;
	}
	*end = o->finish && !o->end_sent && o->next + size == o->written;
	return size;
}

void core_stream_sent(struct core_stream *st, uint64_t position, size_t size, bool end)
{
	struct core_stream_send *o = &st->send;
	bool again = position < o->next;

	if (end)
		o->end_sent = true;
	if (again) {
		/* If memory is short the span stays, and is sent once more. */
		(void)core_spans_remove(&o->lost, position, position + size);
		return;
	}
	o->next += size;
	if (o->next > o->high) {
		st->session->send_total += o->next - o->high;
		o->high = o->next;
	}
	offer_space(st);
}

/* ---- their fate -------------------------------------------------------------- */

static void free_acked(struct core_stream *st)
{
	struct core_stream_send *o = &st->send;

	while (o->acked.count > 0 && o->acked.item[0].begin <= o->base) {
		if (o->acked.item[0].end > o->base)
			o->base = o->acked.item[0].end;
		core_spans_remove(&o->acked, 0, o->base);
	}
	while (o->first != NULL && o->start + o->first->size <= o->base) {
		struct muses_buf *b = o->first;

		if (o->cursor == b)
			o->cursor = NULL;
		o->first = b->next;
		if (o->first == NULL)
			o->last = NULL;
		o->start += b->size;
		st->session->send_held -= b->size;
		muses_buf_free(b);
	}
}

void core_stream_acked(struct core_stream *st, uint64_t position, size_t size, bool end)
{
	struct core_stream_send *o = &st->send;

	if (end)
		o->end_acked = true;
	if (position <= o->base) {
		if (position + size > o->base)
			o->base = position + size;
	} else if (!core_spans_add(&o->acked, position, position + size)) {
		/* Cannot remember that it arrived: have it sent again. */
		core_stream_lost(st, position, size, false);
		return;
	}
	free_acked(st);
	offer_space(st);
	if (st->wants_flush && o->base == o->written && (!o->finish || o->end_acked)) {
		st->wants_flush = false;
		core_stream_tell(st, CORE_NEWS_WRITABLE);
	}
	core_stream_settle(st);
}

void core_stream_lost(struct core_stream *st, uint64_t position, size_t size, bool end)
{
	struct core_stream_send *o = &st->send;

	if (end)
		o->end_sent = false;
	if (size > 0 && !core_spans_add(&o->lost, position, position + size)) {
		/* Out of memory: send everything from there on again. */
		o->next = position > o->base ? position : o->base;
		o->cursor = NULL;
		o->end_sent = false;
		core_spans_release(&o->lost);
	}
	core_stream_due(st, CORE_DUE_DATA);
}

void core_stream_rewind(struct core_stream *st, uint64_t position, bool end)
{
	struct core_stream_send *o = &st->send;

	core_spans_release(&o->lost);
	core_spans_release(&o->acked);
	if (position > o->base)
		o->base = position;
	o->next = o->base;
	o->cursor = NULL;
	o->end_sent = o->end_acked = end;
	free_acked(st);
	offer_space(st);
	core_stream_due(st, CORE_DUE_DATA);
	core_stream_settle(st);
}

void core_stream_limit(struct core_stream *st, uint64_t limit)
{
	if (limit <= st->send.limit)
		return;
	st->send.limit = limit;
	offer_space(st);
	core_stream_due(st, CORE_DUE_DATA);
}

bool core_stream_send_done(const struct core_stream *st)
{
	return st->resetting ? st->send.reset_acked
	                     : st->send.end_acked && st->send.base == st->send.written;
}

void core_stream_send_release(struct core_stream *st)
{
	struct core_stream_send *o = &st->send;
	struct muses_buf *b;

	for (size_t i = 0; i < o->reserved_count; i++)
		muses_buf_free(o->reserved[i]);
	o->reserved_count = 0;
	while ((b = o->first) != NULL) {
		o->first = b->next;
		st->session->send_held -= b->size;
		muses_buf_free(b);
	}
	o->last = o->cursor = NULL;
	o->base = o->start = o->next = o->written;
	core_spans_release(&o->lost);
	core_spans_release(&o->acked);
}
