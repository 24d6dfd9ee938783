/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Channels between nodes in one process: what the memory transport stands on.
 *
 * A packet is copied into the receiver's pool when it is sent, so that each node
 * answers for its own buffers whoever closes first.  Everything that arrives does
 * so from a timer of the end it arrives at.
 */
#include "core/hubstate.h"

#include "core/mem.h"

#include <stdio.h>

enum { STAMP = sizeof(uint64_t) };

static uint64_t now_of(const struct muses_hub_end *e)
{
	return core_loop_now(e->hub->loop);
}

static bool chance(struct core_hub *hub, double probability)
{
	return probability > 0 && (double)core_rand_below(hub->rand, UINT64_C(1) << 32) <
	                                  probability * 4294967296.0;
}

static bool lossy(const struct core_hub_weather *w)
{
	return w->loss > 0 || w->reorder > 0 || w->duplicate > 0;
}

/* ---- ports ----------------------------------------------------------------- */

static struct muses_hub_port *find_port(const struct core_hub *hub, const char *address)
{
	struct muses_hub_port *port = hub->port[core_hub_bucket(address, "")];

	while (port != NULL && strcmp(port->address, address) != 0)
		port = port->next;
	return port;
}

int muses_hub_listen(struct muses_layer *l, const char *address,
                     struct muses_hub_port **port)
{
	struct core_hub *hub = l->env->hub;
	struct muses_hub_port **bucket, *p;

	if (hub == NULL)
		return muses_fail(
			l, MUSES_EUSAGE,
			"this transport works only inside tests and the simulator");
	if (find_port(hub, address) != NULL)
		return muses_fail(l, MUSES_ELIMIT, "cannot listen on %s: address in use",
		                  address);
	p = muses_zalloc(sizeof(*p));
	if (p == NULL)
		return MUSES_ENOMEM;
	p->address = core_strdup(address);
	if (p->address == NULL) {
		muses_free(p);
		return MUSES_ENOMEM;
	}
	p->hub = hub;
	p->layer = l;
	bucket = &hub->port[core_hub_bucket(address, "")];
	p->next = *bucket;
	p->link = bucket;
	if (p->next != NULL)
		p->next->link = &p->next;
	*bucket = p;
	*port = p;
	return 0;
}

void muses_hub_unlisten(struct muses_hub_port *port)
{
	if (port == NULL)
		return;
	*port->link = port->next;
	if (port->next != NULL)
		port->next->link = port->link;
	muses_free(port->address);
	muses_free(port);
}

/* ---- ends ------------------------------------------------------------------- */

static void arrival_timer(struct muses_timer *t);
static void drained_timer(struct muses_timer *t);

static struct muses_hub_end *end_new(struct core_hub *hub, struct muses_layer *l)
{
	struct muses_hub_end *e = muses_zalloc(sizeof(*e));

	if (e == NULL)
		return NULL;
	e->hub = hub;
	e->layer = l;
	e->down_ns = UINT64_MAX;
	muses_timer_init(l, &e->arrival, arrival_timer);
	muses_timer_init(l, &e->drained, drained_timer);
	e->next = hub->first;
	e->link = &hub->first;
	if (e->next != NULL)
		e->next->link = &e->next;
	hub->first = e;
	hub->counts.ends++;
	return e;
}

static void end_free(struct muses_hub_end *e)
{
	*e->link = e->next;
	if (e->next != NULL)
		e->next->link = e->link;
	muses_timer_stop(&e->arrival);
	muses_timer_stop(&e->drained);
	muses_queue_clear(&e->held);
	muses_queue_clear(&e->coming);
	e->hub->counts.ends--;
	muses_free(e);
}

static uint64_t stamp_of(const struct muses_buf *b)
{
	uint64_t at;

	memcpy(&at, b->data, STAMP);
	return at;
}

/* When the arrival timer of e must fire next. */
static void arm(struct muses_hub_end *e)
{
	uint64_t due = e->down_ns;

	if (e->coming.first != NULL && stamp_of(e->coming.first) < due)
		due = stamp_of(e->coming.first);
	if (due != UINT64_MAX)
		muses_timer_at(&e->arrival, due);
	else
		muses_timer_stop(&e->arrival);
}

void muses_hub_close(struct muses_hub_end *e)
{
	struct muses_hub_end *peer = e->peer;

	if (peer != NULL) {
		peer->peer = NULL;
		if (e->out != NULL && e->out->cut) {
			peer->orphan = true;
		} else {
			uint64_t at = now_of(e) + (e->out != NULL ? e->out->delay_ns : 0);

			peer->down_reason = "closed by the peer";
			peer->down_ns = at > e->last_ns ? at : e->last_ns;
			arm(peer);
		}
	}
	e->peer = NULL;
	e->closed = true;
	if (!e->busy)
		end_free(e);
}

