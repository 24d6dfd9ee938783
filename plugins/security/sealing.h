/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PLUGINS_SECURITY_SEALING_H
#define PLUGINS_SECURITY_SEALING_H

#include <muses/buf.h>
#include <muses/err.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

/*
 * What every suite asks before it seals: packet numbers only grow, so that no
 * nonce comes twice, and sizes are bounded, because OpenSSL counts in int.  A
 * zeroed struct has sealed nothing.
 */
struct sealing {
	bool begun;
	uint64_t last; /* The last number taken, if begun. */
};

/* Take seq and add up the sizes in iov.  MUSES_EUSAGE, and nothing is taken, if
 * seq is not new or the packet would not fit in MUSES_PACKET_MAX. */
static inline int sealing_begin(struct sealing *s, uint64_t seq, size_t aad_size,
                                const struct iovec *iov, size_t iov_count,
                                size_t overhead, size_t *plain_size)
{
	size_t room = MUSES_PACKET_MAX - overhead;

	if ((s->begun && seq <= s->last) || aad_size > MUSES_PACKET_MAX)
		return MUSES_EUSAGE;
	for (size_t i = 0; i < iov_count; i++) {
		if (iov[i].iov_len > room)
			return MUSES_EUSAGE;
		room -= iov[i].iov_len;
	}
	s->begun = true;
	s->last = seq;
	*plain_size = MUSES_PACKET_MAX - overhead - room;
	return 0;
}

#endif
