/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Re-Hellos that are replayed, forged, crossed, lost and lied about: security.md 7.7,
 * rows 67 to 75, and protocol.md 10.1.
 */
#include "tests/hostile.h"

#include "core/session_int.h"

#include <tests/tap.h>

static struct bench b;
static struct hostile h;
static struct meddler m;

static void begin(void)
{
	bench_open(&b, 1);
	b.config.keystep_s = 0;
	bench_pair_of_nodes(&b);
	hostile_open(&h, &b, &b.node[1], &b.node[0]);
	CU_ASSERT_TRUE(hostile_connect(&h));
}

static void end(void)
{
	hostile_close(&h);
	CU_ASSERT_EQUAL(b.sealed_twice, 0);
	CU_ASSERT_EQUAL(bench_close(&b), 0);
}

/* The same again, to the victim; what answers it gets. */
static unsigned answers_to(const uint8_t *packet, size_t size)
{
	unsigned before = h.packets[CORE_PACKET_REHELLO_ACK];

	hostile_say(&h, packet, size);
	bench_run(&b, 100 * MUSES_MS);
	return h.packets[CORE_PACKET_REHELLO_ACK] - before;
}

/* ---- replays and forgeries ------------------------------------------------------- */

static void the_same_rehello_gets_the_same_answer_and_changes_nothing(void)
{
	uint8_t answer[CORE_REHELLO_BYTES];
	const struct core_traffic *t;
	uint64_t sequence;

	begin();
	hostile_rehello(&h);
	bench_run(&b, SECONDS(1));
	CU_ASSERT_EQUAL(h.adopted, 1);
	CU_ASSERT_EQUAL(h.last_size, CORE_REHELLO_BYTES);
	memcpy(answer, h.last, sizeof(answer));
	muses_write_u8(hostile_begin(&h), CORE_FRAME_PING);
	hostile_send_wait(&h);
	t = hostile_session(&h)->traffic[0];
	sequence = t->sequence;
	for (int i = 0; i < 100; i++) {
		CU_ASSERT_EQUAL(answers_to(h.resume.question, CORE_REHELLO_BYTES), 1);
		CU_ASSERT_EQUAL(memcmp(h.last, answer, sizeof(answer)), 0);
	}
	CU_ASSERT_PTR_EQUAL(hostile_session(&h)->traffic[0], t);
	CU_ASSERT_EQUAL(t->sequence, sequence);
	CU_ASSERT_EQUAL(core_session_state(hostile_session(&h)),
	                CORE_SESSION_ESTABLISHED);
	end();
}

static void an_older_rehello_is_met_with_silence(void)
{
	uint8_t old[CORE_REHELLO_BYTES];

	begin();
	h.deaf = true; /* What the first was based on stays alive. */
	hostile_rehello(&h);
	memcpy(old, h.resume.question, sizeof(old));
	/* The answer to the first comes too late. */
	hostile_rehello(&h);
	bench_run(&b, SECONDS(1));
	CU_ASSERT_EQUAL(h.adopted, 1);
	CU_ASSERT_EQUAL(answers_to(old, sizeof(old)), 0);
	CU_ASSERT_EQUAL(bench_counted(h.victim, "Re-Hello refused"), 1);
	/* And at the next session of the same two. */
	CU_ASSERT_TRUE(hostile_connect(&h));
	CU_ASSERT_EQUAL(answers_to(old, sizeof(old)), 0);
	end();
}

static void no_bit_of_a_rehello_can_be_changed(void)
{
	uint8_t forged[CORE_REHELLO_BYTES];
	struct core_session *s;
	struct core_resume before;

	begin();
	s = hostile_session(&h);
	before = s->resume;
	hostile_rehello(&h);
	memcpy(forged, h.resume.question, sizeof(forged));
	/* The true one does not arrive. */
	core_hub_break(b.hub, "bob", "alice");
	bench_run(&b, SECONDS(5));
	h.adopted = 0;
	for (size_t at = 0; at < sizeof(forged); at++)
		for (unsigned bit = 0; bit < 8; bit++) {
			forged[at] ^= (uint8_t)(1u << bit);
			/* Our own overlay looks at nothing but the bytes' number. */
			hostile_say(&h, forged, sizeof(forged));
			bench_run(&b, 2 * MUSES_MS);
			forged[at] ^= (uint8_t)(1u << bit);
		}
	bench_run(&b, SECONDS(1));
	CU_ASSERT_EQUAL(h.packets[CORE_PACKET_REHELLO_ACK], 0);
	CU_ASSERT_EQUAL(s->resume.seen, before.seen);
	CU_ASSERT_EQUAL(s->resume.current, before.current);
	end();
}

