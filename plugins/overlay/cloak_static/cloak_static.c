/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cloak_static: an overlay whose routes stand in the configuration.  Small, and
 * complete: relays, hop limit, congestion marks, MTU, and hints between
 * neighbours when a destination cannot be reached or can be again.
 */
#include "cloak_static.h"

#include <muses/keys.h>

#include <stdio.h>

static const struct muses_option cloak_options[] = {
	MUSES_MAP(cloak_config, routes, 0,
	          "Destinations and their next hops in order of preference; \"*\" stands "
	          "for all others.  Neighbours need no route."),
	MUSES_UINT32(cloak_config, hop_limit, 16, 1, 64, "hops",
	             "Links that a packet may cross at most."),
	MUSES_OPTIONS_END,
};

static bool name_fits(const char *name)
{
	struct muses_id id;

	return muses_name_valid(name) || muses_id_parse(name, &id);
}

static int cloak_check(const void *config, char *why, size_t why_size)
{
	const struct cloak_config *c = config;

	for (size_t i = 0; i < c->routes.count; i++) {
		const struct muses_map_entry *e = &c->routes.entry[i];

		if (strcmp(e->name, "*") != 0 && !name_fits(e->name)) {
			snprintf(why, why_size,
			         "routes: \"%s\" is not a name; want a name, a node id "
			         "or *",
			         e->name);
			return MUSES_ECONFIG;
		}
		if (e->values.count == 0 || e->values.count > CLOAK_HOPS_MAX / 2) {
			snprintf(why, why_size, "routes.%s: %zu next hops; want 1 to %d",
			         e->name, e->values.count, CLOAK_HOPS_MAX / 2);
			return MUSES_ECONFIG;
		}
		for (size_t k = 0; k < e->values.count; k++)
			if (!name_fits(e->values.item[k])) {
				snprintf(why, why_size,
				         "routes.%s: next hop \"%s\" is not a name; want "
				         "a "
				         "name or a node id",
				         e->name, e->values.item[k]);
				return MUSES_ECONFIG;
			}
	}
	return 0;
}

/* ---- life ------------------------------------------------------------------------ */

static void cloak_free(struct cloak *c)
{
	if (c == NULL)
		return;
	peers_close(c);
	hints_close(c);
	routes_close(c);
	muses_free(c);
}

static int cloak_open(struct muses_layer *l, const void *config)
{
	struct cloak *c = muses_zalloc(sizeof(*c));

	if (c == NULL)
		return MUSES_ENOMEM;
	c->layer = l;
	c->config = config;
	c->neighbours.seed = muses_random_below(l, UINT64_MAX);
	c->by_destination.seed = muses_random_below(l, UINT64_MAX);
	peers_open(c);
	hints_open(c);
	if (routes_open(c) != 0) {
		cloak_free(c);
		return MUSES_ENOMEM;
	}
	muses_set_self(l, c);
	return 0;
}

static int cloak_start(struct muses_layer *l)
{
	struct cloak *c = muses_self(l);

	c->keys = muses_service(l, MUSES_KEYS, &c->keys_layer);
	return routes_resolve(c);
}

static void cloak_close(struct muses_layer *l)
{
	cloak_free(muses_self(l));
}

/* ---- links --------------------------------------------------------------------------
 */

static void cloak_link_up(struct muses_layer *l, struct muses_link *link)
{
	struct cloak *c = muses_self(l);
	const struct muses_id *peer = muses_link_peer(link);

	muses_link_set_note(link, muses_zalloc(sizeof(struct budget)));
	/* Unknown names were refused at start: what is late now is only late. */
	(void)routes_resolve(c);
	if (muses_idmap_set(&c->neighbours, peer, link) != 0)
		muses_log(l, MUSES_ERROR,
		          "out of memory: a neighbour is reached by routes only");
	routes_link(c, peer, link);
	hints_forget_refused(c);
	hints_recall(c);
	peers_review(c);
}

static void cloak_link_down(struct muses_layer *l, struct muses_link *link)
{
	struct cloak *c = muses_self(l);
	const struct muses_id *peer = muses_link_peer(link);

	muses_free(muses_link_note(link));
	muses_link_set_note(link, NULL);
	if (muses_idmap_get(&c->neighbours, peer) != link)
		return; /* A newer link with it is up. */
	muses_idmap_remove(&c->neighbours, peer);
	routes_link(c, peer, NULL);
	hints_forget_refused(c);
	peers_review(c);
}

static void cloak_link_writable(struct muses_layer *l, struct muses_link *link)
{
	(void)link;
	muses_overlay_writable(l, NULL);
}

static void cloak_control(struct muses_layer *l, struct muses_link *link,
                          struct muses_buf *b)
{
	hints_control(muses_self(l), link, b->data, b->size);
	muses_buf_free(b);
}

/* ---- packets --------------------------------------------------------------------------
 */

static void send_over(struct muses_link *link, struct rh *rh, struct muses_buf *b)
{
	uint8_t flags = (muses_link_congested(link) ? RH_CONGESTED : 0) |
	                (muses_link_lossy(link) ? RH_LOSSY : 0);

	rh_cross(rh, muses_link_mtu(link), flags);
	rh_write(rh, b->data);
	muses_link_send(link, b);
}

static int cloak_send(struct muses_layer *l, const struct muses_id *destination,
                      struct muses_buf *b)
{
	struct cloak *c = muses_self(l);
	struct muses_link *link = routes_next(c, destination, NULL);
	struct rh rh = { .hops = (uint8_t)c->config->hop_limit,
		         .mtu = MUSES_PACKET_MAX,
		         .destination = *destination,
		         .source = *muses_node_id(l) };
	int err = 0;

