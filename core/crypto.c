/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SHA-256, HMAC, HKDF and one-use AEAD over EVP, and the table of what was
 * fetched.  The curves are in core/curve.c.
 *
 * OpenSSL puts an entry into its error queue for each forged tag; we take it out
 * again, or a flood of forgeries would show as somebody else's error.
 */
#include "core/crypto.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>

#include <pthread.h>

/* EVP counts in int, and no caller has more than a packet or a small file. */
#define MOST_BYTES (1u << 24)

static struct core_crypto table;
static bool table_complete;
static pthread_once_t table_once = PTHREAD_ONCE_INIT;

static EVP_MAC_CTX *hmac_template(OSSL_LIB_CTX *library)
{
	char digest[] = "SHA256";
	const OSSL_PARAM param[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_end(),
	};
	EVP_MAC *mac = EVP_MAC_fetch(library, "HMAC", NULL);
	EVP_MAC_CTX *ctx = mac == NULL ? NULL : EVP_MAC_CTX_new(mac);

	EVP_MAC_free(mac); /* ctx keeps a reference. */
	if (ctx != NULL && EVP_MAC_CTX_set_params(ctx, param) != 1) {
		EVP_MAC_CTX_free(ctx);
		ctx = NULL;
	}
	return ctx;
}

static void fill_table(void)
{
	table.library = OSSL_LIB_CTX_new();
	if (table.library == NULL)
		return;
	table.sha256 = EVP_MD_fetch(table.library, "SHA256", NULL);
	table.hmac_sha256 = hmac_template(table.library);
	table.aes_256_gcm = EVP_CIPHER_fetch(table.library, "AES-256-GCM", NULL);
	table.chacha20_poly1305 =
		EVP_CIPHER_fetch(table.library, "ChaCha20-Poly1305", NULL);
	table_complete = table.sha256 != NULL && table.hmac_sha256 != NULL &&
	                 table.aes_256_gcm != NULL && table.chacha20_poly1305 != NULL;
	ERR_clear_error();
}

const struct core_crypto *core_crypto(void)
{
	if (pthread_once(&table_once, fill_table) != 0 || !table_complete)
		return NULL;
	return &table;
}

/* ---- SHA-256, HMAC, HKDF -------------------------------------------------- */

int muses_sha256(const struct muses_part *part, size_t count, uint8_t out[static 32])
{
	const struct core_crypto *c = core_crypto();
	EVP_MD_CTX *ctx = c == NULL ? NULL : EVP_MD_CTX_new();
	bool good = ctx != NULL && EVP_DigestInit_ex2(ctx, c->sha256, NULL) == 1;

	for (size_t i = 0; good && i < count; i++)
		good = EVP_DigestUpdate(ctx, part[i].data, part[i].size) == 1;
	good = good && EVP_DigestFinal_ex(ctx, out, NULL) == 1;
	EVP_MD_CTX_free(ctx); /* Cleanses its state. */
	return good ? 0 : MUSES_ECRYPTO;
}

int muses_hmac_sha256(const uint8_t *key, size_t key_size, const struct muses_part *part,
                      size_t count, uint8_t out[static 32])
{
	/* Without a key, EVP would go on with one from before.  HMAC fills a key up
	 * with zeros, so this one is the same as an empty one. */
	static const uint8_t empty[1] = { 0 };
	const struct core_crypto *c = core_crypto();
	EVP_MAC_CTX *ctx = c == NULL ? NULL : EVP_MAC_CTX_dup(c->hmac_sha256);
	size_t size = 0;
	bool good;

	good = ctx != NULL && EVP_MAC_init(ctx, key_size == 0 ? empty : key,
	                                   key_size == 0 ? 1 : key_size, NULL) == 1;
	for (size_t i = 0; good && i < count; i++)
		good = EVP_MAC_update(ctx, part[i].data, part[i].size) == 1;
	good = good && EVP_MAC_final(ctx, out, &size, 32) == 1 && size == 32;
	EVP_MAC_CTX_free(ctx);
	return good ? 0 : MUSES_ECRYPTO;
}

int muses_hkdf_extract(const uint8_t *salt, size_t salt_size, const uint8_t *secret,
                       size_t secret_size, uint8_t out[static 32])
{
	const struct muses_part part = { secret, secret_size };

	return muses_hmac_sha256(salt, salt_size, &part, 1, out);
}

int muses_hkdf_expand(const uint8_t secret[static 32], const void *info, size_t info_size,
                      uint8_t *out, size_t out_size)
{
	uint8_t block[32];
	uint8_t counter = 1;
	int err = 0;

	if (out_size > 255 * sizeof(block))
		return MUSES_EUSAGE;
	for (size_t done = 0; err == 0 && done < out_size; counter++) {
		const struct muses_part part[] = {
			{ block, counter == 1 ? 0 : sizeof(block) },
			{ info, info_size },
			{ &counter, 1 },
		};
		size_t take = out_size - done;

		if (take > sizeof(block))
			take = sizeof(block);
		err = muses_hmac_sha256(secret, 32, part, 3, block);
		if (err == 0)
			memcpy(out + done, block, take);
		done += take;
	}
	OPENSSL_cleanse(block, sizeof(block));
	if (err != 0)
		OPENSSL_cleanse(out, out_size);
	return err;
}

