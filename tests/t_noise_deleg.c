/* SPDX-License-Identifier: Apache-2.0 */
/* Delegations and the keys of a period: pure logic of the keys plugin noise. */
#include "plugins/keys/noise/self.h"
#include "tests/tap.h"

#include <muses/err.h>
#include <muses/identity.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define NOW      UINT64_C(1767225600)
#define DAY      (UINT64_C(24) * 3600)

static void make(struct deleg *d, uint8_t *bytes)
{
	static const uint8_t seed[32] = { 1 };

	memset(d, 0, sizeof(*d));
	CU_ASSERT_EQUAL(muses_ed25519_public(seed, d->identity), 0);
	memset(d->x25519, 7, sizeof(d->x25519));
	d->seq = 5;
	d->not_before = NOW - DAY;
	d->not_after = d->not_before + DELEG_LIFETIME_S;
	CU_ASSERT_EQUAL(noise_deleg_sign(d, seed, bytes), 0);
}

static const char *check(const uint8_t *bytes, size_t size, uint64_t now_s)
{
	static const uint8_t seed[32] = { 1 };
	struct muses_id id;
	struct deleg d;
	uint8_t key[32];

	CU_ASSERT_EQUAL(muses_ed25519_public(seed, key), 0);
	CU_ASSERT_EQUAL(muses_key_id(key, &id), 0);
	return noise_deleg_check(&d, bytes, size, &id, now_s, NULL);
}

static void a_delegation_says_what_was_signed(void)
{
	struct deleg made, got;
	uint8_t bytes[DELEG_SIZE];

	make(&made, bytes);
	CU_ASSERT_PTR_NULL(
		noise_deleg_check(&got, bytes, sizeof(bytes), NULL, NOW, NULL));
	CU_ASSERT(memcmp(got.identity, made.identity, 32) == 0);
	CU_ASSERT(memcmp(got.x25519, made.x25519, 32) == 0);
	CU_ASSERT_EQUAL(got.seq, 5);
	CU_ASSERT_EQUAL(got.not_before, made.not_before);
	CU_ASSERT_EQUAL(got.not_after, made.not_after);
	CU_ASSERT_EQUAL(got.caps, 0);
}

/* The layout, once by hand. */
static void a_delegation_has_its_fields_where_the_table_says(void)
{
	struct deleg d;
	uint8_t bytes[DELEG_SIZE];

	make(&d, bytes);
	CU_ASSERT_EQUAL(bytes[0], 1);
	CU_ASSERT_EQUAL(bytes[1], 1);
	CU_ASSERT(memcmp(bytes + 2, d.identity, 32) == 0);
	CU_ASSERT(memcmp(bytes + 34, d.x25519, 32) == 0);
	CU_ASSERT_EQUAL(bytes[73], 5);
	CU_ASSERT_EQUAL(bytes[81], (uint8_t)d.not_before);
	CU_ASSERT_EQUAL(bytes[89], (uint8_t)d.not_after);
}

static void a_delegation_holds_for_its_time(void)
{
	static const struct {
		uint64_t now_s;
		const char *wrong;
	} row[] = {
		{ 0, "delegation not valid yet" },
		{ NOW - DAY - 1, "delegation not valid yet" },
		{ NOW - DAY, NULL },
		{ NOW + 29 * DAY, NULL },
		{ NOW + 29 * DAY + 1, "delegation expired" },
		{ UINT64_MAX, "delegation expired" },
	};
	struct deleg d;
	uint8_t bytes[DELEG_SIZE];

	make(&d, bytes);
	for (size_t i = 0; i < COUNT(row); i++) {
		const char *wrong = check(bytes, sizeof(bytes), row[i].now_s);

		CU_ASSERT((wrong == NULL) == (row[i].wrong == NULL));
		if (wrong != NULL && row[i].wrong != NULL)
			CU_ASSERT_STRING_EQUAL(wrong, row[i].wrong);
		CU_ASSERT_EQUAL(noise_deleg_current(&d, row[i].now_s),
		                row[i].wrong == NULL);
	}
}

