/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Wires a node: pipeline, links, sessions, LCM, control.  What a newcomer would get
 * wrong: after a reload the configuration is the new one, but its pipeline is the
 * old one, still open, with new contents of the files that may change.
 */
#include "core/mem.h"
#include "core/nodestate.h"

#include <string.h>

#define STOP_NS (200 * MUSES_MS)
#define TRIM_NS (1 * MUSES_S)

/* ---- what the parts tell each other --------------------------------------- */

static void node_deliver(void *owner, struct muses_buf *b, const struct muses_met *met)
{
	struct core_node *node = owner;

	if (node->sessions != NULL)
		core_sessions_deliver(node->sessions, b, met);
	else
		muses_buf_free(b);
}

static void node_path(void *owner, const struct muses_id *peer, enum muses_path event)
{
	struct core_node *node = owner;

	if (node->sessions != NULL)
		core_sessions_path(node->sessions, peer, event);
}

static void node_writable(void *owner, const struct muses_id *peer)
{
	struct core_node *node = owner;

	if (node->sessions != NULL)
		core_sessions_writable(node->sessions, peer);
}

static void node_keys_news(void *owner)
{
	struct core_node *node = owner;

	if (node->lcm == NULL)
		return;
	core_lcm_names_news(node->lcm);
	if (node->control != NULL)
		core_control_session_changed(node->control, NULL);
}

static void node_accept(void *owner, struct core_stream *s, const char *service)
{
	struct core_node *node = owner;

	core_lcm_accept(node->lcm, s, service);
}

static void node_session_changed(void *owner, struct core_session *session)
{
	struct core_node *node = owner;

	if (node->control != NULL)
		core_control_session_changed(node->control, session);
}

static void node_hurry(void *owner, bool hurry)
{
	struct core_node *node = owner;

	core_links_hurry(node->links, hurry);
}

static int host_resolve(void *owner, const char *name, struct muses_id *id)
{
	return core_node_resolve(owner, name, id);
}

/* A connection with ourselves is a mistake in somebody's arguments. */
static int lcm_resolve(void *owner, const char *name, struct muses_id *id)
{
	struct core_node *node = owner;
	int err = core_node_resolve(node, name, id);

	return err == 0 && muses_id_equal(id, &node->id) ? MUSES_EUSAGE : err;
}

static void host_show(void *owner, const struct muses_id *id, char *text)
{
	core_node_show(owner, id, text);
}

static struct core_session *host_session(void *owner, const struct muses_id *peer)
{
	struct core_node *node = owner;

	return core_session_get(node->sessions, peer);
}

static int host_reload(void *owner, char *why, size_t why_size)
{
	return core_node_reload(owner, why, why_size);
}

static json_t *host_status(void *owner)
{
	return core_node_status(owner);
}

static json_t *host_session_info(void *owner, const struct muses_id *id)
{
	struct core_node *node = owner;
	json_t *all = core_sessions_info(node->sessions), *one = NULL, *session;
	char text[MUSES_ID_LENGTH + 1];
	size_t i;

	muses_id_text(id, text);
	json_array_foreach (all, i, session) {
		const char *peer = json_string_value(json_object_get(session, "peer"));

		if (peer != NULL && strcmp(peer, text) == 0)
			one = json_incref(session);
	}
	json_decref(all);
	return one;
}

/* The kernel tells of an interface some ms before the other end of the cable listens.
 * Who dials in between loses ARP's question, which is asked again only after 1 s. */
#define SETTLE (30 * MUSES_MS)

static void node_network_changed(void *owner)
{
	struct core_node *node = owner;

	core_log(node->env->log, MUSES_DEBUG, "node", "addresses or routes have changed");
	core_links_network_changed(node->links, SETTLE);
}

static void keep_state(struct core_node *node)
{
	uint64_t time_ns = core_sessions_hello_time(node->sessions);

	if (node->state != NULL && time_ns > core_state_time(node->state))
		core_state_used(node->state, time_ns);
}

/* Once a second. */
static void node_trim(struct muses_timer *t)
{
	struct core_node *node = muses_container(t, struct core_node, trim);

	core_pool_trim(node->env->pool);
	keep_state(node);
	muses_timer_after(t, TRIM_NS);
}

