/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench.h"

#include "core/mem.h"
#include "core/packet.h"

#include <muses/identity.h>
#include <muses/noise.h>

#include <tests/tap.h>

#include <stdio.h>
#include <stdlib.h>

/* ---- the ledger ---------------------------------------------------------------- */

/*
 * A security plugin that is aes_gcm with a witness: it knows each key, and sees
 * whether a number is ever sealed twice under it, by whatever context.
 */
#define LEDGER_BUCKETS 16384u

struct entry {
	struct entry *next;
	uint64_t key, sequence;
};

struct bench_ledger {
	struct entry *bucket[LEDGER_BUCKETS];
};

struct witness {
	void *inner;
	uint64_t key;
};

static struct bench *watched;      /* The bench whose history runs. */
static struct core_loader *loader; /* One for all nodes and histories. */
static const struct muses_suite *gcm;
static struct muses_suite witness_suite;

static bool ledger_add(struct bench_ledger *l, uint64_t key, uint64_t sequence)
{
	size_t at = (size_t)((key ^ sequence * 31) % LEDGER_BUCKETS);
	struct entry *e;

	for (e = l->bucket[at]; e != NULL; e = e->next)
		if (e->key == key && e->sequence == sequence)
			return false;
	e = malloc(sizeof(*e));
	*e = (struct entry){ l->bucket[at], key, sequence };
	l->bucket[at] = e;
	return true;
}

static void ledger_free(struct bench_ledger *l)
{
	for (size_t i = 0; i < LEDGER_BUCKETS; i++) {
		struct entry *e;

		while ((e = l->bucket[i]) != NULL) {
			l->bucket[i] = e->next;
			free(e);
		}
	}
	free(l);
}

static void *witness_key_open(const struct muses_suite *suite,
                              enum muses_direction direction,
                              const struct muses_key_material *material)
{
	struct witness *w = muses_zalloc(sizeof(*w));
	uint8_t hash[32];

	(void)suite;
	if (w == NULL)
		return NULL;
	w->inner = gcm->key_open(gcm, direction, material);
	if (w->inner == NULL ||
	    muses_sha256(
		    (struct muses_part[]){ { material->key, 32 }, { material->iv, 12 } },
		    2, hash) != 0) {
		gcm->key_close(w->inner);
		muses_free(w);
		return NULL;
	}
	memcpy(&w->key, hash, sizeof(w->key));
	return w;
}

static int witness_seal(void *context, uint64_t seq, const uint8_t *aad, size_t aad_size,
                        const struct iovec *iov, size_t iov_count, uint8_t *out,
                        size_t *sealed_size)
{
	struct witness *w = context;

	if (watched != NULL && !ledger_add(watched->ledger, w->key, seq))
		watched->sealed_twice++;
	return gcm->seal(w->inner, seq, aad, aad_size, iov, iov_count, out, sealed_size);
}

static int witness_open(void *context, uint64_t seq, const uint8_t *aad, size_t aad_size,
                        uint8_t *data, size_t size, size_t *plain_size)
{
	struct witness *w = context;

	return gcm->open(w->inner, seq, aad, aad_size, data, size, plain_size);
}

static void witness_key_close(void *context)
{
	struct witness *w = context;

	if (w == NULL)
		return;
	gcm->key_close(w->inner);
	muses_free(w);
}

static bool witness_offers(struct muses_layer *l, size_t index)
{
	(void)l;
	return index == 0;
}

static const struct muses_security_ops witness_ops = { .suite = &witness_suite,
	                                               .suite_count = 1,
	                                               .offers = witness_offers };
static int witness_layer_open(struct muses_layer *l, const void *config)
{
	(void)l;
	(void)config;
	return 0;
}

static const struct muses_plugin witness = {
	MUSES_STAMP,
	.name = "witness",
	.summary = "aes_gcm that sees whether a number is sealed twice",
	.kind = MUSES_SECURITY,
	MUSES_OPS(witness_ops),
	.open = witness_layer_open,
};

/* The real suite comes from the real plugin, loaded once. */
static void witness_prepare(void)
{
	const struct muses_plugin *plugin;
	const struct muses_security_ops *ops;
	char why[256];

	if (loader != NULL)
		return;
	loader = core_loader_open();
	plugin = core_loader_find(loader, "aes_gcm", MUSES_SECURITY, why, sizeof(why));
	if (plugin == NULL) {
		tap_note("%s", why);
		CU_FAIL_FATAL("no aes_gcm");
		return;
	}
	ops = core_loader_ops(loader, plugin);
	for (size_t i = 0; i < ops->suite_count; i++)
		if (ops->suite[i].key_size == 32)
			gcm = &ops->suite[i];
	witness_suite = *gcm;
	witness_suite.name = "witness";
	witness_suite.key_open = witness_key_open;
	witness_suite.seal = witness_seal;
	witness_suite.open = witness_open;
	witness_suite.key_close = witness_key_close;
	core_loader_add(loader, &witness);
}

