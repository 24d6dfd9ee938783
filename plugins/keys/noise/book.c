/* SPDX-License-Identifier: Apache-2.0 */
/* See book.h.  What was seen of a peer stands in an array beside the peers', under
 * the same index. */
#include "plugins/keys/noise/book.h"

#include <muses/plugin.h>

#include <stdio.h>

struct entry {
	bool there;
	unsigned given_up; /* Handshakes in a row that relied on it for nothing. */
	struct book_seen seen;
};

struct book {
	struct muses_peers *peers;
	struct muses_secrets *secrets; /* NULL: the option is not given. */
	struct entry *entry;
};

static int read_files(struct book *b, const struct muses_file *peers,
                      const struct muses_file *secrets, char *why, size_t why_size)
{
	char reason[256] = "";
	int err = muses_peers_parse(&b->peers, peers->data, peers->size, reason,
	                            sizeof(reason));

	if (err != 0) {
		snprintf(why, why_size, "peers: %s", reason);
		return err;
	}
	if (secrets->data == NULL)
		return 0;
	err = muses_secrets_parse(&b->secrets, secrets->data, secrets->size, reason,
	                          sizeof(reason));
	if (err == 0 && muses_secrets_group(b->secrets) != NULL) {
		snprintf(reason, sizeof(reason),
		         "'group' is not for this plugin: want \"peers\" only");
		err = MUSES_ECONFIG;
	}
	if (err != 0)
		snprintf(why, why_size, "psk: %s", reason);
	return err;
}

int noise_book_open(struct book **book, const struct muses_file *peers,
                    const struct muses_file *secrets, char *why, size_t why_size)
{
	struct book *b = muses_zalloc(sizeof(*b));
	int err;

	if (b == NULL) {
		snprintf(why, why_size, "out of memory");
		return MUSES_ENOMEM;
	}
	err = read_files(b, peers, secrets, why, why_size);
	if (err == 0) {
		b->entry = muses_zalloc(muses_peers_count(b->peers) * sizeof(*b->entry));
		if (b->entry == NULL) {
			snprintf(why, why_size, "out of memory");
			err = MUSES_ENOMEM;
		}
	}
	if (err != 0)
		noise_book_close(b);
	else
		*book = b;
	return err;
}

void noise_book_close(struct book *book)
{
	if (book == NULL)
		return;
	muses_free(book->entry);
	muses_secrets_free(book->secrets);
	muses_peers_free(book->peers);
	muses_free(book);
}

static struct entry *entry_of(const struct book *book, const struct muses_id *id)
{
	const struct muses_peer *p = muses_peers_find(book->peers, id);

	return p == NULL ? NULL : &book->entry[p - muses_peers_at(book->peers, 0)];
}

void noise_book_inherit(struct book *book, const struct book *old)
{
	for (size_t i = 0; i < muses_peers_count(book->peers); i++) {
		const struct entry *e =
			entry_of(old, &muses_peers_at(book->peers, i)->id);

		if (e != NULL)
			book->entry[i] = *e;
	}
}

const struct muses_peer *noise_book_find(const struct book *book,
                                         const struct muses_id *id)
{
	return muses_peers_find(book->peers, id);
}

const struct muses_peer *noise_book_named(const struct book *book, const char *name)
{
	return muses_peers_named(book->peers, name);
}

const uint8_t *noise_book_secret(const struct book *book, const struct muses_id *id)
{
	const struct muses_peer *p = muses_peers_find(book->peers, id);

	return p == NULL || book->secrets == NULL
	               ? NULL
	               : muses_secrets_named(book->secrets, p->name);
}

size_t noise_book_secret_count(const struct book *book)
{
	return book->secrets == NULL ? 0 : muses_secrets_count(book->secrets);
}

const uint8_t *noise_book_secret_at(const struct book *book, size_t index)
{
	return muses_secrets_named(book->secrets,
	                           muses_secrets_name(book->secrets, index));
}

const char *noise_book_unused_secret(const struct book *book)
{
	for (size_t i = 0; i < noise_book_secret_count(book); i++)
		if (noise_book_named(book, muses_secrets_name(book->secrets, i)) == NULL)
			return muses_secrets_name(book->secrets, i);
	return NULL;
}

const struct muses_secrets *noise_book_secrets(const struct book *book)
{
	return book->secrets;
}

const struct book_seen *noise_book_seen(const struct book *book,
                                        const struct muses_id *id)
{
	const struct entry *e = entry_of(book, id);

	return e != NULL && e->there ? &e->seen : NULL;
}

void noise_book_see(struct book *book, const struct muses_id *id,
                    const struct deleg *deleg, const uint8_t bytes[static DELEG_SIZE])
{
	struct entry *e = entry_of(book, id);

	if (e == NULL || (e->there && deleg->seq <= e->seen.deleg.seq))
		return;
	e->there = true;
	e->given_up = 0;
	e->seen.deleg = *deleg;
	memcpy(e->seen.bytes, bytes, DELEG_SIZE);
}

void noise_book_relied(struct book *book, const struct muses_id *id, uint64_t seq,
                       bool done)
{
	struct entry *e = entry_of(book, id);

	if (e == NULL || e->seen.deleg.seq != seq)
		return;
	e->given_up = done ? 0 : e->given_up + 1;
	if (e->given_up >= 2) {
		e->there = false;
		e->given_up = 0;
	}
}
