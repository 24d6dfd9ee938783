/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys are random or counted by us, so mixing is cheap; but stream numbers are
 * the peer's to choose, hence the multiplication (Fibonacci hashing): it does
 * not stop a peer who tries, the bound on streams does.
 */
#include "core/hash.h"

#include "core/mem.h"

enum { LEAST_BUCKETS = 8 };

/* The highest bits of the product: all of the key has a part in them. */
static size_t place_of(const struct core_hash *h, uint64_t key)
{
	uint64_t mixed = (key * UINT64_C(0x9e3779b97f4a7c15)) >> 32;

	return (size_t)(mixed * h->bucket_count >> 32);
}

static bool resize(struct core_hash *h, size_t bucket_count)
{
	struct core_hash fresh = { .bucket_count = bucket_count };

	fresh.bucket = muses_zalloc(bucket_count * sizeof(struct core_hash_node *));
	if (fresh.bucket == NULL)
		return false;
	for (size_t i = 0; i < h->bucket_count; i++) {
		struct core_hash_node *n = h->bucket[i];

		while (n != NULL) {
			struct core_hash_node *next = n->next;
			size_t at = place_of(&fresh, n->key);

			n->next = fresh.bucket[at];
			fresh.bucket[at] = n;
			n = next;
		}
	}
	muses_free(h->bucket);
	h->bucket = fresh.bucket;
	h->bucket_count = bucket_count;
	return true;
}

bool core_hash_put(struct core_hash *h, struct core_hash_node *node, uint64_t key)
{
	size_t at;

	/* A table that cannot grow still works, only slower. */
	if (h->count >= h->bucket_count &&
	    !resize(h, h->bucket_count > 0 ? 2 * h->bucket_count : LEAST_BUCKETS) &&
	    h->bucket_count == 0)
		return false;
	node->key = key;
	at = place_of(h, key);
	node->next = h->bucket[at];
	h->bucket[at] = node;
	h->count++;
	return true;
}

void core_hash_remove(struct core_hash *h, struct core_hash_node *node)
{
	struct core_hash_node **link;

	if (h->bucket_count == 0)
		return;
	for (link = &h->bucket[place_of(h, node->key)]; *link != NULL;
	     link = &(*link)->next) {
		if (*link == node) {
			*link = node->next;
			node->next = NULL;
			h->count--;
			break;
		}
	}
	if (h->count == 0)
		core_hash_release(h);
}

void core_hash_move(struct core_hash *h, struct core_hash_node *node, uint64_t key)
{
	struct core_hash_node **link = &h->bucket[place_of(h, node->key)];

	while (*link != node)
		link = &(*link)->next;
	*link = node->next;
	node->key = key;
	link = &h->bucket[place_of(h, key)];
	node->next = *link;
	*link = node;
}

struct core_hash_node *core_hash_find(const struct core_hash *h, uint64_t key)
{
	struct core_hash_node *n;

	if (h->bucket_count == 0)
		return NULL;
	for (n = h->bucket[place_of(h, key)]; n != NULL && n->key != key; n = n->next)
		continue;
	return n;
}

struct core_hash_node *core_hash_more(const struct core_hash_node *node)
{
	struct core_hash_node *n;

	for (n = node->next; n != NULL && n->key != node->key; n = n->next)
		continue;
	return n;
}

struct core_hash_node *core_hash_next(const struct core_hash *h, size_t *place,
                                      struct core_hash_node *last)
{
	struct core_hash_node *n = last != NULL ? last->next : NULL;

	while (n == NULL && *place < h->bucket_count)
		n = h->bucket[(*place)++];
	return n;
}

void core_hash_release(struct core_hash *h)
{
	muses_free(h->bucket);
	*h = (struct core_hash){ 0 };
}
