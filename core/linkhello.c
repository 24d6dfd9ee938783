/* SPDX-License-Identifier: Apache-2.0 */
/* Link frames as bytes: see core/linkwire.h for the layouts. */
#include "core/linkhello.h"

#include <muses/noise.h>
#include <muses/wire.h>

static const char magic[5] = { 'M', 'U', 'S', 'E', 'S' };
static const char label[16] = "muses1 link v1";

void core_hello_write(const struct core_hello *hello,
                      uint8_t frame[static CORE_HELLO_BYTES])
{
	struct muses_writer w = muses_writer(frame, CORE_HELLO_BYTES);

	muses_write_u8(&w, CORE_FRAME_HELLO);
	muses_write(&w, magic, sizeof(magic));
	muses_write_u8(&w, CORE_LINK_VERSION);
	muses_write(&w, hello->overlay, sizeof(hello->overlay));
	muses_write(&w, hello->node.bytes, sizeof(hello->node.bytes));
	muses_write(&w, hello->nonce, sizeof(hello->nonce));
	muses_write(&w, hello->share, sizeof(hello->share));
	muses_write_u32(&w, hello->mtu);
}

const char *core_hello_read(struct core_hello *hello, const uint8_t *frame, size_t size)
{
	struct muses_reader r = muses_reader(frame, size);
	uint8_t type = muses_read_u8(&r);
	const uint8_t *m = muses_read(&r, sizeof(magic));
	uint8_t version;

	if (type != CORE_FRAME_HELLO || m == NULL || memcmp(m, magic, sizeof(magic)) != 0)
		return "not a hello";
	version = muses_read_u8(&r);
	/* The version first: another one may have another size. */
	if (!r.short_read && version != CORE_LINK_VERSION)
		return "hello of another version";
	muses_read_to(&r, hello->overlay, sizeof(hello->overlay));
	muses_read_to(&r, hello->node.bytes, sizeof(hello->node.bytes));
	muses_read_to(&r, hello->nonce, sizeof(hello->nonce));
	muses_read_to(&r, hello->share, sizeof(hello->share));
	hello->mtu = muses_read_u32(&r);
	if (!muses_read_finished(&r))
		return "hello of the wrong size";
	if (hello->mtu < CORE_LINK_MTU_LEAST || hello->mtu > MUSES_PACKET_MAX)
		return "hello with an impossible mtu";
	return NULL;
}

void core_transcript_write(enum core_side prover,
                           const uint8_t dialler[static CORE_HELLO_BYTES],
                           const uint8_t listener[static CORE_HELLO_BYTES],
                           uint8_t transcript[static CORE_TRANSCRIPT_BYTES])
{
	struct muses_writer w = muses_writer(transcript, CORE_TRANSCRIPT_BYTES);

	muses_write(&w, label, sizeof(label));
	muses_write_u8(&w, (uint8_t)prover);
	muses_write(&w, dialler, CORE_HELLO_BYTES);
	muses_write(&w, listener, CORE_HELLO_BYTES);
}

const uint8_t *core_proof_read(const uint8_t *frame, size_t size, size_t *proof_size)
{
	struct muses_reader r = muses_reader(frame, size);
	uint8_t type = muses_read_u8(&r);
	const uint8_t *proof;

	*proof_size = muses_read_u16(&r);
	if (type != CORE_FRAME_PROOF || *proof_size == 0 || *proof_size > MUSES_PROOF_MAX)
		return NULL;
	proof = muses_read(&r, *proof_size);
	return muses_read_finished(&r) ? proof : NULL;
}

int core_guard_init(struct core_guard *guard, enum core_side side,
                    const uint8_t secret[static 32], const uint8_t peer_share[static 32],
                    const uint8_t dialler[static CORE_HELLO_BYTES],
                    const uint8_t listener[static CORE_HELLO_BYTES])
{
	static const char info[] = "muses1 link guard";
	const struct muses_part hellos[] = {
		{ dialler, CORE_HELLO_BYTES },
		{ listener, CORE_HELLO_BYTES },
	};
	uint8_t shared[32], salt[32], extracted[32], keys[64];
	int err;

	memset(guard, 0, sizeof(*guard));
	err = muses_x25519(secret, peer_share, shared);
	if (err == 0)
		err = muses_sha256(hellos, 2, salt);
	if (err == 0)
		err = muses_hkdf_extract(salt, sizeof(salt), shared, sizeof(shared),
		                         extracted);
	if (err == 0)
		err = muses_hkdf_expand(extracted, info, sizeof(info) - 1, keys,
		                        sizeof(keys));
	if (err == 0) {
		/* The first half is the dialler's to send under. */
		memcpy(side == CORE_DIALLER ? guard->seal_key : guard->open_key, keys,
		       32);
		memcpy(side == CORE_DIALLER ? guard->open_key : guard->seal_key,
		       keys + 32, 32);
	}
	muses_cleanse(shared, sizeof(shared));
	muses_cleanse(extracted, sizeof(extracted));
	muses_cleanse(keys, sizeof(keys));
	return err;
}

void core_guard_clear(struct core_guard *guard)
{
	muses_cleanse(guard, sizeof(*guard));
}

/* Over type, counter and body: everything but the MAC itself. */
static int guard_mac(const uint8_t key[static 32], const uint8_t *frame, size_t size,
                     uint8_t mac[static 32])
{
	const struct muses_part part[] = {
		{ frame, CORE_GUARD_MAC },
		{ frame + CORE_GUARD_BYTES, size - CORE_GUARD_BYTES },
	};

	return muses_hmac_sha256(key, 32, part, 2, mac);
}

int core_guard_seal(struct core_guard *guard, enum core_frame type, uint8_t *frame,
                    size_t size)
{
	struct muses_writer w = muses_writer(frame, CORE_GUARD_MAC);
	uint8_t mac[32];
	int err;

	muses_write_u8(&w, (uint8_t)type);
	muses_write_u64(&w, ++guard->sent);
	err = guard_mac(guard->seal_key, frame, size, mac);
	memcpy(frame + CORE_GUARD_MAC, mac, CORE_GUARD_MAC_SIZE);
	return err;
}

const char *core_guard_open(struct core_guard *guard, const uint8_t *frame, size_t size)
{
	struct muses_reader r = muses_reader(frame, size);
	uint64_t counter;
	uint8_t mac[32];

	muses_read_u8(&r);
	counter = muses_read_u64(&r);
	if (muses_read(&r, CORE_GUARD_MAC_SIZE) == NULL)
		return "control frame too short";
	if (counter <= guard->seen)
		return "control frame replayed";
	if (guard_mac(guard->open_key, frame, size, mac) != 0 ||
	    !muses_equal_secret(mac, frame + CORE_GUARD_MAC, CORE_GUARD_MAC_SIZE))
		return "control frame not authentic";
	guard->seen = counter;
	return NULL;
}
