/* SPDX-License-Identifier: Apache-2.0 */
#include "core/frame.h"

#include "tests/frames.h"
#include "tests/tap.h"

#include <stdio.h>
#include <stdlib.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define MOST         MUSES_VARINT_MAX

static const uint8_t share[32] = { 's', 'h', 'a', 'r', 'e' };
static const uint8_t locator[3] = { 1, 2, 3 };
static const char longest[] =
	"a-service-name-as-long-as-names-can-be-is-sixty-three-bytes-12";

/* ---- one of each ------------------------------------------------------------- */

static const struct muses_ack_range three_ranges[] = { { 90, 100 },
	                                               { 80, 88 },
	                                               { 0, 0 } };
static const struct muses_ack an_ack = {
	.delay_ns = 5000 * MUSES_US,
	.congestion = 3,
	.lossy = true,
	.count = COUNT(three_ranges),
	.range = three_ranges,
};

static void write_ack(struct muses_writer *w)
{
	core_frame_ack(w, &an_ack);
}
static void write_open(struct muses_writer *w)
{
	core_frame_open(w, 70, 1000, 22, "ssh");
}
static void write_stream(struct muses_writer *w)
{
	core_frame_stream(w, MOST, 20000, 4, false);
	muses_write(w, "data", 4);
}
static void write_end(struct muses_writer *w)
{
	core_frame_stream(w, 5, MOST, 0, true);
}
static void write_reset(struct muses_writer *w)
{
	core_frame_reason(w, CORE_FRAME_RESET, 6, 9, MOST);
}
static void write_reject(struct muses_writer *w)
{
	core_frame_reason(w, CORE_FRAME_REJECT, 6, 255, 0);
}
static void write_window(struct muses_writer *w)
{
	core_frame_window(w, 64, 1u << 30);
}
static void write_windows(struct muses_writer *w)
{
	core_frame_windows(w, MOST);
}
static void write_position(struct muses_writer *w)
{
	core_frame_position(w, 3, 16384, false);
}
static void write_position_end(struct muses_writer *w)
{
	core_frame_position(w, 3, 16383, true);
}
static void write_pong(struct muses_writer *w)
{
	core_frame_pong(w, UINT32_MAX);
}
static void write_keystep(struct muses_writer *w)
{
	core_frame_keystep(w, 1, 77, share);
}
static void write_close(struct muses_writer *w)
{
	core_frame_close(w, 4);
}
static void write_finished(struct muses_writer *w)
{
	core_frame_finished(w, 1, share);
}
static void write_locator(struct muses_writer *w)
{
	core_frame_locator(w, locator, sizeof(locator));
}
static const struct {
	void (*write)(struct muses_writer *w);
	size_t size; /* What the table in frame.h says. */
	struct core_frame f;
} row[] = {
	{ write_pong, 5, { .type = CORE_FRAME_PONG, .value = UINT32_MAX } },
	{ write_ack, 14, { .type = CORE_FRAME_ACK } },
	{ write_open,
	  11,
	  { .type = CORE_FRAME_OPEN,
	    .stream = 70,
	    .source_port = 1000,
	    .destination_port = 22,
	    .data = (const uint8_t *)"ssh",
	    .size = 3 } },
	{ write_stream,
	  18,
	  { .type = CORE_FRAME_STREAM,
	    .stream = MOST,
	    .value = 20000,
	    .data = (const uint8_t *)"data",
	    .size = 4 } },
	{ write_end,
	  11,
	  { .type = CORE_FRAME_STREAM_END, .stream = 5, .value = MOST, .end = true } },
	{ write_reset,
	  11,
	  { .type = CORE_FRAME_RESET, .stream = 6, .code = 9, .value = MOST } },
	{ write_reject, 4, { .type = CORE_FRAME_REJECT, .stream = 6, .code = 255 } },
	{ write_window,
	  11,
	  { .type = CORE_FRAME_WINDOW, .stream = 64, .value = 1u << 30 } },
	{ write_windows, 9, { .type = CORE_FRAME_WINDOWS, .value = MOST } },
	{ write_position,
	  6,
	  { .type = CORE_FRAME_POSITION, .stream = 3, .value = 16384 } },
	{ write_position_end,
	  4,
	  { .type = CORE_FRAME_POSITION_END, .stream = 3, .value = 16383, .end = true } },
	{ write_keystep,
	  38,
	  { .type = CORE_FRAME_KEYSTEP,
	    .code = 1,
	    .value = 77,
	    .data = share,
	    .size = sizeof(share) } },
	{ write_close, 2, { .type = CORE_FRAME_CLOSE, .code = 4 } },
	{ write_finished,
	  34,
	  { .type = CORE_FRAME_FINISHED,
	    .code = 1,
	    .data = share,
	    .size = sizeof(share) } },
	{ write_locator,
	  5,
	  { .type = CORE_FRAME_LOCATOR, .data = locator, .size = sizeof(locator) } },
};

