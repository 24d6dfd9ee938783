/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_FRAMES_H
#define TESTS_FRAMES_H

#include "core/frame.h"

/* What may be relied on when core_frame_read() has read f from data, whatever the
 * bytes were. */
static inline bool frames_sane(const struct core_frame *f, const uint8_t *data,
                               size_t size)
{
	if (f->type == CORE_FRAME_PAD || f->type > CORE_FRAME_PRIVATE_LAST ||
	    (f->type > CORE_FRAME_LOCATOR && f->type < CORE_FRAME_PRIVATE))
		return false;
	if (f->size > 0 && (f->data < data || f->data + f->size > data + size))
		return false;
	if ((f->type == CORE_FRAME_STREAM || f->type == CORE_FRAME_STREAM_END) &&
	    f->value + f->size > MUSES_VARINT_MAX)
		return false;
	if (f->type == CORE_FRAME_OPEN && f->size > CORE_SERVICE_MAX)
		return false;
	if (f->type != CORE_FRAME_ACK)
		return true;
	for (size_t i = 0; i < f->ack.count; i++)
		if (f->range[i].first > f->range[i].last ||
		    f->range[i].last > MUSES_VARINT_MAX ||
		    (i > 0 && f->range[i].last + 1 >= f->range[i - 1].first))
			return false;
	return f->ack.count >= 1 && f->ack.count <= MUSES_ACK_RANGES_MAX &&
	       f->ack.range == f->range;
}

/* Read all frames: does it end, inside, with sane frames? */
static inline bool frames_read_sane(const uint8_t *data, size_t size)
{
	struct muses_reader r = muses_reader(data, size);
	struct core_frame f;
	size_t frames = 0;

	while (core_frame_read(&r, &f))
		if (++frames > size || r.at > r.end || !frames_sane(&f, data, size))
			return false;
	return r.at <= data + size && (r.short_read || r.at == r.end);
}

#endif
