/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PLUGINS_KEYS_NOISE_DELEG_H
#define PLUGINS_KEYS_NOISE_DELEG_H

#include <muses/id.h>

#include <stddef.h>

/*
 * A delegation: the identity key (Ed25519, for ever) says that for a while that
 * X25519 key speaks for it.  Noise must not share its static key with another
 * use, and a static key that is stolen dies with its delegation.  Pure.
 *
 *   offset  size  field
 *        0     1  version      1
 *        1     1  algorithm    1: Ed25519 for X25519
 *        2    32  identity     public key; its hash is the node id
 *       34    32  x25519       public key, the s of Noise
 *       66     8  seq          a later delegation has a greater one
 *       74     8  not_before   seconds since 1970
 *       82     8  not_after    at most 30 days later
 *       90     2  caps         what else it may; 0 for now, others are ignored
 *       92    64  signature    of "MUSEs deleg v1" and all above
 *      156
 */
#define DELEG_SIZE       156
#define DELEG_LIFETIME_S (UINT64_C(30) * 24 * 3600)

struct deleg {
	uint8_t identity[32];
	uint8_t x25519[32];
	uint64_t seq, not_before, not_after;
	uint16_t caps;
};

/* 0 or MUSES_ECRYPTO. */
int noise_deleg_sign(const struct deleg *d, const uint8_t seed[static 32],
                     uint8_t bytes[static DELEG_SIZE]);

/* NULL, and d is filled; or why it does not hold, as a literal to count under.
 * id: whose it has to be; NULL: anybody's.  known: one that was checked before, so
 * that the same bytes need no second look at the signature; NULL: none.  Whether
 * x25519 is the key that Noise has seen is for the caller. */
const char *noise_deleg_check(struct deleg *d, const uint8_t *bytes, size_t size,
                              const struct muses_id *id, uint64_t now_s,
                              const uint8_t *known);

/* May it be used at that time? */
bool noise_deleg_current(const struct deleg *d, uint64_t now_s);

/* What Noise carries sealed: u16 size, a delegation of that size, and the payload of
 * the core. */
#define DELEG_HEAD (2 + DELEG_SIZE)

struct deleg_parts {
	const uint8_t *deleg, *payload;
	size_t deleg_size, payload_size;
};
bool noise_deleg_split(struct deleg_parts *parts, const uint8_t *data, size_t size);

#endif
