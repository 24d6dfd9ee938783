/* SPDX-License-Identifier: Apache-2.0 */
#ifndef APPS_TRANSFER_H
#define APPS_TRANSFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The paper's file transfer, over one stream to the service "files".  The stream
 * brings every byte, in order, sealed; what is here is for what a stream cannot
 * know: names, a transfer that goes on where an earlier one was cut off by the end
 * of a program, and a disk that does not keep what it was given.
 *
 *   sender                                   receiver
 *     OFFER name, size          ------->
 *                               <-------     READY offset, hash of those bytes
 *     START offset              ------->     (0, or the receiver's, if the hash is
 *     size - offset bytes       ------->      that of our first offset bytes, too)
 *     DIGEST hash of all        ------->
 *                               <-------     RESULT status, words
 *     ... the next OFFER, or the end of the stream
 *
 * A message is type and size of its body, then the body; numbers are big-endian.
 *
 *   offset size  field
 *        0    1  type
 *        1    2  size of the body, at most TRANSFER_BODY_MAX
 *        3    n  body
 *
 *   OFFER   version 1 (1 byte) | size (8) | name (the rest)
 *   READY   offset (8) | SHA-256 of the first offset bytes (32)
 *   START   offset (8)
 *   DIGEST  SHA-256 of the whole file (32)
 *   RESULT  enum transfer_status (1) | words for people (the rest); instead of
 *           READY it refuses the file
 */
enum transfer_type {
	TRANSFER_OFFER = 1,
	TRANSFER_READY,
	TRANSFER_START,
	TRANSFER_DIGEST,
	TRANSFER_RESULT,
};

enum transfer_status {
	TRANSFER_DONE = 0,
	TRANSFER_REFUSED, /* The receiver does not take this file. */
	TRANSFER_DAMAGED, /* It is not what was sent: the part is gone. */
	TRANSFER_FAILED,  /* The receiver could not write it. */
};

#define TRANSFER_VERSION  1
#define TRANSFER_HEAD     3
#define TRANSFER_NAME_MAX 240 /* With ".part" still a name for every file system. */
#define TRANSFER_WORDS    200
#define TRANSFER_BODY_MAX 256
#define TRANSFER_HASH     32
#define TRANSFER_SERVICE  "files"
#define TRANSFER_SIZE_MAX (INT64_MAX / 2)

struct transfer_message {
	enum transfer_type type;
	uint64_t size;                /* OFFER */
	uint64_t offset;              /* READY, START */
	uint8_t hash[TRANSFER_HASH];  /* READY, DIGEST */
	enum transfer_status status;  /* RESULT */
	char text[TRANSFER_NAME_MAX + 1]; /* OFFER: name, valid; RESULT: words, printable. */
};

/* The size of the body that follows head; false: it cannot be one of ours. */
bool transfer_read_head(const uint8_t head[static TRANSFER_HEAD], size_t *body_size);
/* One whole message, head and body.  False, and m undefined, if anything is wrong:
 * type, sizes, version, a name that transfer_name_valid() refuses. */
bool transfer_read(const uint8_t *data, size_t size, struct transfer_message *m);
/* Write m; returns the size, at most TRANSFER_HEAD + TRANSFER_BODY_MAX.  The text is
 * cut to fit. */
size_t transfer_write(const struct transfer_message *m,
                      uint8_t out[static TRANSFER_HEAD + TRANSFER_BODY_MAX]);

/* May a peer choose this name for a file in our folder?  1 to TRANSFER_NAME_MAX
 * bytes of UTF-8; no '/', no control characters; does not begin with '.' or '-';
 * does not end in ".part", which is ours. */
bool transfer_name_valid(const char *name, size_t size);

#endif
