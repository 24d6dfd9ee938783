/* SPDX-License-Identifier: Apache-2.0 */
/* The files of identities, peers and shared secrets: what they give back, and
 * what they say about each kind of mistake. */
#include "core/lines.h"
#include "tests/hex.h"
#include "tests/tap.h"

#include <muses/err.h>
#include <muses/identity.h>
#include <muses/noise.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* RFC 8032, 7.1, tests 1 to 3. */
#define SEED_1 "secret ed25519:nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=\n"
#define KEY_1  "ed25519:11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
#define KEY_2  "ed25519:PUAXw+hDiVqStwqnTRt+vJyYLM8uxJaMwM1V8Sr0Zgw="
#define KEY_3  "ed25519:/FHNjmIYoaONpH7QAjDwWAgW7RO6MwOsXeuRFUiQgCU="

static void an_id_is_the_hash_of_key_or_name(void)
{
	uint8_t key[32];
	struct muses_id id;
	char text[MUSES_ID_LENGTH + 1];

	CU_ASSERT(muses_key_parse(KEY_1, key));
	CU_ASSERT_EQUAL(muses_key_id(key, &id), 0);
	muses_id_text(&id, text);
	CU_ASSERT_STRING_EQUAL(text,
	                       "vlq2mq3zxvetqwy4yzwcyufb4xo6q3tsdquy3rv4elgzm3yezs5a");
	CU_ASSERT_EQUAL(muses_name_id("alice", &id), 0);
	muses_id_text(&id, text);
	CU_ASSERT_STRING_EQUAL(text,
	                       "nmbewvf4isnp2wky2t5kv3mpeh63uumbrqbnguqemjsxttanneza");
}

static void an_identity_comes_back_from_its_file(void)
{
	char text[MUSES_IDENTITY_TEXT_MAX], why[256] = "";
	uint8_t seed[32], got[32] = { 0 };

	for (uint8_t first = 0; first < 50; first++) {
		memset(seed, first, sizeof(seed));
		CU_ASSERT_EQUAL(muses_identity_text(seed, text), 0);
		CU_ASSERT(strlen(text) < MUSES_IDENTITY_TEXT_MAX - 1);
		CU_ASSERT_EQUAL(
			muses_identity_parse(text, strlen(text), got, why, sizeof(why)),
			0);
		CU_ASSERT(memcmp(got, seed, 32) == 0);
	}
}

static void a_wrong_identity_file_is_explained(void)
{
	static const struct {
		const char *text, *why;
	} row[] = {
		{ "", "line 1: the file ends before 'muses-identity'" },
		{ "# nothing\n\n", "line 2: the file ends before 'muses-identity'" },
		{ SEED_1, "line 1: want 'muses-identity'" },
		{ "muses-identity\n", "line 1: want one word behind 'muses-identity'" },
		{ "muses-identity 2\n",
		  "line 1: this is version '2', and we know version 1" },
		{ "muses-identity 1\nsecret ed25519:AAAA\n",
		  "line 2: want 'secret ed25519:' and 44 characters of base64" },
		{ "muses-identity 1\n" SEED_1, "line 2: the file ends before 'public'" },
		{ "muses-identity 1\n" SEED_1 "public " KEY_1 " x\n",
		  "line 3: want one word behind 'public'" },
		{ "muses-identity 1\n" SEED_1 "public ed25519\n",
		  "line 3: want 'public ed25519:' and 44 characters of base64" },
		{ "muses-identity 1\n" SEED_1 "public " KEY_2 "\n",
		  "line 3: this is not the public key of the secret above: the file is "
		  "damaged" },
		{ "muses-identity 1\n" SEED_1 "public " KEY_1 "\n" SEED_1,
		  "line 4: want nothing behind the public key" },
		{ "muses-identity 1\r\n" SEED_1 "public " KEY_1, NULL },
	};

	for (size_t i = 0; i < COUNT(row); i++) {
		char why[256] = "";
		uint8_t seed[32];
		int err = muses_identity_parse(row[i].text, strlen(row[i].text), seed,
		                               why, sizeof(why));

		CU_ASSERT_EQUAL(err, row[i].why == NULL ? 0 : MUSES_ECONFIG);
		TAP_NOTE_IF(strcmp(why, row[i].why == NULL ? "" : row[i].why) != 0,
		            "row %zu: %s", i, why);
		CU_ASSERT_STRING_EQUAL(why, row[i].why == NULL ? "" : row[i].why);
	}
}

