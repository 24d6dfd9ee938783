/* SPDX-License-Identifier: Apache-2.0 */
/*
 * noise: each node has a key of its own, as with ssh, and its id is the hash of it.
 *
 *   self     our identity key, and the X25519 keys it delegates to
 *   deleg    the statement that it does
 *   book     the peers file, shared secrets, delegations seen
 *   shake    IKpsk2 and XXpsk3 on the engine of libmuses
 *
 * This file is the record, names, and the proofs of links.
 */
#include "plugins/keys/noise/shake.h"

#include <muses/noise.h>
#include <muses/plugin.h>

#include <stdio.h>

struct noise_config {
	struct muses_file identity, peers, psk;
	uint32_t strangers;
};

enum { REFUSE = 0, ACCEPT };
static const char *const strangers_words[] = { "refuse", "accept", NULL };

static const struct muses_option noise_options[] = {
	MUSES_FILE(noise_config, identity, MUSES_OPTION_REQUIRED | MUSES_OPTION_SECRET,
	           "The key of this node, as 'muses genkey' makes it."),
	MUSES_FILE(noise_config, peers, MUSES_OPTION_RELOAD,
	           "Whom we know: a name and a public key in a line."),
	MUSES_FILE(noise_config, psk, MUSES_OPTION_SECRET | MUSES_OPTION_RELOAD,
	           "JSON file with secrets shared with some of the peers besides."),
	MUSES_CHOICE(noise_config, strangers, REFUSE, strangers_words,
	             "May nodes that are not in the peers file have sessions with us?"),
	MUSES_OPTIONS_END,
};

/* ---- the life of a layer ---------------------------------------------------------- */

static int read_identity(const struct noise_config *c, uint8_t *seed, char *why,
                         size_t why_size)
{
	char reason[256] = "";
	int err = muses_identity_parse(c->identity.data, c->identity.size, seed, reason,
	                               sizeof(reason));

	if (err != 0)
		snprintf(why, why_size, "identity: %s", reason);
	return err;
}

static int noise_check(const void *config, char *why, size_t why_size)
{
	const struct noise_config *c = config;
	struct book *book = NULL;
	uint8_t seed[32];
	int err = read_identity(c, seed, why, why_size);

	muses_cleanse(seed, sizeof(seed));
	if (err == 0)
		err = noise_book_open(&book, &c->peers, &c->psk, why, why_size);
	noise_book_close(book);
	return err;
}

/* Worth a word, but not worth refusing to work. */
static void warn(const struct muses_layer *l, const struct noise *n)
{
	const char *first, *second;

	if (noise_book_secrets(n->book) != NULL &&
	    muses_secrets_shared(noise_book_secrets(n->book), &first, &second))
		muses_log(l, MUSES_WARN, "%s and %s have the same secret", first, second);
	if (noise_book_unused_secret(n->book) != NULL)
		muses_log(l, MUSES_WARN, "the secret of %s is not used: it is not a peer",
		          noise_book_unused_secret(n->book));
}

static int noise_open(struct muses_layer *l, const void *config)
{
	const struct noise_config *c = config;
	struct noise *n = muses_zalloc(sizeof(*n));
	char why[256] = "";
	uint8_t seed[32] = { 0 };
	int err = n == NULL ? MUSES_ENOMEM : read_identity(c, seed, why, sizeof(why));

	if (err == 0)
		err = noise_self_init(&n->self, seed);
	muses_cleanse(seed, sizeof(seed));
	if (err == 0)
		err = noise_book_open(&n->book, &c->peers, &c->psk, why, sizeof(why));
	if (err != 0) {
		muses_free_secret(n, sizeof(*n));
		return muses_fail(l, err, "%s",
		                  why[0] != '\0' ? why : muses_strerror(err));
	}
	n->strangers = c->strangers == ACCEPT;
	muses_set_self(l, n);
	warn(l, n);
	return 0;
}

static void noise_reload(struct muses_layer *l, const void *config)
{
	const struct noise_config *c = config;
	struct noise *n = muses_self(l);
	struct book *book;
	char why[256] = "";

	/* Checked already: what can fail is memory, and then the old one stays. */
	if (noise_book_open(&book, &c->peers, &c->psk, why, sizeof(why)) != 0) {
		muses_log(l, MUSES_ERROR, "the peers were not read again: %s", why);
		return;
	}
	noise_book_inherit(book, n->book);
	noise_book_close(n->book);
	n->book = book;
	warn(l, n);
}

static void noise_close(struct muses_layer *l)
{
	struct noise *n = muses_self(l);

	noise_book_close(n->book);
	noise_self_release(&n->self);
	muses_free(n);
}

/* ---- who is who ----------------------------------------------------------------------
 */

static int noise_identity(struct muses_layer *l, struct muses_id *id)
{
	const struct noise *n = muses_self(l);

	*id = n->self.id;
	return 0;
}

static int noise_resolve(struct muses_layer *l, const char *name, struct muses_id *id)
{
	const struct noise *n = muses_self(l);
	const struct muses_peer *p = noise_book_named(n->book, name);

	/* The peers file goes before our own name: there it says whom we mean. */
	if (p != NULL)
		*id = p->id;
	else if (strcmp(name, muses_node_name(l)) == 0)
		*id = n->self.id;
	else
		return MUSES_EUNKNOWN;
	return 0;
}

