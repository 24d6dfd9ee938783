/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many of everything: Hellos of strangers, half-open handshakes, sessions and streams;
 * what they cost, and what an idle one costs.  security.md 7.5, rows 38 and 49.
 */
#include "tests/hostile.h"

#include "core/mem.h"
#include "core/session_int.h"

#include <tests/tap.h>

#include <malloc.h>

static struct bench b;
static struct hostile h;

static void begin(void)
{
	bench_open(&b, 1);
	bench_pair_of_nodes(&b);
	hostile_open(&h, &b, &b.node[1], &b.node[0]);
	bench_run(&b, SECONDS(1));
}

static void end(void)
{
	hostile_close(&h);
	CU_ASSERT_EQUAL(bench_close(&b), 0);
}

static struct core_sessions *victim(void)
{
	return b.node[0].sessions;
}

/* Straight to the sessions, as from source: links and routes are not what is tested. */
static void say_as(const struct muses_id *source, const uint8_t *data, size_t size)
{
	struct muses_met met = { .source = *source, .mtu = 2000 };
	struct muses_buf *buf = core_buf_new(b.node[0].env.pool, 0, size);

	CU_ASSERT_PTR_NOT_NULL_FATAL(buf);
	memcpy(muses_buf_append(buf, size), data, size);
	core_sessions_deliver(victim(), buf, &met);
}

/* ---- strangers --------------------------------------------------------------------- */

static void a_hundred_thousand_hellos_of_strangers_leave_no_trace(void)
{
	struct muses_id source = { { 0 } };
	uint64_t held = 0, operations;

	begin();
	hostile_hello(&h, NULL);
	operations = victim()->public_key_operations;
	for (uint32_t i = 0; i < 100000; i++) {
		/* Every counter is there by now, and the overlay's notes on ids that it
		 * cannot reach are at their bound. */
		if (i == 10000)
			held = core_mem_count();
		/* Who knows our name makes a good mac1, but no first tag. */
		memcpy(source.bytes, &i, sizeof(i));
		memcpy(h.hello + CORE_HEADER_BYTES + MUSES_ID_SIZE, &i, sizeof(i));
		hostile_mac1(&h, h.hello, h.hello_size);
		say_as(&source, h.hello, h.hello_size);
		if (i % 50000 == 49999)
			bench_run(&b, SECONDS(1));
	}
	CU_ASSERT_EQUAL(victim()->half_open, 0);
	CU_ASSERT_EQUAL(core_sessions_count(victim()), 0);
	CU_ASSERT_EQUAL(victim()->hello_records.count, 0);
	/* So many a second reach the keys; the others are asked for a cookie. */
	CU_ASSERT_TRUE(victim()->public_key_operations - operations <= 2 * 2000);
	CU_ASSERT_TRUE(bench_counted(&b.node[0], "cookie asked for") >= 96000);
	bench_run(&b, SECONDS(5));
	CU_ASSERT_EQUAL(core_mem_count(), held);
	end();
}

/* ---- members -------------------------------------------------------------------------
 */

/* Valid Hellos that are never finished. */
static void half_open(unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		h.first.time++;
		hostile_hello(&h, NULL);
		hostile_say(&h, h.hello, h.hello_size);
		bench_run(&b, 2 * MUSES_MS);
		/* HELLO_B makes keys; they are not what this is about. */
		if (h.keyed) {
			core_traffic_release(&h.traffic);
			h.keyed = false;
		}
	}
}

static void half_open_handshakes_are_bounded_in_number_and_time(void)
{
	struct core_session *s;

	begin();
	CU_ASSERT_TRUE(hostile_connect(&h)); /* So times count. */
	s = hostile_session(&h);
	core_traffic_release(&h.traffic);
	h.keyed = false;
	h.unfinished = h.mute = true;
	half_open(700);
	CU_ASSERT_EQUAL(victim()->half_open, 512);
	CU_ASSERT_TRUE(bench_counted(&b.node[0], "cookie asked for") >= 188);
	h.mute = false;
	half_open(700);
	CU_ASSERT_EQUAL(victim()->half_open, 1024);
	CU_ASSERT_TRUE(bench_counted(&b.node[0], "too many half-open handshakes") > 0);
	CU_ASSERT_PTR_EQUAL(hostile_session(&h), s);
	bench_run(&b, SECONDS(15));
	CU_ASSERT_EQUAL(victim()->half_open, 0);
	CU_ASSERT_EQUAL(victim()->handshakes.count, 0);
	h.unfinished = false;
	CU_ASSERT_TRUE(hostile_connect(&h));
	end();
}

