/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Link frames, routing headers, hints and the kernel's routing messages as bytes:
 * whatever is accepted must be what writing it again gives, and nothing under the
 * link's MAC is accepted at all.
 */
#include "core/linkhello.h"
#include "core/netnews.h"
#include "plugins/overlay/cloak_static/rh.h"

#include <muses/noise.h>

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(condition) ((condition) ? (void)0 : abort())

static void hello(const uint8_t *data, size_t size)
{
	uint8_t again[CORE_HELLO_BYTES];
	struct core_hello h;

	if (core_hello_read(&h, data, size) != NULL)
		return;
	core_hello_write(&h, again);
	MUST(size == sizeof(again) && memcmp(data, again, size) == 0);
}

static void proof(const uint8_t *data, size_t size)
{
	size_t proof_size;
	const uint8_t *p = core_proof_read(data, size, &proof_size);

	MUST(p == NULL ||
	     (p == data + CORE_PROOF_HEAD && proof_size > 0 &&
	      proof_size <= MUSES_PROOF_MAX && size == CORE_PROOF_HEAD + proof_size));
}

static void guarded(const uint8_t *data, size_t size)
{
	struct core_guard here = { .sent = 0 }, there = { .sent = 0 };
	uint8_t frame[256];
	size_t body = size < 200 ? size : 200;

	MUST(core_guard_open(&here, data, size) != NULL);
	MUST(here.seen == 0);
	/* One of ours opens there, once, and not with a bit turned. */
	memset(here.seal_key, 1, sizeof(here.seal_key));
	memset(there.open_key, 1, sizeof(there.open_key));
	if (body > 0)
		memcpy(frame + CORE_GUARD_BYTES, data, body);
	MUST(core_guard_seal(&here, CORE_FRAME_CONTROL, frame, CORE_GUARD_BYTES + body) ==
	     0);
	frame[size % (CORE_GUARD_BYTES + body)] ^= 0x10;
	MUST(core_guard_open(&there, frame, CORE_GUARD_BYTES + body) != NULL);
	frame[size % (CORE_GUARD_BYTES + body)] ^= 0x10;
	MUST(core_guard_open(&there, frame, CORE_GUARD_BYTES + body) == NULL);
	MUST(core_guard_open(&there, frame, CORE_GUARD_BYTES + body) != NULL);
}

static void routing(const uint8_t *data, size_t size)
{
	uint8_t again[RH_BYTES];
	struct rh rh;

	if (rh_read(&rh, data, size) != NULL)
		return;
	MUST(size >= RH_BYTES && rh.hops > 0 && rh.mtu >= 1200);
	rh_write(&rh, again);
	MUST(memcmp(again + RH_DESTINATION, data + RH_DESTINATION, 2 * MUSES_ID_SIZE) ==
	     0);
	MUST(rh_read(&rh, again, sizeof(again)) == NULL);
}

static void hints(const uint8_t *data, size_t size)
{
	uint8_t again[HINT_UNREACHABLE_BYTES];
	struct hint hint;

	if (hint_read(&hint, data, size) != NULL)
		return;
	MUST(hint_write(&hint, again) == size && memcmp(data, again, size) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_Alignas(8) uint8_t aligned[1024];

	hello(data, size);
	proof(data, size);
	guarded(data, size);
	routing(data, size);
	hints(data, size);
	if (size > 0 && size <= sizeof(aligned)) {
		memcpy(aligned, data, size);
		(void)core_netnews_matters(aligned, size);
	}
	return 0;
}
