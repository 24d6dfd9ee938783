/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_SUITES_H
#define TESTS_SUITES_H

#include <muses/security.h>

/* Every security plugin of the tree, linked in, and all their suites. */
extern const struct muses_plugin *const suites_plugin[];
extern const size_t suites_plugin_count;

/* The suite at place, over all plugins; NULL behind the last:
 *
 *   for (size_t i = 0; (suite = suites_at(i)) != NULL; i++)
 */
const struct muses_suite *suites_at(size_t place);
/* The suite called name; NULL: none. */
const struct muses_suite *suites_named(const char *name);

/* Key material of the right sizes, different for each seed. */
void suites_material(const struct muses_suite *suite, uint32_t seed,
                     struct muses_key_material *material);
/* A context under that material; ends the program when there is none. */
void *suites_key(const struct muses_suite *suite, enum muses_direction direction,
                 uint32_t seed);

/* seal() of one piece; *sealed_size is 0 if it is refused. */
int suites_seal(const struct muses_suite *suite, void *key, uint64_t seq,
                const char *aad, const uint8_t *plain, size_t plain_size, uint8_t *out,
                size_t *sealed_size);
/* open() with additional data that is a string. */
int suites_open(const struct muses_suite *suite, void *key, uint64_t seq,
                const char *aad, uint8_t *data, size_t size, size_t *plain_size);

/* Both contexts of one direction. */
struct suites_pair {
	const struct muses_suite *suite;
	void *seal, *open;
};
struct suites_pair suites_pair_open(const struct muses_suite *suite, uint32_t seed);
void suites_pair_close(struct suites_pair *p);

bool suites_all_zero(const uint8_t *data, size_t size);

/* Bytes that do not repeat soon, the same in every run. */
void suites_fill(uint8_t *out, size_t size, uint32_t seed);

#endif
