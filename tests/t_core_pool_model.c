/* SPDX-License-Identifier: Apache-2.0 */
/* Tests core/pool.c against a model, with buffers in many hands at random. */
#include "tests/sane.h"
#include "tests/tap.h"

#include "core/pool.h"
#include "core/rand.h"

#include <string.h>

#define KIB 1024

static struct core_pool_counts counts_of(const struct core_pool *pool)
{
	struct core_pool_counts counts;

	core_pool_counts(pool, &counts);
	return counts;
}

/*
 * Against a model: each buffer's bytes are a letter of its own, window, head and
 * tail alike, whatever was done to it and to the others.
 */
#define HANDS 64
struct hand {
	struct muses_buf *b;
	uint8_t letter;
};

static bool all_are(const uint8_t *at, size_t size, uint8_t letter)
{
	for (size_t i = 0; i < size; i++)
		if (at[i] != letter)
			return false;
	return true;
}

static bool untouched(const struct hand *h)
{
	return all_are(h->b->data - h->b->head,
	               (size_t)h->b->head + h->b->size + h->b->tail, h->letter);
}

static void paint(struct hand *h, uint8_t letter)
{
	h->letter = letter;
	memset(h->b->data - h->b->head, letter,
	       (size_t)h->b->head + h->b->size + h->b->tail);
}

static void do_something(struct core_pool *pool, struct core_rand *r, struct hand *h,
                         struct hand *free_hand, uint8_t letter)
{
	struct muses_buf *b = h->b;
	uint32_t whole;
	size_t size;

	if (b == NULL) {
		h->b = core_buf_new(pool, core_rand_below(r, 300),
		                    core_rand_below(r, core_rand_below(r, 20000) + 1));
		if (h->b != NULL)
			paint(h, letter);
		return;
	}
	whole = b->head + b->size + b->tail;
	size = core_rand_below(r, 400);
	switch (core_rand_below(r, 7)) {
	case 0:
		(void)muses_buf_push(b, size);
		break;
	case 1:
		(void)muses_buf_append(b, size);
		break;
	case 2:
		(void)muses_buf_pull(b, size);
		break;
	case 3:
		muses_buf_chop(b, core_rand_below(r, (uint64_t)b->size + 1));
		break;
	case 4:
		if (free_hand == NULL)
			break;
		free_hand->b =
			muses_buf_split(b, core_rand_below(r, (uint64_t)b->size + 1));
		if (free_hand->b == NULL)
			break;
		free_hand->letter = h->letter;
		CU_ASSERT_TRUE(untouched(free_hand));
		CU_ASSERT_EQUAL(free_hand->b->head + free_hand->b->size +
		                        free_hand->b->tail + b->head + b->size + b->tail,
		                whole);
		paint(free_hand, letter);
		return;
	case 5:
		if (free_hand == NULL)
			break;
		free_hand->b = core_buf_copy(pool, b, size);
		if (free_hand->b == NULL)
			break;
		CU_ASSERT_TRUE(all_are(free_hand->b->data, b->size, h->letter));
		paint(free_hand, letter);
		return;
	default:
		muses_buf_free(b);
		h->b = NULL;
		return;
	}
	CU_ASSERT_EQUAL(b->head + b->size + b->tail, whole);
}

static void live(uint64_t seed)
{
	struct core_pool *pool = core_pool_open(512 * KIB);
	struct core_rand *r = core_rand_open(seed);
	struct hand hand[HANDS] = { { 0 } };
	struct muses_buf *held[HANDS];
	size_t count;

	CU_ASSERT_PTR_NOT_NULL_FATAL(pool);
	CU_ASSERT_PTR_NOT_NULL_FATAL(r);
	for (unsigned step = 0; step < 4000; step++) {
		size_t which = core_rand_below(r, HANDS);
		size_t other = core_rand_below(r, HANDS);

		do_something(pool, r, &hand[which],
		             hand[other].b == NULL ? &hand[other] : NULL,
		             (uint8_t)(step * 7 + 1));
		if (step % 50 == 0) {
			count = 0;
			for (size_t i = 0; i < HANDS; i++) {
				if (hand[i].b == NULL)
					continue;
				CU_ASSERT_TRUE(untouched(&hand[i]));
				held[count++] = hand[i].b;
			}
			assert_sane_bufs(held, count);
			CU_ASSERT_EQUAL(counts_of(pool).buffers_out, count);
			CU_ASSERT_TRUE(counts_of(pool).bytes_held <= 512 * KIB);
			CU_ASSERT_TRUE(counts_of(pool).bytes_out <=
			               counts_of(pool).bytes_held);
		}
		if (step % 500 == 0)
			(void)core_pool_trim(pool);
	}
	for (size_t i = 0; i < HANDS; i++)
		muses_buf_free(hand[i].b);
	CU_ASSERT_EQUAL(counts_of(pool).bytes_out, 0);
	CU_ASSERT_EQUAL(counts_of(pool).blocks_out, 0);
	(void)core_pool_trim(pool);
	CU_ASSERT_FALSE(core_pool_trim(pool));
	CU_ASSERT_EQUAL(counts_of(pool).bytes_held, 0);
	CU_ASSERT_EQUAL(core_pool_close(pool), 0);
	core_rand_close(r);
}

static void buffers_keep_to_themselves(void)
{
	for (uint64_t seed = 1; seed <= 10; seed++)
		live(seed);
}

static const struct tap_test tests[] = {
	{ "whatever is done to buffers, each keeps its bytes to itself",
	  buffers_keep_to_themselves },
	TAP_END
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, "pool_model", tests);
}
