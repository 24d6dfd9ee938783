/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mistakes that OpenSSL lets its user make, tried on every suite.  Left alone,
 * EVP seals twice under one nonce, accepts a ChaCha20-Poly1305 packet without a
 * tag or with a tag of one byte, keeps the tag of the packet before, leaves the
 * plain text of a forgery behind, and computes wrong HMACs without a word.
 */
#include "tests/suites.h"

#include "core/mem.h"
#include "tests/tap.h"

#include <openssl/crypto.h>
#include <openssl/err.h>

#include <stdlib.h>
#include <string.h>

static const char aad[] = "the header of a packet";
static uint8_t plain[MUSES_PACKET_MAX + 1], sealed[MUSES_PACKET_MAX + 1],
	copy[MUSES_PACKET_MAX + 1];

/* ---- counting and failing what OpenSSL allocates ----------------------------- */

static uint64_t openssl_allocations;
static uint64_t openssl_fuse; /* The allocation that fails, counted from 1; 0: none. */

static bool blows(void)
{
	openssl_allocations++;
	return openssl_fuse > 0 && --openssl_fuse == 0;
}

static void *openssl_malloc(size_t size, const char *file, int line)
{
	(void)file;
	(void)line;
	return blows() ? NULL : malloc(size);
}

static void *openssl_realloc(void *p, size_t size, const char *file, int line)
{
	(void)file;
	(void)line;
	return blows() ? NULL : realloc(p, size);
}

static void openssl_free(void *p, const char *file, int line)
{
	(void)file;
	(void)line;
	free(p);
}

/* ---- the traps ----------------------------------------------------------------- */

static void a_number_is_sealed_once(void)
{
	static const struct {
		uint64_t seq;
		size_t size;
		int err;
		const char *why;
	} step[] = {
		{ 0, 10, 0, "the first" },
		{ 0, 10, MUSES_EUSAGE, "the first again" },
		{ 1, MUSES_PACKET_MAX + 1, MUSES_EUSAGE, "too large" },
		{ 1, 10, 0, "the refused number was not used up" },
		{ 0, 10, MUSES_EUSAGE, "lower" },
		{ 1, 10, MUSES_EUSAGE, "again" },
		{ 1000, 10, 0, "a jump" },
		{ 999, 10, MUSES_EUSAGE, "in between, never used, still lower" },
		{ (UINT64_C(1) << 62) - 1, 10, 0, "the last number of the protocol" },
		{ UINT64_MAX, 10, 0, "the last number of the machine" },
		{ UINT64_MAX, 10, MUSES_EUSAGE, "again, no wrap" },
		{ 0, 10, MUSES_EUSAGE, "no wrap" },
	};
	const struct muses_suite *s;
	size_t size;

	for (size_t i = 0; (s = suites_at(i)) != NULL; i++) {
		void *key = suites_key(s, MUSES_SEALING, 6);

		for (size_t k = 0; k < sizeof(step) / sizeof(step[0]); k++) {
			int err = suites_seal(s, key, step[k].seq, aad, plain,
			                      step[k].size, sealed, &size);

			TAP_NOTE_IF(err != step[k].err, "%s: %s", s->name, step[k].why);
			CU_ASSERT_EQUAL(err, step[k].err);
		}
		s->key_close(key);
	}
}

