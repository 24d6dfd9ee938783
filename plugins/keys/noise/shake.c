/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See shake.h.  What a newcomer gets wrong: Noise authenticates an X25519 key and
 * nothing else.  Whose key it is says the delegation, and nothing may happen in the
 * peer's name before admit() has looked at it.
 */
#include "plugins/keys/noise/shake.h"
#include "plugins/keys/slot.h"

#include <muses/noise.h>

struct muses_handshake {
	struct muses_layer *layer;
	struct muses_noise *noise; /* IK, responder: only from message 1 on. */
	enum muses_role role;
	uint8_t pattern;
	unsigned done; /* Messages written and read. */
	bool finished;

	struct muses_id peer;
	bool wanted;   /* Initiator: peer is who we called. */
	bool admitted; /* peer has shown who it is. */
	uint64_t seq;  /* IK, initiator: of the delegation relied upon. */

	bool has_secret; /* Shared with the peer, or, in XX, hinted at by it. */
	uint8_t secret[32];
	uint8_t ephemeral[2]
			 [MUSES_NOISE_KEY_SIZE]; /* XX: both public, initiator's first. */
	uint8_t deleg[DELEG_SIZE];               /* Ours, as it was at the beginning. */
	size_t prologue_size;
	uint8_t prologue[];
};

static uint64_t wall_s(const struct muses_layer *l)
{
	return muses_wall_clock(l) / MUSES_S;
}

/* The network caused it: a counter, and the end of this handshake. */
static int refuse(struct muses_handshake *h, const char *reason)
{
	muses_count(h->layer, reason);
	return MUSES_EAUTH;
}

/* ---- beginning ----------------------------------------------------------------------
 */

static int open_noise(struct muses_handshake *h, const uint8_t *local,
                      const uint8_t *remote)
{
	uint8_t ephemeral[MUSES_NOISE_KEY_SIZE];
	struct muses_noise_setup setup = {
		.protocol = h->pattern == KEYS_IKPSK2
		                    ? "Noise_IKpsk2_25519_ChaChaPoly_SHA256"
		                    : "Noise_XXpsk3_25519_ChaChaPoly_SHA256",
		.role = h->role,
		.prologue = h->prologue,
		.prologue_size = h->prologue_size,
		.local_static = local,
		.remote_static = remote,
		.local_ephemeral = ephemeral,
	};
	int err = muses_random(h->layer, ephemeral, sizeof(ephemeral));

	if (err == 0)
		err = muses_noise_open(&h->noise, &setup);
	muses_cleanse(ephemeral, sizeof(ephemeral));
	return err;
}

static int set_secret(struct muses_handshake *h, const uint8_t *secret)
{
	uint8_t slot[32];
	int err;

	h->has_secret = secret != NULL;
	if (secret != NULL)
		memcpy(h->secret, secret, sizeof(h->secret));
	err = keys_slot(secret, slot);
	if (err == 0)
		err = muses_noise_set_psk(h->noise, 0, slot);
	muses_cleanse(slot, sizeof(slot));
	return err;
}

/* Is there a delegation of peer's to rely upon? */
static const struct book_seen *relied(const struct noise *n, const struct muses_id *peer,
                                      uint64_t now_s)
{
	const struct book_seen *seen = noise_book_seen(n->book, peer);

	return seen != NULL && noise_deleg_current(&seen->deleg, now_s) ? seen : NULL;
}

static int begin_noise(struct muses_handshake *h, const struct noise *n)
{
	const struct book_seen *seen = NULL;
	int err;

	if (h->role == MUSES_RESPONDER)
		/* IK: message 1 says which of our keys it is for. */
		return h->pattern == KEYS_IKPSK2
		               ? 0
		               : open_noise(h, n->self.now.secret, NULL);
	if (h->pattern == KEYS_IKPSK2) {
		seen = noise_book_seen(n->book, &h->peer);
		h->seq = seen->deleg.seq;
	}
	err = open_noise(h, n->self.now.secret, seen == NULL ? NULL : seen->deleg.x25519);
	return err != 0 ? err : set_secret(h, noise_book_secret(n->book, &h->peer));
}

