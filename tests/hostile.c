/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/hostile.h"

#include "core/mem.h"

#include <muses/noise.h>

#include <tests/tap.h>

static uint64_t number_of(const uint8_t bytes[static 8])
{
	struct muses_reader r = muses_reader(bytes, 8);

	return muses_read_u64(&r);
}

static const struct muses_keys_ops *keys_of(const struct hostile *h)
{
	return core_keys_ops(h->node->pipeline);
}

void hostile_say(struct hostile *h, const uint8_t *data, size_t size)
{
	struct muses_buf *b = core_buf_new(h->node->env.pool, MUSES_HEADROOM, size);

	memcpy(muses_buf_append(b, size), data, size);
	(void)core_overlay_ops(h->node->pipeline)
		->send(h->node->pipeline->overlay, &h->victim->id, b);
}

/* ---- frames ------------------------------------------------------------------- */

struct muses_writer *hostile_begin(struct hostile *h)
{
	h->w = muses_writer(h->out, sizeof(h->out));
	return &h->w;
}

static void seal(struct hostile *h, const uint8_t *plain, size_t size)
{
	struct iovec iov = { (void *)(uintptr_t)plain, size };
	struct muses_buf *b = core_buf_new(h->node->env.pool, MUSES_HEADROOM, size + 100);
	uint64_t sequence;

	CU_ASSERT_EQUAL(core_traffic_seal(&h->traffic, number_of(h->partial[!h->role]),
	                                  &iov, 1, size, b, &sequence,
	                                  core_loop_now(h->bench->loop)),
	                0);
	(void)core_overlay_ops(h->node->pipeline)
		->send(h->node->pipeline->overlay, &h->victim->id, b);
}

void hostile_send(struct hostile *h)
{
	seal(h, h->out, muses_written(&h->w));
}

void hostile_send_wait(struct hostile *h)
{
	hostile_send(h);
	bench_run(h->bench, SECONDS(1));
}

void hostile_stream(struct hostile *h, uint64_t stream)
{
	core_frame_open(hostile_begin(h), stream, 0, 0, "s0");
	hostile_send_wait(h);
}

static void acknowledge(struct hostile *h)
{
	struct muses_ack_range range[MUSES_ACK_RANGES_MAX];
	struct muses_ack ack = { .range = range };
	uint8_t plain[CORE_ACK_MAX];
	struct muses_writer w = muses_writer(plain, sizeof(plain));

	for (; ack.count < h->received.count; ack.count++) {
		struct core_range r = core_ranges_at(&h->received, ack.count);

		range[ack.count] = (struct muses_ack_range){ r.first, r.last };
	}
	core_frame_ack(&w, &ack);
	seal(h, plain, muses_written(&w));
}

static void hear(struct hostile *h, const struct core_frame *f)
{
	struct hostile_heard *heard = &h->heard[f->type & 0x7f];

	heard->count++;
	heard->stream = f->stream;
	heard->value = f->type == CORE_FRAME_ACK ? f->range[0].last : f->value;
	heard->code = f->code;
	if (f->type == CORE_FRAME_FINISHED && f->code < 2 &&
	    muses_equal_secret(f->data, h->expected[f->code], 32)) {
		h->confirmed = true;
		h->flags = f->code;
	}
}

static void on_data(struct hostile *h, const struct core_packet *p, struct muses_buf *b)
{
	struct muses_reader r;
	struct core_frame f;
	bool counts = false;
	struct core_traffic *t = &h->traffic;

	if (h->before.suite != NULL && p->epoch >> 10 == (h->before.generation & 63))
		t = &h->before;
	if (!h->keyed || core_traffic_unseal(t, p, b, core_loop_now(h->bench->loop)) >
	                         CORE_OPENED_NEW_STEP)
		return;
	if (t != &h->traffic)
		return;
	core_ranges_add(&h->received, p->sequence, p->sequence);
	r = muses_reader(b->data, b->size);
	while (core_frame_read(&r, &f)) {
		hear(h, &f);
		counts = counts ||
		         (f.type != CORE_FRAME_ACK && f.type != CORE_FRAME_CLOSE);
	}
	CU_ASSERT_TRUE(muses_read_finished(&r));
	if (counts && !h->deaf)
		acknowledge(h);
}