/* ---- packets on the wires --------------------------------------------------------- */

#define CAPTURES 32

struct bench_capture {
	size_t count;
	struct {
		char from[16], to[16];
		size_t size;
		uint8_t *data;
	} packet[CAPTURES];
};

/* Link frame: type, then the routing header, then the persistent one. */
#define LINK_TYPE_DATA 0
static size_t rh_size(const uint8_t *data, size_t size)
{
	struct core_packet p;

	/* The header is found, not computed: the bench does not know the overlay. */
	for (size_t at = 1; at + CORE_HEADER_BYTES <= size && at < 200; at++)
		if (core_packet_get(&p, data + at, size - at))
			return at;
	return 0;
}

static bool ends_session(const struct bench *b, const char *name)
{
	return strcmp(name, b->node[0].name) == 0 || strcmp(name, b->node[1].name) == 0;
}

static void capture(struct bench *b, const char *from, const char *to,
                    const uint8_t *data, size_t size)
{
	struct bench_capture *c = b->captured;
	size_t at =
		c->count < CAPTURES ? c->count : core_rand_below(b->rand, CAPTURES * 4);

	if (at >= CAPTURES)
		return;
	if (c->count < CAPTURES)
		c->count++;
	snprintf(c->packet[at].from, sizeof(c->packet[at].from), "%s", from);
	snprintf(c->packet[at].to, sizeof(c->packet[at].to), "%s", to);
	free(c->packet[at].data);
	c->packet[at].data = malloc(size);
	memcpy(c->packet[at].data, data, size);
	c->packet[at].size = size;
}

static void tap(void *user, const char *from, const char *to, const uint8_t *data,
                size_t size)
{
	struct bench *b = user;
	struct core_packet p;
	size_t at;

	if (size < 2)
		return;
	at = rh_size(data, size);
	if (at == 0)
		return;
	core_packet_get(&p, data + at, size - at);
	capture(b, from, to, data, size);
	/* Only the first hop: relays send the same packet again. */
	if (!ends_session(b, from))
		return;
	if (p.type == CORE_PACKET_DATA) {
		b->data_packets++;
	} else if (p.type == CORE_PACKET_REHELLO || p.type == CORE_PACKET_REHELLO_ACK) {
		b->rehello_packets++;
	} else {
		b->other_packets++;
	}
}

bool bench_replay(struct bench *b)
{
	struct bench_capture *c = b->captured;
	size_t at;

	if (c->count == 0)
		return false;
	at = core_rand_below(b->rand, c->count);
	return core_hub_inject(b->hub, c->packet[at].from, c->packet[at].to,
	                       c->packet[at].data, c->packet[at].size);
}

/* ---- applications ------------------------------------------------------------------ */

static uint8_t byte_at(unsigned number, bool back, uint64_t position)
{
	uint64_t x = position * UINT64_C(0x9e3779b97f4a7c15) + number * 2u + back;

	return (uint8_t)(x >> 56 ^ x >> 24);
}

static bool is_back(const struct bench_end *e)
{
	return e == &e->bench->pair[e->number].acceptor;
}

static void feed(struct bench_end *e)
{
	while (e->sent < e->to_send) {
		struct iovec iov[5];
		size_t count =
			core_stream_reserve(e->stream, iov, 5, e->to_send - e->sent);
		size_t size = 0;

		if (count == 0)
			return;
		for (size_t i = 0; i < count; i++)
			for (size_t k = 0; k < iov[i].iov_len; k++, size++)
				((uint8_t *)iov[i].iov_base)[k] =
					byte_at(e->number, is_back(e), e->sent + size);
		core_stream_commit(e->stream, size);
		e->sent += size;
	}
	if (!e->finished) {
		e->finished = true;
		core_stream_finish(e->stream);
	}
}

static void close_if_done(struct bench_end *e)
{
	if (e->stream == NULL || !e->ended || !e->finished || e->was_reset)
		return;
	core_stream_close(e->stream);
	e->stream = NULL;
}

