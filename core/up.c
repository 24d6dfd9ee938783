/* SPDX-License-Identifier: Apache-2.0 */
/* What overlay and keys plugins call up with goes to whoever holds the pipeline. */
#include "core/layer.h"

void muses_overlay_deliver(struct muses_layer *l, struct muses_buf *b,
                           const struct muses_met *met)
{
	if (l->up != NULL && l->up->deliver != NULL)
		l->up->deliver(l->up->owner, b, met);
	else
		muses_buf_free(b);
}

void muses_overlay_path(struct muses_layer *l, const struct muses_id *peer, int event)
{
	if (l->up != NULL && l->up->path != NULL)
		l->up->path(l->up->owner, peer, event);
}

void muses_overlay_writable(struct muses_layer *l, const struct muses_id *peer)
{
	if (l->up != NULL && l->up->writable != NULL)
		l->up->writable(l->up->owner, peer);
}

void muses_keys_news(struct muses_layer *l)
{
	if (l->up != NULL && l->up->keys_news != NULL)
		l->up->keys_news(l->up->owner);
}
