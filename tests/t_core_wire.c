/* SPDX-License-Identifier: Apache-2.0 */
/* Tests muses/wire.h: the cursors every message is read and written with. */
#include "tests/tap.h"

#include <muses/wire.h>

#include <stdio.h>
#include <stdlib.h>

static size_t write_all(uint8_t *out, size_t room, bool *short_room)
{
	struct muses_writer w = muses_writer(out, room);

	muses_write_u8(&w, 0x01);
	muses_write_u16(&w, 0x0203);
	muses_write_u32(&w, 0x04050607);
	muses_write_u64(&w, UINT64_C(0x08090a0b0c0d0e0f));
	muses_write_be(&w, 0x101112, 3);
	muses_write(&w, "\x13\x14", 2);
	muses_write_varint(&w, 0x15);
	muses_write_varint(&w, 0x1617);
	*short_room = w.short_room;
	return muses_written(&w);
}
#define ALL_SIZE (1 + 2 + 4 + 8 + 3 + 2 + 1 + 2)

static void numbers_are_big_endian(void)
{
	uint8_t out[ALL_SIZE];
	uint8_t two[2];
	struct muses_reader r;
	bool short_room;

	CU_ASSERT_EQUAL(write_all(out, sizeof(out), &short_room), ALL_SIZE);
	CU_ASSERT_FALSE(short_room);
	for (size_t i = 0; i < 0x15; i++)
		CU_ASSERT_EQUAL(out[i], i + 1);
	CU_ASSERT_EQUAL(out[0x15], 0x56); /* 0x16 with the mark of two bytes. */
	CU_ASSERT_EQUAL(out[0x16], 0x17);

	r = muses_reader(out, sizeof(out));
	CU_ASSERT_EQUAL(muses_left(&r), ALL_SIZE);
	CU_ASSERT_EQUAL(muses_read_u8(&r), 0x01);
	CU_ASSERT_EQUAL(muses_read_u16(&r), 0x0203);
	CU_ASSERT_EQUAL(muses_read_u32(&r), 0x04050607);
	CU_ASSERT_EQUAL(muses_read_u64(&r), UINT64_C(0x08090a0b0c0d0e0f));
	CU_ASSERT_EQUAL(muses_read_be(&r, 3), 0x101112);
	muses_read_to(&r, two, 2);
	CU_ASSERT_EQUAL(two[1], 0x14);
	CU_ASSERT_EQUAL(muses_read_varint(&r), 0x15);
	CU_ASSERT_FALSE(muses_read_finished(&r)); /* Something is left. */
	CU_ASSERT_EQUAL(muses_read_varint(&r), 0x1617);
	CU_ASSERT_TRUE(muses_read_finished(&r));
	CU_ASSERT_EQUAL(muses_read_u8(&r), 0);
	CU_ASSERT_FALSE(muses_read_finished(&r)); /* Something was missing. */
}

static void every_truncation_is_noticed(void)
{
	uint8_t out[ALL_SIZE];
	bool short_room;

	(void)write_all(out, sizeof(out), &short_room);
	for (size_t size = 0; size < ALL_SIZE; size++) {
		/* A block of exactly that size, so that valgrind and ASan see a step
		 * too far. */
		uint8_t *cut = malloc(size + (size == 0));
		struct muses_reader r = muses_reader(cut, size);
		uint8_t two[2] = { 9, 9 };

		memcpy(cut, out, size);
		(void)muses_read_u8(&r);
		(void)muses_read_u16(&r);
		(void)muses_read_u32(&r);
		(void)muses_read_u64(&r);
		(void)muses_read_be(&r, 3);
		muses_read_to(&r, two, 2);
		(void)muses_read_varint(&r);
		(void)muses_read_varint(&r);
		CU_ASSERT_TRUE(r.short_read);
		CU_ASSERT_FALSE(muses_read_finished(&r));
		CU_ASSERT_TRUE(size >= 20 || (two[0] == 0 && two[1] == 0));
		free(cut);
	}
}

static void short_room_is_noticed(void)
{
	for (size_t room = 0; room < ALL_SIZE; room++) {
		uint8_t *out = malloc(room + (room == 0));
		bool short_room = false;

		CU_ASSERT_TRUE(write_all(out, room, &short_room) <= room);
		CU_ASSERT_TRUE(short_room);
		free(out);
	}
}

