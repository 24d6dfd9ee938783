/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The codec of frames; see the table in frame.h.  Pure, and fuzzed: whatever the
 * bytes are, reading ends and stays inside them.
 */
#include "core/frame.h"

static bool read_ack(struct muses_reader *r, struct core_frame *f)
{
	struct muses_ack *ack = &f->ack;
	uint64_t delay_us, more, low;

	ack->lossy = (muses_read_u8(r) & 1) != 0;
	f->range[0].last = muses_read_varint(r);
	delay_us = muses_read_varint(r);
	ack->delay_ns =
		delay_us <= UINT32_MAX ? delay_us * MUSES_US : UINT32_MAX * MUSES_US;
	ack->congestion = muses_read_varint(r);
	more = muses_read_varint(r);
	low = muses_read_varint(r);
	if (r->short_read || more >= MUSES_ACK_RANGES_MAX || low > f->range[0].last)
		return false;
	f->range[0].first = f->range[0].last - low;
	for (uint64_t i = 1; i <= more; i++) {
		uint64_t gap = muses_read_varint(r) + 1;
		uint64_t size = muses_read_varint(r);
		uint64_t above = f->range[i - 1].first;

		if (r->short_read || gap > above || above - gap < 1 ||
		    above - gap - 1 < size)
			return false;
		f->range[i].last = above - gap - 1;
		f->range[i].first = f->range[i].last - size;
	}
	ack->count = (size_t)more + 1;
	ack->range = f->range;
	return true;
}

static void read_bytes(struct muses_reader *r, struct core_frame *f, size_t size)
{
	f->data = muses_read(r, size);
	f->size = size;
}

static void read_open(struct muses_reader *r, struct core_frame *f)
{
	f->stream = muses_read_varint(r);
	f->source_port = muses_read_u16(r);
	f->destination_port = muses_read_u16(r);
	read_bytes(r, f, muses_read_u8(r));
	if (f->size > CORE_SERVICE_MAX)
		r->short_read = true;
}

static void read_stream(struct muses_reader *r, struct core_frame *f)
{
	uint64_t size;

	f->stream = muses_read_varint(r);
	f->value = muses_read_varint(r);
	size = muses_read_varint(r);
	if (size > muses_left(r) || f->value > MUSES_VARINT_MAX - size) {
		r->short_read = true;
		return;
	}
	read_bytes(r, f, (size_t)size);
}

bool core_frame_read(struct muses_reader *r, struct core_frame *f)
{
	do {
		if (r->short_read || r->at == r->end)
			return false;
		f->type = *r->at++;
	} while (f->type == CORE_FRAME_PAD);

	f->data = NULL;
	f->size = 0;
	f->end = f->type == CORE_FRAME_STREAM_END || f->type == CORE_FRAME_POSITION_END;
	switch (f->type) {
	case CORE_FRAME_PING:
	case CORE_FRAME_POSITIONS:
		break;
	case CORE_FRAME_PONG:
		f->value = muses_read_u32(r);
		break;
	case CORE_FRAME_ACK:
		if (!read_ack(r, f))
			r->short_read = true;
		break;
	case CORE_FRAME_OPEN:
		read_open(r, f);
		break;
	case CORE_FRAME_STREAM:
	case CORE_FRAME_STREAM_END:
		read_stream(r, f);
		break;
	case CORE_FRAME_RESET:
	case CORE_FRAME_REJECT:
		f->stream = muses_read_varint(r);
		f->code = muses_read_u8(r);
		f->value = muses_read_varint(r);
		break;
	case CORE_FRAME_WINDOW:
	case CORE_FRAME_POSITION:
	case CORE_FRAME_POSITION_END:
		f->stream = muses_read_varint(r);
		f->value = muses_read_varint(r);
		break;
	case CORE_FRAME_WINDOWS:
		f->value = muses_read_varint(r);
		break;
	case CORE_FRAME_KEYSTEP:
		f->code = muses_read_u8(r);
		f->value = muses_read_u32(r);
		read_bytes(r, f, 32);
		break;
	case CORE_FRAME_CLOSE:
		f->code = muses_read_u8(r);
		break;
	case CORE_FRAME_FINISHED:
		f->code = muses_read_u8(r);
		read_bytes(r, f, 32);
		break;
	case CORE_FRAME_LOCATOR:
		read_bytes(r, f, muses_read_u8(r));
		break;
	default:
		if (f->type < CORE_FRAME_PRIVATE || f->type > CORE_FRAME_PRIVATE_LAST) {
			r->short_read = true;
			break;
		}
		read_bytes(r, f, muses_read_u16(r));
		break;
	}
	return !r->short_read;
}

