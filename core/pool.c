/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The blocks and windows behind packet buffers.
 *
 * A block and the windows on it are pooled apart, because one block may have
 * many windows.  Both idle lists are last in, first out.  What lay at the bottom
 * of a list since the last trim was not needed, and goes.
 *
 * Blocks that come back are not cleansed, that would cost a pass over every
 * packet; they are when they leave the pool.
 */
#include "core/pool.h"

#include "core/mem.h"

#include <openssl/crypto.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__)
#define POISONING 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define POISONING 1
#endif
#endif
#ifdef POISONING
#include <sanitizer/asan_interface.h>
#define POISON(at, size)   ASAN_POISON_MEMORY_REGION(at, size)
#define UNPOISON(at, size) ASAN_UNPOISON_MEMORY_REGION(at, size)
#else
#define POISON(at, size)   ((void)(at), (void)(size))
#define UNPOISON(at, size) ((void)(at), (void)(size))
#endif

static const size_t class_size[] = { 512, 2048, 16384, 66 * 1024 };
#define CLASSES (sizeof(class_size) / sizeof(class_size[0]))
_Static_assert(66 * 1024 >= MUSES_PACKET_MAX + 2 * MUSES_HEADROOM,
               "the largest packet fits");
/* Blocks from here on are pages of their own. */
#define MAPPED_FROM 16384

struct muses_block {
	struct core_pool *pool;
	struct muses_block *next;          /* In its class's idle list. */
	struct muses_block *older, *newer; /* Among all of the pool. */
	uint8_t *bytes;
	uint32_t refs; /* Windows on it; 0: idle. */
	uint32_t tier;
};

struct window {
	struct muses_buf buf;
	struct window *older, *newer; /* Among all of the pool. */
};

struct idle {
	struct muses_block *first;
	size_t count;
	size_t least; /* Smallest count since the last trim. */
};

struct core_pool {
	size_t bound_bytes;
	struct core_pool_counts counts;
	struct idle idle[CLASSES];
	struct muses_block *blocks; /* All, newest first. */
	struct window *windows;     /* All, newest first. */
	struct muses_buf *spare;    /* Idle windows, through next. */
	size_t spare_count;
	size_t spare_least;
};

/* ---- blocks --------------------------------------------------------------- */

static void block_free(struct muses_block *k)
{
	struct core_pool *pool = k->pool;
	size_t size = class_size[k->tier];

	if (k->newer != NULL)
		k->newer->older = k->older;
	else
		pool->blocks = k->older;
	if (k->older != NULL)
		k->older->newer = k->newer;
	pool->counts.bytes_held -= size;

	UNPOISON(k->bytes, size);
	OPENSSL_cleanse(k->bytes, size);
	if (size >= MAPPED_FROM)
		core_unmap(k->bytes, size);
	else
		muses_free(k->bytes);
	muses_free(k);
}

static struct muses_block *block_make(struct core_pool *pool, uint32_t tier)
{
	size_t size = class_size[tier];
	struct muses_block *k = muses_zalloc(sizeof(*k));

	if (k == NULL)
		return NULL;
	k->bytes = size >= MAPPED_FROM ? core_map(size) : muses_zalloc(size);
	if (k->bytes == NULL) {
		muses_free(k);
		return NULL;
	}
	k->pool = pool;
	k->tier = tier;
	k->older = pool->blocks;
	if (k->older != NULL)
		k->older->newer = k;
	pool->blocks = k;
	pool->counts.bytes_held += size;
	return k;
}

static struct muses_block *idle_pop(struct idle *idle)
{
	struct muses_block *k = idle->first;

	if (k == NULL)
		return NULL;
	idle->first = k->next;
	k->next = NULL;
	if (--idle->count < idle->least)
		idle->least = idle->count;
	return k;
}

/* So that idle and used blocks together never exceed the bound, whatever mixture
 * of sizes was used before. */
static void make_way(struct core_pool *pool, size_t size)
{
	struct muses_block *k;

	for (size_t i = CLASSES; i-- > 0;)
		while (pool->counts.bytes_held + size > pool->bound_bytes &&
		       (k = idle_pop(&pool->idle[i])) != NULL)
			block_free(k);
}

static struct muses_block *block_get(struct core_pool *pool, size_t size)
{
	struct core_pool_counts *c = &pool->counts;
	struct muses_block *k;
	uint32_t tier = 0;

