/* SPDX-License-Identifier: Apache-2.0 */
#include "core/hello.h"

#include "tests/tap.h"

#include <muses/noise.h>

#include <stdlib.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct muses_id self = { { 1, 2, 3 } };
static const struct muses_id stranger = { { 1, 2, 4 } };
static const uint8_t keys[MUSES_KEYS_MESSAGE_MAX + 1] = { 'k', 'e', 'y', 's' };

/* Where things stand in sample(). */
enum {
	DESTINATION = CORE_HEADER_BYTES,
	PARTIAL = DESTINATION + MUSES_ID_SIZE,
	VERSIONS = PARTIAL + 8,
	PATTERN = VERSIONS + 2,
	OFFER_COUNT = PATTERN + 1,
	OFFERS = OFFER_COUNT + 1,
	EXTENSIONS_SIZE = OFFERS + 2 * CORE_OFFER_SIZE,
	EXTENSIONS = EXTENSIONS_SIZE + 2,
	CLEAR = EXTENSIONS + 2 + MUSES_ID_SIZE,
	KEYS_SIZE = CLEAR,
	KEYS = KEYS_SIZE + 2,
	KEYS_SAMPLE = 100,
	PADDING = KEYS + KEYS_SAMPLE,
	SIZE = CORE_HELLO_LEAST + 2 * CORE_MAC_SIZE,
};

static struct core_hello_a sample(void)
{
	return (struct core_hello_a){
		.destination = self,
		.partial = { 'p', 'a', 'r', 't', 'i', 'a', 'l', 'a' },
		.version_least = 1,
		.version_most = 3,
		.pattern = 2,
		.offer_count = 2,
		.offer = { { 0x0102, 1, 1 }, { 0xfffe, 0x80, 255 } },
		.has_source = true,
		.source = stranger,
		.keys = keys,
		.keys_size = KEYS_SAMPLE,
	};
}

static size_t write_hello(const struct core_hello_a *h, uint8_t *out, size_t room)
{
	size_t begin = core_hello_a_begin(h, out, room);

	return begin == 0 ? 0 : core_hello_a_finish(h, out, begin, room);
}

/* mac1 as the sender would have made it. */
static void set_mac1(uint8_t *hello, size_t size)
{
	uint8_t key[32], mac[32];

	muses_sha256((struct muses_part[]){ { "mac1----", 8 }, { self.bytes, 32 } }, 2,
	             key);
	muses_hmac_sha256(key, 32,
	                  (struct muses_part[]){ { hello, size - 2 * CORE_MAC_SIZE } }, 1,
	                  mac);
	memcpy(hello + size - 2 * CORE_MAC_SIZE, mac, CORE_MAC_SIZE);
}

/* In memory of exactly that size, so that reading past the end shows. */
static bool read_hello(struct core_hello_a *h, const uint8_t *hello, size_t size,
                       size_t *clear)
{
	uint8_t *exact = malloc(size > 0 ? size : 1);
	bool good;

	CU_ASSERT_PTR_NOT_NULL_FATAL(exact);
	if (size > 0)
		memcpy(exact, hello, size);
	good = core_hello_a_read(h, exact, size, &self, clear);
	h->keys = good ? hello + (h->keys - exact) : NULL;
	free(exact);
	return good;
}

static void a_hello_is_read_back(void)
{
	struct core_hello_a h = sample(), got;
	uint8_t bytes[CORE_HELLO_MOST];
	struct core_packet p;
	size_t size = write_hello(&h, bytes, sizeof(bytes)), clear;

	CU_ASSERT_EQUAL(size, SIZE);
	CU_ASSERT(core_packet_get(&p, bytes, size));
	CU_ASSERT_EQUAL(p.type, CORE_PACKET_HELLO_A);
	CU_ASSERT_EQUAL(p.index, 0);
	CU_ASSERT_TRUE_FATAL(read_hello(&got, bytes, size, &clear));
	CU_ASSERT_EQUAL(clear, CLEAR);
	CU_ASSERT(muses_id_equal(&got.destination, &self));
	CU_ASSERT_EQUAL(memcmp(got.partial, h.partial, 8), 0);
	CU_ASSERT_EQUAL(got.version_least, 1);
	CU_ASSERT_EQUAL(got.version_most, 3);
	CU_ASSERT_EQUAL(got.pattern, 2);
	CU_ASSERT_EQUAL(got.offer_count, 2);
	CU_ASSERT_EQUAL(got.offer[0].suite, 0x0102);
	CU_ASSERT_EQUAL(got.offer[1].suite, 0xfffe);
	CU_ASSERT_EQUAL(got.offer[1].reliability, 0x80);
	CU_ASSERT_EQUAL(got.offer[1].version, 255);
	CU_ASSERT(got.has_source);
	CU_ASSERT(muses_id_equal(&got.source, &stranger));
	CU_ASSERT_EQUAL(got.keys_size, KEYS_SAMPLE);
	CU_ASSERT_PTR_EQUAL(got.keys, bytes + KEYS);
	CU_ASSERT_EQUAL(memcmp(got.keys, keys, KEYS_SAMPLE), 0);
}

