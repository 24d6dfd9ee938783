/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MUSES_IDENTITY_H
#define MUSES_IDENTITY_H

#include <muses/id.h>

#include <stddef.h>

/*
 * The files in which a node keeps who it is, whom it knows and what it shares
 * with them: their text forms, for keys plugins and for the program that makes
 * them.  All parsers are strict and pure, and say what is wrong in one sentence
 * that begins with the line ("line 3: ...").  text need not end in a zero byte.
 */

/* ---- ids ------------------------------------------------------------------ */

/* `noise`: the id of whoever holds that Ed25519 key.  0 or MUSES_ECRYPTO. */
int muses_key_id(const uint8_t public_key[static 32], struct muses_id *id);
/* `psk`: the id of that name. */
int muses_name_id(const char *name, struct muses_id *id);

/* ---- an identity: who has this file is the node ----------------------------- */

/*
 *   # comment
 *   muses-identity 1
 *   secret ed25519:BASE64      the 32-byte seed
 *   public ed25519:BASE64      must be that of the seed
 */
#define MUSES_IDENTITY_TEXT_MAX 320

/* Write the file for seed, with a terminator.  The caller cleanses text. */
int muses_identity_text(const uint8_t seed[static 32],
                        char text[static MUSES_IDENTITY_TEXT_MAX]);
/* 0, MUSES_ECONFIG with why, or MUSES_ECRYPTO. */
int muses_identity_parse(const char *text, size_t size, uint8_t seed[static 32], char *why,
                         size_t why_size);

/* "ed25519:BASE64", the public key as it stands in files. */
#define MUSES_KEY_TEXT_LENGTH 52
void muses_key_text(const uint8_t public_key[static 32],
                    char text[static MUSES_KEY_TEXT_LENGTH + 1]);
/* false, if text is not exactly one, or if it is one that proves nothing (small
 * order). */
bool muses_key_parse(const char *text, uint8_t public_key[static 32]);

/* ---- peers: whom we know ------------------------------------------------------ */

/*
 * A line a peer; '#' begins a comment:
 *
 *   alice ed25519:BASE64
 *   relay ed25519:BASE64 nolink
 *
 * nolink: sessions yes, links no.  A name or a key that stands twice is an error.
 */
struct muses_peer {
	char name[MUSES_NAME_MAX + 1];
	uint8_t public_key[32];
	struct muses_id id;
	bool may_link;
	unsigned line;
};

struct muses_peers; /* In memory of muses_zalloc(). */

/* 0; MUSES_ECONFIG with why; MUSES_ENOMEM; MUSES_ECRYPTO. */
int muses_peers_parse(struct muses_peers **peers, const char *text, size_t size, char *why,
                      size_t why_size);
void muses_peers_free(struct muses_peers *peers); /* NULL is fine. */
size_t muses_peers_count(const struct muses_peers *peers);
/* In order of the file. */
const struct muses_peer *muses_peers_at(const struct muses_peers *peers, size_t index);
/* NULL: no such peer. */
const struct muses_peer *muses_peers_named(const struct muses_peers *peers,
                                           const char *name);
const struct muses_peer *muses_peers_find(const struct muses_peers *peers,
                                          const struct muses_id *id);

/* A line for the file, with line end and terminator. */
#define MUSES_PEER_TEXT_MAX (MUSES_NAME_MAX + 1 + MUSES_KEY_TEXT_LENGTH + 2)
void muses_peer_text(const char *name, const uint8_t public_key[static 32],
                     char text[static MUSES_PEER_TEXT_MAX]);

/* ---- shared secrets -------------------------------------------------------------- */

/*
 * JSON, both members may be left out:
 *
 *   { "group": "BASE64", "peers": { "alice": "BASE64", "bob": "BASE64" } }
 *
 * Secrets are 32 bytes, not all zero.  Read by a scanner of our own, because a
 * JSON library would leave copies of them in freed memory; so strings cannot
 * have escapes, which neither names nor base64 need.
 */
struct muses_secrets; /* In memory of muses_zalloc(). */

int muses_secrets_parse(struct muses_secrets **secrets, const char *text, size_t size,
                        char *why, size_t why_size);
/* Cleanse and free.  NULL is fine. */
void muses_secrets_free(struct muses_secrets *secrets);
/* 32 bytes, or NULL. */
const uint8_t *muses_secrets_group(const struct muses_secrets *secrets);
const uint8_t *muses_secrets_named(const struct muses_secrets *secrets, const char *name);
size_t muses_secrets_count(const struct muses_secrets *secrets); /* Of peers. */
const char *muses_secrets_name(const struct muses_secrets *secrets, size_t index);
/* Two places that hold the same secret, which is worth a warning: their names
 * ("group" for that of the group).  false: none do. */
bool muses_secrets_shared(const struct muses_secrets *secrets, const char **first,
                          const char **second);

#endif
