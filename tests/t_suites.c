/* SPDX-License-Identifier: Apache-2.0 */
/* What every suite of every security plugin must do, whatever it is made of. */
#include "tests/suites.h"

#include "core/mem.h"
#include "tests/tap.h"

#include <stdlib.h>
#include <string.h>

static const char aad[] = "the header of a packet";
static uint8_t plain[MUSES_PACKET_MAX + 1], sealed[MUSES_PACKET_MAX + 1],
	copy[MUSES_PACKET_MAX + 1];

static void records_make_sense(void)
{
	const struct muses_suite *s, *t;

	for (size_t i = 0; (s = suites_at(i)) != NULL; i++) {
		CU_ASSERT(s->id != 0 && s->name != NULL);
		CU_ASSERT(s->key_size <= MUSES_KEY_MAX && s->mac_size <= MUSES_KEY_MAX);
		CU_ASSERT(s->overhead >= s->tag_size);
		CU_ASSERT(s->insecure || (s->key_size >= 16 && s->tag_size >= 16));
		CU_ASSERT(s->soft_packets > 0 && s->soft_packets < s->hard_packets);
		CU_ASSERT(s->soft_bytes > 0 && s->most_failed > 0);
		CU_ASSERT(s->answer_count > 0);
		for (size_t j = 0; j < i; j++) {
			t = suites_at(j);
			CU_ASSERT(t->id != s->id && strcmp(t->name, s->name) != 0);
		}
		s->key_close(NULL);
	}
}

static void ids_are_those_of_the_protocol(void)
{
	static const struct {
		const char *name;
		uint16_t id;
	} row[] = {
		{ "chacha20_poly1305", 0x0001 },
		{ "aes_128_gcm", 0x0002 },
		{ "aes_256_gcm", 0x0003 },
		{ "aes_128_ctr_hmac_sha256", 0x0011 },
		{ "aes_128_cbc_hmac_sha256", 0x0012 },
		{ "aes_256_ctr_hmac_sha256", 0x0013 },
		{ "aes_256_cbc_hmac_sha256", 0x0014 },
		{ "aes_128_ctr_hmac_sha1", 0x0021 },
		{ "aes_128_cbc_hmac_sha1", 0x0022 },
		{ "aes_256_ctr_hmac_sha1", 0x0023 },
		{ "aes_256_cbc_hmac_sha1", 0x0024 },
		{ "null", 0x00ff },
	};
	size_t count = 0;

	while (suites_at(count) != NULL)
		count++;
	CU_ASSERT_EQUAL(count, sizeof(row) / sizeof(row[0]));
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		const struct muses_suite *s = suites_named(row[i].name);

		CU_ASSERT_PTR_NOT_NULL_FATAL(s);
		CU_ASSERT_EQUAL(s->id, row[i].id);
		CU_ASSERT_EQUAL(s->insecure, row[i].id == 0x00ff);
	}
}

static void known_answers_are_given(void)
{
	const struct muses_suite *s;
	size_t size;

	for (size_t i = 0; (s = suites_at(i)) != NULL; i++)
		for (size_t j = 0; j < s->answer_count; j++) {
			const struct muses_known_answer *a = &s->answers[j];
			struct iovec iov = { (void *)a->plain, a->plain_size };
			void *seal = s->key_open(s, MUSES_SEALING, &a->material);
			void *open = s->key_open(s, MUSES_OPENING, &a->material);
			int err = s->seal(seal, a->seq, a->aad, a->aad_size, &iov, 1,
			                  sealed, &size);

			TAP_NOTE_IF(err != 0, "%s, %s", s->name, a->source);
			CU_ASSERT_EQUAL(err, 0);
			CU_ASSERT_EQUAL(size, a->sealed_size);
			CU_ASSERT_EQUAL(memcmp(sealed, a->sealed, a->sealed_size), 0);
			err = s->open(open, a->seq, a->aad, a->aad_size, sealed, size,
			              &size);
			CU_ASSERT_EQUAL(err, 0);
			CU_ASSERT_EQUAL(size, a->plain_size);
			CU_ASSERT_EQUAL(memcmp(sealed, a->plain, a->plain_size), 0);
			s->key_close(seal);
			s->key_close(open);
		}
}

