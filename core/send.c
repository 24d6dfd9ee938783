/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From what is due to sealed packets.
 *
 * A packet is gathered: frame headers in a small scratch, stream bytes where the
 * user wrote them; one pass of the cipher puts both into the outgoing buffer.
 * First what the session owes (acknowledgement, FINISHED, windows), then streams
 * in turn, each with its own small frames before its bytes, until the packet is
 * full.  Runs at the end of a turn of the loop, so that what happened in one turn
 * shares packets, and packets share a system call.
 */
#include "core/session_int.h"

#define SCRATCH_BYTES 4096
#define IOV_MOST      128
/* Room that a stream's own small frames may take. */
#define STREAM_FRAMES_MAX (CORE_OPEN_MAX + 3 * 24)
/* No path takes less. */
#define PACKET_LEAST 1200u
/* A turn sends this much at most for one session, then lets others work. */
#define TURN_BYTES (1u << 20)

struct assembly {
	struct core_session *session;
	uint8_t scratch[SCRATCH_BYTES];
	struct muses_writer w; /* On scratch. */
	const uint8_t *mark;   /* Scratch up to here is in iov already. */
	struct iovec iov[IOV_MOST];
	size_t iov_count;
	size_t size; /* Plain bytes so far, without scratch behind mark. */
	size_t room; /* Most plain bytes. */
	struct core_sent_item *items;
	size_t bare; /* used() with nothing but FINISHED. */
	bool counts; /* Needs an acknowledgement. */
	bool acks;
	bool failed; /* Out of memory on the way. */
};

static size_t used(const struct assembly *a)
{
	return a->size + (size_t)(a->w.at - a->mark);
}

static size_t left(const struct assembly *a)
{
	size_t scratch = muses_room(&a->w);
	size_t room = a->room - used(a);

	return scratch < room ? scratch : room;
}

/* Close the run of frame headers written so far. */
static void flush_scratch(struct assembly *a)
{
	size_t size = (size_t)(a->w.at - a->mark);

	if (size == 0)
		return;
	a->iov[a->iov_count++] = (struct iovec){ (void *)(uintptr_t)a->mark, size };
	a->size += size;
	a->mark = a->w.at;
}

static bool remember(struct assembly *a, enum core_sent_kind kind, uint64_t stream,
                     uint64_t position, size_t size, bool end)
{
	struct core_sent_item *item = core_sent_item_new(a->session->table);

	if (item == NULL) {
		a->failed = true;
		return false;
	}
	item->kind = (uint8_t)kind;
	item->stream = stream;
	item->position = position;
	item->size = (uint32_t)size;
	item->end = end;
	item->next = a->items;
	a->items = item;
	a->counts = true;
	return true;
}

/* ---- what the session owes ---------------------------------------------------- */

static void add_ack(struct assembly *a)
{
	struct core_session *s = a->session;
	struct muses_ack_range range[MUSES_ACK_RANGES_MAX];
	struct muses_ack ack = { .delay_ns = core_session_now(s) - s->largest_ns,
		                 .congestion = s->marks,
		                 .lossy = s->lossy,
		                 .range = range };

	while (ack.count < s->received.count && ack.count < MUSES_ACK_RANGES_MAX &&
	       (ack.count + 1) * 16 + 48 < left(a)) {
		struct core_range r = core_ranges_at(&s->received, ack.count);

		range[ack.count++] = (struct muses_ack_range){ r.first, r.last };
	}
	if (ack.count == 0)
		return;
	core_frame_ack(&a->w, &ack);
	a->acks = true;
}

