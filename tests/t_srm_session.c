/* SPDX-License-Identifier: Apache-2.0 */
/* srm as a plugin: options, suspension and resumption between two ends, and what
 * a session costs when nothing happens. */
#include "tests/reliability_sim.h"
#include "tests/tap.h"

#include "core/mem.h"
#include "core/options.h"
#include "plugins/reliability/srm/srm.h"

#include <string.h>

extern const struct muses_plugin srm_LTX_muses_plugin;

#define MS(span) ((span)*MUSES_MS)

static struct srm_config config;

/* 10 ms there, 10 ms back. */
static void begin(struct sim *s)
{
	struct sim_path path = sim_wire(0, MS(10));

	sim_defaults(&srm_LTX_muses_plugin, &config);
	sim_open(s, &srm_ops, &config, &path, 7);
	sim_write(&s->a, 1000);
	sim_write(&s->b, 1000);
	sim_advance(s, MS(200));
	CU_ASSERT(s->a.delivered_bytes > 1000);
}

static void cut(struct sim *s, bool off)
{
	s->a.path.cut = s->b.path.cut = off;
}

static void options_make_sense(void)
{
	static const struct {
		uint32_t rehello_ms, rehello_max_ms, least, initial, most;
		const char *key;
	} row[] = {
		{ 500, 30000, 16384, 262144, 67108864, NULL },
		{ 500, 499, 16384, 262144, 67108864, "rehello_max_ms" },
		{ 500, 500, 300000, 262144, 67108864, "window_initial" },
		{ 500, 500, 16384, 262144, 262143, "window_most" },
	};
	const struct muses_plugin *p = &srm_LTX_muses_plugin;
	char why[200] = "";

	CU_ASSERT_TRUE(core_options_sane(p->options, p->config_size, why, sizeof(why)));
	TAP_NOTE_IF(why[0] != '\0', "%s", why);
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct srm_config c;
		int err;

		sim_defaults(p, &c);
		c.rehello_ms = row[i].rehello_ms;
		c.rehello_max_ms = row[i].rehello_max_ms;
		c.window_least = row[i].least;
		c.window_initial = row[i].initial;
		c.window_most = row[i].most;
		err = p->check(&c, why, sizeof(why));
		CU_ASSERT_EQUAL(err, row[i].key == NULL ? 0 : MUSES_ECONFIG);
		if (row[i].key != NULL)
			CU_ASSERT_PTR_EQUAL(strstr(why, row[i].key), why);
	}
}

static void an_idle_session_is_silent(void)
{
	struct sim s;
	uint64_t sent;

	begin(&s);
	sim_advance(&s, 2 * MUSES_S);
	sent = s.a.sent_packets + s.b.sent_packets;
	CU_ASSERT_EQUAL(sim_next(&s), UINT64_MAX);
	sim_advance(&s, 30 * 86400 * MUSES_S);
	CU_ASSERT_EQUAL(s.a.sent_packets + s.b.sent_packets, sent);
	CU_ASSERT_EQUAL(s.a.phase, MUSES_ESTABLISHED);
	sim_write(&s.a, 1000);
	sim_advance(&s, MS(50));
	CU_ASSERT_EQUAL(sim_next(&s), UINT64_MAX);
	sim_close(&s);
}

static void an_idle_session_costs_little(void)
{
	struct sim s;
	const struct srm_session *session;
	size_t bytes;

	begin(&s);
	sim_write(&s.a, 100000000); /* Many packets are in flight ... */
	sim_advance(&s, 30 * MUSES_S);
	CU_ASSERT_EQUAL(s.a.backlog, 0);
	session = s.a.state;
	bytes = sizeof(*session) + session->sent.capacity * sizeof(struct sent_record);
	TAP_NOTE_IF(bytes > 1024, "%zu bytes, %zu without the ring", bytes,
	            sizeof(*session));
	CU_ASSERT(bytes <= 1024); /* ... and afterwards none. */
	CU_ASSERT_EQUAL(session->sent.capacity, SENT_LEAST);
	CU_ASSERT_EQUAL(sim_next(&s), UINT64_MAX);
	sim_close(&s);
}

static void sessions_give_back_all_they_took(void)
{
	uint64_t before = core_mem_count();
	struct sim s;

	begin(&s);
	sim_write(&s.a, UINT64_MAX);
	sim_advance(&s, MS(500));
	sim_close(&s);
	CU_ASSERT_EQUAL(core_mem_count(), before);
}

