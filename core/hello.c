/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The codec of the Hello messages.  Everything in a HELLO_A is a stranger's until
 * the keys plugin has opened message 1; mac1 only shows that the stranger knows
 * our name, so that a port scanner meets silence.
 */
#include "core/hello.h"

#include <muses/noise.h>

#define PROLOGUE_LABEL "MUSEs/1"
enum { EXTENSION_SOURCE = 1 };

/* ---- payload ------------------------------------------------------------- */

static void put(struct muses_writer *w, enum core_payload_type type, const void *data,
                size_t size)
{
	muses_write_u8(w, (uint8_t)type);
	muses_write_u8(w, (uint8_t)size);
	muses_write(w, data, size);
}

static void put_number(struct muses_writer *w, enum core_payload_type type, uint64_t v,
                       size_t size)
{
	muses_write_u8(w, (uint8_t)type);
	muses_write_u8(w, (uint8_t)size);
	muses_write_be(w, v, size);
}

size_t core_payload_write(const struct core_payload *p, uint8_t *out, size_t room)
{
	struct muses_writer w = muses_writer(out, room);

	if (core_payload_has(p, CORE_PAYLOAD_TIME))
		put_number(&w, CORE_PAYLOAD_TIME, p->time, 8);
	if (core_payload_has(p, CORE_PAYLOAD_ECHO))
		put(&w, CORE_PAYLOAD_ECHO, p->echo, sizeof(p->echo));
	if (core_payload_has(p, CORE_PAYLOAD_NAME))
		put(&w, CORE_PAYLOAD_NAME, p->name, strlen(p->name));
	if (core_payload_has(p, CORE_PAYLOAD_LIMITS))
		put_number(&w, CORE_PAYLOAD_LIMITS,
		           (uint64_t)p->stream_window << 32 | p->session_window, 8);
	if (core_payload_has(p, CORE_PAYLOAD_RESUME))
		put(&w, CORE_PAYLOAD_RESUME, p->resume, sizeof(p->resume));
	if (core_payload_has(p, CORE_PAYLOAD_LOCATOR))
		put(&w, CORE_PAYLOAD_LOCATOR, p->locator, p->locator_size);
	if (core_payload_has(p, CORE_PAYLOAD_CHOICE)) {
		muses_write_u8(&w, CORE_PAYLOAD_CHOICE);
		muses_write_u8(&w, 2 + CORE_OFFER_SIZE);
		muses_write_u8(&w, p->version);
		muses_write_u8(&w, p->choice);
		muses_write(&w, p->offer, CORE_OFFER_SIZE);
	}
	if (core_payload_has(p, CORE_PAYLOAD_PARTIAL))
		put(&w, CORE_PAYLOAD_PARTIAL, p->partial, sizeof(p->partial));
	if (core_payload_has(p, CORE_PAYLOAD_MTU))
		put_number(&w, CORE_PAYLOAD_MTU, p->mtu, 4);
	if (core_payload_has(p, CORE_PAYLOAD_KNOWN))
		put(&w, CORE_PAYLOAD_KNOWN, NULL, 0);
	if (core_payload_has(p, CORE_PAYLOAD_REFUSED))
		put_number(&w, CORE_PAYLOAD_REFUSED, p->refused, 1);
	return w.short_room ? 0 : muses_written(&w);
}

static void read_field(struct core_payload *p, enum core_payload_type type,
                       struct muses_reader *v)
{
	uint64_t windows;

	switch (type) {
	case CORE_PAYLOAD_TIME:
		p->time = muses_read_u64(v);
		break;
	case CORE_PAYLOAD_ECHO:
		muses_read_to(v, p->echo, sizeof(p->echo));
		break;
	case CORE_PAYLOAD_NAME: {
		size_t length = muses_left(v);

		if (length > MUSES_NAME_MAX) {
			v->short_read = true;
			break;
		}
		muses_read_to(v, p->name, length);
		p->name[length] = '\0';
		if (strlen(p->name) != length || !muses_name_valid(p->name))
			v->short_read = true;
		break;
	}
	case CORE_PAYLOAD_LIMITS:
		windows = muses_read_u64(v);
		p->stream_window = (uint32_t)(windows >> 32);
		p->session_window = (uint32_t)windows;
		break;
	case CORE_PAYLOAD_RESUME:
		muses_read_to(v, p->resume, sizeof(p->resume));
		break;
	case CORE_PAYLOAD_LOCATOR:
		if (muses_left(v) > MUSES_LOCATOR_MAX) {
			v->short_read = true;
			break;
		}
		p->locator_size = (uint8_t)muses_left(v);
		muses_read_to(v, p->locator, p->locator_size);
		break;
	case CORE_PAYLOAD_CHOICE:
		p->version = muses_read_u8(v);
		p->choice = muses_read_u8(v);
		muses_read_to(v, p->offer, sizeof(p->offer));
		break;
	case CORE_PAYLOAD_PARTIAL:
		muses_read_to(v, p->partial, sizeof(p->partial));
		break;
	case CORE_PAYLOAD_MTU:
		p->mtu = muses_read_u32(v);
		break;
	case CORE_PAYLOAD_KNOWN:
		break;
	case CORE_PAYLOAD_REFUSED:
		p->refused = muses_read_u8(v);
		break;
	}
}

