/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MUSES_NOISE_H
#define MUSES_NOISE_H

#include <muses/keys.h>

/*
 * The Noise Protocol Framework, revision 34, for X25519 and SHA-256, with
 * ChaCha20-Poly1305 or AES-256-GCM: patterns NN, KK, XX, IK, XK with any psk
 * modifiers the vectors use.  Checked against the published vectors in
 * tests/t_core_noise.c.
 *
 * One struct is one side of one handshake.  Every function may be called only
 * in the order the pattern gives; out of order is MUSES_EUSAGE and changes
 * nothing.  After MUSES_EAUTH the handshake is dead: end it.
 */
#define MUSES_NOISE_KEY_SIZE 32

struct muses_noise;

struct muses_noise_setup {
	const char *protocol; /* "Noise_IKpsk2_25519_ChaChaPoly_SHA256" */
	enum muses_role role;
	const uint8_t *prologue;
	size_t prologue_size;
	/* Each NULL or MUSES_NOISE_KEY_SIZE bytes, copied. */
	const uint8_t *local_static;     /* Private. */
	const uint8_t *remote_static;    /* Public, when known before. */
	const uint8_t *local_ephemeral;  /* Private: fresh random bytes from
	                                  * muses_random(), used for one handshake only. */
	const uint8_t *psk[4];           /* In the order of the psk tokens. */
	size_t psk_count;
};

/* 0; MUSES_EUSAGE (unknown protocol, a key that the pattern needs is missing);
 * MUSES_ENOMEM; MUSES_ECRYPTO. */
int muses_noise_open(struct muses_noise **noise, const struct muses_noise_setup *setup);
/* The pre-shared key at place index, when it is known only after the peer is. */
int muses_noise_set_psk(struct muses_noise *n, size_t index, const uint8_t psk[static 32]);
/* Write the next message: at most room bytes; sets *size. */
int muses_noise_write(struct muses_noise *n, const uint8_t *payload, size_t payload_size,
                      uint8_t *message, size_t room, size_t *size);
/* Read the next; payload has room bytes; sets *payload_size.  MUSES_EAUTH for a
 * wrong tag and for an all-zero X25519 result, MUSES_EMALFORMED for a message
 * too short, MUSES_ELIMIT if payload is too small (checked first). */
int muses_noise_read(struct muses_noise *n, const uint8_t *message, size_t size,
                     uint8_t *payload, size_t room, size_t *payload_size);
/* Is the last message done? */
bool muses_noise_done(const struct muses_noise *n);
/* The peer's static public key; NULL before it is known. */
const uint8_t *muses_noise_remote_static(const struct muses_noise *n);
/* The peer's ephemeral public key; NULL before it is known. */
const uint8_t *muses_noise_remote_ephemeral(const struct muses_noise *n);
/* After done: the secrets; the caller cleanses them. */
int muses_noise_finish(struct muses_noise *n, struct muses_shared *shared);
/* Cleanse and free.  NULL is fine. */
void muses_noise_close(struct muses_noise *n);

/* ---- the primitives beside it, for keys plugins and the core ------------- */

/* SHA-256 over the concatenation of count parts. */
struct muses_part {
	const void *data;
	size_t size;
};
int muses_sha256(const struct muses_part *part, size_t count, uint8_t out[static 32]);
int muses_hmac_sha256(const uint8_t *key, size_t key_size, const struct muses_part *part,
                      size_t count, uint8_t out[static 32]);
/* RFC 5869.  out_size <= 255 * 32. */
int muses_hkdf_extract(const uint8_t *salt, size_t salt_size, const uint8_t *secret,
                       size_t secret_size, uint8_t out[static 32]);
int muses_hkdf_expand(const uint8_t secret[static 32], const void *info, size_t info_size,
                      uint8_t *out, size_t out_size);
/* RFC 7748.  MUSES_EAUTH for an all-zero result (low-order point). */
int muses_x25519_public(const uint8_t secret[static 32], uint8_t public_key[static 32]);
int muses_x25519(const uint8_t secret[static 32], const uint8_t peer[static 32],
                 uint8_t out[static 32]);
/* RFC 8032, on a 32-byte seed.  verify: 0 or MUSES_EAUTH; refuses the small-order
 * and non-canonical public keys that OpenSSL accepts. */
int muses_ed25519_public(const uint8_t seed[static 32], uint8_t public_key[static 32]);
int muses_ed25519_sign(const uint8_t seed[static 32], const void *data, size_t size,
                       uint8_t signature[static 64]);
int muses_ed25519_verify(const uint8_t public_key[static 32], const void *data,
                         size_t size, const uint8_t signature[static 64]);
/* AES-256-GCM with a 12-byte nonce and a 16-byte tag behind the text; for keys
 * that are used once.  out has size + 16 (seal) or size - 16 (open) bytes and
 * may be in.  open: 0, MUSES_EAUTH (out wiped), MUSES_EMALFORMED (too short). */
int muses_aead_seal(const uint8_t key[static 32], const uint8_t nonce[static 12],
                    const void *aad, size_t aad_size, const uint8_t *in, size_t size,
                    uint8_t *out);
int muses_aead_open(const uint8_t key[static 32], const uint8_t nonce[static 12],
                    const void *aad, size_t aad_size, const uint8_t *in, size_t size,
                    uint8_t *out);
/* Constant time. */
bool muses_equal_secret(const void *a, const void *b, size_t size);
void muses_cleanse(void *p, size_t size);

/* base64 (RFC 4648, with padding) of exactly size bytes; false if text is
 * anything else. */
bool muses_base64_parse(const char *text, uint8_t *out, size_t size);
/* text has room for 4 * ((size + 2) / 3) + 1 characters. */
void muses_base64_text(const uint8_t *data, size_t size, char *text);

#endif
