/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_HANDSHAKE_INT_H
#define CORE_HANDSHAKE_INT_H

#include "core/session_int.h"

/*
 * What the files of the handshake share:
 *
 *   handshake.c         the life of one, and what both sides do alike
 *   hello_initiator.c   HELLO_A out, HELLO_B and RETRY in
 *   hello_responder.c   HELLO_A in: is it new, is it meant, may it cost anything?
 */
#define CORE_HELLO_FRESH_NS (15 * MUSES_S) /* Then a new ephemeral key. */

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
static inline void core_handshake_count(struct core_sessions *table, const char *reason)
{
	core_count(table->env->stats, CORE_SESSIONS, reason);
}

static inline uint64_t core_partial_number(const uint8_t bytes[static 8])
{
	struct muses_reader r = muses_reader(bytes, 8);

	return muses_read_u64(&r);
}

/* ---- handshake.c ---- */
/* NULL: out of memory.  Freed by core_handshake_free(). */
struct core_handshake *core_handshake_new(struct core_sessions *table,
                                          enum muses_role role);
/* Everything both sides compute once the keys messages are done. */
int core_handshake_derive(struct core_handshake *h);
/* Make h's keys the session's.  h is freed.  false: out of memory, s is closed. */
bool core_handshake_install(struct core_handshake *h, struct core_session *s,
                            bool goes_on);
/* The next keys message, with payload p (NULL: none) inside; at most
 * MUSES_KEYS_MESSAGE_MAX bytes. */
int core_handshake_write(struct core_handshake *h, const struct core_payload *p,
                         uint8_t *message, size_t *size);
/* The peer's keys message; what is inside goes to payload, *size says how much. */
int core_handshake_read(struct core_handshake *h, const uint8_t *message,
                        size_t message_size,
                        uint8_t payload[static MUSES_KEYS_PAYLOAD_MAX], size_t *size);
/* What either side tells of itself. */
void core_handshake_payload(struct core_sessions *table, struct core_payload *p);

/* ---- hello_initiator.c ---- */
void core_initiator_timer(struct core_handshake *h);
void core_initiator_hello_b(struct core_handshake *h, const uint8_t *data, size_t size,
                            const struct muses_met *met);
void core_initiator_retry(struct core_handshake *h, const uint8_t *data, size_t size);

/* ---- hello_responder.c ---- */
void core_responder_hello_a(struct core_sessions *table, const uint8_t *hello, size_t size,
                            const struct muses_met *met);
void core_responder_third(struct core_handshake *h, const uint8_t *data, size_t size);
/* Forget what was known of peers' Hellos. */
void core_responder_release(struct core_sessions *table);

#endif
