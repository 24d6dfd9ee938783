/* SPDX-License-Identifier: Apache-2.0 */
/* The keys plugin noise: layers in one process, shaken hands with by hand. */
#include "core/mem.h"
#include "plugins/keys/noise/deleg.h"
#include "tests/ends.h"
#include "tests/tap.h"

#include <muses/identity.h>
#include <muses/noise.h>

extern const struct muses_plugin noise_LTX_muses_plugin;

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define ONES     "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="
#define TWOS     "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI="
#define DAY      (UINT64_C(24) * 3600 * MUSES_S)
#define IK       1
#define XX       2

static void open_world(struct ends *w)
{
	ends_open(w, &noise_LTX_muses_plugin);
}

/* Everybody's seed is the first letter of the name, 32 times. */
static void seed_of(const char *name, uint8_t *seed)
{
	memset(seed, name[0], 32);
}

static void id_of(const char *name, struct muses_id *id)
{
	uint8_t seed[32], key[32];

	seed_of(name, seed);
	CU_ASSERT_EQUAL(muses_ed25519_public(seed, key), 0);
	CU_ASSERT_EQUAL(muses_key_id(key, id), 0);
}

/* peers: names, blanks between. */
static void write_peers(struct ends *w, const char *file, const char *peers)
{
	char text[2048] = "", name[64];
	int used = 0;

	for (; sscanf(peers, "%63s%n", name, &used) == 1; peers += used) {
		uint8_t seed[32], key[32];

		seed_of(name, seed);
		CU_ASSERT_EQUAL(muses_ed25519_public(seed, key), 0);
		muses_peer_text(name, key, text + strlen(text));
	}
	folder_text(&w->folder, file, text, 0644);
}

/* A node that knows peers, with those secrets (the peers member of the JSON; NULL:
 * none) and more options (", 'strangers': 'accept'"; "": none). */
static struct end *add_with(struct ends *w, const char *name, const char *peers,
                            const char *secrets, const char *more)
{
	char text[MUSES_IDENTITY_TEXT_MAX], json[512];
	uint8_t seed[32];

	seed_of(name, seed);
	CU_ASSERT_EQUAL(muses_identity_text(seed, text), 0);
	folder_text(&w->folder, "key", text, 0600);
	write_peers(w, "peers", peers);
	if (secrets != NULL) {
		snprintf(json, sizeof(json), "{ \"peers\": { %s } }", secrets);
		folder_text(&w->folder, "psk", json, 0600);
	}
	snprintf(json, sizeof(json),
	         "{ 'plugin': 'noise', 'identity': 'key', 'peers': "
	         "'peers'%s%s }",
	         secrets != NULL ? ", 'psk': 'psk'" : "", more);
	return ends_add(w, name, json);
}

static struct end *add(struct ends *w, const char *name, const char *peers)
{
	struct end *e = add_with(w, name, peers, NULL, "");

	CU_ASSERT_PTR_NOT_NULL_FATAL(e);
	return e;
}

/* ---- both patterns --------------------------------------------------------------------
 */

static void first_contact_takes_three_messages_then_two_do(void)
{
	struct ends w;
	struct meeting m = { 0 };
	struct end *a, *b;

	open_world(&w);
	a = add(&w, "alice", "bob");
	b = add(&w, "bob", "carol alice");
	CU_ASSERT(!a->ops->clear_source);
	CU_ASSERT_EQUAL(ends_meet(&m, a, b, NULL), 0);
	CU_ASSERT_EQUAL(m.pattern, XX);
	CU_ASSERT_EQUAL(m.messages, 3);
	CU_ASSERT(muses_id_equal(&m.peer[0], &b->id) &&
	          muses_id_equal(&m.peer[1], &a->id));
	CU_ASSERT(m.size[2] <= 512 - 64); /* HELLO_A is filled up to 512. */
	for (unsigned i = 0; i < 3; i++) {
		CU_ASSERT_EQUAL(ends_meet(&m, a, b, NULL), 0);
		CU_ASSERT_EQUAL(m.pattern, IK);
		CU_ASSERT_EQUAL(m.messages, 2);
		CU_ASSERT(muses_id_equal(&m.peer[0], &b->id) &&
		          muses_id_equal(&m.peer[1], &a->id));
		CU_ASSERT(m.size[2] <= m.size[1] + 16);
		/* And the other way round: b has seen a's delegation as well. */
		CU_ASSERT_EQUAL(ends_meet(&m, b, a, NULL), 0);
		CU_ASSERT_EQUAL(m.pattern, IK);
	}
	ends_close(&w);
}

static void an_id_is_that_of_the_key(void)
{
	struct ends w;
	struct muses_id id;
	struct end *a;

	open_world(&w);
	a = add(&w, "alice", "");
	id_of("alice", &id);
	CU_ASSERT(muses_id_equal(&a->id, &id));
	ends_close(&w);
}

static void sessions_of_two_handshakes_share_no_secret(void)
{
	struct ends w;
	struct meeting m = { 0 }, again = { 0 };
	struct end *a, *b;

	open_world(&w);
	a = add(&w, "alice", "bob");
	b = add(&w, "bob", "alice");
	CU_ASSERT_EQUAL(ends_meet(&m, a, b, NULL), 0);
	for (unsigned i = 0; i < 2; i++) {
		CU_ASSERT_EQUAL(ends_meet(&again, a, b, NULL), 0);
		CU_ASSERT(memcmp(m.shared[0].i2r, again.shared[0].i2r, 32) != 0);
		CU_ASSERT(memcmp(m.shared[0].exporter, again.shared[0].exporter, 32) !=
		          0);
		m = again;
	}
	CU_ASSERT(memcmp(m.shared[0].i2r, m.shared[0].r2i, 32) != 0);
	ends_close(&w);
}

