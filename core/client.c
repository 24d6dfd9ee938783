/* SPDX-License-Identifier: Apache-2.0 */
/* The client API; core/clientline.c has the lines under it. */
#include <muses/client.h>

#include "core/address.h"
#include "core/clientline.h"
#include "core/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- opening and closing -------------------------------------------------- */

int muses_client_open(struct muses_client **client, const char *path)
{
	struct muses_client *c = muses_zalloc(sizeof(*c));
	struct core_address *at = muses_zalloc(sizeof(*at));
	char why[sizeof(c->why)];
	bool connecting;
	int err = MUSES_ENOMEM;

	*client = NULL;
	if (c == NULL || at == NULL) {
		muses_free(c);
		goto out;
	}
	c->fd = -1;
	*client = c;
	if (path == NULL)
		path = getenv("MUSES_CONTROL");
	if (path == NULL || *path == '\0') {
		err = core_client_fail(
			c, MUSES_EUSAGE,
			"which node?  Give the path of its control socket, or set "
			"MUSES_CONTROL");
		goto out;
	}
	err = core_address_from_path(at, path, NULL, why, sizeof(why));
	if (err != 0) {
		err = core_client_fail(c, MUSES_EUSAGE, "%s", why);
		goto out;
	}
	c->fd = core_address_connect(at, &connecting, why, sizeof(why));
	err = c->fd < 0 ? core_client_fail(c, MUSES_ESYSTEM, "no node answers: %s", why)
	                : 0;
out:
	muses_free(at);
	return err;
}

static void kept_free(struct core_client_kept *list)
{
	for (struct core_client_kept *next; list != NULL; list = next) {
		next = list->next;
		if (list->fd >= 0)
			close(list->fd);
		json_decref(list->object);
		muses_free(list);
	}
}

void muses_client_close(struct muses_client *c)
{
	if (c == NULL)
		return;
	if (c->fd >= 0)
		close(c->fd);
	kept_free(c->events);
	kept_free(c->accepts);
	for (struct core_client_handed *h; (h = c->handed) != NULL;) {
		c->handed = h->next;
		muses_free(h);
	}
	for (size_t i = 0; i < c->descriptors; i++)
		close(c->descriptor[i]);
	muses_free(c->line);
	muses_free(c);
}

const char *muses_client_why(const struct muses_client *c)
{
	return c == NULL ? muses_strerror(MUSES_ENOMEM) : c->why;
}

int muses_client_descriptor(const struct muses_client *c)
{
	return c->fd;
}

int muses_client_request(struct muses_client *c, const char *request, char **answer)
{
	json_error_t error;
	json_t *object = json_loads(request, JSON_REJECT_DUPLICATES, &error), *got;
	int err;

	*answer = NULL;
	if (!json_is_object(object)) {
		json_decref(object);
		return core_client_fail(c, MUSES_EUSAGE, "a request is a JSON object");
	}
	err = core_client_ask(c, object, CORE_CLIENT_ANSWER_MS, &got);
	if (err != 0)
		return err;
	json_object_del(got, "tag");
	*answer = json_dumps(got, JSON_INDENT(2));
	json_decref(got);
	return *answer == NULL ? core_client_fail(c, MUSES_ENOMEM, "%s",
	                                          muses_strerror(MUSES_ENOMEM))
	                       : 0;
}

/* ---- streams -------------------------------------------------------------- */

/* Remember fd for events.  That fails quietly: then its events have no fd. */
static void hand_out(struct muses_client *c, const json_t *object, int fd)
{
	struct core_client_handed *h = muses_zalloc(sizeof(*h));

	for (struct core_client_handed *old = c->handed; old != NULL; old = old->next)
		if (old->fd == fd)
			old->fd = -1; /* Closed since, or it could not be ours again. */
	if (h == NULL)
		return;
	h->stream = json_integer_value(json_object_get(object, "stream"));
	h->fd = fd;
	h->next = c->handed;
	c->handed = h;
}

int muses_connect(struct muses_client *c, const char *name, const char *service,
                  uint32_t timeout_ms)
{
	json_t *request =
		json_pack("{s:s, s:s, s:s, s:I}", "verb", "connect", "name", name,
	                  "service", service, "timeout_ms", (json_int_t)timeout_ms);
	json_t *answer;
	int err, fd;

	if (request == NULL)
		return core_client_fail(c, MUSES_EUSAGE,
		                        "name and service have to be UTF-8");
	err = core_client_ask(c, request, (uint64_t)timeout_ms + CORE_CLIENT_ANSWER_MS,
	                      &answer);
	if (err != 0)
		return err;
	fd = core_client_descriptor(c, answer);
	if (fd >= 0)
		hand_out(c, answer, fd);
	json_decref(answer);
	return fd >= 0 ? fd
	               : core_client_fail(c, MUSES_ELIMIT,
	                                  "no descriptor came: too many are open");
}

int muses_listen(struct muses_client *c, const char *service, const char *const *allow)
{
	json_t *names = json_array(), *answer;
	int err;

	for (size_t i = 0; allow != NULL && allow[i] != NULL; i++)
		json_array_append_new(names, json_string(allow[i]));
	err = core_client_ask(c,
	                      json_pack("{s:s, s:s, s:o}", "verb", "listen", "service",
	                                service, "allow", names),
	                      CORE_CLIENT_ANSWER_MS, &answer);
	json_decref(answer);
	return err;
}

