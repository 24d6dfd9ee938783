/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_LINKWIRE_H
#define CORE_LINKWIRE_H

#include <muses/keys.h>

#include <stdbool.h>
#include <stdint.h>

/*
 * What two neighbours say to each other: link frames, as a transport carries
 * them (one packet each).  Numbers are big-endian; doc/PROTOCOL, "Links".
 *
 *   offset  size  field
 *        0     1  type         enum core_frame
 *        1   ...  body         by type
 *
 *   DATA     a routed packet: RH first (the overlay's)
 *   HELLO    see below
 *   PROOF    u16 size, then that many bytes of the keys plugin's
 *   others   guarded: u64 counter, MAC 16, then the body
 *            PING, PONG  no body
 *            CONTROL     the overlay's
 *            BYE         u8 reason, enum core_bye
 */
enum core_frame {
	CORE_FRAME_DATA = 1,
	CORE_FRAME_HELLO,
	CORE_FRAME_PROOF,
	CORE_FRAME_PING,
	CORE_FRAME_PONG,
	CORE_FRAME_CONTROL,
	CORE_FRAME_BYE,
};

/* Why a side ends a link.  Only a word: the receiver closes in any case. */
enum core_bye {
	CORE_BYE_STOPPING = 0, /* The node stops. */
	CORE_BYE_REPLACED,     /* Another link between the same two nodes lives. */
};

/* HELLO, both directions.
 *
 *   offset  size  field
 *        0     1  type         CORE_FRAME_HELLO
 *        1     5  magic        "MUSES"
 *        6     1  version      CORE_LINK_VERSION
 *        7    16  overlay      links join only within one overlay
 *       23    32  node         claimed node id
 *       55    32  nonce        fresh random bytes
 *       87    32  share        X25519 public key, for this link only
 *      119     4  mtu          largest link frame this side takes, type included
 */
#define CORE_LINK_VERSION 1
enum core_hello_layout {
	CORE_HELLO_MAGIC = 1,
	CORE_HELLO_VERSION = CORE_HELLO_MAGIC + 5,
	CORE_HELLO_OVERLAY = CORE_HELLO_VERSION + 1,
	CORE_HELLO_NODE = CORE_HELLO_OVERLAY + 16,
	CORE_HELLO_NONCE = CORE_HELLO_NODE + 32,
	CORE_HELLO_SHARE = CORE_HELLO_NONCE + 32,
	CORE_HELLO_MTU = CORE_HELLO_SHARE + 32,
	CORE_HELLO_BYTES = CORE_HELLO_MTU + 4,
};
_Static_assert(CORE_HELLO_BYTES == 123, "doc/PROTOCOL says 123");

/* A guarded frame: PING, PONG, CONTROL, BYE. */
enum core_guard_layout {
	CORE_GUARD_COUNTER = 1,
	CORE_GUARD_MAC = CORE_GUARD_COUNTER + 8,
	CORE_GUARD_MAC_SIZE = 16,
	CORE_GUARD_BYTES = CORE_GUARD_MAC + CORE_GUARD_MAC_SIZE,
};
_Static_assert(CORE_GUARD_BYTES == 25, "doc/PROTOCOL says 25");

#define CORE_PROOF_HEAD      3 /* Type and size. */
#define CORE_PROOF_FRAME_MAX (CORE_PROOF_HEAD + MUSES_PROOF_MAX)

/* The least MTU a link may have: what REHELLO and HELLO need with room to spare. */
#define CORE_LINK_MTU_LEAST 1400

#endif