int noise_shake_begin(struct muses_layer *l, enum muses_role role,
                      const struct muses_id *peer, uint8_t *pattern, uint8_t *messages,
                      const uint8_t *prologue, size_t prologue_size,
                      struct muses_handshake **handshake)
{
	struct noise *n = muses_self(l);
	uint64_t now_s = wall_s(l);
	struct muses_handshake *h;
	int err;

	*handshake = NULL;
	if (role == MUSES_INITIATOR) {
		if (peer == NULL || muses_id_equal(peer, &n->self.id) ||
		    (!n->strangers && noise_book_find(n->book, peer) == NULL))
			return MUSES_EUNKNOWN;
		*pattern = relied(n, peer, now_s) != NULL ? KEYS_IKPSK2 : KEYS_XXPSK3;
	}
	if (*pattern != KEYS_IKPSK2 && *pattern != KEYS_XXPSK3)
		return MUSES_EREFUSED;
	*messages = *pattern == KEYS_IKPSK2 ? 2 : 3;
	if (prologue == NULL)
		return 0;
	err = noise_self_refresh(&n->self, now_s);
	if (err != 0)
		return err;
	h = muses_zalloc(sizeof(*h) + prologue_size);
	if (h == NULL)
		return MUSES_ENOMEM;
	h->layer = l;
	h->role = role;
	h->pattern = *pattern;
	h->wanted = role == MUSES_INITIATOR;
	if (h->wanted)
		h->peer = *peer;
	memcpy(h->deleg, n->self.deleg, sizeof(h->deleg));
	h->prologue_size = prologue_size;
	memcpy(h->prologue, prologue, prologue_size);
	err = begin_noise(h, n);
	if (err != 0) {
		noise_shake_end(h);
		return err;
	}
	*handshake = h;
	return 0;
}

/* ---- the peer ------------------------------------------------------------------------
 */

/* Is the Noise key delegated, and to somebody we talk to?  The sum of
 * doc/PROTOCOL's checks of a delegation, in its order. */
static int admit(struct muses_handshake *h, const struct deleg_parts *parts)
{
	struct noise *n = muses_self(h->layer);
	const uint8_t *remote = muses_noise_remote_static(h->noise);
	const struct book_seen *seen;
	struct muses_id id = h->peer;
	struct deleg d;
	const char *wrong;

	if (parts->deleg_size != DELEG_SIZE)
		return refuse(h, "delegation of a wrong size");
	/* Of whoever it is, if we did not call: the second field holds the key. */
	if (!h->wanted && muses_key_id(parts->deleg + 2, &id) != 0)
		return MUSES_ECRYPTO;
	if (muses_id_equal(&id, &n->self.id))
		return refuse(h, "handshake with ourselves");
	seen = noise_book_seen(n->book, &id);
	wrong = noise_deleg_check(&d, parts->deleg, parts->deleg_size, &id,
	                          wall_s(h->layer), seen == NULL ? NULL : seen->bytes);
	if (wrong != NULL)
		return refuse(h, wrong);
	/* The answer in IK may bring a newer delegation than the one we relied upon;
	 * that one, still in force, is what authenticates. */
	if (memcmp(d.x25519, remote, sizeof(d.x25519)) != 0 &&
	    !(h->wanted && h->pattern == KEYS_IKPSK2 && d.seq > h->seq))
		return refuse(h, "delegation for another key");
	if (!n->strangers && noise_book_find(n->book, &id) == NULL)
		return refuse(h, "stranger");
	h->peer = id;
	h->admitted = true;
	noise_book_see(n->book, &id, &d, parts->deleg);
	return 0;
}

/* ---- secrets at first contact
 * ----------------------------------------------------------- */

