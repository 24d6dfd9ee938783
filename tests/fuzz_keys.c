/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys messages from the network: the Noise engine on any bytes, at each place
 * where it may have to read them, and what it would carry, taken apart.  The first
 * byte chooses the place.  What nobody sealed is never accepted where something
 * must be sealed; a handshake that refused stays dead.
 */
#include "plugins/keys/noise/deleg.h"

#include <muses/err.h>
#include <muses/noise.h>

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(condition) ((condition) ? (void)0 : abort())

static const uint8_t key[3][32] = { { 1 }, { 16 }, { 32 } };
static const char *const protocol[] = {
	"Noise_NNpsk0_25519_ChaChaPoly_SHA256",
	"Noise_IKpsk2_25519_ChaChaPoly_SHA256",
	"Noise_XXpsk3_25519_ChaChaPoly_SHA256",
};

static struct muses_noise *end(const char *name, enum muses_role role)
{
	struct muses_noise *n = NULL;
	uint8_t remote[32];
	const struct muses_noise_setup setup = {
		.protocol = name,
		.role = role,
		.local_static = key[role],
		.remote_static = role == MUSES_INITIATOR ? remote : NULL,
		.local_ephemeral = key[2 - 2 * role],
		.psk = { key[0] },
		.psk_count = 1,
	};

	MUST(muses_x25519_public(key[1], remote) == 0);
	MUST(muses_noise_open(&n, &setup) == 0);
	return n;
}

/* Lead a and b through before messages, then a or b reads data. */
static void read_at(const char *name, unsigned before, const uint8_t *data, size_t size)
{
	struct muses_noise *n[2] = { end(name, MUSES_INITIATOR),
		                     end(name, MUSES_RESPONDER) };
	struct muses_noise *reader = n[(before + 1) % 2];
	uint8_t message[MUSES_KEYS_MESSAGE_MAX], out[MUSES_KEYS_MESSAGE_MAX];
	size_t got, out_size;
	int err;

	for (unsigned i = 0; i < before; i++) {
		MUST(muses_noise_write(n[i % 2], NULL, 0, message, sizeof(message),
		                       &got) == 0);
		MUST(muses_noise_read(n[(i + 1) % 2], message, got, out, sizeof(out),
		                      &out_size) == 0);
	}
	err = muses_noise_read(reader, data, size, out, sizeof(out), &out_size);
	MUST(err == 0 || err == MUSES_EAUTH || err == MUSES_EMALFORMED ||
	     err == MUSES_ELIMIT);
	if (err == 0)
		MUST(out_size <= size && !muses_noise_done(reader));
	if (err == MUSES_EAUTH)
		MUST(muses_noise_read(reader, data, size, out, sizeof(out), &out_size) ==
		     MUSES_EUSAGE);
	muses_noise_close(n[0]);
	muses_noise_close(n[1]);
}

static void take_apart(const uint8_t *data, size_t size)
{
	struct deleg_parts parts;
	struct deleg d;

	if (!noise_deleg_split(&parts, data, size))
		return;
	MUST(parts.deleg_size + parts.payload_size + 2 == size);
	if (noise_deleg_check(&d, parts.deleg, parts.deleg_size, NULL, 1767225600,
	                      NULL) != NULL)
		return;
	MUST(noise_deleg_current(&d, 1767225600));
	MUST(d.not_after - d.not_before <= DELEG_LIFETIME_S);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const unsigned messages[] = { 2, 2, 3 };
	unsigned which, before;

	if (size == 0)
		return 0;
	which = data[0] % 3;
	before = data[0] / 3 % messages[which];
	read_at(protocol[which], before, data + 1, size - 1);
	take_apart(data + 1, size - 1);
	return 0;
}
