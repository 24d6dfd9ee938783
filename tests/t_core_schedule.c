/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Known answers of the key schedule.  They were not made with this code: they were
 * computed with Python's hmac and hashlib, line by line from the formulas in
 * core/schedule.h and doc/PROTOCOL, on the inputs that fill() makes here.
 */
#include "core/schedule.h"

#include "tests/hex.h"
#include "tests/tap.h"

#include <muses/noise.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* first, first + 1, ... */
static void fill(uint8_t *out, size_t size, uint8_t first)
{
	for (size_t i = 0; i < size; i++)
		out[i] = (uint8_t)(first + i);
}

static bool is(const uint8_t *bytes, size_t size, const char *digits)
{
	uint8_t expected[256];

	return strlen(digits) == 2 * size &&
	       hex(digits, expected, sizeof(expected)) == size &&
	       (size == 0 || memcmp(bytes, expected, size) == 0);
}

#define ASSERT_IS(bytes, digits) CU_ASSERT(is(bytes, sizeof(bytes), digits))

static const uint8_t offer[4] = { 1, 2, 3, 4 };

/* The session of most tests; which one began? */
static struct core_root root_of(bool lower_initiates)
{
	struct muses_id lower, higher;
	struct muses_shared shared;
	uint8_t session_id[CORE_SESSID_SIZE];
	struct core_root root;

	fill(lower.bytes, sizeof(lower.bytes), 0x10);
	fill(higher.bytes, sizeof(higher.bytes), 0x80);
	fill(shared.i2r, sizeof(shared.i2r), 0x01);
	fill(shared.r2i, sizeof(shared.r2i), 0x21);
	fill(shared.exporter, sizeof(shared.exporter), 0x41);
	fill(shared.transcript, sizeof(shared.transcript), 0x61);
	fill(session_id, sizeof(session_id), 0xa0);
	CU_ASSERT_EQUAL(core_schedule_root(&shared, 0x0102, session_id,
	                                   lower_initiates ? &lower : &higher,
	                                   lower_initiates ? &higher : &lower, &root),
	                0);
	return root;
}

static void a_handshake_yields_these_secrets(void)
{
	static const struct {
		bool lower_initiates;
		const char *traffic[2];
	} row[] = {
		{ true,
		  { "f4f3695917f957132bc6b4ab4764713930b636647e1f733174f5db96c09e1432",
		    "5e848db2ca136fcd458dec3e31f836aee9dee84183846c636f2aef31782dd0c"
		    "a" } },
		{ false,
		  { "51975e45e16cf5dc52af43b0ba3928872c053f0ecdd1787a0ef1946c58884e76",
		    "bb4f09ddc3833332b8204be872fb7a17b94895d0c3de92622ea04a0e5a67d8a"
		    "f" } },
	};

	for (size_t i = 0; i < COUNT(row); i++) {
		struct core_root root = root_of(row[i].lower_initiates);

		ASSERT_IS(root.traffic[CORE_FROM_LOWER], row[i].traffic[0]);
		ASSERT_IS(root.traffic[CORE_FROM_HIGHER], row[i].traffic[1]);
		/* These do not depend on who is who. */
		ASSERT_IS(root.resume, "e735d5b1c9ef1f5df827a73fff25540eed8729396401c8848"
		                       "06f5f16c2ddec54");
		ASSERT_IS(root.finished[MUSES_INITIATOR],
		          "f7c411b7bba6ebb030ea6d7d7d10d69cf38dfc69880db537297a915dbb6cba"
		          "ee");
		ASSERT_IS(root.finished[MUSES_RESPONDER],
		          "53c9af39acd795130a8ad4f0b3fa00c9021e6ee3df9ebd6d8f1179a40be45e"
		          "e1");
	}
}

