/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLOAK_STATIC_H
#define CLOAK_STATIC_H

#include "rh.h"

#include <muses/idmap.h>
#include <muses/overlay.h>

/*
 * What the files of cloak_static share: cloak_static.c (the plugin, packets),
 * routes.c (which link leads where), hints.c (what neighbours say and are told),
 * peers.c (what our own sessions must know).
 */
#define CLOAK_HOPS_MAX    32   /* Next hops for one destination, default ones included. */
#define CLOAK_PEERS_MAX   4096 /* Destinations of our own that we watch. */
#define CLOAK_REFUSED_MAX 1024 /* Destinations that next hops have refused. */
#define CLOAK_ASKED_MAX   1024 /* Neighbours that we have refused. */

struct cloak_config {
	struct muses_map routes;
	uint32_t hop_limit;
};

struct next_hop {
	const char *name;
	bool known; /* id is filled. */
	struct muses_id id;
	struct muses_link *link; /* NULL: down. */
};

struct route {
	const char *name;
	bool known;
	struct muses_id destination;
	size_t count;
	struct next_hop *hop;
};

struct refused;
struct asked;
struct peer;

struct cloak {
	struct muses_layer *layer;
	const struct cloak_config *config;
	const struct muses_keys_ops *keys;
	struct muses_layer *keys_layer;
	struct muses_idmap neighbours; /* -> struct muses_link */
	struct route *route;
	size_t route_count;
	struct muses_idmap by_destination; /* -> struct route */
	struct route *otherwise;           /* "*"; NULL: none. */
	bool unresolved;                   /* Some name is not known yet. */

	struct muses_idmap refused; /* destination -> struct refused */
	struct refused *refused_first, **refused_last;
	struct muses_idmap asked; /* destination -> struct asked */
	struct asked *asked_first, *asked_last;
	size_t asked_count;

	struct muses_idmap peers; /* -> struct peer */
	struct peer *peer_first, **peer_last;
};

/* A neighbour's note on its link: how many hints it may still send and get. */
struct budget {
	uint64_t since_ns;
	uint32_t taken, given;
};

/* ---- routes.c ---- */
int routes_open(struct cloak *c);
/* Resolve the names that are not yet known: 0, or the error of one that nobody
 * knows (said). */
int routes_resolve(struct cloak *c);
void routes_close(struct cloak *c);
/* Note that the link with its peer is up (link) or down (NULL). */
void routes_link(struct cloak *c, const struct muses_id *neighbour, struct muses_link *link);
/* Where a packet for destination goes that came from there (NULL: from us); NULL:
 * nowhere. */
struct muses_link *routes_next(struct cloak *c, const struct muses_id *destination,
                               const struct muses_link *from);
/* The place of link among the next hops of destination, or -1. */
int routes_place(const struct cloak *c, const struct muses_id *destination,
                 const struct muses_link *link);
/* Of the next hops that are up, which bits are set? */
uint32_t routes_up(const struct cloak *c, const struct muses_id *destination);

/* ---- hints.c ---- */
void hints_open(struct cloak *c);
void hints_close(struct cloak *c);
/* Places refused for destination and not yet tried again; a bit each. */
uint32_t hints_refused(struct cloak *c, const struct muses_id *destination);
/* Links changed: what was refused over the old ones says nothing now. */
void hints_forget_refused(struct cloak *c);
/* No next hop for a packet of source that came over from: tell and remember. */
void hints_refuse(struct cloak *c, const struct muses_id *destination,
                  const struct muses_id *source, struct muses_link *from);
/* Whoever was refused and could be served now is told. */
void hints_recall(struct cloak *c);
void hints_control(struct cloak *c, struct muses_link *link, const uint8_t *data, size_t size);

/* ---- peers.c ---- */
void peers_open(struct cloak *c);
void peers_close(struct cloak *c);
/* We want to send to destination: watch its path from now on. */
void peers_watch(struct cloak *c, const struct muses_id *destination);
/* Links changed: tell the sessions what that means for each. */
void peers_review(struct cloak *c);
/* A next hop said no, or that it can again. */
void peers_refused(struct cloak *c, const struct muses_id *destination);
void peers_route_up(struct cloak *c, const struct muses_id *destination);

#endif