static void after_running_short_nothing_happens(void)
{
	uint8_t bytes[4] = { 1, 2, 3, 4 };
	struct muses_reader r = muses_reader(bytes, 4);
	struct muses_writer w = muses_writer(bytes, 4);

	CU_ASSERT_EQUAL(muses_read_u64(&r), 0);
	/* The four bytes are still there, but order is lost: zeros from here on. */
	CU_ASSERT_EQUAL(muses_read_u8(&r), 0);
	CU_ASSERT_EQUAL(muses_read_varint(&r), 0);
	CU_ASSERT_PTR_NULL(muses_read(&r, 0));
	muses_write_u64(&w, 9);
	muses_write_u8(&w, 9);
	muses_write_varint(&w, 9);
	CU_ASSERT_PTR_NULL(muses_write_space(&w, 0));
	CU_ASSERT_EQUAL(muses_written(&w), 0);
	CU_ASSERT_EQUAL(bytes[0], 1);
}

static void nothing_can_be_read_and_written(void)
{
	struct muses_reader r = muses_reader(NULL, 0);
	struct muses_writer w = muses_writer(NULL, 0);

	CU_ASSERT_TRUE(muses_read_finished(&r));
	muses_write(&w, NULL, 0);
	CU_ASSERT_FALSE(w.short_room);
	CU_ASSERT_EQUAL(muses_room(&w), 0);
	muses_read_to(&r, &w, 0);
	CU_ASSERT_FALSE(r.short_read && muses_left(&r) > 0);
}

static void varints_take_what_they_need(void)
{
	static const struct {
		uint64_t value;
		size_t size;
		const char *bytes, *why;
	} row[] = {
		{ 0, 1, "\x00", "zero" },
		{ 37, 1, "\x25", "RFC 9000, A.1" },
		{ 63, 1, "\x3f", "the largest of one byte" },
		{ 64, 2, "\x40\x40", "the smallest of two" },
		{ 15293, 2, "\x7b\xbd", "RFC 9000, A.1" },
		{ 16383, 2, "\x7f\xff", "the largest of two" },
		{ 16384, 4, "\x80\x00\x40\x00", "the smallest of four" },
		{ 494878333, 4, "\x9d\x7f\x3e\x7d", "RFC 9000, A.1" },
		{ 1073741823, 4, "\xbf\xff\xff\xff", "the largest of four" },
		{ 1073741824, 8, "\xc0\x00\x00\x00\x40\x00\x00\x00",
		  "the smallest of eight" },
		{ UINT64_C(151288809941952652), 8, "\xc2\x19\x7c\x5e\xff\x14\xe8\x8c",
		  "RFC 9000, A.1" },
		{ MUSES_VARINT_MAX, 8, "\xff\xff\xff\xff\xff\xff\xff\xff",
		  "the largest" },
	};

	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		uint8_t out[8];
		struct muses_writer w = muses_writer(out, sizeof(out));
		struct muses_reader r;
		bool right;

		muses_write_varint(&w, row[i].value);
		right = muses_varint_size(row[i].value) == row[i].size &&
		        muses_written(&w) == row[i].size &&
		        memcmp(out, row[i].bytes, row[i].size) == 0;
		r = muses_reader(row[i].bytes, row[i].size);
		right = right && muses_read_varint(&r) == row[i].value &&
		        muses_read_finished(&r);
		TAP_NOTE_IF(!right, "%s", row[i].why);
		CU_ASSERT_TRUE(right);
		for (size_t size = 0; size < row[i].size; size++) {
			r = muses_reader(row[i].bytes, size);
			CU_ASSERT_EQUAL(muses_read_varint(&r), 0);
			CU_ASSERT_TRUE(r.short_read);
			w = muses_writer(out, size);
			muses_write_varint(&w, row[i].value);
			CU_ASSERT_TRUE(w.short_room);
			CU_ASSERT_EQUAL(muses_written(&w), 0);
		}
	}
}

static void long_forms_are_accepted(void)
{
	struct muses_reader r = muses_reader("\x40\x25\x80\x00\x00\x25", 6);

	CU_ASSERT_EQUAL(muses_read_varint(&r), 37);
	CU_ASSERT_EQUAL(muses_read_varint(&r), 37);
	CU_ASSERT_TRUE(muses_read_finished(&r));
}

static const struct tap_test tests[] = {
	{ "numbers are big-endian and come back", numbers_are_big_endian },
	{ "every truncation is noticed and read as zeros", every_truncation_is_noticed },
	{ "every room too small is noticed", short_room_is_noticed },
	{ "a cursor that ran short does nothing more",
	  after_running_short_nothing_happens },
	{ "cursors over nothing work", nothing_can_be_read_and_written },
	{ "varints take one, two, four or eight bytes, as in RFC 9000",
	  varints_take_what_they_need },
	{ "a varint longer than needed is accepted", long_forms_are_accepted },
	TAP_END
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, "wire", tests);
}
