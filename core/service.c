/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Services: from a peer's stream to a local socket.  Who is not on the allow list
 * learns no more than that; who asks for a service that is not there, likewise.
 */
#include "core/service.h"
#include "core/address.h"
#include "core/mem.h"

#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

struct core_service_entry {
	struct core_service_entry *next;
	char *name, *connect;
	char **allow;
	size_t allow_count;
	struct core_address at;
	bool complained; /* That nobody listens there. */
};

struct core_lcm_taken {
	struct core_lcm_taken *next, **link;
	struct core_service_entry entry; /* Without connect and at. */
	core_lcm_arrived_fn *arrived;
	void *data;
};

/* ---- the list ------------------------------------------------------------- */

static void entry_release(struct core_service_entry *e)
{
	for (size_t i = 0; i < e->allow_count; i++)
		muses_free(e->allow[i]);
	muses_free(e->allow);
	muses_free(e->name);
	muses_free(e->connect);
}

void core_services_free(struct core_service_entry *list)
{
	for (struct core_service_entry *next; list != NULL; list = next) {
		next = list->next;
		entry_release(list);
		muses_free(list);
	}
}

/* After an error: entry_release(). */
static int entry_fill(struct core_service_entry *e, const char *name,
                      const struct muses_list *allow)
{
	e->name = core_strdup(name);
	e->allow = muses_zalloc((allow->count + 1) * sizeof(*e->allow));
	if (e->name == NULL || e->allow == NULL)
		return MUSES_ENOMEM;
	for (; e->allow_count < allow->count; e->allow_count++) {
		e->allow[e->allow_count] = core_strdup(allow->item[e->allow_count]);
		if (e->allow[e->allow_count] == NULL)
			return MUSES_ENOMEM;
	}
	return 0;
}

int core_services_make(struct core_service_entry **list,
                       const struct core_service *service, size_t count,
                       const char *folder, char *why, size_t why_size)
{
	int err = 0;

	*list = NULL;
	for (size_t i = 0; i < count && err == 0; i++) {
		struct core_service_entry *e = muses_zalloc(sizeof(*e));
		char reason[400];

		err = MUSES_ENOMEM;
		if (e == NULL)
			break;
		e->next = *list;
		*list = e;
		err = entry_fill(e, service[i].name, &service[i].allow);
		if (err != 0)
			break;
		e->connect = core_strdup(service[i].connect);
		if (e->connect == NULL) {
			err = MUSES_ENOMEM;
			break;
		}
		err = core_address_parse(&e->at, service[i].connect, CORE_ADDRESS_CONNECT,
		                         folder, reason, sizeof(reason));
		if (err != 0)
			snprintf(why, why_size, "services.%s.connect: %s",
			         service[i].name, reason);
	}
	if (err == 0)
		return 0;
	if (err == MUSES_ENOMEM)
		snprintf(why, why_size, "%s", muses_strerror(err));
	core_services_free(*list);
	*list = NULL;
	return err;
}

void core_services_use(struct core_services *all, struct core_service_entry *list)
{
	core_services_free(all->first);
	all->first = list;
}

static struct core_service_entry *find_entry(const struct core_services *all,
                                             const char *name)
{
	struct core_service_entry *e = all->first;

	while (e != NULL && strcmp(e->name, name) != 0)
		e = e->next;
	return e;
}

static struct core_lcm_taken *find_taken(const struct core_services *all,
                                         const char *name)
{
	struct core_lcm_taken *t = all->taken;

	while (t != NULL && strcmp(t->entry.name, name) != 0)
		t = t->next;
	return t;
}

/* ---- a peer asks ---------------------------------------------------------- */

static bool allowed(const struct core_services *all, const struct core_service_entry *e,
                    const struct muses_id *peer)
{
	for (size_t i = 0; i < e->allow_count; i++) {
		struct muses_id id;

		if (strcmp(e->allow[i], "*") == 0)
			return true;
		if (all->host->resolve(all->host->owner, e->allow[i], &id) == 0 &&
		    muses_id_equal(&id, peer))
			return true;
	}
	return false;
}

/* Said once until it works again: a peer could ask all day long. */
static void complain(struct core_services *all, struct core_service_entry *e,
                     const char *what)
{
	core_count(all->env->stats, "lcm", "service did not answer");
	core_log(all->env->log, e->complained ? MUSES_DEBUG : MUSES_WARN, "lcm",
	         "service %s: %s", e->name, what);
	e->complained = true;
}

void core_services_answered(struct core_services *all, const char *service, int system)
{
	struct core_service_entry *e = find_entry(all, service);
	char what[300];

	if (e == NULL)
		return; /* Reloaded away since. */
	if (system == 0) {
		e->complained = false;
		return;
	}
	snprintf(what, sizeof(what), "cannot connect to %.200s: %s", e->connect,
	         strerror(system));
	complain(all, e, what);
}