static void a_peer_that_was_started_anew_is_still_met_at_once(void)
{
	struct ends w;
	struct meeting m = { 0 };
	struct end *a, *b;

	open_world(&w);
	a = add(&w, "alice", "bob");
	b = add(&w, "bob", "alice");
	CU_ASSERT_EQUAL(ends_meet(&m, a, b, NULL), 0);
	b = add(&w, "bob", "alice"); /* The same key, a memory of its own. */
	CU_ASSERT_EQUAL(ends_meet(&m, a, b, NULL), 0);
	CU_ASSERT_EQUAL(m.pattern, IK);
	ends_close(&w);
}

static void delegations_are_renewed_while_peers_meet(void)
{
	struct ends w;
	struct meeting m = { 0 };
	struct end *a, *b;

	open_world(&w);
	a = add(&w, "alice", "bob");
	b = add(&w, "bob", "alice");
	CU_ASSERT_EQUAL(ends_meet(&m, a, b, NULL), 0);
	/* A year of meeting every ten days: each finds one that holds. */
	for (unsigned i = 0; i < 36; i++) {
		core_loop_advance(w.loop, 10 * DAY);
		CU_ASSERT_EQUAL(ends_meet(&m, a, b, NULL), 0);
		CU_ASSERT_EQUAL(m.pattern, IK);
	}
	ends_close(&w);
}

static void an_expired_delegation_means_first_contact_again(void)
{
	struct ends w;
	struct meeting m = { 0 };
	struct end *a, *b;

	open_world(&w);
	a = add(&w, "alice", "bob");
	b = add(&w, "bob", "alice");
	CU_ASSERT_EQUAL(ends_meet(&m, a, b, NULL), 0);
	core_loop_advance(w.loop, 31 * DAY);
	CU_ASSERT_EQUAL(ends_meet(&m, a, b, NULL), 0);
	CU_ASSERT_EQUAL(m.pattern, XX);
	CU_ASSERT_EQUAL(ends_meet(&m, a, b, NULL), 0);
	CU_ASSERT_EQUAL(m.pattern, IK);
	ends_close(&w);
}

/* b's clock is a month ahead: it does not have the key any more. */
static void two_short_handshakes_for_nothing_make_a_long_one(void)
{
	struct ends w, later;
	struct meeting m = { 0 };
	struct end *a, *b, *b_later;

	open_world(&w);
	open_world(&later);
	a = add(&w, "alice", "bob");
	b = add(&w, "bob", "alice");
	core_loop_advance(later.loop, 45 * DAY);
	b_later = add(&later, "bob", "alice");
	CU_ASSERT_EQUAL(ends_meet(&m, a, b, NULL), 0);
	CU_ASSERT_EQUAL(ends_meet(&m, a, b_later, NULL), MUSES_EAUTH);
	CU_ASSERT_EQUAL(m.pattern, IK);
	CU_ASSERT_EQUAL(ends_counted(b_later, "delegation not in use any more"), 1);
	CU_ASSERT_EQUAL(ends_meet(&m, a, b, NULL), 0); /* One in between counts. */
	CU_ASSERT_EQUAL(m.pattern, IK);
	for (unsigned i = 0; i < 2; i++) {
		CU_ASSERT_EQUAL(ends_meet(&m, a, b_later, NULL), MUSES_EAUTH);
		CU_ASSERT_EQUAL(m.pattern, IK);
	}
	CU_ASSERT_EQUAL(ends_meet(&m, a, b, NULL), 0);
	CU_ASSERT_EQUAL(m.pattern, XX);
	CU_ASSERT_EQUAL(ends_meet(&m, a, b, NULL), 0);
	CU_ASSERT_EQUAL(m.pattern, IK);
	ends_close(&w);
	ends_close(&later);
}

static void clocks_a_month_apart_do_not_meet(void)
{
	struct ends w, later;
	struct meeting m = { 0 };
	struct end *a, *b;

	open_world(&w);
	open_world(&later);
	core_loop_advance(later.loop, 45 * DAY);
	a = add(&w, "alice", "bob");
	b = add(&later, "bob", "alice");
	CU_ASSERT_EQUAL(ends_meet(&m, a, b, NULL), MUSES_EAUTH);
	CU_ASSERT_EQUAL(ends_counted(a, "delegation not valid yet"), 1);
	CU_ASSERT_EQUAL(ends_meet(&m, b, a, NULL), MUSES_EAUTH);
	CU_ASSERT_EQUAL(ends_counted(b, "delegation expired"), 1);
	ends_close(&w);
	ends_close(&later);
}

/* ---- who
 * --------------------------------------------------------------------------------- */

static void another_who_answers_does_not_learn_who_called(void)
{
	struct ends w;
	struct meeting m = { 0 };
	struct muses_id carol;
	struct end *a, *b;

	open_world(&w);
	a = add(&w, "alice", "bob carol");
	b = add(&w, "bob", "alice");
	id_of("carol", &carol);
	CU_ASSERT_EQUAL(ends_meet(&m, a, b, &carol), MUSES_EAUTH);
	CU_ASSERT_EQUAL(ends_counted(a, "delegation of another node"), 1);
	CU_ASSERT_EQUAL(m.size[3], 0); /* Message 3 was never written. */
	ends_close(&w);
}

