/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PLUGINS_SECURITY_AEAD_H
#define PLUGINS_SECURITY_AEAD_H

#include <muses/security.h>

/*
 * seal and open with an AEAD of OpenSSL that has nonces of 12 bytes and tags of
 * 16: what aes_gcm and chacha20_poly1305 have in common.  The only caller of
 * EVP for them, since EVP has traps here; aead.c names each.
 */
#define AEAD_TAG_SIZE 16

/* A context as key_open() of muses/security.h wants it; algorithm is OpenSSL's
 * name of the cipher. */
void *aead_open(const char *algorithm, enum muses_direction direction,
                const struct muses_key_material *material);

/* These are the suite's seal, open and key_close. */
int aead_seal(void *context, uint64_t seq, const uint8_t *aad, size_t aad_size,
              const struct iovec *iov, size_t iov_count, uint8_t *out,
              size_t *sealed_size);
int aead_unseal(void *context, uint64_t seq, const uint8_t *aad, size_t aad_size,
                uint8_t *data, size_t size, size_t *plain_size);
void aead_close(void *context);

#endif
