/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where forwards, services and streams come together.  Listeners are in
 * core/forward.c, services in core/service.c, the moving of bytes in
 * core/connection.c; here a connection gets its stream, now or when its peer's
 * name has been resolved.
 */
#include "core/lcm.h"
#include "core/forward.h"
#include "core/mem.h"
#include "core/service.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

/* A connection whose peer's name is not resolved yet. */
struct waiting {
	struct waiting *next;
	struct core_connection *connection;
	char *to, *service;
	uint16_t port;
};

struct core_lcm {
	struct core_env *env;
	struct core_lcm_host host;
	struct core_connections connections;
	struct core_forwards forwards;
	struct core_services services;
	struct waiting *waiting;
	size_t most;
	bool full;
};

/* ---- a connection gets its stream ----------------------------------------- */

/* 0; MUSES_EAGAIN: the name is being looked up; after an error c is as it was. */
static int join(struct core_lcm *lcm, struct core_connection *c, const char *to,
                const char *service, uint16_t port)
{
	struct core_session *session;
	struct core_stream *stream;
	struct muses_id peer;
	int err = lcm->host.resolve(lcm->host.owner, to, &peer);

	if (err != 0)
		return err;
	session = lcm->host.session(lcm->host.owner, &peer);
	if (session == NULL)
		return MUSES_ELIMIT;
	stream = core_stream_open(session, service, port, &core_connection_streams, c);
	if (stream == NULL)
		return MUSES_ELIMIT;
	core_connection_attach(c, stream);
	return 0;
}

static void waiting_free(struct waiting *w)
{
	if (w == NULL)
		return;
	muses_free(w->to);
	muses_free(w->service);
	muses_free(w);
}

static int join_or_wait(struct core_lcm *lcm, struct core_connection *c, const char *to,
                        const char *service, uint16_t port)
{
	int err = join(lcm, c, to, service, port);
	struct waiting *w;

	if (err != MUSES_EAGAIN)
		return err;
	w = muses_zalloc(sizeof(*w));
	if (w == NULL)
		return MUSES_ENOMEM;
	w->connection = c;
	w->port = port;
	w->to = core_strdup(to);
	w->service = core_strdup(service);
	if (w->to == NULL || w->service == NULL) {
		waiting_free(w);
		return MUSES_ENOMEM;
	}
	w->next = lcm->waiting;
	lcm->waiting = w;
	return 0;
}

void core_lcm_names_news(struct core_lcm *lcm)
{
	struct waiting *still = NULL, *w;

	while ((w = lcm->waiting) != NULL) {
		int err = join(lcm, w->connection, w->to, w->service, w->port);

		lcm->waiting = w->next;
		if (err == MUSES_EAGAIN) {
			w->next = still;
			still = w;
			continue;
		}
		if (err != 0) {
			core_log(lcm->env->log, MUSES_INFO, "lcm",
			         "cannot connect to %s at %s: %s", w->service, w->to,
			         muses_strerror(err));
			core_connection_fail(w->connection, CORE_REASON_UNREACHABLE);
		}
		waiting_free(w);
	}
	lcm->waiting = still;
}

/* ---- what the parts tell -------------------------------------------------- */

/* c goes: nothing may wait for it, and another has room. */
static void lcm_gone(void *owner, struct core_connection *c)
{
	struct core_lcm *lcm = owner;
	struct waiting **link = &lcm->waiting;

	while (*link != NULL && (*link)->connection != c)
		link = &(*link)->next;
	if (*link != NULL) {
		struct waiting *w = *link;

		*link = w->next;
		waiting_free(w);
	}
	if (lcm->full) {
		lcm->full = false;
		core_forwards_resume(&lcm->forwards);
	}
}

static void lcm_answered(void *owner, const char *service, int system)
{
	struct core_lcm *lcm = owner;

	core_services_answered(&lcm->services, service, system);
}

static void lcm_show(void *owner, const struct muses_id *id, char *text)
{
	struct core_lcm *lcm = owner;

	lcm->host.show(lcm->host.owner, id, text);
}

static bool lcm_room(void *owner)
{
	struct core_lcm *lcm = owner;

	lcm->full = lcm->connections.count >= lcm->most;
	return !lcm->full;
}

/* The port that an application's socket came from, for the paper's table. */
static uint16_t port_of(int fd)
{
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} from;
	socklen_t size = sizeof(from);

	if (getpeername(fd, &from.any, &size) != 0)
		return 0;
	switch (from.any.sa_family) {
	case AF_INET:
		return ntohs(from.v4.sin_port);
	case AF_INET6:
		return ntohs(from.v6.sin6_port);
	default:
		return 0;
	}
}

