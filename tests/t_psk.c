/* SPDX-License-Identifier: Apache-2.0 */
/* The keys plugin psk: two layers in one process, shaken hands with by hand. */
#include "core/mem.h"
#include "tests/ends.h"
#include "tests/tap.h"

#include <muses/identity.h>

extern const struct muses_plugin psk_LTX_muses_plugin;

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define ONES     "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="
#define TWOS     "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI="
#define FILE_IS  "{ 'plugin': 'psk', 'file': 'psk.json' }"

static void open_world(struct ends *w)
{
	ends_open(w, &psk_LTX_muses_plugin);
}

/* A node whose secrets are text (' for "). */
static struct end *add(struct ends *w, const char *name, const char *text)
{
	char json[1024];

	snprintf(json, sizeof(json), "%s", text);
	for (char *c = json; *c != '\0'; c++)
		*c = *c == '\'' ? '"' : *c;
	folder_text(&w->folder, "psk.json", json, 0600);
	return ends_add(w, name, FILE_IS);
}

#define GROUP "{ 'group': '" ONES "' }"

static void two_of_a_group_meet(void)
{
	struct ends w;
	struct meeting m = { 0 };
	struct end *a, *b;

	open_world(&w);
	a = add(&w, "alice", GROUP);
	b = add(&w, "bob", GROUP);
	CU_ASSERT_FATAL(a != NULL && b != NULL);
	CU_ASSERT_EQUAL(ends_meet(&m, a, b, NULL), 0);
	CU_ASSERT_EQUAL(m.pattern, 3);
	CU_ASSERT_EQUAL(m.messages, 2);
	CU_ASSERT(muses_id_equal(&m.peer[0], &b->id));
	CU_ASSERT(muses_id_equal(&m.peer[1], &a->id));
	ends_close(&w);
}

static void an_id_is_that_of_the_name(void)
{
	struct ends w;
	struct muses_id id;
	struct end *a;

	open_world(&w);
	a = add(&w, "alice", GROUP);
	CU_ASSERT_PTR_NOT_NULL_FATAL(a);
	CU_ASSERT_EQUAL(muses_name_id("alice", &id), 0);
	CU_ASSERT(muses_id_equal(&a->id, &id));
	CU_ASSERT(a->ops->clear_source);
	ends_close(&w);
}

/* Who meets whom, by what is in their files. */
static void secrets_decide_who_meets(void)
{
#define PAIR_AB "{ 'peers': { 'bob': '" TWOS "' } }"
#define PAIR_BA "{ 'peers': { 'alice': '" TWOS "' } }"
	static const struct {
		const char *a, *b;
		int err;
		const char *why;
	} row[] = {
		{ GROUP, GROUP, 0, "one group" },
		{ PAIR_AB, PAIR_BA, 0, "a pair" },
		{ GROUP, "{ 'group': '" TWOS "' }", MUSES_EAUTH, "two groups" },
		{ PAIR_AB, "{ 'peers': { 'alice': '" ONES "' } }", MUSES_EAUTH,
		  "the secrets differ" },
		{ PAIR_AB, "{ 'peers': { 'carol': '" TWOS "' } }", MUSES_EUNKNOWN,
		  "bob has no secret with alice" },
		{ "{ 'peers': { 'carol': '" TWOS "' } }", PAIR_BA, MUSES_EUNKNOWN,
		  "alice has none with bob" },
		{ "{ 'group': '" TWOS "' }", PAIR_BA, 0,
		  "the same bytes, group or pair" },
		{ "{ 'group': '" ONES "', 'peers': { 'bob': '" TWOS "' } }",
		  "{ 'group': '" ONES "' }", MUSES_EAUTH,
		  "a pair's secret outranks the group's, and bob does not have it" },
	};

	for (size_t i = 0; i < COUNT(row); i++) {
		struct ends w;
		struct meeting m = { 0 };
		struct end *a, *b;
		int err;

		open_world(&w);
		a = add(&w, "alice", row[i].a);
		b = add(&w, "bob", row[i].b);
		CU_ASSERT_FATAL(a != NULL && b != NULL);
		err = ends_meet(&m, a, b, NULL);
		TAP_NOTE_IF(err != row[i].err, "%s: %s", row[i].why, muses_strerror(err));
		CU_ASSERT_EQUAL(err, row[i].err);
		ends_close(&w);
	}
}

