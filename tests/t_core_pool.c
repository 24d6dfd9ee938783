/* SPDX-License-Identifier: Apache-2.0 */
/* Tests core/pool.c: packet buffers, their windows, the pool's bound and trim. */
#include "tests/sane.h"
#include "tests/tap.h"

#include "core/mem.h"
#include "core/pool.h"

#include <string.h>
#include <sys/mman.h>

#define KIB 1024
#define MIB (KIB * (size_t)KIB)

static struct core_pool *open_pool(size_t bound_bytes)
{
	struct core_pool *pool = core_pool_open(bound_bytes);

	CU_ASSERT_PTR_NOT_NULL_FATAL(pool);
	return pool;
}

static struct core_pool_counts counts_of(const struct core_pool *pool)
{
	struct core_pool_counts counts;

	core_pool_counts(pool, &counts);
	return counts;
}

static void new_buffers_have_what_was_asked(void)
{
	static const struct {
		size_t head, room;
		size_t block; /* 0: refused. */
		const char *why;
	} row[] = {
		{ 0, 0, 512, "nothing at all" },
		{ 256, 256, 512, "fills the smallest exactly" },
		{ 256, 257, 2048, "one byte more" },
		{ 512, 0, 512, "head alone" },
		{ 0, 2049, 16384, "one more than the second" },
		{ 256, 16128, 16384, "fills the third" },
		{ 256, 16129, 67584, "one more than the third" },
		{ 2 * MUSES_HEADROOM, MUSES_PACKET_MAX, 67584, "the largest there is" },
		{ 0, 67585, 0, "more than any block" },
		{ SIZE_MAX, 2, 0, "the sum wraps" },
		{ 2, SIZE_MAX, 0, "the sum wraps, the other way" },
	};
	struct core_pool *pool = open_pool(MIB);

	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct muses_buf *b = core_buf_new(pool, row[i].head, row[i].room);
		bool right = (b != NULL) == (row[i].block != 0);

		if (b != NULL) {
			assert_sane_buf(b);
			right = right && b->head == row[i].head && b->size == 0 &&
			        b->tail >= row[i].room &&
			        b->head + b->tail == row[i].block && b->mark == 0 &&
			        b->next == NULL;
			CU_ASSERT_EQUAL(counts_of(pool).bytes_out, row[i].block);
			memset(b->data - b->head, 0xa5, b->head + b->tail);
		}
		TAP_NOTE_IF(!right, "row %zu: %s", i, row[i].why);
		CU_ASSERT_TRUE(right);
		muses_buf_free(b);
	}
	CU_ASSERT_EQUAL(counts_of(pool).refused, 3);
	CU_ASSERT_EQUAL(core_pool_close(pool), 0);
}

static void windows_move_within_their_room(void)
{
	struct core_pool *pool = open_pool(MIB);
	struct muses_buf *b = core_buf_new(pool, 10, 502);
	uint8_t *data;

	CU_ASSERT_PTR_NOT_NULL_FATAL(b);
	data = b->data;
	CU_ASSERT_PTR_NULL(muses_buf_append(b, 503));
	CU_ASSERT_PTR_EQUAL(muses_buf_append(b, 500), data);
	CU_ASSERT_PTR_EQUAL(muses_buf_append(b, 2), data + 500);
	CU_ASSERT_PTR_NULL(muses_buf_append(b, 1));
	CU_ASSERT_EQUAL(b->size, 502);
	CU_ASSERT_PTR_NULL(muses_buf_push(b, 11));
	CU_ASSERT_PTR_EQUAL(muses_buf_push(b, 10), data - 10);
	CU_ASSERT_PTR_EQUAL(b->data, data - 10);
	CU_ASSERT_PTR_NULL(muses_buf_push(b, 1));
	CU_ASSERT_EQUAL(b->size, 512);
	CU_ASSERT_PTR_NULL(muses_buf_pull(b, 513));
	CU_ASSERT_PTR_EQUAL(muses_buf_pull(b, 12), data - 10);
	CU_ASSERT_PTR_EQUAL(b->data, data + 2);
	CU_ASSERT_EQUAL(b->head, 12);
	CU_ASSERT_EQUAL(b->size, 500);
	muses_buf_chop(b, 100);
	CU_ASSERT_EQUAL(b->size, 100);
	CU_ASSERT_EQUAL(b->tail, 400);
	muses_buf_chop(b, 100);
	CU_ASSERT_PTR_EQUAL(muses_buf_append(b, 400), data + 102);
	CU_ASSERT_PTR_EQUAL(muses_buf_pull(b, 500), data + 2);
	CU_ASSERT_EQUAL(b->size, 0);
	CU_ASSERT_EQUAL(b->head, 512);
	muses_buf_free(b);
	muses_buf_free(NULL);
	CU_ASSERT_EQUAL(core_pool_close(pool), 0);
}

