/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_LINES_H
#define CORE_LINES_H

#include <stddef.h>

/*
 * Text files of lines of words: blanks separate, '#' where a word could begin
 * starts a comment, empty lines do not count.
 */
#define CORE_WORDS_MAX 4
#define CORE_WORD_MAX  127 /* Characters of the longest word. */

struct core_lines {
	const char *at, *end;
	unsigned number; /* Of the line read last; the first is 1. */
};

struct core_line {
	size_t count; /* At least 1. */
	char word[CORE_WORDS_MAX][CORE_WORD_MAX + 1];
};

static inline struct core_lines core_lines(const char *text, size_t size)
{
	return (struct core_lines){ .at = text, .end = size > 0 ? text + size : text };
}

/* The next line with words on it.  1; 0 at the end; MUSES_ECONFIG, with why, for
 * too many words, one that is too long, or a control character. */
int core_lines_next(struct core_lines *lines, struct core_line *line, char *why,
                    size_t why_size);

#endif