static void nobody_meets_himself(void)
{
	struct ends w;
	struct meeting m = { 0 };
	struct end *a;

	open_world(&w);
	a = add(&w, "alice", "{ 'group': '" ONES "', 'peers': { 'alice': '" TWOS "' } }");
	CU_ASSERT_PTR_NOT_NULL_FATAL(a);
	CU_ASSERT_EQUAL(ends_meet(&m, a, a, NULL), MUSES_EUNKNOWN);
	CU_ASSERT(!a->ops->known(&a->layer, &a->id));
	CU_ASSERT(!a->ops->may_link(&a->layer, &a->id));
	CU_ASSERT(!a->ops->distinct(&a->layer, &a->id));
	CU_ASSERT_STRING_EQUAL(a->log,
	                       "the secret of alice is not used: that is this node\n");
	ends_close(&w);
}

static void another_pattern_is_refused(void)
{
	struct ends w;
	struct end *a;
	struct muses_id bob;

	open_world(&w);
	a = add(&w, "alice", GROUP);
	CU_ASSERT_EQUAL(muses_name_id("bob", &bob), 0);
	for (unsigned p = 0; p < 256; p++) {
		struct muses_handshake *h = NULL;
		uint8_t pattern = (uint8_t)p, messages = 0;
		int err = a->ops->begin(&a->layer, MUSES_RESPONDER, &bob, &pattern,
		                        &messages, (const uint8_t *)"x", 1, &h);

		CU_ASSERT_EQUAL(err, p == 3 ? 0 : MUSES_EREFUSED);
		CU_ASSERT_EQUAL(h != NULL, p == 3);
		a->ops->end(h);
	}
	ends_close(&w);
}

static void nothing_is_said_of_the_peer_before_it_was_heard(void)
{
	static const uint8_t prologue[] = "p";
	struct muses_handshake *h[2];
	uint8_t pattern = 0, messages, message[MUSES_KEYS_MESSAGE_MAX],
		out[MUSES_KEYS_PAYLOAD_MAX], large[MUSES_KEYS_PAYLOAD_MAX + 1] = { 0 };
	struct muses_id id;
	size_t size = 0, out_size;
	struct end *a, *b;
	struct ends w;

	open_world(&w);
	a = add(&w, "alice", GROUP);
	b = add(&w, "bob", GROUP);
	CU_ASSERT_EQUAL_FATAL(a->ops->begin(&a->layer, MUSES_INITIATOR, &b->id, &pattern,
	                                    &messages, prologue, 1, &h[0]),
	                      0);
	CU_ASSERT_EQUAL_FATAL(b->ops->begin(&b->layer, MUSES_RESPONDER, &a->id, &pattern,
	                                    &messages, prologue, 1, &h[1]),
	                      0);
	CU_ASSERT(!b->ops->peer(h[1], &id));
	CU_ASSERT_EQUAL(a->ops->write(h[0], large, sizeof(large), message,
	                              sizeof(message), &size),
	                MUSES_EUSAGE);
	CU_ASSERT_EQUAL(a->ops->write(h[0], large, sizeof(large) - 1, message,
	                              sizeof(message), &size),
	                0);
	CU_ASSERT_EQUAL(b->ops->read(h[1], message, size, out, &out_size), 0);
	CU_ASSERT_EQUAL(out_size, MUSES_KEYS_PAYLOAD_MAX);
	CU_ASSERT(b->ops->peer(h[1], &id) && muses_id_equal(&id, &a->id));
	CU_ASSERT(!a->ops->peer(h[0], &id));
	/* A payload that is larger than the room for it. */
	CU_ASSERT_EQUAL(
		a->ops->read(h[0], message, MUSES_KEYS_MESSAGE_MAX, out, &out_size),
		MUSES_EMALFORMED);
	CU_ASSERT(!a->ops->peer(h[0], &id));
	a->ops->end(h[0]);
	b->ops->end(h[1]);
	a->ops->end(NULL);
	ends_close(&w);
}

