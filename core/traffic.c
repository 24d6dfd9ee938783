/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sealing and opening under one generation's keys.  The one thing a newcomer
 * would get wrong: a packet that claims the next step is opened with a candidate
 * context, and nothing of ours changes unless its tag is good.
 */
#include "core/traffic.h"

#include "core/mem.h"

#include <muses/noise.h>

#define LATE_NS   (5 * MUSES_S)
#define AAD_LABEL "M1"
#define AAD_BYTES (2 + CORE_HEADER_BYTES + CORE_SESSID_SIZE + CORE_IDH_SIZE + 4 + 4)
enum { SENDING = 0, RECEIVING = 1 };

static void *context_open(const struct muses_suite *suite, enum muses_direction direction,
                          const uint8_t secret[static CORE_SECRET_SIZE])
{
	struct muses_key_material material;
	void *context = NULL;

	if (core_schedule_material(secret, suite, &material) == 0)
		context = suite->key_open(suite, direction, &material);
	muses_cleanse(&material, sizeof(material));
	return context;
}

static void write_aad(const struct core_traffic *t, int half, uint32_t step,
                      const uint8_t *header, uint8_t aad[static AAD_BYTES])
{
	struct muses_writer w = muses_writer(aad, AAD_BYTES);

	muses_write(&w, AAD_LABEL, sizeof(AAD_LABEL) - 1);
	/* The length is what follows, which the tag covers in any case; a suite that
	 * pads knows it only afterwards. */
	muses_write(&w, header, CORE_HEADER_LENGTH);
	muses_write_u16(&w, 0);
	muses_write(&w, t->session_id, CORE_SESSID_SIZE);
	muses_write(&w, t->idh[half], CORE_IDH_SIZE);
	muses_write_u32(&w, t->generation);
	muses_write_u32(&w, step);
}

int core_traffic_open(struct core_traffic *t, const struct muses_suite *suite,
                      uint32_t generation, enum core_way mine,
                      const uint8_t secret[2][CORE_SECRET_SIZE],
                      const uint8_t session_id[static CORE_SESSID_SIZE],
                      const struct muses_id *self, const struct muses_id *peer)
{
	int err;

	memset(t, 0, sizeof(*t));
	t->suite = suite;
	t->generation = generation;
	memcpy(t->session_id, session_id, CORE_SESSID_SIZE);
	memcpy(t->send.secret, secret[mine], CORE_SECRET_SIZE);
	memcpy(t->receive.secret, secret[!mine], CORE_SECRET_SIZE);
	err = core_schedule_idh(self, peer, t->idh[SENDING]);
	if (err == 0)
		err = core_schedule_idh(peer, self, t->idh[RECEIVING]);
	if (err != 0)
		goto fail;
	err = MUSES_ENOMEM;
	t->send.context = context_open(suite, MUSES_SEALING, t->send.secret);
	t->receive.context = context_open(suite, MUSES_OPENING, t->receive.secret);
	if (t->send.context == NULL || t->receive.context == NULL)
		goto fail;
	return 0;
fail:
	core_traffic_release(t);
	return err;
}

void core_traffic_release(struct core_traffic *t)
{
	if (t->suite != NULL) {
		t->suite->key_close(t->send.context);
		t->suite->key_close(t->receive.context);
		t->suite->key_close(t->late);
	}
	muses_cleanse(t, sizeof(*t));
}

int core_traffic_seal(struct core_traffic *t, uint64_t index, const struct iovec *iov,
                      size_t iov_count, size_t plain_size, struct muses_buf *b,
                      uint64_t *sequence, uint64_t now_ns)
{
	struct core_packet header = {
		.type = CORE_PACKET_DATA,
		.flags = t->send.stepped ? CORE_FLAG_KEYSTEP : 0,
		.index = index,
		.sequence = t->sequence,
		.epoch = core_packet_epoch(t->generation, t->send.step),
	};
	uint8_t aad[AAD_BYTES];
	size_t most = plain_size + t->suite->overhead;
	size_t sealed_size;
	uint8_t *at;
	int err;

	if (t->send.packets >= t->suite->hard_packets || t->sequence >= MUSES_VARINT_MAX)
		return MUSES_ELIMIT;
	at = muses_buf_append(b, CORE_HEADER_BYTES + most);
	if (at == NULL || most > UINT16_MAX)
		return MUSES_ELIMIT;
	core_packet_put(&header, at);
	write_aad(t, SENDING, t->send.step, at, aad);
	/* Never again under this number, whatever comes next. */
	*sequence = t->sequence++;
	err = t->suite->seal(t->send.context, *sequence, aad, sizeof(aad), iov, iov_count,
	                     at + CORE_HEADER_BYTES, &sealed_size);
	if (err == 0 && sealed_size > most)
		err = MUSES_ECRYPTO;
	if (err != 0)
		return err;
	header.length = (uint16_t)sealed_size;
	core_packet_put(&header, at);
	muses_buf_chop(b, CORE_HEADER_BYTES + sealed_size);
	if (t->send.packets++ == 0)
		t->step_started_ns = now_ns;
	t->send.bytes += plain_size;
	return 0;
}