static void an_honest_peer_gets_in_under_load_with_a_cookie(void)
{
	struct bench_pair *p;

	bench_open(&b, 1);
	bench_add(&b, "bob", "{}", "{}");
	bench_add(&b, "alice", "{\"bob\":\"bob\"}", "{}");
	bench_add(&b, "eve", "{\"bob\":\"bob\"}", "{}");
	for (size_t i = 0; i < b.count; i++)
		bench_start(&b.node[i]);
	hostile_open(&h, &b, &b.node[2], &b.node[0]);
	CU_ASSERT_TRUE(hostile_connect(&h));
	core_traffic_release(&h.traffic);
	h.keyed = false;
	h.unfinished = h.mute = true;
	half_open(600);
	p = bench_stream(&b, &b.node[1], &b.node[0], 1000, 1000);
	bench_run(&b, SECONDS(5));
	CU_ASSERT_TRUE(bench_complete(p));
	end();
}

static void a_cookie_is_for_its_source_and_for_a_while(void)
{
	static uint8_t hello[CORE_HELLO_MOST];
	struct muses_id other = { { 9 } };
	uint8_t cookie[16];
	enum core_retry_kind kind;
	size_t size;
	uint64_t asked;

	begin();
	h.mute = true;
	hostile_hello(&h, NULL);
	size = h.hello_size;
	memcpy(hello, h.hello, size);
	for (unsigned i = 0; i < 2001; i++)
		say_as(&h.node->id, h.hello, size);
	bench_run(&b, 100 * MUSES_MS);
	CU_ASSERT_TRUE_FATAL(core_retry_read(
		h.last + CORE_HEADER_BYTES, h.last_size - CORE_HEADER_BYTES,
		&h.victim->id, core_hello_mac1(hello, size), &kind, cookie));
	CU_ASSERT_EQUAL(kind, CORE_RETRY_COOKIE);
	core_hello_set_mac2(hello, size, cookie);
	asked = bench_counted(&b.node[0], "cookie asked for");
	say_as(&h.node->id, hello, size);
	CU_ASSERT_EQUAL(bench_counted(&b.node[0], "cookie asked for"), asked);
	say_as(&other, hello, size);
	CU_ASSERT_EQUAL(bench_counted(&b.node[0], "cookie asked for"), asked + 1);
	/* The last two secrets are good: 120 s each. */
	for (unsigned turn = 0; turn < 3; turn++) {
		bench_run(&b, SECONDS(121));
		for (unsigned i = 0; i < 2001; i++)
			say_as(&other, h.hello, size);
		asked = bench_counted(&b.node[0], "cookie asked for");
		say_as(&h.node->id, hello, size);
		CU_ASSERT_EQUAL(bench_counted(&b.node[0], "cookie asked for") - asked,
		                turn == 0 ? 0 : 1);
	}
	end();
}

/* ---- idle sessions and streams
 * ----------------------------------------------------------- */

static size_t allocated(void)
{
	return mallinfo2().uordblks;
}

/* A session as it is after a handshake, with somebody who is not there. */
static void make_session(uint32_t i)
{
	struct muses_id peer = { { 0 } };
	uint8_t secret[2][CORE_SECRET_SIZE] = { { 0 } }, id[CORE_SESSID_SIZE] = { 0 };
	struct core_traffic *t = muses_zalloc(sizeof(*t));
	struct core_session *s;

	memcpy(peer.bytes, &i, sizeof(i));
	memcpy(secret[0], &i, sizeof(i));
	memcpy(secret[1] + 4, &i, sizeof(i));
	s = core_session_new(victim(), &peer);
	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	s->suite = bench_suite();
	CU_ASSERT_EQUAL(core_traffic_open(t, s->suite, 0, CORE_FROM_LOWER, secret, id,
	                                  &b.node[0].id, &peer),
	                0);
	CU_ASSERT_EQUAL(core_session_install(s, secret[0], t, false), 0);
	CU_ASSERT_TRUE(core_session_set_index(s, i + 1));
}