static void no_handshake_survives_a_change_on_the_way(void)
{
	struct ends w;
	struct meeting m = { 0 };
	struct end *a, *b;

	open_world(&w);
	a = add(&w, "alice", GROUP);
	b = add(&w, "bob", GROUP);
	CU_ASSERT_EQUAL_FATAL(ends_meet(&m, a, b, NULL), 0);
	m.tampered = true;
	CU_ASSERT_EQUAL(ends_meet(&m, a, b, NULL), MUSES_EAUTH);
	m.tampered = false;
	CU_ASSERT_EQUAL(ends_meet(&m, a, b, NULL), 0);
	for (unsigned number = 1; number <= 2; number++) {
		for (size_t i = 0; i < m.size[number]; i++) {
			struct meeting bad = { .flip_message = number,
				               .flip = true,
				               .flip_bit = 8 * i + i % 8 };
			struct meeting cut = { .flip_message = number,
				               .cut_bytes = i + 1 };
			int err = ends_meet(&cut, a, b, NULL);

			CU_ASSERT_EQUAL(ends_meet(&bad, a, b, NULL), MUSES_EAUTH);
			CU_ASSERT(err == MUSES_EAUTH || err == MUSES_EMALFORMED);
		}
	}
	ends_close(&w);
}

/* ---- names --------------------------------------------------------------------------
 */

static void a_group_resolves_any_name_a_pair_only_its_own(void)
{
	static const struct {
		const char *name;
		int group, pair;
	} row[] = {
		{ "bob", 0, 0 },
		{ "carol", 0, MUSES_EUNKNOWN },
		{ "alice", 0, 0 },
		{ "no name", MUSES_EUNKNOWN, MUSES_EUNKNOWN },
		{ "", MUSES_EUNKNOWN, MUSES_EUNKNOWN },
	};
	struct ends w;
	struct end *group, *pair;
	struct muses_id id, want;

	open_world(&w);
	group = add(&w, "alice", GROUP);
	pair = add(&w, "alice", PAIR_AB);
	for (size_t i = 0; i < COUNT(row); i++) {
		CU_ASSERT_EQUAL(group->ops->resolve(&group->layer, row[i].name, &id),
		                row[i].group);
		if (row[i].group == 0) {
			CU_ASSERT_EQUAL(muses_name_id(row[i].name, &want), 0);
			CU_ASSERT(muses_id_equal(&id, &want));
			CU_ASSERT_STRING_EQUAL(group->ops->petname(&group->layer, &id),
			                       row[i].name);
		}
		CU_ASSERT_EQUAL(pair->ops->resolve(&pair->layer, row[i].name, &id),
		                row[i].pair);
	}
	CU_ASSERT_EQUAL(muses_name_id("dave", &id), 0);
	CU_ASSERT_PTR_NULL(group->ops->petname(&group->layer, &id));
	CU_ASSERT(group->ops->known(&group->layer, &id));
	CU_ASSERT(group->ops->may_link(&group->layer, &id));
	CU_ASSERT(!group->ops->distinct(&group->layer, &id));
	CU_ASSERT(!pair->ops->known(&pair->layer, &id));
	CU_ASSERT(!pair->ops->may_link(&pair->layer, &id));
	CU_ASSERT_EQUAL(muses_name_id("bob", &id), 0);
	CU_ASSERT_STRING_EQUAL(pair->ops->petname(&pair->layer, &id), "bob");
	CU_ASSERT(pair->ops->known(&pair->layer, &id));
	CU_ASSERT(pair->ops->may_link(&pair->layer, &id));
	CU_ASSERT(pair->ops->distinct(&pair->layer, &id));
	ends_close(&w);
}

static void each_of_many_pairs_has_its_secret(void)
{
	struct ends w;
	struct end *a;

	open_world(&w);
	a = add(&w, "alice",
	        "{ 'peers': { 'h': '" ONES "', 'g': '" ONES "', 'f': '" ONES
	        "', 'e': '" ONES "', 'd': '" ONES "', 'c': '" ONES "', 'b': '" ONES
	        "', 'a': '" ONES "' } }");
	CU_ASSERT_PTR_NOT_NULL_FATAL(a);
	for (char name[2] = "a"; name[0] <= 'h'; name[0]++) {
		struct muses_id id;

		CU_ASSERT_EQUAL(muses_name_id(name, &id), 0);
		CU_ASSERT(a->ops->distinct(&a->layer, &id));
		CU_ASSERT_PTR_NOT_NULL_FATAL(a->ops->petname(&a->layer, &id));
		CU_ASSERT_STRING_EQUAL(a->ops->petname(&a->layer, &id), name);
	}
	ends_close(&w);
}

