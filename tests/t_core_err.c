/* SPDX-License-Identifier: Apache-2.0 */
/* Tests core/err.c. */
#include "tests/tap.h"

#include <muses/err.h>

#include <limits.h>
#include <string.h>

static const struct {
	int number;
	const char *words;
} list[] = {
#define ROW(name, number, words) { name, words },
	MUSES_ERRORS(ROW)
#undef ROW
};
static const size_t rows = sizeof(list) / sizeof(list[0]);

static void each_has_its_words(void)
{
	CU_ASSERT_STRING_EQUAL(muses_strerror(0), "success");
	for (size_t i = 0; i < rows; i++) {
		const char *words = muses_strerror(list[i].number);

		CU_ASSERT_STRING_EQUAL(words, list[i].words);
		TAP_NOTE_IF(strcmp(words, list[i].words) != 0, "%d is \"%s\"",
		            list[i].number, words);
	}
}

static void numbers_run_down_from_minus_one(void)
{
	for (size_t i = 0; i < rows; i++)
		CU_ASSERT_EQUAL(list[i].number, -(int)i - 1);
}

static void others_are_unknown(void)
{
	static const struct {
		int number;
		const char *reason;
	} table[] = {
		{ 1, "positive numbers are not errors of ours" },
		{ -1000, "far below the list" },
		{ INT_MIN, "has no positive counterpart" },
		{ INT_MAX, "the largest" },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		const char *words = muses_strerror(table[i].number);

		CU_ASSERT_STRING_EQUAL(words, "unknown error");
		TAP_NOTE_IF(strcmp(words, "unknown error") != 0, "%d: %s",
		            table[i].number, table[i].reason);
	}
	CU_ASSERT_STRING_EQUAL(muses_strerror(-(int)rows - 1), "unknown error");
}

static const struct tap_test tests[] = {
	{ "every error has the words of the list", each_has_its_words },
	{ "the numbers run down from -1 without a gap", numbers_run_down_from_minus_one },
	{ "a number that is not in the list is an unknown error", others_are_unknown },
	TAP_END
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, "err", tests);
}
