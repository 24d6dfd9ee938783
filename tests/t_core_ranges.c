/* SPDX-License-Identifier: Apache-2.0 */
#include "core/ranges.h"

#include "core/mem.h"
#include "tests/tap.h"

#include <stdio.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void show(const struct core_ranges *set, char *text, size_t size)
{
	size_t at = 0;

	text[0] = '\0';
	for (size_t i = 0; i < set->count && at < size; i++) {
		struct core_range r = core_ranges_at(set, i);

		at += (size_t)snprintf(text + at, size - at, "%s%llu-%llu",
		                       i > 0 ? " " : "", (unsigned long long)r.first,
		                       (unsigned long long)r.last);
	}
}

/* What the header promises about the shape. */
static bool sane(const struct core_ranges *set)
{
	if (set->count > CORE_RANGES_MAX)
		return false;
	for (size_t i = 0; i < set->count; i++) {
		struct core_range r = core_ranges_at(set, i);

		if (r.first > r.last)
			return false;
		if (i > 0 && r.last >= core_ranges_at(set, i - 1).first - 1)
			return false;
	}
	return true;
}

static void ranges_that_touch_become_one(void)
{
	static const struct {
		struct core_range add;
		const char *then;
		const char *why;
	} step[] = {
		{ { 10, 12 }, "10-12", "the first" },
		{ { 13, 13 }, "10-13", "the next number" },
		{ { 20, 20 }, "20-20 10-13", "a gap" },
		{ { 9, 9 }, "20-20 9-13", "just below" },
		{ { 15, 16 }, "20-20 15-16 9-13", "between two" },
		{ { 14, 14 }, "20-20 9-16", "closes a gap" },
		{ { 10, 11 }, "20-20 9-16", "is in there" },
		{ { 16, 30 }, "9-30", "swallows one and overlaps another" },
		{ { 0, 3 }, "9-30 0-3", "from 0" },
		{ { UINT64_MAX, UINT64_MAX },
		  "18446744073709551615-18446744073709551615 9-30 0-3",
		  "the highest number there is" },
		{ { 31, UINT64_MAX }, "9-18446744073709551615 0-3", "up to it" },
		{ { 0, UINT64_MAX }, "0-18446744073709551615", "all" },
		{ { UINT64_MAX, UINT64_MAX },
		  "0-18446744073709551615",
		  "no wrap at the end" },
	};
	struct core_ranges set = { 0 };
	char text[200];

	for (size_t i = 0; i < COUNT(step); i++) {
		core_ranges_add(&set, step[i].add.first, step[i].add.last);
		show(&set, text, sizeof(text));
		TAP_NOTE_IF(strcmp(text, step[i].then) != 0, "step %zu, %s: %s", i,
		            step[i].why, text);
		CU_ASSERT_STRING_EQUAL(text, step[i].then);
	}
	core_ranges_clear(&set);
}

static void a_full_set_forgets_its_lowest_range(void)
{
	struct core_ranges set = { 0 };

	for (uint64_t i = 1; i <= CORE_RANGES_MAX; i++)
		core_ranges_add(&set, 10 * i, 10 * i + 1);
	CU_ASSERT_EQUAL(set.count, CORE_RANGES_MAX);
	CU_ASSERT_EQUAL(core_ranges_first(&set), 10);
	core_ranges_add(&set, 5, 5);
	CU_ASSERT_EQUAL(core_ranges_first(&set), 10); /* 5 would be the lowest. */
	core_ranges_add(&set, 9, 9);
	CU_ASSERT_EQUAL(core_ranges_first(&set), 9); /* It needs no range of its own. */
	core_ranges_add(&set, 15, 15);
	CU_ASSERT_EQUAL(core_ranges_first(&set), 15);
	core_ranges_add(&set, 10000, 10000);
	CU_ASSERT_EQUAL(core_ranges_first(&set), 20);
	CU_ASSERT_EQUAL(core_ranges_last(&set), 10000);
	CU_ASSERT_EQUAL(set.count, CORE_RANGES_MAX);
	CU_ASSERT(sane(&set));
	core_ranges_clear(&set);
	CU_ASSERT(core_ranges_empty(&set));
}