static void join_address(struct core_services *all, struct core_stream *s,
                         struct core_service_entry *e)
{
	struct core_connection *c;
	bool connecting;
	char what[400];
	int one = 1;
	int fd = core_address_connect(&e->at, &connecting, what, sizeof(what));

	if (fd < 0) {
		complain(all, e, what);
		core_stream_reject(s, fd == MUSES_EAGAIN ? CORE_REASON_LIMIT
		                                         : CORE_REASON_REFUSED);
		return;
	}
	/* We collect bytes ourselves: nothing is gained by the kernel waiting, too. */
	if (e->at.family != AF_UNIX)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	c = core_connection_open(all->connections, fd, connecting);
	if (c == NULL) {
		core_stream_reject(s, CORE_REASON_LIMIT);
		return;
	}
	/* Taken before connect() has answered: then a stream that is reset meanwhile
	 * has somebody to tell. */
	core_stream_accept(s, &core_connection_streams, c);
	core_connection_attach(c, s);
}

static void join_program(struct core_services *all, struct core_stream *s,
                         struct core_lcm_taken *t, const struct muses_id *peer)
{
	struct core_connection *c = core_connection_open(all->connections, -1, false);
	int fd = c == NULL ? MUSES_ENOMEM : t->arrived(t->data, c, peer);

	if (fd < 0 || core_connection_socket(c, fd) != 0) {
		core_stream_reject(s, CORE_REASON_LIMIT);
		if (c != NULL)
			core_connection_fail(c, CORE_REASON_LIMIT);
		return;
	}
	core_stream_accept(s, &core_connection_streams, c);
	core_connection_attach(c, s);
}

void core_services_accept(struct core_services *all, struct core_stream *s,
                          const char *service)
{
	const struct muses_id *peer = core_session_peer(core_stream_session(s));
	struct core_service_entry *e = find_entry(all, service);
	struct core_lcm_taken *t = e == NULL ? find_taken(all, service) : NULL;

	if (e == NULL && t == NULL) {
		core_count(all->env->stats, "lcm", "no such service");
		core_stream_reject(s, CORE_REASON_NO_SERVICE);
	} else if (!allowed(all, e != NULL ? e : &t->entry, peer)) {
		core_count(all->env->stats, "lcm", "not allowed");
		core_stream_reject(s, CORE_REASON_NOT_ALLOWED);
	} else if (e != NULL) {
		join_address(all, s, e);
	} else {
		join_program(all, s, t, peer);
	}
}

/* ---- services that programs take ------------------------------------------ */

int core_services_take(struct core_services *all, const char *name,
                       const struct muses_list *allow, core_lcm_arrived_fn *arrived,
                       void *data, struct core_lcm_taken **taken)
{
	struct core_lcm_taken *t;

	*taken = NULL;
	if (!muses_name_valid(name))
		return MUSES_EUSAGE;
	if (find_entry(all, name) != NULL || find_taken(all, name) != NULL)
		return MUSES_ELIMIT;
	t = muses_zalloc(sizeof(*t));
	if (t == NULL || entry_fill(&t->entry, name, allow) != 0) {
		if (t != NULL)
			entry_release(&t->entry);
		muses_free(t);
		return MUSES_ENOMEM;
	}
	t->arrived = arrived;
	t->data = data;
	t->link = &all->taken;
	t->next = all->taken;
	if (t->next != NULL)
		t->next->link = &t->next;
	all->taken = t;
	*taken = t;
	return 0;
}

void core_lcm_untake(struct core_lcm_taken *t)
{
	if (t == NULL)
		return;
	*t->link = t->next;
	if (t->next != NULL)
		t->next->link = t->link;
	entry_release(&t->entry);
	muses_free(t);
}

/* ---- status --------------------------------------------------------------- */

static json_t *entry_info(const struct core_service_entry *e)
{
	json_t *allow = json_array();

	for (size_t i = 0; i < e->allow_count; i++)
		json_array_append_new(allow, json_string(e->allow[i]));
	return json_pack("{s:s, s:s?, s:o}", "name", e->name, "connect", e->connect,
	                 "allow", allow);
}

json_t *core_services_info(const struct core_services *all)
{
	json_t *list = json_array();

	for (const struct core_service_entry *e = all->first; e != NULL; e = e->next)
		json_array_append_new(list, entry_info(e));
	for (const struct core_lcm_taken *t = all->taken; t != NULL; t = t->next)
		json_array_append_new(list, entry_info(&t->entry));
	return list;
}
