/* SPDX-License-Identifier: Apache-2.0 */
/* The world of one node, opened and closed as a whole. */
#include "core/env.h"

int core_env_open(struct core_env *env, struct core_loop *loop, uint64_t seed)
{
	*env = (struct core_env){ .loop = loop };
	env->pool = core_pool_open(CORE_ENV_POOL_BYTES);
	env->rand = core_rand_open(seed);
	env->log = core_log_open("");
	env->stats = core_stats_open();
	if (env->pool == NULL || env->rand == NULL || env->log == NULL ||
	    env->stats == NULL) {
		core_env_close(env);
		return MUSES_ENOMEM;
	}
	core_log_set_clock(env->log, loop);
	return 0;
}

size_t core_env_close(struct core_env *env)
{
	size_t left = core_pool_close(env->pool);

	if (left > 0)
		core_log(env->log, MUSES_WARN, "pool",
		         "buffers were not given back: count=%zu", left);
	core_rand_close(env->rand);
	if (env->log != NULL)
		core_log_close(env->log);
	core_stats_close(env->stats);
	*env = (struct core_env){ 0 };
	return left;
}

void core_env_count(struct core_env *env, const char *who, const char *reason)
{
	uint64_t times;

	if (core_log_level(env->log) < MUSES_DEBUG) {
		(void)core_count(env->stats, who, reason);
		return;
	}
	if (core_count_tell(env->stats, who, reason, core_loop_now(env->loop), &times))
		core_log(env->log, MUSES_DEBUG, who, "%s: times=%llu", reason,
		         (unsigned long long)times);
}