static void finished_covers_transcript_offer_role_and_flags(void)
{
	static const struct {
		enum muses_role role;
		uint8_t flags;
		const char *mac;
	} row[] = {
		{ MUSES_INITIATOR, 0,
		  "91877501fffceeba8105d18c2313182f9a5f3eca97fc4d9686ac491f04a98722" },
		{ MUSES_INITIATOR, 1,
		  "4757ee89290ba3a32818c6d9dd9da9d7c5ecff1be8954744b9e6581b44eddc29" },
		{ MUSES_RESPONDER, 0,
		  "4e516ec3f973e5a21e6f7021d66f9f90cef48967400c276d6652b0adc4b2e6cd" },
		{ MUSES_RESPONDER, 1,
		  "9d2fcec88de58bf64f092bc55fff9162123059082f8c7039defecdf6df798d03" },
	};
	struct core_root root = root_of(true);
	uint8_t transcript[32], mac[32];

	fill(transcript, sizeof(transcript), 0x61);
	for (size_t i = 0; i < COUNT(row); i++) {
		CU_ASSERT_EQUAL(core_schedule_finished(&root, row[i].role, transcript,
		                                       offer, sizeof(offer), row[i].flags,
		                                       mac),
		                0);
		ASSERT_IS(mac, row[i].mac);
	}
}

static void each_suite_gets_keys_of_its_own(void)
{
	static const struct {
		uint16_t id, key_size, mac_size;
		const char *key, *iv, *mac;
	} row[] = {
		{ 0x0102, 32, 0,
		  "ab7140685de3e0779caf794801cae0c7df265c70ea7cb6a407d5f33eacdc50de",
		  "b768695af355fd7e8923bf2d", "" },
		{ 0x0304, 16, 20, "8a4740b5984e335656c05afb8f0acd60",
		  "fdc75c08a754b04e71560f38",
		  "46dc60a87a2d8d775bb9da50a48a3140383f4ae2" },
		{ 0x0506, 64, 64,
		  "72f7e16b1f5b2135abddf95b216f9fae9b242568e24b228bc83291724693352c"
		  "09c24bdcf6e059d9feb35523c479935e53b6dbce60db150ec0c2ec68c1873ce6",
		  "a0dfb1b3c76e561d21f56e31",
		  "22c3fec4b095103cb9241b75cd0356795241a0bd2285f81deea3c3fe99bffcac"
		  "a98dc1fb36841e1f358dc60f5674acdfec9ebb48cfef33dda883f141e010e6dc" },
		{ 0xff00, 0, 0, "", "d78c3f430a0aec428644bdae", "" },
	};
	static const uint8_t zero[MUSES_KEY_MAX];
	uint8_t traffic[CORE_SECRET_SIZE];

	fill(traffic, sizeof(traffic), 0xc0);
	for (size_t i = 0; i < COUNT(row); i++) {
		struct muses_suite suite = { .id = row[i].id,
			                     .key_size = row[i].key_size,
			                     .mac_size = row[i].mac_size };
		struct muses_key_material m;

		memset(&m, 0xa5, sizeof(m));
		CU_ASSERT_EQUAL(core_schedule_material(traffic, &suite, &m), 0);
		CU_ASSERT(is(m.key, suite.key_size, row[i].key));
		ASSERT_IS(m.iv, row[i].iv);
		CU_ASSERT(is(m.mac, suite.mac_size, row[i].mac));
		/* Unused parts are zero. */
		CU_ASSERT_EQUAL(memcmp(m.key + suite.key_size, zero,
		                       MUSES_KEY_MAX - suite.key_size),
		                0);
		CU_ASSERT_EQUAL(memcmp(m.mac + suite.mac_size, zero,
		                       MUSES_KEY_MAX - suite.mac_size),
		                0);
	}
}

static void the_ratchet_goes_one_way_with_or_without_a_keystep(void)
{
	uint8_t traffic[CORE_SECRET_SIZE], extra[CORE_SECRET_SIZE];

	fill(traffic, sizeof(traffic), 0xc0);
	CU_ASSERT_EQUAL(core_schedule_ratchet(traffic, NULL), 0);
	ASSERT_IS(traffic,
	          "aa45d0a481fe01a8c929db1a9dbd7b4558aa9d31e14b59924ad940c59c2929d9");
	CU_ASSERT_EQUAL(core_schedule_ratchet(traffic, NULL), 0);
	ASSERT_IS(traffic,
	          "14815487c0f68429e2fb3c84fe6bdf5237b35f39a2a4b00310d82d59865d8115");
	fill(traffic, sizeof(traffic), 0xc0);
	fill(extra, sizeof(extra), 0xe0);
	CU_ASSERT_EQUAL(core_schedule_ratchet(traffic, extra), 0);
	ASSERT_IS(traffic,
	          "e42b3c327cf0da5ff864d75085e308a3126b71b7e41a3e56593e8c982ca310af");
}

