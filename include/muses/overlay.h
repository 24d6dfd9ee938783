/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MUSES_OVERLAY_H
#define MUSES_OVERLAY_H

#include <muses/plugin.h>

#include <jansson.h>

/*
 * An overlay plugin brings a packet from this node to a node id, over links that
 * the core has already proven.  It owns the routing header (RH): it pushes one
 * in front of what it sends, rewrites it in what it forwards, and takes it off
 * what is for us.  An RH is neither secret nor authentic; nothing but
 * forwarding may rest on it.
 *
 *      packets of sessions
 *         |  send()                     muses_overlay_deliver()  ^
 *         v                                                      |
 *      overlay: RH, next hop, bounded queues, hints
 *         |  muses_link_send()                        packet()   ^
 *         v                                                      |
 *      links (core): hello, proof, keep-alive, redial
 */
struct muses_link; /* A proven link; valid from link_up() until link_down() returns. */

#define MUSES_LOCATOR_MAX 24

/* What the routing header of a packet that reached us said. */
struct muses_met {
	struct muses_id source; /* Claimed. */
	uint32_t mtu;           /* Smallest MTU met: the largest sealed packet (persistent
	                         * header included) that fits the same path. */
	bool lossy;             /* Met a hop that may lose or reorder. */
	bool congested;         /* A relay marked it. */
};

struct muses_overlay_ops {
	/* Send b to destination; takes b over.  b begins with the persistent header and
	 * has MUSES_HEADROOM in front.  0; MUSES_EUNREACHABLE: no next hop now;
	 * MUSES_EAGAIN: queue full (ask writable() first); b is freed either way. */
	int (*send)(struct muses_layer *l, const struct muses_id *destination,
	            struct muses_buf *b);
	/* May a packet for destination be sent now without being dropped here?  If not,
	 * muses_overlay_writable() will tell.  False too when there is no path. */
	bool (*writable)(struct muses_layer *l, const struct muses_id *destination);
	/* Is there a next hop at all? */
	bool (*reachable)(struct muses_layer *l, const struct muses_id *destination);
	/* Largest sealed packet for the first hop towards destination. */
	uint32_t (*mtu)(struct muses_layer *l, const struct muses_id *destination);

	/* A proven link came, went, or can take more after it could not. */
	void (*link_up)(struct muses_layer *l, struct muses_link *link);
	void (*link_down)(struct muses_layer *l, struct muses_link *link);
	void (*link_writable)(struct muses_layer *l, struct muses_link *link);
	/* A routed packet (RH first), or an overlay control frame whose MAC was good.
	 * Both take b over. */
	void (*packet)(struct muses_layer *l, struct muses_link *link, struct muses_buf *b);
	void (*control)(struct muses_layer *l, struct muses_link *link, struct muses_buf *b);

	/* Where we are, for our peers: at most MUSES_LOCATOR_MAX bytes; returns the
	 * size, 0: nothing to say.  NULL: this overlay has no locators. */
	size_t (*locator_get)(struct muses_layer *l, uint8_t *locator);
	/* An authenticated peer said where it is. */
	void (*locator_hint)(struct muses_layer *l, const struct muses_id *peer,
	                     const uint8_t *locator, size_t size);

	/* Which nodes does the configuration name as neighbours?  index from 0; false:
	 * no more.  The core resolves the names and lets these nodes link.  NULL: none. */
	bool (*neighbour)(struct muses_layer *l, size_t index, const char **name);
	/* Members for `muses status`. */
	void (*info)(struct muses_layer *l, json_t *object);
};

/* ---- upcalls: never from inside send() ----------------------------------- */

/* A packet for us; RH taken off, b begins with the persistent header.  Takes b
 * over. */
void muses_overlay_deliver(struct muses_layer *l, struct muses_buf *b,
                           const struct muses_met *met);
/* News of the path to peer; NULL: of every path.  event is an enum muses_path. */
void muses_overlay_path(struct muses_layer *l, const struct muses_id *peer, int event);
/* Packets for peer can be sent again; NULL: for everybody. */
void muses_overlay_writable(struct muses_layer *l, const struct muses_id *peer);

/* ---- what the core offers about links ------------------------------------ */

/* The proven node at the other end. */
const struct muses_id *muses_link_peer(const struct muses_link *link);
/* Send a routed packet (RH first); takes b over.  Never blocks; queues even when
 * congested, up to twice the link's bound, then drops and counts. */
void muses_link_send(struct muses_link *link, struct muses_buf *b);
/* Send a control frame under the link's MAC; takes b over. */
void muses_link_control(struct muses_link *link, struct muses_buf *b);
/* Is the queue at its bound?  link_writable() follows when it has drained. */
bool muses_link_full(const struct muses_link *link);
/* Is the queue so long that packets should be marked? */
bool muses_link_congested(const struct muses_link *link);
/* Largest routed packet (RH included). */
uint32_t muses_link_mtu(const struct muses_link *link);
/* May it lose or reorder? */
bool muses_link_lossy(const struct muses_link *link);
/* The overlay's own note on a link. */
void *muses_link_note(const struct muses_link *link);
void muses_link_set_note(struct muses_link *link, void *note);

#endif
