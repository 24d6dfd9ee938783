/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_RANGES_H
#define CORE_RANGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A set of 64-bit numbers as a few ranges: which packets have arrived, or were
 * acknowledged.
 *
 * At most CORE_RANGES_MAX ranges, disjoint and with a gap of at least one
 * number between them; when another would be needed, the lowest is forgotten
 * (an acknowledgement that is never given costs a retransmission, no more).
 * The same happens when memory is short, so that nothing here can fail.
 *
 * A zeroed struct is an empty set.  Up to CORE_RANGES_SMALL ranges need no
 * allocation; core_ranges_clear() gives back what more of them took.  Not to be
 * copied by assignment once in use.
 */
enum {
	CORE_RANGES_MAX = 64,
	CORE_RANGES_SMALL = 4,
};

struct core_range {
	uint64_t first, last; /* Both belong to it. */
};

struct core_ranges {
	uint32_t count;
	uint32_t room;           /* Of many; 0: small is in use. */
	struct core_range *many; /* Ascending, as is small. */
	struct core_range small[CORE_RANGES_SMALL];
};

/* Add the numbers from first to last; first <= last. */
void core_ranges_add(struct core_ranges *set, uint64_t first, uint64_t last);
bool core_ranges_contains(const struct core_ranges *set, uint64_t number);
/* Forget all numbers below number. */
void core_ranges_forget_below(struct core_ranges *set, uint64_t number);
/* Empty the set and give its memory back. */
void core_ranges_clear(struct core_ranges *set);

static inline bool core_ranges_empty(const struct core_ranges *set)
{
	return set->count == 0;
}

/* The range at place, from the highest (0) down to the lowest (count - 1):
 *
 *   for (size_t i = 0; i < set->count; i++)
 *           write_range(w, core_ranges_at(set, i));
 */
static inline struct core_range core_ranges_at(const struct core_ranges *set, size_t place)
{
	const struct core_range *r = set->room > 0 ? set->many : set->small;

	return r[set->count - 1 - place];
}

/* The lowest and the highest number; the set must not be empty. */
static inline uint64_t core_ranges_first(const struct core_ranges *set)
{
	return core_ranges_at(set, set->count - 1).first;
}

static inline uint64_t core_ranges_last(const struct core_ranges *set)
{
	return core_ranges_at(set, 0).last;
}

#endif
