/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of streams, and news for their users.  A stream is freed when its user
 * has let go and both halves are settled with the peer; until then its number
 * stands for it, so that late frames find it and do not open it again.
 */
#include "core/session_int.h"

#define STREAMS_REFUSED_MOST 64 /* Beyond the limit, waiting to be told so. */
#define ENDED                (UINT64_C(1) << 63) /* In the key of those that ended from outside. */

static const char *const reasons[CORE_REASONS] = {
	[CORE_REASON_NONE] = "the stream ended",
	[CORE_REASON_RESET] = "the connection was reset at the other end",
	[CORE_REASON_NO_SERVICE] = "the peer has no such service",
	[CORE_REASON_NOT_ALLOWED] = "the service does not allow this node",
	[CORE_REASON_REFUSED] = "the service's address refused the connection",
	[CORE_REASON_LIMIT] = "too many streams",
	[CORE_REASON_PEER_RESTARTED] = "peer restarted",
	[CORE_REASON_SESSION_CLOSED] = "the session was closed",
	[CORE_REASON_GAVE_UP] = "gave up waiting for the path",
	[CORE_REASON_PROTOCOL] = "the peer broke the protocol",
	[CORE_REASON_UNREACHABLE] = "the peer cannot be reached",
};

const char *core_reason_text(enum core_reason reason)
{
	return (unsigned)reason < CORE_REASONS ? reasons[reason] : "an unknown reason";
}

struct core_session *core_stream_session(const struct core_stream *st)
{
	return st->session;
}

uint64_t core_stream_id(const struct core_stream *st)
{
	return st->node.key & MUSES_VARINT_MAX;
}

const char *core_stream_service(const struct core_stream *st)
{
	return st->service;
}

/* ---- lists ------------------------------------------------------------------ */

bool core_stream_gone(const struct core_stream *st)
{
	return (st->node.key & ENDED) != 0;
}

void core_stream_due(struct core_stream *st, uint8_t due)
{
	struct core_session *s = st->session;

	if (core_stream_gone(st))
		return;
	st->due |= due;
	if (st->ready_link == NULL) {
		st->ready_next = NULL;
		st->ready_link = s->ready_last;
		*s->ready_last = st;
		s->ready_last = &st->ready_next;
	}
	core_session_wake(s);
}

void core_stream_unready(struct core_stream *st)
{
	struct core_session *s = st->session;

	if (st->ready_link == NULL)
		return;
	*st->ready_link = st->ready_next;
	if (st->ready_next != NULL)
		st->ready_next->ready_link = st->ready_link;
	else
		s->ready_last = st->ready_link;
	st->ready_link = NULL;
}

static void news_remove(struct core_stream *st)
{
	struct core_sessions *table = st->session->table;

	if (st->news_link == NULL)
		return;
	*st->news_link = st->news_next;
	if (st->news_next != NULL)
		st->news_next->news_link = st->news_link;
	else
		table->news_last = st->news_link;
	st->news_link = NULL;
	table->news_count--;
}

void core_stream_tell(struct core_stream *st, uint8_t news)
{
	struct core_sessions *table = st->session->table;

	if (st->user == NULL)
		return;
	if ((news & CORE_NEWS_SUSPENDED) != 0)
		st->news &= (uint8_t)~CORE_NEWS_RESUMED;
	if ((news & CORE_NEWS_RESUMED) != 0)
		st->news &= (uint8_t)~CORE_NEWS_SUSPENDED;
	st->news |= news;
	if (st->news_link == NULL) {
		st->news_next = NULL;
		st->news_link = table->news_last;
		*table->news_last = st;
		table->news_last = &st->news_next;
		table->news_count++;
	}
	muses_task_queue(&table->tell);
}

