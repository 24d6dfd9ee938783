/* SPDX-License-Identifier: Apache-2.0 */
#include "plugins/transport/impair/impair.h"

#include "tests/net.h"
#include "tests/tap.h"

#include <stdio.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* alice has the weather, bob has not. */
struct pair {
	struct net net;
	struct net_node *a, *b;
};

static void pair_open(struct pair *p, uint64_t seed, const char *weather)
{
	net_open(&p->net, seed);
	p->b = net_add(&p->net, "bob", NULL, NULL);
	p->net.weather = weather;
	p->a = net_add(&p->net, "alice", "{'bob': 'bob'}", NULL);
}

static void packets_take_their_time_both_ways(void)
{
	struct pair p;

	pair_open(&p, 1, "'delay_ms': 100");
	/* 200 ms to connect, as much for hellos and proofs. */
	net_run(&p.net, 395);
	CU_ASSERT(!net_linked(p.a, p.b));
	net_run(&p.net, 10);
	CU_ASSERT(net_linked(p.a, p.b));
	net_run(&p.net, 1000);
	CU_ASSERT_EQUAL(net_send(p.a, p.b, "one"), 0);
	CU_ASSERT_EQUAL(net_send(p.b, p.a, "two"), 0);
	net_run(&p.net, 99);
	CU_ASSERT_STRING_EQUAL(p.b->inbox, "");
	CU_ASSERT_STRING_EQUAL(p.a->inbox, "");
	net_run(&p.net, 2);
	CU_ASSERT_STRING_EQUAL(p.b->inbox, "alice:one ");
	CU_ASSERT_STRING_EQUAL(p.a->inbox, "bob:two ");
	CU_ASSERT(!p.b->met.lossy);
	net_close(&p.net);
}

static void jitter_keeps_order(void)
{
	char want[600] = "";
	struct pair p;

	pair_open(&p, 1, "'delay_ms': 10, 'jitter_ms': 50");
	net_run(&p.net, 1000);
	for (int i = 0; i < 50; i++) {
		char text[8];

		snprintf(text, sizeof(text), "%d", i);
		snprintf(want + strlen(want), sizeof(want) - strlen(want), "alice:%s ",
		         text);
		CU_ASSERT_EQUAL(net_send(p.a, p.b, text), 0);
		net_run(&p.net, 1);
	}
	net_run(&p.net, 100);
	CU_ASSERT_STRING_EQUAL(p.b->inbox, want);
	net_close(&p.net);
}

static void as_many_are_lost_as_was_asked_for(void)
{
	struct pair p;

	pair_open(&p, 3, "'loss': 0.25");
	net_run(&p.net, 5000);
	CU_ASSERT_FATAL(net_linked(p.a, p.b));
	for (int i = 0; i < 1000; i++) {
		CU_ASSERT_EQUAL(net_send(p.a, p.b, "x"), 0);
		net_run(&p.net, 1);
	}
	TAP_NOTE_IF(p.b->delivered < 700 || p.b->delivered > 800, "%u of 1000 arrived",
	            (unsigned)p.b->delivered);
	CU_ASSERT(p.b->delivered >= 700 && p.b->delivered <= 800);
	CU_ASSERT(p.b->met.lossy);
	net_close(&p.net);
}

static void some_are_doubled_and_some_overtaken(void)
{
	struct pair p;
	int late = 0;

	pair_open(&p, 3, "'delay_ms': 20, 'duplicate': 0.5, 'reorder': 0.3");
	net_run(&p.net, 5000);
	for (int i = 0; i < 200; i++) {
		uint64_t before = p.b->delivered;

		CU_ASSERT_EQUAL(net_send(p.a, p.b, "x"), 0);
		net_run(&p.net, 21);
		late += p.b->delivered == before;
		net_run(&p.net, 50);
	}
	CU_ASSERT(p.b->delivered > 270 && p.b->delivered < 330);
	CU_ASSERT(late > 40 && late < 80);
	net_close(&p.net);
}

