/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reaching out.  For each node that some transport has an address of, we want one
 * link, whoever dialled it; while there is none we try its addresses one after
 * the other, and after a round of failures wait: 100 ms, doubling to 30 s, with
 * jitter, so that a relay that comes back is not met by all at one instant.
 *
 * Two things cut the wait short: the network changed (start again), and a
 * suspended session needs a link (never more than 1 s, and no single attempt may
 * hold up the next for longer: then several are under way at once).
 */
#include "core/linkstate.h"
#include "core/mem.h"

#include <stdio.h>

#define LEAST_WAIT  (100 * MUSES_MS)
#define MOST_WAIT   (30 * MUSES_S)
#define HURRY_WAIT  (1 * MUSES_S)
#define SHORT_LIVED (1 * MUSES_S) /* A link that fell so soon is no reason to rush. */

enum { ATTEMPTS = 3 };

struct core_dial_address {
	struct muses_layer *layer; /* Outermost. */
	const char *text;
};

struct core_dial {
	struct core_links *links;
	struct core_dial *next;
	const char *name;
	struct muses_id id;
	bool known; /* id is filled. */
	struct core_dial_address *address;
	size_t count, at;                     /* at: the one to try next. */
	struct muses_link *attempt[ATTEMPTS]; /* Under way. */
	uint64_t wait_ns;
	struct muses_timer timer;
};

static bool resolve(struct core_dial *d, int *err)
{
	struct core_pipeline *p = d->links->pipeline;

	*err = 0;
	if (!d->known) {
		d->known = muses_id_parse(d->name, &d->id);
		if (!d->known) {
			*err = core_keys_ops(p)->resolve(p->keys, d->name, &d->id);
			d->known = *err == 0;
		}
	}
	return d->known;
}

static void arm(struct core_dial *d, uint64_t wait_ns)
{
	if (d->links->started && !d->links->stopped)
		muses_timer_at(&d->timer, core_links_now(d->links) + wait_ns);
}

/* 20 % either way. */
static uint64_t jitter(const struct core_dial *d, uint64_t span_ns)
{
	return span_ns * 4 / 5 +
	       core_rand_below(d->links->env->rand, span_ns * 2 / 5 + 1);
}

static uint64_t next_wait(struct core_dial *d)
{
	uint64_t wait = d->wait_ns;

	d->wait_ns = wait * 2 > MOST_WAIT ? MOST_WAIT : wait * 2;
	wait = jitter(d, wait);
	return d->links->hurry && wait > HURRY_WAIT ? HURRY_WAIT : wait;
}

static size_t under_way(const struct core_dial *d)
{
	size_t count = 0;

	for (size_t i = 0; i < ATTEMPTS; i++)
		count += d->attempt[i] != NULL;
	return count;
}

static struct muses_link *proven_link(const struct core_dial *d)
{
	return d->known ? muses_idmap_get(&d->links->in_use, &d->id) : NULL;
}

/* An attempt has failed: try the next address now, or begin another round later. */
static void failed(struct core_dial *d)
{
	if (proven_link(d) != NULL)
		return;
	if (++d->at < d->count) {
		arm(d, 0);
	} else {
		d->at = 0;
		arm(d, next_wait(d));
	}
}

static void attempt(struct core_dial *d)
{
	struct core_links *links = d->links;
	const struct core_dial_address *a = &d->address[d->at];
	struct muses_link *link = NULL;
	int err;

	if (links->count < links->config.most)
		link = core_link_new(links, a->layer, CORE_DIALLER);
	if (link == NULL) {
		core_count(links->env->stats, "link", "not dialled: too many links");
		failed(d);
		return;
	}
	for (size_t i = 0; i < ATTEMPTS; i++)
		if (d->attempt[i] == NULL) {
			d->attempt[i] = link;
			break;
		}
	link->dial = d;
	snprintf(link->remote, sizeof(link->remote), "%s", a->text);
	muses_timer_at(&link->timer, link->opened_ns + links->config.hello_ms * MUSES_MS);
	err = core_transport_ops(a->layer)->dial(a->layer, &link->channel, a->text);
	if (err != 0) /* As down() at once: the transport knows nothing of it. */
		core_link_gone(link, "could not dial");
	else if (!muses_timer_armed(&d->timer))
		/* How long this one may keep the next from being tried. */
		arm(d, links->hurry || d->count > 1 ? HURRY_WAIT
		                                    : links->config.hello_ms * MUSES_MS);
}

static void dial_timer(struct muses_timer *t)
{
	struct core_dial *d = muses_container(t, struct core_dial, timer);
	int err;

	if (!resolve(d, &err)) {
		core_count(d->links->env->stats, "link",
		           "not dialled: name not resolved");
		arm(d, next_wait(d));
		return;
	}
	if (proven_link(d) != NULL)
		return;
	if (under_way(d) == ATTEMPTS) {
		struct muses_link *oldest = d->attempt[0];

		for (size_t i = 1; i < ATTEMPTS; i++)
			if (d->attempt[i]->opened_ns < oldest->opened_ns)
				oldest = d->attempt[i];
		core_link_close(oldest, "a newer attempt took its place", -1);
		muses_timer_stop(&d->timer);
	} else if (under_way(d) > 0) {
		d->at = (d->at + 1) % d->count;
	}
	attempt(d);
}

