/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The event loop: what happens in one turn, on which clock.
 *
 * Watches are in core/poll.c, the heap of timers in core/heap.c; tasks are here.
 * A timer armed while timers fire waits for the next turn, even when it is past
 * due: no callback can keep the loop from its descriptors.
 */
#include "core/loop.h"

#include "core/alarm.h"
#include "core/clock.h"
#include "core/heap.h"
#include "core/mem.h"
#include "core/poll.h"

#include <assert.h>

#define TASK_ROUNDS 16
/* Turns without a step of virtual time, while descriptors are ready. */
#define STILL_TURNS 100
/* ... after which a test is taken to be stuck in timers without delay. */
#define STUCK_TURNS   1000000
#define NEAR_NS       MUSES_S
#define VIRTUAL_BEGIN MUSES_S
#define VIRTUAL_EPOCH (UINT64_C(1767225600) * MUSES_S) /* 2026-01-01, 00:00 UTC. */

struct core_loop {
	enum core_clock clock;
	uint64_t now_ns;
	volatile bool stopped; /* Also set by a signal handler. */
	bool turning;
	unsigned still; /* Turns since virtual time moved. */
	struct core_heap timers;
	struct core_poll poll;
	struct core_alarm alarm;
	struct muses_task *first, **last; /* Queued. */
	struct muses_task mark;           /* Where a round of tasks ends. */
};

static uint64_t later(uint64_t at_ns, uint64_t span_ns)
{
	return span_ns < UINT64_MAX - at_ns ? at_ns + span_ns : UINT64_MAX;
}

/* ---- opening, closing, time ----------------------------------------------- */

struct core_loop *core_loop_open(enum core_clock clock)
{
	struct core_loop *loop = muses_zalloc(sizeof(*loop));

	if (loop == NULL)
		return NULL;
	loop->clock = clock;
	loop->last = &loop->first;
	loop->now_ns = clock == CORE_CLOCK_VIRTUAL ? VIRTUAL_BEGIN : core_clock_now();
	loop->alarm.fd = -1;
	if (core_heap_open(&loop->timers) != 0 || core_poll_open(&loop->poll) != 0)
		goto fail;
	if (clock == CORE_CLOCK_REAL && core_alarm_open(&loop->alarm, &loop->poll) != 0)
		goto fail;
	return loop;
fail:
	core_loop_close(loop);
	return NULL;
}

void core_loop_close(struct core_loop *loop)
{
	if (loop == NULL)
		return;
	assert(!loop->turning);
	while (loop->first != NULL)
		muses_task_cancel(loop->first);
	core_heap_close(&loop->timers);
	core_alarm_close(&loop->alarm);
	core_poll_close(&loop->poll);
	muses_free(loop);
}

uint64_t core_loop_now(const struct core_loop *loop)
{
	return loop->now_ns;
}

uint64_t core_loop_wall_clock(const struct core_loop *loop)
{
	if (loop->clock == CORE_CLOCK_VIRTUAL)
		return VIRTUAL_EPOCH + loop->now_ns;
	return core_clock_wall();
}

/* ---- timers --------------------------------------------------------------- */

void core_timer_init(struct core_loop *loop, struct muses_timer *t, muses_timer_fn *fire)
{
	*t = (struct muses_timer){ .fire = fire, .loop = loop };
}

void muses_timer_at(struct muses_timer *t, uint64_t due_ns)
{
	struct core_loop *loop = t->loop;

	t->due_ns = due_ns;
	/* Nothing is put before now, so what is armed while timers fire comes after
	 * all that were due before: see fire_timers(). */
	core_heap_put(&loop->timers, t, due_ns > loop->now_ns ? due_ns : loop->now_ns);
}

void muses_timer_after(struct muses_timer *t, uint64_t delay_ns)
{
	const struct core_loop *loop = t->loop;

	muses_timer_at(t, later(loop->now_ns, delay_ns));
}

void muses_timer_stop(struct muses_timer *t)
{
	struct core_loop *loop = t->loop;

	if (muses_timer_armed(t))
		core_heap_remove(&loop->timers, t);
}

static uint64_t next_timer(const struct core_loop *loop)
{
	const struct core_heap_entry *top = core_heap_top(&loop->timers);

	return top != NULL ? top->due_ns : UINT64_MAX;
}

static size_t fire_timers(struct core_loop *loop)
{
	const uint64_t newest = loop->timers.order;
	const struct core_heap_entry *top;
	size_t fired = 0;

	while ((top = core_heap_top(&loop->timers)) != NULL &&
	       top->due_ns <= loop->now_ns && top->order <= newest) {
		struct muses_timer *t = top->timer;

		core_heap_remove(&loop->timers, t);
		fired++;
		t->fire(t);
	}
	return fired;
}

/* ---- tasks ---------------------------------------------------------------- */

void core_task_init(struct core_loop *loop, struct muses_task *t, muses_task_fn *run)
{
	*t = (struct muses_task){ .run = run, .loop = loop };
}

void muses_task_queue(struct muses_task *t)
{
	struct core_loop *loop = t->loop;

	if (t->link != NULL)
		return;
	t->next = NULL;
	t->link = loop->last;
	*loop->last = t;
	loop->last = &t->next;
}

