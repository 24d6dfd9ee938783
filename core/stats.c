/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counters.
 *
 * Names are copied: a plugin's literals are gone once it is unloaded.  For the
 * same reason a hit by pointer is believed only after the texts were compared,
 * which is cheap, as they are short and nearly always the same.
 */
#include "core/stats.h"

#include "core/mem.h"

#include <string.h>

#define COUNTERS_MAX 512
#define SLOTS        1024 /* A power of two. */
#define TELL_NS      MUSES_S

struct counter {
	char *who;
	char *reason;
	uint64_t count;
	uint64_t told_count; /* As of the last line in the log ... */
	uint64_t told_ns;    /* ... and when that was. */
};

struct slot {
	const char *who;
	const char *reason;
	struct counter *counter;
};

struct core_stats {
	struct counter counter[COUNTERS_MAX];
	size_t used;
	struct slot slot[SLOTS]; /* By pointers; a newcomer takes the place. */
};

static bool is(const struct counter *c, const char *who, const char *reason)
{
	return strcmp(c->who, who) == 0 && strcmp(c->reason, reason) == 0;
}

static const struct counter *search(const struct core_stats *s, const char *who,
                                    const char *reason)
{
	for (size_t i = 0; i < s->used; i++)
		if (is(&s->counter[i], who, reason))
			return &s->counter[i];
	return NULL;
}

/* NULL when out of memory. */
static struct counter *make(struct core_stats *s, const char *who, const char *reason)
{
	struct counter *c = &s->counter[s->used];

	if (s->used == COUNTERS_MAX)
		return &s->counter[COUNTERS_MAX - 1];
	if (s->used == COUNTERS_MAX - 1)
		who = reason = "other";
	c->who = core_strdup(who);
	c->reason = core_strdup(reason);
	if (c->who == NULL || c->reason == NULL) {
		muses_free(c->who);
		muses_free(c->reason);
		*c = (struct counter){ 0 };
		return NULL;
	}
	s->used++;
	return c;
}

static struct counter *find(struct core_stats *s, const char *who, const char *reason)
{
	uint64_t mixed =
		((uintptr_t)who * 31 + (uintptr_t)reason) * UINT64_C(0x9e3779b97f4a7c15);
	struct slot *slot = &s->slot[mixed >> 54 & (SLOTS - 1)];
	const struct counter *known;
	struct counter *c;

	if (slot->who == who && slot->reason == reason && is(slot->counter, who, reason))
		return slot->counter;
	known = search(s, who, reason);
	c = known != NULL ? &s->counter[known - s->counter] : make(s, who, reason);
	if (c != NULL)
		*slot = (struct slot){ who, reason, c };
	return c;
}

uint64_t core_count(struct core_stats *s, const char *who, const char *reason)
{
	struct counter *c = find(s, who, reason);

	return c != NULL ? ++c->count : 0;
}

bool core_count_tell(struct core_stats *s, const char *who, const char *reason,
                     uint64_t now_ns, uint64_t *times)
{
	struct counter *c = find(s, who, reason);

	if (c == NULL)
		return false;
	c->count++;
	if (c->told_count > 0 && now_ns - c->told_ns < TELL_NS)
		return false;
	*times = c->count - c->told_count;
	c->told_count = c->count;
	c->told_ns = now_ns;
	return true;
}

uint64_t core_stats_get(const struct core_stats *s, const char *who, const char *reason)
{
	const struct counter *c = search(s, who, reason);

	return c != NULL ? c->count : 0;
}

json_t *core_stats_json(const struct core_stats *s)
{
	json_t *all = json_object();

	if (all == NULL)
		return NULL;
	for (size_t i = 0; i < s->used; i++) {
		const struct counter *c = &s->counter[i];
		json_t *part = json_object_get(all, c->who);

		if (part == NULL) {
			part = json_object();
			if (json_object_set_new(all, c->who, part) != 0)
				goto fail;
		}
		if (json_object_set_new(part, c->reason,
		                        json_integer((json_int_t)c->count)) != 0)
			goto fail;
	}
	return all;
fail:
	json_decref(all);
	return NULL;
}

struct core_stats *core_stats_open(void)
{
	return muses_zalloc(sizeof(struct core_stats));
}

void core_stats_close(struct core_stats *s)
{
	if (s == NULL)
		return;
	for (size_t i = 0; i < s->used; i++) {
		muses_free(s->counter[i].who);
		muses_free(s->counter[i].reason);
	}
	muses_free(s);
}
