/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_POOL_H
#define CORE_POOL_H

#include <muses/buf.h>
#include <muses/plugin.h>

/*
 * Pooled blocks behind packet buffers.  Classes of 512 B, 2 KiB, 16 KiB and
 * 66 KiB (which holds MUSES_PACKET_MAX and twice MUSES_HEADROOM); last in,
 * first out, so that blocks stay warm in the cache.  Bounded in bytes; counted;
 * gives idle memory back to the system 1 s after it was last used
 * (core_pool_trim(), called by a timer of the node).
 */
struct core_pool;

struct core_pool_counts {
	size_t buffers_out; /* Handed out and not freed. */
	size_t blocks_out;
	size_t bytes_out;
	size_t bytes_held; /* Out and idle. */
	size_t bytes_most; /* Highest bytes_out so far. */
	uint64_t refused;  /* Requests above the bound. */
};

/* bound_bytes: most bytes of blocks out at once, and of blocks out and idle
 * together; windows that split off take at most a quarter of it besides.  NULL
 * when out of memory. */
struct core_pool *core_pool_open(size_t bound_bytes);
/* Another bound; what is out stays out, even when it is more. */
void core_pool_set_bound(struct core_pool *pool, size_t bound_bytes);
/* Frees everything, also what is still out; returns how many buffers were. */
size_t core_pool_close(struct core_pool *pool);
struct muses_buf *core_buf_new(struct core_pool *pool, size_t head, size_t room);
struct muses_buf *core_buf_copy(struct core_pool *pool, const struct muses_buf *b,
                                size_t head);
void core_pool_counts(const struct core_pool *pool, struct core_pool_counts *counts);
/* Is more than three quarters of the bound out?  Then queues are to be short. */
bool core_pool_tight(const struct core_pool *pool);
size_t core_pool_bound(const struct core_pool *pool);
/* Give back idle blocks that were not used since the call before; true if any
 * are left to give back later. */
bool core_pool_trim(struct core_pool *pool);

#endif
