/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A link at work: frames in and out, keep-alive, and what the overlay may ask
 * (muses_link_*).
 *
 * A link that is silent is asked, and is down if it does not answer; so is one
 * whose queue has not moved for as long.  The timer is not touched by packets: it
 * looks when it fires how long ago the last one came.
 */
#include "core/linkstate.h"
#include "core/mem.h"

#include <muses/wire.h>

enum {
	MOST_BAD_FRAMES = 16,
	TIGHT_SHARE = 64, /* Of all buffers, for a queue when they run short. */
};

static size_t queued(const struct muses_link *link)
{
	struct muses_layer *l = link->channel.outermost;

	return core_transport_ops(l)->queued(
		l, (struct muses_channel *)(uintptr_t)&link->channel);
}

/* The bound of a queue.  When the node's memory is short a long queue is the first
 * to give way: otherwise one neighbour that does not read would, in the end, keep us
 * from reading the others. */
static size_t queue_bound(const struct muses_link *link)
{
	const struct core_pool *pool = link->links->env->pool;
	size_t bound = link->links->config.queue_bytes;

	if (core_pool_tight(pool) && core_pool_bound(pool) / TIGHT_SHARE < bound)
		bound = core_pool_bound(pool) / TIGHT_SHARE;
	return bound;
}

static void send(struct muses_link *link, struct muses_buf *b)
{
	struct muses_layer *l = link->channel.outermost;

	link->sent_bytes += b->size;
	core_transport_ops(l)->send(l, &link->channel, b);
}

/* ---- out ---------------------------------------------------------------------- */

void core_link_say(struct muses_link *link, const uint8_t *frame, size_t size)
{
	struct muses_buf *b = core_buf_new(link->links->env->pool, MUSES_HEADROOM, size);

	if (b == NULL) {
		core_link_count(link, "no buffer for a link frame");
		return;
	}
	memcpy(muses_buf_append(b, size), frame, size);
	send(link, b);
}

static void guarded(struct muses_link *link, enum core_frame type, struct muses_buf *b)
{
	/* Four times the bound: the last resort against a neighbour that makes us
	 * answer and does not read. */
	if (muses_buf_push(b, CORE_GUARD_BYTES) == NULL ||
	    queued(link) > 4 * link->links->config.queue_bytes ||
	    core_guard_seal(&link->guard, type, b->data, b->size) != 0) {
		core_link_count(link, "control frame not sent");
		muses_buf_free(b);
		return;
	}
	send(link, b);
}

void core_link_guarded(struct muses_link *link, enum core_frame type, const uint8_t *body,
                       size_t size)
{
	struct muses_buf *b = core_buf_new(link->links->env->pool, MUSES_HEADROOM, size);

	if (b == NULL) {
		core_link_count(link, "no buffer for a link frame");
		return;
	}
	if (size > 0)
		memcpy(muses_buf_append(b, size), body, size);
	guarded(link, type, b);
}

void muses_link_control(struct muses_link *link, struct muses_buf *b)
{
	if (link->state == CORE_LINK_PROVEN)
		guarded(link, CORE_FRAME_CONTROL, b);
	else
		muses_buf_free(b);
}

void muses_link_send(struct muses_link *link, struct muses_buf *b)
{
	size_t waiting, bound;
	uint8_t *type;

	if (link->state != CORE_LINK_PROVEN) {
		muses_buf_free(b);
		return;
	}
	waiting = queued(link);
	bound = queue_bound(link);
	if (waiting >= bound)
		link->full = true;
	if (waiting > 2 * bound) {
		core_link_count(link, "dropped: queue full");
		muses_buf_free(b);
		return;
	}
	if (b->size > link->mtu || (type = muses_buf_push(b, 1)) == NULL) {
		core_link_count(link, "dropped: too big for the link");
		muses_buf_free(b);
		return;
	}
	*type = CORE_FRAME_DATA;
	send(link, b);
}

