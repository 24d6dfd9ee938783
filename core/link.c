/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of links: how they begin and end, who may have one, how many.  What
 * they say before they are proven is in linkprove.c, after that in linklive.c;
 * reaching out is in dial.c.
 */
#include "core/linkstate.h"
#include "core/mem.h"

#include <stdio.h>

enum { SOURCE_SHARE = 16 }; /* Of all links, that one source may have unproven. */

const struct core_links_config core_links_defaults = {
	.keepalive_ms = 2000,
	.dead_ms = 3000,
	.hello_ms = 5000,
	.most = 1024,
	.queue_bytes = 4u << 20,
};

void core_link_count(const struct muses_link *link, const char *reason)
{
	core_env_count(link->links->env, "link", reason);
}

const char *core_link_name(const struct muses_link *link,
                           char text[static MUSES_ID_LENGTH + 1])
{
	struct core_pipeline *p = link->links->pipeline;
	const struct muses_keys_ops *keys = core_keys_ops(p);
	const char *name =
		keys->petname != NULL ? keys->petname(p->keys, &link->peer) : NULL;

	muses_id_text(&link->peer, text);
	return name != NULL ? name : text;
}

/* ---- one link ------------------------------------------------------------- */

static void reap(struct muses_task *t)
{
	struct core_links *links = muses_container(t, struct core_links, reap);
	struct muses_link *link;

	while ((link = links->dead) != NULL) {
		links->dead = link->next;
		muses_free_secret(link, sizeof(*link));
	}
}

struct muses_link *core_link_new(struct core_links *links, struct muses_layer *outermost,
                                 enum core_side side)
{
	struct muses_link *link = muses_zalloc(sizeof(*link));

	if (link == NULL)
		return NULL;
	link->channel.outermost = outermost;
	link->links = links;
	link->side = side;
	link->opened_ns = core_links_now(links);
	core_task_init(links->env->loop, &link->greet, core_link_greet);
	core_timer_init(links->env->loop, &link->timer, core_link_timer);
	link->next = links->first;
	link->link = &links->first;
	if (link->next != NULL)
		link->next->link = &link->next;
	links->first = link;
	links->count++;
	if (side == CORE_LISTENER)
		links->unproven++;
	return link;
}

/* Take it out of everything that finds links. */
static void forget(struct muses_link *link)
{
	struct core_links *links = link->links;

	if (link->side == CORE_LISTENER && link->state != CORE_LINK_PROVEN)
		links->unproven--;
	link->state = CORE_LINK_CLOSED;
	links->count--;
	*link->link = link->next;
	if (link->next != NULL)
		link->next->link = link->link;
	muses_timer_stop(&link->timer);
	muses_task_cancel(&link->greet);
	core_greeting_free(link->greeting);
	link->greeting = NULL;
	core_guard_clear(&link->guard);
	link->next = links->dead;
	links->dead = link;
	muses_task_queue(&links->reap);
}

/* The link in use with a peer ends: another one takes its place, or none. */
static void hand_over(struct muses_link *link)
{
	struct core_links *links = link->links;
	struct muses_layer *overlay = links->pipeline->overlay;
	const struct muses_overlay_ops *ops = core_overlay_ops(links->pipeline);
	struct muses_link *spare = core_link_spare(link);

	if (spare != NULL) {
		spare->spare = false;
		/* It is there already, so this only replaces and cannot fail. */
		if (muses_idmap_set(&links->in_use, &link->peer, spare) == 0)
			ops->link_up(overlay, spare);
	} else {
		muses_idmap_remove(&links->in_use, &link->peer);
	}
	ops->link_down(overlay, link);
	if (spare == NULL)
		core_dial_lost(links, link);
}

void core_link_gone(struct muses_link *link, const char *reason)
{
	struct core_dial *dial = link->dial;
	bool proven = link->state == CORE_LINK_PROVEN;
	bool used = proven && muses_idmap_get(&link->links->in_use, &link->peer) == link;

	if (link->state == CORE_LINK_CLOSED)
		return;
	core_link_count(link, reason);
	if (used) {
		char text[MUSES_ID_LENGTH + 1];

		core_log(link->links->env->log, MUSES_INFO, "link", "down with %s: %s",
		         core_link_name(link, text), reason);
	}
	link->dial = NULL;
	forget(link);
	if (dial != NULL)
		core_dial_ended(dial, link, proven);
	if (used)
		hand_over(link);
}

