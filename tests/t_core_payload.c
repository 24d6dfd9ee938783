/* SPDX-License-Identifier: Apache-2.0 */
/* What the core puts into the sealed part of keys messages. */
#include "core/hello.h"

#include "tests/tap.h"

#include <stdlib.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define BIT(type)    (1u << CORE_PAYLOAD_##type)

enum { ALL = (2u << CORE_PAYLOAD_REFUSED) - 2 };

static const struct core_payload full = {
	.present = ALL,
	.time = UINT64_C(0x0102030405060708),
	.echo = "sixteen of echo",
	.name = "a-name",
	.stream_window = 0x11223344,
	.session_window = 0xfedcba98,
	.resume = "sixteen resumed",
	.locator = "a locator of 24 bytes ..",
	.locator_size = MUSES_LOCATOR_MAX,
	.version = 1,
	.choice = 7,
	.offer = { 1, 2, 3, 4 },
	.partial = "partial",
	.mtu = 65535,
	.refused = 5,
};

/* In memory of exactly that size, so that reading past the end shows. */
static bool read_payload(struct core_payload *p, const uint8_t *data, size_t size)
{
	uint8_t *exact = malloc(size > 0 ? size : 1);
	bool good;

	CU_ASSERT_PTR_NOT_NULL_FATAL(exact);
	if (size > 0)
		memcpy(exact, data, size);
	memset(p, 0xa5, sizeof(*p));
	good = core_payload_read(p, exact, size);
	free(exact);
	return good;
}

static bool same(const struct core_payload *a, const struct core_payload *b)
{
	return a->present == b->present && a->time == b->time &&
	       memcmp(a->echo, b->echo, sizeof(a->echo)) == 0 &&
	       strcmp(a->name, b->name) == 0 && a->stream_window == b->stream_window &&
	       a->session_window == b->session_window &&
	       memcmp(a->resume, b->resume, sizeof(a->resume)) == 0 &&
	       memcmp(a->locator, b->locator, sizeof(a->locator)) == 0 &&
	       a->locator_size == b->locator_size && a->version == b->version &&
	       a->choice == b->choice && memcmp(a->offer, b->offer, 4) == 0 &&
	       memcmp(a->partial, b->partial, 8) == 0 && a->mtu == b->mtu &&
	       a->refused == b->refused;
}

/* full, with those fields alone. */
static struct core_payload only(uint32_t present)
{
	struct core_payload p = full;
	static const struct core_payload none;

#define CLEAR(type, field)              \
	if ((present & BIT(type)) == 0) \
		memcpy(&p.field, &none.field, sizeof(p.field));
	CLEAR(TIME, time)
	CLEAR(ECHO, echo)
	CLEAR(NAME, name)
	CLEAR(LIMITS, stream_window)
	CLEAR(LIMITS, session_window)
	CLEAR(RESUME, resume)
	CLEAR(LOCATOR, locator)
	CLEAR(LOCATOR, locator_size)
	CLEAR(CHOICE, version)
	CLEAR(CHOICE, choice)
	CLEAR(CHOICE, offer)
	CLEAR(PARTIAL, partial)
	CLEAR(MTU, mtu)
	CLEAR(REFUSED, refused)
#undef CLEAR
	p.present = present;
	return p;
}

static void what_is_present_is_read_back_and_nothing_else(void)
{
	uint8_t bytes[MUSES_KEYS_PAYLOAD_MAX];

	for (uint32_t present = 0; present <= ALL; present += 2) {
		struct core_payload p = only(present), got;
		size_t size = core_payload_write(&p, bytes, sizeof(bytes));

		if (!read_payload(&got, bytes, size) || !same(&got, &p)) {
			TAP_NOTE_IF(true, "present 0x%x, %zu bytes", present, size);
			CU_FAIL("a payload came out different");
			break;
		}
	}
}

static void the_largest_payload_fits_a_message(void)
{
	struct core_payload p = full;
	uint8_t bytes[MUSES_KEYS_PAYLOAD_MAX];
	size_t size;

	memset(p.name, 'n', MUSES_NAME_MAX);
	size = core_payload_write(&p, bytes, sizeof(bytes));
	CU_ASSERT(size > 0);
	for (size_t room = 0; room < size; room++)
		CU_ASSERT_EQUAL(core_payload_write(&p, bytes, room), 0);
	CU_ASSERT_EQUAL(core_payload_write(&p, bytes, size), size);
}

