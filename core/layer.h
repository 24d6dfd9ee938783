/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_LAYER_H
#define CORE_LAYER_H

#include "core/env.h"

#include <muses/keys.h>
#include <muses/overlay.h>
#include <muses/reliability.h>
#include <muses/security.h>
#include <muses/transport.h>

struct core_node;
struct core_links;
struct core_pipeline;

/*
 * One plugin in one place of one pipeline.  Made by core/pipeline.c; a test may
 * fill one by hand.  The upcalls of muses/transport.h go to links, those of
 * muses/overlay.h and muses_keys_news() to the functions in up.
 */
struct core_layer_up {
	void *owner; /* The node, or a test's own. */
	void (*deliver)(void *owner, struct muses_buf *b, const struct muses_met *met);
	void (*path)(void *owner, const struct muses_id *peer, enum muses_path event);
	void (*writable)(void *owner, const struct muses_id *peer);
	void (*keys_news)(void *owner);
};

struct muses_layer {
	const struct muses_plugin *plugin; /* A copy of the core's own, zero-filled behind
	                                    * the plugin's size. */
	const void *ops;                   /* Likewise, zero-filled behind ops_size. */
	void *config;                      /* The filled struct. */
	void *self;
	struct core_env *env;
	struct core_pipeline *pipeline;    /* For muses_service(). */
	struct core_links *links;          /* Transports: who gets the upcalls. */
	const struct core_layer_up *up;
	struct muses_layer *inner, *outer; /* Wrapping; NULL mostly. */
	unsigned depth;                    /* 0 for the outermost: index of channel_self. */
	char label[32];                    /* "tcp", "impair[1]": for log and counters. */
	const struct muses_id *node_id;
	const char *node_name;
};

#define CORE_WRAP_MAX 4 /* Transports inside transports. */

#endif
