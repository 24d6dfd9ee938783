/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_READING_H
#define CORE_READING_H

#include "core/options.h"

/* What core/options.c (a whole object) and core/reading.c (one value) share. */

struct core_options {
	struct core_options_block {
		struct core_options_block *next;
		void *bytes;
		size_t secret_size; /* 0: nothing to cleanse. */
	} *block; /* What the struct points to. */
};

/* One call of core_options_read(). */
struct core_reading {
	const struct core_options_place *place;
	const char *dot;                   /* Behind place->path; "" if that is empty. */
	const struct muses_option *option; /* The row in hand. */
	struct core_options *options;
	char *config;
	char *why;
	size_t why_size;
};

/* Put value, or the default, where the row in hand wants it.  0, or an error with
 * why. */
int core_reading_value(const struct core_reading *r, json_t *value);
void core_reading_preset(const struct core_reading *r);

#endif