static int make_hint(const struct muses_handshake *h, const uint8_t *secret,
                     uint8_t hint[static SHAKE_HINT_SIZE])
{
	static const char label[] = "MUSEs psk hint v1";
	const struct muses_part part[] = {
		{ label, sizeof(label) - 1 },
		{ h->ephemeral[0], sizeof(h->ephemeral[0]) },
		{ h->ephemeral[1], sizeof(h->ephemeral[1]) },
	};
	uint8_t mac[32];
	int err = muses_hmac_sha256(secret, 32, part, 3, mac);

	memcpy(hint, mac, SHAKE_HINT_SIZE);
	return err;
}

static int take_hint(struct muses_handshake *h, const uint8_t *hint)
{
	static const uint8_t none[SHAKE_HINT_SIZE];
	const struct noise *n = muses_self(h->layer);
	uint8_t want[SHAKE_HINT_SIZE];

	if (memcmp(hint, none, sizeof(none)) == 0)
		return set_secret(h, NULL);
	for (size_t i = 0; i < noise_book_secret_count(n->book); i++) {
		const uint8_t *secret = noise_book_secret_at(n->book, i);

		if (make_hint(h, secret, want) == 0 &&
		    muses_equal_secret(hint, want, sizeof(want)))
			return set_secret(h, secret);
	}
	return refuse(h, "secret not known here");
}

/* Was it the secret that this peer must use?  Two peers of one secret are told apart
 * by their keys, so equal bytes are enough. */
static int check_secret(struct muses_handshake *h)
{
	const struct noise *n = muses_self(h->layer);
	const uint8_t *secret = noise_book_secret(n->book, &h->peer);

	if ((secret != NULL) != h->has_secret ||
	    (secret != NULL && !muses_equal_secret(secret, h->secret, sizeof(h->secret))))
		return refuse(h, "another secret than agreed");
	return 0;
}

/* ---- messages
 * ------------------------------------------------------------------------------ */

static bool our_turn(const struct muses_handshake *h, bool writing)
{
	bool initiators = h->done % 2 == 0;

	return h->done < (h->pattern == KEYS_IKPSK2 ? 2u : 3u) &&
	       (initiators == (h->role == MUSES_INITIATOR)) == writing;
}

/* What stands in front of the Noise message. */
static size_t front_size(const struct muses_handshake *h)
{
	if (h->pattern == KEYS_IKPSK2)
		return h->done == 0 ? 1 : 0;
	return h->done == 2 ? SHAKE_HINT_SIZE : 0;
}

static int write_front(const struct muses_handshake *h, uint8_t *message)
{
	if (front_size(h) == 1)
		message[0] = (uint8_t)h->seq;
	if (front_size(h) != SHAKE_HINT_SIZE)
		return 0;
	if (h->has_secret)
		return make_hint(h, h->secret, message);
	memset(message, 0, SHAKE_HINT_SIZE);
	return 0;
}

/* XX: both ephemeral keys begin the first two messages. */
static void keep_ephemeral(struct muses_handshake *h, const uint8_t *message)
{
	if (h->pattern == KEYS_XXPSK3 && h->done < 2)
		memcpy(h->ephemeral[h->done], message, MUSES_NOISE_KEY_SIZE);
}

int noise_shake_write(struct muses_handshake *h, const uint8_t *payload,
                      size_t payload_size, uint8_t *message, size_t room, size_t *size)
{
	uint8_t whole[DELEG_HEAD + MUSES_KEYS_PAYLOAD_MAX] = { 0, DELEG_SIZE };
	size_t front = front_size(h), whole_size = DELEG_HEAD + payload_size;
	int err;

	if (!our_turn(h, true) || payload_size > MUSES_KEYS_PAYLOAD_MAX)
		return MUSES_EUSAGE;
	if (room < front)
		return MUSES_ELIMIT;
	if (h->pattern == KEYS_XXPSK3 && h->done == 0) {
		/* Sealed, but under a key made of e alone. */
		if (payload_size > 0)
			return MUSES_EUSAGE;
		whole_size = 0;
	}
	memcpy(whole + 2, h->deleg, DELEG_SIZE);
	if (payload_size > 0)
		memcpy(whole + DELEG_HEAD, payload, payload_size);
	err = write_front(h, message);
	if (err == 0)
		err = muses_noise_write(h->noise, whole, whole_size, message + front,
		                        room - front, size);
	if (err == 0) {
		keep_ephemeral(h, message);
		*size += front;
		h->done++;
	}
	muses_cleanse(whole, sizeof(whole));
	return err;
}

