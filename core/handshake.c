/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hello and Finished: from "I want to talk to that name" to keys.
 *
 *     initiator                                  responder
 *     begin()       ---- HELLO_A ---->           on_hello_a(): half-open, at most
 *                                                HALF_OPEN_MOST of them for 15 s
 *     on_hello_b()  <--- HELLO_B -----
 *       installs    ---- (FINISHED: message 3) -> on_third()
 *                   ---- DATA { FINISHED } --->  core_handshake_data(): installs
 *                   <--- DATA { FINISHED } ----
 *
 * Until the initiator's FINISHED was good, the responder delivers nothing,
 * replaces nothing and believes nothing: message 1 may be a replay.
 */
#include "core/session_int.h"

#define HALF_OPEN_MOST  1024u
#define HALF_OPEN_NS    (15 * MUSES_S)
#define FRESH_NS        (15 * MUSES_S) /* Then a new ephemeral key. */
#define RESEND_MOST_NS  (8 * MUSES_S)
#define HURRY_NS        (2 * MUSES_S)   /* Waiting longer than that can be cut short. */
#define WAIT_MOST_NS    (300 * MUSES_S) /* Between fresh ones that nobody answers. */
#define HELLOS_A_SECOND 2000u           /* Above: cookies. */
#define COOKIE_NS       (120 * MUSES_S)
#define RECORDS_MOST    4096u
#define CHALLENGES_MOST 3u

struct core_handshake {
	struct core_hash_node node; /* key: our partial id */
	struct core_hash_node from; /* Responder: key: the peer's partial id */
	struct core_sessions *table;
	struct core_session *session; /* Initiator's; NULL as responder. */
	enum muses_role role;
	struct muses_id peer;
	bool peer_known;
	uint8_t pattern, messages;
	struct muses_handshake *keys;
	uint8_t partial[2][8]; /* By role. */
	uint8_t *hello;        /* HELLO_A as sent, or HELLO_B to send again. */
	size_t hello_size;
	uint8_t digest[32]; /* Responder: of the HELLO_A. */
	uint64_t began_ns, resend_ns;
	struct muses_timer timer;
	struct core_offer offer[CORE_OFFERS_MAX]; /* Initiator: what we offered. */
	size_t offer_count;
	uint8_t chosen[CORE_OFFER_SIZE];
	const struct muses_suite *suite;
	unsigned challenges;
	bool has_echo;
	uint8_t echo[16];
	uint32_t met_mtu;
	struct core_payload payload; /* The peer's. */
	/* When the keys are there. */
	bool keyed;
	struct core_traffic *traffic;
	uint8_t resume[CORE_SECRET_SIZE];
	uint8_t finished[2][32]; /* Responder's by flags; [0] of the initiator ... */
	uint8_t finished_initiator[32];
};

/* What we know of an authenticated peer's Hellos (two-message patterns). */
struct core_hello_record {
	struct core_hash_node node;
	struct muses_id peer;
	uint64_t time; /* Greatest seen; 0: none since we started. */
	uint8_t challenge[16];
};

static void count(struct core_sessions *table, const char *reason)
{
	core_count(table->env->stats, CORE_SESSIONS, reason);
}

static uint64_t number_of(const uint8_t bytes[static 8])
{
	struct muses_reader r = muses_reader(bytes, 8);

	return muses_read_u64(&r);
}

static uint64_t key_of(const struct muses_id *id)
{
	return number_of(id->bytes);
}

/* ---- life ---------------------------------------------------------------------- */

static void on_timer(struct muses_timer *t);

static struct core_handshake *handshake_new(struct core_sessions *table,
                                            enum muses_role role)
{
	struct core_handshake *h = muses_zalloc(sizeof(*h));

	if (h == NULL)
		return NULL;
	h->table = table;
	h->role = role;
	h->began_ns = core_loop_now(table->env->loop);
	core_timer_init(table->env->loop, &h->timer, on_timer);
	do {
		if (core_rand_bytes(table->env->rand, h->partial[role], 8) != 0)
			goto fail;
	} while (core_hash_find(&table->by_index, number_of(h->partial[role])) != NULL ||
	         core_hash_find(&table->handshakes, number_of(h->partial[role])) !=
	                 NULL ||
	         number_of(h->partial[role]) == 0);
	if (!core_hash_put(&table->handshakes, &h->node, number_of(h->partial[role])))
		goto fail;
	if (role == MUSES_RESPONDER)
		table->half_open++;
	return h;
fail:
	muses_free(h);
	return NULL;
}

void core_handshake_free(struct core_handshake *h)
{
	if (h == NULL)
		return;
	muses_timer_stop(&h->timer);
	core_hash_remove(&h->table->handshakes, &h->node);
	if (h->role == MUSES_RESPONDER) {
		core_hash_remove(&h->table->half_open_from, &h->from);
		h->table->half_open--;
	}
	if (h->session != NULL)
		h->session->handshake = NULL;
	h->table->keys_ops->end(h->keys);
	if (h->traffic != NULL)
		core_traffic_release(h->traffic);
	muses_free(h->traffic);
	muses_free(h->hello);
	muses_free_secret(h, sizeof(*h));
}

