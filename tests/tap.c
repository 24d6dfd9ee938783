/* SPDX-License-Identifier: Apache-2.0 */
/* Turns CUnit's handlers into TAP.  CUnit's own printing is not used. */
#include "tests/tap.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned int count;   /* Of tests reported. */
static const char *skip_why; /* Of the running test. */

void tap_note(const char *format, ...)
{
	va_list args;

	printf("# ");
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
}

void tap_skip(const char *why)
{
	skip_why = why;
}

static void started(const CU_pTest test, const CU_pSuite suite)
{
	(void)test;
	(void)suite;
	skip_why = NULL;
}

static void completed(const CU_pTest test, const CU_pSuite suite,
                      const CU_pFailureRecord failure)
{
	(void)suite;
	count++;
	for (CU_pFailureRecord f = failure; f != NULL; f = f->pNext)
		tap_note("%s:%u: %s", f->strFileName, f->uiLineNumber, f->strCondition);
	if (failure != NULL)
		printf("not ok %u - %s\n", count, test->pName);
	else if (skip_why != NULL)
		printf("ok %u - %s # SKIP %s\n", count, test->pName, skip_why);
	else
		printf("ok %u - %s\n", count, test->pName);
}

/* Is test number the one that was asked for: by number, or by part of its title? */
static bool wanted(const char *only, unsigned int number, const char *title)
{
	char *end;
	unsigned long value;

	if (only == NULL)
		return true;
	value = strtoul(only, &end, 10);
	if (*only != '\0' && *end == '\0')
		return value == number;
	return strstr(title, only) != NULL;
}

static int usage(const char *program)
{
	fprintf(stderr, "usage: %s [--list | --only NUMBER-OR-PART-OF-TITLE]\n", program);
	return 2;
}

int tap_main(int argc, char **argv, const char *name, const struct tap_test *tests)
{
	const char *only = NULL;
	bool list = argc == 2 && strcmp(argv[1], "--list") == 0;
	unsigned int planned = 0, failures;
	CU_pSuite suite;

	if (argc == 3 && strcmp(argv[1], "--only") == 0)
		only = argv[2];
	else if (argc != 1 && !list)
		return usage(argv[0]);

	/* A crash must not take the lines before it along. */
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (CU_initialize_registry() != CUE_SUCCESS ||
	    (suite = CU_add_suite(name, NULL, NULL)) == NULL) {
		printf("Bail out! CUnit does not start: %s\n", CU_get_error_msg());
		return 1;
	}
	for (unsigned int i = 0; tests[i].title != NULL; i++) {
		if (list)
			printf("%u %s\n", i + 1, tests[i].title);
		if (!wanted(only, i + 1, tests[i].title))
			continue;
		if (CU_add_test(suite, tests[i].title, tests[i].run) == NULL) {
			printf("Bail out! cannot add test %u: %s\n", i + 1,
			       CU_get_error_msg());
			return 1;
		}
		planned++;
	}
	if (!list) {
		printf("1..%u%s\n", planned, planned == 0 ? " # SKIP no such test" : "");
		CU_set_test_start_handler(started);
		CU_set_test_complete_handler(completed);
		CU_run_all_tests();
	}
	failures = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failures == 0 ? 0 : 1;
}
