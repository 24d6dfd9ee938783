/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The key schedule.  Every label stands here and nowhere else; two labels must
 * never be the same text with the same kind of secret.
 */
#include "core/schedule.h"

#include <muses/noise.h>
#include <muses/wire.h>

#define LABEL_PREFIX "muses1 "

int core_expand(const uint8_t secret[static CORE_SECRET_SIZE], const char *label,
                const void *context, size_t context_size, uint8_t *out, size_t out_size)
{
	uint8_t info[256];
	struct muses_writer w = muses_writer(info, sizeof(info));
	size_t label_length = strlen(label);

	muses_write_u16(&w, (uint16_t)out_size);
	muses_write_u8(&w, (uint8_t)(sizeof(LABEL_PREFIX) - 1 + label_length));
	muses_write(&w, LABEL_PREFIX, sizeof(LABEL_PREFIX) - 1);
	muses_write(&w, label, label_length);
	muses_write_u8(&w, (uint8_t)context_size);
	muses_write(&w, context, context_size);
	memset(out, 0, out_size);
	if (w.short_room || context_size > UINT8_MAX)
		return MUSES_ECRYPTO;
	return muses_hkdf_expand(secret, info, muses_written(&w), out, out_size);
}

int core_schedule_root(const struct muses_shared *shared, uint16_t suite_id,
                       const uint8_t session_id[static CORE_SESSID_SIZE],
                       const struct muses_id *initiator, const struct muses_id *responder,
                       struct core_root *root)
{
	bool initiator_lower = muses_id_compare(initiator, responder) < 0;
	enum core_way i2r = initiator_lower ? CORE_FROM_LOWER : CORE_FROM_HIGHER;
	uint8_t names[2][32];
	uint8_t context[2 + CORE_SESSID_SIZE + 32];
	int err;

	err = muses_sha256((struct muses_part[]){ { initiator->bytes, MUSES_ID_SIZE },
	                                          { responder->bytes, MUSES_ID_SIZE } },
	                   2, names[MUSES_INITIATOR]);
	if (err == 0)
		err = muses_sha256(
			(struct muses_part[]){ { responder->bytes, MUSES_ID_SIZE },
		                               { initiator->bytes, MUSES_ID_SIZE } },
			2, names[MUSES_RESPONDER]);
	for (int sender = MUSES_INITIATOR; err == 0 && sender <= MUSES_RESPONDER;
	     sender++) {
		struct muses_writer w = muses_writer(context, sizeof(context));
		const uint8_t *key =
			sender == MUSES_INITIATOR ? shared->i2r : shared->r2i;
		enum core_way way = sender == MUSES_INITIATOR ? i2r : !i2r;
		const char *fin = sender == MUSES_INITIATOR ? "fin i" : "fin r";

		muses_write_u16(&w, suite_id);
		muses_write(&w, session_id, CORE_SESSID_SIZE);
		muses_write(&w, names[sender], 32);
		err = core_expand(key, "traffic", context, sizeof(context),
		                  root->traffic[way], CORE_SECRET_SIZE);
		if (err == 0)
			err = core_expand(shared->exporter, fin, session_id,
			                  CORE_SESSID_SIZE, root->finished[sender],
			                  CORE_SECRET_SIZE);
	}
	if (err == 0)
		err = core_expand(shared->exporter, "resume", session_id,
		                  CORE_SESSID_SIZE, root->resume, CORE_SECRET_SIZE);
	if (err != 0)
		muses_cleanse(root, sizeof(*root));
	return err;
}

int core_schedule_finished(const struct core_root *root, enum muses_role sender,
                           const uint8_t transcript[static 32], const uint8_t *offer,
                           size_t offer_size, uint8_t flags, uint8_t mac[static 32])
{
	uint8_t tail[2] = { (uint8_t)sender, flags };

	return muses_hmac_sha256(root->finished[sender], CORE_SECRET_SIZE,
	                         (struct muses_part[]){ { transcript, 32 },
	                                                { offer, offer_size },
	                                                { tail, sizeof(tail) } },
	                         3, mac);
}

int core_schedule_material(const uint8_t traffic[static CORE_SECRET_SIZE],
                           const struct muses_suite *suite,
                           struct muses_key_material *material)
{
	uint8_t id[2] = { (uint8_t)(suite->id >> 8), (uint8_t)suite->id };
	int err = 0;

