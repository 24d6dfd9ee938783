/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MUSES_TRANSPORT_H
#define MUSES_TRANSPORT_H

#include <muses/plugin.h>

#include <jansson.h>

/*
 * A transport plugin makes channels: packets in, the same packets out at the
 * other end, for as long as the channel lives.  It knows addresses and
 * descriptors; it knows nothing of names, proofs, redialling or keep-alive,
 * which the core's links do for every transport alike.
 *
 *        the transport calls up               the core calls down
 *        muses_channel_accept()  (server)     dial()      (client)
 *        muses_channel_up()                   send()
 *        muses_channel_packet()               close()
 *        muses_channel_writable()
 *        muses_channel_down()
 *
 * A transport may wrap another (`impair`): it has a MUSES_INNER option, gets the
 * inner one's upcalls through its inner_* operations, and passes packets on with
 * muses_channel_*() above and muses_inner_*() below.  A NULL inner_* operation
 * passes by.
 *
 * No U-turns: no upcall from inside send() or dial(); use a task or a timer.
 */
struct muses_channel; /* The core's; one per connection, from accept or dial on. */

struct muses_transport_ops {
	uint32_t mtu; /* Largest packet that send() takes, <= MUSES_PACKET_MAX. */
	bool lossy;   /* May a packet be lost or overtaken while the channel lives? */

	/* Is text an address of this transport?  Pure.  why: one sentence if not.  A
	 * wrapper has neither this nor local(): the core asks what is inside. */
	bool (*address)(const char *text, char *why, size_t why_size);
	/* Does every address in this layer's configuration stay on this machine?  Pure:
	 * also called on a config before open(). */
	bool (*local)(const void *config);

	/* Start a channel to address (checked).  Success or failure is told by
	 * muses_channel_up() or muses_channel_down().  An error here means the same as
	 * down() at once. */
	int (*dial)(struct muses_layer *l, struct muses_channel *channel, const char *address);
	/* Queue b; takes it over.  Sent at the end of this turn of the loop, many
	 * with one system call. */
	void (*send)(struct muses_layer *l, struct muses_channel *channel, struct muses_buf *b);
	/* Bytes queued and not yet taken by the system. */
	size_t (*queued)(struct muses_layer *l, struct muses_channel *channel);
	/* Forget the channel, now; no upcall follows.  What is queued may be lost. */
	void (*close)(struct muses_layer *l, struct muses_channel *channel);
	/* Members for `muses status`: local and remote address, ...  channel NULL: of
	 * the layer, "listen": where it really listens. */
	void (*info)(struct muses_layer *l, struct muses_channel *channel, json_t *object);

	/* Addresses or routes of this machine changed: is this channel's local address
	 * still there?  false: the core closes it at once.  NULL: always. */
	bool (*alive)(struct muses_layer *l, struct muses_channel *channel);

	/* For a transport that wraps another. */
	void (*inner_accept)(struct muses_layer *l, struct muses_channel *channel);
	void (*inner_up)(struct muses_layer *l, struct muses_channel *channel);
	void (*inner_packet)(struct muses_layer *l, struct muses_channel *channel,
	                     struct muses_buf *b);
	void (*inner_writable)(struct muses_layer *l, struct muses_channel *channel);
	void (*inner_down)(struct muses_layer *l, struct muses_channel *channel,
	                   const char *reason);

	/* As lossy, where it depends on the configuration or on the channel; the core
	 * takes the two together.  NULL: lossy says it all. */
	bool (*channel_lossy)(struct muses_layer *l, const struct muses_channel *channel);
};

/* ---- upcalls -------------------------------------------------------------- */

/* Somebody has dialled us; remote is for people.  NULL: too many, close it.  The
 * channel is up. */
struct muses_channel *muses_channel_accept(struct muses_layer *l, const char *remote);
/* What dial() started is connected. */
void muses_channel_up(struct muses_layer *l, struct muses_channel *channel);
/* A packet came; the core (or the wrapper) takes b over. */
void muses_channel_packet(struct muses_layer *l, struct muses_channel *channel,
                          struct muses_buf *b);
/* The queue has fallen below half of what it was when it was found full. */
void muses_channel_writable(struct muses_layer *l, struct muses_channel *channel);
/* The channel is gone; reason is a string literal.  The transport has already
 * forgotten it: close() does not follow. */
void muses_channel_down(struct muses_layer *l, struct muses_channel *channel,
                        const char *reason);

/* This layer's own state for a channel. */
void *muses_channel_self(const struct muses_layer *l, const struct muses_channel *channel);
void muses_channel_set_self(struct muses_layer *l, struct muses_channel *channel, void *self);

/* In start(): reach the node called name (a petname or a node id) at address;
 * name and address live as long as the configuration.  The core dials, proves,
 * redials with back-off and jitter, and begins anew when the network changes. */
int muses_dial_target(struct muses_layer *l, const char *name, const char *address);

/* ---- for a transport that wraps another ----------------------------------- */

int muses_inner_dial(struct muses_layer *l, struct muses_channel *channel,
                     const char *address);
void muses_inner_send(struct muses_layer *l, struct muses_channel *channel,
                      struct muses_buf *b);
size_t muses_inner_queued(struct muses_layer *l, struct muses_channel *channel);
void muses_inner_close(struct muses_layer *l, struct muses_channel *channel);

/* ---- framing for transports over byte streams (tcp, unix) ------------------ */

/*
 * Packets over a non-blocking stream descriptor: a 4-byte big-endian length in
 * front of each.  Reads big, hands complete packets up without copying large
 * ones, writes many at once with one writev().  A length of 0 or above the MTU
 * ends the channel.
 */
struct muses_framed;

/* Takes over fd (closed by muses_framed_close()).  connecting: a connect() is
 * under way; muses_channel_up() will be called when it succeeds. */
struct muses_framed *muses_framed_open(struct muses_layer *l, struct muses_channel *channel,
                                       int fd, bool connecting);
void muses_framed_send(struct muses_framed *f, struct muses_buf *b);
size_t muses_framed_queued(const struct muses_framed *f);
int muses_framed_descriptor(const struct muses_framed *f);
void muses_framed_close(struct muses_framed *f);

/*
 * A listening stream descriptor: accepts, offers each connection to the core and
 * frames it.  The channel's self is its struct muses_framed.
 */
struct muses_listening;

#define MUSES_REMOTE_MAX 64
/* Set the options of a fresh connection, and say who it is, for people. */
typedef void muses_accepted_fn(struct muses_layer *l, int fd,
                               char remote[static MUSES_REMOTE_MAX]);

/* Takes over fd, which listens and is non-blocking, also on failure.  NULL: out of
 * memory, or fd cannot be watched. */
struct muses_listening *muses_listening_open(struct muses_layer *l, int fd,
                                             muses_accepted_fn *accepted);
int muses_listening_descriptor(const struct muses_listening *s);
/* NULL is fine. */
void muses_listening_close(struct muses_listening *s);

#endif