/* ---- what the overlay asks ------------------------------------------------------ */

const struct muses_id *muses_link_peer(const struct muses_link *link)
{
	return &link->peer;
}

bool muses_link_full(const struct muses_link *link)
{
	if (!link->full && queued(link) >= queue_bound(link))
		/* The asker relies on link_writable() now. */
		((struct muses_link *)(uintptr_t)link)->full = true;
	return link->full;
}

bool muses_link_congested(const struct muses_link *link)
{
	return queued(link) >= queue_bound(link) / 4;
}

uint32_t muses_link_mtu(const struct muses_link *link)
{
	return link->mtu;
}

bool muses_link_lossy(const struct muses_link *link)
{
	return link->lossy;
}

void *muses_link_note(const struct muses_link *link)
{
	return link->note;
}

void muses_link_set_note(struct muses_link *link, void *note)
{
	link->note = note;
}

void core_link_drained(struct muses_link *link)
{
	struct core_links *links = link->links;

	if (link->state != CORE_LINK_PROVEN || !link->full ||
	    queued(link) >= queue_bound(link))
		return;
	link->full = false;
	if (!link->spare)
		core_overlay_ops(links->pipeline)
			->link_writable(links->pipeline->overlay, link);
}

/* ---- in --------------------------------------------------------------------------- */

static void bad_frame(struct muses_link *link, const char *reason)
{
	if (++link->bad >= MOST_BAD_FRAMES)
		core_link_close(link, "too many bad frames", -1);
	else
		core_link_count(link, reason);
}

static void bye(struct muses_link *link, struct muses_buf *b)
{
	uint8_t reason = b->size > CORE_GUARD_BYTES ? b->data[CORE_GUARD_BYTES] : 0;

	core_link_close(link,
	                reason == CORE_BYE_REPLACED ? "the peer has a better link"
	                                            : "the peer said goodbye",
	                -1);
}

/* A frame under the MAC; takes b over. */
static void guarded_frame(struct muses_link *link, struct muses_buf *b)
{
	struct core_pipeline *p = link->links->pipeline;
	struct muses_link *used;
	const char *why;

	if (link->state != CORE_LINK_PROVEN)
		why = "control frame before proof";
	else
		why = core_guard_open(&link->guard, b->data, b->size);
	if (why != NULL) {
		if (link->lossy)
			core_link_count(link, why);
		else
			bad_frame(link, why);
		muses_buf_free(b);
		return;
	}
	switch (b->data[0]) {
	case CORE_FRAME_PING:
		core_link_guarded(link, CORE_FRAME_PONG, NULL, 0);
		break;
	case CORE_FRAME_BYE:
		bye(link, b);
		break;
	case CORE_FRAME_CONTROL:
		used = muses_idmap_get(&link->links->in_use, &link->peer);
		muses_buf_pull(b, CORE_GUARD_BYTES);
		if (used != NULL) {
			core_overlay_ops(p)->control(p->overlay, used, b);
			return;
		}
		break;
	default: /* PONG: that it came is all it says. */
		break;
	}
	muses_buf_free(b);
}

static void data_frame(struct muses_link *link, struct muses_buf *b)
{
	struct core_pipeline *p = link->links->pipeline;
	/* What comes over a spare link came from the same neighbour; the overlay
	 * knows one link with it. */
	struct muses_link *used =
		link->spare ? muses_idmap_get(&link->links->in_use, &link->peer) : link;

	if (link->state != CORE_LINK_PROVEN || used == NULL) {
		if (link->lossy) /* Our proof may be the one that was lost. */
			core_link_count(link, "data before proof");
		else
			bad_frame(link, "data before proof");
		muses_buf_free(b);
		return;
	}
	muses_buf_pull(b, 1);
	core_overlay_ops(p)->packet(p->overlay, used, b);
}

