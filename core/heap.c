/* SPDX-License-Identifier: Apache-2.0 */
/* The binary heap of armed timers. */
#include "core/heap.h"

#include "core/mem.h"

#include <stdio.h>
#include <stdlib.h>

#define FIRST_ROOM 256

static bool before(const struct core_heap_entry *a, const struct core_heap_entry *b)
{
	return a->due_ns != b->due_ns ? a->due_ns < b->due_ns : a->order < b->order;
}

static void place(struct core_heap *h, size_t slot, struct core_heap_entry e)
{
	h->entry[slot] = e;
	e.timer->slot = slot;
}

/* The entry at slot may be smaller than those above it. */
static void rise(struct core_heap *h, size_t slot)
{
	struct core_heap_entry e = h->entry[slot];

	while (slot > 1 && before(&e, &h->entry[slot / 2])) {
		place(h, slot, h->entry[slot / 2]);
		slot /= 2;
	}
	place(h, slot, e);
}

/* The entry at slot may be greater than those below it. */
static void sink(struct core_heap *h, size_t slot)
{
	struct core_heap_entry e = h->entry[slot];
	size_t child;

	while ((child = 2 * slot) <= h->count) {
		if (child < h->count && before(&h->entry[child + 1], &h->entry[child]))
			child++;
		if (!before(&h->entry[child], &e))
			break;
		place(h, slot, h->entry[child]);
		slot = child;
	}
	place(h, slot, e);
}

static bool grow(struct core_heap *h, size_t room)
{
	struct core_heap_entry *entry =
		core_realloc(h->entry, h->room, room, sizeof(*entry));

	if (entry == NULL)
		return false;
	h->entry = entry;
	h->room = room;
	return true;
}

int core_heap_open(struct core_heap *h)
{
	*h = (struct core_heap){ 0 };
	return grow(h, FIRST_ROOM) ? 0 : MUSES_ENOMEM;
}

void core_heap_close(struct core_heap *h)
{
	while (h->count > 0)
		h->entry[h->count--].timer->slot = 0;
	muses_free(h->entry);
	*h = (struct core_heap){ 0 };
}

void core_heap_put(struct core_heap *h, struct muses_timer *t, uint64_t due_ns)
{
	size_t slot = t->slot;

	if (slot == 0) {
		if (h->count + 1 >= h->room / 4 * 3 && !grow(h, h->room * 2) &&
		    h->count + 1 == h->room) {
			fputs("error: out of memory for timers\n", stderr);
			abort();
		}
		slot = ++h->count;
	}
	h->entry[slot] = (struct core_heap_entry){ due_ns, ++h->order, t };
	t->slot = slot;
	rise(h, slot);
	sink(h, t->slot);
}

void core_heap_remove(struct core_heap *h, struct muses_timer *t)
{
	size_t slot = t->slot;

	if (slot == 0)
		return;
	t->slot = 0;
	if (slot < h->count) {
		place(h, slot, h->entry[h->count--]);
		rise(h, slot);
		sink(h, h->entry[slot].timer->slot);
	} else {
		h->count--;
	}
}

size_t core_heap_forget(struct core_heap *h, const struct muses_layer *layer)
{
	size_t kept = 0;
	size_t stopped;

	for (size_t slot = 1; slot <= h->count; slot++) {
		if (h->entry[slot].timer->layer == layer)
			h->entry[slot].timer->slot = 0;
		else
			place(h, ++kept, h->entry[slot]);
	}
	stopped = h->count - kept;
	h->count = kept;
	for (size_t slot = kept / 2; slot > 0; slot--)
		sink(h, slot);
	return stopped;
}
