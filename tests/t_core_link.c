/* SPDX-License-Identifier: Apache-2.0 */
#include "core/linkhello.h"

#include "tests/net.h"
#include "tests/tap.h"

#include <stdio.h>
#include <stdlib.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- what passes over the wire, to look at and to send again ------------------------
 */

struct packet {
	char from[16], to[16];
	uint8_t data[600];
	size_t size;
};

static struct packet seen[256];
static size_t seen_count;

static void record(void *user, const char *from, const char *to, const uint8_t *data,
                   size_t size)
{
	struct packet *p = &seen[seen_count];

	(void)user;
	if (seen_count == COUNT(seen) || size > sizeof(p->data))
		return;
	seen_count++;
	snprintf(p->from, sizeof(p->from), "%s", from);
	snprintf(p->to, sizeof(p->to), "%s", to);
	memcpy(p->data, data, size);
	p->size = size;
}

static const struct packet *find(const char *from, enum core_frame type)
{
	for (size_t i = 0; i < seen_count; i++)
		if (strcmp(seen[i].from, from) == 0 && seen[i].data[0] == type)
			return &seen[i];
	return NULL;
}

static void watch_wire(struct net *net)
{
	seen_count = 0;
	core_hub_tap(net->hub, record, NULL);
}

/* ---- proving
 * --------------------------------------------------------------------------- */

static void a_link_costs_one_round_trip(void)
{
	struct core_hub_weather far = { .delay_ns = 100 * MUSES_MS };
	struct net net;
	struct net_node *a, *b;

	net_open(&net, 1);
	core_hub_set(net.hub, NULL, NULL, &far);
	b = net_add(&net, "bob", NULL, NULL);
	a = net_add(&net, "alice", "{'bob': 'bob'}", NULL);
	/* Connecting takes 200 ms; hellos and proofs as much. */
	net_run(&net, 399);
	CU_ASSERT(!net_linked(a, b));
	net_run(&net, 2);
	CU_ASSERT(net_linked(a, b));
	CU_ASSERT_EQUAL(net_send(a, b, "with the proof"), 0);
	net_run(&net, 100);
	CU_ASSERT_STRING_EQUAL(b->inbox, "alice:with the proof ");
	net_close(&net);
}

/* Lose the first frame of that type by that node, and keep it. */
struct swallow {
	struct net *net;
	const char *from;
	enum core_frame type;
	uint8_t frame[600];
	size_t size;
};

static void swallow(void *user, const char *from, const char *to, const uint8_t *data,
                    size_t size)
{
	struct swallow *s = user;
	struct core_hub_weather w = core_hub_weather_of(s->net->hub, from, to);

	if (s->size > 0 || strcmp(from, s->from) != 0 || data[0] != s->type)
		return;
	memcpy(s->frame, data, size);
	s->size = size;
	w.loss = 1;
	core_hub_set_way(s->net->hub, from, to, &w);
}

/* One link between alice and bob; instead of the frame of that type by one of them
 * the other gets one with byte at changed.  at behind the end: an unchanged one.
 * Is the receiver linked in the end? */
static bool link_with_change(enum core_frame type, bool from_alice, size_t at)
{
	struct core_hub_weather w = { .delay_ns = 10 * MUSES_MS };
	struct net net;
	struct swallow s = { .net = &net,
		             .from = from_alice ? "alice" : "bob",
		             .type = type };
	struct net_node *a, *b, *receiver;
	bool linked;

	net_open(&net, 7);
	core_hub_set(net.hub, NULL, NULL, &w);
	core_hub_tap(net.hub, swallow, &s);
	b = net_add(&net, "bob", NULL, NULL);
	a = net_add(&net, "alice", "{'bob': 'bob'}", NULL);
	receiver = from_alice ? b : a;
	while (s.size == 0)
		core_loop_turn(net.loop, UINT64_MAX);
	if (at < s.size)
		s.frame[at] ^= 0x20;
	w.refuse = true; /* Nobody gets a second chance. */
	core_hub_set(net.hub, "alice", "bob", &w);
	CU_ASSERT(core_hub_inject(net.hub, s.from, receiver->name, s.frame, s.size));
	net_run(&net, 100);
	linked = net_linked(receiver, from_alice ? a : b);
	net_close(&net);
	return linked;
}

