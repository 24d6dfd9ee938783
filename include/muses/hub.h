/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MUSES_HUB_H
#define MUSES_HUB_H

#include <muses/transport.h>

/*
 * Channels inside one process, for the memory transport: both ends belong to
 * nodes on one loop.  The wires between them, with their delay and their
 * weather, are the test's or the simulator's, who opened the hub; an ordinary
 * node has none.
 *
 * Used like muses_framed_*(): one end per channel, upcalls to its layer.  All
 * upcalls come from timers, never from inside these calls.
 */
struct muses_hub_end;
struct muses_hub_port;

/* Be found under address.  0; MUSES_EUSAGE (no hub here: said), MUSES_ELIMIT
 * (address taken), MUSES_ENOMEM. */
int muses_hub_listen(struct muses_layer *l, const char *address,
                     struct muses_hub_port **port);
/* NULL is fine.  Channels stay. */
void muses_hub_unlisten(struct muses_hub_port *port);

/* address lives as long as the end.  NULL: out of memory or no hub. */
struct muses_hub_end *muses_hub_dial(struct muses_layer *l, struct muses_channel *channel,
                                     const char *address);
/* Takes b over. */
void muses_hub_send(struct muses_hub_end *end, struct muses_buf *b);
size_t muses_hub_queued(const struct muses_hub_end *end);
bool muses_hub_lossy(const struct muses_hub_end *end);
void muses_hub_close(struct muses_hub_end *end);

#endif
