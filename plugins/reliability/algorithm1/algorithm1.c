/* SPDX-License-Identifier: Apache-2.0 */
/*
 * algorithm1: the paper's Algorithm 1 to the letter, to compare srm with.
 *
 *               Max_i packets are out, or no more to send
 *      SENDING ------------------------------------------> WAITING
 *         ^                                                |    |
 *         |_________ all acknowledged: i = 0, j = 0 _______|    | timeout
 *         |                                                     v
 *         |____________ Re-Hello answered: i = 0, j = 0 ____ PAUSED --> closed
 *                                                           each timeout:
 *                                                           j = j + 1, Re-Hello;
 *                                                           j = Max_j: close
 *
 * No window, no round-trip times, no news of the path: what the paper did not
 * have is not here.  The page says how each line of the paper maps.
 */
#include "round.h"

#include <muses/plugin.h>

struct algorithm1_config {
	uint32_t max_i;
	uint32_t max_j;
	uint32_t timeout_ms;
};

struct algorithm1_session {
	struct muses_layer *layer;
	struct muses_flow *flow;
	const struct algorithm1_config *config;
	struct round round;
	enum muses_phase phase;
	uint32_t pauses;     /* j */
	uint64_t due_ns;     /* WAITING: the timeout; PAUSED: the next Re-Hello. */
	uint32_t unanswered; /* Packets received since our last acknowledgement. */
	uint64_t ack_due_ns;
	uint64_t timeouts;
};

static const struct muses_option options[] = {
	MUSES_UINT32(algorithm1_config, max_i, 32, 1, 4096, "packets",
	             "Send this many packets, then wait until all are acknowledged."),
	MUSES_UINT32(algorithm1_config, max_j, 10, 1, 1000000, "times",
	             "Close the session after this many pauses without an answer."),
	MUSES_UINT32(algorithm1_config, timeout_ms, 1000, 10, 60000, "ms",
	             "Wait this long for the acknowledgement, and in each pause."),
	MUSES_OPTIONS_END,
};

static uint64_t timeout_ns(const struct algorithm1_session *s)
{
	return s->config->timeout_ms * MUSES_MS;
}

static int session_open(struct muses_layer *l, struct muses_flow *flow, void **state)
{
	struct algorithm1_session *s = muses_zalloc(sizeof(*s));

	if (s == NULL)
		return MUSES_ENOMEM;
	s->layer = l;
	s->flow = flow;
	s->config = muses_self(l);
	s->due_ns = UINT64_MAX;
	s->ack_due_ns = UINT64_MAX;
	*state = s;
	return 0;
}

static void session_close(void *state)
{
	struct algorithm1_session *s = state;

	algorithm1_round_release(&s->round);
	muses_free(s);
}

static size_t session_sendable(void *state)
{
	struct algorithm1_session *s = state;

	/* The paper counts packets, not bytes. */
	if (s->phase != MUSES_ESTABLISHED || s->round.taken >= s->config->max_i)
		return 0;
	return MUSES_PACKET_MAX;
}

static int session_sent(void *state, uint64_t seq, size_t size, bool counts)
{
	struct algorithm1_session *s = state;

	(void)size;
	if (!counts)
		return 0;
	if (algorithm1_round_sent(&s->round, seq) != 0)
		return MUSES_ENOMEM;
	s->due_ns = muses_now(s->layer) + timeout_ns(s);
	return 0;
}

static void session_received(void *state, uint64_t seq, bool counts, bool gap, bool last,
                             bool lossy, bool congested)
{
	struct algorithm1_session *s = state;

	(void)seq;
	(void)lossy;
	(void)congested;
	if (!counts)
		return;
	if (++s->unanswered >= s->config->max_i || gap || last)
		s->ack_due_ns = 0;
	else if (s->ack_due_ns == UINT64_MAX)
		/* The sender may have been slow, or its Max_i is larger than ours. */
		s->ack_due_ns = muses_now(s->layer) + timeout_ns(s) / 4;
}

