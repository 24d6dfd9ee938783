/* SPDX-License-Identifier: Apache-2.0 */
/* Suspicion, suspension and the schedule of Re-Hello, with a PTO of 100 ms and a
 * clock the test moves. */
#include "tests/tap.h"

#include "plugins/reliability/srm/suspect.h"

#include <muses/plugin.h>

#define PTO      (100 * MUSES_MS)
#define MS(span) ((span)*MUSES_MS)

struct world {
	struct suspect s;
	struct suspect_config config;
	uint64_t now;
	bool lossy;
	uint32_t jitter;
};

static void begin(struct world *w)
{
	*w = (struct world){ .config = { .suspect_ms = 500 }, .now = MUSES_S };
	srm_suspect_init(&w->s, 500, 30000);
}

static enum muses_verdict ask(struct world *w)
{
	struct suspect_now at = { w->now, PTO, w->lossy, w->jitter };

	return srm_suspect_ask(&w->s, &w->config, &at);
}

/* Let time pass until there is a verdict; returns after how long, in ms. */
static unsigned wait_for(struct world *w, enum muses_verdict verdict)
{
	uint64_t from = w->now;
	enum muses_verdict got;

	for (int i = 0; i < 100; i++) {
		uint64_t due;

		got = ask(w);
		if (got == verdict)
			return (unsigned)((w->now - from) / MUSES_MS);
		due = srm_suspect_due(&w->s, &w->config);
		if (got != MUSES_WAIT || due == UINT64_MAX || due <= w->now)
			break;
		w->now = due;
	}
	CU_FAIL("another verdict came first, or none");
	return 0;
}

static void nothing_out_nothing_due(void)
{
	struct world w;

	begin(&w);
	CU_ASSERT_EQUAL(ask(&w), MUSES_WAIT);
	CU_ASSERT_EQUAL(srm_suspect_due(&w.s, &w.config), UINT64_MAX);
	srm_suspect_waiting(&w.s, w.now, PTO);
	CU_ASSERT_EQUAL(srm_suspect_due(&w.s, &w.config), w.now + PTO);
	srm_suspect_answered(&w.s, w.now, PTO);
	CU_ASSERT_EQUAL(srm_suspect_due(&w.s, &w.config), UINT64_MAX);
	srm_suspect_path(&w.s, w.now, MUSES_PATH_UP);
	CU_ASSERT_EQUAL(ask(&w), MUSES_WAIT);
	CU_ASSERT_EQUAL(srm_suspect_due(&w.s, &w.config), UINT64_MAX);
}

static void silence_leads_to_suspension_step_by_step(void)
{
	struct world w;

	begin(&w);
	srm_suspect_waiting(&w.s, w.now, PTO);
	CU_ASSERT_EQUAL(wait_for(&w, MUSES_SEND), 100);
	CU_ASSERT_EQUAL(w.s.phase, MUSES_ESTABLISHED);
	CU_ASSERT_EQUAL(wait_for(&w, MUSES_REHELLO), 400); /* suspect_ms in all. */
	srm_suspect_phase(&w.s, w.now, PTO, MUSES_SUSPECTED);
	CU_ASSERT_EQUAL(wait_for(&w, MUSES_REHELLO), 500);
	CU_ASSERT_EQUAL(wait_for(&w, MUSES_SUSPEND), 500); /* 1 s after the first. */
	srm_suspect_phase(&w.s, w.now, PTO, MUSES_SUSPENDED);
	CU_ASSERT_EQUAL(wait_for(&w, MUSES_REHELLO), 500); /* 1 s after the second. */
}

static void a_lossy_path_gets_more_probes(void)
{
	struct world w;

	begin(&w);
	w.lossy = true;
	srm_suspect_waiting(&w.s, w.now, PTO);
	CU_ASSERT_EQUAL(wait_for(&w, MUSES_SEND), 100);
	CU_ASSERT_EQUAL(wait_for(&w, MUSES_SEND), 200);
	CU_ASSERT_EQUAL(wait_for(&w, MUSES_REHELLO), 400);
}

static void an_answer_ends_suspicion(void)
{
	struct world w;

	begin(&w);
	srm_suspect_waiting(&w.s, w.now, PTO);
	(void)wait_for(&w, MUSES_SEND);
	w.now += MS(50);
	srm_suspect_progress(&w.s, w.now, PTO);
	CU_ASSERT_EQUAL(wait_for(&w, MUSES_SEND), 100);
	(void)wait_for(&w, MUSES_REHELLO);
	/* Old keys live on: an acknowledgement puts suspension off. */
	w.now += MS(400);
	srm_suspect_progress(&w.s, w.now, PTO);
	CU_ASSERT_EQUAL(wait_for(&w, MUSES_REHELLO), 100);
	CU_ASSERT_EQUAL(wait_for(&w, MUSES_SUSPEND), 900);
	srm_suspect_phase(&w.s, w.now, PTO, MUSES_SUSPENDED);
	srm_suspect_answered(&w.s, w.now, PTO);
	srm_suspect_phase(&w.s, w.now, PTO, MUSES_ESTABLISHED);
	CU_ASSERT_EQUAL(ask(&w), MUSES_WAIT);
	CU_ASSERT_EQUAL(srm_suspect_due(&w.s, &w.config), UINT64_MAX);
}

