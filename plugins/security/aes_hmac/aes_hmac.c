/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AES and HMAC put together, encrypt-then-MAC: the paper's construction, with
 * today's hash by default.  This file is the plugin's face; etm.c is the
 * cipher.
 */
#include <muses/security.h>

#include "plugins/security/aes_hmac/answers.h"
#include "plugins/security/aes_hmac/etm.h"

#include <stdio.h>

static const char *const modes[] = { "ctr", "cbc", NULL };
static const char *const macs[] = { "sha256", "sha1", NULL };

struct aes_hmac_config {
	uint32_t bits;
	uint32_t mode; /* enum etm_mode: an index of modes. */
	uint32_t mac;  /* enum etm_mac: an index of macs. */
	bool allow_legacy;
};

static const struct muses_option aes_hmac_options[] = {
	MUSES_UINT32(aes_hmac_config, bits, 256, 128, 256, "bits",
	             "Size of the AES key: 128 or 256."),
	MUSES_CHOICE(aes_hmac_config, mode, ETM_CTR, modes,
	             "Counter mode, or cipher block chaining as in the paper."),
	MUSES_CHOICE(aes_hmac_config, mac, ETM_SHA256, macs,
	             "Hash of the HMAC; sha1 needs allow_legacy."),
	MUSES_BOOL(aes_hmac_config, allow_legacy, false,
	           "Permit sha1, for comparison with the paper's prototype."),
	MUSES_OPTIONS_END,
};

#define SUITE(wire_id, bits, mode, hash, known)                                     \
	{                                                                           \
		.id = (wire_id), .name = "aes_" #bits "_" #mode "_hmac_" #hash,     \
		.key_size = (bits) / 8 * ETM_KEYS_##mode,                           \
		.mac_size = ETM_MAC_SIZE_##hash,                                    \
		.overhead = ETM_TAG_SIZE_##hash + ETM_PADDING_##mode,               \
		.tag_size = ETM_TAG_SIZE_##hash, .soft_packets = UINT64_C(1) << 22, \
		.hard_packets = UINT64_C(1) << 24, .soft_bytes = UINT64_C(1) << 30, \
		.most_failed = UINT64_C(1) << 35, .key_open = key_open,             \
		.seal = etm_seal, .open = etm_unseal, .key_close = etm_close,       \
		.answers = &(known), .answer_count = 1,                             \
	}

static void *key_open(const struct muses_suite *suite, enum muses_direction direction,
                      const struct muses_key_material *material);

static const struct muses_suite suites[] = {
	SUITE(0x0013, 256, ctr, sha256, answer_256_ctr_sha256),
	SUITE(0x0011, 128, ctr, sha256, answer_128_ctr_sha256),
	SUITE(0x0014, 256, cbc, sha256, answer_256_cbc_sha256),
	SUITE(0x0012, 128, cbc, sha256, answer_128_cbc_sha256),
	SUITE(0x0023, 256, ctr, sha1, answer_256_ctr_sha1),
	SUITE(0x0021, 128, ctr, sha1, answer_128_ctr_sha1),
	SUITE(0x0024, 256, cbc, sha1, answer_256_cbc_sha1),
	SUITE(0x0022, 128, cbc, sha1, answer_128_cbc_sha1),
};

/* What a suite is made of follows from its sizes. */
static enum etm_mode mode_of(const struct muses_suite *suite)
{
	return suite->overhead > suite->tag_size ? ETM_CBC : ETM_CTR;
}

static enum etm_mac mac_of(const struct muses_suite *suite)
{
	return suite->mac_size == ETM_MAC_SIZE_sha1 ? ETM_SHA1 : ETM_SHA256;
}

static uint32_t bits_of(const struct muses_suite *suite)
{
	return suite->key_size * 8u / (mode_of(suite) == ETM_CBC ? 2 : 1);
}

static void *key_open(const struct muses_suite *suite, enum muses_direction direction,
                      const struct muses_key_material *material)
{
	return etm_open(bits_of(suite), mode_of(suite), mac_of(suite), direction,
	                material);
}

static bool offers(struct muses_layer *l, size_t index)
{
	const struct aes_hmac_config *c = muses_self(l);
	const struct muses_suite *suite = &suites[index];

	return bits_of(suite) == c->bits && mode_of(suite) == c->mode &&
	       mac_of(suite) == c->mac;
}

static const struct muses_security_ops aes_hmac_ops = {
	.suite = suites,
	.suite_count = sizeof(suites) / sizeof(suites[0]),
	.offers = offers,
};

static int aes_hmac_check(const void *config, char *why, size_t why_size)
{
	const struct aes_hmac_config *c = config;

	if (c->bits != 128 && c->bits != 256) {
		snprintf(why, why_size, "bits: want 128 or 256, not %u", c->bits);
		return MUSES_ECONFIG;
	}
	if (c->mac == ETM_SHA1 && !c->allow_legacy) {
		snprintf(why, why_size,
		         "mac: want sha256, or sha1 together with allow_legacy: true");
		return MUSES_ECONFIG;
	}
	return 0;
}

static int aes_hmac_open(struct muses_layer *l, const void *config)
{
	muses_set_self(l, (void *)config); /* Valid until close(); only read. */
	return 0;
}

MUSES_PLUGIN(aes_hmac) = {
	MUSES_STAMP,
	.name = "aes_hmac",
	.summary = "seals packets with AES and HMAC, encrypt-then-MAC",
	.kind = MUSES_SECURITY,
	.options = aes_hmac_options,
	.config_size = sizeof(struct aes_hmac_config),
	MUSES_OPS(aes_hmac_ops),
	.check = aes_hmac_check,
	.open = aes_hmac_open,
};
