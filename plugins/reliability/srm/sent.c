/* SPDX-License-Identifier: Apache-2.0 */
/* The ring of packets in flight.  Only here does srm allocate after a session
 * has opened, and only when more is in flight than ever since it last was idle. */
#include "sent.h"

#include <muses/plugin.h>

#include <string.h>

#define SENT_MOST (UINT32_C(1) << 24) /* Far above any window; bounds the doubling. */

static int resize(struct sent *s, uint32_t capacity)
{
	struct sent_record *ring = muses_zalloc(capacity * sizeof(*ring));

	if (ring == NULL)
		return MUSES_ENOMEM;
	for (uint32_t i = 0; i < s->count; i++)
		ring[i] = *srm_sent_at(s, i);
	muses_free(s->ring);
	s->ring = ring;
	s->capacity = capacity;
	s->front = 0;
	return 0;
}

int srm_sent_push(struct sent *s, uint64_t seq, uint32_t size, uint64_t now)
{
	struct sent_record *record;

	if (s->count == s->capacity) {
		uint32_t capacity = s->capacity == 0 ? SENT_LEAST : s->capacity * 2;

		if (capacity > SENT_MOST || resize(s, capacity) != 0)
			return MUSES_ENOMEM;
	}
	record = srm_sent_at(s, s->count);
	record->seq = seq;
	record->time_ns = now;
	record->size = size;
	record->settled = false;
	s->count++;
	s->waiting++;
	s->bytes += size;
	return 0;
}

uint32_t srm_sent_find(const struct sent *s, uint64_t seq)
{
	uint32_t low = 0, high = s->count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (srm_sent_at(s, middle)->seq < seq)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

void srm_sent_settle(struct sent *s, uint32_t index)
{
	struct sent_record *record = srm_sent_at(s, index);

	record->settled = true;
	s->bytes -= record->size;
	s->waiting--;
}

void srm_sent_pop(struct sent *s)
{
	s->front = (s->front + 1) & (s->capacity - 1);
	s->count--;
}

void srm_sent_trim(struct sent *s)
{
	while (s->count > 0 && srm_sent_at(s, 0)->settled)
		srm_sent_pop(s);
}

bool srm_sent_large(const struct sent *s)
{
	return s->capacity > SENT_LEAST;
}

void srm_sent_shrink(struct sent *s)
{
	/* Without memory for the small one the large one stays: no harm. */
	if (s->count <= SENT_LEAST && srm_sent_large(s))
		(void)resize(s, SENT_LEAST);
}

void srm_sent_clear(struct sent *s)
{
	muses_free(s->ring);
	memset(s, 0, sizeof(*s));
}
