/* SPDX-License-Identifier: Apache-2.0 */
/*
 * example: counts the packets that pass through another transport.  Small, but a
 * real plugin, to be copied: README beside this file says how.
 *
 *   "transport": [ { "plugin": "example", "log_s": 60,
 *                    "over": { "plugin": "tcp", "listen": ["127.0.0.1:7003"] } } ]
 *
 * It stands between the core's links above and the transport inside below:
 *
 *        the core's links
 *   example_send() |        ^ muses_channel_packet()
 *                  v        |
 *              example  (counts)
 *   muses_inner_send() |    ^ example_inner_packet()
 *                      v    |
 *        the transport inside ("over")
 */
#include <muses/transport.h>

#include <inttypes.h>

/* The options, as the core fills them in: nothing here is parsed by hand. */
struct example_config {
	struct muses_inner over;
	uint32_t log_s;
};

/* What `muses plugins example`, the error messages and the manual page tell comes
 * from these rows. */
static const struct muses_option example_options[] = {
	MUSES_INNER(example_config, over, MUSES_OPTION_REQUIRED,
	            "The transport whose packets are counted."),
	MUSES_UINT32(example_config, log_s, 0, 0, 86400, "s",
	             "Log the count that often, if it has changed; 0: never."),
	MUSES_OPTIONS_END,
};

/* The state of a layer.  No globals: two nodes in one process are two of these. */
struct example {
	const struct example_config *config;
	struct muses_timer timer;
	uint64_t passed; /* Both ways, on all channels. */
	uint64_t logged; /* What passed was, the last time. */
};

/* The state of one channel: the core keeps it for us. */
struct channel {
	uint64_t sent, received;
};

/* ---- a layer's life ----------------------------------------------------------- */

/* Here, and never for each packet, is the place for a line in the log. */
static void example_timer(struct muses_timer *t)
{
	struct example *e = muses_container(t, struct example, timer);

	muses_timer_after(t, e->config->log_s * MUSES_S);
	if (e->passed != e->logged)
		muses_log(t->layer, MUSES_INFO, "packets have passed: count=%" PRIu64,
		          e->passed);
	e->logged = e->passed;
}

static int example_open(struct muses_layer *l, const void *config)
{
	struct example *e = muses_zalloc(sizeof(*e));

	if (e == NULL)
		return MUSES_ENOMEM;
	e->config = config; /* Stays valid until close() has returned. */
	muses_timer_init(l, &e->timer, example_timer);
	muses_set_self(l, e);
	return 0;
}

/* Everything is open; what is below has started. */
static int example_start(struct muses_layer *l)
{
	struct example *e = muses_self(l);

	if (e->config->log_s > 0)
		muses_timer_after(&e->timer, e->config->log_s * MUSES_S);
	return 0;
}

static void example_stop(struct muses_layer *l)
{
	struct example *e = muses_self(l);

	muses_timer_stop(&e->timer);
}

static void example_close(struct muses_layer *l)
{
	muses_free(muses_self(l));
}

/* ---- channels ------------------------------------------------------------------- */

/* Without memory for the counts, the packets still pass. */
static void begin_counting(struct muses_layer *l, struct muses_channel *channel)
{
	struct channel *c = muses_zalloc(sizeof(*c));

	if (c == NULL)
		muses_count(l, "channel not counted");
	muses_channel_set_self(l, channel, c);
}

static void end_counting(struct muses_layer *l, struct muses_channel *channel)
{
	muses_free(muses_channel_self(l, channel));
	muses_channel_set_self(l, channel, NULL);
}

static void count(struct muses_layer *l, uint64_t *of_channel)
{
	struct example *e = muses_self(l);

	e->passed++;
	if (of_channel != NULL)
		(*of_channel)++;
}

/* ---- from above ------------------------------------------------------------------ */

static int example_dial(struct muses_layer *l, struct muses_channel *channel,
                        const char *address)
{
	int err;

	begin_counting(l, channel);
	err = muses_inner_dial(l, channel, address);
	if (err != 0)
		end_counting(l, channel); /* The core will not call close(). */
	return err;
}

static void example_send(struct muses_layer *l, struct muses_channel *channel,
                         struct muses_buf *b)
{
	struct channel *c = muses_channel_self(l, channel);

	/* Books first: whoever takes b over may also close the channel. */
	count(l, c == NULL ? NULL : &c->sent);
	muses_inner_send(l, channel, b);
}

static size_t example_queued(struct muses_layer *l, struct muses_channel *channel)
{
	return muses_inner_queued(l, channel);
}

static void example_channel_close(struct muses_layer *l, struct muses_channel *channel)
{
	end_counting(l, channel);
	muses_inner_close(l, channel);
}

static void example_info(struct muses_layer *l, struct muses_channel *channel,
                         json_t *object)
{
	const struct channel *c = muses_channel_self(l, channel);

	if (c == NULL)
		return;
	/* Out of memory means a member less, no more. */
	(void)json_object_set_new(object, "packets_sent",
	                          json_integer((json_int_t)c->sent));
	(void)json_object_set_new(object, "packets_received",
	                          json_integer((json_int_t)c->received));
}

/* ---- from below ------------------------------------------------------------------ */

/* inner_up and inner_writable are NULL: these pass us by. */

static void example_inner_accept(struct muses_layer *l, struct muses_channel *channel)
{
	begin_counting(l, channel);
}

static void example_inner_packet(struct muses_layer *l, struct muses_channel *channel,
                                 struct muses_buf *b)
{
	struct channel *c = muses_channel_self(l, channel);

	count(l, c == NULL ? NULL : &c->received);
	muses_channel_packet(l, channel, b); /* Gives b away, and perhaps the channel. */
}

static void example_inner_down(struct muses_layer *l, struct muses_channel *channel,
                               const char *reason)
{
	end_counting(l, channel);
	muses_channel_down(l, channel, reason);
}

/* ---- the record -------------------------------------------------------------------- */

static const struct muses_transport_ops example_ops = {
	.mtu = MUSES_PACKET_MAX, /* The smallest of all layers counts. */
	.dial = example_dial,
	.send = example_send,
	.queued = example_queued,
	.close = example_channel_close,
	.info = example_info,
	.inner_accept = example_inner_accept,
	.inner_packet = example_inner_packet,
	.inner_down = example_inner_down,
};

/* The name is that of the file, and the word in JSON. */
MUSES_PLUGIN(example) = {
	MUSES_STAMP,
	.name = "example",
	.summary = "counts the packets that pass through another transport",
	.kind = MUSES_TRANSPORT,
	.options = example_options,
	.config_size = sizeof(struct example_config),
	MUSES_OPS(example_ops),
	.open = example_open,
	.start = example_start,
	.stop = example_stop,
	.close = example_close,
};