/* A cut between two fields leaves a good payload, any other does not. */
static void a_payload_that_ends_early_is_malformed(void)
{
	uint8_t bytes[MUSES_KEYS_PAYLOAD_MAX];
	size_t size = core_payload_write(&full, bytes, sizeof(bytes)), edge = 0;

	for (size_t cut = 0; cut <= size; cut++) {
		struct core_payload got;
		bool good = read_payload(&got, bytes, cut);

		TAP_NOTE_IF(good != (cut == edge), "%zu bytes", cut);
		CU_ASSERT_EQUAL(good, cut == edge);
		if (cut == edge && cut < size)
			edge += 2u + bytes[edge + 1];
	}
	CU_ASSERT_EQUAL(edge, size);
}

/* Every type with every size. */
static void every_field_has_its_size(void)
{
	for (unsigned type = 0; type < 256; type++) {
		for (unsigned size = 0; size < 256; size++) {
			struct core_payload p;
			uint8_t bytes[2 + 255];
			bool expected, good;

			memset(bytes, 'x', sizeof(bytes));
			bytes[0] = (uint8_t)type;
			bytes[1] = (uint8_t)size;
			good = read_payload(&p, bytes, 2 + size);
			switch (type) {
			case CORE_PAYLOAD_TIME:
			case CORE_PAYLOAD_LIMITS:
			case CORE_PAYLOAD_PARTIAL:
				expected = size == 8;
				break;
			case CORE_PAYLOAD_ECHO:
			case CORE_PAYLOAD_RESUME:
				expected = size == 16;
				break;
			case CORE_PAYLOAD_NAME:
				expected = size >= 1 && size <= MUSES_NAME_MAX;
				break;
			case CORE_PAYLOAD_LOCATOR:
				expected = size <= MUSES_LOCATOR_MAX;
				break;
			case CORE_PAYLOAD_CHOICE:
				expected = size == 6;
				break;
			case CORE_PAYLOAD_MTU:
				expected = size == 4;
				break;
			case CORE_PAYLOAD_KNOWN:
				expected = size == 0;
				break;
			case CORE_PAYLOAD_REFUSED:
				expected = size == 1;
				break;
			default:
				expected = type >= 0x80; /* Unknown, not critical. */
				break;
			}
			if (good != expected ||
			    (good && p.present != (type < 0x80 ? 1u << type : 0))) {
				TAP_NOTE_IF(true, "type %u, size %u", type, size);
				CU_FAIL("a field was taken for another");
			}
		}
	}
}

static void fields_that_lie_are_refused(void)
{
	static const struct {
		const char *bytes;
		size_t size;
		bool good;
		const char *why;
	} row[] = {
#define ROW(bytes) bytes, sizeof(bytes) - 1
		{ ROW(""), true, "nothing" },
		{ ROW("\x0a\0"), true, "KNOWN" },
		{ ROW("\x0a\0\x0a\0"), false, "KNOWN twice" },
		{ ROW("\x09\4abcd\x0a\0\x09\4abcd"), false, "MTU twice, not in a row" },
		{ ROW("\x0a\0\x80\0\x80\0\xff\1x\x09\4abcd"), true,
		  "unknown ones between, one of them twice" },
		{ ROW("\x0c\0"), false, "the first unknown one that is critical" },
		{ ROW("\x7f\0"), false, "the last" },
		{ ROW("\0\0"), false, "type 0" },
		{ ROW("\x80\1"), false, "an unknown one cut" },
		{ ROW("\x0a"), false, "a type without a size" },
		{ ROW("\x03\3abc"), true, "a name" },
		{ ROW("\x03\3a c"), false, "a name with a space" },
		{ ROW("\x03\3a\0c"), false, "a name with a zero inside" },
		{ ROW("\x03\3ab\0"), false, "a name with a zero behind" },
		{ ROW("\x03\3.bc"), false, "a name that begins with a dot" },
		{ ROW("\x03\3a\nc"), false, "a name of two lines" },
#undef ROW
	};

	for (size_t i = 0; i < COUNT(row); i++) {
		struct core_payload p;
		bool good = read_payload(&p, (const uint8_t *)row[i].bytes, row[i].size);

		TAP_NOTE_IF(good != row[i].good, "row %zu: %s", i, row[i].why);
		CU_ASSERT_EQUAL(good, row[i].good);
	}
}

static const struct tap_test tests[] = {
	{ "what is present is read back and nothing else",
	  what_is_present_is_read_back_and_nothing_else },
	{ "the largest payload fits a message", the_largest_payload_fits_a_message },
	{ "a payload that ends early is malformed",
	  a_payload_that_ends_early_is_malformed },
	{ "every field has its size", every_field_has_its_size },
	{ "fields that lie are refused", fields_that_lie_are_refused },
	TAP_END,
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, "core_payload", tests);
}