void core_hub_end_break(struct muses_hub_end *e, const char *reason)
{
	if (e->peer != NULL)
		e->peer->peer = NULL;
	e->peer = NULL;
	e->down_reason = reason;
	e->down_ns = now_of(e);
	muses_queue_clear(&e->coming);
	muses_queue_clear(&e->held);
	arm(e);
}

static void name_peer(struct muses_hub_end *e, const char *name)
{
	snprintf(e->to, sizeof(e->to), "%s", name);
	e->out = core_hub_find(e->hub, e->layer->node_name, e->to);
	e->back = core_hub_find(e->hub, e->to, e->layer->node_name);
}

struct muses_hub_end *muses_hub_dial(struct muses_layer *l, struct muses_channel *channel,
                                     const char *address)
{
	struct core_hub *hub = l->env->hub;
	struct muses_hub_port *port;
	struct muses_hub_end *e = hub == NULL ? NULL : end_new(hub, l);

	if (e == NULL)
		return NULL;
	e->channel = channel;
	e->dialling = address;
	port = find_port(hub, address);
	if (port != NULL) {
		name_peer(e, port->layer->node_name);
	} else {
		e->out = e->back = &hub->weather;
	}
	/* What knocks during a cut is lost: TCP, too, would try again much later, and
	 * by then the dialler has lost patience. */
	if (!e->out->cut)
		muses_timer_after(&e->arrival, e->out->delay_ns);
	return e;
}

/* Half a round trip has passed since e dialled: knock at the port. */
static void knock(struct muses_hub_end *e)
{
	struct muses_hub_port *port = find_port(e->hub, e->dialling);
	struct muses_hub_end *other = NULL;

	if (port != NULL && !e->out->refuse)
		other = end_new(e->hub, port->layer);
	if (other != NULL) {
		other->channel = muses_channel_accept(port->layer, e->layer->node_name);
		if (other->channel == NULL) {
			end_free(other);
			other = NULL;
		}
	}
	if (other == NULL) {
		core_hub_end_break(e, "refused");
		e->down_ns += e->back->delay_ns;
		arm(e);
		return;
	}
	muses_channel_set_self(port->layer, other->channel, other);
	/* It may be another node than when we dialled. */
	name_peer(e, port->layer->node_name);
	name_peer(other, e->layer->node_name);
	other->peer = e;
	e->peer = other;
	e->answered = true;
	other->last_ns = now_of(e) + e->back->delay_ns;
	if (!e->back->cut)
		muses_timer_at(&e->arrival, other->last_ns);
}

/* ---- packets ------------------------------------------------------------------ */

/* Put a copy of size bytes on its way to e, there at due. */
static bool deliver_at(struct muses_hub_end *e, const void *data, size_t size,
                       uint64_t due)
{
	struct muses_buf *b = muses_buf_new(e->layer, MUSES_HEADROOM, size);
	struct muses_buf *before = NULL;

	if (b == NULL) {
		e->hub->counts.no_buffer++;
		return false;
	}
	memcpy(muses_buf_append(b, size), data, size);
	memcpy(muses_buf_push(b, STAMP), &due, STAMP);
	if (e->coming.last == NULL || stamp_of(e->coming.last) <= due) {
		muses_queue_push(&e->coming, b);
	} else { /* It overtakes. */
		for (struct muses_buf *k = e->coming.first; stamp_of(k) <= due;
		     k = k->next)
			before = k;
		b->next = before != NULL ? before->next : e->coming.first;
		*(before != NULL ? &before->next : &e->coming.first) = b;
		e->coming.count++;
		e->coming.bytes += b->size;
	}
	if (e->dialling == NULL)
		arm(e);
	return true;
}

bool core_hub_end_inject(struct muses_hub_end *e, const void *data, size_t size)
{
	return deliver_at(e, data, size, now_of(e) + e->back->delay_ns);
}

