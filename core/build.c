/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Builds and checks the layers of a node from the file's "pipeline" object: all
 * options of all layers are read, and all have been checked together, before
 * anything of a plugin but its check() has run.
 */
#include "core/record.h"
#include "core/say.h"
#include "core/whole.h"

#include <stdio.h>
#include <string.h>

/* One core_pipeline_check(). */
struct building {
	struct core_whole *whole;
	const char *folder;
	struct muses_layer *outer; /* Whose options are being read. */
	int err;                   /* Of the layer inside. */
};

static int build_layer(struct building *b, const json_t *object, const char *path,
                       enum muses_kind kind, struct muses_layer **layer, char *why,
                       size_t why_size);

static struct muses_layer *build_inner(void *user, const json_t *object, const char *path,
                                       char *why, size_t why_size)
{
	struct building *b = user;
	struct muses_layer *outer = b->outer, *inner = NULL;

	if (outer->depth + 1 >= CORE_WRAP_MAX) {
		b->err = core_say(why, why_size, MUSES_ECONFIG,
		                  "%s: at most %d transports inside one another", path,
		                  CORE_WRAP_MAX);
		return NULL;
	}
	b->err = build_layer(b, object, path, outer->plugin->kind, &inner, why, why_size);
	b->outer = outer;
	return inner;
}

static bool address_right(void *user, const char *text, char *why, size_t why_size)
{
	const struct building *b = user;
	const struct muses_transport_ops *ops = core_innermost(b->outer)->ops;

	/* A wrapper without anything inside is refused a little later. */
	return ops->address == NULL || ops->address(text, why, why_size);
}

/* On success the whole owns the layer, which stands above the one inside. */
static int build_layer(struct building *b, const json_t *object, const char *path,
                       enum muses_kind kind, struct muses_layer **layer, char *why,
                       size_t why_size)
{
	const json_t *name = json_object_get(object, "plugin");
	struct core_options_place at = { .path = path, .folder = b->folder, .user = b };
	struct core_loader *loader = b->whole->pipeline.loader;
	const struct muses_plugin *plugin;
	struct muses_layer *l;
	struct core_place *place;
	char reason[CORE_SAY_MAX] = "";
	int err;

	if (!json_is_object(object))
		return core_say(why, why_size, MUSES_ECONFIG,
		                "%s: want an object such as { \"plugin\": \"NAME\" }",
		                path);
	if (!json_is_string(name))
		return core_say(why, why_size, MUSES_ECONFIG,
		                "%s.plugin: want the name of a plugin for %s", path,
		                muses_kind_name(kind));
	plugin = core_loader_find(loader, json_string_value(name), kind, reason,
	                          sizeof(reason));
	if (plugin == NULL)
		return core_say(why, why_size, MUSES_EPLUGIN, "%s.plugin: %s", path,
		                reason);
	place = muses_zalloc(sizeof(*place));
	if (place == NULL)
		return core_say(why, why_size, MUSES_ENOMEM, "%s: out of memory", path);
	l = &place->layer;
	l->plugin = plugin;
	l->ops = core_loader_ops(loader, plugin);
	l->pipeline = &b->whole->pipeline;
	l->outer = b->outer;
	l->depth = b->outer == NULL ? 0 : b->outer->depth + 1;
	place->object = object;
	snprintf(place->path, sizeof(place->path), "%s", path);
	snprintf(l->label, sizeof(l->label), "%s", plugin->name);

	/* Reading the options makes the layer inside, which must find us. */
	b->outer = l;
	at.inner = build_inner;
	at.address = kind == MUSES_TRANSPORT ? address_right : NULL;
	err = core_options_read(plugin, object, &at, &l->config, &place->options, why,
	                        why_size);
	if (err == 0 && core_record_wraps(plugin) && l->inner == NULL)
		err = core_say(why, why_size, MUSES_ECONFIG, "%s: '%s' wraps nothing",
		               path, plugin->name);
	if (err != 0) {
		if (b->err != 0)
			err = b->err;
		goto fail;
	}
	if (b->whole->count == CORE_LAYERS_MAX) {
		err = core_say(why, why_size, MUSES_ECONFIG, "%s: too many layers", path);
		goto fail;
	}
	b->whole->place[b->whole->count++] = place;
	if (l->outer != NULL)
		l->outer->inner = l;
	*layer = l;
	return 0;
fail:
	core_place_free(place);
	return err;
}

/* One role: a layer, or a list of at most most. */
static int build_one(struct building *b, const char *role, enum muses_kind kind,
                     struct muses_layer **layer, char *why, size_t why_size)
{
	const json_t *value = json_object_get(b->whole->root, role);
	char path[CORE_PLACE_PATH_MAX];

	snprintf(path, sizeof(path), "pipeline.%s", role);
	if (value == NULL)
		return core_say(
			why, why_size, MUSES_ECONFIG,
			"pipeline: \"%s\" is missing; want { \"plugin\": \"NAME\" }",
			role);
	b->outer = NULL;
	return build_layer(b, value, path, kind, layer, why, why_size);
}