static void a_changed_hello_or_proof_makes_no_link(void)
{
	static const enum core_frame type[] = { CORE_FRAME_HELLO, CORE_FRAME_PROOF };

	for (size_t t = 0; t < COUNT(type); t++)
		for (int from_alice = 0; from_alice < 2; from_alice++) {
			size_t size =
				type[t] == CORE_FRAME_HELLO ? CORE_HELLO_BYTES : 3 + 32;

			/* Byte 0 is the frame's type: another one is another frame, which
			 * is dropped alone. */
			for (size_t at = 1; at <= size; at++) {
				bool linked = link_with_change(type[t], from_alice, at);

				TAP_NOTE_IF(linked != (at == size), "%s of %s, byte %zu",
				            t == 0 ? "hello" : "proof",
				            from_alice ? "alice" : "bob", at);
				CU_ASSERT_EQUAL(linked, at == size);
			}
		}
}

static void a_proof_is_worth_nothing_elsewhere(void)
{
	struct net net;
	struct net_node *a, *b;
	struct packet hello, proof;

	net_open(&net, 1);
	watch_wire(&net);
	b = net_add(&net, "bob", NULL, NULL);
	a = net_add(&net, "alice", "{'bob': 'bob'}", NULL);
	net_run(&net, 100);
	CU_ASSERT(net_linked(b, a));
	hello = *find("alice", CORE_FRAME_HELLO);
	proof = *find("alice", CORE_FRAME_PROOF);
	net_stop(a);
	net_run(&net, 100);
	CU_ASSERT(!net_linked(b, a));
	/* Mallory dials bob and plays what alice said. */
	{
		struct net_node *m = net_make(&net, "mallory", "{'bob': 'bob'}", NULL);

		watch_wire(&net);
		m->stranger = true;
		CU_ASSERT_EQUAL(net_start(m), 0);
		while (find("bob", CORE_FRAME_HELLO) == NULL)
			core_loop_turn(net.loop, UINT64_MAX);
		CU_ASSERT(core_hub_inject(net.hub, "mallory", "bob", hello.data,
		                          hello.size));
		CU_ASSERT(core_hub_inject(net.hub, "mallory", "bob", proof.data,
		                          proof.size));
		net_run(&net, 100);
		CU_ASSERT(!net_linked(b, a));
		CU_ASSERT(!net_linked(b, m));
	}
	net_close(&net);
}

static void a_proof_turned_round_is_refused(void)
{
	uint8_t one[CORE_HELLO_BYTES] = { 1 }, two[CORE_HELLO_BYTES] = { 2 };
	uint8_t dialler[CORE_TRANSCRIPT_BYTES], listener[CORE_TRANSCRIPT_BYTES];

	core_transcript_write(CORE_DIALLER, one, two, dialler);
	core_transcript_write(CORE_LISTENER, one, two, listener);
	CU_ASSERT_NOT_EQUAL(memcmp(dialler, listener, sizeof(dialler)), 0);
	core_transcript_write(CORE_LISTENER, two, one, dialler);
	CU_ASSERT_NOT_EQUAL(memcmp(dialler, listener, sizeof(dialler)), 0);
}

static void strangers_do_not_link(void)
{
	static const struct {
		const char *what;
		bool stranger, may, any, linked;
	} row[] = {
		{ "a neighbour", false, true, false, true },
		{ "another secret", true, true, false, false },
		{ "not a neighbour", false, false, false, false },
		{ "not a neighbour, but all are welcome", false, false, true, true },
		{ "all are welcome, but not with another secret", true, false, true,
		  false },
	};

	for (size_t i = 0; i < COUNT(row); i++) {
		struct net net;
		struct net_node *a, *b;

		net_open(&net, 1);
		net.links.any_neighbour = row[i].any;
		b = net_add(&net, "bob", NULL, NULL);
		b->quiet_may_link = !row[i].may;
		a = net_make(&net, "alice", "{'bob': 'bob'}", NULL);
		a->stranger = row[i].stranger;
		CU_ASSERT_EQUAL(net_start(a), 0);
		net_run(&net, 1000);
		TAP_NOTE_IF(net_linked(b, a) != row[i].linked, "%s", row[i].what);
		CU_ASSERT_EQUAL(net_linked(b, a), row[i].linked);
		CU_ASSERT_EQUAL(net_linked(a, b), row[i].linked);
		net_close(&net);
	}
}

static void a_node_named_by_a_route_may_link(void)
{
	struct net net;
	struct net_node *a, *b;

	net_open(&net, 1);
	b = net_make(&net, "bob", NULL, "{'*': 'alice'}");
	b->quiet_may_link = true;
	CU_ASSERT_EQUAL(net_start(b), 0);
	a = net_add(&net, "alice", "{'bob': 'bob'}", NULL);
	net_run(&net, 100);
	CU_ASSERT(net_linked(b, a));
	net_close(&net);
}

