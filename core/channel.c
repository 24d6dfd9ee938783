/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between transports and links.  A channel belongs to a stack of transports, each
 * wrapped by the next; upcalls climb it, from the layer that calls to the first
 * one outside that wants to know, and end in the link.
 */
#include "core/linkstate.h"

static struct muses_link *link_of(struct muses_channel *channel)
{
	return (struct muses_link *)(void *)channel;
}

struct muses_channel *muses_channel_accept(struct muses_layer *l, const char *remote)
{
	struct muses_layer *outermost = l;
	struct muses_link *link;

	while (outermost->outer != NULL)
		outermost = outermost->outer;
	link = core_link_accept(outermost->links, outermost, remote);
	if (link == NULL)
		return NULL;
	for (struct muses_layer *o = l->outer; o != NULL; o = o->outer)
		if (core_transport_ops(o)->inner_accept != NULL)
			core_transport_ops(o)->inner_accept(o, &link->channel);
	return &link->channel;
}

void muses_channel_up(struct muses_layer *l, struct muses_channel *channel)
{
	for (struct muses_layer *o = l->outer; o != NULL; o = o->outer)
		if (core_transport_ops(o)->inner_up != NULL) {
			core_transport_ops(o)->inner_up(o, channel);
			return;
		}
	core_link_connected(link_of(channel));
}

void muses_channel_packet(struct muses_layer *l, struct muses_channel *channel,
                          struct muses_buf *b)
{
	for (struct muses_layer *o = l->outer; o != NULL; o = o->outer)
		if (core_transport_ops(o)->inner_packet != NULL) {
			core_transport_ops(o)->inner_packet(o, channel, b);
			return;
		}
	core_link_frame(link_of(channel), b);
}

void muses_channel_writable(struct muses_layer *l, struct muses_channel *channel)
{
	for (struct muses_layer *o = l->outer; o != NULL; o = o->outer)
		if (core_transport_ops(o)->inner_writable != NULL) {
			core_transport_ops(o)->inner_writable(o, channel);
			return;
		}
	core_link_drained(link_of(channel));
}

void muses_channel_down(struct muses_layer *l, struct muses_channel *channel,
                        const char *reason)
{
	for (struct muses_layer *o = l->outer; o != NULL; o = o->outer)
		if (core_transport_ops(o)->inner_down != NULL) {
			core_transport_ops(o)->inner_down(o, channel, reason);
			return;
		}
	core_link_gone(link_of(channel), reason);
}

void *muses_channel_self(const struct muses_layer *l, const struct muses_channel *channel)
{
	return channel->self[l->depth];
}

void muses_channel_set_self(struct muses_layer *l, struct muses_channel *channel,
                            void *self)
{
	channel->self[l->depth] = self;
}

int muses_dial_target(struct muses_layer *l, const char *name, const char *address)
{
	while (l->outer != NULL)
		l = l->outer;
	return core_dial_add(l->links, l, name, address);
}

int muses_inner_dial(struct muses_layer *l, struct muses_channel *channel,
                     const char *address)
{
	return core_transport_ops(l->inner)->dial(l->inner, channel, address);
}

void muses_inner_send(struct muses_layer *l, struct muses_channel *channel,
                      struct muses_buf *b)
{
	core_transport_ops(l->inner)->send(l->inner, channel, b);
}

size_t muses_inner_queued(struct muses_layer *l, struct muses_channel *channel)
{
	return core_transport_ops(l->inner)->queued(l->inner, channel);
}

void muses_inner_close(struct muses_layer *l, struct muses_channel *channel)
{
	core_transport_ops(l->inner)->close(l->inner, channel);
}

uint32_t core_channel_mtu(const struct muses_channel *channel)
{
	uint32_t mtu = MUSES_PACKET_MAX;

	for (const struct muses_layer *l = channel->outermost; l != NULL; l = l->inner)
		if (core_transport_ops(l)->mtu < mtu)
			mtu = core_transport_ops(l)->mtu;
	return mtu;
}

bool core_channel_lossy(const struct muses_channel *channel)
{
	for (struct muses_layer *l = channel->outermost; l != NULL; l = l->inner) {
		const struct muses_transport_ops *ops = core_transport_ops(l);

		if (ops->lossy ||
		    (ops->channel_lossy != NULL && ops->channel_lossy(l, channel)))
			return true;
	}
	return false;
}

bool core_channel_alive(struct muses_channel *channel)
{
	for (struct muses_layer *l = channel->outermost; l != NULL; l = l->inner) {
		const struct muses_transport_ops *ops = core_transport_ops(l);

		if (ops->alive != NULL && !ops->alive(l, channel))
			return false;
	}
	return true;
}

void core_channel_info(struct muses_channel *channel, json_t *object)
{
	for (struct muses_layer *l = channel->outermost; l != NULL; l = l->inner)
		if (core_transport_ops(l)->info != NULL)
			core_transport_ops(l)->info(l, channel, object);
}
