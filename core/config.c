/* SPDX-License-Identifier: Apache-2.0 */
/* A node's file as a whole: where it is, which keys it may have, when two of them
 * are the same but for what may change while the node runs. */
#include "core/config.h"
#include "core/configparts.h"
#include "core/json.h"
#include "core/mem.h"
#include "core/say.h"
#include "core/trust.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct core_config_whole *whole_of(struct core_config *config)
{
	return muses_container(config, struct core_config_whole, config);
}

/* Every key of the file, in the order in which they are read. */
static const struct key {
	const char *name;
	int (*read)(struct core_config_reader *r,
	            const json_t *value); /* NULL: a scalar. */
	bool may_change;
} keys[] = {
	{ "name", NULL, false },
	{ "control", NULL, false },
	{ "state", NULL, false },
	{ "memory_mib", NULL, false },
	{ "log", core_config_read_log, true },
	{ "links", core_config_read_links, false },
	{ "sessions", core_config_read_sessions, false },
	{ "forward", core_config_read_forward, true },
	{ "services", core_config_read_services, true },
	{ "pipeline", NULL, true }, /* Compared by itself. */
};
#define KEYS (sizeof(keys) / sizeof(keys[0]))

static const struct key *key_find(const char *name)
{
	for (size_t i = 0; i < KEYS; i++)
		if (strcmp(keys[i].name, name) == 0)
			return &keys[i];
	return NULL;
}

static bool key_scalar(const struct key *key)
{
	return key->read == NULL && strcmp(key->name, "pipeline") != 0;
}

static int keys_known(const json_t *root, char *why, size_t why_size)
{
	struct core_near near;
	const char *name;
	json_t *value;

	json_object_foreach ((json_t *)root, name, value) {
		if (key_find(name) != NULL)
			continue;
		core_near_init(&near, name);
		for (size_t i = 0; i < KEYS; i++)
			core_near_try(&near, keys[i].name);
		if (near.best == NULL)
			return core_say(why, why_size, MUSES_ECONFIG,
			                "there is no key '%.64s'", name);
		return core_say(why, why_size, MUSES_ECONFIG,
		                "there is no key '%.64s'; did you mean '%s'?", name,
		                near.best);
	}
	return 0;
}

/* The keys whose values are no objects make up a section of their own. */
static int read_scalars(struct core_config_reader *r, const json_t *root)
{
	json_t *scalars = json_object();
	int err = 0;

	for (size_t i = 0; i < KEYS && scalars != NULL; i++) {
		json_t *value = json_object_get(root, keys[i].name);

		if (!key_scalar(&keys[i]) || value == NULL)
			continue;
		if (json_object_set(scalars, keys[i].name, value) != 0) {
			json_decref(scalars);
			scalars = NULL;
		}
	}
	if (scalars == NULL)
		return core_say(r->why, r->why_size, MUSES_ENOMEM, "out of memory");
	err = core_config_read_top(r, scalars);
	json_decref(scalars);
	return err;
}

static int read_root(struct core_config_reader *r, struct core_loader *loader,
                     const json_t *root)
{
	struct core_config *c = &r->whole->config;
	int err = 0;

	if (!json_is_object(root))
		return core_say(r->why, r->why_size, MUSES_ECONFIG,
		                "want an object with at least name and pipeline");
	err = keys_known(root, r->why, r->why_size);
	if (err == 0)
		err = read_scalars(r, root);
	for (size_t i = 0; i < KEYS && err == 0; i++)
		if (keys[i].read != NULL)
			err = keys[i].read(r, json_object_get(root, keys[i].name));
	if (err == 0 && json_object_get(root, "pipeline") == NULL)
		err = core_say(r->why, r->why_size, MUSES_ECONFIG,
		               "\"pipeline\" is missing: The layers of this node.");
	if (err == 0)
		err = core_pipeline_check(&c->pipeline, loader,
		                          json_object_get(root, "pipeline"), c->folder,
		                          r->why, r->why_size);
	return err;
}

void core_config_free(struct core_config *config)
{
	struct core_config_whole *w;

	if (config == NULL)
		return;
	w = whole_of(config);
	core_pipeline_close(config->pipeline);
	for (size_t i = 0; i < config->service_count; i++)
		muses_free((void *)config->service[i].name);
	muses_free(config->service);
	muses_free(config->forward);
	for (struct core_config_part *p = w->part, *next; p != NULL; p = next) {
		next = p->next;
		core_options_free(p->options, p->values);
		muses_free(p);
	}
	for (size_t i = 0; i < w->warning_count; i++)
		muses_free(w->warning[i]);
	muses_free(w->warning);
	muses_free((void *)config->control);
	muses_free((void *)config->state);
	muses_free((void *)config->path);
	muses_free((void *)config->folder);
	json_decref(config->root);
	muses_free(w);
}

