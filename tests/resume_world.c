/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/resume_world.h"

#include <muses/noise.h>

#include <stdlib.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct muses_id id[2] = { { { 1 } }, { { 2 } } };
static const struct core_locator here = { .mtu = 1400 };

static uint64_t nonces;
const char *resume_wrong;
unsigned resume_questions_most = 3;

void resume_broken(const char *promise)
{
	if (resume_wrong == NULL)
		resume_wrong = promise;
}

static void fresh_nonce(uint8_t nonce[static CORE_NONCE_SIZE])
{
	struct muses_writer w = muses_writer(nonce, CORE_NONCE_SIZE);

	muses_write_u64(&w, ++nonces);
	muses_write_u64(&w, ~nonces);
}

struct resume_keys resume_keys_of(const struct core_generation *g)
{
	struct resume_keys k = { .number = g->number };

	memcpy(&k.secret, g->resume, sizeof(k.secret));
	return k;
}

static const struct core_generation *find(const struct core_resume *r, uint32_t number)
{
	const struct core_generation *all[] = { &r->committed, &r->mine, &r->theirs };

	for (size_t i = 0; i < COUNT(all); i++)
		if (all[i]->present && all[i]->number == number)
			return all[i];
	return NULL;
}

bool resume_holds(const struct core_resume *r, struct resume_keys k)
{
	const struct core_generation *g = find(r, k.number);

	return g != NULL && resume_same(resume_keys_of(g), k);
}

struct resume_keys resume_current(const struct core_resume *r)
{
	const struct core_generation *g = find(r, r->current);

	if (g == NULL) {
		resume_broken("the current generation exists");
		g = &r->committed;
	}
	return resume_keys_of(g);
}

/* ---- the network ------------------------------------------------------------- */

static void send_data(struct resume_world *w, int from)
{
	struct resume_data d = { resume_current(&w->side[from]), w->heard[from] };
	size_t at;

	for (size_t i = 0; i < w->data_count[from]; i++)
		if (resume_same(w->data[from][i].keys, d.keys) &&
		    w->data[from][i].acks == d.acks)
			return;
	if (w->data_count[from] == RESUME_DATA_MOST) {
		resume_broken("few generations matter at any time");
		return;
	}
	/* In order of numbers, so that fewer states look different. */
	at = w->data_count[from]++;
	for (; at > 0 && (w->data[from][at - 1].keys.number > d.keys.number ||
	                  (w->data[from][at - 1].keys.number == d.keys.number &&
	                   w->data[from][at - 1].acks > d.acks));
	     at--)
		w->data[from][at] = w->data[from][at - 1];
	w->data[from][at] = d;
}

void resume_ask(struct resume_world *w, int from)
{
	struct core_resume *r = &w->side[from];
	struct resume_question q = { .answered = false };
	uint8_t na[CORE_NONCE_SIZE];
	const struct core_generation *base;

	fresh_nonce(na);
	if (core_resume_ask(r, 7, na, &here) != 0) {
		resume_broken("a question can be made");
		return;
	}
	memcpy(q.bytes, r->question, sizeof(q.bytes));
	q.number = r->asked;
	base = find(r, r->asked_base);
	if (base == NULL) {
		resume_broken("a question stands on a generation at hand");
		return;
	}
	q.base = resume_keys_of(base);
	if (w->question_count[from] == resume_questions_most) {
		memmove(&w->question[from][0], &w->question[from][1],
		        sizeof(q) * (RESUME_QUESTIONS_MOST - 1u));
		w->question_count[from]--;
	}
	w->question[from][w->question_count[from]++] = q;
	/* The answer to an older one comes too late. */
	w->answer[!from].present = false;
}

static struct core_packet header_of(const uint8_t *bytes)
{
	struct core_packet p = { 0 };

	if (!core_packet_get(&p, bytes, CORE_REHELLO_BYTES))
		resume_broken("a message's header is good");
	return p;
}

