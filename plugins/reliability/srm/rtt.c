/* SPDX-License-Identifier: Apache-2.0 */
/* Round-trip times.  The peer's word on its delay is believed only as far as the
 * sample stays above the least one seen: a lie can slow us down, never make us
 * impatient. */
#include "rtt.h"

#include <string.h>

uint64_t srm_rtt_sample(struct rtt *r, uint64_t sample_ns, uint64_t delay_ns)
{
	uint64_t off;

	if (sample_ns > RTT_MOST)
		sample_ns = RTT_MOST;
	if (sample_ns == 0)
		sample_ns = 1; /* Within one turn of the loop; 0 means unknown. */
	if (delay_ns > RTT_ACK_DELAY)
		delay_ns = RTT_ACK_DELAY;

	if (!srm_rtt_known(r)) {
		r->latest_ns = r->least_ns = r->smooth_ns = sample_ns;
		r->variance_ns = sample_ns / 2;
		return sample_ns;
	}
	r->latest_ns = sample_ns;
	if (sample_ns < r->least_ns)
		r->least_ns = sample_ns;
	if (sample_ns >= r->least_ns + delay_ns)
		sample_ns -= delay_ns;
	off = sample_ns > r->smooth_ns ? sample_ns - r->smooth_ns
	                               : r->smooth_ns - sample_ns;
	r->variance_ns = (3 * r->variance_ns + off) / 4;
	r->smooth_ns = (7 * r->smooth_ns + sample_ns) / 8;
	return sample_ns;
}

void srm_rtt_reset(struct rtt *r)
{
	memset(r, 0, sizeof(*r));
}

uint64_t srm_rtt_pto(const struct rtt *r)
{
	uint64_t spread = srm_rtt_known(r) ? 4 * r->variance_ns : 2 * RTT_GUESS;

	if (spread < RTT_GRANULE)
		spread = RTT_GRANULE;
	return srm_rtt_now(r) + spread + RTT_ACK_DELAY;
}

uint64_t srm_rtt_late(const struct rtt *r)
{
	uint64_t base = srm_rtt_now(r);

	if (r->latest_ns > base)
		base = r->latest_ns;
	base += base / 8;
	return base > RTT_GRANULE ? base : RTT_GRANULE;
}
