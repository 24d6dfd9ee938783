/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_LCM_H
#define CORE_LCM_H

#include "core/config.h"
#include "core/connection.h"
#include "core/session.h"

/*
 * The local connection manager: where applications and streams meet.
 *
 *   forward    a local listener; each connection becomes a stream to a name and a
 *              service
 *   service    a name that peers may ask for; each of their streams becomes a
 *              connection to a local address, if the peer is on the service's
 *              allow list.  Nobody is by default.
 *   taken      a service that a program serves through the control socket: the
 *              program gets the connection's other end as a descriptor
 *
 * What is open stays open when forwards and services change.
 */
struct core_lcm;

/* What LCM asks of its node.  All are there. */
struct core_lcm_host {
	void *owner;
	/* As core_node_resolve(). */
	int (*resolve)(void *owner, const char *name, struct muses_id *id);
	/* A name for people; text has room for MUSES_NAME_MAX and a terminator. */
	void (*show)(void *owner, const struct muses_id *id, char *text);
	/* As core_session_get(). */
	struct core_session *(*session)(void *owner, const struct muses_id *peer);
};

/* most: connections at once; further ones wait in the listeners' backlogs.  NULL
 * when out of memory. */
struct core_lcm *core_lcm_open(struct core_env *env, const struct core_lcm_host *host,
                               size_t most);
/* Ends every connection with CORE_REASON_SESSION_CLOSED and every listener. */
void core_lcm_close(struct core_lcm *lcm);

/* From now on these are the forwards and services; the strings are copied.
 * Listeners that were there already go on listening.  folder: where relative Unix
 * paths start.  On an error why holds one sentence and nothing has changed: 0,
 * MUSES_ECONFIG, MUSES_ESYSTEM, MUSES_ENOMEM. */
int core_lcm_load(struct core_lcm *lcm, const struct core_forward *forward,
                  size_t forward_count, const struct core_service *service,
                  size_t service_count, const char *folder, char *why, size_t why_size);

/* The peer has opened a stream to service: core_sessions_config.accept(). */
void core_lcm_accept(struct core_lcm *lcm, struct core_stream *s, const char *service);
/* A name that could not be resolved yet may be known now. */
void core_lcm_names_news(struct core_lcm *lcm);

/* A connection between fd (taken over, also on failure) and service at name, both
 * copied.  Returns 0, MUSES_ENOMEM, MUSES_EUNKNOWN, MUSES_ELIMIT.  While the name
 * is being looked up the connection has no stream yet; if it comes to nothing the
 * watcher hears ended(CORE_REASON_UNREACHABLE). */
int core_lcm_connect(struct core_lcm *lcm, int fd, const char *name, const char *service,
                     const struct core_connection_watcher *watcher, void *data,
                     struct core_connection **connection);

/* Take the service called name: each allowed stream is told to arrived(), which
 * answers with the socket for it (taken over), or with a negative error to refuse
 * it; it may core_connection_watch() c.  A name that the configuration or
 * somebody else has is MUSES_ELIMIT; also MUSES_ENOMEM, MUSES_EUSAGE (not a
 * name). */
struct core_lcm_taken;
typedef int core_lcm_arrived_fn(void *data, struct core_connection *c,
                                const struct muses_id *peer);
int core_lcm_take(struct core_lcm *lcm, const char *name, const struct muses_list *allow,
                  core_lcm_arrived_fn *arrived, void *data, struct core_lcm_taken **taken);
/* Connections that have arrived stay. */
void core_lcm_untake(struct core_lcm_taken *taken);

size_t core_lcm_count(const struct core_lcm *lcm);
/* { connections, forwards: [ { listen, to, service } ], services: [ { name,
 * connect, allow } ] } */
json_t *core_lcm_info(const struct core_lcm *lcm);

#endif
