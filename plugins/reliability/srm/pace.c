/* SPDX-License-Identifier: Apache-2.0 */
#include "pace.h"

#define PACKETS 4
#define SPAN_MS 2

struct pace_rate srm_pace_rate(uint64_t window, uint64_t rtt_ns, uint32_t packet,
                               int percent)
{
	double rate = (double)window * percent / 100 * 1e9 / (double)rtt_ns;
	struct pace_rate r;

	r.bytes_per_s = rate > 1e12 ? UINT64_C(1000000000000) : (uint64_t)rate + 1;
	r.burst = r.bytes_per_s / 1000 * SPAN_MS;
	if (r.burst < (uint64_t)PACKETS * packet)
		r.burst = (uint64_t)PACKETS * packet;
	return r;
}

uint64_t srm_pace_room(struct pace *p, const struct pace_rate *rate, uint64_t now)
{
	uint64_t span = now > p->time_ns ? now - p->time_ns : 0;
	double gain = (double)span * (double)rate->bytes_per_s / 1e9;
	int64_t burst = (int64_t)rate->burst;

	/* Whole bytes only, and the rest of the time stays for the next look; else
	 * a bucket looked at often would never fill. */
	if (gain >= (double)(burst - p->credit)) {
		p->credit = burst;
		p->time_ns = now;
	} else if (gain >= 1) {
		p->credit += (int64_t)gain;
		p->time_ns += (uint64_t)((double)(int64_t)gain * 1e9 /
		                         (double)rate->bytes_per_s);
	}
	return p->credit > 0 ? (uint64_t)p->credit : 0;
}

void srm_pace_sent(struct pace *p, uint32_t size)
{
	p->credit -= size;
}

uint64_t srm_pace_due(const struct pace *p, const struct pace_rate *rate)
{
	int64_t missing = (int64_t)(rate->burst / 2) - p->credit;

	if (missing <= 0)
		return p->time_ns;
	return p->time_ns +
	       (uint64_t)((double)missing * 1e9 / (double)rate->bytes_per_s) + 1;
}