/* Also: plain is not touched, nothing is written behind the room asked for. */
static void packets_of_every_size_open_again(void)
{
	static const size_t large[] = { 255,
		                        256,
		                        257,
		                        1199,
		                        1200,
		                        1399,
		                        1400,
		                        1401,
		                        4095,
		                        8191,
		                        16383,
		                        16384,
		                        16385,
		                        32767,
		                        60000,
		                        64999,
		                        65000,
		                        65499,
		                        MUSES_PACKET_MAX };
	const struct muses_suite *s;
	size_t size, opened;

	for (size_t i = 0; (s = suites_at(i)) != NULL; i++) {
		struct suites_pair p = suites_pair_open(s, 1);

		for (size_t k = 0; k < 100 + sizeof(large) / sizeof(large[0]); k++) {
			size_t want = k < 100 ? k : large[k - 100];
			int err;

			if (want > (size_t)MUSES_PACKET_MAX - s->overhead)
				want = MUSES_PACKET_MAX - s->overhead;
			suites_fill(plain, want, (uint32_t)k);
			memcpy(copy, plain, want);
			memset(sealed, 0xa5, sizeof(sealed));
			err = suites_seal(s, p.seal, k, aad, plain, want, sealed, &size);
			CU_ASSERT_EQUAL(err, 0);
			CU_ASSERT_EQUAL(memcmp(plain, copy, want), 0);
			CU_ASSERT(size >= want + s->tag_size &&
			          size <= want + s->overhead);
			CU_ASSERT_EQUAL(sealed[want + s->overhead], 0xa5);
			CU_ASSERT(s->insecure || want < 16 ||
			          memcmp(sealed, plain, want) != 0);
			err = suites_open(s, p.open, k, aad, sealed, size, &opened);
			TAP_NOTE_IF(err != 0, "%s, %zu bytes", s->name, want);
			CU_ASSERT_EQUAL(err, 0);
			CU_ASSERT_EQUAL(opened, want);
			CU_ASSERT_EQUAL(memcmp(sealed, plain, want), 0);
		}
		suites_pair_close(&p);
	}
}

/* Seal the first size bytes of plain in pieces, with a key of its own, and
 * compare with what is in copy. */
static bool same_in_pieces(const struct muses_suite *s, const size_t *cut, size_t cuts,
                           size_t size, size_t expected_size)
{
	void *key = suites_key(s, MUSES_SEALING, 2);
	struct iovec iov[16];
	size_t at = 0, sealed_size = 0;
	int err;

	for (size_t i = 0; i <= cuts; i++) {
		size_t end = i < cuts ? cut[i] : size;

		iov[i].iov_base = end > at ? plain + at : NULL;
		iov[i].iov_len = end - at;
		at = end;
	}
	err = s->seal(key, 9, (const uint8_t *)aad, strlen(aad), iov, cuts + 1, sealed,
	              &sealed_size);
	s->key_close(key);
	return err == 0 && sealed_size == expected_size &&
	       memcmp(sealed, copy, sealed_size) == 0;
}