/* ---- hello ---------------------------------------------------------------------- */

void hostile_hello(struct hostile *h, const uint8_t *echo)
{
	const struct muses_keys_ops *ops = keys_of(h);
	struct core_hello_a *a = &h->a;
	uint8_t prologue[CORE_PROLOGUE_SIZE], message[MUSES_KEYS_MESSAGE_MAX],
		payload[MUSES_KEYS_PAYLOAD_MAX], messages;
	size_t begin, size;

	ops->end(h->keys);
	h->role = MUSES_INITIATOR;
	CU_ASSERT_EQUAL(ops->begin(h->node->pipeline->keys, MUSES_INITIATOR,
	                           &h->victim->id, &a->pattern, &messages, NULL, 0,
	                           &h->keys),
	                0);
	CU_ASSERT_EQUAL(core_rand_bytes(h->bench->rand, h->partial[0], 8), 0);
	memcpy(a->partial, h->partial[0], 8);
	begin = core_hello_a_begin(a, h->hello, sizeof(h->hello));
	core_hello_prologue(h->hello, begin, prologue);
	CU_ASSERT_EQUAL(ops->begin(h->node->pipeline->keys, MUSES_INITIATOR,
	                           &h->victim->id, &a->pattern, &messages, prologue,
	                           sizeof(prologue), &h->keys),
	                0);
	h->first.present &= ~(1u << CORE_PAYLOAD_TIME | 1u << CORE_PAYLOAD_ECHO);
	if (echo != NULL) {
		h->first.present |= 1u << CORE_PAYLOAD_ECHO;
		memcpy(h->first.echo, echo, 16);
	} else {
		h->first.present |= 1u << CORE_PAYLOAD_TIME;
	}
	CU_ASSERT_EQUAL(
		ops->write(h->keys, payload,
	                   core_payload_write(&h->first, payload, sizeof(payload)),
	                   message, sizeof(message), &size),
		0);
	a->keys = message;
	a->keys_size = size;
	h->hello_size = core_hello_a_finish(a, h->hello, begin, sizeof(h->hello));
	CU_ASSERT_TRUE(h->hello_size > 0);
}

static void on_retry(struct hostile *h, const uint8_t *data, size_t size)
{
	enum core_retry_kind kind;
	uint8_t secret[16];

	if (!core_retry_read(data, size, &h->victim->id,
	                     core_hello_mac1(h->hello, h->hello_size), &kind, secret) ||
	    h->mute)
		return;
	if (kind == CORE_RETRY_CHALLENGE)
		hostile_hello(h, secret);
	else
		core_hello_set_mac2(h->hello, h->hello_size, secret);
	hostile_say(h, h->hello, h->hello_size);
}

/* Both messages are done: the keys, from offer and both partial ids. */
static void derive(struct hostile *h, const uint8_t *offer)
{
	const struct muses_suite *suite[CORE_OFFERS_MAX];
	const struct muses_id *ids[2] = { &h->node->id, &h->victim->id };
	uint8_t session_id[CORE_SESSID_SIZE], mac[3][32];
	struct muses_shared shared;
	struct core_root root;
	enum core_way mine =
		muses_id_compare(ids[0], ids[1]) < 0 ? CORE_FROM_LOWER : CORE_FROM_HIGHER;

	core_pipeline_suites(h->node->pipeline, suite, CORE_OFFERS_MAX);
	memcpy(session_id, h->partial[0], 8);
	memcpy(session_id + 8, h->partial[1], 8);
	CU_ASSERT_EQUAL(keys_of(h)->finish(h->keys, &shared), 0);
	core_schedule_root(&shared, suite[0]->id, session_id, ids[h->role], ids[!h->role],
	                   &root);
	core_schedule_finished(&root, MUSES_INITIATOR, shared.transcript, offer, 4, 0,
	                       mac[2]);
	for (uint8_t flags = 0; flags < 2; flags++)
		core_schedule_finished(&root, MUSES_RESPONDER, shared.transcript, offer,
		                       4, flags, mac[flags]);
	memcpy(h->finished, mac[h->role == MUSES_INITIATOR ? 2 : 0], 32);
	memcpy(h->expected[0], mac[h->role == MUSES_INITIATOR ? 0 : 2], 32);
	memcpy(h->expected[1], mac[h->role == MUSES_INITIATOR ? 1 : 2], 32);
	CU_ASSERT_EQUAL(core_traffic_open(&h->traffic, suite[0], 0, mine, root.traffic,
	                                  session_id, ids[0], ids[1]),
	                0);
	CU_ASSERT_EQUAL(core_resume_open(&h->resume, ids[0], ids[1], 0, root.resume), 0);
	h->keyed = true;
}