static void an_idle_set_needs_no_memory(void)
{
	uint64_t before = core_mem_count(), total = core_mem_total();
	struct core_ranges set = { 0 };

	for (uint64_t i = 0; i < CORE_RANGES_SMALL; i++)
		core_ranges_add(&set, 10 * i, 10 * i);
	CU_ASSERT_EQUAL(core_mem_total(), total);
	for (uint64_t i = 0; i < 1000; i++)
		core_ranges_add(&set, 10 * i, 10 * i);
	CU_ASSERT_EQUAL(set.count, CORE_RANGES_MAX);
	CU_ASSERT_EQUAL(core_mem_count(), before + 1);
	core_ranges_clear(&set);
	CU_ASSERT_EQUAL(core_mem_count(), before);
}

static void a_set_without_memory_keeps_the_highest(void)
{
	struct core_ranges set = { 0 };
	uint64_t count = 0;

	core_mem_fuse(1);
	while (!core_mem_blown() && count < CORE_RANGES_MAX) {
		core_ranges_add(&set, 10 * count, 10 * count);
		count++;
	}
	CU_ASSERT(core_mem_blown());
	core_mem_fuse(0);
	CU_ASSERT_EQUAL(set.count, count - 1);
	CU_ASSERT_EQUAL(core_ranges_first(&set), 10);
	CU_ASSERT_EQUAL(core_ranges_last(&set), 10 * (count - 1));
	CU_ASSERT(sane(&set));
	core_ranges_clear(&set);
}

/* Numbers of one byte against a table of 256 flags.  As 64 ranges can be too
 * few for the worst pattern of 256 numbers, the model forgets the lowest too. */
static void a_random_life_agrees_with_a_table_of_flags(void)
{
	enum { NUMBERS = 256, STEPS = 60000 };
	bool flag[NUMBERS] = { false };
	struct core_ranges set = { 0 };
	uint64_t dice = 7;

	for (size_t step = 0; step < STEPS; step++) {
		uint64_t first, last;
		size_t groups = 0, wrong = 0;

		dice = dice * UINT64_C(6364136223846793005) +
		       UINT64_C(1442695040888963407);
		first = dice >> 56;
		last = first + (dice >> 48 & 7) / 6;
		last = last < NUMBERS ? last : NUMBERS - 1;
		if ((dice >> 40 & 0xff) == 0) {
			core_ranges_forget_below(&set, first);
			memset(flag, 0, first * sizeof(flag[0]));
		} else if ((dice >> 36 & 0xfff) == 0) {
			core_ranges_clear(&set);
			memset(flag, 0, sizeof(flag));
		} else {
			core_ranges_add(&set, first, last);
			memset(flag + first, 1, (last - first + 1) * sizeof(flag[0]));
		}
		for (size_t i = NUMBERS; i-- > 0;) {
			groups += flag[i] && (i == NUMBERS - 1 || !flag[i + 1]);
			if (groups > CORE_RANGES_MAX)
				flag[i] = false;
		}
		for (size_t i = 0; i < NUMBERS; i++)
			wrong += core_ranges_contains(&set, i) != flag[i];
		if (wrong > 0 || !sane(&set)) {
			TAP_NOTE_IF(true, "step %zu: %zu numbers are wrong", step, wrong);
			CU_FAIL("the set and the table differ");
			break;
		}
	}
	core_ranges_clear(&set);
}

static void forgetting_cuts_inside_a_range(void)
{
	struct core_ranges set = { 0 };

	core_ranges_forget_below(&set, 7);
	core_ranges_add(&set, 0, 9);
	core_ranges_add(&set, 20, 29);
	core_ranges_forget_below(&set, 0);
	CU_ASSERT_EQUAL(core_ranges_first(&set), 0);
	core_ranges_forget_below(&set, 9);
	CU_ASSERT_EQUAL(core_ranges_first(&set), 9);
	core_ranges_forget_below(&set, 10);
	CU_ASSERT_EQUAL(core_ranges_first(&set), 20);
	core_ranges_forget_below(&set, UINT64_MAX);
	CU_ASSERT(core_ranges_empty(&set));
	core_ranges_clear(&set);
}

static const struct tap_test tests[] = {
	{ "ranges that touch become one", ranges_that_touch_become_one },
	{ "a full set forgets its lowest range", a_full_set_forgets_its_lowest_range },
	{ "an idle set needs no memory", an_idle_set_needs_no_memory },
	{ "a set without memory keeps the highest",
	  a_set_without_memory_keeps_the_highest },
	{ "a random life agrees with a table of flags",
	  a_random_life_agrees_with_a_table_of_flags },
	{ "forgetting cuts inside a range", forgetting_cuts_inside_a_range },
	TAP_END,
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, "core_ranges", tests);
}
