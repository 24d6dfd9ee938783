/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_NET_H
#define TESTS_NET_H

#include "core/hub.h"
#include "core/link.h"
#include "core/options.h"

/*
 * Small worlds for tests of links and overlays: nodes on one virtual loop, over
 * virtual wires, with links and an overlay but no sessions.  Each node is a name;
 * its keys are a toy: everybody in the world shares one secret.
 */
#define NET_MOST 16

struct net;

struct net_node {
	struct net *net;
	char name[MUSES_NAME_MAX + 1];
	struct muses_id id;
	struct core_env env;
	struct core_pipeline pipeline;
	struct muses_layer keys, overlay, transport;
	struct muses_layer impair; /* Around transport, if plugin is set. */
	struct core_options *overlay_options, *transport_options, *impair_options;
	struct core_layer_up up;
	struct core_links *links;
	bool running;
	bool stranger;       /* Its secret is another one. */
	bool quiet_may_link; /* may_link() says no to everybody. */
	char inbox[4096];    /* Texts that were delivered, with "source:" in front. */
	char events[4096];   /* "up:bob down:bob moved:* writable:* ..." */
	struct muses_met met; /* Of the last packet. */
	uint64_t delivered;
};

struct net {
	const struct muses_plugin *plugin; /* Of the transport; NULL: memory. */
	bool real;                         /* On the system's clock. */
	const char *weather; /* Members of an impair around the transport of nodes made from
	                      * now on, like "'delay_ms': 10"; NULL: no impair. */
	struct core_loop *loop;
	struct core_rand *rand;
	struct core_hub *hub;
	struct core_links_config links; /* For nodes made from now on. */
	struct net_node *node[NET_MOST];
	size_t count;
	const char *const *unknown; /* Names that resolve() does not know yet: EAGAIN. */
};

void net_open(struct net *net, uint64_t seed);
/* On the system's clock, with this transport.  Then `dial` below is all of the
 * transport's options. */
void net_open_real(struct net *net, const struct muses_plugin *plugin);
/* Stops and closes all; complains about what is still out.  Returns the number of
 * buffers that were lost. */
size_t net_close(struct net *net);

/* A node that listens under its own name.  dial and routes are JSON objects, with
 * ' for ": "{'bob': 'bob'}"; NULL: none. */
struct net_node *net_add(struct net *net, const char *name, const char *dial,
                         const char *routes);
/* The same, in parts: made but not started. */
struct net_node *net_make(struct net *net, const char *name, const char *dial,
                          const char *routes);
int net_start(struct net_node *n); /* 0, or what a layer's start() said. */
void net_stop(struct net_node *n);
void net_run(struct net *net, uint64_t span_ms);
/* Live until they are linked (or not), at most 5 s; false: they are not. */
bool net_await(struct net *net, const struct net_node *a, const struct net_node *b,
               bool linked);
/* Send text from one to another; what the overlay's send() answered. */
int net_send(struct net_node *from, const struct net_node *to, const char *text);
/* Say b to a neighbour as a control frame of the overlay; takes b over. */
void net_control(struct net_node *from, const struct net_node *to, struct muses_buf *b);
/* Is there a proven link between them, seen from a? */
bool net_linked(const struct net_node *a, const struct net_node *b);
uint64_t net_count(const struct net_node *n, const char *who, const char *reason);
void net_id(const char *name, struct muses_id *id);

#endif
