/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256, HMAC, HKDF and the AEAD that Hello messages use, against published
 * answers; then what must be refused. */
#include "core/crypto.h"
#include "tests/hex.h"
#include "tests/tap.h"
#include "tests/vectors.h"

#include <jansson.h>
#include <openssl/err.h>
#include <stdlib.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void sha256_gives_the_published_digests(void)
{
	static const struct {
		const char *text, *digest, *why;
	} row[] = {
		{ "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
		  "nothing" },
		{ "abc",
		  "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
		  "FIPS 180-2, B.1" },
		{ "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
		  "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
		  "FIPS 180-2, B.2: two blocks" },
	};

	for (size_t i = 0; i < COUNT(row); i++) {
		size_t half = strlen(row[i].text) / 2;
		const struct muses_part part[] = {
			{ row[i].text, half },
			{ NULL, 0 },
			{ row[i].text + half, strlen(row[i].text) - half },
		};
		uint8_t want[32], got[32] = { 0 };

		hex(row[i].digest, want, sizeof(want));
		CU_ASSERT_EQUAL(muses_sha256(part, COUNT(part), got), 0);
		TAP_NOTE_IF(memcmp(got, want, 32) != 0, "%s", row[i].why);
		CU_ASSERT(memcmp(got, want, 32) == 0);
	}
}

static void hmac_gives_the_answers_of_rfc_4231(void)
{
	static const struct {
		const char *key, *data, *mac, *why;
	} row[] = {
		{ "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "4869205468657265",
		  "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
		  "case 1" },
		{ "4a656665", "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
		  "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
		  "case 2: a key shorter than the digest" },
		{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		  "dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd"
		  "dddddddddddddddddddddddddddddddddddd",
		  "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
		  "case 3" },
		{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		  "aaaaaa",
		  "54657374205573696e67204c6172676572205468616e20426c6f636b2d53697a"
		  "65204b6579202d2048617368204b6579204669727374",
		  "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
		  "case 6: a key longer than a block" },
		{ "", "",
		  "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad",
		  "no key and no data" },
	};

	for (size_t i = 0; i < COUNT(row); i++) {
		uint8_t key[160], data[160], want[32], got[32] = { 0 };
		size_t key_size = hex(row[i].key, key, sizeof(key));
		const struct muses_part part = { data,
			                         hex(row[i].data, data, sizeof(data)) };

		hex(row[i].mac, want, sizeof(want));
		CU_ASSERT_EQUAL(muses_hmac_sha256(key_size == 0 ? NULL : key, key_size,
		                                  &part, 1, got),
		                0);
		TAP_NOTE_IF(memcmp(got, want, 32) != 0, "%s", row[i].why);
		CU_ASSERT(memcmp(got, want, 32) == 0);
	}
}

static void hkdf_gives_the_answers_of_rfc_5869(void)
{
	static const struct {
		const char *secret, *salt, *info, *prk, *okm, *why;
	} row[] = {
		{ "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b",
		  "000102030405060708090a0b0c", "f0f1f2f3f4f5f6f7f8f9",
		  "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5",
		  "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf"
		  "34007208d5b887185865",
		  "A.1" },
		{ "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
		  "202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f"
		  "404142434445464748494a4b4c4d4e4f",
		  "606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f"
		  "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f"
		  "a0a1a2a3a4a5a6a7a8a9aaabacadaeaf",
		  "b0b1b2b3b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4c5c6c7c8c9cacbcccdcecf"
		  "d0d1d2d3d4d5d6d7d8d9dadbdcdddedfe0e1e2e3e4e5e6e7e8e9eaebecedeeef"
		  "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff",
		  "06a6b88c5853361a06104c9ceb35b45cef760014904671014a193f40c15fc244",
		  "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c"
		  "59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71"
		  "cc30c58179ec3e87c14c01d5c1f3434f1d87",
		  "A.2: longer than a block" },
		{ "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "", "",
		  "19ef24a32c717b167f33a91d6f648bdf96596776afdb6377ac434c1c293ccb04",
		  "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d"
		  "9d201395faa4b61a96c8",
		  "A.3: no salt, no info" },
	};

	for (size_t i = 0; i < COUNT(row); i++) {
		uint8_t secret[96], salt[96], info[96], prk[32], okm[96], got[96];
		size_t info_size = hex(row[i].info, info, sizeof(info));
		size_t okm_size = hex(row[i].okm, okm, sizeof(okm));

		CU_ASSERT_EQUAL(muses_hkdf_extract(salt, hex(row[i].salt, salt, 96),
		                                   secret, hex(row[i].secret, secret, 96),
		                                   got),
		                0);
		hex(row[i].prk, prk, sizeof(prk));
		CU_ASSERT(memcmp(got, prk, 32) == 0);
		CU_ASSERT_EQUAL(muses_hkdf_expand(prk, info, info_size, got, okm_size),
		                0);
		TAP_NOTE_IF(memcmp(got, okm, okm_size) != 0, "%s", row[i].why);
		CU_ASSERT(memcmp(got, okm, okm_size) == 0);
	}
}

