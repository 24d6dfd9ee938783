/* SPDX-License-Identifier: Apache-2.0 */
/* The ratchet: steps of one generation, whichever packets are lost or late. */
#include "core/traffic.h"

#include "core/mem.h"
#include "core/pool.h"
#include "tests/suites.h"
#include "tests/tap.h"

enum { INDEX = 99, ROOM = 256 };
enum { SENDING = 0, RECEIVING = 1 };

static const struct muses_id lower = { { 1 } }, higher = { { 2 } };
static const uint8_t secret[2][CORE_SECRET_SIZE] = { { 'l', 'o', 'w' }, { 'h', 'i' } };
static const uint8_t session_id[CORE_SESSID_SIZE] = "session id of 16";

struct pair {
	struct core_pool *pool;
	struct core_traffic a, b;
};

static int open_one(struct core_traffic *t, enum core_way way)
{
	bool is_a = way == CORE_FROM_LOWER;

	return core_traffic_open(t, suites_named("aes_256_gcm"), 1, way, secret,
	                         session_id, is_a ? &lower : &higher,
	                         is_a ? &higher : &lower);
}

static void open_pair(struct pair *p)
{
	p->pool = core_pool_open(1 << 20);
	CU_ASSERT_PTR_NOT_NULL_FATAL(p->pool);
	CU_ASSERT_EQUAL(open_one(&p->a, CORE_FROM_LOWER), 0);
	CU_ASSERT_EQUAL(open_one(&p->b, CORE_FROM_HIGHER), 0);
}

static void close_pair(struct pair *p)
{
	core_traffic_release(&p->a);
	core_traffic_release(&p->b);
	CU_ASSERT_EQUAL(core_pool_close(p->pool), 0);
}

static struct muses_buf *seal(struct pair *p, struct core_traffic *from)
{
	struct muses_buf *b = core_buf_new(p->pool, MUSES_HEADROOM, ROOM);
	struct iovec iov = { (char[]){ "text" }, 4 };
	uint64_t sequence;

	CU_ASSERT_PTR_NOT_NULL_FATAL(b);
	CU_ASSERT_EQUAL(core_traffic_seal(from, INDEX, &iov, 1, 4, b, &sequence, 0), 0);
	return b;
}

/* Takes b over. */
static enum core_opened unseal(struct core_traffic *to, struct muses_buf *b,
                               uint64_t now_ns)
{
	enum core_opened opened = CORE_NOT_AUTHENTIC;
	struct core_packet h;

	if (core_packet_get(&h, b->data, b->size))
		opened = core_traffic_unseal(to, &h, b, now_ns);
	muses_buf_free(b);
	return opened;
}

static void ratchet(struct core_traffic *t)
{
	CU_ASSERT_EQUAL(core_traffic_ratchet(t, 0), 0);
}

static void the_receiver_follows_each_step(void)
{
	struct pair p;
	uint8_t first[CORE_SECRET_SIZE];

	open_pair(&p);
	memcpy(first, p.a.send.secret, sizeof(first));
	for (uint32_t step = 1; step < 5; step++) {
		ratchet(&p.a);
		CU_ASSERT_EQUAL(p.a.send.step, step);
		CU_ASSERT_EQUAL(p.a.send.packets, 0);
		CU_ASSERT_EQUAL(unseal(&p.b, seal(&p, &p.a), 0), CORE_OPENED_NEW_STEP);
		CU_ASSERT_EQUAL(unseal(&p.b, seal(&p, &p.a), 0), CORE_OPENED);
		CU_ASSERT_EQUAL(p.b.receive.step, step);
		CU_ASSERT_EQUAL(memcmp(p.a.send.secret, p.b.receive.secret, 32), 0);
		CU_ASSERT_NOT_EQUAL(memcmp(p.a.send.secret, first, 32), 0);
		/* The other way has steps of its own. */
		CU_ASSERT_EQUAL(unseal(&p.a, seal(&p, &p.b), 0), CORE_OPENED);
		CU_ASSERT_EQUAL(p.b.send.step, 0);
	}
	/* Numbers go on over steps. */
	CU_ASSERT_EQUAL(p.a.sequence, 8);
	close_pair(&p);
}