static enum core_opened open_with(struct core_traffic *t, void *context, uint32_t step,
                                  const struct core_packet *p, struct muses_buf *b)
{
	uint8_t aad[AAD_BYTES];
	size_t plain_size;

	write_aad(t, RECEIVING, step, b->data, aad);
	if (t->suite->open(context, p->sequence, aad, sizeof(aad),
	                   b->data + CORE_HEADER_BYTES, p->length, &plain_size) != 0 ||
	    plain_size > p->length) {
		t->failed++;
		return CORE_NOT_AUTHENTIC;
	}
	muses_buf_pull(b, CORE_HEADER_BYTES);
	muses_buf_chop(b, plain_size);
	core_replay_mark(&t->replay, p->sequence);
	return CORE_OPENED;
}

/* The peer claims its next step: try it, commit only if the tag is good. */
static enum core_opened open_next_step(struct core_traffic *t,
                                       const struct core_packet *p, struct muses_buf *b,
                                       uint64_t now_ns)
{
	struct core_traffic_half next = t->receive;
	enum core_opened opened = CORE_NOT_AUTHENTIC;
	const uint8_t *extra = NULL;

	next.context = NULL;
	next.stepped = (p->flags & CORE_FLAG_KEYSTEP) != 0;
	if (next.stepped) {
		if (!t->keystep_due[RECEIVING])
			return CORE_NOT_STEP;
		extra = t->keystep[RECEIVING];
	}
	if (core_schedule_ratchet(next.secret, extra) == 0)
		next.context = context_open(t->suite, MUSES_OPENING, next.secret);
	if (next.context != NULL)
		opened = open_with(t, next.context, next.step + 1, p, b);
	if (opened == CORE_OPENED) {
		t->suite->key_close(t->late);
		t->late = t->receive.context;
		t->late_until_ns = now_ns + LATE_NS;
		next.step++;
		t->receive = next;
		if (next.stepped) {
			t->keystep_due[RECEIVING] = false;
			muses_cleanse(t->keystep[RECEIVING], CORE_SECRET_SIZE);
		}
		opened = CORE_OPENED_NEW_STEP;
	} else {
		t->suite->key_close(next.context);
	}
	muses_cleanse(&next, sizeof(next));
	return opened;
}

enum core_opened core_traffic_unseal(struct core_traffic *t, const struct core_packet *p,
                                     struct muses_buf *b, uint64_t now_ns)
{
	uint32_t step = p->epoch & 1023;

	if (!core_replay_fresh(&t->replay, p->sequence))
		return CORE_NOT_FRESH;
	if (step == (t->receive.step & 1023))
		return open_with(t, t->receive.context, t->receive.step, p, b);
	if (t->late != NULL && now_ns < t->late_until_ns &&
	    step == ((t->receive.step - 1) & 1023))
		return open_with(t, t->late, t->receive.step - 1, p, b);
	if (step == ((t->receive.step + 1) & 1023))
		return open_next_step(t, p, b, now_ns);
	return CORE_NOT_STEP;
}

bool core_traffic_ripe(const struct core_traffic *t, uint64_t age_ns, uint64_t now_ns)
{
	if (t->send.packets == 0 || (t->send.step > 0 && !t->step_confirmed))
		return false;
	return t->keystep_due[SENDING] || t->send.packets >= t->suite->soft_packets ||
	       t->send.bytes >= t->suite->soft_bytes ||
	       now_ns - t->step_started_ns >= age_ns;
}

int core_traffic_ratchet(struct core_traffic *t, uint64_t now_ns)
{
	struct core_traffic_half next = { .step = t->send.step + 1,
		                          .stepped = t->keystep_due[SENDING] };
	int err;

	memcpy(next.secret, t->send.secret, sizeof(next.secret));
	err = core_schedule_ratchet(next.secret,
	                            t->keystep_due[SENDING] ? t->keystep[SENDING] : NULL);
	if (err != 0)
		return err;
	next.context = context_open(t->suite, MUSES_SEALING, next.secret);
	if (next.context == NULL) {
		muses_cleanse(&next, sizeof(next));
		return MUSES_ENOMEM;
	}
	t->suite->key_close(t->send.context);
	t->send = next;
	muses_cleanse(&next, sizeof(next));
	if (t->keystep_due[SENDING]) {
		t->keystep_due[SENDING] = false;
		muses_cleanse(t->keystep[SENDING], CORE_SECRET_SIZE);
	}
	t->step_confirmed = false;
	t->step_first = t->sequence;
	t->step_started_ns = now_ns;
	return 0;
}

bool core_traffic_acknowledged(struct core_traffic *t, uint64_t sequence)
{
	if (sequence < t->step_first)
		return false;
	t->step_confirmed = true;
	return true;
}

uint64_t core_traffic_expire(struct core_traffic *t, uint64_t now_ns)
{
	if (t->late == NULL)
		return UINT64_MAX;
	if (now_ns < t->late_until_ns)
		return t->late_until_ns;
	t->suite->key_close(t->late);
	t->late = NULL;
	return UINT64_MAX;
}