/* ---- open ----------------------------------------------------------------- */

static int fail(char *why, size_t why_size, int err)
{
	if (why[0] == '\0')
		snprintf(why, why_size, "%s", muses_strerror(err));
	return err;
}

static int open_layers(struct core_node *node)
{
	struct core_pipeline *p = node->config->pipeline;
	int err = core_pipeline_open(p, node->env, node->links, &node->up, &node->id,
	                             node->name);

	return err != 0 ? err : core_keys_ops(p)->identity(p->keys, &node->id);
}

static int open_parts(struct core_node *node)
{
	struct core_sessions_config sessions = node->config->sessions;
	const struct core_lcm_host host = {
		.owner = node,
		.resolve = lcm_resolve,
		.show = host_show,
		.session = host_session,
	};

	sessions.owner = node;
	sessions.accept = node_accept;
	sessions.changed = node_session_changed;
	sessions.hurry = node_hurry;
	node->sessions = core_sessions_open(node->env, node->config->pipeline, &sessions,
	                                    &node->id, node->name);
	node->lcm = core_lcm_open(node->env, &host, sessions.most_streams);
	return node->sessions == NULL || node->lcm == NULL ? MUSES_ENOMEM : 0;
}

int core_node_open(struct core_node **node, struct core_env *env,
                   struct core_config *config, char *why, size_t why_size)
{
	struct core_node *n = muses_zalloc(sizeof(*n));
	int err = MUSES_ENOMEM;

	*node = NULL;
	why[0] = '\0';
	if (n == NULL) {
		core_config_free(config);
		return fail(why, why_size, err);
	}
	n->env = env;
	n->config = config;
	snprintf(n->name, sizeof(n->name), "%s", config->name);
	core_timer_init(env->loop, &n->trim, node_trim);
	n->up = (struct core_layer_up){
		.owner = n,
		.deliver = node_deliver,
		.path = node_path,
		.writable = node_writable,
		.keys_news = node_keys_news,
	};
	err = core_config_check_open(config, env->log, why, why_size);
	if (err != 0)
		goto fail;
	err = MUSES_ENOMEM;
	n->links = core_links_open(env, config->pipeline, &config->links, &n->id);
	if (n->links == NULL)
		goto fail;
	err = open_layers(n);
	if (err == 0)
		err = open_parts(n);
	if (err != 0)
		goto fail;
	*node = n;
	return 0;
fail:
	core_node_close(n);
	return fail(why, why_size, err);
}

/* ---- start ---------------------------------------------------------------- */

static int load(struct core_node *node, const struct core_config *config, char *why,
                size_t why_size)
{
	return core_lcm_load(node->lcm, config->forward, config->forward_count,
	                     config->service, config->service_count, config->folder, why,
	                     why_size);
}

static int start_control(struct core_node *node, char *why, size_t why_size)
{
	const struct core_control_host host = {
		.owner = node,
		.resolve = host_resolve,
		.show = host_show,
		.reload = host_reload,
		.status = host_status,
		.session = host_session_info,
		.name = node->name,
		.id = &node->id,
	};

	if (node->config->control == NULL)
		return 0;
	return core_control_open(&node->control, node->env, node->lcm, &host,
	                         node->config->control, node->config->folder, why,
	                         why_size);
}

int core_node_start(struct core_node *node, char *why, size_t why_size)
{
	char id[MUSES_ID_LENGTH + 1];
	int err;

	why[0] = '\0';
	/* First what is most likely taken by somebody else. */
	err = start_control(node, why, why_size);
	if (err == 0)
		err = load(node, node->config, why, why_size);
	if (err == 0) {
		node->started = true; /* Also half: stop() undoes it. */
		err = core_pipeline_start(node->config->pipeline);
		if (err != 0)
			snprintf(why, why_size,
			         "pipeline: a layer could not start (see the lines "
			         "above): %s",
			         muses_strerror(err));
	}
	if (err != 0)
		return fail(why, why_size, err);
	node->since_ns = core_loop_now(node->env->loop);
	if (node->config->state != NULL)
		node->state = core_state_open(node->env, node->config->state, &node->id);
	if (node->state != NULL)
		core_sessions_hello_after(node->sessions, core_state_time(node->state));
	core_links_start(node->links);
	node->netnews = core_netnews_open(node->env, node_network_changed, node);
	muses_timer_after(&node->trim, TRIM_NS);
	muses_id_text(&node->id, id);
	core_log(node->env->log, MUSES_INFO, "node", "started id=%s", id);
	for (size_t i = 0; i < node->config->warnings.count; i++)
		core_log(node->env->log, MUSES_WARN, "node", "%s",
		         node->config->warnings.item[i]);
	return 0;
}

