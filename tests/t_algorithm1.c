/* SPDX-License-Identifier: Apache-2.0 */
/* The paper's Algorithm 1 at both ends of a path. */
#include "tests/reliability_sim.h"
#include "tests/tap.h"

#include "core/mem.h"
#include "core/options.h"
#include "plugins/reliability/algorithm1/round.h"

#include <string.h>

extern const struct muses_plugin algorithm1_LTX_muses_plugin;

#define MS(span) ((span)*MUSES_MS)

/* As algorithm1.c has it: its options' offsets say so. */
static struct {
	uint32_t max_i, max_j, timeout_ms;
} config;

static void begin(struct sim *s, const struct sim_path *path)
{
	const struct muses_plugin *p = &algorithm1_LTX_muses_plugin;

	CU_ASSERT_EQUAL_FATAL(p->config_size, sizeof(config));
	sim_defaults(p, &config);
	sim_open(s, p->ops, &config, path, 3);
}

static void options_are_sane(void)
{
	const struct muses_plugin *p = &algorithm1_LTX_muses_plugin;
	char why[200] = "";

	CU_ASSERT_TRUE(core_options_sane(p->options, p->config_size, why, sizeof(why)));
}

static void it_sends_max_i_and_waits(void)
{
	struct sim_path path = sim_wire(0, MS(50));
	struct sim s;

	begin(&s, &path);
	s.a.mtu = 1000;
	sim_write(&s.a, UINT64_MAX);
	CU_ASSERT_EQUAL(s.a.sent_packets, 32);
	sim_advance(&s, MS(99));
	CU_ASSERT_EQUAL(s.a.sent_packets, 32);
	CU_ASSERT_EQUAL(s.b.sent_packets, 1); /* One acknowledgement of all. */
	sim_advance(&s, MS(2));
	CU_ASSERT_EQUAL(s.a.sent_packets, 64);
	sim_advance(&s, MS(100) * 10);
	CU_ASSERT_EQUAL(s.a.sent_packets, 64 + 320);
	sim_close(&s);
}

static void the_last_packet_of_all_is_answered_at_once(void)
{
	struct sim_path path = sim_wire(0, MS(50));
	struct sim s;

	begin(&s, &path);
	sim_write(&s.a, 1000);
	sim_advance(&s, MS(101));
	CU_ASSERT(s.a.delivered_bytes > 1000);
	CU_ASSERT_EQUAL(sim_next(&s), UINT64_MAX); /* And silence. */
	sim_close(&s);
}

static void what_a_relay_drops_goes_again_in_the_next_round(void)
{
	struct sim_path path = sim_wire(0, MS(50));
	struct sim s;

	begin(&s, &path);
	s.a.mtu = 1000;
	s.a.path.loss_ppm = 100000;
	sim_write(&s.a, 100000);
	sim_advance(&s, 60 * MUSES_S);
	CU_ASSERT_EQUAL(s.a.backlog, 0);
	CU_ASSERT(s.a.told_lost > 0);
	CU_ASSERT_EQUAL(s.a.spurious, 0);
	sim_close(&s);
}

static void silence_pauses_max_j_times_then_closes(void)
{
	struct sim_path path = sim_wire(0, MS(50));
	struct sim s;
	uint64_t from;

	begin(&s, &path);
	sim_write(&s.a, 1000);
	sim_advance(&s, MUSES_S);
	s.a.path.cut = true;
	from = sim_now(&s);
	sim_write(&s.a, 1000);
	sim_path_news(&s.a, MUSES_PATH_DOWN); /* Nobody listens. */
	sim_advance(&s, MS(999));
	CU_ASSERT_EQUAL(s.a.suspends, 0);
	sim_advance(&s, 9 * MUSES_S + MS(500));
	CU_ASSERT_EQUAL(s.a.suspends, 1);
	CU_ASSERT_EQUAL(s.a.rehellos, 10);
	for (unsigned i = 0; i < 10; i++)
		CU_ASSERT_EQUAL(s.a.rehello_ns[i] - from, (i + 1) * MUSES_S);
	CU_ASSERT_FALSE(s.a.closed);
	sim_advance(&s, MUSES_S);
	CU_ASSERT_TRUE(s.a.closed);
	CU_ASSERT_PTR_NOT_NULL_FATAL(s.a.why);
	CU_ASSERT_PTR_NOT_NULL(strstr(s.a.why, "max_j"));
	sim_close(&s);
}

static void an_answer_in_a_pause_resumes(void)
{
	struct sim_path path = sim_wire(0, MS(50));
	struct sim s;

	begin(&s, &path);
	for (int outage = 0; outage < 3; outage++) { /* j begins anew each time. */
		uint64_t before = s.a.rehellos;

		s.a.path.cut = true;
		sim_write(&s.a, 100000);
		sim_advance(&s, MS(8500));
		CU_ASSERT_EQUAL(s.a.phase, MUSES_SUSPENDED);
		CU_ASSERT_EQUAL(s.a.rehellos - before, 8);
		s.a.path.cut = false;
		sim_advance(&s, 2 * MUSES_S);
		CU_ASSERT_EQUAL(s.a.phase, MUSES_ESTABLISHED);
		CU_ASSERT_EQUAL(s.a.backlog, 0);
		CU_ASSERT_EQUAL(sim_next(&s), UINT64_MAX);
	}
	sim_close(&s);
}

static void without_memory_nothing_breaks(void)
{
	struct round r = { 0 };

	core_mem_fuse(1);
	CU_ASSERT_EQUAL(algorithm1_round_sent(&r, 0), MUSES_ENOMEM);
	core_mem_fuse(0);
	CU_ASSERT_EQUAL(r.taken, 0);
	CU_ASSERT_EQUAL(algorithm1_round_sent(&r, 0), 0);
	algorithm1_round_release(&r);
	algorithm1_round_release(&r);
}

static const struct tap_test tests[] = {
	{ "the options are well-formed", options_are_sane },
	{ "Max_i packets go, then none until all are acknowledged",
	  it_sends_max_i_and_waits },
	{ "a last packet is answered at once, and then there is silence",
	  the_last_packet_of_all_is_answered_at_once },
	{ "what a relay drops goes again in the next round",
	  what_a_relay_drops_goes_again_in_the_next_round },
	{ "silence pauses the session Max_j times, then closes it",
	  silence_pauses_max_j_times_then_closes },
	{ "an answer in a pause resumes the session, and j begins anew",
	  an_answer_in_a_pause_resumes },
	{ "a round that finds no memory is unchanged", without_memory_nothing_breaks },
	TAP_END
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, "algorithm1", tests);
}