bool core_payload_read(struct core_payload *p, const uint8_t *data, size_t size)
{
	struct muses_reader r = muses_reader(data, size);

	memset(p, 0, sizeof(*p));
	while (!r.short_read && muses_left(&r) > 0) {
		uint8_t type = muses_read_u8(&r);
		size_t field_size = muses_read_u8(&r);
		const uint8_t *field = muses_read(&r, field_size);
		struct muses_reader v;

		if (field == NULL)
			return false;
		if ((type & 0x80) != 0)
			continue; /* Unknown and not critical. */
		if (type < CORE_PAYLOAD_TIME || type > CORE_PAYLOAD_REFUSED ||
		    core_payload_has(p, type))
			return false;
		v = muses_reader(field, field_size);
		read_field(p, type, &v);
		if (!muses_read_finished(&v))
			return false;
		p->present |= 1u << type;
	}
	return muses_read_finished(&r);
}

/* ---- HELLO_A ------------------------------------------------------------- */

static int mac1_of(const struct muses_id *destination, const uint8_t *data, size_t size,
                   uint8_t mac[static 32])
{
	uint8_t key[32];
	int err;

	err = muses_sha256((struct muses_part[]){ { "mac1----", 8 },
	                                          { destination->bytes, MUSES_ID_SIZE } },
	                   2, key);
	if (err == 0)
		err = muses_hmac_sha256(key, sizeof(key),
		                        (struct muses_part[]){ { data, size } }, 1, mac);
	return err;
}

size_t core_hello_a_begin(const struct core_hello_a *h, uint8_t *out, size_t room)
{
	struct muses_writer w = muses_writer(out, room);
	struct core_packet p = { .type = CORE_PACKET_HELLO_A };
	uint8_t *header = muses_write_space(&w, CORE_HEADER_BYTES);

	if (header != NULL)
		core_packet_put(&p, header);
	muses_write(&w, h->destination.bytes, MUSES_ID_SIZE);
	muses_write(&w, h->partial, sizeof(h->partial));
	muses_write_u8(&w, h->version_least);
	muses_write_u8(&w, h->version_most);
	muses_write_u8(&w, h->pattern);
	muses_write_u8(&w, h->offer_count);
	for (size_t i = 0; i < h->offer_count; i++) {
		muses_write_u16(&w, h->offer[i].suite);
		muses_write_u8(&w, h->offer[i].reliability);
		muses_write_u8(&w, h->offer[i].version);
	}
	muses_write_u16(&w, h->has_source ? 2 + MUSES_ID_SIZE : 0);
	if (h->has_source) {
		muses_write_u8(&w, EXTENSION_SOURCE);
		muses_write_u8(&w, MUSES_ID_SIZE);
		muses_write(&w, h->source.bytes, MUSES_ID_SIZE);
	}
	return w.short_room ? 0 : muses_written(&w);
}

size_t core_hello_a_finish(const struct core_hello_a *h, uint8_t *out, size_t begin,
                           size_t room)
{
	struct muses_writer w = muses_writer(out + begin, room - begin);
	struct core_packet p = { .type = CORE_PACKET_HELLO_A };
	uint8_t mac[32];
	size_t size;

	muses_write_u16(&w, (uint16_t)h->keys_size);
	muses_write(&w, h->keys, h->keys_size);
	while (!w.short_room && begin + muses_written(&w) < CORE_HELLO_LEAST)
		muses_write_u8(&w, 0);
	if (w.short_room || muses_room(&w) < 2 * CORE_MAC_SIZE)
		return 0;
	size = begin + muses_written(&w);
	p.length = (uint16_t)(size + 2 * CORE_MAC_SIZE - CORE_HEADER_BYTES);
	core_packet_put(&p, out);
	if (mac1_of(&h->destination, out, size, mac) != 0)
		return 0;
	memcpy(out + size, mac, CORE_MAC_SIZE);
	memset(out + size + CORE_MAC_SIZE, 0, CORE_MAC_SIZE);
	return size + 2 * CORE_MAC_SIZE;
}

