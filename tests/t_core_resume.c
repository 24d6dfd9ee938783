/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Re-Hello's machine, walked through state by state: from each state every event is
 * tried (see resume_world.h), and from each it must be possible to come to rest.
 *
 * MUSES_RESUME_QUESTIONS=n: questions of one side that are on their way at most.
 * MUSES_RESUME_STATES=n: how many states to visit at most.
 */
#include "tests/resume_world.h"
#include "tests/tap.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { ROUNDS_MOST = 4 }; /* Bound of the way back to rest. */

/* ---- promises ------------------------------------------------------------------- */

static void check_safe(const struct resume_world *w)
{
	const struct core_resume *a = &w->side[0], *b = &w->side[1];
	const struct core_generation *all[] = { &a->committed, &a->mine, &a->theirs };
	bool shared = false;

	for (size_t i = 0; i < COUNT(all); i++)
		shared = shared ||
		         (all[i]->present && resume_holds(b, resume_keys_of(all[i])));
	if (!shared)
		resume_broken("the two always share a secret");
	if (a->committed.number == b->committed.number &&
	    !resume_same(resume_keys_of(&a->committed), resume_keys_of(&b->committed)))
		resume_broken("one committed number has one secret");
	if (!resume_holds(b, resume_keys_of(&a->committed)) &&
	    a->committed.number >= b->committed.number)
		resume_broken("the later committed secret is known to both");
	if (!resume_holds(a, resume_keys_of(&b->committed)) &&
	    b->committed.number >= a->committed.number)
		resume_broken("the later committed secret is known to both");
	for (int s = 0; s < 2; s++) {
		const struct core_resume *r = &w->side[s];

		if ((r->mine.present && r->mine.number <= r->committed.number) ||
		    (r->theirs.present && r->theirs.number <= r->committed.number))
			resume_broken("numbers grow");
		if (core_resume_settled(r) != (r->current == r->committed.traffic))
			resume_broken("settled means that the current one is committed");
	}
}

/* How the network is kind: these, in all combinations. */
enum kindness {
	OTHER_FIRST = 1 << 0, /* Side 1's messages come before side 0's. */
	AFRESH = 1 << 1,      /* Ask with a new question although one is out. */
	CROSSING = 1 << 2,    /* Both ask before either question comes. */
	DATA_FIRST = 1 << 3,  /* Data overtakes answers. */
	SUSPENDED = 1 << 4,   /* Both have wiped the traffic keys that were committed. */
	KINDNESSES = 1 << 5,
};

struct run {
	struct resume_world w;
	unsigned kind;
	struct resume_keys wiped[2];
	bool acked[2]; /* The last data packet. */
};

static bool can_use(const struct run *r, int s, struct resume_keys k)
{
	return resume_holds(&r->w.side[s], k) &&
	       !((r->kind & SUSPENDED) != 0 && resume_same(k, r->wiped[s]));
}

/* A data packet from each side, and their acknowledgements. */
static void exchange_data(struct run *r)
{
	struct resume_world *w = &r->w;
	struct resume_keys sent[2];
	bool came[2];

	for (int s = 0; s < 2; s++)
		sent[s] = resume_current(&w->side[s]);
	for (int s = 0; s < 2; s++) {
		came[s] = can_use(r, s, sent[s]) && can_use(r, !s, sent[s]);
		if (came[s])
			resume_data_arrives(w, !s,
			                    (struct resume_data){ sent[s], false });
	}
	for (int s = 0; s < 2; s++) {
		/* An acknowledgement goes under the current keys, of what came under
		 * them. */
		struct resume_keys back = resume_current(&w->side[!s]);

		r->acked[s] =
			came[s] && resume_same(back, sent[s]) && can_use(r, s, back);
		if (r->acked[s])
			resume_data_arrives(w, s, (struct resume_data){ back, true });
	}
}

static bool at_rest(const struct run *r)
{
	const struct core_resume *a = &r->w.side[0], *b = &r->w.side[1];
	struct resume_keys k = resume_keys_of(&a->committed);

	return resume_same(k, resume_keys_of(&b->committed)) &&
	       resume_same(k, resume_current(a)) && resume_same(k, resume_current(b)) &&
	       can_use(r, 0, k) && can_use(r, 1, k);
}

static void deliver_last_question(struct run *r, int from)
{
	struct resume_world *w = &r->w;

	if (w->question_count[from] > 0)
		resume_question_arrives(w, !from,
		                        &w->question[from][w->question_count[from] - 1]);
	if ((r->kind & DATA_FIRST) != 0)
		exchange_data(r);
}