static void strangers_are_refused_or_let_in(void)
{
	static const struct {
		const char *a_peers, *b_peers, *b_more;
		int err;
		const char *why;
	} row[] = {
		{ "bob", "alice", "", 0, "they know one another" },
		{ "", "alice", "", MUSES_EUNKNOWN, "a does not know b" },
		{ "bob", "carol", "", MUSES_EAUTH, "b does not know a" },
		{ "bob", "", "", MUSES_EAUTH, "b knows nobody" },
		{ "bob", "carol", ", 'strangers': 'accept'", 0, "b lets strangers in" },
		{ "bob", "carol", ", 'strangers': 'refuse'", MUSES_EAUTH, "b says so" },
	};

	for (size_t i = 0; i < COUNT(row); i++) {
		struct ends w;
		struct meeting m = { 0 };
		struct end *a, *b;
		int err;

		open_world(&w);
		a = add(&w, "alice", row[i].a_peers);
		b = add_with(&w, "bob", row[i].b_peers, NULL, row[i].b_more);
		CU_ASSERT_PTR_NOT_NULL_FATAL(b);
		err = ends_meet(&m, a, b, NULL);
		TAP_NOTE_IF(err != row[i].err, "%s: %s", row[i].why, muses_strerror(err));
		CU_ASSERT_EQUAL(err, row[i].err);
		CU_ASSERT_EQUAL(ends_counted(b, "stranger"), err == MUSES_EAUTH);
		CU_ASSERT_EQUAL(b->ops->known(&b->layer, &a->id),
		                err == 0 || err == MUSES_EUNKNOWN);
		/* Nothing is kept of strangers. */
		if (row[i].b_more[0] != '\0' && err == 0) {
			CU_ASSERT_EQUAL(ends_meet(&m, b, a, NULL), 0);
			CU_ASSERT_EQUAL(m.pattern, XX);
		}
		ends_close(&w);
	}
}

static void nobody_meets_himself(void)
{
	struct ends w;
	struct meeting m = { 0 };
	struct end *a;

	open_world(&w);
	a = add_with(&w, "alice", "alice bob", NULL, ", 'strangers': 'accept'");
	CU_ASSERT_PTR_NOT_NULL_FATAL(a);
	CU_ASSERT_EQUAL(ends_meet(&m, a, a, NULL), MUSES_EUNKNOWN);
	CU_ASSERT(!a->ops->known(&a->layer, &a->id));
	CU_ASSERT(!a->ops->may_link(&a->layer, &a->id));
	ends_close(&w);
}

/* Mallory has heard deleg from its owner, and shows it as if it were his own. */
static int call_with(struct end *to, const uint8_t *deleg, const uint8_t *secret)
{
	static const uint8_t prologue[] = "prologue", ephemeral[32] = { 3 };
	const struct muses_noise_setup setup = {
		.protocol = "Noise_XXpsk3_25519_ChaChaPoly_SHA256",
		.role = MUSES_INITIATOR,
		.prologue = prologue,
		.prologue_size = sizeof(prologue),
		.local_static = secret,
		.local_ephemeral = ephemeral,
		.psk = { (const uint8_t[32]){ 0 } },
		.psk_count = 1,
	};
	uint8_t message[MUSES_KEYS_MESSAGE_MAX], out[MUSES_KEYS_MESSAGE_MAX],
		whole[DELEG_HEAD] = { 0, DELEG_SIZE }, pattern = XX, messages;
	struct muses_handshake *h = NULL;
	struct muses_noise *n = NULL;
	struct muses_id id;
	size_t size, out_size;
	int err;

	CU_ASSERT_EQUAL_FATAL(muses_noise_open(&n, &setup), 0);
	CU_ASSERT_EQUAL_FATAL(to->ops->begin(&to->layer, MUSES_RESPONDER, NULL, &pattern,
	                                     &messages, prologue, sizeof(prologue), &h),
	                      0);
	CU_ASSERT_EQUAL(muses_noise_write(n, NULL, 0, message, sizeof(message), &size),
	                0);
	CU_ASSERT_EQUAL(to->ops->read(h, message, size, out, &out_size), 0);
	CU_ASSERT(!to->ops->peer(h, &id));
	CU_ASSERT_EQUAL(to->ops->write(h, NULL, 0, message, sizeof(message), &size), 0);
	CU_ASSERT_EQUAL(muses_noise_read(n, message, size, out, sizeof(out), &out_size),
	                0);
	memcpy(whole + 2, deleg, DELEG_SIZE);
	memset(message, 0, 16);
	CU_ASSERT_EQUAL(muses_noise_write(n, whole, sizeof(whole), message + 16,
	                                  sizeof(message) - 16, &size),
	                0);
	err = to->ops->read(h, message, 16 + size, out, &out_size);
	CU_ASSERT_EQUAL(to->ops->peer(h, &id), err == 0);
	to->ops->end(h);
	muses_noise_close(n);
	return err;
}

static void a_delegation_is_of_no_use_to_who_hears_it(void)
{
	static const uint8_t secret[32] = { 8 };
	struct ends w;
	struct deleg d = { .seq = 1 };
	uint8_t seed[32], bytes[DELEG_SIZE];
	uint64_t now_s;
	struct end *b;

	open_world(&w);
	b = add(&w, "bob", "alice");
	now_s = core_loop_wall_clock(w.loop) / MUSES_S;
	d.not_before = now_s;
	d.not_after = now_s + 3600;
	CU_ASSERT_EQUAL(muses_x25519_public(secret, d.x25519), 0);
	seed_of("alice", seed);
	CU_ASSERT_EQUAL(muses_ed25519_public(seed, d.identity), 0);
	CU_ASSERT_EQUAL(noise_deleg_sign(&d, seed, bytes), 0);
	/* With the key it was given to, it is good: the test is fair. */
	CU_ASSERT_EQUAL(call_with(b, bytes, secret), 0);
	CU_ASSERT_EQUAL(call_with(b, bytes, (const uint8_t[32]){ 24 }), MUSES_EAUTH);
	CU_ASSERT_EQUAL(ends_counted(b, "delegation for another key"), 1);
	/* Bob's own. */
	seed_of("bob", seed);
	CU_ASSERT_EQUAL(muses_ed25519_public(seed, d.identity), 0);
	CU_ASSERT_EQUAL(noise_deleg_sign(&d, seed, bytes), 0);
	CU_ASSERT_EQUAL(call_with(b, bytes, secret), MUSES_EAUTH);
	CU_ASSERT_EQUAL(ends_counted(b, "handshake with ourselves"), 1);
	ends_close(&w);
}