static void overlays_do_not_mix(void)
{
	struct net net;
	struct net_node *a, *b;

	net_open(&net, 1);
	b = net_add(&net, "bob", NULL, NULL);
	net.links.overlay_id[3] = 1;
	a = net_add(&net, "alice", "{'bob': 'bob'}", NULL);
	net_run(&net, 1000);
	CU_ASSERT(!net_linked(a, b));
	CU_ASSERT(net_count(b, "link", "hello from another overlay") > 0);
	net_close(&net);
}

static void another_node_at_an_address_is_not_taken(void)
{
	struct net net;
	struct net_node *a, *b, *c;

	net_open(&net, 1);
	b = net_add(&net, "bob", NULL, NULL);
	a = net_add(&net, "alice", "{'carol': 'bob'}", NULL);
	c = net_add(&net, "carol", NULL, NULL);
	net_run(&net, 1000);
	CU_ASSERT(!net_linked(a, b));
	CU_ASSERT(!net_linked(a, c));
	CU_ASSERT(net_count(a, "link", "another node answers there") > 0);
	net_close(&net);
}

static void a_node_does_not_link_with_itself(void)
{
	struct net net;
	struct net_node *a, *b;

	net_open(&net, 1);
	a = net_make(&net, "alice", "{'alice': 'alice'}", NULL);
	core_log_set_level(a->env.log, MUSES_ERROR);
	CU_ASSERT_EQUAL(net_start(a), MUSES_ECONFIG);
	/* And under another name: bob's address leads back to bob. */
	b = net_add(&net, "bob", "{'carol': 'bob'}", NULL);
	net_run(&net, 1000);
	CU_ASSERT_EQUAL(core_links_proven(b->links), 0);
	CU_ASSERT(net_count(b, "link", "the peer is ourselves") > 0);
	net_close(&net);
}

static void an_unknown_name_is_refused_at_start(void)
{
	struct net net;
	struct net_node *a;

	net_open(&net, 1);
	a = net_make(&net, "alice", "{'nobody': 'bob'}", NULL);
	core_log_set_level(a->env.log, MUSES_ERROR);
	CU_ASSERT_EQUAL(net_start(a), MUSES_EUNKNOWN);
	net_close(&net);
}

static void a_name_that_is_learnt_later_is_dialled_then(void)
{
	static const char *const bob[] = { "bob", NULL };
	struct net net;
	struct net_node *a, *b;

	net_open(&net, 1);
	net.unknown = bob;
	b = net_add(&net, "bob", NULL, NULL);
	a = net_add(&net, "alice", "{'bob': 'bob'}", NULL);
	net_run(&net, 2000);
	CU_ASSERT(!net_linked(a, b));
	net.unknown = NULL;
	net_run(&net, 4000);
	CU_ASSERT(net_linked(a, b));
	net_close(&net);
}

/* ---- one link a neighbour ------------------------------------------------------------
 */

/* Is a's link one that a dialled? */
static bool dialled(const struct net_node *a)
{
	json_t *array = core_links_info(a->links);
	bool yes = json_is_true(json_object_get(json_array_get(array, 0), "dialled"));

	json_decref(array);
	return yes;
}

static void of_crossing_dials_the_lower_ids_survives(void)
{
	struct core_hub_weather far = { .delay_ns = 50 * MUSES_MS };
	struct net net;
	struct net_node *a, *b;
	bool a_lower;

	net_open(&net, 1);
	core_hub_set(net.hub, NULL, NULL, &far);
	a = net_make(&net, "alice", "{'bob': 'bob'}", NULL);
	b = net_make(&net, "bob", "{'alice': 'alice'}", NULL);
	a_lower = muses_id_compare(&a->id, &b->id) < 0;
	/* The lower one dials a little earlier: its link is the older one. */
	CU_ASSERT_EQUAL(net_start(a_lower ? a : b), 0);
	net_run(&net, 10);
	CU_ASSERT_EQUAL(net_start(a_lower ? b : a), 0);
	net_run(&net, 1000);
	CU_ASSERT_EQUAL(dialled(a), a_lower);
	CU_ASSERT_EQUAL(dialled(b), !a_lower);
	net_close(&net);
}