static void on_hello_b(struct hostile *h, const uint8_t *data, size_t size)
{
	uint8_t payload[MUSES_KEYS_PAYLOAD_MAX];
	struct core_payload p;
	const uint8_t *keys;
	size_t keys_size, payload_size;

	if (h->keys == NULL || h->keyed ||
	    !core_hello_b_read(data, size, h->partial[1], &keys, &keys_size) ||
	    keys_of(h)->read(h->keys, keys, keys_size, payload, &payload_size) != 0 ||
	    !core_payload_read(&p, payload, payload_size))
		return;
	h->refused = core_payload_has(&p, CORE_PAYLOAD_REFUSED);
	if (!core_payload_has(&p, CORE_PAYLOAD_CHOICE))
		return;
	derive(h, p.offer);
	if (h->unfinished)
		return;
	core_frame_finished(hostile_begin(h), 0, h->finished);
	hostile_send(h);
}

static void on_hello_a(struct hostile *h, const uint8_t *hello, size_t size)
{
	struct core_hello_a a;
	struct core_payload p = { 0 };
	uint8_t prologue[CORE_PROLOGUE_SIZE], message[MUSES_KEYS_MESSAGE_MAX],
		payload[MUSES_KEYS_PAYLOAD_MAX], messages, out[CORE_HELLO_MOST];
	struct muses_writer w = muses_writer(p.offer, sizeof(p.offer));
	size_t clear_size, payload_size;

	if (h->answer == NULL || h->keyed ||
	    !core_hello_a_read(&a, hello, size, &h->node->id, &clear_size))
		return;
	keys_of(h)->end(h->keys);
	core_hello_prologue(hello, clear_size, prologue);
	h->role = MUSES_RESPONDER;
	memcpy(h->partial[0], a.partial, 8);
	if (keys_of(h)->begin(h->node->pipeline->keys, MUSES_RESPONDER, &a.source,
	                      &a.pattern, &messages, prologue, sizeof(prologue),
	                      &h->keys) != 0 ||
	    keys_of(h)->read(h->keys, a.keys, a.keys_size, payload, &payload_size) != 0 ||
	    core_rand_bytes(h->bench->rand, h->partial[1], 8) != 0)
		return;
	p.present = 1u << CORE_PAYLOAD_CHOICE | 1u << CORE_PAYLOAD_PARTIAL;
	p.version = CORE_VERSION;
	memcpy(p.partial, h->partial[1], 8);
	muses_write_u16(&w, a.offer[0].suite);
	muses_write_u8(&w, a.offer[0].reliability);
	muses_write_u8(&w, a.offer[0].version);
	h->answer(&p);
	keys_of(h)->write(h->keys, payload,
	                  core_payload_write(&p, payload, sizeof(payload)), message,
	                  sizeof(message), &payload_size);
	size = core_hello_b_write(out, sizeof(out), number_of(h->partial[0]),
	                          h->partial[1], message, payload_size);
	hostile_say(h, out, size);
	derive(h, p.offer);
}

void hostile_mac1(const struct hostile *h, uint8_t *hello, size_t size)
{
	uint8_t key[32], mac[32];

	muses_sha256((struct muses_part[]){ { "mac1----", 8 },
	                                    { h->victim->id.bytes, MUSES_ID_SIZE } },
	             2, key);
	muses_hmac_sha256(key, 32,
	                  (struct muses_part[]){ { hello, size - 2 * CORE_MAC_SIZE } }, 1,
	                  mac);
	memcpy(hello + size - 2 * CORE_MAC_SIZE, mac, CORE_MAC_SIZE);
}

