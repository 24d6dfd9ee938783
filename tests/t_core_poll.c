/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests core/poll.c: watches over socket pairs and pipes.  Whatever one end of a
 * pair did is known to the other at once, so turns that do not wait are enough.
 */
#include "tests/pair.h"
#include "tests/tap.h"

#include "core/loop.h"
#include "core/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void readiness_is_remembered(void)
{
	struct end a, b;
	struct core_loop *loop = open_pair(&a, &b, MUSES_READABLE);

	b.bite = 3;
	say(&a, 10);
	turn(loop); /* 3 of 10: no new edge will come for the rest. */
	turn(loop);
	CU_ASSERT_EQUAL(b.got, 6);
	turn(loop);
	turn(loop); /* Falls short, says drained. */
	CU_ASSERT_EQUAL(b.got, 10);
	CU_ASSERT_EQUAL(b.fired, 4);
	turn(loop);
	CU_ASSERT_EQUAL(b.fired, 4);
	say(&a, 2);
	turn(loop);
	CU_ASSERT_EQUAL(b.got, 12);
	close_pair(loop, &a, &b);
}

static void wanting_later_is_not_too_late(void)
{
	struct end a, b;
	struct core_loop *loop = open_pair(&a, &b, 0);

	b.bite = 100;
	say(&a, 10);
	turn(loop);
	turn(loop);
	CU_ASSERT_EQUAL(b.fired, 0);
	muses_watch_want(&b.watch, MUSES_READABLE);
	CU_ASSERT_EQUAL(core_loop_next(loop), core_loop_now(loop));
	turn(loop);
	CU_ASSERT_EQUAL(b.got, 10);
	CU_ASSERT_EQUAL(b.ready, MUSES_READABLE);
	/* Stopped while ready, started again: what is left is not lost. */
	say(&a, 10);
	b.bite = 4;
	turn(loop);
	muses_watch_want(&b.watch, 0);
	turn(loop);
	CU_ASSERT_EQUAL(b.got, 14);
	muses_watch_want(&b.watch, MUSES_READABLE);
	turn(loop);
	CU_ASSERT_EQUAL(b.got, 18);
	close_pair(loop, &a, &b);
}

static void writable_comes_back(void)
{
	static const char bytes[65536];
	struct end a, b;
	struct core_loop *loop = open_pair(&a, &b, 0);
	ssize_t n;

	muses_watch_want(&a.watch, MUSES_WRITABLE);
	turn(loop);
	CU_ASSERT_EQUAL(a.fired, 1);
	CU_ASSERT_EQUAL(a.ready, MUSES_WRITABLE);
	while ((n = write(a.fd, bytes, sizeof(bytes))) > 0)
		;
	CU_ASSERT_EQUAL(errno, EAGAIN);
	muses_watch_drained(&a.watch, MUSES_WRITABLE);
	turn(loop);
	CU_ASSERT_EQUAL(a.fired, 1);
	b.bite = 4096;
	muses_watch_want(&b.watch, MUSES_READABLE);
	while (a.fired == 1 && b.fired < 10000)
		turn(loop);
	CU_ASSERT_EQUAL(a.fired, 2);
	close_pair(loop, &a, &b);
}

static void one_fire_a_turn(void)
{
	struct end a, b;
	struct core_loop *loop = open_pair(&a, &b, MUSES_READABLE | MUSES_WRITABLE);

	/* Neither drains: each is fired exactly once a turn, and neither starves. */
	say(&a, 1);
	for (unsigned i = 1; i <= 20; i++) {
		turn(loop);
		CU_ASSERT_EQUAL(a.fired, i);
		CU_ASSERT_EQUAL(b.fired, i);
	}
	CU_ASSERT_EQUAL(a.ready, MUSES_WRITABLE);
	CU_ASSERT_EQUAL(b.ready, MUSES_READABLE | MUSES_WRITABLE);
	close_pair(loop, &a, &b);
}

static void busy_watches_do_not_hide_others(void)
{
	struct end a, b, c, d;
	struct core_loop *loop = open_pair(&a, &b, MUSES_WRITABLE);
	int fd[2];

	turn(loop);
	CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
	end_open(loop, &c, fd[0], 0);
	end_open(loop, &d, fd[1], MUSES_READABLE);
	say(&c, 5);
	d.bite = 100;
	turn(loop); /* a and b are ready all the time; d is heard of nevertheless. */
	CU_ASSERT_EQUAL(d.got, 5);
	end_close(&c);
	end_close(&d);
	close_pair(loop, &a, &b);
}

