/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random histories: from a seed, streams both ways and everything that can happen to
 * the wires and the relay between them; then fair weather, and what must be true at
 * the end of every history:
 *
 *   bytes equal, nothing twice; no (key, SeqNBR) sealed twice; no stream reset; all
 *   buffers returned.
 *
 *   t_histories                 as many as HISTORIES says (default 1000, fewer
 *                             where each costs more: sanitizers, valgrind)
 *   HISTORY=12345 t_histories   that one, alone
 */
#include "tests/bench.h"

#include "core/mem.h"

#include <tests/tap.h>

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define FIRST_SEED 1u

static uint64_t dice(struct bench *b, uint64_t below)
{
	return core_rand_below(b->rand, below);
}

static bool often(struct bench *b, unsigned percent)
{
	return dice(b, 100) < percent;
}

static struct core_hub_weather some_weather(struct bench *b)
{
	struct core_hub_weather w = { 0 };

	if (often(b, 70))
		w.delay_ns = dice(b, 100) * MUSES_MS;
	if (often(b, 30))
		w.jitter_ns = dice(b, 30) * MUSES_MS;
	if (often(b, 50))
		w.rate_bits = 200000 + dice(b, 100) * 1000000;
	if (often(b, 30))
		w.loss = (double)dice(b, 20) / 100;
	if (often(b, 20))
		w.reorder = (double)dice(b, 20) / 100;
	if (often(b, 20))
		w.duplicate = (double)dice(b, 20) / 100;
	if (often(b, 20))
		w.corrupt = (double)dice(b, 10) / 100;
	return w;
}

static void open_some(struct bench *b)
{
	struct bench_node *from = &b->node[dice(b, 2)];
	struct bench_node *to = from == &b->node[0] ? &b->node[1] : &b->node[0];
	struct bench_pair *p;

	if (b->pairs >= 12)
		return;
	p = bench_stream(b, from, to, dice(b, often(b, 30) ? 200000 : 3000),
	                 dice(b, often(b, 30) ? 200000 : 3000));
	CU_ASSERT_PTR_NOT_NULL(p);
	if (p != NULL && often(b, 30))
		p->acceptor.read_most = 1 + dice(b, 5000);
}

static void wire_of(struct bench *b, bool relay, const char **x, const char **y)
{
	size_t end = dice(b, 2);

	*x = b->node[end].name;
	*y = relay ? b->node[2].name : b->node[!end].name;
}

static uint64_t some_span(struct bench *b)
{
	static const uint64_t spans[] = { 1 * MUSES_MS, 20 * MUSES_MS, 300 * MUSES_MS,
		                          2 * MUSES_S,  20 * MUSES_S,  MINUTES(10) };

	/* Rare: links that are up ask each other all the time, a month of it costs 10 s.
	 */
	if (dice(b, 20000) == 0)
		return DAYS(30);
	return spans[dice(b, sizeof(spans) / sizeof(spans[0]))] * (1 + dice(b, 3));
}

static void something_happens(struct bench *b, bool relay)
{
	const char *x, *y;
	struct core_hub_weather w;

	wire_of(b, relay, &x, &y);
	switch (dice(b, 10)) {
	case 0: /* Silent cut. */
		core_hub_cut(b->hub, x, y, true);
		break;
	case 1: /* Both ends are told. */
		core_hub_break(b->hub, x, y);
		break;
	case 2:
		core_hub_break(b->hub, x, y);
		core_hub_cut(b->hub, x, y, true);
		break;
	case 3:
		core_hub_cut(b->hub, x, y, false);
		break;
	case 4:
		w = some_weather(b);
		core_hub_set(b->hub, x, y, &w);
		break;
	case 5: /* Both ends move at once. */
		for (int i = 0; i < 2; i++) {
			core_hub_break(b->hub, b->node[i].name,
			               relay ? b->node[2].name : b->node[!i].name);
			core_links_network_changed(b->node[i].links, 0);
		}
		break;
	case 6:
		core_links_network_changed(b->node[dice(b, 2)].links, 0);
		break;
	case 7:
		if (relay) { /* The relay is killed, and comes back. */
			bench_stop(&b->node[2]);
			bench_run(b, dice(b, 3000) * MUSES_MS);
			bench_start(&b->node[2]);
		}
		break;
	case 8:
		for (unsigned i = 0; i < 5; i++)
			bench_replay(b);
		break;
	default:
		open_some(b);
		break;
	}
}

static void fair_weather(struct bench *b, bool relay)
{
	struct core_hub_weather fair = { .delay_ns = MUSES_MS };

	for (int i = 0; i < 2; i++)
		core_hub_set(b->hub, b->node[i].name,
		             relay ? b->node[2].name : b->node[!i].name, &fair);
	for (unsigned i = 0; i < b->pairs; i++)
		b->pair[i].opener.read_most = b->pair[i].acceptor.read_most = 0;
}

/* false: this history broke a promise. */
static bool live(uint64_t seed)
{
	struct bench b;
	bool relay, good;
	unsigned events;
	size_t lost;

	bench_open(&b, seed);
	relay = often(&b, 60);
	if (seed % 4 == 3)
		bench_use_noise(&b);
	if (relay)
		bench_with_relay(&b);
	else
		bench_pair_of_nodes(&b);
	events = 3 + (unsigned)dice(&b, 12);
	open_some(&b);
	for (unsigned i = 0; i < events; i++) {
		bench_run(&b, some_span(&b));
		something_happens(&b, relay);
	}
	fair_weather(&b, relay);
	good = bench_finish(&b, MINUTES(10));
	if (b.sealed_twice > 0) {
		tap_note("seed %llu: %u packets sealed twice under one number",
		         (unsigned long long)seed, b.sealed_twice);
		good = false;
	}
	if (getenv("HISTORY") != NULL)
		bench_dump(&b);
	lost = bench_close(&b);
	if (lost > 0) {
		tap_note("seed %llu: %zu buffers lost", (unsigned long long)seed, lost);
		good = false;
	}
	return good;
}

static uint64_t how_many(void)
{
	const char *preload = getenv("LD_PRELOAD");

	if (preload != NULL && strstr(preload, "vgpreload") != NULL)
		return 40;
#ifdef __SANITIZE_ADDRESS__
	return 200;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
	return 200;
#endif
#endif
	return 1000;
}

static void every_history_ends_well(void)
{
	const char *one = getenv("HISTORY"), *many = getenv("HISTORIES");
	uint64_t first = one != NULL ? strtoull(one, NULL, 10) : FIRST_SEED;
	uint64_t count = one != NULL    ? 1
	                 : many != NULL ? strtoull(many, NULL, 10)
	                                : how_many();
	unsigned failed = 0;
	uint64_t held;

	/* What the bench keeps for good is there from now on. */
	live(0);
	live(3);
	held = core_mem_count();
	for (uint64_t seed = first; seed < first + count && failed < 5; seed++) {
		if (live(seed))
			continue;
		tap_note("seed %llu failed; alone: HISTORY=%llu t_histories",
		         (unsigned long long)seed, (unsigned long long)seed);
		failed++;
	}
	CU_ASSERT_EQUAL(failed, 0);
	TAP_NOTE_IF(core_mem_count() != held, "%llu allocations left",
	            (unsigned long long)(core_mem_count() - held));
	CU_ASSERT_EQUAL(core_mem_count(), held);
	tap_note("%llu histories", (unsigned long long)count);
}

static const struct tap_test tests[] = {
	{ "every history ends with all bytes there, once", every_history_ends_well },
	TAP_END,
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, "histories", tests);
}
