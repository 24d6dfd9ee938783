/* SPDX-License-Identifier: Apache-2.0 */
/*
 * No protection at all: packets travel as they are and any packet is accepted.
 * For measuring what the ciphers cost, between nodes of one machine.  The suite
 * says that it is insecure, and the core insists on links that stay inside the
 * machine.
 */
#include <muses/security.h>

#include "plugins/security/sealing.h"

#include <stdio.h>
#include <string.h>

struct null_config {
	bool insecure;
};

static const struct muses_option null_options[] = {
	MUSES_BOOL(null_config, insecure, false,
	           "Yes, packets may be read and forged; must be true."),
	MUSES_OPTIONS_END,
};

struct null_key {
	struct sealing sealing;
	enum muses_direction direction;
};

static void *key_open(const struct muses_suite *suite, enum muses_direction direction,
                      const struct muses_key_material *material)
{
	struct null_key *k = muses_zalloc(sizeof(*k));

	(void)suite;
	(void)material;
	if (k != NULL)
		k->direction = direction;
	return k;
}

static int null_seal(void *context, uint64_t seq, const uint8_t *aad, size_t aad_size,
                     const struct iovec *iov, size_t iov_count, uint8_t *out,
                     size_t *sealed_size)
{
	struct null_key *k = context;
	int err;

	(void)aad;
	if (k->direction != MUSES_SEALING)
		return MUSES_EUSAGE;
	err = sealing_begin(&k->sealing, seq, aad_size, iov, iov_count, 0, sealed_size);
	if (err != 0)
		return err;
	for (size_t i = 0; i < iov_count; i++) {
		if (iov[i].iov_len > 0)
			memcpy(out, iov[i].iov_base, iov[i].iov_len);
		out += iov[i].iov_len;
	}
	return 0;
}

static int null_unseal(void *context, uint64_t seq, const uint8_t *aad, size_t aad_size,
                       uint8_t *data, size_t size, size_t *plain_size)
{
	struct null_key *k = context;

	(void)seq;
	(void)aad;
	(void)aad_size;
	if (k->direction != MUSES_OPENING || size > MUSES_PACKET_MAX) {
		memset(data, 0, size);
		return MUSES_EAUTH;
	}
	*plain_size = size;
	return 0;
}

static const uint8_t words[] = "nothing is hidden";

static const struct muses_known_answer answer = {
	.source = "what goes in comes out",
	.plain = words,
	.plain_size = sizeof(words) - 1,
	.sealed = words,
	.sealed_size = sizeof(words) - 1,
};

static const struct muses_suite suites[] = {
	{
		.id = 0x00ff,
		.name = "null",
		.insecure = true,
		.soft_packets = UINT64_C(1) << 32,
		.hard_packets = UINT64_C(1) << 36,
		.soft_bytes = UINT64_C(1) << 40,
		.most_failed = UINT64_MAX, /* Opening cannot fail. */
		.key_open = key_open,
		.seal = null_seal,
		.open = null_unseal,
		.key_close = muses_free,
		.answers = &answer,
		.answer_count = 1,
	},
};

static bool offers(struct muses_layer *l, size_t index)
{
	(void)l;
	return index == 0;
}

static const struct muses_security_ops null_ops = {
	.suite = suites,
	.suite_count = sizeof(suites) / sizeof(suites[0]),
	.offers = offers,
};

static int null_check(const void *config, char *why, size_t why_size)
{
	const struct null_config *c = config;

	if (c->insecure)
		return 0;
	snprintf(why, why_size,
	         "insecure: want true, because null leaves packets readable and "
	         "forgeable");
	return MUSES_ECONFIG;
}

/* No state: the suites stand for themselves. */
static int null_open(struct muses_layer *l, const void *config)
{
	(void)l;
	(void)config;
	return 0;
}

MUSES_PLUGIN(null) = {
	MUSES_STAMP,
	.name = "null",
	.summary = "leaves packets readable and forgeable, for measurements only",
	.kind = MUSES_SECURITY,
	.options = null_options,
	.config_size = sizeof(struct null_config),
	MUSES_OPS(null_ops),
	.check = null_check,
	.open = null_open,
};
