/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The session's side of Re-Hello: which generations of traffic keys there are,
 * which one is current, and what suspending and resuming mean.  The messages and
 * the rules of commitment are core/resume.c's.
 */
#include "core/session_int.h"

/* Unanswered attempts on a path that is up, after which the peer may have forgotten
 * the session (protocol.md 10.3). */
#define UNANSWERED_MOST 3
/* After a resume, when data flows again. */
#define KEYSTEP_AFTER_NS MUSES_S

struct core_traffic *core_session_traffic(struct core_session *s, uint16_t epoch)
{
	for (size_t i = 0; i < CORE_GENERATIONS_MAX; i++)
		if (s->traffic[i] != NULL &&
		    (s->traffic[i]->generation & 63) == epoch >> 10)
			return s->traffic[i];
	return NULL;
}

static void release_one(struct core_session *s, size_t i)
{
	if (s->traffic[i] == NULL)
		return;
	core_traffic_release(s->traffic[i]);
	muses_free(s->traffic[i]);
	s->traffic[i] = NULL;
}

void core_session_release_traffic(struct core_session *s)
{
	for (size_t i = 0; i < CORE_GENERATIONS_MAX; i++)
		release_one(s, i);
}

/* Drop the keys of generations that nothing can come under any more. */
static void drop_dead(struct core_session *s)
{
	for (size_t i = 0; i < CORE_GENERATIONS_MAX; i++)
		if (s->traffic[i] != NULL &&
		    !core_resume_alive(&s->resume, s->traffic[i]->generation))
			release_one(s, i);
}

static int add_generation(struct core_session *s, uint32_t number,
                          const struct core_resume_keys *keys)
{
	struct core_traffic *t = muses_zalloc(sizeof(*t));
	size_t i;
	int err;

	if (t == NULL)
		return MUSES_ENOMEM;
	err = core_traffic_open(t, s->suite, number, s->resume.mine_way, keys->traffic,
	                        s->session_id, &s->table->self, &s->peer);
	if (err != 0) {
		muses_free(t);
		return err;
	}
	drop_dead(s);
	/* The same number may be there: an older answer to the same question. */
	for (i = 0; i < CORE_GENERATIONS_MAX; i++)
		if (s->traffic[i] != NULL && s->traffic[i]->generation == number)
			release_one(s, i);
	for (i = 1; i < CORE_GENERATIONS_MAX - 1 && s->traffic[i] != NULL; i++)
		continue;
	release_one(s, i);
	s->traffic[i] = t;
	return 0;
}

/* ---- states ---------------------------------------------------------------------- */

static void resumed(struct core_session *s)
{
	bool was_suspended = s->state == CORE_SESSION_SUSPENDED;
	char label[MUSES_NAME_MAX + 1];

	s->unanswered = 0;
	core_handshake_cancel(s);
	s->mtu = s->table->overlay_ops->mtu(s->table->pipeline->overlay, &s->peer);
	if (was_suspended) {
		core_log(s->table->env->log, MUSES_INFO, CORE_SESSIONS,
		         "session with %s resumed after_ms=%" PRIu64
		         " generation=%" PRIu32,
		         core_session_label(s, label),
		         (core_session_now(s) - s->suspended_ns) / MUSES_MS,
		         s->resume.current);
		s->suspended_ns = 0;
	}
	s->resumes++;
	core_session_set_state(s, CORE_SESSION_ESTABLISHED);
	s->table->reliability_ops->phase(s->reliability, MUSES_ESTABLISHED);
	if (was_suspended)
		core_streams_notify(s, CORE_NEWS_RESUMED);
	core_session_wake(s);
}

/* What was under way before is unknown until the peer has told its positions. */
static void begin_generation(struct core_session *s)
{
	core_keystep_release(s);
	s->keystep_ns = core_session_now(s) + KEYSTEP_AFTER_NS;
	core_sent_forget(s);
	s->due |= CORE_DUE_PONG;
	core_streams_resumed(s);
	resumed(s);
}

void core_session_switch(struct core_session *s)
{
	size_t i;

	for (i = 0; i < CORE_GENERATIONS_MAX; i++)
		if (s->traffic[i] != NULL &&
		    s->traffic[i]->generation == s->resume.current)
			break;
	if (i == CORE_GENERATIONS_MAX)
		return;
	if (i > 0) {
		struct core_traffic *t = s->traffic[i];

		s->traffic[i] = s->traffic[0];
		s->traffic[0] = t;
		core_ranges_clear(&s->received);
		begin_generation(s);
	}
	drop_dead(s);
}

