/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two honest nodes on wires on which somebody loses, doubles, delays and changes
 * packets.
 */
#include "tests/hostile.h"

#include <tests/tap.h>

static struct bench b;
static struct meddler m;

/* The at-th byte of the first packet of type is flipped: the forged one comes
 * first, then (or not: lost) the true one. */
static enum meddling flip_one(struct meddler *me, const char *from, const char *to,
                              struct core_packet *p, uint8_t *packet, size_t *size)
{
	if (p->type != me->type || me->done)
		return MEDDLE_PASS;
	me->done = true;
	me->seen = (unsigned)*size;
	if (me->at >= *size)
		return MEDDLE_DROP;
	packet[me->at] ^= (uint8_t)(1u << me->at % 8);
	core_hub_inject(b.hub, from, to, me->whole, me->head + *size);
	packet[me->at] ^= (uint8_t)(1u << me->at % 8);
	return MEDDLE_PASS;
}

static void a_byte_flipped_anywhere_delays_a_handshake_at_most(void)
{
	static const uint8_t types[] = { CORE_PACKET_HELLO_A, CORE_PACKET_HELLO_B,
		                         CORE_PACKET_RETRY, CORE_PACKET_DATA };

	for (size_t i = 0; i < sizeof(types); i++)
		for (unsigned at = 0; at == 0 || at <= m.seen; at++) {
			struct bench_pair *p;

			bench_open(&b, at);
			bench_pair_of_nodes(&b);
			bench_run(&b, SECONDS(1));
			meddler_open(&m, &b, flip_one);
			m.type = types[i];
			m.at = at;
			p = bench_stream(&b, &b.node[0], &b.node[1], 100, 100);
			bench_run(&b, SECONDS(20));
			TAP_NOTE_IF(!bench_complete(p), "type %u byte %u", types[i], at);
			CU_ASSERT_TRUE(bench_complete(p));
			CU_ASSERT_EQUAL(core_sessions_count(b.node[0].sessions), 1);
			CU_ASSERT_EQUAL(core_sessions_count(b.node[1].sessions), 1);
			CU_ASSERT_EQUAL(b.sealed_twice, 0);
			CU_ASSERT_EQUAL(bench_close(&b), 0);
		}
}

static enum meddling lose_hellos(struct meddler *me, const char *from, const char *to,
                                 struct core_packet *p, uint8_t *packet, size_t *size)
{
	(void)from;
	(void)to;
	(void)packet;
	(void)size;
	me->seen += p->type == CORE_PACKET_HELLO_A;
	return p->type == CORE_PACKET_HELLO_A && !me->done ? MEDDLE_DROP : MEDDLE_PASS;
}

/* Nobody is told that the path is good again: the other's Hello shows it. */
static void who_waits_long_to_try_again_is_woken_by_the_other(void)
{
	size_t lower;

	bench_open(&b, 3);
	bench_pair_of_nodes(&b);
	meddler_open(&m, &b, lose_hellos);
	lower = muses_id_compare(&b.node[0].id, &b.node[1].id) < 0 ? 0 : 1;
	bench_stream(&b, &b.node[lower], &b.node[!lower], 100, 100);
	/* Until 30 s after it has tried: the next time is minutes away. */
	bench_run(&b, MINUTES(60));
	m.seen = 0;
	while (m.seen == 0)
		bench_run(&b, SECONDS(1));
	bench_run(&b, SECONDS(30));
	m.done = true;
	bench_stream(&b, &b.node[!lower], &b.node[lower], 100, 100);
	CU_ASSERT(bench_finish(&b, SECONDS(5)));
	CU_ASSERT_EQUAL(bench_close(&b), 0);
}

/* The at-th packet of all is lost, doubled, or comes a second late. */
enum { LOST, DOUBLED, LATE, WAYS };

static enum meddling one_of_them(struct meddler *me, const char *from, const char *to,
                                 struct core_packet *p, uint8_t *packet, size_t *size)
{
	(void)p;
	(void)packet;
	if (me->seen++ != me->at)
		return MEDDLE_PASS;
	if (me->bit == LATE)
		meddler_keep(me, from, to, *size);
	return me->bit == DOUBLED ? MEDDLE_TWICE : MEDDLE_DROP;
}

static void disturbed(bool noise, unsigned way, unsigned at)
{
	bool good;

	bench_open(&b, at);
	if (noise)
		bench_use_noise(&b);
	bench_pair_of_nodes(&b);
	bench_run(&b, SECONDS(1));
	meddler_open(&m, &b, one_of_them);
	m.at = at;
	m.bit = way;
	bench_stream(&b, &b.node[0], &b.node[1], 3000, 3000);
	if (at % 2 == 1)
		bench_stream(&b, &b.node[1], &b.node[0], 3000, 3000);
	bench_run(&b, SECONDS(1));
	if (way == LATE && m.kept_size > 0)
		meddler_again(&m);
	good = bench_finish(&b, SECONDS(30));
	TAP_NOTE_IF(!good, "%s, packet %u, way %u", noise ? "noise" : "psk", at, way);
	CU_ASSERT_TRUE(good);
	CU_ASSERT_EQUAL(core_sessions_count(b.node[0].sessions), 1);
	CU_ASSERT_EQUAL(core_sessions_count(b.node[1].sessions), 1);
	CU_ASSERT_EQUAL(b.sealed_twice, 0);
	CU_ASSERT_EQUAL(bench_close(&b), 0);
}

static void any_packet_of_a_handshake_may_be_lost_doubled_or_late(void)
{
	for (unsigned way = 0; way < WAYS; way++)
		for (unsigned at = 0; at < 16; at++) {
			disturbed(false, way, at);
			disturbed(true, way, at);
		}
}

