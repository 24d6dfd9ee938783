/* SPDX-License-Identifier: Apache-2.0 */
/*
 * KEYSTEP: fresh X25519 shares, mixed into the resumption secret and into the next
 * ratchet step of both directions, so that a session that lived for months heals
 * from a secret that leaked (protocol.md 10.2).  In the background, in frames that
 * ride with data: nothing waits for it.
 *
 *     asks                                         answers
 *     KEYSTEP(0, number, share) ------------>      makes X, RS'; can open stepped packets
 *     makes X, RS'  <---------- KEYSTEP(1, number, share)
 *     sends under its stepped key ---------->      the asker has X: commits RS', steps,
 * too
 *     <---------------- acknowledges; sends under its stepped key
 *     commits RS'
 *
 * When each side may forget the old RS is core/resume.c's business.  Of two that ask
 * at once the lower id wins; a Re-Hello in between ends it.
 */
#include "core/session_int.h"

enum { ASK = 0, ANSWER = 1 };
enum { SENDING = 0, RECEIVING = 1 };
/* Traffic since the last KEYSTEP that is no more than its own does not call for one. */
#define KEYSTEP_OWN_BYTES 1024u
/* An ask that came when the peer had a Re-Hello in hand is not answered. */
#define ANSWER_NS (60 * MUSES_S)

struct core_keystep {
	bool asked;        /* We asked; else we answered. */
	uint64_t until_ns; /* An ask without an answer is given up then. */
	uint32_t number;
	uint8_t secret[32]; /* Ours; cleansed once used. */
	uint8_t share[32];  /* What we sent. */
};

void core_keystep_release(struct core_session *s)
{
	muses_free_secret(s->keystep, sizeof(*s->keystep));
	s->keystep = NULL;
	s->due &= (uint16_t)~CORE_DUE_KEYSTEP;
}

/* A secret of our own making, from the core's randomness as raw bytes, so that a
 * simulated run repeats. */
static struct core_keystep *keystep_new(struct core_session *s, bool asked,
                                        uint32_t number)
{
	struct core_keystep *k = muses_zalloc(sizeof(*k));

	if (k == NULL)
		return NULL;
	k->asked = asked;
	k->until_ns = core_session_now(s) + ANSWER_NS;
	k->number = number;
	s->table->public_key_operations++;
	if (core_rand_bytes(s->table->env->rand, k->secret, sizeof(k->secret)) != 0 ||
	    muses_x25519_public(k->secret, k->share) != 0) {
		muses_free_secret(k, sizeof(*k));
		return NULL;
	}
	return k;
}

void core_keystep_begin(struct core_session *s)
{
	if (s->keystep != NULL || !core_resume_steady(&s->resume))
		return;
	s->keystep = keystep_new(s, true,
	                         core_resume_step_number(&s->resume, s->resume.mine_way));
	if (s->keystep == NULL)
		return;
	s->due |= CORE_DUE_KEYSTEP;
	core_session_wake(s);
}

/* Both shares are known: mix, and make both directions' next steps depend on it. */
static bool mix(struct core_session *s, const uint8_t peer_share[static 32])
{
	struct core_keystep *k = s->keystep;
	struct core_traffic *t = s->traffic[0];
	enum core_way asker = k->asked ? s->resume.mine_way : !s->resume.mine_way;
	const uint8_t *share_i = k->asked ? k->share : peer_share;
	const uint8_t *share_r = k->asked ? peer_share : k->share;
	uint8_t shared[32], secret[CORE_SECRET_SIZE];
	bool good;

	s->table->public_key_operations++;
	good = muses_x25519(k->secret, peer_share, shared) == 0 &&
	       core_schedule_keystep(s->resume.committed.resume, k->number, share_i,
	                             share_r, shared, secret) == 0;
	for (uint8_t way = 0; good && way < 2; way++)
		good = core_expand(secret, "keystep traffic", &way, 1,
		                   t->keystep[way == s->resume.mine_way ? SENDING
		                                                        : RECEIVING],
		                   CORE_SECRET_SIZE) == 0;
	if (good)
		core_resume_step(&s->resume, asker, secret);
	muses_cleanse(shared, sizeof(shared));
	muses_cleanse(secret, sizeof(secret));
	muses_cleanse(k->secret, sizeof(k->secret));
	return good;
}