/* ---- what happens to links ------------------------------------------------------ */

bool core_dial_wanted(const struct core_dial *dial, const struct muses_id *id)
{
	return dial->known && muses_id_equal(&dial->id, id);
}

void core_dial_ended(struct core_dial *dial, struct muses_link *link, bool proven)
{
	for (size_t i = 0; i < ATTEMPTS; i++)
		if (dial->attempt[i] == link)
			dial->attempt[i] = NULL;
	/* The others go on; the last one decides when the next is due. */
	if (!proven && under_way(dial) == 0)
		failed(dial);
}

static struct core_dial *dial_of(const struct core_links *links,
                                 const struct muses_id *id)
{
	struct core_dial *d = links->dials;

	while (d != NULL && !(d->known && muses_id_equal(&d->id, id)))
		d = d->next;
	return d;
}

void core_dial_proven(struct core_links *links, const struct muses_link *link)
{
	struct core_dial *d = dial_of(links, &link->peer);

	if (d == NULL)
		return;
	muses_timer_stop(&d->timer);
	d->wait_ns = LEAST_WAIT;
	d->at = 0;
	/* If the peer has dialled this one, ours under way may be the one it keeps:
	 * linkprove.c, settle(). */
	if (link->dial != d)
		return;
	for (size_t i = 0; i < ATTEMPTS; i++)
		if (d->attempt[i] == link)
			d->attempt[i] = NULL;
		else if (d->attempt[i] != NULL)
			core_link_close(d->attempt[i], "another attempt was faster", -1);
	muses_timer_stop(&d->timer);
}

void core_dial_lost(struct core_links *links, const struct muses_link *link)
{
	struct core_dial *d = dial_of(links, &link->peer);

	if (d == NULL || under_way(d) > 0)
		return;
	d->at = 0;
	if (core_links_now(links) - link->proven_ns < SHORT_LIVED)
		arm(d, next_wait(d));
	else
		arm(d, 0);
}

/* ---- all of them ----------------------------------------------------------------- */

static struct core_dial *dial_named(struct core_links *links, const char *name)
{
	struct core_dial **last = &links->dials;
	struct core_dial *d;

	for (; (d = *last) != NULL; last = &d->next)
		if (strcmp(d->name, name) == 0)
			return d;
	d = muses_zalloc(sizeof(*d));
	if (d == NULL)
		return NULL;
	d->links = links;
	d->name = name;
	d->wait_ns = LEAST_WAIT;
	core_timer_init(links->env->loop, &d->timer, dial_timer);
	*last = d;
	return d;
}

int core_dial_add(struct core_links *links, struct muses_layer *l, const char *name,
                  const char *address)
{
	struct core_dial *d = dial_named(links, name);
	struct core_dial_address *longer;
	int err;

	if (d == NULL)
		return MUSES_ENOMEM;
	longer = core_realloc(d->address, d->count, d->count + 1, sizeof(*longer));
	if (longer == NULL)
		return MUSES_ENOMEM;
	d->address = longer;
	d->address[d->count++] = (struct core_dial_address){ l, address };
	resolve(d, &err);
	if (err != 0 && err != MUSES_EAGAIN)
		return muses_fail(
			l, err,
			"cannot dial \"%s\": no peer has that name; want a name "
			"from the peers file or a node id",
			name);
	if (d->known && muses_id_equal(&d->id, links->self))
		return muses_fail(l, MUSES_ECONFIG,
		                  "cannot dial \"%s\": that is this node itself", name);
	/* We dial it, so it may dial us. */
	return d->known ? core_links_allow(links, &d->id) : 0;
}

void core_dial_start(struct core_links *links)
{
	for (struct core_dial *d = links->dials; d != NULL; d = d->next)
		arm(d, 0);
}

void core_dial_stop(struct core_links *links)
{
	for (struct core_dial *d = links->dials; d != NULL; d = d->next)
		muses_timer_stop(&d->timer);
}

void core_dial_again(struct core_links *links, uint64_t wait_ns)
{
	for (struct core_dial *d = links->dials; d != NULL; d = d->next) {
		d->wait_ns = LEAST_WAIT;
		d->at = 0;
		if (proven_link(d) != NULL)
			continue;
		/* They went out by the old route. */
		for (size_t i = 0; i < ATTEMPTS; i++)
			if (d->attempt[i] != NULL)
				core_link_close(d->attempt[i], "the network changed", -1);
		d->wait_ns = LEAST_WAIT;
		d->at = 0;
		arm(d, wait_ns);
	}
}

void core_dial_hurry(struct core_links *links)
{
	uint64_t soon = core_links_now(links) + HURRY_WAIT;

	for (struct core_dial *d = links->dials; d != NULL; d = d->next)
		if (muses_timer_armed(&d->timer) && d->timer.due_ns > soon)
			muses_timer_at(&d->timer, soon);
}

void core_dial_free(struct core_links *links)
{
	struct core_dial *d;

	while ((d = links->dials) != NULL) {
		links->dials = d->next;
		muses_timer_stop(&d->timer);
		muses_free(d->address);
		muses_free(d);
	}
}
