/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_ENDS_H
#define TESTS_ENDS_H

#include "core/layer.h"
#include "core/options.h"
#include "tests/folder.h"

/*
 * Nodes that have nothing but a keys plugin: each a layer filled by hand, all on
 * one virtual loop, with their files in one folder.
 */
#define ENDS_MOST 8

struct end {
	struct core_env env;
	struct muses_layer layer;
	const struct muses_keys_ops *ops;
	struct core_options *options;
	void *config;
	struct muses_id id;
	char log[2048]; /* Lines that were logged. */
};

struct ends {
	const struct muses_plugin *plugin;
	struct folder folder;
	struct core_loop *loop;
	struct end *end[ENDS_MOST];
	size_t count;
	char why[512]; /* What the last ends_add() or ends_reload() did not like. */
};

void ends_open(struct ends *w, const struct muses_plugin *plugin);
void ends_close(struct ends *w);
/* A node; json (with ' for ") are the plugin's options.  NULL: see why. */
struct end *ends_add(struct ends *w, const char *name, const char *json);
/* SIGHUP, with these options.  false: see why, and nothing changed. */
bool ends_reload(struct ends *w, struct end *e, const char *json);
uint64_t ends_counted(const struct end *e, const char *reason);

/* One handshake, step by step.  Messages travel in a buffer of exactly their size,
 * so that a sanitizer sees a read behind it. */
struct meeting {
	struct end *a, *b;
	struct muses_handshake *h[2];
	uint8_t pattern, messages;
	struct muses_id peer[2];
	struct muses_shared shared[2];
	/* Change a message on its way: bit flip_bit of message number flip_message,
	 * which is then cut_bytes shorter.  0: none. */
	unsigned flip_message;
	size_t flip_bit;
	bool flip;
	size_t cut_bytes;
	bool tampered;  /* Somebody changed HELLO_A: b's prologue is another one. */
	size_t size[4]; /* Of the messages. */
};

/* a calls the node with id (b's own, if NULL).  0, or the first error: of begin,
 * or of a read.  Both sides' handshakes have ended when it returns. */
int ends_meet(struct meeting *m, struct end *a, struct end *b, const struct muses_id *id);

#endif
