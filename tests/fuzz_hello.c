/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Hello messages.  The first byte says which; the rest is what follows the
 * header, or the sealed payload.  A HELLO_A gets our id as its destination, padding
 * and a good mac1, or nothing behind that would be seen.
 */
#include "core/hello.h"

#include <muses/noise.h>

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(condition) ((condition) ? (void)0 : abort())

static const struct muses_id self = { { 1, 2, 3 } };

static void set_mac1(uint8_t *hello, size_t size)
{
	uint8_t key[32], mac[32];

	MUST(muses_sha256((struct muses_part[]){ { "mac1----", 8 }, { self.bytes, 32 } },
	                  2, key) == 0);
	MUST(muses_hmac_sha256(
		     key, 32,
		     (struct muses_part[]){ { hello, size - 2 * CORE_MAC_SIZE } }, 1,
		     mac) == 0);
	memcpy(hello + size - 2 * CORE_MAC_SIZE, mac, CORE_MAC_SIZE);
}

static void hello_a(const uint8_t *data, size_t size)
{
	uint8_t least[CORE_HELLO_LEAST + 2 * CORE_MAC_SIZE];
	uint8_t prologue[CORE_PROLOGUE_SIZE];
	size_t before = CORE_HEADER_BYTES + MUSES_ID_SIZE, behind = 2 * CORE_MAC_SIZE;
	size_t whole = before + size + behind, clear;
	struct core_hello_a h;
	uint8_t *hello;

	if (whole < sizeof(least))
		whole = sizeof(least);
	if (whole > CORE_HELLO_MOST)
		return;
	/* Exactly its size, so that reading past the end shows. */
	hello = calloc(1, whole);
	MUST(hello != NULL);
	memcpy(hello + CORE_HEADER_BYTES, self.bytes, MUSES_ID_SIZE);
	if (size > 0)
		memcpy(hello + before, data, size);
	set_mac1(hello, whole);
	if (core_hello_a_read(&h, hello, whole, &self, &clear)) {
		MUST(h.offer_count > 0 && h.offer_count <= CORE_OFFERS_MAX);
		MUST(h.keys_size <= MUSES_KEYS_MESSAGE_MAX);
		MUST(h.keys >= hello + clear && h.keys + h.keys_size <= hello + whole);
		MUST(clear > CORE_HEADER_BYTES && clear < whole);
		core_hello_prologue(hello, clear, prologue);
	}
	free(hello);
}

static void payload(const uint8_t *data, size_t size)
{
	struct core_payload p, again;
	uint8_t bytes[MUSES_KEYS_PAYLOAD_MAX];
	size_t written;

	if (!core_payload_read(&p, data, size))
		return;
	MUST(p.locator_size <= MUSES_LOCATOR_MAX);
	MUST(!core_payload_has(&p, CORE_PAYLOAD_NAME) || muses_name_valid(p.name));
	written = core_payload_write(&p, bytes, sizeof(bytes));
	MUST(written > 0 || p.present == 0);
	MUST(core_payload_read(&again, bytes, written));
	MUST(memcmp(&p, &again, sizeof(p)) == 0);
}

static void answers(const uint8_t *data, size_t size)
{
	static const uint8_t mac1[16] = { 1 };
	uint8_t partial[8], secret[16];
	enum core_retry_kind kind;
	struct core_packet p;
	const uint8_t *keys;
	size_t keys_size;

	if (core_hello_b_read(data, size, partial, &keys, &keys_size))
		MUST(keys_size + 10 == size && keys + keys_size == data + size);
	if (core_finished_read(data, size, &keys, &keys_size))
		MUST(keys_size + 2 == size && keys + keys_size == data + size);
	MUST(!core_retry_read(data, size, &self, mac1, &kind, secret));
	if (core_packet_get(&p, data, size))
		MUST(p.length + (size_t)CORE_HEADER_BYTES == size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	switch (data[0]) {
	case 'a':
		hello_a(data + 1, size - 1);
		break;
	case 'p':
		payload(data + 1, size - 1);
		break;
	default:
		answers(data + 1, size - 1);
		break;
	}
	return 0;
}
