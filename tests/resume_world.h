/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_RESUME_WORLD_H
#define TESTS_RESUME_WORLD_H

#include "core/resume.h"

/*
 * Two Re-Hello machines and a network that never forgets: whatever was sent may
 * arrive at any later time, any number of times, or never.  So a loss is a message
 * that is not delivered, and a repetition (of a question, an answer or a data packet)
 * is one that is delivered twice; neither is an event of its own.
 *
 * Forgotten are only messages that can do nothing any more, which is checked when it
 * happens, and more than resume_questions_most questions of one side, the oldest
 * first.
 *
 * Sides are 0, with the lower id, and 1.  A world is plain data, to be copied.
 */
enum { RESUME_QUESTIONS_MOST = 6, RESUME_DATA_MOST = 12 };
extern unsigned resume_questions_most;

/* The first promise that was broken, as a sentence; NULL: none. */
extern const char *resume_wrong;
void resume_broken(const char *promise);

/* Stands for a generation's keys: equal if and only if the keys are. */
struct resume_keys {
	uint32_t number;
	uint64_t secret;
};

struct resume_question {
	uint8_t bytes[CORE_REHELLO_BYTES];
	uint64_t number;
	struct resume_keys base;
	bool answered;
	uint8_t answer[16]; /* Tag of the answer. */
};

struct resume_answer {
	uint8_t bytes[CORE_REHELLO_BYTES];
	uint64_t number;
	struct resume_keys base, made;
	bool present, adopted;
};

/* A packet under these keys; acks: it acknowledges one under the same. */
struct resume_data {
	struct resume_keys keys;
	bool acks;
};

struct resume_world {
	struct core_resume side[2];
	bool heard[2]; /* A packet came under the current keys. */
	/* By who sent it. */
	struct resume_question question[2][RESUME_QUESTIONS_MOST];
	uint8_t question_count[2];
	struct resume_answer answer[2]; /* To the last question of the other. */
	struct resume_data data[2][RESUME_DATA_MOST];
	uint8_t data_count[2];
};

enum resume_event_kind {
	RESUME_ASKS = 0,
	RESUME_STOPS,
	RESUME_HEARS_QUESTION,
	RESUME_HEARS_ANSWER,
	RESUME_HEARS_DATA,
};

struct resume_event {
	uint8_t side, kind, place;
};
enum { RESUME_EVENTS_MOST = 2 * (3 + RESUME_QUESTIONS_MOST + RESUME_DATA_MOST) };

/* What tells states apart: secrets count as "the same as that one", numbers of
 * generations by their distance and parity, numbers of questions by their order. */
struct resume_signature {
	uint64_t half[2];
};

void resume_world_open(struct resume_world *w);
struct resume_signature resume_world_sign(const struct resume_world *w);
/* Everything under way is lost; what the sides would send again is kept. */
void resume_world_lose(struct resume_world *w);
/* Everything that could happen now; how many. */
size_t resume_events(const struct resume_world *w,
                     struct resume_event event[static RESUME_EVENTS_MOST]);
/* Let it happen; false: it cannot. */
bool resume_happen(struct resume_world *w, struct resume_event e);

/* The steps of events, for runs in which the network is kind. */
void resume_ask(struct resume_world *w, int from);
void resume_question_arrives(struct resume_world *w, int to, struct resume_question *q);
void resume_answer_arrives(struct resume_world *w, int to);
void resume_data_arrives(struct resume_world *w, int to, struct resume_data d);

struct resume_keys resume_keys_of(const struct core_generation *g);
struct resume_keys resume_current(const struct core_resume *r);
/* Has it keys for traffic under these? */
bool resume_holds(const struct core_resume *r, struct resume_keys k);
static inline bool resume_same(struct resume_keys a, struct resume_keys b)
{
	return a.number == b.number && a.secret == b.secret;
}

#endif
