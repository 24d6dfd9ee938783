/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_HUB_H
#define CORE_HUB_H

#include "core/env.h"

#include <muses/hub.h>

/*
 * The virtual wires of a test or of the simulator: who may delay, lose, cut.
 * Every node whose env points to the hub can reach every other; wires are named
 * by the names of the two nodes.  All nodes share one loop.  Repeatable: all
 * dice come from rand.
 */
struct core_hub;

/* One direction of one wire.  Zeroed: immediate (but never in the same turn of
 * the loop), unlimited, nothing lost. */
struct core_hub_weather {
	uint64_t delay_ns;
	uint64_t jitter_ns; /* Up to that much more; order is kept. */
	uint64_t rate_bits; /* A second; 0: unlimited. */
	/* Of a packet, 0 to 1.  With any of the first three the wire is lossy. */
	double loss, reorder, duplicate;
	double corrupt; /* One bit turned. */
	/* Nothing passes, and nobody is told.  What is sent waits in the sender's
	 * queue until the cut is mended, as with TCP; on a lossy wire it is gone. */
	bool cut;
	bool refuse; /* Dialling is answered by "refused". */
};

/* rand stays the caller's.  NULL: out of memory. */
struct core_hub *core_hub_open(struct core_loop *loop, struct core_rand *rand);
/* After the nodes. */
void core_hub_close(struct core_hub *hub);

/* Set both directions between the nodes called a and b; both NULL: of all wires
 * that were never set by name.  Holds for channels that are up, too.  0 or
 * MUSES_ENOMEM. */
int core_hub_set(struct core_hub *hub, const char *a, const char *b,
                 const struct core_hub_weather *weather);
/* Only from a to b. */
int core_hub_set_way(struct core_hub *hub, const char *from, const char *to,
                     const struct core_hub_weather *weather);
/* What holds between a and b now, to change and set again. */
struct core_hub_weather core_hub_weather_of(const struct core_hub *hub, const char *from,
                                            const char *to);
/* Cut, or mend, both directions between a and b. */
int core_hub_cut(struct core_hub *hub, const char *a, const char *b, bool cut);
/* Every channel between a and b breaks; both ends are told at once.  Returns how
 * many did. */
size_t core_hub_break(struct core_hub *hub, const char *a, const char *b);

/* See every packet that is sent (before the weather).  NULL: nobody looks. */
typedef void core_hub_tap_fn(void *user, const char *from, const char *to,
                             const uint8_t *data, size_t size);
void core_hub_tap(struct core_hub *hub, core_hub_tap_fn *tap, void *user);
/* Deliver these bytes to `to` on its newest channel from `from`, after the wire's
 * delay, as an attacker on the wire would.  false: no such channel, or no buffer. */
bool core_hub_inject(struct core_hub *hub, const char *from, const char *to,
                     const void *data, size_t size);

struct core_hub_counts {
	uint64_t packets, bytes; /* Sent. */
	uint64_t lost, reordered, duplicated, corrupted;
	uint64_t no_buffer; /* Lost because the receiver's pool was at its bound. */
	size_t ends;        /* Open now. */
};
struct core_hub_counts core_hub_counts(const struct core_hub *hub);

#endif
