/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/tap.h"

#include "plugins/reliability/srm/window.h"

#include <muses/plugin.h>

#define RTT            (100 * MUSES_MS)
#define PACKET         1200u
#define ARRAY_COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct window_limits limits = { 16384, 262144, 64 << 20 };

/* One round trip of a sender that fills the window; returns the time after it. */
static uint64_t one_round(struct window *w, uint64_t now, uint64_t sample_ns)
{
	uint64_t bytes = w->bytes / PACKET * PACKET, left = bytes;

	for (uint64_t flight = PACKET; flight <= bytes; flight += PACKET)
		srm_window_sent(w, now, PACKET, flight, 0);
	for (int i = 0; i < 8; i++) {
		struct window_delivery d = { i < 7 ? bytes / 8 : left, now, 0, RTT,
			                     sample_ns };

		left -= d.size;
		d.in_flight = left;
		srm_window_delivered(w, now + RTT, &d);
	}
	return now + RTT;
}

static void cube_roots_are_whole(void)
{
	static const uint64_t root[] = { 0, 1, 2, 3, 10, 999, 65535, 2642245 };

	for (size_t i = 0; i < ARRAY_COUNT(root); i++) {
		uint64_t cube = root[i] * root[i] * root[i];

		CU_ASSERT_EQUAL(srm_cube_root(cube), root[i]);
		CU_ASSERT_EQUAL(srm_cube_root(cube + 1), root[i] + (root[i] == 0));
		if (root[i] > 0)
			CU_ASSERT_EQUAL(srm_cube_root(cube - 1), root[i] - 1);
	}
	CU_ASSERT_EQUAL(srm_cube_root(UINT64_MAX), 2642245);
}

static void slow_start_doubles_up_to_the_limit(void)
{
	struct window w;
	uint64_t now = MUSES_S, before;

	srm_window_init(&w, &limits);
	CU_ASSERT_EQUAL(w.bytes, limits.initial);
	before = w.bytes;
	now = one_round(&w, now, RTT);
	CU_ASSERT(w.bytes >= before * 17 / 10 && w.bytes <= before * 2);
	for (int i = 0; i < 20; i++)
		now = one_round(&w, now, RTT);
	CU_ASSERT_EQUAL(w.bytes, limits.most);
}

static void a_growing_round_trip_ends_slow_start(void)
{
	struct window w;
	uint64_t now = MUSES_S;

	srm_window_init(&w, &limits);
	for (int i = 0; i < 3; i++)
		now = one_round(&w, now, RTT);
	for (int i = 0; i < 7; i++)
		now = one_round(&w, now, RTT + 20 * MUSES_MS);
	CU_ASSERT_FALSE(srm_window_slow_start(&w));
	CU_ASSERT(w.bytes < limits.most);
}

static void losses_and_marks_shrink_it_once_a_round_trip(void)
{
	static const struct {
		enum window_sign sign;
		bool slow_start;
		unsigned percent;
		const char *why;
	} row[] = {
		{ WINDOW_LOSS, false, 70, "a loss: CUBIC's beta" },
		{ WINDOW_MARK, false, 85, "a mark: less" },
		{ WINDOW_LOSS, true, 50, "a loss in slow start: back to what was" },
		{ WINDOW_MARK, true, 100, "a mark in slow start: hold" },
	};

	for (size_t i = 0; i < ARRAY_COUNT(row); i++) {
		struct window w;
		uint64_t now = MUSES_S, before;

		srm_window_init(&w, &limits);
		now = one_round(&w, now, RTT);
		if (!row[i].slow_start)
			w.threshold = w.bytes;
		before = w.bytes;
		srm_window_sent(&w, now, PACKET, before, 0);
		srm_window_congested(&w, now + 1, now, row[i].sign);
		TAP_NOTE_IF(w.bytes / 100 != before * row[i].percent / 10000, "%s",
		            row[i].why);
		CU_ASSERT_EQUAL(w.bytes / 100, before * row[i].percent / 10000);
		before = w.bytes;
		srm_window_congested(&w, now + 2, now + 1, WINDOW_LOSS);
		CU_ASSERT_EQUAL(w.bytes,
		                before); /* Sent before the first sign was seen. */
		srm_window_congested(&w, now + 3, now + 2, WINDOW_LOSS);
		CU_ASSERT(w.bytes < before);
	}
}

static void it_never_leaves_its_limits(void)
{
	struct window w;
	uint64_t now = MUSES_S;

	srm_window_init(&w, &limits);
	for (int i = 0; i < 100; i++, now += RTT)
		srm_window_congested(&w, now, now - 1, WINDOW_LOSS);
	CU_ASSERT_EQUAL(w.bytes, limits.least);
	CU_ASSERT(srm_window_room(&w, 0) >= limits.least - PACKET);
	for (int i = 0; i < 5000; i++)
		now = one_round(&w, now, RTT);
	CU_ASSERT_EQUAL(w.bytes, limits.most);
	srm_window_congested(&w, now, now, WINDOW_LOSS);
	srm_window_collapsed(&w);
	CU_ASSERT_EQUAL(w.bytes, limits.least);
	CU_ASSERT_TRUE(srm_window_slow_start(&w));
}