static void late_packets_of_the_step_before_are_opened_for_5_s(void)
{
	static const struct {
		uint64_t at_ns;
		bool expire;
		enum core_opened opened;
	} row[] = {
		{ 0, false, CORE_OPENED },
		{ 5 * MUSES_S - 1, true, CORE_OPENED },
		{ 5 * MUSES_S, false, CORE_NOT_STEP },
		{ 5 * MUSES_S, true, CORE_NOT_STEP },
	};

	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		const uint64_t start = 7 * MUSES_S;
		struct muses_buf *late;
		struct pair p;

		open_pair(&p);
		late = seal(&p, &p.a);
		CU_ASSERT_EQUAL(core_traffic_expire(&p.b, start), UINT64_MAX);
		ratchet(&p.a);
		CU_ASSERT_EQUAL(unseal(&p.b, seal(&p, &p.a), start),
		                CORE_OPENED_NEW_STEP);
		if (row[i].expire) {
			bool over = row[i].opened != CORE_OPENED;
			uint64_t next = core_traffic_expire(&p.b, start + row[i].at_ns);

			CU_ASSERT_EQUAL(next, over ? UINT64_MAX : start + 5 * MUSES_S);
			CU_ASSERT_EQUAL(p.b.late == NULL, over);
		}
		CU_ASSERT_EQUAL(unseal(&p.b, late, start + row[i].at_ns), row[i].opened);
		CU_ASSERT_EQUAL(unseal(&p.b, seal(&p, &p.a), start + row[i].at_ns),
		                CORE_OPENED);
		close_pair(&p);
	}
}

static void two_steps_back_are_forgotten(void)
{
	struct muses_buf *late;
	struct pair p;

	open_pair(&p);
	late = seal(&p, &p.a);
	for (int i = 0; i < 2; i++) {
		ratchet(&p.a);
		CU_ASSERT_EQUAL(unseal(&p.b, seal(&p, &p.a), 0), CORE_OPENED_NEW_STEP);
	}
	CU_ASSERT_EQUAL(unseal(&p.b, late, 0), CORE_NOT_STEP);
	close_pair(&p);
}

static void two_steps_ahead_are_refused_without_deriving_keys(void)
{
	struct core_traffic before;
	struct muses_buf *one;
	struct pair p;
	uint64_t allocations;

	open_pair(&p);
	ratchet(&p.a);
	one = seal(&p, &p.a);
	ratchet(&p.a);
	before = p.b;
	{
		struct muses_buf *two = seal(&p, &p.a);
		struct core_packet h;

		CU_ASSERT(core_packet_get(&h, two->data, two->size));
		allocations = core_mem_total();
		CU_ASSERT_EQUAL(core_traffic_unseal(&p.b, &h, two, 0), CORE_NOT_STEP);
		CU_ASSERT_EQUAL(core_mem_total(), allocations);
		muses_buf_free(two);
	}
	CU_ASSERT_EQUAL(memcmp(&p.b, &before, sizeof(before)), 0);
	/* The lost step arrives after all, and then the next. */
	CU_ASSERT_EQUAL(unseal(&p.b, one, 0), CORE_OPENED_NEW_STEP);
	CU_ASSERT_EQUAL(unseal(&p.b, seal(&p, &p.a), 0), CORE_OPENED_NEW_STEP);
	close_pair(&p);
}

/* Every packet of step 1 is lost: the sender stays there until one is not. */
static void a_step_that_is_lost_whole_is_waited_for(void)
{
	struct pair p;

	open_pair(&p);
	muses_buf_free(seal(&p, &p.a));
	ratchet(&p.a);
	for (int i = 0; i < 100; i++) {
		muses_buf_free(seal(&p, &p.a));
		CU_ASSERT(!core_traffic_ripe(&p.a, 0, 1000 * MUSES_S));
	}
	CU_ASSERT_EQUAL(unseal(&p.b, seal(&p, &p.a), 0), CORE_OPENED_NEW_STEP);
	core_traffic_acknowledged(&p.a, p.a.sequence - 1);
	CU_ASSERT(core_traffic_ripe(&p.a, 0, 1000 * MUSES_S));
	close_pair(&p);
}

