/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What protocol.md 10 settles, point by point, on two or three whole nodes; the
 * hostile side of it is in t_hostile_*.c.
 */
#include "tests/bench.h"

#include "core/session_int.h"

#include <muses/identity.h>

#include <tests/tap.h>

static struct bench b;

static void close_bench(void)
{
	CU_ASSERT_EQUAL(b.sealed_twice, 0);
	CU_ASSERT_EQUAL(bench_close(&b), 0);
}

static struct core_session *session(size_t node)
{
	return bench_session(&b.node[node], &b.node[!node]);
}

static void cut(bool down)
{
	if (down)
		core_hub_break(b.hub, "bob", "alice");
	core_hub_cut(b.hub, "bob", "alice", down);
}

/* Without a last word. */
static void kill_and_start(struct bench_node *n)
{
	cut(true);
	bench_stop(n);
	bench_run(&b, SECONDS(1));
	cut(false);
	bench_start(n);
}

/* ---- 2: resume needs RS, Na and Nb alone, at any age ----------------------------------
 */

static void thirty_days_later_the_stream_goes_on(void)
{
	struct bench_pair *p;
	uint64_t operations;

	bench_open(&b, 2);
	b.config.keystep_s = 0;
	bench_pair_of_nodes(&b);
	p = bench_stream(&b, &b.node[0], &b.node[1], 200000, 100000);
	p->acceptor.read_most = 100;
	bench_run(&b, 5 * MUSES_MS);
	cut(true);
	bench_run(&b, DAYS(30));
	CU_ASSERT_EQUAL(core_session_state(session(0)), CORE_SESSION_SUSPENDED);
	CU_ASSERT_EQUAL(core_session_state(session(1)), CORE_SESSION_SUSPENDED);
	/* No traffic key is kept meanwhile. */
	for (size_t i = 0; i < CORE_GENERATIONS_MAX; i++)
		CU_ASSERT_PTR_NULL(session(0)->traffic[i]);
	operations = b.node[0].sessions->public_key_operations;
	cut(false);
	CU_ASSERT(bench_finish(&b, MINUTES(2)));
	CU_ASSERT_EQUAL(b.node[0].sessions->public_key_operations, operations);
	close_bench();
}

static void a_keystep_follows_each_resume(void)
{
	uint64_t operations;

	bench_open(&b, 2);
	bench_pair_of_nodes(&b);
	bench_stream(&b, &b.node[0], &b.node[1], 100, 100);
	CU_ASSERT(bench_finish(&b, SECONDS(5)));
	operations = b.node[0].sessions->public_key_operations;
	core_hub_break(b.hub, "bob", "alice");
	bench_run(&b, SECONDS(10));
	CU_ASSERT_TRUE(session(0)->resume.current > 0);
	CU_ASSERT_EQUAL(session(0)->resume.committed.number,
	                session(1)->resume.committed.number);
	CU_ASSERT_TRUE(session(0)->resume.committed.number > session(0)->resume.current);
	CU_ASSERT_TRUE(b.node[0].sessions->public_key_operations > operations);
	close_bench();
}

/* ---- 3: peer restarted, crossing handshakes
 * --------------------------------------------- */

static void restarted(bool noise)
{
	struct bench_pair *p, *q, *r;

	bench_open(&b, 3);
	if (noise)
		bench_use_noise(&b);
	bench_pair_of_nodes(&b);
	p = bench_stream(&b, &b.node[0], &b.node[1], 100, 100000);
	p->opener.paused = true;
	bench_run(&b, SECONDS(2));
	kill_and_start(&b.node[1]);
	bench_run(&b, MINUTES(2));
	CU_ASSERT_TRUE(p->opener.was_reset);
	CU_ASSERT_EQUAL(p->opener.reason, CORE_REASON_PEER_RESTARTED);
	q = bench_stream(&b, &b.node[0], &b.node[1], 1000, 1000);
	r = bench_stream(&b, &b.node[1], &b.node[0], 1000, 1000);
	bench_run(&b, SECONDS(10));
	CU_ASSERT_TRUE(bench_complete(q));
	CU_ASSERT_TRUE(bench_complete(r));
	close_bench();
}