static void crossing_dials_end_in_one_link(void)
{
	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct core_hub_weather far = { .delay_ns = 50 * MUSES_MS,
			                        .jitter_ns = 20 * MUSES_MS };
		struct net net;
		struct net_node *a, *b;
		size_t linked;

		net_open(&net, seed);
		core_hub_set(net.hub, NULL, NULL, &far);
		a = net_make(&net, "alice", "{'bob': 'bob'}", NULL);
		b = net_make(&net, "bob", "{'alice': 'alice'}", NULL);
		CU_ASSERT_EQUAL(net_start(a), 0);
		net_run(&net, seed % 7 * 10);
		CU_ASSERT_EQUAL(net_start(b), 0);
		net_run(&net, 1000);
		linked = core_hub_counts(net.hub).ends / 2;
		TAP_NOTE_IF(linked != 1, "seed %u: %zu links", (unsigned)seed, linked);
		CU_ASSERT_EQUAL(linked, 1);
		CU_ASSERT(net_linked(a, b));
		CU_ASSERT(net_linked(b, a));
		a->events[0] = b->events[0] = '\0';
		/* And it stays: no dials, no replacements. */
		net_run(&net, 60000);
		CU_ASSERT_EQUAL(core_hub_counts(net.hub).ends, 2);
		CU_ASSERT_STRING_EQUAL(a->events, "");
		CU_ASSERT_STRING_EQUAL(b->events, "");
		CU_ASSERT_EQUAL(net_send(a, b, "x"), 0);
		CU_ASSERT_EQUAL(net_send(b, a, "y"), 0);
		net_run(&net, 200);
		CU_ASSERT_STRING_EQUAL(b->inbox, "alice:x ");
		CU_ASSERT_STRING_EQUAL(a->inbox, "bob:y ");
		net_close(&net);
	}
}

/* Alice's wire goes silent; she dials anew, and bob must follow at once although
 * the old link has not timed out. */
static void a_newer_link_replaces_the_older(void)
{
	struct net net;
	struct net_node *a, *b;

	net_open(&net, 1);
	b = net_add(&net, "bob", NULL, NULL);
	a = net_add(&net, "alice", "{'bob': 'bob'}", NULL);
	net_run(&net, 100);
	CU_ASSERT(net_linked(b, a));
	CU_ASSERT_EQUAL(net_send(b, a, "before"), 0);
	net_run(&net, 10);
	/* Her end breaks during a cut: bob is not told. */
	core_hub_cut(net.hub, "alice", "bob", true);
	core_links_network_changed(a->links, 0);
	net_run(&net, 2100); /* The ping of the change finds nobody. */
	CU_ASSERT(!net_linked(a, b));
	CU_ASSERT(net_linked(b, a));
	core_hub_cut(net.hub, "alice", "bob", false);
	core_links_network_changed(a->links, 0);
	net_run(&net, 50);
	CU_ASSERT(net_linked(a, b));
	CU_ASSERT_EQUAL(core_hub_counts(net.hub).ends, 2);
	CU_ASSERT_EQUAL(net_send(b, a, "after"), 0);
	net_run(&net, 10);
	CU_ASSERT_STRING_EQUAL(a->inbox, "bob:before bob:after ");
	net_close(&net);
}

/* ---- life and death
 * -------------------------------------------------------------------- */

static void a_silent_link_is_asked_and_then_down(void)
{
	struct net net;
	struct net_node *a, *b;

	net_open(&net, 1);
	b = net_add(&net, "bob", NULL, NULL);
	a = net_add(&net, "alice", "{'bob': 'bob'}", NULL);
	net_run(&net, 60000);
	CU_ASSERT(net_linked(a, b));
	core_hub_cut(net.hub, "alice", "bob", true);
	net_run(&net, 2500);
	CU_ASSERT(net_linked(a, b));
	net_run(&net, 3000);
	CU_ASSERT(!net_linked(a, b));
	CU_ASSERT(!net_linked(b, a));
	net_close(&net);
}

static void traffic_alone_keeps_a_link_up(void)
{
	struct net net;
	struct net_node *a, *b;

	net_open(&net, 1);
	b = net_add(&net, "bob", NULL, NULL);
	a = net_add(&net, "alice", "{'bob': 'bob'}", NULL);
	net_run(&net, 100);
	watch_wire(&net);
	for (int i = 0; i < 50; i++) {
		CU_ASSERT_EQUAL(net_send(a, b, "x"), 0);
		CU_ASSERT_EQUAL(net_send(b, a, "y"), 0);
		net_run(&net, 1000);
	}
	CU_ASSERT_PTR_NULL(find("alice", CORE_FRAME_PING));
	CU_ASSERT_PTR_NULL(find("bob", CORE_FRAME_PING));
	net_close(&net);
}

