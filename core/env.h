/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_ENV_H
#define CORE_ENV_H

#include "core/log.h"
#include "core/loop.h"
#include "core/pool.h"
#include "core/rand.h"
#include "core/stats.h"

struct core_hub;

/*
 * Everything of the world that a node, its layers and its sessions may touch:
 * time and descriptors (loop), packet buffers (pool), randomness, the log, the
 * counters.  A real node has one; the bench gives each of its nodes one on a
 * common virtual loop, with a seeded source of randomness.
 *
 * Members are never NULL and outlive everything that holds the env.
 */
struct core_env {
	struct core_loop *loop;
	struct core_pool *pool;
	struct core_rand *rand;
	struct core_log *log;
	struct core_stats *stats;
	struct core_hub *hub; /* The virtual wires of the memory transport; NULL (the
	                       * only member that may be): none.  Set by who opened. */
};

/* Bound of the pool until somebody says otherwise. */
#define CORE_ENV_POOL_BYTES ((size_t)64 << 20)

/* A whole env of its own, on loop.  seed 0: real randomness; else a repeatable
 * stream (tests and simulator only).  0 or MUSES_ENOMEM. */
int core_env_open(struct core_env *env, struct core_loop *loop, uint64_t seed);
/* Complains (returns the number) about buffers still out. */
size_t core_env_close(struct core_env *env);
/* What muses_count() does for layers, for parts of the core: count, and log at
 * debug level, at most once a second for each reason. */
void core_env_count(struct core_env *env, const char *who, const char *reason);

#endif
