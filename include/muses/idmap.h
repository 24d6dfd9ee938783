/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MUSES_IDMAP_H
#define MUSES_IDMAP_H

#include <muses/plugin.h>

/*
 * From a node id to something of yours.
 *
 * Ids are hashes, but anybody can make many of them; a seed of this map's own
 * keeps strangers from choosing where theirs fall.  A zeroed struct is an empty
 * map, with seed 0 until the owner sets another before the first id goes in.
 *
 * Setting may allocate; getting and removing never do.
 */
struct muses_idmap_slot {
	struct muses_id id;
	void *value; /* NULL: the slot is empty. */
};

struct muses_idmap {
	struct muses_idmap_slot *slot;
	size_t count;
	size_t room; /* 0, or a power of two above count. */
	uint64_t seed;
};

/* NULL: not there. */
void *muses_idmap_get(const struct muses_idmap *map, const struct muses_id *id);
/* value is not NULL; an older value of id is replaced.  0, or MUSES_ENOMEM and
 * the map is unchanged (never when id is already there). */
int muses_idmap_set(struct muses_idmap *map, const struct muses_id *id,
                    void *value) MUSES_CHECKED;
/* Returns what was there, or NULL. */
void *muses_idmap_remove(struct muses_idmap *map, const struct muses_id *id);
/* All values in no order: start with *place 0; NULL: no more.  No set or remove
 * in between.  id may be NULL. */
void *muses_idmap_next(const struct muses_idmap *map, size_t *place, struct muses_id *id);
/* Forget everything; the values are the owner's.  The seed stays. */
void muses_idmap_clear(struct muses_idmap *map);

#endif