static bool has_value(uint8_t type)
{
	return type != CORE_FRAME_ACK && type != CORE_FRAME_OPEN &&
	       type != CORE_FRAME_CLOSE && type != CORE_FRAME_FINISHED &&
	       type != CORE_FRAME_LOCATOR && type < CORE_FRAME_PRIVATE;
}

/* Equal in everything that this type of frame has. */
static bool same(const struct core_frame *f, const struct core_frame *expected)
{
	return f->type == expected->type && f->end == expected->end &&
	       f->size == expected->size &&
	       (expected->size == 0 || memcmp(f->data, expected->data, f->size) == 0) &&
	       (expected->stream == 0 || f->stream == expected->stream) &&
	       (expected->code == 0 || f->code == expected->code) &&
	       (!has_value(f->type) || f->value == expected->value) &&
	       (f->type != CORE_FRAME_OPEN ||
	        (f->source_port == expected->source_port &&
	         f->destination_port == expected->destination_port));
}

static void what_is_written_is_read_back(void)
{
	uint8_t bytes[64];

	for (size_t i = 0; i < COUNT(row); i++) {
		struct muses_writer w = muses_writer(bytes, sizeof(bytes));
		struct muses_reader r;
		struct core_frame f;

		row[i].write(&w);
		r = muses_reader(bytes, muses_written(&w));
		/* What was read before must not show through. */
		memset(&f, 0xa5, sizeof(f));
		CU_ASSERT(core_frame_read(&r, &f));
		TAP_NOTE_IF(!same(&f, &row[i].f) || muses_written(&w) != row[i].size,
		            "row %zu, type 0x%02x, %zu bytes", i, f.type,
		            muses_written(&w));
		CU_ASSERT(same(&f, &row[i].f));
		CU_ASSERT_EQUAL(muses_written(&w), row[i].size);
		CU_ASSERT(muses_read_finished(&r));
		CU_ASSERT(!core_frame_read(&r, &f));
		CU_ASSERT(muses_read_finished(&r));
	}
}

static void frames_follow_one_another_with_padding_between(void)
{
	uint8_t bytes[512];
	struct muses_writer w = muses_writer(bytes, sizeof(bytes));
	struct muses_reader r;
	struct core_frame f;

	for (size_t i = 0; i < COUNT(row); i++) {
		row[i].write(&w);
		for (size_t pad = 0; pad < i % 3; pad++)
			muses_write_u8(&w, CORE_FRAME_PAD);
	}
	CU_ASSERT(!w.short_room);
	r = muses_reader(bytes, muses_written(&w));
	for (size_t i = 0; i < COUNT(row); i++) {
		CU_ASSERT(core_frame_read(&r, &f));
		CU_ASSERT(same(&f, &row[i].f));
	}
	CU_ASSERT(!core_frame_read(&r, &f));
	CU_ASSERT(muses_read_finished(&r));
}

/* In memory of exactly that size, so that reading past the end shows. */
static uint8_t *exact(const uint8_t *bytes, size_t size)
{
	uint8_t *copy = malloc(size > 0 ? size : 1);

	CU_ASSERT_PTR_NOT_NULL_FATAL(copy);
	memcpy(copy, bytes, size);
	return copy;
}

