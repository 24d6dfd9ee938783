/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_LINK_H
#define CORE_LINK_H

#include "core/layer.h"
#include "core/pipeline.h"

/*
 * Links: from a channel of some transport to a proven neighbour (doc/PROTOCOL,
 * "Links").  Hello, proof, keep-alive, one link a neighbour, dialling with
 * back-off and jitter.  Everything the overlay sees of transports is here.
 */
struct core_links;

struct core_links_config {
	uint32_t keepalive_ms;   /* Silence after which we ask. */
	uint32_t dead_ms;        /* Silence, after asking, after which it is down. */
	uint32_t hello_ms;       /* Most time for hello and proof. */
	uint32_t most;           /* Links at once, half of them unproven at most. */
	size_t queue_bytes;      /* Bound of a link's queue; marks from a quarter on. */
	bool any_neighbour;      /* "neighbours": "*" */
	uint8_t overlay_id[16];  /* Links join only within one overlay. */
};

extern const struct core_links_config core_links_defaults;

/* NULL when out of memory.  pipeline's overlay gets link_up() and its like. */
struct core_links *core_links_open(struct core_env *env, struct core_pipeline *pipeline,
                                   const struct core_links_config *config,
                                   const struct muses_id *self);
/* Begin dialling; after core_pipeline_start(). */
void core_links_start(struct core_links *links);
/* Say BYE on every link, close all, stop dialling. */
void core_links_stop(struct core_links *links);
void core_links_close(struct core_links *links);
/* Addresses or routes of this machine changed: drop channels that are not alive,
 * and after settle_ns dial everything. */
void core_links_network_changed(struct core_links *links, uint64_t settle_ns);
/* Does a suspended session need peers?  Then no redial waits over 1 s. */
void core_links_hurry(struct core_links *links, bool hurry);
/* Nodes that may link because the configuration names them (overlay routes). */
int core_links_allow(struct core_links *links, const struct muses_id *id);
/* Is this node to be reached only on loopback, unix and memory links? */
bool core_links_local(const struct core_links *links);
/* Array of { peer, transport, remote, state, dialled, for_ms, bytes_sent,
 * bytes_received, queue }, with the transport's own members. */
json_t *core_links_info(const struct core_links *links);
size_t core_links_proven(const struct core_links *links);

#endif
