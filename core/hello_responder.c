/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The side that is asked.  A stranger costs no state, and under load no public key
 * operation either; a Hello that is authentic may still be a replay, so nothing is
 * believed, delivered or replaced before FINISHED.
 */
#include "core/handshake_int.h"

#define HALF_OPEN_MOST  1024u
#define HALF_OPEN_NS    (15 * MUSES_S)
#define HURRY_NS        (2 * MUSES_S) /* Waiting longer than that can be cut short. */
#define HELLOS_A_SECOND 2000u         /* Above: cookies. */
#define COOKIE_NS       (120 * MUSES_S)
#define RECORDS_MOST    4096u

/* What we know of an authenticated peer's Hellos (two-message patterns). */
struct core_hello_record {
	struct core_hash_node node;
	struct muses_id peer;
	uint64_t time; /* Greatest seen; 0: none since we started. */
	uint8_t challenge[16];
};
static uint64_t key_of(const struct muses_id *id)
{
	return core_partial_number(id->bytes);
}

/* ---- load -------------------------------------------------------------------------- */

static void send_retry(struct core_sessions *table, const struct core_hello_a *a,
                       const uint8_t *hello, size_t size, const struct muses_id *to,
                       enum core_retry_kind kind, const uint8_t secret[static 16])
{
	uint8_t out[CORE_RETRY_BYTES], nonce[32];

	if (core_rand_bytes(table->env->rand, nonce, sizeof(nonce)) == 0 &&
	    core_retry_write(out, core_partial_number(a->partial), kind, &table->self,
	                     nonce, core_hello_mac1(hello, size), secret) == 0)
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
	core_handshake_count(table, "cookie asked for");
	cookie_for(table, 0, &met->source, a->partial, cookie);
	send_retry(table, a, hello, size, &met->source, CORE_RETRY_COOKIE, cookie);
	return false;
}

/* ---- is it new? ---------------------------------------------------------------------
 */

void core_responder_release(struct core_sessions *table)
{
	struct core_hash_node *n;
	size_t place = 0;

	while ((n = core_hash_next(&table->hello_records, &place, NULL)) != NULL) {
		core_hash_remove(&table->hello_records, n);
		muses_free(muses_container(n, struct core_hello_record, node));
		place = 0;
	}
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
			core_handshake_count(table, "wrong challenge");
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
	core_handshake_count(table, "challenged");
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
		core_handshake_payload(h->table, &p);
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
	err = core_handshake_write(h, &p, message, &size);
	if (err != 0)
		return err;
	h->hello = muses_zalloc(CORE_HELLO_MOST);
	if (h->hello == NULL)
		return MUSES_ENOMEM;
	h->hello_size =
		core_hello_b_write(h->hello, CORE_HELLO_MOST,
	                           core_partial_number(h->partial[MUSES_INITIATOR]),
	                           h->partial[MUSES_RESPONDER], message, size);
	return h->hello_size > 0 ? 0 : MUSES_ELIMIT;
}

/* An identical HELLO_A gets the identical answer. */
static bool answered_before(struct core_sessions *table, const struct core_hello_a *a,
                            const uint8_t digest[static 32], const struct muses_met *met)
{
	struct core_hash_node *n =
		core_hash_find(&table->half_open_from, core_partial_number(a->partial));

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
	       core_session_now(s) - s->established_ns < CORE_HELLO_FRESH_NS;
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
		core_handshake_count(table, "pattern or peer not accepted");
		return false;
	}
	if (core_handshake_read(h, a->keys, a->keys_size, payload, &payload_size) != 0) {
		core_handshake_count(table, "HELLO_A not authentic");
		return false;
	}
	h->peer_known = ops->peer(h->keys, &h->peer);
	if (h->messages == 2) {
		if (!h->peer_known || muses_id_equal(&h->peer, &table->self) ||
		    (a->has_source && !muses_id_equal(&h->peer, &a->source)) ||
		    !core_payload_read(&h->payload, payload, payload_size)) {
			core_handshake_count(table, "malformed HELLO_A");
			return false;
		}
		if (ours_wins(table, &h->peer)) {
			core_handshake_count(table, "crossing handshake");
			return false;
		}
		if (!hello_fresh(h, a, hello, size))
			return false;
	}
	h->met_mtu = met->mtu;
	h->suite = choose(table, a, &index);
	if (write_hello_b(h, a, index, met) != 0) {
		core_handshake_count(table, "could not answer HELLO_A");
		return false;
	}
	core_sessions_send(table, h->peer_known ? &h->peer : &met->source, h->hello,
	                   h->hello_size);
	if (h->suite == NULL) {
		core_handshake_count(table, "no suite in common");
		return false;
	}
	return h->messages == 3 || core_handshake_derive(h) == 0;
}

void core_responder_hello_a(struct core_sessions *table, const uint8_t *hello,
                            size_t size, const struct muses_met *met)
{
	struct core_hello_a a;
	struct core_handshake *h;
	uint8_t digest[32];
	size_t clear_size;

	if (!core_hello_a_read(&a, hello, size, &table->self, &clear_size)) {
		core_handshake_count(table, "malformed HELLO_A");
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
		core_handshake_count(table, "no version in common");
		return;
	}
	if (table->half_open >= HALF_OPEN_MOST) {
		core_handshake_count(table, "too many half-open handshakes");
		return;
	}
	h = core_handshake_new(table, MUSES_RESPONDER);
	if (h == NULL)
		return;
	memcpy(h->partial[MUSES_INITIATOR], a.partial, 8);
	memcpy(h->digest, digest, sizeof(digest));
	if (!core_hash_put(&table->half_open_from, &h->from,
	                   core_partial_number(a.partial)) ||
	    !respond(h, &a, hello, size, clear_size, met)) {
		core_handshake_free(h);
		return;
	}
	muses_timer_after(&h->timer, HALF_OPEN_NS);
}

void core_responder_third(struct core_handshake *h, const uint8_t *data, size_t size)
{
	struct core_sessions *table = h->table;
	uint8_t payload[MUSES_KEYS_PAYLOAD_MAX];
	const uint8_t *keys;
	size_t keys_size, payload_size;

	if (h->role != MUSES_RESPONDER || h->messages != 3 || h->keyed)
		return;
	if (!core_finished_read(data, size, &keys, &keys_size)) {
		core_handshake_count(table, "malformed FINISHED");
		return;
	}
	if (core_handshake_read(h, keys, keys_size, payload, &payload_size) != 0 ||
	    !table->keys_ops->peer(h->keys, &h->peer) ||
	    muses_id_equal(&h->peer, &table->self) ||
	    !core_payload_read(&h->payload, payload, payload_size) ||
	    core_handshake_derive(h) != 0) {
		core_handshake_count(table, "FINISHED not authentic");
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
		core_handshake_count(table, "wrong FINISHED");
		muses_buf_free(b);
		return true;
	}
	s = core_session_find(table, &h->peer);
	if (ours_wins(table, &h->peer)) {
		core_handshake_count(table, "crossing handshake");
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
	          muses_equal_secret(h->payload.resume, s->lineage, CORE_LINEAGE_SIZE);
	if (!core_handshake_install(h, s, goes_on)) {
		muses_buf_free(b);
		return true;
	}
	core_session_frames(s, s->traffic[0], b, p->sequence, met);
	core_session_wake(s);
	return true;
}