static void hkdf_gives_no_more_than_255_blocks(void)
{
	static uint8_t out[255 * 32 + 1];
	const uint8_t secret[32] = { 1 };

	CU_ASSERT_EQUAL(muses_hkdf_expand(secret, "", 0, out, 255 * 32), 0);
	CU_ASSERT_EQUAL(muses_hkdf_expand(secret, "", 0, out, 255 * 32 + 1),
	                MUSES_EUSAGE);
}

/* Call each for every test of a wycheproof file; how many there were, 0 (and
 * skipped) without the file. */
static size_t each_wycheproof(const char *file, void (*each)(json_t *group, json_t *test))
{
	const char *path = vectors_path(file);
	json_t *root, *group, *test;
	size_t i, k, count = 0;

	if (path == NULL) {
		tap_skip("the published vectors are not here");
		return 0;
	}
	root = json_load_file(path, 0, NULL);
	CU_ASSERT_PTR_NOT_NULL(root);
	json_array_foreach (json_object_get(root, "testGroups"), i, group) {
		json_array_foreach (json_object_get(group, "tests"), k, test) {
			each(group, test);
			count++;
		}
	}
	json_decref(root);
	return count;
}

static const char *text_of(json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text == NULL ? "" : text;
}

static size_t bytes_of(json_t *object, const char *key, uint8_t *out, size_t room)
{
	return hex(text_of(object, key), out, room);
}

static bool is_valid(json_t *test)
{
	return strcmp(text_of(test, "result"), "valid") == 0;
}

static int number_of(json_t *test)
{
	return (int)json_integer_value(json_object_get(test, "tcId"));
}

static void one_hmac(json_t *group, json_t *test)
{
	uint8_t key[256], message[512], tag[32], got[32];
	size_t key_size = bytes_of(test, "key", key, sizeof(key));
	size_t tag_size = bytes_of(test, "tag", tag, sizeof(tag));
	const struct muses_part part = { message, bytes_of(test, "msg", message, 512) };
	bool same;

	(void)group;
	CU_ASSERT_EQUAL(muses_hmac_sha256(key, key_size, &part, 1, got), 0);
	same = muses_equal_secret(got, tag,
	                          tag_size); /* Some are truncated to 16 bytes. */
	TAP_NOTE_IF(same != is_valid(test), "test %d", number_of(test));
	CU_ASSERT_EQUAL(same, is_valid(test));
}

static void one_hkdf(json_t *group, json_t *test)
{
	static uint8_t want[9000], got[9000];
	uint8_t secret[256], salt[256], info[256], prk[32];
	size_t size = (size_t)json_integer_value(json_object_get(test, "size"));
	size_t secret_size = bytes_of(test, "ikm", secret, sizeof(secret));
	size_t salt_size = bytes_of(test, "salt", salt, sizeof(salt));
	size_t info_size = bytes_of(test, "info", info, sizeof(info));
	int err;

	(void)group;
	CU_ASSERT_EQUAL(muses_hkdf_extract(salt, salt_size, secret, secret_size, prk), 0);
	err = muses_hkdf_expand(prk, info, info_size, got, size);
	TAP_NOTE_IF((err == 0) != is_valid(test), "test %d", number_of(test));
	CU_ASSERT_EQUAL(err == 0, is_valid(test));
	if (err == 0) {
		CU_ASSERT_EQUAL(bytes_of(test, "okm", want, sizeof(want)), size);
		CU_ASSERT(memcmp(got, want, size) == 0);
	}
}

static void hmac_agrees_with_wycheproof(void)
{
	size_t count = each_wycheproof("wycheproof-hmac_sha256_test.json", one_hmac);

	CU_ASSERT(count == 0 || count == 174);
}

static void hkdf_agrees_with_wycheproof(void)
{
	size_t count = each_wycheproof("wycheproof-hkdf_sha256_test.json", one_hkdf);

	CU_ASSERT(count == 0 || count == 86);
}

