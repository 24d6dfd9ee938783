/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_HUBSTATE_H
#define CORE_HUBSTATE_H

#include "core/hub.h"
#include "core/layer.h"

/* Shared by hub.c (wires, as the test sees them) and hubend.c (channels, as the
 * transport sees them). */
#define CORE_HUB_BUCKETS 1024

/* One direction between two named nodes. */
struct core_hub_way {
	struct core_hub_way *next; /* In its bucket. */
	char *from, *to;
	struct core_hub_weather weather;
};

struct muses_hub_port {
	struct core_hub *hub;
	struct muses_layer *layer;
	struct muses_hub_port *next, **link; /* In its bucket. */
	char *address;
};

/*
 * One end of a channel.  Packets on their way to it wait in coming, each with the
 * time of its arrival in front (8 bytes, taken off again).
 */
struct muses_hub_end {
	struct core_hub *hub;
	struct muses_layer *layer;
	struct muses_channel *channel;
	struct muses_hub_end *peer;          /* NULL: not yet there, or gone. */
	struct muses_hub_end *next, **link;  /* All ends, newest first. */
	const char *dialling;                /* The address, until we are up. */
	char to[MUSES_NAME_MAX + 1];         /* Name of the node at the other end; it may
	                                      * be gone before we are. */
	const struct core_hub_weather *out;  /* For what we send. */
	const struct core_hub_weather *back; /* For what comes. */
	bool answered;                       /* Dialling, and the port has accepted. */
	bool orphan; /* The peer has gone in silence (during a cut). */
	bool busy;   /* Delivering: free it afterwards. */
	bool closed;
	struct muses_queue held;   /* Sent while the wire was cut. */
	struct muses_queue coming; /* By time of arrival. */
	uint64_t free_ns;          /* When the line has taken what was sent. */
	uint64_t last_ns;          /* Arrival of the last packet we sent in order. */
	uint64_t down_ns;          /* Arrival of the end of the channel. */
	const char *down_reason;
	size_t peak;               /* Most bytes queued since the last writable(). */
	struct muses_timer arrival;
	struct muses_timer drained;
};

struct core_hub {
	struct core_loop *loop;
	struct core_rand *rand;
	struct core_hub_weather weather; /* Where none was set by name. */
	struct core_hub_way *way[CORE_HUB_BUCKETS];
	struct muses_hub_port *port[CORE_HUB_BUCKETS];
	struct muses_hub_end *first;
	struct core_hub_counts counts;
	core_hub_tap_fn *tap;
	void *user;
};

size_t core_hub_bucket(const char *a, const char *b);
const struct core_hub_weather *core_hub_find(const struct core_hub *hub, const char *from,
                                             const char *to);
/* The weather around end has changed, or its wire was broken. */
void core_hub_end_mended(struct muses_hub_end *end);
void core_hub_end_break(struct muses_hub_end *end, const char *reason);
bool core_hub_end_inject(struct muses_hub_end *end, const void *data, size_t size);

#endif
