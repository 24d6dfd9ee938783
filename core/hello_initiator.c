/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The side that wants to talk: HELLO_A until somebody answers, the answer, and what
 * follows from it.  Nothing that is not authentic changes more than this one attempt.
 */
#include "core/handshake_int.h"

#define RESEND_MOST_NS  (8 * MUSES_S)
#define WAIT_MOST_NS    (300 * MUSES_S) /* Between fresh ones that nobody answers. */
#define CHALLENGES_MOST 3u

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

	core_handshake_payload(h->table, p);
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
	err = core_handshake_write(h, h->messages == 2 ? &p : NULL, message,
	                           &message_size);
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
	struct core_handshake *h = core_handshake_new(s->table, MUSES_INITIATOR);
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

void core_initiator_timer(struct core_handshake *h)
{
	struct core_session *s = h->session;
	uint64_t now = core_loop_now(h->table->env->loop);

	if (now >= h->began_ns + CORE_HELLO_FRESH_NS || h->keys == NULL) {
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
	err = core_handshake_write(h, &p, message, &size);
	if (err != 0)
		return err;
	muses_free(s->third);
	s->third = muses_zalloc(CORE_HELLO_MOST);
	if (s->third == NULL)
		return MUSES_ENOMEM;
	s->third_size = (uint16_t)core_finished_write(
		s->third, CORE_HELLO_MOST,
		core_partial_number(h->partial[MUSES_RESPONDER]), message, size);
	return s->third_size > 0 ? 0 : MUSES_ELIMIT;
}

void core_initiator_hello_b(struct core_handshake *h, const uint8_t *data, size_t size,
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
		core_handshake_count(h->table, "malformed HELLO_B");
		return;
	}
	err = core_handshake_read(h, keys, keys_size, payload, &payload_size);
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
		err = core_handshake_derive(h);
	if (err != 0) {
		/* This attempt is dead; the honest peer gets a fresh one. */
		core_handshake_count(h->table, "HELLO_B not authentic");
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
	core_handshake_install(h, s, s->keyed);
}

void core_initiator_retry(struct core_handshake *h, const uint8_t *data, size_t size)
{
	uint8_t secret[16];
	enum core_retry_kind kind;
	struct core_session *s = h->session;
	unsigned challenges = h->challenges;

	if (h->role != MUSES_INITIATOR || h->keys == NULL ||
	    !core_retry_read(data, size, &h->peer,
	                     core_hello_mac1(h->hello, h->hello_size), &kind, secret)) {
		core_handshake_count(h->table, "RETRY not authentic");
		return;
	}
	if (challenges >= CHALLENGES_MOST) {
		core_handshake_count(h->table, "too many RETRYs");
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
