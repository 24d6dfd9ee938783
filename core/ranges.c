/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sets of numbers as ranges.  Nearly every call adds the number after the
 * highest, so that case comes first; the others move a few dozen bytes.
 */
#include "core/ranges.h"

#include "core/mem.h"

#include <string.h>

static struct core_range *ranges(struct core_ranges *set)
{
	return set->room > 0 ? set->many : set->small;
}

/* How many ranges end below number. */
static size_t below(const struct core_ranges *set, uint64_t number)
{
	const struct core_range *r = set->room > 0 ? set->many : set->small;
	size_t low = 0, high = set->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (r[middle].last < number)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Room for one more range; false at the bound or when memory is short. */
static bool grow(struct core_ranges *set)
{
	uint32_t room = set->room > 0 ? set->room : CORE_RANGES_SMALL;
	struct core_range *many;

	if (set->count < room)
		return true;
	if (room == CORE_RANGES_MAX)
		return false;
	many = core_realloc(set->many, set->room, 2 * (size_t)room, sizeof(*many));
	if (many == NULL)
		return false;
	if (set->room == 0)
		memcpy(many, set->small, sizeof(set->small));
	set->many = many;
	set->room = 2 * room;
	return true;
}

static void drop(struct core_ranges *set, size_t at, size_t count)
{
	struct core_range *r = ranges(set);

	memmove(r + at, r + at + count, (set->count - at - count) * sizeof(*r));
	set->count -= (uint32_t)count;
}

static void insert(struct core_ranges *set, size_t at, struct core_range new)
{
	struct core_range *r;

	if (!grow(set)) {
		if (at == 0)
			return; /* It would be the lowest, which is what we forget. */
		drop(set, 0, 1);
		at--;
	}
	r = ranges(set);
	memmove(r + at + 1, r + at, (set->count - at) * sizeof(*r));
	r[at] = new;
	set->count++;
}

void core_ranges_add(struct core_ranges *set, uint64_t first, uint64_t last)
{
	struct core_range *r = ranges(set);
	size_t from, to;

	if (set->count > 0 && first > 0 && r[set->count - 1].last == first - 1) {
		r[set->count - 1].last = last;
		return;
	}
	/* [from, to) are the ranges that touch the new one or stand next to it. */
	from = below(set, first > 0 ? first - 1 : 0);
	for (to = from; to < set->count; to++)
		if (last < UINT64_MAX && r[to].first > last + 1)
			break;
	if (from == to) {
		insert(set, from, (struct core_range){ first, last });
		return;
	}
	if (r[from].first > first)
		r[from].first = first;
	r[from].last = r[to - 1].last > last ? r[to - 1].last : last;
	drop(set, from + 1, to - from - 1);
}

bool core_ranges_contains(const struct core_ranges *set, uint64_t number)
{
	const struct core_range *r = set->room > 0 ? set->many : set->small;
	size_t at = below(set, number);

	return at < set->count && r[at].first <= number;
}

void core_ranges_forget_below(struct core_ranges *set, uint64_t number)
{
	struct core_range *r;

	drop(set, 0, below(set, number));
	r = ranges(set);
	if (set->count > 0 && r[0].first < number)
		r[0].first = number;
}

void core_ranges_clear(struct core_ranges *set)
{
	muses_free(set->many);
	*set = (struct core_ranges){ 0 };
}