static void what_is_not_sealed_is_not_accepted(void)
{
	static const uint8_t prologue[] = "prologue", key[32] = { 3 };
	const struct muses_noise_setup setup = {
		.protocol = "Noise_XXpsk3_25519_ChaChaPoly_SHA256",
		.role = MUSES_INITIATOR,
		.prologue = prologue,
		.prologue_size = sizeof(prologue),
		.local_static = key,
		.local_ephemeral = key,
	};
	uint8_t message[64], out[MUSES_KEYS_PAYLOAD_MAX], pattern = XX, messages;
	struct muses_handshake *h = NULL;
	struct muses_noise *n = NULL;
	size_t size, out_size;
	struct end *b;
	struct ends w;

	open_world(&w);
	b = add(&w, "bob", "alice");
	CU_ASSERT_EQUAL_FATAL(muses_noise_open(&n, &setup), 0);
	CU_ASSERT_EQUAL_FATAL(b->ops->begin(&b->layer, MUSES_RESPONDER, NULL, &pattern,
	                                    &messages, prologue, sizeof(prologue), &h),
	                      0);
	CU_ASSERT_EQUAL(muses_noise_write(n, key, 1, message, sizeof(message), &size), 0);
	CU_ASSERT_EQUAL(b->ops->read(h, message, size, out, &out_size), MUSES_EMALFORMED);
	b->ops->end(h);
	muses_noise_close(n);
	ends_close(&w);
}

static void names_are_those_of_the_peers_file(void)
{
	struct ends w;
	struct muses_id id, want;
	struct end *a;

	open_world(&w);
	a = add(&w, "alice", "bob");
	CU_ASSERT_EQUAL(a->ops->resolve(&a->layer, "bob", &id), 0);
	id_of("bob", &want);
	CU_ASSERT(muses_id_equal(&id, &want));
	CU_ASSERT_STRING_EQUAL(a->ops->petname(&a->layer, &id), "bob");
	CU_ASSERT(a->ops->known(&a->layer, &id) && a->ops->distinct(&a->layer, &id));
	CU_ASSERT_EQUAL(a->ops->resolve(&a->layer, "carol", &id), MUSES_EUNKNOWN);
	CU_ASSERT_EQUAL(a->ops->resolve(&a->layer, "", &id), MUSES_EUNKNOWN);
	CU_ASSERT_EQUAL(a->ops->resolve(&a->layer, "alice", &id), 0);
	CU_ASSERT(muses_id_equal(&id, &a->id));
	CU_ASSERT_STRING_EQUAL(a->ops->petname(&a->layer, &id), "alice");
	id_of("carol", &id);
	CU_ASSERT_PTR_NULL(a->ops->petname(&a->layer, &id));
	CU_ASSERT(!a->ops->known(&a->layer, &id));
	ends_close(&w);
}

static void a_reload_takes_the_new_peers(void)
{
	static const char options[] =
		"{ 'plugin': 'noise', 'identity': 'key', 'peers': 'peers' }";
	struct ends w;
	struct meeting m = { 0 };
	struct end *a, *b, *c;

	open_world(&w);
	b = add(&w, "bob", "alice");
	c = add(&w, "carol", "alice");
	a = add(&w, "alice", "bob");
	CU_ASSERT_EQUAL(ends_meet(&m, a, b, NULL), 0);
	CU_ASSERT_EQUAL(ends_meet(&m, a, c, NULL), MUSES_EUNKNOWN);
	/* carol comes; what was seen of bob stays. */
	write_peers(&w, "peers", "carol bob");
	CU_ASSERT(ends_reload(&w, a, options));
	CU_ASSERT_EQUAL(ends_meet(&m, a, b, NULL), 0);
	CU_ASSERT_EQUAL(m.pattern, IK);
	CU_ASSERT_EQUAL(ends_meet(&m, a, c, NULL), 0);
	CU_ASSERT_EQUAL(m.pattern, XX);
	/* bob goes. */
	write_peers(&w, "peers", "carol");
	CU_ASSERT(ends_reload(&w, a, options));
	CU_ASSERT(!a->ops->known(&a->layer, &b->id));
	CU_ASSERT_EQUAL(ends_meet(&m, a, b, NULL), MUSES_EUNKNOWN);
	CU_ASSERT_EQUAL(ends_meet(&m, b, a, NULL), MUSES_EAUTH);
	CU_ASSERT_EQUAL(m.pattern, IK);
	CU_ASSERT_EQUAL(ends_counted(a, "stranger"), 1);
	/* A mistake changes nothing. */
	folder_text(&w.folder, "peers", "bob\n", 0644);
	CU_ASSERT(!ends_reload(&w, a, options));
	CU_ASSERT(a->ops->known(&a->layer, &c->id));
	ends_close(&w);
}

/* ---- secrets besides
 * ------------------------------------------------------------------------ */