void core_handshake_cancel(struct core_session *s)
{
	core_handshake_free(s->handshake);
}

void core_handshakes_release(struct core_sessions *table)
{
	struct core_hash_node *n;
	size_t place = 0;

	while ((n = core_hash_next(&table->handshakes, &place, NULL)) != NULL) {
		core_handshake_free(muses_container(n, struct core_handshake, node));
		place = 0;
	}
	while ((n = core_hash_next(&table->hello_records, &place, NULL)) != NULL) {
		core_hash_remove(&table->hello_records, n);
		muses_free(muses_container(n, struct core_hello_record, node));
		place = 0;
	}
}

/* Everything both sides compute once the keys messages are done. */
static int derive(struct core_handshake *h)
{
	struct core_sessions *table = h->table;
	bool initiator = h->role == MUSES_INITIATOR;
	const struct muses_id *ids[2] = { initiator ? &table->self : &h->peer,
		                          initiator ? &h->peer : &table->self };
	uint8_t session_id[CORE_SESSID_SIZE];
	struct muses_shared shared = { 0 };
	struct core_root root = { 0 };
	enum core_way mine = muses_id_compare(&table->self, &h->peer) < 0
	                             ? CORE_FROM_LOWER
	                             : CORE_FROM_HIGHER;
	int err;

	memcpy(session_id, h->partial[MUSES_INITIATOR], 8);
	memcpy(session_id + 8, h->partial[MUSES_RESPONDER], 8);
	err = table->keys_ops->finish(h->keys, &shared);
	if (err == 0)
		err = core_schedule_root(&shared, h->suite->id, session_id, ids[0],
		                         ids[1], &root);
	if (err == 0)
		err = core_schedule_finished(&root, MUSES_INITIATOR, shared.transcript,
		                             h->chosen, sizeof(h->chosen), 0,
		                             h->finished_initiator);
	for (uint8_t flags = 0; err == 0 && flags <= CORE_FINISHED_GOES_ON; flags++)
		err = core_schedule_finished(&root, MUSES_RESPONDER, shared.transcript,
		                             h->chosen, sizeof(h->chosen), flags,
		                             h->finished[flags]);
	if (err == 0) {
		h->traffic = muses_zalloc(sizeof(*h->traffic));
		err = h->traffic == NULL
		              ? MUSES_ENOMEM
		              : core_traffic_open(h->traffic, h->suite, 0, mine,
		                                  root.traffic, session_id, &table->self,
		                                  &h->peer);
	}
	if (err == 0) {
		memcpy(h->resume, root.resume, sizeof(h->resume));
		h->keyed = true;
	}
	muses_cleanse(&shared, sizeof(shared));
	muses_cleanse(&root, sizeof(root));
	return err;
}

/* Make h's keys the session's.  h is freed. */
static bool install(struct core_handshake *h, struct core_session *s, bool goes_on)
{
	const struct core_payload *p = &h->payload;
	int err;

	s->suite = h->suite;
	s->role = h->role;
	s->peer_index = number_of(h->partial[!h->role]);
	memcpy(s->session_id, h->traffic->session_id, CORE_SESSID_SIZE);
	if (core_payload_has(p, CORE_PAYLOAD_NAME))
		memcpy(s->name, p->name, sizeof(s->name));
	if (h->role == MUSES_RESPONDER && core_payload_has(p, CORE_PAYLOAD_RESUME))
		memcpy(s->lineage, p->resume, sizeof(s->lineage));
	if (core_payload_has(p, CORE_PAYLOAD_LIMITS)) {
		s->peer_stream_window = p->stream_window;
		s->peer_session_window = p->session_window;
	}
	s->met_mtu = h->met_mtu;
	if (h->role == MUSES_INITIATOR) {
		s->finished_flags = 0;
		memcpy(s->finished, h->finished_initiator, 32);
		memcpy(s->expected, h->finished, sizeof(s->expected));
		s->confirmed = false;
		s->tentative = goes_on;
	} else {
		s->finished_flags = goes_on ? CORE_FINISHED_GOES_ON : 0;
		memcpy(s->finished, h->finished[s->finished_flags], 32);
		memset(s->expected, 0, sizeof(s->expected));
		memcpy(s->expected[0], h->finished_initiator, 32);
		s->confirmed = true;
		s->tentative = false;
	}
	err = core_session_install(s, h->resume, h->traffic, goes_on);
	if (err != 0 || !core_session_set_index(s, number_of(h->partial[h->role]))) {
		core_session_count(s, "no memory for a session");
		if (err == 0)
			h->traffic = NULL;
		core_handshake_free(h);
		core_session_close(s, CORE_REASON_UNREACHABLE);
		return false;
	}
	h->traffic = NULL;
	if (core_payload_has(p, CORE_PAYLOAD_MTU) && p->mtu >= 1200 && p->mtu < s->mtu)
		s->mtu = p->mtu;
	if (core_payload_has(p, CORE_PAYLOAD_LOCATOR) &&
	    h->table->overlay_ops->locator_hint)
		h->table->overlay_ops->locator_hint(h->table->pipeline->overlay, &s->peer,
		                                    p->locator, p->locator_size);
	core_handshake_free(h);
	return true;
}

