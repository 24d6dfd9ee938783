/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Randomness.
 *
 * The buffer of the real source stands in a page of its own that the kernel
 * wipes in a child after fork() and leaves out of core dumps.  An all-zero page
 * means "empty": so a child begins with a refill, and never repeats its parent.
 */
#include "core/rand.h"

#include "core/mem.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#define BLOCK_SIZE  512
#define SPRING_SIZE 4096

/* What a child after fork() must not inherit. */
struct spring {
	uint8_t block[BLOCK_SIZE];
	size_t left;     /* Fresh bytes at the end of block. */
	bool jitter_set; /* Is jitter seeded? */
	uint64_t jitter; /* State of core_rand_below(). */
};
_Static_assert(sizeof(struct spring) <= SPRING_SIZE, "one page holds a spring");

struct core_rand {
	struct spring *spring;
	EVP_CIPHER_CTX *stream; /* Seeded: ChaCha20 makes the bytes; else NULL. */
	bool wiped_on_fork;
	pid_t owner; /* Compared where the kernel cannot wipe. */
};

static bool system_bytes(uint8_t *out, size_t size)
{
	while (size > 0) {
		ssize_t got = getrandom(out, size, 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return false;
		out += got;
		size -= (size_t)got;
	}
	return true;
}

/* Fill one block, or part of one. */
static bool make(struct core_rand *r, uint8_t *out, size_t size)
{
	static const uint8_t zeros[BLOCK_SIZE];
	uint8_t library[BLOCK_SIZE];
	int made;
	bool ok;

	if (r->stream != NULL)
		return EVP_EncryptUpdate(r->stream, out, &made, zeros, (int)size) == 1;
	/* Either alone is enough; together, neither a cloned process nor a weak boot
	 * makes us repeat ourselves. */
	ok = system_bytes(out, size) && RAND_priv_bytes(library, (int)size) == 1;
	for (size_t i = 0; ok && i < size; i++)
		out[i] ^= library[i];
	OPENSSL_cleanse(library, sizeof(library));
	if (!ok)
		OPENSSL_cleanse(out, size);
	return ok;
}

static bool seed_stream(struct core_rand *r, uint64_t seed)
{
	static const uint8_t iv[16];
	uint8_t key[32] = { 0 };

	for (size_t i = 0; i < sizeof(seed); i++)
		key[i] = (uint8_t)(seed >> 8 * i);
	r->stream = EVP_CIPHER_CTX_new();
	return r->stream != NULL &&
	       EVP_EncryptInit_ex(r->stream, EVP_chacha20(), NULL, key, iv) == 1;
}

struct core_rand *core_rand_open(uint64_t seed)
{
	struct core_rand *r = muses_zalloc(sizeof(*r));

	if (r == NULL)
		return NULL;
	r->spring = core_map(SPRING_SIZE);
	if (r->spring == NULL)
		goto fail;
	if (seed != 0) {
		if (!seed_stream(r, seed))
			goto fail;
	} else {
		r->owner = getpid();
		r->wiped_on_fork = madvise(r->spring, SPRING_SIZE, MADV_WIPEONFORK) == 0;
		(void)madvise(r->spring, SPRING_SIZE, MADV_DONTDUMP);
	}
	/* Also finds out whether there is any randomness at all. */
	if (core_rand_bytes(r, &r->spring->jitter, sizeof(r->spring->jitter)) != 0)
		goto fail;
	r->spring->jitter_set = true;
	return r;
fail:
	core_rand_close(r);
	return NULL;
}

void core_rand_close(struct core_rand *r)
{
	if (r == NULL)
		return;
	if (r->spring != NULL)
		OPENSSL_cleanse(r->spring, sizeof(*r->spring));
	core_unmap(r->spring, SPRING_SIZE);
	EVP_CIPHER_CTX_free(r->stream);
	muses_free(r);
}

/* Where the kernel did not wipe the page for us. */
static void look_for_fork(struct core_rand *r)
{
	if (r->stream != NULL || r->wiped_on_fork || r->owner == getpid())
		return;
	OPENSSL_cleanse(r->spring, sizeof(*r->spring));
	r->owner = getpid();
}

int core_rand_bytes(struct core_rand *r, void *out, size_t size)
{
	struct spring *s = r->spring;
	uint8_t *at = out;
	uint8_t *from;
	size_t some;

	look_for_fork(r);
	while (size > 0) {
		if (s->left == 0) {
			if (!make(r, s->block, BLOCK_SIZE)) {
				OPENSSL_cleanse(out, (size_t)(at - (uint8_t *)out));
				return MUSES_ECRYPTO;
			}
			s->left = BLOCK_SIZE;
		}
		some = size < s->left ? size : s->left;
		from = s->block + BLOCK_SIZE - s->left;
		memcpy(at, from, some);
		OPENSSL_cleanse(from, some);
		s->left -= some;
		at += some;
		size -= some;
	}
	return 0;
}

/* A counter in even steps, well stirred (SplitMix64): enough for jitter. */
static uint64_t jitter(struct core_rand *r)
{
	struct spring *s = r->spring;
	uint64_t v;

	if (!s->jitter_set) {
		/* We are a child after fork().  Should the system refuse now, then zero
		 * is as good a start as any: jitter is no secret. */
		s->jitter_set = true;
		if (core_rand_bytes(r, &s->jitter, sizeof(s->jitter)) != 0)
			s->jitter = 0;
	}
	s->jitter += UINT64_C(0x9e3779b97f4a7c15);
	v = s->jitter;
	v = (v ^ v >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	v = (v ^ v >> 27) * UINT64_C(0x94d049bb133111eb);
	return v ^ v >> 31;
}

uint64_t core_rand_below(struct core_rand *r, uint64_t below)
{
	uint64_t mask = below - 1;
	uint64_t v;

	look_for_fork(r);
	if (below <= 1)
		return 0;
	for (unsigned shift = 1; shift < 64; shift *= 2)
		mask |= mask >> shift;
	do /* Half of all draws fit, or more: no value is likelier than another. */
		v = jitter(r) & mask;
	while (v >= below);
	return v;
}