static void a_forged_step_changes_nothing(void)
{
	struct core_traffic before;
	struct muses_buf *forged;
	struct pair p;
	uint64_t out;

	open_pair(&p);
	ratchet(&p.a);
	forged = seal(&p, &p.a);
	forged->data[forged->size - 1] ^= 1;
	before = p.b;
	out = core_mem_count();
	CU_ASSERT_EQUAL(unseal(&p.b, forged, 0), CORE_NOT_AUTHENTIC);
	CU_ASSERT(core_mem_count() <= out); /* The candidate is gone. */
	CU_ASSERT_EQUAL(p.b.failed, 1);
	before.failed = 1;
	CU_ASSERT_EQUAL(memcmp(&p.b, &before, sizeof(before)), 0);
	CU_ASSERT_EQUAL(unseal(&p.b, seal(&p, &p.a), 0), CORE_OPENED_NEW_STEP);
	close_pair(&p);
}

/* The header has room for 1024 steps. */
static void steps_go_on_after_1023(void)
{
	struct muses_buf *late = NULL;
	struct pair p;

	open_pair(&p);
	for (uint32_t step = 1; step <= 1026; step++) {
		struct muses_buf *b;
		struct core_packet h = { 0 };

		muses_buf_free(late);
		late = seal(&p, &p.a);
		ratchet(&p.a);
		b = seal(&p, &p.a);
		CU_ASSERT(core_packet_get(&h, b->data, b->size));
		if ((h.epoch & 1023) != step % 1024 ||
		    unseal(&p.b, b, 0) != CORE_OPENED_NEW_STEP) {
			TAP_NOTE_IF(true, "step %u", (unsigned)step);
			CU_FAIL("the receiver did not follow");
			break;
		}
		if (step >= 1023) {
			CU_ASSERT_EQUAL(unseal(&p.b, late, 0), CORE_OPENED);
			late = NULL;
		}
	}
	CU_ASSERT_EQUAL(p.b.receive.step, 1026);
	muses_buf_free(late);
	close_pair(&p);
}

/* ---- KEYSTEP ------------------------------------------------------------------------
 */

static void give_extra(struct core_traffic *t, int half, uint8_t first)
{
	memset(t->keystep[half], 0, CORE_SECRET_SIZE);
	t->keystep[half][0] = first;
	t->keystep_due[half] = true;
}

static void a_keystep_is_mixed_into_the_next_step(void)
{
	static const uint8_t zero[CORE_SECRET_SIZE];
	struct muses_buf *b;
	struct core_packet h = { 0 };
	struct pair p;

	open_pair(&p);
	muses_buf_free(seal(&p, &p.a));
	give_extra(&p.a, SENDING, 8);
	give_extra(&p.b, RECEIVING, 8);
	ratchet(&p.a);
	CU_ASSERT(!p.a.keystep_due[SENDING]);
	CU_ASSERT_EQUAL(memcmp(p.a.keystep[SENDING], zero, sizeof(zero)), 0);
	b = seal(&p, &p.a);
	CU_ASSERT(core_packet_get(&h, b->data, b->size));
	CU_ASSERT_EQUAL(h.flags, CORE_FLAG_KEYSTEP);
	CU_ASSERT_EQUAL(unseal(&p.b, b, 0), CORE_OPENED_NEW_STEP);
	CU_ASSERT(!p.b.keystep_due[RECEIVING]);
	CU_ASSERT_EQUAL(memcmp(p.b.keystep[RECEIVING], zero, sizeof(zero)), 0);
	CU_ASSERT_EQUAL(unseal(&p.b, seal(&p, &p.a), 0), CORE_OPENED);
	/* The step after it is an ordinary one. */
	ratchet(&p.a);
	b = seal(&p, &p.a);
	CU_ASSERT(core_packet_get(&h, b->data, b->size));
	CU_ASSERT_EQUAL(h.flags, 0);
	CU_ASSERT_EQUAL(unseal(&p.b, b, 0), CORE_OPENED_NEW_STEP);
	close_pair(&p);
}

