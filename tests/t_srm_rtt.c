/* SPDX-License-Identifier: Apache-2.0 */
/* Round-trip times and the pacing made from them: tables, no clock. */
#include "tests/tap.h"

#include "plugins/reliability/srm/pace.h"
#include "plugins/reliability/srm/rtt.h"

#include <muses/plugin.h>

#define ARRAY_COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void samples_are_smoothed(void)
{
	static const struct {
		unsigned sample_ms, delay_ms;
		unsigned smooth_us, variance_us, least_ms;
		const char *why;
	} step[] = {
		{ 100, 20, 100000, 50000, 100, "the first is taken as it is" },
		{ 100, 0, 100000, 37500, 100, "no change: the spread shrinks" },
		{ 120, 20, 100000, 28125, 100, "the peer held it back" },
		{ 105, 20, 100625, 22343, 100,
		  "a delay that would go below the least is a lie" },
		{ 60, 0, 95546, 26914, 60, "a new least" },
		{ 160, 90, 100478, 30048, 60, "no peer may hold back that long" },
	};
	struct rtt r = { 0 };

	CU_ASSERT_FALSE(srm_rtt_known(&r));
	CU_ASSERT_EQUAL(srm_rtt_now(&r), RTT_GUESS);
	for (size_t i = 0; i < ARRAY_COUNT(step); i++) {
		srm_rtt_sample(&r, step[i].sample_ms * MUSES_MS,
		               step[i].delay_ms * MUSES_MS);
		TAP_NOTE_IF(r.smooth_ns / 1000 != step[i].smooth_us ||
		                    r.variance_ns / 1000 != step[i].variance_us,
		            "step %zu: %s: %u, %u", i, step[i].why,
		            (unsigned)(r.smooth_ns / 1000),
		            (unsigned)(r.variance_ns / 1000));
		CU_ASSERT_EQUAL(r.smooth_ns / 1000, step[i].smooth_us);
		CU_ASSERT_EQUAL(r.variance_ns / 1000, step[i].variance_us);
		CU_ASSERT_EQUAL(r.least_ns, step[i].least_ms * MUSES_MS);
	}
	CU_ASSERT_EQUAL(srm_rtt_pto(&r), r.smooth_ns + 4 * r.variance_ns + RTT_ACK_DELAY);
	CU_ASSERT_EQUAL(srm_rtt_late(&r), r.latest_ns + r.latest_ns / 8);
	srm_rtt_reset(&r);
	CU_ASSERT_FALSE(srm_rtt_known(&r));
}

static void odd_samples_do_no_harm(void)
{
	struct rtt r = { 0 };

	srm_rtt_sample(&r, 0, 0);
	CU_ASSERT_TRUE(srm_rtt_known(&r));
	CU_ASSERT(srm_rtt_pto(&r) >= RTT_GRANULE + RTT_ACK_DELAY);
	CU_ASSERT_EQUAL(srm_rtt_late(&r), RTT_GRANULE);
	srm_rtt_sample(&r, UINT64_MAX, UINT64_MAX);
	CU_ASSERT(r.smooth_ns < RTT_MOST);
	CU_ASSERT(srm_rtt_pto(&r) < 10 * RTT_MOST);
	CU_ASSERT_EQUAL(r.least_ns, 1);
}

static void pacing_neither_starves_nor_bursts(void)
{
	/* 1 MB window, 100 ms, 125 %: 12.5 MB/s. */
	struct pace_rate rate = srm_pace_rate(1000000, 100 * MUSES_MS, 1200, 125);
	struct pace p = { 0 };
	uint64_t now = MUSES_S, sent = 0, most = 0;

	CU_ASSERT(rate.bytes_per_s >= 12500000 && rate.bytes_per_s <= 12500001);
	CU_ASSERT_EQUAL(rate.burst, 25000);
	for (uint64_t end = now + MUSES_S; now < end; now += 777) {
		uint64_t burst = 0;

		while (srm_pace_room(&p, &rate, now) >= 1200) {
			srm_pace_sent(&p, 1200);
			sent += 1200;
			burst += 1200;
		}
		most = burst > most ? burst : most;
	}
	CU_ASSERT(most <= rate.burst);
	CU_ASSERT(sent >= 12450000 && sent <= 12550000);

	srm_pace_sent(&p, 60000);
	CU_ASSERT_EQUAL(srm_pace_room(&p, &rate, now), 0);
	now = srm_pace_due(&p, &rate);
	CU_ASSERT(srm_pace_room(&p, &rate, now) >= rate.burst / 2);
	CU_ASSERT_EQUAL(srm_pace_room(&p, &rate, now + MUSES_S), rate.burst);
}

static const struct tap_test tests[] = {
	{ "round trips are smoothed, and the peer's delay is believed within reason",
	  samples_are_smoothed },
	{ "samples of nothing and of for ever do no harm", odd_samples_do_no_harm },
	{ "pacing lets its rate through and no more than a burst at once",
	  pacing_neither_starves_nor_bursts },
	TAP_END
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, "srm_rtt", tests);
}
