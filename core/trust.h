/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_TRUST_H
#define CORE_TRUST_H

#include <stddef.h>

/*
 * Which files we believe: code we are about to run, secrets we are about to use.
 * Everything is decided on an open descriptor, never on a name that could mean
 * another file a moment later.
 */

/* Open the plugin at path, which is absolute and without links or dots (what
 * realpath() gives).  The file and its folder: owned by root or by us, not
 * writable by group or others.  Every folder above: likewise, but one that
 * others may write is fine with the sticky bit, since nobody can replace what
 * is not his there.  Returns a descriptor, or -1 with why. */
int core_trust_plugin(const char *path, char *why, size_t why_size);

enum core_trust_how {
	CORE_TRUST_PLAIN = 0, /* Any plain file we can read. */
	CORE_TRUST_SECRET,    /* Mode 0600 or stricter, owned by us or root, no link. */
};

/* Read a whole plain file, at most most bytes; a FIFO or a device is refused
 * without waiting for it.  *data is for muses_free_secret() with size + 1 bytes
 * and ends in a zero byte that *size does not count.  0; MUSES_ESYSTEM,
 * MUSES_ECONFIG or MUSES_ENOMEM, and why is a sentence that begins with path. */
int core_trust_read(const char *path, enum core_trust_how how, size_t most, char **data,
                    size_t *size, char *why, size_t why_size);

#endif