static void names_are_hashed_in_the_order_of_the_way(void)
{
	struct muses_id lower, higher;
	uint8_t idh[CORE_IDH_SIZE];

	fill(lower.bytes, sizeof(lower.bytes), 0x10);
	fill(higher.bytes, sizeof(higher.bytes), 0x80);
	CU_ASSERT_EQUAL(core_schedule_idh(&lower, &higher, idh), 0);
	ASSERT_IS(idh, "5530722f0f5148b4dcb46bd85b18cf20");
	CU_ASSERT_EQUAL(core_schedule_idh(&higher, &lower, idh), 0);
	ASSERT_IS(idh, "7af99c5334088d1de1b3548bf17a2d0c");
}

static void a_resume_makes_new_keys_of_secret_number_and_nonces(void)
{
	static const struct {
		uint32_t generation;
		const char *resume, *traffic[2];
	} row[] = {
		{ 2,
		  "5b2ae2eac8142cf9cb8dcc0d5deda0e627a31d7a75a75512f469f421670b6417",
		  { "ed056394abe66d3acfa721dde8bec198fee46483c7559c6eaacb3beff715e109",
		    "49da62f683c85c55f93f9a81e5c79d1e30a75326b73857517b337a8dfccaaf4"
		    "5" } },
		{ 0x01020304,
		  "78e0c9c6eae7723185e6590f3fde67ea4ef8a6b84a02dad898606f094c948f57",
		  { "d09a70f936fc0288349bf5f37cda84af0239842bebb06a13d90aedaf1d2d3627",
		    "a4a2e901e650433d19e79fa232d9b2a6fac5d06fa2c07a960a4df42078682db"
		    "c" } },
	};
	uint8_t resume[CORE_SECRET_SIZE], na[CORE_NONCE_SIZE], nb[CORE_NONCE_SIZE];

	fill(resume, sizeof(resume), 0x30);
	fill(na, sizeof(na), 0x50);
	fill(nb, sizeof(nb), 0x70);
	for (size_t i = 0; i < COUNT(row); i++) {
		struct core_resume_keys keys;

		CU_ASSERT_EQUAL(
			core_schedule_resume(resume, row[i].generation, na, nb, &keys),
			0);
		ASSERT_IS(keys.resume, row[i].resume);
		ASSERT_IS(keys.traffic[CORE_FROM_LOWER], row[i].traffic[0]);
		ASSERT_IS(keys.traffic[CORE_FROM_HIGHER], row[i].traffic[1]);
	}
}

static void question_and_answer_have_keys_of_their_own_each_way(void)
{
	static const struct {
		enum core_way way;
		bool answer;
		const char *key;
	} row[] = {
		{ CORE_FROM_LOWER, false,
		  "eb1bb6f866e425a500026be8a8be0ae56db966ac1363b1db404f6a6e92cd3883" },
		{ CORE_FROM_LOWER, true,
		  "37f4eb62f8a01a0e2efd3818f8d8805c6373b129a5d540b2410bb34f47147a44" },
		{ CORE_FROM_HIGHER, false,
		  "8faaf54fc70ee95524ccf8f16e91376a537f4c0769637495d9ada92bca17a0c4" },
		{ CORE_FROM_HIGHER, true,
		  "1ca28b13f17df8c0eb5c479d77d5e8ac3adcfd1a0194f79ec882cde422f53d49" },
	};
	uint8_t resume[CORE_SECRET_SIZE], na[CORE_NONCE_SIZE], nb[CORE_NONCE_SIZE];
	uint8_t idh[CORE_IDH_SIZE], key[CORE_SECRET_SIZE];

	fill(resume, sizeof(resume), 0x30);
	fill(na, sizeof(na), 0x50);
	fill(nb, sizeof(nb), 0x70);
	fill(idh, sizeof(idh), 0x90);
	for (size_t i = 0; i < COUNT(row); i++) {
		CU_ASSERT_EQUAL(core_schedule_rehello(resume, row[i].way, 0x01020304,
		                                      UINT64_C(0x1122334455667788), na,
		                                      row[i].answer ? nb : NULL, idh,
		                                      key),
		                0);
		ASSERT_IS(key, row[i].key);
	}
}

