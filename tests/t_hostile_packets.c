/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An authenticated peer that breaks the rules of frames, and strangers who throw
 * packets: security.md 7.6, and the part of 7.7 on acknowledgements and data.
 */
#include "tests/hostile.h"

#include "core/session_int.h"

#include <tests/tap.h>

static struct bench b;
static struct hostile h;

static void begin(void)
{
	bench_open(&b, 1);
	b.config.stream_window = 10000;
	b.config.session_window = 15000;
	bench_pair_of_nodes(&b);
	hostile_open(&h, &b, &b.node[1], &b.node[0]);
	CU_ASSERT_TRUE(hostile_connect(&h));
}

static void end(void)
{
	hostile_close(&h);
	CU_ASSERT_EQUAL(bench_close(&b), 0);
}

/* Streams of ours: the parity of the victim's peer. */
static uint64_t number(uint64_t n)
{
	return 2 * n + (muses_id_compare(&h.node->id, &h.victim->id) < 0 ? 0 : 1);
}

static void data(uint64_t stream, uint64_t position, size_t size, uint8_t byte, bool last)
{
	uint8_t *at;

	core_frame_stream(&h.w, stream, position, size, last);
	at = muses_write_space(&h.w, size);
	memset(at, byte, size);
}

static void ack(uint64_t first, uint64_t last)
{
	struct muses_ack_range range = { first, last };
	struct muses_ack a = { .count = 1, .range = &range };

	core_frame_ack(&h.w, &a);
}

/* ---- frames that end the session --------------------------------------------------- */

static void bytes(const void *data, size_t size)
{
	muses_write(&h.w, data, size);
}
#define BYTES(...) \
	bytes((const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }))

static void ack_unsent(void)
{
	ack(1000, 1000);
}
static void ack_far_unsent(void)
{
	ack(0, MUSES_VARINT_MAX);
}
static void ack_descending(void)
{
	/* highest 5, one more range, first 9: below zero. */
	BYTES(CORE_FRAME_ACK, 0, 5, 0, 0, 1, 9, 0, 0);
}
static void ack_many(void)
{
	BYTES(CORE_FRAME_ACK, 0, 1, 0, 0, MUSES_ACK_RANGES_MAX, 0);
}
static void beyond_stream_window(void)
{
	data(number(0), 0, 10001, 1, false);
}
static void beyond_stream_window_by_position(void)
{
	data(number(0), MUSES_VARINT_MAX - 1, 1, 1, false);
}
static void beyond_session_window(void)
{
	data(number(0), 0, 9000, 1, false);
	core_frame_open(&h.w, number(1), 0, 0, "s0");
	data(number(1), 0, 9000, 1, false);
}
static void differing(void)
{
	data(number(0), 100, 100, 1, false);
	data(number(0), 150, 10, 2, false);
}
static void end_later(void)
{
	data(number(0), 0, 10, 1, true);
	data(number(0), 0, 11, 1, true);
}
static void end_earlier(void)
{
	data(number(0), 20, 10, 1, false);
	data(number(0), 0, 10, 1, true);
}
static void beyond_end(void)
{
	data(number(0), 0, 10, 1, true);
	data(number(0), 10, 1, 1, false);
}
static void reset_earlier(void)
{
	data(number(0), 0, 100, 1, false);
	core_frame_reason(&h.w, CORE_FRAME_RESET, number(0), CORE_REASON_RESET, 50);
}
static void reset_far(void)
{
	core_frame_reason(&h.w, CORE_FRAME_RESET, number(0), CORE_REASON_RESET, 20000);
}
static void unknown_frame(void)
{
	BYTES(0x30, 0, 0, 0);
}
static void short_frame(void)
{
	BYTES(CORE_FRAME_STREAM, 0, 0, 50, 1, 2, 3);
}
static void huge_size(void)
{
	BYTES(CORE_FRAME_STREAM, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff);
}
static void our_parity(void)
{
	core_frame_open(&h.w, number(0) ^ 1, 0, 0, "s0");
}