/* One round of callbacks of one stream; it may be gone after each. */
static void tell(struct core_sessions *table, struct core_stream *st)
{
	uint8_t news = st->news;

	st->news = 0;
	table->telling = st;
	if ((news & CORE_NEWS_SUSPENDED) != 0 && st->user->suspended != NULL)
		st->user->suspended(st, st->data, true);
	if (table->telling != NULL && st->user != NULL &&
	    (news & CORE_NEWS_RESUMED) != 0 && st->user->suspended != NULL)
		st->user->suspended(st, st->data, false);
	if (table->telling != NULL && st->user != NULL &&
	    (news & CORE_NEWS_READABLE) != 0)
		st->user->readable(st, st->data);
	if (table->telling != NULL && st->user != NULL &&
	    (news & CORE_NEWS_WRITABLE) != 0)
		st->user->writable(st, st->data);
	if (table->telling != NULL && st->user != NULL && (news & CORE_NEWS_RESET) != 0)
		st->user->reset(st, st->data, st->reason);
	table->telling = NULL;
}

void core_sessions_tell(struct muses_task *t)
{
	struct core_sessions *table = muses_container(t, struct core_sessions, tell);
	/* As many as there are now: those that get news meanwhile have their turn in the
	 * next round. */
	size_t rounds = table->news_count;
	struct core_stream *st;

	while (rounds-- > 0 && (st = table->news_first) != NULL) {
		news_remove(st);
		tell(table, st);
	}
	if (table->news_first != NULL)
		muses_task_queue(&table->tell);
	core_sessions_bury(table);
}

/* ---- life ------------------------------------------------------------------- */

struct core_stream *core_stream_find(struct core_session *s, uint64_t id)
{
	struct core_hash_node *n = core_hash_find(&s->streams, id);

	return n != NULL ? muses_container(n, struct core_stream, node) : NULL;
}

struct core_stream *core_stream_new(struct core_session *s, uint64_t id, bool ours,
                                    const char *service, size_t service_length)
{
	struct core_sessions *table = s->table;
	struct core_stream *st = muses_zalloc(sizeof(*st));

	if (st == NULL)
		return NULL;
	st->service = muses_zalloc(service_length + 1);
	if (st->service == NULL || !core_hash_put(&s->streams, &st->node, id)) {
		muses_free(st->service);
		muses_free(st);
		return NULL;
	}
	memcpy(st->service, service, service_length);
	st->session = s;
	st->ours = ours;
	st->send.limit = s->peer_stream_window;
	st->receive.limit = table->config.stream_window;
	st->receive.final = UINT64_MAX;
	table->stream_count++;
	s->idle_ns = 0;
	return st;
}

void core_stream_free(struct core_stream *st)
{
	struct core_session *s = st->session;
	struct core_sessions *table = s->table;

	if (table->telling == st)
		table->telling = NULL;
	core_stream_unready(st);
	news_remove(st);
	core_stream_send_release(st);
	core_stream_receive_release(st);
	if (st->position_out)
		s->positions_out--;
	core_hash_remove(&s->streams, &st->node);
	table->stream_count--;
	if (s->streams.count == 0) {
		s->idle_ns = core_session_now(s);
		core_session_wake(s);
		if (s->closing)
			muses_task_queue(&table->tell);
	}
	muses_free(st->service);
	muses_free(st);
}

void core_stream_settle(struct core_stream *st)
{
	if (st->abandoned && core_stream_send_done(st) && core_stream_receive_done(st) &&
	    !st->position_out)
		core_stream_free(st);
}

/* Would another stream be beyond the limit, in all or (half of it) of one session, by
 * more than spare? */
static bool too_many(const struct core_session *s, int spare)
{
	const struct core_sessions *table = s->table;
	int64_t most = (int64_t)table->config.most_streams + spare;
	int64_t share = (int64_t)table->config.most_streams / 2 + spare;

	return (int64_t)table->stream_count >= most || (int64_t)s->streams.count >= share;
}

struct core_stream *core_stream_open(struct core_session *s, const char *service,
                                     uint16_t source_port,
                                     const struct core_stream_user *user, void *data)
{
	struct core_sessions *table = s->table;
	struct core_stream *st;

	if (s->closing || table->stopping || strlen(service) > CORE_SERVICE_MAX ||
	    too_many(s, 0) || s->next_stream > MUSES_VARINT_MAX)
		return NULL;
	st = core_stream_new(s, s->next_stream, true, service, strlen(service));
	if (st == NULL)
		return NULL;
	s->next_stream += 2;
	st->source_port = source_port;
	st->user = user;
	st->data = data;
	core_stream_due(st, CORE_DUE_OPEN);
	return st;
}

