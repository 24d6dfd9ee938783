/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLOAK_STATIC_RH_H
#define CLOAK_STATIC_RH_H

#include <muses/buf.h>
#include <muses/id.h>

/*
 * The routing header, in front of the persistent header.  Relays rewrite it; it is
 * neither secret nor authentic, and nothing but forwarding rests on it.
 *
 *   offset  size  field
 *        0     1  version      1
 *        1     1  hops         left; a relay takes one off and drops at 0
 *        2     1  flags        1 congested, 2 lossy
 *        3     1  zero         sent as 0, not looked at
 *        4     4  mtu          largest packet behind this header for all links so far
 *        8    32  destination  node id
 *       40    32  source       node id, claimed
 */
enum rh_layout {
	RH_VERSION = 0,
	RH_HOPS = RH_VERSION + 1,
	RH_FLAGS = RH_HOPS + 1,
	RH_ZERO = RH_FLAGS + 1,
	RH_MTU = RH_ZERO + 1,
	RH_DESTINATION = RH_MTU + 4,
	RH_SOURCE = RH_DESTINATION + MUSES_ID_SIZE,
	RH_BYTES = RH_SOURCE + MUSES_ID_SIZE,
};
_Static_assert(RH_BYTES == 72, "doc/PROTOCOL says 72");

enum { RH_VERSION_NOW = 1 };
enum rh_flags { RH_CONGESTED = 1 << 0, RH_LOSSY = 1 << 1 };

struct rh {
	uint8_t hops;
	uint8_t flags;
	uint32_t mtu;
	struct muses_id destination;
	struct muses_id source;
};

/* NULL, and *rh filled; else why not, as a string literal for a counter. */
const char *rh_read(struct rh *rh, const uint8_t *data, size_t size);
/* Write all of it at data, which has RH_BYTES. */
void rh_write(const struct rh *rh, uint8_t *data);
/* What one more link does to rh: its largest routed packet, and its flags. */
void rh_cross(struct rh *rh, uint32_t link_mtu, uint8_t flags);

/* Control frames between neighbours: hints, nothing more.
 *
 *   offset  size  field
 *        0     1  kind         enum hint_kind
 *        1    32  destination
 *       33    32  source       UNREACHABLE only: whose packet it was
 */
enum hint_kind { HINT_UNREACHABLE = 1, HINT_ROUTE_UP };
enum hint_layout {
	HINT_ROUTE_UP_BYTES = 1 + MUSES_ID_SIZE,
	HINT_UNREACHABLE_BYTES = HINT_ROUTE_UP_BYTES + MUSES_ID_SIZE,
};
_Static_assert(HINT_UNREACHABLE_BYTES == 65, "doc/PROTOCOL says 65");

struct hint {
	enum hint_kind kind;
	struct muses_id destination;
	struct muses_id source; /* UNREACHABLE only. */
};

const char *hint_read(struct hint *hint, const uint8_t *data, size_t size);
/* Returns the size; data has HINT_UNREACHABLE_BYTES. */
size_t hint_write(const struct hint *hint, uint8_t *data);

#endif
