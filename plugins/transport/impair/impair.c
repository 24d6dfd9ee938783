/* SPDX-License-Identifier: Apache-2.0 */
/*
 * impair: makes weather on another transport: delay, loss, reordering, rate, cuts.
 * For tests, demonstrations and experiments.
 *
 * Each channel has two lanes, out and in, with the same weather (weather.c).  A
 * packet waits in its lane until it is due.
 */
#include "impair.h"

#include <stdio.h>

struct flow {
	struct muses_layer *layer;
	struct muses_channel *channel;
	const char *dialling; /* Until up. */
	struct lane out, in;
	struct muses_timer open;
	struct muses_timer drained;
	size_t peak;
	bool called; /* The inner transport has been told to dial. */
	bool inner_up;
	bool up;
	bool busy, closed;
	const char *down; /* The inner channel has gone, because of that. */
};

static const struct muses_option impair_options[] = {
	MUSES_INNER(impair_config, over, MUSES_OPTION_REQUIRED,
	            "The transport that really carries the packets, with its options."),
	MUSES_UINT32(impair_config, delay_ms, 0, 0, 600000, "ms",
	             "Time that a packet takes, each way."),
	MUSES_UINT32(impair_config, jitter_ms, 0, 0, 600000, "ms",
	             "Up to so much more, at random."),
	MUSES_REAL(impair_config, loss, 0, 0, 1, NULL, "Share of packets that are lost."),
	MUSES_REAL(impair_config, reorder, 0, 0, 1, NULL,
	           "Share of packets that are overtaken."),
	MUSES_REAL(impair_config, duplicate, 0, 0, 1, NULL,
	           "Share of packets that arrive twice."),
	MUSES_REAL(impair_config, corrupt, 0, 0, 1, NULL,
	           "Share of packets in which one bit is turned."),
	MUSES_UINT32(impair_config, rate_kbit, 0, 0, 100000000, "kbit/s",
	             "Most that passes, each way; 0: no limit."),
	MUSES_LIST(
		impair_config, cut, 0,
		"Times in which nothing passes, like 5000-8000: from 5 to 8 s after the "
		"start, in ms."),
	MUSES_OPTIONS_END,
};

/* ---- configuration ------------------------------------------------------------ */

static int impair_check(const void *config, char *why, size_t why_size)
{
	const struct impair_config *c = config;
	struct cut cut;

	for (size_t i = 0; i < c->cut.count; i++)
		if (!impair_parse_cut(c->cut.item[i], &cut)) {
			snprintf(why, why_size,
			         "cut[%zu]: \"%s\" is no span of time; want START-END in "
			         "ms, like "
			         "5000-8000",
			         i, c->cut.item[i]);
			return MUSES_ECONFIG;
		}
	return 0;
}

static bool impair_address(const char *text, char *why, size_t why_size)
{
	(void)text;
	snprintf(why, why_size, "belongs into the transport that impair is over");
	return false;
}

static bool impair_local(const void *config)
{
	(void)config; /* It has no addresses; the transport inside is asked, too. */
	return true;
}

static int impair_open(struct muses_layer *l, const void *config)
{
	const struct impair_config *c = config;
	struct impair *m = muses_zalloc(sizeof(*m) + c->cut.count * sizeof(m->cut[0]));

	if (m == NULL)
		return MUSES_ENOMEM;
	m->config = c;
	for (size_t i = 0; i < c->cut.count; i++)
		if (impair_parse_cut(c->cut.item[i], &m->cut[m->cut_count]))
			m->cut_count++;
	m->start_ns = muses_now(l);
	muses_set_self(l, m);
	return 0;
}

static int impair_start(struct muses_layer *l)
{
	struct impair *m = muses_self(l);

	m->start_ns = muses_now(l);
	return 0;
}

static void impair_close(struct muses_layer *l)
{
	muses_free(muses_self(l));
}

/* ---- channels -------------------------------------------------------------------- */