static void deliver_answer(struct run *r, int from)
{
	if (r->w.answer[from].present)
		resume_answer_arrives(&r->w, !from);
}

/* Who has no acknowledgement asks; all messages come. */
static void take_round(struct run *r)
{
	int first = (r->kind & OTHER_FIRST) != 0, order[2] = { first, !first };
	bool crossing = (r->kind & CROSSING) != 0;
	bool asks[2] = { !r->acked[0], !r->acked[1] };

	for (int i = 0; i < 2; i++) {
		int s = order[i];

		if (!asks[s])
			continue;
		if (!r->w.side[s].asking || (r->kind & AFRESH) != 0)
			resume_ask(&r->w, s);
		if (!crossing) {
			deliver_last_question(r, s);
			deliver_answer(r, !s);
		}
	}
	for (int i = 0; i < 2 && crossing; i++)
		if (asks[order[i]])
			deliver_last_question(r, order[i]);
	/* An attempt that lost has made the other side ask, too. */
	for (int i = 0; i < 2; i++)
		if (r->w.side[order[i]].asking && !r->w.answer[!order[i]].present)
			deliver_last_question(r, order[i]);
	for (int i = 0; i < 2; i++)
		deliver_answer(r, !order[i]);
}

/* From w on nothing is lost any more: how many rounds until both are at rest? */
static unsigned rounds_to_rest(const struct resume_world *w, unsigned kind)
{
	struct run r = { .w = *w, .kind = kind };
	unsigned rounds = 0;

	for (int s = 0; s < 2; s++) {
		/* It matters only when it is sent again. */
		r.w.answer[s].present = false;
		r.wiped[s] = resume_keys_of(&w->side[s].committed);
	}
	exchange_data(&r);
	while (!at_rest(&r) && rounds++ < ROUNDS_MOST) {
		take_round(&r);
		exchange_data(&r);
	}
	return rounds;
}

/* ---- the walk ------------------------------------------------------------------ */

/* Signatures in the order in which they were put in. */
struct set {
	struct resume_signature *item;
	uint32_t *table; /* Place + 1 in item; twice as many as room. */
	size_t count, room;
};

static uint32_t *place_of(const struct set *set, struct resume_signature sig)
{
	size_t mask = 2 * set->room - 1, at = sig.half[0] & mask;

	while (set->table[at] != 0 &&
	       memcmp(&set->item[set->table[at] - 1], &sig, sizeof(sig)) != 0)
		at = (at + 1) & mask;
	return &set->table[at];
}

/* false: it was there. */
static bool set_put(struct set *set, struct resume_signature sig)
{
	uint32_t *place;

	if (set->count == set->room) {
		set->room = set->room > 0 ? 2 * set->room : 1 << 10;
		set->item = realloc(set->item, set->room * sizeof(*set->item));
		free(set->table);
		set->table = calloc(2 * set->room, sizeof(*set->table));
		if (set->item == NULL || set->table == NULL)
			abort();
		for (size_t i = 0; i < set->count; i++)
			*place_of(set, set->item[i]) = (uint32_t)i + 1;
	}
	place = place_of(set, sig);
	if (*place != 0)
		return false;
	set->item[set->count++] = sig;
	*place = (uint32_t)set->count;
	return true;
}

static void set_release(struct set *set)
{
	free(set->item);
	free(set->table);
}

/* How a state was found. */
struct visit {
	uint32_t from; /* Place of the state before. */
	struct resume_event event;
	struct resume_world *world; /* NULL: was gone on from. */
};

struct walk {
	struct set states, starts; /* Those that runs to rest began in. */
	struct visit *visit;
	size_t room, limit;
	uint64_t transitions;
	unsigned most_rounds;
};

static void discover(struct walk *k, const struct resume_world *w, uint32_t from,
                     struct resume_event e)
{
	struct visit v = { .from = from, .event = e };

	if (k->states.count == k->limit || !set_put(&k->states, resume_world_sign(w)))
		return;
	v.world = malloc(sizeof(*w));
	if (k->states.count > k->room) {
		k->room = k->states.room;
		k->visit = realloc(k->visit, k->room * sizeof(*k->visit));
	}
	if (v.world == NULL || k->visit == NULL)
		abort();
	*v.world = *w;
	k->visit[k->states.count - 1] = v;
}

