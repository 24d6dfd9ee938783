/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MUSES_SECURITY_H
#define MUSES_SECURITY_H

#include <muses/plugin.h>

#include <sys/uio.h>

/*
 * A security plugin is a constant array of suites: each a seal, an open, and the
 * numbers around them.  It never sees sockets, names or sessions.
 *
 * The core derives the key material, makes one context per key and direction,
 * counts packets and bytes against the limits, builds the additional data and
 * keeps the replay window.  Before a suite is offered, its known answers are
 * run; one wrong answer and the plugin is refused.
 */
enum muses_direction { MUSES_SEALING = 0, MUSES_OPENING };

#define MUSES_IV_SIZE 12
#define MUSES_KEY_MAX 64

/* One direction of one epoch.  Unused parts have size 0 and are zero. */
struct muses_key_material {
	uint8_t key[MUSES_KEY_MAX];
	uint8_t mac[MUSES_KEY_MAX];
	uint8_t iv[MUSES_IV_SIZE];
};

/* A known answer: sealing plain under these gives sealed. */
struct muses_known_answer {
	const char *source; /* "RFC 8439, 2.8.2", or how it was computed. */
	struct muses_key_material material;
	uint64_t seq;
	const uint8_t *aad;
	size_t aad_size;
	const uint8_t *plain;
	size_t plain_size;
	const uint8_t *sealed;
	size_t sealed_size;
};

struct muses_suite {
	uint16_t id;      /* On the wire; doc/PROTOCOL has the table. */
	const char *name; /* "aes_256_gcm" */
	uint16_t key_size;
	uint16_t mac_size; /* Bytes of MAC key material; 0 for AEADs. */
	uint16_t overhead; /* Most bytes by which sealed exceeds plain, tag included. */
	uint16_t tag_size;
	bool insecure;     /* Refuses unless the file says so; see the plugin. */

	/* Per key: start the next epoch after soft, refuse after hard. */
	uint64_t soft_packets, hard_packets, soft_bytes;
	/* Failed opens per key after which the session resumes with new keys. */
	uint64_t most_failed;

	/* A context for one key and direction; NULL when out of memory or when the
	 * library refuses.  material is the caller's, who cleanses it. */
	void *(*key_open)(const struct muses_suite *suite, enum muses_direction direction,
	                  const struct muses_key_material *material);

	/* Seal what iov gathers into out, which has room for the sum of its sizes and
	 * overhead and overlaps none of it.  The nonce is iv xor seq (right-aligned,
	 * big-endian).  seq must be greater than at the last call; a context refuses
	 * otherwise (MUSES_EUSAGE).  Sets *sealed_size.  No allocation, no system
	 * call.  0, MUSES_ECRYPTO, MUSES_EUSAGE. */
	int (*seal)(void *context, uint64_t seq, const uint8_t *aad, size_t aad_size,
	            const struct iovec *iov, size_t iov_count, uint8_t *out,
	            size_t *sealed_size);

	/* Open size bytes in place.  On success the plain text stands at data and
	 * *plain_size is set; on failure data is wiped and nothing is said but
	 * MUSES_EAUTH, whatever the cause. */
	int (*open)(void *context, uint64_t seq, const uint8_t *aad, size_t aad_size,
	            uint8_t *data, size_t size, size_t *plain_size);

	/* Cleanse and free.  NULL is fine. */
	void (*key_close)(void *context);

	const struct muses_known_answer *answers; /* At least one. */
	size_t answer_count;
};

struct muses_security_ops {
	const struct muses_suite *suite;
	size_t suite_count;
	/* Do this layer's options offer suite[index]?  Asked after open(); in the order
	 * of the array, which is the order of preference. */
	bool (*offers)(struct muses_layer *l, size_t index);
};

#endif
