/* SPDX-License-Identifier: Apache-2.0 */
/* Every allocation of the ground floor fails once: loop, pool, randomness, log,
 * counters, and all of them together as an env. */
#include "tests/nomem.h"
#include "tests/tap.h"

#include "core/env.h"
#include "core/mem.h"

#include <sys/socket.h>
#include <unistd.h>

static bool just_a_loop(void *user)
{
	struct core_loop *loop = core_loop_open(CORE_CLOCK_VIRTUAL);

	(void)user;
	core_loop_close(loop);
	return loop != NULL;
}

static void fire(struct muses_timer *t)
{
	(void)t;
}

/* Arming never fails, whatever the heap's growth does. */
static bool many_timers(void *user)
{
	struct core_loop *loop = core_loop_open(CORE_CLOCK_VIRTUAL);
	static struct muses_timer timer[3000];
	bool done = loop != NULL;

	(void)user;
	for (size_t i = 0; loop != NULL && i < 3000; i++) {
		core_timer_init(loop, &timer[i], fire);
		muses_timer_after(&timer[i], i % 100);
		done = done && muses_timer_armed(&timer[i]);
	}
	core_loop_close(loop);
	return done;
}

static void watch(struct muses_watch *w, uint32_t ready)
{
	muses_watch_drained(w, ready);
}

static bool a_watch(void *user)
{
	struct core_loop *loop = core_loop_open(CORE_CLOCK_REAL);
	struct muses_watch w = { 0 };
	const int *fd = user;
	int err = MUSES_ENOMEM;

	if (loop != NULL) {
		err = core_watch_open(loop, &w, *fd, MUSES_WRITABLE, watch);
		CU_ASSERT_TRUE(err == 0 || err == MUSES_ENOMEM);
		core_loop_turn(loop, 0);
		muses_watch_close(&w);
	}
	core_loop_close(loop);
	return err == 0;
}

static bool buffers(void *user)
{
	struct core_pool *pool = core_pool_open(1 << 20);
	struct muses_buf *b = NULL, *front = NULL, *copy = NULL, *big = NULL;
	struct core_pool_counts counts;
	bool done;

	(void)user;
	if (pool == NULL)
		return false;
	b = core_buf_new(pool, 10, 100);
	if (b != NULL) {
		(void)muses_buf_append(b, 100);
		front = muses_buf_split(b, 40);
		CU_ASSERT_EQUAL(b->size, front != NULL ? 60 : 100);
		copy = core_buf_copy(pool, b, 400);
	}
	big = core_buf_new(pool, 0, 60000);
	done = front != NULL && copy != NULL && big != NULL;
	core_pool_counts(pool, &counts);
	CU_ASSERT_EQUAL(counts.buffers_out,
	                (b != NULL) + (front != NULL) + (copy != NULL) + (big != NULL));
	CU_ASSERT_EQUAL(counts.refused, 0); /* That is for the bound. */
	muses_buf_free(b);
	muses_buf_free(front);
	muses_buf_free(copy);
	muses_buf_free(big);
	CU_ASSERT_EQUAL(core_pool_close(pool), 0);
	return done;
}

static bool randomness(void *user)
{
	const uint64_t *seed = user;
	struct core_rand *r = core_rand_open(*seed);
	uint8_t bytes[1000];
	bool done = r != NULL && core_rand_bytes(r, bytes, sizeof(bytes)) == 0;

	core_rand_close(r);
	return done;
}

static bool counters(void *user)
{
	struct core_stats *s = core_stats_open();
	bool done = s != NULL;

	(void)user;
	if (s != NULL) {
		done = core_count(s, "tcp", "refused") == 1;
		done = core_count(s, "tcp", "closed") == 1 && done;
	}
	core_stats_close(s);
	return done;
}

static bool whole_env(void *user)
{
	struct core_loop *loop = user;
	struct core_env env;
	int err = core_env_open(&env, loop, 1);

	CU_ASSERT_TRUE(err == 0 || err == MUSES_ENOMEM);
	if (err == 0)
		CU_ASSERT_EQUAL(core_env_close(&env), 0);
	return err == 0;
}

static void loops_fail_cleanly(void)
{
	int fd[2];

	CU_ASSERT_EQUAL(nomem_run(just_a_loop, NULL), 2);
	CU_ASSERT_TRUE(nomem_run(many_timers, NULL) > 5);
	CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	CU_ASSERT_EQUAL(nomem_run(a_watch, &fd[0]), 3);
	close(fd[0]);
	close(fd[1]);
}

static void pools_fail_cleanly(void)
{
	/* The pool, four windows, three blocks of two allocations each. */
	CU_ASSERT_EQUAL(nomem_run(buffers, NULL), 1 + 4 + 3 * 2);
}

static void randomness_fails_cleanly(void)
{
	uint64_t real = 0, seeded = 1;

	CU_ASSERT_EQUAL(nomem_run(randomness, &real), 2);
	CU_ASSERT_EQUAL(nomem_run(randomness, &seeded), 2);
}

static void counters_fail_cleanly(void)
{
	CU_ASSERT_EQUAL(nomem_run(counters, NULL), 1 + 2 * 2);
}

static void envs_fail_cleanly(void)
{
	struct core_loop *loop = core_loop_open(CORE_CLOCK_VIRTUAL);

	CU_ASSERT_PTR_NOT_NULL_FATAL(loop);
	/* Pool, randomness and its page, log, counters. */
	CU_ASSERT_EQUAL(nomem_run(whole_env, loop), 5);
	core_loop_close(loop);
}

static const struct tap_test tests[] = {
	{ "a loop without memory fails to open; arming timers never fails",
	  loops_fail_cleanly },
	{ "a pool without memory gives no buffer and loses none", pools_fail_cleanly },
	{ "a source of randomness without memory does not open",
	  randomness_fails_cleanly },
	{ "counters without memory do not count", counters_fail_cleanly },
	{ "an env without memory is not open in part", envs_fail_cleanly },
	TAP_END
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, "nomem", tests);
}