static void what_is_not_a_delegation_is_told_apart(void)
{
	static const uint8_t seed[32] = { 1 }, other[32] = { 2 };
	struct deleg d;
	uint8_t bytes[DELEG_SIZE + 1] = { 0 };

	make(&d, bytes);
	for (size_t size = 0; size < DELEG_SIZE; size++)
		CU_ASSERT_STRING_EQUAL(check(bytes, size, NOW),
		                       "delegation of a wrong size");
	CU_ASSERT_STRING_EQUAL(check(bytes, DELEG_SIZE + 1, NOW),
	                       "delegation of a wrong size");
	for (size_t i = 0; i < 2; i++) {
		bytes[i]++;
		CU_ASSERT_STRING_EQUAL(check(bytes, DELEG_SIZE, NOW),
		                       "delegation of an unknown version");
		bytes[i]--;
	}
	CU_ASSERT_EQUAL(noise_deleg_sign(&d, other, bytes), 0);
	CU_ASSERT_STRING_EQUAL(check(bytes, DELEG_SIZE, NOW),
	                       "delegation with a wrong signature");
	d.not_after++;
	CU_ASSERT_EQUAL(noise_deleg_sign(&d, seed, bytes), 0);
	CU_ASSERT_STRING_EQUAL(check(bytes, DELEG_SIZE, NOW), "delegation for too long");
	d.not_after = UINT64_MAX;
	d.not_before = 0;
	CU_ASSERT_EQUAL(noise_deleg_sign(&d, seed, bytes), 0);
	CU_ASSERT_STRING_EQUAL(check(bytes, DELEG_SIZE, NOW), "delegation for too long");
	make(&d, bytes);
	CU_ASSERT_EQUAL(muses_ed25519_public(other, d.identity), 0);
	CU_ASSERT_EQUAL(noise_deleg_sign(&d, other, bytes), 0);
	CU_ASSERT_STRING_EQUAL(check(bytes, DELEG_SIZE, NOW),
	                       "delegation of another node");
}