/* The peer lives, and pings, but takes nothing: only one direction is cut. */
static void a_queue_that_does_not_move_is_down(void)
{
	struct core_hub_weather cut = { .cut = true };
	struct net net;
	struct net_node *a, *b;

	net_open(&net, 1);
	net.links.dead_ms = 60000;
	b = net_add(&net, "bob", NULL, NULL);
	net.links.dead_ms = 3000;
	a = net_add(&net, "alice", "{'bob': 'bob'}", NULL);
	net_run(&net, 100);
	core_hub_set_way(net.hub, "alice", "bob", &cut);
	CU_ASSERT_EQUAL(net_send(a, b, "stays"), 0);
	for (int i = 0; i < 12 && net_linked(a, b); i++) {
		net_send(b, a, "alive");
		net_run(&net, 1000);
	}
	CU_ASSERT_EQUAL(net_count(a, "link", "the queue does not move"), 1);
	CU_ASSERT(!net_linked(a, b));
	net_close(&net);
}

static void redialling_backs_off_and_starts_anew(void)
{
	struct core_hub_weather refuse = { .refuse = true }, fine = { .delay_ns = 0 };
	struct net net;
	struct net_node *a, *b;
	uint64_t before;

	net_open(&net, 1);
	b = net_add(&net, "bob", NULL, NULL);
	a = net_add(&net, "alice", "{'bob': 'bob'}", NULL);
	net_run(&net, 5000);
	CU_ASSERT(net_linked(a, b));
	core_hub_set(net.hub, "alice", "bob", &refuse);
	CU_ASSERT_EQUAL(core_hub_break(net.hub, "alice", "bob"), 1);
	net_run(&net, 10 * 60 * 1000);
	before = net_count(a, "link", "refused");
	/* 0.1 + 0.2 + ... + 25.6 s, then every 30 s: some 28. */
	TAP_NOTE_IF(before < 20 || before > 40, "%u dials in ten minutes",
	            (unsigned)before);
	CU_ASSERT(before >= 20 && before <= 40);
	/* In a hurry: never more than a second. */
	core_links_hurry(a->links, true);
	net_run(&net, 10 * 1000);
	TAP_NOTE_IF(net_count(a, "link", "refused") < before + 8, "%u dials in a hurry",
	            (unsigned)(net_count(a, "link", "refused") - before));
	CU_ASSERT(net_count(a, "link", "refused") >= before + 8);
	core_links_hurry(a->links, false);
	net_run(&net, 60 * 1000);
	core_hub_set(net.hub, "alice", "bob", &fine);
	core_links_network_changed(a->links, 0);
	net_run(&net, 10);
	CU_ASSERT(net_linked(a, b));
	net_close(&net);
}

static void a_broken_link_is_redialled_at_once(void)
{
	struct net net;
	struct net_node *a, *b;

	net_open(&net, 1);
	b = net_add(&net, "bob", NULL, NULL);
	a = net_add(&net, "alice", "{'bob': 'bob'}", NULL);
	net_run(&net, 5000);
	CU_ASSERT_EQUAL(core_hub_break(net.hub, "alice", "bob"), 1);
	net_run(&net, 1);
	CU_ASSERT(net_linked(a, b));
	net_close(&net);
}

static void the_next_address_is_tried(void)
{
	struct net net;
	struct net_node *a, *b;

	net_open(&net, 1);
	b = net_add(&net, "bob", NULL, NULL);
	a = net_add(&net, "alice", "{'bob': ['gone', 'moved', 'bob']}", NULL);
	net_run(&net, 50);
	CU_ASSERT(net_linked(a, b));
	net_close(&net);
}

/* ---- hostile frames
 * --------------------------------------------------------------------- */

static void bad_frames_are_dropped_and_the_sixteenth_ends_it(void)
{
	static const struct {
		uint8_t data[40];
		size_t size;
		const char *counted;
	} row[] = {
		{ { 99 }, 1, "unknown frame type" },
		{ { 0 }, 40, "unknown frame type" },
		{ { CORE_FRAME_PING }, 1, "control frame too short" },
		{ { CORE_FRAME_BYE }, 24, "control frame too short" },
		{ { CORE_FRAME_PONG }, 25, "control frame replayed" },
		{ { CORE_FRAME_BYE, 0, 0, 0, 0, 0, 0, 9, 9 },
		  26,
		  "control frame not authentic" },
		{ { CORE_FRAME_CONTROL, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff },
		  40,
		  "control frame not authentic" },
	};

	for (size_t i = 0; i < COUNT(row); i++) {
		struct net net;
		struct net_node *a, *b;

		net_open(&net, 1);
		b = net_add(&net, "bob", NULL, NULL);
		a = net_add(&net, "alice", "{'bob': 'bob'}", NULL);
		net_run(&net, 100);
		for (int n = 1; n < 16; n++) {
			core_hub_inject(net.hub, "alice", "bob", row[i].data,
			                row[i].size);
			net_run(&net, 1);
			TAP_NOTE_IF(!net_linked(b, a), "row %zu: gone after %d", i, n);
			CU_ASSERT(net_linked(b, a));
		}
		CU_ASSERT_EQUAL(net_count(b, "link", row[i].counted), 15);
		core_hub_inject(net.hub, "alice", "bob", row[i].data, row[i].size);
		net_run(&net, 0);
		CU_ASSERT_EQUAL(net_count(b, "link", "too many bad frames"), 1);
		net_close(&net);
	}
}

