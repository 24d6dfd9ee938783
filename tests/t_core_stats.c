/* SPDX-License-Identifier: Apache-2.0 */
/* Tests core/stats.c. */
#include "tests/tap.h"

#include "core/mem.h"
#include "core/stats.h"

#include <stdio.h>
#include <string.h>

static struct core_stats *open_stats(void)
{
	struct core_stats *s = core_stats_open();

	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	return s;
}

static void counters_count_by_text(void)
{
	struct core_stats *s = open_stats();
	char who[8] = "tcp";
	char reason[16] = "replayed";
	uint64_t total;

	CU_ASSERT_EQUAL(core_stats_get(s, "tcp", "replayed"), 0);
	CU_ASSERT_EQUAL(core_count(s, "tcp", "replayed"), 1);
	CU_ASSERT_EQUAL(core_count(s, "tcp", "malformed"), 1);
	CU_ASSERT_EQUAL(core_count(s, "link", "replayed"), 1);
	/* Other pointers, same text; then the same pointers, other text, as when a
	 * plugin is unloaded and another takes its place. */
	CU_ASSERT_EQUAL(core_count(s, who, reason), 2);
	CU_ASSERT_EQUAL(core_count(s, who, reason), 3);
	strcpy(reason, "malformed");
	CU_ASSERT_EQUAL(core_count(s, who, reason), 2);
	strcpy(who, "link");
	CU_ASSERT_EQUAL(core_count(s, who, reason), 1);
	CU_ASSERT_EQUAL(core_stats_get(s, "tcp", "replayed"), 3);
	CU_ASSERT_EQUAL(core_stats_get(s, "tcp", "malformed"), 2);
	CU_ASSERT_EQUAL(core_stats_get(s, "link", "malformed"), 1);
	total = core_mem_total();
	for (int i = 0; i < 1000; i++)
		(void)core_count(s, "tcp", "replayed");
	CU_ASSERT_EQUAL(core_mem_total(), total);
	CU_ASSERT_EQUAL(core_stats_get(s, "tcp", "replayed"), 1003);
	core_stats_close(s);
	core_stats_close(NULL);
}

static void too_many_are_other(void)
{
	struct core_stats *s = open_stats();
	char reason[16];

	for (int i = 0; i < 600; i++) {
		snprintf(reason, sizeof(reason), "r%d", i);
		(void)core_count(s, "tcp", reason);
	}
	CU_ASSERT_EQUAL(core_stats_get(s, "tcp", "r0"), 1);
	CU_ASSERT_EQUAL(core_stats_get(s, "tcp", "r510"), 1);
	CU_ASSERT_EQUAL(core_stats_get(s, "tcp", "r511"), 0);
	CU_ASSERT_EQUAL(core_stats_get(s, "other", "other"), 600 - 511);
	CU_ASSERT_EQUAL(core_count(s, "tcp", "r510"), 2);
	core_stats_close(s);
}

static void json_is_by_part(void)
{
	struct core_stats *s = open_stats();
	json_t *seen, *expected;

	seen = core_stats_json(s);
	CU_ASSERT_EQUAL(json_object_size(seen), 0);
	json_decref(seen);
	(void)core_count(s, "session", "replayed");
	(void)core_count(s, "tcp", "refused");
	(void)core_count(s, "session", "replayed");
	(void)core_count(s, "session", "too short");
	expected = json_loads("{ \"session\": { \"replayed\": 2, \"too short\": 1 },"
	                      "  \"tcp\": { \"refused\": 1 } }",
	                      0, NULL);
	seen = core_stats_json(s);
	CU_ASSERT_TRUE(json_equal(seen, expected));
	json_decref(seen);
	json_decref(expected);
	core_stats_close(s);
}

static void lines_are_rationed(void)
{
	struct core_stats *s = open_stats();
	uint64_t times = 0;
	uint64_t now = 5 * MUSES_S;

	CU_ASSERT_TRUE(core_count_tell(s, "tcp", "refused", now, &times));
	CU_ASSERT_EQUAL(times, 1);
	for (int i = 0; i < 10; i++)
		CU_ASSERT_FALSE(
			core_count_tell(s, "tcp", "refused", now + MUSES_S - 1, &times));
	/* Each reason has its own ration. */
	CU_ASSERT_TRUE(core_count_tell(s, "tcp", "closed", now, &times));
	CU_ASSERT_EQUAL(times, 1);
	(void)core_count(s, "tcp", "refused");
	CU_ASSERT_TRUE(core_count_tell(s, "tcp", "refused", now + MUSES_S, &times));
	CU_ASSERT_EQUAL(times, 12);
	CU_ASSERT_EQUAL(core_stats_get(s, "tcp", "refused"), 13);
	core_stats_close(s);
}

static void no_memory_no_counter(void)
{
	for (uint64_t nth = 1; nth <= 2; nth++) {
		struct core_stats *s = open_stats();

		core_mem_fuse(nth);
		CU_ASSERT_EQUAL(core_count(s, "tcp", "refused"), 0);
		core_mem_fuse(0);
		CU_ASSERT_TRUE(core_mem_blown());
		CU_ASSERT_EQUAL(core_count(s, "tcp", "refused"), 1);
		core_stats_close(s);
	}
}

static const struct tap_test tests[] = {
	{ "counters go by text, whatever the pointers", counters_count_by_text },
	{ "what is beyond 512 counters is counted as other", too_many_are_other },
	{ "JSON has an object a part", json_is_by_part },
	{ "a reason is worth a line once a second, with the number swallowed",
	  lines_are_rationed },
	{ "out of memory, nothing is counted and nothing lost", no_memory_no_counter },
	TAP_END
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, "stats", tests);
}
