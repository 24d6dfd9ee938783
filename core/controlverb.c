/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the lines on the control socket mean.  A verb is a row of the table at the
 * end.  What a newcomer would get wrong: a connect whose client goes away before
 * the answer is undone; one whose descriptor has been handed over goes on.
 */
#include "core/controlclient.h"
#include "core/mem.h"

#include <muses/client.h>

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define TAG_NONE INT64_MIN

struct core_control_stream {
	struct core_control_client *client;
	struct core_control_stream *next, **link;
	struct core_connection *connection;
	struct muses_timer timeout;
	uint64_t number;
	int64_t tag;
	uint32_t timeout_ms;
	int fd; /* The program's end, until it is handed over; then -1. */
};

struct core_control_taken {
	struct core_control_taken *next;
	struct core_control_client *client;
	struct core_lcm_taken *taken;
	char service[MUSES_NAME_MAX + 1];
};

/* ---- answers -------------------------------------------------------------- */

static void answer(struct core_control_client *c, int64_t tag, json_t *object, int fd)
{
	json_object_set_new(object, "ok", json_true());
	if (tag != TAG_NONE)
		json_object_set_new(object, "tag", json_integer(tag));
	if (fd >= 0)
		json_object_set_new(object, "descriptor", json_true());
	core_control_say(c, object, fd);
}

static void refuse(struct core_control_client *c, int64_t tag, int err,
                   const char *format, ...) __attribute__((format(printf, 4, 5)));
static void refuse(struct core_control_client *c, int64_t tag, int err,
                   const char *format, ...)
{
	va_list arguments;
	json_t *object, *message;

	va_start(arguments, format);
	message = json_vsprintf(format, arguments);
	va_end(arguments);
	if (message == NULL) /* A precision cut a character of UTF-8 in two. */
		message = json_string(muses_strerror(err));
	object = json_pack("{s:b, s:i, s:o}", "ok", 0, "error", err, "message", message);
	if (tag != TAG_NONE)
		json_object_set_new(object, "tag", json_integer(tag));
	core_control_say(c, object, -1);
}

/* ---- streams -------------------------------------------------------------- */

static void stream_free(struct core_control_stream *s)
{
	*s->link = s->next;
	if (s->next != NULL)
		s->next->link = s->link;
	muses_timer_stop(&s->timeout);
	if (s->fd >= 0)
		close(s->fd);
	muses_free(s);
}

/* For a program: what a reason means as an error. */
static int reason_error(enum core_reason reason)
{
	switch (reason) {
	case CORE_REASON_NONE:
		return 0;
	case CORE_REASON_NO_SERVICE:
	case CORE_REASON_NOT_ALLOWED:
	case CORE_REASON_REFUSED:
		return MUSES_EREFUSED;
	case CORE_REASON_LIMIT:
		return MUSES_ELIMIT;
	case CORE_REASON_UNREACHABLE:
	case CORE_REASON_GAVE_UP:
		return MUSES_EUNREACHABLE;
	default:
		return MUSES_ECLOSED;
	}
}

static const char *reason_words(enum core_reason reason)
{
	return reason == CORE_REASON_NONE ? "" : core_reason_text(reason);
}

static void hand_over(struct core_control_stream *s)
{
	int fd = s->fd;

	s->fd = -1;
	muses_timer_stop(&s->timeout);
	answer(s->client, s->tag, json_pack("{s:I}", "stream", (json_int_t)s->number),
	       fd);
}

static void stream_suspended(void *data, struct core_connection *connection,
                             bool suspended)
{
	struct core_control_stream *s = data;

	(void)connection;
	if (s->fd < 0 && !core_control_choked(s->client))
		core_control_say(s->client,
		                 json_pack("{s:s, s:I}", "event",
		                           suspended ? "suspended" : "resumed", "stream",
		                           (json_int_t)s->number),
		                 -1);
}

static void stream_ended(void *data, struct core_connection *connection,
                         enum core_reason reason)
{
	struct core_control_stream *s = data;

	(void)connection;
	if (s->fd >= 0)
		refuse(s->client, s->tag, reason_error(reason), "%s",
		       reason_words(reason));
	else
		core_control_say(s->client,
		                 json_pack("{s:s, s:I, s:i, s:s}", "event", "ended",
		                           "stream", (json_int_t)s->number, "error",
		                           reason_error(reason), "message",
		                           reason_words(reason)),
		                 -1);
	stream_free(s);
}

static const struct core_connection_watcher watcher = { stream_suspended, stream_ended };

static void stream_timeout(struct muses_timer *t)
{
	struct core_control_stream *s =
		muses_container(t, struct core_control_stream, timeout);

	refuse(s->client, s->tag, MUSES_ETIMEOUT, "the peer did not answer within %u ms",
	       (unsigned)s->timeout_ms);
	core_connection_abort(s->connection, CORE_REASON_RESET);
	stream_free(s);
}

static struct core_control_stream *stream_new(struct core_control_client *c, int *other)
{
	struct core_control_stream *s = muses_zalloc(sizeof(*s));
	int pair[2];

