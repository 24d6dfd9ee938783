/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_PIPELINE_H
#define CORE_PIPELINE_H

#include "core/layer.h"
#include "core/loader.h"

#include <jansson.h>

/*
 * The layers of one node, by role.  Built from the file's "pipeline" object in
 * two steps: check (no plugin code but check()) and open.  Order, bottom first:
 * transports, overlay, keys, security, reliability.
 */
#define CORE_SECURITY_MAX  8
#define CORE_TRANSPORT_MAX 8

struct core_pipeline {
	struct core_loader *loader;
	struct muses_layer *keys;
	struct muses_layer *security[CORE_SECURITY_MAX]; /* In order of preference. */
	size_t security_count;
	struct muses_layer *reliability;
	struct muses_layer *overlay;
	struct muses_layer *transport[CORE_TRANSPORT_MAX];
	size_t transport_count;
};

static inline const struct muses_keys_ops *core_keys_ops(const struct core_pipeline *p)
{
	return p->keys->ops;
}
static inline const struct muses_overlay_ops *core_overlay_ops(const struct core_pipeline *p)
{
	return p->overlay->ops;
}
static inline const struct muses_reliability_ops *
core_reliability_ops(const struct core_pipeline *p)
{
	return p->reliability->ops;
}

/* A suite on offer, found by its wire id; NULL: not offered here. */
const struct muses_suite *core_pipeline_suite(const struct core_pipeline *p, uint16_t id);
/* The offered suites in order of preference; returns how many (at most most). */
size_t core_pipeline_suites(const struct core_pipeline *p, const struct muses_suite **suite,
                            size_t most);

/* Load, parse and check every layer that object ("pipeline") names.  Relative
 * paths are relative to folder.  Nothing opens.  On an error, why holds one
 * sentence that begins with the JSON path.  0 or MUSES_ECONFIG, MUSES_EPLUGIN,
 * MUSES_ENOMEM. */
int core_pipeline_check(struct core_pipeline **pipeline, struct core_loader *loader,
                        const json_t *object, const char *folder, char *why,
                        size_t why_size);
/* Hand env, links, up and the node's names to every layer, then open bottom
 * first.  node_id is filled by the caller after keys is open (identity()):
 * layers may read it from start() on.  On failure all that opened is closed. */
int core_pipeline_open(struct core_pipeline *p, struct core_env *env,
                       struct core_links *links, const struct core_layer_up *up,
                       const struct muses_id *node_id, const char *node_name);
/* What can be told once the layers are open: is there a suite on offer, is none
 * offered twice, does an insecure one stay on this machine?  0, or MUSES_ECONFIG
 * with why. */
int core_pipeline_check_suites(const struct core_pipeline *p, char *why, size_t why_size);
/* Does every link of p stay on this machine? */
bool core_pipeline_local(const struct core_pipeline *p);
/* Close what is open, top first; p may be opened again. */
void core_pipeline_shut(struct core_pipeline *p);
int core_pipeline_start(struct core_pipeline *p); /* Bottom first. */
void core_pipeline_stop(struct core_pipeline *p); /* Top first. */
/* core_pipeline_shut(), and free.  NULL is fine. */
void core_pipeline_close(struct core_pipeline *p);
/* Could old become fresh by core_pipeline_reload()?  0, or MUSES_ECONFIG and why
 * names the key. */
int core_pipeline_compare(const struct core_pipeline *old, const struct core_pipeline *fresh,
                          char *why, size_t why_size);
/* SIGHUP: may p become what object says without touching sessions?  Checks all;
 * on success reloads the files that may change.  Else MUSES_ECONFIG, and why
 * names the key. */
int core_pipeline_reload(struct core_pipeline *p, const json_t *object, const char *folder,
                         char *why, size_t why_size);

#endif