static void breaks(void (*say)(void), bool with_stream, const char *reason)
{
	begin();
	if (with_stream)
		hostile_stream(&h, number(0));
	hostile_begin(&h);
	say();
	hostile_send_wait(&h);
	CU_ASSERT_TRUE(hostile_closed(&h, CORE_REASON_PROTOCOL));
	CU_ASSERT_EQUAL(bench_counted(h.victim, reason), 1);
	/* Who had everything already has lost nothing. */
	if (with_stream && !b.pair[0].acceptor.ended) {
		CU_ASSERT_TRUE(b.pair[0].acceptor.was_reset);
		CU_ASSERT_EQUAL(b.pair[0].acceptor.reason, CORE_REASON_PROTOCOL);
	}
	/* It may come back and behave. */
	CU_ASSERT_TRUE(hostile_connect(&h));
	end();
}
#define BREAKS(say, with_stream, reason)          \
	static void say##_ends_the_session(void)  \
	{                                         \
		breaks(say, with_stream, reason); \
	}
BREAKS(ack_unsent, false, "acknowledged what was never sent")
BREAKS(ack_far_unsent, false, "acknowledged what was never sent")
BREAKS(ack_descending, false, "malformed frames")
BREAKS(ack_many, false, "malformed frames")
BREAKS(beyond_stream_window, true, "beyond the window")
BREAKS(beyond_stream_window_by_position, true, "beyond the window")
BREAKS(beyond_session_window, true, "beyond the window")
BREAKS(differing, true, "stream bytes differ")
BREAKS(end_later, true, "beyond the window")
BREAKS(end_earlier, true, "end of stream moved")
BREAKS(beyond_end, true, "beyond the window")
BREAKS(reset_earlier, true, "reset moved the end of a stream")
BREAKS(reset_far, true, "reset moved the end of a stream")
BREAKS(unknown_frame, true, "malformed frames")
BREAKS(short_frame, true, "malformed frames")
BREAKS(huge_size, true, "malformed frames")
BREAKS(our_parity, false, "peer opened a number of ours")

/* ---- frames that do not
 * ---------------------------------------------------------------- */

static void private_frames_are_skipped(void)
{
	begin();
	hostile_begin(&h);
	BYTES(CORE_FRAME_PRIVATE, 0, 3, 1, 2, 3, CORE_FRAME_PAD, CORE_FRAME_PING);
	hostile_send_wait(&h);
	CU_ASSERT_PTR_NOT_NULL(hostile_session(&h));
	CU_ASSERT_TRUE(h.heard[CORE_FRAME_PONG].count > 0);
	end();
}

static void frames_of_streams_nobody_knows_change_nothing(void)
{
	begin();
	hostile_begin(&h);
	data(number(77), 5, 100, 1, true);
	core_frame_window(&h.w, number(77), 1000);
	core_frame_window(&h.w, number(77) ^ 1, 1000);
	core_frame_reason(&h.w, CORE_FRAME_RESET, number(77), 200, 9);
	core_frame_position(&h.w, number(77), 9, true);
	muses_write_u8(&h.w, CORE_FRAME_POSITIONS);
	core_frame_windows(&h.w, MUSES_VARINT_MAX);
	hostile_send_wait(&h);
	CU_ASSERT_PTR_NOT_NULL(hostile_session(&h));
	CU_ASSERT_EQUAL(h.heard[CORE_FRAME_CLOSE].count, 0);
	end();
}

static size_t held(const struct bench_node *n)
{
	struct core_pool_counts counts;

	core_pool_counts(n->env.pool, &counts);
	return counts.bytes_out;
}

static void the_same_piece_a_thousand_times_is_held_once(void)
{
	size_t used;

	begin();
	hostile_stream(&h, number(0));
	hostile_begin(&h);
	data(number(0), 2000, 3000, 7, false);
	hostile_send_wait(&h);
	used = held(h.victim);
	for (int i = 0; i < 1000; i++) {
		hostile_begin(&h);
		data(number(0), 2000, 3000, 7, false);
		hostile_send(&h);
		bench_run(&b, MUSES_MS);
	}
	bench_run(&b, SECONDS(1));
	CU_ASSERT_PTR_NOT_NULL(hostile_session(&h));
	CU_ASSERT_TRUE(held(h.victim) <= used + 100000);
	end();
}

static void small_pieces_do_not_hold_large_packets(void)
{
	size_t used;

	bench_open(&b, 1);
	b.config.stream_window = b.config.session_window = 16u << 20;
	bench_pair_of_nodes(&b);
	hostile_open(&h, &b, &b.node[1], &b.node[0]);
	CU_ASSERT_TRUE(hostile_connect(&h));
	hostile_stream(&h, number(0));
	used = held(h.victim);
	for (unsigned i = 0; i < 500; i++) {
		hostile_begin(&h);
		data(number(0), 3000 * i + 1, 1100, 1, false);
		memset(muses_write_space(&h.w, 60000), CORE_FRAME_PAD, 60000);
		hostile_send(&h);
		bench_run(&b, MUSES_MS);
	}
	bench_run(&b, SECONDS(1));
	CU_ASSERT_PTR_NOT_NULL(hostile_session(&h));
	CU_ASSERT_EQUAL(hostile_session(&h)->apart_count, 500);
	CU_ASSERT_TRUE(held(h.victim) - used < 500 * 4096);
	end();
}

