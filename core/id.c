/* SPDX-License-Identifier: Apache-2.0 */
/* Node ids as text (base32, RFC 4648 in lower case, no padding), and names. */
#include <muses/id.h>

#include <stddef.h>

static const char digit[] = "abcdefghijklmnopqrstuvwxyz234567";

/* 256 bits are 51 digits of 5 bits, and one that holds the last bit on top of four
 * zeros. */
_Static_assert(MUSES_ID_LENGTH == (MUSES_ID_SIZE * 8 + 4) / 5, "52 digits");

void muses_id_text(const struct muses_id *id, char text[static MUSES_ID_LENGTH + 1])
{
	unsigned bits = 0;
	unsigned held = 0;
	size_t at = 0;

	for (size_t i = 0; i < MUSES_ID_SIZE; i++) {
		bits = bits << 8 | id->bytes[i];
		for (held += 8; held >= 5; held -= 5)
			text[at++] = digit[bits >> (held - 5) & 31];
	}
	text[at++] = digit[bits << (5 - held) & 31];
	text[at] = '\0';
}

static int value(char c)
{
	if (c >= 'a' && c <= 'z')
		return c - 'a';
	if (c >= '2' && c <= '7')
		return c - '2' + 26;
	return -1;
}

bool muses_id_parse(const char *text, struct muses_id *id)
{
	struct muses_id parsed;
	unsigned bits = 0;
	unsigned held = 0;
	size_t at = 0;

	for (size_t i = 0; i < MUSES_ID_LENGTH; i++) {
		int v = value(text[i]); /* Also ends a text that is too short. */

		if (v < 0)
			return false;
		bits = bits << 5 | (unsigned)v;
		held += 5;
		if (held >= 8) {
			held -= 8;
			parsed.bytes[at++] = (uint8_t)(bits >> held);
		}
	}
	/* Each id has one text: what is left over must be zero. */
	if (text[MUSES_ID_LENGTH] != '\0' || (bits & ((1u << held) - 1)) != 0)
		return false;
	*id = parsed;
	return true;
}

/* Not isalnum(): that asks the locale. */
static bool alphanumeric(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool muses_name_valid(const char *text)
{
	size_t length = 0;

	if (!alphanumeric(text[0]))
		return false;
	for (; text[length] != '\0'; length++) {
		char c = text[length];

		if (length == MUSES_NAME_MAX)
			return false;
		if (!alphanumeric(c) && c != '.' && c != '_' && c != '-')
			return false;
	}
	return true;
}