static int build_list(struct building *b, const char *role, enum muses_kind kind,
                      struct muses_layer **layer, size_t most, size_t *count, char *why,
                      size_t why_size)
{
	const json_t *value = json_object_get(b->whole->root, role);

	if (value == NULL)
		return core_say(why, why_size, MUSES_ECONFIG,
		                "pipeline: \"%s\" is missing; want a list of "
		                "{ \"plugin\": \"NAME\" }",
		                role);
	if (!json_is_array(value) || json_array_size(value) == 0 ||
	    json_array_size(value) > most)
		return core_say(why, why_size, MUSES_ECONFIG,
		                "pipeline.%s: want a list of 1 to %zu objects such as "
		                "{ \"plugin\": \"NAME\" }",
		                role, most);
	for (size_t i = 0; i < json_array_size(value); i++) {
		char path[CORE_PLACE_PATH_MAX];
		int err;

		snprintf(path, sizeof(path), "pipeline.%s[%zu]", role, i);
		b->outer = NULL;
		err = build_layer(b, json_array_get(value, i), path, kind, &layer[i], why,
		                  why_size);
		if (err != 0)
			return err;
		*count = i + 1;
	}
	return 0;
}

static int roles_known(const json_t *root, char *why, size_t why_size)
{
	struct core_near near;
	const char *key;
	json_t *value;

	if (!json_is_object(root))
		return core_say(
			why, why_size, MUSES_ECONFIG,
			"pipeline: want an object with keys, security, reliability, "
			"overlay and transport");
	json_object_foreach ((json_t *)root, key, value) {
		bool known = false;

		core_near_init(&near, key);
		for (unsigned kind = 0; kind < MUSES_KINDS; kind++) {
			known = known || strcmp(key, muses_kind_name(kind)) == 0;
			core_near_try(&near, muses_kind_name(kind));
		}
		if (known)
			continue;
		if (near.best == NULL)
			return core_say(why, why_size, MUSES_ECONFIG,
			                "pipeline: there is no layer called '%.64s'",
			                key);
		return core_say(
			why, why_size, MUSES_ECONFIG,
			"pipeline: there is no layer called '%.64s'; did you mean '%s'?",
			key, near.best);
	}
	return 0;
}

/* Two of a name are told apart by their places: "tcp[0]", "tcp[1]". */
static void label_twins(struct muses_layer **layer, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		bool twin = false;

		for (size_t j = 0; j < count; j++)
			twin = twin || (j != i && layer[j]->plugin == layer[i]->plugin);
		if (twin)
			snprintf(layer[i]->label, sizeof(layer[i]->label), "%.24s[%u]",
			         layer[i]->plugin->name, (unsigned)i % 100);
	}
}

static int build(struct building *b, char *why, size_t why_size)
{
	struct core_pipeline *p = &b->whole->pipeline;
	int err = roles_known(b->whole->root, why, why_size);

	/* In the order in which they open. */
	if (err == 0)
		err = build_list(b, "transport", MUSES_TRANSPORT, p->transport,
		                 CORE_TRANSPORT_MAX, &p->transport_count, why, why_size);
	if (err == 0)
		err = build_one(b, "overlay", MUSES_OVERLAY, &p->overlay, why, why_size);
	if (err == 0)
		err = build_one(b, "keys", MUSES_KEYS, &p->keys, why, why_size);
	if (err == 0)
		err = build_list(b, "security", MUSES_SECURITY, p->security,
		                 CORE_SECURITY_MAX, &p->security_count, why, why_size);
	if (err == 0)
		err = build_one(b, "reliability", MUSES_RELIABILITY, &p->reliability, why,
		                why_size);
	if (err != 0)
		return err;
	label_twins(p->transport, p->transport_count);
	label_twins(p->security, p->security_count);
	return 0;
}

/* check() names the key, "bits: ...": then it is the end of the path. */
static bool begins_with_key(const struct muses_option *o, const char *reason)
{
	for (; o != NULL && o->type != MUSES_TYPE_END; o++) {
		size_t length = strlen(o->name);

		if (strncmp(reason, o->name, length) == 0 &&
		    (reason[length] == ':' || reason[length] == '.' ||
		     reason[length] == '['))
			return true;
	}
	return false;
}

static int check_layers(const struct core_whole *w, char *why, size_t why_size)
{
	uint32_t there = 0;

	for (size_t i = 0; i < w->count; i++)
		there |= MUSES_NEED(w->place[i]->layer.plugin->kind);
	for (size_t i = 0; i < w->count; i++) {
		const struct core_place *place = w->place[i];
		const struct muses_plugin *plugin = place->layer.plugin;
		char reason[CORE_SAY_MAX] = "the options do not go together";
		int err;

		for (unsigned kind = 0; kind < MUSES_KINDS; kind++)
			if ((plugin->needs & ~there & MUSES_NEED(kind)) != 0)
				return core_say(why, why_size, MUSES_ECONFIG,
				                "%s: '%s' needs a layer for %s",
				                place->path, plugin->name,
				                muses_kind_name(kind));
		if (plugin->check == NULL)
			continue;
		err = plugin->check(place->layer.config, reason, sizeof(reason));
		if (err != 0)
			return core_say(
				why, why_size, err == MUSES_ENOMEM ? err : MUSES_ECONFIG,
				"%s%s%s", place->path,
				begins_with_key(plugin->options, reason) ? "." : ": ",
				reason);
	}
	return 0;
}

int core_pipeline_check(struct core_pipeline **pipeline, struct core_loader *loader,
                        const json_t *object, const char *folder, char *why,
                        size_t why_size)
{
	struct core_whole *w = muses_zalloc(sizeof(*w));
	struct building b = { .whole = w, .folder = folder };
	int err;

	if (w == NULL)
		return core_say(why, why_size, MUSES_ENOMEM, "pipeline: out of memory");
	w->pipeline.loader = loader;
	w->root = json_incref((json_t *)object);
	err = build(&b, why, why_size);
	if (err == 0)
		err = check_layers(w, why, why_size);
	if (err != 0) {
		core_pipeline_close(&w->pipeline);
		return err;
	}
	*pipeline = &w->pipeline;
	return 0;
}