static void a_control_frame_counts_once(void)
{
	struct net net;
	struct net_node *a, *b;
	const struct packet *ping;

	net_open(&net, 1);
	watch_wire(&net);
	b = net_add(&net, "bob", NULL, NULL);
	a = net_add(&net, "alice", "{'bob': 'bob'}", NULL);
	net_run(&net, 2500);
	ping = find("alice", CORE_FRAME_PING);
	if (ping == NULL)
		ping = find("alice", CORE_FRAME_PONG);
	CU_ASSERT_PTR_NOT_NULL_FATAL(ping);
	core_hub_inject(net.hub, "alice", "bob", ping->data, ping->size);
	net_run(&net, 1);
	CU_ASSERT_EQUAL(net_count(b, "link", "control frame replayed"), 1);
	/* Nor does it count in the other direction. */
	core_hub_inject(net.hub, "bob", "alice", ping->data, ping->size);
	net_run(&net, 1);
	CU_ASSERT_EQUAL(net_count(a, "link", "control frame replayed") +
	                        net_count(a, "link", "control frame not authentic"),
	                1);
	net_close(&net);
}

static void data_before_the_proof_goes_nowhere(void)
{
	struct net net;
	struct net_node *a, *b;
	uint8_t frame[100] = { CORE_FRAME_DATA, 1, 16 };

	net_open(&net, 1);
	b = net_add(&net, "bob", NULL, NULL);
	a = net_make(&net, "alice", "{'bob': 'bob'}", NULL);
	a->stranger = true;
	watch_wire(&net);
	CU_ASSERT_EQUAL(net_start(a), 0);
	while (find("bob", CORE_FRAME_HELLO) == NULL)
		core_loop_turn(net.loop, UINT64_MAX);
	memcpy(frame + 1 + 8, b->id.bytes, 32);
	CU_ASSERT(core_hub_inject(net.hub, "alice", "bob", frame, sizeof(frame)));
	net_run(&net, 1);
	CU_ASSERT_EQUAL(b->delivered, 0);
	CU_ASSERT_EQUAL(net_count(b, "link", "data before proof"), 1);
	net_close(&net);
}

static void links_that_prove_nothing_make_room(void)
{
	struct core_hub_weather fine = { .delay_ns = 0 };
	struct net net;
	struct net_node *b, *mute[6], *a;

	net_open(&net, 1);
	net.links.most = 8;
	net.links.hello_ms = 60000;
	b = net_add(&net, "bob", NULL, NULL);
	/* Half of eight may be unproven; more push the oldest out. */
	core_hub_set(net.hub, NULL, NULL, &fine);
	for (size_t i = 0; i < COUNT(mute); i++) {
		struct core_hub_weather deaf = { .delay_ns = 0 };
		char name[16];

		snprintf(name, sizeof(name), "mute%zu", i);
		mute[i] = net_make(&net, name, "{'bob': 'bob'}", NULL);
		/* What they say is lost; bob waits for their hello. */
		deaf.loss = 1;
		core_hub_set_way(net.hub, name, "bob", &deaf);
		CU_ASSERT_EQUAL(net_start(mute[i]), 0);
		net_run(&net, 10);
	}
	CU_ASSERT(net_count(b, "link", "made room for a newer one") >= 2);
	a = net_add(&net, "alice", "{'bob': 'bob'}", NULL);
	net_run(&net, 10);
	CU_ASSERT(net_linked(a, b));
	net_close(&net);
}

/* One source floods; somebody else, who is slow, is not pushed out. */
static void a_flood_pushes_out_its_own(void)
{
	struct core_hub_weather deaf = { .loss = 1 },
				far = { .delay_ns = 100 * MUSES_MS };
	struct net net;
	struct net_node *b, *a, *m;
	char dial[1200] = "{";

	net_open(&net, 1);
	net.links.most = 64;
	b = net_add(&net, "bob", NULL, NULL);
	/* Mallory dials bob under forty names and never says who she is. */
	for (int i = 0; i < 40; i++)
		snprintf(dial + strlen(dial), sizeof(dial) - strlen(dial),
		         "%s'n%d': 'bob'", i > 0 ? ", " : "", i);
	snprintf(dial + strlen(dial), sizeof(dial) - strlen(dial), "}");
	core_hub_set_way(net.hub, "mallory", "bob", &deaf);
	m = net_make(&net, "mallory", dial, NULL);
	core_hub_set(net.hub, "alice", "bob", &far);
	a = net_add(&net, "alice", "{'bob': 'bob'}", NULL);
	net_run(&net, 210); /* Alice is connected, and has proven nothing. */
	CU_ASSERT_EQUAL(net_start(m), 0);
	net_run(&net, 1);
	CU_ASSERT_EQUAL(net_count(b, "link", "made room for a newer one"), 36);
	net_run(&net, 500);
	CU_ASSERT(net_linked(a, b));
	net_close(&net);
}

