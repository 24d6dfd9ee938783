/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads a JSON object by an option table: which keys are there, which are
 * missing, which nobody knows.  What a value may be is in reading.c, what a table
 * may be in optiontable.c.
 */
#include "core/options.h"
#include "core/reading.h"
#include "core/say.h"

#include <string.h>

void core_options_free(struct core_options *options, void *config)
{
	muses_free(config);
	if (options == NULL)
		return;
	for (struct core_options_block *b = options->block, *next; b != NULL; b = next) {
		next = b->next;
		muses_free_secret(b->bytes, b->secret_size);
		muses_free(b);
	}
	muses_free(options);
}

static const struct muses_option *row(const struct muses_option *option, const char *key)
{
	for (; option != NULL && option->type != MUSES_TYPE_END; option++)
		if (strcmp(option->name, key) == 0)
			return option;
	return NULL;
}

bool core_options_reloads(const struct muses_option *option, const char *key)
{
	const struct muses_option *o = row(option, key);

	return o != NULL && (o->flags & MUSES_OPTION_RELOAD) != 0;
}

static int unknown_key(const struct muses_plugin *plugin, const char *key,
                       const struct core_near *near,
                       const struct core_options_place *place, char *why, size_t why_size)
{
	char hint[MUSES_NAME_MAX + 24] = "", subject[CORE_SAY_MAX] = "there is no key";

	if (near->best != NULL)
		core_say(hint, sizeof(hint), 0, "; did you mean '%s'?", near->best);
	if (plugin->kind != MUSES_KINDS)
		core_say(subject, sizeof(subject), 0, "'%s' has no option", plugin->name);
	return core_say(why, why_size, MUSES_ECONFIG, "%s%s%s '%.64s'%s", place->path,
	                place->path[0] == '\0' ? "" : ": ", subject, key, hint);
}

static int keys_known(const struct muses_plugin *plugin, const json_t *object,
                      const struct core_options_place *place, char *why, size_t why_size)
{
	const struct muses_option *o;
	struct core_near near;
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)object, key, value) {
		if ((plugin->kind != MUSES_KINDS && strcmp(key, "plugin") == 0) ||
		    row(plugin->options, key) != NULL)
			continue;
		core_near_init(&near, key);
		for (o = plugin->options; o != NULL && o->type != MUSES_TYPE_END; o++)
			core_near_try(&near, o->name);
		return unknown_key(plugin, key, &near, place, why, why_size);
	}
	return 0;
}

static int missing(const struct core_reading *r, const struct muses_plugin *plugin)
{
	const char *path = r->place->path;

	if (plugin->kind == MUSES_KINDS)
		return core_say(r->why, r->why_size, MUSES_ECONFIG,
		                "%s%s\"%s\" is missing: %s", path,
		                path[0] == '\0' ? "" : ": ", r->option->name,
		                r->option->help);
	return core_say(r->why, r->why_size, MUSES_ECONFIG, "%s: '%s' needs \"%s\": %s",
	                path, plugin->name, r->option->name, r->option->help);
}

/* Addresses are judged by the layer inside, if there is one: it is read first. */
static int read_rows(struct core_reading *r, const struct muses_plugin *plugin,
                     const json_t *object, bool addresses)
{
	const struct muses_option *o = plugin->options;

	for (; o != NULL && o->type != MUSES_TYPE_END; o++) {
		json_t *value = json_object_get(object, o->name);
		int err;

		if (((o->flags & MUSES_OPTION_ADDRESS) != 0) != addresses)
			continue;
		r->option = o;
		if (value == NULL && (o->flags & MUSES_OPTION_REQUIRED) != 0)
			return missing(r, plugin);
		if (value == NULL) {
			core_reading_preset(r);
			continue;
		}
		err = core_reading_value(r, value);
		if (err != 0)
			return err;
	}
	return 0;
}

int core_options_read(const struct muses_plugin *plugin, const json_t *object,
                      const struct core_options_place *place, void **config,
                      struct core_options **options, char *why, size_t why_size)
{
	struct core_reading r = { .place = place, .why = why, .why_size = why_size };
	int err = keys_known(plugin, object, place, why, why_size);

	if (err != 0)
		return err;
	r.dot = place->path[0] == '\0' ? "" : ".";
	r.options = muses_zalloc(sizeof(*r.options));
	r.config = muses_zalloc(plugin->config_size + 1);
	if (r.options == NULL || r.config == NULL) {
		err = core_say(why, why_size, MUSES_ENOMEM, "%s: out of memory",
		               place->path);
		goto fail;
	}
	err = read_rows(&r, plugin, object, false);
	if (err == 0)
		err = read_rows(&r, plugin, object, true);
	if (err != 0)
		goto fail;
	*config = r.config;
	*options = r.options;
	return 0;
fail:
	core_options_free(r.options, r.config);
	return err;
}