/* The next keys message, with payload p (NULL: none) inside; at most
 * MUSES_KEYS_MESSAGE_MAX bytes. */
static int write_message(struct core_handshake *h, const struct core_payload *p,
                         uint8_t *message, size_t *size)
{
	uint8_t payload[MUSES_KEYS_PAYLOAD_MAX];
	size_t payload_size =
		p != NULL ? core_payload_write(p, payload, sizeof(payload)) : 0;
	int err;

	h->table->public_key_operations++;
	err = h->table->keys_ops->write(h->keys, payload, payload_size, message,
	                                MUSES_KEYS_MESSAGE_MAX, size);
	muses_cleanse(payload, sizeof(payload));
	return err == 0 && *size > MUSES_KEYS_MESSAGE_MAX ? MUSES_ELIMIT : err;
}

/* The peer's keys message; what is inside goes to payload, *size says how much. */
static int read_message(struct core_handshake *h, const uint8_t *message,
                        size_t message_size,
                        uint8_t payload[static MUSES_KEYS_PAYLOAD_MAX], size_t *size)
{
	int err;

	h->table->public_key_operations++;
	err = h->table->keys_ops->read(h->keys, message, message_size, payload, size);
	return err == 0 && *size > MUSES_KEYS_PAYLOAD_MAX ? MUSES_ELIMIT : err;
}

static void fill_payload(struct core_sessions *table, struct core_payload *p)
{
	p->present |= 1u << CORE_PAYLOAD_NAME | 1u << CORE_PAYLOAD_LIMITS;
	memcpy(p->name, table->name, sizeof(p->name));
	p->stream_window = table->config.stream_window;
	p->session_window = table->config.session_window;
	p->locator_size = core_sessions_locator(table, p->locator);
	if (p->locator_size > 0)
		p->present |= 1u << CORE_PAYLOAD_LOCATOR;
}

/* ---- initiator -------------------------------------------------------------------- */

/* Wall clock, but never twice the same nor back. */
static uint64_t hello_time(struct core_sessions *table)
{
	uint64_t now = core_loop_wall_clock(table->env->loop);

	if (now <= table->last_hello_time)
		now = table->last_hello_time + 1;
	table->last_hello_time = now;
	return now;
}

static void fill_initiator(struct core_handshake *h, struct core_payload *p)
{
	struct core_session *s = h->session;

	fill_payload(h->table, p);
	p->present |= 1u << CORE_PAYLOAD_RESUME;
	memcpy(p->resume, s->lineage, sizeof(p->resume));
}

static void list_offers(struct core_handshake *h)
{
	const struct muses_suite *suite[CORE_OFFERS_MAX];
	const struct muses_reliability_ops *ops = h->table->reliability_ops;

	h->offer_count = core_pipeline_suites(h->table->pipeline, suite, CORE_OFFERS_MAX);
	for (size_t i = 0; i < h->offer_count; i++)
		h->offer[i] =
			(struct core_offer){ suite[i]->id, ops->wire_id, ops->version };
}

static int write_hello_a(struct core_handshake *h)
{
	struct core_sessions *table = h->table;
	struct muses_layer *l = table->pipeline->keys;
	struct core_hello_a a = { .destination = h->peer,
		                  .version_least = CORE_VERSION,
		                  .version_most = CORE_VERSION,
		                  .has_source = table->keys_ops->clear_source,
		                  .source = table->self };
	struct core_payload p = { 0 };
	uint8_t prologue[CORE_PROLOGUE_SIZE], message[MUSES_KEYS_MESSAGE_MAX];
	size_t begin, message_size;
	int err;

	err = table->keys_ops->begin(l, MUSES_INITIATOR, &h->peer, &a.pattern,
	                             &h->messages, NULL, 0, &h->keys);
	if (err != 0)
		return err;
	h->pattern = a.pattern;
	list_offers(h);
	memcpy(a.partial, h->partial[MUSES_INITIATOR], 8);
	a.offer_count = (uint8_t)h->offer_count;
	memcpy(a.offer, h->offer, sizeof(a.offer));
	begin = core_hello_a_begin(&a, h->hello, CORE_HELLO_MOST);
	core_hello_prologue(h->hello, begin, prologue);
	err = table->keys_ops->begin(l, MUSES_INITIATOR, &h->peer, &a.pattern,
	                             &h->messages, prologue, sizeof(prologue), &h->keys);
	if (err != 0)
		return err;
	/* A three-message pattern has no secret yet: nothing of ours goes out. */
	if (h->messages == 2) {
		fill_initiator(h, &p);
		if (h->has_echo) {
			p.present |= 1u << CORE_PAYLOAD_ECHO;
			memcpy(p.echo, h->echo, sizeof(p.echo));
		} else {
			p.present |= 1u << CORE_PAYLOAD_TIME;
			p.time = hello_time(table);
		}
	}
	err = write_message(h, h->messages == 2 ? &p : NULL, message, &message_size);
	if (err != 0)
		return err;
	a.keys = message;
	a.keys_size = message_size;
	h->hello_size = core_hello_a_finish(&a, h->hello, begin, CORE_HELLO_MOST);
	return h->hello_size > 0 ? 0 : MUSES_ELIMIT;
}

