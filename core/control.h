/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_CONTROL_H
#define CORE_CONTROL_H

#include "core/lcm.h"

/*
 * The node's control socket: how `muses status`, `muses nc` and every program
 * that uses muses/client.h talk to a running node.
 *
 * A Unix stream socket, mode 0600, for the node's own user and root alone.  One
 * JSON object a line, both ways.  A request has a "verb", and may have a number as
 * "tag", which its answer repeats; answers to `connect` may come late, all others
 * come in order.
 *
 *   { "verb": "ping" }                 name, id, version
 *   { "verb": "status" }               status: as core_node_status()
 *   { "verb": "session", "name": N }   session: one of the table's
 *   { "verb": "resolve", "name": N }   id
 *   { "verb": "reload" }               as SIGHUP
 *   { "verb": "connect", "name": N, "service": S, "timeout_ms": T }
 *        stream (a number), and the application's end of a socket pair as a
 *        descriptor (SCM_RIGHTS).  T: answer when the session is there, or fail
 *        after so long; 0 or absent: answer at once, bytes wait for the peer.
 *   { "verb": "listen", "service": S, "allow": [ N ... ] }
 *        from now on, events of peers that connect; until the control connection
 *        ends
 *
 *   answer  { "ok": true, "tag": 7, ... }
 *           { "ok": false, "tag": 7, "error": -9, "message": "no such name: x" }
 *   event   { "event": "accept", "service": S, "stream": n, "peer": N, "id": I },
 *           with a descriptor
 *           { "event": "suspended" | "resumed", "stream": n }
 *           { "event": "ended", "stream": n, "error": 0 or number, "message": "" }
 *
 * A line with a descriptor says "descriptor": true.  What a client received lives
 * on when its control connection ends.  Bounds: 64 KiB a line, CORE_CONTROL_MOST
 * clients, and a client that does not read for 10 s while there is something to
 * read is dropped.
 */
#define CORE_CONTROL_LINE_MAX 65536
#define CORE_CONTROL_MOST     256 /* Every running `muses nc` holds one. */

struct core_control;

/* What control asks of its node.  All are there. */
struct core_control_host {
	void *owner;
	int (*resolve)(void *owner, const char *name, struct muses_id *id);
	void (*show)(void *owner, const struct muses_id *id, char *text);
	int (*reload)(void *owner, char *why, size_t why_size);
	json_t *(*status)(void *owner); /* A new reference; NULL: out of memory. */
	/* The session with id, as in the status; NULL: there is none. */
	json_t *(*session)(void *owner, const struct muses_id *id);
	const char *name; /* The node's. */
	const struct muses_id *id;
};

/* Listen at path (relative: to folder).  On failure *control is NULL and why holds
 * one sentence: MUSES_ECONFIG, MUSES_ESYSTEM, MUSES_ENOMEM. */
int core_control_open(struct core_control **control, struct core_env *env,
                      struct core_lcm *lcm, const struct core_control_host *host,
                      const char *path, const char *folder, char *why, size_t why_size);
/* Drops all clients; descriptors they have received go on. */
void core_control_close(struct core_control *control);
/* A session (NULL: any) has changed its state, or got a stream: a connect may have
 * waited for it. */
void core_control_session_changed(struct core_control *control,
                                  const struct core_session *session);

#endif