static enum core_resume_event deliver_asked(struct core_resume *r, const uint8_t *bytes,
                                            struct core_resume_keys *keys)
{
	struct core_packet p = header_of(bytes);
	struct core_locator there = { 0 };
	uint8_t nb[CORE_NONCE_SIZE];

	fresh_nonce(nb);
	return core_resume_asked(r, &p, bytes + CORE_HEADER_BYTES, p.length, 7, nb, &here,
	                         &there, keys);
}

static enum core_resume_event deliver_answered(struct core_resume *r,
                                               const uint8_t *bytes,
                                               struct core_resume_keys *keys)
{
	struct core_packet p = header_of(bytes);
	struct core_locator there = { 0 };

	return core_resume_answered(r, &p, bytes + CORE_HEADER_BYTES, p.length, &there,
	                            keys);
}

static const uint8_t *tag_of(const uint8_t bytes[static CORE_REHELLO_BYTES])
{
	return bytes + CORE_REHELLO_BYTES - 16;
}

void resume_question_arrives(struct resume_world *w, int to, struct resume_question *q)
{
	struct core_resume *r = &w->side[to], before = *r;
	struct core_resume_keys keys;
	struct resume_answer *a = &w->answer[to];

	switch (deliver_asked(r, q->bytes, &keys)) {
	case CORE_RESUME_IGNORE:
		if (memcmp(&before, r, sizeof(before)) != 0)
			resume_broken("an ignored question changes nothing");
		break;
	case CORE_RESUME_REPEAT:
		if (memcmp(&before, r, sizeof(before)) != 0)
			resume_broken("a repeated question changes nothing");
		if (!q->answered || memcmp(q->answer, tag_of(r->answer), 16) != 0)
			resume_broken("a repeated question gets the same answer");
		/* Again on its way, if it was lost. */
		a->present = w->side[!to].asking && w->side[!to].asked == q->number &&
		             a->number == q->number;
		break;
	case CORE_RESUME_COUNTER:
		if (memcmp(&before, r, sizeof(before)) != 0)
			resume_broken("a question that lost changes nothing");
		resume_ask(w, to);
		break;
	case CORE_RESUME_ANSWER:
		if (q->answered)
			resume_broken("the same question is answered once");
		q->answered = true;
		memcpy(q->answer, tag_of(r->answer), 16);
		if (w->side[!to].asking && w->side[!to].asked == q->number) {
			a->present = true;
			a->adopted = false;
			memcpy(a->bytes, r->answer, sizeof(a->bytes));
			a->number = q->number;
			a->base = q->base;
			a->made = resume_keys_of(&r->theirs);
		}
		if (memcmp(keys.resume, r->theirs.resume, CORE_SECRET_SIZE) != 0)
			resume_broken("the answer's keys are those of theirs");
		break;
	default:
		resume_broken("a question has one of four verdicts");
		break;
	}
}

void resume_answer_arrives(struct resume_world *w, int to)
{
	struct core_resume *r = &w->side[to], before = *r;
	struct core_resume_keys keys;
	struct resume_answer *a = &w->answer[!to];

	switch (deliver_answered(r, a->bytes, &keys)) {
	case CORE_RESUME_IGNORE:
		if (memcmp(&before, r, sizeof(before)) != 0)
			resume_broken("an ignored answer changes nothing");
		break;
	case CORE_RESUME_ADOPTED:
		if (a->adopted)
			resume_broken("an answer's keys are made once");
		a->adopted = true;
		if (!resume_same(resume_keys_of(&r->mine), a->made))
			resume_broken("both sides make the same keys of an answer");
		break;
	default:
		resume_broken("an answer has one of two verdicts");
		break;
	}
}

void resume_data_arrives(struct resume_world *w, int to, struct resume_data d)
{
	struct core_resume *r = &w->side[to];

	if (!resume_holds(r, d.keys))
		return; /* It cannot be opened. */
	core_resume_evidence(r, d.keys.number, false);
	/* What it says is read under the same keys, if they are still there. */
	if (d.acks && resume_holds(r, d.keys))
		core_resume_evidence(r, d.keys.number, true);
	if (resume_same(resume_current(r), d.keys))
		w->heard[to] = true;
}