/* No sentence may show what could be a secret. */
static void no_message_shows_the_secret(void)
{
	static const char file[] = "muses-identity 1\n" SEED_1 "public " KEY_1 "\n";
	char changed[sizeof(file) + 1], why[256];
	uint8_t seed[32];

	for (size_t cut = 0; cut < sizeof(file) - 1; cut++) {
		memcpy(changed, file, cut);
		memcpy(changed + cut, file + cut + 1, sizeof(file) - cut - 1);
		why[0] = '\0';
		if (muses_identity_parse(changed, strlen(changed), seed, why,
		                         sizeof(why)) != 0)
			CU_ASSERT_PTR_NULL(strstr(why, "9WmC6hEr0kuwsxERJxWl7"));
	}
}

/* ---- peers ------------------------------------------------------------------------ */

static void peers_are_found_by_name_and_by_id(void)
{
	static const char text[] = "# whom we know\n"
				   "\n"
				   "carol " KEY_3 "\n"
				   "alice\t" KEY_1 " # the first\r\n"
				   "  bob " KEY_2 " nolink";
	struct muses_peers *peers = NULL;
	const struct muses_peer *p;
	struct muses_id none = { { 0 } };
	char why[256] = "";

	CU_ASSERT_EQUAL_FATAL(
		muses_peers_parse(&peers, text, strlen(text), why, sizeof(why)), 0);
	CU_ASSERT_EQUAL(muses_peers_count(peers), 3);
	CU_ASSERT_STRING_EQUAL(muses_peers_at(peers, 0)->name, "carol");
	for (size_t i = 0; i < 3; i++) {
		struct muses_id id;

		p = muses_peers_at(peers, i);
		CU_ASSERT_EQUAL(muses_key_id(p->public_key, &id), 0);
		CU_ASSERT(muses_id_equal(&id, &p->id));
		CU_ASSERT_PTR_EQUAL(muses_peers_named(peers, p->name), p);
		CU_ASSERT_PTR_EQUAL(muses_peers_find(peers, &p->id), p);
		CU_ASSERT_EQUAL(p->line, i + 3);
		CU_ASSERT_EQUAL(p->may_link, strcmp(p->name, "bob") != 0);
	}
	CU_ASSERT_PTR_NULL(muses_peers_named(peers, "dave"));
	CU_ASSERT_PTR_NULL(muses_peers_find(peers, &none));
	muses_peers_free(peers);
	muses_peers_free(NULL);
}

static void each_of_many_peers_is_found(void)
{
	char text[64 * MUSES_PEER_TEXT_MAX] = "", why[256] = "";
	struct muses_peers *peers = NULL;

	for (uint8_t i = 0; i < 64; i++) {
		uint8_t seed[32] = { i }, key[32];
		char name[8];

		snprintf(name, sizeof(name), "n%d", i * 37 % 64);
		CU_ASSERT_EQUAL(muses_ed25519_public(seed, key), 0);
		muses_peer_text(name, key, text + strlen(text));
	}
	CU_ASSERT_EQUAL_FATAL(
		muses_peers_parse(&peers, text, strlen(text), why, sizeof(why)), 0);
	for (size_t i = 0; i < 64; i++) {
		const struct muses_peer *p = muses_peers_at(peers, i);

		CU_ASSERT_PTR_EQUAL(muses_peers_named(peers, p->name), p);
		CU_ASSERT_PTR_EQUAL(muses_peers_find(peers, &p->id), p);
	}
	muses_peers_free(peers);
}

static void an_empty_peers_file_knows_nobody(void)
{
	struct muses_peers *peers = NULL;
	char why[256] = "";

	CU_ASSERT_EQUAL_FATAL(muses_peers_parse(&peers, NULL, 0, why, sizeof(why)), 0);
	CU_ASSERT_EQUAL(muses_peers_count(peers), 0);
	CU_ASSERT_PTR_NULL(muses_peers_named(peers, "alice"));
	muses_peers_free(peers);
}