static void lcm_accepted(void *owner, int fd, const char *listen, const char *to,
                         const char *service)
{
	struct core_lcm *lcm = owner;
	uint16_t port = port_of(fd);
	struct core_connection *c = core_connection_open(&lcm->connections, fd, false);
	int err = c == NULL ? MUSES_ENOMEM : join_or_wait(lcm, c, to, service, port);

	core_count(lcm->env->stats, "lcm", err == 0 ? "accepted" : "not accepted");
	if (err == 0)
		return;
	core_log(lcm->env->log, MUSES_INFO, "lcm", "cannot connect %s to %s at %s: %s",
	         listen, service, to, muses_strerror(err));
	if (c != NULL)
		core_connection_abort(c, CORE_REASON_LIMIT);
}

/* ---- for the node and for control ----------------------------------------- */

int core_lcm_connect(struct core_lcm *lcm, int fd, const char *name, const char *service,
                     const struct core_connection_watcher *watcher, void *data,
                     struct core_connection **connection)
{
	struct core_connection *c;
	int err;

	*connection = NULL;
	if (lcm->connections.count >= lcm->most) {
		close(fd);
		return MUSES_ELIMIT;
	}
	c = core_connection_open(&lcm->connections, fd, false);
	if (c == NULL)
		return MUSES_ENOMEM;
	err = join_or_wait(lcm, c, name, service, 0);
	if (err != 0) {
		core_connection_abort(c, CORE_REASON_LIMIT);
		return err;
	}
	core_connection_watch(c, watcher, data);
	*connection = c;
	return 0;
}

void core_lcm_accept(struct core_lcm *lcm, struct core_stream *s, const char *service)
{
	if (lcm->connections.count >= lcm->most) {
		core_count(lcm->env->stats, "lcm", "too many connections");
		core_stream_reject(s, CORE_REASON_LIMIT);
		return;
	}
	core_services_accept(&lcm->services, s, service);
}

int core_lcm_take(struct core_lcm *lcm, const char *name, const struct muses_list *allow,
                  core_lcm_arrived_fn *arrived, void *data, struct core_lcm_taken **taken)
{
	return core_services_take(&lcm->services, name, allow, arrived, data, taken);
}

int core_lcm_load(struct core_lcm *lcm, const struct core_forward *forward,
                  size_t forward_count, const struct core_service *service,
                  size_t service_count, const char *folder, char *why, size_t why_size)
{
	struct core_service_entry *services;
	struct core_listener *listeners;
	int err = core_services_make(&services, service, service_count, folder, why,
	                             why_size);

	if (err != 0)
		return err;
	err = core_forwards_make(&lcm->forwards, &listeners, forward, forward_count,
	                         folder, why, why_size);
	if (err != 0) {
		core_services_free(services);
		return err;
	}
	core_services_use(&lcm->services, services);
	core_forwards_use(&lcm->forwards, listeners);
	return 0;
}

size_t core_lcm_count(const struct core_lcm *lcm)
{
	return lcm->connections.count;
}

json_t *core_lcm_info(const struct core_lcm *lcm)
{
	return json_pack("{s:I, s:o, s:o}", "connections",
	                 (json_int_t)lcm->connections.count, "forwards",
	                 core_forwards_info(&lcm->forwards), "services",
	                 core_services_info(&lcm->services));
}

/* ---- life ----------------------------------------------------------------- */

struct core_lcm *core_lcm_open(struct core_env *env, const struct core_lcm_host *host,
                               size_t most)
{
	struct core_lcm *lcm = muses_zalloc(sizeof(*lcm));

	if (lcm == NULL)
		return NULL;
	lcm->env = env;
	lcm->host = *host;
	lcm->most = most;
	lcm->connections = (struct core_connections){
		.env = env,
		.owner = lcm,
		.gone = lcm_gone,
		.answered = lcm_answered,
		.show = lcm_show,
	};
	lcm->services = (struct core_services){
		.env = env,
		.host = &lcm->host,
		.connections = &lcm->connections,
	};
	core_forwards_init(&lcm->forwards, env);
	lcm->forwards.owner = lcm;
	lcm->forwards.room = lcm_room;
	lcm->forwards.accepted = lcm_accepted;
	return lcm;
}

void core_lcm_close(struct core_lcm *lcm)
{
	if (lcm == NULL)
		return;
	core_connections_abort(&lcm->connections, CORE_REASON_SESSION_CLOSED);
	core_forwards_close(&lcm->forwards);
	while (lcm->services.taken != NULL)
		core_lcm_untake(lcm->services.taken);
	core_services_use(&lcm->services, NULL);
	muses_free(lcm);
}
