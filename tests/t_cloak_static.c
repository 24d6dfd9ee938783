/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/net.h"
#include "tests/tap.h"

#include <muses/idmap.h>

static void neighbours_exchange_packets(void)
{
	struct net net;
	struct net_node *a, *b;

	net_open(&net, 1);
	a = net_add(&net, "alice", "{'bob': 'bob'}", NULL);
	b = net_add(&net, "bob", NULL, NULL);
	net_run(&net, 100);
	CU_ASSERT(net_linked(a, b));
	CU_ASSERT(net_linked(b, a));
	CU_ASSERT_EQUAL(net_send(a, b, "one"), 0);
	CU_ASSERT_EQUAL(net_send(b, a, "two"), 0);
	net_run(&net, 100);
	CU_ASSERT_STRING_EQUAL(b->inbox, "alice:one ");
	CU_ASSERT_STRING_EQUAL(a->inbox, "bob:two ");
	net_close(&net);
}

/* alice - r1 - bob, with routes that name the relay. */
struct line {
	struct net net;
	struct net_node *a, *r, *b;
};

static void line_open(struct line *n)
{
	net_open(&n->net, 1);
	n->r = net_add(&n->net, "r1", NULL, NULL);
	n->a = net_add(&n->net, "alice", "{'r1': 'r1'}", "{'*': 'r1'}");
	n->b = net_add(&n->net, "bob", "{'r1': 'r1'}", "{'alice': 'r1'}");
	net_run(&n->net, 100);
	n->a->events[0] = n->b->events[0] = n->r->events[0] = '\0';
}

static void a_relay_carries_packets_both_ways(void)
{
	struct line n;

	line_open(&n);
	CU_ASSERT(!net_linked(n.a, n.b));
	CU_ASSERT_EQUAL(net_send(n.a, n.b, "one"), 0);
	CU_ASSERT_EQUAL(net_send(n.b, n.a, "two"), 0);
	net_run(&n.net, 10);
	CU_ASSERT_STRING_EQUAL(n.b->inbox, "alice:one ");
	CU_ASSERT_STRING_EQUAL(n.a->inbox, "bob:two ");
	CU_ASSERT_EQUAL(n.r->delivered, 0);
	CU_ASSERT(n.b->met.mtu > 60000 && n.b->met.mtu < 65535);
	CU_ASSERT(!n.b->met.lossy);
	CU_ASSERT(!n.b->met.congested);
	net_close(&n.net);
}

static void the_largest_packet_fits_and_no_larger(void)
{
	const struct muses_overlay_ops *ops;
	struct line n;
	uint32_t mtu;

	line_open(&n);
	ops = core_overlay_ops(&n.a->pipeline);
	mtu = ops->mtu(&n.a->overlay, &n.b->id);
	for (uint32_t size = mtu; size <= mtu + 1; size++) {
		struct muses_buf *p = core_buf_new(n.a->env.pool, MUSES_HEADROOM, size);

		memset(muses_buf_append(p, size), 'x', size);
		CU_ASSERT_EQUAL(ops->send(&n.a->overlay, &n.b->id, p),
		                size == mtu ? 0 : MUSES_EUSAGE);
	}
	net_run(&n.net, 10);
	CU_ASSERT_EQUAL(n.b->delivered, 1);
	CU_ASSERT_EQUAL(n.b->met.mtu, mtu);
	net_close(&n.net);
}

static void a_neighbour_outranks_every_route(void)
{
	struct net net;
	struct net_node *a, *b, *r;

	net_open(&net, 1);
	r = net_add(&net, "r1", NULL, NULL);
	b = net_add(&net, "bob", NULL, NULL);
	a = net_add(&net, "alice", "{'r1': 'r1', 'bob': 'bob'}", "{'bob': 'r1'}");
	net_run(&net, 100);
	CU_ASSERT_EQUAL(net_send(a, b, "straight"), 0);
	net_run(&net, 10);
	CU_ASSERT_STRING_EQUAL(b->inbox, "alice:straight ");
	CU_ASSERT_EQUAL(net_count(r, "cloak_static", "no next hop"), 0);
	net_close(&net);
}

