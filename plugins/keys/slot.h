/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PLUGINS_KEYS_SLOT_H
#define PLUGINS_KEYS_SLOT_H

#include <muses/noise.h>

/* The byte of HELLO_A that says which handshake it begins.  Numbers are never used
 * again for another. */
enum keys_pattern {
	KEYS_IKPSK2 = 1, /* noise: the peer's delegation is at hand. */
	KEYS_XXPSK3 = 2, /* noise: first contact. */
	KEYS_NNPSK0 = 3, /* psk. */
};

/*
 * What fills a psk slot of Noise: 32 zero bytes without a secret, else
 * HMAC-SHA256("MUSEs psk v1", 0x01 || secret), so that the secret of the file is
 * used as such in no other place.
 */
static inline int keys_slot(const uint8_t *secret, uint8_t slot[static 32])
{
	static const uint8_t present = 1;
	static const char label[] = "MUSEs psk v1";
	const struct muses_part part[] = { { &present, 1 }, { secret, 32 } };

	if (secret == NULL) {
		memset(slot, 0, 32);
		return 0;
	}
	return muses_hmac_sha256((const uint8_t *)label, sizeof(label) - 1, part, 2,
	                         slot);
}

#endif
