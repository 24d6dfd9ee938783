/* SPDX-License-Identifier: Apache-2.0 */
/* What others ask a node: names, parts, and how it is. */
#include <config.h> /* Not our own of that name. */

#include "core/nodestate.h"

#include <stdio.h>
#include <string.h>

const struct muses_id *core_node_id(const struct core_node *node)
{
	return &node->id;
}

const char *core_node_name(const struct core_node *node)
{
	return node->name;
}

struct core_env *core_node_env(struct core_node *node)
{
	return node->env;
}

struct core_sessions *core_node_sessions(struct core_node *node)
{
	return node->sessions;
}

struct core_links *core_node_links(struct core_node *node)
{
	return node->links;
}

struct core_pipeline *core_node_pipeline(struct core_node *node)
{
	return node->config->pipeline;
}

int core_node_resolve(struct core_node *node, const char *name, struct muses_id *id)
{
	const struct core_pipeline *p = node->config->pipeline;

	if (muses_id_parse(name, id))
		return 0;
	if (strcmp(name, node->name) == 0) {
		*id = node->id;
		return 0;
	}
	return core_keys_ops(p)->resolve(p->keys, name, id);
}

void core_node_show(struct core_node *node, const struct muses_id *id,
                    char text[static MUSES_NAME_MAX + 1])
{
	const struct core_pipeline *p = node->config->pipeline;
	const char *name = muses_id_equal(id, &node->id)
	                           ? node->name
	                           : core_keys_ops(p)->petname(p->keys, id);

	if (name != NULL)
		snprintf(text, MUSES_NAME_MAX + 1, "%s", name);
	else
		muses_id_text(id, text);
}

/* The links, with what people here call the neighbours. */
static json_t *links_info(struct core_node *node)
{
	json_t *links = core_links_info(node->links), *link;
	char name[MUSES_NAME_MAX + 1];
	struct muses_id id;
	size_t i;

	json_array_foreach (links, i, link) {
		const char *peer = json_string_value(json_object_get(link, "peer"));

		if (peer == NULL || !muses_id_parse(peer, &id))
			continue;
		core_node_show(node, &id, name);
		json_object_set_new(link, "name", json_string(name));
	}
	return links;
}

json_t *core_node_status(struct core_node *node)
{
	const struct core_pipeline *p = node->config->pipeline;
	json_t *overlay = json_object();
	struct core_pool_counts pool;
	char id[MUSES_ID_LENGTH + 1];

	muses_id_text(&node->id, id);
	core_pool_counts(node->env->pool, &pool);
	json_object_set_new(overlay, "plugin", json_string(p->overlay->plugin->name));
	if (core_overlay_ops(p)->info != NULL)
		core_overlay_ops(p)->info(p->overlay, overlay);
	return json_pack(
		"{s:s, s:s, s:s, s:I, s:o, s:o, s:o, s:o, s:o, s:{s:I, s:I, s:I, s:I}}",
		"name", node->name, "id", id, "version", PACKAGE_VERSION, "up_ms",
		(json_int_t)((core_loop_now(node->env->loop) - node->since_ns) /
	                     MUSES_MS),
		"sessions", core_sessions_info(node->sessions), "links", links_info(node),
		"overlay", overlay, "lcm", core_lcm_info(node->lcm), "counters",
		core_stats_json(node->env->stats), "memory", "buffers",
		(json_int_t)pool.buffers_out, "bytes", (json_int_t)pool.bytes_out,
		"most_bytes", (json_int_t)pool.bytes_most, "refused",
		(json_int_t)pool.refused);
}
