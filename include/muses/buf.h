/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MUSES_BUF_H
#define MUSES_BUF_H

#include <stddef.h>
#include <stdint.h>

/*
 * A packet buffer: a window on a pooled, reference-counted block.
 *
 *      |<- head ->|<------- size ------->|<- tail ->|
 *      +----------+----------------------+----------+
 *                 ^ data
 *
 * head and tail are bytes around the window that belong to this buffer alone:
 * they may be taken with push and append and written.  Several buffers may
 * share one block (frames of one read); their windows, heads and tails never
 * overlap, so each may be changed in place.
 *
 * One owner: handing a buffer to a function that "takes over" it gives it
 * away, whatever that function answers.  Blocks come from the node's pool,
 * which is bounded and counted: when every session has ended, none is out.
 */
struct muses_block; /* The core's. */
struct muses_layer;

struct muses_buf {
	uint8_t *data;
	uint32_t size;
	uint32_t head;
	uint32_t tail;
	uint32_t mark;          /* The holder's own note; 0 when handed out. */
	struct muses_buf *next; /* The holder's, for queues; NULL when handed over. */
	struct muses_block *block;
};

/* The largest packet anywhere: link frame with routing header, persistent
 * header and sealed part.  Ciphers are never asked for more. */
#define MUSES_PACKET_MAX 65535
/* Room kept in front of a new packet for what lower layers push. */
#define MUSES_HEADROOM 256

/* A buffer with size 0, at least head and room bytes of head and tail; NULL
 * when the pool is at its bound.  head + room <= MUSES_PACKET_MAX +
 * MUSES_HEADROOM. */
struct muses_buf *muses_buf_new(struct muses_layer *l, size_t head, size_t room);
/* NULL is fine. */
void muses_buf_free(struct muses_buf *b);

/* Grow by size in front; the new first byte, or NULL (b unchanged) if head is
 * smaller. */
uint8_t *muses_buf_push(struct muses_buf *b, size_t size);
/* Take size bytes from the front, which become head; NULL (b unchanged) if b is
 * shorter, else where they stand. */
uint8_t *muses_buf_pull(struct muses_buf *b, size_t size);
/* Grow by size behind; where the new bytes begin, or NULL if tail is smaller. */
uint8_t *muses_buf_append(struct muses_buf *b, size_t size);
/* Keep the first size bytes; the rest becomes tail.  size <= b->size. */
void muses_buf_chop(struct muses_buf *b, size_t size);
/* Split off the first size bytes (size <= b->size) as a buffer of its own on
 * the same block: it gets b's head and no tail; b keeps the rest, with no
 * head.  NULL, and b unchanged, when out of memory. */
struct muses_buf *muses_buf_split(struct muses_buf *b, size_t size);
/* A buffer of its own with the same bytes and at least head bytes in front. */
struct muses_buf *muses_buf_copy(struct muses_layer *l, const struct muses_buf *b,
                                 size_t head);

/* A first-in first-out queue of buffers.  A zeroed struct is an empty one. */
struct muses_queue {
	struct muses_buf *first;
	struct muses_buf *last;
	size_t count;
	size_t bytes; /* Sum of the sizes; a buffer must not change while queued. */
};

static inline void muses_queue_push(struct muses_queue *q, struct muses_buf *b)
{
	b->next = NULL;
	if (q->last != NULL)
		q->last->next = b;
	else
		q->first = b;
	q->last = b;
	q->count++;
	q->bytes += b->size;
}

/* The oldest, or NULL. */
static inline struct muses_buf *muses_queue_pop(struct muses_queue *q)
{
	struct muses_buf *b = q->first;

	if (b == NULL)
		return NULL;
	q->first = b->next;
	if (q->first == NULL)
		q->last = NULL;
	q->count--;
	q->bytes -= b->size;
	b->next = NULL;
	return b;
}

static inline void muses_queue_clear(struct muses_queue *q)
{
	struct muses_buf *b;

	while ((b = muses_queue_pop(q)) != NULL)
		muses_buf_free(b);
}

#endif