static struct core_client_kept *pop(struct core_client_kept **list)
{
	struct core_client_kept *k = *list;

	if (k != NULL) {
		*list = k->next;
		k->next = NULL;
	}
	return k;
}

static void copy(char *to, size_t size, const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	snprintf(to, size, "%s", text == NULL ? "" : text);
}

int muses_accept(struct muses_client *c, struct muses_caller *caller, uint32_t timeout_ms)
{
	uint64_t until_ms =
		timeout_ms == UINT32_MAX ? UINT64_MAX : core_client_now_ms() + timeout_ms;
	char id[MUSES_ID_LENGTH + 1];
	int fd = -1;

	while (fd < 0) {
		struct core_client_kept *k = pop(&c->accepts);
		int err;

		if (k != NULL) {
			fd = k->fd;
			k->fd = -1;
			if (fd >= 0)
				hand_out(c, k->object, fd);
			if (fd >= 0 && caller != NULL) {
				copy(caller->service, sizeof(caller->service), k->object,
				     "service");
				copy(caller->name, sizeof(caller->name), k->object,
				     "peer");
				copy(id, sizeof(id), k->object, "id");
				if (!muses_id_parse(id, &caller->id))
					memset(&caller->id, 0, sizeof(caller->id));
			}
			kept_free(k);
			continue;
		}
		err = core_client_drain(c);
		if (c->accepts != NULL)
			continue;
		if (err == 0)
			err = core_client_wait(c, until_ms);
		if (err == MUSES_ETIMEOUT)
			return core_client_fail(c, err, "nobody has connected");
		if (err != 0)
			return err;
	}
	return fd;
}

int muses_session_state(struct muses_client *c, const char *name,
                        enum muses_session_state *state, uint64_t *suspended_ms)
{
	static const struct {
		const char *word;
		enum muses_session_state state;
	} table[] = {
		{ "connecting", MUSES_SESSION_CONNECTING },
		{ "established", MUSES_SESSION_ESTABLISHED },
		{ "suspected", MUSES_SESSION_ESTABLISHED },
		{ "suspended", MUSES_SESSION_SUSPENDED },
	};
	json_t *answer;
	const json_t *session;
	const char *word;
	int err;

	*state = MUSES_SESSION_NONE;
	if (suspended_ms != NULL)
		*suspended_ms = 0;
	err = core_client_ask(c, json_pack("{s:s, s:s}", "verb", "resolve", "name", name),
	                      CORE_CLIENT_ANSWER_MS, &answer);
	json_decref(answer);
	if (err != 0)
		return err;
	err = core_client_ask(c, json_pack("{s:s, s:s}", "verb", "session", "name", name),
	                      CORE_CLIENT_ANSWER_MS, &answer);
	if (err == MUSES_EUNKNOWN)
		return 0;
	if (err != 0)
		return err;
	session = json_object_get(answer, "session");
	word = json_string_value(json_object_get(session, "state"));
	for (size_t i = 0; word != NULL && i < sizeof(table) / sizeof(table[0]); i++)
		if (strcmp(word, table[i].word) == 0)
			*state = table[i].state;
	if (suspended_ms != NULL)
		*suspended_ms = (uint64_t)json_integer_value(
			json_object_get(session, "suspended_ms"));
	json_decref(answer);
	return 0;
}

/* ---- events --------------------------------------------------------------- */

static int fd_of(struct muses_client *c, const json_t *object, bool over)
{
	json_int_t stream = json_integer_value(json_object_get(object, "stream"));
	struct core_client_handed **link = &c->handed;
	struct core_client_handed *h;
	int fd;

	while (*link != NULL && (*link)->stream != stream)
		link = &(*link)->next;
	h = *link;
	if (h == NULL)
		return -1;
	fd = h->fd;
	if (over) {
		*link = h->next;
		muses_free(h);
	}
	return fd;
}

int muses_client_event(struct muses_client *c, struct muses_event *event)
{
	int err = core_client_drain(c);
	struct core_client_kept *k = pop(&c->events);
	const char *word;

	memset(event, 0, sizeof(*event));
	event->fd = -1;
	if (k == NULL && c->accepts != NULL) {
		event->kind = MUSES_EVENT_ACCEPT;
		return 1;
	}
	if (k == NULL)
		return err;
	word = json_string_value(json_object_get(k->object, "event"));
	event->kind = word == NULL                     ? MUSES_EVENT_ENDED
	              : strcmp(word, "suspended") == 0 ? MUSES_EVENT_SUSPENDED
	              : strcmp(word, "resumed") == 0   ? MUSES_EVENT_RESUMED
	                                               : MUSES_EVENT_ENDED;
	event->fd = fd_of(c, k->object, event->kind == MUSES_EVENT_ENDED);
	event->err = (int)json_integer_value(json_object_get(k->object, "error"));
	copy(event->why, sizeof(event->why), k->object, "message");
	kept_free(k);
	return 1;
}