static void a_shared_secret_is_needed_at_both_ends(void)
{
	static const struct {
		const char *a, *b;
		bool meet;
		const char *why;
	} row[] = {
		{ NULL, NULL, true, "none" },
		{ "\"bob\": \"" ONES "\"", "\"alice\": \"" ONES "\"", true, "the same" },
		{ "\"bob\": \"" ONES "\"", "\"alice\": \"" TWOS "\"", false, "two" },
		{ "\"bob\": \"" ONES "\"", NULL, false, "only alice has one" },
		{ NULL, "\"alice\": \"" ONES "\"", false, "only bob has one" },
		{ "\"bob\": \"" ONES "\"", "\"carol\": \"" ONES "\"", false,
		  "bob shares it with carol" },
		{ "\"bob\": \"" ONES "\"",
		  "\"carol\": \"" TWOS "\", \"alice\": \"" ONES "\"", true,
		  "bob shares others with others" },
		{ "\"bob\": \"" TWOS "\"",
		  "\"carol\": \"" TWOS "\", \"alice\": \"" ONES "\"", false,
		  "alice has carol's" },
	};

	for (size_t i = 0; i < COUNT(row); i++) {
		struct ends w;
		struct meeting m = { 0 };
		struct end *a, *b;
		int err;

		open_world(&w);
		a = add_with(&w, "alice", "bob", row[i].a, "");
		b = add_with(&w, "bob", "alice carol", row[i].b, "");
		CU_ASSERT_FATAL(a != NULL && b != NULL);
		err = ends_meet(&m, a, b, NULL);
		TAP_NOTE_IF((err == 0) != row[i].meet, "XX: %s", row[i].why);
		CU_ASSERT_EQUAL(err, row[i].meet ? 0 : MUSES_EAUTH);
		/* Alice has bob's delegation now, from message 2. */
		err = ends_meet(&m, a, b, NULL);
		CU_ASSERT_EQUAL(m.pattern, IK);
		TAP_NOTE_IF((err == 0) != row[i].meet, "IK: %s", row[i].why);
		CU_ASSERT_EQUAL(err, row[i].meet ? 0 : MUSES_EAUTH);
		ends_close(&w);
	}
}

static void the_hint_at_a_secret_is_another_one_each_time(void)
{
	/* Seen from outside by the messages: a third of XX that begin alike would
	 * show that the same two nodes meet again. */
	static const uint8_t prologue[] = "p";
	static const char label[] = "MUSEs psk hint v1";
	uint8_t first[2][16], e[2][32], secret[32], mac[32],
		message[MUSES_KEYS_MESSAGE_MAX], out[MUSES_KEYS_PAYLOAD_MAX];
	struct ends w;
	struct end *a, *b;
	size_t size, out_size;

	open_world(&w);
	a = add_with(&w, "alice", "bob", "\"bob\": \"" ONES "\"", "");
	b = add_with(&w, "bob", "alice", "\"alice\": \"" ONES "\"", "");
	CU_ASSERT_FATAL(a != NULL && b != NULL);
	for (unsigned i = 0; i < 2; i++) {
		struct muses_handshake *h[2];
		uint8_t pattern = 0, messages;

		core_loop_advance(w.loop, 40 * DAY); /* Forget what was seen. */
		CU_ASSERT_EQUAL(a->ops->begin(&a->layer, MUSES_INITIATOR, &b->id,
		                              &pattern, &messages, prologue, 1, &h[0]),
		                0);
		CU_ASSERT_EQUAL(pattern, XX);
		CU_ASSERT_EQUAL(b->ops->begin(&b->layer, MUSES_RESPONDER, NULL, &pattern,
		                              &messages, prologue, 1, &h[1]),
		                0);
		CU_ASSERT_EQUAL(
			a->ops->write(h[0], NULL, 0, message, sizeof(message), &size), 0);
		CU_ASSERT_EQUAL(size, 32 + 16); /* Nothing but e, and a tag. */
		memcpy(e[0], message, 32);
		CU_ASSERT_EQUAL(b->ops->read(h[1], message, size, out, &out_size), 0);
		CU_ASSERT_EQUAL(
			b->ops->write(h[1], NULL, 0, message, sizeof(message), &size), 0);
		memcpy(e[1], message, 32);
		CU_ASSERT_EQUAL(a->ops->read(h[0], message, size, out, &out_size), 0);
		CU_ASSERT_EQUAL(
			a->ops->write(h[0], NULL, 0, message, sizeof(message), &size), 0);
		memcpy(first[i], message, 16);
		memset(secret, 1, sizeof(secret));
		CU_ASSERT_EQUAL(muses_hmac_sha256(secret, 32,
		                                  (const struct muses_part[]){
							  { label, sizeof(label) - 1 },
							  { e, sizeof(e) },
						  },
		                                  2, mac),
		                0);
		CU_ASSERT(memcmp(message, mac, 16) == 0);
		CU_ASSERT_EQUAL(b->ops->read(h[1], message, size, out, &out_size), 0);
		a->ops->end(h[0]);
		b->ops->end(h[1]);
	}
	CU_ASSERT(memcmp(first[0], first[1], 16) != 0);
	ends_close(&w);
}

static void secrets_that_look_wrong_are_warned_of(void)
{
	struct ends w;
	struct end *a;

	open_world(&w);
	a = add_with(&w, "alice", "bob", "\"bob\": \"" ONES "\", \"carol\": \"" ONES "\"",
	             "");
	CU_ASSERT_PTR_NOT_NULL_FATAL(a);
	CU_ASSERT_STRING_EQUAL(a->log,
	                       "bob and carol have the same secret\n"
	                       "the secret of carol is not used: it is not a peer\n");
	ends_close(&w);
}

/* ---- on the way
 * ---------------------------------------------------------------------------- */

/* pattern: which one to try.  Each handshake that fails is followed by one that does
 * not, so that the next is short again; for the long one, time goes by. */