static void a_replay_from_elsewhere_moves_nothing(void)
{
	static struct hostile thief;

	bench_open(&b, 1);
	b.config.keystep_s = 0;
	bench_add(&b, "bob", "{\"alice\":\"alice\",\"eve\":\"eve\"}", "{}");
	bench_add(&b, "alice", "{}", "{}");
	bench_add(&b, "eve", "{}", "{}");
	for (size_t i = 0; i < b.count; i++)
		bench_start(&b.node[i]);
	hostile_open(&h, &b, &b.node[1], &b.node[0]);
	hostile_open(&thief, &b, &b.node[2], &b.node[0]);
	CU_ASSERT_TRUE(hostile_connect(&h));
	hostile_rehello(&h);
	hostile_say(&thief, h.resume.question, CORE_REHELLO_BYTES);
	bench_run(&b, SECONDS(1));
	for (int i = 0; i < 100; i++)
		hostile_say(&thief, h.resume.question, CORE_REHELLO_BYTES);
	bench_run(&b, SECONDS(1));
	CU_ASSERT_EQUAL(thief.bytes, 0);
	CU_ASSERT_EQUAL(h.adopted, 1);
	CU_ASSERT_TRUE(h.packets[CORE_PACKET_REHELLO_ACK] <= 102);
	hostile_close(&thief);
	end();
}

static void a_rehello_of_a_closed_session_is_met_with_silence(void)
{
	begin();
	core_session_close(hostile_session(&h), CORE_REASON_SESSION_CLOSED);
	bench_run(&b, SECONDS(1));
	CU_ASSERT_EQUAL(h.heard[CORE_FRAME_CLOSE].count, 1);
	hostile_rehello(&h);
	bench_run(&b, SECONDS(1));
	CU_ASSERT_EQUAL(h.packets[CORE_PACKET_REHELLO_ACK], 0);
	CU_ASSERT_EQUAL(bench_counted(h.victim, "Re-Hello for an unknown session"), 1);
	end();
}

static void answers_to_questions_nobody_asked_are_refused(void)
{
	uint8_t answer[CORE_REHELLO_BYTES];

	begin();
	hostile_rehello(&h);
	bench_run(&b, SECONDS(1));
	memcpy(answer, h.last, sizeof(answer));
	hostile_say(&h, answer, sizeof(answer)); /* To its own maker. */
	bench_run(&b, SECONDS(1));
	/* It is addressed to us: nobody there has that number. */
	CU_ASSERT_EQUAL(bench_counted(h.victim, "Re-Hello for an unknown session"), 1);
	memcpy(answer + CORE_HEADER_INDEX, h.partial[1], 8);
	hostile_say(&h, answer, sizeof(answer));
	bench_run(&b, SECONDS(1));
	CU_ASSERT_EQUAL(bench_counted(h.victim, "Re-Hello answer refused"), 1);
	CU_ASSERT_EQUAL(core_session_state(hostile_session(&h)),
	                CORE_SESSION_ESTABLISHED);
	end();
}

/* ---- positions that lie ----------------------------------------------------------- */

/* The victim has sent 5000 bytes, of which we acknowledged all; then Re-Hello. */
static uint64_t resumed_with_stream(void)
{
	struct bench_pair *p;

	begin();
	p = bench_stream(&b, h.victim, h.node, 5000, 1000);
	bench_run(&b, SECONDS(1));
	CU_ASSERT_EQUAL(p->opener.sent, 5000);
	CU_ASSERT_TRUE(h.heard[CORE_FRAME_STREAM].count +
	                       h.heard[CORE_FRAME_STREAM_END].count >
	               0);
	hostile_rehello(&h);
	bench_run(&b, SECONDS(1));
	CU_ASSERT_EQUAL(h.adopted, 1);
	/* Confirms; and the victim tells where it is. */
	muses_write_u8(hostile_begin(&h), CORE_FRAME_PING);
	hostile_send_wait(&h);
	CU_ASSERT_EQUAL(h.heard[CORE_FRAME_POSITION].count, 1);
	return core_stream_id(p->opener.stream);
}