static void drain(struct bench_end *e)
{
	struct iovec iov[8];
	size_t count;

	while (!e->paused && (count = core_stream_peek(e->stream, iov, 8)) > 0) {
		size_t taken = 0;

		for (size_t i = 0; i < count; i++) {
			const uint8_t *data = iov[i].iov_base;

			for (size_t k = 0; k < iov[i].iov_len; k++) {
				if (e->read_most > 0 && taken >= e->read_most)
					break;
				if (data[k] !=
				    byte_at(e->number, !is_back(e), e->received))
					e->wrong = true;
				e->received++;
				taken++;
			}
		}
		core_stream_consume(e->stream, taken);
	}
	if (core_stream_ended(e->stream)) {
		e->ended = true;
		close_if_done(e);
	}
}

static void on_readable(struct core_stream *s, void *data)
{
	(void)s;
	drain(data);
}

static void on_writable(struct core_stream *s, void *data)
{
	(void)s;
	feed(data);
	close_if_done(data);
}

static void on_reset(struct core_stream *s, void *data, enum core_reason reason)
{
	struct bench_end *e = data;

	e->was_reset = true;
	e->reason = reason;
	e->stream = NULL;
	core_stream_close(s);
}

static void on_suspended(struct core_stream *s, void *data, bool suspended)
{
	struct bench_end *e = data;

	(void)s;
	if (suspended)
		e->node->suspended++;
	else
		e->node->resumed++;
}

static const struct core_stream_user user = { on_readable, on_writable, on_reset,
	                                      on_suspended };

/* The service's name is the pair's number. */
static void on_accept(void *owner, struct core_stream *s, const char *service)
{
	struct bench_node *n = owner;
	struct bench *b = n->bench;
	struct bench_end *e =
		&b->pair[strtoul(service + 1, NULL, 10) % BENCH_STREAMS].acceptor;

	if (b->refuse != CORE_REASON_NONE) {
		core_stream_reject(s, b->refuse);
		return;
	}
	if (e->stream != NULL || e->received > 0 || e->ended)
		e->wrong = true; /* Opened twice. */
	e->stream = s;
	e->node = n;
	core_stream_accept(s, &user, e);
	feed(e);
}

struct bench_pair *bench_stream(struct bench *b, struct bench_node *from,
                                struct bench_node *to, uint64_t size, uint64_t size_back)
{
	struct core_session *s = core_session_get(from->sessions, &to->id);
	unsigned number = b->pairs++;
	struct bench_pair *p = &b->pair[number];
	char service[16];

	if (number >= BENCH_STREAMS || s == NULL)
		return NULL;
	snprintf(service, sizeof(service), "s%u", number);
	p->used = true;
	p->opener = (struct bench_end){ .bench = b,
		                        .node = from,
		                        .number = number,
		                        .to_send = size,
		                        .expected = size_back };
	p->acceptor = (struct bench_end){ .bench = b,
		                          .node = to,
		                          .number = number,
		                          .to_send = size_back,
		                          .expected = size };
	p->opener.stream =
		core_stream_open(s, service, (uint16_t)number, &user, &p->opener);
	if (p->opener.stream == NULL)
		return NULL;
	feed(&p->opener);
	return p;
}

static bool end_complete(const struct bench_end *e)
{
	return e->ended && e->received == e->expected && e->sent == e->to_send &&
	       !e->wrong && !e->was_reset;
}

bool bench_complete(const struct bench_pair *p)
{
	return end_complete(&p->opener) && end_complete(&p->acceptor);
}

bool bench_all_complete(const struct bench *b)
{
	for (unsigned i = 0; i < b->pairs; i++)
		if (!bench_complete(&b->pair[i]))
			return false;
	return true;
}

/* ---- nodes ---------------------------------------------------------------------------
 */

static void deliver(void *owner, struct muses_buf *b, const struct muses_met *met)
{
	struct bench_node *n = owner;

	if (n->sessions != NULL)
		core_sessions_deliver(n->sessions, b, met);
	else
		muses_buf_free(b);
}

static void path(void *owner, const struct muses_id *peer, enum muses_path event)
{
	struct bench_node *n = owner;

	if (n->sessions != NULL)
		core_sessions_path(n->sessions, peer, event);
}

static void writable(void *owner, const struct muses_id *peer)
{
	struct bench_node *n = owner;

	if (n->sessions != NULL)
		core_sessions_writable(n->sessions, peer);
}

static void hurry(void *owner, bool on)
{
	struct bench_node *n = owner;

	if (n->links != NULL)
		core_links_hurry(n->links, on);
}