void core_stream_accept(struct core_stream *st, const struct core_stream_user *user,
                        void *data)
{
	st->user = user;
	st->data = data;
	if (st->news == 0 && st->reason == CORE_REASON_NONE &&
	    (st->receive.contiguous > st->receive.consumed || core_stream_ended(st)))
		core_stream_tell(st, CORE_NEWS_READABLE);
	if (st->receive.reset)
		core_stream_tell(st, CORE_NEWS_RESET);
}

/* Give up our half and whatever comes on the other. */
static void start_reset(struct core_stream *st, enum core_reason reason, bool reject)
{
	if (!st->resetting) {
		st->resetting = true;
		st->rejecting = reject;
		st->reason = (uint8_t)reason;
		core_stream_send_release(st);
		if (st->ours && !st->open_sent)
			st->send.reset_acked = st->receive.reset =
				true; /* Nobody knows it. */
		else
			core_stream_due(st, CORE_DUE_RESET);
	}
	core_stream_receive_release(st);
}

static void let_go(struct core_stream *st)
{
	st->user = NULL;
	st->data = NULL;
	st->abandoned = true;
	news_remove(st);
	if (st->session->table->telling == st)
		st->session->table->telling = NULL;
}

void core_stream_reject(struct core_stream *st, enum core_reason reason)
{
	let_go(st);
	start_reset(st, reason, true);
	core_stream_settle(st);
}

void core_stream_reset(struct core_stream *st, enum core_reason reason)
{
	let_go(st);
	if (!core_stream_send_done(st) || !core_stream_receive_done(st))
		start_reset(st, reason, false);
	core_stream_settle(st);
}

void core_stream_close(struct core_stream *st)
{
	bool received = core_stream_receive_done(st);

	let_go(st);
	if (!st->send.finish || !received)
		start_reset(st, CORE_REASON_RESET, false);
	else
		core_stream_receive_release(st);
	core_stream_settle(st);
}

void core_stream_end(struct core_stream *st, enum core_reason reason)
{
	struct core_session *s = st->session;
	/* All there, only not read yet: the user loses nothing. */
	bool whole = !st->abandoned && !st->resetting && !st->receive.reset &&
	             core_stream_send_done(st) && core_stream_receive_done(st);

	core_stream_unready(st);
	st->due = 0;
	if (st->position_out) {
		st->position_out = false;
		s->positions_out--;
	}
	if (!whole) {
		if (st->reason == CORE_REASON_NONE)
			st->reason = (uint8_t)reason;
		st->resetting = true;
		st->send.reset_acked = true;
		st->receive.reset = true;
		core_stream_send_release(st);
		core_stream_receive_release(st);
		core_stream_tell(st, CORE_NEWS_RESET);
	}
	/* A peer that begins anew may use its number again, at once. */
	core_hash_move(&s->streams, &st->node, st->node.key | ENDED);
	core_stream_settle(st);
}

/* Every stream of s once, though each may be freed on the way. */
#define EACH_STREAM(s, n, next, place)                                             \
	for (n = core_hash_next(&(s)->streams, &place, NULL);                      \
	     n != NULL && (next = core_hash_next(&(s)->streams, &place, n), true); \
	     n = next)

void core_streams_end(struct core_session *s, enum core_reason reason)
{
	struct core_hash_node *n, *next;
	size_t place = 0;

	EACH_STREAM(s, n, next, place)
	core_stream_end(muses_container(n, struct core_stream, node), reason);
}

void core_streams_end_sent(struct core_session *s, enum core_reason reason)
{
	struct core_hash_node *n, *next;
	size_t place = 0;

	EACH_STREAM(s, n, next, place)
	{
		struct core_stream *st = muses_container(n, struct core_stream, node);

		if (!st->ours || st->open_sent)
			core_stream_end(st, reason);
	}
}