static void pieces_make_no_difference(void)
{
	enum { SHORT = 50, LONG = 60000, CUTS = 12 };
	const struct muses_suite *s;
	size_t size, wrong;
	void *key;

	suites_fill(plain, LONG, 5);
	for (size_t i = 0; (s = suites_at(i)) != NULL; i++) {
		wrong = 0;
		key = suites_key(s, MUSES_SEALING, 2);
		suites_seal(s, key, 9, aad, plain, SHORT, copy, &size);
		s->key_close(key);
		for (size_t a = 0; a <= SHORT; a++)
			for (size_t b = a; b <= SHORT; b++)
				wrong += !same_in_pieces(s, (size_t[]){ a, b }, 2, SHORT,
				                         size);
		key = suites_key(s, MUSES_SEALING, 2);
		suites_seal(s, key, 9, aad, plain, LONG, copy, &size);
		s->key_close(key);
		for (uint32_t round = 0; round < 20; round++) {
			size_t cut[CUTS], at = 0;
			uint8_t dice[CUTS];

			suites_fill(dice, CUTS, round);
			for (size_t c = 0; c < CUTS; c++)
				cut[c] = at += dice[c] * 19u;
			wrong += !same_in_pieces(s, cut, CUTS, LONG, size);
		}
		TAP_NOTE_IF(wrong > 0, "%s: %zu ways to cut gave other bytes", s->name,
		            wrong);
		CU_ASSERT_EQUAL(wrong, 0);
	}
}

static void no_bytes_at_all_can_be_sealed(void)
{
	const struct muses_suite *s;
	size_t size = 0, opened = 1;

	for (size_t i = 0; (s = suites_at(i)) != NULL; i++) {
		struct suites_pair p = suites_pair_open(s, 3);

		CU_ASSERT_EQUAL(s->seal(p.seal, 0, NULL, 0, NULL, 0, sealed, &size), 0);
		CU_ASSERT(size >= s->tag_size && size <= s->overhead);
		CU_ASSERT_EQUAL(s->open(p.open, 0, NULL, 0, sealed, size, &opened), 0);
		CU_ASSERT_EQUAL(opened, 0);
		suites_pair_close(&p);
	}
}

/* Every bit of the packet, of the additional data and of the number. */
static void one_flipped_bit_is_refused(void)
{
	enum { SIZE = 37, SEQ = 77 };
	const struct muses_suite *s;
	size_t size, opened;

	suites_fill(plain, SIZE, 6);
	for (size_t i = 0; (s = suites_at(i)) != NULL; i++) {
		struct suites_pair p = suites_pair_open(s, 4);
		size_t wrong = 0;

		if (s->tag_size == 0) {
			suites_pair_close(&p);
			continue;
		}
		suites_seal(s, p.seal, SEQ, aad, plain, SIZE, sealed, &size);
		for (size_t bit = 0; bit < 8 * (size + strlen(aad) + 8); bit++) {
			char other[sizeof(aad)];
			uint64_t seq = SEQ;
			size_t byte = bit / 8;
			int err;

			memcpy(copy, sealed, size);
			memcpy(other, aad, sizeof(aad));
			if (byte < size)
				copy[byte] ^= (uint8_t)(1 << bit % 8);
			else if (byte - size < strlen(aad))
				other[byte - size] ^= (char)(1 << bit % 8);
			else
				seq ^= UINT64_C(1) << (bit - 8 * (size + strlen(aad)));
			err = s->open(p.open, seq, (uint8_t *)other, strlen(aad), copy,
			              size, &opened);
			wrong += err != MUSES_EAUTH || !suites_all_zero(copy, size);
		}
		TAP_NOTE_IF(wrong > 0, "%s: %zu bits did not matter", s->name, wrong);
		CU_ASSERT_EQUAL(wrong, 0);
		CU_ASSERT_EQUAL(suites_open(s, p.open, SEQ, aad, sealed, size, &opened),
		                0);
		CU_ASSERT_EQUAL(memcmp(sealed, plain, SIZE), 0);
		suites_pair_close(&p);
	}
}

