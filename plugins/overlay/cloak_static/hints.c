/* SPDX-License-Identifier: Apache-2.0 */
/*
 * UNREACHABLE and ROUTE_UP.
 *
 * Two memories, both bounded, the oldest forgotten first:
 *
 *   refused  which of our next hops cannot serve a destination: tried last for a
 *            while
 *   asked    which neighbours we could not serve: told when we can
 *
 * A hint is believed only from a next hop for that destination, and only to choose
 * among next hops and to wake sessions.  A lying neighbour gains nothing that it
 * could not have by dropping packets.
 */
#include "cloak_static.h"

enum {
	HINTS_PER_SECOND = 100, /* Taken from a link, and as many given. */
	AVOID_S = 10,           /* A refusal holds that long. */
	AGAIN_MS = 100,         /* The same asker is told once in that time. */
};

struct refused {
	struct refused *next; /* Oldest first. */
	struct muses_id destination;
	uint32_t places;
	uint64_t until_ns;
};

struct asked {
	struct asked *next, *previous; /* Oldest first. */
	struct asked *same;            /* Same destination. */
	struct muses_id destination;
	struct muses_id neighbour;
	uint64_t told_ns;
};

void hints_open(struct cloak *c)
{
	c->refused_last = &c->refused_first;
	c->refused.seed = muses_random_below(c->layer, UINT64_MAX);
	c->asked.seed = muses_random_below(c->layer, UINT64_MAX);
}

/* ---- what next hops refused ---------------------------------------------------- */

void hints_forget_refused(struct cloak *c)
{
	struct refused *r;

	while ((r = c->refused_first) != NULL) {
		c->refused_first = r->next;
		muses_free(r);
	}
	c->refused_last = &c->refused_first;
	muses_idmap_clear(&c->refused);
}

uint32_t hints_refused(struct cloak *c, const struct muses_id *destination)
{
	const struct refused *r = muses_idmap_get(&c->refused, destination);

	return r != NULL && r->until_ns > muses_now(c->layer) ? r->places : 0;
}

static void mark_refused(struct cloak *c, const struct muses_id *destination, int place)
{
	struct refused *r = muses_idmap_get(&c->refused, destination);
	uint64_t now = muses_now(c->layer);

	if (r == NULL) {
		if (c->refused.count >= CLOAK_REFUSED_MAX) {
			r = c->refused_first;
			muses_idmap_remove(&c->refused, &r->destination);
			c->refused_first = r->next;
			if (r->next == NULL)
				c->refused_last = &c->refused_first;
			memset(r, 0, sizeof(*r));
		} else {
			r = muses_zalloc(sizeof(*r));
			if (r == NULL)
				return;
		}
		r->destination = *destination;
		if (muses_idmap_set(&c->refused, destination, r) != 0) {
			muses_free(r);
			return;
		}
		*c->refused_last = r;
		c->refused_last = &r->next;
	}
	if (r->until_ns <= now)
		r->places = 0;
	r->places |= UINT32_C(1) << place;
	r->until_ns = now + AVOID_S * MUSES_S;
}

static void clear_refused(struct cloak *c, const struct muses_id *destination, int place)
{
	struct refused *r = muses_idmap_get(&c->refused, destination);

	if (r != NULL)
		r->places &= ~(UINT32_C(1) << place);
}

/* ---- whom we refused ------------------------------------------------------------- */

static void unlink_asked(struct cloak *c, struct asked *a)
{
	struct asked *first = muses_idmap_get(&c->asked, &a->destination);

	if (first == a && a->same == NULL) {
		muses_idmap_remove(&c->asked, &a->destination);
	} else if (first == a) {
		/* It is there already: replacing cannot fail. */
		if (muses_idmap_set(&c->asked, &a->destination, a->same) != 0)
			return;
	} else {
		while (first->same != a)
			first = first->same;
		first->same = a->same;
	}
	*(a->previous != NULL ? &a->previous->next : &c->asked_first) = a->next;
	*(a->next != NULL ? &a->next->previous : &c->asked_last) = a->previous;
	c->asked_count--;
	muses_free(a);
}

/* The memory of neighbour asking for destination, new or old; NULL: no memory. */
static struct asked *remember(struct cloak *c, const struct muses_id *destination,
                              const struct muses_id *neighbour)
{
	struct asked *first = muses_idmap_get(&c->asked, destination);
	struct asked *a;

	for (a = first; a != NULL; a = a->same)
		if (muses_id_equal(&a->neighbour, neighbour))
			return a;
	if (c->asked_count >= CLOAK_ASKED_MAX) {
		unlink_asked(c, c->asked_first);
		first = muses_idmap_get(&c->asked, destination);
	}
	a = muses_zalloc(sizeof(*a));
	if (a == NULL)
		return NULL;
	a->destination = *destination;
	a->neighbour = *neighbour;
	a->same = first;
	if (muses_idmap_set(&c->asked, destination, a) != 0) {
		muses_free(a);
		return NULL;
	}
	a->previous = c->asked_last;
	*(c->asked_last != NULL ? &c->asked_last->next : &c->asked_first) = a;
	c->asked_last = a;
	c->asked_count++;
	return a;
}

