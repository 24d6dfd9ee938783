/* SPDX-License-Identifier: Apache-2.0 */
/* What is in flight, and how its fate is found: histories by table and by dice. */
#include "tests/tap.h"

#include "core/mem.h"
#include "core/ranges.h"
#include "plugins/reliability/srm/loss.h"

#include <muses/plugin.h>

#include <string.h>

#define NUMBERS 4096

/* The core's side: what it was told of each number. */
struct muses_flow {
	uint8_t told[NUMBERS]; /* 0, 'd' or 'l'. */
	unsigned twice;
	unsigned delivered, lost;
};

static void tell(struct muses_flow *flow, uint64_t seq, uint8_t fate)
{
	flow->twice += flow->told[seq] != 0;
	flow->told[seq] = fate;
}

void muses_flow_delivered(struct muses_flow *flow, uint64_t seq)
{
	tell(flow, seq, 'd');
	flow->delivered++;
}

void muses_flow_lost(struct muses_flow *flow, uint64_t seq)
{
	tell(flow, seq, 'l');
	flow->lost++;
}

struct world {
	struct sent sent;
	struct loss loss;
	struct rtt rtt;
	struct muses_flow flow;
	struct loss_news news;
	uint64_t now;
};

static void begin(struct world *w)
{
	memset(w, 0, sizeof(*w));
	srm_loss_init(&w->loss);
	w->now = MUSES_S;
	srm_rtt_sample(&w->rtt, 80 * MUSES_MS, 0); /* 90 ms are late. */
}

static void send(struct world *w, uint64_t first, uint64_t last)
{
	for (; first <= last; first++)
		CU_ASSERT_EQUAL(srm_sent_push(&w->sent, first, 100, w->now), 0);
}

static void acked(struct world *w, bool lossy, const struct muses_ack_range *range,
                  size_t count)
{
	struct muses_ack ack = { .count = count, .range = range };

	w->loss.lossy = lossy;
	srm_loss_acked(&w->loss, &w->sent, &w->rtt, w->now, &ack, &w->flow, &w->news);
}

/* "0-4,7" of "..d" is what was told of the first numbers. */
static bool told(const struct world *w, const char *fates)
{
	for (size_t i = 0; fates[i] != '\0'; i++) {
		if (w->flow.told[i] != (fates[i] == '.' ? 0 : (uint8_t)fates[i]))
			return false;
	}
	return true;
}

static void where_order_holds_a_gap_is_a_loss(void)
{
	static const struct muses_ack_range with_gaps[] = { { 8, 8 },
		                                            { 5, 6 },
		                                            { 0, 2 } };
	static const struct muses_ack_range late[] = { { 3, 9 }, { 0, 2 } };
	struct world w;

	begin(&w);
	send(&w, 0, 9);
	acked(&w, false, with_gaps, 3);
	CU_ASSERT_TRUE(told(&w, "dddllddld."));
	CU_ASSERT_EQUAL(w.sent.bytes, 100);
	CU_ASSERT_EQUAL(w.loss.due_ns, UINT64_MAX);
	acked(&w, false, late, 2); /* What was lost came after all: it stays told. */
	CU_ASSERT_TRUE(told(&w, "dddllddldd"));
	CU_ASSERT_EQUAL(w.flow.twice, 0);
	CU_ASSERT_EQUAL(w.sent.bytes, 0);
	CU_ASSERT_EQUAL(w.sent.count, 0);
	srm_sent_clear(&w.sent);
}

