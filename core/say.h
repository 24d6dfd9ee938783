/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_SAY_H
#define CORE_SAY_H

#include <stddef.h>

/*
 * Sentences for people, made of things that strangers may have written: names
 * from a file, paths, words of a parser.
 */

/* Write one sentence to why and return err.  Control characters (also those of
 * UTF-8's second page) become '?', and what does not fit ends in "...". */
int core_say(char *why, size_t why_size, int err, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* Which of the words we know is nearest to the one somebody wrote? */
struct core_near {
	const char *word; /* As written. */
	const char *best; /* NULL: none is near enough to ask "did you mean". */
	size_t distance;
};
void core_near_init(struct core_near *near, const char *word);
void core_near_try(struct core_near *near, const char *known);

#define CORE_SAY_MAX 512 /* Room for any sentence of ours. */

#endif
