/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes behind an ACK's type: what is read can be written, comes back the same,
 * and fits a set of ranges. */
#include "core/ranges.h"
#include "tests/frames.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(condition) ((condition) ? (void)0 : abort())

static uint8_t packet[1 + 65536];

static void write_again(const struct core_frame *f)
{
	uint8_t bytes[CORE_ACK_MAX];
	struct muses_writer w = muses_writer(bytes, sizeof(bytes));
	struct muses_reader r;
	struct core_frame again;

	core_frame_ack(&w, &f->ack);
	MUST(!w.short_room);
	r = muses_reader(bytes, muses_written(&w));
	MUST(core_frame_read(&r, &again) && muses_read_finished(&r));
	MUST(again.ack.count == f->ack.count && again.ack.lossy == f->ack.lossy &&
	     again.ack.delay_ns == f->ack.delay_ns &&
	     again.ack.congestion == f->ack.congestion);
	for (size_t i = 0; i < f->ack.count; i++)
		MUST(again.range[i].first == f->range[i].first &&
		     again.range[i].last == f->range[i].last);
}

static void keep_in_set(const struct core_frame *f)
{
	struct core_ranges set = { 0 };

	for (size_t i = 0; i < f->ack.count; i++)
		core_ranges_add(&set, f->range[i].first, f->range[i].last);
	/* They neither touch nor are too many: as they stand. */
	MUST(set.count == f->ack.count);
	for (size_t i = 0; i < f->ack.count; i++)
		MUST(core_ranges_at(&set, i).first == f->range[i].first &&
		     core_ranges_at(&set, i).last == f->range[i].last);
	core_ranges_clear(&set);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct muses_reader r;
	struct core_frame f;

	if (size > sizeof(packet) - 1)
		return 0;
	packet[0] = CORE_FRAME_ACK;
	if (size > 0)
		memcpy(packet + 1, data, size);
	r = muses_reader(packet, 1 + size);
	if (core_frame_read(&r, &f)) {
		MUST(frames_sane(&f, packet, 1 + size));
		write_again(&f);
		keep_in_set(&f);
	}
	return 0;
}
