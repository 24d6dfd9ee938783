/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One side's Re-Hello machine and a peer that does what the input says: a list of
 * events, each one byte and what belongs to it.
 *
 *   q  RhNBR 8 ...           a stranger's question: what follows the header
 *   a  RhNBR 8 ...           a stranger's answer
 *   Q  g n Na 16 plain 29    the peer's question: on generation g, RhNBR seen + n
 *   A  Nb 16 plain 29        the peer's answer to our question
 *   ?  Na 16                 we ask
 *   e  g                     evidence: a packet came; E: ours was acknowledged
 *   s                        we stop
 *
 * A stranger changes nothing; a peer changes only what the machine allows.
 */
#include "core/resume.h"

#include <muses/noise.h>

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(condition) ((condition) ? (void)0 : abort())
enum { SENDING = 0, RECEIVING = 1, MESSAGE = CORE_REHELLO_BYTES - CORE_HEADER_BYTES };

static const struct muses_id ids[2] = { { { 1 } }, { { 2 } } };
static const struct core_locator here = { .size = 3, .bytes = { 1, 2, 3 }, .mtu = 1400 };
static const uint8_t zero_nonce[12];

static void check(const struct core_resume *r)
{
	MUST(r->committed.present);
	MUST(core_resume_alive(r, r->current));
	MUST(!r->mine.present || r->mine.number > r->committed.number);
	MUST(!r->theirs.present || r->theirs.number > r->committed.number);
	MUST(!r->mine.present || (r->mine.number & 1) == (uint32_t)r->mine_way);
	MUST(!r->theirs.present || (r->theirs.number & 1) != (uint32_t)r->mine_way);
}

static const struct core_generation *pick(const struct core_resume *r, uint8_t g)
{
	const struct core_generation *all[] = { &r->committed, &r->mine, &r->theirs };

	return all[g % 3]->present ? all[g % 3] : all[0];
}

static enum core_resume_event hear(struct core_resume *r, enum core_packet_type type,
                                   uint64_t number, const uint8_t *message, size_t size,
                                   struct core_resume_keys *keys)
{
	static uint64_t count;
	struct core_packet p = { .type = (uint8_t)type,
		                 .index = 7,
		                 .sequence = number,
		                 .length = (uint16_t)size };
	uint8_t nb[CORE_NONCE_SIZE] = { 0 };
	struct core_locator there = { 0 };
	enum core_resume_event event;

	count++;
	memcpy(nb, &count, sizeof(count));
	event = type == CORE_PACKET_REHELLO
	                ? core_resume_asked(r, &p, message, size, 8, nb, &here, &there,
	                                    keys)
	                : core_resume_answered(r, &p, message, size, &there, keys);
	if (event == CORE_RESUME_ANSWER || event == CORE_RESUME_ADOPTED)
		MUST(there.size <= MUSES_LOCATOR_MAX);
	return event;
}

static void stranger(struct core_resume *r, enum core_packet_type type,
                     struct muses_reader *in)
{
	struct core_resume before = *r;
	uint64_t number = muses_read_u64(in);
	size_t size = muses_left(in) < MESSAGE + 1u ? muses_left(in) : MESSAGE + 1u;
	const uint8_t *message = muses_read(in, size);
	struct core_resume_keys keys;

	if (message == NULL)
		return;
	MUST(hear(r, type, number, message, size, &keys) == CORE_RESUME_IGNORE);
	MUST(memcmp(&before, r, sizeof(before)) == 0);
}

/* A message as the peer would make it, whatever it says inside. */
static void write_message(const struct core_resume *r, const struct core_generation *g,
                          enum core_packet_type type, uint64_t number,
                          const uint8_t *nonce, const uint8_t *plain,
                          uint8_t out[static MESSAGE])
{
	bool asks = type == CORE_PACKET_REHELLO;
	struct core_packet p = {
		.type = (uint8_t)type, .index = 7, .sequence = number, .length = MESSAGE
	};
	uint8_t clear[CORE_HEADER_BYTES + 4 + CORE_NONCE_SIZE], key[CORE_SECRET_SIZE];
	struct muses_writer w = muses_writer(clear, sizeof(clear));

	core_packet_put(&p, muses_write_space(&w, CORE_HEADER_BYTES));
	muses_write_u32(&w, g->number);
	muses_write(&w, nonce, CORE_NONCE_SIZE);
	MUST(core_schedule_rehello(g->resume, !r->mine_way, g->number, number,
	                           asks ? nonce : r->na, asks ? NULL : nonce,
	                           r->idh[RECEIVING], key) == 0);
	memcpy(out, clear + CORE_HEADER_BYTES, 4 + CORE_NONCE_SIZE);
	MUST(muses_aead_seal(key, zero_nonce, clear, sizeof(clear), plain,
	                     CORE_REHELLO_PLAIN, out + 4 + CORE_NONCE_SIZE) == 0);
}