static const char *noise_petname(struct muses_layer *l, const struct muses_id *id)
{
	const struct noise *n = muses_self(l);
	const struct muses_peer *p = noise_book_find(n->book, id);

	if (p != NULL)
		return p->name;
	return muses_id_equal(id, &n->self.id) ? muses_node_name(l) : NULL;
}

static bool noise_known(struct muses_layer *l, const struct muses_id *id)
{
	const struct noise *n = muses_self(l);

	return !muses_id_equal(id, &n->self.id) &&
	       (n->strangers || noise_book_find(n->book, id) != NULL);
}

static bool noise_may_link(struct muses_layer *l, const struct muses_id *id)
{
	const struct noise *n = muses_self(l);
	const struct muses_peer *p = noise_book_find(n->book, id);

	return p != NULL && p->may_link && !muses_id_equal(id, &n->self.id);
}

/* ---- links
 * ------------------------------------------------------------------------------ */

/*
 * A proof: version 1, public identity key 32, signature 64 over
 * "MUSEs link v1" || SHA-256(prover || verifier || transcript).
 *
 * Signed by the identity key itself.  The node holds it anyway, so a delegated
 * signature key would take nothing from who reads the node's memory, and cost
 * each link another signature to check.  The label keeps it from being taken for a
 * delegation.
 */
enum proof {
	PROOF_VERSION = 0,
	PROOF_KEY = PROOF_VERSION + 1,
	PROOF_SIGNATURE = PROOF_KEY + 32,
	PROOF_SIZE = PROOF_SIGNATURE + 64,
};
_Static_assert(PROOF_SIZE == 97 && PROOF_SIZE <= MUSES_PROOF_MAX, "doc/PROTOCOL says 97");

static const char link_label[] = "MUSEs link v1";
#define LINK_LABEL_SIZE (sizeof(link_label) - 1)

static int link_text(const struct muses_id *prover, const struct muses_id *verifier,
                     const uint8_t *transcript, size_t transcript_size,
                     uint8_t text[static LINK_LABEL_SIZE + 32])
{
	const struct muses_part part[] = { { prover->bytes, MUSES_ID_SIZE },
		                           { verifier->bytes, MUSES_ID_SIZE },
		                           { transcript, transcript_size } };

	memcpy(text, link_label, LINK_LABEL_SIZE);
	return muses_sha256(part, 3, text + LINK_LABEL_SIZE);
}

static int noise_prove(struct muses_layer *l, const struct muses_id *peer,
                       const uint8_t *transcript, size_t transcript_size, uint8_t *proof,
                       size_t *proof_size)
{
	const struct noise *n = muses_self(l);
	uint8_t text[LINK_LABEL_SIZE + 32];
	int err = link_text(&n->self.id, peer, transcript, transcript_size, text);

	if (err != 0)
		return err;
	proof[PROOF_VERSION] = 1;
	memcpy(proof + PROOF_KEY, n->self.public_key, sizeof(n->self.public_key));
	*proof_size = PROOF_SIZE;
	return muses_ed25519_sign(n->self.seed, text, sizeof(text),
	                          proof + PROOF_SIGNATURE);
}

static int noise_verify(struct muses_layer *l, const struct muses_id *peer,
                        const uint8_t *transcript, size_t transcript_size,
                        const uint8_t *proof, size_t proof_size)
{
	const struct noise *n = muses_self(l);
	uint8_t text[LINK_LABEL_SIZE + 32];
	struct muses_id id;

	if (proof_size != PROOF_SIZE || proof[PROOF_VERSION] != 1 ||
	    muses_key_id(proof + PROOF_KEY, &id) != 0 || !muses_id_equal(&id, peer) ||
	    muses_id_equal(&id, &n->self.id) ||
	    link_text(peer, &n->self.id, transcript, transcript_size, text) != 0)
		return MUSES_EAUTH;
	return muses_ed25519_verify(proof + PROOF_KEY, text, sizeof(text),
	                            proof + PROOF_SIGNATURE);
}

static const struct muses_keys_ops noise_ops = {
	.identity = noise_identity,
	.resolve = noise_resolve,
	.petname = noise_petname,
	.known = noise_known,
	.distinct = noise_known,
	.begin = noise_shake_begin,
	.write = noise_shake_write,
	.read = noise_shake_read,
	.peer = noise_shake_peer,
	.finish = noise_shake_finish,
	.end = noise_shake_end,
	.prove = noise_prove,
	.verify = noise_verify,
	.may_link = noise_may_link,
};

MUSES_PLUGIN(noise) = {
	MUSES_STAMP,
	.name = "noise",
	.summary = "a key for each node, known to its peers",
	.kind = MUSES_KEYS,
	.options = noise_options,
	.config_size = sizeof(struct noise_config),
	MUSES_OPS(noise_ops),
	.check = noise_check,
	.open = noise_open,
	.reload = noise_reload,
	.close = noise_close,
};