static void both_sides_need_the_same_keystep(void)
{
	static const struct {
		uint8_t sender, receiver; /* 0: none. */
		bool flag;                /* Flipped on its way. */
		enum core_opened opened;
		const char *why;
	} row[] = {
		{ 0, 0, false, CORE_OPENED_NEW_STEP, "none" },
		{ 8, 8, false, CORE_OPENED_NEW_STEP, "the same" },
		{ 8, 0, false, CORE_NOT_STEP, "the receiver has none" },
		{ 8, 9, false, CORE_NOT_AUTHENTIC, "another" },
		{ 0, 8, false, CORE_OPENED_NEW_STEP, "the sender does not use it yet" },
		{ 8, 8, true, CORE_NOT_AUTHENTIC, "the flag was taken off" },
		{ 0, 8, true, CORE_NOT_AUTHENTIC, "the flag was put on" },
	};

	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		enum core_opened opened;
		struct muses_buf *b;
		struct pair p;

		open_pair(&p);
		if (row[i].sender != 0)
			give_extra(&p.a, SENDING, row[i].sender);
		if (row[i].receiver != 0)
			give_extra(&p.b, RECEIVING, row[i].receiver);
		ratchet(&p.a);
		b = seal(&p, &p.a);
		b->data[CORE_HEADER_FLAGS + 1] ^= row[i].flag;
		opened = unseal(&p.b, b, 0);
		TAP_NOTE_IF(opened != row[i].opened, "row %zu: %s", i, row[i].why);
		CU_ASSERT_EQUAL(opened, row[i].opened);
		/* Kept until the step that was made with it. */
		CU_ASSERT_EQUAL(
			p.b.keystep_due[RECEIVING],
			row[i].receiver != 0 &&
				!(row[i].sender != 0 && opened == CORE_OPENED_NEW_STEP));
		close_pair(&p);
	}
}

/* ---- memory -------------------------------------------------------------------------
 */

static void without_memory_nothing_changes_and_nothing_leaks(void)
{
	static const struct core_traffic zero;
	uint64_t out = core_mem_count();
	struct core_traffic t, before;
	struct muses_buf *b;
	struct pair p;
	int err = MUSES_ENOMEM;

	for (uint64_t nth = 1; err != 0; nth++) {
		core_mem_fuse(nth);
		err = open_one(&t, CORE_FROM_LOWER);
		if (err != 0) {
			CU_ASSERT_EQUAL(err, MUSES_ENOMEM);
			CU_ASSERT_EQUAL(memcmp(&t, &zero, sizeof(t)), 0);
			CU_ASSERT_EQUAL(core_mem_count(), out);
		}
	}
	core_mem_fuse(0);
	core_traffic_release(&t);
	CU_ASSERT_EQUAL(memcmp(&t, &zero, sizeof(t)), 0);
	CU_ASSERT_EQUAL(core_mem_count(), out);

	open_pair(&p);
	before = p.a;
	core_mem_fuse(1);
	CU_ASSERT_EQUAL(core_traffic_ratchet(&p.a, 1), MUSES_ENOMEM);
	core_mem_fuse(0);
	CU_ASSERT_EQUAL(memcmp(&p.a, &before, sizeof(before)), 0);
	ratchet(&p.a);
	b = seal(&p, &p.a);
	before = p.b;
	core_mem_fuse(1);
	CU_ASSERT_EQUAL(unseal(&p.b, b, 0), CORE_NOT_AUTHENTIC);
	CU_ASSERT(core_mem_blown());
	core_mem_fuse(0);
	CU_ASSERT_EQUAL(memcmp(&p.b, &before, sizeof(before)), 0);
	CU_ASSERT_EQUAL(unseal(&p.b, seal(&p, &p.a), 0), CORE_OPENED_NEW_STEP);
	close_pair(&p);
	CU_ASSERT_EQUAL(core_mem_count(), out);
}

static const struct tap_test tests[] = {
	{ "the receiver follows each step", the_receiver_follows_each_step },
	{ "late packets of the step before are opened for 5 s",
	  late_packets_of_the_step_before_are_opened_for_5_s },
	{ "two steps back are forgotten", two_steps_back_are_forgotten },
	{ "two steps ahead are refused without deriving keys",
	  two_steps_ahead_are_refused_without_deriving_keys },
	{ "a step that is lost whole is waited for",
	  a_step_that_is_lost_whole_is_waited_for },
	{ "a forged step changes nothing", a_forged_step_changes_nothing },
	{ "steps go on after 1023", steps_go_on_after_1023 },
	{ "a KEYSTEP is mixed into the next step",
	  a_keystep_is_mixed_into_the_next_step },
	{ "both sides need the same KEYSTEP", both_sides_need_the_same_keystep },
	{ "without memory nothing changes and nothing leaks",
	  without_memory_nothing_changes_and_nothing_leaks },
	TAP_END,
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, "core_traffic_steps", tests);
}
