/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SRM_RTT_H
#define SRM_RTT_H

#include <stdbool.h>
#include <stdint.h>

/*
 * How long an answer takes, after RFC 9002, section 5.
 *
 * A zeroed struct knows nothing yet and assumes RTT_GUESS.  All times are
 * nanoseconds; all are far below 2^60, so sums do not overflow.
 */
struct rtt {
	uint64_t smooth_ns;
	uint64_t variance_ns; /* Mean deviation. */
	uint64_t least_ns;
	uint64_t latest_ns; /* 0: no sample yet. */
};

#define RTT_GUESS     UINT64_C(333000000)
#define RTT_GRANULE   UINT64_C(1000000)     /* Clocks and schedulers are no finer. */
#define RTT_MOST      UINT64_C(60000000000) /* More than this is no round trip. */
#define RTT_ACK_DELAY UINT64_C(25000000)    /* The longest a peer may hold back an ACK:
                                             * the upper end of ack_delay_ms. */

/* A packet was acknowledged sample_ns after it was sent; the peer says that it
 * held the acknowledgement back for delay_ns.  Returns the sample without that
 * delay, as far as it is believed. */
uint64_t srm_rtt_sample(struct rtt *r, uint64_t sample_ns, uint64_t delay_ns);
/* The path is another one: know nothing. */
void srm_rtt_reset(struct rtt *r);

static inline bool srm_rtt_known(const struct rtt *r)
{
	return r->latest_ns != 0;
}
/* The best guess there is. */
static inline uint64_t srm_rtt_now(const struct rtt *r)
{
	return srm_rtt_known(r) ? r->smooth_ns : RTT_GUESS;
}
/* After so long without an answer something is worth asking. */
uint64_t srm_rtt_pto(const struct rtt *r);
/* A packet this much older than one that was acknowledged is lost, where packets
 * may overtake each other. */
uint64_t srm_rtt_late(const struct rtt *r);

#endif
