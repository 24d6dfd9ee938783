/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hellos as hostile peers, strangers and relays would send them: security.md 7.5.
 */
#include "tests/hostile.h"

#include "core/mem.h"
#include "core/session_int.h"

#include <tests/tap.h>

static struct bench b;
static struct hostile h;

static void begin(void)
{
	bench_open(&b, 1);
	bench_pair_of_nodes(&b);
	hostile_open(&h, &b, &b.node[1], &b.node[0]);
	bench_run(&b, SECONDS(1)); /* The link comes up. */
}

static void end(void)
{
	hostile_close(&h);
	CU_ASSERT_EQUAL(bench_close(&b), 0);
}

static uint64_t public_key_operations(void)
{
	return b.node[0].sessions->public_key_operations;
}

static size_t half_open(void)
{
	return b.node[0].sessions->half_open;
}

/* ---- HELLO_A ------------------------------------------------------------------- */

static void say_as_is(const uint8_t *hello, size_t size)
{
	uint8_t out[CORE_HELLO_MOST + 200] = { 0 };
	struct core_packet p = { .type = CORE_PACKET_HELLO_A,
		                 .length = (uint16_t)(size - CORE_HEADER_BYTES) };

	memcpy(out, hello, size);
	core_packet_put(&p, out);
	hostile_say(&h, out, size);
	bench_run(&b, 10 * MUSES_MS);
}

static void cut_and_stretched_hellos_are_met_with_silence(void)
{
	uint8_t longer[CORE_HELLO_MOST + 100] = { 0 };

	begin();
	hostile_hello(&h, NULL);
	for (size_t size = CORE_HEADER_BYTES; size < h.hello_size; size++)
		say_as_is(h.hello, size);
	memcpy(longer, h.hello, h.hello_size);
	for (size_t size = h.hello_size + 1; size <= sizeof(longer); size += 13)
		say_as_is(longer, size);
	CU_ASSERT_EQUAL(public_key_operations(), 0);
	CU_ASSERT_EQUAL(h.bytes, 0);
	/* So long, with a good mac1. */
	hostile_mac1(&h, longer, sizeof(longer));
	say_as_is(longer, sizeof(longer));
	CU_ASSERT_EQUAL(public_key_operations(), 0);
	CU_ASSERT_EQUAL(h.bytes, 0);
	end();
}

