/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_HASH_H
#define CORE_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * An intrusive hash table by 64-bit keys: sessions by partial session id, by
 * the first bytes of the peer's id, streams by number.  Several nodes may have
 * one key; the caller compares.  A zeroed struct is an empty table; buckets
 * grow with the count, and an empty table gives them back.
 */
struct core_hash_node {
	struct core_hash_node *next;
	uint64_t key;
};

struct core_hash {
	struct core_hash_node **bucket;
	size_t bucket_count; /* 0 or a power of two. */
	size_t count;
};

/* Put node in under key; node stays the caller's.  false: out of memory, and
 * node is not in. */
bool core_hash_put(struct core_hash *h, struct core_hash_node *node, uint64_t key);
/* Take node out; fine when it is not in. */
void core_hash_remove(struct core_hash *h, struct core_hash_node *node);
/* node, which is in, gets another key. */
void core_hash_move(struct core_hash *h, struct core_hash_node *node, uint64_t key);
/* The first with key, or NULL; the next with the same key after node. */
struct core_hash_node *core_hash_find(const struct core_hash *h, uint64_t key);
struct core_hash_node *core_hash_more(const struct core_hash_node *node);
/* Every node, in no order: start with *place = 0 and last = NULL.  Nothing may be
 * put in meanwhile; a node may be removed once the one after it was asked for. */
struct core_hash_node *core_hash_next(const struct core_hash *h, size_t *place,
                                      struct core_hash_node *last);
/* Forget all nodes and give the buckets back. */
void core_hash_release(struct core_hash *h);

#endif