static void flow_free(struct flow *f)
{
	muses_timer_stop(&f->out.timer);
	muses_timer_stop(&f->in.timer);
	muses_timer_stop(&f->open);
	muses_timer_stop(&f->drained);
	muses_queue_clear(&f->out.waiting);
	muses_queue_clear(&f->in.waiting);
	muses_free(f);
}

/* Forget f, then tell. */
static void flow_down(struct flow *f, const char *reason)
{
	struct muses_layer *l = f->layer;
	struct muses_channel *channel = f->channel;

	muses_channel_set_self(l, channel, NULL);
	flow_free(f);
	muses_channel_down(l, channel, reason);
}

static void out_timer(struct muses_timer *t)
{
	struct flow *f = muses_container(t, struct flow, out.timer);
	struct muses_buf *b;

	while (f->down == NULL && (b = impair_due(&f->out)) != NULL)
		muses_inner_send(f->layer, f->channel, b);
	impair_arm(&f->out);
}

static void in_timer(struct muses_timer *t)
{
	struct flow *f = muses_container(t, struct flow, in.timer);
	struct muses_buf *b;

	if (!f->up)
		return; /* open_timer() arms it again. */
	f->busy = true;
	while (!f->closed && (b = impair_due(&f->in)) != NULL)
		muses_channel_packet(f->layer, f->channel, b);
	f->busy = false;
	if (f->closed)
		flow_free(f);
	else if (f->down != NULL && f->in.waiting.first == NULL)
		flow_down(f, f->down);
	else
		impair_arm(&f->in);
}

/* The next step of a channel that is being dialled: call, or tell that it is up. */
static void open_timer(struct muses_timer *t)
{
	struct flow *f = muses_container(t, struct flow, open);
	const struct impair *m = muses_self(f->layer);
	uint64_t end = impair_cut_end(m, muses_now(f->layer));

	if (end != 0) {
		muses_timer_at(t, end);
	} else if (!f->called) {
		f->called = true;
		if (muses_inner_dial(f->layer, f->channel, f->dialling) != 0)
			flow_down(f, "cannot dial");
	} else if (f->inner_up && !f->up) {
		f->up = true;
		impair_arm(&f->in);
		muses_channel_up(f->layer, f->channel);
	}
}

static void drained_timer(struct muses_timer *t);

static struct flow *flow_new(struct muses_layer *l, struct muses_channel *channel)
{
	struct flow *f = muses_zalloc(sizeof(*f));

	if (f == NULL)
		return NULL;
	f->layer = l;
	f->channel = channel;
	f->out.layer = f->in.layer = l;
	muses_timer_init(l, &f->out.timer, out_timer);
	muses_timer_init(l, &f->in.timer, in_timer);
	muses_timer_init(l, &f->open, open_timer);
	muses_timer_init(l, &f->drained, drained_timer);
	muses_channel_set_self(l, channel, f);
	return f;
}

static int impair_dial(struct muses_layer *l, struct muses_channel *channel,
                       const char *address)
{
	const struct impair *m = muses_self(l);
	struct flow *f = flow_new(l, channel);

	if (f == NULL)
		return MUSES_ENOMEM;
	f->dialling = address;
	/* Connecting takes a round trip: one way now, the other in inner_up(). */
	muses_timer_after(&f->open, m->config->delay_ms * MUSES_MS);
	return 0;
}

static void impair_inner_accept(struct muses_layer *l, struct muses_channel *channel)
{
	struct flow *f = flow_new(l, channel);

	if (f != NULL)
		f->called = f->inner_up = f->up = true;
	/* Without memory its packets pass by: see below. */
}

static void impair_inner_up(struct muses_layer *l, struct muses_channel *channel)
{
	const struct impair *m = muses_self(l);
	struct flow *f = muses_channel_self(l, channel);

	f->inner_up = true;
	muses_timer_after(&f->open, m->config->delay_ms * MUSES_MS);
}

static void impair_inner_packet(struct muses_layer *l, struct muses_channel *channel,
                                struct muses_buf *b)
{
	struct flow *f = muses_channel_self(l, channel);

	if (f != NULL)
		impair_enter(&f->in, b);
	else
		muses_channel_packet(l, channel, b);
}

