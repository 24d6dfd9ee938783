/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_LOOP_H
#define CORE_LOOP_H

#include <muses/plugin.h>

/*
 * The event loop: one thread, timers, watched descriptors, tasks for the end of
 * a turn.  The only caller of epoll; asks core/clock.c for the time once a turn.
 *
 * One turn: take the time; wait for descriptors or the next timer; fire ready
 * watches; fire timers that are due; run queued tasks (a task queued by a task
 * runs in the same turn, at most 16 rounds).
 *
 * A loop on the virtual clock has no descriptors to wait for by default: time
 * jumps to the next timer.  (It may still watch descriptors, polled without
 * waiting, for tests that use socket pairs.)
 */
struct core_loop;

enum core_clock { CORE_CLOCK_REAL = 0, CORE_CLOCK_VIRTUAL };

/* NULL when out of memory or descriptors.  A virtual clock begins at 1 s. */
struct core_loop *core_loop_open(enum core_clock clock);
void core_loop_close(struct core_loop *loop);

uint64_t core_loop_now(const struct core_loop *loop);
uint64_t core_loop_wall_clock(const struct core_loop *loop);

/* One turn; waits at most max_wait_ns (UINT64_MAX: as long as it takes). */
void core_loop_turn(struct core_loop *loop, uint64_t max_wait_ns);
/* Turn until core_loop_stop(); on the virtual clock also until nothing is left
 * that could happen. */
void core_loop_run(struct core_loop *loop);
void core_loop_stop(struct core_loop *loop);
/* Virtual: live through span_ns; every timer due by then has fired when it
 * returns, in order of time, then of arming.  Time stands still while watched
 * descriptors are ready, for at most 100 turns. */
void core_loop_advance(struct core_loop *loop, uint64_t span_ns);
/* When the next timer is due; UINT64_MAX: none.  Tasks or ready watches pending:
 * now. */
uint64_t core_loop_next(const struct core_loop *loop);

/* As muses_timer_init() and its like, for the core, which has no layer. */
void core_timer_init(struct core_loop *loop, struct muses_timer *t, muses_timer_fn *fire);
void core_task_init(struct core_loop *loop, struct muses_task *t, muses_task_fn *run);
int core_watch_open(struct core_loop *loop, struct muses_watch *w, int fd, uint32_t wanted,
                    muses_watch_fn *fire) MUSES_CHECKED;
/* Stop what layer l left armed; returns how many. */
size_t core_loop_forget(struct core_loop *loop, const struct muses_layer *l);

#endif
