/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_STREAM_H
#define CORE_STREAM_H

#include <muses/plugin.h>

#include <sys/uio.h>

/*
 * A stream: one application connection inside a session, both ways.
 *
 * Its user (LCM, a test) writes into the stream's own pooled buffers and reads
 * from the packets' own: no copy in between.  Bytes stay until the peer has
 * acknowledged them; order and completeness are the core's business, also
 * across suspension.  Callbacks come from the loop, never from inside one of
 * these calls; a user may close a stream from its own callback.
 */
struct core_stream;
struct core_session;

/* Why a stream ended early; on the wire in RESET and REJECT. */
enum core_reason {
	CORE_REASON_NONE = 0,
	CORE_REASON_RESET,          /* The application's connection was reset. */
	CORE_REASON_NO_SERVICE,     /* No such service there. */
	CORE_REASON_NOT_ALLOWED,    /* The service does not allow this peer. */
	CORE_REASON_REFUSED,        /* The service's address refused the connection. */
	CORE_REASON_LIMIT,          /* Too many streams. */
	CORE_REASON_PEER_RESTARTED, /* The peer has lost the session. */
	CORE_REASON_SESSION_CLOSED, /* The session was closed on purpose. */
	CORE_REASON_GAVE_UP,        /* give_up_s, or algorithm1. */
	CORE_REASON_PROTOCOL,       /* The peer broke the protocol. */
	CORE_REASON_UNREACHABLE,    /* No session could be made. */
	CORE_REASONS
};
/* "the peer has no such service": for people. */
const char *core_reason_text(enum core_reason reason);

struct core_stream_user {
	/* More to peek(), or the end was reached. */
	void (*readable)(struct core_stream *s, void *user);
	/* Room again after space() was 0; all acknowledged when it was asked for. */
	void (*writable)(struct core_stream *s, void *user);
	/* It ended early; only core_stream_close() may follow. */
	void (*reset)(struct core_stream *s, void *user, enum core_reason reason);
	/* The session was suspended (true) or resumed (false).  May be NULL. */
	void (*suspended)(struct core_stream *s, void *user, bool suspended);
};

/* Open one to service on session; source_port: LCM's own port number, for the
 * paper's table (0: none).  Opening costs no round trip; a refusal comes as
 * reset().  NULL: out of memory or at the limit. */
struct core_stream *core_stream_open(struct core_session *session, const char *service,
                                     uint16_t source_port,
                                     const struct core_stream_user *user, void *data);
/* For one that the peer opened (see core_session_config.accept): take it, or
 * refuse it. */
void core_stream_accept(struct core_stream *s, const struct core_stream_user *user,
                        void *data);
void core_stream_reject(struct core_stream *s, enum core_reason reason);

/* ---- sending ---- */

/* Bytes that may be written now: 0 while suspended, when the peer's window is
 * used up or when the node's buffers are; writable() follows. */
size_t core_stream_space(struct core_stream *s);
/* Room for up to want bytes in the stream's buffers, to readv() into: fills at
 * most most entries of iov; returns how many.  0: no room (see space()). */
size_t core_stream_reserve(struct core_stream *s, struct iovec *iov, size_t most,
                           size_t want);
/* The first size bytes of what reserve() gave now hold data; they are sent at
 * the end of this turn.  size 0 gives the room back. */
void core_stream_commit(struct core_stream *s, size_t size);
/* No more bytes will come from us. */
void core_stream_finish(struct core_stream *s);
/* Everything we wrote, and the end if finished, is acknowledged. */
bool core_stream_flushed(struct core_stream *s);

/* ---- receiving ---- */

/* What has arrived in order: fills at most most entries; returns how many. */
size_t core_stream_peek(const struct core_stream *s, struct iovec *iov, size_t most);
/* The first size bytes of it are done with: the peer may send more. */
void core_stream_consume(struct core_stream *s, size_t size);
/* The peer finished, and all of it was consumed. */
bool core_stream_ended(const struct core_stream *s);

/* ---- ending ---- */

/* Reset both directions; no callback follows; s is gone. */
void core_stream_reset(struct core_stream *s, enum core_reason reason);
/* The user lets go: no callback follows; s is gone for the user.  What was
 * written and finished is still delivered; if either direction is not
 * finished, the peer sees a reset. */
void core_stream_close(struct core_stream *s);

/* ---- asking ---- */

struct core_session *core_stream_session(const struct core_stream *s);
uint64_t core_stream_id(const struct core_stream *s);
const char *core_stream_service(const struct core_stream *s);

#endif
