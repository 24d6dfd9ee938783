/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What Jansson does not refuse by itself, or only after it has recursed 2048
 * levels down, is found by one pass over the bytes beforehand.
 */
#include "core/json.h"
#include "core/say.h"

#include <string.h>

/* Lines and columns count from 1; columns are bytes. */
struct scan {
	unsigned line, column;
	unsigned depth;
	bool in_text, escaped;
};

static const char *scan_byte(struct scan *s, char byte)
{
	if (byte == '\0')
		return "there is a zero byte";
	if (s->in_text) {
		if (s->escaped)
			s->escaped = false;
		else if (byte == '\\')
			s->escaped = true;
		else if (byte == '"')
			s->in_text = false;
	} else if (byte == '"') {
		s->in_text = true;
	} else if (byte == '{' || byte == '[') {
		if (++s->depth > CORE_JSON_DEPTH_MAX)
			return "more than 64 levels deep";
	} else if ((byte == '}' || byte == ']') && s->depth > 0) {
		s->depth--;
	}
	return NULL;
}
_Static_assert(CORE_JSON_DEPTH_MAX == 64, "the sentence above says 64");

static bool scan(const char *text, size_t size, char *why, size_t why_size)
{
	struct scan s = { .line = 1, .column = 1 };

	if (size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
		core_say(why, why_size, 0,
		         "line 1, column 1: there is a byte order mark; save the file as "
		         "UTF-8 without one");
		return false;
	}
	for (size_t i = 0; i < size; i++) {
		const char *fault = scan_byte(&s, text[i]);

		if (fault != NULL) {
			core_say(why, why_size, 0, "line %u, column %u: %s", s.line,
			         s.column, fault);
			return false;
		}
		s.column++;
		if (text[i] == '\n') {
			s.line++;
			s.column = 1;
		}
	}
	return true;
}

json_t *core_json_parse(const char *text, size_t size, char *why, size_t why_size)
{
	json_error_t error;
	json_t *root;

	if (size > CORE_JSON_SIZE_MAX) {
		core_say(why, why_size, 0, "larger than %zu bytes", CORE_JSON_SIZE_MAX);
		return NULL;
	}
	if (!scan(text, size, why, why_size))
		return NULL;
	root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &error);
	if (root != NULL)
		return root;
	switch (json_error_code(&error)) {
	case json_error_null_character:
	case json_error_null_byte_in_key:
		core_say(why, why_size, 0,
		         "line %d, column %d: there is a zero byte (\\u0000)", error.line,
		         error.column);
		break;
	case json_error_out_of_memory:
		core_say(why, why_size, 0, "out of memory");
		break;
	default:
		core_say(why, why_size, 0, "line %d, column %d: %s", error.line,
		         error.column, error.text);
	}
	return NULL;
}
