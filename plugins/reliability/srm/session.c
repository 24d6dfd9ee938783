/* SPDX-License-Identifier: Apache-2.0 */
/* One session: hands each fact to the parts it concerns, and asks them.  No part
 * knows another; what they have to tell each other passes through here. */
#include "srm.h"

#include <muses/plugin.h>

#define SHRINK_AFTER (1 * MUSES_S)

static void draw_jitter(struct srm_session *s)
{
	s->jitter = (uint32_t)muses_random_below(s->layer, REHELLO_JITTER + 1);
}

static int session_open(struct muses_layer *l, struct muses_flow *flow, void **state)
{
	const struct srm_config *c = muses_self(l);
	struct window_limits limits = { c->window_least, c->window_initial,
		                        c->window_most };
	struct srm_session *s = muses_zalloc(sizeof(*s));

	if (s == NULL)
		return MUSES_ENOMEM;
	s->layer = l;
	s->flow = flow;
	s->config = c;
	s->patience.suspect_ms = c->suspect_ms;
	s->patience.give_up_s = c->give_up_s;
	s->marks_known = true; /* None yet. */
	s->shrink_ns = UINT64_MAX;
	srm_loss_init(&s->loss);
	srm_window_init(&s->window, &limits);
	srm_acks_init(&s->acks, c->ack_every, c->ack_delay_ms * MUSES_MS);
	srm_suspect_init(&s->suspect, c->rehello_ms, c->rehello_max_ms);
	draw_jitter(s);
	*state = s;
	return 0;
}

static void session_close(void *state)
{
	struct srm_session *s = state;

	srm_sent_clear(&s->sent);
	muses_free(s);
}

static struct pace_rate pace_rate(const struct srm_session *s)
{
	return srm_pace_rate(s->window.bytes, srm_rtt_now(&s->rtt), s->window.packet,
	                     srm_window_slow_start(&s->window) ? 200 : 125);
}

/* A reliable link spreads packets by itself: its sender waits for it. */
static bool paced(const struct srm_session *s)
{
	return s->loss.lossy && srm_rtt_known(&s->rtt);
}

static size_t session_sendable(void *state)
{
	struct srm_session *s = state;
	struct pace_rate rate;
	uint64_t room, credit;

	if (s->suspect.phase == MUSES_SUSPENDED)
		return 0;
	room = srm_window_room(&s->window, s->sent.bytes);
	if (room == 0 || !paced(s))
		return room;
	rate = pace_rate(s);
	credit = srm_pace_room(&s->pace, &rate, muses_now(s->layer));
	s->pacing = credit < s->window.packet;
	if (s->pacing)
		return 0;
	return room < credit ? room : credit;
}

static int session_sent(void *state, uint64_t seq, size_t size, bool counts)
{
	struct srm_session *s = state;
	uint64_t now = muses_now(s->layer);
	bool first = s->sent.waiting == 0;
	uint64_t quiet = first && s->idle_ns != 0 ? now - s->idle_ns : 0;

	if (!counts)
		return 0;
	if (srm_sent_push(&s->sent, seq, (uint32_t)size, now) != 0)
		return MUSES_ENOMEM;
	srm_window_sent(&s->window, now, (uint32_t)size, s->sent.bytes, quiet);
	if (paced(s))
		srm_pace_sent(&s->pace, (uint32_t)size);
	if (first)
		srm_suspect_waiting(&s->suspect, now, srm_rtt_pto(&s->rtt));
	return 0;
}

static void session_received(void *state, uint64_t seq, bool counts, bool gap, bool last,
                             bool lossy, bool congested)
{
	struct srm_session *s = state;
	struct acks_packet packet = { counts, gap, last, lossy, congested };

	(void)seq; /* Which numbers came is what the core writes into the ACK. */
	srm_acks_received(&s->acks, muses_now(s->layer), packet);
}

static uint64_t session_ack_due(void *state)
{
	struct srm_session *s = state;

	return s->suspect.phase == MUSES_SUSPENDED ? UINT64_MAX : s->acks.due_ns;
}

static void session_ack_sent(void *state)
{
	struct srm_session *s = state;

	srm_acks_sent(&s->acks);
}

/* Fates are told; now the others hear of it. */
static void settled(struct srm_session *s, uint64_t now, const struct loss_news *news)
{
	uint64_t pto = srm_rtt_pto(&s->rtt);

	if (news->lost_ns != 0)
		srm_window_congested(&s->window, now, news->lost_ns, WINDOW_LOSS);
	if (s->loss.lossy && news->run_ns > 3 * pto)
		srm_window_collapsed(&s->window);
	if (news->delivered_bytes == 0 && news->lost_bytes == 0)
		return;
	if (s->sent.waiting > 0) {
		srm_suspect_progress(&s->suspect, now, pto);
		return;
	}
	srm_suspect_answered(&s->suspect, now, pto);
	s->idle_ns = now;
	if (srm_sent_large(&s->sent))
		s->shrink_ns = now + SHRINK_AFTER;
}

/* The peer's delay is that of its highest number: a round trip can be measured
 * if that is one of ours and was not acknowledged before. */
