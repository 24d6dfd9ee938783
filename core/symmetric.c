/* SPDX-License-Identifier: Apache-2.0 */
/* See core/symmetric.h.  Names are those of the specification. */
#include "core/symmetric.h"

#define KEY_SIZE MUSES_NOISE_KEY_SIZE

int core_mix_hash(struct core_symmetric *s, const void *data, size_t size)
{
	const struct muses_part part[] = { { s->h, CORE_HASH_SIZE }, { data, size } };

	return muses_sha256(part, 2, s->h);
}

int core_noise_hkdf(const uint8_t *ck, const uint8_t *input, size_t input_size,
                    size_t count, uint8_t out[3][CORE_HASH_SIZE])
{
	const struct muses_part in = { input, input_size };
	uint8_t secret[CORE_HASH_SIZE];
	int err = muses_hmac_sha256(ck, CORE_HASH_SIZE, &in, 1, secret);

	for (size_t i = 0; err == 0 && i < count; i++) {
		const uint8_t number = (uint8_t)(i + 1);
		const struct muses_part part[] = {
			{ i == 0 ? NULL : out[i - 1], i == 0 ? 0 : CORE_HASH_SIZE },
			{ &number, 1 },
		};

		err = muses_hmac_sha256(secret, CORE_HASH_SIZE, i == 0 ? part + 1 : part,
		                        i == 0 ? 1 : 2, out[i]);
	}
	muses_cleanse(secret, sizeof(secret));
	return err;
}

static void set_k(struct core_symmetric *s, const uint8_t *k)
{
	memcpy(s->k, k, KEY_SIZE);
	s->has_k = true;
	s->n = 0;
}

int core_mix_key(struct core_symmetric *s, const uint8_t *input, size_t size)
{
	uint8_t out[3][CORE_HASH_SIZE];
	int err = core_noise_hkdf(s->ck, input, size, 2, out);

	if (err == 0) {
		memcpy(s->ck, out[0], CORE_HASH_SIZE);
		set_k(s, out[1]);
	}
	muses_cleanse(out, sizeof(out));
	return err;
}

int core_mix_key_and_hash(struct core_symmetric *s, const uint8_t *psk)
{
	uint8_t out[3][CORE_HASH_SIZE];
	int err = core_noise_hkdf(s->ck, psk, KEY_SIZE, 3, out);

	if (err == 0) {
		memcpy(s->ck, out[0], CORE_HASH_SIZE);
		err = core_mix_hash(s, out[1], CORE_HASH_SIZE);
	}
	if (err == 0)
		set_k(s, out[2]);
	muses_cleanse(out, sizeof(out));
	return err;
}

/* Four zero bytes and n: little-endian for ChaCha20-Poly1305, big-endian for GCM. */
static void next_nonce(struct core_symmetric *s, uint8_t nonce[static 12])
{
	memset(nonce, 0, 12);
	for (size_t i = 0; i < 8; i++)
		nonce[4 + (s->cipher == CORE_AES_256_GCM ? 7 - i : i)] =
			(uint8_t)(s->n >> (8 * i));
	s->n++;
}

static size_t tag_size(const struct core_symmetric *s)
{
	return s->has_k ? CORE_TAG_SIZE : 0;
}

int core_encrypt_and_hash(struct core_symmetric *s, const uint8_t *plain, size_t size,
                          uint8_t **out)
{
	size_t sealed = size + tag_size(s);
	uint8_t nonce[12];
	int err = 0;

	if (s->has_k) {
		next_nonce(s, nonce);
		err = core_aead_seal(s->cipher, s->k, nonce, s->h, CORE_HASH_SIZE, plain,
		                     size, *out);
	} else if (size > 0) {
		memcpy(*out, plain, size);
	}
	if (err == 0)
		err = core_mix_hash(s, *out, sealed);
	*out += sealed;
	return err;
}

int core_decrypt_and_hash(struct core_symmetric *s, const uint8_t **in, size_t size,
                          uint8_t *plain)
{
	size_t sealed = size + tag_size(s);
	uint8_t nonce[12];
	int err = 0;

	if (s->has_k) {
		next_nonce(s, nonce);
		err = core_aead_open(s->cipher, s->k, nonce, s->h, CORE_HASH_SIZE, *in,
		                     sealed, plain);
	} else if (size > 0) {
		memcpy(plain, *in, size);
	}
	if (err == 0)
		err = core_mix_hash(s, *in, sealed);
	*in += sealed;
	return err;
}