	peers_watch(c, destination);
	if (link == NULL)
		err = MUSES_EUNREACHABLE;
	else if (muses_link_full(link))
		err = MUSES_EAGAIN;
	else if (muses_buf_push(b, RH_BYTES) == NULL || b->size > muses_link_mtu(link))
		err = MUSES_EUSAGE;
	if (err != 0) {
		muses_count(l, err == MUSES_EUNREACHABLE
		                       ? "no next hop for a packet of ours"
		               : err == MUSES_EAGAIN ? "queue full for a packet of ours"
		                                     : "packet of ours too big");
		muses_buf_free(b);
		return err;
	}
	send_over(link, &rh, b);
	return 0;
}

static void drop(struct cloak *c, struct muses_buf *b, const char *reason)
{
	muses_count(c->layer, reason);
	muses_buf_free(b);
}

static void deliver(struct cloak *c, const struct rh *rh, struct muses_buf *b)
{
	const struct muses_met met = { .source = rh->source,
		                       .mtu = rh->mtu,
		                       .lossy = (rh->flags & RH_LOSSY) != 0,
		                       .congested = (rh->flags & RH_CONGESTED) != 0 };

	muses_buf_pull(b, RH_BYTES);
	muses_overlay_deliver(c->layer, b, &met);
}

static void cloak_packet(struct muses_layer *l, struct muses_link *from,
                         struct muses_buf *b)
{
	struct cloak *c = muses_self(l);
	struct muses_link *out;
	struct rh rh;
	const char *why = rh_read(&rh, b->data, b->size);

	if (why != NULL) {
		drop(c, b, why);
		return;
	}
	if (muses_id_equal(&rh.destination, muses_node_id(l))) {
		deliver(c, &rh, b);
		return;
	}
	/* Whatever others allow: a loop is ours to bound, too. */
	if (rh.hops > c->config->hop_limit)
		rh.hops = (uint8_t)c->config->hop_limit;
	if (--rh.hops == 0) {
		drop(c, b, "hop limit reached");
		return;
	}
	out = routes_next(c, &rh.destination, from);
	if (out == NULL) {
		hints_refuse(c, &rh.destination, &rh.source, from);
		drop(c, b, "no next hop");
	} else if (b->size > muses_link_mtu(out)) {
		drop(c, b, "too big for the next link");
	} else {
		send_over(out, &rh, b);
	}
}

/* ---- questions
 * --------------------------------------------------------------------------- */

static bool cloak_writable(struct muses_layer *l, const struct muses_id *destination)
{
	struct cloak *c = muses_self(l);
	const struct muses_link *link = routes_next(c, destination, NULL);

	peers_watch(c, destination);
	return link != NULL && !muses_link_full(link);
}

static bool cloak_reachable(struct muses_layer *l, const struct muses_id *destination)
{
	struct cloak *c = muses_self(l);

	peers_watch(c, destination);
	return routes_next(c, destination, NULL) != NULL;
}

static uint32_t cloak_mtu(struct muses_layer *l, const struct muses_id *destination)
{
	const struct muses_link *link = routes_next(muses_self(l), destination, NULL);

	return link != NULL ? muses_link_mtu(link) - RH_BYTES : 0;
}

static bool cloak_neighbour(struct muses_layer *l, size_t index, const char **name)
{
	const struct cloak *c = muses_self(l);

	for (size_t i = 0; i < c->route_count; i++) {
		if (index < c->route[i].count) {
			*name = c->route[i].hop[index].name;
			return true;
		}
		index -= c->route[i].count;
	}
	return false;
}

static void cloak_info(struct muses_layer *l, json_t *object)
{
	const struct cloak *c = muses_self(l);
	json_t *routes = json_object();

	for (size_t i = 0; i < c->route_count; i++) {
		const struct route *r = &c->route[i];
		json_t *hops = json_array();

		for (size_t k = 0; k < r->count; k++)
			json_array_append_new(hops, json_pack("{s:s, s:b}", "next",
			                                      r->hop[k].name, "up",
			                                      r->hop[k].link != NULL));
		json_object_set_new(routes, r->name, hops);
	}
	json_object_set_new(object, "routes", routes);
	json_object_set_new(object, "neighbours",
	                    json_integer((json_int_t)c->neighbours.count));
	json_object_set_new(object, "refused",
	                    json_integer((json_int_t)c->refused.count));
	json_object_set_new(object, "waiting", json_integer((json_int_t)c->asked_count));
}

static const struct muses_overlay_ops cloak_ops = {
	.send = cloak_send,
	.writable = cloak_writable,
	.reachable = cloak_reachable,
	.mtu = cloak_mtu,
	.link_up = cloak_link_up,
	.link_down = cloak_link_down,
	.link_writable = cloak_link_writable,
	.packet = cloak_packet,
	.control = cloak_control,
	.neighbour = cloak_neighbour,
	.info = cloak_info,
};

MUSES_PLUGIN(cloak_static) = {
	MUSES_STAMP,
	.name = "cloak_static",
	.summary = "routes from the configuration, over proven neighbours",
	.kind = MUSES_OVERLAY,
	.needs = MUSES_NEED(MUSES_KEYS) | MUSES_NEED(MUSES_TRANSPORT),
	.options = cloak_options,
	.config_size = sizeof(struct cloak_config),
	MUSES_OPS(cloak_ops),
	.check = cloak_check,
	.open = cloak_open,
	.start = cloak_start,
	.close = cloak_close,
};