static void peer_asks(struct core_resume *r, struct muses_reader *in)
{
	const struct core_generation *g = pick(r, muses_read_u8(in));
	uint64_t number = r->seen + muses_read_u8(in);
	uint8_t na[CORE_NONCE_SIZE], plain[CORE_REHELLO_PLAIN], message[MESSAGE];
	struct core_resume before = *r;
	struct core_resume_keys keys;
	enum core_resume_event event;

	muses_read_to(in, na, sizeof(na));
	muses_read_to(in, plain, sizeof(plain));
	write_message(r, g, CORE_PACKET_REHELLO, number, na, plain, message);
	event = hear(r, CORE_PACKET_REHELLO, number, message, sizeof(message), &keys);
	if (event == CORE_RESUME_ANSWER) {
		MUST(number > before.seen && r->seen == number);
		MUST(plain[0] <= MUSES_LOCATOR_MAX);
		before = *r;
		event = hear(r, CORE_PACKET_REHELLO, number, message, sizeof(message),
		             &keys);
		MUST(event == CORE_RESUME_REPEAT);
	}
	MUST(memcmp(&before, r, sizeof(before)) == 0);
}

static void peer_answers(struct core_resume *r, struct muses_reader *in)
{
	uint8_t nb[CORE_NONCE_SIZE], plain[CORE_REHELLO_PLAIN], message[MESSAGE];
	const struct core_generation *g = NULL;
	struct core_resume before = *r;
	struct core_resume_keys keys;
	enum core_resume_event event;

	muses_read_to(in, nb, sizeof(nb));
	muses_read_to(in, plain, sizeof(plain));
	for (uint8_t i = 0; r->asking && i < 3; i++)
		if (pick(r, i)->number == r->asked_base)
			g = pick(r, i);
	if (g == NULL)
		return;
	write_message(r, g, CORE_PACKET_REHELLO_ACK, r->asked, nb, plain, message);
	event = hear(r, CORE_PACKET_REHELLO_ACK, r->asked, message, sizeof(message),
	             &keys);
	if (event == CORE_RESUME_ADOPTED) {
		MUST(!r->asking && r->mine.present);
		before = *r;
		event = hear(r, CORE_PACKET_REHELLO_ACK, r->asked, message,
		             sizeof(message), &keys);
	}
	MUST(event == CORE_RESUME_IGNORE);
	MUST(memcmp(&before, r, sizeof(before)) == 0);
}

static void play(struct core_resume *r, struct muses_reader *in)
{
	uint8_t what = muses_read_u8(in), na[CORE_NONCE_SIZE];

	switch (what) {
	case 'q':
		stranger(r, CORE_PACKET_REHELLO, in);
		break;
	case 'a':
		stranger(r, CORE_PACKET_REHELLO_ACK, in);
		break;
	case 'Q':
		peer_asks(r, in);
		break;
	case 'A':
		peer_answers(r, in);
		break;
	case '?':
		muses_read_to(in, na, sizeof(na));
		MUST(core_resume_ask(r, 8, na, &here) == 0);
		break;
	case 'e':
	case 'E':
		core_resume_evidence(r, pick(r, muses_read_u8(in))->number, what == 'E');
		break;
	case 's':
		core_resume_stop(r);
		break;
	default:
		break;
	}
	check(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t secret[CORE_SECRET_SIZE] = { 1, 2, 3 };

	/* As the lower and as the higher id. */
	for (int self = 0; self < 2; self++) {
		struct muses_reader in = muses_reader(data, size);
		struct core_resume r;

		MUST(core_resume_open(&r, &ids[self], &ids[!self], 0, secret) == 0);
		while (!in.short_read && muses_left(&in) > 0)
			play(&r, &in);
		core_resume_release(&r);
	}
	return 0;
}