void core_link_frame(struct muses_link *link, struct muses_buf *b)
{
	if (link->state == CORE_LINK_CLOSED) {
		muses_buf_free(b);
		return;
	}
	link->heard_ns = core_links_now(link->links);
	link->asked = false;
	link->received_bytes += b->size;
	switch (b->size > 0 ? b->data[0] : 0) {
	case CORE_FRAME_DATA:
		data_frame(link, b);
		return;
	case CORE_FRAME_PING:
	case CORE_FRAME_PONG:
	case CORE_FRAME_CONTROL:
	case CORE_FRAME_BYE:
		guarded_frame(link, b);
		return;
	case CORE_FRAME_HELLO:
		core_link_hello(link, b->data, b->size);
		break;
	case CORE_FRAME_PROOF:
		core_link_proof(link, b->data, b->size);
		break;
	default:
		bad_frame(link, "unknown frame type");
		break;
	}
	muses_buf_free(b);
}

/* ---- keep-alive ------------------------------------------------------------------- */

void core_link_live(struct muses_link *link)
{
	uint64_t now = core_links_now(link->links);

	link->heard_ns = now;
	muses_timer_at(&link->timer, now + link->links->config.keepalive_ms * MUSES_MS);
}

void core_link_ask(struct muses_link *link, uint64_t dead_ns)
{
	uint64_t now = core_links_now(link->links);

	if (link->asked && link->asked_ns + link->dead_ns <= now + dead_ns)
		return;
	if (!link->asked)
		core_link_guarded(link, CORE_FRAME_PING, NULL, 0);
	link->asked = true;
	link->asked_ns = now;
	link->dead_ns = dead_ns;
	muses_timer_at(&link->timer, now + dead_ns);
}

/* Has the transport written nothing for so long, with something to write? */
static bool stuck(struct muses_link *link, uint64_t now)
{
	size_t waiting = queued(link);
	/* Modulo: frames and lengths of the transport's own may be in waiting. */
	uint64_t written = link->sent_bytes - waiting;

	if (waiting == 0 || written != link->written_bytes) {
		link->written_bytes = written;
		link->stuck_ns = 0;
		return false;
	}
	if (link->stuck_ns == 0)
		link->stuck_ns = now;
	return now - link->stuck_ns >= link->links->config.dead_ms * MUSES_MS;
}

static uint64_t next_look(const struct muses_link *link, uint64_t now)
{
	const struct core_links_config *c = &link->links->config;
	uint64_t due = link->asked ? link->asked_ns + link->dead_ns
	                           : link->heard_ns + c->keepalive_ms * MUSES_MS;

	if (queued(link) > 0 && due > now + c->dead_ms * MUSES_MS)
		due = now + c->dead_ms * MUSES_MS;
	return due;
}

static void live_timer(struct muses_link *link)
{
	struct core_links *links = link->links;
	uint64_t now = core_links_now(links);
	uint64_t keepalive_ns = links->config.keepalive_ms * MUSES_MS;

	if (link->spare &&
	    now - link->proven_ns >= 2 * links->config.hello_ms * MUSES_MS) {
		core_link_close(link, "nobody wants the spare link", -1);
		return;
	}
	if (stuck(link, now)) {
		core_link_close(link, "the queue does not move", -1);
		return;
	}
	if (link->greeting != NULL &&
	    now - link->proven_ns >= links->config.hello_ms * MUSES_MS) {
		core_greeting_free(link->greeting);
		link->greeting = NULL;
	}
	if (link->asked && now - link->asked_ns >= link->dead_ns) {
		core_link_close(link, "no answer", -1);
		return;
	}
	if (!link->asked && now - link->heard_ns >= keepalive_ns)
		core_link_ask(link, links->config.dead_ms * MUSES_MS);
	else
		muses_timer_at(&link->timer, next_look(link, now));
}

void core_link_timer(struct muses_timer *t)
{
	struct muses_link *link = muses_container(t, struct muses_link, timer);

	if (link->state == CORE_LINK_PROVEN)
		live_timer(link);
	else
		core_link_greeting_timer(link);
}
