/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SRM_LOSS_H
#define SRM_LOSS_H

#include "rtt.h"
#include "sent.h"

#include <muses/reliability.h>

/*
 * The fate of each packet, told to the core exactly once.
 *
 * On a path that keeps order, what is missing below an acknowledged number is
 * lost, now: a relay dropped it.  Nothing is ever lost because time has passed.
 * On a lossy path RFC 9002 rules: lost when three later ones have come, or when
 * it is 9/8 of a round trip older than one that has.  Three become more on a
 * path that turns out to shuffle packets further than that.
 */
struct loss {
	uint64_t highest;  /* Greatest number acknowledged; if any. */
	bool any;
	bool lossy;        /* The peer's latest word, or ours while a path moves. */
	uint32_t packets;  /* That many later ones must have come. */
	uint64_t due_ns;   /* Look again then; UINT64_MAX: no need. */
	uint64_t run_ns;   /* When the first packet of an unbroken run of lost ones was
	                    * sent; 0: the run is broken. */
	uint64_t lost;     /* Packets, in all. */
	uint64_t spurious; /* ... that were acknowledged after all, as far as seen. */
	/* What was called lost of late on a lossy path, in runs of numbers. */
	struct muses_ack_range told[4];
	unsigned told_next;
};

#define LOSS_PACKETS      3
#define LOSS_PACKETS_MOST 96

/* What one look found. */
struct loss_news {
	uint64_t delivered_bytes;
	uint64_t delivered_ns;  /* When the newest of them was sent; 0: none. */
	uint64_t lost_bytes;
	uint64_t lost_ns;       /* When the newest lost one was sent; 0: none. */
	uint64_t run_ns;        /* So long nothing that was sent came through. */
};

void srm_loss_init(struct loss *l);
/* A new generation: numbers begin anew, the counts go on. */
void srm_loss_clear(struct loss *l);
/* The peer has acknowledged: tell flow of every fate that is now known, and
 * take it out of sent. */
void srm_loss_acked(struct loss *l, struct sent *sent, const struct rtt *rtt, uint64_t now,
                    const struct muses_ack *ack, struct muses_flow *flow,
                    struct loss_news *news);
/* due_ns has come. */
void srm_loss_look(struct loss *l, struct sent *sent, const struct rtt *rtt, uint64_t now,
                   struct muses_flow *flow, struct loss_news *news);

#endif
