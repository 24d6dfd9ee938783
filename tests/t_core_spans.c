/* SPDX-License-Identifier: Apache-2.0 */
#include "core/spans.h"

#include "core/mem.h"
#include "tests/tap.h"

#include <stdio.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define END          UINT64_MAX

static void show(const struct core_spans *s, char *text, size_t size)
{
	size_t at = 0;

	text[0] = '\0';
	for (size_t i = 0; i < s->count && at < size; i++)
		at += (size_t)snprintf(text + at, size - at, "%s%llu-%llu",
		                       i > 0 ? " " : "",
		                       (unsigned long long)s->item[i].begin,
		                       (unsigned long long)s->item[i].end);
}

/* What the header promises about the shape. */
static bool sane(const struct core_spans *s)
{
	for (size_t i = 0; i < s->count; i++)
		if (s->item[i].begin >= s->item[i].end ||
		    (i > 0 && s->item[i].begin <= s->item[i - 1].end))
			return false;
	return s->count <= s->room && (s->count > 0 || s->item == NULL);
}

static void spans_that_touch_become_one_and_can_be_cut(void)
{
	static const struct {
		char what; /* +, - */
		uint64_t begin, end;
		const char *then;
		const char *why;
	} step[] = {
		{ '-', 0, END, "", "nothing to take out" },
		{ '+', 5, 5, "", "an empty one" },
		{ '+', 6, 5, "", "less than empty" },
		{ '+', 10, 20, "10-20", "the first" },
		{ '+', 20, 30, "10-30", "touches behind" },
		{ '+', 5, 10, "5-30", "touches before" },
		{ '+', 40, 50, "5-30 40-50", "apart" },
		{ '+', 0, 2, "0-2 5-30 40-50", "before all" },
		{ '+', 31, 39, "0-2 5-30 31-39 40-50", "between two, one byte off" },
		{ '+', 30, 31, "0-2 5-39 40-50", "closes one gap" },
		{ '-', 7, 9, "0-2 5-7 9-39 40-50", "cuts one in two" },
		{ '-', 5, 5, "0-2 5-7 9-39 40-50", "takes nothing" },
		{ '-', 9, 5, "0-2 5-7 9-39 40-50", "takes less than nothing" },
		{ '-', 2, 5, "0-2 5-7 9-39 40-50", "what is not there" },
		{ '-', 5, 7, "0-2 9-39 40-50", "exactly one" },
		{ '-', 1, 10, "0-1 10-39 40-50", "an end and a beginning" },
		{ '-', 38, 41, "0-1 10-38 41-50", "the same, without one between" },
		{ '+', 12, 13, "0-1 10-38 41-50", "is in there" },
		{ '+', 9, 51, "0-1 9-51", "covers two" },
		{ '+', END - 1, END, "0-1 9-51 18446744073709551614-18446744073709551615",
		  "the last byte there is" },
		{ '+', 1, END - 1, "0-18446744073709551615", "all but what is there" },
		{ '-', 0, END, "", "all" },
	};
	struct core_spans s = { 0 };
	char text[200];

	for (size_t i = 0; i < COUNT(step); i++) {
		bool done = step[i].what == '+'
		                    ? core_spans_add(&s, step[i].begin, step[i].end)
		                    : core_spans_remove(&s, step[i].begin, step[i].end);

		CU_ASSERT(done);
		CU_ASSERT(sane(&s));
		show(&s, text, sizeof(text));
		TAP_NOTE_IF(strcmp(text, step[i].then) != 0, "step %zu, %s: %s", i,
		            step[i].why, text);
		CU_ASSERT_STRING_EQUAL(text, step[i].then);
	}
	CU_ASSERT(core_spans_empty(&s));
}

static uint64_t dice;

static uint64_t roll(uint64_t sides)
{
	dice = dice * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (dice >> 33) % sides;
}

static void a_random_life_agrees_with_a_table_of_flags(void)
{
	enum { BYTES = 300, STEPS = 40000 };
	bool flag[BYTES] = { false };
	struct core_spans s = { 0 };
	uint64_t out = core_mem_count();

	dice = 11;
	for (size_t step = 0; step < STEPS; step++) {
		uint64_t begin = roll(BYTES);
		uint64_t end = begin + roll(roll(8) == 0 ? 100 : 6);
		/* For a while it fills, then it drains. */
		bool add = roll(10) < (step / 1000 % 2 == 0 ? 7u : 3u);
		size_t wrong = 0, at = 0;

		end = end < BYTES ? end : BYTES;
		CU_ASSERT(add ? core_spans_add(&s, begin, end)
		              : core_spans_remove(&s, begin, end));
		for (uint64_t i = begin; i < end; i++)
			flag[i] = add;
		for (uint64_t i = 0; i < BYTES; i++) {
			while (at < s.count && s.item[at].end <= i)
				at++;
			wrong += flag[i] != (at < s.count && s.item[at].begin <= i);
		}
		if (wrong > 0 || !sane(&s)) {
			TAP_NOTE_IF(true, "step %zu: %zu bytes are wrong", step, wrong);
			CU_FAIL("the spans and the table differ");
			break;
		}
	}
	core_spans_release(&s);
	CU_ASSERT_EQUAL(core_mem_count(), out);
}

static void without_memory_nothing_changes(void)
{
	struct core_spans s = { 0 };
	char before[200], text[200];
	unsigned refused = 0;

	core_mem_fuse(1);
	CU_ASSERT(!core_spans_add(&s, 1, 2));
	CU_ASSERT(core_spans_empty(&s));
	for (uint64_t i = 0; i < 40; i++) {
		bool added;

		show(&s, before, sizeof(before));
		core_mem_fuse(1);
		added = core_spans_add(&s, 10 * i, 10 * i + 5);
		if (!added) {
			refused++;
			show(&s, text, sizeof(text));
			CU_ASSERT_STRING_EQUAL(text, before);
			/* What needs no more room is done all the same. */
			CU_ASSERT(core_spans_add(&s, 0, 6));
			CU_ASSERT(core_spans_remove(&s, 5, 6));
			if (s.count > 0 && s.count == s.room) {
				core_mem_fuse(1);
				CU_ASSERT(!core_spans_remove(&s, 2, 3));
			}
			show(&s, text, sizeof(text));
			CU_ASSERT_STRING_EQUAL(text, i == 0 ? "0-5" : before);
			core_mem_fuse(0);
			CU_ASSERT(core_spans_add(&s, 10 * i, 10 * i + 5));
		}
		CU_ASSERT(sane(&s));
	}
	core_mem_fuse(0);
	CU_ASSERT(refused >= 4);
	core_spans_release(&s);
}

static const struct tap_test tests[] = {
	{ "spans that touch become one and can be cut",
	  spans_that_touch_become_one_and_can_be_cut },
	{ "a random life agrees with a table of flags",
	  a_random_life_agrees_with_a_table_of_flags },
	{ "without memory nothing changes", without_memory_nothing_changes },
	TAP_END,
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, "core_spans", tests);
}