static void bits_are_turned(void)
{
	struct pair p;

	pair_open(&p, 3, "'corrupt': 0");
	net_run(&p.net, 1000);
	net_close(&p.net);
	pair_open(&p, 3, "'corrupt': 0.01");
	net_run(&p.net, 10000);
	for (int i = 0; i < 1000; i++) {
		net_send(p.a, p.b, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
		net_run(&p.net, 1);
	}
	CU_ASSERT(net_count(p.a, "impair", "corrupted") > 3);
	net_close(&p.net);
}

static void the_rate_is_kept_and_the_queue_is_seen(void)
{
	const struct muses_overlay_ops *ops;
	struct pair p;
	int sent = 0;

	net_open(&p.net, 1);
	p.net.links.queue_bytes = 100000;
	p.b = net_add(&p.net, "bob", NULL, NULL);
	p.net.weather = "'rate_kbit': 8000"; /* 1 MB/s. */
	p.a = net_add(&p.net, "alice", "{'bob': 'bob'}", NULL);
	net_run(&p.net, 1000);
	p.a->events[0] = '\0';
	ops = core_overlay_ops(&p.a->pipeline);
	while (ops->writable(&p.a->overlay, &p.b->id) && sent < 1000) {
		struct muses_buf *b = core_buf_new(p.a->env.pool, MUSES_HEADROOM, 1000);

		memset(muses_buf_append(b, 1000), 'x', 1000);
		CU_ASSERT_EQUAL(ops->send(&p.a->overlay, &p.b->id, b), 0);
		sent++;
	}
	CU_ASSERT(sent > 80 && sent < 110);
	net_run(&p.net, 50);
	CU_ASSERT(p.b->delivered > 40 && p.b->delivered < 52);
	net_run(&p.net, 150);
	CU_ASSERT_EQUAL(p.b->delivered, (uint64_t)sent);
	CU_ASSERT_PTR_NOT_NULL(strstr(p.a->events, "writable"));
	net_close(&p.net);
}

static void a_cut_only_delays_where_nothing_is_lost(void)
{
	struct pair p;

	pair_open(&p, 1, "'cut': ['1000-2000', '600000-600500']");
	net_run(&p.net, 1200);
	CU_ASSERT(net_linked(p.a, p.b));
	CU_ASSERT_EQUAL(net_send(p.a, p.b, "one"), 0);
	CU_ASSERT_EQUAL(net_send(p.b, p.a, "two"), 0);
	net_run(&p.net, 790);
	CU_ASSERT_STRING_EQUAL(p.b->inbox, "");
	CU_ASSERT_STRING_EQUAL(p.a->inbox, "");
	net_run(&p.net, 20);
	CU_ASSERT_STRING_EQUAL(p.b->inbox, "alice:one ");
	CU_ASSERT_STRING_EQUAL(p.a->inbox, "bob:two ");
	net_close(&p.net);
}

static void nobody_connects_during_a_cut(void)
{
	struct pair p;

	pair_open(&p, 1, "'cut': '0-3000'");
	net_run(&p.net, 2990);
	CU_ASSERT(!net_linked(p.a, p.b));
	CU_ASSERT_EQUAL(core_links_proven(p.b->links), 0);
	CU_ASSERT_EQUAL(core_hub_counts(p.net.hub).ends, 0);
	net_run(&p.net, 20);
	CU_ASSERT(net_linked(p.a, p.b));
	net_close(&p.net);
}

static void what_was_sent_before_the_end_still_arrives(void)
{
	struct pair p;

	pair_open(&p, 1, "'delay_ms': 100");
	net_run(&p.net, 1000);
	CU_ASSERT_EQUAL(net_send(p.b, p.a, "last"), 0);
	net_run(&p.net, 1);
	net_stop(p.b);
	net_run(&p.net, 50);
	CU_ASSERT(net_linked(p.a, p.b));
	net_run(&p.net, 100);
	CU_ASSERT_STRING_EQUAL(p.a->inbox, "bob:last ");
	CU_ASSERT(!net_linked(p.a, p.b));
	net_close(&p.net);
}

/* Lossy links, cuts, replaced links, for a while: nothing is left behind. */
static void bad_weather_leaves_nothing_behind(void)
{
	for (uint64_t seed = 1; seed <= 10; seed++) {
		struct pair p;

		pair_open(&p, seed,
		          "'delay_ms': 30, 'jitter_ms': 30, 'loss': 0.1, 'reorder': 0.1, "
		          "'duplicate': 0.1, 'corrupt': 0.01, 'rate_kbit': 1000, "
		          "'cut': ['3000-9000', '20000-20500']");
		for (int i = 0; i < 400; i++) {
			net_send(p.a, p.b, "there");
			net_send(p.b, p.a, "back");
			net_run(&p.net, 100);
		}
		CU_ASSERT(p.a->delivered > 100);
		CU_ASSERT(p.b->delivered > 100);
		net_close(&p.net);
	}
}

static void spans_of_time_are_checked(void)
{
	static const struct {
		const char *text;
		bool right;
	} row[] = {
		{ "0-1", true },        { "5000-8000", true },
		{ "8000-5000", false }, { "5-5", false },
		{ "", false },          { "5", false },
		{ "-5", false },        { "5-", false },
		{ "5-6x", false },      { " 5-6", false },
		{ "5 - 6", false },     { "99999999999999999999-1", false },
		{ "0x5-0x6", false },
	};

	for (size_t i = 0; i < COUNT(row); i++) {
		struct cut cut;

		TAP_NOTE_IF(impair_parse_cut(row[i].text, &cut) != row[i].right, "\"%s\"",
		            row[i].text);
		CU_ASSERT_EQUAL(impair_parse_cut(row[i].text, &cut), row[i].right);
	}
}

static const struct tap_test tests[] = {
	{ "packets take their time, both ways", packets_take_their_time_both_ways },
	{ "jitter keeps order", jitter_keeps_order },
	{ "as many are lost as was asked for", as_many_are_lost_as_was_asked_for },
	{ "some are doubled and some overtaken", some_are_doubled_and_some_overtaken },
	{ "bits are turned", bits_are_turned },
	{ "the rate is kept, and the queue is seen",
	  the_rate_is_kept_and_the_queue_is_seen },
	{ "a cut only delays where nothing is lost",
	  a_cut_only_delays_where_nothing_is_lost },
	{ "nobody connects during a cut", nobody_connects_during_a_cut },
	{ "what was sent before the end still arrives",
	  what_was_sent_before_the_end_still_arrives },
	{ "bad weather leaves nothing behind", bad_weather_leaves_nothing_behind },
	{ "spans of time are checked", spans_of_time_are_checked },
	TAP_END
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, "impair", tests);
}
