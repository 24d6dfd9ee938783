/* SPDX-License-Identifier: Apache-2.0 */
/* See ring.h.  Peers of the file are sorted by id, names met are a plain list: they
 * are few, and asked for by people. */
#include "plugins/keys/psk/ring.h"

#include <muses/plugin.h>

#include <stdio.h>
#include <stdlib.h>

#define MET_MAX 1024

struct peer {
	struct muses_id id;
	const char *name; /* Of the secrets. */
	const uint8_t *secret;
};

struct met {
	struct met *next;
	struct muses_id id;
	char name[MUSES_NAME_MAX + 1];
};

struct psk_ring {
	struct muses_secrets *secrets;
	size_t count;
	struct peer *peer;
	struct met *met;
	size_t met_count;
};

static int compare(const void *a, const void *b)
{
	return muses_id_compare(&((const struct peer *)a)->id,
	                        &((const struct peer *)b)->id);
}

static int fill(struct psk_ring *ring)
{
	int err = 0;

	ring->count = muses_secrets_count(ring->secrets);
	ring->peer = muses_zalloc(ring->count * sizeof(*ring->peer));
	if (ring->peer == NULL)
		return MUSES_ENOMEM;
	for (size_t i = 0; err == 0 && i < ring->count; i++) {
		struct peer *p = &ring->peer[i];

		p->name = muses_secrets_name(ring->secrets, i);
		p->secret = muses_secrets_named(ring->secrets, p->name);
		err = muses_name_id(p->name, &p->id);
	}
	qsort(ring->peer, ring->count, sizeof(*ring->peer), compare);
	return err;
}

int psk_ring_open(struct psk_ring **out, const struct muses_file *file, char *why,
                  size_t why_size)
{
	struct psk_ring *ring = muses_zalloc(sizeof(*ring));
	char reason[256] = "";
	int err;

	if (ring == NULL) {
		snprintf(why, why_size, "out of memory");
		return MUSES_ENOMEM;
	}
	err = muses_secrets_parse(&ring->secrets, file->data, file->size, reason,
	                          sizeof(reason));
	if (err == 0 && muses_secrets_group(ring->secrets) == NULL &&
	    muses_secrets_count(ring->secrets) == 0) {
		snprintf(reason, sizeof(reason),
		         "no secret in it, so nobody could be reached");
		err = MUSES_ECONFIG;
	}
	if (err == 0) {
		err = fill(ring);
		snprintf(reason, sizeof(reason), "%s", muses_strerror(err));
	}
	if (err != 0) {
		snprintf(why, why_size, "file: %s", reason);
		psk_ring_close(ring);
		return err;
	}
	*out = ring;
	return 0;
}

int psk_ring_reopen(struct psk_ring **ring, const struct muses_file *file, char *why,
                    size_t why_size)
{
	struct psk_ring *fresh;
	int err = psk_ring_open(&fresh, file, why, why_size);

	if (err != 0)
		return err;
	fresh->met = (*ring)->met;
	fresh->met_count = (*ring)->met_count;
	(*ring)->met = NULL;
	psk_ring_close(*ring);
	*ring = fresh;
	return 0;
}

void psk_ring_close(struct psk_ring *ring)
{
	if (ring == NULL)
		return;
	while (ring->met != NULL) {
		struct met *m = ring->met;

		ring->met = m->next;
		muses_free(m);
	}
	muses_free(ring->peer);
	muses_secrets_free(ring->secrets);
	muses_free(ring);
}

static const struct peer *find(const struct psk_ring *ring, const struct muses_id *id)
{
	const struct peer key = { .id = *id };

	return bsearch(&key, ring->peer, ring->count, sizeof(*ring->peer), compare);
}

const uint8_t *psk_ring_secret(const struct psk_ring *ring, const struct muses_id *id)
{
	const struct peer *p = find(ring, id);

	return p != NULL ? p->secret : muses_secrets_group(ring->secrets);
}

bool psk_ring_pairwise(const struct psk_ring *ring, const struct muses_id *id)
{
	return find(ring, id) != NULL;
}

const char *psk_ring_name(const struct psk_ring *ring, const struct muses_id *id)
{
	const struct peer *p = find(ring, id);

	if (p != NULL)
		return p->name;
	for (const struct met *m = ring->met; m != NULL; m = m->next)
		if (muses_id_equal(&m->id, id))
			return m->name;
	return NULL;
}

void psk_ring_learn(struct psk_ring *ring, const struct muses_id *id, const char *name)
{
	struct met *m;

	if (ring->met_count == MET_MAX || psk_ring_name(ring, id) != NULL)
		return;
	m = muses_zalloc(sizeof(*m));
	if (m == NULL)
		return; /* Without a name to show, nothing else is lost. */
	m->id = *id;
	snprintf(m->name, sizeof(m->name), "%s", name);
	m->next = ring->met;
	ring->met = m;
	ring->met_count++;
}

const struct muses_secrets *psk_ring_secrets(const struct psk_ring *ring)
{
	return ring->secrets;
}
