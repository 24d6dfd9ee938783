/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SRM_ACKS_H
#define SRM_ACKS_H

#include <stdbool.h>
#include <stdint.h>

/*
 * When to acknowledge what has come in.
 *
 * At once: when a packet is missing, when the sender has nothing more to send,
 * when marks begin, after every packets; and more often than that while a
 * session is young, because a small window waits for every answer.  Otherwise
 * delay_ns after the first packet that is not yet acknowledged.  A packet that
 * need not be acknowledged never causes an ACK: two silent ends stay silent.
 */
struct acks {
	uint32_t every;    /* Packets; at least 1. */
	uint64_t delay_ns;
	uint64_t due_ns;   /* 0: now; UINT64_MAX: nothing to acknowledge. */
	uint32_t pending;  /* Packets since the last ACK went out. */
	uint32_t young;    /* Packets of this generation, as far as it matters. */
	uint8_t urgent;    /* So many packets more are answered at once. */
	bool gap;          /* A packet is missing, and no ACK has said so. */
	bool marked;       /* The latest packet carried a congestion mark. */
};

void srm_acks_init(struct acks *a, uint32_t every, uint64_t delay_ns);
/* Forget what was received: a new generation. */
void srm_acks_clear(struct acks *a);
/* As muses_reliability_ops.received(). */
struct acks_packet {
	bool counts, gap, last, lossy, congested;
};
void srm_acks_received(struct acks *a, uint64_t now, struct acks_packet packet);
void srm_acks_sent(struct acks *a);

#endif
