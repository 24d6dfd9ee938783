/* SPDX-License-Identifier: Apache-2.0 */
#include "core/traffic.h"

#include "core/mem.h"
#include "core/pool.h"
#include "tests/suites.h"
#include "tests/tap.h"

#include <muses/noise.h>

#include <stdlib.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define TEXT         "thirteen char"

enum { GENERATION = 5, INDEX = 99, ROOM = 256 };

static const struct muses_id lower = { { 1 } }, higher = { { 2 } }, other = { { 3 } };
static const uint8_t secret[2][CORE_SECRET_SIZE] = { { 'l', 'o', 'w' }, { 'h', 'i' } };
static const uint8_t session_id[CORE_SESSID_SIZE] = "session id of 16";

struct pair {
	struct core_pool *pool;
	struct muses_suite suite; /* A copy, whose limits a test may change. */
	struct core_traffic a, b;
};

static void open_pair(struct pair *p, const char *suite)
{
	p->pool = core_pool_open(1 << 20);
	p->suite = *suites_named(suite);
	CU_ASSERT_PTR_NOT_NULL_FATAL(p->pool);
	CU_ASSERT_EQUAL(core_traffic_open(&p->a, &p->suite, GENERATION, CORE_FROM_LOWER,
	                                  secret, session_id, &lower, &higher),
	                0);
	CU_ASSERT_EQUAL(core_traffic_open(&p->b, &p->suite, GENERATION, CORE_FROM_HIGHER,
	                                  secret, session_id, &higher, &lower),
	                0);
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
	char text[] = TEXT;
	struct iovec iov[2] = { { text, 5 }, { text + 5, sizeof(text) - 1 - 5 } };
	uint64_t sequence;

	CU_ASSERT_PTR_NOT_NULL_FATAL(b);
	CU_ASSERT_EQUAL(
		core_traffic_seal(from, INDEX, iov, 2, sizeof(text) - 1, b, &sequence, 0),
		0);
	CU_ASSERT_EQUAL(sequence, from->sequence - 1);
	return b;
}

/* Takes b over. */
static enum core_opened unseal_at(struct core_traffic *to, struct muses_buf *b,
                                  uint64_t now_ns)
{
	struct core_packet h;
	enum core_opened opened = CORE_NOT_AUTHENTIC;

	if (core_packet_get(&h, b->data, b->size)) {
		opened = core_traffic_unseal(to, &h, b, now_ns);
		if (opened <= CORE_OPENED_NEW_STEP) {
			CU_ASSERT_EQUAL(b->size, sizeof(TEXT) - 1);
			CU_ASSERT_EQUAL(memcmp(b->data, TEXT, sizeof(TEXT) - 1), 0);
		}
	}
	muses_buf_free(b);
	return opened;
}

static enum core_opened unseal(struct core_traffic *to, struct muses_buf *b)
{
	return unseal_at(to, b, 0);
}

static struct muses_buf *copy(struct pair *p, const struct muses_buf *b)
{
	struct muses_buf *c = core_buf_copy(p->pool, b, MUSES_HEADROOM);

	CU_ASSERT_PTR_NOT_NULL_FATAL(c);
	return c;
}

/* A packet that should change nothing but the count of failures. */
static bool refused(struct core_traffic *to, struct muses_buf *b, enum core_opened how)
{
	struct core_traffic before = *to;
	enum core_opened opened = unseal(to, b);
	bool counted = to->failed == before.failed + (how == CORE_NOT_AUTHENTIC);

	before.failed = to->failed;
	return opened == how && counted && memcmp(to, &before, sizeof(before)) == 0;
}

/* ---- one step ------------------------------------------------------------------ */

static void each_side_opens_what_the_other_seals(void)
{
	const struct muses_suite *suite;

	for (size_t i = 0; (suite = suites_at(i)) != NULL; i++) {
		struct pair p;

		open_pair(&p, suite->name);
		for (uint64_t n = 0; n < 3; n++) {
			struct muses_buf *b = seal(&p, &p.a);
			struct core_packet h = { 0 };

			CU_ASSERT(core_packet_get(&h, b->data, b->size));
			CU_ASSERT_EQUAL(h.type, CORE_PACKET_DATA);
			CU_ASSERT_EQUAL(h.flags, 0);
			CU_ASSERT_EQUAL(h.index, INDEX);
			CU_ASSERT_EQUAL(h.sequence, n);
			CU_ASSERT_EQUAL(h.epoch, GENERATION << 10);
			CU_ASSERT_EQUAL(unseal(&p.b, b), CORE_OPENED);
			CU_ASSERT_EQUAL(unseal(&p.a, seal(&p, &p.b)), CORE_OPENED);
		}
		close_pair(&p);
	}
}

