/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_RAND_H
#define CORE_RAND_H

#include <muses/plugin.h>

/* The only caller of RAND_priv_bytes() and getrandom().  The 128-bit freshness of a resume
 * rests on this: bytes are getrandom(2) xor RAND_priv_bytes(), so a process
 * whose memory was rolled back or cloned still gets new ones.  Small requests
 * are served from a buffer that is refilled by the block, cleansed as used and
 * wiped on fork.  */
struct core_rand;

/* seed 0: the real thing.  Else a repeatable stream from seed (ChaCha20 or
 * SHA-256 in counter mode): the same program with the same seed lives the same
 * life.  NULL when out of memory or when the system has no randomness. */
struct core_rand *core_rand_open(uint64_t seed);
void core_rand_close(struct core_rand *r);
int core_rand_bytes(struct core_rand *r, void *out, size_t size) MUSES_CHECKED;
/* For jitter and sampling, not for secrets: 0 <= result < below; below > 0. */
uint64_t core_rand_below(struct core_rand *r, uint64_t below);

#endif