static void without_memory_nothing_breaks(void)
{
	struct muses_layer layer = { .self = &config };
	void *state = NULL;
	struct sim s;

	begin(&s);
	layer.env = &s.env;
	core_mem_fuse(1);
	CU_ASSERT_EQUAL(srm_ops.session_open(&layer, NULL, &state), MUSES_ENOMEM);
	CU_ASSERT_PTR_NULL(state);
	core_mem_fuse(0);
	sim_close(&s);
}

static void a_silent_outage_is_survived(void)
{
	static const unsigned wait_ms[] = { 500,  1000,  2000,  4000,
		                            8000, 16000, 30000, 30000 };
	struct sim s;
	uint64_t down, up;

	begin(&s);
	cut(&s, true);
	down = sim_now(&s);
	sim_write(&s.a, 5000);
	sim_advance(&s, MS(450));
	CU_ASSERT_EQUAL(s.a.probes, 1);
	CU_ASSERT_EQUAL(s.a.rehellos, 0);
	sim_advance(&s, MS(100));
	CU_ASSERT_EQUAL(s.a.phase, MUSES_SUSPECTED);
	sim_advance(&s, 10 * 60 * MUSES_S);
	CU_ASSERT_EQUAL(s.a.phase, MUSES_SUSPENDED);
	CU_ASSERT_EQUAL(s.a.suspends, 1);
	CU_ASSERT_EQUAL(s.a.rehello_ns[0] - down, MS(500));
	CU_ASSERT_EQUAL(s.a.suspend_ns - s.a.rehello_ns[0], MUSES_S);
	for (size_t i = 0; i < sizeof(wait_ms) / sizeof(wait_ms[0]); i++) {
		uint64_t wait = s.a.rehello_ns[i + 1] - s.a.rehello_ns[i];

		CU_ASSERT(wait <= MS(wait_ms[i]));
		CU_ASSERT(wait >= MS(wait_ms[i]) * 8 / 10);
	}
	CU_ASSERT_EQUAL(s.b.phase, MUSES_ESTABLISHED); /* It wanted nothing. */

	cut(&s, false);
	up = s.a.rehellos;
	sim_advance(&s, 31 * MUSES_S); /* Nobody told: the next attempt finds out. */
	CU_ASSERT(s.a.rehellos <= up + 1);
	CU_ASSERT_EQUAL(s.a.phase, MUSES_ESTABLISHED);
	CU_ASSERT_EQUAL(s.a.backlog, 0);
	CU_ASSERT_EQUAL(sim_next(&s), UINT64_MAX);
	sim_close(&s);
}

static void news_of_the_path_save_the_wait(void)
{
	struct sim s;
	uint64_t up;

	begin(&s);
	cut(&s, true);
	sim_path_news(&s.a, MUSES_PATH_DOWN);
	CU_ASSERT_EQUAL(s.a.phase, MUSES_SUSPENDED);
	sim_path_news(&s.b, MUSES_PATH_DOWN);
	CU_ASSERT_EQUAL(s.b.phase, MUSES_SUSPENDED);
	s.a.backlog = 5000;
	sim_advance(&s, 86400 * MUSES_S);
	cut(&s, false);
	up = sim_now(&s);
	sim_path_news(&s.a, MUSES_PATH_UP);
	sim_advance(&s, MS(41)); /* Two round trips: keys, then data. */
	CU_ASSERT_EQUAL(s.a.phase, MUSES_ESTABLISHED);
	CU_ASSERT_EQUAL(s.a.backlog, 0);
	CU_ASSERT(s.a.delivered_bytes >= 6000);
	CU_ASSERT_EQUAL(sim_now(&s) - up, MS(41));
	sim_close(&s);
}

static void a_move_costs_one_round_trip(void)
{
	struct sim s;

	begin(&s);
	sim_write(&s.a, 20000000);
	sim_advance(&s, MS(55));
	s.a.path.delay_ns = s.b.path.delay_ns = MS(30);
	sim_path_news(&s.a, MUSES_PATH_MOVED);
	CU_ASSERT_EQUAL(s.a.phase, MUSES_SUSPECTED);
	CU_ASSERT_EQUAL(s.a.rehellos, 1);
	sim_advance(&s, MS(61));
	CU_ASSERT_EQUAL(s.a.phase, MUSES_ESTABLISHED);
	CU_ASSERT_EQUAL(s.a.suspends, 0);
	sim_advance(&s, 10 * MUSES_S);
	CU_ASSERT_EQUAL(s.a.backlog, 0);
	CU_ASSERT_EQUAL(s.a.rehellos, 1);
	sim_close(&s);
}