static void add_session_frames(struct assembly *a)
{
	struct core_session *s = a->session;

	/* First of all, and again in every packet until one was acknowledged: the peer
	 * obeys nothing before it. */
	if (s->finished_out && remember(a, CORE_SENT_FINISHED, 0, 0, 0, false)) {
		core_frame_finished(&a->w, s->finished_flags, s->finished);
		a->bare = used(a);
		a->counts = (s->due & CORE_DUE_FINISHED) != 0;
	}
	if (!core_ranges_empty(&s->received) &&
	    s->table->reliability_ops->ack_due(s->reliability) != UINT64_MAX)
		add_ack(a);
	if ((s->due & CORE_DUE_PONG) != 0 && left(a) > 8) {
		core_frame_pong(&a->w, s->met_mtu);
		a->counts = true;
		s->due &= (uint16_t)~CORE_DUE_PONG;
	}
	if ((s->due & CORE_DUE_WINDOWS) != 0 && left(a) > 16 &&
	    remember(a, CORE_SENT_WINDOWS, 0, 0, 0, false)) {
		s->receive_limit = s->receive_consumed + s->table->config.session_window;
		core_frame_windows(&a->w, s->receive_limit);
		s->due &= (uint16_t)~CORE_DUE_WINDOWS;
	}
	if ((s->due & CORE_DUE_KEYSTEP) != 0 && s->keystep != NULL && left(a) > 48 &&
	    remember(a, CORE_SENT_KEYSTEP, 0, 0, 0, false))
		core_keystep_write(s, &a->w);
	if ((s->due & CORE_DUE_LOCATOR) != 0 && left(a) > 2 + MUSES_LOCATOR_MAX &&
	    remember(a, CORE_SENT_LOCATOR, 0, 0, 0, false)) {
		uint8_t locator[MUSES_LOCATOR_MAX];
		size_t size = core_sessions_locator(s->table, locator);

		core_frame_locator(&a->w, locator, size);
		s->due &= (uint16_t)~CORE_DUE_LOCATOR;
	}
	if ((s->due & CORE_DUE_POSITIONS) != 0 && s->positions_out == 0 && left(a) > 1 &&
	    remember(a, CORE_SENT_POSITIONS, 0, 0, 0, false)) {
		muses_write_u8(&a->w, CORE_FRAME_POSITIONS);
		s->due &= (uint16_t)~CORE_DUE_POSITIONS;
	}
	if ((s->due & CORE_DUE_PING) != 0 && left(a) > 1) {
		muses_write_u8(&a->w, CORE_FRAME_PING);
		a->counts = true;
		s->due &= (uint16_t)~CORE_DUE_PING;
	}
}

/* ---- streams --------------------------------------------------------------------- */

static void add_open(struct assembly *a, struct core_stream *st)
{
	/* With everything we say of it, until it is acknowledged: packets may be lost. */
	if (st->opened || !st->ours ||
	    !remember(a, CORE_SENT_OPEN, st->node.key, 0, 0, false))
		return;
	core_frame_open(&a->w, st->node.key, st->source_port, st->destination_port,
	                st->service);
	st->open_sent = true;
	st->due &= (uint8_t)~CORE_DUE_OPEN;
}

/* Its small frames; false: no room for them. */
static bool add_stream_frames(struct assembly *a, struct core_stream *st)
{
	uint64_t id = st->node.key;
	bool data = (st->due & CORE_DUE_DATA) != 0 && core_stream_sendable(st);

	if ((st->due & ~CORE_DUE_DATA) == 0 && !data)
		return true;
	if (left(a) < STREAM_FRAMES_MAX)
		return false;
	if (st->ours && !st->opened &&
	    ((st->due & (CORE_DUE_OPEN | CORE_DUE_RESET)) != 0 || data))
		add_open(a, st);
	if ((st->due & CORE_DUE_RESET) != 0 &&
	    remember(a, CORE_SENT_RESET, id, 0, 0, false)) {
		core_frame_reason(&a->w,
		                  st->rejecting ? CORE_FRAME_REJECT : CORE_FRAME_RESET,
		                  id, st->reason, st->send.high);
		st->due &= (uint8_t)~CORE_DUE_RESET;
	}
	if ((st->due & CORE_DUE_POSITION) != 0 &&
	    remember(a, CORE_SENT_POSITION, id, 0, 0, false)) {
		const struct core_stream_receive *in = &st->receive;

		core_frame_position(&a->w, id, in->contiguous,
		                    in->final != UINT64_MAX &&
		                            in->contiguous == in->final);
		st->due &= (uint8_t)~CORE_DUE_POSITION;
	}
	if (st->receive.reset || st->receive.final != UINT64_MAX)
		st->due &= (uint8_t)~CORE_DUE_WINDOW;
	if ((st->due & CORE_DUE_WINDOW) != 0 &&
	    remember(a, CORE_SENT_WINDOW, id, 0, 0, false)) {
		st->due &= (uint8_t)~CORE_DUE_WINDOW;
		st->receive.limit = core_stream_window(st);
		core_frame_window(&a->w, id, st->receive.limit);
	}
	return true;
}

