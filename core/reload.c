/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SIGHUP: the same layers with new contents of the files that may change.  The
 * new file is built and checked as a pipeline of its own, compared, and robbed
 * of its structs, so that a mistake in it changes nothing.
 */
#include "core/say.h"
#include "core/whole.h"

#include <string.h>

/* Where do these two objects of one plugin differ, files that may change left
 * out?  NULL: nowhere. */
static const char *key_differs(const struct core_place *old,
                               const struct core_place *fresh)
{
	const struct muses_option *table = old->layer.plugin->options;
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)old->object, key, value) {
		const struct muses_option *o = table;

		while (o != NULL && o->type != MUSES_TYPE_END &&
		       strcmp(o->name, key) != 0)
			o++;
		/* A layer inside is compared by itself. */
		if (o != NULL && o->type == MUSES_TYPE_LAYER)
			continue;
		if (!core_options_reloads(table, key) &&
		    !json_equal(value, json_object_get(fresh->object, key)))
			return key;
	}
	json_object_foreach ((json_t *)fresh->object, key, value)
		if (!core_options_reloads(table, key) &&
		    json_object_get(old->object, key) == NULL)
			return key;
	return NULL;
}

static bool there(const struct core_whole *w, const char *path)
{
	for (size_t i = 0; i < w->count; i++)
		if (strcmp(w->place[i]->path, path) == 0)
			return true;
	return false;
}

int core_pipeline_compare(const struct core_pipeline *old_pipeline,
                          const struct core_pipeline *fresh_pipeline, char *why,
                          size_t why_size)
{
	const struct core_whole *old = core_whole_of(old_pipeline);
	const struct core_whole *fresh = core_whole_of(fresh_pipeline);

	for (size_t i = 0; i < old->count && i < fresh->count; i++) {
		const struct core_place *a = old->place[i], *b = fresh->place[i];
		const char *key;

		if (strcmp(a->path, b->path) != 0 && there(fresh, a->path))
			return core_say(why, why_size, MUSES_ECONFIG,
			                "%s is new, which needs a restart", b->path);
		if (strcmp(a->path, b->path) != 0 || a->layer.plugin != b->layer.plugin)
			return core_say(why, why_size, MUSES_ECONFIG,
			                "%s has changed, which needs a restart", a->path);
		key = key_differs(a, b);
		if (key != NULL)
			return core_say(why, why_size, MUSES_ECONFIG,
			                "%s.%s has changed, which needs a restart",
			                a->path, key);
	}
	if (old->count != fresh->count)
		return core_say(
			why, why_size, MUSES_ECONFIG,
			"pipeline has more or fewer layers now, which needs a restart");
	return 0;
}

/* The layer inside goes on living: the new struct points to it too. */
static void keep_inner(const struct core_place *old, struct core_place *fresh)
{
	const struct muses_option *o = old->layer.plugin->options;

	for (; o != NULL && o->type != MUSES_TYPE_END; o++)
		if (o->type == MUSES_TYPE_LAYER)
			memcpy((char *)fresh->layer.config + o->offset,
			       (const char *)old->layer.config + o->offset,
			       sizeof(struct muses_inner));
}

int core_pipeline_reload(struct core_pipeline *p, const json_t *object,
                         const char *folder, char *why, size_t why_size)
{
	struct core_whole *old = core_whole_of(p), *fresh;
	struct core_pipeline *q;
	json_t *root;
	int err = core_pipeline_check(&q, p->loader, object, folder, why, why_size);

	if (err != 0)
		return err;
	fresh = core_whole_of(q);
	err = core_pipeline_compare(p, q, why, why_size);
	for (size_t i = 0; i < old->count && err == 0; i++) {
		struct core_place *a = old->place[i], *b = fresh->place[i];
		struct core_options *options = a->options;
		void *config = a->layer.config;

		/* A struct whose layer cannot take another stays as it is. */
		if (a->layer.plugin->reload == NULL)
			continue;
		keep_inner(a, b);
		a->options = b->options;
		a->layer.config = b->layer.config;
		a->layer.plugin->reload(&a->layer, a->layer.config);
		b->options = options;
		b->layer.config = config;
	}
	if (err == 0) {
		root = old->root;
		for (size_t i = 0; i < old->count; i++)
			old->place[i]->object = fresh->place[i]->object;
		old->root = fresh->root;
		fresh->root = root;
	}
	core_pipeline_close(q);
	return err;
}