static void each_bit_of_a_delegation_counts(void)
{
	struct deleg d;
	uint8_t bytes[DELEG_SIZE];

	make(&d, bytes);
	for (size_t bit = 0; bit < 8 * DELEG_SIZE; bit++) {
		bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
		CU_ASSERT_PTR_NOT_NULL(check(bytes, DELEG_SIZE, NOW));
		CU_ASSERT_PTR_NOT_NULL(
			noise_deleg_check(&d, bytes, DELEG_SIZE, NULL, NOW, NULL));
		bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	CU_ASSERT_PTR_NULL(check(bytes, DELEG_SIZE, NOW));
}

/* Under the neutral point as key, R = that point and S = 0 fits any text. */
static void a_key_that_anybody_can_sign_with_delegates_nothing(void)
{
	struct deleg d;
	uint8_t bytes[DELEG_SIZE];

	make(&d, bytes);
	memset(bytes + 2, 0, 32);
	bytes[2] = 1;
	memset(bytes + DELEG_SIZE - 64, 0, 64);
	bytes[DELEG_SIZE - 64] = 1;
	CU_ASSERT_PTR_NOT_NULL_FATAL(
		noise_deleg_check(&d, bytes, DELEG_SIZE, NULL, NOW, NULL));
	CU_ASSERT_STRING_EQUAL(noise_deleg_check(&d, bytes, DELEG_SIZE, NULL, NOW, NULL),
	                       "delegation with a wrong signature");
}

/* The signature of known bytes is not looked at again; everything else is. */
static void known_bytes_are_checked_for_time_and_owner_again(void)
{
	struct deleg d;
	struct muses_id nobody = { { 0 } };
	uint8_t bytes[DELEG_SIZE], other[DELEG_SIZE];

	make(&d, bytes);
	memset(bytes + DELEG_SIZE - 64, 0, 64); /* To see that it is not. */
	memcpy(other, bytes, sizeof(other));
	other[100] ^= 1;
	CU_ASSERT_PTR_NULL(noise_deleg_check(&d, bytes, DELEG_SIZE, NULL, NOW, bytes));
	CU_ASSERT_PTR_NOT_NULL(
		noise_deleg_check(&d, bytes, DELEG_SIZE, NULL, NOW, other));
	CU_ASSERT_PTR_NOT_NULL(
		noise_deleg_check(&d, bytes, DELEG_SIZE, &nobody, NOW, bytes));
	CU_ASSERT_PTR_NOT_NULL(
		noise_deleg_check(&d, bytes, DELEG_SIZE, NULL, NOW + 40 * DAY, bytes));
}

static void what_noise_carried_is_split_in_two(void)
{
	static const struct {
		uint8_t data[8];
		size_t size;
		bool good;
		size_t deleg, payload;
		const char *why;
	} row[] = {
		{ { 0, 0 }, 2, true, 0, 0, "nothing and nothing" },
		{ { 0, 2, 'd', 'd', 'p' }, 5, true, 2, 1, "both" },
		{ { 0, 2, 'd', 'd' }, 4, true, 2, 0, "no payload" },
		{ { 0 }, 0, false, 0, 0, "nothing at all" },
		{ { 0 }, 1, false, 0, 0, "half a size" },
		{ { 0, 3, 'd', 'd' }, 4, false, 0, 0, "one byte short" },
		{ { 0xff, 0xff, 'd', 'd' }, 4, false, 0, 0, "a lie" },
	};

	for (size_t i = 0; i < COUNT(row); i++) {
		struct deleg_parts parts = { 0 };
		bool good = noise_deleg_split(&parts, row[i].data, row[i].size);

		TAP_NOTE_IF(good != row[i].good, "%s", row[i].why);
		CU_ASSERT_EQUAL(good, row[i].good);
		if (!good)
			continue;
		CU_ASSERT_EQUAL(parts.deleg_size, row[i].deleg);
		CU_ASSERT_EQUAL(parts.payload_size, row[i].payload);
		CU_ASSERT_PTR_EQUAL(parts.payload, row[i].data + 2 + row[i].deleg);
	}
}

/* ---- keys of a period ----------------------------------------------------------------
 */

static void keys_follow_the_calendar_and_come_back_after_a_restart(void)
{
	static const uint8_t seed[32] = { 9 };
	struct self a, b;
	struct deleg d;
	uint64_t begin = NOW / SELF_PERIOD_S * SELF_PERIOD_S;
	uint8_t public_key[32];

	CU_ASSERT_EQUAL(noise_self_init(&a, seed), 0);
	CU_ASSERT_EQUAL(noise_self_refresh(&a, begin), 0);
	CU_ASSERT_PTR_NULL(
		noise_deleg_check(&d, a.deleg, DELEG_SIZE, &a.id, begin, NULL));
	CU_ASSERT_EQUAL(d.seq, begin / SELF_PERIOD_S);
	CU_ASSERT_EQUAL(muses_x25519_public(a.now.secret, public_key), 0);
	CU_ASSERT(memcmp(public_key, d.x25519, 32) == 0);
	/* Good from a day before to half a month after its period. */
	CU_ASSERT(noise_deleg_current(&d, begin - DAY));
	CU_ASSERT(!noise_deleg_current(&d, begin - DAY - 1));
	CU_ASSERT(noise_deleg_current(&d, begin + SELF_PERIOD_S + 13 * DAY));
	b = a;
	CU_ASSERT_EQUAL(noise_self_refresh(&a, begin + SELF_PERIOD_S - 1), 0);
	CU_ASSERT(memcmp(&a, &b, sizeof(a)) == 0);
	/* Another process, later in the period. */
	CU_ASSERT_EQUAL(noise_self_init(&b, seed), 0);
	CU_ASSERT_EQUAL(noise_self_refresh(&b, begin + 7 * DAY), 0);
	CU_ASSERT(memcmp(a.deleg, b.deleg, DELEG_SIZE) == 0);
	CU_ASSERT(memcmp(a.now.secret, b.now.secret, 32) == 0);
	/* The next period, and what was before. */
	CU_ASSERT_EQUAL(noise_self_refresh(&b, begin + SELF_PERIOD_S), 0);
	CU_ASSERT(memcmp(a.now.secret, b.before.secret, 32) == 0);
	CU_ASSERT(memcmp(a.now.secret, b.now.secret, 32) != 0);
	CU_ASSERT_PTR_EQUAL(noise_self_key(&b, (uint8_t)(d.seq + 1)), &b.now);
	CU_ASSERT_PTR_EQUAL(noise_self_key(&b, (uint8_t)d.seq), &b.before);
	CU_ASSERT_PTR_NULL(noise_self_key(&b, (uint8_t)(d.seq + 2)));
	CU_ASSERT_PTR_NULL(noise_self_key(&b, (uint8_t)(d.seq - 1)));
	/* A clock that was set back. */
	CU_ASSERT_EQUAL(noise_self_refresh(&b, begin), 0);
	CU_ASSERT(memcmp(a.deleg, b.deleg, DELEG_SIZE) == 0);
	noise_self_release(&a);
	noise_self_release(&b);
}

static void a_clock_that_was_never_set_makes_keys_too(void)
{
	static const uint8_t seed[32] = { 9 };
	struct self s;
	struct deleg d;

	for (uint64_t now_s = 0; now_s < 3 * SELF_PERIOD_S; now_s += DAY) {
		CU_ASSERT_EQUAL(noise_self_init(&s, seed), 0);
		CU_ASSERT_EQUAL(noise_self_refresh(&s, now_s), 0);
		CU_ASSERT_PTR_NULL(
			noise_deleg_check(&d, s.deleg, DELEG_SIZE, &s.id, now_s, NULL));
	}
}

static const struct tap_test tests[] = {
	{ "a delegation says what was signed", a_delegation_says_what_was_signed },
	{ "a delegation has its fields where the table says",
	  a_delegation_has_its_fields_where_the_table_says },
	{ "a delegation holds for its time", a_delegation_holds_for_its_time },
	{ "what is not a delegation is told apart",
	  what_is_not_a_delegation_is_told_apart },
	{ "each bit of a delegation counts", each_bit_of_a_delegation_counts },
	{ "a key that anybody can sign with delegates nothing",
	  a_key_that_anybody_can_sign_with_delegates_nothing },
	{ "known bytes are checked for time and owner again",
	  known_bytes_are_checked_for_time_and_owner_again },
	{ "what Noise carried is split in two", what_noise_carried_is_split_in_two },
	{ "keys follow the calendar and come back after a restart",
	  keys_follow_the_calendar_and_come_back_after_a_restart },
	{ "a clock that was never set makes keys, too",
	  a_clock_that_was_never_set_makes_keys_too },
	TAP_END
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, "deleg", tests);
}