static void a_frame_that_ends_early_is_malformed(void)
{
	uint8_t bytes[64];

	for (size_t i = 0; i < COUNT(row); i++) {
		struct muses_writer w = muses_writer(bytes, sizeof(bytes));

		row[i].write(&w);
		for (size_t size = 1; size < muses_written(&w); size++) {
			uint8_t *part = exact(bytes, size);
			struct muses_reader r = muses_reader(part, size);
			struct core_frame f;
			bool read = core_frame_read(&r, &f);

			TAP_NOTE_IF(read || !r.short_read, "row %zu, %zu bytes", i, size);
			CU_ASSERT(!read && r.short_read);
			CU_ASSERT(!core_frame_read(&r, &f));
			free(part);
		}
	}
}

/* ---- rows of bytes --------------------------------------------------------------- */

static void malformed_frames_are_refused(void)
{
	static const struct {
		const char *bytes;
		size_t size;
		bool good;
		const char *why;
	} bad[] = {
#define ROW(bytes) bytes, sizeof(bytes) - 1
		{ ROW(""), false, "nothing" },
		{ ROW("\0\0\0"), false, "only padding" },
		{ ROW("\x01"), true, "a PING" },
		{ ROW("\x0f"), true, "a POSITIONS" },
		{ ROW("\x12"), false, "the first type that is not given" },
		{ ROW("\x3f\0\0"), false, "the last below the private ones" },
		{ ROW("\x40\0\0"), true, "the first private one, empty" },
		{ ROW("\x7f\0\1x"), true, "the last private one" },
		{ ROW("\x7f\0\2x"), false, "a private one with a size beyond the end" },
		{ ROW("\x80\0\0"), false, "above the private ones" },
		{ ROW("\xff"), false, "the last type" },
		{ ROW("\x08\1\0\4data"), true, "a stream's bytes" },
		{ ROW("\x08\1\0\5data"), false, "more of them than there are" },
		{ ROW("\x08\1\0\xff\xff\xff\xff\xff\xff\xff\xff"
		      "data"),
		  false, "2^62 - 1 of them" },
		{ ROW("\x08\1\xff\xff\xff\xff\xff\xff\xff\xff\0"), true,
		  "no byte at position 2^62 - 1" },
		{ ROW("\x08\1\xff\xff\xff\xff\xff\xff\xff\xff\1x"), false,
		  "a byte that ends at 2^62" },
		{ ROW("\x08\1\xff\xff\xff\xff\xff\xff\xff\xfe\1x"), true,
		  "a byte that ends at 2^62 - 1" },
		{ ROW("\x09\1\0\0"), true, "an end at once" },
		{ ROW("\x08\x40\1\x40\0\x40\0"), true, "numbers longer than need be" },
		{ ROW("\x04\0\0\0\0\0\0"), true, "a service without a name" },
		{ ROW("\x04\0\0\0\0\0\3ab"), false, "a name beyond the end" },
		{ ROW("\x11\0"), true, "an empty locator" },
		{ ROW("\x11\4abc"), false, "a locator beyond the end" },
		{ ROW("\x03\0\5\0\0\0\5"), true, "0 to 5 are acknowledged" },
		{ ROW("\x03\0\5\0\0\0\6"), false, "from -1 on" },
		{ ROW("\x03\0\5\0\0\0\x40\6"), false, "from -1 on, written long" },
		{ ROW("\x03\0\5\0\0\1\0\0\3"), true, "5, and 0 to 3" },
		{ ROW("\x03\0\5\0\0\1\0\0\4"), false, "5, and -1 to 3" },
		{ ROW("\x03\0\5\0\0\1\0\3\0"), true, "5 and 0" },
		{ ROW("\x03\0\5\0\0\1\0\4\0"), false, "5 and -1" },
		{ ROW("\x03\0\5\0\0\1\0\5\0"), false, "5 and -2" },
		{ ROW("\x03\0\5\0\0\1\0\xff\xff\xff\xff\xff\xff\xff\xff\0"), false,
		  "5 and far below" },
		{ ROW("\x03\0\5\0\0\1\0\0\xff\xff\xff\xff\xff\xff\xff\xff"), false,
		  "5 and far too many" },
		{ ROW("\x03\0\5\0\0\1\5\0\0"), false, "0 to 5, and one below" },
		{ ROW("\x03\0\5\0\0\1\0"), false, "a range that is not there" },
		{ ROW("\x03\xfe\5\0\0\0\0"), true, "unknown flags" },
		{ ROW("\x03\0\5\0\0\xff\xff\xff\xff\xff\xff\xff\xff\0"), false,
		  "2^62 ranges" },
#undef ROW
	};

	for (size_t i = 0; i < COUNT(bad); i++) {
		uint8_t *bytes = exact((const uint8_t *)bad[i].bytes, bad[i].size);
		struct muses_reader r = muses_reader(bytes, bad[i].size);
		struct core_frame f;
		bool good = core_frame_read(&r, &f) && muses_read_finished(&r);

		TAP_NOTE_IF(good != bad[i].good, "row %zu: %s", i, bad[i].why);
		CU_ASSERT_EQUAL(good, bad[i].good);
		free(bytes);
	}
}

