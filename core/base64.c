/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base64, strictly: the one text of exactly so many bytes, or nothing.
 *
 * Keys pass through here, so neither direction looks anything up in a table:
 * which character it is shows neither in time nor in the cache.
 */
#include <muses/noise.h>

/* All ones if low <= c <= high, else 0. */
static unsigned in_range(unsigned c, unsigned low, unsigned high)
{
	return ~(((c - low) | (high - c)) >> 8) & 0xff;
}

/* 0 to 63, or above 63 if c is not of the alphabet. */
static unsigned value_of(unsigned c)
{
	unsigned upper = in_range(c, 'A', 'Z');
	unsigned lower = in_range(c, 'a', 'z');
	unsigned digit = in_range(c, '0', '9');
	unsigned plus = in_range(c, '+', '+');
	unsigned slash = in_range(c, '/', '/');
	unsigned known = upper | lower | digit | plus | slash;

	return (upper & (c - 'A')) | (lower & (c - 'a' + 26)) | (digit & (c - '0' + 52)) |
	       (plus & 62) | (slash & 63) | (~known & 0x40);
}

static char character_of(unsigned v)
{
	return (char)((in_range(v, 0, 25) & (v + 'A')) |
	              (in_range(v, 26, 51) & (v - 26 + 'a')) |
	              (in_range(v, 52, 61) & (v - 52 + '0')) |
	              (in_range(v, 62, 62) & '+') | (in_range(v, 63, 63) & '/'));
}

bool muses_base64_parse(const char *text, uint8_t *out, size_t size)
{
	size_t length = 4 * ((size + 2) / 3);
	unsigned wrong = 0;

	if (strnlen(text, length + 1) != length)
		return false;
	for (size_t i = 0, done = 0; i < length; i += 4, done += 3) {
		size_t bytes = size - done < 3 ? size - done : 3;
		uint32_t group = 0;

		for (size_t k = 0; k < 4; k++) {
			unsigned c = (unsigned char)text[i + k];
			unsigned v = 0;

			if (k <= bytes)
				v = value_of(c);
			else
				wrong |= c ^ '=';
			wrong |= v & 0x40;
			group = group << 6 | v;
		}
		for (size_t k = 0; k < 3; k++) {
			uint8_t byte = (uint8_t)(group >> (16 - 8 * k));

			if (k < bytes)
				out[done + k] = byte;
			else
				wrong |= byte; /* Bits that stand for nothing must be
				                  zero. */
		}
	}
	if (wrong != 0)
		muses_cleanse(out, size);
	return wrong == 0;
}

void muses_base64_text(const uint8_t *data, size_t size, char *text)
{
	for (size_t done = 0; done < size; done += 3) {
		size_t bytes = size - done < 3 ? size - done : 3;
		uint32_t group = 0;

		for (size_t k = 0; k < 3; k++)
			group = group << 8 | (k < bytes ? data[done + k] : 0);
		for (size_t k = 0; k < 4; k++)
			*text++ = k <= bytes ? character_of(group >> (18 - 6 * k) & 63)
			                     : '=';
	}
	*text = '\0';
}
