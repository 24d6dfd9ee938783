/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PLUGINS_KEYS_PSK_RING_H
#define PLUGINS_KEYS_PSK_RING_H

#include <muses/identity.h>
#include <muses/option.h>

/*
 * The secrets of the file by node id, and the names we have met.
 *
 * An id is a hash: it does not give its name back.  So names are remembered, of
 * the peers in the file and of whom somebody asked for (at most 1024; those after
 * them have no name to show, and work all the same).
 */
struct psk_ring;

/* 0, MUSES_ECONFIG or MUSES_ENOMEM with why: a sentence that names the option. */
int psk_ring_open(struct psk_ring **ring, const struct muses_file *file, char *why,
                  size_t why_size);
/* Another file in the place of *ring's; names met stay.  On failure nothing has
 * changed. */
int psk_ring_reopen(struct psk_ring **ring, const struct muses_file *file, char *why,
                    size_t why_size);
/* NULL is fine. */
void psk_ring_close(struct psk_ring *ring);

/* 32 bytes: of the pair if there is one, else of the group; NULL: neither. */
const uint8_t *psk_ring_secret(const struct psk_ring *ring, const struct muses_id *id);
bool psk_ring_pairwise(const struct psk_ring *ring, const struct muses_id *id);
/* NULL: never met. */
const char *psk_ring_name(const struct psk_ring *ring, const struct muses_id *id);
void psk_ring_learn(struct psk_ring *ring, const struct muses_id *id, const char *name);
const struct muses_secrets *psk_ring_secrets(const struct psk_ring *ring);

#endif
