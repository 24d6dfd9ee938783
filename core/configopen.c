/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tries a checked configuration out.  Whether carol can be told from the others
 * of a group, or which suites are on offer, is known only to layers that are
 * open; so they are opened in a world that nobody sees, asked, and closed.
 */
#include "core/configparts.h"
#include "core/say.h"
#include "core/whole.h"

#include <stdio.h>
#include <string.h>

/* ---- names ----------------------------------------------------------------- */

/* 0, and *id if *known; MUSES_EAGAIN (a look-up) counts as right but unknown. */
static int who(const struct core_config *c, const char *path, const char *name,
               struct muses_id *id, bool *known, char *why, size_t why_size)
{
	const struct muses_keys_ops *keys = core_keys_ops(c->pipeline);
	int err;

	*known = true;
	if (muses_id_parse(name, id))
		return 0;
	err = keys->resolve(c->pipeline->keys, name, id);
	*known = err == 0;
	if (err == 0 || err == MUSES_EAGAIN)
		return 0;
	return core_say(why, why_size, MUSES_ECONFIG,
	                "%s: nobody is called '%.64s' in the keys layer's files", path,
	                name);
}

static int check_allow(const struct core_config *c, const struct core_service *s,
                       size_t index, char *why, size_t why_size)
{
	const struct muses_keys_ops *keys = core_keys_ops(c->pipeline);
	const char *name = s->allow.item[index];
	char path[MUSES_NAME_MAX + 40];
	struct muses_id id;
	bool known;
	int err;

	if (strcmp(name, "*") == 0)
		return 0;
	snprintf(path, sizeof(path), "services.%s.allow[%zu]", s->name, index);
	err = who(c, path, name, &id, &known, why, why_size);
	if (err != 0 || !known || keys->distinct(c->pipeline->keys, &id))
		return err;
	return core_say(
		why, why_size, MUSES_ECONFIG,
		"%s: '%.64s' shares one secret with the whole group and cannot be "
		"told from the others; want \"*\", or a secret of that name",
		path, name);
}

/* Names in maps of addresses are nodes that we dial. */
static int check_dialled(const struct core_config *c, const struct core_place *place,
                         const struct muses_option *o, char *why, size_t why_size)
{
	const struct muses_map *map;
	int err = 0;

	if (o->type != MUSES_TYPE_MAP || (o->flags & MUSES_OPTION_ADDRESS) == 0)
		return 0;
	map = (const void *)((const char *)place->layer.config + o->offset);
	for (size_t i = 0; i < map->count && err == 0; i++) {
		char path[CORE_PLACE_PATH_MAX + 2 * MUSES_NAME_MAX + 2];
		struct muses_id id;
		bool known;

		snprintf(path, sizeof(path), "%s.%s.%s", place->path, o->name,
		         map->entry[i].name);
		err = who(c, path, map->entry[i].name, &id, &known, why, why_size);
	}
	return err;
}

static int check_neighbours(const struct core_config *c, char *why, size_t why_size)
{
	const struct muses_overlay_ops *overlay = core_overlay_ops(c->pipeline);
	const char *name;
	int err = 0;

	for (size_t i = 0; err == 0 && overlay->neighbour != NULL &&
	                   overlay->neighbour(c->pipeline->overlay, i, &name);
	     i++) {
		struct muses_id id;
		bool known;

		err = who(c, "pipeline.overlay", name, &id, &known, why, why_size);
	}
	return err;
}

int core_config_check_names(const struct core_config *c, char *why, size_t why_size)
{
	const struct core_whole *w = core_whole_of(c->pipeline);
	int err = 0;

	for (size_t i = 0; i < w->count && err == 0; i++) {
		const struct muses_option *o = w->place[i]->layer.plugin->options;

		for (; err == 0 && o != NULL && o->type != MUSES_TYPE_END; o++)
			err = check_dialled(c, w->place[i], o, why, why_size);
	}
	if (err == 0)
		err = check_neighbours(c, why, why_size);
	for (size_t i = 0; i < c->forward_count && err == 0; i++) {
		struct muses_id id;
		char path[48];
		bool known;

		snprintf(path, sizeof(path), "forward[%zu].to", i);
		err = who(c, path, c->forward[i].to, &id, &known, why, why_size);
	}
	for (size_t i = 0; i < c->service_count && err == 0; i++)
		for (size_t j = 0; j < c->service[i].allow.count && err == 0; j++)
			err = check_allow(c, &c->service[i], j, why, why_size);
	return err;
}

/* ---- the dry run ----------------------------------------------------------- */

/* What the layers say while they open. */
struct listener {
	const struct core_config *config;
	struct core_log *log;
	char *why;
	size_t why_size;
	bool said;
};

static const char *path_of(const struct core_config *c, const char *label)
{
	const struct core_whole *w = core_whole_of(c->pipeline);

	for (size_t i = 0; i < w->count && label != NULL; i++)
		if (strcmp(w->place[i]->layer.label, label) == 0)
			return w->place[i]->path;
	return label == NULL ? "pipeline" : label;
}

static void listen_to(void *user, enum muses_level level, const char *label,
                      const char *message)
{
	struct listener *l = user;

	if (level == MUSES_ERROR && !l->said) {
		core_say(l->why, l->why_size, 0, "%s: %s", path_of(l->config, label),
		         message);
		l->said = true;
	} else if (level == MUSES_WARN && l->log != NULL) {
		core_log(l->log, level, label, "%s", message);
	}
}

static void no_packet(void *owner, struct muses_buf *b, const struct muses_met *met)
{
	(void)owner;
	(void)met;
	muses_buf_free(b);
}

static void no_news(void *owner, const struct muses_id *peer, enum muses_path event)
{
	(void)owner;
	(void)peer;
	(void)event;
}

static void no_room(void *owner, const struct muses_id *peer)
{
	(void)owner;
	(void)peer;
}

static void no_keys(void *owner)
{
	(void)owner;
}

static int try_layers(const struct core_config *c, struct core_env *env, char *why,
                      size_t why_size)
{
	static const struct core_layer_up up = {
		.deliver = no_packet,
		.path = no_news,
		.writable = no_room,
		.keys_news = no_keys,
	};
	struct muses_id id = { { 0 } };
	int err = core_pipeline_open(c->pipeline, env, NULL, &up, &id, c->name);

	if (err != 0)
		return err;
	err = core_keys_ops(c->pipeline)->identity(c->pipeline->keys, &id);
	if (err == 0)
		err = core_pipeline_check_suites(c->pipeline, why, why_size);
	if (err == 0)
		err = core_config_check_names(c, why, why_size);
	core_pipeline_shut(c->pipeline);
	return err;
}

int core_config_check_open(struct core_config *config, struct core_log *log, char *why,
                           size_t why_size)
{
	struct listener listener = { config, log, why, why_size, false };
	struct core_loop *loop = core_loop_open(CORE_CLOCK_VIRTUAL);
	struct core_env env;
	int err = loop == NULL ? MUSES_ENOMEM : core_env_open(&env, loop, 0);

	if (why_size > 0)
		why[0] = '\0';
	if (err == 0) {
		core_log_set_sink(env.log, listen_to, &listener);
		err = try_layers(config, &env, why, why_size);
		core_env_close(&env);
	}
	if (loop != NULL)
		core_loop_close(loop);
	if (err != 0 && why_size > 0 && why[0] == '\0')
		core_say(why, why_size, 0, "pipeline: %s", muses_strerror(err));
	return err;
}
