/* SPDX-License-Identifier: Apache-2.0 */
#include "acks.h"

/* The sender calls a packet lost when three later ones are known to have come
 * (loss.h); so where packets may overtake each other, tell of three at once. */
#define AFTER_GAP 3
#define YOUNG     16 /* Until so many packets per step ... */
#define STEP      2  /* ... of `every` have come. */

void srm_acks_init(struct acks *a, uint32_t every, uint64_t delay_ns)
{
	a->every = every;
	a->delay_ns = delay_ns;
	srm_acks_clear(a);
}

void srm_acks_clear(struct acks *a)
{
	a->young = 0;
	a->marked = false;
	srm_acks_sent(a);
	a->urgent = 0;
}

/* Every 2nd packet at first, every 3rd after 16 of them, and so on. */
static uint32_t every_now(const struct acks *a)
{
	uint32_t every = STEP + a->young / YOUNG;

	return every < a->every ? every : a->every;
}

void srm_acks_received(struct acks *a, uint64_t now, struct acks_packet packet)
{
	bool begins = packet.congested && !a->marked;

	a->marked = packet.congested;
	a->gap = a->gap || packet.gap;
	if (packet.gap && packet.lossy)
		a->urgent = AFTER_GAP;
	if (!packet.counts)
		return;

	a->pending++;
	if (a->gap || packet.last || begins || a->urgent > 0 ||
	    a->pending >= every_now(a))
		a->due_ns = 0;
	else if (a->due_ns == UINT64_MAX)
		a->due_ns = now + a->delay_ns;
	if (a->urgent > 0)
		a->urgent--;
	if (a->young < a->every * YOUNG)
		a->young++;
}

void srm_acks_sent(struct acks *a)
{
	a->pending = 0;
	a->due_ns = UINT64_MAX;
	a->gap = false;
}