static void add_data(struct assembly *a, struct core_stream *st)
{
	while (!a->failed && core_stream_sendable(st) && a->iov_count + 4 < IOV_MOST &&
	       left(a) > CORE_STREAM_HEADER_MAX) {
		size_t iov_count = IOV_MOST - a->iov_count - 2;
		struct iovec iov[IOV_MOST];
		uint64_t position;
		bool end;
		size_t size =
			core_stream_gather(st, a->room - used(a) - CORE_STREAM_HEADER_MAX,
		                           iov, &iov_count, &position, &end);

		if ((size == 0 && !end) ||
		    !remember(a, CORE_SENT_DATA, st->node.key, position, size, end))
			break;
		core_frame_stream(&a->w, st->node.key, position, size, end);
		flush_scratch(a);
		memcpy(&a->iov[a->iov_count], iov, iov_count * sizeof(iov[0]));
		a->iov_count += iov_count;
		a->size += size;
		core_stream_sent(st, position, size, end);
	}
}

static void add_streams(struct assembly *a)
{
	struct core_session *s = a->session;
	struct core_stream *st, *stop = NULL;

	while (!a->failed && (st = s->ready_first) != NULL && st != stop) {
		if (!add_stream_frames(a, st))
			break;
		if ((st->due & CORE_DUE_DATA) != 0)
			add_data(a, st);
		if (!core_stream_sendable(st))
			st->due &= (uint8_t)~CORE_DUE_DATA;
		/* Done for now, or to the end of the queue: others have their turn. */
		core_stream_unready(st);
		if (st->due != 0) {
			if (stop == NULL)
				stop = st;
			core_stream_due(st, 0);
			if (left(a) <= STREAM_FRAMES_MAX)
				break;
		}
	}
}

/* ---- one packet ---------------------------------------------------------------------
 */

/* The scratch run that is still open counts as size. */
static int seal_and_send(struct assembly *a)
{
	struct core_session *s = a->session;
	struct core_sessions *table = s->table;
	struct core_traffic *t = s->traffic[0];
	struct muses_buf *b;
	uint64_t sequence;
	size_t sealed_size;
	int err;

	flush_scratch(a);
	b = core_buf_new(table->env->pool, MUSES_HEADROOM,
	                 CORE_HEADER_BYTES + a->size + t->suite->overhead);
	if (b == NULL)
		return MUSES_ENOMEM;
	err = core_traffic_seal(t, s->peer_index, a->iov, a->iov_count, a->size, b,
	                        &sequence, core_session_now(s));
	if (err != 0) {
		muses_buf_free(b);
		return err;
	}
	sealed_size = b->size;
	if (a->counts) {
		if (!core_sent_put(s, sequence, a->items)) {
			muses_buf_free(b);
			return MUSES_ENOMEM;
		}
		a->items = NULL;
	}
	/* Books first. */
	err = table->reliability_ops->sent(s->reliability, sequence, sealed_size,
	                                   a->counts);
	if (a->acks)
		table->reliability_ops->ack_sent(s->reliability);
	s->bytes_sent += sealed_size;
	if (err != 0) {
		/* The plugin will not tell its fate: it is lost. */
		muses_buf_free(b);
		muses_flow_lost((struct muses_flow *)s, sequence);
		return 0;
	}
	err = table->overlay_ops->send(table->pipeline->overlay, &s->peer, b);
	if (err != 0)
		core_session_count(s, err == MUSES_EUNREACHABLE ? "no next hop"
		                                                : "overlay queue full");
	return 0;
}

/* What went into a packet that could not be sealed is due again. */
static void undo(struct assembly *a)
{
	struct core_sent_item *items = a->items;

	a->items = NULL;
	core_sent_items_lost(a->session, items);
}

/* Nothing but our own FINISHED, which rides along until it is acknowledged, and is
 * not due by itself. */
static bool nothing_in(const struct assembly *a, bool ack_now)
{
	return !a->counts && !(a->acks && ack_now);
}