/* The specification of GCM, test case 16: 256-bit key, 60 bytes, 20 of AAD. */
static const char gcm_key[] =
	"feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308";
static const char gcm_nonce[] = "cafebabefacedbaddecaf888";
static const char gcm_aad[] = "feedfacedeadbeeffeedfacedeadbeefabaddad2";
static const char gcm_plain[] =
	"d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c959568"
	"09532fcf0e2449a6b525b16aedf5aa0de657ba637b39";
static const char gcm_sealed[] =
	"522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590d"
	"bb3da7b08b1056828838c5f61e6393ba7a0abcc9f66276fc6ece0f4e1768cddf8853bb2d551b";

/* RFC 8439, 2.8.2. */
static const char chacha_key[] =
	"808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f";
static const char chacha_nonce[] = "070000004041424344454647";
static const char chacha_aad[] = "50515253c0c1c2c3c4c5c6c7";
static const char chacha_plain[] =
	"4c616469657320616e642047656e746c656d656e206f662074686520636c617373206f662027"
	"39393a204966204920636f756c64206f6666657220796f75206f6e6c79206f6e652074697020"
	"666f7220746865206675747572652c2073756e73637265656e20776f756c642062652069742e";
static const char chacha_sealed[] =
	"d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d63dbea45e8ca9"
	"671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b3692ddbd7f2d778b8c9803aee3"
	"28091b58fab324e4fad675945585808b4831d7bc3ff4def08e4b7a9de576d26586cec64b6116"
	"1ae10b594f09e26a7e902ecbd0600691";

struct sealed {
	enum core_cipher cipher;
	uint8_t key[32], nonce[12], aad[32], plain[128], sealed[144];
	size_t aad_size, plain_size, sealed_size;
};

static void known(struct sealed *s, enum core_cipher cipher)
{
	bool gcm = cipher == CORE_AES_256_GCM;

	s->cipher = cipher;
	hex(gcm ? gcm_key : chacha_key, s->key, sizeof(s->key));
	hex(gcm ? gcm_nonce : chacha_nonce, s->nonce, sizeof(s->nonce));
	s->aad_size = hex(gcm ? gcm_aad : chacha_aad, s->aad, sizeof(s->aad));
	s->plain_size = hex(gcm ? gcm_plain : chacha_plain, s->plain, sizeof(s->plain));
	s->sealed_size =
		hex(gcm ? gcm_sealed : chacha_sealed, s->sealed, sizeof(s->sealed));
}

static int open_it(const struct sealed *s, const uint8_t *in, size_t size, uint8_t *out)
{
	return core_aead_open(s->cipher, s->key, s->nonce, s->aad, s->aad_size, in, size,
	                      out);
}

static void aeads_give_the_published_answers(void)
{
	static const enum core_cipher cipher[] = { CORE_AES_256_GCM,
		                                   CORE_CHACHA20_POLY1305 };

	for (size_t i = 0; i < COUNT(cipher); i++) {
		struct sealed s;
		uint8_t out[144];

		known(&s, cipher[i]);
		CU_ASSERT_EQUAL(core_aead_seal(s.cipher, s.key, s.nonce, s.aad,
		                               s.aad_size, s.plain, s.plain_size, out),
		                0);
		CU_ASSERT(memcmp(out, s.sealed, s.sealed_size) == 0);
		CU_ASSERT_EQUAL(open_it(&s, out, s.sealed_size, out), 0); /* In place. */
		CU_ASSERT(memcmp(out, s.plain, s.plain_size) == 0);
	}
}

static void one_bit_less_or_one_byte_less_is_not_opened(void)
{
	static const enum core_cipher cipher[] = { CORE_AES_256_GCM,
		                                   CORE_CHACHA20_POLY1305 };
	static const uint8_t wiped[128];

	for (size_t i = 0; i < COUNT(cipher); i++) {
		struct sealed s;
		uint8_t bad[144], out[128];

		known(&s, cipher[i]);
		for (size_t bit = 0; bit < 8 * s.sealed_size; bit++) {
			memcpy(bad, s.sealed, s.sealed_size);
			bad[bit / 8] ^= (uint8_t)(1u << bit % 8);
			memset(out, 0xff, sizeof(out));
			CU_ASSERT_EQUAL(open_it(&s, bad, s.sealed_size, out),
			                MUSES_EAUTH);
			CU_ASSERT(memcmp(out, wiped, s.plain_size) == 0);
		}
		for (size_t size = 0; size < s.sealed_size; size++)
			CU_ASSERT_EQUAL(open_it(&s, s.sealed, size, out),
			                size < 16 ? MUSES_EMALFORMED : MUSES_EAUTH);
		s.aad[0] ^= 1;
		CU_ASSERT_EQUAL(open_it(&s, s.sealed, s.sealed_size, out), MUSES_EAUTH);
		s.aad[0] ^= 1;
		s.nonce[11] ^= 1;
		CU_ASSERT_EQUAL(open_it(&s, s.sealed, s.sealed_size, out), MUSES_EAUTH);
		CU_ASSERT_EQUAL(ERR_peek_error(),
		                0); /* Nothing left for others to find. */
	}
}

