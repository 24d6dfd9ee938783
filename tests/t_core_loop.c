/* SPDX-License-Identifier: Apache-2.0 */
/* Tests core/loop.c and core/heap.c on the virtual clock. */
#include "tests/tap.h"

#include "core/heap.h"
#include "core/loop.h"
#include "core/mem.h"

#include <stdio.h>
#include <string.h>

#define BEGIN MUSES_S

/* A timer that writes its letter and the time into a common story. */
struct teller {
	struct muses_timer timer;
	struct core_loop *loop;
	char letter;
	uint64_t fired_ns;
	unsigned times;
	unsigned most;     /* Arms itself anew until it fired that often ... */
	uint64_t again_ns; /* ... after this long. */
	struct teller *stops;
	struct teller *arms;
	uint64_t arms_at_ns;
};

static char story[256];

static void tell(char letter)
{
	size_t length = strlen(story);

	if (length + 1 < sizeof(story)) {
		story[length] = letter;
		story[length + 1] = '\0';
	}
}

static void teller_fire(struct muses_timer *t)
{
	struct teller *s = muses_container(t, struct teller, timer);

	tell(s->letter);
	s->fired_ns = core_loop_now(s->loop);
	if (++s->times < s->most)
		muses_timer_after(t, s->again_ns);
	if (s->stops != NULL)
		muses_timer_stop(&s->stops->timer);
	if (s->arms != NULL)
		muses_timer_at(&s->arms->timer, s->arms_at_ns);
}

static void teller_init(struct core_loop *loop, struct teller *s, char letter)
{
	memset(s, 0, sizeof(*s));
	s->loop = loop;
	s->letter = letter;
	core_timer_init(loop, &s->timer, teller_fire);
}

static struct core_loop *open_world(struct teller *s, size_t count)
{
	struct core_loop *loop = core_loop_open(CORE_CLOCK_VIRTUAL);

	CU_ASSERT_PTR_NOT_NULL_FATAL(loop);
	story[0] = '\0';
	for (size_t i = 0; i < count; i++)
		teller_init(loop, &s[i], (char)('a' + i));
	return loop;
}

static void time_jumps_exactly(void)
{
	struct teller s[1];
	struct core_loop *loop = open_world(s, 1);

	CU_ASSERT_EQUAL(core_loop_now(loop), BEGIN);
	CU_ASSERT_EQUAL(core_loop_next(loop), UINT64_MAX);
	muses_timer_after(&s[0].timer, 12345);
	CU_ASSERT_EQUAL(core_loop_next(loop), BEGIN + 12345);
	core_loop_advance(loop, 12344);
	CU_ASSERT_EQUAL(s[0].times, 0);
	CU_ASSERT_EQUAL(core_loop_now(loop), BEGIN + 12344);
	core_loop_advance(loop, 1);
	CU_ASSERT_EQUAL(s[0].times, 1);
	CU_ASSERT_EQUAL(s[0].fired_ns, BEGIN + 12345);

	muses_timer_after(&s[0].timer, 30 * 86400 * MUSES_S);
	core_loop_advance(loop, 100 * 86400 * MUSES_S);
	CU_ASSERT_EQUAL(s[0].fired_ns, BEGIN + 12345 + 30 * 86400 * MUSES_S);
	CU_ASSERT_EQUAL(core_loop_now(loop), BEGIN + 12345 + 100 * 86400 * MUSES_S);
	core_loop_close(loop);
}

static void order_is_time_then_arming(void)
{
	static const struct {
		uint64_t due_ns;
		const char *why;
	} row[] = {
		{ 30, "a: last but two" }, { 10, "b: first" },   { 20, "c: in between" },
		{ 10, "d: same as b" },    { 30, "e: as a" },    { 10, "f: as b, d" },
		{ 40, "g: moved to 10" },  { 10, "h: stopped" },
	};
	struct teller s[8];
	struct core_loop *loop = open_world(s, 8);

	for (size_t i = 0; i < 8; i++)
		muses_timer_at(&s[i].timer, BEGIN + row[i].due_ns);
	muses_timer_at(&s[6].timer, BEGIN + 10);
	muses_timer_stop(&s[7].timer);
	muses_timer_stop(&s[7].timer);
	CU_ASSERT_FALSE(muses_timer_armed(&s[7].timer));
	CU_ASSERT_TRUE(muses_timer_armed(&s[6].timer));
	core_loop_advance(loop, 100);
	CU_ASSERT_STRING_EQUAL(story, "bdfgcae");
	TAP_NOTE_IF(strcmp(story, "bdfgcae") != 0, "%s", story);
	for (size_t i = 0; i < 7; i++)
		CU_ASSERT_FALSE(muses_timer_armed(&s[i].timer));
	core_loop_close(loop);
}

