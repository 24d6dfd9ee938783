/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_SYMMETRIC_H
#define CORE_SYMMETRIC_H

#include "core/crypto.h"

/*
 * The chaining key, the running hash and the cipher key of a Noise handshake:
 * SymmetricState and CipherState of the specification (section 5), in one.
 *
 * Errors are MUSES_ECRYPTO, and MUSES_EAUTH from decrypting; after one, the
 * state is of no use any more.
 */
#define CORE_HASH_SIZE 32

struct core_symmetric {
	enum core_cipher cipher;
	bool has_k;
	uint64_t n; /* Messages under k so far: the nonce. */
	uint8_t ck[CORE_HASH_SIZE], h[CORE_HASH_SIZE], k[MUSES_NOISE_KEY_SIZE];
};

int core_mix_hash(struct core_symmetric *s, const void *data, size_t size);
int core_mix_key(struct core_symmetric *s, const uint8_t *input, size_t size);
int core_mix_key_and_hash(struct core_symmetric *s, const uint8_t *psk);
/* out has room for size bytes and a tag; advances *out. */
int core_encrypt_and_hash(struct core_symmetric *s, const uint8_t *plain, size_t size,
                          uint8_t **out);
/* plain gets size bytes; advances *in by these and the tag. */
int core_decrypt_and_hash(struct core_symmetric *s, const uint8_t **in, size_t size,
                          uint8_t *plain);

/* The specification's HKDF(ck, input, count), count 2 or 3. */
int core_noise_hkdf(const uint8_t *ck, const uint8_t *input, size_t input_size,
                    size_t count, uint8_t out[3][CORE_HASH_SIZE]);

#endif
