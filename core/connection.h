/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_CONNECTION_H
#define CORE_CONNECTION_H

#include "core/env.h"
#include "core/stream.h"

/*
 * One application's socket and one stream, joined: bytes both ways, half-closes
 * both ways, backpressure both ways.
 *
 *    application --readv--> stream buffers        reads only while the stream
 *                                                 has space()
 *    application <--sendmsg-- packets             consumes only what the socket
 *                                                 took
 *
 * The socket is never closed because the network is away: a suspended stream has
 * no space, so reading stops, and that is all.  It is closed when both sides have
 * finished, and with RST when either side was reset.
 *
 * Ten thousand of these cost one small struct each, no timer and no buffer.
 */
struct core_connection;

/* All connections of one LCM. */
struct core_connections {
	struct core_env *env;
	struct core_connection *first;
	size_t count;
	void *owner;
	/* c is about to go: forget it; there is room for another. */
	void (*gone)(void *owner, struct core_connection *c);
	/* The connect() of c to service has an answer: 0 or an errno. */
	void (*answered)(void *owner, const char *service, int system);
	/* A name for people; text has room for MUSES_NAME_MAX and a terminator. */
	void (*show)(void *owner, const struct muses_id *id, char *text);
};

/* Whoever made a connection by hand, and wants to know of it.  Any may be NULL. */
struct core_connection_watcher {
	/* Its session was suspended (true) or resumed. */
	void (*suspended)(void *data, struct core_connection *c, bool suspended);
	/* It is over, c is gone after the call.  CORE_REASON_NONE: both ends had
	 * finished, or our application went away. */
	void (*ended)(void *data, struct core_connection *c, enum core_reason reason);
};

/* A new one around fd, which it takes over, also on failure; -1: there is none
 * yet, see core_connection_socket().  connecting: fd connects, and nothing moves
 * before that.  NULL when out of memory or descriptors. */
struct core_connection *core_connection_open(struct core_connections *all, int fd,
                                             bool connecting);
/* The socket, if open() had none.  Takes fd over; 0, or an error: then close c. */
int core_connection_socket(struct core_connection *c, int fd);
/* What the stream must be opened or accepted with; the data is the connection. */
extern const struct core_stream_user core_connection_streams;
/* Join with s; before, the socket waits. */
void core_connection_attach(struct core_connection *c, struct core_stream *s);
void core_connection_watch(struct core_connection *c,
                           const struct core_connection_watcher *watcher, void *data);
/* NULL before attach(). */
struct core_stream *core_connection_stream(const struct core_connection *c);

/* End it, with RST towards the application; the peer sees reason.  The watcher is
 * not called. */
void core_connection_abort(struct core_connection *c, enum core_reason reason);
/* The same, and the watcher is called. */
void core_connection_fail(struct core_connection *c, enum core_reason reason);
/* End all of them so; watchers are told. */
void core_connections_abort(struct core_connections *all, enum core_reason reason);

#endif