/* From then on everything of one kind in one direction is lost, for 10 s. */
static enum meddling lose_way(struct meddler *me, const char *from, const char *to,
                              struct core_packet *p, uint8_t *packet, size_t *size)
{
	(void)to;
	(void)packet;
	(void)size;
	return !me->done && p->type == me->type && strcmp(from, b.node[me->at].name) == 0
	               ? MEDDLE_DROP
	               : MEDDLE_PASS;
}

static void ten_seconds_without_one_kind_of_packet_are_survived(void)
{
	for (unsigned noise = 0; noise < 2; noise++)
		for (uint8_t type = CORE_PACKET_HELLO_A; type <= CORE_PACKET_DATA; type++)
			for (unsigned who = 0; who < 2; who++) {
				bool good;

				bench_open(&b, type);
				if (noise)
					bench_use_noise(&b);
				bench_pair_of_nodes(&b);
				bench_run(&b, SECONDS(1));
				meddler_open(&m, &b, lose_way);
				m.type = type;
				m.at = who;
				bench_stream(&b, &b.node[0], &b.node[1], 300000, 3000);
				bench_stream(&b, &b.node[1], &b.node[0], 300, 3000);
				bench_run(&b, SECONDS(10));
				m.done = true;
				good = bench_finish(&b, SECONDS(40));
				TAP_NOTE_IF(!good, "type %u from %s", type,
				            b.node[who].name);
				CU_ASSERT_TRUE(good);
				CU_ASSERT_EQUAL(b.sealed_twice, 0);
				CU_ASSERT_EQUAL(bench_close(&b), 0);
			}
}

/* ---- sealed packets ------------------------------------------------------------------
 */

static enum meddling flip_or_cut(struct meddler *me, const char *from, const char *to,
                                 struct core_packet *p, uint8_t *packet, size_t *size)
{
	(void)to;
	if (p->type != CORE_PACKET_DATA || strcmp(from, "bob") != 0 || me->done)
		return MEDDLE_PASS;
	/* The tampered one first, then the true one, as a relay that is slow could. */
	if (me->at < *size) {
		packet[me->at] ^= (uint8_t)(1u << me->bit);
		core_hub_inject(b.hub, from, to, me->whole, me->head + *size);
		packet[me->at] ^= (uint8_t)(1u << me->bit);
	} else if (me->at < 2 * *size) {
		core_hub_inject(b.hub, from, to, me->whole, me->head + me->at - *size);
	}
	me->done = true;
	return MEDDLE_PASS;
}

static void no_flipped_or_cut_packet_changes_anything(void)
{
	bench_open(&b, 5);
	bench_pair_of_nodes(&b);
	meddler_open(&m, &b, flip_or_cut);
	m.done = true;
	bench_stream(&b, &b.node[0], &b.node[1], 100, 0);
	CU_ASSERT(bench_finish(&b, SECONDS(5)));
	for (m.at = 0; m.at < BENCH_STREAMS - 1; m.at++) {
		struct bench_pair *p;

		m.bit = m.at % 8;
		m.done = false;
		p = bench_stream(&b, &b.node[0], &b.node[1], 20, 0);
		bench_run(&b, SECONDS(1));
		TAP_NOTE_IF(!bench_complete(p), "byte %u", m.at);
		CU_ASSERT_TRUE(bench_complete(p));
	}
	CU_ASSERT_EQUAL(bench_counted(&b.node[1], "malformed frames"), 0);
	CU_ASSERT_TRUE(bench_counted(&b.node[1], "not authentic") > 50);
	CU_ASSERT_EQUAL(b.sealed_twice, 0);
	CU_ASSERT_EQUAL(bench_close(&b), 0);
}

static enum meddling twice(struct meddler *me, const char *from, const char *to,
                           struct core_packet *p, uint8_t *packet, size_t *size)
{
	(void)packet;
	me->seen++;
	if (p->type != CORE_PACKET_DATA)
		return MEDDLE_PASS;
	/* Also to where it came from, as if it were for its sender. */
	core_hub_inject(b.hub, to, from, me->whole, me->head + *size);
	return MEDDLE_TWICE;
}

static void replayed_and_reflected_packets_are_dropped(void)
{
	bench_open(&b, 6);
	bench_pair_of_nodes(&b);
	meddler_open(&m, &b, twice);
	bench_stream(&b, &b.node[0], &b.node[1], 100000, 50000);
	CU_ASSERT(bench_finish(&b, SECONDS(30)));
	CU_ASSERT_TRUE(bench_counted(&b.node[0], "replayed") > 0);
	CU_ASSERT_TRUE(bench_counted(&b.node[1], "replayed") > 0);
	CU_ASSERT_EQUAL(bench_close(&b), 0);
}

static const struct tap_test tests[] = {
	{ "a byte flipped anywhere delays a handshake at most",
	  a_byte_flipped_anywhere_delays_a_handshake_at_most },
	{ "who waits long to try again is woken by the other",
	  who_waits_long_to_try_again_is_woken_by_the_other },
	{ "any packet of a handshake may be lost, doubled or late",
	  any_packet_of_a_handshake_may_be_lost_doubled_or_late },
	{ "ten seconds without one kind of packet are survived",
	  ten_seconds_without_one_kind_of_packet_are_survived },
	{ "no flipped or cut packet changes anything",
	  no_flipped_or_cut_packet_changes_anything },
	{ "replayed and reflected packets are dropped",
	  replayed_and_reflected_packets_are_dropped },
	TAP_END,
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, "hostile_relay", tests);
}
