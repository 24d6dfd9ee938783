/* SPDX-License-Identifier: Apache-2.0 */
/* nowhere: the smallest transport there can be.  Its links are up, and lead nowhere. */
#include <muses/transport.h>

#include <stdio.h>
#include <string.h>

/* The options, as the core fills them in. */
struct nowhere_config {
	struct muses_map dial;
	uint32_t up_ms;
};

static const struct muses_option nowhere_options[] = {
	MUSES_MAP(nowhere_config, dial, MUSES_OPTION_ADDRESS,
	          "Neighbours, and which nowhere they are at."),
	MUSES_UINT32(nowhere_config, up_ms, 10, 0, 60000, "ms",
	             "How long it takes to get there."),
	MUSES_OPTIONS_END,
};

/* The state of a channel.  The timer lives in it: no allocation to arm it. */
struct nowhere {
	struct muses_layer *layer;
	struct muses_channel *channel;
	struct muses_timer timer;
};

static bool nowhere_address(const char *text, char *why, size_t why_size)
{
	if (strcmp(text, "nowhere") == 0)
		return true;
	snprintf(why, why_size, "want \"nowhere\", not \"%s\"", text);
	return false;
}

static bool nowhere_local(const void *config)
{
	(void)config;
	return true; /* Nothing leaves this machine. */
}

/* Only here, and not from inside dial(): nothing comes up while something goes down. */
static void nowhere_arrive(struct muses_timer *t)
{
	struct nowhere *n = muses_container(t, struct nowhere, timer);

	muses_channel_up(n->layer, n->channel);
}

static int nowhere_dial(struct muses_layer *l, struct muses_channel *channel,
                        const char *address)
{
	const struct nowhere_config *config = muses_self(l);
	struct nowhere *n = muses_zalloc(sizeof(*n));

	(void)address;
	if (n == NULL)
		return MUSES_ENOMEM;
	n->layer = l;
	n->channel = channel;
	muses_timer_init(l, &n->timer, nowhere_arrive);
	muses_timer_after(&n->timer, config->up_ms * MUSES_MS);
	muses_channel_set_self(l, channel, n);
	return 0;
}

static void nowhere_send(struct muses_layer *l, struct muses_channel *channel,
                         struct muses_buf *b)
{
	(void)channel;
	muses_count(l, "sent to nowhere");
	muses_buf_free(b); /* It was given to us. */
}

static size_t nowhere_queued(struct muses_layer *l, struct muses_channel *channel)
{
	(void)l;
	(void)channel;
	return 0;
}

static void nowhere_channel_close(struct muses_layer *l, struct muses_channel *channel)
{
	struct nowhere *n = muses_channel_self(l, channel);

	muses_timer_stop(&n->timer);
	muses_free(n);
}

static int nowhere_open(struct muses_layer *l, const void *config)
{
	muses_set_self(l, (void *)config); /* Valid until the layer has closed. */
	return 0;
}

static int nowhere_start(struct muses_layer *l)
{
	const struct nowhere_config *config = muses_self(l);
	int err = 0;

	for (size_t i = 0; i < config->dial.count && err == 0; i++)
		err = muses_dial_target(l, config->dial.entry[i].name,
		                        config->dial.entry[i].values.item[0]);
	return err;
}

static const struct muses_transport_ops nowhere_ops = {
	.mtu = MUSES_PACKET_MAX,
	.address = nowhere_address,
	.local = nowhere_local,
	.dial = nowhere_dial,
	.send = nowhere_send,
	.queued = nowhere_queued,
	.close = nowhere_channel_close,
};

MUSES_PLUGIN(nowhere) = {
	MUSES_STAMP,
	.name = "nowhere",
	.summary = "links that lead nowhere",
	.kind = MUSES_TRANSPORT,
	.options = nowhere_options,
	.config_size = sizeof(struct nowhere_config),
	MUSES_OPS(nowhere_ops),
	.open = nowhere_open,
	.start = nowhere_start,
};
