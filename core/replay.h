/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_REPLAY_H
#define CORE_REPLAY_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Remembers which of the last packet numbers of one key were accepted, so that
 * none is accepted twice (RFC 6479).
 *
 * Numbers start at 0; those of 2^62 and more are never fresh, as a varint could
 * not carry them.  A number is remembered while it is at most
 * CORE_REPLAY_WINDOW below the highest marked; what is lower is not fresh.
 * A zeroed struct is an empty window.  About 1 KiB, no allocation, so nothing
 * to give back.  One a direction and key: a new key starts with a zeroed one.
 *
 *   seen is a ring of words: number n is bit n % 64 of word n / 64 % 128.
 *
 *              oldest word, cleared                 newest word
 *              when the next one starts            v
 *       ... | 1 1 1 0 1 1 | 1 1 ... 1 1 | 0 0 1 0 1 1 |
 *                  ^ window                         ^ next - 1
 */
enum {
	CORE_REPLAY_BITS = 8192,
	CORE_REPLAY_WINDOW = CORE_REPLAY_BITS - 64,
};

struct core_replay {
	uint64_t next; /* One above the highest number marked; 0: none yet. */
	uint64_t seen[CORE_REPLAY_BITS / 64];
};

/* May seq still be accepted?  Changes nothing, so it is safe to ask before the
 * packet is known to be authentic. */
bool core_replay_fresh(const struct core_replay *r, uint64_t seq);

/* seq was accepted.  Only for packets that passed authentication, and only
 * after core_replay_fresh() said yes. */
void core_replay_mark(struct core_replay *r, uint64_t seq);

#endif