/* ---- stop ----------------------------------------------------------------- */

static size_t queued_bytes(const struct core_node *node)
{
	json_t *links = core_links_info(node->links), *link;
	json_int_t sum = 0;
	size_t i;

	json_array_foreach (links, i, link)
		sum += json_integer_value(json_object_get(link, "queue"));
	json_decref(links);
	return (size_t)sum;
}

void core_node_stop(struct core_node *node)
{
	uint64_t until_ns;

	if (!node->started)
		return;
	node->started = false;
	until_ns = core_loop_now(node->env->loop) + STOP_NS;
	keep_state(node);
	core_sessions_stop(node->sessions);
	/* At least one turn: tasks at its end write what was queued. */
	do
		core_loop_turn(node->env->loop, 10 * MUSES_MS);
	while (queued_bytes(node) > 0 && core_loop_now(node->env->loop) < until_ns);
	muses_timer_stop(&node->trim);
	core_netnews_close(node->netnews);
	node->netnews = NULL;
	core_links_stop(node->links);
	core_pipeline_stop(node->config->pipeline);
	core_log(node->env->log, MUSES_INFO, "node", "stopped");
}

void core_node_close(struct core_node *node)
{
	if (node == NULL)
		return;
	core_node_stop(node);
	muses_timer_stop(&node->trim);
	core_control_close(node->control);
	core_lcm_close(node->lcm);
	core_sessions_close(node->sessions);
	core_state_close(node->state);
	core_links_close(node->links);
	core_config_free(node->config); /* Closes the layers. */
	muses_free(node);
}

/* ---- reload --------------------------------------------------------------- */

/* The new configuration takes the place of the old one, around the layers. */
static void adopt(struct core_node *node, struct core_config *fresh)
{
	struct core_config *old = node->config;
	struct core_pipeline *unopened = fresh->pipeline;

	fresh->pipeline = old->pipeline;
	old->pipeline = NULL;
	core_pipeline_close(unopened);
	core_config_free(old);
	node->config = fresh;
	core_log_set_level(node->env->log, fresh->log_level);
	core_log_set_form(node->env->log, fresh->log_form);
}

int core_node_reload(struct core_node *node, char *why, size_t why_size)
{
	struct core_pipeline *p = node->config->pipeline;
	struct core_config *fresh = NULL;
	int err;

	why[0] = '\0';
	if (node->config->path == NULL) {
		snprintf(why, why_size, "this node was not read from a file");
		return MUSES_EUSAGE;
	}
	err = core_config_read(&fresh, node->config->path, p->loader, why, why_size);
	if (err == 0 && !core_config_reloadable(node->config, fresh, why, why_size))
		err = MUSES_ECONFIG;
	if (err == 0)
		err = core_config_check_open(fresh, node->env->log, why, why_size);
	if (err == 0)
		err = load(node, fresh, why, why_size);
	if (err == 0)
		err = core_pipeline_reload(p, json_object_get(fresh->root, "pipeline"),
		                           fresh->folder, why, why_size);
	if (err != 0) {
		core_config_free(fresh);
		err = fail(why, why_size, err);
		core_log(node->env->log, MUSES_WARN, "node", "not reloaded: %s", why);
		return err;
	}
	adopt(node, fresh);
	core_sessions_peers_changed(node->sessions);
	core_log(node->env->log, MUSES_INFO, "node", "reloaded");
	return 0;
}