/* ---- AEAD ------------------------------------------------------------------ */

static EVP_CIPHER_CTX *aead_context(enum core_cipher which, int sealing,
                                    const uint8_t *key, const uint8_t *nonce,
                                    const void *aad, size_t aad_size)
{
	const struct core_crypto *c = core_crypto();
	EVP_CIPHER_CTX *ctx = c == NULL ? NULL : EVP_CIPHER_CTX_new();
	const EVP_CIPHER *cipher;
	int size;

	if (ctx == NULL)
		return NULL;
	cipher = which == CORE_AES_256_GCM ? c->aes_256_gcm : c->chacha20_poly1305;
	if (EVP_CipherInit_ex2(ctx, cipher, key, nonce, sealing, NULL) == 1 &&
	    (aad_size == 0 ||
	     EVP_CipherUpdate(ctx, NULL, &size, aad, (int)aad_size) == 1))
		return ctx;
	EVP_CIPHER_CTX_free(ctx);
	return NULL;
}

int core_aead_seal(enum core_cipher which, const uint8_t key[static 32],
                   const uint8_t nonce[static 12], const void *aad, size_t aad_size,
                   const uint8_t *in, size_t size, uint8_t *out)
{
	EVP_CIPHER_CTX *ctx;
	int got = 0, last = 0;
	bool good;

	if (size > MOST_BYTES || aad_size > MOST_BYTES)
		return MUSES_EUSAGE;
	ctx = aead_context(which, 1, key, nonce, aad, aad_size);
	good = ctx != NULL &&
	       (size == 0 || EVP_EncryptUpdate(ctx, out, &got, in, (int)size) == 1) &&
	       EVP_EncryptFinal_ex(ctx, out + got, &last) == 1 &&
	       (size_t)got + (size_t)last == size &&
	       EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, CORE_TAG_SIZE,
	                           out + size) == 1;
	EVP_CIPHER_CTX_free(ctx);
	if (!good)
		ERR_clear_error();
	return good ? 0 : MUSES_ECRYPTO;
}

int core_aead_open(enum core_cipher which, const uint8_t key[static 32],
                   const uint8_t nonce[static 12], const void *aad, size_t aad_size,
                   const uint8_t *in, size_t size, uint8_t *out)
{
	EVP_CIPHER_CTX *ctx;
	uint8_t tag[CORE_TAG_SIZE];
	int got = 0, last = 0, err;

	if (size < CORE_TAG_SIZE)
		return MUSES_EMALFORMED;
	if (size > MOST_BYTES || aad_size > MOST_BYTES)
		return MUSES_EUSAGE;
	size -= CORE_TAG_SIZE;
	memcpy(tag, in + size, CORE_TAG_SIZE);
	ctx = aead_context(which, 0, key, nonce, aad, aad_size);
	/* Always all 16 bytes: without a tag set, ChaCha20-Poly1305 accepts anything. */
	if (ctx == NULL ||
	    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, CORE_TAG_SIZE, tag) != 1)
		err = MUSES_ECRYPTO;
	else if ((size == 0 || EVP_DecryptUpdate(ctx, out, &got, in, (int)size) == 1) &&
	         EVP_DecryptFinal_ex(ctx, out + got, &last) == 1 &&
	         (size_t)got + (size_t)last == size)
		err = 0;
	else
		err = MUSES_EAUTH;
	EVP_CIPHER_CTX_free(ctx);
	if (err != 0) {
		/* The forged text has been written by now. */
		OPENSSL_cleanse(out, size);
		ERR_clear_error();
	}
	return err;
}

int muses_aead_seal(const uint8_t key[static 32], const uint8_t nonce[static 12],
                    const void *aad, size_t aad_size, const uint8_t *in, size_t size,
                    uint8_t *out)
{
	return core_aead_seal(CORE_AES_256_GCM, key, nonce, aad, aad_size, in, size, out);
}

int muses_aead_open(const uint8_t key[static 32], const uint8_t nonce[static 12],
                    const void *aad, size_t aad_size, const uint8_t *in, size_t size,
                    uint8_t *out)
{
	return core_aead_open(CORE_AES_256_GCM, key, nonce, aad, aad_size, in, size, out);
}

/* ---- memory ------------------------------------------------------------------ */

bool muses_equal_secret(const void *a, const void *b, size_t size)
{
	return CRYPTO_memcmp(a, b, size) == 0;
}

void muses_cleanse(void *p, size_t size)
{
	OPENSSL_cleanse(p, size);
}