static void a_new_generation_knows_nothing_of_the_old(void)
{
	struct sim s;
	const struct srm_session *session;

	begin(&s);
	session = s.a.state;
	cut(&s, true);
	sim_write(&s.a, 2000000);
	CU_ASSERT(session->sent.waiting > 0);
	CU_ASSERT(srm_ops.sendable(s.a.state) < 60000);
	sim_path_news(&s.a, MUSES_PATH_DOWN);
	CU_ASSERT_EQUAL(session->sent.waiting, 0);
	CU_ASSERT_EQUAL(session->sent.capacity, 0);
	CU_ASSERT_EQUAL(srm_ops.sendable(s.a.state), 0);
	CU_ASSERT_EQUAL(srm_ops.ack_due(s.a.state), UINT64_MAX);
	s.a.backlog = 0;
	srm_ops.rehello_answered(s.a.state, MS(70));
	s.a.seq = 0;
	s.a.phase = MUSES_ESTABLISHED;
	srm_ops.phase(s.a.state, MUSES_ESTABLISHED);
	CU_ASSERT(srm_ops.sendable(s.a.state) >= 200000);
	CU_ASSERT_EQUAL(session->rtt.smooth_ns, MS(70));
	CU_ASSERT_EQUAL(session->loss.any, false);
	sim_close(&s);
}

static void it_gives_up_when_told_to(void)
{
	struct sim s;

	begin(&s);
	config.give_up_s = 60;
	((struct srm_session *)s.a.state)->patience.give_up_s = 60;
	cut(&s, true);
	sim_path_news(&s.a, MUSES_PATH_DOWN);
	sim_advance(&s, 59 * MUSES_S);
	CU_ASSERT_FALSE(s.a.closed);
	sim_advance(&s, MUSES_S);
	CU_ASSERT_TRUE(s.a.closed);
	CU_ASSERT_PTR_NOT_NULL_FATAL(s.a.why);
	CU_ASSERT_PTR_NOT_NULL(strstr(s.a.why, "give_up_s"));
	sim_close(&s);
}

static void status_shows_what_it_knows(void)
{
	static const char *const member[] = { "rtt_ms",       "rtt_min_ms",
		                              "window_bytes", "in_flight_bytes",
		                              "lost",         "spurious",
		                              "probes",       "rehellos",
		                              "lossy" };
	json_t *object = json_object();
	struct sim s;

	begin(&s);
	srm_ops.info(s.a.state, object);
	for (size_t i = 0; i < sizeof(member) / sizeof(member[0]); i++)
		CU_ASSERT_PTR_NOT_NULL(json_object_get(object, member[i]));
	CU_ASSERT(json_real_value(json_object_get(object, "rtt_min_ms")) >= 20.0);
	CU_ASSERT(json_real_value(json_object_get(object, "rtt_min_ms")) < 26.0);
	json_decref(object);
	sim_close(&s);
}

static const struct tap_test tests[] = {
	{ "options that contradict each other are refused by name", options_make_sense },
	{ "an idle session sends nothing and waits for nothing, for a month",
	  an_idle_session_is_silent },
	{ "an idle session costs less than 1 KiB", an_idle_session_costs_little },
	{ "a session gives back all it took", sessions_give_back_all_they_took },
	{ "a session that finds no memory leaves nothing behind",
	  without_memory_nothing_breaks },
	{ "a silent outage is suspected, suspends, and ends with the next attempt",
	  a_silent_outage_is_survived },
	{ "a path that is back after a day resumes within a round trip",
	  news_of_the_path_save_the_wait },
	{ "a path that moves costs one round trip and no suspension",
	  a_move_costs_one_round_trip },
	{ "a new generation knows nothing of the old one's packets",
	  a_new_generation_knows_nothing_of_the_old },
	{ "give_up_s closes the session with a sentence", it_gives_up_when_told_to },
	{ "status shows round trip, window and counts", status_shows_what_it_knows },
	TAP_END
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, "srm_session", tests);
}
