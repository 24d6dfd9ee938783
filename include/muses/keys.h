/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MUSES_KEYS_H
#define MUSES_KEYS_H

#include <muses/plugin.h>

/*
 * A keys plugin knows who we are, who the others are, and how two nodes come to
 * share a secret that nobody else has.
 *
 * It runs inside the core's Hello messages: the core gives it everything clear
 * in HELLO_A as prologue, so that no version, suite or option can be stripped,
 * and a payload of its own to carry sealed.  Most plugins will be glue around
 * muses/noise.h.
 *
 *   initiator                                 responder
 *   begin(peer) write(1) ---- HELLO_A ---->   begin(claimed or NULL) read(1)
 *               read(2)  <--- HELLO_B -----   write(2)
 *              [write(3) --- FINISHED ---->   read(3)]     three-message patterns
 *   finish()                                  finish()
 */
enum muses_role { MUSES_INITIATOR = 0, MUSES_RESPONDER };

#define MUSES_SECRET_SIZE 32

/* What a finished handshake leaves; the names are of Noise, revision 34. */
struct muses_shared {
	uint8_t i2r[MUSES_SECRET_SIZE];        /* Split(): initiator to responder. */
	uint8_t r2i[MUSES_SECRET_SIZE];
	uint8_t exporter[MUSES_SECRET_SIZE];   /* HMAC(ck, "muses1 exporter" || h). */
	uint8_t transcript[MUSES_SECRET_SIZE]; /* h, public: the channel binding. */
};

/* The largest keys message, and the largest payload the core gives to one. */
#define MUSES_KEYS_MESSAGE_MAX 900
#define MUSES_KEYS_PAYLOAD_MAX 256
#define MUSES_PROOF_MAX        384

struct muses_handshake; /* The plugin's. */

struct muses_keys_ops {
	/* Must HELLO_A carry our id in the clear, so that the responder can choose the
	 * secret?  (psk: yes.) */
	bool clear_source;

	/* Our own id.  Called once, after open(). */
	int (*identity)(struct muses_layer *l, struct muses_id *id);

	/* A name as people type it, not in the text form of an id (the core handles
	 * that).  0; MUSES_EUNKNOWN; or MUSES_EAGAIN, and muses_keys_news() when the
	 * answer is there. */
	int (*resolve)(struct muses_layer *l, const char *name, struct muses_id *id);
	/* The name people here use for id, valid until the next reload; NULL: none. */
	const char *(*petname)(struct muses_layer *l, const struct muses_id *id);
	/* Could a session with id ever be authenticated?  A peer removed from the
	 * peers file is not known any more: its sessions are closed. */
	bool (*known)(struct muses_layer *l, const struct muses_id *id);
	/* May id be told from the other members, so that an `allow` list can name it?
	 * (Not with a group secret alone.) */
	bool (*distinct)(struct muses_layer *l, const struct muses_id *id);

	/* Start.  Initiator: peer is who we want; *pattern is set to the byte that
	 * HELLO_A will carry, *messages to 2 or 3.  Called with prologue NULL to learn
	 * these, and then nothing is started (*handshake = NULL).  Responder: *pattern
	 * is what HELLO_A said, peer the claimed id or NULL.  Errors: MUSES_EUNKNOWN
	 * (no secret for that peer), MUSES_EREFUSED (pattern not allowed),
	 * MUSES_ENOMEM, MUSES_ECRYPTO. */
	int (*begin)(struct muses_layer *l, enum muses_role role, const struct muses_id *peer,
	             uint8_t *pattern, uint8_t *messages, const uint8_t *prologue,
	             size_t prologue_size, struct muses_handshake **handshake);
	/* The next message, with payload (at most MUSES_KEYS_PAYLOAD_MAX bytes) inside,
	 * at most room bytes.  Sets *size. */
	int (*write)(struct muses_handshake *h, const uint8_t *payload, size_t payload_size,
	             uint8_t *message, size_t room, size_t *size);
	/* Read the peer's; the payload goes to payload (room MUSES_KEYS_PAYLOAD_MAX).
	 * MUSES_EAUTH or MUSES_EMALFORMED end this handshake, nothing else.  Three
	 * messages: the initiator has checked the peer's name before write(3), and the
	 * first message takes no payload, because nothing could seal it. */
	int (*read)(struct muses_handshake *h, const uint8_t *message, size_t size,
	            uint8_t *payload, size_t *payload_size);
	/* Is the peer authenticated by what was read so far, and who is it?  With psk
	 * and IK after message 1, with XX after message 2 or 3. */
	bool (*peer)(const struct muses_handshake *h, struct muses_id *id);
	/* After the last message: the secret.  The caller cleanses it. */
	int (*finish)(struct muses_handshake *h, struct muses_shared *shared);
	/* Cleanse and free, at any point.  NULL is fine. */
	void (*end)(struct muses_handshake *h);

	/* Show over a link that we are who we say: a proof over transcript (label, role
	 * and both hellos), for this peer, of at most MUSES_PROOF_MAX bytes. */
	int (*prove)(struct muses_layer *l, const struct muses_id *peer,
	             const uint8_t *transcript, size_t transcript_size, uint8_t *proof,
	             size_t *proof_size);
	/* Check the peer's; 0 or MUSES_EAUTH.  Constant time where it compares. */
	int (*verify)(struct muses_layer *l, const struct muses_id *peer,
	              const uint8_t *transcript, size_t transcript_size,
	              const uint8_t *proof, size_t proof_size);

	/* May id link with us?  (The node adds the names in its own routes and dial
	 * lists.) */
	bool (*may_link)(struct muses_layer *l, const struct muses_id *id);
};

/* A lookup that resolve() answered with MUSES_EAGAIN has come to an end. */
void muses_keys_news(struct muses_layer *l);

#endif