/* From the least to the most that may stand in one. */
static void a_hello_of_any_size_is_read_back(void)
{
	for (size_t keys_size = 0; keys_size <= MUSES_KEYS_MESSAGE_MAX; keys_size++) {
		struct core_hello_a h = sample(), got;
		uint8_t bytes[CORE_HELLO_MOST];
		size_t size, clear;

		h.offer_count = keys_size % 2 == 0 ? 1 : CORE_OFFERS_MAX;
		h.has_source = keys_size % 3 == 0;
		h.keys_size = keys_size;
		size = write_hello(&h, bytes, sizeof(bytes));
		if (size < SIZE || !read_hello(&got, bytes, size, &clear) ||
		    got.keys_size != keys_size || got.has_source != h.has_source ||
		    got.offer_count != h.offer_count ||
		    (keys_size > 0 && memcmp(got.keys, keys, keys_size) != 0)) {
			TAP_NOTE_IF(true, "%zu bytes of keys", keys_size);
			CU_FAIL("a Hello was not read back");
		}
	}
}

static void a_hello_that_does_not_fit_is_not_written(void)
{
	struct core_hello_a h = sample();
	uint8_t bytes[CORE_HELLO_MOST];

	for (size_t room = CORE_HEADER_BYTES; room < SIZE; room++)
		CU_ASSERT_EQUAL(write_hello(&h, bytes, room), 0);
	CU_ASSERT_EQUAL(write_hello(&h, bytes, SIZE), SIZE);
}

static void only_who_knows_our_name_is_heard(void)
{
	struct core_hello_a h = sample(), got;
	uint8_t bytes[CORE_HELLO_MOST], good[CORE_HELLO_MOST];
	size_t size, clear;

	h.destination = stranger;
	size = write_hello(&h, bytes, sizeof(bytes));
	CU_ASSERT(!read_hello(&got, bytes, size, &clear));
	/* With a mac1 for us, but another destination inside. */
	set_mac1(bytes, size);
	CU_ASSERT(!read_hello(&got, bytes, size, &clear));

	h = sample();
	write_hello(&h, good, sizeof(good));
	for (size_t bit = 0; bit < 8 * (SIZE - CORE_MAC_SIZE); bit++) {
		memcpy(bytes, good, SIZE);
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		CU_ASSERT(!read_hello(&got, bytes, SIZE, &clear));
	}
	/* mac2 is another matter. */
	memcpy(bytes, good, SIZE);
	bytes[SIZE - 1] ^= 1;
	CU_ASSERT(read_hello(&got, bytes, SIZE, &clear));
}

static void a_hello_of_another_size_is_refused(void)
{
	struct core_hello_a h = sample(), got;
	uint8_t bytes[CORE_HELLO_MOST + 2] = { 0 };
	size_t clear;

	write_hello(&h, bytes, CORE_HELLO_MOST);
	for (size_t size = 0; size < sizeof(bytes); size++) {
		bool fits = size >= SIZE && size <= CORE_HELLO_MOST;

		memset(bytes + PADDING, 0, sizeof(bytes) - PADDING);
		if (size >= PADDING + 2 * CORE_MAC_SIZE)
			set_mac1(bytes, size);
		if (read_hello(&got, bytes, size, &clear) != fits) {
			TAP_NOTE_IF(true, "%zu bytes", size);
			CU_FAIL("the size is taken for another");
		}
	}
}