	if (s == NULL)
		return NULL;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
		muses_free(s);
		return NULL;
	}
	/* The program gets an ordinary, blocking one. */
	fcntl(pair[1], F_SETFL, O_NONBLOCK);
	s->client = c;
	s->number = ++c->numbers;
	s->fd = pair[0];
	*other = pair[1];
	core_timer_init(c->control->env->loop, &s->timeout, stream_timeout);
	s->link = &c->streams;
	s->next = c->streams;
	if (s->next != NULL)
		s->next->link = &s->next;
	c->streams = s;
	return s;
}

static bool established(const struct core_control_stream *s)
{
	struct core_stream *stream = core_connection_stream(s->connection);

	return stream != NULL && core_session_state(core_stream_session(stream)) ==
	                                 CORE_SESSION_ESTABLISHED;
}

void core_control_client_news(struct core_control_client *c,
                              const struct core_session *session)
{
	for (struct core_control_stream *s = c->streams; s != NULL; s = s->next) {
		struct core_stream *stream = core_connection_stream(s->connection);

		if (s->fd >= 0 && stream != NULL && established(s) &&
		    (session == NULL || core_stream_session(stream) == session))
			hand_over(s);
	}
}

void core_control_release(struct core_control_client *c)
{
	while (c->streams != NULL) {
		struct core_control_stream *s = c->streams;

		if (s->fd >= 0)
			core_connection_abort(s->connection, CORE_REASON_RESET);
		else
			core_connection_watch(s->connection, NULL, NULL);
		stream_free(s);
	}
	while (c->taken != NULL) {
		struct core_control_taken *t = c->taken;

		c->taken = t->next;
		core_lcm_untake(t->taken);
		muses_free(t);
	}
}

/* ---- verbs ---------------------------------------------------------------- */

struct request {
	struct core_control_client *client;
	json_t *object;
	int64_t tag;
};

/* The strings that a verb needs; false: refused already. */
static bool texts(const struct request *r, const char *key, const char **text)
{
	*text = json_string_value(json_object_get(r->object, key));
	if (*text != NULL)
		return true;
	refuse(r->client, r->tag, MUSES_EUSAGE, "\"%s\" has to be there, and be a string",
	       key);
	return false;
}

static int look_up(const struct request *r, const char *name, struct muses_id *id)
{
	const struct core_control_host *host = &r->client->control->host;
	int err = host->resolve(host->owner, name, id);

	if (err != 0)
		refuse(r->client, r->tag, err, "%s: \"%.100s\"", muses_strerror(err),
		       name);
	return err;
}

static void verb_ping(const struct request *r)
{
	const struct core_control_host *host = &r->client->control->host;
	char id[MUSES_ID_LENGTH + 1];

	muses_id_text(host->id, id);
	answer(r->client, r->tag,
	       json_pack("{s:s, s:s, s:i}", "name", host->name, "id", id, "protocol",
	                 MUSES_CLIENT_PROTOCOL),
	       -1);
}

static void verb_status(const struct request *r)
{
	const struct core_control_host *host = &r->client->control->host;

	answer(r->client, r->tag, json_pack("{s:o}", "status", host->status(host->owner)),
	       -1);
}

static void verb_session(const struct request *r)
{
	const struct core_control_host *host = &r->client->control->host;
	const char *name;
	struct muses_id id;
	json_t *session;

	if (!texts(r, "name", &name) || look_up(r, name, &id) != 0)
		return;
	session = host->session(host->owner, &id);
	if (session == NULL)
		refuse(r->client, r->tag, MUSES_EUNKNOWN, "there is no session with %s",
		       name);
	else
		answer(r->client, r->tag, json_pack("{s:o}", "session", session), -1);
}

static void verb_resolve(const struct request *r)
{
	char text[MUSES_ID_LENGTH + 1];
	const char *name;
	struct muses_id id;

	if (!texts(r, "name", &name) || look_up(r, name, &id) != 0)
		return;
	muses_id_text(&id, text);
	answer(r->client, r->tag, json_pack("{s:s}", "id", text), -1);
}

static void verb_reload(const struct request *r)
{
	const struct core_control_host *host = &r->client->control->host;
	char why[1024] = "";
	int err = host->reload(host->owner, why, sizeof(why));

	if (err != 0)
		refuse(r->client, r->tag, err, "%s", why);
	else
		answer(r->client, r->tag, json_object(), -1);
}