static void try_all(uint8_t pattern, const char *a_secret, const char *b_secret)
{
	struct ends w;
	struct meeting m = { 0 };
	struct end *a, *b;

	open_world(&w);
	a = add_with(&w, "alice", "bob", a_secret, "");
	b = add_with(&w, "bob", "alice", b_secret, "");
	CU_ASSERT_FATAL(a != NULL && b != NULL);
	do
		CU_ASSERT_EQUAL_FATAL(ends_meet(&m, a, b, NULL), 0)
	while (m.pattern != pattern);
	for (unsigned number = 1; number <= (pattern == IK ? 2 : 3); number++) {
		for (size_t i = 0; i < m.size[number]; i++) {
			struct meeting bad = { .flip_message = number,
				               .flip = true,
				               .flip_bit = 8 * i + i % 8 };
			struct meeting cut = { .flip_message = number,
				               .cut_bytes = i + 1 };
			struct meeting well = { 0 };
			int err;

			if (pattern == XX)
				core_loop_advance(w.loop, 40 * DAY);
			err = ends_meet(&bad, a, b, NULL);
			TAP_NOTE_IF(err != MUSES_EAUTH, "message %u, byte %zu", number,
			            i);
			CU_ASSERT_EQUAL(err, MUSES_EAUTH);
			CU_ASSERT_EQUAL(bad.pattern, pattern);
			if (pattern == XX)
				core_loop_advance(w.loop, 40 * DAY);
			err = ends_meet(&cut, a, b, NULL);
			CU_ASSERT(err == MUSES_EAUTH || err == MUSES_EMALFORMED);
			CU_ASSERT_EQUAL(cut.pattern, pattern);
			if (pattern == IK)
				do
					CU_ASSERT_EQUAL_FATAL(
						ends_meet(&well, a, b, NULL), 0)
				while (well.pattern != IK);
		}
	}
	if (pattern == XX)
		core_loop_advance(w.loop, 40 * DAY);
	m = (struct meeting){ .tampered = true };
	CU_ASSERT_EQUAL(ends_meet(&m, a, b, NULL), MUSES_EAUTH);
	CU_ASSERT_EQUAL(m.pattern, pattern);
	ends_close(&w);
}

static void no_long_handshake_survives_a_change_on_the_way(void)
{
	try_all(XX, NULL, NULL);
}

static void no_long_handshake_with_a_secret_survives_a_change(void)
{
	try_all(XX, "\"bob\": \"" ONES "\"", "\"alice\": \"" ONES "\"");
}

static void no_short_handshake_survives_a_change_on_the_way(void)
{
	try_all(IK, "\"bob\": \"" ONES "\"", "\"alice\": \"" ONES "\"");
}

static void calls_out_of_order_are_refused(void)
{
	static const uint8_t prologue[] = "p";
	uint8_t message[MUSES_KEYS_MESSAGE_MAX] = { 0 }, out[MUSES_KEYS_PAYLOAD_MAX],
		large[MUSES_KEYS_PAYLOAD_MAX + 1] = { 0 };
	struct muses_shared shared;
	struct muses_handshake *h[2];
	size_t size, out_size;
	struct end *a, *b;
	struct ends w;

	open_world(&w);
	a = add(&w, "alice", "bob");
	b = add(&w, "bob", "alice");
	for (unsigned round = 0; round < 2; round++) { /* XX, then IK. */
		uint8_t pattern = 0, messages;

		CU_ASSERT_EQUAL(a->ops->begin(&a->layer, MUSES_INITIATOR, &b->id,
		                              &pattern, &messages, prologue, 1, &h[0]),
		                0);
		CU_ASSERT_EQUAL(b->ops->begin(&b->layer, MUSES_RESPONDER, NULL, &pattern,
		                              &messages, prologue, 1, &h[1]),
		                0);
		for (unsigned n = 0; n < messages; n++) {
			struct muses_handshake *writer = h[n % 2],
					       *reader = h[(n + 1) % 2];

			CU_ASSERT_EQUAL(a->ops->write(reader, NULL, 0, message,
			                              sizeof(message), &size),
			                MUSES_EUSAGE);
			CU_ASSERT_EQUAL(
				a->ops->read(writer, message, 300, out, &out_size),
				MUSES_EUSAGE);
			CU_ASSERT_EQUAL(a->ops->finish(writer, &shared), MUSES_EUSAGE);
			CU_ASSERT_EQUAL(a->ops->finish(reader, &shared), MUSES_EUSAGE);
			CU_ASSERT_EQUAL(a->ops->write(writer, large, sizeof(large),
			                              message, sizeof(message), &size),
			                MUSES_EUSAGE);
			/* In the clear nothing may go. */
			if (round == 0 && n == 0)
				CU_ASSERT_EQUAL(a->ops->write(writer, large, 1, message,
				                              sizeof(message), &size),
				                MUSES_EUSAGE);
			CU_ASSERT_EQUAL(a->ops->write(writer, NULL, 0, message,
			                              sizeof(message), &size),
			                0);
			CU_ASSERT_EQUAL(
				a->ops->read(reader, message, size, out, &out_size), 0);
			CU_ASSERT_EQUAL(out_size, 0);
		}
		for (unsigned i = 0; i < 2; i++) {
			CU_ASSERT_EQUAL(a->ops->write(h[i], NULL, 0, message,
			                              sizeof(message), &size),
			                MUSES_EUSAGE);
			CU_ASSERT_EQUAL(a->ops->read(h[i], message, 300, out, &out_size),
			                MUSES_EUSAGE);
			CU_ASSERT_EQUAL(a->ops->finish(h[i], &shared), 0);
			a->ops->end(h[i]);
		}
	}
	a->ops->end(NULL);
	ends_close(&w);
}

static void another_pattern_is_refused(void)
{
	struct ends w;
	struct end *a;

	open_world(&w);
	a = add(&w, "alice", "bob");
	for (unsigned p = 0; p < 256; p++) {
		struct muses_handshake *h = NULL;
		uint8_t pattern = (uint8_t)p, messages = 0;
		int err = a->ops->begin(&a->layer, MUSES_RESPONDER, NULL, &pattern,
		                        &messages, (const uint8_t *)"x", 1, &h);
		bool ours = p == IK || p == XX;

		CU_ASSERT_EQUAL(err, ours ? 0 : MUSES_EREFUSED);
		CU_ASSERT_EQUAL(h != NULL, ours);
		a->ops->end(h);
	}
	ends_close(&w);
}

