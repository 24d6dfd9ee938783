/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SRM_WINDOW_H
#define SRM_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

/*
 * The congestion window: how many bytes may be in flight.
 *
 * CUBIC (RFC 9438), in bytes; slow start left early when the round trip grows
 * (after HyStart++, RFC 9406); losses and marks shrink it at most once a round
 * trip, marks less (RFC 8511), because relays mark long before they drop.
 *
 * least <= bytes <= most.  The unit of growth is a packet, or an eighth of the
 * window where packets are that large: 60 KiB packets are fine on a fast path,
 * and on a slow one no reason to be forty times as bold.
 */
struct window_limits {
	uint64_t least, initial, most;
};

struct window {
	struct window_limits limits;
	uint64_t bytes;
	uint64_t threshold;   /* Slow start below it. */
	uint32_t packet;      /* Size of the largest packet sent. */
	/* Packets sent up to then do not shrink it again. */
	uint64_t recovery_ns;
	/* A round ends when something sent after its beginning is acknowledged. */
	uint64_t round_ns;
	uint64_t round_most;  /* Most bytes in flight during the round. */
	/* CUBIC's epoch: since the window shrank last; epoch_ns 0: none. */
	uint64_t epoch_ns;
	uint64_t summit;      /* W_max. */
	uint64_t estimate;    /* W_est: what Reno would have. */
	uint32_t climb_ms;    /* K: from here to the summit. */
	/* HyStart++ */
	uint32_t samples;     /* Round trips measured in this round. */
	uint32_t cautious;    /* Rounds of conservative slow start to go; 0: not in it. */
	uint64_t least_ns;    /* Least round trip of this round, ... */
	uint64_t before_ns;   /* ... of the one before, ... */
	uint64_t baseline_ns; /* ... and when caution began. */
};

enum window_sign { WINDOW_LOSS = 0, WINDOW_MARK };

void srm_window_init(struct window *w, const struct window_limits *limits);
/* Begin anew, perhaps on another path. */
void srm_window_restart(struct window *w);

/* ---- facts ---- */

/* A packet of size went out, after which in_flight are out.  quiet_ns: so long
 * nothing had been out before it; 0: something was. */
void srm_window_sent(struct window *w, uint64_t now, uint32_t size, uint64_t in_flight,
                     uint64_t quiet_ns);
/* size bytes arrived, the newest of them sent at sent_ns; in_flight are still
 * out.  rtt_ns: the smoothed round trip; sample_ns: a new one; 0: none. */
struct window_delivery {
	uint64_t size, sent_ns, in_flight, rtt_ns, sample_ns;
};
void srm_window_delivered(struct window *w, uint64_t now, const struct window_delivery *d);
/* A loss, or a mark, of a packet sent at sent_ns. */
void srm_window_congested(struct window *w, uint64_t now, uint64_t sent_ns,
                          enum window_sign sign);
/* Persistent congestion: nothing came through for a long time. */
void srm_window_collapsed(struct window *w);

/* ---- the question ---- */

/* Bytes that may go into new packets: 0, or enough for packets worth sending. */
uint64_t srm_window_room(const struct window *w, uint64_t in_flight);
static inline bool srm_window_slow_start(const struct window *w)
{
	return w->bytes < w->threshold;
}
/* Pure, for its test: the greatest r with r * r * r <= n. */
uint32_t srm_cube_root(uint64_t n);

#endif
