/* SPDX-License-Identifier: Apache-2.0 */
/* srm at both ends of a path that is fast, slow, shallow, shaky or lossy. */
#include "tests/reliability_sim.h"
#include "tests/tap.h"

#include "plugins/reliability/srm/srm.h"

extern const struct muses_plugin srm_LTX_muses_plugin;

#define MBIT UINT64_C(1000000)

static void begin(struct sim *s, const struct sim_path *path, uint64_t seed)
{
	static struct srm_config config;

	sim_defaults(&srm_LTX_muses_plugin, &config);
	sim_open(s, &srm_ops, &config, path, seed);
}

/* Delivered during span_ns, in per cent of what the path can carry. */
static unsigned share(struct sim *s, struct sim_end *e, uint64_t span_ns)
{
	uint64_t before = e->delivered_bytes;

	sim_advance(s, span_ns);
	return (unsigned)((e->delivered_bytes - before) * 8 * 100 /
	                  (e->path.rate_bits / 1000 * (span_ns / MUSES_MS)));
}

static void fills_a_long_fat_path(void)
{
	static const struct {
		uint64_t rate_bits, delay_ns;
		uint32_t mtu;
		unsigned rounds, percent;
		const char *why;
	} row[] = {
		{ 1000 * MBIT, 50 * MUSES_MS, 60000, 10, 90, "1 Gbit/s, 100 ms" },
		{ 1000 * MBIT, 50 * MUSES_MS, 1200, 10, 90, "... in small packets" },
		{ 10000 * MBIT, 1 * MUSES_MS, 60000, 10, 90, "10 Gbit/s, 2 ms" },
		{ 40000 * MBIT, 50 * MUSES_US, 60000, 40, 90, "loopback" },
		{ 50 * MBIT, 20 * MUSES_MS, 60000, 10, 90, "50 Mbit/s, 40 ms" },
		{ 1 * MBIT, 20 * MUSES_MS, 60000, 20, 85, "1 Mbit/s, 40 ms" },
	};

	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct sim_path path = sim_wire(row[i].rate_bits, row[i].delay_ns);
		uint64_t rtt = 2 * row[i].delay_ns;
		struct sim s;
		unsigned percent;

		begin(&s, &path, 1);
		s.a.mtu = row[i].mtu;
		sim_write(&s.a, UINT64_MAX);
		sim_advance(&s, row[i].rounds * rtt);
		percent = share(&s, &s.a, 20 * rtt > MUSES_MS ? 20 * rtt : MUSES_MS);
		TAP_NOTE_IF(percent < row[i].percent, "%s: %u %% after %u round trips",
		            row[i].why, percent, row[i].rounds);
		CU_ASSERT(percent >= row[i].percent);
		CU_ASSERT_EQUAL(s.a.told_lost + s.a.probes, 0);
		sim_close(&s);
	}
}

static void marks_keep_the_queue_short(void)
{
	static const struct {
		uint64_t rate_bits, delay_ns, mark_bytes;
		uint32_t mtu;
		const char *why;
	} row[] = {
		{ 50 * MBIT, 20 * MUSES_MS, 65536, 60000, "50 Mbit/s, 40 ms" },
		{ 50 * MBIT, 20 * MUSES_MS, 30000, 1200, "... in small packets" },
		{ 50 * MBIT, 50 * MUSES_MS, 65536, 60000, "50 Mbit/s, 100 ms" },
		{ 200 * MBIT, 10 * MUSES_MS, 262144, 60000, "200 Mbit/s, 20 ms" },
	};

	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct sim_path path = sim_wire(row[i].rate_bits, row[i].delay_ns);
		uint64_t rtt = 2 * row[i].delay_ns;
		struct sim s;
		unsigned percent;

		path.mark_bytes = row[i].mark_bytes;
		begin(&s, &path, 1);
		s.a.mtu = row[i].mtu;
		sim_write(&s.a, UINT64_MAX);
		sim_advance(&s, 20 * rtt);
		s.a.queue_most_ns = 0;
		percent = share(&s, &s.a, 100 * rtt);
		TAP_NOTE_IF(s.a.queue_most_ns > rtt || percent < 85,
		            "%s: waits %u ms of a round trip of %u ms, carries %u %%",
		            row[i].why, (unsigned)(s.a.queue_most_ns / MUSES_MS),
		            (unsigned)(rtt / MUSES_MS), percent);
		CU_ASSERT(s.a.queue_most_ns <= rtt);
		CU_ASSERT(percent >= 85);
		CU_ASSERT_EQUAL(s.a.told_lost, 0);
		sim_close(&s);
	}
}

static void a_shallow_queue_costs_little(void)
{
	struct sim_path path = sim_wire(100 * MBIT, 10 * MUSES_MS);
	struct sim s;
	unsigned percent;

	path.queue_bytes = 250000; /* One round trip's worth. */
	begin(&s, &path, 1);
	s.a.mtu = 8000;
	sim_write(&s.a, UINT64_MAX);
	sim_advance(&s, MUSES_S);
	percent = share(&s, &s.a, 20 * MUSES_S);
	TAP_NOTE_IF(percent < 85, "%u %%", percent);
	CU_ASSERT(percent >= 85);
	CU_ASSERT(s.a.dropped > 0);
	CU_ASSERT_EQUAL(s.a.spurious, 0);
	CU_ASSERT_EQUAL(s.a.rehellos, 0);
	sim_close(&s);
}