static void streams_of_a_peer_that_restarted_are_reset_with_that_reason(void)
{
	restarted(false);
	restarted(true);
}

/* The new self begins the handshake, and its first packet opens the same number. */
static void a_number_used_again_after_a_restart_is_a_new_stream(void)
{
	struct bench_pair *old, *p;

	for (size_t who = 0; who < 2; who++) {
		bench_open(&b, 3);
		bench_pair_of_nodes(&b);
		old = bench_stream(&b, &b.node[who], &b.node[!who], 100, 100000);
		old->opener.paused = true;
		bench_run(&b, SECONDS(2));
		CU_ASSERT_PTR_NOT_NULL(old->acceptor.stream);
		kill_and_start(&b.node[who]);
		p = bench_stream(&b, &b.node[who], &b.node[!who], 1000, 1000);
		CU_ASSERT_EQUAL(core_stream_id(p->opener.stream) / 2, 0);
		bench_run(&b, SECONDS(20));
		CU_ASSERT_TRUE(bench_complete(p));
		CU_ASSERT_TRUE(old->acceptor.was_reset);
		CU_ASSERT_EQUAL(old->acceptor.reason, CORE_REASON_PEER_RESTARTED);
		/* At the first attempt, not taken for the old one. */
		CU_ASSERT_EQUAL(bench_counted(&b.node[!who], "beyond the window"), 0);
		CU_ASSERT_EQUAL(session(!who)->resumes, 2);
		close_bench();
	}
}

static void crossing(bool noise, uint64_t delay_ns)
{
	bench_open(&b, delay_ns);
	if (noise)
		bench_use_noise(&b);
	bench_with_relay(&b);
	core_hub_set(b.hub, NULL, NULL,
	             &(struct core_hub_weather){ .delay_ns = 5 * MUSES_MS });
	bench_run(&b, SECONDS(2));
	bench_stream(&b, &b.node[0], &b.node[1], 30000, 100);
	bench_run(&b, delay_ns);
	bench_stream(&b, &b.node[1], &b.node[0], 20000, 100);
	CU_ASSERT(bench_finish(&b, SECONDS(10)));
	CU_ASSERT_EQUAL(core_sessions_count(b.node[0].sessions), 1);
	CU_ASSERT_EQUAL(core_sessions_count(b.node[1].sessions), 1);
	CU_ASSERT_EQUAL(memcmp(session(0)->session_id, session(1)->session_id, 16), 0);
	close_bench();
}

static void handshakes_that_cross_end_in_one_session(void)
{
	for (uint64_t ms = 0; ms < 60; ms += 3) {
		crossing(false, ms * MUSES_MS);
		crossing(true, ms * MUSES_MS);
	}
}

/* ---- 5: verdicts
 * ---------------------------------------------------------------------------- */

static void give_up_s_closes_and_only_then(void)
{
	for (int patient = 0; patient < 2; patient++) {
		struct bench_pair *p;

		bench_open(&b, 5);
		if (!patient)
			b.reliability = "{\"plugin\":\"srm\",\"give_up_s\":60}";
		bench_pair_of_nodes(&b);
		p = bench_stream(&b, &b.node[0], &b.node[1], 100, 100000);
		p->opener.paused = true;
		bench_run(&b, SECONDS(2));
		cut(true);
		bench_run(&b, SECONDS(50));
		CU_ASSERT_FALSE(p->opener.was_reset);
		bench_run(&b, DAYS(2));
		CU_ASSERT_EQUAL(p->opener.was_reset, !patient);
		if (!patient)
			CU_ASSERT_EQUAL(p->opener.reason, CORE_REASON_GAVE_UP);
		close_bench();
	}
}

/* ---- 6: a silent tail is probed, never sent again
 * ---------------------------------------------- */