static void a_packet_is_opened_once_in_any_order(void)
{
	struct pair p;
	struct muses_buf *first, *second;

	open_pair(&p, "aes_256_gcm");
	first = seal(&p, &p.a);
	second = seal(&p, &p.a);
	CU_ASSERT_EQUAL(unseal(&p.b, copy(&p, second)), CORE_OPENED);
	CU_ASSERT(refused(&p.b, copy(&p, second), CORE_NOT_FRESH));
	CU_ASSERT_EQUAL(unseal(&p.b, copy(&p, first)), CORE_OPENED);
	CU_ASSERT(refused(&p.b, first, CORE_NOT_FRESH));
	CU_ASSERT(refused(&p.b, second, CORE_NOT_FRESH));
	close_pair(&p);
}

static void a_packet_that_comes_back_is_not_authentic(void)
{
	const struct muses_suite *suite;

	for (size_t i = 0; (suite = suites_at(i)) != NULL; i++) {
		struct pair p;

		if (suite->insecure)
			continue;
		open_pair(&p, suite->name);
		CU_ASSERT(refused(&p.a, seal(&p, &p.a), CORE_NOT_AUTHENTIC));
		close_pair(&p);
	}
}

static void a_packet_with_one_bit_changed_changes_nothing(void)
{
	struct pair p;
	struct muses_buf *b;

	open_pair(&p, "aes_256_gcm");
	b = seal(&p, &p.a);
	for (size_t bit = 0; bit < 8 * (size_t)b->size; bit++) {
		struct core_traffic before = p.b;
		struct muses_buf *changed = copy(&p, b);
		enum core_opened opened;

		changed->data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		opened = unseal(&p.b, changed);
		before.failed = p.b.failed;
		if (opened <= CORE_OPENED_NEW_STEP ||
		    memcmp(&p.b, &before, sizeof(before)) != 0) {
			TAP_NOTE_IF(true, "byte %zu, bit %zu", bit / 8, bit % 8);
			CU_FAIL("a changed packet was opened or has changed something");
		}
	}
	CU_ASSERT_EQUAL(unseal(&p.b, b), CORE_OPENED);
	close_pair(&p);
}

/* What the header does not carry in full is covered all the same. */
static void the_additional_data_tells_packets_apart(void)
{
	static const uint8_t another_id[CORE_SESSID_SIZE] = "Session id of 16";
	static const struct {
		uint32_t generation;
		const uint8_t *session_id;
		const struct muses_id *self, *peer;
		uint32_t step;
		bool good;
		const char *why;
	} row[] = {
		{ GENERATION, session_id, &higher, &lower, 0, true, "as it is" },
		{ GENERATION + 64, session_id, &higher, &lower, 0, false,
		  "a generation that looks the same" },
		{ GENERATION, another_id, &higher, &lower, 0, false, "another session" },
		{ GENERATION, session_id, &higher, &other, 0, false, "another sender" },
		{ GENERATION, session_id, &other, &lower, 0, false, "another receiver" },
		{ GENERATION, session_id, &lower, &higher, 0, false, "the other way" },
		{ GENERATION, session_id, &higher, &lower, 1024, false,
		  "a step that looks the same" },
	};

	for (size_t i = 0; i < COUNT(row); i++) {
		struct core_traffic receiver;
		struct pair p;
		bool good;

		open_pair(&p, "aes_256_gcm");
		CU_ASSERT_EQUAL(core_traffic_open(&receiver, &p.suite, row[i].generation,
		                                  CORE_FROM_HIGHER, secret,
		                                  row[i].session_id, row[i].self,
		                                  row[i].peer),
		                0);
		receiver.receive.step = row[i].step;
		good = unseal(&receiver, seal(&p, &p.a)) == CORE_OPENED;
		TAP_NOTE_IF(good != row[i].good, "row %zu: %s", i, row[i].why);
		CU_ASSERT_EQUAL(good, row[i].good);
		core_traffic_release(&receiver);
		close_pair(&p);
	}
}

/* ---- limits ----------------------------------------------------------------------- */

static int seal_one(struct pair *p, size_t room)
{
	struct muses_buf *b = core_buf_new(p->pool, 0, ROOM);
	struct iovec iov = { (char[]){ TEXT }, sizeof(TEXT) - 1 };
	uint64_t sequence;
	int err;

	CU_ASSERT_PTR_NOT_NULL_FATAL(b);
	/* What is behind room is taken. */
	muses_buf_append(b, b->tail - room);
	muses_buf_pull(b, b->size);
	err = core_traffic_seal(&p->a, INDEX, &iov, 1, iov.iov_len, b, &sequence, 0);
	muses_buf_free(b);
	return err;
}