void core_link_close(struct muses_link *link, const char *reason, int bye)
{
	struct muses_layer *l = link->channel.outermost;
	uint8_t word = (uint8_t)bye;

	if (link->state == CORE_LINK_CLOSED)
		return;
	if (bye >= 0 && link->state == CORE_LINK_PROVEN)
		core_link_guarded(link, CORE_FRAME_BYE, &word, 1);
	core_transport_ops(l)->close(l, &link->channel);
	core_link_gone(link, reason);
}

/* ---- from the transports --------------------------------------------------- */

/* Do two remotes come from the same place?  Behind the last colon is a port. */
static bool same_source(const char *a, const char *b)
{
	const char *end_a = strrchr(a, ':'), *end_b = strrchr(b, ':');
	size_t length = end_a != NULL ? (size_t)(end_a - a) : strlen(a);

	return length == (end_b != NULL ? (size_t)(end_b - b) : strlen(b)) &&
	       memcmp(a, b, length) == 0;
}

/* Which unproven link has to go, so that remote may come; NULL: none has to.  When
 * one source has an eighth of what may be unproven it pushes out its own; otherwise,
 * when all is taken, the oldest of anybody goes.  The list is newest first. */
static struct muses_link *whom_to_close(const struct core_links *links,
                                        const char *remote)
{
	size_t most = links->config.most, same = 0;
	struct muses_link *oldest = NULL, *oldest_same = NULL;

	for (struct muses_link *k = links->first; k != NULL; k = k->next) {
		if (k->side != CORE_LISTENER || k->state == CORE_LINK_PROVEN)
			continue;
		oldest = k;
		if (same_source(k->remote, remote)) {
			oldest_same = k;
			same++;
		}
	}
	if (same >= most / SOURCE_SHARE && same > 0)
		return oldest_same;
	return links->count >= most || links->unproven >= most / 2 ? oldest : NULL;
}

struct muses_link *core_link_accept(struct core_links *links,
                                    struct muses_layer *outermost, const char *remote)
{
	struct muses_link *link, *out;

	if (links->stopped)
		return NULL;
	if (remote == NULL)
		remote = "";
	out = whom_to_close(links, remote);
	if (out != NULL)
		core_link_close(out, "made room for a newer one", -1);
	if (links->count >= links->config.most) {
		core_env_count(links->env, "link", "refused: too many links");
		return NULL;
	}
	link = core_link_new(links, outermost, CORE_LISTENER);
	if (link == NULL)
		return NULL;
	snprintf(link->remote, sizeof(link->remote), "%s", remote);
	core_link_connected(link);
	return link;
}

void core_link_connected(struct muses_link *link)
{
	if (link->state != CORE_LINK_CONNECTING)
		return;
	link->state = CORE_LINK_GREETING;
	/* Not from here: the transport is still busy with this channel. */
	muses_task_queue(&link->greet);
}

/* ---- the table -------------------------------------------------------------- */

struct core_links *core_links_open(struct core_env *env, struct core_pipeline *pipeline,
                                   const struct core_links_config *config,
                                   const struct muses_id *self)
{
	struct core_links *links = muses_zalloc(sizeof(*links));

	if (links == NULL)
		return NULL;
	links->env = env;
	links->pipeline = pipeline;
	links->config = *config;
	links->self = self;
	links->in_use.seed = core_rand_below(env->rand, UINT64_MAX);
	links->allowed.seed = core_rand_below(env->rand, UINT64_MAX);
	core_task_init(env->loop, &links->reap, reap);
	return links;
}

