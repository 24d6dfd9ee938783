/* SPDX-License-Identifier: Apache-2.0 */
/* The suites against published vectors (Wycheproof), through seal() and open(). */
#include "tests/suites.h"

#include "tests/hex.h"
#include "tests/tap.h"
#include "tests/vectors.h"

#include <jansson.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include <string.h>

enum { MOST = 4096 };

struct bytes {
	uint8_t data[MOST];
	size_t size;
};

static struct bytes member(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));
	struct bytes b = { .size = 0 };

	if (text != NULL)
		b.size = hex(text, b.data, sizeof(b.data));
	return b;
}

static size_t number(const json_t *object, const char *name)
{
	return (size_t)json_integer_value(json_object_get(object, name));
}

static bool valid(const json_t *test)
{
	return strcmp(json_string_value(json_object_get(test, "result")), "valid") == 0;
}

/* The file's groups, to be freed with the file; NULL, and the test skips, if
 * there is none. */
static json_t *load(const char *file)
{
	const char *path = vectors_path(file);
	json_t *root = path != NULL ? json_load_file(path, 0, NULL) : NULL;

	if (root == NULL)
		tap_skip("the published vectors are not here; see MUSES_VECTORS");
	return root;
}

/* The nonce of a vector, as the IV of a key and a number. */
static void set_iv(struct muses_key_material *material, const struct bytes *nonce,
                   uint64_t seq)
{
	memcpy(material->iv, nonce->data, sizeof(material->iv));
	for (size_t i = 0; i < 8; i++)
		material->iv[11 - i] ^= (uint8_t)(seq >> 8 * i);
}

static bool aead_right(const struct muses_suite *s, const json_t *test, uint64_t seq)
{
	struct bytes key = member(test, "key"), nonce = member(test, "iv");
	struct bytes aad = member(test, "aad"), plain = member(test, "msg");
	struct bytes packet = member(test, "ct"), tag = member(test, "tag");
	struct muses_key_material material = { .key = { 0 } };
	struct iovec iov = { plain.data, plain.size };
	uint8_t out[MOST + 64];
	size_t size = 0;
	bool right = true;
	void *context;

	memcpy(packet.data + packet.size, tag.data, tag.size);
	packet.size += tag.size;
	memcpy(material.key, key.data, key.size);
	set_iv(&material, &nonce, seq);
	if (valid(test)) {
		context = s->key_open(s, MUSES_SEALING, &material);
		right = s->seal(context, seq, aad.data, aad.size, &iov, 1, out, &size) ==
		                0 &&
		        size == packet.size && memcmp(out, packet.data, size) == 0;
		s->key_close(context);
	}
	context = s->key_open(s, MUSES_OPENING, &material);
	if (s->open(context, seq, aad.data, aad.size, packet.data, packet.size, &size) ==
	    0)
		right = right && valid(test) && size == plain.size &&
		        memcmp(packet.data, plain.data, size) == 0;
	else
		right = right && !valid(test) &&
		        suites_all_zero(packet.data, packet.size);
	s->key_close(context);
	return right;
}

/* All vectors with nonces of 96 bits, tags of 128 and keys we have a suite for. */
static void meet_aead(const char *file, const char *const name[2], size_t expected)
{
	json_t *root = load(file), *group, *test;
	size_t count = 0, i, j;

	if (root == NULL)
		return;
	json_array_foreach (json_object_get(root, "testGroups"), i, group) {
		const struct muses_suite *s;

		if (number(group, "ivSize") != 96 || number(group, "tagSize") != 128 ||
		    number(group, "keySize") == 192)
			continue;
		s = suites_named(name[number(group, "keySize") == 256]);
		json_array_foreach (json_object_get(group, "tests"), j, test) {
			bool right = aead_right(s, test, 0) &&
			             aead_right(s, test, UINT64_C(0x0123456789abcdef));

			count++;
			TAP_NOTE_IF(!right, "%s, tcId %zu", file, number(test, "tcId"));
			CU_ASSERT(right);
		}
	}
	CU_ASSERT_EQUAL(count, expected);
	json_decref(root);
}