/* Drop the messages that can do nothing any more. */
static void forget(struct resume_world *w, int from)
{
	struct core_resume *r = &w->side[!from], copy = *r;
	struct core_resume_keys keys;
	struct resume_answer *a = &w->answer[from];
	size_t kept = 0;

	for (size_t i = 0; i < w->question_count[from]; i++) {
		struct resume_question *q = &w->question[from][i];

		if (q->number >= r->seen)
			w->question[from][kept++] = *q;
		else if (deliver_asked(&copy, q->bytes, &keys) != CORE_RESUME_IGNORE ||
		         memcmp(&copy, r, sizeof(copy)) != 0)
			resume_broken("an old question does nothing");
	}
	memset(&w->question[from][kept], 0,
	       sizeof(struct resume_question) * (RESUME_QUESTIONS_MOST - kept));
	w->question_count[from] = (uint8_t)kept;

	if (a->present && !(r->asking && r->asked == a->number)) {
		if (deliver_answered(&copy, a->bytes, &keys) != CORE_RESUME_IGNORE ||
		    memcmp(&copy, r, sizeof(copy)) != 0)
			resume_broken("an old answer does nothing");
		a->present = false;
	}

	/* Keys that the receiver neither has nor can get any more. */
	kept = 0;
	for (size_t i = 0; i < w->data_count[from]; i++) {
		struct resume_data d = w->data[from][i];

		if (resume_holds(r, d.keys) ||
		    (a->present && resume_same(a->made, d.keys)))
			w->data[from][kept++] = d;
	}
	w->data_count[from] = (uint8_t)kept;
}

/* ---- events ----------------------------------------------------------------- */

bool resume_happen(struct resume_world *w, struct resume_event e)
{
	struct core_resume *r = &w->side[e.side];
	struct resume_keys before = resume_current(r);

	switch (e.kind) {
	case RESUME_ASKS:
		resume_ask(w, e.side);
		break;
	case RESUME_STOPS:
		if (!r->asking)
			return false;
		core_resume_stop(r);
		break;
	case RESUME_HEARS_QUESTION:
		resume_question_arrives(w, e.side, &w->question[!e.side][e.place]);
		break;
	case RESUME_HEARS_ANSWER:
		if (!w->answer[!e.side].present)
			return false;
		resume_answer_arrives(w, e.side);
		break;
	default:
		resume_data_arrives(w, e.side, w->data[!e.side][e.place]);
		break;
	}
	if (!resume_same(before, resume_current(r)))
		w->heard[e.side] = false;
	for (int from = 0; from < 2; from++) {
		forget(w, from);
		/* Whoever may send, may have sent. */
		send_data(w, from);
	}
	for (int from = 0; from < 2; from++)
		forget(w, from);
	return true;
}

size_t resume_events(const struct resume_world *w,
                     struct resume_event event[static RESUME_EVENTS_MOST])
{
	size_t count = 0;

	for (uint8_t side = 0; side < 2; side++) {
		event[count++] = (struct resume_event){ side, RESUME_ASKS, 0 };
		event[count++] = (struct resume_event){ side, RESUME_STOPS, 0 };
		event[count++] = (struct resume_event){ side, RESUME_HEARS_ANSWER, 0 };
		for (uint8_t i = 0; i < w->question_count[!side]; i++)
			event[count++] =
				(struct resume_event){ side, RESUME_HEARS_QUESTION, i };
		for (uint8_t i = 0; i < w->data_count[!side]; i++)
			event[count++] =
				(struct resume_event){ side, RESUME_HEARS_DATA, i };
	}
	return count;
}

void resume_world_lose(struct resume_world *w)
{
	for (int s = 0; s < 2; s++) {
		uint8_t *count = &w->question_count[s];

		w->heard[s] = false;
		w->data_count[s] = 0;
		if (*count > 0)
			w->question[s][0] = w->question[s][*count - 1];
		*count = w->side[s].asking;
	}
}