static void nothing_at_all_can_be_sealed(void)
{
	const uint8_t key[32] = { 1 }, nonce[12] = { 2 };
	uint8_t out[16];

	CU_ASSERT_EQUAL(muses_aead_seal(key, nonce, NULL, 0, NULL, 0, out), 0);
	CU_ASSERT_EQUAL(muses_aead_open(key, nonce, NULL, 0, out, 16, out), 0);
	out[15] ^= 1;
	CU_ASSERT_EQUAL(muses_aead_open(key, nonce, NULL, 0, out, 16, out), MUSES_EAUTH);
}

static void base64_is_the_one_text_of_the_bytes(void)
{
	static const struct {
		const char *text;
		size_t size;
		bool good;
		const char *why;
	} row[] = {
		{ "", 0, true, "nothing" },
		{ "Zg==", 1, true, "RFC 4648, 10" },
		{ "Zm8=", 2, true, "RFC 4648, 10" },
		{ "Zm9v", 3, true, "RFC 4648, 10" },
		{ "Zm9vYg==", 4, true, "RFC 4648, 10" },
		{ "+/+/", 3, true, "the last two characters of the alphabet" },
		{ "Zm9v", 2, false, "more bytes than asked for" },
		{ "Zm8=", 3, false, "fewer" },
		{ "Zg=", 1, false, "padding cut" },
		{ "Zg", 1, false, "no padding" },
		{ "Zg===", 1, false, "too much padding" },
		{ "Zh==", 1, false, "bits behind the end are set" },
		{ "Zm9=", 2, false, "bits behind the end are set" },
		{ "Z=g=", 1, false, "padding in the middle" },
		{ "Zm-v", 3, false, "the other alphabet" },
		{ "Zm9 ", 3, false, "a blank" },
		{ "Zm9\n", 3, false, "a line end" },
		{ "Zm\xc3\xb6", 3, false, "not ASCII" },
	};

	for (size_t i = 0; i < COUNT(row); i++) {
		uint8_t out[8] = { 0 };
		char text[16];
		bool good = muses_base64_parse(row[i].text, out, row[i].size);

		TAP_NOTE_IF(good != row[i].good, "'%s': %s", row[i].text, row[i].why);
		CU_ASSERT_EQUAL(good, row[i].good);
		muses_base64_text(out, row[i].size, text);
		if (good)
			CU_ASSERT_STRING_EQUAL(text, row[i].text);
	}
	for (unsigned v = 0; v < 256; v++) {
		uint8_t in[5] = { (uint8_t)v, (uint8_t)~v, (uint8_t)(v * 7), 0, 255 },
			out[5];
		char text[16];

		muses_base64_text(in, sizeof(in), text);
		CU_ASSERT(muses_base64_parse(text, out, sizeof(out)));
		CU_ASSERT(memcmp(in, out, sizeof(in)) == 0);
	}
}

static const struct tap_test tests[] = {
	{ "SHA-256 gives the published digests", sha256_gives_the_published_digests },
	{ "HMAC gives the answers of RFC 4231", hmac_gives_the_answers_of_rfc_4231 },
	{ "HMAC agrees with wycheproof", hmac_agrees_with_wycheproof },
	{ "HKDF gives the answers of RFC 5869", hkdf_gives_the_answers_of_rfc_5869 },
	{ "HKDF agrees with wycheproof", hkdf_agrees_with_wycheproof },
	{ "HKDF gives no more than 255 blocks", hkdf_gives_no_more_than_255_blocks },
	{ "AEADs give the published answers", aeads_give_the_published_answers },
	{ "one bit changed or one byte less is not opened",
	  one_bit_less_or_one_byte_less_is_not_opened },
	{ "nothing at all can be sealed", nothing_at_all_can_be_sealed },
	{ "base64 is the one text of the bytes", base64_is_the_one_text_of_the_bytes },
	TAP_END
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, "crypto", tests);
}