static void messages_of_any_size_are_survived(void)
{
	uint8_t message[1200], out[MUSES_KEYS_PAYLOAD_MAX];
	struct ends w;
	struct end *a;

	open_world(&w);
	a = add(&w, "alice", "bob");
	memset(message, 9, sizeof(message));
	for (size_t size = 0; size <= sizeof(message); size += 7) {
		for (uint8_t pattern = IK; pattern <= XX; pattern++) {
			struct muses_handshake *h = NULL;
			uint8_t messages, p = pattern;
			size_t out_size;
			int err;

			CU_ASSERT_EQUAL(a->ops->begin(&a->layer, MUSES_RESPONDER, NULL,
			                              &p, &messages, (const uint8_t *)"x",
			                              1, &h),
			                0);
			err = a->ops->read(h, message, size, out, &out_size);
			CU_ASSERT(err == MUSES_EAUTH || err == MUSES_EMALFORMED);
			if (err == MUSES_EAUTH)
				CU_ASSERT_EQUAL(
					a->ops->read(h, message, size, out, &out_size),
					MUSES_EUSAGE);
			a->ops->end(h);
		}
	}
	ends_close(&w);
}

/* ---- links
 * ---------------------------------------------------------------------------------- */

static void a_proof_holds_once_for_one_neighbour(void)
{
	static const uint8_t hello[] = "dialler, both hellos",
			     other[] = "listener, both hellos";
	uint8_t proof[MUSES_PROOF_MAX], bad[MUSES_PROOF_MAX];
	uint8_t text[13 + 32], seed[32];
	size_t size = 0;
	struct ends w;
	struct end *a, *b, *c;

	open_world(&w);
	a = add(&w, "alice", "bob");
	b = add(&w, "bob", "");
	c = add(&w, "carol", "alice");
	CU_ASSERT_EQUAL(
		a->ops->prove(&a->layer, &b->id, hello, sizeof(hello), proof, &size), 0);
	CU_ASSERT_EQUAL(size, 97);
#define VERIFY(who, from, text, bytes, count) \
	(who)->ops->verify(&(who)->layer, &(from)->id, text, sizeof(text), bytes, count)
	/* Whoever it is: may_link() decides who may. */
	CU_ASSERT_EQUAL(VERIFY(b, a, hello, proof, size), 0);
	CU_ASSERT_EQUAL(VERIFY(b, a, other, proof, size), MUSES_EAUTH); /* Role. */
	CU_ASSERT_EQUAL(VERIFY(b, c, hello, proof, size), MUSES_EAUTH); /* Passed on. */
	CU_ASSERT_EQUAL(VERIFY(c, a, hello, proof, size), MUSES_EAUTH);
	CU_ASSERT_EQUAL(VERIFY(a, b, hello, proof, size), MUSES_EAUTH); /* Sent back. */
	for (size_t cut = 0; cut < size; cut++)
		CU_ASSERT_EQUAL(VERIFY(b, a, hello, proof, cut), MUSES_EAUTH);
	CU_ASSERT_EQUAL(VERIFY(b, a, hello, proof, size + 1), MUSES_EAUTH);
	for (size_t bit = 0; bit < 8 * size; bit++) {
		memcpy(bad, proof, size);
		bad[bit / 8] ^= (uint8_t)(1u << bit % 8);
		CU_ASSERT_EQUAL(VERIFY(b, a, hello, bad, size), MUSES_EAUTH);
	}
	/* Carol signs that she is alice, and shows carol's key. */
	memcpy(text, "MUSEs link v1", 13);
	CU_ASSERT_EQUAL(
		muses_sha256((const struct muses_part[]){ { &a->id, 32 },
	                                                  { &b->id, 32 },
	                                                  { hello, sizeof(hello) } },
	                     3, text + 13),
		0);
	seed_of("carol", seed);
	proof[0] = 1;
	CU_ASSERT_EQUAL(muses_ed25519_public(seed, proof + 1), 0);
	CU_ASSERT_EQUAL(muses_ed25519_sign(seed, text, sizeof(text), proof + 33), 0);
	CU_ASSERT_EQUAL(VERIFY(b, a, hello, proof, size), MUSES_EAUTH);
	seed_of("alice", seed);
	CU_ASSERT_EQUAL(muses_ed25519_public(seed, proof + 1), 0);
	CU_ASSERT_EQUAL(muses_ed25519_sign(seed, text, sizeof(text), proof + 33), 0);
	CU_ASSERT_EQUAL(VERIFY(b, a, hello, proof, size), 0); /* The test is fair. */
	/* Our own, sent back to us. */
	CU_ASSERT_EQUAL(
		b->ops->prove(&b->layer, &b->id, hello, sizeof(hello), proof, &size), 0);
	CU_ASSERT_EQUAL(VERIFY(b, b, hello, proof, size), MUSES_EAUTH);
	ends_close(&w);
}

static void a_peer_may_be_kept_from_linking(void)
{
	struct ends w;
	struct muses_id id;
	struct end *a;
	char text[256];

	open_world(&w);
	write_peers(&w, "peers", "bob");
	snprintf(text, sizeof(text),
	         "bob ed25519:"
	         "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo= nolink\n"
	         "carol ed25519:"
	         "PUAXw+hDiVqStwqnTRt+vJyYLM8uxJaMwM1V8Sr0Zgw=\n");
	a = add_with(&w, "alice", "", NULL, "");
	CU_ASSERT_PTR_NOT_NULL_FATAL(a);
	folder_text(&w.folder, "peers", text, 0644);
	CU_ASSERT(ends_reload(
		&w, a, "{ 'plugin': 'noise', 'identity': 'key', 'peers': 'peers' }"));
	CU_ASSERT_EQUAL(a->ops->resolve(&a->layer, "bob", &id), 0);
	CU_ASSERT(a->ops->known(&a->layer, &id));
	CU_ASSERT(!a->ops->may_link(&a->layer, &id));
	CU_ASSERT_EQUAL(a->ops->resolve(&a->layer, "carol", &id), 0);
	CU_ASSERT(a->ops->may_link(&a->layer, &id));
	id_of("dave", &id);
	CU_ASSERT(!a->ops->may_link(&a->layer, &id));
	ends_close(&w);
}