static void impair_inner_down(struct muses_layer *l, struct muses_channel *channel,
                              const char *reason)
{
	struct flow *f = muses_channel_self(l, channel);

	if (f == NULL) {
		muses_channel_down(l, channel, reason);
		return;
	}
	f->down = reason;
	/* What had arrived before is still on its way. */
	if (!f->up || f->in.waiting.first == NULL)
		flow_down(f, reason);
}

static void impair_send(struct muses_layer *l, struct muses_channel *channel,
                        struct muses_buf *b)
{
	struct flow *f = muses_channel_self(l, channel);
	size_t queued;

	if (f == NULL) {
		muses_inner_send(l, channel, b);
		return;
	}
	if (f->down != NULL) {
		muses_buf_free(b);
		return;
	}
	impair_enter(&f->out, b);
	queued = f->out.waiting.bytes;
	if (queued > f->peak)
		f->peak = queued;
	if (f->out.free_ns > muses_now(l) && !muses_timer_armed(&f->drained))
		muses_timer_after(&f->drained,
		                  (f->out.free_ns - muses_now(l)) / 2 + MUSES_MS);
}

static size_t impair_queued(struct muses_layer *l, struct muses_channel *channel)
{
	const struct impair *m = muses_self(l);
	const struct flow *f = muses_channel_self(l, channel);
	uint64_t now = muses_now(l);
	size_t inner = f != NULL && (!f->called || f->down != NULL)
	                       ? 0
	                       : muses_inner_queued(l, channel);

	if (f == NULL || f->out.free_ns <= now)
		return inner;
	/* What is on its way is no queue; what the line has not yet taken is. */
	if (m->config->rate_kbit == 0 || impair_cut_end(m, now) != 0)
		return inner + f->out.waiting.bytes;
	return inner +
	       (size_t)((f->out.free_ns - now) / 1000 * m->config->rate_kbit / 8000);
}

static void drained_timer(struct muses_timer *t)
{
	struct flow *f = muses_container(t, struct flow, drained);
	uint64_t now = muses_now(f->layer);

	if (f->down != NULL)
		return;
	if (f->out.free_ns > now)
		muses_timer_after(t, (f->out.free_ns - now) / 2 + MUSES_MS);
	if (impair_queued(f->layer, f->channel) <= f->peak / 2) {
		f->peak = impair_queued(f->layer, f->channel);
		muses_channel_writable(f->layer, f->channel);
	}
}

static void impair_channel_close(struct muses_layer *l, struct muses_channel *channel)
{
	struct flow *f = muses_channel_self(l, channel);
	bool inner = f == NULL || (f->called && f->down == NULL);

	muses_channel_set_self(l, channel, NULL);
	if (f != NULL) {
		f->closed = true;
		f->down = "closed";
		if (!f->busy)
			flow_free(f);
	}
	if (inner)
		muses_inner_close(l, channel);
}

static bool impair_lossy(struct muses_layer *l, const struct muses_channel *channel)
{
	const struct impair *m = muses_self(l);

	(void)channel;
	return impair_loses(m->config);
}

static const struct muses_transport_ops impair_ops = {
	.mtu = MUSES_PACKET_MAX,
	.address = impair_address,
	.local = impair_local,
	.dial = impair_dial,
	.send = impair_send,
	.queued = impair_queued,
	.close = impair_channel_close,
	.inner_accept = impair_inner_accept,
	.inner_up = impair_inner_up,
	.inner_packet = impair_inner_packet,
	.inner_down = impair_inner_down,
	.channel_lossy = impair_lossy,
};

MUSES_PLUGIN(impair) = {
	MUSES_STAMP,
	.name = "impair",
	.summary = "makes weather on another transport: delay, loss, rate, cuts",
	.kind = MUSES_TRANSPORT,
	.options = impair_options,
	.config_size = sizeof(struct impair_config),
	MUSES_OPS(impair_ops),
	.check = impair_check,
	.open = impair_open,
	.start = impair_start,
	.close = impair_close,
};
