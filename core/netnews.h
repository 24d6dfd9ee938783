/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_NETNEWS_H
#define CORE_NETNEWS_H

#include "core/env.h"

/*
 * News of this machine's network: addresses and routes that came or went, told by
 * Linux's rtnetlink at once, so that nobody has to wait for a timer.  Several
 * changes of one instant are told once.
 */
struct core_netnews;

typedef void core_netnews_fn(void *user);

/* Call changed after every change.  NULL where there is no such news (another
 * system, a virtual clock, out of memory): timers must do. */
struct core_netnews *core_netnews_open(struct core_env *env, core_netnews_fn *changed,
                                       void *user);
void core_netnews_close(struct core_netnews *n); /* NULL is fine. */

#endif
