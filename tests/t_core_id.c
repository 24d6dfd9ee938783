/* SPDX-License-Identifier: Apache-2.0 */
/* Tests core/id.c. */
#include "tests/tap.h"

#include <muses/id.h>

#include <stdio.h>
#include <string.h>

/* RFC 4648 section 10, in lower case: the padding is cut, and ids go on with what
 * zeros give. */
static void texts_are_base32(void)
{
	static const struct {
		const char *bytes;
		const char *digits; /* Those that these bytes alone decide. */
	} row[] = {
		{ "", "" },
		{ "f", "m" },
		{ "fo", "mzx" },
		{ "foo", "mzxw" },
		{ "foob", "mzxw6y" },
		{ "fooba", "mzxw6ytb" },
		{ "foobar", "mzxw6ytbo" },
	};
	static const struct {
		unsigned char fill;
		const char *text;
	} whole[] = {
		{ 0x00, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" },
		{ 0xff, "777777777777777777777777777777777777777777777777777q" },
		{ 0x55, "kvkvkvkvkvkvkvkvkvkvkvkvkvkvkvkvkvkvkvkvkvkvkvkvkvkq" },
		{ 0xaa, "vkvkvkvkvkvkvkvkvkvkvkvkvkvkvkvkvkvkvkvkvkvkvkvkvkva" },
	};
	char text[MUSES_ID_LENGTH + 1];
	struct muses_id id, back;

	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		memset(&id, 0, sizeof(id));
		memcpy(id.bytes, row[i].bytes, strlen(row[i].bytes));
		muses_id_text(&id, text);
		CU_ASSERT_EQUAL(strlen(text), MUSES_ID_LENGTH);
		CU_ASSERT_EQUAL(strncmp(text, row[i].digits, strlen(row[i].digits)), 0);
		TAP_NOTE_IF(strncmp(text, row[i].digits, strlen(row[i].digits)) != 0,
		            "\"%s\": %s", row[i].bytes, text);
		CU_ASSERT_TRUE(muses_id_parse(text, &back));
		CU_ASSERT_TRUE(muses_id_equal(&id, &back));
	}
	for (size_t i = 0; i < sizeof(whole) / sizeof(whole[0]); i++) {
		memset(&id, whole[i].fill, sizeof(id));
		muses_id_text(&id, text);
		CU_ASSERT_STRING_EQUAL(text, whole[i].text);
	}
}

static void texts_come_back(void)
{
	uint64_t state = 1;
	char text[MUSES_ID_LENGTH + 1];
	struct muses_id id, back;

	for (int n = 0; n < 1000; n++) {
		for (size_t i = 0; i < MUSES_ID_SIZE; i++) {
			state = state * UINT64_C(6364136223846793005) + 1;
			id.bytes[i] = (uint8_t)(state >> 56);
		}
		muses_id_text(&id, text);
		CU_ASSERT_TRUE(muses_id_parse(text, &back));
		CU_ASSERT_TRUE(muses_id_equal(&id, &back));
		CU_ASSERT_EQUAL(muses_id_compare(&id, &back), 0);
	}
	/* Every single bit has its place. */
	for (size_t bit = 0; bit < 256; bit++) {
		memset(&id, 0, sizeof(id));
		id.bytes[bit / 8] = (uint8_t)(0x80 >> bit % 8);
		muses_id_text(&id, text);
		CU_ASSERT_TRUE(muses_id_parse(text, &back));
		CU_ASSERT_TRUE(muses_id_equal(&id, &back));
	}
}

static void other_texts_are_refused(void)
{
#define DIGITS "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	static const struct {
		const char *text, *why;
	} row[] = {
		{ "", "empty" },
		{ "a", "one character" },
		{ DIGITS "a", "one short" },
		{ DIGITS "aaa", "one long" },
		{ DIGITS "aa====", "padded" },
		{ DIGITS "ab", "a bit beyond the last byte" },
		{ DIGITS "ai", "the highest of the four bits beyond" },
		{ DIGITS "aA", "upper case" },
		{ "A" DIGITS "a", "upper case in front" },
		{ "1" DIGITS "a", "a digit base32 leaves out" },
		{ "8" DIGITS "a", "another" },
		{ " " DIGITS "a", "a space" },
		{ DIGITS "\xc3\xa9", "not ASCII" },
	};
	struct muses_id id, before;

	memset(&id, 0x5a, sizeof(id));
	before = id;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		bool parsed = muses_id_parse(row[i].text, &id);

		TAP_NOTE_IF(parsed, "%s", row[i].why);
		CU_ASSERT_FALSE(parsed);
		CU_ASSERT_TRUE(muses_id_equal(&id, &before));
	}
	CU_ASSERT_TRUE(muses_id_parse(DIGITS "aq", &id)); /* The last bit itself. */
	CU_ASSERT_EQUAL(id.bytes[31], 1);
}

static void names_follow_the_rule(void)
{
#define SIXTY "abcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghij"
	static const struct {
		const char *text;
		bool valid;
		const char *why;
	} row[] = {
		{ "bob", true, "a name" },
		{ "b", true, "the shortest" },
		{ "7of9", true, "a digit in front" },
		{ "Bob.home_2-x", true, "all that is allowed" },
		{ SIXTY "abc", true, "63 characters" },
		{ SIXTY "abcd", false, "64 characters" },
		{ "", false, "empty" },
		{ ".bob", false, "begins with a dot" },
		{ "-bob", false, "begins like an option" },
		{ "_bob", false, "begins with an underscore" },
		{ "bob ", false, "a space" },
		{ "bob/x", false, "a path" },
		{ "bob\n", false, "a line end" },
		{ "b\xc3\xb6"
		  "b",
		  false, "not ASCII" },
		{ "*", false, "everybody" },
	};

	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		bool valid = muses_name_valid(row[i].text);

		TAP_NOTE_IF(valid != row[i].valid, "%s", row[i].why);
		CU_ASSERT_EQUAL(valid, row[i].valid);
	}
	/* Byte by byte, in front and behind. */
	for (int c = 1; c < 256; c++) {
		const char front[2] = { (char)c, '\0' };
		const char behind[3] = { 'a', (char)c, '\0' };
		bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
		             (c >= 'a' && c <= 'z');

		CU_ASSERT_EQUAL(muses_name_valid(front), plain);
		CU_ASSERT_EQUAL(muses_name_valid(behind),
		                plain || c == '.' || c == '_' || c == '-');
	}
}

static void ids_have_an_order(void)
{
	struct muses_id a = { { 0 } }, b = { { 0 } };

	a.bytes[31] = 255;
	b.bytes[0] = 1;
	CU_ASSERT_TRUE(muses_id_compare(&a, &b) < 0);
	CU_ASSERT_TRUE(muses_id_compare(&b, &a) > 0);
	CU_ASSERT_FALSE(muses_id_equal(&a, &b));
}

static const struct tap_test tests[] = {
	{ "the text of an id is base32 as in RFC 4648", texts_are_base32 },
	{ "every id comes back from its text", texts_come_back },
	{ "what is not exactly the text of an id is refused", other_texts_are_refused },
	{ "a name is what the rule says, byte by byte", names_follow_the_rule },
	{ "ids have the order of their bytes", ids_have_an_order },
	TAP_END
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, "id", tests);
}