/* Bob reads nothing; what waits for him must not keep the relay from carol. */
static void one_deaf_neighbour_does_not_take_all_memory(void)
{
	struct core_hub_weather cut = { .cut = true };
	struct net net;
	struct net_node *r, *a, *b, *c;

	net_open(&net, 1);
	r = net_add(&net, "relay", NULL, NULL);
	core_pool_set_bound(r->env.pool, 1 << 20);
	b = net_add(&net, "bob", "{'relay': 'relay'}", NULL);
	c = net_add(&net, "carol", "{'relay': 'relay'}", NULL);
	a = net_add(&net, "alice", "{'relay': 'relay'}", "{'*': 'relay'}");
	net_run(&net, 100);
	core_hub_set_way(net.hub, "relay", "bob", &cut);
	for (int i = 0; i < 200; i++) {
		struct muses_buf *p = core_buf_new(a->env.pool, MUSES_HEADROOM, 15000);

		memset(muses_buf_append(p, 15000), 'x', 15000);
		core_overlay_ops(&a->pipeline)->send(&a->overlay, &b->id, p);
		CU_ASSERT_EQUAL(net_send(a, c, "c"), 0);
		net_run(&net, 1);
	}
	CU_ASSERT_EQUAL(c->delivered, 200);
	CU_ASSERT_EQUAL(core_hub_counts(net.hub).no_buffer, 0);
	CU_ASSERT(net_count(r, "link", "dropped: queue full") > 100);
	net_close(&net);
}

/* ---- weather
 * ----------------------------------------------------------------------------- */

/* Frames that were really sent, changed and put between the others, on links that
 * come and go: whatever happens, nobody is fooled and nothing is left behind. */
static void random_frames_fool_nobody(void)
{
	for (uint64_t seed = 1; seed <= 5; seed++) {
		struct core_rand *dice = core_rand_open(seed);
		struct net net;
		struct net_node *a, *b;

		net_open(&net, seed);
		watch_wire(&net);
		b = net_add(&net, "bob", NULL, NULL);
		a = net_add(&net, "alice", "{'bob': 'bob'}", NULL);
		for (int i = 0; i < 3000; i++) {
			const struct packet *p =
				&seen[core_rand_below(dice, seen_count + 1)];
			uint8_t frame[600];
			size_t size = core_rand_below(dice, 200);

			if (p < &seen[seen_count]) {
				size = p->size - core_rand_below(dice, 2);
				memcpy(frame, p->data, size);
				frame[core_rand_below(dice, size)] ^=
					(uint8_t)core_rand_below(dice, 256);
			} else if (core_rand_bytes(dice, frame, size) == 0 && size > 0) {
				frame[0] &= 7;
			}
			if (core_rand_below(dice, 2) == 0)
				core_hub_inject(net.hub, "alice", "bob", frame, size);
			else
				core_hub_inject(net.hub, "bob", "alice", frame, size);
			if (i % 100 == 0 && net_linked(a, b))
				net_send(a, b, "x");
			net_run(&net, core_rand_below(dice, 30));
		}
		/* The storm is over: they find each other. */
		net_run(&net, 60000);
		CU_ASSERT(net_linked(a, b));
		CU_ASSERT(net_linked(b, a));
		core_rand_close(dice);
		net_close(&net);
	}
}

static void links_come_up_on_lossy_wires(void)
{
	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct core_hub_weather bad = { .delay_ns = 20 * MUSES_MS,
			                        .jitter_ns = 10 * MUSES_MS,
			                        .loss = 0.3,
			                        .reorder = 0.2,
			                        .duplicate = 0.2 };
		struct net net;
		struct net_node *a, *b;

		net_open(&net, seed);
		core_hub_set(net.hub, NULL, NULL, &bad);
		b = net_add(&net, "bob", NULL, NULL);
		a = net_add(&net, "alice", "{'bob': 'bob'}", NULL);
		net_run(&net, 5000);
		TAP_NOTE_IF(!net_linked(a, b) || !net_linked(b, a), "seed %u",
		            (unsigned)seed);
		CU_ASSERT(net_linked(a, b));
		CU_ASSERT(net_linked(b, a));
		CU_ASSERT_EQUAL(net_send(a, b, "x"), 0);
		net_run(&net, 1000);
		CU_ASSERT(b->delivered == 0 || b->met.lossy);
		net_close(&net);
	}
}

