/* SPDX-License-Identifier: Apache-2.0 */
/* See deleg.h.  Checks go from cheap to dear, and the signature is the dearest. */
#include "plugins/keys/noise/deleg.h"

#include <muses/err.h>
#include <muses/identity.h>
#include <muses/noise.h>
#include <muses/wire.h>

#define SIGNATURE_SIZE 64
#define SIGNED_SIZE    (DELEG_SIZE - SIGNATURE_SIZE)

static const char label[] = "MUSEs deleg v1";
#define LABEL_SIZE (sizeof(label) - 1)

static void write_signed(const struct deleg *d, uint8_t *bytes)
{
	struct muses_writer w = muses_writer(bytes, SIGNED_SIZE);

	muses_write_u8(&w, 1);
	muses_write_u8(&w, 1);
	muses_write(&w, d->identity, sizeof(d->identity));
	muses_write(&w, d->x25519, sizeof(d->x25519));
	muses_write_u64(&w, d->seq);
	muses_write_u64(&w, d->not_before);
	muses_write_u64(&w, d->not_after);
	muses_write_u16(&w, d->caps);
}

int noise_deleg_sign(const struct deleg *d, const uint8_t seed[static 32],
                     uint8_t bytes[static DELEG_SIZE])
{
	uint8_t text[LABEL_SIZE + SIGNED_SIZE];

	write_signed(d, bytes);
	memcpy(text, label, LABEL_SIZE);
	memcpy(text + LABEL_SIZE, bytes, SIGNED_SIZE);
	return muses_ed25519_sign(seed, text, sizeof(text), bytes + SIGNED_SIZE);
}

static bool signature_holds(const struct deleg *d, const uint8_t *bytes)
{
	uint8_t text[LABEL_SIZE + SIGNED_SIZE];

	memcpy(text, label, LABEL_SIZE);
	memcpy(text + LABEL_SIZE, bytes, SIGNED_SIZE);
	return muses_ed25519_verify(d->identity, text, sizeof(text),
	                            bytes + SIGNED_SIZE) == 0;
}

bool noise_deleg_current(const struct deleg *d, uint64_t now_s)
{
	return d->not_before <= now_s && now_s <= d->not_after;
}

const char *noise_deleg_check(struct deleg *d, const uint8_t *bytes, size_t size,
                              const struct muses_id *id, uint64_t now_s,
                              const uint8_t *known)
{
	struct muses_reader r = muses_reader(bytes, size);
	struct muses_id owner;
	bool version;

	if (size != DELEG_SIZE)
		return "delegation of a wrong size";
	version = muses_read_u8(&r) == 1;
	if (muses_read_u8(&r) != 1 || !version)
		return "delegation of an unknown version";
	muses_read_to(&r, d->identity, sizeof(d->identity));
	muses_read_to(&r, d->x25519, sizeof(d->x25519));
	d->seq = muses_read_u64(&r);
	d->not_before = muses_read_u64(&r);
	d->not_after = muses_read_u64(&r);
	d->caps = muses_read_u16(&r);
	if (id != NULL &&
	    (muses_key_id(d->identity, &owner) != 0 || !muses_id_equal(&owner, id)))
		return "delegation of another node";
	if (now_s < d->not_before)
		return "delegation not valid yet";
	if (now_s > d->not_after)
		return "delegation expired";
	if (d->not_after - d->not_before > DELEG_LIFETIME_S)
		return "delegation for too long";
	if (known != NULL && memcmp(known, bytes, DELEG_SIZE) == 0)
		return NULL;
	/* Refuses keys of small order, too. */
	return signature_holds(d, bytes) ? NULL : "delegation with a wrong signature";
}

bool noise_deleg_split(struct deleg_parts *parts, const uint8_t *data, size_t size)
{
	struct muses_reader r = muses_reader(data, size);

	parts->deleg_size = muses_read_u16(&r);
	parts->deleg = muses_read(&r, parts->deleg_size);
	parts->payload_size = muses_left(&r);
	parts->payload = muses_read(&r, parts->payload_size);
	return muses_read_finished(&r);
}