/* Every row by who knows our name: mac1 is right. */
static void lengths_and_counts_that_lie_are_refused(void)
{
	static const struct {
		size_t at;
		uint8_t value[4];
		size_t size;
		bool good;
		const char *why;
	} row[] = {
		{ OFFER_COUNT, { 1 }, 1, false, "an offer taken for extensions" },
		{ EXTENSIONS_SIZE, { 0, 33 }, 2, false, "an extension cut" },
		{ EXTENSIONS_SIZE, { 0, 1 }, 2, false, "a type without a size" },
		{ EXTENSIONS_SIZE,
		  { 0xff, 0xff },
		  2,
		  false,
		  "extensions beyond the end" },
		{ EXTENSIONS, { 1, 33 }, 2, false, "our id with 33 bytes" },
		{ EXTENSIONS, { 1, 31 }, 2, false, "our id with 31 bytes" },
		{ EXTENSIONS, { 1, 255 }, 2, false, "an extension beyond the others" },
		{ EXTENSIONS, { 2, 32 }, 2, false, "unknown and critical" },
		{ EXTENSIONS, { 0x7f, 32 }, 2, false, "the last critical one" },
		{ EXTENSIONS, { 0x80, 32 }, 2, true, "unknown, not critical" },
		{ EXTENSIONS, { 0xff, 32 }, 2, true, "the last of these" },
		{ KEYS_SIZE, { 0xff, 0xff }, 2, false, "keys beyond the end" },
		{ KEYS_SIZE,
		  { 0, KEYS_SAMPLE + 1 },
		  2,
		  true,
		  "one byte of padding more" },
		{ KEYS_SIZE, { 0, 3 }, 2, false, "keys taken for padding" },
		{ PADDING, { 1 }, 1, false, "the first byte of padding" },
		{ SIZE - 2 * CORE_MAC_SIZE - 1, { 0x80 }, 1, false, "the last of it" },
		{ VERSIONS,
		  { 9, 0 },
		  2,
		  true,
		  "versions are for the handshake to judge" },
		{ PATTERN, { 255 }, 1, true, "patterns too" },
	};

	for (size_t i = 0; i < COUNT(row); i++) {
		struct core_hello_a h = sample(), got;
		uint8_t bytes[CORE_HELLO_MOST];
		size_t clear;
		bool good;

		write_hello(&h, bytes, sizeof(bytes));
		memcpy(bytes + row[i].at, row[i].value, row[i].size);
		set_mac1(bytes, SIZE);
		good = read_hello(&got, bytes, SIZE, &clear);
		TAP_NOTE_IF(good != row[i].good, "row %zu: %s", i, row[i].why);
		CU_ASSERT_EQUAL(good, row[i].good);
	}
}

/* What our own writer would not write: any counts, extensions and sizes that fit
 * together. */
static void counts_and_sizes_have_bounds(void)
{
	static const uint8_t id[2 * (2 + MUSES_ID_SIZE)] = { 1, MUSES_ID_SIZE };
	static const struct {
		size_t offers;
		uint8_t extension[2]; /* Type and size; the second one. */
		size_t extensions, keys;
		bool good;
		const char *why;
	} row[] = {
		{ 1, { 0 }, 0, 0, true, "the least" },
		{ 0, { 0 }, 0, 100, false, "no offers" },
		{ CORE_OFFERS_MAX, { 0 }, 0, 100, true, "the most offers" },
		{ CORE_OFFERS_MAX + 1, { 0 }, 0, 100, false, "one more" },
		{ 255, { 0 }, 0, 0, false, "as many as can be said" },
		{ 1, { 0 }, 34, 100, true, "our id" },
		{ 1, { 1, 32 }, 68, 100, false, "our id twice" },
		{ 1, { 0x81, 32 }, 68, 100, true, "the second not critical" },
		{ 1, { 0x80, 0 }, 36, 100, true, "an empty one" },
		{ 1, { 0x80, 1 }, 36, 100, false, "one that ends outside" },
		{ 1, { 0x80, 1 }, 35, 100, false, "a type without a size" },
		{ 1, { 0 }, 0, MUSES_KEYS_MESSAGE_MAX, true, "the most keys" },
		{ 1, { 0 }, 0, MUSES_KEYS_MESSAGE_MAX + 1, false, "one more byte" },
	};
	struct core_hello_a got;
	uint8_t bytes[3000];
	size_t clear;

	for (size_t i = 0; i < COUNT(row); i++) {
		struct muses_writer w = muses_writer(bytes, sizeof(bytes));
		uint8_t extension[sizeof(id)];
		bool good;

		memset(bytes, 0, sizeof(bytes));
		muses_write_space(&w, DESTINATION);
		muses_write(&w, self.bytes, MUSES_ID_SIZE);
		muses_write_space(&w, OFFER_COUNT - PARTIAL);
		muses_write_u8(&w, (uint8_t)row[i].offers);
		muses_write_space(&w, CORE_OFFER_SIZE * row[i].offers);
		memcpy(extension, id, sizeof(id));
		memcpy(extension + 2 + MUSES_ID_SIZE, row[i].extension, 2);
		muses_write_u16(&w, (uint16_t)row[i].extensions);
		muses_write(&w, extension, row[i].extensions);
		muses_write_u16(&w, (uint16_t)row[i].keys);
		muses_write(&w, keys, row[i].keys);
		while (muses_written(&w) < CORE_HELLO_LEAST)
			muses_write_u8(&w, 0);
		muses_write_space(&w, 2 * CORE_MAC_SIZE);
		set_mac1(bytes, muses_written(&w));
		good = read_hello(&got, bytes, muses_written(&w), &clear);
		TAP_NOTE_IF(good != row[i].good, "row %zu: %s", i, row[i].why);
		CU_ASSERT_EQUAL(good, row[i].good);
	}
}