static void verb_connect(const struct request *r)
{
	struct core_control_client *c = r->client;
	const json_t *timeout = json_object_get(r->object, "timeout_ms");
	json_int_t timeout_ms = timeout == NULL ? 0 : json_integer_value(timeout);
	const char *name, *service;
	struct core_control_stream *s;
	int other, err;

	if (!texts(r, "name", &name) || !texts(r, "service", &service))
		return;
	if ((timeout != NULL && !json_is_integer(timeout)) || timeout_ms < 0 ||
	    timeout_ms > INT32_MAX) {
		refuse(c, r->tag, MUSES_EUSAGE, "timeout_ms: want 0 to %d", INT32_MAX);
		return;
	}
	if (!muses_name_valid(service)) {
		refuse(c, r->tag, MUSES_EUSAGE, "\"%.100s\" is not a name for a service",
		       service);
		return;
	}
	s = stream_new(c, &other);
	if (s == NULL) {
		refuse(c, r->tag, MUSES_ELIMIT, "out of memory or descriptors");
		return;
	}
	s->tag = r->tag;
	s->timeout_ms = (uint32_t)timeout_ms;
	err = core_lcm_connect(c->control->lcm, other, name, service, &watcher, s,
	                       &s->connection);
	if (err != 0) {
		refuse(c, r->tag, err, "cannot connect to %.100s: %s", name,
		       err == MUSES_EUSAGE ? "that is this node itself"
		                           : muses_strerror(err));
		stream_free(s);
	} else if (timeout_ms == 0 || established(s)) {
		hand_over(s);
	} else {
		muses_timer_after(&s->timeout, (uint64_t)timeout_ms * MUSES_MS);
	}
}

/* A peer has connected to a service that this client serves. */
static int control_arrived(void *data, struct core_connection *connection,
                           const struct muses_id *peer)
{
	struct core_control_taken *t = data;
	struct core_control_client *c = t->client;
	const struct core_control_host *host = &c->control->host;
	char name[MUSES_NAME_MAX + 1], id[MUSES_ID_LENGTH + 1];
	struct core_control_stream *s;
	int other, fd;

	if (core_control_choked(c) || c->doomed)
		return MUSES_ELIMIT;
	s = stream_new(c, &other);
	if (s == NULL)
		return MUSES_ELIMIT;
	s->connection = connection;
	core_connection_watch(connection, &watcher, s);
	host->show(host->owner, peer, name);
	muses_id_text(peer, id);
	fd = s->fd;
	s->fd = -1;
	core_control_say(c,
	                 json_pack("{s:s, s:s, s:I, s:s, s:s, s:b}", "event", "accept",
	                           "service", t->service, "stream", (json_int_t)s->number,
	                           "peer", name, "id", id, "descriptor", 1),
	                 fd);
	return other;
}

static void verb_listen(const struct request *r)
{
	struct core_control_client *c = r->client;
	const json_t *allow = json_object_get(r->object, "allow");
	const char *service, *name[64];
	struct muses_list list = { .item = name };
	struct core_control_taken *t;
	int err;

	if (!texts(r, "service", &service))
		return;
	for (; list.count < json_array_size(allow) && list.count < 64; list.count++) {
		name[list.count] = json_string_value(json_array_get(allow, list.count));
		if (name[list.count] == NULL)
			break;
	}
	if (!json_is_array(allow) || list.count < json_array_size(allow)) {
		refuse(c, r->tag, MUSES_EUSAGE,
		       "allow: want an array of at most 64 names");
		return;
	}
	t = muses_zalloc(sizeof(*t));
	if (t == NULL) {
		refuse(c, r->tag, MUSES_ENOMEM, "%s", muses_strerror(MUSES_ENOMEM));
		return;
	}
	t->client = c;
	err = core_lcm_take(c->control->lcm, service, &list, control_arrived, t,
	                    &t->taken);
	if (err != 0) {
		muses_free(t);
		refuse(c, r->tag, err,
		       err == MUSES_ELIMIT ? "the service \"%.100s\" is taken already"
		                           : "cannot listen for \"%.100s\"",
		       service);
		return;
	}
	snprintf(t->service, sizeof(t->service), "%s", service);
	t->next = c->taken;
	c->taken = t;
	answer(c, r->tag, json_object(), -1);
}

static const struct {
	const char *name;
	void (*run)(const struct request *r);
} verbs[] = {
	{ "ping", verb_ping },       { "status", verb_status },
	{ "session", verb_session }, { "resolve", verb_resolve },
	{ "connect", verb_connect }, { "listen", verb_listen },
	{ "reload", verb_reload },
};

void core_control_request(struct core_control_client *c, const char *line, size_t size)
{
	struct request r = { .client = c, .tag = TAG_NONE };
	json_error_t error;
	const char *verb;

	r.object = json_loadb(line, size, JSON_REJECT_DUPLICATES, &error);
	verb = json_string_value(json_object_get(r.object, "verb"));
	if (json_is_integer(json_object_get(r.object, "tag")))
		r.tag = json_integer_value(json_object_get(r.object, "tag"));
	if (r.object == NULL) {
		refuse(c, r.tag, MUSES_EUSAGE, "not JSON: %s", error.text);
	} else if (verb == NULL) {
		refuse(c, r.tag, MUSES_EUSAGE, "a request is an object with a \"verb\"");
	} else {
		size_t i = 0;

		while (i < sizeof(verbs) / sizeof(verbs[0]) &&
		       strcmp(verbs[i].name, verb) != 0)
			i++;
		if (i < sizeof(verbs) / sizeof(verbs[0]))
			verbs[i].run(&r);
		else
			refuse(c, r.tag, MUSES_EUSAGE,
			       "no verb \"%.100s\": there are ping, status, session, "
			       "resolve, "
			       "connect, listen and reload",
			       verb);
	}
	json_decref(r.object);
}
