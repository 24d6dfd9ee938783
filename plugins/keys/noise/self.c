/* SPDX-License-Identifier: Apache-2.0 */
/* See self.h. */
#include "plugins/keys/noise/self.h"

#include <muses/identity.h>
#include <muses/wire.h>

int noise_self_init(struct self *s, const uint8_t seed[static 32])
{
	int err;

	memset(s, 0, sizeof(*s));
	memcpy(s->seed, seed, sizeof(s->seed));
	err = muses_ed25519_public(seed, s->public_key);
	return err != 0 ? err : muses_key_id(s->public_key, &s->id);
}

static int derive(const struct self *s, uint64_t seq, struct self_key *key)
{
	static const char label[] = "MUSEs x25519 v1";
	uint8_t number[8];
	struct muses_writer w = muses_writer(number, sizeof(number));
	const struct muses_part part[] = { { label, sizeof(label) - 1 },
		                           { number, sizeof(number) } };

	muses_write_u64(&w, seq);
	key->seq = seq;
	return muses_hmac_sha256(s->seed, sizeof(s->seed), part, 2, key->secret);
}

int noise_self_refresh(struct self *s, uint64_t now_s)
{
	uint64_t seq = now_s / SELF_PERIOD_S;
	uint64_t begin = seq * SELF_PERIOD_S;
	struct deleg d = { .seq = seq };
	int err;

	if (s->made && s->now.seq == seq)
		return 0;
	s->made = false;
	memcpy(d.identity, s->public_key, sizeof(d.identity));
	d.not_before = begin > SELF_EARLY_S ? begin - SELF_EARLY_S : 0;
	d.not_after = d.not_before + DELEG_LIFETIME_S;
	err = derive(s, seq, &s->now);
	if (err == 0)
		err = derive(s, seq > 0 ? seq - 1 : 0, &s->before);
	if (err == 0)
		err = muses_x25519_public(s->now.secret, d.x25519);
	if (err == 0)
		err = noise_deleg_sign(&d, s->seed, s->deleg);
	s->made = err == 0;
	return err;
}

const struct self_key *noise_self_key(const struct self *s, uint8_t seq_end)
{
	if ((uint8_t)s->now.seq == seq_end)
		return &s->now;
	return (uint8_t)s->before.seq == seq_end ? &s->before : NULL;
}

void noise_self_release(struct self *s)
{
	muses_cleanse(s, sizeof(*s));
}
