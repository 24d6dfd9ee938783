/* SPDX-License-Identifier: Apache-2.0 */
#include "core/hash.h"

#include "core/mem.h"
#include "tests/tap.h"

enum { NODES = 200 };

/* A node, and what the model knows of it. */
struct item {
	struct core_hash_node node;
	bool in;
	unsigned visits;
};

static struct item item[NODES];
static uint64_t dice;

static uint64_t roll(uint64_t sides)
{
	dice = dice * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (dice >> 33) % sides;
}

static size_t count_in(void)
{
	size_t in = 0;

	for (size_t i = 0; i < NODES; i++)
		in += item[i].in;
	return in;
}

/* Are exactly those with key found under it, each once? */
static bool finds(const struct core_hash *h, uint64_t key)
{
	struct core_hash_node *n;
	size_t expected = 0, found = 0;

	for (size_t i = 0; i < NODES; i++) {
		item[i].visits = 0;
		expected += item[i].in && item[i].node.key == key;
	}
	for (n = core_hash_find(h, key); n != NULL; n = core_hash_more(n)) {
		struct item *at = (struct item *)(void *)n;

		if (!at->in || n->key != key || at->visits++ > 0)
			return false;
		found++;
	}
	return found == expected;
}

static bool visits_each_once(const struct core_hash *h)
{
	struct core_hash_node *n;
	size_t place = 0, visits = 0;

	for (size_t i = 0; i < NODES; i++)
		item[i].visits = 0;
	for (n = core_hash_next(h, &place, NULL); n != NULL;
	     n = core_hash_next(h, &place, n)) {
		struct item *at = (struct item *)(void *)n;

		if (!at->in || at->visits++ > 0)
			return false;
		visits++;
	}
	return visits == count_in() && visits == h->count;
}

static void a_random_life_agrees_with_a_list(void)
{
	uint64_t out = core_mem_count();
	struct core_hash h = { 0 };
	bool good = true;

	dice = 13;
	for (size_t step = 0; good && step < 30000; step++) {
		size_t i = roll(NODES);
		/* Few keys for many nodes; and some that share their low or high bits. */
		uint64_t key = roll(3) == 0 ? roll(40) << 58 : roll(40);
		bool fill = step / 2000 % 2 == 0;

		if (!item[i].in && (fill || roll(4) == 0)) {
			good = core_hash_put(&h, &item[i].node, key);
			item[i].in = true;
		} else if (item[i].in && (!fill || roll(4) == 0)) {
			core_hash_remove(&h, &item[i].node);
			item[i].in = false;
		}
		good = good && finds(&h, key) && finds(&h, item[i].node.key) &&
		       (step % 50 != 0 || visits_each_once(&h)) &&
		       h.count == count_in() &&
		       (h.count > 0 || (h.bucket == NULL && h.bucket_count == 0));
		TAP_NOTE_IF(!good, "step %zu", step);
	}
	CU_ASSERT(good);
	for (size_t i = 0; i < NODES; i++) {
		if (item[i].in)
			core_hash_remove(&h, &item[i].node);
		item[i].in = false;
	}
	CU_ASSERT_EQUAL(h.count, 0);
	CU_ASSERT_EQUAL(core_mem_count(), out);
}

static void all_can_be_taken_out_on_a_walk(void)
{
	uint64_t out = core_mem_count();
	struct core_hash_node *n, *next;
	struct core_hash h = { 0 };
	size_t place = 0, visits = 0;

	for (size_t i = 0; i < NODES; i++)
		CU_ASSERT(core_hash_put(&h, &item[i].node, i % 7));
	for (n = core_hash_next(&h, &place, NULL); n != NULL; n = next) {
		next = core_hash_next(&h, &place, n);
		core_hash_remove(&h, n);
		visits++;
	}
	CU_ASSERT_EQUAL(visits, NODES);
	CU_ASSERT_EQUAL(h.count, 0);
	CU_ASSERT_EQUAL(core_mem_count(), out);
}

static void removing_what_is_not_in_does_nothing(void)
{
	struct core_hash h = { 0 };

	item[0].node = (struct core_hash_node){ .key = 5 };
	core_hash_remove(&h, &item[0].node);
	CU_ASSERT(core_hash_put(&h, &item[1].node, 5));
	core_hash_remove(&h, &item[0].node);
	CU_ASSERT_EQUAL(h.count, 1);
	CU_ASSERT_PTR_EQUAL(core_hash_find(&h, 5), &item[1].node);
	CU_ASSERT_PTR_NULL(core_hash_find(&h, 6));
	core_hash_release(&h);
	CU_ASSERT_PTR_NULL(core_hash_find(&h, 5));
}

static void a_table_that_cannot_grow_still_works(void)
{
	uint64_t out = core_mem_count();
	struct core_hash h = { 0 };

	core_mem_fuse(1);
	CU_ASSERT(!core_hash_put(&h, &item[0].node, 1));
	CU_ASSERT_EQUAL(h.count, 0);
	CU_ASSERT_PTR_NULL(core_hash_find(&h, 1));
	core_mem_fuse(0);
	CU_ASSERT(core_hash_put(&h, &item[0].node, 0));
	for (uint64_t i = 1; i < NODES; i++) {
		core_mem_fuse(1);
		CU_ASSERT(core_hash_put(&h, &item[i].node, i));
		core_mem_fuse(0);
	}
	CU_ASSERT_EQUAL(h.bucket_count, 8);
	for (uint64_t i = 0; i < NODES; i++)
		CU_ASSERT_PTR_EQUAL(core_hash_find(&h, i), &item[i].node);
	core_hash_release(&h);
	CU_ASSERT_EQUAL(core_mem_count(), out);
}

/* Random keys and counted ones: no bucket may get long. */
static void nodes_spread_over_the_buckets(void)
{
	for (int kind = 0; kind < 4; kind++) {
		struct core_hash h = { 0 };
		size_t longest = 0;

		dice = 17;
		for (uint64_t i = 0; i < NODES; i++) {
			uint64_t key = kind == 0   ? roll(UINT64_C(1) << 31)
			               : kind == 1 ? i
			               : kind == 2 ? 4 * i
			                           : i << 56;

			CU_ASSERT(core_hash_put(&h, &item[i].node, key));
		}
		for (size_t b = 0; b < h.bucket_count; b++) {
			size_t length = 0;

			for (struct core_hash_node *n = h.bucket[b]; n != NULL;
			     n = n->next)
				length++;
			longest = length > longest ? length : longest;
		}
		TAP_NOTE_IF(longest > 8, "kind %d: %zu in one bucket", kind, longest);
		CU_ASSERT(longest <= 8);
		CU_ASSERT(h.bucket_count >= NODES);
		core_hash_release(&h);
	}
}

static const struct tap_test tests[] = {
	{ "a random life agrees with a list", a_random_life_agrees_with_a_list },
	{ "all can be taken out on a walk", all_can_be_taken_out_on_a_walk },
	{ "removing what is not in does nothing", removing_what_is_not_in_does_nothing },
	{ "a table that cannot grow still works", a_table_that_cannot_grow_still_works },
	{ "nodes spread over the buckets", nodes_spread_over_the_buckets },
	TAP_END,
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, "core_hash", tests);
}