static void a_peers_line_is_written_as_it_is_read(void)
{
	char text[MUSES_PEER_TEXT_MAX], name[MUSES_NAME_MAX + 1], why[256] = "";
	struct muses_peers *peers = NULL;
	uint8_t key[32];

	CU_ASSERT(muses_key_parse(KEY_1, key));
	muses_peer_text("alice", key, text);
	CU_ASSERT_STRING_EQUAL(text, "alice " KEY_1 "\n");
	memset(name, 'x', MUSES_NAME_MAX);
	name[MUSES_NAME_MAX] = '\0';
	muses_peer_text(name, key, text);
	CU_ASSERT_EQUAL(muses_peers_parse(&peers, text, strlen(text), why, sizeof(why)),
	                0);
	CU_ASSERT_PTR_NOT_NULL(muses_peers_named(peers, name));
	muses_peers_free(peers);
}

static void a_wrong_peers_file_is_explained(void)
{
#define NAME_RULE \
	"want at most 63 letters, digits, '.', '_', '-', the first a letter or digit"
#define KEY_RULE "as 'muses pubkey' prints it (ed25519:...)"
	static const struct {
		const char *text;
		size_t size;
		const char *why;
	} row[] = {
		{ "alice\n", 0, "line 1: want a key behind 'alice', " KEY_RULE },
		{ "alice rsa:AAAA\n", 0, "line 1: want a key behind 'alice', " KEY_RULE },
		{ "\nalice " KEY_1 "=\n", 0,
		  "line 2: want a key behind 'alice', " KEY_RULE },
		{ "alice ed25519:AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n", 0,
		  "line 1: want a key behind 'alice', " KEY_RULE },
		{ "alice " KEY_1 " psk=x\n", 0,
		  "line 1: 'psk=x' is not known here: want 'nolink' or nothing" },
		{ "alice " KEY_1 " nolink x\n", 0,
		  "line 1: 'x' is not known here: want 'nolink' or nothing" },
		{ "alice " KEY_1 " a b c\n", 0, "line 1: more than 4 words" },
		{ "-alice " KEY_1 "\n", 0, "line 1: '-alice' is not a name: " NAME_RULE },
		{ "ali/ce " KEY_1 "\n", 0, "line 1: 'ali/ce' is not a name: " NAME_RULE },
		{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa " KEY_1 "\n", 0,
		  "line 1: the name has the form of a node id" },
		{ "al\033ice " KEY_1 "\n", 0, "line 1: a control character" },
		{ "alice " KEY_1 "\nbo\0b " KEY_2 "\n", 10 + 53 + 5,
		  "line 2: a control character" },
		{ "alice " KEY_1 "\nbob " KEY_2 "\nalice " KEY_3 "\n", 0,
		  "line 3: 'alice' stands in line 1 already" },
		{ "alice " KEY_1 "\nbob " KEY_1 "\n", 0,
		  "line 2: 'alice' and 'bob' have the same key" },
	};

	for (size_t i = 0; i < COUNT(row); i++) {
		struct muses_peers *peers = NULL;
		char why[256] = "";
		int err = muses_peers_parse(&peers, row[i].text,
		                            row[i].size > 0 ? row[i].size
		                                            : strlen(row[i].text),
		                            why, sizeof(why));

		CU_ASSERT_EQUAL(err, MUSES_ECONFIG);
		TAP_NOTE_IF(strcmp(why, row[i].why) != 0, "row %zu: %s", i, why);
		CU_ASSERT_STRING_EQUAL(why, row[i].why);
		CU_ASSERT_PTR_NULL(peers);
	}
}

static void a_word_too_long_is_refused(void)
{
	char text[CORE_WORD_MAX + 2], why[256] = "";
	struct muses_peers *peers = NULL;

	memset(text, 'a', sizeof(text));
	CU_ASSERT_EQUAL(
		muses_peers_parse(&peers, text, CORE_WORD_MAX + 1, why, sizeof(why)),
		MUSES_ECONFIG);
	CU_ASSERT_STRING_EQUAL(why, "line 1: a word of more than 127 characters");
}

/* ---- secrets ----------------------------------------------------------------------- */

#define ONES "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="
#define TWOS "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI="

static int parse_secrets(struct muses_secrets **secrets, const char *text, char *why)
{
	return muses_secrets_parse(secrets, text, strlen(text), why, 256);
}

