/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_NODE_H
#define CORE_NODE_H

#include "core/config.h"
#include "core/env.h"
#include "core/link.h"
#include "core/pipeline.h"
#include "core/session.h"

/*
 * A node: wires pipeline, links, sessions, LCM and control together.  One node =
 * one name = one pipeline; several may live in one process on one loop (tests,
 * simulator).
 */
struct core_node;

/* Build from a checked configuration; takes config over, also on failure.  env
 * outlives the node.  On failure why holds one sentence, and nothing is open. */
int core_node_open(struct core_node **node, struct core_env *env, struct core_config *config,
                   char *why, size_t why_size);
/* Start layers, links, listeners, control socket.  After an error: close. */
int core_node_start(struct core_node *node, char *why, size_t why_size);
/* Tell the peers, flush for at most 200 ms, end everything. */
void core_node_stop(struct core_node *node);
void core_node_close(struct core_node *node);
/* SIGHUP: read the file again.  0; else why names the key and nothing changed. */
int core_node_reload(struct core_node *node, char *why, size_t why_size);

const struct muses_id *core_node_id(const struct core_node *node);
const char *core_node_name(const struct core_node *node);
struct core_env *core_node_env(struct core_node *node);
struct core_sessions *core_node_sessions(struct core_node *node);
struct core_links *core_node_links(struct core_node *node);
struct core_pipeline *core_node_pipeline(struct core_node *node);
/* A petname, the text of an id, or our own name.  0, MUSES_EUNKNOWN,
 * MUSES_EAGAIN. */
int core_node_resolve(struct core_node *node, const char *name, struct muses_id *id);
/* What people here call id: petname, else the text of the id; text has room. */
void core_node_show(struct core_node *node, const struct muses_id *id,
                    char text[static MUSES_NAME_MAX + 1]);
/* All of `muses status --json`. */
json_t *core_node_status(struct core_node *node);

#endif
