/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Encrypt-then-MAC.  Opening compares the tag first and looks at nothing else
 * before it is right: the padding of an unauthentic packet is never seen, so
 * that there is nothing to learn from how long a refusal takes.
 */
#include "plugins/security/aes_hmac/etm.h"

#include <muses/plugin.h>

#include "plugins/security/sealing.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include <string.h>

enum { BLOCK_SIZE = 16 };

struct etm {
	enum muses_direction direction;
	enum etm_mode mode;
	size_t tag_size;
	struct sealing sealing;
	EVP_CIPHER_CTX *cipher;
	EVP_CIPHER_CTX *block; /* cbc: AES of one block, under the key for IVs. */
	EVP_MAC_CTX *mac;
};

static EVP_CIPHER_CTX *cipher_open(uint32_t bits, const char *mode, int encrypt,
                                   const uint8_t *key)
{
	char name[] = "AES-xxx-xxx";
	uint8_t iv[BLOCK_SIZE] = { 0 };
	EVP_CIPHER *cipher;
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();

	memcpy(name + 4, bits == 128 ? "128" : "256", 3);
	memcpy(name + 8, mode, 3);
	cipher = EVP_CIPHER_fetch(NULL, name, NULL);
	if (context == NULL || cipher == NULL ||
	    EVP_CipherInit_ex2(context, cipher, key, iv, encrypt, NULL) != 1) {
		EVP_CIPHER_CTX_free(context);
		context = NULL;
	}
	EVP_CIPHER_free(cipher); /* The context has its own reference. */
	return context;
}

static EVP_MAC_CTX *mac_open(enum etm_mac mac, const uint8_t *key)
{
	char sha1[] = "SHA1", sha256[] = "SHA256";
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST,
		                                 mac == ETM_SHA1 ? sha1 : sha256, 0),
		OSSL_PARAM_construct_end(),
	};
	size_t key_size = mac == ETM_SHA1 ? ETM_MAC_SIZE_sha1 : ETM_MAC_SIZE_sha256;
	EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	EVP_MAC_CTX *context = hmac != NULL ? EVP_MAC_CTX_new(hmac) : NULL;

	if (context != NULL && EVP_MAC_init(context, key, key_size, params) != 1) {
		EVP_MAC_CTX_free(context);
		context = NULL;
	}
	EVP_MAC_free(hmac);
	return context;
}

void *etm_open(uint32_t bits, enum etm_mode mode, enum etm_mac mac,
               enum muses_direction direction, const struct muses_key_material *material)
{
	struct etm *e = muses_zalloc(sizeof(*e));

	if (e == NULL)
		return NULL;
	e->direction = direction;
	e->mode = mode;
	e->tag_size = mac == ETM_SHA1 ? ETM_TAG_SIZE_sha1 : ETM_TAG_SIZE_sha256;
	e->cipher = cipher_open(bits, mode == ETM_CBC ? "CBC" : "CTR",
	                        direction == MUSES_SEALING, material->key);
	e->mac = mac_open(mac, material->mac);
	if (e->cipher == NULL || e->mac == NULL)
		goto fail;
	if (mode == ETM_CBC) {
		e->block = cipher_open(bits, "ECB", 1, material->key + bits / 8);
		if (e->block == NULL || EVP_CIPHER_CTX_set_padding(e->block, 0) != 1)
			goto fail;
	}
	return e;
fail:
	etm_close(e);
	ERR_clear_error();
	return NULL;
}

void etm_close(void *context)
{
	struct etm *e = context;

	if (e == NULL)
		return;
	EVP_CIPHER_CTX_free(e->cipher);
	EVP_CIPHER_CTX_free(e->block);
	EVP_MAC_CTX_free(e->mac);
	muses_free_secret(e, sizeof(*e));
}

static void put_number(uint8_t out[8], uint64_t number)
{
	for (size_t i = 8; i-- > 0; number >>= 8)
		out[i] = (uint8_t)number;
}

static bool set_iv(struct etm *e, uint64_t seq)
{
	uint8_t iv[BLOCK_SIZE] = { 0 };
	int done;

	put_number(iv, seq);
	if (e->mode == ETM_CBC &&
	    EVP_EncryptUpdate(e->block, iv, &done, iv, sizeof(iv)) != 1)
		return false;
	return EVP_CipherInit_ex2(e->cipher, NULL, NULL, iv, -1, NULL) == 1;
}

