/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What our own sessions must know of their paths.  We watch the destinations that
 * were asked about, remember over which link each goes, and tell exactly those
 * sessions for which something has changed.
 */
#include "cloak_static.h"

#include <muses/reliability.h>

enum { STALE_S = 60 }; /* A refusal as old as that is forgotten. */

struct peer {
	struct peer *next; /* Oldest first. */
	struct muses_id id;
	struct muses_link *via; /* NULL: unreachable. */
	uint64_t refused_ns;    /* Last refusal that we were told of; 0: none. */
};

void peers_open(struct cloak *c)
{
	c->peer_last = &c->peer_first;
	c->peers.seed = muses_random_below(c->layer, UINT64_MAX);
}

void peers_close(struct cloak *c)
{
	struct peer *p;

	while ((p = c->peer_first) != NULL) {
		c->peer_first = p->next;
		muses_free(p);
	}
	muses_idmap_clear(&c->peers);
}

void peers_watch(struct cloak *c, const struct muses_id *destination)
{
	struct peer *p;

	if (muses_idmap_get(&c->peers, destination) != NULL)
		return;
	if (c->peers.count >= CLOAK_PEERS_MAX) {
		/* Claimed sources of Hellos that we answer can fill the list; the
		 * oldest goes.  Its session, if it has one, is watched again with its
		 * next packet. */
		p = c->peer_first;
		c->peer_first = p->next;
		if (p->next == NULL)
			c->peer_last = &c->peer_first;
		muses_idmap_remove(&c->peers, &p->id);
	} else {
		p = muses_zalloc(sizeof(*p));
		if (p == NULL)
			return;
	}
	*p = (struct peer){ .id = *destination,
		            .via = routes_next(c, destination, NULL) };
	if (muses_idmap_set(&c->peers, destination, p) != 0) {
		muses_free(p);
		return;
	}
	*c->peer_last = p;
	c->peer_last = &p->next;
}

void peers_review(struct cloak *c)
{
	struct event {
		struct muses_id id;
		int what;
	} * event;
	size_t count = 0;

	if (c->peers.count == 0)
		return;
	/* First all changes, then the upcalls: a session that is told sends at once,
	 * and that may change the list. */
	event = muses_zalloc(c->peers.count * sizeof(*event));
	for (struct peer *p = c->peer_first; p != NULL; p = p->next) {
		struct muses_link *via = routes_next(c, &p->id, NULL);

		if (via == p->via)
			continue;
		if (event != NULL) {
			event[count].id = p->id;
			event[count++].what = via == NULL      ? MUSES_PATH_DOWN
			                      : p->via == NULL ? MUSES_PATH_UP
			                                       : MUSES_PATH_MOVED;
		}
		p->via = via;
		p->refused_ns = 0;
	}
	if (event == NULL) /* Everybody looks for themselves. */
		muses_overlay_path(c->layer, NULL, MUSES_PATH_MOVED);
	for (size_t i = 0; i < count; i++) {
		muses_overlay_path(c->layer, &event[i].id, event[i].what);
		if (event[i].what != MUSES_PATH_DOWN)
			muses_overlay_writable(c->layer, &event[i].id);
	}
	muses_free(event);
}

void peers_refused(struct cloak *c, const struct muses_id *destination)
{
	struct peer *p = muses_idmap_get(&c->peers, destination);
	uint64_t now = muses_now(c->layer);
	struct muses_link *via;
	bool first;

	if (p == NULL)
		return;
	/* Once, until something changes: the Re-Hellos that it causes are refused,
	 * too, as long as the peer is away. */
	first = p->refused_ns == 0 || now - p->refused_ns >= STALE_S * MUSES_S;
	via = routes_next(c, destination, NULL);
	first = first || via != p->via;
	p->refused_ns = now;
	p->via = via;
	if (first)
		muses_overlay_path(c->layer, destination, MUSES_PATH_MOVED);
}

void peers_route_up(struct cloak *c, const struct muses_id *destination)
{
	struct peer *p = muses_idmap_get(&c->peers, destination);

	if (p == NULL)
		return;
	p->refused_ns = 0;
	p->via = routes_next(c, destination, NULL);
	muses_overlay_path(c->layer, destination, MUSES_PATH_UP);
	muses_overlay_writable(c->layer, destination);
}