static uint64_t measure(struct srm_session *s, uint64_t now, const struct muses_ack *ack)
{
	uint32_t index = srm_sent_find(&s->sent, ack->range[0].last);
	const struct sent_record *top;

	if (index == s->sent.count)
		return 0;
	top = srm_sent_at(&s->sent, index);
	if (top->seq != ack->range[0].last || top->settled)
		return 0;
	return srm_rtt_sample(&s->rtt, now - top->time_ns, ack->delay_ns);
}

static void session_acked(void *state, const struct muses_ack *ack)
{
	struct srm_session *s = state;
	uint64_t now = muses_now(s->layer);
	uint64_t sample = measure(s, now, ack);
	struct window_delivery d = { .sample_ns = sample };
	struct loss_news news;

	/* While the path is in doubt two may be in use, and order is worth nothing. */
	s->loss.lossy = ack->lossy || s->suspect.phase == MUSES_SUSPECTED;
	srm_loss_acked(&s->loss, &s->sent, &s->rtt, now, ack, s->flow, &news);

	if (s->marks_known && ack->congestion > s->marks && news.delivered_ns != 0)
		srm_window_congested(&s->window, now, news.delivered_ns, WINDOW_MARK);
	s->marks = ack->congestion;
	s->marks_known = true;

	settled(s, now, &news);
	if (news.delivered_ns == 0)
		return;
	d.size = news.delivered_bytes;
	d.sent_ns = news.delivered_ns;
	d.in_flight = s->sent.bytes;
	d.rtt_ns = srm_rtt_now(&s->rtt);
	srm_window_delivered(&s->window, now, &d);
}

static void session_path(void *state, enum muses_path event)
{
	struct srm_session *s = state;

	srm_suspect_path(&s->suspect, muses_now(s->layer), event);
}

/* What was sent and received under other keys no longer exists. */
static void forget(struct srm_session *s, uint64_t now)
{
	srm_sent_clear(&s->sent);
	srm_loss_clear(&s->loss);
	srm_acks_clear(&s->acks);
	s->marks_known = false;
	s->shrink_ns = UINT64_MAX;
	srm_suspect_answered(&s->suspect, now, srm_rtt_pto(&s->rtt));
}

static void session_phase(void *state, enum muses_phase phase)
{
	struct srm_session *s = state;
	uint64_t now = muses_now(s->layer);

	if (phase != MUSES_SUSPECTED) {
		forget(s, now);
		srm_window_restart(&s->window);
	}
	srm_suspect_phase(&s->suspect, now, srm_rtt_pto(&s->rtt), phase);
}

static void session_rehello_sent(void *state)
{
	struct srm_session *s = state;

	s->attempts++;
}

static void session_rehello_answered(void *state, uint64_t rtt_ns)
{
	struct srm_session *s = state;

	/* The first word on a path that may be another. */
	srm_rtt_reset(&s->rtt);
	srm_rtt_sample(&s->rtt, rtt_ns, 0);
}

static uint64_t next_due(struct srm_session *s, uint64_t now)
{
	uint64_t due = srm_suspect_due(&s->suspect, &s->patience);
	struct pace_rate rate;
	uint64_t pace_ns;

	if (s->loss.due_ns < due)
		due = s->loss.due_ns;
	if (s->shrink_ns < due)
		due = s->shrink_ns;
	/* Only who was refused waits for pacing: an idle session has no timer. */
	if (s->pacing && paced(s) && srm_window_room(&s->window, s->sent.bytes) > 0) {
		rate = pace_rate(s);
		if (srm_pace_room(&s->pace, &rate, now) < s->window.packet) {
			pace_ns = srm_pace_due(&s->pace, &rate);
			due = pace_ns < due ? pace_ns : due;
		}
	}
	return due;
}

static enum muses_verdict session_timer(void *state, uint64_t *due, const char **why)
{
	struct srm_session *s = state;
	uint64_t now = muses_now(s->layer);
	struct suspect_now at = { now, srm_rtt_pto(&s->rtt), s->loss.lossy, s->jitter };
	enum muses_verdict verdict;
	struct loss_news news;

	if (now >= s->loss.due_ns) {
		srm_loss_look(&s->loss, &s->sent, &s->rtt, now, s->flow, &news);
		settled(s, now, &news);
	}
	if (now >= s->shrink_ns) {
		srm_sent_shrink(&s->sent);
		s->shrink_ns = UINT64_MAX;
	}
	verdict = srm_suspect_ask(&s->suspect, &s->patience, &at);
	if (verdict == MUSES_SEND)
		s->probes++;
	else if (verdict == MUSES_REHELLO)
		draw_jitter(s);
	else if (verdict == MUSES_GIVE_UP)
		*why = "no Re-Hello was answered for as long as give_up_s allows";
	*due = next_due(s, now);
	return verdict;
}

const struct muses_reliability_ops srm_ops = {
	.wire_id = 1,
	.version = 1,
	.session_open = session_open,
	.session_close = session_close,
	.sendable = session_sendable,
	.sent = session_sent,
	.received = session_received,
	.ack_due = session_ack_due,
	.ack_sent = session_ack_sent,
	.acked = session_acked,
	.path = session_path,
	.phase = session_phase,
	.rehello_sent = session_rehello_sent,
	.rehello_answered = session_rehello_answered,
	.timer = session_timer,
	.info = srm_session_info,
};
