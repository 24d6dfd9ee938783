/* SPDX-License-Identifier: Apache-2.0 */
/* From acknowledged ranges to delivered and lost packets.
 *
 * Why this costs little: after each look the oldest packet not settled is above
 * all that is lost, so a range that begins at 0 is walked from there only.  On a
 * lossy path at most LOSS_PACKETS_MOST numbers below the highest are walked twice. */
#include "loss.h"

#include <string.h>

void srm_loss_init(struct loss *l)
{
	memset(l, 0, sizeof(*l));
	srm_loss_clear(l);
}

void srm_loss_clear(struct loss *l)
{
	l->highest = 0;
	l->any = false;
	l->lossy = false;
	l->packets = LOSS_PACKETS;
	l->due_ns = UINT64_MAX;
	l->run_ns = 0;
	memset(l->told, 0, sizeof(l->told));
	l->told_next = 0;
}

static void remember(struct loss *l, uint64_t seq)
{
	struct muses_ack_range *run = &l->told[l->told_next];

	/* Runs are kept as first and one past the last: {0, 0} is an empty one. */
	if (run->last != run->first && run->last == seq) {
		run->last++;
		return;
	}
	l->told_next = (l->told_next + 1) % (sizeof(l->told) / sizeof(l->told[0]));
	run = &l->told[l->told_next];
	run->first = seq;
	run->last = seq + 1;
}

/* Did the peer get some of what we called lost?  A run is looked at until it
 * shows up once: good enough to see that the path is not what we thought. */
static void count_spurious(struct loss *l, const struct muses_ack *ack)
{
	for (size_t i = 0; i < sizeof(l->told) / sizeof(l->told[0]); i++) {
		struct muses_ack_range *run = &l->told[i];
		uint64_t seen = 0;

		if (run->first == run->last)
			continue;
		for (size_t j = 0; j < ack->count; j++) {
			uint64_t first = ack->range[j].first,
				 end = ack->range[j].last + 1;

			first = first > run->first ? first : run->first;
			end = end < run->last ? end : run->last;
			if (first < end)
				seen += end - first;
		}
		if (seen == 0)
			continue;
		run->first = run->last = 0;
		l->spurious += seen;
		/* Waiting for time alone would be slow, but is right in the end. */
		if (l->packets < LOSS_PACKETS_MOST)
			l->packets *= 2;
	}
}

static bool is_lost(const struct loss *l, const struct sent_record *record,
                    uint64_t late_ns, uint64_t now)
{
	if (!l->lossy)
		return true;
	return l->highest - record->seq >= l->packets || now >= record->time_ns + late_ns;
}

/* Settle what is lost at the front, and let go of it. */
static void find_lost(struct loss *l, struct sent *sent, const struct rtt *rtt,
                      uint64_t now, struct muses_flow *flow, struct loss_news *news)
{
	uint64_t late_ns = srm_rtt_late(rtt);

	l->due_ns = UINT64_MAX;
	while (l->any && sent->count > 0) {
		struct sent_record *record = srm_sent_at(sent, 0);
		uint64_t seq = record->seq;

		if (record->settled) {
			l->run_ns = 0;
			srm_sent_trim(sent);
			continue;
		}
		if (seq > l->highest)
			break;
		if (!is_lost(l, record, late_ns, now)) {
			l->due_ns = record->time_ns + late_ns;
			break;
		}
		if (l->run_ns == 0)
			l->run_ns = record->time_ns;
		news->lost_ns = record->time_ns;
		news->lost_bytes += record->size;
		if (record->time_ns - l->run_ns > news->run_ns)
			news->run_ns = record->time_ns - l->run_ns;
		l->lost++;
		if (l->lossy)
			remember(l, seq);
		srm_sent_settle(sent, 0);
		/* Only this one: those behind may be delivered ones, which end the run.
		 */
		srm_sent_pop(sent);
		muses_flow_lost(flow, seq);
	}
}

static void deliver(struct sent *sent, const struct muses_ack_range *range,
                    struct muses_flow *flow, struct loss_news *news)
{
	uint32_t index = srm_sent_find(sent, range->first);

	for (; index < sent->count; index++) {
		struct sent_record *record = srm_sent_at(sent, index);
		uint64_t seq = record->seq;

		if (seq > range->last)
			break;
		if (record->settled)
			continue;
		news->delivered_bytes += record->size;
		if (record->time_ns > news->delivered_ns)
			news->delivered_ns = record->time_ns;
		srm_sent_settle(sent, index);
		muses_flow_delivered(flow, seq);
	}
}

void srm_loss_acked(struct loss *l, struct sent *sent, const struct rtt *rtt,
                    uint64_t now, const struct muses_ack *ack, struct muses_flow *flow,
                    struct loss_news *news)
{
	uint64_t highest = ack->range[0].last;

	memset(news, 0, sizeof(*news));
	if (l->told[l->told_next].last != 0)
		count_spurious(l, ack);
	if (!l->any || highest > l->highest)
		l->highest = highest;
	l->any = true;

	for (size_t i = 0; i < ack->count && sent->count > 0; i++) {
		if (ack->range[i].last < srm_sent_at(sent, 0)->seq)
			break; /* The rest is lower still. */
		deliver(sent, &ack->range[i], flow, news);
	}
	find_lost(l, sent, rtt, now, flow, news);
}

void srm_loss_look(struct loss *l, struct sent *sent, const struct rtt *rtt, uint64_t now,
                   struct muses_flow *flow, struct loss_news *news)
{
	memset(news, 0, sizeof(*news));
	find_lost(l, sent, rtt, now, flow, news);
}
