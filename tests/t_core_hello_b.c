/* SPDX-License-Identifier: Apache-2.0 */
/* What comes back for a HELLO_A, and the third message. */
#include "core/hello.h"

#include "tests/tap.h"

#include <stdlib.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct muses_id self = { { 1, 2, 3 } };
static const struct muses_id stranger = { { 1, 2, 4 } };
static const uint8_t keys[MUSES_KEYS_MESSAGE_MAX] = { 'k', 'e', 'y', 's' };

static void hello_b_and_finished_are_read_back(void)
{
	static const uint8_t partial[8] = "partialb";
	static const size_t sizes[] = { 0, 1, 255, 256, MUSES_KEYS_MESSAGE_MAX };
	uint8_t bytes[CORE_HELLO_MOST], got_partial[8];
	const uint8_t *got;
	size_t got_size;

	for (size_t i = 0; i < COUNT(sizes); i++) {
		struct core_packet p;
		size_t size = core_hello_b_write(bytes, sizeof(bytes), 77, partial, keys,
		                                 sizes[i]);

		CU_ASSERT_EQUAL(size, CORE_HEADER_BYTES + 8 + 2 + sizes[i]);
		CU_ASSERT(core_packet_get(&p, bytes, size));
		CU_ASSERT_EQUAL(p.type, CORE_PACKET_HELLO_B);
		CU_ASSERT_EQUAL(p.index, 77);
		CU_ASSERT(core_hello_b_read(bytes + CORE_HEADER_BYTES, p.length,
		                            got_partial, &got, &got_size));
		CU_ASSERT_EQUAL(memcmp(got_partial, partial, 8), 0);
		CU_ASSERT_EQUAL(got_size, sizes[i]);
		CU_ASSERT_PTR_EQUAL(got, bytes + CORE_HEADER_BYTES + 8 + 2);

		size = core_finished_write(bytes, sizeof(bytes), 78, keys, sizes[i]);
		CU_ASSERT_EQUAL(size, CORE_HEADER_BYTES + 2 + sizes[i]);
		CU_ASSERT(core_packet_get(&p, bytes, size));
		CU_ASSERT_EQUAL(p.type, CORE_PACKET_FINISHED);
		CU_ASSERT_EQUAL(p.index, 78);
		CU_ASSERT(core_finished_read(bytes + CORE_HEADER_BYTES, p.length, &got,
		                             &got_size));
		CU_ASSERT_EQUAL(got_size, sizes[i]);
		CU_ASSERT_EQUAL(core_finished_write(bytes, size - 1, 78, keys, sizes[i]),
		                0);
	}
}

static void hello_b_and_finished_of_another_size_are_refused(void)
{
	static const struct {
		size_t keys_size, said, size;
		bool good;
		const char *why;
	} row[] = {
		{ 5, 5, 7, true, "as it is" },
		{ 5, 5, 6, false, "one byte short" },
		{ 5, 5, 8, false, "one byte long" },
		{ 5, 6, 7, false, "says one more" },
		{ 5, 4, 7, false, "says one less" },
		{ 5, 0xffff, 7, false, "says the most" },
		{ 0, 0, 1, false, "half a size" },
		{ 0, 0, 0, false, "nothing" },
		{ MUSES_KEYS_MESSAGE_MAX, MUSES_KEYS_MESSAGE_MAX,
		  MUSES_KEYS_MESSAGE_MAX + 2, true, "the most there may be" },
		{ MUSES_KEYS_MESSAGE_MAX + 1, MUSES_KEYS_MESSAGE_MAX + 1,
		  MUSES_KEYS_MESSAGE_MAX + 3, false, "one more" },
	};

	for (size_t i = 0; i < COUNT(row); i++) {
		uint8_t *b = calloc(1, 8 + row[i].size), partial[8];
		const uint8_t *got;
		size_t got_size;
		bool good;

		CU_ASSERT_PTR_NOT_NULL_FATAL(b);
		if (row[i].size > 0)
			b[8] = (uint8_t)(row[i].said >> 8);
		if (row[i].size > 1)
			b[9] = (uint8_t)row[i].said;
		good = core_hello_b_read(b, 8 + row[i].size, partial, &got, &got_size);
		TAP_NOTE_IF(good != row[i].good, "HELLO_B, row %zu: %s", i, row[i].why);
		CU_ASSERT_EQUAL(good, row[i].good);
		good = core_finished_read(b + 8, row[i].size, &got, &got_size);
		TAP_NOTE_IF(good != row[i].good, "FINISHED, row %zu: %s", i, row[i].why);
		CU_ASSERT_EQUAL(good, row[i].good);
		free(b);
	}
}

static void only_who_sent_the_hello_can_read_the_retry(void)
{
	static const uint8_t nonce[32] = { 'n' }, mac1[16] = { 'm' }, other[16] = { 'o' };
	static const uint8_t secret[16] = "sixteen secrets";
	uint8_t bytes[CORE_RETRY_BYTES], got[16];
	uint8_t *data = bytes + CORE_HEADER_BYTES;
	size_t size = sizeof(bytes) - CORE_HEADER_BYTES;
	enum core_retry_kind kind;
	struct core_packet p;

	for (int i = CORE_RETRY_COOKIE; i <= CORE_RETRY_CHALLENGE; i++) {
		CU_ASSERT_EQUAL(core_retry_write(bytes, 5, (enum core_retry_kind)i, &self,
		                                 nonce, mac1, secret),
		                0);
		CU_ASSERT(core_packet_get(&p, bytes, sizeof(bytes)));
		CU_ASSERT_EQUAL(p.type, CORE_PACKET_RETRY);
		CU_ASSERT_EQUAL(p.index, 5);
		CU_ASSERT(core_retry_read(data, size, &self, mac1, &kind, got));
		CU_ASSERT_EQUAL((int)kind, i);
		CU_ASSERT_EQUAL(memcmp(got, secret, sizeof(secret)), 0);
		CU_ASSERT(!core_retry_read(data, size, &stranger, mac1, &kind, got));
		CU_ASSERT(!core_retry_read(data, size, &self, other, &kind, got));
		for (size_t bit = 0; bit < 8 * size; bit++) {
			data[bit / 8] ^= (uint8_t)(1 << bit % 8);
			CU_ASSERT(!core_retry_read(data, size, &self, mac1, &kind, got));
			data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
		for (size_t cut = 0; cut < size; cut++)
			CU_ASSERT(!core_retry_read(data, cut, &self, mac1, &kind, got));
	}
	CU_ASSERT_EQUAL(core_retry_write(bytes, 5, 3, &self, nonce, mac1, secret), 0);
	CU_ASSERT(!core_retry_read(data, size, &self, mac1, &kind, got));
}

static const struct tap_test tests[] = {
	{ "HELLO_B and FINISHED are read back", hello_b_and_finished_are_read_back },
	{ "HELLO_B and FINISHED of another size are refused",
	  hello_b_and_finished_of_another_size_are_refused },
	{ "only who sent the Hello can read the RETRY",
	  only_who_sent_the_hello_can_read_the_retry },
	TAP_END,
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, "core_hello_b", tests);
}
