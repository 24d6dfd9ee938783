/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The replay window.  The newcomer's mistake: marking before the packet has
 * been opened, which lets a forged number push the window past the peer.
 */
#include "core/replay.h"

#include <string.h>

enum { WORDS = CORE_REPLAY_BITS / 64 };
#define SEQ_END (UINT64_C(1) << 62)

bool core_replay_fresh(const struct core_replay *r, uint64_t seq)
{
	if (seq >= SEQ_END)
		return false;
	if (seq >= r->next)
		return true;
	if (r->next - 1 - seq > CORE_REPLAY_WINDOW)
		return false;
	return (r->seen[seq / 64 % WORDS] >> seq % 64 & 1) == 0;
}

void core_replay_mark(struct core_replay *r, uint64_t seq)
{
	if (seq >= r->next) {
		/* Words that the window enters hold bits of numbers it has left. */
		uint64_t word = r->next == 0 ? 0 : (r->next - 1) / 64;
		uint64_t enter = seq / 64 - word;

		if (enter >= WORDS)
			memset(r->seen, 0, sizeof(r->seen));
		else
			while (enter-- > 0)
				r->seen[++word % WORDS] = 0;
		r->next = seq + 1;
	}
	r->seen[seq / 64 % WORDS] |= UINT64_C(1) << seq % 64;
}