/* ---- files and memory
 * ----------------------------------------------------------------------- */

static void a_wrong_file_is_explained(void)
{
	static const struct {
		const char *file, *text, *why;
	} row[] = {
		{ "key", "muses-identity 2\n",
		  "identity: line 1: this is version '2', and we know version 1" },
		{ "peers", "bob\n",
		  "peers: line 1: want a key behind 'bob', as 'muses pubkey' prints it "
		  "(ed25519:...)" },
		{ "psk", "[]", "psk: line 1: want '{' first" },
		{ "psk", "{ \"group\": \"" ONES "\" }",
		  "psk: 'group' is not for this plugin: want \"peers\" only" },
	};

	for (size_t i = 0; i < COUNT(row); i++) {
		struct ends w;

		open_world(&w);
		CU_ASSERT_PTR_NOT_NULL(add_with(&w, "alice", "bob", "", ""));
		folder_text(&w.folder, row[i].file, row[i].text, 0600);
		CU_ASSERT_PTR_NULL(ends_add(&w, "alice",
		                            "{ 'plugin': 'noise', 'identity': 'key', "
		                            "'peers': 'peers', 'psk': 'psk' }"));
		CU_ASSERT_STRING_EQUAL(w.why, row[i].why);
		ends_close(&w);
	}
}

static void peers_and_secrets_may_be_left_out(void)
{
	struct ends w;
	struct end *a;
	struct muses_id id;

	open_world(&w);
	CU_ASSERT_PTR_NOT_NULL(add(&w, "alice", ""));
	a = ends_add(&w, "alice", "{ 'plugin': 'noise', 'identity': 'key' }");
	CU_ASSERT_PTR_NOT_NULL_FATAL(a);
	CU_ASSERT_EQUAL(a->ops->resolve(&a->layer, "bob", &id), MUSES_EUNKNOWN);
	ends_close(&w);
}

static void out_of_memory_leaves_nothing_behind(void)
{
	struct ends w;
	struct end *a, *b;
	uint64_t before;

	open_world(&w);
	a = add(&w, "alice", "bob");
	b = add(&w, "bob", "alice");
	/* Counters stay once they are there. */
	for (unsigned side = 0; side < 2; side++) {
		struct muses_layer *l = side == 0 ? &a->layer : &b->layer;

		muses_count(l, "handshakes at first contact");
		muses_count(l, "handshakes with a key at hand");
	}
	before = core_mem_count();
	for (unsigned round = 0; round < 2; round++) {
		bool blown = true;

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
	}
	ends_close(&w);
}

static const struct tap_test tests[] = {
	{ "first contact takes three messages, then two do",
	  first_contact_takes_three_messages_then_two_do },
	{ "an id is that of the key", an_id_is_that_of_the_key },
	{ "sessions of two handshakes share no secret",
	  sessions_of_two_handshakes_share_no_secret },
	{ "a peer that was started anew is still met at once",
	  a_peer_that_was_started_anew_is_still_met_at_once },
	{ "delegations are renewed while peers meet",
	  delegations_are_renewed_while_peers_meet },
	{ "an expired delegation means first contact again",
	  an_expired_delegation_means_first_contact_again },
	{ "two short handshakes for nothing make a long one",
	  two_short_handshakes_for_nothing_make_a_long_one },
	{ "clocks a month apart do not meet", clocks_a_month_apart_do_not_meet },
	{ "another who answers does not learn who called",
	  another_who_answers_does_not_learn_who_called },
	{ "strangers are refused or let in", strangers_are_refused_or_let_in },
	{ "nobody meets himself", nobody_meets_himself },
	{ "a delegation is of no use to who hears it",
	  a_delegation_is_of_no_use_to_who_hears_it },
	{ "what is not sealed is not accepted", what_is_not_sealed_is_not_accepted },
	{ "names are those of the peers file", names_are_those_of_the_peers_file },
	{ "a reload takes the new peers", a_reload_takes_the_new_peers },
	{ "a shared secret is needed at both ends",
	  a_shared_secret_is_needed_at_both_ends },
	{ "the hint at a secret is another one each time",
	  the_hint_at_a_secret_is_another_one_each_time },
	{ "secrets that look wrong are warned of",
	  secrets_that_look_wrong_are_warned_of },
	{ "no long handshake survives a change on the way",
	  no_long_handshake_survives_a_change_on_the_way },
	{ "no long handshake with a secret survives a change",
	  no_long_handshake_with_a_secret_survives_a_change },
	{ "no short handshake survives a change on the way",
	  no_short_handshake_survives_a_change_on_the_way },
	{ "calls out of order are refused", calls_out_of_order_are_refused },
	{ "another pattern is refused", another_pattern_is_refused },
	{ "messages of any size are survived", messages_of_any_size_are_survived },
	{ "a proof holds once, for one neighbour", a_proof_holds_once_for_one_neighbour },
	{ "a peer may be kept from linking", a_peer_may_be_kept_from_linking },
	{ "a wrong file is explained", a_wrong_file_is_explained },
	{ "peers and secrets may be left out", peers_and_secrets_may_be_left_out },
	{ "out of memory leaves nothing behind", out_of_memory_leaves_nothing_behind },
	TAP_END
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, "noise_plugin", tests);
}
