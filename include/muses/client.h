/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MUSES_CLIENT_H
#define MUSES_CLIENT_H

#include <muses/err.h>
#include <muses/id.h>

#include <stdbool.h>
#include <stdint.h>

/*
 * The client API: a program connects to names instead of addresses, through the
 * node that runs on its machine.
 *
 *	struct muses_client *client;
 *	int fd;
 *
 *	if (muses_client_open(&client, NULL) != 0)
 *		errx(1, "no node here");
 *	fd = muses_connect(client, "alice", "echo", 5000);
 *	if (fd < 0)
 *		errx(1, "%s", muses_client_why(client));
 *	write(fd, "hello", 5);
 *
 * What comes back is an ordinary descriptor: a connected, blocking, close-on-exec
 * stream socket, for read(), write(), poll(), shutdown() and close().  It lives
 * through every change of network; while the path is away it merely takes and
 * gives nothing.  If the connection is reset, or refused by the peer, read() sees
 * the end and write() fails with EPIPE; muses_client_event() knows why.
 *
 * Calls block, for a bounded time.  One client is for one thread at a time; a
 * process may open several.  Errors are those of muses/err.h, and
 * muses_client_why() has a sentence about the last one.
 */
struct muses_client;

/* What the control socket speaks; `ping` answers with it. */
#define MUSES_CLIENT_PROTOCOL 1

/* Connect to the node whose control socket is at path; NULL: what the environment
 * variable MUSES_CONTROL names.  0; MUSES_EUSAGE: neither path nor variable;
 * MUSES_ESYSTEM: nobody answers there; MUSES_ENOMEM.  *client is set in any case
 * but MUSES_ENOMEM, so that muses_client_why() can be asked: close it. */
int muses_client_open(struct muses_client **client, const char *path);
/* Descriptors that were handed out go on; services listened for end.  NULL is
 * fine. */
void muses_client_close(struct muses_client *client);
/* A sentence about the last error, valid until the next call. */
const char *muses_client_why(const struct muses_client *client);

/* Connect to service at name (a petname of the node's configuration, or the text
 * of a node id).  timeout_ms: wait for a session with the peer at most so long; 0:
 * do not wait, and what is written meanwhile waits for the peer, however long.
 * Returns a descriptor, the caller's; or MUSES_EUNKNOWN (no such name),
 * MUSES_ETIMEOUT, MUSES_EUNREACHABLE, MUSES_EREFUSED (by the peer), MUSES_ELIMIT,
 * MUSES_EUSAGE (service is not a name), MUSES_ECLOSED (the node has gone). */
int muses_connect(struct muses_client *client, const char *name, const char *service,
                  uint32_t timeout_ms);

/* Serve service from now on, for the peers in allow: names, ended by NULL; "*" is
 * everybody who can reach the node; an empty list is nobody.  Until the client is
 * closed.  0; MUSES_ELIMIT: served already; MUSES_EUSAGE; MUSES_ECLOSED. */
int muses_listen(struct muses_client *client, const char *service, const char *const *allow);

/* Who has connected. */
struct muses_caller {
	char service[MUSES_NAME_MAX + 1];
	char name[MUSES_NAME_MAX + 1]; /* As people here call it, else the text of the id. */
	struct muses_id id;
};

/* The next connection to a service that is listened for.  timeout_ms: wait so long;
 * 0: do not; UINT32_MAX: as long as it takes.  Returns a descriptor, the caller's,
 * and fills *caller (may be NULL); or MUSES_ETIMEOUT, MUSES_ECLOSED. */
int muses_accept(struct muses_client *client, struct muses_caller *caller,
                 uint32_t timeout_ms);

enum muses_session_state {
	MUSES_SESSION_NONE = 0, /* There is none with that name now. */
	MUSES_SESSION_CONNECTING,
	MUSES_SESSION_ESTABLISHED, /* Also while a change of path is suspected. */
	MUSES_SESSION_SUSPENDED,
};

/* How is the session with name?  *suspended_ms: for how long it has been suspended
 * (0 if it is not; may be NULL).  0, MUSES_EUNKNOWN, MUSES_ECLOSED. */
int muses_session_state(struct muses_client *client, const char *name,
                        enum muses_session_state *state, uint64_t *suspended_ms);

/* ---- what happens meanwhile ----------------------------------------------- */

enum muses_event_kind {
	MUSES_EVENT_SUSPENDED = 0, /* The session of fd is suspended: nothing moves. */
	MUSES_EVENT_RESUMED,       /* It goes on. */
	MUSES_EVENT_ENDED,         /* fd has come to its end; err and why tell how. */
	MUSES_EVENT_ACCEPT,        /* A connection waits: muses_accept() will not. */
};

struct muses_event {
	enum muses_event_kind kind;
	int fd; /* As it was handed out; -1: that number has been handed out again since. */
	int err; /* ENDED: 0, both sides finished; else MUSES_EREFUSED, MUSES_ECLOSED ... */
	char why[128];
};

/* Readable when there may be an event. */
int muses_client_descriptor(const struct muses_client *client);
/* The next event, without waiting.  Ask until the answer is 0 before the descriptor
 * is polled: other calls may have read events along.  1: *event is filled; 0: there
 * is none; MUSES_ECLOSED: the node has gone. */
int muses_client_event(struct muses_client *client, struct muses_event *event);

/* ---- anything else -------------------------------------------------------- */

/* Send one request of the control protocol (a JSON object, such as
 * "{\"verb\": \"status\"}"; at most 64 KiB; without a tag) and set *answer to the
 * JSON text of its answer, which free() gives back.  0 if the node said "ok"; else
 * the error it named, MUSES_EUSAGE, MUSES_ETIMEOUT or MUSES_ECLOSED, with *answer
 * NULL. */
int muses_client_request(struct muses_client *client, const char *request, char **answer);

#endif
