/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MUSES_WIRE_H
#define MUSES_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/*
 * Cursors over bytes: how everything that came from the network is read and
 * everything that goes there is written.  Numbers are big-endian.
 *
 * A cursor remembers that it ran short; from then on reads give zero (or NULL)
 * and writes do nothing.  So a parser reads like the field table in
 * doc/PROTOCOL, with one test at its end.  Never allocates, never fails alone.
 */
struct muses_reader {
	const uint8_t *at;
	const uint8_t *end;
	bool short_read; /* A read went past the end. */
};

struct muses_writer {
	uint8_t *start;
	uint8_t *at;
	uint8_t *end;
	bool short_room; /* A write did not fit. */
};

static inline struct muses_reader muses_reader(const void *data, size_t size)
{
	const uint8_t *d = data;

	return (struct muses_reader){ .at = d, .end = size ? d + size : d };
}

static inline size_t muses_left(const struct muses_reader *r)
{
	return (size_t)(r->end - r->at);
}

/* size bytes in place, or NULL if that many are not left. */
static inline const uint8_t *muses_read(struct muses_reader *r, size_t size)
{
	const uint8_t *p = r->at;

	if (r->short_read || muses_left(r) < size) {
		r->short_read = true;
		return NULL;
	}
	if (size > 0) /* at may be NULL. */
		r->at += size;
	return p;
}

/* Copy size bytes out; zeros if that many are not left. */
static inline void muses_read_to(struct muses_reader *r, void *out, size_t size)
{
	const uint8_t *p = muses_read(r, size);

	if (p != NULL)
		memcpy(out, p, size);
	else
		memset(out, 0, size);
}

static inline uint64_t muses_read_be(struct muses_reader *r, size_t size)
{
	const uint8_t *p = muses_read(r, size);
	uint64_t v = 0;

	for (size_t i = 0; p != NULL && i < size; i++)
		v = v << 8 | p[i];
	return v;
}

static inline uint8_t muses_read_u8(struct muses_reader *r)
{
	return (uint8_t)muses_read_be(r, 1);
}
static inline uint16_t muses_read_u16(struct muses_reader *r)
{
	return (uint16_t)muses_read_be(r, 2);
}
static inline uint32_t muses_read_u32(struct muses_reader *r)
{
	return (uint32_t)muses_read_be(r, 4);
}
static inline uint64_t muses_read_u64(struct muses_reader *r)
{
	return muses_read_be(r, 8);
}

/* RFC 9000 section 16: 1, 2, 4 or 8 bytes, 62 bits.  A form longer than needed
 * is accepted: it cannot be confused with another value. */
static inline uint64_t muses_read_varint(struct muses_reader *r)
{
	uint8_t first;
	size_t more;
	uint64_t v;

	if (r->short_read || r->at == r->end) {
		r->short_read = true;
		return 0;
	}
	first = *r->at++;
	more = ((size_t)1 << (first >> 6)) - 1;
	v = first & 0x3f;
	if (muses_left(r) < more) {
		r->short_read = true;
		return 0;
	}
	while (more-- > 0)
		v = v << 8 | *r->at++;
	return v;
}

/* Nothing missing and nothing left over. */
static inline bool muses_read_finished(const struct muses_reader *r)
{
	return !r->short_read && r->at == r->end;
}

static inline struct muses_writer muses_writer(void *out, size_t size)
{
	uint8_t *o = out;

	return (struct muses_writer){ .start = o, .at = o, .end = size ? o + size : o };
}

static inline size_t muses_written(const struct muses_writer *w)
{
	return (size_t)(w->at - w->start);
}

static inline size_t muses_room(const struct muses_writer *w)
{
	return (size_t)(w->end - w->at);
}

/* Claim size bytes to be filled in place; NULL if they do not fit. */
static inline uint8_t *muses_write_space(struct muses_writer *w, size_t size)
{
	uint8_t *p = w->at;

	if (w->short_room || muses_room(w) < size) {
		w->short_room = true;
		return NULL;
	}
	if (size > 0) /* at may be NULL. */
		w->at += size;
	return p;
}

static inline void muses_write(struct muses_writer *w, const void *data, size_t size)
{
	uint8_t *p = muses_write_space(w, size);

	if (p != NULL && size > 0)
		memcpy(p, data, size);
}

static inline void muses_write_be(struct muses_writer *w, uint64_t v, size_t size)
{
	uint8_t *p = muses_write_space(w, size);

	for (size_t i = size; p != NULL && i-- > 0; v >>= 8)
		p[i] = (uint8_t)v;
}

static inline void muses_write_u8(struct muses_writer *w, uint8_t v)
{
	muses_write_be(w, v, 1);
}
static inline void muses_write_u16(struct muses_writer *w, uint16_t v)
{
	muses_write_be(w, v, 2);
}
static inline void muses_write_u32(struct muses_writer *w, uint32_t v)
{
	muses_write_be(w, v, 4);
}
static inline void muses_write_u64(struct muses_writer *w, uint64_t v)
{
	muses_write_be(w, v, 8);
}

#define MUSES_VARINT_MAX ((UINT64_C(1) << 62) - 1)

/* How many bytes muses_write_varint() takes for v <= MUSES_VARINT_MAX. */
static inline size_t muses_varint_size(uint64_t v)
{
	return v < (1u << 6) ? 1 : v < (1u << 14) ? 2 : v < (1u << 30) ? 4 : 8;
}

static inline void muses_write_varint(struct muses_writer *w, uint64_t v)
{
	size_t size = muses_varint_size(v);
	uint8_t *at = w->at;

	muses_write_be(w, v, size);
	if (!w->short_room)
		*at |= (uint8_t)((size == 8 ? 3 : size == 4 ? 2 : size == 2 ? 1 : 0) << 6);
}

#endif