/* ---- Re-Hello -------------------------------------------------------------------------
 */

void hostile_rehello(struct hostile *h)
{
	struct core_locator here = { 0 };
	uint8_t na[CORE_NONCE_SIZE];

	CU_ASSERT_EQUAL(core_rand_bytes(h->bench->rand, na, sizeof(na)), 0);
	CU_ASSERT_EQUAL(
		core_resume_ask(&h->resume, number_of(h->partial[!h->role]), na, &here),
		0);
	hostile_say(h, h->resume.question, CORE_REHELLO_BYTES);
}

static void new_keys(struct hostile *h, uint32_t generation,
                     const struct core_resume_keys *keys)
{
	struct core_traffic fresh;

	CU_ASSERT_EQUAL(core_traffic_open(&fresh, h->traffic.suite, generation,
	                                  h->resume.mine_way, keys->traffic,
	                                  h->traffic.session_id, &h->node->id,
	                                  &h->victim->id),
	                0);
	core_traffic_release(&h->before);
	h->before = h->traffic;
	h->traffic = fresh;
	core_ranges_clear(&h->received);
}

static void on_rehello(struct hostile *h, const struct core_packet *p,
                       const uint8_t *data)
{
	struct core_resume_keys keys;
	struct core_locator here = { 0 }, there;
	uint8_t nb[CORE_NONCE_SIZE];

	if (p->type == CORE_PACKET_REHELLO_ACK) {
		if (core_resume_answered(&h->resume, p, data, p->length, &there, &keys) !=
		    CORE_RESUME_ADOPTED)
			return;
		h->adopted++;
		new_keys(h, h->resume.mine.number, &keys);
	} else if (h->resumes) {
		CU_ASSERT_EQUAL(core_rand_bytes(h->bench->rand, nb, sizeof(nb)), 0);
		switch (core_resume_asked(&h->resume, p, data, p->length,
		                          number_of(h->partial[!h->role]), nb, &here,
		                          &there, &keys)) {
		case CORE_RESUME_ANSWER:
			new_keys(h, h->resume.theirs.number, &keys);
			/* FALLTHROUGH */
		case CORE_RESUME_REPEAT:
			hostile_say(h, h->resume.answer, CORE_REHELLO_BYTES);
			break;
		default:
			break;
		}
	}
}

static void on_packet(void *owner, struct muses_buf *b, const struct muses_met *met)
{
	struct hostile *h = owner;
	struct core_packet p;
	const uint8_t *data = b->data + CORE_HEADER_BYTES;

	(void)met;
	CU_ASSERT_TRUE_FATAL(core_packet_get(&p, b->data, b->size));
	h->packets[p.type]++;
	h->bytes += b->size;
	if (p.type != CORE_PACKET_DATA) {
		memcpy(h->last, b->data, b->size);
		h->last_size = b->size;
	}
	if (p.type == CORE_PACKET_RETRY)
		on_retry(h, data, p.length);
	else if (p.type == CORE_PACKET_HELLO_A)
		on_hello_a(h, b->data, b->size);
	else if (p.type == CORE_PACKET_HELLO_B)
		on_hello_b(h, data, p.length);
	else if (p.type == CORE_PACKET_DATA)
		on_data(h, &p, b);
	else if (h->keyed)
		on_rehello(h, &p, data);
	muses_buf_free(b);
}

void hostile_open(struct hostile *h, struct bench *b, struct bench_node *node,
                  struct bench_node *victim)
{
	const struct muses_suite *suite[CORE_OFFERS_MAX];
	const struct muses_reliability_ops *ops = core_reliability_ops(node->pipeline);
	struct bench_end *end = &b->pair[0].acceptor;