void core_frame_ack(struct muses_writer *w, const struct muses_ack *ack)
{
	const struct muses_ack_range *range = ack->range;

	muses_write_u8(w, CORE_FRAME_ACK);
	muses_write_u8(w, ack->lossy ? 1 : 0);
	muses_write_varint(w, range[0].last);
	muses_write_varint(w, ack->delay_ns / MUSES_US);
	muses_write_varint(w, ack->congestion);
	muses_write_varint(w, ack->count - 1);
	muses_write_varint(w, range[0].last - range[0].first);
	for (size_t i = 1; i < ack->count; i++) {
		muses_write_varint(w, range[i - 1].first - range[i].last - 2);
		muses_write_varint(w, range[i].last - range[i].first);
	}
}

void core_frame_open(struct muses_writer *w, uint64_t stream, uint16_t source_port,
                     uint16_t destination_port, const char *service)
{
	size_t length = strlen(service);

	muses_write_u8(w, CORE_FRAME_OPEN);
	muses_write_varint(w, stream);
	muses_write_u16(w, source_port);
	muses_write_u16(w, destination_port);
	muses_write_u8(w, (uint8_t)length);
	muses_write(w, service, length);
}

void core_frame_stream(struct muses_writer *w, uint64_t stream, uint64_t position,
                       size_t size, bool end)
{
	muses_write_u8(w, end ? CORE_FRAME_STREAM_END : CORE_FRAME_STREAM);
	muses_write_varint(w, stream);
	muses_write_varint(w, position);
	muses_write_varint(w, size);
}

void core_frame_position(struct muses_writer *w, uint64_t stream, uint64_t position,
                         bool end)
{
	muses_write_u8(w, end ? CORE_FRAME_POSITION_END : CORE_FRAME_POSITION);
	muses_write_varint(w, stream);
	muses_write_varint(w, position);
}

void core_frame_reason(struct muses_writer *w, enum core_frame_type type, uint64_t stream,
                       uint8_t reason, uint64_t final)
{
	muses_write_u8(w, (uint8_t)type);
	muses_write_varint(w, stream);
	muses_write_u8(w, reason);
	muses_write_varint(w, final);
}

void core_frame_window(struct muses_writer *w, uint64_t stream, uint64_t limit)
{
	muses_write_u8(w, CORE_FRAME_WINDOW);
	muses_write_varint(w, stream);
	muses_write_varint(w, limit);
}

void core_frame_windows(struct muses_writer *w, uint64_t limit)
{
	muses_write_u8(w, CORE_FRAME_WINDOWS);
	muses_write_varint(w, limit);
}

void core_frame_pong(struct muses_writer *w, uint32_t mtu)
{
	muses_write_u8(w, CORE_FRAME_PONG);
	muses_write_u32(w, mtu);
}

void core_frame_keystep(struct muses_writer *w, uint8_t role, uint32_t number,
                        const uint8_t share[static 32])
{
	muses_write_u8(w, CORE_FRAME_KEYSTEP);
	muses_write_u8(w, role);
	muses_write_u32(w, number);
	muses_write(w, share, 32);
}

void core_frame_close(struct muses_writer *w, uint8_t reason)
{
	muses_write_u8(w, CORE_FRAME_CLOSE);
	muses_write_u8(w, reason);
}

void core_frame_finished(struct muses_writer *w, uint8_t flags,
                         const uint8_t mac[static 32])
{
	muses_write_u8(w, CORE_FRAME_FINISHED);
	muses_write_u8(w, flags);
	muses_write(w, mac, 32);
}

void core_frame_locator(struct muses_writer *w, const uint8_t *locator, size_t size)
{
	muses_write_u8(w, CORE_FRAME_LOCATOR);
	muses_write_u8(w, (uint8_t)size);
	muses_write(w, locator, size);
}
