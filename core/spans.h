/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_SPANS_H
#define CORE_SPANS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Parts of a stream's bytes, as [begin, end) positions: those that were
 * acknowledged out of order, those that were lost.  Sorted, disjoint, never
 * touching; grows as needed (in-flight packets bound it), and nothing is ever
 * forgotten.  A zeroed struct is empty and owns nothing.
 */
struct core_span {
	uint64_t begin, end;
};

struct core_spans {
	struct core_span *item;
	uint32_t count, room;
};

/* false: out of memory, and nothing changed. */
bool core_spans_add(struct core_spans *s, uint64_t begin, uint64_t end);
/* Take [begin, end) out, wherever it overlaps.  false: out of memory (a span would
 * have to be cut in two), and nothing changed. */
bool core_spans_remove(struct core_spans *s, uint64_t begin, uint64_t end);
static inline bool core_spans_empty(const struct core_spans *s)
{
	return s->count == 0;
}
void core_spans_release(struct core_spans *s);

#endif
