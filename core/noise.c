/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One side of a Noise handshake: a list of tokens per message, walked by
 * whoever writes it and by whoever reads it.
 *
 * The names s, e, rs, re are those of the specification.  What a newcomer gets
 * wrong: a message is checked for length, for missing keys and for room before
 * anything changes, because from the first token on there is no way back; a
 * handshake that fails after that is dead.
 */
#include "core/symmetric.h"

#include <muses/plugin.h>

#define KEY_SIZE   MUSES_NOISE_KEY_SIZE
#define NAME_LIMIT 96 /* Longest protocol name we look at. */
#define PSK_MAX    4

/* The tokens of the specification, as characters of a string per message:
 * e, s: send that public key;  1 ee, 2 es, 3 se, 4 ss: agree;  p: the next
 * pre-shared key. */
#define TOKENS_MAX   12
#define MESSAGES_MAX 3

static const struct pattern {
	const char *name;
	bool initiator_known, responder_known; /* Static keys shared before. */
	const char *message[MESSAGES_MAX + 1];
} patterns[] = {
	{ "NN", false, false, { "e", "e1" } },
	{ "KK", true, true, { "e24", "e13" } },
	{ "XX", false, false, { "e", "e1s2", "s3" } },
	{ "IK", false, true, { "e2s4", "e13" } },
	{ "XK", false, true, { "e2", "e1", "s3" } },
};

struct muses_noise {
	struct core_symmetric state;
	bool initiator;
	bool dead;
	bool with_psk; /* Then e is mixed into the key as well (specification, 9.2). */

	char message[MESSAGES_MAX][TOKENS_MAX]; /* With the psk tokens put in. */
	size_t message_count;
	size_t at;     /* The message to come. */
	size_t psk_at; /* The psk token to come. */
	size_t psk_count;

	bool has_rs, has_re;
	bool has_psk[PSK_MAX];
	uint8_t s[KEY_SIZE], s_public[KEY_SIZE];
	uint8_t e[KEY_SIZE], e_public[KEY_SIZE];
	uint8_t rs[KEY_SIZE], re[KEY_SIZE];
	uint8_t psk[PSK_MAX][KEY_SIZE];
};

/* ---- tokens ------------------------------------------------------------------ */

static int agree(struct muses_noise *n, const uint8_t *ours, const uint8_t *theirs)
{
	uint8_t shared[KEY_SIZE];
	int err = muses_x25519(ours, theirs, shared);

	if (err == 0)
		err = core_mix_key(&n->state, shared, KEY_SIZE);
	muses_cleanse(shared, sizeof(shared));
	return err;
}

/* The tokens that are the same for the writer and the reader. */
static int mix_token(struct muses_noise *n, char token)
{
	switch (token) {
	case '1':
		return agree(n, n->e, n->re);
	case '2':
		return n->initiator ? agree(n, n->e, n->rs) : agree(n, n->s, n->re);
	case '3':
		return n->initiator ? agree(n, n->s, n->re) : agree(n, n->e, n->rs);
	case '4':
		return agree(n, n->s, n->rs);
	default:
		return core_mix_key_and_hash(&n->state, n->psk[n->psk_at++]);
	}
}

static int mix_ephemeral(struct muses_noise *n, const uint8_t *key)
{
	int err = core_mix_hash(&n->state, key, KEY_SIZE);

	return err == 0 && n->with_psk ? core_mix_key(&n->state, key, KEY_SIZE) : err;
}

static int write_token(struct muses_noise *n, char token, uint8_t **out)
{
	switch (token) {
	case 'e':
		memcpy(*out, n->e_public, KEY_SIZE);
		*out += KEY_SIZE;
		return mix_ephemeral(n, n->e_public);
	case 's':
		return core_encrypt_and_hash(&n->state, n->s_public, KEY_SIZE, out);
	default:
		return mix_token(n, token);
	}
}

static int read_token(struct muses_noise *n, char token, const uint8_t **in)
{
	int err;

	switch (token) {
	case 'e':
		memcpy(n->re, *in, KEY_SIZE);
		*in += KEY_SIZE;
		/* Nobody honest sends another form of a number, or our own message back.
		 */
		if (!core_field_canonical(n->re) ||
		    memcmp(n->re, n->e_public, KEY_SIZE) == 0)
			return MUSES_EAUTH;
		n->has_re = true;
		return mix_ephemeral(n, n->re);
	case 's':
		err = core_decrypt_and_hash(&n->state, in, KEY_SIZE, n->rs);
		n->has_rs = err == 0;
		return err;
	default:
		return mix_token(n, token);
	}
}

/* Is it this side's turn to write (or to read) a message that it has the keys
 * for?  *overhead: what the message is longer than its payload. */