static void send_hello(struct core_handshake *h)
{
	uint64_t wait = h->resend_ns;

	core_sessions_send(h->table, &h->peer, h->hello, h->hello_size);
	wait += core_rand_below(h->table->env->rand, wait / 5 + 1);
	muses_timer_after(&h->timer, wait);
	if (h->resend_ns < RESEND_MOST_NS)
		h->resend_ns *= 2;
}

static struct core_handshake *begin(struct core_session *s, const uint8_t *echo,
                                    unsigned challenges)
{
	struct core_handshake *h = handshake_new(s->table, MUSES_INITIATOR);
	int err = MUSES_ENOMEM;

	if (h == NULL)
		return NULL;
	h->session = s;
	s->handshake = h;
	h->peer = s->peer;
	h->peer_known = true;
	h->challenges = challenges;
	h->resend_ns = MUSES_S;
	if (echo != NULL) {
		h->has_echo = true;
		memcpy(h->echo, echo, sizeof(h->echo));
	}
	h->hello = muses_zalloc(CORE_HELLO_MOST);
	if (h->hello != NULL)
		err = write_hello_a(h);
	if (err != 0) {
		core_session_count(s, err == MUSES_EUNKNOWN
		                              ? "no keys for the peer"
		                              : "could not begin a handshake");
		core_handshake_free(h);
		if ((err == MUSES_EUNKNOWN || err == MUSES_EREFUSED) && !s->keyed)
			core_session_close(s, CORE_REASON_UNREACHABLE);
		return NULL;
	}
	send_hello(h);
	return h;
}

void core_handshake_begin(struct core_session *s)
{
	if (s->handshake == NULL && !s->closing)
		begin(s, NULL, 0);
}

void core_handshake_path_up(struct core_session *s)
{
	if (s->handshake == NULL)
		return;
	s->hello_wait_ns = 0;
	s->handshake->resend_ns = MUSES_S;
	s->handshake->began_ns = core_session_now(s);
	if (s->handshake->keys != NULL)
		send_hello(s->handshake);
}

static void on_timer(struct muses_timer *t)
{
	struct core_handshake *h = muses_container(t, struct core_handshake, timer);
	struct core_session *s = h->session;
	uint64_t now = core_loop_now(h->table->env->loop);

	if (h->role == MUSES_RESPONDER) {
		count(h->table, "half-open handshake expired");
		core_handshake_free(h);
	} else if (now >= h->began_ns + FRESH_NS || h->keys == NULL) {
		/* A session that lived is asked for by Re-Hello, which comes back to
		 * this. */
		bool again = !s->confirmed;
		uint64_t wait = s->hello_wait_ns;

		core_handshake_free(h);
		if (!again)
			return;
		h = begin(s, NULL, 0);
		s->hello_wait_ns =
			wait < WAIT_MOST_NS ? 2 * wait + MUSES_S : WAIT_MOST_NS;
		if (h != NULL && wait > h->resend_ns) {
			h->resend_ns = wait;
			h->began_ns = now + wait; /* Ages from its second sending on. */
			muses_timer_after(&h->timer, wait);
		}
	} else {
		send_hello(h);
	}
}

static bool choice_good(const struct core_handshake *h, const struct core_payload *p)
{
	struct muses_writer w;
	uint8_t offer[CORE_OFFER_SIZE];

	if (!core_payload_has(p, CORE_PAYLOAD_CHOICE) ||
	    !core_payload_has(p, CORE_PAYLOAD_PARTIAL) || p->version != CORE_VERSION ||
	    p->choice >= h->offer_count ||
	    memcmp(p->partial, h->partial[MUSES_RESPONDER], 8) != 0)
		return false;
	w = muses_writer(offer, sizeof(offer));
	muses_write_u16(&w, h->offer[p->choice].suite);
	muses_write_u8(&w, h->offer[p->choice].reliability);
	muses_write_u8(&w, h->offer[p->choice].version);
	return memcmp(offer, p->offer, sizeof(offer)) == 0;
}