static void another_length_is_refused(void)
{
	enum { SIZE = 40 };
	const struct muses_suite *s;
	size_t size, opened;

	suites_fill(plain, SIZE, 7);
	for (size_t i = 0; (s = suites_at(i)) != NULL; i++) {
		struct suites_pair p = suites_pair_open(s, 5);
		size_t wrong = 0;

		suites_seal(s, p.seal, 1, aad, plain, SIZE, sealed, &size);
		for (size_t other = 0; other <= size + 40 && s->tag_size > 0; other++) {
			memset(copy, 0, other);
			memcpy(copy, sealed, other < size ? other : size);
			if (other == size)
				continue;
			wrong += suites_open(s, p.open, 1, aad, copy, other, &opened) !=
			                 MUSES_EAUTH ||
			         !suites_all_zero(copy, other);
			/* The true tag at the end of a shorter or longer packet. */
			if (other < s->tag_size)
				continue;
			memset(copy, 0, other);
			memcpy(copy, sealed, other < size ? other : size);
			memcpy(copy + other - s->tag_size, sealed + size - s->tag_size,
			       s->tag_size);
			wrong += suites_open(s, p.open, 1, aad, copy, other, &opened) !=
			         MUSES_EAUTH;
		}
		TAP_NOTE_IF(wrong > 0, "%s: %zu lengths were accepted", s->name, wrong);
		CU_ASSERT_EQUAL(wrong, 0);
		suites_pair_close(&p);
	}
}

/* Change one byte of each part of the key material in turn. */
static void every_part_of_the_key_matters(void)
{
	const struct muses_suite *s;
	size_t size, opened;

	suites_fill(plain, 100, 8);
	for (size_t i = 0; (s = suites_at(i)) != NULL; i++) {
		void *seal = suites_key(s, MUSES_SEALING, 8);
		size_t parts = (size_t)s->key_size + s->mac_size;

		suites_seal(s, seal, 1, aad, plain, 100, sealed, &size);
		for (size_t byte = 0; byte < parts; byte++) {
			struct muses_key_material other;
			void *open;
			int err;

			suites_material(s, 8, &other);
			if (byte < s->key_size)
				other.key[byte] ^= 0x10;
			else
				other.mac[byte - s->key_size] ^= 0x10;
			open = s->key_open(s, MUSES_OPENING, &other);
			memcpy(copy, sealed, size);
			err = suites_open(s, open, 1, aad, copy, size, &opened);
			/* With a MAC of its own, another cipher key gives other bytes. */
			if (s->mac_size == 0 || byte >= s->key_size)
				CU_ASSERT_EQUAL(err, MUSES_EAUTH);
			CU_ASSERT(err != 0 || memcmp(copy, plain, 100) != 0);
			s->key_close(open);
		}
		s->key_close(seal);
	}
}

static void a_context_serves_one_direction(void)
{
	const struct muses_suite *s;
	size_t size, opened;

	for (size_t i = 0; (s = suites_at(i)) != NULL; i++) {
		struct suites_pair p = suites_pair_open(s, 9);

		CU_ASSERT_EQUAL(suites_seal(s, p.open, 1, aad, plain, 10, sealed, &size),
		                MUSES_EUSAGE);
		CU_ASSERT_EQUAL(suites_seal(s, p.seal, 1, aad, plain, 10, sealed, &size),
		                0);
		CU_ASSERT_EQUAL(suites_open(s, p.seal, 1, aad, sealed, size, &opened),
		                MUSES_EAUTH);
		CU_ASSERT(suites_all_zero(sealed, size));
		suites_pair_close(&p);
	}
}

static const struct tap_test tests[] = {
	{ "records make sense", records_make_sense },
	{ "ids are those of the protocol", ids_are_those_of_the_protocol },
	{ "known answers are given", known_answers_are_given },
	{ "packets of every size open again", packets_of_every_size_open_again },
	{ "pieces make no difference", pieces_make_no_difference },
	{ "no bytes at all can be sealed", no_bytes_at_all_can_be_sealed },
	{ "one flipped bit is refused", one_flipped_bit_is_refused },
	{ "another length is refused", another_length_is_refused },
	{ "every part of the key matters", every_part_of_the_key_matters },
	{ "a context serves one direction", a_context_serves_one_direction },
	TAP_END,
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, "suites", tests);
}
