/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_SCHEDULE_H
#define CORE_SCHEDULE_H

#include <muses/keys.h>
#include <muses/security.h>

/*
 * The key schedule: from the handshake's secret to traffic keys, and from the
 * resumption secret to the next ones.  Pure: bytes in, bytes out, nothing kept.
 * doc/PROTOCOL, "Keys", has the same lines as formulas.
 *
 *   Expand(s, label, context, n) =
 *       HKDF-Expand-SHA256(s, u16 n || u8 || "muses1 " label || u8 || context, n)
 *
 * Every function returns 0 or MUSES_ECRYPTO, and then out is all zero.  Who gets
 * a secret cleanses it.
 */
#define CORE_SECRET_SIZE 32
#define CORE_SESSID_SIZE 16
#define CORE_NONCE_SIZE  16 /* Na, Nb of a Re-Hello. */
#define CORE_IDH_SIZE    16

/* Which way a packet goes: decided by the ids, so that it stays the same whoever
 * began the handshake or the resume. */
enum core_way { CORE_FROM_LOWER = 0, CORE_FROM_HIGHER = 1 };

int core_expand(const uint8_t secret[static CORE_SECRET_SIZE], const char *label,
                const void *context, size_t context_size, uint8_t *out, size_t out_size);

/* What a finished handshake yields. */
struct core_root {
	uint8_t resume[CORE_SECRET_SIZE];      /* RS_0 */
	uint8_t traffic[2][CORE_SECRET_SIZE];  /* TS_0, by enum core_way */
	uint8_t finished[2][CORE_SECRET_SIZE]; /* FK, by enum muses_role of the sender */
};

/* suite_id and session_id (pSessID-a || pSessID-b) are mixed into every key;
 * initiator and responder are the two ids.  */
int core_schedule_root(const struct muses_shared *shared, uint16_t suite_id,
                       const uint8_t session_id[static CORE_SESSID_SIZE],
                       const struct muses_id *initiator, const struct muses_id *responder,
                       struct core_root *root);

/* The MAC in FINISHED: HMAC(FK, transcript || offer || role || flags). */
int core_schedule_finished(const struct core_root *root, enum muses_role sender,
                           const uint8_t transcript[static 32], const uint8_t *offer,
                           size_t offer_size, uint8_t flags, uint8_t mac[static 32]);

/* key, iv and mac of one step of one direction. */
int core_schedule_material(const uint8_t traffic[static CORE_SECRET_SIZE],
                           const struct muses_suite *suite,
                           struct muses_key_material *material);
/* TS_{e+1} from TS_e, in place; extra (a KEYSTEP's shared secret) or NULL. */
int core_schedule_ratchet(uint8_t traffic[static CORE_SECRET_SIZE],
                          const uint8_t extra[CORE_SECRET_SIZE]);

/* idh = SHA-256(source || destination)[0..15], one for each way. */
int core_schedule_idh(const struct muses_id *source, const struct muses_id *destination,
                      uint8_t idh[static CORE_IDH_SIZE]);

/* ---- resume (protocol.md 10.2: from RS, Na and Nb alone) ---- */

struct core_resume_keys {
	uint8_t resume[CORE_SECRET_SIZE];     /* RS of the new generation */
	uint8_t traffic[2][CORE_SECRET_SIZE]; /* by enum core_way */
};
int core_schedule_resume(const uint8_t resume[static CORE_SECRET_SIZE], uint32_t generation,
                         const uint8_t na[static CORE_NONCE_SIZE],
                         const uint8_t nb[static CORE_NONCE_SIZE],
                         struct core_resume_keys *keys);
/* The one-message keys of REHELLO and of its answer.  nb NULL: REHELLO's. */
int core_schedule_rehello(const uint8_t resume[static CORE_SECRET_SIZE], enum core_way way,
                          uint32_t base, uint64_t rehello_number,
                          const uint8_t na[static CORE_NONCE_SIZE],
                          const uint8_t nb[CORE_NONCE_SIZE],
                          const uint8_t idh[static CORE_IDH_SIZE],
                          uint8_t key[static CORE_SECRET_SIZE]);
/* RS after a KEYSTEP: HMAC(RS, "keystep" || number || share_i || share_r || X). */
int core_schedule_keystep(const uint8_t resume[static CORE_SECRET_SIZE], uint32_t number,
                          const uint8_t share_i[static 32], const uint8_t share_r[static 32],
                          const uint8_t shared[static 32],
                          uint8_t out[static CORE_SECRET_SIZE]);

#endif