static void the_next_next_hop_takes_over(void)
{
	struct net net;
	struct net_node *a, *b;

	net_open(&net, 1);
	net_add(&net, "r1", NULL, NULL);
	net_add(&net, "r2", NULL, NULL);
	b = net_add(&net, "bob", "{'r1': 'r1', 'r2': 'r2'}", NULL);
	a = net_add(&net, "alice", "{'r1': 'r1', 'r2': 'r2'}", "{'bob': ['r1', 'r2']}");
	net_run(&net, 5000);
	CU_ASSERT_EQUAL(net_send(a, b, "one"), 0);
	net_run(&net, 10);
	a->events[0] = '\0';
	core_hub_cut(net.hub, "alice", "r1", true);
	core_hub_break(net.hub, "alice", "r1");
	net_run(&net, 10);
	CU_ASSERT_STRING_EQUAL(a->events, "moved:bob writable:bob ");
	CU_ASSERT_EQUAL(net_send(a, b, "two"), 0);
	net_run(&net, 10);
	CU_ASSERT_STRING_EQUAL(b->inbox, "alice:one alice:two ");
	/* And back, when the preferred one returns. */
	a->events[0] = '\0';
	core_hub_cut(net.hub, "alice", "r1", false);
	net_run(&net, 60000);
	CU_ASSERT_STRING_EQUAL(a->events, "moved:bob writable:bob ");
	net_close(&net);
}

static void a_path_goes_and_comes(void)
{
	struct line n;
	const struct muses_overlay_ops *ops;

	line_open(&n);
	ops = core_overlay_ops(&n.a->pipeline);
	CU_ASSERT(ops->reachable(&n.a->overlay, &n.b->id));
	net_run(&n.net, 5000);
	core_hub_cut(n.net.hub, "alice", "r1", true);
	core_hub_break(n.net.hub, "alice", "r1");
	net_run(&n.net, 10);
	CU_ASSERT_STRING_EQUAL(n.a->events, "down:bob ");
	CU_ASSERT(!ops->reachable(&n.a->overlay, &n.b->id));
	CU_ASSERT(!ops->writable(&n.a->overlay, &n.b->id));
	CU_ASSERT_EQUAL(net_send(n.a, n.b, "lost"), MUSES_EUNREACHABLE);
	core_hub_cut(n.net.hub, "alice", "r1", false);
	core_links_network_changed(n.a->links, 0);
	net_run(&n.net, 10);
	CU_ASSERT_STRING_EQUAL(n.a->events, "down:bob up:bob writable:bob ");
	CU_ASSERT_EQUAL(net_send(n.a, n.b, "found"), 0);
	net_run(&n.net, 10);
	CU_ASSERT_STRING_EQUAL(n.b->inbox, "alice:found ");
	net_close(&n.net);
}

/* ---- hints --------------------------------------------------------------------------
 */

static void a_relay_says_no_and_then_yes(void)
{
	struct line n;

	line_open(&n);
	net_run(&n.net, 5000);
	CU_ASSERT_EQUAL(net_send(n.a, n.b, "one"), 0);
	core_hub_cut(n.net.hub, "bob", "r1", true);
	core_hub_break(n.net.hub, "bob", "r1");
	net_run(&n.net, 100);
	CU_ASSERT_STRING_EQUAL(n.a->events, "");
	/* Told once, however often we try while bob is away. */
	for (int i = 0; i < 20; i++) {
		CU_ASSERT_EQUAL(net_send(n.a, n.b, "lost"), 0);
		net_run(&n.net, 1000);
	}
	CU_ASSERT_STRING_EQUAL(n.a->events, "moved:bob ");
	n.a->events[0] = '\0';
	core_hub_cut(n.net.hub, "bob", "r1", false);
	core_links_network_changed(n.b->links, 0);
	net_run(&n.net, 1);
	CU_ASSERT_STRING_EQUAL(n.a->events, "up:bob writable:bob ");
	net_close(&n.net);
}

static void a_refusal_steers_to_the_next_next_hop(void)
{
	struct net net;
	struct net_node *a, *b, *r1;

	net_open(&net, 1);
	r1 = net_add(&net, "r1", NULL, NULL);
	net_add(&net, "r2", NULL, NULL);
	b = net_add(&net, "bob", "{'r2': 'r2'}", NULL);
	a = net_add(&net, "alice", "{'r1': 'r1', 'r2': 'r2'}", "{'bob': ['r1', 'r2']}");
	net_run(&net, 100);
	a->events[0] = '\0';
	CU_ASSERT_EQUAL(net_send(a, b, "one"), 0);
	net_run(&net, 10);
	CU_ASSERT_STRING_EQUAL(a->events, "moved:bob ");
	CU_ASSERT_EQUAL(net_send(a, b, "two"), 0);
	net_run(&net, 10);
	CU_ASSERT_STRING_EQUAL(b->inbox, "alice:two ");
	CU_ASSERT_EQUAL(net_count(r1, "cloak_static", "no next hop"), 1);
	net_close(&net);
}