static void where_packets_overtake_three_or_time_decide(void)
{
	static const struct muses_ack_range third[] = { { 3, 3 } };
	static const struct muses_ack_range fourth[] = { { 3, 4 } };
	struct world w;

	begin(&w);
	send(&w, 0, 4);
	w.now += 80 * MUSES_MS;
	acked(&w, true, third, 1);
	CU_ASSERT_TRUE(told(&w, "l..d."));
	CU_ASSERT_EQUAL(w.loss.due_ns, MUSES_S + 90 * MUSES_MS);
	acked(&w, true, fourth, 1);
	CU_ASSERT_TRUE(told(&w, "ll.dd"));
	w.now = w.loss.due_ns - 1;
	srm_loss_look(&w.loss, &w.sent, &w.rtt, w.now, &w.flow, &w.news);
	CU_ASSERT_TRUE(told(&w, "ll.dd"));
	w.now++;
	srm_loss_look(&w.loss, &w.sent, &w.rtt, w.now, &w.flow, &w.news);
	CU_ASSERT_TRUE(told(&w, "llldd"));
	CU_ASSERT_EQUAL(w.loss.due_ns, UINT64_MAX);
	CU_ASSERT_EQUAL(w.news.lost_bytes, 100);
	srm_sent_clear(&w.sent);
}

static void shuffled_packets_teach_patience(void)
{
	static const struct muses_ack_range ahead[] = { { 4, 9 } };
	static const struct muses_ack_range all[] = { { 0, 9 } };
	static const struct muses_ack_range further[] = { { 15, 15 }, { 0, 9 } };
	struct world w;

	begin(&w);
	send(&w, 0, 9);
	acked(&w, true, ahead, 1);
	CU_ASSERT_EQUAL(w.loss.lost, 4);
	acked(&w, true, all, 1);
	CU_ASSERT_EQUAL(w.loss.spurious, 4);
	CU_ASSERT_EQUAL(w.loss.packets, 2 * LOSS_PACKETS);
	acked(&w, true, all, 1); /* Counted once. */
	CU_ASSERT_EQUAL(w.loss.spurious, 4);
	send(&w, 10, 15);
	acked(&w, true, further, 2);
	CU_ASSERT_EQUAL(w.loss.lost, 4);
	srm_sent_clear(&w.sent);
}

static void a_long_run_of_losses_is_measured(void)
{
	static const struct muses_ack_range first[] = { { 0, 0 } };
	static const struct muses_ack_range last[] = { { 9, 9 }, { 4, 4 }, { 0, 0 } };
	struct world w;

	begin(&w);
	for (uint64_t seq = 0; seq < 10; seq++) {
		send(&w, seq, seq);
		w.now += MUSES_S;
	}
	acked(&w, true, first, 1);
	CU_ASSERT_EQUAL(w.news.run_ns, 0);
	acked(&w, true, last, 3);
	CU_ASSERT_EQUAL(w.news.run_ns, 3 * MUSES_S); /* 5 to 8; 4 came between. */
	CU_ASSERT_EQUAL(w.flow.lost, 7);
	srm_sent_clear(&w.sent);
}

static void the_ring_grows_and_shrinks(void)
{
	static const struct muses_ack_range most[] = { { 0, 2997 } };
	struct world w;
	uint64_t before;

	begin(&w);
	send(&w, 0, 2999);
	CU_ASSERT_EQUAL(w.sent.capacity, 4096);
	CU_ASSERT_EQUAL(w.sent.bytes, 300000);
	acked(&w, false, most, 1);
	CU_ASSERT_EQUAL(w.flow.delivered, 2998);
	CU_ASSERT_TRUE(srm_sent_large(&w.sent));
	srm_sent_shrink(&w.sent);
	CU_ASSERT_EQUAL(w.sent.capacity, SENT_LEAST);
	CU_ASSERT_EQUAL(srm_sent_at(&w.sent, 0)->seq, 2998);
	CU_ASSERT_EQUAL(srm_sent_find(&w.sent, 2999), 1);
	CU_ASSERT_EQUAL(srm_sent_find(&w.sent, 5000), 2);

	before = core_mem_total();
	for (uint64_t seq = 3000; seq < 4000; seq++) { /* In the steady state ... */
		struct muses_ack_range range = { 0, seq };

		send(&w, seq, seq);
		acked(&w, false, &range, 1);
	}
	CU_ASSERT_EQUAL(core_mem_total(), before); /* ... nothing is allocated. */

	send(&w, 4000, 4007);
	core_mem_fuse(1);
	CU_ASSERT_EQUAL(srm_sent_push(&w.sent, 4008, 100, w.now), MUSES_ENOMEM);
	core_mem_fuse(0);
	CU_ASSERT_EQUAL(w.sent.count, 8);
	CU_ASSERT_EQUAL(w.sent.bytes, 800);
	srm_sent_clear(&w.sent);
	CU_ASSERT_EQUAL(w.sent.bytes, 0);
}

