/* SPDX-License-Identifier: Apache-2.0 */
/* Ids from keys and names, and the file that holds a node's identity. */
#include "core/crypto.h"
#include "core/lines.h"
#include "core/say.h"

#include <muses/identity.h>

#include <stdio.h>

#define BASE64_LENGTH 44 /* Of 32 bytes. */

static const char key_prefix[] = "ed25519:";
_Static_assert(MUSES_KEY_TEXT_LENGTH == sizeof(key_prefix) - 1 + BASE64_LENGTH,
               "the length that the header says");

/* ---- ids ------------------------------------------------------------------ */

/* The byte keeps ids of different kinds apart: nobody can choose a name whose id
 * is that of a key. */
static int make_id(uint8_t kind, const void *data, size_t size, struct muses_id *id)
{
	static const char label[] = "MUSEs name v1";
	const struct muses_part part[] = { { label, sizeof(label) - 1 },
		                           { &kind, 1 },
		                           { data, size } };

	return muses_sha256(part, 3, id->bytes);
}

int muses_key_id(const uint8_t public_key[static 32], struct muses_id *id)
{
	return make_id(1, public_key, 32, id);
}

int muses_name_id(const char *name, struct muses_id *id)
{
	return make_id(2, name, strlen(name), id);
}

/* ---- keys as text ------------------------------------------------------------- */

static void write_key(const uint8_t key[static 32], char *text)
{
	memcpy(text, key_prefix, sizeof(key_prefix) - 1);
	muses_base64_text(key, 32, text + sizeof(key_prefix) - 1);
}

static bool read_key(const char *text, uint8_t key[static 32])
{
	return strncmp(text, key_prefix, sizeof(key_prefix) - 1) == 0 &&
	       muses_base64_parse(text + sizeof(key_prefix) - 1, key, 32);
}

void muses_key_text(const uint8_t public_key[static 32],
                    char text[static MUSES_KEY_TEXT_LENGTH + 1])
{
	write_key(public_key, text);
}

bool muses_key_parse(const char *text, uint8_t public_key[static 32])
{
	uint8_t key[32];

	if (!read_key(text, key) || !core_ed25519_sound(key))
		return false;
	memcpy(public_key, key, sizeof(key));
	return true;
}

/* ---- the file ------------------------------------------------------------------- */

int muses_identity_text(const uint8_t seed[static 32],
                        char text[static MUSES_IDENTITY_TEXT_MAX])
{
	uint8_t public_key[32];
	char secret[MUSES_KEY_TEXT_LENGTH + 1], known[MUSES_KEY_TEXT_LENGTH + 1];
	int err = muses_ed25519_public(seed, public_key);

	if (err != 0)
		return err;
	write_key(seed, secret);
	write_key(public_key, known);
	snprintf(text, MUSES_IDENTITY_TEXT_MAX,
	         "# The identity of a MUSEs node.  Who has this file is that node: keep "
	         "it\n"
	         "# secret, keep a copy.\n"
	         "muses-identity 1\n"
	         "secret %s\n"
	         "public %s\n",
	         secret, known);
	muses_cleanse(secret, sizeof(secret));
	return 0;
}

/* The value of the word that must come now. */
static int expect(struct core_lines *r, struct core_line *line, const char *word,
                  char *why, size_t why_size)
{
	int got = core_lines_next(r, line, why, why_size);

	if (got < 0)
		return got;
	if (got == 0)
		return core_say(why, why_size, MUSES_ECONFIG,
		                "line %u: the file ends before '%s'",
		                r->number > 0 ? r->number : 1, word);
	if (strcmp(line->word[0], word) != 0)
		/* Not what stands there: it may be the secret. */
		return core_say(why, why_size, MUSES_ECONFIG, "line %u: want '%s'",
		                r->number, word);
	if (line->count != 2)
		return core_say(why, why_size, MUSES_ECONFIG,
		                "line %u: want one word behind '%s'", r->number, word);
	return 0;
}

static int read_identity(struct core_lines *r, struct core_line *line, uint8_t *seed,
                         char *why, size_t why_size)
{
	uint8_t known[32], derived[32];
	int err = expect(r, line, "muses-identity", why, why_size);

	if (err == 0 && strcmp(line->word[1], "1") != 0)
		err = core_say(why, why_size, MUSES_ECONFIG,
		               "line %u: this is version '%s', and we know version 1",
		               r->number, line->word[1]);
	if (err == 0)
		err = expect(r, line, "secret", why, why_size);
	if (err == 0 && !read_key(line->word[1], seed))
		err = core_say(why, why_size, MUSES_ECONFIG,
		               "line %u: want 'secret %s' and %d characters of base64",
		               r->number, key_prefix, BASE64_LENGTH);
	if (err == 0)
		err = expect(r, line, "public", why, why_size);
	if (err == 0 && !read_key(line->word[1], known))
		err = core_say(why, why_size, MUSES_ECONFIG,
		               "line %u: want 'public %s' and %d characters of base64",
		               r->number, key_prefix, BASE64_LENGTH);
	if (err == 0)
		err = muses_ed25519_public(seed, derived);
	if (err == 0 && memcmp(known, derived, sizeof(known)) != 0)
		err = core_say(
			why, why_size, MUSES_ECONFIG,
			"line %u: this is not the public key of the secret above: the "
			"file is damaged",
			r->number);
	if (err == 0 && core_lines_next(r, line, why, why_size) != 0)
		err = core_say(why, why_size, MUSES_ECONFIG,
		               "line %u: want nothing behind the public key", r->number);
	return err;
}

int muses_identity_parse(const char *text, size_t size, uint8_t seed[static 32],
                         char *why, size_t why_size)
{
	struct core_lines r = core_lines(text, size);
	struct core_line line;
	int err = read_identity(&r, &line, seed, why, why_size);

	muses_cleanse(&line, sizeof(line));
	if (err != 0)
		muses_cleanse(seed, 32);
	if (err == MUSES_ECRYPTO)
		core_say(why, why_size, err, "cannot derive the public key");
	return err;
}