static bool ready(const struct muses_noise *n, bool writing, size_t *overhead)
{
	bool ours = (n->at % 2 == 0) == n->initiator;
	bool has_k = n->state.has_k;
	size_t psk = n->psk_at;

	*overhead = 0;
	if (n->dead || n->at == n->message_count || ours != writing)
		return false;
	for (const char *t = n->message[n->at]; *t != '\0'; t++) {
		if (*t == 'p' && !n->has_psk[psk++])
			return false;
		if (*t == 'e' || *t == 's')
			*overhead += KEY_SIZE;
		if (*t == 's' && has_k)
			*overhead += CORE_TAG_SIZE;
		if ((*t != 'e' && *t != 's') || (*t == 'e' && n->with_psk))
			has_k = true;
	}
	*overhead += has_k ? CORE_TAG_SIZE : 0;
	return true;
}

int muses_noise_write(struct muses_noise *n, const uint8_t *payload, size_t payload_size,
                      uint8_t *message, size_t room, size_t *size)
{
	uint8_t *out = message;
	size_t overhead;
	int err = 0;

	if (!ready(n, true, &overhead))
		return MUSES_EUSAGE;
	if (room < overhead || room - overhead < payload_size)
		return MUSES_ELIMIT;
	for (const char *t = n->message[n->at]; err == 0 && *t != '\0'; t++)
		err = write_token(n, *t, &out);
	if (err == 0)
		err = core_encrypt_and_hash(&n->state, payload, payload_size, &out);
	if (err != 0) {
		n->dead = true;
		return err;
	}
	n->at++;
	*size = (size_t)(out - message);
	return 0;
}

int muses_noise_read(struct muses_noise *n, const uint8_t *message, size_t size,
                     uint8_t *payload, size_t room, size_t *payload_size)
{
	const uint8_t *in = message;
	size_t overhead;
	int err = 0;

	if (!ready(n, false, &overhead))
		return MUSES_EUSAGE;
	if (size < overhead)
		return MUSES_EMALFORMED;
	if (size - overhead > room)
		return MUSES_ELIMIT;
	for (const char *t = n->message[n->at]; err == 0 && *t != '\0'; t++)
		err = read_token(n, *t, &in);
	if (err == 0)
		err = core_decrypt_and_hash(&n->state, &in, size - overhead, payload);
	if (err != 0) {
		n->dead = true;
		return err;
	}
	n->at++;
	*payload_size = size - overhead;
	return 0;
}

/* ---- names of protocols -------------------------------------------------------- */

/* Put a psk token where the digit of the modifier says: 0 in front of the first
 * message, else at the end of message number digit. */
static bool add_psk(struct muses_noise *n, unsigned digit)
{
	char *m;

	if (digit > n->message_count || n->psk_count == PSK_MAX)
		return false;
	m = n->message[digit == 0 ? 0 : digit - 1];
	if (digit == 0) {
		if (m[0] == 'p')
			return false;
		memmove(m + 1, m, strlen(m) + 1);
		m[0] = 'p';
	} else {
		m[strlen(m) + 1] = '\0';
		m[strlen(m)] = 'p';
	}
	n->psk_count++;
	n->with_psk = true;
	return true;
}

/* "Noise_IKpsk2_25519_ChaChaPoly_SHA256", or modifiers as in "psk0+psk2" in
 * rising order.  NULL: not one of ours. */
static const struct pattern *read_name(struct muses_noise *n, const char *name)
{
	const struct pattern *found = NULL;
	int last = -1;

	if (strnlen(name, NAME_LIMIT) == NAME_LIMIT || strncmp(name, "Noise_", 6) != 0)
		return NULL;
	name += 6;
	for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++)
		if (strncmp(name, patterns[i].name, 2) == 0)
			found = &patterns[i];
	if (found == NULL)
		return NULL;
	name += 2;
	for (;
	     n->message_count < MESSAGES_MAX && found->message[n->message_count] != NULL;
	     n->message_count++)
		strcpy(n->message[n->message_count], found->message[n->message_count]);
	while (*name != '_') {
		if (last >= 0 && *name++ != '+')
			return NULL;
		if (strncmp(name, "psk", 3) != 0 || name[3] < '0' || name[3] > '9' ||
		    name[3] - '0' <= last)
			return NULL;
		last = name[3] - '0';
		if (!add_psk(n, (unsigned)last))
			return NULL;
		name += 4;
	}
	if (strcmp(name, "_25519_ChaChaPoly_SHA256") == 0)
		n->state.cipher = CORE_CHACHA20_POLY1305;
	else if (strcmp(name, "_25519_AESGCM_SHA256") == 0)
		n->state.cipher = CORE_AES_256_GCM;
	else
		return NULL;
	return found;
}

/* ---- opening and ending -------------------------------------------------------- */

/* Does the pattern say that this side sends, or has shown before, a static key? */
static bool needs_static(const struct muses_noise *n, const struct pattern *p)
{
	for (size_t i = n->initiator ? 0 : 1; i < n->message_count; i += 2)
		if (strchr(n->message[i], 's') != NULL)
			return true;
	return n->initiator ? p->initiator_known : p->responder_known;
}