static void lie(uint64_t position, bool last)
{
	uint64_t id = resumed_with_stream();

	core_frame_position(hostile_begin(&h), id, position, last);
	hostile_send_wait(&h);
	CU_ASSERT_TRUE(hostile_closed(&h, CORE_REASON_PROTOCOL));
	CU_ASSERT_EQUAL(bench_counted(h.victim, "position does not fit what was sent"),
	                1);
	CU_ASSERT_TRUE(b.pair[0].opener.was_reset);
	CU_ASSERT_EQUAL(b.pair[0].opener.reason, CORE_REASON_PROTOCOL);
	end();
}

static void a_position_ahead_of_what_was_sent_ends_the_session(void)
{
	lie(5001, false);
	lie(MUSES_VARINT_MAX, false);
}

static void a_position_behind_what_was_acknowledged_ends_the_session(void)
{
	lie(4999, false);
	lie(0, false);
	lie(0, true);
}

static void the_true_position_goes_on(void)
{
	uint64_t id = resumed_with_stream();

	core_frame_position(hostile_begin(&h), id, 5000, true);
	muses_write_u8(&h.w, CORE_FRAME_POSITIONS);
	hostile_send_wait(&h);
	CU_ASSERT_PTR_NOT_NULL(hostile_session(&h));
	CU_ASSERT_FALSE(b.pair[0].opener.was_reset);
	end();
}

static void nothing_is_sent_again_before_its_position_came(void)
{
	unsigned frames;
	uint64_t id;

	begin();
	h.deaf = true; /* So nothing is acknowledged, and more than one window waits. */
	bench_stream(&b, h.victim, h.node, 900000, 1000);
	bench_run(&b, 100 * MUSES_MS);
	id = core_stream_id(b.pair[0].opener.stream);
	hostile_rehello(&h);
	bench_run(&b, 100 * MUSES_MS);
	CU_ASSERT_EQUAL(h.adopted, 1);
	h.deaf = false;
	frames = h.heard[CORE_FRAME_STREAM].count;
	CU_ASSERT_TRUE(frames > 0);
	muses_write_u8(hostile_begin(&h), CORE_FRAME_PING);
	hostile_send(&h);
	bench_run(&b, SECONDS(20));
	CU_ASSERT_EQUAL(h.heard[CORE_FRAME_STREAM].count, frames);
	core_frame_position(hostile_begin(&h), id, 3000, false);
	hostile_send(&h);
	bench_run(&b, 3 * MUSES_MS);
	CU_ASSERT_TRUE(h.heard[CORE_FRAME_STREAM].count > frames);
	bench_run(&b, SECONDS(20));
	CU_ASSERT_EQUAL(h.heard[CORE_FRAME_STREAM_END].count, 1);
	end();
}

/* ---- two honest ends, and what happens in between ------------------------------------
 */

static uint32_t generation_of(size_t node)
{
	return bench_session(&b.node[node], &b.node[!node])->resume.current;
}

static void two_that_ask_at_once_agree_on_the_lower(void)
{
	for (unsigned delay = 0; delay < 30; delay++) {
		bench_open(&b, delay);
		b.config.keystep_s = 0;
		bench_with_relay(&b);
		core_hub_set(b.hub, NULL, NULL,
		             &(struct core_hub_weather){ .delay_ns = 5 * MUSES_MS });
		bench_stream(&b, &b.node[0], &b.node[1], 500000, 300000);
		bench_run(&b, SECONDS(1) / 5);
		core_rehello_begin(bench_session(&b.node[0], &b.node[1]), true);
		bench_run(&b, delay * MUSES_MS);
		core_rehello_begin(bench_session(&b.node[1], &b.node[0]), true);
		CU_ASSERT(bench_finish(&b, MINUTES(1)));
		bench_run(&b, SECONDS(10));
		CU_ASSERT_EQUAL(generation_of(0), generation_of(1));
		CU_ASSERT_TRUE(generation_of(0) > 0);
		CU_ASSERT_EQUAL(b.sealed_twice, 0);
		CU_ASSERT_EQUAL(bench_close(&b), 0);
	}
}

/* The at-th packet after the path came back is lost, or comes twice. */
static enum meddling one_of_them(struct meddler *me, const char *from, const char *to,
                                 struct core_packet *p, uint8_t *packet, size_t *size)
{
	(void)from;
	(void)to;
	(void)p;
	(void)packet;
	(void)size;
	if (me->done || me->seen++ != me->at)
		return MEDDLE_PASS;
	me->done = true;
	return me->bit == 0 ? MEDDLE_DROP : MEDDLE_TWICE;
}

