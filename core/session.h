/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_SESSION_H
#define CORE_SESSION_H

#include "core/env.h"
#include "core/pipeline.h"
#include "core/stream.h"

#include <jansson.h>

/*
 * The session table: every session of one node, their handshakes, keys, epochs,
 * resume, packets and streams.  doc/PROTOCOL has the states.
 *
 *   core_sessions   the table; one a node
 *   core_session    one peer: SessID, keys, packet numbers, streams
 */
struct core_sessions;
struct core_session;

enum core_session_state {
	CORE_SESSION_CONNECTING = 0, /* Hello is out, or will be when a path is there. */
	CORE_SESSION_ESTABLISHED,
	CORE_SESSION_SUSPECTED, /* A Re-Hello is out, the old keys live on. */
	CORE_SESSION_SUSPENDED,
	CORE_SESSION_CLOSED, /* Only while callbacks run. */
};
const char *core_session_state_name(enum core_session_state state); /* "suspended" */

struct core_sessions_config {
	void *owner; /* Handed to the functions below. */
	/* The peer has opened a stream: call core_stream_accept() or _reject(), now or
	 * later. */
	void (*accept)(void *owner, struct core_stream *s, const char *service);
	/* A session changed its state.  May be NULL. */
	void (*changed)(void *owner, struct core_session *session);
	/* Is some session suspended (then links hurry)?  May be NULL. */
	void (*hurry)(void *owner, bool hurry);

	uint32_t most_sessions;
	uint32_t most_streams;      /* In all; and per session half of it. */
	uint32_t stream_window;     /* Bytes a peer may send ahead on a stream. */
	uint32_t session_window;    /* ... and on all streams of a session. */
	uint32_t idle_close_s;      /* Close a session without streams; 0: keep. */
	uint32_t rekey_s;           /* Ratchet after that much time with traffic. */
	uint32_t keystep_s;         /* X25519 step: hourly. */
};
extern const struct core_sessions_config core_sessions_defaults;

struct core_sessions *core_sessions_open(struct core_env *env, struct core_pipeline *pipeline,
                                         const struct core_sessions_config *config,
                                         const struct muses_id *self, const char *name);
/* The time in our last HELLO; and: from now on they are greater than time_ns.  What
 * core/state.h keeps for a node that starts again. */
uint64_t core_sessions_hello_time(const struct core_sessions *table);
void core_sessions_hello_after(struct core_sessions *table, uint64_t time_ns);
/* Tell the peers (sealed CLOSE) and end all sessions; streams see reset(). */
void core_sessions_stop(struct core_sessions *table);
void core_sessions_close(struct core_sessions *table);

/* From the overlay (core_layer_up): takes b over. */
void core_sessions_deliver(struct core_sessions *table, struct muses_buf *b,
                           const struct muses_met *met);
void core_sessions_path(struct core_sessions *table, const struct muses_id *peer,
                        enum muses_path event);
void core_sessions_writable(struct core_sessions *table, const struct muses_id *peer);
/* The peers file changed: close sessions with peers that are not known now. */
void core_sessions_peers_changed(struct core_sessions *table);

/* The session with peer: the one there is, or a new one that begins its
 * handshake.  NULL: out of memory, at the limit, or peer is ourselves. */
struct core_session *core_session_get(struct core_sessions *table,
                                      const struct muses_id *peer);
/* The one there is, or NULL. */
struct core_session *core_session_find(struct core_sessions *table,
                                       const struct muses_id *peer);
enum core_session_state core_session_state(const struct core_session *session);
const struct muses_id *core_session_peer(const struct core_session *session);
size_t core_sessions_count(const struct core_sessions *table);
/* Close on purpose; its streams are reset with reason. */
void core_session_close(struct core_session *session, enum core_reason reason);

/* Array of { peer, name, state, suite, epoch, generation, rtt_ms, bytes_sent,
 * bytes_received, unacked_bytes, suspended_ms, streams: [ ... ] }. */
json_t *core_sessions_info(const struct core_sessions *table);

#endif
