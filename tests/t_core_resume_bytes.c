/* SPDX-License-Identifier: Apache-2.0 */
/* REHELLO and REHELLO_ACK as bytes: only the very message of the very peer counts. */
#include "core/resume.h"

#include "tests/tap.h"

#include <muses/noise.h>

#include <stdlib.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Indices of the partial session ids, and generation numbers to begin with. */
enum { TO_A = 0xa, TO_B = 0xb, FIRST = 0 };

static const struct muses_id id_a = { { 1 } }, id_b = { { 2 } }, id_c = { { 3 } };
static const uint8_t secret[CORE_SECRET_SIZE] = { 5, 6, 7 };
static const uint8_t nonce_a[CORE_NONCE_SIZE] = { 0xaa, 1 };
static const uint8_t nonce_b[CORE_NONCE_SIZE] = { 0xbb, 2 };
static const struct core_locator at_a = { 3, { 'a', 'a', 'a' }, 1400 };
static const struct core_locator at_b = { MUSES_LOCATOR_MAX, "bbbbbbbbbbbbbbbbbbbbbbbb",
	                                  9000 };

struct pair {
	struct core_resume a, b;
	struct core_locator there; /* Of the last message. */
	struct core_resume_keys keys;
};

static void open_pair(struct pair *p)
{
	memset(p, 0, sizeof(*p));
	CU_ASSERT_EQUAL(core_resume_open(&p->a, &id_a, &id_b, FIRST, secret), 0);
	CU_ASSERT_EQUAL(core_resume_open(&p->b, &id_b, &id_a, FIRST, secret), 0);
}

static void ask(struct pair *p)
{
	CU_ASSERT_EQUAL(core_resume_ask(&p->a, TO_B, nonce_a, &at_a), 0);
}

/* As the session would: a bad header is not even looked at. */
static enum core_resume_event deliver(struct pair *p, struct core_resume *to,
                                      const uint8_t *bytes, size_t size)
{
	bool is_a = to == &p->a;
	struct core_packet header;
	/* Exactly as many bytes, so that reading past them shows. */
	uint8_t *data;
	enum core_resume_event event;

	if (!core_packet_get(&header, bytes, size))
		return CORE_RESUME_IGNORE;
	data = malloc(size);
	CU_ASSERT_PTR_NOT_NULL_FATAL(data);
	memcpy(data, bytes + CORE_HEADER_BYTES, size - CORE_HEADER_BYTES);
	if (header.type == CORE_PACKET_REHELLO)
		event = core_resume_asked(to, &header, data, size - CORE_HEADER_BYTES,
		                          is_a ? TO_B : TO_A, is_a ? nonce_a : nonce_b,
		                          is_a ? &at_a : &at_b, &p->there, &p->keys);
	else if (header.type == CORE_PACKET_REHELLO_ACK)
		event = core_resume_answered(to, &header, data, size - CORE_HEADER_BYTES,
		                             &p->there, &p->keys);
	else
		event = CORE_RESUME_IGNORE;
	free(data);
	return event;
}

static void question_and_answer_carry_locator_and_mtu(void)
{
	struct pair p;
	struct core_resume_keys of_b;

	open_pair(&p);
	ask(&p);
	CU_ASSERT_EQUAL(deliver(&p, &p.b, p.a.question, CORE_REHELLO_BYTES),
	                CORE_RESUME_ANSWER);
	CU_ASSERT_EQUAL(p.there.size, at_a.size);
	CU_ASSERT_EQUAL(memcmp(p.there.bytes, at_a.bytes, at_a.size), 0);
	CU_ASSERT_EQUAL(p.there.mtu, at_a.mtu);
	of_b = p.keys;
	CU_ASSERT_EQUAL(deliver(&p, &p.a, p.b.answer, CORE_REHELLO_BYTES),
	                CORE_RESUME_ADOPTED);
	CU_ASSERT_EQUAL(p.there.size, at_b.size);
	CU_ASSERT_EQUAL(memcmp(p.there.bytes, at_b.bytes, at_b.size), 0);
	CU_ASSERT_EQUAL(p.there.mtu, at_b.mtu);
	CU_ASSERT_EQUAL(memcmp(&of_b, &p.keys, sizeof(of_b)), 0);
	CU_ASSERT_EQUAL(p.a.current, p.b.current);
	CU_ASSERT_EQUAL(p.a.mine.number, p.b.theirs.number);
}

