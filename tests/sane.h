/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_SANE_H
#define TESTS_SANE_H

#include <muses/buf.h>

/*
 * The invariants that headers promise, checked; each complains through CUnit.
 */

/* muses/buf.h: b is one buffer in one owner's hand. */
void assert_sane_buf(const struct muses_buf *b);
/* ... and these count buffers overlap nowhere, heads and tails included. */
void assert_sane_bufs(struct muses_buf *const *b, size_t count);
/* ... and the queue's sums are right. */
void assert_sane_queue(const struct muses_queue *q);

#endif
