/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Leads the layers of a node through their lives: all are open before the first
 * is started, bottom first, and the end runs the other way round.
 */
#include "core/pipeline.h"
#include "core/say.h"
#include "core/whole.h"

void core_place_free(struct core_place *place)
{
	if (place == NULL)
		return;
	core_options_free(place->options, place->layer.config);
	muses_free(place);
}

int core_pipeline_open(struct core_pipeline *p, struct core_env *env,
                       struct core_links *links, const struct core_layer_up *up,
                       const struct muses_id *node_id, const char *node_name)
{
	struct core_whole *w = core_whole_of(p);

	for (size_t i = 0; i < w->count; i++) {
		struct muses_layer *l = &w->place[i]->layer;

		l->env = env;
		l->links = links;
		l->up = up;
		l->node_id = node_id;
		l->node_name = node_name;
	}
	for (size_t i = 0; i < w->count; i++) {
		struct core_place *place = w->place[i];
		int err = place->layer.plugin->open(&place->layer, place->layer.config);

		if (err != 0) {
			place->layer.self = NULL;
			core_pipeline_shut(p);
			return err;
		}
		place->life = CORE_OPEN;
	}
	return 0;
}

int core_pipeline_start(struct core_pipeline *p)
{
	struct core_whole *w = core_whole_of(p);

	for (size_t i = 0; i < w->count; i++) {
		struct core_place *place = w->place[i];
		int err = 0;

		if (place->layer.plugin->start != NULL)
			err = place->layer.plugin->start(&place->layer);
		if (err != 0) {
			core_pipeline_stop(p);
			return err;
		}
		place->life = CORE_STARTED;
	}
	return 0;
}

void core_pipeline_stop(struct core_pipeline *p)
{
	struct core_whole *w = core_whole_of(p);

	for (size_t i = w->count; i-- > 0;) {
		struct core_place *place = w->place[i];

		if (place->life == CORE_STARTED) {
			place->life = CORE_OPEN;
			if (place->layer.plugin->stop != NULL)
				place->layer.plugin->stop(&place->layer);
		}
	}
}

void core_pipeline_shut(struct core_pipeline *p)
{
	struct core_whole *w = core_whole_of(p);

	core_pipeline_stop(p);
	for (size_t i = w->count; i-- > 0;) {
		struct core_place *place = w->place[i];
		struct muses_layer *l = &place->layer;
		size_t left;

		if (place->life != CORE_OPEN)
			continue;
		/* What is still armed would fire into memory that close() gives back. */
		left = core_loop_forget(l->env->loop, l);
		if (left > 0)
			core_log(l->env->log, MUSES_WARN, l->label,
			         "left timers, tasks or watches armed: count=%zu", left);
		place->life = CORE_CHECKED;
		if (l->plugin->close != NULL)
			l->plugin->close(l);
		l->self = NULL;
	}
}

void core_pipeline_close(struct core_pipeline *p)
{
	struct core_whole *w;

	if (p == NULL)
		return;
	w = core_whole_of(p);
	core_pipeline_shut(p);
	for (size_t i = w->count; i-- > 0;)
		core_place_free(w->place[i]);
	json_decref(w->root);
	muses_free(w);
}

/* ---- suites ---------------------------------------------------------------- */

static const struct muses_suite *offered(struct muses_layer *l, size_t index)
{
	const struct muses_security_ops *ops = l->ops;

	if (index >= ops->suite_count || !ops->offers(l, index))
		return NULL;
	return &ops->suite[index];
}

static size_t suite_count(const struct muses_layer *l)
{
	return ((const struct muses_security_ops *)l->ops)->suite_count;
}

const struct muses_suite *core_pipeline_suite(const struct core_pipeline *p, uint16_t id)
{
	for (size_t i = 0; i < p->security_count; i++) {
		for (size_t j = 0; j < suite_count(p->security[i]); j++) {
			const struct muses_suite *s = offered(p->security[i], j);

			if (s != NULL && s->id == id)
				return s;
		}
	}
	return NULL;
}

size_t core_pipeline_suites(const struct core_pipeline *p,
                            const struct muses_suite **suite, size_t most)
{
	size_t count = 0;

	for (size_t i = 0; i < p->security_count; i++) {
		for (size_t j = 0; j < suite_count(p->security[i]) && count < most; j++) {
			const struct muses_suite *s = offered(p->security[i], j);

			if (s != NULL)
				suite[count++] = s;
		}
	}
	return count;
}

bool core_pipeline_local(const struct core_pipeline *p)
{
	for (size_t i = 0; i < p->transport_count; i++) {
		const struct muses_layer *l = core_innermost(p->transport[i]);
		const struct muses_transport_ops *ops = l->ops;

		if (!ops->local(l->config))
			return false;
	}
	return true;
}

/* Does a layer, or a suite, in front of this one go by the same wire id? */
static bool offered_before(const struct core_pipeline *p, size_t layer, size_t index)
{
	uint16_t id = offered(p->security[layer], index)->id;

	for (size_t i = 0; i <= layer; i++) {
		size_t end = i == layer ? index : suite_count(p->security[i]);

		for (size_t j = 0; j < end; j++) {
			const struct muses_suite *s = offered(p->security[i], j);

			if (s != NULL && s->id == id)
				return true;
		}
	}
	return false;
}

int core_pipeline_check_suites(const struct core_pipeline *p, char *why, size_t why_size)
{
	bool local = core_pipeline_local(p);
	size_t count = 0;

	for (size_t i = 0; i < p->security_count; i++) {
		const struct core_place *place = core_place_of(p->security[i]);

		for (size_t j = 0; j < suite_count(p->security[i]); j++) {
			const struct muses_suite *s = offered(p->security[i], j);

			if (s == NULL)
				continue;
			count++;
			if (offered_before(p, i, j))
				return core_say(why, why_size, MUSES_ECONFIG,
				                "%s: suite %s is on offer already",
				                place->path, s->name);
			if (s->insecure && !local)
				return core_say(
					why, why_size, MUSES_ECONFIG,
					"%s: suite %s protects nothing, so every link "
					"must stay on this machine (loopback, unix, "
					"memory)",
					place->path, s->name);
		}
	}
	if (count == 0)
		return core_say(why, why_size, MUSES_ECONFIG,
		                "pipeline.security: no suite is on offer");
	return 0;
}