static void splitting_shares_the_block(void)
{
	struct core_pool *pool = open_pool(MIB);
	struct muses_buf *b = core_buf_new(pool, 20, 400);
	struct muses_buf *pair[2];
	uint8_t *data;

	CU_ASSERT_PTR_NOT_NULL_FATAL(b);
	data = muses_buf_append(b, 100);
	memset(data, 'x', 100);
	b->mark = 7;
	CU_ASSERT_PTR_NULL(muses_buf_split(b, 101));
	CU_ASSERT_EQUAL(b->size, 100);
	pair[0] = muses_buf_split(b, 30);
	pair[1] = b;
	CU_ASSERT_PTR_NOT_NULL_FATAL(pair[0]);
	CU_ASSERT_PTR_EQUAL(pair[0]->data, data);
	CU_ASSERT_EQUAL(pair[0]->size, 30);
	CU_ASSERT_EQUAL(pair[0]->head, 20);
	CU_ASSERT_EQUAL(pair[0]->tail, 0);
	CU_ASSERT_EQUAL(pair[0]->mark, 0);
	CU_ASSERT_PTR_EQUAL(b->data, data + 30);
	CU_ASSERT_EQUAL(b->size, 70);
	CU_ASSERT_EQUAL(b->head, 0);
	CU_ASSERT_EQUAL(b->tail, 512 - 120);
	assert_sane_bufs(pair, 2);
	CU_ASSERT_EQUAL(counts_of(pool).buffers_out, 2);
	CU_ASSERT_EQUAL(counts_of(pool).blocks_out, 1);
	/* What is pulled off the rest is the rest's own head. */
	CU_ASSERT_PTR_NULL(muses_buf_push(b, 1));
	CU_ASSERT_PTR_NOT_NULL(muses_buf_pull(b, 5));
	CU_ASSERT_PTR_NOT_NULL(muses_buf_push(b, 5));
	CU_ASSERT_PTR_NULL(muses_buf_append(pair[0], 1));
	/* The block lives as long as its last window. */
	muses_buf_free(b);
	CU_ASSERT_EQUAL(counts_of(pool).blocks_out, 1);
	CU_ASSERT_EQUAL(pair[0]->data[29], 'x');
	muses_buf_free(pair[0]);
	CU_ASSERT_EQUAL(counts_of(pool).blocks_out, 0);
	CU_ASSERT_EQUAL(counts_of(pool).bytes_out, 0);
	CU_ASSERT_EQUAL(core_pool_close(pool), 0);
}

static void splits_at_the_edges(void)
{
	struct core_pool *pool = open_pool(MIB);
	struct muses_buf *b = core_buf_new(pool, 8, 8);
	struct muses_buf *none;
	struct muses_buf *all;

	CU_ASSERT_PTR_NOT_NULL_FATAL(b);
	(void)muses_buf_append(b, 8);
	none = muses_buf_split(b, 0);
	all = muses_buf_split(b, 8);
	CU_ASSERT_PTR_NOT_NULL_FATAL(none);
	CU_ASSERT_PTR_NOT_NULL_FATAL(all);
	CU_ASSERT_EQUAL(none->size, 0);
	CU_ASSERT_EQUAL(none->head, 8);
	CU_ASSERT_EQUAL(all->size, 8);
	CU_ASSERT_EQUAL(all->head, 0);
	CU_ASSERT_EQUAL(b->size, 0);
	CU_ASSERT_EQUAL(b->tail, 512 - 16);
	muses_buf_free(b);
	muses_buf_free(all);
	muses_buf_free(none);
	CU_ASSERT_EQUAL(core_pool_close(pool), 0);
}

static void copies_are_their_own(void)
{
	struct core_pool *pool = open_pool(MIB);
	struct muses_buf *b = core_buf_new(pool, 0, 600);
	struct muses_buf *copy;

	CU_ASSERT_PTR_NOT_NULL_FATAL(b);
	memset(muses_buf_append(b, 600), 'a', 600);
	b->mark = 3;
	copy = core_buf_copy(pool, b, 100);
	CU_ASSERT_PTR_NOT_NULL_FATAL(copy);
	CU_ASSERT_EQUAL(copy->size, 600);
	CU_ASSERT_EQUAL(copy->head, 100);
	CU_ASSERT_EQUAL(copy->mark, 0);
	CU_ASSERT_EQUAL(memcmp(copy->data, b->data, 600), 0);
	memset(copy->data, 'b', 600);
	CU_ASSERT_EQUAL(b->data[0], 'a');
	muses_buf_free(b);
	muses_buf_free(copy);
	CU_ASSERT_EQUAL(core_pool_close(pool), 0);
}