/* ---- what tells states apart --------------------------------------------------- */

struct namer {
	uint8_t bytes[512];
	size_t size;
	uint64_t secret[64];
	uint8_t secret_count;
	uint32_t lowest;
};

static void name(struct namer *n, uint64_t value)
{
	if (value > 255 || n->size == sizeof(n->bytes)) {
		resume_broken("a signature fits");
		return;
	}
	n->bytes[n->size++] = (uint8_t)value;
}

static void name_keys(struct namer *n, struct resume_keys k)
{
	uint8_t i = 0;

	while (i < n->secret_count && n->secret[i] != k.secret)
		i++;
	if (i == COUNT(n->secret)) {
		resume_broken("few secrets matter at any time");
		return;
	}
	if (i == n->secret_count)
		n->secret[n->secret_count++] = k.secret;
	name(n, k.number - n->lowest);
	name(n, i);
}

static void name_generation(struct namer *n, const struct core_generation *g)
{
	name(n, g->present);
	if (g->present)
		name_keys(n, resume_keys_of(g));
}

static uint64_t mixed(const uint8_t *bytes, size_t size, uint64_t h)
{
	for (size_t i = 0; i < size; i++) {
		h = (h ^ bytes[i]) * UINT64_C(0x9fb21c651e98df25);
		h ^= h >> 29;
	}
	return h * UINT64_C(0xd6e8feb86659fd93) ^ h >> 32;
}

/* How far question number is from what its receiver has seen: only the order counts. */
static uint64_t rank(const struct resume_world *w, int from, uint64_t number)
{
	uint64_t at = 1;

	if (number <= w->side[!from].seen)
		return number == w->side[!from].seen;
	for (size_t i = 0; i < w->question_count[from]; i++)
		at += w->question[from][i].number <= number &&
		      w->question[from][i].number > w->side[!from].seen;
	return at;
}

struct resume_signature resume_world_sign(const struct resume_world *w)
{
	struct namer n = { .size = 0 };
	uint32_t a = w->side[0].committed.number, b = w->side[1].committed.number;

	n.lowest = (a < b ? a : b) & ~1u;
	for (int s = 0; s < 2; s++) {
		const struct core_resume *r = &w->side[s];
		const struct resume_answer *answer = &w->answer[s];

		name_generation(&n, &r->committed);
		name_generation(&n, &r->mine);
		name_generation(&n, &r->theirs);
		name(&n, r->current - n.lowest);
		name(&n, r->asking);
		name(&n, w->heard[s]);
		name(&n, rank(w, s, r->asked));
		/* A base long gone is one that no answer fits. */
		name(&n, !r->asking               ? 0
		         : find(r, r->asked_base) ? 1 + r->asked_base - n.lowest
		                                  : 255);
		name(&n, w->question_count[s]);
		for (size_t i = 0; i < w->question_count[s]; i++) {
			const struct resume_question *q = &w->question[s][i];

			name(&n, rank(w, s, q->number));
			name(&n, q->answered);
			if (!q->answered && resume_holds(&w->side[!s], q->base))
				name_keys(&n, q->base);
			else
				name(&n, 255);
		}
		name(&n, answer->present);
		if (answer->present) {
			name(&n, answer->adopted);
			name_keys(&n, answer->base);
			name_keys(&n, answer->made);
		}
		name(&n, w->data_count[s]);
		for (size_t i = 0; i < w->data_count[s]; i++) {
			name(&n, w->data[s][i].acks);
			name_keys(&n, w->data[s][i].keys);
		}
	}
	return (struct resume_signature){ { mixed(n.bytes, n.size, 1),
		                            mixed(n.bytes, n.size, 2) } };
}

void resume_world_open(struct resume_world *w)
{
	uint8_t secret[CORE_SECRET_SIZE] = { 9 };

	memset(w, 0, sizeof(*w));
	for (int s = 0; s < 2; s++) {
		if (core_resume_open(&w->side[s], &id[s], &id[!s], 0, secret) != 0)
			abort();
		send_data(w, s);
	}
}
