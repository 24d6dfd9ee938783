/* SPDX-License-Identifier: Apache-2.0 */
/* The routing header and the hints, as bytes. */
#include "rh.h"

#include <muses/wire.h>

/* No link is smaller (the core refuses it), so a smaller number is a lie. */
enum { MTU_LEAST = 1200 };

const char *rh_read(struct rh *rh, const uint8_t *data, size_t size)
{
	struct muses_reader r = muses_reader(data, size);
	uint8_t version = muses_read_u8(&r);

	rh->hops = muses_read_u8(&r);
	rh->flags = muses_read_u8(&r);
	muses_read_u8(&r);
	rh->mtu = muses_read_u32(&r);
	muses_read_to(&r, rh->destination.bytes, MUSES_ID_SIZE);
	muses_read_to(&r, rh->source.bytes, MUSES_ID_SIZE);
	if (r.short_read)
		return "routing header too short";
	if (version != RH_VERSION_NOW)
		return "routing header of another version";
	if (rh->hops == 0)
		return "no hops left";
	if (rh->mtu < MTU_LEAST)
		rh->mtu = MTU_LEAST;
	return NULL;
}

void rh_write(const struct rh *rh, uint8_t *data)
{
	struct muses_writer w = muses_writer(data, RH_BYTES);

	muses_write_u8(&w, RH_VERSION_NOW);
	muses_write_u8(&w, rh->hops);
	muses_write_u8(&w, rh->flags);
	muses_write_u8(&w, 0);
	muses_write_u32(&w, rh->mtu);
	muses_write(&w, rh->destination.bytes, MUSES_ID_SIZE);
	muses_write(&w, rh->source.bytes, MUSES_ID_SIZE);
}

void rh_cross(struct rh *rh, uint32_t link_mtu, uint8_t flags)
{
	uint32_t mtu = link_mtu > RH_BYTES ? link_mtu - RH_BYTES : 0;

	if (mtu < rh->mtu)
		rh->mtu = mtu;
	rh->flags |= flags;
}

const char *hint_read(struct hint *hint, const uint8_t *data, size_t size)
{
	struct muses_reader r = muses_reader(data, size);

	hint->kind = muses_read_u8(&r);
	if (hint->kind != HINT_UNREACHABLE && hint->kind != HINT_ROUTE_UP)
		return "unknown hint";
	if (size != (hint->kind == HINT_UNREACHABLE ? HINT_UNREACHABLE_BYTES
	                                            : HINT_ROUTE_UP_BYTES))
		return "hint of the wrong size";
	muses_read_to(&r, hint->destination.bytes, MUSES_ID_SIZE);
	memset(&hint->source, 0, sizeof(hint->source));
	if (hint->kind == HINT_UNREACHABLE)
		muses_read_to(&r, hint->source.bytes, MUSES_ID_SIZE);
	return NULL;
}

size_t hint_write(const struct hint *hint, uint8_t *data)
{
	struct muses_writer w = muses_writer(data, HINT_UNREACHABLE_BYTES);

	muses_write_u8(&w, (uint8_t)hint->kind);
	muses_write(&w, hint->destination.bytes, MUSES_ID_SIZE);
	if (hint->kind == HINT_UNREACHABLE)
		muses_write(&w, hint->source.bytes, MUSES_ID_SIZE);
	return muses_written(&w);
}