/* Message 3 and its FINISHED packet, kept until the peer's FINISHED came. */
static int write_third(struct core_handshake *h)
{
	struct core_session *s = h->session;
	struct core_payload p = { 0 };
	uint8_t message[MUSES_KEYS_MESSAGE_MAX];
	size_t size;
	int err;

	fill_initiator(h, &p);
	p.present |= 1u << CORE_PAYLOAD_MTU;
	p.mtu = h->met_mtu;
	err = write_message(h, &p, message, &size);
	if (err != 0)
		return err;
	muses_free(s->third);
	s->third = muses_zalloc(CORE_HELLO_MOST);
	if (s->third == NULL)
		return MUSES_ENOMEM;
	s->third_size = (uint16_t)core_finished_write(
		s->third, CORE_HELLO_MOST, number_of(h->partial[MUSES_RESPONDER]),
		message, size);
	return s->third_size > 0 ? 0 : MUSES_ELIMIT;
}

static void on_hello_b(struct core_handshake *h, const uint8_t *data, size_t size,
                       const struct muses_met *met)
{
	struct core_session *s = h->session;
	uint8_t payload[MUSES_KEYS_PAYLOAD_MAX];
	const uint8_t *keys;
	size_t keys_size, payload_size;
	struct muses_id peer;
	int err;

	if (h->role != MUSES_INITIATOR || h->keys == NULL ||
	    !core_hello_b_read(data, size, h->partial[MUSES_RESPONDER], &keys,
	                       &keys_size)) {
		count(h->table, "malformed HELLO_B");
		return;
	}
	err = read_message(h, keys, keys_size, payload, &payload_size);
	if (err == 0 && (!h->table->keys_ops->peer(h->keys, &peer) ||
	                 !muses_id_equal(&peer, &h->peer)))
		err = MUSES_EAUTH;
	if (err == 0 && !core_payload_read(&h->payload, payload, payload_size))
		err = MUSES_EMALFORMED;
	muses_cleanse(payload, sizeof(payload));
	if (err == 0 && core_payload_has(&h->payload, CORE_PAYLOAD_REFUSED)) {
		core_session_count(s, "refused by the peer");
		core_handshake_free(h);
		core_session_close(s, CORE_REASON_UNREACHABLE);
		return;
	}
	if (err == 0 && !choice_good(h, &h->payload))
		err = MUSES_EAUTH;
	if (err == 0) {
		memcpy(h->chosen, h->payload.offer, sizeof(h->chosen));
		h->suite = core_pipeline_suite(h->table->pipeline,
		                               h->offer[h->payload.choice].suite);
		h->met_mtu = met->mtu;
		if (h->messages == 3)
			err = write_third(h);
	}
	if (err == 0)
		err = derive(h);
	if (err != 0) {
		/* This attempt is dead; the honest peer gets a fresh one. */
		count(h->table, "HELLO_B not authentic");
		muses_timer_after(&h->timer, MUSES_S);
		h->table->keys_ops->end(h->keys);
		h->keys = NULL;
		return;
	}
	if (h->messages == 3)
		core_sessions_send(h->table, &h->peer, s->third, s->third_size);
	/* We are sure of the peer; data may go at once, behind our FINISHED. */
	h->session = NULL;
	s->handshake = NULL;
	install(h, s, s->keyed);
}

static void on_retry(struct core_handshake *h, const uint8_t *data, size_t size)
{
	uint8_t secret[16];
	enum core_retry_kind kind;
	struct core_session *s = h->session;
	unsigned challenges = h->challenges;

	if (h->role != MUSES_INITIATOR || h->keys == NULL ||
	    !core_retry_read(data, size, &h->peer,
	                     core_hello_mac1(h->hello, h->hello_size), &kind, secret)) {
		count(h->table, "RETRY not authentic");
		return;
	}
	if (challenges >= CHALLENGES_MOST) {
		count(h->table, "too many RETRYs");
		return;
	}
	h->challenges++;
	if (kind == CORE_RETRY_COOKIE) {
		core_hello_set_mac2(h->hello, h->hello_size, secret);
		send_hello(h);
	} else {
		/* Another payload needs another ephemeral key and partial id. */
		core_handshake_free(h);
		begin(s, secret, challenges + 1);
	}
	muses_cleanse(secret, sizeof(secret));
}

/* ---- responder ----------------------------------------------------------------------
 */

static void send_retry(struct core_sessions *table, const struct core_hello_a *a,
                       const uint8_t *hello, size_t size, const struct muses_id *to,
                       enum core_retry_kind kind, const uint8_t secret[static 16])
{
	uint8_t out[CORE_RETRY_BYTES], nonce[32];

	if (core_rand_bytes(table->env->rand, nonce, sizeof(nonce)) == 0 &&
	    core_retry_write(out, number_of(a->partial), kind, &table->self, nonce,
	                     core_hello_mac1(hello, size), secret) == 0)
		core_sessions_send(table, to, out, sizeof(out));
}

static void cookie_for(const struct core_sessions *table, int which,
                       const struct muses_id *source, const uint8_t partial[static 8],
                       uint8_t cookie[static 16])
{
	uint8_t mac[32];

	if (muses_hmac_sha256(table->cookie_secret[which], 32,
	                      (struct muses_part[]){ { source->bytes, MUSES_ID_SIZE },
	                                             { partial, 8 } },
	                      2, mac) != 0)
		memset(mac, 0, sizeof(mac));
	memcpy(cookie, mac, 16);
}

