/* SPDX-License-Identifier: Apache-2.0 */
/* Tests tests/tap.c: runs itself with "inner" before the arguments, and reads what
 * that says. */
#include "tests/tap.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- the inner program ----------------------------------------------------- */

static void passes(void)
{
	CU_ASSERT_EQUAL(1, 1);
}

static void fails(void)
{
	TAP_NOTE_IF(1 + 1 != 3, "row %d: %s", 7, "the reason");
	CU_ASSERT_EQUAL(1 + 1, 3);
}

static void skips(void)
{
	tap_skip("no moon tonight");
}

static void skips_and_fails(void)
{
	tap_skip("no moon tonight");
	CU_ASSERT(0);
}

static const struct tap_test inner[] = { { "the first passes", passes },
	                                 { "the second fails", fails },
	                                 { "the third is skipped", skips },
	                                 { "the fourth does both", skips_and_fails },
	                                 TAP_END };

/* ---- what it says ---------------------------------------------------------- */

static char output[4096];

/* Its exit status; what it printed is in output. */
static int run_inner(const char *argument, const char *value)
{
	char self[4096];
	ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
	size_t size = 0;
	ssize_t got;
	int ends[2], status = -1;
	pid_t child;

	CU_ASSERT_FATAL(length > 0 && pipe(ends) == 0);
	self[length] = '\0';
	child = fork();
	if (child == 0) {
		dup2(ends[1], STDOUT_FILENO);
		dup2(ends[1], STDERR_FILENO);
		close(ends[0]);
		close(ends[1]);
		execl(self, self, "inner", argument, value, (char *)NULL);
		_exit(127);
	}
	close(ends[1]);
	while ((got = read(ends[0], output + size, sizeof(output) - 1 - size)) > 0)
		size += (size_t)got;
	output[size] = '\0';
	close(ends[0]);
	CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static bool says(const char *words)
{
	bool there = strstr(output, words) != NULL;

	TAP_NOTE_IF(!there, "not there: %s", words + (*words == '\n'));
	return there;
}

static void each_test_gets_its_line(void)
{
	CU_ASSERT_EQUAL(run_inner(NULL, NULL), 1);
	CU_ASSERT(says("1..4\n"));
	CU_ASSERT(says("\nok 1 - the first passes\n"));
	CU_ASSERT(says("\nnot ok 2 - the second fails\n"));
	CU_ASSERT(says("\n# row 7: the reason\n"));
	CU_ASSERT(says("CU_ASSERT_EQUAL(1 + 1,3)\n"));
	CU_ASSERT(says("\nok 3 - the third is skipped # SKIP no moon tonight\n"));
}

static void a_failure_outweighs_a_skip(void)
{
	CU_ASSERT_EQUAL(run_inner("--only", "4"), 1);
	CU_ASSERT(says("1..1\n"));
	CU_ASSERT(says("\nnot ok 1 - the fourth does both\n"));
}

static void one_test_can_be_picked(void)
{
	static const struct {
		const char *only, *line, *reason;
		int status;
	} table[] = {
		{ "1", "\nok 1 - the first passes\n", "by its number", 0 },
		{ "first", "\nok 1 - the first passes\n", "by a part of its title", 0 },
		{ "second", "\nnot ok 1 - the second fails\n", "one that fails", 1 },
		{ "9", "1..0 # SKIP no such test\n", "no such number", 0 },
		{ "ninth", "1..0 # SKIP no such test\n", "no such title", 0 },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		int status = run_inner("--only", table[i].only);

		CU_ASSERT_EQUAL(status, table[i].status);
		CU_ASSERT(says(table[i].line));
		TAP_NOTE_IF(status != table[i].status, "%s", table[i].reason);
	}
}

static void a_list_runs_nothing(void)
{
	CU_ASSERT_EQUAL(run_inner("--list", NULL), 0);
	CU_ASSERT_STRING_EQUAL(output, "1 the first passes\n2 the second fails\n"
	                               "3 the third is skipped\n"
	                               "4 the fourth does both\n");
}

static void wrong_arguments_are_refused(void)
{
	CU_ASSERT_EQUAL(run_inner("--every", NULL), 2);
	CU_ASSERT(says("usage: "));
	CU_ASSERT_EQUAL(run_inner("--only", NULL), 2);
}

static const struct tap_test tests[] = {
	{ "each test gets its line, with notes and reasons", each_test_gets_its_line },
	{ "a failure outweighs a skip", a_failure_outweighs_a_skip },
	{ "one test can be picked by number or by words", one_test_can_be_picked },
	{ "a list runs nothing", a_list_runs_nothing },
	{ "wrong arguments are refused", wrong_arguments_are_refused },
	TAP_END
};

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "inner") == 0)
		return tap_main(argc - 1, argv + 1, "inner", inner);
	return tap_main(argc, argv, "tap", tests);
}