static void the_bound_holds(void)
{
	struct core_pool *pool = open_pool(16 * KIB + 2048 + 512);
	struct muses_buf *big = core_buf_new(pool, 0, 16 * KIB);
	struct muses_buf *middle = core_buf_new(pool, 0, 2048);
	struct muses_buf *small = core_buf_new(pool, 0, 1);

	CU_ASSERT_PTR_NOT_NULL(big);
	CU_ASSERT_PTR_NOT_NULL(middle);
	CU_ASSERT_PTR_NOT_NULL(small);
	CU_ASSERT_PTR_NULL(core_buf_new(pool, 0, 1));
	CU_ASSERT_EQUAL(counts_of(pool).refused, 1);
	CU_ASSERT_EQUAL(counts_of(pool).buffers_out, 3);
	muses_buf_free(small);
	small = core_buf_new(pool, 0, 1);
	CU_ASSERT_PTR_NOT_NULL(small);
	CU_ASSERT_EQUAL(counts_of(pool).bytes_most, 16 * KIB + 2048 + 512);
	/* Idle blocks of other sizes make way, so that what is held stays in bounds. */
	muses_buf_free(big);
	muses_buf_free(middle);
	for (int i = 0; i < 36; i++) {
		struct muses_buf *b = core_buf_new(pool, 0, 512);

		CU_ASSERT_PTR_NOT_NULL_FATAL(b);
		b->next = small;
		small = b;
		CU_ASSERT_TRUE(counts_of(pool).bytes_held <= 16 * KIB + 2048 + 512);
	}
	CU_ASSERT_PTR_NULL(core_buf_new(pool, 0, 512));
	core_pool_set_bound(pool, MIB);
	CU_ASSERT_EQUAL(core_pool_close(pool), 37);
}

static void a_lower_bound_waits_for_what_is_out(void)
{
	struct core_pool *pool = open_pool(MIB);
	struct muses_buf *b = core_buf_new(pool, 0, 60000);

	core_pool_set_bound(pool, 512);
	CU_ASSERT_PTR_NULL(core_buf_new(pool, 0, 1));
	muses_buf_free(b);
	core_pool_set_bound(pool, 512);
	b = core_buf_new(pool, 0, 1);
	CU_ASSERT_PTR_NOT_NULL(b);
	CU_ASSERT_PTR_NULL(core_buf_new(pool, 0, 1));
	CU_ASSERT_EQUAL(counts_of(pool).bytes_held, 512);
	muses_buf_free(b);
	CU_ASSERT_EQUAL(core_pool_close(pool), 0);
}

static void windows_are_bounded_too(void)
{
	struct core_pool *pool = open_pool(128 * KIB);
	struct muses_buf *b = core_buf_new(pool, 0, 60000);
	struct muses_queue slices = { 0 };
	struct muses_buf *slice;

	CU_ASSERT_PTR_NOT_NULL_FATAL(b);
	(void)muses_buf_append(b, 60000);
	while (b->size > 0 && (slice = muses_buf_split(b, 5)) != NULL)
		muses_queue_push(&slices, slice);
	assert_sane_queue(&slices);
	/* A quarter of the bound, at 56 bytes each where pointers have 8. */
	CU_ASSERT_TRUE(slices.count >= 512 && slices.count < 1024);
	CU_ASSERT_EQUAL(b->size, 60000 - slices.bytes);
	CU_ASSERT_EQUAL(counts_of(pool).refused, 1);
	muses_buf_free(muses_queue_pop(&slices));
	assert_sane_queue(&slices);
	slice = muses_buf_split(b, 5);
	CU_ASSERT_PTR_NOT_NULL(slice);
	muses_buf_free(slice);
	muses_queue_clear(&slices);
	assert_sane_queue(&slices);
	muses_buf_free(b);
	CU_ASSERT_EQUAL(core_pool_close(pool), 0);
}