void hints_close(struct cloak *c)
{
	hints_forget_refused(c);
	while (c->asked_first != NULL)
		unlink_asked(c, c->asked_first);
	muses_idmap_clear(&c->asked);
}

/* ---- telling ----------------------------------------------------------------------- */

static struct budget *budget_of(struct cloak *c, struct muses_link *link)
{
	struct budget *budget = muses_link_note(link);
	uint64_t now = muses_now(c->layer);

	if (budget != NULL && now - budget->since_ns >= MUSES_S)
		*budget = (struct budget){ .since_ns = now };
	return budget;
}

static bool tell(struct cloak *c, struct muses_link *link, const struct hint *hint)
{
	struct budget *budget = budget_of(c, link);
	uint8_t data[HINT_UNREACHABLE_BYTES];
	struct muses_buf *b;
	size_t size;

	if (budget == NULL || budget->given >= HINTS_PER_SECOND) {
		muses_count(c->layer, "hint not given: too many");
		return false;
	}
	size = hint_write(hint, data);
	b = muses_buf_new(c->layer, MUSES_HEADROOM, size);
	if (b == NULL)
		return false;
	budget->given++;
	memcpy(muses_buf_append(b, size), data, size);
	muses_link_control(link, b);
	return true;
}

void hints_refuse(struct cloak *c, const struct muses_id *destination,
                  const struct muses_id *source, struct muses_link *from)
{
	struct hint hint = { HINT_UNREACHABLE, *destination, *source };
	struct asked *a = remember(c, destination, muses_link_peer(from));
	uint64_t now = muses_now(c->layer);

	if (a != NULL && a->told_ns != 0 && now - a->told_ns < AGAIN_MS * MUSES_MS)
		return;
	if (tell(c, from, &hint) && a != NULL)
		a->told_ns = now;
}

/* a can be served again: tell, and forget it.  (Its neighbour asks anew, if it
 * must.) */
static void recall(struct cloak *c, struct asked *a)
{
	struct muses_link *link = muses_idmap_get(&c->neighbours, &a->neighbour);
	struct hint hint = { .kind = HINT_ROUTE_UP, .destination = a->destination };

	if (link != NULL)
		tell(c, link, &hint);
	unlink_asked(c, a);
}

void hints_recall(struct cloak *c)
{
	struct asked *next;

	for (struct asked *a = c->asked_first; a != NULL; a = next) {
		const struct muses_link *from =
			muses_idmap_get(&c->neighbours, &a->neighbour);

		next = a->next;
		if (routes_next(c, &a->destination, from) != NULL)
			recall(c, a);
	}
}

/* ---- being told ----------------------------------------------------------------------
 */

static void unreachable(struct cloak *c, struct muses_link *link, const struct hint *hint,
                        int place)
{
	struct muses_link *back;

	mark_refused(c, &hint->destination, place);
	if (muses_id_equal(&hint->source, muses_node_id(c->layer))) {
		peers_refused(c, &hint->destination);
		return;
	}
	/* With another next hop left, the sender's next packet goes that way. */
	if ((routes_up(c, &hint->destination) & ~hints_refused(c, &hint->destination)) !=
	    0)
		return;
	back = routes_next(c, &hint->source, link);
	if (back != NULL)
		hints_refuse(c, &hint->destination, &hint->source, back);
}

static void route_up(struct cloak *c, const struct muses_link *link,
                     const struct hint *hint, int place)
{
	struct asked *a, *next;

	clear_refused(c, &hint->destination, place);
	for (a = muses_idmap_get(&c->asked, &hint->destination); a != NULL; a = next) {
		next = a->same;
		if (!muses_id_equal(&a->neighbour, muses_link_peer(link)))
			recall(c, a);
	}
	peers_route_up(c, &hint->destination);
}

void hints_control(struct cloak *c, struct muses_link *link, const uint8_t *data,
                   size_t size)
{
	struct budget *budget = budget_of(c, link);
	struct hint hint;
	const char *why = hint_read(&hint, data, size);
	int place;

	if (why == NULL && (budget == NULL || budget->taken >= HINTS_PER_SECOND))
		why = "hint not taken: too many";
	place = why == NULL ? routes_place(c, &hint.destination, link) : -1;
	if (why == NULL && muses_idmap_get(&c->neighbours, &hint.destination) != NULL)
		why = "hint about a neighbour of ours";
	else if (why == NULL && place < 0)
		why = "hint from no next hop for it";
	if (why != NULL) {
		muses_count(c->layer, why);
		return;
	}
	budget->taken++;
	if (hint.kind == HINT_UNREACHABLE)
		unreachable(c, link, &hint, place);
	else
		route_up(c, link, &hint, place);
}