/* Under load: did the sender show that it gets what we send there? */
static bool cookie_shown(struct core_sessions *table, const struct core_hello_a *a,
                         const uint8_t *hello, size_t size, const struct muses_met *met)
{
	uint64_t now = core_loop_now(table->env->loop);
	uint8_t cookie[16];

	if (now - table->hello_second_ns >= MUSES_S) {
		table->hello_second_ns = now;
		table->hello_second_count = 0;
	}
	if (++table->hello_second_count <= HELLOS_A_SECOND &&
	    table->half_open < HALF_OPEN_MOST / 2)
		return true;
	if (table->cookie_turned_ns == 0 || now - table->cookie_turned_ns >= COOKIE_NS) {
		memcpy(table->cookie_secret[1], table->cookie_secret[0], 32);
		if (core_rand_bytes(table->env->rand, table->cookie_secret[0], 32) != 0)
			return false;
		table->cookie_turned_ns = now;
	}
	for (int which = 0; which < 2; which++) {
		cookie_for(table, which, &met->source, a->partial, cookie);
		if (core_hello_check_mac2(hello, size, cookie))
			return true;
	}
	count(table, "cookie asked for");
	cookie_for(table, 0, &met->source, a->partial, cookie);
	send_retry(table, a, hello, size, &met->source, CORE_RETRY_COOKIE, cookie);
	return false;
}

static struct core_hello_record *record_of(struct core_sessions *table,
                                           const struct muses_id *peer)
{
	struct core_hash_node *n = core_hash_find(&table->hello_records, key_of(peer));
	struct core_hello_record *r;
	size_t place = 0;

	for (; n != NULL; n = core_hash_more(n)) {
		r = muses_container(n, struct core_hello_record, node);
		if (muses_id_equal(&r->peer, peer))
			return r;
	}
	if (table->hello_records.count >= RECORDS_MOST) {
		/* Whose record goes is challenged once more, no harm done. */
		n = core_hash_next(&table->hello_records, &place, NULL);
		core_hash_remove(&table->hello_records, n);
		muses_free(muses_container(n, struct core_hello_record, node));
	}
	r = muses_zalloc(sizeof(*r));
	if (r == NULL)
		return NULL;
	r->peer = *peer;
	if (core_rand_bytes(table->env->rand, r->challenge, 16) != 0 ||
	    !core_hash_put(&table->hello_records, &r->node, key_of(peer))) {
		muses_free(r);
		return NULL;
	}
	return r;
}

/* Message 1 is the peer's; is it new?  Else the peer is challenged. */
static bool hello_fresh(struct core_handshake *h, const struct core_hello_a *a,
                        const uint8_t *hello, size_t size)
{
	struct core_sessions *table = h->table;
	struct core_hello_record *r = record_of(table, &h->peer);

	if (r == NULL)
		return false;
	if (core_payload_has(&h->payload, CORE_PAYLOAD_ECHO)) {
		bool good = muses_equal_secret(h->payload.echo, r->challenge, 16);

		if (!good)
			count(table, "wrong challenge");
		else if (core_rand_bytes(table->env->rand, r->challenge, 16) != 0)
			return false;
		if (good && r->time == 0)
			r->time = 1;
		return good;
	}
	if (core_payload_has(&h->payload, CORE_PAYLOAD_TIME) && r->time != 0 &&
	    h->payload.time > r->time) {
		r->time = h->payload.time;
		return true;
	}
	count(table, "challenged");
	send_retry(table, a, hello, size, &h->peer, CORE_RETRY_CHALLENGE, r->challenge);
	return false;
}

/* Our preference among what the peer offers; NULL: nothing in common. */
static const struct muses_suite *choose(struct core_sessions *table,
                                        const struct core_hello_a *a, uint8_t *index)
{
	const struct muses_suite *suite[CORE_OFFERS_MAX];
	const struct muses_reliability_ops *ops = table->reliability_ops;
	size_t n = core_pipeline_suites(table->pipeline, suite, CORE_OFFERS_MAX);

	for (size_t i = 0; i < n; i++)
		for (uint8_t k = 0; k < a->offer_count; k++)
			if (a->offer[k].suite == suite[i]->id &&
			    a->offer[k].reliability == ops->wire_id &&
			    a->offer[k].version == ops->version) {
				*index = k;
				return suite[i];
			}
	return NULL;
}