static void secrets_are_found_by_name(void)
{
	static const char text[] =
		"{\n"
		"\t\"peers\": { \"bob\": \"" TWOS "\", \"alice\" : \"" ONES "\" },\n"
		"\t\"group\": \"" TWOS "\"\r\n"
		"}\n";
	struct muses_secrets *secrets = NULL;
	char why[256] = "";

	CU_ASSERT_EQUAL_FATAL(parse_secrets(&secrets, text, why), 0);
	CU_ASSERT_EQUAL(muses_secrets_count(secrets), 2);
	CU_ASSERT_STRING_EQUAL(muses_secrets_name(secrets, 0), "bob");
	CU_ASSERT_EQUAL(muses_secrets_named(secrets, "alice")[31], 1);
	CU_ASSERT_EQUAL(muses_secrets_named(secrets, "bob")[31], 2);
	CU_ASSERT_PTR_NULL(muses_secrets_named(secrets, "carol"));
	CU_ASSERT_PTR_NULL(muses_secrets_named(secrets, "group"));
	CU_ASSERT_EQUAL(muses_secrets_group(secrets)[0], 2);
	muses_secrets_free(secrets);
	muses_secrets_free(NULL);
}

static void either_kind_of_secret_may_be_left_out(void)
{
	static const char *const text[] = { "{}", "{ \"peers\": {} }",
		                            "{ \"group\": \"" ONES "\" }",
		                            "{ \"peers\": { \"group\": \"" ONES
		                            "\" } }" };

	for (size_t i = 0; i < COUNT(text); i++) {
		struct muses_secrets *secrets = NULL;
		const char *a, *b;
		char why[256] = "";

		CU_ASSERT_EQUAL_FATAL(parse_secrets(&secrets, text[i], why), 0);
		CU_ASSERT_EQUAL(muses_secrets_group(secrets) != NULL, i == 2);
		CU_ASSERT_EQUAL(muses_secrets_count(secrets), i == 3);
		CU_ASSERT(!muses_secrets_shared(secrets, &a, &b));
		muses_secrets_free(secrets);
	}
}

static void shared_secrets_are_noticed(void)
{
	static const struct {
		const char *text, *names;
	} row[] = {
		{ "{\"peers\":{\"a\":\"" ONES "\",\"b\":\"" TWOS "\",\"c\":\"" ONES
		  "\"}}",
		  "ac" },
		{ "{\"group\":\"" ONES "\",\"peers\":{\"a\":\"" ONES "\",\"b\":\"" TWOS
		  "\"}}",
		  "ag" },
	};

	for (size_t i = 0; i < COUNT(row); i++) {
		struct muses_secrets *secrets = NULL;
		const char *a = NULL, *b = NULL;
		char why[256] = "";

		CU_ASSERT_EQUAL_FATAL(parse_secrets(&secrets, row[i].text, why), 0);
		CU_ASSERT_FATAL(muses_secrets_shared(secrets, &a, &b));
		CU_ASSERT((a[0] == row[i].names[0] && b[0] == row[i].names[1]) ||
		          (b[0] == row[i].names[0] && a[0] == row[i].names[1]));
		CU_ASSERT_EQUAL(muses_secrets_named(secrets, "b")[0],
		                2); /* Still sorted. */
		muses_secrets_free(secrets);
	}
}

