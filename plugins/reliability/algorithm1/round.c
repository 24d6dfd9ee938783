/* SPDX-License-Identifier: Apache-2.0 */
#include "round.h"

#include <string.h>

#define ROOM_LEAST 16

static int grow(struct round *r)
{
	size_t capacity = r->capacity == 0 ? ROOM_LEAST : r->capacity * 2;
	uint64_t *seq = muses_zalloc(capacity * sizeof(*seq));

	if (seq == NULL)
		return MUSES_ENOMEM;
	if (r->count > 0)
		memcpy(seq, r->seq, r->count * sizeof(*seq));
	muses_free(r->seq);
	r->seq = seq;
	r->capacity = capacity;
	return 0;
}

int algorithm1_round_sent(struct round *r, uint64_t seq)
{
	if (r->count == r->capacity && grow(r) != 0)
		return MUSES_ENOMEM;
	r->seq[r->count++] = seq;
	r->taken++;
	return 0;
}

static bool arrived(const struct muses_ack *ack, uint64_t seq)
{
	for (size_t i = 0; i < ack->count && seq <= ack->range[i].last; i++) {
		if (seq >= ack->range[i].first)
			return true;
	}
	return false;
}

size_t algorithm1_round_acked(struct round *r, const struct muses_ack *ack,
                              struct muses_flow *flow)
{
	size_t settled = 0;

	/* Books first: a fate may bring new packets, which go behind the others. */
	while (settled < r->count && r->seq[settled] <= ack->range[0].last)
		settled++;
	for (size_t i = 0; i < settled; i++) {
		if (arrived(ack, r->seq[i]))
			muses_flow_delivered(flow, r->seq[i]);
		else
			muses_flow_lost(flow, r->seq[i]);
	}
	r->count -= settled;
	memmove(r->seq, r->seq + settled, r->count * sizeof(*r->seq));
	if (r->count == 0)
		r->taken = 0; /* The round is over. */
	return settled;
}

void algorithm1_round_clear(struct round *r)
{
	r->count = 0;
	r->taken = 0;
}

void algorithm1_round_release(struct round *r)
{
	muses_free(r->seq);
	memset(r, 0, sizeof(*r));
}
