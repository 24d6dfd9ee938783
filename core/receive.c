/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From sealed packets to frames, and what frames mean.
 *
 * A packet that fails anywhere before its tag was good is dropped with a counted
 * reason and changes no state.  One whose tag was good but whose frames are
 * malformed is the peer's mistake: a sealed CLOSE, and the session ends.
 */
#include "core/session_int.h"

/* A slice this small is copied, and so is less than that part of its packet: or it
 * would hold a block many times its size, which no window counts. */
#define COPY_BELOW 1024u
#define COPY_PART  4u
/* Frame headers and rounding that keep a full packet from being quite full. */
#define STREAM_SLACK 64u

static const char *const refusals[] = {
	[CORE_NOT_STEP] = "unknown key step",
	[CORE_NOT_FRESH] = "replayed",
	[CORE_NOT_AUTHENTIC] = "not authentic",
};

/* The bytes of a STREAM frame as a buffer of their own.  *rest holds the packet, of
 * whole bytes, from somewhere at or before data on; it is cut behind the frame, or given
 * away. */
static struct muses_buf *slice_of(struct core_session *s, struct muses_buf **rest,
                                  size_t whole, const uint8_t *data, size_t size)
{
	struct core_pool *pool = s->table->env->pool;
	struct muses_buf *b = *rest, *slice;
	size_t before = (size_t)(data - b->data);

	if (size < COPY_BELOW || size < whole / COPY_PART) {
		slice = core_buf_new(pool, 0, size);
		if (slice != NULL)
			memcpy(muses_buf_append(slice, size), data, size);
		return slice;
	}
	if (before + size == b->size) {
		*rest = NULL;
		slice = b;
	} else {
		slice = muses_buf_split(b, before + size);
	}
	if (slice != NULL)
		muses_buf_pull(slice, before);
	return slice;
}

static void on_stream(struct core_session *s, const struct core_frame *f,
                      struct muses_buf **rest, size_t whole)
{
	struct core_stream *st = core_stream_find(s, f->stream);
	struct muses_buf *slice = NULL;

	if (st == NULL)
		return; /* Ended here already; OPEN comes before the first bytes. */
	st->heard = true;
	if (!core_stream_reaches(st, f->value + f->size)) {
		core_session_violated(s, "beyond the window");
		return;
	}
	if (f->size > 0 && f->value + f->size > st->receive.contiguous) {
		slice = slice_of(s, rest, whole, f->data, f->size);
		if (slice == NULL) {
			core_session_count(s, "no buffer to receive with");
			s->deaf = true;
			return;
		}
	}
	core_stream_arrived(st, f->value, slice, f->size, f->end);
}

static void on_ack(struct core_session *s, struct core_traffic *t,
                   const struct muses_ack *ack)
{
	struct muses_ack capped = *ack;

	if (ack->range[0].last >= t->sequence) {
		core_session_violated(s, "acknowledged what was never sent");
		return;
	}
	core_session_evidence(s, t->generation, true);
	if (t != s->traffic[0])
		return;
	if (core_traffic_acknowledged(t, ack->range[0].last))
		core_keystep_acknowledged(s);
	if (capped.delay_ns > MUSES_S)
		capped.delay_ns = MUSES_S;
	s->table->reliability_ops->acked(s->reliability, &capped);
}

static void on_windows(struct core_session *s, uint64_t limit)
{
	bool was_exhausted = s->send_limit <= s->send_total;

	if (limit <= s->send_limit)
		return;
	s->send_limit = limit;
	if (was_exhausted)
		core_streams_wake(s);
}

static void on_pong(struct core_session *s, uint64_t mtu)
{
	uint32_t first =
		s->table->overlay_ops->mtu(s->table->pipeline->overlay, &s->peer);

	if (mtu >= 1200 && mtu <= MUSES_PACKET_MAX)
		s->mtu = mtu < first ? (uint32_t)mtu : first;
}

static bool finished_good(const struct core_session *s, const struct core_frame *f)
{
	return f->code <= CORE_FINISHED_GOES_ON &&
	       muses_equal_secret(f->data, s->expected[f->code], 32);
}

static void on_finished(struct core_session *s, const struct core_frame *f)
{
	if (s->confirmed || !finished_good(s, f))
		return;
	s->confirmed = true;
	/* Only who has checked ours sends this one. */
	s->finished_out = false;
	muses_free(s->third);
	s->third = NULL;
	if (s->tentative && f->code != CORE_FINISHED_GOES_ON)
		core_session_forgotten(s);
	s->lived = true;
	if (s->tentative) {
		s->tentative = false;
		core_streams_wake(s);
	}
}