static bool read_extensions(struct core_hello_a *h, const uint8_t *data, size_t size)
{
	struct muses_reader r = muses_reader(data, size);

	while (!r.short_read && muses_left(&r) > 0) {
		uint8_t type = muses_read_u8(&r);
		size_t field_size = muses_read_u8(&r);
		const uint8_t *field = muses_read(&r, field_size);

		if (field == NULL)
			return false;
		if ((type & 0x80) != 0)
			continue;
		if (type != EXTENSION_SOURCE || field_size != MUSES_ID_SIZE ||
		    h->has_source)
			return false;
		h->has_source = true;
		memcpy(h->source.bytes, field, MUSES_ID_SIZE);
	}
	return !r.short_read;
}

bool core_hello_a_read(struct core_hello_a *h, const uint8_t *data, size_t size,
                       const struct muses_id *self, size_t *clear_size)
{
	struct muses_reader r = muses_reader(data, size);
	uint8_t mac[32];
	const uint8_t *extensions;
	size_t extensions_size;

	if (size < CORE_HELLO_LEAST + 2 * CORE_MAC_SIZE || size > CORE_HELLO_MOST)
		return false;
	r.end -= 2 * CORE_MAC_SIZE;
	if (mac1_of(self, data, size - 2 * CORE_MAC_SIZE, mac) != 0 ||
	    !muses_equal_secret(mac, r.end, CORE_MAC_SIZE))
		return false;

	memset(h, 0, sizeof(*h));
	muses_read(&r, CORE_HEADER_BYTES);
	muses_read_to(&r, h->destination.bytes, MUSES_ID_SIZE);
	muses_read_to(&r, h->partial, sizeof(h->partial));
	h->version_least = muses_read_u8(&r);
	h->version_most = muses_read_u8(&r);
	h->pattern = muses_read_u8(&r);
	h->offer_count = muses_read_u8(&r);
	if (h->offer_count == 0 || h->offer_count > CORE_OFFERS_MAX)
		return false;
	for (size_t i = 0; i < h->offer_count; i++) {
		h->offer[i].suite = muses_read_u16(&r);
		h->offer[i].reliability = muses_read_u8(&r);
		h->offer[i].version = muses_read_u8(&r);
	}
	extensions_size = muses_read_u16(&r);
	extensions = muses_read(&r, extensions_size);
	if (extensions == NULL || !read_extensions(h, extensions, extensions_size) ||
	    !muses_id_equal(&h->destination, self))
		return false;
	*clear_size = (size_t)(r.at - data);
	h->keys_size = muses_read_u16(&r);
	h->keys = muses_read(&r, h->keys_size);
	if (h->keys == NULL || h->keys_size > MUSES_KEYS_MESSAGE_MAX)
		return false;
	while (muses_left(&r) > 0)
		if (muses_read_u8(&r) != 0)
			return false;
	return true;
}

void core_hello_prologue(const uint8_t *hello_a, size_t clear_size,
                         uint8_t prologue[static CORE_PROLOGUE_SIZE])
{
	static const uint8_t zeros[CORE_HEADER_BYTES - CORE_HEADER_SEQUENCE];

	memcpy(prologue, PROLOGUE_LABEL, sizeof(PROLOGUE_LABEL) - 1);
	if (muses_sha256((struct muses_part[]){ { hello_a, CORE_HEADER_SEQUENCE },
	                                        { zeros, sizeof(zeros) },
	                                        { hello_a + CORE_HEADER_BYTES,
	                                          clear_size - CORE_HEADER_BYTES } },
	                 3, prologue + sizeof(PROLOGUE_LABEL) - 1) != 0)
		memset(prologue, 0, CORE_PROLOGUE_SIZE);
}

static int mac2_of(const uint8_t *hello_a, size_t size, const uint8_t cookie[static 16],
                   uint8_t mac[static 32])
{
	return muses_hmac_sha256(
		cookie, 16, (struct muses_part[]){ { hello_a, size - CORE_MAC_SIZE } }, 1,
		mac);
}

void core_hello_set_mac2(uint8_t *hello_a, size_t size, const uint8_t cookie[static 16])
{
	uint8_t mac[32];

	if (mac2_of(hello_a, size, cookie, mac) == 0)
		memcpy(hello_a + size - CORE_MAC_SIZE, mac, CORE_MAC_SIZE);
}

bool core_hello_check_mac2(const uint8_t *hello_a, size_t size,
                           const uint8_t cookie[static 16])
{
	uint8_t mac[32];

	/* An absent mac2 is zeros; one that could not be computed must not be. */
	return mac2_of(hello_a, size, cookie, mac) == 0 &&
	       muses_equal_secret(mac, hello_a + size - CORE_MAC_SIZE, CORE_MAC_SIZE);
}

/* ---- HELLO_B, FINISHED, RETRY --------------------------------------------- */

