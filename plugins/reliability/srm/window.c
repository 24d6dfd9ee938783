/* SPDX-License-Identifier: Apache-2.0 */
/* Congestion control.  Newcomers: the window grows only while it is the window
 * that holds the sender back (full()); a sender that had nothing to say must not
 * be owed a burst. */
#include "window.h"

#include <string.h>

#define MS_NS        UINT64_C(1000000)
#define PACKET_SMALL 1200u /* Every path takes that much. */
#define UNITS        16    /* Growth steps a window has at least. */
#define QUIET_NS     UINT64_C(10000000000)

/* RFC 9438, 4.1: beta 0.7, C 0.4; RFC 8511: 0.85 for marks. */
#define KEEP_LOSS     70
#define KEEP_MARK     85
#define KEEP_OVERSHOT 50 /* In slow start: the window was right a round ago. */

/* RFC 9406, 4.3; samples are fewer, because acknowledgements are. */
#define ROUND_SAMPLES 3
#define ROUNDS_CSS    5
#define CSS_DIVISOR   4
#define THRESH_LEAST  (4 * MS_NS)
#define THRESH_MOST   (16 * MS_NS)

static uint64_t smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static void set(struct window *w, uint64_t bytes)
{
	w->bytes = smaller(larger(bytes, w->limits.least), w->limits.most);
}

void srm_window_init(struct window *w, const struct window_limits *limits)
{
	memset(w, 0, sizeof(*w));
	w->limits = *limits;
	w->packet = PACKET_SMALL;
	srm_window_restart(w);
}

static void begin_round(struct window *w, uint64_t now, uint64_t in_flight)
{
	w->round_ns = now;
	w->round_most = in_flight;
	w->before_ns = w->least_ns;
	w->least_ns = UINT64_MAX;
	w->samples = 0;
}

void srm_window_restart(struct window *w)
{
	set(w, w->limits.initial);
	w->threshold = UINT64_MAX;
	w->packet = PACKET_SMALL;
	w->recovery_ns = 0;
	w->epoch_ns = 0;
	w->summit = 0;
	w->cautious = 0;
	begin_round(w, 0, 0);
	w->before_ns = UINT64_MAX;
}

static uint64_t unit(const struct window *w)
{
	return smaller(w->packet, larger(PACKET_SMALL, w->bytes / UNITS));
}

/* Was the window what held the sender back?  In slow start half of it counts,
 * since it doubles before the sender can use what it got. */
static bool full(const struct window *w)
{
	if (srm_window_slow_start(w))
		return w->round_most >= w->bytes / 2;
	return w->round_most + w->packet >= w->bytes;
}

void srm_window_sent(struct window *w, uint64_t now, uint32_t size, uint64_t in_flight,
                     uint64_t quiet_ns)
{
	if (size > w->packet)
		w->packet = size;
	if (quiet_ns != 0) {
		/* Time without traffic teaches nothing: shift CUBIC's clock ... */
		if (w->epoch_ns != 0)
			w->epoch_ns = smaller(w->epoch_ns + quiet_ns, now);
		/* ... and after a long silence the path may be another. */
		if (quiet_ns > QUIET_NS && w->bytes > w->limits.initial) {
			w->threshold = larger(w->bytes - w->bytes / 4, w->limits.initial);
			set(w, w->limits.initial);
		}
		begin_round(w, now, 0);
	}
	if (in_flight > w->round_most)
		w->round_most = in_flight;
}

uint32_t srm_cube_root(uint64_t n)
{
	uint64_t root = 0;

	/* Three bits of n make one of the root: (2r + 1)^3 = 8r^3 + 12r^2 + 6r + 1. */
	for (int shift = 63; shift >= 0; shift -= 3) {
		uint64_t step;

		root *= 2;
		step = 3 * root * (root + 1) + 1;
		if ((n >> shift) >= step) {
			n -= step << shift;
			root++;
		}
	}
	return (uint32_t)root;
}

/* The summit is ahead: K = cbrt((W_max - cwnd) / C), here in milliseconds. */
static void begin_epoch(struct window *w, uint64_t now)
{
	uint64_t rise = w->summit > w->bytes ? w->summit - w->bytes : 0;
	double cube = (double)rise / (double)unit(w) * 2.5e9;

	w->epoch_ns = now;
	w->estimate = w->bytes;
	if (rise == 0)
		w->summit = w->bytes;
	w->climb_ms = srm_cube_root(cube < 1e18 ? (uint64_t)cube : UINT64_C(1) << 59);
}