/* to before and after: nothing may have changed. */
static bool unmoved(const struct core_resume *to, const struct core_resume *before)
{
	return memcmp(to, before, sizeof(*to)) == 0;
}

/* Every bit of message, which would be good; and then every bit again after it was
 * delivered, when the same answer is the most that may come of it. */
static void flip_each_bit(struct pair *p, struct core_resume *to, const uint8_t *message)
{
	uint8_t good[CORE_REHELLO_BYTES], bytes[CORE_REHELLO_BYTES];
	struct core_resume before = *to;
	struct core_resume_keys no_keys = p->keys;

	memcpy(good, message, sizeof(good));
	for (int again = 0; again < 2; again++) {
		for (size_t bit = 0; bit < 8 * sizeof(bytes); bit++) {
			enum core_resume_event event;
			bool fine;

			memcpy(bytes, good, sizeof(bytes));
			bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
			event = deliver(p, to, bytes, sizeof(bytes));
			fine = (event == CORE_RESUME_IGNORE ||
			        (again && event == CORE_RESUME_REPEAT)) &&
			       unmoved(to, &before) &&
			       memcmp(&p->keys, &no_keys, sizeof(no_keys)) == 0;
			TAP_NOTE_IF(!fine, "byte %zu, bit %zu%s: event %d", bit / 8,
			            bit % 8, again ? ", again" : "", (int)event);
			CU_ASSERT(fine);
		}
		if (again)
			break;
		CU_ASSERT_NOT_EQUAL(deliver(p, to, good, sizeof(good)),
		                    CORE_RESUME_IGNORE);
		before = *to;
		no_keys = p->keys;
	}
}

static void a_question_with_one_bit_changed_changes_nothing(void)
{
	struct pair p;

	open_pair(&p);
	ask(&p);
	flip_each_bit(&p, &p.b, p.a.question);
}

static void an_answer_with_one_bit_changed_changes_nothing(void)
{
	struct pair p;

	open_pair(&p);
	ask(&p);
	deliver(&p, &p.b, p.a.question, CORE_REHELLO_BYTES);
	memset(&p.keys, 0, sizeof(p.keys));
	flip_each_bit(&p, &p.a, p.b.answer);
}

/* With the header's length made to fit, so that more than the header is looked at. */
static void messages_of_another_size_change_nothing(void)
{
	struct pair p;
	uint8_t bytes[CORE_REHELLO_BYTES + 1];
	struct core_resume before_a, before_b;

	open_pair(&p);
	ask(&p);
	for (size_t size = CORE_HEADER_BYTES; size <= sizeof(bytes); size++) {
		if (size == CORE_REHELLO_BYTES)
			continue;
		before_b = p.b;
		memset(bytes, 0, sizeof(bytes));
		memcpy(bytes, p.a.question, CORE_REHELLO_BYTES);
		bytes[CORE_HEADER_LENGTH + 1] = (uint8_t)(size - CORE_HEADER_BYTES);
		CU_ASSERT_EQUAL(deliver(&p, &p.b, bytes, size), CORE_RESUME_IGNORE);
		CU_ASSERT(unmoved(&p.b, &before_b));
	}
	deliver(&p, &p.b, p.a.question, CORE_REHELLO_BYTES);
	for (size_t size = CORE_HEADER_BYTES; size <= sizeof(bytes); size++) {
		if (size == CORE_REHELLO_BYTES)
			continue;
		before_a = p.a;
		before_b = p.b;
		memset(bytes, 0, sizeof(bytes));
		memcpy(bytes, p.b.answer, CORE_REHELLO_BYTES);
		bytes[CORE_HEADER_LENGTH + 1] = (uint8_t)(size - CORE_HEADER_BYTES);
		CU_ASSERT_EQUAL(deliver(&p, &p.a, bytes, size), CORE_RESUME_IGNORE);
		CU_ASSERT(unmoved(&p.a, &before_a));
		/* The question that B has answered already, cut. */
		memcpy(bytes, p.a.question, CORE_REHELLO_BYTES);
		bytes[CORE_HEADER_LENGTH + 1] = (uint8_t)(size - CORE_HEADER_BYTES);
		CU_ASSERT_EQUAL(deliver(&p, &p.b, bytes, size), CORE_RESUME_IGNORE);
		CU_ASSERT(unmoved(&p.b, &before_b));
	}
}

