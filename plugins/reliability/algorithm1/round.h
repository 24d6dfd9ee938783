/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ALGORITHM1_ROUND_H
#define ALGORITHM1_ROUND_H

#include <muses/reliability.h>

/*
 * One round of Algorithm 1: up to Max_i packets, then nothing until all of them
 * are acknowledged.
 *
 * What a lost packet carried goes again in the next round.  Numbers grow.  A
 * zeroed struct is an empty round and owns nothing.
 */
struct round {
	uint64_t *seq;   /* Those not settled, oldest first. */
	size_t count;
	size_t capacity;
	size_t taken;    /* Packets of this round, settled or not: the paper's i. */
};

/* A packet went out.  0, or MUSES_ENOMEM: nothing has changed. */
int algorithm1_round_sent(struct round *r, uint64_t seq);
/* The peer has acknowledged: tell flow of each fate that is now known.  What is
 * missing below the highest number is lost.  Returns how many were settled. */
size_t algorithm1_round_acked(struct round *r, const struct muses_ack *ack,
                              struct muses_flow *flow);
/* Forget all; keeps the memory. */
void algorithm1_round_clear(struct round *r);
void algorithm1_round_release(struct round *r);

#endif
