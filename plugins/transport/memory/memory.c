/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memory: links between nodes of one process, over the virtual wires of a test or
 * of the simulator (muses/hub.h).  An address is a name that the other node
 * listens on.
 */
#include <muses/hub.h>
#include <muses/transport.h>

#include <stdio.h>

struct memory_config {
	struct muses_list listen;
	struct muses_map dial;
};

struct memory {
	const struct memory_config *config;
	size_t count;
	struct muses_hub_port *port[]; /* One for each in config->listen. */
};

static const struct muses_option memory_options[] = {
	MUSES_LIST(memory_config, listen, MUSES_OPTION_ADDRESS,
	           "Names under which other nodes of this process find us."),
	MUSES_MAP(memory_config, dial, MUSES_OPTION_ADDRESS,
	          "Neighbours and the names they listen on."),
	MUSES_OPTIONS_END,
};

static bool memory_address(const char *text, char *why, size_t why_size)
{
	if (text[0] != '\0')
		return true;
	snprintf(why, why_size, "is empty; want a name");
	return false;
}

static bool memory_local(const void *config)
{
	(void)config;
	return true;
}

static int memory_open(struct muses_layer *l, const void *config)
{
	const struct memory_config *c = config;
	struct memory *m =
		muses_zalloc(sizeof(*m) + c->listen.count * sizeof(m->port[0]));

	if (m == NULL)
		return MUSES_ENOMEM;
	m->config = c;
	m->count = c->listen.count;
	muses_set_self(l, m);
	return 0;
}

static int memory_start(struct muses_layer *l)
{
	struct memory *m = muses_self(l);
	const struct memory_config *c = m->config;
	int err = 0;

	for (size_t i = 0; err == 0 && i < m->count; i++)
		err = muses_hub_listen(l, c->listen.item[i], &m->port[i]);
	for (size_t i = 0; err == 0 && i < c->dial.count; i++)
		for (size_t k = 0; err == 0 && k < c->dial.entry[i].values.count; k++)
			err = muses_dial_target(l, c->dial.entry[i].name,
			                        c->dial.entry[i].values.item[k]);
	return err;
}

static void memory_stop(struct muses_layer *l)
{
	struct memory *m = muses_self(l);

	for (size_t i = 0; i < m->count; i++) {
		muses_hub_unlisten(m->port[i]);
		m->port[i] = NULL;
	}
}

static void memory_close(struct muses_layer *l)
{
	memory_stop(l); /* start() may have stopped half-way. */
	muses_free(muses_self(l));
}

static int memory_dial(struct muses_layer *l, struct muses_channel *channel,
                       const char *address)
{
	struct muses_hub_end *end = muses_hub_dial(l, channel, address);

	if (end == NULL)
		return MUSES_ENOMEM;
	muses_channel_set_self(l, channel, end);
	return 0;
}

static void memory_send(struct muses_layer *l, struct muses_channel *channel,
                        struct muses_buf *b)
{
	muses_hub_send(muses_channel_self(l, channel), b);
}

static size_t memory_queued(struct muses_layer *l, struct muses_channel *channel)
{
	return muses_hub_queued(muses_channel_self(l, channel));
}

static void memory_channel_close(struct muses_layer *l, struct muses_channel *channel)
{
	muses_hub_close(muses_channel_self(l, channel));
}

static bool memory_lossy(struct muses_layer *l, const struct muses_channel *channel)
{
	return muses_hub_lossy(muses_channel_self(l, channel));
}

static const struct muses_transport_ops memory_ops = {
	.mtu = MUSES_PACKET_MAX,
	.address = memory_address,
	.local = memory_local,
	.dial = memory_dial,
	.send = memory_send,
	.queued = memory_queued,
	.close = memory_channel_close,
	.channel_lossy = memory_lossy,
};

MUSES_PLUGIN(memory) = {
	MUSES_STAMP,
	.name = "memory",
	.summary = "links inside one process, for tests and the simulator",
	.kind = MUSES_TRANSPORT,
	.options = memory_options,
	.config_size = sizeof(struct memory_config),
	MUSES_OPS(memory_ops),
	.open = memory_open,
	.start = memory_start,
	.stop = memory_stop,
	.close = memory_close,
};
