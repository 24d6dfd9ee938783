/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_FRAME_H
#define CORE_FRAME_H

#include <muses/noise.h>
#include <muses/reliability.h>
#include <muses/wire.h>

/*
 * Frames: what the sealed part of a packet is made of.  Numbers marked v are
 * variable-length (RFC 9000, section 16), others big-endian.
 *
 *   type        fields
 *   PAD         none; one byte
 *   PING        none
 *   PONG        mtu u32: smallest MTU the PING's (or the first) packet met
 *   ACK         flags u8 (bit 0: met a lossy hop), highest v, delay v (us), marks v,
 *               more v, first v: highest - first .. highest were received, then more
 *               times { gap v, size v }: gap + 1 missing below, then size + 1 received
 *   OPEN        stream v, source port u16, destination port u16, length u8, service
 *   STREAM      stream v, position v, size v, data; bit 0 of the type: end of stream
 *   RESET       stream v, reason u8, final v: where the sender's bytes end
 *   REJECT      the same, for a stream that was not accepted
 *   WINDOW      stream v, limit v: highest position that may be sent
 *   WINDOWS     limit v: of all streams together
 *   KEYSTEP     role u8 (0 asks, 1 answers), number u32, share 32
 *   CLOSE       reason u8
 *   POSITION    stream v, position v: everything below has arrived; bit 0 of the
 *               type: the end too
 *   POSITIONS   none: all positions were sent and acknowledged
 *   FINISHED    flags u8 (bit 0: the session goes on), mac 32
 *   LOCATOR     length u8, bytes
 *   0x40..0x7f  plugins' own: size u16, bytes; unknown ones are skipped
 */
enum core_frame_type {
	CORE_FRAME_PAD = 0x00,
	CORE_FRAME_PING = 0x01,
	CORE_FRAME_PONG = 0x02,
	CORE_FRAME_ACK = 0x03,
	CORE_FRAME_OPEN = 0x04,
	CORE_FRAME_RESET = 0x05,
	CORE_FRAME_REJECT = 0x06,
	CORE_FRAME_WINDOW = 0x07,
	CORE_FRAME_STREAM = 0x08,
	CORE_FRAME_STREAM_END = 0x09,
	CORE_FRAME_POSITION = 0x0a,
	CORE_FRAME_POSITION_END = 0x0b,
	CORE_FRAME_WINDOWS = 0x0c,
	CORE_FRAME_KEYSTEP = 0x0d,
	CORE_FRAME_CLOSE = 0x0e,
	CORE_FRAME_POSITIONS = 0x0f,
	CORE_FRAME_FINISHED = 0x10,
	CORE_FRAME_LOCATOR = 0x11,
	CORE_FRAME_PRIVATE = 0x40,
	CORE_FRAME_PRIVATE_LAST = 0x7f,
};

#define CORE_SERVICE_MAX 63

struct core_frame {
	uint8_t type;
	uint64_t stream;
	uint64_t value;        /* position, limit, number or mtu */
	uint16_t source_port, destination_port;
	uint8_t code;          /* reason, role or flags */
	bool end;              /* STREAM and POSITION */
	const uint8_t *data;   /* service, share, mac, locator, stream data */
	size_t size;
	struct muses_ack ack;  /* ACK; ack.range is range below. */
	struct muses_ack_range range[MUSES_ACK_RANGES_MAX];
};

/* Read the next frame.  false at the end (r finished) and for anything malformed
 * (r->short_read set): unknown type, a size beyond the end, an ACK with
 * overlapping, descending or too many ranges, a stream position beyond 2^62.
 * ack.delay_ns is as sent, not yet capped. */
bool core_frame_read(struct muses_reader *r, struct core_frame *f);

/* Bytes that a STREAM frame's header needs at most, and an OPEN with service. */
#define CORE_STREAM_HEADER_MAX (1 + 8 + 8 + 8)
#define CORE_OPEN_MAX          (1 + 8 + 2 + 2 + 1 + CORE_SERVICE_MAX)
#define CORE_ACK_MAX           (2 + 8 + 8 + 8 + 8 + 8 + 16 * (MUSES_ACK_RANGES_MAX - 1))

void core_frame_ack(struct muses_writer *w, const struct muses_ack *ack);
void core_frame_open(struct muses_writer *w, uint64_t stream, uint16_t source_port,
                     uint16_t destination_port, const char *service);
/* The header only; size bytes of data follow. */
void core_frame_stream(struct muses_writer *w, uint64_t stream, uint64_t position,
                       size_t size, bool end);
void core_frame_position(struct muses_writer *w, uint64_t stream, uint64_t position,
                         bool end);
/* RESET and REJECT. */
void core_frame_reason(struct muses_writer *w, enum core_frame_type type, uint64_t stream,
                       uint8_t reason, uint64_t final);
void core_frame_window(struct muses_writer *w, uint64_t stream, uint64_t limit);
void core_frame_windows(struct muses_writer *w, uint64_t limit);
void core_frame_pong(struct muses_writer *w, uint32_t mtu);
void core_frame_keystep(struct muses_writer *w, uint8_t role, uint32_t number,
                        const uint8_t share[static 32]);
void core_frame_close(struct muses_writer *w, uint8_t reason);
void core_frame_finished(struct muses_writer *w, uint8_t flags,
                         const uint8_t mac[static 32]);
void core_frame_locator(struct muses_writer *w, const uint8_t *locator, size_t size);

#endif
