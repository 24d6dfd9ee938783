/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ChaCha20-Poly1305 (RFC 8439): as safe as AES-GCM, and faster where the
 * processor does not know AES.  There is nothing to choose, so no options.
 */
#include <muses/security.h>

#include "plugins/security/aead.h"
#include "plugins/security/chacha20_poly1305/answers.h"

static void *key_open(const struct muses_suite *suite, enum muses_direction direction,
                      const struct muses_key_material *material)
{
	(void)suite;
	return aead_open("ChaCha20-Poly1305", direction, material);
}

static const struct muses_suite suites[] = {
	{
		.id = 0x0001,
		.name = "chacha20_poly1305",
		.key_size = 32,
		.overhead = AEAD_TAG_SIZE,
		.tag_size = AEAD_TAG_SIZE,
		.soft_packets = UINT64_C(1) << 32,
		.hard_packets = UINT64_C(1) << 36,
		.soft_bytes = UINT64_C(1) << 30,
		.most_failed = UINT64_C(1) << 35,
		.key_open = key_open,
		.seal = aead_seal,
		.open = aead_unseal,
		.key_close = aead_close,
		.answers = &answer,
		.answer_count = 1,
	},
};

static bool offers(struct muses_layer *l, size_t index)
{
	(void)l;
	return index == 0;
}

static const struct muses_security_ops chacha20_poly1305_ops = {
	.suite = suites,
	.suite_count = sizeof(suites) / sizeof(suites[0]),
	.offers = offers,
};

/* No state: the suites stand for themselves. */
static int chacha20_poly1305_open(struct muses_layer *l, const void *config)
{
	(void)l;
	(void)config;
	return 0;
}

MUSES_PLUGIN(chacha20_poly1305) = {
	MUSES_STAMP,
	.name = "chacha20_poly1305",
	.summary = "seals packets with ChaCha20-Poly1305",
	.kind = MUSES_SECURITY,
	MUSES_OPS(chacha20_poly1305_ops),
	.open = chacha20_poly1305_open,
};