static void any_packet_of_a_resume_may_be_lost_or_doubled(void)
{
	for (unsigned how = 0; how < 2; how++)
		for (unsigned at = 0; at < 24; at++) {
			bool good;

			bench_open(&b, at);
			bench_pair_of_nodes(&b);
			bench_run(&b, SECONDS(1));
			meddler_open(&m, &b, one_of_them);
			m.done = true;
			bench_stream(&b, &b.node[0], &b.node[1], 60000, 40000);
			b.pair[0].acceptor.read_most = 1000;
			bench_run(&b, 30 * MUSES_MS);
			core_hub_break(b.hub, "bob", "alice");
			m.done = false;
			m.seen = 0;
			m.at = at;
			m.bit = how;
			good = bench_finish(&b, MINUTES(1));
			TAP_NOTE_IF(!good, "packet %u %s", at,
			            how == 0 ? "lost" : "doubled");
			CU_ASSERT_TRUE(good);
			CU_ASSERT_EQUAL(generation_of(0), generation_of(1));
			CU_ASSERT_EQUAL(b.sealed_twice, 0);
			CU_ASSERT_EQUAL(bench_close(&b), 0);
		}
}

static void a_crash_at_any_step_of_a_resume_is_told_to_the_streams(void)
{
	for (unsigned at = 0; at < 24; at++) {
		struct bench_pair *p;

		bench_open(&b, at);
		bench_with_relay(&b);
		core_hub_set(b.hub, NULL, NULL,
		             &(struct core_hub_weather){ .delay_ns = 2 * MUSES_MS });
		p = bench_stream(&b, &b.node[0], &b.node[1], 100, 100000);
		p->opener.paused = true;
		bench_run(&b, SECONDS(1));
		core_hub_break(b.hub, "bob", "relay");
		bench_run(&b, at * MUSES_MS);
		bench_stop(&b.node[1]);
		bench_run(&b, SECONDS(at % 4 == 0 ? 100 : 1));
		bench_start(&b.node[1]);
		bench_run(&b, MINUTES(3));
		TAP_NOTE_IF(!p->opener.was_reset, "crash after %u ms", at);
		CU_ASSERT_TRUE(p->opener.was_reset);
		CU_ASSERT_EQUAL(p->opener.reason, CORE_REASON_PEER_RESTARTED);
		p = bench_stream(&b, &b.node[0], &b.node[1], 1000, 1000);
		bench_run(&b, SECONDS(10));
		CU_ASSERT_TRUE(bench_complete(p));
		CU_ASSERT_EQUAL(b.sealed_twice, 0);
		CU_ASSERT_EQUAL(bench_close(&b), 0);
	}
}

static const struct tap_test tests[] = {
	{ "the same Re-Hello gets the same answer and changes nothing",
	  the_same_rehello_gets_the_same_answer_and_changes_nothing },
	{ "an older Re-Hello is met with silence", an_older_rehello_is_met_with_silence },
	{ "no bit of a Re-Hello can be changed", no_bit_of_a_rehello_can_be_changed },
	{ "a replay from elsewhere moves nothing",
	  a_replay_from_elsewhere_moves_nothing },
	{ "a Re-Hello of a closed session is met with silence",
	  a_rehello_of_a_closed_session_is_met_with_silence },
	{ "answers to questions nobody asked are refused",
	  answers_to_questions_nobody_asked_are_refused },
	{ "a position ahead of what was sent ends the session",
	  a_position_ahead_of_what_was_sent_ends_the_session },
	{ "a position behind what was acknowledged ends the session",
	  a_position_behind_what_was_acknowledged_ends_the_session },
	{ "the true position goes on", the_true_position_goes_on },
	{ "nothing is sent again before its position came",
	  nothing_is_sent_again_before_its_position_came },
	{ "two that ask at once agree on one generation",
	  two_that_ask_at_once_agree_on_the_lower },
	{ "any packet of a resume may be lost or doubled",
	  any_packet_of_a_resume_may_be_lost_or_doubled },
	{ "a crash at any step of a resume is told to the streams",
	  a_crash_at_any_step_of_a_resume_is_told_to_the_streams },
	TAP_END,
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, "hostile_rehello", tests);
}
