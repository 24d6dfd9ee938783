/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_TAP_H
#define TESTS_TAP_H

#include <CUnit/CUnit.h>

/*
 * CUnit holds the assertions, TAP goes outside: one line per test.
 *
 *   static const struct tap_test tests[] = {
 *           { "an empty window accepts any number", empty_window },
 *           TAP_END
 *   };
 *
 *   int main(int argc, char **argv)
 *   {
 *           return tap_main(argc, argv, "window", tests);
 *   }
 *
 * Such a program takes --list, and --only with a number or a part of a title.
 */
struct tap_test {
	const char *title; /* A sentence, without '#'. */
	void (*run)(void);
};
/* clang-format off */
#define TAP_END { NULL, NULL }
/* clang-format on */

/* Run tests; the exit status of the program: 0 all well, 1 something failed, 2
 * wrong arguments. */
int tap_main(int argc, char **argv, const char *name, const struct tap_test *tests);

/* A line of diagnostics if cond holds: which row of the table, and its reason. */
#define TAP_NOTE_IF(cond, ...)                                                       \
	do {                                                                         \
		if (cond)                                                            \
			tap_note(__VA_ARGS__);                                       \
	} while (0)
void tap_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Mark the running test as skipped; return from it yourself.  The string must
 * outlive the test.  A failed assertion outweighs it. */
void tap_skip(const char *why);

#endif
