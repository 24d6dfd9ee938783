/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MUSES_ID_H
#define MUSES_ID_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/*
 * A node id: the permanent name of a node, 32 bytes.
 *
 * With `noise` it is SHA-256("MUSEs name v1" || 0x01 || Ed25519 public key);
 * with `psk` it is SHA-256("MUSEs name v1" || 0x02 || the name string).  Shown
 * as 52 characters of lower-case base32 (RFC 4648, no padding).  Never
 * truncated where something is decided.
 */
#define MUSES_ID_SIZE   32
#define MUSES_ID_LENGTH 52 /* Characters of the text form, without the terminator. */

struct muses_id {
	uint8_t bytes[MUSES_ID_SIZE];
};

/* A name as people type it: [A-Za-z0-9][A-Za-z0-9._-]{0,62}.  A text of
 * MUSES_ID_LENGTH base32 characters always means a node id. */
#define MUSES_NAME_MAX 63

/* Write the text form and a terminator. */
void muses_id_text(const struct muses_id *id, char text[static MUSES_ID_LENGTH + 1]);
/* Read the text form; false, and id unchanged, if text is not exactly one. */
bool muses_id_parse(const char *text, struct muses_id *id);
/* Is text a name that may stand in a configuration or a Hello? */
bool muses_name_valid(const char *text);

/* Ids are public: an ordinary comparison is enough. */
static inline bool muses_id_equal(const struct muses_id *a, const struct muses_id *b)
{
	return memcmp(a->bytes, b->bytes, MUSES_ID_SIZE) == 0;
}

/* Order for tie-breaks ("the lower node id"): <0, 0, >0 as memcmp. */
static inline int muses_id_compare(const struct muses_id *a, const struct muses_id *b)
{
	return memcmp(a->bytes, b->bytes, MUSES_ID_SIZE);
}

#endif
