/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The resume machine; the words are in resume.h.  What a newcomer would get wrong:
 * a secret may be forgotten only when the peer is known to have the next one, and
 * the two sides learn that at different moments.
 */
#include "core/resume.h"

#include <muses/noise.h>

enum { SENDING = 0, RECEIVING = 1 };
static const uint8_t zero_nonce[12];

static void forget(struct core_generation *g)
{
	muses_cleanse(g, sizeof(*g));
}

/* A candidate with traffic keys of its own, which may become the current ones. */
static bool normal(const struct core_generation *g)
{
	return g->present && !g->stepped;
}

/* The next number of the side that way stands for: even for the lower id. */
static uint32_t next_number(uint32_t base, enum core_way way)
{
	uint32_t n = base + 1;

	return (n & 1) == (uint32_t)way ? n : n + 1;
}

static void commit(struct core_resume *r, const struct core_generation *g)
{
	struct core_generation winner = *g;

	forget(&r->mine);
	forget(&r->theirs);
	forget(&r->committed);
	r->committed = winner;
	if (!winner.stepped)
		r->current = winner.traffic;
	forget(&winner);
}

int core_resume_open(struct core_resume *r, const struct muses_id *self,
                     const struct muses_id *peer, uint32_t number,
                     const uint8_t secret[static CORE_SECRET_SIZE])
{
	int err;

	memset(r, 0, sizeof(*r));
	r->mine_way =
		muses_id_compare(self, peer) < 0 ? CORE_FROM_LOWER : CORE_FROM_HIGHER;
	r->committed.present = true;
	r->committed.number = r->committed.traffic = number;
	memcpy(r->committed.resume, secret, CORE_SECRET_SIZE);
	r->current = number;
	err = core_schedule_idh(self, peer, r->idh[SENDING]);
	if (err == 0)
		err = core_schedule_idh(peer, self, r->idh[RECEIVING]);
	return err;
}

void core_resume_release(struct core_resume *r)
{
	muses_cleanse(r, sizeof(*r));
}

/* ---- messages ------------------------------------------------------------- */

struct message {
	enum core_packet_type type;
	uint64_t index;
	uint64_t number; /* RhNBR */
	uint32_t base;
	const uint8_t *nonce; /* Na in a question, Nb in an answer. */
};

static int write_message(const struct message *m, const uint8_t key[static 32],
                         const struct core_locator *here,
                         uint8_t out[static CORE_REHELLO_BYTES])
{
	struct core_packet p = { .type = (uint8_t)m->type,
		                 .index = m->index,
		                 .sequence = m->number,
		                 .length = CORE_REHELLO_BYTES - CORE_HEADER_BYTES };
	uint8_t plain[CORE_REHELLO_PLAIN] = { 0 };
	struct muses_writer w = muses_writer(out, CORE_REHELLO_BYTES);
	struct muses_writer inner = muses_writer(plain, sizeof(plain));

	core_packet_put(&p, muses_write_space(&w, CORE_HEADER_BYTES));
	muses_write_u32(&w, m->base);
	muses_write(&w, m->nonce, CORE_NONCE_SIZE);
	muses_write_u8(&inner, here->size);
	muses_write(&inner, here->bytes, MUSES_LOCATOR_MAX);
	muses_write_u32(&inner, here->mtu);
	return muses_aead_seal(key, zero_nonce, out, muses_written(&w), plain,
	                       sizeof(plain), w.at);
}

/* data is what follows the header p; base and nonce were read from it. */
static bool open_message(const struct core_packet *p, const uint8_t *data,
                         const uint8_t key[static 32], struct core_locator *there)
{
	uint8_t clear[CORE_HEADER_BYTES + 4 + CORE_NONCE_SIZE];
	uint8_t plain[CORE_REHELLO_PLAIN] = { 0 };
	struct muses_reader r = muses_reader(plain, sizeof(plain));

	core_packet_put(p, clear);
	memcpy(clear + CORE_HEADER_BYTES, data, 4 + CORE_NONCE_SIZE);
	if (muses_aead_open(key, zero_nonce, clear, sizeof(clear),
	                    data + 4 + CORE_NONCE_SIZE, CORE_REHELLO_PLAIN + 16,
	                    plain) != 0)
		return false;
	there->size = muses_read_u8(&r);
	muses_read_to(&r, there->bytes, MUSES_LOCATOR_MAX);
	there->mtu = muses_read_u32(&r);
	return there->size <= MUSES_LOCATOR_MAX;
}

