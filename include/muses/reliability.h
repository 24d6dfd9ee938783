/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MUSES_RELIABILITY_H
#define MUSES_RELIABILITY_H

#include <muses/plugin.h>

#include <jansson.h>

/*
 * A reliability plugin decides when; the core decides what.
 *
 * The core owns streams, packets, keys, session states and the Re-Hello
 * messages.  It tells the plugin facts (sent, received, acked, path) and asks
 * two questions: how much may go now, and what should happen at this time?
 * Data is known to the plugin by packet number and size alone.
 *
 * "Lossy" below is about the path: a packet that met a hop which may lose or
 * reorder carries a mark.  Without it order holds, so a gap is a loss.
 */
struct muses_flow; /* The core's side of one session. */

struct muses_ack_range {
	uint64_t first, last; /* Both included; first <= last. */
};

#define MUSES_ACK_RANGES_MAX 64

/* A checked acknowledgement: every number in it was sent and is of the current
 * traffic generation. */
struct muses_ack {
	uint64_t delay_ns;       /* The peer held it back that long, capped by the core. */
	uint64_t congestion;     /* Marked packets the peer has received in all. */
	bool lossy;              /* The peer saw our packets with the lossy mark. */
	size_t count;            /* 1 to MUSES_ACK_RANGES_MAX. */
	const struct muses_ack_range *range; /* Highest first, disjoint. */
};

enum muses_path {
	MUSES_PATH_UP = 0, /* Some path to the peer came back or is new. */
	MUSES_PATH_DOWN,   /* No path is left. */
	MUSES_PATH_MOVED,  /* Address, route or link changed; packets may be gone. */
};

enum muses_phase {
	MUSES_ESTABLISHED = 0, /* Traffic keys at hand; data flows. */
	MUSES_SUSPECTED,       /* Re-Hello is out while the old keys live on. */
	MUSES_SUSPENDED,       /* Traffic keys wiped; nothing goes but Re-Hello. */
};

enum muses_verdict {
	MUSES_WAIT = 0, /* Nothing until *due. */
	MUSES_SEND,     /* Send a packet now although there is nothing new: PING. */
	MUSES_REHELLO,  /* Send a Re-Hello attempt now. */
	MUSES_SUSPEND,  /* Give up the traffic keys. */
	MUSES_GIVE_UP,  /* Close the session; only if the configuration says so. */
};

struct muses_reliability_ops {
	uint8_t wire_id; /* Negotiated: 1 srm, 2 algorithm1; 0x80 and up private. */
	uint8_t version;

	/* A session begins or goes.  *state is the plugin's.  0 or MUSES_ENOMEM. */
	int (*session_open)(struct muses_layer *l, struct muses_flow *flow, void **state);
	void (*session_close)(void *state);

	/* Bytes that may be put into new packets now (congestion window and pacing);
	 * 0: none.  Asked before each packet, which is no larger if that is possible.
	 * The core also obeys the peer's windows and the overlay's queue. */
	size_t (*sendable)(void *state);
	/* A packet went out.  counts: it needs an acknowledgement and fills the window
	 * (acknowledgements alone do not: they take a number, but have no fate that
	 * anybody is told).  Numbers only grow.  MUSES_ENOMEM: the core keeps the
	 * packet for later. */
	int (*sent)(void *state, uint64_t seq, size_t size, bool counts);
	/* A packet came and was authentic.  gap: its number is not the highest plus
	 * one.  last: the sender had nothing more to send (asks for a quick answer). */
	void (*received)(void *state, uint64_t seq, bool counts, bool gap, bool last,
	                 bool lossy, bool congested);
	/* When to acknowledge: a time on muses_now()'s clock; 0: now; UINT64_MAX: there
	 * is nothing to acknowledge. */
	uint64_t (*ack_due)(void *state);
	void (*ack_sent)(void *state);
	/* The peer has acknowledged.  The plugin answers with muses_flow_delivered()
	 * and muses_flow_lost() for every number whose fate is now known, each once. */
	void (*acked)(void *state, const struct muses_ack *ack);

	/* News of the path. */
	void (*path)(void *state, enum muses_path event);
	/* The session's phase changed.  A session begins as ESTABLISHED, which is not
	 * told, or before its first packet.  ESTABLISHED after a resume: a new generation,
	 * packet numbers begin at 0, all earlier numbers are forgotten; round trip
	 * and window may be kept if the path is the same. */
	void (*phase)(void *state, enum muses_phase phase);
	/* A Re-Hello attempt went out, or its answer came, rtt_ns after it. */
	void (*rehello_sent)(void *state);
	void (*rehello_answered)(void *state, uint64_t rtt_ns);

	/* What now?  Asked after every fact and when *due has come; then sendable() is
	 * asked again.  Sets *due (a time, or UINT64_MAX).  A verdict is given once; the
	 * next call may have another.  With MUSES_GIVE_UP *why is a sentence. */
	enum muses_verdict (*timer)(void *state, uint64_t *due, const char **why);

	/* Members for `muses status`: rtt_ms, window_bytes, in_flight_bytes, ... */
	void (*info)(void *state, json_t *object);
};

/* From acked() and timer() only.
 * seq arrived: the core frees what it carried. */
void muses_flow_delivered(struct muses_flow *flow, uint64_t seq);
/* seq is lost: what it carried is to be sent again, under new numbers. */
void muses_flow_lost(struct muses_flow *flow, uint64_t seq);

#endif