static void a_service_has_at_most_63_bytes(void)
{
	uint8_t bytes[128] = { CORE_FRAME_OPEN, 1, 0, 0, 0, 0 };
	struct muses_writer w = muses_writer(bytes + 16, sizeof(bytes) - 16);
	struct muses_reader r;
	struct core_frame f;

	for (unsigned length = 60; length < 100; length++) {
		bool read;

		bytes[6] = (uint8_t)length;
		r = muses_reader(bytes, 7 + length);
		read = core_frame_read(&r, &f);
		CU_ASSERT_EQUAL(read, length <= CORE_SERVICE_MAX);
		CU_ASSERT_EQUAL(r.short_read, !read);
	}
	core_frame_open(&w, MOST, 1, 2, longest);
	CU_ASSERT(muses_written(&w) <= CORE_OPEN_MAX);
}

/* ---- acknowledgements ----------------------------------------------------------------
 */

static bool round_trip(const struct muses_ack *ack)
{
	uint8_t bytes[CORE_ACK_MAX];
	struct muses_writer w = muses_writer(bytes, sizeof(bytes));
	struct muses_reader r;
	struct core_frame f;
	bool good;

	core_frame_ack(&w, ack);
	if (w.short_room)
		return false;
	r = muses_reader(bytes, muses_written(&w));
	good = core_frame_read(&r, &f) && muses_read_finished(&r) &&
	       f.type == CORE_FRAME_ACK && f.ack.range == f.range &&
	       f.ack.count == ack->count && f.ack.lossy == ack->lossy &&
	       f.ack.congestion == ack->congestion &&
	       f.ack.delay_ns == ack->delay_ns / MUSES_US * MUSES_US;
	for (size_t i = 0; good && i < ack->count; i++)
		good = f.range[i].first == ack->range[i].first &&
		       f.range[i].last == ack->range[i].last;
	return good;
}

static void an_ack_has_at_most_64_ranges(void)
{
	struct muses_ack_range range[MUSES_ACK_RANGES_MAX + 1];
	struct muses_ack ack = { .delay_ns = UINT32_MAX * (uint64_t)MUSES_US,
		                 .congestion = MOST,
		                 .range = range };
	uint8_t bytes[CORE_ACK_MAX + 16];
	struct muses_writer w = muses_writer(bytes, sizeof(bytes));
	struct muses_reader r;
	struct core_frame f;

	/* As far apart as they can be, so that every number takes 8 bytes. */
	for (size_t i = 0; i < COUNT(range); i++) {
		range[i].last = MOST - i * (MOST / COUNT(range));
		range[i].first = range[i].last - MOST / COUNT(range) / 2;
	}
	for (ack.count = 1; ack.count <= MUSES_ACK_RANGES_MAX; ack.count++)
		CU_ASSERT(round_trip(&ack));
	core_frame_ack(&w, &ack);
	CU_ASSERT(!w.short_room);
	r = muses_reader(bytes, muses_written(&w));
	CU_ASSERT(!core_frame_read(&r, &f));
	CU_ASSERT(r.short_read);
}

