/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/tap.h"

#include "plugins/reliability/srm/acks.h"

#define NOW   UINT64_C(1000)
#define DELAY UINT64_C(50)
#define LATER (NOW + DELAY)
#define NEVER UINT64_MAX

static void each_packet_has_its_answer(void)
{
	enum { COUNTS = 1, GAP = 2, LAST = 4, LOSSY = 8, MARKED = 16, SENT = 32 };
	static const struct {
		int packet;
		uint64_t due;
		const char *why;
	} step[] = {
		{ 0, NEVER, "an acknowledgement alone is not acknowledged" },
		{ LAST, NEVER, "... whatever it says" },
		{ COUNTS, LATER, "one packet: wait for company" },
		{ COUNTS, 0, "the second of a young session" },
		{ SENT, NEVER, "said" },
		{ COUNTS, LATER, "one more" },
		{ SENT, NEVER, "said" },
		{ COUNTS | LAST, 0, "the sender has no more" },
		{ SENT, NEVER, "said" },
		{ COUNTS | GAP, 0, "something is missing" },
		{ SENT, NEVER, "said" },
		{ COUNTS, LATER, "... once, where order holds" },
		{ SENT, NEVER, "said" },
		{ GAP, NEVER, "missing below what does not count" },
		{ COUNTS, 0, "... is told with the next that does" },
		{ SENT, NEVER, "said" },
		{ COUNTS | MARKED, 0, "marks begin" },
		{ SENT, NEVER, "said" },
		{ COUNTS | MARKED, LATER, "marks go on" },
		{ SENT, NEVER, "said" },
		{ COUNTS, LATER, "marks end" },
		{ SENT, NEVER, "said" },
		{ COUNTS | GAP | LOSSY, 0, "missing where packets overtake" },
		{ SENT, NEVER, "said" },
		{ COUNTS | LOSSY, 0, "the sender waits for three: second" },
		{ SENT, NEVER, "said" },
		{ COUNTS | LOSSY, 0, "third" },
		{ SENT, NEVER, "said" },
		{ COUNTS | LOSSY, LATER, "enough" },
	};
	struct acks a;

	srm_acks_init(&a, 8, DELAY);
	CU_ASSERT_EQUAL(a.due_ns, NEVER);
	for (size_t i = 0; i < sizeof(step) / sizeof(step[0]); i++) {
		int p = step[i].packet;
		struct acks_packet packet = { p & COUNTS, p & GAP, p & LAST, p & LOSSY,
			                      p & MARKED };

		if (p == SENT)
			srm_acks_sent(&a);
		else
			srm_acks_received(&a, NOW, packet);
		TAP_NOTE_IF(a.due_ns != step[i].due, "step %zu: %s", i, step[i].why);
		CU_ASSERT_EQUAL(a.due_ns, step[i].due);
	}
	srm_acks_clear(&a);
	CU_ASSERT_EQUAL(a.due_ns, NEVER);
}

static unsigned acks_for(struct acks *a, unsigned packets)
{
	struct acks_packet packet = { .counts = true };
	unsigned acks = 0;

	for (unsigned i = 0; i < packets; i++) {
		srm_acks_received(a, NOW, packet);
		if (a->due_ns == 0) {
			srm_acks_sent(a);
			acks++;
		}
	}
	return acks;
}

static void a_young_session_is_answered_more_often(void)
{
	struct acks a;

	srm_acks_init(&a, 8, DELAY);
	CU_ASSERT_EQUAL(acks_for(&a, 16), 8);
	(void)acks_for(&a, 1000);
	srm_acks_sent(&a);
	CU_ASSERT_EQUAL(acks_for(&a, 800), 100);
	srm_acks_clear(&a);
	CU_ASSERT_EQUAL(acks_for(&a, 16), 8);
	srm_acks_init(&a, 1, DELAY);
	CU_ASSERT_EQUAL(acks_for(&a, 16), 16);
}

static const struct tap_test tests[] = {
	{ "each kind of packet is acknowledged when it should be",
	  each_packet_has_its_answer },
	{ "a young session is answered more often",
	  a_young_session_is_answered_more_often },
	TAP_END
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, "srm_acks", tests);
}