static void a_message_that_comes_back_changes_nothing(void)
{
	struct pair p;
	struct core_resume before;
	uint8_t bytes[CORE_REHELLO_BYTES];

	open_pair(&p);
	ask(&p);
	before = p.a;
	CU_ASSERT_EQUAL(deliver(&p, &p.a, p.a.question, CORE_REHELLO_BYTES),
	                CORE_RESUME_IGNORE);
	memcpy(bytes, p.a.question, sizeof(bytes));
	bytes[CORE_HEADER_TYPE] = CORE_PACKET_REHELLO_ACK;
	CU_ASSERT_EQUAL(deliver(&p, &p.a, bytes, sizeof(bytes)), CORE_RESUME_IGNORE);
	CU_ASSERT(unmoved(&p.a, &before));

	deliver(&p, &p.b, p.a.question, CORE_REHELLO_BYTES);
	/* B asks with the number of A's question, so that only the keys differ. */
	CU_ASSERT_EQUAL(core_resume_ask(&p.b, TO_A, nonce_b, &at_b), 0);
	CU_ASSERT_EQUAL(p.b.asked, p.a.asked);
	before = p.b;
	CU_ASSERT_EQUAL(deliver(&p, &p.b, p.b.answer, CORE_REHELLO_BYTES),
	                CORE_RESUME_IGNORE);
	CU_ASSERT_EQUAL(deliver(&p, &p.b, p.b.question, CORE_REHELLO_BYTES),
	                CORE_RESUME_IGNORE);
	CU_ASSERT(unmoved(&p.b, &before));
}

static void a_stranger_cannot_ask(void)
{
	static const struct {
		const struct muses_id *self, *peer;
		uint8_t first_of_secret;
		uint32_t number;
		const char *why;
	} row[] = {
		{ &id_a, &id_b, 4, FIRST, "another secret" },
		{ &id_c, &id_b, 5, FIRST, "another node with the secret" },
		{ &id_a, &id_c, 5, FIRST, "meant for another node" },
		{ &id_a, &id_b, 5, FIRST + 2, "another generation" },
	};

	for (size_t i = 0; i < COUNT(row); i++) {
		uint8_t other[CORE_SECRET_SIZE];
		struct core_resume before;
		enum core_resume_event event;
		struct pair p;

		open_pair(&p);
		memcpy(other, secret, sizeof(other));
		other[0] = row[i].first_of_secret;
		core_resume_open(&p.a, row[i].self, row[i].peer, row[i].number, other);
		ask(&p);
		before = p.b;
		event = deliver(&p, &p.b, p.a.question, CORE_REHELLO_BYTES);
		TAP_NOTE_IF(event != CORE_RESUME_IGNORE, "%s", row[i].why);
		CU_ASSERT_EQUAL(event, CORE_RESUME_IGNORE);
		CU_ASSERT(unmoved(&p.b, &before));
	}
}

static void a_base_that_both_have_left_is_not_answered(void)
{
	struct pair p;
	uint8_t old[CORE_REHELLO_BYTES];
	struct core_resume before;

	open_pair(&p);
	/* A question that stays on its way, with a number that will still be new. */
	p.a.asked = 99;
	ask(&p);
	memcpy(old, p.a.question, sizeof(old));
	p.a.asked = 0;
	ask(&p);
	deliver(&p, &p.b, p.a.question, CORE_REHELLO_BYTES);
	deliver(&p, &p.a, p.b.answer, CORE_REHELLO_BYTES);
	CU_ASSERT_EQUAL(core_resume_evidence(&p.b, p.b.theirs.number, false),
	                CORE_RESUME_COMMITTED);
	CU_ASSERT(!core_resume_alive(&p.b, FIRST));
	before = p.b;
	CU_ASSERT_EQUAL(deliver(&p, &p.b, old, sizeof(old)), CORE_RESUME_IGNORE);
	CU_ASSERT(unmoved(&p.b, &before));
}