static void names_that_were_asked_for_are_remembered_but_not_without_end(void)
{
	struct ends w;
	struct end *a;
	struct muses_id id;
	char name[16];
	uint64_t before;

	open_world(&w);
	a = add(&w, "alice", GROUP);
	before = core_mem_count();
	for (unsigned i = 0; i < 3000; i++) {
		snprintf(name, sizeof(name), "n%u", i);
		CU_ASSERT_EQUAL(a->ops->resolve(&a->layer, name, &id), 0);
		CU_ASSERT_EQUAL(a->ops->resolve(&a->layer, name, &id), 0);
		CU_ASSERT_EQUAL(a->ops->petname(&a->layer, &id) != NULL, i < 1024);
	}
	CU_ASSERT_EQUAL(core_mem_count(), before + 1024);
	ends_close(&w);
}

static void a_reload_takes_the_new_secrets(void)
{
	struct ends w;
	struct meeting m = { 0 };
	struct end *a, *b;
	struct muses_id id, dave;

	open_world(&w);
	a = add(&w, "alice", "{ 'peers': { 'bob': '" TWOS "' } }");
	b = add(&w, "bob", "{ 'group': '" TWOS "' }");
	CU_ASSERT_EQUAL(b->ops->resolve(&b->layer, "dave", &dave), 0);
	CU_ASSERT_EQUAL(muses_name_id("carol", &id), 0);
	CU_ASSERT_EQUAL(ends_meet(&m, a, b, NULL), 0);
	folder_text(&w.folder, "psk.json", "{ \"peers\": { \"carol\": \"" ONES "\" } }",
	            0600);
	CU_ASSERT(ends_reload(&w, a, FILE_IS));
	CU_ASSERT_EQUAL(ends_meet(&m, a, b, NULL), MUSES_EUNKNOWN);
	CU_ASSERT(!a->ops->known(&a->layer, &b->id));
	CU_ASSERT(a->ops->known(&a->layer, &id));
	CU_ASSERT(ends_reload(&w, b, FILE_IS));
	CU_ASSERT_PTR_NOT_NULL_FATAL(b->ops->petname(&b->layer, &dave));
	CU_ASSERT_STRING_EQUAL(b->ops->petname(&b->layer, &dave), "dave");
	folder_text(&w.folder, "psk.json", "{ }", 0600);
	CU_ASSERT(!ends_reload(&w, a, FILE_IS));
	CU_ASSERT(a->ops->known(&a->layer, &id)); /* As before. */
	ends_close(&w);
}

static void a_wrong_file_is_explained(void)
{
	static const struct {
		const char *text, *why;
	} row[] = {
		{ "{}", "file: no secret in it, so nobody could be reached" },
		{ "{ 'peers': {} }",
		  "file: no secret in it, so nobody could be reached" },
		{ "{ 'group': 'short' }", "file: line 1: the secret of 'group' has to be "
		                          "44 characters of base64, as "
		                          "'muses genpsk' makes it (32 bytes)" },
	};
	struct ends w;

	open_world(&w);
	for (size_t i = 0; i < COUNT(row); i++) {
		CU_ASSERT_PTR_NULL(add(&w, "alice", row[i].text));
		CU_ASSERT_STRING_EQUAL(w.why, row[i].why);
	}
	ends_close(&w);
}

static void shared_secrets_are_warned_of(void)
{
	struct ends w;
	struct end *a;

	open_world(&w);
	a = add(&w, "alice", "{ 'peers': { 'bob': '" ONES "', 'carol': '" ONES "' } }");
	CU_ASSERT_PTR_NOT_NULL_FATAL(a);
	CU_ASSERT_STRING_EQUAL(
		a->log,
		"bob and carol have the same secret: each can pass for the other\n");
	ends_close(&w);
}

/* ---- links --------------------------------------------------------------------------
 */