int core_resume_ask(struct core_resume *r, uint64_t index,
                    const uint8_t na[static CORE_NONCE_SIZE],
                    const struct core_locator *here)
{
	/* The peer surely has mine: it made it.  Whether it has theirs in use only the
	 * committed one can tell. */
	const struct core_generation *base = r->mine.present ? &r->mine : &r->committed;
	struct message m = { .type = CORE_PACKET_REHELLO,
		             .index = index,
		             .number = r->asked + 1,
		             .base = base->number,
		             .nonce = na };
	uint8_t key[CORE_SECRET_SIZE];
	int err;

	err = core_schedule_rehello(base->resume, r->mine_way, base->number, m.number, na,
	                            NULL, r->idh[SENDING], key);
	if (err == 0)
		err = write_message(&m, key, here, r->question);
	muses_cleanse(key, sizeof(key));
	if (err != 0)
		return err;
	memcpy(r->na, na, CORE_NONCE_SIZE);
	r->asked = m.number;
	r->asked_base = base->number;
	r->asking = true;
	return 0;
}

/* ---- the peer asks ---------------------------------------------------------- */

static const struct core_generation *find(const struct core_resume *r, uint32_t number)
{
	if (r->committed.number == number)
		return &r->committed;
	if (r->mine.present && r->mine.number == number)
		return &r->mine;
	if (r->theirs.present && r->theirs.number == number)
		return &r->theirs;
	return NULL;
}

enum core_resume_event
core_resume_asked(struct core_resume *r, const struct core_packet *p, const uint8_t *data,
                  size_t size, uint64_t index, const uint8_t nb[static CORE_NONCE_SIZE],
                  const struct core_locator *here, struct core_locator *there,
                  struct core_resume_keys *keys)
{
	struct muses_reader in = muses_reader(data, size);
	uint32_t base_number = muses_read_u32(&in);
	const uint8_t *na = muses_read(&in, CORE_NONCE_SIZE);
	const struct core_generation *base = find(r, base_number);
	struct message m = { .type = CORE_PACKET_REHELLO_ACK,
		             .index = index,
		             .number = p->sequence,
		             .base = base_number,
		             .nonce = nb };
	bool lower = r->mine_way == CORE_FROM_LOWER;
	uint8_t key[CORE_SECRET_SIZE];
	int err;

	if (size != CORE_REHELLO_BYTES - CORE_HEADER_BYTES || na == NULL ||
	    p->sequence == 0)
		return CORE_RESUME_IGNORE;
	if (p->sequence == r->seen &&
	    muses_equal_secret(r->seen_tag, data + size - 16, 16))
		return CORE_RESUME_REPEAT;
	if (p->sequence <= r->seen || base == NULL)
		return CORE_RESUME_IGNORE;
	err = core_schedule_rehello(base->resume, !r->mine_way, base_number, p->sequence,
	                            na, NULL, r->idh[RECEIVING], key);
	if (err != 0 || !open_message(p, data, key, there)) {
		muses_cleanse(key, sizeof(key));
		return CORE_RESUME_IGNORE;
	}

	/* Authentic and new.  Both candidates exist and the peer builds on the one that
	 * loses: it cannot have ours, so it must hear of it. */
	if (base == &r->theirs && normal(&r->mine) && lower) {
		muses_cleanse(key, sizeof(key));
		return CORE_RESUME_COUNTER;
	}
	r->seen = p->sequence;
	memcpy(r->seen_tag, data + size - 16, 16);
	if (base == &r->mine || base == &r->theirs) {
		/* To build on it, the peer must have it. */
		commit(r, base);
		base = &r->committed;
		if (r->asking && r->asked_base != base_number)
			r->asking = false;
	}
	err = core_schedule_rehello(base->resume, r->mine_way, base_number, p->sequence,
	                            na, nb, r->idh[SENDING], key);
	if (err == 0)
		err = core_schedule_resume(base->resume,
		                           next_number(base_number, !r->mine_way), na, nb,
		                           keys);
	if (err == 0)
		err = write_message(&m, key, here, r->answer);
	muses_cleanse(key, sizeof(key));
	if (err != 0) {
		/* Nothing to repeat: the next attempt has a greater number. */
		memset(r->seen_tag, 0, sizeof(r->seen_tag));
		return CORE_RESUME_IGNORE;
	}
	r->theirs.present = true;
	r->theirs.stepped = false;
	r->theirs.number = r->theirs.traffic = next_number(base_number, !r->mine_way);
	memcpy(r->theirs.resume, keys->resume, CORE_SECRET_SIZE);
	/* Send under the new one at once, behind the answer, unless our own attempt wins
	 * anyway: then wait for its answer.  Nor leave one that is mine before the peer
	 * has shown that it uses theirs: a generation that was left is never entered
	 * again, for what was under way in it is settled only once. */
	if (!normal(&r->mine) && !(lower && r->asking))
		r->current = r->theirs.number;
	return CORE_RESUME_ANSWER;
}

