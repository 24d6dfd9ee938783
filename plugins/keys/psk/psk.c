/* SPDX-License-Identifier: Apache-2.0 */
/*
 * psk: nodes that share secrets beforehand, as in the paper, and yet with keys
 * that a secret lost later does not give away: Noise NNpsk0.
 *
 *   HELLO_A  psk, e      sealed under the secret alone, so A says who it is in
 *                        the clear and B chooses the secret by that
 *   HELLO_B  e, ee       from here on forward secret
 *
 * A node's id is the hash of its name.  Who has the secret is the peer: with a
 * secret of a pair that is one node, with one of a group any of them.
 */
#include "plugins/keys/psk/ring.h"
#include "plugins/keys/slot.h"

#include <muses/noise.h>

#define PROOF_SIZE 32

struct psk_config {
	struct muses_file file;
};

static const struct muses_option psk_options[] = {
	MUSES_FILE(psk_config, file,
	           MUSES_OPTION_REQUIRED | MUSES_OPTION_SECRET | MUSES_OPTION_RELOAD,
	           "JSON file with a secret of the group, or of each peer, or both."),
	MUSES_OPTIONS_END,
};

struct psk {
	struct muses_id self;
	struct psk_ring *ring;
};

struct muses_handshake {
	struct muses_noise *noise;
	struct muses_id peer;
	bool heard; /* A message of the peer's was authentic. */
};

/* ---- the life of a layer -------------------------------------------------------- */

static int psk_check(const void *config, char *why, size_t why_size)
{
	const struct psk_config *c = config;
	struct psk_ring *ring = NULL;
	int err = psk_ring_open(&ring, &c->file, why, why_size);

	psk_ring_close(ring);
	return err;
}

/* Worth a word, but not worth refusing to work. */
static void warn(const struct muses_layer *l, const struct psk *s)
{
	const char *first, *second;

	if (muses_secrets_shared(psk_ring_secrets(s->ring), &first, &second))
		muses_log(l, MUSES_WARN,
		          "%s and %s have the same secret: each can pass for the other",
		          first, second);
	if (muses_secrets_named(psk_ring_secrets(s->ring), muses_node_name(l)) != NULL)
		muses_log(l, MUSES_WARN,
		          "the secret of %s is not used: that is this node",
		          muses_node_name(l));
}

static int psk_open(struct muses_layer *l, const void *config)
{
	const struct psk_config *c = config;
	struct psk *s = muses_zalloc(sizeof(*s));
	char why[256] = "cannot be read";
	int err;

	if (s == NULL)
		return muses_fail(l, MUSES_ENOMEM, "out of memory");
	err = muses_name_id(muses_node_name(l), &s->self);
	if (err == 0)
		err = psk_ring_open(&s->ring, &c->file, why, sizeof(why));
	if (err != 0) {
		muses_free(s);
		return muses_fail(l, err, "%s", why);
	}
	muses_set_self(l, s);
	warn(l, s);
	return 0;
}

static void psk_reload(struct muses_layer *l, const void *config)
{
	const struct psk_config *c = config;
	struct psk *s = muses_self(l);
	char why[256] = "";

	/* Checked already: what can fail is memory, and then the old ones stay. */
	if (psk_ring_reopen(&s->ring, &c->file, why, sizeof(why)) != 0)
		muses_log(l, MUSES_ERROR, "the secrets were not read again: %s", why);
	else
		warn(l, s);
}

static void psk_close(struct muses_layer *l)
{
	struct psk *s = muses_self(l);

	psk_ring_close(s->ring);
	muses_free(s);
}

/* ---- who is who ------------------------------------------------------------------- */

static int psk_identity(struct muses_layer *l, struct muses_id *id)
{
	const struct psk *s = muses_self(l);

	*id = s->self;
	return 0;
}

static int psk_resolve(struct muses_layer *l, const char *name, struct muses_id *id)
{
	struct psk *s = muses_self(l);
	int err;

	if (!muses_name_valid(name))
		return MUSES_EUNKNOWN;
	err = muses_name_id(name, id);
	if (err != 0 || muses_id_equal(id, &s->self))
		return err;
	if (psk_ring_secret(s->ring, id) == NULL)
		return MUSES_EUNKNOWN;
	psk_ring_learn(s->ring, id, name);
	return 0;
}

static const char *psk_petname(struct muses_layer *l, const struct muses_id *id)
{
	const struct psk *s = muses_self(l);

	return muses_id_equal(id, &s->self) ? muses_node_name(l)
	                                    : psk_ring_name(s->ring, id);
}

static const uint8_t *secret_of(const struct psk *s, const struct muses_id *id)
{
	return muses_id_equal(id, &s->self) ? NULL : psk_ring_secret(s->ring, id);
}

/* With a secret of the group, anybody may be one of it: the proof will tell. */
static bool psk_known(struct muses_layer *l, const struct muses_id *id)
{
	return secret_of(muses_self(l), id) != NULL;
}

static bool psk_distinct(struct muses_layer *l, const struct muses_id *id)
{
	const struct psk *s = muses_self(l);

	return !muses_id_equal(id, &s->self) && psk_ring_pairwise(s->ring, id);
}

/* ---- the handshake ----------------------------------------------------------------- */

