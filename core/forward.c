/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Listeners for applications.  What a newcomer would get wrong: running out of
 * descriptors must not become a loop that spins on a listener that stays ready.
 */
#include "core/forward.h"
#include "core/address.h"
#include "core/mem.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG       512
#define ACCEPT_A_TURN 64
#define BREATHE_NS    (100 * MUSES_MS) /* After running out of descriptors. */

struct core_listener {
	struct muses_watch watch;
	struct core_forwards *all;
	struct core_listener *next;
	char *listen, *to, *service;
	char *bound; /* Where it really listens, for people. */
	struct core_address at;
	int fd; /* -1: in a list not yet in use, whose socket is still another's. */
};

static void listener_free(struct core_listener *l)
{
	if (l == NULL)
		return;
	muses_watch_close(&l->watch);
	if (l->fd >= 0) {
		core_address_unlisten(&l->at, l->fd);
		close(l->fd);
	}
	muses_free(l->listen);
	muses_free(l->to);
	muses_free(l->service);
	muses_free(l->bound);
	muses_free(l);
}

void core_forwards_free(struct core_listener *list)
{
	for (struct core_listener *next; list != NULL; list = next) {
		next = list->next;
		listener_free(list);
	}
}

static struct core_listener *find(struct core_listener *l, const char *listen)
{
	while (l != NULL && strcmp(l->listen, listen) != 0)
		l = l->next;
	return l;
}

/* ---- accepting ------------------------------------------------------------ */

static void want(struct core_forwards *all, uint32_t wanted)
{
	for (struct core_listener *l = all->first; l != NULL; l = l->next)
		muses_watch_want(&l->watch, wanted);
}

static void listener_ready(struct muses_watch *w, uint32_t ready)
{
	struct core_listener *l = muses_container(w, struct core_listener, watch);
	struct core_forwards *all = l->all;
	int one = 1;

	(void)ready;
	muses_watch_drained(w, MUSES_HUNG);
	for (int i = 0; i < ACCEPT_A_TURN; i++) {
		int fd;

		if (!all->room(all->owner)) {
			want(all, 0);
			return;
		}
		fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0) {
			/* We collect bytes ourselves: nothing is gained by the kernel
			 * waiting, too. */
			if (l->at.family != AF_UNIX)
				setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one,
				           sizeof(one));
			all->accepted(all->owner, fd, l->bound, l->to, l->service);
		} else if (errno == EAGAIN) {
			muses_watch_drained(w, MUSES_READABLE);
			return;
		} else if (errno != EINTR && errno != ECONNABORTED) {
			/* Out of descriptors or memory: let some connections end. */
			core_count(all->env->stats, "lcm", "cannot accept");
			want(all, 0);
			muses_timer_after(&all->breathe, BREATHE_NS);
			return;
		}
	}
}

static void forwards_breathe(struct muses_timer *t)
{
	core_forwards_resume(muses_container(t, struct core_forwards, breathe));
}

void core_forwards_resume(struct core_forwards *all)
{
	want(all, MUSES_READABLE);
}

/* ---- the configuration ---------------------------------------------------- */

static int listener_open(struct core_listener *l, size_t index, const char *folder,
                         char *why, size_t why_size)
{
	char text[CORE_ADDRESS_TEXT_SIZE], reason[400];
	int err = core_address_parse(&l->at, l->listen, CORE_ADDRESS_LISTEN, folder,
	                             reason, sizeof(reason));

	if (err == 0) {
		l->fd = core_address_listen(&l->at, BACKLOG, reason, sizeof(reason));
		err = l->fd < 0 ? l->fd : 0;
	}
	if (err != 0) {
		snprintf(why, why_size, "forward[%zu].listen: %s", index, reason);
		return err;
	}
	core_address_bound(l->fd, &l->at, text, sizeof(text));
	l->bound = core_strdup(text);
	return l->bound == NULL ? MUSES_ENOMEM : 0;
}

static struct core_listener *listener_new(const struct core_forward *f)
{
	struct core_listener *l = muses_zalloc(sizeof(*l));

	if (l == NULL)
		return NULL;
	l->fd = -1;
	l->listen = core_strdup(f->listen);
	l->to = core_strdup(f->to);
	l->service = core_strdup(f->service);
	if (l->listen != NULL && l->to != NULL && l->service != NULL)
		return l;
	listener_free(l);
	return NULL;
}

int core_forwards_make(const struct core_forwards *all, struct core_listener **list,
                       const struct core_forward *forward, size_t count,
                       const char *folder, char *why, size_t why_size)
{
	struct core_listener **link = list;
	int err = 0;

	*list = NULL;
	for (size_t i = 0; i < count && err == 0; i++, link = &(*link)->next) {
		if (find(*list, forward[i].listen) != NULL) {
			snprintf(why, why_size,
			         "forward[%zu].listen: \"%s\" is there twice", i,
			         forward[i].listen);
			err = MUSES_ECONFIG;
			break;
		}
		*link = listener_new(&forward[i]);
		if (*link == NULL) {
			err = MUSES_ENOMEM;
			break;
		}
		if (find(all->first, forward[i].listen) == NULL)
			err = listener_open(*link, i, folder, why, why_size);
	}
	if (err == 0)
		return 0;
	if (err == MUSES_ENOMEM)
		snprintf(why, why_size, "%s", muses_strerror(err));
	core_forwards_free(*list);
	*list = NULL;
	return err;
}

static void inherit(struct core_listener *from, struct core_listener *to)
{
	to->fd = from->fd;
	to->at = from->at;
	to->bound = from->bound;
	from->fd = -1;
	from->bound = NULL;
	muses_watch_close(&from->watch);
}

void core_forwards_use(struct core_forwards *all, struct core_listener *list)
{
	for (struct core_listener *l = list; l != NULL; l = l->next) {
		struct core_listener *old = find(all->first, l->listen);

		l->all = all;
		if (old != NULL)
			inherit(old, l);
		else
			core_log(all->env->log, MUSES_INFO, "lcm",
			         "listening on %s for %s at %s", l->bound, l->service,
			         l->to);
		if (core_watch_open(all->env->loop, &l->watch, l->fd, MUSES_READABLE,
		                    listener_ready) != 0)
			core_log(all->env->log, MUSES_ERROR, "lcm", "cannot watch %s",
			         l->bound);
	}
	core_forwards_free(all->first);
	all->first = list;
}

void core_forwards_init(struct core_forwards *all, struct core_env *env)
{
	*all = (struct core_forwards){ .env = env };
	core_timer_init(env->loop, &all->breathe, forwards_breathe);
}

void core_forwards_close(struct core_forwards *all)
{
	muses_timer_stop(&all->breathe);
	core_forwards_use(all, NULL);
}

json_t *core_forwards_info(const struct core_forwards *all)
{
	json_t *list = json_array();

	for (const struct core_listener *l = all->first; l != NULL; l = l->next)
		json_array_append_new(list,
		                      json_pack("{s:s, s:s, s:s}", "listen", l->bound,
		                                "to", l->to, "service", l->service));
	return list;
}