void core_session_suspend(struct core_session *s)
{
	char label[MUSES_NAME_MAX + 1];

	if (s->state == CORE_SESSION_SUSPENDED || !s->keyed)
		return;
	core_log(s->table->env->log, MUSES_INFO, CORE_SESSIONS,
	         "session with %s suspended unacked_bytes=%" PRIu64 " streams=%zu",
	         core_session_label(s, label), s->send_held, s->streams.count);
	s->suspended_ns = core_session_now(s);
	/* Also those of a generation that the peer may be about to use: then it asks
	 * again.  To go on within one would leave open what was under way in it. */
	core_session_release_traffic(s);
	core_keystep_release(s);
	core_session_set_state(s, CORE_SESSION_SUSPENDED);
	s->table->reliability_ops->phase(s->reliability, MUSES_SUSPENDED);
	core_streams_notify(s, CORE_NEWS_SUSPENDED);
}

void core_session_evidence(struct core_session *s, uint32_t generation, bool acked)
{
	if (core_resume_settled(&s->resume) && generation == s->resume.committed.traffic)
		return;
	if (core_resume_evidence(&s->resume, generation, acked) == CORE_RESUME_COMMITTED)
		core_session_switch(s);
}

/* ---- messages -------------------------------------------------------------------- */

static struct core_locator here(struct core_session *s, uint32_t mtu)
{
	struct core_locator l = { .mtu = mtu };

	l.size = core_sessions_locator(s->table, l.bytes);
	return l;
}

static void heed(struct core_session *s, const struct core_locator *there)
{
	const struct muses_overlay_ops *ops = s->table->overlay_ops;

	if (there->size > 0 && ops->locator_hint != NULL)
		ops->locator_hint(s->table->pipeline->overlay, &s->peer, there->bytes,
		                  there->size);
	if (there->mtu >= 1200 && there->mtu < s->mtu)
		s->mtu = there->mtu;
}

void core_rehello_begin(struct core_session *s, bool fresh)
{
	struct core_sessions *table = s->table;
	uint8_t na[CORE_NONCE_SIZE];

	if (!s->confirmed) {
		/* Whether the peer has these keys is not known: agree on new ones. */
		core_handshake_begin(s);
		return;
	}
	if (fresh || !s->resume.asking) {
		struct core_locator l = here(s, 0);

		if (core_rand_bytes(table->env->rand, na, sizeof(na)) != 0 ||
		    core_resume_ask(&s->resume, s->peer_index, na, &l) != 0) {
			core_session_count(s, "could not make a Re-Hello");
			return;
		}
	}
	s->rehello_sent_ns = core_session_now(s);
	s->rehello_bytes += CORE_REHELLO_BYTES;
	core_sessions_send(table, &s->peer, s->resume.question, CORE_REHELLO_BYTES);
	table->reliability_ops->rehello_sent(s->reliability);
	if (s->state == CORE_SESSION_ESTABLISHED) {
		core_session_set_state(s, CORE_SESSION_SUSPECTED);
		table->reliability_ops->phase(s->reliability, MUSES_SUSPECTED);
	}
	/* Not at every attempt: on a path that is up to a peer that is not, for days. */
	if (++s->unanswered > UNANSWERED_MOST &&
	    (s->unanswered & (s->unanswered - 1)) == 0 &&
	    table->overlay_ops->reachable(table->pipeline->overlay, &s->peer))
		core_handshake_begin(s);
}

static void on_question(struct core_session *s, const struct core_packet *p,
                        const uint8_t *data, size_t size, const struct muses_met *met)
{
	struct core_resume_keys keys = { 0 };
	struct core_locator l = here(s, met->mtu), there = { 0 };
	uint8_t nb[CORE_NONCE_SIZE];
	enum core_resume_event event;

	if (core_rand_bytes(s->table->env->rand, nb, sizeof(nb)) != 0)
		return;
	event = core_resume_asked(&s->resume, p, data, size, s->peer_index, nb, &l,
	                          &there, &keys);
	switch (event) {
	case CORE_RESUME_ANSWER:
		if (add_generation(s, s->resume.theirs.number, &keys) != 0) {
			/* The peer asks again, with a new number in time. */
			core_session_count(s, "no memory to resume");
			break;
		}
		/* FALLTHROUGH */
	case CORE_RESUME_REPEAT:
		s->rehello_bytes += CORE_REHELLO_BYTES;
		core_sessions_send(s->table, &s->peer, s->resume.answer,
		                   CORE_REHELLO_BYTES);
		break;
	case CORE_RESUME_COUNTER:
		/* Maybe a replay: the attempt that is out, if one is, not another. */
		core_rehello_begin(s, false);
		break;
	default:
		core_session_count(s, "Re-Hello refused");
		break;
	}
	muses_cleanse(&keys, sizeof(keys));
	if (event == CORE_RESUME_ANSWER) {
		heed(s, &there);
		/* Even if the number is as before: a second answer has the number of
		 * the first, and other keys. */
		core_session_switch(s);
	}
}