static void a_wrong_secrets_file_is_explained(void)
{
#define SECRET_RULE \
	"has to be 44 characters of base64, as 'muses genpsk' makes it (32 bytes)"
	static const struct {
		const char *text, *why;
	} row[] = {
		{ "", "line 1: want '{' first" },
		{ "\n\n[", "line 3: want '{' first" },
		{ "\xef\xbb\xbf{}", "line 1: want '{' first" },
		{ "{", "line 1: want \"group\" or \"peers\"" },
		{ "{}}", "line 1: want nothing behind the last '}'" },
		{ "{},", "line 1: want nothing behind the last '}'" },
		{ "{ group: 1 }", "line 1: want \"group\" or \"peers\"" },
		{ "{ \"gruop\": 1 }",
		  "line 1: 'gruop' is not known: want \"group\" or \"peers\"" },
		{ "{ \"" ONES "\": \"group\" }",
		  "line 1: '(a long text)' is not known: want \"group\" or \"peers\"" },
		{ "{ \"group\" 1 }", "line 1: want ':'" },
		{ "{ \"group\": 1 }", "line 1: want a secret in quotation marks" },
		{ "{ \"group\": \"abc\" }",
		  "line 1: the secret of 'group' " SECRET_RULE },
		{ "{ \"group\": \"abc\n\" }",
		  "line 1: a string does not end on its line" },
		{ "{ \"group\": \"a\\n\" }", "line 1: want strings without '\\'" },
		{ "{ \"group\": \"abc", "line 1: a string does not end" },
		{ "{ \"group\": \"" ONES ONES ONES "\" }",
		  "line 1: a string is too long" },
		{ "{ \"group\": \"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\" }",
		  "line 1: the secret of 'group' is all zero" },
		{ "{ \"group\": \"" ONES "\"", "line 1: want ',' or '}'" },
		{ "{ \"group\": \"" ONES "\",\n\"group\": \"" TWOS "\" }",
		  "line 2: 'group' stands there twice" },
		{ "{ \"group\": \"" ONES "\", }", "line 1: want \"group\" or \"peers\"" },
		{ "{ \"peers\": [] }",
		  "line 1: want \"peers\": { \"NAME\": \"SECRET\" }" },
		{ "{ \"peers\": {}, \"peers\": {} }",
		  "line 1: 'peers' stands there twice" },
		{ "{ \"peers\": { 1", "line 1: want a peer's name in quotation marks" },
		{ "{ \"peers\": { \"a b\": \"" ONES "\" } }",
		  "line 1: 'a b' is not a name: " NAME_RULE },
		{ "{ \"peers\": { \"a\": \"" ONES "\",\n \"a\": \"" TWOS "\" } }",
		  "line 2: 'a' stands there twice" },
		{ "{ \"peers\": { \"a\": \"" ONES "\",} }",
		  "line 1: want a peer's name in quotation marks" },
	};

	for (size_t i = 0; i < COUNT(row); i++) {
		struct muses_secrets *secrets = NULL;
		char why[256] = "";
		int err = parse_secrets(&secrets, row[i].text, why);

		CU_ASSERT_EQUAL(err, MUSES_ECONFIG);
		TAP_NOTE_IF(strcmp(why, row[i].why) != 0, "row %zu: %s", i, why);
		CU_ASSERT_STRING_EQUAL(why, row[i].why);
		CU_ASSERT_PTR_NULL(secrets);
	}
}

static void a_zero_byte_does_not_end_a_secrets_file(void)
{
	struct muses_secrets *secrets = NULL;
	char why[256] = "";

	CU_ASSERT_EQUAL(muses_secrets_parse(&secrets, "{}\0{}", 5, why, sizeof(why)),
	                MUSES_ECONFIG);
	CU_ASSERT_EQUAL(muses_secrets_parse(&secrets, "{\0}", 3, why, sizeof(why)),
	                MUSES_ECONFIG);
}

static void a_cut_secrets_file_is_refused(void)
{
	static const char text[] =
		"{ \"group\": \"" ONES "\", \"peers\": { \"a\": \"" TWOS "\" } }";
	char why[256];

	for (size_t size = 0; size < sizeof(text) - 1; size++) {
		struct muses_secrets *secrets = NULL;

		CU_ASSERT_EQUAL(
			muses_secrets_parse(&secrets, text, size, why, sizeof(why)),
			MUSES_ECONFIG);
	}
}

static const struct tap_test tests[] = {
	{ "an id is the hash of key or name", an_id_is_the_hash_of_key_or_name },
	{ "an identity comes back from its file", an_identity_comes_back_from_its_file },
	{ "a wrong identity file is explained", a_wrong_identity_file_is_explained },
	{ "no message shows the secret", no_message_shows_the_secret },
	{ "peers are found by name and by id", peers_are_found_by_name_and_by_id },
	{ "each of many peers is found", each_of_many_peers_is_found },
	{ "an empty peers file knows nobody", an_empty_peers_file_knows_nobody },
	{ "a peers line is written as it is read",
	  a_peers_line_is_written_as_it_is_read },
	{ "a wrong peers file is explained", a_wrong_peers_file_is_explained },
	{ "a word too long is refused", a_word_too_long_is_refused },
	{ "secrets are found by name", secrets_are_found_by_name },
	{ "either kind of secret may be left out",
	  either_kind_of_secret_may_be_left_out },
	{ "shared secrets are noticed", shared_secrets_are_noticed },
	{ "a wrong secrets file is explained", a_wrong_secrets_file_is_explained },
	{ "a zero byte does not end a secrets file",
	  a_zero_byte_does_not_end_a_secrets_file },
	{ "a cut secrets file is refused", a_cut_secrets_file_is_refused },
	TAP_END
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, "identity", tests);
}
