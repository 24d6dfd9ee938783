/* SPDX-License-Identifier: Apache-2.0 */
/* See core/lines.h. */
#include "core/lines.h"
#include "core/say.h"

#include <muses/err.h>

#include <stdbool.h>

/* A line that was saved elsewhere ends in CR LF; that harms nobody. */
static bool blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static int read_word(struct core_lines *r, struct core_line *line, char *why,
                     size_t why_size)
{
	char *word = line->word[line->count];
	size_t length = 0;

	if (line->count == CORE_WORDS_MAX)
		return core_say(why, why_size, MUSES_ECONFIG,
		                "line %u: more than %d words", r->number, CORE_WORDS_MAX);
	for (; r->at < r->end && *r->at != '\n' && !blank(*r->at); r->at++) {
		if ((unsigned char)*r->at < 0x20 || *r->at == 0x7f)
			return core_say(why, why_size, MUSES_ECONFIG,
			                "line %u: a control character", r->number);
		if (length == CORE_WORD_MAX)
			return core_say(why, why_size, MUSES_ECONFIG,
			                "line %u: a word of more than %d characters",
			                r->number, CORE_WORD_MAX);
		word[length++] = *r->at;
	}
	word[length] = '\0';
	line->count++;
	return 0;
}

int core_lines_next(struct core_lines *r, struct core_line *line, char *why,
                    size_t why_size)
{
	int err = 0;

	line->count = 0;
	while (err == 0 && line->count == 0 && r->at < r->end) {
		r->number++;
		while (err == 0 && r->at < r->end && *r->at != '\n') {
			if (blank(*r->at))
				r->at++;
			else if (*r->at != '#')
				err = read_word(r, line, why, why_size);
			else
				while (r->at < r->end && *r->at != '\n')
					r->at++;
		}
		if (r->at < r->end && err == 0)
			r->at++;
	}
	return err != 0 ? err : line->count > 0;
}