static void transmit(struct muses_hub_end *e, struct muses_buf *b)
{
	const struct core_hub_weather *w = e->out;
	struct core_hub *hub = e->hub;
	uint64_t due;

	if (e->free_ns < now_of(e))
		e->free_ns = now_of(e);
	if (w->rate_bits > 0)
		e->free_ns += (uint64_t)b->size * 8 * MUSES_S / w->rate_bits;
	due = e->free_ns + w->delay_ns;
	if (w->jitter_ns > 0)
		due += core_rand_below(hub->rand, w->jitter_ns + 1);
	if (chance(hub, w->reorder)) {
		hub->counts.reordered++;
		due += w->delay_ns + 1 +
		       core_rand_below(hub->rand, w->delay_ns + MUSES_MS);
	} else {
		if (due < e->last_ns)
			due = e->last_ns;
		e->last_ns = due;
	}
	if (chance(hub, w->corrupt) && b->size > 0) {
		uint64_t bit = core_rand_below(hub->rand, (uint64_t)b->size * 8);

		hub->counts.corrupted++;
		b->data[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	if (chance(hub, w->loss)) {
		hub->counts.lost++;
	} else {
		(void)deliver_at(e->peer, b->data, b->size, due);
		if (chance(hub, w->duplicate)) {
			hub->counts.duplicated++;
			(void)deliver_at(e->peer, b->data, b->size, due);
		}
	}
	muses_buf_free(b);
}

static void watch_queue(struct muses_hub_end *e)
{
	size_t queued = muses_hub_queued(e);

	if (queued > e->peak)
		e->peak = queued;
	/* free_ns is ahead only where there is a rate; a held queue waits for
	 * core_hub_end_mended(). */
	if (e->free_ns > now_of(e) && !muses_timer_armed(&e->drained))
		muses_timer_after(&e->drained, (e->free_ns - now_of(e)) / 2 + 1);
}

void muses_hub_send(struct muses_hub_end *e, struct muses_buf *b)
{
	struct core_hub *hub = e->hub;

	if (e->peer == NULL && !e->orphan) {
		muses_buf_free(b);
		return;
	}
	hub->counts.packets++;
	hub->counts.bytes += b->size;
	if (hub->tap != NULL)
		hub->tap(hub->user, e->layer->node_name, e->to, b->data, b->size);
	if (e->peer == NULL || e->out->cut) {
		if (e->peer != NULL && !lossy(e->out)) {
			muses_queue_push(&e->held, b);
		} else {
			hub->counts.lost++;
			muses_buf_free(b);
		}
	} else {
		transmit(e, b);
	}
	watch_queue(e);
}

size_t muses_hub_queued(const struct muses_hub_end *e)
{
	uint64_t now = now_of(e);
	size_t queued = e->held.bytes;

	if (e->out != NULL && e->out->rate_bits > 0 && e->free_ns > now)
		/* Microseconds, so that an hour of a fast line does not overflow. */
		queued += (size_t)((e->free_ns - now) / 1000 * (e->out->rate_bits / 8) /
		                   1000000);
	return queued;
}

bool muses_hub_lossy(const struct muses_hub_end *e)
{
	return (e->out != NULL && lossy(e->out)) || (e->back != NULL && lossy(e->back));
}

static void drained_timer(struct muses_timer *t)
{
	struct muses_hub_end *e = muses_container(t, struct muses_hub_end, drained);

	if (muses_hub_queued(e) <= e->peak / 2) {
		e->peak = muses_hub_queued(e);
		watch_queue(e);
		muses_channel_writable(e->layer, e->channel);
		return;
	}
	watch_queue(e);
}

void core_hub_end_mended(struct muses_hub_end *e)
{
	struct muses_buf *b;

	if (!e->out->cut && e->peer != NULL && e->held.count > 0) {
		while ((b = muses_queue_pop(&e->held)) != NULL)
			transmit(e, b);
		muses_timer_after(&e->drained, 0);
	}
	/* The other side forgot us while nobody could hear; now it says so. */
	if (e->orphan && !e->back->cut && !e->out->cut) {
		e->orphan = false;
		e->down_reason = "closed by the peer";
		e->down_ns = now_of(e) + e->out->delay_ns + e->back->delay_ns;
		arm(e);
	}
}

/* The end is over: forget it, then tell. */
static void down(struct muses_hub_end *e)
{
	struct muses_layer *l = e->layer;
	struct muses_channel *channel = e->channel;
	const char *reason = e->down_reason;

	end_free(e);
	muses_channel_down(l, channel, reason);
}

static void arrival_timer(struct muses_timer *t)
{
	struct muses_hub_end *e = muses_container(t, struct muses_hub_end, arrival);
	uint64_t now = now_of(e);

	if (e->dialling != NULL && e->down_ns == UINT64_MAX) {
		if (!e->answered) {
			knock(e);
			return;
		}
		e->dialling = NULL;
		e->busy = true;
		muses_channel_up(e->layer, e->channel);
		e->busy = false;
		if (e->closed)
			end_free(e);
		else
			arm(e);
		return;
	}
	if (e->dialling != NULL) { /* Refused, or closed before we were up. */
		down(e);
		return;
	}
	e->busy = true;
	while (!e->closed && e->coming.first != NULL &&
	       stamp_of(e->coming.first) <= now) {
		struct muses_buf *b = muses_queue_pop(&e->coming);

		muses_buf_pull(b, STAMP);
		muses_channel_packet(e->layer, e->channel, b);
	}
	e->busy = false;
	if (e->closed)
		end_free(e);
	else if (e->down_ns <= now)
		down(e);
	else
		arm(e);
}
