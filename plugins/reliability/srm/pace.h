/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SRM_PACE_H
#define SRM_PACE_H

#include <stdint.h>

/*
 * Spreads packets over the round trip where nothing below does: on lossy paths.
 * A bucket that fills at a little over window / round trip, and holds a few
 * packets or two milliseconds' worth.  A zeroed struct is an empty bucket.
 */
struct pace {
	int64_t credit;   /* Bytes; below 0 after a packet larger than the rest. */
	uint64_t time_ns; /* When it was filled last. */
};

struct pace_rate {
	uint64_t bytes_per_s;
	uint64_t burst; /* Bytes the bucket holds. */
};

/* For that window, round trip and packet size.  rtt_ns > 0. */
struct pace_rate srm_pace_rate(uint64_t window, uint64_t rtt_ns, uint32_t packet,
                               int percent);
/* Bytes that may go now. */
uint64_t srm_pace_room(struct pace *p, const struct pace_rate *rate, uint64_t now);
void srm_pace_sent(struct pace *p, uint32_t size);
/* When half a bucket may go: not sooner, so that packets share system calls. */
uint64_t srm_pace_due(const struct pace *p, const struct pace_rate *rate);

#endif
