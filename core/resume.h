/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_RESUME_H
#define CORE_RESUME_H

#include "core/packet.h"
#include "core/schedule.h"

#include <muses/overlay.h>

/*
 * Re-Hello: how two ends that share a resumption secret get wholly new traffic
 * keys in one round trip.  Pure: no clock, no packets sent, no traffic keys kept;
 * tests/t_core_resume.c walks through every order of events and every loss.
 *
 *   REHELLO      header { index, SeqNBR = RhNBR } | base u32 | Na 16 | sealed 29 + 16
 *   REHELLO_ACK  header { index, SeqNBR = RhNBR } | base u32 | Nb 16 | sealed 29 + 16
 *   sealed       locator size u8 | locator 24 | mtu u32 (the smallest the REHELLO met)
 *
 * Words.  A generation is one set of traffic keys and one resumption secret RS; it
 * has a number.  Generations made by the node with the lower id have even numbers,
 * those made by the other odd ones, always greater than their base: so two that
 * cross are told apart.  A generation is
 *
 * A KEYSTEP (core/keystep.c) makes a new RS in the same way, from fresh X25519 shares
 * instead of nonces, but goes on with the traffic keys there are: such a generation
 * is "stepped".  It never decides which traffic keys are current.
 *
 *   committed   its RS is surely known to both; attempts start from it
 *   mine        I asked, the answer came: the peer knows it
 *   theirs      the peer asked, I answered: I cannot know if the answer arrived
 *
 * mine becomes committed when the peer acknowledges a packet sent under it; theirs
 * when a packet under it arrives; both, when the peer bases an attempt on it.
 * Nothing is forgotten before, so that no loss can leave the two with different
 * secrets.  If both exist, the one of the node with the lower id wins.
 *
 * Why no (key, SeqNBR) pair can repeat: RS, Na and Nb make the keys; each side puts
 * in 128 fresh random bits for every attempt it begins or answers anew, and the
 * same bytes are never answered twice with new keys.
 */
#define CORE_REHELLO_PLAIN (1 + MUSES_LOCATOR_MAX + 4)
#define CORE_REHELLO_BYTES (CORE_HEADER_BYTES + 4 + CORE_NONCE_SIZE + CORE_REHELLO_PLAIN + 16)
_Static_assert(CORE_REHELLO_BYTES == 89, "doc/PROTOCOL says 89");

struct core_generation {
	bool present;
	bool stepped;     /* By KEYSTEP: traffic is that of an earlier number. */
	uint32_t number;
	uint32_t traffic; /* Number in the epoch of packets under its keys. */
	uint8_t resume[CORE_SECRET_SIZE];
};

struct core_resume {
	enum core_way mine_way;          /* CORE_FROM_LOWER: we have the lower id. */
	uint8_t idh[2][CORE_IDH_SIZE];   /* Sending, receiving. */
	struct core_generation committed;
	struct core_generation mine, theirs;
	uint32_t current;                /* The traffic keys to send under. */

	bool asking;                     /* An attempt of ours is out. */
	uint64_t asked;                  /* RhNBR of our last attempt. */
	uint32_t asked_base;
	uint8_t na[CORE_NONCE_SIZE];
	uint8_t question[CORE_REHELLO_BYTES]; /* Sent again as it stands. */

	uint64_t seen;                   /* Greatest RhNBR of the peer. */
	uint8_t seen_tag[16];            /* Tag of that REHELLO, to know it again ... */
	uint8_t answer[CORE_REHELLO_BYTES]; /* ... and get the same answer. */
};

/* What the owner has to do. */
enum core_resume_event {
	CORE_RESUME_IGNORE = 0,  /* Not authentic, old, or of no use; nothing changed. */
	CORE_RESUME_REPEAT,      /* asked(): send r->answer again. */
	CORE_RESUME_ANSWER,      /* asked(): send r->answer; keys are those of theirs. */
	CORE_RESUME_ADOPTED,     /* answered(): keys are those of mine. */
	CORE_RESUME_COUNTER,     /* asked() on a base that lost: begin an attempt now. */
	CORE_RESUME_COMMITTED,   /* evidence(): that generation is committed now. */
};

struct core_locator {
	uint8_t size;
	uint8_t bytes[MUSES_LOCATOR_MAX];
	uint32_t mtu;
};

/* A fresh session: generation number is committed with this secret. */
int core_resume_open(struct core_resume *r, const struct muses_id *self,
                     const struct muses_id *peer, uint32_t number,
                     const uint8_t secret[static CORE_SECRET_SIZE]);
void core_resume_release(struct core_resume *r); /* Cleanses. */

/* Begin an attempt (again: with a new RhNBR): r->question is to be sent to the
 * peer's index.  na: fresh random bytes.  0, MUSES_ECRYPTO. */
int core_resume_ask(struct core_resume *r, uint64_t index,
                    const uint8_t na[static CORE_NONCE_SIZE],
                    const struct core_locator *here);
/* A REHELLO came (p its header, data behind it).  nb: fresh random bytes, used only
 * for a new answer.  On ANSWER *keys is filled: traffic keys of r->theirs.number;
 * the caller cleanses it.  *there: where the peer says it is. */
enum core_resume_event core_resume_asked(struct core_resume *r, const struct core_packet *p,
                                         const uint8_t *data, size_t size, uint64_t index,
                                         const uint8_t nb[static CORE_NONCE_SIZE],
                                         const struct core_locator *here,
                                         struct core_locator *there,
                                         struct core_resume_keys *keys);
/* A REHELLO_ACK came.  On ADOPTED *keys is filled: those of r->mine.number. */
enum core_resume_event core_resume_answered(struct core_resume *r,
                                            const struct core_packet *p,
                                            const uint8_t *data, size_t size,
                                            struct core_locator *there,
                                            struct core_resume_keys *keys);
/* An authentic packet came under generation number, or (acked) the peer has
 * acknowledged one of ours that we sent under it. */
enum core_resume_event core_resume_evidence(struct core_resume *r, uint32_t number,
                                            bool acked);
/* May a KEYSTEP begin, or be answered: is nothing else under way? */
bool core_resume_steady(const struct core_resume *r);
/* The number that a KEYSTEP begun by way gives its RS. */
uint32_t core_resume_step_number(const struct core_resume *r, enum core_way way);
/* The KEYSTEP that way began has made this RS; both shares are known here. */
void core_resume_step(struct core_resume *r, enum core_way way,
                      const uint8_t secret[static CORE_SECRET_SIZE]);
/* A packet of the stepped keys came (way: the peer), or one of ours was acknowledged
 * (way: ours): the peer has that RS, too.  true: it is committed now. */
bool core_resume_stepped(struct core_resume *r, enum core_way way);
/* Stop asking: the path works under generation number already. */
void core_resume_stop(struct core_resume *r);
/* Could a packet under traffic keys of that number still matter? */
bool core_resume_alive(const struct core_resume *r, uint32_t number);
/* Is the current generation committed? */
static inline bool core_resume_settled(const struct core_resume *r)
{
	return r->current == r->committed.traffic;
}

#endif