static void show_side(const struct core_resume *r)
{
	const struct core_generation *all[] = { &r->committed, &r->mine, &r->theirs };
	static const char *const word[] = { "committed", "mine", "theirs" };
	char text[200] = "";
	size_t at = 0;

	for (size_t i = 0; i < COUNT(all); i++)
		if (all[i]->present)
			at += (size_t)snprintf(
				text + at, sizeof(text) - at, " %s %" PRIu32 "/%04x",
				word[i], all[i]->number,
				(unsigned)resume_keys_of(all[i]).secret & 0xffff);
	tap_note("      %s:%s, current %" PRIu32 "%s",
	         r->mine_way == CORE_FROM_LOWER ? "lower" : "higher", text, r->current,
	         r->asking ? ", asking" : "");
}

static void tell(struct resume_world *w, struct resume_event e)
{
	static const char *const word[] = { "asks", "stops", "hears question",
		                            "hears the answer", "hears data" };

	tap_note("   %s %s %u", e.side == 0 ? "lower" : "higher", word[e.kind], e.place);
	resume_happen(w, e);
	show_side(&w->side[0]);
	show_side(&w->side[1]);
}

static void tell_how(const struct walk *k, uint32_t place)
{
	struct resume_event path[64];
	size_t length = 0;
	struct resume_world w;

	for (; place != 0 && length < COUNT(path); place = k->visit[place].from)
		path[length++] = k->visit[place].event;
	resume_world_open(&w);
	while (length-- > 0)
		tell(&w, path[length]);
}

static void check_live(struct walk *k, const struct resume_world *w)
{
	struct resume_world start = *w;

	resume_world_lose(&start);
	if (!set_put(&k->starts, resume_world_sign(&start)))
		return;
	for (unsigned kind = 0; kind < KINDNESSES && resume_wrong == NULL; kind++) {
		unsigned rounds = rounds_to_rest(&start, kind);

		k->most_rounds = rounds > k->most_rounds ? rounds : k->most_rounds;
		if (rounds > ROUNDS_MOST)
			resume_broken("two that hear each other come to rest");
		TAP_NOTE_IF(resume_wrong != NULL,
		            "when the network is kind in way %u after:", kind);
	}
}

static unsigned number_from(const char *variable, unsigned otherwise, unsigned most)
{
	const char *text = getenv(variable);
	unsigned long number = text != NULL ? strtoul(text, NULL, 10) : 0;

	return number > 0 && number <= most ? (unsigned)number : otherwise;
}

/* false: a promise was broken. */
static bool go_on(struct walk *k, uint32_t place)
{
	struct resume_world *at = k->visit[place].world, w;
	struct resume_event event[RESUME_EVENTS_MOST];
	size_t count = resume_events(at, event);

	check_safe(at);
	check_live(k, at);
	if (resume_wrong != NULL) {
		tap_note("%s", resume_wrong);
		tell_how(k, place);
		return false;
	}
	for (size_t i = 0; i < count; i++) {
		w = *at;
		if (!resume_happen(&w, event[i]))
			continue;
		k->transitions++;
		if (resume_wrong != NULL) {
			tap_note("%s", resume_wrong);
			tell_how(k, place);
			w = *at;
			tell(&w, event[i]);
			return false;
		}
		discover(k, &w, place, event[i]);
	}
	free(at);
	k->visit[place].world = NULL;
	return true;
}

static void from_every_state_both_come_to_rest_with_one_secret(void)
{
	struct walk k = { .limit = number_from("MUSES_RESUME_STATES", UINT32_MAX,
		                               UINT32_MAX) };
	struct resume_world w;
	uint32_t place = 0;

	resume_wrong = NULL;
	resume_questions_most =
		number_from("MUSES_RESUME_QUESTIONS", 3, RESUME_QUESTIONS_MOST);
	resume_world_open(&w);
	discover(&k, &w, 0, (struct resume_event){ 0 });
	while (place < k.states.count && go_on(&k, place))
		place++;
	CU_ASSERT_PTR_NULL(resume_wrong);
	tap_note("%zu states%s, %" PRIu64
	         " transitions; from %zu of them at most %u rounds to rest",
	         k.states.count, k.states.count < k.limit ? ", all there are" : "",
	         k.transitions, k.starts.count, k.most_rounds);
	for (; place < k.states.count; place++)
		free(k.visit[place].world);
	free(k.visit);
	set_release(&k.states);
	set_release(&k.starts);
}

static const struct tap_test tests[] = {
	{ "from every state both come to rest with one secret",
	  from_every_state_both_come_to_rest_with_one_secret },
	TAP_END,
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, "core_resume", tests);
}
