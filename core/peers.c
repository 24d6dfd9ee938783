/* SPDX-License-Identifier: Apache-2.0 */
/* The peers file: read once, then found by name and by id. */
#include "core/lines.h"
#include "core/say.h"

#include <muses/identity.h>
#include <muses/plugin.h>

#include <stdio.h>
#include <stdlib.h>

struct muses_peers {
	size_t count;
	struct muses_peer *peer; /* In order of the file. */
	const struct muses_peer **by_name, **by_id;
};

static int compare_names(const void *a, const void *b)
{
	return strcmp((*(const struct muses_peer *const *)a)->name,
	              (*(const struct muses_peer *const *)b)->name);
}

static int compare_ids(const void *a, const void *b)
{
	return muses_id_compare(&(*(const struct muses_peer *const *)a)->id,
	                        &(*(const struct muses_peer *const *)b)->id);
}

static int read_peer(struct muses_peer *p, const struct core_line *line, unsigned number,
                     char *why, size_t why_size)
{
	struct muses_id id;

	if (!muses_name_valid(line->word[0]))
		return core_say(
			why, why_size, MUSES_ECONFIG,
			"line %u: '%s' is not a name: want at most %d letters, digits, "
			"'.', '_', '-', the first a letter or digit",
			number, line->word[0], MUSES_NAME_MAX);
	if (muses_id_parse(line->word[0], &id))
		return core_say(why, why_size, MUSES_ECONFIG,
		                "line %u: the name has the form of a node id", number);
	if (line->count < 2 || !muses_key_parse(line->word[1], p->public_key))
		return core_say(
			why, why_size, MUSES_ECONFIG,
			"line %u: want a key behind '%s', as 'muses pubkey' prints it "
			"(ed25519:...)",
			number, line->word[0]);
	if (line->count > 2 && (line->count > 3 || strcmp(line->word[2], "nolink") != 0))
		return core_say(
			why, why_size, MUSES_ECONFIG,
			"line %u: '%s' is not known here: want 'nolink' or nothing",
			number, line->word[line->count > 3 ? 3 : 2]);
	strcpy(p->name, line->word[0]);
	p->may_link = line->count == 2;
	p->line = number;
	return muses_key_id(p->public_key, &p->id);
}

/* Nothing twice.  The later line is the wrong one. */
static int check_twice(const struct muses_peers *peers, char *why, size_t why_size)
{
	for (size_t i = 1; i < peers->count; i++) {
		const struct muses_peer *a = peers->by_name[i - 1],
					*b = peers->by_name[i];

		if (strcmp(a->name, b->name) == 0)
			return core_say(why, why_size, MUSES_ECONFIG,
			                "line %u: '%s' stands in line %u already",
			                a->line > b->line ? a->line : b->line, a->name,
			                a->line > b->line ? b->line : a->line);
		a = peers->by_id[i - 1];
		b = peers->by_id[i];
		if (muses_id_equal(&a->id, &b->id))
			return core_say(why, why_size, MUSES_ECONFIG,
			                "line %u: '%s' and '%s' have the same key",
			                a->line > b->line ? a->line : b->line, a->name,
			                b->name);
	}
	return 0;
}

static struct muses_peers *new_peers(size_t count)
{
	struct muses_peers *peers = muses_zalloc(sizeof(*peers));

	if (peers == NULL)
		return NULL;
	peers->count = count;
	peers->peer = muses_zalloc(count * sizeof(*peers->peer));
	peers->by_name = muses_zalloc(count * sizeof(const void *));
	peers->by_id = muses_zalloc(count * sizeof(const void *));
	if (peers->peer != NULL && peers->by_name != NULL && peers->by_id != NULL)
		return peers;
	muses_peers_free(peers);
	return NULL;
}

void muses_peers_free(struct muses_peers *peers)
{
	if (peers == NULL)
		return;
	muses_free(peers->peer);
	muses_free(peers->by_name);
	muses_free(peers->by_id);
	muses_free(peers);
}

int muses_peers_parse(struct muses_peers **out, const char *text, size_t size, char *why,
                      size_t why_size)
{
	struct core_lines r = core_lines(text, size);
	struct muses_peers *peers;
	struct core_line line;
	size_t count = 0;
	int got, err = 0;

	while ((got = core_lines_next(&r, &line, why, why_size)) > 0)
		count++;
	if (got < 0)
		return got;
	peers = new_peers(count);
	if (peers == NULL)
		return core_say(why, why_size, MUSES_ENOMEM, "out of memory");
	r = core_lines(text, size);
	for (size_t i = 0; err == 0 && i < count; i++) {
		core_lines_next(&r, &line, why, why_size);
		err = read_peer(&peers->peer[i], &line, r.number, why, why_size);
		peers->by_name[i] = peers->by_id[i] = &peers->peer[i];
	}
	if (err == 0) {
		qsort(peers->by_name, count, sizeof(const void *), compare_names);
		qsort(peers->by_id, count, sizeof(const void *), compare_ids);
		err = check_twice(peers, why, why_size);
	}
	if (err != 0) {
		muses_peers_free(peers);
		return err;
	}
	*out = peers;
	return 0;
}

size_t muses_peers_count(const struct muses_peers *peers)
{
	return peers->count;
}

const struct muses_peer *muses_peers_at(const struct muses_peers *peers, size_t index)
{
	return &peers->peer[index];
}

const struct muses_peer *muses_peers_named(const struct muses_peers *peers,
                                           const char *name)
{
	size_t low = 0, high = peers->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(name, peers->by_name[middle]->name);

		if (order == 0)
			return peers->by_name[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

const struct muses_peer *muses_peers_find(const struct muses_peers *peers,
                                          const struct muses_id *id)
{
	size_t low = 0, high = peers->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = muses_id_compare(id, &peers->by_id[middle]->id);

		if (order == 0)
			return peers->by_id[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

void muses_peer_text(const char *name, const uint8_t public_key[static 32],
                     char text[static MUSES_PEER_TEXT_MAX])
{
	char key[MUSES_KEY_TEXT_LENGTH + 1];

	muses_key_text(public_key, key);
	snprintf(text, MUSES_PEER_TEXT_MAX, "%s %s\n", name, key);
}