void core_streams_restart(struct core_session *s)
{
	struct core_hash_node *n, *next;
	size_t place = 0;

	EACH_STREAM(s, n, next, place)
	{
		struct core_stream *st = muses_container(n, struct core_stream, node);

		st->open_sent = false;
		st->send.high = 0;
		if (st->resetting)
			core_stream_end(st, st->reason); /* Nobody knows it. */
		else
			core_stream_rewind(st, 0, false);
	}
}

void core_streams_wake(struct core_session *s)
{
	struct core_hash_node *n;
	size_t place = 0;

	for (n = core_hash_next(&s->streams, &place, NULL); n != NULL;
	     n = core_hash_next(&s->streams, &place, n)) {
		struct core_stream *st = muses_container(n, struct core_stream, node);

		if (core_stream_sendable(st))
			core_stream_due(st, CORE_DUE_DATA);
	}
}

void core_streams_feed(struct core_session *s)
{
	struct core_hash_node *n;
	size_t place = 0;

	for (n = core_hash_next(&s->streams, &place, NULL); n != NULL;
	     n = core_hash_next(&s->streams, &place, n)) {
		struct core_stream *st = muses_container(n, struct core_stream, node);

		if (st->wants_space && core_stream_space(st) > 0) {
			st->wants_space = false;
			core_stream_tell(st, CORE_NEWS_WRITABLE);
		}
	}
}

void core_streams_abandon(struct core_session *s)
{
	struct core_hash_node *n, *next;
	size_t place = 0;

	EACH_STREAM(s, n, next, place)
	core_stream_free(muses_container(n, struct core_stream, node));
}

void core_streams_notify(struct core_session *s, uint8_t news)
{
	struct core_hash_node *n, *next;
	size_t place = 0;

	EACH_STREAM(s, n, next, place)
	{
		struct core_stream *st = muses_container(n, struct core_stream, node);

		/* Who waits for room hears when there is some again. */
		if ((news & CORE_NEWS_RESUMED) != 0 && st->wants_space &&
		    core_stream_space(st) > 0) {
			st->wants_space = false;
			core_stream_tell(st, CORE_NEWS_WRITABLE);
		}
		core_stream_tell(st, news);
	}
}

/* ---- the peer's words ------------------------------------------------------- */

/* Was this number of the peer's ever used?  Numbers so far below that they were
 * forgotten count as used. */
static bool was_seen(const struct core_session *s, uint64_t half)
{
	const struct core_ranges *seen = &s->seen_streams;

	return core_ranges_contains(seen, half) ||
	       (seen->count == CORE_RANGES_MAX && half < core_ranges_first(seen));
}

void core_stream_opened(struct core_session *s, const struct core_frame *f)
{
	struct core_sessions *table = s->table;
	struct core_stream *st = core_stream_find(s, f->stream);
	char service[CORE_SERVICE_MAX + 1];

	if ((f->stream & 1) == (s->next_stream & 1)) {
		core_session_violated(s, "peer opened a number of ours");
		return;
	}
	if (st != NULL) {
		st->heard = true;
		return;
	}
	if (was_seen(s, f->stream / 2))
		return;
	if (too_many(s, STREAMS_REFUSED_MOST)) {
		/* Those that were refused have to go first. */
		core_session_count(s, "far too many streams");
		s->deaf = true;
		return;
	}
	st = core_stream_new(s, f->stream, false, (const char *)f->data, f->size);
	if (st == NULL) {
		core_session_count(s, "no memory for a stream");
		s->deaf = true;
		return;
	}
	core_ranges_add(&s->seen_streams, f->stream / 2, f->stream / 2);
	st->opened = st->heard = true;
	st->source_port = f->source_port;
	st->destination_port = f->destination_port;
	memcpy(service, f->data, f->size);
	service[f->size] = '\0';
	if (too_many(s, 1))
		core_stream_reject(st, CORE_REASON_LIMIT);
	else if (strlen(service) != f->size || f->size == 0 || !muses_name_valid(service))
		core_stream_reject(st, CORE_REASON_NO_SERVICE);
	else
		table->config.accept(table->config.owner, st, st->service);
}