/* Build and send one packet.  false: nothing (more) to send now. */
static bool send_one(struct core_session *s, size_t sendable, bool ack_now)
{
	struct assembly a;
	const struct core_traffic *t = s->traffic[0];
	size_t packet = s->mtu > PACKET_LEAST ? s->mtu : PACKET_LEAST;
	int err;

	a.session = s;
	a.w = muses_writer(a.scratch, sizeof(a.scratch));
	a.mark = a.scratch;
	a.iov_count = 0;
	a.size = 0;
	if (packet > MUSES_PACKET_MAX)
		packet = MUSES_PACKET_MAX;
	/* Where little may be in flight packets are smaller, too. */
	if (sendable > 0 && sendable < packet)
		packet = sendable > PACKET_LEAST ? sendable : PACKET_LEAST;
	a.room = packet - CORE_HEADER_BYTES - t->suite->overhead;
	a.items = NULL;
	a.bare = 0;
	a.counts = a.acks = a.failed = false;

	/* Small frames go whatever the window says: they are what opens it. */
	if (ack_now || s->due != 0 || s->ready_first != NULL)
		add_session_frames(&a);
	if (sendable > 0)
		add_streams(&a);
	if (nothing_in(&a, ack_now)) {
		core_sent_items_free(s->table, a.items);
		s->starved = a.failed;
		return false;
	}
	a.counts = a.counts || a.bare > 0;
	err = seal_and_send(&a);
	if (err == 0) {
		s->due &= (uint16_t)~CORE_DUE_FINISHED;
		return true;
	}
	undo(&a);
	s->starved = true;
	if (err == MUSES_ENOMEM)
		core_session_count(s, "no buffer to send with");
	else
		core_session_count(s, "could not seal");
	return false;
}

static bool may_send(struct core_session *s)
{
	const struct core_sessions *table = s->table;

	if (s->traffic[0] == NULL || s->closing || s->state == CORE_SESSION_SUSPENDED ||
	    s->state == CORE_SESSION_CLOSED)
		return false;
	s->blocked = !table->overlay_ops->writable(table->pipeline->overlay, &s->peer);
	return !s->blocked;
}

void core_session_flush(struct muses_task *task)
{
	struct core_session *s = muses_container(task, struct core_session, flush);
	const struct muses_reliability_ops *ops = s->table->reliability_ops;
	uint64_t before = s->bytes_sent;

	s->starved = false;
	while (may_send(s)) {
		uint64_t now = core_session_now(s);
		size_t sendable = ops->sendable(s->reliability);
		bool ack_now = ops->ack_due(s->reliability) <= now;

		if (core_traffic_ripe(s->traffic[0], s->table->config.rekey_s * MUSES_S,
		                      now) &&
		    core_traffic_ratchet(s->traffic[0], now) != 0)
			core_session_count(s, "could not ratchet");
		if (!send_one(s, sendable, ack_now))
			break;
		if (s->bytes_sent - before >= TURN_BYTES) {
			/* Others first; then on. */
			muses_task_queue(&s->flush);
			break;
		}
	}
	/* What made us wait does not tell when it is over, and what was taken back has
	 * woken us: not before the timer. */
	if (s->starved)
		muses_task_cancel(&s->flush);
	core_session_poll(s);
}

void core_session_send_close(struct core_session *s, enum core_reason reason)
{
	uint8_t plain[2 + CORE_SERVICE_MAX];
	struct muses_writer w = muses_writer(plain, sizeof(plain));
	struct iovec iov;
	struct muses_buf *b;
	uint64_t sequence;

	if (s->traffic[0] == NULL || s->state == CORE_SESSION_SUSPENDED)
		return;
	core_frame_close(&w, (uint8_t)reason);
	iov = (struct iovec){ plain, muses_written(&w) };
	b = core_buf_new(s->table->env->pool, MUSES_HEADROOM,
	                 CORE_HEADER_BYTES + iov.iov_len + s->suite->overhead);
	if (b == NULL)
		return;
	if (core_traffic_seal(s->traffic[0], s->peer_index, &iov, 1, iov.iov_len, b,
	                      &sequence, core_session_now(s)) != 0) {
		muses_buf_free(b);
		return;
	}
	(void)s->table->overlay_ops->send(s->table->pipeline->overlay, &s->peer, b);
}
