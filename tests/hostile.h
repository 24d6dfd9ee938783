/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_HOSTILE_H
#define TESTS_HOSTILE_H

#include "core/frame.h"
#include "core/hello.h"
#include "core/ranges.h"
#include "core/resume.h"
#include "core/traffic.h"

#include <tests/bench.h>

/*
 * A peer written by hand, in the place of a bench node: it has real keys, real links
 * and a real overlay, but says what the test wants it to say.  What it hears, it
 * counts.
 *
 *   hostile_open(&h, &b, &b.node[1], &b.node[0]);
 *   hostile_connect(&h);
 *   core_frame_window(hostile_begin(&h), 7, 1000);
 *   hostile_send(&h);
 */
struct hostile_heard {
	unsigned count;
	uint64_t stream, value; /* Of the last one. */
	uint8_t code;
};

struct hostile {
	struct bench *bench;
	struct bench_node *node, *victim;
	struct muses_handshake *keys;
	struct core_hello_a a;      /* The next HELLO_A; a test may change it. */
	struct core_payload first;  /* ... and what is sealed in it. */
	uint8_t hello[CORE_HELLO_MOST];
	size_t hello_size;
	struct core_offer offer[CORE_OFFERS_MAX];
	size_t offer_count;
	uint8_t partial[2][8];      /* By role. */
	enum muses_role role;
	/* Not NULL: answers HELLO_A, with what this makes of the honest payload. */
	void (*answer)(struct core_payload *p);
	bool mute;                  /* Answers no RETRY. */
	bool unfinished;            /* Never says FINISHED. */
	bool deaf;                  /* Acknowledges nothing. */
	bool keyed, confirmed, refused;
	uint8_t finished[32], expected[2][32], flags;
	struct core_traffic traffic;
	struct core_traffic before;     /* Of the generation before; or released. */
	struct core_resume resume;
	bool resumes;                   /* Answers Re-Hellos. */
	unsigned adopted;               /* Answers that were good. */
	struct core_ranges received;
	unsigned packets[8];        /* By type. */
	struct hostile_heard heard[0x80]; /* By type of frame. */
	uint64_t bytes;             /* Of all packets that came. */
	uint8_t last[MUSES_PACKET_MAX]; /* The last packet that was no DATA. */
	size_t last_size;
	uint8_t out[MUSES_PACKET_MAX];
	struct muses_writer w;
};

/* Takes node's place; its sessions are gone. */
void hostile_open(struct hostile *h, struct bench *b, struct bench_node *node,
                  struct bench_node *victim);
void hostile_close(struct hostile *h);
/* Make a HELLO_A, from h->a and h->first, with new keys; h->hello holds it. */
void hostile_hello(struct hostile *h, const uint8_t *echo);
/* HELLO, and all that belongs to it, until the victim's FINISHED was good. */
bool hostile_connect(struct hostile *h);
/* Raw bytes to the victim. */
void hostile_say(struct hostile *h, const uint8_t *data, size_t size);
/* Frames for the next packet; and seal and send it. */
struct muses_writer *hostile_begin(struct hostile *h);
void hostile_send(struct hostile *h);
/* hostile_send(), then a second passes. */
void hostile_send_wait(struct hostile *h);
/* Ask with a new REHELLO; h->resume.question holds it.  The answer, when it comes, is
 * adopted, and what follows is sealed with the new keys. */
void hostile_rehello(struct hostile *h);
/* mac1 anew, for who changed a HELLO_A: its key is no secret. */
void hostile_mac1(const struct hostile *h, uint8_t *hello, size_t size);
/* OPEN of stream, for service "s0". */
void hostile_stream(struct hostile *h, uint64_t stream);
/* Did the victim close the session, and say so? */
bool hostile_closed(const struct hostile *h, enum core_reason reason);
/* The victim's session with us, or NULL. */
struct core_session *hostile_session(const struct hostile *h);

/*
 * Someone on the wires: sees every packet of sessions, and says what becomes of it.
 * Other frames of links pass.
 */
struct meddler;
enum meddling { MEDDLE_PASS = 0, MEDDLE_DROP, MEDDLE_TWICE };
/* data is the packet from its persistent header on, and may be changed; the same
 * packet is seen once on each wire. */
typedef enum meddling meddle_fn(struct meddler *m, const char *from, const char *to,
                                struct core_packet *p, uint8_t *data, size_t *size);
struct meddler {
	struct bench *bench;
	meddle_fn *meddle;
	uint8_t whole[MUSES_PACKET_MAX + 512];
	size_t head;                /* Bytes of link and routing headers in whole. */
	/* The test's own. */
	unsigned seen, at, bit;
	uint8_t type;
	bool done;
	uint8_t kept[MUSES_PACKET_MAX + 512];
	size_t kept_size;
	char kept_from[16], kept_to[16];
};
void meddler_open(struct meddler *m, struct bench *b, meddle_fn *meddle);
/* Keep the packet at hand, to say again later. */
void meddler_keep(struct meddler *m, const char *from, const char *to, size_t size);
bool meddler_again(struct meddler *m);

#endif
