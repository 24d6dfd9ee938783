/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a channel to a proven link, in one round trip:
 *
 *     dialler                                 listener
 *        | ---- HELLO ------------------------->  |
 *        | <------------------------ HELLO -----  |   (sent when the channel is up)
 *        | <------------------------ PROOF -----  |   (sent on the dialler's HELLO)
 *        | ---- PROOF, DATA ... -------------->   |
 *
 * Each side proves as soon as it has heard the other's hello and uses the link as
 * soon as the other's proof is good, so the dialler knows whom it talks to before
 * its first packet leaves, and that packet shares a flight with its proof.
 *
 * Both hellos whole and the side that proves are under each proof: a proof taken
 * from one link is worth nothing on another, nor on the same one turned round.
 */
#include "core/linkstate.h"
#include "core/mem.h"

#include <muses/noise.h>
#include <muses/wire.h>

void core_greeting_free(struct core_greeting *g)
{
	muses_free_secret(g, sizeof(*g));
}

static const uint8_t *dialler_hello(const struct muses_link *link)
{
	const struct core_greeting *g = link->greeting;

	return link->side == CORE_DIALLER ? g->ours : g->theirs;
}

static const uint8_t *listener_hello(const struct muses_link *link)
{
	const struct core_greeting *g = link->greeting;

	return link->side == CORE_DIALLER ? g->theirs : g->ours;
}

/* How long until something lost is said again, on a link that may lose. */
static uint64_t again_span(const struct muses_link *link)
{
	return link->links->config.hello_ms * MUSES_MS / 16;
}

static void arm(struct muses_link *link)
{
	uint64_t due = link->opened_ns + link->links->config.hello_ms * MUSES_MS;
	uint64_t again = core_links_now(link->links) + again_span(link);

	muses_timer_at(&link->timer, link->lossy && again < due ? again : due);
}

/* ---- hello ------------------------------------------------------------------ */

void core_link_greet(struct muses_task *t)
{
	struct muses_link *link = muses_container(t, struct muses_link, greet);
	struct core_links *links = link->links;
	struct core_greeting *g = muses_zalloc(sizeof(*g));
	struct core_hello hello = { .node = *links->self,
		                    .mtu = core_channel_mtu(&link->channel) };

	if (g == NULL) {
		core_link_close(link, "out of memory", -1);
		return;
	}
	link->greeting = g;
	link->lossy = core_channel_lossy(&link->channel);
	memcpy(hello.overlay, links->config.overlay_id, sizeof(hello.overlay));
	if (core_rand_bytes(links->env->rand, hello.nonce, sizeof(hello.nonce)) != 0 ||
	    core_rand_bytes(links->env->rand, g->secret, sizeof(g->secret)) != 0 ||
	    muses_x25519_public(g->secret, hello.share) != 0) {
		core_link_close(link, "no key for the hello", -1);
		return;
	}
	core_hello_write(&hello, g->ours);
	core_link_say(link, g->ours, sizeof(g->ours));
	arm(link);
}

/* Why we do not want a link with who says hello; NULL: we do. */
static const char *unwanted(const struct muses_link *link, const struct core_hello *hello)
{
	struct core_links *links = link->links;
	const struct muses_keys_ops *keys = core_keys_ops(links->pipeline);

	if (memcmp(hello->overlay, links->config.overlay_id, sizeof(hello->overlay)) != 0)
		return "hello from another overlay";
	if (muses_id_equal(&hello->node, links->self))
		return "the peer is ourselves";
	if (link->dial != NULL && !core_dial_wanted(link->dial, &hello->node))
		return "another node answers there";
	if (!links->config.any_neighbour &&
	    !keys->may_link(links->pipeline->keys, &hello->node) &&
	    muses_idmap_get(&links->allowed, &hello->node) == NULL)
		return "not a neighbour of ours";
	return NULL;
}

static void send_proof(struct muses_link *link)
{
	core_link_say(link, link->greeting->proof, link->greeting->proof_size);
}

/* Make our proof, keep it for repetitions, send it. */
static int prove(struct muses_link *link)
{
	struct core_greeting *g = link->greeting;
	struct core_pipeline *p = link->links->pipeline;
	uint8_t transcript[CORE_TRANSCRIPT_BYTES];
	struct muses_writer w = muses_writer(g->proof, CORE_PROOF_HEAD);
	size_t size = 0;
	int err;

	core_transcript_write(link->side, dialler_hello(link), listener_hello(link),
	                      transcript);
	err = core_keys_ops(p)->prove(p->keys, &link->peer, transcript,
	                              sizeof(transcript), g->proof + CORE_PROOF_HEAD,
	                              &size);
	if (err != 0)
		return err;
	if (size > MUSES_PROOF_MAX)
		return MUSES_ELIMIT;
	muses_write_u8(&w, CORE_FRAME_PROOF);
	muses_write_u16(&w, (uint16_t)size);
	g->proof_size = CORE_PROOF_HEAD + size;
	send_proof(link);
	return 0;
}

/* The same hello or proof once more: what we said must have been lost. */
static void repeat(struct muses_link *link)
{
	struct core_greeting *g = link->greeting;
	uint64_t now = core_links_now(link->links);

	if (!link->lossy || now < g->again_ns)
		return;
	g->again_ns = now + again_span(link);
	core_link_say(link, g->ours, sizeof(g->ours));
	if (g->proof_size > 0)
		send_proof(link);
}

void core_link_hello(struct muses_link *link, const uint8_t *frame, size_t size)
{
	struct core_greeting *g = link->greeting;
	struct core_hello hello;
	const char *why;
	int err;

	if (g != NULL && g->heard) {
		if (size == sizeof(g->theirs) && memcmp(g->theirs, frame, size) == 0)
			repeat(link);
		else
			core_link_close(link, "second hello", -1);
		return;
	}
	if (g == NULL && link->state == CORE_LINK_PROVEN) {
		core_link_count(link, "hello again");
		return;
	}
	if (g == NULL) { /* Faster than our own. */
		muses_task_cancel(&link->greet);
		core_link_greet(&link->greet);
		if (link->state == CORE_LINK_CLOSED)
			return;
		g = link->greeting;
	}
	why = core_hello_read(&hello, frame, size);
	if (why == NULL)
		why = unwanted(link, &hello);
	if (why != NULL) {
		core_link_close(link, why, -1);
		return;
	}
	memcpy(g->theirs, frame, sizeof(g->theirs));
	g->heard = true;
	link->peer = hello.node;
	link->mtu = core_channel_mtu(&link->channel);
	if (hello.mtu < link->mtu)
		link->mtu = hello.mtu;
	link->mtu -= 1; /* The frame's type. */
	err = core_guard_init(&link->guard, link->side, g->secret, hello.share,
	                      dialler_hello(link), listener_hello(link));
	muses_cleanse(g->secret, sizeof(g->secret));
	if (err != 0)
		core_link_close(link, "hello with a worthless share", -1);
	else if (prove(link) != 0)
		core_link_close(link, "no secret to prove with", -1);
}

/* ---- two links with one peer ------------------------------------------------ */

struct muses_link *core_link_spare(const struct muses_link *link)
{
	for (struct muses_link *k = link->links->first; k != NULL; k = k->next)
		if (k != link && k->spare && k->state == CORE_LINK_PROVEN &&
		    muses_id_equal(&k->peer, &link->peer))
			return k;
	return NULL;
}

/* Use link for its peer from now on, and old (may be NULL) no more.  false: out of
 * memory, and link is closed. */
static bool adopt(struct muses_link *link, struct muses_link *old)
{
	struct core_links *links = link->links;
	struct muses_layer *overlay = links->pipeline->overlay;
	char text[MUSES_ID_LENGTH + 1];

	if (muses_idmap_set(&links->in_use, &link->peer, link) != 0) {
		core_link_close(link, "out of memory", -1);
		return false;
	}
	link->spare = false;
	core_log(links->env->log, MUSES_INFO, "link", "up with %s over %s %s",
	         core_link_name(link, text), link->channel.outermost->label,
	         link->remote);
	core_dial_proven(links, link);
	/* First the new one, so that the overlay sees a move and not an outage. */
	core_overlay_ops(links->pipeline)->link_up(overlay, link);
	if (old != NULL)
		core_overlay_ops(links->pipeline)->link_down(overlay, old);
	return true;
}

/*
 * Which of two proven links with one peer shall live?  Of two by the same dialler
 * the newer: it would not have dialled had the older been well.  Of two by
 * different diallers the newer, unless they crossed; then the one that the lower
 * id dialled.  But only the lower id closes the other one: clocks differ, and if
 * each side chose by its own, both links might go.  The higher id keeps a spare
 * until the lower one has spoken.
 */
static void settle(struct muses_link *link, struct muses_link *old)
{
	struct core_links *links = link->links;
	bool ours_lower = muses_id_compare(links->self, &link->peer) < 0;
	bool crossed =
		link->side != old->side && core_links_now(links) - old->proven_ns <
						   links->config.hello_ms * MUSES_MS;
	bool keep_new = !crossed || (link->side == CORE_DIALLER) == ours_lower;

	if (link->side == old->side || ours_lower) {
		struct muses_link *other = keep_new ? old : link;

		if (keep_new && !adopt(link, old))
			return;
		core_link_close(other, "replaced by another link", CORE_BYE_REPLACED);
	} else {
		struct muses_link *third = core_link_spare(link);

		if (third != NULL)
			core_link_close(third, "one spare link is enough", -1);
		if (keep_new && !adopt(link, old))
			return;
		(keep_new ? old : link)->spare = true;
	}
}

/* ---- proof ------------------------------------------------------------------- */

void core_link_proof(struct muses_link *link, const uint8_t *frame, size_t size)
{
	struct core_links *links = link->links;
	struct core_pipeline *p = links->pipeline;
	struct core_greeting *g = link->greeting;
	uint8_t transcript[CORE_TRANSCRIPT_BYTES];
	struct muses_link *old;
	size_t proof_size;
	const uint8_t *proof = core_proof_read(frame, size, &proof_size);

	if (link->state == CORE_LINK_PROVEN) {
		if (g != NULL)
			repeat(link);
		return;
	}
	if (g == NULL || !g->heard) {
		/* Where packets overtake one another it will be said again. */
		if (g != NULL && link->lossy)
			core_link_count(link, "proof before hello");
		else
			core_link_close(link, "proof before hello", -1);
		return;
	}
	core_transcript_write(link->side == CORE_DIALLER ? CORE_LISTENER : CORE_DIALLER,
	                      dialler_hello(link), listener_hello(link), transcript);
	if (proof == NULL ||
	    core_keys_ops(p)->verify(p->keys, &link->peer, transcript, sizeof(transcript),
	                             proof, proof_size) != 0) {
		core_link_close(link, "proof not authentic", -1);
		return;
	}
	link->state = CORE_LINK_PROVEN;
	link->proven_ns = core_links_now(links);
	if (link->side == CORE_LISTENER)
		links->unproven--;
	if (!link->lossy) {
		core_greeting_free(g);
		link->greeting = NULL;
	}
	core_link_live(link);
	old = muses_idmap_get(&links->in_use, &link->peer);
	if (old == NULL)
		adopt(link, NULL);
	else
		settle(link, old);
}

void core_link_greeting_timer(struct muses_link *link)
{
	uint64_t now = core_links_now(link->links);

	if (now >= link->opened_ns + link->links->config.hello_ms * MUSES_MS) {
		core_link_close(link, "no proof in time", -1);
		return;
	}
	if (link->state == CORE_LINK_GREETING && link->greeting != NULL)
		repeat(link);
	arm(link);
}