	while (tier < CLASSES && class_size[tier] < size)
		tier++;
	if (tier == CLASSES || class_size[tier] > pool->bound_bytes - c->bytes_out) {
		c->refused++;
		return NULL;
	}
	k = idle_pop(&pool->idle[tier]);
	if (k == NULL) {
		make_way(pool, class_size[tier]);
		k = block_make(pool, tier);
	}
	if (k == NULL)
		return NULL;
	UNPOISON(k->bytes, class_size[tier]);
	k->refs = 1;
	c->blocks_out++;
	c->bytes_out += class_size[tier];
	if (c->bytes_out > c->bytes_most)
		c->bytes_most = c->bytes_out;
	return k;
}

static void block_put(struct muses_block *k)
{
	struct core_pool *pool = k->pool;
	struct idle *idle = &pool->idle[k->tier];

	if (--k->refs > 0)
		return;
	pool->counts.blocks_out--;
	pool->counts.bytes_out -= class_size[k->tier];
	POISON(k->bytes, class_size[k->tier]);
	k->next = idle->first;
	idle->first = k;
	idle->count++;
}

/* ---- windows -------------------------------------------------------------- */

static void window_free(struct core_pool *pool, struct window *w)
{
	if (w->newer != NULL)
		w->newer->older = w->older;
	else
		pool->windows = w->older;
	if (w->older != NULL)
		w->older->newer = w->newer;
	muses_free(w);
}

static struct muses_buf *window_get(struct core_pool *pool)
{
	struct muses_buf *b = pool->spare;
	struct window *w;

	if (b != NULL) {
		UNPOISON(b, sizeof(*b));
		pool->spare = b->next;
		if (--pool->spare_count < pool->spare_least)
			pool->spare_least = pool->spare_count;
	} else {
		w = muses_zalloc(sizeof(*w));
		if (w == NULL)
			return NULL;
		w->older = pool->windows;
		if (w->older != NULL)
			w->older->newer = w;
		pool->windows = w;
		b = &w->buf;
	}
	b->next = NULL; /* All else is zero. */
	pool->counts.buffers_out++;
	return b;
}

static void window_put(struct core_pool *pool, struct muses_buf *b)
{
	memset(b, 0, sizeof(*b)); /* A second free finds no block and crashes here. */
	b->next = pool->spare;
	pool->spare = b;
	pool->spare_count++;
	pool->counts.buffers_out--;
	POISON(b, sizeof(*b));
}

/* ---- buffers -------------------------------------------------------------- */

struct muses_buf *core_buf_new(struct core_pool *pool, size_t head, size_t room)
{
	struct muses_block *k;
	struct muses_buf *b;

	if (head > class_size[CLASSES - 1] || room > class_size[CLASSES - 1] - head) {
		pool->counts.refused++;
		return NULL;
	}
	b = window_get(pool);
	if (b == NULL)
		return NULL;
	k = block_get(pool, head + room);
	if (k == NULL) {
		window_put(pool, b);
		return NULL;
	}
	b->block = k;
	b->data = k->bytes + head;
	b->head = (uint32_t)head;
	b->tail = (uint32_t)(class_size[k->tier] - head);
	return b;
}

void muses_buf_free(struct muses_buf *b)
{
	struct core_pool *pool;

	if (b == NULL)
		return;
	pool = b->block->pool;
	block_put(b->block);
	window_put(pool, b);
}

uint8_t *muses_buf_push(struct muses_buf *b, size_t size)
{
	if (size > b->head)
		return NULL;
	b->data -= size;
	b->head -= (uint32_t)size;
	b->size += (uint32_t)size;
	return b->data;
}

uint8_t *muses_buf_pull(struct muses_buf *b, size_t size)
{
	uint8_t *taken = b->data;

	if (size > b->size)
		return NULL;
	b->data += size;
	b->head += (uint32_t)size;
	b->size -= (uint32_t)size;
	return taken;
}

uint8_t *muses_buf_append(struct muses_buf *b, size_t size)
{
	uint8_t *fresh = b->data + b->size;

	if (size > b->tail)
		return NULL;
	b->tail -= (uint32_t)size;
	b->size += (uint32_t)size;
	return fresh;
}

