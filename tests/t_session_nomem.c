/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every allocation fails once, while two nodes meet, talk, lose their path, resume and
 * part: nobody crashes, nothing is left behind, and the bytes arrive all the same; or
 * the streams hear that they do not.
 */
#include "tests/bench.h"

#include "core/mem.h"
#include "core/session_int.h"

#include <tests/tap.h>

static struct bench b;

static bool ended(const struct bench_pair *p)
{
	return p == NULL || bench_complete(p) ||
	       (p->opener.was_reset &&
	        (p->acceptor.was_reset || p->acceptor.stream == NULL));
}

struct story {
	bool noise;
	void (*happens)(void); /* NULL: it is about the beginning. */
	bool after;            /* Memory fails behind it, not in it. */
};

static void path_breaks(void)
{
	core_hub_break(b.hub, "bob", "alice");
}

static void path_goes_for_a_while(void)
{
	core_hub_break(b.hub, "bob", "alice");
	core_hub_cut(b.hub, "bob", "alice", true);
	bench_run(&b, SECONDS(20));
	core_hub_cut(b.hub, "bob", "alice", false);
}

static void other_restarts(void)
{
	core_hub_cut(b.hub, "bob", "alice", true);
	bench_stop(&b.node[1]);
	core_hub_cut(b.hub, "bob", "alice", false);
	bench_start(&b.node[1]);
}

/* false: no allocation was left to fail. */
static bool live(const struct story *story, uint64_t nth, unsigned *reset)
{
	uint64_t held = core_mem_count();
	struct bench_pair *p, *q;
	bool blown, good;
	size_t lost;

	bench_open(&b, 1);
	if (story->noise)
		bench_use_noise(&b);
	bench_pair_of_nodes(&b);
	bench_run(&b, SECONDS(1));
	core_hub_set(b.hub, NULL, NULL,
	             &(struct core_hub_weather){ .delay_ns = MUSES_MS, .loss = 0.02 });
	if (story->happens == NULL)
		core_mem_fuse(nth);
	p = bench_stream(&b, &b.node[0], &b.node[1], 200000, 100000);
	q = bench_stream(&b, &b.node[1], &b.node[0], 1000, 100000);
	if (p != NULL)
		p->acceptor.read_most = 500;
	bench_run(&b, 40 * MUSES_MS);
	if (story->happens != NULL) {
		if (!story->after)
			core_mem_fuse(nth);
		story->happens();
		if (story->after)
			core_mem_fuse(nth);
	}
	bench_run(&b, MINUTES(3));
	blown = core_mem_blown();
	core_mem_fuse(0);
	good = ended(p) && ended(q);
	if (!good) {
		tap_note("allocation %llu", (unsigned long long)nth);
		bench_dump(&b);
	}
	CU_ASSERT_TRUE(good);
	if (p == NULL || !bench_complete(p))
		++*reset;
	CU_ASSERT_EQUAL(b.sealed_twice, 0);
	lost = bench_close(&b);
	TAP_NOTE_IF(nth != UINT64_MAX && (lost > 0 || core_mem_count() != held),
	            "allocation %llu: %zu buffers, %lld allocations left",
	            (unsigned long long)nth, lost, (long long)(core_mem_count() - held));
	CU_ASSERT_EQUAL(lost, 0);
	/* What is made once a process is made by the first one. */
	CU_ASSERT_TRUE(core_mem_count() == held || nth == UINT64_MAX);
	return blown;
}

static void tell_it(const struct story *story, bool may_reset)
{
	unsigned reset = 0;
	uint64_t nth = 1;

	live(story, UINT64_MAX, &reset);
	reset = 0;
	while (nth < 3000 && CU_get_number_of_failures() < 20 && live(story, nth, &reset))
		nth++;
	tap_note("%llu allocations, %u times a stream was not opened or was reset",
	         (unsigned long long)nth - 1, reset);
	if (!may_reset)
		CU_ASSERT_TRUE(reset <= nth / 5);
}

static void two_meet_without_memory(void)
{
	tell_it(&(struct story){ 0 }, false);
	tell_it(&(struct story){ .noise = true }, false);
}

static void two_resume_without_memory(void)
{
	tell_it(&(struct story){ .happens = path_breaks }, false);
	tell_it(&(struct story){ .happens = path_goes_for_a_while }, false);
}

static void one_restarts_without_memory(void)
{
	tell_it(&(struct story){ .happens = other_restarts, .after = true }, true);
}

static const struct tap_test tests[] = {
	{ "two meet, and each allocation fails once", two_meet_without_memory },
	{ "two resume, and each allocation fails once", two_resume_without_memory },
	{ "one restarts, and each allocation fails once", one_restarts_without_memory },
	TAP_END,
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, "session_nomem", tests);
}