/* The neighbours that the overlay's own options name. */
static void allow_neighbours(struct core_links *links)
{
	const struct muses_overlay_ops *overlay = core_overlay_ops(links->pipeline);
	struct muses_layer *keys = links->pipeline->keys;
	const char *name;
	struct muses_id id;

	for (size_t i = 0; overlay->neighbour != NULL &&
	                   overlay->neighbour(links->pipeline->overlay, i, &name);
	     i++)
		if ((muses_id_parse(name, &id) ||
		     core_keys_ops(links->pipeline)->resolve(keys, name, &id) == 0) &&
		    core_links_allow(links, &id) != 0)
			core_log(links->env->log, MUSES_ERROR, "link",
			         "out of memory: %s may not link", name);
}

void core_links_start(struct core_links *links)
{
	links->started = true;
	allow_neighbours(links);
	core_dial_start(links);
}

void core_links_stop(struct core_links *links)
{
	links->stopped = true;
	core_dial_stop(links);
	while (links->first != NULL)
		core_link_close(links->first, "stopped", CORE_BYE_STOPPING);
}

void core_links_close(struct core_links *links)
{
	if (links == NULL)
		return;
	if (!links->stopped)
		core_links_stop(links);
	muses_task_cancel(&links->reap);
	reap(&links->reap);
	core_dial_free(links);
	muses_idmap_clear(&links->in_use);
	muses_idmap_clear(&links->allowed);
	muses_free(links);
}

void core_links_network_changed(struct core_links *links, uint64_t settle_ns)
{
	/* An answer that takes longer than this after a change of address or route
	 * is not worth waiting for: a new link would be faster. */
	uint64_t dead_ns = links->config.dead_ms * MUSES_MS;
	struct muses_link *k, *next;

	if (dead_ns > 2 * MUSES_S)
		dead_ns = 2 * MUSES_S;
	if (!links->started || links->stopped)
		return;
	for (k = links->first; k != NULL; k = next) {
		/* Closing one may start a dial, which goes to the front of the list; it
		 * closes no other. */
		next = k->next;
		if (k->state == CORE_LINK_PROVEN) {
			if (!core_channel_alive(&k->channel))
				core_link_close(k, "local address gone", -1);
			else
				core_link_ask(k, dead_ns);
		}
	}
	core_dial_again(links, settle_ns);
}

void core_links_hurry(struct core_links *links, bool hurry)
{
	if (hurry && !links->hurry) {
		links->hurry = true;
		core_dial_hurry(links);
	}
	links->hurry = hurry;
}

int core_links_allow(struct core_links *links, const struct muses_id *id)
{
	return muses_idmap_set(&links->allowed, id, links);
}

bool core_links_local(const struct core_links *links)
{
	return core_pipeline_local(links->pipeline);
}

size_t core_links_proven(const struct core_links *links)
{
	return links->in_use.count;
}

static json_t *link_info(struct muses_link *k)
{
	static const char *const word[] = { "connecting", "greeting", "up", "closed" };
	struct muses_layer *l = k->channel.outermost;
	const struct muses_transport_ops *ops = core_transport_ops(l);
	uint64_t since_ns = k->state == CORE_LINK_PROVEN ? k->proven_ns : k->opened_ns;
	char peer[MUSES_ID_LENGTH + 1] = "";
	json_t *o;

	if (k->state == CORE_LINK_PROVEN)
		muses_id_text(&k->peer, peer);
	o = json_pack("{s:s, s:s, s:s, s:s, s:b, s:I, s:I, s:I, s:I}", "peer", peer,
	              "transport", l->label, "remote", k->remote, "state",
	              k->spare ? "spare" : word[k->state], "dialled",
	              k->side == CORE_DIALLER, "for_ms",
	              (json_int_t)((core_links_now(k->links) - since_ns) / MUSES_MS),
	              "bytes_sent", (json_int_t)k->sent_bytes, "bytes_received",
	              (json_int_t)k->received_bytes, "queue",
	              (json_int_t)ops->queued(l, &k->channel));
	if (o != NULL)
		core_channel_info(&k->channel, o);
	return o;
}

json_t *core_links_info(const struct core_links *links)
{
	json_t *array = json_array();

	for (struct muses_link *k = links->first; array != NULL && k != NULL; k = k->next)
		json_array_append_new(array, link_info(k));
	return array;
}
