/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parts of a node's file that are the core's own, read by the same tables
 * and the same code as the options of plugins.  The layers are in build.c.
 */
#include "core/configparts.h"
#include "core/address.h"
#include "core/mem.h"
#include "core/say.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#define FORWARDS_MAX 256
#define SERVICES_MAX 256

/* A table read like a plugin's, whose sentences speak of keys. */
#define SECTION(section, table)                                            \
	{                                                                  \
		.name = #section, .kind = MUSES_KINDS, .options = (table), \
		.config_size = sizeof(struct section)                      \
	}

static int read_part(struct core_config_reader *r, const struct muses_plugin *section,
                     const json_t *object, const char *path, const void **values)
{
	struct core_options_place place = { .path = path,
		                            .folder = r->whole->config.folder };
	struct core_config_part *part;
	int err;

	if (!json_is_object(object))
		return core_say(r->why, r->why_size, MUSES_ECONFIG, "%s: want an object",
		                path);
	part = muses_zalloc(sizeof(*part));
	if (part == NULL)
		return core_say(r->why, r->why_size, MUSES_ENOMEM, "%s: out of memory",
		                path);
	err = core_options_read(section, object, &place, &part->values, &part->options,
	                        r->why, r->why_size);
	if (err != 0) {
		muses_free(part);
		return err;
	}
	part->next = r->whole->part;
	r->whole->part = part;
	*values = part->values;
	return 0;
}

static int warn(struct core_config_reader *r, const char *sentence, const char *name)
{
	struct core_config_whole *w = r->whole;
	char **grown = core_realloc(w->warning, w->warning_count, w->warning_count + 1,
	                            sizeof(*grown));

	if (grown != NULL) {
		w->warning = grown;
		grown[w->warning_count] = core_format("services.%s: %s", name, sentence);
	}
	if (grown == NULL || grown[w->warning_count] == NULL)
		return core_say(r->why, r->why_size, MUSES_ENOMEM,
		                "services: out of memory");
	w->warning_count++;
	w->config.warnings.count = w->warning_count;
	w->config.warnings.item = (const char *const *)w->warning;
	return 0;
}

static int name_right(struct core_config_reader *r, const char *path, const char *key,
                      const char *name)
{
	if (muses_name_valid(name))
		return 0;
	return core_say(
		r->why, r->why_size, MUSES_ECONFIG,
		"%s%s: '%.64s' is not a name; want 1 to %d letters, digits, '.', '_' "
		"and '-'",
		path, key, name, MUSES_NAME_MAX);
}

/* ---- the top --------------------------------------------------------------- */

struct top {
	const char *name;
	const char *control;
	const char *state;
	uint32_t memory_mib;
};

static const struct muses_option top_options[] = {
	MUSES_STRING(top, name, NULL, MUSES_OPTION_REQUIRED, "What this node is called."),
	MUSES_STRING(top, control, NULL, 0,
	             "Path of the socket that `muses status` uses."),
	MUSES_STRING(top, state, NULL, 0,
	             "Path of the small file that outlives the node."),
	MUSES_UINT32(top, memory_mib, CORE_ENV_POOL_BYTES >> 20, 1, 65536, "MiB",
	             "Most memory for packets and streams."),
	MUSES_OPTIONS_END,
};

static int absolute(struct core_config_reader *r, const char *key, const char *name,
                    const char **path)
{
	struct core_config *c = &r->whole->config;
	char *made = NULL;

	if (name == NULL)
		return 0;
	made = name[0] == '/' ? core_strdup(name) : core_format("%s/%s", c->folder, name);
	if (made == NULL)
		return core_say(r->why, r->why_size, MUSES_ENOMEM, "%s: out of memory",
		                key);
	*path = made;
	return 0;
}

int core_config_read_top(struct core_config_reader *r, const json_t *scalars)
{
	static const struct muses_plugin section = SECTION(top, top_options);
	struct core_config *c = &r->whole->config;
	struct muses_id id;
	const void *values;
	const struct top *top;
	int err = read_part(r, &section, scalars, "", &values);

	if (err != 0)
		return err;
	top = values;
	err = name_right(r, "", "name", top->name);
	if (err == 0 && muses_id_parse(top->name, &id))
		err = core_say(r->why, r->why_size, MUSES_ECONFIG,
		               "name: want a name, not the text of a node id");
	if (err == 0)
		err = absolute(r, "control", top->control, &c->control);
	if (err == 0)
		err = absolute(r, "state", top->state, &c->state);
	c->name = top->name;
	c->memory_bytes = (size_t)top->memory_mib << 20;
	return err;
}

