/* SPDX-License-Identifier: Apache-2.0 */
/* Two and three whole nodes on the bench: what a session promises. */
#include "tests/bench.h"

#include <tests/tap.h>

static void a_stream_crosses_one_link(void)
{
	struct bench b;

	bench_open(&b, 1);
	bench_pair_of_nodes(&b);
	bench_stream(&b, &b.node[0], &b.node[1], 1000, 2000);
	CU_ASSERT(bench_finish(&b, SECONDS(5)));
	CU_ASSERT_EQUAL(b.sealed_twice, 0);
	CU_ASSERT_EQUAL(bench_close(&b), 0);
}

static void streams_cross_a_relay_both_ways(void)
{
	struct bench b;

	bench_open(&b, 2);
	bench_with_relay(&b);
	bench_stream(&b, &b.node[0], &b.node[1], 3000000, 10);
	bench_stream(&b, &b.node[1], &b.node[0], 0, 2000000);
	bench_stream(&b, &b.node[0], &b.node[1], 0, 0);
	CU_ASSERT(bench_finish(&b, SECONDS(20)));
	CU_ASSERT_EQUAL(b.sealed_twice, 0);
	CU_ASSERT_EQUAL(bench_close(&b), 0);
}

static void a_session_outlives_a_ten_minute_outage(void)
{
	struct bench b;
	struct bench_pair *p;

	bench_open(&b, 3);
	bench_with_relay(&b);
	core_hub_set(b.hub, NULL, NULL,
	             &(struct core_hub_weather){ .delay_ns = MUSES_MS,
	                                         .rate_bits = 50000000 });
	p = bench_stream(&b, &b.node[0], &b.node[1], 5000000, 3000000);
	bench_run(&b, 300 * MUSES_MS);
	core_hub_break(b.hub, "alice", "relay");
	core_hub_cut(b.hub, "alice", "relay", true);
	bench_run(&b, MINUTES(10));
	CU_ASSERT_EQUAL(core_session_state(bench_session(&b.node[0], &b.node[1])),
	                CORE_SESSION_SUSPENDED);
	CU_ASSERT_FALSE(p->opener.was_reset);
	CU_ASSERT_TRUE(b.node[0].suspended > 0);
	core_hub_cut(b.hub, "alice", "relay", false);
	CU_ASSERT(bench_finish(&b, MINUTES(2)));
	CU_ASSERT_TRUE(b.node[0].resumed > 0);
	CU_ASSERT_EQUAL(b.sealed_twice, 0);
	CU_ASSERT_EQUAL(bench_close(&b), 0);
}

static const struct tap_test tests[] = {
	{ "a stream crosses one link", a_stream_crosses_one_link },
	{ "streams cross a relay both ways", streams_cross_a_relay_both_ways },
	{ "a session outlives a ten-minute outage",
	  a_session_outlives_a_ten_minute_outage },
	TAP_END,
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, "session", tests);
}
