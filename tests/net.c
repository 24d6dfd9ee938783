/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/net.h"

#include "core/linkstate.h"

#include "tests/tap.h"

#include <muses/noise.h>

#include <stdio.h>
#include <stdlib.h>

extern const struct muses_plugin impair_LTX_muses_plugin;
extern const struct muses_plugin memory_LTX_muses_plugin;
extern const struct muses_plugin cloak_static_LTX_muses_plugin;

/* ---- toy keys -------------------------------------------------------------------- */

void net_id(const char *name, struct muses_id *id)
{
	const struct muses_part part[] = { { "net test", 8 }, { name, strlen(name) } };

	if (muses_sha256(part, 2, id->bytes) != 0)
		abort();
}

static struct net_node *node_of(struct muses_layer *keys)
{
	return muses_container(keys, struct net_node, keys);
}

static int toy_resolve(struct muses_layer *l, const char *name, struct muses_id *id)
{
	const char *const *unknown = node_of(l)->net->unknown;

	for (; unknown != NULL && *unknown != NULL; unknown++)
		if (strcmp(*unknown, name) == 0)
			return MUSES_EAGAIN;
	if (strcmp(name, "nobody") == 0)
		return MUSES_EUNKNOWN;
	net_id(name, id);
	return 0;
}

static int toy_prove(struct muses_layer *l, const struct muses_id *peer,
                     const uint8_t *transcript, size_t transcript_size, uint8_t *proof,
                     size_t *proof_size)
{
	const struct muses_part part = { transcript, transcript_size };
	const char *secret = node_of(l)->stranger ? "another secret" : "the secret";

	(void)peer;
	*proof_size = 32;
	return muses_hmac_sha256((const uint8_t *)secret, strlen(secret), &part, 1,
	                         proof);
}

static int toy_verify(struct muses_layer *l, const struct muses_id *peer,
                      const uint8_t *transcript, size_t transcript_size,
                      const uint8_t *proof, size_t proof_size)
{
	uint8_t right[MUSES_PROOF_MAX];
	size_t size;

	if (toy_prove(l, peer, transcript, transcript_size, right, &size) != 0 ||
	    size != proof_size || !muses_equal_secret(right, proof, size))
		return MUSES_EAUTH;
	return 0;
}

static bool toy_may_link(struct muses_layer *l, const struct muses_id *id)
{
	(void)id;
	return !node_of(l)->quiet_may_link;
}

static const struct muses_keys_ops toy_ops = {
	.resolve = toy_resolve,
	.prove = toy_prove,
	.verify = toy_verify,
	.may_link = toy_may_link,
};

static const struct muses_plugin toy = {
	MUSES_STAMP,
	.name = "toy",
	.kind = MUSES_KEYS,
	MUSES_OPS(toy_ops),
};

/* ---- what comes up ----------------------------------------------------------------- */

static const char *name_of(const struct net *net, const struct muses_id *id)
{
	if (id == NULL)
		return "*";
	for (size_t i = 0; i < net->count; i++)
		if (muses_id_equal(&net->node[i]->id, id))
			return net->node[i]->name;
	return "?";
}

static void deliver(void *owner, struct muses_buf *b, const struct muses_met *met)
{
	struct net_node *n = owner;
	size_t used = strlen(n->inbox);

	n->met = *met;
	n->delivered++;
	snprintf(n->inbox + used, sizeof(n->inbox) - used, "%s:%.*s ",
	         name_of(n->net, &met->source), (int)b->size, (const char *)b->data);
	muses_buf_free(b);
}

static void note(struct net_node *n, const char *what, const struct muses_id *peer)
{
	size_t used = strlen(n->events);

	snprintf(n->events + used, sizeof(n->events) - used, "%s:%s ", what,
	         name_of(n->net, peer));
}

static void path(void *owner, const struct muses_id *peer, enum muses_path event)
{
	static const char *const word[] = { "up", "down", "moved" };

	note(owner, word[event], peer);
}

static void writable(void *owner, const struct muses_id *peer)
{
	note(owner, "writable", peer);
}

/* ---- nodes ----------------------------------------------------------------------------
 */

