/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PLUGINS_KEYS_NOISE_SELF_H
#define PLUGINS_KEYS_NOISE_SELF_H

#include "plugins/keys/noise/deleg.h"

#include <muses/noise.h>

/*
 * Who we are: the identity key, and the X25519 keys that it delegates to.
 *
 * Time is cut into periods of 15 days.  The key of a period is derived from the
 * identity's seed and the number of the period, and its delegation holds for two
 * periods less a day at the beginning, which clocks may be wrong by:
 *
 *     |-- period n --|-- n + 1 -----|-- n + 2 --
 *   [---- delegation n ------------]
 *                  [---- delegation n + 1 ------------]
 *
 * So a node that starts anew has the keys it had before, and what its peers
 * have cached still opens; and nothing has to be kept on disk.  The price: who gets
 * the seed can also open the first messages (no more: who called, and when) that
 * were recorded in the past.
 */
#define SELF_PERIOD_S (UINT64_C(15) * 24 * 3600)
#define SELF_EARLY_S  (UINT64_C(24) * 3600)

struct self_key {
	uint8_t secret[32]; /* X25519. */
	uint64_t seq;       /* Of the delegation: the number of the period. */
};

struct self {
	uint8_t seed[32];
	uint8_t public_key[32];
	struct muses_id id;
	bool made; /* The keys below are there, made for the period of now.seq. */
	struct self_key now, before;
	uint8_t deleg[DELEG_SIZE]; /* For now. */
};

/* 0 or MUSES_ECRYPTO. */
int noise_self_init(struct self *s, const uint8_t seed[static 32]);
/* Make new keys if another period has begun. */
int noise_self_refresh(struct self *s, uint64_t now_s);
/* The key of a delegation whose seq ends in that byte; NULL: none of those that may
 * still be in use. */
const struct self_key *noise_self_key(const struct self *s, uint8_t seq_end);
void noise_self_release(struct self *s);

#endif