/* Do with the front what must be done before Noise reads the rest. */
static int read_front(struct muses_handshake *h, const uint8_t *front)
{
	const struct noise *n = muses_self(h->layer);
	const struct self_key *key;

	if (h->pattern == KEYS_XXPSK3)
		return h->done == 2 ? take_hint(h, front) : 0;
	if (h->done != 0)
		return 0;
	key = noise_self_key(&n->self, front[0]);
	if (key == NULL)
		return refuse(h, "delegation not in use any more");
	return open_noise(h, key->secret, NULL);
}

static int read_whole(struct muses_handshake *h, const uint8_t *whole, size_t whole_size,
                      uint8_t *payload, size_t *payload_size)
{
	const struct noise *n = muses_self(h->layer);
	struct deleg_parts parts = { 0 };
	int err;

	if (h->pattern == KEYS_XXPSK3 && h->done == 0) {
		*payload_size = 0;
		return whole_size == 0 ? 0 : MUSES_EMALFORMED;
	}
	if (!noise_deleg_split(&parts, whole, whole_size) ||
	    parts.payload_size > MUSES_KEYS_PAYLOAD_MAX)
		return MUSES_EMALFORMED;
	err = admit(h, &parts);
	if (err == 0 && h->role == MUSES_RESPONDER)
		err = h->pattern == KEYS_IKPSK2
		              ? set_secret(h, noise_book_secret(n->book, &h->peer))
		              : check_secret(h);
	if (err != 0) {
		h->admitted = false;
		return err;
	}
	memcpy(payload, parts.payload, parts.payload_size);
	*payload_size = parts.payload_size;
	return 0;
}

int noise_shake_read(struct muses_handshake *h, const uint8_t *message, size_t size,
                     uint8_t *payload, size_t *payload_size)
{
	uint8_t whole[MUSES_KEYS_MESSAGE_MAX];
	size_t front = front_size(h), whole_size = 0;
	int err;

	if (!our_turn(h, false))
		return MUSES_EUSAGE;
	if (size > MUSES_KEYS_MESSAGE_MAX || size < front + MUSES_NOISE_KEY_SIZE)
		return MUSES_EMALFORMED;
	err = read_front(h, message);
	if (err == 0)
		err = muses_noise_read(h->noise, message + front, size - front, whole,
		                       sizeof(whole), &whole_size);
	if (err == 0) {
		keep_ephemeral(h, message);
		err = read_whole(h, whole, whole_size, payload, payload_size);
	}
	h->done = err == 0 ? h->done + 1 : 3; /* No way on after a mistake. */
	muses_cleanse(whole, sizeof(whole));
	return err;
}

/* ---- the end
 * ----------------------------------------------------------------------------------- */

bool noise_shake_peer(const struct muses_handshake *h, struct muses_id *id)
{
	if (h->admitted)
		*id = h->peer;
	return h->admitted;
}

int noise_shake_finish(struct muses_handshake *h, struct muses_shared *shared)
{
	int err = h->admitted && h->noise != NULL ? muses_noise_finish(h->noise, shared)
	                                          : MUSES_EUSAGE;

	h->finished = err == 0;
	if (h->finished)
		muses_count(h->layer, h->pattern == KEYS_IKPSK2
		                              ? "handshakes with a key at hand"
		                              : "handshakes at first contact");
	return err;
}

void noise_shake_end(struct muses_handshake *h)
{
	if (h == NULL)
		return;
	if (h->wanted && h->pattern == KEYS_IKPSK2)
		noise_book_relied(((struct noise *)muses_self(h->layer))->book, &h->peer,
		                  h->seq, h->finished);
	muses_noise_close(h->noise);
	muses_free_secret(h, sizeof(*h) + h->prologue_size);
}