static void on_ask(struct core_session *s, const struct core_frame *f)
{
	struct core_keystep *k = s->keystep;
	uint32_t number = core_resume_step_number(&s->resume, !s->resume.mine_way);

	if (k != NULL && !k->asked && k->number == f->value) {
		s->due |= CORE_DUE_KEYSTEP; /* Our answer was lost. */
		return;
	}
	if (k != NULL && k->asked && s->resume.mine_way == CORE_FROM_LOWER) {
		core_session_count(s, "crossing KEYSTEP");
		return;
	}
	if (k != NULL && k->asked && !s->resume.mine.present)
		core_keystep_release(s);
	if (s->keystep != NULL || !core_resume_steady(&s->resume) || f->value != number) {
		core_session_count(s, "KEYSTEP out of place");
		return;
	}
	s->keystep = keystep_new(s, false, number);
	if (s->keystep == NULL)
		return;
	if (!mix(s, f->data)) {
		core_session_count(s, "KEYSTEP refused");
		core_keystep_release(s);
		return;
	}
	/* The asker may step from now on; we when it has. */
	s->traffic[0]->keystep_due[RECEIVING] = true;
	s->due |= CORE_DUE_KEYSTEP;
}

static void on_answer(struct core_session *s, const struct core_frame *f)
{
	struct core_keystep *k = s->keystep;

	if (k == NULL || !k->asked || k->number != f->value ||
	    !core_resume_steady(&s->resume)) {
		core_session_count(s, "KEYSTEP out of place");
		return;
	}
	if (!mix(s, f->data)) {
		core_session_count(s, "KEYSTEP refused");
		core_keystep_release(s);
		return;
	}
	s->traffic[0]->keystep_due[SENDING] = true;
	s->traffic[0]->keystep_due[RECEIVING] = true;
	/* Show the peer, also if there is nothing else to send. */
	s->due |= CORE_DUE_PING;
}

void core_keystep_received(struct core_session *s, struct core_traffic *t,
                           const struct core_frame *f)
{
	if (t != s->traffic[0] || f->code > ANSWER)
		return;
	if (f->code == ASK)
		on_ask(s, f);
	else
		on_answer(s, f);
}

void core_keystep_write(struct core_session *s, struct muses_writer *w)
{
	core_frame_keystep(w, s->keystep->asked ? ASK : ANSWER, s->keystep->number,
	                   s->keystep->share);
	s->due &= (uint16_t)~CORE_DUE_KEYSTEP;
}

void core_keystep_lost(struct core_session *s)
{
	if (s->keystep != NULL)
		s->due |= CORE_DUE_KEYSTEP;
}

void core_keystep_peer_stepped(struct core_session *s)
{
	if (s->keystep == NULL || s->keystep->asked ||
	    !core_resume_stepped(&s->resume, !s->resume.mine_way))
		return;
	/* The asker has X: we may use it, too. */
	s->traffic[0]->keystep_due[SENDING] = true;
	s->due |= CORE_DUE_PING;
	core_keystep_release(s);
}

void core_keystep_acknowledged(struct core_session *s)
{
	if (s->keystep != NULL && s->keystep->asked && s->traffic[0]->send.stepped &&
	    core_resume_stepped(&s->resume, s->resume.mine_way))
		core_keystep_release(s);
}

uint64_t core_keystep_due(struct core_session *s, uint64_t now_ns)
{
	uint64_t moved = s->bytes_sent + s->bytes_received;

	if (s->keystep != NULL && s->keystep->asked && !s->resume.mine.present) {
		if (now_ns < s->keystep->until_ns)
			return s->keystep->until_ns;
		core_session_count(s, "KEYSTEP not answered");
		core_keystep_release(s);
		s->keystep_ns = now_ns;
	}
	/* The lower id asks; an idle session has nothing to heal and stays silent. */
	if (s->table->config.keystep_s == 0 || s->resume.mine_way != CORE_FROM_LOWER ||
	    s->state != CORE_SESSION_ESTABLISHED || !s->confirmed || s->keystep != NULL ||
	    moved <= s->keystep_moved)
		return UINT64_MAX;
	if (now_ns < s->keystep_ns)
		return s->keystep_ns;
	s->keystep_ns = now_ns + s->table->config.keystep_s * MUSES_S;
	core_keystep_begin(s);
	s->keystep_moved = moved + KEYSTEP_OWN_BYTES;
	return UINT64_MAX;
}
