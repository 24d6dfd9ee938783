/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_PACKET_H
#define CORE_PACKET_H

#include <muses/id.h>
#include <muses/wire.h>

/*
 * The persistent header: in the clear, authenticated as additional data.
 *
 *   offset  size  field
 *        0     1  version        CORE_VERSION
 *        1     1  type           ConTYPE, enum core_packet_type
 *        2     2  flags          CORE_FLAG_*; a receiver drops unknown ones
 *        4     8  index          the receiver's partial session id; 0: HELLO_A
 *       12     8  sequence       SeqNBR, new for every packet sent
 *       20     2  epoch          (generation mod 64) << 10 | (step mod 1024)
 *       22     2  length         bytes behind this header
 */
enum core_header {
	CORE_HEADER_VERSION = 0,
	CORE_HEADER_TYPE = CORE_HEADER_VERSION + 1,
	CORE_HEADER_FLAGS = CORE_HEADER_TYPE + 1,
	CORE_HEADER_INDEX = CORE_HEADER_FLAGS + 2,
	CORE_HEADER_SEQUENCE = CORE_HEADER_INDEX + 8,
	CORE_HEADER_EPOCH = CORE_HEADER_SEQUENCE + 8,
	CORE_HEADER_LENGTH = CORE_HEADER_EPOCH + 2,
	CORE_HEADER_BYTES = CORE_HEADER_LENGTH + 2,
};
_Static_assert(CORE_HEADER_BYTES == 24, "doc/PROTOCOL says 24");

enum { CORE_VERSION = 1 };

enum core_packet_type {
	CORE_PACKET_HELLO_A = 1,
	CORE_PACKET_HELLO_B = 2,
	CORE_PACKET_RETRY = 3,
	CORE_PACKET_FINISHED = 4, /* Third keys message; two-message patterns have none. */
	CORE_PACKET_DATA = 5,
	CORE_PACKET_REHELLO = 6,
	CORE_PACKET_REHELLO_ACK = 7,
};

/* DATA: this step's keys were made with a KEYSTEP's shared secret. */
#define CORE_FLAG_KEYSTEP 0x0001

struct core_packet {
	uint8_t type;
	uint16_t flags;
	uint64_t index;
	uint64_t sequence;
	uint16_t epoch;
	uint16_t length;
};

/* Write the 24 bytes at out. */
static inline void core_packet_put(const struct core_packet *p,
                                   uint8_t out[static CORE_HEADER_BYTES])
{
	struct muses_writer w = muses_writer(out, CORE_HEADER_BYTES);

	muses_write_u8(&w, CORE_VERSION);
	muses_write_u8(&w, p->type);
	muses_write_u16(&w, p->flags);
	muses_write_u64(&w, p->index);
	muses_write_u64(&w, p->sequence);
	muses_write_u16(&w, p->epoch);
	muses_write_u16(&w, p->length);
}

/* Read them; false: too short, another version, unknown flags or type, or length
 * is not exactly what follows. */
static inline bool core_packet_get(struct core_packet *p, const uint8_t *data, size_t size)
{
	struct muses_reader r = muses_reader(data, size);
	uint8_t version = muses_read_u8(&r);

	p->type = muses_read_u8(&r);
	p->flags = muses_read_u16(&r);
	p->index = muses_read_u64(&r);
	p->sequence = muses_read_u64(&r);
	p->epoch = muses_read_u16(&r);
	p->length = muses_read_u16(&r);
	return !r.short_read && version == CORE_VERSION &&
	       (p->flags & ~(p->type == CORE_PACKET_DATA ? CORE_FLAG_KEYSTEP : 0)) == 0 &&
	       p->type >= CORE_PACKET_HELLO_A && p->type <= CORE_PACKET_REHELLO_ACK &&
	       muses_left(&r) == p->length;
}

static inline uint16_t core_packet_epoch(uint32_t generation, uint32_t step)
{
	return (uint16_t)((generation & 63) << 10 | (step & 1023));
}

#endif
