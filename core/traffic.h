/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_TRAFFIC_H
#define CORE_TRAFFIC_H

#include "core/packet.h"
#include "core/replay.h"
#include "core/schedule.h"

/*
 * The traffic keys of one generation: both directions, their ratchet steps, the
 * packet numbers and the replay window.
 *
 * Order of receiving (security.md 5.3): length, index, generation and step, window
 * pre-check, open, and only then window, step and everything else.  A packet
 * that fails changes nothing but a counter.
 *
 * No (key, SeqNBR) pair is sealed twice: numbers only grow, a step never goes
 * back, and a generation is made from fresh randomness of both sides.
 */
struct core_traffic_half {
	void *context;                     /* Of the suite; NULL before the first use. */
	uint8_t secret[CORE_SECRET_SIZE];  /* TS of this step. */
	uint32_t step;
	bool stepped;                      /* This step was made with a KEYSTEP. */
	uint64_t packets, bytes;           /* Under this step's key. */
};

struct core_traffic {
	const struct muses_suite *suite;
	uint32_t generation;
	uint64_t sequence;                 /* Next number to send. */
	struct core_traffic_half send;
	struct core_traffic_half receive;
	void *late;                        /* Context of step - 1, for late packets ... */
	uint64_t late_until_ns;            /* ... until then. */
	uint64_t failed;                   /* Opens that failed in this generation. */
	uint64_t step_started_ns;          /* When the send key was first used. */
	bool step_confirmed;               /* The peer has acknowledged a packet of our step. */
	uint64_t step_first;               /* First number of our step. */
	uint8_t keystep[2][CORE_SECRET_SIZE]; /* Extra for the next step: sending, ... */
	bool keystep_due[2];                  /* ... receiving; and are they there? */
	struct core_replay replay;
	/* The additional data, all but the header, generation and step. */
	uint8_t session_id[CORE_SESSID_SIZE];
	uint8_t idh[2][CORE_IDH_SIZE];     /* Sending, receiving. */
};

/* How opening went. */
enum core_opened {
	CORE_OPENED = 0,
	CORE_OPENED_NEW_STEP, /* ... and the peer has begun its next step. */
	CORE_NOT_STEP,        /* Step neither current, next, nor late one at hand. */
	CORE_NOT_FRESH,
	CORE_NOT_AUTHENTIC,
};

/* Take over copies of secrets, by way; mine is the way we send.  0; MUSES_ENOMEM,
 * MUSES_ECRYPTO: t is released. */
int core_traffic_open(struct core_traffic *t, const struct muses_suite *suite,
                      uint32_t generation, enum core_way mine,
                      const uint8_t secret[2][CORE_SECRET_SIZE],
                      const uint8_t session_id[static CORE_SESSID_SIZE],
                      const struct muses_id *self, const struct muses_id *peer);
/* Cleanse and free what is inside. */
void core_traffic_release(struct core_traffic *t);

/* Put the header in front of and seal what iov gathers into b, which is empty
 * with room; sets *sequence to the number used.  0; MUSES_ECRYPTO, MUSES_ELIMIT
 * (the key's hard limit: ratchet first). */
int core_traffic_seal(struct core_traffic *t, uint64_t index, const struct iovec *iov,
                      size_t iov_count, size_t plain_size, struct muses_buf *b,
                      uint64_t *sequence, uint64_t now_ns);

/* b begins with the header p was read from; on success b is the plain text.
 * Whether it was fresh, too; the window is marked. */
enum core_opened core_traffic_unseal(struct core_traffic *t, const struct core_packet *p,
                                     struct muses_buf *b, uint64_t now_ns);

/* Should the sender start its next step?  Soft limits or age, and the current one
 * is confirmed. */
bool core_traffic_ripe(const struct core_traffic *t, uint64_t age_ns, uint64_t now_ns);
/* Start it.  0, MUSES_ENOMEM, MUSES_ECRYPTO (nothing changed). */
int core_traffic_ratchet(struct core_traffic *t, uint64_t now_ns);
/* The peer acknowledged number sequence; true: and so our current step. */
bool core_traffic_acknowledged(struct core_traffic *t, uint64_t sequence);
/* Drop the late context when its time is over; returns when it will be, or
 * UINT64_MAX. */
uint64_t core_traffic_expire(struct core_traffic *t, uint64_t now_ns);

#endif