static void aes_gcm_meets_wycheproof(void)
{
	static const char *const name[] = { "aes_128_gcm", "aes_256_gcm" };

	meet_aead("wycheproof-aes_gcm_test.json", name, 133);
}

static void chacha20_poly1305_meets_wycheproof(void)
{
	static const char *const name[] = { NULL, "chacha20_poly1305" };

	meet_aead("wycheproof-chacha20_poly1305_test.json", name, 316);
}

/* ---- padding ------------------------------------------------------------------ */

/* AES of size bytes, in place, without padding. */
static void aes(const char *mode, size_t bits, int encrypt, const uint8_t *key,
                const uint8_t *iv, uint8_t *data, size_t size)
{
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	char name[16];
	EVP_CIPHER *cipher;
	int done;

	snprintf(name, sizeof(name), "AES-%zu-%s", bits, mode);
	cipher = EVP_CIPHER_fetch(NULL, name, NULL);
	EVP_CipherInit_ex2(c, cipher, key, iv, encrypt, NULL);
	EVP_CIPHER_CTX_set_padding(c, 0);
	EVP_CipherUpdate(c, data, &done, data, (int)size);
	EVP_CIPHER_free(cipher);
	EVP_CIPHER_CTX_free(c);
}

static void put_number(uint8_t *out, uint64_t value)
{
	for (size_t i = 8; i-- > 0; value >>= 8)
		out[i] = (uint8_t)value;
}

/* Seal padded blocks by the formulas of the manual page, not by the plugin's
 * code; returns the size. */
static size_t seal_padded(const struct muses_suite *s, const struct muses_key_material *m,
                          uint64_t seq, const uint8_t *padded, size_t size, uint8_t *out)
{
	const char *digest = s->mac_size == 20 ? "SHA1" : "SHA256";
	size_t bits = (size_t)s->key_size * 4;
	uint8_t block[16] = { 0 }, covered[8 + MOST + 16], mac[EVP_MAX_MD_SIZE];

	put_number(block, seq);
	aes("ECB", bits, 1, m->key + bits / 8, NULL, block, sizeof(block));
	memcpy(out, padded, size);
	aes("CBC", bits, 1, m->key, block, out, size);
	put_number(covered, seq);
	memcpy(covered + 8, out, size);
	put_number(covered + 8 + size, 0);
	put_number(covered + 16 + size, size);
	EVP_Q_mac(NULL, "HMAC", NULL, digest, NULL, m->mac, s->mac_size, covered,
	          size + 24, mac, sizeof(mac), NULL);
	memcpy(out + size, mac, s->tag_size);
	return size + s->tag_size;
}

/* The vector's padded plain text, sealed under our own key with a good MAC: the
 * refusal of a bad one can only come from its padding. */
static bool padding_right(const struct muses_suite *s, const json_t *test)
{
	struct bytes key = member(test, "key"), iv = member(test, "iv");
	struct bytes plain = member(test, "msg"), padded = member(test, "ct");
	struct muses_key_material m;
	uint8_t packet[MOST + 64];
	size_t size, opened = 0;
	bool right;
	void *context;

	aes("CBC", key.size * 8, 0, key.data, iv.data, padded.data, padded.size);
	suites_material(s, 1, &m);
	size = seal_padded(s, &m, 6, padded.data, padded.size, packet);
	context = s->key_open(s, MUSES_OPENING, &m);
	if (suites_open(s, context, 6, "", packet, size, &opened) == 0)
		right = valid(test) && opened == plain.size &&
		        memcmp(packet, plain.data, opened) == 0;
	else
		right = !valid(test) && suites_all_zero(packet, size) &&
		        ERR_peek_error() == 0;
	s->key_close(context);
	return right;
}

