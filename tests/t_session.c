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

static json_int_t info(struct bench_node *n, const char *key)
{
	json_t *all = core_sessions_info(n->sessions);
	json_int_t value =
		json_integer_value(json_object_get(json_array_get(all, 0), key));

	json_decref(all);
	return value;
}

static void a_session_heals_by_keystep_without_pause(void)
{
	struct bench b;
	struct bench_pair *p;

	bench_open(&b, 4);
	b.config.keystep_s = 10;
	bench_with_relay(&b);
	core_hub_set(b.hub, NULL, NULL,
	             &(struct core_hub_weather){ .delay_ns = 5 * MUSES_MS,
	                                         .rate_bits = 1000000 });
	p = bench_stream(&b, &b.node[0], &b.node[1], 10000000, 10000000);
	bench_run(&b, SECONDS(35));
	/* The resumption secret is another, on both sides the same ... */
	CU_ASSERT_TRUE(info(&b.node[0], "secret") >= 2);
	CU_ASSERT_EQUAL(info(&b.node[0], "secret"), info(&b.node[1], "secret"));
	/* ... the traffic keys went a step each time, and nothing else happened. */
	CU_ASSERT_TRUE(info(&b.node[0], "epoch") >= 2);
	CU_ASSERT_TRUE(info(&b.node[1], "epoch") >= 2);
	CU_ASSERT_EQUAL(info(&b.node[0], "generation"), 0);
	CU_ASSERT_EQUAL(b.rehello_packets, 0);
	CU_ASSERT_EQUAL(bench_counted(&b.node[0], "not authentic"), 0);
	CU_ASSERT_EQUAL(bench_counted(&b.node[1], "not authentic"), 0);
	/* A resume starts from the new secret. */
	core_hub_break(b.hub, "alice", "relay");
	CU_ASSERT(bench_finish(&b, MINUTES(10)));
	CU_ASSERT_TRUE(bench_complete(p));
	CU_ASSERT_TRUE(info(&b.node[0], "generation") > 0);
	CU_ASSERT_EQUAL(b.sealed_twice, 0);
	CU_ASSERT_EQUAL(bench_close(&b), 0);
}

static const struct tap_test tests[] = {
	{ "a stream crosses one link", a_stream_crosses_one_link },
	{ "streams cross a relay both ways", streams_cross_a_relay_both_ways },
	{ "a session outlives a ten-minute outage",
	  a_session_outlives_a_ten_minute_outage },
	{ "a session heals by KEYSTEP without a pause",
	  a_session_heals_by_keystep_without_pause },
	TAP_END,
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, "session", tests);
}