static void a_callback_may_close_another(void)
{
	/* Both are ready in the same batch; whoever comes first closes the other. */
	for (int twice = 0; twice < 2; twice++) {
		struct end a, b;
		struct core_loop *loop = open_pair(&a, &b, MUSES_READABLE);

		say(&a, 1);
		say(&b, 1);
		a.closes = &b;
		b.closes = &a;
		if (twice == 1) {
			/* In both orders. */
			muses_watch_want(&a.watch, 0);
			turn(loop);
			CU_ASSERT_EQUAL(b.fired, 1);
			CU_ASSERT_EQUAL(a.fired, 0);
		} else {
			turn(loop);
			CU_ASSERT_EQUAL(a.fired + b.fired, 1);
		}
		turn(loop);
		CU_ASSERT_EQUAL((a.watch.loop != NULL) + (b.watch.loop != NULL), 1);
		close_pair(loop, &a, &b);
	}
}

static void a_callback_may_close_itself(void)
{
	struct end a, b;
	struct core_loop *loop = open_pair(&a, &b, MUSES_READABLE);

	say(&a, 1);
	b.closes = &b;
	turn(loop);
	turn(loop);
	CU_ASSERT_EQUAL(b.fired, 1);
	CU_ASSERT_PTR_NULL(b.watch.loop);
	close_pair(loop, &a, &b);
}

static void a_descriptor_may_be_watched_anew(void)
{
	struct end a, b;
	struct core_loop *loop = open_pair(&a, &b, MUSES_READABLE);
	int fd = b.fd;

	say(&a, 4);
	turn(loop);
	muses_watch_close(&b.watch);
	end_open(loop, &b, fd, MUSES_READABLE);
	b.bite = 100;
	turn(loop);
	CU_ASSERT_EQUAL(b.got, 4);
	close_pair(loop, &a, &b);
}

static void files_are_always_ready(void)
{
	char path[] = "/tmp/t_core_poll.XXXXXX";
	struct core_loop *loop = core_loop_open(CORE_CLOCK_REAL);
	struct end file;
	int fd = mkstemp(path);

	CU_ASSERT_PTR_NOT_NULL_FATAL(loop);
	CU_ASSERT_TRUE_FATAL(fd >= 0);
	unlink(path);
	end_open(loop, &file, fd, MUSES_READABLE);
	file.drains = MUSES_READABLE;
	for (unsigned i = 1; i <= 3; i++) {
		turn(loop);
		CU_ASSERT_EQUAL(file.fired, i);
	}
	muses_watch_want(&file.watch, 0);
	turn(loop);
	CU_ASSERT_EQUAL(file.fired, 3);
	end_close(&file);
	core_loop_close(loop);
}

static void bad_descriptors_are_refused(void)
{
	struct end a, b;
	struct core_loop *loop = open_pair(&a, &b, 0);
	struct muses_watch w;
	int closed = dup(a.fd);

	close(closed);
	CU_ASSERT_EQUAL(core_watch_open(loop, &w, -1, 0, end_fire), MUSES_EUSAGE);
	muses_watch_close(&w);
	CU_ASSERT_EQUAL(core_watch_open(loop, &w, closed, 0, end_fire), MUSES_ESYSTEM);
	muses_watch_close(&w);
	CU_ASSERT_EQUAL(core_watch_open(loop, &w, a.fd, 0, end_fire), MUSES_EUSAGE);
	muses_watch_close(&w);
	muses_watch_want(&w, MUSES_READABLE);
	muses_watch_drained(&w, MUSES_READABLE);
	say(&b, 1);
	muses_watch_want(&a.watch, MUSES_READABLE);
	turn(loop); /* The watch that was there still works. */
	CU_ASSERT_EQUAL(a.fired, 1);
	close_pair(loop, &a, &b);
}

static void waiting_ends_with_readiness(void)
{
	struct end a, b;
	struct core_loop *loop = open_pair(&a, &b, MUSES_READABLE);
	uint64_t begin;

	b.bite = 100;
	say(&a, 1);
	begin = core_loop_now(loop);
	core_loop_turn(loop, 3600 * MUSES_S);
	CU_ASSERT_EQUAL(b.got, 1);
	CU_ASSERT_TRUE(core_loop_now(loop) - begin < 600 * MUSES_S);
	core_loop_turn(loop, 1000); /* Nothing comes: ends by itself. */
	CU_ASSERT_EQUAL(b.got, 1);
	/* Nothing new comes, but something old is left: no waiting. */
	b.bite = 1;
	say(&a, 3);
	begin = core_loop_now(loop);
	for (int i = 0; i < 3; i++)
		core_loop_turn(loop, 3 * MUSES_S);
	CU_ASSERT_EQUAL(b.got, 4);
	CU_ASSERT_TRUE(core_loop_now(loop) - begin < 3 * MUSES_S);
	close_pair(loop, &a, &b);
}