static uint64_t dice;

static uint64_t roll(uint64_t sides)
{
	dice = dice * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (dice >> 20) % sides;
}

static void any_descending_ranges_are_acknowledged(void)
{
	dice = 3;
	for (unsigned run = 0; run < 20000; run++) {
		struct muses_ack_range range[MUSES_ACK_RANGES_MAX];
		struct muses_ack ack = { .count = 1 + roll(MUSES_ACK_RANGES_MAX),
			                 .range = range,
			                 .delay_ns = roll(MUSES_S),
			                 .lossy = roll(2) == 1,
			                 .congestion = roll(100) };
		uint64_t at = 0;

		for (size_t i = ack.count; i-- > 0;) {
			range[i].first = at + (i + 1 < ack.count ? 2 : 0) + roll(3);
			range[i].last =
				range[i].first +
				(roll(2) == 0 ? 0 : roll(UINT64_C(1) << roll(50)));
			at = range[i].last;
		}
		if (!round_trip(&ack)) {
			TAP_NOTE_IF(true, "run %u", run);
			CU_FAIL("an acknowledgement came out different");
			break;
		}
	}
}

static void an_ack_tells_any_delay_but_not_an_absurd_one(void)
{
	uint8_t bytes[64];
	struct muses_writer w = muses_writer(bytes, sizeof(bytes));
	struct muses_reader r;
	struct core_frame f;

	muses_write(&w, "\3\376\5", 3);
	muses_write_varint(&w, MOST);
	muses_write(&w, "\0\0\0", 3);
	r = muses_reader(bytes, muses_written(&w));
	CU_ASSERT(core_frame_read(&r, &f));
	CU_ASSERT_EQUAL(f.ack.delay_ns, UINT64_C(4294967295000));
	CU_ASSERT(!f.ack.lossy); /* Its bit alone is clear. */
}

/* ---- any bytes ------------------------------------------------------------------------
 */

static void any_bytes_are_read_to_an_end(void)
{
	uint8_t bytes[512];
	bool good = true;

	dice = 5;
	for (unsigned run = 0; good && run < 100000; run++) {
		struct muses_writer w = muses_writer(bytes, sizeof(bytes));
		uint8_t *copy;
		size_t size;

		if (run % 2 == 0) {
			/* Good frames, a few bytes changed. */
			for (size_t i = roll(6); i-- > 0;)
				row[roll(COUNT(row))].write(&w);
			size = muses_written(&w);
			for (size_t i = size > 0 ? roll(4) : 0; i-- > 0;)
				bytes[roll(size)] = (uint8_t)roll(256);
		} else {
			/* Types that exist, then anything. */
			size = roll(64);
			for (size_t i = 0; i < size; i++)
				bytes[i] = (uint8_t)roll(roll(3) == 0 ? 256 : 24);
		}
		copy = exact(bytes, size);
		good = frames_read_sane(copy, size);
		TAP_NOTE_IF(!good, "run %u", run);
		free(copy);
	}
	CU_ASSERT(good);
}

static const struct tap_test tests[] = {
	{ "what is written is read back", what_is_written_is_read_back },
	{ "frames follow one another with padding between",
	  frames_follow_one_another_with_padding_between },
	{ "a frame that ends early is malformed", a_frame_that_ends_early_is_malformed },
	{ "malformed frames are refused", malformed_frames_are_refused },
	{ "a service has at most 63 bytes", a_service_has_at_most_63_bytes },
	{ "an ACK has at most 64 ranges", an_ack_has_at_most_64_ranges },
	{ "any descending ranges are acknowledged",
	  any_descending_ranges_are_acknowledged },
	{ "an ACK tells any delay but not an absurd one",
	  an_ack_tells_any_delay_but_not_an_absurd_one },
	{ "any bytes are read to an end", any_bytes_are_read_to_an_end },
	TAP_END,
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, "core_frame", tests);
}