static size_t write_keys(uint8_t *out, size_t room, struct core_packet *p,
                         const uint8_t *partial, const uint8_t *keys, size_t keys_size)
{
	struct muses_writer w = muses_writer(out, room);

	muses_write_space(&w, CORE_HEADER_BYTES);
	if (partial != NULL)
		muses_write(&w, partial, 8);
	muses_write_u16(&w, (uint16_t)keys_size);
	muses_write(&w, keys, keys_size);
	if (w.short_room)
		return 0;
	p->length = (uint16_t)(muses_written(&w) - CORE_HEADER_BYTES);
	core_packet_put(p, out);
	return muses_written(&w);
}

static bool read_keys(struct muses_reader *r, const uint8_t **keys, size_t *keys_size)
{
	*keys_size = muses_read_u16(r);
	*keys = muses_read(r, *keys_size);
	return muses_read_finished(r) && *keys_size <= MUSES_KEYS_MESSAGE_MAX;
}

size_t core_hello_b_write(uint8_t *out, size_t room, uint64_t index,
                          const uint8_t partial[8], const uint8_t *keys, size_t keys_size)
{
	struct core_packet p = { .type = CORE_PACKET_HELLO_B, .index = index };

	return write_keys(out, room, &p, partial, keys, keys_size);
}

bool core_hello_b_read(const uint8_t *data, size_t size, uint8_t partial[8],
                       const uint8_t **keys, size_t *keys_size)
{
	struct muses_reader r = muses_reader(data, size);

	muses_read_to(&r, partial, 8);
	return read_keys(&r, keys, keys_size);
}

size_t core_finished_write(uint8_t *out, size_t room, uint64_t index, const uint8_t *keys,
                           size_t keys_size)
{
	struct core_packet p = { .type = CORE_PACKET_FINISHED, .index = index };

	return write_keys(out, room, &p, NULL, keys, keys_size);
}

bool core_finished_read(const uint8_t *data, size_t size, const uint8_t **keys,
                        size_t *keys_size)
{
	struct muses_reader r = muses_reader(data, size);

	return read_keys(&r, keys, keys_size);
}

/* K = HKDF(SHA-256("cookie--" || id), salt = nonce, info = mac1): used once. */
static int retry_key(const struct muses_id *responder, const uint8_t nonce[static 32],
                     const uint8_t mac1[static 16], uint8_t key[static 32])
{
	uint8_t secret[32];
	int err;

	err = muses_sha256((struct muses_part[]){ { "cookie--", 8 },
	                                          { responder->bytes, MUSES_ID_SIZE } },
	                   2, secret);
	if (err == 0)
		err = muses_hkdf_extract(nonce, 32, secret, sizeof(secret), secret);
	if (err == 0)
		err = muses_hkdf_expand(secret, mac1, 16, key, 32);
	return err;
}

static const uint8_t zero_nonce[12];

int core_retry_write(uint8_t out[static CORE_RETRY_BYTES], uint64_t index,
                     enum core_retry_kind kind, const struct muses_id *self,
                     const uint8_t nonce[static 32], const uint8_t mac1[static 16],
                     const uint8_t secret[static 16])
{
	struct core_packet p = { .type = CORE_PACKET_RETRY,
		                 .index = index,
		                 .length = CORE_RETRY_BYTES - CORE_HEADER_BYTES };
	uint8_t aad[17] = { (uint8_t)kind };
	uint8_t key[32];
	int err = retry_key(self, nonce, mac1, key);

	core_packet_put(&p, out);
	out[CORE_HEADER_BYTES] = (uint8_t)kind;
	memcpy(out + CORE_HEADER_BYTES + 1, nonce, 32);
	memcpy(aad + 1, mac1, 16);
	if (err == 0)
		err = muses_aead_seal(key, zero_nonce, aad, sizeof(aad), secret, 16,
		                      out + CORE_HEADER_BYTES + 33);
	muses_cleanse(key, sizeof(key));
	return err;
}

bool core_retry_read(const uint8_t *data, size_t size, const struct muses_id *peer,
                     const uint8_t mac1[static 16], enum core_retry_kind *kind,
                     uint8_t secret[static 16])
{
	struct muses_reader r = muses_reader(data, size);
	uint8_t aad[17];
	uint8_t key[32];
	const uint8_t *nonce, *sealed;
	int err;

	aad[0] = muses_read_u8(&r);
	nonce = muses_read(&r, 32);
	sealed = muses_read(&r, 32);
	if (!muses_read_finished(&r) ||
	    (aad[0] != CORE_RETRY_COOKIE && aad[0] != CORE_RETRY_CHALLENGE))
		return false;
	*kind = aad[0];
	memcpy(aad + 1, mac1, 16);
	err = retry_key(peer, nonce, mac1, key);
	if (err == 0)
		err = muses_aead_open(key, zero_nonce, aad, sizeof(aad), sealed, 32,
		                      secret);
	muses_cleanse(key, sizeof(key));
	return err == 0;
}
