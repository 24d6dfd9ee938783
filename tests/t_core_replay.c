/* SPDX-License-Identifier: Apache-2.0 */
#include "core/replay.h"

#include "tests/tap.h"

#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define SEQ_END      (UINT64_C(1) << 62)
#define EDGE         UINT64_C(8129) /* The first number that pushes 0 out. */

/* Is seq fresh?  If so it counts as accepted, as on a real connection. */
static bool take(struct core_replay *r, uint64_t seq)
{
	bool fresh = core_replay_fresh(r, seq);

	if (fresh)
		core_replay_mark(r, seq);
	return fresh;
}

/* The order of numbers with which WireGuard tests its window of the same size,
 * with our own end of the numbers. */
static void a_window_accepts_each_number_once(void)
{
	static const struct {
		uint64_t seq;
		bool fresh;
		const char *why;
	} step[] = {
		{ 0, true, "the first packet has number 0" },
		{ 1, true, "the next" },
		{ 1, false, "again" },
		{ 9, true, "ahead" },
		{ 8, true, "late, inside the window" },
		{ 7, true, "later still" },
		{ 7, false, "again" },
		{ EDGE, true, "one window ahead" },
		{ EDGE - 1, true, "just behind the newest" },
		{ EDGE - 1, false, "again" },
		{ EDGE - 2, true, "two behind the newest" },
		{ 2, true, "not seen, and inside by one" },
		{ 2, false, "again" },
		{ EDGE + 16, true, "the window moves within a word" },
		{ 3, false, "fell out of the window" },
		{ EDGE + 16, false, "the newest again" },
		{ EDGE * 4, true, "farther ahead than the whole ring" },
		{ EDGE * 4 - (EDGE - 1), true, "the window's far edge" },
		{ 10, false, "long gone" },
		{ EDGE * 4 - EDGE, false, "one below the edge" },
		{ EDGE * 4 - (EDGE + 1), false, "two below the edge" },
		{ EDGE * 4 - (EDGE - 2), true, "one above the edge" },
		{ EDGE * 4 + 1 - EDGE, false, "the edge again" },
		{ 0, false, "0 is old now" },
		{ SEQ_END, false, "the first number that is never valid" },
		{ SEQ_END - 1, true, "the last number there is" },
		{ SEQ_END, false, "still not valid" },
		{ SEQ_END - 1, false, "again" },
		{ SEQ_END - 2, true, "late, next to the last" },
		{ SEQ_END + 1, false, "beyond" },
		{ UINT64_MAX, false, "far beyond" },
		{ SEQ_END - 2, false, "again" },
		{ SEQ_END - 3, true, "late" },
		{ 0, false, "0 stays old" },
	};
	struct core_replay r = { 0 };

	for (size_t i = 0; i < COUNT(step); i++) {
		bool fresh = take(&r, step[i].seq);

		TAP_NOTE_IF(fresh != step[i].fresh, "step %zu: %s", i, step[i].why);
		CU_ASSERT_EQUAL(fresh, step[i].fresh);
	}
}

/* From first to last in either direction; then the two numbers after. */
static void a_full_window_is_exact_at_both_edges(void)
{
	static const struct {
		uint64_t first, last;
		uint64_t then;
		bool then_fresh;
		uint64_t after;
		bool after_fresh;
		const char *why;
	} run[] = {
		{ 1, 8128, 0, true, 0, false, "upwards, 0 is the last that fits" },
		{ 2, 8129, 1, true, 0, false, "upwards, 0 does not fit" },
		{ 8128, 0, 8128, false, 0, false, "downwards, all of it" },
		{ 8129, 1, 0, false, 8129, false, "downwards, 0 does not fit" },
		{ 8128, 1, 8129, true, 0, false, "downwards, then the window moves" },
		{ 8128, 1, 0, true, 8129, true, "downwards, 0 before it moves" },
	};

	for (size_t i = 0; i < COUNT(run); i++) {
		struct core_replay r = { 0 };
		uint64_t seq = run[i].first;
		bool up = run[i].first < run[i].last, all = true, then, after;

		for (;; seq = up ? seq + 1 : seq - 1) {
			all = take(&r, seq) && all;
			if (seq == run[i].last)
				break;
		}
		then = take(&r, run[i].then);
		after = take(&r, run[i].after);
		TAP_NOTE_IF(!all || then != run[i].then_fresh ||
		                    after != run[i].after_fresh,
		            "run %zu: %s", i, run[i].why);
		CU_ASSERT(all);
		CU_ASSERT_EQUAL(then, run[i].then_fresh);
		CU_ASSERT_EQUAL(after, run[i].after_fresh);
	}
}