/* Where CUBIC wants to be a round trip from now; within 1.5 times the window. */
static uint64_t target(const struct window *w, uint64_t now, uint64_t rtt_ns)
{
	double t_ms = (double)(now - w->epoch_ns + rtt_ns) / 1e6 - w->climb_ms;
	double bytes = (double)w->summit + 0.4e-9 * t_ms * t_ms * t_ms * (double)unit(w);
	uint64_t most = w->bytes + w->bytes / 2;

	if (bytes <= (double)w->bytes)
		return w->bytes;
	return bytes >= (double)most ? most : (uint64_t)bytes;
}

static void climb(struct window *w, uint64_t now, uint64_t size, uint64_t rtt_ns)
{
	uint64_t step = unit(w) * size / w->bytes; /* A unit per window. */
	uint64_t goal;

	if (w->epoch_ns == 0)
		begin_epoch(w, now);
	/* alpha = 3 (1 - beta) / (1 + beta) = 0.53 until the old summit, then 1 */
	w->estimate += w->estimate < w->summit ? step * 53 / 100 : step;
	goal = target(w, now, rtt_ns);
	if (w->estimate > goal)
		set(w, larger(w->bytes, w->estimate));
	else
		/* size may be many packets: never beyond the goal. */
		set(w, w->bytes + (goal - w->bytes) * smaller(size, w->bytes) / w->bytes);
}

/* HyStart++: a round trip that grows by an eighth means that a queue does. */
static void watch_delay(struct window *w, uint64_t sample_ns)
{
	uint64_t threshold;

	w->least_ns = smaller(w->least_ns, sample_ns);
	if (++w->samples < ROUND_SAMPLES || w->before_ns == UINT64_MAX)
		return;
	if (w->cautious > 0) {
		if (w->least_ns < w->baseline_ns)
			w->cautious = 0; /* It was nothing. */
		return;
	}
	threshold = smaller(larger(w->before_ns / 8, THRESH_LEAST), THRESH_MOST);
	if (w->least_ns >= w->before_ns + threshold) {
		w->cautious = ROUNDS_CSS;
		w->baseline_ns = w->least_ns;
	}
}

void srm_window_delivered(struct window *w, uint64_t now, const struct window_delivery *d)
{
	bool held_back = full(w);

	if (srm_window_slow_start(w) && d->sample_ns != 0)
		watch_delay(w, d->sample_ns);
	if (held_back && d->sent_ns > w->recovery_ns) {
		if (!srm_window_slow_start(w))
			climb(w, now, d->size, d->rtt_ns);
		else
			set(w, smaller(w->bytes + d->size / (w->cautious > 0 ? CSS_DIVISOR
			                                                     : 1),
			               larger(w->threshold, w->bytes)));
	}
	if (d->sent_ns < w->round_ns)
		return;
	if (srm_window_slow_start(w) && w->cautious > 0 && --w->cautious == 0)
		w->threshold = w->bytes;
	begin_round(w, now, d->in_flight);
}

void srm_window_congested(struct window *w, uint64_t now, uint64_t sent_ns,
                          enum window_sign sign)
{
	uint64_t keep = sign == WINDOW_MARK ? KEEP_MARK : KEEP_LOSS;
	/* What was not used proves nothing; but one mark must not cost a sender that
	 * was resting all it knows. */
	uint64_t used =
		larger(smaller(w->bytes, w->round_most + w->packet), w->bytes / 2);

	if (sent_ns <= w->recovery_ns)
		return;
	w->recovery_ns = now;
	if (srm_window_slow_start(w)) {
		/* The first mark may be for a burst, not for a queue that stays: hold the
		 * window for a round trip, go on with care, and see. */
		if (sign == WINDOW_MARK && w->cautious == 0) {
			w->cautious = ROUNDS_CSS;
			w->baseline_ns = 0;
			return;
		}
		keep = sign == WINDOW_MARK ? KEEP_LOSS : KEEP_OVERSHOT;
	}
	/* Fast convergence: below the last summit somebody else wants a share. */
	w->summit = used < w->summit ? used * (100 + keep) / 200 : used;
	set(w, used * keep / 100);
	w->threshold = w->bytes;
	w->epoch_ns = 0;
	w->cautious = 0;
}

void srm_window_collapsed(struct window *w)
{
	set(w, w->limits.least);
	w->epoch_ns = 0;
	w->recovery_ns = 0;
}

uint64_t srm_window_room(const struct window *w, uint64_t in_flight)
{
	uint64_t room = w->bytes > in_flight ? w->bytes - in_flight : 0;
	/* No crumbs: small packets cost as much as large ones.  But where the window
	 * is small, so are they, or one would block the path for all streams. */
	uint64_t worth = smaller(w->packet, larger(PACKET_SMALL, w->bytes / 4));

	if (room < worth)
		return 0;
	return room > w->packet ? room - room % w->packet : room;
}
