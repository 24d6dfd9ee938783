/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_NETNEWS_H
#define CORE_NETNEWS_H

#include "core/env.h"

/*
 * News of this machine's network, so that nobody has to wait for a timer: addresses
 * and routes that came or went, told by Linux's rtnetlink at once, and waking up
 * from sleep.
 *
 * Many events come together when a network changes: the first is told at once, what
 * follows within 20 ms is told as one.
 */
struct core_netnews;

typedef void core_netnews_fn(void *user);

/* Call changed after every change.  NULL where there is no such news (another
 * system, a simulated network, out of memory or descriptors): timers must do. */
struct core_netnews *core_netnews_open(struct core_env *env, core_netnews_fn *changed,
                                       void *user);
void core_netnews_close(struct core_netnews *n); /* NULL is fine. */

/* Is there, among the routing messages of the kernel in data, one that may change
 * where packets go?  data is aligned for struct nlmsghdr.  Pure; for tests and
 * fuzzing. */
bool core_netnews_matters(const void *data, size_t size);

#endif
