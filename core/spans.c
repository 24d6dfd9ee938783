/* SPDX-License-Identifier: Apache-2.0 */
#include "core/spans.h"

#include "core/mem.h"

static bool reserve(struct core_spans *s)
{
	uint32_t room = s->room > 0 ? 2 * s->room : 4;
	struct core_span *item;

	if (s->count < s->room)
		return true;
	item = core_realloc(s->item, s->room, room, sizeof(*item));
	if (item == NULL)
		return false;
	s->item = item;
	s->room = room;
	return true;
}

static void replace(struct core_spans *s, uint32_t from, uint32_t to, uint32_t kept)
{
	/* Items from .. to - 1 shrink to kept of them, which the caller has filled. */
	memmove(&s->item[from + kept], &s->item[to],
	        (s->count - to) * sizeof(s->item[0]));
	s->count -= to - from - kept;
	if (s->count == 0)
		core_spans_release(s);
}

bool core_spans_add(struct core_spans *s, uint64_t begin, uint64_t end)
{
	uint32_t from = 0, to;

	if (begin >= end)
		return true;
	while (from < s->count && s->item[from].end < begin)
		from++;
	for (to = from; to < s->count && s->item[to].begin <= end; to++)
		continue;
	if (from == to) {
		if (!reserve(s))
			return false;
		memmove(&s->item[from + 1], &s->item[from],
		        (s->count - from) * sizeof(s->item[0]));
		s->item[from] = (struct core_span){ begin, end };
		s->count++;
		return true;
	}
	if (s->item[from].begin < begin)
		begin = s->item[from].begin;
	if (s->item[to - 1].end > end)
		end = s->item[to - 1].end;
	s->item[from] = (struct core_span){ begin, end };
	replace(s, from, to, 1);
	return true;
}

bool core_spans_remove(struct core_spans *s, uint64_t begin, uint64_t end)
{
	uint32_t from = 0, to, kept = 0;
	struct core_span left, right;

	while (from < s->count && s->item[from].end <= begin)
		from++;
	for (to = from; to < s->count && s->item[to].begin < end; to++)
		continue;
	if (from == to || begin >= end)
		return true;
	left = (struct core_span){ s->item[from].begin, begin };
	right = (struct core_span){ end, s->item[to - 1].end };
	if (to - from == 1 && left.begin < left.end && right.begin < right.end) {
		if (!reserve(s))
			return false;
		memmove(&s->item[from + 1], &s->item[from],
		        (s->count - from) * sizeof(s->item[0]));
		s->count++;
		to++;
	}
	if (left.begin < left.end)
		s->item[from + kept++] = left;
	if (right.begin < right.end)
		s->item[from + kept++] = right;
	replace(s, from, to, kept);
	return true;
}

void core_spans_release(struct core_spans *s)
{
	muses_free(s->item);
	*s = (struct core_spans){ 0 };
}