/* alice - r1 - r2 - bob: the hint comes from two hops away. */
static void hints_are_passed_on(void)
{
	struct net net;
	struct net_node *a, *b;

	net_open(&net, 1);
	net_add(&net, "r2", NULL, NULL);
	net_add(&net, "r1", "{'r2': 'r2'}", "{'bob': 'r2'}");
	b = net_add(&net, "bob", "{'r2': 'r2'}", NULL);
	a = net_add(&net, "alice", "{'r1': 'r1'}", "{'bob': 'r1'}");
	net_run(&net, 5000);
	CU_ASSERT_EQUAL(net_send(a, b, "one"), 0);
	net_run(&net, 10);
	CU_ASSERT_STRING_EQUAL(b->inbox, "alice:one ");
	core_hub_cut(net.hub, "bob", "r2", true);
	core_hub_break(net.hub, "bob", "r2");
	a->events[0] = '\0';
	CU_ASSERT_EQUAL(net_send(a, b, "two"), 0);
	net_run(&net, 10);
	CU_ASSERT_STRING_EQUAL(a->events, "moved:bob ");
	a->events[0] = '\0';
	core_hub_cut(net.hub, "bob", "r2", false);
	core_links_network_changed(b->links, 0);
	net_run(&net, 1);
	CU_ASSERT_STRING_EQUAL(a->events, "up:bob writable:bob ");
	net_close(&net);
}

static void hints_of_the_wrong_neighbour_are_ignored(void)
{
	struct net net;
	struct net_node *a, *b, *m;
	struct muses_buf *p;
	uint8_t hint[65] = { 1 };

	net_open(&net, 1);
	net_add(&net, "r1", NULL, NULL);
	b = net_add(&net, "bob", "{'r1': 'r1'}", NULL);
	m = net_add(&net, "mallory", NULL, NULL);
	a = net_add(&net, "alice", "{'r1': 'r1', 'mallory': 'mallory'}", "{'bob': 'r1'}");
	net_run(&net, 100);
	CU_ASSERT_EQUAL(net_send(a, b, "one"), 0);
	a->events[0] = '\0';
	memcpy(hint + 1, b->id.bytes, 32);
	memcpy(hint + 33, a->id.bytes, 32);
	for (uint8_t kind = 0; kind < 4; kind++)
		for (size_t size = 0; size <= 65; size++) {
			hint[0] = kind;
			p = core_buf_new(m->env.pool, MUSES_HEADROOM, size);
			memcpy(muses_buf_append(p, size), hint, size);
			net_control(m, a, p);
			net_run(&net, 20);
		}
	CU_ASSERT_STRING_EQUAL(a->events, "");
	CU_ASSERT_EQUAL(net_count(a, "cloak_static", "hint from no next hop for it"), 2);
	CU_ASSERT(net_count(a, "cloak_static", "hint of the wrong size") > 100);
	CU_ASSERT_EQUAL(net_send(a, b, "two"), 0);
	net_run(&net, 10);
	CU_ASSERT_STRING_EQUAL(b->inbox, "alice:one alice:two ");
	net_close(&net);
}

static void a_flood_of_hints_is_bounded(void)
{
	struct line n;
	json_t *info = json_object();
	uint8_t hint[65] = { 1 };

	line_open(&n);
	/* r1 is alice's next hop for everybody: 3000 refusals of as many nodes. */
	for (uint32_t i = 0; i < 3000; i++) {
		struct muses_buf *p = core_buf_new(n.r->env.pool, MUSES_HEADROOM, 65);

		memcpy(hint + 1, &i, sizeof(i));
		memcpy(hint + 33, n.a->id.bytes, 32);
		memcpy(muses_buf_append(p, 65), hint, 65);
		net_control(n.r, n.a, p);
		if (i % 50 == 0)
			net_run(&n.net, i % 1000 == 0 ? 0 : 600);
	}
	net_run(&n.net, 10);
	core_overlay_ops(&n.a->pipeline)->info(&n.a->overlay, info);
	CU_ASSERT(json_integer_value(json_object_get(info, "refused")) <= 1024);
	CU_ASSERT(json_integer_value(json_object_get(info, "refused")) > 500);
	CU_ASSERT(net_count(n.a, "cloak_static", "hint not taken: too many") > 0);
	json_decref(info);
	net_close(&n.net);
}

/* ---- hostile headers
 * --------------------------------------------------------------------- */

