/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AES in Galois/counter mode: the default suite where the processor knows AES.
 * All that is special about it is its limits: 2^22 packets, or 1 GiB, and the
 * next key, after which a collision of blocks stays below 2^-60.
 */
#include <muses/security.h>

#include "plugins/security/aead.h"
#include "plugins/security/aes_gcm/answers.h"

#include <stdio.h>

struct aes_gcm_config {
	uint32_t bits;
};

static const struct muses_option aes_gcm_options[] = {
	MUSES_UINT32(aes_gcm_config, bits, 256, 128, 256, "bits",
	             "Size of the AES key: 128 or 256."),
	MUSES_OPTIONS_END,
};

static void *key_open(const struct muses_suite *suite, enum muses_direction direction,
                      const struct muses_key_material *material)
{
	return aead_open(suite->key_size == 16 ? "AES-128-GCM" : "AES-256-GCM", direction,
	                 material);
}

#define SUITE(wire_id, size, known)                                                   \
	{                                                                             \
		.id = (wire_id), .name = "aes_" #size "_gcm", .key_size = (size) / 8, \
		.overhead = AEAD_TAG_SIZE, .tag_size = AEAD_TAG_SIZE,                 \
		.soft_packets = UINT64_C(1) << 22, .hard_packets = UINT64_C(1) << 23, \
		.soft_bytes = UINT64_C(1) << 30, .most_failed = UINT64_C(1) << 35,    \
		.key_open = key_open, .seal = aead_seal, .open = aead_unseal,         \
		.key_close = aead_close, .answers = &(known), .answer_count = 1,      \
	}

static const struct muses_suite suites[] = {
	SUITE(0x0003, 256, answer_256),
	SUITE(0x0002, 128, answer_128),
};

static bool offers(struct muses_layer *l, size_t index)
{
	const struct aes_gcm_config *c = muses_self(l);

	return suites[index].key_size * 8u == c->bits;
}

static const struct muses_security_ops aes_gcm_ops = {
	.suite = suites,
	.suite_count = sizeof(suites) / sizeof(suites[0]),
	.offers = offers,
};

static int aes_gcm_check(const void *config, char *why, size_t why_size)
{
	const struct aes_gcm_config *c = config;

	if (c->bits == 128 || c->bits == 256)
		return 0;
	snprintf(why, why_size, "bits: want 128 or 256, not %u", c->bits);
	return MUSES_ECONFIG;
}

static int aes_gcm_open(struct muses_layer *l, const void *config)
{
	muses_set_self(l, (void *)config); /* Valid until close(); only read. */
	return 0;
}

MUSES_PLUGIN(aes_gcm) = {
	MUSES_STAMP,
	.name = "aes_gcm",
	.summary = "seals packets with AES-128-GCM or AES-256-GCM",
	.kind = MUSES_SECURITY,
	.options = aes_gcm_options,
	.config_size = sizeof(struct aes_gcm_config),
	MUSES_OPS(aes_gcm_ops),
	.check = aes_gcm_check,
	.open = aes_gcm_open,
};
