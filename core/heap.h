/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_HEAP_H
#define CORE_HEAP_H

#include <muses/plugin.h>

/*
 * Armed timers, the next one on top: a binary heap that tells each timer its
 * place (muses_timer.slot, from 1).  Equal times keep the order of arming.
 *
 * A zeroed struct is an empty heap.
 */
struct core_heap {
	struct core_heap_entry {
		uint64_t due_ns;
		uint64_t order; /* Rises with every arming. */
		struct muses_timer *timer;
	} *entry; /* entry[0] is not used. */
	size_t count;
	size_t room; /* Entries there are, entry[0] included. */
	uint64_t order;
};

/* Make room for some timers; 0 or MUSES_ENOMEM. */
int core_heap_open(struct core_heap *h) MUSES_CHECKED;
/* Stops what is armed. */
void core_heap_close(struct core_heap *h);
/* Arm t, which may be armed already, for due_ns.  Arming cannot fail for its
 * callers, so the heap grows long before it is full; the process ends only when
 * memory was refused at each arming of the last quarter. */
void core_heap_put(struct core_heap *h, struct muses_timer *t, uint64_t due_ns);
/* Fine when not armed. */
void core_heap_remove(struct core_heap *h, struct muses_timer *t);

/* Stop the timers of layer; returns how many. */
size_t core_heap_forget(struct core_heap *h, const struct muses_layer *layer);

/* The next one, or NULL. */
static inline const struct core_heap_entry *core_heap_top(const struct core_heap *h)
{
	return h->count > 0 ? &h->entry[1] : NULL;
}

#endif