static void a_silent_tail_is_probed_by_ping(void)
{
	struct bench_pair *p;
	uint64_t bytes;

	bench_open(&b, 6);
	bench_with_relay(&b);
	p = bench_stream(&b, &b.node[0], &b.node[1], 10, 10);
	CU_ASSERT(bench_finish(&b, SECONDS(5)));
	p = bench_stream(&b, &b.node[0], &b.node[1], 30000, 10);
	bench_run(&b, 0);
	bytes = session(0)->bytes_sent;
	CU_ASSERT_TRUE(bytes > 30000);
	/* Nothing is lost here, only late. */
	core_hub_cut(b.hub, "alice", "relay", true);
	bench_run(&b, SECONDS(1) / 2);
	core_hub_cut(b.hub, "alice", "relay", false);
	CU_ASSERT(bench_finish(&b, SECONDS(20)));
	CU_ASSERT_TRUE(bench_complete(p));
	CU_ASSERT_TRUE(session(0)->bytes_sent < bytes + 10000);
	close_bench();
}

/* ---- 8: how long after a packet can travel
 * ------------------------------------------------------ */

static void data_flows_three_round_trips_after_the_link_is_up(void)
{
	struct bench_pair *p;
	uint64_t received;
	unsigned ms = 0;

	bench_open(&b, 8);
	bench_pair_of_nodes(&b);
	core_hub_set(b.hub, "bob", "alice",
	             &(struct core_hub_weather){ .delay_ns = 20 * MUSES_MS,
	                                         .rate_bits = 10000000 });
	p = bench_stream(&b, &b.node[0], &b.node[1], 20000000, 0);
	bench_run(&b, SECONDS(3));
	received = p->acceptor.received;
	CU_ASSERT_TRUE(received > 0);
	/* Down and up again at once: a new link, a Re-Hello, then data. */
	core_hub_break(b.hub, "bob", "alice");
	bench_run(&b, MUSES_MS);
	received = p->acceptor.received;
	core_links_network_changed(b.node[0].links, 0);
	while (p->acceptor.received == received && ms < 5000) {
		bench_run(&b, MUSES_MS);
		ms++;
	}
	tap_note("%u ms with a round trip of 40 ms", ms);
	CU_ASSERT_TRUE(ms < 6 * 40);
	CU_ASSERT(bench_finish(&b, MINUTES(5)));
	close_bench();
}

/* ---- 15: who is not known any more
 * ---------------------------------------------------------------- */

static void removing_a_peer_closes_its_sessions(void)
{
	struct bench_pair *p;
	struct bench_node *bob = &b.node[0];
	char text[300], why[300] = "";
	uint8_t seed[32] = { 7 }, key[32];
	json_t *object;

	bench_open(&b, 15);
	bench_use_noise(&b);
	bench_pair_of_nodes(&b);
	p = bench_stream(&b, &b.node[0], &b.node[1], 100, 100000);
	p->opener.paused = true;
	bench_run(&b, SECONDS(2));
	CU_ASSERT_EQUAL(muses_ed25519_public(seed, key), 0);
	muses_peer_text("somebody", key, text);
	folder_text(&b.folder, "peers", text, 0600);
	object = json_loads(bob->config, 0, NULL);
	CU_ASSERT_EQUAL(core_pipeline_reload(bob->pipeline, object, b.folder.path, why,
	                                     sizeof(why)),
	                0);
	json_decref(object);
	core_sessions_peers_changed(bob->sessions);
	CU_ASSERT_PTR_NULL(session(0));
	bench_run(&b, SECONDS(1));
	CU_ASSERT_TRUE(p->opener.was_reset);
	CU_ASSERT_TRUE(p->acceptor.was_reset);
	CU_ASSERT_EQUAL(p->acceptor.reason, CORE_REASON_SESSION_CLOSED);
	/* And it cannot come back. */
	core_session_get(b.node[1].sessions, &b.node[0].id);
	bench_run(&b, SECONDS(10));
	CU_ASSERT_PTR_NULL(session(0));
	close_bench();
}

/* ---- 4 (keys over time): steps before any limit
 * ------------------------------------------------- */

struct limits {
	uint64_t soft_packets, hard_packets, soft_bytes;
	uint32_t rekey_s;
	const char *what;
};