static void sizes_beyond_the_bound_are_refused(void)
{
	const struct muses_suite *s;
	size_t size = 0, room;
	struct iovec huge[2] = { { plain, 1 }, { plain, SIZE_MAX } };

	for (size_t i = 0; (s = suites_at(i)) != NULL; i++) {
		struct suites_pair p = suites_pair_open(s, 7);

		room = MUSES_PACKET_MAX - s->overhead;
		CU_ASSERT_EQUAL(
			suites_seal(s, p.seal, 1, aad, plain, room + 1, sealed, &size),
			MUSES_EUSAGE);
		CU_ASSERT_EQUAL(s->seal(p.seal, 1, NULL, 0, huge, 2, sealed, &size),
		                MUSES_EUSAGE);
		CU_ASSERT_EQUAL(s->seal(p.seal, 1, plain, MUSES_PACKET_MAX + 1, huge, 1,
		                        sealed, &size),
		                MUSES_EUSAGE);
		CU_ASSERT_EQUAL(
			suites_seal(s, p.seal, 1, aad, plain, room, sealed, &size), 0);
		memset(copy, 1, sizeof(copy));
		CU_ASSERT_EQUAL(suites_open(s, p.open, 1, aad, copy, sizeof(copy), &size),
		                MUSES_EAUTH);
		CU_ASSERT(suites_all_zero(copy, sizeof(copy)));
		suites_pair_close(&p);
	}
}

/* Packets in any order, bad ones in between: each opens as if it were alone. */
static void refusals_leave_no_trace(void)
{
	enum { PACKETS = 8, SIZE = 90 };
	static uint8_t packet[PACKETS][SIZE + 40];
	static const uint8_t order[] = { 3, 0, 7, 1, 2, 6, 5, 4 };
	const struct muses_suite *s;
	size_t size = 0, opened;

	for (size_t i = 0; (s = suites_at(i)) != NULL; i++) {
		struct suites_pair p = suites_pair_open(s, 10);

		for (size_t k = 0; k < PACKETS; k++) {
			suites_fill(plain, SIZE, (uint32_t)k);
			suites_seal(s, p.seal, k, aad, plain, SIZE, packet[k], &size);
		}
		for (size_t k = 0; k < PACKETS; k++) {
			size_t n = order[k];

			memcpy(copy, packet[n], size);
			copy[size - 1] ^= 1;
			if (s->tag_size > 0)
				CU_ASSERT_EQUAL(suites_open(s, p.open, n, aad, copy, size,
				                            &opened),
				                MUSES_EAUTH);
			suites_fill(plain, SIZE, (uint32_t)n);
			CU_ASSERT_EQUAL(
				suites_open(s, p.open, n, aad, packet[n], size, &opened),
				0);
			CU_ASSERT_EQUAL(opened, SIZE);
			CU_ASSERT_EQUAL(memcmp(packet[n], plain, SIZE), 0);
		}
		suites_pair_close(&p);
	}
}

/* Sealing must not depend on what the context did before. */
static void a_used_context_seals_like_a_new_one(void)
{
	enum { SIZE = 75 };
	const struct muses_suite *s;
	size_t size, again;

	suites_fill(plain, SIZE, 1);
	for (size_t i = 0; (s = suites_at(i)) != NULL; i++) {
		void *used = suites_key(s, MUSES_SEALING, 1);

		for (uint64_t seq = 0; seq < 40; seq++) {
			void *fresh = suites_key(s, MUSES_SEALING, 1);
			size_t part = SIZE - (size_t)seq;

			suites_seal(s, used, seq, aad, plain, part, sealed, &size);
			suites_seal(s, fresh, seq, aad, plain, part, copy, &again);
			CU_ASSERT_EQUAL(size, again);
			CU_ASSERT_EQUAL(memcmp(sealed, copy, size), 0);
			s->key_close(fresh);
		}
		s->key_close(used);
	}
}

/* Two packets of zeros show their key streams, which must have nothing in
 * common. */
static void each_number_has_a_key_stream_of_its_own(void)
{
	enum { SIZE = 256 };
	const struct muses_suite *s;
	size_t size, same;

	memset(plain, 0, SIZE);
	for (size_t i = 0; (s = suites_at(i)) != NULL; i++) {
		void *key = suites_key(s, MUSES_SEALING, 2);

		suites_seal(s, key, 1, aad, plain, SIZE, copy, &size);
		for (unsigned bit = 1; bit < 62 && s->tag_size > 0; bit++) {
			suites_seal(s, key, UINT64_C(1) << bit, aad, plain, SIZE, sealed,
			            &size);
			same = 0;
			for (size_t at = 0; at < SIZE; at += 16)
				for (size_t to = 0; to < SIZE; to += 16)
					same += memcmp(sealed + at, copy + to, 16) == 0;
			TAP_NOTE_IF(same > 0, "%s, bit %u", s->name, bit);
			CU_ASSERT_EQUAL(same, 0);
		}
		s->key_close(key);
	}
}

