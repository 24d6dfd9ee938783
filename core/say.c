/* SPDX-License-Identifier: Apache-2.0 */
/* Makes sentences safe to show on a terminal, and finds near words. */
#include "core/say.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define NEAR_LENGTH_MAX 40

int core_say(char *why, size_t why_size, int err, const char *format, ...)
{
	va_list arguments;
	int length;

	if (why == NULL || why_size == 0)
		return err;
	va_start(arguments, format);
	length = vsnprintf(why, why_size, format, arguments);
	va_end(arguments);
	if (length < 0)
		why[0] = '\0';
	if (length > 0 && (size_t)length >= why_size && why_size > 4) {
		size_t end = why_size - 4;

		/* Not in the middle of a UTF-8 character. */
		while (end > 0 && ((unsigned char)why[end] & 0xc0) == 0x80)
			end--;
		memcpy(why + end, "...", 4);
	}
	for (char *c = why; *c != '\0'; c++) {
		unsigned char byte = (unsigned char)*c, next = (unsigned char)c[1];

		if (byte < 0x20 || byte == 0x7f) {
			*c = '?';
		} else if (byte == 0xc2 && next >= 0x80 && next < 0xa0) {
			c[0] = '?';
			c[1] = '?';
		}
	}
	return err;
}

void core_near_init(struct core_near *near, const char *word)
{
	near->word = word;
	near->best = NULL;
	near->distance = strlen(word) / 3 + 1; /* Less than that is near. */
	if (near->distance > 3)
		near->distance = 3;
	near->distance++;
}

/* How many letters to change, add or leave out (Levenshtein). */
static size_t distance(const char *a, size_t a_length, const char *b, size_t b_length)
{
	size_t row[NEAR_LENGTH_MAX + 1];

	for (size_t j = 0; j <= b_length; j++)
		row[j] = j;
	for (size_t i = 1; i <= a_length; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= b_length; j++) {
			size_t least = diagonal + (a[i - 1] != b[j - 1]);

			diagonal = row[j];
			if (row[j] + 1 < least)
				least = row[j] + 1;
			if (row[j - 1] + 1 < least)
				least = row[j - 1] + 1;
			row[j] = least;
		}
	}
	return row[b_length];
}

void core_near_try(struct core_near *near, const char *known)
{
	size_t word_length = strlen(near->word), known_length = strlen(known), d;

	if (word_length > NEAR_LENGTH_MAX || known_length > NEAR_LENGTH_MAX)
		return;
	d = distance(near->word, word_length, known, known_length);
	if (d < near->distance && d < known_length) {
		near->distance = d;
		near->best = known;
	}
}