static void virtual_time_waits_for_descriptors(void)
{
	struct core_loop *loop = core_loop_open(CORE_CLOCK_VIRTUAL);
	struct end a, b;
	int fd[2];

	CU_ASSERT_PTR_NOT_NULL_FATAL(loop);
	CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
	end_open(loop, &a, fd[0], 0);
	end_open(loop, &b, fd[1], MUSES_READABLE);
	b.bite = 1;
	say(&a, 50);
	core_loop_turn(loop, MUSES_S);
	CU_ASSERT_EQUAL(core_loop_now(loop), MUSES_S); /* Not a step. */
	core_loop_advance(loop, MUSES_S);
	CU_ASSERT_EQUAL(b.got, 50);
	CU_ASSERT_EQUAL(core_loop_now(loop), 2 * MUSES_S);
	/* Somebody who never drains cannot hold time for ever. */
	muses_watch_want(&a.watch, MUSES_WRITABLE);
	core_loop_advance(loop, MUSES_S);
	CU_ASSERT_EQUAL(core_loop_now(loop), 3 * MUSES_S);
	end_close(&a);
	end_close(&b);
	core_loop_close(loop);
}

static void layers_and_loops_let_go(void)
{
	struct end a, b;
	struct core_loop *loop = open_pair(&a, &b, MUSES_WRITABLE);

	a.watch.layer = (struct muses_layer *)&a;
	turn(loop);
	CU_ASSERT_EQUAL(core_loop_forget(loop, a.watch.layer), 1);
	CU_ASSERT_PTR_NULL(a.watch.loop);
	turn(loop);
	CU_ASSERT_EQUAL(a.fired, 1);
	CU_ASSERT_EQUAL(b.fired, 2);
	core_loop_close(loop);
	CU_ASSERT_PTR_NULL(b.watch.loop);
	muses_watch_close(&b.watch);
	close(a.fd);
	close(b.fd);
}

static void many_watches_fire_in_one_turn(void)
{
	enum { PAIRS = 300 }; /* More than one batch of events. */
	static struct end a[PAIRS], b[PAIRS];
	struct core_loop *loop = core_loop_open(CORE_CLOCK_REAL);
	unsigned fired = 0;
	uint64_t total;
	int fd[2];

	CU_ASSERT_PTR_NOT_NULL_FATAL(loop);
	for (int i = 0; i < PAIRS; i++) {
		CU_ASSERT_EQUAL_FATAL(
			socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
		end_open(loop, &a[i], fd[0], 0);
		end_open(loop, &b[i], fd[1], MUSES_READABLE);
		b[i].bite = 100;
	}
	total = core_mem_total();
	for (int i = 0; i < PAIRS; i++)
		say(&a[i], 1);
	for (int i = 0; i < 5; i++)
		turn(loop);
	for (int i = 0; i < PAIRS; i++)
		fired += b[i].fired;
	CU_ASSERT_EQUAL(fired, PAIRS);
	CU_ASSERT_EQUAL(core_mem_total(), total);
	for (int i = 0; i < PAIRS; i++) {
		end_close(&a[i]);
		end_close(&b[i]);
	}
	core_loop_close(loop);
}

static const struct tap_test tests[] = {
	{ "readiness is remembered until the owner says drained",
	  readiness_is_remembered },
	{ "what was ready before it was wanted is told when it is",
	  wanting_later_is_not_too_late },
	{ "a full socket becomes writable again once, when there is room",
	  writable_comes_back },
	{ "a watch that does not drain is fired once a turn", one_fire_a_turn },
	{ "watches that are always ready do not hide others",
	  busy_watches_do_not_hide_others },
	{ "a callback may close another watch of the same batch",
	  a_callback_may_close_another },
	{ "a callback may close its own watch", a_callback_may_close_itself },
	{ "a descriptor may be watched anew", a_descriptor_may_be_watched_anew },
	{ "a regular file is always ready", files_are_always_ready },
	{ "descriptors that are closed, negative or watched already are refused",
	  bad_descriptors_are_refused },
	{ "a turn waits no longer than until something is ready, or as it was told",
	  waiting_ends_with_readiness },
	{ "virtual time stands still while descriptors are ready, but not for ever",
	  virtual_time_waits_for_descriptors },
	{ "forgetting a layer and closing the loop close watches",
	  layers_and_loops_let_go },
	{ "more watches than one batch of events are all fired, without allocating",
	  many_watches_fire_in_one_turn },
	TAP_END
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, "poll", tests);
}
