/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_LINKHELLO_H
#define CORE_LINKHELLO_H

#include "core/linkwire.h"

#include <stddef.h>

/*
 * Reading and writing link frames, and the keys of a link: pure functions over
 * bytes, fuzzed by tests/fuzz/fuzz_link.c.  No link, no clock, no allocation.
 *
 * Everything from the peer is checked here for form; whether we want a link with
 * that node is the caller's question.
 */
struct core_hello {
	uint8_t overlay[16];
	struct muses_id node;
	uint8_t nonce[32];
	uint8_t share[32];
	uint32_t mtu;
};

enum core_side { CORE_DIALLER = 0, CORE_LISTENER };

void core_hello_write(const struct core_hello *hello, uint8_t frame[static CORE_HELLO_BYTES]);
/* NULL, and *hello filled; else why not, as a string literal for a counter. */
const char *core_hello_read(struct core_hello *hello, const uint8_t *frame, size_t size);

/* What a proof is made over: label, the side that proves, the dialler's whole
 * hello, the listener's.
 *
 *   offset  size  field
 *        0    16  label        "muses1 link v1" and two zero bytes
 *       16     1  side         of the prover: 0 dialler, 1 listener
 *       17   123  dialler's HELLO, type included
 *      140   123  listener's HELLO
 */
#define CORE_TRANSCRIPT_BYTES (16 + 1 + 2 * CORE_HELLO_BYTES)
_Static_assert(CORE_TRANSCRIPT_BYTES == 263, "doc/PROTOCOL says 263");
void core_transcript_write(enum core_side prover, const uint8_t dialler[static CORE_HELLO_BYTES],
                           const uint8_t listener[static CORE_HELLO_BYTES],
                           uint8_t transcript[static CORE_TRANSCRIPT_BYTES]);

/* The proof in a PROOF frame: NULL if the frame is not one of exactly its size. */
const uint8_t *core_proof_read(const uint8_t *frame, size_t size, size_t *proof_size);

/* The MAC keys of a link, one a direction, and the counters under them. */
struct core_guard {
	uint8_t seal_key[32], open_key[32];
	uint64_t sent; /* Counter of the last frame we sent; 0: none. */
	uint64_t seen; /* Of the last we accepted. */
};

/* secret is our private X25519 half, peer_share theirs.  0, MUSES_EAUTH
 * (low-order share), MUSES_ECRYPTO. */
int core_guard_init(struct core_guard *guard, enum core_side side,
                    const uint8_t secret[static 32], const uint8_t peer_share[static 32],
                    const uint8_t dialler[static CORE_HELLO_BYTES],
                    const uint8_t listener[static CORE_HELLO_BYTES]);
void core_guard_clear(struct core_guard *guard);
/* Fill in the first CORE_GUARD_BYTES of frame; the body stands behind them.  0,
 * MUSES_ECRYPTO. */
int core_guard_seal(struct core_guard *guard, enum core_frame type, uint8_t *frame,
                    size_t size);
/* NULL, and the counter is used up; else why not, as a string literal.  Nothing
 * changes then. */
const char *core_guard_open(struct core_guard *guard, const uint8_t *frame, size_t size);

#endif
