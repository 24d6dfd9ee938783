/* SPDX-License-Identifier: Apache-2.0 */
/* X25519 and Ed25519 against published answers, and the keys that OpenSSL would
 * take and we must not. */
#include "core/crypto.h"
#include "tests/hex.h"
#include "tests/tap.h"
#include "tests/vectors.h"

#include <jansson.h>
#include <openssl/err.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const char *text_of(json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text == NULL ? "" : text;
}

static json_t *load(const char *file)
{
	const char *path = vectors_path(file);
	json_t *root;

	if (path == NULL) {
		tap_skip("the published vectors are not here");
		return NULL;
	}
	root = json_load_file(path, 0, NULL);
	CU_ASSERT_PTR_NOT_NULL(root);
	return root;
}

/* ---- X25519 ------------------------------------------------------------------ */

static void x25519_gives_the_answers_of_rfc_7748(void)
{
	static const struct {
		const char *secret, *peer, *shared, *why;
	} row[] = {
		{ "a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
		  "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
		  "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552",
		  "5.2, first" },
		{ "4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d",
		  "e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493",
		  "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957",
		  "5.2, second: the top bit of the point is ignored" },
		{ "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb",
		  "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a",
		  "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742",
		  "6.1, Bob's side" },
	};

	for (size_t i = 0; i < COUNT(row); i++) {
		uint8_t secret[32], peer[32], want[32], got[32];

		hex(row[i].secret, secret, 32);
		hex(row[i].peer, peer, 32);
		hex(row[i].shared, want, 32);
		CU_ASSERT_EQUAL(muses_x25519(secret, peer, got), 0);
		TAP_NOTE_IF(memcmp(got, want, 32) != 0, "%s", row[i].why);
		CU_ASSERT(memcmp(got, want, 32) == 0);
	}
}

static void x25519_public_keys_are_those_of_rfc_7748(void)
{
	uint8_t secret[32], want[32], got[32];

	hex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb", secret,
	    32);
	hex("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f", want, 32);
	CU_ASSERT_EQUAL(muses_x25519_public(secret, got), 0);
	CU_ASSERT(memcmp(got, want, 32) == 0);
}

static void a_thousand_x25519_in_a_row_give_the_answer_of_rfc_7748(void)
{
	uint8_t k[32] = { 9 }, u[32] = { 9 }, next[32], want[32];

	for (unsigned i = 0; i < 1000; i++) {
		CU_ASSERT_EQUAL(muses_x25519(k, u, next), 0);
		memcpy(u, k, 32);
		memcpy(k, next, 32);
	}
	hex("684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51", want, 32);
	CU_ASSERT(memcmp(k, want, 32) == 0);
}