static uint64_t session_ack_due(void *state)
{
	struct algorithm1_session *s = state;

	return s->ack_due_ns;
}

static void session_ack_sent(void *state)
{
	struct algorithm1_session *s = state;

	s->unanswered = 0;
	s->ack_due_ns = UINT64_MAX;
}

static void session_acked(void *state, const struct muses_ack *ack)
{
	struct algorithm1_session *s = state;

	if (algorithm1_round_acked(&s->round, ack, s->flow) == 0)
		return;
	if (s->round.count > 0) {
		s->due_ns = muses_now(s->layer) + timeout_ns(s);
		return;
	}
	if (s->phase == MUSES_ESTABLISHED)
		s->due_ns = UINT64_MAX;
}

static void session_path(void *state, enum muses_path event)
{
	/* The paper's sessions learn of an outage from silence alone. */
	(void)state;
	(void)event;
}

static void session_phase(void *state, enum muses_phase phase)
{
	struct algorithm1_session *s = state;

	if (phase != MUSES_SUSPECTED) {
		algorithm1_round_clear(&s->round);
		session_ack_sent(s);
		if (s->phase != phase || phase == MUSES_ESTABLISHED)
			s->due_ns = phase == MUSES_SUSPENDED ? 0 : UINT64_MAX;
	}
	if (phase == MUSES_ESTABLISHED)
		s->pauses = 0;
	s->phase = phase;
}

static void session_rehello_sent(void *state)
{
	(void)state;
}

static void session_rehello_answered(void *state, uint64_t rtt_ns)
{
	(void)state;
	(void)rtt_ns;
}

static enum muses_verdict paused(struct algorithm1_session *s, uint64_t now,
                                 const char **why)
{
	if (s->pauses == s->config->max_j) {
		*why = "the peer did not answer in max_j pauses";
		return MUSES_GIVE_UP;
	}
	s->pauses++;
	s->due_ns = now + timeout_ns(s);
	return MUSES_REHELLO;
}

static enum muses_verdict session_timer(void *state, uint64_t *due, const char **why)
{
	struct algorithm1_session *s = state;
	uint64_t now = muses_now(s->layer);
	enum muses_verdict verdict = MUSES_WAIT;

	if (now >= s->due_ns) {
		if (s->phase == MUSES_SUSPENDED) {
			verdict = paused(s, now, why);
		} else {
			/* Pause; the first Re-Hello follows at once. */
			s->timeouts++;
			s->phase = MUSES_SUSPENDED;
			s->due_ns = now;
			verdict = MUSES_SUSPEND;
		}
	}
	*due = s->due_ns;
	return verdict;
}

static void session_info(void *state, json_t *object)
{
	const struct algorithm1_session *s = state;

	json_object_set_new(object, "waiting", json_integer((json_int_t)s->round.count));
	json_object_set_new(object, "pauses", json_integer(s->pauses));
	json_object_set_new(object, "timeouts", json_integer((json_int_t)s->timeouts));
}

static const struct muses_reliability_ops ops = {
	.wire_id = 2,
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
	.info = session_info,
};

static int algorithm1_open(struct muses_layer *l, const void *config)
{
	/* Sessions hold all state there is; the layer only knows its options. */
	muses_set_self(l, (void *)config);
	return 0;
}

static void algorithm1_close(struct muses_layer *l)
{
	muses_set_self(l, NULL);
}

MUSES_PLUGIN(algorithm1) = {
	MUSES_STAMP,
	.name = "algorithm1",
	.summary = "the paper's Algorithm 1: send, wait, pause, close",
	.kind = MUSES_RELIABILITY,
	.options = options,
	.config_size = sizeof(struct algorithm1_config),
	MUSES_OPS(ops),
	.open = algorithm1_open,
	.close = algorithm1_close,
};