static int write_hello_b(struct core_handshake *h, const struct core_hello_a *a,
                         uint8_t index, const struct muses_met *met)
{
	struct core_payload p = { 0 };
	struct muses_writer w = muses_writer(p.offer, sizeof(p.offer));
	uint8_t message[MUSES_KEYS_MESSAGE_MAX];
	size_t size;
	int err;

	if (h->suite == NULL) {
		p.present = 1u << CORE_PAYLOAD_REFUSED;
		p.refused = CORE_REASON_REFUSED;
	} else {
		fill_payload(h->table, &p);
		p.present |= 1u << CORE_PAYLOAD_CHOICE | 1u << CORE_PAYLOAD_PARTIAL |
		             1u << CORE_PAYLOAD_MTU;
		p.version = CORE_VERSION;
		p.choice = index;
		p.mtu = met->mtu;
		muses_write_u16(&w, a->offer[index].suite);
		muses_write_u8(&w, a->offer[index].reliability);
		muses_write_u8(&w, a->offer[index].version);
		memcpy(h->chosen, p.offer, sizeof(h->chosen));
		memcpy(p.partial, h->partial[MUSES_RESPONDER], 8);
	}
	err = write_message(h, &p, message, &size);
	if (err != 0)
		return err;
	h->hello = muses_zalloc(CORE_HELLO_MOST);
	if (h->hello == NULL)
		return MUSES_ENOMEM;
	h->hello_size = core_hello_b_write(h->hello, CORE_HELLO_MOST,
	                                   number_of(h->partial[MUSES_INITIATOR]),
	                                   h->partial[MUSES_RESPONDER], message, size);
	return h->hello_size > 0 ? 0 : MUSES_ELIMIT;
}

/* An identical HELLO_A gets the identical answer. */
static bool answered_before(struct core_sessions *table, const struct core_hello_a *a,
                            const uint8_t digest[static 32], const struct muses_met *met)
{
	struct core_hash_node *n =
		core_hash_find(&table->half_open_from, number_of(a->partial));

	for (; n != NULL; n = core_hash_more(n)) {
		struct core_handshake *h =
			muses_container(n, struct core_handshake, from);

		if (memcmp(h->digest, digest, 32) != 0)
			continue;
		core_sessions_send(table, h->peer_known ? &h->peer : &met->source,
		                   h->hello, h->hello_size);
		return true;
	}
	return false;
}

/* Of two handshakes that cross, that of the lower id survives (protocol.md 10.3).
 * Whose loses waits for ours, so ours does not wait any more. */
static bool ours_wins(struct core_sessions *table, const struct muses_id *peer)
{
	struct core_session *s = core_session_find(table, peer);

	if (s == NULL || muses_id_compare(&table->self, peer) > 0)
		return false;
	if (s->handshake != NULL) {
		if (s->handshake->timer.due_ns > core_session_now(s) + HURRY_NS)
			core_handshake_path_up(s);
		return true;
	}
	return s->role == MUSES_INITIATOR && s->keyed && !s->confirmed &&
	       core_session_now(s) - s->established_ns < FRESH_NS;
}

/* Read message 1, write message 2.  false: h is of no use. */
static bool respond(struct core_handshake *h, const struct core_hello_a *a,
                    const uint8_t *hello, size_t size, size_t clear_size,
                    const struct muses_met *met)
{
	struct core_sessions *table = h->table;
	const struct muses_keys_ops *ops = table->keys_ops;
	uint8_t prologue[CORE_PROLOGUE_SIZE], payload[MUSES_KEYS_PAYLOAD_MAX];
	uint8_t index = 0;
	size_t payload_size;

	core_hello_prologue(hello, clear_size, prologue);
	h->pattern = a->pattern;
	if (ops->begin(table->pipeline->keys, MUSES_RESPONDER,
	               a->has_source ? &a->source : NULL, &h->pattern, &h->messages,
	               prologue, sizeof(prologue), &h->keys) != 0) {
		count(table, "pattern or peer not accepted");
		return false;
	}
	if (read_message(h, a->keys, a->keys_size, payload, &payload_size) != 0) {
		count(table, "HELLO_A not authentic");
		return false;
	}
	h->peer_known = ops->peer(h->keys, &h->peer);
	if (h->messages == 2) {
		if (!h->peer_known || muses_id_equal(&h->peer, &table->self) ||
		    (a->has_source && !muses_id_equal(&h->peer, &a->source)) ||
		    !core_payload_read(&h->payload, payload, payload_size)) {
			count(table, "malformed HELLO_A");
			return false;
		}
		if (ours_wins(table, &h->peer)) {
			count(table, "crossing handshake");
			return false;
		}
		if (!hello_fresh(h, a, hello, size))
			return false;
	}
	h->met_mtu = met->mtu;
	h->suite = choose(table, a, &index);
	if (write_hello_b(h, a, index, met) != 0) {
		count(table, "could not answer HELLO_A");
		return false;
	}
	core_sessions_send(table, h->peer_known ? &h->peer : &met->source, h->hello,
	                   h->hello_size);
	if (h->suite == NULL) {
		count(table, "no suite in common");
		return false;
	}
	return h->messages == 3 || derive(h) == 0;
}

