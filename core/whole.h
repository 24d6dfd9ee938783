/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_WHOLE_H
#define CORE_WHOLE_H

#include "core/options.h"
#include "core/pipeline.h"

/*
 * What only the files that make up core/pipeline.h know of a pipeline and its
 * layers: build.c makes it, pipeline.c lives it, reload.c changes it.
 */
#define CORE_LAYERS_MAX     (3 + CORE_SECURITY_MAX + CORE_TRANSPORT_MAX * CORE_WRAP_MAX)
#define CORE_PLACE_PATH_MAX 160

enum core_life { CORE_CHECKED = 0, CORE_OPEN, CORE_STARTED };

struct core_place {
	struct muses_layer layer;
	struct core_options *options;
	const json_t *object;           /* In root. */
	char path[CORE_PLACE_PATH_MAX]; /* "pipeline.transport[0]" */
	enum core_life life;
};

struct core_whole {
	struct core_pipeline pipeline;
	json_t *root;                              /* The "pipeline" object. */
	struct core_place *place[CORE_LAYERS_MAX]; /* Bottom first. */
	size_t count;
};

static inline struct core_whole *core_whole_of(const struct core_pipeline *p)
{
	return muses_container(p, struct core_whole, pipeline);
}

static inline struct core_place *core_place_of(const struct muses_layer *l)
{
	return muses_container(l, struct core_place, layer);
}

/* The transport that really sends. */
static inline struct muses_layer *core_innermost(struct muses_layer *l)
{
	while (l->inner != NULL)
		l = l->inner;
	return l;
}

void core_place_free(struct core_place *place); /* NULL is fine. */

#endif