static int psk_begin(struct muses_layer *l, enum muses_role role,
                     const struct muses_id *peer, uint8_t *pattern, uint8_t *messages,
                     const uint8_t *prologue, size_t prologue_size,
                     struct muses_handshake **handshake)
{
	struct psk *s = muses_self(l);
	const uint8_t *secret = peer == NULL ? NULL : secret_of(s, peer);
	uint8_t ephemeral[MUSES_NOISE_KEY_SIZE], slot[MUSES_NOISE_KEY_SIZE];
	struct muses_noise_setup setup = {
		.protocol = "Noise_NNpsk0_25519_ChaChaPoly_SHA256",
		.role = role,
		.prologue = prologue,
		.prologue_size = prologue_size,
		.local_ephemeral = ephemeral,
		.psk = { slot },
		.psk_count = 1,
	};
	struct muses_handshake *h;
	int err;

	*handshake = NULL;
	if (role == MUSES_RESPONDER && *pattern != KEYS_NNPSK0)
		return MUSES_EREFUSED;
	if (secret == NULL)
		return MUSES_EUNKNOWN;
	*pattern = KEYS_NNPSK0;
	*messages = 2;
	if (prologue == NULL)
		return 0;
	h = muses_zalloc(sizeof(*h));
	if (h == NULL)
		return MUSES_ENOMEM;
	h->peer = *peer;
	err = muses_random(l, ephemeral, sizeof(ephemeral));
	if (err == 0)
		err = keys_slot(secret, slot);
	if (err == 0)
		err = muses_noise_open(&h->noise, &setup);
	muses_cleanse(ephemeral, sizeof(ephemeral));
	muses_cleanse(slot, sizeof(slot));
	if (err != 0)
		muses_free(h);
	else
		*handshake = h;
	return err;
}

static int psk_write(struct muses_handshake *h, const uint8_t *payload,
                     size_t payload_size, uint8_t *message, size_t room, size_t *size)
{
	if (payload_size > MUSES_KEYS_PAYLOAD_MAX)
		return MUSES_EUSAGE;
	return muses_noise_write(h->noise, payload, payload_size, message, room, size);
}

static int psk_read(struct muses_handshake *h, const uint8_t *message, size_t size,
                    uint8_t *payload, size_t *payload_size)
{
	int err = muses_noise_read(h->noise, message, size, payload,
	                           MUSES_KEYS_PAYLOAD_MAX, payload_size);

	h->heard = h->heard || err == 0;
	return err == MUSES_ELIMIT ? MUSES_EMALFORMED : err;
}

static bool psk_peer(const struct muses_handshake *h, struct muses_id *id)
{
	if (h->heard)
		*id = h->peer;
	return h->heard;
}

static int psk_finish(struct muses_handshake *h, struct muses_shared *shared)
{
	return muses_noise_finish(h->noise, shared);
}

static void psk_end(struct muses_handshake *h)
{
	if (h == NULL)
		return;
	muses_noise_close(h->noise);
	muses_free(h);
}

/* ---- links ---------------------------------------------------------------------------
 */

/* A MAC over the transcript under a key of its own for each secret, prover and
 * verifier: shown to one neighbour, it convinces no other. */
static int mac(const uint8_t *secret, const struct muses_id *prover,
               const struct muses_id *verifier, const uint8_t *transcript,
               size_t transcript_size, uint8_t out[static PROOF_SIZE])
{
	static const char label[] = "MUSEs psk link v1";
	const struct muses_part name[] = { { label, sizeof(label) - 1 },
		                           { prover->bytes, MUSES_ID_SIZE },
		                           { verifier->bytes, MUSES_ID_SIZE } };
	const struct muses_part text = { transcript, transcript_size };
	uint8_t key[32];
	int err = muses_hmac_sha256(secret, 32, name, 3, key);

	if (err == 0)
		err = muses_hmac_sha256(key, sizeof(key), &text, 1, out);
	muses_cleanse(key, sizeof(key));
	return err;
}

static int psk_prove(struct muses_layer *l, const struct muses_id *peer,
                     const uint8_t *transcript, size_t transcript_size, uint8_t *proof,
                     size_t *proof_size)
{
	const struct psk *s = muses_self(l);
	const uint8_t *secret = secret_of(s, peer);

	if (secret == NULL)
		return MUSES_EUNKNOWN;
	*proof_size = PROOF_SIZE;
	return mac(secret, &s->self, peer, transcript, transcript_size, proof);
}

static int psk_verify(struct muses_layer *l, const struct muses_id *peer,
                      const uint8_t *transcript, size_t transcript_size,
                      const uint8_t *proof, size_t proof_size)
{
	const struct psk *s = muses_self(l);
	const uint8_t *secret = secret_of(s, peer);
	uint8_t want[PROOF_SIZE];
	bool good;

	if (secret == NULL || proof_size != PROOF_SIZE ||
	    mac(secret, peer, &s->self, transcript, transcript_size, want) != 0)
		return MUSES_EAUTH;
	good = muses_equal_secret(proof, want, PROOF_SIZE);
	muses_cleanse(want, sizeof(want));
	return good ? 0 : MUSES_EAUTH;
}

static const struct muses_keys_ops psk_ops = {
	.clear_source = true,
	.identity = psk_identity,
	.resolve = psk_resolve,
	.petname = psk_petname,
	.known = psk_known,
	.distinct = psk_distinct,
	.begin = psk_begin,
	.write = psk_write,
	.read = psk_read,
	.peer = psk_peer,
	.finish = psk_finish,
	.end = psk_end,
	.prove = psk_prove,
	.verify = psk_verify,
	.may_link = psk_known,
};

MUSES_PLUGIN(psk) = {
	MUSES_STAMP,
	.name = "psk",
	.summary = "secrets shared beforehand, of pairs or of a group",
	.kind = MUSES_KEYS,
	.options = psk_options,
	.config_size = sizeof(struct psk_config),
	MUSES_OPS(psk_ops),
	.check = psk_check,
	.open = psk_open,
	.reload = psk_reload,
	.close = psk_close,
};