static void a_proof_holds_once_for_one_neighbour(void)
{
	static const uint8_t hello[] = "dialler, both hellos",
			     other[] = "listener, both hellos";
	uint8_t proof[MUSES_PROOF_MAX], bad[MUSES_PROOF_MAX];
	size_t size = 0;
	struct ends w;
	struct end *a, *b, *c, *d;

	open_world(&w);
	a = add(&w, "alice", GROUP);
	b = add(&w, "bob", GROUP);
	c = add(&w, "carol", GROUP);
	d = add(&w, "dave", "{ 'peers': { 'alice': '" TWOS "' } }");
	CU_ASSERT_EQUAL(
		a->ops->prove(&a->layer, &b->id, hello, sizeof(hello), proof, &size), 0);
	CU_ASSERT_EQUAL(size, 32);
#define VERIFY(who, from, text, bytes, count) \
	(who)->ops->verify(&(who)->layer, &(from)->id, text, sizeof(text), bytes, count)
	CU_ASSERT_EQUAL(VERIFY(b, a, hello, proof, size), 0);
	CU_ASSERT_EQUAL(VERIFY(b, a, other, proof, size), MUSES_EAUTH); /* Role. */
	CU_ASSERT_EQUAL(VERIFY(b, c, hello, proof, size), MUSES_EAUTH); /* Passed on. */
	CU_ASSERT_EQUAL(VERIFY(c, a, hello, proof, size), MUSES_EAUTH);
	CU_ASSERT_EQUAL(VERIFY(a, b, hello, proof, size), MUSES_EAUTH); /* Sent back. */
	CU_ASSERT_EQUAL(VERIFY(b, b, hello, proof, size), MUSES_EAUTH);
	CU_ASSERT_EQUAL(VERIFY(d, a, hello, proof, size),
	                MUSES_EAUTH); /* Another secret. */
	CU_ASSERT_EQUAL(VERIFY(d, b, hello, proof, size), MUSES_EAUTH); /* None. */
	for (size_t cut = 0; cut < size; cut++)
		CU_ASSERT_EQUAL(VERIFY(b, a, hello, proof, cut), MUSES_EAUTH);
	CU_ASSERT_EQUAL(VERIFY(b, a, hello, proof, size + 1), MUSES_EAUTH);
	for (size_t bit = 0; bit < 8 * size; bit++) {
		memcpy(bad, proof, size);
		bad[bit / 8] ^= (uint8_t)(1u << bit % 8);
		CU_ASSERT_EQUAL(VERIFY(b, a, hello, bad, size), MUSES_EAUTH);
	}
	CU_ASSERT_EQUAL(
		d->ops->prove(&d->layer, &b->id, hello, sizeof(hello), proof, &size),
		MUSES_EUNKNOWN);
	ends_close(&w);
}

/* ---- memory --------------------------------------------------------------------------
 */

static void out_of_memory_leaves_nothing_behind(void)
{
	struct ends w;
	struct end *a, *b;
	uint64_t before;
	bool blown = true;

	open_world(&w);
	a = add(&w, "alice", GROUP);
	b = add(&w, "bob", GROUP);
	before = core_mem_count();
	for (uint64_t n = 1; blown && n < 100; n++) {
		struct meeting m = { 0 };
		int err;

		core_mem_fuse(n);
		err = ends_meet(&m, a, b, NULL);
		blown = core_mem_blown();
		core_mem_fuse(0);
		CU_ASSERT_EQUAL(err, blown ? MUSES_ENOMEM : 0);
		CU_ASSERT_EQUAL(core_mem_count(), before);
	}
	CU_ASSERT(!blown);
	ends_close(&w);
}

static const struct tap_test tests[] = {
	{ "two of a group meet", two_of_a_group_meet },
	{ "an id is that of the name", an_id_is_that_of_the_name },
	{ "secrets decide who meets", secrets_decide_who_meets },
	{ "nobody meets himself", nobody_meets_himself },
	{ "another pattern is refused", another_pattern_is_refused },
	{ "nothing is said of the peer before it was heard",
	  nothing_is_said_of_the_peer_before_it_was_heard },
	{ "no handshake survives a change on the way",
	  no_handshake_survives_a_change_on_the_way },
	{ "a group resolves any name, a pair only its own",
	  a_group_resolves_any_name_a_pair_only_its_own },
	{ "each of many pairs has its secret", each_of_many_pairs_has_its_secret },
	{ "names that were asked for are remembered, but not without end",
	  names_that_were_asked_for_are_remembered_but_not_without_end },
	{ "a reload takes the new secrets", a_reload_takes_the_new_secrets },
	{ "a wrong file is explained", a_wrong_file_is_explained },
	{ "shared secrets are warned of", shared_secrets_are_warned_of },
	{ "a proof holds once, for one neighbour", a_proof_holds_once_for_one_neighbour },
	{ "out of memory leaves nothing behind", out_of_memory_leaves_nothing_behind },
	TAP_END
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, "psk", tests);
}