/* ---- the peer answers -------------------------------------------------------- */

enum core_resume_event core_resume_answered(struct core_resume *r,
                                            const struct core_packet *p,
                                            const uint8_t *data, size_t size,
                                            struct core_locator *there,
                                            struct core_resume_keys *keys)
{
	struct muses_reader in = muses_reader(data, size);
	uint32_t base_number = muses_read_u32(&in);
	const uint8_t *nb = muses_read(&in, CORE_NONCE_SIZE);
	const struct core_generation *base;
	uint8_t key[CORE_SECRET_SIZE];
	bool good;

	if (size != CORE_REHELLO_BYTES - CORE_HEADER_BYTES || nb == NULL || !r->asking ||
	    p->sequence != r->asked || base_number != r->asked_base)
		return CORE_RESUME_IGNORE;
	base = find(r, base_number);
	if (base == NULL || base == &r->theirs)
		return CORE_RESUME_IGNORE;
	good = core_schedule_rehello(base->resume, !r->mine_way, base_number, r->asked,
	                             r->na, nb, r->idh[RECEIVING], key) == 0 &&
	       open_message(p, data, key, there) &&
	       core_schedule_resume(base->resume, next_number(base_number, r->mine_way),
	                            r->na, nb, keys) == 0;
	muses_cleanse(key, sizeof(key));
	if (!good)
		return CORE_RESUME_IGNORE;
	r->asking = false;
	if (base == &r->mine)
		commit(r, base); /* The peer has answered on it. */
	r->mine.present = true;
	r->mine.stepped = false;
	r->mine.number = r->mine.traffic = next_number(base_number, r->mine_way);
	memcpy(r->mine.resume, keys->resume, CORE_SECRET_SIZE);
	/* The peer's attempt wins if it is of the lower id: it will send under it. */
	if (r->mine_way == CORE_FROM_LOWER || !normal(&r->theirs))
		r->current = r->mine.number;
	return CORE_RESUME_ADOPTED;
}

/* ---- packets arrive ----------------------------------------------------------- */

enum core_resume_event core_resume_evidence(struct core_resume *r, uint32_t number,
                                            bool acked)
{
	if (normal(&r->theirs) && r->theirs.traffic == number) {
		/* The peer has our answer.  If both sides have both, the lower wins. */
		if (r->mine_way == CORE_FROM_LOWER && normal(&r->mine))
			return CORE_RESUME_IGNORE;
		commit(r, &r->theirs);
		r->asking = false;
		return CORE_RESUME_COMMITTED;
	}
	if (normal(&r->mine) && r->mine.traffic == number && acked) {
		commit(r, &r->mine);
		return CORE_RESUME_COMMITTED;
	}
	return CORE_RESUME_IGNORE;
}

void core_resume_stop(struct core_resume *r)
{
	r->asking = false;
}

bool core_resume_alive(const struct core_resume *r, uint32_t number)
{
	return r->committed.traffic == number ||
	       (r->mine.present && r->mine.traffic == number) ||
	       (r->theirs.present && r->theirs.traffic == number);
}

/* ---- KEYSTEP -------------------------------------------------------------------- */

bool core_resume_steady(const struct core_resume *r)
{
	return !r->mine.present && !r->theirs.present && !r->asking &&
	       core_resume_settled(r);
}

uint32_t core_resume_step_number(const struct core_resume *r, enum core_way way)
{
	return next_number(r->committed.number, way);
}

void core_resume_step(struct core_resume *r, enum core_way way,
                      const uint8_t secret[static CORE_SECRET_SIZE])
{
	struct core_generation *g = way == r->mine_way ? &r->mine : &r->theirs;

	g->present = g->stepped = true;
	g->number = core_resume_step_number(r, way);
	g->traffic = r->current;
	memcpy(g->resume, secret, CORE_SECRET_SIZE);
}

bool core_resume_stepped(struct core_resume *r, enum core_way way)
{
	struct core_generation *g = way == r->mine_way ? &r->mine : &r->theirs;
	struct core_generation *other = way == r->mine_way ? &r->theirs : &r->mine;

	/* A Re-Hello that began meanwhile decides, not this. */
	if (!g->present || !g->stepped || g->traffic != r->current || other->present)
		return false;
	commit(r, g);
	return true;
}
