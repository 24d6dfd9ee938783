/* SPDX-License-Identifier: Apache-2.0 */
/* The wires between nodes in one process, as their maker sees them. */
#include "core/hubstate.h"

#include "core/mem.h"

size_t core_hub_bucket(const char *a, const char *b)
{
	uint32_t h = 2166136261u; /* FNV-1a: names here are a test's own. */

	for (; *a != '\0'; a++)
		h = (h ^ (uint8_t)*a) * 16777619u;
	for (h *= 16777619u; *b != '\0'; b++)
		h = (h ^ (uint8_t)*b) * 16777619u;
	return h % CORE_HUB_BUCKETS;
}

struct core_hub *core_hub_open(struct core_loop *loop, struct core_rand *rand)
{
	struct core_hub *hub = muses_zalloc(sizeof(*hub));

	if (hub == NULL)
		return NULL;
	hub->loop = loop;
	hub->rand = rand;
	return hub;
}

void core_hub_close(struct core_hub *hub)
{
	if (hub == NULL)
		return;
	for (size_t i = 0; i < CORE_HUB_BUCKETS; i++) {
		struct core_hub_way *way;

		while ((way = hub->way[i]) != NULL) {
			hub->way[i] = way->next;
			muses_free(way->from);
			muses_free(way->to);
			muses_free(way);
		}
	}
	muses_free(hub);
}

static struct core_hub_way *find_way(const struct core_hub *hub, const char *from,
                                     const char *to)
{
	struct core_hub_way *way = hub->way[core_hub_bucket(from, to)];

	while (way != NULL && (strcmp(way->from, from) != 0 || strcmp(way->to, to) != 0))
		way = way->next;
	return way;
}

const struct core_hub_weather *core_hub_find(const struct core_hub *hub, const char *from,
                                             const char *to)
{
	const struct core_hub_way *way = find_way(hub, from, to);

	return way != NULL ? &way->weather : &hub->weather;
}

struct core_hub_weather core_hub_weather_of(const struct core_hub *hub, const char *from,
                                            const char *to)
{
	return *core_hub_find(hub, from, to);
}

static struct core_hub_way *make_way(struct core_hub *hub, const char *from,
                                     const char *to)
{
	struct core_hub_way **bucket = &hub->way[core_hub_bucket(from, to)];
	struct core_hub_way *way = find_way(hub, from, to);

	if (way != NULL)
		return way;
	way = muses_zalloc(sizeof(*way));
	if (way == NULL)
		return NULL;
	way->from = core_strdup(from);
	way->to = core_strdup(to);
	if (way->from == NULL || way->to == NULL) {
		muses_free(way->from);
		muses_free(way->to);
		muses_free(way);
		return NULL;
	}
	way->next = *bucket;
	*bucket = way;
	return way;
}

/* Channels that are up feel it, too. */
static void tell_ends(struct core_hub *hub)
{
	for (struct muses_hub_end *e = hub->first; e != NULL; e = e->next) {
		if (e->to[0] == '\0')
			continue;
		e->out = core_hub_find(hub, e->layer->node_name, e->to);
		e->back = core_hub_find(hub, e->to, e->layer->node_name);
		core_hub_end_mended(e);
	}
}

int core_hub_set_way(struct core_hub *hub, const char *from, const char *to,
                     const struct core_hub_weather *weather)
{
	struct core_hub_way *way = make_way(hub, from, to);

	if (way == NULL)
		return MUSES_ENOMEM;
	way->weather = *weather;
	tell_ends(hub);
	return 0;
}

int core_hub_set(struct core_hub *hub, const char *a, const char *b,
                 const struct core_hub_weather *weather)
{
	struct core_hub_way *there, *back;

	if (a == NULL || b == NULL) {
		hub->weather = *weather;
		tell_ends(hub);
		return 0;
	}
	there = make_way(hub, a, b);
	back = make_way(hub, b, a);
	if (there == NULL || back == NULL)
		return MUSES_ENOMEM;
	there->weather = back->weather = *weather;
	tell_ends(hub);
	return 0;
}

int core_hub_cut(struct core_hub *hub, const char *a, const char *b, bool cut)
{
	struct core_hub_weather there = core_hub_weather_of(hub, a, b);
	struct core_hub_weather back = core_hub_weather_of(hub, b, a);
	int err;

	there.cut = back.cut = cut;
	err = core_hub_set_way(hub, a, b, &there);
	return err != 0 ? err : core_hub_set_way(hub, b, a, &back);
}

static bool between(const struct muses_hub_end *e, const char *from, const char *to)
{
	return strcmp(e->layer->node_name, from) == 0 && strcmp(e->to, to) == 0;
}

size_t core_hub_break(struct core_hub *hub, const char *a, const char *b)
{
	size_t broken = 0;

	for (struct muses_hub_end *e = hub->first; e != NULL; e = e->next)
		if (between(e, a, b) || between(e, b, a)) {
			core_hub_end_break(e, "the wire broke");
			broken++;
		}
	return broken / 2;
}

void core_hub_tap(struct core_hub *hub, core_hub_tap_fn *tap, void *user)
{
	hub->tap = tap;
	hub->user = user;
}

bool core_hub_inject(struct core_hub *hub, const char *from, const char *to,
                     const void *data, size_t size)
{
	for (struct muses_hub_end *e = hub->first; e != NULL; e = e->next)
		if (between(e, to, from) && (e->dialling == NULL || e->answered) &&
		    !e->closed)
			return core_hub_end_inject(e, data, size);
	return false;
}

struct core_hub_counts core_hub_counts(const struct core_hub *hub)
{
	return hub->counts;
}