static void a_timer_may_arm_itself(void)
{
	struct teller s[1];
	struct core_loop *loop = open_world(s, 1);

	s[0].most = 5;
	s[0].again_ns = 7;
	muses_timer_after(&s[0].timer, 7);
	core_loop_advance(loop, 7 * 5 - 1);
	CU_ASSERT_EQUAL(s[0].times, 4);
	core_loop_advance(loop, 1000);
	CU_ASSERT_EQUAL(s[0].times, 5);
	CU_ASSERT_EQUAL(s[0].fired_ns, BEGIN + 35);
	core_loop_close(loop);
}

static void callbacks_may_stop_and_move_others(void)
{
	struct teller s[4];
	struct core_loop *loop = open_world(s, 4);

	/* All due at once: a stops b, c pulls d, who was later, into the past. */
	for (size_t i = 0; i < 3; i++)
		muses_timer_at(&s[i].timer, BEGIN + 10);
	muses_timer_at(&s[3].timer, BEGIN + 50);
	s[0].stops = &s[1];
	s[2].arms = &s[3];
	s[2].arms_at_ns = 1;
	core_loop_turn(loop, UINT64_MAX);
	CU_ASSERT_STRING_EQUAL(story, "ac");
	CU_ASSERT_EQUAL(core_loop_next(loop), BEGIN + 10);
	core_loop_turn(loop, UINT64_MAX);
	CU_ASSERT_STRING_EQUAL(story, "acd");
	CU_ASSERT_EQUAL(core_loop_now(loop), BEGIN + 10);
	core_loop_close(loop);
}

static void past_timers_wait_for_the_next_turn(void)
{
	struct teller s[2];
	struct core_loop *loop = open_world(s, 2);

	/* a arms itself for the past again and again; b must not starve. */
	s[0].most = 3;
	muses_timer_at(&s[0].timer, 0);
	muses_timer_at(&s[1].timer, BEGIN);
	core_loop_turn(loop, UINT64_MAX);
	CU_ASSERT_STRING_EQUAL(story, "ab");
	core_loop_turn(loop, UINT64_MAX);
	CU_ASSERT_STRING_EQUAL(story, "aba");
	core_loop_turn(loop, UINT64_MAX);
	CU_ASSERT_STRING_EQUAL(story, "abaa");
	CU_ASSERT_EQUAL(core_loop_now(loop), BEGIN);
	core_loop_close(loop);
}

static void far_times_do_not_wrap(void)
{
	struct teller s[2];
	struct core_loop *loop = open_world(s, 2);

	muses_timer_after(&s[0].timer, UINT64_MAX);
	muses_timer_after(&s[1].timer, UINT64_MAX - BEGIN - 1);
	core_loop_advance(loop, MUSES_S);
	CU_ASSERT_STRING_EQUAL(story, "");
	CU_ASSERT_EQUAL(core_loop_next(loop), UINT64_MAX - 1);
	core_loop_close(loop);
}

/* Against the obvious model: a sorted array. */
#define MANY 100000
static struct crowd {
	struct muses_timer timer;
	uint64_t due_ns;
	uint64_t order;
} * crowd;
static struct core_loop *crowd_loop;
static uint64_t crowd_last_due, crowd_last_order, crowd_fired, crowd_wrong;

static void crowd_fire(struct muses_timer *t)
{
	struct crowd *c = muses_container(t, struct crowd, timer);

	crowd_fired++;
	if (core_loop_now(crowd_loop) != c->due_ns || c->due_ns < crowd_last_due ||
	    (c->due_ns == crowd_last_due && c->order < crowd_last_order))
		crowd_wrong++;
	crowd_last_due = c->due_ns;
	crowd_last_order = c->order;
}

