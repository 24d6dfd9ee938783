/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_STATE_H
#define CORE_STATE_H

#include "core/env.h"

/*
 * The small file that outlives a node: what must not go back when it starts again.
 *
 *   { "muses_state": 1, "node": "ID", "hello_time": NANOSECONDS }
 *
 * hello_time is greater than the time in any HELLO that this node has sent: times
 * are reserved ahead, so that the file need not be written for each.  Without it,
 * and after a clock that went back, the first HELLO of each peer is answered by a
 * challenge, which costs a round trip and nothing else.  So nothing here is ever a
 * reason not to run, and nothing waits for the disk.
 */
struct core_state;

#define CORE_STATE_RESERVE_NS (10 * MUSES_S)

/* Read path, for the node called id.  A file that is not this node's, or not one
 * of these at all, is moved aside (PATH.bad), with a line in the log.  NULL when out
 * of memory. */
struct core_state *core_state_open(struct core_env *env, const char *path,
                                   const struct muses_id *id);
void core_state_close(struct core_state *s); /* NULL is fine. */
/* Greater than any time used before; 0: none is known. */
uint64_t core_state_time(const struct core_state *s);
/* Times up to this one have been used.  Reserves more, and writes the file, when
 * half of the reserve is gone. */
void core_state_used(struct core_state *s, uint64_t time_ns);

#endif