static void our_id_has_32_bytes(void)
{
	struct core_hello_a h = sample(), got;
	uint8_t bytes[CORE_HELLO_MOST], *end;
	size_t clear;

	write_hello(&h, bytes, sizeof(bytes));
	for (size_t size = 0; size < 60; size++) {
		bool good;

		bytes[EXTENSIONS_SIZE + 1] = (uint8_t)(2 + size);
		bytes[EXTENSIONS + 1] = (uint8_t)size;
		end = bytes + EXTENSIONS + 2 + size;
		memset(end, 0, SIZE - (size_t)(end - bytes)); /* No keys. */
		set_mac1(bytes, SIZE);
		good = read_hello(&got, bytes, SIZE, &clear);
		CU_ASSERT_EQUAL(good, size == MUSES_ID_SIZE);
	}
}

static void the_prologue_covers_every_clear_byte(void)
{
	struct core_hello_a h = sample();
	uint8_t bytes[CORE_HELLO_MOST], changed[CORE_HELLO_MOST];
	uint8_t expected[CORE_PROLOGUE_SIZE], got[CORE_PROLOGUE_SIZE];

	write_hello(&h, bytes, sizeof(bytes));
	core_hello_prologue(bytes, CLEAR, expected);
	CU_ASSERT_EQUAL(memcmp(expected, "MUSEs/1", 7), 0);
	for (size_t at = 0; at < SIZE; at++) {
		/* What is known only when the message is whole is not covered, nor what
		 * comes after the clear part. */
		bool covered = at < CORE_HEADER_SEQUENCE ||
		               (at >= CORE_HEADER_BYTES && at < CLEAR);
		bool same;

		memcpy(changed, bytes, sizeof(changed));
		changed[at] ^= 0x10;
		core_hello_prologue(changed, CLEAR, got);
		same = memcmp(got, expected, sizeof(got)) == 0;
		TAP_NOTE_IF(same == covered, "byte %zu", at);
		CU_ASSERT_NOT_EQUAL(same, covered);
	}
	core_hello_prologue(bytes, CLEAR - 1, got);
	CU_ASSERT_NOT_EQUAL(memcmp(got, expected, sizeof(got)), 0);
}

static void mac2_shows_the_cookie(void)
{
	static const uint8_t cookie[16] = { 'c', 'o' }, other[16] = { 'c', 'a' };
	struct core_hello_a h = sample(), got;
	uint8_t bytes[CORE_HELLO_MOST];
	size_t clear;

	write_hello(&h, bytes, sizeof(bytes));
	CU_ASSERT(!core_hello_check_mac2(bytes, SIZE, cookie));
	core_hello_set_mac2(bytes, SIZE, cookie);
	CU_ASSERT(core_hello_check_mac2(bytes, SIZE, cookie));
	CU_ASSERT(!core_hello_check_mac2(bytes, SIZE, other));
	CU_ASSERT(read_hello(&got, bytes, SIZE, &clear));
	for (size_t at = 0; at < SIZE; at++) {
		bytes[at] ^= 1;
		CU_ASSERT(!core_hello_check_mac2(bytes, SIZE, cookie));
		bytes[at] ^= 1;
	}
}

static const struct tap_test tests[] = {
	{ "a HELLO_A is read back", a_hello_is_read_back },
	{ "a HELLO_A of any size is read back", a_hello_of_any_size_is_read_back },
	{ "a HELLO_A that does not fit is not written",
	  a_hello_that_does_not_fit_is_not_written },
	{ "only who knows our name is heard", only_who_knows_our_name_is_heard },
	{ "a HELLO_A of another size is refused", a_hello_of_another_size_is_refused },
	{ "lengths and counts that lie are refused",
	  lengths_and_counts_that_lie_are_refused },
	{ "counts and sizes have bounds", counts_and_sizes_have_bounds },
	{ "our id has 32 bytes", our_id_has_32_bytes },
	{ "the prologue covers every clear byte", the_prologue_covers_every_clear_byte },
	{ "mac2 shows the cookie", mac2_shows_the_cookie },
	TAP_END,
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, "core_hello", tests);
}
