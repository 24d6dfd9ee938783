/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/suites.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern const struct muses_plugin aes_gcm_LTX_muses_plugin;
extern const struct muses_plugin aes_hmac_LTX_muses_plugin;
extern const struct muses_plugin chacha20_poly1305_LTX_muses_plugin;
extern const struct muses_plugin null_LTX_muses_plugin;

const struct muses_plugin *const suites_plugin[] = {
	&aes_gcm_LTX_muses_plugin,
	&aes_hmac_LTX_muses_plugin,
	&chacha20_poly1305_LTX_muses_plugin,
	&null_LTX_muses_plugin,
};
const size_t suites_plugin_count = sizeof(suites_plugin) / sizeof(suites_plugin[0]);

const struct muses_suite *suites_at(size_t place)
{
	for (size_t i = 0; i < suites_plugin_count; i++) {
		const struct muses_security_ops *ops = suites_plugin[i]->ops;

		if (place < ops->suite_count)
			return &ops->suite[place];
		place -= ops->suite_count;
	}
	return NULL;
}

const struct muses_suite *suites_named(const char *name)
{
	const struct muses_suite *suite;

	for (size_t i = 0; (suite = suites_at(i)) != NULL; i++)
		if (strcmp(suite->name, name) == 0)
			break;
	return suite;
}

void suites_fill(uint8_t *out, size_t size, uint32_t seed)
{
	uint32_t dice = seed * 2654435761u + 1;

	for (size_t i = 0; i < size; i++) {
		dice = dice * 1664525u + 1013904223u;
		out[i] = (uint8_t)(dice >> 24);
	}
}

void suites_material(const struct muses_suite *suite, uint32_t seed,
                     struct muses_key_material *material)
{
	memset(material, 0, sizeof(*material));
	suites_fill(material->key, suite->key_size, 3 * seed);
	suites_fill(material->mac, suite->mac_size, 3 * seed + 1);
	suites_fill(material->iv, sizeof(material->iv), 3 * seed + 2);
}

void *suites_key(const struct muses_suite *suite, enum muses_direction direction,
                 uint32_t seed)
{
	struct muses_key_material material;
	void *key;

	suites_material(suite, seed, &material);
	key = suite->key_open(suite, direction, &material);
	if (key == NULL) {
		fprintf(stderr, "%s: no context\n", suite->name);
		abort();
	}
	return key;
}

int suites_seal(const struct muses_suite *suite, void *key, uint64_t seq, const char *aad,
                const uint8_t *plain, size_t plain_size, uint8_t *out,
                size_t *sealed_size)
{
	struct iovec iov = { .iov_base = (void *)plain, .iov_len = plain_size };

	*sealed_size = 0;
	return suite->seal(key, seq, (const uint8_t *)aad, strlen(aad), &iov, 1, out,
	                   sealed_size);
}

int suites_open(const struct muses_suite *suite, void *key, uint64_t seq, const char *aad,
                uint8_t *data, size_t size, size_t *plain_size)
{
	*plain_size = 0;
	return suite->open(key, seq, (const uint8_t *)aad, strlen(aad), data, size,
	                   plain_size);
}

struct suites_pair suites_pair_open(const struct muses_suite *suite, uint32_t seed)
{
	return (struct suites_pair){
		.suite = suite,
		.seal = suites_key(suite, MUSES_SEALING, seed),
		.open = suites_key(suite, MUSES_OPENING, seed),
	};
}

void suites_pair_close(struct suites_pair *p)
{
	p->suite->key_close(p->seal);
	p->suite->key_close(p->open);
}

bool suites_all_zero(const uint8_t *data, size_t size)
{
	uint8_t any = 0;

	for (size_t i = 0; i < size; i++)
		any |= data[i];
	return any == 0;
}