	memset(h, 0, sizeof(*h));
	h->bench = b;
	h->node = node;
	h->victim = victim;
	core_sessions_close(node->sessions);
	node->sessions = NULL;
	node->up.owner = h;
	node->up.deliver = on_packet;
	node->up.path = NULL;
	node->up.writable = NULL;
	h->offer_count = core_pipeline_suites(node->pipeline, suite, CORE_OFFERS_MAX);
	h->a = (struct core_hello_a){ .destination = victim->id,
		                      .version_least = CORE_VERSION,
		                      .version_most = CORE_VERSION,
		                      .has_source = true,
		                      .source = node->id,
		                      .offer_count = (uint8_t)h->offer_count };
	for (size_t i = 0; i < h->offer_count; i++)
		h->a.offer[i] =
			(struct core_offer){ suite[i]->id, ops->wire_id, ops->version };
	h->first.present = 1u << CORE_PAYLOAD_NAME | 1u << CORE_PAYLOAD_LIMITS |
	                   1u << CORE_PAYLOAD_RESUME;
	strcpy(h->first.name, "mallory");
	h->first.stream_window = h->first.session_window = 1u << 20;
	CU_ASSERT_EQUAL(
		core_rand_bytes(b->rand, h->first.resume, sizeof(h->first.resume)), 0);
	h->first.time = core_loop_wall_clock(b->loop);
	*end = (struct bench_end){ .bench = b, .node = victim };
}

static void drop_keys(struct hostile *h)
{
	keys_of(h)->end(h->keys);
	h->keys = NULL;
	if (h->keyed)
		core_traffic_release(&h->traffic);
	core_traffic_release(&h->before);
	core_resume_release(&h->resume);
	core_ranges_clear(&h->received);
	h->keyed = h->confirmed = false;
}

void hostile_close(struct hostile *h)
{
	drop_keys(h);
}

bool hostile_connect(struct hostile *h)
{
	drop_keys(h);
	memset(h->heard, 0, sizeof(h->heard));
	h->first.time++;
	hostile_hello(h, NULL);
	/* The link comes up first. */
	bench_run(h->bench, SECONDS(1));
	hostile_say(h, h->hello, h->hello_size);
	bench_run(h->bench, SECONDS(1));
	return h->confirmed;
}

bool hostile_closed(const struct hostile *h, enum core_reason reason)
{
	return hostile_session(h) == NULL && h->heard[CORE_FRAME_CLOSE].count == 1 &&
	       h->heard[CORE_FRAME_CLOSE].code == reason;
}

struct core_session *hostile_session(const struct hostile *h)
{
	return core_session_find(h->victim->sessions, &h->node->id);
}

/* ---- on the wires ------------------------------------------------------------------ */

static void tap(void *user, const char *from, const char *to, const uint8_t *data,
                size_t size)
{
	struct meddler *m = user;
	struct core_packet p;
	enum meddling what = MEDDLE_PASS;
	size_t at, left;

	memcpy(m->whole, data, size);
	m->head = 0;
	for (at = 1; at + CORE_HEADER_BYTES <= size && at < 200 && m->head == 0; at++)
		if (core_packet_get(&p, data + at, size - at))
			m->head = at;
	if (m->head > 0) {
		left = size - m->head;
		what = m->meddle(m, from, to, &p, m->whole + m->head, &left);
		size = m->head + left;
	}
	for (int i = what == MEDDLE_DROP ? 2 : what == MEDDLE_TWICE ? 0 : 1; i < 2; i++)
		core_hub_inject(m->bench->hub, from, to, m->whole, size);
}

void meddler_open(struct meddler *m, struct bench *b, meddle_fn *meddle)
{
	static const struct core_hub_weather all_lost = { .delay_ns = MUSES_MS,
		                                          .loss = 1.0 };

	memset(m, 0, sizeof(*m));
	m->bench = b;
	m->meddle = meddle;
	/* Nothing passes but by our hand. */
	core_hub_set(b->hub, NULL, NULL, &all_lost);
	core_hub_tap(b->hub, tap, m);
}

void meddler_keep(struct meddler *m, const char *from, const char *to, size_t size)
{
	snprintf(m->kept_from, sizeof(m->kept_from), "%s", from);
	snprintf(m->kept_to, sizeof(m->kept_to), "%s", to);
	m->kept_size = m->head + size;
	memcpy(m->kept, m->whole, m->kept_size);
}

bool meddler_again(struct meddler *m)
{
	return core_hub_inject(m->bench->hub, m->kept_from, m->kept_to, m->kept,
	                       m->kept_size);
}