/* ---- log ------------------------------------------------------------------- */

struct log {
	uint32_t level;
	uint32_t format;
};

static const char *const log_levels[] = {
	[MUSES_ERROR] = "error", [MUSES_WARN] = "warn",   [MUSES_INFO] = "info",
	[MUSES_DEBUG] = "debug", [MUSES_TRACE] = "trace", NULL,
};

static const char *const log_formats[] = {
	[CORE_LOG_TEXT] = "text",
	[CORE_LOG_JSON] = "json",
	NULL,
};

static const struct muses_option log_options[] = {
	MUSES_CHOICE(log, level, MUSES_INFO, log_levels, "How much is written."),
	MUSES_CHOICE(log, format, CORE_LOG_TEXT, log_formats,
	             "Lines of text or of JSON."),
	MUSES_OPTIONS_END,
};

int core_config_read_log(struct core_config_reader *r, const json_t *value)
{
	static const struct muses_plugin section = SECTION(log, log_options);
	struct core_config *c = &r->whole->config;
	const struct log *log;
	const void *values;
	int err;

	c->log_level = MUSES_INFO;
	c->log_form = CORE_LOG_TEXT;
	if (value == NULL)
		return 0;
	err = read_part(r, &section, value, "log", &values);
	if (err != 0)
		return err;
	log = values;
	c->log_level = (enum muses_level)log->level;
	c->log_form = (enum core_log_form)log->format;
	return 0;
}

/* ---- links ----------------------------------------------------------------- */

struct links {
	uint32_t keepalive_ms, dead_ms, hello_ms, most, queue_bytes, neighbours;
	const char *overlay;
};

enum neighbours { CONFIGURED = 0, ANYBODY };
static const char *const neighbour_words[] = { "configured", "*", NULL };

/* One overlay must not be joined with another by accident: its name, hashed. */
static bool overlay_id(const char *text, uint8_t id[static 16])
{
	static const char label[] = "MUSEs overlay v1";
	uint8_t digest[EVP_MAX_MD_SIZE];
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	bool good = context != NULL &&
	            EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1 &&
	            EVP_DigestUpdate(context, label, sizeof(label) - 1) == 1 &&
	            EVP_DigestUpdate(context, text, strlen(text)) == 1 &&
	            EVP_DigestFinal_ex(context, digest, NULL) == 1;

	EVP_MD_CTX_free(context);
	if (good)
		memcpy(id, digest, 16);
	return good;
}

int core_config_read_links(struct core_config_reader *r, const json_t *value)
{
	const struct core_links_config *d = &core_links_defaults;
	const struct muses_option options[] = {
		MUSES_UINT32(links, keepalive_ms, d->keepalive_ms, 10, 3600000, "ms",
		             "Ask a silent neighbour after that."),
		MUSES_UINT32(
			links, dead_ms, d->dead_ms, 10, 3600000, "ms",
			"A link is down when nothing comes for that long after asking."),
		MUSES_UINT32(links, hello_ms, d->hello_ms, 100, 60000, "ms",
		             "Most time for the hello and the proof of a neighbour."),
		MUSES_UINT32(links, most, d->most, 2, 1000000, "links", "Links at once."),
		MUSES_UINT32(links, queue_bytes, d->queue_bytes, 65536, 1u << 30, "bytes",
		             "Bound of the queue of a link."),
		MUSES_CHOICE(links, neighbours, d->any_neighbour ? ANYBODY : CONFIGURED,
		             neighbour_words,
		             "Who may link: those who are named here, or everybody."),
		MUSES_STRING(links, overlay, NULL, 0,
		             "Name of the overlay; links join only within one."),
		MUSES_OPTIONS_END,
	};
	const struct muses_plugin section = SECTION(links, options);
	struct core_links_config *c = &r->whole->config.links;
	const struct links *links;
	const void *values;
	int err;

	*c = *d;
	if (value == NULL)
		return 0;
	err = read_part(r, &section, value, "links", &values);
	if (err != 0)
		return err;
	links = values;
	c->keepalive_ms = links->keepalive_ms;
	c->dead_ms = links->dead_ms;
	c->hello_ms = links->hello_ms;
	c->most = links->most;
	c->queue_bytes = links->queue_bytes;
	c->any_neighbour = links->neighbours == ANYBODY;
	if (links->overlay != NULL && !overlay_id(links->overlay, c->overlay_id))
		return core_say(r->why, r->why_size, MUSES_ECRYPTO,
		                "links.overlay: OpenSSL cannot hash it");
	return 0;
}