void muses_buf_chop(struct muses_buf *b, size_t size)
{
	if (size >= b->size)
		return;
	b->tail += b->size - (uint32_t)size;
	b->size = (uint32_t)size;
}

struct muses_buf *muses_buf_split(struct muses_buf *b, size_t size)
{
	struct core_pool *pool = b->block->pool;
	const struct core_pool_counts *c = &pool->counts;
	struct muses_buf *front;

	if (size > b->size)
		return NULL;
	/* Windows beyond one a block are bounded too, lest tiny frames cost many times
	 * the memory they came in. */
	if ((c->buffers_out - c->blocks_out + 1) * sizeof(struct window) >
	    pool->bound_bytes / 4) {
		pool->counts.refused++;
		return NULL;
	}
	front = window_get(pool);
	if (front == NULL)
		return NULL;
	front->block = b->block;
	front->block->refs++;
	front->data = b->data;
	front->size = (uint32_t)size;
	front->head = b->head;
	b->data += size;
	b->size -= (uint32_t)size;
	b->head = 0;
	return front;
}

struct muses_buf *core_buf_copy(struct core_pool *pool, const struct muses_buf *b,
                                size_t head)
{
	struct muses_buf *copy = core_buf_new(pool, head, b->size);

	if (copy != NULL && b->size > 0)
		memcpy(muses_buf_append(copy, b->size), b->data, b->size);
	return copy;
}

/* ---- the pool ------------------------------------------------------------- */

struct core_pool *core_pool_open(size_t bound_bytes)
{
	struct core_pool *pool = muses_zalloc(sizeof(*pool));

	if (pool != NULL)
		pool->bound_bytes = bound_bytes;
	return pool;
}

void core_pool_set_bound(struct core_pool *pool, size_t bound_bytes)
{
	/* What is out stays out; the arithmetic in block_get() wants no less. */
	pool->bound_bytes = bound_bytes > pool->counts.bytes_out ? bound_bytes
	                                                         : pool->counts.bytes_out;
}

size_t core_pool_close(struct core_pool *pool)
{
	size_t buffers_out;

	if (pool == NULL)
		return 0;
	buffers_out = pool->counts.buffers_out;
	while (pool->blocks != NULL)
		block_free(pool->blocks);
	while (pool->windows != NULL) {
		UNPOISON(&pool->windows->buf, sizeof(pool->windows->buf));
		window_free(pool, pool->windows);
	}
	muses_free(pool);
	return buffers_out;
}

void core_pool_counts(const struct core_pool *pool, struct core_pool_counts *counts)
{
	*counts = pool->counts;
}

bool core_pool_tight(const struct core_pool *pool)
{
	return pool->counts.bytes_out > pool->bound_bytes / 4 * 3;
}

size_t core_pool_bound(const struct core_pool *pool)
{
	return pool->bound_bytes;
}

static void trim_blocks(struct idle *idle)
{
	struct muses_block **end = &idle->first;
	struct muses_block *k;

	for (size_t keep = idle->count - idle->least; keep > 0; keep--)
		end = &(*end)->next;
	while ((k = *end) != NULL) {
		*end = k->next;
		idle->count--;
		block_free(k);
	}
	idle->least = idle->count;
}

static void trim_windows(struct core_pool *pool)
{
	struct muses_buf *keep = NULL;
	struct muses_buf *b;
	size_t count = pool->spare_count - pool->spare_least;

	/* Idle windows are poisoned one by one, so they are taken out to walk on. */
	while ((b = pool->spare) != NULL) {
		UNPOISON(b, sizeof(*b));
		pool->spare = b->next;
		if (count > 0) {
			count--;
			b->next = keep;
			keep = b;
		} else {
			pool->spare_count--;
			window_free(pool, muses_container(b, struct window, buf));
		}
	}
	while ((b = keep) != NULL) {
		keep = b->next;
		b->next = pool->spare;
		pool->spare = b;
		POISON(b, sizeof(*b));
	}
	pool->spare_least = pool->spare_count;
}

bool core_pool_trim(struct core_pool *pool)
{
	bool left = false;

	for (size_t i = 0; i < CLASSES; i++) {
		trim_blocks(&pool->idle[i]);
		left = left || pool->idle[i].count > 0;
	}
	trim_windows(pool);
	return left || pool->spare_count > 0;
}