static void heaps_hold_many(void)
{
	uint64_t state = 1, order = 0, stopped = 0;

	crowd = muses_zalloc(MANY * sizeof(*crowd));
	crowd_loop = core_loop_open(CORE_CLOCK_VIRTUAL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(crowd);
	CU_ASSERT_PTR_NOT_NULL_FATAL(crowd_loop);
	crowd_last_due = crowd_last_order = crowd_fired = crowd_wrong = 0;
	for (size_t i = 0; i < MANY; i++)
		core_timer_init(crowd_loop, &crowd[i].timer, crowd_fire);
	/* Arm, move and stop at random; one in eight ends up stopped. */
	for (size_t i = 0; i < 3 * (size_t)MANY; i++) {
		struct crowd *c = &crowd[i % MANY];

		state = state * UINT64_C(6364136223846793005) + 1442695040888963407u;
		if (i >= 2 * (size_t)MANY && state >> 61 == 0) {
			muses_timer_stop(&c->timer);
			stopped++;
			continue;
		}
		c->due_ns = BEGIN + 1 + (state >> 33) % 50000;
		c->order = ++order;
		muses_timer_at(&c->timer, c->due_ns);
	}
	core_loop_advance(crowd_loop, MUSES_S);
	CU_ASSERT_EQUAL(crowd_fired + stopped, MANY);
	CU_ASSERT_EQUAL(crowd_wrong, 0);
	core_loop_close(crowd_loop);
	muses_free(crowd);
}

static void closing_stops_timers(void)
{
	struct teller s[3];
	struct core_loop *loop = open_world(s, 3);

	for (size_t i = 0; i < 3; i++)
		muses_timer_after(&s[i].timer, i);
	core_loop_close(loop);
	for (size_t i = 0; i < 3; i++) {
		CU_ASSERT_FALSE(muses_timer_armed(&s[i].timer));
		muses_timer_stop(&s[i].timer); /* Still fine. */
	}
}

static void layers_are_forgotten(void)
{
	/* Never looked into by the loop: addresses will do. */
	struct muses_layer *one = (struct muses_layer *)&story[0];
	struct muses_layer *other = (struct muses_layer *)&story[1];
	struct teller s[20];
	struct core_loop *loop = open_world(s, 20);

	for (size_t i = 0; i < 20; i++) {
		s[i].timer.layer = i % 3 == 0 ? one : other;
		muses_timer_after(&s[i].timer, (i * 7) % 20);
	}
	CU_ASSERT_EQUAL(core_loop_forget(loop, one), 7);
	CU_ASSERT_EQUAL(core_loop_forget(loop, one), 0);
	core_loop_advance(loop, 100);
	/* Those with i % 3 != 0, by i * 7 % 20. */
	CU_ASSERT_STRING_EQUAL(story, "behknqtcfilor");
	core_loop_close(loop);
}

/* ---- running -------------------------------------------------------------- */

static void stop_fire(struct muses_timer *t)
{
	core_loop_stop(t->loop);
}

static void run_ends(void)
{
	struct teller s[2];
	struct core_loop *loop = open_world(s, 2);
	struct muses_timer stop;

	core_timer_init(loop, &stop, stop_fire);
	muses_timer_after(&s[0].timer, 10);
	muses_timer_after(&stop, 20);
	muses_timer_after(&s[1].timer, 30);
	core_loop_run(loop);
	CU_ASSERT_STRING_EQUAL(story, "a");
	core_loop_run(loop); /* Until nothing is left. */
	CU_ASSERT_STRING_EQUAL(story, "ab");
	CU_ASSERT_EQUAL(core_loop_now(loop), BEGIN + 30);
	core_loop_stop(loop);
	muses_timer_after(&s[0].timer, 0);
	core_loop_run(loop); /* Stopped before it began. */
	CU_ASSERT_STRING_EQUAL(story, "ab");
	core_loop_close(loop);
}

static void turns_go_no_further_than_asked(void)
{
	struct teller s[1];
	struct core_loop *loop = open_world(s, 1);

	muses_timer_after(&s[0].timer, 100);
	core_loop_turn(loop, 40);
	CU_ASSERT_EQUAL(core_loop_now(loop), BEGIN + 40);
	CU_ASSERT_EQUAL(s[0].times, 0);
	core_loop_turn(loop, 0);
	CU_ASSERT_EQUAL(core_loop_now(loop), BEGIN + 40);
	core_loop_turn(loop, 1000);
	CU_ASSERT_EQUAL(core_loop_now(loop), BEGIN + 100);
	CU_ASSERT_EQUAL(s[0].times, 1);
	core_loop_close(loop);
}

static void wall_clock_walks_along(void)
{
	struct core_loop *loop = open_world(NULL, 0);
	uint64_t begin = core_loop_wall_clock(loop);

	CU_ASSERT_EQUAL(begin, (UINT64_C(1767225600) + 1) * MUSES_S);
	core_loop_advance(loop, 3600 * MUSES_S);
	CU_ASSERT_EQUAL(core_loop_wall_clock(loop), begin + 3600 * MUSES_S);
	core_loop_close(loop);
}

static void real_timers_are_never_early(void)
{
	struct teller s[1];
	struct core_loop *loop = core_loop_open(CORE_CLOCK_REAL);
	unsigned turns = 0;
	uint64_t due;

	CU_ASSERT_PTR_NOT_NULL_FATAL(loop);
	teller_init(loop, &s[0], 'a');
	for (unsigned i = 1; i <= 5; i++) {
		muses_timer_after(&s[0].timer, i * 100 * MUSES_US);
		due = s[0].timer.due_ns;
		while (s[0].times < i) {
			core_loop_turn(loop, UINT64_MAX);
			turns++;
		}
		CU_ASSERT_TRUE(s[0].fired_ns >= due);
	}
	CU_ASSERT_TRUE(turns <= 10); /* It slept, and did not spin. */
	CU_ASSERT_TRUE(core_loop_wall_clock(loop) > UINT64_C(1700000000) * MUSES_S);
	core_loop_close(loop);
}

static void far_timers_do_not_disturb(void)
{
	struct teller s[2];
	struct core_loop *loop = core_loop_open(CORE_CLOCK_REAL);
	uint64_t begin;

	CU_ASSERT_PTR_NOT_NULL_FATAL(loop);
	teller_init(loop, &s[0], 'a');
	teller_init(loop, &s[1], 'b');
	muses_timer_after(&s[0].timer, 3600 * MUSES_S);
	begin = core_loop_now(loop);
	for (int i = 0; i < 3; i++)
		core_loop_turn(loop, 200 * MUSES_US);
	CU_ASSERT_TRUE(core_loop_now(loop) - begin >= 600 * MUSES_US);
	CU_ASSERT_TRUE(core_loop_now(loop) - begin < 600 * MUSES_S);
	CU_ASSERT_EQUAL(s[0].times, 0);
	muses_timer_after(&s[1].timer, 0);
	core_loop_turn(loop, UINT64_MAX);
	CU_ASSERT_EQUAL(s[1].times, 1);
	core_loop_close(loop);
}

static void armed_timers_cost_no_memory(void)
{
	struct teller s[3];
	struct core_loop *loop = open_world(s, 3);
	uint64_t total = core_mem_total();

	for (size_t i = 0; i < 3; i++) {
		s[i].most = 1000;
		s[i].again_ns = i + 1;
		muses_timer_after(&s[i].timer, i);
	}
	core_loop_advance(loop, 10000);
	CU_ASSERT_EQUAL(s[0].times + s[1].times + s[2].times, 3000);
	CU_ASSERT_EQUAL(core_mem_total(), total);
	core_loop_close(loop);
}

static const struct tap_test tests[] = {
	{ "virtual time jumps from timer to timer and stands exactly where it was asked "
	  "to",
	  time_jumps_exactly },
	{ "timers fire in order of time, then of arming", order_is_time_then_arming },
	{ "a timer may arm itself anew from its callback", a_timer_may_arm_itself },
	{ "a callback may stop and move other timers that are due",
	  callbacks_may_stop_and_move_others },
	{ "a timer armed for the past fires on the next turn, after those due before",
	  past_timers_wait_for_the_next_turn },
	{ "delays beyond the end of time do not wrap", far_times_do_not_wrap },
	{ "100000 timers armed, moved and stopped at random fire at their time and in "
	  "order",
	  heaps_hold_many },
	{ "closing the loop stops its timers", closing_stops_timers },
	{ "what a layer left armed can be forgotten, and the others keep their order",
	  layers_are_forgotten },
	{ "run ends when it is stopped, or when nothing is left that could happen",
	  run_ends },
	{ "a turn goes no further in time than it may", turns_go_no_further_than_asked },
	{ "the virtual wall clock walks along with time", wall_clock_walks_along },
	{ "on the real clock a timer is never early, and waiting is not spinning",
	  real_timers_are_never_early },
	{ "a timer that is hours away does not disturb a real loop",
	  far_timers_do_not_disturb },
	{ "arming and firing timers allocates nothing", armed_timers_cost_no_memory },
	TAP_END
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, "loop", tests);
}