/* After a good packet, whose tag EVP remembers: the same bytes with no tag, with
 * a part of the tag, with 16 bytes of garbage. */
static void a_tag_is_always_compared_whole(void)
{
	enum { SIZE = 64 };
	const struct muses_suite *s;
	size_t size, opened;

	suites_fill(plain, SIZE, 3);
	for (size_t i = 0; (s = suites_at(i)) != NULL; i++) {
		struct suites_pair p = suites_pair_open(s, 3);

		suites_seal(s, p.seal, 5, aad, plain, SIZE, sealed, &size);
		for (size_t true_bytes = 0; true_bytes < s->tag_size; true_bytes++) {
			size_t cut = size - s->tag_size + true_bytes;

			memcpy(copy, sealed, size);
			CU_ASSERT_EQUAL(
				suites_open(s, p.open, 5, aad, copy, size, &opened), 0);
			memcpy(copy, sealed, size);
			CU_ASSERT_EQUAL(
				suites_open(s, p.open, 5, aad, copy, cut, &opened),
				MUSES_EAUTH);
			memcpy(copy, sealed, size);
			for (size_t k = cut; k < size; k++)
				copy[k] ^= 0x55;
			CU_ASSERT_EQUAL(
				suites_open(s, p.open, 5, aad, copy, size, &opened),
				MUSES_EAUTH);
			CU_ASSERT(suites_all_zero(copy, size));
		}
		suites_pair_close(&p);
	}
}

/* The same bytes must not pass for others when the border between additional
 * data, number and packet moves. */
static void the_border_of_the_additional_data_is_bound(void)
{
	enum { SIZE = 48 };
	const struct muses_suite *s;
	size_t size, opened;

	suites_fill(plain, SIZE, 4);
	for (size_t i = 0; (s = suites_at(i)) != NULL; i++) {
		struct suites_pair p = suites_pair_open(s, 4);
		uint8_t longer[64];

		if (s->tag_size == 0) {
			suites_pair_close(&p);
			continue;
		}
		suites_seal(s, p.seal, 0x6161616161616161, "aaaaaaaaaaaaaaaa", plain,
		            SIZE, sealed, &size);
		for (size_t move = 1; move <= 16; move++) {
			memset(longer, 'a', sizeof(longer));
			memcpy(longer + 16, sealed, move);
			memcpy(copy, sealed + move, size - move);
			CU_ASSERT_EQUAL(s->open(p.open, 0x6161616161616161, longer,
			                        16 + move, copy, size - move, &opened),
			                MUSES_EAUTH);
			memset(copy, 'a', move);
			memcpy(copy + move, sealed, size);
			CU_ASSERT_EQUAL(s->open(p.open, 0x6161616161616161, longer,
			                        16 - move, copy, size + move, &opened),
			                MUSES_EAUTH);
		}
		suites_pair_close(&p);
	}
}

static void a_refusal_leaves_no_error_behind(void)
{
	const struct muses_suite *s;
	size_t opened;

	ERR_clear_error();
	for (size_t i = 0; (s = suites_at(i)) != NULL; i++) {
		void *key = suites_key(s, MUSES_OPENING, 5);

		for (size_t size = 0; size < 100; size++) {
			suites_fill(copy, size, 6);
			suites_open(s, key, 1, aad, copy, size, &opened);
			CU_ASSERT_EQUAL(ERR_peek_error(), 0);
		}
		s->key_close(key);
	}
}