static void a_wrong_mac1_costs_no_public_key_operation(void)
{
	begin();
	hostile_hello(&h, NULL);
	for (unsigned bit = 0; bit < 128; bit++) {
		uint8_t *mac1 = h.hello + h.hello_size - 2 * CORE_MAC_SIZE;

		mac1[bit / 8] ^= (uint8_t)(1u << bit % 8);
		say_as_is(h.hello, h.hello_size);
		mac1[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	CU_ASSERT_EQUAL(public_key_operations(), 0);
	CU_ASSERT_EQUAL(h.bytes, 0);
	CU_ASSERT_EQUAL(bench_counted(h.victim, "malformed HELLO_A"), 128);
	end();
}

static void no_clear_byte_of_a_hello_can_be_changed(void)
{
	size_t clear;
	struct core_hello_a a;

	begin();
	hostile_hello(&h, NULL);
	CU_ASSERT_TRUE_FATAL(
		core_hello_a_read(&a, h.hello, h.hello_size, &h.victim->id, &clear));
	/* Versions, pattern, offers, source: with mac1 as it should be. */
	for (size_t at = CORE_HEADER_BYTES; at < h.hello_size - 2 * CORE_MAC_SIZE; at++) {
		h.hello[at] ^= 1;
		hostile_mac1(&h, h.hello, h.hello_size);
		say_as_is(h.hello, h.hello_size);
		TAP_NOTE_IF(
			h.packets[CORE_PACKET_HELLO_B] + h.packets[CORE_PACKET_RETRY] > 0,
			"byte %zu was not missed", at);
		h.hello[at] ^= 1;
	}
	CU_ASSERT_EQUAL(h.bytes, 0);
	CU_ASSERT_EQUAL(half_open(), 0);
	CU_ASSERT_EQUAL(core_sessions_count(b.node[0].sessions), 0);
	end();
}

static void a_hello_with_nothing_in_common_is_refused_under_seal(void)
{
	begin();
	h.a.offer[0].suite = 0x7777;
	h.a.offer[1] = h.a.offer[0];
	h.a.offer_count = 2;
	CU_ASSERT_FALSE(hostile_connect(&h));
	CU_ASSERT_TRUE(h.refused);
	CU_ASSERT_EQUAL(half_open(), 0);
	CU_ASSERT_PTR_NULL(hostile_session(&h));
	end();
}

static void offers_may_repeat_but_not_be_missing_or_many(void)
{
	struct core_offer good;

	begin();
	good = h.a.offer[0];
	for (size_t i = 0; i < CORE_OFFERS_MAX; i++)
		h.a.offer[i] = good;
	h.a.offer_count = CORE_OFFERS_MAX;
	CU_ASSERT_TRUE(hostile_connect(&h));
	core_session_close(hostile_session(&h), CORE_REASON_SESSION_CLOSED);
	bench_run(&b, SECONDS(1));
	h.a.offer_count = 0;
	CU_ASSERT_FALSE(hostile_connect(&h));
	CU_ASSERT_EQUAL(bench_counted(h.victim, "malformed HELLO_A"), 1);
	h.a.offer_count = 1;
	hostile_hello(&h, NULL);
	for (unsigned count = CORE_OFFERS_MAX + 1; count < 256; count++) {
		h.hello[CORE_HEADER_BYTES + MUSES_ID_SIZE + 8 + 3] = (uint8_t)count;
		hostile_mac1(&h, h.hello, h.hello_size);
		say_as_is(h.hello, h.hello_size);
	}
	CU_ASSERT_EQUAL(bench_counted(h.victim, "malformed HELLO_A"), 1 + 247);
	end();
}

static void a_version_nobody_speaks_is_not_answered(void)
{
	begin();
	h.a.version_least = 2;
	h.a.version_most = 9;
	CU_ASSERT_FALSE(hostile_connect(&h));
	CU_ASSERT_EQUAL(h.bytes, 0);
	CU_ASSERT_EQUAL(public_key_operations(), 0);
	CU_ASSERT_EQUAL(bench_counted(h.victim, "no version in common"), 1);
	end();
}

static void a_hello_from_ourselves_is_refused(void)
{
	begin();
	h.a.source = h.victim->id;
	CU_ASSERT_FALSE(hostile_connect(&h));
	CU_ASSERT_EQUAL(core_sessions_count(b.node[0].sessions), 0);
	CU_ASSERT_EQUAL(half_open(), 0);
	end();
}

static void who_has_another_secret_is_told_nothing(void)
{
	bench_open(&b, 1);
	bench_add(&b, "bob", "{\"alice\":\"alice\"}", "{}");
	bench_add(&b, "alice", "{}", "{}");
	bench_start(&b.node[0]);
	bench_start(&b.node[1]);
	hostile_open(&h, &b, &b.node[1], &b.node[0]);
	bench_run(&b, SECONDS(1));
	hostile_hello(&h, NULL);
	/* Any other secret makes another first tag. */
	h.hello[h.hello_size - 2 * CORE_MAC_SIZE - 1] = 0;
	{
		struct core_hello_a a;
		size_t clear;
		uint8_t *message;

		CU_ASSERT_TRUE_FATAL(core_hello_a_read(&a, h.hello, h.hello_size,
		                                       &h.victim->id, &clear));
		message = h.hello + clear + 2;
		for (size_t i = 32; i < a.keys_size; i++)
			message[i] = (uint8_t)(i * 7);
	}
	hostile_mac1(&h, h.hello, h.hello_size);
	say_as_is(h.hello, h.hello_size);
	CU_ASSERT_EQUAL(bench_counted(h.victim, "HELLO_A not authentic"), 1);
	CU_ASSERT_EQUAL(h.bytes, 0);
	CU_ASSERT_EQUAL(half_open(), 0);
	end();
}

/* ---- is it new? ------------------------------------------------------------------- */

static void the_first_hello_is_challenged_and_the_next_is_not(void)
{
	begin();
	CU_ASSERT_TRUE(hostile_connect(&h));
	CU_ASSERT_EQUAL(h.packets[CORE_PACKET_RETRY], 1);
	CU_ASSERT_TRUE(hostile_connect(&h));
	CU_ASSERT_EQUAL(h.packets[CORE_PACKET_RETRY], 1);
	end();
}

static void a_clock_that_is_behind_costs_a_round_trip_and_no_more(void)
{
	begin();
	h.first.time = UINT64_C(1) << 60;
	CU_ASSERT_TRUE(hostile_connect(&h));
	CU_ASSERT_TRUE(hostile_connect(&h));
	h.first.time = 5;
	CU_ASSERT_TRUE(hostile_connect(&h));
	CU_ASSERT_EQUAL(h.packets[CORE_PACKET_RETRY], 2);
	end();
}

static void a_replayed_hello_replaces_nothing(void)
{
	uint8_t old[CORE_HELLO_MOST];
	size_t size;
	struct core_session *s;

	begin();
	CU_ASSERT_TRUE(hostile_connect(&h));
	CU_ASSERT_TRUE(hostile_connect(&h));
	size = h.hello_size;
	memcpy(old, h.hello, size);
	s = hostile_session(&h);
	h.mute = true;
	say_as_is(old, size);
	bench_run(&b, SECONDS(1));
	CU_ASSERT_EQUAL(h.packets[CORE_PACKET_RETRY], 2);
	CU_ASSERT_EQUAL(half_open(), 0);
	CU_ASSERT_PTR_EQUAL(hostile_session(&h), s);
	muses_write_u8(hostile_begin(&h), CORE_FRAME_PING);
	hostile_send_wait(&h);
	CU_ASSERT_TRUE(h.heard[CORE_FRAME_PONG].count > 0);
	/* After a restart nothing is known of it; and still. */
	bench_stop(h.victim);
	bench_start(h.victim);
	bench_run(&b, SECONDS(5));
	say_as_is(old, size);
	bench_run(&b, SECONDS(1));
	CU_ASSERT_EQUAL(h.packets[CORE_PACKET_RETRY], 3);
	CU_ASSERT_PTR_NULL(hostile_session(&h));
	CU_ASSERT_EQUAL(half_open(), 0);
	end();
}

static void an_identical_hello_gets_the_identical_answer(void)
{
	uint8_t first[CORE_HELLO_MOST];
	size_t size;

	begin();
	h.unfinished = true;
	hostile_connect(&h);
	size = h.last_size;
	memcpy(first, h.last, size);
	CU_ASSERT_EQUAL(h.packets[CORE_PACKET_HELLO_B], 1);
	say_as_is(h.hello, h.hello_size);
	CU_ASSERT_EQUAL(h.packets[CORE_PACKET_HELLO_B], 2);
	CU_ASSERT_EQUAL(h.last_size, size);
	CU_ASSERT_EQUAL(memcmp(h.last, first, size), 0);
	CU_ASSERT_EQUAL(half_open(), 1);
	/* And no answer is longer than what it answers. */
	CU_ASSERT_TRUE(size <= h.hello_size);
	CU_ASSERT_TRUE(CORE_RETRY_BYTES <= CORE_HELLO_LEAST);
	end();
}

/* ---- FINISHED
 * -------------------------------------------------------------------------- */

static void who_never_finishes_leaves_nothing_after_15_s(void)
{
	begin();
	h.unfinished = true;
	CU_ASSERT_FALSE(hostile_connect(&h));
	CU_ASSERT_EQUAL(half_open(), 1);
	CU_ASSERT_PTR_NULL(hostile_session(&h));
	bench_run(&b, SECONDS(15));
	CU_ASSERT_EQUAL(half_open(), 0);
	end();
}

static void nothing_is_obeyed_before_finished(void)
{
	begin();
	h.unfinished = true;
	hostile_connect(&h);
	core_frame_open(hostile_begin(&h), 0, 0, 0, "s0");
	hostile_send_wait(&h);
	h.finished[7] ^= 1;
	core_frame_finished(hostile_begin(&h), 0, h.finished);
	hostile_send_wait(&h);
	core_frame_finished(hostile_begin(&h), CORE_FINISHED_GOES_ON, h.finished);
	hostile_send_wait(&h);
	CU_ASSERT_EQUAL(bench_counted(h.victim, "wrong FINISHED"), 3);
	CU_ASSERT_PTR_NULL(hostile_session(&h));
	CU_ASSERT_PTR_NULL(b.pair[0].acceptor.stream);
	/* The handshake itself is unharmed. */
	h.finished[7] ^= 1;
	core_frame_finished(hostile_begin(&h), 0, h.finished);
	hostile_send_wait(&h);
	CU_ASSERT_PTR_NOT_NULL(hostile_session(&h));
	CU_ASSERT_TRUE(h.confirmed);
	end();
}

/* ---- answers that lie ----------------------------------------------------------------
 */

static void choose_what_was_not_offered(struct core_payload *p)
{
	p->choice = 1; /* Of one. */
	memset(p->offer, 0, sizeof(p->offer));
}
static void choose_other_bytes(struct core_payload *p)
{
	p->offer[1] ^= 1;
}
static void choose_another_version(struct core_payload *p)
{
	p->version = 2;
}
static void another_partial_id(struct core_payload *p)
{
	p->partial[0] ^= 1;
}
static void no_choice(struct core_payload *p)
{
	p->present = 0;
}
static void honest(struct core_payload *p)
{
	(void)p;
}

static void an_answer_that_was_not_asked_for_ends_the_attempt(void)
{
	static void (*const lies[])(struct core_payload *) = {
		choose_what_was_not_offered, choose_other_bytes, choose_another_version,
		another_partial_id,          no_choice,
	};

	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		begin();
		h.answer = lies[i];
		CU_ASSERT_PTR_NOT_NULL(core_session_get(b.node[0].sessions, &h.node->id));
		bench_run(&b, SECONDS(1) / 2);
		TAP_NOTE_IF(bench_counted(h.victim, "HELLO_B not authentic") != 1,
		            "lie %zu", i);
		CU_ASSERT_EQUAL(bench_counted(h.victim, "HELLO_B not authentic"), 1);
		CU_ASSERT_EQUAL(core_session_state(hostile_session(&h)),
		                CORE_SESSION_CONNECTING);
		CU_ASSERT_EQUAL(h.packets[CORE_PACKET_DATA], 0);
		/* A fresh attempt follows, and succeeds. */
		core_traffic_release(&h.traffic);
		h.keyed = false;
		h.answer = honest;
		bench_run(&b, SECONDS(2));
		CU_ASSERT_EQUAL(core_session_state(hostile_session(&h)),
		                CORE_SESSION_ESTABLISHED);
		CU_ASSERT_TRUE(h.confirmed);
		end();
	}
}

static void answers_nobody_waits_for_are_dropped(void)
{
	uint8_t answer[CORE_HELLO_MOST];
	size_t size;

	begin();
	h.unfinished = true;
	hostile_connect(&h);
	/* Our own HELLO_B and RETRY, thrown back. */
	size = h.last_size;
	memcpy(answer, h.last, size);
	hostile_say(&h, answer, size);
	answer[CORE_HEADER_TYPE] = CORE_PACKET_RETRY;
	hostile_say(&h, answer, size);
	answer[CORE_HEADER_TYPE] = CORE_PACKET_FINISHED;
	hostile_say(&h, answer, size);
	bench_run(&b, SECONDS(1));
	CU_ASSERT_EQUAL(bench_counted(h.victim, "answer to no Hello of ours"), 3);
	CU_ASSERT_EQUAL(half_open(), 1);
	end();
}

static const struct tap_test tests[] = {
	{ "cut and stretched Hellos are met with silence",
	  cut_and_stretched_hellos_are_met_with_silence },
	{ "a wrong mac1 costs no public key operation",
	  a_wrong_mac1_costs_no_public_key_operation },
	{ "no byte of a Hello can be changed", no_clear_byte_of_a_hello_can_be_changed },
	{ "a Hello with nothing in common is refused under seal",
	  a_hello_with_nothing_in_common_is_refused_under_seal },
	{ "offers may repeat, but not be missing or many",
	  offers_may_repeat_but_not_be_missing_or_many },
	{ "a version nobody speaks is not answered",
	  a_version_nobody_speaks_is_not_answered },
	{ "a Hello from ourselves is refused", a_hello_from_ourselves_is_refused },
	{ "who has another secret is told nothing",
	  who_has_another_secret_is_told_nothing },
	{ "the first Hello is challenged, the next is not",
	  the_first_hello_is_challenged_and_the_next_is_not },
	{ "a clock that is behind costs a round trip and no more",
	  a_clock_that_is_behind_costs_a_round_trip_and_no_more },
	{ "a replayed Hello replaces nothing", a_replayed_hello_replaces_nothing },
	{ "an identical Hello gets the identical answer",
	  an_identical_hello_gets_the_identical_answer },
	{ "who never finishes leaves nothing after 15 s",
	  who_never_finishes_leaves_nothing_after_15_s },
	{ "nothing is obeyed before FINISHED", nothing_is_obeyed_before_finished },
	{ "an answer that was not asked for ends the attempt, no more",
	  an_answer_that_was_not_asked_for_ends_the_attempt },
	{ "answers nobody waits for are dropped", answers_nobody_waits_for_are_dropped },
	TAP_END,
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, "hostile_hello", tests);
}