static void a_keystep_heals_the_resumption_secret(void)
{
	uint8_t resume[CORE_SECRET_SIZE], share[2][32], shared[32], out[CORE_SECRET_SIZE];

	fill(resume, sizeof(resume), 0x30);
	fill(share[0], sizeof(share[0]), 0x01);
	fill(share[1], sizeof(share[1]), 0x21);
	fill(shared, sizeof(shared), 0x41);
	CU_ASSERT_EQUAL(core_schedule_keystep(resume, 7, share[0], share[1], shared, out),
	                0);
	ASSERT_IS(out,
	          "30f8f42d68dfc6c1438f286751f0b7d724b5e58f91bfeb278ea6de2987536335");
}

static void expanding_gives_any_size_and_refuses_what_does_not_fit(void)
{
	static const uint8_t zero[100];
	uint8_t secret[CORE_SECRET_SIZE], context[256], one[1], out[100];
	char label[256];

	fill(secret, sizeof(secret), 0xc0);
	fill(context, sizeof(context), 0);
	CU_ASSERT_EQUAL(core_expand(secret, "x", NULL, 0, one, sizeof(one)), 0);
	ASSERT_IS(one, "1a");
	memset(label, 'x', sizeof(label));
	label[40] = '\0';
	CU_ASSERT_EQUAL(core_expand(secret, label, context, 200, out, sizeof(out)), 0);
	ASSERT_IS(out, "5b16ffe62efdd0f6cc78bce1b02ad633cd249d93d3f1149ff4a7f0f21bff024f"
	               "180f58749802d2b4fd236cd5cd5a2f946ba49eb0aaa87293992e9cc6d5c7463d"
	               "25a09c409af8f21a182254fd08855a25e0995c20acbc878840115d28feb68e01"
	               "5b129748");
	CU_ASSERT_EQUAL(core_expand(secret, "x", context, 256, out, sizeof(out)),
	                MUSES_ECRYPTO);
	CU_ASSERT_EQUAL(memcmp(out, zero, sizeof(out)), 0);
	label[40] = 'x';
	label[255] = '\0';
	CU_ASSERT_EQUAL(core_expand(secret, label, NULL, 0, out, sizeof(out)),
	                MUSES_ECRYPTO);
	CU_ASSERT_EQUAL(memcmp(out, zero, sizeof(out)), 0);
}

static const struct tap_test tests[] = {
	{ "a handshake yields these secrets", a_handshake_yields_these_secrets },
	{ "FINISHED covers transcript, offer, role and flags",
	  finished_covers_transcript_offer_role_and_flags },
	{ "each suite gets keys of its own", each_suite_gets_keys_of_its_own },
	{ "the ratchet goes one way, with or without a KEYSTEP",
	  the_ratchet_goes_one_way_with_or_without_a_keystep },
	{ "names are hashed in the order of the way",
	  names_are_hashed_in_the_order_of_the_way },
	{ "a resume makes new keys of secret, number and nonces",
	  a_resume_makes_new_keys_of_secret_number_and_nonces },
	{ "question and answer have keys of their own each way",
	  question_and_answer_have_keys_of_their_own_each_way },
	{ "a KEYSTEP heals the resumption secret",
	  a_keystep_heals_the_resumption_secret },
	{ "expanding gives any size and refuses what does not fit",
	  expanding_gives_any_size_and_refuses_what_does_not_fit },
	TAP_END,
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, "core_schedule", tests);
}