/* ---- sessions -------------------------------------------------------------- */

struct sessions {
	uint32_t most, most_streams, stream_window, session_window, idle_close_s, rekey_s,
		keystep_s;
};

int core_config_read_sessions(struct core_config_reader *r, const json_t *value)
{
	const struct core_sessions_config *d = &core_sessions_defaults;
	const struct muses_option options[] = {
		MUSES_UINT32(sessions, most, d->most_sessions, 1, 1000000, "sessions",
		             "Sessions at once."),
		MUSES_UINT32(sessions, most_streams, d->most_streams, 2, 1000000,
		             "streams",
		             "Streams at once in all sessions; a session may have half."),
		MUSES_UINT32(sessions, stream_window, d->stream_window, 4096, 1u << 30,
		             "bytes", "What a peer may send ahead on a stream."),
		MUSES_UINT32(sessions, session_window, d->session_window, 4096, 1u << 30,
		             "bytes",
		             "What a peer may send ahead on all streams of a session."),
		MUSES_UINT32(sessions, idle_close_s, d->idle_close_s, 0, 31536000, "s",
		             "Close a session that has had no stream for that long; 0: "
		             "keep it."),
		MUSES_UINT32(sessions, rekey_s, d->rekey_s, 1, 86400, "s",
		             "Take new keys after that time with traffic."),
		MUSES_UINT32(sessions, keystep_s, d->keystep_s, 1, 604800, "s",
		             "Mix a new key agreement into the keys that often."),
		MUSES_OPTIONS_END,
	};
	const struct muses_plugin section = SECTION(sessions, options);
	struct core_sessions_config *c = &r->whole->config.sessions;
	const struct sessions *s;
	const void *values;
	int err;

	*c = *d;
	if (value == NULL)
		return 0;
	err = read_part(r, &section, value, "sessions", &values);
	if (err != 0)
		return err;
	s = values;
	if (s->session_window < s->stream_window)
		return core_say(
			r->why, r->why_size, MUSES_ECONFIG,
			"sessions.session_window: want at least stream_window (%u), not "
			"%u",
			s->stream_window, s->session_window);
	c->most_sessions = s->most;
	c->most_streams = s->most_streams;
	c->stream_window = s->stream_window;
	c->session_window = s->session_window;
	c->idle_close_s = s->idle_close_s;
	c->rekey_s = s->rekey_s;
	c->keystep_s = s->keystep_s;
	return 0;
}

/* ---- forwards -------------------------------------------------------------- */

struct forward {
	const char *listen;
	const char *to;
	const char *service;
};

static const struct muses_option forward_options[] = {
	MUSES_STRING(forward, listen, NULL, MUSES_OPTION_REQUIRED,
	             "Where applications connect: \"127.0.0.1:2222\" or \"unix:PATH\"."),
	MUSES_STRING(forward, to, NULL, MUSES_OPTION_REQUIRED,
	             "The name of the other node."),
	MUSES_STRING(forward, service, NULL, MUSES_OPTION_REQUIRED,
	             "The name of a service over there."),
	MUSES_OPTIONS_END,
};

static int address_right(struct core_config_reader *r, const char *path, const char *key,
                         const char *text, enum core_address_use use)
{
	char reason[CORE_SAY_MAX];
	struct core_address address;

	if (core_address_parse(&address, text, use, r->whole->config.folder, reason,
	                       sizeof(reason)) == 0)
		return 0;
	return core_say(r->why, r->why_size, MUSES_ECONFIG, "%s.%s: %s", path, key,
	                reason);
}

/* Port 0 is another port each time. */
static bool fixed(const char *listen)
{
	const char *colon = strrchr(listen, ':');

	return colon == NULL || strcmp(colon, ":0") != 0;
}