/* ---- by dice -------------------------------------------------------------- */

static uint64_t dice(uint64_t *state, uint64_t below)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state % below;
}

/* The peer has received some of what was sent; its word is what core_ranges
 * makes of it. */
static void say(struct world *w, const struct core_ranges *got, bool lossy)
{
	struct muses_ack_range range[MUSES_ACK_RANGES_MAX];

	for (size_t i = 0; i < got->count; i++) {
		struct core_range r = core_ranges_at(got, i);

		range[i].first = r.first;
		range[i].last = r.last;
	}
	if (got->count > 0)
		acked(w, lossy, range, got->count);
}

static void history(uint64_t seed)
{
	static struct world w;
	struct core_ranges got = { 0 };
	uint64_t state = seed * UINT64_C(0x9E3779B97F4A7C15) | 1, next = 0;
	bool counts[512] = { false }, came[512] = { false };
	unsigned expected = 0, told_in_all = 0, wrong = 0;

	begin(&w);
	while (next < 400) {
		w.now += dice(&state, 40 * MUSES_MS);
		switch (dice(&state, 5)) {
		case 0:
		case 1:
			for (uint64_t n = dice(&state, 30); n > 0; n--) {
				/* Not all need an answer; now and then a number is
				 * skipped. */
				counts[next] = dice(&state, 4) != 0;
				if (counts[next] && (++expected, true))
					send(&w, next, next);
				next += 1 + (dice(&state, 50) == 0);
			}
			break;
		case 2:
			for (uint64_t n = dice(&state, 20); n > 0 && next > 0; n--) {
				uint64_t seq =
					next - 1 - dice(&state, next < 60 ? next : 60);

				came[seq] = true;
				core_ranges_add(&got, seq, seq);
			}
			break;
		case 3:
			say(&w, &got, seed % 2 == 0);
			break;
		default:
			srm_loss_look(&w.loss, &w.sent, &w.rtt, w.now, &w.flow, &w.news);
			break;
		}
	}
	core_ranges_add(&got, next, next);
	came[next] = counts[next] = true;
	expected++;
	send(&w, next, next);
	w.now += 10 * MUSES_S;
	say(&w, &got, seed % 2 == 0);

	for (size_t i = 0; i <= next; i++) {
		wrong += w.flow.told[i] == 'd' && !came[i];
		wrong += w.flow.told[i] != 0 && !counts[i];
		told_in_all += w.flow.told[i] != 0;
	}
	TAP_NOTE_IF(w.flow.twice > 0 || told_in_all != expected, "seed %u: %u of %u told",
	            (unsigned)seed, told_in_all, expected);
	CU_ASSERT_EQUAL(w.flow.twice, 0);
	CU_ASSERT_EQUAL(wrong, 0);
	CU_ASSERT_EQUAL(told_in_all, expected);
	CU_ASSERT_EQUAL(w.sent.bytes + w.sent.count + w.sent.waiting, 0);
	srm_sent_clear(&w.sent);
	core_ranges_clear(&got);
}

static void ten_thousand_histories(void)
{
	for (uint64_t seed = 1; seed <= 10000; seed++)
		history(seed);
}

static const struct tap_test tests[] = {
	{ "where order holds a gap is a loss at once",
	  where_order_holds_a_gap_is_a_loss },
	{ "where packets overtake, three later ones or time decide",
	  where_packets_overtake_three_or_time_decide },
	{ "a path that shuffles packets teaches patience",
	  shuffled_packets_teach_patience },
	{ "a run of losses is measured from first to last",
	  a_long_run_of_losses_is_measured },
	{ "what is in flight costs no allocation in the steady state",
	  the_ring_grows_and_shrinks },
	{ "in ten thousand histories each number's fate is told exactly once",
	  ten_thousand_histories },
	TAP_END
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, "srm_loss", tests);
}