/* Not by us; by OpenSSL only the two copies of a state that its HMAC makes. */
static void packets_allocate_nothing(void)
{
	enum { PACKETS = 100, SIZE = 1400 };
	const struct muses_suite *s;
	size_t size, opened;

	if (openssl_allocations == 0) {
		tap_skip("OpenSSL does not let its allocations be counted");
		return;
	}
	suites_fill(plain, SIZE, 7);
	for (size_t i = 0; (s = suites_at(i)) != NULL; i++) {
		struct suites_pair p = suites_pair_open(s, 6);
		uint64_t ours = core_mem_total(), theirs, most;

		theirs = openssl_allocations;
		for (uint64_t seq = 0; seq < PACKETS; seq++) {
			suites_seal(s, p.seal, seq, aad, plain, SIZE, sealed, &size);
			memcpy(copy, sealed, size);
			CU_ASSERT_EQUAL(
				suites_open(s, p.open, seq, aad, copy, size, &opened), 0);
			suites_open(s, p.open, seq, aad, copy, size,
			            &opened); /* Refused. */
		}
		most = s->mac_size > 0 ? 3 * 2 * PACKETS : 0;
		TAP_NOTE_IF(openssl_allocations - theirs > most, "%s: %llu in %d packets",
		            s->name, (unsigned long long)(openssl_allocations - theirs),
		            PACKETS);
		CU_ASSERT(openssl_allocations - theirs <= most);
		CU_ASSERT_EQUAL(core_mem_total(), ours);
		suites_pair_close(&p);
	}
}

static void a_context_gives_all_back(void)
{
	const struct muses_suite *s;
	uint64_t before = core_mem_count();

	for (size_t i = 0; (s = suites_at(i)) != NULL; i++) {
		struct suites_pair p = suites_pair_open(s, 7);

		suites_pair_close(&p);
	}
	CU_ASSERT_EQUAL(core_mem_count(), before);
}

/* Each allocation fails once, ours and OpenSSL's. */
static void no_memory_means_no_context(void)
{
	const struct muses_suite *s;
	struct muses_key_material material;

	for (size_t i = 0; (s = suites_at(i)) != NULL; i++) {
		uint64_t before = core_mem_count();
		void *key = NULL;

		suites_material(s, 8, &material);
		core_mem_fuse(1);
		CU_ASSERT_PTR_NULL(s->key_open(s, MUSES_SEALING, &material));
		CU_ASSERT(core_mem_blown());
		core_mem_fuse(0);
		for (uint64_t n = 1; key == NULL && n < 200; n++) {
			openssl_fuse = n;
			key = s->key_open(s, MUSES_SEALING, &material);
			CU_ASSERT_EQUAL(core_mem_count(), before + (key != NULL));
			CU_ASSERT_EQUAL(ERR_peek_error(), 0);
			openssl_fuse = 0;
		}
		CU_ASSERT_PTR_NOT_NULL(key);
		s->key_close(key);
	}
}

static const struct tap_test tests[] = {
	{ "a number is sealed once", a_number_is_sealed_once },
	{ "sizes beyond the bound are refused", sizes_beyond_the_bound_are_refused },
	{ "refusals leave no trace", refusals_leave_no_trace },
	{ "a used context seals like a new one", a_used_context_seals_like_a_new_one },
	{ "each number has a key stream of its own",
	  each_number_has_a_key_stream_of_its_own },
	{ "a tag is always compared whole", a_tag_is_always_compared_whole },
	{ "the border of the additional data is bound",
	  the_border_of_the_additional_data_is_bound },
	{ "a refusal leaves no error behind", a_refusal_leaves_no_error_behind },
	{ "packets allocate nothing", packets_allocate_nothing },
	{ "a context gives all back", a_context_gives_all_back },
	{ "no memory means no context", no_memory_means_no_context },
	TAP_END,
};

int main(int argc, char **argv)
{
	/* Before OpenSSL allocates anything; refused afterwards. */
	CRYPTO_set_mem_functions(openssl_malloc, openssl_realloc, openssl_free);
	return tap_main(argc, argv, "suites_traps", tests);
}