static void blocks_are_used_again(void)
{
	struct core_pool *pool = open_pool(MIB);
	struct muses_buf *a = core_buf_new(pool, 0, 2000);
	struct muses_buf *b = core_buf_new(pool, 0, 2000);
	const uint8_t *warm;
	uint64_t total;

	CU_ASSERT_PTR_NOT_NULL_FATAL(a);
	CU_ASSERT_PTR_NOT_NULL_FATAL(b);
	warm = b->data;
	muses_buf_free(a);
	muses_buf_free(b);
	total = core_mem_total();
	for (int i = 0; i < 1000; i++) {
		a = core_buf_new(pool, 0, 2000);
		CU_ASSERT_PTR_EQUAL(a->data, warm); /* Last in, first out. */
		(void)muses_buf_append(a, 2000);
		b = muses_buf_split(a, 1000);
		CU_ASSERT_EQUAL(b->mark, 0);
		CU_ASSERT_PTR_NULL(b->next);
		b->mark = 1;
		b->next = a;
		muses_buf_free(b);
		muses_buf_free(a);
	}
	CU_ASSERT_EQUAL(core_mem_total(), total);
	CU_ASSERT_EQUAL(core_pool_close(pool), 0);
}

/* Is the page at address part of this process? */
static bool mapped(const void *address)
{
	unsigned char there;
	uintptr_t page = (uintptr_t)address & ~(uintptr_t)4095;

	return mincore((void *)page, 1, &there) == 0;
}

static void trimming_gives_memory_back(void)
{
	struct core_pool *pool = open_pool(MIB);
	struct muses_buf *b[4];
	uint64_t begin = core_mem_count();
	const uint8_t *cold;

	for (int i = 0; i < 4; i++) {
		b[i] = core_buf_new(pool, 0, 60000);
		CU_ASSERT_PTR_NOT_NULL_FATAL(b[i]);
	}
	cold = b[0]->data;
	for (int i = 0; i < 4; i++)
		muses_buf_free(b[i]);
	/* Used since the last trim, if there was one: they stay for now. */
	CU_ASSERT_TRUE(core_pool_trim(pool));
	CU_ASSERT_EQUAL(counts_of(pool).bytes_held, 4 * 66 * KIB);
	/* One is in use now and then, three are not: those go. */
	b[3] = core_buf_new(pool, 0, 60000);
	muses_buf_free(b[3]);
	CU_ASSERT_TRUE(mapped(cold));
	CU_ASSERT_TRUE(core_pool_trim(pool));
	CU_ASSERT_EQUAL(counts_of(pool).bytes_held, 66 * KIB);
	CU_ASSERT_FALSE(mapped(cold));
	CU_ASSERT_FALSE(core_pool_trim(pool));
	CU_ASSERT_EQUAL(counts_of(pool).bytes_held, 0);
	CU_ASSERT_EQUAL(core_mem_count(), begin);
	CU_ASSERT_FALSE(core_pool_trim(pool));
	/* And the pool is as good as new. */
	b[0] = core_buf_new(pool, 0, 60000);
	CU_ASSERT_PTR_NOT_NULL(b[0]);
	CU_ASSERT_FALSE(core_pool_trim(pool));
	muses_buf_free(b[0]);
	CU_ASSERT_EQUAL(core_pool_close(pool), 0);
}

static void closing_tells_what_was_left(void)
{
	struct core_pool *pool = open_pool(MIB);
	uint64_t begin = core_mem_count();
	struct muses_buf *b;

	CU_ASSERT_PTR_NOT_NULL(core_buf_new(pool, 0, 10));
	b = core_buf_new(pool, 0, 30000);
	CU_ASSERT_PTR_NOT_NULL_FATAL(b);
	(void)muses_buf_append(b, 100);
	CU_ASSERT_PTR_NOT_NULL(muses_buf_split(b, 50));
	muses_buf_free(core_buf_new(pool, 0, 30000));
	CU_ASSERT_EQUAL(core_pool_close(pool), 3);
	CU_ASSERT_EQUAL(core_mem_count(), begin - 1);
	CU_ASSERT_EQUAL(core_pool_close(NULL), 0);
}

static const struct tap_test tests[] = {
	{ "a new buffer has the head and tail that were asked for",
	  new_buffers_have_what_was_asked },
	{ "a window moves within its head and tail and no further",
	  windows_move_within_their_room },
	{ "splitting shares a block and parts its bytes", splitting_shares_the_block },
	{ "splits of nothing and of everything are splits", splits_at_the_edges },
	{ "a copy has the same bytes and is its own", copies_are_their_own },
	{ "the bound holds, for what is out and with what is idle", the_bound_holds },
	{ "a lower bound refuses what is new and leaves what is out",
	  a_lower_bound_waits_for_what_is_out },
	{ "tiny slices of a large block are bounded", windows_are_bounded_too },
	{ "blocks and windows are used again without allocating", blocks_are_used_again },
	{ "trimming gives what was not used back to the system",
	  trimming_gives_memory_back },
	{ "closing tells how many buffers were left, and frees them",
	  closing_tells_what_was_left },
	TAP_END
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, "pool", tests);
}
