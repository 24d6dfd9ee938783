/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SRM_SENT_H
#define SRM_SENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The packets that are out and wait for their fate, oldest first.
 *
 * Numbers grow from the front to the back, but may leave gaps: packets that
 * nobody has to acknowledge are not kept.  A packet whose fate was told is
 * settled; it stays only while an older one is not.  The front is never settled
 * after srm_sent_trim().
 *
 *      front                                back
 *      | 17 | 18 settled | 21 | 22 settled | 23 |
 *
 * A zeroed struct is empty and owns nothing.  The ring doubles as it fills, so
 * pushing costs nothing but now and then.
 */
struct sent_record {
	uint64_t seq;
	uint64_t time_ns; /* When it went out. */
	uint32_t size;
	bool settled;
};

struct sent {
	struct sent_record *ring;
	uint32_t capacity; /* A power of two, or 0. */
	uint32_t front;
	uint32_t count;   /* Records, settled ones included. */
	uint32_t waiting; /* Records that are not settled. */
	uint64_t bytes;   /* Their sizes: what is in flight. */
};

/* What an idle session keeps. */
#define SENT_LEAST 8

/* seq is greater than all before.  0, or MUSES_ENOMEM: nothing has changed. */
int srm_sent_push(struct sent *s, uint64_t seq, uint32_t size, uint64_t now);

/* index 0 is the front; index < count. */
static inline struct sent_record *srm_sent_at(const struct sent *s, uint32_t index)
{
	return &s->ring[(s->front + index) & (s->capacity - 1)];
}

/* Index of the first record numbered seq or above; count: there is none. */
uint32_t srm_sent_find(const struct sent *s, uint64_t seq);
/* The fate of the record at index is known; it was not before. */
void srm_sent_settle(struct sent *s, uint32_t index);
/* Let go of the front record, which is settled; of all settled ones there. */
void srm_sent_pop(struct sent *s);
void srm_sent_trim(struct sent *s);
/* Is there memory an idle session would not need?  Give it back. */
bool srm_sent_large(const struct sent *s);
void srm_sent_shrink(struct sent *s);
/* Forget all, settled or not. */
void srm_sent_clear(struct sent *s);

#endif