/* The peer has the keys, but says what it must not. */
static void an_authentic_message_may_still_lie(void)
{
	struct core_locator lies = at_a;
	struct core_resume before;
	struct pair p;

	open_pair(&p);
	before = p.b;
	lies.size = MUSES_LOCATOR_MAX + 1;
	CU_ASSERT_EQUAL(core_resume_ask(&p.a, TO_B, nonce_a, &lies), 0);
	CU_ASSERT_EQUAL(deliver(&p, &p.b, p.a.question, CORE_REHELLO_BYTES),
	                CORE_RESUME_IGNORE);
	CU_ASSERT(unmoved(&p.b, &before));
	p.a.asked = UINT64_MAX;
	ask(&p);
	CU_ASSERT_EQUAL(p.a.asked, 0);
	CU_ASSERT_EQUAL(deliver(&p, &p.b, p.a.question, CORE_REHELLO_BYTES),
	                CORE_RESUME_IGNORE);
	CU_ASSERT(unmoved(&p.b, &before));
}

static void the_same_question_gets_the_same_answer(void)
{
	uint8_t answer[CORE_REHELLO_BYTES], question[CORE_REHELLO_BYTES];
	struct core_resume before;
	struct pair p;

	open_pair(&p);
	ask(&p);
	deliver(&p, &p.b, p.a.question, CORE_REHELLO_BYTES);
	memcpy(answer, p.b.answer, sizeof(answer));
	memcpy(question, p.a.question, sizeof(question));
	before = p.b;
	CU_ASSERT_EQUAL(deliver(&p, &p.b, question, sizeof(question)),
	                CORE_RESUME_REPEAT);
	CU_ASSERT(unmoved(&p.b, &before));
	CU_ASSERT_EQUAL(memcmp(p.b.answer, answer, sizeof(answer)), 0);
	/* A new one has another; the old one none any more. */
	ask(&p);
	CU_ASSERT_EQUAL(deliver(&p, &p.b, p.a.question, CORE_REHELLO_BYTES),
	                CORE_RESUME_ANSWER);
	CU_ASSERT_NOT_EQUAL(memcmp(p.b.answer, answer, sizeof(answer)), 0);
	before = p.b;
	CU_ASSERT_EQUAL(deliver(&p, &p.b, question, sizeof(question)),
	                CORE_RESUME_IGNORE);
	CU_ASSERT(unmoved(&p.b, &before));
	/* And A does not take the answer to the question it asks no more. */
	before = p.a;
	CU_ASSERT_EQUAL(deliver(&p, &p.a, answer, sizeof(answer)), CORE_RESUME_IGNORE);
	CU_ASSERT(unmoved(&p.a, &before));
}

static void releasing_leaves_no_secret(void)
{
	static const struct core_resume zero;
	struct pair p;

	open_pair(&p);
	ask(&p);
	core_resume_release(&p.a);
	CU_ASSERT_EQUAL(memcmp(&p.a, &zero, sizeof(zero)), 0);
}

static const struct tap_test tests[] = {
	{ "question and answer carry locator and MTU",
	  question_and_answer_carry_locator_and_mtu },
	{ "a question with one bit changed changes nothing",
	  a_question_with_one_bit_changed_changes_nothing },
	{ "an answer with one bit changed changes nothing",
	  an_answer_with_one_bit_changed_changes_nothing },
	{ "messages of another size change nothing",
	  messages_of_another_size_change_nothing },
	{ "a message that comes back changes nothing",
	  a_message_that_comes_back_changes_nothing },
	{ "a stranger cannot ask", a_stranger_cannot_ask },
	{ "a base that both have left is not answered",
	  a_base_that_both_have_left_is_not_answered },
	{ "an authentic message may still lie", an_authentic_message_may_still_lie },
	{ "the same question gets the same answer",
	  the_same_question_gets_the_same_answer },
	{ "releasing leaves no secret", releasing_leaves_no_secret },
	TAP_END,
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, "core_resume_bytes", tests);
}
