/* SPDX-License-Identifier: Apache-2.0 */
/* See ends.h. */
#include "tests/ends.h"

#include "tests/tap.h"

#include <stdlib.h>
#include <string.h>

void ends_open(struct ends *w, const struct muses_plugin *plugin)
{
	*w = (struct ends){ .plugin = plugin };
	folder_open(&w->folder);
	w->loop = core_loop_open(CORE_CLOCK_VIRTUAL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(w->loop);
}

static void end_free(struct end *e)
{
	core_options_free(e->options, e->config);
	core_env_close(&e->env);
	free(e);
}

void ends_close(struct ends *w)
{
	while (w->count > 0) {
		struct end *e = w->end[--w->count];

		w->plugin->close(&e->layer);
		end_free(e);
	}
	core_loop_close(w->loop);
	folder_close(&w->folder);
}

static void keep_line(void *user, enum muses_level level, const char *who,
                      const char *message)
{
	struct end *e = user;
	size_t length = strlen(e->log);

	(void)level;
	(void)who;
	snprintf(e->log + length, sizeof(e->log) - length, "%s\n", message);
}

static int read_config(struct ends *w, const char *json, void **config,
                       struct core_options **options)
{
	const struct core_options_place place = { .path = "keys",
		                                  .folder = w->folder.path };
	char text[1024];
	json_t *object;
	int err;

	snprintf(text, sizeof(text), "%s", json);
	for (char *c = text; *c != '\0'; c++)
		*c = *c == '\'' ? '"' : *c;
	object = json_loads(text, 0, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(object);
	err = core_options_read(w->plugin, object, &place, config, options, w->why,
	                        sizeof(w->why));
	json_decref(object);
	if (err == 0) {
		err = w->plugin->check(*config, w->why, sizeof(w->why));
		if (err != 0)
			core_options_free(*options, *config);
	}
	return err;
}

/* Another for each node, also in two worlds, or they would choose one ephemeral. */
static uint64_t seed_of(const struct ends *w, const char *name)
{
	return core_loop_now(w->loop) ^ (uint64_t)name[0] << 8 ^ (1 + w->count);
}

struct end *ends_add(struct ends *w, const char *name, const char *json)
{
	struct end *e = calloc(1, sizeof(*e));

	CU_ASSERT_PTR_NOT_NULL_FATAL(e);
	CU_ASSERT_FATAL(w->count < ENDS_MOST);
	w->why[0] = '\0';
	if (read_config(w, json, &e->config, &e->options) != 0) {
		free(e);
		return NULL;
	}
	CU_ASSERT_EQUAL_FATAL(core_env_open(&e->env, w->loop, seed_of(w, name)), 0);
	core_log_set_sink(e->env.log, keep_line, e);
	e->ops = w->plugin->ops;
	e->layer = (struct muses_layer){
		.plugin = w->plugin,
		.ops = w->plugin->ops,
		.config = e->config,
		.env = &e->env,
		.node_id = &e->id,
		.node_name = name,
		.label = "keys",
	};
	if (w->plugin->open(&e->layer, e->config) != 0) {
		snprintf(w->why, sizeof(w->why), "%.500s", e->log);
		end_free(e);
		return NULL;
	}
	CU_ASSERT_EQUAL(e->ops->identity(&e->layer, &e->id), 0);
	w->end[w->count++] = e;
	return e;
}

bool ends_reload(struct ends *w, struct end *e, const char *json)
{
	struct core_options *options = NULL;
	void *config = NULL;

	w->why[0] = '\0';
	if (read_config(w, json, &config, &options) != 0)
		return false;
	w->plugin->reload(&e->layer, config);
	core_options_free(e->options, e->config);
	e->options = options;
	e->layer.config = e->config = config;
	return true;
}

uint64_t ends_counted(const struct end *e, const char *reason)
{
	return core_stats_get(e->env.stats, "keys", reason);
}

/* ---- meetings -----------------------------------------------------------------------
 */

static const char *const payload[] = { "", "the first payload",
	                               "the second, longer payload", "the third" };

static const char *payload_of(const struct meeting *m, unsigned number)
{
	/* XX: nothing is sealed in message 1, so nothing is in it. */
	return m->messages == 3 && number == 1 ? "" : payload[number];
}

static int pass(struct meeting *m, unsigned number)
{
	struct end *from = number % 2 == 1 ? m->a : m->b,
		   *to = number % 2 == 1 ? m->b : m->a;
	struct muses_handshake *writer = m->h[(number + 1) % 2],
			       *reader = m->h[number % 2];
	uint8_t message[MUSES_KEYS_MESSAGE_MAX], *sent, out[MUSES_KEYS_PAYLOAD_MAX];
	const char *text = payload_of(m, number);
	size_t size = 0, out_size = 0;
	int err = from->ops->write(writer, (const uint8_t *)text, strlen(text), message,
	                           sizeof(message), &size);

	CU_ASSERT(size <= sizeof(message));
	if (err != 0)
		return err;
	m->size[number] = size;
	if (m->flip_message == number && m->flip)
		message[m->flip_bit / 8] ^= (uint8_t)(1u << m->flip_bit % 8);
	if (m->flip_message == number)
		size -= m->cut_bytes;
	sent = malloc(size > 0 ? size : 1);
	CU_ASSERT_PTR_NOT_NULL_FATAL(sent);
	memcpy(sent, message, size);
	err = to->ops->read(reader, sent, size, out, &out_size);
	free(sent);
	if (err != 0) {
		struct muses_shared shared;
		struct muses_id id;

		/* Whoever refused has no secret, no peer, and no second try. */
		CU_ASSERT(!to->ops->peer(reader, &id));
		CU_ASSERT_EQUAL(to->ops->finish(reader, &shared), MUSES_EUSAGE);
		if (err == MUSES_EAUTH)
			CU_ASSERT_EQUAL(to->ops->read(reader, message, m->size[number],
			                              out, &out_size),
			                MUSES_EUSAGE);
	}
	if (err == 0) {
		CU_ASSERT_EQUAL(out_size, strlen(text));
		CU_ASSERT(memcmp(out, text, out_size) == 0);
	}
	return err;
}

int ends_meet(struct meeting *m, struct end *a, struct end *b, const struct muses_id *id)
{
	static const uint8_t prologue[] = "everything clear in HELLO_A";
	uint8_t pattern = 0, messages = 0;
	int err;

	m->a = a;
	m->b = b;
	m->h[0] = m->h[1] = NULL;
	if (id == NULL)
		id = &b->id;
	err = a->ops->begin(&a->layer, MUSES_INITIATOR, id, &m->pattern, &m->messages,
	                    NULL, 0, &m->h[0]);
	CU_ASSERT_PTR_NULL(m->h[0]);
	if (err == 0)
		err = a->ops->begin(&a->layer, MUSES_INITIATOR, id, &pattern, &messages,
		                    prologue, sizeof(prologue), &m->h[0]);
	CU_ASSERT(err != 0 || (pattern == m->pattern && messages == m->messages));
	if (err == 0)
		err = b->ops->begin(&b->layer, MUSES_RESPONDER,
		                    b->ops->clear_source ? &a->id : NULL, &pattern,
		                    &messages, prologue, sizeof(prologue) - m->tampered,
		                    &m->h[1]);
	CU_ASSERT(err != 0 || messages == m->messages);
	for (unsigned number = 1; err == 0 && number <= m->messages; number++)
		err = pass(m, number);
	if (err == 0) {
		CU_ASSERT(a->ops->peer(m->h[0], &m->peer[0]));
		CU_ASSERT(b->ops->peer(m->h[1], &m->peer[1]));
		CU_ASSERT_EQUAL(a->ops->finish(m->h[0], &m->shared[0]), 0);
		CU_ASSERT_EQUAL(b->ops->finish(m->h[1], &m->shared[1]), 0);
		CU_ASSERT(memcmp(&m->shared[0], &m->shared[1], sizeof(m->shared[0])) ==
		          0);
	}
	a->ops->end(m->h[0]);
	b->ops->end(m->h[1]);
	return err;
}
