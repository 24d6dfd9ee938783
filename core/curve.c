/* SPDX-License-Identifier: Apache-2.0 */
/*
 * X25519 and Ed25519 on raw 32-byte keys.
 *
 * OpenSSL checks less than one would think: it takes low-order X25519 points
 * (and then fails to derive, which we turn into MUSES_EAUTH), and it verifies
 * any message under a small-order Ed25519 key.  The latter are refused here
 * before it sees them.
 */
#include "core/crypto.h"

#include <openssl/core_names.h>
#include <openssl/err.h>

#define KEY_SIZE       32
#define SIGNATURE_SIZE 64

static EVP_PKEY *secret_key(const char *type, const uint8_t *secret)
{
	const struct core_crypto *c = core_crypto();

	if (c == NULL)
		return NULL;
	return EVP_PKEY_new_raw_private_key_ex(c->library, type, NULL, secret, KEY_SIZE);
}

static EVP_PKEY *public_key_of(const char *type, const uint8_t *public_key)
{
	const struct core_crypto *c = core_crypto();

	if (c == NULL)
		return NULL;
	return EVP_PKEY_new_raw_public_key_ex(c->library, type, NULL, public_key,
	                                      KEY_SIZE);
}

static int derive_public(const char *type, const uint8_t *secret, uint8_t *public_key)
{
	EVP_PKEY *key = secret_key(type, secret);
	size_t size = KEY_SIZE;
	bool good = key != NULL &&
	            EVP_PKEY_get_raw_public_key(key, public_key, &size) == 1 &&
	            size == KEY_SIZE;

	EVP_PKEY_free(key);
	if (!good)
		ERR_clear_error();
	return good ? 0 : MUSES_ECRYPTO;
}

/* ---- X25519 ------------------------------------------------------------------ */

int muses_x25519_public(const uint8_t secret[static 32], uint8_t public_key[static 32])
{
	return derive_public("X25519", secret, public_key);
}

/*
 * A private key for EVP_PKEY_derive() alone.  Given no public half, OpenSSL
 * computes it, which costs as much as the agreement itself; the agreement never
 * looks at it, so any 32 bytes do.
 */
static EVP_PKEY *agreement_key(OSSL_LIB_CTX *library, const uint8_t *secret,
                               const uint8_t *any)
{
	OSSL_PARAM param[] = {
		OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PRIV_KEY,
		                                  (void *)secret, KEY_SIZE),
		OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, (void *)any,
		                                  KEY_SIZE),
		OSSL_PARAM_construct_end(),
	};
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(library, "X25519", NULL);
	EVP_PKEY *key = NULL;

	if (ctx == NULL || EVP_PKEY_fromdata_init(ctx) != 1 ||
	    EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_KEYPAIR, param) != 1)
		key = NULL;
	EVP_PKEY_CTX_free(ctx);
	return key;
}

int muses_x25519(const uint8_t secret[static 32], const uint8_t peer[static 32],
                 uint8_t out[static 32])
{
	static const uint8_t zero[KEY_SIZE];
	const struct core_crypto *c = core_crypto();
	EVP_PKEY *ours = c == NULL ? NULL : agreement_key(c->library, secret, peer);
	EVP_PKEY *theirs = public_key_of("X25519", peer);
	EVP_PKEY_CTX *ctx = NULL;
	size_t size = KEY_SIZE;
	int err = MUSES_ECRYPTO;

	if (ours != NULL && theirs != NULL)
		ctx = EVP_PKEY_CTX_new_from_pkey(c->library, ours, NULL);
	if (ctx != NULL && EVP_PKEY_derive_init(ctx) == 1 &&
	    EVP_PKEY_derive_set_peer_ex(ctx, theirs, 0) == 1) {
		/* What is left to fail is an all-zero result; 3.0 refuses it itself. */
		bool good = EVP_PKEY_derive(ctx, out, &size) == 1 && size == KEY_SIZE;

		err = good && !muses_equal_secret(out, zero, KEY_SIZE) ? 0 : MUSES_EAUTH;
	}
	EVP_PKEY_CTX_free(ctx);
	EVP_PKEY_free(theirs);
	EVP_PKEY_free(ours);
	if (err != 0) {
		muses_cleanse(out, KEY_SIZE);
		ERR_clear_error();
	}
	return err;
}

/* ---- Ed25519 ----------------------------------------------------------------- */

int muses_ed25519_public(const uint8_t seed[static 32], uint8_t public_key[static 32])
{
	return derive_public("ED25519", seed, public_key);
}

int muses_ed25519_sign(const uint8_t seed[static 32], const void *data, size_t size,
                       uint8_t signature[static 64])
{
	EVP_PKEY *key = secret_key("ED25519", seed);
	EVP_MD_CTX *ctx = key == NULL ? NULL : EVP_MD_CTX_new();
	size_t made = SIGNATURE_SIZE;
	bool good = ctx != NULL &&
	            EVP_DigestSignInit_ex(ctx, NULL, NULL, core_crypto()->library, NULL,
	                                  key, NULL) == 1 &&
	            EVP_DigestSign(ctx, signature, &made, data, size) == 1 &&
	            made == SIGNATURE_SIZE;

	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(key);
	if (!good)
		ERR_clear_error();
	return good ? 0 : MUSES_ECRYPTO;
}

/*
 * The y coordinates of the eight points whose order divides 8; each stands for
 * the two points that differ in the sign of x (the top bit).  Under such a key
 * anybody can sign.
 */
static const uint8_t small_order_y[][KEY_SIZE] = {
	{ 0x01 }, /* The neutral point; order 1. */
	{ 0x00 }, /* Order 4. */
	/* p - 1; order 2. */
	{ 0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	  0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	  0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f },
	/* Order 8, both. */
	{ 0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4,
	  0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6,
	  0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05 },
	{ 0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b,
	  0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39,
	  0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a },
};

bool core_field_canonical(const uint8_t y[static 32])
{
	/* p is 2^255 - 19: 0xed, thirty times 0xff, 0x7f. */
	if (y[31] != 0x7f || y[0] < 0xed)
		return y[31] <= 0x7f;
	for (size_t i = 1; i < 31; i++)
		if (y[i] != 0xff)
			return true;
	return false;
}

/* Public data: no need for constant time. */
bool core_ed25519_sound(const uint8_t public_key[static 32])
{
	uint8_t y[KEY_SIZE];

	memcpy(y, public_key, sizeof(y));
	y[31] &= 0x7f;
	if (!core_field_canonical(y))
		return false;
	for (size_t i = 0; i < sizeof(small_order_y) / sizeof(small_order_y[0]); i++)
		if (memcmp(y, small_order_y[i], sizeof(y)) == 0)
			return false;
	return true;
}

int muses_ed25519_verify(const uint8_t public_key[static 32], const void *data,
                         size_t size, const uint8_t signature[static 64])
{
	EVP_PKEY *key = core_ed25519_sound(public_key)
	                        ? public_key_of("ED25519", public_key)
	                        : NULL;
	EVP_MD_CTX *ctx = key == NULL ? NULL : EVP_MD_CTX_new();
	bool good = ctx != NULL &&
	            EVP_DigestVerifyInit_ex(ctx, NULL, NULL, core_crypto()->library, NULL,
	                                    key, NULL) == 1 &&
	            EVP_DigestVerify(ctx, signature, SIGNATURE_SIZE, data, size) == 1;

	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(key);
	if (!good)
		ERR_clear_error();
	return good ? 0 : MUSES_EAUTH;
}
