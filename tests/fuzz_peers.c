/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files that people write: peers, an identity, shared secrets.  Never crashes;
 * what is refused has a sentence; what is accepted is found again by name and id.
 */
#include <muses/err.h>
#include <muses/identity.h>

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(condition) ((condition) ? (void)0 : abort())

static void explained(int err, const char *why)
{
	MUST(err == MUSES_ECONFIG);
	MUST(strncmp(why, "line ", 5) == 0);
	for (; *why != '\0'; why++)
		MUST((unsigned char)*why >= 0x20);
}

static void peers(const char *text, size_t size)
{
	struct muses_peers *all = NULL;
	char why[256] = "", line[MUSES_PEER_TEXT_MAX];
	int err = muses_peers_parse(&all, text, size, why, sizeof(why));

	if (err != 0) {
		explained(err, why);
		return;
	}
	for (size_t i = 0; i < muses_peers_count(all); i++) {
		const struct muses_peer *p = muses_peers_at(all, i);
		struct muses_peers *again = NULL;

		MUST(muses_peers_named(all, p->name) == p);
		MUST(muses_peers_find(all, &p->id) == p);
		muses_peer_text(p->name, p->public_key, line);
		MUST(muses_peers_parse(&again, line, strlen(line), why, sizeof(why)) ==
		     0);
		MUST(muses_id_equal(&muses_peers_at(again, 0)->id, &p->id));
		muses_peers_free(again);
	}
	muses_peers_free(all);
}

static void identity(const char *text, size_t size)
{
	char why[256] = "", again[MUSES_IDENTITY_TEXT_MAX];
	uint8_t seed[32], same[32];
	int err = muses_identity_parse(text, size, seed, why, sizeof(why));

	if (err != 0) {
		explained(err, why);
		return;
	}
	MUST(muses_identity_text(seed, again) == 0);
	MUST(muses_identity_parse(again, strlen(again), same, why, sizeof(why)) == 0);
	MUST(memcmp(seed, same, sizeof(seed)) == 0);
}

static void secrets(const char *text, size_t size)
{
	struct muses_secrets *all = NULL;
	const char *first, *second;
	char why[256] = "";
	int err = muses_secrets_parse(&all, text, size, why, sizeof(why));

	if (err != 0) {
		explained(err, why);
		return;
	}
	for (size_t i = 0; i < muses_secrets_count(all); i++)
		MUST(muses_secrets_named(all, muses_secrets_name(all, i)) != NULL);
	(void)muses_secrets_shared(all, &first, &second);
	muses_secrets_free(all);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > 1 << 16)
		return 0;
	peers((const char *)data, size);
	identity((const char *)data, size);
	secrets((const char *)data, size);
	return 0;
}
