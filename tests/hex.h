/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_HEX_H
#define TESTS_HEX_H

#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* Hexadecimal digits to bytes, as far as out has room; how many bytes. */
static inline size_t hex(const char *text, uint8_t *out, size_t room)
{
	size_t size = strlen(text) / 2;
	unsigned byte;

	if (size > room)
		size = room;
	for (size_t i = 0; i < size; i++) {
		if (sscanf(text + 2 * i, "%2x", &byte) != 1)
			return i;
		out[i] = (uint8_t)byte;
	}
	return size;
}

#endif
