/* SPDX-License-Identifier: Apache-2.0 */
#include "core/mem.h"
#include "core/state.h"
#include "tests/tap.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/t_core_state.XXXXXX";
static char path[100], bad[120], other[120];
static struct core_env env;
static const struct muses_id id = { { 1, 2, 3 } };
static unsigned warnings;

static void sink(void *user, enum muses_level level, const char *who, const char *message)
{
	(void)user;
	(void)who;
	(void)message;
	warnings += level == MUSES_WARN;
}

static void begin(void)
{
	CU_ASSERT_EQUAL_FATAL(core_env_open(&env, core_loop_open(CORE_CLOCK_VIRTUAL), 1),
	                      0);
	core_log_set_sink(env.log, sink, NULL);
	warnings = 0;
}

static void finish(void)
{
	struct core_loop *loop = env.loop;

	core_env_close(&env);
	core_loop_close(loop);
	unlink(path);
	unlink(bad);
	unlink(other);
}

static void put(const char *text)
{
	FILE *f = fopen(path, "w");

	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	fputs(text, f);
	fclose(f);
}

/* What a node that starts now finds. */
static uint64_t found(void)
{
	struct core_state *s = core_state_open(&env, path, &id);
	uint64_t time;

	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	time = core_state_time(s);
	core_state_close(s);
	return time;
}

static void the_next_node_begins_behind_all_times_used(void)
{
	struct core_state *s;
	struct stat st;

	begin();
	s = core_state_open(&env, path, &id);
	CU_ASSERT_EQUAL(core_state_time(s), 0);
	for (uint64_t t = 1000 * MUSES_S; t < 1100 * MUSES_S; t += MUSES_S / 3) {
		core_state_used(s, t);
		if (found() <= t)
			CU_FAIL("a time could be used twice");
	}
	core_state_close(s);
	CU_ASSERT_EQUAL(stat(path, &st), 0);
	CU_ASSERT_EQUAL(st.st_mode & 0777, 0600);
	CU_ASSERT_EQUAL(warnings, 0);
	finish();
}

static void the_file_is_not_written_for_each_time(void)
{
	struct core_state *s;
	struct stat before, after;

	begin();
	s = core_state_open(&env, path, &id);
	core_state_used(s, 1000 * MUSES_S);
	CU_ASSERT_EQUAL(stat(path, &before), 0);
	for (uint64_t i = 1; i < 5; i++)
		core_state_used(s, (1000 + i) * MUSES_S);
	CU_ASSERT_EQUAL(stat(path, &after), 0);
	CU_ASSERT_EQUAL(before.st_ino, after.st_ino); /* A new one is a new inode. */
	core_state_close(s);
	finish();
}

static void a_file_that_is_not_ours_is_moved_aside(void)
{
	static const struct {
		const char *text, *why;
	} row[] = {
		{ "", "empty" },
		{ "{ \"muses_state\": 1, \"no", "cut off" },
		{ "[]", "another shape" },
		{ "{ \"muses_state\": 2, \"node\": \"x\", \"hello_time\": 5 }",
		  "of the future" },
		{ "{ \"muses_state\": 1, \"node\": \"aa\", \"hello_time\": 5 }",
		  "another node's" },
		{ "{ \"muses_state\": 1, \"node\": 7, \"hello_time\": 5 }", "no node" },
	};
	struct stat st;

	begin();
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		warnings = 0;
		put(row[i].text);
		TAP_NOTE_IF(found() != 0, "row %zu: %s", i, row[i].why);
		CU_ASSERT_EQUAL(found(), 0);
		CU_ASSERT_EQUAL(warnings, 1);
		CU_ASSERT_NOT_EQUAL(stat(path, &st), 0);
		CU_ASSERT_EQUAL(stat(bad, &st), 0);
	}
	finish();
}

/* A file of this node's, with other numbers. */
static void put_numbers(const char *file, int version, int time)
{
	char id_text[MUSES_ID_LENGTH + 1];
	FILE *f = fopen(file, "w");

	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	muses_id_text(&id, id_text);
	fprintf(f, "{ \"muses_state\": %d, \"node\": \"%s\", \"hello_time\": %d }",
	        version, id_text, time);
	fclose(f);
}

static void numbers_that_cannot_be_do_not_count(void)
{
	begin();
	put_numbers(path, 1, -5);
	CU_ASSERT_EQUAL(found(), 0);
	put_numbers(path, 2, 55);
	CU_ASSERT_EQUAL(found(), 0);
	CU_ASSERT_EQUAL(warnings, 2);
	put_numbers(path, 1, 55);
	CU_ASSERT_EQUAL(found(), 55);
	finish();
}

static void a_huge_file_and_a_link_are_not_read(void)
{
	struct stat st;

	begin();
	CU_ASSERT_EQUAL(truncate(path, 0), -1);
	put("{");
	CU_ASSERT_EQUAL(truncate(path, (off_t)1 << 32), 0);
	CU_ASSERT_EQUAL(found(), 0);
	CU_ASSERT_EQUAL(warnings, 1);
	put_numbers(other, 1, 55);
	CU_ASSERT_EQUAL(symlink(other, path), 0);
	CU_ASSERT_EQUAL(found(), 0);
	CU_ASSERT_EQUAL(warnings, 2);
	CU_ASSERT_EQUAL(stat(other, &st), 0);
	CU_ASSERT_EQUAL(mkfifo(path, 0600), 0);
	CU_ASSERT_EQUAL(found(), 0);
	finish();
}

static void a_folder_that_is_gone_is_worth_one_line(void)
{
	struct core_state *s;

	begin();
	s = core_state_open(&env, "/nowhere/at/all", &id);
	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	core_state_used(s, 1000 * MUSES_S);
	core_state_used(s, 2000 * MUSES_S);
	CU_ASSERT_EQUAL(warnings, 1);
	core_state_close(s);
	finish();
}

static void every_allocation_may_fail(void)
{
	begin();
	for (uint64_t n = 1;; n++) {
		uint64_t before = core_mem_count();
		struct core_state *s;

		core_mem_fuse(n);
		s = core_state_open(&env, path, &id);
		core_mem_fuse(0);
		CU_ASSERT_EQUAL(s == NULL, core_mem_blown());
		core_state_close(s);
		CU_ASSERT_EQUAL(core_mem_count(), before);
		if (s != NULL)
			break;
		CU_ASSERT_TRUE_FATAL(n < 20);
	}
	finish();
}

static const struct tap_test tests[] = {
	{ "the next node begins behind all times used",
	  the_next_node_begins_behind_all_times_used },
	{ "the file is not written for each time",
	  the_file_is_not_written_for_each_time },
	{ "a file that is not ours is moved aside",
	  a_file_that_is_not_ours_is_moved_aside },
	{ "numbers that cannot be do not count", numbers_that_cannot_be_do_not_count },
	{ "a huge file, a link and a fifo are not read",
	  a_huge_file_and_a_link_are_not_read },
	{ "a folder that is gone is worth one line",
	  a_folder_that_is_gone_is_worth_one_line },
	{ "every allocation may fail", every_allocation_may_fail },
	TAP_END
};

int main(int argc, char **argv)
{
	int result;

	if (mkdtemp(folder) == NULL)
		return 99;
	snprintf(path, sizeof(path), "%s/state", folder);
	snprintf(bad, sizeof(bad), "%s.bad", path);
	snprintf(other, sizeof(other), "%s.other", path);
	result = tap_main(argc, argv, "core_state", tests);
	rmdir(folder);
	return result;
}