static void news_of_the_path_count_at_once(void)
{
	struct world w;

	begin(&w);
	srm_suspect_path(&w.s, w.now, MUSES_PATH_MOVED);
	CU_ASSERT_EQUAL(ask(&w), MUSES_REHELLO);
	srm_suspect_phase(&w.s, w.now, PTO, MUSES_SUSPECTED);
	CU_ASSERT_EQUAL(ask(&w), MUSES_WAIT);
	srm_suspect_path(&w.s, w.now, MUSES_PATH_DOWN);
	CU_ASSERT_EQUAL(ask(&w), MUSES_SUSPEND);
	srm_suspect_phase(&w.s, w.now, PTO, MUSES_SUSPENDED);
	for (int i = 0; i < 20; i++)
		(void)wait_for(&w, MUSES_REHELLO);
	w.now += MS(3);
	CU_ASSERT_EQUAL(ask(&w), MUSES_WAIT);
	srm_suspect_path(&w.s, w.now, MUSES_PATH_UP);
	CU_ASSERT_EQUAL(ask(&w), MUSES_REHELLO);
	CU_ASSERT_EQUAL(wait_for(&w, MUSES_REHELLO), 500); /* The back-off is new, too. */

	begin(&w); /* Idle, and no path is left. */
	srm_suspect_path(&w.s, w.now, MUSES_PATH_DOWN);
	CU_ASSERT_EQUAL(ask(&w), MUSES_SUSPEND);

	begin(&w); /* A probe is out when a path comes back. */
	srm_suspect_waiting(&w.s, w.now, PTO);
	(void)wait_for(&w, MUSES_SEND);
	srm_suspect_path(&w.s, w.now, MUSES_PATH_UP);
	CU_ASSERT_EQUAL(ask(&w), MUSES_REHELLO);
}

static void suspend(struct world *w)
{
	srm_suspect_path(&w->s, w->now, MUSES_PATH_DOWN);
	CU_ASSERT_EQUAL(ask(w), MUSES_SUSPEND);
	srm_suspect_phase(&w->s, w->now, PTO, MUSES_SUSPENDED);
}

static void attempts_back_off_for_ever(void)
{
	static const unsigned wait_ms[] = { 500,  500,   1000,  2000, 4000,
		                            8000, 16000, 30000, 30000 };
	struct world w;

	for (uint32_t jitter = 0; jitter <= REHELLO_JITTER; jitter += 100) {
		begin(&w);
		w.jitter = jitter;
		suspend(&w);
		for (size_t i = 0; i < sizeof(wait_ms) / sizeof(wait_ms[0]); i++) {
			unsigned want =
				i == 0 ? 500 : wait_ms[i] / 1000.0 * (1000 - jitter);

			CU_ASSERT_EQUAL(wait_for(&w, MUSES_REHELLO), want);
		}
	}
	w.now += MS(UINT64_C(10) * 365 * 86400 * 1000);
	CU_ASSERT_EQUAL(ask(&w), MUSES_REHELLO);
	CU_ASSERT_EQUAL(ask(&w), MUSES_WAIT);
}

static void a_flapping_path_cannot_make_us_flood(void)
{
	struct world w;
	unsigned attempts = 0;

	begin(&w);
	suspend(&w);
	for (int i = 0; i < 10000; i++) {
		srm_suspect_path(&w.s, w.now, MUSES_PATH_UP);
		while (ask(&w) == MUSES_REHELLO)
			attempts++;
		srm_suspect_path(&w.s, w.now, MUSES_PATH_DOWN);
		w.now += MUSES_MS;
	}
	/* In ten seconds: the burst, one a second, and the back-off's own. */
	TAP_NOTE_IF(attempts > 20, "%u attempts", attempts);
	CU_ASSERT(attempts >= 10 && attempts <= 20);
}

static void it_gives_up_only_when_told_to(void)
{
	struct world w;

	begin(&w);
	w.config.give_up_s = 3600;
	suspend(&w);
	w.now += 3599 * MUSES_S;
	(void)wait_for(&w, MUSES_REHELLO);
	CU_ASSERT_EQUAL(wait_for(&w, MUSES_REHELLO), 500);
	CU_ASSERT_EQUAL(wait_for(&w, MUSES_GIVE_UP), 500);
}

static void waking_up_is_not_the_end(void)
{
	struct world w;

	begin(&w);
	srm_suspect_waiting(&w.s, w.now, PTO);
	w.now += 86400 * MUSES_S;
	CU_ASSERT_EQUAL(ask(&w), MUSES_SEND);
	CU_ASSERT_EQUAL(wait_for(&w, MUSES_REHELLO), 200);
	CU_ASSERT_EQUAL(wait_for(&w, MUSES_REHELLO), 500);
}

static const struct tap_test tests[] = {
	{ "while nothing waits for an answer nothing is due", nothing_out_nothing_due },
	{ "silence leads from a probe over Re-Hello to suspension",
	  silence_leads_to_suspension_step_by_step },
	{ "a lossy path gets a second probe", a_lossy_path_gets_more_probes },
	{ "an acknowledgement ends suspicion or puts suspension off",
	  an_answer_ends_suspicion },
	{ "a path that moves, goes or comes counts at once",
	  news_of_the_path_count_at_once },
	{ "Re-Hello attempts back off to half a minute, for ever",
	  attempts_back_off_for_ever },
	{ "a flapping path cannot make us flood it",
	  a_flapping_path_cannot_make_us_flood },
	{ "give_up_s ends a suspended session, to the second",
	  it_gives_up_only_when_told_to },
	{ "a machine that slept for a day first asks again", waking_up_is_not_the_end },
	TAP_END
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, "srm_suspect", tests);
}