void core_stream_peer_reset(struct core_session *s, const struct core_frame *f)
{
	struct core_stream *st = core_stream_find(s, f->stream);

	if (st == NULL)
		return;
	st->heard = true;
	if (st->receive.reset)
		return;
	if (f->value < st->receive.highest || !core_stream_reaches(st, f->value)) {
		core_session_violated(s, "reset moved the end of a stream");
		return;
	}
	st->receive.reset = true;
	core_stream_receive_release(st);
	if (!st->resetting) {
		/* Answer in kind, so that the peer knows where our bytes end. */
		st->reason = f->code < CORE_REASONS && f->code != 0 ? f->code
		                                                    : CORE_REASON_RESET;
		st->resetting = true;
		core_stream_send_release(st);
		core_stream_due(st, CORE_DUE_RESET);
	}
	core_stream_tell(st, CORE_NEWS_RESET);
	core_stream_settle(st);
}

/* ---- after a resume ------------------------------------------------------------ */

void core_streams_resumed(struct core_session *s)
{
	struct core_hash_node *n, *next;
	size_t place = 0;

	s->positions_out = 0;
	s->positions_expected = true;
	EACH_STREAM(s, n, next, place)
	{
		struct core_stream *st = muses_container(n, struct core_stream, node);
		uint8_t due = CORE_DUE_POSITION | CORE_DUE_WINDOW;

		if (core_stream_gone(st))
			continue;
		if (st->resetting && !st->send.reset_acked)
			due |= CORE_DUE_RESET;
		if (st->ours && !st->open_sent) {
			/* The peer cannot know it yet: nothing to settle. */
			core_stream_due(st, CORE_DUE_OPEN | CORE_DUE_DATA);
			continue;
		}
		st->waiting = true;
		st->position_out = true;
		s->positions_out++;
		core_stream_due(st, due);
	}
	s->due |= CORE_DUE_POSITIONS | CORE_DUE_WINDOWS;
	core_session_wake(s);
}

void core_streams_unsent(struct core_session *s)
{
	struct core_hash_node *n, *next;
	size_t place = 0;

	EACH_STREAM(s, n, next, place)
	{
		struct core_stream *st = muses_container(n, struct core_stream, node);

		st->waiting = false;
		st->send.limit = s->peer_stream_window;
		core_stream_due(st, CORE_DUE_OPEN | CORE_DUE_DATA);
	}
}

void core_stream_position(struct core_session *s, const struct core_frame *f)
{
	struct core_stream *st = core_stream_find(s, f->stream);

	if (st == NULL)
		return;
	st->heard = true;
	st->opened = true;
	if (!st->waiting)
		return;
	if (st->resetting) {
		st->waiting = false;
		return;
	}
	if (f->value < st->send.base || f->value > st->send.high ||
	    (f->end && (!st->send.finish || f->value != st->send.written))) {
		core_session_violated(s, "position does not fit what was sent");
		return;
	}
	st->waiting = false;
	core_stream_rewind(st, f->value, f->end);
}

void core_streams_positions_done(struct core_session *s)
{
	struct core_hash_node *n, *next;
	size_t place = 0;

	if (!s->positions_expected)
		return;
	s->positions_expected = false;
	EACH_STREAM(s, n, next, place)
	{
		struct core_stream *st = muses_container(n, struct core_stream, node);

		if (!st->waiting)
			continue;
		st->waiting = false;
		if (st->heard || st->opened) {
			/* The peer knew it and does not any more: it had everything. */
			st->send.end_acked = st->send.end_sent = st->send.finish;
			if (st->resetting) {
				st->send.reset_acked = st->receive.reset = true;
				core_stream_settle(st);
			} else if (st->send.finish) {
				core_stream_rewind(st, st->send.written, true);
			} else {
				core_stream_end(st, CORE_REASON_RESET);
			}
		} else {
			st->open_sent = false;
			core_stream_due(st, CORE_DUE_OPEN);
			core_stream_rewind(st, st->send.base, false);
		}
	}
}