static void on_hello_a(struct core_sessions *table, const uint8_t *hello, size_t size,
                       const struct muses_met *met)
{
	struct core_hello_a a;
	struct core_handshake *h;
	uint8_t digest[32];
	size_t clear_size;

	if (!core_hello_a_read(&a, hello, size, &table->self, &clear_size)) {
		count(table, "malformed HELLO_A");
		return;
	}
	if (table->stopping || !cookie_shown(table, &a, hello, size, met))
		return;
	/* All but mac2, which a cookie may have changed. */
	if (muses_sha256((struct muses_part[]){ { hello, size - CORE_MAC_SIZE } }, 1,
	                 digest) != 0 ||
	    answered_before(table, &a, digest, met))
		return;
	if (a.version_least > CORE_VERSION || a.version_most < CORE_VERSION) {
		count(table, "no version in common");
		return;
	}
	if (table->half_open >= HALF_OPEN_MOST) {
		count(table, "too many half-open handshakes");
		return;
	}
	h = handshake_new(table, MUSES_RESPONDER);
	if (h == NULL)
		return;
	memcpy(h->partial[MUSES_INITIATOR], a.partial, 8);
	memcpy(h->digest, digest, sizeof(digest));
	if (!core_hash_put(&table->half_open_from, &h->from, number_of(a.partial)) ||
	    !respond(h, &a, hello, size, clear_size, met)) {
		core_handshake_free(h);
		return;
	}
	muses_timer_after(&h->timer, HALF_OPEN_NS);
}

static void on_third(struct core_handshake *h, const uint8_t *data, size_t size)
{
	struct core_sessions *table = h->table;
	uint8_t payload[MUSES_KEYS_PAYLOAD_MAX];
	const uint8_t *keys;
	size_t keys_size, payload_size;

	if (h->role != MUSES_RESPONDER || h->messages != 3 || h->keyed)
		return;
	if (!core_finished_read(data, size, &keys, &keys_size)) {
		count(table, "malformed FINISHED");
		return;
	}
	if (read_message(h, keys, keys_size, payload, &payload_size) != 0 ||
	    !table->keys_ops->peer(h->keys, &h->peer) ||
	    muses_id_equal(&h->peer, &table->self) ||
	    !core_payload_read(&h->payload, payload, payload_size) || derive(h) != 0) {
		count(table, "FINISHED not authentic");
		core_handshake_free(h);
		return;
	}
	h->peer_known = true;
}

bool core_handshake_data(struct core_sessions *table, struct muses_buf *b,
                         const struct core_packet *p, const struct muses_met *met)
{
	struct core_hash_node *n = core_hash_find(&table->handshakes, p->index);
	struct core_handshake *h;
	struct core_session *s;
	struct core_frame f;
	struct muses_reader r;
	bool goes_on;

	if (n == NULL)
		return false;
	h = muses_container(n, struct core_handshake, node);
	if (h->role != MUSES_RESPONDER || !h->keyed ||
	    core_traffic_unseal(h->traffic, p, b, core_loop_now(table->env->loop)) !=
	            CORE_OPENED)
		return false;
	r = muses_reader(b->data, b->size);
	if (!core_frame_read(&r, &f) || f.type != CORE_FRAME_FINISHED || f.code != 0 ||
	    !muses_equal_secret(f.data, h->finished_initiator, 32)) {
		count(table, "wrong FINISHED");
		muses_buf_free(b);
		return true;
	}
	s = core_session_find(table, &h->peer);
	if (ours_wins(table, &h->peer)) {
		count(table, "crossing handshake");
		core_handshake_free(h);
		muses_buf_free(b);
		return true;
	}
	if (s == NULL)
		s = core_session_new(table, &h->peer);
	if (s == NULL) {
		core_handshake_free(h);
		muses_buf_free(b);
		return true;
	}
	core_handshake_cancel(s);
	goes_on = s->keyed && core_payload_has(&h->payload, CORE_PAYLOAD_RESUME) &&
	          memcmp(h->payload.resume, s->lineage, CORE_LINEAGE_SIZE) == 0;
	if (!install(h, s, goes_on)) {
		muses_buf_free(b);
		return true;
	}
	core_session_frames(s, s->traffic[0], b, p->sequence, met);
	core_session_wake(s);
	return true;
}

void core_hello_received(struct core_sessions *table, struct muses_buf *b,
                         const struct core_packet *p, const struct muses_met *met)
{
	const uint8_t *data = b->data + CORE_HEADER_BYTES;
	size_t size = b->size - CORE_HEADER_BYTES;
	struct core_hash_node *n;

	if (p->type == CORE_PACKET_HELLO_A) {
		on_hello_a(table, b->data, b->size, met);
		return;
	}
	n = core_hash_find(&table->handshakes, p->index);
	if (n == NULL) {
		count(table, "answer to no Hello of ours");
		return;
	}
	switch (p->type) {
	case CORE_PACKET_HELLO_B:
		on_hello_b(muses_container(n, struct core_handshake, node), data, size,
		           met);
		break;
	case CORE_PACKET_RETRY:
		on_retry(muses_container(n, struct core_handshake, node), data, size);
		break;
	default:
		on_third(muses_container(n, struct core_handshake, node), data, size);
		break;
	}
}
