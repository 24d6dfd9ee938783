/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AEADs of OpenSSL 3.0, wrapped so that they cannot be used wrongly.
 *
 * The context keeps cipher and key; a packet sets its nonce and no more.  Left
 * alone, EVP would accept a nonce twice, seal a second packet without one,
 * accept a packet whose tag nobody set (ChaCha20-Poly1305) or was set to a few
 * bytes, and leave unauthentic plain text behind.  tests/t_suites_traps.c tries
 * each of these here.
 */
#include "plugins/security/aead.h"

#include <muses/plugin.h>

#include "plugins/security/sealing.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include <string.h>

struct aead {
	EVP_CIPHER_CTX *cipher;
	enum muses_direction direction;
	struct sealing sealing;
	uint8_t iv[MUSES_IV_SIZE];
};

void *aead_open(const char *algorithm, enum muses_direction direction,
                const struct muses_key_material *material)
{
	struct aead *a = muses_zalloc(sizeof(*a));
	EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, algorithm, NULL);
	int encrypt = direction == MUSES_SEALING;

	if (a == NULL || cipher == NULL)
		goto fail;
	a->direction = direction;
	memcpy(a->iv, material->iv, sizeof(a->iv));
	a->cipher = EVP_CIPHER_CTX_new();
	if (a->cipher == NULL || EVP_CipherInit_ex2(a->cipher, cipher, material->key,
	                                            material->iv, encrypt, NULL) != 1)
		goto fail;
	EVP_CIPHER_free(cipher); /* The context has its own reference. */
	return a;
fail:
	EVP_CIPHER_free(cipher);
	aead_close(a);
	ERR_clear_error();
	return NULL;
}

void aead_close(void *context)
{
	struct aead *a = context;

	if (a == NULL)
		return;
	EVP_CIPHER_CTX_free(a->cipher);
	muses_free_secret(a, sizeof(*a));
}

/* iv xor seq, right-aligned and big-endian. */
static void set_nonce(const struct aead *a, uint64_t seq, uint8_t nonce[MUSES_IV_SIZE])
{
	memcpy(nonce, a->iv, MUSES_IV_SIZE);
	for (size_t i = MUSES_IV_SIZE; i-- > MUSES_IV_SIZE - sizeof(seq); seq >>= 8)
		nonce[i] ^= (uint8_t)seq;
}

/* Begin a packet: new nonce, additional data. */
static bool begin(struct aead *a, uint64_t seq, const uint8_t *aad, size_t aad_size)
{
	uint8_t nonce[MUSES_IV_SIZE];
	int done;

	set_nonce(a, seq, nonce);
	return EVP_CipherInit_ex2(a->cipher, NULL, NULL, nonce, -1, NULL) == 1 &&
	       (aad_size == 0 ||
	        EVP_CipherUpdate(a->cipher, NULL, &done, aad, (int)aad_size) == 1);
}

int aead_seal(void *context, uint64_t seq, const uint8_t *aad, size_t aad_size,
              const struct iovec *iov, size_t iov_count, uint8_t *out,
              size_t *sealed_size)
{
	struct aead *a = context;
	size_t plain_size;
	uint8_t *at = out;
	int done;

	if (a->direction != MUSES_SEALING ||
	    sealing_begin(&a->sealing, seq, aad_size, iov, iov_count, AEAD_TAG_SIZE,
	                  &plain_size) != 0)
		return MUSES_EUSAGE;
	if (!begin(a, seq, aad, aad_size))
		goto fail;
	for (size_t i = 0; i < iov_count; i++) {
		if (iov[i].iov_len == 0)
			continue;
		if (EVP_EncryptUpdate(a->cipher, at, &done, iov[i].iov_base,
		                      (int)iov[i].iov_len) != 1)
			goto fail;
		at += done;
	}
	if (EVP_EncryptFinal_ex(a->cipher, at, &done) != 1 ||
	    EVP_CIPHER_CTX_ctrl(a->cipher, EVP_CTRL_AEAD_GET_TAG, AEAD_TAG_SIZE,
	                        out + plain_size) != 1)
		goto fail;
	*sealed_size = plain_size + AEAD_TAG_SIZE;
	return 0;
fail:
	ERR_clear_error();
	OPENSSL_cleanse(out, plain_size + AEAD_TAG_SIZE);
	return MUSES_ECRYPTO;
}

int aead_unseal(void *context, uint64_t seq, const uint8_t *aad, size_t aad_size,
                uint8_t *data, size_t size, size_t *plain_size)
{
	struct aead *a = context;
	size_t cipher_size = size - AEAD_TAG_SIZE;
	int done;

	if (a->direction != MUSES_OPENING || size < AEAD_TAG_SIZE ||
	    size > MUSES_PACKET_MAX || aad_size > MUSES_PACKET_MAX)
		goto fail;
	/* The tag of the packet before is still in there, so it is always set, and
	 * always whole: EVP would compare only as many bytes as it was given. */
	if (!begin(a, seq, aad, aad_size) ||
	    EVP_CIPHER_CTX_ctrl(a->cipher, EVP_CTRL_AEAD_SET_TAG, AEAD_TAG_SIZE,
	                        data + cipher_size) != 1 ||
	    (cipher_size > 0 &&
	     EVP_DecryptUpdate(a->cipher, data, &done, data, (int)cipher_size) != 1) ||
	    EVP_DecryptFinal_ex(a->cipher, data + cipher_size, &done) != 1)
		goto fail;
	*plain_size = cipher_size;
	return 0;
fail:
	ERR_clear_error();
	OPENSSL_cleanse(data, size);
	return MUSES_EAUTH;
}