static void hops_are_bounded(void)
{
	static const struct {
		uint8_t hops;
		bool arrives;
		const char *why;
	} row[] = {
		{ 0, false, "none left when it came" },
		{ 1, false, "the relay would need one" },
		{ 2, true, "enough for one relay" },
		{ 255, true, "clamped, not refused" },
	};

	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct line n;
		uint8_t frame[1 + 72 + 4] = { 1, 1, row[i].hops, 0, 0, 0, 0, 0xff, 0xff };

		line_open(&n);
		memcpy(frame + 1 + 8, n.b->id.bytes, 32);
		memcpy(frame + 1 + 40, n.a->id.bytes, 32);
		memcpy(frame + 1 + 72, "hops", 4);
		CU_ASSERT(
			core_hub_inject(n.net.hub, "alice", "r1", frame, sizeof(frame)));
		net_run(&n.net, 10);
		TAP_NOTE_IF((n.b->delivered == 1) != row[i].arrives, "%u hops: %s",
		            row[i].hops, row[i].why);
		CU_ASSERT_EQUAL(n.b->delivered == 1, row[i].arrives);
		net_close(&n.net);
	}
}

static void headers_that_lie_are_dropped(void)
{
	struct line n;
	uint8_t frame[1 + 72 + 4] = { 1, 1, 9, 0, 0, 0, 0, 0, 1 };

	line_open(&n);
	memcpy(frame + 1 + 8, n.b->id.bytes, 32);
	memcpy(frame + 1 + 40, n.a->id.bytes, 32);
	for (size_t size = 1; size < 1 + 72; size++) {
		CU_ASSERT(core_hub_inject(n.net.hub, "alice", "r1", frame, size));
		net_run(&n.net, 1);
	}
	CU_ASSERT_EQUAL(net_count(n.r, "cloak_static", "routing header too short"), 72);
	for (unsigned version = 0; version < 256; version++) {
		if (version == 1)
			continue;
		frame[1] = (uint8_t)version;
		CU_ASSERT(
			core_hub_inject(n.net.hub, "alice", "r1", frame, sizeof(frame)));
		net_run(&n.net, 1);
	}
	CU_ASSERT_EQUAL(
		net_count(n.r, "cloak_static", "routing header of another version"), 255);
	CU_ASSERT_EQUAL(n.b->delivered, 0);
	/* An MTU that no link has is not believed. */
	frame[1] = 1;
	CU_ASSERT(core_hub_inject(n.net.hub, "alice", "r1", frame, sizeof(frame)));
	net_run(&n.net, 1);
	CU_ASSERT_EQUAL(n.b->delivered, 1);
	CU_ASSERT_EQUAL(n.b->met.mtu, 1200);
	net_close(&n.net);
}

static void a_loop_of_routes_ends(void)
{
	struct core_hub_counts before, after;
	struct net net;
	struct net_node *a, *x;

	net_open(&net, 1);
	/* r1 -> r2 -> r3 -> r1 for everybody. */
	net_add(&net, "r1", NULL, "{'*': 'r2'}");
	net_add(&net, "r2", "{'r1': 'r1'}", "{'*': 'r3'}");
	net_add(&net, "r3", "{'r1': 'r1', 'r2': 'r2'}", "{'*': 'r1'}");
	a = net_add(&net, "alice", "{'r1': 'r1'}", "{'*': 'r1'}");
	x = net_make(&net, "nowhere", NULL, NULL);
	net_run(&net, 1000);
	before = core_hub_counts(net.hub);
	CU_ASSERT_EQUAL(net_send(a, x, "round"), 0);
	net_run(&net, 100);
	after = core_hub_counts(net.hub);
	CU_ASSERT_EQUAL(after.packets - before.packets, 16);
	net_close(&net);
}

static void a_packet_never_goes_back_where_it_came_from(void)
{
	struct core_hub_counts before, after;
	struct net net;
	struct net_node *a, *x;

	net_open(&net, 1);
	net_add(&net, "r1", NULL, "{'*': 'alice'}");
	a = net_add(&net, "alice", "{'r1': 'r1'}", "{'*': 'r1'}");
	x = net_make(&net, "nowhere", NULL, NULL);
	net_run(&net, 100);
	before = core_hub_counts(net.hub);
	CU_ASSERT_EQUAL(net_send(a, x, "there"), 0);
	net_run(&net, 100);
	after = core_hub_counts(net.hub);
	/* There, and a hint back. */
	CU_ASSERT_EQUAL(after.packets - before.packets, 2);
	net_close(&net);
}

