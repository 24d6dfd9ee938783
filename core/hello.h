/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_HELLO_H
#define CORE_HELLO_H

#include "core/packet.h"
#include "core/schedule.h"

#include <muses/keys.h>
#include <muses/overlay.h>

/*
 * The Hello messages as bytes.  Pure: no session, no clock.
 *
 *   HELLO_A   header | DstID 32 | pSessID-a 8 | version least u8, most u8 | pattern u8
 *             | offers u8, each { suite u16, reliability u8, its version u8 }
 *             | extensions u16, each { type u8, size u8, bytes }
 *             | keys u16, keys message 1 | zeros up to 512 | mac1 16 | mac2 16
 *   HELLO_B   header | pSessID-b 8 | keys u16, keys message 2
 *   FINISHED  header | keys u16, keys message 3        (three-message patterns)
 *   RETRY     header | kind u8 | nonce 32 | sealed 16 + 16
 *
 * The prologue of the keys handshake is "MUSEs/1" || SHA-256(HELLO_A up to the end
 * of the extensions, with SeqNBR, epoch and length zero): who changes a version,
 * an offer or an extension breaks the first tag.
 */
#define CORE_OFFERS_MAX    8
#define CORE_MAC_SIZE      16
#define CORE_HELLO_LEAST   512 /* So that no answer is longer. */
#define CORE_HELLO_MOST    1400
#define CORE_PROLOGUE_SIZE (7 + 32)
#define CORE_OFFER_SIZE    4
/* Names a session over all its handshakes: random, drawn by who began the first. */
#define CORE_LINEAGE_SIZE  16

struct core_offer {
	uint16_t suite;
	uint8_t reliability;
	uint8_t version;
};

struct core_hello_a {
	struct muses_id destination;
	uint8_t partial[8]; /* pSessID-a */
	uint8_t version_least, version_most;
	uint8_t pattern;
	uint8_t offer_count;
	struct core_offer offer[CORE_OFFERS_MAX];
	bool has_source; /* Extension 1: our id, when the keys plugin wants it clear. */
	struct muses_id source;
	const uint8_t *keys; /* Message 1: what read() points into; what write() copies. */
	size_t keys_size;
};

/* What the core puts into the sealed payload of keys messages: TLVs. */
enum core_payload_type {
	CORE_PAYLOAD_TIME = 1,      /* u64: wall clock in ns, only growing */
	CORE_PAYLOAD_ECHO = 2,      /* 16: the challenge of a RETRY */
	CORE_PAYLOAD_NAME = 3,      /* the sender's own name */
	CORE_PAYLOAD_LIMITS = 4,    /* u32 stream window, u32 all streams' window */
	CORE_PAYLOAD_RESUME = 5,    /* 16: the session's lineage, see doc/PROTOCOL */
	CORE_PAYLOAD_LOCATOR = 6,   /* at most MUSES_LOCATOR_MAX */
	CORE_PAYLOAD_CHOICE = 7,    /* version u8, index u8, the offer's 4 bytes */
	CORE_PAYLOAD_PARTIAL = 8,   /* 8: pSessID-b again */
	CORE_PAYLOAD_MTU = 9,       /* u32: smallest MTU the peer's Hello met */
	CORE_PAYLOAD_KNOWN = 10,    /* not used: FINISHED tells whether the session goes on */
	CORE_PAYLOAD_REFUSED = 11,  /* u8: enum core_reason; instead of CHOICE */
};

struct core_payload {
	uint32_t present; /* Bit 1 << type. */
	uint64_t time;
	uint8_t echo[16];
	char name[MUSES_NAME_MAX + 1];
	uint32_t stream_window, session_window;
	uint8_t resume[CORE_LINEAGE_SIZE];
	uint8_t locator[MUSES_LOCATOR_MAX];
	uint8_t locator_size;
	uint8_t version, choice;
	uint8_t offer[CORE_OFFER_SIZE];
	uint8_t partial[8];
	uint32_t mtu;
	uint8_t refused;
};

static inline bool core_payload_has(const struct core_payload *p, enum core_payload_type type)
{
	return (p->present & (1u << type)) != 0;
}

/* Write those present; returns the size; 0 if room is too small. */
size_t core_payload_write(const struct core_payload *p, uint8_t *out, size_t room);
/* false: malformed, a type twice, or an unknown critical type (bit 7 clear). */
bool core_payload_read(struct core_payload *p, const uint8_t *data, size_t size);

/* The clear part, up to the end of the extensions; returns its size. */
size_t core_hello_a_begin(const struct core_hello_a *h, uint8_t *out, size_t room);
/* Append keys message 1, padding and mac1; mac2 zero.  begin is what _begin()
 * returned.  Returns the whole size, 0 if it does not fit. */
size_t core_hello_a_finish(const struct core_hello_a *h, uint8_t *out, size_t begin,
                           size_t room);
/* Read and check mac1 (keyed with our own id, which must be the destination).
 * *clear_size: where the clear part ends.  false: malformed. */
bool core_hello_a_read(struct core_hello_a *h, const uint8_t *data, size_t size,
                       const struct muses_id *self, size_t *clear_size);
void core_hello_prologue(const uint8_t *hello_a, size_t clear_size,
                         uint8_t prologue[static CORE_PROLOGUE_SIZE]);
/* mac2 over everything before it, under a cookie. */
void core_hello_set_mac2(uint8_t *hello_a, size_t size, const uint8_t cookie[static 16]);
bool core_hello_check_mac2(const uint8_t *hello_a, size_t size,
                           const uint8_t cookie[static 16]);

/* HELLO_B and FINISHED; partial NULL for FINISHED.  Return the size, 0: no room. */
size_t core_hello_b_write(uint8_t *out, size_t room, uint64_t index,
                          const uint8_t partial[8], const uint8_t *keys, size_t keys_size);
/* data begins behind the header. */
bool core_hello_b_read(const uint8_t *data, size_t size, uint8_t partial[8],
                       const uint8_t **keys, size_t *keys_size);
size_t core_finished_write(uint8_t *out, size_t room, uint64_t index, const uint8_t *keys,
                           size_t keys_size);
bool core_finished_read(const uint8_t *data, size_t size, const uint8_t **keys,
                        size_t *keys_size);

/* RETRY carries 16 secret bytes that only who saw the Hello can read. */
enum core_retry_kind { CORE_RETRY_COOKIE = 1, CORE_RETRY_CHALLENGE = 2 };
#define CORE_RETRY_BYTES (CORE_HEADER_BYTES + 1 + 32 + 16 + 16)
int core_retry_write(uint8_t out[static CORE_RETRY_BYTES], uint64_t index,
                     enum core_retry_kind kind, const struct muses_id *self,
                     const uint8_t nonce[static 32], const uint8_t mac1[static 16],
                     const uint8_t secret[static 16]);
bool core_retry_read(const uint8_t *data, size_t size, const struct muses_id *peer,
                     const uint8_t mac1[static 16], enum core_retry_kind *kind,
                     uint8_t secret[static 16]);
/* Where mac1 stands in a HELLO_A of size bytes. */
static inline const uint8_t *core_hello_mac1(const uint8_t *hello_a, size_t size)
{
	return hello_a + size - 2 * CORE_MAC_SIZE;
}

#endif
