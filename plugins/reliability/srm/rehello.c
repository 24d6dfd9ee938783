/* SPDX-License-Identifier: Apache-2.0 */
/* The schedule of Re-Hello attempts.  It never ends by itself: give_up_s is
 * somebody else's business. */
#include "rehello.h"

#define MS_NS UINT64_C(1000000)

void srm_rehello_init(struct rehello *r, uint32_t first_ms, uint32_t most_ms)
{
	r->first_ms = first_ms;
	r->most_ms = most_ms;
	r->paid_ns = 0;
	srm_rehello_stop(r);
}

void srm_rehello_hurry(struct rehello *r, uint64_t now)
{
	uint64_t credit = (REHELLO_BURST - 1) * REHELLO_SPACING_NS;
	uint64_t soon = r->paid_ns > now + credit ? r->paid_ns - credit : now;

	/* Out of credit the back-off goes on: else its first waits would make two
	 * attempts a second of a path that flaps. */
	if (soon == now)
		r->wait_ms = r->first_ms;
	if (r->due_ns > soon)
		r->due_ns = soon;
}

void srm_rehello_begin(struct rehello *r, uint64_t now)
{
	if (r->due_ns == UINT64_MAX)
		r->due_ns = now + r->wait_ms * MS_NS;
}

void srm_rehello_attempted(struct rehello *r, uint64_t now, uint32_t jitter)
{
	if (r->paid_ns < now)
		r->paid_ns = now;
	r->paid_ns += REHELLO_SPACING_NS;
	/* However dense the schedule, news of the path wait a second at most. */
	if (r->paid_ns > now + REHELLO_BURST * REHELLO_SPACING_NS)
		r->paid_ns = now + REHELLO_BURST * REHELLO_SPACING_NS;
	r->due_ns = now + r->wait_ms * (MS_NS / 1000) * (1000 - jitter);
	r->wait_ms = r->wait_ms > r->most_ms / 2 ? r->most_ms : r->wait_ms * 2;
}

void srm_rehello_stop(struct rehello *r)
{
	r->wait_ms = r->first_ms;
	r->due_ns = UINT64_MAX;
}
