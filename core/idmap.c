/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A map from node ids: open addressing, linear probing, at most three quarters
 * full.  Removing moves what follows back, so there are no tombstones and a map
 * that lives long does not get slower.
 */
#include <muses/idmap.h>

enum { LEAST_ROOM = 8 };

static size_t home(const struct muses_idmap *map, const struct muses_id *id)
{
	uint64_t h;

	memcpy(&h, id->bytes, sizeof(h));
	/* Odd constants of splitmix64: every bit of the id and the seed reaches the
	 * low bits that choose the slot. */
	h ^= map->seed;
	h = (h ^ (h >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	h = (h ^ (h >> 27)) * UINT64_C(0x94d049bb133111eb);
	return (size_t)(h ^ (h >> 31)) & (map->room - 1);
}

/* Where id is, or the empty slot where it would go.  room > 0. */
static struct muses_idmap_slot *find(const struct muses_idmap *map,
                                     const struct muses_id *id)
{
	size_t i = home(map, id);

	while (map->slot[i].value != NULL && !muses_id_equal(&map->slot[i].id, id))
		i = (i + 1) & (map->room - 1);
	return &map->slot[i];
}

void *muses_idmap_get(const struct muses_idmap *map, const struct muses_id *id)
{
	return map->count == 0 ? NULL : find(map, id)->value;
}

static int grow(struct muses_idmap *map)
{
	struct muses_idmap bigger = *map;

	bigger.room = map->room == 0 ? LEAST_ROOM : map->room * 2;
	bigger.slot = muses_zalloc(bigger.room * sizeof(*bigger.slot));
	if (bigger.slot == NULL)
		return MUSES_ENOMEM;
	for (size_t i = 0; i < map->room; i++)
		if (map->slot[i].value != NULL)
			*find(&bigger, &map->slot[i].id) = map->slot[i];
	muses_free(map->slot);
	*map = bigger;
	return 0;
}

int muses_idmap_set(struct muses_idmap *map, const struct muses_id *id, void *value)
{
	struct muses_idmap_slot *slot = map->room == 0 ? NULL : find(map, id);

	if (slot == NULL || (slot->value == NULL && map->count >= map->room / 4 * 3)) {
		if (grow(map) != 0)
			return MUSES_ENOMEM;
		slot = find(map, id);
	}
	if (slot->value == NULL) {
		slot->id = *id;
		map->count++;
	}
	slot->value = value;
	return 0;
}

void *muses_idmap_remove(struct muses_idmap *map, const struct muses_id *id)
{
	struct muses_idmap_slot *hole;
	void *value;
	size_t last = map->room - 1, at;

	if (map->count == 0)
		return NULL;
	hole = find(map, id);
	value = hole->value;
	if (value == NULL)
		return NULL;
	map->count--;
	at = (size_t)(hole - map->slot);
	for (size_t i = (at + 1) & last; map->slot[i].value != NULL; i = (i + 1) & last) {
		/* It may fill the hole if the hole lies on the way from its home. */
		if (((i - home(map, &map->slot[i].id)) & last) < ((i - at) & last))
			continue;
		map->slot[at] = map->slot[i];
		at = i;
	}
	map->slot[at].value = NULL;
	return value;
}

void *muses_idmap_next(const struct muses_idmap *map, size_t *place, struct muses_id *id)
{
	while (*place < map->room) {
		const struct muses_idmap_slot *slot = &map->slot[(*place)++];

		if (slot->value == NULL)
			continue;
		if (id != NULL)
			*id = slot->id;
		return slot->value;
	}
	return NULL;
}

void muses_idmap_clear(struct muses_idmap *map)
{
	muses_free(map->slot);
	map->slot = NULL;
	map->count = map->room = 0;
}