static void a_forged_source_only_misleads_forwarding(void)
{
	struct line n;
	uint8_t frame[1 + 72 + 1] = { 1, 1, 9, 0, 0, 0, 0, 0xff, 0xff };

	line_open(&n);
	/* A refusal for bob as the source goes to bob's side, and changes nothing. */
	memset(frame + 1 + 8, 0x77, 32);
	memcpy(frame + 1 + 40, n.b->id.bytes, 32);
	CU_ASSERT(core_hub_inject(n.net.hub, "alice", "r1", frame, sizeof(frame)));
	net_run(&n.net, 10);
	CU_ASSERT_STRING_EQUAL(n.b->events, "");
	CU_ASSERT_EQUAL(net_send(n.b, n.a, "fine"), 0);
	net_run(&n.net, 10);
	CU_ASSERT_STRING_EQUAL(n.a->inbox, "bob:fine ");
	net_close(&n.net);
}

static void routes_are_checked(void)
{
	static const struct {
		const char *name, *hop;
		bool right;
	} row[] = {
		{ "bob", "r1", true },    { "*", "r1", true },  { "bob", "*", false },
		{ "", "r1", false },      { "bob", "", false }, { "a b", "r1", false },
		{ "bob", "../x", false },
	};
	extern const struct muses_plugin cloak_static_LTX_muses_plugin;

	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct muses_map_entry entry = { row[i].name, { 1, &row[i].hop } };
		struct {
			struct muses_map routes;
			uint32_t hop_limit;
		} config = { { 1, &entry }, 16 };
		char why[256] = "";
		int err = cloak_static_LTX_muses_plugin.check(&config, why, sizeof(why));

		TAP_NOTE_IF((err == 0) != row[i].right, "\"%s\": \"%s\"", row[i].name,
		            row[i].hop);
		CU_ASSERT_EQUAL(err == 0, row[i].right);
		CU_ASSERT_EQUAL(why[0] == '\0', row[i].right);
	}
}

static void many_ids_fit_a_map(void)
{
	struct muses_idmap map = { .seed = 7 };
	static uint32_t value[5000];
	struct muses_id id;
	size_t place = 0, count = 0;

	memset(&id, 0, sizeof(id));
	for (uint32_t i = 0; i < 5000; i++) {
		memcpy(id.bytes, &i, sizeof(i));
		CU_ASSERT_EQUAL(muses_idmap_set(&map, &id, &value[i]), 0);
	}
	/* Take away two of three; the rest must be found, and nothing else. */
	for (uint32_t i = 0; i < 5000; i++)
		if (i % 3 != 0) {
			memcpy(id.bytes, &i, sizeof(i));
			CU_ASSERT_PTR_EQUAL(muses_idmap_remove(&map, &id), &value[i]);
			CU_ASSERT_PTR_NULL(muses_idmap_remove(&map, &id));
		}
	for (uint32_t i = 0; i < 5000; i++) {
		memcpy(id.bytes, &i, sizeof(i));
		CU_ASSERT_PTR_EQUAL(muses_idmap_get(&map, &id),
		                    i % 3 == 0 ? &value[i] : NULL);
	}
	while (muses_idmap_next(&map, &place, &id) != NULL)
		count++;
	CU_ASSERT_EQUAL(count, map.count);
	CU_ASSERT_EQUAL(count, 1667);
	muses_idmap_clear(&map);
	CU_ASSERT_PTR_NULL(muses_idmap_get(&map, &id));
}

static const struct tap_test tests[] = {
	{ "neighbours exchange packets", neighbours_exchange_packets },
	{ "a relay carries packets both ways", a_relay_carries_packets_both_ways },
	{ "the largest packet fits, and no larger",
	  the_largest_packet_fits_and_no_larger },
	{ "a neighbour outranks every route", a_neighbour_outranks_every_route },
	{ "the next next hop takes over", the_next_next_hop_takes_over },
	{ "a path goes and comes", a_path_goes_and_comes },
	{ "a relay says no, and then yes", a_relay_says_no_and_then_yes },
	{ "a refusal steers to the next next hop",
	  a_refusal_steers_to_the_next_next_hop },
	{ "hints are passed on", hints_are_passed_on },
	{ "hints of the wrong neighbour are ignored",
	  hints_of_the_wrong_neighbour_are_ignored },
	{ "a flood of hints is bounded", a_flood_of_hints_is_bounded },
	{ "hops are bounded", hops_are_bounded },
	{ "headers that lie are dropped", headers_that_lie_are_dropped },
	{ "a loop of routes ends", a_loop_of_routes_ends },
	{ "a packet never goes back where it came from",
	  a_packet_never_goes_back_where_it_came_from },
	{ "a forged source only misleads forwarding",
	  a_forged_source_only_misleads_forwarding },
	{ "routes are checked", routes_are_checked },
	{ "many ids fit a map", many_ids_fit_a_map },
	TAP_END
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, "cloak_static", tests);
}