/* The whole HMAC; the tag is the first tag_size bytes of it. */
static bool authenticate(struct etm *e, uint64_t seq, const uint8_t *aad, size_t aad_size,
                         const uint8_t *sealed, size_t size,
                         uint8_t hmac[EVP_MAX_MD_SIZE])
{
	uint8_t number[8], sizes[16];
	size_t hmac_size;

	put_number(number, seq);
	put_number(sizes, aad_size);
	put_number(sizes + 8, size);
	/* Without the init, OpenSSL goes on after the end and says all is well. */
	return EVP_MAC_init(e->mac, NULL, 0, NULL) == 1 &&
	       (aad_size == 0 || EVP_MAC_update(e->mac, aad, aad_size) == 1) &&
	       EVP_MAC_update(e->mac, number, sizeof(number)) == 1 &&
	       (size == 0 || EVP_MAC_update(e->mac, sealed, size) == 1) &&
	       EVP_MAC_update(e->mac, sizes, sizeof(sizes)) == 1 &&
	       EVP_MAC_final(e->mac, hmac, &hmac_size, EVP_MAX_MD_SIZE) == 1;
}

int etm_seal(void *context, uint64_t seq, const uint8_t *aad, size_t aad_size,
             const struct iovec *iov, size_t iov_count, uint8_t *out, size_t *sealed_size)
{
	struct etm *e = context;
	size_t padding = e->mode == ETM_CBC ? BLOCK_SIZE : 0;
	uint8_t hmac[EVP_MAX_MD_SIZE];
	uint8_t *at = out;
	size_t plain_size;
	int done;

	if (e->direction != MUSES_SEALING ||
	    sealing_begin(&e->sealing, seq, aad_size, iov, iov_count,
	                  e->tag_size + padding, &plain_size) != 0)
		return MUSES_EUSAGE;
	if (!set_iv(e, seq))
		goto fail;
	for (size_t i = 0; i < iov_count; i++) {
		if (iov[i].iov_len == 0)
			continue;
		if (EVP_EncryptUpdate(e->cipher, at, &done, iov[i].iov_base,
		                      (int)iov[i].iov_len) != 1)
			goto fail;
		at += done;
	}
	if (EVP_EncryptFinal_ex(e->cipher, at, &done) != 1)
		goto fail;
	at += done;
	if (!authenticate(e, seq, aad, aad_size, out, (size_t)(at - out), hmac))
		goto fail;
	memcpy(at, hmac, e->tag_size);
	*sealed_size = (size_t)(at - out) + e->tag_size;
	return 0;
fail:
	ERR_clear_error();
	OPENSSL_cleanse(out, plain_size + padding + e->tag_size);
	return MUSES_ECRYPTO;
}

int etm_unseal(void *context, uint64_t seq, const uint8_t *aad, size_t aad_size,
               uint8_t *data, size_t size, size_t *plain_size)
{
	struct etm *e = context;
	uint8_t hmac[EVP_MAX_MD_SIZE];
	size_t cipher_size;
	int done = 0, rest = 0;

	if (e->direction != MUSES_OPENING || size < e->tag_size ||
	    size > MUSES_PACKET_MAX || aad_size > MUSES_PACKET_MAX)
		goto fail;
	cipher_size = size - e->tag_size;
	if (!authenticate(e, seq, aad, aad_size, data, cipher_size, hmac) ||
	    CRYPTO_memcmp(hmac, data + cipher_size, e->tag_size) != 0)
		goto fail;
	if (!set_iv(e, seq) ||
	    (cipher_size > 0 &&
	     EVP_DecryptUpdate(e->cipher, data, &done, data, (int)cipher_size) != 1) ||
	    EVP_DecryptFinal_ex(e->cipher, data + done, &rest) != 1)
		goto fail;
	*plain_size = (size_t)done + (size_t)rest;
	return 0;
fail:
	ERR_clear_error();
	OPENSSL_cleanse(hmac, sizeof(hmac)); /* A forger would like to know it. */
	OPENSSL_cleanse(data, size);
	return MUSES_EAUTH;
}
