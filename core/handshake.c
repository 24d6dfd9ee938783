/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hello and Finished: from "I want to talk to that name" to keys.
 *
 *     hello_initiator.c                          hello_responder.c
 *     begins      ---- HELLO_A ---------------->  half-open, at most 1024 for 15 s
 *     installs    <--- HELLO_B -----------------
 *                 ---- (FINISHED: message 3) -->
 *                 ---- DATA { FINISHED } ------>  installs
 *                 <--- DATA { FINISHED } -------
 *
 * Until the initiator's FINISHED was good, the responder delivers nothing,
 * replaces nothing and believes nothing: message 1 may be a replay.
 */
#include "core/handshake_int.h"

/* ---- life ---------------------------------------------------------------------- */

static void on_timer(struct muses_timer *t)
{
	struct core_handshake *h = muses_container(t, struct core_handshake, timer);

	if (h->role == MUSES_INITIATOR) {
		core_initiator_timer(h);
		return;
	}
	core_handshake_count(h->table, "half-open handshake expired");
	core_handshake_free(h);
}

struct core_handshake *core_handshake_new(struct core_sessions *table,
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
	} while (core_hash_find(&table->by_index,
	                        core_partial_number(h->partial[role])) != NULL ||
	         core_hash_find(&table->handshakes,
	                        core_partial_number(h->partial[role])) != NULL ||
	         core_partial_number(h->partial[role]) == 0);
	if (!core_hash_put(&table->handshakes, &h->node,
	                   core_partial_number(h->partial[role])))
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
	core_responder_release(table);
}

int core_handshake_derive(struct core_handshake *h)
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

bool core_handshake_install(struct core_handshake *h, struct core_session *s,
                            bool goes_on)
{
	const struct core_payload *p = &h->payload;
	int err;

	s->suite = h->suite;
	s->role = h->role;
	s->peer_index = core_partial_number(h->partial[!h->role]);
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
	if (err != 0 ||
	    !core_session_set_index(s, core_partial_number(h->partial[h->role]))) {
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

int core_handshake_write(struct core_handshake *h, const struct core_payload *p,
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

int core_handshake_read(struct core_handshake *h, const uint8_t *message,
                        size_t message_size,
                        uint8_t payload[static MUSES_KEYS_PAYLOAD_MAX], size_t *size)
{
	int err;

	h->table->public_key_operations++;
	err = h->table->keys_ops->read(h->keys, message, message_size, payload, size);
	return err == 0 && *size > MUSES_KEYS_PAYLOAD_MAX ? MUSES_ELIMIT : err;
}

void core_handshake_payload(struct core_sessions *table, struct core_payload *p)
{
	p->present |= 1u << CORE_PAYLOAD_NAME | 1u << CORE_PAYLOAD_LIMITS;
	memcpy(p->name, table->name, sizeof(p->name));
	p->stream_window = table->config.stream_window;
	p->session_window = table->config.session_window;
	p->locator_size = core_sessions_locator(table, p->locator);
	if (p->locator_size > 0)
		p->present |= 1u << CORE_PAYLOAD_LOCATOR;
}

/* ---- packets --------------------------------------------------------------------- */

void core_hello_received(struct core_sessions *table, struct muses_buf *b,
                         const struct core_packet *p, const struct muses_met *met)
{
	const uint8_t *data = b->data + CORE_HEADER_BYTES;
	size_t size = b->size - CORE_HEADER_BYTES;
	struct core_hash_node *n;

	if (p->type == CORE_PACKET_HELLO_A) {
		core_responder_hello_a(table, b->data, b->size, met);
		return;
	}
	n = core_hash_find(&table->handshakes, p->index);
	if (n == NULL) {
		core_handshake_count(table, "answer to no Hello of ours");
		return;
	}
	switch (p->type) {
	case CORE_PACKET_HELLO_B:
		core_initiator_hello_b(muses_container(n, struct core_handshake, node),
		                       data, size, met);
		break;
	case CORE_PACKET_RETRY:
		core_initiator_retry(muses_container(n, struct core_handshake, node),
		                     data, size);
		break;
	default:
		core_responder_third(muses_container(n, struct core_handshake, node),
		                     data, size);
		break;
	}
}