static void after_a_loss_it_returns_to_the_summit_and_beyond(void)
{
	struct window w;
	uint64_t now = MUSES_S, summit, before;
	int rounds = 0;

	srm_window_init(&w, &limits);
	for (int i = 0; i < 4; i++)
		now = one_round(&w, now, RTT);
	summit = w.bytes;
	w.threshold = w.bytes;
	srm_window_sent(&w, now, PACKET, w.bytes, 0);
	srm_window_congested(&w, now, now, WINDOW_LOSS);
	for (before = w.bytes; w.bytes < summit && rounds < 400; rounds++) {
		now = one_round(&w, now, RTT);
		CU_ASSERT(w.bytes >= before);
		before = w.bytes;
	}
	/* K = cbrt(0.3 * 4 MB / 1200 / 0.4) = 14 s, or Reno's pace if that is faster. */
	TAP_NOTE_IF(rounds > 145, "%d round trips", rounds);
	CU_ASSERT(rounds <= 145);
	for (int i = 0; i < 100; i++)
		now = one_round(&w, now, RTT);
	CU_ASSERT(w.bytes > summit + summit / 8);
}

/* Where round trips are short CUBIC's clock hardly moves: Reno's pace it is. */
static void on_a_short_path_it_grows_as_reno_does(void)
{
	struct window w;
	uint64_t now = MUSES_S, before;

	srm_window_init(&w, &limits);
	srm_window_sent(&w, now, PACKET, w.bytes, 0);
	w.threshold = w.bytes;
	srm_window_congested(&w, now, now, WINDOW_LOSS);
	before = w.bytes;
	for (int i = 0; i < 100; i++) {
		struct window_delivery d = { w.bytes, now + 1, 0, MUSES_MS, MUSES_MS };

		srm_window_sent(&w, now, PACKET, w.bytes, 0);
		now += MUSES_MS;
		srm_window_delivered(&w, now, &d);
	}
	/* 0.53 of a packet each time. */
	CU_ASSERT(w.bytes - before > 50 * PACKET && w.bytes - before < 60 * PACKET);
}

static void silence_earns_no_burst(void)
{
	struct window w;
	uint64_t now = MUSES_S, before;

	srm_window_init(&w, &limits);
	for (int i = 0; i < 4; i++)
		now = one_round(&w, now, RTT);
	before = w.bytes;
	for (int i = 0; i < 100; i++, now += RTT) { /* A packet at a time. */
		struct window_delivery d = { PACKET, now, 0, RTT, RTT };

		srm_window_sent(&w, now, PACKET, PACKET, 1);
		srm_window_delivered(&w, now + RTT / 2, &d);
	}
	CU_ASSERT_EQUAL(w.bytes, before);
	srm_window_sent(&w, now, PACKET, PACKET, 3600 * MUSES_S);
	CU_ASSERT_EQUAL(w.bytes, limits.initial);
	CU_ASSERT_EQUAL(w.threshold, before - before / 4);
}

static void room_is_offered_in_packets_worth_sending(void)
{
	static const struct {
		uint64_t bytes, in_flight;
		uint32_t packet;
		uint64_t room;
		const char *why;
	} row[] = {
		{ 300000, 0, 60000, 300000, "all of it" },
		{ 300000, 10000, 60000, 240000, "whole packets" },
		{ 300000, 250000, 60000, 0, "too little for one: wait" },
		{ 300000, 240000, 60000, 60000, "just one" },
		{ 300000, 300000, 60000, 0, "full" },
		{ 300000, 400000, 60000, 0, "more than full, after a loss" },
		{ 40000, 0, 60000, 40000, "a small window makes small packets" },
		{ 40000, 31000, 60000, 0, "... but not crumbs" },
		{ 40000, 30000, 60000, 10000, "... of a quarter at least" },
		{ 16384, 0, 1200, 15600, "small packets are cut exactly" },
	};

	for (size_t i = 0; i < ARRAY_COUNT(row); i++) {
		struct window w;
		uint64_t room;

		srm_window_init(&w, &limits);
		w.bytes = row[i].bytes;
		w.packet = row[i].packet;
		room = srm_window_room(&w, row[i].in_flight);
		TAP_NOTE_IF(room != row[i].room, "%s: %u", row[i].why, (unsigned)room);
		CU_ASSERT_EQUAL(room, row[i].room);
	}
}

static const struct tap_test tests[] = {
	{ "cube roots are the greatest whole ones", cube_roots_are_whole },
	{ "slow start doubles the window each round trip",
	  slow_start_doubles_up_to_the_limit },
	{ "a growing round trip ends slow start", a_growing_round_trip_ends_slow_start },
	{ "losses and marks shrink the window at most once a round trip",
	  losses_and_marks_shrink_it_once_a_round_trip },
	{ "the window never leaves its limits", it_never_leaves_its_limits },
	{ "after a loss the window returns to where it was, and goes on",
	  after_a_loss_it_returns_to_the_summit_and_beyond },
	{ "on a short path the window grows as Reno's would",
	  on_a_short_path_it_grows_as_reno_does },
	{ "a sender that had little to say is not owed a burst", silence_earns_no_burst },
	{ "room is offered in packets worth sending",
	  room_is_offered_in_packets_worth_sending },
	TAP_END
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, "srm_window", tests);
}