static void what_is_late_is_not_lost(void)
{
	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct sim_path path = sim_wire(100 * MBIT, 5 * MUSES_MS);
		struct sim s;

		path.jitter_ns = 400 * MUSES_MS;
		begin(&s, &path, seed);
		sim_write(&s.a, 4000000);
		sim_write(&s.b, 1000000);
		sim_advance(&s, 120 * MUSES_S);
		TAP_NOTE_IF(s.a.told_lost + s.b.told_lost > 0, "seed %u", (unsigned)seed);
		CU_ASSERT_EQUAL(s.a.told_lost + s.b.told_lost, 0);
		CU_ASSERT_EQUAL(s.a.backlog + s.b.backlog, 0);
		sim_close(&s);
	}
}

static void a_lossy_path_is_used_well(void)
{
	static const struct {
		uint32_t loss_ppm;
		uint64_t jitter_ns;
		unsigned seconds, spurious;
		const char *why;
	} row[] = {
		{ 0, 0, 4, 0, "no loss at all" },
		{ 1000, 0, 6, 0, "one packet in a thousand" },
		{ 20000, 0, 30, 0, "one in fifty" },
		{ 0, 200 * MUSES_US, 6, 1, "some overtake others" },
		{ 200000, 5 * MUSES_MS, 240, 10, "a very bad day" },
	};

	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct sim_path path = sim_wire(100 * MBIT, 10 * MUSES_MS);
		struct sim s;

		path.lossy = path.overtake = true;
		path.loss_ppm = row[i].loss_ppm;
		path.jitter_ns = row[i].jitter_ns;
		path.queue_bytes = 500000;
		begin(&s, &path, i + 1);
		s.a.mtu = s.b.mtu = 1200;
		sim_write(&s.a, 10000000);
		sim_advance(&s, row[i].seconds * MUSES_S);
		TAP_NOTE_IF(s.a.backlog > 0, "%s: %u bytes are left", row[i].why,
		            (unsigned)s.a.backlog);
		CU_ASSERT_EQUAL(s.a.backlog, 0);
		TAP_NOTE_IF(s.a.spurious * 100 > s.a.sent_packets * row[i].spurious,
		            "%s: %u of %u spurious", row[i].why, (unsigned)s.a.spurious,
		            (unsigned)s.a.sent_packets);
		CU_ASSERT(s.a.spurious * 100 <= s.a.sent_packets * row[i].spurious);
		sim_close(&s);
	}
}

/* Paths that are cut and mended, move, mark, drop and delay: sim_close() and the
 * flow's side of it look at each fate. */
static void every_fate_is_told_once(void)
{
	for (uint64_t seed = 1; seed <= 150; seed++) {
		struct sim_path path = sim_wire(20 * MBIT, 10 * MUSES_MS);
		struct sim s;

		path.queue_bytes = 400000;
		path.mark_bytes = seed % 3 * 50000;
		path.loss_ppm = seed % 4 * 10000;
		path.lossy = seed % 4 > 1;
		path.overtake = path.lossy;
		path.jitter_ns = seed % 5 * 4 * MUSES_MS;
		begin(&s, &path, seed);
		s.a.mtu = s.b.mtu = 1000 + 7000 * (uint32_t)(seed % 7);
		for (int step = 0; step < 40; step++) {
			struct sim_end *e = sim_below(&s, 2) == 0 ? &s.a : &s.b;

			switch (sim_below(&s, 8)) {
			case 0:
				s.a.path.cut = true;
				break;
			case 1:
				s.a.path.cut = s.b.path.cut = false;
				sim_path_news(e, MUSES_PATH_UP);
				break;
			case 2:
				sim_path_news(e, MUSES_PATH_MOVED);
				break;
			case 3:
				sim_path_news(e, MUSES_PATH_DOWN);
				break;
			default:
				sim_write(e, sim_below(&s, 300000));
				break;
			}
			sim_advance(&s, sim_below(&s, 400 * MUSES_MS));
		}
		s.a.path.cut = s.b.path.cut = false;
		sim_path_news(&s.a, MUSES_PATH_UP);
		sim_path_news(&s.b, MUSES_PATH_UP);
		sim_advance(&s, 60 * MUSES_S);
		TAP_NOTE_IF(s.a.backlog + s.b.backlog + s.a.wrong + s.b.wrong > 0,
		            "seed %u: left %u and %u", (unsigned)seed,
		            (unsigned)s.a.backlog, (unsigned)s.b.backlog);
		CU_ASSERT_EQUAL(s.a.backlog + s.b.backlog, 0);
		CU_ASSERT_EQUAL(s.a.phase, MUSES_ESTABLISHED);
		sim_close(&s);
	}
}

static const struct tap_test tests[] = {
	{ "a bulk transfer fills a path within a few round trips",
	  fills_a_long_fat_path },
	{ "congestion marks keep the queue shorter than a round trip",
	  marks_keep_the_queue_short },
	{ "a relay with a shallow queue costs little", a_shallow_queue_costs_little },
	{ "on a path that keeps order a late packet is never called lost",
	  what_is_late_is_not_lost },
	{ "on a lossy path everything arrives in good time", a_lossy_path_is_used_well },
	{ "every packet's fate is told once, whatever the path does",
	  every_fate_is_told_once },
	TAP_END
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, "srm_path", tests);
}