static void on_frame(struct core_session *s, struct core_traffic *t,
                     const struct core_frame *f, struct muses_buf **rest, size_t whole)
{
	const struct muses_overlay_ops *overlay = s->table->overlay_ops;

	switch (f->type) {
	case CORE_FRAME_PING:
		s->due |= CORE_DUE_PONG;
		break;
	case CORE_FRAME_PONG:
		on_pong(s, f->value);
		break;
	case CORE_FRAME_ACK:
		on_ack(s, t, &f->ack);
		break;
	case CORE_FRAME_OPEN:
		core_stream_opened(s, f);
		break;
	case CORE_FRAME_STREAM:
	case CORE_FRAME_STREAM_END:
		on_stream(s, f, rest, whole);
		break;
	case CORE_FRAME_RESET:
	case CORE_FRAME_REJECT:
		core_stream_peer_reset(s, f);
		break;
	case CORE_FRAME_WINDOW: {
		struct core_stream *st = core_stream_find(s, f->stream);

		if (st != NULL) {
			st->heard = true;
			core_stream_limit(st, f->value);
		}
		break;
	}
	case CORE_FRAME_WINDOWS:
		on_windows(s, f->value);
		break;
	case CORE_FRAME_POSITION:
	case CORE_FRAME_POSITION_END:
		/* Of another generation they answer what was under way in that one. */
		if (t == s->traffic[0])
			core_stream_position(s, f);
		break;
	case CORE_FRAME_POSITIONS:
		if (t == s->traffic[0])
			core_streams_positions_done(s);
		break;
	case CORE_FRAME_KEYSTEP:
		core_keystep_received(s, t, f);
		break;
	case CORE_FRAME_FINISHED:
		on_finished(s, f);
		break;
	case CORE_FRAME_LOCATOR:
		if (overlay->locator_hint != NULL && f->size <= MUSES_LOCATOR_MAX)
			overlay->locator_hint(s->table->pipeline->overlay, &s->peer,
			                      f->data, f->size);
		break;
	case CORE_FRAME_CLOSE:
		core_session_count(s, "closed by the peer");
		s->closing_reason = f->code < CORE_REASONS && f->code != 0
		                            ? f->code
		                            : CORE_REASON_SESSION_CLOSED;
		s->closing = true;
		break;
	default:
		break;
	}
}

/* Does it need an acknowledgement? */
static bool counts(uint8_t type)
{
	return type != CORE_FRAME_ACK && type != CORE_FRAME_PAD &&
	       type != CORE_FRAME_CLOSE;
}

void core_session_frames(struct core_session *s, struct core_traffic *t,
                         struct muses_buf *b, uint64_t sequence,
                         const struct muses_met *met)
{
	struct muses_reader r = muses_reader(b->data, b->size);
	struct muses_buf *rest = b;
	size_t size = b->size;
	struct core_frame f;
	bool counted = false, last, gap;

	if (!s->confirmed) {
		/* Nothing is obeyed before the peer's FINISHED, which comes first. */
		struct muses_reader first = r;

		if (!core_frame_read(&first, &f) || f.type != CORE_FRAME_FINISHED ||
		    !finished_good(s, &f)) {
			core_session_count(s, "before FINISHED");
			muses_buf_free(b);
			return;
		}
	}
	if (met->congested)
		s->marks++;
	s->lossy = s->lossy || met->lossy;
	s->met_mtu = met->mtu;
	s->deaf = false;
	while (!s->closing && core_frame_read(&r, &f)) {
		counted = counted || counts(f.type);
		on_frame(s, t, &f, &rest, size);
	}
	if (!s->closing && !muses_read_finished(&r))
		core_session_violated(s, "malformed frames");
	muses_buf_free(rest);
	if (s->closing) {
		core_session_close(s, s->closing_reason);
		return;
	}
	/* Not acknowledged: what had no room comes again, all else does no harm twice. */
	if (t != s->traffic[0] || s->deaf)
		return;
	/* Bulk fills its packets: one that is not full ends what the sender had. */
	last = size + CORE_HEADER_BYTES + t->suite->overhead + STREAM_SLACK < s->mtu;
	gap = core_ranges_empty(&s->received)
	              ? sequence != 0
	              : sequence != core_ranges_last(&s->received) + 1;
	if (core_ranges_empty(&s->received) || sequence > core_ranges_last(&s->received))
		s->largest_ns = core_session_now(s);
	core_ranges_add(&s->received, sequence, sequence);
	if (sequence > CORE_REPLAY_WINDOW)
		core_ranges_forget_below(&s->received, sequence - CORE_REPLAY_WINDOW);
	s->table->reliability_ops->received(s->reliability, sequence, counted, gap, last,
	                                    met->lossy, met->congested);
}

void core_session_receive(struct core_session *s, struct muses_buf *b,
                          const struct core_packet *p, const struct muses_met *met)
{
	struct core_traffic *t = core_session_traffic(s, p->epoch);
	enum core_opened opened;
	size_t size = b->size;

	if (t == NULL) {
		core_session_count(s, "unknown generation");
		muses_buf_free(b);
		return;
	}
	opened = core_traffic_unseal(t, p, b, core_session_now(s));
	if (opened > CORE_OPENED_NEW_STEP) {
		core_session_count(s, refusals[opened]);
		muses_buf_free(b);
		/* Once: who forges packets must not disturb the answer. */
		if (t->failed == t->suite->most_failed)
			core_rehello_begin(s, true);
		return;
	}
	s->bytes_received += size;
	core_session_evidence(s, t->generation, false);
	/* Evidence may have made another generation the current one, or freed t. */
	t = core_session_traffic(s, p->epoch);
	if (t == NULL) {
		muses_buf_free(b);
		return;
	}
	if (opened == CORE_OPENED_NEW_STEP && t == s->traffic[0] && t->receive.stepped)
		core_keystep_peer_stepped(s);
	core_session_frames(s, t, b, p->sequence, met);
	core_session_wake(s);
}