static int read_forward(struct core_config_reader *r, const json_t *value, size_t index)
{
	static const struct muses_plugin section = SECTION(forward, forward_options);
	struct core_config *c = &r->whole->config;
	const struct forward *f;
	const void *values;
	char path[32];
	int err;

	snprintf(path, sizeof(path), "forward[%zu]", index);
	err = read_part(r, &section, value, path, &values);
	if (err != 0)
		return err;
	f = values;
	err = address_right(r, path, "listen", f->listen, CORE_ADDRESS_LISTEN);
	if (err == 0)
		err = name_right(r, path, ".to", f->to);
	if (err == 0)
		err = name_right(r, path, ".service", f->service);
	if (err == 0 && strcmp(f->to, c->name) == 0)
		err = core_say(r->why, r->why_size, MUSES_ECONFIG,
		               "%s.to: '%s' is this node itself; want another", path,
		               f->to);
	for (size_t i = 0; i < index && err == 0; i++)
		if (strcmp(c->forward[i].listen, f->listen) == 0 && fixed(f->listen))
			err = core_say(
				r->why, r->why_size, MUSES_ECONFIG,
				"%s.listen: forward[%zu] listens on %.200s already", path,
				i, f->listen);
	c->forward[index] = (struct core_forward){ f->listen, f->to, f->service };
	return err;
}

int core_config_read_forward(struct core_config_reader *r, const json_t *value)
{
	struct core_config *c = &r->whole->config;
	size_t count = json_array_size(value);
	int err = 0;

	if (value == NULL)
		return 0;
	if (!json_is_array(value) || count > FORWARDS_MAX)
		return core_say(
			r->why, r->why_size, MUSES_ECONFIG,
			"forward: want a list of at most %d objects with listen, to and "
			"service",
			FORWARDS_MAX);
	c->forward = muses_zalloc((count + 1) * sizeof(*c->forward));
	if (c->forward == NULL)
		return core_say(r->why, r->why_size, MUSES_ENOMEM,
		                "forward: out of memory");
	for (size_t i = 0; i < count && err == 0; i++)
		err = read_forward(r, json_array_get(value, i), i);
	c->forward_count = count;
	return err;
}

/* ---- services -------------------------------------------------------------- */

struct service {
	const char *connect;
	struct muses_list allow;
};

static const struct muses_option service_options[] = {
	MUSES_STRING(service, connect, NULL, MUSES_OPTION_REQUIRED,
	             "Where the application listens: \"127.0.0.1:22\" or \"unix:PATH\"."),
	MUSES_LIST(service, allow, 0,
	           "Who may use it: names of nodes, or \"*\" for all."),
	MUSES_OPTIONS_END,
};

static int allow_right(struct core_config_reader *r, const char *path,
                       const struct muses_list *allow)
{
	int err = 0;

	for (size_t i = 0; i < allow->count && err == 0; i++) {
		char key[32];

		snprintf(key, sizeof(key), ".allow[%zu]", i);
		if (strcmp(allow->item[i], "*") != 0)
			err = name_right(r, path, key, allow->item[i]);
	}
	return err;
}

static int read_service(struct core_config_reader *r, const char *name,
                        const json_t *value)
{
	static const struct muses_plugin section = SECTION(service, service_options);
	struct core_config *c = &r->whole->config;
	const struct service *s;
	const void *values;
	char path[MUSES_NAME_MAX + 16], *copy;
	int err = name_right(r, "services", "", name);

	if (err != 0)
		return err;
	snprintf(path, sizeof(path), "services.%s", name);
	err = read_part(r, &section, value, path, &values);
	if (err != 0)
		return err;
	s = values;
	err = address_right(r, path, "connect", s->connect, CORE_ADDRESS_CONNECT);
	if (err == 0)
		err = allow_right(r, path, &s->allow);
	if (err == 0 && s->allow.count == 0)
		err = warn(r, "nobody may use it; name them in \"allow\", or say \"*\"",
		           name);
	if (err != 0)
		return err;
	copy = core_strdup(name);
	if (copy == NULL)
		return core_say(r->why, r->why_size, MUSES_ENOMEM, "%s: out of memory",
		                path);
	c->service[c->service_count++] =
		(struct core_service){ copy, s->connect, s->allow };
	return 0;
}

int core_config_read_services(struct core_config_reader *r, const json_t *value)
{
	struct core_config *c = &r->whole->config;
	const char *name;
	json_t *item;

	if (value == NULL)
		return 0;
	if (!json_is_object(value) || json_object_size(value) > SERVICES_MAX)
		return core_say(r->why, r->why_size, MUSES_ECONFIG,
		                "services: want an object of at most %d names, each with "
		                "connect and allow",
		                SERVICES_MAX);
	c->service = muses_zalloc((json_object_size(value) + 1) * sizeof(*c->service));
	if (c->service == NULL)
		return core_say(r->why, r->why_size, MUSES_ENOMEM,
		                "services: out of memory");
	json_object_foreach ((json_t *)value, name, item) {
		int err = read_service(r, name, item);

		if (err != 0)
			return err;
	}
	return 0;
}