static int take_keys(struct muses_noise *n, const struct pattern *p,
                     const struct muses_noise_setup *setup)
{
	int err;

	if (setup->local_ephemeral == NULL || setup->psk_count > n->psk_count)
		return MUSES_EUSAGE;
	if (setup->local_static == NULL && needs_static(n, p))
		return MUSES_EUSAGE;
	n->has_rs = n->initiator ? p->responder_known : p->initiator_known;
	if (n->has_rs && setup->remote_static == NULL)
		return MUSES_EUSAGE;
	if (n->has_rs)
		memcpy(n->rs, setup->remote_static, KEY_SIZE);
	for (size_t i = 0; i < setup->psk_count; i++) {
		if (setup->psk[i] == NULL)
			continue;
		memcpy(n->psk[i], setup->psk[i], KEY_SIZE);
		n->has_psk[i] = true;
	}
	memcpy(n->e, setup->local_ephemeral, KEY_SIZE);
	err = muses_x25519_public(n->e, n->e_public);
	if (err != 0 || setup->local_static == NULL)
		return err;
	memcpy(n->s, setup->local_static, KEY_SIZE);
	return muses_x25519_public(n->s, n->s_public);
}

/* The specification's Initialize(). */
static int initialize(struct muses_noise *n, const struct pattern *p,
                      const struct muses_noise_setup *setup)
{
	size_t length = strlen(setup->protocol);
	const struct muses_part name = { setup->protocol, length };
	int err = 0;

	if (length <= CORE_HASH_SIZE)
		memcpy(n->state.h, setup->protocol, length);
	else
		err = muses_sha256(&name, 1, n->state.h);
	memcpy(n->state.ck, n->state.h, CORE_HASH_SIZE);
	if (err == 0)
		err = core_mix_hash(&n->state, setup->prologue, setup->prologue_size);
	if (err == 0 && p->initiator_known)
		err = core_mix_hash(&n->state, n->initiator ? n->s_public : n->rs,
		                    KEY_SIZE);
	if (err == 0 && p->responder_known)
		err = core_mix_hash(&n->state, n->initiator ? n->rs : n->s_public,
		                    KEY_SIZE);
	return err;
}

int muses_noise_open(struct muses_noise **noise, const struct muses_noise_setup *setup)
{
	struct muses_noise *n = muses_zalloc(sizeof(*n));
	const struct pattern *p;
	int err;

	*noise = NULL;
	if (n == NULL)
		return MUSES_ENOMEM;
	n->initiator = setup->role == MUSES_INITIATOR;
	p = read_name(n, setup->protocol);
	err = p == NULL ? MUSES_EUSAGE : take_keys(n, p, setup);
	if (err == 0)
		err = initialize(n, p, setup);
	if (err != 0) {
		muses_noise_close(n);
		return err;
	}
	*noise = n;
	return 0;
}

int muses_noise_set_psk(struct muses_noise *n, size_t index, const uint8_t psk[static 32])
{
	if (n->dead || index >= n->psk_count || index < n->psk_at)
		return MUSES_EUSAGE;
	memcpy(n->psk[index], psk, KEY_SIZE);
	n->has_psk[index] = true;
	return 0;
}

bool muses_noise_done(const struct muses_noise *n)
{
	return !n->dead && n->at == n->message_count;
}

const uint8_t *muses_noise_remote_static(const struct muses_noise *n)
{
	return n->has_rs ? n->rs : NULL;
}

const uint8_t *muses_noise_remote_ephemeral(const struct muses_noise *n)
{
	return n->has_re ? n->re : NULL;
}

int muses_noise_finish(struct muses_noise *n, struct muses_shared *shared)
{
	static const char label[] = "muses1 exporter";
	const struct muses_part part[] = { { label, sizeof(label) - 1 },
		                           { n->state.h, CORE_HASH_SIZE } };
	uint8_t out[3][CORE_HASH_SIZE];
	int err;

	if (!muses_noise_done(n))
		return MUSES_EUSAGE;
	err = core_noise_hkdf(n->state.ck, NULL, 0, 2, out);
	if (err == 0)
		err = muses_hmac_sha256(n->state.ck, CORE_HASH_SIZE, part, 2,
		                        shared->exporter);
	if (err == 0) {
		memcpy(shared->i2r, out[0], sizeof(shared->i2r));
		memcpy(shared->r2i, out[1], sizeof(shared->r2i));
		memcpy(shared->transcript, n->state.h, sizeof(shared->transcript));
	}
	muses_cleanse(out, sizeof(out));
	if (err != 0)
		muses_cleanse(shared, sizeof(*shared));
	return err;
}

void muses_noise_close(struct muses_noise *n)
{
	muses_free_secret(n, sizeof(*n));
}