void muses_task_cancel(struct muses_task *t)
{
	struct core_loop *loop = t->loop;

	if (t->link == NULL)
		return;
	*t->link = t->next;
	if (t->next != NULL)
		t->next->link = t->link;
	else
		loop->last = t->link;
	t->next = NULL;
	t->link = NULL;
}

static size_t run_tasks(struct core_loop *loop)
{
	struct muses_task *t;
	size_t run = 0;

	for (int round = 0; round < TASK_ROUNDS && loop->first != NULL; round++) {
		loop->mark.loop = loop;
		muses_task_queue(&loop->mark);
		while ((t = loop->first) != &loop->mark) {
			muses_task_cancel(t);
			run++;
			t->run(t);
		}
		muses_task_cancel(&loop->mark);
	}
	return run;
}

/* ---- watches -------------------------------------------------------------- */

int core_watch_open(struct core_loop *loop, struct muses_watch *w, int fd,
                    uint32_t wanted, muses_watch_fn *fire)
{
	*w = (struct muses_watch){ .fire = fire, .fd = fd, .wanted = wanted };
	return core_poll_add(&loop->poll, w);
}

/* ---- turning -------------------------------------------------------------- */

static bool busy(const struct core_loop *loop)
{
	return core_poll_ready(&loop->poll) || loop->first != NULL;
}

static void wait_real(struct core_loop *loop, uint64_t max_wait_ns)
{
	uint64_t wait_ns = 0;
	uint64_t now_ns;

	if (!busy(loop) && max_wait_ns > 0) {
		uint64_t next_ns = next_timer(loop);

		now_ns = core_clock_now();
		if (next_ns == UINT64_MAX)
			wait_ns = max_wait_ns;
		else if (next_ns > now_ns)
			wait_ns = next_ns - now_ns;
		/* Nearer ones are not worth a system call: who sleeps in between wakes
		 * so much late at most. */
		if (next_ns != UINT64_MAX && wait_ns > NEAR_NS)
			core_alarm_set(&loop->alarm, next_ns);
		if (wait_ns > max_wait_ns)
			wait_ns = max_wait_ns;
	}
	if (wait_ns > 0 || loop->poll.count > 0)
		core_poll_wait(&loop->poll, wait_ns);
	now_ns = core_clock_now();
	if (now_ns > loop->now_ns)
		loop->now_ns = now_ns;
}

static void wait_virtual(struct core_loop *loop, uint64_t max_wait_ns)
{
	uint64_t target_ns = later(loop->now_ns, max_wait_ns);

	if (loop->poll.count > 0)
		core_poll_wait(&loop->poll, 0);
	if (busy(loop) && loop->still++ < STILL_TURNS)
		return;
	if (next_timer(loop) < target_ns)
		target_ns = next_timer(loop);
	if (target_ns == UINT64_MAX || target_ns <= loop->now_ns)
		return;
	loop->now_ns = target_ns;
	loop->still = 0;
}

/* Returns how many callbacks there were. */
static size_t turn(struct core_loop *loop, uint64_t max_wait_ns)
{
	size_t fired;

	assert(!loop->turning);
	loop->turning = true;
	if (loop->clock == CORE_CLOCK_VIRTUAL)
		wait_virtual(loop, max_wait_ns);
	else
		wait_real(loop, max_wait_ns);
	fired = core_poll_fire(&loop->poll);
	fired += fire_timers(loop);
	fired += run_tasks(loop);
	loop->turning = false;
	return fired;
}

void core_loop_turn(struct core_loop *loop, uint64_t max_wait_ns)
{
	(void)turn(loop, max_wait_ns);
}

void core_loop_run(struct core_loop *loop)
{
	while (!loop->stopped)
		if (turn(loop, UINT64_MAX) == 0 && loop->clock == CORE_CLOCK_VIRTUAL &&
		    core_loop_next(loop) == UINT64_MAX)
			break;
	loop->stopped = false;
}

void core_loop_stop(struct core_loop *loop)
{
	loop->stopped = true;
}

void core_loop_advance(struct core_loop *loop, uint64_t span_ns)
{
	const uint64_t end_ns = later(loop->now_ns, span_ns);
	unsigned still = 0;
	uint64_t before_ns;
	size_t fired;

	assert(loop->clock == CORE_CLOCK_VIRTUAL);
	do {
		before_ns = loop->now_ns;
		fired = turn(loop, end_ns - loop->now_ns);
		still = loop->now_ns == before_ns ? still + 1 : 0;
		assert(still < STUCK_TURNS);
	} while (loop->now_ns < end_ns || next_timer(loop) <= loop->now_ns ||
	         (fired > 0 && still < STILL_TURNS));
}

uint64_t core_loop_next(const struct core_loop *loop)
{
	return busy(loop) ? loop->now_ns : next_timer(loop);
}

size_t core_loop_forget(struct core_loop *loop, const struct muses_layer *l)
{
	size_t stopped = core_heap_forget(&loop->timers, l);
	struct muses_task *t = loop->first;
	struct muses_task *next;

	for (; t != NULL; t = next) {
		next = t->next;
		if (t->layer != l)
			continue;
		muses_task_cancel(t);
		stopped++;
	}
	return stopped + core_poll_forget(&loop->poll, l);
}