static void asking_changes_nothing(void)
{
	struct core_replay r = { 0 }, before;

	core_replay_mark(&r, 5);
	core_replay_mark(&r, 700);
	before = r;
	CU_ASSERT(core_replay_fresh(&r, SEQ_END - 1));
	CU_ASSERT(core_replay_fresh(&r, 701));
	CU_ASSERT(!core_replay_fresh(&r, 5));
	CU_ASSERT_EQUAL(memcmp(&r, &before, sizeof(r)), 0);
}

/* The model keeps every accepted number as a byte; the walk goes ahead by steps
 * of all sizes and looks back over more than the window. */
static void a_random_walk_agrees_with_a_list_of_all_numbers(void)
{
	enum { NUMBERS = 1 << 20, STEPS = 400000 };
	uint8_t *seen = calloc(NUMBERS, 1);
	struct core_replay r = { 0 };
	uint64_t dice = 1, top = 0;
	bool any = false;

	CU_ASSERT_PTR_NOT_NULL_FATAL(seen);
	for (size_t i = 0; i < STEPS; i++) {
		uint64_t seq, size;
		bool fresh, expected;

		dice = dice * UINT64_C(6364136223846793005) +
		       UINT64_C(1442695040888963407);
		size = UINT64_C(1) << (dice >> 60);
		seq = (dice >> 33) % size;
		if (dice >> 59 & 1)
			seq = top + seq % 64 +
			      (size > 8192 && dice >> 40 % 32 == 0 ? size : 0);
		else
			seq = top > seq ? top - seq : 0;
		if (seq >= NUMBERS)
			break;
		expected = !any || (seq > top) ||
		           (top - seq <= CORE_REPLAY_WINDOW && !seen[seq]);
		fresh = take(&r, seq);
		if (fresh != expected) {
			TAP_NOTE_IF(true, "step %zu, number %llu, top %llu", i,
			            (unsigned long long)seq, (unsigned long long)top);
			CU_ASSERT_EQUAL(fresh, expected);
			break;
		}
		if (fresh) {
			seen[seq] = 1;
			top = seq > top ? seq : top;
			any = true;
		}
	}
	CU_ASSERT(top > NUMBERS / 2);
	free(seen);
}

static void a_jump_of_any_size_clears_what_it_enters(void)
{
	for (uint64_t jump = 1; jump < 20000; jump += 61) {
		struct core_replay r = { 0 };
		bool all = true;

		for (uint64_t seq = 0; seq < 8192; seq++)
			core_replay_mark(&r, seq);
		core_replay_mark(&r, 8191 + jump);
		for (uint64_t seq = 8192; seq < 8191 + jump; seq++)
			if (8191 + jump - seq <= CORE_REPLAY_WINDOW)
				all = core_replay_fresh(&r, seq) && all;
		TAP_NOTE_IF(!all, "a jump of %llu left old bits",
		            (unsigned long long)jump);
		CU_ASSERT(all);
	}
}

static const struct tap_test tests[] = {
	{ "a window accepts each number once", a_window_accepts_each_number_once },
	{ "a full window is exact at both edges", a_full_window_is_exact_at_both_edges },
	{ "asking changes nothing", asking_changes_nothing },
	{ "a random walk agrees with a list of all numbers",
	  a_random_walk_agrees_with_a_list_of_all_numbers },
	{ "a jump of any size clears what it enters",
	  a_jump_of_any_size_clears_what_it_enters },
	TAP_END,
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, "core_replay", tests);
}