static void a_key_steps_before_any_limit(void)
{
	static const struct limits rows[] = {
		{ 5, 100, UINT64_MAX, 0, "packets" },
		{ UINT64_MAX, UINT64_MAX, 100000, 0, "bytes" },
		{ UINT64_MAX, UINT64_MAX, UINT64_MAX, 2, "time" },
	};
	struct muses_suite *suite = bench_suite(), before = *suite;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint32_t steps;

		bench_open(&b, i);
		b.config.rekey_s = rows[i].rekey_s > 0 ? rows[i].rekey_s : 100000;
		bench_with_relay(&b);
		suite->soft_packets = rows[i].soft_packets;
		suite->hard_packets = rows[i].hard_packets;
		suite->soft_bytes = rows[i].soft_bytes;
		core_hub_set(b.hub, NULL, NULL,
		             &(struct core_hub_weather){ .delay_ns = 5 * MUSES_MS,
		                                         .rate_bits = 2000000,
		                                         .reorder = 0.05 });
		bench_stream(&b, &b.node[0], &b.node[1], 4000000, 4000000);
		bench_run(&b, SECONDS(10));
		steps = session(0)->traffic[0]->send.step;
		TAP_NOTE_IF(steps < 2, "%s: %u steps", rows[i].what, (unsigned)steps);
		CU_ASSERT_TRUE(steps >= 2);
		CU_ASSERT(bench_finish(&b, MINUTES(2)));
		CU_ASSERT_EQUAL(bench_counted(&b.node[0], "could not seal"), 0);
		CU_ASSERT_EQUAL(bench_counted(&b.node[1], "not authentic"), 0);
		CU_ASSERT_EQUAL(b.rehello_packets, 0);
		*suite = before;
		/* The key before goes 5 s after the step. */
		bench_run(&b, SECONDS(6));
		CU_ASSERT_PTR_NULL(session(1)->traffic[0]->late);
		close_bench();
	}
}

static void too_many_forgeries_lead_to_new_keys_once(void)
{
	struct muses_suite *suite = bench_suite(), before = *suite;
	struct core_packet p = { .type = CORE_PACKET_DATA, .length = 40 };
	uint8_t forged[64] = { 0 };
	uint64_t questions;

	bench_open(&b, 9);
	b.config.keystep_s = 0;
	bench_pair_of_nodes(&b);
	suite->most_failed = 100;
	bench_stream(&b, &b.node[0], &b.node[1], 100, 100);
	CU_ASSERT(bench_finish(&b, SECONDS(5)));
	p.index = session(0)->index;
	for (unsigned i = 0; i < 5000; i++) {
		struct muses_buf *buf =
			core_buf_new(b.node[0].env.pool, 0, sizeof(forged));

		p.sequence = i * 10;
		core_packet_put(&p, forged);
		memcpy(muses_buf_append(buf, sizeof(forged)), forged, sizeof(forged));
		core_sessions_deliver(b.node[0].sessions, buf,
		                      &(struct muses_met){ .mtu = 2000 });
	}
	questions = session(0)->resume.asked;
	CU_ASSERT_EQUAL(questions, 1);
	bench_run(&b, SECONDS(2));
	CU_ASSERT_EQUAL(session(0)->resume.asked, 1);
	CU_ASSERT_TRUE(session(0)->resume.current > 0);
	CU_ASSERT_EQUAL(session(0)->traffic[0]->failed, 0);
	*suite = before;
	close_bench();
}

static const struct tap_test tests[] = {
	{ "2: thirty days later the stream goes on, without public keys",
	  thirty_days_later_the_stream_goes_on },
	{ "2: a KEYSTEP follows each resume", a_keystep_follows_each_resume },
	{ "3: streams of a peer that restarted are reset with that reason",
	  streams_of_a_peer_that_restarted_are_reset_with_that_reason },
	{ "3: a number used again after a restart is a new stream",
	  a_number_used_again_after_a_restart_is_a_new_stream },
	{ "3: handshakes that cross end in one session",
	  handshakes_that_cross_end_in_one_session },
	{ "5: give_up_s closes, and nothing else does", give_up_s_closes_and_only_then },
	{ "6: a silent tail is probed, not sent again", a_silent_tail_is_probed_by_ping },
	{ "8: data flows soon after the link is up",
	  data_flows_three_round_trips_after_the_link_is_up },
	{ "15: removing a peer closes its sessions",
	  removing_a_peer_closes_its_sessions },
	{ "a key steps before any limit", a_key_steps_before_any_limit },
	{ "too many forgeries lead to new keys, once",
	  too_many_forgeries_lead_to_new_keys_once },
	TAP_END,
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, "settled", tests);
}
