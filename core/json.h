/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_JSON_H
#define CORE_JSON_H

#include <jansson.h>
#include <stdbool.h>

/*
 * Strict reading of JSON that somebody else wrote: one value, an object or a
 * list, in UTF-8 without a byte order mark or zero bytes; no key twice; at most
 * CORE_JSON_SIZE_MAX bytes and CORE_JSON_DEPTH_MAX levels, which are counted
 * before anything is allocated.
 */
#define CORE_JSON_SIZE_MAX  ((size_t)1 << 20)
#define CORE_JSON_DEPTH_MAX 64

/* A new reference; NULL and "line 3, column 7: ..." in why. */
json_t *core_json_parse(const char *text, size_t size, char *why, size_t why_size);

#endif