static void pieces_beyond_what_can_be_held_are_not_acknowledged(void)
{
	bench_open(&b, 1);
	bench_pair_of_nodes(&b);
	hostile_open(&h, &b, &b.node[1], &b.node[0]);
	CU_ASSERT_TRUE(hostile_connect(&h));
	hostile_stream(&h, number(0));
	/* Every other byte: never two that touch. */
	for (unsigned i = 0; i < 5000; i += 500) {
		hostile_begin(&h);
		for (unsigned k = 0; k < 500; k++)
			data(number(0), 2 * (i + k) + 1, 1, 1, false);
		hostile_send_wait(&h);
	}
	CU_ASSERT_PTR_NOT_NULL(hostile_session(&h));
	CU_ASSERT_TRUE(bench_counted(h.victim, "too many pieces out of order") > 0);
	/* The last packets were refused. */
	CU_ASSERT_TRUE(h.heard[CORE_FRAME_ACK].value < h.traffic.sequence - 1);
	end();
}

static void streams_beyond_the_limit_are_rejected_one_by_one(void)
{
	bench_open(&b, 1);
	b.config.most_streams = 20; /* So 10 a session. */
	bench_pair_of_nodes(&b);
	hostile_open(&h, &b, &b.node[1], &b.node[0]);
	CU_ASSERT_TRUE(hostile_connect(&h));
	for (unsigned i = 0; i < 10; i++)
		hostile_stream(&h, number(i));
	CU_ASSERT_EQUAL(h.heard[CORE_FRAME_REJECT].count, 0);
	hostile_stream(&h, number(10));
	CU_ASSERT_EQUAL(h.heard[CORE_FRAME_REJECT].count, 1);
	CU_ASSERT_EQUAL(h.heard[CORE_FRAME_REJECT].code, CORE_REASON_LIMIT);
	for (unsigned i = 11; i < 1000; i++) {
		core_frame_open(hostile_begin(&h), number(i), 0, 0, "s0");
		hostile_send(&h);
	}
	bench_run(&b, SECONDS(2));
	CU_ASSERT_PTR_NOT_NULL(hostile_session(&h));
	CU_ASSERT_TRUE(bench_counted(h.victim, "far too many streams") > 0);
	CU_ASSERT_TRUE(h.heard[CORE_FRAME_REJECT].count < 100);
	end();
}

static void a_jump_of_numbers_is_accepted(void)
{
	begin();
	h.traffic.sequence += UINT64_C(1) << 40;
	muses_write_u8(hostile_begin(&h), CORE_FRAME_PING);
	hostile_send_wait(&h);
	CU_ASSERT_PTR_NOT_NULL(hostile_session(&h));
	CU_ASSERT_TRUE(h.heard[CORE_FRAME_ACK].value > UINT64_C(1) << 40);
	CU_ASSERT_EQUAL(h.heard[CORE_FRAME_CLOSE].count, 0);
	end();
}

static void a_step_too_far_is_dropped_without_deriving(void)
{
	begin();
	CU_ASSERT_EQUAL(core_traffic_ratchet(&h.traffic, core_loop_now(b.loop)), 0);
	CU_ASSERT_EQUAL(core_traffic_ratchet(&h.traffic, core_loop_now(b.loop)), 0);
	muses_write_u8(hostile_begin(&h), CORE_FRAME_PING);
	hostile_send_wait(&h);
	CU_ASSERT_EQUAL(bench_counted(h.victim, "unknown key step"), 1);
	CU_ASSERT_PTR_NOT_NULL(hostile_session(&h));
	end();
}

/* ---- strangers
 * -------------------------------------------------------------------------- */