static void padding_meets_wycheproof(void)
{
	static const char file[] = "wycheproof-aes_cbc_pkcs5_test.json";
	const struct muses_suite *s;
	json_t *root = load(file), *group, *test;
	size_t count = 0, i, j;

	if (root == NULL)
		return;
	for (size_t k = 0; (s = suites_at(k)) != NULL; k++) {
		if (strstr(s->name, "_cbc_") == NULL)
			continue;
		json_array_foreach (json_object_get(root, "testGroups"), i, group)
			json_array_foreach (json_object_get(group, "tests"), j, test) {
				bool right = padding_right(s, test);

				count++;
				TAP_NOTE_IF(!right, "%s, tcId %zu", s->name,
				            number(test, "tcId"));
				CU_ASSERT(right);
			}
	}
	CU_ASSERT_EQUAL(count, 4 * 216);
	json_decref(root);
}

/* No block at all cannot be padded, and part of a block cannot be decrypted,
 * whatever the MAC says. */
static void a_packet_of_no_whole_blocks_is_refused(void)
{
	const struct muses_suite *s;
	uint8_t packet[MOST], covered[MOST], mac[EVP_MAX_MD_SIZE];

	for (size_t k = 0; (s = suites_at(k)) != NULL; k++) {
		if (strstr(s->name, "_cbc_") == NULL)
			continue;
		for (size_t size = 0; size < 64; size++) {
			struct muses_key_material m;
			size_t opened;
			void *context;

			suites_material(s, 2, &m);
			context = s->key_open(s, MUSES_OPENING, &m);
			suites_fill(packet, size, (uint32_t)size);
			put_number(covered, 6);
			memcpy(covered + 8, packet, size);
			put_number(covered + 8 + size, 0);
			put_number(covered + 16 + size, size);
			EVP_Q_mac(NULL, "HMAC", NULL,
			          s->mac_size == 20 ? "SHA1" : "SHA256", NULL, m.mac,
			          s->mac_size, covered, size + 24, mac, sizeof(mac),
			          NULL);
			memcpy(packet + size, mac, s->tag_size);
			if (size % 16 != 0 || size == 0)
				CU_ASSERT_EQUAL(suites_open(s, context, 6, "", packet,
				                            size + s->tag_size, &opened),
				                MUSES_EAUTH);
			s->key_close(context);
		}
	}
}

/* Sealed by OpenSSL itself, so that nothing but its size is wrong with it. */
static void a_genuine_packet_beyond_the_bound_is_refused(void)
{
	static uint8_t packet[MUSES_PACKET_MAX + 1];
	const struct muses_suite *s = suites_named("aes_256_gcm");

	for (size_t size = MUSES_PACKET_MAX; size <= MUSES_PACKET_MAX + 1; size++) {
		EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
		int plain_size = (int)size - s->tag_size, done;
		struct muses_key_material m;
		void *context;
		size_t opened;

		suites_material(s, 3, &m);
		memset(packet, 0, sizeof(packet));
		EVP_EncryptInit_ex2(c, EVP_aes_256_gcm(), m.key, m.iv, NULL);
		EVP_EncryptUpdate(c, packet, &done, packet, plain_size);
		EVP_EncryptFinal_ex(c, packet + done, &done);
		EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, s->tag_size,
		                    packet + plain_size);
		EVP_CIPHER_CTX_free(c);
		context = s->key_open(s, MUSES_OPENING, &m);
		CU_ASSERT_EQUAL(suites_open(s, context, 0, "", packet, size, &opened),
		                size > MUSES_PACKET_MAX ? MUSES_EAUTH : 0);
		CU_ASSERT(suites_all_zero(packet,
		                          size - (size > MUSES_PACKET_MAX ? 0 : 16)));
		s->key_close(context);
	}
}

static const struct tap_test tests[] = {
	{ "aes_gcm meets Wycheproof", aes_gcm_meets_wycheproof },
	{ "chacha20_poly1305 meets Wycheproof", chacha20_poly1305_meets_wycheproof },
	{ "padding meets Wycheproof", padding_meets_wycheproof },
	{ "a packet of no whole blocks is refused",
	  a_packet_of_no_whole_blocks_is_refused },
	{ "a genuine packet beyond the bound is refused",
	  a_genuine_packet_beyond_the_bound_is_refused },
	TAP_END,
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, "suites_vectors", tests);
}