void bench_open(struct bench *b, uint64_t seed)
{
	static const char psk[] =
		"{\"group\":\"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\"}";

	memset(b, 0, sizeof(*b));
	witness_prepare();
	watched = b;
	b->seed = seed;
	b->loop = core_loop_open(CORE_CLOCK_VIRTUAL);
	b->rand = core_rand_open(seed * 1000 + 1);
	b->hub = core_hub_open(b->loop, b->rand);
	b->ledger = calloc(1, sizeof(*b->ledger));
	b->captured = calloc(1, sizeof(*b->captured));
	b->config = core_sessions_defaults;
	b->config.stream_window = 64u << 10;
	b->config.session_window = 256u << 10;
	core_hub_tap(b->hub, tap, b);
	folder_open(&b->folder);
	folder_text(&b->folder, "psk.json", psk, 0600);
}

struct muses_suite *bench_suite(void)
{
	return &witness_suite;
}

void bench_use_noise(struct bench *b)
{
	static const char *const names[] = { "bob", "alice", "relay", "eve" };
	char peers[sizeof(names) / sizeof(names[0]) * MUSES_PEER_TEXT_MAX] = "";

	b->noise = true;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char text[MUSES_IDENTITY_TEXT_MAX], line[MUSES_PEER_TEXT_MAX], file[32];
		uint8_t seed[32], key[32];

		CU_ASSERT_EQUAL_FATAL(core_rand_bytes(b->rand, seed, sizeof(seed)), 0);
		CU_ASSERT_EQUAL_FATAL(muses_identity_text(seed, text), 0);
		snprintf(file, sizeof(file), "%s.key", names[i]);
		folder_text(&b->folder, file, text, 0600);
		CU_ASSERT_EQUAL_FATAL(muses_ed25519_public(seed, key), 0);
		muses_peer_text(names[i], key, line);
		strcat(peers, line);
	}
	folder_text(&b->folder, "peers", peers, 0600);
}

struct bench_node *bench_add(struct bench *b, const char *name, const char *dial,
                             const char *routes)
{
	struct bench_node *n = &b->node[b->count++];
	struct core_env env = { 0 };
	char own[100];

	n->bench = b;
	n->env = env;
	snprintf(n->name, sizeof(n->name), "%s", name);
	snprintf(own, sizeof(own),
	         "{\"plugin\":\"noise\",\"identity\":\"%s.key\",\"peers\":\"peers\"}",
	         name);
	n->config = core_format(
		"{\"keys\":%s,\"security\":[%s],\"reliability\":%s,"
		"\"overlay\":{\"plugin\":\"cloak_static\",\"routes\":%s},"
		"\"transport\":[{\"plugin\":\"memory\",\"listen\":[\"%s\"],\"dial\":%s}]"
		"}",
		b->noise          ? own
		: b->keys != NULL ? b->keys
				  : "{\"plugin\":\"psk\",\"file\":\"psk.json\"}",
		b->security != NULL ? b->security : "{\"plugin\":\"witness\"}",
		b->reliability != NULL ? b->reliability : "{\"plugin\":\"srm\"}", routes,
		name, dial);
	return n;
}

void bench_start(struct bench_node *n)
{
	struct bench *b = n->bench;
	struct core_sessions_config config = b->config;
	json_error_t error;
	json_t *object = json_loads(n->config, 0, &error);
	char why[512] = "";
	uint64_t life = b->seed * 100 + (uint64_t)(n - b->node) * 10 + 1 +
	                core_rand_below(b->rand, UINT32_MAX);
	int err;

	core_env_open(&n->env, b->loop, life);
	n->env.hub = b->hub;
	core_log_set_node(n->env.log, n->name);
	core_log_set_level(n->env.log, getenv("BENCH_DEBUG") ? MUSES_TRACE : MUSES_ERROR);
	watched = NULL; /* Known answers are sealed again and again. */
	err = core_pipeline_check(&n->pipeline, loader, object, n->bench->folder.path,
	                          why, sizeof(why));
	json_decref(object);
	watched = b;
	if (err != 0) {
		fprintf(stderr, "# %s: %s\n", n->name, why);
		CU_FAIL_FATAL("pipeline refused");
	}
	n->links = core_links_open(&n->env, n->pipeline, &core_links_defaults, &n->id);
	n->up = (struct core_layer_up){ n, deliver, path, writable, NULL };
	CU_ASSERT_EQUAL_FATAL(core_pipeline_open(n->pipeline, &n->env, n->links, &n->up,
	                                         &n->id, n->name),
	                      0);
	CU_ASSERT_EQUAL_FATAL(
		core_keys_ops(n->pipeline)->identity(n->pipeline->keys, &n->id), 0);
	config.owner = n;
	config.accept = on_accept;
	config.hurry = hurry;
	n->sessions = core_sessions_open(&n->env, n->pipeline, &config, &n->id, n->name);
	CU_ASSERT_EQUAL_FATAL(core_pipeline_start(n->pipeline), 0);
	core_links_start(n->links);
	n->running = true;
}

