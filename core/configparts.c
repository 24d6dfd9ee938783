/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parts of a node's file that are the core's own, read by the same tables
 * and the same code as the options of plugins.  Forwards and services are in
 * configlcm.c, the layers in build.c.
 */
#include "core/configparts.h"
#include "core/mem.h"
#include "core/say.h"

#include <openssl/evp.h>
#include <string.h>

int core_config_part(struct core_config_reader *r, const struct muses_plugin *section,
                     const json_t *object, const char *path, const void **values)
{
	struct core_options_place place = { .path = path,
		                            .folder = r->whole->config.folder };
	struct core_config_part *part;
	int err;

	if (r->show != NULL) {
		if (r->as_mdoc)
			core_options_print_man(section->options, r->show);
		else
			core_options_print(section->options, r->show);
		return MUSES_EAGAIN;
	}
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

int core_config_name(struct core_config_reader *r, const char *path, const char *key,
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
	MUSES_STRING(top, state, NULL, 0, "Path of a small file that outlives the node."),
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
	static const struct muses_plugin section = CORE_CONFIG_SECTION(top, top_options);
	struct core_config *c = &r->whole->config;
	struct muses_id id;
	const void *values;
	const struct top *top;
	int err = core_config_part(r, &section, scalars, "", &values);

	if (err != 0)
		return err;
	top = values;
	err = core_config_name(r, "", "name", top->name);
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
	static const struct muses_plugin section = CORE_CONFIG_SECTION(log, log_options);
	struct core_config *c = &r->whole->config;
	const struct log *log;
	const void *values;
	int err;

	c->log_level = MUSES_INFO;
	c->log_form = CORE_LOG_TEXT;
	if (value == NULL)
		return 0;
	err = core_config_part(r, &section, value, "log", &values);
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
	const struct muses_plugin section = CORE_CONFIG_SECTION(links, options);
	struct core_links_config *c = &r->whole->config.links;
	const struct links *links;
	const void *values;
	int err;

	*c = *d;
	if (value == NULL)
		return 0;
	err = core_config_part(r, &section, value, "links", &values);
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
	const struct muses_plugin section = CORE_CONFIG_SECTION(sessions, options);
	struct core_sessions_config *c = &r->whole->config.sessions;
	const struct sessions *s;
	const void *values;
	int err;

	*c = *d;
	if (value == NULL)
		return 0;
	err = core_config_part(r, &section, value, "sessions", &values);
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