static void on_answer(struct core_session *s, const struct core_packet *p,
                      const uint8_t *data, size_t size)
{
	struct core_resume_keys keys = { 0 };
	struct core_locator there = { 0 };
	uint32_t before = s->resume.current;

	if (core_resume_answered(&s->resume, p, data, size, &there, &keys) !=
	    CORE_RESUME_ADOPTED) {
		core_session_count(s, "Re-Hello answer refused");
		return;
	}
	if (add_generation(s, s->resume.mine.number, &keys) != 0) {
		/* Asked again in time, anew. */
		core_session_count(s, "no memory to resume");
	} else {
		s->unanswered = 0;
		s->table->reliability_ops->rehello_answered(
			s->reliability, core_session_now(s) - s->rehello_sent_ns);
		if (s->resume.current != before)
			core_session_switch(s);
	}
	muses_cleanse(&keys, sizeof(keys));
	heed(s, &there);
}

void core_rehello_received(struct core_session *s, const struct core_packet *p,
                           const uint8_t *data, size_t size, const struct muses_met *met)
{
	if (!s->keyed)
		return;
	if (p->type == CORE_PACKET_REHELLO)
		on_question(s, p, data, size, met);
	else
		on_answer(s, p, data, size);
	core_session_wake(s);
}

/* ---- a finished handshake --------------------------------------------------------- */

/* Limits start anew, for streams that the peer has not heard of. */
static void begin_anew(struct core_session *s)
{
	s->send_total = s->receive_total = s->receive_consumed = 0;
	s->send_limit = s->peer_session_window;
	s->receive_limit = s->table->config.session_window;
	core_ranges_clear(&s->seen_streams);
	core_streams_unsent(s);
}

/* The peer knows nothing of what was sent: streams that have a past end, those of a
 * handshake that was never confirmed are sent from the start. */
static void forget_past(struct core_session *s)
{
	char label[MUSES_NAME_MAX + 1];

	if (!s->lived) {
		core_streams_restart(s);
		return;
	}
	core_log(s->table->env->log, MUSES_INFO, CORE_SESSIONS,
	         "%s has restarted streams=%zu", core_session_label(s, label),
	         s->streams.count);
	core_streams_end_sent(s, CORE_REASON_PEER_RESTARTED);
}

void core_session_forgotten(struct core_session *s)
{
	forget_past(s);
	s->positions_expected = false;
	s->due &= (uint16_t)~CORE_DUE_POSITIONS;
	begin_anew(s);
}

int core_session_install(struct core_session *s, const uint8_t *secret,
                         struct core_traffic *traffic, bool goes_on)
{
	struct core_sessions *table = s->table;
	int err;

	if (s->reliability == NULL) {
		err = table->reliability_ops->session_open(table->pipeline->reliability,
		                                           (struct muses_flow *)s,
		                                           &s->reliability);
		if (err != 0) {
			s->reliability = NULL;
			return err;
		}
	}
	if (!goes_on)
		forget_past(s);
	s->lived = s->lived || s->confirmed;
	core_session_release_traffic(s);
	core_resume_release(&s->resume);
	err = core_resume_open(&s->resume, &table->self, &s->peer, traffic->generation,
	                       secret);
	if (err != 0)
		return err;
	s->traffic[0] = traffic;
	core_sent_forget(s);
	core_ranges_clear(&s->received);
	s->marks = 0;
	if (goes_on)
		core_streams_resumed(s);
	else
		begin_anew(s);
	core_keystep_release(s);
	s->keystep_ns = core_session_now(s) + table->config.keystep_s * MUSES_S;
	s->keyed = true;
	s->finished_out = true;
	s->due |= CORE_DUE_FINISHED | CORE_DUE_PONG;
	s->established_ns = core_session_now(s);
	resumed(s);
	return 0;
}
