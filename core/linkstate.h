/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_LINKSTATE_H
#define CORE_LINKSTATE_H

#include "core/link.h"
#include "core/linkhello.h"

#include <muses/idmap.h>

/*
 * What the files of the links share: channel.c, link.c, linkprove.c, linklive.c,
 * dial.c.  A channel of a transport and our link over it live and die together,
 * so they are one struct.
 *
 *            dial()          up()            hello, proof
 *   (none) --------> CONNECTING ---> GREETING ----------> PROVEN
 *                accept() ------------^  |                  |
 *                                        v                  v
 *                                      CLOSED  <-------------
 *
 * A closed link is freed at the end of the turn: whoever is still on the stack
 * with it finds it closed, not gone.
 */
struct muses_channel {
	struct muses_layer *outermost; /* The transport we talk to. */
	void *self[CORE_WRAP_MAX];     /* Of each layer, by its depth. */
};

enum core_link_state {
	CORE_LINK_CONNECTING = 0,
	CORE_LINK_GREETING,
	CORE_LINK_PROVEN,
	CORE_LINK_CLOSED,
};

/* Needed until the link is proven; on a lossy one a little longer. */
struct core_greeting {
	uint8_t secret[32]; /* Private half of our share; wiped once used. */
	uint8_t ours[CORE_HELLO_BYTES];
	uint8_t theirs[CORE_HELLO_BYTES];
	bool heard; /* theirs is filled. */
	uint8_t proof[CORE_PROOF_FRAME_MAX];
	size_t proof_size; /* Of the frame; 0: not made. */
	uint64_t again_ns; /* No repetition before. */
};

struct muses_link {
	struct muses_channel channel; /* Stays first: channel.c goes from one to the other. */
	struct core_links *links;
	struct muses_link *next, **link; /* All links, newest first; or the dead. */
	enum core_link_state state;
	enum core_side side;
	bool spare;     /* Proven, but another link with the peer is in use. */
	bool full;      /* Found at its bound; writable() has not come. */
	bool asked;     /* A PING is out ... */
	uint64_t asked_ns; /* ... since then. */
	uint64_t dead_ns;  /* How long an answer may take. */
	uint8_t bad;    /* Frames that were no frames of ours. */
	struct core_dial *dial; /* Who dialled it; NULL: the peer, or forgotten. */
	struct core_greeting *greeting;
	struct core_guard guard;
	struct muses_id peer; /* Claimed from HELLO on, true when PROVEN. */
	uint32_t mtu;         /* Largest routed packet. */
	bool lossy;
	void *note; /* The overlay's. */
	struct muses_task greet;
	struct muses_timer timer;
	uint64_t opened_ns, proven_ns, heard_ns;
	uint64_t sent_bytes, received_bytes;
	uint64_t written_bytes; /* Of sent_bytes, when the timer last looked ... */
	uint64_t stuck_ns;      /* ... and since when that has not changed; 0: it has. */
	char remote[64];
};

struct core_links {
	struct core_env *env;
	struct core_pipeline *pipeline;
	struct core_links_config config;
	const struct muses_id *self;
	struct muses_link *first;
	size_t count;
	size_t unproven; /* Inbound ones that are not proven. */
	struct muses_idmap in_use;  /* Proven peer -> its link. */
	struct muses_idmap allowed; /* Named by the configuration. */
	struct core_dial *dials;
	bool started, stopped, hurry;
	struct muses_link *dead;
	struct muses_task reap;
};

static inline const struct muses_transport_ops *core_transport_ops(const struct muses_layer *l)
{
	return l->ops;
}
static inline uint64_t core_links_now(const struct core_links *links)
{
	return core_loop_now(links->env->loop);
}
/* Count something the network did, and say it at debug level. */
void core_link_count(const struct muses_link *link, const char *reason);

/* What people here call the peer of a proven link; text has room for an id. */
const char *core_link_name(const struct muses_link *link, char text[static MUSES_ID_LENGTH + 1]);

/* ---- channel.c: what all layers of a channel say together ---- */
uint32_t core_channel_mtu(const struct muses_channel *channel);
bool core_channel_lossy(const struct muses_channel *channel);
bool core_channel_alive(struct muses_channel *channel);
void core_channel_info(struct muses_channel *channel, json_t *object);

/* ---- link.c ---- */
struct muses_link *core_link_new(struct core_links *links, struct muses_layer *outermost,
                                 enum core_side side);
/* Close the channel too; bye: a CORE_BYE_ reason to tell a proven peer, or -1. */
void core_link_close(struct muses_link *link, const char *reason, int bye);
/* The channel has gone already. */
void core_link_gone(struct muses_link *link, const char *reason);

/* ---- what channel.c tells ---- */
struct muses_link *core_link_accept(struct core_links *links, struct muses_layer *outermost,
                                    const char *remote);
void core_link_connected(struct muses_link *link);
void core_link_frame(struct muses_link *link, struct muses_buf *b); /* Takes b over. */
void core_link_drained(struct muses_link *link);

/* ---- linkprove.c ---- */
void core_link_greet(struct muses_task *t);
void core_link_hello(struct muses_link *link, const uint8_t *frame, size_t size);
void core_link_proof(struct muses_link *link, const uint8_t *frame, size_t size);
/* Time has come while GREETING: late, or to be said again. */
void core_link_greeting_timer(struct muses_link *link);
void core_greeting_free(struct core_greeting *g);
/* A link in use has gone: the spare one with the same peer, or NULL. */
struct muses_link *core_link_spare(const struct muses_link *link);

/* ---- linklive.c ---- */
void core_link_live(struct muses_link *link); /* PROVEN begins. */
/* Send size bytes as they are, with no body of a guarded frame. */
void core_link_say(struct muses_link *link, const uint8_t *frame, size_t size);
void core_link_guarded(struct muses_link *link, enum core_frame type, const uint8_t *body,
                       size_t size);
void core_link_ask(struct muses_link *link, uint64_t dead_ns); /* PING now. */
void core_link_timer(struct muses_timer *t);

/* ---- dial.c ---- */
int core_dial_add(struct core_links *links, struct muses_layer *l, const char *name,
                  const char *address);
void core_dial_start(struct core_links *links);
void core_dial_stop(struct core_links *links);
void core_dial_free(struct core_links *links);
/* Start again, after wait_ns: the network changed. */
void core_dial_again(struct core_links *links, uint64_t wait_ns);
void core_dial_hurry(struct core_links *links);
/* Does link, whose dial is set, lead to the node we wanted? */
bool core_dial_wanted(const struct core_dial *dial, const struct muses_id *id);
/* A link to id is proven (whoever dialled). */
void core_dial_proven(struct core_links *links, const struct muses_link *link);
/* link, which dial started, has ended. */
void core_dial_ended(struct core_dial *dial, struct muses_link *link, bool proven);
/* The link to id in use went down and nothing took its place. */
void core_dial_lost(struct core_links *links, const struct muses_link *link);

#endif
