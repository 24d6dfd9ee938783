/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was in each packet that needs an acknowledgement, and what its fate means.
 * Packets that only acknowledge are not remembered: nobody acknowledges them.
 */
#include "core/session_int.h"

#define RING_LEAST 8u

struct core_sent_item *core_sent_item_new(struct core_sessions *table)
{
	struct core_sent_item *item = table->free_items;

	if (item == NULL)
		return muses_zalloc(sizeof(*item));
	table->free_items = item->next;
	*item = (struct core_sent_item){ 0 };
	return item;
}

void core_sent_items_free(struct core_sessions *table, struct core_sent_item *items)
{
	while (items != NULL) {
		struct core_sent_item *next = items->next;

		items->next = table->free_items;
		table->free_items = items;
		items = next;
	}
}

static struct core_sent_packet *at(const struct core_sent *sent, uint32_t i)
{
	return &sent->ring[(sent->first + i) & (sent->room - 1)];
}

bool core_sent_put(struct core_session *s, uint64_t sequence,
                   struct core_sent_item *items)
{
	struct core_sent *sent = &s->sent;

	if (sent->count == sent->room) {
		uint32_t room = sent->room > 0 ? 2 * sent->room : RING_LEAST;
		struct core_sent_packet *ring = muses_zalloc(room * sizeof(*ring));

		if (ring == NULL)
			return false;
		for (uint32_t i = 0; i < sent->count; i++)
			ring[i] = *at(sent, i);
		muses_free(sent->ring);
		sent->ring = ring;
		sent->room = room;
		sent->first = 0;
	}
	sent->count++;
	*at(sent, sent->count - 1) =
		(struct core_sent_packet){ .sequence = sequence, .items = items };
	return true;
}

/* Numbers grow along the ring. */
static struct core_sent_packet *find(const struct core_sent *sent, uint64_t sequence)
{
	uint32_t low = 0, high = sent->count;

	if (sent->count > 0 && at(sent, 0)->sequence == sequence)
		return at(sent, 0);
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (at(sent, middle)->sequence < sequence)
			low = middle + 1;
		else
			high = middle;
	}
	return low < sent->count && at(sent, low)->sequence == sequence ? at(sent, low)
	                                                                : NULL;
}

static struct core_sent_item *take(struct core_session *s, uint64_t sequence)
{
	struct core_sent *sent = &s->sent;
	struct core_sent_packet *p = find(sent, sequence);
	struct core_sent_item *items;

	if (p == NULL || p->done)
		return NULL;
	items = p->items;
	p->items = NULL;
	p->done = true;
	while (sent->count > 0 && at(sent, 0)->done) {
		sent->first = (sent->first + 1) & (sent->room - 1);
		sent->count--;
	}
	if (sent->count == 0 && sent->room > RING_LEAST) {
		muses_free(sent->ring);
		*sent = (struct core_sent){ 0 };
	}
	return items;
}

static void item_delivered(struct core_session *s, const struct core_sent_item *item)
{
	struct core_stream *st;

	switch (item->kind) {
	case CORE_SENT_POSITIONS:
	case CORE_SENT_WINDOWS:
	case CORE_SENT_LOCATOR:
	case CORE_SENT_KEYSTEP:
		return;
	case CORE_SENT_FINISHED:
		s->finished_out = false;
		return;
	default:
		break;
	}
	st = core_stream_find(s, item->stream);
	if (st == NULL)
		return;
	switch (item->kind) {
	case CORE_SENT_DATA:
		core_stream_acked(st, item->position, item->size, item->end);
		break;
	case CORE_SENT_OPEN:
		st->opened = true;
		st->due &= (uint8_t)~CORE_DUE_OPEN;
		break;
	case CORE_SENT_RESET:
		st->send.reset_acked = true;
		core_stream_settle(st);
		break;
	case CORE_SENT_POSITION:
		if (st->position_out) {
			st->position_out = false;
			s->positions_out--;
			if (s->positions_out == 0)
				core_session_wake(s);
			core_stream_settle(st);
		}
		break;
	default:
		break;
	}
}

static void item_lost(struct core_session *s, const struct core_sent_item *item)
{
	struct core_stream *st = NULL;

	switch (item->kind) {
	case CORE_SENT_POSITIONS:
		s->due |= CORE_DUE_POSITIONS;
		break;
	case CORE_SENT_WINDOWS:
		s->due |= CORE_DUE_WINDOWS;
		break;
	case CORE_SENT_FINISHED:
		if (s->finished_out)
			s->due |= CORE_DUE_FINISHED;
		break;
	case CORE_SENT_KEYSTEP:
		core_keystep_lost(s);
		break;
	case CORE_SENT_LOCATOR:
		s->due |= CORE_DUE_LOCATOR;
		break;
	default:
		st = core_stream_find(s, item->stream);
		break;
	}
	if (st != NULL) {
		switch (item->kind) {
		case CORE_SENT_DATA:
			if (!st->resetting)
				core_stream_lost(st, item->position, item->size,
				                 item->end);
			break;
		case CORE_SENT_OPEN:
			if (!st->opened)
				core_stream_due(st, CORE_DUE_OPEN);
			break;
		case CORE_SENT_RESET:
			core_stream_due(st, CORE_DUE_RESET);
			break;
		case CORE_SENT_WINDOW:
			core_stream_due(st, CORE_DUE_WINDOW);
			break;
		case CORE_SENT_POSITION:
			if (st->position_out)
				core_stream_due(st, CORE_DUE_POSITION);
			break;
		default:
			break;
		}
	}
	core_session_wake(s);
}

void muses_flow_delivered(struct muses_flow *flow, uint64_t seq)
{
	struct core_session *s = (struct core_session *)flow;
	struct core_sent_item *items = take(s, seq);

	for (struct core_sent_item *i = items; i != NULL; i = i->next)
		item_delivered(s, i);
	core_sent_items_free(s->table, items);
}

void core_sent_items_lost(struct core_session *s, struct core_sent_item *items)
{
	for (struct core_sent_item *i = items; i != NULL; i = i->next)
		item_lost(s, i);
	core_sent_items_free(s->table, items);
}

void muses_flow_lost(struct muses_flow *flow, uint64_t seq)
{
	struct core_session *s = (struct core_session *)flow;

	core_sent_items_lost(s, take(s, seq));
}

void core_sent_forget(struct core_session *s)
{
	for (uint32_t i = 0; i < s->sent.count; i++)
		core_sent_items_free(s->table, at(&s->sent, i)->items);
	muses_free(s->sent.ring);
	s->sent = (struct core_sent){ 0 };
}
