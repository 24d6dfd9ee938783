/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which link leads where.  A neighbour with a proven link outranks every route;
 * then the destination's own next hops in the order of the file; then those of
 * "*".  A next hop that has refused the destination is tried last.
 */
#include "cloak_static.h"

#include <muses/keys.h>

int routes_open(struct cloak *c)
{
	const struct muses_map *map = &c->config->routes;

	c->route = muses_zalloc((map->count + 1) * sizeof(*c->route));
	if (c->route == NULL)
		return MUSES_ENOMEM;
	c->route_count = map->count;
	c->unresolved = true;
	for (size_t i = 0; i < map->count; i++) {
		const struct muses_list *hops = &map->entry[i].values;
		struct route *r = &c->route[i];

		r->name = map->entry[i].name;
		r->hop = muses_zalloc((hops->count + 1) * sizeof(*r->hop));
		if (r->hop == NULL)
			return MUSES_ENOMEM;
		r->count = hops->count;
		for (size_t k = 0; k < hops->count; k++)
			r->hop[k].name = hops->item[k];
		if (strcmp(r->name, "*") == 0)
			c->otherwise = r;
	}
	return 0;
}

void routes_close(struct cloak *c)
{
	for (size_t i = 0; i < c->route_count; i++)
		muses_free(c->route[i].hop);
	muses_free(c->route);
	muses_idmap_clear(&c->by_destination);
	muses_idmap_clear(&c->neighbours);
}

static int resolve(struct cloak *c, const char *name, struct muses_id *id, bool *known)
{
	int err;

	*known = muses_id_parse(name, id);
	if (*known)
		return 0;
	err = c->keys->resolve(c->keys_layer, name, id);
	if (err == MUSES_EAGAIN) {
		c->unresolved = true;
		return 0;
	}
	if (err != 0)
		return muses_fail(
			c->layer, err,
			"routes: no peer is called \"%s\"; want a name from the "
			"peers file or a node id",
			name);
	*known = true;
	return 0;
}

int routes_resolve(struct cloak *c)
{
	int err = 0;

	if (!c->unresolved)
		return 0;
	c->unresolved = false;
	for (size_t i = 0; err == 0 && i < c->route_count; i++) {
		struct route *r = &c->route[i];

		if (!r->known && r != c->otherwise) {
			err = resolve(c, r->name, &r->destination, &r->known);
			if (err == 0 && r->known)
				err = muses_idmap_set(&c->by_destination, &r->destination,
				                      r);
		}
		for (size_t k = 0; err == 0 && k < r->count; k++)
			if (!r->hop[k].known)
				err = resolve(c, r->hop[k].name, &r->hop[k].id,
				              &r->hop[k].known);
	}
	return err;
}

void routes_link(struct cloak *c, const struct muses_id *neighbour,
                 struct muses_link *link)
{
	for (size_t i = 0; i < c->route_count; i++)
		for (size_t k = 0; k < c->route[i].count; k++) {
			struct next_hop *hop = &c->route[i].hop[k];

			if (hop->known && muses_id_equal(&hop->id, neighbour))
				hop->link = link;
		}
}

/* The nth next hop for a destination with route r (NULL: none of its own): r's,
 * then the default ones. */
static const struct next_hop *nth_hop(const struct cloak *c, const struct route *r,
                                      size_t n)
{
	if (r != NULL) {
		if (n < r->count)
			return &r->hop[n];
		n -= r->count;
	}
	return c->otherwise != NULL && n < c->otherwise->count ? &c->otherwise->hop[n]
	                                                       : NULL;
}

struct muses_link *routes_next(struct cloak *c, const struct muses_id *destination,
                               const struct muses_link *from)
{
	struct muses_link *direct = muses_idmap_get(&c->neighbours, destination);
	const struct route *r;
	const struct next_hop *hop;
	struct muses_link *last_resort = NULL;
	uint32_t refused;

	if (direct != NULL)
		return direct != from ? direct : NULL;
	r = muses_idmap_get(&c->by_destination, destination);
	refused = hints_refused(c, destination);
	for (size_t i = 0; i < CLOAK_HOPS_MAX && (hop = nth_hop(c, r, i)) != NULL; i++) {
		if (hop->link == NULL || hop->link == from)
			continue;
		if ((refused >> i & 1) == 0)
			return hop->link;
		if (last_resort == NULL)
			last_resort = hop->link;
	}
	return last_resort;
}

int routes_place(const struct cloak *c, const struct muses_id *destination,
                 const struct muses_link *link)
{
	const struct route *r = muses_idmap_get(&c->by_destination, destination);
	const struct next_hop *hop;

	for (size_t i = 0; i < CLOAK_HOPS_MAX && (hop = nth_hop(c, r, i)) != NULL; i++)
		if (hop->link == link)
			return (int)i;
	return -1;
}

uint32_t routes_up(const struct cloak *c, const struct muses_id *destination)
{
	const struct route *r = muses_idmap_get(&c->by_destination, destination);
	const struct next_hop *hop;
	uint32_t up = 0;

	for (size_t i = 0; i < CLOAK_HOPS_MAX && (hop = nth_hop(c, r, i)) != NULL; i++)
		if (hop->link != NULL)
			up |= UINT32_C(1) << i;
	return up;
}