static void a_key_seals_no_more_than_its_hard_limit(void)
{
	struct pair p;

	open_pair(&p, "aes_256_gcm");
	p.suite.hard_packets = 3;
	for (int i = 0; i < 3; i++)
		CU_ASSERT_EQUAL(seal_one(&p, ROOM), 0);
	CU_ASSERT_EQUAL(seal_one(&p, ROOM), MUSES_ELIMIT);
	CU_ASSERT_EQUAL(p.a.sequence, 3);
	CU_ASSERT_EQUAL(core_traffic_ratchet(&p.a, 0), 0);
	CU_ASSERT_EQUAL(seal_one(&p, ROOM), 0);
	CU_ASSERT_EQUAL(p.a.send.packets, 1);
	p.a.sequence = MUSES_VARINT_MAX;
	CU_ASSERT_EQUAL(seal_one(&p, ROOM), MUSES_ELIMIT);
	close_pair(&p);
}

static void a_packet_without_room_uses_no_number(void)
{
	struct pair p;
	size_t needs = CORE_HEADER_BYTES + sizeof(TEXT) - 1;

	open_pair(&p, "aes_256_gcm");
	needs += p.suite.overhead;
	CU_ASSERT_EQUAL(seal_one(&p, needs - 1), MUSES_ELIMIT);
	CU_ASSERT_EQUAL(p.a.sequence, 0);
	CU_ASSERT_EQUAL(seal_one(&p, needs), 0);
	CU_ASSERT_EQUAL(p.a.sequence, 1);
	close_pair(&p);
}

static void a_step_is_ripe_by_packets_bytes_or_age_once_confirmed(void)
{
	static const struct {
		uint64_t packets, bytes, age_ns;
		uint32_t step;
		bool confirmed, due, ripe;
		const char *why;
	} row[] = {
		{ 1, 1, 0, 0, false, false, false, "young" },
		{ 9, 1, 0, 0, false, false, false, "one packet below" },
		{ 10, 1, 0, 0, false, false, true, "packets" },
		{ 1, 999, 0, 0, false, false, false, "one byte below" },
		{ 1, 1000, 0, 0, false, false, true, "bytes" },
		{ 1, 1, 119, 0, false, false, false, "nearly old" },
		{ 1, 1, 120, 0, false, false, true, "age" },
		{ 0, 0, 500, 0, false, false, false, "old and unused" },
		{ 1, 1, 0, 0, false, true, true, "a KEYSTEP" },
		{ 99, 9999, 500, 1, false, true, false, "not confirmed" },
		{ 10, 1, 0, 1, true, false, true, "confirmed" },
	};
	struct pair p;

	open_pair(&p, "aes_256_gcm");
	p.suite.soft_packets = 10;
	p.suite.soft_bytes = 1000;
	for (size_t i = 0; i < COUNT(row); i++) {
		bool ripe;

		p.a.send.packets = row[i].packets;
		p.a.send.bytes = row[i].bytes;
		p.a.send.step = row[i].step;
		p.a.step_started_ns = 1000;
		p.a.step_confirmed = row[i].confirmed;
		p.a.keystep_due[0] = row[i].due;
		ripe = core_traffic_ripe(&p.a, 120, 1000 + row[i].age_ns);
		TAP_NOTE_IF(ripe != row[i].ripe, "row %zu: %s", i, row[i].why);
		CU_ASSERT_EQUAL(ripe, row[i].ripe);
	}
	close_pair(&p);
}

static void only_a_packet_of_this_step_confirms_it(void)
{
	struct pair p;

	open_pair(&p, "aes_256_gcm");
	muses_buf_free(seal(&p, &p.a));
	CU_ASSERT_EQUAL(core_traffic_ratchet(&p.a, 0), 0);
	muses_buf_free(seal(&p, &p.a));
	core_traffic_acknowledged(&p.a, 0);
	CU_ASSERT(!p.a.step_confirmed);
	core_traffic_acknowledged(&p.a, 1);
	CU_ASSERT(p.a.step_confirmed);
	CU_ASSERT_EQUAL(core_traffic_ratchet(&p.a, 0), 0);
	CU_ASSERT(!p.a.step_confirmed);
	close_pair(&p);
}

static const struct tap_test tests[] = {
	{ "each side opens what the other seals", each_side_opens_what_the_other_seals },
	{ "a packet is opened once, in any order", a_packet_is_opened_once_in_any_order },
	{ "a packet that comes back is not authentic",
	  a_packet_that_comes_back_is_not_authentic },
	{ "a packet with one bit changed changes nothing",
	  a_packet_with_one_bit_changed_changes_nothing },
	{ "the additional data tells packets apart",
	  the_additional_data_tells_packets_apart },
	{ "a key seals no more than its hard limit",
	  a_key_seals_no_more_than_its_hard_limit },
	{ "a packet without room uses no number", a_packet_without_room_uses_no_number },
	{ "a step is ripe by packets, bytes or age once confirmed",
	  a_step_is_ripe_by_packets_bytes_or_age_once_confirmed },
	{ "only a packet of this step confirms it",
	  only_a_packet_of_this_step_confirms_it },
	TAP_END,
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, "core_traffic", tests);
}