	memset(material, 0, sizeof(*material));
	if (suite->key_size > 0)
		err = core_expand(traffic, "key", id, sizeof(id), material->key,
		                  suite->key_size);
	if (err == 0)
		err = core_expand(traffic, "iv", id, sizeof(id), material->iv,
		                  MUSES_IV_SIZE);
	if (err == 0 && suite->mac_size > 0)
		err = core_expand(traffic, "mac", id, sizeof(id), material->mac,
		                  suite->mac_size);
	if (err != 0)
		muses_cleanse(material, sizeof(*material));
	return err;
}

int core_schedule_ratchet(uint8_t traffic[static CORE_SECRET_SIZE],
                          const uint8_t extra[CORE_SECRET_SIZE])
{
	uint8_t next[CORE_SECRET_SIZE];
	int err = core_expand(traffic, extra != NULL ? "next keystep" : "next", extra,
	                      extra != NULL ? CORE_SECRET_SIZE : 0, next, sizeof(next));

	memcpy(traffic, next, sizeof(next));
	muses_cleanse(next, sizeof(next));
	return err;
}

int core_schedule_idh(const struct muses_id *source, const struct muses_id *destination,
                      uint8_t idh[static CORE_IDH_SIZE])
{
	uint8_t hash[32];
	int err = muses_sha256(
		(struct muses_part[]){ { source->bytes, MUSES_ID_SIZE },
	                               { destination->bytes, MUSES_ID_SIZE } },
		2, hash);

	memcpy(idh, hash, CORE_IDH_SIZE);
	return err;
}

int core_schedule_resume(const uint8_t resume[static CORE_SECRET_SIZE],
                         uint32_t generation, const uint8_t na[static CORE_NONCE_SIZE],
                         const uint8_t nb[static CORE_NONCE_SIZE],
                         struct core_resume_keys *keys)
{
	static const char label[] = "muses1 resume";
	uint8_t number[4];
	uint8_t m[32];
	struct muses_writer w = muses_writer(number, sizeof(number));
	int err;

	muses_write_u32(&w, generation);
	err = muses_hmac_sha256(resume, CORE_SECRET_SIZE,
	                        (struct muses_part[]){ { label, sizeof(label) - 1 },
	                                               { number, sizeof(number) },
	                                               { na, CORE_NONCE_SIZE },
	                                               { nb, CORE_NONCE_SIZE } },
	                        4, m);
	if (err == 0)
		err = core_expand(m, "resume", NULL, 0, keys->resume, CORE_SECRET_SIZE);
	for (uint8_t way = 0; err == 0 && way < 2; way++)
		err = core_expand(m, "traffic", &way, 1, keys->traffic[way],
		                  CORE_SECRET_SIZE);
	muses_cleanse(m, sizeof(m));
	if (err != 0)
		muses_cleanse(keys, sizeof(*keys));
	return err;
}

int core_schedule_rehello(const uint8_t resume[static CORE_SECRET_SIZE],
                          enum core_way way, uint32_t base, uint64_t rehello_number,
                          const uint8_t na[static CORE_NONCE_SIZE],
                          const uint8_t nb[CORE_NONCE_SIZE],
                          const uint8_t idh[static CORE_IDH_SIZE],
                          uint8_t key[static CORE_SECRET_SIZE])
{
	uint8_t context[1 + 4 + 8 + 2 * CORE_NONCE_SIZE + CORE_IDH_SIZE];
	struct muses_writer w = muses_writer(context, sizeof(context));

	muses_write_u8(&w, (uint8_t)way);
	muses_write_u32(&w, base);
	muses_write_u64(&w, rehello_number);
	muses_write(&w, na, CORE_NONCE_SIZE);
	if (nb != NULL)
		muses_write(&w, nb, CORE_NONCE_SIZE);
	muses_write(&w, idh, CORE_IDH_SIZE);
	return core_expand(resume, nb != NULL ? "rehello ack" : "rehello", context,
	                   muses_written(&w), key, CORE_SECRET_SIZE);
}

int core_schedule_keystep(const uint8_t resume[static CORE_SECRET_SIZE], uint32_t number,
                          const uint8_t share_i[static 32],
                          const uint8_t share_r[static 32],
                          const uint8_t shared[static 32],
                          uint8_t out[static CORE_SECRET_SIZE])
{
	static const char label[] = "muses1 keystep";
	uint8_t bytes[4];
	struct muses_writer w = muses_writer(bytes, sizeof(bytes));

	muses_write_u32(&w, number);
	return muses_hmac_sha256(resume, CORE_SECRET_SIZE,
	                         (struct muses_part[]){ { label, sizeof(label) - 1 },
	                                                { bytes, sizeof(bytes) },
	                                                { share_i, 32 },
	                                                { share_r, 32 },
	                                                { shared, 32 } },
	                         5, out);
}