static void a_full_queue_is_told_and_so_is_its_end(void)
{
	struct core_hub_weather slow = { .rate_bits = 8000000 }; /* 1 MB/s. */
	const struct muses_overlay_ops *ops;
	struct net net;
	struct net_node *a, *b;
	int sent = 0, marked;

	net_open(&net, 1);
	net.links.queue_bytes = 100000;
	core_hub_set(net.hub, NULL, NULL, &slow);
	b = net_add(&net, "bob", NULL, NULL);
	a = net_add(&net, "alice", "{'bob': 'bob'}", NULL);
	net_run(&net, 100);
	a->events[0] = '\0';
	ops = core_overlay_ops(&a->pipeline);
	while (ops->writable(&a->overlay, &b->id) && sent < 1000) {
		struct muses_buf *p = core_buf_new(a->env.pool, MUSES_HEADROOM, 1000);

		memset(muses_buf_append(p, 1000), 'x', 1000);
		CU_ASSERT_EQUAL(ops->send(&a->overlay, &b->id, p), 0);
		sent++;
	}
	CU_ASSERT(sent > 80 && sent < 120);
	CU_ASSERT_EQUAL(net_send(a, b, "x"), MUSES_EAGAIN);
	CU_ASSERT_PTR_NULL(strstr(a->events, "writable"));
	net_run(&net, 10);
	marked = b->met.congested;
	net_run(&net, 70);
	CU_ASSERT_PTR_NOT_NULL(strstr(a->events, "writable"));
	CU_ASSERT(ops->writable(&a->overlay, &b->id));
	net_run(&net, 200);
	CU_ASSERT_EQUAL(b->delivered, (uint64_t)sent);
	/* The first ones went into an empty queue, the last into a long one. */
	CU_ASSERT(!marked);
	CU_ASSERT(b->met.congested);
	net_close(&net);
}

static const struct tap_test tests[] = {
	{ "a link costs one round trip", a_link_costs_one_round_trip },
	{ "a changed hello or proof makes no link",
	  a_changed_hello_or_proof_makes_no_link },
	{ "a proof is worth nothing elsewhere", a_proof_is_worth_nothing_elsewhere },
	{ "a proof turned round is refused", a_proof_turned_round_is_refused },
	{ "strangers do not link", strangers_do_not_link },
	{ "a node named by a route may link", a_node_named_by_a_route_may_link },
	{ "overlays do not mix", overlays_do_not_mix },
	{ "another node at an address is not taken",
	  another_node_at_an_address_is_not_taken },
	{ "a node does not link with itself", a_node_does_not_link_with_itself },
	{ "an unknown name is refused at start", an_unknown_name_is_refused_at_start },
	{ "a name that is learnt later is dialled then",
	  a_name_that_is_learnt_later_is_dialled_then },
	{ "crossing dials end in one link", crossing_dials_end_in_one_link },
	{ "of crossing dials the lower id's survives",
	  of_crossing_dials_the_lower_ids_survives },
	{ "a newer link replaces the older", a_newer_link_replaces_the_older },
	{ "a silent link is asked and then down", a_silent_link_is_asked_and_then_down },
	{ "traffic alone keeps a link up", traffic_alone_keeps_a_link_up },
	{ "a queue that does not move is down", a_queue_that_does_not_move_is_down },
	{ "redialling backs off and starts anew", redialling_backs_off_and_starts_anew },
	{ "a broken link is redialled at once", a_broken_link_is_redialled_at_once },
	{ "the next address is tried", the_next_address_is_tried },
	{ "bad frames are dropped and the sixteenth ends it",
	  bad_frames_are_dropped_and_the_sixteenth_ends_it },
	{ "a control frame counts once", a_control_frame_counts_once },
	{ "data before the proof goes nowhere", data_before_the_proof_goes_nowhere },
	{ "links that prove nothing make room", links_that_prove_nothing_make_room },
	{ "a flood pushes out its own", a_flood_pushes_out_its_own },
	{ "one deaf neighbour does not take all memory",
	  one_deaf_neighbour_does_not_take_all_memory },
	{ "random frames fool nobody", random_frames_fool_nobody },
	{ "links come up on lossy wires", links_come_up_on_lossy_wires },
	{ "a full queue is told, and so is its end",
	  a_full_queue_is_told_and_so_is_its_end },
	TAP_END
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, "core_link", tests);
}