static void closed(struct core_stream *s, void *user, enum core_reason reason)
{
	(void)user;
	(void)reason;
	core_stream_close(s);
}

static void nothing(struct core_stream *s, void *user)
{
	(void)s;
	(void)user;
}

static const struct core_stream_user user = { nothing, nothing, closed, NULL };

static void accept_it(void *owner, struct core_stream *s, const char *service)
{
	(void)owner;
	(void)service;
	core_stream_accept(s, &user, NULL);
}

static void an_idle_session_takes_at_most_8_kib(void)
{
	size_t before, each;
	struct core_pool_counts counts;

	bench_open(&b, 1);
	bench_add(&b, "bob", "{}", "{}");
	bench_start(&b.node[0]);
	make_session(5000); /* What the first one makes for all. */
	bench_run(&b, SECONDS(1));
	before = allocated();
	for (uint32_t i = 0; i < 1000; i++)
		make_session(i);
	bench_run(&b, SECONDS(1));
	each = (allocated() - before) / 1000;
	core_pool_counts(b.node[0].env.pool, &counts);
	tap_note("%zu bytes a session, contexts of the cipher included", each);
	if (each == 0)
		tap_skip("this allocator does not tell what is out");
	CU_ASSERT_EQUAL(core_sessions_count(victim()), 1001);
	CU_ASSERT_TRUE(each <= 8192);
	CU_ASSERT_EQUAL(counts.bytes_out, 0);
	CU_ASSERT_EQUAL(bench_close(&b), 0);
}

static void an_idle_stream_takes_at_most_2_kib(void)
{
	struct core_pool_counts counts;
	struct core_session *s;
	size_t before, each;

	bench_open(&b, 1);
	b.config.keystep_s = 0;
	bench_pair_of_nodes(&b);
	b.node[1].sessions->config.accept = accept_it;
	s = core_session_get(b.node[0].sessions, &b.node[1].id);
	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	core_stream_open(s, "x", 0, &user, NULL);
	bench_run(&b, SECONDS(2));
	before = allocated();
	for (int i = 0; i < 10000; i++)
		CU_ASSERT_PTR_NOT_NULL_FATAL(core_stream_open(s, "x", 0, &user, NULL));
	bench_run(&b, SECONDS(5));
	CU_ASSERT_EQUAL(b.node[1].sessions->stream_count, 10001);
	/* Both ends are in this process. */
	each = (allocated() - before) / 20000;
	tap_note("%zu bytes a stream", each);
	if (each == 0)
		tap_skip("this allocator does not tell what is out");
	CU_ASSERT_TRUE(each <= 2048);
	for (size_t i = 0; i < 2; i++) {
		core_pool_counts(b.node[i].env.pool, &counts);
		CU_ASSERT_EQUAL(counts.bytes_out, 0);
	}
	/* Nothing to do: nothing is said. */
	b.data_packets = b.rehello_packets = b.other_packets = 0;
	bench_run(&b, MINUTES(60 * 24));
	CU_ASSERT_EQUAL(b.data_packets + b.rehello_packets + b.other_packets, 0);
	core_session_close(s, CORE_REASON_SESSION_CLOSED);
	bench_run(&b, SECONDS(5));
	CU_ASSERT_EQUAL(b.node[0].sessions->stream_count, 0);
	CU_ASSERT_EQUAL(b.node[1].sessions->stream_count, 0);
	CU_ASSERT_EQUAL(bench_close(&b), 0);
}

static const struct tap_test tests[] = {
	{ "100,000 Hellos of strangers leave no trace",
	  a_hundred_thousand_hellos_of_strangers_leave_no_trace },
	{ "half-open handshakes are bounded in number and time",
	  half_open_handshakes_are_bounded_in_number_and_time },
	{ "an honest peer gets in under load, with a cookie",
	  an_honest_peer_gets_in_under_load_with_a_cookie },
	{ "a cookie is for its source and for a while",
	  a_cookie_is_for_its_source_and_for_a_while },
	{ "an idle session takes at most 8 KiB", an_idle_session_takes_at_most_8_kib },
	{ "an idle stream takes at most 2 KiB, and says nothing",
	  an_idle_stream_takes_at_most_2_kib },
	TAP_END,
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, "hostile_load", tests);
}