static int parse(struct core_config **config, const char *text, size_t size, char *path,
                 char *folder, struct core_loader *loader, char *why, size_t why_size)
{
	struct core_config_whole *w = muses_zalloc(sizeof(*w));
	struct core_config_reader r = { .whole = w, .why = why, .why_size = why_size };
	int err;

	if (w == NULL || folder == NULL) {
		muses_free(w);
		muses_free(path);
		muses_free(folder);
		return core_say(why, why_size, MUSES_ENOMEM, "out of memory");
	}
	w->config.path = path;
	w->config.folder = folder;
	w->config.root = core_json_parse(text, size, why, why_size);
	err = w->config.root == NULL ? MUSES_ECONFIG
	                             : read_root(&r, loader, w->config.root);
	if (err != 0) {
		core_config_free(&w->config);
		return err;
	}
	*config = &w->config;
	return 0;
}

int core_config_parse(struct core_config **config, const char *text, size_t size,
                      const char *folder, struct core_loader *loader, char *why,
                      size_t why_size)
{
	return parse(config, text, size, NULL, core_strdup(folder), loader, why,
	             why_size);
}

/* The folder the file was named in, not the one a link leads to: what stands
 * beside the name is what people see. */
static int place(const char *path, char **folder, char **absolute, char *why,
                 size_t why_size)
{
	const char *slash = strrchr(path, '/');
	const char *file = slash == NULL ? path : slash + 1;
	char *given = slash == NULL   ? core_strdup(".")
	              : slash == path ? core_strdup("/")
	                              : core_format("%.*s", (int)(slash - path), path);
	char *real = given == NULL ? NULL : realpath(given, NULL);

	*folder = *absolute = NULL;
	if (given != NULL && real == NULL) {
		core_say(why, why_size, 0, "cannot open %s: %s", path, strerror(errno));
		muses_free(given);
		return errno == ENOMEM ? MUSES_ENOMEM : MUSES_ESYSTEM;
	}
	muses_free(given);
	if (real != NULL) {
		*folder = core_strdup(real);
		*absolute =
			core_format("%s/%s", strcmp(real, "/") == 0 ? "" : real, file);
		free(real);
	}
	if (*folder != NULL && *absolute != NULL)
		return 0;
	muses_free(*folder);
	muses_free(*absolute);
	return core_say(why, why_size, MUSES_ENOMEM, "out of memory");
}

int core_config_read(struct core_config **config, const char *path,
                     struct core_loader *loader, char *why, size_t why_size)
{
	char *folder, *absolute, *text;
	size_t size;
	int err = place(path, &folder, &absolute, why, why_size);

	if (err != 0)
		return err;
	err = core_trust_read(path, CORE_TRUST_PLAIN, CORE_JSON_SIZE_MAX, &text, &size,
	                      why, why_size);
	if (err != 0) {
		muses_free(folder);
		muses_free(absolute);
		return err;
	}
	err = parse(config, text, size, absolute, folder, loader, why, why_size);
	muses_free(text);
	return err;
}

/* ---- shown ----------------------------------------------------------------- */

/* The smallest value whose reading comes to the table. */
static json_t *example_of(const char *part)
{
	if (strcmp(part, "forward") == 0)
		return json_pack("[{}]");
	return strcmp(part, "services") == 0 ? json_pack("{s:{}}", "name")
	                                     : json_object();
}

bool core_config_show(const char *part, bool as_mdoc, FILE *file)
{
	struct core_config_whole *w = muses_zalloc(sizeof(*w));
	char why[CORE_SAY_MAX];
	struct core_config_reader r = {
		.whole = w,
		.why = why,
		.why_size = sizeof(why),
		.show = file,
		.as_mdoc = as_mdoc,
	};
	json_t *value = example_of(part);
	const struct key *key = key_find(part);
	bool shown = false;

	if (w != NULL && value != NULL) {
		if (strcmp(part, "node") == 0)
			shown = core_config_read_top(&r, value) == MUSES_EAGAIN;
		else if (key != NULL && key->read != NULL)
			shown = key->read(&r, value) == MUSES_EAGAIN;
	}
	json_decref(value);
	core_config_free(w == NULL ? NULL : &w->config);
	return shown;
}

/* ---- reload ---------------------------------------------------------------- */

static bool differs(const char *path, char *why, size_t why_size)
{
	core_say(why, why_size, 0, "%s has changed, which needs a restart", path);
	return true;
}

static bool key_differs(const char *name, const json_t *old, const json_t *fresh,
                        char *why, size_t why_size)
{
	char path[160];
	const char *key;
	json_t *value;

	if (old == NULL && fresh == NULL)
		return false;
	if (old != NULL && fresh != NULL && json_equal((json_t *)old, (json_t *)fresh))
		return false;
	json_object_foreach ((json_t *)old, key, value) {
		if (!json_equal(value, json_object_get(fresh, key))) {
			core_say(path, sizeof(path), 0, "%s.%s", name, key);
			return differs(path, why, why_size);
		}
	}
	return differs(name, why, why_size);
}

bool core_config_reloadable(const struct core_config *old,
                            const struct core_config *fresh, char *why, size_t why_size)
{
	for (size_t i = 0; i < KEYS; i++)
		if (!keys[i].may_change &&
		    key_differs(keys[i].name, json_object_get(old->root, keys[i].name),
		                json_object_get(fresh->root, keys[i].name), why,
		                why_size))
			return false;
	return core_pipeline_compare(old->pipeline, fresh->pipeline, why, why_size) == 0;
}