static void guesses_of_a_session_id_find_nothing(void)
{
	struct core_packet p = { .type = CORE_PACKET_DATA, .length = 40 };
	uint8_t packet[64] = { 0 };
	unsigned answers;

	begin();
	answers = h.packets[CORE_PACKET_DATA];
	for (unsigned i = 0; i < 1000; i++) {
		p.index = i < 2 ? i - 1u : core_rand_below(b.rand, UINT64_MAX);
		p.type = i % 3 == 0   ? CORE_PACKET_DATA
		         : i % 3 == 1 ? CORE_PACKET_REHELLO
		                      : CORE_PACKET_REHELLO_ACK;
		core_packet_put(&p, packet);
		hostile_say(&h, packet, sizeof(packet));
		bench_run(&b, MUSES_MS);
	}
	bench_run(&b, SECONDS(1));
	CU_ASSERT_TRUE(bench_counted(h.victim, "unknown session") > 300);
	CU_ASSERT_TRUE(bench_counted(h.victim, "Re-Hello for an unknown session") > 600);
	CU_ASSERT_EQUAL(h.packets[CORE_PACKET_DATA], answers);
	CU_ASSERT_PTR_NOT_NULL(hostile_session(&h));
	end();
}

static void a_flood_of_forged_packets_leaves_the_session_alone(void)
{
	struct core_packet p = { .type = CORE_PACKET_DATA, .length = 40, .sequence = 5 };
	uint8_t packet[64] = { 0 };
	struct muses_reader r;

	begin();
	r = muses_reader(h.partial[1], 8);
	p.index = muses_read_u64(&r);
	for (unsigned i = 0; i < 20000; i++) {
		p.sequence = i * UINT64_C(1000);
		core_packet_put(&p, packet);
		hostile_say(&h, packet, sizeof(packet));
		if (i % 100 == 0)
			bench_run(&b, MUSES_MS);
	}
	bench_run(&b, SECONDS(1));
	CU_ASSERT_TRUE(bench_counted(h.victim, "not authentic") > 10000);
	CU_ASSERT_EQUAL(core_session_state(hostile_session(&h)),
	                CORE_SESSION_ESTABLISHED);
	muses_write_u8(hostile_begin(&h), CORE_FRAME_PING);
	hostile_send_wait(&h);
	CU_ASSERT_TRUE(h.heard[CORE_FRAME_PONG].count > 0);
	end();
}

static const struct tap_test tests[] = {
	{ "an ACK of a number that was not sent ends the session",
	  ack_unsent_ends_the_session },
	{ "an ACK of the last of all numbers ends the session",
	  ack_far_unsent_ends_the_session },
	{ "an ACK that goes below zero ends the session",
	  ack_descending_ends_the_session },
	{ "an ACK with too many ranges ends the session", ack_many_ends_the_session },
	{ "bytes beyond a stream's window end the session",
	  beyond_stream_window_ends_the_session },
	{ "one byte at the last of all positions ends the session",
	  beyond_stream_window_by_position_ends_the_session },
	{ "bytes beyond the session's window end the session",
	  beyond_session_window_ends_the_session },
	{ "other bytes at a position that was sent end the session",
	  differing_ends_the_session },
	{ "an end that moves up ends the session", end_later_ends_the_session },
	{ "an end below bytes that were sent ends the session",
	  end_earlier_ends_the_session },
	{ "bytes behind the end end the session", beyond_end_ends_the_session },
	{ "a RESET below bytes that were sent ends the session",
	  reset_earlier_ends_the_session },
	{ "a RESET beyond the window ends the session", reset_far_ends_the_session },
	{ "an unknown frame ends the session", unknown_frame_ends_the_session },
	{ "a frame longer than its packet ends the session",
	  short_frame_ends_the_session },
	{ "a size of 2^62 ends the session", huge_size_ends_the_session },
	{ "an OPEN with a number of ours ends the session", our_parity_ends_the_session },
	{ "private frames are skipped", private_frames_are_skipped },
	{ "frames of streams nobody knows change nothing",
	  frames_of_streams_nobody_knows_change_nothing },
	{ "the same piece a thousand times is held once",
	  the_same_piece_a_thousand_times_is_held_once },
	{ "small pieces do not hold large packets",
	  small_pieces_do_not_hold_large_packets },
	{ "pieces beyond what can be held are not acknowledged",
	  pieces_beyond_what_can_be_held_are_not_acknowledged },
	{ "streams beyond the limit are rejected one by one",
	  streams_beyond_the_limit_are_rejected_one_by_one },
	{ "a jump of numbers is accepted", a_jump_of_numbers_is_accepted },
	{ "a step too far is dropped without deriving",
	  a_step_too_far_is_dropped_without_deriving },
	{ "guesses of a session id find nothing", guesses_of_a_session_id_find_nothing },
	{ "a flood of forged packets leaves the session alone",
	  a_flood_of_forged_packets_leaves_the_session_alone },
	TAP_END,
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, "hostile_packets", tests);
}