static void low_order_points_agree_on_nothing(void)
{
	static const char *const point[] = {
		"0000000000000000000000000000000000000000000000000000000000000000",
		"0100000000000000000000000000000000000000000000000000000000000000",
		"e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
		"5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	};
	static const uint8_t wiped[32];
	const uint8_t secret[32] = { 7 };

	for (size_t i = 0; i < COUNT(point); i++) {
		uint8_t peer[32], out[32];

		for (unsigned top = 0; top < 2; top++) {
			hex(point[i], peer, 32);
			peer[31] |= (uint8_t)(top << 7);
			memset(out, 0xff, 32);
			CU_ASSERT_EQUAL(muses_x25519(secret, peer, out), MUSES_EAUTH);
			CU_ASSERT(memcmp(out, wiped, 32) == 0);
		}
	}
	CU_ASSERT_EQUAL(ERR_peek_error(), 0);
}

static void x25519_agrees_with_wycheproof(void)
{
	json_t *root = load("wycheproof-x25519_test.json"), *group, *test;
	static const uint8_t zero[32];
	size_t i, k, count = 0, refused = 0;

	json_array_foreach (json_object_get(root, "testGroups"), i, group) {
		json_array_foreach (json_object_get(group, "tests"), k, test) {
			uint8_t secret[32], peer[32], want[32], got[32];
			bool nothing;
			int err;

			hex(text_of(test, "private"), secret, 32);
			hex(text_of(test, "public"), peer, 32);
			hex(text_of(test, "shared"), want, 32);
			nothing = memcmp(want, zero, 32) == 0;
			err = muses_x25519(secret, peer, got);
			TAP_NOTE_IF(
				(err == MUSES_EAUTH) != nothing, "test %d: %s",
				(int)json_integer_value(json_object_get(test, "tcId")),
				text_of(test, "comment"));
			CU_ASSERT_EQUAL(err, nothing ? MUSES_EAUTH : 0);
			CU_ASSERT(memcmp(got, want, 32) == 0);
			count++;
			refused += nothing;
		}
	}
	CU_ASSERT(root == NULL || count == 518);
	CU_ASSERT(root == NULL || refused == 31);
	json_decref(root);
}

static void a_number_has_one_form(void)
{
	static const struct {
		const char *number;
		bool canonical;
		const char *why;
	} row[] = {
		{ "0000000000000000000000000000000000000000000000000000000000000000",
		  true, "nought" },
		{ "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		  true, "p - 1" },
		{ "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		  false, "p" },
		{ "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		  false, "2^255 - 1" },
		{ "0000000000000000000000000000000000000000000000000000000000000080",
		  false, "the top bit" },
		{ "fffffffffffffffffffffffffffffeffffffffffffffffffffffffffffffff7f",
		  true, "a little less than p" },
		{ "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7e",
		  true, "less by the top byte" },
	};

	for (size_t i = 0; i < COUNT(row); i++) {
		uint8_t y[32];

		hex(row[i].number, y, 32);
		TAP_NOTE_IF(core_field_canonical(y) != row[i].canonical, "%s",
		            row[i].why);
		CU_ASSERT_EQUAL(core_field_canonical(y), row[i].canonical);
	}
}

/* ---- Ed25519 ----------------------------------------------------------------- */

static void ed25519_signs_as_rfc_8032_does(void)
{
	static const struct {
		const char *seed, *public_key, *message, *signature;
	} row[] = {
		{ "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
		  "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
		  "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
		  "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b" },
		{ "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
		  "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
		  "72",
		  "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
		  "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00" },
		{ "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
		  "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
		  "af82",
		  "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
		  "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a" },
	};

	for (size_t i = 0; i < COUNT(row); i++) {
		uint8_t seed[32], public_key[32], message[8] = { 0 }, want[64], got[64];
		size_t size = hex(row[i].message, message, sizeof(message));

		hex(row[i].seed, seed, 32);
		hex(row[i].signature, want, 64);
		CU_ASSERT_EQUAL(muses_ed25519_public(seed, got), 0);
		hex(row[i].public_key, public_key, 32);
		CU_ASSERT(memcmp(got, public_key, 32) == 0);
		CU_ASSERT_EQUAL(muses_ed25519_sign(seed, message, size, got), 0);
		CU_ASSERT(memcmp(got, want, 64) == 0);
		CU_ASSERT_EQUAL(muses_ed25519_verify(public_key, message, size, got), 0);
		for (size_t bit = 0; bit < 8 * sizeof(got); bit++) {
			got[bit / 8] ^= (uint8_t)(1u << bit % 8);
			CU_ASSERT_EQUAL(
				muses_ed25519_verify(public_key, message, size, got),
				MUSES_EAUTH);
			got[bit / 8] ^= (uint8_t)(1u << bit % 8);
		}
		message[0] ^= 1;
		CU_ASSERT_EQUAL(muses_ed25519_verify(public_key, message,
		                                     size + (size == 0), got),
		                MUSES_EAUTH);
	}
	CU_ASSERT_EQUAL(ERR_peek_error(), 0);
}

static void ed25519_agrees_with_wycheproof(void)
{
	json_t *root = load("wycheproof-ed25519_test.json"), *group, *test;
	size_t i, k, count = 0;

	json_array_foreach (json_object_get(root, "testGroups"), i, group) {
		uint8_t public_key[32];

		hex(text_of(json_object_get(group, "publicKey"), "pk"), public_key, 32);
		json_array_foreach (json_object_get(group, "tests"), k, test) {
			static uint8_t message[4096];
			uint8_t signature[64] = { 0 };
			size_t size = hex(text_of(test, "msg"), message, sizeof(message));
			bool whole = strlen(text_of(test, "sig")) == 128;
			bool valid = strcmp(text_of(test, "result"), "valid") == 0;
			int err;

			hex(text_of(test, "sig"), signature, 64);
			err = muses_ed25519_verify(public_key, message, size, signature);
			/* Our signatures have 64 bytes by their type: others have no
			 * form. */
			CU_ASSERT(err == (valid && whole ? 0 : MUSES_EAUTH) || !whole);
			TAP_NOTE_IF(
				whole && (err == 0) != valid, "test %d",
				(int)json_integer_value(json_object_get(test, "tcId")));
			count++;
		}
	}
	CU_ASSERT(root == NULL || count == 151);
	json_decref(root);
}

/* Does OpenSSL alone take this signature? */
static bool openssl_takes(const uint8_t *key, const uint8_t *signature,
                          const void *message, size_t size)
{
	EVP_PKEY *pkey = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, key, 32);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool taken = pkey != NULL &&
	             EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, pkey) == 1 &&
	             EVP_DigestVerify(ctx, signature, 64, message, size) == 1;

	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(pkey);
	ERR_clear_error();
	return taken;
}

static void keys_under_which_anybody_can_sign_are_refused(void)
{
	static const char *const key[] = {
		"0100000000000000000000000000000000000000000000000000000000000000",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"0000000000000000000000000000000000000000000000000000000000000000",
		"0000000000000000000000000000000000000000000000000000000000000080",
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
		/* The same points in forms that are not canonical. */
		"0100000000000000000000000000000000000000000000000000000000000080",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
	};
	static const uint8_t forged[64] = { 1 }; /* R: the neutral point; S: 0. */
	size_t canonical_taken = 0;

	for (size_t i = 0; i < COUNT(key); i++) {
		uint8_t k[32];
		bool taken = false;

		hex(key[i], k, 32);
		/* One in eight messages or so fits this signature. */
		for (uint8_t m = 0; m < 200; m++) {
			taken = taken || openssl_takes(k, forged, &m, 1);
			CU_ASSERT_EQUAL(muses_ed25519_verify(k, &m, 1, forged),
			                MUSES_EAUTH);
		}
		canonical_taken += i < 8 && taken;
	}
	/* The reason for the table: OpenSSL takes all eight. */
	CU_ASSERT_EQUAL(canonical_taken, 8);
}

static const struct tap_test tests[] = {
	{ "X25519 gives the answers of RFC 7748", x25519_gives_the_answers_of_rfc_7748 },
	{ "X25519 public keys are those of RFC 7748",
	  x25519_public_keys_are_those_of_rfc_7748 },
	{ "a thousand X25519 in a row give the answer of RFC 7748",
	  a_thousand_x25519_in_a_row_give_the_answer_of_rfc_7748 },
	{ "low-order points agree on nothing", low_order_points_agree_on_nothing },
	{ "X25519 agrees with wycheproof", x25519_agrees_with_wycheproof },
	{ "a number has one form", a_number_has_one_form },
	{ "Ed25519 signs as RFC 8032 does", ed25519_signs_as_rfc_8032_does },
	{ "Ed25519 agrees with wycheproof", ed25519_agrees_with_wycheproof },
	{ "keys under which anybody can sign are refused",
	  keys_under_which_anybody_can_sign_are_refused },
	TAP_END
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, "curve", tests);
}
