/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/net.h"
#include "tests/tap.h"

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

static const struct tap_test tests[] = {
	{ "neighbours exchange packets", neighbours_exchange_packets }, TAP_END
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, "cloak_static", tests);
}