static void open_on(struct net *net, enum core_clock clock, uint64_t seed)
{
	memset(net, 0, sizeof(*net));
	net->loop = core_loop_open(clock);
	net->rand = core_rand_open(seed);
	if (net->loop == NULL || net->rand == NULL)
		abort();
	net->hub = core_hub_open(net->loop, net->rand);
	net->links = core_links_defaults;
	if (net->hub == NULL)
		abort();
}

void net_open(struct net *net, uint64_t seed)
{
	open_on(net, CORE_CLOCK_VIRTUAL, seed);
}

void net_open_real(struct net *net, const struct muses_plugin *plugin)
{
	open_on(net, CORE_CLOCK_REAL, 1);
	net->plugin = plugin;
	net->real = true;
}

/* The transport inside impair is made already. */
static struct muses_layer *inner(void *user, const json_t *object, const char *path_,
                                 char *why, size_t why_size)
{
	struct net_node *n = user;

	(void)object;
	(void)path_;
	(void)why;
	(void)why_size;
	return &n->transport;
}

static struct core_options *layer_make(struct net_node *n, struct muses_layer *l,
                                       const struct muses_plugin *plugin,
                                       const char *json)
{
	const struct core_options_place place = {
		.path = plugin->name, .folder = "/", .inner = inner, .user = n
	};
	struct core_options *options = NULL;
	char text[2048], why[256] = "";
	json_t *object;

	l->plugin = plugin;
	l->ops = plugin->ops;
	l->env = &n->env;
	l->pipeline = &n->pipeline;
	l->links = n->links;
	l->up = &n->up;
	l->node_id = &n->id;
	l->node_name = n->name;
	snprintf(l->label, sizeof(l->label), "%s", plugin->name);
	if (plugin->options == NULL)
		return NULL;
	snprintf(text, sizeof(text), "%s", json);
	for (char *c = text; *c != '\0'; c++)
		if (*c == '\'')
			*c = '"';
	object = json_loads(text, 0, NULL);
	if (core_options_read(plugin, object, &place, &l->config, &options, why,
	                      sizeof(why)) != 0) {
		tap_note("%s: %s", text, why);
		abort();
	}
	json_decref(object);
	return options;
}

struct net_node *net_make(struct net *net, const char *name, const char *dial,
                          const char *routes)
{
	struct net_node *n = calloc(1, sizeof(*n));
	char transport[1024], overlay[1024];

	if (n == NULL || net->count == NET_MOST ||
	    core_env_open(&n->env, net->loop, 1000 + net->count) != 0)
		abort();
	n->net = net;
	net->node[net->count++] = n;
	snprintf(n->name, sizeof(n->name), "%s", name);
	net_id(name, &n->id);
	core_log_set_node(n->env.log, name);
	core_log_set_level(n->env.log,
	                   getenv("NET_LOG") != NULL ? MUSES_DEBUG : MUSES_WARN);
	n->env.hub = net->hub;
	n->up = (struct core_layer_up){ n, deliver, path, writable, NULL };
	n->pipeline.keys = &n->keys;
	n->pipeline.overlay = &n->overlay;
	n->pipeline.transport[0] = &n->transport;
	n->pipeline.transport_count = 1;
	n->links = core_links_open(&n->env, &n->pipeline, &net->links, &n->id);
	if (net->plugin != NULL)
		snprintf(transport, sizeof(transport), "%s", dial);
	else
		snprintf(transport, sizeof(transport), "{'listen': '%s', 'dial': %s}",
		         name, dial != NULL ? dial : "{}");
	snprintf(overlay, sizeof(overlay), "{'routes': %s}",
	         routes != NULL ? routes : "{}");
	layer_make(n, &n->keys, &toy, NULL);
	n->transport_options = layer_make(
		n, &n->transport,
		net->plugin != NULL ? net->plugin : &memory_LTX_muses_plugin, transport);
	n->overlay_options =
		layer_make(n, &n->overlay, &cloak_static_LTX_muses_plugin, overlay);
	if (net->weather != NULL) {
		snprintf(transport, sizeof(transport), "{'over': {}, %s}", net->weather);
		n->impair_options =
			layer_make(n, &n->impair, &impair_LTX_muses_plugin, transport);
		n->impair.inner = &n->transport;
		n->transport.outer = &n->impair;
		n->transport.depth = 1;
		n->pipeline.transport[0] = &n->impair;
	}
	if (n->links == NULL ||
	    n->transport.plugin->open(&n->transport, n->transport.config) ||
	    n->overlay.plugin->open(&n->overlay, n->overlay.config))
		abort();
	if (net->weather != NULL &&
	    n->impair.plugin->open(&n->impair, n->impair.config) != 0)
		abort();
	return n;
}

