/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PLUGINS_SECURITY_AES_HMAC_ETM_H
#define PLUGINS_SECURITY_AES_HMAC_ETM_H

#include <muses/security.h>

/*
 * Encrypt-then-MAC from AES and HMAC.
 *
 *   sealed = C || tag
 *   tag    = the first bytes of
 *            HMAC(mac, AAD || seq || C || size of AAD || size of C)
 *   ctr:   C = AES-CTR(key, first block seq || 0^8, plain)
 *   cbc:   C = AES-CBC(first half of key, IV, plain with PKCS #7 padding)
 *          IV = AES(second half of key, seq || 0^8)
 *
 * Numbers are 8 bytes, big-endian.  In ctr a packet has less than 2^32 blocks,
 * so the counters of two numbers never meet.  In cbc the IV is a permutation of
 * the number under a key of its own: nobody can foretell it, and it costs no
 * randomness and no bytes.
 */
enum etm_mode { ETM_CTR = 0, ETM_CBC };
enum etm_mac { ETM_SHA256 = 0, ETM_SHA1 };

/* Named by the words of the options, so that a table can paste them. */
enum {
	ETM_KEYS_ctr = 1,
	ETM_KEYS_cbc = 2,
	ETM_PADDING_ctr = 0,
	ETM_PADDING_cbc = 16,
	ETM_MAC_SIZE_sha256 = 32,
	ETM_MAC_SIZE_sha1 = 20,
	ETM_TAG_SIZE_sha256 = 16,
	ETM_TAG_SIZE_sha1 = 20,
};

/* A context as key_open() of muses/security.h wants it; bits is 128 or 256. */
void *etm_open(uint32_t bits, enum etm_mode mode, enum etm_mac mac,
               enum muses_direction direction, const struct muses_key_material *material);

/* These are the suite's seal, open and key_close. */
int etm_seal(void *context, uint64_t seq, const uint8_t *aad, size_t aad_size,
             const struct iovec *iov, size_t iov_count, uint8_t *out,
             size_t *sealed_size);
int etm_unseal(void *context, uint64_t seq, const uint8_t *aad, size_t aad_size,
               uint8_t *data, size_t size, size_t *plain_size);
void etm_close(void *context);

#endif
