/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What happens to a packet in a lane.  As long as nothing may be lost, reordered or
 * doubled, a lane keeps order and a cut only delays, as over TCP.
 */
#include "impair.h"

static bool parse_number(const char **text, uint64_t *value)
{
	const char *start = *text;

	for (*value = 0; **text >= '0' && **text <= '9'; (*text)++) {
		if (*value > UINT64_C(1) << 40)
			return false;
		*value = *value * 10 + (uint64_t)(**text - '0');
	}
	return *text != start;
}

bool impair_parse_cut(const char *text, struct cut *cut)
{
	uint64_t start_ms, end_ms;

	if (!parse_number(&text, &start_ms) || *text++ != '-' ||
	    !parse_number(&text, &end_ms) || *text != '\0' || start_ms >= end_ms)
		return false;
	*cut = (struct cut){ start_ms * MUSES_MS, end_ms * MUSES_MS };
	return true;
}

bool impair_loses(const struct impair_config *c)
{
	return c->loss > 0 || c->reorder > 0 || c->duplicate > 0;
}

static bool chance(struct muses_layer *l, double share)
{
	return share > 0 &&
	       (double)muses_random_below(l, UINT64_C(1) << 32) < share * 4294967296.0;
}

uint64_t impair_cut_end(const struct impair *m, uint64_t at)
{
	for (size_t i = 0; i < m->cut_count; i++)
		if (at >= m->start_ns + m->cut[i].start_ns &&
		    at < m->start_ns + m->cut[i].end_ns)
			return m->start_ns + m->cut[i].end_ns;
	return 0;
}

static uint32_t stamp(uint64_t at_ns)
{
	return (uint32_t)(at_ns / 1000);
}

/* How long until the time in b's note; negative: it is past. */
static int32_t until_us(const struct muses_buf *b, uint64_t now)
{
	return (int32_t)(b->mark - stamp(now));
}

void impair_arm(struct lane *lane)
{
	uint64_t now = muses_now(lane->layer);
	int32_t wait_us;

	if (lane->waiting.first == NULL)
		return;
	wait_us = until_us(lane->waiting.first, now);

	muses_timer_at(&lane->timer, now + (wait_us > 0 ? (uint64_t)wait_us * 1000 : 0));
}

static void put(struct lane *lane, struct muses_buf *b, uint64_t due_ns)
{
	struct muses_queue *q = &lane->waiting;
	struct muses_buf **at = &q->first;
	uint64_t now = muses_now(lane->layer);

	b->mark = stamp(due_ns);
	if (q->last == NULL || until_us(q->last, now) <= until_us(b, now)) {
		muses_queue_push(q, b);
	} else {
		while (until_us(*at, now) <= until_us(b, now))
			at = &(*at)->next;
		b->next = *at;
		*at = b;
		q->count++;
		q->bytes += b->size;
	}
	impair_arm(lane);
}

void impair_enter(struct lane *lane, struct muses_buf *b)
{
	struct muses_layer *l = lane->layer;
	const struct impair *m = muses_self(l);
	const struct impair_config *c = m->config;
	uint64_t now = muses_now(l), end = impair_cut_end(m, now), due;

	if ((end != 0 && impair_loses(c)) || chance(l, c->loss)) {
		muses_count(l, end != 0 ? "lost in a cut" : "lost");
		muses_buf_free(b);
		return;
	}
	if (lane->free_ns < now)
		lane->free_ns = now;
	if (lane->free_ns < end)
		lane->free_ns = end;
	if (c->rate_kbit > 0)
		lane->free_ns += (uint64_t)b->size * 8 * MUSES_MS / c->rate_kbit;
	due = lane->free_ns + c->delay_ms * MUSES_MS;
	if (c->jitter_ms > 0)
		due += muses_random_below(l, c->jitter_ms * MUSES_MS + 1);
	if (chance(l, c->reorder)) {
		muses_count(l, "reordered");
		due += muses_random_below(l, (c->delay_ms + 1) * MUSES_MS) + MUSES_MS;
	} else {
		if (due < lane->last_ns)
			due = lane->last_ns;
		lane->last_ns = due;
	}
	if (chance(l, c->corrupt) && b->size > 0) {
		uint64_t bit = muses_random_below(l, (uint64_t)b->size * 8);

		muses_count(l, "corrupted");
		b->data[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	if (chance(l, c->duplicate)) {
		struct muses_buf *twin = muses_buf_copy(l, b, MUSES_HEADROOM);

		muses_count(l, "duplicated");
		if (twin != NULL)
			put(lane, twin, due);
	}
	put(lane, b, due);
}

struct muses_buf *impair_due(struct lane *lane)
{
	struct muses_buf *b = lane->waiting.first;

	if (b == NULL || until_us(b, muses_now(lane->layer)) > 0)
		return NULL;
	muses_queue_pop(&lane->waiting);
	b->mark = 0;
	return b;
}