int net_start(struct net_node *n)
{
	int err = n->transport.plugin->start(&n->transport);

	if (err == 0 && n->impair.plugin != NULL)
		err = n->impair.plugin->start(&n->impair);
	if (err == 0)
		err = n->overlay.plugin->start(&n->overlay);
	if (err != 0)
		return err;
	core_links_start(n->links);
	n->running = true;
	return 0;
}

struct net_node *net_add(struct net *net, const char *name, const char *dial,
                         const char *routes)
{
	struct net_node *n = net_make(net, name, dial, routes);

	CU_ASSERT_EQUAL_FATAL(net_start(n), 0);
	return n;
}

void net_stop(struct net_node *n)
{
	if (!n->running)
		return;
	n->running = false;
	core_links_stop(n->links);
	n->transport.plugin->stop(&n->transport);
}

size_t net_close(struct net *net)
{
	size_t lost = 0;

	for (size_t i = 0; i < net->count; i++)
		net_stop(net->node[i]);
	for (size_t i = 0; i < net->count; i++) {
		struct net_node *n = net->node[i];

		n->overlay.plugin->close(&n->overlay);
		if (n->impair.plugin != NULL)
			n->impair.plugin->close(&n->impair);
		n->transport.plugin->close(&n->transport);
		core_links_close(n->links);
		core_options_free(n->overlay_options, n->overlay.config);
		core_options_free(n->impair_options, n->impair.config);
		core_options_free(n->transport_options, n->transport.config);
		lost += core_env_close(&n->env);
		free(n);
	}
	CU_ASSERT_EQUAL(lost, 0);
	CU_ASSERT_EQUAL(core_hub_counts(net->hub).ends, 0);
	core_hub_close(net->hub);
	core_rand_close(net->rand);
	core_loop_close(net->loop);
	return lost;
}

void net_run(struct net *net, uint64_t span_ms)
{
	uint64_t end = core_loop_now(net->loop) + span_ms * MUSES_MS;

	if (!net->real) {
		core_loop_advance(net->loop, span_ms * MUSES_MS);
		return;
	}
	do
		core_loop_turn(net->loop, end - core_loop_now(net->loop));
	while (core_loop_now(net->loop) < end);
}

bool net_await(struct net *net, const struct net_node *a, const struct net_node *b,
               bool linked)
{
	for (int i = 0; i < 1000; i++) {
		if (net_linked(a, b) == linked && net_linked(b, a) == linked)
			return true;
		net_run(net, 5);
	}
	return false;
}

int net_send(struct net_node *from, const struct net_node *to, const char *text)
{
	struct muses_buf *b = core_buf_new(from->env.pool, MUSES_HEADROOM, strlen(text));

	if (b == NULL)
		return MUSES_ENOMEM;
	memcpy(muses_buf_append(b, strlen(text)), text, strlen(text));
	return core_overlay_ops(&from->pipeline)->send(&from->overlay, &to->id, b);
}

void net_control(struct net_node *from, const struct net_node *to, struct muses_buf *b)
{
	struct muses_link *link = muses_idmap_get(&from->links->in_use, &to->id);

	CU_ASSERT_PTR_NOT_NULL_FATAL(link);
	muses_link_control(link, b);
}

bool net_linked(const struct net_node *a, const struct net_node *b)
{
	json_t *array = core_links_info(a->links), *o;
	char text[MUSES_ID_LENGTH + 1];
	bool found = false;
	size_t i;

	muses_id_text(&b->id, text);
	json_array_foreach (array, i, o)
		found = found || (strcmp(json_string_value(json_object_get(o, "state")),
		                         "up") == 0 &&
		                  strcmp(json_string_value(json_object_get(o, "peer")),
		                         text) == 0);
	json_decref(array);
	return found;
}

uint64_t net_count(const struct net_node *n, const char *who, const char *reason)
{
	return core_stats_get(n->env.stats, who, reason);
}