void bench_stop(struct bench_node *n)
{
	if (!n->running)
		return;
	for (unsigned i = 0; i < n->bench->pairs; i++) {
		struct bench_pair *p = &n->bench->pair[i];

		if (p->opener.node == n)
			p->opener.stream = NULL;
		if (p->acceptor.node == n)
			p->acceptor.stream = NULL;
	}
	core_sessions_close(n->sessions);
	n->sessions = NULL; /* Links still have news. */
	core_links_close(n->links);
	n->links = NULL;
	core_pipeline_stop(n->pipeline);
	core_pipeline_close(n->pipeline);
	n->lost_buffers += core_env_close(&n->env);
	n->running = false;
}

void bench_pair_of_nodes(struct bench *b)
{
	bench_add(b, "bob", "{\"alice\":\"alice\"}", "{}");
	bench_add(b, "alice", "{}", "{}");
	for (size_t i = 0; i < b->count; i++)
		bench_start(&b->node[i]);
}

void bench_with_relay(struct bench *b)
{
	bench_add(b, "bob", "{\"relay\":\"relay\"}", "{\"*\":\"relay\"}");
	bench_add(b, "alice", "{\"relay\":\"relay\"}", "{\"*\":\"relay\"}");
	bench_add(b, "relay", "{}", "{}");
	for (size_t i = 0; i < b->count; i++)
		bench_start(&b->node[i]);
}

void bench_run(struct bench *b, uint64_t span_ns)
{
	core_loop_advance(b->loop, span_ns);
}

bool bench_finish(struct bench *b, uint64_t span_ns)
{
	uint64_t until = core_loop_now(b->loop) + span_ns;

	while (!bench_all_complete(b) && core_loop_now(b->loop) < until)
		bench_run(b, 50 * MUSES_MS);
	if (!bench_all_complete(b))
		bench_dump(b);
	return bench_all_complete(b);
}

struct core_session *bench_session(struct bench_node *n, struct bench_node *peer)
{
	return core_session_find(n->sessions, &peer->id);
}

uint64_t bench_counted(const struct bench_node *n, const char *reason)
{
	return core_stats_get(n->env.stats, "session", reason);
}

void bench_dump(const struct bench *b)
{
	for (size_t i = 0; i < b->count; i++) {
		const struct bench_node *n = &b->node[i];
		json_t *all;
		char *text;

		if (!n->running)
			continue;
		all = json_pack("{s:s, s:o, s:o, s:o}", "node", n->name, "sessions",
		                core_sessions_info(n->sessions), "links",
		                core_links_info(n->links), "counters",
		                core_stats_json(n->env.stats));
		text = json_dumps(all, JSON_COMPACT);
		tap_note("%s", text);
		free(text);
		json_decref(all);
	}
	for (unsigned i = 0; i < b->pairs; i++)
		for (int k = 0; k < 2; k++) {
			const struct bench_end *e =
				k == 0 ? &b->pair[i].opener : &b->pair[i].acceptor;

			if (!end_complete(e))
				tap_note("pair %u %s: sent %llu/%llu received %llu/%llu "
				         "ended=%d wrong=%d reset=%d (%s)",
				         i, k == 0 ? "opener" : "acceptor",
				         (unsigned long long)e->sent,
				         (unsigned long long)e->to_send,
				         (unsigned long long)e->received,
				         (unsigned long long)e->expected, e->ended,
				         e->wrong, e->was_reset,
				         core_reason_text(e->reason));
		}
}

size_t bench_close(struct bench *b)
{
	size_t lost = 0;

	for (size_t i = 0; i < b->count; i++) {
		bench_stop(&b->node[i]);
		lost += b->node[i].lost_buffers;
		muses_free(b->node[i].config);
	}
	core_hub_close(b->hub);
	core_rand_close(b->rand);
	core_loop_close(b->loop);
	ledger_free(b->ledger);
	watched = NULL;
	for (size_t i = 0; i < b->captured->count; i++)
		free(b->captured->packet[i].data);
	free(b->captured);
	folder_close(&b->folder);
	return lost;
}
