/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_CRYPTO_H
#define CORE_CRYPTO_H

#include <muses/noise.h>

#include <openssl/evp.h>

/*
 * What libmuses itself needs of OpenSSL, fetched once per process: looking an
 * algorithm up by name costs more than hashing with it, and takes a lock.
 *
 * It lives in a library context of its own, so that no openssl.cnf and no
 * environment variable can change what our algorithms are.  Never freed: tables
 * that every later call may need have no better end than the process's.
 */
struct core_crypto {
	OSSL_LIB_CTX *library;
	EVP_MD *sha256;
	EVP_MAC_CTX *hmac_sha256; /* Without a key, to be duplicated. */
	EVP_CIPHER *aes_256_gcm;
	EVP_CIPHER *chacha20_poly1305;
};

/* The table, filled at the first call; NULL if this OpenSSL lacks something. */
const struct core_crypto *core_crypto(void);

/* Both have 32-byte keys, 12-byte nonces and 16-byte tags. */
enum core_cipher { CORE_AES_256_GCM = 0, CORE_CHACHA20_POLY1305 };
#define CORE_TAG_SIZE 16

/* As muses_aead_seal() and muses_aead_open(), which say AES-256-GCM. */
int core_aead_seal(enum core_cipher which, const uint8_t key[static 32],
                   const uint8_t nonce[static 12], const void *aad, size_t aad_size,
                   const uint8_t *in, size_t size, uint8_t *out);
int core_aead_open(enum core_cipher which, const uint8_t key[static 32],
                   const uint8_t nonce[static 12], const void *aad, size_t aad_size,
                   const uint8_t *in, size_t size, uint8_t *out);

/* Is this, as a little-endian number, less than 2^255 - 19? */
bool core_field_canonical(const uint8_t y[static 32]);
/* Is this an Ed25519 public key in its one form, and not one of those under which
 * anybody can sign? */
bool core_ed25519_sound(const uint8_t public_key[static 32]);

#endif
