/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_TOYS_H
#define TESTS_TOYS_H

#include "core/loader.h"

/*
 * Plugins of every kind that do nothing but tell what is done to them.
 *
 *   toy_keys         knows carol, alice and r1; groupie shares the group's secret
 *   toy_security     suites 0xff01, and with "insecure": true also 0xff02
 *   toy_reliability
 *   toy_overlay      "routes": its neighbours are the values
 *   toy_tcp          addresses have a ':'; those that begin with 127. are local
 *   toy_wrap         wraps a transport
 */

/* A loader that knows them and no files. */
struct core_loader *toys_loader(void);
/* The same, into a loader that may know others.  0 or MUSES_ENOMEM. */
int toys_add(struct core_loader *loader);

/* "open(toy_tcp) open(toy_overlay) ..." since the last toys_forget(). */
const char *toys_story(void);
void toys_forget(void);
/* The next open(), start() or check() of that plugin fails; NULL: none. */
void toys_break(const char *plugin, const char *function);
/* What the keys layer's "peers" file held at the last open() or reload(). */
const char *toys_peers(void);

#endif
