/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_BUILTIN_H
#define CORE_BUILTIN_H

#include <muses/plugin.h>

#include <stddef.h>

/* The records of the plugins that are linked into this program (configure
 * --disable-shared): the first for *place 0, then the next; NULL after the last,
 * and at once in a shared build. */
const struct muses_plugin *core_builtin_next(size_t *place);

#endif
