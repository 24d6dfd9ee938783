/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PLUGINS_KEYS_NOISE_BOOK_H
#define PLUGINS_KEYS_NOISE_BOOK_H

#include "plugins/keys/noise/deleg.h"

#include <muses/identity.h>
#include <muses/option.h>

/*
 * The address book: the peers file, the secrets shared with some of them, and for
 * each the newest delegation that was seen, so that the next handshake can be the
 * short one.
 */
struct book;

/* Either file may be missing (data NULL).  0; MUSES_ECONFIG, MUSES_ENOMEM or
 * MUSES_ECRYPTO with why: a sentence that names the option. */
int noise_book_open(struct book **book, const struct muses_file *peers,
                    const struct muses_file *secrets, char *why, size_t why_size);
/* NULL is fine. */
void noise_book_close(struct book *book);
/* Take over what old has seen of the peers that are in both. */
void noise_book_inherit(struct book *book, const struct book *old);

const struct muses_peer *noise_book_find(const struct book *book,
                                         const struct muses_id *id);
const struct muses_peer *noise_book_named(const struct book *book, const char *name);

/* 32 bytes, or NULL: nothing is shared with that node. */
const uint8_t *noise_book_secret(const struct book *book, const struct muses_id *id);
size_t noise_book_secret_count(const struct book *book);
const uint8_t *noise_book_secret_at(const struct book *book, size_t index);
/* A name in the secrets that is not among the peers; NULL: none. */
const char *noise_book_unused_secret(const struct book *book);
const struct muses_secrets *
noise_book_secrets(const struct book *book); /* May be NULL. */

struct book_seen {
	struct deleg deleg;
	uint8_t bytes[DELEG_SIZE]; /* It was checked. */
};
/* NULL: none.  Valid until the next call of the three below. */
const struct book_seen *noise_book_seen(const struct book *book,
                                        const struct muses_id *id);
/* Keeps the one with the greatest seq; of strangers nothing is kept. */
void noise_book_see(struct book *book, const struct muses_id *id,
                    const struct deleg *deleg, const uint8_t bytes[static DELEG_SIZE]);
/* A handshake that relied on the delegation with that seq came to its end, or was
 * given up.  Given up twice in a row, the delegation is forgotten, and the next
 * handshake is a first contact again.  (Not after one: a challenge and a crossing
 * end handshakes, too.)  Somebody who swallows packets can thus bring about first
 * contacts, which authenticate just as well. */
void noise_book_relied(struct book *book, const struct muses_id *id, uint64_t seq,
                       bool done);

#endif
