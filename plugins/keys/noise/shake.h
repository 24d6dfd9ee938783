/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PLUGINS_KEYS_NOISE_SHAKE_H
#define PLUGINS_KEYS_NOISE_SHAKE_H

#include "plugins/keys/noise/book.h"
#include "plugins/keys/noise/self.h"

#include <muses/keys.h>

/*
 * The handshakes.  (D): u16 size and delegation of the sender, in front of the
 * core's payload, sealed with it.
 *
 *   IKpsk2, when a delegation of the peer's was seen that still holds:
 *     HELLO_A   1 byte: the last of that delegation's seq; e, es, s, ss, (D)
 *     HELLO_B   e, ee, se, psk, (D)
 *
 *   XXpsk3, at first contact:
 *     HELLO_A   e                          nothing else: anybody could open it
 *     HELLO_B   e, ee, s, es, (D)
 *     FINISHED  16 bytes: which secret; s, se, psk, (D)
 *
 * The initiator checks that the peer is who was called before its own name goes
 * out.  In XX the responder learns only from the inside of FINISHED who calls, and
 * needs the shared secret to open it: so in front stands a MAC under that secret over
 * both ephemeral keys, which only who has it can tell from chance; zeros, if nothing
 * is shared.
 */
#define SHAKE_HINT_SIZE 16

/* What a layer is; shared with noise.c. */
struct noise {
	struct self self;
	struct book *book;
	bool strangers; /* Are they let in? */
};

int noise_shake_begin(struct muses_layer *l, enum muses_role role,
                      const struct muses_id *peer, uint8_t *pattern, uint8_t *messages,
                      const uint8_t *prologue, size_t prologue_size,
                      struct muses_handshake **handshake);
int noise_shake_write(struct muses_handshake *h, const uint8_t *payload,
                      size_t payload_size, uint8_t *message, size_t room, size_t *size);
int noise_shake_read(struct muses_handshake *h, const uint8_t *message, size_t size,
                     uint8_t *payload, size_t *payload_size);
bool noise_shake_peer(const struct muses_handshake *h, struct muses_id *id);
int noise_shake_finish(struct muses_handshake *h, struct muses_shared *shared);
void noise_shake_end(struct muses_handshake *h);

#endif
