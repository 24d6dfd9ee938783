/* SPDX-License-Identifier: Apache-2.0 */
/* The words of the closed list of errors; the list itself is in muses/err.h. */
#include <muses/err.h>

const char *muses_strerror(int err)
{
	switch (err) {
	case 0:
		return "success";
#define WORDS(name, number, words) \
	case number:               \
		return words;
		MUSES_ERRORS(WORDS)
#undef WORDS
	}
	return "unknown error";
}
