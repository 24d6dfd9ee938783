/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_PAIR_H
#define TESTS_PAIR_H

#include "tests/tap.h"

#include "core/loop.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * Two ends of a socket pair, watched.  Whatever one end did is known to the other
 * at once, so turns that do not wait are enough.
 */
struct end {
	struct muses_watch watch;
	struct core_loop *loop;
	int fd;
	unsigned fired;
	uint32_t ready;     /* As of the last call. */
	size_t bite;        /* Reads that much each time; 0: does not read. */
	size_t got;         /* Bytes read in all. */
	bool ended;         /* A read has returned 0. */
	struct end *closes; /* Closes that watch. */
	uint32_t drains;    /* Says drained whatever happens. */
};

static inline void end_fire(struct muses_watch *w, uint32_t ready)
{
	struct end *e = muses_container(w, struct end, watch);
	char bytes[4096];
	ssize_t got;

	e->fired++;
	e->ready = ready;
	if (e->closes != NULL) {
		muses_watch_close(&e->closes->watch);
		e->closes = NULL;
	}
	if (w->loop == NULL)
		return;
	if (e->drains != 0)
		muses_watch_drained(w, e->drains);
	if (e->bite > 0 && (ready & MUSES_READABLE) != 0) {
		got = read(e->fd, bytes, e->bite);
		if (got > 0)
			e->got += (size_t)got;
		if (got == 0) {
			e->ended = true;
			muses_watch_want(w, 0);
		} else if (got < (ssize_t)e->bite) {
			muses_watch_drained(w, MUSES_READABLE);
		}
	}
}

static inline void end_open(struct core_loop *loop, struct end *e, int fd, uint32_t wanted)
{
	memset(e, 0, sizeof(*e));
	e->loop = loop;
	e->fd = fd;
	CU_ASSERT_EQUAL_FATAL(core_watch_open(loop, &e->watch, fd, wanted, end_fire), 0);
}

static inline void end_close(struct end *e)
{
	muses_watch_close(&e->watch);
	close(e->fd);
}

static inline struct core_loop *open_pair(struct end *a, struct end *b, uint32_t wanted)
{
	struct core_loop *loop = core_loop_open(CORE_CLOCK_REAL);
	int fd[2];

	CU_ASSERT_PTR_NOT_NULL_FATAL(loop);
	CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
	end_open(loop, a, fd[0], wanted);
	end_open(loop, b, fd[1], wanted);
	return loop;
}

static inline void close_pair(struct core_loop *loop, struct end *a, struct end *b)
{
	end_close(a);
	end_close(b);
	core_loop_close(loop);
}

static inline void say(const struct end *e, size_t size)
{
	static char bytes[4096];

	CU_ASSERT_EQUAL(write(e->fd, bytes, size), (ssize_t)size);
}

static inline void turn(struct core_loop *loop)
{
	core_loop_turn(loop, 0);
}

#endif
