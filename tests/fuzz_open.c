/* SPDX-License-Identifier: Apache-2.0 */
/*
 * open() of every suite on bytes of the network: never accepts, never crashes,
 * always wipes.  The first byte chooses the suite, the second the size of the
 * additional data, which comes next; the rest is the packet.  Also, a packet
 * that is sealed from these bytes must open again, and not after a change.
 */
#include "tests/suites.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(condition) ((condition) ? (void)0 : abort())

static uint8_t packet[MUSES_PACKET_MAX];

static void forged(const struct muses_suite *s, const uint8_t *aad, size_t aad_size,
                   const uint8_t *data, size_t size)
{
	void *key = suites_key(s, MUSES_OPENING, 1);
	size_t opened;

	memcpy(packet, data, size);
	MUST(s->open(key, size, aad, aad_size, packet, size, &opened) == MUSES_EAUTH ||
	     s->insecure);
	MUST(s->insecure || suites_all_zero(packet, size));
	s->key_close(key);
}

static void sealed(const struct muses_suite *s, const uint8_t *aad, size_t aad_size,
                   const uint8_t *data, size_t size)
{
	void *seal = suites_key(s, MUSES_SEALING, 2),
	     *open = suites_key(s, MUSES_OPENING, 2);
	struct iovec iov = { (void *)data, size };
	size_t sealed_size, opened;

	MUST(s->seal(seal, 7, aad, aad_size, &iov, 1, packet, &sealed_size) == 0);
	MUST(sealed_size <= size + s->overhead);
	MUST(s->open(open, 7, aad, aad_size, packet, sealed_size, &opened) == 0);
	MUST(opened == size && (size == 0 || memcmp(packet, data, size) == 0));
	MUST(s->seal(seal, 8, aad, aad_size, &iov, 1, packet, &sealed_size) == 0);
	if (sealed_size > 0 && !s->insecure) {
		packet[size % sealed_size] ^= 0x80;
		MUST(s->open(open, 8, aad, aad_size, packet, sealed_size, &opened) ==
		     MUSES_EAUTH);
	}
	s->key_close(seal);
	s->key_close(open);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct muses_suite *s;
	size_t count = 0, aad_size;

	if (size < 2)
		return 0;
	while (suites_at(count) != NULL)
		count++;
	s = suites_at(data[0] % count);
	aad_size = data[1] < size - 2 ? data[1] : size - 2;
	size -= 2 + aad_size;
	data += 2;
	if (size > (size_t)MUSES_PACKET_MAX - s->overhead)
		size = MUSES_PACKET_MAX - s->overhead;
	forged(s, data, aad_size, data + aad_size, size);
	sealed(s, data, aad_size, data + aad_size, size);
	return 0;
}
